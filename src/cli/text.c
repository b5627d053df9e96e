#include "cli/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

size_t dt_utf8_length(const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : 0;
    if (n == 0 || n > left)
        return 0;
    uint32_t code = s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

static bool reserve(dt_text *text, size_t more)
{
    if (text->failed || more > SIZE_MAX / 2 - text->length - 1) {
        text->failed = true;
        return false;
    }
    size_t needed = text->length + more + 1;
    if (needed <= text->room)
        return true;
    size_t room = needed < 512 ? 1024 : needed * 2;
    char *bytes = dt_allocate(room, 1);
    if (!bytes) {
        text->failed = true;
        return false;
    }
    if (text->bytes)
        memcpy(bytes, text->bytes, text->length + 1);
    dt_release(text->bytes);
    text->bytes = bytes;
    text->room = room;
    return true;
}

void dt_text_add(dt_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n < 0)
        text->failed = true;
    else if (reserve(text, (size_t)n)) {
        vsnprintf(text->bytes + text->length, (size_t)n + 1, format, again);
        text->length += (size_t)n;
    }
    va_end(again);
}

void dt_text_clear(dt_text *text)
{
    dt_release(text->bytes);
    *text = (dt_text){0};
}

void dt_text_add_real(dt_text *text, double value)
{
    char digits[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    /* 1e-05 is a number for YAML 1.2, but text for readers of YAML 1.1: these want a point. */
    const char *exponent = strchr(digits, 'e');
    if (exponent && !strchr(digits, '.'))
        dt_text_add(text, "%.*s.0%s", (int)(exponent - digits), digits, exponent);
    else
        dt_text_add(text, "%s", digits);
}

/* Letters, digits and a few harmless marks, and nothing that some reader of YAML takes for a number, a truth value or
 * nothing. */
static bool is_plain(const char *s)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "y", "n", "null", "inf", "nan"};
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+";
    if (!*s || strspn(s, safe) != strlen(s) || strchr("0123456789.+-", *s))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t k = 0;
        while (s[k] && (s[k] | 0x20) == words[i][k])
            k++;
        if (!s[k] && !words[i][k])
            return false;
    }
    return true;
}

static void add_quoted(dt_text *text, const char *string)
{
    size_t left = strlen(string), n;
    dt_text_add(text, "\"");
    for (const char *c = string; *c; c += n, left -= n) {
        n = dt_utf8_length(c, left);
        if (n == 0) {
            dt_text_add(text, "\\ufffd");
            n = 1;
        } else if (*c == '"' || *c == '\\')
            dt_text_add(text, "\\%c", *c);
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            dt_text_add(text, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            dt_text_add(text, "%.*s", (int)n, c);
    }
    dt_text_add(text, "\"");
}

void dt_text_add_yaml(dt_text *text, const char *string)
{
    if (is_plain(string))
        dt_text_add(text, "%s", string);
    else
        add_quoted(text, string);
}

void dt_text_add_json(dt_text *text, const char *string)
{
    add_quoted(text, string);
}

void dt_text_add_json_real(dt_text *text, double value)
{
    if (isfinite(value))
        dt_text_add_real(text, value);
    else
        dt_text_add(text, "null");
}
