/* The rows of a CSV file, one after the other. */
#ifndef DT_DATA_RECORDS_H
#define DT_DATA_RECORDS_H

#include "data/lines.h"

typedef struct dt_records {
    dt_lines lines;
    char delimiter;
    dt_list bytes;  /* char: the fields of the row, each terminated */
    dt_list fields; /* size_t: where each begins */
    int64_t line;   /* where the row begins */
    bool quoted;    /* one of its fields was */
} dt_records;

/* `delimiter` as an experiment has it: "auto", ",", "tab", ... Close it also when this fails. */
dt_status dt_records_open(dt_records *records, const char *path, const char *delimiter, dt_error *error);
void dt_records_close(dt_records *records);

/* The next row that is not empty; *more is false at the end. */
dt_status dt_records_next(dt_records *records, bool *more, dt_error *error);

static inline size_t dt_records_count(const dt_records *records)
{
    return records->fields.count;
}

static inline const char *dt_records_field(const dt_records *records, size_t i)
{
    return (const char *)records->bytes.items + ((const size_t *)records->fields.items)[i];
}

/* No number and no word: empty, "?", "NA", "N/A", "nan", "NaN", "null", "NULL". */
bool dt_field_is_missing(const char *field);

#endif
