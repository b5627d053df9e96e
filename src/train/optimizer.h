/* Optimizers: how a parameter moves against its gradient. They see plain arrays, so padding and blocks mean nothing to
 * them: an update of zeros by zeros must stay zero.
 *
 * Conventions and defaults are PyTorch's (torch.optim), whose updates the tests compare with; lamb's and lars' are
 * their papers'. To add one, write its update in optimizer.c and add one line to the table there; its keys' defaults,
 * where they differ from the others', are in keys.c.
 */
#ifndef DT_TRAIN_OPTIMIZER_H
#define DT_TRAIN_OPTIMIZER_H

#include "deltoid/experiment.h"
#include "deltoid/tables.h"
#include "kernels/real.h"

/* What holds for the step at hand, in the engine's precision. Numbers that depend on the step's count are computed once
 * a step, in double. */
typedef struct dt_hyper {
    const dt_optimizer_spec *spec;
    int64_t t; /* the step's number, from 1 */
    dt_real learning_rate, momentum, weight_decay, l1;
    dt_real clip_value; /* 0: none */
    dt_real clip;       /* what g is multiplied by, so that its norm isn't above clip_norm; 1 */
    dt_real trust;      /* the ratio of the tensor at hand, of optimizers that have one */
    bool nesterov;

    /* Written by an optimizer's `begin`. */
    dt_real rate;      /* of the direction, with its sign */
    dt_real look;      /* nadam: rate of the gradient itself */
    dt_real root;      /* 1 / sqrt(1 - beta2^t) */
    dt_real unbias;    /* 1 / (1 - beta1^t) */
    double mu_product; /* nadam: mu_1 .. mu_t */
    int64_t mu_t;      /* the t it is of; 0: none yet */
} dt_hyper;

enum { DT_OPTIMIZER_COUNT = 10, DT_STATES_MAX = 4 };

typedef struct dt_optimizer {
    dt_entry entry;

    /* The arrays as long as the parameters that it may keep between steps, by PyTorch's names, as files show them; and
     * which of them it does keep: bit i is state_names[i]. They start at zero. */
    const char *state_names[DT_STATES_MAX];
    unsigned (*states)(const dt_optimizer_spec *spec);

    /* One step of n parameters W with gradient g (of the mean cost), which may be overwritten. state[i] is
     * state_names[i] at the same place, NULL where it isn't kept. */
    void (*update)(int64_t n, const dt_hyper *hyper, dt_real *W, dt_real *g, dt_real *const *state);

    /* Whether its step is W <- W - learning_rate g and nothing more, to be taken where the gradient is formed; NULL:
     * never. */
    bool (*plain)(const dt_optimizer_spec *spec);

    /* Computes what the step's count decides; NULL: nothing. */
    void (*begin)(dt_hyper *hyper);

    /* Optimizers whose step depends on the norms of a whole tensor, W^l or b^l: makes of g the direction u whose norm
     * is asked for (`update` then takes u), and the ratio hyper->trust of both norms. NULL: none. */
    void (*direct)(int64_t n, const dt_hyper *hyper, const dt_real *W, dt_real *g, dt_real *const *state);
    double (*trust)(const dt_optimizer_spec *spec, double W_norm, double u_norm);

    bool whole; /* makes sense only where a minibatch is the whole training set */
} dt_optimizer;

DT_DECLARE_VARIANTS(dt_optimizer, dt_optimizers, [DT_OPTIMIZER_COUNT])

/* What holds for all steps. */
static inline dt_hyper dt_hyper_of(const dt_optimizer_spec *spec)
{
    return (dt_hyper){.spec = spec,
                      .momentum = (dt_real)spec->momentum,
                      .weight_decay = (dt_real)spec->weight_decay,
                      .l1 = (dt_real)spec->l1,
                      .clip_value = (dt_real)spec->clip_value,
                      .clip = 1,
                      .trust = 1,
                      .nesterov = spec->nesterov};
}

/* Step t, from 1. */
static inline void dt_hyper_begin(const dt_optimizer *optimizer, dt_hyper *hyper, double learning_rate, int64_t t)
{
    hyper->t = t;
    hyper->learning_rate = (dt_real)learning_rate;
    hyper->clip = hyper->trust = 1;
    if (optimizer->begin)
        optimizer->begin(hyper);
}

#endif
