/* The inside of a dt_capture_reader, for the files that make one: capture_parts.c lists and scans the files,
 * capture_join.c makes one tree of them, capture_read.c opens and reads.
 */
#ifndef DT_RECORD_CAPTURE_READER_H
#define DT_RECORD_CAPTURE_READER_H

#include "base/memory.h"
#include "record/capture_read.h"

enum { DT_READER_RULES_MAX = 64 };
#define DT_READER_FOLDER "capture" /* of the segments, beside the index */

struct dt_capture_reader {
    dt_hdf5_reader *hdf5;
    dt_arena names;
    char *path;   /* of the index, or the plain file */
    char *folder; /* of the segments */
    bool is_index, has_index;
    bool uneven; /* data sets of a rule may have more or fewer steps than it */
    char index_fault[512];
    dt_capture_dataset *index; /* what the index says; (index_count) */
    size_t index_count;
    dt_capture_part *parts;
    size_t part_count, part_room;
    dt_capture_dataset *sets; /* joined */
    size_t set_count;
    char rules[DT_READER_RULES_MAX][DT_DATASET_NAME];
    size_t rule_count;
};

/* --- capture_parts.c --- */

/* `path` and `folder` from what the user named. */
dt_status dt_parts_name(dt_capture_reader *reader, const char *path, dt_error *error);

/* One more part; `path` is in the arena. */
dt_status dt_parts_add(dt_capture_reader *reader, char *path, dt_capture_part **part, dt_error *error);

/* Those in the folder, in order; then which of them the index names (DT_MALFORMED where it leads elsewhere). */
dt_status dt_parts_list(dt_capture_reader *reader, dt_error *error);
dt_status dt_parts_mark(dt_capture_reader *reader, dt_error *error);

/* What each has; `damaged` where it can't be read. */
dt_status dt_parts_scan(dt_capture_reader *reader, dt_capture_opening opening, dt_error *error);

/* Is everything that the index names sound, and as long as the index says? After joining. */
dt_status dt_parts_check(const dt_capture_reader *reader, dt_error *error);

bool dt_part_is_read(const dt_capture_part *part);

/* A rule's list of steps, by its name. */
bool dt_is_step(const dt_capture_dataset *set);

/* Whether a failure is the file's, and not the system's. */
bool dt_is_of_the_file(dt_status status);

/* A message without the file's name before it. */
const char *dt_without_path(const char *message, const char *path);

/* --- capture_join.c --- */

/* A data set of a part; `near`: where it is likely to stand. */
const dt_capture_dataset *dt_part_find(const dt_capture_part *part, size_t near, const char *name);

/* Fills `sets` and `rules` from the parts that are read; marks those that don't fit as damaged. */
dt_status dt_parts_join(dt_capture_reader *reader, dt_error *error);

#endif
