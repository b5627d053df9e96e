/* Chunks shuffled and deflated as HDF5's filters of these names do it, by this thread and helpers of its own: HDF5's
 * pipeline is a third as fast, on one thread and under its lock.
 */
#ifndef DT_RECORD_COMPRESS_H
#define DT_RECORD_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "deltoid/status.h"

typedef struct dt_compressor dt_compressor;

enum { DT_COMPRESS_BATCH = 16, DT_COMPRESS_LEVEL = 1, DT_COMPRESS_LEVEL_MAX = 9 };

/* One chunk: `bytes` of numbers of `element` bytes. Out: `to`, borrowed until the next run, of `size` bytes. */
typedef struct dt_compress_job {
    const void *from;
    size_t bytes, element;
    int level; /* 1 .. 9 */
    const void *to;
    size_t size;
} dt_compress_job;

/* Starts helper threads, half as many as there are processors, for chunks of at most `most` bytes. */
dt_status dt_compressor_create(dt_compressor **compressor, size_t most, dt_error *error);
void dt_compressor_destroy(dt_compressor *compressor); /* NULL is allowed */

/* Does up to DT_COMPRESS_BATCH jobs; one thread at a time. False where one can't be compressed, which no input brings
 * about. */
bool dt_compressor_run(dt_compressor *compressor, dt_compress_job *jobs, size_t count);

#endif
