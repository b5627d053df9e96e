#include "data/detect.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/source.h"
#include "data/stream.h"

enum { LOOKED_AT = 4096 };

static bool begins(const unsigned char *bytes, size_t size, const char *magic, size_t length)
{
    return size >= length && memcmp(bytes, magic, length) == 0;
}

/* The first line that is no comment: LABEL INDEX:VALUE, or INDEX:VALUE alone. */
static bool is_libsvm(const unsigned char *bytes, size_t size)
{
    static const char number[] = "0123456789+-.eE";
    size_t i = 0;
    while (i < size && (bytes[i] == '#' || bytes[i] == '\n' || bytes[i] == '\r')) {
        while (i < size && bytes[i] != '\n')
            i++;
        i++;
    }
    size_t first = i;
    while (i < size && bytes[i] && strchr(number, bytes[i]))
        i++;
    if (i < size && i > first && (bytes[i] == ' ' || bytes[i] == '\t')) {
        while (i < size && (bytes[i] == ' ' || bytes[i] == '\t'))
            i++;
        first = i;
        while (i < size && bytes[i] >= '0' && bytes[i] <= '9')
            i++;
    }
    return i < size && i > first && bytes[i] == ':';
}

static bool is_text(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] < 0x20 && !strchr("\t\n\r\f", bytes[i]))
            return false;
    return size > 0 && !memchr(bytes, 0, size);
}

dt_status dt_data_detect(const char **format, const char *path, dt_error *error)
{
    dt_stream stream = {.fd = -1};
    dt_array_name name;
    unsigned char bytes[LOOKED_AT];
    size_t size = 0;
    const dt_source source = {.inputs = path};
    dt_status status = dt_array_name_make(&name, &source, path, access(path, F_OK) == 0 ? "\n" : NULL, error);
    if (status == DT_OK && !name.array && access(path, F_OK) != 0) { /* FILE.npz:NAME */
        dt_array_name_clear(&name);
        status = dt_array_name_make(&name, &source, path, ".npz", error);
    }
    if (status == DT_OK)
        status = dt_stream_open(&stream, name.file, error);
    if (status == DT_OK)
        status = dt_stream_read(&stream, bytes, sizeof bytes, &size, error);
    if (status == DT_OK) {
        *format = begins(bytes, size, "\x89HDF\r\n\x1a\n", 8)                                   ? "hdf5"
                  : begins(bytes, size, "\x93NUMPY", 6) || begins(bytes, size, "PK\x03\x04", 4) ? "npy"
                  : begins(bytes, size, "\0\0", 2)                                              ? "idx"
                  : is_libsvm(bytes, size)                                                      ? "libsvm"
                  : is_text(bytes, size)                                                        ? "csv"
                                                                                                : NULL;
        if (!*format)
            status =
                dt_fail(error, DT_MALFORMED, "%s: is none of the formats that deltoid reads; convert it", stream.name);
    }
    dt_stream_close(&stream);
    dt_array_name_clear(&name);
    return status;
}
