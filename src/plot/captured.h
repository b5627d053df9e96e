/* One sample of one captured step, number by number: what a circuit's figure is made of.
 *
 * The caller says which numbers it needs; the capture says at which step all of them are there. W and b are the step's,
 * z, a and delta the sample's; each may come from another rule, as long as that captured the same step.
 */
#ifndef DT_PLOT_CAPTURED_H
#define DT_PLOT_CAPTURED_H

#include <stddef.h>
#include <stdint.h>

#include "deltoid/experiment.h"
#include "deltoid/status.h"

enum { DT_CAPTURED_PIECES_MAX = 512 };

/* A rectangle of a quantity of layer l: of W (units, inputs), of b (1, units), of the sample's z, a or delta (1,
 * units).
 */
typedef struct dt_captured_piece {
    dt_quantity quantity; /* W, b, z, a or delta */
    int64_t l;
    int64_t height, width; /* what the network has */
    int64_t row, rows, column, columns;
    double *to; /* (rows, columns) */
} dt_captured_piece;

typedef struct dt_captured_query {
    const char *rule; /* NULL: any */
    int64_t step;     /* -1: the last captured step that has all pieces */
    int64_t sample;   /* row of the training set; -1: the first one captured in the step */
    const dt_captured_piece *pieces;
    size_t count; /* 1 .. DT_CAPTURED_PIECES_MAX; at least one of a sample */
} dt_captured_query;

typedef struct dt_captured_place {
    int64_t step, sample;
} dt_captured_place;

/* Fills the pieces from capture.h5 and says where they were found. DT_NOT_FOUND with one line that says what the
 * capture lacks (a quantity of a layer, the step, the sample, the rule, the file) and what to do; DT_INVALID where the
 * capture is of another network; DT_MALFORMED, DT_IO, DT_SYSTEM. The file is read as dt_capture_series_read does
 * (capture.h). */
dt_status dt_captured_read(const char *path, const dt_captured_query *query, dt_captured_place *place, dt_error *error);

#endif
