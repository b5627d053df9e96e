/* A watched step in place, for observers that sum up rather than copy: the blocks of kernels/products.h as they lie in
 * memory. Everything is borrowed until the observer's call returns.
 */
#ifndef DT_TRAIN_STEP_H
#define DT_TRAIN_STEP_H

#include <stdbool.h>

#include "deltoid/observer.h"

typedef enum dt_step_array {
    DT_STEP_PARAMETERS, /* W and b, in `slice` before the update, in `updated` after it */
    DT_STEP_BEFORE,     /* in `updated`: before it */
    DT_STEP_GRADIENT,   /* dW and db: in `slice` alone */
    DT_STEP_STATE       /* array i of the optimizer's: in `slice` before the update */
} dt_step_array;

/* Blocks of one layer: `count` squares of lanes x lanes numbers, one after the other, from block `first` of the layer
 * (`number` in the whole parameter vector). Block n holds units n / column * lanes .. and rows k = n % column * lanes
 * ..: number [k][j], where row `inputs` is the bias; rows behind it and units from `units` on are padding, zero. */
typedef struct dt_block_view {
    const void *numbers;
    int64_t lanes, units, inputs, column, first, count, number;
} dt_block_view;

dt_block_view dt_step_blocks(const dt_step_view *view, dt_step_array array, int i, dt_slice slice);

/* The slice's blocks of what `worker` had summed over its shards before the reduction (not divided by B), into `sum`:
 * its gradient buffers, added in the order of its shards. Zeros for a worker without shards; false where this step has
 * no buffers, because one worker has all its shards. */
bool dt_step_partial(const dt_step_view *view, int64_t worker, dt_slice slice, void *sum);

/* C_i of the samples shown, (view->batch). */
const double *dt_step_costs(const dt_step_view *view);

#endif
