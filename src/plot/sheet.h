/* Tables of numbers: read from a run's metrics.tsv, written beside a picture for gnuplot and for anyone else.
 *
 * A sheet is blocks of rows under the same columns. As a file it is tab-separated, comments start with '#', and two
 * empty lines stand between blocks, which gnuplot counts as `index` 0, 1, ...; what is not known is "nan".
 */
#ifndef DT_PLOT_SHEET_H
#define DT_PLOT_SHEET_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "deltoid/status.h"

typedef struct dt_sheet_block {
    const char *title; /* one line, from outside or not */
    size_t rows;
    double *values; /* (rows, columns), row-major */
} dt_sheet_block;

typedef struct dt_sheet {
    const char *title;          /* what the numbers are */
    const char *const *columns; /* (column_count) names */
    size_t column_count;
    dt_sheet_block *blocks;
    size_t block_count;
} dt_sheet;

/* Element (row, column) of a block. */
static inline double dt_sheet_value(const dt_sheet *sheet, const dt_sheet_block *block, size_t row, size_t column)
{
    return block->values[row * sheet->column_count + column];
}

/* Smallest and largest finite value of a column; DT_NOT_FOUND (and nothing set) where there is none. Widens *low and
 * *high, so start with INFINITY and -INFINITY. */
dt_status dt_sheet_range(const dt_sheet *sheet, const dt_sheet_block *block, size_t column, double *low, double *high);

void dt_sheet_write(const dt_sheet *sheet, dt_buffer *out);

/* Reads the named columns, in the given order, of a file with a header line of names and rows of numbers ("nan" and
 * "inf" are numbers). Other columns may be there. A last line without its newline counts if it is whole; half a row,
 * left by a writer that was stopped, does not. `block->values` lives in the arena. DT_NOT_FOUND, DT_MALFORMED with
 * PATH:LINE, DT_IO, DT_NO_MEMORY. */
dt_status dt_sheet_read(const char *path, const char *const *columns, size_t column_count, dt_arena *arena,
                        dt_sheet_block *block, dt_error *error);

#endif
