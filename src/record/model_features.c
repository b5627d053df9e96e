/* How many inputs a model.h5 is for, before there is a trainer to read it: the width of /layer01/W. */
#include <inttypes.h>

#include "base/sandbox.h"
#include "deltoid/interchange.h"
#include "hdf5/checks.h"
#include "hdf5/hdf5.h"

enum { FEATURES_MAX = 1 << 26, CHILD_MEMORY = 512 << 20 };

static bool measure(hid_t file, int64_t *features)
{
    hsize_t size[2] = {0, 0};
    if (!dt_hdf5_is_hard(file, "/layer01") || !dt_hdf5_is_hard(file, "/layer01/W"))
        return false;
    hid_t set = H5Oopen(file, "/layer01/W", H5P_DEFAULT), space = -1;
    const bool good = set >= 0 && H5Iget_type(set) == H5I_DATASET && (space = H5Dget_space(set)) >= 0 &&
                      H5Sget_simple_extent_type(space) == H5S_SIMPLE && H5Sget_simple_extent_ndims(space) == 2 &&
                      H5Sget_simple_extent_dims(space, size, NULL) == 2 && size[1] >= 1 && size[1] <= FEATURES_MAX;
    dt_hdf5_close(space);
    dt_hdf5_close(set);
    *features = (int64_t)size[1];
    return good;
}

static dt_status read_in_child(void *context, int pipe, dt_error *error)
{
    const char *path = context;
    int64_t features = 0;
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return dt_fail(error, DT_MALFORMED, "%s: is not an HDF5 file, or is cut short; use a copy that is sound", path);
    if (!measure(file, &features))
        return dt_fail(error, DT_MALFORMED, "%s: /layer01/W is no matrix; it is no model that deltoid wrote", path);
    return dt_sandbox_send(pipe, &features, sizeof features);
}

dt_status dt_model_features(const char *path, int64_t *features, dt_error *error)
{
    union {
        const char *text;
        void *context;
    } file = {path};
    dt_sandbox box;
    dt_status status = dt_sandbox_check_file(path, "name a run that was trained to its end", error);
    if (status != DT_OK)
        return status;
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    status = dt_sandbox_start(&box, path, read_in_child, file.context, CHILD_MEMORY, sizeof *features, error);
    dt_hdf5_leave();
    if (status != DT_OK)
        return status;
    status = dt_sandbox_receive(&box, features, sizeof *features, error);
    dt_sandbox_finish(&box);
    if (status == DT_OK && (*features < 1 || *features > FEATURES_MAX))
        status = dt_fail(error, DT_MALFORMED, "%s: is damaged; use a copy that is sound", path);
    return status;
}
