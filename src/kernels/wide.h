/* exp, expm1, log1p, the normal distribution's tail, sine and cosine in double, branch-free, so that a loop over them
 * vectorises; from add, multiply, divide, fma and bit operations alone, so that every instruction set, compiler and C
 * library gives the same bits.
 *
 * What the activations and costs beyond elementary.h's are made of, in both precisions: float32 widens its z, and
 * rounds the result once. That costs little beside the products of a layer, and leaves float32 results within one unit
 * in the last place of the correctly rounded ones; float64's are within a few (tests/test_wide.c measures both).
 * Results below the smallest normal double are 0.
 *
 * NaN stays NaN everywhere.
 */
#ifndef DT_KERNELS_WIDE_H
#define DT_KERNELS_WIDE_H

#include <stdint.h>
#include <string.h>

static inline uint64_t dt_wide_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double dt_wide_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline double dt_wide_clamp(double x, double low, double high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* x + low = n ln 2 + r, |r| <= ln 2 / 2; returns e^r - 1 and n, as elementary.h's. Cody and Waite's reduction, and
 * Taylor's series. `low` may be a few units of x's last place. */
static inline double dt_wide_reduced(double x, double low, int64_t *n)
{
    static const double inverse_factorial[] = {
        1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    const double round = 0x1.8p52, rounded = __builtin_fma(x, 0x1.71547652b82fep0, round), k = rounded - round;
    double r = __builtin_fma(-k, 0x1.62e42fefa0000p-1, x);
    r = __builtin_fma(-k, 0x1.cf79abc9e3b39p-40, r) + low;
    double p = inverse_factorial[13];
#pragma GCC unroll 16
    for (int i = 12; i >= 2; i--)
        p = __builtin_fma(p, r, inverse_factorial[i]);
    *n = (int64_t)(dt_wide_bits(rounded) - dt_wide_bits(round));
    return __builtin_fma(p * r, r, r);
}

static inline double dt_wide_power_of_two(int64_t n)
{
    return dt_wide_of(((uint64_t)n + 1023) << 52);
}

/* e^(x + low); 0 below x = -708, infinite where it overflows. */
static inline double dt_wide_exp(double x, double low)
{
    int64_t n;
    const double p = dt_wide_reduced(dt_wide_clamp(x, -708, 710), low, &n);
    const int64_t half = n >> 1;
    const double scale = dt_wide_power_of_two(half), rest = dt_wide_power_of_two(n - half);
    const double e = __builtin_fma(p, scale, scale) * rest;
    const uint64_t kept = (uint64_t)0 - (uint64_t) !(x < -708); /* a mask: of `? :` gcc makes a branch */
    return dt_wide_of(dt_wide_bits(e) & kept);
}

/* e^x - 1 for x <= 0, to the last places near 0. */
static inline double dt_wide_expm1(double x)
{
    int64_t n;
    const double p = dt_wide_reduced(dt_wide_clamp(x, -80, 80), 0, &n);
    const double scale = dt_wide_power_of_two(n);
    return __builtin_fma(p, scale, scale - 1);
}

/* ln(1 + x) for 0 <= x <= 1: 2 artanh(s), s = x / (2 + x) <= 1/3. */
static inline double dt_wide_log1p(double x)
{
    static const double inverse_odd[] = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11,
                                         1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23,
                                         1.0 / 25, 1.0 / 27, 1.0 / 29, 1.0 / 31, 1.0 / 33, 1.0 / 35};
    const double s = x / (2 + x), q = s * s;
    double p = inverse_odd[17];
#pragma GCC unroll 18
    for (int i = 16; i >= 1; i--)
        p = __builtin_fma(p, q, inverse_odd[i]);
    /* 2 s = x - s x exactly: the larger part of the sum is x itself */
    return x - s * (x - 2 * q * p);
}

#endif
