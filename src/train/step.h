/* A watched step in place, for observers that sum up rather than copy: the blocks of kernels/products.h as they lie in
 * memory. Everything is borrowed until the observer's call returns.
 */
#ifndef DT_TRAIN_STEP_H
#define DT_TRAIN_STEP_H

#include <stdbool.h>
#include <stddef.h>

#include "deltoid/observer.h"

typedef enum dt_step_array {
    DT_STEP_PARAMETERS, /* W and b, in `slice` before the update, in `updated` after it */
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

/* slice->gradient holds the slice's blocks as `numbers` does. */
dt_block_view dt_step_blocks(const dt_step_view *view, dt_step_array array, int i, const dt_slice *slice);

/* The slice's blocks of what `group` (a worker, where each is alone in its own) had summed over its shards before the
 * reduction (not divided by B), into `sum`: its gradient buffers, added in the order of its shards. Zeros for a group
 * without shards; false where this step has no buffers, because one group has all its shards. */
bool dt_step_partial(const dt_step_view *view, int64_t group, const dt_slice *slice, void *sum);

/* C_i of the samples shown, (view->batch). */
const double *dt_step_costs(const dt_step_view *view);

/* |sum_i delta_i (x) (a_i, 1)|^2 over the samples first .. first+count-1 shown, for layer l (train/norms.h). `scratch`:
 * this worker's, dt_step_norm_scratch bytes for so many samples. */
double dt_step_norm_square(const dt_step_view *view, int64_t l, int64_t first, int64_t count, void *scratch);
size_t dt_step_norm_scratch(dt_precision precision, int64_t layers, const int64_t *units, int64_t samples);

/* Blocks of the parameter vector of such a network, and bytes of one. */
int64_t dt_step_block_count(dt_precision precision, int64_t layers, const int64_t *units);
size_t dt_step_block_bytes(dt_precision precision);

/* The optimizer's arrays of state by name, NULL past the last; the experiment is a valid one. */
const char *dt_step_state_name(const dt_experiment *experiment, int i);

#endif
