/* Inputs that are too many for memory, read while others are trained on: a confined child (base/sandbox.h) reads blocks
 * of rows into memory that it shares with this process, a window of them ahead of the one in use.
 *
 *     | half 0: window 0 | half 1: window 1, being read | room for a scan |
 *
 * Window w of epoch e is window number q = e count + w of the run, and lies in half q % 2; one window of all rows is
 * read once and stays. The order of the blocks is data/windows.h's, so that which row lies where is a pure function of
 * the epoch; what the reader's timing decides is only how long dt_feed_need waits.
 *
 * The file is the same from the first row to the last: it is looked at after each piece that was read, and a size or a
 * time of change that is another ends the run, before anything of that piece is used.
 *
 * Threads: one at a time, but for dt_dataset's slot, which any number may read from dt_feed_epoch to the next.
 */
#ifndef DT_DATA_FEED_H
#define DT_DATA_FEED_H

#include <stddef.h>

#include "data/windows.h"
#include "deltoid/status.h"

typedef struct dt_feed dt_feed;

/* How the child reads. It must not use memory hooks, locks or OpenMP. */
typedef struct dt_feed_source {
    const char *path, *name; /* the file; its array, for messages; borrowed until destroy */
    void *context;
    dt_status (*open)(void *context, dt_error *error); /* before the first read */
    /* Rows first .. first+count-1, as elements; count <= most. DT_MALFORMED, DT_IO. */
    dt_status (*read)(void *context, int64_t first, int64_t count, void *to, dt_error *error);
    int64_t (*most)(const void *context, int64_t first); /* rows to read at once from `first` on, >= 1 */
    void (*close)(void *context);                        /* in this process, with the feed, or when none was made */
    size_t memory; /* bytes that the child may take for itself, at most; dt_feed_sizes.reader is what it needs */
} dt_feed_source;

typedef struct dt_feed_sizes {
    size_t row;         /* bytes */
    dt_windows windows; /* what is trained on; of a set that is only evaluated one window, which is never needed */
    bool trains;        /* has halves */
    int64_t scan;       /* rows that a scan reads at once */
    size_t reader;      /* bytes of the child's own: what it unpacks from */
} dt_feed_sizes;

/* How `memory` bytes are used for rows of `row` bytes, `room` of them rows that a scan copies (data/scan.h); a set to
 * train on in windows as dt_windows_make has them, the largest there is room for where `window` is 0. DT_INVALID where
 * memory is too small. */
dt_status dt_feed_plan(dt_feed_sizes *sizes, int64_t rows, size_t row, int64_t chunk, int64_t memory, int64_t window,
                       int64_t block, bool trains, dt_error *error);

/* Bytes of memory that hold rows, what a scan takes for itself included, but not the child's own. */
size_t dt_feed_bytes(const dt_feed_sizes *sizes);

/* Shares the memory and starts the child. DT_NO_MEMORY, DT_SYSTEM, DT_IO. */
dt_status dt_feed_create(dt_feed **feed, const dt_feed_source *source, const dt_feed_sizes *sizes, dt_error *error);
void dt_feed_destroy(dt_feed *feed); /* NULL is allowed */

const dt_feed_sizes *dt_feed_sizes_of(const dt_feed *feed);

/* Where the windows lie; block slot[b] of it is block b of the epoch at hand. */
const void *dt_feed_inputs(const dt_feed *feed);
const int32_t *dt_feed_slots(const dt_feed *feed);

/* The order that a trainer goes by: its seed, and how many epochs it will make; to the end it alone asks for windows.
 * DT_INVALID where another does. */
dt_status dt_feed_begin(dt_feed *feed, bool shuffle, uint64_t seed, int64_t epochs, dt_error *error);
void dt_feed_end(dt_feed *feed);

/* Says where the blocks of epoch 0, 1, ... will lie. No row is in use. */
void dt_feed_epoch(dt_feed *feed, int64_t epoch);

/* Waits until windows first .. last-1 (one or two) of that epoch are in memory. Those before them may be overwritten
 * from now on: the window after them is asked for, where there is room. False with dt_feed_error; and ever after. */
bool dt_feed_need(dt_feed *feed, dt_span windows);
dt_status dt_feed_error(const dt_feed *feed, dt_error *error);

/* Rows first .. first+count-1, count <= sizes.scan, into the room for scans: ask, do something else, wait. They lie at
 * *rows until the next are asked for. */
bool dt_feed_ask(dt_feed *feed, int64_t first, int64_t count);
bool dt_feed_wait(dt_feed *feed, const void **rows);

#endif
