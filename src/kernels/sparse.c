#include "kernels/sparse.h"

#include <string.h>

#include "kernels/vector.h"

/* Panels side by side: as many loads under way at once as memory answers, and chains enough that none waits for
 * itself. */
#if defined(__AVX512F__)
enum { PANELS = 8 };
#define TILES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#elif defined(__AVX2__)
enum { PANELS = 4 };
#define TILES(X) X(1) X(2) X(3) X(4)
#elif defined(DT_NEON)
enum { PANELS = 2 };
#define TILES(X) X(1) X(2)
#else
enum { PANELS = 1 };
#define TILES(X) X(1)
#endif

/* Rows of W lie far apart: those of this many inputs on are asked for ahead. */
enum { AHEAD = 8 };

typedef dt_vector chains[PANELS * DT_VECTORS_A_PANEL];

/* Panels of the next tile, so that tiles come out nearly equal. */
static int64_t width_of(int64_t panels)
{
    return dt_ceil_div(panels, dt_ceil_div(panels, PANELS));
}

DT_INLINE void clear(const int panels, chains acc)
{
    DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
        acc[v] = dt_zero();
}

/* --- equation (1) --- */

/* acc += x (one row of W in each panel) */
DT_INLINE void link_row(const int panels, const dt_real *x, const dt_real *W, int64_t w_panel, chains acc)
{
    const dt_vector a = dt_broadcast(x);
    DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
        acc[v] =
            dt_fma(a, dt_load(W + (v / DT_VECTORS_A_PANEL) * w_panel + (v % DT_VECTORS_A_PANEL) * DT_WIDTH), acc[v]);
}

DT_INLINE void product_tile(const int panels, const dt_sparse_rows *x, dt_span rows, int64_t inputs, const dt_real *W,
                            int64_t w_panel, dt_real *Z, int64_t z_stride)
{
    const int64_t end = rows.first < rows.last ? x->row[rows.last - 1].last : 0;
    const dt_real one = 1;
    for (int64_t i = rows.first; i < rows.last; i++) {
        chains acc;
        clear(panels, acc);
        for (int64_t at = x->row[i].first; at < x->row[i].last; at++) {
            if (at + AHEAD < end)
                for (int w = 0; w < panels; w++)
                    __builtin_prefetch(W + w * w_panel + (int64_t)x->column[at + AHEAD] * DT_LANES, 0, 3);
            link_row(panels, x->value + at, W + (int64_t)x->column[at] * DT_LANES, w_panel, acc);
        }
        link_row(panels, &one, W + inputs * DT_LANES, w_panel, acc);
        DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
            dt_store(Z + i * z_stride + v * DT_WIDTH, acc[v]);
    }
}

typedef void product_tile_fn(const dt_sparse_rows *x, dt_span rows, int64_t inputs, const dt_real *W, int64_t w_panel,
                             dt_real *Z, int64_t z_stride);

#define PRODUCT_TILE(w)                                                                                                \
    static void product_##w(const dt_sparse_rows *x, dt_span rows, int64_t inputs, const dt_real *W, int64_t w_panel,  \
                            dt_real *Z, int64_t z_stride)                                                              \
    {                                                                                                                  \
        product_tile(w, x, rows, inputs, W, w_panel, Z, z_stride);                                                     \
    }
TILES(PRODUCT_TILE)

#define PRODUCT_ENTRY(w) [w - 1] = product_##w,
static product_tile_fn *const product_tiles[PANELS] = {TILES(PRODUCT_ENTRY)};

static void product(const dt_sparse_rows *x, dt_span rows, int64_t inputs, int64_t panels, const dt_real *W,
                    int64_t w_panel, dt_real *Z, int64_t z_stride)
{
    for (int64_t w = 0, width; w < panels; w += width) {
        width = width_of(panels - w);
        product_tiles[width - 1](x, rows, inputs, W + w * w_panel, w_panel, Z + w * DT_LANES, z_stride);
    }
}

/* --- equations (5) and (6) --- */

/* The tree's sum over the entries of a column. Where two neighbours are of different shards, the highest bit in which
 * the shards' numbers differ says how high in the tree their subtrees meet: whatever meets lower is joined first. What
 * waits lies in `stack`, ascending in shards and descending in height. */
DT_INLINE void sum_column(const int panels, const dt_sparse_entry *entry, int64_t count, const dt_real *delta,
                          int64_t delta_stride, dt_real *stack, chains acc)
{
    enum { LINE = PANELS * DT_LANES };
    const int vectors = panels * DT_VECTORS_A_PANEL;
    int height[32], top = 0;
    clear(panels, acc);
    for (int64_t i = 0; i < count; i++) {
        if (i > 0 && entry[i].shard != entry[i - 1].shard) {
            const int meet = 31 - __builtin_clz((unsigned)(entry[i].shard ^ entry[i - 1].shard));
            for (; top > 0 && height[top - 1] < meet; top--)
                DT_REPEAT (v, vectors)
                    acc[v] = dt_add(dt_load(stack + (top - 1) * LINE + v * DT_WIDTH), acc[v]);
            DT_REPEAT (v, vectors)
                dt_store(stack + top * LINE + v * DT_WIDTH, acc[v]);
            height[top++] = meet;
            clear(panels, acc);
        }
        const dt_vector x = dt_broadcast(&entry[i].value);
        DT_REPEAT (v, vectors)
            acc[v] = dt_fma(x, dt_load(delta + entry[i].sample * delta_stride + v * DT_WIDTH), acc[v]);
    }
    for (; top > 0; top--)
        DT_REPEAT (v, vectors)
            acc[v] = dt_add(dt_load(stack + (top - 1) * LINE + v * DT_WIDTH), acc[v]);
}

/* The first of the columns from k on. */
static int64_t column_from(const dt_sparse_columns *columns, int64_t k)
{
    int64_t low = 0, high = columns->count;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (columns->column[middle] < k)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Entries of column c that are of the task's samples. */
DT_INLINE dt_span entries_of(const dt_sparse_task *task, int64_t c)
{
    const dt_sparse_columns *x = task->columns;
    dt_span own = {x->first[c], x->first[c + 1]};
    while (own.first < own.last && x->entry[own.first].sample < task->samples.first)
        own.first++;
    while (own.first < own.last && x->entry[own.last - 1].sample >= task->samples.last)
        own.last--;
    return own;
}

/* The step of plain gradient descent in columns first .. last-1 of the index; W and delta at the tile's first panel. */
DT_INLINE void step_tile(const int panels, const dt_sparse_task *task, const dt_finish *finish, dt_span c, dt_real *W,
                         int64_t w_panel, const dt_real *delta)
{
    const dt_sparse_columns *x = task->columns;
    const dt_vector factor = dt_broadcast(&finish->factor), rate = dt_broadcast(&finish->rate);
    for (int64_t i = c.first; i < c.last; i++) {
        if (i + AHEAD < c.last)
            for (int w = 0; w < panels; w++)
                __builtin_prefetch(W + w * w_panel + (int64_t)x->column[i + AHEAD] * DT_LANES, 1, 3);
        const dt_span own = entries_of(task, i);
        if (own.first == own.last)
            continue;
        chains acc;
        sum_column(panels, x->entry + own.first, dt_span_count(own), delta, task->delta_stride, task->scratch, acc);
        dt_real *to = W + (int64_t)x->column[i] * DT_LANES;
        DT_REPEAT (v, panels * DT_VECTORS_A_PANEL) {
            dt_real *w = to + (v / DT_VECTORS_A_PANEL) * w_panel + (v % DT_VECTORS_A_PANEL) * DT_WIDTH;
            dt_store(w, dt_fma(rate, dt_mul(acc[v], factor), dt_load(w)));
        }
    }
}

typedef void step_tile_fn(const dt_sparse_task *task, const dt_finish *finish, dt_span c, dt_real *W, int64_t w_panel,
                          const dt_real *delta);

#define STEP_TILE(w)                                                                                                   \
    static void step_##w(const dt_sparse_task *task, const dt_finish *finish, dt_span c, dt_real *W, int64_t w_panel,  \
                         const dt_real *delta)                                                                         \
    {                                                                                                                  \
        step_tile(w, task, finish, c, W, w_panel, delta);                                                              \
    }
TILES(STEP_TILE)

#define STEP_ENTRY(w) [w - 1] = step_##w,
static step_tile_fn *const step_tiles[PANELS] = {TILES(STEP_ENTRY)};

/* Blocks kb.first .. kb.last-1 of `panels` panels from `panel` on, stepped in place. */
static void step_blocks(const dt_sparse_task *task, const dt_finish *finish, int64_t panel, int64_t panels, dt_span kb)
{
    const int64_t w_panel = dt_blocks_a_panel(task->layer.inputs) * DT_BLOCK;
    const dt_span c = {column_from(task->columns, kb.first * DT_LANES), column_from(task->columns, kb.last * DT_LANES)};
    for (int64_t w = panel, width; w < panel + panels; w += width) {
        width = width_of(panel + panels - w);
        step_tiles[width - 1](task, finish, c, finish->W + task->layer.offset + w * w_panel, w_panel,
                              task->delta + w * DT_LANES);
    }
}

/* The same stored or given away, block by block. */
static void form_blocks(const dt_sparse_task *task, const dt_finish *finish, int64_t panel, dt_span kb)
{
    const dt_sparse_columns *x = task->columns;
    dt_real *room = task->scratch + DT_GROUP_SIZE; /* behind the stack of sum_column */
    int64_t c = column_from(x, kb.first * DT_LANES);
    for (int64_t k = kb.first; k < kb.last; k++) {
        const int64_t block = panel * dt_blocks_a_panel(task->layer.inputs) + k;
        dt_real *sum = finish->out ? finish->out + task->layer.offset + block * DT_BLOCK : room;
        memset(sum, 0, DT_BLOCK * sizeof *sum);
        for (; c < x->count && x->column[c] < (k + 1) * DT_LANES; c++) {
            const dt_span own = entries_of(task, c);
            chains acc;
            sum_column(1, x->entry + own.first, dt_span_count(own), task->delta + panel * DT_LANES, task->delta_stride,
                       task->scratch, acc);
            DT_REPEAT (v, DT_VECTORS_A_PANEL)
                dt_store(sum + (x->column[c] - k * DT_LANES) * DT_LANES + v * DT_WIDTH, acc[v]);
        }
        if (finish->sink) {
            for (int64_t i = 0; i < DT_BLOCK; i++)
                sum[i] *= finish->factor;
            finish->sink(finish->context, task->layer.l, block, 1, sum);
        }
    }
}

static void gradient(const dt_sparse_task *task, const dt_finish *finish)
{
    const int64_t column = dt_blocks_a_panel(task->layer.inputs);
    for (int64_t at = task->first, count; at < task->last; at += count) {
        const int64_t panel = at / column, k = at % column, whole = k == 0 ? (task->last - at) / column : 0;
        count = whole > 0 ? whole * column : dt_min(column - k, task->last - at);
        if (finish->W)
            step_blocks(task, finish, panel, dt_max(1, whole), (dt_span){k, whole > 0 ? column : k + count});
        else
            for (int64_t w = 0; w < dt_max(1, whole); w++)
                form_blocks(task, finish, panel + w, (dt_span){k, whole > 0 ? column : k + count});
    }
}

const dt_sparse_products DT_VARIANT(dt_sparse_products) = {product, gradient};
