/* Strategies beside each other: time, and whether they give the same bits. */
#include <math.h>
#include <stdio.h>

#include "report/study.h"

enum { HASH_SHOWN = 12 };

/* --- all of them --- */

static void add_determinism(const dt_analysis *a, const dt_analysis_point *p, dt_page *page)
{
    const dt_analysis_work *work = &a->works[p->work];
    dt_buffer_add(&page->body, "<td class=\"words\">");
    if (!p->point->deterministic) {
        dt_study_label(page, "not reproducible", true);
        if (p->hashes > 1)
            dt_html_format(&page->body, "%lld different in %lld visits", (long long)p->hashes,
                           (long long)(p->visits + p->flagged + p->elsewhere));
    } else if (!*p->hash)
        dt_html_text(&page->body, "unknown");
    else if (p->hashes > 1 || work->hashes > 1)
        dt_study_label(page, "DIFFERENT bits", true);
    else
        dt_buffer_add(&page->body, "<span class=\"label good\">same bits</span>");
    dt_buffer_add(&page->body, "</td>");
}

static void add_strategy(const dt_analysis *a, const dt_analysis_point *p, const dt_analysis_best *best, dt_page *page)
{
    char hash[HASH_SHOWN + 1];
    const double micro = 1e6;
    const dt_interval interval = {micro * p->interval.low, micro * p->interval.high, p->interval.level};
    snprintf(hash, sizeof hash, "%s", p->hash);
    dt_html_row_begin(&page->body);
    dt_study_cells_point(page, a, p->series, p->workers);
    dt_study_cell_interval(page, micro * p->median, interval, 1);
    dt_html_number(&page->body, 3, best->any < 0 ? NAN : p->median / a->points[best->any].median);
    add_determinism(a, p, page);
    dt_html_code(&page->body, hash);
    dt_html_row_end(&page->body);
}

/* A work's points with so many workers in the order of their times, equal ones by index: what comes after a point, -1
 * for the first; -1 past the last. */
static int64_t next_slower(const dt_analysis *a, int64_t work, int64_t workers, int64_t after)
{
    int64_t next = -1;
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        if (p->work != work || p->workers != workers || p->visits == 0)
            continue;
        if (after >= 0 && (p->median < a->points[after].median || (p->median == a->points[after].median && i <= after)))
            continue;
        if (next < 0 || p->median < a->points[next].median)
            next = i;
    }
    return next;
}

static void add_strategies(const dt_analysis *a, dt_page *page)
{
    static const dt_html_column columns[] = {{"series", false},          {"T", true},     {"µs a step", true},
                                             {"over the fastest", true}, {"bits", false}, {"weights, SHA-256", false}};
    dt_html_table_begin(&page->body,
                        "By workload and workers, the fastest first. Same bits: one hash of the weights at every T of "
                        "all such strategies of the workload",
                        columns, sizeof columns / sizeof *columns);
    for (int64_t w = 0; w < a->work_count; w++)
        for (int64_t b = 0; b < a->works[w].best_count; b++)
            for (int64_t i = -1; (i = next_slower(a, w, a->works[w].best[b].workers, i)) >= 0;)
                add_strategy(a, &a->points[i], &a->works[w].best[b], page);
    dt_html_table_end(&page->body);
}

/* --- the best --- */

static void add_best(const dt_analysis *a, dt_page *page)
{
    static const dt_html_column columns[] = {{"work", false},  {"T", true},          {"best deterministic", false},
                                             {"a step", true}, {"efficiency", true}, {"cost of determinism", true}};
    dt_html_table_begin(&page->body,
                        "The best strategy that gives the same bits: its efficiency against the best serial program, "
                        "and its time over that of the best strategy of all",
                        columns, sizeof columns / sizeof *columns);
    for (int64_t w = 0; w < a->work_count; w++)
        for (int64_t b = 0; b < a->works[w].best_count; b++) {
            const dt_analysis_best *best = &a->works[w].best[b];
            if (best->deterministic < 0)
                continue;
            const dt_analysis_point *p = &a->points[best->deterministic];
            dt_html_row_begin(&page->body);
            dt_html_head(&page->body, a->works[w].label);
            dt_html_number(&page->body, 0, (double)best->workers);
            dt_html_cell(&page->body, a->series[p->series].label);
            dt_study_cell_seconds(page, p->median);
            dt_study_cell_interval(page, best->efficiency, best->efficiency_interval, 2);
            dt_study_cell_interval(page, best->cost, best->interval, 3);
            dt_html_row_end(&page->body);
        }
    dt_html_table_end(&page->body);
}

dt_status dt_study_write_strategies(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    const dt_analysis *a = s->analysis;
    const dt_status status =
        dt_study_picture(s, page, "strategies", "Median time of a step of every strategy, with intervals", error);
    if (status != DT_OK)
        return status;
    add_best(a, page);
    add_strategies(a, page);
    return DT_OK;
}
