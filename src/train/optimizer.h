/* Optimizers: how a parameter moves against its gradient. They see plain arrays, so padding and blocks mean nothing to
 * them: an update of zeros by zeros must stay zero.
 *
 * Conventions and defaults are PyTorch's (torch.optim), whose updates the tests compare with. To add one, write its
 * update in optimizer.c and add one line to the table there.
 */
#ifndef DT_TRAIN_OPTIMIZER_H
#define DT_TRAIN_OPTIMIZER_H

#include "deltoid/experiment.h"
#include "deltoid/tables.h"
#include "kernels/real.h"

/* What holds for the step at hand, in the engine's precision. */
typedef struct dt_hyper {
    dt_real learning_rate, momentum, weight_decay;
    bool nesterov;
} dt_hyper;

enum { DT_OPTIMIZER_COUNT = 1, DT_STATES_MAX = 4 };

typedef struct dt_optimizer {
    dt_entry entry;

    /* How many arrays as long as the parameters it keeps between steps; they start at zero. Their names, PyTorch's
     * where it has them: as files show them. */
    int (*states)(const dt_optimizer_spec *spec);
    const char *state_names[DT_STATES_MAX];

    /* Whether its step is W <- W - learning_rate g and nothing more, to be taken where the gradient is formed; may be
     * NULL: never. */
    bool (*plain)(const dt_optimizer_spec *spec);

    /* One step of n parameters W with gradient g = sum * factor (of the mean cost): the one place where 1/B is applied.
     * `sum` may be overwritten. state[i] is array i at the same place. */
    void (*update)(int64_t n, const dt_hyper *hyper, dt_real factor, dt_real *W, dt_real *sum, dt_real *const *state);

    /* The same gradient, kept to be shown first: g[i] = sum[i] * factor. An update of g with factor 1 then gives the
     * same bits. */
    void (*scale)(int64_t n, dt_real factor, const dt_real *sum, dt_real *g);
} dt_optimizer;

DT_DECLARE_VARIANTS(dt_optimizer, dt_optimizers, [DT_OPTIMIZER_COUNT])

#endif
