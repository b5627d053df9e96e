/* Observers: how anything but the trainer learns what happens in a step. The trainer doesn't know that recording
 * exists.
 *
 * A step that nobody watches runs as one fused pass. A watched step does the same operations in the same order, and in
 * between shows its own values: each worker its rows (z, a, delta) and its slice of the parameters (W and dW before the
 * update). So every call marked [worker] runs on all workers at once, each with a disjoint part; calls marked [one] run
 * on one worker while the others wait, or between epochs. No call may allocate in a step.
 */
#ifndef DELTOID_OBSERVER_H
#define DELTOID_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "dataset.h"
#include "experiment.h"
#include "status.h"

#pragma GCC visibility push(default)

/* A matrix of the step's own, borrowed until the call returns: element (i, j) at data + (i * stride + j) numbers. */
typedef struct dt_matrix_view {
    const void *data; /* float or double, by dt_step_view.precision */
    int64_t rows, columns, stride;
} dt_matrix_view;

/* The step as observers see it. `step` counts from 0: steps done before this one. */
typedef struct dt_step_view {
    int64_t step, epoch; /* epoch from 0 */
    dt_precision precision;
    int64_t layers;    /* L */
    int64_t minibatch; /* B, samples of this minibatch */
    int64_t batch;     /* samples shown: those of this minibatch (the last of an epoch may be short), or of the probe */
    const int64_t *sample_id;   /* (batch), rows of the training set */
    int64_t shard_size;         /* samples are shown in whole shards of so many, the last may be short */
    int64_t worker, workers;    /* whose call this is, 0 .. workers-1; 0 in calls marked [one] */
    const struct dt_pass *pass; /* for the calls below, and those of train/step.h */
    const struct dt_engine *engine;
} dt_step_view;

/* z^l, a^l, delta^l of this worker's samples first .. first+count-1 of the minibatch: views of (count, units).
 * l = 1..L; DT_QUANTITY_A also l = 0, the inputs x; a^L is z^L. Of the minibatch a^l is what layer l+1 saw: behind
 * dropout, and x with its noise; rows of a probe have neither. */
dt_matrix_view dt_step_samples(const dt_step_view *view, dt_quantity quantity, int64_t l, int64_t first, int64_t count);

/* |W_after - W_before|^2 of a block's weights, and of its biases. */
typedef struct dt_moved {
    double W, b;
} dt_moved;

/* A part of the flat parameter vector, within one layer. Passed by its address: on its way down through some calls a
 * copy would be read before its parts have left the processor's queue of stores, and wait for all that is in it. */
typedef struct dt_slice {
    int64_t first, last;   /* blocks; opaque, for dt_step_copy_slice */
    int64_t l;             /* the layer */
    const void *gradient;  /* of these blocks; opaque */
    const dt_moved *moved; /* in `updated`: of each block; else NULL */
} dt_slice;

/* Copies the part of W^l, dW^l (DT_QUANTITY_W, DT_QUANTITY_DW: into a dense (units, inputs) row-major array) or b^l,
 * db^l (DT_QUANTITY_B, DT_QUANTITY_DB: into (units)) that lies in `slice`; what lies outside is left as it is, so that
 * all workers together fill the array. dW and db are the gradient of the minibatch's mean cost, without regulariser. */
void dt_step_copy_slice(const dt_step_view *view, dt_quantity quantity, int64_t l, const dt_slice *slice, void *out);

/* What an epoch gave. A figure that does not apply is NaN. */
typedef struct dt_epoch_report {
    int64_t epoch;                     /* epochs done, from 1 */
    int64_t step;                      /* steps done */
    double seconds;                    /* since training began, evaluation included */
    double train_loss, train_accuracy; /* mean over the epoch's own training steps, before each update */
    double validation_loss, validation_accuracy;
    double test_loss, test_accuracy;
    double learning_rate;
    double samples_per_second; /* over the training steps alone */
} dt_epoch_report;

typedef struct dt_observer {
    void *self;

    /* Fixed rows of the training set, borrowed until the trainer is destroyed: in every watched step they run forward
     * and backward with that step's weights (which they don't touch), and `samples` shows them in place of the
     * minibatch's. 0: the minibatch. */
    const int64_t *probe_rows;
    int64_t probe_count;

    /* Does it watch this step? Pure, called on every worker before the step: the same answer everywhere. May be NULL:
     * never. */
    bool (*watches)(const void *self, int64_t step, int64_t epoch);

    /* [one] Before a watched step's values are shown: get room for them. May wait, may not fail: remember the failure
     * for `epoch`. */
    void (*begin)(void *self, const dt_step_view *view);

    /* [worker] This worker's samples first .. first+count-1 of view->batch (count may be 0), after delta is complete.
     */
    void (*samples)(void *self, const dt_step_view *view, int64_t first, int64_t count);

    /* [worker] A part of this worker's slice of the parameters, before the update; as often as it takes to show all of
     * it, each block once, as soon as its gradient is there. With the reduction hogwild there is none: slice.gradient
     * is NULL, W is what all workers take this step with, and `updated` is never called. */
    void (*slice)(void *self, const dt_step_view *view, const dt_slice *slice);

    /* [worker] A part that `slice` will show soon: where lies what the observer will read with it, as many bytes as W
     * has there, so that memory can be asked for it meanwhile? What belongs to the blocks behind it follows. NULL:
     * nothing. The call may be NULL. */
    const void *(*ahead)(void *self, const dt_step_view *view, const dt_slice *slice);

    /* [worker] The same part right after its update, with slice.moved. May be NULL. */
    void (*updated)(void *self, const dt_step_view *view, const dt_slice *slice);

    /* [one] All workers have shown theirs. */
    void (*end)(void *self, const dt_step_view *view);

    /* [one] After each step, watched or not: step counts done and to do, the loss of the minibatch. For progress; must
     * be cheap. */
    void (*progress)(void *self, int64_t done, int64_t total, double loss);

    /* [one] Between epochs, outside the team. An error stops training. */
    dt_status (*epoch)(void *self, const dt_epoch_report *report, dt_error *error);
} dt_observer;

#pragma GCC visibility pop

#endif
