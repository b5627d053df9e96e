/* Reductions: how the workers' contributions to dW and db (equations (5) and (6)) become one gradient.
 *
 * The team is divided into groups (parallel/team.h). A group owns a contiguous run of the minibatch's shards, and its
 * members share out the units of every layer, and the blocks of dW, for these shards. Each worker a group of its own is
 * data parallelism; one group is tensor parallelism; what lies between is a hybrid of both. An element's chain of
 * additions is the same in each.
 *
 * A strategy has two halves. `local` runs on every worker before the step's barrier, on the shards of its group; `sum`
 * runs after it and finishes each block of the worker's slice of the parameter vector, summed over all shards (a
 * dt_finish updates it, or keeps it to be shown first). A deterministic strategy adds in the order of the fixed tree
 * (base/tree.h), so that its bits don't depend on the team. The others add in the order in which workers arrive, or
 * don't wait for each other at all: what they give differs from run to run, and they are labelled so.
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
#include "deltoid/trainer.h"
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
    int64_t samples, shards, groups;
    dt_subtree *subtrees;   /* of all groups, ascending */
    int64_t *first_subtree; /* (groups + 1): group g has subtrees first_subtree[g] .. first_subtree[g+1]-1 */
    int32_t *program;       /* dt_tree_join's */
    int64_t program_length;
    int depth;
} dt_plan;

/* Everything a reduction works with. Buffers belong to one group each, scratch to one worker. */
typedef struct dt_reducer {
    const dt_network *network;
    const struct dt_reduction *strategy;
    int64_t workers, groups, shard_size;
    int64_t buffers_a_group;
    int64_t unbuffered; /* blocks at the vector's front that need no buffers: layer 1's of sparse inputs, else 0 */
    dt_real **buffer;   /* [group * buffers_a_group + i]: as long as the rest of the parameter vector */
    dt_real *shared;    /* as long: the gradient that all add into, zero between steps; NULL: there is none */
    dt_real **scratch;  /* [worker] */
    dt_plan plans[2];   /* of a full minibatch, and of the short last one (shards 0: none) */

    const dt_layer_rows *rows; /* rows[l], l = 1 .. L, of the whole minibatch; borrowed */
} dt_reducer;

typedef struct dt_reduction {
    dt_entry entry;
    bool deterministic;
    bool chosen;   /* no strategy of its own, but the choice of one: dt_reduction_choose. The rest is not set */
    bool buffers;  /* needs gradient buffers, when there is more than one group */
    bool shared;   /* all add into one gradient; a group then needs one buffer at most */
    bool one_sums; /* worker 0's slice is the whole vector */
    bool units;    /* workers own units of wide layers: dt_reducer_by_units */
    bool free;     /* several workers go through the minibatches without waiting for each other: no `local`, and `sum`
                      is of the worker's own shards and finishes all blocks */

    void (*local)(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps);
    void (*sum)(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish, dt_laps *laps);
} dt_reduction;

/* NULL past the last. */
#define dt_reduction_at DT_R(dt_reduction_at)
const dt_reduction *dt_reduction_at(size_t i);

/* The strategies, one a file. */
#define dt_reduction_tree     DT_R(dt_reduction_tree)
#define dt_reduction_owner    DT_R(dt_reduction_owner)
#define dt_reduction_split    DT_R(dt_reduction_split)
#define dt_reduction_auto     DT_R(dt_reduction_auto)
#define dt_reduction_serial   DT_R(dt_reduction_serial)
#define dt_reduction_critical DT_R(dt_reduction_critical)
#define dt_reduction_atomic   DT_R(dt_reduction_atomic)
#define dt_reduction_omp      DT_R(dt_reduction_omp)
#define dt_reduction_hogwild  DT_R(dt_reduction_hogwild)
extern const dt_reduction dt_reduction_tree, dt_reduction_owner, dt_reduction_split, dt_reduction_auto,
    dt_reduction_serial, dt_reduction_critical, dt_reduction_atomic, dt_reduction_omp, dt_reduction_hogwild;

/* Shards of `samples`, and the samples of part t of `workers` equal ones: a contiguous run of whole shards. */
static inline int64_t dt_shards_of(int64_t samples, int64_t shard_size)
{
    return dt_ceil_div(samples, shard_size);
}

static inline dt_span dt_worker_samples(int64_t samples, int64_t shard_size, int64_t workers, int64_t worker)
{
    const dt_span shards = dt_split(dt_shards_of(samples, shard_size), workers, worker);
    return (dt_span){dt_min(shards.first * shard_size, samples), dt_min(shards.last * shard_size, samples)};
}

/* The shards of a group, of `shards`: contiguous, in proportion to its members. Groups of one size have equal parts. */
static inline dt_span dt_group_shards(int64_t shards, int64_t workers, int64_t groups, int64_t group)
{
    const dt_span members = dt_split(workers, groups, group);
    if (workers % groups == 0)
        return dt_split(shards, groups, group);
    return (dt_span){(2 * shards * members.first + workers) / (2 * workers),
                     (2 * shards * members.last + workers) / (2 * workers)};
}

/* What a team and a minibatch are divided by. */
typedef struct dt_division {
    int64_t samples, short_samples; /* of a full minibatch, and of the short last one (0: none) */
    int64_t shard_size, workers, groups;
} dt_division;

/* Largest number of gradient buffers that a group needs for such minibatches. */
#define dt_reducer_buffers DT_R(dt_reducer_buffers)
int64_t dt_reducer_buffers(const dt_reduction *strategy, const dt_division *division);

/* Numbers of scratch that a worker's gradients need for such minibatches. */
#define dt_reducer_scratch DT_R(dt_reducer_scratch)
int64_t dt_reducer_scratch(const dt_division *division);

#define dt_reducer_create DT_R(dt_reducer_create)
dt_status dt_reducer_create(dt_reducer **reducer, const dt_reduction *strategy, const dt_network *network,
                            const dt_division *division, const dt_layer_rows *rows, dt_error *error);
#define dt_reducer_destroy DT_R(dt_reducer_destroy)
void dt_reducer_destroy(dt_reducer *reducer);

/* The plan of a minibatch of `samples`, one of the two sizes given to create. */
#define dt_reducer_plan DT_R(dt_reducer_plan)
const dt_plan *dt_reducer_plan(const dt_reducer *reducer, int64_t samples);

/* Zeroes the worker's slice of the gradient that all add into: at first, and where a step was begun that is not made.
 */
#define dt_reducer_clear DT_R(dt_reducer_clear)
void dt_reducer_clear(const dt_reducer *reducer, int64_t worker);

/* The blocks of layer l that `worker` sums, shows and updates, numbered in the whole parameter vector. */
#define dt_reducer_slice DT_R(dt_reducer_slice)
dt_span dt_reducer_slice(const dt_reducer *reducer, int64_t l, int64_t worker);

/* A layer's panels can be shared out without leaving workers long without work. */
static inline bool dt_shares_evenly(int64_t panels, int64_t workers)
{
    const int64_t most = dt_ceil_div(panels, workers) * workers; /* if all had as many as the busiest */
    return panels >= workers && 8 * most <= 9 * panels;
}

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

/* What `group` has summed over its shards, before `sum`: these blocks of its buffers, added in the order of its
 * shards. Zeros where it has no shards; false where there are no buffers to look at. Layer 1 of sparse inputs, which
 * has none, is formed for it by the worker that asks, `reader`. */
#define dt_reducer_partial DT_R(dt_reducer_partial)
bool dt_reducer_partial(const dt_reducer *reducer, const dt_plan *plan, int64_t group, int64_t reader, dt_span blocks,
                        dt_real *sum);

/* --- which one (auto.c) --- */

/* What a strategy and a number of groups are chosen by: sizes alone, never the clock. */
typedef struct dt_reduction_sizes {
    const int64_t *units; /* units[0 .. layers] */
    int64_t layers, samples, shard_size, workers;
} dt_reduction_sizes;

typedef struct dt_choice {
    const dt_reduction *strategy;
    int64_t groups;
    char why[DT_CHOICE_TEXT]; /* "" where nothing was left to choose */
} dt_choice;

/* The strategy of that name, or the one that `auto` picks, and so many groups, or as many as pay where `groups` is 0.
 */
#define dt_reduction_choose DT_R(dt_reduction_choose)
dt_choice dt_reduction_choose(const char *name, int64_t groups, const dt_reduction_sizes *sizes);

/* --- what strategies are built from --- */

/* A `local` for strategies without buffers: nothing. */
#define dt_reducer_no_local DT_R(dt_reducer_no_local)
void dt_reducer_no_local(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps);

/* The group of a worker, and its place in it. */
typedef struct dt_member {
    int64_t group, member, members;
} dt_member;
#define dt_reducer_member DT_R(dt_reducer_member)
dt_member dt_reducer_member(const dt_reducer *reducer, int64_t worker);

/* The blocks of layer l that `worker` forms of its group's contribution, numbered in the whole parameter vector. */
#define dt_reducer_share DT_R(dt_reducer_share)
dt_span dt_reducer_share(const dt_reducer *reducer, int64_t l, int64_t worker);

/* The first layer whose contributions are added up, and where a block of it or later ones lies in `buffer` and
 * `shared`. */
static inline int64_t dt_reducer_first_added(const dt_reducer *reducer)
{
    return reducer->unbuffered ? 2 : 1;
}

static inline int64_t dt_reducer_place(const dt_reducer *reducer, int64_t block)
{
    return (block - reducer->unbuffered) * DT_BLOCK;
}

/* A `sum`'s part for layers that aren't added up: forms the worker's slice of them. */
#define dt_reducer_form_unadded DT_R(dt_reducer_form_unadded)
void dt_reducer_form_unadded(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                             dt_laps *laps);

/* More than one group has shards, so that there are contributions to be added. Else forming slices shares the work out,
 * too. */
#define dt_reducer_adds DT_R(dt_reducer_adds)
bool dt_reducer_adds(const dt_reducer *reducer, const dt_plan *plan);

/* `count` <= DT_RUN blocks of one panel of layer l, whose blocks begin at `first` of the parameter vector, finished
 * with their sum over all groups. */
typedef void dt_run_sum(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_blocks *layer,
                        int64_t first, int64_t block, int64_t count, const dt_finish *finish);

/* The frame of a `sum`: what is added up run by run, by `sum_run`, and all else formed. Inline, so that each strategy
 * has its own loop. */
static inline void dt_reducer_sum_runs(const dt_reducer *reducer, const dt_plan *plan, int64_t worker,
                                       const dt_finish *finish, dt_laps *laps, dt_run_sum *sum_run);

/* Forms the worker's share of its group's contribution, over all of the group's shards at once, and finishes each block
 * of it, of layers that are added up. Not in the order of the whole minibatch's tree: for strategies that don't keep
 * it. */
#define dt_reducer_form_own DT_R(dt_reducer_form_own)
void dt_reducer_form_own(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                         dt_laps *laps);

/* A `sum` of strategies that add into `shared`: finishes the slice, and leaves it zero. */
#define dt_reducer_take_shared DT_R(dt_reducer_take_shared)
void dt_reducer_take_shared(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                            dt_laps *laps);

/* hogwild's way to the weights that all workers read and write at any time: DT_BLOCK numbers, each whole, in whatever
 * order. Both are aligned as blocks are. */
#define dt_hogwild_read DT_R(dt_hogwild_read)
void dt_hogwild_read(const dt_real *shared, dt_real *own);
#define dt_hogwild_write DT_R(dt_hogwild_write)
void dt_hogwild_write(dt_real *shared, const dt_real *own);

/* A `local`: the worker's share of its group's subtrees into the group's buffers, where there is anything to add. */
#define dt_reducer_fill_buffers DT_R(dt_reducer_fill_buffers)
void dt_reducer_fill_buffers(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps);

/* A `sum`: forms the blocks over all shards, in the tree's order. */
#define dt_reducer_form_all DT_R(dt_reducer_form_all)
void dt_reducer_form_all(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                         dt_laps *laps);

/* A `sum`: adds the blocks of all buffers in the tree's order. Where all shards are one group's there are none, and the
 * blocks are formed. */
#define dt_reducer_join DT_R(dt_reducer_join)
void dt_reducer_join(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                     dt_laps *laps);

static inline void dt_reducer_sum_runs(const dt_reducer *reducer, const dt_plan *plan, int64_t worker,
                                       const dt_finish *finish, dt_laps *laps, dt_run_sum *sum_run)
{
    const dt_network *n = reducer->network;
    if (!dt_reducer_adds(reducer, plan)) {
        dt_reducer_form_all(reducer, plan, worker, finish, laps);
        return;
    }
    dt_reducer_form_unadded(reducer, plan, worker, finish, laps);
    for (int64_t l = dt_reducer_first_added(reducer); l <= n->layers; l++) {
        const dt_blocks layer = dt_network_blocks(n, l);
        const dt_span own = dt_reducer_slice(reducer, l, worker);
        const int64_t first = n->layer[l].first_block, column = n->layer[l].column;
        for (int64_t block = own.first, count; block < own.last; block += count) {
            count = dt_min(DT_RUN, dt_min(own.last - block, column - (block - first) % column));
            dt_ask_ahead(finish, l, block - first, count);
            sum_run(reducer, plan, worker, &layer, first, block, count, finish);
        }
        dt_lap(laps, DT_PHASE_UPDATE, l);
    }
}

#endif
