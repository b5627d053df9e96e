#include "record/protobuf.h"

#include <string.h>

#include "base/memory.h"

/* What a tag says of the value behind it. */
enum { VARINT = 0, LENGTH = 2, FIXED32 = 5, VARINT_BYTES = 10 };

static bool reserve(dt_protobuf *p, size_t more)
{
    if (p->failed || more <= p->room - p->used)
        return !p->failed;
    size_t room;
    unsigned char *larger = NULL;
    if (!__builtin_add_overflow(p->used, more, &room) && dt_multiply(room < 128 ? 128 : room, 2, &room))
        larger = dt_allocate(room, 1);
    if (!larger) {
        p->failed = true;
        return false;
    }
    if (p->used)
        memcpy(larger, p->bytes, p->used);
    dt_release(p->bytes);
    p->bytes = larger;
    p->room = room;
    return true;
}

void dt_protobuf_raw(dt_protobuf *p, const void *bytes, size_t size)
{
    if (size && reserve(p, size)) {
        memcpy(p->bytes + p->used, bytes, size);
        p->used += size;
    }
}

/* Seven bits a byte, the lowest first; the top bit says that more follow. */
static void put_varint(dt_protobuf *p, uint64_t value)
{
    unsigned char bytes[VARINT_BYTES];
    size_t n = 0;
    for (; value > 0x7f; value >>= 7)
        bytes[n++] = (unsigned char)(value | 0x80);
    bytes[n++] = (unsigned char)value;
    dt_protobuf_raw(p, bytes, n);
}

static void put_tag(dt_protobuf *p, unsigned field, unsigned kind)
{
    put_varint(p, (uint64_t)field << 3 | kind);
}

void dt_protobuf_integer(dt_protobuf *p, unsigned field, int64_t value)
{
    put_tag(p, field, VARINT);
    put_varint(p, (uint64_t)value);
}

void dt_protobuf_float(dt_protobuf *p, unsigned field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const unsigned char bytes[] = {(unsigned char)bits, (unsigned char)(bits >> 8), (unsigned char)(bits >> 16),
                                   (unsigned char)(bits >> 24)};
    put_tag(p, field, FIXED32);
    dt_protobuf_raw(p, bytes, sizeof bytes);
}

void dt_protobuf_head(dt_protobuf *p, unsigned field, size_t size)
{
    put_tag(p, field, LENGTH);
    put_varint(p, size);
}

void dt_protobuf_bytes(dt_protobuf *p, unsigned field, const void *bytes, size_t size)
{
    dt_protobuf_head(p, field, size);
    dt_protobuf_raw(p, bytes, size);
}

void dt_protobuf_text(dt_protobuf *p, unsigned field, const char *text)
{
    dt_protobuf_bytes(p, field, text, strlen(text));
}

void dt_protobuf_message(dt_protobuf *p, unsigned field, dt_protobuf *inner)
{
    p->failed = p->failed || inner->failed;
    dt_protobuf_bytes(p, field, inner->bytes, inner->used);
    dt_protobuf_clear(inner);
}

void dt_protobuf_append(dt_protobuf *p, const dt_protobuf *more)
{
    p->failed = p->failed || more->failed;
    dt_protobuf_raw(p, more->bytes, more->used);
}

void dt_protobuf_clear(dt_protobuf *p)
{
    dt_release(p->bytes);
    *p = (dt_protobuf){.failed = p->failed};
}
