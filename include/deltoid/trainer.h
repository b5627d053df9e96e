/* The trainer: runs an experiment's steps on a team of OpenMP workers.
 *
 * The weights it produces are a function of the experiment and the data alone: the same bits for any number of workers,
 * any instruction set, any compiler; but for the reductions critical, atomic, omp and hogwild, which say so in the
 * table and in dt_trainer_info.
 *
 *     dt_trainer *t;
 *     dt_trainer_create(&t, &experiment, &(dt_trainer_data){.train = train, .test = test}, &error);
 *     dt_trainer_run(t, &error);                       // experiment.training.epochs epochs
 *     dt_trainer_weights(t, 1, W, b);                  // layer 1, (units, inputs) and (units)
 *     dt_trainer_destroy(t);
 *
 * Threads: one thread uses a trainer at a time; it makes its own team.
 */
#ifndef DELTOID_TRAINER_H
#define DELTOID_TRAINER_H

#include <stdatomic.h>

#include "dataset.h"
#include "experiment.h"
#include "observer.h"
#include "profile.h"
#include "status.h"

#pragma GCC visibility push(default)

typedef struct dt_trainer dt_trainer;

/* Data sets are borrowed until the trainer is destroyed. */
typedef struct dt_trainer_data {
    const dt_dataset *train;      /* required */
    const dt_dataset *validation; /* may be NULL; with data.validation_fraction the trainer splits `train` itself */
    const dt_dataset *test;       /* may be NULL */
} dt_trainer_data;

/* Validates, allocates everything a run needs, draws the initial weights. The experiment and the data are borrowed
 * until destroy. */
dt_status dt_trainer_create(dt_trainer **trainer, const dt_experiment *experiment, const dt_trainer_data *data,
                            dt_error *error);
void dt_trainer_destroy(dt_trainer *trainer); /* NULL is allowed */

/* Adds an observer (copied; `self` is borrowed). At most 16. Before the first epoch. */
dt_status dt_trainer_observe(dt_trainer *trainer, const dt_observer *observer, dt_error *error);

/* All the experiment's epochs, or what is left of them; fewer where training.early_stopping ends them. DT_STOPPED if a
 * stop was asked for, DT_DIVERGED when the loss is no longer finite: the message names the step, and the first number
 * that is not. */
dt_status dt_trainer_run(dt_trainer *trainer, dt_error *error);

/* Advanced: a number of steps, without evaluation or epoch reports; goes on where the last call ended, through epochs.
 */
dt_status dt_trainer_steps(dt_trainer *trainer, int64_t steps, dt_error *error);

/* Asks the running trainer to stop after the step at hand. Async-signal-safe; from any thread. */
void dt_trainer_stop(dt_trainer *trainer);

/* Mean loss and share of right answers over a data set. Classes: the largest z^L wins, the first of equals. Several
 * labels: a row is right where every label is, those there and those not (scikit-learn's accuracy_score); z^L above 0
 * says there for binary_cross_entropy, above 1/2 for the others. Regression: NaN.
 *
 * For classes optionally the confusion matrix (classes, classes), confusion[true * classes + predicted], classes =
 * units of layer L, or NULL. Same bits for any team. */
typedef struct dt_evaluation {
    double loss, accuracy;
} dt_evaluation;
dt_status dt_trainer_evaluate(dt_trainer *trainer, const dt_dataset *dataset, dt_evaluation *evaluation,
                              int64_t *confusion, dt_error *error);
/* The same of the validation rows: those of dt_trainer_data, or those that data.validation.fraction takes from the
 * training set. DT_INVALID where there are none. */
dt_status dt_trainer_evaluate_validation(dt_trainer *trainer, dt_evaluation *evaluation, dt_error *error);

/* z^L of rows rows.index[0 .. count-1], labelled or not: (count, units of layer L) numbers in the experiment's
 * precision.
 */
dt_status dt_trainer_outputs(dt_trainer *trainer, const dt_dataset *dataset, dt_rows rows, void *z, dt_error *error);

/* Copies W^l (units, inputs) and b^l (units) out of or into the network, in the experiment's precision. */
void dt_trainer_weights(const dt_trainer *trainer, int64_t l, void *W, void *b);
void dt_trainer_set_weights(dt_trainer *trainer, int64_t l, const void *W, const void *b);

/* State beside the weights: arrays i = 0, 1, ... of the parameters' own shape, as the momentum of sgd, and with
 * training.early_stopping.restore_best the best epoch's weights. The name of array i, NULL past the last; and its part
 * for layer l out or in, as above. */
const char *dt_trainer_state_name(const dt_trainer *trainer, int i);
void dt_trainer_state(const dt_trainer *trainer, int i, int64_t l, void *W, void *b);
void dt_trainer_set_state(dt_trainer *trainer, int i, int64_t l, const void *W, const void *b);

/* What schedule reduce_on_plateau remembers. Other schedules remember nothing and leave it as it is. */
typedef struct dt_schedule_state {
    double factor;      /* the learning rate is multiplied by; at first 1 */
    double best;        /* loss of an epoch; at first infinity */
    int64_t bad_epochs; /* since then, without a better one */
    int64_t cooldown;   /* epochs that still don't count */
} dt_schedule_state;

/* Where a run stands between two steps. Together with the weights and the state arrays it is all that decides what
 * follows: a trainer of the same experiment and data that is given the three goes on to the same bits, with any number
 * of workers. deltoid/record.h writes them to a file and reads them.
 *
 *     dt_trainer_position p;
 *     dt_trainer_position_of(t, &p);                                     // and dt_trainer_weights, dt_trainer_state
 *     dt_trainer_set_position(other, &p, &error);                        // and dt_trainer_set_weights, _set_state
 *     dt_trainer_run(other, &error);                                     // the steps that are left
 */
typedef struct dt_trainer_position {
    int64_t step;               /* done in all */
    int64_t epochs, epoch_step; /* epochs done and reported, and steps of the one at hand: all, where its evaluation
                                 * failed; the run that goes on begins with its report */
    double loss_sum;            /* over the samples of the epoch at hand, before each update; */
    int64_t right, seen;        /* samples answered right, and seen, in it */
    double seconds;             /* of training in all, evaluation included, */
    double epoch_seconds;       /* and in the steps of the epoch at hand */
    double best;                /* early stopping: the best metric so far, NaN: none; */
    int64_t best_epoch;         /* its epoch, from 1; 0: none; */
    int64_t restored;           /* 1: the weights are that epoch's, and the state array "best_weights" the last ones */
    dt_schedule_state schedule;
    int64_t done; /* 1: no step is left to make; not looked at by set_position */
} dt_trainer_position;

/* Not while steps are made: between calls, and in an observer's `epoch`. */
void dt_trainer_position_of(const dt_trainer *trainer, dt_trainer_position *position);

/* Before dt_trainer_run or dt_trainer_steps. DT_INVALID for a position that this experiment can't have. */
dt_status dt_trainer_set_position(dt_trainer *trainer, const dt_trainer_position *position, dt_error *error);

/* SHA-256 over W^1 (row-major, little-endian), b^1, W^2, b^2, ...: 64 hexadecimal digits and a NUL. */
dt_status dt_trainer_weights_sha256(const dt_trainer *trainer, char hex[65], dt_error *error);

enum { DT_CHOICE_TEXT = 256 };

/* What was decided, for reports and --dry-run. Bytes are those of memory, large arrays in whole huge pages. */
typedef struct dt_trainer_info {
    int64_t layers;                      /* L */
    int64_t features;                    /* units of layer 0 */
    int64_t parameters;                  /* weights and biases, without padding */
    int64_t workers, shard_size, shards; /* shards of a full minibatch */
    int64_t groups;                      /* of workers that share each shard; as many as workers: data parallelism */
    int64_t train_rows, validation_rows, test_rows;
    int64_t steps_per_epoch;
    bool sparse;             /* layer 1 skips inputs that are 0 (data.sparse) */
    double density;          /* share of the training set's inputs that are held: 1 where it isn't sparse */
    size_t parameter_bytes;  /* parameters with padding and transposed copies, optimizer's state, a shared gradient */
    size_t bytes_per_worker; /* gradient buffers and scratch, the largest worker's */
    size_t bytes_of_buffers; /* gradient buffers alone; 0 where there are none */
    size_t activation_bytes; /* z, a, delta of a whole minibatch, an evaluation's chunks, and captured rows */
    const char *isa;         /* "generic", "avx2", "avx512" */
    const char *reduction;   /* the one in use, where the experiment says auto */
    bool deterministic;      /* the same bits for any number of workers; else they differ from run to run */
    char choice[DT_CHOICE_TEXT]; /* why this reduction, or these groups, where the experiment says auto; "" else */
    int64_t created;             /* when the trainer (or the plan) was made: seconds since 1970, UTC */
} dt_trainer_info;

/* Borrowed strings. Also without a trainer, from the data's sizes alone, nothing allocated: dt_trainer_plan. */
void dt_trainer_describe(const dt_trainer *trainer, dt_trainer_info *info);
dt_status dt_trainer_plan(const dt_experiment *experiment, const dt_trainer_data *data, dt_trainer_info *info,
                          dt_error *error);

/* Units of layer l = 0..L (0: features). */
int64_t dt_trainer_units(const dt_trainer *trainer, int64_t l);
int64_t dt_trainer_step(const dt_trainer *trainer);
const dt_experiment *dt_trainer_experiment(const dt_trainer *trainer);
const dt_dataset *dt_trainer_training_set(const dt_trainer *trainer);

#pragma GCC visibility pop

#endif
