/* What a trainer holds, for the files that it is made of: trainer.c (its life and the training), evaluation.c (data
 * sets and an epoch's report), position.c (where it stands, in and out, and early stopping), weights.c. setup.c comes
 * before.
 */
#ifndef DT_TRAIN_TRAINER_STATE_H
#define DT_TRAIN_TRAINER_STATE_H

#include "deltoid/trainer.h"
#include "parallel/team.h"
#include "train/engine.h"
#include "train/run.h"

/* How many workers make the steps, where the experiment leaves it to be found out. */
typedef struct dt_pace {
    bool adapts, alone;         /* alone: one, the others wait */
    double spent, next;         /* seconds of training so far, and at which to try again */
    int64_t trial_steps, steps; /* of a trial; between two looks at the clock */
} dt_pace;

struct dt_trainer {
    const dt_experiment *experiment;
    dt_trainer_data data;
    bool feeds;                          /* the training set's feed goes by this trainer; */
    bool unfed;                          /* and has failed: there are no rows for the next step */
    dt_rows train_rows, validation_rows; /* of data.train; validation_rows.count 0 without data.validation_fraction */
    int64_t layers, *units;              /* units[0 .. layers] */
    dt_trainer_info info;
    const dt_engine_ops *ops;
    dt_engine *engine;
    dt_team *team;
    dt_run run;
    dt_pace pace;
    int64_t step;          /* done in all */
    bool owes;             /* the epoch's steps are done, and its report is not: evaluation failed */
    int64_t drawn;         /* the epoch whose order the sampler holds; -1: none */
    double began, trained; /* seconds: when the run began, 0: it is not running; spent in this epoch's training steps */
    double before;         /* seconds of training up to the run at hand */

    /* Early stopping, from epoch to epoch. */
    double best;        /* the metric of best_epoch; NaN: none yet */
    int64_t best_epoch; /* from 1; 0: none yet */
    void *best_weights; /* W^1, b^1, W^2, ... of that epoch; NULL: not kept */
    bool restored;      /* the network holds these, and best_weights those of the last step */
};

/* Of a clock that is never set back. */
double dt_trainer_seconds(void);

/* At an epoch's end: evaluates what there is, and tells the schedule and the observers. */
dt_status dt_trainer_report(dt_trainer *trainer, dt_error *error);

/* --- early stopping --- */

/* Are the best epoch's weights to be kept? Then room for them. */
bool dt_trainer_keeps_best(const dt_experiment *experiment);
dt_status dt_trainer_make_best(dt_trainer *trainer, dt_error *error);

/* Is this epoch the best so far? Then its weights are kept, where they are to be. */
void dt_trainer_judge(dt_trainer *trainer, const dt_epoch_report *report);

/* No step is left to make: all are made, or no epoch was better for too long. */
bool dt_trainer_done(const dt_trainer *trainer);

/* Exchanges the last step's weights for the best epoch's, where they are kept; and back, to go on. */
void dt_trainer_take_best(dt_trainer *trainer);
void dt_trainer_take_last(dt_trainer *trainer);

#endif
