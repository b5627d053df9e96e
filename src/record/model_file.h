/* The names and shapes in model.h5 that its writer and its reader share. */
#ifndef DT_RECORD_MODEL_FILE_H
#define DT_RECORD_MODEL_FILE_H

enum { DT_MODEL_FORMAT_VERSION = 1, DT_STATE_FORMAT_VERSION = 1, DT_MODEL_LAYERS_MAX = 64 };

#define DT_MODEL_FORMAT "deltoid-model"
#define DT_MODEL_LAYER  "/layer%02d" /* groups of W (unit, input) and b (unit) */

#endif
