/* A sample's own gradient of one layer as an HDF5 file. */
#ifndef DT_RECORD_GRADIENT_FILE_H
#define DT_RECORD_GRADIENT_FILE_H

#include <stdint.h>

#include "deltoid/status.h"

typedef struct dt_sample_gradient {
    int64_t units, inputs, layer, sample, step;
    const double *delta; /* (units) */
    const double *a;     /* (inputs), of the layer before */
} dt_sample_gradient;

/* /dW (unit, input) = delta_j a_k and /db (unit) = delta_j in double, with the dimension scales unit and input and the
 * attributes layer, sample, step at the root; a row at a time. What was at `path` is replaced. DT_IO, DT_NO_MEMORY. */
dt_status dt_gradient_write(const char *path, const dt_sample_gradient *gradient, dt_error *error);

#endif
