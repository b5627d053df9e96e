/* Answers for new samples, written to HDF5: (sample, output) numbers and, where there are classes, the class of each.
 *
 *     /outputs (sample, output)   float64, attribute `kind`: probability, score or value
 *     /class   (sample)           int64
 *     /names   (output)           text, what the outputs are called
 */
#ifndef DT_RECORD_PREDICTION_H
#define DT_RECORD_PREDICTION_H

#include <stdbool.h>
#include <stdint.h>

#include "deltoid/status.h"

typedef struct dt_prediction dt_prediction;

/* Never over an existing file; `names` (outputs) is borrowed for the call. */
dt_status dt_prediction_create(dt_prediction **prediction, const char *path, int64_t rows, int64_t outputs,
                               const char *const *names, const char *kind, bool classes, dt_error *error);

/* Rows first .. first+count-1. `classes` is NULL where there are none. */
dt_status dt_prediction_put(dt_prediction *prediction, int64_t first, int64_t count, const double *outputs,
                            const int64_t *classes, dt_error *error);

/* Publishes the file, or with `keep` false removes it; frees in either case. */
dt_status dt_prediction_close(dt_prediction *prediction, bool keep, dt_error *error);

#endif
