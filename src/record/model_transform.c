/* /transform of model.h5: what the training set decided about the reading of every other (deltoid/dataset.h's
 * dt_transform). There where the training set has one.
 *
 *     features          attribute, int64
 *     shift, factor     (input) float64, where inputs are shifted: x_k = (input_k - shift_k) * factor_k
 *     columns           (byte) uint8, the text of data/columns.h, where words became numbers
 */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "base/sandbox.h"
#include "deltoid/record.h"
#include "hdf5/checks.h"
#include "hdf5/hdf5.h"
#include "record/model_file.h"

enum { FEATURES_MAX = 1 << 26, COLUMNS_MAX = 64 << 20, CHILD_MEMORY = 512 << 20, CHILD_BYTES = 512 << 20 };

/* --- written --- */

static bool put_array(hid_t group, const char *name, const char *long_name, hid_t file_type, hid_t type, size_t count,
                      const void *numbers)
{
    const hsize_t size = count;
    hid_t space = H5Screate_simple(1, &size, NULL), set = -1;
    const bool good =
        dt_hdf5_ok(space) &&
        dt_hdf5_ok(set = H5Dcreate2(group, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)) &&
        dt_hdf5_ok(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers)) &&
        dt_hdf5_put_text(set, "long_name", long_name);
    dt_hdf5_close(set);
    dt_hdf5_close(space);
    return good;
}

bool dt_model_put_transform(hid_t file, const dt_transform *t)
{
    if (!t)
        return true;
    const size_t n = (size_t)t->features;
    hid_t group = H5Gcreate2(file, DT_MODEL_TRANSFORM, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool good = dt_hdf5_ok(group) && dt_hdf5_put_integer(group, "features", t->features) &&
                dt_hdf5_put_text(group, "equation", "x_k = (input_k - shift_k) * factor_k");
    if (good && t->shift)
        good = put_array(group, "shift", "taken off each input", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, n, t->shift) &&
               put_array(group, "factor", "what is left is multiplied by", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, n,
                         t->factor);
    if (good && t->columns)
        good = put_array(group, "columns", "how words became numbers", H5T_STD_U8LE, H5T_NATIVE_UINT8,
                         strlen(t->columns), t->columns);
    dt_hdf5_close(group);
    return good;
}

/* --- read, in the child --- */

typedef struct sizes {
    int64_t features, shifted, columns; /* 0: there is none; shifted: 0 or 1 */
} sizes;

typedef struct reading {
    const char *path;
    sizes sizes;
    bool data; /* the second time: into `numbers` and `columns` */
    double *numbers;
    char *columns;
} reading;

static dt_status fail_with(const reading *r, const char *what, dt_error *error)
{
    return dt_fail(error, DT_MALFORMED, "%s: /transform: %s; it is no model that deltoid wrote", r->path, what);
}

/* A data set of one dimension: its length, and its numbers where `to` is not NULL. -1 where it is anything else. */
static int64_t take_array(hid_t file, const char *name, H5T_class_t class, size_t size, hid_t type, int64_t room,
                          void *to)
{
    hsize_t count = 0;
    int64_t found = -1;
    if (!dt_hdf5_is_hard(file, name))
        return -1;
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = -1, own = -1, creation = -1;
    if (set >= 0 && (space = H5Dget_space(set)) >= 0 && (own = H5Dget_type(set)) >= 0 &&
        (creation = H5Dget_create_plist(set)) >= 0 && !dt_hdf5_storage_fault(creation) && H5Tget_class(own) == class &&
        H5Tget_size(own) == size && H5Sget_simple_extent_ndims(space) == 1 &&
        H5Sget_simple_extent_dims(space, &count, NULL) == 1 && count >= 1 && count <= (hsize_t)room)
        found = (int64_t)count;
    if (found > 0 && to && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) < 0)
        found = -1;
    dt_hdf5_close(creation);
    dt_hdf5_close(own);
    dt_hdf5_close(space);
    dt_hdf5_close(set);
    return found;
}

static bool take_features(hid_t file, int64_t *features)
{
    hid_t attribute = H5Aopen_by_name(file, DT_MODEL_TRANSFORM, "features", H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = -1, type = -1;
    const bool good = attribute >= 0 && (space = H5Aget_space(attribute)) >= 0 &&
                      (type = H5Aget_type(attribute)) >= 0 && H5Tget_class(type) == H5T_INTEGER &&
                      H5Sget_simple_extent_npoints(space) == 1 && H5Aread(attribute, H5T_NATIVE_INT64, features) >= 0;
    dt_hdf5_close(type);
    dt_hdf5_close(space);
    dt_hdf5_close(attribute);
    return good && *features >= 1 && *features <= FEATURES_MAX;
}

static dt_status measure(reading *r, hid_t file, dt_error *error)
{
    sizes *s = &r->sizes;
    *s = (sizes){0, 0, 0};
    if (H5Lexists(file, DT_MODEL_TRANSFORM, H5P_DEFAULT) <= 0)
        return DT_OK;
    if (!dt_hdf5_is_hard(file, DT_MODEL_TRANSFORM) || !take_features(file, &s->features))
        return fail_with(r, "is a link, or has no `features`", error);
    const int64_t n = s->features;
    if (H5Lexists(file, DT_MODEL_TRANSFORM "/shift", H5P_DEFAULT) > 0) {
        s->shifted = 1;
        if (take_array(file, DT_MODEL_TRANSFORM "/shift", H5T_FLOAT, 8, H5T_NATIVE_DOUBLE, n, NULL) != n ||
            take_array(file, DT_MODEL_TRANSFORM "/factor", H5T_FLOAT, 8, H5T_NATIVE_DOUBLE, n, NULL) != n)
            return fail_with(r, "shift and factor are not one float64 an input", error);
    }
    if (H5Lexists(file, DT_MODEL_TRANSFORM "/columns", H5P_DEFAULT) > 0) {
        s->columns =
            take_array(file, DT_MODEL_TRANSFORM "/columns", H5T_INTEGER, 1, H5T_NATIVE_UINT8, COLUMNS_MAX, NULL);
        if (s->columns < 0)
            return fail_with(r, "columns is no text", error);
    }
    return DT_OK;
}

static dt_status read_in_child(void *context, int pipe, dt_error *error)
{
    reading *r = context;
    const sizes before = r->sizes;
    const hid_t file = H5Fopen(r->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return dt_fail(error, DT_MALFORMED, "%s: is not an HDF5 file, or is cut short; use a copy that is sound",
                       r->path);
    dt_status status = measure(r, file, error);
    if (status != DT_OK || !r->data)
        return status == DT_OK ? dt_sandbox_send(pipe, &r->sizes, sizeof r->sizes) : status;
    const int64_t n = r->sizes.features;
    if (memcmp(&before, &r->sizes, sizeof before) != 0 ||
        (r->sizes.shifted &&
         (take_array(file, DT_MODEL_TRANSFORM "/shift", H5T_FLOAT, 8, H5T_NATIVE_DOUBLE, n, r->numbers) < 0 ||
          take_array(file, DT_MODEL_TRANSFORM "/factor", H5T_FLOAT, 8, H5T_NATIVE_DOUBLE, n, r->numbers + n) < 0)) ||
        (r->sizes.columns && take_array(file, DT_MODEL_TRANSFORM "/columns", H5T_INTEGER, 1, H5T_NATIVE_UINT8,
                                        r->sizes.columns, r->columns) < 0))
        return fail_with(r, "can't be read", error);
    if (r->sizes.shifted)
        status = dt_sandbox_send(pipe, r->numbers, 2 * (size_t)n * sizeof *r->numbers);
    if (status == DT_OK && r->sizes.columns)
        status = dt_sandbox_send(pipe, r->columns, (size_t)r->sizes.columns);
    return status;
}

/* --- in this process --- */

static dt_status start(dt_sandbox *box, reading *r, dt_error *error)
{
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    const dt_status status = dt_sandbox_start(box, r->path, read_in_child, r, CHILD_MEMORY, CHILD_BYTES, error);
    dt_hdf5_leave();
    return status;
}

static dt_status receive_sizes(reading *r, dt_error *error)
{
    dt_sandbox box;
    dt_status status = start(&box, r, error);
    if (status != DT_OK)
        return status;
    status = dt_sandbox_receive(&box, &r->sizes, sizeof r->sizes, error);
    dt_sandbox_finish(&box);
    const sizes *s = &r->sizes;
    if (status == DT_OK && (s->features < 0 || s->features > FEATURES_MAX || s->shifted < 0 || s->shifted > 1 ||
                            s->columns < 0 || s->columns > COLUMNS_MAX))
        status = fail_with(r, "is damaged", error);
    return status;
}

static dt_status receive_data(reading *r, dt_error *error)
{
    dt_sandbox box;
    r->data = true;
    dt_status status = start(&box, r, error);
    if (status != DT_OK)
        return status;
    if (r->sizes.shifted)
        status = dt_sandbox_receive(&box, r->numbers, 2 * (size_t)r->sizes.features * sizeof *r->numbers, error);
    if (status == DT_OK && r->sizes.columns)
        status = dt_sandbox_receive(&box, r->columns, (size_t)r->sizes.columns, error);
    dt_sandbox_finish(&box);
    return status;
}

dt_status dt_model_read_transform(const char *path, dt_transform **transform, dt_error *error)
{
    reading r = {.path = path};
    *transform = NULL;
    dt_status status = dt_sandbox_check_file(path, "name a run that was trained to its end", error);
    if (status == DT_OK)
        status = receive_sizes(&r, error);
    if (status != DT_OK || r.sizes.features == 0)
        return status;
    const size_t n = (size_t)r.sizes.features;
    r.numbers = dt_allocate(r.sizes.shifted ? n : 0, 2 * sizeof *r.numbers);
    r.columns = dt_allocate_zeroed((size_t)r.sizes.columns + 1, 1);
    if (!r.numbers || !r.columns)
        status = dt_fail_memory(error, path);
    if (status == DT_OK)
        status = receive_data(&r, error);
    if (status == DT_OK)
        status = dt_transform_create(transform, r.sizes.features, r.sizes.shifted ? r.numbers : NULL,
                                     r.sizes.shifted ? r.numbers + n : NULL, r.sizes.columns ? r.columns : NULL, error);
    dt_release(r.numbers);
    dt_release(r.columns);
    return status;
}
