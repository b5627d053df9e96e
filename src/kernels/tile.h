/* A tile of a product in registers: chains of fused multiply-adds, one for each of rows x panels x LANES outputs. */
#ifndef DT_KERNELS_TILE_H
#define DT_KERNELS_TILE_H

#include "base/split.h"
#include "kernels/vector.h"

enum { DT_TILE_VECTORS = DT_TILE_PANELS * DT_VECTORS_A_PANEL };
typedef dt_vector dt_tile[DT_TILE_ROWS][DT_TILE_VECTORS];

/* Panels that the next tile takes of those left: as many as fit, but two of four, as tiles of one are bound by loads.
 */
DT_INLINE int64_t dt_tile_width(int64_t panels)
{
    const int64_t most = DT_TILE_PANELS;
    return panels == most + 1 && most > 1 ? most - 1 : panels < most ? panels : most;
}

/* Rows of a tile, at most `most`, so that `rows` of them fall into tiles of nearly equal height. */
DT_INLINE int64_t dt_tile_height(int64_t rows, int64_t most)
{
    return rows ? dt_ceil_div(rows, dt_ceil_div(rows, most)) : 1;
}

/* acc[r][v] = 0 */
DT_INLINE void dt_tile_clear(const int rows, const int panels, dt_tile acc)
{
    DT_REPEAT (r, rows)
        DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
            acc[r][v] = dt_zero();
}

/* One link of the chains, acc[r][v] += A(r) * B(v): A(r) at A[r * a_row]; vector v of panel w of B at B[w * b_panel +
 * (v % VECTORS_A_PANEL) * WIDTH]. `rows` and `panels` are constants where this is inlined. */
DT_INLINE void dt_tile_link(const int rows, const int panels, const dt_real *restrict A, int64_t a_row,
                            const dt_real *restrict B, int64_t b_panel, dt_tile acc)
{
    dt_vector b[DT_TILE_VECTORS];
    DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
        b[v] = dt_load(B + (v / DT_VECTORS_A_PANEL) * b_panel + (v % DT_VECTORS_A_PANEL) * DT_WIDTH);
    DT_REPEAT (r, rows) {
        const dt_vector a = dt_broadcast(A + r * a_row);
        DT_REPEAT (v, panels * DT_VECTORS_A_PANEL)
            acc[r][v] = dt_fma(a, b[v], acc[r][v]);
    }
}

#endif
