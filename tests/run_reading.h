/* What a run folder says that must be the same again: the weights' hash, the metrics, what was captured. After
 * program.h.
 */
#ifndef DT_TESTS_RUN_READING_H
#define DT_TESTS_RUN_READING_H

#include <hdf5.h>

#include "program.h"

/* The hash of a run's final weights; "" where it has none. */
static inline void weights_of(const char *run, char hex[65])
{
    static char text[1 << 16];
    char path[64];
    snprintf(path, sizeof path, "%s/provenance.json", run);
    read_into(path, text, sizeof text);
    const char *key = "\"weights_sha256\": \"", *at = strstr(text, key);
    snprintf(hex, 65, "%s", at ? at + strlen(key) : "");
}

static inline void expect_same_weights(const char *a, const char *b)
{
    char x[65], y[65];
    weights_of(a, x);
    weights_of(b, y);
    if (strlen(x) != 64 || strcmp(x, y) != 0)
        fail_msg("%s and %s: other weights, %s and %s", a, b, x, y);
}

/* Appends a data set's name, extents and numbers. */
static inline herr_t append_set(hid_t group, const char *name, const H5O_info_t *info, void *context)
{
    FILE *out = context;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    hid_t set = H5Dopen2(group, name, H5P_DEFAULT), space = H5Dget_space(set);
    hsize_t size[H5S_MAX_RANK];
    const int rank = H5Sget_simple_extent_dims(space, size, NULL);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    double *numbers = calloc((size_t)count + 1, sizeof *numbers);
    assert_non_null(numbers);
    assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    fprintf(out, "%s %d\n", name, rank);
    fwrite(size, sizeof *size, (size_t)rank, out);
    fwrite(numbers, sizeof *numbers, (size_t)count, out);
    free(numbers);
    H5Sclose(space);
    H5Dclose(set);
    return 0;
}

/* Everything in a run's capture.h5, in the order of names, as bytes to compare; the caller frees. */
static inline char *captured_in(const char *run, size_t *size)
{
    char path[64], *bytes = NULL;
    snprintf(path, sizeof path, "%s/capture.h5", run);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    FILE *out = open_memstream(&bytes, size);
    assert_non_null(out);
    assert_true(H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, append_set, out) >= 0);
    fclose(out);
    H5Fclose(file);
    return bytes;
}

#endif
