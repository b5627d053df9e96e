/* The layouts that wrote the segments of a run, for an index that is to be made anew: from the experiment, and what
 * that alone does not tell (the data's features, the workers, a training set smaller than the minibatch) from the data
 * sets that a reader sees.
 */
#ifndef DT_RECORD_CAPTURE_INFER_H
#define DT_RECORD_CAPTURE_INFER_H

#include "deltoid/capture.h"
#include "record/capture_layout.h"

/* layouts[0 .. *count-1], one a rule, are to be cleared also after a failure; `room` of them there are. `run`: for the
 * message. DT_MALFORMED where the data sets are not those that the experiment captures. */
dt_status dt_capture_infer_layouts(const dt_capture_reader *reader, const dt_experiment *experiment, const char *run,
                                   dt_capture_layout *layouts, size_t room, size_t *count, dt_error *error);

#endif
