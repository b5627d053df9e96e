/* Speed-ups against one worker and the best serial program, laws, and what the same bits cost. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "study/analysis_own.h"

enum { RESAMPLES = 2000 };

static double *scratch_of(dt_analysing *a, size_t numbers)
{
    return numbers ? dt_analysing_allocate(a, (int64_t)numbers, sizeof(double)) : NULL;
}

static dt_values values_of(const dt_analysis_point *p)
{
    return (dt_values){p->seconds, p->visits};
}

static dt_scaling_point point_of(const dt_analysis_point *p)
{
    return (dt_scaling_point){p->workers, values_of(p), p->point->oversubscribed};
}

/* --- speed-ups --- */

static dt_status speed_up(dt_analysing *a, dt_analysis_point *p, const dt_analysis_point *base, dt_speedup_base what,
                          dt_speedup *speedup)
{
    const dt_values values = values_of(base);
    const dt_scaling_point point = point_of(p);
    const dt_speedup_options options = {.scaling = a->analysis->series[p->series].scaling,
                                        .base = what,
                                        .confidence = a->analysis->confidence,
                                        .resamples = RESAMPLES,
                                        .seed = (uint64_t)(a->study->seed + p->point->point)};
    double *scratch = scratch_of(a, dt_speedup_scratch(values.n, point.seconds.n, RESAMPLES));
    return scratch ? dt_speedup_of(&values, &point, &options, scratch, speedup, a->error) : DT_NO_MEMORY;
}

/* The fastest measured one-worker point of each work; with a base of the study's own, that where it is measured. */
static void find_serial(dt_analysis *a)
{
    for (int64_t i = 0; i < a->point_count; i++) {
        dt_analysis_work *work = &a->works[a->points[i].work];
        if (a->points[i].workers == 1 && a->points[i].visits > 0 &&
            (work->serial < 0 || a->points[i].median < a->points[work->serial].median))
            work->serial = i;
    }
}

static dt_status compute_speedups(dt_analysing *a)
{
    dt_status status = DT_OK;
    dt_analysis *all = a->analysis;
    for (int64_t i = 0; i < all->point_count && status == DT_OK; i++) {
        dt_analysis_point *p = &all->points[i];
        const dt_analysis_series *series = &all->series[p->series];
        if (p->visits == 0)
            continue;
        for (int64_t k = 0; k < series->count && p->one_point < 0; k++)
            if (all->points[series->points[k]].workers == 1 && all->points[series->points[k]].visits > 0)
                p->one_point = series->points[k];
        p->best_point = all->works[p->work].serial;
        if (p->one_point >= 0)
            status = speed_up(a, p, &all->points[p->one_point], DT_BASE_ONE_WORKER, &p->one);
        if (status == DT_OK && p->best_point >= 0)
            status = speed_up(a, p, &all->points[p->best_point], DT_BASE_BEST_SERIAL, &p->best);
    }
    return status;
}

/* --- laws --- */

/* A number of workers that stands twice has no place in a law of one curve: the first counts. */
static int64_t fit_input(const dt_analysis *a, const dt_analysis_series *series, dt_scaling_point *points,
                         int64_t *least)
{
    int64_t count = 0;
    *least = INT64_MAX;
    for (int64_t k = 0; k < series->count && count < DT_LAW_POINTS_MAX; k++) {
        const dt_analysis_point *p = &a->points[series->points[k]];
        if (p->visits == 0 || p->point->oversubscribed || (count > 0 && points[count - 1].workers == p->workers))
            continue;
        points[count++] = point_of(p);
        *least = p->visits < *least ? p->visits : *least;
    }
    return count;
}

static dt_status fit_law(dt_analysing *a, const dt_scaling_point *points, int64_t count, int64_t least,
                         dt_analysis_fit *fit)
{
    dt_error now;
    dt_error_clear(&now);
    if (count < DT_LAW_POINTS_LEAST) {
        snprintf(fit->why, sizeof fit->why,
                 "%lld number%s of workers without oversubscription; a law needs %d at least to be more than a guess",
                 (long long)count, count == 1 ? "" : "s", DT_LAW_POINTS_LEAST);
        return DT_OK;
    }
    double *scratch = scratch_of(a, dt_fit_scratch(points, count, RESAMPLES));
    if (!scratch)
        return DT_NO_MEMORY;
    dt_status status = dt_fit_points(fit->law, points, count, scratch, &fit->fit, &now);
    fit->fitted = status == DT_OK;
    if (status == DT_OK && least >= DT_LAW_SAMPLES)
        status = dt_fit_intervals(fit->law, points, count, a->analysis->confidence, RESAMPLES, (uint64_t)a->study->seed,
                                  scratch, &fit->fit, &now);
    if (status == DT_NO_MEMORY)
        return dt_fail(a->error, status, "%s", now.message);
    if (status != DT_OK)
        snprintf(fit->why, sizeof fit->why, "%.190s", now.message);
    return DT_OK;
}

static dt_status compute_fits(dt_analysing *a)
{
    dt_status status = DT_OK;
    dt_scaling_point *points = dt_analysing_allocate(a, DT_LAW_POINTS_MAX, sizeof *points);
    if (!points)
        return DT_NO_MEMORY;
    for (int64_t s = 0; s < a->analysis->series_count; s++) {
        dt_analysis_series *series = &a->analysis->series[s];
        int64_t least;
        const dt_law *law;
        const int64_t count = fit_input(a->analysis, series, points, &least);
        if (series->count < 2)
            continue;
        for (size_t l = 0; (law = dt_law_at(l)) && series->fit_count < DT_ANALYSIS_LAWS && status == DT_OK; l++)
            if (law->scaling == series->scaling) {
                series->fits[series->fit_count].law = law;
                status = fit_law(a, points, count, least, &series->fits[series->fit_count++]);
            }
        double before = -INFINITY;
        series->serial_grows = series->count > 2;
        for (int64_t k = 0; k < series->count; k++) {
            const dt_analysis_point *p = &a->analysis->points[series->points[k]];
            if (p->workers < 2 || p->one_point < 0 || p->point->oversubscribed)
                continue;
            series->serial_grows = series->serial_grows && p->one.serial_fraction > before;
            before = p->one.serial_fraction;
        }
    }
    return status;
}

/* --- the price of the same bits --- */

static int64_t fastest(const dt_analysis *a, int64_t work, int64_t workers, bool deterministic)
{
    int64_t best = -1;
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        if (p->work == work && p->workers == workers && p->visits > 0 && (p->point->deterministic || !deterministic) &&
            (best < 0 || p->median < a->points[best].median))
            best = i;
    }
    return best;
}

static dt_status compute_best(dt_analysing *a, dt_analysis_best *best)
{
    const dt_analysis *all = a->analysis;
    best->cost = best->efficiency = NAN;
    best->interval = best->efficiency_interval = (dt_interval){NAN, NAN, NAN};
    if (best->deterministic < 0)
        return DT_OK;
    const dt_analysis_point *p = &all->points[best->deterministic];
    const dt_values values = values_of(p);
    const dt_scaling_point any = point_of(&all->points[best->any]);
    const dt_speedup_options options = {.base = DT_BASE_BEST_SERIAL,
                                        .confidence = all->confidence,
                                        .resamples = RESAMPLES,
                                        .seed = (uint64_t)(a->study->seed + best->workers)};
    dt_speedup ratio;
    double *scratch = scratch_of(a, dt_speedup_scratch(values.n, any.seconds.n, RESAMPLES));
    if (!scratch)
        return DT_NO_MEMORY;
    const dt_status status = dt_speedup_of(&values, &any, &options, scratch, &ratio, a->error);
    if (status != DT_OK)
        return status;
    best->cost = ratio.speedup;
    best->interval = ratio.speedup_interval;
    if (p->best_point >= 0) {
        best->efficiency = p->best.efficiency;
        best->efficiency_interval = p->best.efficiency_interval;
    }
    return DT_OK;
}

static dt_status compute_costs(dt_analysing *a)
{
    dt_status status = DT_OK;
    dt_analysis *all = a->analysis;
    for (int64_t w = 0; w < all->work_count; w++) {
        dt_analysis_work *work = &all->works[w];
        work->best = dt_analysing_allocate(a, all->point_count, sizeof *work->best);
        if (!work->best)
            return DT_NO_MEMORY;
        for (int64_t i = 0; i < all->point_count; i++) {
            const int64_t workers = all->points[i].workers;
            int64_t at = 0;
            if (all->points[i].work != w || all->points[i].visits == 0)
                continue;
            while (at < work->best_count && work->best[at].workers < workers)
                at++;
            if (at < work->best_count && work->best[at].workers == workers)
                continue;
            memmove(work->best + at + 1, work->best + at, (size_t)(work->best_count++ - at) * sizeof *work->best);
            work->best[at] = (dt_analysis_best){.workers = workers,
                                                .any = fastest(all, w, workers, false),
                                                .deterministic = fastest(all, w, workers, true)};
        }
        for (int64_t b = 0; b < work->best_count && status == DT_OK; b++)
            status = compute_best(a, &work->best[b]);
    }
    return status;
}

dt_status dt_analyse_scaling(dt_analysing *a)
{
    find_serial(a->analysis);
    dt_status status = compute_speedups(a);
    if (status == DT_OK)
        status = compute_fits(a);
    return status == DT_OK ? compute_costs(a) : status;
}
