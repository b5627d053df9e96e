/* IDX, the format of MNIST and its kin, plain or gzipped (data/stream.h): one file of inputs, one of labels.
 *
 *     00 00 type rank | rank dimensions, 4 bytes each | their product of elements       all of it big-endian, nothing
 * after it
 *
 *     00 00 08   03   | 60000, 28, 28                 | 47,040,000 bytes
 *
 * - Ranks 1 to 4. The first dimension counts rows, the others are flattened to the features of a row; rank 1 has one
 * feature.
 * - Inputs keep their value exactly: unsigned bytes stay bytes; signed bytes, int16 and float32 become DT_F32; int32
 * and float64 DT_F64. Floats must be finite: nothing can be learnt from others, and the run that finds out may be long.
 * - Labels have rank 1, an integer type and values 0 .. DT_LABEL_MAX, as many as the inputs have rows.
 * - Nothing is allocated for what a header says before the file is known to have it: a plain file is compared in size,
 * a gzipped one gets memory as its bytes arrive, from a few times its size on.
 */
#ifndef DT_DATA_IDX_H
#define DT_DATA_IDX_H

#include "deltoid/dataset.h"

/* Fills rows, features, classes, element, inputs, labels and the hashes; of a dataset that failed, what is set is
 * released by dt_dataset_destroy. DT_NOT_FOUND, DT_INVALID, DT_MALFORMED, DT_IO, DT_NO_MEMORY. */
dt_status dt_idx_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error);

#endif
