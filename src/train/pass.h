/* One pass of samples through the network and back: equations (1) to (4) on the rows of one worker.
 *
 * The arrays are those of all the samples of a minibatch (or of a probe, or of a chunk of an evaluation); each worker
 * calls the functions for its own rows first .. last-1, so that nobody writes another's. Row i of layer l holds
 * units[l] numbers; a^l has a 1 behind them (the bias gate's other input) and delta^l zeros up to a whole panel.
 *
 * Compiled in both precisions.
 */
#ifndef DT_TRAIN_PASS_H
#define DT_TRAIN_PASS_H

#include "base/split.h"
#include "deltoid/dataset.h"
#include "deltoid/observer.h"
#include "nn/loss.h"
#include "nn/network.h"
#include "parallel/laps.h"
#include "parallel/reduction.h"
#include "train/sparse.h"

typedef struct dt_pass {
    const dt_network *network;
    const dt_loss *loss;
    const dt_loss_options *options; /* of the loss; borrowed */
    double threshold;               /* of several labels: dt_loss_traits */
    int64_t capacity;               /* rows */
    int64_t copies;                 /* of a[0], one behind the other, each a worker's own; 1: all workers share one */
    int64_t *stride;                /* stride[l], l = 0 .. L: numbers from row to row */
    dt_real *block;                 /* of all the arrays below */
    dt_real **a, **delta;           /* [l]; a[0] = x; of a sparse pass room to write x out, or NULL */
    dt_sparse *sparse;              /* x, where layer 1 skips what is 0; else NULL */
    dt_real **z;                    /* [l], where z is kept apart from a; z[L] = a[L] */
    dt_real **mask,
        **sigma;         /* [l], where layer l drops out: what sigma(z^l) was multiplied by, and itself; else NULL */
    dt_layer_rows *rows; /* rows[l], l = 1 .. L: what reductions see */
    double *cost;        /* C_i */
    uint8_t *right;      /* 1 where the answer is right: see dt_evaluation */
} dt_pass;

/* What random numbers of a step are drawn from: pure functions of these, the layer, the sample's place in the minibatch
 * and the unit, so that nothing else matters. */
typedef struct dt_draws {
    uint64_t seed;
    int64_t step; /* below 2^51 */
} dt_draws;

/* Bytes of memory of a pass of `capacity` rows, as dt_allocate_hot takes them. `specs` (layers) where it is one of
 * training, that may drop out; else NULL. `sparse` where it has sparse inputs, and then one copy; else NULL. false on
 * overflow. */
#define dt_pass_measure DT_R(dt_pass_measure)
bool dt_pass_measure(int64_t layers, const int64_t *units, const dt_layer_spec *specs, int64_t capacity, int64_t copies,
                     const dt_sparse_sizes *sparse, size_t *bytes);

#define dt_pass_create DT_R(dt_pass_create)
dt_status dt_pass_create(dt_pass **pass, const dt_network *network, const dt_loss *loss, const dt_loss_options *options,
                         bool training, int64_t capacity, int64_t copies, const dt_sparse_sizes *sparse,
                         dt_error *error);
#define dt_pass_destroy DT_R(dt_pass_destroy)
void dt_pass_destroy(dt_pass *pass);

/* Room for dt_pass_samples to write sparse inputs out, of which only rows that are looked at take memory. A pass that
 * isn't sparse has it. */
#define dt_pass_show_inputs DT_R(dt_pass_show_inputs)
dt_status dt_pass_show_inputs(dt_pass *pass, dt_error *error);

/* Zeroes the worker's rows (of its own copy of a[0], all), on the worker: pages come to lie near it. */
#define dt_pass_touch DT_R(dt_pass_touch)
void dt_pass_touch(dt_pass *pass, int64_t worker, dt_span rows);

/* a^0 = x: row i of copy `copy` is row sample[i] of the data set, converted and scaled. */
#define dt_pass_gather DT_R(dt_pass_gather)
void dt_pass_gather(dt_pass *pass, int64_t copy, const dt_dataset *data, dt_real scale, const int64_t *sample,
                    dt_span rows);

/* x += deviation N(0, 1), in copy `copy`. */
#define dt_pass_noise DT_R(dt_pass_noise)
void dt_pass_noise(dt_pass *pass, int64_t copy, dt_real deviation, const dt_draws *draws, dt_span rows);

/* Asks for the data of rows that a later gather will read, and doesn't wait for them. */
#define dt_pass_prefetch DT_R(dt_pass_prefetch)
void dt_pass_prefetch(const dt_dataset *data, const int64_t *sample, dt_span rows);

/* `laps` may be NULL. `keep_z`: z is kept apart from a everywhere (a step that is watched), not only where a derivative
 * needs it. */
#define dt_pass_forward DT_R(dt_pass_forward)
void dt_pass_forward(dt_pass *pass, dt_span rows, bool keep_z, dt_laps *laps); /* (1) (2) */
/* Layer l alone, panels first .. last-1 of its units, from copy `copy` of a[0]. In a pass of training, layers with
 * dropout draw a mask: a = mask sigma(z), the mask 0 with probability p, else 1 / (1 - p). */
#define dt_pass_forward_units DT_R(dt_pass_forward_units)
void dt_pass_forward_units(dt_pass *pass, int64_t l, int64_t copy, dt_span rows, dt_span panels, bool keep_z,
                           const dt_draws *draws);
#define dt_pass_cost DT_R(dt_pass_cost)
void dt_pass_cost(dt_pass *pass, const dt_dataset *data, const int64_t *sample, dt_span rows); /* C_i, (3) */
/* Layer l alone, panels first .. last-1 of its units: needs delta^{l+1} of all units. */
#define dt_pass_backward_units DT_R(dt_pass_backward_units)
void dt_pass_backward_units(dt_pass *pass, int64_t l, dt_span rows, dt_span panels, bool keep_z);
#define dt_pass_backward DT_R(dt_pass_backward)
void dt_pass_backward(dt_pass *pass, dt_span rows, bool keep_z, dt_laps *laps); /* (4) */

/* z^L of row i, (units). */
#define dt_pass_output DT_R(dt_pass_output)
const dt_real *dt_pass_output(const dt_pass *pass, int64_t i);

/* The unit with the largest z^L of row i, the first of equals. */
#define dt_pass_answer DT_R(dt_pass_answer)
int64_t dt_pass_answer(const dt_pass *pass, int64_t i);

/* deltoid/observer.h's calls, for this precision; z only after a forward that kept it, sparse inputs only after
 * dt_pass_show_inputs, by the worker whose rows they are. */
#define dt_pass_samples DT_R(dt_pass_samples)
dt_matrix_view dt_pass_samples(const dt_pass *pass, dt_quantity quantity, int64_t l, dt_span rows);
#define dt_pass_copy_slice DT_R(dt_pass_copy_slice)
void dt_pass_copy_slice(const dt_pass *pass, dt_quantity quantity, int64_t l, const dt_slice *slice, void *out);

#endif
