#include "plot/sheet.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

enum { FILE_MAX = 256 << 20, COLUMNS_MAX = 64, NUMBER_MAX = 64 };

dt_status dt_sheet_range(const dt_sheet *sheet, const dt_sheet_block *block, size_t column, double *low, double *high)
{
    dt_status status = DT_NOT_FOUND;
    for (size_t row = 0; row < block->rows; row++) {
        double v = dt_sheet_value(sheet, block, row, column);
        if (!isfinite(v))
            continue;
        *low = fmin(*low, v);
        *high = fmax(*high, v);
        status = DT_OK;
    }
    return status;
}

void dt_sheet_write(const dt_sheet *sheet, dt_buffer *out)
{
    dt_buffer_format(out, "# %s\n#", sheet->title);
    for (size_t c = 0; c < sheet->column_count; c++)
        dt_buffer_format(out, "%s%s", c ? "\t" : " ", sheet->columns[c]);
    dt_buffer_add(out, "\n");
    for (size_t b = 0; b < sheet->block_count; b++) {
        const dt_sheet_block *block = &sheet->blocks[b];
        dt_buffer_add(out, b ? "\n\n# " : "# ");
        dt_buffer_add_outside(out, block->title, 1000);
        dt_buffer_add(out, "\n");
        for (size_t row = 0; row < block->rows; row++)
            for (size_t c = 0; c < sheet->column_count; c++) {
                double v = dt_sheet_value(sheet, block, row, c);
                dt_buffer_format(out, isnan(v) ? "nan" : "%.9g", v);
                dt_buffer_add(out, c + 1 < sheet->column_count ? "\t" : "\n");
            }
    }
}

/* --- reading --- */

/* A line without its end: fields between tabs. */
typedef struct line {
    const char *path;
    size_t number; /* from 1 */
    const char *start[COLUMNS_MAX];
    size_t length[COLUMNS_MAX];
    size_t fields; /* may say more than COLUMNS_MAX */
    bool ended;    /* by a newline */
} line;

/* Splits the line at `text`; returns where the next one starts. */
static const char *split(const char *text, line *l)
{
    const char *end = text + strcspn(text, "\n"), *next = *end ? end + 1 : end;
    l->ended = *end == '\n';
    l->number++;
    l->fields = 0;
    if (end > text && end[-1] == '\r')
        end--;
    for (const char *field = text;; l->fields++) {
        const char *tab = memchr(field, '\t', (size_t)(end - field));
        if (l->fields < COLUMNS_MAX) {
            l->start[l->fields] = field;
            l->length[l->fields] = (size_t)((tab ? tab : end) - field);
        }
        if (!tab)
            break;
        field = tab + 1;
    }
    l->fields++;
    return next;
}

static bool is(const line *l, size_t field, const char *word)
{
    return l->length[field] == strlen(word) && strncasecmp(l->start[field], word, l->length[field]) == 0;
}

/* Decimal numbers alone: strtod would also take spaces, hexadecimal and nan(...). */
static bool number(const line *l, size_t field, double *value)
{
    char digits[NUMBER_MAX], *end;
    if (is(l, field, "nan") || is(l, field, "-nan")) {
        *value = NAN;
        return true;
    }
    if (is(l, field, "inf") || is(l, field, "-inf")) {
        *value = l->start[field][0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    size_t length = l->length[field];
    if (length == 0 || length >= sizeof digits || strspn(l->start[field], "+-.0123456789eE") < length)
        return false;
    memcpy(digits, l->start[field], length);
    digits[length] = '\0';
    *value = strtod(digits, &end);
    return *end == '\0';
}

/* Where in the header the wanted columns are. */
static dt_status find_columns(const line *header, const char *const *columns, size_t count, size_t *where,
                              dt_error *error)
{
    if (header->fields > COLUMNS_MAX)
        return dt_fail(error, DT_MALFORMED, "%s:1: %zu columns; at most %d are read", header->path, header->fields,
                       COLUMNS_MAX);
    for (size_t c = 0; c < count; c++) {
        size_t found = 0;
        for (size_t f = 0; f < header->fields; f++)
            if (header->length[f] == strlen(columns[c]) &&
                memcmp(header->start[f], columns[c], header->length[f]) == 0) {
                where[c] = f;
                found++;
            }
        if (found != 1)
            return dt_fail(error, DT_MALFORMED,
                           "%s:1: the header names the column '%s' %s; expected tab-separated names", header->path,
                           columns[c], found ? "twice" : "nowhere");
    }
    return DT_OK;
}

static dt_status read_row(const line *l, size_t fields, const char *const *columns, const size_t *where, size_t count,
                          double *row, dt_error *error)
{
    if (l->fields != fields)
        return dt_fail(error, DT_MALFORMED, "%s:%zu: %zu columns where the header has %zu", l->path, l->number,
                       l->fields, fields);
    for (size_t c = 0; c < count; c++)
        if (!number(l, where[c], &row[c]))
            return dt_fail(error, DT_MALFORMED, "%s:%zu: column '%s' is '%.*s', which is no number", l->path, l->number,
                           columns[c], (int)(l->length[where[c]] < 40 ? l->length[where[c]] : 40), l->start[where[c]]);
    return DT_OK;
}

dt_status dt_sheet_read(const char *path, const char *const *columns, size_t column_count, dt_arena *arena,
                        dt_sheet_block *block, dt_error *error)
{
    char *text;
    size_t where[COLUMNS_MAX], lines = 1;
    dt_status status = dt_file_read(path, FILE_MAX, arena, &text, NULL, error);
    if (status != DT_OK)
        return status;
    for (const char *t = text; *t; t++)
        lines += *t == '\n';
    line l = {.path = path};
    const char *next = split(text, &l);
    size_t fields = l.fields;
    status = find_columns(&l, columns, column_count, where, error);
    if (status != DT_OK)
        return status;
    block->rows = 0;
    block->values = dt_arena_allocate(arena, lines * column_count, sizeof(double));
    if (!block->values)
        return dt_fail(error, DT_NO_MEMORY, "%s: out of memory for its %zu lines", path, lines);
    while (*next) {
        next = split(next, &l);
        status = read_row(&l, fields, columns, where, column_count, block->values + block->rows * column_count,
                          l.ended ? error : NULL);
        if (status != DT_OK)
            return l.ended ? status : DT_OK; /* half a row */
        block->rows++;
    }
    return DT_OK;
}
