/* To add an activation: two functions on n units, here, and one line in the table. Loops must be branch-free to
 * vectorise, and use only what kernels/elementary.h offers beyond + - * / and sqrt, so that every instruction set gives
 * the same bits. */
#include "nn/activation.h"

#include "kernels/elementary.h"

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

static void sigmoid_value(int64_t n, double none, const dt_real *z, dt_real *a)
{
    (void)none;
    for (int64_t j = 0; j < n; j++)
        a[j] = dt_sigmoid(z[j]);
}

static void sigmoid_derivative(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)none;
    (void)z;
    for (int64_t j = 0; j < n; j++)
        delta[j] *= a[j] * (1 - a[j]);
}

static void tanh_value(int64_t n, double none, const dt_real *z, dt_real *a)
{
    (void)none;
    for (int64_t j = 0; j < n; j++)
        a[j] = dt_tanh(z[j]);
}

static void tanh_derivative(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)
{
    (void)none;
    (void)z;
    for (int64_t j = 0; j < n; j++)
        delta[j] *= (1 - a[j]) * (1 + a[j]);
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

const dt_activation DT_VARIANT(dt_activations)[DT_ACTIVATION_COUNT] = {
    {{"linear", "z", "no activation, as on the last layer"}, linear_value, linear_derivative, false},
    {{"sigmoid", "1 / (1 + exp(-z))", ""}, sigmoid_value, sigmoid_derivative, false},
    {{"tanh", "tanh(z)", ""}, tanh_value, tanh_derivative, false},
    {{"relu", "max(0, z)", "derivative 0 at z = 0"}, relu_value, relu_derivative, false},
    {{"leaky_relu", "z > 0 ? z : 0.01 z", "derivative 0.01 at z = 0"}, leaky_relu_value, leaky_relu_derivative, true},
    {{"softsign", "z / (1 + |z|)", ""}, softsign_value, softsign_derivative, true},
};
