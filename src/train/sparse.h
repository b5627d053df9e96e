/* The inputs of a pass whose rows are sparse: converted and scaled as gather does it, but only what is there; and the
 * same by columns, for the gradient.
 *
 * Rows lie in runs: those of a run follow each other, whoever gathers them. A minibatch is one run, which its workers
 * share; an evaluation has one run a worker. Compiled in both precisions.
 */
#ifndef DT_TRAIN_SPARSE_H
#define DT_TRAIN_SPARSE_H

#include <stdbool.h>

#include "deltoid/dataset.h"
#include "kernels/sparse.h"

typedef struct dt_sparse_sizes {
    int64_t run;     /* rows of one */
    int64_t numbers; /* that its rows hold at most */
    int64_t indices; /* workers that index the first run by columns; 0: none */
} dt_sparse_sizes;

typedef struct dt_sparse {
    dt_sparse_sizes sizes;
    dt_sparse_rows rows;        /* of kernels/sparse.h, over: */
    dt_span *row;               /* (capacity) */
    int32_t *column;            /* (runs * numbers) */
    dt_real *value;             /* (runs * numbers) */
    dt_sparse_columns *columns; /* [worker]; over: */
    int32_t **index_column;     /* [worker] (numbers + 1) */
    int64_t **index_first;      /* [worker] (numbers + 2) */
    dt_sparse_entry **entry;    /* [worker] (2 * (numbers + run)): sorted from one half into the other */
} dt_sparse;

/* Bytes for so many rows; false on overflow. */
#define dt_sparse_measure DT_R(dt_sparse_measure)
bool dt_sparse_measure(const dt_sparse_sizes *sizes, int64_t capacity, size_t *bytes);

#define dt_sparse_create DT_R(dt_sparse_create)
dt_status dt_sparse_create(dt_sparse **sparse, const dt_sparse_sizes *sizes, int64_t capacity, dt_error *error);
#define dt_sparse_destroy DT_R(dt_sparse_destroy)
void dt_sparse_destroy(dt_sparse *sparse);

/* Rows rows.first .. rows.last-1, which are of one run, from rows sample[i] of the data set: sparse, or any, of which
 * all inputs are taken. `sample` is known from the run's first row on. */
#define dt_sparse_gather DT_R(dt_sparse_gather)
void dt_sparse_gather(dt_sparse *sparse, const dt_products *products, const dt_dataset *data, dt_real scale,
                      const int64_t *sample, dt_span rows);

/* The first `samples` rows by columns, which the worker keeps; with the biases' column, number `inputs`. By each worker
 * for itself: a sort of a minibatch's few numbers is shorter than waiting for its parts. */
#define dt_sparse_index DT_R(dt_sparse_index)
void dt_sparse_index(dt_sparse *sparse, int64_t worker, int64_t samples, int64_t shard_size, int64_t inputs);

/* Row i written out: x[k], k < inputs. */
#define dt_sparse_write_row DT_R(dt_sparse_write_row)
void dt_sparse_write_row(const dt_sparse *sparse, int64_t i, int64_t inputs, dt_real *x);

/* x_i . x_i', a chain by ascending k as kernels/products.h has it, the 1 of both behind it. */
#define dt_sparse_dot DT_R(dt_sparse_dot)
dt_real dt_sparse_dot(const dt_sparse *sparse, int64_t i, int64_t other);

#endif
