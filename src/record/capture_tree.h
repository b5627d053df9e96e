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

/* Dimensions of a data set, step included: 1, 2 or 3; and the type of its numbers (not to be closed). */
int dt_capture_set_rank(const dt_capture_set *set);
hid_t dt_capture_set_type(const dt_capture_set *set);

#endif
