/* An activation of the program's own, sigma(z) = z / (1 + z^2), in a network that learns XOR; its derivative is first
 * checked against finite differences and the gate circuit, as those of the tables are. */
#include <deltoid/deltoid.h>
#include <stdio.h>

static double value(double z)
{
    return z / (1 + z * z);
}

static double derivative(double z)
{
    return (1 - z * z) / ((1 + z * z) * (1 + z * z));
}

static void print(void *context, const dt_check_result *r)
{
    (void)context;
    if (r->quantity == DT_QUANTITY_DW && r->step == 0)
        printf("dW of layer %d against %s: %s\n", (int)r->l, dt_check_against_name(r->against),
               r->right ? "right" : "wrong");
}

int main(void)
{
    static const double x[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    static const int32_t y[4] = {0, 1, 1, 0};
    dt_layer_spec layers[] = {{.units = 8, .activation = "bump", .init = "he_normal"},
                              {.units = 2, .activation = "linear", .init = "glorot_uniform"}};
    dt_experiment experiment;
    dt_experiment_init(&experiment);
    experiment.name = "xor", experiment.loss = "cross_entropy", experiment.precision = DT_FLOAT64;
    experiment.network = layers, experiment.layer_count = 2;
    experiment.data.train = (dt_source){.inputs = "made in memory"};
    experiment.optimizer.learning_rate = 0.5;
    experiment.training.epochs = 500, experiment.training.batch_size = 4;

    dt_error error = {0};
    dt_dataset *data = NULL;
    dt_trainer *trainer = NULL;
    dt_evaluation result = {0};
    bool right = false;
    const dt_own_activation own = {{"bump", "z / (1 + z^2)", "rises to 1/2 at z = 1 and falls"}, value, derivative};
    dt_status status = dt_activation_register(&own, &error);
    if (status == DT_OK)
        status = dt_dataset_from_arrays(&data, 4, 2, 2, DT_F64, x, y, &error);
    if (status == DT_OK)
        status = dt_check(&experiment, data, NULL, print, NULL, &right, &error);
    if (status == DT_OK && !right)
        status = dt_fail(&error, DT_INVALID, "the derivative is wrong");
    if (status == DT_OK)
        status = dt_trainer_create(&trainer, &experiment, &(dt_trainer_data){.train = data}, &error);
    if (status == DT_OK)
        status = dt_trainer_run(trainer, &error);
    if (status == DT_OK)
        status = dt_trainer_evaluate(trainer, data, &result, NULL, &error);
    if (status == DT_OK)
        printf("right %.0f of 4   loss %.4f\n", 4 * result.accuracy, result.loss);
    else
        fprintf(stderr, "%s\n", error.message);
    dt_trainer_destroy(trainer);
    dt_dataset_destroy(data);
    return dt_status_exit(status);
}
