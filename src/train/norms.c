#include "train/norms.h"

#include <string.h>

size_t dt_pass_norm_scratch(int64_t layers, const int64_t *units, int64_t shard_size)
{
    int64_t widest = 0;
    for (int64_t l = 0; l <= layers; l++)
        widest = dt_max(widest, dt_whole_panels(units[l] + 1));
    const int64_t samples = dt_whole_panels(shard_size);
    return (size_t)(widest * DT_LANES + 2 * samples * samples);
}

/* Rows first .. first+LANES-1 of X (rows behind `last` as zeros), n numbers each, with rows and columns changed: number
 * k of row r at to[k * LANES + r]. */
static void pack(const dt_products *products, const dt_real *X, int64_t stride, dt_span rows, int64_t n, dt_real *to)
{
    dt_real square[DT_BLOCK];
    const int64_t count = dt_min(DT_LANES, dt_span_count(rows));
    for (int64_t k = 0; k < n; k += DT_LANES) {
        const int64_t width = dt_min(DT_LANES, n - k);
        memset(square, 0, sizeof square);
        for (int64_t r = 0; r < count; r++)
            memcpy(square + r * DT_LANES, X + (rows.first + r) * stride + k, (size_t)width * sizeof *square);
        products->transpose(square, to + k * DT_LANES);
    }
}

/* G_ii' = x_i . x_i' of the rows where i lies in the panel of i' or before it: (samples, whole panels). */
static void gram(const dt_products *products, const dt_real *X, int64_t stride, dt_span rows, int64_t n,
                 dt_real *packed, dt_real *G)
{
    const int64_t samples = dt_span_count(rows), width = dt_whole_panels(samples);
    for (int64_t first = 0; first < samples; first += DT_LANES) {
        pack(products, X, stride, (dt_span){rows.first + first, rows.last}, n, packed);
        products->product(dt_min(first + DT_LANES, samples), 1, n, X + rows.first * stride, stride, packed, 0,
                          G + first, width);
    }
}

/* The same of sparse rows. */
static void sparse_gram(const dt_sparse *x, dt_span rows, dt_real *G)
{
    const int64_t samples = dt_span_count(rows), width = dt_whole_panels(samples);
    for (int64_t i = 0; i < samples; i++)
        for (int64_t j = i / DT_LANES * DT_LANES; j < samples; j++)
            G[i * width + j] = dt_sparse_dot(x, rows.first + i, rows.first + j);
}

double dt_pass_norm_square(const dt_pass *pass, int64_t l, dt_span rows, dt_real *scratch)
{
    const dt_products *products = pass->network->products;
    const dt_layer *layer = &pass->network->layer[l];
    const dt_layer_rows *r = &pass->rows[l];
    const int64_t samples = dt_span_count(rows), width = dt_whole_panels(samples);
    dt_real *A = scratch, *D = A + samples * width, *packed = D + samples * width;
    if (l == 1 && pass->sparse)
        sparse_gram(pass->sparse, rows, A);
    else
        gram(products, r->a, r->a_stride, rows, layer->inputs + 1, packed, A);
    gram(products, r->delta, r->delta_stride, rows, layer->units, packed, D);
    double sum = 0;
    for (int64_t first = 0; first < samples; first += DT_LANES) {
        const int64_t last = dt_min(first + DT_LANES, samples);
        double lane[DT_LANES] = {0};
        for (int64_t i = 0; i < last; i++) /* what lies before the panel stands for its mirror image, too */
            for (int64_t j = first; j < last; j++)
                lane[j - first] += (i < first ? 2 : 1) * (double)A[i * width + j] * (double)D[i * width + j];
        for (int64_t c = 0; c < DT_LANES; c++)
            sum += lane[c];
    }
    return sum;
}
