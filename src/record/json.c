#include "record/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void put(dt_json *json, const char *bytes, size_t size)
{
    if (json->failed)
        return;
    if (json->room - json->used <= size) { /* one more for the NUL */
        size_t room = 2 * (json->room + size) + 1024;
        char *larger = dt_allocate(room, 1);
        if (!larger) {
            json->failed = true;
            return;
        }
        if (json->used)
            memcpy(larger, json->text, json->used);
        dt_release(json->text);
        json->text = larger;
        json->room = room;
    }
    memcpy(json->text + json->used, bytes, size);
    json->used += size;
    json->text[json->used] = '\0';
}

static void put_text(dt_json *json, const char *text)
{
    put(json, text, strlen(text));
}

/* Length of the well-formed UTF-8 sequence that starts here (Unicode's table 3-7), 0 where there is none. */
static size_t sequence(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    size_t length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    unsigned low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static void put_string(dt_json *json, const char *value)
{
    put(json, "\"", 1);
    for (const unsigned char *s = (const unsigned char *)value; *s;) {
        size_t length = sequence(s);
        char escaped[8];
        if (length == 0) {
            put_text(json, "\xef\xbf\xbd"); /* U+FFFD */
            s++;
            continue;
        }
        if (*s == '"' || *s == '\\') {
            put(json, "\\", 1);
        } else if (*s < 0x20 || *s == 0x7f) {
            snprintf(escaped, sizeof escaped, "\\u%04x", *s);
            put_text(json, escaped);
            s++;
            continue;
        }
        put(json, (const char *)s, length);
        s += length;
    }
    put(json, "\"", 1);
}

static void new_line(dt_json *json)
{
    if (json->lines)
        return;
    put(json, "\n", 1);
    for (int i = 0; i < json->depth; i++)
        put(json, "  ", 2);
}

static void start(dt_json *json, const char *key)
{
    if (json->depth > 0) {
        if (!json->first)
            put(json, ", ", json->lines ? 2 : 1);
        new_line(json);
    }
    json->first = false;
    if (key) {
        put_string(json, key);
        put(json, ": ", 2);
    }
}

static void open_level(dt_json *json, const char *key, const char *opening, char closing)
{
    start(json, key);
    put_text(json, opening);
    assert(json->depth < (int)sizeof json->closing);
    json->closing[json->depth++] = closing;
    json->first = true;
}

void dt_json_open(dt_json *json, const char *key)
{
    open_level(json, key, "{", '}');
}

void dt_json_open_list(dt_json *json, const char *key)
{
    open_level(json, key, "[", ']');
}

void dt_json_close(dt_json *json)
{
    bool empty = json->first;
    json->depth--;
    if (!empty)
        new_line(json);
    put(json, &json->closing[json->depth], 1);
    if (json->lines && json->depth == 0)
        put(json, "\n", 1);
    json->first = false;
}

void dt_json_text(dt_json *json, const char *key, const char *value)
{
    start(json, key);
    if (value)
        put_string(json, value);
    else
        put_text(json, "null");
}

void dt_json_integer(dt_json *json, const char *key, int64_t value)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    start(json, key);
    put_text(json, digits);
}

void dt_json_real(dt_json *json, const char *key, double value)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%.15g", value);
    if (strtod(digits, NULL) != value)
        snprintf(digits, sizeof digits, "%.17g", value);
    start(json, key);
    put_text(json, isfinite(value) ? digits : "null");
}

void dt_json_truth(dt_json *json, const char *key, bool value)
{
    start(json, key);
    put_text(json, value ? "true" : "false");
}

dt_status dt_json_finish(dt_json *json, char **text, dt_error *error)
{
    put(json, "\n", json->lines ? 0 : 1);
    if (json->failed) {
        dt_release(json->text);
        *json = (dt_json){0};
        return dt_fail(error, DT_NO_MEMORY, "out of memory for a JSON text");
    }
    *text = json->text;
    return DT_OK;
}
