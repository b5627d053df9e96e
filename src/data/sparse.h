/* How much a sparse data set holds. */
#ifndef DT_DATA_SPARSE_H
#define DT_DATA_SPARSE_H

#include <stdbool.h>

#include "deltoid/dataset.h"

enum { DT_SPARSE_FEATURES_MAX = 1 << 26 };

/* Share of the inputs that are there; 1 where the data set isn't sparse. */
double dt_dataset_density(const dt_dataset *dataset);

/* Inputs that any `rows` rows hold at most: those of the fullest ones, or all of each row where the data set isn't
 * sparse. */
int64_t dt_dataset_most(const dt_dataset *dataset, int64_t rows);

/* start, column and inputs of rows[0 .. count-1], which `to` then owns; false where memory is out. */
bool dt_dataset_pick_sparse(dt_dataset *to, const dt_dataset *from, const int64_t *rows, int64_t count);

#endif
