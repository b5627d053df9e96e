#include "parallel/reduction.h"

#include <string.h>

#include "base/memory.h"

/* To add a strategy, name it here. */
static const dt_reduction *const table[] = {
    &dt_reduction_tree,     &dt_reduction_owner,  &dt_reduction_split, &dt_reduction_auto,    &dt_reduction_serial,
    &dt_reduction_critical, &dt_reduction_atomic, &dt_reduction_omp,   &dt_reduction_hogwild,
};

const dt_reduction *dt_reduction_at(size_t i)
{
    return i < sizeof table / sizeof *table ? table[i] : NULL;
}

/* --- life --- */

static int cover_of(const dt_division *d, int64_t samples, int64_t group, dt_subtree cover[DT_COVER_MAX])
{
    const int64_t shards = dt_shards_of(samples, d->shard_size);
    return dt_tree_cover(shards, dt_group_shards(shards, d->workers, d->groups, group), cover);
}

int64_t dt_reducer_buffers(const dt_reduction *strategy, const dt_division *division)
{
    if (!strategy->buffers || division->groups == 1)
        return 0;
    if (strategy->shared)
        return 1;
    dt_subtree cover[DT_COVER_MAX];
    int64_t most = 0;
    for (int64_t g = 0; g < division->groups; g++) {
        most = dt_max(most, cover_of(division, division->samples, g, cover));
        if (division->short_samples)
            most = dt_max(most, cover_of(division, division->short_samples, g, cover));
    }
    return most;
}

static bool plan_create(dt_plan *plan, const dt_division *division, int64_t samples)
{
    dt_subtree cover[DT_COVER_MAX];
    const int64_t groups = division->groups;
    plan->samples = samples;
    plan->shards = dt_shards_of(samples, division->shard_size);
    plan->groups = groups;
    plan->first_subtree = dt_allocate_zeroed((size_t)groups + 1, sizeof *plan->first_subtree);
    if (!plan->first_subtree)
        return false;
    for (int64_t g = 0; g < groups; g++)
        plan->first_subtree[g + 1] = plan->first_subtree[g] + cover_of(division, samples, g, cover);
    const int64_t count = plan->first_subtree[groups];
    plan->subtrees = dt_allocate((size_t)count, sizeof *plan->subtrees);
    plan->program = dt_allocate((size_t)(2 * count), sizeof *plan->program);
    if (!plan->subtrees || !plan->program)
        return false;
    for (int64_t g = 0; g < groups; g++) {
        const int own = cover_of(division, samples, g, cover);
        memcpy(plan->subtrees + plan->first_subtree[g], cover, (size_t)own * sizeof *cover);
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

int64_t dt_reducer_scratch(const dt_division *division)
{
    return dt_gradient_scratch(dt_ceil_div(division->samples, division->shard_size));
}

/* A worker's scratch: what the gradient needs, or the join's stack, whichever is longer. */
static int64_t scratch_count(const dt_reducer *r, const dt_division *division)
{
    const int64_t stack = (int64_t)dt_max(r->plans[0].depth, r->plans[1].depth) * DT_RUN * DT_BLOCK;
    return dt_max(dt_reducer_scratch(division), stack);
}

/* One block, as long as the parameter vector, but for what needs no buffers. */
static dt_real *as_parameters(const dt_reducer *r)
{
    return dt_allocate_hot((size_t)(r->network->blocks - r->unbuffered), DT_BLOCK * sizeof(dt_real));
}

dt_status dt_reducer_create(dt_reducer **reducer, const dt_reduction *strategy, const dt_network *network,
                            const dt_division *division, const dt_layer_rows *rows, dt_error *error)
{
    *reducer = NULL;
    dt_reducer *r = dt_allocate_zeroed(1, sizeof *r);
    if (!r)
        return dt_fail_memory(error, "the reduction");
    r->network = network;
    r->strategy = strategy;
    r->workers = division->workers;
    r->groups = division->groups;
    r->shard_size = division->shard_size;
    r->rows = rows;
    r->unbuffered = rows[1].columns ? network->layer[1].panels * network->layer[1].column : 0;
    r->buffers_a_group = dt_reducer_buffers(strategy, division);
    const size_t buffers = (size_t)(r->groups * r->buffers_a_group), workers = (size_t)r->workers;
    r->buffer = dt_allocate_zeroed(buffers, sizeof *r->buffer);
    r->scratch = dt_allocate_zeroed(workers, sizeof *r->scratch);
    if (!r->buffer || !r->scratch || !plan_create(&r->plans[0], division, division->samples) ||
        (division->short_samples && !plan_create(&r->plans[1], division, division->short_samples)))
        goto fail;
    for (size_t i = 0; i < buffers; i++)
        if (!(r->buffer[i] = as_parameters(r)))
            goto fail;
    for (size_t t = 0; t < workers; t++)
        if (!(r->scratch[t] = dt_allocate((size_t)scratch_count(r, division), sizeof(dt_real))))
            goto fail;
    if (strategy->shared && r->groups > 1 && !(r->shared = as_parameters(r)))
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
    for (int64_t i = 0; reducer->buffer && i < reducer->groups * reducer->buffers_a_group; i++)
        dt_release(reducer->buffer[i]);
    for (int64_t t = 0; reducer->scratch && t < reducer->workers; t++)
        dt_release(reducer->scratch[t]);
    dt_release(reducer->buffer);
    dt_release(reducer->scratch);
    dt_release(reducer->shared);
    plan_destroy(&reducer->plans[0]);
    plan_destroy(&reducer->plans[1]);
    dt_release(reducer);
}

/* --- who has what --- */

bool dt_reduction_by_units(const dt_reduction *strategy, int64_t units, int64_t samples, int64_t workers)
{
    return strategy->units && workers > 1 && units > samples &&
           dt_shares_evenly(dt_whole_panels(units) / DT_LANES, workers);
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

/* What of `blocks` lies in the layer. */
static dt_span within_layer(const dt_layer *layer, dt_span blocks)
{
    const int64_t first = layer->first_block, last = first + layer->panels * layer->column;
    return (dt_span){dt_max(first, dt_min(blocks.first, last)), dt_min(last, dt_max(blocks.last, first))};
}

dt_span dt_reducer_slice(const dt_reducer *reducer, int64_t l, int64_t worker)
{
    const dt_network *n = reducer->network;
    const dt_layer *layer = &n->layer[l];
    const dt_span all = {layer->first_block, layer->first_block + layer->panels * layer->column};
    if (reducer->strategy->one_sums)
        return worker == 0 ? all : (dt_span){all.first, all.first};
    dt_span own;
    const bool tensor =
        reducer->groups == 1; /* then whole panels are the worker's that computes their units, if they can */
    if (dt_reducer_by_units(reducer, l) || (tensor && dt_shares_evenly(layer->panels, reducer->workers))) {
        own = dt_reducer_panels(reducer, l, worker);
        return (dt_span){all.first + own.first * layer->column, all.first + own.last * layer->column};
    }
    if (reducer->strategy->units || tensor) { /* layers on their own, as others go by units */
        own = dt_split(layer->panels * layer->column, reducer->workers, worker);
        return (dt_span){all.first + own.first, all.first + own.last};
    }
    return within_layer(layer, dt_split(n->blocks, reducer->workers, worker)); /* a worker's slices follow each other */
}

dt_member dt_reducer_member(const dt_reducer *reducer, int64_t worker)
{
    const int64_t group = dt_split_part(reducer->workers, reducer->groups, worker);
    const dt_span members = dt_split(reducer->workers, reducer->groups, group);
    return (dt_member){group, worker - members.first, dt_span_count(members)};
}

dt_span dt_reducer_share(const dt_reducer *reducer, int64_t l, int64_t worker)
{
    const dt_member place = dt_reducer_member(reducer, worker);
    return within_layer(&reducer->network->layer[l], dt_split(reducer->network->blocks, place.members, place.member));
}

bool dt_reducer_adds(const dt_reducer *reducer, const dt_plan *plan)
{
    return (reducer->buffers_a_group || reducer->shared) && plan->first_subtree[plan->groups] > 1;
}

const dt_plan *dt_reducer_plan(const dt_reducer *reducer, int64_t samples)
{
    return &reducer->plans[samples != reducer->plans[0].samples];
}

/* --- forming --- */

/* Which of its blocks a worker forms: those that it sums, or its share of its group's contribution. */
typedef dt_span part_fn(const dt_reducer *reducer, int64_t l, int64_t worker);

/* Blocks of layer l of sparse inputs, from the reader's index. */
static void form_sparse(const dt_reducer *reducer, int64_t l, int64_t reader, dt_span samples, const dt_blocks *layer,
                        dt_span blocks, const dt_finish *finish)
{
    const dt_layer_rows *rows = &reducer->rows[l];
    const dt_sparse_task task = {
        .layer = *layer,
        .columns = &rows->columns[reader],
        .delta = rows->delta,
        .delta_stride = rows->delta_stride,
        .samples = samples,
        .first = blocks.first,
        .last = blocks.last,
        .scratch = reducer->scratch[reader],
    };
    DT_SELECT(dt_sparse_products, dt_sparse_products, &)->gradient(&task, finish);
}

/* The worker's blocks `own` of layer l, numbered in the layer. */
static void form_layer(const dt_reducer *reducer, int64_t l, int64_t worker, dt_span samples, dt_span own,
                       const dt_finish *finish, dt_laps *laps)
{
    const dt_network *n = reducer->network;
    const dt_layer_rows *rows = &reducer->rows[l];
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
    if (finish->out)
        task.layer.offset -= reducer->unbuffered * DT_BLOCK;
    if (rows->columns) {
        form_sparse(reducer, l, worker, samples, &task.layer, own, finish);
    } else if (task.first < task.last && task.samples) {
        task.a = rows->a + worker * rows->a_apart + samples.first * rows->a_stride;
        n->products->gradient(&task, finish);
    }
    dt_lap(laps, DT_PHASE_GRADIENT, l);
}

/* Forms the worker's blocks of the gradient over samples first .. last-1 of the minibatch, whole shards from the start
 * of an aligned subtree, and finishes each; of layers first .. last-1. */
static void form(const dt_reducer *reducer, dt_span layers, int64_t worker, dt_span samples, part_fn *part,
                 const dt_finish *finish, dt_laps *laps)
{
    for (int64_t l = layers.first; l < layers.last; l++) {
        const dt_span own = part(reducer, l, worker);
        const int64_t first = reducer->network->layer[l].first_block;
        form_layer(reducer, l, worker, samples, (dt_span){own.first - first, own.last - first}, finish, laps);
    }
}

/* Layers from l on. */
static dt_span layers_from(const dt_reducer *reducer, int64_t l)
{
    return (dt_span){l, reducer->network->layers + 1};
}

void dt_reducer_no_local(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps)
{
    (void)reducer, (void)plan, (void)worker, (void)laps;
}

void dt_reducer_form_all(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                         dt_laps *laps)
{
    form(reducer, layers_from(reducer, 1), worker, (dt_span){0, plan->samples}, dt_reducer_slice, finish, laps);
}

void dt_reducer_form_unadded(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                             dt_laps *laps)
{
    form(reducer, (dt_span){1, dt_reducer_first_added(reducer)}, worker, (dt_span){0, plan->samples}, dt_reducer_slice,
         finish, laps);
}

/* Of whole shards. */
static dt_span samples_of(const dt_reducer *reducer, const dt_plan *plan, dt_span shards)
{
    return (dt_span){dt_min(shards.first * reducer->shard_size, plan->samples),
                     dt_min(shards.last * reducer->shard_size, plan->samples)};
}

void dt_reducer_form_own(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                         dt_laps *laps)
{
    const int64_t group = dt_reducer_member(reducer, worker).group;
    const dt_span shards = dt_group_shards(plan->shards, reducer->workers, reducer->groups, group);
    form(reducer, layers_from(reducer, dt_reducer_first_added(reducer)), worker, samples_of(reducer, plan, shards),
         dt_reducer_share, finish, laps);
}

void dt_reducer_fill_buffers(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, dt_laps *laps)
{
    if (!dt_reducer_adds(reducer, plan))
        return;
    const int64_t group = dt_reducer_member(reducer, worker).group;
    dt_real **buffer = reducer->buffer + group * reducer->buffers_a_group;
    for (int64_t s = plan->first_subtree[group]; s < plan->first_subtree[group + 1]; s++) {
        const dt_finish store = {.out = *buffer++};
        form(reducer, layers_from(reducer, dt_reducer_first_added(reducer)), worker,
             samples_of(reducer, plan, plan->subtrees[s].shards), dt_reducer_share, &store, laps);
    }
}

/* --- joining --- */

/* Which buffer holds subtree s. */
static const dt_real *buffer_of(const dt_reducer *r, const dt_plan *plan, int64_t s)
{
    int64_t g = 0;
    while (s >= plan->first_subtree[g + 1])
        g++;
    return r->buffer[g * r->buffers_a_group + s - plan->first_subtree[g]];
}

/* sum += block `block` of layer 1 of sparse inputs, over the samples of subtree s. */
static void add_formed(const dt_reducer *reducer, const dt_plan *plan, int64_t s, int64_t reader, int64_t block,
                       dt_real *sum)
{
    _Alignas(DT_CACHE_LINE) dt_real formed[DT_BLOCK];
    const dt_finish store = {.out = formed};
    dt_blocks layer = dt_network_blocks(reducer->network, 1);
    layer.offset = -block * DT_BLOCK;
    form_sparse(reducer, 1, reader, samples_of(reducer, plan, plan->subtrees[s].shards), &layer,
                (dt_span){block, block + 1}, &store);
    reducer->network->products->add(DT_BLOCK, sum, formed, sum);
}

bool dt_reducer_partial(const dt_reducer *reducer, const dt_plan *plan, int64_t group, int64_t reader, dt_span blocks,
                        dt_real *sum)
{
    const int64_t first = plan->first_subtree[group], last = plan->first_subtree[group + 1];
    if (!reducer->buffers_a_group || !dt_reducer_adds(reducer, plan))
        return false;
    memset(sum, 0, (size_t)(dt_span_count(blocks) * DT_BLOCK) * sizeof *sum);
    for (int64_t block = blocks.first; block < blocks.last; block++, sum += DT_BLOCK) {
        for (int64_t s = first; s < last && block < reducer->unbuffered; s++)
            add_formed(reducer, plan, s, reader, block, sum);
        for (int64_t i = 0; i < dt_min(last - first, reducer->buffers_a_group) && block >= reducer->unbuffered; i++)
            reducer->network->products->add(
                DT_BLOCK, sum, reducer->buffer[group * reducer->buffers_a_group + i] + dt_reducer_place(reducer, block),
                sum);
    }
    return true;
}

/* A dt_run_sum: the blocks, `at` numbers into the buffers, summed by the plan's program; its last addition finishes
 * them. */
static void join_run(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_blocks *layer,
                     int64_t first, int64_t of_all, int64_t count, const dt_finish *finish)
{
    const dt_products *products = reducer->network->products;
    const int64_t block = of_all - first;   /* of the layer */
    const dt_real *stack[2 * DT_COVER_MAX]; /* a sum is in place i of the scratch, a pushed buffer stays where it is */
    const int64_t at = layer->offset + dt_reducer_place(reducer, block);
    int top = 0;
    for (int64_t i = 0; i < plan->program_length; i++) {
        if (plan->program[i] != DT_JOIN_ADD) {
            stack[top++] = buffer_of(reducer, plan, plan->program[i]) + at;
            continue;
        }
        top--;
        dt_real *sum = reducer->scratch[worker] + (top - 1) * count * DT_BLOCK;
        if (i == plan->program_length - 1)
            products->join(layer, block, count, stack[top - 1], stack[top], sum, finish);
        else
            products->add(count * DT_BLOCK, stack[top - 1], stack[top], sum);
        stack[top - 1] = sum;
    }
}

void dt_reducer_join(const dt_reducer *reducer, const dt_plan *plan, int64_t worker, const dt_finish *finish,
                     dt_laps *laps)
{
    dt_reducer_sum_runs(reducer, plan, worker, finish, laps, join_run);
}
