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

static void take_blocks(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_blocks *layer,
                        int64_t first, int64_t block, int64_t count, const dt_finish *finish)
{
    static const dt_real zeros[DT_RUN * DT_BLOCK];
    dt_real *sum = reducer->shared + dt_reducer_place(reducer, block);
    (void)plan;
    reducer->network->products->join(layer, block - first, count, sum, zeros, reducer->scratch[worker], finish);
    memset(sum, 0, (size_t)(count * DT_BLOCK) * sizeof *sum);
}

void dt_reducer_take_shared(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                            dt_laps *laps)
{
    dt_reducer_sum_runs(reducer, plan, worker, finish, laps, take_blocks);
}
