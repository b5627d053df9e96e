#include "record/weights_array.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/sandbox.h"
#include "data/scan.h"
#include "deltoid/dataset.h"

enum { ARRAY_MEMORY = 16 << 20 }; /* HDF5's, where larger, are read in parts */

static dt_status fail_shape(const dt_array_source *s, const dt_dataset *array, dt_error *error)
{
    const char *name = s->name ? s->name + 1 : "the array";
    if (s->columns == 1)
        return dt_fail(error, DT_INVALID,
                       "%s: %.80s has %" PRId64 " x %" PRId64 " numbers, the experiment's network needs %" PRId64
                       " in one dimension",
                       s->file, name, array->rows, array->features, s->rows);
    const bool turned = array->rows == s->columns && array->features == s->rows;
    return dt_fail(error, DT_INVALID,
                   "%s: %.80s is %" PRId64 " x %" PRId64 ", the experiment's network needs %" PRId64 " x %" PRId64
                   "; %s",
                   s->file, name, array->rows, array->features, s->rows, s->columns,
                   turned ? "transpose it" : "use the network that the weights are of");
}

static dt_status convert(const dt_array_source *s, const dt_dataset *array, double *row, void *to, dt_error *error)
{
    dt_scan scan;
    dt_status status = dt_scan_begin(&scan, array, (dt_rows){array->rows, NULL}, error);
    for (int64_t i = 0; status == DT_OK && i < array->rows; i++) {
        status = dt_scan_row(&scan, i, row, error);
        for (int64_t k = 0; status == DT_OK && k < array->features; k++) {
            const int64_t at = s->transposed ? k * array->rows + i : i * array->features + k;
            if (s->precision == DT_FLOAT32)
                ((float *)to)[at] = (float)row[k];
            else
                ((double *)to)[at] = row[k];
        }
    }
    dt_scan_end(&scan);
    return status;
}

dt_status dt_weights_array_read(const dt_array_source *s, void *to, dt_error *error)
{
    const dt_data_spec spec = {.format = s->format, .scale = 1, .memory = ARRAY_MEMORY};
    const dt_source source = {.inputs = s->name ? s->name : s->file, .file = s->name ? s->file : NULL};
    dt_dataset *array = NULL;
    double *row = NULL;
    dt_status status = dt_dataset_open_new(&array, &spec, &source, NULL, error);
    if (status == DT_OK && (array->rows != s->rows || array->features != s->columns))
        status = fail_shape(s, array, error);
    if (status == DT_OK && !(row = dt_allocate((size_t)s->columns, sizeof *row)))
        status = dt_fail_memory(error, s->file);
    if (status == DT_OK)
        status = convert(s, array, row, to, error);
    dt_release(row);
    dt_dataset_destroy(array);
    return status;
}

dt_status dt_weights_format_of(const char *path, const char *advice, dt_weights_format *format, dt_error *error)
{
    static const char *const starts[] = {
        [DT_WEIGHTS_ARCHIVE] = "PK\x03\x04", [DT_WEIGHTS_ARRAY] = "\x93NUM", [DT_WEIGHTS_HDF5] = "\x89HDF"};
    char start[4] = {0};
    const dt_status status = dt_sandbox_check_file(path, advice, error);
    if (status != DT_OK)
        return status;
    FILE *file = fopen(path, "re");
    if (!file)
        return dt_fail_errno(error, errno, path, "open");
    const size_t got = fread(start, 1, sizeof start, file);
    fclose(file);
    *format = DT_WEIGHTS_ARCHIVE;
    while (*format < DT_WEIGHTS_UNKNOWN && (got < sizeof start || memcmp(start, starts[*format], sizeof start) != 0))
        ++*format;
    return DT_OK;
}
