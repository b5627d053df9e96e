/* What a sweep came to: loss and accuracy after the last epoch against each swept key, a dot with whiskers for each
 * setting: mean and 95 % interval over seeds. Settings that differ in nothing but the key are joined by a line, where
 * there are few such families; values that are words stand side by side.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "plot/gnuplot.h"
#include "plot/maker.h"
#include "plot/swept.h"

/* A block of the sheet is a family of settings in the row of a key, ascending in it. `at` is the value, `drawn` where
 * it is drawn: a little aside, so that whiskers don't cover each other. */
enum { SETTING, AT, DRAWN, LOSS, LOSS_HALF, ACCURACY, ACCURACY_HALF, COLUMNS };
static const char *const columns[COLUMNS] = {"setting",       "value",    "drawn_at",         "loss",
                                             "loss_interval", "accuracy", "accuracy_interval"};

enum {
    ROWS_MAX = 6,     /* keys */
    FAMILIES_MAX = 7, /* in a row; more are one cloud */
    TICS_MAX = 16,    /* named values of a key */
    LABEL_SHOWN = 60,
    TIC_SHOWN = 24,
    HEADING_MAX = 110,
    ROW_HEIGHT = 300, /* pixels */
    SLANTED = 60,     /* more where names of values are slanted */
    KEY_ROW = 23
};

typedef struct row {
    size_t key;
    size_t first, count; /* blocks */
    bool families;       /* a block is one, with its line in the row's key; else all settings */
    bool joined;         /* by lines: the values are numbers */
    bool slanted;
    double low, high; /* of the x axis */
    size_t tics;
    const char *tic[TICS_MAX]; /* "": marked, but not named */
    double tic_at[TICS_MAX];
} row;

typedef struct sweep_keys {
    const char *label;
    dt_swept swept;
    dt_swept_part compared;
    bool with_accuracy;
    row rows[ROWS_MAX];
    size_t row_count;
    size_t best, most_runs;
    double low[2], high[2];
} sweep_keys;

/* --- families --- */

/* Do both agree in all keys but one? */
static bool related(const dt_swept *swept, size_t a, size_t b, size_t but)
{
    for (size_t k = 0; k < swept->key_count; k++)
        if (k != but && strcmp(swept->settings[a].values[k], swept->settings[b].values[k]) != 0)
            return false;
    return true;
}

/* family[i]: of setting i in the row of a key, from 0. Returns how many there are, or 1, all settings a cloud, where
 * they are more than FAMILIES_MAX, or none has two settings. */
static size_t find_families(const dt_swept *swept, size_t key, size_t *family)
{
    size_t first[FAMILIES_MAX], count = 0, largest = 0, members[FAMILIES_MAX] = {0};
    for (size_t i = 0; i < swept->setting_count; i++) {
        size_t f = 0;
        while (f < count && !related(swept, first[f], i, key))
            f++;
        if (f == FAMILIES_MAX) {
            largest = 0;
            break;
        }
        if (f == count)
            first[count++] = i;
        family[i] = f;
        members[f] += swept->settings[i].runs > 0;
        largest = members[f] > largest ? members[f] : largest;
    }
    if (largest > 1)
        return count;
    memset(family, 0, swept->setting_count * sizeof *family);
    return 1;
}

/* --- axes --- */

static double along(const dt_swept_key *key, double value)
{
    return key->logarithmic ? log(value) : value;
}

static double back(const dt_swept_key *key, double position)
{
    return key->logarithmic ? exp(position) : position;
}

/* Names values that have room: `pixels` is the axis, letters about 9 wide. Words that have none are slanted. */
static void name_tics(row *r, const dt_swept_key *key, double pixels)
{
    enum { LETTER = 9, AIR = 8 };
    const double low = along(key, r->low), high = along(key, r->high);
    double free_from = -INFINITY;
    bool crowded = false;
    for (size_t d = 0; d < key->distinct && key->distinct <= TICS_MAX; d++) {
        const double at = pixels * (along(key, key->places[d]) - low) / (high - low);
        size_t letters = dt_characters(key->texts[d]);
        letters = letters > TIC_SHOWN ? TIC_SHOWN : letters;
        const bool fits = at - LETTER / 2.0 * (double)letters >= free_from;
        crowded = crowded || !fits;
        r->tic[r->tics] = fits || !key->numeric ? key->texts[d] : "";
        r->tic_at[r->tics++] = key->places[d];
        if (fits)
            free_from = at + LETTER / 2.0 * (double)letters + AIR;
    }
    r->slanted = crowded && !key->numeric;
}

static void make_axis(row *r, const dt_swept_key *key, bool two_panels)
{
    const double low = along(key, key->places[0]), high = along(key, key->places[key->distinct - 1]);
    const double air = key->numeric ? 0.07 * (high - low) : 0.6;
    r->low = back(key, low - air);
    r->high = back(key, high + air);
    name_tics(r, key, two_panels ? 380 : 840);
}

/* --- the sheet --- */

static void fill(const sweep_keys *c, const row *r, size_t f, const size_t *family, dt_sheet_block *block)
{
    const dt_swept *swept = &c->swept;
    const dt_swept_key *key = &swept->keys[r->key];
    const int loss = dt_swept_loss(c->compared);
    const double width = along(key, r->high) - along(key, r->low);
    const double apart = key->numeric ? 0.012 * width : 0.7 / (double)r->count;
    block->rows = 0;
    for (size_t i = 0; i < swept->setting_count; i++) {
        const dt_swept_setting *s = &swept->settings[i];
        if (family[i] != f || !s->runs)
            continue;
        size_t at = block->rows++;
        while (at > 0 && block->values[(at - 1) * COLUMNS + AT] > s->places[r->key]) {
            memcpy(block->values + at * COLUMNS, block->values + (at - 1) * COLUMNS, COLUMNS * sizeof(double));
            at--;
        }
        /* Families stand side by side; of a cloud over words each dot a little aside, by the golden section. */
        const double aside = r->families    ? apart * ((double)f - 0.5 * (double)(r->count - 1))
                             : key->numeric ? 0
                                            : 0.4 * (fmod((double)i * 0.6180339887, 1) - 0.5);
        const double drawn = back(key, along(key, s->places[r->key]) + aside);
        const double numbers[COLUMNS] = {(double)i,         s->places[r->key], drawn, s->mean[loss], s->half[loss],
                                         s->mean[loss + 1], s->half[loss + 1]};
        memcpy(block->values + at * COLUMNS, numbers, sizeof numbers);
    }
}

/* The family's name: what its settings have in common. */
static const char *name_of(const dt_swept *swept, size_t key, size_t setting, dt_arena *arena)
{
    dt_buffer text = {0};
    dt_swept_add_label(swept, setting, key, &text);
    char *name = text.failed ? NULL : dt_arena_allocate(arena, text.length + 1, 1);
    if (name)
        memcpy(name, text.bytes, text.length + 1);
    dt_buffer_clear(&text);
    return name;
}

static dt_status add_row(sweep_keys *c, size_t key, dt_sheet *sheet, size_t *family, dt_arena *arena, dt_error *error)
{
    row *r = &c->rows[c->row_count++];
    const dt_swept *swept = &c->swept;
    const size_t families = find_families(swept, key, family);
    *r = (row){.key = key, .first = sheet->block_count, .count = families};
    size_t complete = 0;
    for (size_t i = 0; i < swept->setting_count; i++)
        complete += swept->settings[i].runs > 0;
    make_axis(r, &swept->keys[key], c->with_accuracy);
    r->families = families > 1 || swept->key_count == 1;
    r->joined = r->families && swept->keys[key].numeric;
    for (size_t f = 0; f < families; f++) {
        dt_sheet_block *block = &sheet->blocks[sheet->block_count++];
        size_t first = 0;
        while (family[first] != f)
            first++;
        block->values = dt_arena_allocate(arena, (complete + 1) * COLUMNS, sizeof *block->values);
        block->title = r->families ? name_of(swept, key, first, arena) : "all settings";
        if (!block->values || !block->title)
            return dt_fail_memory(error, "the settings of a sweep");
        fill(c, r, f, family, block);
    }
    return DT_OK;
}

static void find_ranges(sweep_keys *c)
{
    const int loss = dt_swept_loss(c->compared), judged = dt_swept_judged(&c->swept, c->compared);
    for (int k = 0; k < 2; k++) {
        c->low[k] = INFINITY;
        c->high[k] = -INFINITY;
    }
    for (size_t i = 0; i < c->swept.setting_count; i++) {
        const dt_swept_setting *s = &c->swept.settings[i];
        if (!s->runs)
            continue;
        if (!c->swept.settings[c->best].runs || dt_swept_better(&c->swept, i, c->best, judged))
            c->best = i;
        c->most_runs = s->runs > c->most_runs ? s->runs : c->most_runs;
        for (int k = 0; k < 2; k++) {
            const double mean = s->mean[loss + k], half = isfinite(s->half[loss + k]) ? s->half[loss + k] : 0;
            if (!isfinite(mean))
                continue;
            c->low[k] = fmin(c->low[k], mean - half);
            c->high[k] = fmax(c->high[k], mean + half);
        }
    }
}

static dt_status load(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                      dt_arena *arena, dt_error *error)
{
    (void)options, (void)count;
    sweep_keys *c = dt_arena_allocate(arena, 1, sizeof *c);
    dt_sheet *sheet = &picture->sheet;
    if (!c)
        return dt_fail_memory(error, "the settings of a sweep");
    *c = (sweep_keys){.label = runs[0].label};
    dt_status status = dt_swept_read(&c->swept, &runs[0], arena, error);
    if (status != DT_OK)
        return status;
    c->compared = dt_swept_compared(&c->swept);
    c->with_accuracy = dt_swept_judged(&c->swept, c->compared) % 2;
    find_ranges(c);
    *sheet =
        (dt_sheet){.title = "After the last epoch: means over seeds, each with half the width of its 95 % interval.",
                   .columns = columns,
                   .column_count = COLUMNS,
                   .blocks = dt_arena_allocate(arena, ROWS_MAX * FAMILIES_MAX, sizeof(dt_sheet_block))};
    size_t *family = dt_arena_allocate(arena, c->swept.setting_count, sizeof *family);
    if (!sheet->blocks || !family)
        return dt_fail_memory(error, "the settings of a sweep");
    for (size_t k = 0; status == DT_OK && k < c->swept.key_count && c->row_count < ROWS_MAX; k++)
        if (c->swept.keys[k].distinct > 1)
            status = add_row(c, k, sheet, family, arena, error);
    if (status == DT_OK && c->row_count == 0)
        status = dt_fail(error, DT_NOT_FOUND, "%s: no key of the sweep has two values; there is nothing to compare",
                         runs[0].path);
    picture->own = c;
    return status;
}

/* --- words --- */

static void add_heading(const sweep_keys *c, dt_buffer *out)
{
    const dt_swept_setting *s = &c->swept.settings[c->best];
    const int judged = dt_swept_judged(&c->swept, c->compared);
    (void)dt_buffer_add_outside(out, c->label, LABEL_SHOWN);
    dt_buffer_format(out, ": best %s %s %.4g", dt_swept_part_names[c->compared], judged % 2 ? "accuracy" : "loss",
                     s->mean[judged]);
    if (isfinite(s->half[judged]))
        dt_buffer_format(out, " +- %.2g", s->half[judged]);
    dt_buffer_add(out, " at ");
    dt_swept_add_label(&c->swept, c->best, SIZE_MAX, out);
}

/* --- for gnuplot --- */

static void add_axes(const sweep_keys *c, dt_buffer *out)
{
    double low[2] = {0, 0}, high[2] = {0, 0};
    int logarithmic[2] = {0, 0};
    for (int k = 0; k <= (int)c->with_accuracy; k++) {
        const double largest = fmax(fabs(c->low[k]), fabs(c->high[k]));
        dt_axis axis = dt_axis_around(c->low[k], c->high[k], k ? 0.01 : 0.02 * largest, k ? INFINITY : 50);
        if (k && c->high[k] <= 1)
            axis.high = fmin(axis.high, 1 + 0.02 * (1 - axis.low));
        low[k] = axis.low;
        high[k] = axis.high;
        logarithmic[k] = axis.logarithmic;
    }
    dt_gnuplot_add_numbers(out, "low", low, 2);
    dt_gnuplot_add_numbers(out, "high", high, 2);
    dt_gnuplot_add_integers(out, "logarithmic", logarithmic, 2);
}

/* Rows of panels from the top, each with the key of its lines above it. */
static void add_rows(const sweep_keys *c, const dt_sheet *sheet, dt_buffer *out)
{
    const char *name[ROWS_MAX];
    int first[ROWS_MAX], last[ROWS_MAX], joined[ROWS_MAX], families[ROWS_MAX], keyed[ROWS_MAX], log_x[ROWS_MAX],
        slanted[ROWS_MAX], tics[ROWS_MAX], top[ROWS_MAX], key_columns[ROWS_MAX], key_rows[ROWS_MAX], heights = 0;
    double x_low[ROWS_MAX], x_high[ROWS_MAX];
    for (size_t i = 0; i < c->row_count; i++) {
        const row *r = &c->rows[i];
        size_t longest = 1;
        for (size_t f = r->first; f < r->first + r->count; f++) {
            const size_t length = dt_characters(sheet->blocks[f].title);
            longest = length > longest ? length : longest;
        }
        longest = longest < LABEL_SHOWN ? longest : LABEL_SHOWN;
        const double fit = 844 / (10.6 * (double)longest + 70);
        keyed[i] = r->families && r->count > 1;
        key_columns[i] = fit < 1 ? 1 : fit > (double)r->count ? (int)r->count : (int)fit;
        key_rows[i] = keyed[i] ? ((int)r->count + key_columns[i] - 1) / key_columns[i] : 0;
        name[i] = c->swept.keys[r->key].name;
        first[i] = (int)r->first;
        last[i] = (int)(r->first + r->count) - 1;
        joined[i] = r->joined;
        families[i] = r->families;
        log_x[i] = c->swept.keys[r->key].logarithmic;
        slanted[i] = r->slanted;
        tics[i] = (int)r->tics;
        x_low[i] = r->low;
        x_high[i] = r->high;
        top[i] = heights;
        heights += ROW_HEIGHT + key_rows[i] * KEY_ROW + slanted[i] * SLANTED;
    }
    dt_buffer_format(out, "height = %d\nrows = %zu\n", 52 + heights, c->row_count);
    dt_gnuplot_add_texts(out, "key_name", name, c->row_count, LABEL_SHOWN);
    const struct {
        const char *name;
        const int *values;
    } lists[] = {{"first", first},      {"last", last},
                 {"joined", joined},    {"families", families},
                 {"keyed", keyed},      {"log_x", log_x},
                 {"slanted", slanted},  {"tics", tics},
                 {"row_top", top},      {"key_columns", key_columns},
                 {"key_rows", key_rows}};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        dt_gnuplot_add_integers(out, lists[l].name, lists[l].values, c->row_count);
    dt_gnuplot_add_numbers(out, "x_low", x_low, c->row_count);
    dt_gnuplot_add_numbers(out, "x_high", x_high, c->row_count);
}

static void settings(const dt_picture *picture, dt_buffer *out)
{
    const sweep_keys *c = picture->own;
    const dt_sheet *sheet = &picture->sheet;
    const char *name[ROWS_MAX * FAMILIES_MAX];
    dt_buffer heading = {0};
    add_heading(c, &heading);
    out->failed = out->failed || heading.failed;
    dt_gnuplot_add_text(out, "heading", heading.bytes ? heading.bytes : "", HEADING_MAX);
    dt_buffer_clear(&heading);
    dt_buffer_format(out, "part = '%s'\npanels = %d\nintervals = %d\n", dt_swept_part_names[c->compared],
                     1 + c->with_accuracy, c->most_runs > 1);
    add_rows(c, sheet, out);
    for (size_t i = 0; i < sheet->block_count; i++)
        name[i] = sheet->blocks[i].title;
    dt_gnuplot_add_texts(out, "name", name, sheet->block_count, LABEL_SHOWN);
    for (size_t i = 0; i < c->row_count; i++) {
        const row *r = &c->rows[i];
        char list[32];
        if (!r->tics)
            continue;
        snprintf(list, sizeof list, "tic%zu", i + 1);
        dt_gnuplot_add_texts(out, list, r->tic, r->tics, TIC_SHOWN);
        snprintf(list, sizeof list, "tic_at%zu", i + 1);
        dt_gnuplot_add_numbers(out, list, r->tic_at, r->tics);
    }
    /* gnuplot has no way to an array whose name is made up, but it can evaluate a line that is. */
    dt_buffer_add(
        out, "tics_of(r) = sprintf('do for [t = 1:%d] { set xtics add (tic%d[t] tic_at%d[t]) }', tics[r], r, r)\n");
    add_axes(c, out);
}

/* --- in letters --- */

/* "    |------o------|      " over `width` letters. */
static void add_whiskers(double mean, double half, double low, double high, int width, dt_text_style style,
                         dt_buffer *out)
{
    const double scale = high > low ? (width - 1) / (high - low) : 0;
    const double wide = isfinite(half) ? half : 0;
    const int at = (int)lround((mean - low) * scale), from = (int)lround((mean - wide - low) * scale),
              to = (int)lround((mean + wide - low) * scale);
    for (int i = 0; i < width; i++)
        dt_buffer_add(out, i == at ? style.unicode ? "●" : "o" : i < from || i > to ? " " : style.unicode ? "─" : "-");
}

static dt_status text(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error)
{
    enum { SHOWN = 60, FIGURES = 22 };
    const sweep_keys *c = picture->own;
    const dt_swept *swept = &c->swept;
    const int judged = dt_swept_judged(swept, c->compared);
    const double low = c->low[judged % 2], high = c->high[judged % 2];
    dt_buffer heading = {0};
    size_t longest = 0, shown = 0;
    (void)error;
    add_heading(c, &heading);
    dt_text_add_heading(out, style, &heading);
    dt_buffer_format(out, "\n%s %s after the last epoch%s\n\n", dt_swept_part_names[c->compared],
                     judged % 2 ? "accuracy" : "loss", c->most_runs > 1 ? ", mean and 95 % interval over seeds" : "");
    for (int pass = 0; pass < 2; pass++, shown = 0)
        for (size_t i = 0; i < swept->setting_count && shown < SHOWN; i++) {
            const dt_swept_setting *s = &swept->settings[i];
            dt_buffer label = {0};
            if (!isfinite(s->mean[judged]))
                continue;
            shown++;
            dt_swept_add_label(swept, i, SIZE_MAX, &label);
            const size_t most = (size_t)style.width / 2, length = dt_characters(label.bytes ? label.bytes : "");
            longest = pass == 0 && length > longest ? (length < most ? length : most) : longest;
            if (pass == 1) {
                const size_t used = dt_text_add_outside(out, style, label.bytes ? label.bytes : "", longest);
                dt_buffer_repeat(out, " ", (int)(longest - used) + 2);
                const int bars = style.width - (int)longest - 2 - FIGURES;
                add_whiskers(s->mean[judged], s->half[judged], low, high, bars > 8 ? bars : 8, style, out);
                dt_buffer_format(out, "  %8.4f", s->mean[judged]);
                if (isfinite(s->half[judged]))
                    dt_buffer_format(out, " +- %.4f", s->half[judged]);
                dt_buffer_add(out, i == c->best ? " *\n" : "\n");
            }
            dt_buffer_clear(&label);
        }
    return DT_OK;
}

const dt_plot_maker dt_sweep_keys_maker = {dt_script_sweep_keys, load, settings, text};
