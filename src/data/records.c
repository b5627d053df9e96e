#include "data/records.h"

#include <string.h>

#include "base/memory.h"

enum { FIELDS_MAX = 1 << 20 };

/* --- the delimiter --- */

/* The most frequent of the first line, outside quotes, of those that are in the buffer. */
static char guess_delimiter(const dt_lines *lines)
{
    static const char candidates[] = "\t;,|";
    size_t counts[sizeof candidates] = {0}, best = 2;
    bool quoted = false;
    for (size_t i = lines->at; i < lines->end; i++) {
        const unsigned char c = lines->buffer[i];
        const char *found = c ? strchr(candidates, c) : NULL;
        quoted = quoted != (c == '"');
        if (!quoted && (c == '\n' || c == '\r'))
            break;
        if (!quoted && found)
            counts[found - candidates]++;
    }
    for (size_t i = 0; i < sizeof candidates - 1; i++)
        if (counts[i] > counts[best])
            best = i;
    return candidates[best];
}

dt_status dt_records_open(dt_records *records, const char *path, const char *delimiter, dt_error *error)
{
    *records = (dt_records){.bytes.size = 1, .fields.size = sizeof(size_t)};
    dt_status status = dt_lines_open(&records->lines, path, error);
    if (status != DT_OK)
        return status;
    records->delimiter = strcmp(delimiter, "tab") == 0     ? '\t'
                         : strcmp(delimiter, "space") == 0 ? ' '
                         : strcmp(delimiter, "auto") == 0  ? guess_delimiter(&records->lines)
                                                           : *delimiter;
    return DT_OK;
}

void dt_records_close(dt_records *records)
{
    dt_release(records->bytes.items);
    dt_release(records->fields.items);
    dt_lines_close(&records->lines);
}

/* --- a row --- */

static dt_status fail_at_line(const dt_records *r, const char *what, dt_error *error)
{
    return dt_fail(error, DT_MALFORMED, "%s:%lld: %s", r->lines.name, (long long)r->line, what);
}

static dt_status add_byte(dt_records *r, int c, dt_error *error)
{
    char *byte = dt_list_add(&r->bytes, 1);
    if (!byte)
        return dt_fail_memory(error, r->lines.name);
    *byte = (char)c;
    return r->bytes.count <= DT_LINE_MAX
               ? DT_OK
               : fail_at_line(r, "a row of more than 16 MiB; is a quote never closed?", error);
}

/* What stands between quotes; the opening one is read. *c becomes what follows the closing one. */
static dt_status take_quoted(dt_records *r, int *c, dt_error *error)
{
    dt_status status = DT_OK;
    r->quoted = true;
    while (status == DT_OK) {
        *c = dt_lines_next(&r->lines, error);
        if (*c == DT_LINES_END)
            return fail_at_line(r, "the row that begins here has a quote that is never closed; close it", error);
        if (*c == '"' && (*c = dt_lines_next(&r->lines, error)) != '"')
            return *c == DT_LINES_FAILED ? DT_MALFORMED : DT_OK;
        status = *c == DT_LINES_FAILED ? DT_MALFORMED : add_byte(r, *c, error);
    }
    return status;
}

static bool is_blank(const dt_records *r, int c)
{
    return (c == ' ' || c == '\t') && c != r->delimiter;
}

/* One field; *c is its first character, and becomes what ended it. */
static dt_status take_field(dt_records *r, int *c, dt_error *error)
{
    dt_status status = DT_OK;
    size_t *begins = dt_list_add(&r->fields, 1);
    if (!begins)
        return dt_fail_memory(error, r->lines.name);
    if (r->fields.count > FIELDS_MAX)
        return fail_at_line(r, "a row of more than 1048576 fields; is the delimiter right?", error);
    *begins = r->bytes.count;
    while (is_blank(r, *c))
        *c = dt_lines_next(&r->lines, error);
    size_t end = r->bytes.count; /* behind the last character that counts */
    if (*c == '"') {
        status = take_quoted(r, c, error);
        end = r->bytes.count;
        while (status == DT_OK && is_blank(r, *c))
            *c = dt_lines_next(&r->lines, error);
        if (status == DT_OK && *c >= 0 && *c != r->delimiter && *c != '\n')
            return fail_at_line(r, "text follows a closing quote; write \"\" for a quote inside quotes", error);
    }
    for (; status == DT_OK && *c >= 0 && *c != r->delimiter && *c != '\n'; *c = dt_lines_next(&r->lines, error)) {
        status = add_byte(r, *c, error);
        end = is_blank(r, *c) ? end : r->bytes.count;
    }
    r->bytes.count = end;
    if (status == DT_OK && *c == DT_LINES_FAILED)
        status = DT_MALFORMED;
    return status == DT_OK ? add_byte(r, '\0', error) : status;
}

dt_status dt_records_next(dt_records *r, bool *more, dt_error *error)
{
    dt_status status = DT_OK;
    dt_error own = {0};
    *more = true;
    do {
        r->bytes.count = r->fields.count = 0;
        r->quoted = false;
        r->line = r->lines.line;
        int c = dt_lines_next(&r->lines, &own);
        if (c == DT_LINES_END) {
            *more = false;
            return DT_OK;
        }
        status = c == DT_LINES_FAILED ? DT_MALFORMED : take_field(r, &c, &own);
        while (status == DT_OK && c == r->delimiter) {
            c = dt_lines_next(&r->lines, &own);
            status = c == DT_LINES_FAILED ? DT_MALFORMED : take_field(r, &c, &own);
        }
    } while (status == DT_OK && r->fields.count == 1 && !r->quoted && !*dt_records_field(r, 0));
    return status == DT_OK ? DT_OK : dt_fail(error, own.status, "%s", own.message);
}

bool dt_field_is_missing(const char *field)
{
    static const char *const words[] = {"", "?", "NA", "N/A", "nan", "NaN", "NAN", "null", "NULL"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(field, words[i]) == 0)
            return true;
    return false;
}
