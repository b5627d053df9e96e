/* The engine's tables hold functions on arrays without a context. So each place of the registry has functions of its
 * own, which call what is registered there. */
#include "nn/own.h"

#include <string.h>

static void value_at(size_t i, int64_t n, const dt_real *z, dt_real *a)
{
    const dt_own_activation *own = dt_own_activation_at(i);
    for (int64_t j = 0; j < n; j++)
        a[j] = (dt_real)own->value((double)z[j]);
}

static void derivative_at(size_t i, int64_t n, const dt_real *z, dt_real *delta)
{
    const dt_own_activation *own = dt_own_activation_at(i);
    for (int64_t j = 0; j < n; j++)
        delta[j] = (dt_real)((double)delta[j] * own->derivative((double)z[j]));
}

/* The cost takes doubles. A float32 sample's z is widened a row at a time, on this worker's stack: create refuses wider
 * last layers. */
static double cost_at(size_t i, int64_t units, const dt_real *z, dt_target target, dt_real *delta)
{
    const dt_own_loss *own = dt_own_loss_at(i);
    double wide_z[DT_OWN_LOSS_UNITS], wide_delta[DT_OWN_LOSS_UNITS];
    for (int64_t j = 0; j < units; j++)
        wide_z[j] = (double)z[j];
    const double cost = target.t ? own->cost_of_targets(units, wide_z, target.t, wide_delta)
                                 : own->cost(units, wide_z, target.y, wide_delta);
    for (int64_t j = 0; j < units; j++)
        delta[j] = (dt_real)wide_delta[j];
    return cost;
}

#define PLACES(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

#define PLACE(i)                                                                                                       \
    static void value_##i(int64_t n, double none, const dt_real *z, dt_real *a)                                        \
    {                                                                                                                  \
        (void)none;                                                                                                    \
        value_at(i, n, z, a);                                                                                          \
    }                                                                                                                  \
    static void derivative_##i(int64_t n, double none, const dt_real *z, const dt_real *a, dt_real *delta)             \
    {                                                                                                                  \
        (void)none, (void)a;                                                                                           \
        derivative_at(i, n, z, delta);                                                                                 \
    }                                                                                                                  \
    static double cost_##i(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target,          \
                           dt_real *delta)                                                                             \
    {                                                                                                                  \
        (void)options;                                                                                                 \
        return cost_at(i, units, z, target, delta);                                                                    \
    }
PLACES(PLACE)

#define ACTIVATION(i) {{"", "", ""}, value_##i, derivative_##i, true},
static const dt_activation activations[DT_OWN_MAX] = {PLACES(ACTIVATION)};

#define LOSS(i) {{"", "", ""}, {0, 0, 0, 0}, cost_##i},
static const dt_loss losses[DT_OWN_MAX] = {PLACES(LOSS)};

const dt_activation *dt_own_activation_named(const char *name)
{
    const dt_own_activation *own;
    for (size_t i = 0; (own = dt_own_activation_at(i)); i++)
        if (strcmp(own->entry.name, name) == 0)
            return &activations[i];
    return NULL;
}

const dt_loss *dt_own_loss_named(const char *name)
{
    const dt_own_loss *own;
    for (size_t i = 0; (own = dt_own_loss_at(i)); i++)
        if (strcmp(own->entry.name, name) == 0)
            return &losses[i];
    return NULL;
}
