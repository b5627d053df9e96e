/* What a run that was killed left of its capture, made whole: the segment in the making becomes a finished one, the
 * index is made anew from the segments that are sound.
 *
 * Nothing of the run is changed before what replaces it is on the disk and was read again; every step of the work is
 * one rename, so that it may be killed anywhere and done again. What is damaged is left out and kept: a
 * finished segment as seg-000003.h5.lost, so that the run may go on over the hole.
 */
#ifndef DT_RECORD_CAPTURE_RECOVER_H
#define DT_RECORD_CAPTURE_RECOVER_H

#include "deltoid/capture.h"
#include "deltoid/experiment.h"

typedef struct dt_recovery {
    const dt_experiment *experiment; /* of the run; for the index */
    const char *experiment_text, *provenance;
    void (*say)(void *context, const char *line); /* what was found, done and lost, a line each; may be NULL */
    void *context;
    bool changed;     /* out: something was made whole */
    int64_t salvaged; /* out: steps, over all rules, that were taken from what was in the making */
    int64_t lost;     /* out: things that are damaged: files, steps begun and not complete */
} dt_recovery;

/* `run`: a run folder that no process is writing. With `out` not NULL the run stays as it is and all that can be read
 * goes to that file, which must not exist. DT_OK also where nothing was to be done or something is lost (`lost`).
 * DT_NOT_FOUND, DT_EXISTS, DT_MALFORMED, DT_IO, DT_NO_MEMORY, DT_SYSTEM. */
dt_status dt_capture_recover(const char *run, const char *out, dt_recovery *recovery, dt_error *error);

#endif
