/* Arrays of an HDF5 file: `file: FILE, inputs: /PATH, labels: /PATH`, or FILE:/PATH for each.
 *
 * Integers and floats (32 and 64 bits) of either byte order, contiguous or in chunks, with HDF5's own filters. Inputs
 * have ranks 1 to 4, labels rank 1 and whole numbers from 0. The file may be hostile, and HDF5 breaks on some: a
 * confined child (base/sandbox.h) reads it, follows no link and no storage out of it, and sends plain numbers.
 */
#ifndef DT_DATA_HDF5_H
#define DT_DATA_HDF5_H

#include "deltoid/dataset.h"

dt_status dt_hdf5_dataset_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error);

#endif
