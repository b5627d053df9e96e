/* NumPy archives, written: a zip archive (APPNOTE.TXT 4.3) of stored members, each an array of NumPy's format 1.0
 * (numpy.lib.format). Sizes are always in zip64's fields, as numpy.savez writes them: one form for every size. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "deltoid/interchange.h"
#include "record/layer_weights.h"

enum {
    MEMBERS_MAX = 128, /* of DT_LAYERS_MAX layers */
    NAME = 32,
    HEADER_MAX = 256, /* of an array: a multiple of 64 */
    RECORD_MAX = 128,
    VERSION_ZIP64 = 45,
    MADE_BY_UNIX = 3 << 8,
    READABLE = 0100644,    /* mode of a regular file */
    FIRST_DAY = 1 << 5 | 1 /* 1980-01-01: the same weights give the same file */
};

/* One member, as the central directory needs it again. */
typedef struct member {
    char name[NAME]; /* layer01.W.npy */
    uint64_t offset, size;
    uint32_t crc;
} member;

typedef struct archive {
    const dt_new_file *file;
    uint64_t at; /* bytes written */
    member members[MEMBERS_MAX];
    int count;
} archive;

/* --- little-endian records --- */

typedef struct record {
    unsigned char bytes[RECORD_MAX];
    size_t used;
} record;

static void put(record *r, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        r->bytes[r->used++] = (unsigned char)(value >> 8 * i);
}

static void put_name(record *r, const char *name)
{
    memcpy(r->bytes + r->used, name, strlen(name));
    r->used += strlen(name);
}

static dt_status write_bytes(archive *a, const void *bytes, size_t size, dt_error *error)
{
    a->at += size;
    return dt_write_all(a->file->fd, bytes, size, a->file->path, error);
}

/* What local header and directory entry share: from the version needed to the sizes, which zip64's field has. */
static void put_common(record *r, const member *m)
{
    put(r, VERSION_ZIP64, 2);
    put(r, 0, 2); /* flags */
    put(r, 0, 2); /* stored */
    put(r, 0, 2); /* time */
    put(r, FIRST_DAY, 2);
    put(r, m->crc, 4);
    put(r, UINT32_MAX, 4);
    put(r, UINT32_MAX, 4);
    put(r, strlen(m->name), 2);
}

static dt_status write_local(archive *a, const member *m, dt_error *error)
{
    record r = {.used = 0};
    put(&r, 0x04034b50, 4);
    put_common(&r, m);
    put(&r, 20, 2);
    put_name(&r, m->name);
    put(&r, 1, 2); /* zip64: size, packed size */
    put(&r, 16, 2);
    put(&r, m->size, 8);
    put(&r, m->size, 8);
    return write_bytes(a, r.bytes, r.used, error);
}

static dt_status write_entry(archive *a, const member *m, dt_error *error)
{
    record r = {.used = 0};
    put(&r, 0x02014b50, 4);
    put(&r, MADE_BY_UNIX | VERSION_ZIP64, 2);
    put_common(&r, m);
    put(&r, 28, 2);
    put(&r, 0, 2); /* comment */
    put(&r, 0, 2); /* volume */
    put(&r, 0, 2); /* internal attributes */
    put(&r, (uint32_t)READABLE << 16, 4);
    put(&r, UINT32_MAX, 4); /* offset */
    put_name(&r, m->name);
    put(&r, 1, 2); /* zip64: size, packed size, offset */
    put(&r, 24, 2);
    put(&r, m->size, 8);
    put(&r, m->size, 8);
    put(&r, m->offset, 8);
    return write_bytes(a, r.bytes, r.used, error);
}

/* zip64's end record, its locator, and the end record of old. */
static dt_status write_end(archive *a, uint64_t directory, dt_error *error)
{
    record r = {.used = 0};
    const uint64_t end = a->at, count = (uint64_t)a->count;
    put(&r, 0x06064b50, 4);
    put(&r, 44, 8); /* bytes that follow */
    put(&r, MADE_BY_UNIX | VERSION_ZIP64, 2);
    put(&r, VERSION_ZIP64, 2);
    put(&r, 0, 8); /* volumes */
    put(&r, count, 8);
    put(&r, count, 8);
    put(&r, end - directory, 8);
    put(&r, directory, 8);
    put(&r, 0x07064b50, 4);
    put(&r, 0, 4);
    put(&r, end, 8);
    put(&r, 1, 4);
    dt_status status = write_bytes(a, r.bytes, r.used, error);
    r.used = 0;
    put(&r, 0x06054b50, 4);
    put(&r, 0, 4); /* volumes */
    put(&r, count, 2);
    put(&r, count, 2);
    put(&r, UINT32_MAX, 4);
    put(&r, UINT32_MAX, 4);
    put(&r, 0, 2); /* comment */
    return status == DT_OK ? write_bytes(a, r.bytes, r.used, error) : status;
}

/* --- arrays --- */

/* Magic, version, length, and a Python literal that blanks and a line end fill up to a multiple of 64 bytes. */
static size_t array_header(const dt_weights_array *array, size_t number, char header[HEADER_MAX])
{
    enum { PREAMBLE = 10 };
    char shape[48];
    if (array->rank == 2)
        snprintf(shape, sizeof shape, "%lld, %lld", (long long)array->size[0], (long long)array->size[1]);
    else
        snprintf(shape, sizeof shape, "%lld,", (long long)array->size[0]);
    const int length = snprintf(header + PREAMBLE, HEADER_MAX - PREAMBLE,
                                "{'descr': '<f%zu', 'fortran_order': False, 'shape': (%s), }", number, shape);
    const size_t whole = (PREAMBLE + (size_t)length + 1 + 63) / 64 * 64, text = whole - PREAMBLE;
    memset(header + PREAMBLE + length, ' ', whole - PREAMBLE - (size_t)length);
    header[whole - 1] = '\n';
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(text & 0xff);
    header[9] = (char)(text >> 8);
    return whole;
}

static uint32_t checksum(uint32_t crc, const void *bytes, size_t size)
{
    enum { PIECE = 1 << 30 }; /* zlib counts in unsigned int */
    const unsigned char *at = bytes;
    for (; size > 0;) {
        const size_t n = size < PIECE ? size : PIECE;
        crc = (uint32_t)crc32(crc, at, (uInt)n);
        at += n;
        size -= n;
    }
    return crc;
}

static dt_status write_array(archive *a, const dt_weights_array *array, size_t number, const void *numbers,
                             dt_error *error)
{
    char header[HEADER_MAX];
    member *m = &a->members[a->count++];
    const size_t header_bytes = array_header(array, number, header);
    snprintf(m->name, sizeof m->name, "%s.npy", array->name);
    m->offset = a->at;
    m->size = header_bytes + array->bytes;
    m->crc = checksum(checksum(0, header, header_bytes), numbers, array->bytes);
    dt_status status = write_local(a, m, error);
    if (status == DT_OK)
        status = write_bytes(a, header, header_bytes, error);
    return status == DT_OK ? write_bytes(a, numbers, array->bytes, error) : status;
}

static dt_status write_archive(archive *a, const dt_trainer *trainer, dt_error *error)
{
    const size_t number = dt_precision_size(dt_trainer_experiment(trainer)->precision);
    dt_layer_weights weights;
    dt_weights_array array;
    dt_status status = dt_layer_weights_open(&weights, trainer, error);
    for (int i = 0; status == DT_OK && dt_weights_array_at(trainer, i, &array); i++)
        status = write_array(a, &array, number, dt_layer_weights_numbers(&weights, i), error);
    dt_layer_weights_close(&weights);
    const uint64_t directory = a->at;
    for (int i = 0; status == DT_OK && i < a->count; i++)
        status = write_entry(a, &a->members[i], error);
    return status == DT_OK ? write_end(a, directory, error) : status;
}

dt_status dt_export_npz(const char *path, const dt_trainer *trainer, dt_error *error)
{
    dt_new_file file;
    dt_status status = dt_new_file_begin(&file, path, error);
    if (status != DT_OK)
        return status;
    archive a = {.file = &file};
    status = write_archive(&a, trainer, error);
    if (status == DT_OK)
        return dt_new_file_publish(&file, false, error);
    dt_new_file_discard(&file);
    return status;
}
