#include "report/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1024 };

static const char *escape(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void dt_html_text(dt_buffer *out, const char *text)
{
    while (*text) {
        const size_t bytes = dt_character_bytes(text);
        const char *escaped = escape(*text);
        if (escaped)
            dt_buffer_add(out, escaped);
        else if (*text == '\n' || *text == '\t')
            dt_buffer_add_bytes(out, text, 1);
        else if (bytes == 0 || dt_character_is_control(text, bytes) ||
                 (bytes == 3 && (memcmp(text, "\xEF\xBF\xBE", 3) == 0 || memcmp(text, "\xEF\xBF\xBF", 3) == 0)))
            dt_buffer_add(out, "\xEF\xBF\xBD");
        else
            dt_buffer_add_bytes(out, text, bytes);
        text += bytes ? bytes : 1;
    }
}

void dt_html_format(dt_buffer *out, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dt_html_text(out, text);
}

void dt_html_sentence(dt_buffer *out, const char *text)
{
    if (*text >= 'a' && *text <= 'z')
        dt_buffer_format(out, "%c", *text - 'a' + 'A');
    dt_html_text(out, *text >= 'a' && *text <= 'z' ? text + 1 : text);
}

void dt_html_element(dt_buffer *out, const char *name, const char *text)
{
    dt_buffer_format(out, "<%s>", name);
    dt_html_text(out, text);
    dt_buffer_format(out, "</%s>\n", name);
}

/* --- tables --- */

/* A region that scrolls has to be reached by keys too, and then wants a name. */
static void begin_table(dt_buffer *out, const char *caption, const char *class)
{
    dt_buffer_add(out, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"");
    dt_html_text(out, caption);
    dt_buffer_format(out, "\"><table%s>\n<caption>", class);
    dt_html_text(out, caption);
    dt_buffer_add(out, "</caption>\n");
}

void dt_html_table_begin(dt_buffer *out, const char *caption, const dt_html_column *columns, size_t count)
{
    begin_table(out, caption, "");
    dt_buffer_add(out, "<thead><tr>");
    for (size_t i = 0; i < count; i++) {
        dt_buffer_add(out, columns[i].number ? "<th scope=\"col\" class=\"number\">" : "<th scope=\"col\">");
        dt_html_text(out, columns[i].name);
        dt_buffer_add(out, "</th>");
    }
    dt_buffer_add(out, "</tr></thead>\n<tbody>\n");
}

void dt_html_table_end(dt_buffer *out)
{
    dt_buffer_add(out, "</tbody></table></div>\n");
}

void dt_html_row_begin(dt_buffer *out)
{
    dt_buffer_add(out, "<tr>");
}

void dt_html_row_end(dt_buffer *out)
{
    dt_buffer_add(out, "</tr>\n");
}

static void add_cell(dt_buffer *out, const char *before, const char *text, const char *after)
{
    dt_buffer_add(out, before);
    dt_html_text(out, text);
    dt_buffer_add(out, after);
}

void dt_html_head(dt_buffer *out, const char *text)
{
    add_cell(out, "<th scope=\"row\">", text, "</th>");
}

void dt_html_cell(dt_buffer *out, const char *text)
{
    add_cell(out, "<td>", text, "</td>");
}

void dt_html_words(dt_buffer *out, const char *text)
{
    add_cell(out, "<td class=\"words\">", text, "</td>");
}

void dt_html_code(dt_buffer *out, const char *text)
{
    add_cell(out, "<td><code>", text, "</code></td>");
}

/* 114171 becomes 114,171: five digits and more. */
static void group(char *text)
{
    const size_t from = text[0] == '-', length = strspn(text + from, "0123456789");
    if (length < 5)
        return;
    for (size_t i = length - 3; i > 0 && i < length; i -= 3) {
        memmove(text + from + i + 1, text + from + i, strlen(text + from + i) + 1);
        text[from + i] = ',';
        if (i < 4)
            break;
    }
}

const char *dt_number_text(char *text, int digits, double value)
{
    if (isnan(value))
        snprintf(text, DT_NUMBER_TEXT, "–");
    else if (digits >= 0 && fabs(value) < 1e15) {
        snprintf(text, DT_NUMBER_TEXT, "%.*f", digits > 6 ? 6 : digits, value);
        group(text);
    } else
        snprintf(text, DT_NUMBER_TEXT, "%.*g", digits < 0 ? -digits : 6, value);
    return text;
}

void dt_html_number(dt_buffer *out, int digits, double value)
{
    char text[DT_NUMBER_TEXT];
    add_cell(out, "<td class=\"number\">", dt_number_text(text, digits, value), "</td>");
}

void dt_html_facts_begin(dt_buffer *out, const char *caption)
{
    begin_table(out, caption, " class=\"facts\"");
    dt_buffer_add(out, "<tbody>\n");
}

static void add_fact(dt_buffer *out, const char *name, const char *value, void (*add)(dt_buffer *, const char *))
{
    if (!value || !*value)
        return;
    dt_html_row_begin(out);
    dt_html_head(out, name);
    add(out, value);
    dt_html_row_end(out);
}

void dt_html_fact(dt_buffer *out, const char *name, const char *value)
{
    add_fact(out, name, value, dt_html_cell);
}

void dt_html_fact_code(dt_buffer *out, const char *name, const char *value)
{
    add_fact(out, name, value, dt_html_code);
}

void dt_html_shell_word(dt_buffer *out, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,:@%=-";
    if (*text && *text != '-' && text[strspn(text, plain)] == '\0') {
        dt_buffer_add(out, text);
        return;
    }
    dt_buffer_add(out, *text == '-' ? "./'" : "'");
    for (; *text; text++)
        if (*text == '\'')
            dt_buffer_add(out, "'\\''");
        else
            dt_buffer_add_bytes(out, text, 1);
    dt_buffer_add(out, "'");
}

void dt_html_pre(dt_buffer *out, const char *label, const char *text)
{
    dt_buffer_add(out, "<pre role=\"region\" tabindex=\"0\" aria-label=\"");
    dt_html_text(out, label);
    dt_buffer_add(out, "\">");
    dt_html_text(out, text);
    dt_buffer_add(out, "</pre>\n");
}
