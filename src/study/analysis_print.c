/* An analysis for people: what `deltoid scale` prints at the end. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "study/analysis_own.h"
#include "study/compare_points.h"

typedef struct printing {
    const dt_analysis *a;
    dt_buffer out;
} printing;

/* Seconds with a unit, three digits: "1.23 ms". */
static const char *seconds(double value, char text[32])
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}};
    size_t u = 0;
    while (u + 1 < sizeof units / sizeof *units && value < units[u].unit)
        u++;
    if (isnan(value))
        snprintf(text, 32, "-");
    else
        snprintf(text, 32, "%.4g %s", value / units[u].unit, units[u].name);
    return text;
}

static void add_point(printing *p, const dt_analysis_point *point)
{
    char median[32], speedup[48], efficiency[48], spread[16] = "-";
    if (isfinite(point->interval.low))
        snprintf(spread, sizeof spread, "%.1f %%", 50 * (point->interval.high - point->interval.low) / point->median);
    dt_buffer_format(&p->out, "  %4lld  %6lld  %10s  %7s  %10.0f  %-19s  %-19s  %s%s%s\n", (long long)point->workers,
                     (long long)point->visits, seconds(point->median, median), spread, point->rate,
                     dt_analysis_ranged(point->best_point < 0 ? NAN : point->best.speedup, point->best.speedup_interval,
                                        2, "-", speedup),
                     dt_analysis_ranged(point->best_point < 0 ? NAN : point->best.efficiency,
                                        point->best.efficiency_interval, 2, "-", efficiency),
                     point->attributed ? point->limiter.words : "",
                     point->point->oversubscribed ? " (oversubscribed)" : "",
                     point->flagged ? " (visits flagged)" : "");
}

static void add_series(printing *p, const dt_analysis_series *series)
{
    dt_buffer_format(&p->out, "\n%s%s\n", series->label, series->deterministic ? "" : " (NOT REPRODUCIBLE)");
    dt_buffer_format(&p->out, "  %4s  %6s  %10s  %7s  %10s  %-19s  %-19s  %s\n", "T", "visits", "median", "+-",
                     "samples/s", series->scaling == DT_SCALING_WEAK ? "scaled speed-up" : "speed-up", "efficiency",
                     "limited by");
    for (int64_t i = 0; i < series->count; i++)
        add_point(p, &p->a->points[series->points[i]]);
    for (int i = 0; i < series->fit_count; i++) {
        const dt_analysis_fit *f = &series->fits[i];
        if (!f->fitted) {
            dt_buffer_format(&p->out, "  no %s fit: %s\n", f->law->name, f->why);
            if (i == 0 && series->fits[0].fit.points == 0)
                break; /* the same reason for all */
            continue;
        }
        dt_buffer_format(&p->out, "  %s, fitted to T = %lld..%lld: sigma %.4f", f->law->name, (long long)f->fit.least,
                         (long long)f->fit.most, f->fit.sigma);
        if (isfinite(f->fit.sigma_interval.low))
            dt_buffer_format(&p->out, " [%.4f, %.4f]", f->fit.sigma_interval.low, f->fit.sigma_interval.high);
        if (f->law->kappa)
            dt_buffer_format(&p->out, ", kappa %.5f", f->fit.kappa);
        if (f->law->kappa && isfinite(f->fit.kappa_interval.low))
            dt_buffer_format(&p->out, " [%.5f, %.5f]", f->fit.kappa_interval.low, f->fit.kappa_interval.high);
        dt_buffer_format(&p->out, "; fits within %.1f %%\n", 100 * f->fit.residual);
    }
}

static void add_work(printing *p, int64_t w)
{
    char sentence[DT_SENTENCE];
    const dt_analysis_work *work = &p->a->works[w];
    dt_analysis_say_answer(p->a, w, sentence);
    dt_buffer_format(&p->out, "\n%s\n", sentence);
    if (work->serial >= 0) {
        char base[32];
        dt_buffer_format(&p->out, "best serial: %s, %s a step\n", p->a->series[p->a->points[work->serial].series].label,
                         seconds(p->a->points[work->serial].median, base));
    }
    for (int64_t b = 0; b < work->best_count; b++) {
        if (work->best[b].workers < 2 || p->a->series_count < 2)
            continue;
        dt_analysis_say_best(p->a, w, b, sentence);
        dt_buffer_format(&p->out, "%s\n", sentence);
    }
}

/* A row a held-out point: what was said, what was seen. */
static void add_held_out(printing *p)
{
    static const char *const from[DT_PREDICTION_KINDS] = {"T = 1 and probes", "another batch size", "other networks"};
    char predicted[32], measured[32], spread[24];
    if (p->a->prediction_count)
        dt_buffer_format(&p->out, "\n  %-32s  %4s  %-18s  %11s  %11s  %8s  %7s\n", "held out", "T", "predicted from",
                         "predicted", "measured", "+-", "error");
    for (int64_t i = 0; i < p->a->prediction_count; i++) {
        const dt_analysis_prediction *q = &p->a->predictions[i];
        const dt_analysis_point *point = &p->a->points[q->point];
        snprintf(spread, sizeof spread, "-");
        if (isfinite(point->interval.low))
            snprintf(spread, sizeof spread, "%.1f %%",
                     50 * (point->interval.high - point->interval.low) / point->median);
        dt_buffer_format(&p->out, "  %-32s  %4lld  %-18s  %11s  %11s  %8s  %+5.0f %%\n", p->a->series[q->series].label,
                         (long long)q->workers, from[q->kind], seconds(q->predicted, predicted),
                         seconds(q->measured, measured), spread, 100 * q->error);
    }
    for (int kind = 0; kind < DT_PREDICTION_KINDS; kind++) {
        const dt_model_error *e = &p->a->errors[kind];
        if (e->points)
            dt_buffer_format(&p->out, "  from %s: %lld point%s, off by %.0f %% in the median, %.0f %% at most\n",
                             from[kind], (long long)e->points, e->points == 1 ? "" : "s", 100 * e->median,
                             100 * e->most);
    }
}

/* How long a point's undisturbed visits took to the target, and how many steps: they are the same in all of them. */
static dt_status add_target(printing *p, size_t point, dt_arena *arena, dt_error *error)
{
    const dt_study *study = p->a->study;
    dt_point_sample sample;
    char text[512], median[32], least[32], most[32];
    int64_t visits = 0, steps = 0;
    double value = NAN;
    const dt_status status = dt_point_sample_of(&sample, study, point, arena, error);
    if (status != DT_OK)
        return status;
    for (size_t i = 0; i < study->target_count; i++)
        if (study->targets[i].point == (int64_t)point) {
            visits++;
            steps = study->targets[i].steps;
            value = study->targets[i].value;
        }
    dt_point_text(study, point, text, sizeof text);
    dt_buffer_format(&p->out, "  %s: ", text);
    if (visits == 0)
        dt_buffer_add(&p->out, "not measured\n");
    else if (sample.count == 0)
        dt_buffer_format(&p->out, "no undisturbed visit reached it; the last one's %lld steps came to %.4g\n",
                         (long long)steps, value);
    else
        dt_buffer_format(&p->out, "%lld steps, %s (%s to %s in %lld visits)\n", (long long)steps,
                         seconds(sample.median, median), seconds(sample.seconds[0], least),
                         seconds(sample.seconds[sample.count - 1], most), (long long)sample.count);
    return DT_OK;
}

static dt_status add_targets(printing *p, dt_error *error)
{
    const dt_study *study = p->a->study;
    dt_arena arena = {0};
    dt_status status = DT_OK;
    dt_buffer_format(&p->out, "\nto %s %g\n", study->targets[0].metric, study->targets[0].target);
    for (size_t i = 0; status == DT_OK && i < study->point_count; i++)
        status = add_target(p, i, &arena, error);
    dt_arena_clear(&arena);
    return status;
}

static void add_model(printing *p)
{
    char sentence[DT_SENTENCE], predicted[32];
    add_held_out(p);
    dt_analysis_say_model(p->a, sentence);
    dt_buffer_format(&p->out, "%s\n", sentence);
    for (int64_t i = 0; i < p->a->plan_count; i++) {
        const dt_analysis_prediction *plan = &p->a->plans[i];
        if (i == 0 || plan->series != p->a->plans[i - 1].series)
            dt_buffer_format(&p->out, "%s for %s on more cores like these:", dt_model_label,
                             p->a->series[plan->series].label);
        dt_buffer_format(&p->out, " T %lld: %s (x %.1f)%s", (long long)plan->workers,
                         seconds(plan->predicted, predicted), plan->speedup,
                         i + 1 < p->a->plan_count && p->a->plans[i + 1].series == plan->series ? "," : "\n");
    }
}

dt_status dt_analysis_print(const dt_analysis *analysis, void (*add)(void *context, const char *line), void *context,
                            dt_error *error)
{
    printing p = {.a = analysis};
    char sentence[DT_SENTENCE];
    dt_status status = DT_OK;
    if (strcmp(analysis->study->kind, "batch") == 0 && analysis->study->target_count)
        status = add_targets(&p, error);
    else
        for (int64_t s = 0; s < analysis->series_count; s++)
            add_series(&p, &analysis->series[s]);
    for (int64_t w = 0; w < analysis->work_count; w++)
        add_work(&p, w);
    dt_buffer_add(&p.out, "\n");
    dt_analysis_say_attribution(analysis, sentence);
    dt_buffer_format(&p.out, "%s\n", sentence);
    dt_analysis_say_contention(analysis, sentence);
    dt_buffer_format(&p.out, "%s\n", sentence);
    add_model(&p);
    if (status == DT_OK && p.out.failed)
        status = dt_fail_memory(error, "the analysis of a study");
    else if (status == DT_OK)
        for (char *line = p.out.bytes, *end; *line; line = end) {
            end = line + strcspn(line, "\n") + 1;
            const char kept = *end;
            *end = '\0';
            add(context, line);
            *end = kept;
        }
    dt_buffer_clear(&p.out);
    return status;
}
