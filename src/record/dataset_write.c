#include "record/dataset_write.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/scan.h"
#include "hdf5/hdf5.h"

static bool put(hid_t set, hid_t type, const void *numbers)
{
    return dt_hdf5_ok(set) && dt_hdf5_ok(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers));
}

/* Whole rows in chunks of about 1 MiB, which is what a streamed run reads at a time (data/windows.h); what is smaller
 * lies in one piece. */
static hid_t make(hid_t file, const char *name, hid_t type, int rank, const hsize_t *size)
{
    enum { CHUNK_BYTES = 1 << 20 };
    hid_t space = H5Screate_simple(rank, size, NULL), creation = H5Pcreate(H5P_DATASET_CREATE), set = -1;
    const hsize_t row = H5Tget_size(type) * (rank > 1 ? size[1] : 1), rows = row < CHUNK_BYTES ? CHUNK_BYTES / row : 1;
    const hsize_t chunk[2] = {rows, rank > 1 ? size[1] : 0};
    bool good = dt_hdf5_ok(space) && dt_hdf5_ok(creation);
    if (good && size[0] > rows)
        good = dt_hdf5_ok(H5Pset_chunk(creation, rank, chunk));
    if (good)
        (void)dt_hdf5_ok(set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    dt_hdf5_close(creation);
    dt_hdf5_close(space);
    return set;
}

/* `rows` rows of n numbers from row i on. */
static bool put_rows(hid_t set, int64_t i, int64_t rows, hsize_t n, hid_t type, const void *numbers)
{
    const hsize_t first[2] = {(hsize_t)i, 0}, count[2] = {(hsize_t)rows, n};
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(2, count, NULL);
    const bool good = dt_hdf5_ok(space) && dt_hdf5_ok(memory) &&
                      dt_hdf5_ok(H5Sselect_hyperslab(space, H5S_SELECT_SET, first, NULL, count, NULL)) &&
                      dt_hdf5_ok(H5Dwrite(set, type, memory, space, H5P_DEFAULT, numbers));
    dt_hdf5_close(memory);
    dt_hdf5_close(space);
    return good;
}

/* Of a data set that is larger than memory; what goes wrong with reading is in `error`. */
static bool put_pieces(hid_t set, hid_t type, const dt_dataset *d, dt_error *error)
{
    dt_scan s;
    bool good = true;
    dt_status status = dt_scan_begin(&s, d, (dt_rows){d->rows, NULL}, error);
    while (good && status == DT_OK && (status = dt_scan_next(&s, error)) == DT_OK && s.rows.count > 0)
        good = put_rows(set, s.first, s.rows.count, (hsize_t)d->features, type, s.piece.inputs);
    dt_scan_end(&s);
    return good && status == DT_OK;
}

static bool put_inputs(hid_t file, const dt_dataset *d, dt_error *error)
{
    const hid_t on_disk[] = {[DT_U8] = H5T_STD_U8LE, [DT_F32] = H5T_IEEE_F32LE, [DT_F64] = H5T_IEEE_F64LE};
    const hid_t here[] = {[DT_U8] = H5T_NATIVE_UINT8, [DT_F32] = H5T_NATIVE_FLOAT, [DT_F64] = H5T_NATIVE_DOUBLE};
    const hsize_t size[2] = {(hsize_t)d->rows, (hsize_t)d->features};
    hid_t set = make(file, "inputs", on_disk[d->element], 2, size);
    bool good = set >= 0;
    if (good && d->feed) {
        good = put_pieces(set, here[d->element], d, error);
    } else if (good && !d->start) {
        good = put(set, here[d->element], d->inputs);
    } else if (good) {
        double *row = dt_allocate((size_t)d->features, sizeof *row);
        good = row || dt_hdf5_out_of_memory();
        for (int64_t i = 0; good && i < d->rows; i++) {
            dt_dataset_row(d, i, row);
            good = put_rows(set, i, 1, size[1], H5T_NATIVE_DOUBLE, row);
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
    const bool good = id >= 0 && put_inputs(id, dataset, error) && put_labels(id, dataset) &&
                      dt_hdf5_ok(H5Fflush(id, H5F_SCOPE_LOCAL)) && dt_hdf5_ok(H5Fclose(id));
    if (!good) /* what went wrong first stays */
        status = error && error->status != DT_OK ? error->status : dt_hdf5_fail(error, path, "write");
    dt_hdf5_leave();
    if (status == DT_OK)
        return dt_new_file_publish(&file, false, error);
    dt_new_file_discard(&file);
    return status;
}
