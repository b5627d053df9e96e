/* The products of layer 1 where few inputs of a row are not 0: equations (1), (5) and (6) over those alone.
 *
 * Same bits. The chains are those of products.h, by input and by sample, without the terms whose x_k is 0. Such a term
 * changes nothing: fma(0, w, s) = s for every finite w and every s but -0, and a chain begins at +0; nor does the sum
 * of a shard, or of a whole subtree, in which an input doesn't occur: s + 0 = s. W of an input that doesn't occur in a
 * minibatch stays as it is in a step of plain gradient descent: W + rate 0 = W. So results differ from those of a
 * product that multiplies by all zeros in three cases only:
 *
 * - A sum that stands at -0, which takes a product too small for its exponent, may stay -0 where a zero term would have
 *   made it +0. No number that isn't zero depends on it.
 * - A weight too small for its exponent (denormal), which counts as 0 in every product, becomes 0 in a step when its
 *   input occurs, not at once. Steps make no such weights; they come with initial ones.
 * - Infinity times 0 is NaN, and here it isn't formed: weights or deltas that have overflowed show when their inputs
 *   occur, not at once.
 */
#ifndef DT_KERNELS_SPARSE_H
#define DT_KERNELS_SPARSE_H

#include "base/split.h"
#include "kernels/products.h"

/* Rows of x: the inputs of row i are column[at] = k, value[at] = x_k for at in row[i].first .. row[i].last-1, ascending
 * in k. Those of neighbouring rows follow each other. */
typedef struct dt_sparse_rows {
    const dt_span *row;
    const int32_t *column;
    const dt_real *value;
} dt_sparse_rows;

/* x_k of a sample of the minibatch. */
typedef struct dt_sparse_entry {
    dt_real value;
    int32_t column, sample, shard; /* k; the sample, and the shard that it is of */
} dt_sparse_entry;

/* The same rows by columns. The last column is `inputs`: the 1 of every sample, whose weight is the bias. */
typedef struct dt_sparse_columns {
    int64_t count;                /* columns that occur, ascending, */
    const int32_t *column;        /* (count); */
    const int64_t *first;         /* (count + 1): column c's are entry[first[c] .. first[c+1]-1], */
    const dt_sparse_entry *entry; /* by ascending sample */
} dt_sparse_columns;

/* As dt_gradient_task. The layer has no transposed copy. */
typedef struct dt_sparse_task {
    dt_blocks layer;
    const dt_sparse_columns *columns; /* of the whole minibatch */
    const dt_real *delta;             /* (whole minibatch, whole panels), padding zero */
    int64_t delta_stride;
    dt_span samples;     /* to sum over: those of an aligned subtree of shards */
    int64_t first, last; /* blocks of the layer to form */
    dt_real *scratch;    /* dt_gradient_scratch(1) numbers, this worker's */
} dt_sparse_task;

typedef struct dt_sparse_products {
    /* Z (rows.first .. rows.last-1, panels * LANES) = X W + b, equation (1): W is `panels` panels of (inputs + 1,
     * LANES), `w_panel` numbers apart; row i at Z + i * z_stride. */
    void (*product)(const dt_sparse_rows *x, dt_span rows, int64_t inputs, int64_t panels, const dt_real *W,
                    int64_t w_panel, dt_real *Z, int64_t z_stride);

    /* Equations (5) and (6). A step in place goes to the columns that occur, and touches no other weight; what is
     * stored or given away is whole blocks, zero where nothing occurs. */
    void (*gradient)(const dt_sparse_task *task, const dt_finish *finish);
} dt_sparse_products;

DT_DECLARE_VARIANTS(dt_sparse_products, dt_sparse_products, )

#endif
