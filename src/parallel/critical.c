/* critical: each group's contribution goes into a buffer of its own, and from there into one gradient, a worker at a
 * time, in whatever order they come: floating-point sums depend on it. */
#include "parallel/reduction.h"

static void local(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps)
{
    const dt_network *n = reducer->network;
    const int64_t group = dt_reducer_member(reducer, worker).group;
    if (!dt_reducer_adds(reducer, plan) || plan->first_subtree[group] == plan->first_subtree[group + 1])
        return;
    const dt_real *own = reducer->buffer[group];
    dt_reducer_form_own(reducer, plan, worker, &(dt_finish){.out = reducer->buffer[group]}, laps);
#pragma omp critical(dt_shared_gradient)
    {
        dt_lap(laps, DT_PHASE_WAIT, 0);
        for (int64_t l = dt_reducer_first_added(reducer); l <= n->layers; l++) {
            const dt_span share = dt_reducer_share(reducer, l, worker);
            const int64_t at = dt_reducer_place(reducer, share.first);
            dt_real *sum = reducer->shared + at;
            n->products->add(dt_span_count(share) * DT_BLOCK, sum, own + at, sum);
            dt_lap(laps, DT_PHASE_UPDATE, l);
        }
    }
}

const dt_reduction dt_reduction_critical = {
    .entry = {"critical", "each worker adds its buffer into one gradient, in a critical section",
              "not reproducible: in the order in which workers arrive"},
    .buffers = true,
    .shared = true,
    .local = local,
    .sum = dt_reducer_take_shared,
};
