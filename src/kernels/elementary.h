/* exp, expm1, log and the inverse normal distribution, built from add, multiply, fma and bit operations alone, so that
 * every instruction set, compiler and C library gives the same bits. (libm differs from one processor to the next.)
 *
 * Ranges are reduced with Cody and Waite's two-part ln 2; the cores are Taylor series long enough to be exact to the
 * type on |r| <= ln 2 / 2. Accuracy, tested against libm in long double: exp at most 1.1 ulp, expm1 and log at most 2,
 * sigmoid and tanh at most 2.5, the normal quantile at most 8. Results below the smallest normal number are 0 (as with
 * flush-to-zero).
 *
 * dt_exp and the functions above it work on dt_real and are branch-free, so that a loop over them vectorises.
 */
#ifndef DT_KERNELS_ELEMENTARY_H
#define DT_KERNELS_ELEMENTARY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* --- double, scalar: initial weights, the logarithm of the cost --- */

/* ln x for normal x > 0: x = m 2^e with m in [sqrt 1/2, sqrt 2), ln m = 2 artanh((m - 1) / (m + 1)). */
static inline double dt_log_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t e = (int64_t)((bits - 0x3fe6a09e667f3bcdULL) >> 52); /* so that m starts at sqrt 1/2 */
    if (e > 1100)
        e -= 4096;
    bits -= (uint64_t)e << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    const double s = (m - 1) / (m + 1), q = s * s;
    double p = 1.0 / 21;
    for (int k = 19; k >= 3; k -= 2)
        p = __builtin_fma(p, q, 1.0 / k);
    const double tail = 2 * s * q * p; /* ln m - 2 s */
    const double ln2_high = 0x1.62e42fefa39efp-1, ln2_low = 0x1.abc9e3b39803fp-56;
    return __builtin_fma((double)e, ln2_high, 2 * s + __builtin_fma((double)e, ln2_low, tail));
}

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

/* The x with P(X <= x) = p for a standard normal X, 0 < p < 1: algorithm AS 241, PPND16 (Wichura, Applied Statistics
 * 37, 1988). */
static inline double dt_normal_quantile(double p)
{
    static const double central[2][8] = {
        {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
         4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
        {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
         3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}};
    static const double middle[2][8] = {
        {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
         1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
        {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
         1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
    static const double far[2][8] = {
        {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
         2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
        {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
         7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};
    const double q = p - 0.5, distance = q < 0 ? -q : q;
    const double(*rational)[8] = central;
    double r;
    if (distance <= 0.425) {
        r = 0.180625 - q * q;
    } else {
        r = __builtin_sqrt(-dt_log_f64(q < 0 ? p : 1 - p));
        rational = r <= 5 ? middle : far;
        r -= r <= 5 ? 1.6 : 5;
    }
    double above = rational[0][7], below = rational[1][7];
    for (int i = 6; i >= 0; i--) {
        above = above * r + rational[0][i];
        below = below * r + rational[1][i];
    }
    return distance <= 0.425 ? q * above / below : q < 0 ? -above / below : above / below;
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

/* e^x - 1 for |x| <= 80, accurate near 0. */
static inline dt_real dt_expm1(dt_real x)
{
    dt_integer n;
    const dt_real p = dt_reduced_expm1(dt_clamp(x, -80, 80), &n);
    const dt_real scale = dt_power_of_two(n);
    return DT_FMA(p, scale, scale - 1);
}

static inline dt_real dt_sigmoid(dt_real z)
{
    return 1 / (1 + dt_exp(-z));
}

/* tanh z = (e^2z - 1) / (e^2z + 1) */
static inline dt_real dt_tanh(dt_real z)
{
    const dt_real e = dt_expm1(2 * dt_clamp(z, -20, 20));
    return e / (e + 2);
}

#endif
#endif
