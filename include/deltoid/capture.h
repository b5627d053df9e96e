/* Reading captures back: one plain file (a finished or repacked capture.h5), or a run whose capture.h5 is an index of
 * segment files, which look like one here.
 *
 *     dt_capture_reader *r;
 *     dt_capture_reader_open(&r, "results/run", DT_CAPTURE_WHOLE, &error);
 *     const dt_capture_dataset *z = dt_capture_reader_find(r, "/probe/layer01/z");      (step, sample, unit)
 *     float step0[64 * 512];
 *     dt_capture_reader_read(r, z, (int64_t[]){0, 0, 0}, (int64_t[]){1, 64, 512}, step0, &error);
 *     dt_capture_reader_close(r);
 *
 * Files may come from anywhere: HDF5 is called on them in a forked child alone that has little memory and can write
 * nothing; what it says is checked. Only data sets that lie in the file itself are read, by HDF5's own filters; virtual
 * data sets are never followed: segments are opened by their names, in the folder capture/ beside the index alone.
 *
 * A reader is used by one thread at a time.
 */
#ifndef DELTOID_CAPTURE_H
#define DELTOID_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#pragma GCC visibility push(default)

enum { DT_DATASET_RANK = 4, DT_DATASET_NAME = 160 };

/* One data set. A step of it is what its dimensions after the first hold, dense, in row-major order. */
typedef struct dt_capture_dataset {
    char name[DT_DATASET_NAME]; /* "/probe/layer01/z" */
    int rank;                   /* 1 .. DT_DATASET_RANK */
    int64_t size[DT_DATASET_RANK];
    int64_t chunk[DT_DATASET_RANK];              /* all 0: contiguous */
    char axis[DT_DATASET_RANK][DT_DATASET_NAME]; /* the dimensions' scales: "/probe/step"; "": has none */
    bool is_scale;                               /* is a dimension scale itself */
    bool has_steps;                              /* its first dimension is the rule's step */
    bool is_virtual;                             /* an index's: its numbers are in segments */
    bool real, has_sign;                         /* float or double; integers */
    int element;                                 /* bytes of a number, in memory and in the file */
    int gzip;                                    /* level; -1: none */
    bool shuffle;
    int64_t stored;              /* bytes in the files */
    bool has_fill;               /* `fill` stands where nothing was written */
    unsigned char fill[8];       /* a number in this machine's form */
    char fault[DT_DATASET_NAME]; /* why it can't be read; "": it can */
} dt_capture_dataset;

/* A file that holds steps: a segment, or the plain capture itself. */
typedef struct dt_capture_part {
    char *path;
    int64_t bytes;
    bool damaged;    /* left out; `why` says what is wrong */
    bool unfinished; /* in the making, or left by a run that was killed; left out */
    bool unindexed;  /* finished, but not (yet) in the index; left out unless DT_CAPTURE_ALL */
    char why[512];
    dt_capture_dataset *sets; /* (set_count) */
    size_t set_count;
} dt_capture_part;

typedef enum dt_capture_opening {
    DT_CAPTURE_WHOLE, /* what the index names; a damaged or missing part is an error */
    DT_CAPTURE_ALL    /* every segment that is sound, with or without an index; what is not is in the list of parts */
} dt_capture_opening;

typedef struct dt_capture_reader dt_capture_reader;

/* `path`: a run folder, or a file. DT_NOT_FOUND, DT_MALFORMED, DT_IO, DT_NO_MEMORY, DT_SYSTEM. */
dt_status dt_capture_reader_open(dt_capture_reader **reader, const char *path, dt_capture_opening opening,
                                 dt_error *error);
void dt_capture_reader_close(dt_capture_reader *reader); /* NULL is allowed */

/* The file that was opened: FILE, or RUN/capture.h5. Whether it is an index of segments, and whether it is sound (with
 * DT_CAPTURE_ALL it may be missing). */
const char *dt_capture_reader_path(const dt_capture_reader *reader);
bool dt_capture_reader_is_index(const dt_capture_reader *reader);
const char *dt_capture_reader_index_fault(const dt_capture_reader *reader); /* NULL: none */

/* Parts in the order of their steps; NULL past the last. */
const dt_capture_part *dt_capture_reader_part(const dt_capture_reader *reader, size_t i);

/* Data sets, sorted by name, sizes over all parts that are read; NULL past the last, or where there is none of that
 * name. A leading '/' of `name` may be left out. Borrowed until close. */
const dt_capture_dataset *dt_capture_reader_at(const dt_capture_reader *reader, size_t i);
const dt_capture_dataset *dt_capture_reader_find(const dt_capture_reader *reader, const char *name);

/* Names of rules: groups that have a `step`; NULL past the last. */
const char *dt_capture_reader_rule(const dt_capture_reader *reader, size_t i);

/* Numbers start .. start + count - 1 of each dimension into `to`, dense, as they are in the file (`real`, `element`)
 * in this machine's byte order. */
dt_status dt_capture_reader_read(dt_capture_reader *reader, const dt_capture_dataset *set, const int64_t *start,
                                 const int64_t *count, void *to, dt_error *error);

/* All of a rule's `step`, to be released with dt_capture_release; `count` of them. */
dt_status dt_capture_reader_steps(dt_capture_reader *reader, const char *rule, int64_t **steps, int64_t *count,
                                  dt_error *error);

/* Steps that a rule should have captured while the disk was too slow for them: its attribute `dropped`. */
dt_status dt_capture_reader_dropped(dt_capture_reader *reader, const char *rule, int64_t *dropped, dt_error *error);

/* A text attribute of the root: "status", "experiment", "provenance"; to be released with dt_capture_release. NULL
 * where there is none. */
dt_status dt_capture_reader_text(dt_capture_reader *reader, const char *name, char **text, dt_error *error);

void dt_capture_release(void *memory);

#pragma GCC visibility pop

#endif
