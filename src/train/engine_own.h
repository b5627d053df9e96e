/* What the files of the engine share: its parts, and what it decides from an experiment's sizes.
 *
 * engine.c makes it, evaluates, and lets weights in and out; engine_sizes.c plans and measures; engine_step.c trains.
 *
 * Compiled in both precisions.
 */
#ifndef DT_TRAIN_ENGINE_OWN_H
#define DT_TRAIN_ENGINE_OWN_H

#include "train/engine.h"
#include "train/free.h"
#include "train/pass.h"
#include "train/update.h"

struct dt_engine {
    dt_run *run;
    const dt_experiment *experiment;
    int64_t workers;
    dt_network *network;
    dt_updater *updater;
    dt_reducer *reducer;
    dt_reducer *alone;                /* of steps that one worker makes though there are more; NULL: there are none */
    dt_pass *pass;                    /* of the minibatch */
    dt_pass *evaluation;              /* DT_EVALUATION_CHUNK rows a worker */
    int64_t *evaluation_sample;       /* which rows of the data set they are */
    dt_pass *probe[DT_OBSERVERS_MAX]; /* of observers with rows of their own */
    dt_dataset *probe_data[DT_OBSERVERS_MAX]; /* those rows, where the training set doesn't stay in memory */
    int64_t *probe_sample;                    /* which rows of these they are: 0, 1, .. */
    dt_free *free;                            /* where workers run free, else NULL */
};

/* Several workers that wait for nobody. */
static inline bool dt_runs_free(const dt_reduction *reduction, int64_t workers)
{
    return reduction->free && workers > 1;
}

/* Samples of a minibatch: those of a worker's group; of these, the worker's own rows, of x, z^L and the cost; and whole
 * shards, whose cost it adds up and whose rows it shows. All the same where it is alone in its group. */
typedef struct dt_share {
    dt_span group, rows, shards;
} dt_share;

static inline dt_share dt_share_of(const dt_worker *w, int64_t samples, int64_t shard_size)
{
    const dt_span shards = dt_group_shards(dt_shards_of(samples, shard_size), w->count, w->groups, w->group);
    const dt_span group = {dt_min(shards.first * shard_size, samples), dt_min(shards.last * shard_size, samples)};
    const dt_span rows = dt_member_part(w, dt_span_count(group)), own = dt_member_part(w, dt_span_count(shards));
    return (dt_share){
        .group = group,
        .rows = {group.first + rows.first, group.first + rows.last},
        .shards = {dt_min((shards.first + own.first) * shard_size, samples),
                   dt_min((shards.first + own.last) * shard_size, samples)},
    };
}

/* --- engine_sizes.c --- */

/* The experiment's strategy and groups, or those that it leaves to choose. */
#define dt_engine_choice DT_R(dt_engine_choice)
dt_choice dt_engine_choice(const dt_experiment *experiment, const dt_engine_sizes *sizes);

#define dt_engine_division DT_R(dt_engine_division)
dt_division dt_engine_division(const dt_engine_sizes *sizes, int64_t workers, int64_t groups);

/* Each worker has its own where layer 1 goes by units: all of them read all rows. */
#define dt_engine_copies_of_x DT_R(dt_engine_copies_of_x)
int64_t dt_engine_copies_of_x(const dt_reduction *reduction, const dt_engine_sizes *sizes);

/* Sparse inputs of the three kinds of passes, in `room`; NULL: they are not sparse. */
#define dt_engine_minibatch_inputs DT_R(dt_engine_minibatch_inputs)
const dt_sparse_sizes *dt_engine_minibatch_inputs(const dt_engine_sizes *sizes, dt_sparse_sizes *room);
#define dt_engine_evaluation_inputs DT_R(dt_engine_evaluation_inputs)
const dt_sparse_sizes *dt_engine_evaluation_inputs(const dt_engine_sizes *sizes, dt_sparse_sizes *room);
#define dt_engine_probe_inputs DT_R(dt_engine_probe_inputs)
const dt_sparse_sizes *dt_engine_probe_inputs(const dt_sparse_sizes *minibatch, int64_t rows, dt_sparse_sizes *room);

/* dt_engine_ops's. */
#define dt_engine_block_count DT_R(dt_engine_block_count)
int64_t dt_engine_block_count(int64_t layers, const int64_t *units);
#define dt_engine_measure DT_R(dt_engine_measure)
bool dt_engine_measure(const dt_experiment *experiment, const dt_engine_sizes *sizes, dt_trainer_info *info);

/* --- engine_step.c --- */

/* dt_engine_ops's `train`. */
#define dt_engine_train DT_R(dt_engine_train)
void dt_engine_train(dt_worker *worker, void *engine);

#endif
