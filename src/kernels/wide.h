/* exp, expm1, log1p, sine and cosine in double, branch-free, so that a loop over them vectorises; from add, multiply,
 * divide, fma and bit operations alone, so that every instruction set, compiler and C library gives the same bits.
 *
 * What the smooth activations are made of, and costs beyond elementary.h's, in both precisions: float32 widens its z,
 * and rounds the result once. That costs little beside the products of a layer. What float64 adds is in pair.h.
 *
 * Results below the smallest normal double are 0. NaN stays NaN everywhere.
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

/* x where z has no sign, y where it has one: bits alone, as of comparisons gcc makes branches, and then no vectors. */
static inline double dt_wide_by_sign(double z, double x, double y)
{
    const uint64_t mask = (uint64_t)0 - (dt_wide_bits(z) >> 63);
    return dt_wide_of((dt_wide_bits(y) & mask) | (dt_wide_bits(x) & ~mask));
}

/* x where it is low at least, else low; NaN stays NaN. By a mask, too: of `? :` gcc makes a branch. */
static inline double dt_wide_at_least(double x, double low)
{
    const uint64_t mask = (uint64_t)0 - (uint64_t)(x < low);
    return dt_wide_of((dt_wide_bits(low) & mask) | (dt_wide_bits(x) & ~mask));
}

static inline double dt_wide_at_most(double x, double high)
{
    const uint64_t mask = (uint64_t)0 - (uint64_t)(x > high);
    return dt_wide_of((dt_wide_bits(high) & mask) | (dt_wide_bits(x) & ~mask));
}

static inline double dt_wide_clamp(double x, double low, double high)
{
    return dt_wide_at_most(dt_wide_at_least(x, low), high);
}

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, by Taylor's series */
static inline double dt_wide_exp_series(double r)
{
    static const double inverse_factorial[] = {
        1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    double p = inverse_factorial[13];
#pragma GCC unroll 16
    for (int i = 12; i >= 2; i--)
        p = __builtin_fma(p, r, inverse_factorial[i]);
    return p;
}

/* What a reduction leaves of an argument, and what its rounding dropped. */
typedef struct dt_wide_reduction {
    double r, low;
} dt_wide_reduction;

/* x = n ln 2 + r, |r| <= ln 2 / 2 (Cody and Waite) */
static inline dt_wide_reduction dt_wide_reduce_exp(double x, int64_t *n)
{
    const double ln2_high = 0x1.62e42fefa0000p-1, ln2_low = 0x1.cf79abc9e3b39p-40;
    const double round = 0x1.8p52, rounded = __builtin_fma(x, 0x1.71547652b82fep0, round), k = rounded - round;
    const double most = __builtin_fma(-k, ln2_high, x), r = __builtin_fma(-k, ln2_low, most); /* most is exact */
    *n = (int64_t)(dt_wide_bits(rounded) - dt_wide_bits(round));
    return (dt_wide_reduction){r, __builtin_fma(-k, ln2_low, most - r)};
}

/* x + low = n ln 2 + r, |r| <= ln 2 / 2; returns e^r - 1 and n, as elementary.h's. `low` may be a few units of x's last
 * place. */
static inline double dt_wide_reduced(double x, double low, int64_t *n)
{
    const double r = dt_wide_reduce_exp(x, n).r + low;
    return __builtin_fma(dt_wide_exp_series(r) * r, r, r);
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

/* e^x - 1 for x <= 80, e^80 - 1 above, to the last places near 0. */
static inline double dt_wide_expm1(double x)
{
    int64_t n;
    const double p = dt_wide_reduced(dt_wide_clamp(x, -80, 80), 0, &n);
    const double scale = dt_wide_power_of_two(n);
    return __builtin_fma(p, scale, scale - 1);
}

/* 2 artanh(s) = 2 s + s t for 0 <= s <= 1/3: returns t */
static inline double dt_wide_artanh_series(double s)
{
    static const double inverse_odd[] = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11,
                                         1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23,
                                         1.0 / 25, 1.0 / 27, 1.0 / 29, 1.0 / 31, 1.0 / 33, 1.0 / 35};
    const double q = s * s;
    double p = inverse_odd[17];
#pragma GCC unroll 18
    for (int i = 16; i >= 1; i--)
        p = __builtin_fma(p, q, inverse_odd[i]);
    return 2 * q * p;
}

/* ln(1 + x) for 0 <= x <= 1: 2 artanh(s), s = x / (2 + x); 2 s = x - s x exactly, so that the larger part of the sum is
 * x itself. */
static inline double dt_wide_log1p(double x)
{
    const double s = x / (2 + x);
    return x - s * (x - dt_wide_artanh_series(s));
}

/* --- sine and cosine --- */

/* pi/2 in three parts; their sum is right to 2^-163. */
#define DT_HALF_PI_1 0x1.921fb54442d18p+0
#define DT_HALF_PI_2 0x1.1a62633145c07p-54
#define DT_HALF_PI_3 -0x1.f1976b7ed8fbcp-110

/* Up to here x = n pi/2 + r is found in double (Cody and Waite): x - n DT_HALF_PI_1 is exact. */
#define DT_SINE_NEAR 0x1p30

static inline dt_wide_reduction dt_wide_rounded(double r, double low)
{
    const double sum = r + low;
    return (dt_wide_reduction){sum, low - (sum - r)};
}

static inline dt_wide_reduction dt_wide_reduce(double x, uint64_t *n)
{
    const double round = 0x1.8p52, rounded = __builtin_fma(x, 0x1.45f306dc9c883p-1, round), k = rounded - round;
    const double most = __builtin_fma(-k, DT_HALF_PI_1, x), r = __builtin_fma(-k, DT_HALF_PI_2, most);
    *n = dt_wide_bits(rounded) - dt_wide_bits(round);
    return dt_wide_rounded(r, __builtin_fma(-k, DT_HALF_PI_3, __builtin_fma(-k, DT_HALF_PI_2, most - r)));
}

/* The same for any larger finite x: as many bits of 2/pi as matter, times its significand, in integers (Payne and
 * Hanek, Radian reduction for trigonometric functions, SIGNUM Newsletter 18, 1983). Not a number for infinite x and
 * NaN. */
static inline dt_wide_reduction dt_wide_reduce_far(double x, uint64_t *n)
{
    static const uint64_t two_over_pi[] = {0, /* so that no shift goes below the first bit */
                                           0xa2f9836e4e441529,
                                           0xfc2757d1f534ddc0,
                                           0xdb6295993c439041,
                                           0xfe5163abdebbc561,
                                           0xb7246e3a424dd2e0,
                                           0x06492eea09d1921c,
                                           0xfe1deb1cb129a73e,
                                           0xe88235f52ebb4484,
                                           0xe99c7026b45f7e41,
                                           0x3991d639835339f4,
                                           0x9c845f8bbdf9283b,
                                           0x1ff897ffde05980f,
                                           0xef2f118b5a0a6d1f,
                                           0x6d367ecf27cb09b7,
                                           0x4f463f669e5fea2d,
                                           0x7527bac7ebe5f17b,
                                           0x3d0739f78a5292ea,
                                           0x6bfb5fb11f8d5d08,
                                           0x56033046fc7b6bab,
                                           0xf0cfbc209af4361d};
    __extension__ typedef unsigned __int128 wide;
    const uint64_t bits = dt_wide_bits(x);
    const int exponent = (int)(bits >> 52 & 2047);
    *n = 0;
    if (exponent == 2047)
        return (dt_wide_reduction){x - x, 0};
    const uint64_t m = (bits & 0xfffffffffffff) | 0x10000000000000; /* |x| = m 2^(exponent - 1075) */
    /* m 2^e 2/pi mod 4: bits of 2/pi before the (e - 2)nd give multiples of 4. W are the 192 that follow them. */
    const int first = exponent - 1075 - 2 + 64, shift = first & 63;
    uint64_t W[3];
    for (int i = 0; i < 3; i++) {
        const uint64_t *t = &two_over_pi[first / 64 + i];
        W[i] = shift ? t[0] << shift | t[1] >> (64 - shift) : t[0];
    }
    const wide low = (wide)m * W[2], middle = (wide)m * W[1] + (uint64_t)(low >> 64);
    const uint64_t high = m * W[0] + (uint64_t)(middle >> 64);
    /* A quarter of the quotient's fraction in 192 bits; its upper two are the quadrant, the rest the angle in it, which
     * is made signed. */
    const uint64_t turn = high << 2 | (uint64_t)middle >> 62, fine = (uint64_t)middle << 2 | (uint64_t)low >> 62;
    const uint64_t up = turn >> 63, flip = (uint64_t)0 - up;
    const wide size = (((wide)(turn ^ flip) << 64) | (fine ^ flip)) + up;
    const double d = (double)(uint64_t)(size >> 64); /* at most 2^63 */
    const double d_low = (double)(int64_t)((uint64_t)(size >> 64) - (uint64_t)d) + (double)(uint64_t)size * 0x1p-64;
    const double product = d * DT_HALF_PI_1, rest = __builtin_fma(d, DT_HALF_PI_1, -product);
    const dt_wide_reduction size_of = dt_wide_rounded(product, rest + (d * DT_HALF_PI_2 + d_low * DT_HALF_PI_1));
    const uint64_t quadrant = (high >> 62) + up, negative = bits >> 63;
    *n = negative ? (uint64_t)0 - quadrant : quadrant;
    const double unit = up ^ negative ? -0x1p-64 : 0x1p-64;
    return (dt_wide_reduction){size_of.r * unit, size_of.low * unit};
}

/* sin(r + q pi/2) for |r| <= pi/4: Taylor's series of both, and the one that q says. */
static inline double dt_wide_sine_of(dt_wide_reduction by, uint64_t q)
{
    static const double sine[] = {-1.0 / 6,
                                  1.0 / 120,
                                  -1.0 / 5040,
                                  1.0 / 362880,
                                  -1.0 / 39916800,
                                  1.0 / 6227020800.0,
                                  -1.0 / 1307674368000.0,
                                  1.0 / 355687428096000.0};
    static const double cosine[] = {1.0 / 24,
                                    -1.0 / 720,
                                    1.0 / 40320,
                                    -1.0 / 3628800,
                                    1.0 / 479001600,
                                    -1.0 / 87178291200.0,
                                    1.0 / 20922789888000.0,
                                    -1.0 / 6402373705728000.0};
    const double r = by.r, s = r * r, half = 0.5 * s, top = 1 - half;
    double odd = sine[7], even = cosine[7];
#pragma GCC unroll 8
    for (int i = 6; i >= 0; i--) {
        odd = __builtin_fma(odd, s, sine[i]);
        even = __builtin_fma(even, s, cosine[i]);
    }
    odd = r + __builtin_fma(odd * s, r, by.low);
    even = top + (((1 - top) - half) + (s * s * even - r * by.low));
    const uint64_t swap = (uint64_t)0 - (q & 1);
    return dt_wide_of(((dt_wide_bits(odd) & ~swap) | (dt_wide_bits(even) & swap)) ^ (q & 2) << 62);
}

/* sin(x + quarter pi/2) for |x| <= DT_SINE_NEAR; anything beyond. */
static inline double dt_wide_sine_near(double x, uint64_t quarter)
{
    uint64_t n;
    const dt_wide_reduction r = dt_wide_reduce(x, &n);
    return dt_wide_sine_of(r, n + quarter);
}

/* The same for |x| > DT_SINE_NEAR. */
static inline double dt_wide_sine_far(double x, uint64_t quarter)
{
    uint64_t n;
    const dt_wide_reduction r = dt_wide_reduce_far(x, &n);
    return dt_wide_sine_of(r, n + quarter);
}

#endif
