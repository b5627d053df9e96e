/* Which rows each minibatch holds: an order of the rows for every epoch, a pure function of (seed, epoch), cut into
 * minibatches.
 *
 * A run that goes on at epoch e draws the order that it would have had, and no number of workers or order of calls
 * changes it.
 *
 * Threads: begin_epoch on one; between two of them any number may read.
 */
#ifndef DT_DATA_SAMPLER_H
#define DT_DATA_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/split.h"
#include "data/windows.h"
#include "deltoid/dataset.h"
#include "deltoid/status.h"

typedef struct dt_sampler dt_sampler;

static inline dt_windows dt_dataset_windows(const dt_dataset *d)
{
    if (d->windows <= 1)
        return (dt_windows){d->rows, d->rows, 1, 1};
    return (dt_windows){d->rows, d->block, dt_ceil_div(d->rows, d->block), d->windows};
}

/* For the rows to train on (rows.index is borrowed until destroy). Without `shuffle`, every epoch has the rows' own
 * order. DT_INVALID for no rows or a batch_size < 1; DT_NO_MEMORY. */
dt_status dt_sampler_create(dt_sampler **sampler, dt_rows rows, int64_t batch_size, bool shuffle, uint64_t seed,
                            dt_error *error);
void dt_sampler_destroy(dt_sampler *sampler); /* NULL is allowed */

/* From now on epochs go through the rows window by window (data/windows.h, of the data set's rows); one window is what
 * they do without. DT_INVALID where a minibatch could reach over more than two windows, of which no more are in memory
 * at a time; DT_NO_MEMORY. */
dt_status dt_sampler_set_windows(dt_sampler *sampler, const dt_windows *windows, dt_error *error);

/* The windows first .. last-1, one or two, that hold the minibatch of that step, and those of the steps from it up to
 * *end. */
dt_span dt_sampler_windows(const dt_sampler *sampler, int64_t step_in_epoch, int64_t *end);

/* ceil(rows / batch_size): the last, short minibatch trains too. */
int64_t dt_sampler_steps_per_epoch(const dt_sampler *sampler);

/* Draws the order of `epoch` = 0, 1, ... < 2^32. Allocates nothing. */
void dt_sampler_begin_epoch(dt_sampler *sampler, int64_t epoch);

/* The minibatch of step 0 .. steps_per_epoch-1 of the epoch that was begun: *count rows of the data set, borrowed until
 * the next begin_epoch. */
const int64_t *dt_sampler_minibatch(const dt_sampler *sampler, int64_t step_in_epoch, int64_t *count);

#endif
