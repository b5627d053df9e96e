/* Data sets: rows of inputs x and their labels or targets, in the type of the file (bytes stay bytes), kept in memory
 * or, of HDF5 files larger than that, read while others are trained on. The step's gather converts and scales them.
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

/* What the training set decides about the reading of every other: a model is of use only with it, so model.h5 keeps it.
 */
typedef struct dt_transform {
    int64_t features;
    const double *shift, *factor; /* (features): x_k = (input_k - shift_k) * factor_k; NULL: x = scale * input */
    const char *columns;          /* how words became numbers, as src/data/columns.h has it; NULL: there are no words */
} dt_transform;

/* A copy of what is given (shift and factor, columns, or all may be NULL); destroy takes NULL. DT_NO_MEMORY. */
dt_status dt_transform_create(dt_transform **transform, int64_t features, const double *shift, const double *factor,
                              const char *columns, dt_error *error);
void dt_transform_destroy(dt_transform *transform);

/* Read-only after it is opened: any number of threads may read it. */
typedef struct dt_dataset {
    int64_t rows;
    int64_t features;      /* inputs per row: an image of 28 x 28 has 784 */
    int64_t classes;       /* largest label + 1; 0 without labels */
    dt_element element;    /* type of `inputs` */
    const void *inputs;    /* (rows, features), row-major; sparse: the inputs that are not 0, row by row; with a feed
                              only some blocks of rows, which come and go: see slot */
    const int64_t *start;  /* (rows + 1): row i's are inputs[start[i] .. start[i+1]-1]; NULL: not sparse */
    const int32_t *column; /* (start[rows]): which input each is, ascending in a row, from 0 */
    const int32_t *labels; /* DT_TARGETS_CLASSES: (rows), 0 <= label < classes; else NULL, as in new samples */
    dt_targets kind;       /* 0, DT_TARGETS_CLASSES, where nothing is said */
    int64_t outputs;       /* columns of `targets`, which are the units of the last layer; 0 without */
    const double *targets; /* the other kinds: (rows, outputs), row-major, finite; multilabel: each in [0, 1], mostly
                              0 or 1. NULL for classes and in new samples */
    const char *const *label_names; /* (classes, or outputs), what the file calls them; NULL: 0, 1, ... */
    int64_t missing;                /* fields that were filled in */
    const dt_transform *transform;  /* NULL: x = scale * input, and there are no words */
    int64_t chunk;                  /* rows that the file keeps together; 0: any */
    int64_t block, windows;         /* an epoch's rows are shuffled in so many windows of blocks of so many rows
                                       (src/data/windows.h); windows 0 or 1: all together */
    struct dt_feed *feed;   /* NULL: all inputs are in memory; else what reads them while others are trained on */
    const int32_t *slot;    /* with a feed: row i, where it is in memory, lies at slot[i / block] * block + i % block */
    char inputs_sha256[65]; /* of the file's bytes as they lie on disk, hexadecimal; "" for data made in memory */
    char labels_sha256[65];
} dt_dataset;

typedef enum dt_data_part { DT_TRAIN, DT_TEST, DT_VALIDATION, DT_DATA_PARTS } dt_data_part;

/* "train", "test", "validation" */
const char *dt_data_part_name(dt_data_part part);

/* What a format is asked to open. */
typedef struct dt_opening {
    const dt_source *source;
    const dt_data_spec *data; /* the keys of formats */
    dt_data_part part;
    uint64_t seed;            /* of what is drawn */
    const dt_transform *like; /* the training set's, whose words the new set shares; NULL: this is the training set */
    bool unlabelled;          /* new samples: labels may be missing */
} dt_opening;

/* One format: a row of the table in src/data/dataset.c. `open` fills the fields of a data set, all but
 * transform->shift and factor. */
typedef struct dt_format {
    dt_entry entry;
    dt_status (*open)(dt_dataset *dataset, const dt_opening *opening, dt_error *error);
} dt_format;

const dt_format *dt_format_at(size_t i);                            /* NULL past the last */
const dt_format *dt_format_find(const char *name, dt_error *error); /* NULL with an error that lists the names */

/* Reads a whole data set into memory, with the defaults of the format's keys. The caller destroys it. DT_NOT_FOUND,
 * DT_MALFORMED (with the file's name, what was expected and what was found), DT_NO_MEMORY, DT_IO. */
dt_status dt_dataset_open(dt_dataset **dataset, const char *format, const dt_source *source, dt_error *error);

/* The same for one part of an experiment's data, with all its keys; *dataset is NULL where the experiment has no such
 * part. The training set first, with `like` NULL; its transform is `like` for the others, for new samples that of
 * dt_model_read_transform. With standardize or min_max the training rows (without those that validation_fraction takes)
 * decide shift and factor. */
dt_status dt_dataset_open_part(dt_dataset **dataset, const dt_data_spec *data, dt_data_part part, uint64_t seed,
                               const dt_transform *like, dt_error *error);

/* New samples, with or without labels, from `source`. */
dt_status dt_dataset_open_new(dt_dataset **dataset, const dt_data_spec *data, const dt_source *source,
                              const dt_transform *like, dt_error *error);

/* Rows rows[0 .. count-1] of a data set as one of its own, sparse where that is. */
dt_status dt_dataset_pick(dt_dataset **picked, const dt_dataset *dataset, const int64_t *rows, int64_t count,
                          dt_error *error);

/* Row i's inputs as the file has them, (features), without scale and transform. */
void dt_dataset_row(const dt_dataset *dataset, int64_t i, double *inputs);

/* The class's name, or its number written to `room`. */
const char *dt_dataset_label_name(const dt_dataset *dataset, int64_t label, char room[24]);

/* A data set over arrays of the program's own, copied. `labels` holds rows numbers in 0 .. classes-1. */
dt_status dt_dataset_from_arrays(dt_dataset **dataset, int64_t rows, int64_t features, int64_t classes,
                                 dt_element element, const void *inputs, const int32_t *labels, dt_error *error);

/* The same with targets in place of labels: `kind` is regression or multilabel, `targets` holds (rows, outputs). */
dt_status dt_dataset_from_targets(dt_dataset **dataset, int64_t rows, int64_t features, int64_t outputs,
                                  dt_element element, const void *inputs, dt_targets kind, const double *targets,
                                  dt_error *error);

/* A sparse one (CSR): row i's inputs are inputs[at] of input column[at], start[i] <= at < start[i+1], columns ascending
 * from 0, start[0] = 0; what isn't listed is 0. As dt_dataset, copied. */
dt_status dt_dataset_from_sparse(dt_dataset **dataset, int64_t rows, int64_t features, int64_t classes,
                                 dt_element element, const int64_t *start, const int32_t *column, const void *inputs,
                                 const int32_t *labels, dt_error *error);

/* What a format's `open` asks when it has filled `targets`: every number finite, multilabel between 0 and 1. DT_INVALID
 * with the first row and column that isn't. */
dt_status dt_targets_check(dt_targets kind, int64_t rows, int64_t outputs, const double *targets, dt_error *error);

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
