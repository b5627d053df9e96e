/* The page of a scaling study: question, answer, design, results, pictures; what they rest on is in study_basis.c. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "deltoid/record.h"
#include "report/html.h"
#include "report/study.h"

/* --- words for numbers --- */

static const char *seconds_text(double value, char text[DT_NUMBER_TEXT])
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

void dt_study_cell_seconds(dt_page *page, double value)
{
    char text[DT_NUMBER_TEXT];
    dt_buffer_add(&page->body, "<td class=\"number\">");
    dt_html_text(&page->body, seconds_text(value, text));
    dt_buffer_add(&page->body, "</td>");
}

void dt_study_cell_interval(dt_page *page, double value, dt_interval i, int digits)
{
    dt_buffer_add(&page->body, "<td class=\"number\">");
    if (isnan(value))
        dt_buffer_add(&page->body, "–");
    else if (isnan(i.low))
        dt_html_format(&page->body, "%.*f", digits, value);
    else
        dt_html_format(&page->body, "%.*f [%.*f, %.*f]", digits, value, digits, i.low, digits, i.high);
    dt_buffer_add(&page->body, "</td>");
}

void dt_study_label(dt_page *page, const dt_analysis_point *p)
{
    if (!p->point->deterministic)
        dt_buffer_add(&page->body, " <span class=\"label warn\">not reproducible</span>");
    if (p->point->oversubscribed)
        dt_buffer_add(&page->body, " <span class=\"label\">oversubscribed</span>");
}

static void add_series_head(dt_page *page, const dt_analysis *a, const dt_analysis_point *p)
{
    dt_buffer_add(&page->body, "<th scope=\"row\">");
    dt_html_text(&page->body, a->series[p->series].label);
    dt_study_label(page, p);
    dt_buffer_add(&page->body, "</th>");
}

/* --- the question --- */

static dt_status write_question(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    const dt_study *study = s->analysis->study;
    static const struct {
        const char *kind, *question;
    } questions[] = {
        {"strong", "How much faster is a step of the same work with more workers, and what limits it?"},
        {"weak", "How does the time of a step grow when each worker brings its own share of the minibatch?"},
        {"batch", "How many steps and seconds does training to the target take at each batch size?"},
        {"free", "How does the time of a step depend on the factors below?"},
    };
    const char *question = questions[3].question;
    char text[256];
    (void)error;
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (strcmp(questions[i].kind, study->kind) == 0)
            question = questions[i].question;
    dt_page_paragraph(page, question);
    static const dt_html_column columns[] = {{"factor", false}, {"levels", false}};
    dt_html_table_begin(&page->body, "Factors, which are crossed", columns, 2);
    for (size_t f = 0; f < study->factor_count; f++) {
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, study->factors[f].name);
        dt_buffer_add(&page->body, "<td>");
        for (size_t p = 0, shown = 0; p < study->point_count; p++) {
            bool seen = false;
            for (size_t q = 0; q < p && !seen; q++)
                seen = strcmp(study->points[q].values[f], study->points[p].values[f]) == 0;
            if (seen)
                continue;
            dt_buffer_add(&page->body, shown++ ? ", " : "");
            dt_html_text(&page->body, study->points[p].values[f]);
        }
        dt_buffer_add(&page->body, "</td>");
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
    snprintf(text, sizeof text,
             "%zu points, measured in %lld visits, each a fresh process, on %lld processors; intervals are of %g %% "
             "confidence, and a point was measured until its median was within %g %% or the budget ended.",
             study->point_count, (long long)s->analysis->visits, (long long)study->processors,
             100 * s->analysis->confidence, 100 * study->epsilon);
    dt_page_paragraph(page, text);
    return DT_OK;
}

/* --- the answer --- */

static void add_best(const dt_studied_page *s, dt_page *page)
{
    static const dt_html_column columns[] = {{"work", false},  {"T", true},          {"best deterministic", false},
                                             {"a step", true}, {"efficiency", true}, {"cost of determinism", true}};
    const dt_analysis *a = s->analysis;
    dt_html_table_begin(
        &page->body,
        "The best strategy that gives the same bits: its efficiency against the best serial program, and "
        "its time over that of the best strategy of all",
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

static dt_status write_answer(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    char sentence[DT_SENTENCE];
    (void)error;
    for (int64_t w = 0; w < s->analysis->work_count; w++) {
        const dt_analysis_work *work = &s->analysis->works[w];
        dt_analysis_say_answer(s->analysis, w, sentence);
        dt_buffer_add(&page->body, work->hashes == 1 ? "<p class=\"good\">"
                                   : work->hashed    ? "<p class=\"warn\">"
                                                     : "<p>");
        dt_html_text(&page->body, sentence);
        dt_buffer_add(&page->body, "</p>\n");
    }
    add_best(s, page);
    return DT_OK;
}

/* --- all points --- */

static dt_status write_points(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    static const dt_html_column columns[] = {{"series", false},      {"T", true},           {"visits", true},
                                             {"median", true},       {"interval, ±", true}, {"samples/s", true},
                                             {"speed-up", true},     {"efficiency", true},  {"over T = 1", true},
                                             {"Karp-Flatt e", true}, {"limited by", false}};
    const dt_analysis *a = s->analysis;
    (void)error;
    dt_html_table_begin(&page->body,
                        "Every point: median time of a step over its visits; speed-up and efficiency against the best "
                        "serial program of the same work, and speed-up over one worker of the same strategy",
                        columns, sizeof columns / sizeof *columns);
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        const dt_interval none = {NAN, NAN, NAN};
        dt_html_row_begin(&page->body);
        add_series_head(page, a, p);
        dt_html_number(&page->body, 0, (double)p->workers);
        dt_html_number(&page->body, 0, (double)p->visits);
        dt_study_cell_seconds(page, p->median);
        dt_buffer_add(&page->body, "<td class=\"number\">");
        if (isfinite(p->interval.low))
            dt_html_format(&page->body, "%.1f %%", 50 * (p->interval.high - p->interval.low) / p->median);
        else
            dt_buffer_add(&page->body, "–");
        dt_buffer_add(&page->body, "</td>");
        dt_html_number(&page->body, 0, p->rate);
        dt_study_cell_interval(page, p->best_point < 0 ? NAN : p->best.speedup,
                               p->best_point < 0 ? none : p->best.speedup_interval, 2);
        dt_study_cell_interval(page, p->best_point < 0 ? NAN : p->best.efficiency,
                               p->best_point < 0 ? none : p->best.efficiency_interval, 2);
        dt_html_number(&page->body, 2, p->one_point < 0 ? NAN : p->one.speedup);
        dt_html_number(&page->body, 3, p->one_point < 0 ? NAN : p->one.serial_fraction);
        dt_html_words(&page->body, p->attributed ? p->limiter.words : "");
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
    for (int64_t w = 0; w < a->work_count; w++) {
        const dt_analysis_work *work = &a->works[w];
        char text[512], base[DT_NUMBER_TEXT];
        if (work->serial < 0)
            continue;
        snprintf(text, sizeof text, "%s%sthe best serial program is %.100s with one worker: %s a step.",
                 a->work_count > 1 ? work->label : "", a->work_count > 1 ? ": " : "",
                 a->series[a->points[work->serial].series].label, seconds_text(a->points[work->serial].median, base));
        dt_page_paragraph(page, text);
    }
    return DT_OK;
}

/* --- pictures --- */

static dt_status write_pictures(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    dt_status status = DT_OK;
    const dt_plot_kind *kind;
    for (size_t k = 0; status == DT_OK && (kind = dt_plot_study_kind_at(k)); k++)
        status =
            dt_page_picture(page, &s->run->path, 1, &(dt_plot_options){.kind = kind->name, .analysis = s->analysis},
                            kind->summary, NULL, error);
    return status;
}

/* --- laws --- */

static dt_status write_fits(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    static const dt_html_column columns[] = {{"series", false}, {"law", false},   {"T", false},         {"σ", true},
                                             {"κ", true},       {"peak T", true}, {"fits within", true}};
    const dt_analysis *a = s->analysis;
    int fitted = 0;
    (void)error;
    for (int64_t i = 0; i < a->series_count; i++)
        for (int k = 0; k < a->series[i].fit_count; k++)
            fitted += a->series[i].fits[k].fitted;
    if (fitted) {
        dt_html_table_begin(&page->body, "Laws fitted to the medians by least squares, with bootstrap intervals",
                            columns, sizeof columns / sizeof *columns);
        for (int64_t i = 0; i < a->series_count; i++)
            for (int k = 0; k < a->series[i].fit_count; k++) {
                const dt_analysis_fit *f = &a->series[i].fits[k];
                char range[48];
                if (!f->fitted)
                    continue;
                snprintf(range, sizeof range, "%lld to %lld", (long long)f->fit.least, (long long)f->fit.most);
                dt_html_row_begin(&page->body);
                dt_html_head(&page->body, a->series[i].label);
                dt_html_cell(&page->body, f->law->name);
                dt_html_cell(&page->body, range);
                dt_study_cell_interval(page, f->fit.sigma, f->fit.sigma_interval, 4);
                dt_study_cell_interval(page, f->law->kappa ? f->fit.kappa : NAN, f->fit.kappa_interval, 5);
                dt_study_cell_interval(page, isfinite(f->fit.peak_workers) ? f->fit.peak_workers : NAN,
                                       f->fit.peak_workers_interval, 0);
                dt_buffer_add(&page->body, "<td class=\"number\">");
                dt_html_format(&page->body, "%.1f %%", 100 * f->fit.residual);
                dt_buffer_add(&page->body, "</td>");
                dt_html_row_end(&page->body);
            }
        dt_html_table_end(&page->body);
        dt_page_paragraph(page,
                          "σ is the serial share (contention), κ the cost of keeping workers coherent; an interval "
                          "is the sampling error of the points, and holds if the law does.");
    }
    for (int64_t i = 0; i < a->series_count; i++)
        if (a->series[i].fit_count && !a->series[i].fits[0].fitted) {
            char text[DT_ANALYSIS_LABEL + DT_ANALYSIS_REASON + 16];
            snprintf(text, sizeof text, "%s: no fit: %s.", a->series[i].label, a->series[i].fits[0].why);
            dt_page_paragraph(page, text);
            if (!fitted) {
                if (a->series_count > 1)
                    dt_page_paragraph(page, "The same goes for the other series.");
                break;
            }
        }
    return DT_OK;
}

static const struct {
    const char *heading;
    dt_status (*write)(const dt_studied_page *s, dt_page *page, dt_error *error);
} sections[] = {
    {"Question and design", write_question},
    {"Answer", write_answer},
    {"Pictures", write_pictures},
    {"All points", write_points},
    {"Laws of scaling", write_fits},
    {"Where the time goes", dt_study_write_attribution},
    {"Roofline", dt_study_write_roofline},
    {"Model", dt_study_write_model},
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
        dt_buffer_format(&lead, "A scaling study (%s) of %s: %s", study.kind, study.created, folder->path);
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
