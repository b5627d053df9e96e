/* Hostile and malformed files: the program refuses each with one line that names it and exit status 2, and takes at
 * most 1 s of processor time and 64 MiB of memory for that, the confined process that reads HDF5 included.
 *
 * Each case is a file that is made anew, an experiment, and a part of what the program must say. Under sanitizers,
 * which take more of both, time and memory are not looked at. */
#define _DEFAULT_SOURCE /* wait4 */
#include <hdf5.h>
#include <sys/resource.h>
#include <zlib.h>

#include "program.h"
#include "scratch.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { MIB = 1 << 20, SECONDS_MAX = 1, MEMORY_MAX = 64 * MIB };

/* --- plain files --- */

#define BYTES(name, text) write_bytes(name, text, sizeof(text) - 1)

/* `count` times `text`, between a beginning and an end. */
static void write_often(const char *name, const char *begin, const char *text, size_t count, const char *end)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    fputs(begin, f);
    for (size_t i = 0; i < count; i++)
        fputs(text, f);
    fputs(end, f);
    assert_int_equal(fclose(f), 0);
}

/* So many zero bytes behind `begin`, packed: a thousandth of that on the disk. */
static void write_bomb(const char *name, const void *begin, size_t size, size_t zeros)
{
    static const char nothing[1 << 16];
    gzFile f = gzopen(name, "wb9");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, begin, (unsigned)size), (int)size);
    for (size_t left = zeros; left > 0; left -= sizeof nothing)
        assert_int_equal(gzwrite(f, nothing, sizeof nothing), sizeof nothing);
    assert_int_equal(gzclose(f), Z_OK);
}

/* --- IDX --- */

#define IDX_ROWS "\0\0\010\003\0\0\0\004\0\0\0\002\0\0\0\002"

static void idx_bomb(void)
{
    write_bomb("bad", IDX_ROWS, 16, 1024 * (size_t)MIB);
}

static void idx_bomb_told(void) /* a header that says it is all there: 4 Gi numbers, of which 256 Mi are */
{
    write_bomb("bad", "\0\0\010\002\0\001\0\0\0\001\0\0", 12, 256 * (size_t)MIB);
}

static void idx_overflow(void)
{
    BYTES("bad", "\0\0\010\004\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377");
}

static void idx_short(void)
{
    BYTES("bad", "\0\0\010\003\0\0\0\004\0\0\0\002\0\0\0\002abc");
}

static void idx_long(void)
{
    BYTES("bad", IDX_ROWS "0123456789abcdefg");
}

static void idx_magic(void)
{
    BYTES("bad", "\0\0\007\003\0\0\0\004\0\0\0\002\0\0\0\0020123456789abcdef");
}

static void idx_labels_bomb(void)
{
    write_bomb("bad-labels", "\0\0\010\001\0\0\0\004\0\1\0\1", 12, 1024 * (size_t)MIB);
}

static void idx_cut_gzip(void)
{
    BYTES("bad", "\037\213\010\0\0\0\0\0\0\003\143\140");
}

/* --- CSV and LIBSVM --- */

static void csv_no_line_end(void)
{
    write_often("bad", "a,b,label\n1,2,0\n", "1111111111111111", 8 * MIB, "");
}

static void csv_no_quote_end(void)
{
    write_often("bad", "a,b,label\n1,2,0\n\"", "1,2,0\n", 16 * MIB, "");
}

static void csv_wide(void)
{
    write_often("bad", "", "1,", 16 * MIB, "1\n");
}

static void csv_ragged(void)
{
    write_often("bad", "a,b,label\n", "1,2,0\n", 1000, "1,2\n");
}

static void csv_zeros(void)
{
    static const char nothing[4 * MIB];
    write_bytes("bad", nothing, sizeof nothing);
}

static void csv_number(void)
{
    BYTES("bad", "a,b,label\n1,2,0\n1,1e999,1\n");
}

static void csv_nothing(void)
{
    BYTES("bad", "");
}

static void csv_words(void) /* each a column of its own, made into one input each */
{
    FILE *f = fopen("bad", "wb");
    assert_non_null(f);
    fputs("a,b,label\n", f);
    for (int i = 0; i < 200000; i++)
        fprintf(f, "w%d,2,%d\n", i, i % 2);
    assert_int_equal(fclose(f), 0);
}

static void libsvm_index(void)
{
    BYTES("bad", "1 1:1 99999999999999999999:1\n");
}

static void libsvm_order(void)
{
    BYTES("bad", "1 5:1 2:1\n");
}

static void libsvm_no_line_end(void)
{
    write_often("bad", "1 1:1\n1 ", "0000000000000000", 8 * MIB, "");
}

static void libsvm_value(void)
{
    BYTES("bad", "1 1:nan\n");
}

/* --- NumPy --- */

static void npy(const char *header, size_t bytes)
{
    char text[128];
    memset(text, ' ', sizeof text);
    memcpy(text, "\x93NUMPY\1\0v\0", 10);
    memcpy(text + 10, header, strlen(header));
    text[127] = '\n';
    FILE *f = fopen("bad", "wb");
    assert_true(f && fwrite(text, 1, sizeof text, f) == sizeof text);
    for (size_t i = 0; i < bytes; i++)
        fputc(0, f);
    assert_int_equal(fclose(f), 0);
}

static void npy_overflow(void)
{
    npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 8), }", 64);
}

static void npy_huge(void)
{
    npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 8), }", 64);
}

static void npy_objects(void)
{
    npy("{'descr': '|O', 'fortran_order': False, 'shape': (4, 2), }", 64);
}

static void npy_header(void)
{
    BYTES("bad", "\x93NUMPY\2\0\xff\xff\xff\xff{'descr'");
}

/* An archive of one array, which says that it unpacks to `unpacked` bytes. */
static void npz(size_t zeros, uint32_t unpacked)
{
    static const char header[] = "\x93NUMPY\1\0v\0{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }";
    static uint8_t room[1 << 16];
    char first[128];
    memset(first, ' ', sizeof first);
    memcpy(first, header, sizeof header - 1);
    first[127] = '\n';
    FILE *f = fopen("bad", "wb+");
    assert_non_null(f);
    uint8_t local[30 + 5] = "PK\3\4\24\0\0\0\10\0";
    local[26] = 5;
    memcpy(local + 30, "x.npy", 5);
    fwrite(local, 1, sizeof local, f);
    z_stream z = {.next_in = (uint8_t *)first, .avail_in = sizeof first};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    static uint8_t nothing[1 << 16];
    size_t left = zeros, packed = 0;
    uint32_t crc = (uint32_t)crc32(0, (const uint8_t *)first, sizeof first);
    for (bool end = false; !end;) {
        if (z.avail_in == 0 && left > 0) {
            z.next_in = nothing;
            z.avail_in = sizeof nothing;
            crc = (uint32_t)crc32(crc, nothing, sizeof nothing);
            left -= sizeof nothing;
        }
        z.next_out = room;
        z.avail_out = sizeof room;
        end = deflate(&z, left || z.avail_in ? Z_NO_FLUSH : Z_FINISH) == Z_STREAM_END;
        packed += sizeof room - z.avail_out;
        fwrite(room, 1, sizeof room - z.avail_out, f);
    }
    deflateEnd(&z);
    uint8_t central[46 + 5 + 22] = "PK\1\2\24\0\24\0\0\0\10\0";
    const uint32_t numbers[] = {crc, (uint32_t)packed, unpacked};
    for (int i = 0; i < 12; i++)
        local[14 + i] = central[16 + i] = (uint8_t)(numbers[i / 4] >> 8 * (i % 4));
    central[28] = 5;
    memcpy(central + 46, "x.npy", 5);
    uint8_t *end = central + 51;
    memcpy(end, "PK\5\6", 4);
    end[8] = end[10] = 1;
    end[12] = 51;
    const uint32_t at = (uint32_t)(sizeof local + packed);
    for (int i = 0; i < 4; i++)
        end[16 + i] = (uint8_t)(at >> 8 * i);
    fwrite(central, 1, sizeof central, f);
    rewind(f);
    fwrite(local, 1, sizeof local, f);
    assert_int_equal(fclose(f), 0);
}

static void npz_bomb(void)
{
    npz(1024 * (size_t)MIB, 1024u * MIB + 128);
}

static void npz_lie(void)
{
    npz(256 * (size_t)MIB, 132);
}

static void npz_short(void)
{
    npz(0, 0xfffffff0);
}

/* --- HDF5 --- */

typedef struct h5 {
    hid_t file, creation, space;
} h5;

/* A file with labels /y of 4 rows; for /x (4, 2) unless told otherwise. */
static h5 h5_begin(int rank, const hsize_t *size)
{
    static const hsize_t four = 4;
    static const uint8_t labels[] = {0, 1, 0, 1};
    h5 h = {.file = H5Fcreate("bad", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
            .creation = H5Pcreate(H5P_DATASET_CREATE),
            .space = size ? H5Screate_simple(rank, size, NULL) : H5Screate(H5S_SCALAR)};
    const hid_t space = H5Screate_simple(1, &four, NULL);
    const hid_t y = H5Dcreate2(h.file, "y", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(h.file >= 0 && h.space >= 0);
    assert_true(H5Dwrite(y, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels) >= 0);
    H5Dclose(y);
    H5Sclose(space);
    return h;
}

static void h5_end(h5 h, const char *name, hid_t type)
{
    if (name) {
        const hid_t x = H5Dcreate2(h.file, name, type, h.space, H5P_DEFAULT, h.creation, H5P_DEFAULT);
        assert_true(x >= 0);
        H5Dclose(x);
    }
    H5Pclose(h.creation);
    H5Sclose(h.space);
    assert_true(H5Fclose(h.file) >= 0);
}

static const hsize_t plain_size[] = {4, 2};

static void h5_external(void)
{
    h5 h = h5_begin(2, plain_size);
    assert_true(H5Pset_external(h.creation, "/etc/passwd", 0, 8) >= 0);
    h5_end(h, "x", H5T_STD_U8LE);
}

static void h5_soft_link(void)
{
    h5 h = h5_begin(2, plain_size);
    assert_true(H5Lcreate_soft("/z", h.file, "x", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    h5_end(h, "z", H5T_STD_U8LE);
}

static void h5_external_link(void)
{
    h5 h = h5_begin(2, plain_size);
    assert_true(H5Lcreate_external("/etc/passwd", "/x", h.file, "x", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    h5_end(h, NULL, -1);
}

static void h5_link_on_the_way(void)
{
    h5 h = h5_begin(2, plain_size);
    H5Gclose(H5Gcreate2(h.file, "there", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    assert_true(H5Lcreate_soft("/there", h.file, "group", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    h5_end(h, "there/x", H5T_STD_U8LE);
}

static void h5_virtual(void)
{
    h5 h = h5_begin(2, plain_size);
    assert_true(H5Pset_virtual(h.creation, h.space, "good.h5", "/x", h.space) >= 0);
    h5_end(h, "x", H5T_STD_U8LE);
}

static void h5_filter(void)
{
    const hsize_t chunk[] = {2, 2};
    h5 h = h5_begin(2, plain_size);
    assert_true(H5Pset_chunk(h.creation, 2, chunk) >= 0 && H5Pset_scaleoffset(h.creation, H5Z_SO_INT, 0) >= 0);
    h5_end(h, "x", H5T_STD_U8LE);
}

static void h5_huge(void) /* 2^62 numbers of which none is stored */
{
    const hsize_t size[] = {(hsize_t)1 << 40, 1 << 20}, chunk[] = {64, 64};
    h5 h = h5_begin(2, size);
    assert_true(H5Pset_chunk(h.creation, 2, chunk) >= 0);
    h5_end(h, "x", H5T_IEEE_F64LE);
}

static void h5_hollow(void) /* fits into memory, but is nowhere */
{
    const hsize_t size[] = {1 << 20, 256}, chunk[] = {64, 64};
    h5 h = h5_begin(2, size);
    assert_true(H5Pset_chunk(h.creation, 2, chunk) >= 0);
    h5_end(h, "x", H5T_IEEE_F64LE);
}

static void h5_scalar(void)
{
    h5_end(h5_begin(0, NULL), "x", H5T_STD_U8LE);
}

static void h5_ranks(void)
{
    const hsize_t size[] = {4, 1, 1, 1, 1, 2};
    h5_end(h5_begin(6, size), "x", H5T_STD_U8LE);
}

static void h5_text(void)
{
    h5_end(h5_begin(2, plain_size), "x", H5T_C_S1);
}

static void h5_compound(void)
{
    const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
    assert_true(H5Tinsert(type, "a", 0, H5T_STD_I32LE) >= 0);
    h5_end(h5_begin(2, plain_size), "x", type);
    H5Tclose(type);
}

/* One packed chunk of so many MiB, of which the file has 2 MiB that are no data. */
static void h5_packed(hsize_t mib)
{
    static const char junk[2 * MIB];
    const hsize_t size[] = {mib << 10, 1 << 10}, first[] = {0, 0};
    h5 h = h5_begin(2, size);
    assert_true(H5Pset_chunk(h.creation, 2, size) >= 0 && H5Pset_deflate(h.creation, 9) >= 0);
    const hid_t x = H5Dcreate2(h.file, "x", H5T_STD_U8LE, h.space, H5P_DEFAULT, h.creation, H5P_DEFAULT);
    assert_true(H5Dwrite_chunk(x, H5P_DEFAULT, 0, first, sizeof junk, junk) >= 0);
    H5Dclose(x);
    h5_end(h, NULL, -1);
}

static void h5_large_chunk(void)
{
    h5_packed(512);
}

static void h5_junk(void)
{
    h5_packed(200);
    const hid_t file = H5Fopen("bad", H5F_ACC_RDWR, H5P_DEFAULT); /* 200 Ki labels, too */
    const hsize_t rows = 200 << 10;
    const hid_t space = H5Screate_simple(1, &rows, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    const uint8_t zero = 0;
    assert_true(file >= 0 && H5Pset_fill_value(creation, H5T_NATIVE_UINT8, &zero) >= 0 &&
                H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY) >= 0 && H5Ldelete(file, "y", H5P_DEFAULT) >= 0);
    H5Dclose(H5Dcreate2(file, "y", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(creation);
    assert_true(H5Fclose(file) >= 0);
}

static void h5_group(void)
{
    h5 h = h5_begin(2, plain_size);
    H5Gclose(H5Gcreate2(h.file, "x", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    h5_end(h, NULL, -1);
}

static void h5_cut(void)
{
    h5_end(h5_begin(2, plain_size), "x", H5T_STD_U8LE);
    assert_int_equal(truncate("bad", 1500), 0);
}

static void h5_spoilt(void)
{
    h5_end(h5_begin(2, plain_size), "x", H5T_STD_U8LE);
    FILE *f = fopen("bad", "rb+");
    assert_true(f && fseek(f, 96, SEEK_SET) == 0);
    for (int i = 0; i < 400; i++)
        fputc(0xff, f);
    assert_int_equal(fclose(f), 0);
}

static void no_hdf5(void)
{
    BYTES("bad", "this is a text");
}

/* --- experiments --- */

static void yaml_brackets(void)
{
    write_often("bad.yaml", "", "[", 100 << 10, "\n");
}

static void yaml_braces(void)
{
    write_often("bad.yaml", "data: ", "{a: ", 100 << 10, "\n");
}

static void yaml_dashes(void)
{
    write_often("bad.yaml", "", "- ", 300 << 10, "\n");
}

static void yaml_aliases(void)
{
    FILE *f = fopen("bad.yaml", "wb");
    assert_non_null(f);
    fputs("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n", f);
    for (int i = 1; i < 12; i++)
        fprintf(f, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1,
                i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_int_equal(fclose(f), 0);
}

static void yaml_self(void)
{
    write_text("bad.yaml", "data: &a {format: *a}\n");
}

static void yaml_large(void)
{
    write_often("bad.yaml", "", "# nothing\n", 110 << 10, "");
}

static void yaml_keys(void) /* just within 1 MiB */
{
    FILE *f = fopen("bad.yaml", "wb");
    assert_non_null(f);
    for (int i = 0; i < 90000; i++)
        fprintf(f, "k%d: 1\n", i);
    assert_int_equal(fclose(f), 0);
}

static void yaml_text(void)
{
    write_often("bad.yaml", "name: \"", "\\x41\\u0042", 90 << 10, "\"\n");
}

static void yaml_twice(void)
{
    write_text("bad.yaml", "seed: 1\nseed: 2\n");
}

static void yaml_zero(void)
{
    BYTES("bad.yaml", "seed: 1\0\nname: x\n");
}

/* --- cases --- */

#define NETWORK "network: [{units: 2}]\nloss: cross_entropy\ntraining: {batch_size: 2}\n"
#define IDX     "data: {format: idx, train: {inputs: bad, labels: good-labels}}\n" NETWORK
#define CSV     "data: {format: csv, train: {file: bad}}\n" NETWORK
#define LIBSVM  "data: {format: libsvm, train: {file: bad}}\n" NETWORK
#define NPY     "data: {format: npy, train: {inputs: bad, labels: good-labels.npy}}\n" NETWORK
#define NPZ     "data: {format: npy, train: {file: bad, inputs: /x, labels: /x}}\n" NETWORK
#define H5      "data: {format: hdf5, train: {file: bad, inputs: /x, labels: /y}}\n" NETWORK
#define STREAM_SCALED                                                                                                  \
    "data: {format: hdf5, stream: true, min_max: true, train: {file: bad, inputs: /x, labels: /y}}\n" NETWORK
#define STREAM "data: {format: hdf5, stream: true, train: {file: bad, inputs: /x, labels: /y}}\n" NETWORK
#define GOOD   "data: {format: idx, train: {inputs: good, labels: good-labels}}\n"

typedef struct refusal {
    const char *name;
    void (*make)(void);     /* the file `bad`, or bad.yaml where there is no experiment */
    const char *experiment; /* NULL: bad.yaml is it */
    const char *says;
} refusal;

static const refusal refusals[] = {
    {"idx: gzip bomb", idx_bomb, IDX, "bad: "},
    {"idx: gzip bomb that is told", idx_bomb_told, IDX, "bad: "},
    {"idx: dimensions overflow", idx_overflow, IDX, "bad: "},
    {"idx: too short", idx_short, IDX, "bad: "},
    {"idx: too long", idx_long, IDX, "bad: "},
    {"idx: another type", idx_magic, IDX, "bad: "},
    {"idx: cut gzip", idx_cut_gzip, IDX, "bad: "},
    {"idx: labels, gzip bomb", idx_labels_bomb,
     "data: {format: idx, train: {inputs: good, labels: bad-labels}}\n" NETWORK, "bad-labels: "},
    {"csv: no end of line", csv_no_line_end, CSV, "bad:3"},
    {"csv: no end of quotes", csv_no_quote_end, CSV, "bad:3"},
    {"csv: many columns", csv_wide, CSV, "bad"},
    {"csv: too few columns", csv_ragged, CSV, "bad:1002"},
    {"csv: zeros", csv_zeros, CSV, "bad"},
    {"csv: infinite", csv_number, CSV, "bad:3"},
    {"csv: empty", csv_nothing, CSV, "bad"},
    {"csv: too many words", csv_words, CSV, "bad"},
    {"libsvm: index", libsvm_index, LIBSVM, "bad:1"},
    {"libsvm: order", libsvm_order, LIBSVM, "bad:1"},
    {"libsvm: no end of line", libsvm_no_line_end, LIBSVM, "bad:2"},
    {"libsvm: value", libsvm_value, LIBSVM, "bad:1"},
    {"npy: dimensions overflow", npy_overflow, NPY, "bad: "},
    {"npy: more than there is", npy_huge, NPY, "bad: "},
    {"npy: objects", npy_objects, NPY, "bad: "},
    {"npy: header", npy_header, NPY, "bad: "},
    {"npz: bomb", npz_bomb, NPZ, "bad"},
    {"npz: bomb that is not told", npz_lie, NPZ, "bad:/x: "},
    {"npz: less than is told", npz_short, NPZ, "bad"},
    {"hdf5: external storage", h5_external, H5, "bad:/x: "},
    {"hdf5: soft link", h5_soft_link, H5, "bad:/x: is not there, or is a link"},
    {"hdf5: external link", h5_external_link, H5, "bad:/x: is not there, or is a link"},
    {"hdf5: link on the way", h5_link_on_the_way,
     "data: {format: hdf5, train: {file: bad, inputs: /group/x, labels: /y}}\n" NETWORK,
     "bad:/group/x: is not there, or is a link"},
    {"hdf5: virtual", h5_virtual, H5, "bad:/x: "},
    {"hdf5: filter", h5_filter, H5, "bad:/x: has a filter"},
    {"hdf5: dimensions overflow", h5_huge, H5, "bad:/x: "},
    {"hdf5: hollow", h5_hollow, H5, "bad:/x: says that it is larger than what the file holds of it"},
    {"hdf5: hollow, streamed", h5_hollow, STREAM, "bad:/x: says that it is larger than what the file holds of it"},
    {"hdf5: scalar", h5_scalar, H5, "bad:/x: "},
    {"hdf5: six dimensions", h5_ranks, H5, "bad:/x: "},
    {"hdf5: text", h5_text, H5, "bad:/x: "},
    {"hdf5: compound", h5_compound, H5, "bad:/x: "},
    {"hdf5: large chunk", h5_large_chunk, H5, "bad:/x: has chunks of nothing, or of more than 256 MiB"},
    {"hdf5: junk in a chunk", h5_junk, H5, "bad:/x: can't be read; the file is damaged"},
    {"hdf5: junk in a chunk, streamed", h5_junk, STREAM_SCALED, "bad:/x: can't be read; the file is damaged"},
    {"hdf5: group", h5_group, H5, "bad:/x: is no array"},
    {"hdf5: cut", h5_cut, H5, "bad: is not an HDF5 file, or is cut short"},
    {"hdf5: spoilt", h5_spoilt, H5, "bad: "},
    {"hdf5: external storage, streamed", h5_external, STREAM, "bad:/x: "},
    {"hdf5: a text", no_hdf5, H5, "bad: is not an HDF5 file"},
    {"yaml: brackets", yaml_brackets, NULL, "bad.yaml:"},
    {"yaml: braces", yaml_braces, NULL, "bad.yaml:"},
    {"yaml: dashes", yaml_dashes, NULL, "bad.yaml:"},
    {"yaml: aliases", yaml_aliases, NULL, "bad.yaml:"},
    {"yaml: an alias of itself", yaml_self, NULL, "bad.yaml:"},
    {"yaml: 1 MiB", yaml_large, NULL, "bad.yaml"},
    {"yaml: keys", yaml_keys, NULL, "bad.yaml:"},
    {"yaml: a long text", yaml_text, NULL, "bad.yaml:"},
    {"yaml: a key twice", yaml_twice, NULL, "bad.yaml:2:"},
    {"yaml: a zero byte", yaml_zero, NULL, "bad.yaml:"},
    {"layers that are too large", NULL, GOOD "network: [{units: 9223372036854775807}]\nloss: cross_entropy\n", "units"},
    {"more layers than allowed", NULL,
     GOOD "network: [{units: 1000000000}, {units: 1000000000}, {units: 2}]\nloss: cross_entropy\n", ""},
};

/* Runs it to its end; then what it took. */
static struct rusage run_measured(const char *const *arguments)
{
    struct rusage used;
    int status;
    const pid_t pid = start_program(arguments);
    assert_int_equal(wait4(pid, &status, 0, &used), pid);
    last.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    read_into("stdout.txt", last.out, sizeof last.out);
    read_into("stderr.txt", last.err, sizeof last.err);
    return used;
}

static bool is_refused(const char *name, const char *const *arguments, const char *says)
{
    const struct rusage used = run_measured(arguments);
    const double seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    const bool one_line = *last.err && strchr(last.err, '\n') == last.err + strlen(last.err) - 1;
    const bool within = SANITIZED || (seconds <= SECONDS_MAX && used.ru_maxrss <= MEMORY_MAX / 1024);
    if (getenv("DELTOID_REFUSALS_TELL"))
        print_message("%-34s %.3f s %6ld KiB  %s", name, seconds, used.ru_maxrss, last.err);
    if (last.status == 2 && one_line && strncmp(last.err, "deltoid: ", 9) == 0 && strstr(last.err, says) && within)
        return true;
    print_error("%s: exit status %d, %.3f s, %ld KiB: %s\n", name, last.status, seconds, used.ru_maxrss, last.err);
    return false;
}

static int set_up(void **state)
{
    (void)state;
    if (home_make() != 0)
        return -1;
    BYTES("good", IDX_ROWS "0123456789abcdef");
    BYTES("good-labels", "\0\0\010\001\0\0\0\004\0\1\0\1");
    npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", 4);
    assert_int_equal(rename("bad", "good-labels.npy"), 0);
    return 0;
}

static void every_case_is_refused(void **state)
{
    int failures = 0;
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *r = &refusals[i];
        if (r->make)
            r->make();
        if (r->experiment)
            write_text("bad.yaml", r->experiment);
        failures +=
            !is_refused(r->name, (const char *const[]){"train", "bad.yaml", "--quiet", "--out", "run", NULL}, r->says);
        assert_int_not_equal(access("run", F_OK), 0);
        (void)remove("bad");
    }
    assert_int_equal(failures, 0);
}

/* The same files, as a sweep and as a study. */
static void plans_are_refused_as_experiments_are(void **state)
{
    static const char *const commands[] = {"sweep", "scale", "check", "circuit"};
    int failures = 0;
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        for (size_t k = 0; k < 4 && !refusals[i].experiment; k++) {
            char name[80];
            snprintf(name, sizeof name, "%s, %s", commands[k], refusals[i].name);
            refusals[i].make();
            failures += !is_refused(name, (const char *const[]){commands[k], "bad.yaml", NULL}, refusals[i].says);
        }
    assert_int_equal(failures, 0);
}

/* --- what a run left --- */

static void h5_weights_elsewhere(void)
{
    const hsize_t size[] = {2, 4};
    h5 h = h5_begin(2, size);
    H5Gclose(H5Gcreate2(h.file, "layer01", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    assert_true(H5Pset_external(h.creation, "/etc/passwd", 0, 32) >= 0);
    h5_end(h, "layer01/W", H5T_IEEE_F32LE);
}

static void damaged_runs_are_refused(void **state)
{
    static void (*const files[])(void) = {no_hdf5, h5_cut, h5_spoilt, h5_weights_elsewhere, h5_huge, h5_external_link};
    static const struct {
        const char *file, *arguments[5], *says;
    } readers[] = {
        {"kept/model.h5", {"predict", "kept", "good"}, "kept/model.h5: "},
        {"kept/model.h5", {"eval", "kept"}, "kept/model.h5: "},
        {"kept/model.h5", {"train", "weights.yaml"}, "kept/model.h5: "},
        {"kept/capture.h5", {"capture", "csv", "kept", "all/layer01/z"}, "kept/capture.h5: "},
    };
    int failures = 0;
    (void)state;
    write_text("kept.yaml", "data: {format: idx, train: {inputs: good, labels: good-labels}, test: {inputs: good, "
                            "labels: good-labels}}\n" NETWORK "capture: {all: {quantities: [z], every: 1}}\n");
    write_text("weights.yaml", "initial_weights: kept/model.h5\n" GOOD NETWORK);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        RUN("train", "kept.yaml", "--quiet", "--out", "kept");
        expect_success();
        for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
            char name[80];
            files[k]();
            assert_int_equal(rename("bad", readers[i].file), 0);
            snprintf(name, sizeof name, "%s, file %zu", readers[i].arguments[0], k);
            failures += !is_refused(name, readers[i].arguments, readers[i].says);
        }
        scratch_unlink("kept");
    }
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_refused),
        cmocka_unit_test(plans_are_refused_as_experiments_are),
        cmocka_unit_test(damaged_runs_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, home_remove);
}
