/* NumPy's arrays: FILE.npy, plain or gzipped, or an array of an archive FILE.npz, which is named FILE.npz:/NAME (or
 * /NAME beside `file`).
 *
 * Versions 1 to 3 of the format, in C order: integers, booleans and floats of either byte order (Python objects are
 * never read). Archives: stored or deflated, with CRC-32 and zip64. Inputs have ranks 1 to 4, labels rank 1 and whole
 * numbers from 0.
 */
#ifndef DT_DATA_NPY_H
#define DT_DATA_NPY_H

#include "deltoid/dataset.h"

dt_status dt_npy_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error);

#endif
