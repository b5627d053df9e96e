#include "study/compare_points.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "study/bootstrap.h"

enum { RESAMPLES = 4000 };

void dt_point_text(const dt_study *study, size_t point, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t f = 0; f < study->factor_count && used < size; f++)
        used += (size_t)snprintf(text + used, size - used, "%s%s=%s", f ? " " : "", study->factors[f].name,
                                 study->points[point].values[f]);
}

size_t dt_point_same(const dt_study *a, size_t point, const dt_study *b)
{
    size_t place[DT_STUDY_FACTORS_MAX];
    if (a->factor_count != b->factor_count)
        return SIZE_MAX;
    for (size_t f = 0; f < a->factor_count; f++) {
        for (place[f] = 0; place[f] < b->factor_count; place[f]++)
            if (strcmp(a->factors[f].name, b->factors[place[f]].name) == 0)
                break;
        if (place[f] == b->factor_count)
            return SIZE_MAX;
    }
    for (size_t p = 0; p < b->point_count; p++) {
        size_t f = 0;
        while (f < a->factor_count && strcmp(a->points[point].values[f], b->points[p].values[place[f]]) == 0)
            f++;
        if (f == a->factor_count)
            return p;
    }
    return SIZE_MAX;
}

static double target_seconds(const dt_study *study, int64_t visit)
{
    for (size_t i = 0; i < study->target_count; i++)
        if (study->targets[i].visit == visit && study->targets[i].reached)
            return study->targets[i].seconds;
    return NAN;
}

dt_status dt_point_sample_of(dt_point_sample *sample, const dt_study *study, size_t point, dt_arena *arena,
                             dt_error *error)
{
    double *scratch = dt_arena_allocate(arena, study->sample_count + 1, sizeof *scratch);
    *sample =
        (dt_point_sample){.seconds = dt_arena_allocate(arena, study->visit_count + 1, sizeof *scratch), .median = NAN};
    if (!scratch || !sample->seconds)
        return dt_fail_memory(error, "a comparison");
    for (size_t i = 0; i < study->visit_count; i++) {
        const dt_study_visit *v = &study->visits[i];
        if (v->point != (int64_t)point || v->flagged || strcmp(v->state, "ok") != 0)
            continue;
        const double seconds = study->target_count
                                   ? target_seconds(study, v->visit)
                                   : dt_study_visit_seconds(study->samples, study->sample_count, v->visit, scratch);
        if (isfinite(seconds))
            sample->seconds[sample->count++] = seconds;
    }
    dt_samples_sort(sample->seconds, sample->count);
    if (sample->count)
        sample->median = dt_median(sample->seconds, sample->count);
    return DT_OK;
}

/* Second median over first. */
static void ratio_of_medians(const dt_values *groups, int64_t count, double *out, void *context)
{
    double median[2];
    (void)count;
    (void)context;
    for (int i = 0; i < 2; i++) {
        dt_samples_sort(groups[i].x, groups[i].n);
        median[i] = dt_median(groups[i].x, groups[i].n);
    }
    out[0] = median[1] / median[0];
}

static dt_status bootstrap(dt_point_comparison *c, double confidence, dt_arena *arena, dt_error *error)
{
    const dt_values groups[] = {{c->a.seconds, c->a.count}, {c->b.seconds, c->b.count}};
    const dt_bootstrap b = {.groups = groups,
                            .group_count = 2,
                            .estimator = ratio_of_medians,
                            .outputs = 1,
                            .method = DT_BOOTSTRAP_PERCENTILE,
                            .confidence = confidence,
                            .resamples = RESAMPLES,
                            .seed = 1};
    double *scratch = dt_arena_allocate(arena, dt_bootstrap_scratch(&b), sizeof *scratch), estimate;
    return scratch ? dt_bootstrap_run(&b, scratch, &estimate, &c->ratio_interval, NULL, error)
                   : dt_fail_memory(error, "a comparison");
}

dt_status dt_point_compare(dt_point_comparison *c, const dt_study *a, size_t a_point, const dt_study *b, size_t b_point,
                           double confidence, dt_arena *arena, dt_error *error)
{
    *c = (dt_point_comparison){.ratio_interval = {NAN, NAN, confidence}};
    dt_status status = dt_point_sample_of(&c->a, a, a_point, arena, error);
    if (status == DT_OK)
        status = dt_point_sample_of(&c->b, b, b_point, arena, error);
    if (status != DT_OK)
        return status;
    c->ratio = c->b.median / c->a.median;
    if (c->a.count < DT_COMPARE_LEAST || c->b.count < DT_COMPARE_LEAST)
        return DT_OK;
    status = bootstrap(c, confidence, arena, error);
    double *scratch = dt_arena_allocate(arena, dt_compare_scratch(c->b.count, c->a.count), sizeof *scratch);
    if (!scratch)
        return dt_fail_memory(error, "a comparison");
    if (status == DT_OK)
        c->tested = dt_compare(c->b.seconds, c->b.count, c->a.seconds, c->a.count, true, confidence, scratch, &c->pairs,
                               NULL) == DT_OK; /* else there are too few visits for this confidence */
    return status;
}

bool dt_point_differs(const dt_point_comparison *c)
{
    const dt_interval *i = c->tested ? &c->pairs.interval : &c->ratio_interval;
    return i->low > 1 || i->high < 1; /* not of NAN */
}
