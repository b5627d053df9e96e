#include "plot/swept.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "plot/sheet.h"

enum { TABLE_MAX = 64 << 20, KEYS_MAX = 32, VALUE_SHOWN = 24, POINT = 0, RUNS = 1, FIRST = 2 };

const char *const dt_swept_figures[DT_SWEPT_FIGURES] = {"train_loss",          "train_accuracy", "validation_loss",
                                                        "validation_accuracy", "test_loss",      "test_accuracy"};
const char *const dt_swept_part_names[DT_SWEPT_PARTS] = {"training", "validation", "test"};

/* --- tables --- */

/* Cuts the field at *text out of its line and goes on to the next; NULL past the line's last. */
static char *next_field(char **text)
{
    char *field = *text;
    if (!field)
        return NULL;
    const size_t length = strcspn(field, "\t\n");
    *text = field[length] == '\t' ? field + length + 1 : NULL;
    field[length] = '\0';
    return field;
}

/* The text between quotes of a YAML string that needs no more than that. */
static char *unquoted(char *value)
{
    const size_t length = strlen(value);
    if (length < 2 || *value != '"' || value[length - 1] != '"' || strchr(value, '\\'))
        return value;
    value[length - 1] = '\0';
    return value + 1;
}

/* The lines of a table from the outside: each cut off the rest, NULL past the last. */
static char *next_line(char **rest)
{
    char *line = *rest;
    if (!line || !*line)
        return NULL;
    char *end = strchr(line, '\n');
    *rest = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return line;
}

/* Keys stand between "runs" and the first figure. */
static dt_status read_keys(dt_swept *swept, char *header, const char *path, dt_arena *arena, dt_error *error)
{
    swept->keys = dt_arena_allocate(arena, KEYS_MAX, sizeof *swept->keys);
    if (!swept->keys)
        return dt_fail_memory(error, "the sweep's keys");
    size_t column = 0;
    for (char *field; (field = next_field(&header)); column++) {
        if (column < FIRST)
            continue;
        if (strcmp(field, dt_swept_figures[0]) == 0)
            return DT_OK;
        if (swept->key_count == KEYS_MAX)
            break;
        swept->keys[swept->key_count++] = (dt_swept_key){.name = field, .label = field};
    }
    return dt_fail(error, DT_MALFORMED, "%s:1: no table of a sweep's settings: after at most %d keys comes no '%s'",
                   path, KEYS_MAX, dt_swept_figures[0]);
}

static dt_status read_values(dt_swept *swept, char *rest, size_t rows, dt_arena *arena, dt_error *error)
{
    const size_t keys = swept->key_count;
    swept->settings = dt_arena_allocate(arena, rows ? rows : 1, sizeof *swept->settings);
    for (size_t row = 0; swept->settings && row < rows; row++) {
        char *line = next_line(&rest), *field;
        dt_swept_setting *s = &swept->settings[row];
        *s = (dt_swept_setting){.values = dt_arena_allocate(arena, keys ? keys : 1, sizeof *s->values),
                                .places = dt_arena_allocate(arena, keys ? keys : 1, sizeof *s->places)};
        if (!s->values || !s->places)
            return dt_fail_memory(error, "the sweep's settings");
        for (size_t c = 0; (field = next_field(&line)) && c < FIRST + keys; c++)
            if (c >= FIRST)
                s->values[c - FIRST] = unquoted(field);
    }
    swept->setting_count = rows;
    return swept->settings ? DT_OK : dt_fail_memory(error, "the sweep's settings");
}

static dt_status read_points(dt_swept *swept, const char *path, dt_arena *arena, dt_error *error)
{
    char names[DT_SWEPT_FIGURES][32];
    const char *columns[1 + 2 * DT_SWEPT_FIGURES] = {"runs"};
    for (int f = 0; f < DT_SWEPT_FIGURES; f++) {
        snprintf(names[f], sizeof names[f], "%s_interval", dt_swept_figures[f]);
        columns[1 + 2 * f] = dt_swept_figures[f];
        columns[2 + 2 * f] = names[f];
    }
    enum { COLUMNS = sizeof columns / sizeof *columns };
    dt_sheet_block numbers;
    char *text;
    dt_status status = dt_sheet_read(path, columns, COLUMNS, arena, &numbers, error);
    if (status == DT_OK)
        status = dt_file_read(path, TABLE_MAX, arena, &text, NULL, error);
    char *rest = status == DT_OK ? text : NULL, *header = next_line(&rest);
    if (status == DT_OK)
        status = read_keys(swept, header, path, arena, error);
    if (status == DT_OK)
        status = read_values(swept, rest, numbers.rows, arena, error);
    for (size_t row = 0; status == DT_OK && row < numbers.rows; row++) {
        const double *figures = numbers.values + row * COLUMNS;
        swept->settings[row].runs = figures[0] > 0 && figures[0] < 1e9 ? (size_t)figures[0] : 0;
        for (int f = 0; f < DT_SWEPT_FIGURES; f++) {
            swept->settings[row].mean[f] = figures[1 + 2 * f];
            swept->settings[row].half[f] = figures[2 + 2 * f];
        }
    }
    return status;
}

/* A name that deltoid sweep gives, and so no way out of the folder. */
static bool is_run_name(const char *name)
{
    return *name && strspn(name, "ps-0123456789") == strlen(name);
}

static dt_status read_runs(dt_swept *swept, const char *path, dt_arena *arena, dt_error *error)
{
    char *text, *line;
    size_t lines = 1, number = 1;
    dt_status status = dt_file_read(path, TABLE_MAX, arena, &text, NULL, error);
    if (status != DT_OK)
        return status;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    if (!(swept->runs = dt_arena_allocate(arena, lines, sizeof *swept->runs)))
        return dt_fail_memory(error, "the sweep's runs");
    (void)next_line(&text);
    while ((line = next_line(&text))) {
        const char *name = next_field(&line), *state = next_field(&line), *point = next_field(&line);
        char *end = NULL;
        const unsigned long long setting = point ? strtoull(point, &end, 10) : 0;
        number++;
        if (!point || !*point || *end || setting >= swept->setting_count || !is_run_name(name))
            return dt_fail(error, DT_MALFORMED, "%s:%zu: no run of a setting that points.tsv has", path, number);
        swept->runs[swept->run_count++] = (dt_swept_run){name, (size_t)setting, strcmp(state, "complete") == 0};
    }
    return DT_OK;
}

/* --- keys --- */

/* As much of the path's end as no other key ends in; of "optimizer.name", the whole. */
static void shorten(dt_swept *swept)
{
    for (size_t k = 0; k < swept->key_count; k++) {
        const char *name = swept->keys[k].name, *from = name + strlen(name);
        bool unique = false;
        if (from - name > 5 && strcmp(from - 5, ".name") == 0)
            from -= 5;
        while (!unique && from > name) {
            do
                from--;
            while (from > name && from[-1] != '.');
            unique = true;
            for (size_t other = 0; other < swept->key_count; other++) {
                const char *its = swept->keys[other].name;
                const size_t n = strlen(from), m = strlen(its);
                unique = unique && (other == k || m < n || strcmp(its + m - n, from) != 0);
            }
        }
        swept->keys[k].label = from;
    }
}

static bool is_number(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end > text && !*end && isfinite(*value);
}

/* Is a logarithmic axis the one on which the middle one of the values, ascending, lies nearer to the middle? */
static bool looks_geometric(const double *places, size_t count)
{
    const double low = places[0], high = places[count - 1];
    if (!(low > 0) || high < 3 * low)
        return false;
    if (count == 2)
        return high >= 4 * low;
    const double middle = count % 2 ? places[count / 2] : (places[count / 2 - 1] + places[count / 2]) / 2;
    const double linear = (middle - low) / (high - low), geometric = log(middle / low) / log(high / low);
    return fabs(geometric - 0.5) < fabs(linear - 0.5);
}

typedef struct place {
    double at;
    const char *text;
} place;

static int by_place(const void *a, const void *b)
{
    const double x = ((const place *)a)->at, y = ((const place *)b)->at;
    return (x > y) - (x < y);
}

/* The distinct values, ascending. */
static void place_numbers(dt_swept *swept, size_t k, place *sorted)
{
    dt_swept_key *key = &swept->keys[k];
    for (size_t i = 0; i < swept->setting_count; i++)
        sorted[i] = (place){swept->settings[i].places[k], swept->settings[i].values[k]};
    qsort(sorted, swept->setting_count, sizeof *sorted, by_place);
    for (size_t i = 0; i < swept->setting_count; i++)
        if (i == 0 || sorted[i].at > key->places[key->distinct - 1]) {
            key->places[key->distinct] = sorted[i].at;
            key->texts[key->distinct++] = sorted[i].text;
        }
}

/* The distinct values in the table's order, at 1, 2, ... */
static void place_words(dt_swept *swept, size_t k)
{
    dt_swept_key *key = &swept->keys[k];
    for (size_t i = 0; i < swept->setting_count; i++) {
        size_t d = 0;
        while (d < key->distinct && strcmp(key->texts[d], swept->settings[i].values[k]) != 0)
            d++;
        if (d == key->distinct) {
            key->texts[d] = swept->settings[i].values[k];
            key->places[d] = (double)++key->distinct;
        }
        swept->settings[i].places[k] = (double)(d + 1);
    }
}

static dt_status place_values(dt_swept *swept, size_t k, dt_arena *arena, dt_error *error)
{
    dt_swept_key *key = &swept->keys[k];
    key->texts = dt_arena_allocate(arena, swept->setting_count, sizeof *key->texts);
    key->places = dt_arena_allocate(arena, swept->setting_count, sizeof *key->places);
    place *sorted = dt_arena_allocate(arena, swept->setting_count, sizeof *sorted);
    if (!key->texts || !key->places || !sorted)
        return dt_fail_memory(error, "the sweep's values");
    key->numeric = true;
    for (size_t i = 0; i < swept->setting_count; i++)
        key->numeric = is_number(swept->settings[i].values[k], &swept->settings[i].places[k]) && key->numeric;
    if (key->numeric)
        place_numbers(swept, k, sorted);
    else
        place_words(swept, k);
    key->logarithmic = key->numeric && key->distinct > 1 && looks_geometric(key->places, key->distinct);
    return DT_OK;
}

dt_status dt_swept_read(dt_swept *swept, const dt_plot_run *folder, dt_arena *arena, dt_error *error)
{
    *swept = (dt_swept){0};
    char *points = dt_plot_run_file(folder, "points.tsv", arena, error);
    char *summary = points ? dt_plot_run_file(folder, "summary.tsv", arena, error) : NULL;
    dt_status status = summary ? read_points(swept, points, arena, error) : DT_NO_MEMORY;
    if (status == DT_OK)
        status = read_runs(swept, summary, arena, error);
    if (status != DT_OK)
        return status;
    size_t complete = 0;
    for (size_t i = 0; i < swept->setting_count; i++)
        complete += swept->settings[i].runs;
    if (!complete)
        return dt_fail(error, DT_NOT_FOUND, "%s: no run of the sweep is complete; there is nothing to draw",
                       folder->path);
    shorten(swept);
    for (size_t k = 0; status == DT_OK && k < swept->key_count; k++)
        status = place_values(swept, k, arena, error);
    return status;
}

/* --- settings --- */

static bool has(const dt_swept *swept, int figure)
{
    for (size_t i = 0; i < swept->setting_count; i++)
        if (isfinite(swept->settings[i].mean[figure]))
            return true;
    return false;
}

dt_swept_part dt_swept_compared(const dt_swept *swept)
{
    dt_swept_part part = DT_SWEPT_TEST;
    while (part > DT_SWEPT_TRAIN && !has(swept, dt_swept_loss(part)))
        part--;
    return part;
}

int dt_swept_judged(const dt_swept *swept, dt_swept_part part)
{
    return dt_swept_loss(part) + has(swept, dt_swept_loss(part) + 1);
}

bool dt_swept_better(const dt_swept *swept, size_t first, size_t second, int judged)
{
    const double a = swept->settings[first].mean[judged], b = swept->settings[second].mean[judged];
    if (!isfinite(a) || !isfinite(b))
        return isfinite(a) && !isfinite(b);
    return judged % 2 ? a > b : a < b;
}

void dt_swept_add_label(const dt_swept *swept, size_t setting, size_t but, dt_buffer *out)
{
    const char *separator = "";
    for (size_t k = 0; k < swept->key_count; k++) {
        if (k == but)
            continue;
        dt_buffer_add(out, separator);
        (void)dt_buffer_add_outside(out, swept->keys[k].label, VALUE_SHOWN);
        dt_buffer_add(out, "=");
        (void)dt_buffer_add_outside(out, swept->settings[setting].values[k], VALUE_SHOWN);
        separator = ", ";
    }
    if (!*separator)
        dt_buffer_add(out, "all runs");
}
