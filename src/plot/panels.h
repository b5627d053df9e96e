/* Pictures that are panels of lines and bands over the captured steps. A kind fills a sheet, says which of its columns
 * a panel shows, and has the settings of plots/panels.gp and the same in letters.
 */
#ifndef DT_PLOT_PANELS_H
#define DT_PLOT_PANELS_H

#include <stdbool.h>

#include "plot/capture.h"
#include "plot/gnuplot.h"
#include "plot/maker.h"

enum { DT_PANELS_MAX = 72, DT_PANEL_ITEMS_MAX = 512, DT_PANEL_KEYS_MAX = 80, DT_PANEL_TEXT = 96 };

typedef enum dt_panel_shape {
    DT_SHAPE_BAND, /* between two columns, pale */
    DT_SHAPE_CORE, /* the same, less pale, for a band within a band */
    DT_SHAPE_LINE,
    DT_SHAPE_THIN /* a pale thin line: what the bold one is made of */
} dt_panel_shape;

/* Columns of a block of the sheet, from 0; of a line `column` alone. `rank`: from 1, the colour, dashes and symbol;
 * -1 and -2: of what is no layer's. */
typedef struct dt_panel_item {
    dt_panel_shape shape;
    size_t block, column, upper;
    int rank;
    char name[16]; /* in letters; "": not drawn there */
} dt_panel_item;

/* A wide panel has a row of its own; others stand side by side. */
typedef struct dt_panel {
    char label[DT_PANEL_TEXT], title[DT_PANEL_TEXT]; /* of the y axis; inside the panel, or "" */
    const char *ascii;                               /* the label in ASCII */
    bool wide;
    int first, last; /* items */
    double low, high, least;
    dt_axis axis;
} dt_panel;

typedef struct dt_panel_key {
    char name[DT_PANEL_TEXT];
    dt_panel_shape shape;
    int rank;
} dt_panel_key;

typedef struct dt_panels {
    char heading[2 * DT_PANEL_TEXT];
    int columns; /* of panels that are not wide */
    int ranks;   /* colours in all */
    dt_panel panels[DT_PANELS_MAX];
    int count;
    dt_panel_item items[DT_PANEL_ITEMS_MAX];
    int item_count;
    dt_panel_key keys[DT_PANEL_KEYS_MAX];
    int key_count;
    double last_step;
} dt_panels;

/* Reads the run's capture into a sheet with a block for each layer; `columns` are names, `title` says what they are. */
dt_status dt_panels_read(const dt_plot_run *run, const dt_figure_query *query, const char *title,
                         const char *const *columns, dt_sheet *sheet, dt_capture_series *capture, dt_arena *arena,
                         dt_error *error);

/* "name, captured by rules a, b" from the figures that were captured, and `more`. */
void dt_panels_heading(dt_panels *panels, const dt_plot_run *run, const dt_capture_series *capture, const char *more);

/* A new panel, to which items are added until the next; NULL where there is no room. */
dt_panel *dt_panels_add(dt_panels *panels, const char *label, const char *ascii, const char *title, bool wide);

/* Adds to the last panel and widens its range, unless the columns hold no finite number: false, and nothing is added.
 */
bool dt_panels_add_item(dt_panels *panels, const dt_sheet *sheet, const dt_panel_item *item);

void dt_panels_add_key(dt_panels *panels, const char *name, dt_panel_shape shape, int rank);

/* Ends the last panel: its axis. `from_zero`: linear from 0; `ratio`: logarithmic where high / low is at least that
 * (INFINITY: never). A panel without items is taken away again: false. */
bool dt_panels_end(dt_panels *panels, bool from_zero, double ratio);

/* rank_of[layer]: from 1, the layer's place among those with a series; 0: has none. Returns how many have. */
int dt_panels_rank_layers(const dt_capture_series *capture, int rank_of[DT_CAPTURE_LAYERS_MAX + 1]);

/* A line for each layer that some item shows. */
void dt_panels_add_layer_keys(dt_panels *panels, const int rank_of[DT_CAPTURE_LAYERS_MAX + 1]);

/* dt_plot_maker's, for a picture whose `own` is a dt_panels. */
void dt_panels_settings(const dt_picture *picture, dt_buffer *out);
dt_status dt_panels_text(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error);

/* Are the steps of the sheet spread so that a logarithmic axis shows them better? */
bool dt_steps_are_logarithmic(const dt_sheet *sheet);

#endif
