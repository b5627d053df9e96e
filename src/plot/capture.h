/* What is drawn of a capture: figures of each layer and captured step. A kind of picture says which (measure.h has what
 * can be taken of a data set); the file is read here.
 */
#ifndef DT_PLOT_CAPTURE_H
#define DT_PLOT_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "deltoid/status.h"
#include "plot/measure.h"

/* The first columns of dt_layer_series.values; those of the figures follow in their order. */
enum { DT_COLUMN_LAYER, DT_COLUMN_STEP, DT_COLUMN_EPOCH, DT_COLUMN_FIRST };

enum {
    DT_CAPTURE_LAYERS_MAX = 64, /* layers 1 .. 64 are drawn */
    DT_FIGURES_MAX = 8,
    DT_FIGURE_WIDTH_MAX = 520,  /* columns of all figures */
    DT_SERIES_STEPS_MAX = 2048, /* of more captured steps, and of very large ones, fewer are read */
    DT_CAPTURE_SERIES_MAX = 1 + DT_CAPTURE_LAYERS_MAX * DT_FIGURES_MAX
};

/* A figure: what it is made of, the better first, of which a rule's first one counts. All sources make `width` numbers
 * of a step. Without a source: columns for what the kind computes. */
typedef struct dt_figure {
    const dt_measure *sources;
    int source_count, width;
    bool network; /* is also looked for in the rule's own group, where it is of the whole network: layer 0 */
} dt_figure;

typedef struct dt_figure_query {
    const dt_figure *figures;
    int count;          /* 1 .. DT_FIGURES_MAX */
    int64_t steps_most; /* rows of a layer at most; 0: DT_SERIES_STEPS_MAX */
    bool ends;          /* thinned steps reach from the first to the last; else every k-th from the first, k as small
                           as steps_most allows */
    int layer;          /* this one alone; 0: all */
    int64_t unit;       /* for measures of one unit, by its number in the layer; a rule may have some units only */
    const char *none;   /* what a capture without any of it lacks, and what to do */
} dt_figure_query;

/* NaN: not captured. */
typedef struct dt_layer_series {
    char rule[65];
    int layer;              /* 0: the whole network */
    int64_t rows, captured; /* rows read of the steps captured */
    double *values;         /* (rows, columns) */
} dt_layer_series;

typedef struct dt_capture_series {
    dt_layer_series *series; /* by rule, then by layer; with room for one that a kind adds */
    size_t count, columns;
    char rule_of[DT_FIGURES_MAX][65]; /* the rule that shows a figure; "": not captured */
    int source_of[DT_FIGURES_MAX];    /* which of the figure's sources it is taken from */
} dt_capture_series;

/* Reads capture.h5. Each figure is taken from the rule that has it at the most steps; of equals, from that with the
 * better source, then from the first by name.
 *
 * The file is opened in a child process with bounded memory, processor time and no right to write, since the HDF5
 * library may crash or never end on a damaged one; so the calling program should have no other thread that holds a lock
 * of HDF5. DT_NOT_FOUND where there is no file or nothing of the figures in it, DT_MALFORMED, DT_IO, DT_SYSTEM,
 * DT_NO_MEMORY. */
dt_status dt_capture_series_read(const char *path, const dt_figure_query *query, dt_arena *arena,
                                 dt_capture_series *capture, dt_error *error);

/* The first column of a figure. */
size_t dt_figure_column(const dt_figure_query *query, int figure);

#endif
