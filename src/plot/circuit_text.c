/* The numbers of circuits as tables for a terminal. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plot/circuit.h"

enum { CELL = 11, NAME = 30 };

typedef struct page {
    dt_text_style style;
    bool colour;
    dt_buffer *out;
} page;

static const struct {
    const char *letter, *ascii, *raised, *lowered; /* raised, lowered: NULL where there is no such character */
} letters[] = {
    {"0", "0", "⁰", "₀"}, {"1", "1", "¹", "₁"},   {"2", "2", "²", "₂"},     {"3", "3", "³", "₃"},
    {"4", "4", "⁴", "₄"}, {"5", "5", "⁵", "₅"},   {"6", "6", "⁶", "₆"},     {"7", "7", "⁷", "₇"},
    {"8", "8", "⁸", "₈"}, {"9", "9", "⁹", "₉"},   {"k", "k", "ᵏ", "ₖ"},     {"T", "T", "ᵀ", "T"},
    {",", ",", ",", ","}, {"·", ".", "·", "·"},   {"δ", "delta", "δ", "δ"}, {"Σ", "sum", "Σ", "Σ"},
    {"∂", "d", "∂", "∂"}, {"…", "...", "…", "…"},
};

static size_t add_letter(const page *p, const char *at, size_t length, char level)
{
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (strlen(letters[i].letter) == length && memcmp(letters[i].letter, at, length) == 0) {
            const char *text = !p->style.unicode ? letters[i].ascii
                               : level == '^'    ? letters[i].raised
                               : level == '_'    ? letters[i].lowered
                                                 : letters[i].letter;
            dt_buffer_add(p->out, text);
            return dt_characters(text);
        }
    dt_buffer_format(p->out, "%.*s", (int)length, at);
    return 1;
}

/* w^{2}_{1,k} as w²₁,ₖ or w^2_{1,k}; returns the characters. */
static size_t add_letters(const page *p, const char *text)
{
    size_t used = 0, length;
    char level = 0;                    /* ^ or _ while that is open */
    bool braces = false, kept = false; /* around what it applies to; and written */
    for (const char *at = text; *at; at += length) {
        length = 1;
        while (((unsigned char)at[length] & 0xC0) == 0x80)
            length++;
        const bool sign = strchr("^_{}", *at) != NULL;
        if (*at == '^' || *at == '_') {
            level = *at;
            braces = at[1] == '{';
            kept = braces && at[2] != '}' && at[3] != '}';
        }
        const bool brace = *at == '{' || *at == '}';
        if (!sign || (!p->style.unicode && (kept || !brace)))
            used += add_letter(p, at, length, sign ? 0 : level);
        if (*at == '}' || (!sign && !braces))
            level = 0, braces = false;
    }
    return used;
}

/* Left-justified. */
static void add_name(const page *p, int width, const char *text)
{
    const int used = (int)add_letters(p, text);
    dt_buffer_repeat(p->out, " ", width - used);
}

/* The same to the right. */
static void add_title(const page *p, int width, const char *text)
{
    dt_buffer measured = {0};
    const page aside = {p->style, false, &measured};
    const int used = (int)add_letters(&aside, text);
    dt_buffer_repeat(p->out, " ", used < width ? width - used : 1);
    dt_buffer_clear(&measured);
    add_letters(p, text);
}

static void add_number(const page *p, dt_ink ink, double number)
{
    const char *paint = !p->colour ? "" : ink == DT_INK_VALUE ? "\033[32m" : "\033[31m";
    dt_buffer_format(p->out, "%s%*.4g%s", paint, CELL, number == 0 ? 0.0 : number, p->colour ? "\033[0m" : "");
}

static void add_heading(const page *p, const char *heading)
{
    if (heading && *heading) {
        dt_text_add_outside(p->out, p->style, heading, 200);
        dt_buffer_add(p->out, "\n\n");
    }
}

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static void
add_line(const page *p, double value, double gradient, const char *format, ...)
{
    char text[DT_MARK_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dt_buffer_add(p->out, "  ");
    add_name(p, NAME, text);
    add_number(p, DT_INK_VALUE, value);
    add_number(p, DT_INK_GRADIENT, gradient);
    dt_buffer_add(p->out, "\n");
}

static void add_inputs(const page *p, const dt_unit_numbers *n, int64_t most)
{
    int64_t k[DT_INPUTS_SHOWN_MAX], shown = dt_unit_pick(n, most, k);
    double others = n->sum;
    char title[DT_MARK_TEXT];
    dt_buffer_add(p->out, "       k");
    snprintf(title, sizeof title, "w^{%" PRId64 "}_{%" PRId64 ",k}", n->l, n->j);
    add_title(p, CELL, title);
    add_title(p, CELL, "∂C/∂w");
    snprintf(title, sizeof title, n->l > 1 ? "a^{%" PRId64 "}_k" : "x_k", n->l - 1);
    add_title(p, CELL, title);
    add_title(p, CELL, "δ w");
    add_title(p, CELL, n->l > 1 ? "w a" : "w x");
    dt_buffer_add(p->out, "\n");
    for (int64_t i = 0; i < shown; i++) {
        const double w = n->w[k[i]], a = n->a[k[i]];
        dt_buffer_format(p->out, "%8" PRId64, k[i]);
        add_number(p, DT_INK_VALUE, w);
        add_number(p, DT_INK_GRADIENT, n->delta * a);
        add_number(p, DT_INK_VALUE, a);
        add_number(p, DT_INK_GRADIENT, n->delta * w);
        add_number(p, DT_INK_VALUE, w * a);
        dt_buffer_add(p->out, "\n");
        others -= w * a;
    }
    if (shown < n->inputs) {
        dt_buffer_add(p->out, "  ");
        snprintf(title, sizeof title, "… %" PRId64 " more, together", n->inputs - shown);
        add_name(p, 6 + 4 * CELL, title);
        add_number(p, DT_INK_VALUE, others);
        dt_buffer_add(p->out, "\n");
    }
}

void dt_circuit_unit_text(const dt_unit_numbers *numbers, int64_t most, const char *heading, dt_text_style style,
                          bool colour, dt_buffer *out)
{
    const dt_unit_numbers *n = numbers;
    const page p = {style, colour, out};
    const int64_t l = n->l, j = n->j;
    add_heading(&p, heading);
    add_inputs(&p, n, most);
    dt_buffer_add(out, "\n");
    dt_buffer_repeat(out, " ", NAME + 2);
    add_title(&p, CELL, "value");
    add_title(&p, CELL, "gradient");
    dt_buffer_add(out, "\n");
    if (l > 1)
        add_line(&p, n->sum, n->delta, "Σ_k w^{%" PRId64 "}_{%" PRId64 ",k} a^{%" PRId64 "}_k", l, j, l - 1);
    else
        add_line(&p, n->sum, n->delta, "Σ_k w^1_{%" PRId64 ",k} x_k", j);
    add_line(&p, n->b, n->delta, "b^{%" PRId64 "}_{%" PRId64 "}", l, j);
    add_line(&p, n->z, n->delta, "z^{%" PRId64 "}_{%" PRId64 "}, δ^{%" PRId64 "}_{%" PRId64 "}", l, j, l, j);
    if (l < n->layers)
        add_line(&p, n->value, n->back,
                 "a^{%" PRId64 "}_{%" PRId64 "}, (δ^{%" PRId64 "})^T w^{%" PRId64 "}_{·,%" PRId64 "}", l, j, l + 1,
                 l + 1, j);
    else
        add_line(&p, n->value, n->back, "C");
}

/* --- a network --- */

enum { WEIGHTS_MAX = 6 };

static void add_layer(const page *p, const dt_network_numbers *n, int64_t l)
{
    const int64_t units = n->units[l], inputs = n->units[l - 1];
    const bool last = l == n->layers, weights = inputs <= WEIGHTS_MAX && units <= WEIGHTS_MAX;
    dt_buffer_format(p->out, "layer %" PRId64 "%s", l, last ? "" : ", ");
    if (!last)
        dt_text_add_outside(p->out, p->style, n->activation[l], NAME);
    dt_buffer_add(p->out, "\n");
    for (int64_t j = 0; j < units; j++) {
        const double delta = n->delta[l][j];
        for (int64_t k = 0; k < inputs && weights; k++)
            add_line(p, n->W[l][j * inputs + k], delta * n->a[l - 1][k], "w^{%" PRId64 "}_{%" PRId64 ",%" PRId64 "}", l,
                     j, k);
        add_line(p, n->b[l][j], delta, "b^{%" PRId64 "}_{%" PRId64 "}", l, j);
        add_line(p, n->z[l][j], delta, "z^{%" PRId64 "}_{%" PRId64 "}", l, j);
        if (!last)
            add_line(p, n->a[l][j], n->back[l][j], "a^{%" PRId64 "}_{%" PRId64 "}", l, j);
    }
}

void dt_circuit_network_text(const dt_network_numbers *network, const char *heading, dt_text_style style, bool colour,
                             dt_buffer *out)
{
    const dt_network_numbers *n = network;
    const page p = {style, colour, out};
    add_heading(&p, heading);
    dt_buffer_repeat(out, " ", NAME + 2);
    add_title(&p, CELL, "value");
    add_title(&p, CELL, "gradient");
    dt_buffer_add(out, "\ninputs\n");
    for (int64_t k = 0; k < n->units[0]; k++)
        add_line(&p, n->a[0][k], n->back[0][k], "x_{%" PRId64 "}", k);
    for (int64_t l = 1; l <= n->layers; l++)
        add_layer(&p, n, l);
    dt_buffer_format(out, "%s\n", n->loss);
    add_line(&p, n->cost, 1, "C");
}
