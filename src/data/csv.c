#include "data/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/columns.h"
#include "data/labels.h"
#include "data/numbers.h"
#include "data/records.h"

enum { FEATURES_MAX = 1 << 20 };

/* What the first reading learns of a column. */
typedef struct seen {
    int64_t numbers, missing; /* fields */
    bool categories;          /* one_hot names it */
    dt_label_set words;
} seen;

typedef struct table {
    const dt_opening *opening;
    const char *path, *name, *header, *delimiter, *missing;
    dt_error *error;
    dt_columns columns;
    seen *seen;    /* (columns.count) */
    size_t fields; /* of a row: columns.count, or without those of labels */
    bool skips;    /* ... which new samples may leave out */
    bool has_header;
    int64_t rows, features, room; /* rows that were counted at the first reading */
    dt_element element;
    dt_class_index classes;
    unsigned char *inputs; /* of the data set */
    int32_t *labels;
    double *targets; /* (rows, outputs) */
    size_t outputs;  /* columns of targets; 0 where there are classes */
} table;

static bool is_training(const table *t)
{
    return !t->opening->like;
}

static bool has_targets(const table *t)
{
    return t->opening->data->targets != DT_TARGETS_CLASSES;
}

static dt_status no_memory(const table *t)
{
    return dt_fail_memory(t->error, t->name);
}

/* "FILE:LINE: column 3 (age): ". The message's own words follow. */
static dt_status fail_at(const table *t, const dt_records *r, size_t c, const char *field, const char *what)
{
    return dt_fail(t->error, DT_MALFORMED, "%s:%lld: column %zu (%.40s): '%.40s' %s", t->name, (long long)r->line,
                   c + 1, t->columns.column[c].name, field, what);
}

/* --- header and columns --- */

/* Column of that name, or of that number from 1; -1. */
static int64_t find_column(const table *t, const char *name)
{
    double number;
    for (size_t c = 0; c < t->columns.count; c++)
        if (strcmp(t->columns.column[c].name, name) == 0)
            return (int64_t)c;
    if (dt_text_number_of(name, &number) != DT_TEXT_NUMBER || number != floor(number) || number < 1 ||
        number > (double)t->columns.count)
        return -1;
    return (int64_t)number - 1;
}

static dt_status mark_columns(table *t, const dt_name_list *names, const char *key, bool labels)
{
    for (size_t i = 0; i < names->count; i++) {
        const int64_t c = find_column(t, names->at[i]);
        if (c < 0)
            return dt_fail(t->error, DT_INVALID,
                           "data.%s: %s has no column '%.64s'; name one of its %zu columns%s, or its number from 1",
                           key, t->name, names->at[i], t->columns.count, t->has_header ? "" : " (it has no header)");
        if (labels)
            t->columns.column[c].kind = DT_COLUMN_LABEL;
        else
            t->seen[c].categories = true;
    }
    return DT_OK;
}

/* A word over a number shows that a line is a header. */
static bool shows_header(const char *above, const char *below)
{
    double number;
    return dt_text_number_of(above, &number) == DT_TEXT_NO_NUMBER && !dt_field_is_missing(above) &&
           dt_text_number_of(below, &number) == DT_TEXT_NUMBER;
}

/* Columns named by the first line: names if it turns out to be a header. */
static dt_status make_columns(table *t, const dt_records *r)
{
    dt_arena *arena = &t->columns.arena;
    const size_t n = dt_records_count(r);
    t->columns.column = dt_arena_allocate(arena, n, sizeof *t->columns.column);
    t->seen = dt_arena_allocate(arena, n, sizeof *t->seen);
    if (!t->columns.column || !t->seen)
        return no_memory(t);
    t->columns.count = t->fields = n;
    for (size_t c = 0; c < n; c++) {
        t->columns.column[c].name = dt_arena_duplicate(arena, dt_records_field(r, c));
        t->seen[c].words.arena = arena;
        if (!t->columns.column[c].name)
            return no_memory(t);
    }
    return DT_OK;
}

static bool names_label(const table *t)
{
    const dt_name_list *label = &t->opening->data->label;
    for (size_t i = 0; i < label->count; i++)
        for (size_t c = 0; c < t->columns.count; c++)
            if (strcmp(t->columns.column[c].name, label->at[i]) == 0)
                return true;
    return false;
}

static dt_status number_columns(table *t)
{
    for (size_t c = 0; c < t->columns.count; c++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", c + 1);
        if (!(t->columns.column[c].name = dt_arena_duplicate(&t->columns.arena, number)))
            return no_memory(t);
    }
    return DT_OK;
}

static dt_status mark_labels(table *t)
{
    const dt_name_list *label = &t->opening->data->label;
    if (label->count > 1 && !has_targets(t))
        return dt_fail(t->error, DT_INVALID,
                       "data.label: %zu columns, but a row has one class; name one, or set data.targets", label->count);
    if (label->count == 0)
        t->columns.column[t->columns.count - 1].kind = DT_COLUMN_LABEL;
    dt_status status = mark_columns(t, label, "label", true);
    return status == DT_OK ? mark_columns(t, &t->opening->data->one_hot, "one_hot", false) : status;
}

/* A training set's columns, from its first two lines. */
static dt_status look_at_training(table *t, dt_records *r)
{
    bool more;
    dt_status status = make_columns(t, r);
    const bool automatic = strcmp(t->header, "auto") == 0;
    t->has_header = automatic ? names_label(t) : strcmp(t->header, "true") == 0;
    if (status == DT_OK)
        status = dt_records_next(r, &more, t->error);
    if (status != DT_OK)
        return status;
    for (size_t c = 0; automatic && more && c < t->columns.count && c < dt_records_count(r); c++)
        t->has_header = t->has_header || shows_header(t->columns.column[c].name, dt_records_field(r, c));
    if (!t->has_header)
        status = number_columns(t);
    return status == DT_OK ? mark_labels(t) : status;
}

/* The columns of the training set, against the first line. */
static dt_status look_at_other(table *t, const dt_records *r)
{
    if (!t->opening->like->columns)
        return dt_fail(t->error, DT_INVALID, "%s: the training set was no table; give data of its kind", t->name);
    dt_status status = dt_columns_parse(&t->columns, t->opening->like->columns, "the training set", t->error);
    size_t labels = 0, same = 0, c = 0;
    bool words = false;
    for (size_t i = 0; i < t->columns.count; i++)
        labels += t->columns.column[i].kind == DT_COLUMN_LABEL;
    t->fields = dt_records_count(r);
    t->skips = t->opening->unlabelled && t->fields == t->columns.count - labels;
    if (status == DT_OK && t->fields != t->columns.count && !t->skips)
        return dt_fail(t->error, DT_INVALID, "%s: %zu columns, but the training set has %zu; use tables of one kind",
                       t->name, t->fields, t->columns.count);
    for (size_t i = 0; status == DT_OK && i < t->columns.count; i++) {
        const dt_column *column = &t->columns.column[i];
        double number;
        if (t->skips && column->kind == DT_COLUMN_LABEL)
            continue;
        const char *field = dt_records_field(r, c++);
        same += strcmp(field, column->name) == 0;
        words = words || (column->kind == DT_COLUMN_NUMBER && !dt_field_is_missing(field) &&
                          dt_text_number_of(field, &number) == DT_TEXT_NO_NUMBER);
    }
    t->has_header = strcmp(t->header, "auto") == 0 ? words || same == t->fields : strcmp(t->header, "true") == 0;
    t->seen = dt_arena_allocate(&t->columns.arena, t->columns.count + 1, sizeof *t->seen);
    return status != DT_OK || t->seen ? status : no_memory(t);
}

static dt_status look_at_columns(table *t)
{
    dt_records r;
    bool more = false;
    dt_status status = dt_records_open(&r, t->path, t->delimiter, t->error);
    if (status == DT_OK)
        status = dt_records_next(&r, &more, t->error);
    if (status == DT_OK && !more)
        status = dt_fail(t->error, DT_MALFORMED, "%s: has no rows; fetch or make it again", t->name);
    if (status == DT_OK)
        status = is_training(t) ? look_at_training(t, &r) : look_at_other(t, &r);
    dt_records_close(&r);
    return status;
}

/* --- every row --- */

typedef dt_status (*row_fn)(table *t, const dt_records *r);

static dt_status check_width(const table *t, const dt_records *r)
{
    if (dt_records_count(r) == t->fields)
        return DT_OK;
    return dt_fail(t->error, DT_MALFORMED, "%s:%lld: has %zu fields, but the first line has %zu; correct the row",
                   t->name, (long long)r->line, dt_records_count(r), t->fields);
}

static dt_status each_row(table *t, row_fn row, char sha256[65])
{
    dt_records r;
    bool more = true, header = t->has_header;
    dt_status status = dt_records_open(&r, t->path, t->delimiter, t->error);
    t->rows = 0;
    while (status == DT_OK && (status = dt_records_next(&r, &more, t->error)) == DT_OK && more) {
        status = check_width(t, &r);
        if (header)
            header = false;
        else if (status == DT_OK && (status = row(t, &r)) == DT_OK)
            t->rows++;
    }
    if (status == DT_OK && sha256)
        status = dt_stream_sha256(&r.lines.stream, sha256, t->error);
    dt_records_close(&r);
    return status;
}

/* The field of column c of the row, NULL where the row leaves it out; *at counts fields. */
static const char *field_of(const table *t, const dt_records *r, size_t c, size_t *at)
{
    return t->skips && t->columns.column[c].kind == DT_COLUMN_LABEL ? NULL : dt_records_field(r, (*at)++);
}

/* --- first reading --- */

static dt_status add_word(table *t, const dt_records *r, size_t c, const char *field)
{
    if (dt_label_set_add(&t->seen[c].words, field))
        return DT_OK;
    if (t->seen[c].words.count == DT_WORDS_MAX)
        return fail_at(t, r, c, field, "is one of more than 10000 different words; drop the column");
    return no_memory(t);
}

static dt_status see_target(table *t, const dt_records *r, size_t c, const char *field)
{
    double target;
    if (t->opening->unlabelled)
        return DT_OK; /* nobody asks for it */
    if (dt_text_number_of(field, &target) != DT_TEXT_NUMBER)
        return fail_at(t, r, c, field, "is no finite number to fit; correct it, or drop the row");
    if (t->opening->data->targets == DT_TARGETS_MULTILABEL && (target < 0 || target > 1))
        return fail_at(t, r, c, field, "is not between 0 and 1, as each of several labels is; correct it");
    return DT_OK;
}

static dt_status see_training_field(table *t, const dt_records *r, size_t c, const char *field)
{
    seen *s = &t->seen[c];
    double number;
    const bool missing = dt_field_is_missing(field);
    if (t->columns.column[c].kind == DT_COLUMN_LABEL && has_targets(t))
        return see_target(t, r, c, field);
    if (t->columns.column[c].kind == DT_COLUMN_LABEL)
        return missing ? fail_at(t, r, c, field, "is no label; drop the row") : add_word(t, r, c, field);
    if (missing) {
        s->missing++;
        return strcmp(t->missing, "refuse") != 0
                   ? DT_OK
                   : fail_at(t, r, c, field, "is no value; drop the row, or fill it with data.missing: mean");
    }
    if (s->categories)
        return add_word(t, r, c, field);
    const dt_text_number kind = dt_text_number_of(field, &number);
    if (kind == DT_TEXT_NOT_FINITE)
        return fail_at(t, r, c, field, "is no finite number; replace it or drop the row");
    if ((kind == DT_TEXT_NUMBER && s->words.count) || (kind == DT_TEXT_NO_NUMBER && s->numbers))
        return fail_at(t, r, c, field,
                       kind == DT_TEXT_NUMBER
                           ? "is a number, but words stand above it; correct it, or name the column in data.one_hot"
                           : "is no number, as those above it; correct it, or name the column in data.one_hot");
    if (kind == DT_TEXT_NO_NUMBER)
        return add_word(t, r, c, field);
    s->numbers++;
    t->element = dt_element_for(t->element, number);
    return DT_OK;
}

/* In another set: numbers must be numbers; words are looked up at the second reading. */
static dt_status see_other_field(table *t, const dt_records *r, size_t c, const char *field)
{
    const dt_column *column = &t->columns.column[c];
    double number;
    if (column->kind == DT_COLUMN_LABEL && has_targets(t))
        return see_target(t, r, c, field);
    if (column->kind != DT_COLUMN_NUMBER)
        return DT_OK;
    if (dt_field_is_missing(field) && column->fills)
        number = column->fill;
    else if (dt_field_is_missing(field))
        return fail_at(t, r, c, field, "is no value, and the training set had none to fill it with; drop the row");
    else if (dt_text_number_of(field, &number) != DT_TEXT_NUMBER)
        return fail_at(t, r, c, field, "is no finite number; replace it or drop the row");
    t->element = dt_element_for(t->element, number);
    return DT_OK;
}

static dt_status see_row(table *t, const dt_records *r)
{
    size_t at = 0;
    for (size_t c = 0; c < t->columns.count; c++) {
        const char *field = field_of(t, r, c, &at);
        if (!field)
            continue;
        dt_status status = is_training(t) ? see_training_field(t, r, c, field) : see_other_field(t, r, c, field);
        if (status != DT_OK)
            return status;
    }
    return DT_OK;
}

/* What a training set's columns are, now that all rows were seen. */
static dt_status decide_columns(table *t)
{
    dt_status status = DT_OK;
    for (size_t c = 0; status == DT_OK && c < t->columns.count; c++) {
        dt_column *column = &t->columns.column[c];
        seen *s = &t->seen[c];
        if (column->kind == DT_COLUMN_LABEL && has_targets(t))
            continue;
        if (column->kind == DT_COLUMN_LABEL) {
            status = dt_label_set_classes(&s->words, true, &t->columns, t->error);
            continue;
        }
        if (s->words.count) {
            column->kind = DT_COLUMN_WORDS;
            column->words = s->words.words;
            column->word_count = s->words.count;
            continue;
        }
        if (s->numbers == 0)
            return dt_fail(t->error, DT_MALFORMED, "%s: column %zu (%.40s) has no value in any row; drop it", t->name,
                           c + 1, column->name);
        column->fills = strcmp(t->missing, "refuse") != 0;
        if (s->missing && strcmp(t->missing, "0") != 0)
            t->element = DT_F64;
    }
    return status;
}

static dt_status check_sizes(table *t)
{
    size_t numbers, bytes;
    t->features = dt_columns_features(&t->columns);
    if (t->features < 1 || t->features > FEATURES_MAX)
        return dt_fail(t->error, DT_INVALID, "%s: its columns give %lld inputs, expected 1 to %d; %s", t->name,
                       (long long)t->features, FEATURES_MAX,
                       t->features ? "drop columns of many words" : "is the delimiter right?");
    if (!dt_multiply((size_t)t->rows, (size_t)t->features, &numbers) || !dt_multiply(numbers, sizeof(double), &bytes))
        return no_memory(t);
    return DT_OK;
}

/* --- second reading --- */

/* A column's part of a row, at input k. */
static dt_status put_field(table *t, const dt_records *r, size_t c, const char *field, size_t k)
{
    const dt_column *column = &t->columns.column[c];
    const size_t first = (size_t)t->rows * (size_t)t->features + k;
    const bool missing = dt_field_is_missing(field);
    if (column->kind == DT_COLUMN_NUMBER) {
        double number = missing && !is_training(t) ? column->fill : 0;
        if (missing && is_training(t))
            number = strcmp(t->missing, "0") == 0 ? 0 : NAN; /* until fill_missing */
        else if (!missing && dt_text_number_of(field, &number) != DT_TEXT_NUMBER)
            return fail_at(t, r, c, field, "has changed while it was read; read it again");
        dt_element_store(t->element, t->inputs, first, number);
        return DT_OK;
    }
    char room[32];
    const int64_t word = missing ? -1 : dt_word_find(column->words, column->word_count, dt_label_spelling(field, room));
    if (!missing && word < 0)
        return fail_at(t, r, c, field, "is no word that the training set has in this column; drop the row");
    for (size_t i = 0; i < column->word_count; i++)
        dt_element_store(t->element, t->inputs, first + i, (int64_t)i == word);
    return DT_OK;
}

static dt_status put_label(table *t, const dt_records *r, size_t c, const char *field)
{
    const int64_t class = dt_class_of(&t->classes, field);
    if (class < 0 && t->opening->unlabelled)
        return DT_OK; /* nobody asks for it */
    if (class < 0)
        return fail_at(t, r, c, field,
                       is_training(t) ? "is no label; number the classes from 0 to 1048575"
                                      : "is no label of the training set; drop the row");
    t->labels[t->rows] = (int32_t) class;
    return DT_OK;
}

static dt_status put_target(table *t, const dt_records *r, size_t c, const char *field, size_t j)
{
    double *target = &t->targets[(size_t)t->rows * t->outputs + j];
    if (dt_text_number_of(field, target) == DT_TEXT_NUMBER || t->opening->unlabelled)
        return DT_OK;
    return fail_at(t, r, c, field, "has changed while it was read; read it again");
}

static dt_status put_row(table *t, const dt_records *r)
{
    size_t at = 0, k = 0, target = 0;
    if (t->rows == t->room)
        return dt_fail(t->error, DT_IO, "%s: grows while it is read; read it again", t->name);
    for (size_t c = 0; c < t->columns.count; c++) {
        const dt_column *column = &t->columns.column[c];
        const char *field = field_of(t, r, c, &at);
        dt_status status = DT_OK;
        if (column->kind == DT_COLUMN_LABEL && has_targets(t))
            status = field ? put_target(t, r, c, field, target++) : DT_OK;
        else if (column->kind == DT_COLUMN_LABEL)
            status = field ? put_label(t, r, c, field) : DT_OK;
        else
            status = put_field(t, r, c, field, k);
        if (status != DT_OK)
            return status;
        k += column->kind == DT_COLUMN_NUMBER ? 1 : column->word_count;
    }
    return DT_OK;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Mean or median of the numbers that column k has; they go through `room` (rows). */
static double typical(const table *t, size_t k, double *room)
{
    const bool median = strcmp(t->missing, "median") == 0;
    size_t n = 0;
    double sum = 0;
    for (size_t i = 0; i < (size_t)t->rows; i++) {
        const double value = dt_element_load(t->element, t->inputs, i * (size_t)t->features + k);
        if (isnan(value))
            continue;
        room[n++] = value;
        sum += value;
    }
    if (!median)
        return sum / (double)n;
    qsort(room, n, sizeof *room, compare);
    return n % 2 ? room[n / 2] : room[n / 2 - 1] + (room[n / 2] - room[n / 2 - 1]) / 2;
}

/* Every column of numbers gets its fill, for other sets may miss what this one has. */
static dt_status fill_missing(table *t)
{
    size_t k = 0;
    double *room = dt_allocate((size_t)t->rows, sizeof *room);
    if (!room)
        return no_memory(t);
    for (size_t c = 0; c < t->columns.count; c++) {
        dt_column *column = &t->columns.column[c];
        if (column->kind == DT_COLUMN_NUMBER && column->fills && strcmp(t->missing, "0") != 0) {
            column->fill = typical(t, k, room);
            for (size_t i = 0; i < (size_t)t->rows; i++)
                if (isnan(dt_element_load(t->element, t->inputs, i * (size_t)t->features + k)))
                    dt_element_store(t->element, t->inputs, i * (size_t)t->features + k, column->fill);
        }
        k += column->kind == DT_COLUMN_NUMBER ? 1 : column->kind == DT_COLUMN_WORDS ? column->word_count : 0;
    }
    dt_release(room);
    return DT_OK;
}

static dt_status make_room(table *t, dt_dataset *d)
{
    const bool labelled = !t->skips;
    for (size_t c = 0; is_training(t) && c < t->columns.count; c++)
        d->missing += t->seen[c].missing;
    d->rows = t->rows;
    d->features = t->features;
    d->element = t->element;
    d->inputs = t->inputs = dt_allocate_array((size_t)t->rows * (size_t)t->features, dt_element_size(t->element));
    for (size_t c = 0; c < t->columns.count; c++)
        t->outputs += t->columns.column[c].kind == DT_COLUMN_LABEL && has_targets(t);
    d->kind = t->opening->data->targets;
    d->outputs = (int64_t)t->outputs;
    if (labelled && has_targets(t))
        d->targets = t->targets = dt_allocate_zeroed((size_t)t->rows, t->outputs * sizeof *t->targets);
    else if (labelled)
        d->labels = t->labels = dt_allocate_zeroed((size_t)t->rows, sizeof *t->labels);
    return t->inputs && (t->labels || t->targets || !labelled) && dt_class_index_make(&t->classes, &t->columns)
               ? DT_OK
               : no_memory(t);
}

/* The columns that targets come from. */
static const char *const *names_of_targets(table *t)
{
    size_t n = 0;
    const char **names = dt_arena_allocate(&t->columns.arena, t->outputs, sizeof *names);
    for (size_t c = 0; names && c < t->columns.count; c++)
        if (t->columns.column[c].kind == DT_COLUMN_LABEL)
            names[n++] = t->columns.column[c].name;
    return names ? dt_label_names(names, n) : NULL;
}

/* Classes, their names, and how other sets are to be read. */
static dt_status keep_words(table *t, dt_dataset *d)
{
    dt_transform *transform = NULL;
    const size_t classes = t->columns.class_count;
    for (int64_t i = 0; t->labels && i < d->rows; i++)
        d->classes = t->labels[i] >= d->classes ? t->labels[i] + 1 : d->classes;
    if (has_targets(t) && !(d->label_names = names_of_targets(t)))
        return no_memory(t);
    if (classes) {
        d->classes = (int64_t)classes;
        if (!(d->label_names = dt_label_names(t->columns.classes, classes)))
            return no_memory(t);
    }
    char *text = dt_columns_text(&t->columns);
    dt_status status = text ? dt_transform_create(&transform, d->features, NULL, NULL, text, t->error) : no_memory(t);
    dt_release(text);
    d->transform = transform;
    return status;
}

static dt_status read_table(table *t, dt_dataset *d)
{
    dt_status status = look_at_columns(t);
    if (status == DT_OK)
        status = each_row(t, see_row, NULL);
    if (status == DT_OK && t->rows == 0)
        status = dt_fail(t->error, DT_MALFORMED, "%s: has no rows%s; fetch or make it again", t->name,
                         t->has_header ? " under its header" : "");
    if (status == DT_OK && is_training(t))
        status = decide_columns(t);
    t->room = t->rows;
    if (status == DT_OK)
        status = check_sizes(t);
    if (status == DT_OK)
        status = make_room(t, d);
    if (status == DT_OK)
        status = each_row(t, put_row, d->inputs_sha256);
    if (status == DT_OK && t->rows != t->room)
        status = dt_fail(t->error, DT_IO, "%s: has changed while it was read; read it again", t->name);
    if (status == DT_OK && is_training(t))
        status = fill_missing(t);
    return status == DT_OK ? keep_words(t, d) : status;
}

dt_status dt_csv_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error)
{
    const dt_data_spec *data = opening->data;
    dt_error own = {0};
    table t = {.opening = opening,
               .path = opening->source->file ? opening->source->file : opening->source->inputs,
               .header = data->header ? data->header : "auto",
               .delimiter = data->delimiter ? data->delimiter : "auto",
               .missing = data->missing ? data->missing : "refuse",
               .error = &own};
    t.name = t.path;
    if (!t.path)
        return dt_fail(error, DT_INVALID, "format csv needs a file; name it");
    dt_status status = read_table(&t, dataset);
    dt_columns_clear(&t.columns);
    return status == DT_OK ? DT_OK : dt_fail(error, status, "%s", own.message);
}
