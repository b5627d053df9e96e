#include "record/gradient_file.h"

#include <hdf5_hl.h>

#include "base/file.h"
#include "base/memory.h"
#include "hdf5/hdf5.h"

static bool write_rows(hid_t set, const dt_sample_gradient *g, double *row)
{
    hsize_t start[2] = {0, 0}, count[2] = {1, (hsize_t)g->inputs};
    hid_t memory = H5Screate_simple(2, count, NULL), space = H5Dget_space(set);
    bool good = dt_hdf5_ok(memory) && dt_hdf5_ok(space);
    for (int64_t j = 0; good && j < g->units; j++) {
        start[0] = (hsize_t)j;
        for (int64_t k = 0; k < g->inputs; k++)
            row[k] = g->delta[j] * g->a[k];
        good = dt_hdf5_ok(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL)) &&
               dt_hdf5_ok(H5Dwrite(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, row));
    }
    dt_hdf5_close(space);
    dt_hdf5_close(memory);
    return good;
}

static hid_t make_set(hid_t file, const char *name, int rank, const hsize_t *size, const char *long_name,
                      const char *equation)
{
    hid_t space = H5Screate_simple(rank, size, NULL), set = -1;
    if (dt_hdf5_ok(space) &&
        dt_hdf5_ok(set = H5Dcreate2(file, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)) &&
        dt_hdf5_put_text(set, "long_name", long_name) && dt_hdf5_put_text(set, "units", "1") &&
        dt_hdf5_put_text(set, "equation", equation))
        (void)dt_hdf5_put_text(set, "scaling", "the sample's own cost C_i, without 1/B");
    dt_hdf5_close(space);
    return set;
}

static bool write_tree(hid_t file, const dt_sample_gradient *g, double *row)
{
    const hsize_t size[2] = {(hsize_t)g->units, (hsize_t)g->inputs};
    hid_t unit = dt_hdf5_axis(file, "unit", g->units, "unit of the layer");
    hid_t input = dt_hdf5_axis(file, "input", g->inputs, "unit of the layer before");
    hid_t dW = make_set(file, "dW", 2, size, "gradient of the sample's cost by the weights",
                        "(5) dC/dw^l_jk = delta^l_j a^{l-1}_k");
    hid_t db =
        make_set(file, "db", 1, size, "gradient of the sample's cost by the biases", "(6) dC/db^l_j = delta^l_j");
    bool good = unit >= 0 && input >= 0 && dW >= 0 && db >= 0 && dt_hdf5_ok(H5DSattach_scale(dW, unit, 0)) &&
                dt_hdf5_ok(H5DSattach_scale(dW, input, 1)) && dt_hdf5_ok(H5DSattach_scale(db, unit, 0)) &&
                write_rows(dW, g, row) &&
                dt_hdf5_ok(H5Dwrite(db, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, g->delta)) &&
                dt_hdf5_put_integer(file, "layer", g->layer) && dt_hdf5_put_integer(file, "sample", g->sample) &&
                dt_hdf5_put_integer(file, "step", g->step);
    dt_hdf5_close(db);
    dt_hdf5_close(dW);
    dt_hdf5_close(input);
    dt_hdf5_close(unit);
    return good;
}

dt_status dt_gradient_write(const char *path, const dt_sample_gradient *gradient, dt_error *error)
{
    dt_new_file made;
    double *row = dt_allocate((size_t)gradient->inputs, sizeof *row);
    if (!row)
        return dt_fail_memory(error, "a row of a gradient");
    dt_status status = dt_new_file_begin(&made, path, error);
    if (status == DT_OK) {
        dt_hdf5_enter();
        hid_t file = dt_hdf5_create(made.temporary);
        if (file < 0 || !write_tree(file, gradient, row) || !dt_hdf5_ok(H5Fclose(file)))
            status = dt_hdf5_fail(error, path, "write");
        dt_hdf5_leave();
        if (status == DT_OK)
            status = dt_new_file_publish(&made, true, error);
        else
            dt_new_file_discard(&made);
    }
    dt_release(row);
    return status;
}
