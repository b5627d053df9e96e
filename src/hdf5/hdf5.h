/* The HDF5 library as deltoid uses it: one thread at a time, silent, and every failure kept as words before the next
 * call clears them.
 *
 *     dt_hdf5_enter();
 *     hid_t file = H5Fopen(...);
 *     bool good = dt_hdf5_ok(file) && dt_hdf5_put_text(file, "format", "...");
 *     if (!good)
 *         status = dt_hdf5_fail(error, path, "write");
 *     dt_hdf5_leave();
 *
 * After a failed write (a full disk) HDF5 1.10 can crash when the file or the library is closed, so a file that failed
 * is never touched again: its handles stay open until the process ends, and the library is told not to close itself at
 * exit.
 */
#ifndef DT_HDF5_HDF5_H
#define DT_HDF5_HDF5_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deltoid/experiment.h"
#include "deltoid/status.h"

/* One thread at a time between the two; other programs' error printing is switched off in between. Not recursive. */
void dt_hdf5_enter(void);
void dt_hdf5_leave(void);

/* result >= 0. The reason of the first failure since dt_hdf5_enter is kept for dt_hdf5_fail. */
bool dt_hdf5_ok(int64_t result);

/* Was that reason the system's, as a disk that fails? Else it is the file's. */
bool dt_hdf5_refused(void);

/* Keeps "out of memory" as the reason, for memory of our own; false. */
bool dt_hdf5_out_of_memory(void);

/* DT_IO (DT_NO_MEMORY after the call above): "PATH: can't DOING: No space left on device; what to do". */
dt_status dt_hdf5_fail(dt_error *error, const char *path, const char *doing);

/* Opens over an existing empty file, or creates: format bounds earliest .. 1.10, no file locking (a reader may look on
 * while a run writes), metadata written at flushes only. Negative on failure. */
hid_t dt_hdf5_create(const char *path);

/* The same with a file creation list and space for metadata taken in steps of `metadata_block` bytes. `swmr`: format
 * bounds 1.10 .. 1.10, with which a reader may follow the file while it grows. */
hid_t dt_hdf5_create_with(const char *path, hid_t creation, bool swmr, size_t metadata_block);

/* For reading, without locking. Of a file of our own: a stranger's is for the sandbox. */
hid_t dt_hdf5_open(const char *path);

/* Closes what is >= 0 of a group, dataset, attribute, type, space or property list; keeps the reason of an earlier
 * failure. */
void dt_hdf5_close(hid_t id);

/* The descriptor of an open file, for fsync; -1 on failure. */
int dt_hdf5_descriptor(hid_t file);

/* The machine's own float or double. */
hid_t dt_hdf5_real(dt_precision precision);

/* Attributes. Text is a variable-length UTF-8 string, which h5py and xarray give back as str. False on failure. */
bool dt_hdf5_put_text(hid_t object, const char *name, const char *text);
bool dt_hdf5_replace_text(hid_t object, const char *name, const char *text);
bool dt_hdf5_put_integer(hid_t object, const char *name, int64_t value);

/* A coordinate 0 .. count-1 (int64) that is also a netCDF-4 dimension scale; the caller closes it. */
hid_t dt_hdf5_axis(hid_t group, const char *name, int64_t count, const char *long_name);

#endif
