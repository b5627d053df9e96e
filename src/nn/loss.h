/* Costs: C_i of one sample and delta^L = dC_i/dz^L, equation (3), from z^L alone.
 *
 * The cost of a minibatch is the mean of its samples'. delta is the sample's own, without 1/B: the reduction divides,
 * once. To add one, write its function in loss.c and add one line to the table there.
 */
#ifndef DT_NN_LOSS_H
#define DT_NN_LOSS_H

#include "deltoid/experiment.h"
#include "deltoid/tables.h"
#include "kernels/real.h"

/* What a sample is to be answered with. */
typedef struct dt_target {
    int64_t y;       /* the right class; meaningless where t is not NULL */
    const double *t; /* (units), or NULL: 1 for unit y, 0 for the others */
} dt_target;

typedef struct dt_loss {
    dt_entry entry;
    dt_loss_traits traits;

    /* Returns C_i for z (units, padded with readable numbers to whole panels) and its target, of a kind in
     * traits.takes; writes delta[j] = dC_i/dz_j for j < units (and anything in the padding). */
    double (*cost)(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target, dt_real *delta);
} dt_loss;

enum { DT_LOSS_COUNT = 10 };

DT_DECLARE_VARIANTS(dt_loss, dt_losses, [DT_LOSS_COUNT])

#endif
