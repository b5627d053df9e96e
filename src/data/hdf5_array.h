/* An array of an HDF5 file that may be hostile, opened and read in the child of base/sandbox.h: hard links alone, in
 * this file alone, filters of HDF5's own, no larger than what the file can hold of it.
 *
 * It is told to this process, which doesn't believe it: the child is a copy of it, and a file may have broken it.
 */
#ifndef DT_DATA_HDF5_ARRAY_H
#define DT_DATA_HDF5_ARRAY_H

#include <hdf5.h>

#include "data/array.h"
#include "data/source.h"

enum { DT_HDF5_BLOCK = 4 << 20, DT_HDF5_CHILD_MEMORY = 768 << 20 };

typedef struct dt_hdf5_said {
    uint64_t dimensions[DT_ARRAY_RANK_MAX], storage; /* bytes that the file holds of it */
    int64_t rank, kind, size;                        /* of a number: a dt_number_kind, bytes */
    int64_t block; /* rows that are best read at once: at most DT_HDF5_BLOCK bytes, whole chunks where these fit */
    int64_t chunk; /* rows of a chunk; 0: contiguous */
    int64_t cache; /* bytes of unpacked chunks that the child keeps */
} dt_hdf5_said;

typedef struct dt_hdf5_array {
    const dt_array_name *name; /* borrowed */
    hid_t set, space, type;    /* type: the machine's own of the file's kind and size */
    dt_hdf5_said said;
} dt_hdf5_array;

/* In the child. Nothing is ever closed: it is a copy that is about to vanish. DT_MALFORMED. */
dt_status dt_hdf5_array_open(dt_hdf5_array *array, const dt_array_name *name, dt_error *error);

/* Rows first .. first+count-1, count <= said.block, as the machine's own numbers. DT_MALFORMED; DT_IO where the system
 * can't read. */
dt_status dt_hdf5_array_read(const dt_hdf5_array *array, int64_t first, int64_t count, void *to, dt_error *error);

/* "PATH:/NAME: is no array; give an array of numbers that lies in the file itself" */
dt_status dt_hdf5_array_fail(const dt_array_name *name, const char *why, dt_error *error);

/* In this process: what was said as the shape and type of `array`, whose name is set. DT_MALFORMED. */
dt_status dt_hdf5_array_believe(dt_array *array, const dt_array_name *name, const dt_hdf5_said *said, dt_error *error);

#endif
