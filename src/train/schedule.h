/* Schedules: the learning rate of each step. To add one, write its function and one line in the table in schedule.c.
 *
 * Definitions are PyTorch's (torch.optim.lr_scheduler). step, multi_step, exponential and reduce_on_plateau change it
 * between epochs; cosine, polynomial, one_cycle and every warm-up between steps, over the run's own length: with
 * PyTorch's, call the scheduler's step() after each minibatch. A learning rate is a function of the experiment and the
 * step alone, the same bits on any machine; reduce_on_plateau's also of the losses it has seen, a dt_schedule_state.
 */
#ifndef DT_TRAIN_SCHEDULE_H
#define DT_TRAIN_SCHEDULE_H

#include <stdint.h>

#include "deltoid/experiment.h"
#include "deltoid/tables.h"
#include "deltoid/trainer.h"

/* Where a run is: epoch and step from 0, of `steps` in all, `warmup` of which are the rise. */
typedef struct dt_schedule_time {
    int64_t epoch, step, steps, warmup;
} dt_schedule_time;

typedef struct dt_schedule {
    dt_entry entry;
    bool by_step; /* changes within an epoch, over the run's length */

    /* The learning rate at that time, from the experiment's. */
    double (*rate)(const dt_schedule_spec *spec, double base, const dt_schedule_time *time,
                   const dt_schedule_state *state);
} dt_schedule;

const dt_schedule *dt_schedule_at(size_t i); /* NULL past the last */

/* Does the learning rate change within an epoch? */
bool dt_schedule_by_step(const dt_experiment *experiment);

/* The learning rate of step `step` (from 0) of a run of experiment.training.epochs epochs of steps_per_epoch steps. A
 * run that goes on beyond its end keeps the last one. */
double dt_learning_rate(const dt_experiment *experiment, int64_t step, int64_t steps_per_epoch,
                        const dt_schedule_state *state);

/* No loss seen yet. */
dt_schedule_state dt_schedule_begin(void);

/* Can a schedule have remembered this? */
bool dt_schedule_is_possible(const dt_schedule_state *state);

/* Does the learning rate of a step depend on how many epochs the run has? Then no run can get more of them. */
bool dt_schedule_by_length(const dt_experiment *experiment);

/* Tells the schedule an epoch's loss. */
void dt_schedule_observe(const dt_experiment *experiment, double loss, dt_schedule_state *state);

#endif
