/* Loss and accuracy of a sweep against epochs: a line for each setting, the mean over its seeds, in a band that is the
 * mean's 95 % interval. Of many settings the best are drawn; of few, training too, dashed.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "plot/gnuplot.h"
#include "plot/interval.h"
#include "plot/maker.h"
#include "plot/swept.h"

/* The sheet's columns: a figure's mean is followed by the low and the high end of its interval. */
enum { EPOCH, RUNS, FIRST, BY_FIGURE = 3, COLUMNS = FIRST + BY_FIGURE * DT_SWEPT_FIGURES };
static const char *const columns[COLUMNS] = {"epoch",
                                             "runs",
                                             "train_loss",
                                             "train_loss_low",
                                             "train_loss_high",
                                             "train_accuracy",
                                             "train_accuracy_low",
                                             "train_accuracy_high",
                                             "validation_loss",
                                             "validation_loss_low",
                                             "validation_loss_high",
                                             "validation_accuracy",
                                             "validation_accuracy_low",
                                             "validation_accuracy_high",
                                             "test_loss",
                                             "test_loss_low",
                                             "test_loss_high",
                                             "test_accuracy",
                                             "test_accuracy_low",
                                             "test_accuracy_high"};

enum {
    SHOWN_MAX = 7,
    WITH_TRAINING = 4,
    LINES_MAX = 2 * SHOWN_MAX,
    LABEL_SHOWN = 60,
    HEADING_MAX = 100,
    HEIGHT = 640,
    KEY_ROW = 23
};

/* A loss that falls by this factor is drawn on a logarithmic axis. */
static const double LOSS_RATIO = 100;

typedef struct sweep_curves {
    const char *label; /* of the sweep */
    dt_swept swept;
    dt_swept_part compared;
    size_t shown[SHOWN_MAX], shown_count; /* settings, a block of the sheet each */
    const char *name[SHOWN_MAX];
    bool with_training;
    size_t most_runs;
    double low[2], high[2], last_epoch; /* of loss and accuracy; low > high where there is none */
} sweep_curves;

static size_t column_of(int figure)
{
    return FIRST + BY_FIGURE * (size_t)figure;
}

/* The best ones, in the order of the table. */
static void choose_settings(sweep_curves *c)
{
    const dt_swept *swept = &c->swept;
    const int judged = dt_swept_judged(swept, c->compared);
    for (size_t i = 0; i < swept->setting_count; i++) {
        size_t better = 0;
        if (!swept->settings[i].runs)
            continue;
        for (size_t other = 0; other < swept->setting_count && better < SHOWN_MAX; other++)
            better += dt_swept_better(swept, other, i, judged) ||
                      (other < i && swept->settings[other].runs && !dt_swept_better(swept, i, other, judged));
        if (better < SHOWN_MAX && c->shown_count < SHOWN_MAX)
            c->shown[c->shown_count++] = i;
    }
}

/* --- reading --- */

/* metrics.tsv of the setting's complete runs: blocks with the epoch and all figures. */
static dt_status read_runs(const sweep_curves *c, size_t setting, const dt_plot_run *folder, dt_sheet_block *blocks,
                           size_t *count, dt_arena *arena, dt_error *error)
{
    const char *names[1 + DT_SWEPT_FIGURES] = {"epoch"};
    memcpy(names + 1, dt_swept_figures, sizeof dt_swept_figures);
    *count = 0;
    for (size_t r = 0; r < c->swept.run_count; r++) {
        const dt_swept_run *run = &c->swept.runs[r];
        char name[128];
        if (run->setting != setting || !run->complete)
            continue;
        snprintf(name, sizeof name, "runs/%.64s/metrics.tsv", run->name);
        char *path = dt_plot_run_file(folder, name, arena, error);
        dt_sheet_block *block = &blocks[(*count)++];
        const dt_status status =
            path ? dt_sheet_read(path, names, 1 + DT_SWEPT_FIGURES, arena, block, error) : DT_NO_MEMORY;
        if (status != DT_OK)
            return status;
        for (size_t row = 0; row < block->rows; row++)
            if (block->values[row * (1 + DT_SWEPT_FIGURES)] != (double)(row + 1))
                return dt_fail(error, DT_MALFORMED, "%s:%zu: not epoch %zu; epochs count up from 1", path, row + 2,
                               row + 1);
    }
    return DT_OK;
}

/* Epochs that at least half of the runs have: early stopping leaves fewer and fewer. */
static size_t common_epochs(const dt_sheet_block *blocks, size_t count)
{
    size_t epochs = 0;
    for (size_t i = 0; i < count; i++) {
        size_t as_long = 0;
        for (size_t j = 0; j < count; j++)
            as_long += blocks[j].rows >= blocks[i].rows;
        if (2 * as_long >= count && blocks[i].rows > epochs)
            epochs = blocks[i].rows;
    }
    return epochs;
}

/* Means and intervals, epoch by epoch. `x` has room for the runs. */
static void average(const dt_sheet_block *runs, size_t count, size_t epoch, double *x, double *row)
{
    size_t there = 0;
    for (size_t i = 0; i < count; i++)
        there += runs[i].rows > epoch;
    row[EPOCH] = (double)(epoch + 1);
    row[RUNS] = (double)there;
    for (int f = 0; f < DT_SWEPT_FIGURES; f++) {
        double mean, half;
        size_t n = 0;
        for (size_t i = 0; i < count; i++)
            if (runs[i].rows > epoch)
                x[n++] = runs[i].values[epoch * (1 + DT_SWEPT_FIGURES) + 1 + (size_t)f];
        (void)dt_mean_interval(x, n, &mean, &half);
        row[column_of(f)] = mean;
        row[column_of(f) + 1] = mean - half;
        row[column_of(f) + 2] = mean + half;
    }
}

static dt_status make_block(const sweep_curves *c, size_t setting, const dt_plot_run *folder, dt_sheet_block *block,
                            dt_arena *arena, dt_error *error)
{
    size_t count = 0;
    for (size_t r = 0; r < c->swept.run_count; r++)
        count += c->swept.runs[r].setting == setting && c->swept.runs[r].complete;
    dt_sheet_block *runs = dt_arena_allocate(arena, count + 1, sizeof *runs);
    double *x = dt_arena_allocate(arena, count + 1, sizeof *x);
    if (!runs || !x)
        return dt_fail_memory(error, "the curves of a sweep");
    dt_status status = read_runs(c, setting, folder, runs, &count, arena, error);
    if (status != DT_OK)
        return status;
    block->rows = common_epochs(runs, count);
    block->values = dt_arena_allocate(arena, block->rows * COLUMNS + 1, sizeof *block->values);
    for (size_t epoch = 0; block->values && epoch < block->rows; epoch++)
        average(runs, count, epoch, x, block->values + epoch * COLUMNS);
    return block->values ? DT_OK : dt_fail_memory(error, "the curves of a sweep");
}

/* --- what is drawn --- */

static void find_ranges(sweep_curves *c, const dt_sheet *sheet)
{
    double first = INFINITY;
    c->last_epoch = -INFINITY;
    for (int k = 0; k < 2; k++) {
        c->low[k] = INFINITY;
        c->high[k] = -INFINITY;
        for (size_t b = 0; b < sheet->block_count; b++) {
            const size_t column = column_of(dt_swept_loss(c->compared) + k);
            for (size_t end = 0; end < BY_FIGURE; end++) /* the interval may not be known */
                (void)dt_sheet_range(sheet, &sheet->blocks[b], column + end, &c->low[k], &c->high[k]);
            if (c->with_training)
                (void)dt_sheet_range(sheet, &sheet->blocks[b], column_of(dt_swept_loss(DT_SWEPT_TRAIN) + k), &c->low[k],
                                     &c->high[k]);
            (void)dt_sheet_range(sheet, &sheet->blocks[b], EPOCH, &first, &c->last_epoch);
        }
    }
}

static const char *name_of(const dt_swept *swept, size_t setting, dt_arena *arena)
{
    dt_buffer text = {0};
    dt_swept_add_label(swept, setting, SIZE_MAX, &text);
    char *name = text.failed ? NULL : dt_arena_allocate(arena, text.length + 1, 1);
    if (name)
        memcpy(name, text.bytes, text.length + 1);
    dt_buffer_clear(&text);
    return name;
}

static dt_status load(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                      dt_arena *arena, dt_error *error)
{
    (void)options, (void)count;
    sweep_curves *c = dt_arena_allocate(arena, 1, sizeof *c);
    if (!c)
        return dt_fail_memory(error, "the curves of a sweep");
    *c = (sweep_curves){.label = runs[0].label};
    dt_status status = dt_swept_read(&c->swept, &runs[0], arena, error);
    if (status != DT_OK)
        return status;
    c->compared = dt_swept_compared(&c->swept);
    choose_settings(c);
    c->with_training = c->shown_count <= WITH_TRAINING && c->compared != DT_SWEPT_TRAIN;
    dt_sheet *sheet = &picture->sheet;
    *sheet = (dt_sheet){.title = "After each epoch: means over seeds, and the ends of their 95 % intervals.",
                        .columns = columns,
                        .column_count = COLUMNS,
                        .blocks = dt_arena_allocate(arena, c->shown_count + 1, sizeof(dt_sheet_block)),
                        .block_count = c->shown_count};
    if (!sheet->blocks)
        return dt_fail_memory(error, "the curves of a sweep");
    for (size_t i = 0; status == DT_OK && i < c->shown_count; i++) {
        const dt_swept_setting *setting = &c->swept.settings[c->shown[i]];
        c->most_runs = setting->runs > c->most_runs ? setting->runs : c->most_runs;
        status = make_block(c, c->shown[i], &runs[0], &sheet->blocks[i], arena, error);
        if (status == DT_OK && !(sheet->blocks[i].title = c->name[i] = name_of(&c->swept, c->shown[i], arena)))
            status = dt_fail_memory(error, "the curves of a sweep");
    }
    if (status != DT_OK)
        return status;
    find_ranges(c, sheet);
    picture->own = c;
    return c->low[0] <= c->high[0] ? DT_OK
                                   : dt_fail(error, DT_NOT_FOUND, "%s: no run has a loss to draw", runs[0].path);
}

static void add_heading(const sweep_curves *c, bool in_letters, dt_buffer *out)
{
    const size_t settings = c->swept.setting_count;
    (void)dt_buffer_add_outside(out, c->label, LABEL_SHOWN);
    dt_buffer_format(out, ": %s", dt_swept_part_names[c->compared]);
    if (c->shown_count < settings)
        dt_buffer_format(out, ", the best %zu of %zu settings", c->shown_count, settings);
    if (c->most_runs > 1)
        dt_buffer_format(out, ", mean over %zu seeds%s", c->most_runs, in_letters ? "" : " and 95 % interval");
    if (c->with_training && !in_letters)
        dt_buffer_add(out, "; training dashed");
}

/* --- for gnuplot --- */

static void add_axes(const sweep_curves *c, dt_buffer *out)
{
    double low[2] = {0, 0}, high[2] = {0, 0};
    int logarithmic[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        if (c->low[k] > c->high[k])
            continue;
        const double largest = fmax(fabs(c->low[k]), fabs(c->high[k]));
        dt_axis axis = dt_axis_around(c->low[k], c->high[k],
                                      k             ? 0.01
                                      : largest > 0 ? 0.02 * largest
                                                    : 1,
                                      k ? INFINITY : LOSS_RATIO);
        if (k && c->high[k] <= 1)
            axis.high = fmin(axis.high, 1 + 0.02 * (1 - axis.low));
        low[k] = axis.low;
        high[k] = axis.high;
        logarithmic[k] = axis.logarithmic;
    }
    dt_gnuplot_add_number(out, "last_epoch", c->last_epoch);
    dt_gnuplot_add_numbers(out, "low", low, 2);
    dt_gnuplot_add_numbers(out, "high", high, 2);
    dt_gnuplot_add_integers(out, "logarithmic", logarithmic, 2);
    dt_buffer_format(out, "panels = %d\n", c->low[1] <= c->high[1] ? 2 : 1);
}

static void settings(const dt_picture *picture, dt_buffer *out)
{
    const sweep_curves *c = picture->own;
    size_t longest = 0;
    int block[LINES_MAX], column[LINES_MAX], dash[LINES_MAX];
    size_t lines = 0;
    for (int train = c->with_training; train >= 0; train--)
        for (size_t i = 0; i < c->shown_count; i++, lines++) {
            const size_t length = dt_characters(c->name[i]);
            longest = length > longest ? length : longest;
            block[lines] = (int)i;
            column[lines] = (int)column_of(dt_swept_loss(train ? DT_SWEPT_TRAIN : c->compared)) + 1;
            dash[lines] = 1 + train;
        }
    dt_buffer heading = {0};
    add_heading(c, false, &heading);
    out->failed = out->failed || heading.failed;
    dt_gnuplot_add_text(out, "heading", heading.bytes ? heading.bytes : "", HEADING_MAX);
    dt_buffer_clear(&heading);
    const int rows = dt_gnuplot_add_key(out, longest < LABEL_SHOWN ? longest : LABEL_SHOWN, c->shown_count);
    dt_buffer_format(out, "height = %d\n", (c->low[1] <= c->high[1] ? HEIGHT : HEIGHT / 2 + 60) + (rows - 1) * KEY_ROW);
    dt_buffer_format(out, "settings = %zu\nlines = %zu\n", c->shown_count, lines);
    dt_gnuplot_add_texts(out, "name", c->name, c->shown_count, LABEL_SHOWN);
    dt_gnuplot_add_integers(out, "block", block, lines);
    dt_gnuplot_add_integers(out, "column_of", column, lines);
    dt_gnuplot_add_integers(out, "dash", dash, lines);
    add_axes(c, out);
}

/* --- in letters --- */

static dt_status text(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error)
{
    enum { CHART_HEIGHT = 11 };
    const sweep_curves *c = picture->own;
    const dt_sheet *sheet = &picture->sheet;
    dt_buffer heading = {0};
    add_heading(c, true, &heading);
    dt_text_add_heading(out, style, &heading);
    dt_buffer_add(out, "\n");
    for (int k = 0; k < 2; k++) {
        const int figure = dt_swept_loss(c->compared) + k;
        dt_text_line lines[SHOWN_MAX];
        if (c->low[k] > c->high[k])
            continue;
        for (size_t i = 0; i < c->shown_count; i++)
            lines[i] = (dt_text_line){sheet->blocks[i].values + EPOCH, sheet->blocks[i].values + column_of(figure),
                                      sheet->blocks[i].rows, COLUMNS, (char)('A' + (int)i)};
        const dt_text_chart chart = {.label = k ? "accuracy" : "loss",
                                     .height = CHART_HEIGHT,
                                     .lines = lines,
                                     .line_count = c->shown_count,
                                     .x_label = "epoch",
                                     .x_note = ""};
        dt_status status = dt_text_chart_draw(&chart, style, out, error);
        if (status != DT_OK)
            return status;
        dt_buffer_add(out, "\n");
    }
    for (size_t i = 0; i < c->shown_count; i++) {
        dt_buffer_format(out, "%c ", 'A' + (int)i);
        (void)dt_text_add_outside(out, style, c->name[i], (size_t)style.width - 2);
        dt_buffer_add(out, "\n");
    }
    return DT_OK;
}

const dt_plot_maker dt_sweep_curves_maker = {dt_script_sweep_curves, load, settings, text};
