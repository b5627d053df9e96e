#include "plot/chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const columns[DT_CHART_COLUMNS] = {"x", "y", "low", "high"};
enum { X, Y, LOW, HIGH, WIDTH = 720, NARROW = 400, PANEL_HEIGHT = 336, WIDE_HEIGHT = 420 };
enum { KEY_ROW = 23, KEYS_MAX = 48, SHOWN = 60, HEADING_ROW = 60, HEADING = 72 };

dt_status dt_chart_begin(dt_picture *picture, const char *title, dt_chart **chart, dt_arena *arena, dt_error *error)
{
    *chart = dt_arena_allocate(arena, 1, sizeof **chart);
    dt_sheet_block *blocks = dt_arena_allocate(arena, DT_CHART_ITEMS, sizeof *blocks);
    if (!*chart || !blocks)
        return dt_fail_memory(error, "a chart");
    (*chart)->y_least = NAN;
    picture->own = *chart;
    picture->sheet = (dt_sheet){title, columns, DT_CHART_COLUMNS, blocks, 0};
    return DT_OK;
}

void dt_chart_cut(char cut[DT_CHART_TEXT], const char *text, size_t most)
{
    const bool whole = dt_characters(text) <= most;
    const size_t shown = whole ? most : most - 1;
    size_t bytes = 0;
    for (size_t n = 0; n < shown && text[bytes]; n++) {
        const size_t one = dt_character_bytes(text + bytes);
        if (bytes + one + sizeof "…" > DT_CHART_TEXT)
            break;
        bytes += one ? one : 1;
    }
    snprintf(cut, DT_CHART_TEXT, "%.*s%s", (int)bytes, text, whole || most == 0 ? "" : "…");
}

void dt_chart_head(dt_chart *chart, const char *whose, const char *what)
{
    const size_t taken = dt_characters(what) + 2;
    char shown[DT_CHART_TEXT] = "";
    if (!chart->narrow && taken + 2 < HEADING)
        dt_chart_cut(shown, whose, HEADING - taken);
    snprintf(chart->heading, sizeof chart->heading, "%s%s%s", shown, *shown ? ": " : "", what);
    if (!*shown && *what >= 'a' && *what <= 'z')
        *chart->heading = (char)(*what - 'a' + 'A');
}

dt_chart_panel *dt_chart_add_panel(dt_chart *chart, const char *title, const char *x_label, const char *y_label)
{
    if (chart->panel_count == DT_CHART_PANELS)
        return NULL;
    dt_chart_panel *panel = &chart->panels[chart->panel_count++];
    *panel = (dt_chart_panel){
        .x_label = x_label, .y_label = y_label, .first = chart->item_count, .last = chart->item_count - 1};
    dt_chart_cut(panel->title, title, DT_CHART_TITLE);
    return panel;
}

bool dt_chart_add_item(dt_picture *picture, dt_chart_shape shape, int rank, const char *name, size_t rows,
                       dt_arena *arena, dt_status *status)
{
    dt_chart *chart = picture->own;
    if (*status != DT_OK || chart->item_count == DT_CHART_ITEMS)
        return false;
    dt_sheet_block *block = &picture->sheet.blocks[chart->item_count];
    dt_chart_item *item = &chart->items[chart->item_count];
    *block = (dt_sheet_block){.title = item->name,
                              .values = dt_arena_allocate(arena, rows * DT_CHART_COLUMNS, sizeof(double))};
    if (!block->values) {
        *status = DT_NO_MEMORY;
        return false;
    }
    item->shape = shape;
    item->rank = rank;
    snprintf(item->name, sizeof item->name, "%s", name);
    chart->panels[chart->panel_count - 1].last = chart->item_count++;
    picture->sheet.block_count = (size_t)chart->item_count;
    return true;
}

void dt_chart_add_row(dt_picture *picture, double x, double y, double low, double high)
{
    dt_sheet_block *block = &picture->sheet.blocks[picture->sheet.block_count - 1];
    double *row = block->values + block->rows++ * DT_CHART_COLUMNS;
    row[X] = x, row[Y] = y, row[LOW] = low, row[HIGH] = high;
}

void dt_chart_add_text(dt_chart *chart, int where, double x, double y, const char *text)
{
    if (chart->text_count == DT_CHART_TEXTS)
        return;
    dt_chart_text *t = &chart->texts[chart->text_count++];
    *t = (dt_chart_text){.panel = chart->panel_count - 1, .where = where, .x = x, .y = y};
    snprintf(t->text, sizeof t->text, "%s", text);
}

/* Widens low .. high by the finite values of a column. */
static void widen(const dt_sheet *sheet, int item, size_t column, double *low, double *high)
{
    dt_sheet_range(sheet, &sheet->blocks[item], column, low, high);
}

static dt_axis axis_of(double low, double high, bool logarithmic)
{
    if (logarithmic && low > 0)
        return (dt_axis){low / 1.25, high * 1.25, true};
    return (dt_axis){low < 0 ? low - 0.05 * (high - low) : 0, high > 0 ? high * 1.08 : 1, false};
}

/* Items of the last panel without rows are taken away: gnuplot doesn't count an empty block. */
static void drop_empty(dt_picture *picture)
{
    dt_chart *chart = picture->own;
    dt_chart_panel *panel = &chart->panels[chart->panel_count - 1];
    int kept = panel->first;
    for (int i = panel->first; i <= panel->last; i++) {
        if (picture->sheet.blocks[i].rows == 0)
            continue;
        chart->items[kept] = chart->items[i];
        picture->sheet.blocks[kept] = picture->sheet.blocks[i];
        picture->sheet.blocks[kept].title = chart->items[kept].name;
        kept++;
    }
    panel->last = kept - 1;
    chart->item_count = kept;
    picture->sheet.block_count = (size_t)kept;
}

bool dt_chart_end(dt_picture *picture, bool x_logarithmic, bool y_logarithmic)
{
    dt_chart *chart = picture->own;
    dt_chart_panel *panel = &chart->panels[chart->panel_count - 1];
    drop_empty(picture);
    double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = chart->y_least;
    for (int i = panel->first; i <= panel->last; i++) {
        const bool across = chart->items[i].shape == DT_CHART_ACROSS;
        widen(&picture->sheet, i, X, &x_low, &x_high);
        widen(&picture->sheet, i, Y, &y_low, &y_high);
        for (size_t c = LOW; c <= HIGH; c++)
            widen(&picture->sheet, i, c, across ? &x_low : &y_low, across ? &x_high : &y_high);
    }
    if (!(x_low <= x_high && y_low <= y_high)) {
        chart->item_count = panel->first;
        picture->sheet.block_count = (size_t)chart->item_count;
        chart->panel_count--;
        while (chart->text_count > 0 && chart->texts[chart->text_count - 1].panel == chart->panel_count)
            chart->text_count--;
        return false;
    }
    panel->x = axis_of(x_low, x_high, x_logarithmic);
    panel->y = axis_of(y_low, y_high, y_logarithmic);
    return true;
}

/* --- the script --- */

/* Each name once: panels share the key. */
static bool is_before(const dt_chart *chart, int item)
{
    for (int i = 0; i < item; i++)
        if (strcmp(chart->items[i].name, chart->items[item].name) == 0)
            return true;
    return false;
}

static int key_count(const dt_chart *chart, size_t *longest)
{
    int count = 0;
    *longest = 0;
    for (int i = 0; i < chart->item_count; i++)
        if (chart->items[i].name[0] && !is_before(chart, i) && count < KEYS_MAX) {
            const size_t length = dt_characters(chart->items[i].name);
            *longest = length > *longest ? length : *longest;
            count++;
        }
    *longest = *longest < SHOWN ? *longest : SHOWN;
    return count;
}

static int panel_columns(const dt_chart *chart)
{
    return chart->panel_count > 1 && !chart->wide && !chart->narrow ? 2 : 1;
}

static void add_panels(const dt_chart *chart, dt_buffer *out)
{
    const size_t n = (size_t)chart->panel_count;
    double numbers[4][DT_CHART_PANELS];
    int integers[5][DT_CHART_PANELS];
    const char *texts[3][DT_CHART_PANELS];
    static const char *const number_names[] = {"x_low", "x_high", "y_low", "y_high"};
    static const char *const integer_names[] = {"first_item", "last_item", "x_logarithmic", "y_logarithmic", "beside"};
    static const char *const text_names[] = {"panel_title", "x_label", "y_label"};
    for (size_t p = 0; p < n; p++) {
        const dt_chart_panel *panel = &chart->panels[p];
        numbers[0][p] = panel->x.low, numbers[1][p] = panel->x.high;
        numbers[2][p] = panel->y.low, numbers[3][p] = panel->y.high;
        integers[0][p] = panel->first + 1, integers[1][p] = panel->last + 1;
        integers[2][p] = panel->x.logarithmic, integers[3][p] = panel->y.logarithmic, integers[4][p] = panel->beside;
        texts[0][p] = panel->title, texts[1][p] = panel->x_label, texts[2][p] = panel->y_label;
    }
    for (int k = 0; k < 4; k++)
        dt_gnuplot_add_numbers(out, number_names[k], numbers[k], n);
    for (int k = 0; k < 5; k++)
        dt_gnuplot_add_integers(out, integer_names[k], integers[k], n);
    for (int k = 0; k < 3; k++)
        dt_gnuplot_add_texts(out, text_names[k], texts[k], n, SHOWN);
}

static void add_items(const dt_chart *chart, dt_buffer *out)
{
    int shape[DT_CHART_ITEMS] = {0}, rank[DT_CHART_ITEMS] = {0}, key_shape[KEYS_MAX], key_rank[KEYS_MAX];
    const char *name[KEYS_MAX];
    size_t keys = 0;
    for (int i = 0; i < chart->item_count; i++) {
        shape[i] = (int)chart->items[i].shape;
        rank[i] = chart->items[i].rank;
        if (chart->items[i].name[0] && !is_before(chart, i) && keys < KEYS_MAX) {
            key_shape[keys] = shape[i];
            key_rank[keys] = rank[i];
            name[keys++] = chart->items[i].name;
        }
    }
    dt_gnuplot_add_integers(out, "shape", shape, (size_t)chart->item_count);
    dt_gnuplot_add_integers(out, "rank", rank, (size_t)chart->item_count);
    if (keys == 0)
        return;
    dt_gnuplot_add_integers(out, "key_shape", key_shape, keys);
    dt_gnuplot_add_integers(out, "key_rank", key_rank, keys);
    dt_gnuplot_add_texts(out, "key_name", name, keys, SHOWN);
}

/* gnuplot has no empty arrays: the first entry belongs to no panel. */
static void add_words(const dt_chart *chart, dt_buffer *out)
{
    int panel[DT_CHART_TEXTS + 1] = {0}, where[DT_CHART_TEXTS + 1] = {0};
    double x[DT_CHART_TEXTS + 1] = {0}, y[DT_CHART_TEXTS + 1] = {0};
    const char *text[DT_CHART_TEXTS + 1] = {""};
    const size_t n = (size_t)chart->text_count + 1;
    for (size_t i = 1; i < n; i++) {
        const dt_chart_text *t = &chart->texts[i - 1];
        panel[i] = t->panel + 1, where[i] = (int)t->where, x[i] = t->x, y[i] = t->y, text[i] = t->text;
    }
    dt_buffer_format(out, "words = %zu\n", n);
    dt_gnuplot_add_integers(out, "word_panel", panel, n);
    dt_gnuplot_add_integers(out, "word_where", where, n);
    dt_gnuplot_add_numbers(out, "word_x", x, n);
    dt_gnuplot_add_numbers(out, "word_y", y, n);
    dt_gnuplot_add_texts(out, "word", text, n, SHOWN);
}

void dt_chart_settings(const dt_picture *picture, dt_buffer *out)
{
    const dt_chart *chart = picture->own;
    size_t longest;
    const int keys = key_count(chart, &longest), across = panel_columns(chart);
    const int width = chart->narrow ? NARROW : WIDTH;
    const int fits = (int)((width - (chart->narrow ? 10 : 60)) / (8.5 * (double)longest + 62));
    const int key_columns = fits < 1 ? 1 : fits < keys ? fits : keys > 0 ? keys : 1;
    const int key_rows = (keys + key_columns - 1) / key_columns, rows = (chart->panel_count + across - 1) / across;
    int height = chart->panel_height;
    if (height == 0)
        height = across == 1 && !chart->narrow ? WIDE_HEIGHT : PANEL_HEIGHT;
    dt_gnuplot_add_text(out, "heading", chart->heading, HEADING + 20);
    dt_buffer_format(out, "width = %d\npanels = %d\npanel_columns = %d\nkeys = %d\nkey_rows = %d\nkey_columns = %d\n",
                     width, chart->panel_count, across, keys, key_rows, key_columns);
    dt_buffer_format(out, "height = %d\n", HEADING_ROW + KEY_ROW * key_rows + rows * height);
    add_panels(chart, out);
    dt_buffer_format(out, "items = %d\n", chart->item_count);
    add_items(chart, out);
    add_words(chart, out);
}

/* --- in letters: the numbers, a line each --- */

static const char *number(double value, char text[24])
{
    if (isnan(value))
        snprintf(text, 24, "-");
    else
        snprintf(text, 24, "%.4g", value);
    return text;
}

static void add_block(const dt_picture *picture, int i, dt_text_style style, dt_buffer *out)
{
    const dt_chart *chart = picture->own;
    const dt_chart_item *item = &chart->items[i];
    const dt_sheet_block *block = &picture->sheet.blocks[i];
    char x[24], y[24], low[24], high[24];
    const size_t most = 6; /* of lines only where they begin and end matters */
    const bool line = item->shape == DT_CHART_LINE || item->shape == DT_CHART_DASHED;
    if (line && block->rows > most)
        return;
    for (size_t r = 0; r < block->rows; r++) {
        const double *row = block->values + r * DT_CHART_COLUMNS;
        dt_buffer_add(out, "  ");
        const size_t length = item->name[0] ? dt_text_add_outside(out, style, item->name, 30) : 0;
        dt_buffer_repeat(out, " ", length < 30 ? (int)(30 - length) : 0);
        dt_buffer_format(out, " %10s %10s", number(row[X], x), number(row[Y], y));
        if (!isnan(row[LOW]))
            dt_buffer_format(out, "  [%s, %s]", number(row[LOW], low), number(row[HIGH], high));
        dt_buffer_add(out, item->shape == DT_CHART_HOLLOW ? "  *\n" : "\n");
    }
}

dt_status dt_chart_letters(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error)
{
    const dt_chart *chart = picture->own;
    dt_buffer heading = {0};
    (void)error;
    dt_buffer_add(&heading, chart->heading);
    dt_text_add_heading(out, style, &heading);
    for (int p = 0; p < chart->panel_count; p++) {
        const dt_chart_panel *panel = &chart->panels[p];
        dt_text_add_outside(out, style, panel->title, DT_CHART_TEXT);
        dt_buffer_add(out, panel->title[0] ? ": " : "");
        dt_text_add_outside(out, style, panel->y_label, DT_CHART_TEXT);
        dt_buffer_add(out, " against ");
        dt_text_add_outside(out, style, panel->x_label, DT_CHART_TEXT);
        dt_buffer_add(out, "\n");
        for (int i = panel->first; i <= panel->last; i++)
            add_block(picture, i, style, out);
    }
    return DT_OK;
}
