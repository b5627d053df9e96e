#include "parallel/reduction.h"

#include <string.h>

#include "base/memory.h"

/* To add a strategy, name it here. */
static const dt_reduction *const table[] = {&dt_reduction_tree, &dt_reduction_owner, &dt_reduction_split,
                                            &dt_reduction_auto, &dt_reduction_serial};

const dt_reduction *dt_reduction_at(size_t i)
{
    return i < sizeof table / sizeof *table ? table[i] : NULL;
}

static int cover_of(int64_t samples, int64_t shard_size, int64_t workers, int64_t worker,
                    dt_subtree cover[DT_COVER_MAX])
{
    const int64_t shards = dt_shards_of(samples, shard_size);
    return dt_tree_cover(shards, dt_split(shards, workers, worker), cover);
}

int64_t dt_reducer_buffers(const dt_reduction *strategy, int64_t samples, int64_t short_samples, int64_t shard_size,
                           int64_t workers)
{
    if (!strategy->buffers || workers == 1)
        return 0;
    dt_subtree cover[DT_COVER_MAX];
    int64_t most = 0;
    for (int64_t t = 0; t < workers; t++) {
        most = dt_max(most, cover_of(samples, shard_size, workers, t, cover));
        if (short_samples)
            most = dt_max(most, cover_of(short_samples, shard_size, workers, t, cover));
    }
    return most;
}

static bool plan_create(dt_plan *plan, int64_t samples, int64_t shard_size, int64_t workers)
{
    dt_subtree cover[DT_COVER_MAX];
    plan->samples = samples;
    plan->shards = dt_shards_of(samples, shard_size);
    plan->workers = workers;
    plan->first_subtree = dt_allocate_zeroed((size_t)workers + 1, sizeof *plan->first_subtree);
    if (!plan->first_subtree)
        return false;
    for (int64_t t = 0; t < workers; t++)
        plan->first_subtree[t + 1] = plan->first_subtree[t] + cover_of(samples, shard_size, workers, t, cover);
    const int64_t count = plan->first_subtree[workers];
    plan->subtrees = dt_allocate((size_t)count, sizeof *plan->subtrees);
    plan->program = dt_allocate((size_t)(2 * count), sizeof *plan->program);
    if (!plan->subtrees || !plan->program)
        return false;
    for (int64_t t = 0; t < workers; t++) {
        const int own = cover_of(samples, shard_size, workers, t, cover);
        memcpy(plan->subtrees + plan->first_subtree[t], cover, (size_t)own * sizeof *cover);
    }
    plan->program_length = dt_tree_join(plan->subtrees, count, plan->program, &plan->depth);
    return true;
}

static void plan_destroy(dt_plan *plan)
{
    dt_release(plan->first_subtree);
    dt_release(plan->subtrees);
    dt_release(plan->program);
}

/* A worker's scratch: the tree's tiles, or the join's stack, whichever is longer. */
static int64_t scratch_count(const dt_reducer *r)
{
    const int64_t tiles = DT_GRADIENT_SCRATCH;
    const int64_t stack = (int64_t)dt_max(r->plans[0].depth, r->plans[1].depth) * DT_BLOCK;
    return dt_max(tiles, stack);
}

dt_status dt_reducer_create(dt_reducer **reducer, const dt_reduction *strategy, const dt_network *network,
                            int64_t samples, int64_t short_samples, int64_t shard_size, int64_t workers,
                            const dt_layer_rows *rows, dt_error *error)
{
    *reducer = NULL;
    dt_reducer *r = dt_allocate_zeroed(1, sizeof *r);
    if (!r)
        return dt_fail_memory(error, "the reduction");
    r->network = network;
    r->strategy = strategy;
    r->workers = workers;
    r->shard_size = shard_size;
    r->rows = rows;
    r->unbuffered = rows[1].columns ? network->layer[1].panels * network->layer[1].column : 0;
    r->buffers_a_worker = dt_reducer_buffers(strategy, samples, short_samples, shard_size, workers);
    const size_t buffers = (size_t)(workers * r->buffers_a_worker);
    r->buffer = dt_allocate_zeroed(buffers, sizeof *r->buffer);
    r->scratch = dt_allocate_zeroed((size_t)workers, sizeof *r->scratch);
    if (!r->buffer || !r->scratch || !plan_create(&r->plans[0], samples, shard_size, workers) ||
        (short_samples && !plan_create(&r->plans[1], short_samples, shard_size, workers)))
        goto fail;
    for (size_t i = 0; i < buffers; i++)
        if (!(r->buffer[i] = dt_allocate_hot((size_t)(network->blocks - r->unbuffered), DT_BLOCK * sizeof(dt_real))))
            goto fail;
    for (int64_t t = 0; t < workers; t++)
        if (!(r->scratch[t] = dt_allocate((size_t)scratch_count(r), sizeof(dt_real))))
            goto fail;
    *reducer = r;
    return DT_OK;
fail:
    dt_reducer_destroy(r);
    return dt_fail_memory(error, "the workers' gradient buffers");
}

void dt_reducer_destroy(dt_reducer *reducer)
{
    if (!reducer)
        return;
    for (int64_t i = 0; reducer->buffer && i < reducer->workers * reducer->buffers_a_worker; i++)
        dt_release(reducer->buffer[i]);
    for (int64_t t = 0; reducer->scratch && t < reducer->workers; t++)
        dt_release(reducer->scratch[t]);
    dt_release(reducer->buffer);
    dt_release(reducer->scratch);
    plan_destroy(&reducer->plans[0]);
    plan_destroy(&reducer->plans[1]);
    dt_release(reducer);
}

bool dt_reduction_by_units(const dt_reduction *strategy, int64_t units, int64_t samples, int64_t workers)
{
    const int64_t panels = dt_whole_panels(units) / DT_LANES, most = dt_ceil_div(panels, workers) * workers;
    return strategy->units && workers > 1 && panels >= workers && units > samples && 8 * most <= 9 * panels;
}

bool dt_reducer_by_units(const dt_reducer *reducer, int64_t l)
{
    return dt_reduction_by_units(reducer->strategy, reducer->network->layer[l].units, reducer->plans[0].samples,
                                 reducer->workers);
}

dt_span dt_reducer_panels(const dt_reducer *reducer, int64_t l, int64_t worker)
{
    return dt_split(reducer->network->layer[l].panels, reducer->workers, worker);
}

dt_span dt_reducer_slice(const dt_reducer *reducer, int64_t l, int64_t worker)
{
    const dt_network *n = reducer->network;
    const dt_layer *layer = &n->layer[l];
    const dt_span all = {layer->first_block, layer->first_block + layer->panels * layer->column};
    if (reducer->strategy->one_sums)
        return worker == 0 ? all : (dt_span){all.first, all.first};
    dt_span own;
    if (dt_reducer_by_units(reducer, l)) {
        own = dt_reducer_panels(reducer, l, worker);
        return (dt_span){all.first + own.first * layer->column, all.first + own.last * layer->column};
    }
    if (reducer->strategy->units) { /* layers on their own, as others go by units */
        own = dt_split(layer->panels * layer->column, reducer->workers, worker);
        return (dt_span){all.first + own.first, all.first + own.last};
    }
    own = dt_split(n->blocks, reducer->workers, worker); /* a worker's slices follow each other */
    return (dt_span){dt_max(all.first, dt_min(own.first, all.last)), dt_min(all.last, dt_max(own.last, all.first))};
}

const dt_plan *dt_reducer_plan(const dt_reducer *reducer, int64_t samples)
{
    return &reducer->plans[samples != reducer->plans[0].samples];
}

/* Layer l of sparse inputs: blocks first .. last-1 over samples of the minibatch, from the worker's index. */
static void form_sparse(const dt_reducer *reducer, int64_t l, int64_t worker, dt_span samples, dt_blocks layer,
                        dt_span blocks, const dt_finish *finish)
{
    const dt_layer_rows *rows = &reducer->rows[l];
    const dt_sparse_task task = {
        .layer = layer,
        .columns = &rows->columns[worker],
        .delta = rows->delta,
        .delta_stride = rows->delta_stride,
        .samples = samples,
        .first = blocks.first,
        .last = blocks.last,
        .scratch = reducer->scratch[worker],
    };
    DT_SELECT(dt_sparse_products, dt_sparse_products, &)->gradient(&task, finish);
}

/* Forms blocks of layer l's gradient over samples first .. last-1 of the minibatch (an aligned subtree of shards) and
 * finishes each: the worker's slice, or all, which go to a buffer. */
static void form(const dt_reducer *reducer, int64_t l, int64_t worker, dt_span samples, bool all,
                 const dt_finish *finish, dt_laps *laps)
{
    const dt_network *n = reducer->network;
    const dt_layer_rows *rows = &reducer->rows[l];
    const dt_layer *layer = &n->layer[l];
    const dt_span slice = dt_reducer_slice(reducer, l, worker);
    const dt_span own = all ? (dt_span){0, layer->panels * layer->column}
                            : (dt_span){slice.first - layer->first_block, slice.last - layer->first_block};
    dt_gradient_task task = {
        .layer = dt_network_blocks(n, l),
        .delta = rows->delta + samples.first * rows->delta_stride,
        .a_stride = rows->a_stride,
        .delta_stride = rows->delta_stride,
        .samples = dt_span_count(samples),
        .shard_size = reducer->shard_size,
        .first = own.first,
        .last = own.last,
        .shared = reducer->workers > 1 && !dt_reducer_by_units(reducer, l),
        .scratch = reducer->scratch[worker],
    };
    if (all)
        task.layer.offset -= reducer->unbuffered * DT_BLOCK;
    if (rows->columns) {
        form_sparse(reducer, l, worker, samples, task.layer, own, finish);
    } else if (own.first < own.last) {
        task.a = rows->a + worker * rows->a_apart + samples.first * rows->a_stride;
        n->products->gradient(&task, finish);
    }
    dt_lap(laps, DT_PHASE_GRADIENT, l);
}

void dt_reducer_no_local(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps)
{
    (void)reducer, (void)plan, (void)worker, (void)laps;
}

void dt_reducer_form_all(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                         dt_laps *laps)
{
    for (int64_t l = 1; l <= reducer->network->layers; l++)
        form(reducer, l, worker, (dt_span){0, plan->samples}, false, finish, laps);
}

/* The samples of subtree s. */
static dt_span samples_of(const dt_reducer *reducer, const dt_plan *plan, int64_t s)
{
    const dt_span shards = plan->subtrees[s].shards;
    return (dt_span){shards.first * reducer->shard_size, dt_min(shards.last * reducer->shard_size, plan->samples)};
}

/* Nothing to join where one worker has all shards: forming slices shares that work out, too. */
static bool uses_buffers(const dt_reducer *reducer, const dt_plan *plan)
{
    return reducer->buffers_a_worker && plan->first_subtree[plan->workers] > 1;
}

void dt_reducer_fill_buffers(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps)
{
    if (!uses_buffers(reducer, plan))
        return;
    for (int64_t s = plan->first_subtree[worker], i = 0; s < plan->first_subtree[worker + 1]; s++, i++) {
        const dt_finish store = {.out = reducer->buffer[worker * reducer->buffers_a_worker + i]};
        for (int64_t l = 1; l <= reducer->network->layers; l++)
            if (!reducer->rows[l].columns)
                form(reducer, l, worker, samples_of(reducer, plan, s), true, &store, laps);
    }
}

/* Which buffer holds subtree s. */
static const dt_real *buffer_of(const dt_reducer *r, const dt_plan *plan, int64_t s)
{
    int64_t t = 0;
    while (s >= plan->first_subtree[t + 1])
        t++;
    return r->buffer[t * r->buffers_a_worker + s - plan->first_subtree[t]];
}

/* Block `block` of layer 1 of sparse inputs over the samples of subtree s. */
static void form_subtree(const dt_reducer *reducer, const dt_plan *plan, int64_t s, int64_t reader, int64_t block,
                         dt_real *sum)
{
    const dt_finish store = {.out = sum};
    dt_blocks layer = dt_network_blocks(reducer->network, 1);
    layer.offset = -block * DT_BLOCK;
    form_sparse(reducer, 1, reader, samples_of(reducer, plan, s), layer, (dt_span){block, block + 1}, &store);
}

bool dt_reducer_partial(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, int64_t reader, dt_span blocks,
                        dt_real *sum)
{
    const dt_products *products = reducer->network->products;
    if (!uses_buffers(reducer, plan))
        return false;
    memset(sum, 0, (size_t)(dt_span_count(blocks) * DT_BLOCK) * sizeof *sum);
    for (int64_t i = plan->first_subtree[worker]; i < plan->first_subtree[worker + 1]; i++)
        for (int64_t block = blocks.first; block < blocks.last; block++) {
            dt_real formed[DT_BLOCK], *own = sum + (block - blocks.first) * DT_BLOCK;
            if (block < reducer->unbuffered)
                form_subtree(reducer, plan, i, reader, block, formed);
            products->add(DT_BLOCK, own,
                          block < reducer->unbuffered
                              ? formed
                              : buffer_of(reducer, plan, i) + (block - reducer->unbuffered) * DT_BLOCK,
                          own);
        }
    return true;
}

/* One block of layer `layer`, which lies `at` numbers into the buffers, summed by the plan's program; its last addition
 * finishes it. */
static void join_block(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_blocks *layer,
                       int64_t block, const dt_finish *finish)
{
    const dt_products *products = reducer->network->products;
    const dt_real *stack[2 * DT_COVER_MAX]; /* a sum is in place i of the scratch, a pushed buffer stays where it is */
    const int64_t at = layer->offset + (block - reducer->unbuffered) * DT_BLOCK;
    int top = 0;
    for (int64_t i = 0; i < plan->program_length; i++) {
        if (plan->program[i] != DT_JOIN_ADD) {
            stack[top++] = buffer_of(reducer, plan, plan->program[i]) + at;
            continue;
        }
        top--;
        dt_real *sum = reducer->scratch[worker] + (top - 1) * DT_BLOCK;
        if (i == plan->program_length - 1)
            products->join(layer, block, stack[top - 1], stack[top], sum, finish);
        else
            products->add(DT_BLOCK, stack[top - 1], stack[top], sum);
        stack[top - 1] = sum;
    }
}

void dt_reducer_join(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                     dt_laps *laps)
{
    const dt_network *n = reducer->network;
    if (!uses_buffers(reducer, plan)) {
        dt_reducer_form_all(reducer, plan, worker, finish, laps);
        return;
    }
    for (int64_t l = 1; l <= n->layers; l++) {
        const dt_blocks layer = dt_network_blocks(n, l);
        const dt_span own = dt_reducer_slice(reducer, l, worker);
        if (reducer->rows[l].columns) {
            form(reducer, l, worker, (dt_span){0, plan->samples}, false, finish, laps);
            continue;
        }
        for (int64_t block = own.first; block < own.last; block++)
            join_block(reducer, plan, worker, &layer, block - n->layer[l].first_block, finish);
        dt_lap(laps, DT_PHASE_UPDATE, l);
    }
}
