/* hogwild: no synchronisation (Recht, Re, Wright and Niu 2011, arXiv 1106.5730). Each worker takes its own shards of
 * one minibatch after the other, and steps the weights that all share by their gradient, with the factor 1/B of the
 * whole minibatch, as soon as it has it. What one reads may be older than what another has just written, and of two who
 * write the same number at once one is lost: both are part of the method.
 *
 * Nobody computes with numbers that another may be writing, which C leaves undefined: a worker has a copy of the
 * weights for its kernels, and goes to the shared ones by atomic loads and stores of single numbers, in relaxed order.
 * A block is read, stepped, written and kept in the copy in one pass, so that the copy is at most one step of its own
 * behind.
 *
 * With one worker nobody races, and the steps, and the bits, are tree's.
 */
#include "parallel/reduction.h"

void dt_hogwild_read(const dt_real *shared, dt_real *own)
{
    for (int i = 0; i < DT_BLOCK; i++)
        __atomic_load(&shared[i], &own[i], __ATOMIC_RELAXED);
}

void dt_hogwild_write(dt_real *shared, const dt_real *own)
{
    for (int i = 0; i < DT_BLOCK; i++) {
        dt_real number = own[i];
        __atomic_store(&shared[i], &number, __ATOMIC_RELAXED);
    }
}

static void sum(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish, dt_laps *laps)
{
    if (reducer->workers == 1)
        dt_reducer_form_all(reducer, plan, worker, finish, laps);
    else
        dt_reducer_form_own(reducer, plan, worker, finish, laps);
}

const dt_reduction dt_reduction_hogwild = {
    .entry = {"hogwild", "each worker steps the shared weights by its own shards' gradient, and waits for nobody",
              "not reproducible: workers race; sgd without momentum (Recht et al. 2011)"},
    .free = true,
    .local = dt_reducer_no_local,
    .sum = sum,
};
