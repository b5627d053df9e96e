/* Data sets: rows of inputs x and their labels, kept in memory in the type of the file (bytes stay bytes). The step's
 * gather converts and scales them.
 */
#ifndef DELTOID_DATASET_H
#define DELTOID_DATASET_H

#include <stdint.h>

#include "experiment.h"
#include "status.h"
#include "tables.h"

#pragma GCC visibility push(default)

typedef enum dt_element { DT_U8, DT_F32, DT_F64 } dt_element;

size_t dt_element_size(dt_element element); /* in bytes */

/* Read-only after it is opened: any number of threads may read it. */
typedef struct dt_dataset {
    int64_t rows;
    int64_t features;       /* inputs per row: an image of 28 x 28 has 784 */
    int64_t classes;        /* largest label + 1 */
    dt_element element;     /* type of `inputs` */
    const void *inputs;     /* (rows, features), row-major */
    const int32_t *labels;  /* (rows), 0 <= label < classes */
    char inputs_sha256[65]; /* of the file's bytes as they lie on disk, hexadecimal; "" for data made in memory */
    char labels_sha256[65];
} dt_dataset;

/* One format: a row of the table in src/data/dataset.c. `open` fills the fields above from `source`. */
typedef struct dt_format {
    dt_entry entry;
    dt_status (*open)(dt_dataset *dataset, const dt_source *source, dt_error *error);
} dt_format;

const dt_format *dt_format_at(size_t i);                            /* NULL past the last */
const dt_format *dt_format_find(const char *name, dt_error *error); /* NULL with an error that lists the names */

/* Reads a whole data set into memory. The caller destroys it. DT_NOT_FOUND, DT_MALFORMED (with the file's name, what
 * was expected and what was found), DT_NO_MEMORY, DT_IO. */
dt_status dt_dataset_open(dt_dataset **dataset, const char *format, const dt_source *source, dt_error *error);

/* A data set over arrays of the program's own, copied. `labels` holds rows numbers in 0 .. classes-1. */
dt_status dt_dataset_from_arrays(dt_dataset **dataset, int64_t rows, int64_t features, int64_t classes,
                                 dt_element element, const void *inputs, const int32_t *labels, dt_error *error);

void dt_dataset_destroy(dt_dataset *dataset); /* NULL is allowed */

/* Rows of a data set, in an order; what the trainer trains and evaluates on. */
typedef struct dt_rows {
    int64_t count;
    const int64_t *index; /* (count), rows of the data set; NULL: row i is i */
} dt_rows;

/* Splits 0 .. rows-1 into training and validation rows: floor(rows * fraction) (at least 1) validation rows drawn by
 * `seed` alone, both lists ascending. Arrays of *train and *validation live in one block that starts at train->index:
 * release that with dt_rows_release(train). DT_INVALID where either would be empty. */
dt_status dt_rows_split(int64_t rows, double fraction, uint64_t seed, dt_rows *train, dt_rows *validation,
                        dt_error *error);
void dt_rows_release(dt_rows *rows);

#pragma GCC visibility pop

#endif
