/* model.h5 and checkpoints, written: temporary file, synchronised, renamed. */
#include <hdf5_hl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "deltoid/record.h"
#include "hdf5/hdf5.h"
#include "record/model_file.h"
#include "record/snapshot.h"

typedef struct model_writer {
    hid_t file;
    const dt_snapshot *snapshot;
    const dt_experiment *experiment;
} model_writer;

static hid_t type_of(const model_writer *m, const dt_part *part)
{
    return part->kind == DT_PART_REAL      ? dt_hdf5_real(m->experiment->precision)
           : part->kind == DT_PART_INTEGER ? H5T_NATIVE_INT64
                                           : H5T_NATIVE_DOUBLE;
}

/* A part under `name` of `group`, with the link property list; the caller closes what is >= 0. */
static hid_t put_part(const model_writer *m, hid_t group, const char *name, hid_t links, const dt_part *part)
{
    hsize_t size[2] = {(hsize_t)part->size[0], (hsize_t)part->size[1]};
    hid_t type = type_of(m, part), id = -1;
    hid_t space = part->rank ? H5Screate_simple(part->rank, size, NULL) : H5Screate(H5S_SCALAR);
    bool good = dt_hdf5_ok(space) &&
                dt_hdf5_ok(id = H5Dcreate2(group, name, type, space, links, H5P_DEFAULT, H5P_DEFAULT)) &&
                dt_hdf5_ok(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, m->snapshot->block + part->offset));
    dt_hdf5_close(space);
    if (good)
        return id;
    dt_hdf5_close(id);
    return -1;
}

/* W (rank 2) or b (rank 1) with its dimension scales. */
static bool put_array(const model_writer *m, hid_t group, const char *name, const char *long_name, const hid_t *scales,
                      const dt_part *part)
{
    hid_t id = put_part(m, group, name, H5P_DEFAULT, part);
    bool good = id >= 0 && dt_hdf5_put_text(id, "long_name", long_name) && dt_hdf5_put_text(id, "units", "1") &&
                dt_hdf5_put_text(id, "equation", "(1) z^l_j = sum_k w^l_jk a^{l-1}_k + b^l_j");
    for (int i = 0; good && i < part->rank; i++)
        good = dt_hdf5_ok(H5DSattach_scale(id, scales[i], (unsigned)i));
    dt_hdf5_close(id);
    return good;
}

static bool put_layer(const model_writer *m, int64_t l)
{
    const dt_layer_spec *spec = &m->experiment->network[l - 1];
    const dt_part *W = &m->snapshot->parts[2 * (l - 1)], *b = W + 1;
    hid_t scales[2] = {-1, -1};
    char name[32];
    snprintf(name, sizeof name, DT_MODEL_LAYER, (int)l);

    hid_t group = H5Gcreate2(m->file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool good = dt_hdf5_ok(group) && dt_hdf5_put_text(group, "activation", spec->activation) &&
                dt_hdf5_put_text(group, "init", spec->init) &&
                dt_hdf5_put_text(group, "equation", "(2) a^l_j = sigma(z^l_j)") &&
                (scales[0] = dt_hdf5_axis(group, "unit", W->size[0], "unit of the layer")) >= 0 &&
                (scales[1] = dt_hdf5_axis(group, "input", W->size[1], "unit of the layer before")) >= 0 &&
                put_array(m, group, "W", "weights", scales, W) && put_array(m, group, "b", "biases", scales, b);
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
           dt_hdf5_put_integer(m->file, "step", m->snapshot->position.step) &&
           dt_hdf5_put_text(m->file, "weights_sha256", sha256) &&
           dt_hdf5_put_text(m->file, "experiment", experiment_text) &&
           dt_hdf5_put_text(m->file, "provenance", provenance);
}

static bool put_bytes(const dt_kept_bytes *kept, hid_t group)
{
    hsize_t size = kept->size;
    hid_t space = H5Screate_simple(1, &size, NULL), id = -1;
    bool good = dt_hdf5_ok(space) &&
                dt_hdf5_ok(id = H5Dcreate2(group, kept->name, H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT,
                                           H5P_DEFAULT)) &&
                dt_hdf5_ok(H5Dwrite(id, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, kept->bytes));
    dt_hdf5_close(id);
    dt_hdf5_close(space);
    return good;
}

/* All that lies under /state. Groups on the way to a part are made with it. */
static bool put_state(const model_writer *m, const char *sha256)
{
    const dt_snapshot *s = m->snapshot;
    hid_t groups = H5Pcreate(H5P_LINK_CREATE), state = -1, bytes = -1;
    bool good = dt_hdf5_ok(groups) && dt_hdf5_ok(H5Pset_create_intermediate_group(groups, 1)) &&
                dt_hdf5_ok(bytes = H5Gcreate2(m->file, "/state/bytes", groups, H5P_DEFAULT, H5P_DEFAULT)) &&
                dt_hdf5_ok(state = H5Gopen2(m->file, "/state", H5P_DEFAULT)) &&
                dt_hdf5_put_integer(state, "format_version", DT_STATE_FORMAT_VERSION) &&
                dt_hdf5_put_text(state, "long_name", "what a run needs to go on from here") &&
                dt_hdf5_put_text(state, "sha256", sha256) &&
                dt_hdf5_put_text(state, "experiment_id", s->experiment_id) &&
                dt_hdf5_put_text(state, "data_id", s->data_id);
    for (size_t i = s->weights; good && i < s->count; i++) {
        hid_t id = put_part(m, m->file, s->parts[i].path, groups, &s->parts[i]);
        good = id >= 0;
        dt_hdf5_close(id);
    }
    for (size_t i = 0; good && i < s->kept_count; i++)
        good = put_bytes(&s->kept[i], bytes);
    dt_hdf5_close(bytes);
    dt_hdf5_close(state);
    dt_hdf5_close(groups);
    return good;
}

/* Fills the file named `temporary`. It is left open where HDF5 failed (see hdf5.h). */
static dt_status write_file(model_writer *m, const dt_new_file *file, const char *experiment_text,
                            const char *provenance, const char *weights, const char *all, dt_error *error)
{
    dt_status status = DT_OK;
    dt_hdf5_enter();
    m->file = dt_hdf5_create(file->temporary);
    bool good = m->file >= 0 && put_root(m, experiment_text, provenance, weights);
    for (int64_t l = 1; good && l <= (int64_t)m->experiment->layer_count; l++)
        good = put_layer(m, l);
    good = good && dt_model_put_transform(m->file, dt_trainer_training_set(m->snapshot->trainer)->transform);
    good = good && put_state(m, all) && dt_hdf5_ok(H5Fflush(m->file, H5F_SCOPE_LOCAL));
    if (!good)
        status = dt_hdf5_fail(error, file->path, "write");
    if ((good || status == DT_NO_MEMORY) && !dt_hdf5_ok(H5Fclose(m->file)) && good)
        status = dt_hdf5_fail(error, file->path, "close");
    dt_hdf5_leave();
    return status;
}

dt_status dt_snapshot_write(const dt_snapshot *snapshot, const char *path, const char *experiment_text,
                            const char *provenance, dt_error *error)
{
    model_writer m = {.file = -1, .snapshot = snapshot, .experiment = snapshot->experiment};
    dt_new_file file;
    char weights[65], all[65];
    dt_status status = dt_snapshot_sha256(snapshot, weights, all, error);
    if (status == DT_OK)
        status = dt_new_file_begin(&file, path, error);
    if (status != DT_OK)
        return status;
    status = write_file(&m, &file, experiment_text, provenance, weights, all, error);
    if (status == DT_OK)
        return dt_new_file_publish(&file, true, error);
    dt_new_file_discard(&file);
    return status;
}

dt_status dt_model_write(const char *path, const dt_trainer *trainer, const char *experiment_text,
                         const char *provenance, dt_error *error)
{
    dt_snapshot *snapshot;
    dt_status status = dt_snapshot_create(&snapshot, trainer, error);
    if (status != DT_OK)
        return status;
    dt_snapshot_take(snapshot);
    status = dt_snapshot_write(snapshot, path, experiment_text, provenance, error);
    dt_snapshot_destroy(snapshot);
    return status;
}
