/* Pictures in letters, for a terminal: charts of lines in braille dots, rows of bars; or both in ASCII. */
#ifndef DT_PLOT_TEXT_H
#define DT_PLOT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "deltoid/status.h"
#include "plot/plot.h"

typedef struct dt_text_style {
    int width; /* columns */
    bool unicode;
} dt_text_style;

/* From the options and, where they leave it open, from $COLUMNS and the environment's locale (the process's own is not
 * changed). */
dt_text_style dt_text_style_of(const dt_plot_options *options);

/* What came from outside, as dt_buffer_add_outside, in ASCII where the style is. Returns the characters. */
size_t dt_text_add_outside(dt_buffer *out, dt_text_style style, const char *text, size_t most);

/* The heading as the first line; clears it. */
void dt_text_add_heading(dt_buffer *out, dt_text_style style, dt_buffer *heading);

/* Points (x[i * stride], y[i * stride]), i < count, joined where both are finite, some of them marked by a letter. */
typedef struct dt_text_line {
    const double *x, *y;
    size_t count, stride;
    char mark;
} dt_text_line;

typedef struct dt_text_chart {
    const char *label; /* above the chart */
    int height;        /* rows of the panel */
    const dt_text_line *lines;
    size_t line_count;
    const char *x_label;
    const char *x_note; /* after the last x under the axis: " (12 s)", or "" */
} dt_text_chart;

/* The panel reaches from the smallest to the largest value of x and y, which are written beside it. Nothing where no
 * point is finite. */
dt_status dt_text_chart_draw(const dt_text_chart *chart, dt_text_style style, dt_buffer *out, dt_error *error);

/* `width` bars: each the mean of its share of y[i * stride], i < count (or of the logarithms of those above 0), between
 * low and high. */
void dt_text_bars(const double *y, size_t count, size_t stride, double low, double high, bool logarithmic, int width,
                  dt_text_style style, dt_buffer *out);

/* Several series of numbers, a line each: a name of at most DT_TEXT_NAME - 1 letters, bars, and the first, the last,
 * the smallest and the largest number; under a head that says what they are. */
enum { DT_TEXT_NAME = 10 };
void dt_text_add_series_head(const char *label, bool logarithmic, dt_text_style style, dt_buffer *out);
void dt_text_add_series(const char *name, const double *y, size_t count, size_t stride, double low, double high,
                        bool logarithmic, dt_text_style style, dt_buffer *out);

#endif
