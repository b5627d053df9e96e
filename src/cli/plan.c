#include "cli/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/split.h"
#include "cli/format.h"
#include "cli/schema.h"
#include "cli/strategy.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "data/feed.h"
#include "deltoid/record.h"
#include "train/keys.h"
#include "train/step.h"

typedef struct plan {
    const dt_experiment *experiment;
    const dt_trainer_data *data;
    dt_trainer_info info;
    int64_t units[DT_LAYERS_MAX + 1];
    dt_capture_size rules[DT_RULES_MAX], all;
    uint64_t data_bytes, worker_bytes, checkpoint_bytes, model_bytes, capture_bytes, bytes;
} plan;

static uint64_t dataset_bytes(const dt_dataset *d)
{
    static const uint64_t sizes[] = {[DT_U8] = 1, [DT_F32] = 4, [DT_F64] = 8};
    if (!d)
        return 0;
    const uint64_t answers = d->targets ? (uint64_t)d->outputs * sizeof *d->targets : sizeof *d->labels;
    if (d->start)
        return (uint64_t)d->start[d->rows] * (sizes[d->element] + sizeof *d->column) +
               (uint64_t)d->rows * (sizeof *d->start + answers);
    if (d->feed)
        return dt_feed_bytes(dt_feed_sizes_of(d->feed)) + dt_feed_sizes_of(d->feed)->reader +
               (uint64_t)d->rows * answers;
    return (uint64_t)d->rows * ((uint64_t)d->features * sizes[d->element] + answers);
}

/* The weights of the largest layer, unit by unit, as a model's file has them. */
static uint64_t model_bytes(const plan *p)
{
    uint64_t most = 0;
    for (size_t l = 1; l <= p->experiment->layer_count; l++) {
        const uint64_t weights = (uint64_t)p->units[l] * (uint64_t)p->units[l - 1];
        most = weights > most ? weights : most;
    }
    return most * dt_precision_size(p->experiment->precision);
}

/* The copy of weights and state that is written while training goes on. */
static uint64_t checkpoint_bytes(const plan *p)
{
    uint64_t arrays = 1 + p->experiment->early_stopping.restore_best;
    for (int i = 0; dt_step_state_name(p->experiment, i); i++)
        arrays++;
    return arrays * (uint64_t)p->info.parameters * dt_precision_size(p->experiment->precision);
}

static dt_status make(plan *p, const dt_config *config, const dt_trainer_data *data, dt_error *error)
{
    const dt_experiment *e = &config->experiment;
    *p = (plan){.experiment = e, .data = data};
    dt_status status = dt_trainer_plan(e, data, &p->info, error);
    if (status != DT_OK) {
        dt_schema_place(error, config->root);
        return status;
    }
    p->units[0] = p->info.features;
    for (size_t l = 0; l < e->layer_count; l++)
        p->units[l + 1] = e->network[l].units;
    for (size_t r = 0; r < e->capture_count && status == DT_OK; r++)
        status = dt_capture_predict(e, &p->info, p->units, (int)r, &p->rules[r], error);
    if (status == DT_OK && e->capture_count)
        status = dt_capture_predict(e, &p->info, p->units, -1, &p->all, error);
    if (status != DT_OK) {
        dt_schema_place(error, config->root);
        return status;
    }
    const uint64_t order = (uint64_t)p->info.train_rows * sizeof(int64_t);
    p->data_bytes = dataset_bytes(data->train) + dataset_bytes(data->test) + dataset_bytes(data->validation) + order;
    p->worker_bytes = (uint64_t)p->info.workers * p->info.bytes_per_worker;
    p->checkpoint_bytes = checkpoint_bytes(p);
    p->model_bytes = model_bytes(p);
    p->capture_bytes = p->all.memory_bytes;
    p->bytes = p->data_bytes + p->info.parameter_bytes + p->worker_bytes + p->info.activation_bytes +
               p->checkpoint_bytes + p->model_bytes + p->capture_bytes;
    return DT_OK;
}

static void print_layers(const plan *p)
{
    char units[DT_FORMAT_SIZE], inputs[DT_FORMAT_SIZE], parameters[DT_FORMAT_SIZE];
    printf("\n%5s  %9s  %9s  %14s  %-11s %s\n", "layer", "units", "inputs", "parameters", "activation", "init");
    for (size_t l = 0; l < p->experiment->layer_count; l++) {
        const dt_layer_spec *layer = &p->experiment->network[l];
        printf("%5zu  %9s  %9s  %14s  %-11s %s\n", l + 1, dt_format_count(layer->units, units),
               dt_format_count(p->units[l], inputs), dt_format_count(layer->units * (p->units[l] + 1), parameters),
               l + 1 < p->experiment->layer_count ? layer->activation : "-", layer->init);
    }
    printf("%5s  %9s  %9s  %14s\n", "all", "", "", dt_format_count(p->info.parameters, parameters));
}

static void print_bytes(const char *what, uint64_t bytes, const char *note)
{
    char text[DT_FORMAT_SIZE];
    printf("  %-22s %11s%s%s\n", what, dt_format_bytes(bytes, text), *note ? "  " : "", note);
}

static void print_memory(const plan *p)
{
    char note[80], each[DT_FORMAT_SIZE];
    printf("\nmemory\n");
    print_bytes("data sets", p->data_bytes, "and the order of the training rows");
    print_bytes("parameters", p->info.parameter_bytes,
                p->experiment->capture_count ? "weights, biases, the optimizer's state, the gradient to capture"
                                             : "weights, biases, the optimizer's state");
    snprintf(note, sizeof note, "%" PRId64 " x %s: gradient buffers and scratch", p->info.workers,
             dt_format_bytes(p->info.bytes_per_worker, each));
    print_bytes("workers", p->worker_bytes, note);
    print_bytes("activations", p->info.activation_bytes, "z, a and delta of a minibatch and of an evaluation");
    print_bytes("checkpoint", p->checkpoint_bytes, "a copy of weights and state, while it is written");
    print_bytes("model", p->model_bytes, "a layer's weights, while they are written at the end");
    if (p->capture_bytes)
        print_bytes("capture", p->capture_bytes, "its queue");
    print_bytes("in all", p->bytes, "");
}

static void print_capture(const plan *p)
{
    char steps[DT_FORMAT_SIZE], each[DT_FORMAT_SIZE], bytes[DT_FORMAT_SIZE];
    if (!p->experiment->capture_count)
        return;
    printf("\n%-22s  %9s  %11s  %11s\n", "capture", "steps", "a step", "capture.h5");
    for (size_t r = 0; r < p->experiment->capture_count; r++)
        printf("  %-20s  %9s  %11s  %11s\n", p->experiment->capture[r].name, dt_format_count(p->rules[r].steps, steps),
               dt_format_bytes(p->rules[r].step_bytes, each), dt_format_bytes(p->rules[r].file_bytes, bytes));
    printf("  %-20s  %9s  %11s  %11s\n", "all", "", "", dt_format_bytes(p->all.file_bytes, bytes));
}

static void print_strategy(const plan *p)
{
    dt_text text = {0};
    dt_strategy_add(&text, &p->info);
    printf("reduction   %s\n", text.bytes ? text.bytes : p->info.reduction);
    dt_text_clear(&text);
}

/* Where the inputs are, and the order of an epoch, when it is not that of all rows together. */
static void print_windows(const dt_dataset *d)
{
    char windows[DT_FORMAT_SIZE], rows[DT_FORMAT_SIZE], block[DT_FORMAT_SIZE];
    if (!d->feed && d->windows <= 1)
        return;
    printf("windows     %s of up to %s rows, drawn in blocks of %s; %s\n", dt_format_count(d->windows, windows),
           dt_format_count(dt_min(dt_ceil_div(dt_ceil_div(d->rows, d->block), d->windows) * d->block, d->rows), rows),
           dt_format_count(d->block, block),
           !d->feed          ? "all are in memory"
           : d->windows <= 1 ? "read once"
                             : "one is read while another is trained on");
}

static void print_text(const plan *p)
{
    const dt_experiment *e = p->experiment;
    const dt_trainer_info *i = &p->info;
    char a[DT_FORMAT_SIZE], b[DT_FORMAT_SIZE], c[DT_FORMAT_SIZE], d[DT_FORMAT_SIZE];
    printf("experiment  %s, seed %" PRIu64 ", %s\n", e->name, e->seed, dt_precision_name(e->precision));
    printf("data        %s training rows, %s validation, %s test; %s features\n", dt_format_count(i->train_rows, a),
           dt_format_count(i->validation_rows, b), dt_format_count(i->test_rows, c), dt_format_count(i->features, d));
    if (p->data->train->start)
        printf("sparse      %.3g %% of the inputs are held; %s\n", 100 * i->density,
               i->sparse ? "layer 1 skips the rest" : "layer 1 multiplies by all (data.sparse)");
    print_windows(p->data->train);
    printf("steps       %s epochs of %s minibatches of %s: %s\n", dt_format_count(e->training.epochs, a),
           dt_format_count(i->steps_per_epoch, b), dt_format_count(e->training.batch_size, c),
           dt_format_count(e->training.epochs * i->steps_per_epoch, d));
    printf("workers     %" PRId64 " (%s); %" PRId64 " shards of %" PRId64 " samples\n", i->workers, i->isa, i->shards,
           i->shard_size);
    print_strategy(p);
    print_layers(p);
    print_memory(p);
    print_capture(p);
    printf("\nnothing was made: this was a dry run\n");
}

static void add_json(const plan *p, dt_text *t)
{
    const dt_experiment *e = p->experiment;
    const dt_trainer_info *i = &p->info;
    dt_text_add(t, "{\"name\": ");
    dt_text_add_json(t, e->name);
    dt_text_add(t,
                ", \"train_rows\": %" PRId64 ", \"validation_rows\": %" PRId64 ", \"test_rows\": %" PRId64
                ", \"features\": %" PRId64,
                i->train_rows, i->validation_rows, i->test_rows, i->features);
    dt_text_add(t,
                ", \"epochs\": %" PRId64 ", \"steps_per_epoch\": %" PRId64 ", \"workers\": %" PRId64
                ", \"shard_size\": %" PRId64 ", \"shards\": %" PRId64
                ", \"isa\": \"%s\", \"reduction\": \"%s\", \"groups\": %" PRId64
                ", \"choice\": \"%s\", \"deterministic\": %s, \"sparse\": %s, \"density\": %.17g, \"streamed\": %s"
                ", \"windows\": %" PRId64 ", \"block\": %" PRId64 ", \"layers\": [",
                e->training.epochs, i->steps_per_epoch, i->workers, i->shard_size, i->shards, i->isa, i->reduction,
                i->groups, i->choice, i->deterministic ? "true" : "false", i->sparse ? "true" : "false", i->density,
                p->data->train->feed ? "true" : "false", p->data->train->windows, p->data->train->block);
    for (size_t l = 0; l < e->layer_count; l++)
        dt_text_add(t, "%s{\"units\": %" PRId64 ", \"inputs\": %" PRId64 ", \"activation\": \"%s\", \"init\": \"%s\"}",
                    l ? ", " : "", e->network[l].units, p->units[l], e->network[l].activation, e->network[l].init);
    dt_text_add(t,
                "], \"parameters\": %" PRId64 ", \"memory\": {\"data\": %" PRIu64
                ", \"parameters\": %zu, \"worker\": %zu"
                ", \"activations\": %zu, \"checkpoint\": %" PRIu64 ", \"model\": %" PRIu64 ", \"capture\": %" PRIu64
                ", \"all\": %" PRIu64 "}, \"capture\": {",
                i->parameters, p->data_bytes, i->parameter_bytes, i->bytes_per_worker, i->activation_bytes,
                p->checkpoint_bytes, p->model_bytes, p->capture_bytes, p->bytes);
    for (size_t r = 0; r < e->capture_count; r++)
        dt_text_add(t, "%s\"%s\": {\"steps\": %" PRId64 ", \"step_bytes\": %" PRIu64 ", \"bytes\": %" PRIu64 "}",
                    r ? ", " : "", e->capture[r].name, p->rules[r].steps, p->rules[r].step_bytes,
                    p->rules[r].file_bytes);
    dt_text_add(t, "}, \"capture_bytes\": %" PRIu64 "}\n", p->all.file_bytes);
}

dt_status dt_plan_print(const dt_config *config, const dt_trainer_data *data, bool json, bool quiet, dt_error *error)
{
    plan p;
    dt_status status = make(&p, config, data, error);
    if (status != DT_OK)
        return status;
    if (json) {
        dt_text text = {0};
        add_json(&p, &text);
        if (text.failed)
            status = dt_fail_memory(error, "the plan");
        else
            fputs(text.bytes, stdout);
        dt_text_clear(&text);
    } else if (!quiet) {
        print_text(&p);
    }
    return status == DT_OK ? dt_terminal_flush(error) : status;
}
