#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* Room for `more` bytes and the terminator. */
static bool make_room(dt_buffer *s, size_t more)
{
    if (s->failed)
        return false;
    if (s->room > s->length && s->room - s->length > more)
        return true;
    size_t room;
    char *bytes = NULL;
    if (!__builtin_add_overflow(s->length, more + 1, &room) && dt_multiply(room, 2, &room))
        bytes = dt_allocate(room, 1);
    if (!bytes) {
        s->failed = true;
        return false;
    }
    if (s->bytes)
        memcpy(bytes, s->bytes, s->length);
    bytes[s->length] = '\0';
    dt_release(s->bytes);
    s->bytes = bytes;
    s->room = room;
    return true;
}

void dt_buffer_add_bytes(dt_buffer *s, const char *bytes, size_t size)
{
    if (!make_room(s, size))
        return;
    memcpy(s->bytes + s->length, bytes, size);
    s->length += size;
    s->bytes[s->length] = '\0';
}

void dt_buffer_add(dt_buffer *s, const char *text)
{
    dt_buffer_add_bytes(s, text, strlen(text));
}

void dt_buffer_repeat(dt_buffer *s, const char *text, int times)
{
    for (int i = 0; i < times; i++)
        dt_buffer_add(s, text);
}

void dt_buffer_format(dt_buffer *s, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    if (n < 0)
        s->failed = true;
    else if (make_room(s, (size_t)n)) {
        vsnprintf(s->bytes + s->length, (size_t)n + 1, format, again);
        s->length += (size_t)n;
    }
    va_end(again);
    va_end(arguments);
}

size_t dt_character_bytes(const char *text)
{
    const unsigned char *t = (const unsigned char *)text;
    static const struct {
        unsigned char low, high, second_low, second_high, length;
    } forms[] = {
        {0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if (t[0] < forms[f].low || t[0] > forms[f].high)
            continue;
        if (forms[f].length > 1 && (t[1] < forms[f].second_low || t[1] > forms[f].second_high))
            return 0;
        for (size_t i = 2; i < forms[f].length; i++)
            if ((t[i] & 0xC0) != 0x80)
                return 0;
        return forms[f].length;
    }
    return 0;
}

bool dt_character_is_control(const char *text, size_t length)
{
    const unsigned char *t = (const unsigned char *)text;
    return (length == 1 && (t[0] < 0x20 || t[0] == 0x7F)) || (length == 2 && t[0] == 0xC2 && t[1] < 0xA0) ||
           (length == 3 && t[0] == 0xE2 && t[1] == 0x80 && t[2] >= 0xA8 && t[2] <= 0xAE);
}

size_t dt_buffer_add_outside(dt_buffer *s, const char *text, size_t most)
{
    size_t count = 0, total = dt_characters(text), keep = total > most ? most - 2 : total;
    while (*text && count < keep) {
        size_t length = dt_character_bytes(text);
        if (length == 0 || dt_character_is_control(text, length))
            dt_buffer_add(s, "?");
        else if (*text == '`')
            dt_buffer_add(s, "'");
        else
            dt_buffer_add_bytes(s, text, length);
        text += length ? length : 1;
        count++;
    }
    if (keep < total) {
        dt_buffer_add(s, "..");
        count += 2;
    }
    return count;
}

size_t dt_characters(const char *text)
{
    size_t count = 0;
    for (; *text; count++) {
        size_t length = dt_character_bytes(text);
        text += length ? length : 1;
    }
    return count;
}

void dt_buffer_clear(dt_buffer *s)
{
    dt_release(s->bytes);
    *s = (dt_buffer){0};
}
