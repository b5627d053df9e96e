/* Where the time goes, and how near to what the machine can do: attribution and roofline. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plot/studied.h"

/* The same colour in both pictures: grey for waiting, pale grey for bookkeeping. */
static const int rank_of[DT_PHASES] = {[DT_PHASE_FORWARD] = 1, [DT_PHASE_BACKWARD] = 2, [DT_PHASE_GRADIENT] = 3,
                                       [DT_PHASE_UPDATE] = 4,  [DT_PHASE_GATHER] = 5,   [DT_PHASE_COST] = 6,
                                       [DT_PHASE_WATCH] = 7,   [DT_PHASE_WAIT] = 0,     [DT_PHASE_REST] = -1};

/* --- attribution: bars of stacked phases --- */

static bool has_phase(const dt_studied *s, int64_t work, int phase)
{
    for (int64_t i = 0; i < s->analysis->point_count; i++)
        if (s->analysis->points[i].work == work && s->analysis->points[i].attributed &&
            s->analysis->points[i].attribution.phase[phase].seconds > 0)
            return true;
    return false;
}

/* Bars of a work stand by series, then workers; bar x is at x = 1, 2, ... */
static int64_t bar_at(const dt_studied *s, int64_t work, int64_t x)
{
    const dt_analysis *a = s->analysis;
    for (int64_t i = 0; i < a->series_count; i++)
        for (int64_t k = 0; k < a->series[i].count && a->series[i].work == work; k++)
            if (a->points[a->series[i].points[k]].attributed && --x == 0)
                return a->series[i].points[k];
    return -1;
}

static void add_bars(dt_studied *s, int64_t work, int64_t bars)
{
    double *top = dt_arena_allocate(s->arena, (size_t)bars + 1, sizeof *top);
    if (!top) {
        s->status = DT_NO_MEMORY;
        return;
    }
    for (int phase = 0; phase < DT_PHASES; phase++) {
        if (!has_phase(s, work, phase) ||
            !dt_chart_add_item(s->picture, DT_CHART_BAR, rank_of[phase], dt_phase_words((dt_phase)phase), (size_t)bars,
                               s->arena, &s->status))
            continue;
        for (int64_t x = 1; x <= bars; x++) {
            const dt_analysis_point *p = &s->analysis->points[bar_at(s, work, x)];
            /* a worker's mean microseconds of a step */
            const double height = 1e6 * p->attribution.phase[phase].seconds / (double)p->attribution.workers;
            dt_chart_add_row(s->picture, (double)x, top[x] + height / 2, top[x], top[x] + height);
            top[x] += height;
        }
    }
}

static void add_attribution(dt_studied *s, int64_t work)
{
    char title[DT_CHART_TEXT];
    int64_t bars = 0;
    while (bar_at(s, work, bars + 1) >= 0)
        bars++;
    dt_studied_title(s, work, title);
    if (bars == 0 || !dt_chart_add_panel(s->chart, s->analysis->work_count > 1 ? s->analysis->works[work].label : "",
                                         "strategy and workers", "µs a step"))
        return;
    add_bars(s, work, bars);
    for (int64_t x = 1; x <= bars; x++) {
        const dt_analysis_point *p = &s->analysis->points[bar_at(s, work, x)];
        char name[DT_CHART_TEXT], text[DT_CHART_TEXT];
        dt_studied_short(s, p->series, name);
        snprintf(text, sizeof text, "%.14s %lld", s->analysis->series_count > s->analysis->work_count ? name : "T",
                 (long long)p->workers);
        dt_chart_add_text(s->chart, DT_CHART_TIC_X, (double)x, 0, text);
    }
    if (dt_chart_end(s->picture, false, false)) {
        dt_chart_panel *panel = &s->chart->panels[s->chart->panel_count - 1];
        panel->x = (dt_axis){0.4, (double)bars + 0.6, false};
        s->chart->wide = s->chart->wide || bars > 6;
    }
}

static dt_status load_attribution(dt_picture *picture, const dt_plot_run *runs, size_t count,
                                  const dt_plot_options *options, dt_arena *arena, dt_error *error)
{
    (void)count, (void)options;
    dt_studied s;
    dt_status status = dt_studied_open(&s, picture, &runs[0],
                                       "Microseconds of a step that a worker is in each phase, mean over workers; bars "
                                       "stand on each other",
                                       arena, error);
    if (status != DT_OK)
        return status;
    snprintf(s.chart->heading, sizeof s.chart->heading, "%.100s: where the time of a step goes", runs[0].label);
    for (int64_t w = 0; w < s.analysis->work_count; w++)
        add_attribution(&s, w);
    return dt_studied_done(&s, &runs[0], "no phases were recorded (phases.tsv)", error);
}

/* --- roofline --- */

static void add_line(dt_studied *s, double x, double y, double to_x, double to_y)
{
    if (to_x <= x || !dt_chart_add_item(s->picture, DT_CHART_LINE, 0, "", 2, s->arena, &s->status))
        return;
    dt_chart_add_row(s->picture, x, y / 1e9, NAN, NAN);
    dt_chart_add_row(s->picture, to_x, to_y / 1e9, NAN, NAN);
}

static void add_ceilings(dt_studied *s, int64_t workers, double from, double to)
{
    const dt_analysis_ceilings *c = &s->analysis->ceilings;
    const double peak = dt_ceilings_at(c, workers).flops, product = workers == 1 ? c->product_one : c->product_all;
    const double right = to * pow(from / to, 0.42), middle = to * pow(from / to, 0.7);
    char words[DT_CHART_TEXT];
    if (!isfinite(peak))
        return;
    add_line(s, from, peak, to, peak);
    snprintf(words, sizeof words, "FMA peak %.0f GFLOP/s", peak / 1e9);
    dt_chart_add_text(s->chart, DT_CHART_LABEL, right, peak / 1e9, words);
    if (isfinite(product) && product < 0.93 * peak && (workers == 1 || workers == c->workers)) {
        add_line(s, from, product, to, product);
        snprintf(words, sizeof words, "products %.0f", product / 1e9);
        dt_chart_add_text(s->chart, DT_CHART_LABEL, middle, product / 1e9, words);
    }
    for (int l = 0; l < c->levels; l++) {
        const double bandwidth = dt_ceilings_level(c, l, workers), start = fmax(from, 0.02 * peak / bandwidth);
        add_line(s, start, start * bandwidth, fmin(peak / bandwidth, to), fmin(peak, to * bandwidth));
        if (c->level[l] > 0)
            snprintf(words, sizeof words, "L%d %.0f GB/s", c->level[l], bandwidth / 1e9);
        else
            snprintf(words, sizeof words, "memory %.0f GB/s", bandwidth / 1e9);
        if (peak / bandwidth > start)
            dt_chart_add_text(s->chart, DT_CHART_LABEL, start * 1.05, start * bandwidth / 1e9, words);
    }
}

/* The least intensity at which the fastest memory still bounds. */
static double first_ridge(const dt_analysis_ceilings *c, int64_t workers)
{
    const double peak = dt_ceilings_at(c, workers).flops;
    double most = 0;
    for (int l = 0; l < c->levels; l++)
        most = fmax(most, dt_ceilings_level(c, l, workers));
    return most > 0 && isfinite(peak) ? peak / most : INFINITY;
}

/* Phases of a point, an item a phase: its layers are marks with their number beside. */
static void add_roofs(dt_studied *s, int64_t point)
{
    const dt_analysis *a = s->analysis;
    for (int phase = 0; phase < DT_PHASES; phase++) {
        size_t rows = 0;
        for (int64_t i = 0; i < a->roof_count; i++)
            rows += a->roofs[i].point == point && a->roofs[i].phase == (dt_phase)phase && a->roofs[i].intensity > 0;
        if (rows == 0 || !dt_chart_add_item(s->picture, DT_CHART_MARKS, rank_of[phase], dt_phase_words((dt_phase)phase),
                                            rows, s->arena, &s->status))
            continue;
        for (int64_t i = 0; i < a->roof_count; i++) {
            const dt_analysis_roof *r = &a->roofs[i];
            char layer[16];
            if (r->point != point || r->phase != (dt_phase)phase || !(r->intensity > 0))
                continue;
            dt_chart_add_row(s->picture, r->intensity, r->flops / 1e9, r->flops / 1e9, r->flops / 1e9);
            snprintf(layer, sizeof layer, "%lld", (long long)r->l);
            dt_chart_add_text(s->chart, DT_CHART_LABEL, r->intensity, r->flops / 1e9, layer);
        }
    }
}

static void add_roofline(dt_studied *s, int64_t point)
{
    const dt_analysis *a = s->analysis;
    const dt_analysis_point *p = &a->points[point];
    double from = INFINITY, to = 0;
    char title[DT_CHART_TEXT];
    for (int64_t i = 0; i < a->roof_count; i++)
        if (a->roofs[i].point == point && a->roofs[i].intensity > 0) {
            from = fmin(from, a->roofs[i].intensity);
            to = fmax(to, a->roofs[i].intensity);
        }
    if (!(to > 0))
        return;
    snprintf(title, sizeof title, "%.70s, T = %lld", a->series[p->series].label, (long long)p->workers);
    if (!dt_chart_add_panel(s->chart, title, "operations a byte", "GFLOP/s"))
        return;
    from = fmin(fmin(from / 2, 0.5), first_ridge(&a->ceilings, p->workers) / 4);
    to = fmax(to * 2, 64);
    add_ceilings(s, p->workers, from, to);
    add_roofs(s, point);
    dt_chart_end(s->picture, true, true);
}

/* Of each work the best serial program, and the best strategy of the most workers. */
static dt_status load_roofline(dt_picture *picture, const dt_plot_run *runs, size_t count,
                               const dt_plot_options *options, dt_arena *arena, dt_error *error)
{
    (void)count, (void)options;
    dt_studied s;
    dt_status status =
        dt_studied_open(&s, picture, &runs[0],
                        "Operations a byte that a phase of a layer must move, and operations a second of "
                        "all workers; lines are the machine's measured ceilings",
                        arena, error);
    if (status != DT_OK)
        return status;
    snprintf(s.chart->heading, sizeof s.chart->heading, "%.100s: roofline (numbers are layers)", runs[0].label);
    s.chart->panel_height = 400;
    for (int64_t w = 0; w < s.analysis->work_count; w++) {
        const dt_analysis_work *work = &s.analysis->works[w];
        int64_t best = -1;
        for (int64_t b = 0; b < work->best_count; b++)
            if (work->best[b].deterministic >= 0 &&
                !s.analysis->points[work->best[b].deterministic].point->oversubscribed)
                best = work->best[b].deterministic;
        if (work->serial >= 0)
            add_roofline(&s, work->serial);
        if (best >= 0 && best != work->serial)
            add_roofline(&s, best);
    }
    return dt_studied_done(&s, &runs[0], "no phases with operations were recorded (phases.tsv)", error);
}

const dt_plot_maker dt_attribution_maker = {dt_script_chart, load_attribution, dt_chart_settings, dt_chart_letters};
const dt_plot_maker dt_roofline_maker = {dt_script_chart, load_roofline, dt_chart_settings, dt_chart_letters};
