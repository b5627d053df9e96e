/* Checks: is backpropagation right, on this experiment and these data?
 *
 * A step of training is watched twice, before training and after a few steps, and what the engine computed in it is
 * held against three things that don't share its code:
 *
 *     the gate circuit    z, a, delta of some samples, elementwise (deltoid/circuit.h); of networks too large for a
 *                         circuit, those of some units, each by the circuit of its own neighbourhood
 *     finite differences  dW, db of some weights, by central differences of the minibatch's mean cost in float64
 *     a plain sum         every dW, db of the step, (1/B) sum_i delta_ij a_ik in one loop over the minibatch
 */
#ifndef DELTOID_CHECK_H
#define DELTOID_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "dataset.h"
#include "experiment.h"
#include "status.h"

#pragma GCC visibility push(default)

typedef struct dt_check_options {
    int64_t steps;   /* of training before the second look; default 10 */
    int64_t samples; /* of the minibatch held against the circuit; default 8 */
    int64_t weights; /* of a layer held against finite differences (and a quarter as many biases); default 40 */
} dt_check_options;

typedef enum dt_check_against { DT_AGAINST_CIRCUIT, DT_AGAINST_DIFFERENCES, DT_AGAINST_SUM } dt_check_against;

/* One quantity of one layer. */
typedef struct dt_check_result {
    dt_check_against against;
    dt_quantity quantity;
    int64_t step, l;
    int64_t compared, of;    /* elements; `compared` 0 is never right */
    int64_t at_kinks;        /* differences: weights left out because a kink of the cost lies within every step tried */
    double worst, tolerance; /* largest |engine - reference| / scale */
    char where[64];          /* "w^2_{17,3}" or "delta^1_{4}, row 39" (of the training set) */
    bool right;              /* worst <= tolerance */
} dt_check_result;

/* "gate circuit", "finite differences", "plain sum" */
const char *dt_check_against_name(dt_check_against against);

/* Trains steps + 1 steps of the experiment on `train` and calls `result` for each comparison. `options` NULL, or fields
 * 0: the defaults. *right is whether all were right. Failures are of the check itself (memory, a network that
 * diverges), not of the mathematics. */
dt_status dt_check(const dt_experiment *experiment, const dt_dataset *train, const dt_check_options *options,
                   void (*result)(void *context, const dt_check_result *result), void *context, bool *right,
                   dt_error *error);

#pragma GCC visibility pop

#endif
