/* Arrays by name: FILE:/NAME, or /NAME in the source's `file`. What npy's archives and hdf5 share. */
#ifndef DT_DATA_SOURCE_H
#define DT_DATA_SOURCE_H

#include "deltoid/dataset.h"

typedef struct dt_array_name {
    char *text; /* for messages: "FILE:/NAME" */
    char *file;
    const char *array; /* without the leading '/'; NULL: the file is the array */
} dt_array_name;

/* `which` is the source's inputs or labels. Without `file`, the name is split behind the last `ending` (".npz") that
 * ':/' or ':' follows; ending NULL: at the last ":/". DT_NO_MEMORY, DT_INVALID for an empty name. Clear also after a
 * failure.
 */
dt_status dt_array_name_make(dt_array_name *name, const dt_source *source, const char *which, const char *ending,
                             dt_error *error);
void dt_array_name_clear(dt_array_name *name);

#endif
