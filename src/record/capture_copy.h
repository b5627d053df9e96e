/* A capture written as one plain file: what repack and recover publish. */
#ifndef DT_RECORD_CAPTURE_COPY_H
#define DT_RECORD_CAPTURE_COPY_H

#include "deltoid/capture.h"

typedef enum dt_copy_chunks {
    DT_CHUNKS_KEPT, /* as in the source, of segments the first */
    DT_CHUNKS_BOTH, /* some steps of some units: neither is slow */
    DT_CHUNKS_STEP, /* whole steps: one step is read from few chunks */
    DT_CHUNKS_UNIT  /* many steps of few units: one unit's history is read from few chunks */
} dt_copy_chunks;

typedef struct dt_copy_options {
    dt_copy_chunks chunks;
    bool filters_kept;  /* the source's; else: */
    bool gzip;          /* shuffle and gzip, or none */
    const char *status; /* the attribute of the copy; NULL: the source's */
    bool replace;       /* what is at `path` */
    const char *beside; /* the temporary file lies beside this name, on the same file system; NULL: beside `path` */
} dt_copy_options;

/* Writes all that the reader sees under a temporary name, closes it, reads it again and compares every number and
 * attribute with the source, then gives it its name. Values keep their bits. Memory does not grow with the capture.
 * DT_EXISTS, DT_MALFORMED (the source can't be read), DT_IO (also where the comparison fails), DT_NO_MEMORY. */
dt_status dt_capture_copy(dt_capture_reader *source, const char *path, const dt_copy_options *options, dt_error *error);

/* The chunk that a data set gets; all 0 for a contiguous one. */
void dt_copy_chunk(const dt_capture_dataset *set, dt_copy_chunks chunks, int64_t chunk[DT_DATASET_RANK]);

#endif
