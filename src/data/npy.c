#include "data/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "data/array.h"
#include "data/source.h"
#include "data/zip.h"

enum { PREAMBLE = 10, HEADER_MAX = 65536, MEMBER_NAME = 256 };

typedef struct npy_file {
    dt_stream stream;
    dt_array array;
    dt_array_name name;
    bool is_member;
    dt_zip_member member;
    uint32_t crc; /* of what has been read */
} npy_file;

/* --- the header: {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), } --- */

typedef struct literal {
    const char *at;
} literal;

static void skip_spaces(literal *l)
{
    l->at += strspn(l->at, " \t\n");
}

static bool take(literal *l, char c)
{
    skip_spaces(l);
    if (*l->at != c)
        return false;
    l->at++;
    return true;
}

static bool take_word(literal *l, const char *word)
{
    skip_spaces(l);
    const size_t n = strlen(word);
    if (strncmp(l->at, word, n) != 0)
        return false;
    l->at += n;
    return true;
}

static bool take_string(literal *l, char *to, size_t size)
{
    skip_spaces(l);
    const char quote = *l->at;
    if (quote != '\'' && quote != '"')
        return false;
    const char *end = strchr(++l->at, quote);
    if (!end || (size_t)(end - l->at) >= size)
        return false;
    memcpy(to, l->at, (size_t)(end - l->at));
    to[end - l->at] = '\0';
    l->at = end + 1;
    return true;
}

static bool take_shape(literal *l, uint64_t dimensions[DT_ARRAY_RANK_MAX], int *rank)
{
    if (!take(l, '('))
        return false;
    for (*rank = 0; !take(l, ')'); ++*rank) {
        uint64_t value = 0;
        skip_spaces(l);
        const size_t digits = strspn(l->at, "0123456789");
        for (size_t i = 0; i < digits; i++)
            if (__builtin_mul_overflow(value, 10u, &value) ||
                __builtin_add_overflow(value, (unsigned)(l->at[i] - '0'), &value))
                return false;
        l->at += digits;
        if (*l->at == 'L')
            l->at++; /* Python 2's */
        if (digits == 0 || *rank == 64)
            return false;
        if (*rank < DT_ARRAY_RANK_MAX)
            dimensions[*rank] = value;
        if (!take(l, ',')) {
            ++*rank;
            return take(l, ')');
        }
    }
    return true;
}

/* '<f4': byte order, kind, size. */
static dt_numbers type_of(const char *descr)
{
    const dt_numbers none = {.name = NULL};
    const char order = descr[0], kind = order ? descr[1] : '\0';
    if (!kind || !strchr("<>|=", order) || strlen(descr) != 3 || descr[2] < '1' || descr[2] > '8')
        return none;
    const bool big = order == '>' || (order == '=' && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    const size_t size = (size_t)(descr[2] - '0');
    if (kind == 'b' && size == 1)
        return dt_numbers_of(DT_NUMBER_UNSIGNED, 1, false);
    return kind == 'u'   ? dt_numbers_of(DT_NUMBER_UNSIGNED, size, big)
           : kind == 'i' ? dt_numbers_of(DT_NUMBER_SIGNED, size, big)
           : kind == 'f' ? dt_numbers_of(DT_NUMBER_FLOAT, size, big)
                         : none;
}

static dt_status take_header(npy_file *f, const char *text, dt_error *error)
{
    literal l = {text};
    char key[16], descr[32] = "";
    uint64_t dimensions[DT_ARRAY_RANK_MAX];
    int rank = -1, keys = 0;
    bool fortran = false, good = take(&l, '{');
    while (good && !take(&l, '}')) {
        good = take_string(&l, key, sizeof key) && take(&l, ':');
        if (good && strcmp(key, "descr") == 0) {
            good = take_string(&l, descr, sizeof descr);
            if (!good)
                return dt_fail(error, DT_UNSUPPORTED, "%s: holds records; save one array of numbers", f->name.text);
        } else if (good && strcmp(key, "fortran_order") == 0) {
            fortran = take_word(&l, "True");
            good = fortran || take_word(&l, "False");
        } else {
            good = good && strcmp(key, "shape") == 0 && take_shape(&l, dimensions, &rank);
        }
        keys++;
        if (good && !take(&l, ',')) {
            good = take(&l, '}');
            break;
        }
    }
    skip_spaces(&l);
    if (!good || *l.at || keys != 3 || rank < 0 || !*descr)
        return dt_fail(error, DT_MALFORMED, "%s: its NumPy header is damaged near '%.24s'; fetch or make it again",
                       f->name.text, l.at);
    f->array.type = type_of(descr);
    if (!f->array.type.name)
        return dt_fail(error, DT_UNSUPPORTED,
                       "%s: holds NumPy type '%s'; save integers or floats of at most 64 bits (x.astype('float32'))",
                       f->name.text, descr);
    if (fortran && rank > 1)
        return dt_fail(error, DT_UNSUPPORTED, "%s: is in Fortran's order; save numpy.ascontiguousarray of it",
                       f->name.text);
    return dt_array_shape(&f->array, rank, dimensions, error);
}

static dt_status read_exactly(npy_file *f, void *bytes, size_t size, dt_error *error)
{
    size_t got;
    dt_status status = f->array.read(f, bytes, size, &got, error);
    if (status == DT_OK && got < size)
        return dt_fail(error, DT_MALFORMED, "%s: ends inside the header of a NumPy array; fetch it again",
                       f->name.text);
    return status;
}

static dt_status read_header(npy_file *f, uint64_t *header, dt_error *error)
{
    unsigned char start[PREAMBLE + 2];
    dt_status status = read_exactly(f, start, PREAMBLE, error);
    if (status != DT_OK)
        return status;
    if (memcmp(start, "\x93NUMPY", 6) != 0)
        return dt_fail(error, DT_MALFORMED,
                       "%s: is no NumPy array; expected 93 4e 55 4d 50 59, found %02x %02x %02x %02x", f->name.text,
                       start[0], start[1], start[2], start[3]);
    if (start[6] < 1 || start[6] > 3)
        return dt_fail(error, DT_UNSUPPORTED, "%s: has version %d of NumPy's format, expected 1 to 3; save it again",
                       f->name.text, start[6]);
    size_t length = (size_t)start[8] | (size_t)start[9] << 8;
    *header = PREAMBLE;
    if (start[6] > 1) {
        if ((status = read_exactly(f, start + PREAMBLE, 2, error)) != DT_OK)
            return status;
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
        *header += 2;
    }
    if (length > HEADER_MAX)
        return dt_fail(error, DT_MALFORMED, "%s: its NumPy header says %zu bytes, expected at most %d; make it again",
                       f->name.text, length, HEADER_MAX);
    char *text = dt_allocate(length + 1, 1);
    if (!text)
        return dt_fail_memory(error, f->name.text);
    *header += length;
    status = read_exactly(f, text, length, error);
    text[length] = '\0';
    if (status == DT_OK)
        status = take_header(f, text, error);
    dt_release(text);
    return status;
}

/* --- files and members --- */

static dt_status read_counted(void *from, void *bytes, size_t size, size_t *got, dt_error *error)
{
    npy_file *f = from;
    dt_status status = dt_stream_read(&f->stream, bytes, size, got, error);
    for (size_t at = 0; f->is_member && status == DT_OK && at < *got;) {
        const size_t some = *got - at < 1 << 30 ? *got - at : 1 << 30;
        f->crc = (uint32_t)crc32(f->crc, (const Bytef *)bytes + at, (uInt)some);
        at += some;
    }
    return status;
}

static dt_status open_member(npy_file *f, const char *path, const char *member, dt_error *error)
{
    char name[MEMBER_NAME];
    if ((size_t)snprintf(name, sizeof name, "%s.npy", member) >= sizeof name)
        return dt_fail(error, DT_INVALID, "%s: no array has so long a name", f->name.text);
    f->is_member = true;
    dt_status status = dt_zip_find(&f->member, path, name, error);
    return status == DT_OK
               ? dt_stream_open_member(&f->stream, path, f->member.offset, f->member.packed, f->member.deflated, error)
               : status;
}

static dt_status open_array(npy_file *f, const dt_source *source, const char *which, dt_error *error)
{
    uint64_t header = 0;
    dt_status status = dt_array_name_make(&f->name, source, which, ".npz", error);
    if (status != DT_OK)
        return status;
    f->array.name = f->name.text;
    f->array.read = read_counted;
    f->array.from = f;
    status = f->name.array ? open_member(f, f->name.file, f->name.array, error)
                           : dt_stream_open(&f->stream, f->name.file, error);
    if (status == DT_OK)
        status = read_header(f, &header, error);
    if (status != DT_OK)
        return status;
    const dt_stream *s = &f->stream;
    const uint64_t all = header + (uint64_t)f->array.count * f->array.type.size;
    f->array.likely = s->gzip ? 4 * s->disk_bytes : s->disk_bytes;
    if (f->is_member && all != f->member.size)
        return dt_fail(error, DT_MALFORMED,
                       "%s: its header says %s, %llu bytes with the header, but the archive has "
                       "%llu; make it again",
                       f->name.text, f->array.shape, (unsigned long long)all, (unsigned long long)f->member.size);
    return dt_array_check_size(&f->array, header, s, error);
}

static dt_status end_array(npy_file *f, char sha256[65], dt_error *error)
{
    dt_status status = dt_array_end(&f->array, &f->stream, sha256, error);
    if (status == DT_OK && f->is_member && f->crc != f->member.crc)
        status = dt_fail(error, DT_MALFORMED, "%s: its CRC-32 is %08x, the archive says %08x; fetch it again",
                         f->name.text, (unsigned)f->crc, (unsigned)f->member.crc);
    return status;
}

static void close_array(npy_file *f)
{
    dt_stream_close(&f->stream);
    dt_array_name_clear(&f->name);
}

dt_status dt_npy_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error)
{
    const dt_source *source = opening->source;
    npy_file inputs = {.array.name = ""}, labels = {.array.name = ""};
    if (!source->inputs || (!source->labels && !opening->unlabelled))
        return dt_fail(error, DT_INVALID, "format npy needs two arrays: inputs and labels; name both");
    dt_status status = open_array(&inputs, source, source->inputs, error);
    if (status == DT_OK && source->labels) {
        status = open_array(&labels, source, source->labels, error);
        if (status == DT_OK)
            status = dt_array_check_pair(&inputs.array, &labels.array, opening->data->targets, error);
        if (status == DT_OK)
            status = dt_array_read_labels(dataset, &labels.array, opening->data->targets, error);
        if (status == DT_OK)
            status = end_array(&labels, dataset->labels_sha256, error);
    }
    if (status == DT_OK)
        status = dt_array_read_inputs(dataset, &inputs.array, error);
    if (status == DT_OK)
        status = end_array(&inputs, dataset->inputs_sha256, error);
    close_array(&labels);
    close_array(&inputs);
    return status;
}
