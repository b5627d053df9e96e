/* Rows of a data set from front to back, wherever they lie: a data set in memory gives all of them at once, one with a
 * feed a piece at a time, and reads the next while the caller works on it.
 *
 *     dt_scan s;
 *     status = dt_scan_begin(&s, data, rows, error);
 *     while (status == DT_OK && (status = dt_scan_next(&s, error)) == DT_OK && s.rows.count > 0)
 *         ... row s.rows.index[i], or i without, of s.piece is row s.first + i of `rows` ...
 *     dt_scan_end(&s);
 *
 * A data set is scanned by one at a time.
 */
#ifndef DT_DATA_SCAN_H
#define DT_DATA_SCAN_H

#include "deltoid/dataset.h"

typedef struct dt_scan {
    dt_dataset piece; /* borrowed until the next: rows of `rows` with their labels or targets, and their transform */
    dt_rows rows;     /* which of its rows; none: that was the last piece. Whole chunks of 64, but for the last piece */
    int64_t first;    /* where they begin in `rows` */

    const dt_dataset *data; /* from here on the scan's own */
    dt_rows wanted;
    int64_t done, kept, room; /* rows of `wanted` that are copied; rows at the piece's front from the last; capacity */
    int64_t asked, asked_count; /* what the feed reads: rows of the data set */
    unsigned char *inputs;
    int32_t *labels;
    double *targets;
} dt_scan;

/* `rows`, ascending, is borrowed until the end. DT_NO_MEMORY, and what a feed says. End also after a failure. */
dt_status dt_scan_begin(dt_scan *scan, const dt_dataset *data, dt_rows rows, dt_error *error);
dt_status dt_scan_next(dt_scan *scan, dt_error *error);
void dt_scan_end(dt_scan *scan);

/* In place of dt_scan_next: row i of `rows`, 0, 1, ... one after the other, as doubles. */
dt_status dt_scan_row(dt_scan *scan, int64_t i, double *row, dt_error *error);

/* Bytes that a scan takes beside the feed's own memory. */
size_t dt_scan_bytes(const dt_dataset *data);

#endif
