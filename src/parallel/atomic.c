/* atomic: no buffers; each block of a group's contribution is added into one gradient as soon as it is formed, number
 * by number, by atomic additions. Which comes first is chance, and so are the sum's last bits. */
#include "parallel/reduction.h"

static void add_blocks(void *context, int64_t l, int64_t block, int64_t count, dt_real *g)
{
    const dt_reducer *reducer = context;
    dt_real *sum = reducer->shared + dt_reducer_place(reducer, reducer->network->layer[l].first_block + block);
    for (int64_t i = 0; i < count * DT_BLOCK; i++) {
#pragma omp atomic
        sum[i] += g[i];
    }
}

static void local(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps)
{
    dt_reducer own = *reducer; /* a context isn't const */
    if (dt_reducer_adds(reducer, plan))
        dt_reducer_form_own(reducer, plan, worker, &(dt_finish){.sink = add_blocks, .context = &own, .factor = 1},
                            laps);
}

const dt_reduction dt_reduction_atomic = {
    .entry = {"atomic", "each worker adds its part into one gradient, number by number, atomically",
              "not reproducible: in whatever order additions happen"},
    .shared = true,
    .local = local,
    .sum = dt_reducer_take_shared,
};
