/* The table of contents of a zip archive, to find one member of it. */
#ifndef DT_DATA_ZIP_H
#define DT_DATA_ZIP_H

#include <stdbool.h>
#include <stdint.h>

#include "deltoid/status.h"

typedef struct dt_zip_member {
    uint64_t offset, packed, size; /* of its data in the file; bytes there; bytes unpacked */
    bool deflated;
    uint32_t crc; /* CRC-32 of its contents */
} dt_zip_member;

/* Finds `member` by its name. DT_NOT_FOUND with the names that there are; DT_MALFORMED; DT_UNSUPPORTED (encrypted,
 * other methods, several volumes); DT_IO. */
dt_status dt_zip_find(dt_zip_member *found, const char *path, const char *member, dt_error *error);

/* The names of all members, in the order of the table of contents, each terminated, one after the other; an empty one
 * at the end. For the caller to release. DT_MALFORMED, DT_IO, DT_NO_MEMORY. */
dt_status dt_zip_names(char **names, const char *path, dt_error *error);

#endif
