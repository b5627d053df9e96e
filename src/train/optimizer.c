/* To add an optimizer: its update, which states it keeps and what it computes once a step, here, and one line in the
 * table. Loops must be branch-free to vectorise, with + - * / fma and sqrt alone, so that every instruction set gives
 * the same bits.
 *
 * In comments, g is the gradient with clipping, weight decay and l1 in it; d the learning rate. */
#include "train/optimizer.h"

#include "kernels/elementary.h"

#define SQRT(x) (sizeof(dt_real) == 4 ? (dt_real)__builtin_sqrtf((float)(x)) : (dt_real)__builtin_sqrt((double)(x)))

static dt_real sign(dt_real x)
{
    return (dt_real)((x > 0) - (x < 0));
}

/* g <- clip g, cut off at clip_value, + decay W + l1 sign(W) */
static void regularise(int64_t n, const dt_hyper *h, dt_real decay, const dt_real *restrict W, dt_real *restrict g)
{
    const dt_real clip = h->clip, most = h->clip_value, l1 = h->l1;
    for (int64_t i = 0; i < n; i++)
        g[i] = g[i] * clip;
    if (most > 0)
        for (int64_t i = 0; i < n; i++)
            g[i] = dt_clamp(g[i], -most, most);
    if (decay != 0)
        for (int64_t i = 0; i < n; i++)
            g[i] = DT_FMA(decay, W[i], g[i]);
    if (l1 != 0)
        for (int64_t i = 0; i < n; i++)
            g[i] = DT_FMA(l1, sign(W[i]), g[i]);
}

/* The same parameters, moved along a direction u. */
static void move(int64_t n, dt_real rate, const dt_real *restrict u, dt_real *restrict W)
{
    for (int64_t i = 0; i < n; i++)
        W[i] = DT_FMA(rate, u[i], W[i]);
}

static unsigned none(const dt_optimizer_spec *spec)
{
    (void)spec;
    return 0;
}

static unsigned first(const dt_optimizer_spec *spec)
{
    (void)spec;
    return 1;
}

static unsigned both(const dt_optimizer_spec *spec)
{
    (void)spec;
    return 3;
}

/* --- sgd --- */

static unsigned momentum_alone(const dt_optimizer_spec *spec)
{
    return spec->momentum > 0 ? first(spec) : none(spec);
}

static bool sgd_plain(const dt_optimizer_spec *spec)
{
    return spec->momentum == 0 && spec->weight_decay == 0 && spec->l1 == 0 && spec->clip_norm == 0 &&
           spec->clip_value == 0;
}

/* v = momentum v + (1 - dampening) g, the first time g; W -= d v, or with Nesterov's look-ahead W -= d (g + momentum
 * v). Without momentum v = g. */
static void sgd_update(int64_t n, const dt_hyper *h, dt_real *restrict W, dt_real *restrict g, dt_real *const *state)
{
    const dt_real rate = -h->learning_rate, momentum = h->momentum;
    if (h->weight_decay != 0 || h->l1 != 0 || h->clip != 1 || h->clip_value > 0) {
        regularise(n, h, h->weight_decay, W, g);
    }
    dt_real *restrict v = momentum > 0 ? state[0] : NULL;
    const dt_real taken = h->t > 1 ? (dt_real)(1 - h->spec->dampening) : 1;
    if (!v)
        for (int64_t i = 0; i < n; i++)
            W[i] = DT_FMA(rate, g[i], W[i]);
    else if (!h->nesterov)
        for (int64_t i = 0; i < n; i++) {
            v[i] = DT_FMA(momentum, v[i], g[i] * taken);
            W[i] = DT_FMA(rate, v[i], W[i]);
        }
    else
        for (int64_t i = 0; i < n; i++) {
            v[i] = DT_FMA(momentum, v[i], g[i]);
            W[i] = DT_FMA(rate, DT_FMA(momentum, v[i], g[i]), W[i]);
        }
}

/* --- adagrad, adadelta, rmsprop --- */

static void adagrad_begin(dt_hyper *h)
{
    h->rate = (dt_real)(-(double)h->learning_rate / (1 + (double)(h->t - 1) * h->spec->learning_rate_decay));
}

/* s += g^2; W -= d / (1 + (t - 1) learning_rate_decay) g / (sqrt(s) + epsilon). Duchi, Hazan, Singer 2011. */
static void adagrad_update(int64_t n, const dt_hyper *h, dt_real *restrict W, dt_real *restrict g,
                           dt_real *const *state)
{
    dt_real *restrict s = state[0];
    const dt_real rate = h->rate, epsilon = (dt_real)h->spec->epsilon;
    regularise(n, h, h->weight_decay, W, g);
    for (int64_t i = 0; i < n; i++) {
        s[i] = DT_FMA(g[i], g[i], s[i]);
        W[i] = DT_FMA(rate, g[i] / (SQRT(s[i]) + epsilon), W[i]);
    }
}

/* s = rho s + (1 - rho) g^2; u = sqrt(r + epsilon) / sqrt(s + epsilon) g; r = rho r + (1 - rho) u^2; W -= d u. Zeiler
 * 2012. */
static void adadelta_update(int64_t n, const dt_hyper *h, dt_real *restrict W, dt_real *restrict g,
                            dt_real *const *state)
{
    dt_real *restrict s = state[0], *restrict r = state[1];
    const dt_real rate = -h->learning_rate, epsilon = (dt_real)h->spec->epsilon;
    const dt_real rho = (dt_real)h->spec->rho, rest = (dt_real)(1 - h->spec->rho);
    regularise(n, h, h->weight_decay, W, g);
    for (int64_t i = 0; i < n; i++) {
        s[i] = DT_FMA(rho, s[i], rest * g[i] * g[i]);
        const dt_real u = SQRT(r[i] + epsilon) / SQRT(s[i] + epsilon) * g[i];
        r[i] = DT_FMA(rho, r[i], rest * u * u);
        W[i] = DT_FMA(rate, u, W[i]);
    }
}

static unsigned rmsprop_states(const dt_optimizer_spec *spec)
{
    return 1 | (spec->momentum > 0) << 1 | (unsigned)spec->centered << 2;
}

/* s = rho s + (1 - rho) g^2; u = g / (sqrt(s) + epsilon), centered with s - c^2 for s, where c = rho c + (1 - rho) g;
 * with momentum v = momentum v + u for u; W -= d u. Tieleman, Hinton 2012; Graves 2013. */
static void rmsprop_update(int64_t n, const dt_hyper *h, dt_real *restrict W, dt_real *restrict g,
                           dt_real *const *state)
{
    dt_real *restrict s = state[0], *restrict v = state[1], *restrict c = state[2];
    const dt_real epsilon = (dt_real)h->spec->epsilon, momentum = h->momentum;
    const dt_real rho = (dt_real)h->spec->rho, rest = (dt_real)(1 - h->spec->rho);
    regularise(n, h, h->weight_decay, W, g);
    for (int64_t i = 0; i < n; i++)
        s[i] = DT_FMA(rho, s[i], rest * g[i] * g[i]);
    if (c)
        for (int64_t i = 0; i < n; i++) {
            c[i] = DT_FMA(rest, g[i] - c[i], c[i]);
            const dt_real variance = DT_FMA(-c[i], c[i], s[i]); /* rounding may take it below zero */
            g[i] /= SQRT(variance > 0 ? variance : 0) + epsilon;
        }
    else
        for (int64_t i = 0; i < n; i++)
            g[i] /= SQRT(s[i]) + epsilon;
    if (v)
        for (int64_t i = 0; i < n; i++)
            g[i] = v[i] = DT_FMA(momentum, v[i], g[i]);
    move(n, -h->learning_rate, g, W);
}

/* --- rprop --- */

/* s, at first d, grows by eta_plus where g keeps its sign and shrinks by eta_minus where it doesn't; there g counts as
 * 0. W -= sign(g) s. Riedmiller, Braun 1993; Igel, Hüsken 2000 (iRprop-). */
static void rprop_update(int64_t n, const dt_hyper *h, dt_real *restrict W, dt_real *restrict g, dt_real *const *state)
{
    dt_real *restrict before = state[0], *restrict s = state[1];
    const dt_real up = (dt_real)h->spec->eta_plus, down = (dt_real)h->spec->eta_minus;
    const dt_real least = (dt_real)h->spec->step_min, most = (dt_real)h->spec->step_max;
    regularise(n, h, 0, W, g);
    for (int64_t i = 0; i < n && h->t == 1; i++)
        s[i] = h->learning_rate;
    for (int64_t i = 0; i < n; i++) {
        const dt_real same = sign(g[i]) * sign(before[i]);
        s[i] = dt_clamp(s[i] * (same > 0 ? up : same < 0 ? down : 1), least, most);
        before[i] = same < 0 ? 0 : g[i];
        W[i] = DT_FMA(-sign(before[i]), s[i], W[i]);
    }
}

/* --- adam and its kin --- */

static unsigned adam_states(const dt_optimizer_spec *spec)
{
    return 3 | (unsigned)spec->amsgrad << 2;
}

static void adam_begin(dt_hyper *h)
{
    h->unbias = (dt_real)(1 / (1 - dt_power_f64(h->spec->beta1, h->t)));
    h->root = (dt_real)(1 / __builtin_sqrt(1 - dt_power_f64(h->spec->beta2, h->t)));
    h->rate = (dt_real)(-(double)h->learning_rate / (1 - dt_power_f64(h->spec->beta1, h->t)));
}

/* m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2 */
static void moments(int64_t n, const dt_hyper *h, const dt_real *restrict g, dt_real *restrict m, dt_real *restrict v)
{
    const dt_real fresh = (dt_real)(1 - h->spec->beta1);
    const dt_real beta2 = (dt_real)h->spec->beta2, rest = (dt_real)(1 - h->spec->beta2);
    for (int64_t i = 0; i < n; i++) {
        m[i] = DT_FMA(fresh, g[i] - m[i], m[i]);
        v[i] = DT_FMA(beta2, v[i], rest * g[i] * g[i]);
    }
}

/* W -= d m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon); amsgrad: with the largest v so far. */
static void adam_move(int64_t n, const dt_hyper *h, dt_real *restrict W, dt_real *const *state)
{
    const dt_real *restrict m = state[0], *restrict v = state[1];
    dt_real *restrict most = state[2];
    const dt_real rate = h->rate, root = h->root, epsilon = (dt_real)h->spec->epsilon;
    if (most)
        for (int64_t i = 0; i < n; i++) {
            most[i] = v[i] > most[i] ? v[i] : most[i];
            W[i] = DT_FMA(rate, m[i] / DT_FMA(SQRT(most[i]), root, epsilon), W[i]);
        }
    else
        for (int64_t i = 0; i < n; i++)
            W[i] = DT_FMA(rate, m[i] / DT_FMA(SQRT(v[i]), root, epsilon), W[i]);
}

/* Kingma, Ba 2015; Reddi, Kale, Kumar 2018. */
static void adam_update(int64_t n, const dt_hyper *h, dt_real *restrict W, dt_real *restrict g, dt_real *const *state)
{
    regularise(n, h, h->weight_decay, W, g);
    moments(n, h, g, state[0], state[1]);
    adam_move(n, h, W, state);
}

/* Weight decay apart from g: W -= d weight_decay W first. Loshchilov, Hutter 2019. */
static void adamw_update(int64_t n, const dt_hyper *h, dt_real *restrict W, dt_real *restrict g, dt_real *const *state)
{
    const dt_real kept = (dt_real)(1 - (double)h->learning_rate * h->spec->weight_decay);
    regularise(n, h, 0, W, g);
    moments(n, h, g, state[0], state[1]);
    for (int64_t i = 0; i < n; i++)
        W[i] *= kept;
    adam_move(n, h, W, state);
}

/* mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2) */
static double mu(const dt_optimizer_spec *spec, int64_t t)
{
    const double log_096 = -0x1.4e69ed6d80eb3p-5;
    return spec->beta1 * (1 - 0.5 * dt_exp_f64((double)t * spec->momentum_decay * log_096));
}

static void nadam_begin(dt_hyper *h)
{
    if (h->mu_t == 0 || h->mu_t > h->t) {
        h->mu_product = 1;
        h->mu_t = 0;
    }
    while (h->mu_t < h->t && h->mu_product > 1e-30) /* below, 1 - product is 1 */
        h->mu_product *= mu(h->spec, ++h->mu_t);
    h->mu_t = h->t;
    const double now = mu(h->spec, h->t), next = mu(h->spec, h->t + 1), rate = -(double)h->learning_rate;
    adam_begin(h);
    h->look = (dt_real)(rate * (1 - now) / (1 - h->mu_product));
    h->rate = (dt_real)(rate * next / (1 - h->mu_product * next));
}

/* W -= d ((1 - mu_t) / (1 - mu_1 .. mu_t) g + mu_{t+1} / (1 - mu_1 .. mu_{t+1}) m) / (sqrt(v / (1 - beta2^t)) +
 * epsilon). Dozat 2016. */
static void nadam_update(int64_t n, const dt_hyper *h, dt_real *restrict W, dt_real *restrict g, dt_real *const *state)
{
    const dt_real *restrict m = state[0], *restrict v = state[1];
    const dt_real root = h->root, epsilon = (dt_real)h->spec->epsilon;
    regularise(n, h, h->weight_decay, W, g);
    moments(n, h, g, state[0], state[1]);
    for (int64_t i = 0; i < n; i++) {
        const dt_real direction = DT_FMA(h->rate, m[i], h->look * g[i]);
        W[i] += direction / DT_FMA(SQRT(v[i]), root, epsilon);
    }
}

/* --- large minibatches: a ratio for each tensor --- */

/* u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + weight_decay W. You et al. 2020, algorithm 2. */
static void lamb_direct(int64_t n, const dt_hyper *h, const dt_real *restrict W, dt_real *restrict g,
                        dt_real *const *state)
{
    const dt_real *restrict m = state[0], *restrict v = state[1];
    const dt_real unbias = h->unbias, root = h->root, epsilon = (dt_real)h->spec->epsilon, decay = h->weight_decay;
    regularise(n, h, 0, W, g);
    moments(n, h, g, state[0], state[1]);
    for (int64_t i = 0; i < n; i++)
        g[i] = DT_FMA(decay, W[i], m[i] * unbias / DT_FMA(SQRT(v[i]), root, epsilon));
}

static double lamb_trust(const dt_optimizer_spec *spec, double W_norm, double u_norm)
{
    (void)spec;
    return W_norm > 0 && u_norm > 0 ? W_norm / u_norm : 1;
}

/* W -= d |W| / |u| u */
static void lamb_update(int64_t n, const dt_hyper *h, dt_real *W, dt_real *g, dt_real *const *state)
{
    (void)state; /* u is a direction already */
    move(n, -h->learning_rate * h->trust, g, W);
}

static void lars_direct(int64_t n, const dt_hyper *h, const dt_real *W, dt_real *g, dt_real *const *state)
{
    (void)state;
    regularise(n, h, 0, W, g);
}

static double lars_trust(const dt_optimizer_spec *spec, double W_norm, double u_norm)
{
    const double below = u_norm + spec->weight_decay * W_norm;
    return W_norm > 0 && u_norm > 0 ? spec->trust_coefficient * W_norm / below : 1;
}

/* v = momentum v + d trust (g + weight_decay W); W -= v, where trust = trust_coefficient |W| / (|g| + weight_decay
 * |W|). You, Gitman, Ginsburg 2017, algorithm 1. */
static void lars_update(int64_t n, const dt_hyper *h, dt_real *restrict W, dt_real *restrict g, dt_real *const *state)
{
    dt_real *restrict v = state[0];
    const dt_real rate = h->learning_rate * h->trust, momentum = h->momentum, decay = h->weight_decay;
    for (int64_t i = 0; i < n; i++)
        g[i] = rate * DT_FMA(decay, W[i], g[i]);
    if (v)
        for (int64_t i = 0; i < n; i++)
            g[i] = v[i] = DT_FMA(momentum, v[i], g[i]);
    move(n, -1, g, W);
}

const dt_optimizer DT_VARIANT(dt_optimizers)[DT_OPTIMIZER_COUNT] = {
    {{"sgd", "W <- W - learning_rate (dW + weight_decay W)", "with momentum and Nesterov's look-ahead"},
     {"momentum_buffer"},
     momentum_alone,
     sgd_update,
     .plain = sgd_plain},
    {{"adagrad", "W <- W - learning_rate dW / (sqrt(sum dW^2) + epsilon)", "Duchi, Hazan, Singer 2011"},
     {"sum"},
     first,
     adagrad_update,
     .begin = adagrad_begin},
    {{"adadelta", "W <- W - learning_rate rms(u) / rms(dW) dW", "Zeiler 2012; u: the last such steps"},
     {"square_avg", "acc_delta"},
     both,
     .update = adadelta_update},
    {{"rmsprop", "W <- W - learning_rate dW / (rms(dW) + epsilon)", "Tieleman, Hinton 2012; momentum, centered"},
     {"square_avg", "momentum_buffer", "grad_avg"},
     rmsprop_states,
     .update = rmsprop_update},
    {{"rprop", "W <- W - step sign(dW)", "Riedmiller, Braun 1993; where a minibatch is all training rows"},
     {"prev", "step_size"},
     both,
     rprop_update,
     .whole = true},
    {{"adam", "W <- W - learning_rate m / (sqrt(v) + epsilon)", "Kingma, Ba 2015; m, v: means of dW, dW^2; amsgrad"},
     {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
     adam_states,
     adam_update,
     .begin = adam_begin},
    {{"adamw", "adam, and W <- W - learning_rate weight_decay W", "Loshchilov, Hutter 2019; amsgrad"},
     {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
     adam_states,
     adamw_update,
     .begin = adam_begin},
    {{"nadam", "adam with Nesterov's look-ahead", "Dozat 2016"},
     {"exp_avg", "exp_avg_sq"},
     both,
     nadam_update,
     .begin = nadam_begin},
    {{"lamb", "W <- W - learning_rate |W| / |u| u, u adam's direction + weight_decay W",
      "You et al. 2020, for large minibatches; norms of each W^l and b^l"},
     {"exp_avg", "exp_avg_sq"},
     both,
     lamb_update,
     .begin = adam_begin,
     .direct = lamb_direct,
     .trust = lamb_trust},
    {{"lars", "sgd, its rate times trust_coefficient |W| / (|dW| + weight_decay |W|)",
      "You, Gitman, Ginsburg 2017, for large minibatches; norms of each W^l and b^l"},
     {"momentum_buffer"},
     momentum_alone,
     lars_update,
     .direct = lars_direct,
     .trust = lars_trust},
};
