/* A checkpoint, read back: a confined child opens the file and hands over what the experiment's own list of parts says
 * must be there, and kept bytes; this process believes nothing before the hash over all of it is the one the file
 * claims. A byte of the file that is changed is either none that matters, or is found here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/sandbox.h"
#include "hdf5/checks.h"
#include "hdf5/hdf5.h"
#include "record/model_file.h"
#include "record/snapshot.h"

/* What the child says before it sends numbers. */
typedef struct header {
    char sha256[65], experiment_id[65], data_id[65];
    uint64_t kept_count;
    struct {
        char name[DT_BYTES_NAME];
        uint64_t size;
    } kept[DT_BYTES_MAX];
} header;

typedef struct reader {
    const char *path;
    dt_snapshot *snapshot;
    uint64_t most; /* bytes that can be kept: no more than the file has */
    header header;
    int64_t step; /* dt_checkpoint_step */
} reader;

struct dt_checkpoint {
    dt_snapshot *snapshot;
};

/* --- in the child --- */

static dt_status fail_with(const reader *r, dt_error *error, const char *what, const char *why)
{
    return dt_fail(error, DT_MALFORMED, "%s: %s %s; it is damaged, or no checkpoint of this experiment", r->path, what,
                   why);
}

static dt_status check_root(const reader *r, hid_t file, dt_error *error)
{
    const dt_precision precision = r->snapshot->experiment->precision;
    char text[80];
    int64_t version = 0;
    if (!dt_hdf5_get_text(file, "format", text, sizeof text) || strcmp(text, DT_MODEL_FORMAT) != 0)
        return fail_with(r, error, "the attribute `format`", "is not \"" DT_MODEL_FORMAT "\"");
    if (!dt_hdf5_get_integer(file, "format_version", &version) || version != DT_MODEL_FORMAT_VERSION)
        return fail_with(r, error, "the attribute `format_version`", "is not one that this deltoid reads");
    if (!dt_hdf5_get_text(file, "precision", text, sizeof text))
        return fail_with(r, error, "the attribute `precision`", "is missing");
    if (strcmp(text, dt_precision_name(precision)) == 0)
        return DT_OK;
    if (strcmp(text, dt_precision_name(precision == DT_FLOAT64 ? DT_FLOAT32 : DT_FLOAT64)) != 0)
        return fail_with(r, error, "the attribute `precision`", "is no precision");
    return dt_fail(error, DT_INVALID, "%s: holds precision %.16s, the experiment says %s; go on with the file's own",
                   r->path, text, dt_precision_name(precision));
}

static hid_t type_of(const reader *r, const dt_part *part)
{
    return part->kind == DT_PART_REAL      ? dt_hdf5_real(r->snapshot->experiment->precision)
           : part->kind == DT_PART_INTEGER ? H5T_NATIVE_INT64
                                           : H5T_NATIVE_DOUBLE;
}

/* Reads all parts into this child's copy of the block. */
static dt_status read_parts(const reader *r, hid_t file, dt_error *error)
{
    for (size_t i = 0; i < r->snapshot->count; i++) {
        const dt_part *part = &r->snapshot->parts[i];
        const hsize_t size[2] = {(hsize_t)part->size[0], (hsize_t)part->size[1]};
        const char *fault =
            dt_hdf5_read(file, part->path, type_of(r, part), part->rank, size, r->snapshot->block + part->offset);
        if (fault)
            return fail_with(r, error, part->path, fault);
    }
    return DT_OK;
}

static dt_status read_header(reader *r, hid_t file, dt_error *error)
{
    header *h = &r->header;
    int64_t version = 0;
    if (!dt_hdf5_is_hard(file, "/state"))
        return fail_with(r, error, "/state", "is missing, as in the models of older versions");
    hid_t state = H5Gopen2(file, "/state", H5P_DEFAULT);
    bool good = state >= 0 && dt_hdf5_get_integer(state, "format_version", &version) &&
                version == DT_STATE_FORMAT_VERSION && dt_hdf5_get_text(state, "sha256", h->sha256, sizeof h->sha256) &&
                dt_hdf5_get_text(state, "experiment_id", h->experiment_id, sizeof h->experiment_id) &&
                dt_hdf5_get_text(state, "data_id", h->data_id, sizeof h->data_id);
    dt_hdf5_close(state);
    return good ? DT_OK : fail_with(r, error, "/state", "has not the attributes that it must have");
}

/* The names and sizes of kept bytes. */
static dt_status list_kept(reader *r, hid_t file, dt_error *error)
{
    header *h = &r->header;
    H5G_info_t info;
    uint64_t total = 0;
    hid_t group = dt_hdf5_is_hard(file, "/state/bytes") ? H5Gopen2(file, "/state/bytes", H5P_DEFAULT) : -1;
    bool good = group >= 0 && H5Gget_info(group, &info) >= 0 && info.nlinks <= DT_BYTES_MAX;
    for (h->kept_count = 0; good && h->kept_count < info.nlinks; h->kept_count++) {
        char *name = h->kept[h->kept_count].name;
        ssize_t length =
            H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, h->kept_count, name, DT_BYTES_NAME, H5P_DEFAULT);
        good = length > 0 && length < DT_BYTES_NAME && dt_hdf5_is_hard(group, name);
        hid_t set = good ? H5Dopen2(group, name, H5P_DEFAULT) : -1, space = set >= 0 ? H5Dget_space(set) : -1;
        hssize_t size = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
        good = size >= 0 && !__builtin_add_overflow(total, (uint64_t)size, &total) && total <= r->most;
        h->kept[h->kept_count].size = (uint64_t)size;
        dt_hdf5_close(space);
        dt_hdf5_close(set);
    }
    dt_hdf5_close(group);
    return good ? DT_OK : fail_with(r, error, "/state/bytes", "does not hold what it must hold");
}

static dt_status send_kept(const reader *r, hid_t file, int pipe, dt_error *error)
{
    dt_status status = DT_OK;
    for (uint64_t i = 0; status == DT_OK && i < r->header.kept_count; i++) {
        char path[DT_BYTES_NAME + 16];
        const hsize_t size = r->header.kept[i].size;
        void *bytes = malloc(size ? size : 1); /* the process ends soon */
        snprintf(path, sizeof path, "/state/bytes/%s", r->header.kept[i].name);
        const char *fault = bytes ? dt_hdf5_read(file, path, H5T_NATIVE_UINT8, 1, &size, bytes) : "is too large";
        status = fault ? fail_with(r, error, path, fault) : dt_sandbox_send(pipe, bytes, size);
        free(bytes);
    }
    return status;
}

static dt_status open_file(const reader *r, hid_t *file, dt_error *error)
{
    *file = H5Fopen(r->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    return *file >= 0 ? DT_OK : fail_with(r, error, "the file", "is no HDF5 file, or is cut short");
}

static dt_status read_in_child(void *context, int pipe, dt_error *error)
{
    reader *r = context;
    hid_t file;
    dt_status status = open_file(r, &file, error);
    if (status == DT_OK)
        status = check_root(r, file, error);
    if (status == DT_OK)
        status = read_header(r, file, error);
    if (status == DT_OK)
        status = list_kept(r, file, error);
    if (status == DT_OK)
        status = read_parts(r, file, error);
    if (status == DT_OK)
        status = dt_sandbox_send(pipe, &r->header, sizeof r->header);
    if (status == DT_OK)
        status = dt_sandbox_send(pipe, r->snapshot->block, r->snapshot->block_bytes);
    return status == DT_OK ? send_kept(r, file, pipe, error) : status;
}

static dt_status step_in_child(void *context, int pipe, dt_error *error)
{
    reader *r = context;
    hid_t file;
    const char *fault = NULL;
    dt_status status = open_file(r, &file, error);
    if (status == DT_OK && (fault = dt_hdf5_read(file, "/state/step", H5T_NATIVE_INT64, 0, NULL, &r->step)))
        status = fail_with(r, error, "/state/step", fault);
    return status == DT_OK ? dt_sandbox_send(pipe, &r->step, sizeof r->step) : status;
}

/* --- in this process --- */

static dt_status start(reader *r, dt_sandbox *box, dt_sandbox_work work, dt_error *error)
{
    enum { CHILD_MEMORY = 512 << 20 };
    struct stat file;
    dt_status status = dt_sandbox_check_file(r->path, NULL, error);
    if (status != DT_OK)
        return status;
    r->most = stat(r->path, &file) == 0 ? (uint64_t)file.st_size : 0;
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    status = dt_sandbox_start(box, r->path, work, r, CHILD_MEMORY + (size_t)r->most, (int64_t)r->most, error);
    dt_hdf5_leave();
    return status;
}

static dt_status receive(reader *r, dt_error *error)
{
    dt_sandbox box;
    dt_snapshot *s = r->snapshot;
    header *h = &r->header;
    dt_status status = start(r, &box, read_in_child, error);
    if (status != DT_OK)
        return status;
    status = dt_sandbox_receive(&box, h, sizeof *h, error);
    if (status == DT_OK)
        status = dt_sandbox_receive(&box, s->block, s->block_bytes, error);
    h->sha256[64] = h->experiment_id[64] = h->data_id[64] = '\0';
    /* Fixed fields are hashed whole: what follows the end of a text is zero. */
    snprintf(s->experiment_id, sizeof s->experiment_id, "%s", h->experiment_id);
    snprintf(s->data_id, sizeof s->data_id, "%s", h->data_id);
    for (uint64_t i = 0; status == DT_OK && i < h->kept_count && i < DT_BYTES_MAX; i++) {
        h->kept[i].name[DT_BYTES_NAME - 1] = '\0';
        status = h->kept[i].size <= r->most ? dt_snapshot_keep(s, h->kept[i].name, h->kept[i].size, error)
                                            : fail_with(r, error, h->kept[i].name, "is longer than the file");
        dt_kept_bytes *kept = dt_snapshot_kept(s, h->kept[i].name);
        if (status == DT_OK)
            status = dt_sandbox_receive(&box, kept->bytes, kept->size, error);
    }
    dt_sandbox_finish(&box);
    return status;
}

static dt_status check_hash(const reader *r, dt_error *error)
{
    char weights[65], all[65];
    dt_status status = dt_snapshot_sha256(r->snapshot, weights, all, error);
    if (status == DT_OK && strcmp(all, r->header.sha256) != 0)
        return fail_with(r, error, "its contents", "have not the SHA-256 that it says");
    return status;
}

dt_status dt_checkpoint_open(dt_checkpoint **checkpoint, const char *path, const dt_trainer *trainer, dt_error *error)
{
    *checkpoint = NULL;
    dt_checkpoint *c = dt_allocate_zeroed(1, sizeof *c);
    reader *r = dt_allocate_zeroed(1, sizeof *r);
    dt_status status =
        c && r ? dt_snapshot_create(&c->snapshot, trainer, error) : dt_fail_memory(error, "a checkpoint");
    if (status == DT_OK) {
        r->path = path;
        r->snapshot = c->snapshot;
        status = receive(r, error);
    }
    if (status == DT_OK)
        status = check_hash(r, error);
    dt_release(r);
    if (status == DT_OK)
        dt_snapshot_read_position(c->snapshot);
    if (status == DT_OK)
        *checkpoint = c;
    else
        dt_checkpoint_close(c);
    return status;
}

void dt_checkpoint_close(dt_checkpoint *checkpoint)
{
    if (checkpoint)
        dt_snapshot_destroy(checkpoint->snapshot);
    dt_release(checkpoint);
}

dt_status dt_checkpoint_restore(const dt_checkpoint *checkpoint, dt_trainer *trainer, dt_error *error)
{
    return dt_snapshot_give(checkpoint->snapshot, trainer, error);
}

void dt_checkpoint_position(const dt_checkpoint *checkpoint, dt_trainer_position *position)
{
    *position = checkpoint->snapshot->position;
}

const void *dt_checkpoint_bytes(const dt_checkpoint *checkpoint, const char *name, size_t *size)
{
    const dt_kept_bytes *kept = dt_snapshot_kept(checkpoint->snapshot, name);
    *size = kept ? kept->size : 0;
    return kept ? kept->bytes : NULL;
}

const char *dt_checkpoint_experiment_id(const dt_checkpoint *checkpoint)
{
    return checkpoint->snapshot->experiment_id;
}

const char *dt_checkpoint_data_id(const dt_checkpoint *checkpoint)
{
    return checkpoint->snapshot->data_id;
}

dt_status dt_checkpoint_step(const char *path, int64_t *step, dt_error *error)
{
    reader *r = dt_allocate_zeroed(1, sizeof *r);
    dt_sandbox box;
    if (!r)
        return dt_fail_memory(error, "a checkpoint");
    r->path = path;
    dt_status status = start(r, &box, step_in_child, error);
    if (status == DT_OK) {
        status = dt_sandbox_receive(&box, step, sizeof *step, error);
        dt_sandbox_finish(&box);
    }
    dt_release(r);
    return status;
}
