#include "plot/panels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_SHOWN = 50,
    RULE_SHOWN = 20,
    FRAME_HEIGHT = 112, /* pixels */
    WIDE_HEIGHT = 215,  /* with the gap to the next */
    SMALL_HEIGHT = 175,
    TICS_HEIGHT = 48,
    KEY_ROW = 23
};

/* --- reading --- */

dt_status dt_panels_read(const dt_plot_run *run, const dt_figure_query *query, const char *title,
                         const char *const *columns, dt_sheet *sheet, dt_capture_series *capture, dt_arena *arena,
                         dt_error *error)
{
    enum { TITLE_MAX = 160 };
    char *path = dt_plot_run_file(run, "capture.h5", arena, error);
    dt_status status = path ? dt_capture_series_read(path, query, arena, capture, error) : DT_NO_MEMORY;
    if (status != DT_OK)
        return status;
    *sheet = (dt_sheet){.title = title,
                        .columns = columns,
                        .column_count = capture->columns,
                        .blocks = dt_arena_allocate(arena, capture->count, sizeof(dt_sheet_block)),
                        .block_count = capture->count};
    for (size_t i = 0; sheet->blocks && i < capture->count; i++) {
        const dt_layer_series *s = &capture->series[i];
        char *name = dt_arena_allocate(arena, TITLE_MAX, 1), layer[32] = "whole network";
        if (!name)
            return dt_fail_memory(error, "the figures of layers");
        if (s->layer)
            snprintf(layer, sizeof layer, "layer %d", s->layer);
        snprintf(name, TITLE_MAX, "rule %s, %s: %lld of %lld captured steps", s->rule, layer, (long long)s->rows,
                 (long long)s->captured);
        sheet->blocks[i] = (dt_sheet_block){name, (size_t)s->rows, s->values};
    }
    return sheet->blocks ? DT_OK : dt_fail_memory(error, "the figures of layers");
}

void dt_panels_heading(dt_panels *panels, const dt_plot_run *run, const dt_capture_series *capture, const char *more)
{
    dt_buffer heading = {0};
    int rules = 0;
    dt_buffer_add_outside(&heading, run->label, NAME_SHOWN);
    for (int f = 0; f < DT_FIGURES_MAX; f++) {
        bool is_new = capture->rule_of[f][0] != '\0';
        for (int before = 0; before < f; before++)
            is_new = is_new && strcmp(capture->rule_of[f], capture->rule_of[before]) != 0;
        if (!is_new)
            continue;
        dt_buffer_add(&heading, rules++ ? ", " : ", captured by ");
        dt_buffer_add_outside(&heading, capture->rule_of[f], RULE_SHOWN);
    }
    dt_buffer_add(&heading, more);
    snprintf(panels->heading, sizeof panels->heading, "%s", heading.bytes ? heading.bytes : "");
    dt_buffer_clear(&heading);
}

/* --- making --- */

dt_panel *dt_panels_add(dt_panels *panels, const char *label, const char *ascii, const char *title, bool wide)
{
    if (panels->count == DT_PANELS_MAX)
        return NULL;
    dt_panel *p = &panels->panels[panels->count++];
    *p = (dt_panel){.ascii = ascii,
                    .wide = wide,
                    .first = panels->item_count,
                    .last = panels->item_count - 1,
                    .low = INFINITY,
                    .high = -INFINITY,
                    .least = INFINITY};
    snprintf(p->label, sizeof p->label, "%s", label);
    snprintf(p->title, sizeof p->title, "%s", title);
    return p;
}

bool dt_panels_add_item(dt_panels *panels, const dt_sheet *sheet, const dt_panel_item *item)
{
    const dt_sheet_block *block = &sheet->blocks[item->block];
    dt_panel *p = &panels->panels[panels->count - 1];
    const bool band = item->shape == DT_SHAPE_BAND || item->shape == DT_SHAPE_CORE;
    double step = -INFINITY;
    if (panels->item_count == DT_PANEL_ITEMS_MAX ||
        dt_sheet_range(sheet, block, item->column, &p->low, &p->high) != DT_OK ||
        (band && dt_sheet_range(sheet, block, item->upper, &p->low, &p->high) != DT_OK))
        return false;
    for (size_t row = 0; row < block->rows; row++) {
        const double v = dt_sheet_value(sheet, block, row, item->column);
        if (v > 0 && isfinite(v))
            p->least = fmin(p->least, v);
    }
    dt_sheet_range(sheet, block, DT_COLUMN_STEP, &(double){INFINITY}, &step);
    panels->last_step = fmax(panels->last_step, step);
    p->last = panels->item_count;
    panels->items[panels->item_count++] = *item;
    panels->ranks = item->rank > panels->ranks ? item->rank : panels->ranks;
    return true;
}

void dt_panels_add_key(dt_panels *panels, const char *name, dt_panel_shape shape, int rank)
{
    if (panels->key_count == DT_PANEL_KEYS_MAX)
        return;
    dt_panel_key *k = &panels->keys[panels->key_count++];
    k->shape = shape;
    k->rank = rank;
    snprintf(k->name, sizeof k->name, "%s", name);
}

int dt_panels_rank_layers(const dt_capture_series *capture, int rank_of[DT_CAPTURE_LAYERS_MAX + 1])
{
    int ranks = 0;
    memset(rank_of, 0, (DT_CAPTURE_LAYERS_MAX + 1) * sizeof *rank_of);
    for (size_t i = 0; i < capture->count; i++)
        rank_of[capture->series[i].layer] = 1;
    rank_of[0] = 0;
    for (int layer = 1; layer <= DT_CAPTURE_LAYERS_MAX; layer++)
        rank_of[layer] = rank_of[layer] ? ++ranks : 0;
    return ranks;
}

void dt_panels_add_layer_keys(dt_panels *panels, const int rank_of[DT_CAPTURE_LAYERS_MAX + 1])
{
    for (int layer = 1; layer <= DT_CAPTURE_LAYERS_MAX; layer++) {
        char name[16];
        bool drawn = false;
        for (int i = 0; i < panels->item_count; i++)
            drawn = drawn || panels->items[i].rank == rank_of[layer];
        snprintf(name, sizeof name, "layer %d", layer);
        if (rank_of[layer] && drawn)
            dt_panels_add_key(panels, name, DT_SHAPE_LINE, rank_of[layer]);
    }
}

bool dt_panels_end(dt_panels *panels, bool from_zero, double ratio)
{
    dt_panel *p = &panels->panels[panels->count - 1];
    if (p->last < p->first) {
        panels->count--;
        return false;
    }
    p->axis = dt_axis_around(fmin(p->least, p->high), p->high, 0, ratio);
    if (!p->axis.logarithmic)
        p->axis = dt_axis_around(from_zero ? fmin(p->low, 0) : p->low, p->high,
                                 p->high > p->low || p->high > 0 ? 0.01 * fabs(p->high) : 1, INFINITY);
    return true;
}

bool dt_steps_are_logarithmic(const dt_sheet *sheet)
{
    for (size_t b = 0; b < sheet->block_count; b++) {
        const dt_sheet_block *block = &sheet->blocks[b];
        if (block->rows < 6)
            continue;
        const double last = dt_sheet_value(sheet, block, block->rows - 1, DT_COLUMN_STEP);
        return dt_sheet_value(sheet, block, block->rows / 2, DT_COLUMN_STEP) < last / 8;
    }
    return false;
}

/* --- for gnuplot --- */

/* Rows of panels, from the top: where each panel stands. Returns the rows' height. */
static int place(const dt_panels *panels, int *row_top, int *row_height, int *column, int *columns)
{
    int top = 0, at = 0, height = 0;
    for (int i = 0; i < panels->count; i++) {
        const dt_panel *p = &panels->panels[i];
        const bool wide = p->wide || panels->columns == 1;
        if (at > 0 && (wide || at == panels->columns)) {
            top += height;
            at = 0;
        }
        height = p->wide ? WIDE_HEIGHT : SMALL_HEIGHT;
        if (p->wide && panels->columns > 1 && i + 1 < panels->count && !panels->panels[i + 1].wide)
            height += TICS_HEIGHT; /* what follows has other tics */
        row_top[i] = top;
        row_height[i] = height;
        column[i] = at + 1;
        columns[i] = wide ? 1 : panels->columns;
        at++;
        if (wide) {
            top += height;
            at = 0;
        }
    }
    return top + (at ? height : 0);
}

static void add_panels(const dt_panels *panels, dt_buffer *out)
{
    const char *label[DT_PANELS_MAX], *title[DT_PANELS_MAX];
    int first[DT_PANELS_MAX], last[DT_PANELS_MAX], logarithmic[DT_PANELS_MAX], row_top[DT_PANELS_MAX],
        row_height[DT_PANELS_MAX], column[DT_PANELS_MAX], columns[DT_PANELS_MAX], lowest[DT_PANELS_MAX];
    double low[DT_PANELS_MAX], high[DT_PANELS_MAX];
    const size_t count = (size_t)panels->count;
    const int height = place(panels, row_top, row_height, column, columns);
    for (size_t i = 0; i < count; i++) {
        const dt_panel *p = &panels->panels[i];
        label[i] = p->label;
        title[i] = p->title;
        first[i] = p->first + 1; /* gnuplot counts from 1 */
        last[i] = p->last + 1;
        logarithmic[i] = p->axis.logarithmic;
        low[i] = p->axis.low;
        high[i] = p->axis.high;
        lowest[i] = 1;
        for (size_t j = i + 1; j < count; j++)
            lowest[i] = lowest[i] && !(row_top[j] > row_top[i] && columns[j] == columns[i] && column[j] == column[i]);
    }
    size_t longest = 1;
    for (int k = 0; k < panels->key_count; k++)
        longest = dt_characters(panels->keys[k].name) > longest ? dt_characters(panels->keys[k].name) : longest;
    int rows = 0;
    if (panels->key_count)
        rows = dt_gnuplot_add_key(out, longest, (size_t)panels->key_count);
    else
        dt_buffer_add(out, "key_rows = 0\nkey_columns = 1\n");
    dt_buffer_format(out, "height = %d\npanels = %zu\n", FRAME_HEIGHT + height + KEY_ROW * rows, count);
    dt_gnuplot_add_texts(out, "label", label, count, DT_PANEL_TEXT);
    dt_gnuplot_add_texts(out, "inside", title, count, DT_PANEL_TEXT);
    dt_gnuplot_add_integers(out, "first_item", first, count);
    dt_gnuplot_add_integers(out, "last_item", last, count);
    dt_gnuplot_add_integers(out, "logarithmic", logarithmic, count);
    dt_gnuplot_add_integers(out, "row_top", row_top, count);
    dt_gnuplot_add_integers(out, "row_height", row_height, count);
    dt_gnuplot_add_integers(out, "at_column", column, count);
    dt_gnuplot_add_integers(out, "of_columns", columns, count);
    dt_gnuplot_add_integers(out, "lowest", lowest, count);
    dt_gnuplot_add_numbers(out, "low", low, count);
    dt_gnuplot_add_numbers(out, "high", high, count);
}

void dt_panels_settings(const dt_picture *picture, dt_buffer *out)
{
    const dt_panels *panels = picture->own;
    dt_gnuplot_add_text(out, "heading", panels->heading, sizeof panels->heading);
    add_panels(panels, out);
    static const char *const names[] = {"shape", "block", "lower", "upper", "rank"};
    enum { LISTS = sizeof names / sizeof *names };
    for (int l = 0; l < LISTS; l++) {
        int values[DT_PANEL_ITEMS_MAX];
        for (int i = 0; i < panels->item_count; i++) {
            const dt_panel_item *item = &panels->items[i];
            const int of[LISTS] = {(int)item->shape, (int)item->block, (int)item->column + 1, (int)item->upper + 1,
                                   item->rank};
            values[i] = of[l];
        }
        dt_gnuplot_add_integers(out, names[l], values, (size_t)panels->item_count);
    }
    const char *key[DT_PANEL_KEYS_MAX];
    int key_shape[DT_PANEL_KEYS_MAX], key_rank[DT_PANEL_KEYS_MAX];
    for (int k = 0; k < panels->key_count; k++) {
        key[k] = panels->keys[k].name;
        key_shape[k] = (int)panels->keys[k].shape;
        key_rank[k] = panels->keys[k].rank;
    }
    dt_buffer_format(out, "keys = %d\nranks = %d\n", panels->key_count, panels->ranks);
    if (panels->key_count) {
        dt_gnuplot_add_texts(out, "key_name", key, (size_t)panels->key_count, DT_PANEL_TEXT);
        dt_gnuplot_add_integers(out, "key_shape", key_shape, (size_t)panels->key_count);
        dt_gnuplot_add_integers(out, "key_rank", key_rank, (size_t)panels->key_count);
    }
    dt_buffer_format(out, "log_x = %d\n", dt_steps_are_logarithmic(&picture->sheet));
    dt_gnuplot_add_number(out, "last_step", panels->last_step);
}

/* --- in letters --- */

dt_status dt_panels_text(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error)
{
    const dt_panels *panels = picture->own;
    const dt_sheet *sheet = &picture->sheet;
    (void)error;
    dt_buffer heading = {0};
    dt_buffer_add(&heading, panels->heading);
    dt_buffer_format(&heading, ", steps 0 to %.0f", panels->last_step);
    dt_text_add_heading(out, style, &heading);
    for (int i = 0; i < panels->count; i++) {
        const dt_panel *p = &panels->panels[i];
        char head[2 * DT_PANEL_TEXT + 4];
        snprintf(head, sizeof head, "%s%s%s", style.unicode ? p->label : p->ascii, p->title[0] ? ", " : "", p->title);
        dt_text_add_series_head(head, p->axis.logarithmic, style, out);
        for (int k = p->first; k <= p->last; k++) {
            const dt_panel_item *item = &panels->items[k];
            const dt_sheet_block *b = &sheet->blocks[item->block];
            if (item->name[0])
                dt_text_add_series(item->name, b->values + item->column, b->rows, sheet->column_count, p->axis.low,
                                   p->axis.high, p->axis.logarithmic, style, out);
        }
    }
    return DT_OK;
}
