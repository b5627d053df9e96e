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

/* Bars of a panel: of a work, by series, then workers; or of one series of it (`only`; -1: all). Bar x is at x = 1, 2,
 * ...; -1 past the last. */
static int64_t bar_at(const dt_studied *s, int64_t work, int64_t only, int64_t x)
{
    const dt_analysis *a = s->analysis;
    for (int64_t i = 0; i < a->series_count; i++)
        for (int64_t k = 0; k < a->series[i].count && a->series[i].work == work && (only < 0 || only == i); k++)
            if (a->points[a->series[i].points[k]].attributed && --x == 0)
                return a->series[i].points[k];
    return -1;
}

static int64_t bar_count(const dt_studied *s, int64_t work, int64_t only)
{
    int64_t bars = 0;
    while (bar_at(s, work, only, bars + 1) >= 0)
        bars++;
    return bars;
}

static void add_bars(dt_studied *s, int64_t work, int64_t only, int64_t bars)
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
            const dt_analysis_point *p = &s->analysis->points[bar_at(s, work, only, x)];
            /* a worker's mean microseconds of a step */
            const double height = 1e6 * p->attribution.phase[phase].seconds / (double)p->attribution.workers;
            dt_chart_add_row(s->picture, (double)x, top[x] + height / 2, top[x], top[x] + height);
            top[x] += height;
        }
    }
}

/* The tallest bar of a work: its panels have the same axis. */
static double tallest(const dt_studied *s, int64_t work)
{
    double most = 0;
    for (int64_t i = 0, point; (point = bar_at(s, work, -1, i + 1)) >= 0; i++) {
        const dt_analysis_point *p = &s->analysis->points[point];
        double height = 0;
        for (int phase = 0; phase < DT_PHASES; phase++)
            height += 1e6 * p->attribution.phase[phase].seconds / (double)p->attribution.workers;
        most = fmax(most, height);
    }
    return most;
}

/* One panel: of a work, or of one of its series. */
static void add_attribution(dt_studied *s, int64_t work, int64_t only)
{
    const dt_analysis *a = s->analysis;
    const int64_t bars = bar_count(s, work, only);
    static const char unlike[] = " (not reproducible)";
    char title[DT_CHART_TEXT] = "";
    if (only >= 0 && !a->series[only].deterministic)
        dt_chart_cut(title, a->series[only].label, DT_CHART_TITLE - strlen(unlike));
    if (only >= 0 && !a->series[only].deterministic)
        strcat(title, unlike);
    else if (only >= 0)
        dt_chart_cut(title, a->series[only].label, DT_CHART_TITLE);
    else if (a->work_count > 1)
        dt_chart_cut(title, a->works[work].label, DT_CHART_TITLE);
    if (bars == 0 ||
        !dt_chart_add_panel(s->chart, title, only >= 0 ? "workers T" : "strategy and workers", "µs a step"))
        return;
    add_bars(s, work, only, bars);
    for (int64_t x = 1; x <= bars; x++) {
        const dt_analysis_point *p = &a->points[bar_at(s, work, only, x)];
        char name[DT_CHART_TEXT], cut[DT_CHART_TEXT], text[DT_CHART_TEXT + 24];
        dt_studied_short(s, p->series, name);
        dt_chart_cut(cut, name, 12);
        snprintf(text, sizeof text, "%s %lld", a->series_count > a->work_count ? cut : "T", (long long)p->workers);
        dt_chart_add_text(s->chart, DT_CHART_TIC_X, (double)x, 0, only >= 0 ? strrchr(text, ' ') + 1 : text);
    }
    s->chart->y_least = tallest(s, work);
    if (dt_chart_end(s->picture, false, false)) {
        dt_chart_panel *panel = &s->chart->panels[s->chart->panel_count - 1];
        panel->x = (dt_axis){0.4, (double)bars + 0.6, false};
        s->chart->wide = s->chart->wide || (only < 0 && bars > 6);
    }
}

/* So many bars that their names would stand in each other's way: a panel for each series, where there is room for them.
 */
static bool is_crowded(const dt_studied *s)
{
    int64_t most = 0, panels = 0;
    for (int64_t w = 0; w < s->analysis->work_count; w++)
        most = bar_count(s, w, -1) > most ? bar_count(s, w, -1) : most;
    for (int64_t i = 0; i < s->analysis->series_count; i++)
        panels += bar_count(s, s->analysis->series[i].work, i) > 0;
    return most > (s->chart->narrow ? 12 : 36) && panels <= DT_CHART_PANELS;
}

static dt_status load_attribution(dt_picture *picture, const dt_plot_run *runs, size_t count,
                                  const dt_plot_options *options, dt_arena *arena, dt_error *error)
{
    (void)count;
    dt_studied s;
    dt_status status = dt_studied_open(&s, picture, &runs[0], options,
                                       "Microseconds of a step that a worker is in each phase, mean over workers; bars "
                                       "stand on each other",
                                       "where the time of a step goes", arena, error);
    if (status != DT_OK)
        return status;
    const bool crowded = is_crowded(&s);
    for (int64_t w = 0; w < s.analysis->work_count; w++)
        for (int64_t i = 0; i < (crowded ? s.analysis->series_count : 1); i++)
            if (!crowded || s.analysis->series[i].work == w)
                add_attribution(&s, w, crowded ? i : -1);
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

/* Names along the lines of memory's levels. Lines that are too near each other share theirs: "L2 120, L3 100 GB/s". */
static void add_level_names(dt_studied *s, int64_t workers, double from, double peak)
{
    const dt_analysis_ceilings *c = &s->analysis->ceilings;
    bool named[DT_ANALYSIS_LEVELS] = {false};
    for (int l = 0; l < c->levels; l++) {
        char words[DT_CHART_TEXT] = "";
        double most = 0;
        for (int k = l; k < c->levels && !named[l]; k++) {
            const double bandwidth = dt_ceilings_level(c, k, workers);
            char name[16];
            const size_t used = strlen(words);
            if (named[k] || fabs(log(bandwidth / dt_ceilings_level(c, l, workers))) > log(1.6))
                continue;
            if (k > l)
                named[k] = true;
            most = fmax(most, bandwidth);
            if (c->level[k])
                snprintf(name, sizeof name, "L%d", c->level[k]);
            else
                snprintf(name, sizeof name, "memory");
            snprintf(words + used, sizeof words - used, "%s%s %.0f", used ? ", " : "", name, bandwidth / 1e9);
        }
        const double start = 1.2 * fmax(from, 0.02 * peak / most);
        if (most > 0 && peak / most > start) {
            strncat(words, " GB/s", sizeof words - strlen(words) - 1);
            dt_chart_add_text(s->chart, DT_CHART_ALONG, start, start * most / 1e9, words);
        }
    }
}

static void add_ceilings(dt_studied *s, dt_precision precision, int64_t workers, double from, double to)
{
    const dt_analysis_ceilings *c = &s->analysis->ceilings;
    const dt_analysis_rates *rates = &c->rates[precision];
    const double peak = dt_ceilings_at(c, precision, workers).flops;
    const double product = workers == 1 ? rates->product_one : rates->product_all;
    char words[DT_CHART_TEXT];
    if (!isfinite(peak))
        return;
    add_line(s, from, peak, to, peak);
    snprintf(words, sizeof words, "FMA peak %.0f GFLOP/s", peak / 1e9);
    if (isfinite(product) && product < 0.97 * peak && (workers == 1 || workers == c->workers)) {
        add_line(s, from, product, to, product);
        snprintf(words, sizeof words, "FMA peak %.0f, products %.0f GFLOP/s", peak / 1e9, product / 1e9);
    }
    dt_chart_add_text(s->chart, DT_CHART_LINED, from, peak / 1e9, words);
    for (int l = 0; l < c->levels; l++) {
        const double bandwidth = dt_ceilings_level(c, l, workers), start = fmax(from, 0.02 * peak / bandwidth);
        add_line(s, start, start * bandwidth, fmin(peak / bandwidth, to), fmin(peak, to * bandwidth));
    }
    add_level_names(s, workers, from, peak);
}

/* The least intensity at which the fastest memory still bounds. */
static double first_ridge(const dt_analysis_ceilings *c, dt_precision precision, int64_t workers)
{
    const double peak = dt_ceilings_at(c, precision, workers).flops;
    double most = 0;
    for (int l = 0; l < c->levels; l++)
        most = fmax(most, dt_ceilings_level(c, l, workers));
    return most > 0 && isfinite(peak) ? peak / most : INFINITY;
}

static bool are_near(const dt_analysis_roof *a, const dt_analysis_roof *b)
{
    const double near = log(1.5);
    return fabs(log(a->intensity / b->intensity)) < near && fabs(log(a->flops / b->flops)) < near;
}

/* A phase's numbers keep out of another's way. */
static int place_of(const dt_analysis *a, const dt_analysis_roof *mark)
{
    if (mark->phase == DT_PHASE_GRADIENT)
        return DT_CHART_BELOW;
    for (int64_t i = 0; i < a->roof_count && mark->phase == DT_PHASE_BACKWARD; i++)
        if (a->roofs[i].point == mark->point && a->roofs[i].phase == DT_PHASE_FORWARD && are_near(&a->roofs[i], mark))
            return DT_CHART_HIGHER;
    return DT_CHART_ABOVE;
}

/* Layers' numbers beside the `count` marks of a phase. Marks that lie nearly in one place share theirs: "1,2". Each
 * mark that no earlier one has named names itself and what is near it. */
static void add_layers(dt_studied *s, const dt_analysis_roof *const *marks, size_t count)
{
    bool *named = dt_arena_allocate(s->arena, count, sizeof *named);
    if (!named) {
        s->status = DT_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char layers[DT_CHART_TEXT] = "";
        const int where = place_of(s->analysis, marks[i]);
        double end = marks[i]->flops; /* of what is near, the least where the name is below, else the most */
        if (named[i])
            continue;
        for (size_t k = i; k < count; k++) {
            const size_t used = strlen(layers);
            if (named[k] || !are_near(marks[i], marks[k]))
                continue;
            named[k] = true;
            end = where == DT_CHART_BELOW ? fmin(end, marks[k]->flops) : fmax(end, marks[k]->flops);
            snprintf(layers + used, sizeof layers - used, "%s%lld", used ? "," : "", (long long)marks[k]->l);
        }
        dt_chart_add_text(s->chart, where, marks[i]->intensity, end / 1e9, layers);
    }
}

/* Phases of a point, an item a phase: its layers are marks. */
static void add_roofs(dt_studied *s, int64_t point)
{
    const dt_analysis *a = s->analysis;
    const dt_analysis_roof **marks = dt_arena_allocate(s->arena, (size_t)a->roof_count + 1, sizeof *marks);
    if (!marks) {
        s->status = DT_NO_MEMORY;
        return;
    }
    for (int phase = 0; phase < DT_PHASES; phase++) {
        size_t count = 0;
        for (int64_t i = 0; i < a->roof_count; i++)
            if (a->roofs[i].point == point && a->roofs[i].phase == (dt_phase)phase && a->roofs[i].intensity > 0 &&
                a->roofs[i].flops > 0)
                marks[count++] = &a->roofs[i];
        if (count == 0 || !dt_chart_add_item(s->picture, DT_CHART_MARKS, rank_of[phase],
                                             dt_phase_words((dt_phase)phase), count, s->arena, &s->status))
            continue;
        for (size_t i = 0; i < count; i++)
            dt_chart_add_row(s->picture, marks[i]->intensity, marks[i]->flops / 1e9, marks[i]->flops / 1e9,
                             marks[i]->flops / 1e9);
        add_layers(s, marks, count);
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
    char workers[32];
    const int taken = snprintf(workers, sizeof workers, ", T = %lld", (long long)p->workers);
    dt_chart_cut(title, a->series[p->series].label, (size_t)(DT_CHART_TITLE - taken));
    strncat(title, workers, sizeof title - strlen(title) - 1);
    if (!dt_chart_add_panel(s->chart, title, "operations a byte", "GFLOP/s"))
        return;
    const dt_precision precision = dt_study_precision(p->point);
    from = fmin(fmin(from / 2, 0.5), first_ridge(&a->ceilings, precision, p->workers) / 16);
    to = fmax(to * 2, 64);
    add_ceilings(s, precision, p->workers, from, to);
    add_roofs(s, point);
    if (dt_chart_end(s->picture, true, true))
        s->chart->panels[s->chart->panel_count - 1].y.high *= 1.3; /* room for words above the peak */
}

/* Of each work the best serial program, and the best strategy of the most workers. */
static dt_status load_roofline(dt_picture *picture, const dt_plot_run *runs, size_t count,
                               const dt_plot_options *options, dt_arena *arena, dt_error *error)
{
    (void)count;
    dt_studied s;
    dt_status status =
        dt_studied_open(&s, picture, &runs[0], options,
                        "Operations a byte that a phase of a layer must move, and operations a second of "
                        "all workers; lines are the machine's measured ceilings",
                        "roofline (numbers are layers)", arena, error);
    if (status != DT_OK)
        return status;
    s.chart->panel_height = 408;
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
