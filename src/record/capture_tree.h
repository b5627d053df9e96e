/* The groups, data sets, dimensions and attributes of a capture: of the index, which users open, with all of them, and
 * of a segment, which has the data sets alone. To be called between dt_hdf5_enter and dt_hdf5_leave; false or negative
 * on failure, with the reason kept.
 */
#ifndef DT_RECORD_CAPTURE_TREE_H
#define DT_RECORD_CAPTURE_TREE_H

#include <stdbool.h>

#include "hdf5/hdf5.h"
#include "record/capture_layout.h"

enum { DT_CAPTURE_FORMAT_VERSION = 1, DT_CAPTURE_PATH = 160 };

/* Attributes of the whole file. */
bool dt_capture_tree_root(hid_t file, const char *status, const char *experiment_text, const char *provenance);

/* Adds to the creation list of data set `set` of a layout how it keeps its numbers: chunks, or a map to other files. */
typedef bool (*dt_capture_storage)(void *context, size_t set, hid_t creation);

enum { DT_CAPTURE_RANK = 4 };

/* The group of a rule and all under it, of `steps` steps, described and with its dimension scales, as netCDF-4 has
 * them. `dropped`: steps that were due and not captured. */
bool dt_capture_tree_rule(hid_t file, const dt_capture_layout *layout, int64_t steps, int64_t dropped,
                          dt_capture_storage storage, void *context);

/* One data set at `path` from `place`, not described: filled with NaN or -1, the step dimension unlimited. Its chunks
 * never enter HDF5's cache: they are written whole, or in one run of bytes each. `index`: for `storage`. */
hid_t dt_capture_set_create(const dt_capture_set *set, hid_t place, const char *path, hid_t links, int64_t steps,
                            dt_capture_storage storage, void *context, size_t index);

/* "/probe/layer01/z", "/probe/step" */
void dt_capture_set_path(const dt_capture_layout *layout, const dt_capture_set *set, char path[DT_CAPTURE_PATH]);

/* Dimensions of a data set, step included: 1 to 4; with the extents of `steps` steps of `rows` rows of `columns`, as
 * the file has them: those of whole sets, of chunks, of parts of a chunk. Rows of several workers' partial gradients
 * become (worker, unit). */
int dt_capture_set_box(const dt_capture_set *set, int64_t steps, int64_t rows, int64_t columns,
                       hsize_t box[DT_CAPTURE_RANK]);

/* The same of a place: number (step, row, column). */
int dt_capture_set_place(const dt_capture_set *set, int64_t step, int64_t row, int64_t column,
                         hsize_t place[DT_CAPTURE_RANK]);

/* The type of its numbers; not to be closed. */
hid_t dt_capture_set_type(const dt_capture_set *set);

#endif
