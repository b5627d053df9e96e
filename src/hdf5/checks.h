/* What to look at in an HDF5 file that is not ours before reading from it, in the child of base/sandbox.h: HDF5 follows
 * links, external storage and virtual sources into other files, and may run any filter.
 */
#ifndef DT_HDF5_CHECKS_H
#define DT_HDF5_CHECKS_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A link of that name that leads nowhere else: not soft, not external. For a path, its last name alone: ask for every
 * group on the way. */
bool dt_hdf5_is_hard(hid_t file, const char *name);

/* Numbers that lie in this file, contiguous or in chunks, unfiltered or by filters of HDF5's own: NULL; else what is
 * wrong, as "is stored in another file". `creation` is the data set's property list. */
const char *dt_hdf5_storage_fault(hid_t creation);

/* A short string attribute, fixed or variable length, into room of `size` bytes; and a whole number. False where there
 * is none. */
bool dt_hdf5_get_text(hid_t object, const char *name, char *to, size_t size);
bool dt_hdf5_get_integer(hid_t object, const char *name, int64_t *value);

/* The data set at an absolute path, of exactly this type and size (rank 0: one number), with all the checks above:
 * NULL; else what is wrong. */
const char *dt_hdf5_read(hid_t file, const char *path, hid_t type, int rank, const hsize_t *size, void *to);

#endif
