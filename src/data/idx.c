#include "data/idx.h"

#include <string.h>

#include "data/array.h"

typedef struct idx_file {
    dt_stream stream;
    dt_array array;
} idx_file;

/* The types there are, by the header's third byte. */
static const struct {
    unsigned char code;
    dt_number_kind kind;
    size_t size;
} types[] = {
    {0x08, DT_NUMBER_UNSIGNED, 1}, {0x09, DT_NUMBER_SIGNED, 1}, {0x0b, DT_NUMBER_SIGNED, 2},
    {0x0c, DT_NUMBER_SIGNED, 4},   {0x0d, DT_NUMBER_FLOAT, 4},  {0x0e, DT_NUMBER_FLOAT, 8},
};

enum { TYPES = sizeof types / sizeof *types };

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
            file->array.type = dt_numbers_of(types[i].kind, types[i].size, true);
    if (!file->array.type.name)
        return dt_fail(error, DT_MALFORMED,
                       "%s: IDX element type 0x%02x is unknown; expected 08 or 09 (bytes), 0b, 0c (int16, 32), 0d or "
                       "0e (float32, 64); "
                       "convert the file",
                       name, magic[2]);
    if (magic[3] < 1 || magic[3] > DT_ARRAY_RANK_MAX) /* before its dimensions are read */
        return dt_array_shape(&file->array, magic[3], NULL, error);
    return DT_OK;
}

static dt_status open_file(idx_file *file, const char *path, dt_error *error)
{
    unsigned char header[4 + 4 * DT_ARRAY_RANK_MAX];
    uint64_t dimensions[DT_ARRAY_RANK_MAX] = {0};
    size_t got, more = 0;
    dt_stream *s = &file->stream;
    dt_status status = dt_stream_open(s, path, error);
    file->array.name = s->name;
    file->array.read = dt_array_from_stream;
    file->array.from = s;
    /* pictures pack to a half or a third */
    file->array.likely = s->gzip ? 4 * s->disk_bytes : s->disk_bytes;
    if (status == DT_OK)
        status = dt_stream_read(s, header, 4, &got, error);
    if (status == DT_OK && got == 4)
        status = check_magic(file, header, error);
    if (status == DT_OK && got == 4)
        status = dt_stream_read(s, header + 4, 4 * (size_t)header[3], &more, error);
    if (status != DT_OK)
        return status;
    if (got < 4 || more < 4 * (size_t)header[3])
        return dt_fail(error, DT_MALFORMED,
                       "%s: ends after %zu bytes%s, inside the header of an IDX file; fetch it again", s->name,
                       got + more, s->gzip ? " of unpacked data" : "");
    for (size_t d = 0; d < header[3]; d++)
        for (size_t i = 0; i < 4; i++)
            dimensions[d] = dimensions[d] << 8 | header[4 + 4 * d + i];
    status = dt_array_shape(&file->array, header[3], dimensions, error);
    return status == DT_OK ? dt_array_check_size(&file->array, 4 + more, s, error) : status;
}

dt_status dt_idx_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error)
{
    const dt_source *source = opening->source;
    idx_file inputs = {.array.name = ""}, labels = {.array.name = ""};
    if (!source->inputs || (!source->labels && !opening->unlabelled))
        return dt_fail(error, DT_INVALID, "format idx needs two files: inputs and labels; name both");
    dt_status status = open_file(&inputs, source->inputs, error);
    if (status == DT_OK && source->labels) {
        status = open_file(&labels, source->labels, error);
        if (status == DT_OK)
            status = dt_array_check_pair(&inputs.array, &labels.array, opening->data->targets, error);
        if (status == DT_OK)
            status = dt_array_read_labels(dataset, &labels.array, opening->data->targets, error);
        if (status == DT_OK)
            status = dt_array_end(&labels.array, &labels.stream, dataset->labels_sha256, error);
    }
    if (status == DT_OK)
        status = dt_array_read_inputs(dataset, &inputs.array, error);
    if (status == DT_OK)
        status = dt_array_end(&inputs.array, &inputs.stream, dataset->inputs_sha256, error);
    dt_stream_close(&labels.stream);
    dt_stream_close(&inputs.stream);
    return status;
}
