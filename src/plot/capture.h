/* What is drawn of a capture: three figures a layer and captured step. */
#ifndef DT_PLOT_CAPTURE_H
#define DT_PLOT_CAPTURE_H

#include <stdint.h>

#include "base/memory.h"
#include "deltoid/status.h"

/* Columns of dt_layer_series.values. delta_norm: the mean over the captured samples i of |delta_i|, the Euclidean norm
 * of the sample's own delta, without 1/B. dW_norm: the Frobenius norm of the minibatch's mean gradient. zero_share: the
 * share of activations that are exactly 0, over samples and units. Samples that a short minibatch doesn't have are left
 * out. NaN: not captured. */
typedef enum dt_layer_column {
    DT_COLUMN_LAYER,
    DT_COLUMN_STEP,
    DT_COLUMN_EPOCH,
    DT_COLUMN_DELTA_NORM,
    DT_COLUMN_DW_NORM,
    DT_COLUMN_ZERO_SHARE,
    DT_LAYER_COLUMNS
} dt_layer_column;

enum {
    DT_FIGURES = DT_LAYER_COLUMNS - DT_COLUMN_DELTA_NORM,
    DT_SERIES_STEPS_MAX =
        2048 /* of more captured steps, and of very large ones, every k-th is read, k as small as that allows */
};

typedef struct dt_layer_series {
    char rule[65];
    int layer;
    int64_t rows, captured; /* rows read of the steps captured */
    double *values;         /* (rows, DT_LAYER_COLUMNS) */
} dt_layer_series;

typedef struct dt_capture_series {
    dt_layer_series *series; /* by rule, then by layer */
    size_t count;
    char rule_of[DT_FIGURES][65]; /* the rule that shows delta_norm, dW_norm, zero_share; "": not captured */
} dt_capture_series;

/* Reads capture.h5. Each figure is taken from the rule that captured its quantity (delta, dW, a) at the most steps, the
 * first by name of equals; layers 1 .. 64.
 *
 * The file is opened in a child process with bounded memory, processor time and no right to write, since the HDF5
 * library may crash or never end on a damaged one; so the calling program should have no other thread that holds a lock
 * of HDF5. DT_NOT_FOUND where there is no file or nothing of the three in it, DT_MALFORMED, DT_IO, DT_SYSTEM,
 * DT_NO_MEMORY. */
dt_status dt_capture_series_read(const char *path, dt_arena *arena, dt_capture_series *capture, dt_error *error);

#endif
