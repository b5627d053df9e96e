/* Two interleaved spirals, learnt by a network of 2-32-32-2. The weights are the same bits on any number of threads. */
#include <deltoid/deltoid.h>
#include <math.h>
#include <stdio.h>

enum { ROWS = 1000 };

int main(void)
{
    static float x[ROWS][2];
    static int32_t y[ROWS];
    for (int i = 0; i < ROWS; i++) { /* point i of arm i % 2, which winds once around */
        const double t = (double)(i / 2) / (ROWS / 2), angle = 6.283 * t + (y[i] = i % 2) * 3.1416;
        x[i][0] = (float)((t + 0.1) * cos(angle)), x[i][1] = (float)((t + 0.1) * sin(angle));
    }
    dt_error error = {0};
    dt_dataset *data = NULL;
    dt_trainer *trainer = NULL;
    dt_experiment experiment;
    dt_layer_spec layers[] = {{.units = 32, .activation = "relu", .init = "he_normal"},
                              {.units = 32, .activation = "relu", .init = "he_normal"},
                              {.units = 2, .activation = "linear", .init = "glorot_uniform"}};
    dt_experiment_init(&experiment);
    experiment.name = "spirals", experiment.loss = "cross_entropy";
    experiment.network = layers, experiment.layer_count = 3;
    experiment.data.train = (dt_source){.inputs = "made in memory"};
    experiment.optimizer.learning_rate = 0.1, experiment.optimizer.momentum = 0.9;
    experiment.training.epochs = 200, experiment.training.batch_size = 50;

    char weights[65] = "";
    dt_evaluation result = {0};
    dt_status status = dt_dataset_from_arrays(&data, ROWS, 2, 2, DT_F32, x, y, &error);
    if (status == DT_OK)
        status = dt_trainer_create(&trainer, &experiment, &(dt_trainer_data){.train = data}, &error);
    if (status == DT_OK)
        status = dt_trainer_run(trainer, &error);
    if (status == DT_OK)
        status = dt_trainer_evaluate(trainer, data, &result, NULL, &error);
    if (status == DT_OK)
        status = dt_trainer_weights_sha256(trainer, weights, &error);
    if (status == DT_OK)
        printf("accuracy %.3f   loss %.4f   weights %.16s\n", result.accuracy, result.loss, weights);
    else
        fprintf(stderr, "%s\n", error.message);
    dt_trainer_destroy(trainer);
    dt_dataset_destroy(data);
    return dt_status_exit(status);
}
