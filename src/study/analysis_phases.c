/* Where the time goes: attribution, the machine's ceilings, the roofline. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study/analysis_own.h"

/* --- phases of a point --- */

typedef struct cell {
    double seconds, flop, bytes;
} cell;

enum { LAYERS_MOST = 256 };

/* Visits that count and have phases; steps is what their phases were timed over. */
static bool is_of(const dt_analysis *a, const dt_study_phase *row, int64_t point)
{
    const dt_study *study = a->study;
    const dt_study_visit *visit = dt_study_visit_find(study, row->visit);
    return row->point == study->points[point].point && visit && dt_analysis_counts(a, visit) && row->steps > 0 &&
           row->worker >= 0 && row->worker < DT_ATTRIBUTION_WORKERS_MAX && row->l >= 0 && row->l <= LAYERS_MOST;
}

/* Steps of all visits of the point that have phases: each visit's rows have the same number. */
static int64_t steps_of(const dt_analysis *a, int64_t point)
{
    const dt_study *study = a->study;
    int64_t steps = 0, before = -1;
    for (size_t i = 0; i < study->phase_count; i++)
        if (is_of(a, &study->phases[i], point) && study->phases[i].visit != before) {
            steps += study->phases[i].steps;
            before = study->phases[i].visit;
        }
    return steps;
}

dt_status dt_point_profile(dt_analysing *a, int64_t point, dt_profile_row **rows, size_t *count)
{
    const dt_study *study = a->study;
    int64_t workers = 0;
    const int64_t steps = steps_of(a->analysis, point);
    *count = 0;
    for (size_t i = 0; i < study->phase_count; i++)
        if (is_of(a->analysis, &study->phases[i], point) && study->phases[i].worker >= workers)
            workers = study->phases[i].worker + 1;
    if (workers == 0)
        return DT_OK;
    const int64_t cells = workers * DT_PHASES * (LAYERS_MOST + 1);
    cell *sums = dt_allocate_zeroed((size_t)cells, sizeof *sums);
    *rows = sums ? dt_analysing_allocate(a, (int64_t)study->phase_count, sizeof **rows) : NULL;
    if (!*rows) {
        dt_release(sums);
        return sums ? DT_NO_MEMORY : dt_fail_memory(a->error, "a point's phases");
    }
    for (size_t i = 0; i < study->phase_count; i++) {
        const dt_study_phase *row = &study->phases[i];
        if (!is_of(a->analysis, row, point))
            continue;
        cell *c = &sums[(row->worker * DT_PHASES + (int64_t)row->phase) * (LAYERS_MOST + 1) + row->l];
        c->seconds += row->seconds;
        c->flop += row->flop;
        c->bytes += row->bytes;
    }
    for (int64_t i = 0; i < cells; i++)
        if (sums[i].seconds > 0)
            (*rows)[(*count)++] = (dt_profile_row){.worker = i / (LAYERS_MOST + 1) / DT_PHASES,
                                                   .phase = (dt_phase)(i / (LAYERS_MOST + 1) % DT_PHASES),
                                                   .l = i % (LAYERS_MOST + 1),
                                                   .seconds = sums[i].seconds,
                                                   .flop = sums[i].flop,
                                                   .bytes = sums[i].bytes,
                                                   .steps = steps};
    dt_release(sums);
    return DT_OK;
}

/* Mean seconds a step of the chunks that the phases were timed with: all but warm-up. */
static double wall_of(const dt_analysis *a, int64_t point)
{
    const dt_study *study = a->study;
    double seconds = 0, steps = 0;
    for (size_t i = 0; i < study->sample_count; i++) {
        const dt_study_sample *sample = &study->samples[i];
        if (sample->point != study->points[point].point || sample->warmup)
            continue;
        const dt_study_visit *visit = dt_study_visit_find(study, sample->visit);
        if (visit && dt_analysis_counts(a, visit)) {
            seconds += sample->seconds;
            steps += (double)sample->steps;
        }
    }
    return steps > 0 ? seconds / steps : NAN;
}

/* --- ceilings --- */

static const dt_study_probe *find_probe(const dt_study *study, const char *when, const char *quantity, int64_t workers,
                                        int64_t level)
{
    for (size_t i = 0; i < study->probe_count; i++) {
        const dt_study_probe *p = &study->probes[i];
        if (strcmp(p->when, when) == 0 && strcmp(p->quantity, quantity) == 0 && p->workers == workers &&
            (level < 0 || p->level == level))
            return p;
    }
    return NULL;
}

static double best_of(const dt_study *study, const char *quantity, int64_t workers, int64_t level)
{
    const dt_study_probe *p = find_probe(study, "start", quantity, workers, level);
    return p && p->best > 0 ? 1e9 * p->best : NAN;
}

static bool is_between(const char *quantity)
{
    return strcmp(quantity, "barrier_ns") == 0 || strcmp(quantity, "line_ns") == 0 ||
           strncmp(quantity, "exchange_", sizeof "exchange_" - 1) == 0;
}

/* What passes between cores follows where they lie, which on a virtual machine changes by the second. */
static dt_analysis_drift drift_of(const dt_study *study, bool between)
{
    dt_analysis_drift found = {.most = NAN};
    for (size_t i = 0; i < study->probe_count; i++) {
        const dt_study_probe *start = &study->probes[i], *end;
        if (strcmp(start->when, "start") != 0 || !(start->best > 0) || is_between(start->quantity) != between)
            continue;
        end = find_probe(study, "end", start->quantity, start->workers,
                         isfinite((double)start->level) ? start->level : -1);
        const double drift = end ? fabs(end->best / start->best - 1) : NAN;
        if (isfinite(drift) && !(found.most >= drift)) {
            found.most = drift;
            snprintf(found.which, sizeof found.which, "%.40s, %lld worker%s", start->quantity,
                     (long long)start->workers, start->workers == 1 ? "" : "s");
        }
    }
    return found;
}

static void find_ceilings(const dt_study *study, dt_analysis_ceilings *c)
{
    static const int order[] = {1, 2, 3, 4, 0};
    c->workers = 1;
    for (size_t i = 0; i < study->probe_count; i++)
        if (strncmp(study->probes[i].quantity, "fma_", 4) == 0 && study->probes[i].workers > c->workers)
            c->workers = study->probes[i].workers;
    for (int p = 0; p < 2; p++)
        c->rates[p] = (dt_analysis_rates){.fma_one = best_of(study, dt_study_fma[p], 1, -1),
                                          .fma_all = best_of(study, dt_study_fma[p], c->workers, -1),
                                          .product_one = best_of(study, dt_study_product[p], 1, -1),
                                          .product_all = best_of(study, dt_study_product[p], c->workers, -1)};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const double one = fmax(best_of(study, "read", 1, order[i]), best_of(study, "triad", 1, order[i]));
        const double all =
            fmax(best_of(study, "read", c->workers, order[i]), best_of(study, "triad", c->workers, order[i]));
        if (isnan(one))
            continue;
        c->level[c->levels] = order[i];
        c->one[c->levels] = one;
        c->all[c->levels++] = isnan(all) ? one : all;
    }
    c->alone = drift_of(study, false);
    c->between = drift_of(study, true);
}

/* Between one's and all's: a shared bandwidth isn't twice as much for two. */
static double between(double one, double all, int64_t workers, int64_t most)
{
    if (workers >= most || most == 1)
        return workers == 1 ? one : all;
    return one + (all - one) * (double)(workers - 1) / (double)(most - 1);
}

dt_bounds dt_ceilings_at(const dt_analysis_ceilings *c, dt_precision precision, int64_t workers)
{
    dt_bounds bounds = {between(c->rates[precision].fma_one, c->rates[precision].fma_all, workers, c->workers), NAN};
    if (c->levels > 0 && c->level[c->levels - 1] == 0)
        bounds.bandwidth = dt_ceilings_level(c, c->levels - 1, workers);
    return bounds;
}

double dt_ceilings_level(const dt_analysis_ceilings *c, int level, int64_t workers)
{
    return between(c->one[level], c->all[level], workers, c->workers);
}

/* --- roofline --- */

static void place(const dt_profile_row *rows, size_t count, int64_t point, double all_seconds, const dt_bounds *bounds,
                  int64_t workers, dt_analysis_roof *roof)
{
    double seconds = 0, flop = 0, bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (rows[i].phase == roof->phase && rows[i].l == roof->l) {
            seconds += rows[i].seconds;
            flop += rows[i].flop;
            bytes += rows[i].bytes;
        }
    const double mean = seconds / (double)workers;
    roof->point = point;
    roof->seconds = mean / (double)rows[0].steps;
    roof->share = seconds / all_seconds;
    roof->flops = flop / mean;
    roof->bandwidth = bytes / mean;
    roof->intensity = bytes > 0 ? flop / bytes : NAN;
    const double from_memory = roof->intensity * bounds->bandwidth;
    roof->roof = fmin(bounds->flops, from_memory);
    roof->of_roof = flop > 0 ? roof->flops / roof->roof : roof->bandwidth / bounds->bandwidth;
    roof->bound = "";
    if (isfinite(roof->of_roof))
        roof->bound = flop > 0 && bounds->flops <= from_memory ? "compute" : roof->of_roof > 1 ? "cache" : "memory";
}

static dt_status add_roofs(dt_analysing *a, int64_t point, const dt_profile_row *rows, size_t count)
{
    dt_analysis *all = a->analysis;
    const dt_analysis_point *p = &all->points[point];
    const dt_bounds bounds = dt_ceilings_at(&all->ceilings, dt_study_precision(p->point), p->workers);
    double seconds = 0;
    for (size_t i = 0; i < count; i++)
        seconds += rows[i].seconds;
    for (size_t i = 0; i < count; i++) {
        bool seen = rows[i].bytes <= 0;
        for (size_t j = 0; j < i && !seen; j++)
            seen = rows[j].phase == rows[i].phase && rows[j].l == rows[i].l && rows[j].bytes > 0;
        if (seen)
            continue;
        dt_analysis_roof *roof = &all->roofs[all->roof_count++];
        roof->phase = rows[i].phase;
        roof->l = rows[i].l;
        place(rows, count, point, seconds, &bounds, p->attribution.workers, roof);
    }
    return DT_OK;
}

/* --- all points --- */

static dt_status attribute(dt_analysing *a, int64_t point)
{
    dt_analysis_point *p = &a->analysis->points[point];
    dt_profile_row *rows;
    size_t count;
    dt_status status = dt_point_profile(a, point, &rows, &count);
    if (status != DT_OK || count == 0)
        return status;
    const dt_bounds bounds = dt_ceilings_at(&a->analysis->ceilings, dt_study_precision(p->point), p->workers);
    p->wall = wall_of(a->analysis, point);
    status = dt_attribute(rows, count, p->wall, &bounds, &p->attribution, a->error);
    if (status != DT_OK)
        return status;
    p->attributed = true;
    const double off = fabs(p->attribution.covered - 1);
    if (isfinite(off) && !(a->analysis->worst_covered >= off))
        a->analysis->worst_covered = off;
    return add_roofs(a, point, rows, count);
}

dt_status dt_analyse_phases(dt_analysing *a)
{
    dt_analysis *all = a->analysis;
    dt_status status = DT_OK;
    find_ceilings(a->study, &all->ceilings);
    all->roofs = dt_analysing_allocate(a, (int64_t)a->study->phase_count, sizeof *all->roofs);
    if (!all->roofs)
        return DT_NO_MEMORY;
    for (int64_t i = 0; i < all->point_count && status == DT_OK; i++) {
        all->points[i].wall = NAN;
        status = attribute(a, i);
    }
    return status;
}

dt_status dt_analyse_limits(dt_analysing *a)
{
    dt_analysis *all = a->analysis;
    for (int64_t i = 0; i < all->point_count; i++) {
        dt_analysis_point *p = &all->points[i];
        const dt_analysis_point *base = p->one_point >= 0 ? &all->points[p->one_point] : NULL;
        if (p->attributed)
            dt_limiter_of(&p->attribution, base && base->attributed && base != p ? &base->attribution : NULL,
                          &p->limiter);
    }
    return DT_OK;
}
