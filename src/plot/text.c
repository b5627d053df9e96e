#include "plot/text.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

enum { WIDTH_MIN = 40, WIDTH_MAX = 200, WIDTH_USUAL = 80, MARGIN = 11 };

static bool environment_is_utf8(void)
{
    locale_t own = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (!own)
        return false;
    const char *codes = nl_langinfo_l(CODESET, own);
    bool utf8 = strcasecmp(codes, "UTF-8") == 0 || strcasecmp(codes, "UTF8") == 0;
    freelocale(own);
    return utf8;
}

dt_text_style dt_text_style_of(const dt_plot_options *options)
{
    const char *columns = getenv("COLUMNS");
    long width = options->width > 0 ? options->width : columns ? strtol(columns, NULL, 10) : 0;
    if (width <= 0)
        width = WIDTH_USUAL;
    return (dt_text_style){.width = (int)(width < WIDTH_MIN   ? WIDTH_MIN
                                          : width > WIDTH_MAX ? WIDTH_MAX
                                                              : width),
                           .unicode = options->letters == DT_LETTERS_UNICODE ||
                                      (options->letters == DT_LETTERS_AUTO && environment_is_utf8())};
}

size_t dt_text_add_outside(dt_buffer *out, dt_text_style style, const char *text, size_t most)
{
    size_t from = out->length, count = dt_buffer_add_outside(out, text, most);
    if (style.unicode || out->failed)
        return count;
    size_t to = from; /* each character beyond ASCII becomes one '?' */
    for (size_t i = from; i < out->length; i++) {
        unsigned char c = (unsigned char)out->bytes[i];
        if (c < 0x80 || c >= 0xC0)
            out->bytes[to++] = c < 0x80 ? (char)c : '?';
    }
    if (out->bytes)
        out->bytes[to] = '\0';
    out->length = to;
    return count;
}

void dt_text_add_heading(dt_buffer *out, dt_text_style style, dt_buffer *heading)
{
    out->failed = out->failed || heading->failed;
    dt_text_add_outside(out, style, heading->bytes ? heading->bytes : "", SIZE_MAX);
    dt_buffer_add(out, "\n");
    dt_buffer_clear(heading);
}

/* --- charts --- */

/* Cells of 2 x 4 dots, numbered as braille characters number them. A mark covers a cell's dots. */
typedef struct canvas {
    int width, height; /* cells */
    unsigned char *dots;
    char *marks;
    double x_low, x_high, y_low, y_high;
} canvas;

/* Where v lies between low and high, from 0 to 1; halves, since the difference of two doubles may be too large for one.
 */
static double share(double v, double low, double high)
{
    return low < high ? fmin(fmax((v / 2 - low / 2) / (high / 2 - low / 2), 0), 1) : 0.5;
}

static int dot_column(const canvas *c, double x)
{
    return (int)lround(share(x, c->x_low, c->x_high) * (2 * c->width - 1));
}

static int dot_row(const canvas *c, double y)
{
    return (int)lround((1 - share(y, c->y_low, c->y_high)) * (4 * c->height - 1));
}

static void put_dot(canvas *c, int column, int row)
{
    static const unsigned char bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    c->dots[row / 4 * c->width + column / 2] |= bits[row % 4][column % 2];
}

static void put_stroke(canvas *c, int column, int row, int to_column, int to_row)
{
    int across = to_column - column, down = to_row - row;
    int steps = abs(across) > abs(down) ? abs(across) : abs(down);
    for (int i = 0; i <= steps; i++)
        put_dot(c, column + (steps ? (int)lround((double)across * i / steps) : 0),
                row + (steps ? (int)lround((double)down * i / steps) : 0));
}

static bool point(const dt_text_line *l, size_t i, double *x, double *y)
{
    *x = l->x[i * l->stride];
    *y = l->y[i * l->stride];
    return isfinite(*x) && isfinite(*y);
}

static bool find_ranges(canvas *c, const dt_text_chart *chart)
{
    c->x_low = c->y_low = INFINITY;
    c->x_high = c->y_high = -INFINITY;
    double x, y;
    for (size_t k = 0; k < chart->line_count; k++)
        for (size_t i = 0; i < chart->lines[k].count; i++)
            if (point(&chart->lines[k], i, &x, &y)) {
                c->x_low = fmin(c->x_low, x);
                c->x_high = fmax(c->x_high, x);
                c->y_low = fmin(c->y_low, y);
                c->y_high = fmax(c->y_high, y);
            }
    return c->y_low <= c->y_high;
}

static void put_line(canvas *c, const dt_text_line *l)
{
    double x, y;
    int column = -1, row = -1;
    for (size_t i = 0; i < l->count; i++) {
        if (!point(l, i, &x, &y))
            continue;
        int to_column = dot_column(c, x), to_row = dot_row(c, y);
        put_stroke(c, column < 0 ? to_column : column, column < 0 ? to_row : row, to_column, to_row);
        column = to_column;
        row = to_row;
    }
}

/* Each point where there is room, else one every few cells; the last one always. */
static void put_marks(canvas *c, const dt_text_line *l)
{
    double x, y;
    size_t room = (size_t)c->width / 4, every = l->count > room ? (l->count + room - 1) / room : 1;
    for (size_t i = 0; i < l->count; i++)
        if ((i % every == 0 || i + 1 == l->count) && point(l, i, &x, &y))
            c->marks[dot_row(c, y) / 4 * c->width + dot_column(c, x) / 2] = l->mark;
}

static void add_cell(const canvas *c, int column, int row, bool unicode, dt_buffer *out)
{
    unsigned dots = c->dots[row * c->width + column];
    char mark = c->marks[row * c->width + column];
    if (mark)
        dt_buffer_format(out, "%c", mark);
    else if (!dots)
        dt_buffer_add(out, " ");
    else if (!unicode)
        dt_buffer_add(out, ".");
    else /* U+2800 and the dots */
        dt_buffer_format(out, "\xE2%c%c", (int)(0xA0 + (dots >> 6)), (int)(0x80 + (dots & 0x3F)));
}

/* The value at the height of a row, at the ends and in the middle. */
static void add_y_label(const canvas *c, int row, bool unicode, dt_buffer *out)
{
    int middle = (c->height - 1) / 2;
    bool single = c->y_low == c->y_high, labelled = row == middle || (!single && (row == 0 || row == c->height - 1));
    if (labelled) {
        double down = (double)row / (c->height - 1);
        dt_buffer_format(out, "%*.4g ", MARGIN - 3, single ? c->y_low : c->y_high * (1 - down) + c->y_low * down);
    } else
        dt_buffer_repeat(out, " ", MARGIN - 2);
    dt_buffer_add(out, unicode ? labelled ? "┤" : "│" : labelled ? "+" : "|");
}

static void add_x_labels(const canvas *c, const dt_text_chart *chart, dt_buffer *out)
{
    char first[32], last[64];
    snprintf(first, sizeof first, "%.6g", c->x_low);
    snprintf(last, sizeof last, "%.6g%s", c->x_high, chart->x_note);
    int label = (int)strlen(chart->x_label), left = (c->width - label) / 2 - (int)strlen(first);
    int right = c->width - left - label - (int)strlen(first) - (int)strlen(last);
    dt_buffer_repeat(out, " ", MARGIN - 1);
    dt_buffer_add(out, first);
    dt_buffer_repeat(out, " ", left < 1 ? 1 : left);
    dt_buffer_add(out, chart->x_label);
    dt_buffer_repeat(out, " ", right < 1 ? 1 : right);
    dt_buffer_format(out, "%s\n", last);
}

static void add_canvas(const canvas *c, const dt_text_chart *chart, bool unicode, dt_buffer *out)
{
    dt_buffer_repeat(out, " ", MARGIN - 1);
    dt_buffer_format(out, "%s\n", chart->label);
    for (int row = 0; row < c->height; row++) {
        add_y_label(c, row, unicode, out);
        int used = c->width; /* nothing follows the last letter of a line */
        while (used > 0 && !c->dots[row * c->width + used - 1] && !c->marks[row * c->width + used - 1])
            used--;
        for (int column = 0; column < used; column++)
            add_cell(c, column, row, unicode, out);
        dt_buffer_add(out, "\n");
    }
    dt_buffer_repeat(out, " ", MARGIN - 2);
    dt_buffer_add(out, unicode ? "└" : "+");
    dt_buffer_repeat(out, unicode ? "─" : "-", c->width);
    dt_buffer_add(out, "\n");
    add_x_labels(c, chart, out);
}

dt_status dt_text_chart_draw(const dt_text_chart *chart, dt_text_style style, dt_buffer *out, dt_error *error)
{
    canvas c = {.width = style.width - MARGIN, .height = chart->height};
    if (!find_ranges(&c, chart))
        return DT_OK;
    size_t cells = (size_t)c.width * (size_t)c.height;
    c.dots = dt_allocate_zeroed(cells, 2);
    if (!c.dots)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for a chart");
    c.marks = (char *)c.dots + cells;
    for (size_t i = 0; i < chart->line_count; i++)
        put_line(&c, &chart->lines[i]);
    for (size_t i = 0; i < chart->line_count; i++)
        put_marks(&c, &chart->lines[i]);
    add_canvas(&c, chart, style.unicode, out);
    dt_release(c.dots);
    return DT_OK;
}

/* --- bars --- */

static double bar_height(const double *y, size_t first, size_t last, size_t stride, bool logarithmic)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = first; i < last; i++) {
        double v = logarithmic ? log(y[i * stride]) : y[i * stride];
        if (!isfinite(v))
            continue;
        sum += v;
        count++;
    }
    return count ? sum / (double)count : NAN;
}

void dt_text_bars(const double *y, size_t count, size_t stride, double low, double high, bool logarithmic, int width,
                  dt_text_style style, dt_buffer *out)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const letters[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    double bottom = logarithmic ? log(low) : low, top = logarithmic ? log(high) : high;
    for (int i = 0; i < width; i++) {
        size_t first = (size_t)i * count / (size_t)width, last = (size_t)(i + 1) * count / (size_t)width;
        double h = bar_height(y, first, last > first ? last : first + 1, stride, logarithmic);
        if (!isfinite(h)) {
            dt_buffer_add(out, " ");
            continue;
        }
        int level = top > bottom ? (int)(share(h, bottom, top) * 8) : 0;
        dt_buffer_add(out, (style.unicode ? bars : letters)[level > 7 ? 7 : level]);
    }
}

/* --- series --- */

enum { NUMBER = 10 };

static int bars_width(dt_text_style style)
{
    const int width = style.width - DT_TEXT_NAME - 4 * NUMBER;
    return width < 8 ? 8 : width;
}

void dt_text_add_series_head(const char *label, bool logarithmic, dt_text_style style, dt_buffer *out)
{
    const char *scale = logarithmic ? ", logarithmic" : "";
    const int pad = DT_TEXT_NAME + bars_width(style) - (int)(dt_characters(label) + strlen(scale));
    dt_buffer_format(out, "\n%s%s%*s%*s%*s%*s%*s\n", label, scale, pad < 0 ? 0 : pad, "", NUMBER, "first", NUMBER,
                     "last", NUMBER, "min", NUMBER, "max");
}

void dt_text_add_series(const char *name, const double *y, size_t count, size_t stride, double low, double high,
                        bool logarithmic, dt_text_style style, dt_buffer *out)
{
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < count; i++)
        if (isfinite(y[i * stride])) {
            least = fmin(least, y[i * stride]);
            most = fmax(most, y[i * stride]);
        }
    dt_buffer_format(out, "%-*s", DT_TEXT_NAME, name);
    dt_text_bars(y, count, stride, low, high, logarithmic, bars_width(style), style, out);
    dt_buffer_format(out, "%*.3g%*.3g%*.3g%*.3g\n", NUMBER, y[0], NUMBER, y[(count - 1) * stride], NUMBER, least,
                     NUMBER, most);
}
