/* What a run of steps knows apart from numbers: data, order, observers, counters. Shared by the trainer and the
 * engines. */
#ifndef DT_TRAIN_RUN_H
#define DT_TRAIN_RUN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "data/sampler.h"
#include "deltoid/dataset.h"
#include "deltoid/observer.h"
#include "deltoid/trainer.h"

enum { DT_OBSERVERS_MAX = 64 };

struct dt_profile;

typedef struct dt_run {
    const dt_experiment *experiment;
    const dt_dataset *train;
    dt_sampler *sampler;
    dt_observer observers[DT_OBSERVERS_MAX];
    int observer_count;
    int64_t shard_size;
    struct dt_profile *profile; /* NULL: none */
    atomic_int stop;            /* set from outside: stop after the step at hand */

    /* Steps first .. last-1 of `epoch`, to be done by the team; `base` steps were done before this epoch. */
    int64_t epoch, base, first, last, total_steps;
    int64_t steps_per_epoch;
    double learning_rate;       /* of the step `first`, or of the last that was done */
    bool by_step;               /* it changes within the epoch */
    dt_schedule_state schedule; /* what the schedule remembers */

    /* Written by worker 0 between a step's barriers, read by all after the second. */
    bool halt;

    /* Written by worker 0. */
    int64_t done;        /* steps of this epoch that are done */
    bool diverged;       /* the loss of step `done` isn't finite; its update was not made */
    double loss_sum;     /* over this epoch's samples, before each update */
    int64_t right, seen; /* samples answered right, samples */
    double *shard_loss;  /* [shard]: sum of C_i, by the shard's worker */
} dt_run;

/* Which observers watch a step: bit i is observer i. The same on every worker. */
static inline uint64_t dt_run_watching(const dt_run *run, int64_t step, int64_t epoch)
{
    uint64_t watching = 0;
    for (int i = 0; i < run->observer_count; i++) {
        const dt_observer *o = &run->observers[i];
        if (o->watches && o->watches(o->self, step, epoch))
            watching |= (uint64_t)1 << i;
    }
    return watching;
}

#endif
