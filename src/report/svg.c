#include "report/svg.h"

#include <stdbool.h>
#include <string.h>

#include "report/html.h"

/* What gnuplot's svg terminal writes. */
static const char *const elements[] = {"svg",     "g",        "path",     "rect",        "circle",  "line",
                                       "polygon", "polyline", "ellipse",  "text",        "tspan",   "use",
                                       "defs",    "filter",   "feFlood",  "feComposite", "pattern", "linearGradient",
                                       "stop",    "image",    "clipPath", "mask"};

static bool is_element(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (strlen(elements[i]) == length && memcmp(elements[i], name, length) == 0)
            return true;
    return false;
}

static bool is(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

static bool begins(const char *text, size_t length, const char *word)
{
    return length >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

static bool holds(const char *text, size_t length, const char *word)
{
    for (size_t i = 0; i + strlen(word) <= length; i++)
        if (memcmp(text + i, word, strlen(word)) == 0)
            return true;
    return false;
}

typedef struct attribute {
    const char *name, *value;
    size_t name_length, value_length;
} attribute;

/* The next attribute of a tag from `at` on; NULL at the tag's end, at which *at then is, or where none can be read. */
static const char *next_attribute(const char *at, attribute *a)
{
    at += strspn(at, " \t\r\n");
    a->name = at;
    a->name_length = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-:0123456789_");
    at += a->name_length;
    at += strspn(at, " \t\r\n");
    if (a->name_length == 0 || *at != '=')
        return NULL;
    at++;
    at += strspn(at, " \t\r\n");
    if (*at != '"' && *at != '\'')
        return NULL;
    const char *end = strchr(at + 1, *at);
    if (!end)
        return NULL;
    a->value = at + 1;
    a->value_length = (size_t)(end - a->value);
    return end + 1;
}

/* Links lead into the picture itself, or are pixels that it brings along. */
static bool is_harmless(const attribute *a)
{
    static const char pixels[] = "data:image/png;base64,";
    const bool link = is(a->name, a->name_length, "href") || is(a->name, a->name_length, "xlink:href");
    if (begins(a->name, a->name_length, "on") || memchr(a->value, '<', a->value_length))
        return false;
    if (link)
        return a->value_length && (a->value[0] == '#' || begins(a->value, a->value_length, pixels));
    return !holds(a->value, a->value_length, "//") && !holds(a->value, a->value_length, "script:") &&
           (!holds(a->value, a->value_length, "url(") || begins(a->value, a->value_length, "url(#"));
}

static void add_value(dt_buffer *out, const char *value, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (value[i] == '"')
            dt_buffer_add(out, "&quot;");
        else
            dt_buffer_add_bytes(out, value + i, 1);
}

static void add_attribute(dt_buffer *out, const attribute *a, const char *name)
{
    const char *value = a->value;
    size_t length = a->value_length;
    const size_t prefix = begins(a->name, a->name_length, "xlink:") ? 6 : 0; /* of SVG 1: no page knows it */
    dt_buffer_add(out, " ");
    dt_buffer_add_bytes(out, a->name + prefix, a->name_length - prefix);
    dt_buffer_add(out, "=\"");
    if (is(a->name, a->name_length, "id")) {
        dt_buffer_format(out, "%s-", name);
    } else if (begins(value, length, "url(#")) {
        dt_buffer_format(out, "url(#%s-", name);
        value += 5;
        length -= 5;
    } else if (length && *value == '#' && a->name_length >= 4 && memcmp(a->name + a->name_length - 4, "href", 4) == 0) {
        dt_buffer_format(out, "#%s-", name);
        value++;
        length--;
    }
    add_value(out, value, length);
    dt_buffer_add(out, "\"");
}

static dt_status fail(dt_error *error, const char *what, const char *at)
{
    return dt_fail(error, DT_MALFORMED, "a picture has %s that no drawing needs: '%.40s'", what, at);
}

/* Attributes of a tag from `at` on; *end is after its '>'. Of the root only what gives it its extent. */
static dt_status add_attributes(dt_buffer *out, const char *at, bool root, const char *name, const char *class,
                                const char **end, dt_error *error)
{
    attribute a;
    for (const char *next; (next = next_attribute(at, &a)); at = next) {
        if (root && !is(a.name, a.name_length, "viewBox"))
            continue;
        if (!is_harmless(&a))
            return fail(error, "an attribute", a.name);
        add_attribute(out, &a, name);
    }
    at += strspn(at, " \t\r\n");
    const bool closed = *at == '/';
    if (at[closed] != '>')
        return fail(error, "a tag", at);
    *end = at + closed + 1;
    if (root)
        dt_buffer_format(out, " class=\"%s\" role=\"img\" aria-labelledby=\"%s-title\"", class, name);
    dt_buffer_add(out, closed ? "/>" : ">");
    return DT_OK;
}

/* From the '<' at `at`; *end is behind it. gnuplot's own title is passed over, as are comments and what isn't an
 * element. */
static dt_status add_tag(dt_buffer *out, const char *at, const char *name, const char *class, const char *title,
                         const char **end, dt_error *error)
{
    static const struct {
        const char *from, *to;
    } passed[] = {{"<?", "?>"}, {"<!--", "-->"}, {"<title>", "</title>"}, {"<desc>", "</desc>"}};
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        if (strncmp(at, passed[i].from, strlen(passed[i].from)) == 0) {
            const char *to = strstr(at, passed[i].to);
            *end = to ? to + strlen(passed[i].to) : NULL;
            return to ? DT_OK : fail(error, "an end", at);
        }
    const bool closing = at[1] == '/';
    const char *tag = at + 1 + closing;
    const size_t length = strcspn(tag, " \t\r\n/>");
    if (!is_element(tag, length))
        return fail(error, "an element", at);
    const bool root = !closing && is(tag, length, "svg");
    dt_buffer_add(out, closing ? "</" : "<");
    dt_buffer_add_bytes(out, tag, length);
    const dt_status status = add_attributes(out, tag + length, root, name, class, end, error);
    if (status == DT_OK && root) {
        dt_buffer_format(out, "<title id=\"%s-title\">", name);
        dt_html_text(out, title);
        dt_buffer_add(out, "</title>");
    }
    return status;
}

/* An '&' that doesn't begin a reference of XML would not be well-formed. */
static void add_letters(dt_buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const bool reference = text[i] == '&' && text[i + 1 + strcspn(text + i + 1, "; <&")] == ';';
        if (text[i] == '&' && !reference)
            dt_buffer_add(out, "&amp;");
        else
            dt_buffer_add_bytes(out, text + i, 1);
    }
}

dt_status dt_svg_add(dt_buffer *out, const char *svg, const char *name, const char *class, const char *title,
                     dt_error *error)
{
    dt_status status = DT_OK;
    svg += strcspn(svg, "<");
    while (status == DT_OK && *svg)
        if (*svg == '<') {
            status = add_tag(out, svg, name, class, title, &svg, error);
        } else {
            const size_t length = strcspn(svg, "<");
            add_letters(out, svg, length);
            svg += length;
        }
    return status;
}
