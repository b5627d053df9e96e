#include "data/lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static dt_status refill(dt_lines *lines, dt_error *error)
{
    lines->at = 0;
    return dt_stream_read(&lines->stream, lines->buffer, DT_LINES_BUFFER, &lines->end, error);
}

dt_status dt_lines_open(dt_lines *lines, const char *path, dt_error *error)
{
    *lines = (dt_lines){.line = 1};
    dt_status status = dt_stream_open(&lines->stream, path, error);
    lines->name = lines->stream.name;
    if (status == DT_OK && !(lines->buffer = dt_allocate(DT_LINES_BUFFER, 1)))
        status = dt_fail_memory(error, "reading text");
    if (status == DT_OK)
        status = refill(lines, error);
    if (status == DT_OK && lines->end >= 3 && memcmp(lines->buffer, "\xef\xbb\xbf", 3) == 0)
        lines->at = 3;
    return status;
}

void dt_lines_close(dt_lines *lines)
{
    dt_release(lines->buffer);
    dt_stream_close(&lines->stream);
    lines->buffer = NULL;
}

int dt_lines_next(dt_lines *lines, dt_error *error)
{
    for (;;) {
        if (lines->at == lines->end) {
            if (lines->end == 0)
                return DT_LINES_END;
            if (refill(lines, error) != DT_OK)
                return DT_LINES_FAILED;
            continue;
        }
        const int c = lines->buffer[lines->at++];
        const bool second = c == '\n' && lines->after_return; /* of \r\n */
        lines->after_return = c == '\r';
        if (second)
            continue;
        if (c == 0) {
            dt_fail(error, DT_MALFORMED, "%s:%lld: holds a NUL byte, so it is no text; convert it", lines->name,
                    (long long)lines->line);
            return DT_LINES_FAILED;
        }
        lines->line += c == '\n' || c == '\r';
        return c == '\r' ? '\n' : c;
    }
}

dt_text_number dt_text_number_of(const char *text, double *value)
{
    char *end;
    if (!strpbrk(text, "0123456789") || strspn(text, "0123456789+-.eE") != strlen(text)) {
        static const char *const endless[] = {"inf",      "-inf",      "+inf",     "Inf",      "-Inf",
                                              "infinity", "-infinity", "Infinity", "-Infinity"};
        for (size_t i = 0; i < sizeof endless / sizeof *endless; i++)
            if (strcmp(text, endless[i]) == 0)
                return DT_TEXT_NOT_FINITE;
        return DT_TEXT_NO_NUMBER;
    }
    *value = strtod(text, &end); /* the program never leaves the C locale */
    return *end ? DT_TEXT_NO_NUMBER : isfinite(*value) ? DT_TEXT_NUMBER : DT_TEXT_NOT_FINITE;
}

dt_element dt_element_for(dt_element least, double value)
{
    if (least == DT_U8 && !(value >= 0 && value <= 255 && value == floor(value) && !signbit(value)))
        least = DT_F32;
    if (least == DT_F32 && (fabs(value) > 3.4e38 || (double)(float)value != value))
        least = DT_F64;
    return least;
}

void dt_element_store(dt_element element, void *array, size_t i, double value)
{
    switch (element) {
    case DT_U8:
        ((uint8_t *)array)[i] = (uint8_t)value;
        break;
    case DT_F32:
        ((float *)array)[i] = (float)value;
        break;
    case DT_F64:
        ((double *)array)[i] = value;
        break;
    }
}

double dt_element_load(dt_element element, const void *array, size_t i)
{
    return element == DT_U8    ? (double)((const uint8_t *)array)[i]
           : element == DT_F32 ? (double)((const float *)array)[i]
                               : ((const double *)array)[i];
}

void *dt_list_add(dt_list *list, size_t count)
{
    if (list->room - list->count < count) {
        size_t room = list->room > 32 ? list->room : 32, bytes;
        while (room - list->count < count)
            if (!dt_multiply(room, 2, &room))
                return NULL;
        void *larger = dt_multiply(room, list->size, &bytes) ? dt_allocate_array(room, list->size) : NULL;
        if (!larger)
            return NULL;
        if (list->count)
            memcpy(larger, list->items, list->count * list->size);
        dt_release(list->items);
        list->items = larger;
        list->room = room;
    }
    void *place = (char *)list->items + list->count * list->size;
    list->count += count;
    return place;
}
