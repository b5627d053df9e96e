/* model.h5, written: temporary file, synchronised, renamed. */
#include <hdf5_hl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/split.h"
#include "deltoid/record.h"
#include "hdf5/hdf5.h"
#include "record/model_file.h"

typedef struct model_writer {
    hid_t file;
    const dt_trainer *trainer;
    const dt_experiment *experiment;
    void *W, *b; /* of the largest layer */
} model_writer;

/* W (rank 2) or b (rank 1) with its dimension scales. */
static bool put_array(const model_writer *m, hid_t group, const char *name, const char *long_name, int rank,
                      const hid_t *scales, const hsize_t *size, const void *numbers)
{
    hid_t type = dt_hdf5_real(m->experiment->precision), space = H5Screate_simple(rank, size, NULL), id = -1;
    bool good = dt_hdf5_ok(space) &&
                dt_hdf5_ok(id = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)) &&
                dt_hdf5_ok(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers)) &&
                dt_hdf5_put_text(id, "long_name", long_name) && dt_hdf5_put_text(id, "units", "1") &&
                dt_hdf5_put_text(id, "equation", "(1) z^l_j = sum_k w^l_jk a^{l-1}_k + b^l_j");
    for (int i = 0; good && i < rank; i++)
        good = dt_hdf5_ok(H5DSattach_scale(id, scales[i], (unsigned)i));
    dt_hdf5_close(id);
    dt_hdf5_close(space);
    return good;
}

static bool put_layer(const model_writer *m, int64_t l)
{
    const dt_layer_spec *spec = &m->experiment->network[l - 1];
    hsize_t size[2] = {(hsize_t)dt_trainer_units(m->trainer, l), (hsize_t)dt_trainer_units(m->trainer, l - 1)};
    hid_t scales[2] = {-1, -1};
    char name[32];
    snprintf(name, sizeof name, DT_MODEL_LAYER, (int)l);
    dt_trainer_weights(m->trainer, l, m->W, m->b);

    hid_t group = H5Gcreate2(m->file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool good = dt_hdf5_ok(group) && dt_hdf5_put_text(group, "activation", spec->activation) &&
                dt_hdf5_put_text(group, "init", spec->init) &&
                dt_hdf5_put_text(group, "equation", "(2) a^l_j = sigma(z^l_j)") &&
                (scales[0] = dt_hdf5_axis(group, "unit", (int64_t)size[0], "unit of the layer")) >= 0 &&
                (scales[1] = dt_hdf5_axis(group, "input", (int64_t)size[1], "unit of the layer before")) >= 0 &&
                put_array(m, group, "W", "weights", 2, scales, size, m->W) &&
                put_array(m, group, "b", "biases", 1, scales, size, m->b);
    dt_hdf5_close(scales[1]);
    dt_hdf5_close(scales[0]);
    dt_hdf5_close(group);
    return good;
}

static bool put_root(const model_writer *m, const char *experiment_text, const char *provenance, const char *sha256)
{
    return dt_hdf5_put_text(m->file, "format", DT_MODEL_FORMAT) &&
           dt_hdf5_put_integer(m->file, "format_version", DT_MODEL_FORMAT_VERSION) &&
           dt_hdf5_put_text(m->file, "precision", dt_precision_name(m->experiment->precision)) &&
           dt_hdf5_put_integer(m->file, "layers", (int64_t)m->experiment->layer_count) &&
           dt_hdf5_put_integer(m->file, "step", dt_trainer_step(m->trainer)) &&
           dt_hdf5_put_text(m->file, "weights_sha256", sha256) &&
           dt_hdf5_put_text(m->file, "experiment", experiment_text) &&
           dt_hdf5_put_text(m->file, "provenance", provenance);
}

/* Fills the file named `temporary`. It is left open where HDF5 failed (see hdf5.h). */
static dt_status write_file(model_writer *m, const dt_new_file *file, const char *experiment_text,
                            const char *provenance, const char *sha256, dt_error *error)
{
    dt_status status = DT_OK;
    dt_hdf5_enter();
    m->file = dt_hdf5_create(file->temporary);
    bool good = m->file >= 0 && put_root(m, experiment_text, provenance, sha256);
    for (int64_t l = 1; good && l <= (int64_t)m->experiment->layer_count; l++)
        good = put_layer(m, l);
    good = good && dt_model_put_transform(m->file, dt_trainer_training_set(m->trainer)->transform);
    good = good && dt_hdf5_ok(H5Fflush(m->file, H5F_SCOPE_LOCAL));
    if (!good)
        status = dt_hdf5_fail(error, file->path, "write");
    if ((good || status == DT_NO_MEMORY) && !dt_hdf5_ok(H5Fclose(m->file)) && good)
        status = dt_hdf5_fail(error, file->path, "close");
    dt_hdf5_leave();
    return status;
}

static dt_status make_room(model_writer *m, dt_error *error)
{
    size_t size = dt_precision_size(m->experiment->precision), most = 0, units = 0, numbers;
    for (int64_t l = 1; l <= (int64_t)m->experiment->layer_count; l++) {
        size_t rows = (size_t)dt_trainer_units(m->trainer, l);
        if (!dt_multiply(rows, (size_t)dt_trainer_units(m->trainer, l - 1), &numbers))
            return dt_fail_memory(error, "the model's weights");
        most = numbers > most ? numbers : most;
        units = rows > units ? rows : units;
    }
    m->W = dt_allocate_array(most, size);
    m->b = dt_allocate_array(units, size);
    return m->W && m->b ? DT_OK : dt_fail_memory(error, "the model's weights");
}

dt_status dt_model_write(const char *path, const dt_trainer *trainer, const char *experiment_text,
                         const char *provenance, dt_error *error)
{
    model_writer m = {.file = -1, .trainer = trainer, .experiment = dt_trainer_experiment(trainer)};
    dt_new_file file;
    char sha256[65];
    dt_status status = dt_trainer_weights_sha256(trainer, sha256, error);
    if (status == DT_OK)
        status = make_room(&m, error);
    if (status == DT_OK)
        status = dt_new_file_begin(&file, path, error);
    if (status == DT_OK) {
        status = write_file(&m, &file, experiment_text, provenance, sha256, error);
        if (status == DT_OK)
            status = dt_new_file_publish(&file, true, error);
        else
            dt_new_file_discard(&file);
    }
    dt_release(m.W);
    dt_release(m.b);
    return status;
}
