/* Charts: panels of marks with intervals, of lines, of stacked bars, with a key. What pictures of studies are made of;
 * plots/chart.gp draws them.
 *
 * The sheet's blocks are the items, all of the same columns: x, y, low, high. What an interval doesn't have is NAN.
 */
#ifndef DT_PLOT_CHART_H
#define DT_PLOT_CHART_H

#include <stdbool.h>

#include "plot/gnuplot.h"
#include "plot/maker.h"

enum {
    DT_CHART_COLUMNS = 4,
    DT_CHART_PANELS = 12,
    DT_CHART_ITEMS = 256,
    DT_CHART_TEXTS = 320,
    DT_CHART_TEXT = 120,
    DT_CHART_TITLE = 36
};

typedef enum dt_chart_shape {
    DT_CHART_MARKS,  /* symbols with vertical intervals */
    DT_CHART_HOLLOW, /* the same, hollow: oversubscribed, flagged */
    DT_CHART_LINE,
    DT_CHART_DASHED, /* what wasn't measured: ideals, extrapolations, predictions */
    DT_CHART_ACROSS, /* symbols with horizontal intervals: low and high are of x */
    DT_CHART_BAR     /* from low to high at x, one bar wide */
} dt_chart_shape;

typedef struct dt_chart_item {
    dt_chart_shape shape;
    int rank;                 /* colour and symbol from 1; 0: grey */
    char name[DT_CHART_TEXT]; /* in the key, once for all items of that name; "": not there */
} dt_chart_item;

/* A word in the picture at x, y, or at a tic of an axis; plots/chart.gp knows the numbers. */
typedef struct dt_chart_text {
    int panel;
    enum {
        DT_CHART_TIC_X = 1,
        DT_CHART_TIC_Y = 2,
        DT_CHART_ABOVE = 3, /* of a mark, centred */
        DT_CHART_BELOW = 4,
        DT_CHART_LINED = 5, /* begins there, above a level line */
        DT_CHART_ALONG = 6, /* begins there, along and above a line of y proportional to x, axes logarithmic */
        DT_CHART_HIGHER = 7 /* above what is above */
    } where;
    double x, y;
    char text[DT_CHART_TEXT];
} dt_chart_text;

typedef struct dt_chart_panel {
    char title[DT_CHART_TEXT];
    const char *x_label, *y_label;
    int first, last; /* items */
    dt_axis x, y;
    bool beside; /* marks of one x stand beside each other, by rank */
} dt_chart_panel;

typedef struct dt_chart {
    char heading[2 * DT_CHART_TEXT];
    dt_chart_panel panels[DT_CHART_PANELS];
    int panel_count, item_count, text_count;
    int panel_height; /* pixels; 0: 320 */
    bool wide;        /* panels have the whole width each */
    bool narrow;      /* the picture is as wide as a phone; panels stand below each other */
    dt_chart_item items[DT_CHART_ITEMS];
    dt_chart_text texts[DT_CHART_TEXTS];
    double y_least; /* for dt_chart_end: what an axis at least reaches to; NAN */
} dt_chart;

/* An empty chart that is the picture's `own`, and a sheet with room for its items. */
dt_status dt_chart_begin(dt_picture *picture, const char *title, dt_chart **chart, dt_arena *arena, dt_error *error);

/* The heading: whose it is, cut to what there is room for, and what is shown; in a narrow picture, which stands in a
 * page that says whose it is, the latter alone. */
void dt_chart_head(dt_chart *chart, const char *whose, const char *what);

/* At most that many characters of a text, the last "…" where there is more. */
void dt_chart_cut(char cut[DT_CHART_TEXT], const char *text, size_t most);

/* A new panel, NULL where there is no room; its items follow. Of the title DT_CHART_TITLE characters are shown. */
dt_chart_panel *dt_chart_add_panel(dt_chart *chart, const char *title, const char *x_label, const char *y_label);

/* A new item with room for `rows`, to be filled by dt_chart_add_row; false where there is no room, which leaves it out.
 * DT_NO_MEMORY sets *status. */
bool dt_chart_add_item(dt_picture *picture, dt_chart_shape shape, int rank, const char *name, size_t rows,
                       dt_arena *arena, dt_status *status);
void dt_chart_add_row(dt_picture *picture, double x, double y, double low, double high);

void dt_chart_add_text(dt_chart *chart, int where, double x, double y, const char *text);

/* Ends the last panel: its axes are made from its items, linear from 0, or logarithmic. Items without rows are taken
 * away, and so is a panel without items: false. */
bool dt_chart_end(dt_picture *picture, bool x_logarithmic, bool y_logarithmic);

/* dt_plot_maker's. */
void dt_chart_settings(const dt_picture *picture, dt_buffer *out);
dt_status dt_chart_letters(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error);

#endif
