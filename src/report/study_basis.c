/* What a study rests on: how it was measured, what disturbed it, what it was made with, where its numbers are. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "report/sections.h"
#include "report/study.h"
#include "study/rules.h"

enum { FLAGGED_SHOWN = 24, FILES_MOST = 256, EXPERIMENTS_SHOWN = 8, EXPERIMENT_MOST = 64 << 10 };

/* --- disturbances --- */

static void add_visit(const dt_analysis *a, const dt_study_visit *v, dt_page *page)
{
    const dt_analysis_point *p = v->point >= 0 && v->point < a->point_count ? &a->points[v->point] : NULL;
    dt_html_row_begin(&page->body);
    dt_html_number(&page->body, 0, (double)v->visit);
    dt_html_cell(&page->body, p ? a->series[p->series].label : "");
    dt_html_number(&page->body, 0, p ? (double)p->workers : NAN);
    dt_html_cell(&page->body, v->flagged ? "flagged" : v->state);
    dt_html_cell(&page->body, v->reasons);
    dt_html_number(&page->body, 0, (double)v->involuntary);
    dt_html_number(&page->body, 1, (double)v->steal_us / 1e3);
    dt_html_number(&page->body, 1, (double)v->pressure_us / 1e3);
    dt_html_number(&page->body, 1, (double)v->throttled_us / 1e3);
    dt_html_row_end(&page->body);
}

dt_status dt_study_write_contention(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    static const dt_html_column columns[] = {
        {"visit", true},      {"series", false},     {"T", true},
        {"state", false},     {"reasons", false},    {"involuntary switches", true},
        {"stolen, ms", true}, {"stalled, ms", true}, {"throttled, ms", true}};
    const dt_analysis *a = s->analysis;
    char sentence[DT_SENTENCE];
    int shown = 0;
    const dt_status status = dt_study_picture(
        s, page, "samples",
        "All visits in the order they were measured: drift and disturbances; hollow ones are left out", error);
    if (status != DT_OK)
        return status;
    dt_analysis_say_contention(a, sentence);
    dt_page_paragraph(page, sentence);
    if (a->flagged + a->failed == 0)
        return DT_OK;
    dt_html_table_begin(&page->body, "Visits that don't count; they were measured again where the limit allowed",
                        columns, sizeof columns / sizeof *columns);
    for (size_t v = 0; v < a->study->visit_count && shown < FLAGGED_SHOWN; v++)
        if (a->study->visits[v].flagged || strcmp(a->study->visits[v].state, "ok") != 0) {
            add_visit(a, &a->study->visits[v], page);
            shown++;
        }
    dt_html_table_end(&page->body);
    if (a->flagged + a->failed > shown)
        dt_page_paragraph(page, "The others are in visits.tsv.");
    return DT_OK;
}

/* --- method --- */

dt_status dt_study_write_method(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    static const dt_html_column columns[] = {{"rule", true}, {"asks for", false}, {"here", false}};
    const dt_study_rule *rule;
    (void)s, (void)error;
    dt_page_paragraph(page,
                      "A visit is a fresh process; its value is the median time of a step over its chunks that are "
                      "neither warm-up nor disturbed, and a point's sample is its visits' values. The study meets "
                      "the twelve rules of Hoefler and Belli, “Scientific benchmarking of parallel computing "
                      "systems”, SC'15:");
    dt_html_table_begin(&page->body, "The rules, in our words, and how each is met", columns, 3);
    for (size_t i = 0; (rule = dt_study_rule_at(i)); i++) {
        dt_html_row_begin(&page->body);
        dt_html_number(&page->body, 0, (double)rule->number);
        dt_html_words(&page->body, rule->asks);
        dt_html_words(&page->body, rule->met);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
    return DT_OK;
}

/* --- names in folders --- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in a folder, sorted; none where it isn't there. */
static size_t list(const char *path, dt_arena *arena, const char **names)
{
    size_t count = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && count < FILES_MOST && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            names[count++] = dt_arena_duplicate(arena, entry->d_name);
    if (folder)
        closedir(folder);
    for (size_t i = 0; i < count; i++)
        if (!names[i])
            return 0;
    qsort(names, count, sizeof *names, compare);
    return count;
}

/* --- made with, again --- */

static bool is_same_program(const dt_study_point *a, const dt_study_point *b)
{
    return strcmp(a->experiment, b->experiment) == 0 && strcmp(a->units, b->units) == 0 &&
           strcmp(a->precision, b->precision) == 0 && strcmp(a->isa, b->isa) == 0 &&
           strcmp(a->placement, b->placement) == 0;
}

/* What was trained, each once. */
static void add_programs(const dt_study *study, dt_page *page)
{
    static const dt_html_column columns[] = {
        {"experiment", false}, {"units", false},           {"parameters", true},           {"training rows", true},
        {"precision", false},  {"instruction set", false}, {"placement of threads", false}};
    dt_html_table_begin(&page->body, "What was trained", columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < study->point_count; i++) {
        const dt_study_point *p = &study->points[i];
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = is_same_program(&study->points[k], p);
        if (seen)
            continue;
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, p->experiment);
        dt_html_cell(&page->body, p->units);
        dt_html_number(&page->body, 0, (double)p->parameters);
        dt_html_number(&page->body, 0, (double)p->train_rows);
        dt_html_cell(&page->body, p->precision);
        dt_html_cell(&page->body, p->isa);
        dt_html_cell(&page->body, p->placement);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
}

dt_status dt_study_write_provenance(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    (void)error;
    if (s->run->provenance.count)
        dt_report_environment(&s->run->provenance, page);
    add_programs(s->analysis->study, page);
    return DT_OK;
}

/* The experiments that the study's folder keeps; one that can't be read, or is too long to be read, is left out. */
static void add_experiments(const dt_studied_page *s, dt_page *page)
{
    const char *names[FILES_MOST];
    const dt_plot_run study = {.path = s->run->path};
    const char *folder = dt_plot_run_file(&study, "experiments", s->arena, NULL);
    const size_t count = folder ? list(folder, s->arena, names) : 0;
    for (size_t i = 0; i < count && i < EXPERIMENTS_SHOWN; i++) {
        const dt_plot_run within = {.path = folder};
        const char *path = dt_plot_run_file(&within, names[i], s->arena, NULL);
        char *text;
        if (!path || dt_file_read(path, EXPERIMENT_MOST, s->arena, &text, NULL, NULL) != DT_OK)
            continue;
        dt_page_heading(page, names[i]);
        dt_html_pre(&page->body, names[i], text);
    }
}

dt_status dt_study_write_again(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    dt_buffer commands = {0};
    (void)error;
    dt_buffer_add(&commands, "deltoid scale ");
    dt_html_shell_word(&commands, s->run->path);
    dt_buffer_add(&commands, "/study.yaml\ndeltoid plot ");
    dt_html_shell_word(&commands, s->run->path);
    dt_buffer_add(&commands, "\ndeltoid report ");
    dt_html_shell_word(&commands, s->run->path);
    dt_buffer_add(&commands, "\n");
    dt_html_pre(&page->body, "Commands", commands.bytes ? commands.bytes : "");
    page->body.failed = page->body.failed || commands.failed;
    dt_buffer_clear(&commands);
    if (s->run->text && *s->run->text) {
        dt_page_heading(page, "study.yaml");
        dt_html_pre(&page->body, "study.yaml", s->run->text);
    }
    add_experiments(s, page);
    return DT_OK;
}

/* --- files --- */

dt_status dt_study_write_files(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    static const struct {
        const char *name, *holds;
    } known[] = {
        {"study.yaml", "the resolved study"},
        {"study.tsv", "name, kind, confidence, seed"},
        {"provenance.json", "what it was made with"},
        {"points.tsv", "a row a point of the design"},
        {"visits.tsv", "a row a process, with what disturbed it"},
        {"samples.tsv", "a row a timed chunk of steps: all raw times"},
        {"phases.tsv", "a row a phase, layer and worker of a visit"},
        {"targets.tsv", "training to a target"},
        {"machine.tsv", "probes of the machine at start and end"},
        {"study.h5", "all tables, as HDF5"},
        {"samples.jsonl", "raw times as JSON lines"},
        {"extrap.jsonl", "input of Extra-P"},
        {"extrap.txt", "input of Extra-P"},
        {"analysis.tsv", "a row a point: medians, intervals, speed-ups"},
        {"fits.tsv", "laws of scaling"},
        {"roofline.tsv", "phases of layers under the machine's ceilings"},
        {"model.tsv", "predictions, and their error"},
    };
    static const dt_html_column columns[] = {{"file", false}, {"bytes", true}, {"holds", false}};
    const char *names[FILES_MOST];
    const size_t count = list(s->run->path, s->arena, names);
    (void)error;
    dt_html_table_begin(&page->body, "The study's folder; all tables are tab-separated text", columns, 3);
    for (size_t i = 0; i < count; i++) {
        const dt_plot_run folder = {.path = s->run->path};
        char *path = dt_plot_run_file(&folder, names[i], s->arena, NULL);
        struct stat facts;
        const char *holds = "";
        if (!path || stat(path, &facts) != 0 || !S_ISREG(facts.st_mode))
            continue;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strcmp(known[k].name, names[i]) == 0)
                holds = known[k].holds;
        dt_html_row_begin(&page->body);
        dt_html_code(&page->body, names[i]);
        dt_html_number(&page->body, 0, (double)facts.st_size);
        dt_html_cell(&page->body, holds);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
    return DT_OK;
}
