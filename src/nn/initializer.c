/* To add an initializer: a function from a uniform number to a weight, here, and one line in the table. */
#include "nn/initializer.h"

#include "base/philox.h"
#include "kernels/elementary.h"

static double normal(double u, double variance)
{
    return dt_normal_quantile(u) * __builtin_sqrt(variance);
}

static double uniform(double u, double limit)
{
    return (2 * u - 1) * limit;
}

static double he_normal(double u, double in, double out)
{
    (void)out;
    return normal(u, 2 / in);
}

static double he_uniform(double u, double in, double out)
{
    (void)out;
    return uniform(u, __builtin_sqrt(6 / in));
}

static double glorot_normal(double u, double in, double out)
{
    return normal(u, 2 / (in + out));
}

static double glorot_uniform(double u, double in, double out)
{
    return uniform(u, __builtin_sqrt(6 / (in + out)));
}

static double lecun_normal(double u, double in, double out)
{
    (void)out;
    return normal(u, 1 / in);
}

static double plain_normal(double u, double in, double out)
{
    (void)in, (void)out;
    return normal(u, 0.05 * 0.05);
}

static double plain_uniform(double u, double in, double out)
{
    (void)in, (void)out;
    return uniform(u, 0.05);
}

static double zeros(double u, double in, double out)
{
    (void)u, (void)in, (void)out;
    return 0;
}

static const dt_initializer table[] = {
    {{"he_normal", "N(0, 2/in)", "He et al. 2015, for relu"}, he_normal},
    {{"he_uniform", "U(-r, r), r = sqrt(6/in)", "He et al. 2015, for relu"}, he_uniform},
    {{"glorot_normal", "N(0, 2/(in + out))", "Glorot and Bengio 2010"}, glorot_normal},
    {{"glorot_uniform", "U(-r, r), r = sqrt(6/(in + out))", "Glorot and Bengio 2010"}, glorot_uniform},
    {{"lecun_normal", "N(0, 1/in)", "LeCun et al. 1998"}, lecun_normal},
    {{"normal", "N(0, 0.05^2)", ""}, plain_normal},
    {{"uniform", "U(-0.05, 0.05)", ""}, plain_uniform},
    {{"zeros", "0", "no symmetry is broken: for last layers and tests"}, zeros},
};

const dt_initializer *dt_initializer_at(size_t i)
{
    return i < sizeof table / sizeof *table ? &table[i] : NULL;
}

double dt_initial_weight(const dt_initializer *initializer, uint64_t seed, int64_t l, int64_t inputs, int64_t units,
                         int64_t index)
{
    const dt_random128 r = dt_philox(seed, DT_FOR_INIT, (uint64_t)l, (uint64_t)index / 2);
    return initializer->weight(dt_uniform01(r.u[index % 2]), (double)inputs, (double)units);
}
