/* Reads capture files back with HDF5's own C interface. */
#ifndef DT_TESTS_CAPTURE_READING_H
#define DT_TESTS_CAPTURE_READING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hdf5.h>

/* A data set as doubles (exact for float32, float64 and the integers here), with its dimensions. */
typedef struct table {
    int rank;
    hsize_t size[4];
    double *value;
} table;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static inline table
read_table(hid_t file, const char *format, ...)
{
    char name[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);

    table t = {.size = {1, 1, 1, 1}};
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0)
        fail_msg("no data set %s", name);
    hid_t space = H5Dget_space(set);
    t.rank = H5Sget_simple_extent_dims(space, t.size, NULL);
    t.value = malloc((size_t)(t.size[0] * t.size[1] * t.size[2] * t.size[3]) * sizeof *t.value + 1);
    assert_non_null(t.value);
    assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, t.value) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    return t;
}

/* Element (i, j, k); a table of fewer dimensions ignores the last ones. */
static inline double at(const table *t, int64_t i, int64_t j, int64_t k)
{
    assert_true(i >= 0 && (hsize_t)i < t->size[0]);
    assert_true(t->rank < 2 || (j >= 0 && (hsize_t)j < t->size[1]));
    assert_true(t->rank < 3 || (k >= 0 && (hsize_t)k < t->size[2]));
    return t->value[(i * (int64_t)t->size[1] + (t->rank < 2 ? 0 : j)) * (int64_t)t->size[2] + (t->rank < 3 ? 0 : k)];
}

static inline void drop(table *t)
{
    free(t->value);
    *t = (table){0};
}

/* A text attribute, freed by the caller. */
static inline char *read_text(hid_t object, const char *name)
{
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        fail_msg("no attribute %s", name);
    hid_t type = H5Aget_type(attribute);
    char *text = NULL;
    assert_true(H5Tis_variable_str(type) > 0 && H5Tget_cset(type) == H5T_CSET_UTF8);
    assert_true(H5Aread(attribute, type, &text) >= 0);
    H5Tclose(type);
    H5Aclose(attribute);
    return text;
}

static inline void assert_text(hid_t object, const char *name, const char *wanted)
{
    char *text = read_text(object, name);
    assert_string_equal(text, wanted);
    H5free_memory(text);
}

#endif
