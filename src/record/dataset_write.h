/* A data set as an HDF5 file that format hdf5 reads: /inputs (row, input) and /labels, (row) or (row, output), their
 * names in the attribute `names` of /labels, one a line. */
#ifndef DT_RECORD_DATASET_WRITE_H
#define DT_RECORD_DATASET_WRITE_H

#include "deltoid/dataset.h"

/* Never over an existing file. */
dt_status dt_dataset_write_hdf5(const char *path, const dt_dataset *dataset, dt_error *error);

#endif
