/* The captured steps of a run on disk: a folder of segment files, which come to be one after the other, and the index
 * over them (segments.h). A segment covers so many training steps as are about to take max(2 s, 2 % of the run so
 * far), so that a run of any length has a few hundred of them and a killed one loses little; and no fewer than make
 * what HDF5 adds to it a part in DT_SEGMENT_WORTH, so that the size can be predicted for a machine of any speed. Where
 * training becomes slower than was planned it ends earlier, once that holds for it as it is. Captures of less than
 * DT_CAPTURE_SMALL in the whole run end theirs by the clock alone. The first few are short on any machine.
 *
 * A segment is written under a temporary name, flushed and synchronised every two seconds, at its end closed,
 * synchronised, opened again and checked, renamed, and its folder synchronised: from then on it is never touched again.
 * The index is written anew and renamed after a segment is finished, as often as takes a 500th of a
 * processor's time.
 *
 * Used by one thread at a time; nothing grows with the number of steps but the list of segments.
 */
#ifndef DT_RECORD_CAPTURE_FILE_H
#define DT_RECORD_CAPTURE_FILE_H

#include <stdbool.h>

#include "deltoid/record.h"
#include "deltoid/status.h"
#include "record/capture_layout.h"

typedef struct dt_capture_file dt_capture_file;

/* Makes the index at `path` and the folder `capture` beside it, neither of which may exist (DT_EXISTS); nothing is left
 * of them where that fails. With options->resume both are there (the index may be missing): finished segments are kept,
 * what was in the making is removed, and anything else in the folder is DT_MALFORMED. `layouts` and the texts are
 * borrowed until close. */
dt_status dt_capture_file_create(dt_capture_file **file, const char *path, const dt_capture_layout *layouts,
                                 size_t count, const char *experiment_text, const char *provenance,
                                 const dt_capture_options *options, dt_error *error);

/* Tells the time from now on, in seconds; dt_queue_now where nobody calls this. For tests. */
void dt_capture_file_set_clock(dt_capture_file *file, double (*clock)(void));

/* The last step of a rule that finished segments have; -1: none. */
int64_t dt_capture_file_last(const dt_capture_file *file, size_t rule);

/* See dt_capture_safe. */
int64_t dt_capture_file_safe(const dt_capture_file *file);

/* One captured step of a layout, from a slot: every set dense at its offset. After a failure the file takes no more. */
dt_status dt_capture_file_append(dt_capture_file *file, size_t layout, const void *slot, dt_error *error);

/* `more` steps of a rule were due and not captured. */
void dt_capture_file_drop(dt_capture_file *file, size_t rule, int64_t more);

/* Does what is due by now (dt_queue_now) of flushing, ending a segment and writing the index. *deadline: when to call
 * it again; negative: nothing waits. */
dt_status dt_capture_file_tend(dt_capture_file *file, double *deadline, dt_error *error);

/* All that was appended, in a finished segment; the index follows when it is due. */
dt_status dt_capture_file_seal(dt_capture_file *file, dt_error *error);

/* Seals, with `status` in the index; frees `file` whatever happens. After a failure the index still gets the finished
 * segments and the status "interrupted", where that can be. */
dt_status dt_capture_file_close(dt_capture_file *file, const char *status, dt_error *error);

/* Removes what create made, before anything was appended, and frees `file`. */
void dt_capture_file_discard(dt_capture_file *file);

#endif
