/* The page of one run: what was trained, what came of it, pictures; the rest is in files of their own. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/sections.h"

const char *const dt_metric_columns[DT_METRIC_COLUMNS] = {"epoch",
                                                          "step",
                                                          "seconds",
                                                          "train_loss",
                                                          "train_accuracy",
                                                          "validation_loss",
                                                          "validation_accuracy",
                                                          "test_loss",
                                                          "test_accuracy",
                                                          "samples_per_second"};

dt_status dt_reported_open(dt_reported *r, const dt_report_run *run, dt_arena *arena, dt_error *error)
{
    const dt_plot_run folder = {.path = run->path};
    *r = (dt_reported){.run = run, .name = dt_facts_find(&run->experiment, "name"), .arena = arena};
    char *path = dt_plot_run_file(&folder, "metrics.tsv", arena, error);
    if (!path)
        return DT_NO_MEMORY;
    dt_error now;
    dt_error_clear(&now);
    const dt_status status = dt_sheet_read(path, dt_metric_columns, DT_METRIC_COLUMNS, arena, &r->metrics, &now);
    if (status != DT_OK)
        r->metrics.rows = 0;
    return status == DT_OK || status == DT_NOT_FOUND ? DT_OK : dt_fail(error, status, "%s", now.message);
}

double dt_reported_last(const dt_reported *r, int column)
{
    for (size_t row = r->metrics.rows; row-- > 0;)
        if (isfinite(r->metrics.values[row * DT_METRIC_COLUMNS + (size_t)column]))
            return r->metrics.values[row * DT_METRIC_COLUMNS + (size_t)column];
    return NAN;
}

/* --- what was trained --- */

static int64_t whole(const char *text)
{
    char *end;
    const long long value = strtoll(text, &end, 10);
    return *text && *end == '\0' && value > 0 && value < INT32_MAX ? value : 0;
}

/* Keys of a section, "name (a 1, b 2)"; those that say nothing are left out. */
static void add_words(const dt_facts *facts, const char *section, dt_buffer *out)
{
    const char *name = dt_facts_find(facts, "%s.name", section), *comma = "";
    const size_t length = strlen(section);
    dt_buffer_add(out, *name ? name : dt_facts_find(facts, "%s", section));
    if (!*name)
        return;
    for (size_t i = 0; i < facts->count; i++) {
        const char *path = facts->facts[i].path, *value = facts->facts[i].value;
        if (strncmp(path, section, length) != 0 || path[length] != '.' || strcmp(path + length, ".name") == 0)
            continue;
        if (strcmp(path + length, ".warmup_factor") == 0 &&
            strcmp(dt_facts_find(facts, "%s.warmup", section), "0") == 0)
            continue;
        if (strcmp(value, "0") == 0 || strcmp(value, "none") == 0 || strcmp(value, "false") == 0)
            continue;
        dt_buffer_format(out, "%s%s %s", *comma ? comma : " (", path + length + 1, value);
        comma = ", ";
    }
    dt_buffer_add(out, *comma ? ")" : "");
}

static void add_section_fact(const dt_facts *facts, const char *name, const char *section, dt_page *page)
{
    dt_buffer words = {0};
    add_words(facts, section, &words);
    dt_html_fact(&page->body, name, words.bytes);
    page->body.failed = page->body.failed || words.failed;
    dt_buffer_clear(&words);
}

/* A row a layer; the parameters of all of them, 0 where the numbers of units aren't known. */
static double add_layers(const dt_facts *experiment, int64_t features, dt_page *page)
{
    static const dt_html_column columns[] = {{"layer", false},       {"units", true},   {"activation", false},
                                             {"initializer", false}, {"dropout", true}, {"parameters", true}};
    double all = 0;
    dt_html_table_begin(&page->body, "Network", columns, sizeof columns / sizeof *columns);
    for (int l = 0; l < 4096 && *dt_facts_find(experiment, "network.%d.units", l); l++) {
        const int64_t units = whole(dt_facts_find(experiment, "network.%d.units", l));
        const char *activation = dt_facts_find(experiment, "network.%d.activation", l);
        const char *init = dt_facts_find(experiment, "network.%d.init", l);
        const double parameters = (double)units * ((double)features + 1);
        char layer[16];
        snprintf(layer, sizeof layer, "%d", l + 1);
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, layer);
        dt_html_number(&page->body, 0, (double)units);
        dt_html_cell(&page->body,
                     *activation ? activation : dt_facts_find(experiment, "network.%d.activation.name", l));
        dt_html_cell(&page->body, *init ? init : dt_facts_find(experiment, "network.%d.init.name", l));
        dt_html_number(&page->body, -6, atof(dt_facts_find(experiment, "network.%d.dropout", l)));
        dt_html_number(&page->body, 0, features && units ? parameters : NAN);
        dt_html_row_end(&page->body);
        all = features && units && (all > 0 || l == 0) ? all + parameters : 0;
        features = units;
    }
    dt_html_table_end(&page->body);
    return all;
}

static void add_data(const dt_facts *experiment, const dt_facts *provenance, dt_page *page)
{
    static const char *const parts[] = {"train", "validation", "test"}, *const files[] = {"inputs", "labels", "file"};
    dt_buffer *out = &page->body;
    dt_html_facts_begin(out, "Data");
    dt_html_fact(out, "format", dt_facts_find(experiment, "data.format"));
    dt_html_fact(out, "generator", dt_facts_find(experiment, "data.generator"));
    for (size_t p = 0; p < 3; p++)
        for (size_t f = 0; f < 3; f++) {
            char name[32];
            snprintf(name, sizeof name, "%s %s", parts[p], files[f]);
            dt_html_fact_code(out, name, dt_facts_find(experiment, "data.%s.%s", parts[p], files[f]));
        }
    dt_html_fact(out, "training rows", dt_facts_find(provenance, "data.train_rows"));
    dt_html_fact(out, "validation rows", dt_facts_find(provenance, "data.validation_rows"));
    dt_html_fact(out, "test rows", dt_facts_find(provenance, "data.test_rows"));
    dt_html_fact(out, "features", dt_facts_find(provenance, "data.train.features"));
    dt_html_fact(out, "classes", dt_facts_find(provenance, "data.train.classes"));
    dt_html_fact(out, "scale", dt_facts_find(experiment, "data.scale"));
    dt_html_table_end(out);
}

static dt_status write_trained(const dt_reported *r, dt_page *page, dt_error *error)
{
    (void)error;
    const dt_facts *experiment = &r->run->experiment, *provenance = &r->run->provenance;
    if (experiment->count == 0)
        return DT_OK;
    const double parameters = add_layers(experiment, whole(dt_facts_find(provenance, "data.train.features")), page);
    char count[32] = "";
    if (parameters > 0)
        snprintf(count, sizeof count, "%.0f", parameters);
    dt_html_facts_begin(&page->body, "Training");
    dt_html_fact(&page->body, "parameters", count);
    dt_html_fact(&page->body, "precision", dt_facts_find(experiment, "precision"));
    dt_html_fact(&page->body, "seed", dt_facts_find(experiment, "seed"));
    add_section_fact(experiment, "loss", "loss", page);
    add_section_fact(experiment, "optimizer", "optimizer", page);
    add_section_fact(experiment, "schedule", "schedule", page);
    dt_html_fact(&page->body, "epochs", dt_facts_find(experiment, "training.epochs"));
    dt_html_fact(&page->body, "batch size", dt_facts_find(experiment, "training.batch_size"));
    dt_html_fact(&page->body, "workers", dt_facts_find(provenance, "parallel.threads"));
    dt_html_fact(&page->body, "reduction", dt_facts_find(provenance, "parallel.reduction"));
    dt_html_table_end(&page->body);
    add_data(experiment, provenance, page);
    return DT_OK;
}

/* --- what came of it --- */

static void add_tile(dt_page *page, const char *name, int digits, double value)
{
    char text[DT_NUMBER_TEXT];
    if (isnan(value))
        return;
    dt_buffer_add(&page->body, "<li><b>");
    dt_html_text(&page->body, dt_number_text(text, digits, value));
    dt_buffer_add(&page->body, "</b><span>");
    dt_html_text(&page->body, name);
    dt_buffer_add(&page->body, "</span></li>\n");
}

/* The best of a column and its row; losses the least, accuracies the largest. */
static double best_of(const dt_reported *r, int column, size_t *where)
{
    const bool least = (column - DT_METRIC_FIRST) % 2 == 0;
    double best = NAN;
    for (size_t row = 0; row < r->metrics.rows; row++) {
        const double v = r->metrics.values[row * DT_METRIC_COLUMNS + (size_t)column];
        if (isfinite(v) && (isnan(best) || (least ? v < best : v > best))) {
            best = v;
            *where = row;
        }
    }
    return best;
}

static dt_status write_figures(const dt_reported *r, dt_page *page, dt_error *error)
{
    (void)error;
    static const char *const names[] = {"training loss",       "training accuracy", "validation loss",
                                        "validation accuracy", "test loss",         "test accuracy"};
    static const dt_html_column columns[] = {{"figure", false}, {"last", true}, {"best", true}, {"in epoch", true}};
    if (r->metrics.rows == 0)
        return DT_OK;
    dt_buffer_add(&page->body, "<ul class=\"tiles\">\n");
    for (int m = 5; m >= 0; m--)
        add_tile(page, names[m], 4, m % 2 || m == 4 ? dt_reported_last(r, DT_METRIC_FIRST + m) : NAN);
    add_tile(page, "epochs", 0, dt_reported_last(r, DT_METRIC_EPOCH));
    add_tile(page, "steps", 0, dt_reported_last(r, DT_METRIC_STEP));
    add_tile(page, "seconds", -4, dt_reported_last(r, DT_METRIC_SECONDS));
    add_tile(page, "samples a second, last epoch", 0, dt_reported_last(r, DT_METRIC_RATE));
    dt_buffer_add(&page->body, "</ul>\n");
    dt_html_table_begin(&page->body, "Losses and accuracies, last and best epoch", columns, 4);
    for (int m = 0; m < 6; m++) {
        size_t where = 0;
        const double best = best_of(r, DT_METRIC_FIRST + m, &where);
        if (isnan(best))
            continue;
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, names[m]);
        dt_html_number(&page->body, 4, dt_reported_last(r, DT_METRIC_FIRST + m));
        dt_html_number(&page->body, 4, best);
        dt_html_number(&page->body, 0, r->metrics.values[where * DT_METRIC_COLUMNS + DT_METRIC_EPOCH]);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
    return DT_OK;
}

/* Every kind that the run has the numbers for, in the order of the table of kinds. */
static dt_status write_pictures(const dt_reported *r, dt_page *page, dt_error *error)
{
    dt_status status = DT_OK;
    const dt_plot_kind *kind;
    for (size_t k = 0; status == DT_OK && (kind = dt_plot_kind_at(k)); k++) {
        char caption[256];
        if (kind->of_sweeps)
            continue;
        snprintf(caption, sizeof caption, "%.*s", (int)strcspn(kind->summary, ";"), kind->summary);
        status = dt_page_picture(page, &r->run->path, 1, &(dt_plot_options){.kind = kind->name}, caption, NULL, error);
    }
    return status;
}

static const dt_report_section sections[] = {
    {"Result", write_figures, false},       {"What was trained", write_trained, false},
    {"Pictures", write_pictures, false},    {"Where the time went", dt_section_profile, true},
    {"Capture", dt_section_capture, false}, {"Made with", dt_section_provenance, true},
    {"Again", dt_section_again, true},      {"Experiment file", dt_section_experiment, true},
};

const dt_report_section *dt_report_section_at(size_t i)
{
    return i < sizeof sections / sizeof *sections ? &sections[i] : NULL;
}

dt_status dt_report_section_add(const dt_report_section *section, const dt_reported *r, bool within, dt_page *page,
                                dt_error *error)
{
    dt_buffer before = page->body;
    page->body = (dt_buffer){0};
    dt_status status = section->write(r, page, error);
    dt_buffer written = page->body;
    page->body = before;
    if (status == DT_OK && written.length) {
        if (within)
            dt_page_heading(page, section->heading);
        else
            dt_page_section(page, section->heading);
        dt_buffer_add_bytes(&page->body, written.bytes, written.length);
    }
    page->body.failed = page->body.failed || written.failed;
    dt_buffer_clear(&written);
    return status;
}
