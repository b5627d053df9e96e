#include "data/libsvm.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/labels.h"
#include "data/numbers.h"

enum { TOKEN_MAX = 128, FEATURES_MAX = 1 << 26 };

typedef struct reader {
    dt_lines lines;
    dt_error *error;
    dt_targets kind;
    bool unlabelled;
    int64_t most;                        /* features that there may be */
    dt_list start, column, value, label; /* int64_t, int32_t, double, double; label i is of row i */
    dt_element element;
    int64_t features; /* the largest index so far */
    int64_t line;     /* of the row that is read */
    int last;         /* the character that ended the last token */
} reader;

static dt_status malformed(const reader *r, const char *what, const char *token, const char *advice)
{
    return dt_fail(r->error, DT_MALFORMED, "%s:%lld: %s'%.40s'; %s", r->lines.name, (long long)r->line, what, token,
                   advice);
}

static bool is_space(int c)
{
    return c == ' ' || c == '\t';
}

/* The next word of the line; empty at its end. A comment ends a line. */
static dt_status take_token(reader *r, char token[TOKEN_MAX])
{
    size_t n = 0;
    bool comment = false;
    int c = r->last;
    while (is_space(c))
        c = dt_lines_next(&r->lines, r->error);
    while (c == '#' || (comment && c >= 0 && c != '\n')) {
        comment = true;
        c = dt_lines_next(&r->lines, r->error);
    }
    for (; c >= 0 && c != '\n' && c != '#' && !is_space(c); c = dt_lines_next(&r->lines, r->error)) {
        token[n++] = (char)c;
        if (n == TOKEN_MAX) {
            token[n - 1] = '\0';
            return malformed(r, "nothing here is as long as ", token, "is this a LIBSVM file?");
        }
    }
    token[n] = '\0';
    r->last = c;
    return c == DT_LINES_FAILED ? r->error ? r->error->status : DT_MALFORMED : DT_OK;
}

static dt_status take_label(reader *r, const char *token)
{
    double value, *label;
    char room[32];
    const bool whole = r->kind == DT_TARGETS_CLASSES;
    if (strchr(token, ':'))
        return malformed(r, "a label is expected first, found ", token, "begin each line with its label");
    if (dt_text_number_of(token, &value) != DT_TEXT_NUMBER || (whole && dt_label_spelling(token, room) != room))
        return malformed(r, whole ? "a label is a whole number, not " : "a target is a finite number, not ", token,
                         whole ? "number the classes, or set data.targets: regression" : "correct it");
    if (!(label = dt_list_add(&r->label, 1)))
        return dt_fail_memory(r->error, r->lines.name);
    *label = value;
    return DT_OK;
}

/* INDEX:VALUE. `before` is the index before it in the row, 0 at its start. */
static dt_status take_input(reader *r, char *token, int64_t *before)
{
    char *colon = strchr(token, ':');
    double index, value;
    int32_t *column;
    double *stored;
    if (!colon)
        return malformed(r, "INDEX:VALUE is expected, found ", token, "one label a line, then inputs");
    *colon = '\0';
    if (strspn(token, "0123456789") != strlen(token) || dt_text_number_of(token, &index) != DT_TEXT_NUMBER ||
        index < 1 || index > FEATURES_MAX)
        return malformed(r, "an index is a whole number from 1 to 67108864, not ", token, "number the inputs from 1");
    if (index > (double)r->most)
        return dt_fail(r->error, DT_MALFORMED,
                       "%s:%lld: index %.0f, but a row has %lld inputs; give data.features the largest index",
                       r->lines.name, (long long)r->line, index, (long long)r->most);
    if ((int64_t)index <= *before)
        return dt_fail(r->error, DT_MALFORMED, "%s:%lld: index %.0f %s %lld; list each once, ascending", r->lines.name,
                       (long long)r->line, index, (int64_t)index == *before ? "follows itself," : "follows",
                       (long long)*before);
    if (dt_text_number_of(colon + 1, &value) != DT_TEXT_NUMBER)
        return malformed(r, "a value is a finite number, not ", colon + 1, "replace it or leave the input out");
    *before = (int64_t)index;
    r->features = *before > r->features ? *before : r->features;
    if (value == 0)
        return DT_OK; /* as if it were not there */
    column = dt_list_add(&r->column, 1);
    stored = dt_list_add(&r->value, 1);
    if (!column || !stored)
        return dt_fail_memory(r->error, r->lines.name);
    *column = (int32_t)*before - 1;
    *stored = value;
    r->element = dt_element_for(r->element, value);
    return DT_OK;
}

/* One row; an empty line is none. */
static dt_status take_row(reader *r)
{
    char token[TOKEN_MAX];
    int64_t before = 0, *start;
    r->line = r->lines.line;
    r->last = dt_lines_next(&r->lines, r->error);
    dt_status status = take_token(r, token);
    if (status != DT_OK || !*token)
        return status;
    if (r->unlabelled && strchr(token, ':'))
        status = take_label(r, "0") == DT_OK ? take_input(r, token, &before) : DT_NO_MEMORY;
    else
        status = take_label(r, token);
    while (status == DT_OK && (status = take_token(r, token)) == DT_OK && *token)
        status = take_input(r, token, &before);
    if (status != DT_OK)
        return status;
    if (!(start = dt_list_add(&r->start, 1)))
        return dt_fail_memory(r->error, r->lines.name);
    *start = (int64_t)r->column.count;
    return DT_OK;
}

static dt_status read_all(reader *r)
{
    int64_t *start = dt_list_add(&r->start, 1);
    dt_status status = start ? DT_OK : dt_fail_memory(r->error, r->lines.name);
    if (start)
        *start = 0;
    r->last = '\n';
    while (status == DT_OK && r->last >= 0)
        status = take_row(r);
    if (status == DT_OK && r->label.count == 0)
        status = dt_fail(r->error, DT_MALFORMED, "%s: has no rows; fetch or make it again", r->lines.name);
    return status;
}

/* --- into the data set --- */

static dt_status number_labels(dt_dataset *d, reader *r, const dt_opening *o, dt_columns *columns)
{
    char text[32];
    dt_class_index index;
    dt_label_set set = {.arena = &columns->arena};
    const double *label = r->label.items;
    int32_t *labels = dt_allocate_array((size_t)d->rows, sizeof *labels);
    d->labels = labels;
    dt_status status = labels ? DT_OK : dt_fail_memory(r->error, "labels");
    if (status == DT_OK && o->like && o->like->columns)
        status = dt_columns_parse(columns, o->like->columns, "the training set", r->error);
    for (int64_t i = 0; status == DT_OK && !o->like && i < d->rows; i++) {
        snprintf(text, sizeof text, "%.0f", label[i] == 0 ? 0 : label[i]);
        if (!dt_label_set_add(&set, text))
            status = dt_fail(r->error, DT_MALFORMED, "%s: has more than %d different labels; is this a regression?",
                             r->lines.name, DT_WORDS_MAX);
    }
    if (status == DT_OK && !o->like)
        status = dt_label_set_classes(&set, false, columns, r->error);
    if (status == DT_OK && !dt_class_index_make(&index, columns))
        status = dt_fail_memory(r->error, "labels");
    for (int64_t i = 0; status == DT_OK && i < d->rows; i++) {
        snprintf(text, sizeof text, "%.0f", label[i] == 0 ? 0 : label[i]);
        int64_t class = dt_class_of(&index, text);
        if (class < 0 && o->unlabelled)
            class = 0;
        if (class < 0)
            return dt_fail(r->error, DT_INVALID, "%s: row %lld has label %s, which the training set has not; drop it",
                           r->lines.name, (long long)i, text);
        labels[i] = (int32_t) class;
        d->classes = class >= d->classes ? class + 1 : d->classes;
    }
    if (columns->class_count && status == DT_OK) {
        d->classes = (int64_t)columns->class_count;
        d->label_names = dt_label_names(columns->classes, columns->class_count);
        status = d->label_names ? DT_OK : dt_fail_memory(r->error, "labels");
    }
    return status;
}

static dt_status keep_targets(dt_dataset *d, reader *r)
{
    d->kind = r->kind;
    d->outputs = 1;
    d->targets = r->label.items;
    r->label.items = NULL;
    return dt_targets_check(d->kind, d->rows, 1, d->targets, r->error);
}

static dt_status fill(dt_dataset *d, reader *r, const dt_opening *o)
{
    const double *value = r->value.items;
    void *inputs = dt_allocate_array(r->value.count, dt_element_size(r->element));
    d->rows = (int64_t)r->label.count;
    d->features = o->like ? o->like->features : o->data->features ? o->data->features : r->features;
    d->element = r->element;
    d->inputs = inputs;
    if (!inputs)
        return dt_fail_memory(r->error, r->lines.name);
    if (d->features == 0)
        return dt_fail(r->error, DT_MALFORMED, "%s: no row has an input; give data.features", r->lines.name);
    for (size_t i = 0; i < r->value.count; i++)
        dt_element_store(r->element, inputs, i, value[i]);
    d->start = r->start.items;
    r->start.items = NULL;
    d->column = r->column.items ? r->column.items : dt_allocate(0, 1);
    r->column.items = NULL;
    return d->column ? DT_OK : dt_fail_memory(r->error, r->lines.name);
}

/* The training set says how many inputs a row has, and what its classes are called. */
static dt_status keep_transform(dt_dataset *d, const dt_columns *columns, dt_error *error)
{
    dt_transform *transform = NULL;
    char *text = dt_columns_text(columns);
    dt_status status =
        text ? dt_transform_create(&transform, d->features, NULL, NULL, text, error) : dt_fail_memory(error, "labels");
    dt_release(text);
    d->transform = transform;
    return status;
}

dt_status dt_libsvm_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error)
{
    dt_error own = {0};
    reader r = {.error = &own,
                .kind = opening->data->targets,
                .unlabelled = opening->unlabelled,
                .most = opening->like             ? opening->like->features
                        : opening->data->features ? opening->data->features
                                                  : FEATURES_MAX,
                .start.size = sizeof(int64_t),
                .column.size = sizeof(int32_t),
                .value.size = sizeof(double),
                .label.size = sizeof(double)};
    dt_columns columns = {.classes = NULL};
    const char *path = opening->source->file ? opening->source->file : opening->source->inputs;
    if (!path)
        return dt_fail(error, DT_INVALID, "format libsvm needs a file; name it");
    dt_status status = dt_lines_open(&r.lines, path, &own);
    if (status == DT_OK)
        status = read_all(&r);
    if (status == DT_OK)
        status = dt_stream_sha256(&r.lines.stream, dataset->inputs_sha256, &own);
    if (status == DT_OK)
        status = fill(dataset, &r, opening);
    if (status == DT_OK)
        status =
            r.kind == DT_TARGETS_CLASSES ? number_labels(dataset, &r, opening, &columns) : keep_targets(dataset, &r);
    if (status == DT_OK)
        status = keep_transform(dataset, &columns, &own);
    dt_columns_clear(&columns);
    dt_lines_close(&r.lines);
    dt_release(r.start.items);
    dt_release(r.column.items);
    dt_release(r.value.items);
    dt_release(r.label.items);
    return status == DT_OK ? DT_OK : dt_fail(error, status, "%s", own.message);
}
