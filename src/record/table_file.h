/* Tables as an HDF5 file: a group a table, a dataset a column, all along one dimension. netCDF-4's data model, so that
 * xarray, netCDF4 and h5py read each group as a data set with named columns.
 *
 *     /samples/row            0, 1, 2, ...: the dimension scale of all columns
 *     /samples/seconds (row)  attributes long_name, units
 */
#ifndef DT_RECORD_TABLE_FILE_H
#define DT_RECORD_TABLE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deltoid/status.h"

typedef enum dt_field_kind { DT_FIELD_INT, DT_FIELD_REAL, DT_FIELD_BOOL, DT_FIELD_TEXT } dt_field_kind;

typedef struct dt_table_field {
    const char *name, *long_name;
    const char *units; /* NULL: none; "1" of numbers without a dimension */
    dt_field_kind kind;
    const void *first; /* of row 0: int64_t, double, bool, const char * (NULL: "") */
    size_t stride;     /* bytes from row to row */
} dt_table_field;

typedef struct dt_table_group {
    const char *name, *long_name;
    const dt_table_field *fields; /* (field_count) none called "row" */
    size_t field_count, rows;
} dt_table_group;

/* An attribute of the file: text, or where it is NULL the number. */
typedef struct dt_table_attribute {
    const char *name, *text;
    double number;
    bool whole; /* the number is stored as an integer */
} dt_table_attribute;

/* Writes the file as a whole (base/file.h); what was there is replaced. DT_IO, DT_NO_MEMORY. */
dt_status dt_table_file_write(const char *path, const dt_table_attribute *attributes, size_t attribute_count,
                              const dt_table_group *groups, size_t group_count, dt_error *error);

#endif
