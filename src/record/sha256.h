/* SHA-256 over pieces of memory, by OpenSSL. */
#ifndef DT_RECORD_SHA256_H
#define DT_RECORD_SHA256_H

#include <stddef.h>

#include "deltoid/status.h"

typedef struct dt_bytes {
    const void *data;
    size_t size;
} dt_bytes;

/* The hash of the pieces one after the other: 64 hexadecimal digits and a NUL. */
dt_status dt_sha256(const dt_bytes *pieces, size_t count, char hex[65], dt_error *error);

#endif
