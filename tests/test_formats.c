/* csv, libsvm, npy, hdf5 and synthetic data: what is good is read right, what is not is refused with one line that says
 * where, little memory and nothing left behind; transforms; a sparse set trains to a dense one's bits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

#include "base/philox.h"
#include "counting_memory.h"
#include "deltoid/deltoid.h"
#include "numpy_files.h"
#include "scratch.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { HOSTILE_MEMORY = 64 << 20 };

static scratch files;
static char path[512], other[512];

static void write_bytes(const char *to, const void *bytes, size_t size)
{
    FILE *f = fopen(to, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *text)
{
    write_bytes(path, text, strlen(text));
}

static dt_data_spec spec_of(const char *format)
{
    dt_data_spec data = {.format = format, .scale = 1};
    data.train.file = path;
    data.test.file = other;
    return data;
}

static dt_dataset *open_good(const dt_data_spec *data, dt_data_part part, const dt_transform *like)
{
    dt_dataset *dataset = NULL;
    dt_error error = {0};
    if (dt_dataset_open_part(&dataset, data, part, 1, like, &error) != DT_OK)
        fail_msg("refused: %s", error.message);
    return dataset;
}

/* All of `texts`, which stand apart by '|', in one line; nothing kept, and little memory taken on the way. */
static void expect_refusal(const dt_data_spec *data, dt_data_part part, const dt_transform *like, const char *texts)
{
    counting_memory memory;
    dt_dataset *dataset = NULL;
    dt_error error = {0};
    char copy[512];
    count_memory(&memory, 0);
    const dt_status status = dt_dataset_open_part(&dataset, data, part, 1, like, &error);
    count_no_more();
    if (status == DT_OK)
        fail_msg("accepted, expected %s", texts);
    assert_int_equal(dt_status_exit(status), 2);
    assert_null(dataset);
    assert_int_equal(memory.blocks, 0);
    assert_true(memory.peak <= HOSTILE_MEMORY);
    assert_null(strpbrk(error.message, "\n\r"));
    assert_non_null(strstr(error.message, "; "));
    snprintf(copy, sizeof copy, "%s", texts);
    for (char *text = strtok(copy, "|"); text; text = strtok(NULL, "|"))
        if (!strstr(error.message, text))
            fail_msg("'%s' is not in: %s", text, error.message);
    assert_int_equal(dt_dataset_open_part(&dataset, data, part, 1, like, NULL), status);
}

static void expect_inputs(const dt_dataset *d, const double *inputs)
{
    double *row = calloc((size_t)d->features, sizeof *row);
    for (int64_t i = 0; i < d->rows; i++) {
        dt_dataset_row(d, i, row);
        for (int64_t k = 0; k < d->features; k++)
            if (row[k] != inputs[i * d->features + k])
                fail_msg("input %d of row %d is %.17g, expected %.17g", (int)k, (int)i, row[k],
                         inputs[i * d->features + k]);
    }
    free(row);
}

/* --- csv --- */

static void a_table_of_numbers_and_words(void **state)
{
    (void)state;
    const char *const texts[] = {
        "a,b,kind\n1,2.5,\"pear, green\"\n3,4,apple\n-0.5,0,apple\n",
        "\357\273\277a,b,kind\r\n1, 2.5 ,\"pear, green\"\r\n\r\n3,4,apple\r\n-0.5,0,\"apple\"", /* BOM, CRLF, no end */
        "a;b;kind\n1;2.5;\"pear, green\"\n3;4;apple\n-5e-1;+0;apple\n",
        "a\tb\tkind\r1\t2.5\tpear, green\r3\t4\tapple\r-.5\t0.\tapple\r",
        "1|2.5|pear, green\n3|4|apple\n-0.5|0|apple\n",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        const dt_data_spec data = spec_of("csv");
        write_text(texts[i]);
        dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
        assert_int_equal(d->rows, 3);
        assert_int_equal(d->features, 2);
        assert_int_equal(d->classes, 2);
        assert_int_equal(d->element, DT_F32);
        assert_string_equal(d->label_names[0], "apple");
        assert_string_equal(d->label_names[1], "pear, green");
        assert_memory_equal(d->labels, ((int32_t[]){1, 0, 0}), 12);
        expect_inputs(d, (double[]){1, 2.5, 3, 4, -0.5, 0});
        dt_dataset_destroy(d);
    }
}

static void types_are_the_smallest_that_are_exact(void **state)
{
    (void)state;
    const struct {
        const char *text;
        dt_element element;
    } cases[] = {{"0,255,0\n1,7,1\n", DT_U8}, {"0,256,0\n", DT_F32},      {"-1,3,0\n", DT_F32},
                 {"0.1,3,0\n", DT_F64},       {"16777217,3,0\n", DT_F64}, {"0.5,1e300,0\n", DT_F64}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const dt_data_spec data = spec_of("csv");
        write_text(cases[i].text);
        dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
        assert_int_equal(d->element, cases[i].element);
        dt_dataset_destroy(d);
    }
}

static void labels_by_name_and_number(void **state)
{
    (void)state;
    const char *const by[] = {"y", "2", "label"};
    dt_data_spec data = spec_of("csv");
    for (size_t i = 0; i < 2; i++) {
        data.label = (dt_name_list){&by[i], 1};
        write_text("x,y,z\n1,0,2\n3,2,4\n");
        dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
        assert_int_equal(d->classes, 3); /* whole numbers from 0 stay, with the class that doesn't occur */
        assert_null(d->label_names);
        assert_memory_equal(d->labels, ((int32_t[]){0, 2}), 8);
        expect_inputs(d, (double[]){1, 2, 3, 4});
        dt_dataset_destroy(d);
    }
    data.label = (dt_name_list){&by[2], 1};
    expect_refusal(&data, DT_TRAIN, NULL, "data.label|no column 'label'|its 3 columns");
    data.label = (dt_name_list){NULL, 0};
    write_text("1,-1\n2,1\n3,10\n4,-1\n5,1.0\n"); /* other numbers: by value, and remembered */
    dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
    assert_memory_equal(d->labels, ((int32_t[]){0, 1, 2, 0, 1}), 20);
    assert_string_equal(d->label_names[2], "10");
    dt_dataset_destroy(d);
}

static void words_become_inputs(void **state)
{
    (void)state;
    dt_data_spec data = spec_of("csv");
    const char *const size = "size";
    write_text("colour,size,class\nred,1,0\nblue,2,1\nred,2,0\n");
    dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
    assert_int_equal(d->features, 3);
    assert_int_equal(d->element, DT_U8);
    expect_inputs(d, (double[]){0, 1, 1, 1, 0, 2, 0, 1, 2}); /* blue, red, size */

    write_bytes(other, "red,3,1\n", 8); /* without the header, which the training set has named */
    dt_dataset *test = open_good(&data, DT_TEST, d->transform);
    expect_inputs(test, (double[]){0, 1, 3});
    assert_int_equal(test->labels[0], 1);
    dt_dataset_destroy(test);
    write_bytes(other, "green,3,1\n", 10);
    expect_refusal(&data, DT_TEST, d->transform, ":1: column 1 (colour): 'green'|no word that the training set has");
    write_bytes(other, "red,big,1\nred,3,1\n", 18);
    expect_refusal(&(dt_data_spec){.format = "csv", .scale = 1, .test.file = other, .header = "false"}, DT_TEST,
                   d->transform, ":1: column 2 (size): 'big'|no finite number");
    write_bytes(other, "red,3\n", 6);
    expect_refusal(&data, DT_TEST, d->transform, "2 columns, but the training set has 3");
    dt_dataset_destroy(d);

    data.one_hot = (dt_name_list){&size, 1};
    d = open_good(&data, DT_TRAIN, NULL);
    expect_inputs(d, (double[]){0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1});
    dt_dataset_destroy(d);
}

static void missing_numbers(void **state)
{
    (void)state;
    dt_data_spec data = spec_of("csv");
    const struct {
        const char *missing;
        double fill, test_fill;
    } cases[] = {{"mean", 4, 2}, {"median", 2, 1}, {"0", 0, 0}};
    write_text("a,b,class\n1,1,0\n,1,1\n2,4,0\n9,?,1\nNA,1,0\n3,3,0\n5,1,0\n");
    expect_refusal(&data, DT_TRAIN, NULL, ":3: column 1 (a): ''|no value|data.missing");
    write_text("a,b,class\n1,1,0\n,1,1\n2,4,0\n9,?,1\n");
    write_bytes(other, "1,,0\n", 5);
    for (size_t i = 0; i < COUNT(cases); i++) {
        data.missing = cases[i].missing;
        dt_dataset *d = open_good(&data, DT_TRAIN, NULL), *test = open_good(&data, DT_TEST, d->transform);
        assert_int_equal(d->missing, 2);
        expect_inputs(d, (double[]){1, 1, cases[i].fill, 1, 2, 4, 9, cases[i].test_fill});
        expect_inputs(test, (double[]){1, cases[i].test_fill});
        dt_dataset_destroy(test);
        dt_dataset_destroy(d);
    }
    write_text("a,b,class\n,1,0\nnan,1,1\n");
    expect_refusal(&data, DT_TRAIN, NULL, "column 1 (a) has no value in any row");
}

static void targets_of_tables(void **state)
{
    (void)state;
    const char *const names[] = {"u", "v"};
    dt_data_spec data = spec_of("csv");
    data.targets = DT_TARGETS_REGRESSION;
    data.label = (dt_name_list){names, 2};
    write_text("u,x,v\n1.5,7,-2\n0,8,1e3\n");
    dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
    assert_int_equal(d->kind, DT_TARGETS_REGRESSION);
    assert_int_equal(d->outputs, 2);
    assert_memory_equal(d->targets, ((double[]){1.5, -2, 0, 1e3}), 32);
    assert_string_equal(d->label_names[1], "v");
    dt_dataset_destroy(d);
    data.targets = DT_TARGETS_MULTILABEL;
    expect_refusal(&data, DT_TRAIN, NULL, ":2: column 1 (u): '1.5'|between 0 and 1");
    data.targets = DT_TARGETS_CLASSES;
    expect_refusal(&data, DT_TRAIN, NULL, "data.label: 2 columns|one class");
}

static void malformed_tables(void **state)
{
    (void)state;
    const struct {
        const char *text, *says;
    } cases[] = {
        {"", "is empty"},
        {"\n\n", "has no rows"},
        {"a,b\n1,2\n3\n", ":3: has 1 fields, but the first line has 2"},
        {"a,b\n1,2,3\n", ":2: has 3 fields"},
        {"1,2\n3,4,5\n", ":2: has 3 fields, but the first line has 2"},
        {"a,b\n1,\"x\n2,y\n", ":2: the row that begins here has a quote that is never closed"},
        {"a,b\n1,\"x\"y\n", ":2: text follows a closing quote"},
        {"a,b\n1,0\nx,1\n", ":3: column 1 (a): 'x' is no number"},
        {"a,b\nx,0\n1,1\n", "'1' is a number, but words stand above it"},
        {"a,b\ninf,0\n", "no finite number"},
        {"1,0\n1e999,0\n", ":2: column 1 (1): '1e999' is no finite number"},
        {"a,b\nnan,0\n1,0\n", ":2: column 1 (a): 'nan' is no value"},
        {"a,b\n1,\n", ":2: column 2 (b): '' is no label"},
        {"0\n1\n", "its columns give 0 inputs"},
        {"a,b\n1,0x10\n1,0\n0x2,1\n", "'0x2' is no number"},
    };
    const dt_data_spec data = spec_of("csv");
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_text(cases[i].text);
        expect_refusal(&data, DT_TRAIN, NULL, cases[i].says);
    }
    dt_data_spec headed = data;
    headed.header = "true";
    write_text("a,b\n");
    expect_refusal(&headed, DT_TRAIN, NULL, "has no rows under its header");
    write_bytes(path, "1,2\n3,\0\n", 8);
    expect_refusal(&data, DT_TRAIN, NULL, ":2: holds a NUL byte");
    FILE *f = fopen(path, "wb"); /* a word column of more words than anybody means */
    for (int i = 0; i <= 10000; i++)
        fprintf(f, "w%d,0\n", i);
    fclose(f);
    expect_refusal(&data, DT_TRAIN, NULL, "more than 10000 different words");
    char *row = malloc(20 << 20); /* one line of 20 MiB */
    memset(row, 'x', 20 << 20);
    write_bytes(path, row, 20 << 20);
    free(row);
    expect_refusal(&data, DT_TRAIN, NULL, ":1: a row of more than 16 MiB");
}

/* --- libsvm --- */

static void sparse_rows(void **state)
{
    (void)state;
    dt_data_spec data = spec_of("libsvm");
    write_text("# a comment\n+1 1:0.5 4:2 # and one more\n-1 2:-3\r\n\n1\n-1 3:0 4:1\n");
    dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
    assert_int_equal(d->rows, 4);
    assert_int_equal(d->features, 4);
    assert_int_equal(d->start[4], 4); /* a 0 that is written takes no place */
    assert_int_equal(d->element, DT_F32);
    assert_string_equal(d->label_names[0], "-1");
    assert_string_equal(d->label_names[1], "1");
    assert_memory_equal(d->labels, ((int32_t[]){1, 0, 1, 0}), 16);
    expect_inputs(d, (double[]){0.5, 0, 0, 2, 0, -3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    write_bytes(other, "1 2:7\n", 6);
    dt_dataset *test = open_good(&data, DT_TEST, d->transform);
    assert_int_equal(test->features, 4);
    assert_int_equal(test->labels[0], 1);
    dt_dataset_destroy(test);
    write_bytes(other, "1 5:7\n", 6);
    expect_refusal(&data, DT_TEST, d->transform, ":1: index 5, but a row has 4 inputs");
    write_bytes(other, "2 1:7\n", 6);
    expect_refusal(&data, DT_TEST, d->transform, "label 2, which the training set has not");
    dt_dataset_destroy(d);
    data.features = 3;
    expect_refusal(&data, DT_TRAIN, NULL, ":2: index 4, but a row has 3 inputs|data.features");
    data.features = 9;
    d = open_good(&data, DT_TRAIN, NULL);
    assert_int_equal(d->features, 9);
    dt_dataset_destroy(d);
    data = spec_of("libsvm");
    data.targets = DT_TARGETS_REGRESSION;
    write_text("0.25 1:1\n-3 2:1\n");
    d = open_good(&data, DT_TRAIN, NULL);
    assert_memory_equal(d->targets, ((double[]){0.25, -3}), 16);
    dt_dataset_destroy(d);
}

static void malformed_sparse_rows(void **state)
{
    (void)state;
    const struct {
        const char *text, *says;
    } cases[] = {
        {"# nothing\n", "has no rows"},
        {"1\n2\n", "no row has an input"},
        {"1 1:1\n1:1 2:2\n", ":2: a label is expected first, found '1:1'"},
        {"a 1:1\n", ":1: a label is a whole number, not 'a'"},
        {"1.5 1:1\n", "not '1.5'|data.targets"},
        {"1,2 1:1\n", "not '1,2'"},
        {"1 1\n", "INDEX:VALUE is expected, found '1'"},
        {"1 0:1\n", "an index is a whole number from 1"},
        {"1 -1:1\n", "not '-1'"},
        {"1 qid:3 1:1\n", "not 'qid'"},
        {"1 99999999999999999999:1\n", "an index is a whole number"},
        {"1 70000000:1\n", "from 1 to 67108864"},
        {"1 1:1\n1 2:1 2:1\n", ":2: index 2 follows itself"},
        {"1 3:1 2:1\n", ":1: index 2 follows 3"},
        {"1 1:nan\n", "a value is a finite number, not 'nan'"},
        {"1 1:inf\n", "not 'inf'"},
        {"1 1:1e999\n", "not '1e999'"},
        {"1 1:\n", "not ''"},
        {"1 1:1:1\n", "not '1:1'"},
    };
    const dt_data_spec data = spec_of("libsvm");
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_text(cases[i].text);
        expect_refusal(&data, DT_TRAIN, NULL, cases[i].says);
    }
}

/* --- npy --- */

static dt_data_spec arrays_of(const char *format, const char *file, const char *inputs, const char *labels)
{
    return (dt_data_spec){.format = format, .scale = 1, .train = {.file = file, .inputs = inputs, .labels = labels}};
}

static void arrays_of_numpy(void **state)
{
    (void)state;
    char x[600], y[600];
    const double inputs[] = {1.5, -2, 3, 0.25, 5, -6};
    write_bytes(path, x_npy, sizeof x_npy - 1);
    write_bytes(other, y_npy, sizeof y_npy - 1);
    dt_data_spec data = arrays_of("npy", NULL, path, other);
    dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
    assert_int_equal(d->element, DT_F32);
    assert_int_equal(d->features, 3);
    assert_memory_equal(d->labels, ((int32_t[]){1, 0}), 8);
    expect_inputs(d, inputs);
    dt_dataset_destroy(d);
    data.targets = DT_TARGETS_REGRESSION; /* any numbers are targets */
    data.train.labels = path;
    d = open_good(&data, DT_TRAIN, NULL);
    assert_int_equal(d->outputs, 3);
    assert_memory_equal(d->targets, inputs, sizeof inputs);
    dt_dataset_destroy(d);

    snprintf(path, sizeof path, "%s", scratch_path(&files, "a.npz"));
    for (int deflated = 0; deflated < 2; deflated++) {
        if (deflated)
            write_bytes(path, deflated_npz, sizeof deflated_npz - 1);
        else
            write_bytes(path, stored_npz, sizeof stored_npz - 1);
        snprintf(x, sizeof x, "%s:/x", path);
        snprintf(y, sizeof y, "%s:y", path);
        const dt_data_spec ways[] = {arrays_of("npy", NULL, x, y), arrays_of("npy", path, "/x", "/y")};
        for (size_t i = 0; i < COUNT(ways); i++) {
            d = open_good(&ways[i], DT_TRAIN, NULL);
            assert_memory_equal(d->labels, ((int32_t[]){1, 0}), 8);
            expect_inputs(d, inputs);
            dt_dataset_destroy(d);
        }
        data = arrays_of("npy", path, "/z", "/y");
        expect_refusal(&data, DT_TRAIN, NULL, "no member 'z.npy'; it has x.npy, y.npy");
    }
}

/* A file of NumPy's with this header, and `size` zeros behind it. */
static void write_npy(const char *header, size_t size)
{
    unsigned char bytes[512] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    bytes[8] = (unsigned char)strlen(header);
    memcpy(bytes + 10, header, strlen(header));
    write_bytes(path, bytes, 10 + strlen(header) + size);
}

static void malformed_arrays(void **state)
{
    (void)state;
    const struct {
        const char *header;
        size_t size;
        const char *says;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 23, "93 bytes with the header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 25, "what follows the data"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24, "Fortran's order"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", 24, "holds NumPy type '|O'"},
        {"{'descr': '<U4', 'fortran_order': False, 'shape': (2, 3), }", 24, "holds NumPy type '<U4'"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3), }", 24, "holds NumPy type '<c8'"},
        {"{'descr': '<f3', 'fortran_order': False, 'shape': (2, 3), }", 24, "holds NumPy type '<f3'"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3), }", 24, "holds records"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, "0 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1), }", 4, "5 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", 0, "dimension 1 of 2 is 0"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 9, "more than any memory"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 9, "header is damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 9, "header is damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", 9, "cut off"},
        {"{'descr': '<f4', 'fortran_order': False}", 9, "header is damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", 9, "header is damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } + evil()", 9, "header is damaged"},
        {"", 0, "header is damaged"},
    };
    write_bytes(other, y_npy, sizeof y_npy - 1);
    const dt_data_spec data = arrays_of("npy", NULL, path, other);
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_npy(cases[i].header, cases[i].size);
        expect_refusal(&data, DT_TRAIN, NULL, cases[i].says);
    }
    for (size_t size = 1; size < sizeof x_npy - 1; size++) { /* cut off anywhere */
        write_bytes(path, x_npy, size);
        expect_refusal(&data, DT_TRAIN, NULL, ": ");
    }
    write_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8);
    const dt_data_spec swapped = arrays_of("npy", NULL, path, path);
    expect_refusal(&swapped, DT_TRAIN, NULL, "labels are integers");
    write_bytes(path, "\x93NUMPY\x02\0\xff\xff\xff\x7f", 12);
    expect_refusal(&data, DT_TRAIN, NULL, "header says 2147483647 bytes");
    write_bytes(path, x_npy, sizeof x_npy - 1);
    const float bad = NAN;
    FILE *f = fopen(path, "r+b");
    fseek(f, -4, SEEK_END);
    fwrite(&bad, 4, 1, f);
    fclose(f);
    expect_refusal(&data, DT_TRAIN, NULL, "input 2 of row 1 is |nan|finite number");
}

/* No byte of an archive that is changed or missing gets by: refused, or the numbers are the same (names and times). */
static void damaged_archives(void **state)
{
    (void)state;
    char bytes[sizeof deflated_npz];
    dt_error error;
    snprintf(path, sizeof path, "%s", scratch_path(&files, "a.npz"));
    const dt_data_spec data = arrays_of("npy", path, "/x", "/y");
    const size_t size = sizeof deflated_npz - 1;
    for (size_t i = 0; i < 2 * size; i++) {
        const bool cut = i >= size;
        memcpy(bytes, deflated_npz, size);
        if (!cut)
            bytes[i] = (char)(bytes[i] ^ 0x55);
        write_bytes(path, bytes, cut ? i - size : size);
        dt_dataset *d = NULL;
        error = (dt_error){0};
        counting_memory memory;
        count_memory(&memory, 0);
        const dt_status status = dt_dataset_open_part(&d, &data, DT_TRAIN, 1, NULL, &error);
        assert_true(memory.peak <= HOSTILE_MEMORY);
        assert_true(status == DT_OK ? !cut : dt_status_exit(status) == 2 && *error.message);
        if (d)
            expect_inputs(d, (double[]){1.5, -2, 3, 0.25, 5, -6});
        dt_dataset_destroy(d);
        count_no_more();
        assert_int_equal(memory.blocks, 0);
    }
}

/* --- hdf5 --- */

static hid_t make_file(void)
{
    snprintf(path, sizeof path, "%s", scratch_path(&files, "a.h5"));
    unlink(path);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static void put_set(hid_t file, const char *name, hid_t on_disk, hid_t here, int rank, const hsize_t *size,
                    hid_t creation, const void *numbers)
{
    const hid_t space = H5Screate_simple(rank, size, NULL);
    const hid_t set = H5Dcreate2(file, name, on_disk, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(space >= 0 && set >= 0);
    if (numbers)
        assert_true(H5Dwrite(set, here, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static const double numbers[] = {1.5, -2, 3, 0.25, 5, -6, 7, 8, 9, 10, 11, 12};
static const int labels4[] = {1, 0, 2, 1};

static void arrays_of_hdf5(void **state)
{
    (void)state;
    const hid_t types[] = {H5T_IEEE_F32BE, H5T_IEEE_F64LE};
    const hsize_t size[] = {4, 3}, chunk[] = {3, 2}, flat[] = {4};
    const hid_t packed = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_chunk(packed, 2, chunk) >= 0 && H5Pset_shuffle(packed) >= 0 && H5Pset_deflate(packed, 4) >= 0);
    char x[600], y[600];
    for (size_t i = 0; i < COUNT(types); i++)
        for (int chunked = 0; chunked < 2; chunked++) {
            const hid_t file = make_file();
            H5Gclose(H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
            put_set(file, "g/x", types[i], H5T_NATIVE_DOUBLE, 2, size, chunked ? packed : H5P_DEFAULT, numbers);
            put_set(file, "y", H5T_STD_I16BE, H5T_NATIVE_INT, 1, flat, H5P_DEFAULT, labels4);
            H5Fclose(file);
            snprintf(x, sizeof x, "%s:/g/x", path);
            snprintf(y, sizeof y, "%s:/y", path);
            const dt_data_spec ways[] = {arrays_of("hdf5", NULL, x, y), arrays_of("hdf5", path, "/g/x", "/y")};
            for (size_t w = 0; w < COUNT(ways); w++) {
                dt_dataset *d = open_good(&ways[w], DT_TRAIN, NULL);
                assert_int_equal(d->rows, 4);
                assert_int_equal(d->element, i ? DT_F64 : DT_F32);
                assert_memory_equal(d->labels, labels4, sizeof labels4);
                assert_int_equal(strlen(d->inputs_sha256), 64);
                expect_inputs(d, numbers);
                dt_dataset_destroy(d);
            }
        }
    H5Pclose(packed);
}

/* What HDF5 would follow out of the file, or unpack without end. */
static void hostile_hdf5(void **state)
{
    (void)state;
    const hsize_t size[] = {4, 3}, flat[] = {4}, huge[] = {1 << 30, 1 << 20}, one[] = {1, 1}, wide[] = {1, 1 << 21};
    const hid_t file = make_file(), virtual = H5Pcreate(H5P_DATASET_CREATE), external = H5Pcreate(H5P_DATASET_CREATE),
                chunked = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, size, NULL);
    put_set(file, "x", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, 2, size, H5P_DEFAULT, numbers);
    put_set(file, "y", H5T_STD_I32LE, H5T_NATIVE_INT, 1, flat, H5P_DEFAULT, labels4);
    H5Lcreate_soft("/x", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other.h5", "/x", file, "outside", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Pset_virtual(virtual, space, "other.h5", "/x", space) >= 0);
    put_set(file, "virtual", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, 2, size, virtual, NULL);
    assert_true(H5Pset_external(external, "/etc/passwd", 0, 48) >= 0);
    put_set(file, "external", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, 2, size, external, NULL);
    assert_true(H5Pset_chunk(chunked, 2, one) >= 0);
    put_set(file, "huge", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, huge, chunked, NULL);
    put_set(file, "text", H5T_C_S1, H5T_C_S1, 2, size, H5P_DEFAULT, NULL);
    put_set(file, "wide", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, wide, H5P_DEFAULT, NULL);
    put_set(file, "nothing", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 0, size, H5P_DEFAULT, NULL);
    H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Pclose(virtual);
    H5Pclose(external);
    H5Pclose(chunked);
    H5Sclose(space);
    H5Fclose(file);
    const struct {
        const char *inputs, *labels, *says;
    } cases[] = {
        {"/absent", "/y", "is not there, or is a link"},
        {"/soft", "/y", "is not there, or is a link"},
        {"/outside", "/y", "is not there, or is a link"},
        {"/virtual", "/y", "is stored in a way that is not allowed"},
        {"/external", "/y", "is stored in another file"},
        {"/huge", "/y", "larger than what the file holds"},
        {"/text", "/y", "neither integers nor floats"},
        {"/wide", "/y", "|"},
        {"/nothing", "/y", "has no dimensions"},
        {"/group", "/y", "is no array"},
        {"/", "/y", "names no array"},
        {"/x", "/x", "labels are one number a row"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const dt_data_spec data = arrays_of("hdf5", path, cases[i].inputs, cases[i].labels);
        expect_refusal(&data, DT_TRAIN, NULL, cases[i].says);
    }
    write_text("no HDF5 at all");
    const dt_data_spec data = arrays_of("hdf5", path, "/x", "/y");
    expect_refusal(&data, DT_TRAIN, NULL, "is not an HDF5 file");
}

/* --- synthetic --- */

static void generators(void **state)
{
    (void)state;
    for (size_t g = 0; dt_table_at(DT_GENERATORS, g); g++) {
        dt_data_spec data = {.format = "synthetic", .scale = 1, .rows = 200, .test_rows = 50, .jitter = 0.1};
        data.generator = dt_table_at(DT_GENERATORS, g)->name;
        dt_dataset *a = open_good(&data, DT_TRAIN, NULL), *b = open_good(&data, DT_TRAIN, NULL);
        dt_dataset *test = open_good(&data, DT_TEST, a->transform);
        assert_int_equal(a->rows, 200);
        assert_int_equal(test->rows, 50);
        assert_memory_equal(a->inputs, b->inputs, 200 * (size_t)a->features * sizeof(double));
        assert_memory_not_equal(a->inputs, test->inputs, 50 * (size_t)a->features * sizeof(double));
        for (int64_t c = 0; c < a->classes; c++) { /* every class occurs */
            int64_t found = 0;
            for (int64_t i = 0; i < a->rows; i++)
                found += a->labels[i] == c;
            assert_true(found > 0);
        }
        dt_dataset_destroy(test);
        dt_dataset_destroy(b);
        data.rows = 100; /* fewer rows are the first of more */
        b = open_good(&data, DT_TRAIN, NULL);
        assert_memory_equal(a->inputs, b->inputs, 100 * (size_t)a->features * sizeof(double));
        dt_dataset_destroy(b);
        dt_dataset_destroy(a);
    }
}

/* Radius and angle of the spiral's definition, with libm's sine and cosine. */
static void spirals_wind(void **state)
{
    (void)state;
    const dt_data_spec data = {.format = "synthetic", .scale = 1, .rows = 300, .generator = "spirals", .classes = 5};
    dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
    const double turn = 2 * acos(-1.0);
    for (int64_t i = 0; i < d->rows; i++) {
        const double *x = (const double *)d->inputs + 2 * i, r = hypot(x[0], x[1]);
        const double angle = turn * ((double)(i % 5) / 5 + r);
        assert_true(r > 0 && r < 1);
        assert_int_equal(d->labels[i], i % 5);
        assert_true(fabs(x[0] - r * cos(angle)) < 1e-14 && fabs(x[1] - r * sin(angle)) < 1e-14);
    }
    dt_dataset_destroy(d);
    dt_data_spec wrong = data;
    wrong.features = 3;
    expect_refusal(&wrong, DT_TRAIN, NULL, "data.features: generator spirals has 2");
    wrong.generator = "spiral";
    expect_refusal(&wrong, DT_TRAIN, NULL, "did you mean 'spirals'");
}

/* --- transforms --- */

/* scikit-learn 1.9: StandardScaler().fit([[1, 5, 0], [2, 5, 0], [4, 5, 9]]): mean_ 2.33333333, 5, 3; scale_ 1.24721913,
 * 1, 4.24264069. MinMaxScaler: data_min_ 1, 5, 0; data_range_ 3, 0, 9. */
static void standardize_and_min_max(void **state)
{
    (void)state;
    dt_data_spec data = spec_of("csv");
    write_text("1,5,0,0\n2,5,0,1\n4,5,9,0\n");
    data.standardize = true;
    dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
    const double mean[] = {7.0 / 3, 5, 3}, scale[] = {1.247219128924647, 1, 4.242640687119285};
    for (int k = 0; k < 3; k++) {
        assert_true(fabs(d->transform->shift[k] - mean[k]) < 1e-15);
        assert_true(fabs(1 / d->transform->factor[k] - scale[k]) < 1e-15);
    }
    write_bytes(other, "3,6,1,0\n", 8); /* the test set takes those of the training set */
    dt_dataset *test = open_good(&data, DT_TEST, d->transform);
    assert_memory_equal(test->transform->shift, d->transform->shift, sizeof mean);
    dt_dataset_destroy(test);
    expect_refusal(&data, DT_TEST, NULL, "how the training set was read is not known");
    dt_dataset_destroy(d);
    data.standardize = false;
    data.min_max = true;
    d = open_good(&data, DT_TRAIN, NULL);
    assert_memory_equal(d->transform->shift, ((double[]){1, 5, 0}), 24);
    assert_memory_equal(d->transform->factor, ((double[]){1.0 / 3, 1, 1.0 / 9}), 24);
    dt_dataset_destroy(d);
    data.min_max = false; /* rows that validation takes say nothing */
    data.standardize = true;
    data.validation_fraction = 0.34;
    d = open_good(&data, DT_TRAIN, NULL);
    dt_rows train, validation;
    assert_int_equal(dt_rows_split(3, 0.34, 1, &train, &validation, NULL), DT_OK);
    const double first[] = {1, 2, 4};
    assert_true(d->transform->shift[0] == (first[train.index[0]] + first[train.index[1]]) / 2);
    dt_rows_release(&train);
    dt_dataset_destroy(d);
}

/* The weights after two epochs. */
static void train_hash(const dt_dataset *d, dt_precision precision, int64_t threads, double scale, char hex[65])
{
    dt_layer_spec layers[] = {{.units = 9, .activation = "tanh", .init = "glorot_normal"},
                              {.units = 3, .activation = "linear", .init = "glorot_normal"}};
    dt_experiment e;
    dt_trainer *t;
    dt_error error = {0};
    dt_experiment_init(&e);
    e.name = "formats";
    e.loss = "cross_entropy";
    e.network = layers;
    e.layer_count = 2;
    e.precision = precision;
    e.parallel.threads = threads;
    e.data.scale = scale;
    e.training.batch_size = 8;
    e.training.epochs = 2;
    if (dt_trainer_create(&t, &e, &(dt_trainer_data){.train = d, .test = d}, &error) != DT_OK ||
        dt_trainer_run(t, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(dt_trainer_weights_sha256(t, hex, NULL), DT_OK);
    dt_trainer_destroy(t);
}

/* Sparse rows, dense ones and transformed ones train to the bits of the same numbers given as they are. */
static void training_sees_the_same_numbers(void **state)
{
    (void)state;
    enum { ROWS = 40, WIDE = 70 };
    static double x[ROWS * WIDE], moved[ROWS * WIDE];
    int32_t y[ROWS];
    char dense_hash[65], hash[65];
    FILE *f = fopen(path, "wb");
    for (int i = 0; i < ROWS; i++) {
        y[i] = i % 3;
        fprintf(f, "%d", y[i]);
        for (int k = 0; k < WIDE; k++) {
            const dt_random128 r = dt_philox(5, DT_FOR_TEST, 7, (uint64_t)(i * WIDE + k));
            x[i * WIDE + k] = r.u[0] % 4 ? 0 : 1 + floor(64 * dt_uniform01(r.u[1])) / 16; /* whole sixteenths */
            if (x[i * WIDE + k] != 0)
                fprintf(f, " %d:%.17g", k + 1, x[i * WIDE + k]);
        }
        fprintf(f, "\n");
    }
    fclose(f);
    dt_data_spec data = spec_of("libsvm");
    for (int p = DT_FLOAT32; p <= DT_FLOAT64; p++) {
        dt_dataset *dense, *d;
        data.standardize = false;
        assert_int_equal(dt_dataset_from_arrays(&dense, ROWS, WIDE, 3, DT_F64, x, y, NULL), DT_OK);
        train_hash(dense, (dt_precision)p, 1, 0.5, dense_hash);
        dt_dataset_destroy(dense);
        d = open_good(&data, DT_TRAIN, NULL);
        assert_int_equal(d->features, WIDE);
        for (int64_t threads = 1; threads <= 3; threads++) {
            train_hash(d, (dt_precision)p, threads, 0.5, hash);
            assert_string_equal(hash, dense_hash);
        }
        dt_dataset_destroy(d);

        data.standardize = true;
        d = open_good(&data, DT_TRAIN, NULL);
        for (int i = 0; i < ROWS * WIDE; i++)
            moved[i] = (x[i] - d->transform->shift[i % WIDE]) * d->transform->factor[i % WIDE];
        assert_int_equal(dt_dataset_from_arrays(&dense, ROWS, WIDE, 3, DT_F64, moved, y, NULL), DT_OK);
        train_hash(dense, (dt_precision)p, 1, 1, dense_hash);
        train_hash(d, (dt_precision)p, 2, 1, hash);
        assert_string_equal(hash, dense_hash);
        dt_dataset *picked; /* what a gradient check takes: dense rows with the transform */
        int64_t all[ROWS];
        for (int64_t i = 0; i < ROWS; i++)
            all[i] = i;
        assert_int_equal(dt_dataset_pick(&picked, d, all, ROWS, NULL), DT_OK);
        train_hash(picked, (dt_precision)p, 1, 1, hash);
        assert_string_equal(hash, dense_hash);
        dt_dataset_destroy(picked);
        dt_dataset_destroy(dense);
        dt_dataset_destroy(d);
    }
}

/* model.h5 keeps a transform: what is read back is what was written, whatever is in the words. */
static void a_model_keeps_its_transform(void **state)
{
    (void)state;
    dt_data_spec data = spec_of("csv");
    dt_layer_spec layer = {.units = 2, .activation = "linear", .init = "glorot_normal"};
    dt_experiment e;
    dt_trainer *t;
    dt_transform *read;
    dt_error error = {0};
    data.standardize = true;
    write_text("\"a\tb\",\"w\\\",c\n1,\"x\n y\",\"k\\n\"\n2,z,l\n4,z,l\n");
    dt_dataset *d = open_good(&data, DT_TRAIN, NULL);
    dt_experiment_init(&e);
    e.name = "model";
    e.loss = "cross_entropy";
    e.network = &layer;
    e.layer_count = 1;
    assert_int_equal(dt_trainer_create(&t, &e, &(dt_trainer_data){.train = d}, NULL), DT_OK);
    const char *model = scratch_path(&files, "model.h5");
    assert_int_equal(dt_model_write(model, t, "", "{}", NULL), DT_OK);
    if (dt_model_read_transform(model, &read, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(read->features, 3);
    assert_memory_equal(read->shift, d->transform->shift, 24);
    assert_memory_equal(read->factor, d->transform->factor, 24);
    assert_string_equal(read->columns, d->transform->columns);
    dt_dataset *again = open_good(&data, DT_TRAIN, read); /* and reads as the training set's own */
    assert_string_equal(again->transform->columns, d->transform->columns);
    assert_string_equal(again->label_names[0], "k\\n");
    dt_dataset_destroy(again);
    dt_transform_destroy(read);
    dt_trainer_destroy(t);
    dt_dataset_destroy(d);
    hid_t file = H5Fopen(model, H5F_ACC_RDWR, H5P_DEFAULT); /* hostile: fewer factors than shifts */
    const hsize_t two[] = {2};
    assert_true(H5Ldelete(file, "/transform/factor", H5P_DEFAULT) >= 0);
    put_set(file, "/transform/factor", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 1, two, H5P_DEFAULT, numbers);
    H5Fclose(file);
    error = (dt_error){0};
    assert_int_equal(dt_model_read_transform(model, &read, &error), DT_MALFORMED);
    assert_non_null(strstr(error.message, "shift and factor are not one float64 an input"));
}

static int set_up(void **state)
{
    (void)state;
    scratch_make(&files);
    snprintf(path, sizeof path, "%s", scratch_path(&files, "train"));
    snprintf(other, sizeof other, "%s", scratch_path(&files, "test"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&files);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_table_of_numbers_and_words),
        TEST(types_are_the_smallest_that_are_exact),
        TEST(labels_by_name_and_number),
        TEST(words_become_inputs),
        TEST(missing_numbers),
        TEST(targets_of_tables),
        TEST(malformed_tables),
        TEST(sparse_rows),
        TEST(malformed_sparse_rows),
        TEST(arrays_of_numpy),
        TEST(malformed_arrays),
        TEST(damaged_archives),
        TEST(arrays_of_hdf5),
        TEST(hostile_hdf5),
        TEST(generators),
        TEST(spirals_wind),
        TEST(standardize_and_min_max),
        TEST(training_sees_the_same_numbers),
        TEST(a_model_keeps_its_transform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
