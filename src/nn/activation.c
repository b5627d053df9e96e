/* To add an activation: two functions on n units, here, and one line in the table. Loops must be branch-free to
 * vectorise, and use only what kernels/elementary.h, wide.h and pair.h offer beyond + - * / and sqrt, so that every
 * instruction set gives the same bits.
 */
#include "nn/activation.h"

#include "kernels/elementary.h"
#include "nn/smooth.h"

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

/* --- smooth: loops over sigma and sigma' of one z in double (nn/smooth.h) --- */

/* Units go through in spans of a known length, and what is left over through a copy as long: a loop of unknown length
 * does its last units one by one, and those take as long as all others together. */
enum { SPAN = DT_LANES };

static void value_spans(void (*span)(double parameter, const dt_real *z, dt_real *a), int64_t n, double parameter,
                        const dt_real *z, dt_real *a)
{
    const int64_t left = n % SPAN, whole = n - left;
    for (int64_t j = 0; j < whole; j += SPAN)
        span(parameter, z + j, a + j);
    if (left == 0)
        return;
    dt_real last[SPAN] = {0};
    memcpy(last, z + whole, (size_t)left * sizeof *z);
    span(parameter, last, last);
    memcpy(a + whole, last, (size_t)left * sizeof *a);
}

static void derivative_spans(void (*span)(double parameter, const dt_real *z, dt_real *delta), int64_t n,
                             double parameter, const dt_real *z, dt_real *delta)
{
    const int64_t left = n % SPAN, whole = n - left;
    for (int64_t j = 0; j < whole; j += SPAN)
        span(parameter, z + j, delta + j);
    if (left == 0)
        return;
    dt_real last[SPAN] = {0}, last_delta[SPAN] = {0};
    memcpy(last, z + whole, (size_t)left * sizeof *z);
    memcpy(last_delta, delta + whole, (size_t)left * sizeof *delta);
    span(parameter, last, last_delta);
    memcpy(delta + whole, last_delta, (size_t)left * sizeof *delta);
}

#define SMOOTH_VALUE(sigma)                                                                                            \
    static void sigma##_span(double parameter, const dt_real *z, dt_real *a)                                           \
    {                                                                                                                  \
        dt_real y[SPAN]; /* as z may be a */                                                                           \
        for (int j = 0; j < SPAN; j++)                                                                                 \
            y[j] = (dt_real)sigma((double)z[j], parameter);                                                            \
        memcpy(a, y, sizeof y);                                                                                        \
    }                                                                                                                  \
                                                                                                                       \
    static void sigma##_value(int64_t n, double parameter, const dt_real *z, dt_real *a)                               \
    {                                                                                                                  \
        value_spans(sigma##_span, n, parameter, z, a);                                                                 \
    }

#define SMOOTH(sigma)                                                                                                  \
    SMOOTH_VALUE(sigma)                                                                                                \
    static void sigma##_slope_span(double parameter, const dt_real *restrict z, dt_real *restrict delta)               \
    {                                                                                                                  \
        for (int j = 0; j < SPAN; j++)                                                                                 \
            delta[j] = (dt_real)((double)delta[j] * sigma##_slope((double)z[j], parameter));                           \
    }                                                                                                                  \
                                                                                                                       \
    static void sigma##_derivative(int64_t n, double parameter, const dt_real *z, const dt_real *a, dt_real *delta)    \
    {                                                                                                                  \
        (void)a;                                                                                                       \
        derivative_spans(sigma##_slope_span, n, parameter, z, delta);                                                  \
    }

SMOOTH(sigmoid)
SMOOTH(hyperbolic)
SMOOTH(elu)
SMOOTH(selu)
SMOOTH(gelu)
SMOOTH(gelu_tanh)
SMOOTH(silu)
SMOOTH(softplus)
SMOOTH(mish)
SMOOTH_VALUE(power)

static void power_derivative(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)
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
    {{"exp", "exp(z)", "infinite where it overflows"}, power_value, power_derivative, false},
    {{"sine", "sin(omega z)", "Sitzmann et al. 2020; right for every finite omega z"},
     sine_value,
     sine_derivative,
     true},
};
