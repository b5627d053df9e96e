/* What an experiment and its data come to before anything is trained: whether they go together, the rows to train on,
 * the workers, and the sizes of all that a trainer allocates.
 */
#ifndef DT_TRAIN_SETUP_H
#define DT_TRAIN_SETUP_H

#include "deltoid/trainer.h"
#include "train/engine.h"

/* The instruction set that DELTOID_ISA names, the experiment, and whether data, loss and last layer go together:
 * DT_INVALID names the key. */
dt_status dt_setup_check(const dt_experiment *experiment, const dt_trainer_data *data, dt_error *error);

/* One data set, data.`key`, beside the training set: inputs, kind of targets, labels for `outputs` units. */
dt_status dt_setup_check_set(const char *key, const dt_dataset *data, const dt_dataset *train, const char *loss,
                             int64_t outputs, dt_error *error);

/* The rows to train on: all of data.train, or what the validation fraction leaves. Release both with dt_rows_release.
 */
dt_status dt_setup_rows(const dt_experiment *experiment, const dt_trainer_data *data, dt_rows *train,
                        dt_rows *validation, dt_error *error);

/* Units of layers 0 .. L; release with dt_release. NULL: no memory. */
int64_t *dt_setup_units(const dt_experiment *experiment, const dt_dataset *train);

/* data.sparse: auto takes data that hold at most this share of their inputs, and in proportion less where layer 1 has
 * fewer units than that, which don't pay for the index by columns. Measured: experiments/sparse. */
#define DT_SPARSE_DENSITY 0.1
#define DT_SPARSE_UNITS   100

/* Whether layer 1 skips inputs that are 0: of sparse data, by data.sparse. */
bool dt_setup_sparse(const dt_experiment *experiment, const dt_dataset *train);

/* Floating-point operations of a minibatch, and the workers that they pay for where parallel.threads is auto. */
double dt_setup_operations(const dt_experiment *experiment, const dt_dataset *train, const int64_t *units);
int64_t dt_setup_workers(const dt_experiment *experiment, const dt_dataset *train, const int64_t *units);

/* Rows whose inputs a capture rule looks at: of the minibatch of so many, or of its own. */
int64_t dt_setup_shown(const dt_capture_rule *rule, int64_t batch);

/* `sizes` for the engine, with `units` borrowed, and `info`, but for what only the team can say. */
dt_status dt_setup_sizes(const dt_experiment *experiment, const dt_trainer_data *data, int64_t train_rows,
                         int64_t workers, const int64_t *units, dt_engine_sizes *sizes, dt_trainer_info *info,
                         dt_error *error);

#endif
