#include "record/table_file.h"

#include <hdf5_hl.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "hdf5/hdf5.h"

/* --- one column --- */

static size_t memory_size(dt_field_kind kind)
{
    return kind == DT_FIELD_TEXT ? sizeof(const char *) : kind == DT_FIELD_BOOL ? sizeof(uint8_t) : sizeof(double);
}

/* The column, one value beside the other. */
static void *gather(const dt_table_field *f, size_t rows)
{
    const size_t size = memory_size(f->kind);
    unsigned char *packed = dt_allocate(rows ? rows : 1, size);
    for (size_t i = 0; packed && i < rows; i++) {
        const char *from = (const char *)f->first + i * f->stride;
        if (f->kind == DT_FIELD_TEXT) {
            const char *text = *(const char *const *)(const void *)from;
            text = text ? text : "";
            memcpy(packed + i * size, &text, size);
        } else if (f->kind == DT_FIELD_BOOL) {
            packed[i] = *(const bool *)from;
        } else {
            memcpy(packed + i * size, from, size);
        }
    }
    return packed;
}

/* A type that the caller closes where `own` says so. */
static hid_t type_of(dt_field_kind kind, bool *own)
{
    *own = kind == DT_FIELD_TEXT;
    if (kind == DT_FIELD_INT)
        return H5T_NATIVE_INT64;
    if (kind == DT_FIELD_REAL)
        return H5T_NATIVE_DOUBLE;
    if (kind == DT_FIELD_BOOL)
        return H5T_NATIVE_UINT8;
    hid_t text = H5Tcopy(H5T_C_S1);
    if (!dt_hdf5_ok(text) || !dt_hdf5_ok(H5Tset_size(text, H5T_VARIABLE)) ||
        !dt_hdf5_ok(H5Tset_cset(text, H5T_CSET_UTF8)))
        return -1;
    return text;
}

static bool put_field(hid_t group, const dt_table_field *f, hid_t space, hid_t axis, size_t rows)
{
    bool own, good;
    void *packed = gather(f, rows);
    hid_t set = -1, type = type_of(f->kind, &own);
    if (!packed)
        good = dt_hdf5_out_of_memory();
    else
        good = type >= 0 &&
               dt_hdf5_ok(set = H5Dcreate2(group, f->name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)) &&
               (!rows || dt_hdf5_ok(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, packed))) &&
               dt_hdf5_ok(H5DSattach_scale(set, axis, 0)) &&
               (!f->long_name || dt_hdf5_put_text(set, "long_name", f->long_name)) &&
               (!f->units || dt_hdf5_put_text(set, "units", f->units));
    dt_hdf5_close(set);
    if (own)
        dt_hdf5_close(type);
    dt_release(packed);
    return good;
}

/* --- the file --- */

static bool put_group(hid_t file, const dt_table_group *g)
{
    const hsize_t size = g->rows;
    hid_t group = H5Gcreate2(file, g->name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), space = -1, axis = -1;
    bool good = dt_hdf5_ok(group) && dt_hdf5_put_text(group, "long_name", g->long_name) &&
                dt_hdf5_ok(space = H5Screate_simple(1, &size, NULL)) &&
                (axis = dt_hdf5_axis(group, "row", (int64_t)g->rows, "row of the table")) >= 0;
    for (size_t i = 0; good && i < g->field_count; i++)
        good = put_field(group, &g->fields[i], space, axis, g->rows);
    dt_hdf5_close(axis);
    dt_hdf5_close(space);
    dt_hdf5_close(group);
    return good;
}

static bool put_number(hid_t file, const char *name, double number)
{
    hid_t space = H5Screate(H5S_SCALAR), attribute = -1;
    const bool good =
        dt_hdf5_ok(space) &&
        dt_hdf5_ok(attribute = H5Acreate2(file, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT)) &&
        dt_hdf5_ok(H5Awrite(attribute, H5T_NATIVE_DOUBLE, &number));
    dt_hdf5_close(attribute);
    dt_hdf5_close(space);
    return good;
}

static bool put_attribute(hid_t file, const dt_table_attribute *a)
{
    if (a->text)
        return dt_hdf5_put_text(file, a->name, a->text);
    return a->whole ? dt_hdf5_put_integer(file, a->name, (int64_t)a->number) : put_number(file, a->name, a->number);
}

static bool put_all(hid_t file, const dt_table_attribute *attributes, size_t attribute_count,
                    const dt_table_group *groups, size_t group_count)
{
    bool good = true;
    for (size_t i = 0; good && i < attribute_count; i++)
        good = put_attribute(file, &attributes[i]);
    for (size_t i = 0; good && i < group_count; i++)
        good = put_group(file, &groups[i]);
    return good;
}

dt_status dt_table_file_write(const char *path, const dt_table_attribute *attributes, size_t attribute_count,
                              const dt_table_group *groups, size_t group_count, dt_error *error)
{
    dt_new_file made;
    dt_status status = dt_new_file_begin(&made, path, error);
    if (status != DT_OK)
        return status;
    dt_hdf5_enter();
    hid_t file = dt_hdf5_create(made.temporary);
    if (file < 0 || !put_all(file, attributes, attribute_count, groups, group_count) || !dt_hdf5_ok(H5Fclose(file)))
        status = dt_hdf5_fail(error, path, "write");
    dt_hdf5_leave();
    if (status == DT_OK)
        return dt_new_file_publish(&made, true, error);
    dt_new_file_discard(&made);
    return status;
}
