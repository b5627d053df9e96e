/* LIBSVM's text format, plain or gzipped: a row a line, held sparse.
 *
 *     LABEL INDEX:VALUE INDEX:VALUE ...   # a comment
 *
 * - Indices count from 1 and ascend within a row; what a row doesn't name is 0.
 * - Labels are whole numbers. Where the training set's are 0 .. K-1 without a gap they stay, else its different labels
 *   in ascending order (-1 and 1; 1, 2, 3) are the classes 0, 1, ..., and remembered by name.
 * - Features: `features`, else the largest index of the training set.
 */
#ifndef DT_DATA_LIBSVM_H
#define DT_DATA_LIBSVM_H

#include "deltoid/dataset.h"

/* DT_MALFORMED with the line; dt_stream_open's statuses; DT_NO_MEMORY. */
dt_status dt_libsvm_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error);

#endif
