/* The gradient noise scale B_simple = tr(S) / |G|^2 of McCandlish, Kaplan, Amodei, "An Empirical Model of Large-Batch
 * Training" (2018), by layer and of the whole network, with a running median: one step's estimate is very noisy.
 *
 * From its statistics; or, where the capture doesn't have them, from delta and a of the captured samples, which may be
 * the whole minibatch or a part of it. With g_i the n samples' own gradients of a layer's W and b,
 *
 *     m = mean of |g_i|^2      q = |mean of g_i|^2      |G|^2 ~ (n q - m) / (n - 1)      tr(S) ~ n (m - q) / (n - 1)
 *
 * which is the paper's appendix A.1 with B_small = 1 and B_big = n. Of the whole network: the layers' sums of m and q,
 * as far as they were captured. Where the estimate of |G|^2 isn't above 0, the noise hides the gradient: the scale is
 * not known, and the median counts it as larger than all others.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plot/panels.h"

enum {
    OF_SAMPLES,
    OF_SHARDS,
    OF_RAW,
    OF_MEDIANS,
    FIGURES,
    COLUMN_SAMPLES = DT_COLUMN_FIRST,
    COLUMN_SHARDS,
    COLUMN_COUNT,
    COLUMN_OWN,
    COLUMN_MEAN,
    COLUMN_MEDIAN,
    COLUMN_SHARDS_MEDIAN,
    COLUMNS,
    WINDOW_LEAST = 11,
    WINDOW_SHARE = 10
};

static const char *const columns[] = {"layer",
                                      "step",
                                      "epoch",
                                      "noise_scale",
                                      "noise_scale_shards",
                                      "samples",
                                      "mean_of_squares",
                                      "square_of_mean",
                                      "noise_scale_median",
                                      "noise_scale_shards_median"};

/* Read first, and then, where there are none of them, delta and a: the same columns. */
static const dt_figure of_statistics[FIGURES] = {
    [OF_SAMPLES] = {.sources = (const dt_measure[]){{"noise_scale", 1, dt_take_number, NULL, 0, 0, false}},
                    .source_count = 1,
                    .width = 1,
                    .network = true},
    [OF_SHARDS] = {.sources = (const dt_measure[]){{"noise_scale_shards", 1, dt_take_number, NULL, 0, 0, false}},
                   .source_count = 1,
                   .width = 1,
                   .network = true},
    [OF_RAW] = {.width = DT_NOISE_NUMBERS},
    [OF_MEDIANS] = {.width = COLUMNS - COLUMN_MEDIAN},
};

static const dt_figure of_samples[FIGURES] = {
    [OF_SAMPLES] = {.width = 1},
    [OF_SHARDS] = {.width = 1},
    [OF_RAW] = {.sources = (const dt_measure[]){{"delta", 3, dt_take_noise, "a", 3, 1, false}},
                .source_count = 1,
                .width = DT_NOISE_NUMBERS},
    [OF_MEDIANS] = {.width = COLUMNS - COLUMN_MEDIAN},
};

/* --- from the samples' gradients --- */

static double scale_of(double n, double own, double mean)
{
    const double square = (n * mean - own) / (n - 1), trace = n * (own - mean) / (n - 1);
    return n < 2 ? NAN : square > 0 ? trace / square : INFINITY;
}

/* Scales of each layer, and a block for the network. */
static dt_status compute(dt_sheet *sheet, dt_capture_series *capture, dt_arena *arena, dt_error *error)
{
    const size_t n = sheet->block_count, width = sheet->column_count;
    dt_layer_series *all = &capture->series[n];
    dt_sheet_block *blocks = dt_arena_allocate(arena, n + 1, sizeof *blocks);
    size_t most = 0;
    for (size_t b = 0; b < n; b++)
        if (strcmp(capture->series[b].rule, capture->rule_of[OF_RAW]) == 0)
            most = sheet->blocks[b].rows;
    double *sums = dt_arena_allocate(arena, most + 1, width * sizeof(double));
    if (!blocks || !sums)
        return dt_fail_memory(error, "the noise scale of the network");
    for (size_t b = 0; b < n; b++) {
        blocks[b] = sheet->blocks[b];
        for (size_t row = 0; row < blocks[b].rows; row++) {
            double *v = blocks[b].values + row * width, *sum = sums + row * width;
            if (row < most && strcmp(capture->series[b].rule, capture->rule_of[OF_RAW]) == 0)
                memcpy(sum + DT_COLUMN_STEP, v + DT_COLUMN_STEP, 2 * sizeof *v); /* the epoch too */
            v[COLUMN_SAMPLES] = scale_of(v[COLUMN_COUNT], v[COLUMN_OWN], v[COLUMN_MEAN]);
            if (row >= most || isnan(v[COLUMN_OWN]))
                continue;
            sum[COLUMN_COUNT] = v[COLUMN_COUNT];
            sum[COLUMN_OWN] += v[COLUMN_OWN];
            sum[COLUMN_MEAN] += v[COLUMN_MEAN];
        }
    }
    for (size_t row = 0; row < most; row++) {
        double *sum = sums + row * width;
        if (sum[COLUMN_COUNT] == 0)
            sum[COLUMN_OWN] = sum[COLUMN_MEAN] = NAN;
        sum[COLUMN_SHARDS] = sum[COLUMN_MEDIAN] = sum[COLUMN_SHARDS_MEDIAN] = NAN;
        sum[COLUMN_SAMPLES] = scale_of(sum[COLUMN_COUNT], sum[COLUMN_OWN], sum[COLUMN_MEAN]);
    }
    memcpy(all->rule, capture->rule_of[OF_RAW], sizeof all->rule);
    all->layer = 0;
    capture->count++;
    blocks[n] = (dt_sheet_block){"the layers above together", most, sums};
    sheet->blocks = blocks;
    sheet->block_count = n + 1;
    return DT_OK;
}

/* --- running medians --- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the estimates around each row, a tenth of all but at least eleven, fewer at the ends. */
static dt_status add_medians(const dt_sheet *sheet, const dt_sheet_block *block, size_t from, size_t to,
                             dt_error *error)
{
    const size_t half =
        block->rows / WINDOW_SHARE / 2 > WINDOW_LEAST / 2 ? block->rows / WINDOW_SHARE / 2 : WINDOW_LEAST / 2;
    double *window = dt_allocate(2 * half + 1, sizeof *window);
    if (!window)
        return dt_fail_memory(error, "a running median");
    for (size_t row = 0; row < block->rows; row++) {
        size_t count = 0;
        for (size_t i = row > half ? row - half : 0; i < block->rows && i <= row + half; i++) {
            const double v = dt_sheet_value(sheet, block, i, from);
            if (!isnan(v))
                window[count++] = v > 0 ? v : INFINITY;
        }
        qsort(window, count, sizeof *window, by_size);
        double median = NAN;
        if (count)
            median = count % 2 ? window[count / 2] : window[count / 2 - 1] / 2 + window[count / 2] / 2;
        block->values[row * sheet->column_count + to] = isfinite(median) ? median : NAN;
    }
    dt_release(window);
    return DT_OK;
}

static dt_status smooth(dt_sheet *sheet, dt_error *error)
{
    dt_status status = DT_OK;
    for (size_t b = 0; b < sheet->block_count; b++) {
        dt_sheet_block *block = &sheet->blocks[b];
        for (int e = 0; e < 2 && status == DT_OK; e++) /* both estimators */
            status = add_medians(sheet, block, (size_t)(COLUMN_SAMPLES + e), (size_t)(COLUMN_MEDIAN + e), error);
        for (size_t row = 0; row < block->rows; row++)
            for (int e = 0; e < 2; e++) {
                double *v = &block->values[row * sheet->column_count + (size_t)(COLUMN_SAMPLES + e)];
                *v = isfinite(*v) && *v > 0 ? *v : NAN; /* no scale */
            }
    }
    return status;
}

/* --- panels --- */

static void add_network(dt_panels *panels, const dt_sheet *sheet, const dt_capture_series *capture)
{
    static const char *const names[] = {"per sample", "per shard"};
    if (!dt_panels_add(panels, "noise scale (samples)", "noise scale (samples)", "whole network", true))
        return;
    for (int e = 0; e < 2; e++)
        for (size_t b = 0; b < sheet->block_count; b++) {
            if (capture->series[b].layer != 0)
                continue;
            dt_panel_item item = {
                .shape = DT_SHAPE_THIN, .block = b, .column = (size_t)(COLUMN_SAMPLES + e), .rank = -1 - e};
            dt_panels_add_item(panels, sheet, &item);
            item.shape = DT_SHAPE_LINE;
            item.column = (size_t)(COLUMN_MEDIAN + e);
            snprintf(item.name, sizeof item.name, "%.9s", names[e] + 4);
            dt_panels_add_item(panels, sheet, &item);
        }
    dt_panels_end(panels, false, 10);
}

static void add_layers(dt_panels *panels, const dt_sheet *sheet, const dt_capture_series *capture, const int *rank_of,
                       size_t column, const char *title)
{
    if (!dt_panels_add(panels, "noise scale (samples)", "noise scale (samples)", title, true))
        return;
    for (int layer = 1; layer <= DT_CAPTURE_LAYERS_MAX; layer++)
        for (size_t b = 0; b < sheet->block_count; b++) {
            if (capture->series[b].layer != layer)
                continue;
            dt_panel_item item = {.shape = DT_SHAPE_LINE, .block = b, .column = column, .rank = rank_of[layer]};
            snprintf(item.name, sizeof item.name, "layer %d", layer);
            dt_panels_add_item(panels, sheet, &item);
        }
    dt_panels_end(panels, false, 10);
}

static bool has(const dt_panels *panels, int rank)
{
    for (int i = 0; i < panels->item_count; i++)
        if (panels->items[i].rank == rank && panels->items[i].shape == DT_SHAPE_LINE)
            return true;
    return false;
}

static dt_status read(const dt_plot_run *run, dt_sheet *sheet, dt_capture_series *capture, dt_arena *arena,
                      dt_error *error)
{
    static const char title[] =
        "Gradient noise scale in samples at captured steps, by layer and of the whole network: from "
        "the samples' own gradients (noise_scale) and from those of shards, with running medians.";
    dt_figure_query query = {.figures = of_statistics,
                             .count = FIGURES,
                             .steps_most = 1024,
                             .none = "has no gradient noise scale; capture noise_scale, or delta and a (quantities: "
                                     "[a, delta], layers: all, samples: batch)"};
    dt_status status = dt_panels_read(run, &query, title, columns, sheet, capture, arena, error);
    if (status != DT_NOT_FOUND)
        return status;
    dt_error_clear(error); /* the first miss */
    query.figures = of_samples;
    query.steps_most = 512; /* a step's products take a while */
    status = dt_panels_read(run, &query, title, columns, sheet, capture, arena, error);
    return status == DT_OK ? compute(sheet, capture, arena, error) : status;
}

static dt_status load(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                      dt_arena *arena, dt_error *error)
{
    (void)count, (void)options;
    dt_capture_series capture = {0};
    dt_sheet *sheet = &picture->sheet;
    int rank_of[DT_CAPTURE_LAYERS_MAX + 1];
    dt_panels *panels = dt_arena_allocate(arena, 1, sizeof *panels);
    if (!panels)
        return dt_fail_memory(error, "panels");
    dt_status status = read(&runs[0], sheet, &capture, arena, error);
    if (status == DT_OK)
        status = smooth(sheet, error);
    if (status != DT_OK)
        return status;
    panels->columns = 1;
    dt_panels_rank_layers(&capture, rank_of);
    add_network(panels, sheet, &capture);
    add_layers(panels, sheet, &capture, rank_of, COLUMN_MEDIAN, "layers, per sample, running median");
    add_layers(panels, sheet, &capture, rank_of, COLUMN_SHARDS_MEDIAN, "layers, per shard, running median");
    if (panels->count == 0)
        return dt_fail(error, DT_NOT_FOUND,
                       "%s: no captured step tells the gradient noise scale; capture more samples of the minibatch "
                       "(samples: batch)",
                       runs[0].path);
    if (has(panels, -1)) {
        dt_panels_add_key(panels, "per sample", DT_SHAPE_THIN, -1);
        dt_panels_add_key(panels, "running median", DT_SHAPE_LINE, -1);
    }
    if (has(panels, -2)) {
        dt_panels_add_key(panels, "per shard", DT_SHAPE_THIN, -2);
        dt_panels_add_key(panels, "running median", DT_SHAPE_LINE, -2);
    }
    dt_panels_add_layer_keys(panels, rank_of);
    dt_panels_heading(panels, &runs[0], &capture, "");
    picture->own = panels;
    return DT_OK;
}

const dt_plot_maker dt_noise_scale_maker = {
    .script = dt_script_panels, .load = load, .settings = dt_panels_settings, .text = dt_panels_text};
