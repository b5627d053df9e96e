/* APPNOTE.TXT, section 4.3: [local header, data] ..., central directory, end record. The central directory counts;
 * local headers only say where the data begin. */
#include "data/zip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/stream.h"

enum {
    END_SIZE = 22,
    COMMENT_MAX = 65535,
    ENTRY_SIZE = 46,
    LOCAL_SIZE = 30,
    LOCATOR_SIZE = 20,
    END64_SIZE = 56,
    DIRECTORY_MAX = 16 << 20,
    NAMES_SIZE = 200
};

typedef struct archive {
    dt_stream stream; /* opened for its checks; read with pread */
    uint64_t size, directory, directory_size;
    unsigned char *bytes; /* of the directory */
    dt_error *error;
} archive;

static uint64_t little(const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;
    while (size-- > 0)
        value = value << 8 | bytes[size];
    return value;
}

static dt_status damaged(const archive *a, const char *what)
{
    return dt_fail(a->error, DT_MALFORMED, "%s: its zip archive is damaged: %s; fetch or make it again", a->stream.name,
                   what);
}

static dt_status read_at(const archive *a, uint64_t offset, void *bytes, size_t size)
{
    if (offset > a->size || size > a->size - offset)
        return damaged(a, "it reaches beyond the file's end");
    for (size_t got = 0; got < size;) {
        const ssize_t n = pread(a->stream.fd, (char *)bytes + got, size - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return dt_fail_errno(a->error, n < 0 ? errno : EIO, a->stream.name, "read");
        got += (size_t)n;
    }
    return DT_OK;
}

/* zip64's end record, which the locator before the end record points to. */
static dt_status find_directory64(archive *a, uint64_t end)
{
    unsigned char locator[LOCATOR_SIZE], record[END64_SIZE];
    if (end < LOCATOR_SIZE)
        return damaged(a, "zip64 without its locator");
    dt_status status = read_at(a, end - LOCATOR_SIZE, locator, sizeof locator);
    if (status == DT_OK && little(locator, 4) != 0x07064b50)
        return damaged(a, "zip64 without its locator");
    if (status == DT_OK)
        status = read_at(a, little(locator + 8, 8), record, sizeof record);
    if (status == DT_OK && little(record, 4) != 0x06064b50)
        return damaged(a, "zip64 without its end record");
    a->directory_size = little(record + 40, 8);
    a->directory = little(record + 48, 8);
    return status;
}

/* The end record is the last of the file, but for a comment. */
static dt_status find_directory(archive *a)
{
    const size_t most = a->size < END_SIZE + COMMENT_MAX ? (size_t)a->size : END_SIZE + COMMENT_MAX;
    unsigned char *tail = dt_allocate(most, 1);
    if (!tail)
        return dt_fail_memory(a->error, a->stream.name);
    dt_status status = most < END_SIZE ? damaged(a, "it is too short") : read_at(a, a->size - most, tail, most);
    size_t at = most < END_SIZE ? 0 : most - END_SIZE + 1;
    bool found = false;
    while (status == DT_OK && !found && at > 0) {
        at--;
        found = little(tail + at, 4) == 0x06054b50 && little(tail + at + 20, 2) == most - at - END_SIZE;
    }
    if (status == DT_OK && !found)
        status = damaged(a, "it has no end record");
    if (status == DT_OK) {
        const unsigned char *end = tail + at;
        a->directory_size = little(end + 12, 4);
        a->directory = little(end + 16, 4);
        if (little(end + 4, 2) != 0 && little(end + 4, 2) != 0xffff)
            status = dt_fail(a->error, DT_UNSUPPORTED, "%s: is one of several volumes; pack it again as one file",
                             a->stream.name);
        else if (a->directory == UINT32_MAX || a->directory_size == UINT32_MAX || little(end + 10, 2) == 0xffff)
            status = find_directory64(a, a->size - most + at);
    }
    dt_release(tail);
    return status;
}

static dt_status read_directory(archive *a)
{
    dt_status status = find_directory(a);
    if (status == DT_OK && a->directory_size > DIRECTORY_MAX)
        return damaged(a, "its table of contents is larger than 16 MiB");
    if (status == DT_OK && (a->directory > a->size || a->directory_size > a->size - a->directory))
        return damaged(a, "its table of contents reaches beyond the file's end");
    if (status == DT_OK && !(a->bytes = dt_allocate((size_t)a->directory_size, 1)))
        return dt_fail_memory(a->error, a->stream.name);
    return status == DT_OK ? read_at(a, a->directory, a->bytes, (size_t)a->directory_size) : status;
}

/* Numbers that are 2^32 - 1 in the entry stand in its zip64 field, in this order. */
static bool take_zip64(dt_zip_member *m, const unsigned char *extra, size_t size)
{
    uint64_t *const wanted[] = {&m->size, &m->packed, &m->offset};
    while (size >= 4) {
        const size_t length = (size_t)little(extra + 2, 2);
        if (length > size - 4)
            return false;
        size_t at = 4;
        for (size_t i = 0; little(extra, 2) == 1 && i < 3; i++)
            if (*wanted[i] == UINT32_MAX) {
                if (at + 8 > 4 + length)
                    return false;
                *wanted[i] = little(extra + at, 8);
                at += 8;
            }
        extra += 4 + length;
        size -= 4 + length;
    }
    return true;
}

/* Where the data begin: behind the local header. */
static dt_status find_data(archive *a, dt_zip_member *m)
{
    unsigned char local[LOCAL_SIZE];
    dt_status status = read_at(a, m->offset, local, sizeof local);
    if (status == DT_OK && little(local, 4) != 0x04034b50)
        return damaged(a, "a member is not where its table of contents says");
    if (status == DT_OK)
        m->offset += LOCAL_SIZE + little(local + 26, 2) + little(local + 28, 2);
    return status;
}

static dt_status take_entry(archive *a, dt_zip_member *m, const unsigned char *entry, size_t name, size_t extra,
                            const char *member)
{
    const uint64_t flags = little(entry + 8, 2), method = little(entry + 10, 2);
    *m = (dt_zip_member){.offset = little(entry + 42, 4),
                         .packed = little(entry + 20, 4),
                         .size = little(entry + 24, 4),
                         .deflated = method == 8,
                         .crc = (uint32_t)little(entry + 16, 4)};
    if (flags & 1)
        return dt_fail(a->error, DT_UNSUPPORTED, "%s: '%.64s' is encrypted; pack it without a password", a->stream.name,
                       member);
    if (method != 0 && method != 8)
        return dt_fail(a->error, DT_UNSUPPORTED, "%s: '%.64s' is packed with method %u; use numpy.savez_compressed",
                       a->stream.name, member, (unsigned)method);
    if (!take_zip64(m, entry + ENTRY_SIZE + name, extra))
        return damaged(a, "its zip64 fields are cut off");
    if (method == 0 && m->packed != m->size)
        return damaged(a, "a stored member has two sizes");
    return find_data(a, m);
}

static dt_status search(archive *a, dt_zip_member *found, const char *member)
{
    char names[NAMES_SIZE] = "";
    size_t at = 0, used = 0;
    const size_t size = (size_t)a->directory_size;
    while (size - at >= ENTRY_SIZE && little(a->bytes + at, 4) == 0x02014b50) {
        const unsigned char *entry = a->bytes + at;
        const size_t name = (size_t)little(entry + 28, 2), extra = (size_t)little(entry + 30, 2);
        const size_t all = ENTRY_SIZE + name + extra + (size_t)little(entry + 32, 2);
        if (all > size - at)
            return damaged(a, "its table of contents is cut off");
        if (strlen(member) == name && memcmp(entry + ENTRY_SIZE, member, name) == 0)
            return take_entry(a, found, entry, name, extra, member);
        if (used + name + 4 < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%.*s", used ? ", " : "", (int)name,
                                     (const char *)entry + ENTRY_SIZE);
        at += all;
    }
    if (at != size)
        return damaged(a, "its table of contents is cut off");
    return dt_fail(a->error, DT_NOT_FOUND, "%s: has no member '%.64s'; it has %s", a->stream.name, member,
                   used ? names : "none");
}

dt_status dt_zip_find(dt_zip_member *found, const char *path, const char *member, dt_error *error)
{
    archive a = {.error = error};
    dt_status status = dt_stream_open(&a.stream, path, error);
    a.size = a.stream.disk_bytes;
    if (status == DT_OK)
        status = read_directory(&a);
    if (status == DT_OK)
        status = search(&a, found, member);
    dt_release(a.bytes);
    dt_stream_close(&a.stream);
    return status;
}

/* Copies the names to `to` where that is not NULL; *size is what they need. */
static dt_status copy_names(const archive *a, char *to, size_t *size)
{
    const size_t all = (size_t)a->directory_size;
    *size = 0;
    for (size_t at = 0; at < all;) {
        const unsigned char *entry = a->bytes + at;
        if (all - at < ENTRY_SIZE || little(entry, 4) != 0x02014b50)
            return damaged(a, "its table of contents is cut off");
        const size_t name = (size_t)little(entry + 28, 2);
        const size_t whole = ENTRY_SIZE + name + (size_t)little(entry + 30, 2) + (size_t)little(entry + 32, 2);
        if (whole > all - at)
            return damaged(a, "its table of contents is cut off");
        if (name == 0 || memchr(entry + ENTRY_SIZE, '\0', name))
            return damaged(a, "a member has no name");
        if (to)
            memcpy(to + *size, entry + ENTRY_SIZE, name);
        *size += name + 1;
        at += whole;
    }
    return DT_OK;
}

dt_status dt_zip_names(char **names, const char *path, dt_error *error)
{
    archive a = {.error = error};
    size_t size = 0;
    *names = NULL;
    dt_status status = dt_stream_open(&a.stream, path, error);
    a.size = a.stream.disk_bytes;
    if (status == DT_OK)
        status = read_directory(&a);
    if (status == DT_OK)
        status = copy_names(&a, NULL, &size);
    if (status == DT_OK && !(*names = dt_allocate_zeroed(size + 1, 1)))
        status = dt_fail_memory(error, path);
    if (status == DT_OK)
        status = copy_names(&a, *names, &size);
    dt_release(a.bytes);
    dt_stream_close(&a.stream);
    return status;
}
