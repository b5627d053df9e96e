/* Per layer, over the steps of a capture: the norms of delta and dW, the share of activations that are 0. Each from the
 * rule that captured its quantity at the most steps (capture.h). Norms that span more than NORM_RATIO go on a
 * logarithmic axis, which leaves out zeros.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plot/gnuplot.h"
#include "plot/layers.h"
#include "plot/maker.h"

static const char *const columns[DT_LAYER_COLUMNS] = {"layer", "step", "epoch", "delta_norm", "dW_norm", "zero_share"};

static const struct {
    const char *label, *ascii;
} figures[DT_FIGURES] = {
    {"mean |δ|", "mean |delta|"},
    {"|dW|", "|dW|"},
    {"share of a = 0", "share of a = 0"},
};

static const dt_figure_query query = {
    .figures =
        (const dt_figure[]){
            {.sources = (const dt_measure[]){{"delta", 3, dt_take_norm, NULL, 0, 0, false}},
             .source_count = 1,
             .width = 1},
            {.sources = (const dt_measure[]){{"dW", 3, dt_take_frobenius, NULL, 0, 0, false}},
             .source_count = 1,
             .width = 1},
            {.sources = (const dt_measure[]){{"a", 3, dt_take_zeros, NULL, 0, 0, false}},
             .source_count = 1,
             .width = 1},
        },
    .count = DT_FIGURES,
    .none = "has no delta, dW or a of any layer to draw; capture one of these quantities",
};

static const double NORM_RATIO = 10;

enum {
    LAYERS_MAX = 64,
    LINES_MAX = LAYERS_MAX * DT_FIGURES,
    HEADING_MAX = 100,
    NAME_SHOWN = 50,
    PANEL_HEIGHT = 215, /* pixels, with the gap to the next */
    FRAME_HEIGHT = 112,
    KEY_ROW = 23
};

/* A line shows a block of the sheet; it looks like the others of its layer in all panels. */
typedef struct panel {
    int figure;
    int first, last;         /* lines */
    double low, high, least; /* of all finite values; least: the smallest above 0 */
    dt_axis axis;
} panel;

typedef struct layers {
    const dt_plot_run *run;
    dt_capture_series capture;
    panel panels[DT_FIGURES];
    int panel_count, line_count;
    int block[LINES_MAX], rank[LINES_MAX]; /* rank: from 1, the layer's place among those shown */
    int layer[LAYERS_MAX];                 /* numbers of the layers shown, ascending */
    int layer_count;
    double last_step;
} layers;

static size_t column_of(const panel *p)
{
    return (size_t)(DT_COLUMN_DELTA_NORM + p->figure);
}

/* --- reading --- */

static dt_status fill_sheet(dt_sheet *sheet, const dt_capture_series *capture, dt_arena *arena, dt_error *error)
{
    *sheet = (dt_sheet){.title = "Each layer at captured steps: delta_norm, the mean over samples of the Euclidean "
                                 "norm of a sample's delta; "
                                 "dW_norm, the Frobenius norm of dW; zero_share, the share of activations that are 0.",
                        .columns = columns,
                        .column_count = DT_LAYER_COLUMNS,
                        .blocks = dt_arena_allocate(arena, capture->count, sizeof(dt_sheet_block)),
                        .block_count = capture->count};
    if (!sheet->blocks)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for the figures of %zu layers", capture->count);
    for (size_t i = 0; i < capture->count; i++) {
        enum { TITLE_MAX = 160 };
        const dt_layer_series *s = &capture->series[i];
        char *title = dt_arena_allocate(arena, TITLE_MAX, 1);
        if (!title)
            return dt_fail(error, DT_NO_MEMORY, "out of memory for the figures of %zu layers", capture->count);
        snprintf(title, TITLE_MAX, "rule %s, layer %d: %lld of %lld captured steps", s->rule, s->layer,
                 (long long)s->rows, (long long)s->captured);
        sheet->blocks[i] = (dt_sheet_block){title, (size_t)s->rows, s->values};
    }
    return DT_OK;
}

/* Which layers there are, ascending. */
static void list_layers(layers *l)
{
    for (int number = 1; number <= LAYERS_MAX; number++)
        for (size_t i = 0; i < l->capture.count; i++)
            if (l->capture.series[i].layer == number) {
                l->layer[l->layer_count++] = number;
                break;
            }
}

static int rank_of(const layers *l, int layer)
{
    int rank = 0;
    while (rank < l->layer_count && l->layer[rank] != layer)
        rank++;
    return rank + 1;
}

/* A panel for a figure that was captured, with a line for each layer that has any. */
static void add_panel(layers *l, const dt_sheet *sheet, int figure)
{
    panel *p = &l->panels[l->panel_count];
    *p = (panel){.figure = figure, .first = l->line_count, .low = INFINITY, .high = -INFINITY, .least = INFINITY};
    for (size_t b = 0; b < sheet->block_count; b++) {
        const dt_sheet_block *block = &sheet->blocks[b];
        if (strcmp(l->capture.series[b].rule, l->capture.rule_of[figure]) != 0 ||
            dt_sheet_range(sheet, block, column_of(p), &p->low, &p->high) != DT_OK)
            continue;
        for (size_t row = 0; row < block->rows; row++) {
            double v = dt_sheet_value(sheet, block, row, column_of(p));
            if (v > 0 && isfinite(v))
                p->least = fmin(p->least, v);
        }
        dt_sheet_range(sheet, block, DT_COLUMN_STEP, &(double){INFINITY}, &l->last_step);
        l->block[l->line_count] = (int)b;
        l->rank[l->line_count++] = rank_of(l, l->capture.series[b].layer);
    }
    p->last = l->line_count - 1;
    if (p->last < p->first)
        return;
    bool share = figure + DT_COLUMN_DELTA_NORM == DT_COLUMN_ZERO_SHARE;
    double all_zero = p->high > 0 ? 0 : 1;
    p->axis = dt_axis_around(fmin(p->least, p->high), p->high, 0, share ? INFINITY : NORM_RATIO);
    if (!p->axis.logarithmic)
        p->axis = dt_axis_around(0, p->high, share ? 0.01 : all_zero, INFINITY);
    l->panel_count++;
}

static dt_status load(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                      dt_arena *arena, dt_error *error)
{
    (void)options;
    (void)count;
    layers *l = dt_arena_allocate(arena, 1, sizeof *l);
    if (!l)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for the layers' figures");
    char *path = dt_plot_run_file(&runs[0], "capture.h5", arena, error);
    dt_status status = path ? dt_capture_series_read(path, &query, arena, &l->capture, error) : DT_NO_MEMORY;
    if (status == DT_OK)
        status = fill_sheet(&picture->sheet, &l->capture, arena, error);
    if (status != DT_OK)
        return status;
    l->run = &runs[0];
    list_layers(l);
    for (int f = 0; f < DT_FIGURES; f++)
        if (l->capture.rule_of[f][0])
            add_panel(l, &picture->sheet, f);
    if (l->panel_count == 0)
        return dt_fail(error, DT_NOT_FOUND, "%s: delta, dW and a hold no finite number; there is nothing to draw",
                       path);
    picture->own = l;
    return DT_OK;
}

/* Is the rule of a panel that of none before it? */
static bool is_new_rule(const layers *l, int p)
{
    for (int before = 0; before < p; before++)
        if (strcmp(l->capture.rule_of[l->panels[p].figure], l->capture.rule_of[l->panels[before].figure]) == 0)
            return false;
    return true;
}

static void add_heading(const layers *l, dt_buffer *out)
{
    enum { RULE_SHOWN = 20 };
    int rules = 0;
    for (int p = 0; p < l->panel_count; p++)
        rules += is_new_rule(l, p);
    dt_buffer_add_outside(out, l->run->label, NAME_SHOWN);
    dt_buffer_add(out, rules > 1 ? ", captured by rules " : ", captured by rule ");
    for (int p = 0; p < l->panel_count; p++)
        if (is_new_rule(l, p)) {
            dt_buffer_add(out, p ? ", " : "");
            dt_buffer_add_outside(out, l->capture.rule_of[l->panels[p].figure], RULE_SHOWN);
        }
}

/* --- for gnuplot --- */

static void settings(const dt_picture *picture, dt_buffer *out)
{
    const layers *l = picture->own;
    const char *labels[DT_FIGURES];
    int column[DT_FIGURES], first[DT_FIGURES], last[DT_FIGURES], logarithmic[DT_FIGURES];
    double low[DT_FIGURES], high[DT_FIGURES];
    size_t panels = (size_t)l->panel_count, lines = (size_t)l->line_count;
    for (size_t i = 0; i < panels; i++) {
        const panel *p = &l->panels[i];
        labels[i] = figures[p->figure].label;
        column[i] = (int)column_of(p) + 1; /* gnuplot counts from 1, lines too */
        first[i] = p->first + 1;
        last[i] = p->last + 1;
        logarithmic[i] = p->axis.logarithmic;
        low[i] = p->axis.low;
        high[i] = p->axis.high;
    }
    dt_buffer heading = {0};
    add_heading(l, &heading);
    out->failed = out->failed || heading.failed;
    dt_gnuplot_add_text(out, "heading", heading.bytes ? heading.bytes : "", HEADING_MAX);
    dt_buffer_clear(&heading);
    int rows = dt_gnuplot_add_key(out, sizeof "layer 10" - 1, (size_t)l->layer_count);
    dt_buffer_format(out, "height = %d\npanels = %zu\n", FRAME_HEIGHT + PANEL_HEIGHT * l->panel_count + KEY_ROW * rows,
                     panels);
    dt_gnuplot_add_texts(out, "label", labels, panels, HEADING_MAX);
    dt_gnuplot_add_integers(out, "column_of", column, panels);
    dt_gnuplot_add_integers(out, "first_line", first, panels);
    dt_gnuplot_add_integers(out, "last_line", last, panels);
    dt_gnuplot_add_integers(out, "logarithmic", logarithmic, panels);
    dt_gnuplot_add_numbers(out, "low", low, panels);
    dt_gnuplot_add_numbers(out, "high", high, panels);
    dt_gnuplot_add_integers(out, "block", l->block, lines);
    dt_gnuplot_add_integers(out, "rank", l->rank, lines);
    dt_buffer_format(out, "layers = %d\n", l->layer_count);
    dt_gnuplot_add_integers(out, "layer", l->layer, (size_t)l->layer_count);
    dt_gnuplot_add_number(out, "last_step", l->last_step);
}

/* --- in letters --- */

static void add_rows(const layers *l, const panel *p, const dt_sheet *sheet, dt_text_style style, dt_buffer *out)
{
    const bool logarithmic = p->axis.logarithmic;
    dt_text_add_series_head(style.unicode ? figures[p->figure].label : figures[p->figure].ascii, logarithmic, style,
                            out);
    for (int i = p->first; i <= p->last; i++) {
        const dt_sheet_block *b = &sheet->blocks[l->block[i]];
        char name[32];
        snprintf(name, sizeof name, "layer %d", l->layer[l->rank[i] - 1]);
        dt_text_add_series(name, b->values + column_of(p), b->rows, sheet->column_count, logarithmic ? p->least : 0,
                           p->high, logarithmic, style, out);
    }
}

static dt_status text(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error)
{
    const layers *l = picture->own;
    (void)error;
    dt_buffer heading = {0};
    add_heading(l, &heading);
    dt_buffer_format(&heading, ", steps 0 to %.0f", l->last_step);
    dt_text_add_heading(out, style, &heading);
    for (int p = 0; p < l->panel_count; p++)
        add_rows(l, &l->panels[p], &picture->sheet, style, out);
    return DT_OK;
}

const dt_plot_maker dt_layers_maker = {.script = dt_script_layers, .load = load, .settings = settings, .text = text};
