/* The kind "layers": what its columns hold. */
#ifndef DT_PLOT_LAYERS_H
#define DT_PLOT_LAYERS_H

#include "plot/capture.h"

/* delta_norm: the mean over the captured samples i of |delta_i|, the Euclidean norm of the sample's own delta, without
 * 1/B. dW_norm: the Frobenius norm of the minibatch's mean gradient. zero_share: the share of activations that are
 * exactly 0, over samples and units. Samples that a short minibatch doesn't have are left out. NaN: not captured. */
enum {
    DT_COLUMN_DELTA_NORM = DT_COLUMN_FIRST,
    DT_COLUMN_DW_NORM,
    DT_COLUMN_ZERO_SHARE,
    DT_LAYER_COLUMNS,
    DT_FIGURES = DT_LAYER_COLUMNS - DT_COLUMN_FIRST
};

#endif
