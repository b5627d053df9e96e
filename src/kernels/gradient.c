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
    bool scales;    /* sum factor is stored */
    bool step;      /* to <- to + rate (sum factor) */
    dt_real factor, rate;
    int64_t ahead; /* the lines so far ahead are asked for as a tile begins; negative: none */
} target;

/* Lines that a group's sink will read, of which each tile asks for some: all at once they would have to wait for each
 * other, and the tiles for them. */
typedef struct request {
    dt_region place[DT_GROUP * DT_AHEAD];
    int places;
    int64_t at, numbers, tile; /* asked for so far, of each place; in all; with each tile */
} request;

DT_INLINE void ask_for_some(request *a)
{
    if (!a)
        return;
    for (const int64_t end = dt_min(a->numbers, a->at + a->tile); a->at < end; a->at += DT_LANES)
        for (int p = 0; p < a->places; p++)
            __builtin_prefetch(dt_region_line(&a->place[p], a->at), 0, 2);
}

/* The shards, or pair of shards, that a tile is formed from: its rows from columns of `left` (a), its panels from those
 * of `right` (delta), or the other way round. */
typedef struct source {
    const dt_real *left, *right; /* of the first shard's first sample, at the group's rows and panels */
    int64_t left_stride, right_stride;
    int64_t first, second; /* samples of the first shard; of the second, which is no longer, or 0 */
    int64_t apart;         /* samples from the start of the first to that of the second */
    int64_t ahead;         /* lines of `left` so far ahead are asked for as one is read; 0: none */
    request *request;      /* NULL: none */
} source;

/* The scratch: a group's whole sums, a block for each panel of it, and sums of 2^level shards of a group that wait to
 * be joined. */
DT_INLINE dt_real *own_sums(const dt_gradient_task *task)
{
    return task->scratch;
}

DT_INLINE dt_real *own_blocks(const dt_gradient_task *task)
{
    return task->scratch + DT_GROUP_SIZE;
}

DT_INLINE dt_real *waiting_sums(const dt_gradient_task *task, int64_t level)
{
    return task->scratch + DT_GROUP_SIZE + DT_GROUP * DT_BLOCK + level * DT_GROUP_SIZE;
}

/* Where vector v of row r lies in a block, v counted over panels. */
DT_INLINE int64_t block_offset(int r, int v)
{
    return r * DT_LANES + (v % DT_VECTORS_A_PANEL) * DT_WIDTH;
}

/* The same in the scratch, where panels of a group lie side by side. */
DT_INLINE int64_t scratch_offset(int r, int v)
{
    return (v / DT_VECTORS_A_PANEL) * DT_GROUP_PANEL + block_offset(r, v);
}

/* acc + what it joins, to its target. `scratch` and `to` are at the tile's first row. */
DT_INLINE void finish_tile(const int rows, const int panels, const dt_real *scratch, dt_real *to, const target *t,
                           dt_tile acc)
{
    const int vectors = panels * DT_VECTORS_A_PANEL;
    for (uint64_t rest = t->joins; rest; rest &= rest - 1) {
        const dt_real *left = scratch + __builtin_ctzll(rest) * DT_GROUP_SIZE;
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
    if (t->scales) {
        const dt_vector factor = dt_broadcast(&t->factor);
        DT_REPEAT (r, rows)
            DT_REPEAT (v, vectors)
                acc[r][v] = dt_mul(acc[r][v], factor);
    } else if (t->step) { /* all loads before the first store, which might alias for all the compiler knows */
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

/* Asks for sums that another worker has read, or that are far. */
DT_INLINE void ask_for_sums(const int rows, const int panels, const dt_real *to, const target *t)
{
    if (t->ahead >= 0)
        DT_REPEAT (r, rows)
            DT_REPEAT (w, panels)
                __builtin_prefetch(to + w * t->panel + r * DT_LANES + t->ahead, 1, 3);
}

DT_INLINE void single_tile(const int rows, const int panels, const source *s, const dt_real *left, const dt_real *right,
                           const dt_real *scratch, dt_real *to, const target *t)
{
    dt_tile acc;
    ask_for_sums(rows, panels, to, t);
    dt_tile_clear(rows, panels, acc);
    if (s->ahead) {
        DT_UNROLL_2 for (int64_t i = 0; i < s->first; i++)
        {
            __builtin_prefetch(left + i * s->left_stride + s->ahead, 0, 2);
            dt_tile_link(rows, panels, left + i * s->left_stride, 1, right + i * s->right_stride, DT_LANES, acc);
        }
    } else {
        DT_UNROLL_2 for (int64_t i = 0; i < s->first; i++)
            dt_tile_link(rows, panels, left + i * s->left_stride, 1, right + i * s->right_stride, DT_LANES, acc);
    }
    finish_tile(rows, panels, scratch, to, t, acc);
}

DT_INLINE void pair_tile(const int rows, const int panels, const source *s, const dt_real *left, const dt_real *right,
                         const dt_real *scratch, dt_real *to, const target *t)
{
    dt_tile acc, second;
    ask_for_sums(rows, panels, to, t);
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

/* `tiles` tiles, one below the other: left and right at the first sample, row and panel; scratch and `to` at the first
 * row. */
typedef void tiles_fn(int64_t tiles, const source *s, const dt_real *left, const dt_real *right, const dt_real *scratch,
                      dt_real *to, const target *t);

#define TILE(kind, r, w)                                                                                               \
    static void kind##_##r##x##w(int64_t tiles, const source *s, const dt_real *left, const dt_real *right,            \
                                 const dt_real *scratch, dt_real *to, const target *t)                                 \
    {                                                                                                                  \
        for (int64_t i = 0; i < tiles; i++) {                                                                          \
            ask_for_some(s->request);                                                                                  \
            kind##_tile(r, w, s, left + i * r, right, scratch + i * r * DT_LANES, to + i * r * DT_LANES, t);           \
        }                                                                                                              \
    }
#define SINGLE(r, w)       TILE(single, r, w)
#define PAIR(r, w)         TILE(pair, r, w)
#define SINGLE_ENTRY(r, w) [r - 1][w - 1] = single_##r##x##w,
#define PAIR_ENTRY(r, w)   [r - 1][w - 1] = pair_##r##x##w,

DT_TILES(SINGLE)
DT_PAIR_TILES(PAIR)

static tiles_fn *const single_tiles[DT_TILE_ROWS][DT_TILE_PANELS] = {DT_TILES(SINGLE_ENTRY)};
static tiles_fn *const pair_tiles[DT_PAIR_ROWS][DT_TILE_PANELS] = {DT_PAIR_TILES(PAIR_ENTRY)};

/* Rows as tiles take them: `tiles` of `height` rows, and one of `rest`, which may be 0. */
typedef struct cut {
    int64_t tiles, height, rest;
} cut;

static cut cut_rows(int64_t rows, int64_t most)
{
    const int64_t height = dt_tile_height(rows, most), tiles = rows / height;
    return (cut){tiles, height, rows - tiles * height};
}

/* Columns of blocks, `panels` of them side by side; left and right as in source, of the first sample. */
typedef struct group {
    const dt_real *left, *right;
    int64_t left_stride, right_stride;
    int64_t rows, panels;
    /* 0: the lines of `left` are at hand. Else they are another worker's, or too many for a near cache: those of the
     * next samples are asked for, and behind the last sample those `next` numbers on in the first. */
    int64_t next;
} group;

/* Asks for the lines of `left` that are `ahead` of those of row r. In line, as gcc drops calls of a function that only
 * prefetches. */
DT_INLINE void ask_for_columns(const source *s, int64_t r)
{
    for (int64_t i = 0; i < s->first; i++)
        __builtin_prefetch(s->left + i * s->left_stride + r + s->ahead, 0, 2);
    for (int64_t i = s->apart; i < s->apart + s->second; i++)
        __builtin_prefetch(s->left + i * s->left_stride + r + s->ahead, 0, 2);
}

/* Rows from `first` on, as `rows` cuts them, of all panels of a group. */
static void form_tiles(const dt_gradient_task *task, const group *g, int64_t first, const cut *rows, const source *from,
                       const target *to)
{
    tiles_fn *const(*tiles)[DT_TILE_PANELS] = from->second ? pair_tiles : single_tiles;
    for (int64_t w = 0, width; w < g->panels; w += width) {
        width = dt_tile_width(g->panels - w);
        const dt_real *left = from->left + first, *right = from->right + w * DT_LANES;
        const dt_real *scratch = waiting_sums(task, 0) + w * DT_GROUP_PANEL + first * DT_LANES;
        dt_real *sum = to->to + w * to->panel + first * DT_LANES;
        const int64_t done = rows->tiles * rows->height;
        tiles[rows->height - 1][width - 1](rows->tiles, from, left, right, scratch, sum, to);
        if (rows->rest)
            tiles[rows->rest - 1][width - 1](1, from, left + done, right, scratch + done * DT_LANES,
                                             sum + done * DT_LANES, to);
    }
}

/* The tiles of a group from one shard or pair. Those of a shard ask for what comes after as they go; those of a pair
 * are too short for that, which made each 3 % slower, and it is done for the rows of a block at once. */
static void form_unit(const dt_gradient_task *task, const group *g, const source *from, const target *to)
{
    const bool asks = from->second && from->ahead;
    const int64_t rows = asks ? DT_LANES : g->rows;
    for (int64_t r = 0; r < g->rows; r += rows) {
        const cut tiles = cut_rows(dt_min(rows, g->rows - r), from->second ? DT_PAIR_ROWS : DT_TILE_ROWS);
        if (asks)
            ask_for_columns(from, r);
        form_tiles(task, g, r, &tiles, from, to);
    }
}

/* The tree's sum over all shards for a group: to `root`. */
DT_INLINE void form_group(const dt_gradient_task *task, const group *g, const target *root, request *ask)
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
            .ahead = !g->next                   ? 0
                     : s + (1 << base) < shards ? (size << base) * g->left_stride
                                                : g->next - sample * g->left_stride,
            .request = ask,
        };
        /* The counter's trailing ones are the equal subtrees that this one joins; the last one joins all that still
         * stand, which are the counter's ones. */
        const uint64_t counter = (uint64_t)s >> base, carry = counter & ~(counter + 1);
        if (s + (1 << base) >= shards) {
            target last = *root;
            last.joins = counter << base;
            form_unit(task, g, &from, &last);
        } else {
            const int64_t level = base + __builtin_popcountll(carry);
            const target sum = {
                .joins = carry << base, .to = waiting_sums(task, level), .panel = DT_GROUP_PANEL, .ahead = -1};
            form_unit(task, g, &from, &sum);
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

/* Of blocks from `block` on, of each of the panels. NULL: nobody needs anything. */
DT_INLINE request *request_of(const dt_gradient_task *task, const dt_finish *finish, int64_t block, int64_t panels,
                              int64_t blocks, request *a)
{
    if (!finish->ahead)
        return NULL;
    const bool pairs = task->shard_size <= DT_PAIR_SAMPLES;
    const int64_t units = dt_ceil_div(task->samples, task->shard_size << pairs);
    const int64_t tiles = units * (blocks * DT_LANES / (pairs ? DT_PAIR_ROWS : DT_TILE_ROWS));
    a->at = 0;
    a->numbers = blocks * DT_BLOCK;
    a->tile = dt_ceil_div(a->numbers / DT_LANES, dt_max(1, tiles)) * DT_LANES;
    a->places = 0;
    for (int64_t w = 0; w < panels; w++)
        a->places += finish->ahead(finish->context, task->layer.l, block + w * dt_blocks_a_panel(task->layer.inputs),
                                   a->place + a->places);
    return a;
}

/* A group: blocks kb .. kb + blocks - 1 of `panels` panels from `panel` on. */
DT_INLINE void form_rows(const dt_gradient_task *task, int64_t panel, int64_t panels, int64_t kb, int64_t blocks,
                         const dt_finish *finish)
{
    const bool far = task->samples > DT_NEAR_SAMPLES;
    const dt_blocks *layer = &task->layer;
    const int64_t column = dt_blocks_a_panel(layer->inputs), block = panel * column + kb;
    const int64_t rows = (blocks - 1) * DT_LANES + rows_of(layer, kb + blocks - 1);
    dt_real *vector = finish->W ? finish->W : finish->out, *own = own_sums(task);
    const group g = {
        .left = task->a + kb * DT_LANES,
        .right = task->delta + panel * DT_LANES,
        .left_stride = task->a_stride,
        .right_stride = task->delta_stride,
        .rows = rows,
        .panels = panels,
        .next = task->shared || far ? blocks * DT_LANES : 0,
    };
    const target root = {
        .to = vector ? vector + layer->offset + block * DT_BLOCK : own,
        .panel = vector ? column * DT_BLOCK : DT_GROUP_PANEL,
        .scales = finish->sink != NULL,
        .step = finish->W != NULL,
        .factor = finish->factor,
        .rate = finish->rate,
        .ahead = far            ? 0
                 : task->shared ? DT_BLOCK
                                : -1,
    };
    request ask;
    form_group(task, &g, &root, request_of(task, finish, block, panels, blocks, &ask));
    for (int64_t w = 0; w < panels; w++) {
        dt_real *sums = root.to + w * root.panel;
        for (int64_t i = 0; i < blocks; i++)
            if (finish->W)
                copy_transposed(layer, block + w * column + i, sums + i * DT_BLOCK);
            else
                clear_rows(sums + i * DT_BLOCK, rows - i * DT_LANES);
        if (finish->sink)
            finish->sink(finish->context, layer->l, block + w * column, blocks, sums);
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

/* Rows first .. last-1 of blocks of `panels` panels from `panel` on. */
static void form_blocks(const dt_gradient_task *task, int64_t panel, int64_t panels, int64_t first, int64_t last,
                        const dt_finish *finish)
{
    for (int64_t kb = first, blocks; kb < last; kb += blocks) {
        blocks = dt_min(DT_GROUP_ROWS, last - kb);
        for (int64_t p = 0, width; p < panels; p += width) {
            width = group_width(panels - p);
            form_rows(task, panel + p, width, kb, blocks, finish);
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

/* `count` blocks of the gradient from the same blocks of its transpose, a group's panel apart. */
static void finish_narrow(const dt_gradient_task *task, int64_t first, int64_t count, const dt_real *transposed,
                          dt_real *room, const dt_finish *finish)
{
    const dt_blocks *layer = &task->layer;
    dt_real *sums = finish->out ? finish->out + layer->offset + first * DT_BLOCK : room;
    for (int64_t i = 0; i < count; i++) {
        dt_real *sum = sums + i * DT_BLOCK;
        DT_VARIANT(dt_transpose)(transposed + i * DT_GROUP_PANEL, sum);
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
    dt_real *own = own_sums(task), *room = own_blocks(task);
    for (int64_t w = 0; w < DT_GROUP; w++)
        clear_rows(own + w * DT_GROUP_PANEL, task->layer.units);
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
        const target root = {
            .to = own, .panel = DT_GROUP_PANEL, .scales = finish->sink != NULL, .factor = finish->factor, .ahead = -1};
        form_group(task, &g, &root, NULL);
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
    const dt_vector factor = dt_broadcast(&finish->factor), rate = dt_broadcast(&finish->rate);
    if (finish->W) {
        dt_real *W = finish->W + at;
        for (int64_t i = 0; i < n; i += DT_WIDTH) {
            const dt_vector sum = dt_add(dt_load(left + i), dt_load(right + i));
            dt_store(W + i, dt_fma(rate, dt_mul(sum, factor), dt_load(W + i)));
        }
        for (int64_t i = 0; i < count; i++)
            copy_transposed(layer, block + i, W + i * DT_BLOCK);
    } else if (finish->out) {
        for (int64_t i = 0; i < n; i += DT_WIDTH)
            dt_store(finish->out + at + i, dt_add(dt_load(left + i), dt_load(right + i)));
    } else {
        for (int64_t i = 0; i < n; i += DT_WIDTH)
            dt_store(scratch + i, dt_mul(dt_add(dt_load(left + i), dt_load(right + i)), factor));
        finish->sink(finish->context, layer->l, block, count, scratch);
    }
}
