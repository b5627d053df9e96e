/* sigma and sigma' from their definitions, with libm. An activation of the training engine needs its line here too: the
 * two are written apart on purpose, and held against each other by the tests. `parameter` points to the one that an
 * activation has. */
#include <math.h>
#include <string.h>

#include "base/names.h"
#include "circuit/circuit.h"

static const double one = 1, hundredth = 0.01; /* parameters' defaults */

static double linear(const void *none, double z)
{
    (void)none;
    return z;
}

static double linear_slope(const void *none, double z)
{
    (void)none, (void)z;
    return 1;
}

static double sigmoid(const void *none, double z)
{
    (void)none;
    return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

/* e^-z / (1 + e^-z)^2, an even function */
static double sigmoid_slope(const void *none, double z)
{
    (void)none;
    const double e = exp(-fabs(z));
    return e / ((1 + e) * (1 + e));
}

static double hyperbolic_tangent(const void *none, double z)
{
    (void)none;
    return tanh(z);
}

/* 1 / cosh^2 z */
static double hyperbolic_tangent_slope(const void *none, double z)
{
    (void)none;
    const double secant = 1 / cosh(z);
    return secant * secant;
}

static double relu(const void *none, double z)
{
    (void)none;
    return z <= 0 ? 0 : z;
}

static double relu_slope(const void *none, double z)
{
    (void)none;
    return z > 0 ? 1 : 0;
}

static double of(const void *parameter)
{
    return *(const double *)parameter;
}

static double leaky_relu(const void *slope, double z)
{
    return z <= 0 ? of(slope) * z : z;
}

static double leaky_relu_slope(const void *slope, double z)
{
    return z > 0 ? 1 : of(slope);
}

static double softsign(const void *none, double z)
{
    (void)none;
    return z / (1 + fabs(z));
}

static double softsign_slope(const void *none, double z)
{
    (void)none;
    return 1 / ((1 + fabs(z)) * (1 + fabs(z)));
}

static double elu(const void *alpha, double z)
{
    return z > 0 ? z : of(alpha) * expm1(z);
}

static double elu_slope(const void *alpha, double z)
{
    return z > 0 ? 1 : of(alpha) * exp(z);
}

/* Klambauer et al. 2017, equation (14) */
static const double SELU_ALPHA = 1.6732632423543772848170429916717, SELU_SCALE = 1.0507009873554804934193349852946;

static double selu(const void *none, double z)
{
    (void)none;
    return SELU_SCALE * elu(&SELU_ALPHA, z);
}

static double selu_slope(const void *none, double z)
{
    (void)none;
    return SELU_SCALE * elu_slope(&SELU_ALPHA, z);
}

/* Phi(z), the normal distribution */
static double normal_below(double z)
{
    return erfc(-z * sqrt(0.5)) / 2;
}

static double gelu(const void *none, double z)
{
    (void)none;
    return z * normal_below(z);
}

static double gelu_slope(const void *none, double z)
{
    (void)none;
    return normal_below(z) + z * exp(-z * z / 2) / sqrt(2 * acos(-1));
}

static double gelu_tanh_inner(double z)
{
    return sqrt(2 / acos(-1)) * (z + 0.044715 * z * z * z);
}

static double gelu_tanh(const void *none, double z)
{
    (void)none;
    return z / 2 * (1 + tanh(gelu_tanh_inner(z)));
}

static double gelu_tanh_slope(const void *none, double z)
{
    (void)none;
    const double u = gelu_tanh_inner(z), slope = sqrt(2 / acos(-1)) * (1 + 3 * 0.044715 * z * z);
    return (1 + tanh(u)) / 2 + z / 2 * hyperbolic_tangent_slope(NULL, u) * slope;
}

static double silu(const void *none, double z)
{
    return z * sigmoid(none, z);
}

static double silu_slope(const void *none, double z)
{
    return sigmoid(none, z) * (1 + z * sigmoid(none, -z));
}

static double softplus(const void *beta, double z)
{
    const double u = of(beta) * z;
    return (u > 0 ? u + log1p(exp(-u)) : log1p(exp(u))) / of(beta);
}

static double softplus_slope(const void *beta, double z)
{
    return sigmoid(NULL, of(beta) * z);
}

static double mish(const void *none, double z)
{
    (void)none;
    return z * tanh(softplus(&one, z));
}

static double mish_slope(const void *none, double z)
{
    const double u = softplus(&one, z);
    return tanh(u) + z * hyperbolic_tangent_slope(none, u) * sigmoid(none, z);
}

static double within(double z, double low, double high)
{
    return fmin(fmax(z, low), high);
}

static double hard_tanh(const void *none, double z)
{
    (void)none;
    return within(z, -1, 1);
}

static double hard_tanh_slope(const void *none, double z)
{
    (void)none;
    return z > -1 && z < 1 ? 1 : 0;
}

static double hard_sigmoid(const void *none, double z)
{
    (void)none;
    return within(z + 3, 0, 6) / 6;
}

static double hard_sigmoid_slope(const void *none, double z)
{
    (void)none;
    return z > -3 && z < 3 ? 1.0 / 6 : 0;
}

static double relu6(const void *none, double z)
{
    (void)none;
    return within(z, 0, 6);
}

static double relu6_slope(const void *none, double z)
{
    (void)none;
    return z > 0 && z < 6 ? 1 : 0;
}

static double exponential(const void *none, double z)
{
    (void)none;
    return exp(z);
}

static double sine(const void *omega, double z)
{
    return sin(of(omega) * z);
}

static double sine_slope(const void *omega, double z)
{
    return of(omega) * cos(of(omega) * z);
}

static const dt_scalar_activation activations[] = {
    {"linear", linear, linear_slope, NULL},
    {"sigmoid", sigmoid, sigmoid_slope, NULL},
    {"tanh", hyperbolic_tangent, hyperbolic_tangent_slope, NULL},
    {"relu", relu, relu_slope, NULL},
    {"leaky_relu", leaky_relu, leaky_relu_slope, &hundredth},
    {"softsign", softsign, softsign_slope, NULL},
    {"elu", elu, elu_slope, &one},
    {"selu", selu, selu_slope, NULL},
    {"gelu", gelu, gelu_slope, NULL},
    {"gelu_tanh", gelu_tanh, gelu_tanh_slope, NULL},
    {"silu", silu, silu_slope, NULL},
    {"softplus", softplus, softplus_slope, &one},
    {"mish", mish, mish_slope, NULL},
    {"hard_tanh", hard_tanh, hard_tanh_slope, NULL},
    {"hard_sigmoid", hard_sigmoid, hard_sigmoid_slope, NULL},
    {"relu6", relu6, relu6_slope, NULL},
    {"exp", exponential, exponential, NULL},
    {"sine", sine, sine_slope, &one},
};

enum { ACTIVATIONS = sizeof activations / sizeof *activations };

const char *dt_circuit_activation_at(size_t i)
{
    return i < ACTIVATIONS ? activations[i].name : NULL;
}

static const char *activation_name(const void *none, size_t i)
{
    (void)none;
    return dt_circuit_activation_at(i);
}

const dt_scalar_activation *dt_scalar_activation_find(const char *name, dt_error *error)
{
    for (size_t i = 0; i < ACTIVATIONS; i++)
        if (strcmp(activations[i].name, name) == 0)
            return &activations[i];
    dt_fail_unknown(error, "activation", name, activation_name, NULL);
    return NULL;
}
