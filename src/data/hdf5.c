#include "data/hdf5.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/sandbox.h"
#include "data/array.h"
#include "data/source.h"
#include "hdf5/checks.h"
#include "hdf5/hdf5.h"

enum { BLOCK = 4 << 20, CHUNK_MAX = 256 << 20, CHUNK_CACHE = 64 << 20, CHILD_MEMORY = 768 << 20, DEFLATE_RATIO = 1032 };

/* What the child says of an array before its numbers: `block` rows at a time follow, the last fewer. */
typedef struct announcement {
    uint64_t dimensions[DT_ARRAY_RANK_MAX], storage;
    int64_t rank, kind, size, block;
} announcement;

typedef struct hdf5_array {
    dt_array array;
    dt_array_name name;
    dt_sandbox box;
    bool started;
    announcement said;
    unsigned char *block; /* (BLOCK); the child fills its copy, this process its own */
    size_t at, end;       /* what is left in it */
    uint64_t rows_left;
} hdf5_array;

/* --- in the child --- */

static dt_status fail_with(const hdf5_array *a, const char *why, dt_error *error)
{
    return dt_fail(error, DT_MALFORMED, "%s: %s; give an array of numbers that lies in the file itself", a->name.text,
                   why);
}

/* Every group on the way and the array itself lie in this file. */
static bool all_hard(const hdf5_array *a, hid_t file)
{
    char path[512];
    const size_t n = strlen(a->name.array);
    if (n >= sizeof path)
        return false;
    for (size_t i = 1; i <= n; i++)
        if (a->name.array[i] == '/' || a->name.array[i] == '\0') {
            memcpy(path, a->name.array, i);
            path[i] = '\0';
            if (!dt_hdf5_is_hard(file, path))
                return false;
        }
    return true;
}

/* The machine's own type of the file's kind and size; negative with `why` where it is none that we read. */
static hid_t native_type(hid_t type, announcement *said, const char **why)
{
    static const size_t sizes[] = {1, 2, 4, 8};
    const hid_t whole[2][4] = {{H5T_NATIVE_UINT8, H5T_NATIVE_UINT16, H5T_NATIVE_UINT32, H5T_NATIVE_UINT64},
                               {H5T_NATIVE_INT8, H5T_NATIVE_INT16, H5T_NATIVE_INT32, H5T_NATIVE_INT64}};
    const H5T_class_t class = H5Tget_class(type);
    said->size = (int64_t)H5Tget_size(type);
    *why = "holds neither integers nor floats of 32 or 64 bits";
    if (class == H5T_FLOAT) {
        said->kind = DT_NUMBER_FLOAT;
        if (H5Tequal(type, H5T_IEEE_F32LE) > 0 || H5Tequal(type, H5T_IEEE_F32BE) > 0)
            return H5T_NATIVE_FLOAT;
        return H5Tequal(type, H5T_IEEE_F64LE) > 0 || H5Tequal(type, H5T_IEEE_F64BE) > 0 ? H5T_NATIVE_DOUBLE : -1;
    }
    if (class != H5T_INTEGER)
        return -1;
    const bool sign = H5Tget_sign(type) == H5T_SGN_2;
    said->kind = sign ? DT_NUMBER_SIGNED : DT_NUMBER_UNSIGNED;
    for (size_t i = 0; i < 4; i++)
        if ((size_t)said->size == sizes[i])
            return whole[sign][i];
    return -1;
}

/* Dimensions, and whether so many numbers can lie in the file; rows that are read at a time. */
static const char *measure(hid_t set, hid_t space, hid_t creation, announcement *said)
{
    hsize_t dimensions[DT_ARRAY_RANK_MAX] = {0}, chunk[DT_ARRAY_RANK_MAX] = {0};
    uint64_t row = (uint64_t)said->size, all, most;
    said->rank = H5Sget_simple_extent_type(space) == H5S_SIMPLE ? H5Sget_simple_extent_ndims(space) : 0;
    if (said->rank < 1 || said->rank > DT_ARRAY_RANK_MAX ||
        H5Sget_simple_extent_dims(space, dimensions, NULL) != said->rank)
        return "has no dimensions, or more than 4";
    for (int64_t d = 0; d < said->rank; d++) {
        said->dimensions[d] = dimensions[d];
        if (d > 0 && __builtin_mul_overflow(row, dimensions[d], &row))
            return "is larger than any memory";
    }
    said->storage = H5Dget_storage_size(set);
    if (__builtin_mul_overflow(row, dimensions[0], &all) ||
        __builtin_mul_overflow(said->storage, (uint64_t)DEFLATE_RATIO, &most) || all > most)
        return "says that it is larger than what the file holds of it can be";
    if (row > BLOCK)
        return "has rows of more than 4 MiB";
    said->block = row ? (int64_t)(BLOCK / row) : 1;
    if (H5Pget_layout(creation) == H5D_CHUNKED) {
        uint64_t bytes = (uint64_t)said->size;
        if (H5Pget_chunk(creation, DT_ARRAY_RANK_MAX, chunk) != said->rank)
            return "has chunks of another rank";
        for (int64_t d = 0; d < said->rank; d++)
            if (__builtin_mul_overflow(bytes, chunk[d], &bytes) || bytes > CHUNK_MAX)
                return "has chunks of more than 256 MiB";
        if ((uint64_t)said->block > chunk[0])
            said->block -= said->block % (int64_t)chunk[0]; /* whole chunks, each unpacked once */
    }
    return NULL;
}

static dt_status send_rows(const hdf5_array *a, hid_t set, hid_t space, hid_t type, const announcement *said, int pipe,
                           dt_error *error)
{
    hsize_t first[DT_ARRAY_RANK_MAX] = {0}, count[DT_ARRAY_RANK_MAX];
    size_t row = (size_t)said->size;
    for (int64_t d = 0; d < said->rank; d++) {
        count[d] = said->dimensions[d];
        row *= d ? (size_t)said->dimensions[d] : 1;
    }
    for (uint64_t done = 0; done < said->dimensions[0]; done += count[0]) {
        const uint64_t left = said->dimensions[0] - done;
        first[0] = done;
        count[0] = left < (uint64_t)said->block ? left : (uint64_t)said->block;
        const hid_t memory = H5Screate_simple((int)said->rank, count, NULL);
        if (memory < 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, first, NULL, count, NULL) < 0 ||
            H5Dread(set, type, memory, space, H5P_DEFAULT, a->block) < 0)
            return fail_with(a, "can't be read; the file is damaged", error);
        H5Sclose(memory);
        const dt_status status = dt_sandbox_send(pipe, a->block, (size_t)count[0] * row);
        if (status != DT_OK)
            return status;
    }
    return DT_OK;
}

static dt_status send_array(const hdf5_array *a, hid_t set, int pipe, dt_error *error)
{
    announcement said = {.rank = 0};
    const char *why = "is no array";
    const hid_t type = H5Dget_type(set), space = H5Dget_space(set), creation = H5Dget_create_plist(set);
    hid_t native = -1;
    if (type >= 0 && space >= 0 && creation >= 0 && !(why = dt_hdf5_storage_fault(creation)))
        native = native_type(type, &said, &why);
    if (native >= 0)
        why = measure(set, space, creation, &said);
    if (why && (native < 0 || *why))
        return fail_with(a, why, error);
    const dt_status status = dt_sandbox_send(pipe, &said, sizeof said);
    return status == DT_OK ? send_rows(a, set, space, native, &said, pipe, error) : status;
}

/* Ends with the child, which closes nothing: it is a copy that is about to vanish. */
static dt_status work(void *context, int pipe, dt_error *error)
{
    const hdf5_array *a = context;
    const hid_t file = H5Fopen(a->name.file, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return dt_fail(error, DT_MALFORMED, "%s: is not an HDF5 file, or is cut short; use a copy that is sound",
                       a->name.file);
    if (!all_hard(a, file))
        return fail_with(a, "is not there, or is a link", error);
    const hid_t object = H5Oopen(file, a->name.array, H5P_DEFAULT);
    if (object < 0 || H5Iget_type(object) != H5I_DATASET)
        return fail_with(a, "is no array", error);
    H5Oclose(object);
    const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    if (access < 0 || H5Pset_chunk_cache(access, 12421, CHUNK_CACHE, 1) < 0)
        return fail_with(a, "can't be opened", error);
    const hid_t set = H5Dopen2(file, a->name.array, access);
    return set < 0 ? fail_with(a, "is no array", error) : send_array(a, set, pipe, error);
}

/* --- in this process --- */

static dt_status receive_block(hdf5_array *a, dt_error *error)
{
    const uint64_t rows = a->rows_left < (uint64_t)a->said.block ? a->rows_left : (uint64_t)a->said.block;
    a->at = 0;
    a->end = (size_t)rows * a->array.features * a->array.type.size;
    a->rows_left -= rows;
    return a->end ? dt_sandbox_receive(&a->box, a->block, a->end, error) : DT_OK;
}

static dt_status read_blocks(void *from, void *bytes, size_t size, size_t *got, dt_error *error)
{
    hdf5_array *a = from;
    dt_status status = DT_OK;
    *got = 0;
    while (*got < size && status == DT_OK) {
        if (a->at == a->end && (status = receive_block(a, error)) != DT_OK)
            break;
        const size_t left = a->end - a->at, some = left < size - *got ? left : size - *got;
        if (some == 0)
            break;
        memcpy((char *)bytes + *got, a->block + a->at, some);
        a->at += some;
        *got += some;
    }
    return status;
}

/* The child is a copy of this process, not to be believed once a file has broken it. */
static dt_status check_announcement(hdf5_array *a, dt_error *error)
{
    const announcement *said = &a->said;
    const bool sane = said->rank >= 1 && said->rank <= DT_ARRAY_RANK_MAX && said->block >= 1 &&
                      said->kind >= DT_NUMBER_UNSIGNED && said->kind <= DT_NUMBER_FLOAT && said->size >= 1 &&
                      said->size <= 8;
    if (sane)
        a->array.type =
            dt_numbers_of((dt_number_kind)said->kind, (size_t)said->size, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    if (!sane || !a->array.type.name)
        return fail_with(a, "is damaged", error);
    dt_status status = dt_array_shape(&a->array, (int)said->rank, said->dimensions, error);
    if (status == DT_OK && (size_t)said->block > BLOCK / a->array.type.size / a->array.features)
        status = fail_with(a, "is damaged", error);
    a->array.likely = said->storage;
    a->rows_left = a->array.rows;
    return status;
}

static dt_status open_array(hdf5_array *a, const dt_source *source, const char *which, dt_error *error)
{
    dt_status status = dt_array_name_make(&a->name, source, which, NULL, error);
    if (status != DT_OK)
        return status;
    a->array.name = a->name.text;
    a->array.read = read_blocks;
    a->array.from = a;
    if (!a->name.array)
        return dt_fail(error, DT_INVALID, "%s: names no array; write FILE:/PATH, or file: FILE beside /PATH",
                       a->name.text);
    status = dt_sandbox_check_file(a->name.file, "check the path, or fetch the data set first", error);
    if (status == DT_OK && !(a->block = dt_allocate(BLOCK, 1)))
        status = dt_fail_memory(error, a->name.text);
    if (status != DT_OK)
        return status;
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    status = dt_sandbox_start(&a->box, a->name.file, work, a, CHILD_MEMORY, DT_SANDBOX_LONG, error);
    dt_hdf5_leave();
    a->started = status == DT_OK;
    if (status == DT_OK)
        status = dt_sandbox_receive(&a->box, &a->said, sizeof a->said, error);
    return status == DT_OK ? check_announcement(a, error) : status;
}

static void close_array(hdf5_array *a)
{
    if (a->started)
        dt_sandbox_finish(&a->box);
    dt_release(a->block);
    dt_array_name_clear(&a->name);
}

static dt_status read_labels(dt_dataset *dataset, hdf5_array *inputs, const dt_opening *opening, dt_error *error)
{
    const dt_source *source = opening->source;
    hdf5_array labels = {.started = false};
    dt_status status = open_array(&labels, source, source->labels, error);
    if (status == DT_OK)
        status = dt_array_check_pair(&inputs->array, &labels.array, opening->data->targets, error);
    if (status == DT_OK)
        status = dt_array_read_labels(dataset, &labels.array, opening->data->targets, error);
    if (status == DT_OK)
        status = dt_stream_hash_file(labels.name.file, dataset->labels_sha256, error);
    close_array(&labels);
    return status;
}

dt_status dt_hdf5_dataset_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error)
{
    const dt_source *source = opening->source;
    hdf5_array inputs = {.started = false};
    if (!source->inputs || (!source->labels && !opening->unlabelled))
        return dt_fail(error, DT_INVALID, "format hdf5 needs two arrays: inputs and labels; name both");
    dt_status status = open_array(&inputs, source, source->inputs, error);
    if (status == DT_OK && source->labels)
        status = read_labels(dataset, &inputs, opening, error);
    if (status == DT_OK)
        status = dt_array_read_inputs(dataset, &inputs.array, error);
    if (status == DT_OK)
        status = dt_stream_hash_file(inputs.name.file, dataset->inputs_sha256, error);
    close_array(&inputs);
    return status;
}
