/* omp: OpenMP's own array reduction, as a program would write it: `reduction(+ : g[:n])` on a loop over the threads.
 *
 * OpenMP keeps the private copy of an array section on the thread's stack, of whatever length it is: 23 MB for 5.8
 * million weights, where a thread has 2 to 8. So the vector is reduced in chunks whose copy fits the nearest cache; a
 * chunk's loop doesn't wait (`nowait`), as the step's own barrier comes behind all of them. What a thread contributes
 * is formed in a buffer of its group before, by the same kernels as everybody's. In which order copies are added is up
 * to OpenMP's runtime.
 */
#include "parallel/reduction.h"

enum { CHUNK = 4096 }; /* numbers: 16 or 32 KiB of a stack */

/* sum += own, of each thread numbers first .. last-1 of n. `sum` is the same in all threads, and all of them come here.
 * A function of its own, so that the copy's room on the stack is given back after each chunk. */
__attribute__((noinline)) static void add_chunk(const dt_products *products, int64_t n, dt_real *sum,
                                                const dt_real *own, dt_span part, int64_t threads)
{
#pragma omp for schedule(static, 1) nowait reduction(+ : sum[:n])
    for (int64_t t = 0; t < threads; t++) /* iteration t is thread t's */
        products->add(dt_span_count(part), sum + part.first, own + part.first, sum + part.first);
}

/* What of the worker's share lies in blocks first .. last-1, as numbers of that chunk. */
static dt_span part_of(dt_span share, dt_span chunk)
{
    const int64_t first = dt_max(share.first, chunk.first), last = dt_min(share.last, chunk.last);
    return first < last ? (dt_span){(first - chunk.first) * DT_BLOCK, (last - chunk.first) * DT_BLOCK}
                        : (dt_span){0, 0};
}

static void local(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps)
{
    const dt_network *n = reducer->network;
    const int64_t group = dt_reducer_member(reducer, worker).group;
    if (!dt_reducer_adds(reducer, plan))
        return;
    const bool has_shards = plan->first_subtree[group] < plan->first_subtree[group + 1];
    dt_real *own = reducer->buffer[group];
    dt_reducer_form_own(reducer, plan, worker, &(dt_finish){.out = own}, laps);
    for (int64_t l = dt_reducer_first_added(reducer); l <= n->layers; l++) {
        const dt_layer *layer = &n->layer[l];
        const dt_span share = dt_reducer_share(reducer, l, worker), nothing = {0, 0};
        const int64_t end = layer->first_block + layer->panels * layer->column, step = CHUNK / DT_BLOCK;
        for (int64_t block = layer->first_block; block < end; block += step) {
            const dt_span chunk = {block, dt_min(block + step, end)};
            const int64_t at = dt_reducer_place(reducer, block);
            add_chunk(n->products, dt_span_count(chunk) * DT_BLOCK, reducer->shared + at, own + at,
                      has_shards ? part_of(share, chunk) : nothing, reducer->workers);
        }
        dt_lap(laps, DT_PHASE_UPDATE, l);
    }
}

const dt_reduction dt_reduction_omp = {
    .entry = {"omp", "OpenMP's own reduction(+ : dW[:n]), in chunks",
              "not reproducible: in an order that OpenMP chooses"},
    .buffers = true,
    .shared = true,
    .local = local,
    .sum = dt_reducer_take_shared,
};
