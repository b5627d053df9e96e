#include "data/idx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/stream.h"

enum { RANK_MAX = 4, HEADER_MAX = 4 + 4 * RANK_MAX, SHAPE_SIZE = 96, RAW_BYTES = 16 << 10 };

typedef struct idx_type {
    unsigned char code;
    const char *name;   /* in messages, of many */
    size_t size;        /* bytes an element in the file */
    dt_element element; /* what inputs become */
    bool integer;
    uint32_t sign; /* an integer's sign bit, 0 where it has none */
} idx_type;

static const idx_type types[] = {
    {0x08, "unsigned bytes", 1, DT_U8, true, 0}, {0x09, "signed bytes", 1, DT_F32, true, 0x80},
    {0x0b, "int16", 2, DT_F32, true, 0x8000},    {0x0c, "int32", 4, DT_F64, true, 0x80000000},
    {0x0d, "float32", 4, DT_F32, false, 0},      {0x0e, "float64", 8, DT_F64, false, 0},
};

enum { TYPES = sizeof types / sizeof *types };

typedef struct idx_file {
    dt_stream stream;
    const idx_type *type;
    int rank;
    size_t rows, features, count; /* count = rows * features */
    char shape[SHAPE_SIZE];       /* in messages: "60000 x 28 x 28 unsigned bytes" */
} idx_file;

/* --- elements --- */

static uint64_t big_endian(const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

static int64_t integer(const idx_type *type, const unsigned char *bytes)
{
    return (int64_t)(big_endian(bytes, type->size) ^ type->sign) - type->sign;
}

static float float32(const unsigned char *bytes)
{
    const uint32_t bits = (uint32_t)big_endian(bytes, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double float64(const unsigned char *bytes)
{
    const uint64_t bits = big_endian(bytes, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Converts n elements of the file to the array's type; returns how many of them, from the first, may stand in a data
 * set. */
typedef size_t (*convert_fn)(const idx_type *type, size_t n, const unsigned char *from, void *to);

static size_t to_f32(const idx_type *type, size_t n, const unsigned char *from, void *to)
{
    float *x = to;
    if (type->integer)
        for (size_t i = 0; i < n; i++)
            x[i] = (float)integer(type, from + i * type->size);
    else
        for (size_t i = 0; i < n; i++) {
            x[i] = float32(from + 4 * i);
            if (!isfinite(x[i]))
                return i;
        }
    return n;
}

static size_t to_f64(const idx_type *type, size_t n, const unsigned char *from, void *to)
{
    double *x = to;
    if (type->integer)
        for (size_t i = 0; i < n; i++)
            x[i] = (double)integer(type, from + i * type->size);
    else
        for (size_t i = 0; i < n; i++) {
            x[i] = float64(from + 8 * i);
            if (!isfinite(x[i]))
                return i;
        }
    return n;
}

static size_t to_labels(const idx_type *type, size_t n, const unsigned char *from, void *to)
{
    int32_t *label = to;
    for (size_t i = 0; i < n; i++) {
        label[i] = (int32_t)integer(type, from + i * type->size);
        if (label[i] < 0 || label[i] > DT_IDX_LABEL_MAX)
            return i;
    }
    return n;
}

/* DT_U8 has none: its bytes are read to where they stay. */
static const convert_fn to_element[] = {[DT_U8] = NULL, [DT_F32] = to_f32, [DT_F64] = to_f64};

/* --- the header --- */

/* What people have given instead, by its first bytes. */
static const char *looks_like(const unsigned char bytes[4])
{
    static const struct {
        unsigned char bytes[4];
        size_t size;
        const char *what;
    } others[] = {
        {{0x89, 'H', 'D', 'F'}, 4, "is HDF5"},
        {{0x89, 'P', 'N', 'G'}, 4, "is a PNG picture"},
        {{0x93, 'N', 'U', 'M'}, 4, "is a NumPy array"},
        {{'P', 'K', 3, 4}, 4, "is a zip archive"},
        {{0x1f, 0x8b}, 2, "is gzip inside gzip; unpack it once"},
        {{0xfd, '7', 'z', 'X'}, 4, "is packed with xz; unpack it"},
        {{'B', 'Z', 'h'}, 3, "is packed with bzip2; unpack it"},
        {{0x28, 0xb5, 0x2f, 0xfd}, 4, "is packed with zstd; unpack it"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (memcmp(bytes, others[i].bytes, others[i].size) == 0)
            return others[i].what;
    if (bytes[2] == 0 && bytes[3] == 0)
        return "may be little-endian, and IDX is big-endian";
    for (size_t i = 0; i < 4; i++)
        if ((bytes[i] < 0x20 || bytes[i] > 0x7e) && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t')
            return "is something else";
    return "is text, perhaps the web page of a failed download";
}

static dt_status check_magic(idx_file *file, const unsigned char magic[4], dt_error *error)
{
    const char *name = file->stream.name;
    if (magic[0] || magic[1])
        return dt_fail(error, DT_MALFORMED,
                       "%s: is not IDX: expected 00 00, a type and a rank, found %02x %02x %02x %02x; it %s", name,
                       magic[0], magic[1], magic[2], magic[3], looks_like(magic));
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].code == magic[2])
            file->type = &types[i];
    if (!file->type)
        return dt_fail(error, DT_MALFORMED,
                       "%s: IDX element type 0x%02x is unknown; expected 08 or 09 (bytes), 0b, 0c (int16, 32), 0d or "
                       "0e (float32, 64); "
                       "convert the file",
                       name, magic[2]);
    file->rank = magic[3];
    if (file->rank < 1 || file->rank > RANK_MAX)
        return dt_fail(error, DT_MALFORMED,
                       "%s: has %d dimensions, expected 1 to %d: rows, then those of a row; reshape it", name,
                       file->rank, RANK_MAX);
    return DT_OK;
}

static dt_status read_dimensions(idx_file *file, const unsigned char *bytes, dt_error *error)
{
    int used = 0;
    bool fits = true;
    file->count = 1;
    for (int d = 0; d < file->rank; d++) {
        const size_t dimension = big_endian(bytes + 4 * d, 4);
        if (dimension == 0)
            return dt_fail(error, DT_MALFORMED,
                           "%s: dimension %d of %d is 0, expected at least 1; the file holds no data",
                           file->stream.name, d + 1, file->rank);
        if (d == 0)
            file->rows = dimension;
        fits = fits && dt_multiply(file->count, dimension, &file->count);
        used += snprintf(file->shape + used, sizeof file->shape - (size_t)used, d ? " x %zu" : "%zu", dimension);
    }
    snprintf(file->shape + used, sizeof file->shape - (size_t)used, " %s", file->type->name);
    size_t largest;
    if (!fits || !dt_multiply(file->count, sizeof(double), &largest) || largest > PTRDIFF_MAX)
        return dt_fail(error, DT_MALFORMED,
                       "%s: its header says %s, more than any memory holds; fetch or make the file again",
                       file->stream.name, file->shape);
    file->features = file->count / file->rows;
    return DT_OK;
}

/* The header's size and that of the file must be one, as far as it can be known before unpacking. */
static dt_status check_size(const idx_file *file, dt_error *error)
{
    const dt_stream *s = &file->stream;
    const uint64_t header = 4 + 4 * (uint64_t)file->rank, all = header + (uint64_t)file->count * file->type->size;
    if (s->gzip && all > s->limit)
        return dt_fail(error, DT_MALFORMED,
                       "%s: its header says %s, %llu bytes with the header, but %llu bytes of gzip can't unpack to "
                       "more than %llu; fetch the "
                       "file again",
                       s->name, file->shape, (unsigned long long)all, (unsigned long long)s->disk_bytes,
                       (unsigned long long)s->limit);
    if (!s->gzip && all != s->disk_bytes)
        return dt_fail(
            error, DT_MALFORMED, "%s: its header says %s, %llu bytes with the header, but the file has %llu; %s",
            s->name, file->shape, (unsigned long long)all, (unsigned long long)s->disk_bytes,
            all > s->disk_bytes ? "it is cut off, so fetch it again" : "what follows the data doesn't belong there");
    return DT_OK;
}

static dt_status open_file(idx_file *file, const char *path, dt_error *error)
{
    unsigned char header[HEADER_MAX];
    size_t got, more = 0;
    dt_status status = dt_stream_open(&file->stream, path, error);
    if (status == DT_OK)
        status = dt_stream_read(&file->stream, header, 4, &got, error);
    if (status == DT_OK && got == 4)
        status = check_magic(file, header, error);
    if (status == DT_OK && got == 4)
        status = dt_stream_read(&file->stream, header + 4, 4 * (size_t)file->rank, &more, error);
    if (status != DT_OK)
        return status;
    if (got < 4 || more < 4 * (size_t)file->rank)
        return dt_fail(error, DT_MALFORMED,
                       "%s: ends after %zu bytes%s, inside the header of an IDX file; fetch it again",
                       file->stream.name, got + more, file->stream.gzip ? " of unpacked data" : "");
    status = read_dimensions(file, header + 4, error);
    return status == DT_OK ? check_size(file, error) : status;
}

static dt_status check_pair(const idx_file *inputs, const idx_file *labels, dt_error *error)
{
    const char *x = inputs->stream.name, *y = labels->stream.name;
    if (labels->rank > 1 && inputs->rank == 1)
        return dt_fail(error, DT_INVALID,
                       "inputs and labels are swapped: inputs %s has %s, labels %s has %s; exchange the two names", x,
                       inputs->shape, y, labels->shape);
    if (labels->rank > 1)
        return dt_fail(error, DT_INVALID, "%s: has %s, but labels are one number a row; name the file of labels", y,
                       labels->shape);
    if (!labels->type->integer)
        return dt_fail(error, DT_INVALID, "%s: has %s, but labels are integers; convert it to unsigned bytes", y,
                       labels->shape);
    if (labels->rows != inputs->rows)
        return dt_fail(error, DT_INVALID, "%s: has %zu labels, but %s has %zu rows; name two files of one set", y,
                       labels->rows, x, inputs->rows);
    return DT_OK;
}

/* --- the data --- */

/* Elements to allocate first: all of a plain file, whose size is known to fit; of gzip, four times its size (pictures
 * pack to a half or a third), so that memory stays within sight of what really lies on disk. */
static size_t first_capacity(const idx_file *file)
{
    const uint64_t least = 1 << 20, guess = file->stream.disk_bytes > least / 4 ? 4 * file->stream.disk_bytes : least;
    const size_t elements = guess / file->type->size;
    return !file->stream.gzip || elements > file->count ? file->count : elements;
}

/* *array, of `done` elements of `size` bytes, gets room for twice as many, or for all. */
static bool grow(void **array, size_t *capacity, size_t done, size_t count, size_t size)
{
    const size_t room = done > count / 2 ? count : 2 * done;
    void *larger = dt_allocate_array(room, size);
    if (!larger)
        return false;
    memcpy(larger, *array, done * size);
    dt_release(*array);
    *array = larger;
    *capacity = room;
    return true;
}

static dt_status fail_value(const idx_file *file, size_t at, const void *array, convert_fn convert, dt_error *error)
{
    const char *name = file->stream.name;
    const size_t row = at / file->features, k = at % file->features;
    if (convert == to_labels)
        return dt_fail(error, DT_MALFORMED,
                       "%s: the label of row %zu is %d, expected 0 to %d; number the classes from 0", name, row,
                       ((const int32_t *)array)[at], DT_IDX_LABEL_MAX);
    return dt_fail(error, DT_MALFORMED,
                   "%s: input %zu of row %zu is %g, expected a finite number; replace it or drop the row", name, k, row,
                   convert == to_f32 ? (double)((const float *)array)[at] : ((const double *)array)[at]);
}

/* The file's elements to *array, allocated here, `size` bytes each; without `convert` as they are. *array is the
 * caller's to release whatever happens. */
static dt_status read_elements(idx_file *file, void **array, size_t size, convert_fn convert, dt_error *error)
{
    unsigned char raw[RAW_BYTES];
    size_t capacity = first_capacity(file), done = 0, got;
    *array = dt_allocate_array(capacity, size);
    if (!*array)
        return dt_fail_memory(error, file->stream.name);
    while (done < file->count) {
        if (done == capacity && !grow(array, &capacity, done, file->count, size))
            return dt_fail_memory(error, file->stream.name);
        const size_t most = convert ? RAW_BYTES / file->type->size : capacity;
        const size_t some = capacity - done < most ? capacity - done : most;
        void *to = (unsigned char *)*array + done * size;
        dt_status status = dt_stream_read(&file->stream, convert ? raw : to, some * file->type->size, &got, error);
        if (status != DT_OK)
            return status;
        if (got < some * file->type->size)
            return dt_fail(error, DT_MALFORMED,
                           "%s: its header says %s, but its data end within element %zu; fetch it again",
                           file->stream.name, file->shape, done + got / file->type->size);
        const size_t good = convert ? convert(file->type, some, raw, to) : some;
        if (good < some)
            return fail_value(file, done + good, *array, convert, error);
        done += some;
    }
    return DT_OK;
}

static dt_status read_end(idx_file *file, char sha256[65], dt_error *error)
{
    unsigned char byte;
    size_t got;
    dt_status status = dt_stream_read(&file->stream, &byte, 1, &got, error);
    if (status != DT_OK)
        return status;
    if (got)
        return dt_fail(error, DT_MALFORMED,
                       "%s: its header says %s, but it goes on after them; fetch or make the file again",
                       file->stream.name, file->shape);
    return dt_stream_sha256(&file->stream, sha256, error);
}

static dt_status read_inputs(dt_dataset *dataset, idx_file *file, dt_error *error)
{
    void *inputs;
    dataset->rows = (int64_t)file->rows;
    dataset->features = (int64_t)file->features;
    dataset->element = file->type->element;
    dt_status status =
        read_elements(file, &inputs, dt_element_size(dataset->element), to_element[dataset->element], error);
    dataset->inputs = inputs;
    return status == DT_OK ? read_end(file, dataset->inputs_sha256, error) : status;
}

static dt_status read_labels(dt_dataset *dataset, idx_file *file, dt_error *error)
{
    void *labels;
    dt_status status = read_elements(file, &labels, sizeof *dataset->labels, to_labels, error);
    dataset->labels = labels;
    for (size_t i = 0; status == DT_OK && i < file->rows; i++)
        if (dataset->labels[i] >= dataset->classes)
            dataset->classes = dataset->labels[i] + 1;
    return status == DT_OK ? read_end(file, dataset->labels_sha256, error) : status;
}

dt_status dt_idx_open(dt_dataset *dataset, const dt_source *source, dt_error *error)
{
    idx_file inputs = {0}, labels = {0};
    if (!source->inputs || !source->labels)
        return dt_fail(error, DT_INVALID, "format idx needs two files: inputs and labels; name both");
    dt_status status = open_file(&inputs, source->inputs, error);
    if (status == DT_OK)
        status = open_file(&labels, source->labels, error);
    if (status == DT_OK)
        status = check_pair(&inputs, &labels, error);
    if (status == DT_OK)
        status = read_labels(dataset, &labels, error);
    if (status == DT_OK)
        status = read_inputs(dataset, &inputs, error);
    dt_stream_close(&labels.stream);
    dt_stream_close(&inputs.stream);
    return status;
}
