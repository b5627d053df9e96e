/* To add an optimizer: its update and how much state it keeps, here, and one line in the table. */
#include "train/optimizer.h"

static void scale(int64_t n, dt_real factor, const dt_real *sum, dt_real *g)
{
    for (int64_t i = 0; i < n; i++)
        g[i] = sum[i] * factor;
}

static int sgd_states(const dt_optimizer_spec *spec)
{
    return spec->momentum > 0;
}

static bool sgd_plain(const dt_optimizer_spec *spec)
{
    return spec->momentum == 0 && spec->weight_decay == 0;
}

/* g = sum factor + weight_decay W; v = momentum v + g; W -= learning_rate v, or with Nesterov's look-ahead
 * W -= learning_rate (g + momentum v). Without momentum v = g. */
static void sgd_update(int64_t n, const dt_hyper *hyper, dt_real factor, dt_real *restrict W, dt_real *restrict sum,
                       dt_real *const *state)
{
    const dt_real rate = -hyper->learning_rate, momentum = hyper->momentum, decay = hyper->weight_decay;
    if (decay != 0) {
        for (int64_t i = 0; i < n; i++)
            sum[i] = DT_FMA(decay, W[i], sum[i] * factor);
        factor = 1;
    }
    dt_real *restrict v = momentum > 0 ? state[0] : NULL;
    if (!v)
        for (int64_t i = 0; i < n; i++)
            W[i] = DT_FMA(rate, sum[i] * factor, W[i]);
    else if (!hyper->nesterov)
        for (int64_t i = 0; i < n; i++) {
            v[i] = DT_FMA(momentum, v[i], sum[i] * factor);
            W[i] = DT_FMA(rate, v[i], W[i]);
        }
    else
        for (int64_t i = 0; i < n; i++) {
            const dt_real g = sum[i] * factor;
            v[i] = DT_FMA(momentum, v[i], g);
            W[i] = DT_FMA(rate, DT_FMA(momentum, v[i], g), W[i]);
        }
}

const dt_optimizer DT_VARIANT(dt_optimizers)[DT_OPTIMIZER_COUNT] = {
    {{"sgd", "W <- W - learning_rate (dW + weight_decay W)", "with momentum and Nesterov's look-ahead"},
     sgd_states,
     {"momentum_buffer"},
     sgd_plain,
     sgd_update,
     scale},
};
