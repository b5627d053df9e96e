/* Speed-up, efficiency, and the laws that were fitted or why not. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/study.h"

/* Whether any point has a speed-up that isn't its own base. */
static bool has_speedups(const dt_analysis *a)
{
    for (int64_t i = 0; i < a->point_count; i++)
        if (a->points[i].workers > 1 && (a->points[i].best_point >= 0 || a->points[i].one_point >= 0))
            return true;
    return false;
}

static void say_bases(const dt_analysis *a, dt_page *page)
{
    for (int64_t w = 0; w < a->work_count; w++) {
        const dt_analysis_work *work = &a->works[w];
        char base[DT_NUMBER_TEXT];
        if (work->serial < 0)
            continue;
        dt_study_say(page, "%s%she best serial program is %s with one worker: %s a step.",
                     a->work_count > 1 ? work->label : "", a->work_count > 1 ? ": t" : "T",
                     a->series[a->points[work->serial].series].label,
                     dt_study_seconds(a->points[work->serial].median, base));
    }
}

static bool is_weak(const dt_analysis *a)
{
    for (int64_t i = 0; i < a->series_count; i++)
        if (a->series[i].scaling == DT_SCALING_WEAK)
            return true;
    return false;
}

static void add_speedups(const dt_analysis *a, dt_page *page)
{
    const dt_html_column columns[] = {
        {"series", false},    {"T", true},          {is_weak(a) ? "scaled speed-up" : "speed-up", true},
        {"efficiency", true}, {"over T = 1", true}, {"Karp-Flatt e", true}};
    const dt_interval none = {NAN, NAN, NAN};
    dt_html_table_begin(
        &page->body,
        is_weak(a)
            ? "T times the time of the best serial program over that of T times the work; over workers; against "
              "one worker of the same strategy"
            : "Time of the best serial program of the same work over this one's; over workers; against one worker "
              "of the same strategy, with Karp and Flatt's serial fraction of that",
        columns, sizeof columns / sizeof *columns);
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        const bool best = p->best_point >= 0, one = p->one_point >= 0;
        if (!best && !one)
            continue;
        dt_html_row_begin(&page->body);
        dt_study_cells_point(page, a, p->series, p->workers);
        dt_study_cell_interval(page, best ? p->best.speedup : NAN, best ? p->best.speedup_interval : none, 2);
        dt_study_cell_interval(page, best ? p->best.efficiency : NAN, best ? p->best.efficiency_interval : none, 2);
        dt_study_cell_interval(page, one ? p->one.speedup : NAN, one ? p->one.speedup_interval : none, 2);
        dt_study_cell_interval(page, one ? p->one.serial_fraction : NAN, one ? p->one.serial_fraction_interval : none,
                               3);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
}

/* A fraction that grows needs two to grow from one to the other. */
static bool is_growing(const dt_analysis *a, const dt_analysis_series *series)
{
    int64_t fractions = 0;
    for (int64_t k = 0; k < series->count; k++) {
        const dt_analysis_point *p = &a->points[series->points[k]];
        fractions += p->one_point >= 0 && !p->point->oversubscribed && isfinite(p->one.serial_fraction);
    }
    return series->serial_grows && fractions > 1;
}

static void say_growth(const dt_analysis *a, dt_page *page)
{
    dt_buffer words = {0};
    for (int64_t i = 0; i < a->series_count; i++)
        if (is_growing(a, &a->series[i]))
            dt_buffer_format(&words, "%s%s", words.length ? "; " : "", a->series[i].label);
    if (words.length) {
        dt_buffer_add(&words,
                      ": the serial fraction grows with the workers, so that overhead holds it back, not serial "
                      "work.");
        dt_page_paragraph(page, words.bytes ? words.bytes : "");
    }
    page->body.failed = page->body.failed || words.failed;
    dt_buffer_clear(&words);
}

dt_status dt_study_write_speedup(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    const dt_analysis *a = s->analysis;
    dt_status status = DT_OK;
    if (!has_speedups(a))
        return DT_OK;
    say_bases(a, page);
    status =
        dt_study_picture(s, page, "speedup",
                         "Speed-up by workers with intervals; grey: the ideal; lines: the fitted law, dashed where "
                         "nothing was measured; hollow: more workers than processors",
                         error);
    if (status == DT_OK)
        status =
            dt_study_picture(s, page, "efficiency", "Speed-up over workers, with intervals; 1 is the ideal", error);
    if (status != DT_OK)
        return status;
    add_speedups(a, page);
    say_growth(a, page);
    return DT_OK;
}

/* --- laws --- */

static bool any_fitted(const dt_analysis *a)
{
    for (int64_t i = 0; i < a->series_count; i++)
        for (int k = 0; k < a->series[i].fit_count; k++)
            if (a->series[i].fits[k].fitted)
                return true;
    return false;
}

static void add_fit(const dt_analysis_series *series, const dt_analysis_fit *f, dt_page *page)
{
    char range[48];
    snprintf(range, sizeof range, "%lld–%lld", (long long)f->fit.least, (long long)f->fit.most);
    dt_html_row_begin(&page->body);
    dt_html_head(&page->body, series->label);
    dt_html_cell(&page->body, f->law->name);
    dt_html_cell(&page->body, range);
    dt_study_cell_interval(page, f->fit.sigma, f->fit.sigma_interval, 4);
    dt_study_cell_interval(page, f->law->kappa ? f->fit.kappa : NAN, f->fit.kappa_interval, 5);
    dt_study_cell_interval(page, isfinite(f->fit.peak_workers) ? f->fit.peak_workers : NAN,
                           f->fit.peak_workers_interval, 0);
    dt_study_cell_percent(page, 1, f->fit.residual);
    dt_html_row_end(&page->body);
}

static void add_fits(const dt_analysis *a, dt_page *page)
{
    static const dt_html_column columns[] = {{"series", false}, {"law", false},   {"T", false},         {"σ", true},
                                             {"κ", true},       {"peak T", true}, {"fits within", true}};
    dt_html_table_begin(&page->body, "Laws fitted to the medians by least squares, with bootstrap intervals", columns,
                        sizeof columns / sizeof *columns);
    for (int64_t i = 0; i < a->series_count; i++)
        for (int k = 0; k < a->series[i].fit_count; k++)
            if (a->series[i].fits[k].fitted)
                add_fit(&a->series[i], &a->series[i].fits[k], page);
    dt_html_table_end(&page->body);
    dt_page_paragraph(page,
                      "σ is the serial share (contention), κ the cost of keeping workers coherent; an interval is "
                      "the sampling error of the points, and holds if the law does. What a law says beyond the "
                      "T that it was fitted to is an extrapolation: dashed in the picture.");
}

/* Why there is no fit: each reason once, with the series it is of. */
static void say_refusals(const dt_analysis *a, dt_page *page)
{
    for (int64_t i = 0; i < a->series_count; i++) {
        const dt_analysis_fit *f = &a->series[i].fits[0];
        bool said = a->series[i].fit_count == 0 || f->fitted;
        for (int64_t j = 0; j < i && !said; j++)
            said =
                a->series[j].fit_count && !a->series[j].fits[0].fitted && strcmp(a->series[j].fits[0].why, f->why) == 0;
        if (said)
            continue;
        dt_buffer names = {0};
        for (int64_t j = i; j < a->series_count; j++)
            if (a->series[j].fit_count && !a->series[j].fits[0].fitted && strcmp(a->series[j].fits[0].why, f->why) == 0)
                dt_buffer_format(&names, "%s%s", names.length ? "; " : "", a->series[j].label);
        dt_buffer_format(&names, ": no fit: %s.", f->why);
        dt_page_paragraph(page, names.bytes ? names.bytes : "");
        page->body.failed = page->body.failed || names.failed;
        dt_buffer_clear(&names);
    }
}

dt_status dt_study_write_laws(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    (void)error;
    if (any_fitted(s->analysis))
        add_fits(s->analysis, page);
    say_refusals(s->analysis, page);
    return DT_OK;
}
