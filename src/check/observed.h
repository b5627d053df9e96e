/* One step of training, as it was, in double: what checks compare. */
#ifndef DT_CHECK_OBSERVED_H
#define DT_CHECK_OBSERVED_H

#include "deltoid/observer.h"
#include "deltoid/trainer.h"

typedef struct dt_observed {
    int64_t layers, *units; /* units[0 .. layers] */
    int64_t capacity, batch;
    int64_t target, step; /* the step to watch; the one seen, -1: none yet */
    dt_precision precision;
    int64_t *sample;             /* (batch), rows of the training set */
    double **z, **a, **delta;    /* [l]: (batch, units) */
    double **W, **b, **dW, **db; /* [l] */
    void **native;               /* [4 l ..]: W, b, dW, db as the step gives them, where it is float32 */
} dt_observed;

/* Room for a step of the trainer's experiment, with minibatches of up to `capacity`. */
dt_status dt_observed_create(dt_observed **observed, const dt_trainer *trainer, int64_t capacity, dt_error *error);
void dt_observed_destroy(dt_observed *observed);

/* An observer that fills it when step `target` comes. */
dt_observer dt_observed_observer(dt_observed *observed);

#endif
