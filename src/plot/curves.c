/* Loss and accuracy against epochs and against time.
 *
 * One run: its training, validation and test figures. Several runs: the test figures of each, or where not every run
 * has them the validation figures, or else the training ones; training figures too (dashed) for few runs.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plot/gnuplot.h"
#include "plot/maker.h"
#include "plot/plot.h"

/* The sheet's columns. A part's loss is followed by its accuracy. */
static const char *const columns[] = {"epoch",          "seconds",         "train_loss",
                                      "train_accuracy", "validation_loss", "validation_accuracy",
                                      "test_loss",      "test_accuracy"};
enum { EPOCH, SECONDS, FIRST_LOSS, COLUMNS = sizeof columns / sizeof *columns };

typedef enum part { TRAIN, VALIDATION, TEST, PARTS } part;

static const struct {
    const char *name;
    char mark; /* in letters */
    int colour, dash, symbol;
} parts[PARTS] = {
    [TRAIN] = {"train", 'o', 1, 2, 2},
    [VALIDATION] = {"validation", '+', 3, 3, 3},
    [TEST] = {"test", 'x', 2, 1, 1},
};

enum {
    LINES_MAX = 2 * DT_PLOT_RUNS_MAX,
    RUNS_WITH_TRAINING = 4,
    HEADING_MAX = 100,
    NAME_SHOWN = 60,
    HEIGHT = 720,
    KEY_ROW = 23
};

/* A loss that falls (or diverges) by this factor is drawn on a logarithmic axis. */
static const double LOSS_RATIO = 100;

/* What is drawn; arrays as the script has them, line by line. */
typedef struct curves {
    const dt_plot_run *runs;
    size_t run_count, line_count;
    const char *name[LINES_MAX]; /* "": not in the key */
    int block[LINES_MAX], loss[LINES_MAX], colour[LINES_MAX], dash[LINES_MAX], symbol[LINES_MAX];
    double weight[LINES_MAX], size[LINES_MAX];
    char mark[LINES_MAX];
    part compared;          /* several runs: the part that the points are of */
    double low[2], high[2]; /* of loss, of accuracy; low > high where there is none */
    double last_epoch, last_second;
} curves;

static int loss_column(part p)
{
    return FIRST_LOSS + 2 * (int)p;
}

/* Has a block any loss or accuracy of a part? */
static bool has(const dt_sheet *sheet, size_t block, part p)
{
    double low = INFINITY, high = -INFINITY;
    const dt_sheet_block *b = &sheet->blocks[block];
    return dt_sheet_range(sheet, b, (size_t)loss_column(p), &low, &high) == DT_OK ||
           dt_sheet_range(sheet, b, (size_t)loss_column(p) + 1, &low, &high) == DT_OK;
}

static bool all_have(const dt_sheet *sheet, part p)
{
    for (size_t i = 0; i < sheet->block_count; i++)
        if (!has(sheet, i, p))
            return false;
    return true;
}

static void add_line(curves *c, size_t block, part p, const char *name)
{
    size_t i = c->line_count++;
    c->name[i] = name;
    c->block[i] = (int)block;
    c->loss[i] = loss_column(p) + 1; /* gnuplot counts columns from 1 */
    c->colour[i] = parts[p].colour;
    c->dash[i] = parts[p].dash;
    c->symbol[i] = parts[p].symbol;
    c->mark[i] = parts[p].mark;
    c->weight[i] = 2;
    c->size[i] = 0.6;
}

static void choose_lines(curves *c, const dt_sheet *sheet)
{
    if (c->run_count == 1) {
        for (part p = TRAIN; p < PARTS; p++)
            if (has(sheet, 0, p))
                add_line(c, 0, p, parts[p].name);
        return;
    }
    c->compared = all_have(sheet, TEST) ? TEST : all_have(sheet, VALIDATION) ? VALIDATION : TRAIN;
    for (size_t i = 0; i < c->run_count && c->compared != TRAIN && c->run_count <= RUNS_WITH_TRAINING; i++) {
        add_line(c, i, TRAIN, "");
        c->colour[i] = (int)i + 1;
        c->symbol[i] = 0;
        c->weight[i] = 1.2;
        c->mark[i] = 0;
    }
    for (size_t i = 0; i < c->run_count; i++) {
        size_t line = c->line_count;
        add_line(c, i, c->compared, c->runs[i].label);
        c->colour[line] = (int)i + 1;
        c->dash[line] = 1 + (int)i / 7 % 5;
        c->symbol[line] = 1 + (int)i % 7;
        c->mark[line] = (char)(i < 26 ? 'A' + (int)i : 'a' + (int)i - 26);
    }
}

static void find_ranges(curves *c, const dt_sheet *sheet)
{
    for (int k = 0; k < 2; k++) {
        c->low[k] = INFINITY;
        c->high[k] = -INFINITY;
        for (size_t i = 0; i < c->line_count; i++)
            dt_sheet_range(sheet, &sheet->blocks[c->block[i]], (size_t)(c->loss[i] - 1 + k), &c->low[k], &c->high[k]);
    }
    double low = INFINITY;
    c->last_epoch = c->last_second = -INFINITY;
    for (size_t b = 0; b < sheet->block_count; b++) {
        dt_sheet_range(sheet, &sheet->blocks[b], EPOCH, &low, &c->last_epoch);
        dt_sheet_range(sheet, &sheet->blocks[b], SECONDS, &low, &c->last_second);
    }
}

/* Epochs count up from 1, time doesn't run backwards. */
static dt_status check(const char *path, const dt_sheet_block *block, dt_error *error)
{
    double epoch = 0, seconds = 0;
    for (size_t row = 0; row < block->rows; row++) {
        const double *values = block->values + row * COLUMNS;
        if (!(values[EPOCH] > epoch && values[EPOCH] < 1e15 && values[EPOCH] == floor(values[EPOCH])))
            return dt_fail(error, DT_MALFORMED, "%s:%zu: epoch %g after epoch %g; epochs count up", path, row + 2,
                           values[EPOCH], epoch);
        if (!(values[SECONDS] >= seconds && values[SECONDS] < 1e15))
            return dt_fail(error, DT_MALFORMED, "%s:%zu: seconds %g after %g; time goes on", path, row + 2,
                           values[SECONDS], seconds);
        epoch = values[EPOCH];
        seconds = values[SECONDS];
    }
    return DT_OK;
}

static dt_status load(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                      dt_arena *arena, dt_error *error)
{
    (void)options;
    dt_sheet *sheet = &picture->sheet;
    curves *c = dt_arena_allocate(arena, 1, sizeof *c);
    *sheet = (dt_sheet){.title = "Loss and accuracy after each epoch; time in seconds since training began.",
                        .columns = columns,
                        .column_count = COLUMNS,
                        .blocks = dt_arena_allocate(arena, count, sizeof(dt_sheet_block)),
                        .block_count = count};
    if (!c || !sheet->blocks)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for the curves of %zu runs", count);
    for (size_t i = 0; i < count; i++) {
        char *path = dt_plot_run_file(&runs[i], "metrics.tsv", arena, error);
        dt_status status = path ? dt_sheet_read(path, columns, COLUMNS, arena, &sheet->blocks[i], error) : DT_NO_MEMORY;
        if (status == DT_OK)
            status = check(path, &sheet->blocks[i], error);
        if (status == DT_OK && !has(sheet, i, TRAIN) && !has(sheet, i, VALIDATION) && !has(sheet, i, TEST))
            status = dt_fail(error, DT_NOT_FOUND, "%s: no epoch is finished yet; there is nothing to draw", path);
        if (status != DT_OK)
            return status;
        sheet->blocks[i].title = runs[i].label;
    }
    c->runs = runs;
    c->run_count = count;
    choose_lines(c, sheet);
    find_ranges(c, sheet);
    picture->own = c;
    return DT_OK;
}

/* --- words --- */

/* Cross-entropy by natural logarithms is in nats; other costs have no unit. */
static const char *loss_label(const curves *c)
{
    for (size_t i = 0; i < c->run_count; i++)
        if (strcmp(c->runs[i].loss, "cross_entropy") != 0)
            return "loss";
    return "loss (nats)";
}

/* The last finite value of a column, and the row it is in. */
static bool last_value(const dt_sheet *sheet, size_t block, size_t column, double *value, double *epoch)
{
    const dt_sheet_block *b = &sheet->blocks[block];
    for (size_t row = b->rows; row-- > 0;) {
        *value = dt_sheet_value(sheet, b, row, column);
        *epoch = dt_sheet_value(sheet, b, row, EPOCH);
        if (isfinite(*value))
            return true;
    }
    return false;
}

static void add_heading(const dt_picture *picture, bool in_letters, dt_buffer *out)
{
    const curves *c = picture->own;
    double value, epoch;
    if (c->run_count > 1) {
        bool dashed = c->line_count > c->run_count && !in_letters;
        dt_buffer_format(out, "%zu runs: %s%s", c->run_count,
                         c->compared == TRAIN ? "training" : parts[c->compared].name,
                         dashed ? "; training dashed" : "");
        return;
    }
    dt_buffer_add_outside(out, c->runs[0].label, NAME_SHOWN);
    for (part p = PARTS; p-- > TRAIN;)
        if (last_value(&picture->sheet, 0, (size_t)loss_column(p) + 1, &value, &epoch)) {
            dt_buffer_format(out, ": %s accuracy %.4f after %.0f epoch%s", parts[p].name, value, epoch,
                             epoch > 1 ? "s" : "");
            return;
        }
}

/* --- for gnuplot --- */

static void add_axes(const curves *c, dt_buffer *out)
{
    double low[2] = {0, 0}, high[2] = {0, 0};
    int logarithmic[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        if (c->low[k] > c->high[k])
            continue;
        double largest = fmax(fabs(c->low[k]), fabs(c->high[k]));
        double least = k ? 0.01 : largest > 0 ? 0.02 * largest : 1; /* no more digits than anyone reads */
        dt_axis axis = dt_axis_around(c->low[k], c->high[k], least, k ? INFINITY : LOSS_RATIO);
        if (k && c->high[k] <= 1) /* no accuracy is above 1 */
            axis.high = fmin(axis.high, 1 + 0.02 * (1 - axis.low));
        low[k] = axis.low;
        high[k] = axis.high;
        logarithmic[k] = axis.logarithmic;
    }
    dt_gnuplot_add_number(out, "last_epoch", c->last_epoch);
    dt_gnuplot_add_number(out, "last_second", c->last_second > 0 ? c->last_second : 1);
    dt_gnuplot_add_numbers(out, "low", low, 2);
    dt_gnuplot_add_numbers(out, "high", high, 2);
    dt_gnuplot_add_integers(out, "logarithmic", logarithmic, 2);
    dt_buffer_format(out, "first_row = %d\nlast_row = %d\n", c->low[0] <= c->high[0] ? 1 : 2,
                     c->low[1] <= c->high[1] ? 2 : 1);
}

static void settings(const dt_picture *picture, dt_buffer *out)
{
    const curves *c = picture->own;
    size_t longest = 0, keyed = 0, lines = c->line_count;
    for (size_t i = 0; i < lines; i++) {
        size_t length = dt_characters(c->name[i]);
        longest = length > longest ? length : longest;
        keyed += length > 0;
    }
    dt_buffer heading = {0};
    add_heading(picture, false, &heading);
    out->failed = out->failed || heading.failed;
    dt_gnuplot_add_text(out, "heading", heading.bytes ? heading.bytes : "", HEADING_MAX);
    dt_buffer_clear(&heading);
    dt_gnuplot_add_text(out, "loss_label", loss_label(c), HEADING_MAX);
    int rows = dt_gnuplot_add_key(out, longest < NAME_SHOWN ? longest : NAME_SHOWN, keyed);
    dt_buffer_format(out, "height = %d\nlines = %zu\n", HEIGHT + (rows > 2 ? (rows - 2) * KEY_ROW : 0), lines);
    dt_gnuplot_add_texts(out, "name", c->name, lines, NAME_SHOWN);
    dt_gnuplot_add_integers(out, "block", c->block, lines);
    dt_gnuplot_add_integers(out, "loss", c->loss, lines);
    dt_gnuplot_add_integers(out, "colour", c->colour, lines);
    dt_gnuplot_add_integers(out, "dash", c->dash, lines);
    dt_gnuplot_add_integers(out, "symbol", c->symbol, lines);
    dt_gnuplot_add_numbers(out, "size", c->size, lines);
    dt_gnuplot_add_numbers(out, "weight", c->weight, lines);
    dt_buffer_format(out, "colours_needed = %zu\n", c->run_count > 1 ? c->run_count : PARTS);
    add_axes(c, out);
}

/* --- in letters --- */

enum { CHART_HEIGHT = 11 };

static dt_status add_chart(const dt_picture *picture, int k, dt_text_style style, dt_buffer *out, dt_error *error)
{
    const curves *c = picture->own;
    const dt_sheet *sheet = &picture->sheet;
    dt_text_line lines[LINES_MAX];
    char time[32];
    size_t count = 0;
    for (size_t i = 0; i < c->line_count; i++) {
        const dt_sheet_block *b = &sheet->blocks[c->block[i]];
        if (c->mark[i])
            lines[count++] =
                (dt_text_line){b->values + EPOCH, b->values + c->loss[i] - 1 + k, b->rows, COLUMNS, c->mark[i]};
    }
    snprintf(time, sizeof time, " (%.3g s)", c->last_second);
    const dt_text_chart chart = {.label = k ? "accuracy" : loss_label(c),
                                 .height = CHART_HEIGHT,
                                 .lines = lines,
                                 .line_count = count,
                                 .x_label = "epoch",
                                 .x_note = c->run_count == 1 ? time : ""};
    return dt_text_chart_draw(&chart, style, out, error);
}

/* Last and best value of a line: "  0.3431  0.3398 (18)". */
static void add_figures(const dt_sheet *sheet, size_t block, size_t column, bool larger_is_better, dt_buffer *out)
{
    const dt_sheet_block *b = &sheet->blocks[block];
    double last = NAN, best = NAN, best_epoch = NAN;
    char epoch[32];
    for (size_t row = 0; row < b->rows; row++) {
        double v = dt_sheet_value(sheet, b, row, column);
        if (!isfinite(v))
            continue;
        last = v;
        if (isnan(best) || (larger_is_better ? v > best : v < best)) {
            best = v;
            best_epoch = dt_sheet_value(sheet, b, row, EPOCH);
        }
    }
    if (isnan(last)) {
        dt_buffer_format(out, "  %8s  %8s %-6s", "-", "-", "");
        return;
    }
    snprintf(epoch, sizeof epoch, "(%.0f)", best_epoch);
    dt_buffer_format(out, larger_is_better ? "  %8.4f  %8.4f %-6s" : "  %#8.4g  %#8.4g %-6s", last, best, epoch);
}

static void add_table(const dt_picture *picture, dt_text_style style, dt_buffer *out)
{
    const curves *c = picture->own;
    const dt_sheet *sheet = &picture->sheet;
    int name = style.width - 65; /* what the other columns leave */
    name = name < 10 ? 10 : name > NAME_SHOWN ? NAME_SHOWN : name;
    dt_buffer_format(out, "  %-*s  %8s  %-15s  %8s  %-15s  %7s\n", name, "", "loss:", "", "accuracy:", "", "time:");
    dt_buffer_format(out, "  %-*s  %8s  %8s %-6s  %8s  %8s %-6s  %7s\n", name, "", "last", "min", "(epoch)", "last",
                     "max", "(epoch)", "s");
    for (size_t i = 0; i < c->line_count; i++) {
        if (!c->mark[i])
            continue;
        double second = -INFINITY, low = INFINITY;
        dt_sheet_range(sheet, &sheet->blocks[c->block[i]], SECONDS, &low, &second);
        dt_buffer_format(out, "%c ", c->mark[i]);
        int used = (int)dt_text_add_outside(out, style, c->name[i], (size_t)name);
        dt_buffer_repeat(out, " ", name - used);
        add_figures(sheet, (size_t)c->block[i], (size_t)c->loss[i] - 1, false, out);
        add_figures(sheet, (size_t)c->block[i], (size_t)c->loss[i], true, out);
        dt_buffer_format(out, "  %7.1f\n", second);
    }
}

static dt_status text(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error)
{
    dt_buffer heading = {0};
    add_heading(picture, true, &heading);
    dt_text_add_heading(out, style, &heading);
    dt_buffer_add(out, "\n");
    for (int k = 0; k < 2; k++) {
        dt_status status = add_chart(picture, k, style, out, error);
        if (status != DT_OK)
            return status;
        dt_buffer_add(out, "\n");
    }
    add_table(picture, style, out);
    return DT_OK;
}

const dt_plot_maker dt_curves_maker = {.script = dt_script_curves, .load = load, .settings = settings, .text = text};
