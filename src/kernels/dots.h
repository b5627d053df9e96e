/* Scalar products and distances, for summary.h: in chains as moments are.
 */
#ifndef DT_KERNELS_DOTS_H
#define DT_KERNELS_DOTS_H

#include <string.h>

#include "kernels/moments.h"

/* x y; (x - y)^2; and (x + rate y - x)^2, where x + rate y is what would be stored. */
enum { PRODUCT, DISTANCE, MOVE };

/* In double: at most a chain's n numbers. */
static double exact_sum(const int what, dt_real rate, int64_t n, const dt_real *x, const dt_real *y)
{
    double lane[DT_LANES] = {0};
    for (int64_t i = 0; i < n; i++) {
        const double a = (double)x[i], b = (double)(what == MOVE ? DT_FMA(rate, y[i], x[i]) : y[i]);
        lane[i % DT_LANES] += what == PRODUCT ? a * b : (a - b) * (a - b);
    }
    return join_doubles(lane);
}

/* What a number adds is a factor times this. */
DT_INLINE dt_vector factor_of(const int what, dt_vector rate, dt_vector a, dt_vector b)
{
    return what == PRODUCT ? a : dt_sub(what == MOVE ? dt_fma(rate, b, a) : b, a);
}

/* Row c of a panel's rows. */
DT_INLINE void add_products(const int what, dt_vector rate, int c, const dt_real *x, const dt_real *y,
                            dt_vector sum[CHAINS][DT_VECTORS_A_PANEL])
{
    DT_REPEAT (v, DT_VECTORS_A_PANEL) {
        const dt_vector b = dt_load(y + v * DT_WIDTH), d = factor_of(what, rate, dt_load(x + v * DT_WIDTH), b);
        sum[c][v] = dt_fma(d, what == PRODUCT ? b : d, sum[c][v]);
    }
}

/* Is all that is multiplied 0, of either sign? */
static bool adds_nothing(const int what, dt_real rate, int64_t n, const dt_real *x, const dt_real *y)
{
    dt_bits any = 0;
    for (int64_t i = 0; i < n; i++) {
        const dt_real d = what == PRODUCT ? x[i] : (what == MOVE ? DT_FMA(rate, y[i], x[i]) : y[i]) - x[i];
        dt_bits bits;
        memcpy(&bits, &d, sizeof bits);
        any |= bits;
    }
    return any << 1 == 0;
}

/* One part: at most DT_CHAIN * DT_LANES numbers, as rows of a panel. */
DT_INLINE double sum_part(const int what, dt_real rate, int64_t n, const dt_real *x, const dt_real *y)
{
    enum { ROWS = CHAINS * DT_LANES };
    dt_vector sum[CHAINS][DT_VECTORS_A_PANEL];
    const dt_vector rates = dt_broadcast(&rate);
    int64_t i = 0;
    DT_REPEAT (c, CHAINS)
        DT_REPEAT (v, DT_VECTORS_A_PANEL)
            sum[c][v] = dt_zero();
    for (; i + ROWS <= n; i += ROWS)
        DT_REPEAT (c, CHAINS)
            add_products(what, rates, c, x + i + c * DT_LANES, y + i + c * DT_LANES, sum);
    if (i < n) { /* padded with zeros */
        dt_real rest[2][ROWS] = {{0}, {0}};
        memcpy(rest[0], x + i, (size_t)(n - i) * sizeof *x);
        memcpy(rest[1], y + i, (size_t)(n - i) * sizeof *y);
        DT_REPEAT (c, CHAINS)
            add_products(what, rates, c, rest[0] + c * DT_LANES, rest[1] + c * DT_LANES, sum);
    }
    dt_vector joined[DT_VECTORS_A_PANEL];
    DT_REPEAT (v, DT_VECTORS_A_PANEL)
        joined[v] = dt_add(dt_add(sum[0][v], sum[2][v]), dt_add(sum[1][v], sum[3][v]));
    const dt_real total = dt_panel_total(joined);
    if (fits(total) || (total == 0 && adds_nothing(what, rate, n, x, y)))
        return (double)total;
    return exact_sum(what, rate, n, x, y);
}

DT_INLINE double sum_of(const int what, dt_real rate, int64_t n, const dt_real *x, const dt_real *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i += DT_CHAIN * DT_LANES)
        sum += sum_part(what, rate, n - i < DT_CHAIN * DT_LANES ? n - i : DT_CHAIN * DT_LANES, x + i, y + i);
    return one_nan(sum);
}

static double dot(int64_t n, const void *x, const void *y)
{
    return sum_of(PRODUCT, 0, n, x, y);
}

/* Of `count` parts of n numbers. */
DT_INLINE void sums_of(const int what, dt_real rate, int64_t count, int64_t n, const dt_real *x, const dt_real *y,
                       double *sum)
{
    for (int64_t i = 0; i < count; i++)
        sum[i] = sum_of(what, rate, n, x + i * n, y + i * n);
}

static void distances(int64_t count, int64_t n, const void *x, const void *y, double *sum)
{
    sums_of(DISTANCE, 0, count, n, x, y, sum);
}

static void moves(int64_t count, int64_t n, double rate, const void *g, const void *W, double *sum)
{
    sums_of(MOVE, (dt_real)rate, count, n, W, g, sum);
}

#endif
