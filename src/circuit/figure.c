/* One unit's circuit, from left to right: its inputs and weights, multiply gates, the add gate that sums, the add gate
 * of the bias, the activation gate (on layer L: the cost). Columns are as wide as their widest label. */
#include "circuit/figure.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT = 15, DIGITS = 4, SMALL = 12, RADIUS = 20, PITCH = 116, TOP = 84, MARGIN = 16 };

static const double apart = 29;    /* from an input's row to its weight's wire above, and its activation's wire below */
static const double beside = 13.5; /* from a wire to the middle of its label */
static const double air = 9;       /* beside a label */
static const double head = 14;     /* an arrow's, at the end of a level wire */
static const double slant = 34;    /* of a wire that changes its height */

/* --- which inputs are shown --- */

/* Does input k matter more than input m? */
static bool outweighs(const dt_unit_numbers *n, int64_t k, int64_t m)
{
    const double k_gradient = fabs(n->delta * n->a[k]), m_gradient = fabs(n->delta * n->a[m]);
    if (k_gradient != m_gradient)
        return k_gradient > m_gradient;
    const double k_value = fabs(n->w[k] * n->a[k]), m_value = fabs(n->w[m] * n->a[m]);
    return k_value != m_value ? k_value > m_value : k < m;
}

int64_t dt_unit_pick(const dt_unit_numbers *numbers, int64_t most, int64_t k[DT_INPUTS_SHOWN_MAX])
{
    int64_t count = 0;
    most = most < 1 ? 1 : most > DT_INPUTS_SHOWN_MAX ? DT_INPUTS_SHOWN_MAX : most;
    for (int64_t candidate = 0; candidate < numbers->inputs; candidate++) { /* k: by weight */
        int64_t at = count;
        while (at > 0 && outweighs(numbers, candidate, k[at - 1]))
            at--;
        if (at == most)
            continue;
        count += count < most;
        memmove(k + at + 1, k + at, (size_t)(count - at - 1) * sizeof *k);
        k[at] = candidate;
    }
    for (int64_t i = 1; i < count; i++) /* now ascending */
        for (int64_t m = i; m > 0 && k[m] < k[m - 1]; m--) {
            const int64_t swap = k[m];
            k[m] = k[m - 1];
            k[m - 1] = swap;
        }
    return count;
}

/* --- labels --- */

typedef struct wire_text {
    char value[DT_MARK_TEXT], gradient[DT_MARK_TEXT];
} wire_text;

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static void
write_label(char text[DT_MARK_TEXT], double number, const char *name, ...)
{
    char digits[DT_NUMBER_TEXT], letters[DT_MARK_TEXT / 2];
    va_list arguments;
    va_start(arguments, name);
    vsnprintf(letters, sizeof letters, name, arguments);
    va_end(arguments);
    dt_letters_number(digits, number, DIGITS);
    snprintf(text, DT_MARK_TEXT, "%s = %s", letters, digits);
}

/* a^{l-1}_k, or x_k */
static void name_input(const dt_unit_numbers *n, int64_t k, char name[DT_NUMBER_TEXT * 2])
{
    if (n->l == 1)
        snprintf(name, DT_NUMBER_TEXT * 2, "x_{%" PRId64 "}", k);
    else
        snprintf(name, DT_NUMBER_TEXT * 2, "a^{%" PRId64 "}_{%" PRId64 "}", n->l - 1, k);
}

static void label_delta(const dt_unit_numbers *n, char text[DT_MARK_TEXT])
{
    write_label(text, n->delta, "δ^{%" PRId64 "}_{%" PRId64 "}", n->l, n->j);
}

static void label_weight(const dt_unit_numbers *n, int64_t k, wire_text *t)
{
    char input[DT_NUMBER_TEXT * 2];
    name_input(n, k, input);
    write_label(t->value, n->w[k], "w^{%" PRId64 "}_{%" PRId64 ",%" PRId64 "}", n->l, n->j, k);
    write_label(t->gradient, n->delta * n->a[k], "δ^{%" PRId64 "}_{%" PRId64 "} %s", n->l, n->j, input);
}

static void label_input(const dt_unit_numbers *n, int64_t k, wire_text *t)
{
    char input[DT_NUMBER_TEXT * 2];
    name_input(n, k, input);
    write_label(t->value, n->a[k], "%s", input);
    write_label(t->gradient, n->delta * n->w[k],
                "δ^{%" PRId64 "}_{%" PRId64 "} w^{%" PRId64 "}_{%" PRId64 ",%" PRId64 "}", n->l, n->j, n->l, n->j, k);
}

static void label_product(const dt_unit_numbers *n, int64_t k, wire_text *t)
{
    char input[DT_NUMBER_TEXT * 2];
    name_input(n, k, input);
    write_label(t->value, n->w[k] * n->a[k], "w^{%" PRId64 "}_{%" PRId64 ",%" PRId64 "} %s", n->l, n->j, k, input);
    label_delta(n, t->gradient);
}

static void label_sum(const dt_unit_numbers *n, wire_text *t)
{
    if (n->l == 1)
        write_label(t->value, n->sum, "Σ_k w^1_{%" PRId64 ",k} x_k", n->j);
    else
        write_label(t->value, n->sum, "Σ_k w^{%" PRId64 "}_{%" PRId64 ",k} a^{%" PRId64 "}_k", n->l, n->j, n->l - 1);
    label_delta(n, t->gradient);
}

static void label_output(const dt_unit_numbers *n, wire_text *t)
{
    if (n->l == n->layers) {
        write_label(t->value, n->value, "C");
        write_label(t->gradient, n->back, "∂C/∂C");
        return;
    }
    write_label(t->value, n->value, "a^{%" PRId64 "}_{%" PRId64 "}", n->l, n->j);
    write_label(t->gradient, n->back, "(δ^{%" PRId64 "})^T w^{%" PRId64 "}_{·,%" PRId64 "}", n->l + 1, n->l + 1, n->j);
}

static double wider(double width, const wire_text *t)
{
    return fmax(width, fmax(dt_letters_width(t->value, TEXT), dt_letters_width(t->gradient, TEXT)) + 2 * air);
}

/* --- layout --- */

typedef struct layout {
    const dt_unit_numbers *n;
    dt_drawing *d;
    int64_t k[DT_INPUTS_SHOWN_MAX], shown;
    wire_text rest, sum, bias, z, output;
    double x_wire, x_multiply, x_product, x_sum, x_bias, x_last; /* wires' starts and gates' middles */
    double w_input, w_product, w_sum, w_z, w_output;             /* wires' lengths, without slants */
    double y_first, y_middle, y_rest;
} layout;

static void label_all(layout *f)
{
    const dt_unit_numbers *n = f->n;
    double others = n->sum;
    wire_text t;
    for (int64_t i = 0; i < f->shown; i++) {
        label_weight(n, f->k[i], &t);
        f->w_input = wider(f->w_input, &t);
        label_input(n, f->k[i], &t);
        f->w_input = wider(f->w_input, &t);
        label_product(n, f->k[i], &t);
        f->w_product = wider(f->w_product, &t);
        others -= n->w[f->k[i]] * n->a[f->k[i]];
    }
    write_label(f->rest.value, others, "their sum");
    label_delta(n, f->rest.gradient);
    if (f->shown < n->inputs)
        f->w_product = wider(f->w_product, &f->rest);
    label_sum(n, &f->sum);
    write_label(f->bias.value, n->b, "b^{%" PRId64 "}_{%" PRId64 "}", n->l, n->j);
    label_delta(n, f->bias.gradient);
    write_label(f->z.value, n->z, "z^{%" PRId64 "}_{%" PRId64 "}", n->l, n->j);
    label_delta(n, f->z.gradient);
    label_output(n, &f->output);
    f->w_sum = wider(wider(0, &f->sum), &f->bias) + head;
    f->w_z = wider(0, &f->z) + head;
    f->w_output = wider(0, &f->output) + head;
}

static void place_all(layout *f)
{
    const bool rest = f->shown < f->n->inputs;
    f->x_wire = MARGIN + 2 * RADIUS;
    f->x_multiply = f->x_wire + f->w_input + slant + RADIUS;
    f->x_product = f->x_multiply + RADIUS;
    f->x_sum = f->x_product + f->w_product + slant + 10 * (double)(f->shown > 2 ? f->shown - 2 : 0) + RADIUS;
    f->x_bias = f->x_sum + RADIUS + f->w_sum + RADIUS;
    f->x_last = f->x_bias + RADIUS + f->w_z + RADIUS;
    f->y_first = TOP + PITCH / 2;
    const double rows = (double)f->shown * PITCH;
    f->y_middle = TOP + fmax((rows + (rest ? PITCH / 2 : 0)) / 2, PITCH);
    if (f->shown == 1 && !rest)
        f->y_first = f->y_middle;
    f->y_rest = f->y_first + rows - PITCH / 4;
    f->d->width = f->x_last + RADIUS + f->w_output + MARGIN;
    f->d->height =
        fmax((rest ? f->y_rest + PITCH / 2 : f->y_first + rows - PITCH / 2), f->y_middle + PITCH / 2) + MARGIN;
}

static void draw_labels(dt_drawing *d, double x, double y, const wire_text *t)
{
    dt_drawing_label(d, x + air, y - beside, 0, TEXT, 0, DT_INK_VALUE, t->value);
    dt_drawing_label(d, x + air, y + beside, 0, TEXT, 0, DT_INK_GRADIENT, t->gradient);
}

/* A wire from x, y that runs level for `length`, and on to the gate in the middle of gate_x, gate_y. */
static void draw_wire(dt_drawing *d, double x, double y, double length, double gate_x, double gate_y,
                      const wire_text *t)
{
    const double bend = x + length, across = gate_x - bend, down = gate_y - y, distance = hypot(across, down);
    const double end_x = gate_x - RADIUS * across / distance, end_y = gate_y - RADIUS * down / distance;
    if (y == gate_y) {
        dt_drawing_wire(d, x, y, end_x, end_y, 1.2, DT_INK_PLAIN, true);
    } else {
        dt_drawing_wire(d, x, y, bend, y, 1.2, DT_INK_PLAIN, false);
        dt_drawing_wire(d, bend, y, end_x, end_y, 1.2, DT_INK_PLAIN, true);
    }
    draw_labels(d, x, y, t);
}

static void draw_input(const layout *f, int64_t i)
{
    const dt_unit_numbers *n = f->n;
    const double y = f->y_first + (double)i * PITCH;
    char sigma[DT_NUMBER_TEXT * 2];
    wire_text t;
    label_weight(n, f->k[i], &t);
    dt_drawing_dot(f->d, f->x_wire, y - apart, 3);
    draw_wire(f->d, f->x_wire, y - apart, f->w_input, f->x_multiply, y, &t);
    label_input(n, f->k[i], &t);
    draw_wire(f->d, f->x_wire, y + apart, f->w_input, f->x_multiply, y, &t);
    snprintf(sigma, sizeof sigma, "σ^{%" PRId64 "}", n->l - 1);
    if (n->l > 1)
        dt_drawing_gate(f->d, f->x_wire - RADIUS, y + apart, RADIUS, sigma);
    else
        dt_drawing_dot(f->d, f->x_wire, y + apart, 3);
    label_product(n, f->k[i], &t);
    draw_wire(f->d, f->x_product, y, f->w_product, f->x_sum, f->y_middle, &t);
    dt_drawing_gate(f->d, f->x_multiply, y, RADIUS, "×");
}

static void draw_rest(const layout *f)
{
    char text[DT_MARK_TEXT];
    snprintf(text, sizeof text, "… %" PRId64 " more input%s", f->n->inputs - f->shown,
             f->n->inputs - f->shown > 1 ? "s" : "");
    dt_drawing_label(f->d, f->x_product - air, f->y_rest, 1, TEXT, 0, DT_INK_PLAIN, text);
    draw_wire(f->d, f->x_product, f->y_rest, f->w_product, f->x_sum, f->y_middle, &f->rest);
}

/* The activation gate and its wire to the next layer; or the cost, which the other outputs lead to as well. */
static void draw_last(const layout *f)
{
    const dt_unit_numbers *n = f->n;
    const double x = f->x_last, y = f->y_middle;
    const bool cost = n->l == n->layers;
    char sigma[DT_NUMBER_TEXT * 2];
    snprintf(sigma, sizeof sigma, "σ^{%" PRId64 "}", n->l);
    if (cost && n->units != 1)
        for (int side = -1; side <= 1; side += 2)
            dt_drawing_wire(f->d, x - 2.2 * RADIUS, y + side * 2.2 * RADIUS, x - RADIUS * 0.72,
                            y + side * RADIUS * 0.72, 1.2, DT_INK_FAINT, true);
    dt_drawing_gate(f->d, x, y, RADIUS, cost ? "C" : sigma);
    dt_drawing_words(f->d, x, y + (cost && n->units != 1 ? 2.5 : 1) * RADIUS + 12, 0.5, SMALL, DT_INK_PLAIN,
                     cost ? n->loss : n->activation);
    dt_drawing_wire(f->d, x + RADIUS, y, x + RADIUS + f->w_output, y, 1.2, DT_INK_PLAIN, !cost);
    draw_labels(f->d, x + RADIUS, y, &f->output);
}

void dt_figure_unit(dt_drawing *drawing, const dt_unit_numbers *numbers, int64_t most, const char *heading)
{
    layout f = {.n = numbers, .d = drawing};
    f.shown = dt_unit_pick(numbers, most, f.k);
    label_all(&f);
    place_all(&f);
    const double legend = MARGIN + dt_letters_width("above a wire: its value", 13) + 24;
    drawing->width = fmax(drawing->width, MARGIN * 2 + dt_words_width(heading ? heading : "", 17));
    dt_drawing_words(drawing, MARGIN, 24, 0, 17, DT_INK_PLAIN, heading ? heading : "");
    dt_drawing_label(drawing, MARGIN, 50, 0, 13, 0, DT_INK_VALUE, "above a wire: its value");
    dt_drawing_label(drawing, legend, 50, 0, 13, 0, DT_INK_GRADIENT,
                     "below: the gradient of C that comes back over it");
    for (int64_t i = 0; i < f.shown; i++)
        draw_input(&f, i);
    if (f.shown < numbers->inputs)
        draw_rest(&f);
    dt_drawing_dot(drawing, f.x_sum + RADIUS, f.y_middle - 0.75 * PITCH, 3);
    draw_wire(drawing, f.x_sum + RADIUS, f.y_middle - 0.75 * PITCH, f.w_sum - slant + RADIUS, f.x_bias, f.y_middle,
              &f.bias);
    draw_wire(drawing, f.x_sum + RADIUS, f.y_middle, f.w_sum, f.x_bias, f.y_middle, &f.sum);
    draw_wire(drawing, f.x_bias + RADIUS, f.y_middle, f.w_z, f.x_last, f.y_middle, &f.z);
    dt_drawing_gate(drawing, f.x_sum, f.y_middle, RADIUS, "+");
    dt_drawing_gate(drawing, f.x_bias, f.y_middle, RADIUS, "+");
    draw_last(&f);
}
