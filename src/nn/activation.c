/* To add an activation: two functions on n units, here, and one line in the table. Loops must be branch-free to
 * vectorise, and use only what kernels/elementary.h, wide.h and pair.h offer beyond + - * / and sqrt, so that every
 * instruction set gives the same bits.
 *
 * What a z far out would turn into 0 times infinity is held at a place where the result has long been reached. */
#include "nn/activation.h"

#include "kernels/elementary.h"
#include "kernels/pair.h"

static void linear_value(int64_t n, double none, const dt_real *z, dt_real *a)
{
    (void)none;
    if (z != a)
        memcpy(a, z, (size_t)n * sizeof *a);
}

static void linear_derivative(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)none;
    (void)n, (void)z, (void)a, (void)delta; /* sigma' = 1 */
}

static void relu_value(int64_t n, double none, const dt_real *z, dt_real *a)
{
    (void)none;
    for (int64_t j = 0; j < n; j++)
        a[j] = z[j] <= 0 ? 0 : z[j]; /* NaN stays NaN */
}

static void relu_derivative(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)none;
    (void)z;
    for (int64_t j = 0; j < n; j++)
        delta[j] = a[j] > 0 ? delta[j] : 0;
}

static void leaky_relu_value(int64_t n, double slope, const dt_real *z, dt_real *a)
{
    const dt_real s = (dt_real)slope;
    for (int64_t j = 0; j < n; j++)
        a[j] = z[j] <= 0 ? s * z[j] : z[j];
}

static void leaky_relu_derivative(int64_t n, double slope, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)a;
    const dt_real s = (dt_real)slope;
    for (int64_t j = 0; j < n; j++)
        delta[j] = z[j] > 0 ? delta[j] : s * delta[j];
}

static void softsign_value(int64_t n, double none, const dt_real *z, dt_real *a)
{
    (void)none;
    for (int64_t j = 0; j < n; j++)
        a[j] = z[j] / (1 + DT_FABS(z[j]));
}

static void softsign_derivative(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)none;
    (void)a;
    for (int64_t j = 0; j < n; j++) {
        const dt_real d = 1 + DT_FABS(z[j]);
        delta[j] /= d * d;
    }
}

/* --- piecewise linear --- */

/* z between low and high; its derivative is 1 inside alone, as PyTorch's hardtanh */
static void clamp_value(int64_t n, dt_real low, dt_real high, const dt_real *z, dt_real *a)
{
    for (int64_t j = 0; j < n; j++)
        a[j] = dt_clamp(z[j], low, high);
}

static void clamp_derivative(int64_t n, dt_real low, dt_real high, const dt_real *a, dt_real *delta)
{
    for (int64_t j = 0; j < n; j++)
        delta[j] = ((a[j] > low) & (a[j] < high)) ? delta[j] : 0;
}

static void hard_tanh_value(int64_t n, double none, const dt_real *z, dt_real *a)
{
    (void)none;
    clamp_value(n, -1, 1, z, a);
}

static void hard_tanh_derivative(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)none, (void)z;
    clamp_derivative(n, -1, 1, a, delta);
}

static void relu6_value(int64_t n, double none, const dt_real *z, dt_real *a)
{
    (void)none;
    clamp_value(n, 0, 6, z, a);
}

static void relu6_derivative(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)none, (void)z;
    clamp_derivative(n, 0, 6, a, delta);
}

static void hard_sigmoid_value(int64_t n, double none, const dt_real *z, dt_real *a)
{
    (void)none;
    for (int64_t j = 0; j < n; j++)
        a[j] = dt_clamp(z[j] + 3, 0, 6) / 6;
}

static void hard_sigmoid_derivative(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)none, (void)a;
    for (int64_t j = 0; j < n; j++)
        delta[j] = ((z[j] > -3) & (z[j] < 3)) ? delta[j] / 6 : 0;
}

/* --- smooth: sigma and sigma' of one z in double, and the loops over them --- */

#define SMOOTH(sigma)                                                                                                  \
    static void sigma##_value(int64_t n, double parameter, const dt_real *z, dt_real *a)                               \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++)                                                                                \
            a[j] = (dt_real)sigma((double)z[j], parameter);                                                            \
    }                                                                                                                  \
                                                                                                                       \
    static void sigma##_derivative(int64_t n, double parameter, const dt_real *z, const dt_real *a, dt_real *delta)    \
    {                                                                                                                  \
        (void)a;                                                                                                       \
        for (int64_t j = 0; j < n; j++)                                                                                \
            delta[j] = (dt_real)((double)delta[j] * sigma##_slope((double)z[j], parameter));                           \
    }

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
SMOOTH(sigmoid)

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
SMOOTH(hyperbolic)

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
SMOOTH(elu)

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
SMOOTH(selu)

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
SMOOTH(gelu)

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
SMOOTH(gelu_tanh)

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
SMOOTH(silu)

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
SMOOTH(softplus)

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
SMOOTH(mish)

static void exp_value(int64_t n, double none, const dt_real *z, dt_real *a)
{
    (void)none;
    for (int64_t j = 0; j < n; j++)
        a[j] = (dt_real)dt_pair_value(dt_pair_exp((double)z[j], 0));
}

static void exp_derivative(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)none, (void)z;
    for (int64_t j = 0; j < n; j++)
        delta[j] *= a[j];
}

/* --- sine: near arguments in a loop that vectorises; those far out, which are few, after it --- */

enum { BLOCK = 64 };

/* Apart, as gcc doesn't vectorise it where it is inlined. */
__attribute__((noinline)) static void sine_near(int64_t n, double omega, uint64_t quarter, const dt_real *restrict z,
                                                double *restrict y)
{
    for (int64_t j = 0; j < n; j++)
        y[j] = dt_wide_sine_near(omega * (double)z[j], quarter);
}

/* y[j] = sin(omega z[j] + quarter pi/2), n <= BLOCK */
static void sine_block(int64_t n, double omega, uint64_t quarter, const dt_real *z, double *y)
{
    bool far = false;
    sine_near(n, omega, quarter, z, y);
    for (int64_t j = 0; j < n; j++)
        far |= !(__builtin_fabs(omega * (double)z[j]) <= DT_SINE_NEAR);
    for (int64_t j = 0; far && j < n; j++)
        if (!(__builtin_fabs(omega * (double)z[j]) <= DT_SINE_NEAR))
            y[j] = dt_wide_sine_far(omega * (double)z[j], quarter);
}

static void sine_value(int64_t n, double omega, const dt_real *z, dt_real *a)
{
    double y[BLOCK];
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t count = n - first < BLOCK ? n - first : BLOCK;
        sine_block(count, omega, 0, z + first, y);
        for (int64_t j = 0; j < count; j++)
            a[first + j] = (dt_real)y[j];
    }
}

static void sine_derivative(int64_t n, double omega, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)a;
    double y[BLOCK];
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t count = n - first < BLOCK ? n - first : BLOCK;
        sine_block(count, omega, 1, z + first, y);
        for (int64_t j = 0; j < count; j++)
            delta[first + j] = (dt_real)((double)delta[first + j] * (omega * y[j]));
    }
}

const dt_activation DT_VARIANT(dt_activations)[DT_ACTIVATION_COUNT] = {
    {{"linear", "z", "no activation, as on the last layer"}, linear_value, linear_derivative, false},
    {{"sigmoid", "1 / (1 + exp(-z))", ""}, sigmoid_value, sigmoid_derivative, true},
    {{"tanh", "tanh(z)", ""}, hyperbolic_value, hyperbolic_derivative, true},
    {{"relu", "max(0, z)", "derivative 0 at z = 0"}, relu_value, relu_derivative, false},
    {{"leaky_relu", "z > 0 ? z : negative_slope z", "derivative negative_slope at z = 0"},
     leaky_relu_value,
     leaky_relu_derivative,
     true},
    {{"softsign", "z / (1 + |z|)", ""}, softsign_value, softsign_derivative, true},
    {{"elu", "z > 0 ? z : alpha (exp(z) - 1)", "derivative alpha at z = 0"}, elu_value, elu_derivative, true},
    {{"selu", "1.0507 elu(z), alpha 1.67326", "Klambauer et al. 2017; derivative 1.7581 at z = 0"},
     selu_value,
     selu_derivative,
     true},
    {{"gelu", "z Phi(z)", "Phi: the normal distribution"}, gelu_value, gelu_derivative, true},
    {{"gelu_tanh", "z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3)))", "PyTorch's gelu with approximate='tanh'"},
     gelu_tanh_value,
     gelu_tanh_derivative,
     true},
    {{"silu", "z sigmoid(z)", "swish"}, silu_value, silu_derivative, true},
    {{"softplus", "ln(1 + exp(beta z)) / beta", "PyTorch's goes over into z at beta z > 20, this one nowhere"},
     softplus_value,
     softplus_derivative,
     true},
    {{"mish", "z tanh(ln(1 + exp(z)))", ""}, mish_value, mish_derivative, true},
    {{"hard_tanh", "max(-1, min(1, z))", "derivative 0 at -1 and 1"}, hard_tanh_value, hard_tanh_derivative, false},
    {{"hard_sigmoid", "max(0, min(6, z + 3)) / 6", "PyTorch's; derivative 0 at -3 and 3"},
     hard_sigmoid_value,
     hard_sigmoid_derivative,
     true},
    {{"relu6", "max(0, min(6, z))", "derivative 0 at 0 and 6"}, relu6_value, relu6_derivative, false},
    {{"exp", "exp(z)", "infinite where it overflows"}, exp_value, exp_derivative, false},
    {{"sine", "sin(omega z)", "Sitzmann et al. 2020; right for every finite omega z"},
     sine_value,
     sine_derivative,
     true},
};
