/* deltoid verify: trains a run again, and compares. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/config.h"
#include "cli/data.h"
#include "cli/network.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/provenance.h"
#include "cli/schema.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "deltoid/record.h"

/* What a run left, and what training it again gives. */
typedef struct verification {
    const char *run;
    const dt_node *provenance;
    const char *weights; /* the run's SHA-256 */
    char again[65];
    FILE *metrics; /* behind its header line; NULL where there is none */
    int64_t rows, equal;
    char first[160]; /* the first difference, in words; "" where there is none */
    bool quiet;
} verification;

/* --- metrics.tsv --- */

/* The columns that are the same in every run of an experiment, in the file's order; those of time are passed over. */
static const struct {
    const char *name;
    size_t offset;
} columns[] = {
    {"epoch", 0},
    {"step", 0},
    {"seconds", 0},
    {"train_loss", offsetof(dt_epoch_report, train_loss)},
    {"train_accuracy", offsetof(dt_epoch_report, train_accuracy)},
    {"validation_loss", offsetof(dt_epoch_report, validation_loss)},
    {"validation_accuracy", offsetof(dt_epoch_report, validation_accuracy)},
    {"test_loss", offsetof(dt_epoch_report, test_loss)},
    {"test_accuracy", offsetof(dt_epoch_report, test_accuracy)},
    {"learning_rate", offsetof(dt_epoch_report, learning_rate)},
};

enum { COLUMNS = sizeof columns / sizeof *columns, LINE = 1024 };

/* As metrics.tsv spells it. */
static void spell(double value, char out[40])
{
    if (isnan(value))
        snprintf(out, 40, "nan");
    else
        snprintf(out, 40, "%.9g", value);
}

/* Compares one row of the file with an epoch's report. */
static void compare_row(verification *v, char *line, const dt_epoch_report *report)
{
    char *rest = line, *field;
    bool equal = true;
    for (size_t i = 0; i < COLUMNS && (field = strtok_r(rest, "\t\n", &rest)); i++) {
        double value;
        char again[40];
        if (!columns[i].offset)
            continue;
        memcpy(&value, (const char *)report + columns[i].offset, sizeof value);
        spell(value, again);
        if (strcmp(field, again) == 0)
            continue;
        equal = false;
        if (!*v->first)
            snprintf(v->first, sizeof v->first, "epoch %" PRId64 ": %s was %.30s, is %.30s", report->epoch,
                     columns[i].name, field, again);
    }
    v->rows++;
    v->equal += equal;
}

static dt_status compare_epoch(void *self, const dt_epoch_report *report, dt_error *error)
{
    verification *v = self;
    char line[LINE];
    (void)error;
    if (v->metrics && fgets(line, sizeof line, v->metrics))
        compare_row(v, line, report);
    return DT_OK;
}

/* --- what the run left --- */

static dt_status read_provenance(verification *v, dt_arena *arena, dt_error *error)
{
    const dt_status status = dt_provenance_open(&v->provenance, v->run, arena, error);
    if (status != DT_OK)
        return status;
    v->weights = dt_provenance_text(v->provenance, "weights_sha256");
    if (strlen(v->weights) != 64)
        return dt_fail(error, DT_INVALID,
                       "%s/provenance.json: knows no weights_sha256, as the run didn't come to its end; there is "
                       "nothing to compare with",
                       v->run);
    return DT_OK;
}

static void open_metrics(verification *v, dt_arena *arena)
{
    const char *path = dt_path_join(arena, v->run, "metrics.tsv");
    char line[LINE];
    v->metrics = path ? fopen(path, "re") : NULL;
    if (v->metrics && !fgets(line, sizeof line, v->metrics)) {
        fclose(v->metrics);
        v->metrics = NULL;
    }
}

/* --- again --- */

/* Changes that leave the numbers as they are. */
static dt_status check_overrides(const dt_arguments *arguments, dt_error *error)
{
    static const char *const harmless[] = {"parallel.threads=", "parallel.reduction=", "parallel.groups=", "data."};
    for (size_t i = 0; i < arguments->override_count; i++) {
        bool good = false;
        for (size_t h = 0; h < sizeof harmless / sizeof *harmless; h++)
            good = good || strncmp(arguments->overrides[i], harmless[h], strlen(harmless[h])) == 0;
        if (!good)
            return dt_fail(error, DT_INVALID,
                           "command line: key '%.120s': would train something else; verify takes parallel.threads, "
                           "parallel.reduction, parallel.groups and the places of data",
                           arguments->overrides[i]);
    }
    return DT_OK;
}

/* A run whose workers raced has weights that no other run has: there is nothing to find out. */
static dt_status check_reproducible(const verification *v, dt_error *error)
{
    if (strcmp(dt_provenance_text(v->provenance, "parallel.deterministic"), "false") != 0)
        return DT_OK;
    return dt_fail(
        error, DT_INVALID,
        "%s: was trained with a reduction that isn't reproducible (provenance.json: parallel): every run of it has "
        "other weights, so comparing their SHA-256 makes no sense; train with parallel.reduction=tree",
        v->run);
}

static dt_status train(verification *v, const dt_config *config, const dt_data *data, dt_error *error)
{
    const dt_trainer_data view = dt_data_view(data);
    dt_trainer *trainer = NULL;
    dt_progress progress;
    dt_status status = dt_trainer_create(&trainer, &config->experiment, &view, error);
    if (status != DT_OK) {
        dt_schema_place(error, config->root);
        return status;
    }
    dt_trainer_info info;
    dt_trainer_describe(trainer, &info);
    if (!info.deterministic) {
        dt_trainer_destroy(trainer);
        return dt_fail(
            error, DT_INVALID,
            "command line: parallel.reduction=%s isn't reproducible: it would give other weights than the run's; "
            "use tree, or another that is (deltoid help reductions)",
            info.reduction);
    }
    dt_signals_watch(trainer);
    dt_progress_start(&progress, trainer, false, v->quiet);
    const dt_observer observers[] = {dt_progress_observer(&progress), {.self = v, .epoch = compare_epoch}};
    status = dt_network_begin(trainer, config, error);
    for (size_t i = 0; status == DT_OK && i < sizeof observers / sizeof *observers; i++)
        status = dt_trainer_observe(trainer, &observers[i], error);
    if (status == DT_OK)
        status = dt_trainer_run(trainer, error);
    dt_progress_end(&progress);
    if (status == DT_OK)
        status = dt_trainer_weights_sha256(trainer, v->again, error);
    dt_signals_forget();
    dt_trainer_destroy(trainer);
    return status;
}

static dt_status tell(const verification *v, bool json, dt_error *error)
{
    const bool same = strcmp(v->weights, v->again) == 0;
    if (json) {
        dt_text text = {0};
        dt_text_add(&text, "{\"run\": ");
        dt_text_add_json(&text, v->run);
        dt_text_add(&text,
                    ", \"weights_sha256\": \"%s\", \"again\": \"%s\", \"same\": %s, \"metrics_rows\": %" PRId64
                    ", \"metrics_equal\": %" PRId64 "}\n",
                    v->weights, v->again, same ? "true" : "false", v->rows, v->equal);
        if (!text.failed)
            fputs(text.bytes, stdout);
        dt_text_clear(&text);
    } else {
        printf("\nweights sha256  %s\nagain           %s\nmetrics         %" PRId64 " of %" PRId64 " rows equal\n%s\n",
               v->weights, v->again, v->equal, v->rows, same ? "the same bits" : "DIFFERENT");
    }
    const dt_status status = dt_terminal_flush(error);
    if (status != DT_OK)
        return status;
    if (!same)
        return dt_fail(error, DT_ANSWER_NO, "%s: training it again gives other weights%s%s", v->run,
                       *v->first ? "; first seen in metrics.tsv, " : "", v->first);
    if (v->equal < v->rows)
        return dt_fail(error, DT_ANSWER_NO, "%s: the weights are the same, but not metrics.tsv: %s", v->run, v->first);
    return DT_OK;
}

static dt_status run_verify(const dt_arguments *arguments, dt_error *error)
{
    const bool json = dt_argument(arguments, "json") != NULL;
    verification v = {.run = arguments->positional[0], .quiet = json || dt_argument(arguments, "quiet")};
    dt_arena arena = {0};
    dt_config config = {0};
    dt_data data = {0};
    dt_status status = check_overrides(arguments, error);
    const char *file = dt_path_join(&arena, v.run, "experiment.yaml");
    if (status == DT_OK && !file)
        status = dt_fail_memory(error, "a path");
    if (status == DT_OK)
        status = read_provenance(&v, &arena, error);
    if (status == DT_OK)
        status = check_reproducible(&v, error);
    if (status == DT_OK)
        status = dt_config_open(&config, file, arguments->overrides, arguments->override_count, error);
    if (status == DT_OK) {
        config.experiment.capture_count = 0; /* watching changes no bit */
        status = dt_data_open_all(&data, &config, error);
    }
    if (status == DT_OK) { /* else training again would prove nothing */
        const dt_trainer_data view = dt_data_view(&data);
        status = dt_provenance_check(v.provenance, &config.experiment, &view, error);
    }
    if (status == DT_OK) {
        open_metrics(&v, &arena);
        status = train(&v, &config, &data, error);
    }
    if (status == DT_OK)
        status = tell(&v, json, error);
    if (v.metrics)
        fclose(v.metrics);
    dt_data_close(&data);
    dt_config_clear(&config);
    dt_arena_clear(&arena);
    return status;
}

const dt_command dt_command_verify = {
    .name = "verify",
    .usage = "RUN [key=value ...] [--json] [--quiet]",
    .summary = "train a run again and compare the weights' bits",
    .details =
        "Reads RUN/experiment.yaml, makes sure that the data are those that RUN/provenance.json knows, trains, "
        "and compares the\n"
        "SHA-256 of the weights with the run's, and each row of metrics.tsv but for its columns of time. "
        "Nothing is written.\n"
        "\n"
        "key=value may change what changes no bit: parallel.threads=1 parallel.reduction=owner, and where the "
        "data lie.\n"
        "Exit status 1 where anything differs; 2 for a run whose reduction isn't reproducible, of which no other "
        "run has the\n"
        "weights.",
    .options = {{"json", NULL, "print one JSON object: run, weights_sha256, again, same, metrics_rows, metrics_equal"},
                {"quiet", NULL, "no line an epoch"}},
    .least = 1,
    .most = 1,
    .what = "a run folder",
    .overrides = true,
    .run = run_verify,
};
