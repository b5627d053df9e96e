/* Reductions: how the workers' contributions to dW and db (equations (5) and (6)) become one gradient.
 *
 * A strategy has two halves. `local` runs on every worker before the step's barrier, on the worker's own shards; `sum`
 * runs after it and finishes each block of the worker's slice of the parameter vector, summed over all shards (a
 * dt_finish updates it, or keeps it to be shown first). A deterministic strategy adds in the order of the fixed tree
 * (base/tree.h), so that its bits don't depend on the team.
 *
 * To add one: write both halves in a file of its own, and one line in reduction.c's table.
 *
 * Compiled in both precisions.
 */
#ifndef DT_PARALLEL_REDUCTION_H
#define DT_PARALLEL_REDUCTION_H

#include <stdbool.h>

#include "base/tree.h"
#include "deltoid/tables.h"
#include "kernels/products.h"
#include "kernels/sparse.h"
#include "nn/network.h"
#include "parallel/laps.h"

/* The rows of one layer that (5) and (6) are formed from: a^{l-1} and delta^l of the whole minibatch. */
typedef struct dt_layer_rows {
    const dt_real *a, *delta;
    int64_t a_stride, delta_stride;
    int64_t a_apart; /* numbers from one worker's own copy of a to the next's; 0: all share one */

    /* Layer 1 of sparse inputs: a by columns, [worker]; NULL: it isn't. Its gradient needs no buffers, whatever the
     * strategy: what a minibatch's samples hold is less than a buffer, and each worker forms its slice from it. */
    const dt_sparse_columns *columns;
} dt_layer_rows;

/* Who holds what of a minibatch of a given number of shards, for a given team: computed when the trainer is created. */
typedef struct dt_plan {
    int64_t samples, shards, workers;
    dt_subtree *subtrees;   /* of all workers, ascending */
    int64_t *first_subtree; /* (workers + 1): worker t has subtrees first_subtree[t] .. first_subtree[t+1]-1 */
    int32_t *program;       /* dt_tree_join's */
    int64_t program_length;
    int depth;
} dt_plan;

/* Everything a reduction works with. Buffers and scratch belong to one worker each and are written by it first. */
typedef struct dt_reducer {
    const dt_network *network;
    const struct dt_reduction *strategy;
    int64_t workers, shard_size;
    int64_t buffers_a_worker;
    dt_real **buffer;   /* [worker * buffers_a_worker + i]: as long as the parameter vector behind `unbuffered` */
    int64_t unbuffered; /* blocks at its front that need no buffers: layer 1's of sparse inputs, else 0 */
    dt_real **scratch;  /* [worker] */
    dt_plan plans[2];   /* of a full minibatch, and of the short last one (shards 0: none) */

    const dt_layer_rows *rows; /* rows[l], l = 1 .. L, of the whole minibatch; borrowed */
} dt_reducer;

typedef struct dt_reduction {
    dt_entry entry;
    bool deterministic;
    bool buffers;  /* needs gradient buffers, when there is more than one worker */
    bool one_sums; /* worker 0's slice is the whole vector */
    bool units;    /* workers own units of wide layers: dt_reducer_by_units */

    /* Not NULL: no strategy of its own, but the choice of one, by the sizes of the network (units[0 .. layers]), of the
     * minibatch and of the team. The rest is not set. */
    const struct dt_reduction *(*choose)(const int64_t *units, int64_t layers, int64_t samples, int64_t workers);
    void (*local)(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps);
    void (*sum)(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish, dt_laps *laps);
} dt_reduction;

/* NULL past the last. */
#define dt_reduction_at DT_R(dt_reduction_at)
const dt_reduction *dt_reduction_at(size_t i);

/* The strategies, one a file. */
#define dt_reduction_tree   DT_R(dt_reduction_tree)
#define dt_reduction_owner  DT_R(dt_reduction_owner)
#define dt_reduction_split  DT_R(dt_reduction_split)
#define dt_reduction_auto   DT_R(dt_reduction_auto)
#define dt_reduction_serial DT_R(dt_reduction_serial)
extern const dt_reduction dt_reduction_tree, dt_reduction_owner, dt_reduction_split, dt_reduction_auto,
    dt_reduction_serial;

/* Shards of `samples`, and the samples of worker t: a contiguous run of whole shards. */
static inline int64_t dt_shards_of(int64_t samples, int64_t shard_size)
{
    return dt_ceil_div(samples, shard_size);
}

static inline dt_span dt_worker_samples(int64_t samples, int64_t shard_size, int64_t workers, int64_t worker)
{
    const dt_span shards = dt_split(dt_shards_of(samples, shard_size), workers, worker);
    return (dt_span){dt_min(shards.first * shard_size, samples), dt_min(shards.last * shard_size, samples)};
}

/* Largest number of gradient buffers that a worker needs for minibatches of these sizes (0: no such minibatch). */
#define dt_reducer_buffers DT_R(dt_reducer_buffers)
int64_t dt_reducer_buffers(const dt_reduction *strategy, int64_t samples, int64_t short_samples, int64_t shard_size,
                           int64_t workers);

#define dt_reducer_create DT_R(dt_reducer_create)
dt_status dt_reducer_create(dt_reducer **reducer, const dt_reduction *strategy, const dt_network *network,
                            int64_t samples, int64_t short_samples, int64_t shard_size, int64_t workers,
                            const dt_layer_rows *rows, dt_error *error);
#define dt_reducer_destroy DT_R(dt_reducer_destroy)
void dt_reducer_destroy(dt_reducer *reducer);

/* The plan of a minibatch of `samples`, one of the two sizes given to create. */
#define dt_reducer_plan DT_R(dt_reducer_plan)
const dt_plan *dt_reducer_plan(const dt_reducer *reducer, int64_t samples);

/* The blocks of layer l that `worker` sums, shows and updates, numbered in the whole parameter vector. */
#define dt_reducer_slice DT_R(dt_reducer_slice)
dt_span dt_reducer_slice(const dt_reducer *reducer, int64_t l, int64_t worker);

/* Whether minibatches of `samples` go forward through a layer by units: each worker computes z and a of its own units
 * for all samples, so that W^l is never read by a worker that doesn't write it. Where the layer has more weights than
 * its inputs have activations (units > samples), and its panels share out evenly enough. */
#define dt_reduction_by_units DT_R(dt_reduction_by_units)
bool dt_reduction_by_units(const dt_reduction *strategy, int64_t units, int64_t samples, int64_t workers);
#define dt_reducer_by_units DT_R(dt_reducer_by_units)
bool dt_reducer_by_units(const dt_reducer *reducer, int64_t l);

/* The panels of layer l whose units are `worker`'s, where it goes by units. */
#define dt_reducer_panels DT_R(dt_reducer_panels)
dt_span dt_reducer_panels(const dt_reducer *reducer, int64_t l, int64_t worker);

/* What `worker` has summed over its shards, before `sum`: these blocks of its buffers, added in the order of its
 * shards. Zeros where it has no shards; false where there are no buffers to look at. Layer 1 of sparse inputs, which
 * has none, is formed for it by the worker that asks, `reader`. */
#define dt_reducer_partial DT_R(dt_reducer_partial)
bool dt_reducer_partial(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, int64_t reader, dt_span blocks,
                        dt_real *sum);

/* --- what strategies are built from --- */

/* A `local` for strategies without buffers: nothing. */
#define dt_reducer_no_local DT_R(dt_reducer_no_local)
void dt_reducer_no_local(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps);

/* A `local`: the worker's subtrees into its buffers, where it has any. */
#define dt_reducer_fill_buffers DT_R(dt_reducer_fill_buffers)
void dt_reducer_fill_buffers(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps);

/* A `sum`: forms the blocks over all shards, in the tree's order. */
#define dt_reducer_form_all DT_R(dt_reducer_form_all)
void dt_reducer_form_all(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                         dt_laps *laps);

/* A `sum`: adds the blocks of all buffers in the tree's order. Where all shards are one worker's there are none, and
 * the blocks are formed. */
#define dt_reducer_join DT_R(dt_reducer_join)
void dt_reducer_join(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                     dt_laps *laps);

#endif
