#include "kernels/norms.h"

static void lanes(int64_t rows, const dt_real *restrict x, double *restrict sum)
{
    double own[DT_LANES] = {0};
    for (int64_t r = 0; r < rows; r++)
        for (int j = 0; j < DT_LANES; j++)
            own[j] += (double)x[r * DT_LANES + j] * (double)x[r * DT_LANES + j];
    for (int j = 0; j < DT_LANES; j++)
        sum[j] = own[j];
}

static double squares(int64_t rows, const dt_real *x)
{
    double own[DT_LANES], sum = 0;
    lanes(rows, x, own);
    for (int j = 0; j < DT_LANES; j++)
        sum += own[j];
    return sum;
}

static void scale(int64_t rows, const dt_real *restrict factor, dt_real *restrict x)
{
    for (int64_t r = 0; r < rows; r++)
        for (int j = 0; j < DT_LANES; j++)
            x[r * DT_LANES + j] *= factor[j];
}

const dt_norms DT_VARIANT(dt_norms) = {lanes, squares, scale};
