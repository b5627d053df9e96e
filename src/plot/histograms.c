/* How the numbers of a quantity are distributed in each layer, at up to a dozen captured steps: ridges, the first step
 * behind. Height is the square root of the density, each step to its own peak: so a tail is seen beside a spike (of
 * relu's zeros), and changes by orders of magnitude show in the width.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plot/panels.h"

enum {
    COLUMN_FROM = DT_COLUMN_FIRST,
    COLUMN_TO,
    COLUMN_COUNT,
    COLUMN_DENSITY,
    COLUMN_HEIGHT,
    COLUMNS,
    STEPS_MAX = 12,
    STEPS_LEAST = 3,
    RIDGES_MAX = 96, /* of all layers, while each has STEPS_LEAST */
    BINS_LEAST = 16,
    ENOUGH = 40,
    FRAME_HEIGHT = 84,
    PANEL_HEIGHT = 300
};

static const double TAIL = 5e-4; /* share of a step's numbers that the axis may leave out on each side */

static const char *const columns[COLUMNS] = {"layer",  "step",  "epoch",   "bin_from",
                                             "bin_to", "count", "density", "height"};

/* The sources of a quantity: its numbers, histograms of them, histograms of magnitudes. */
enum { OF_LOG = 2, SOURCES };
#define SOURCES_OF(q, rank)                                                                                            \
    {                                                                                                                  \
        .sources = (const dt_measure[SOURCES]){{q, rank, dt_take_histogram, NULL, 0, 0, false},                        \
                                               {q "_histogram", 2, dt_take_counts, NULL, 0, 0, true},                  \
                                               {q "_log_histogram", 2, dt_take_log_counts, NULL, 0, 0, true}},         \
        .source_count = SOURCES, .width = DT_HISTOGRAM_NUMBERS                                                         \
    }

static const struct {
    const char *name, *label;
    dt_figure figure;
} quantities[] = {
    {"z", "z", SOURCES_OF("z", 3)},    {"a", "a", SOURCES_OF("a", 3)},    {"delta", "δ", SOURCES_OF("delta", 3)},
    {"W", "W", SOURCES_OF("W", 3)},    {"dW", "dW", SOURCES_OF("dW", 3)}, {"b", "b", SOURCES_OF("b", 2)},
    {"db", "db", SOURCES_OF("db", 2)},
};

enum { QUANTITIES = sizeof quantities / sizeof *quantities };

const char *dt_plot_quantity_at(size_t i)
{
    return i < QUANTITIES ? quantities[i].name : NULL;
}

/* Of a layer: `count` blocks of the sheet from `first` on, a step each. */
typedef struct ridges {
    int layer, first, count;
    double low, high;
} ridges;

typedef struct histograms {
    char heading[2 * DT_PANEL_TEXT];
    ridges layers[DT_CAPTURE_LAYERS_MAX];
    int layer_count;
    size_t quantity;
    bool log; /* bins of log2 of the magnitude */
} histograms;

static dt_status read(const dt_plot_run *run, const char *wanted, size_t *quantity, dt_capture_series *capture,
                      dt_arena *arena, dt_error *error)
{
    char none[160];
    char *path = dt_plot_run_file(run, "capture.h5", arena, error);
    dt_status status = path ? DT_NOT_FOUND : DT_NO_MEMORY;
    for (*quantity = 0; status == DT_NOT_FOUND && *quantity < QUANTITIES; ++*quantity) {
        const char *name = quantities[*quantity].name;
        if (wanted && strcmp(wanted, name) != 0)
            continue;
        snprintf(none, sizeof none, "has no %s; capture it (quantities: [%s], layers: all), or its histogram",
                 wanted ? name : "z, a, delta, W, dW, b or db", wanted ? name : quantities[0].name);
        const dt_figure_query query = {
            .figures = &quantities[*quantity].figure, .count = 1, .steps_most = STEPS_MAX, .ends = true, .none = none};
        dt_error_clear(error); /* the last miss says what there could be */
        status = dt_capture_series_read(path, &query, arena, capture, error);
        if (status == DT_OK || wanted)
            return status;
    }
    return status;
}

/* Bins of 40 numbers on average, if there are so many: fewer and wider ones, a power of two of them in one. Those that
 * were captured stay. */
static size_t merged(double bins, double all)
{
    size_t merge = 1;
    while (bins == DT_BINS && DT_BINS / merge > BINS_LEAST && all < ENOUGH * DT_BINS / (double)merge)
        merge *= 2;
    return merge;
}

/* The rows of one step: its bins. One about the number where all are the same. */
static dt_status add_block(dt_sheet *sheet, const double *values, const char *rule, int layer, dt_arena *arena,
                           dt_error *error)
{
    enum { TITLE_MAX = 160 };
    const double *numbers = values + DT_COLUMN_FIRST, *edges = numbers + DT_HISTOGRAM_EDGES;
    const double *counts = numbers + DT_HISTOGRAM_COUNTS, all = numbers[DT_HISTOGRAM_ALL];
    const size_t merge = merged(numbers[DT_HISTOGRAM_BINS], all), there = (size_t)numbers[DT_HISTOGRAM_BINS];
    const bool single = !(edges[there] > edges[0]);
    const size_t bins = single ? 1 : there / merge;
    const double air = !single ? 0 : edges[0] != 0 ? 0.01 * fabs(edges[0]) : 0.01;
    double most = 0, *v = dt_arena_allocate(arena, bins * COLUMNS, sizeof *v);
    char *title = dt_arena_allocate(arena, TITLE_MAX, 1);
    if (!v || !title)
        return dt_fail_memory(error, "histograms");
    for (size_t b = 0; b < bins; b++) {
        double *row = v + b * COLUMNS;
        memcpy(row, values, DT_COLUMN_FIRST * sizeof *row);
        row[COLUMN_FROM] = edges[b * merge] - air;
        row[COLUMN_TO] = edges[single ? there : (b + 1) * merge] + air;
        row[COLUMN_COUNT] = single ? all : 0;
        for (size_t i = 0; i < merge && !single; i++)
            row[COLUMN_COUNT] += counts[b * merge + i];
        row[COLUMN_DENSITY] = row[COLUMN_COUNT] / all / (row[COLUMN_TO] - row[COLUMN_FROM]);
        most = fmax(most, row[COLUMN_COUNT]);
    }
    for (size_t b = 0; b < bins; b++)
        v[b * COLUMNS + COLUMN_HEIGHT] = most > 0 ? sqrt(v[b * COLUMNS + COLUMN_COUNT] / most) : 0;
    snprintf(title, TITLE_MAX, "rule %s, layer %d, step %.0f", rule, layer, values[DT_COLUMN_STEP]);
    sheet->blocks[sheet->block_count++] = (dt_sheet_block){title, bins, v};
    return DT_OK;
}

/* Widens the axis to all but the tails of a step. */
static void widen(ridges *r, const dt_sheet_block *block)
{
    double all = 0, so_far = 0;
    for (size_t b = 0; b < block->rows; b++)
        all += block->values[b * COLUMNS + COLUMN_COUNT];
    for (size_t b = 0; b < block->rows; b++) {
        const double *row = block->values + b * COLUMNS, before = so_far;
        so_far += row[COLUMN_COUNT];
        if (so_far > TAIL * all && before <= TAIL * all)
            r->low = fmin(r->low, row[COLUMN_FROM]);
        if (so_far >= (1 - TAIL) * all && before < (1 - TAIL) * all)
            r->high = fmax(r->high, row[COLUMN_TO]);
    }
}

/* Of a child that may be under a hostile file's control: bins that there is room for, ascending, counts of something.
 */
static bool is_whole(const double *values)
{
    const double *numbers = values + DT_COLUMN_FIRST, *edges = numbers + DT_HISTOGRAM_EDGES;
    const double bins = numbers[DT_HISTOGRAM_BINS], all = numbers[DT_HISTOGRAM_ALL];
    double inside = 0;
    if (!(bins >= 1 && bins <= DT_BINS_MAX && bins == floor(bins) && all > 0) || !isfinite(values[DT_COLUMN_STEP]))
        return false;
    for (int b = 0; b < (int)bins; b++) {
        const double count = numbers[DT_HISTOGRAM_COUNTS + b];
        if (!isfinite(edges[b]) || !(edges[b] <= edges[b + 1]) || !(count >= 0))
            return false;
        inside += count;
    }
    return isfinite(edges[(int)bins]) && inside > 0 && inside <= all;
}

static dt_status add_layer(histograms *h, dt_sheet *sheet, const dt_layer_series *s, int64_t most, size_t width,
                           dt_arena *arena, dt_error *error)
{
    const int64_t keep = s->rows < most ? s->rows : most;
    ridges *r = &h->layers[h->layer_count];
    *r = (ridges){s->layer, (int)sheet->block_count, 0, INFINITY, -INFINITY};
    for (int64_t i = 0; i < keep; i++) {
        const double *values = s->values + (size_t)(keep > 1 ? i * (s->rows - 1) / (keep - 1) : 0) * width;
        if (!is_whole(values))
            continue;
        dt_status status = add_block(sheet, values, s->rule, s->layer, arena, error);
        if (status != DT_OK)
            return status;
        widen(r, &sheet->blocks[sheet->block_count - 1]);
        r->count++;
    }
    h->layer_count += r->count > 0;
    return DT_OK;
}

static dt_status load(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                      dt_arena *arena, dt_error *error)
{
    (void)count;
    dt_capture_series capture = {0};
    dt_sheet *sheet = &picture->sheet;
    dt_panels *panels = dt_arena_allocate(arena, 1, sizeof *panels);
    histograms *h = dt_arena_allocate(arena, 1, sizeof *h);
    if (!h || !panels)
        return dt_fail_memory(error, "histograms");
    dt_status status = read(&runs[0], options->quantity, &h->quantity, &capture, arena, error);
    if (status != DT_OK)
        return status;
    h->log = capture.source_of[0] == OF_LOG;
    const int64_t layers = (int64_t)capture.count,
                  most = RIDGES_MAX / layers > STEPS_LEAST ? RIDGES_MAX / layers : STEPS_LEAST;
    *sheet = (dt_sheet){
        .title =
            "Histograms of a quantity in each layer, a block a captured step: bins of equal width from the "
            "smallest to the largest number; density, the share of numbers a unit of the quantity; height as drawn, "
            "the root of the count over the step's largest.",
        .columns = columns,
        .column_count = COLUMNS,
        .blocks = dt_arena_allocate(arena, capture.count * STEPS_MAX, sizeof(dt_sheet_block))};
    if (!sheet->blocks)
        return dt_fail_memory(error, "histograms");
    for (int layer = 1; layer <= DT_CAPTURE_LAYERS_MAX && status == DT_OK; layer++)
        for (size_t i = 0; i < capture.count && status == DT_OK; i++)
            if (capture.series[i].layer == layer && h->layer_count < DT_CAPTURE_LAYERS_MAX &&
                capture.series[i].rows <= STEPS_MAX)
                status = add_layer(h, sheet, &capture.series[i], most, capture.columns, arena, error);
    if (status == DT_OK && h->layer_count == 0)
        return dt_fail(error, DT_NOT_FOUND, "%s: %s holds no finite number; there is nothing to draw", runs[0].path,
                       quantities[h->quantity].name);
    char more[32];
    snprintf(more, sizeof more, h->log ? ": log2 |%s|" : ": %s", quantities[h->quantity].name);
    dt_panels_heading(panels, &runs[0], &capture, more);
    memcpy(h->heading, panels->heading, sizeof h->heading);
    picture->own = h;
    return status;
}

static void settings(const dt_picture *picture, dt_buffer *out)
{
    const histograms *h = picture->own;
    int layer[DT_CAPTURE_LAYERS_MAX], first[DT_CAPTURE_LAYERS_MAX], count[DT_CAPTURE_LAYERS_MAX];
    double low[DT_CAPTURE_LAYERS_MAX], high[DT_CAPTURE_LAYERS_MAX];
    const size_t n = (size_t)h->layer_count;
    const int across = n < 3 ? (int)n : n == 4 ? 2 : 3, down = ((int)n + across - 1) / across;
    for (size_t i = 0; i < n; i++) {
        layer[i] = h->layers[i].layer;
        first[i] = h->layers[i].first;
        count[i] = h->layers[i].count;
        const dt_axis axis = dt_axis_around(h->layers[i].low, h->layers[i].high, 1e-12, INFINITY);
        low[i] = axis.low;
        high[i] = axis.high;
    }
    dt_gnuplot_add_text(out, "heading", h->heading, sizeof h->heading);
    char quantity[DT_PANEL_TEXT];
    snprintf(quantity, sizeof quantity, h->log ? "log2 |%s|" : "%s", quantities[h->quantity].label);
    dt_gnuplot_add_text(out, "quantity", quantity, DT_PANEL_TEXT);
    dt_buffer_format(out, "height = %d\nacross = %d\ndown = %d\npanels = %zu\n", FRAME_HEIGHT + PANEL_HEIGHT * down,
                     across, down, n);
    dt_gnuplot_add_integers(out, "layer", layer, n);
    dt_gnuplot_add_integers(out, "first_block", first, n);
    dt_gnuplot_add_integers(out, "ridges", count, n);
    dt_gnuplot_add_numbers(out, "low", low, n);
    dt_gnuplot_add_numbers(out, "high", high, n);
    const size_t blocks = picture->sheet.block_count;
    dt_buffer_format(out, "array step_of[%zu] = [", blocks);
    for (size_t b = 0; b < blocks; b++)
        dt_buffer_format(out, "%s%.0f", b ? ", " : "",
                         dt_sheet_value(&picture->sheet, &picture->sheet.blocks[b], 0, DT_COLUMN_STEP));
    dt_buffer_add(out, "]\n");
}

static dt_status text(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error)
{
    const histograms *h = picture->own;
    (void)error;
    dt_buffer heading = {0};
    dt_buffer_add(&heading, h->heading);
    dt_text_add_heading(out, style, &heading);
    for (int i = 0; i < h->layer_count; i++) {
        const ridges *r = &h->layers[i];
        const int width = style.width - 34 < 16 ? 16 : style.width - 34;
        dt_buffer_format(out, "\nlayer %-4d%*s%12s%12s\n", r->layer, width, "", "smallest", "largest");
        for (int k = 0; k < r->count; k++) {
            const dt_sheet_block *b = &picture->sheet.blocks[r->first + k];
            dt_buffer_format(out, "%-10.0f", b->values[DT_COLUMN_STEP]);
            dt_text_bars(b->values + COLUMN_HEIGHT, b->rows, COLUMNS, 0, 1, false, width, style, out);
            dt_buffer_format(out, "%12.3g%12.3g\n", b->values[COLUMN_FROM],
                             b->values[(b->rows - 1) * COLUMNS + COLUMN_TO]);
        }
    }
    return DT_OK;
}

const dt_plot_maker dt_histograms_maker = {
    .script = dt_script_ridges, .load = load, .settings = settings, .text = text};
