/* Fuzzes the readers of one-file formats: the first byte chooses the format and its keys, the rest is the file.
 * Whatever is accepted must be a whole data set of finite numbers; whatever is refused must leave a message of one
 * line, exit status 2 and no data set.
 */
#define _XOPEN_SOURCE 700 /* mkstemp, mkdtemp */
#include <math.h>

#include "deltoid/dataset.h"
#include "fuzz.h"

static void check_dataset(const dt_dataset *d)
{
    check(d->rows >= 1 && d->features >= 1);
    double *row = malloc((size_t)d->features * sizeof *row); /* sparse rows may be very wide */
    for (int64_t i = 0; row && d->features < 1 << 20 && i < d->rows && i < 16; i++) {
        dt_dataset_row(d, i, row);
        for (int64_t k = 0; k < d->features; k++)
            check(isfinite(row[k]));
    }
    free(row);
    for (int64_t i = 0; d->labels && i < d->rows; i++)
        check(d->labels[i] >= 0 && d->labels[i] < d->classes);
    for (int64_t i = 0; d->targets && i < d->rows * d->outputs; i++)
        check(isfinite(d->targets[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = {"csv", "libsvm", "npy", "npy"};
    static const char *const missing[] = {"refuse", "mean", "median", "0"};
    char inputs[48];
    dt_dataset *dataset = NULL, *again = NULL;
    dt_error error = {0};
    if (size < 1)
        return 0;
    const unsigned way = data[0];
    const memory_file file = memory_file_make(data + 1, size - 1);
    const char *path = file.path;
    snprintf(inputs, sizeof inputs, "/x");
    dt_data_spec spec = {.format = formats[way & 3], .scale = 1, .missing = missing[way >> 2 & 3]};
    spec.targets = way & 16 ? DT_TARGETS_REGRESSION : DT_TARGETS_CLASSES;
    spec.standardize = way & 32;
    if ((way & 3) < 2)
        spec.train.file = path;
    else if ((way & 3) == 2)
        spec.train.inputs = spec.train.labels = path;
    else
        spec.train = (dt_source){.inputs = inputs, .labels = "/y", .file = path};
    spec.test = spec.train;
    const dt_status status = dt_dataset_open_part(&dataset, &spec, DT_TRAIN, 1, NULL, &error);
    check((dataset != NULL) == (status == DT_OK) && status == error.status);
    if (dataset) {
        check_dataset(dataset);
        if (dt_dataset_open_part(&again, &spec, DT_TEST, 1, dataset->transform, NULL) == DT_OK)
            check_dataset(again); /* as a test set */
    } else {
        check_refusal(status, &error);
    }
    dt_dataset_destroy(again);
    dt_dataset_destroy(dataset);
    memory_file_drop(&file);
    return 0;
}
