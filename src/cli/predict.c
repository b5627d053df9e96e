/* deltoid predict: a finished run's model on new samples. */
#define DT_PRECISION 64 /* probabilities are computed in double, whatever the network's precision */

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/split.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/network.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "data/columns.h"
#include "data/detect.h"
#include "deltoid/record.h"
#include "kernels/elementary.h"
#include "record/prediction.h"

enum { CHUNK = 4096 };

static const char *const kind_names[] = {
    [DT_OUTPUT_SCORES] = "score", [DT_OUTPUT_SOFTMAX] = "probability", [DT_OUTPUT_SIGMOID] = "probability"};

typedef struct predictor {
    dt_config config;
    dt_transform *transform;
    dt_dataset *samples;
    dt_network network;
    int64_t outputs;
    dt_targets targets;
    dt_output kind;
    const char **names; /* (outputs) */
    dt_arena arena;
    dt_columns columns;
    void *z;          /* (CHUNK, outputs), in the network's precision */
    double *answers;  /* (CHUNK, outputs) */
    int64_t *classes; /* (CHUNK) */
    dt_prediction *hdf5;
    dt_new_file file; /* of TSV; without it standard output */
    bool to_file;
} predictor;

/* --- what is read --- */

static dt_status open_run(predictor *p, const dt_arguments *arguments, char **model, dt_error *error)
{
    const char *run = arguments->positional[0];
    const size_t size = strlen(run) + 32;
    char *experiment = dt_arena_allocate(&p->arena, size, 1);
    *model = dt_arena_allocate(&p->arena, size, 1);
    if (!experiment || !*model)
        return dt_fail_memory(error, "a path");
    snprintf(experiment, size, "%s/experiment.yaml", run);
    snprintf(*model, size, "%s/model.h5", run);
    if (access(experiment, F_OK) != 0)
        return dt_fail(error, DT_NOT_FOUND, "%s: %s; give the folder of a run", experiment, strerror(errno));
    return dt_config_open(&p->config, experiment, arguments->overrides, arguments->override_count, error);
}

static dt_status open_samples(predictor *p, const dt_arguments *arguments, const char *model, dt_error *error)
{
    const char *path = arguments->positional[1], *format = dt_argument(arguments, "format");
    dt_data_spec *data = &p->config.experiment.data;
    dt_status status = dt_model_read_transform(model, &p->transform, error);
    if (status == DT_OK && !format)
        status = dt_data_detect(&format, path, error);
    if (status != DT_OK)
        return status;
    data->format = format;
    return dt_dataset_open_new(&p->samples, data, &(dt_source){.inputs = path}, p->transform, error);
}

static dt_status open_network(predictor *p, const char *model, dt_error *error)
{
    const dt_experiment *e = &p->config.experiment;
    p->outputs = e->network[e->layer_count - 1].units;
    p->targets = e->data.targets;
    p->kind = dt_network_output(e->loss);
    return dt_network_open(&p->network, &p->config, p->samples->features, model, error);
}

static dt_status make_room(predictor *p, dt_error *error)
{
    const size_t n = (size_t)p->outputs;
    size_t numbers;
    char room[24];
    p->names = dt_arena_allocate(&p->arena, n, sizeof *p->names);
    if (!dt_multiply(CHUNK, n, &numbers))
        return dt_fail_memory(error, "answers");
    p->z = dt_allocate_array(numbers, sizeof(double));
    p->answers = dt_allocate_array(numbers, sizeof *p->answers);
    p->classes = dt_allocate(CHUNK, sizeof *p->classes);
    bool good = p->names && p->z && p->answers && p->classes;
    dt_status status = DT_OK;
    if (p->transform && p->transform->columns) /* whatever format the samples have */
        status = dt_columns_parse(&p->columns, p->transform->columns, "model.h5", error);
    if (status != DT_OK)
        return status;
    for (int64_t j = 0; good && j < p->outputs; j++) {
        const bool named = p->targets == DT_TARGETS_CLASSES && j < (int64_t)p->columns.class_count;
        p->names[j] =
            dt_arena_duplicate(&p->arena, named ? p->columns.classes[j] : dt_dataset_label_name(p->samples, j, room));
        good = p->names[j] != NULL;
    }
    return good ? DT_OK : dt_fail_memory(error, "answers");
}

/* --- what is answered --- */

/* Softmax with the largest z taken off, so that nothing overflows; the sum runs in the order of the classes. */
static void softmax(int64_t n, double *a)
{
    double most = a[0], sum = 0;
    for (int64_t j = 1; j < n; j++)
        most = a[j] > most ? a[j] : most;
    for (int64_t j = 0; j < n; j++)
        sum += a[j] = dt_exp(a[j] - most);
    for (int64_t j = 0; j < n; j++)
        a[j] /= sum;
}

static void answer_row(const predictor *p, int64_t i)
{
    const int64_t n = p->outputs;
    double *a = p->answers + i * n;
    const bool single = p->config.experiment.precision == DT_FLOAT32;
    p->classes[i] = 0;
    for (int64_t j = 0; j < n; j++) {
        a[j] = single ? (double)((const float *)p->z)[i * n + j] : ((const double *)p->z)[i * n + j];
        p->classes[i] = a[j] > a[p->classes[i]] ? j : p->classes[i];
    }
    if (p->kind == DT_OUTPUT_SOFTMAX)
        softmax(n, a);
    for (int64_t j = 0; p->kind == DT_OUTPUT_SIGMOID && j < n; j++)
        a[j] = 1 / (1 + dt_exp(-a[j]));
}

/* --- what is written --- */

static void add_name(dt_text *text, const char *name)
{
    for (; *name; name++) /* a tab or a line end in a name would make columns and rows */
        dt_text_add(text, "%c", (unsigned char)*name < 0x20 ? ' ' : *name);
}

static dt_status write_text(predictor *p, dt_text *text, dt_error *error)
{
    dt_status status = text->failed ? dt_fail_memory(error, "answers") : DT_OK;
    if (status == DT_OK && p->to_file)
        status = dt_write_all(p->file.fd, text->bytes, text->length, p->file.path, error);
    else if (status == DT_OK)
        fputs(text->bytes, stdout);
    dt_text_clear(text);
    return status;
}

static dt_status write_header(predictor *p, dt_error *error)
{
    dt_text text = {0};
    dt_text_add(&text, "row%s", p->targets == DT_TARGETS_CLASSES ? "\tclass" : "");
    for (int64_t j = 0; j < p->outputs; j++) {
        dt_text_add(&text, "\t%s_", p->targets == DT_TARGETS_REGRESSION ? "value" : kind_names[p->kind]);
        add_name(&text, p->names[j]);
    }
    dt_text_add(&text, "\n");
    return write_text(p, &text, error);
}

static dt_status write_rows(predictor *p, int64_t first, int64_t count, dt_error *error)
{
    dt_text text = {0};
    const int digits = p->config.experiment.precision == DT_FLOAT32 ? 9 : 17;
    if (p->hdf5)
        return dt_prediction_put(p->hdf5, first, count, p->answers,
                                 p->targets == DT_TARGETS_CLASSES ? p->classes : NULL, error);
    for (int64_t i = 0; i < count; i++) {
        dt_text_add(&text, "%" PRId64, first + i);
        if (p->targets == DT_TARGETS_CLASSES) {
            dt_text_add(&text, "\t");
            add_name(&text, p->names[p->classes[i]]);
        }
        for (int64_t j = 0; j < p->outputs; j++)
            dt_text_add(&text, "\t%.*g", digits, p->answers[i * p->outputs + j]);
        dt_text_add(&text, "\n");
    }
    return write_text(p, &text, error);
}

static bool ends_with(const char *text, const char *ending)
{
    const size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

static dt_status open_answers(predictor *p, const char *out, dt_error *error)
{
    if (out && access(out, F_OK) == 0)
        return dt_fail(error, DT_EXISTS, "%s: is there already and is not overwritten; give another name", out);
    if (out && (ends_with(out, ".h5") || ends_with(out, ".hdf5")))
        return dt_prediction_create(&p->hdf5, out, p->samples->rows, p->outputs, p->names,
                                    p->targets == DT_TARGETS_REGRESSION ? "value" : kind_names[p->kind],
                                    p->targets == DT_TARGETS_CLASSES, error);
    dt_status status = out ? dt_new_file_begin(&p->file, out, error) : DT_OK;
    p->to_file = out && status == DT_OK;
    return status == DT_OK ? write_header(p, error) : status;
}

static dt_status answer_all(predictor *p, dt_error *error)
{
    int64_t index[CHUNK];
    dt_status status = DT_OK;
    for (int64_t first = 0; status == DT_OK && first < p->samples->rows; first += CHUNK) {
        const int64_t count = dt_min(CHUNK, p->samples->rows - first);
        for (int64_t i = 0; i < count; i++)
            index[i] = first + i;
        status = dt_trainer_outputs(p->network.trainer, p->samples, (dt_rows){count, index}, p->z, error);
        for (int64_t i = 0; status == DT_OK && i < count; i++)
            answer_row(p, i);
        if (status == DT_OK)
            status = write_rows(p, first, count, error);
    }
    return status;
}

static dt_status close_answers(predictor *p, dt_status status, dt_error *error)
{
    if (p->hdf5) {
        const dt_status closed = dt_prediction_close(p->hdf5, status == DT_OK, error);
        return status == DT_OK ? closed : status;
    }
    if (p->to_file && status == DT_OK)
        return dt_new_file_publish(&p->file, false, error);
    if (p->to_file)
        dt_new_file_discard(&p->file);
    return status == DT_OK ? dt_terminal_flush(error) : status;
}

static void clear(predictor *p)
{
    dt_network_close(&p->network);
    dt_dataset_destroy(p->samples);
    dt_transform_destroy(p->transform);
    dt_config_clear(&p->config);
    dt_release(p->z);
    dt_release(p->answers);
    dt_release(p->classes);
    dt_columns_clear(&p->columns);
    dt_arena_clear(&p->arena);
}

static dt_status run_predict(const dt_arguments *arguments, dt_error *error)
{
    predictor p = {.outputs = 0};
    char *model = NULL;
    dt_status status = open_run(&p, arguments, &model, error);
    if (status == DT_OK)
        status = open_samples(&p, arguments, model, error);
    if (status == DT_OK)
        status = open_network(&p, model, error);
    if (status == DT_OK)
        status = make_room(&p, error);
    if (status == DT_OK)
        status = open_answers(&p, dt_argument(arguments, "out"), error);
    if (status == DT_OK)
        status = answer_all(&p, error);
    status = close_answers(&p, status, error);
    clear(&p);
    return status;
}

const dt_command dt_command_predict = {
    .name = "predict",
    .usage = "RUN INPUTS [key=value ...] [--out FILE] [--format NAME]",
    .summary = "classes, probabilities or values for new samples",
    .details =
        "Runs the model of RUN on the samples of INPUTS, read as the training data were: with their scale or "
        "transform, "
        "and the\n"
        "words of their tables. INPUTS is a file of any format, FILE:/NAME where a file holds several arrays; labels "
        "in "
        "it are\n"
        "not needed and not looked at.\n"
        "\n"
        "A line for each sample: its row from 0, its class where there are classes, and a number for each unit of the "
        "last layer:\n"
        "its probability (softmax after cross_entropy and kl_divergence, sigmoid after binary_cross_entropy), the "
        "value "
        "that was fitted,\n"
        "or the score z.",
    .options = {{"out", "FILE", "write to a new file, HDF5 where its name ends in .h5; else to standard output"},
                {"format", "NAME", "of INPUTS; default: what its first bytes say (deltoid help formats)"}},
    .least = 2,
    .most = 2,
    .what = "a run folder and a file of samples",
    .overrides = true,
    .run = run_predict,
};
