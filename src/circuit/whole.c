/* A whole network: a column of boxes for the inputs and for each layer, a unit a box, and the cost. A box is a list of
 * values, each with its gradient; where a unit has few enough inputs, its weights are in the list, and each wire leads
 * to its own. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "circuit/figure.h"

enum {
    TEXT = 14,
    CAPTION = 13,
    DIGITS = 3,
    LINE = 25,
    MARGIN = 16,
    TOP = 92,
    WEIGHTS_MAX = 6 /* of a unit, and units, where weights are shown */,
    BIASES_MAX = 12
};

static const double pad = 7;   /* inside a box */
static const double gap = 16;  /* between boxes */
static const double wire = 64; /* between columns, at least, */
static const double fan = 5;   /* and for each unit of the shorter one */

typedef struct line {
    char value[DT_MARK_TEXT], gradient[DT_NUMBER_TEXT];
} line;

typedef struct box {
    line lines[WEIGHTS_MAX + 3];
    int count, weights;
    double x, y, width, height; /* x, y: upper left corner */
} box;

typedef struct column {
    char caption[DT_MARK_TEXT];
    box *boxes;
    int64_t units;
    double x, value_width, gradient_width;
} column;

typedef struct whole {
    const dt_network_numbers *n;
    dt_drawing *d;
    int64_t L;
    column *columns; /* (L + 2): layers 0 .. L, and the cost */
} whole;

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static void
add_line(box *b, double value, double gradient, const char *name, ...)
{
    char letters[DT_MARK_TEXT / 2], digits[DT_NUMBER_TEXT];
    line *to = &b->lines[b->count++];
    va_list arguments;
    va_start(arguments, name);
    vsnprintf(letters, sizeof letters, name, arguments);
    va_end(arguments);
    dt_letters_number(digits, value, DIGITS);
    snprintf(to->value, sizeof to->value, "%s = %s", letters, digits);
    dt_letters_number(to->gradient, gradient, DIGITS);
}

static bool shows_weights(const whole *f, int64_t l)
{
    return l >= 1 && l <= f->L && f->columns[l].units <= WEIGHTS_MAX && f->columns[l - 1].units <= WEIGHTS_MAX;
}

static void fill_unit(const whole *f, box *b, int64_t l, int64_t j)
{
    const dt_network_numbers *n = f->n;
    const double delta = n->delta[l][j];
    b->weights = shows_weights(f, l) ? (int)f->columns[l - 1].units : 0;
    for (int64_t k = 0; k < b->weights; k++)
        add_line(b, n->W[l][j * b->weights + k], delta * n->a[l - 1][k], "w^{%" PRId64 "}_{%" PRId64 ",%" PRId64 "}", l,
                 j, k);
    if (f->columns[l].units <= BIASES_MAX)
        add_line(b, n->b[l][j], delta, "b^{%" PRId64 "}_{%" PRId64 "}", l, j);
    add_line(b, n->z[l][j], delta, "z^{%" PRId64 "}_{%" PRId64 "}", l, j);
    if (l < f->L)
        add_line(b, n->a[l][j], n->back[l][j], "a^{%" PRId64 "}_{%" PRId64 "}", l, j);
}

/* The layer and its functions. */
static void write_caption(const whole *f, int64_t l)
{
    char *caption = f->columns[l].caption;
    if (l == 0)
        snprintf(caption, DT_MARK_TEXT, "inputs");
    else if (l > f->L)
        snprintf(caption, DT_MARK_TEXT, "%s", f->n->loss);
    else
        snprintf(caption, DT_MARK_TEXT, "layer %" PRId64 "%s%s", l, l < f->L ? ", " : "",
                 l < f->L ? f->n->activation[l] : "");
}

static void fill_boxes(const whole *f)
{
    for (int64_t l = 0; l <= f->L + 1; l++) {
        column *c = &f->columns[l];
        write_caption(f, l);
        for (int64_t j = 0; j < c->units; j++) {
            box *b = &c->boxes[j];
            if (l == 0)
                add_line(b, f->n->a[0][j], f->n->back[0][j], "x_{%" PRId64 "}", j);
            else if (l <= f->L)
                fill_unit(f, b, l, j);
            else
                add_line(b, f->n->cost, 1, "C");
            for (int i = 0; i < b->count; i++) {
                c->value_width = fmax(c->value_width, dt_letters_width(b->lines[i].value, TEXT));
                c->gradient_width = fmax(c->gradient_width, dt_letters_width(b->lines[i].gradient, TEXT));
            }
        }
    }
}

/* Columns from left to right, each spread over the height of the tallest. */
static void place_boxes(const whole *f)
{
    double x = MARGIN, tallest = 0;
    for (int64_t l = 0; l <= f->L + 1; l++) {
        column *c = &f->columns[l];
        const double width = c->value_width + c->gradient_width + 4 * pad;
        for (int64_t j = 0; j < c->units; j++) {
            c->boxes[j].x = x;
            c->boxes[j].width = width;
            c->boxes[j].height = c->boxes[j].count * LINE + pad;
        }
        c->x = x;
        x += fmax(width, dt_words_width(c->caption, CAPTION) + 2 * pad) +
             (l <= f->L ? wire + fan * fmin((double)c->units, (double)f->columns[l + 1].units) : 0);
        tallest = fmax(tallest, (double)c->units * (c->boxes[0].height + gap));
    }
    for (int64_t l = 0; l <= f->L + 1; l++) {
        const column *c = &f->columns[l];
        for (int64_t j = 0; j < c->units; j++)
            c->boxes[j].y = TOP + ((double)j + 0.5) * tallest / (double)c->units - c->boxes[j].height / 2;
    }
    f->d->width = x + MARGIN;
    f->d->height = TOP + tallest + MARGIN;
}

static double line_y(const box *b, int i)
{
    return b->y + pad / 2 + (i + 0.5) * LINE;
}

static void draw_box(dt_drawing *d, const column *c, const box *b)
{
    dt_drawing_box(d, b->x, b->y, b->x + b->width, b->y + b->height);
    for (int i = 0; i < b->count; i++) {
        dt_drawing_label(d, b->x + pad, line_y(b, i), 0, TEXT, 0, DT_INK_VALUE, b->lines[i].value);
        dt_drawing_label(d, b->x + 3 * pad + c->value_width, line_y(b, i), 0, TEXT, 0, DT_INK_GRADIENT,
                         b->lines[i].gradient);
    }
}

/* From the last line of each unit, its activation, to its weight in the next. */
static void draw_wires(const whole *f)
{
    for (int64_t l = 1; l <= f->L + 1; l++)
        for (int64_t j = 0; j < f->columns[l].units; j++)
            for (int64_t k = 0; k < f->columns[l - 1].units; k++) {
                const box *from = &f->columns[l - 1].boxes[k], *to = &f->columns[l].boxes[j];
                const double y = to->weights ? line_y(to, (int)k) : to->y + to->height / 2;
                const bool own = to->weights || l > f->L;
                dt_drawing_wire(f->d, from->x + from->width, line_y(from, from->count - 1), to->x, y, own ? 1 : 0.5,
                                own ? DT_INK_PLAIN : DT_INK_FAINT, own);
            }
}

static void draw_heading(const whole *f, const char *heading)
{
    static const char *const words[] = {"left in a box: a value", "right: the gradient of C by it; that of z is δ"};
    char rest[DT_MARK_TEXT];
    int64_t shown = 0, all = 0;
    for (int64_t l = 1; l <= f->L; l++) {
        const int64_t weights = f->columns[l].units * f->columns[l - 1].units;
        all += weights;
        shown += shows_weights(f, l) ? weights : 0;
    }
    snprintf(rest, sizeof rest, "%" PRId64 " of %" PRId64 " weights shown", shown, all);
    double x = MARGIN;
    for (int i = 0; i < 2; i++) {
        dt_drawing_words(f->d, x, 50, 0, 13, i ? DT_INK_GRADIENT : DT_INK_VALUE, words[i]);
        x += dt_words_width(words[i], 13) + 24;
    }
    if (shown < all) {
        dt_drawing_words(f->d, x, 50, 0, 13, DT_INK_PLAIN, rest);
        x += dt_words_width(rest, 13) + 24;
    }
    dt_drawing_words(f->d, MARGIN, 24, 0, 17, DT_INK_PLAIN, heading);
    f->d->width = fmax(f->d->width, fmax(x, dt_words_width(heading, 17) + 2 * MARGIN));
}

static void draw(const whole *f, const char *heading)
{
    fill_boxes(f);
    place_boxes(f);
    draw_wires(f);
    for (int64_t l = 0; l <= f->L + 1; l++) {
        const column *c = &f->columns[l];
        dt_drawing_words(f->d, c->x + pad, TOP - 10, 0, CAPTION, DT_INK_PLAIN, c->caption);
        for (int64_t j = 0; j < c->units; j++)
            draw_box(f->d, c, &c->boxes[j]);
    }
    draw_heading(f, heading);
}

dt_status dt_figure_network(dt_drawing *drawing, const dt_network_numbers *network, const char *heading,
                            dt_error *error)
{
    whole f = {.n = network, .d = drawing, .L = network->layers};
    int64_t count = 0;
    for (int64_t l = 0; l <= f.L; l++)
        if ((count += network->units[l]) > DT_FIGURE_UNITS_MAX)
            return dt_fail(
                error, DT_INVALID,
                "the network has more than %d units with its inputs, too many for one picture; draw one unit",
                DT_FIGURE_UNITS_MAX);
    f.columns = dt_allocate_zeroed((size_t)f.L + 2, sizeof *f.columns);
    box *boxes = dt_allocate_zeroed((size_t)count + 1, sizeof *boxes);
    dt_status status = f.columns && boxes ? DT_OK : dt_fail(error, DT_NO_MEMORY, "out of memory for a picture");
    if (status == DT_OK) {
        box *next = boxes;
        for (int64_t l = 0; l <= f.L + 1; l++) {
            f.columns[l] = (column){.boxes = next, .units = l <= f.L ? network->units[l] : 1};
            next += f.columns[l].units;
        }
        draw(&f, heading ? heading : "");
    }
    dt_release(f.columns);
    dt_release(boxes);
    return status;
}
