/* Extra-P's input. What is modelled is a call path (a region) by metric at coordinates; each has a value a repetition,
 * which here is a visit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "deltoid/profile.h"
#include "deltoid/record.h"
#include "record/json.h"
#include "study/export.h"

enum { STEP = DT_PHASES, STEPS_TO_TARGET, SECONDS_TO_TARGET, SERIES }; /* beside the phases */

static const char *const metrics[] = {"time", "steps", "time"};

/* The values of one call path at one point. */
typedef struct cell {
    double *values; /* (count) */
    size_t count;
} cell;

typedef struct job {
    const dt_study *study;
    bool numeric[DT_STUDY_FACTORS_MAX]; /* the factor is a coordinate */
    cell *cells;                        /* [point * SERIES + series] */
    bool *chosen;                       /* [point]: it stands for its coordinates, at which all call paths are known */
    dt_arena arena;
} job;

/* --- what is measured --- */

/* threads are the parameter p. */
static bool is_coordinate(const dt_study *study, size_t f)
{
    if (strcmp(study->factors[f].name, "threads") == 0)
        return false;
    for (size_t p = 0; p < study->point_count; p++) {
        const char *text = study->points[p].values[f];
        char *end;
        const double x = strtod(text, &end);
        if (end == text || *end || !isfinite(x))
            return false;
    }
    return study->point_count > 0;
}

static bool add(job *j, int64_t point, int series, double value)
{
    cell *c = &j->cells[point * SERIES + series];
    if (!c->values)
        c->values = dt_arena_allocate(&j->arena, j->study->visit_count, sizeof *c->values);
    if (c->values)
        c->values[c->count++] = value;
    return c->values != NULL;
}

/* Seconds a step of each phase, the mean of the workers. */
static bool add_phases(job *j, const dt_study_visit *v)
{
    double seconds[DT_PHASES] = {0};
    bool there[DT_PHASES] = {false}, good = true;
    for (size_t i = 0; i < j->study->phase_count; i++) {
        const dt_study_phase *row = &j->study->phases[i];
        if (row->visit != v->visit || row->steps <= 0 || row->phase >= DT_PHASES)
            continue;
        there[row->phase] = true;
        seconds[row->phase] += row->seconds / (double)row->steps;
    }
    for (int p = 0; good && p < DT_PHASES; p++)
        if (there[p])
            good = add(j, v->point, p, seconds[p] / (double)j->study->points[v->point].workers);
    return good;
}

static bool add_targets(job *j, const dt_study_visit *v)
{
    bool good = true;
    for (size_t i = 0; good && i < j->study->target_count; i++) {
        const dt_study_target *t = &j->study->targets[i];
        if (t->visit == v->visit && t->reached)
            good =
                add(j, v->point, STEPS_TO_TARGET, (double)t->steps) && add(j, v->point, SECONDS_TO_TARGET, t->seconds);
    }
    return good;
}

static bool collect(job *j)
{
    const dt_study *s = j->study;
    double *scratch = dt_arena_allocate(&j->arena, s->sample_count + 1, sizeof *scratch);
    j->cells = dt_arena_allocate(&j->arena, (s->point_count + 1) * SERIES, sizeof *j->cells);
    bool good = scratch && j->cells;
    for (size_t f = 0; f < s->factor_count; f++)
        j->numeric[f] = is_coordinate(s, f);
    for (size_t i = 0; good && i < s->visit_count; i++) {
        const dt_study_visit *v = &s->visits[i];
        if (v->flagged || strcmp(v->state, "ok") != 0 || s->points[v->point].oversubscribed)
            continue;
        const double value = dt_study_visit_seconds(s->samples, s->sample_count, v->visit, scratch);
        if (isfinite(value))
            good = add(j, v->point, STEP, value) && add_phases(j, v);
        good = good && add_targets(j, v);
    }
    return good;
}

/* --- names --- */

/* "W1->tree->step->forward": levels that are no numbers, then what. */
static void add_path(dt_buffer *t, const job *j, size_t point, int series)
{
    for (size_t f = 0; f < j->study->factor_count; f++)
        if (!j->numeric[f] && strcmp(j->study->factors[f].name, "threads") != 0)
            dt_buffer_format(t, "%s->", j->study->points[point].values[f]);
    if (series >= STEPS_TO_TARGET)
        dt_buffer_add(t, "training");
    else if (series == STEP)
        dt_buffer_add(t, "step");
    else
        dt_buffer_format(t, "step->%s", dt_phase_name((dt_phase)series));
}

static const char *metric_of(int series)
{
    return metrics[series < STEP ? 0 : series - STEP];
}

/* --- coordinates and call paths: Extra-P wants each of these at each of those --- */

static bool same_factors(const job *j, size_t a, size_t b, bool numeric)
{
    for (size_t f = 0; f < j->study->factor_count; f++) {
        const bool threads = strcmp(j->study->factors[f].name, "threads") == 0;
        if (!threads && j->numeric[f] == numeric &&
            strcmp(j->study->points[a].values[f], j->study->points[b].values[f]) != 0)
            return false;
    }
    return !numeric || j->study->points[a].workers == j->study->points[b].workers;
}

/* The point with p's coordinates and q's call path; SIZE_MAX: none. */
static size_t crossing(const job *j, size_t p, size_t q)
{
    for (size_t i = 0; i < j->study->point_count; i++)
        if (same_factors(j, i, p, true) && same_factors(j, i, q, false))
            return i;
    return SIZE_MAX;
}

/* Points are told apart by their coordinates and call paths; the first of equals stands for them. */
static bool is_first(const job *j, size_t p, bool numeric)
{
    for (size_t i = 0; i < p; i++)
        if (same_factors(j, i, p, numeric))
            return false;
    return true;
}

static bool measured_at(const job *j, size_t p, size_t q, int series)
{
    const size_t i = crossing(j, p, q);
    return i != SIZE_MAX && j->cells[i * SERIES + (size_t)series].count > 0;
}

/* Whether a call path is measured anywhere. */
static bool is_region(const job *j, size_t q, int series)
{
    for (size_t i = 0; i < j->study->point_count; i++)
        if (same_factors(j, i, q, false) && j->cells[i * SERIES + (size_t)series].count)
            return true;
    return false;
}

/* A coordinate for which the step (or the training) of every call path is measured. Phases may be missing there. */
static bool is_common(const job *j, size_t p)
{
    bool any = false;
    for (int s = STEP; s < SERIES; s++)
        for (size_t q = 0; q < j->study->point_count; q++)
            if (is_first(j, q, false) && is_region(j, q, s)) {
                any = true;
                if (!measured_at(j, p, q, s))
                    return false;
            }
    return any;
}

static bool choose(job *j)
{
    bool any = false;
    for (size_t p = 0; p < j->study->point_count; p++) {
        j->chosen[p] = is_first(j, p, true) && is_common(j, p);
        any = any || j->chosen[p];
    }
    return any;
}

/* Whether to write point q's call path: the first of its kind, and known at all chosen coordinates. A phase that only
 * some of them have, as waiting, is left out. */
static bool is_written(const job *j, size_t q, int series)
{
    bool any = false;
    if (!is_first(j, q, false) || !is_region(j, q, series))
        return false;
    for (size_t p = 0; p < j->study->point_count; p++)
        if (j->chosen[p]) {
            any = true;
            if (!measured_at(j, p, q, series))
                return false;
        }
    return any;
}

/* The i-th series in the order of files: the step before its phases. */
static int series_at(int i)
{
    return (i + STEP) % SERIES;
}

/* --- JSON lines --- */

static void put_line(dt_json *json, const job *j, size_t p, const cell *c, int series, const char *path)
{
    dt_json_open(json, NULL);
    dt_json_open(json, "params");
    dt_json_integer(json, "p", j->study->points[p].workers);
    for (size_t f = 0; f < j->study->factor_count; f++)
        if (j->numeric[f])
            dt_json_real(json, j->study->factors[f].name, strtod(j->study->points[p].values[f], NULL));
    dt_json_close(json);
    dt_json_text(json, "callpath", path);
    dt_json_text(json, "metric", metric_of(series));
    dt_json_open_list(json, "value");
    for (size_t i = 0; i < c->count; i++)
        dt_json_real(json, NULL, c->values[i]);
    dt_json_close(json);
    dt_json_close(json);
}

static bool put_region(dt_json *json, const job *j, size_t q, int series)
{
    dt_buffer path = {0};
    add_path(&path, j, q, series);
    for (size_t p = 0; !path.failed && p < j->study->point_count; p++)
        if (j->chosen[p])
            put_line(json, j, p, &j->cells[crossing(j, p, q) * SERIES + (size_t)series], series, path.bytes);
    const bool good = !path.failed;
    dt_buffer_clear(&path);
    return good;
}

static dt_status write_lines(const job *j, const char *file, dt_error *error)
{
    dt_json json = {.lines = true};
    char *text;
    bool good = true;
    for (size_t q = 0; q < j->study->point_count; q++)
        for (int i = 0; good && i < SERIES; i++)
            if (is_written(j, q, series_at(i)))
                good = put_region(&json, j, q, series_at(i));
    dt_status status = dt_json_finish(&json, &text, error);
    if (status != DT_OK)
        return status;
    status = good ? dt_file_write(file, text ? text : "", json.used, error) : dt_fail_memory(error, "Extra-P's input");
    dt_text_release(text);
    return status;
}

/* --- text --- */

static void add_points(dt_buffer *t, const job *j)
{
    dt_buffer_add(t, "PARAMETER p");
    for (size_t f = 0; f < j->study->factor_count; f++)
        if (j->numeric[f])
            dt_buffer_format(t, " %s", j->study->factors[f].name);
    dt_buffer_add(t, "\nPOINTS");
    for (size_t p = 0; p < j->study->point_count; p++) {
        if (!j->chosen[p])
            continue;
        dt_buffer_format(t, " (%lld", (long long)j->study->points[p].workers);
        for (size_t f = 0; f < j->study->factor_count; f++)
            if (j->numeric[f])
                dt_buffer_format(t, " %s", j->study->points[p].values[f]);
        dt_buffer_add(t, ")");
    }
    dt_buffer_add(t, "\n");
}

static void add_region(dt_buffer *t, const job *j, size_t q, int series)
{
    dt_buffer_format(t, "METRIC %s\nREGION ", metric_of(series));
    add_path(t, j, q, series);
    dt_buffer_add(t, "\n");
    for (size_t p = 0; p < j->study->point_count; p++) {
        if (!j->chosen[p])
            continue;
        const cell *c = &j->cells[crossing(j, p, q) * SERIES + (size_t)series];
        dt_buffer_add(t, "DATA");
        for (size_t i = 0; i < c->count; i++)
            dt_buffer_format(t, " %.12f", c->values[i]); /* the format knows no exponents */
        dt_buffer_add(t, "\n");
    }
}

static dt_status write_text(const job *j, const char *file, bool any, dt_error *error)
{
    dt_buffer t = {0};
    dt_buffer_format(&t, "# %s: a value a visit; seconds a step, its phases as the mean of the workers\n",
                     j->study->name);
    if (any)
        add_points(&t, j);
    for (size_t q = 0; q < j->study->point_count; q++)
        for (int i = 0; i < SERIES; i++)
            if (is_written(j, q, series_at(i)))
                add_region(&t, j, q, series_at(i));
    const dt_status status =
        t.failed ? dt_fail_memory(error, "Extra-P's input") : dt_file_write(file, t.bytes, t.length, error);
    dt_buffer_clear(&t);
    return status;
}

dt_status dt_study_export_extrap(const dt_study *study, const char *jsonl, const char *text, dt_error *error)
{
    job j = {.study = study};
    j.chosen = dt_arena_allocate(&j.arena, study->point_count + 1, sizeof *j.chosen);
    dt_status status = j.chosen && collect(&j) ? DT_OK : dt_fail_memory(error, "Extra-P's input");
    const bool any = status == DT_OK && choose(&j);
    if (status == DT_OK)
        status = write_lines(&j, jsonl, error);
    if (status == DT_OK)
        status = write_text(&j, text, any, error);
    dt_arena_clear(&j.arena);
    return status;
}
