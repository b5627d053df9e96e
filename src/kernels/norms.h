/* Norms of parameters and gradients, for clipping, trust ratios and constraints: sums of squares over rows of DT_LANES
 * numbers, each lane in row order, then the lanes in theirs; in double. A block's sum is so a fact of its numbers.
 */
#ifndef DT_KERNELS_NORMS_H
#define DT_KERNELS_NORMS_H

#include "kernels/real.h"

typedef struct dt_norms {
    /* sum[j] = sum_r x_rj^2 of `rows` rows, j < DT_LANES. */
    void (*lanes)(int64_t rows, const dt_real *x, double *sum);

    /* The sum of all the lanes. */
    double (*squares)(int64_t rows, const dt_real *x);

    /* x_rj *= factor[j] */
    void (*scale)(int64_t rows, const dt_real *factor, dt_real *x);
} dt_norms;

DT_DECLARE_VARIANTS(dt_norms, dt_norms, )

#endif
