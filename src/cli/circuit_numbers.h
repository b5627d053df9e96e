/* Where deltoid circuit gets its numbers: from a captured step, or from the engine at work. */
#ifndef DT_CLI_CIRCUIT_NUMBERS_H
#define DT_CLI_CIRCUIT_NUMBERS_H

#include "base/memory.h"
#include "check/observed.h"
#include "circuit/numbers.h"
#include "cli/config.h"
#include "deltoid/dataset.h"

typedef struct dt_circuit_wish {
    int64_t l, j;     /* the unit; l = 0: the whole network */
    int64_t step;     /* -1: not said */
    int64_t sample;   /* row of the training set; -1: not said */
    const char *rule; /* of the capture; NULL: any */
} dt_circuit_wish;

/* Zero-initialise; clear frees what the others borrow. */
typedef struct dt_circuit_numbers {
    dt_unit_numbers unit;                /* where a unit was wished for */
    dt_network_numbers network;          /* else */
    const dt_loss_options *loss_options; /* the experiment's */
    int64_t step, sample;
    dt_arena arena;
    dt_observed *seen;
} dt_circuit_numbers;

/* From capture.h5: W, b, z, a and delta as captured; C, which is not captured, from z^L and the sample's class. Errors
 * as dt_captured_read. */
dt_status dt_circuit_from_capture(dt_circuit_numbers *numbers, const dt_circuit_wish *wish, const dt_config *config,
                                  const dt_dataset *train, const char *capture, dt_error *error);

/* From a step of training, taken now: `model` is read first, where it isn't NULL; else wish->step steps are trained
 * (none where it isn't said) from the experiment's first weights. The sample (row 0 where it isn't said) goes through
 * the engine with the weights of that step, whether or not it is in the step's minibatch. */
dt_status dt_circuit_from_engine(dt_circuit_numbers *numbers, const dt_circuit_wish *wish, dt_config *config,
                                 const dt_dataset *train, const char *model, dt_error *error);

void dt_circuit_numbers_clear(dt_circuit_numbers *numbers);

#endif
