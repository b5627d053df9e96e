/* deltoid eval: a finished run's model on its test set. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/data.h"
#include "cli/format.h"
#include "cli/schema.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "deltoid/record.h"

enum { MATRIX_CLASSES_MAX = 32 }; /* a wider table fits no terminal */

typedef struct evaluation {
    const char *run;
    int64_t rows, classes;
    dt_evaluation figures;
    int64_t *confusion; /* (classes, classes), true class by row; NULL where the data have no classes */
} evaluation;

static int64_t row_sum(const evaluation *v, int64_t c)
{
    int64_t sum = 0;
    for (int64_t j = 0; j < v->classes; j++)
        sum += v->confusion[c * v->classes + j];
    return sum;
}

static int64_t column_sum(const evaluation *v, int64_t c)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < v->classes; i++)
        sum += v->confusion[i * v->classes + c];
    return sum;
}

static double share(int64_t part, int64_t whole)
{
    return whole ? (double)part / (double)whole : NAN;
}

static void add_share(dt_text *text, double value, int width)
{
    if (isfinite(value))
        dt_text_add(text, "%*.3f", width, value);
    else
        dt_text_add(text, "%*s", width, "-");
}

static int digits(int64_t n)
{
    char text[24];
    return snprintf(text, sizeof text, "%" PRId64, n);
}

/* Rows: the class a sample has; columns: the class it was given. */
static void add_matrix(dt_text *text, const evaluation *v)
{
    int64_t k = v->classes, largest = k - 1;
    for (int64_t i = 0; i < k * k; i++)
        largest = v->confusion[i] > largest ? v->confusion[i] : largest;
    int width = digits(largest) < 5 ? 6 : digits(largest) + 1; /* at least that of a precision */
    dt_text_add(text, "\n%-9s %s\n%9s", "true", "predicted", "");
    for (int64_t j = 0; j < k; j++)
        dt_text_add(text, "%*" PRId64, width, j);
    dt_text_add(text, "  recall\n");
    for (int64_t i = 0; i < k; i++) {
        dt_text_add(text, "%9" PRId64, i);
        for (int64_t j = 0; j < k; j++)
            dt_text_add(text, "%*" PRId64, width, v->confusion[i * k + j]);
        add_share(text, share(v->confusion[i * k + i], row_sum(v, i)), 8);
        dt_text_add(text, "\n");
    }
    dt_text_add(text, "precision");
    for (int64_t j = 0; j < k; j++)
        add_share(text, share(v->confusion[j * k + j], column_sum(v, j)), width);
    dt_text_add(text, "\n");
}

/* Where the matrix is too wide: its sums. */
static void add_classes(dt_text *text, const evaluation *v)
{
    dt_text_add(text, "\n%8s  %9s  %9s  %9s\n", "class", "samples", "recall", "precision");
    for (int64_t i = 0; i < v->classes; i++) {
        int64_t right = v->confusion[i * v->classes + i], rows = row_sum(v, i);
        dt_text_add(text, "%8" PRId64 "  %9" PRId64, i, rows);
        add_share(text, share(right, rows), 11);
        add_share(text, share(right, column_sum(v, i)), 11);
        dt_text_add(text, "\n");
    }
}

static void add_text(dt_text *text, const evaluation *v)
{
    char rows[DT_FORMAT_SIZE];
    dt_text_add(text, "run       %s\nsamples   %s\nloss      %.6f\n", v->run, dt_format_count(v->rows, rows),
                v->figures.loss);
    if (!isnan(v->figures.accuracy))
        dt_text_add(text, "accuracy  %.4f\n", v->figures.accuracy);
    if (!v->confusion)
        return;
    if (v->classes <= MATRIX_CLASSES_MAX)
        add_matrix(text, v);
    else
        add_classes(text, v);
}

static void add_json(dt_text *text, const evaluation *v)
{
    dt_text_add(text, "{\"run\": ");
    dt_text_add_json(text, v->run);
    dt_text_add(text, ", \"rows\": %" PRId64 ", \"loss\": ", v->rows);
    dt_text_add_json_real(text, v->figures.loss);
    dt_text_add(text, ", \"accuracy\": ");
    dt_text_add_json_real(text, v->figures.accuracy);
    if (!v->confusion) {
        dt_text_add(text, "}\n");
        return;
    }
    dt_text_add(text, ", \"recall\": [");
    for (int64_t i = 0; i < v->classes; i++) {
        dt_text_add(text, "%s", i ? ", " : "");
        dt_text_add_json_real(text, share(v->confusion[i * v->classes + i], row_sum(v, i)));
    }
    dt_text_add(text, "], \"confusion\": [");
    for (int64_t i = 0; i < v->classes; i++) {
        dt_text_add(text, "%s[", i ? ", " : "");
        for (int64_t j = 0; j < v->classes; j++)
            dt_text_add(text, "%s%" PRId64, j ? ", " : "", v->confusion[i * v->classes + j]);
        dt_text_add(text, "]");
    }
    dt_text_add(text, "]}\n");
}

/* The network alone is wanted: the test set gives the trainer its shape, and nothing is split from it or captured. */
static dt_status evaluate(evaluation *v, dt_config *config, const dt_dataset *test, const char *model, dt_error *error)
{
    dt_experiment *e = &config->experiment;
    e->data.validation_fraction = 0;
    e->capture_count = 0;
    v->rows = test->rows;
    v->classes = e->network[e->layer_count - 1].units;
    if (test->classes > v->classes) {
        dt_fail(error, DT_INVALID,
                "data.test: has label %" PRId64 ", but the run's network has %" PRId64
                " classes; name data that it was trained for",
                test->classes - 1, v->classes);
        dt_schema_place(error, config->root);
        return DT_INVALID;
    }
    dt_trainer *trainer = NULL;
    dt_status status = dt_trainer_create(&trainer, e, &(dt_trainer_data){.train = test}, error);
    if (status != DT_OK) {
        dt_schema_place(error, config->root);
        return status;
    }
    status = dt_model_read(model, trainer, error);
    size_t count = 0;
    if (status == DT_OK && !dt_multiply((size_t)v->classes, (size_t)v->classes, &count))
        status = dt_fail_memory(error, "the confusion matrix");
    if (status == DT_OK && test->kind == DT_TARGETS_CLASSES &&
        !(v->confusion = dt_allocate_zeroed(count, sizeof *v->confusion)))
        status = dt_fail_memory(error, "the confusion matrix");
    if (status == DT_OK)
        status = dt_trainer_evaluate(trainer, test, &v->figures, v->confusion, error);
    dt_trainer_destroy(trainer);
    return status;
}

static dt_status print(const evaluation *v, bool json, dt_error *error)
{
    dt_text text = {0};
    if (json)
        add_json(&text, v);
    else
        add_text(&text, v);
    dt_status status = text.failed ? dt_fail_memory(error, "the table") : DT_OK;
    if (status == DT_OK)
        fputs(text.bytes, stdout);
    dt_text_clear(&text);
    return status == DT_OK ? dt_terminal_flush(error) : status;
}

/* The files of a run's folder; or of a model or checkpoint, whose experiment lies beside it, or one folder above. */
static void name_files(const char *run, char *experiment, char *model, size_t size)
{
    struct stat there;
    snprintf(experiment, size, "%s/experiment.yaml", run);
    snprintf(model, size, "%s/model.h5", run);
    if (stat(run, &there) != 0 || !S_ISREG(there.st_mode))
        return;
    const char *slash = strrchr(run, '/');
    const int folder = slash ? (int)(slash - run) + 1 : 0;
    snprintf(model, size, "%s", run);
    snprintf(experiment, size, "%.*sexperiment.yaml", folder, run);
    if (access(experiment, F_OK) != 0)
        snprintf(experiment, size, "%.*s../experiment.yaml", folder, run);
}

static dt_status run_eval(const dt_arguments *arguments, dt_error *error)
{
    evaluation v = {.run = arguments->positional[0]};
    char *experiment, *model;
    dt_arena arena = {0};
    dt_status status = DT_OK;
    size_t size = strlen(v.run) + 32;
    experiment = dt_arena_allocate(&arena, size, 1);
    model = dt_arena_allocate(&arena, size, 1);
    if (!experiment || !model) {
        dt_arena_clear(&arena);
        return dt_fail_memory(error, "a path");
    }
    name_files(v.run, experiment, model, size);

    dt_config config = {0};
    dt_dataset *test = NULL;
    dt_transform *transform = NULL;
    if (access(experiment, F_OK) != 0)
        status = dt_fail(error, DT_NOT_FOUND, "%s: %s; give the folder of a run", experiment, strerror(errno));
    else
        status = dt_config_open(&config, experiment, arguments->overrides, arguments->override_count, error);
    if (status == DT_OK)
        status = dt_model_read_transform(model, &transform, error);
    if (status == DT_OK)
        status = dt_data_open(&test, &config, DT_TEST, transform, error);
    if (status == DT_OK && !test)
        status = dt_fail(error, DT_INVALID, "%s: names no test set; give data.test.inputs=FILE data.test.labels=FILE",
                         experiment);
    if (status == DT_OK)
        status = evaluate(&v, &config, test, model, error);
    if (status == DT_OK)
        status = print(&v, dt_argument(arguments, "json") != NULL, error);
    dt_transform_destroy(transform);
    dt_release(v.confusion);
    dt_dataset_destroy(test);
    dt_config_clear(&config);
    dt_arena_clear(&arena);
    return status;
}

const dt_command dt_command_eval = {
    .name = "eval",
    .usage = "RUN [key=value ...] [--json]",
    .summary = "test loss, accuracy and confusion matrix of a run",
    .details =
        "Reads RUN/experiment.yaml and RUN/model.h5 and runs the network on the experiment's test set. key=value "
        "changes the\n"
        "experiment, so that other data can be tested: data.test.inputs=FILE data.test.labels=FILE\n"
        "RUN may also be a model or checkpoint in a run's folder: RUN/checkpoints/best.h5\n"
        "\n"
        "The confusion matrix has a row for each class that samples have, and a column for each class they were "
        "given;\n"
        "recall is the share of a class's samples that were given it. With more than 32 classes its sums are printed.",
    .options = {{"json", NULL, "print one JSON object: run, rows, loss, accuracy, recall, confusion"}},
    .least = 1,
    .most = 1,
    .what = "a run folder",
    .overrides = true,
    .run = run_eval,
};
