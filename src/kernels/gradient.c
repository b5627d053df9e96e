/* Equations (5) and (6): the weight gradient over shards, in the order of the fixed tree (base/tree.h).
 *
 * Shards come in ascending order, and a binary counter joins equal subtrees: level h of the scratch holds a sum of 2^h
 * shards. Two neighbours are formed at once, so that their sum never leaves the registers, and whatever a tile's sum
 * joins next is added to it there: memory sees one store for two shards.
 *
 * Lanes run across units. Where a layer has too few of them to fill a vector they run across inputs instead: the tiles
 * are those of dW^T, from a and delta in each other's place, and a block is transposed once its sum is whole. The
 * chains and the tree are the same, and so are the bits.
 */
#include "kernels/gradient.h"

#include <string.h>

#include "base/split.h"
#include "kernels/tile.h"

_Static_assert(DT_GROUP <= DT_RUN, "a narrow layer's blocks are given away a group at a time");

/* Two accumulators of half the rows fill the registers as one of all rows does. */
enum { DT_PAIR_ROWS = DT_TILE_ROWS / 2 };

/* The longest shards of which two at once, for one group, still fit half the first-level cache. */
enum { DT_PAIR_SAMPLES = 32 };

/* Samples whose lines of one column fit it, beside the rest. */
enum { DT_NEAR_SAMPLES = 256 };

/* Of more samples, a has no place in the second-level cache. Then several groups of panels, whose delta takes at most
 * these bytes of it, go through the columns of a together, each of which comes from afar once for all of them. */
enum { DT_NEAR_BYTES = 400 << 10, DT_NEAR_GROUPS = 4 };

/* Where a finished sum of some shards goes. */
typedef struct target {
    uint64_t joins; /* levels of the scratch that it joins on its way, ascending */
    dt_real *to;    /* the sum is stored here, or, with `step`, subtracted */
    int64_t panel;  /* numbers from panel to panel of `to` */
    bool step;      /* to <- to + rate (sum factor) */
    dt_real factor, rate;
} target;

/* The shards, or pair of shards, that a tile is formed from: its rows from columns of `left` (a), its panels from those
 * of `right` (delta), or the other way round. */
typedef struct source {
    const dt_real *left, *right; /* of the first shard's first sample, at the group's rows and panels */
    int64_t left_stride, right_stride;
    int64_t first, second; /* samples of the first shard; of the second, which is no longer, or 0 */
    int64_t apart;         /* samples from the start of the first to that of the second */
} source;

/* Where vector v of row r lies in a block, v counted over panels. */
DT_INLINE int64_t block_offset(int r, int v)
{
    return r * DT_LANES + (v % DT_VECTORS_A_PANEL) * DT_WIDTH;
}

/* Blocks of the scratch lie side by side. */
DT_INLINE int64_t scratch_offset(int r, int v)
{
    return (v / DT_VECTORS_A_PANEL) * DT_BLOCK + block_offset(r, v);
}

/* acc + what it joins, to its target. `scratch` and `to` are at the tile's first row. */
DT_INLINE void finish_tile(const int rows, const int panels, const dt_real *scratch, dt_real *to, const target *t,
                           dt_tile acc)
{
    const int vectors = panels * DT_VECTORS_A_PANEL;
    for (uint64_t rest = t->joins; rest; rest &= rest - 1) {
        const dt_real *left = scratch + __builtin_ctzll(rest) * (DT_GROUP * DT_BLOCK);
        DT_REPEAT (r, rows)
            DT_REPEAT (v, vectors)
                acc[r][v] = dt_add(dt_load(left + scratch_offset(r, v)), acc[r][v]);
    }
    /* One pointer a panel, and all else displacements: gcc would rather keep an address for each vector, which take
     * more registers than there are. */
    dt_real *block[DT_TILE_PANELS];
    DT_REPEAT (w, panels) {
        block[w] = to + w * t->panel;
        if (panels > 2)
            DT_HIDE(block[w]);
    }
    if (t->step) { /* all loads before the first store, which might alias for all the compiler knows */
        const dt_vector factor = dt_broadcast(&t->factor), rate = dt_broadcast(&t->rate);
        DT_REPEAT (r, rows)
            DT_REPEAT (v, vectors)
                acc[r][v] = dt_fma(rate, dt_mul(acc[r][v], factor),
                                   dt_load(block[v / DT_VECTORS_A_PANEL] + block_offset(r, v)));
    }
    DT_REPEAT (r, rows)
        DT_REPEAT (v, vectors)
            dt_store(block[v / DT_VECTORS_A_PANEL] + block_offset(r, v), acc[r][v]);
}

DT_INLINE void single_tile(const int rows, const int panels, const source *s, const dt_real *left, const dt_real *right,
                           const dt_real *scratch, dt_real *to, const target *t)
{
    dt_tile acc;
    dt_tile_clear(rows, panels, acc);
    DT_UNROLL_2 for (int64_t i = 0; i < s->first; i++)
        dt_tile_link(rows, panels, left + i * s->left_stride, 1, right + i * s->right_stride, DT_LANES, acc);
    finish_tile(rows, panels, scratch, to, t, acc);
}

DT_INLINE void pair_tile(const int rows, const int panels, const source *s, const dt_real *left, const dt_real *right,
                         const dt_real *scratch, dt_real *to, const target *t)
{
    dt_tile acc, second;
    dt_tile_clear(rows, panels, acc);
    dt_tile_clear(rows, panels, second);
    const dt_real *left_2 = left + s->apart * s->left_stride, *right_2 = right + s->apart * s->right_stride;
    int64_t i = 0;
    DT_UNROLL_2 for (; i < s->second; i++)
    {
        dt_tile_link(rows, panels, left + i * s->left_stride, 1, right + i * s->right_stride, DT_LANES, acc);
        dt_tile_link(rows, panels, left_2 + i * s->left_stride, 1, right_2 + i * s->right_stride, DT_LANES, second);
    }
    for (; i < s->first; i++)
        dt_tile_link(rows, panels, left + i * s->left_stride, 1, right + i * s->right_stride, DT_LANES, acc);
    DT_REPEAT (r, rows)
        DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
            acc[r][v] = dt_add(acc[r][v], second[r][v]);
    finish_tile(rows, panels, scratch, to, t, acc);
}

/* One tile: left and right at its first sample, row and panel; scratch and `to` at its first row. */
typedef void tile_fn(const source *s, const dt_real *left, const dt_real *right, const dt_real *scratch, dt_real *to,
                     const target *t);

#define TILE(kind, r, w)                                                                                               \
    static void kind##_##r##x##w(const source *s, const dt_real *left, const dt_real *right, const dt_real *scratch,   \
                                 dt_real *to, const target *t)                                                         \
    {                                                                                                                  \
        kind##_tile(r, w, s, left, right, scratch, to, t);                                                             \
    }
#define SINGLE(r, w)       TILE(single, r, w)
#define PAIR(r, w)         TILE(pair, r, w)
#define SINGLE_ENTRY(r, w) [r - 1][w - 1] = single_##r##x##w,
#define PAIR_ENTRY(r, w)   [r - 1][w - 1] = pair_##r##x##w,

DT_TILES(SINGLE)
DT_PAIR_TILES(PAIR)

static tile_fn *const single_tiles[DT_TILE_ROWS][DT_TILE_PANELS] = {DT_TILES(SINGLE_ENTRY)};
static tile_fn *const pair_tiles[DT_PAIR_ROWS][DT_TILE_PANELS] = {DT_PAIR_TILES(PAIR_ENTRY)};

/* `panels` blocks side by side, whose first `rows` rows are used; left and right as in source, of the first sample. */
typedef struct group {
    const dt_real *left, *right;
    int64_t left_stride, right_stride;
    int64_t rows, panels;
    int64_t turn, turns; /* this is one of `turns` groups that share columns of `left` and ask for the next ones. 0:
                            those are at hand, neither another worker's nor too many for a near cache */
} group;

/* Asks for sums of the group's panels, to be written, which another worker has read or which are far. This and the next
 * are inline, as gcc drops calls of a function that only prefetches. */
DT_INLINE void prefetch_sums(const group *g, const dt_real *to, int64_t panel)
{
    for (int64_t w = 0; w < g->panels; w++)
        for (int64_t i = 0; i < DT_BLOCK; i += DT_LANES)
            __builtin_prefetch(to + w * panel + i, 1, 3);
}

/* Asks for the group's part of the next columns of `left`, in the samples at hand: a line in each row. */
DT_INLINE void prefetch_columns(const source *s, const group *g)
{
    const dt_span own = dt_split(s->first + s->second, g->turns, g->turn);
    for (int64_t i = own.first; i < own.last; i++)
        __builtin_prefetch(s->left + DT_LANES + i * s->left_stride, 0, 2);
}

/* The tiles of a group from one shard or pair. */
static void form_tiles(const dt_gradient_task *task, const group *g, const source *from, const target *to)
{
    const int64_t most = from->second ? DT_PAIR_ROWS : DT_TILE_ROWS;
    if (g->turns)
        prefetch_columns(from, g);
    for (int64_t w = 0, width; w < g->panels; w += width) {
        width = dt_tile_width(g->panels - w);
        for (int64_t r = 0; r < g->rows; r += most) {
            const int64_t height = dt_min(most, g->rows - r);
            const int64_t at = w * DT_BLOCK + r * DT_LANES;
            (from->second ? pair_tiles : single_tiles)[height - 1][width - 1](
                from, from->left + r, from->right + w * DT_LANES, task->scratch + at,
                to->to + w * to->panel + r * DT_LANES, to);
        }
    }
}

/* The tree's sum over all shards for a group: to `root`. */
DT_INLINE void form_group(const dt_gradient_task *task, const group *g, const target *root)
{
    const int64_t shards = dt_ceil_div(task->samples, task->shard_size);
    const int64_t size = task->shard_size, base = size <= DT_PAIR_SAMPLES; /* a unit is 2^base shards */
    for (int64_t s = 0; s < shards; s += 1 << base) {
        const int64_t sample = s * size, rest = task->samples - sample;
        const source from = {
            .left = g->left + sample * g->left_stride,
            .right = g->right + sample * g->right_stride,
            .left_stride = g->left_stride,
            .right_stride = g->right_stride,
            .first = dt_min(size, rest),
            .second = base ? dt_min(size, dt_max(0, rest - size)) : 0,
            .apart = size,
        };
        /* The counter's trailing ones are the equal subtrees that this one joins; the last one joins all that still
         * stand, which are the counter's ones. */
        const uint64_t counter = (uint64_t)s >> base, carry = counter & ~(counter + 1);
        if (s + (1 << base) >= shards) {
            target last = *root;
            last.joins = counter << base;
            form_tiles(task, g, &from, &last);
        } else {
            const int64_t level = base + __builtin_popcountll(carry);
            const target sum = {
                .joins = carry << base, .to = task->scratch + level * (DT_GROUP * DT_BLOCK), .panel = DT_BLOCK};
            form_tiles(task, g, &from, &sum);
        }
    }
}

/* Block `block` of the layer, stepped, goes to the transposed copy, too. */
static void copy_transposed(const dt_blocks *layer, int64_t block, const dt_real *W)
{
    dt_real *to = dt_transposed_block(layer, block);
    if (to)
        DT_VARIANT(dt_transpose)(W, to);
}

/* Padding of a block is zero. */
static void clear_rows(dt_real *block, int64_t rows)
{
    if (rows < DT_LANES)
        memset(block + rows * DT_LANES, 0, (size_t)((DT_LANES - rows) * DT_LANES) * sizeof *block);
}

/* The rows of a block that are used: of the last one, those of inputs and the bias. */
static int64_t rows_of(const dt_blocks *layer, int64_t kb)
{
    return dt_min(DT_LANES, layer->inputs + 1 - kb * DT_LANES);
}

/* Room for a group's whole sums, behind the levels of the tree. */
static dt_real *own_sums(const dt_gradient_task *task)
{
    return task->scratch + DT_TREE_LEVELS * (DT_GROUP * DT_BLOCK);
}

/* A group: blocks kb of `panels` panels from `panel` on, the `turn`th of `turns` with the same columns of a. `more`:
 * those of kb + 1 follow. `given`: where their sums go that are given away, `given_panel` numbers apart. */
DT_INLINE void form_row(const dt_gradient_task *task, int64_t panel, int64_t panels, int64_t kb, bool more,
                        int64_t turn, int64_t turns, const dt_finish *finish, dt_real *given, int64_t given_panel)
{
    const bool far = task->samples > DT_NEAR_SAMPLES;
    const dt_blocks *layer = &task->layer;
    const int64_t column = dt_blocks_a_panel(layer->inputs), block = panel * column + kb;
    dt_real *vector = finish->W ? finish->W : finish->out;
    const group g = {
        .left = task->a + kb * DT_LANES,
        .right = task->delta + panel * DT_LANES,
        .left_stride = task->a_stride,
        .right_stride = task->delta_stride,
        .rows = rows_of(layer, kb),
        .panels = panels,
        .turn = turn,
        .turns = more && (task->shared || far) ? turns : 0,
    };
    const target root = {
        .to = vector ? vector + layer->offset + block * DT_BLOCK : given,
        .panel = vector ? column * DT_BLOCK : given_panel,
        .step = finish->W != NULL,
        .factor = finish->factor,
        .rate = finish->rate,
    };
    if (far) /* there is time enough to fetch these */
        prefetch_sums(&g, root.to, root.panel);
    else if (task->shared && more)
        prefetch_sums(&g, root.to + DT_BLOCK, root.panel);
    form_group(task, &g, &root);
    for (int64_t w = 0; w < panels; w++) {
        dt_real *sum = root.to + w * root.panel;
        if (finish->W)
            copy_transposed(layer, block + w * column, sum);
        else
            clear_rows(sum, g.rows);
    }
}

/* Panels of the next group, of those left: as tiles do. */
static int64_t group_width(int64_t panels)
{
    return panels == DT_GROUP + 1 ? DT_GROUP - 1 : dt_min(DT_GROUP, panels);
}

/* Of `whole` panels, those that go through the columns of a together. */
static int64_t panels_at_once(const dt_gradient_task *task, int64_t whole)
{
    if (task->samples <= DT_NEAR_SAMPLES)
        return group_width(whole);
    const int64_t a_group = task->samples * (DT_GROUP * DT_LANES * (int64_t)sizeof(dt_real));
    const int64_t panels = DT_GROUP * dt_max(1, dt_min(DT_NEAR_GROUPS, DT_NEAR_BYTES / a_group));
    return whole == panels + 1 ? whole : dt_min(panels, whole); /* one is never left alone */
}

/* Rows first .. last-1 of blocks of `panels` panels from `panel` on. Those that are given away go in runs; not where
 * groups take turns, as others' sums come between a panel's. */
static void form_blocks(const dt_gradient_task *task, int64_t panel, int64_t panels, int64_t first, int64_t last,
                        const dt_finish *finish)
{
    const int64_t turns = dt_ceil_div(panels, DT_GROUP), column = dt_blocks_a_panel(task->layer.inputs);
    const int64_t most = finish->sink && turns == 1 ? DT_RUN : 1;
    dt_real *own = own_sums(task);
    for (int64_t kb = first, run; kb < last; kb += run) {
        run = dt_min(most, last - kb);
        for (int64_t p = 0, turn = 0, width; p < panels; p += width, turn++) {
            width = group_width(panels - p);
            for (int64_t i = 0; i < run; i++) {
                for (int64_t w = 0; finish->ahead && w < width; w++)
                    finish->ahead(finish->context, task->layer.l, (panel + p + w) * column + kb + i);
                form_row(task, panel + p, width, kb + i, kb + i + 1 < last, turn, turns, finish, own + i * DT_BLOCK,
                         run * DT_BLOCK);
            }
            for (int64_t w = 0; finish->sink && w < width; w++)
                finish->sink(finish->context, task->layer.l, (panel + p + w) * column + kb, run,
                             own + w * run * DT_BLOCK);
        }
    }
}

/* The step of one block in place. */
static void step_block(dt_real *W, const dt_real *sum, const dt_finish *finish)
{
    const dt_vector factor = dt_broadcast(&finish->factor), rate = dt_broadcast(&finish->rate);
    for (int64_t i = 0; i < DT_BLOCK; i += DT_WIDTH)
        dt_store(W + i, dt_fma(rate, dt_mul(dt_load(sum + i), factor), dt_load(W + i)));
}

/* `count` blocks of the gradient from the same blocks of its transpose. */
static void finish_narrow(const dt_gradient_task *task, int64_t first, int64_t count, const dt_real *transposed,
                          dt_real *room, const dt_finish *finish)
{
    const dt_blocks *layer = &task->layer;
    dt_real *sums = finish->out ? finish->out + layer->offset + first * DT_BLOCK : room;
    for (int64_t i = 0; i < count; i++) {
        dt_real *sum = sums + i * DT_BLOCK;
        DT_VARIANT(dt_transpose)(transposed + i * DT_BLOCK, sum);
        clear_rows(sum, rows_of(layer, first + i));
        if (finish->W) {
            dt_real *W = finish->W + layer->offset + (first + i) * DT_BLOCK;
            step_block(W, sum, finish);
            copy_transposed(layer, first + i, W);
        }
    }
    if (finish->sink)
        finish->sink(finish->context, layer->l, first, count, sums);
}

/* Few enough units that lanes are better spent on inputs. */
static bool is_narrow(const dt_blocks *layer)
{
    return layer->panels == 1 && 4 * layer->units <= 3 * DT_LANES;
}

/* The blocks of a layer of one panel, through those of dW^T: rows are units, panels are blocks' rows of inputs. */
static void form_narrow(const dt_gradient_task *task, const dt_finish *finish)
{
    dt_real *own = own_sums(task), *room = own + DT_GROUP * DT_RUN * DT_BLOCK;
    for (int64_t w = 0; w < DT_GROUP; w++)
        clear_rows(own + w * DT_BLOCK, task->layer.units);
    for (int64_t kb = task->first, panels; kb < task->last; kb += panels) {
        const int64_t rest = task->last - kb;
        panels = group_width(rest);
        const group g = {
            .left = task->delta,
            .right = task->a + kb * DT_LANES,
            .left_stride = task->delta_stride,
            .right_stride = task->a_stride,
            .rows = task->layer.units,
            .panels = panels,
        };
        form_group(task, &g, &(target){.to = own, .panel = DT_BLOCK});
        finish_narrow(task, kb, panels, own, room, finish);
    }
}

void DT_VARIANT(dt_gradient)(const dt_gradient_task *task, const dt_finish *finish)
{
    const int64_t column = dt_blocks_a_panel(task->layer.inputs);
    int64_t at = task->first;
    if (is_narrow(&task->layer)) {
        form_narrow(task, finish);
        return;
    }
    while (at < task->last) {
        const int64_t panel = at / column, kb = at % column, whole = (task->last - at) / column;
        if (kb == 0 && whole > 0) { /* whole panels, as many at once as a tile takes */
            const int64_t panels = panels_at_once(task, whole);
            form_blocks(task, panel, panels, 0, column, finish);
            at += panels * column;
        } else {
            const int64_t end = dt_min(column, kb + task->last - at);
            form_blocks(task, panel, 1, kb, end, finish);
            at += end - kb;
        }
    }
}

void DT_VARIANT(dt_join)(const dt_blocks *layer, int64_t block, int64_t count, const dt_real *left,
                         const dt_real *right, dt_real *scratch, const dt_finish *finish)
{
    const int64_t at = layer->offset + block * DT_BLOCK, n = count * DT_BLOCK;
    if (finish->W) {
        dt_real *W = finish->W + at;
        const dt_vector factor = dt_broadcast(&finish->factor), rate = dt_broadcast(&finish->rate);
        for (int64_t i = 0; i < n; i += DT_WIDTH) {
            const dt_vector sum = dt_add(dt_load(left + i), dt_load(right + i));
            dt_store(W + i, dt_fma(rate, dt_mul(sum, factor), dt_load(W + i)));
        }
        for (int64_t i = 0; i < count; i++)
            copy_transposed(layer, block + i, W + i * DT_BLOCK);
        return;
    }
    dt_real *sum = finish->out ? finish->out + at : scratch;
    for (int64_t i = 0; i < n; i += DT_WIDTH)
        dt_store(sum + i, dt_add(dt_load(left + i), dt_load(right + i)));
    if (finish->sink)
        finish->sink(finish->context, layer->l, block, count, sum);
}
