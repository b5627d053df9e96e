/* Points: their samples, which belong together, and whether they have one answer. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "study/analysis_own.h"

/* --- which factors are how it is computed --- */

static bool is_threads(const char *factor)
{
    return strcmp(factor, "threads") == 0 || strcmp(factor, "parallel.threads") == 0;
}

/* All that changes no bit, or should not: the work is the same. */
static bool is_way(const char *factor)
{
    static const char *const ways[] = {"reduction", "groups", "placement", "isa"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(factor, ways[i]) == 0)
            return true;
    return is_threads(factor) || strncmp(factor, "parallel.", 9) == 0;
}

bool dt_points_agree(const dt_study *study, int64_t one, int64_t other, bool (*may_differ)(const char *factor))
{
    for (size_t f = 0; f < study->factor_count; f++)
        if (!may_differ(study->factors[f].name) &&
            strcmp(study->points[one].values[f], study->points[other].values[f]) != 0)
            return false;
    return true;
}

static bool varies(const dt_study *study, size_t f)
{
    for (size_t i = 1; i < study->point_count; i++)
        if (strcmp(study->points[i].values[f], study->points[0].values[f]) != 0)
            return true;
    return false;
}

/* Values of the factors that vary and aren't `left_out`: "W2, owner", with the factor's name where the value is a
 * number. */
static void label(const dt_study *study, int64_t point, bool (*left_out)(const char *), char text[DT_ANALYSIS_LABEL])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t f = 0; f < study->factor_count; f++) {
        const char *name = study->factors[f].name, *value = study->points[point].values[f];
        const char *dot = strrchr(name, '.');
        if (left_out(name) || !varies(study, f) || used >= DT_ANALYSIS_LABEL - 1)
            continue;
        const bool bare = *value && !strchr("0123456789+-.", *value) && strcmp(value, "true") && strcmp(value, "false");
        const int n = snprintf(text + used, DT_ANALYSIS_LABEL - used, "%s%s%s%s", used ? ", " : "",
                               bare  ? ""
                               : dot ? dot + 1
                                     : name,
                               bare ? "" : " ", value);
        used += n > 0 ? (size_t)n : 0;
    }
    if (!text[0])
        snprintf(text, DT_ANALYSIS_LABEL, "all");
}

/* --- samples --- */

static void summarise(dt_analysis_point *p, double confidence)
{
    p->median = p->quartile_low = p->quartile_high = p->p90 = p->rate = NAN;
    p->interval = (dt_interval){NAN, NAN, NAN};
    p->one_point = p->best_point = -1;
    if (p->visits == 0)
        return;
    dt_samples_sort(p->seconds, p->visits);
    p->median = dt_median(p->seconds, p->visits);
    p->quartile_low = dt_quantile(p->seconds, p->visits, 0.25);
    p->quartile_high = dt_quantile(p->seconds, p->visits, 0.75);
    p->p90 = dt_quantile(p->seconds, p->visits, 0.9);
    p->rate = (double)p->point->batch_size / p->median;
    if (p->visits >= dt_quantile_interval_least(0.5, confidence) &&
        dt_median_interval(p->seconds, p->visits, confidence, &p->interval, NULL) != DT_OK)
        p->interval = (dt_interval){NAN, NAN, NAN};
}

static dt_status gather_samples(dt_analysing *a)
{
    const dt_study *study = a->study;
    double *scratch = dt_analysing_allocate(a, (int64_t)study->sample_count, sizeof *scratch);
    if (!scratch)
        return DT_NO_MEMORY;
    for (int64_t i = 0; i < a->analysis->point_count; i++) {
        dt_analysis_point *p = &a->analysis->points[i];
        p->point = &study->points[i];
        p->workers = p->point->workers;
        p->hash = "";
    }
    if (dt_analyse_places(a) != DT_OK)
        return DT_NO_MEMORY;
    for (int64_t i = 0; i < a->analysis->point_count; i++) {
        dt_analysis_point *p = &a->analysis->points[i];
        int64_t visits = 0;
        for (size_t v = 0; v < study->visit_count; v++)
            visits += study->visits[v].point == p->point->point;
        p->seconds = dt_analysing_allocate(a, visits, sizeof *p->seconds);
        if (!p->seconds)
            return DT_NO_MEMORY;
        for (size_t v = 0; v < study->visit_count; v++) {
            const dt_study_visit *visit = &study->visits[v];
            if (visit->point != p->point->point)
                continue;
            const double seconds =
                dt_analysis_counts(a->analysis, visit)
                    ? dt_study_visit_seconds(study->samples, study->sample_count, visit->visit, scratch)
                    : NAN;
            if (isfinite(seconds))
                p->seconds[p->visits++] = seconds;
            p->failed += dt_visit_failed(visit);
            p->flagged += !dt_visit_failed(visit) && visit->flagged;
        }
        summarise(p, a->analysis->confidence);
    }
    return DT_OK;
}

/* --- series and works --- */

/* The points of a series, by workers; a number of workers twice (a factor that doesn't show in them) stays twice. */
static dt_status collect(dt_analysing *a, dt_analysis_series *series, int64_t first)
{
    dt_analysis *all = a->analysis;
    series->points = dt_analysing_allocate(a, all->point_count, sizeof *series->points);
    if (!series->points)
        return DT_NO_MEMORY;
    series->deterministic = true;
    for (int64_t i = first; i < all->point_count; i++) {
        if (!dt_points_agree(a->study, first, i, is_threads))
            continue;
        int64_t at = series->count++;
        for (; at > 0 && all->points[series->points[at - 1]].workers > all->points[i].workers; at--)
            series->points[at] = series->points[at - 1];
        series->points[at] = i;
        all->points[i].series = series - all->series;
        series->deterministic = series->deterministic && all->points[i].point->deterministic;
    }
    label(a->study, first, is_threads, series->label);
    series->scaling = strcmp(a->study->kind, "weak") == 0 ? DT_SCALING_WEAK : DT_SCALING_STRONG;
    return DT_OK;
}

static dt_status gather_series(dt_analysing *a)
{
    dt_analysis *all = a->analysis;
    all->series = dt_analysing_allocate(a, all->point_count, sizeof *all->series);
    all->works = dt_analysing_allocate(a, all->point_count, sizeof *all->works);
    if (!all->series || !all->works)
        return DT_NO_MEMORY;
    for (int64_t i = 0; i < all->point_count; i++)
        all->points[i].series = all->points[i].work = -1;
    dt_status status = DT_OK;
    for (int64_t i = 0; i < all->point_count && status == DT_OK; i++)
        if (all->points[i].series < 0)
            status = collect(a, &all->series[all->series_count++], i);
    for (int64_t i = 0; i < all->point_count; i++) {
        if (all->points[i].work >= 0)
            continue;
        dt_analysis_work *work = &all->works[all->work_count];
        label(a->study, i, is_way, work->label);
        work->serial = -1;
        for (int64_t j = i; j < all->point_count; j++)
            if (dt_points_agree(a->study, i, j, is_way))
                all->points[j].work = all->work_count;
        all->work_count++;
    }
    for (int64_t i = 0; i < all->series_count; i++)
        all->series[i].work = all->points[all->series[i].points[0]].work;
    return status;
}

/* --- one answer --- */

static bool has_hash(const dt_study_visit *visit)
{
    return !dt_visit_failed(visit) && visit->weights_sha256 && strlen(visit->weights_sha256) == 64;
}

/* Weights are compared after equally many steps of the same minibatches. */
static bool comparable(const dt_analysis *a, const dt_study_visit *one, const dt_study_visit *other)
{
    const dt_study_point *p = &a->study->points[one->point], *q = &a->study->points[other->point];
    return one->steps == other->steps && p->batch_size == q->batch_size && p->shard_size == q->shard_size;
}

/* Different hashes among visits that are alike and for which `of` is true: the most of any such group. */
static int64_t count_hashes(const dt_analysis *a, bool (*of)(const dt_analysis *, const dt_study_visit *, int64_t),
                            int64_t which)
{
    int64_t most = 0;
    const dt_study *study = a->study;
    for (size_t i = 0; i < study->visit_count; i++) {
        const dt_study_visit *first = &study->visits[i];
        int64_t different = 0;
        if (!has_hash(first) || !of(a, first, which))
            continue;
        for (size_t j = 0; j < study->visit_count; j++) {
            const dt_study_visit *one = &study->visits[j];
            bool seen = !has_hash(one) || !of(a, one, which) || !comparable(a, first, one);
            for (size_t k = 0; k < j && !seen; k++)
                seen = has_hash(&study->visits[k]) && of(a, &study->visits[k], which) &&
                       comparable(a, first, &study->visits[k]) &&
                       strcmp(one->weights_sha256, study->visits[k].weights_sha256) == 0;
            different += !seen;
        }
        most = different > most ? different : most;
    }
    return most;
}

static bool of_point(const dt_analysis *a, const dt_study_visit *visit, int64_t point)
{
    return visit->point == a->points[point].point->point;
}

static bool of_work(const dt_analysis *a, const dt_study_visit *visit, int64_t work)
{
    return a->points[visit->point].work == work && a->points[visit->point].point->deterministic;
}

static void compare_hashes(dt_analysis *a)
{
    for (int64_t i = 0; i < a->point_count; i++) {
        dt_analysis_point *p = &a->points[i];
        int64_t least = INT64_MAX;
        for (size_t v = 0; v < a->study->visit_count; v++) {
            const dt_study_visit *visit = &a->study->visits[v];
            if (has_hash(visit) && of_point(a, visit, i) && visit->steps < least) {
                least = visit->steps;
                p->hash = visit->weights_sha256;
            }
        }
        p->hashes = count_hashes(a, of_point, i);
        if (p->point->deterministic && *p->hash)
            a->works[p->work].hashed++;
    }
    for (int64_t w = 0; w < a->work_count; w++)
        a->works[w].hashes = count_hashes(a, of_work, w);
}

dt_status dt_analyse_points(dt_analysing *a)
{
    a->analysis->point_count = (int64_t)a->study->point_count;
    a->analysis->points = dt_analysing_allocate(a, a->analysis->point_count, sizeof *a->analysis->points);
    if (!a->analysis->points)
        return DT_NO_MEMORY;
    dt_status status = gather_samples(a);
    if (status == DT_OK)
        status = gather_series(a);
    if (status == DT_OK)
        compare_hashes(a->analysis);
    return status;
}
