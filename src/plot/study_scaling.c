/* Speed-up and efficiency against the best serial program. Points are measured, with intervals; lines are what was not:
 * the ideal, and fitted laws, solid where they were fitted and dashed beyond. */
#include <math.h>
#include <stdio.h>

#include "plot/studied.h"

enum { CURVE = 41 };

static bool has_curve(const dt_analysis *a, const dt_analysis_series *series)
{
    int64_t before = 0, numbers = 0;
    for (int64_t k = 0; k < series->count; k++) {
        const dt_analysis_point *p = &a->points[series->points[k]];
        if (p->visits > 0 && p->best_point >= 0 && p->workers != before) {
            before = p->workers;
            numbers++;
        }
    }
    return numbers > 1;
}

/* The measured points, or (`hollow`) those that are oversubscribed. */
static void add_points(dt_studied *s, int64_t series, bool efficiency, bool hollow)
{
    const dt_analysis_series *one = &s->analysis->series[series];
    char name[DT_CHART_TEXT];
    dt_studied_name(s, series, name);
    if (!dt_chart_add_item(s->picture, hollow ? DT_CHART_HOLLOW : DT_CHART_MARKS, dt_studied_rank(s, series),
                           hollow ? "oversubscribed" : name, (size_t)one->count, s->arena, &s->status))
        return;
    for (int64_t k = 0; k < one->count; k++) {
        const dt_analysis_point *p = &s->analysis->points[one->points[k]];
        if (p->visits == 0 || p->best_point < 0 || p->point->oversubscribed != hollow)
            continue;
        const dt_interval i = efficiency ? p->best.efficiency_interval : p->best.speedup_interval;
        const double y = efficiency ? p->best.efficiency : p->best.speedup;
        dt_chart_add_row(s->picture, (double)p->workers, y, isnan(i.low) ? y : i.low, isnan(i.high) ? y : i.high);
    }
}

/* Of a law fitted to a series; its own one worker is gamma, the picture's is the best serial program. */
static void add_law(dt_studied *s, int64_t series, const dt_analysis_fit *f, double most, bool efficiency)
{
    const dt_analysis_work *work = &s->analysis->works[s->analysis->series[series].work];
    const double from[2] = {(double)f->fit.least, (double)f->fit.most}, to[2] = {(double)f->fit.most, most};
    const double serial = s->analysis->points[work->serial].median;
    char name[DT_CHART_TEXT];
    for (int part = 0; part < 2; part++) {
        snprintf(name, sizeof name, "%s%s", f->law->name, part ? ", extrapolated" : ", fitted");
        if (to[part] <= from[part] || !dt_chart_add_item(s->picture, part ? DT_CHART_DASHED : DT_CHART_LINE,
                                                         dt_studied_rank(s, series), name, CURVE, s->arena, &s->status))
            continue;
        for (int i = 0; i < CURVE; i++) {
            const double p = from[part] * pow(to[part] / from[part], i / (CURVE - 1.0));
            const double speedup = dt_fit_at(&f->fit, p).throughput * serial;
            dt_chart_add_row(s->picture, p, efficiency ? speedup / p : speedup, NAN, NAN);
        }
    }
}

static void add_ideal(dt_studied *s, double most, bool efficiency)
{
    if (!dt_chart_add_item(s->picture, DT_CHART_DASHED, 0, "ideal", CURVE, s->arena, &s->status))
        return;
    for (int i = 0; i < CURVE; i++) {
        const double p = pow(most, i / (CURVE - 1.0));
        dt_chart_add_row(s->picture, p, efficiency ? 1 : p, NAN, NAN);
    }
}

static void add_work(dt_studied *s, int64_t work, bool efficiency)
{
    const dt_analysis *a = s->analysis;
    char title[DT_CHART_TEXT];
    bool any = false, weak = false, fitted = false;
    double most = dt_studied_most(s, work);
    for (int64_t i = 0; i < a->series_count; i++)
        if (a->series[i].work == work && has_curve(a, &a->series[i])) {
            any = true;
            weak = a->series[i].scaling == DT_SCALING_WEAK;
            for (int k = 0; k < a->series[i].fit_count; k++)
                fitted = fitted || a->series[i].fits[k].fitted;
        }
    if (!any || a->works[work].serial < 0)
        return;
    dt_studied_title(s, work, title);
    dt_chart_panel *panel = dt_chart_add_panel(s->chart, title, "workers T",
                                               efficiency ? "efficiency"
                                               : weak     ? "scaled speed-up"
                                                          : "speed-up");
    if (!panel)
        return;
    panel->beside = true;
    most *= fitted ? 2 : 1;
    add_ideal(s, most, efficiency);
    for (int64_t i = 0; i < a->series_count; i++) {
        if (a->series[i].work != work || !has_curve(a, &a->series[i]))
            continue;
        for (int k = 0; k < a->series[i].fit_count; k++)
            if (a->series[i].fits[k].fitted &&
                a->series[i].fits[k].law->kappa == (a->series[i].scaling == DT_SCALING_STRONG))
                add_law(s, i, &a->series[i].fits[k], most, efficiency);
        add_points(s, i, efficiency, false);
        for (int64_t k = 0; k < a->series[i].count; k++)
            if (a->points[a->series[i].points[k]].point->oversubscribed) {
                add_points(s, i, efficiency, true);
                break;
            }
    }
    dt_studied_worker_tics(s, work, most);
    dt_chart_end(s->picture, most > 4, !efficiency && most > 8);
}

static dt_status load(dt_picture *picture, const dt_plot_run *runs, const dt_plot_options *options, bool efficiency,
                      dt_arena *arena, dt_error *error)
{
    dt_studied s;
    dt_status status = dt_studied_open(&s, picture, &runs[0], options,
                                       efficiency ? "Efficiency against the best serial program, with intervals"
                                                  : "Speed-up against the best serial program, with intervals",
                                       efficiency ? "efficiency against the best serial program"
                                                  : "speed-up against the best serial program",
                                       arena, error);
    if (status != DT_OK)
        return status;
    s.chart->y_least = efficiency ? 1 : NAN;
    for (int64_t w = 0; w < s.analysis->work_count; w++)
        add_work(&s, w, efficiency);
    return dt_studied_done(&s, &runs[0],
                           "no strategy was measured with several numbers of workers, one of them 1; add threads: "
                           "[1, 2, ...] to the study's factors",
                           error);
}

static dt_status load_speedup(dt_picture *picture, const dt_plot_run *runs, size_t count,
                              const dt_plot_options *options, dt_arena *arena, dt_error *error)
{
    (void)count;
    return load(picture, runs, options, false, arena, error);
}

static dt_status load_efficiency(dt_picture *picture, const dt_plot_run *runs, size_t count,
                                 const dt_plot_options *options, dt_arena *arena, dt_error *error)
{
    (void)count;
    return load(picture, runs, options, true, arena, error);
}

const dt_plot_maker dt_speedup_maker = {dt_script_chart, load_speedup, dt_chart_settings, dt_chart_letters};
const dt_plot_maker dt_efficiency_maker = {dt_script_chart, load_efficiency, dt_chart_settings, dt_chart_letters};
