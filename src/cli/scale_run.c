#include "cli/scale_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/split.h"
#include "cli/paths.h"
#include "cli/runfolder.h"
#include "cli/signals.h"
#include "deltoid/record.h"
#include "study/order.h"

/* --- the folder --- */

/* The resolved study and experiments, by which it can be repeated, and empty tables. */
static dt_status make(dt_scale *s, dt_error *error)
{
    const dt_scale_plan *plan = s->plan;
    const char *experiments = dt_path_join(s->arena, s->folder, "experiments");
    const char *file = dt_path_join(s->arena, s->folder, "study.yaml");
    dt_status status =
        experiments && file ? dt_folders_make(experiments, true, s->arena, error) : dt_fail_memory(error, "a path");
    if (status == DT_OK)
        status = dt_file_write(file, plan->text, strlen(plan->text), error);
    for (size_t w = 0; status == DT_OK && w < plan->workload_count; w++) {
        char name[80];
        snprintf(name, sizeof name, "%s.yaml", plan->workloads[w].name);
        const char *path = dt_path_join(s->arena, experiments, name);
        status = path ? dt_file_write(path, plan->workloads[w].text, plan->workloads[w].text_size, error)
                      : dt_fail_memory(error, "a path");
    }
    char created[32] = "";
    const time_t now = time(NULL);
    struct tm parts;
    if (gmtime_r(&now, &parts))
        (void)strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &parts);
    dt_study study = plan->study;
    study.created = created;
    return status == DT_OK ? dt_study_begin(&study, s->folder, error) : status;
}

double *dt_scale_peak(dt_scale *s, const char *isa)
{
    int i = 0;
    while (i < DT_ISAS - 1 && strcmp(dt_isa_name((dt_isa)i), isa) != 0)
        i++;
    return &s->peaks[i];
}

static dt_status make_room(dt_scale *s, dt_error *error)
{
    const size_t room = dt_max(256, 2 * s->placed_room);
    dt_placed *placed = dt_arena_allocate(s->arena, room, sizeof *placed);
    double *seconds = dt_arena_allocate(s->arena, room, sizeof *seconds);
    if (!placed || !seconds)
        return dt_fail_memory(error, "the study");
    if (s->placed_count > 0)
        memcpy(placed, s->placed, s->placed_count * sizeof *placed);
    s->placed = placed;
    s->seconds = seconds;
    s->placed_room = room;
    return DT_OK;
}

static dt_status count_visit(dt_scale *s, int64_t point, double seconds, const char *place, dt_error *error)
{
    const dt_study_point *p = &s->plan->study.points[point];
    const char *kept = dt_arena_duplicate(s->arena, place ? place : "");
    if (!kept)
        return dt_fail_memory(error, "the study");
    if (s->placed_count == s->placed_room && make_room(s, error) != DT_OK)
        return DT_NO_MEMORY;
    s->placed[s->placed_count++] = (dt_placed){point, seconds, p->workers > 1 ? p->placement : NULL, kept};
    return DT_OK;
}

static void note_hash(dt_scale *s, int64_t point, const char *hash)
{
    char *first = s->points[point].hash;
    if (!*hash)
        return;
    if (!*first)
        snprintf(first, sizeof s->points[point].hash, "%.64s", hash);
    else if (strcmp(first, hash) != 0 && s->plan->study.points[point].deterministic)
        s->differing++;
}

/* What a study that goes on has already; its points must be those of the file. */
static dt_status take_up(dt_scale *s, dt_error *error)
{
    dt_study study;
    dt_status status = dt_study_mend(s->folder, error);
    if (status == DT_OK)
        status = dt_study_open(&study, s->folder, s->arena, error);
    if (status != DT_OK)
        return status;
    bool same = study.point_count == s->plan->study.point_count && study.factor_count == s->plan->study.factor_count;
    for (size_t p = 0; same && p < study.point_count; p++)
        for (size_t f = 0; same && f < study.factor_count; f++)
            same = strcmp(study.points[p].values[f], s->plan->study.points[p].values[f]) == 0;
    if (!same)
        return dt_fail(error, DT_INVALID, "%s: has other points than this study; measure into another folder (--out)",
                       s->folder);
    double *scratch = dt_arena_allocate(s->arena, dt_max(1, study.sample_count), sizeof *scratch);
    if (!scratch)
        return dt_fail_memory(error, "the study");
    for (size_t i = 0; i < study.visit_count; i++) {
        const dt_study_visit *v = &study.visits[i];
        const double value = dt_study_visit_seconds(study.samples, study.sample_count, v->visit, scratch);
        s->spent += v->seconds;
        s->blocks = dt_max(s->blocks, v->block);
        s->points[v->point].failures += strcmp(v->state, "ok") != 0;
        if (strcmp(v->state, "ok") == 0 && !v->flagged && isfinite(value))
            status = count_visit(s, v->point, value, v->place_before, error);
        if (status != DT_OK)
            return status;
        note_hash(s, v->point, v->weights_sha256);
        double *peak = dt_scale_peak(s, s->plan->study.points[v->point].isa);
        *peak = fmax(*peak, v->fma_alone); /* NAN: not known */
    }
    s->next_visit = study.next_visit;
    return DT_OK;
}

/* So that a study that is killed has one, too; it is written anew at the end. */
static dt_status write_provenance(const dt_scale *s, dt_error *error)
{
    const char *path = dt_path_join(s->arena, s->folder, "provenance.json");
    char *text;
    if (!path)
        return dt_fail_memory(error, "a path");
    dt_status status = dt_scale_provenance(s, NULL, &text, error);
    if (status != DT_OK)
        return status;
    status = dt_file_write(path, text, strlen(text), error);
    dt_text_release(text);
    return status;
}

dt_status dt_scale_begin(dt_scale *s, dt_error *error)
{
    dt_status status = dt_is_study(s->folder) ? take_up(s, error) : make(s, error);
    if (status == DT_OK)
        status = dt_scale_sessions(s, error);
    return status == DT_OK ? write_provenance(s, error) : status;
}

/* --- blocks --- */

/* One point of a block: until an attempt is undisturbed. */
static dt_status visit_point(dt_scale *s, dt_scale_place place, dt_error *error)
{
    dt_scale_progress *p = &s->points[place.point];
    dt_scale_outcome outcome = {.flagged = true};
    dt_status status = DT_OK;
    for (place.attempt = 1;
         status == DT_OK && outcome.flagged && place.attempt <= s->plan->attempts && !dt_signals_caught();
         place.attempt++) {
        status = dt_scale_visit(s, &place, &outcome, error);
        if (status != DT_OK)
            break;
        s->spent += outcome.seconds;
        p->failures += !outcome.ok;
        if (isfinite(outcome.value))
            status = count_visit(s, (int64_t)place.point, outcome.value, outcome.place, error);
        note_hash(s, (int64_t)place.point, outcome.weights);
    }
    return status;
}

/* Known well enough, by the visits that the analysis will compare. */
static bool is_done(const dt_scale *s, size_t point, int64_t block)
{
    const dt_scale_progress *p = &s->points[point];
    if (p->failures >= 2 || (s->plan->metric && block >= s->plan->rule.least))
        return true;
    const int64_t count = dt_place_alike(s->placed, s->placed_count, (int64_t)point, s->seconds);
    return dt_stop_now(&s->plan->rule, s->seconds, count, 0) != DT_STOP_NOT;
}

dt_status dt_scale_blocks(dt_scale *s, dt_error *error)
{
    const size_t count = s->plan->study.point_count;
    int64_t *order = dt_arena_allocate(s->arena, count, sizeof *order);
    if (!order)
        return dt_fail_memory(error, "the study");
    dt_status status = DT_OK;
    for (int64_t block = s->blocks + 1; status == DT_OK && !dt_signals_caught() && block <= 2 * s->plan->rule.most;
         block++) {
        bool any = false;
        dt_order_block((uint64_t)s->plan->study.seed, block, (int64_t)count, order);
        for (size_t i = 0; status == DT_OK && i < count && !dt_signals_caught() && s->spent < s->plan->budget; i++)
            if (!is_done(s, (size_t)order[i], block - 1)) {
                any = true;
                status = visit_point(s, (dt_scale_place){(size_t)order[i], block, (int64_t)i, 1}, error);
            }
        if (!any)
            break;
    }
    return status;
}
