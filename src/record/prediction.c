#include "record/prediction.h"

#include "base/file.h"
#include "base/memory.h"
#include "hdf5/hdf5.h"

struct dt_prediction {
    dt_new_file file;
    hid_t id, outputs, classes;
    int64_t width;
    bool broken; /* HDF5 failed: its handles are never touched again (see hdf5.h) */
};

static hid_t make_set(hid_t file, const char *name, hid_t type, int rank, const hsize_t *size, const char *long_name)
{
    hid_t space = H5Screate_simple(rank, size, NULL), set = -1;
    if (dt_hdf5_ok(space))
        set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const bool good = dt_hdf5_ok(set) && dt_hdf5_put_text(set, "long_name", long_name);
    dt_hdf5_close(space);
    return good ? set : -1;
}

static bool put_names(hid_t file, const char *const *names, hsize_t count)
{
    hid_t type = H5Tcopy(H5T_C_S1), set = -1;
    const bool good = dt_hdf5_ok(type) && dt_hdf5_ok(H5Tset_size(type, H5T_VARIABLE)) &&
                      dt_hdf5_ok(H5Tset_cset(type, H5T_CSET_UTF8)) &&
                      (set = make_set(file, "names", type, 1, &count, "names of the outputs")) >= 0 &&
                      dt_hdf5_ok(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, names));
    dt_hdf5_close(set);
    dt_hdf5_close(type);
    return good;
}

dt_status dt_prediction_create(dt_prediction **prediction, const char *path, int64_t rows, int64_t outputs,
                               const char *const *names, const char *kind, bool classes, dt_error *error)
{
    const hsize_t size[2] = {(hsize_t)rows, (hsize_t)outputs};
    dt_prediction *p = dt_allocate_zeroed(1, sizeof *p);
    *prediction = NULL;
    if (!p)
        return dt_fail_memory(error, path);
    p->id = p->outputs = p->classes = -1;
    p->width = outputs;
    dt_status status = dt_new_file_begin(&p->file, path, error);
    if (status != DT_OK) {
        dt_release(p);
        return status;
    }
    dt_hdf5_enter();
    const bool good =
        (p->id = dt_hdf5_create(p->file.temporary)) >= 0 && dt_hdf5_put_text(p->id, "format", "deltoid-prediction") &&
        (p->outputs = make_set(p->id, "outputs", H5T_IEEE_F64LE, 2, size, "answers of layer L")) >= 0 &&
        dt_hdf5_put_text(p->outputs, "kind", kind) && put_names(p->id, names, size[1]) &&
        (!classes || (p->classes = make_set(p->id, "class", H5T_STD_I64LE, 1, size, "the class of the sample")) >= 0);
    p->broken = !good;
    if (!good)
        status = dt_hdf5_fail(error, path, "write");
    dt_hdf5_leave();
    if (status == DT_OK)
        *prediction = p;
    else
        (void)dt_prediction_close(p, false, NULL);
    return status;
}

static bool put_rows(hid_t set, hid_t type, int rank, const hsize_t *first, const hsize_t *count, const void *numbers)
{
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(rank, count, NULL);
    const bool good = dt_hdf5_ok(space) && dt_hdf5_ok(memory) &&
                      dt_hdf5_ok(H5Sselect_hyperslab(space, H5S_SELECT_SET, first, NULL, count, NULL)) &&
                      dt_hdf5_ok(H5Dwrite(set, type, memory, space, H5P_DEFAULT, numbers));
    dt_hdf5_close(memory);
    dt_hdf5_close(space);
    return good;
}

dt_status dt_prediction_put(dt_prediction *prediction, int64_t first, int64_t count, const double *outputs,
                            const int64_t *classes, dt_error *error)
{
    const hsize_t from[2] = {(hsize_t)first, 0}, size[2] = {(hsize_t)count, (hsize_t)prediction->width};
    dt_status status = DT_OK;
    dt_hdf5_enter();
    if (!put_rows(prediction->outputs, H5T_NATIVE_DOUBLE, 2, from, size, outputs) ||
        (classes && !put_rows(prediction->classes, H5T_NATIVE_INT64, 1, from, size, classes))) {
        prediction->broken = true;
        status = dt_hdf5_fail(error, prediction->file.path, "write");
    }
    dt_hdf5_leave();
    return status;
}

dt_status dt_prediction_close(dt_prediction *prediction, bool keep, dt_error *error)
{
    dt_status status = DT_OK;
    if (!prediction->broken) {
        dt_hdf5_enter();
        dt_hdf5_close(prediction->classes);
        dt_hdf5_close(prediction->outputs);
        if (!dt_hdf5_ok(H5Fflush(prediction->id, H5F_SCOPE_LOCAL)) || !dt_hdf5_ok(H5Fclose(prediction->id)))
            status = dt_hdf5_fail(error, prediction->file.path, "close");
        dt_hdf5_leave();
    }
    if (status == DT_OK && keep && !prediction->broken)
        status = dt_new_file_publish(&prediction->file, false, error);
    else
        dt_new_file_discard(&prediction->file);
    dt_release(prediction);
    return status;
}
