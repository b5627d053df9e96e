/* A file's bytes from front to back: as they are, or unpacked from gzip, which shows in the first bytes and not in the
 * name. The bytes on disk are hashed as they pass.
 *
 * - Only regular files: a FIFO would block, a device has no end.
 * - gzip members one after the other are one content, as gzip -d has it. Whatever else follows a member is refused;
 * gzip -d warns and drops it, but bytes that nobody reads should not go unnoticed in data that are hashed.
 * - Memory is a buffer and zlib's window, whatever the file says of itself.
 *
 * Threads: one at a time.
 */
#ifndef DT_DATA_STREAM_H
#define DT_DATA_STREAM_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#include "deltoid/status.h"

enum { DT_STREAM_NAME = 400 };

/* Zero-initialise; open, read, close; never copied in between. The first four are for the reader, the rest is the
 * stream's own. */
typedef struct dt_stream {
    char name[DT_STREAM_NAME]; /* the path, for messages; "..." and its end where it is long */
    bool gzip;
    uint64_t disk_bytes; /* the file's size, or the member's as it lies there */
    uint64_t
        limit; /* more bytes than these can't come out: the size, or 1032 times it, which is the most deflate can do */

    bool is_open;
    int fd;
    uint64_t disk_read; /* bytes read and hashed so far */
    uint64_t disk_left; /* that may still be read */
    bool is_member;
    unsigned char *buffer;
    size_t first, last; /* what is left in the buffer */
    bool in_member;     /* of gzip: its end has not come yet */
    z_stream z;
    EVP_MD_CTX *hash;
} dt_stream;

/* DT_NOT_FOUND, DT_INVALID (no regular file), DT_MALFORMED (empty), DT_IO, DT_NO_MEMORY. Close it also when this fails.
 */
dt_status dt_stream_open(dt_stream *stream, const char *path, dt_error *error);

/* A part of a file as a stream of its own: `packed` bytes from `offset` on, stored, or deflated as a zip archive has
 * them (then `gzip` is set). Its hash is of that part. */
dt_status dt_stream_open_member(dt_stream *stream, const char *path, uint64_t offset, uint64_t packed, bool deflated,
                                dt_error *error);

/* The next `size` bytes; *got is less at the end only. DT_MALFORMED for damaged or truncated gzip, DT_IO, DT_NO_MEMORY.
 */
dt_status dt_stream_read(dt_stream *stream, void *bytes, size_t size, size_t *got, dt_error *error);

/* SHA-256 of the bytes on disk, 64 hexadecimal digits and a NUL. Once, after a read that met the end. */
dt_status dt_stream_sha256(dt_stream *stream, char hex[65], dt_error *error);

/* SHA-256 of a whole file that something else reads. */
dt_status dt_stream_hash_file(const char *path, char hex[65], dt_error *error);

void dt_stream_close(dt_stream *stream); /* a zeroed or closed one is allowed */

#endif
