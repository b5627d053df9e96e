#include "cli/data.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/schema.h"

static const dt_source *source_of(const dt_data_spec *data, dt_data_part part)
{
    return part == DT_TRAIN ? &data->train : part == DT_TEST ? &data->test : &data->validation;
}

/* The key whose file can't be read. */
static const char *missing_key(const dt_source *source)
{
    if (source->file)
        return "file";
    return source->inputs && access(source->inputs, R_OK) == 0 ? "labels" : "inputs";
}

dt_status dt_data_open(dt_dataset **dataset, const dt_config *config, dt_data_part part, const dt_transform *like,
                       dt_error *error)
{
    const dt_experiment *e = &config->experiment;
    const dt_status status = dt_dataset_open_part(dataset, &e->data, part, e->seed, like, error);
    if (status == DT_NOT_FOUND) {
        char path[48];
        snprintf(path, sizeof path, "data.%s.%s", dt_data_part_name(part), missing_key(source_of(&e->data, part)));
        dt_config_place(config, path, error);
    }
    if (status != DT_OK)
        dt_schema_place(error, config->root);
    return status;
}

dt_status dt_data_open_all(dt_data *data, const dt_config *config, dt_error *error)
{
    *data = (dt_data){0};
    dt_status status = dt_data_open(&data->train, config, DT_TRAIN, NULL, error);
    const dt_transform *like = status == DT_OK ? data->train->transform : NULL;
    if (status == DT_OK)
        status = dt_data_open(&data->test, config, DT_TEST, like, error);
    if (status == DT_OK)
        status = dt_data_open(&data->validation, config, DT_VALIDATION, like, error);
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
