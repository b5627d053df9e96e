/* Fuzzes data sets in HDF5: in the confined child libhdf5 may break on them, but what comes out of it is a whole data
 * set of finite numbers, in memory or streamed, or a refusal. The arrays are /x and /y. */
#define _XOPEN_SOURCE 700 /* mkstemp, mkdtemp */
#include <math.h>

#include "data/scan.h"
#include "fuzz.h"

static dt_status check_rows(const dt_dataset *d, dt_error *error)
{
    dt_scan scan;
    double *row = malloc((size_t)d->features * sizeof *row);
    check(row != NULL);
    dt_status status = dt_scan_begin(&scan, d, (dt_rows){d->rows, NULL}, error);
    for (int64_t i = 0; status == DT_OK && i < d->rows; i++) {
        status = dt_scan_row(&scan, i, row, error);
        for (int64_t k = 0; status == DT_OK && k < d->features; k++)
            check(isfinite(row[k]));
    }
    dt_scan_end(&scan);
    free(row);
    for (int64_t i = 0; i < d->rows; i++)
        check(d->labels[i] >= 0 && d->labels[i] < d->classes);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const streams[] = {"false", "true"};
    const memory_file file = memory_file_make(data, size);
    for (int i = 0; i < 2; i++) {
        dt_error error = {0};
        dt_dataset *d = NULL;
        dt_data_spec spec = {.format = "hdf5",
                             .scale = 1,
                             .train = {.file = file.path, .inputs = "/x", .labels = "/y"},
                             .stream = streams[i],
                             .memory = 1 << 20};
        dt_status status = dt_dataset_open_part(&d, &spec, DT_TRAIN, 1, NULL, &error);
        check((d != NULL) == (status == DT_OK));
        if (status == DT_OK)
            status = check_rows(d, &error); /* a streamed one may be found damaged here */
        if (status != DT_OK)
            check_refusal(status, &error);
        dt_dataset_destroy(d);
    }
    memory_file_drop(&file);
    return 0;
}
