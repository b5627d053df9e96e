/* One file of captured steps in the making: a data set for each of a rule's sets, with the numbers and nothing that the
 * index tells already (descriptions, dimension scales).
 *
 * Steps gather in memory as the chunks they will be, one block of chunk_steps a set, and go to the file as whole
 * chunks; a flush writes the begun blocks too. A file that is killed holds what its last flush wrote. The memory is
 * made once for all files of a run, which come one after the other. One thread at a time.
 */
#ifndef DT_RECORD_SEGMENT_H
#define DT_RECORD_SEGMENT_H

#include <stdbool.h>

#include "deltoid/status.h"
#include "record/capture_layout.h"

/* An attribute that each has, with the format's version: a number, because a text costs 4 KiB. */
#define DT_SEGMENT_MARK "deltoid_capture_segment"

typedef struct dt_segment dt_segment;

/* `layouts` are borrowed until destroy, which closes no file: finish does. `live`: in a format that a reader may follow
 * (SWMR). */
dt_status dt_segment_create(dt_segment **segment, const dt_capture_layout *layouts, size_t count, bool live,
                            dt_error *error);
void dt_segment_destroy(dt_segment *segment); /* NULL is allowed */

/* Makes the file at `path` (borrowed until finish), or overwrites it. planned[r]: how many steps of rule r it is to
 * take; its chunks are cut for them, and a rule of 0 has no group in it. */
dt_status dt_segment_begin(dt_segment *segment, const char *path, const int64_t *planned, dt_error *error);
bool dt_segment_is_open(const dt_segment *segment);

/* Is there room for one more step of the rule? How many were appended? */
bool dt_segment_takes(const dt_segment *segment, size_t rule);
int64_t dt_segment_steps(const dt_segment *segment, size_t rule);

/* Bytes that the file would hold in vain if it ended now: of chunks that were made for more steps. */
uint64_t dt_segment_waste(const dt_segment *segment);

/* One captured step of a rule that it takes, from a slot: every set dense at its offset. After a failure of this or one
 * of the next two the file is left as it is, and the object must not be used but for destroy. */
dt_status dt_segment_append(dt_segment *segment, size_t rule, const void *slot, dt_error *error);

/* All that was appended, down to the disk. */
dt_status dt_segment_flush(dt_segment *segment, dt_error *error);

/* Writes what is left, with the attribute `dropped` of rules where dropped[r] is not 0, and closes; not synchronised.
 */
dt_status dt_segment_finish(dt_segment *segment, const int64_t *dropped, dt_error *error);

#endif
