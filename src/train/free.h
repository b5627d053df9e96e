/* Workers that run free (hogwild): each goes through the epoch's minibatches for itself, with a copy of the weights,
 * and waits for nobody. What they must agree on all the same is which step is the last: all make the same steps, so
 * that a run can stop between two of them and go on. And what each has counted becomes the run's when the team comes to
 * rest.
 *
 * Threads: what takes a worker's index is called on that worker; the rest on any.
 *
 * Compiled in both precisions.
 */
#ifndef DT_TRAIN_FREE_H
#define DT_TRAIN_FREE_H

#include "base/memory.h"
#include "nn/network.h"
#include "train/run.h"

/* What a worker has counted since the team was started. */
typedef struct dt_tally {
    _Alignas(DT_CACHE_LINE) double loss_sum;
    int64_t right, seen;
    int64_t fault; /* the first of the epoch's steps whose loss isn't finite; INT64_MAX: none */
} dt_tally;

typedef struct dt_free {
    int64_t workers;
    dt_network **own;  /* [worker]: a copy of the weights */
    dt_tally *tallies; /* [worker] */
    atomic_llong end;  /* the last of the epoch's steps that somebody has begun; ~ that: nobody begins another */
} dt_free;

#define dt_free_create DT_R(dt_free_create)
dt_status dt_free_create(dt_free **free, const dt_network *network, int64_t workers, dt_error *error);
#define dt_free_destroy DT_R(dt_free_destroy)
void dt_free_destroy(dt_free *free);

/* Before the first of the steps run->first .. , by each worker; a barrier must follow. */
#define dt_free_begin DT_R(dt_free_begin)
void dt_free_begin(dt_free *free, const dt_run *run, int64_t worker);

/* May step i of the epoch be begun? The same answer on every worker. */
#define dt_free_may_begin DT_R(dt_free_may_begin)
bool dt_free_may_begin(dt_free *free, int64_t i);

/* No step is begun from now on but those that somebody is at already. */
#define dt_free_begin_no_more DT_R(dt_free_begin_no_more)
void dt_free_begin_no_more(dt_free *free);

/* A worker's samples of step i: the sum of their costs, and how many were answered right. */
#define dt_free_count DT_R(dt_free_count)
void dt_free_count(dt_free *free, int64_t worker, int64_t i, double loss_sum, int64_t right, int64_t seen);

/* All have made the last step, and there was a barrier: on one worker. Sets run's counts, how far it has come, and why
 * it stopped. */
#define dt_free_end DT_R(dt_free_end)
void dt_free_end(const dt_free *free, dt_run *run);

#endif
