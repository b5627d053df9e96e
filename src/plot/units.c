/* One unit's history: its z, a and delta over the captured samples of each step (median, quartiles, extremes), the norm
 * of its weights and of their gradient.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plot/panels.h"

enum {
    OF_Z,
    OF_A,
    OF_DELTA,
    OF_W,
    OF_DW,
    FIGURES,
    COLUMN_W = DT_COLUMN_FIRST + 3 * DT_UNIT_NUMBERS,
    COLUMN_DW,
    COLUMNS
};

static const char *const columns[] = {
    "layer",    "step", "epoch", "z_min",     "z_q1",     "z_median",     "z_q3",     "z_max",     "a_min",  "a_q1",
    "a_median", "a_q3", "a_max", "delta_min", "delta_q1", "delta_median", "delta_q3", "delta_max", "W_norm", "dW_norm"};

static const struct {
    const char *label, *ascii;
} names[FIGURES] = {{"z", "z"}, {"a", "a"}, {"δ", "delta"}, {"|w|", "|w|"}, {"|∂C/∂w|", "|dC/dw|"}};

static const dt_figure figures[FIGURES] = {
    {.sources = (const dt_measure[]){{"z", 3, dt_take_unit, NULL, 0, 0, false}},
     .source_count = 1,
     .width = DT_UNIT_NUMBERS},
    {.sources = (const dt_measure[]){{"a", 3, dt_take_unit, NULL, 0, 0, false}},
     .source_count = 1,
     .width = DT_UNIT_NUMBERS},
    {.sources = (const dt_measure[]){{"delta", 3, dt_take_unit, NULL, 0, 0, false}},
     .source_count = 1,
     .width = DT_UNIT_NUMBERS},
    {.sources = (const dt_measure[]){{"W", 3, dt_take_unit_norm, NULL, 0, 0, false},
                                     {"W_norm_per_unit", 2, dt_take_unit_number, NULL, 0, 0, false}},
     .source_count = 2,
     .width = 1},
    {.sources = (const dt_measure[]){{"dW", 3, dt_take_unit_norm, NULL, 0, 0, false},
                                     {"dW_norm_per_unit", 2, dt_take_unit_number, NULL, 0, 0, false}},
     .source_count = 2,
     .width = 1},
};

/* "L:J" */
static dt_status parse(const char *text, int *layer, int64_t *unit, dt_error *error)
{
    char *colon, *end;
    if (!text)
        return dt_fail(error, DT_NOT_FOUND,
                       "kind units draws one unit: say which by --unit LAYER:UNIT, such as --unit 1:0");
    const long l = strtol(text, &colon, 10);
    if (text[0] >= '0' && text[0] <= '9' && *colon == ':' && colon[1] >= '0' && colon[1] <= '9') {
        const long long j = strtoll(colon + 1, &end, 10);
        if (*end == '\0' && l >= 1 && l <= DT_CAPTURE_LAYERS_MAX && j <= INT32_MAX) {
            *layer = (int)l;
            *unit = j;
            return DT_OK;
        }
    }
    return dt_fail(error, DT_INVALID,
                   "--unit '%.40s': is not LAYER:UNIT, a layer from 1 to %d and a unit from 0; such as 1:0", text,
                   DT_CAPTURE_LAYERS_MAX);
}

static bool add_figure(dt_panels *panels, const dt_sheet *sheet, const dt_capture_series *capture, int f)
{
    const size_t column = f < OF_W ? (size_t)(DT_COLUMN_FIRST + f * DT_UNIT_NUMBERS) : (size_t)(COLUMN_W + f - OF_W);
    if (!capture->rule_of[f][0] || !dt_panels_add(panels, names[f].label, names[f].ascii, "", true))
        return false;
    for (size_t b = 0; b < sheet->block_count; b++) {
        if (strcmp(capture->series[b].rule, capture->rule_of[f]) != 0)
            continue;
        dt_panel_item items[] = {
            {.shape = DT_SHAPE_BAND, .block = b, .column = column, .upper = column + 4, .rank = 1},
            {.shape = DT_SHAPE_CORE, .block = b, .column = column + 1, .upper = column + 3, .rank = 1},
            {.shape = DT_SHAPE_LINE, .block = b, .column = column + 2, .rank = 1, .name = "median"},
        };
        if (f >= OF_W) {
            items[2].column = column;
            snprintf(items[2].name, sizeof items[2].name, "norm");
        }
        for (size_t i = f < OF_W ? 0 : 2; i < sizeof items / sizeof *items; i++)
            dt_panels_add_item(panels, sheet, &items[i]);
    }
    return dt_panels_end(panels, false, INFINITY);
}

static dt_status load(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                      dt_arena *arena, dt_error *error)
{
    (void)count;
    dt_figure_query query = {.figures = figures,
                             .count = FIGURES,
                             .steps_most = 1024,
                             .none = "has nothing of this layer's units; capture z, a, delta or W of it (quantities: "
                                     "[z, a, delta, W], layers: all)"};
    dt_capture_series capture = {0};
    char more[64];
    dt_panels *panels = dt_arena_allocate(arena, 1, sizeof *panels);
    if (!panels)
        return dt_fail_memory(error, "panels");
    dt_status status = parse(options->unit, &query.layer, &query.unit, error);
    if (status == DT_OK)
        status = dt_panels_read(&runs[0], &query,
                                "One unit at captured steps: extremes, quartiles and median of z, a and delta over the "
                                "captured samples; the Euclidean norm of its weights and of their gradient.",
                                columns, &picture->sheet, &capture, arena, error);
    if (status != DT_OK)
        return status;
    panels->columns = 1;
    bool bands = false;
    for (int f = 0; f < FIGURES; f++) {
        const bool drawn = add_figure(panels, &picture->sheet, &capture, f);
        bands = bands || (drawn && f < OF_W);
    }
    if (panels->count == 0)
        return dt_fail(error, DT_NOT_FOUND, "%s: layer %d has no unit %lld with a finite number; units count from 0",
                       runs[0].path, query.layer, (long long)query.unit);
    dt_panels_add_key(panels, bands ? "median" : "norm", DT_SHAPE_LINE, 1);
    if (bands) {
        dt_panels_add_key(panels, "quartiles", DT_SHAPE_CORE, 1);
        dt_panels_add_key(panels, "extremes", DT_SHAPE_BAND, 1);
    }
    snprintf(more, sizeof more, ": unit %lld of layer %d", (long long)query.unit, query.layer);
    dt_panels_heading(panels, &runs[0], &capture, more);
    picture->own = panels;
    return DT_OK;
}

const dt_plot_maker dt_units_maker = {
    .script = dt_script_panels, .load = load, .settings = dt_panels_settings, .text = dt_panels_text};
