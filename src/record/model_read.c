/* model.h5, read: it may come from anywhere, so a confined child opens it, looks only at fixed names, and checks what
 * each is before it reads; this process sees raw numbers whose hash must be the one the file claims.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/sandbox.h"
#include "deltoid/record.h"
#include "hdf5/checks.h"
#include "hdf5/hdf5.h"
#include "record/model_file.h"
#include "record/sha256.h"

typedef struct model_reader {
    const char *path;
    dt_precision precision;
    int64_t layers;
    int64_t units[DT_MODEL_LAYERS_MAX + 1];
    char *arrays[2 * DT_MODEL_LAYERS_MAX]; /* W^1, b^1, W^2, b^2, ...: parts of one block */
    size_t sizes[2 * DT_MODEL_LAYERS_MAX]; /* bytes */
    char *block;
    size_t block_bytes;
    char sha256[65];
} model_reader;

/* --- in the child --- */

static dt_status fail_with(const model_reader *m, dt_error *error, const char *what, const char *why)
{
    return dt_fail(error, DT_MALFORMED, "%s: %s %s; it is no model that deltoid wrote", m->path, what, why);
}

/* What the root says of the file, against what the network needs. */
static dt_status check_root(model_reader *m, hid_t file, dt_error *error)
{
    char text[80];
    int64_t version = 0, layers = 0;
    if (!dt_hdf5_get_text(file, "format", text, sizeof text) || strcmp(text, DT_MODEL_FORMAT) != 0)
        return fail_with(m, error, "the attribute `format`", "is not \"" DT_MODEL_FORMAT "\"");
    if (!dt_hdf5_get_integer(file, "format_version", &version) || version != DT_MODEL_FORMAT_VERSION)
        return dt_fail(error, DT_UNSUPPORTED,
                       "%s: has format_version %" PRId64 ", this deltoid reads %d; use the version that wrote it",
                       m->path, version, DT_MODEL_FORMAT_VERSION);
    if (!dt_hdf5_get_text(file, "precision", text, sizeof text) || strcmp(text, dt_precision_name(m->precision)) != 0)
        return dt_fail(error, DT_INVALID,
                       "%s: holds precision '%.16s', the experiment says %s; set precision to the file's", m->path,
                       text, dt_precision_name(m->precision));
    if (!dt_hdf5_get_integer(file, "layers", &layers) || layers != m->layers)
        return dt_fail(error, DT_INVALID,
                       "%s: has %" PRId64 " layers, the experiment's network %" PRId64 "; use the experiment it was "
                       "trained with",
                       m->path, layers, m->layers);
    if (!dt_hdf5_get_text(file, "weights_sha256", m->sha256, sizeof m->sha256) || strlen(m->sha256) != 64)
        return fail_with(m, error, "the attribute `weights_sha256`", "is missing or is no hash");
    return DT_OK;
}

static dt_status fail_shape(const model_reader *m, const char *name, int rank, const hsize_t *found,
                            const hsize_t *wanted, dt_error *error)
{
    if (rank == 2)
        return dt_fail(error, DT_INVALID,
                       "%s: %s is %" PRIu64 " x %" PRIu64 ", the experiment's network needs %" PRIu64 " x %" PRIu64
                       "; use the experiment it was trained with",
                       m->path, name, (uint64_t)found[0], (uint64_t)found[1], (uint64_t)wanted[0], (uint64_t)wanted[1]);
    return dt_fail(error, DT_INVALID,
                   "%s: %s has %" PRIu64 " numbers, the experiment's network needs %" PRIu64
                   "; use the experiment it was trained with",
                   m->path, name, (uint64_t)found[0], (uint64_t)wanted[0]);
}

static dt_status read_checked(const model_reader *m, hid_t set, hid_t type, hid_t space, hid_t creation,
                              const char *name, int rank, const hsize_t *wanted, void *to, dt_error *error)
{
    hsize_t found[2] = {0, 0};
    hid_t real = dt_hdf5_real(m->precision);
    const char *fault = dt_hdf5_storage_fault(creation);
    if (fault)
        return fail_with(m, error, name, fault);
    if (H5Tget_class(type) != H5T_FLOAT || H5Tequal(type, real) <= 0)
        return fail_with(m, error, name, "does not hold numbers of the file's precision");
    if (H5Sget_simple_extent_type(space) != H5S_SIMPLE || H5Sget_simple_extent_ndims(space) != rank ||
        H5Sget_simple_extent_dims(space, found, NULL) != rank)
        return fail_with(m, error, name, "has the wrong number of dimensions");
    if (memcmp(found, wanted, (size_t)rank * sizeof *found) != 0)
        return fail_shape(m, name, rank, found, wanted, error);
    if (H5Dread(set, real, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) < 0)
        return fail_with(m, error, name, "can't be read");
    return DT_OK;
}

static dt_status read_array(const model_reader *m, hid_t file, const char *name, int rank, const hsize_t *wanted,
                            void *to, dt_error *error)
{
    if (!dt_hdf5_is_hard(file, name))
        return fail_with(m, error, name, "is missing or a link");
    hid_t set = H5Oopen(file, name, H5P_DEFAULT), type = -1, space = -1, creation = -1;
    dt_status status;
    if (set < 0 || H5Iget_type(set) != H5I_DATASET || (type = H5Dget_type(set)) < 0 ||
        (space = H5Dget_space(set)) < 0 || (creation = H5Dget_create_plist(set)) < 0)
        status = fail_with(m, error, name, "is no data set");
    else
        status = read_checked(m, set, type, space, creation, name, rank, wanted, to, error);
    dt_hdf5_close(creation);
    dt_hdf5_close(space);
    dt_hdf5_close(type);
    dt_hdf5_close(set);
    return status;
}

/* Reads W^l and b^l into this child's copy of the arrays. */
static dt_status read_layer(const model_reader *m, hid_t file, int64_t l, dt_error *error)
{
    char group[32], W[48], b[48];
    hsize_t size[2] = {(hsize_t)m->units[l], (hsize_t)m->units[l - 1]};
    snprintf(group, sizeof group, DT_MODEL_LAYER, (int)l);
    snprintf(W, sizeof W, "%s/W", group);
    snprintf(b, sizeof b, "%s/b", group);
    if (!dt_hdf5_is_hard(file, group))
        return fail_with(m, error, group, "is missing or a link");
    dt_status status = read_array(m, file, W, 2, size, m->arrays[2 * (l - 1)], error);
    return status == DT_OK ? read_array(m, file, b, 1, size, m->arrays[2 * (l - 1) + 1], error) : status;
}

static dt_status read_in_child(void *context, int pipe, dt_error *error)
{
    model_reader *m = context;
    hid_t file = H5Fopen(m->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return dt_fail(error, DT_MALFORMED, "%s: is not an HDF5 file, or is cut short; use a copy that is sound",
                       m->path);
    dt_status status = check_root(m, file, error);
    for (int64_t l = 1; status == DT_OK && l <= m->layers; l++)
        status = read_layer(m, file, l, error);
    if (status == DT_OK)
        status = dt_sandbox_send(pipe, m->sha256, sizeof m->sha256);
    return status == DT_OK ? dt_sandbox_send(pipe, m->block, m->block_bytes) : status;
}

/* --- in this process --- */

/* One block for all arrays, in the order of the hash. */
static dt_status make_room(model_reader *m, const dt_trainer *trainer, dt_error *error)
{
    size_t number = dt_precision_size(m->precision), total = 0;
    m->units[0] = dt_trainer_units(trainer, 0);
    for (int64_t l = 1; l <= m->layers; l++) {
        size_t *sizes = &m->sizes[2 * (l - 1)], weights;
        m->units[l] = dt_trainer_units(trainer, l);
        if (!dt_multiply((size_t)m->units[l], (size_t)m->units[l - 1], &weights) ||
            !dt_multiply(weights, number, &sizes[0]))
            return dt_fail_memory(error, "the model's weights");
        sizes[1] = (size_t)m->units[l] * number;
        if (__builtin_add_overflow(total, sizes[0], &total) || __builtin_add_overflow(total, sizes[1], &total))
            return dt_fail_memory(error, "the model's weights");
    }
    m->block = dt_allocate_array(total, 1);
    m->block_bytes = total;
    if (!m->block)
        return dt_fail_memory(error, "the model's weights");
    char *next = m->block;
    for (int64_t i = 0; i < 2 * m->layers; i++) {
        m->arrays[i] = next;
        next += m->sizes[i];
    }
    return DT_OK;
}

static dt_status receive(model_reader *m, dt_error *error)
{
    enum { CHILD_MEMORY = 512 << 20 };
    dt_sandbox box;
    struct stat file;
    const int64_t bytes = stat(m->path, &file) == 0 ? (int64_t)file.st_size : 0;
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    dt_status status = dt_sandbox_start(&box, m->path, read_in_child, m, CHILD_MEMORY, bytes, error);
    dt_hdf5_leave();
    if (status != DT_OK)
        return status;
    status = dt_sandbox_receive(&box, m->sha256, sizeof m->sha256, error);
    m->sha256[sizeof m->sha256 - 1] = '\0';
    if (status == DT_OK)
        status = dt_sandbox_receive(&box, m->block, m->block_bytes, error);
    dt_sandbox_finish(&box);
    return status;
}

static dt_status check_hash(const model_reader *m, dt_error *error)
{
    char hex[65];
    dt_status status = dt_sha256(&(dt_bytes){m->block, m->block_bytes}, 1, hex, error);
    if (status == DT_OK && strncmp(hex, m->sha256, sizeof hex) != 0)
        status = dt_fail(error, DT_MALFORMED,
                         "%s: its weights have the SHA-256 %.12s..., it says %.12s...; use a copy that is sound",
                         m->path, hex, m->sha256);
    return status;
}

dt_status dt_model_read(const char *path, dt_trainer *trainer, dt_error *error)
{
    const dt_experiment *experiment = dt_trainer_experiment(trainer);
    model_reader *m = dt_allocate_zeroed(1, sizeof *m);
    if (!m)
        return dt_fail_memory(error, "a model");
    m->path = path;
    m->precision = experiment->precision;
    m->layers = (int64_t)experiment->layer_count;
    dt_status status = dt_sandbox_check_file(path, "name a run that was trained to its end", error);
    if (status == DT_OK)
        status = make_room(m, trainer, error);
    if (status == DT_OK)
        status = receive(m, error);
    if (status == DT_OK)
        status = check_hash(m, error);
    for (int64_t l = 1; status == DT_OK && l <= m->layers; l++)
        dt_trainer_set_weights(trainer, l, m->arrays[2 * (l - 1)], m->arrays[2 * (l - 1) + 1]);
    dt_release(m->block);
    dt_release(m);
    return status;
}
