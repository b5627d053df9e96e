/* Costs: C_i of one sample and delta^L = dC_i/dz^L, equation (3), from z^L alone.
 *
 * The cost of a minibatch is the mean of its samples'. delta is the sample's own, without 1/B: the reduction divides,
 * once. To add one, write its function in loss.c and add one line to the table there.
 */
#ifndef DT_NN_LOSS_H
#define DT_NN_LOSS_H

#include "deltoid/tables.h"
#include "kernels/real.h"

typedef struct dt_loss {
    dt_entry entry;

    /* Returns C_i for z (units, padded with readable numbers to whole panels) and the right class y; writes delta[j] =
     * dC_i/dz_j for j < units (and anything in the padding). */
    double (*cost)(int64_t units, const dt_real *z, int64_t y, dt_real *delta);
} dt_loss;

enum { DT_LOSS_COUNT = 3 };

DT_DECLARE_VARIANTS(dt_loss, dt_losses, [DT_LOSS_COUNT])

#endif
