/* Equations (5) and (6): the weight gradient over shards, in the order of the fixed tree (base/tree.h).
 *
 * Shards come in ascending order, and a binary counter joins equal subtrees: level h of the scratch holds a sum of 2^h
 * shards. Two neighbours are formed at once, so that their sum never leaves the registers, and whatever a tile's sum
 * joins next is added to it there: memory sees one store for two shards.
 */
#include "kernels/gradient.h"

#include <string.h>

#include "base/split.h"
#include "kernels/tile.h"

/* Two accumulators of half the rows fill the registers as one of all rows does. */
enum { DT_PAIR_ROWS = DT_TILE_ROWS / 2 };

/* The longest shards of which two at once, for one group, still fit half the first-level cache. */
enum { DT_PAIR_SAMPLES = 32 };

/* Samples whose lines of one column fit it, beside the rest. */
enum { DT_NEAR_SAMPLES = 256 };

/* Where a finished sum of some shards goes. */
typedef struct target {
    uint64_t joins; /* levels of the scratch that it joins on its way, ascending */
    dt_real *to;    /* the sum is stored here, or, with `step`, subtracted */
    int64_t panel;  /* numbers from panel to panel of `to` */
    bool step;      /* to <- to + rate (sum factor) */
    dt_real factor, rate;
} target;

/* The shards, or pair of shards, that a tile is formed from. */
typedef struct source {
    const dt_real *a, *delta; /* of the first shard's first sample, at the tile's rows and panels */
    int64_t a_stride, delta_stride;
    int64_t first, second; /* samples of the first shard; of the second, which is no longer, or 0 */
    int64_t apart;         /* samples from the start of the first to that of the second */
} source;

/* Where vector v of row r lies in blocks side by side, panels `panel` numbers apart. */
DT_INLINE int64_t block_offset(int r, int v, int64_t panel)
{
    return (v / DT_VECTORS_A_PANEL) * panel + r * DT_LANES + (v % DT_VECTORS_A_PANEL) * DT_WIDTH;
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
                acc[r][v] = dt_add(dt_load(left + block_offset(r, v, DT_BLOCK)), acc[r][v]);
    }
    const int64_t panel = t->panel;
    if (t->step) { /* all loads before the first store, which might alias for all the compiler knows */
        const dt_vector factor = dt_broadcast(&t->factor), rate = dt_broadcast(&t->rate);
        DT_REPEAT (r, rows)
            DT_REPEAT (v, vectors)
                acc[r][v] = dt_fma(rate, dt_mul(acc[r][v], factor), dt_load(to + block_offset(r, v, panel)));
    }
    DT_REPEAT (r, rows)
        DT_REPEAT (v, vectors)
            dt_store(to + block_offset(r, v, panel), acc[r][v]);
}

DT_INLINE void single_tile(const int rows, const int panels, const source *s, const dt_real *a, const dt_real *delta,
                           const dt_real *scratch, dt_real *to, const target *t)
{
    dt_tile acc;
    dt_tile_clear(rows, panels, acc);
    DT_UNROLL_2 for (int64_t i = 0; i < s->first; i++)
        dt_tile_link(rows, panels, a + i * s->a_stride, 1, delta + i * s->delta_stride, DT_LANES, acc);
    finish_tile(rows, panels, scratch, to, t, acc);
}

DT_INLINE void pair_tile(const int rows, const int panels, const source *s, const dt_real *a, const dt_real *delta,
                         const dt_real *scratch, dt_real *to, const target *t)
{
    dt_tile acc, right;
    dt_tile_clear(rows, panels, acc);
    dt_tile_clear(rows, panels, right);
    const dt_real *a_right = a + s->apart * s->a_stride, *delta_right = delta + s->apart * s->delta_stride;
    int64_t i = 0;
    DT_UNROLL_2 for (; i < s->second; i++)
    {
        dt_tile_link(rows, panels, a + i * s->a_stride, 1, delta + i * s->delta_stride, DT_LANES, acc);
        dt_tile_link(rows, panels, a_right + i * s->a_stride, 1, delta_right + i * s->delta_stride, DT_LANES, right);
    }
    for (; i < s->first; i++)
        dt_tile_link(rows, panels, a + i * s->a_stride, 1, delta + i * s->delta_stride, DT_LANES, acc);
    DT_REPEAT (r, rows)
        DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
            acc[r][v] = dt_add(acc[r][v], right[r][v]);
    finish_tile(rows, panels, scratch, to, t, acc);
}

/* One tile: a and delta at its first sample, row and panel; scratch and `to` at its first row. */
typedef void tile_fn(const source *s, const dt_real *a, const dt_real *delta, const dt_real *scratch, dt_real *to,
                     const target *t);

#define TILE(kind, r, w)                                                                                               \
    static void kind##_##r##x##w(const source *s, const dt_real *a, const dt_real *delta, const dt_real *scratch,      \
                                 dt_real *to, const target *t)                                                         \
    {                                                                                                                  \
        kind##_tile(r, w, s, a, delta, scratch, to, t);                                                                \
    }
#define SINGLE(r, w)       TILE(single, r, w)
#define PAIR(r, w)         TILE(pair, r, w)
#define SINGLE_ENTRY(r, w) [r - 1][w - 1] = single_##r##x##w,
#define PAIR_ENTRY(r, w)   [r - 1][w - 1] = pair_##r##x##w,

DT_TILES(SINGLE)
DT_PAIR_TILES(PAIR)

static tile_fn *const single_tiles[DT_TILE_ROWS][DT_TILE_PANELS] = {DT_TILES(SINGLE_ENTRY)};
static tile_fn *const pair_tiles[DT_PAIR_ROWS][DT_TILE_PANELS] = {DT_PAIR_TILES(PAIR_ENTRY)};

/* `panels` blocks side by side in row `kb` of blocks, whose first `rows` rows are used. */
typedef struct group {
    int64_t panel, panels, kb, rows;
    bool columns; /* the next group's columns of a are not at hand: another worker's, or too many for a near cache */
} group;

/* Asks for the sums of the next group of the same panels, to be written, which another worker has read. This and the
 * next are inline, as gcc drops calls of a function that only prefetches. */
DT_INLINE void prefetch_sums(const group *g, const target *root)
{
    for (int64_t w = 0; w < g->panels; w++)
        for (int64_t i = 0; i < DT_BLOCK; i += DT_LANES)
            __builtin_prefetch(root->to + w * root->panel + DT_BLOCK + i, 1, 3);
}

/* Asks for the next group's columns of a, in the samples at hand: a line in each row. */
DT_INLINE void prefetch_columns(const source *s, int64_t kb)
{
    const dt_real *a = s->a + (kb + 1) * DT_LANES;
    for (int64_t i = 0; i < s->first + s->second; i++)
        __builtin_prefetch(a + i * s->a_stride, 0, 2);
}

/* The tiles of a group from one shard or pair. */
static void form_tiles(const dt_gradient_task *task, const group *g, const source *from, const target *to)
{
    const int64_t most = from->second ? DT_PAIR_ROWS : DT_TILE_ROWS;
    if (g->columns)
        prefetch_columns(from, g->kb);
    for (int64_t w = 0, width; w < g->panels; w += width) {
        width = dt_tile_width(g->panels - w);
        for (int64_t r = 0; r < g->rows; r += most) {
            const int64_t height = dt_min(most, g->rows - r);
            const int64_t at = w * DT_BLOCK + r * DT_LANES;
            (from->second ? pair_tiles : single_tiles)[height - 1][width - 1](
                from, from->a + g->kb * DT_LANES + r, from->delta + (g->panel + w) * DT_LANES, task->scratch + at,
                to->to + w * to->panel + r * DT_LANES, to);
        }
    }
}

/* The tree's sum over all shards for a group: to `root`. */
static void form_group(const dt_gradient_task *task, const group *g, const target *root)
{
    const int64_t shards = dt_ceil_div(task->samples, task->shard_size);
    const int64_t size = task->shard_size, base = size <= DT_PAIR_SAMPLES; /* a unit is 2^base shards */
    for (int64_t s = 0; s < shards; s += 1 << base) {
        const int64_t sample = s * size, rest = task->samples - sample;
        const source from = {
            .a = task->a + sample * task->a_stride,
            .delta = task->delta + sample * task->delta_stride,
            .a_stride = task->a_stride,
            .delta_stride = task->delta_stride,
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

static void give_away(const dt_gradient_task *task, const group *g, dt_real *sum, const dt_finish *finish)
{
    const int64_t column = dt_blocks_a_panel(task->layer.inputs);
    for (int64_t w = 0; w < g->panels; w++)
        finish->sink(finish->context, task->layer.l, (g->panel + w) * column + g->kb, sum + w * DT_BLOCK);
}

static void transpose_group(const dt_gradient_task *task, const group *g, const dt_real *W)
{
    const int64_t column = dt_blocks_a_panel(task->layer.inputs);
    for (int64_t w = 0; w < g->panels; w++) {
        dt_real *to = dt_transposed_block(&task->layer, (g->panel + w) * column + g->kb);
        if (to)
            DT_VARIANT(dt_transpose)(W + w * column * DT_BLOCK, to);
    }
}

/* Rows first .. last-1 of blocks of `panels` panels from `panel` on. */
static void form_blocks(const dt_gradient_task *task, int64_t panel, int64_t panels, int64_t first, int64_t last,
                        const dt_finish *finish)
{
    const int64_t column = dt_blocks_a_panel(task->layer.inputs);
    dt_real *vector = finish->W ? finish->W : finish->out;
    dt_real *own = task->scratch + (DT_TREE_LEVELS - 1) * (DT_GROUP * DT_BLOCK);
    for (int64_t kb = first; kb < last; kb++) {
        const group g = {panel, panels, kb, dt_min(DT_LANES, task->layer.inputs + 1 - kb * DT_LANES),
                         kb + 1 < last && (task->shared || task->samples > DT_NEAR_SAMPLES)};
        const target root = {
            .to = vector ? vector + task->layer.offset + (panel * column + kb) * DT_BLOCK : own,
            .panel = vector ? column * DT_BLOCK : DT_BLOCK,
            .step = finish->W != NULL,
            .factor = finish->factor,
            .rate = finish->rate,
        };
        if (task->shared && kb + 1 < last)
            prefetch_sums(&g, &root);
        form_group(task, &g, &root);
        for (int64_t w = 0; w < panels && !finish->W && g.rows < DT_LANES; w++) /* padding is zero */
            memset(root.to + w * root.panel + g.rows * DT_LANES, 0,
                   (size_t)((DT_LANES - g.rows) * DT_LANES) * sizeof(dt_real));
        if (finish->W)
            transpose_group(task, &g, root.to);
        else if (!finish->out)
            give_away(task, &g, own, finish);
    }
}

void DT_VARIANT(dt_gradient)(const dt_gradient_task *task, const dt_finish *finish)
{
    const int64_t column = dt_blocks_a_panel(task->layer.inputs);
    int64_t at = task->first;
    while (at < task->last) {
        const int64_t panel = at / column, kb = at % column, whole = (task->last - at) / column;
        if (kb == 0 && whole > 0) { /* whole panels, as many at once as a tile takes */
            const int64_t panels = whole == DT_GROUP + 1 ? DT_GROUP - 1 : dt_min(DT_GROUP, whole); /* as tiles do */
            form_blocks(task, panel, panels, 0, column, finish);
            at += panels * column;
        } else {
            const int64_t end = dt_min(column, kb + task->last - at);
            form_blocks(task, panel, 1, kb, end, finish);
            at += end - kb;
        }
    }
}

void DT_VARIANT(dt_join)(const dt_blocks *layer, int64_t block, const dt_real *left, const dt_real *right,
                         dt_real *scratch, const dt_finish *finish)
{
    const int64_t at = layer->offset + block * DT_BLOCK;
    if (finish->W) {
        dt_real *W = finish->W + at;
        const dt_vector factor = dt_broadcast(&finish->factor), rate = dt_broadcast(&finish->rate);
        for (int64_t i = 0; i < DT_BLOCK; i += DT_WIDTH) {
            const dt_vector sum = dt_add(dt_load(left + i), dt_load(right + i));
            dt_store(W + i, dt_fma(rate, dt_mul(sum, factor), dt_load(W + i)));
        }
        dt_real *to = dt_transposed_block(layer, block);
        if (to)
            DT_VARIANT(dt_transpose)(W, to);
        return;
    }
    dt_real *sum = finish->out ? finish->out + at : scratch;
    for (int64_t i = 0; i < DT_BLOCK; i += DT_WIDTH)
        dt_store(sum + i, dt_add(dt_load(left + i), dt_load(right + i)));
    if (!finish->out)
        finish->sink(finish->context, layer->l, block, sum);
}
