/* Which format a file is, by its first bytes. */
#ifndef DT_DATA_DETECT_H
#define DT_DATA_DETECT_H

#include "deltoid/status.h"

/* *format is a name of the table: "idx", "npy", "hdf5", "libsvm", "csv" (any other text). `path` may be FILE:/NAME.
 * DT_NOT_FOUND, DT_MALFORMED (no text and none of the others), DT_IO. */
dt_status dt_data_detect(const char **format, const char *path, dt_error *error);

#endif
