/* An array of numbers on its way from a file into a data set: what IDX, NumPy's and HDF5's arrays have in common.
 *
 *     dt_array inputs = {.name = ..., .type = ..., .read = ..., .from = ..., .likely = ...};
 *     dt_array_shape(&inputs, rank, dimensions, error);     overflow, zeros, rows x features
 *     dt_array_check_pair(&inputs, &labels, kind, error);
 *     dt_array_read_inputs(dataset, &inputs, error);
 *     dt_array_read_labels(dataset, &labels, kind, error);
 *
 * The first dimension counts rows, the others are flattened to the features of a row; rank 1 has one feature. Nothing
 * is allocated on a header's word alone: memory grows from `likely` on as bytes arrive.
 */
#ifndef DT_DATA_ARRAY_H
#define DT_DATA_ARRAY_H

#include "data/numbers.h"
#include "data/stream.h"

enum { DT_ARRAY_RANK_MAX = 4, DT_ARRAY_SHAPE = 120 };

typedef struct dt_array {
    const char *name; /* of the file, for messages; borrowed */
    dt_numbers type;
    uint64_t likely; /* bytes of data that the file is likely to have: room for these is made at first */
    /* The next `size` bytes, fewer at the end only: dt_stream_read's contract. */
    dt_status (*read)(void *from, void *bytes, size_t size, size_t *got, dt_error *error);
    void *from;

    int rank; /* from here on: dt_array_shape's */
    size_t rows, features, count;
    char shape[DT_ARRAY_SHAPE]; /* in messages: "60000 x 28 x 28 unsigned bytes" */
} dt_array;

/* `read` of an array that a stream brings; `from` is the stream. */
dt_status dt_array_from_stream(void *stream, void *bytes, size_t size, size_t *got, dt_error *error);

/* Sets rank, rows, features, count and shape: ranks 1 to DT_ARRAY_RANK_MAX, no dimension 0, all addressable.
 * DT_MALFORMED. */
dt_status dt_array_shape(dt_array *array, int rank, const uint64_t *dimensions, dt_error *error);

/* The file's bytes behind the header against what its shape needs, as far as can be known before unpacking: `size`
 * bytes lie there, or at most `size` of them where they are packed. DT_MALFORMED. */
dt_status dt_array_check_size(const dt_array *array, uint64_t header, const dt_stream *stream, dt_error *error);

/* As many rows; for classes, one integer a row, else a number or a row of numbers. DT_INVALID. */
dt_status dt_array_check_pair(const dt_array *inputs, const dt_array *labels, dt_targets kind, dt_error *error);

/* All the numbers into the data set, which owns them whatever happens. DT_MALFORMED with row and value where a number
 * can't stand; DT_NO_MEMORY, and what `read` gives. */
dt_status dt_array_read_inputs(dt_dataset *dataset, dt_array *array, dt_error *error);
dt_status dt_array_read_labels(dt_dataset *dataset, dt_array *array, dt_targets kind, dt_error *error);

/* "NAME: input 3 of row 7 is nan, expected a finite number; ...": number `at` of the array, a `what`. DT_MALFORMED. */
dt_status dt_array_fail_number(const dt_array *array, const char *what, size_t at, double value, dt_error *error);

/* After the last number: nothing may follow; the hash of the file. */
dt_status dt_array_end(const dt_array *array, dt_stream *stream, char sha256[65], dt_error *error);

#endif
