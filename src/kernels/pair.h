/* exp, expm1 and the normal distribution in pairs of doubles, and the arithmetic that takes them on to a result.
 *
 * A smooth activation is some products and quotients of e^z. Each rounds, and by half a dozen roundings a double is
 * off by several units in its last place. So float64 carries what a rounding dropped along, as a second double (Dekker,
 * A floating-point technique for extending the available precision, Numerische Mathematik 18, 1971), and rounds once at
 * the end: within 2 ulps (tests/test_accuracy.c). For float32 a double is plenty: there the low part is a constant 0
 * and all that it costs falls away. Compiled in both precisions; branch-free, so that a loop over it vectorises.
 *
 * The pairs are good to some 2^-57, not to twice a double's digits: low parts are formed in plain double. They end
 * where denormal numbers, which are flushed to zero, would begin: results below 1e-290 may be off by 3 ulps.
 */
#ifndef DT_KERNELS_PAIR_H
#define DT_KERNELS_PAIR_H

#include "kernels/real.h"
#include "kernels/wide.h"

enum { DT_PAIRS = DT_PRECISION == 64 };

typedef struct dt_pair {
    double high, low; /* their sum; |low| is a few units of high's last place at most */
} dt_pair;

/* x + y where |x| >= |y|, or x is 0 */
static inline dt_pair dt_pair_fast_sum(double x, double y)
{
    const double sum = x + y;
    return (dt_pair){sum, DT_PAIRS ? y - (sum - x) : 0};
}

/* x + y of any sizes (Knuth) */
static inline dt_pair dt_pair_sum(double x, double y)
{
    const double sum = x + y, had = sum - x;
    return (dt_pair){sum, DT_PAIRS ? (x - (sum - had)) + (y - had) : 0};
}

static inline dt_pair dt_pair_add(dt_pair x, dt_pair y)
{
    dt_pair sum = dt_pair_sum(x.high, y.high);
    sum.low = DT_PAIRS ? sum.low + (x.low + y.low) : 0;
    return sum;
}

static inline dt_pair dt_pair_plus(double x, dt_pair y)
{
    return dt_pair_add((dt_pair){x, 0}, y);
}

static inline dt_pair dt_pair_product(dt_pair x, dt_pair y)
{
    const double product = x.high * y.high, rest = __builtin_fma(x.high, y.high, -product);
    return (dt_pair){product, DT_PAIRS ? rest + (x.high * y.low + x.low * y.high) : 0};
}

static inline dt_pair dt_pair_times(double x, dt_pair y)
{
    return dt_pair_product((dt_pair){x, 0}, y);
}

static inline dt_pair dt_pair_quotient(dt_pair x, dt_pair y)
{
    const double quotient = x.high / y.high;
    const double rest = __builtin_fma(-quotient, y.high, x.high) + (x.low - quotient * y.low);
    return (dt_pair){quotient, DT_PAIRS ? rest / y.high : 0};
}

/* Rounded to a double. */
static inline double dt_pair_value(dt_pair x)
{
    return DT_PAIRS ? x.high + x.low : x.high;
}

/* x where z has no sign, y where it has one */
static inline dt_pair dt_pair_by_sign(double z, dt_pair x, dt_pair y)
{
    return (dt_pair){dt_wide_by_sign(z, x.high, y.high), DT_PAIRS ? dt_wide_by_sign(z, x.low, y.low) : 0};
}

/* e^r - 1 and n of x + low = n ln 2 + r. */
static inline dt_pair dt_pair_reduced(double x, double low, int64_t *n)
{
    if (!DT_PAIRS)
        return (dt_pair){dt_wide_reduced(x, low, n), 0};
    const dt_wide_reduction by = dt_wide_reduce_exp(x, n);
    const dt_pair r = dt_pair_fast_sum(by.r, low + by.low);
    const double curve = __builtin_fma(r.high * r.high, dt_wide_exp_series(r.high), r.low + r.low * r.high);
    return dt_pair_fast_sum(r.high, curve);
}

/* e^(x + low); 0 below x = -708; finite for x <= 709. */
static inline dt_pair dt_pair_exp(double x, double low)
{
    if (!DT_PAIRS)
        return (dt_pair){dt_wide_exp(x, low), 0};
    int64_t n;
    const dt_pair p = dt_pair_reduced(dt_wide_clamp(x, -708, 710), low, &n);
    dt_pair e = dt_pair_fast_sum(1, p.high);
    e = dt_pair_fast_sum(e.high, e.low + p.low);
    const int64_t half = n >> 1;
    const double scale = dt_wide_power_of_two(half), rest = dt_wide_power_of_two(n - half);
    const uint64_t kept = (uint64_t)0 - (uint64_t) !(x < -708);
    return (dt_pair){dt_wide_of(dt_wide_bits(e.high * scale * rest) & kept),
                     dt_wide_of(dt_wide_bits(e.low * scale * rest) & kept)};
}

/* e^x - 1 for x <= 80, e^80 - 1 above, to the last places near 0. */
static inline dt_pair dt_pair_expm1(double x)
{
    if (!DT_PAIRS)
        return (dt_pair){dt_wide_expm1(x), 0};
    int64_t n;
    const dt_pair p = dt_pair_reduced(dt_wide_clamp(x, -80, 80), 0, &n);
    const double scale = dt_wide_power_of_two(n);
    const dt_pair less = dt_pair_sum(scale, -1), sum = dt_pair_fast_sum(less.high, scale * p.high);
    return dt_pair_fast_sum(sum.high, sum.low + (less.low + scale * p.low));
}

/* ln(1 + x) for 0 <= x <= 1 */
static inline dt_pair dt_pair_log1p(dt_pair x)
{
    if (!DT_PAIRS)
        return (dt_pair){dt_wide_log1p(x.high), 0};
    const dt_pair s = dt_pair_quotient(x, dt_pair_plus(2, x));
    const double rest = x.high - dt_wide_artanh_series(s.high);
    return dt_pair_fast_sum(x.high, x.low / (1 + x.high) - __builtin_fma(s.high, rest, s.low * rest));
}

#define DT_NORMAL_DENSITY     0x1.9884533d43651p-2 /* 1 / sqrt(2 pi), and what a double leaves of it */
#define DT_NORMAL_DENSITY_LOW (-0x1.cbc0d30ebfd15p-56)

/* Of the normal distribution: (1 + 2y) e^(y^2/2) Phi(-y) for 0 <= y <= 40, with its full relative accuracy far into the
 * tail; beyond some finite number.
 *
 * One polynomial for all y, in u = 1.25 - 11.25 / (y + 5), which maps 0 .. 40 to -1 .. 1: the method of Shepherd and
 * Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2) erfc x, Mathematics of Computation 36, 1981. The
 * coefficients are the Chebyshev series at 60 digits, cut where it falls below 2^-58. */
static inline dt_pair dt_pair_normal_tail(double y)
{
    static const double c[] = {
        0x1.b30b52fe27788p-1,   -0x1.5348f2548f671p-6,  -0x1.374895f73cecep-4, 0x1.c005c5d527a60p-4,
        -0x1.7cfc2e01bc5f4p-4,  0x1.d422bdbd28c73p-5,   -0x1.a891991af88f6p-6, 0x1.095e102398e21p-7,
        -0x1.4667fe8445399p-10, -0x1.db7779fab05abp-13, 0x1.553d8fa44ee54p-13, -0x1.fa456b3748d60p-17,
        -0x1.a902089e690dep-17, 0x1.afc7cc183c173p-19,  0x1.0a165f67bfa38p-20, -0x1.c03d271340870p-22,
        -0x1.99eb35140fed1p-24, 0x1.acabec4497608p-25,  0x1.a1acc17edacc3p-27, -0x1.87e5dafdb9a13p-28,
        -0x1.f2156f0764b83p-30, 0x1.37bfef33bb187p-31,  0x1.0dde4bb0104f0p-32, -0x1.3b2742515a45ep-35,
        -0x1.60b9c3fd4d69fp-36};
    const double c0_low = -0x1.e5375186dd07cp-55, u = 1.25 - 11.25 / (y + 5);
    double p = c[24];
#pragma GCC unroll 24
    for (int i = 23; i >= 1; i--)
        p = __builtin_fma(p, u, c[i]);
    if (!DT_PAIRS)
        return (dt_pair){__builtin_fma(p, u, c[0]), 0};
    dt_pair sum = dt_pair_fast_sum(c[0], p * u);
    sum.low += c0_low + __builtin_fma(p, u, -(p * u));
    return sum;
}

/* The normal distribution: Phi(z), and *e = e^(-z^2/2). Far out on the left, where *e is 0, so is Phi.
 *
 * The tail is wide.h's polynomial. Near 0 it would have Phi(-|z|) to ten units only: within 1 of it float64 takes the
 * series Phi(z) = 1/2 + sum_k (-1)^k z^(2k + 1) / (sqrt(2 pi) 2^k k! (2k + 1)) instead. */
__attribute__((always_inline)) /* clang would call it, one z at a time */
static inline dt_pair
dt_pair_normal(double z, dt_pair *e)
{
    static const double series[] = {-0x1.1058377e2cee0p-4,  0x1.46d04297691dap-7,   -0x1.37403f6ba1100p-10,
                                    0x1.e42b0d5216fc8p-14,  -0x1.3ce8fac15e2c4p-17, 0x1.658a2177b2739p-21,
                                    -0x1.62226a4aabe03p-25, 0x1.3878b823c4d4ep-29,  -0x1.f107e1883d947p-34,
                                    0x1.67c1700ad73d2p-38,  -0x1.ddc738b863ab4p-43, 0x1.25098c9a0d57fp-47,
                                    -0x1.4df215a78901cp-52, 0x1.6354d1ae7b14dp-57};
    const double y = dt_wide_at_most(__builtin_fabs(z), 40);
    const dt_pair square = dt_pair_product((dt_pair){y, 0}, (dt_pair){y, 0});
    *e = dt_pair_exp(-0.5 * square.high, -0.5 * square.low);
    const dt_pair above = dt_pair_product(dt_pair_normal_tail(y), *e), below = dt_pair_sum(1, 2 * y);
    const dt_pair tail = dt_pair_quotient(above, below);
    const dt_pair far = dt_pair_by_sign(z, dt_pair_plus(1, (dt_pair){-tail.high, -tail.low}), tail);
    if (!DT_PAIRS)
        return far;
    const double inner = dt_wide_clamp(z, -1, 1), q = inner * inner;
    double p = series[13];
#pragma GCC unroll 16
    for (int k = 12; k >= 0; k--)
        p = __builtin_fma(p, q, series[k]);
    dt_pair near = dt_pair_times(inner, (dt_pair){DT_NORMAL_DENSITY, DT_NORMAL_DENSITY_LOW});
    near.low += inner * q * p;
    return dt_pair_by_sign(1 - y, dt_pair_plus(0.5, near), far);
}

#endif
