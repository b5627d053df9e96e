/* HDF5 files that may be hostile, read piece by piece: a confined child (sandbox.h) is asked, and answers with numbers.
 * One child serves any number of files; when it breaks on one, the next request starts another.
 */
#ifndef DT_RECORD_HDF5_READER_H
#define DT_RECORD_HDF5_READER_H

#include "deltoid/capture.h"

typedef struct dt_hdf5_reader dt_hdf5_reader;

dt_status dt_hdf5_reader_create(dt_hdf5_reader **reader, dt_error *error);
void dt_hdf5_reader_destroy(dt_hdf5_reader *reader);

/* A list of data sets, sorted by name; released by the caller with dt_release. DT_NOT_FOUND, DT_IO, DT_MALFORMED with
 * the file's name; data sets of which something is wrong are in the list, with their fault. */
dt_status dt_hdf5_reader_scan(dt_hdf5_reader *reader, const char *path, dt_capture_dataset **sets, size_t *count,
                              dt_error *error);

/* Any part of a data set that the scan found; DT_INVALID where it is outside. */
dt_status dt_hdf5_reader_read(dt_hdf5_reader *reader, const char *path, const dt_capture_dataset *set,
                              const int64_t *start, const int64_t *count, void *to, dt_error *error);

/* How many steps of a data set the file really has, from the first on: chunks that were never written, or lie past
 * byte `end` of the file, end it. `end` < 0: no such bound. */
dt_status dt_hdf5_reader_complete(dt_hdf5_reader *reader, const char *path, const dt_capture_dataset *set, int64_t end,
                                  int64_t *steps, dt_error *error);

/* An attribute: text (terminated), or `count` numbers. */
typedef struct dt_hdf5_attribute {
    char name[64];
    bool text, real, has_sign;
    int element;
    int64_t count;
    const void *value; /* borrowed until the next request */
} dt_hdf5_attribute;

/* Attribute `index` of a group or data set ("/" is the root); *found false past the last. Those that HDF5 keeps
 * dimension scales in have no name here and are to be passed over. */
dt_status dt_hdf5_reader_attribute(dt_hdf5_reader *reader, const char *path, const char *object, int64_t index,
                                   dt_hdf5_attribute *attribute, bool *found, dt_error *error);

/* The same by name. */
dt_status dt_hdf5_reader_named(dt_hdf5_reader *reader, const char *path, const char *object, const char *name,
                               dt_hdf5_attribute *attribute, bool *found, dt_error *error);

/* File name of the i-th source of a virtual data set; *found false past the last. */
dt_status dt_hdf5_reader_source(dt_hdf5_reader *reader, const char *path, const char *object, int64_t index,
                                char name[DT_DATASET_NAME], bool *found, dt_error *error);

/* Forgets an open file, so that the next request opens it again. */
void dt_hdf5_reader_forget(dt_hdf5_reader *reader);

/* Goes through start .. start + count - 1 in dense parts of at most `most` numbers that are split at multiples of
 * `grain` where they can be; stops at the first status that is not DT_OK. */
typedef dt_status (*dt_part_visit)(void *context, const int64_t *start, const int64_t *count, dt_error *error);
dt_status dt_for_parts(int rank, const int64_t *start, const int64_t *count, const int64_t *grain, int64_t most,
                       dt_part_visit visit, void *context, dt_error *error);

#endif
