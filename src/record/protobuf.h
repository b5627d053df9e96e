/* Writes the wire format of Protocol Buffers (protobuf.dev/programming-guides/encoding): fields, each a tag and a
 * value, in a buffer that grows. Memory that runs out is remembered in `failed`. */
#ifndef DT_RECORD_PROTOBUF_H
#define DT_RECORD_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialise; clear. */
typedef struct dt_protobuf {
    unsigned char *bytes;
    size_t used, room;
    bool failed;
} dt_protobuf;

void dt_protobuf_integer(dt_protobuf *p, unsigned field, int64_t value); /* int64, int32, enum */
void dt_protobuf_float(dt_protobuf *p, unsigned field, float value);
void dt_protobuf_bytes(dt_protobuf *p, unsigned field, const void *bytes, size_t size);
void dt_protobuf_text(dt_protobuf *p, unsigned field, const char *text);

/* The tag and length of a field whose `size` bytes follow by other means. */
void dt_protobuf_head(dt_protobuf *p, unsigned field, size_t size);

/* `inner` as a message, and clears it. */
void dt_protobuf_message(dt_protobuf *p, unsigned field, dt_protobuf *inner);

/* What `more` holds, or `size` bytes, as they are. */
void dt_protobuf_raw(dt_protobuf *p, const void *bytes, size_t size);
void dt_protobuf_append(dt_protobuf *p, const dt_protobuf *more);

void dt_protobuf_clear(dt_protobuf *p);

#endif
