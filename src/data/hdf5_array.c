#include "data/hdf5_array.h"

#include <string.h>

#include "hdf5/checks.h"
#include "hdf5/hdf5.h"

enum { CHUNK_MAX = 256 << 20, CHUNK_CACHE = 64 << 20, CACHE_SLOTS = 12421, DEFLATE_RATIO = 1032 };

dt_status dt_hdf5_array_fail(const dt_array_name *name, const char *why, dt_error *error)
{
    return dt_fail(error, DT_MALFORMED, "%s: %s; give an array of numbers that lies in the file itself", name->text,
                   why);
}

/* In the child, when a call of HDF5 has failed: the disk, or else the file. */
static dt_status fail_call(const dt_array_name *name, const char *why, dt_error *error)
{
    (void)dt_hdf5_ok(-1); /* keeps the reason, where that was not done */
    return dt_hdf5_refused() ? dt_hdf5_fail(error, name->text, "read") : dt_hdf5_array_fail(name, why, error);
}

/* Every group on the way and the array itself lie in this file. */
static bool all_hard(const char *array, hid_t file)
{
    char path[512];
    const size_t n = strlen(array);
    if (n >= sizeof path)
        return false;
    for (size_t i = 1; i <= n; i++)
        if (array[i] == '/' || array[i] == '\0') {
            memcpy(path, array, i);
            path[i] = '\0';
            if (!dt_hdf5_is_hard(file, path))
                return false;
        }
    return true;
}

/* The machine's own type of the file's kind and size; negative with `why` where it is none that we read. */
static hid_t native_type(hid_t type, dt_hdf5_said *said, const char **why)
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

/* Bytes to keep of chunks that are unpacked: those that a row goes through, since rows are read in order. */
static int64_t cache_for(const dt_hdf5_said *said, const hsize_t *chunk)
{
    uint64_t bytes = (uint64_t)said->size;
    for (int64_t d = 0; d < said->rank; d++) {
        const uint64_t across = d == 0 ? 1 : said->dimensions[d] / chunk[d] + (said->dimensions[d] % chunk[d] != 0);
        if (__builtin_mul_overflow(bytes, chunk[d], &bytes) || __builtin_mul_overflow(bytes, across, &bytes))
            return CHUNK_CACHE;
    }
    return bytes < CHUNK_CACHE ? (int64_t)bytes : CHUNK_CACHE;
}

/* Dimensions, and whether so many numbers can lie in the file; rows that are read at a time. */
static const char *measure(hid_t set, hid_t space, hid_t creation, dt_hdf5_said *said)
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
    if (row > DT_HDF5_BLOCK)
        return "has rows of more than 4 MiB";
    said->block = row ? (int64_t)(DT_HDF5_BLOCK / row) : 1;
    if (H5Pget_layout(creation) == H5D_CHUNKED) {
        uint64_t bytes = (uint64_t)said->size;
        if (H5Pget_chunk(creation, DT_ARRAY_RANK_MAX, chunk) != said->rank)
            return "has chunks of another rank";
        for (int64_t d = 0; d < said->rank; d++)
            if (chunk[d] == 0 || __builtin_mul_overflow(bytes, chunk[d], &bytes) || bytes > CHUNK_MAX)
                return "has chunks of nothing, or of more than 256 MiB";
        said->chunk = (int64_t)chunk[0];
        said->cache = cache_for(said, chunk);
        if ((uint64_t)said->block > chunk[0])
            said->block -= said->block % (int64_t)chunk[0]; /* whole chunks, each unpacked once */
    }
    return NULL;
}

static dt_status describe(dt_hdf5_array *a, dt_error *error)
{
    const char *why = "is no array";
    const hid_t type = H5Dget_type(a->set), creation = H5Dget_create_plist(a->set);
    a->space = H5Dget_space(a->set);
    a->type = -1;
    if (type >= 0 && a->space >= 0 && creation >= 0 && !(why = dt_hdf5_storage_fault(creation)))
        a->type = native_type(type, &a->said, &why);
    if (a->type >= 0)
        why = measure(a->set, a->space, creation, &a->said);
    return why ? fail_call(a->name, why, error) : DT_OK;
}

static dt_status fail_file(const dt_array_name *name, dt_error *error)
{
    (void)dt_hdf5_ok(-1);
    return dt_hdf5_refused()
               ? dt_hdf5_fail(error, name->file, "open")
               : dt_fail(error, DT_MALFORMED, "%s: is not an HDF5 file, or is cut short; use a copy that is sound",
                         name->file);
}

/* Again, now that it is known what reading it needs. What was used last stays: with a w0 of 1 in place of 0, HDF5
 * 1.10.8 keeps every chunk that was read in part, whatever the limit. */
static dt_status open_with_cache(dt_hdf5_array *a, hid_t file, dt_error *error)
{
    const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    if (a->said.cache == 0)
        return DT_OK; /* no chunks */
    if (access < 0 || H5Pset_chunk_cache(access, CACHE_SLOTS, (size_t)a->said.cache, 0) < 0 || H5Dclose(a->set) < 0)
        return fail_call(a->name, "can't be opened", error);
    a->set = H5Dopen2(file, a->name->array, access);
    return a->set < 0 ? fail_call(a->name, "is no array", error) : DT_OK;
}

dt_status dt_hdf5_array_open(dt_hdf5_array *array, const dt_array_name *name, dt_error *error)
{
    *array = (dt_hdf5_array){.name = name, .set = -1};
    const hid_t file = H5Fopen(name->file, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return fail_file(name, error);
    if (!all_hard(name->array, file))
        return fail_call(name, "is not there, or is a link", error);
    const hid_t object = H5Oopen(file, name->array, H5P_DEFAULT);
    if (object < 0 || H5Iget_type(object) != H5I_DATASET)
        return fail_call(name, "is no array", error);
    H5Oclose(object);
    array->set = H5Dopen2(file, name->array, H5P_DEFAULT);
    if (array->set < 0)
        return fail_call(name, "is no array", error);
    const dt_status status = describe(array, error);
    return status == DT_OK ? open_with_cache(array, file, error) : status;
}

dt_status dt_hdf5_array_read(const dt_hdf5_array *array, int64_t first, int64_t count, void *to, dt_error *error)
{
    hsize_t start[DT_ARRAY_RANK_MAX] = {(hsize_t)first}, size[DT_ARRAY_RANK_MAX] = {(hsize_t)count};
    for (int64_t d = 1; d < array->said.rank; d++)
        size[d] = array->said.dimensions[d];
    const hid_t memory = H5Screate_simple((int)array->said.rank, size, NULL);
    const bool good = dt_hdf5_ok(memory) &&
                      dt_hdf5_ok(H5Sselect_hyperslab(array->space, H5S_SELECT_SET, start, NULL, size, NULL)) &&
                      dt_hdf5_ok(H5Dread(array->set, array->type, memory, array->space, H5P_DEFAULT, to));
    if (memory >= 0)
        H5Sclose(memory);
    if (good)
        return DT_OK;
    return fail_call(array->name, "can't be read; the file is damaged", error);
}

dt_status dt_hdf5_array_believe(dt_array *array, const dt_array_name *name, const dt_hdf5_said *said, dt_error *error)
{
    const bool sane = said->rank >= 1 && said->rank <= DT_ARRAY_RANK_MAX && said->block >= 1 && said->chunk >= 0 &&
                      said->cache >= 0 && said->cache <= CHUNK_CACHE && said->kind >= DT_NUMBER_UNSIGNED &&
                      said->kind <= DT_NUMBER_FLOAT && said->size >= 1 && said->size <= 8;
    if (sane)
        array->type =
            dt_numbers_of((dt_number_kind)said->kind, (size_t)said->size, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    if (!sane || !array->type.name)
        return dt_hdf5_array_fail(name, "is damaged", error);
    dt_status status = dt_array_shape(array, (int)said->rank, said->dimensions, error);
    if (status == DT_OK && (size_t)said->block > DT_HDF5_BLOCK / array->type.size / array->features)
        status = dt_hdf5_array_fail(name, "is damaged", error);
    array->likely = said->storage;
    return status;
}
