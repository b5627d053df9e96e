/* Strategies beside each other, batch sizes to a target, and the visits in the order they were measured. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plot/studied.h"

/* --- strategies: a row each, by workers --- */

static void add_strategies_of(dt_studied *s, int64_t work, int64_t workers, int rank)
{
    const dt_analysis *a = s->analysis;
    char name[DT_CHART_TEXT];
    snprintf(name, sizeof name, "T = %lld", (long long)workers);
    if (!dt_chart_add_item(s->picture, DT_CHART_ACROSS, rank, name, (size_t)a->point_count, s->arena, &s->status))
        return;
    double y = 0;
    for (int64_t i = 0; i < a->series_count; i++) {
        y += a->series[i].work == work;
        for (int64_t k = 0; k < a->series[i].count && a->series[i].work == work; k++) {
            const dt_analysis_point *p = &a->points[a->series[i].points[k]];
            const double low = isnan(p->interval.low) ? p->median : p->interval.low;
            const double high = isnan(p->interval.high) ? p->median : p->interval.high;
            if (p->workers == workers && p->visits > 0)
                dt_chart_add_row(s->picture, 1e6 * p->median, -y, 1e6 * low, 1e6 * high);
        }
    }
}

static void add_strategies(dt_studied *s, int64_t work, int64_t *workers, int most)
{
    const dt_analysis *a = s->analysis;
    double rows = 0;
    if (!dt_chart_add_panel(s->chart, a->work_count > 1 ? a->works[work].label : "", "µs a step", "strategy"))
        return;
    for (int i = 0; i < most; i++)
        add_strategies_of(s, work, workers[i], i + 1);
    for (int64_t i = 0; i < a->series_count; i++) {
        char name[DT_CHART_TEXT], text[DT_CHART_TEXT];
        if (a->series[i].work != work)
            continue;
        dt_studied_short(s, i, name);
        dt_chart_cut(text, name, 16);
        dt_chart_add_text(s->chart, DT_CHART_TIC_Y, 0, -(rows += 1), text);
    }
    double fastest = INFINITY, slowest = 0;
    for (int64_t i = 0; i < a->point_count; i++)
        if (a->points[i].work == work && a->points[i].visits > 0) {
            fastest = fmin(fastest, a->points[i].median);
            slowest = fmax(slowest, a->points[i].median);
        }
    if (dt_chart_end(s->picture, slowest > 3 * fastest, false)) {
        dt_chart_panel *panel = &s->chart->panels[s->chart->panel_count - 1];
        panel->y = (dt_axis){-rows - 0.6, -0.4, false};
        s->chart->panel_height = (int)fmax(s->chart->panel_height, 110 + 26 * rows);
    }
}

static dt_status load_strategies(dt_picture *picture, const dt_plot_run *runs, size_t count,
                                 const dt_plot_options *options, dt_arena *arena, dt_error *error)
{
    enum { WORKERS = 12 };
    int64_t workers[WORKERS];
    int most = 0;
    bool star = false;
    dt_studied s;
    (void)count;
    for (int64_t i = 0; i < runs[0].analysis->point_count; i++)
        star = star || !runs[0].analysis->points[i].point->deterministic;
    dt_status status = dt_studied_open(&s, picture, &runs[0], options,
                                       "Median microseconds of a step of each strategy (y = -1, -2, ...), with its "
                                       "interval",
                                       star ? "time of a step (* not reproducible)" : "time of a step", arena, error);
    if (status != DT_OK)
        return status;
    for (int64_t i = 0; i < s.analysis->point_count; i++) {
        bool seen = s.analysis->points[i].visits == 0 || most == WORKERS;
        for (int k = 0; k < most && !seen; k++)
            seen = workers[k] == s.analysis->points[i].workers;
        if (!seen)
            workers[most++] = s.analysis->points[i].workers;
    }
    for (int64_t w = 0; w < s.analysis->work_count; w++)
        add_strategies(&s, w, workers, most);
    return dt_studied_done(&s, &runs[0], "nothing was measured yet", error);
}

/* --- batch sizes to a target --- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median, least and most of the visits of a point that reached the target; 0 where none did. */
static int64_t to_target(const dt_study *study, int64_t point, bool seconds, double *values)
{
    int64_t n = 0;
    for (size_t i = 0; i < study->target_count; i++) {
        const dt_study_target *t = &study->targets[i];
        if (t->point == point && t->reached)
            values[n++] = seconds ? t->seconds : (double)t->steps;
    }
    qsort(values, (size_t)n, sizeof *values, compare);
    return n;
}

static void add_batches(dt_studied *s, bool seconds)
{
    const dt_analysis *a = s->analysis;
    double *values = dt_arena_allocate(s->arena, s->study->target_count + 1, sizeof *values);
    if (!values ||
        !dt_chart_add_panel(s->chart, "", "batch size", seconds ? "seconds to the target" : "steps to the target")) {
        s->status = values ? s->status : DT_NO_MEMORY;
        return;
    }
    s->chart->panels[s->chart->panel_count - 1].beside = true;
    /* A colour for each number of workers, as batch sizes are series of their own. */
    for (int64_t w = 1, rank = 0; w <= 1024; w++) {
        char name[DT_CHART_TEXT];
        bool any = false;
        for (int64_t i = 0; i < a->point_count; i++)
            any = any ||
                  (a->points[i].workers == w && to_target(s->study, a->points[i].point->point, seconds, values) > 0);
        snprintf(name, sizeof name, "T = %lld", (long long)w);
        if (!any || !dt_chart_add_item(s->picture, DT_CHART_MARKS, (int)++rank, name, (size_t)a->point_count, s->arena,
                                       &s->status))
            continue;
        for (int64_t i = 0; i < a->point_count; i++) {
            const int64_t n =
                a->points[i].workers == w ? to_target(s->study, a->points[i].point->point, seconds, values) : 0;
            if (n > 0)
                dt_chart_add_row(s->picture, (double)a->points[i].point->batch_size, dt_median(values, n), values[0],
                                 values[n - 1]);
        }
    }
    for (int64_t b = 1; b <= 1 << 20; b *= 2)
        for (int64_t i = 0; i < a->point_count; i++)
            if (a->points[i].point->batch_size == b) {
                char text[24];
                snprintf(text, sizeof text, "%lld", (long long)b);
                dt_chart_add_text(s->chart, DT_CHART_TIC_X, (double)b, 0, text);
                break;
            }
    dt_chart_end(s->picture, true, true);
}

static dt_status load_batch(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                            dt_arena *arena, dt_error *error)
{
    dt_studied s;
    (void)count;
    dt_status status =
        dt_studied_open(&s, picture, &runs[0], options,
                        "Steps and seconds to the target: median of the visits that reached it, least and most",
                        "to the target, by batch size", arena, error);
    if (status != DT_OK)
        return status;
    if (s.study->target_count > 0)
        for (int seconds = 0; seconds < 2; seconds++)
            add_batches(&s, seconds);
    return dt_studied_done(&s, &runs[0], "no visit trained to a target (kind: batch)", error);
}

/* --- samples: visits in their order --- */

/* Quartiles of a visit's chunks over the median of its point; 0 chunks: none. Flagged chunks count where `all`. */
static int64_t chunks_of(const dt_study *study, const dt_study_visit *visit, double median, double *values)
{
    int64_t n = 0;
    for (size_t i = 0; i < study->sample_count; i++) {
        const dt_study_sample *c = &study->samples[i];
        if (c->visit == visit->visit && !c->warmup && c->steps > 0)
            values[n++] = c->seconds / (double)c->steps / median;
    }
    qsort(values, (size_t)n, sizeof *values, compare);
    return n;
}

static void add_visits(dt_studied *s, bool counts, double *values)
{
    const dt_study *study = s->study;
    if (!dt_chart_add_item(s->picture, counts ? DT_CHART_MARKS : DT_CHART_HOLLOW, counts ? 1 : 2,
                           counts ? "counted: median and quartiles of its chunks" : "left out: flagged, elsewhere",
                           study->visit_count, s->arena, &s->status))
        return;
    for (size_t v = 0; v < study->visit_count; v++) {
        const dt_study_visit *visit = &study->visits[v];
        const dt_analysis_point *p = NULL;
        for (int64_t i = 0; i < s->analysis->point_count; i++)
            if (s->analysis->points[i].point->point == visit->point)
                p = &s->analysis->points[i];
        const int64_t n = p && isfinite(p->median) && dt_analysis_counts(s->analysis, visit) == counts
                              ? chunks_of(study, visit, p->median, values)
                              : 0;
        if (n > 0)
            dt_chart_add_row(s->picture, (double)v + 1, dt_median(values, n), dt_quantile(values, n, 0.25),
                             dt_quantile(values, n, 0.75));
    }
}

static bool any_counts(const dt_analysis *a)
{
    for (int64_t i = 0; i < a->point_count; i++)
        if (a->points[i].visits > 0)
            return true;
    return false;
}

static dt_status load_samples(dt_picture *picture, const dt_plot_run *runs, size_t count,
                              const dt_plot_options *options, dt_arena *arena, dt_error *error)
{
    dt_studied s;
    (void)count;
    dt_status status = dt_studied_open(&s, picture, &runs[0], options,
                                       "Visits in the order they were measured: seconds a step over the median of the "
                                       "visit's point",
                                       "visits in their order", arena, error);
    if (status != DT_OK)
        return status;
    double *values = dt_arena_allocate(arena, s.study->sample_count + 1, sizeof *values);
    if (!values)
        return dt_fail_memory(error, "a picture of samples");
    if (any_counts(s.analysis) &&
        dt_chart_add_panel(s.chart, "", "visit, in the order of measuring", "time over the point's median")) {
        if (dt_chart_add_item(picture, DT_CHART_DASHED, 0, "the point's median", 2, arena, &s.status)) {
            dt_chart_add_row(picture, 1, 1, NAN, NAN);
            dt_chart_add_row(picture, (double)s.study->visit_count, 1, NAN, NAN);
        }
        add_visits(&s, true, values);
        add_visits(&s, false, values);
        if (dt_chart_end(picture, false, false)) {
            dt_chart_panel *panel = &s.chart->panels[s.chart->panel_count - 1];
            double low = INFINITY, high = -INFINITY;
            for (size_t b = 0; b < picture->sheet.block_count; b++)
                for (size_t c = 1; c < DT_CHART_COLUMNS; c++)
                    dt_sheet_range(&picture->sheet, &picture->sheet.blocks[b], c, &low, &high);
            panel->y = dt_axis_around(low, high, 0.02, 4);
            panel->x = (dt_axis){0, (double)s.study->visit_count + 1, false};
        }
    }
    return dt_studied_done(&s, &runs[0], "no visit counts: all were disturbed", error);
}

const dt_plot_maker dt_strategies_maker = {dt_script_chart, load_strategies, dt_chart_settings, dt_chart_letters};
const dt_plot_maker dt_batch_maker = {dt_script_chart, load_batch, dt_chart_settings, dt_chart_letters};
const dt_plot_maker dt_samples_maker = {dt_script_chart, load_samples, dt_chart_settings, dt_chart_letters};
