/* What a file holds that was never closed. */
#ifndef DT_RECORD_CAPTURE_SALVAGE_H
#define DT_RECORD_CAPTURE_SALVAGE_H

#include "deltoid/capture.h"

typedef struct dt_salvage {
    dt_capture_reader *reader; /* of the file or of its copy, limited to the steps that are whole; NULL: nothing is */
    char *copy;                /* a temporary copy that was repaired, or NULL */
    int64_t steps, begun;      /* over all rules: whole; begun and not whole */
    char why[512];             /* reader is NULL, or what was repaired */
} dt_salvage;

/* Of the file at `path`, which is only read. The steps of a rule that every one of its data sets has, all chunks there,
 * step numbers ascending. A file that is shorter than it says is repaired in a copy beside `beside`: filled up, and
 * what would lie in the filling is lost. Failures of the system alone are errors. Cleared by the caller. */
dt_status dt_salvage_open(dt_salvage *salvage, const char *path, const char *beside, dt_error *error);
void dt_salvage_clear(dt_salvage *salvage);

#endif
