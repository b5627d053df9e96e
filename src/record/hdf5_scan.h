/* What a confined child does with an HDF5 file that may be hostile: lists its data sets, checks what each is, reads.
 * Needs no memory but what it is given. Statuses are as in hdf5_reader.h; to be called in that child alone.
 */
#ifndef DT_RECORD_HDF5_SCAN_H
#define DT_RECORD_HDF5_SCAN_H

#include <hdf5.h>
#include <stdbool.h>

#include "deltoid/capture.h"

enum {
    DT_SCAN_DEPTH = 4,       /* /rule/layer/group/set */
    DT_SCAN_SETS = 1 << 16,  /* more than any run has */
    DT_SCAN_LINKS = 1 << 18, /* looked at in all: hard links may make a cycle */
};

/* Called for each data set, in the order of names. False ends the walk. */
typedef bool (*dt_scan_visit)(void *context, const dt_capture_dataset *set);

/* Every data set that hard links lead to. NULL, or what is wrong. */
const char *dt_scan_file(hid_t file, dt_scan_visit visit, void *context);

/* What is to be known of a data set, faults included, before a number of it is read. */
void dt_scan_describe(hid_t set, const char *name, dt_capture_dataset *description);

/* A hard link all the way down: no other file is reached by that name. */
bool dt_scan_is_hard(hid_t file, const char *name);

/* The type in memory of its numbers; not to be closed. */
hid_t dt_scan_type(const dt_capture_dataset *set);

#endif
