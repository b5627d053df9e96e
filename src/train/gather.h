/* One row of a data set as the inputs x of a sample: converted, scaled or transformed, a sparse one written out.
 *
 * Compiled in both precisions.
 */
#ifndef DT_TRAIN_GATHER_H
#define DT_TRAIN_GATHER_H

#include "deltoid/dataset.h"
#include "kernels/products.h"

/* x[k], k < data->features, of row `row`: scale * input, in dt_real; or, where the data set has shift and factor,
 * (input - shift_k) * factor_k in double, rounded once. */
#define dt_gather_row DT_R(dt_gather_row)
void dt_gather_row(const dt_products *products, const dt_dataset *data, dt_real scale, int64_t row, dt_real *x);

/* x[i] = scale * number first + i of the data set's array, i < n. */
#define dt_gather_numbers DT_R(dt_gather_numbers)
void dt_gather_numbers(const dt_products *products, const dt_dataset *data, int64_t first, int64_t n, dt_real scale,
                       dt_real *x);

/* Asks for the row's data, and doesn't wait for them. */
#define dt_gather_prefetch DT_R(dt_gather_prefetch)
void dt_gather_prefetch(const dt_dataset *data, int64_t row);

#endif
