/* What fills a queue's slot with one watched step: copies of what is shown, and statistics (record/statistics.h). The
 * calls are those of an observer; `slot` is laid out as the layout says.
 */
#ifndef DT_RECORD_CAPTURE_OBSERVER_H
#define DT_RECORD_CAPTURE_OBSERVER_H

#include "record/statistics.h"

void dt_capture_fill_begin(const dt_capture_layout *layout, dt_statistics *statistics, const dt_step_view *view,
                           char *slot);
void dt_capture_fill_samples(const dt_capture_layout *layout, dt_statistics *statistics, const dt_step_view *view,
                             int64_t first, int64_t count, char *slot);
void dt_capture_fill_slice(const dt_capture_layout *layout, dt_statistics *statistics, const dt_step_view *view,
                           const dt_slice *slice, char *slot);

#endif
