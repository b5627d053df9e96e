/* deltoid scale: a scaling study, each measurement a process of its own, in blocks of random order. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/paths.h"
#include "cli/runfolder.h"
#include "cli/scale_compare.h"
#include "cli/scale_points.h"
#include "cli/scale_run.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "deltoid/record.h"
#include "study/analysis.h"
#include "study/export.h"

static void print_line(void *context, const char *line)
{
    (void)context;
    fputs(line, stdout);
}

/* provenance.json, and the study in other tools' formats. */
static dt_status export(const dt_scale *s, const dt_study *study, dt_error *error)
{
    const char *path = dt_path_join(s->arena, s->folder, "provenance.json");
    char *text;
    if (!path)
        return dt_fail_memory(error, "a path");
    dt_status status = dt_scale_provenance(s, study, &text, error);
    if (status != DT_OK)
        return status;
    status = dt_file_write(path, text, strlen(text), error);
    if (status == DT_OK)
        status = dt_study_export(study, s->folder, s->plan->text, text, error);
    dt_text_release(text);
    return status;
}

/* What the measurements say: tables in the folder, and on the terminal. */
static dt_status conclude(const dt_scale *s, dt_error *error)
{
    dt_study study;
    dt_analysis *analysis;
    dt_status status = dt_study_open(&study, s->folder, s->arena, error);
    if (status == DT_OK)
        status = export(s, &study, error);
    if (status == DT_OK)
        status = dt_study_analyse(&study, s->arena, &analysis, error);
    if (status == DT_OK)
        status = dt_analysis_write(analysis, s->folder, error);
    if (status == DT_OK && !s->quiet) {
        printf("\n");
        status = dt_analysis_print(analysis, print_line, NULL, error);
        printf("\nstudy     %s\n", s->folder);
    }
    return status;
}

static dt_status scale_all(const dt_scale_plan *plan, const char *out, bool resume, bool quiet, dt_arena *arena,
                           dt_error *error)
{
    char name[256];
    snprintf(name, sizeof name, "results/%.128s/scale-%s", plan->study.name, plan->hash);
    dt_scale s = {.plan = plan, .quiet = quiet, .arena = arena};
    s.folder = dt_arena_duplicate(arena, out ? out : name);
    s.points = dt_arena_allocate(arena, plan->study.point_count, sizeof *s.points);
    if (!s.folder || !s.points)
        return dt_fail_memory(error, "the study");
    dt_status status = dt_folder_check(s.folder, resume, error);
    dt_signals_note();
    if (status == DT_OK)
        status = dt_scale_begin(&s, error);
    if (status == DT_OK)
        status = dt_scale_probe(&s, "start", error);
    if (status == DT_OK)
        status = dt_scale_blocks(&s, error);
    if (status == DT_OK && dt_signals_caught())
        return dt_fail(error, DT_STOPPED, "stopped; go on with deltoid scale STUDY.yaml --resume%s%s",
                       out ? " --out " : "", out ? out : "");
    if (status == DT_OK)
        status = dt_scale_probe(&s, "end", error);
    if (status == DT_OK)
        status = conclude(&s, error);
    if (status == DT_OK && s.differing)
        return dt_fail(error, DT_ANSWER_NO,
                       "%" PRId64 " visits of reproducible points gave other weights than their first", s.differing);
    return status == DT_OK ? dt_terminal_flush(error) : status;
}

static dt_status print_plan(const dt_scale_plan *plan, dt_error *error)
{
    double least, most;
    char text[512];
    dt_scale_expect(plan, &least, &most);
    printf("%zu points of %zu factors, %" PRId64 " to %" PRId64 " visits each, about %.0f to %.0f s (prediction)\n",
           plan->study.point_count, plan->study.factor_count, plan->rule.least,
           plan->metric ? plan->rule.least : plan->rule.most, least, most);
    for (size_t p = 0; p < plan->study.point_count; p++) {
        const dt_study_point *point = &plan->study.points[p];
        dt_scale_point_text(plan, p, text, sizeof text);
        printf("%zu  %s  (%" PRId64 " workers, %s%s%s)\n", p, text, point->workers, point->reduction,
               point->deterministic ? "" : ", not reproducible", point->oversubscribed ? ", oversubscribed" : "");
    }
    return dt_terminal_flush(error);
}

static dt_status run_scale(const dt_arguments *arguments, dt_error *error)
{
    if (strcmp(arguments->positional[0], "compare") == 0)
        return dt_scale_compare(arguments, error);
    if (arguments->positional_count > 1)
        return dt_fail(error, DT_INVALID, "deltoid scale: '%.200s' is one argument too many; usage: deltoid scale %s",
                       arguments->positional[1], arguments->command->usage);
    if (dt_argument(arguments, "tsv"))
        return dt_fail(error, DT_UNKNOWN_NAME, "option --tsv is for deltoid scale compare");
    dt_arena arena = {0};
    dt_scale_plan *plan = dt_arena_allocate(&arena, 1, sizeof *plan);
    dt_status status =
        plan ? dt_scale_plan_open(plan, arguments->positional[0], &arena, error) : dt_fail_memory(error, "the study");
    if (status == DT_OK)
        status = dt_argument(arguments, "dry-run")
                     ? print_plan(plan, error)
                     : scale_all(plan, dt_argument(arguments, "out"), dt_argument(arguments, "resume") != NULL,
                                 dt_argument(arguments, "quiet") != NULL, &arena, error);
    dt_arena_clear(&arena);
    return status;
}

const dt_command dt_command_scale = {
    .name = "scale",
    .usage = "STUDY.yaml [options] | compare A[:POINT] B[:POINT] [--tsv]",
    .summary = "scaling study across threads, strategies, minibatches, ...",
    .details =
        "Measures the points of a design, each visit in a fresh process, in blocks of random order. STUDY.yaml:\n"
        "\n"
        "  kind: strong                  # or weak (batch_size times threads), batch (to a target), free\n"
        "  experiment: experiment.yaml   # or workloads: {W1: W1.yaml, W2: W2.yaml}; relative to this file\n"
        "  factors:                      # crossed\n"
        "    threads: [1, 2]             # or auto: 1, 2, 4, ... and all processors\n"
        "    reduction: [tree, owner]    # or all, deterministic\n"
        "    placement: [close, spread]  # also none, and a list of processors as [0, 2]\n"
        "    capture: [off, on]          # what the experiment captures\n"
        "    # isa (or all), precision, groups, batch_size, shard_size, or any key of an experiment\n"
        "  exclude:                      # these levels together are not measured\n"
        "    - {threads: 1, reduction: [atomic, hogwild]}\n"
        "  measure: {epsilon: 0.02, confidence: 0.95, visits: {least: 6, most: 20}, chunk: 50 ms,\n"
        "            chunks: 24, budget: 30 min, attempts: 3, seed: 1, first_steps: 20, probes: 2 s}\n"
        "  target: {metric: test_loss, value: 0.4, epochs: 20, checks: 4}   # of kind batch\n"
        "\n"
        "A visit trains first_steps, takes the weights' SHA-256, and times chunks of steps. Warm-up is\n"
        "found and left out. A disturbed visit (its workers waited for processors that others had, quota,\n"
        "steal, load, a slow core) is flagged, kept and repeated. A point is measured until the interval\n"
        "of its median is within epsilon, or visits or budget end. All raw samples stay in the folder's\n"
        "tables (samples.tsv, visits.tsv, phases.tsv, machine.tsv), beside what they say (analysis.tsv,\n"
        "fits.tsv, ...), and at the end in study.h5, samples.jsonl, extrap.jsonl and extrap.txt (Extra-P).\n"
        "provenance.json says with what. Threads beyond the processors are marked oversubscribed and left out of "
        "fits.\n"
        "\n"
        "compare sets the points of two studies' folders beside each other that have the same levels, or two\n"
        "points by their numbers in points.tsv: the ratio of the medians with its bootstrap interval, Hodges\n"
        "and Lehmann's ratio of pairs, Cliff's delta, Mann and Whitney's p. Visits are what is compared.",
    .options = {{"resume", NULL, "go on with a study that was stopped"},
                {"out", "DIR", "the study's folder; without it results/<name>/scale-<hash>"},
                {"dry-run", NULL, "print the points and the time they will take; make nothing"},
                {"quiet", NULL, "print errors only"},
                {"tsv", NULL, "compare: a table instead of words"}},
    .least = 1,
    .most = 3,
    .what = "a study file",
    .run = run_scale,
};
