#include "train/update.h"

#include <string.h>

#include "base/memory.h"

const dt_optimizer *dt_optimizer_named(const char *name)
{
    const dt_optimizer *table = DT_SELECT(dt_optimizer, dt_optimizers, );
    for (int i = 0; i < DT_OPTIMIZER_COUNT; i++)
        if (strcmp(table[i].entry.name, name) == 0)
            return &table[i];
    return NULL;
}

/* --- life --- */

static bool needs_norms(const dt_optimizer *optimizer, const dt_optimizer_spec *spec)
{
    return spec->clip_norm > 0 || optimizer->direct;
}

static bool has_max_norm(const dt_experiment *experiment)
{
    for (size_t l = 0; l < experiment->layer_count; l++)
        if (experiment->network[l].max_norm > 0)
            return true;
    return false;
}

bool dt_updater_measure(const dt_experiment *experiment, const int64_t *units, size_t vector, size_t *bytes)
{
    const dt_optimizer *optimizer = dt_optimizer_named(experiment->optimizer.name);
    const bool norms = needs_norms(optimizer, &experiment->optimizer); /* then the gradient is kept */
    const int arrays = __builtin_popcount(optimizer->states(&experiment->optimizer)) + norms;
    size_t blocks = 0, more;
    for (size_t l = 1; l <= experiment->layer_count; l++)
        blocks += (size_t)(dt_whole_panels(units[l]) / DT_LANES * dt_blocks_a_panel(units[l - 1]));
    const size_t each =
        (norms ? sizeof(dt_block_squares) : 0) + (has_max_norm(experiment) ? DT_LANES * sizeof(double) : 0);
    return dt_multiply(vector, (size_t)arrays, bytes) && dt_multiply(blocks, each, &more) &&
           !__builtin_add_overflow(*bytes, more, bytes);
}

static dt_real *as_parameters(const dt_network *network)
{
    return dt_allocate_hot((size_t)network->blocks, DT_BLOCK * sizeof(dt_real));
}

dt_status dt_updater_create(dt_updater **updater, const dt_experiment *experiment, dt_network *network, dt_error *error)
{
    *updater = NULL;
    dt_updater *u = dt_allocate_zeroed(1, sizeof *u);
    if (!u)
        return dt_fail_memory(error, "the optimizer");
    u->network = network;
    u->spec = &experiment->optimizer;
    u->optimizer = dt_optimizer_named(u->spec->name);
    u->norms = DT_SELECT(dt_norms, dt_norms, &);
    u->summaries = dt_summaries_of(DT_REAL_ENUM);
    const size_t blocks = (size_t)network->blocks;
    const bool norms = needs_norms(u->optimizer, u->spec), cuts = has_max_norm(experiment);
    const unsigned kept = u->optimizer->states(u->spec);
    dt_status status = DT_OK;
    for (int i = 0; status == DT_OK && i < DT_STATES_MAX; i++)
        if (kept >> i & 1 && !(u->state[i] = as_parameters(network)))
            status = dt_fail_memory(error, "the optimizer's state");
    if (status == DT_OK && norms && !(u->gradient = as_parameters(network)))
        status = dt_fail_memory(error, "the gradient");
    if (status == DT_OK && ((norms && !(u->squares = dt_allocate_zeroed(blocks, sizeof *u->squares))) ||
                            (cuts && !(u->lanes = dt_allocate_zeroed(blocks, DT_LANES * sizeof *u->lanes)))))
        status = dt_fail_memory(error, "norms");
    if (status != DT_OK) {
        dt_updater_destroy(u);
        return status;
    }
    *updater = u;
    return DT_OK;
}

void dt_updater_destroy(dt_updater *updater)
{
    if (!updater)
        return;
    for (int i = 0; i < DT_STATES_MAX; i++)
        dt_release(updater->state[i]);
    dt_release(updater->gradient);
    dt_release(updater->squares);
    dt_release(updater->lanes);
    dt_release(updater);
}

void dt_updater_touch(dt_updater *updater, dt_span blocks)
{
    for (int i = 0; i < DT_STATES_MAX; i++)
        if (updater->state[i])
            memset(updater->state[i] + blocks.first * DT_BLOCK, 0,
                   (size_t)dt_span_count(blocks) * DT_BLOCK * sizeof(dt_real));
}

dt_real *dt_updater_state(const dt_updater *updater, int i, const char **name)
{
    for (int k = 0; k < DT_STATES_MAX; k++)
        if (updater->state[k] && i-- == 0) {
            *name = updater->optimizer->state_names[k];
            return updater->state[k];
        }
    *name = NULL;
    return NULL;
}

/* --- parts of a block --- */

/* The bias row of a block that has it, DT_LANES of one that has none: the rows above are W's. */
static int64_t bias_row(const dt_layer *layer, int64_t block)
{
    return dt_min(DT_LANES, layer->inputs - block % layer->column * DT_LANES);
}

/* `rows` rows of parameters, from number `at` on, with gradient g. */
static void update_rows(const dt_update *u, const dt_hyper *hyper, int64_t at, int64_t rows, dt_real *g)
{
    const dt_updater *all = u->updater;
    dt_real *state[DT_STATES_MAX];
    for (int i = 0; i < DT_STATES_MAX; i++)
        state[i] = all->state[i] ? all->state[i] + at : NULL;
    all->optimizer->update(rows * DT_LANES, hyper, all->network->parameters + at, g, state);
}

/* A block's parts, `bias` rows of W^l and what is left of b^l. */
static void update_block_parts(const dt_update *u, const dt_hyper hyper[2], int64_t block, int64_t bias, dt_real *g)
{
    const int64_t at = block * DT_BLOCK;
    update_rows(u, &hyper[0], at, bias, g);
    if (bias < DT_LANES)
        update_rows(u, &hyper[1], at + bias * DT_LANES, 1, g + bias * DT_LANES);
}

/* Is the step W <- W - learning_rate g and nothing more? */
static bool is_plain(const dt_updater *all)
{
    return all->optimizer->plain && all->optimizer->plain(all->spec);
}

/* `count` <= DT_RUN times `rows` rows, and how far each moves: |W_after - W_before|^2. */
static void move_rows(const dt_update *u, const dt_hyper *hyper, int64_t at, int64_t count, int64_t rows, dt_real *g,
                      double *moved)
{
    const dt_updater *all = u->updater;
    const dt_real *W = all->network->parameters + at;
    const int64_t n = rows * DT_LANES;
    if (is_plain(all)) {
        all->summaries->moves(count, n, -(double)hyper->learning_rate, g, W, moved);
        update_rows(u, hyper, at, count * rows, g);
        return;
    }
    dt_real before[DT_RUN * DT_BLOCK];
    memcpy(before, W, (size_t)(count * n) * sizeof *before);
    update_rows(u, hyper, at, count * rows, g);
    all->summaries->distances(count, n, W, before, moved);
}

/* Each block's parts apart, for those who watch: all but the panel's last are weights alone. */
static void move_blocks(const dt_update *u, int64_t l, int64_t block, int64_t count, const dt_hyper *of_W,
                        const dt_hyper *of_b, dt_real *g, dt_moved *moved)
{
    const dt_layer *layer = &u->updater->network->layer[l];
    const int64_t last = block + count - 1, bias = bias_row(layer, last - layer->first_block);
    const int64_t whole = bias < DT_LANES ? count - 1 : count;
    double W[DT_RUN];
    if (whole > 0)
        move_rows(u, of_W, block * DT_BLOCK, whole, DT_LANES, g, W);
    for (int64_t i = 0; i < whole; i++)
        moved[i] = (dt_moved){.W = W[i]};
    if (whole == count)
        return;
    dt_real *rest = g + whole * DT_BLOCK;
    moved[whole].W = 0;
    if (bias > 0)
        move_rows(u, of_W, last * DT_BLOCK, 1, bias, rest, &moved[whole].W);
    move_rows(u, of_b, last * DT_BLOCK + bias * DT_LANES, 1, 1, rest + bias * DT_LANES, &moved[whole].b);
}

/* The optimizer's step of `count` <= DT_RUN blocks with gradient g; the transposed copies and those who
 * watch updates follow. hyper[0] is for the blocks' parts of W^l, hyper[1] for theirs of b^l; NULL: the step's, for
 * all. `block` counts through the network. */
static void update_whole(const dt_update *u, int64_t l, int64_t block, int64_t count, const dt_hyper *hyper, dt_real *g)
{
    dt_network *n = u->updater->network;
    const dt_layer *layer = &n->layer[l];
    dt_moved moved[DT_RUN];
    if (u->watch && u->watch->updated)
        move_blocks(u, l, block, count, hyper ? &hyper[0] : &u->hyper, hyper ? &hyper[1] : &u->hyper, g, moved);
    else if (!hyper)
        update_rows(u, &u->hyper, block * DT_BLOCK, count * DT_LANES, g);
    else
        for (int64_t i = 0; i < count; i++)
            update_block_parts(u, hyper, block + i, bias_row(layer, block + i - layer->first_block), g + i * DT_BLOCK);
    for (int64_t i = 0; i < count; i++)
        dt_network_transpose(n, l, block + i - layer->first_block);
    if (u->watch && u->watch->updated)
        u->watch->updated(u->watch->context, l, block, count, moved);
}

/* --- sum --- */

static bool keeps(const dt_update *u)
{
    return u->updater->gradient != NULL;
}

static void update_blocks(void *context, int64_t l, int64_t block, int64_t count, dt_real *g)
{
    const dt_update *u = context;
    update_whole(u, l, u->updater->network->layer[l].first_block + block, count, NULL, g);
}

_Static_assert(2 + DT_STATES_MAX < DT_AHEAD, "observers have a place, too");

/* What a block's update, and those who watch it, will need. */
static int places_of(void *context, int64_t l, int64_t block, dt_region place[DT_AHEAD])
{
    const dt_update *u = context;
    const dt_updater *all = u->updater;
    const dt_blocks layer = dt_network_blocks(all->network, l);
    const dt_real *transposed = dt_transposed_block(&layer, block);
    const int64_t number = all->network->layer[l].first_block + block, at = number * DT_BLOCK;
    int n = 0;
    place[n++] = (dt_region){all->network->parameters + at, DT_BLOCK};
    if (transposed)
        place[n++] = (dt_region){transposed, DT_LANES * layer.transposed_rows};
    for (int i = 0; i < DT_STATES_MAX; i++)
        if (all->state[i])
            place[n++] = (dt_region){all->state[i] + at, DT_BLOCK};
    if (u->watch && u->watch->ahead)
        n += u->watch->ahead(u->watch->context, l, number, DT_AHEAD - n, place + n);
    return n;
}

/* update_blocks with watchers in between: the same operations, so the same bits. */
static void show_blocks(void *context, int64_t l, int64_t block, int64_t count, dt_real *g)
{
    const dt_update *u = context;
    const int64_t number = u->updater->network->layer[l].first_block + block;
    u->watch->shown(u->watch->context, l, number, count, g);
    update_whole(u, l, number, count, NULL, g);
}

/* The first half of it, when something must be known of the whole gradient. */
static void keep_blocks(void *context, int64_t l, int64_t block, int64_t count, dt_real *g)
{
    const dt_update *u = context;
    const int64_t number = u->updater->network->layer[l].first_block + block;
    dt_real *gradient = u->updater->gradient + number * DT_BLOCK;
    memcpy(gradient, g, (size_t)(count * DT_BLOCK) * sizeof *gradient);
    if (u->watch)
        u->watch->shown(u->watch->context, l, number, count, gradient);
}

/* A block of the weights that all share, as they are now; stepped; and kept as they were left. */
static void update_shared_block(const dt_update *u, int64_t l, int64_t block, dt_real *g)
{
    const int64_t at = (u->own->layer[l].first_block + block) * DT_BLOCK;
    dt_real *shared = u->updater->network->parameters + at, *own = u->own->parameters + at;
    dt_real *const no_state[DT_STATES_MAX] = {NULL};
    dt_hogwild_read(shared, own);
    u->updater->optimizer->update(DT_BLOCK, &u->hyper, own, g, no_state);
    dt_hogwild_write(shared, own);
    dt_network_transpose(u->own, l, block);
}

static void update_shared(void *context, int64_t l, int64_t block, int64_t count, dt_real *g)
{
    for (int64_t i = 0; i < count; i++)
        update_shared_block(context, l, block + i, g + i * DT_BLOCK);
}

void dt_update_copy_shared(const dt_update *u)
{
    for (int64_t l = 1; l <= u->own->layers; l++) {
        const dt_layer *layer = &u->own->layer[l];
        for (int64_t block = 0; block < layer->panels * layer->column; block++) {
            const int64_t at = (layer->first_block + block) * DT_BLOCK;
            dt_hogwild_read(u->updater->network->parameters + at, u->own->parameters + at);
            dt_network_transpose(u->own, l, block);
        }
    }
}

dt_finish dt_update_finish(dt_update *u)
{
    const dt_updater *all = u->updater;
    if (u->own)
        return (dt_finish){.sink = update_shared, .context = u, .factor = u->inverse_batch};
    if (keeps(u))
        return (dt_finish){.sink = keep_blocks, .context = u, .factor = u->inverse_batch};
    if (u->watch)
        return (dt_finish){.sink = show_blocks, .ahead = places_of, .context = u, .factor = u->inverse_batch};
    if (is_plain(all))
        return (dt_finish){.W = all->network->parameters, .rate = -u->hyper.learning_rate, .factor = u->inverse_batch};
    return (dt_finish){.sink = update_blocks, .ahead = places_of, .context = u, .factor = u->inverse_batch};
}

/* --- norms --- */

static void wait(const dt_update *u)
{
    dt_worker_barrier(u->worker);
    dt_lap(u->laps, DT_PHASE_WAIT, 0);
}

/* |x|^2 of the block's parts of W^l and b^l. */
static void part_squares(const dt_norms *norms, int64_t bias, const dt_real *x, double squares[2])
{
    squares[0] = norms->squares(bias, x);
    squares[1] = bias < DT_LANES ? norms->squares(1, x + bias * DT_LANES) : 0;
}

/* Runs `stage` on the worker's own blocks. */
static void each_block(const dt_update *u, void (*stage)(const dt_update *u, const dt_layer *layer, int64_t block))
{
    const dt_network *n = u->updater->network;
    for (int64_t l = 1; l <= n->layers; l++) {
        const dt_span slice = dt_reducer_slice(u->reducer, l, u->worker->index);
        for (int64_t block = slice.first; block < slice.last; block++)
            stage(u, &n->layer[l], block);
        dt_lap(u->laps, DT_PHASE_UPDATE, l);
    }
}

/* Norms of W^l and of what is kept in g, and those of b^l, from all workers' blocks. */
typedef struct tensor_norms {
    double W[2], g[2];
} tensor_norms;

static tensor_norms add_squares(const dt_updater *all, const dt_layer *layer)
{
    tensor_norms sum = {{0}, {0}};
    for (int64_t i = 0; i < layer->panels * layer->column; i++)
        for (int part = 0; part < 2; part++) {
            sum.W[part] += all->squares[layer->first_block + i].W[part];
            sum.g[part] += all->squares[layer->first_block + i].g[part];
        }
    return sum;
}

/* --- clip --- */

static void measure_gradient(const dt_update *u, const dt_layer *layer, int64_t block)
{
    const dt_updater *all = u->updater;
    part_squares(all->norms, bias_row(layer, block - layer->first_block), all->gradient + block * DT_BLOCK,
                 all->squares[block].g);
}

/* As PyTorch's clip_grad_norm_: g scaled by clip_norm / (|g| + 1e-6), where that is below 1. */
static void clip(dt_update *u)
{
    const dt_network *n = u->updater->network;
    double sum = 0;
    each_block(u, measure_gradient);
    wait(u);
    for (int64_t l = 1; l <= n->layers; l++) {
        const tensor_norms layer = add_squares(u->updater, &n->layer[l]);
        sum += layer.g[0] + layer.g[1];
    }
    const double factor = u->updater->spec->clip_norm / (__builtin_sqrt(sum) + 1e-6);
    u->hyper.clip = factor < 1 ? (dt_real)factor : 1;
}

/* --- direct --- */

static void direct_block(const dt_update *u, const dt_layer *layer, int64_t block)
{
    const dt_updater *all = u->updater;
    const int64_t at = block * DT_BLOCK, bias = bias_row(layer, block - layer->first_block);
    const dt_real *W = all->network->parameters + at;
    dt_real *state[DT_STATES_MAX];
    for (int i = 0; i < DT_STATES_MAX; i++)
        state[i] = all->state[i] ? all->state[i] + at : NULL;
    all->optimizer->direct(DT_BLOCK, &u->hyper, W, all->gradient + at, state);
    part_squares(all->norms, bias, W, all->squares[block].W);
    part_squares(all->norms, bias, all->gradient + at, all->squares[block].g);
}

/* --- update --- */

/* Each part of the layer's blocks with its own ratio. */
static void update_parts(const dt_update *u, int64_t l, dt_span slice)
{
    const dt_updater *all = u->updater;
    const dt_layer *layer = &all->network->layer[l];
    const tensor_norms norms = add_squares(all, layer);
    dt_hyper hyper[2] = {u->hyper, u->hyper};
    for (int part = 0; part < 2; part++)
        hyper[part].trust =
            (dt_real)all->optimizer->trust(all->spec, __builtin_sqrt(norms.W[part]), __builtin_sqrt(norms.g[part]));
    for (int64_t block = slice.first; block < slice.last; block++)
        update_whole(u, l, block, 1, hyper, all->gradient + block * DT_BLOCK);
}

static void update_kept(const dt_update *u)
{
    const dt_updater *all = u->updater;
    for (int64_t l = 1; l <= all->network->layers; l++) {
        const dt_layer *layer = &all->network->layer[l];
        const dt_span slice = dt_reducer_slice(u->reducer, l, u->worker->index);
        if (all->optimizer->direct)
            update_parts(u, l, slice);
        else
            for (int64_t block = slice.first, run; block < slice.last; block += run) {
                const int64_t left = layer->column - (block - layer->first_block) % layer->column; /* of the panel */
                run = dt_min(DT_RUN, dt_min(left, slice.last - block));
                update_whole(u, l, block, run, NULL, all->gradient + block * DT_BLOCK);
            }
        dt_lap(u->laps, DT_PHASE_UPDATE, l);
    }
}

/* --- cut --- */

static void measure_units(const dt_update *u, const dt_layer *layer, int64_t block)
{
    if (layer->max_norm > 0)
        u->updater->norms->lanes(bias_row(layer, block - layer->first_block),
                                 u->updater->network->parameters + block * DT_BLOCK,
                                 u->updater->lanes + block * DT_LANES);
}

/* What the weights of a panel's units are multiplied by. false: all by 1. */
static bool panel_factors(const dt_updater *all, const dt_layer *layer, int64_t panel, dt_real factor[DT_LANES])
{
    const double *lanes = all->lanes + (layer->first_block + panel * layer->column) * DT_LANES;
    double sum[DT_LANES] = {0};
    bool any = false;
    for (int64_t i = 0; i < layer->column; i++)
        for (int j = 0; j < DT_LANES; j++)
            sum[j] += lanes[i * DT_LANES + j];
    for (int j = 0; j < DT_LANES; j++) {
        const double norm = __builtin_sqrt(sum[j]);
        factor[j] = norm > layer->max_norm ? (dt_real)(layer->max_norm / norm) : 1;
        any = any || norm > layer->max_norm;
    }
    return any;
}

/* W_j, without the bias, scaled down to max_norm. */
static void cut(const dt_update *u)
{
    const dt_updater *all = u->updater;
    each_block(u, measure_units);
    wait(u);
    for (int64_t l = 1; l <= all->network->layers; l++) {
        const dt_layer *layer = &all->network->layer[l];
        const dt_span slice = dt_reducer_slice(u->reducer, l, u->worker->index);
        dt_real factor[DT_LANES];
        bool any = false;
        for (int64_t block = slice.first; layer->max_norm > 0 && block < slice.last; block++) {
            const int64_t within = block - layer->first_block;
            if (block == slice.first || within % layer->column == 0)
                any = panel_factors(all, layer, within / layer->column, factor);
            if (!any)
                continue;
            all->norms->scale(bias_row(layer, within), factor, all->network->parameters + block * DT_BLOCK);
            dt_network_transpose(all->network, l, within);
        }
        dt_lap(u->laps, DT_PHASE_UPDATE, l);
    }
}

void dt_update_rest(dt_update *u)
{
    const dt_updater *all = u->updater;
    if (all->spec->clip_norm > 0)
        clip(u);
    if (all->optimizer->direct) {
        if (all->spec->clip_norm > 0)
            wait(u); /* others may still add the squares that direct overwrites */
        each_block(u, direct_block);
        wait(u);
    }
    if (keeps(u))
        update_kept(u);
    if (all->lanes)
        cut(u);
}
