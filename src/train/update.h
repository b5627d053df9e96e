/* What becomes of the summed gradient: the optimizer's step, and what enters it besides.
 *
 * Blocks are updated as they are finished, one pass through memory, unless something must be known of the whole
 * gradient first. The stages of a step, of which most experiments need the first alone, each on the worker's own
 * blocks:
 *
 *     sum      g = sum / B; updated at once, or kept
 *     clip     |g|^2 by blocks -- barrier -- g scaled down to clip_norm
 *     direct   lamb, lars: the direction u, |W|^2 and |u|^2 by blocks -- barrier -- a ratio for each W^l, b^l
 *     update   of the kept g or u
 *     cut      |W_j|^2 of units by blocks -- barrier -- W_j scaled down to max_norm
 *
 * Watching changes none of this: a block is shown when it is finished or kept, and no gradient is kept for it.
 *
 * Sums by blocks are added in the blocks' order, by every worker: the same bits for any team.
 *
 * Compiled in both precisions.
 */
#ifndef DT_TRAIN_UPDATE_H
#define DT_TRAIN_UPDATE_H

#include "deltoid/observer.h"
#include "kernels/norms.h"
#include "kernels/summary.h"
#include "nn/network.h"
#include "parallel/laps.h"
#include "parallel/reduction.h"
#include "parallel/team.h"
#include "train/optimizer.h"

/* A block's sums of squares, of its part of W^l and of b^l. */
typedef struct dt_block_squares {
    double W[2], g[2];
} dt_block_squares;

typedef struct dt_updater {
    dt_network *network;
    const dt_optimizer *optimizer;
    const dt_optimizer_spec *spec;
    const dt_norms *norms;
    const dt_summaries *summaries;
    dt_real *state[DT_STATES_MAX]; /* NULL where one isn't kept */
    dt_real *gradient;             /* kept from sum to update; NULL where no step ever needs it */
    dt_block_squares *squares;     /* [block]; NULL: nobody asks for norms */
    double *lanes;                 /* [block * DT_LANES]: of units; NULL: no layer has a max_norm */
} dt_updater;

/* What observers of a step are shown, some blocks at a time, by the worker whose blocks they are: at most DT_RUN of one
 * layer, from `block` on, counted through the whole network; arrays are (count, DT_BLOCK), borrowed for the call.
 *
 *     shown      the gradient g = sum / B, before clip and anything that weight decay and regularisers add; W and the
 *                states are still those before the step
 *     updated    after the optimizer's step of the blocks, with how far it `moved` each; ahead of cut, which belongs to
 * no optimizer and waits for all blocks. NULL: nobody asks ahead      a block will be shown soon: where lies what will
 * be read with it, see dt_finish? Returns how many places these are, `most` at most. Not where gradients are kept.
 * NULL: nobody is asked
 */
typedef struct dt_update_watch {
    void *context;
    int (*ahead)(void *context, int64_t l, int64_t block, int most, dt_region place[]);
    void (*shown)(void *context, int64_t l, int64_t block, int64_t count, const dt_real *gradient);
    void (*updated)(void *context, int64_t l, int64_t block, int64_t count, const dt_moved *moved);
} dt_update_watch;

/* One step of one worker. */
typedef struct dt_update {
    dt_updater *updater;
    const dt_reducer *reducer;
    dt_worker *worker;
    double learning_rate;
    dt_hyper hyper;
    dt_real inverse_batch;
    const dt_update_watch *watch; /* NULL: nobody watches this step */
    dt_network *own;              /* hogwild's worker: its copy of the weights that all share; else NULL */
    dt_laps *laps;
} dt_update;

/* The optimizer of that name, NULL where there is none. */
#define dt_optimizer_named DT_R(dt_optimizer_named)
const dt_optimizer *dt_optimizer_named(const char *name);

/* Bytes beside the network's: states, a kept gradient, norms; `vector` bytes each array as long as the parameters.
 * false on overflow. */
#define dt_updater_measure DT_R(dt_updater_measure)
bool dt_updater_measure(const dt_experiment *experiment, const int64_t *units, size_t vector, size_t *bytes);

#define dt_updater_create DT_R(dt_updater_create)
dt_status dt_updater_create(dt_updater **updater, const dt_experiment *experiment, dt_network *network,
                            dt_error *error);
#define dt_updater_destroy DT_R(dt_updater_destroy)
void dt_updater_destroy(dt_updater *updater);

/* States start at zero: on the worker whose blocks they are. */
#define dt_updater_touch DT_R(dt_updater_touch)
void dt_updater_touch(dt_updater *updater, dt_span blocks);

/* The i-th state that is kept, and its name; NULL past the last. */
#define dt_updater_state DT_R(dt_updater_state)
dt_real *dt_updater_state(const dt_updater *updater, int i, const char **name);

/* What the strategy's sum does with each block; `update` is borrowed until then. */
#define dt_update_finish DT_R(dt_update_finish)
dt_finish dt_update_finish(dt_update *update);

/* hogwild's copy of all shared weights, and its transposed copies. Where others may be writing them, too. */
#define dt_update_copy_shared DT_R(dt_update_copy_shared)
void dt_update_copy_shared(const dt_update *update);

/* The stages after sum. All workers call it. */
#define dt_update_rest DT_R(dt_update_rest)
void dt_update_rest(dt_update *update);

#endif
