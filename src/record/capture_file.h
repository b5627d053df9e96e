/* One HDF5 file that captured steps are appended to: the layout of the manual, readable as netCDF-4.
 *
 * Steps gather in memory as the chunks they will be, one block of chunk_steps a set, and go to the file as whole
 * chunks; a flush writes the begun blocks too. A file that is killed holds what its last flush wrote. Nothing is
 * allocated after create. One thread at a time.
 */
#ifndef DT_RECORD_CAPTURE_FILE_H
#define DT_RECORD_CAPTURE_FILE_H

#include "deltoid/status.h"
#include "record/capture_layout.h"

typedef struct dt_capture_file dt_capture_file;

/* Makes the file, which must not exist, with a group a layout (borrowed until close) and the attribute status =
 * "running", and flushes it. Nothing is left of it where that fails. */
dt_status dt_capture_file_create(dt_capture_file **file, const char *path, const dt_capture_layout *layouts,
                                 size_t count, const char *experiment_text, const char *provenance, dt_error *error);

/* One captured step of a layout, from a slot: every set dense at its offset. After a failure the file takes no more. */
dt_status dt_capture_file_append(dt_capture_file *file, size_t layout, const void *slot, dt_error *error);

/* All that was appended, down to the disk. */
dt_status dt_capture_file_flush(dt_capture_file *file, dt_error *error);

/* Flushes, sets `status` and closes; frees `file` whatever happens. */
dt_status dt_capture_file_close(dt_capture_file *file, const char *status, dt_error *error);

#endif
