/* The names and shapes in model.h5 that its writer and its reader share. */
#ifndef DT_RECORD_MODEL_FILE_H
#define DT_RECORD_MODEL_FILE_H

#include <hdf5.h>
#include <stdbool.h>

#include "deltoid/dataset.h"

enum { DT_MODEL_FORMAT_VERSION = 1, DT_STATE_FORMAT_VERSION = 1, DT_MODEL_LAYERS_MAX = 64 };

#define DT_MODEL_FORMAT    "deltoid-model"
#define DT_MODEL_LAYER     "/layer%02d" /* groups of W (unit, input) and b (unit) */
#define DT_MODEL_TRANSFORM "/transform" /* group of how data are to be read; see model_transform.c */

/* Between dt_hdf5_enter and leave; NULL writes nothing. */
bool dt_model_put_transform(hid_t file, const dt_transform *transform);

#endif
