/* One array of numbers from a file of weights, read as a data set: the readers of data refuse whatever is no array of
 * finite numbers, and open HDF5 in a confined process. */
#ifndef DT_RECORD_WEIGHTS_ARRAY_H
#define DT_RECORD_WEIGHTS_ARRAY_H

#include <stdbool.h>

#include "deltoid/experiment.h"
#include "deltoid/status.h"

typedef struct dt_array_source {
    const char *file;
    const char *name;      /* in it, with a '/' in front; NULL: the file is the array */
    const char *format;    /* "npy" or "hdf5" */
    int64_t rows, columns; /* as they must be; columns 1: one dimension */
    bool transposed;       /* the file has (input, unit) */
    dt_precision precision;
} dt_array_source;

/* What a file of weights is, by its first bytes. */
typedef enum dt_weights_format {
    DT_WEIGHTS_ARCHIVE,
    DT_WEIGHTS_ARRAY,
    DT_WEIGHTS_HDF5,
    DT_WEIGHTS_UNKNOWN
} dt_weights_format;

/* DT_INVALID, DT_NOT_FOUND, DT_IO where it is no file to read; `advice` says what to name instead. */
dt_status dt_weights_format_of(const char *path, const char *advice, dt_weights_format *format, dt_error *error);

/* Row by row to `to`, rows x columns numbers, or columns x rows where it was transposed. DT_INVALID where the shape is
 * another, with both; what dt_dataset_open says. */
dt_status dt_weights_array_read(const dt_array_source *source, void *to, dt_error *error);

#endif
