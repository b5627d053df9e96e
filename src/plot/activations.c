/* Activations of each layer over the captured steps: the share of dead units, 0 on every captured sample; the share of
 * saturated ones where the activation saturates; the mean with one standard deviation to both sides. From `a`, or, but
 * for dead units, from its statistics.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plot/panels.h"

enum {
    OF_RAW,
    OF_MEAN,
    OF_STD,
    OF_ZEROS,
    OF_DEAD,
    FIGURES,
    COLUMN_MEAN = DT_COLUMN_FIRST, /* of raw a */
    COLUMN_STD,
    COLUMN_DEAD,
    COLUMN_ABOVE,
    COLUMN_BELOW,
    COLUMN_MEAN_STATISTIC,
    COLUMN_STD_STATISTIC,
    COLUMN_ZEROS_STATISTIC,
    COLUMN_DEAD_STATISTIC,
    COLUMN_SATURATED, /* computed here */
    COLUMN_LOW,
    COLUMN_HIGH,
    COLUMNS
};

static const char *const columns[] = {"layer",
                                      "step",
                                      "epoch",
                                      "a_mean",
                                      "a_std",
                                      "dead_share",
                                      "above_0.97",
                                      "below_0.03",
                                      "a_mean_statistic",
                                      "a_std_statistic",
                                      "a_zeros_statistic",
                                      "dead_share_statistic",
                                      "saturated_share",
                                      "mean_minus_std",
                                      "mean_plus_std"};

static const dt_figure_query query = {
    .figures =
        (const dt_figure[]){
            {.sources = (const dt_measure[]){{"a", 3, dt_take_activations, NULL, 0, 0, false}},
             .source_count = 1,
             .width = DT_ACTIVATION_NUMBERS},
            {.sources = (const dt_measure[]){{"a_mean", 1, dt_take_number, NULL, 0, 0, false}},
             .source_count = 1,
             .width = 1},
            {.sources = (const dt_measure[]){{"a_std", 1, dt_take_number, NULL, 0, 0, false}},
             .source_count = 1,
             .width = 1},
            {.sources = (const dt_measure[]){{"a_zeros", 1, dt_take_number, NULL, 0, 0, false}},
             .source_count = 1,
             .width = 1},
            {.sources = (const dt_measure[]){{"a_zeros_per_unit", 2, dt_take_dead, NULL, 0, 0, false}},
             .source_count = 1,
             .width = 1},
            {.sources = NULL, .source_count = 0, .width = COLUMNS - COLUMN_SATURATED},
        },
    .count = FIGURES + 1,
    .steps_most = 512,
    .none = "has no activations; capture a (for example quantities: [a], layers: all), or a_mean and a_std",
};

/* Activations that saturate: at -1 and 1, or at 0 and 1. */
static bool saturates(const char *activation, bool *at_zero)
{
    *at_zero = activation && strcmp(activation, "sigmoid") == 0;
    return *at_zero || (activation && (strcmp(activation, "tanh") == 0 || strcmp(activation, "softsign") == 0));
}

static const char *activation_of(const dt_plot_run *run, int layer)
{
    return layer >= 1 && layer <= DT_CAPTURE_LAYERS_MAX ? run->activations[layer - 1] : NULL;
}

static void compute(dt_sheet *sheet, const dt_plot_run *run, const dt_capture_series *capture, size_t mean, size_t std)
{
    for (size_t b = 0; b < sheet->block_count; b++)
        for (size_t row = 0; row < sheet->blocks[b].rows; row++) {
            double *v = sheet->blocks[b].values + row * sheet->column_count;
            bool at_zero;
            if (saturates(activation_of(run, capture->series[b].layer), &at_zero))
                v[COLUMN_SATURATED] = v[COLUMN_ABOVE] + (at_zero ? v[COLUMN_BELOW] : 0);
            v[COLUMN_LOW] = v[mean] - v[std];
            v[COLUMN_HIGH] = v[mean] + v[std];
        }
}

/* One line a layer. */
static void add_shares(dt_panels *panels, const dt_sheet *sheet, const dt_capture_series *capture, const int *rank_of,
                       const char *label, size_t column)
{
    if (!dt_panels_add(panels, label, label, "", true))
        return;
    for (size_t b = 0; b < sheet->block_count; b++) {
        const int layer = capture->series[b].layer;
        dt_panel_item item = {.shape = DT_SHAPE_LINE, .block = b, .column = column, .rank = rank_of[layer]};
        snprintf(item.name, sizeof item.name, "layer %d", layer);
        dt_panels_add_item(panels, sheet, &item);
    }
    dt_panels_end(panels, true, INFINITY);
}

/* A small panel for a layer: mean, and a band of a standard deviation. */
static void add_moments(dt_panels *panels, const dt_sheet *sheet, const dt_plot_run *run, size_t b, int layer, int rank,
                        size_t mean)
{
    char title[DT_PANEL_TEXT];
    const char *activation = activation_of(run, layer);
    snprintf(title, sizeof title, "layer %d%s%.40s", layer, activation ? ", " : "", activation ? activation : "");
    if (!dt_panels_add(panels, "a", "a", title, false))
        return;
    dt_panel_item item = {.shape = DT_SHAPE_BAND, .block = b, .column = COLUMN_LOW, .upper = COLUMN_HIGH, .rank = rank};
    dt_panels_add_item(panels, sheet, &item);
    item = (dt_panel_item){.shape = DT_SHAPE_LINE, .block = b, .column = mean, .rank = rank, .name = "mean"};
    dt_panels_add_item(panels, sheet, &item);
    dt_panels_end(panels, false, INFINITY);
}

static dt_status load(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                      dt_arena *arena, dt_error *error)
{
    (void)count, (void)options;
    dt_capture_series capture = {0};
    dt_sheet *sheet = &picture->sheet;
    dt_panels *panels = dt_arena_allocate(arena, 1, sizeof *panels);
    if (!panels)
        return dt_fail_memory(error, "panels");
    dt_status status =
        dt_panels_read(&runs[0], &query,
                       "Each layer's activations a at captured steps: mean and standard deviation over samples "
                       "and units; dead_share, of units that are 0 on every captured sample; above_0.97, the share "
                       "of |a| > 0.97; below_0.03, of |a| < 0.03.",
                       columns, sheet, &capture, arena, error);
    if (status != DT_OK)
        return status;
    const bool raw = capture.rule_of[OF_RAW][0] != '\0';
    const size_t mean = raw ? COLUMN_MEAN : COLUMN_MEAN_STATISTIC;
    int rank_of[DT_CAPTURE_LAYERS_MAX + 1];
    compute(sheet, &runs[0], &capture, mean, raw ? COLUMN_STD : COLUMN_STD_STATISTIC);
    const int layers = dt_panels_rank_layers(&capture, rank_of);
    panels->columns = layers < 3 ? layers : layers == 4 ? 2 : 3;
    if (raw || capture.rule_of[OF_DEAD][0])
        add_shares(panels, sheet, &capture, rank_of, "share of dead units", raw ? COLUMN_DEAD : COLUMN_DEAD_STATISTIC);
    else
        add_shares(panels, sheet, &capture, rank_of, "share of a = 0", COLUMN_ZEROS_STATISTIC);
    add_shares(panels, sheet, &capture, rank_of, "share saturated", COLUMN_SATURATED);
    for (int layer = 1; layer <= DT_CAPTURE_LAYERS_MAX; layer++)
        for (size_t b = 0; b < sheet->block_count; b++)
            if (capture.series[b].layer == layer)
                add_moments(panels, sheet, &runs[0], b, layer, rank_of[layer], mean);
    dt_panels_add_layer_keys(panels, rank_of);
    dt_panels_add_key(panels, "mean ± deviation", DT_SHAPE_BAND, 1);
    for (int f = OF_MEAN; raw && f < FIGURES; f++)
        capture.rule_of[f][0] = '\0'; /* not drawn */
    dt_panels_heading(panels, &runs[0], &capture, "");
    picture->own = panels;
    if (panels->count == 0)
        return dt_fail(error, DT_NOT_FOUND, "%s: a holds no finite number; there is nothing to draw", runs[0].path);
    return DT_OK;
}

const dt_plot_maker dt_activations_maker = {
    .script = dt_script_panels, .load = load, .settings = dt_panels_settings, .text = dt_panels_text};
