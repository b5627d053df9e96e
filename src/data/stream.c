#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* Large enough that a system call costs nothing beside inflate, small enough to stay in the second-level cache. */
enum { BUFFER = 256 << 10, DEFLATE_RATIO = 1032, GZIP_FORMAT = 16 + MAX_WBITS };

/* --- the file --- */

static void set_name(dt_stream *stream, const char *path)
{
    const size_t length = strlen(path), room = sizeof stream->name - 1;
    if (length <= room) {
        memcpy(stream->name, path, length + 1);
        return;
    }
    const char *end = path + length - (room - 3);
    while (((unsigned char)*end & 0xc0) == 0x80) /* not into the middle of a UTF-8 character */
        end++;
    snprintf(stream->name, sizeof stream->name, "...%s", end);
}

static dt_status fail_errno(const dt_stream *stream, int number, const char *doing, dt_error *error)
{
    char reason[128];
    const char *advice = "";
    dt_status status = number == ENOMEM ? DT_NO_MEMORY : DT_IO;
    if (number == ENOENT || number == ENOTDIR || number == ENAMETOOLONG || number == ELOOP) {
        status = DT_NOT_FOUND;
        advice = "; check the path, or fetch the data set first";
    } else if (number == EACCES) {
        advice = "; give yourself the right to read it";
    }
    if (strerror_r(number, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", number);
    return dt_fail(error, status, "%s: can't %s it: %s%s", stream->name, doing, reason, advice);
}

static dt_status fail_hash(const dt_stream *stream, dt_error *error)
{
    return dt_fail(error, DT_SYSTEM, "%s: OpenSSL can't compute SHA-256; is this a restricted build of it?",
                   stream->name);
}

static dt_status check_kind(const dt_stream *stream, mode_t mode, dt_error *error)
{
    if (S_ISREG(mode))
        return DT_OK;
    const char *kind = S_ISDIR(mode)                    ? "a directory"
                       : S_ISFIFO(mode)                 ? "a FIFO"
                       : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                       : S_ISSOCK(mode)                 ? "a socket"
                                                        : "no regular file";
    return dt_fail(error, DT_INVALID, "%s: is %s; data are read from regular files, so name a file%s", stream->name,
                   kind, S_ISDIR(mode) ? " in it" : "");
}

/* The kind is looked at before opening, since to open a device may do something, and after, since the name may mean
 * another file then. */
static dt_status open_file(dt_stream *stream, const char *path, dt_error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return fail_errno(stream, errno, "open", error);
    dt_status kind = check_kind(stream, status.st_mode, error);
    if (kind != DT_OK)
        return kind;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail_errno(stream, errno, "open", error);
    stream->fd = fd;
    stream->is_open = true;
    if (fstat(fd, &status) != 0)
        return fail_errno(stream, errno, "open", error);
    stream->disk_bytes = (uint64_t)status.st_size;
    return check_kind(stream, status.st_mode, error);
}

/* Makes at least `wanted` bytes stand in the buffer, fewer only at the end of the file. */
static dt_status fill(dt_stream *stream, size_t wanted, dt_error *error)
{
    if (stream->last - stream->first >= wanted)
        return DT_OK;
    memmove(stream->buffer, stream->buffer + stream->first, stream->last - stream->first);
    stream->last -= stream->first;
    stream->first = 0;
    while (stream->last < wanted) {
        const size_t room = BUFFER - stream->last;
        ssize_t n = read(stream->fd, stream->buffer + stream->last,
                         room < stream->disk_left ? room : (size_t)stream->disk_left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(stream, errno, "read", error);
        if (n == 0)
            return DT_OK;
        if (!EVP_DigestUpdate(stream->hash, stream->buffer + stream->last, (size_t)n))
            return fail_hash(stream, error);
        stream->last += (size_t)n;
        stream->disk_read += (uint64_t)n;
        stream->disk_left -= (uint64_t)n;
    }
    return DT_OK;
}

/* --- gzip --- */

static void *zlib_allocate(void *context, unsigned count, unsigned size)
{
    (void)context;
    return dt_allocate(count, size);
}

static void zlib_release(void *context, void *memory)
{
    (void)context;
    dt_release(memory);
}

static bool gzip_begins(const dt_stream *stream)
{
    const unsigned char *next = stream->buffer + stream->first;
    return stream->last - stream->first >= 2 && next[0] == 0x1f && next[1] == 0x8b;
}

static dt_status begin_inflating(dt_stream *stream, int format, dt_error *error)
{
    stream->z.zalloc = zlib_allocate;
    stream->z.zfree = zlib_release;
    if (inflateInit2(&stream->z, format) != Z_OK)
        return dt_fail_memory(error, "unpacking gzip");
    stream->gzip = stream->in_member = true;
    stream->limit = stream->disk_bytes > UINT64_MAX / DEFLATE_RATIO ? UINT64_MAX : stream->disk_bytes * DEFLATE_RATIO;
    return DT_OK;
}

/* Where a member has ended: goes on to the next, if there is one. */
static dt_status next_member(dt_stream *stream, dt_error *error)
{
    if (stream->is_member)
        return DT_OK; /* of an archive: there is one */
    dt_status status = fill(stream, 2, error);
    if (status != DT_OK || stream->first == stream->last)
        return status;
    if (!gzip_begins(stream))
        return dt_fail(
            error, DT_MALFORMED,
            "%s: its gzip data end before byte %llu, and what follows is no gzip; cut it off or fetch the file again",
            stream->name, (unsigned long long)(stream->disk_read - (stream->last - stream->first)));
    inflateReset(&stream->z);
    stream->in_member = true;
    return DT_OK;
}

static dt_status inflate_some(dt_stream *stream, unsigned char *bytes, size_t size, size_t *got, dt_error *error)
{
    z_stream *z = &stream->z;
    dt_status status = fill(stream, 1, error);
    if (status != DT_OK)
        return status;
    if (stream->first == stream->last)
        return dt_fail(error, DT_MALFORMED,
                       "%s: ends in the middle of its gzip data, at byte %llu; it is cut off, so fetch it again",
                       stream->name, (unsigned long long)stream->disk_read);
    z->next_in = stream->buffer + stream->first;
    z->avail_in = (unsigned)(stream->last - stream->first);
    z->next_out = bytes;
    z->avail_out = size > UINT_MAX ? UINT_MAX : (unsigned)size;
    const unsigned room = z->avail_out;
    const int result = inflate(z, Z_NO_FLUSH);
    stream->first = stream->last - z->avail_in;
    *got = room - z->avail_out;
    stream->in_member = result != Z_STREAM_END;
    if (result == Z_OK || result == Z_STREAM_END)
        return DT_OK;
    if (result == Z_MEM_ERROR)
        return dt_fail_memory(error, "unpacking gzip");
    return dt_fail(error, DT_MALFORMED, "%s: its gzip data are damaged before byte %llu (%s); fetch the file again",
                   stream->name, (unsigned long long)(stream->disk_read - z->avail_in),
                   z->msg ? z->msg : "no progress");
}

static dt_status read_gzip(dt_stream *stream, unsigned char *bytes, size_t size, size_t *got, dt_error *error)
{
    dt_status status = DT_OK;
    while (*got < size && status == DT_OK) {
        size_t some = 0;
        if (!stream->in_member)
            status = next_member(stream, error);
        if (status != DT_OK || !stream->in_member)
            break;
        status = inflate_some(stream, bytes + *got, size - *got, &some, error);
        *got += some;
    }
    return status;
}

/* --- the stream --- */

static dt_status read_plain(dt_stream *stream, unsigned char *bytes, size_t size, size_t *got, dt_error *error)
{
    while (*got < size) {
        dt_status status = fill(stream, 1, error);
        const size_t left = stream->last - stream->first, some = left < size - *got ? left : size - *got;
        if (status != DT_OK || some == 0)
            return status;
        memcpy(bytes + *got, stream->buffer + stream->first, some);
        stream->first += some;
        *got += some;
    }
    return DT_OK;
}

/* The buffer and the hash of a file that is open. */
static dt_status begin_reading(dt_stream *stream, dt_error *error)
{
    stream->limit = stream->disk_left = stream->disk_bytes;
    stream->buffer = dt_allocate(BUFFER, 1);
    if (!stream->buffer)
        return dt_fail_memory(error, "reading data");
    stream->hash = EVP_MD_CTX_new();
    if (!stream->hash || !EVP_DigestInit_ex(stream->hash, EVP_sha256(), NULL))
        return fail_hash(stream, error);
    return fill(stream, 2, error);
}

dt_status dt_stream_open(dt_stream *stream, const char *path, dt_error *error)
{
    set_name(stream, path);
    dt_status status = open_file(stream, path, error);
    if (status != DT_OK)
        return status;
    if (stream->disk_bytes == 0)
        return dt_fail(error, DT_MALFORMED, "%s: is empty; fetch or make it again", stream->name);
    status = begin_reading(stream, error);
    return status == DT_OK && gzip_begins(stream) ? begin_inflating(stream, GZIP_FORMAT, error) : status;
}

dt_status dt_stream_open_member(dt_stream *stream, const char *path, uint64_t offset, uint64_t packed, bool deflated,
                                dt_error *error)
{
    set_name(stream, path);
    dt_status status = open_file(stream, path, error);
    if (status != DT_OK)
        return status;
    if (offset > stream->disk_bytes || packed > stream->disk_bytes - offset)
        return dt_fail(error, DT_MALFORMED, "%s: its archive reaches beyond its end; it is cut off, so fetch it again",
                       stream->name);
    if (lseek(stream->fd, (off_t)offset, SEEK_SET) < 0)
        return fail_errno(stream, errno, "read", error);
    stream->is_member = true;
    stream->disk_bytes = packed;
    status = begin_reading(stream, error);
    return status == DT_OK && deflated ? begin_inflating(stream, -MAX_WBITS, error) : status;
}

dt_status dt_stream_read(dt_stream *stream, void *bytes, size_t size, size_t *got, dt_error *error)
{
    *got = 0;
    return stream->gzip ? read_gzip(stream, bytes, size, got, error) : read_plain(stream, bytes, size, got, error);
}

dt_status dt_stream_sha256(dt_stream *stream, char hex[65], dt_error *error)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (!EVP_DigestFinal_ex(stream->hash, digest, NULL))
        return fail_hash(stream, error);
    for (size_t i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
    return DT_OK;
}

dt_status dt_stream_hash_file(const char *path, char hex[65], dt_error *error)
{
    dt_stream stream = {.fd = -1};
    dt_status status = dt_stream_open(&stream, path, error);
    while (status == DT_OK && stream.disk_left > 0) {
        stream.first = stream.last; /* nobody wants them but the hash */
        status = fill(&stream, 1, error);
        if (status == DT_OK && stream.first == stream.last)
            break; /* it has become shorter */
    }
    if (status == DT_OK)
        status = dt_stream_sha256(&stream, hex, error);
    dt_stream_close(&stream);
    return status;
}

void dt_stream_close(dt_stream *stream)
{
    if (stream->gzip)
        inflateEnd(&stream->z);
    EVP_MD_CTX_free(stream->hash);
    dt_release(stream->buffer);
    if (stream->is_open)
        close(stream->fd);
    *stream = (dt_stream){0};
}
