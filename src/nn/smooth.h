/* The smooth activations: sigma and sigma' of one z, in double for both precisions, with the one parameter that some
 * have. float32 rounds the result once, and is then within 0.51 ulps of the correctly rounded one; float64 within 1.5
 * (tests/test_accuracy.c measures both). Compiled in both precisions, for activation.c, whose loops over them
 * vectorise: so they have no branch, and no `? :` but where gcc makes none of it. Numbers far out that would turn into
 * 0 times infinity are held at a place where the result has long been reached.
 */
#ifndef DT_NN_SMOOTH_H
#define DT_NN_SMOOTH_H

#include "kernels/pair.h"

/* y, or z itself from `far` on, where they are the same but a low part of infinity would not be a number. */
static inline double beyond(double z, double far, double y)
{
    return DT_PAIRS ? dt_wide_by_sign(far - z, y, z) : y;
}

/* z p for a p that is 1 for all z from `far` on */
static inline double scaled(double z, double far, dt_pair p)
{
    return beyond(z, far, dt_pair_value(dt_pair_times(z, p)));
}

/* sigmoid(v + low) = p / d, and 1 less it q / d, from e = e^-|v + low|; d = 1 + e */
typedef struct logistic {
    dt_pair e, p, q, d;
} logistic;

static inline logistic logistic_of(double v, double low)
{
    const dt_pair one = {1, 0}, e = dt_pair_exp(-__builtin_fabs(v), dt_wide_by_sign(v, -low, low));
    return (logistic){e, dt_pair_by_sign(v, one, e), dt_pair_by_sign(v, e, one), dt_pair_plus(1, e)};
}

static inline double sigmoid(double z, double none)
{
    (void)none;
    const dt_pair e = dt_pair_exp(dt_wide_at_most(-z, 709), 0); /* 1 / (1 + e) never falls, as e / (1 + e) would */
    return dt_pair_value(dt_pair_quotient((dt_pair){1, 0}, dt_pair_plus(1, e)));
}

/* e / (1 + e)^2, e = e^-|z|: from z, as where a is nearly 1, a (1 - a) has few digits or none */
static inline double sigmoid_slope(double z, double none)
{
    (void)none;
    const dt_pair e = dt_pair_exp(-__builtin_fabs(z), 0), d = dt_pair_plus(1, e);
    return dt_pair_value(dt_pair_quotient(e, dt_pair_product(d, d)));
}
/* (e^2|z| - 1) / (e^2|z| + 1), with z's sign */
static inline double hyperbolic(double z, double none)
{
    (void)none;
    const dt_pair e = dt_pair_expm1(2 * __builtin_fabs(z));
    const double a = dt_pair_value(dt_pair_quotient(e, dt_pair_plus(2, e)));
    return dt_wide_by_sign(z, a, -a);
}

/* tanh(z) = 2 sigmoid(2z) - 1 */
static inline double hyperbolic_slope(double z, double none)
{
    return 4 * sigmoid_slope(2 * z, none);
}
static inline double elu(double z, double alpha)
{
    const double below = dt_pair_value(dt_pair_times(alpha, dt_pair_expm1(z)));
    return dt_wide_by_sign(0 - z, below, z);
}

static inline double elu_slope(double z, double alpha)
{
    const double below = dt_pair_value(dt_pair_times(alpha, dt_pair_exp(z, 0)));
    return dt_wide_by_sign(0 - z, below, 1); /* of either zero below */
}
#define SELU_SCALE     0x1.0cfabd6a91132p+0 /* 1.0507009873554804934193349852946, and what a double leaves of it */
#define SELU_SCALE_LOW 0x1.6fc7d272f2695p-55
#define SELU_BELOW     0x1.c212cc640f031p+0 /* that times alpha, 1.6732632423543772848170429916717 */
#define SELU_BELOW_LOW 0x1.05161b045a1fep-56

static inline double selu(double z, double none)
{
    (void)none;
    const dt_pair below = dt_pair_product((dt_pair){SELU_BELOW, SELU_BELOW_LOW}, dt_pair_expm1(z));
    const double above = DT_PAIRS ? __builtin_fma(SELU_SCALE, z, SELU_SCALE_LOW * z) : SELU_SCALE * z;
    return dt_wide_by_sign(0 - z, dt_pair_value(below), above);
}

static inline double selu_slope(double z, double none)
{
    (void)none;
    const dt_pair e = dt_pair_exp(z, 0);
    const dt_pair below = dt_pair_product((dt_pair){SELU_BELOW, SELU_BELOW_LOW}, e);
    return dt_wide_by_sign(0 - z, dt_pair_value(below), SELU_SCALE);
}
/* z Phi(z) */
static inline double gelu(double z, double none)
{
    (void)none;
    dt_pair e;
    const dt_pair phi = dt_pair_normal(z, &e);
    return scaled(dt_wide_at_least(z, -40), 40, phi);
}

/* Phi(z) + z phi(z) */
static inline double gelu_slope(double z, double none)
{
    (void)none;
    dt_pair e;
    const dt_pair phi = dt_pair_normal(z, &e);
    const dt_pair density = dt_pair_times(DT_NORMAL_DENSITY * dt_wide_clamp(z, -40, 40), e);
    return dt_pair_value(dt_pair_add(phi, density));
}
#define GELU_2K     0x1.9884533d43651p+0 /* 2 sqrt(2 / pi), and what a double leaves of it */
#define GELU_2K_LOW (-0x1.cbc0d30ebfd15p-54)
#define GELU_C      0x1.6e4e26d4801f7p-5 /* 0.044715 */
#define GELU_C_LOW  0x1.441355475a31ap-59

/* Beyond 40, where sigmoid(2 u) is 0 or 1, z is held there, by its bits alone: of comparisons gcc would make branches
 * here. */
static inline double gelu_held(double z)
{
    return dt_wide_by_sign(40 - __builtin_fabs(z), z, dt_wide_by_sign(z, 40, -40));
}

/* sigmoid(2 u), u = sqrt(2/pi) (z + c z^3): 2 u in two parts in either precision, each product and sum with its
 * rounding error, as what 2 u is off by becomes a relative error of e^-|2 u|. */
static inline logistic gelu_logistic(double z)
{
    const double square = z * z, square_low = __builtin_fma(z, z, -square);
    const double c = GELU_C * square, sum = 1 + c, had = sum - 1;
    const double c_low = __builtin_fma(GELU_C, square, -c) + (GELU_C_LOW * square + GELU_C * square_low);
    const double sum_low = (1 - (sum - had)) + (c - had) + c_low;
    const double u = z * sum, u_low = __builtin_fma(z, sum, -u) + z * sum_low;
    const double v = GELU_2K * u, v_low = __builtin_fma(GELU_2K, u, -v) + (GELU_2K * u_low + GELU_2K_LOW * u);
    return logistic_of(v, v_low);
}

/* z (1 + tanh u) / 2 = z sigmoid(2 u) */
static inline double gelu_tanh(double z, double none)
{
    (void)none;
    const logistic s = gelu_logistic(gelu_held(z));
    return scaled(dt_wide_at_least(z, -40), 40, dt_pair_quotient(s.p, s.d));
}

/* s + s (1 - s) 2 z du/dz, s = sigmoid(2 u): p (d + 2 z du/dz q) / d^2 */
static inline double gelu_tanh_slope(double far, double none)
{
    (void)none;
    const double z = gelu_held(far);
    const logistic s = gelu_logistic(z);
    const double inner = GELU_2K * z * (1 + 3 * GELU_C * z * z);
    const dt_pair sum = dt_pair_add(s.d, dt_pair_times(inner, s.q));
    return dt_pair_value(dt_pair_quotient(dt_pair_product(s.p, sum), dt_pair_product(s.d, s.d)));
}
/* z sigmoid(z) */
static inline double silu(double z, double none)
{
    (void)none;
    const logistic s = logistic_of(z, 0);
    return scaled(dt_wide_at_least(z, -800), 800, dt_pair_quotient(s.p, s.d));
}

/* s + z s (1 - s), s = sigmoid(z): p (d + z q) / d^2 */
static inline double silu_slope(double z, double none)
{
    (void)none;
    const logistic s = logistic_of(z, 0);
    const dt_pair sum = dt_pair_add(s.d, dt_pair_times(dt_wide_clamp(z, -800, 800), s.q));
    return dt_pair_value(dt_pair_quotient(dt_pair_product(s.p, sum), dt_pair_product(s.d, s.d)));
}
/* ln(1 + e^(beta z)) / beta */
static inline double softplus(double z, double beta)
{
    const double v = beta * z, low = DT_PAIRS ? __builtin_fma(beta, z, -v) : 0;
    const dt_pair sum = dt_pair_plus(v > 0 ? v : 0, dt_pair_log1p(logistic_of(v, low).e));
    return beyond(v, 800, dt_pair_value(sum)) / beta;
}

static inline double softplus_slope(double z, double beta)
{
    const double v = beta * z, low = DT_PAIRS ? __builtin_fma(beta, z, -v) : 0;
    const logistic s = logistic_of(v, low);
    return dt_pair_value(dt_pair_quotient(s.p, s.d));
}
/* tanh(ln(1 + w)) = above / (above + rest) = (w^2 + 2 w) / (w^2 + 2 w + 2), w = e^z; both over w^2 where z > 0 */
typedef struct ratio {
    dt_pair above, rest, all;
} ratio;

static inline ratio mish_tanh(double z, dt_pair e)
{
    const dt_pair twice = {2 * e.high, 2 * e.low};
    const dt_pair above = dt_pair_by_sign(z, dt_pair_plus(1, twice), dt_pair_product(e, dt_pair_plus(2, e)));
    const dt_pair rest = dt_pair_by_sign(z, dt_pair_product(twice, e), (dt_pair){2, 0});
    return (ratio){above, rest, dt_pair_add(above, rest)};
}

/* z tanh(ln(1 + e^z)) */
static inline double mish(double z, double none)
{
    (void)none;
    const ratio t = mish_tanh(z, dt_pair_exp(-__builtin_fabs(z), 0));
    return scaled(dt_wide_at_least(z, -800), 800, dt_pair_quotient(t.above, t.all));
}

/* t + z (1 - t^2) sigmoid(z), t = tanh(ln(1 + e^z)) */
static inline double mish_slope(double z, double none)
{
    (void)none;
    const logistic s = logistic_of(z, 0);
    const ratio of = mish_tanh(z, s.e);
    const dt_pair t = dt_pair_quotient(of.above, of.all), less = dt_pair_quotient(of.rest, of.all); /* 1 - t */
    const double more = less.high * (1 + t.high) * (s.p.high / s.d.high);
    return dt_pair_value(dt_pair_plus(dt_wide_clamp(z, -800, 800) * more, t));
}
static inline double power(double z, double none)
{
    (void)none;
    return dt_pair_value(dt_pair_exp(z, 0));
}

#endif
