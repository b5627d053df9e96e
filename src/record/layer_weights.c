#include "record/layer_weights.h"

#include <stdio.h>

#include "base/memory.h"

bool dt_weights_array_at(const dt_trainer *trainer, int i, dt_weights_array *array)
{
    const dt_experiment *experiment = dt_trainer_experiment(trainer);
    const int64_t l = i / 2 + 1;
    const bool is_W = i % 2 == 0;
    if (l > (int64_t)experiment->layer_count)
        return false;
    const int64_t units = dt_trainer_units(trainer, l), inputs = dt_trainer_units(trainer, l - 1);
    *array = (dt_weights_array){.rank = is_W ? 2 : 1, .size = {units, is_W ? inputs : 1}};
    array->bytes = (size_t)(array->size[0] * array->size[1]) * dt_precision_size(experiment->precision);
    if (is_W)
        snprintf(array->name, sizeof array->name, DT_WEIGHTS_W, (int)l);
    else
        snprintf(array->name, sizeof array->name, DT_WEIGHTS_B, (int)l);
    return true;
}

dt_status dt_layer_weights_open(dt_layer_weights *weights, const dt_trainer *trainer, dt_error *error)
{
    dt_weights_array array;
    size_t most[2] = {0, 0};
    for (int i = 0; dt_weights_array_at(trainer, i, &array); i++)
        most[i % 2] = array.bytes > most[i % 2] ? array.bytes : most[i % 2];
    *weights = (dt_layer_weights){.trainer = trainer};
    weights->W = dt_allocate_array(most[0], 1);
    weights->b = dt_allocate_array(most[1], 1);
    return weights->W && weights->b ? DT_OK : dt_fail_memory(error, "the model's weights");
}

const void *dt_layer_weights_numbers(dt_layer_weights *weights, int i)
{
    const int64_t l = i / 2 + 1;
    if (weights->l != l)
        dt_trainer_weights(weights->trainer, l, weights->W, weights->b);
    weights->l = l;
    return i % 2 == 0 ? weights->W : weights->b;
}

void dt_layer_weights_close(dt_layer_weights *weights)
{
    dt_release(weights->W);
    dt_release(weights->b);
    *weights = (dt_layer_weights){.trainer = NULL};
}
