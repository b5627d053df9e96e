/* deltoid report: runs, or a study, as one page. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/paths.h"
#include "cli/provenance.h"
#include "cli/terminal.h"
#include "cli/yaml.h"
#include "plot/plot.h"
#include "plot/sheet.h"
#include "report/report.h"
#include "study/record.h"

enum { PATH_MOST = 256, FACTS_MOST = 20000 };

/* --- YAML and JSON as facts --- */

typedef struct flattening {
    dt_arena *arena;
    dt_fact *facts;
    size_t count, room;
} flattening;

static size_t count_nodes(const dt_node *node)
{
    size_t count = 1;
    for (const dt_node *child = node->first; child; child = child->next)
        count += count_nodes(child);
    return count;
}

static bool is_plain_list(const dt_node *node)
{
    for (const dt_node *child = node->first; child; child = child->next)
        if (child->kind != DT_NODE_SCALAR)
            return false;
    return node->kind == DT_NODE_LIST;
}

/* "z, a, delta" */
static const char *join(const dt_node *list, dt_arena *arena)
{
    size_t size = 1, used = 0;
    for (const dt_node *child = list->first; child; child = child->next)
        size += strlen(child->text) + 2;
    char *text = dt_arena_allocate(arena, size, 1);
    for (const dt_node *child = list->first; text && child; child = child->next)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", child->text);
    return text;
}

static bool add_fact(flattening *f, const char *path, const char *value)
{
    if (f->count == f->room)
        return true;
    char *copy = dt_arena_duplicate(f->arena, path);
    f->facts[f->count++] = (dt_fact){copy, value};
    return copy && value;
}

/* Depth is bounded by the reader of YAML; a path too long to be of any use is cut. */
static bool flatten(flattening *f, const dt_node *node, const char *path)
{
    size_t i = 0;
    if (node->kind == DT_NODE_SCALAR)
        return add_fact(f, path, !node->quoted && strcmp(node->text, "null") == 0 ? "" : node->text);
    if (is_plain_list(node))
        return add_fact(f, path, join(node, f->arena));
    for (const dt_node *child = node->first; child; child = child->next, i++) {
        char below[PATH_MOST], item[24];
        snprintf(item, sizeof item, "%zu", i);
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", node->kind == DT_NODE_MAP ? child->key : item);
        if (!flatten(f, child, below))
            return false;
    }
    return true;
}

static dt_status facts_of(dt_facts *facts, const dt_node *root, dt_arena *arena, dt_error *error)
{
    flattening f = {.arena = arena};
    if (!root)
        return DT_OK;
    f.room = count_nodes(root);
    f.room = f.room < FACTS_MOST ? f.room : FACTS_MOST;
    f.facts = dt_arena_allocate(arena, f.room, sizeof *f.facts);
    if (!f.facts || !flatten(&f, root, ""))
        return dt_fail_memory(error, "what a run's files say");
    *facts = (dt_facts){f.facts, f.count};
    return DT_OK;
}

/* --- a run's files --- */

static dt_status read_yaml(const char *run, const char *name, const char **text, dt_facts *facts, dt_arena *arena,
                           dt_error *error)
{
    const char *path = dt_path_join(arena, run, name);
    const dt_origin *origin = path ? dt_origin_file(arena, path, run) : NULL;
    char *bytes;
    size_t size;
    dt_node *root;
    dt_error now;
    if (!origin)
        return dt_fail_memory(error, "a file's name");
    dt_error_clear(&now);
    dt_status status = dt_file_read(path, DT_YAML_SIZE_MAX, arena, &bytes, &size, &now);
    if (status == DT_NOT_FOUND)
        return DT_OK;
    if (status == DT_OK)
        status = dt_yaml_read(&root, bytes, size, origin, arena, &now);
    if (status != DT_OK)
        return dt_fail(error, status, "%s", now.message);
    *text = bytes;
    return facts_of(facts, root, arena, error);
}

static dt_status read_provenance(const char *run, dt_facts *facts, dt_arena *arena, dt_error *error)
{
    const dt_node *root;
    dt_error now;
    dt_error_clear(&now);
    const dt_status status = dt_provenance_open(&root, run, arena, &now);
    if (status == DT_NOT_FOUND)
        return DT_OK;
    return status == DT_OK ? facts_of(facts, root, arena, error) : dt_fail(error, status, "%s", now.message);
}

static dt_status report_study(const dt_arguments *arguments, const char *out, dt_arena *arena, dt_error *error)
{
    dt_report_run study = {.path = arguments->positional[0]};
    dt_status status = read_yaml(study.path, "study.yaml", &study.text, &study.experiment, arena, error);
    if (status == DT_OK)
        status = read_provenance(study.path, &study.provenance, arena, error);
    return status == DT_OK ? dt_report_study(&study, out, error) : status;
}

static dt_status report_runs(const dt_arguments *arguments, const char *out, dt_arena *arena, dt_error *error)
{
    const size_t count = arguments->positional_count;
    dt_report_run *runs = dt_arena_allocate(arena, count, sizeof *runs);
    dt_status status = runs ? DT_OK : dt_fail_memory(error, "the runs");
    for (size_t i = 0; i < count && status == DT_OK; i++) {
        runs[i].path = arguments->positional[i];
        status = read_yaml(runs[i].path, "experiment.yaml", &runs[i].text, &runs[i].experiment, arena, error);
        if (status == DT_OK)
            status = read_provenance(runs[i].path, &runs[i].provenance, arena, error);
    }
    return status == DT_OK ? dt_report_runs(runs, count, out, error) : status;
}

/* A study has a page of its own. */
static dt_status check_kinds(const dt_arguments *arguments, bool *is_study, dt_error *error)
{
    *is_study = false;
    for (size_t i = 0; i < arguments->positional_count; i++) {
        const char *path = arguments->positional[i];
        if (!dt_is_study(path))
            continue;
        *is_study = true;
        if (arguments->positional_count > 1)
            return dt_fail(error, DT_INVALID, "%s is a scaling study, which has a page of its own; name it alone",
                           path);
    }
    return DT_OK;
}

/* A report may be replaced by a newer one: so that a slip of the name doesn't cost another file, it ends in .html. */
static dt_status check_name(const char *out, dt_error *error)
{
    const size_t length = strlen(out);
    if (length > 5 && strcmp(out + length - 5, ".html") == 0)
        return DT_OK;
    return dt_fail(error, DT_INVALID, "--out %s: a report's name ends in .html; give it that ending", out);
}

static dt_status run_report(const dt_arguments *arguments, dt_error *error)
{
    dt_arena arena = {0};
    const char *out = dt_argument(arguments, "out");
    bool is_study = false;
    dt_status status = out ? check_name(out, error) : DT_OK;
    if (status == DT_OK)
        status = check_kinds(arguments, &is_study, error);
    if (status == DT_OK && !out) {
        out = dt_path_join(&arena, arguments->positional[0],
                           arguments->positional_count > 1 ? "report-compare.html" : "report.html");
        status = out ? DT_OK : dt_fail_memory(error, "the report's name");
    }
    if (status == DT_OK)
        status = (is_study ? report_study : report_runs)(arguments, out, &arena, error);
    if (status == DT_OK) {
        puts(out);
        status = dt_terminal_flush(error);
    }
    dt_arena_clear(&arena);
    return status;
}

const dt_command dt_command_report = {
    .name = "report",
    .usage = "RUN|STUDY... [--out FILE.html]",
    .summary = "a run, several compared, or a scaling study as one self-contained page",
    .details =
        "Writes RUN/report.html, of several runs the first one's report-compare.html, and prints its name. The page "
        "has "
        "what\nwas trained, final figures, every picture that the run has the numbers for, the profile, what was "
        "captured, what the\nrun was made with, the weights' SHA-256 and the commands that make it again; of several "
        "runs what differs in their\nexperiments, what came of it, and whether the weights are the same. The page of a "
        "study, named alone, has the\nanswer, the design, speed-up and efficiency with intervals, laws of scaling or "
        "why "
        "there are none, every strategy and\nwhether it gives the same bits, where the time goes, a roofline, the "
        "prediction with its error, disturbances and method.\nIt is one file that loads nothing; it can be read on a "
        "phone, in the dark, and printed.",
    .options = {{"out", "FILE.html", "the page's name; an older page of that name is replaced"}},
    .least = 1,
    .most = DT_PLOT_RUNS_MAX,
    .what = "a folder of a run or a study",
    .run = run_report,
};
