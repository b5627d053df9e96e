/* Where a study's time goes, and what a model makes of it. */
#include <math.h>
#include <stdio.h>

#include "report/study.h"

enum { ROOFS_MOST = 400 };

static bool any_has(const dt_analysis *a, int phase)
{
    for (int64_t i = 0; i < a->point_count; i++)
        if (a->points[i].attributed && a->points[i].attribution.phase[phase].share > 0)
            return true;
    return false;
}

static void add_limiters(const dt_analysis *a, dt_page *page)
{
    static const dt_html_column columns[] = {{"series", false}, {"T", true}, {"limited by", false}};
    dt_html_table_begin(&page->body, "What limits each point, in words", columns, 3);
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        if (!p->attributed)
            continue;
        dt_html_row_begin(&page->body);
        dt_study_cells_point(page, a, p->series, p->workers);
        dt_html_words(&page->body, p->limiter.words);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
}

dt_status dt_study_write_attribution(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    const dt_analysis *a = s->analysis;
    dt_html_column columns[4 + DT_PHASES] = {{"series", false}, {"T", true}};
    char sentence[DT_SENTENCE];
    size_t count = 2;
    const dt_status status = dt_study_picture(
        s, page, "attribution",
        "Where the time of a step goes: a worker's mean time in each phase, by strategy and workers", error);
    if (status != DT_OK)
        return status;
    dt_analysis_say_attribution(a, sentence);
    dt_page_paragraph(page, sentence);
    if (isnan(a->worst_covered))
        return DT_OK;
    for (int phase = 0; phase < DT_PHASES; phase++)
        if (any_has(a, phase))
            columns[count++] = (dt_html_column){dt_phase_words((dt_phase)phase), true};
    columns[count++] = (dt_html_column){"adds up to", true};
    columns[count++] = (dt_html_column){"imbalance", true};
    dt_html_table_begin(
        &page->body,
        "Share of all workers' time, % of each phase; what phases add up to, % of the measured time; the "
        "busiest worker's time over the mean",
        columns, count);
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        if (!p->attributed)
            continue;
        dt_html_row_begin(&page->body);
        dt_study_cells_point(page, a, p->series, p->workers);
        for (int phase = 0; phase < DT_PHASES; phase++)
            if (any_has(a, phase))
                dt_html_number(&page->body, 1, 100 * p->attribution.phase[phase].share);
        dt_html_number(&page->body, 1, 100 * p->attribution.covered);
        dt_html_number(&page->body, 2, p->attribution.imbalance);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
    add_limiters(a, page);
    return DT_OK;
}

/* --- roofline --- */

/* In the precisions that the study's points have. */
static void add_rates(const dt_analysis *a, dt_precision precision, dt_page *page)
{
    const dt_analysis_rates *r = &a->ceilings.rates[precision];
    const struct {
        const char *name;
        double one, all;
    } rows[] = {{"fused multiply-adds", r->fma_one, r->fma_all}, {"products", r->product_one, r->product_all}};
    bool used = false;
    for (int64_t i = 0; i < a->point_count; i++)
        used |= dt_study_precision(a->points[i].point) == precision;
    for (size_t i = 0; used && i < sizeof rows / sizeof *rows; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s in %s, GFLOP/s", rows[i].name, dt_precision_name(precision));
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, name);
        dt_html_number(&page->body, 1, rows[i].one / 1e9);
        dt_html_number(&page->body, 1, rows[i].all / 1e9);
        dt_html_row_end(&page->body);
    }
}

static void add_ceilings(const dt_analysis *a, dt_page *page)
{
    const dt_analysis_ceilings *c = &a->ceilings;
    static const dt_html_column columns[] = {{"ceiling", false}, {"one worker", true}, {"all workers", true}};
    char caption[96];
    snprintf(caption, sizeof caption, "Measured at the study's start, best readings; all workers: %lld",
             (long long)c->workers);
    dt_html_table_begin(&page->body, caption, columns, 3);
    add_rates(a, DT_FLOAT32, page);
    add_rates(a, DT_FLOAT64, page);
    for (int l = 0; l < c->levels; l++) {
        char name[32];
        snprintf(name, sizeof name, c->level[l] ? "L%d, GB/s" : "memory, GB/s", c->level[l]);
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, name);
        dt_html_number(&page->body, 1, c->one[l] / 1e9);
        dt_html_number(&page->body, 1, c->all[l] / 1e9);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
}

/* The points of the picture: of each work the best serial program and the best deterministic one of most workers. */
static bool is_shown(const dt_analysis *a, int64_t point)
{
    const int64_t work = a->points[point].work;
    return point == a->works[work].serial || point == dt_study_widest(a, work);
}

dt_status dt_study_write_roofline(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    static const dt_html_column columns[] = {
        {"series", false}, {"T", true},    {"phase", false},          {"layer", true},          {"share, %", true},
        {"GFLOP/s", true}, {"GB/s", true}, {"operations/byte", true}, {"of its roof, %", true}, {"bound by", false}};
    const dt_analysis *a = s->analysis;
    int rows = 0;
    if (a->ceilings.levels == 0 && a->roof_count == 0)
        return DT_OK;
    const dt_status status = dt_study_picture(
        s, page, "roofline",
        "Every phase of every layer, which the numbers are, under the machine's measured ceilings: operations a byte "
        "that it must move, and operations a second of all workers",
        error);
    if (status != DT_OK)
        return status;
    add_ceilings(a, page);
    dt_html_table_begin(
        &page->body,
        "Phases of layers of the best serial program and of the best deterministic strategy with the most "
        "workers; roofline.tsv has all points",
        columns, sizeof columns / sizeof *columns);
    for (int64_t i = 0; i < a->roof_count && rows < ROOFS_MOST; i++) {
        const dt_analysis_roof *r = &a->roofs[i];
        const dt_analysis_point *p = &a->points[r->point];
        if (!is_shown(a, r->point))
            continue;
        rows++;
        dt_html_row_begin(&page->body);
        dt_study_cells_point(page, a, p->series, p->workers);
        dt_html_cell(&page->body, dt_phase_words(r->phase));
        dt_html_number(&page->body, 0, r->l > 0 ? (double)r->l : NAN);
        dt_html_number(&page->body, 1, 100 * r->share);
        dt_html_number(&page->body, 1, r->flops > 0 ? r->flops / 1e9 : NAN);
        dt_html_number(&page->body, 1, r->bandwidth / 1e9);
        dt_html_number(&page->body, 1, r->intensity);
        dt_html_number(&page->body, 0, 100 * r->of_roof);
        dt_html_cell(&page->body, r->bound);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
    dt_page_paragraph(page, "The roof is the lesser of peak arithmetic and of what memory's bandwidth allows at this "
                            "intensity; over 100 %, data came from a cache. Bytes are those that a phase must move at "
                            "least.");
    return DT_OK;
}

/* --- the model --- */

/* What a held-out point was held out of: nothing of several workers goes into any prediction. */
static const char *words_of(dt_prediction_kind kind)
{
    static const char *const words[DT_PREDICTION_KINDS] = {
        [DT_PREDICTION_WORKERS] = "several workers, from one",
        [DT_PREDICTION_BATCH] = "another minibatch",
        [DT_PREDICTION_SIZES] = "other layer sizes",
        [DT_PREDICTION_BEYOND] = "more cores than there are",
    };
    return words[kind];
}

static void add_errors(const dt_analysis *a, dt_page *page)
{
    static const dt_html_column columns[] = {
        {"held out", false}, {"points", true}, {"median error", true}, {"largest error", true}, {"bias", true}};
    dt_html_table_begin(&page->body,
                        "How far predictions were off, of the measured time; bias under 0: the model promises too much",
                        columns, sizeof columns / sizeof *columns);
    for (int k = 0; k < DT_PREDICTION_KINDS; k++) {
        const dt_model_error *e = &a->errors[k];
        if (e->points == 0)
            continue;
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, words_of((dt_prediction_kind)k));
        dt_html_number(&page->body, 0, (double)e->points);
        dt_study_cell_percent(page, 0, e->median);
        dt_study_cell_percent(page, 0, e->most);
        dt_study_cell_percent(page, 0, e->bias);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
}

static void add_predictions(const dt_analysis *a, dt_page *page)
{
    static const dt_html_column columns[] = {{"series", false},        {"T", true},         {"held out", false},
                                             {"calibrated at", false}, {"predicted", true}, {"measured", true},
                                             {"error, %", true}};
    dt_html_table_begin(&page->body, "Points that the model didn't see", columns, sizeof columns / sizeof *columns);
    for (int64_t i = 0; i < a->prediction_count; i++) {
        const dt_analysis_prediction *p = &a->predictions[i];
        dt_html_row_begin(&page->body);
        dt_study_cells_point(page, a, p->series, p->workers);
        dt_html_cell(&page->body, words_of(p->kind));
        dt_html_cell(&page->body, p->from < 0 ? "all others" : a->series[a->points[p->from].series].label);
        dt_study_cell_seconds(page, p->predicted);
        dt_study_cell_seconds(page, p->measured);
        dt_html_number(&page->body, 1, 100 * p->error);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
}

static void add_plans(const dt_analysis *a, dt_page *page)
{
    static const dt_html_column columns[] = {
        {"series", false}, {"T", true}, {"a step", true}, {"speed-up over T = 1", true}, {"", false}};
    dt_html_table_begin(&page->body,
                        "PREDICTION for more cores like these, each with its cache and its share of memory's bandwidth",
                        columns, sizeof columns / sizeof *columns);
    for (int64_t i = 0; i < a->plan_count; i++) {
        const dt_analysis_prediction *p = &a->plans[i];
        dt_html_row_begin(&page->body);
        dt_study_cells_point(page, a, p->series, p->workers);
        dt_study_cell_seconds(page, p->predicted);
        dt_html_number(&page->body, 1, p->speedup);
        dt_html_words(&page->body, p->idle ? "prediction; more workers than shards" : "prediction");
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
}

dt_status dt_study_write_model(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    char sentence[DT_SENTENCE];
    (void)error;
    dt_analysis_say_model(s->analysis, sentence);
    dt_page_paragraph(page, sentence);
    if (s->analysis->prediction_count) {
        add_errors(s->analysis, page);
        add_predictions(s->analysis, page);
    }
    if (s->analysis->plan_count)
        add_plans(s->analysis, page);
    return DT_OK;
}
