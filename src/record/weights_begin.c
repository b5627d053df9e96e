/* Weights to begin with that the experiment names: one file of all layers, or some layers' own. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "deltoid/interchange.h"
#include "record/layer_weights.h"
#include "record/weights_array.h"

static bool is_from_file(const dt_layer_spec *layer)
{
    return strcmp(layer->init, "file") == 0 && layer->init_file;
}

const char *dt_weights_file(const dt_experiment *experiment, size_t i, int64_t *layer)
{
    *layer = 0;
    if (experiment->initial_weights)
        return i == 0 ? experiment->initial_weights : NULL;
    for (size_t l = 0; l < experiment->layer_count; l++)
        if (is_from_file(&experiment->network[l]) && i-- == 0) {
            *layer = (int64_t)l + 1;
            return experiment->network[l].init_file;
        }
    return NULL;
}

static dt_status look(const char *path, dt_weights_format *found, dt_error *error)
{
    const dt_status status = dt_weights_format_of(path, "name a .npz, a .npy or an HDF5 file", found, error);
    return status == DT_OK && *found == DT_WEIGHTS_UNKNOWN
               ? dt_fail(error, DT_MALFORMED,
                         "%s: is neither a NumPy file nor HDF5; name a .npz, a .npy or an HDF5 file", path)
               : status;
}

static bool ends_with(const char *name, const char *ending)
{
    const size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* "/name" of an array: as it was given, or the project's own for layer l and quantity 'W' or 'b'. */
static void name_array(const char *given, dt_weights_format file, int64_t l, char quantity, char name[256])
{
    if (given)
        snprintf(name, 256, "%s%.250s", *given == '/' ? "" : "/", given);
    else
        snprintf(name, 256, file == DT_WEIGHTS_HDF5 ? "/layer%02d/%c" : "/layer%02d.%c", (int)l, quantity);
}

static dt_status read_layer(dt_trainer *trainer, int64_t l, dt_error *error)
{
    const dt_experiment *experiment = dt_trainer_experiment(trainer);
    const dt_layer_spec *layer = &experiment->network[l - 1];
    const int64_t units = dt_trainer_units(trainer, l), inputs = dt_trainer_units(trainer, l - 1);
    const size_t size = dt_precision_size(experiment->precision);
    char W_name[256], b_name[256];
    dt_weights_format file = DT_WEIGHTS_ARCHIVE;
    dt_status status = look(layer->init_file, &file, error);
    if (status != DT_OK)
        return status;
    if (file == DT_WEIGHTS_ARRAY && (layer->init_W || layer->init_b))
        return dt_fail(error, DT_INVALID, "%s: is one array without a name; remove W and b, or name a .npz",
                       layer->init_file);
    name_array(layer->init_W, file, l, 'W', W_name);
    name_array(layer->init_b, file, l, 'b', b_name);
    const bool transposed = ends_with(W_name, "kernel") || ends_with(W_name, "kernel:0");
    dt_array_source array = {.file = layer->init_file,
                             .name = file == DT_WEIGHTS_ARRAY ? NULL : W_name,
                             .format = file == DT_WEIGHTS_HDF5 ? "hdf5" : "npy",
                             .rows = transposed ? inputs : units,
                             .columns = transposed ? units : inputs,
                             .transposed = transposed,
                             .precision = experiment->precision};
    void *W = dt_allocate_array((size_t)(units * inputs), size), *b = dt_allocate_zeroed((size_t)units, size);
    status = W && b ? dt_weights_array_read(&array, W, error) : dt_fail_memory(error, "a layer's weights");
    array = (dt_array_source){.file = layer->init_file,
                              .name = b_name,
                              .format = array.format,
                              .rows = units,
                              .columns = 1,
                              .precision = experiment->precision};
    if (status == DT_OK && file != DT_WEIGHTS_ARRAY && (layer->init_b || !layer->init_W))
        status = dt_weights_array_read(&array, b, error);
    if (status == DT_OK)
        dt_trainer_set_weights(trainer, l, W, b);
    dt_release(W);
    dt_release(b);
    return status;
}

dt_status dt_weights_begin(dt_trainer *trainer, dt_error *error)
{
    const dt_experiment *experiment = dt_trainer_experiment(trainer);
    dt_error own = {0};
    dt_status status = DT_OK;
    if (experiment->initial_weights) {
        status = dt_weights_read(experiment->initial_weights, trainer, &own);
        return status == DT_OK ? status : dt_fail(error, status, "initial_weights: %s", own.message);
    }
    for (size_t l = 0; status == DT_OK && l < experiment->layer_count; l++)
        if (is_from_file(&experiment->network[l])) {
            status = read_layer(trainer, (int64_t)l + 1, &own);
            if (status != DT_OK)
                dt_fail(error, status, "network.%zu.init: %s", l, own.message);
        }
    return status;
}
