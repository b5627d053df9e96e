/* standardize and min_max: each input's shift and factor, from the training rows. */
#ifndef DT_DATA_TRANSFORM_H
#define DT_DATA_TRANSFORM_H

#include "deltoid/dataset.h"

/* The last step of opening: gives the data set a transform where `data` or `like` want one. Sums run in the order of
 * the rows, so that the bits depend on the data alone. */
dt_status dt_dataset_transform(dt_dataset *dataset, const dt_opening *opening, dt_error *error);

#endif
