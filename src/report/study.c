/* The page of a scaling study: its sections in order, and what they share. */
#define _POSIX_C_SOURCE 200809L /* gmtime_r */
#include "report/study.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "deltoid/record.h"

/* --- words and cells --- */

const char *dt_study_seconds(double value, char text[DT_NUMBER_TEXT])
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}};
    size_t u = 0;
    while (u + 1 < sizeof units / sizeof *units && fabs(value) < units[u].unit)
        u++;
    if (isnan(value))
        return dt_number_text(text, 0, value);
    snprintf(text, DT_NUMBER_TEXT, "%.4g %s", value / units[u].unit, units[u].name);
    return text;
}

static void add_number_cell(dt_page *page, const char *text)
{
    dt_buffer_add(&page->body, "<td class=\"number\">");
    dt_html_text(&page->body, text);
    dt_buffer_add(&page->body, "</td>");
}

void dt_study_cell_seconds(dt_page *page, double value)
{
    char text[DT_NUMBER_TEXT];
    add_number_cell(page, dt_study_seconds(value, text));
}

void dt_study_cell_interval(dt_page *page, double value, dt_interval i, int digits)
{
    char text[96];
    if (isnan(value))
        dt_number_text(text, 0, value);
    else if (isnan(i.low))
        snprintf(text, sizeof text, "%.*f", digits, value);
    else
        snprintf(text, sizeof text, "%.*f [%.*f, %.*f]", digits, value, digits, i.low, digits, i.high);
    add_number_cell(page, text);
}

void dt_study_cell_percent(dt_page *page, int digits, double share)
{
    char text[DT_NUMBER_TEXT];
    if (isnan(share))
        dt_number_text(text, 0, share);
    else
        snprintf(text, sizeof text, "%.*f %%", digits, 100 * share);
    add_number_cell(page, text);
}

void dt_study_cells_point(dt_page *page, const dt_analysis *a, int64_t series, int64_t workers)
{
    dt_html_head(&page->body, a->series[series].label);
    dt_html_number(&page->body, 0, (double)workers);
}

void dt_study_say(dt_page *page, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dt_page_paragraph(page, text);
}

void dt_study_label(dt_page *page, const char *word, bool warning)
{
    dt_buffer_add(&page->body, warning ? "<span class=\"label warn\">" : "<span class=\"label\">");
    dt_html_text(&page->body, word);
    dt_buffer_add(&page->body, "</span> ");
}

dt_status dt_study_picture(const dt_studied_page *s, dt_page *page, const char *kind, const char *caption,
                           dt_error *error)
{
    return dt_page_picture(page, &s->run->path, 1, &(dt_plot_options){.kind = kind, .analysis = s->analysis}, caption,
                           NULL, error);
}

/* --- points that stand for a work --- */

int64_t dt_study_fastest(const dt_analysis *a, int64_t work)
{
    int64_t fastest = -1;
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        if (p->work == work && p->visits > 0 && p->point->deterministic && !p->point->oversubscribed &&
            (fastest < 0 || p->median < a->points[fastest].median))
            fastest = i;
    }
    return fastest;
}

int64_t dt_study_widest(const dt_analysis *a, int64_t work)
{
    const dt_analysis_work *w = &a->works[work];
    int64_t widest = -1;
    for (int64_t b = 0; b < w->best_count; b++)
        if (w->best[b].deterministic >= 0 && !a->points[w->best[b].deterministic].point->oversubscribed)
            widest = w->best[b].deterministic;
    return widest;
}

/* --- the page --- */

static const struct {
    const char *heading;
    dt_status (*write)(const dt_studied_page *s, dt_page *page, dt_error *error);
} sections[] = {
    {"Answer", dt_study_write_answer},
    {"What was measured", dt_study_write_measured},
    {"Speed-up and efficiency", dt_study_write_speedup},
    {"Laws of scaling", dt_study_write_laws},
    {"Strategies", dt_study_write_strategies},
    {"Batch sizes", dt_study_write_batch},
    {"Where the time goes", dt_study_write_attribution},
    {"Roofline", dt_study_write_roofline},
    {"Prediction", dt_study_write_model},
    {"All points", dt_study_write_points},
    {"Disturbances", dt_study_write_contention},
    {"Method", dt_study_write_method},
    {"Made with", dt_study_write_provenance},
    {"Again", dt_study_write_again},
    {"Files", dt_study_write_files},
};

static dt_status write_sections(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    dt_status status = DT_OK;
    for (size_t i = 0; i < sizeof sections / sizeof *sections && status == DT_OK; i++) {
        dt_buffer before = page->body;
        page->body = (dt_buffer){0};
        status = sections[i].write(s, page, error);
        dt_buffer written = page->body;
        page->body = before;
        if (written.length)
            dt_page_section(page, sections[i].heading);
        if (written.length)
            dt_buffer_add_bytes(&page->body, written.bytes, written.length);
        page->body.failed = page->body.failed || written.failed;
        dt_buffer_clear(&written);
    }
    return status;
}

static void add_lead(const dt_study *study, const char *path, dt_buffer *lead)
{
    char when[32];
    struct tm utc;
    snprintf(when, sizeof when, "%.31s", study->created);
    if (!*when && study->visit_count > 0) {
        const time_t first = (time_t)study->visits[0].started;
        if (gmtime_r(&first, &utc))
            strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &utc);
    }
    dt_buffer_format(lead, "A scaling study (%s)%s%s: %s", study->kind, *when ? " of " : "", when, path);
}

dt_status dt_report_study(const dt_report_run *folder, const char *out, dt_error *error)
{
    dt_arena arena = {0};
    dt_page page = {0};
    dt_buffer text = {0}, title = {0}, lead = {0};
    dt_study study;
    dt_analysis *analysis = NULL;
    dt_status status = dt_study_open(&study, folder->path, &arena, error);
    if (status == DT_OK)
        status = dt_study_analyse(&study, &arena, &analysis, error);
    const dt_studied_page s = {folder, analysis, &arena};
    if (status == DT_OK)
        status = write_sections(&s, &page, error);
    if (status == DT_OK) {
        dt_buffer_format(&title, "%s", *study.name ? study.name : folder->path);
        add_lead(&study, folder->path, &lead);
        dt_page_finish(&page, title.bytes ? title.bytes : "", lead.bytes ? lead.bytes : "", &text);
        status = text.failed || title.failed || lead.failed ? dt_fail_memory(error, "the page")
                                                            : dt_file_write(out, text.bytes, text.length, error);
    }
    dt_buffer_clear(&text);
    dt_buffer_clear(&title);
    dt_buffer_clear(&lead);
    dt_page_clear(&page);
    dt_arena_clear(&arena);
    return status;
}
