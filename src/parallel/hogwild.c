/* hogwild: no synchronisation (Recht, Re, Wright and Niu 2011, arXiv 1106.5730). Each worker takes its own shards of
 * one minibatch after the other, and steps the weights that all share by their gradient, with the factor 1/B of the
 * whole minibatch, as soon as it has it. What one reads may be older than what another has just written, and of two who
 * write the same number at once one is lost: both are part of the method.
 *
 * Nobody computes with numbers that another may be writing, which C leaves undefined: a worker has a copy of the
 * weights for its kernels, and goes to the shared ones by atomic loads and stores, in relaxed order.
 * A block is read, stepped, written and kept in the copy in one pass, so that the copy is at most one step of its own
 * behind.
 *
 * With one worker nobody races, and the steps, and the bits, are tree's.
 */
#include "parallel/reduction.h"

/* Numbers in the widest pieces that are loaded and stored whole everywhere: one of double, two of float. */
typedef uintptr_t __attribute__((may_alias)) word;

enum { WORDS = DT_BLOCK * sizeof(dt_real) / sizeof(word) };

void dt_hogwild_read(const dt_real *shared, dt_real *own)
{
    const word *from = (const word *)shared;
    word *to = (word *)own;
    for (int i = 0; i < WORDS; i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void dt_hogwild_write(dt_real *shared, const dt_real *own)
{
    const word *from = (const word *)own;
    word *to = (word *)shared;
    for (int i = 0; i < WORDS; i++)
        __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
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
