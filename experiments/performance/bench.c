/* deltoid as a tool that run.sh measures (tool.h has the protocol). Usage:
 *
 *     performance_bench --units 784,128,10 --batch 32 --threads 2 --reduction tree [--groups N] [--shard-size N] [...]
 *     performance_bench --strategies      the deterministic reductions, one a line
 */
#include <deltoid/deltoid.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

typedef struct bench {
    dt_experiment experiment;
    dt_layer_spec layer[TOOL_LAYERS_MAX];
    dt_dataset *train, *test;
    dt_trainer *trainer;
    int64_t step; /* of the trainer */
} bench;

static void describe(bench *b, const tool_arguments *a)
{
    dt_experiment *e = &b->experiment;
    dt_experiment_init(e);
    e->name = "performance";
    e->seed = a->seed;
    e->data.train = (dt_source){.inputs = "train-images", .labels = "train-labels"};
    e->data.scale = 1.0 / 255;
    e->network = b->layer;
    e->layer_count = (size_t)a->layers;
    for (int64_t l = 1; l <= a->layers; l++)
        b->layer[l - 1] = (dt_layer_spec){
            .units = a->units[l], .activation = l < a->layers ? a->activation : "linear", .init = a->init};
    e->loss = "cross_entropy";
    e->optimizer.learning_rate = a->learning_rate;
    e->training.batch_size = a->batch_size;
    e->parallel.threads = a->threads;
    e->parallel.shard_size = a->shard_size;
    e->parallel.reduction = a->reduction;
    e->parallel.groups = a->groups;
}

static dt_status create(bench *b, dt_error *error)
{
    dt_trainer_destroy(b->trainer);
    b->trainer = NULL;
    b->step = 0;
    return dt_trainer_create(&b->trainer, &b->experiment, &(dt_trainer_data){.train = b->train, .test = b->test},
                             error);
}

/* Samples in the first `step` steps: the last minibatch of an epoch may be short. */
static int64_t samples_until(int64_t step, const dt_trainer_info *info, int64_t batch_size)
{
    const int64_t epochs = step / info->steps_per_epoch, rest = step % info->steps_per_epoch;
    return epochs * info->train_rows + rest * batch_size;
}

static dt_status train(void *self, double minibatches, int64_t *samples, dt_error *error)
{
    bench *b = self;
    const int64_t steps = minibatches < 1 ? 1 : llround(minibatches), batch_size = b->experiment.training.batch_size;
    const dt_status status = dt_trainer_steps(b->trainer, steps, error);
    dt_trainer_info info;
    dt_trainer_describe(b->trainer, &info);
    *samples = samples_until(b->step + steps, &info, batch_size) - samples_until(b->step, &info, batch_size);
    b->step += steps;
    return status;
}

static dt_status accuracy(void *self, int64_t epochs, double *value, dt_error *error)
{
    bench *b = self;
    dt_status status = create(b, error);
    dt_trainer_info info;
    dt_evaluation evaluation = {0, 0};
    if (status == DT_OK) {
        dt_trainer_describe(b->trainer, &info);
        status = dt_trainer_steps(b->trainer, epochs * info.steps_per_epoch, error);
        b->step += epochs * info.steps_per_epoch;
    }
    if (status == DT_OK)
        status = dt_trainer_evaluate(b->trainer, b->test, &evaluation, NULL, error);
    *value = evaluation.accuracy;
    return status;
}

/* Which reductions are deterministic is known of a trainer, or of its plan. */
static int list_strategies(void)
{
    const float inputs[2] = {0, 1};
    const int32_t labels[2] = {0, 1};
    dt_layer_spec layer = {.units = 2, .activation = "linear", .init = "glorot_uniform"};
    dt_dataset *data;
    if (dt_dataset_from_arrays(&data, 2, 1, 2, DT_F32, inputs, labels, NULL) != DT_OK)
        return 3;
    const dt_entry *entry;
    for (size_t i = 0; (entry = dt_table_at(DT_REDUCTIONS, i)); i++) {
        dt_experiment e;
        dt_experiment_init(&e);
        e.name = "strategies";
        e.data.train = (dt_source){.inputs = "made", .labels = "made"};
        e.network = &layer;
        e.layer_count = 1;
        e.loss = "cross_entropy";
        e.parallel.reduction = entry->name;
        dt_trainer_info info;
        if (dt_trainer_plan(&e, &(dt_trainer_data){.train = data}, &info, NULL) == DT_OK && info.deterministic)
            puts(entry->name);
    }
    dt_dataset_destroy(data);
    return 0;
}

int main(int count, char **words)
{
    if (count == 2 && strcmp(words[1], "--strategies") == 0)
        return list_strategies();
    tool_arguments arguments;
    if (!tool_parse(&arguments, count, words))
        return 2;
    bench b = {.train = NULL};
    describe(&b, &arguments);
    dt_error error = {.status = DT_OK};
    dt_status status = tool_open(&b.train, &arguments, "train", &error);
    if (status == DT_OK)
        status = tool_open(&b.test, &arguments, "t10k", &error);
    if (status == DT_OK)
        status = create(&b, &error);
    int result = dt_status_exit(status);
    if (status == DT_OK) {
        dt_trainer_info info;
        dt_trainer_describe(b.trainer, &info);
        printf("ready version=%s isa=%s workers=%lld shard_size=%lld reduction=%s groups=%lld deterministic=%d\n",
               dt_version(), info.isa, (long long)info.workers, (long long)info.shard_size, info.reduction,
               (long long)info.groups, info.deterministic);
        result = tool_serve(&(tool_work){&b, train, accuracy});
    } else {
        fprintf(stderr, "%s: %s\n", words[0], error.message);
        printf("error %s\n", error.message);
    }
    dt_trainer_destroy(b.trainer);
    dt_dataset_destroy(b.train);
    dt_dataset_destroy(b.test);
    return result;
}
