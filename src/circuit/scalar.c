/* sigma, sigma' and the costs from their definitions, with libm. An activation or cost of the training engine needs its
 * line here too: the two are written apart on purpose, and held against each other by the tests. */
#include <math.h>
#include <string.h>

#include "base/names.h"
#include "circuit/circuit.h"

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

static double leaky_relu(const void *none, double z)
{
    (void)none;
    return z <= 0 ? 0.01 * z : z;
}

static double leaky_relu_slope(const void *none, double z)
{
    (void)none;
    return z > 0 ? 1 : 0.01;
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

static size_t largest_of(size_t count, const double *z)
{
    size_t largest = 0;
    for (size_t i = 1; i < count; i++)
        if (z[i] > z[largest])
            largest = i;
    return largest;
}

/* C = -ln softmax_y. From the largest z on, whose exponential is 1, so that nothing overflows; `others` and `wrong`
 * leave out the term that a sum and a difference would cancel again. */
static double cross_entropy(const void *none, size_t count, const double *z, size_t y, double *delta)
{
    (void)none;
    const size_t largest = largest_of(count, z);
    double others = 0, wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const double e = exp(z[i] - z[largest]);
        others += i == largest ? 0 : e;
        wrong += i == y ? 0 : e;
        delta[i] = e;
    }
    for (size_t i = 0; i < count; i++)
        delta[i] = (i == y ? -wrong : delta[i]) / (1 + others);
    return z[largest] - z[y] + log1p(others);
}

static double multiclass_svm(const void *none, size_t count, const double *z, size_t y, double *delta)
{
    (void)none;
    double cost = 0;
    for (size_t i = 0; i < count; i++)
        delta[i] = 0;
    for (size_t i = 0; i < count; i++) {
        const double margin = z[i] - z[y] + 1;
        if (i == y || margin <= 0)
            continue;
        cost += margin;
        delta[i] += 1;
        delta[y] -= 1;
    }
    return cost;
}

static double squared_error(const void *none, size_t count, const double *z, size_t y, double *delta)
{
    (void)none;
    double cost = 0;
    for (size_t i = 0; i < count; i++) {
        delta[i] = z[i] - (i == y ? 1 : 0);
        cost += delta[i] * delta[i] / 2;
    }
    return cost;
}

static const dt_scalar_activation activations[] = {
    {"linear", linear, linear_slope, NULL},
    {"sigmoid", sigmoid, sigmoid_slope, NULL},
    {"tanh", hyperbolic_tangent, hyperbolic_tangent_slope, NULL},
    {"relu", relu, relu_slope, NULL},
    {"leaky_relu", leaky_relu, leaky_relu_slope, NULL},
    {"softsign", softsign, softsign_slope, NULL},
};

static const dt_scalar_cost costs[] = {
    {"cross_entropy", cross_entropy, NULL},
    {"multiclass_svm", multiclass_svm, NULL},
    {"squared_error", squared_error, NULL},
};

enum { ACTIVATIONS = sizeof activations / sizeof *activations, COSTS = sizeof costs / sizeof *costs };

const char *dt_circuit_activation_at(size_t i)
{
    return i < ACTIVATIONS ? activations[i].name : NULL;
}

const char *dt_circuit_cost_at(size_t i)
{
    return i < COSTS ? costs[i].name : NULL;
}

static const char *activation_name(const void *none, size_t i)
{
    (void)none;
    return dt_circuit_activation_at(i);
}

static const char *cost_name(const void *none, size_t i)
{
    (void)none;
    return dt_circuit_cost_at(i);
}

const dt_scalar_activation *dt_scalar_activation_find(const char *name, dt_error *error)
{
    for (size_t i = 0; i < ACTIVATIONS; i++)
        if (strcmp(activations[i].name, name) == 0)
            return &activations[i];
    dt_fail_unknown(error, "activation", name, activation_name, NULL);
    return NULL;
}

const dt_scalar_cost *dt_scalar_cost_find(const char *name, dt_error *error)
{
    for (size_t i = 0; i < COSTS; i++)
        if (strcmp(costs[i].name, name) == 0)
            return &costs[i];
    dt_fail_unknown(error, "cost", name, cost_name, NULL);
    return NULL;
}
