/* Data sets: IDX files, good and malformed, plain and gzipped; arrays of a program's own. Files are made in a temporary
 * folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <zlib.h>

#include "counting_memory.h"
#include "deltoid/dataset.h"

enum { MIB = 1 << 20, HOSTILE_MEMORY = 64 * MIB };

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- bytes and files --- */

typedef struct blob {
    unsigned char *bytes;
    size_t size, capacity;
} blob;

/* Gives the appended bytes' place. */
static unsigned char *extend(blob *b, size_t size)
{
    if (b->size + size > b->capacity || !b->bytes) {
        b->capacity = 2 * (b->size + size) + 1;
        b->bytes = realloc(b->bytes, b->capacity);
        assert_non_null(b->bytes);
    }
    b->size += size;
    return b->bytes + b->size - size;
}

static void put(blob *b, const void *bytes, size_t size)
{
    memcpy(extend(b, size), bytes, size);
}

static void put_big_endian(blob *b, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0;)
        put(b, &(unsigned char){(unsigned char)(value >> (8 * i))}, 1);
}

static void drop(blob *b)
{
    free(b->bytes);
    *b = (blob){0};
}

static void put_header(blob *b, int type, int rank, const uint32_t *dimensions)
{
    put(b, (unsigned char[4]){0, 0, (unsigned char)type, (unsigned char)rank}, 4);
    for (int d = 0; d < rank; d++)
        put_big_endian(b, dimensions[d], 4);
}

/* A gzip member of `bytes`, appended. */
static void put_gzip(blob *b, const void *bytes, size_t size, int level)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    const size_t bound = deflateBound(&z, size) + 64;
    unsigned char *packed = malloc(bound);
    assert_non_null(packed);
    z.next_in = (unsigned char *)(uintptr_t)bytes;
    z.avail_in = (unsigned)size;
    z.next_out = packed;
    z.avail_out = (unsigned)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    put(b, packed, bound - z.avail_out);
    free(packed);
    deflateEnd(&z);
}

static blob packed(const blob *b)
{
    blob result = {0};
    put_gzip(&result, b->bytes, b->size, 6);
    return result;
}

static char folder[256], paths[2][300];
#define INPUTS paths[0]
#define LABELS paths[1]

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/deltoid-test-data-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(INPUTS, sizeof INPUTS, "%s/inputs", folder);
    snprintf(LABELS, sizeof LABELS, "%s/labels", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(INPUTS);
    unlink(LABELS);
    return rmdir(folder);
}

static void write_file(const char *path, const blob *b)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(b->bytes, 1, b->size, file), b->size);
    assert_int_equal(fclose(file), 0);
}

static void sha256(const void *bytes, size_t size, char hex[65])
{
    unsigned char digest[32];
    assert_int_equal(EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL), 1);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* 3 rows of 2 x 2 bytes, and their labels 1 0 2. */
static void good_pair(blob *inputs, blob *labels)
{
    *inputs = *labels = (blob){0};
    put_header(inputs, 0x08, 3, (uint32_t[]){3, 2, 2});
    put(inputs, "\0\1\2\3\4\5\6\7\x08\x09\xfe\xff", 12);
    put_header(labels, 0x08, 1, (uint32_t[]){3});
    put(labels, "\1\0\2", 3);
}

/* --- opening --- */

static dt_status open_files(dt_dataset **dataset, dt_error *error)
{
    return dt_dataset_open(dataset, "idx", &(dt_source){.inputs = INPUTS, .labels = LABELS}, error);
}

static dt_dataset *open_pair(const blob *inputs, const blob *labels)
{
    dt_dataset *dataset = NULL;
    dt_error error = {0};
    write_file(INPUTS, inputs);
    write_file(LABELS, labels);
    if (open_files(&dataset, &error) != DT_OK)
        fail_msg("refused: %s", error.message);
    return dataset;
}

/* One line that says all of `texts` (separated by '|'), no data set, nothing left allocated, little allocated at any
 * time. */
static void assert_refused(dt_status expected, const char *texts)
{
    counting_memory memory;
    dt_dataset *dataset = (dt_dataset *)folder;
    dt_error error = {0};
    count_memory(&memory, 0);
    const dt_status status = open_files(&dataset, &error);
    count_no_more();
    if (status != expected)
        fail_msg("status %d (%s), expected %d for %s", status, error.message, expected, texts);
    assert_null(dataset);
    assert_int_equal(memory.blocks, 0);
    assert_true(memory.peak <= HOSTILE_MEMORY);
    assert_null(strpbrk(error.message, "\n\r"));
    assert_non_null(strstr(error.message, folder));
    assert_non_null(strstr(error.message, "; "));
    char copy[512];
    snprintf(copy, sizeof copy, "%s", texts);
    for (char *text = strtok(copy, "|"); text; text = strtok(NULL, "|"))
        if (!strstr(error.message, text))
            fail_msg("'%s' is not in: %s", text, error.message);
    assert_int_equal(open_files(&dataset, NULL), expected);
}

static void assert_pair_refused(const blob *inputs, const blob *labels, dt_status expected, const char *texts)
{
    write_file(INPUTS, inputs);
    write_file(LABELS, labels);
    assert_refused(expected, texts);
}

/* --- what is good --- */

static void formats(void **state)
{
    (void)state;
    dt_error error = {0};
    assert_ptr_equal(dt_format_find("idx", NULL), dt_format_at(0));
    for (size_t i = 0; dt_format_at(i); i++) {
        assert_true(strlen(dt_format_at(i)->entry.name) > 0 && strlen(dt_format_at(i)->entry.note) > 0);
        assert_ptr_equal(dt_format_find(dt_format_at(i)->entry.name, NULL), dt_format_at(i));
        assert_non_null(dt_format_at(i)->open);
    }
    dt_dataset *dataset = (dt_dataset *)folder;
    assert_int_equal(dt_dataset_open(&dataset, "idxx", &(dt_source){.inputs = INPUTS, .labels = LABELS}, &error),
                     DT_UNKNOWN_NAME);
    assert_null(dataset);
    assert_string_equal(
        error.message, "unknown data format 'idxx'; did you mean 'idx'? valid: idx, csv, libsvm, npy, hdf5, synthetic");
    assert_int_equal(dt_element_size(DT_U8), 1);
    assert_int_equal(dt_element_size(DT_F32), 4);
    assert_int_equal(dt_element_size(DT_F64), 8);
    dt_dataset_destroy(NULL);
}

static void bytes_stay_bytes(void **state)
{
    (void)state;
    blob inputs, labels;
    good_pair(&inputs, &labels);
    dt_dataset *d = open_pair(&inputs, &labels);
    assert_int_equal(d->rows, 3);
    assert_int_equal(d->features, 4);
    assert_int_equal(d->classes, 3);
    assert_int_equal(d->element, DT_U8);
    assert_memory_equal(d->inputs, "\0\1\2\3\4\5\6\7\x08\x09\xfe\xff", 12);
    assert_memory_equal(d->labels, ((int32_t[]){1, 0, 2}), 3 * sizeof(int32_t));
    /* sha256sum's */
    assert_string_equal(d->inputs_sha256, "6b3d0fe1f3bab4b67dc543340e4d58628ba5d93b0cd6e2d4f029679ec9dfc69a");
    assert_string_equal(d->labels_sha256, "d3e452cdc9d740b2099ec05d429d7e4e163477a1d6b00b0e3b2a478e9fb92be9");
    dt_dataset_destroy(d);
    drop(&inputs);
    drop(&labels);
}

static uint64_t bits32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t bits64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Six values of each type, as the file has them and as the data set must. */
static const struct type_case {
    int code;
    size_t size;
    dt_element element;
    double value[6];
} type_cases[] = {
    {0x08, 1, DT_U8, {0, 1, 2, 127, 128, 255}},
    {0x09, 1, DT_F32, {0, 1, -1, 127, -128, -100}},
    {0x0b, 2, DT_F32, {0, 1, -1, 32767, -32768, -258}},
    {0x0c, 4, DT_F64, {0, 1, -1, 2147483647, -2147483648.0, 16777217}},
    {0x0d, 4, DT_F32, {0, 1, -0.5, 0x1.fffffep127, -0x1p-149, 0x1.234568p-3}},
    {0x0e, 8, DT_F64, {0, 1, -0.5, 0x1.fffffffffffffp1023, -0x1p-1074, 0x1.23456789abcdep-3}},
};

static uint64_t bits_of(const struct type_case *c, double value)
{
    return c->code == 0x0d ? bits32((float)value) : c->code == 0x0e ? bits64(value) : (uint64_t)(int64_t)value;
}

static double input_at(const dt_dataset *d, int64_t i)
{
    return d->element == DT_U8    ? ((const uint8_t *)d->inputs)[i]
           : d->element == DT_F32 ? (double)((const float *)d->inputs)[i]
                                  : ((const double *)d->inputs)[i];
}

static void every_type_rank_and_packing(void **state)
{
    (void)state;
    static const uint32_t shapes[][4] = {{6}, {2, 3}, {3, 1, 2}, {2, 1, 3, 1}, {1, 6}, {6, 1, 1, 1}};
    static const int ranks[] = {1, 2, 3, 4, 2, 4};
    for (size_t t = 0; t < COUNT(type_cases); t++)
        for (size_t s = 0; s < COUNT(shapes); s++)
            for (int gzip = 0; gzip < 2; gzip++) {
                const struct type_case *c = &type_cases[t];
                blob inputs = {0}, labels = {0};
                put_header(&inputs, c->code, ranks[s], shapes[s]);
                for (int i = 0; i < 6; i++)
                    put_big_endian(&inputs, bits_of(c, c->value[i]), c->size);
                put_header(&labels, 0x08, 1, shapes[s]);
                for (uint32_t i = 0; i < shapes[s][0]; i++)
                    put(&labels, "\7", 1);
                if (gzip) {
                    blob p = packed(&inputs);
                    drop(&inputs);
                    inputs = p;
                }
                dt_dataset *d = open_pair(&inputs, &labels);
                assert_int_equal(d->rows, shapes[s][0]);
                assert_int_equal(d->features, 6 / shapes[s][0]);
                assert_int_equal(d->classes, 8);
                assert_int_equal(d->element, c->element);
                for (int i = 0; i < 6; i++)
                    assert_true(bits64(input_at(d, i)) == bits64(c->value[i]));
                dt_dataset_destroy(d);
                drop(&inputs);
                drop(&labels);
            }
}

static void labels_of_every_integer_type(void **state)
{
    (void)state;
    static const struct {
        int code;
        size_t size;
        int32_t label[2];
    } cases[] = {{0x08, 1, {0, 255}}, {0x09, 1, {127, 3}}, {0x0b, 2, {300, 32767}}, {0x0c, 4, {65536, (1 << 20) - 1}}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        blob inputs = {0}, labels = {0};
        put_header(&inputs, 0x08, 2, (uint32_t[]){2, 1});
        put(&inputs, "ab", 2);
        put_header(&labels, cases[i].code, 1, (uint32_t[]){2});
        for (int j = 0; j < 2; j++)
            put_big_endian(&labels, (uint64_t)cases[i].label[j], cases[i].size);
        dt_dataset *d = open_pair(&inputs, &labels);
        assert_memory_equal(d->labels, cases[i].label, sizeof cases[i].label);
        assert_int_equal(d->classes,
                         1 + (cases[i].label[0] > cases[i].label[1] ? cases[i].label[0] : cases[i].label[1]));
        dt_dataset_destroy(d);
        drop(&inputs);
        drop(&labels);
    }
}

/* Data that pack far better than four to one, so that memory has to grow on the way, and that cross every buffer's
 * edge. */
static void gzip_that_grows(void **state)
{
    (void)state;
    enum { ROWS = 5003, COLUMNS = 700 };
    for (int type = 0x08; type <= 0x0d; type += 5) {
        const size_t size = type == 0x08 ? 1 : 4;
        blob inputs = {0}, labels = {0}, plain = {0};
        put_header(&plain, type, 2, (uint32_t[]){ROWS, COLUMNS});
        const size_t bytes = (size_t)ROWS * COLUMNS * size;
        unsigned char *elements = extend(&plain, bytes);
        for (size_t i = 0; i < bytes;
             i++) /* 0, 1, 2, ... in steps of 64 elements; as floats 0x00 00 00 xx: denormal, exact */
            elements[i] = size == 1 || i % 4 == 3 ? (unsigned char)(i / size / 64) : 0;
        inputs = packed(&plain);
        assert_true(inputs.size * 16 < plain.size);
        put_header(&labels, 0x08, 1, (uint32_t[]){ROWS});
        for (int i = 0; i < ROWS; i++)
            put(&labels, &(unsigned char){(unsigned char)(i % 10)}, 1);
        dt_dataset *d = open_pair(&inputs, &labels);
        for (int64_t i = 0; i < (int64_t)ROWS * COLUMNS; i++)
            if (input_at(d, i) != (double)(uint8_t)(i / 64) * (size == 1 ? 1 : 0x1p-149))
                fail_msg("element %lld is %g", (long long)i, input_at(d, i));
        char hex[65];
        sha256(inputs.bytes, inputs.size, hex);
        assert_string_equal(d->inputs_sha256, hex);
        dt_dataset_destroy(d);
        d = open_pair(&plain, &labels);
        assert_true(input_at(d, (int64_t)ROWS * COLUMNS - 1) != 0);
        dt_dataset_destroy(d);
        drop(&inputs);
        drop(&plain);
        drop(&labels);
    }
}

/* A file in several members, cut anywhere, some of them empty, one stored without compression; a header with a file
 * name in it. */
static void gzip_members_are_one_content(void **state)
{
    (void)state;
    blob inputs, labels;
    good_pair(&inputs, &labels);
    for (size_t cut = 0; cut <= inputs.size; cut++) {
        blob members = {0};
        put_gzip(&members, inputs.bytes, cut, 9);
        put_gzip(&members, "", 0, 1);
        put_gzip(&members, inputs.bytes + cut, inputs.size - cut, 0);
        if (cut % 2)
            put_gzip(&members, "", 0, 6);
        dt_dataset *d = open_pair(&members, &labels);
        assert_memory_equal(d->inputs, inputs.bytes + 16, 12);
        dt_dataset_destroy(d);
        drop(&members);
    }
    blob named = {0}, p = packed(&inputs);
    put(&named, p.bytes, 10);
    named.bytes[3] = 0x08;
    put(&named, "train.idx", 10);
    put(&named, p.bytes + 10, p.size - 10);
    dt_dataset *d = open_pair(&named, &labels);
    assert_memory_equal(d->inputs, inputs.bytes + 16, 12);
    dt_dataset_destroy(d);
    drop(&named);
    drop(&p);
    drop(&inputs);
    drop(&labels);
}

/* The bytes that tell whether another member follows may lie on both sides of the edge of a buffer, whose size is a
 * power of two. */
static void gzip_members_meet_at_any_edge(void **state)
{
    (void)state;
    blob labels = {0}, plain = {0};
    put_header(&plain, 0x08, 2, (uint32_t[]){1, 600000});
    for (uint32_t i = 0; i < 600000; i++)
        put(&plain, &(unsigned char){(unsigned char)(i * 2654435761u >> 24)}, 1);
    put_header(&labels, 0x08, 1, (uint32_t[]){1});
    put(&labels, "\1", 1);
    for (size_t edge = 64 << 10; edge <= 512 << 10; edge *= 2)
        for (size_t end = edge - 2; end <= edge + 1; end++) {
            blob members = {0};
            size_t cut = end - 23;
            put_gzip(&members, plain.bytes, cut, 0);
            while (members.size != end) { /* stored, so that a byte more is a byte more */
                cut = cut + end - members.size;
                drop(&members);
                put_gzip(&members, plain.bytes, cut, 0);
            }
            put_gzip(&members, plain.bytes + cut, plain.size - cut, 1);
            dt_dataset *d = open_pair(&members, &labels);
            assert_memory_equal(d->inputs, plain.bytes + 12, 600000);
            dt_dataset_destroy(d);
            drop(&members);
        }
    drop(&plain);
    drop(&labels);
}

/* --- what is malformed --- */

/* Each changes one of the good pair; the texts must be in the message. Those that concern content are tried gzipped as
 * well. */
static const struct malformed {
    bool labels;       /* which file is changed */
    size_t size;       /* cut to that, 0: not */
    size_t at;         /* from there on, these bytes instead */
    const char *bytes; /* length bytes */
    size_t length;
    dt_status status;
    const char *texts, *gzip_texts; /* gzip_texts NULL: the same */
} malformed[] = {
    {/* one byte */ false, 1, 0, "", 0, DT_MALFORMED, "/inputs: |ends after 1 bytes|header", NULL},
    {/* three bytes */ false, 3, 0, "", 0, DT_MALFORMED, "/inputs: |ends after 3 bytes", NULL},
    {/* magic alone */ false, 4, 0, "", 0, DT_MALFORMED, "/inputs: |ends after 4 bytes", NULL},
    {/* two dimensions of three */ false, 15, 0, "", 0, DT_MALFORMED, "/inputs: |ends after 15 bytes", NULL},
    {/* header alone */ false, 16, 0, "", 0, DT_MALFORMED, "/inputs: |3 x 2 x 2 unsigned bytes|28 bytes|has 16|cut off",
     "data end within element 0"},
    {/* last byte missing */ false, 27, 0, "", 0, DT_MALFORMED, "/inputs: |28 bytes|the file has 27",
     "data end within element 11"},
    {/* a byte too many */ false, 0, 28, "x", 1, DT_MALFORMED, "/inputs: |28 bytes|the file has 29|follows the data",
     "goes on after them"},
    {/* a label too many */ true, 0, 11, "\1", 1, DT_MALFORMED, "/labels: |3 unsigned bytes|the file has 12",
     "goes on after them"},
    {/* a label missing */ true, 10, 0, "", 0, DT_MALFORMED, "/labels: |the file has 10", "data end within element 2"},
    {/* bad magic */ false, 0, 0, "\1\0\x08\3", 4, DT_MALFORMED,
     "/inputs: |is not IDX|expected 00 00|found 01 00 08 03", NULL},
    {/* bad magic 2 */ true, 0, 1, "\x08", 1, DT_MALFORMED, "/labels: |is not IDX|found 00 08 08 01", NULL},
    {/* little endian */ false, 0, 0, "\3\x08\0\0", 4, DT_MALFORMED, "/inputs: |found 03 08 00 00|little-endian", NULL},
    {/* HTML */ false, 0, 0, "<!DOCTYPE html>", 15, DT_MALFORMED, "/inputs: |is text|download", NULL},
    {/* HDF5 */ false, 0, 0, "\x89HDF\r\n", 6, DT_MALFORMED, "/inputs: |is HDF5", NULL},
    {/* xz */ false, 0, 0,
     "\xfd"
     "7zXZ\0",
     6, DT_MALFORMED, "/inputs: |xz; unpack", NULL},
    {/* unknown type */ false, 0, 2, "\x0a", 1, DT_MALFORMED, "/inputs: |type 0x0a|expected 08", NULL},
    {/* unknown type 0 */ true, 0, 2, "\0", 1, DT_MALFORMED, "/labels: |type 0x00", NULL},
    {/* rank 0 */ false, 0, 3, "\0", 1, DT_MALFORMED, "/inputs: |has 0 dimensions|expected 1 to 4", NULL},
    {/* rank 5 */ false, 0, 3, "\5", 1, DT_MALFORMED, "/inputs: |has 5 dimensions|expected 1 to 4", NULL},
    {/* rank 255 */ true, 0, 3, "\xff", 1, DT_MALFORMED, "/labels: |has 255 dimensions", NULL},
    {/* no rows */ false, 0, 4, "\0\0\0\0", 4, DT_MALFORMED, "/inputs: |dimension 1 of 3 is 0", NULL},
    {/* no columns */ false, 0, 12, "\0\0\0\0", 4, DT_MALFORMED, "/inputs: |dimension 3 of 3 is 0", NULL},
    {/* no labels */ true, 0, 4, "\0\0\0\0", 4, DT_MALFORMED, "/labels: |dimension 1 of 1 is 0", NULL},
    {/* 2^96 elements */ false, 0, 4, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, DT_MALFORMED,
     "/inputs: |4294967295 x 4294967295 x 4294967295|more than any memory holds", NULL},
    {/* 2^64 elements, 0 when wrapped */ false, 0, 4, "\x80\0\0\0\x80\0\0\0\0\0\0\4", 12, DT_MALFORMED,
     "/inputs: |more than any memory holds", NULL},
    {/* 2^62 elements */ false, 0, 4, "\x80\0\0\0\x80\0\0\0\0\0\0\1", 12, DT_MALFORMED,
     "/inputs: |more than any memory holds", NULL},
    {/* 2^40 bytes */ false, 0, 4, "\0\x10\0\0\0\0\4\0\0\0\4\0", 12, DT_MALFORMED,
     "/inputs: |1048576 x 1024 x 1024 unsigned bytes|1099511627792 bytes|has 28|cut off", "can't unpack to more than"},
    {/* 60000 images in 28 bytes */ false, 0, 4, "\0\0\xea\x60\0\0\0\x1c\0\0\0\x1c", 12, DT_MALFORMED,
     "/inputs: |60000 x 28 x 28 unsigned bytes|47040016 bytes", "47040016 bytes|can't unpack to more than"},
    {/* floats where bytes are */ false, 0, 2, "\x0d", 1, DT_MALFORMED, "/inputs: |3 x 2 x 2 float32|64 bytes|has 28",
     "data end within element 3"},
    {/* 2^32 labels */ true, 0, 4, "\xff\xff\xff\xff", 4, DT_MALFORMED, "/labels: |4294967295 unsigned bytes|has 11",
     "can't unpack to more than"},
    {/* labels of 2 dimensions */ true, 0, 0, "\0\0\x08\2\0\0\0\3\0\0\0\1\1\1\1", 15, DT_INVALID,
     "/labels: |3 x 1|one number a row", NULL},
    {/* float labels */ true, 0, 0, "\0\0\x0d\1\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0", 20, DT_INVALID,
     "/labels: |3 float32|labels are integers", NULL},
    {/* more labels than rows */ true, 0, 4, "\0\0\0\4\1\1\1\1", 8, DT_INVALID,
     "/labels: |has 4 labels|/inputs has 3 rows", NULL},
    {/* fewer labels than rows */ true, 10, 4, "\0\0\0\2\1\1", 6, DT_INVALID,
     "/labels: |has 2 labels|/inputs has 3 rows", NULL},
    {/* negative byte */ true, 0, 2, "\x09\1\0\0\0\3\1\2\xff", 9, DT_MALFORMED,
     "/labels: |label of row 2 is -1|expected 0 to 1048575", NULL},
    {/* negative int16 */ true, 0, 2, "\x0b\1\0\0\0\3\0\1\x80\0\0\1", 12, DT_MALFORMED,
     "/labels: |label of row 1 is -32768", NULL},
    {/* label 2^20 */ true, 0, 2, "\x0c\1\0\0\0\3\0\x10\0\0\0\0\0\0\0\0\0\0", 18, DT_MALFORMED,
     "/labels: |label of row 0 is 1048576", NULL},
    {/* label -2^31 */ true, 0, 2, "\x0c\1\0\0\0\3\0\0\0\0\x80\0\0\0\0\0\0\0", 18, DT_MALFORMED,
     "/labels: |label of row 1 is -2147483648", NULL},
    {/* NaN */ false, 24, 0, "\0\0\x0d\2\0\0\0\3\0\0\0\1\0\0\0\0\0\0\0\0\x7f\xc0\0\0", 24, DT_MALFORMED,
     "/inputs: |input 0 of row 2 is nan|finite", NULL},
    {/* infinity */ false, 0, 0, "\0\0\x0e\2\0\0\0\3\0\0\0\1\0\0\0\0\0\0\0\0\xff\xf0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 36,
     DT_MALFORMED, "/inputs: |input 0 of row 1 is -inf", NULL},
};

static void malformed_contents(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        const struct malformed *m = &malformed[i];
        blob pair[2];
        good_pair(&pair[0], &pair[1]);
        blob *changed = &pair[m->labels], rest = {0};
        if (m->size)
            changed->size = m->size;
        put(&rest, changed->bytes, m->at);
        put(&rest, m->bytes, m->length);
        if (m->at + m->length < changed->size)
            put(&rest, changed->bytes + m->at + m->length, changed->size - m->at - m->length);
        drop(changed);
        *changed = rest;
        assert_pair_refused(&pair[0], &pair[1], m->status, m->texts);
        blob p = packed(changed);
        drop(changed);
        *changed = p;
        assert_pair_refused(&pair[0], &pair[1], m->status, m->gzip_texts ? m->gzip_texts : m->texts);
        drop(&pair[0]);
        drop(&pair[1]);
    }
}

static void swapped_files(void **state)
{
    (void)state;
    blob inputs, labels;
    good_pair(&inputs, &labels);
    assert_pair_refused(&labels, &inputs, DT_INVALID,
                        "swapped|/inputs has 3 unsigned bytes|/labels has 3 x 2 x 2|exchange");
    assert_pair_refused(&inputs, &inputs, DT_INVALID, "/labels: |labels are one number a row");
    drop(&inputs);
    drop(&labels);
}

/* false where the path is too long for a socket's address */
static bool make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return false;
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    return true;
}

static void special_files(void **state)
{
    (void)state;
    blob inputs, labels;
    good_pair(&inputs, &labels);
    for (int which = 0; which < 2; which++) {
        const char *path = paths[which];
        char text[64];
        write_file(INPUTS, &inputs);
        write_file(LABELS, &labels);

#define SAYS(what) (snprintf(text, sizeof text, "/%s: |%s", which ? "labels" : "inputs", what), text)
        unlink(path);
        assert_refused(DT_NOT_FOUND, SAYS("No such file"));
        assert_int_equal(symlink("nowhere", path), 0);
        assert_refused(DT_NOT_FOUND, SAYS("No such file"));
        unlink(path);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_refused(DT_INVALID, SAYS("a directory"));
        rmdir(path);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_refused(DT_INVALID, SAYS("a FIFO"));
        unlink(path);
        if (make_socket(path))
            assert_refused(DT_INVALID, SAYS("a socket"));
        unlink(path);
        assert_int_equal(symlink("/dev/zero", path), 0);
        assert_refused(DT_INVALID, SAYS("a device"));
        unlink(path);
        write_file(path, &(blob){(unsigned char *)text, 0, 0});
        assert_refused(DT_MALFORMED, SAYS("is empty"));
        if (geteuid() != 0) {
            chmod(path, 0);
            assert_refused(DT_IO, SAYS("Permission denied"));
        }
        unlink(path);
#undef SAYS
    }
    dt_dataset *dataset;
    dt_error error = {0};
    assert_int_equal(dt_dataset_open(&dataset, "idx", &(dt_source){.inputs = INPUTS, .labels = NULL}, &error),
                     DT_INVALID);
    assert_non_null(strstr(error.message, "needs two files"));
    assert_int_equal(dt_dataset_open(&dataset, "idx", &(dt_source){.inputs = NULL, .labels = NULL}, NULL), DT_INVALID);
    assert_int_equal(dt_dataset_open(&dataset, "idx", &(dt_source){.inputs = "", .labels = ""}, NULL), DT_NOT_FOUND);

    /* A path longer than a message: its end is what tells, and it begins with a whole character of UTF-8. */
    for (size_t more = 0; more < 2; more++) {
        char path[3000];
        memset(path, 'd', more);
        for (size_t k = more; k + 1 < sizeof path; k += 2)
            memcpy(path + k, k % 128 < 2 ? "//" : "\303\251", 2);
        snprintf(path + sizeof path - 12, 12, "\n/the-name");
        dt_error_clear(&error);
        assert_int_equal(dt_dataset_open(&dataset, "idx", &(dt_source){.inputs = path, .labels = path}, &error),
                         DT_NOT_FOUND);
        assert_non_null(strstr(error.message, "?/the-name: can't open it: "));
        assert_memory_equal(error.message, "...", 3);
        assert_true(((unsigned char)error.message[3] & 0xc0) != 0x80);
    }
    drop(&inputs);
    drop(&labels);
}

static void damaged_gzip(void **state)
{
    (void)state;
    blob inputs, labels;
    good_pair(&inputs, &labels);
    const blob good = packed(&inputs);
    blob bad = {0};

    /* Cut anywhere: with less than two bytes it isn't gzip. */
    for (size_t size = 1; size < good.size; size++) {
        blob cut = {good.bytes, size, 0};
        assert_pair_refused(&cut, &labels, DT_MALFORMED,
                            size < 2 ? "/inputs: |ends after 1 bytes" : "/inputs: |middle of its gzip|cut off");
    }
    /* Any byte of the check sum, the length or the method wrong. */
    for (size_t i = good.size - 8; i < good.size; i++) {
        put(&bad, good.bytes, good.size);
        bad.bytes[i] ^= 0x10;
        assert_pair_refused(&bad, &labels, DT_MALFORMED,
                            i < good.size - 4 ? "/inputs: |damaged|incorrect data check"
                                              : "/inputs: |damaged|incorrect length check");
        drop(&bad);
    }
    put(&bad, good.bytes, good.size);
    bad.bytes[2] = 7;
    assert_pair_refused(&bad, &labels, DT_MALFORMED, "/inputs: |damaged|unknown compression method");
    drop(&bad);

    /* Something behind it: zeros too, half a magic number, a second member that is broken. */
    static const struct {
        const char *bytes;
        size_t size;
        const char *texts;
    } behind[] = {{"garbage", 7, "/inputs: |what follows is no gzip"},
                  {"\0\0\0\0", 4, "/inputs: |what follows is no gzip"},
                  {"\x1f", 1, "/inputs: |what follows is no gzip"},
                  {"\x1f\x8b", 2, "/inputs: |middle of its gzip"},
                  {"\x1f\x8b\xff", 3, "/inputs: |middle of its gzip"},
                  {"\x1f\x8b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, "/inputs: |damaged"}};
    for (size_t i = 0; i < COUNT(behind); i++) {
        put(&bad, good.bytes, good.size);
        put(&bad, behind[i].bytes, behind[i].size);
        assert_pair_refused(&bad, &labels, DT_MALFORMED, behind[i].texts);
        drop(&bad);
    }
    blob twice = packed(&good);
    assert_pair_refused(&twice, &labels, DT_MALFORMED, "/inputs: |gzip inside gzip");
    drop(&twice);
    blob empty = {0};
    put_gzip(&empty, "", 0, 6);
    assert_pair_refused(&empty, &labels, DT_MALFORMED, "/inputs: |ends after 0 bytes of unpacked data");
    drop(&empty);
    drop(&inputs);
    drop(&labels);
    free(good.bytes);
}

/* One gzip member: a header for `declared` bytes, then 1 MiB of zeros over and over, 1 GiB in all, then bytes that no
 * decoder takes. Each MiB is the same KiB of deflate, which is flushed so that it can be repeated. */
static blob bomb(uint64_t declared)
{
    blob b = {0}, head = {0};
    static unsigned char zeros[MIB], room[2][8192];
    put_header(&head, 0x08, 2, (uint32_t[]){(uint32_t)(declared / 4), 4});
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    size_t sizes[2];
    for (int i = 0; i < 2; i++) {
        z.next_in = i ? zeros : head.bytes;
        z.avail_in = i ? sizeof zeros : (unsigned)head.size;
        z.next_out = room[i];
        z.avail_out = sizeof room[i];
        assert_int_equal(deflate(&z, Z_FULL_FLUSH), Z_OK);
        sizes[i] = sizeof room[i] - z.avail_out;
    }
    deflateEnd(&z);
    put(&b, room[0], sizes[0]);
    for (int i = 0; i < 1024; i++)
        put(&b, room[1], sizes[1]);
    put(&b, "\xff\xff\xff\xff", 4);
    drop(&head);
    return b;
}

static void gzip_bombs(void **state)
{
    (void)state;
    static const struct {
        uint64_t declared;
        const char *texts;
        size_t memory;
    } cases[] = {
        {12, "/inputs: |3 x 4 unsigned bytes|goes on after them", 4 * MIB},
        {(uint64_t)4 * MIB, "/inputs: |goes on after them", 16 * MIB},
        {(uint64_t)4 << 30, "/inputs: |can't unpack to more than", 4 * MIB},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        blob inputs = bomb(cases[i].declared), labels = {0};
        assert_true(inputs.size < 2 * MIB);
        const uint32_t rows = (uint32_t)(cases[i].declared / 4);
        put_header(&labels, 0x08, 1, (uint32_t[]){rows});
        if (rows <= MIB)
            memset(extend(&labels, rows), 0, rows);
        /* That it stops where the declared bytes end, and doesn't meet what no decoder takes, shows in the message. */
        assert_pair_refused(&inputs, &labels, DT_MALFORMED, cases[i].texts);
        counting_memory memory;
        dt_dataset *dataset;
        count_memory(&memory, 0);
        assert_int_equal(open_files(&dataset, NULL), DT_MALFORMED);
        count_no_more();
        assert_true(memory.peak <= cases[i].memory);
        drop(&inputs);
        drop(&labels);
    }
}

/* A header that declares what 1032 to 1 could just give, over data that end at once: memory follows the data. */
static void memory_follows_the_data(void **state)
{
    (void)state;
    blob plain = {0}, labels = {0};
    put_header(&plain, 0x0e, 2, (uint32_t[]){1000, 1000}); /* 8 MB */
    put(&plain, "\0\0\0\0", 4);
    blob inputs = packed(&plain), padding = {0};
    for (int i = 0; i < 4000; i++)
        put_gzip(&padding, "", 0, 6); /* 20 bytes on disk, none unpacked */
    put(&inputs, padding.bytes, padding.size);
    put_header(&labels, 0x08, 1, (uint32_t[]){1000});
    memset(extend(&labels, 1000), 0, 1000);
    assert_pair_refused(&inputs, &labels, DT_MALFORMED, "/inputs: |data end within element 0");
    counting_memory memory;
    dt_dataset *dataset;
    count_memory(&memory, 0);
    assert_int_equal(open_files(&dataset, NULL), DT_MALFORMED);
    count_no_more();
    assert_true(memory.peak <= 2 * MIB);
    drop(&plain);
    drop(&padding);
    drop(&inputs);
    drop(&labels);
}

/* --- memory --- */

static long open_with_memory_failing(const blob *inputs, const blob *labels)
{
    write_file(INPUTS, inputs);
    write_file(LABELS, labels);
    counting_memory memory;
    dt_status status = DT_NO_MEMORY;
    for (long n = 1; status != DT_OK; n++) {
        dt_dataset *dataset = (dt_dataset *)folder;
        dt_error error = {0};
        count_memory(&memory, n);
        status = open_files(&dataset, &error);
        if (status != DT_OK) {
            assert_int_equal(status, DT_NO_MEMORY);
            assert_int_equal(error.status, DT_NO_MEMORY);
            assert_null(dataset);
        }
        dt_dataset_destroy(dataset);
        assert_int_equal(memory.blocks, 0);
        assert_true(n < 1000);
    }
    count_no_more();
    return memory.calls;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    blob inputs, labels, large = {0};
    good_pair(&inputs, &labels);
    const long calls = open_with_memory_failing(&inputs, &labels);
    assert_int_equal(calls, 5); /* the data set, two buffers, two arrays */
    blob packed_inputs = packed(&inputs), packed_labels = packed(&labels);
    assert_true(open_with_memory_failing(&packed_inputs, &packed_labels) > calls); /* and zlib's */
    drop(&packed_inputs);

    put_header(&large, 0x08, 2, (uint32_t[]){3, 3 * MIB}); /* grows from 1 MiB to 9 */
    memset(extend(&large, 9 * MIB), 3, 9 * MIB);
    packed_inputs = packed(&large);
    open_with_memory_failing(&packed_inputs, &packed_labels);

    counting_memory memory;
    dt_status status = DT_NO_MEMORY;
    for (long n = 1; status != DT_OK; n++) {
        dt_dataset *dataset;
        count_memory(&memory, n);
        status = dt_dataset_from_arrays(&dataset, 2, 1, 2, DT_U8, "ab", (int32_t[]){0, 1}, NULL);
        dt_dataset_destroy(dataset);
        assert_int_equal(memory.blocks, 0);
        assert_true(n < 10);
    }
    assert_int_equal(memory.calls, 3);
    count_no_more();
    drop(&inputs);
    drop(&labels);
    drop(&packed_inputs);
    drop(&packed_labels);
    drop(&large);
}

/* --- arrays --- */

static void from_arrays(void **state)
{
    (void)state;
    double inputs[2][3] = {{1, 2, 3}, {4, 5, -6.5}};
    int32_t labels[2] = {4, 0};
    dt_dataset *d;
    assert_int_equal(dt_dataset_from_arrays(&d, 2, 3, 10, DT_F64, inputs, labels, NULL), DT_OK);
    inputs[0][0] = 100; /* it has copies */
    labels[0] = 100;
    assert_int_equal(d->rows, 2);
    assert_int_equal(d->features, 3);
    assert_int_equal(d->classes, 10);
    assert_int_equal(d->element, DT_F64);
    assert_memory_equal(d->inputs, ((double[]){1, 2, 3, 4, 5, -6.5}), sizeof inputs);
    assert_memory_equal(d->labels, ((int32_t[]){4, 0}), sizeof labels);
    assert_string_equal(d->inputs_sha256, "");
    assert_string_equal(d->labels_sha256, "");
    dt_dataset_destroy(d);
}

static void targets_are_copied_and_checked(void **state)
{
    (void)state;
    double targets[] = {0.5, -1, 1e300, 0};
    dt_dataset *d;
    dt_error error = {0};
    assert_int_equal(dt_dataset_from_targets(&d, 2, 1, 2, DT_U8, "ab", DT_TARGETS_REGRESSION, targets, NULL), DT_OK);
    targets[0] = 3;
    assert_memory_equal(d->targets, ((double[]){0.5, -1, 1e300, 0}), sizeof targets);
    assert_true(d->kind == DT_TARGETS_REGRESSION && d->outputs == 2 && d->classes == 0 && !d->labels);
    dt_dataset_destroy(d);
    assert_int_equal(dt_dataset_from_targets(&d, 2, 1, 2, DT_U8, "ab", DT_TARGETS_MULTILABEL, targets, &error),
                     DT_INVALID);
    assert_string_equal(error.message, "target 0 of row 0 is 3; of several labels each is between 0 and 1");
    targets[3] = strtod("nan", NULL);
    error = (dt_error){0};
    assert_int_equal(dt_dataset_from_targets(&d, 2, 1, 2, DT_U8, "ab", DT_TARGETS_REGRESSION, targets, &error),
                     DT_INVALID);
    assert_string_equal(error.message, "target 1 of row 1 is no finite number");
    assert_int_equal(dt_dataset_from_targets(&d, 2, 1, 2, DT_U8, "ab", DT_TARGETS_CLASSES, targets, &error),
                     DT_INVALID);
    assert_int_equal(dt_dataset_from_targets(&d, 2, 1, 0, DT_U8, "ab", DT_TARGETS_REGRESSION, targets, &error),
                     DT_INVALID);
    assert_int_equal(dt_dataset_from_targets(&d, 2, 1, 2, DT_U8, "ab", DT_TARGETS_REGRESSION, NULL, &error),
                     DT_INVALID);
    assert_null(d);
}

static void from_arrays_refuses(void **state)
{
    (void)state;
    static const int32_t good[] = {0, 1}, negative[] = {0, -1}, beyond[] = {2, 0};
    static const struct {
        int64_t rows, features, classes;
        int element;
        const void *inputs;
        const int32_t *labels;
        const char *text;
    } cases[] = {
        {0, 1, 2, DT_U8, "ab", good, "0 rows"},
        {-1, 1, 2, DT_U8, "ab", good, "-1 rows"},
        {2, 0, 2, DT_U8, "ab", good, "0 features"},
        {2, 1, 0, DT_U8, "ab", good, "0 classes"},
        {2, 1, 2, 7, "ab", good, "element type 7"},
        {2, 1, 2, DT_U8, NULL, good, "NULL"},
        {2, 1, 2, DT_U8, "ab", NULL, "NULL"},
        {2, 1, 2, DT_U8, "ab", negative, "label of row 1 is -1, expected 0 to 1"},
        {2, 1, 2, DT_U8, "ab", beyond, "label of row 0 is 2"},
        {2, INT64_MAX / 2, 2, DT_U8, "ab", good, "can't be addressed"},
        {2, INT64_MAX, 2, DT_F64, "ab", good, "can't be addressed"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        dt_error error = {0};
        dt_dataset *d = (dt_dataset *)folder;
        assert_int_equal(dt_dataset_from_arrays(&d, cases[i].rows, cases[i].features, cases[i].classes,
                                                (dt_element)cases[i].element, cases[i].inputs, cases[i].labels, &error),
                         DT_INVALID);
        assert_null(d);
        if (!strstr(error.message, cases[i].text))
            fail_msg("'%s' is not in: %s", cases[i].text, error.message);
    }
}

/* --- descriptors --- */

static int free_descriptor(void)
{
    const int fd = dup(0);
    close(fd);
    return fd;
}

static void no_file_stays_open(void **state)
{
    (void)state;
    blob inputs, labels;
    good_pair(&inputs, &labels);
    const int before = free_descriptor();
    dt_dataset_destroy(open_pair(&inputs, &labels));
    assert_int_equal(free_descriptor(), before);
    assert_pair_refused(&inputs, &inputs, DT_INVALID, "/labels: ");
    assert_int_equal(free_descriptor(), before);
    labels.size = 3;
    assert_pair_refused(&inputs, &labels, DT_MALFORMED, "/labels: ");
    assert_int_equal(free_descriptor(), before);
    drop(&inputs);
    drop(&labels);
}

/* --- the real thing --- */

#define FASHION "/usr/share/datasets/fashion-mnist/"

static void assert_sha256_of_file(const char *path, const char *expected)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    const size_t size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, size, file), size);
    fclose(file);
    char hex[65];
    sha256(bytes, size, hex);
    free(bytes);
    assert_string_equal(hex, expected);
}

static void fashion_mnist(void **state)
{
    (void)state;
    static const dt_source train = {.inputs = FASHION "train-images-idx3-ubyte.gz",
                                    .labels = FASHION "train-labels-idx1-ubyte.gz"};
    if (access(train.inputs, R_OK) != 0 || access(train.labels, R_OK) != 0) {
        print_message("no " FASHION ": install dataset-fashion-mnist\n");
        skip();
    }
    dt_dataset *d = NULL;
    dt_error error = {0};
    if (dt_dataset_open(&d, "idx", &train, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(d->rows, 60000);
    assert_int_equal(d->features, 784);
    assert_int_equal(d->classes, 10);
    assert_int_equal(d->element, DT_U8);
    int64_t of_class[10] = {0}, sum = 0;
    for (int64_t i = 0; i < d->rows; i++)
        of_class[d->labels[i]]++;
    for (int i = 0; i < 10; i++)
        assert_int_equal(of_class[i], 6000);
    for (int64_t i = 0; i < d->rows * d->features; i++)
        sum += ((const uint8_t *)d->inputs)[i];
    assert_int_equal(sum, 3431114169); /* mean 72.94 */
    assert_memory_equal(d->labels, ((int32_t[]){9, 0, 0, 3, 0, 2, 7, 2}), 8 * sizeof(int32_t));
    assert_sha256_of_file(train.inputs, d->inputs_sha256);
    assert_sha256_of_file(train.labels, d->labels_sha256);
    dt_dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(bytes_stay_bytes),
        cmocka_unit_test(every_type_rank_and_packing),
        cmocka_unit_test(labels_of_every_integer_type),
        cmocka_unit_test(gzip_that_grows),
        cmocka_unit_test(gzip_members_are_one_content),
        cmocka_unit_test(gzip_members_meet_at_any_edge),
        cmocka_unit_test(malformed_contents),
        cmocka_unit_test(swapped_files),
        cmocka_unit_test(special_files),
        cmocka_unit_test(damaged_gzip),
        cmocka_unit_test(gzip_bombs),
        cmocka_unit_test(memory_follows_the_data),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(no_file_stays_open),
        cmocka_unit_test(from_arrays),
        cmocka_unit_test(targets_are_copied_and_checked),
        cmocka_unit_test(from_arrays_refuses),
        cmocka_unit_test(fashion_mnist),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
