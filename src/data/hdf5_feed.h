/* Inputs of an HDF5 file that are read while others are trained on. */
#ifndef DT_DATA_HDF5_FEED_H
#define DT_DATA_HDF5_FEED_H

#include "data/hdf5_array.h"
#include "deltoid/dataset.h"

/* Are they, by data.stream and data.memory? */
bool dt_hdf5_feed_wanted(const dt_array *inputs, const dt_data_spec *data);

/* Sets all of the data set that is about inputs, which are copied, and of which the file says `said`. */
dt_status dt_hdf5_feed_open(dt_dataset *dataset, const dt_array *inputs, const dt_hdf5_said *said,
                            const dt_opening *opening, dt_error *error);

#endif
