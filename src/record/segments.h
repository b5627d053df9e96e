/* The segments of a run: which files its folder `capture` has, and how many steps of each rule lie in each; the names,
 * the look back into one, and the index that presents them as one.
 *
 *     RUN/capture.h5                      the index: virtual data sets that map to
 *     RUN/capture/seg-000000.h5           finished segments, numbered without gaps, never changed again;
 *     RUN/capture/.seg-000001.h5.part     the one in the making
 *     RUN/capture/seg-000002.h5.lost      what `deltoid capture recover` found damaged, or in its place nothing: a
 * hole; further ones .lost.1, .lost.2
 */
#ifndef DT_RECORD_SEGMENTS_H
#define DT_RECORD_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deltoid/status.h"
#include "record/capture_layout.h"

/* Finished segments, in order. Zero-initialise, set `rules`. */
typedef struct dt_segments {
    size_t rules;
    int64_t count, room;
    int64_t *steps; /* steps[n * rules + r]: of rule r in segment n */
} dt_segments;

/* Room for one more, which dt_segments_add then can't fail for. */
dt_status dt_segments_reserve(dt_segments *segments, dt_error *error);
void dt_segments_add(dt_segments *segments, const int64_t *steps);
void dt_segments_clear(dt_segments *segments);

/* See dt_capture_safe: the first step that is wanting where segments have those of rule r up to last[r]. */
int64_t dt_segments_safe(const dt_capture_layout *layouts, size_t count, const int64_t *last);

/* "capture/seg-000007.h5", as the index names it, and the part's name. */
enum { DT_SEGMENT_NAME = 48, DT_SEGMENTS_MAX = 1000000 };
void dt_segment_name(int64_t number, char name[DT_SEGMENT_NAME]);
void dt_segment_part_name(int64_t number, char name[DT_SEGMENT_NAME]);

#define DT_SEGMENT_LOST ".lost" /* behind the name of a finished segment */
void dt_segment_lost_name(int64_t number, char name[DT_SEGMENT_NAME]);

/* In the folder `capture` of a run with options.live: a link to the segment in the making. */
#define DT_LIVE_NAME "live.h5"

/* Is it the name of a finished segment, "capture/seg-NNNNNN.h5"? */
bool dt_segment_is_name(const char *name);

/* What one segment has of each rule. */
typedef struct dt_segment_facts {
    int64_t steps, first, last, dropped; /* first and last: step numbers, -1 where steps is 0 */
} dt_segment_facts;

/* Reads facts[r] of each layout; checks that the file is a whole segment of these layouts: every set there, of its
 * shape and type, with the same steps; and where it isn't `ours` (this process has just written it) that no link or
 * filter leads out of it. To be called under dt_hdf5_enter. False: `why` says what is wrong. */
bool dt_segment_look(const char *path, const dt_capture_layout *layouts, size_t count, bool ours,
                     dt_segment_facts *facts, const char **why);

/* What the index says about the run. */
typedef struct dt_index_text {
    const char *status, *experiment, *provenance;
} dt_index_text;

/* Writes the index to a temporary file, synchronises it and renames it to `path`, which it replaces. dropped[r]: steps
 * of rule r that were due and not captured. */
dt_status dt_segments_write_index(const dt_segments *segments, const char *path, const dt_capture_layout *layouts,
                                  const int64_t *dropped, const dt_index_text *text, dt_error *error);

#endif
