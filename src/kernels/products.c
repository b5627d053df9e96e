#include "kernels/products.h"

#include "base/split.h"
#include "kernels/gradient.h"
#include "kernels/tile.h"

/* --- equations (1) and (4) --- */

DT_INLINE void product_tile(const int rows, const int panels, int64_t depth, const dt_real *A, int64_t a_stride,
                            const dt_real *B, int64_t b_panel, dt_real *C, int64_t c_stride)
{
    dt_tile acc;
    dt_tile_clear(rows, panels, acc);
    for (int64_t p = 0; p < depth; p++)
        dt_tile_link(rows, panels, A + p, a_stride, B + p * DT_LANES, b_panel, acc);
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

DT_TILES(PRODUCT_TILE)

#define PRODUCT_ENTRY(r, w) [r - 1][w - 1] = product_##r##x##w,
static product_tile_fn *const product_tiles[DT_TILE_ROWS][DT_TILE_PANELS] = {DT_TILES(PRODUCT_ENTRY)};

static void product(int64_t rows, int64_t panels, int64_t depth, const dt_real *A, int64_t a_stride, const dt_real *B,
                    int64_t b_panel, dt_real *C, int64_t c_stride)
{
    const int64_t height = dt_tile_height(rows, DT_TILE_ROWS);
    for (int64_t w = 0, width; w < panels; w += width) {
        width = dt_tile_width(panels - w);
        for (int64_t i = 0; i < rows; i += height)
            product_tiles[dt_min(height, rows - i) - 1][width - 1](depth, A + i * a_stride, a_stride, B + w * b_panel,
                                                                   b_panel, C + i * c_stride + w * DT_LANES, c_stride);
    }
}

/* --- the rest --- */

static void add(int64_t n, const dt_real *left, const dt_real *right, dt_real *sum)
{
    for (int64_t i = 0; i < n; i += DT_WIDTH)
        dt_store(sum + i, dt_add(dt_load(left + i), dt_load(right + i)));
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
    .gradient = DT_VARIANT(dt_gradient),
    .join = DT_VARIANT(dt_join),
    .add = add,
    .transpose = DT_VARIANT(dt_transpose),
    .convert_u8 = convert_u8,
    .convert_f32 = convert_f32,
    .convert_f64 = convert_f64,
};
