/* One run's page, and the page that compares several: what differs in their experiments, what came of it, whether the
 * weights are the same. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "deltoid/record.h"
#include "report/html.h"
#include "report/sections.h"
#include "study/record.h"

enum { DIFFERENCES_MOST = 24, HASH_SHOWN = 12 };

/* --- what differs --- */

static bool is_listed(const char *const *paths, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(paths[i], path) == 0)
            return true;
    return false;
}

static bool differs(const dt_reported *runs, size_t count, const char *path)
{
    const char *first = dt_facts_find(&runs[0].run->experiment, "%s", path);
    for (size_t i = 1; i < count; i++)
        if (strcmp(first, dt_facts_find(&runs[i].run->experiment, "%s", path)) != 0)
            return true;
    return false;
}

/* Paths of the experiments that not all runs have the same value of, at most DIFFERENCES_MOST; *all counts them. The
 * name is the row's own. */
static size_t find_differences(const dt_reported *runs, size_t count, const char **paths, size_t *all)
{
    size_t found = 0;
    *all = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t f = 0; f < runs[i].run->experiment.count; f++) {
            const char *path = runs[i].run->experiment.facts[f].path;
            bool earlier = strcmp(path, "name") == 0;
            for (size_t j = 0; j < i && !earlier; j++)
                earlier = *dt_facts_find(&runs[j].run->experiment, "%s", path) != '\0';
            if (earlier || is_listed(paths, found, path) || !differs(runs, count, path))
                continue;
            if (found < DIFFERENCES_MOST)
                paths[found++] = path;
            ++*all;
        }
    return found;
}

/* --- tables --- */

static void add_differences(const dt_reported *runs, size_t count, dt_page *page)
{
    const char *paths[DIFFERENCES_MOST];
    size_t all;
    dt_html_column columns[1 + DIFFERENCES_MOST] = {{"run", false}};
    const size_t found = find_differences(runs, count, paths, &all);
    if (found == 0) {
        dt_page_paragraph(page, "The experiments are the same in every key.");
        return;
    }
    for (size_t k = 0; k < found; k++)
        columns[1 + k].name = paths[k];
    dt_html_table_begin(&page->body, "Keys in which the experiments differ", columns, 1 + found);
    for (size_t i = 0; i < count; i++) {
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, runs[i].name);
        for (size_t k = 0; k < found; k++)
            dt_html_cell(&page->body, dt_facts_find(&runs[i].run->experiment, "%s", paths[k]));
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
    if (all > found) {
        char more[64];
        snprintf(more, sizeof more, "And %zu keys more.", all - found);
        dt_page_paragraph(page, more);
    }
}

static void add_results(const dt_reported *runs, size_t count, dt_page *page)
{
    static const char *const names[] = {"train loss",          "train accuracy", "validation loss",
                                        "validation accuracy", "test loss",      "test accuracy"};
    dt_html_column columns[12] = {{"run", false}, {"epochs", true}, {"seconds", true}};
    int shown[6], n = 0;
    for (int m = 0; m < 6; m++)
        for (size_t i = 0; i < count; i++)
            if (isfinite(dt_reported_last(&runs[i], DT_METRIC_FIRST + m))) {
                columns[3 + n] = (dt_html_column){names[m], true};
                shown[n++] = m;
                break;
            }
    columns[3 + n] = (dt_html_column){"samples/s", true};
    columns[4 + n] = (dt_html_column){"weights, SHA-256", false};
    dt_html_table_begin(&page->body, "Last epoch", columns, (size_t)n + 5);
    for (size_t i = 0; i < count; i++) {
        char hash[HASH_SHOWN + 1];
        snprintf(hash, sizeof hash, "%s", dt_facts_find(&runs[i].run->provenance, "weights_sha256"));
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, runs[i].name);
        dt_html_number(&page->body, 0, dt_reported_last(&runs[i], DT_METRIC_EPOCH));
        dt_html_number(&page->body, -4, dt_reported_last(&runs[i], DT_METRIC_SECONDS));
        for (int m = 0; m < n; m++)
            dt_html_number(&page->body, 4, dt_reported_last(&runs[i], DT_METRIC_FIRST + shown[m]));
        dt_html_number(&page->body, 0, dt_reported_last(&runs[i], DT_METRIC_RATE));
        dt_html_code(&page->body, *hash ? hash : "unknown");
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
}

/* In words, for each hash which runs have it. */
static void add_hashes(const dt_reported *runs, size_t count, dt_page *page)
{
    size_t groups = 0, unknown = 0;
    for (size_t i = 0; i < count; i++) {
        const char *hash = dt_facts_find(&runs[i].run->provenance, "weights_sha256");
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = strcmp(hash, dt_facts_find(&runs[j].run->provenance, "weights_sha256")) == 0;
        unknown += !*hash;
        groups += *hash && !seen;
    }
    char words[160];
    if (groups == 1 && unknown == 0)
        snprintf(words, sizeof words, "All %zu runs ended with the same weights, to the last bit.", count);
    else
        snprintf(words, sizeof words, "The %zu runs ended with %zu different sets of weights%s.", count, groups,
                 unknown ? "; those of runs that didn't finish are unknown" : "");
    dt_buffer_add(&page->body, groups == 1 && unknown == 0 ? "<p class=\"good\">" : "<p>");
    dt_html_text(&page->body, words);
    dt_buffer_add(&page->body, "</p>\n");
}

static dt_status add_pictures(const dt_reported *runs, size_t count, dt_page *page, dt_error *error)
{
    const char *paths[DT_PLOT_RUNS_MAX];
    dt_status status = DT_OK;
    const dt_plot_kind *kind;
    for (size_t i = 0; i < count; i++)
        paths[i] = runs[i].run->path;
    for (size_t k = 0; status == DT_OK && (kind = dt_plot_kind_at(k)); k++)
        if (kind->compares && !kind->of_sweeps)
            status =
                dt_page_picture(page, paths, count, &(dt_plot_options){.kind = kind->name}, kind->summary, NULL, error);
    return status;
}

/* --- pages --- */

static dt_status write_one(const dt_reported *r, dt_page *page, dt_error *error)
{
    dt_status status = DT_OK;
    const dt_report_section *section;
    for (size_t i = 0; status == DT_OK && (section = dt_report_section_at(i)); i++)
        status = dt_report_section_add(section, r, false, page, error);
    return status;
}

static dt_status write_several(const dt_reported *runs, size_t count, dt_page *page, dt_error *error)
{
    const dt_report_section *section;
    dt_page_section(page, "Comparison");
    add_results(runs, count, page);
    add_hashes(runs, count, page);
    add_differences(runs, count, page);
    dt_status status = add_pictures(runs, count, page, error);
    for (size_t i = 0; i < count && status == DT_OK; i++) {
        dt_page_section(page, runs[i].name);
        for (size_t k = 0; status == DT_OK && (section = dt_report_section_at(k)); k++)
            if (section->shared)
                status = dt_report_section_add(section, &runs[i], true, page, error);
    }
    return status;
}

static void add_title(const dt_reported *runs, size_t count, dt_buffer *title, dt_buffer *lead)
{
    for (size_t i = 0; i < count && i < 4; i++)
        dt_buffer_format(title, "%s%s", i ? ", " : "", runs[i].name);
    if (count > 4)
        dt_buffer_format(title, " and %zu more", count - 4);
    if (count > 1)
        dt_buffer_format(lead, "%zu training runs compared", count);
    else
        dt_buffer_format(lead, "A training run: %s", runs[0].run->path);
}

static dt_status write_page(const dt_reported *runs, size_t count, const char *out, dt_page *page, dt_error *error)
{
    dt_buffer title = {0}, lead = {0}, text = {0};
    dt_status status = count == 1 ? write_one(&runs[0], page, error) : write_several(runs, count, page, error);
    if (status == DT_OK) {
        add_title(runs, count, &title, &lead);
        dt_page_finish(page, title.bytes ? title.bytes : "", lead.bytes ? lead.bytes : "", &text);
        if (title.failed || lead.failed || text.failed)
            status = dt_fail_memory(error, "the page");
        else
            status = dt_file_write(out, text.bytes, text.length, error);
    }
    dt_buffer_clear(&title);
    dt_buffer_clear(&lead);
    dt_buffer_clear(&text);
    return status;
}

/* A folder that a run can be reported of. */
static dt_status check_run(const dt_plot_run *run, const dt_reported *r, dt_error *error)
{
    if (dt_is_study(run->path))
        return dt_fail(error, DT_INVALID, "%s: is a scaling study, not a run; its report is a page of its own",
                       run->path);
    if (run->is_sweep)
        return dt_fail(error, DT_INVALID, "%s: is a sweep; name runs below %s/runs, or draw it by deltoid plot",
                       run->path, run->path);
    if (r->run->experiment.count == 0 && r->metrics.rows == 0 && !(r->run->text && *r->run->text))
        return dt_fail(error, DT_NOT_FOUND,
                       "%s: nothing of a run is there, neither experiment.yaml nor metrics.tsv; name a folder that "
                       "deltoid train has written",
                       run->path);
    return DT_OK;
}

dt_status dt_report_runs(const dt_report_run *runs, size_t count, const char *out, dt_error *error)
{
    const char *paths[DT_PLOT_RUNS_MAX];
    dt_arena arena = {0};
    dt_page page = {0};
    dt_plot_run *named = NULL;
    if (count < 1 || count > DT_PLOT_RUNS_MAX)
        return dt_fail(error, DT_INVALID, "%zu runs; a page takes 1 to %d", count, DT_PLOT_RUNS_MAX);
    for (size_t i = 0; i < count; i++)
        paths[i] = runs[i].path;
    dt_reported *reported = dt_arena_allocate(&arena, count, sizeof *reported);
    dt_status status =
        reported ? dt_plot_runs_open(paths, count, &arena, &named, error) : dt_fail_memory(error, "the runs");
    for (size_t i = 0; i < count && status == DT_OK; i++) {
        status = dt_reported_open(&reported[i], &runs[i], &arena, error);
        if (status == DT_OK)
            status = check_run(&named[i], &reported[i], error);
        if (named[i].label[0] && (count > 1 || !reported[i].name[0]))
            reported[i].name = named[i].label;
    }
    if (status == DT_OK)
        status = write_page(reported, count, out, &page, error);
    dt_page_clear(&page);
    dt_arena_clear(&arena);
    return status;
}
