/* Taking up the segments of a run that was stopped or killed. */
#ifndef DT_RECORD_SEGMENTS_SCAN_H
#define DT_RECORD_SEGMENTS_SCAN_H

#include <stdbool.h>

#include "record/segments.h"

/* Fills `segments` with what lies in the folder `capture` beside the index at `path`, last[r] with the last step of
 * rule r there (-1: none), and dropped[r]. Removes what was in the making: parts, and temporary files of the index.
 * A number that is named lost (segments.h) has no steps.
 * DT_MALFORMED, with its name, for a damaged segment, one of another experiment, a missing number, or any other file.
 * Reads in a confined process (sandbox.h). */
dt_status dt_segments_scan(dt_segments *segments, const char *path, const dt_capture_layout *layouts, size_t count,
                           int64_t *last, int64_t *dropped, dt_error *error);

/* The same for a look, which removes nothing: last[r] alone, and whether a number is named lost. */
dt_status dt_segments_look(const char *path, const dt_capture_layout *layouts, size_t count, int64_t *last, bool *lost,
                           dt_error *error);

#endif
