#include "cli/data.h"

#include <stdio.h>
#include <unistd.h>

static const char *const part_names[] = {[DT_TRAIN] = "train", [DT_TEST] = "test", [DT_VALIDATION] = "validation"};

static const dt_source *source_of(const dt_config *config, dt_data_part part)
{
    const dt_data_spec *data = &config->experiment.data;
    return part == DT_TRAIN ? &data->train : part == DT_TEST ? &data->test : &data->validation;
}

dt_status dt_data_open(dt_dataset **dataset, const dt_config *config, dt_data_part part, dt_error *error)
{
    const dt_source *source = source_of(config, part);
    *dataset = NULL;
    if (!source->inputs)
        return DT_OK;
    dt_status status = dt_dataset_open(dataset, config->experiment.data.format, source, error);
    if (status == DT_NOT_FOUND) {
        char path[48];
        bool inputs = access(source->inputs, R_OK) != 0;
        snprintf(path, sizeof path, "data.%s.%s", part_names[part], inputs ? "inputs" : "labels");
        dt_config_place(config, path, error);
    }
    return status;
}

dt_status dt_data_open_all(dt_data *data, const dt_config *config, dt_error *error)
{
    *data = (dt_data){0};
    dt_status status = dt_data_open(&data->train, config, DT_TRAIN, error);
    if (status == DT_OK)
        status = dt_data_open(&data->test, config, DT_TEST, error);
    if (status == DT_OK)
        status = dt_data_open(&data->validation, config, DT_VALIDATION, error);
    return status;
}

void dt_data_close(dt_data *data)
{
    dt_dataset_destroy(data->train);
    dt_dataset_destroy(data->test);
    dt_dataset_destroy(data->validation);
    *data = (dt_data){0};
}

dt_trainer_data dt_data_view(const dt_data *data)
{
    return (dt_trainer_data){.train = data->train, .validation = data->validation, .test = data->test};
}
