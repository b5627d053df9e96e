#include "record/dataset_write.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "hdf5/hdf5.h"

static bool put(hid_t set, hid_t type, const void *numbers)
{
    return dt_hdf5_ok(set) && dt_hdf5_ok(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers));
}

static hid_t make(hid_t file, const char *name, hid_t type, int rank, const hsize_t *size)
{
    hid_t space = H5Screate_simple(rank, size, NULL), set = -1;
    if (dt_hdf5_ok(space))
        (void)dt_hdf5_ok(set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    dt_hdf5_close(space);
    return set;
}

static bool put_row(hid_t set, int64_t i, hsize_t n, const double *row)
{
    const hsize_t first[2] = {(hsize_t)i, 0}, count[2] = {1, n};
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(2, count, NULL);
    const bool good = dt_hdf5_ok(space) && dt_hdf5_ok(memory) &&
                      dt_hdf5_ok(H5Sselect_hyperslab(space, H5S_SELECT_SET, first, NULL, count, NULL)) &&
                      dt_hdf5_ok(H5Dwrite(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, row));
    dt_hdf5_close(memory);
    dt_hdf5_close(space);
    return good;
}

static bool put_inputs(hid_t file, const dt_dataset *d)
{
    const hid_t on_disk[] = {[DT_U8] = H5T_STD_U8LE, [DT_F32] = H5T_IEEE_F32LE, [DT_F64] = H5T_IEEE_F64LE};
    const hid_t here[] = {[DT_U8] = H5T_NATIVE_UINT8, [DT_F32] = H5T_NATIVE_FLOAT, [DT_F64] = H5T_NATIVE_DOUBLE};
    const hsize_t size[2] = {(hsize_t)d->rows, (hsize_t)d->features};
    hid_t set = make(file, "inputs", on_disk[d->element], 2, size);
    bool good = set >= 0;
    if (good && !d->start) {
        good = put(set, here[d->element], d->inputs);
    } else if (good) {
        double *row = dt_allocate((size_t)d->features, sizeof *row);
        good = row || dt_hdf5_out_of_memory();
        for (int64_t i = 0; good && i < d->rows; i++) {
            dt_dataset_row(d, i, row);
            good = put_row(set, i, size[1], row);
        }
        dt_release(row);
    }
    good = good && dt_hdf5_put_text(set, "long_name", "inputs x");
    dt_hdf5_close(set);
    return good;
}

/* The names, one a line; what is in them of line ends becomes blanks. */
static bool put_names(hid_t set, const dt_dataset *d)
{
    const int64_t count = d->labels ? d->classes : d->outputs;
    size_t size = 1, used = 0;
    if (!d->label_names)
        return true;
    for (int64_t i = 0; i < count; i++)
        size += strlen(d->label_names[i]) + 1;
    char *text = dt_allocate_zeroed(size, 1);
    for (int64_t i = 0; text && i < count; i++) {
        for (const char *c = d->label_names[i]; *c; c++)
            text[used++] = *c == '\n' ? ' ' : *c;
        if (i + 1 < count)
            text[used++] = '\n';
    }
    const bool good = (text || dt_hdf5_out_of_memory()) && dt_hdf5_put_text(set, "names", text);
    dt_release(text);
    return good;
}

static bool put_labels(hid_t file, const dt_dataset *d)
{
    const hsize_t size[2] = {(hsize_t)d->rows, (hsize_t)d->outputs};
    if (!d->labels && !d->targets)
        return true;
    hid_t set =
        d->labels ? make(file, "labels", H5T_STD_I32LE, 1, size) : make(file, "labels", H5T_IEEE_F64LE, 2, size);
    const bool good = set >= 0 &&
                      (d->labels ? put(set, H5T_NATIVE_INT32, d->labels) : put(set, H5T_NATIVE_DOUBLE, d->targets)) &&
                      put_names(set, d) && dt_hdf5_put_text(set, "long_name", d->labels ? "classes" : "targets");
    dt_hdf5_close(set);
    return good;
}

dt_status dt_dataset_write_hdf5(const char *path, const dt_dataset *dataset, dt_error *error)
{
    dt_new_file file;
    dt_status status = dt_new_file_begin(&file, path, error);
    if (status != DT_OK)
        return status;
    dt_hdf5_enter();
    const hid_t id = dt_hdf5_create(file.temporary);
    const bool good = id >= 0 && put_inputs(id, dataset) && put_labels(id, dataset) &&
                      dt_hdf5_ok(H5Fflush(id, H5F_SCOPE_LOCAL)) && dt_hdf5_ok(H5Fclose(id));
    if (!good)
        status = dt_hdf5_fail(error, path, "write");
    dt_hdf5_leave();
    if (status == DT_OK)
        return dt_new_file_publish(&file, false, error);
    dt_new_file_discard(&file);
    return status;
}
