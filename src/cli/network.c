#include "cli/network.h"

#include <string.h>

#include "base/memory.h"
#include "cli/schema.h"
#include "deltoid/record.h"

dt_output dt_network_output(const char *loss)
{
    static const struct {
        const char *loss;
        dt_output output;
    } known[] = {{"cross_entropy", DT_OUTPUT_SOFTMAX},
                 {"kl_divergence", DT_OUTPUT_SOFTMAX},
                 {"binary_cross_entropy", DT_OUTPUT_SIGMOID}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].loss, loss) == 0)
            return known[i].output;
    return DT_OUTPUT_SCORES;
}

/* A trainer wants a training set: one row of zeros with the shape of the samples. */
static dt_status make_stand_in(dt_dataset **stand_in, const dt_experiment *e, int64_t features, dt_error *error)
{
    const int64_t outputs = e->network[e->layer_count - 1].units;
    void *inputs = dt_allocate_zeroed((size_t)features, 1);
    double *targets = dt_allocate_zeroed((size_t)outputs, sizeof *targets);
    const int32_t label = 0;
    dt_status status;
    if (!inputs || !targets)
        status = dt_fail_memory(error, "the network");
    else if (e->data.targets == DT_TARGETS_CLASSES)
        status = dt_dataset_from_arrays(stand_in, 1, features, outputs, DT_U8, inputs, &label, error);
    else
        status =
            dt_dataset_from_targets(stand_in, 1, features, outputs, DT_U8, inputs, e->data.targets, targets, error);
    dt_release(inputs);
    dt_release(targets);
    return status;
}

dt_status dt_network_open(dt_network *network, dt_config *config, int64_t features, const char *model, dt_error *error)
{
    dt_experiment *e = &config->experiment;
    *network = (dt_network){.trainer = NULL};
    e->data.validation_fraction = 0;
    e->capture_count = 0;
    dt_status status = make_stand_in(&network->stand_in, e, features, error);
    if (status == DT_OK)
        status = dt_trainer_create(&network->trainer, e, &(dt_trainer_data){.train = network->stand_in}, error);
    if (status != DT_OK) {
        dt_schema_place(error, config->root);
        return status;
    }
    return dt_model_read(model, network->trainer, error);
}

void dt_network_close(dt_network *network)
{
    dt_trainer_destroy(network->trainer);
    dt_dataset_destroy(network->stand_in);
    *network = (dt_network){.trainer = NULL};
}

dt_status dt_network_begin(dt_trainer *trainer, const dt_config *config, dt_error *error)
{
    const dt_status status = dt_weights_begin(trainer, error);
    if (status != DT_OK)
        dt_schema_place(error, config->root);
    return status;
}
