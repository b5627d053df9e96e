/* The groups, data sets, dimensions and attributes of a capture file. To be called between dt_hdf5_enter and
 * dt_hdf5_leave; false on failure, with the reason kept.
 */
#ifndef DT_RECORD_CAPTURE_TREE_H
#define DT_RECORD_CAPTURE_TREE_H

#include <stdbool.h>

#include "hdf5/hdf5.h"
#include "record/capture_layout.h"

enum { DT_CAPTURE_FORMAT_VERSION = 1 };

/* Attributes of the whole file; status is "running". */
bool dt_capture_tree_root(hid_t file, const char *experiment_text, const char *provenance);

/* The group of a rule and all under it, with 0 steps. ids[i] is data set i of the layout, open; none is where it fails.
 */
bool dt_capture_tree_rule(hid_t file, const dt_capture_layout *layout, hid_t *ids);

enum { DT_CAPTURE_RANK = 4 };

/* Dimensions of a data set, step included: 1 to 4; with the extents of `steps` steps of `rows` rows of `columns`, as
 * the file has them: those of whole sets, of chunks, of parts of a chunk. Rows of several workers' partial gradients
 * become (worker, unit). */
int dt_capture_set_box(const dt_capture_set *set, int64_t steps, int64_t rows, int64_t columns,
                       hsize_t box[DT_CAPTURE_RANK]);

/* The same of a place: number (step, row, column). */
int dt_capture_set_place(const dt_capture_set *set, int64_t step, int64_t row, int64_t column,
                         hsize_t place[DT_CAPTURE_RANK]);

/* The type of its numbers, not to be closed. */
hid_t dt_capture_set_type(const dt_capture_set *set);

#endif
