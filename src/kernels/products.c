#include "kernels/products.h"

#include <string.h>

#include "base/split.h"
#include "kernels/vector.h"

/* acc[r][v] += A(r, p) * B(p, v) for p = 0 .. depth-1, in registers. A(r, p) at A[r * a_row + p * a_step]; vector v of
 * panel w of B at B[p * b_step + w * b_panel + (v % VECTORS_A_PANEL) * WIDTH]. `rows` and `panels` are constants where
 * this is inlined. */
DT_INLINE void tile(const int rows, const int panels, int64_t depth, const dt_real *restrict A, int64_t a_row,
                    int64_t a_step, const dt_real *restrict B, int64_t b_step, int64_t b_panel,
                    dt_vector acc[DT_TILE_ROWS][DT_TILE_PANELS * DT_VECTORS_A_PANEL])
{
    const int vectors = panels * DT_VECTORS_A_PANEL;
    DT_REPEAT (r, rows)
        DT_REPEAT (v, vectors)
            acc[r][v] = dt_zero();
    for (int64_t p = 0; p < depth; p++) {
        dt_vector b[DT_TILE_PANELS * DT_VECTORS_A_PANEL];
        DT_REPEAT (v, vectors)
            b[v] = dt_load(B + p * b_step + (v / DT_VECTORS_A_PANEL) * b_panel + (v % DT_VECTORS_A_PANEL) * DT_WIDTH);
        DT_REPEAT (r, rows) {
            dt_vector a = dt_broadcast(A + r * a_row + p * a_step);
            DT_REPEAT (v, vectors)
                acc[r][v] = dt_fma(a, b[v], acc[r][v]);
        }
    }
}

/* --- equations (1) and (4) --- */

DT_INLINE void product_tile(const int rows, const int panels, int64_t depth, const dt_real *A, int64_t a_stride,
                            const dt_real *B, int64_t b_panel, dt_real *C, int64_t c_stride)
{
    dt_vector acc[DT_TILE_ROWS][DT_TILE_PANELS * DT_VECTORS_A_PANEL];
    tile(rows, panels, depth, A, a_stride, 1, B, DT_LANES, b_panel, acc);
    DT_REPEAT (r, rows)
        DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
            dt_store(C + r * c_stride + v * DT_WIDTH, acc[r][v]);
}

typedef void product_tile_fn(int64_t depth, const dt_real *A, int64_t a_stride, const dt_real *B, int64_t b_panel,
                             dt_real *C, int64_t c_stride);

#define PRODUCT_TILE(r, w)                                                                                             \
    static void product_##r##x##w(int64_t depth, const dt_real *A, int64_t a_stride, const dt_real *B,                 \
                                  int64_t b_panel, dt_real *C, int64_t c_stride)                                       \
    {                                                                                                                  \
        product_tile(r, w, depth, A, a_stride, B, b_panel, C, c_stride);                                               \
    }

#define TILE_ROWS_4(X, w) X(1, w) X(2, w) X(3, w) X(4, w)
#define TILE_ROWS_6(X, w) TILE_ROWS_4(X, w) X(5, w) X(6, w)
#define TILE_ROWS_8(X, w) TILE_ROWS_6(X, w) X(7, w) X(8, w)
#if defined(__AVX512F__)
#define TILES(X) TILE_ROWS_8(X, 1) TILE_ROWS_8(X, 2) TILE_ROWS_8(X, 3)
#elif defined(__AVX2__)
#define TILES(X) TILE_ROWS_6(X, 1)
#else
#define TILES(X) TILE_ROWS_4(X, 1)
#endif

TILES(PRODUCT_TILE)

#define PRODUCT_ENTRY(r, w) [r - 1][w - 1] = product_##r##x##w,
static product_tile_fn *const product_tiles[DT_TILE_ROWS][DT_TILE_PANELS] = {TILES(PRODUCT_ENTRY)};

/* How many rows a tile takes so that `rows` fall into tiles of nearly equal height. */
static int64_t even_height(int64_t rows)
{
    return rows ? dt_ceil_div(rows, dt_ceil_div(rows, DT_TILE_ROWS)) : 1;
}

static void product(int64_t rows, int64_t panels, int64_t depth, const dt_real *A, int64_t a_stride, const dt_real *B,
                    int64_t b_panel, dt_real *C, int64_t c_stride)
{
    const int64_t height = even_height(rows);
    for (int64_t w = 0; w < panels; w += DT_TILE_PANELS) {
        const int64_t width = dt_min(DT_TILE_PANELS, panels - w);
        for (int64_t i = 0; i < rows; i += height)
            product_tiles[dt_min(height, rows - i) - 1][width - 1](depth, A + i * a_stride, a_stride, B + w * b_panel,
                                                                   b_panel, C + i * c_stride + w * DT_LANES, c_stride);
    }
}

/* --- equations (5) and (6) --- */

/* Where vector v of row r lies in blocks side by side. */
DT_INLINE int64_t block_offset(int r, int v)
{
    return (v / DT_VECTORS_A_PANEL) * DT_BLOCK + r * DT_LANES + (v % DT_VECTORS_A_PANEL) * DT_WIDTH;
}

/* rows k .. k+rows-1 of `panels` blocks over one shard's samples, plus `left` where there is one (the tree's left
 * neighbour). Panels of `out` and `left` are DT_BLOCK apart. */
DT_INLINE void gradient_tile(const int rows, const int panels, int64_t samples, const dt_real *a, int64_t a_stride,
                             const dt_real *delta, int64_t delta_stride, const dt_real *left, dt_real *out)
{
    dt_vector acc[DT_TILE_ROWS][DT_TILE_PANELS * DT_VECTORS_A_PANEL];
    tile(rows, panels, samples, a, 1, a_stride, delta, delta_stride, DT_LANES, acc);
    if (left)
        DT_REPEAT (r, rows)
            DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
                acc[r][v] = dt_add(dt_load(left + block_offset(r, v)), acc[r][v]);
    DT_REPEAT (r, rows)
        DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
            dt_store(out + block_offset(r, v), acc[r][v]);
}

typedef void gradient_tile_fn(int64_t samples, const dt_real *a, int64_t a_stride, const dt_real *delta,
                              int64_t delta_stride, const dt_real *left, dt_real *out);

#define GRADIENT_TILE(r, w)                                                                                            \
    static void gradient_##r##x##w(int64_t samples, const dt_real *a, int64_t a_stride, const dt_real *delta,          \
                                   int64_t delta_stride, const dt_real *left, dt_real *out)                            \
    {                                                                                                                  \
        gradient_tile(r, w, samples, a, a_stride, delta, delta_stride, left, out);                                     \
    }

TILES(GRADIENT_TILE)

#define GRADIENT_ENTRY(r, w) [r - 1][w - 1] = gradient_##r##x##w,
static gradient_tile_fn *const gradient_tiles[DT_TILE_ROWS][DT_TILE_PANELS] = {TILES(GRADIENT_ENTRY)};

/* One shard's blocks (`rows` of them used, `panels` side by side), plus `left` where there is one. */
static void shard_blocks(const dt_gradient_task *t, int64_t sample, int64_t samples, int64_t panel, int64_t panels,
                         int64_t k, int64_t rows, const dt_real *left, dt_real *out)
{
    const dt_real *a = t->a + sample * t->a_stride + k;
    const dt_real *delta = t->delta + sample * t->delta_stride + panel * DT_LANES;
    for (int64_t w = 0; w < panels; w += DT_TILE_PANELS)
        for (int64_t r = 0; r < rows; r += DT_TILE_ROWS) {
            const int64_t at = w * DT_BLOCK + r * DT_LANES;
            gradient_tiles[dt_min(DT_TILE_ROWS, rows - r) - 1][dt_min(DT_TILE_PANELS, panels - w) - 1](
                samples, a + r, t->a_stride, delta + w * DT_LANES, t->delta_stride, left ? left + at : NULL, out + at);
        }
}

static void add(int64_t n, const dt_real *left, const dt_real *right, dt_real *sum)
{
    for (int64_t i = 0; i < n; i += DT_WIDTH)
        dt_store(sum + i, dt_add(dt_load(left + i), dt_load(right + i)));
}

/* The tree's sum over all shards of the task for `panels` blocks side by side, block row `kb`. As shards come in
 * ascending order, a binary counter joins equal subtrees: level h of the scratch holds a sum of 2^h shards. Returns the
 * tile with the result. */
static dt_real *tree_blocks(const dt_gradient_task *t, int64_t panel, int64_t panels, int64_t kb)
{
    const int64_t k = kb * DT_LANES, rows = dt_min(DT_LANES, t->inputs + 1 - k), n = panels * DT_BLOCK;
    dt_real *level[2] = {t->scratch, t->scratch + DT_GROUP * DT_BLOCK}; /* level h at scratch + h * GROUP * BLOCK */
    const int64_t apart = level[1] - level[0];
    const int64_t shards = dt_ceil_div(t->samples, t->shard_size);
    dt_real *next = t->scratch + (DT_TREE_LEVELS - 1) * apart; /* where a sum stands until its level is known */
    if (rows < DT_LANES)
        for (int h = 0; h < 2; h++)
            memset(h ? next : t->scratch, 0, (size_t)n * sizeof(dt_real));
    for (int64_t s = 0; s < shards; s++) {
        const int64_t sample = s * t->shard_size, samples = dt_min(t->shard_size, t->samples - sample);
        if (s % 2 == 0) {
            shard_blocks(t, sample, samples, panel, panels, k, rows, NULL, t->scratch);
            continue;
        }
        int h = 1;
        for (int64_t carry = s >> 1; carry & 1; carry >>= 1)
            h++;
        dt_real *sum = h == 1 ? t->scratch + apart : next;
        if (rows < DT_LANES && h == 1)
            memset(sum, 0, (size_t)n * sizeof(dt_real));
        shard_blocks(t, sample, samples, panel, panels, k, rows, t->scratch, sum);
        for (int j = 1; j < h; j++)
            add(n, t->scratch + j * apart, sum, j == h - 1 ? t->scratch + h * apart : sum);
    }
    /* A tree that is not full: its right edge joins upwards. */
    int h = __builtin_ctzll((unsigned long long)shards);
    dt_real *sum = t->scratch + h * apart;
    for (int64_t rest = shards >> (h + 1); rest; rest >>= 1) {
        h++;
        if (rest & 1) {
            add(n, t->scratch + h * apart, sum, t->scratch + h * apart);
            sum = t->scratch + h * apart;
        }
    }
    return sum;
}

static void form_blocks(const dt_gradient_task *t, int64_t panel, int64_t panels, int64_t first, int64_t last,
                        dt_block_sink sink, void *context)
{
    const int64_t column = dt_blocks_a_panel(t->inputs);
    for (int64_t kb = first; kb < last; kb++) {
        dt_real *sum = tree_blocks(t, panel, panels, kb);
        for (int64_t w = 0; w < panels; w++)
            sink(context, t->offset + ((panel + w) * column + kb) * DT_BLOCK, sum + w * DT_BLOCK);
    }
}

static void gradient(const dt_gradient_task *t, dt_block_sink sink, void *context)
{
    const int64_t column = dt_blocks_a_panel(t->inputs);
    int64_t at = t->first;
    while (at < t->last) {
        const int64_t panel = at / column, kb = at % column, whole = (t->last - at) / column;
        if (kb == 0 && whole > 0) { /* whole panels, as many at once as a tile takes */
            const int64_t panels = dt_min(DT_GROUP, whole);
            form_blocks(t, panel, panels, 0, column, sink, context);
            at += panels * column;
        } else {
            const int64_t end = dt_min(column, kb + t->last - at);
            form_blocks(t, panel, 1, kb, end, sink, context);
            at += end - kb;
        }
    }
}

static void transpose(const dt_real *restrict from, dt_real *restrict to)
{
    for (int k = 0; k < DT_LANES; k++)
        for (int j = 0; j < DT_LANES; j++)
            to[j * DT_LANES + k] = from[k * DT_LANES + j];
}

static void convert_u8(int64_t n, const uint8_t *restrict from, dt_real scale, dt_real *restrict x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (dt_real)from[i] * scale;
}

static void convert_f32(int64_t n, const float *restrict from, dt_real scale, dt_real *restrict x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (dt_real)from[i] * scale;
}

static void convert_f64(int64_t n, const double *restrict from, dt_real scale, dt_real *restrict x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (dt_real)from[i] * scale;
}

const dt_products DT_VARIANT(dt_products) = {
    .product = product,
    .gradient = gradient,
    .add = add,
    .transpose = transpose,
    .convert_u8 = convert_u8,
    .convert_f32 = convert_f32,
    .convert_f64 = convert_f64,
};
