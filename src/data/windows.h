/* The order in which an epoch goes through rows that are shuffled a part at a time, because they don't all fit into
 * memory: a pure function of (seed, epoch, rows, block, windows), the same whether the rows lie in memory or are read
 * meanwhile.
 *
 * Rows lie in blocks of `block` consecutive rows, the last may be short: row i in block i / block. An epoch draws an
 * order of the blocks (stream DT_FOR_BLOCKS of the epoch) and cuts it into windows, as even as dt_split makes them. A
 * window's blocks are taken in ascending order, and its rows to train on are shuffled together, as all rows are where
 * there is one window (data/sampler.c): that is the order in memory, bit for bit.
 *
 *     7 blocks, 3 windows:    order 4 1 6 | 0 5 | 3 2    windows {1 4 6} {0 5} {2 3}
 */
#ifndef DT_DATA_WINDOWS_H
#define DT_DATA_WINDOWS_H

#include <stdbool.h>

#include "base/split.h"
#include "deltoid/status.h"

typedef struct dt_windows {
    int64_t rows, block;   /* rows of the data set, of a block */
    int64_t blocks, count; /* of blocks; of windows, 1: all rows are one */
} dt_windows;

enum { DT_BLOCK_BYTES = 1 << 20, DT_WINDOW_BLOCKS = 8 };

/* Windows of at most `window` rows, of blocks of `block`; 0 is `auto`: one window of all rows; blocks of
 * DT_BLOCK_BYTES in rows of `row` bytes, made up to whole chunks of `chunk` rows (0: the file has none), so that none
 * is read twice, but at most an eighth of a window. DT_INVALID for a block larger than the window, or too many blocks.
 */
dt_status dt_windows_make(dt_windows *windows, int64_t rows, size_t row, int64_t chunk, int64_t window, int64_t block,
                          dt_error *error);

/* Rows first .. last-1 of block b. */
static inline dt_span dt_windows_rows(const dt_windows *windows, int64_t b)
{
    return (dt_span){b * windows->block, dt_min((b + 1) * windows->block, windows->rows)};
}

/* Places first .. last-1 of window w in the order of the blocks. */
static inline dt_span dt_windows_blocks(const dt_windows *windows, int64_t w)
{
    return dt_split(windows->blocks, windows->count, w);
}

/* Blocks of the largest window; the others have as many, or one less. */
static inline int64_t dt_windows_largest(const dt_windows *windows)
{
    return dt_ceil_div(windows->blocks, windows->count);
}

/* The order of an epoch's blocks, ascending within each window; without `shuffle` ascending in all. `order`:
 * (blocks); `scratch`: (2 blocks). Allocates nothing. */
void dt_windows_draw(const dt_windows *windows, bool shuffle, uint64_t seed, int64_t epoch, int32_t *order,
                     int32_t *scratch);

#endif
