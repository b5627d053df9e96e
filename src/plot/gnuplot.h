/* gnuplot: what is written for it, and starting it. No shell, no string of others in a place where gnuplot executes
 * something: it runs what stands between backquotes in double quotes, `plot '< command'` and `set output '|command'`,
 * so strings are always in single quotes and file names are our own. */
#ifndef DT_PLOT_GNUPLOT_H
#define DT_PLOT_GNUPLOT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "deltoid/status.h"

/* The scripts of plots/, which every written script ends in. */
extern const char dt_script_style[], dt_script_curves[], dt_script_layers[], dt_script_panels[], dt_script_heat[],
    dt_script_ridges[], dt_script_sweep_curves[], dt_script_sweep_keys[], dt_script_chart[];

/* The i-th format gnuplot draws for us, NULL past the last: also the picture's file ending. */
const char *dt_gnuplot_format_at(size_t i);

/* name = 'text', for text from outside: at most `most` characters of it, made fit by dt_buffer_add_outside. */
void dt_gnuplot_add_text(dt_buffer *out, const char *name, const char *text, size_t most);

/* array name[count] = ['...', ...]: the same for several, and for numbers. count >= 1. */
void dt_gnuplot_add_texts(dt_buffer *out, const char *name, const char *const *texts, size_t count, size_t most);
void dt_gnuplot_add_integers(dt_buffer *out, const char *name, const int *values, size_t count);
void dt_gnuplot_add_numbers(dt_buffer *out, const char *name, const double *values, size_t count);

/* name = 1.5 */
void dt_gnuplot_add_number(dt_buffer *out, const char *name, double value);

/* What an axis spans: a little more than low .. high, and at least `least`. Logarithmic where 0 < low and high / low is
 * at least `ratio` (INFINITY: never). */
typedef struct dt_axis {
    double low, high;
    bool logarithmic;
} dt_axis;

dt_axis dt_axis_around(double low, double high, double least, double ratio);

/* How a key of `count` entries, the longest of `longest` characters, is laid out above the picture: the settings
 * key_rows and key_columns; returns the rows. */
int dt_gnuplot_add_key(dt_buffer *out, size_t longest, size_t count);

/* Runs STEM.gp in `folder`, which is to write STEM.FORMAT there; what lay under that name is removed first. Its
 * complaint, one line, becomes the message. DT_UNSUPPORTED where there is no gnuplot, or it can't draw the format;
 * DT_IO where the picture is not whole. */
dt_status dt_gnuplot_run(const char *folder, const char *stem, const char *format, dt_error *error);

#endif
