#include "study/record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "deltoid/profile.h"

typedef struct table { char **cell; size_t rows, columns; } table;

static char *slurp(const char *folder, const char *name, dt_arena *arena, dt_error *error)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) { dt_fail(error, DT_NOT_FOUND, "%s: no such file", path); return NULL; }
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *t = dt_arena_allocate(arena, (size_t)n + 1, 1);
    if (t && fread(t, 1, (size_t)n, f) != (size_t)n) t = NULL;
    fclose(f);
    return t;
}
static dt_status read_table(const char *folder, const char *name, table *t, dt_arena *arena, dt_error *error)
{
    char *text = slurp(folder, name, arena, error);
    if (!text) return DT_NOT_FOUND;
    size_t lines = 0;
    t->columns = 1;
    for (char *c = text; *c && *c != '\n'; c++) t->columns += *c == '\t';
    for (char *c = text; *c; c++) lines += *c == '\n';
    t->cell = dt_arena_allocate(arena, lines * t->columns, sizeof *t->cell);
    t->rows = lines;
    char *c = text;
    for (size_t r = 0; r < lines; r++)
        for (size_t k = 0; k < t->columns; k++) {
            t->cell[r * t->columns + k] = c;
            c += strcspn(c, "\t\n");
            *c++ = 0;
        }
    return DT_OK;
}
static const char *get(const table *t, size_t r, const char *name)
{
    for (size_t k = 0; k < t->columns; k++)
        if (strcmp(t->cell[k], name) == 0) return t->cell[(r + 1) * t->columns + k];
    return "nan";
}
static double num(const table *t, size_t r, const char *n) { return strtod(get(t, r, n), NULL); }
static int64_t integer(const table *t, size_t r, const char *n) { double v = num(t, r, n); return isfinite(v) ? (int64_t)v : -1; }
static bool truth(const table *t, size_t r, const char *n) { return strcmp(get(t, r, n), "true") == 0; }

bool dt_study_is_folder(const char *path)
{
    char f[4096]; struct stat s;
    snprintf(f, sizeof f, "%s/points.tsv", path);
    if (stat(f, &s) != 0) return false;
    snprintf(f, sizeof f, "%s/visits.tsv", path);
    return stat(f, &s) == 0;
}

dt_status dt_study_open(const char *folder, dt_arena *arena, dt_study **study, dt_error *error)
{
    dt_study *s = *study = dt_arena_allocate(arena, 1, sizeof *s);
    table t;
    s->name = "study"; s->kind = "strong"; s->confidence = 0.95; s->seed = 1;
    char *yaml = slurp(folder, "study.yaml", arena, error), *k = yaml ? strstr(yaml, "\nkind: ") : NULL;
    if (k) { char *kind = dt_arena_duplicate(arena, k + 7); kind[strcspn(kind, "\n")] = 0; s->kind = kind; }
    dt_status status = read_table(folder, "points.tsv", &t, arena, error);
    if (status) return status;
    s->point_count = t.rows - 1; s->points = dt_arena_allocate(arena, s->point_count, sizeof *s->points);
    while (s->factor_count + 1 < t.columns && strcmp(t.cell[s->factor_count + 1], "workers")) s->factor_count++;
    s->factors = dt_arena_allocate(arena, s->factor_count, sizeof *s->factors);
    for (size_t f = 0; f < s->factor_count; f++) s->factors[f].name = t.cell[f + 1];
    for (size_t r = 0; r < s->point_count; r++) {
        dt_study_point *p = &s->points[r];
        p->values = (const char *const *)&t.cell[(r + 1) * t.columns + 1];
        p->point = integer(&t, r, "point"); p->workers = integer(&t, r, "workers"); p->batch_size = integer(&t, r, "batch_size");
        p->shard_size = integer(&t, r, "shard_size"); p->parameters = integer(&t, r, "parameters"); p->train_rows = integer(&t, r, "train_rows");
        p->flop_per_sample = num(&t, r, "flop_per_sample"); p->reduction = get(&t, r, "reduction_used"); p->why = get(&t, r, "why");
        p->precision = get(&t, r, "precision"); p->isa = get(&t, r, "isa"); p->placement = get(&t, r, "placement"); p->experiment = get(&t, r, "experiment");
        p->deterministic = truth(&t, r, "deterministic"); p->oversubscribed = truth(&t, r, "oversubscribed");
    }
    if ((status = read_table(folder, "visits.tsv", &t, arena, error))) return status;
    s->visit_count = t.rows - 1; s->visits = dt_arena_allocate(arena, s->visit_count, sizeof *s->visits);
    for (size_t r = 0; r < s->visit_count; r++) {
        dt_study_visit *v = &s->visits[r];
        v->visit = integer(&t, r, "visit"); v->point = integer(&t, r, "point"); v->state = get(&t, r, "state"); v->flagged = truth(&t, r, "flagged");
        v->reasons = get(&t, r, "reasons"); v->timer_share = num(&t, r, "timer_share"); v->steps = integer(&t, r, "steps"); v->weights_sha256 = get(&t, r, "weights_sha256");
        v->involuntary = integer(&t, r, "involuntary"); v->seconds = num(&t, r, "seconds"); v->block = integer(&t, r, "block"); v->attempt = integer(&t, r, "attempt");
    }
    if ((status = read_table(folder, "samples.tsv", &t, arena, error))) return status;
    s->sample_count = t.rows - 1; s->samples = dt_arena_allocate(arena, s->sample_count, sizeof *s->samples);
    for (size_t r = 0; r < s->sample_count; r++)
        s->samples[r] = (dt_study_sample){integer(&t, r, "visit"), integer(&t, r, "point"), integer(&t, r, "chunk"), integer(&t, r, "steps"), integer(&t, r, "samples"), num(&t, r, "seconds"), truth(&t, r, "warmup"), truth(&t, r, "flagged")};
    if ((status = read_table(folder, "phases.tsv", &t, arena, error))) return status;
    s->phase_count = t.rows - 1; s->phases = dt_arena_allocate(arena, s->phase_count, sizeof *s->phases);
    for (size_t r = 0; r < s->phase_count; r++) {
        int phase = 0;
        while (phase < DT_PHASES && strcmp(dt_phase_name((dt_phase)phase), get(&t, r, "phase"))) phase++;
        s->phases[r] = (dt_study_phase){integer(&t, r, "visit"), integer(&t, r, "point"), integer(&t, r, "worker"), phase, integer(&t, r, "layer"), integer(&t, r, "steps"), num(&t, r, "seconds"), num(&t, r, "flop"), num(&t, r, "bytes")};
    }
    if (!(status = read_table(folder, "targets.tsv", &t, arena, NULL))) {
        s->target_count = t.rows - 1; s->targets = dt_arena_allocate(arena, s->target_count, sizeof *s->targets);
        for (size_t r = 0; r < s->target_count; r++)
            s->targets[r] = (dt_study_target){integer(&t, r, "visit"), integer(&t, r, "point"), num(&t, r, "target"), truth(&t, r, "reached"), integer(&t, r, "steps"), integer(&t, r, "epochs"), num(&t, r, "seconds"), num(&t, r, "value")};
    }
    if (!(status = read_table(folder, "machine.tsv", &t, arena, NULL))) {
        s->probe_count = t.rows - 1; s->probes = dt_arena_allocate(arena, s->probe_count, sizeof *s->probes);
        for (size_t r = 0; r < s->probe_count; r++)
            s->probes[r] = (dt_study_probe){get(&t, r, "when"), get(&t, r, "quantity"), integer(&t, r, "workers"), integer(&t, r, "level"), num(&t, r, "median"), num(&t, r, "best"), num(&t, r, "spread"), get(&t, r, "unit")};
    }
    return DT_OK;
}
