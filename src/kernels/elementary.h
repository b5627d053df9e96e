/* exp, log and the inverse normal distribution, built from add, multiply, fma and bit operations alone, so that
 * every instruction set, compiler and C library gives the same bits. (libm differs from one processor to the next.)
 *
 * Ranges are reduced with Cody and Waite's two-part ln 2; the cores are Taylor series long enough to be exact to the
 * type on |r| <= ln 2 / 2. Accuracy, tested against libm in long double: exp at most 1.1 ulp, log at most 2, the normal
 * quantile at most 8. Results below the smallest normal number are 0 (as with flush-to-zero).
 *
 * dt_exp and the functions above it work on dt_real and are branch-free, so that a loop over them vectorises.
 */
#ifndef DT_KERNELS_ELEMENTARY_H
#define DT_KERNELS_ELEMENTARY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/normal.h"

/* --- double, scalar: schedules --- */

/* e^x for |x| <= 700, the nearest of these for others. */
static inline double dt_exp_f64(double x)
{
    x = x < -700 ? -700 : x > 700 ? 700 : x;
    const double rounded = __builtin_fma(x, 0x1.71547652b82fep0, 0x1.8p52), k = rounded - 0x1.8p52;
    double r = __builtin_fma(-k, 0x1.62e42fefa0000p-1, x);
    r = __builtin_fma(-k, 0x1.cf79abc9e3b39p-40, r);
    double p = 1;
    for (int i = 14; i >= 1; i--)
        p = __builtin_fma(p, r / i, 1);
    const uint64_t bits = (uint64_t)((int64_t)k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* x^n, n >= 0, by squaring. */
static inline double dt_power_f64(double x, int64_t n)
{
    double power = 1;
    for (; n > 0; n >>= 1, x *= x)
        if (n & 1)
            power *= x;
    return power;
}

/* cos(pi t) for 0 <= t <= 1, by the series of cosine up to pi/4 and of sine from there. */
static inline double dt_cos_pi_f64(double t)
{
    const double pi = 0x1.921fb54442d18p1;
    const double folded = t > 0.5 ? 1 - t : t; /* cos(pi - x) = -cos x */
    const bool sine = folded > 0.25;
    const double x = pi * (sine ? 0.5 - folded : folded), q = -x * x;
    double p = 1;
    for (int k = 20; k >= 2; k -= 2)
        p = __builtin_fma(p, q / (sine ? k * (k + 1) : k * (k - 1)), 1);
    const double c = sine ? x * p : p;
    return t > 0.5 ? -c : c;
}

/* --- dt_real, for loops that vectorise --- */
#if defined(DT_PRECISION)

#include "kernels/real.h"

#if DT_PRECISION == 64
#define DT_EXP_MIN   -708.0
#define DT_EXP_MAX   709.7
#define DT_EXP_ROUND 0x1.8p52
#define DT_LOG2_E    0x1.71547652b82fep0
#define DT_LN2_HIGH  0x1.62e42fefa0000p-1
#define DT_LN2_LOW   0x1.cf79abc9e3b39p-40
enum { DT_EXPONENT_BIAS = 1023, DT_MANTISSA_BITS = 52, DT_EXP_TERMS = 13 };
#else
#define DT_EXP_MIN   -87.0f
#define DT_EXP_MAX   88.7f
#define DT_EXP_ROUND 0x1.8p23f
#define DT_LOG2_E    0x1.715476p0f
#define DT_LN2_HIGH  0x1.62e400p-1f
#define DT_LN2_LOW   0x1.7f7d1cp-20f
enum { DT_EXPONENT_BIAS = 127, DT_MANTISSA_BITS = 23, DT_EXP_TERMS = 7 };
#endif

static inline dt_bits dt_bits_of(dt_real x)
{
    dt_bits bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline dt_real dt_real_of(dt_bits bits)
{
    dt_real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^n for n in the normal range; anything for any other. */
static inline dt_real dt_power_of_two(dt_integer n)
{
    return dt_real_of(((dt_bits)n + DT_EXPONENT_BIAS) << DT_MANTISSA_BITS);
}

/* x = n ln 2 + r, |r| <= ln 2 / 2; returns e^r - 1 (with full relative accuracy) and n. n is read from the low bits
 * that rounding left it in: to convert a NaN to an integer would be undefined. */
static inline dt_real dt_reduced_expm1(dt_real x, dt_integer *n)
{
    static const dt_real inverse_factorial[] = {
        (dt_real)1,
        (dt_real)1,
        (dt_real)(1.0 / 2),
        (dt_real)(1.0 / 6),
        (dt_real)(1.0 / 24),
        (dt_real)(1.0 / 120),
        (dt_real)(1.0 / 720),
        (dt_real)(1.0 / 5040),
        (dt_real)(1.0 / 40320),
        (dt_real)(1.0 / 362880),
        (dt_real)(1.0 / 3628800),
        (dt_real)(1.0 / 39916800),
        (dt_real)(1.0 / 479001600),
        (dt_real)(1.0 / 6227020800),
    };
    const dt_real rounded = DT_FMA(x, DT_LOG2_E, DT_EXP_ROUND), k = rounded - DT_EXP_ROUND;
    dt_real r = DT_FMA(-k, DT_LN2_HIGH, x);
    r = DT_FMA(-k, DT_LN2_LOW, r);
    dt_real p = inverse_factorial[DT_EXP_TERMS];
#pragma GCC unroll 16 /* else gcc doesn't vectorise the loop around it */
    for (int i = DT_EXP_TERMS - 1; i >= 2; i--)
        p = DT_FMA(p, r, inverse_factorial[i]);
    *n = (dt_integer)(dt_bits_of(rounded) - dt_bits_of(DT_EXP_ROUND));
    return DT_FMA(p * r, r, r);
}

static inline dt_real dt_clamp(dt_real x, dt_real low, dt_real high)
{
    x = x < low ? low : x;
    return x > high ? high : x; /* NaN stays NaN */
}

/* e^x; 0 below DT_EXP_MIN, e^DT_EXP_MAX above it. */
static inline dt_real dt_exp(dt_real x)
{
    dt_integer n;
    const dt_real p = dt_reduced_expm1(dt_clamp(x, DT_EXP_MIN, DT_EXP_MAX), &n);
    const dt_real scale = dt_power_of_two(n / 2), rest = dt_power_of_two(n - n / 2); /* in halves: 2^128 is no float */
    const dt_real e = DT_FMA(p, scale, scale) * rest;
    const dt_bits kept = (dt_bits)0 - (dt_bits) !(x < DT_EXP_MIN); /* a mask: of `? :` gcc makes a branch */
    return dt_real_of(dt_bits_of(e) & kept);
}

#endif
#endif
