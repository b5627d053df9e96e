/* How large delta is in each layer over the captured steps: a heat map. From delta itself, or from its statistics.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plot/panels.h"

enum {
    OF_RAW,
    OF_NORM,
    OF_ABSMAX,
    OF_EDGES,
    FIGURES,
    COLUMN_ABSMEAN = DT_COLUMN_FIRST,
    COLUMN_NORM,
    COLUMN_ABSMAX,
    COLUMN_NORM_STATISTIC,
    COLUMN_ABSMAX_STATISTIC,
    COLUMN_FROM, /* of a cell on the axis of steps */
    COLUMN_TO,
    COLUMNS,
    CELLS_MAX = 256, /* of a layer */
    FRAME_HEIGHT = 126,
    ROW_LEAST = 14,
    ROWS_HEIGHT = 300
};

static const char *const columns[] = {"layer",
                                      "step",
                                      "epoch",
                                      "delta_absmean",
                                      "delta_norm",
                                      "delta_absmax",
                                      "delta_norm_statistic",
                                      "delta_absmax_statistic",
                                      "cell_from",
                                      "cell_to"};

static const dt_figure_query query = {
    .figures =
        (const dt_figure[]){
            {.sources = (const dt_measure[]){{"delta", 3, dt_take_sizes, NULL, 0, 0, false}},
             .source_count = 1,
             .width = 3},
            {.sources = (const dt_measure[]){{"delta_norm", 1, dt_take_number, NULL, 0, 0, false}},
             .source_count = 1,
             .width = 1},
            {.sources = (const dt_measure[]){{"delta_absmax", 1, dt_take_number, NULL, 0, 0, false}},
             .source_count = 1,
             .width = 1},
            {.width = COLUMNS - COLUMN_FROM},
        },
    .count = FIGURES,
    .steps_most = CELLS_MAX,
    .none = "has no delta; capture delta, delta_norm or delta_absmax (quantities: [delta], layers: all)",
};

/* What is drawn: the first of these that was captured. */
static const struct {
    int figure;
    size_t column;
    const char *label, *letters, *ascii; /* gnuplot takes _{ij} as an index */
} shown[] = {
    {OF_RAW, COLUMN_ABSMEAN, "mean |δ_{ij}|", "mean |δ_ij|", "mean |delta_ij|"},
    {OF_NORM, COLUMN_NORM_STATISTIC, "|δ|", "|δ|", "|delta|"},
    {OF_ABSMAX, COLUMN_ABSMAX_STATISTIC, "largest |δ_{ij}|", "largest |δ_ij|", "largest |delta_ij|"},
};

typedef struct heat {
    dt_panels panels; /* of its items one a row; they also make the drawing in letters */
    int layer[DT_CAPTURE_LAYERS_MAX];
    int what;
} heat;

/* A cell reaches half way to its neighbours. */
static void add_edges(dt_sheet *sheet)
{
    for (size_t b = 0; b < sheet->block_count; b++) {
        const dt_sheet_block *block = &sheet->blocks[b];
        for (size_t row = 0; row < block->rows; row++) {
            double *v = block->values + row * sheet->column_count;
            const double step = v[DT_COLUMN_STEP];
            const double before = row > 0 ? (v - sheet->column_count)[DT_COLUMN_STEP] : NAN;
            const double after = row + 1 < block->rows ? (v + sheet->column_count)[DT_COLUMN_STEP] : NAN;
            const double left = isnan(before) ? (isnan(after) ? 1 : after - step) : step - before;
            const double right = isnan(after) ? left : after - step;
            v[COLUMN_FROM] = step - left / 2;
            v[COLUMN_TO] = step + right / 2;
        }
    }
}

static dt_status load(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                      dt_arena *arena, dt_error *error)
{
    (void)count, (void)options;
    dt_capture_series capture = {0};
    dt_sheet *sheet = &picture->sheet;
    heat *h = dt_arena_allocate(arena, 1, sizeof *h);
    if (!h)
        return dt_fail_memory(error, "panels");
    dt_status status =
        dt_panels_read(&runs[0], &query,
                       "Each layer's delta at captured steps: delta_absmean, the mean of |delta_ij| over samples "
                       "and units; delta_norm, the mean over samples of |delta_i|; delta_absmax, the largest "
                       "|delta_ij|; the statistics as they were captured; where the picture's cell begins and ends.",
                       columns, sheet, &capture, arena, error);
    if (status != DT_OK)
        return status;
    add_edges(sheet);
    while (!capture.rule_of[shown[h->what].figure][0])
        h->what++; /* one of them is, or nothing was found */
    dt_panels_add(&h->panels, shown[h->what].letters, shown[h->what].ascii, "", true);
    for (int layer = 1; layer <= DT_CAPTURE_LAYERS_MAX; layer++)
        for (size_t b = 0; b < sheet->block_count; b++) {
            dt_panel_item item = {.shape = DT_SHAPE_LINE, .block = b, .column = shown[h->what].column, .rank = 1};
            snprintf(item.name, sizeof item.name, "layer %d", layer);
            if (capture.series[b].layer == layer && h->panels.item_count < DT_CAPTURE_LAYERS_MAX &&
                strcmp(capture.series[b].rule, capture.rule_of[shown[h->what].figure]) == 0 &&
                dt_panels_add_item(&h->panels, sheet, &item))
                h->layer[h->panels.item_count - 1] = layer;
        }
    if (!dt_panels_end(&h->panels, false, 3))
        return dt_fail(error, DT_NOT_FOUND, "%s: delta holds no finite number; there is nothing to draw", runs[0].path);
    for (int f = 0; f < FIGURES; f++)
        if (f != shown[h->what].figure)
            capture.rule_of[f][0] = '\0'; /* not drawn */
    dt_panels_heading(&h->panels, &runs[0], &capture, "");
    picture->own = h;
    return DT_OK;
}

static void settings(const dt_picture *picture, dt_buffer *out)
{
    const heat *h = picture->own;
    const dt_panels *panels = &h->panels;
    const dt_panel *p = &panels->panels[0];
    int block[DT_CAPTURE_LAYERS_MAX];
    const int rows = panels->item_count, row = ROWS_HEIGHT / rows;
    double from = INFINITY, to = -INFINITY;
    for (int i = 0; i < rows; i++) {
        block[i] = (int)panels->items[i].block;
        dt_sheet_range(&picture->sheet, &picture->sheet.blocks[block[i]], COLUMN_FROM, &from, &to);
        dt_sheet_range(&picture->sheet, &picture->sheet.blocks[block[i]], COLUMN_TO, &from, &to);
    }
    dt_gnuplot_add_text(out, "heading", panels->heading, sizeof panels->heading);
    dt_buffer_format(out, "height = %d\nrows = %d\ncolumn_of = %d\nlogarithmic = %d\n",
                     FRAME_HEIGHT + rows * (row > 150         ? 150
                                            : row < ROW_LEAST ? ROW_LEAST
                                                              : row),
                     rows, (int)shown[h->what].column + 1, p->axis.logarithmic);
    dt_gnuplot_add_text(out, "label", shown[h->what].label, DT_PANEL_TEXT);
    dt_gnuplot_add_integers(out, "block", block, (size_t)rows);
    dt_gnuplot_add_integers(out, "layer", h->layer, (size_t)rows);
    dt_gnuplot_add_number(out, "low", p->axis.logarithmic ? p->least : p->low < p->high ? p->low : p->axis.low);
    dt_gnuplot_add_number(out, "high", p->low < p->high ? p->high : p->axis.high);
    dt_buffer_format(out, "log_x = %d\n", dt_steps_are_logarithmic(&picture->sheet));
    dt_gnuplot_add_number(out, "first_step", isfinite(from) ? from : 0);
    dt_gnuplot_add_number(out, "last_step", isfinite(to) ? to : 1);
}

static dt_status text(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error)
{
    heat *h = picture->own;
    return dt_panels_text(&(dt_picture){picture->sheet, &h->panels}, style, out, error);
}

const dt_plot_maker dt_deltas_maker = {.script = dt_script_heat, .load = load, .settings = settings, .text = text};
