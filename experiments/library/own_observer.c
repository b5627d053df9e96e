/* An observer of the program's own: the norm of delta in each layer, every 100 steps, from inside the step. Workers
 * show their own samples at the same time, each in a part of its own; nothing is copied, and no bit of the weights
 * changes. */
#include <deltoid/deltoid.h>
#include <math.h>
#include <stdio.h>

enum { LAYERS = 4, BATCH = 64, ROWS = 4096 };

typedef struct norms {
    double squares[LAYERS + 1][BATCH]; /* |delta^l_i|^2; each entry is written by the worker that has sample i */
} norms;

static bool watches(const void *self, int64_t step, int64_t epoch)
{
    (void)self, (void)epoch;
    return step % 100 == 0;
}

static void samples(void *self, const dt_step_view *view, int64_t first, int64_t count)
{
    norms *n = self;
    for (int64_t l = 1; l <= view->layers; l++) {
        const dt_matrix_view delta = dt_step_samples(view, DT_QUANTITY_DELTA, l, first, count);
        for (int64_t i = 0; i < count; i++) {
            const float *row = (const float *)delta.data + i * delta.stride;
            n->squares[l][first + i] = 0;
            for (int64_t j = 0; j < delta.columns; j++)
                n->squares[l][first + i] += (double)row[j] * row[j];
        }
    }
}

static void end(void *self, const dt_step_view *view)
{
    const norms *n = self;
    printf("step %3d   |delta|", (int)view->step);
    for (int64_t l = 1; l <= view->layers; l++) {
        double sum = 0;
        for (int64_t i = 0; i < view->batch; i++)
            sum += n->squares[l][i];
        printf("  %.3e", sqrt(sum / (double)view->batch));
    }
    printf("\n");
}

int main(void)
{
    static float x[ROWS][8];
    static int32_t y[ROWS];
    for (int i = 0; i < ROWS; i++) { /* the bits of i, and whether their number is odd */
        for (int k = 0; k < 8; k++)
            x[i][k] = (float)(i >> k & 1);
        y[i] = __builtin_popcount(i & 255) & 1;
    }
    dt_layer_spec layers[LAYERS] = {{.units = 32, .activation = "relu", .init = "he_normal"},
                                    {.units = 32, .activation = "relu", .init = "he_normal"},
                                    {.units = 32, .activation = "relu", .init = "he_normal"},
                                    {.units = 2, .activation = "linear", .init = "glorot_uniform"}};
    dt_experiment experiment;
    dt_experiment_init(&experiment);
    experiment.name = "parity", experiment.loss = "cross_entropy";
    experiment.network = layers, experiment.layer_count = LAYERS;
    experiment.data.train = (dt_source){.inputs = "made in memory"};
    experiment.optimizer.learning_rate = 0.1, experiment.optimizer.momentum = 0.9;
    experiment.training.epochs = 8, experiment.training.batch_size = BATCH;

    static norms seen;
    dt_error error = {0};
    dt_dataset *data = NULL;
    dt_trainer *trainer = NULL;
    dt_evaluation result = {0};
    dt_status status = dt_dataset_from_arrays(&data, ROWS, 8, 2, DT_F32, x, y, &error);
    if (status == DT_OK)
        status = dt_trainer_create(&trainer, &experiment, &(dt_trainer_data){.train = data}, &error);
    if (status == DT_OK)
        status = dt_trainer_observe(
            trainer, &(dt_observer){.self = &seen, .watches = watches, .samples = samples, .end = end}, &error);
    if (status == DT_OK)
        status = dt_trainer_run(trainer, &error);
    if (status == DT_OK)
        status = dt_trainer_evaluate(trainer, data, &result, NULL, &error);
    if (status == DT_OK)
        printf("accuracy %.3f\n", result.accuracy);
    else
        fprintf(stderr, "%s\n", error.message);
    dt_trainer_destroy(trainer);
    dt_dataset_destroy(data);
    return dt_status_exit(status);
}
