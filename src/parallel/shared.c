/* One gradient that all groups add into, in whatever order they arrive: what critical, atomic and omp have in common.
 * It is zero when a step begins: whoever takes a block of it leaves zeros behind. */
#include <string.h>

#include "parallel/reduction.h"

void dt_reducer_clear(const dt_reducer *reducer, int64_t worker)
{
    for (int64_t l = dt_reducer_first_added(reducer); reducer->shared && l <= reducer->network->layers; l++) {
        const dt_span own = dt_reducer_slice(reducer, l, worker);
        memset(reducer->shared + dt_reducer_place(reducer, own.first), 0,
               (size_t)(dt_span_count(own) * DT_BLOCK) * sizeof *reducer->shared);
    }
}

void dt_reducer_take_shared(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                            dt_laps *laps)
{
    static const dt_real zeros[DT_BLOCK];
    const dt_network *n = reducer->network;
    if (!dt_reducer_adds(reducer, plan)) {
        dt_reducer_form_all(reducer, plan, worker, finish, laps);
        return;
    }
    dt_reducer_form_unadded(reducer, plan, worker, finish, laps);
    for (int64_t l = dt_reducer_first_added(reducer); l <= n->layers; l++) {
        const dt_blocks layer = dt_network_blocks(n, l);
        const dt_span own = dt_reducer_slice(reducer, l, worker);
        for (int64_t block = own.first; block < own.last; block++) {
            dt_real *sum = reducer->shared + dt_reducer_place(reducer, block);
            n->products->join(&layer, block - n->layer[l].first_block, sum, zeros, reducer->scratch[worker], finish);
            memset(sum, 0, DT_BLOCK * sizeof *sum);
        }
        dt_lap(laps, DT_PHASE_UPDATE, l);
    }
}
