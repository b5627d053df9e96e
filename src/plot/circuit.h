/* Pictures of gate circuits: the drawings of circuit/figure.h through gnuplot, their numbers as a table for other
 * programs, and in letters for a terminal.
 */
#ifndef DT_PLOT_CIRCUIT_H
#define DT_PLOT_CIRCUIT_H

#include "base/buffer.h"
#include "circuit/figure.h"
#include "plot/text.h"

/* Draws into `path`, FOLDER/STEM.svg, .png or .pdf, in a folder that is there; STEM.gp with what gnuplot was told stays
 * beside it, and STEM.tsv with `numbers`, which may be NULL. The stem is 1 to 48 of A-Z a-z 0-9 . _ -, and doesn't
 * begin with . or -: DT_INVALID else, DT_UNKNOWN_NAME for another ending. The rest as dt_gnuplot_run. */
dt_status dt_circuit_draw(const dt_drawing *drawing, const dt_buffer *numbers, const char *path, dt_error *error);

/* The same refusals, and DT_NOT_FOUND where there is no such folder, before anything is computed. */
dt_status dt_circuit_path_check(const char *path, dt_error *error);

/* The script alone. */
void dt_circuit_script(const dt_drawing *drawing, const char *stem, const char *format, dt_buffer *out);

/* Every value and gradient, a line each: quantity layer unit input value gradient, with "-" for what doesn't apply. Of
 * a unit: all its inputs, shown or not; the gradient of `a_in` is this unit's part of it. */
void dt_circuit_unit_sheet(const dt_unit_numbers *numbers, dt_buffer *out);
void dt_circuit_network_sheet(const dt_network_numbers *network, dt_buffer *out);

/* A table in letters, at most 80 columns wide unless numbers are large; values green and gradients red where `colour`.
 */
void dt_circuit_unit_text(const dt_unit_numbers *numbers, int64_t most, const char *heading, dt_text_style style,
                          bool colour, dt_buffer *out);
void dt_circuit_network_text(const dt_network_numbers *network, const char *heading, dt_text_style style, bool colour,
                             dt_buffer *out);

#endif
