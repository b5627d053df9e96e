#include "data/transform.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/columns.h"
#include "data/lines.h"
#include "data/scan.h"
#include "data/sparse.h"

/* --- life --- */

static const double *copy_numbers(const double *numbers, int64_t count)
{
    double *copy = dt_allocate((size_t)count, sizeof *copy);
    return copy ? memcpy(copy, numbers, (size_t)count * sizeof *copy) : NULL;
}

dt_status dt_transform_create(dt_transform **transform, int64_t features, const double *shift, const double *factor,
                              const char *columns, dt_error *error)
{
    *transform = NULL;
    dt_transform *t = dt_allocate_zeroed(1, sizeof *t);
    if (!t)
        return dt_fail_memory(error, "the data's transform");
    t->features = features;
    t->shift = shift ? copy_numbers(shift, features) : NULL;
    t->factor = factor ? copy_numbers(factor, features) : NULL;
    t->columns = columns ? dt_duplicate(columns) : NULL;
    if ((shift && !t->shift) || (factor && !t->factor) || (columns && !t->columns)) {
        dt_transform_destroy(t);
        return dt_fail_memory(error, "the data's transform");
    }
    *transform = t;
    return DT_OK;
}

void dt_transform_destroy(dt_transform *transform)
{
    if (!transform)
        return;
    dt_release((void *)(uintptr_t)transform->shift); /* const to those who read them */
    dt_release((void *)(uintptr_t)transform->factor);
    dt_release((void *)(uintptr_t)transform->columns);
    dt_release(transform);
}

/* --- rows as doubles --- */

void dt_dataset_row(const dt_dataset *dataset, int64_t i, double *inputs)
{
    const int64_t n = dataset->features;
    assert(!dataset->feed); /* data/scan.h */
    if (!dataset->start) {
        for (int64_t k = 0; k < n; k++)
            inputs[k] = dt_element_load(dataset->element, dataset->inputs, (size_t)(i * n + k));
        return;
    }
    memset(inputs, 0, (size_t)n * sizeof *inputs);
    for (int64_t at = dataset->start[i]; at < dataset->start[i + 1]; at++)
        inputs[dataset->column[at]] = dt_element_load(dataset->element, dataset->inputs, (size_t)at);
}

/* --- shift and factor --- */

typedef struct fitting {
    const dt_dataset *dataset;
    dt_rows rows;
    double *row, *mean, *deviation, *least, *most; /* (features) each, in one block that starts at row */
} fitting;

/* Goes through the training rows in their order, whatever pieces they come in. */
static dt_status for_each_row(fitting *f, void (*look)(fitting *f), dt_error *error)
{
    dt_scan s;
    dt_status status = dt_scan_begin(&s, f->dataset, f->rows, error);
    while (status == DT_OK && (status = dt_scan_next(&s, error)) == DT_OK && s.rows.count > 0)
        for (int64_t i = 0; i < s.rows.count; i++) {
            dt_dataset_row(&s.piece, s.rows.index ? s.rows.index[i] : i, f->row);
            look(f);
        }
    dt_scan_end(&s);
    return status;
}

static void add_row(fitting *f)
{
    for (int64_t k = 0; k < f->dataset->features; k++) {
        f->mean[k] += f->row[k];
        f->least[k] = f->row[k] < f->least[k] ? f->row[k] : f->least[k];
        f->most[k] = f->row[k] > f->most[k] ? f->row[k] : f->most[k];
    }
}

static void add_square(fitting *f)
{
    for (int64_t k = 0; k < f->dataset->features; k++) {
        const double difference = f->row[k] - f->mean[k];
        f->deviation[k] += difference * difference;
    }
}

/* Mean, deviation and range of each input, in two passes: the second takes differences from the mean, which keeps the
 * digits of columns whose deviation is small beside it. A range takes one. */
static dt_status measure(fitting *f, bool range, dt_error *error)
{
    const int64_t n = f->dataset->features, rows = f->rows.count;
    for (int64_t k = 0; k < n; k++) {
        f->least[k] = INFINITY;
        f->most[k] = -INFINITY;
    }
    dt_status status = for_each_row(f, add_row, error);
    for (int64_t k = 0; k < n; k++)
        f->mean[k] /= (double)rows;
    if (status == DT_OK && !range)
        status = for_each_row(f, add_square, error);
    for (int64_t k = 0; k < n; k++)
        f->deviation[k] = sqrt(f->deviation[k] / (double)rows);
    return status;
}

/* A constant input becomes 0 exactly: its value is taken off, not a mean that rounding has moved. */
static dt_status decide(fitting *f, const dt_data_spec *data, const char *name, dt_error *error)
{
    for (int64_t k = 0; k < f->dataset->features; k++) {
        const bool constant = f->least[k] == f->most[k];
        const double width = data->min_max ? f->most[k] - f->least[k] : f->deviation[k];
        const double shift = constant || data->min_max ? f->least[k] : f->mean[k], factor = constant ? 1 : 1 / width;
        if (!isfinite(shift) || !isfinite(factor))
            return dt_fail(error, DT_INVALID,
                           "%s: input %lld reaches from %g to %g over the training rows, too %s to be brought to one "
                           "size; scale or drop it",
                           name, (long long)k, f->least[k], f->most[k], width > 1 ? "far" : "near");
        f->mean[k] = shift;
        f->deviation[k] = factor;
    }
    return DT_OK;
}

static dt_status fit(dt_transform **transform, const dt_dataset *dataset, const dt_opening *opening,
                     const char *columns, dt_error *error)
{
    fitting f = {.dataset = dataset, .rows = {dataset->rows, NULL}};
    const dt_data_spec *data = opening->data;
    const size_t n = (size_t)dataset->features;
    const char *name = data->standardize ? "data.standardize" : "data.min_max";
    dt_rows validation = {0, NULL};
    dt_status status = DT_OK;
    if (data->validation_fraction > 0)
        status = dt_rows_split(dataset->rows, data->validation_fraction, opening->seed, &f.rows, &validation, error);
    f.row = status == DT_OK ? dt_allocate_zeroed(n, 5 * sizeof *f.row) : NULL;
    if (status == DT_OK && !f.row)
        status = dt_fail_memory(error, "the training set's means");
    if (status == DT_OK) {
        f.mean = f.row + n;
        f.deviation = f.mean + n;
        f.least = f.deviation + n;
        f.most = f.least + n;
        status = measure(&f, data->min_max, error);
    }
    if (status == DT_OK) {
        status = decide(&f, data, name, error);
    }
    if (status == DT_OK)
        status = dt_transform_create(transform, dataset->features, f.mean, f.deviation, columns, error);
    dt_release(f.row);
    if (data->validation_fraction > 0)
        dt_rows_release(&f.rows);
    return status;
}

dt_status dt_dataset_transform(dt_dataset *dataset, const dt_opening *opening, dt_error *error)
{
    const dt_transform *like = opening->like, *own = dataset->transform; /* its columns, where it has words */
    const char *columns = own ? own->columns : NULL;
    dt_transform *transform = NULL;
    dt_status status = DT_OK;
    if (!like && opening->part != DT_TRAIN && (own || opening->data->standardize || opening->data->min_max))
        return dt_fail(error, DT_INVALID,
                       "data.%s: how the training set was read is not known: model.h5 has no /transform; train again",
                       dt_data_part_name(opening->part));
    if (like && like->shift) {
        if (like->features != dataset->features)
            return dt_fail(error, DT_INVALID,
                           "data.%s: %lld inputs a row, but the training set has %lld; use data of one kind",
                           dt_data_part_name(opening->part), (long long)dataset->features, (long long)like->features);
        status = dt_transform_create(&transform, dataset->features, like->shift, like->factor, columns, error);
    } else if (!like && (opening->data->standardize || opening->data->min_max)) {
        status = fit(&transform, dataset, opening, columns, error);
    }
    if (status == DT_OK && transform) {
        dt_transform_destroy((dt_transform *)(uintptr_t)own);
        dataset->transform = transform;
    }
    return status;
}

/* --- rows of their own --- */

static bool copy_transform(dt_dataset *to, const dt_dataset *from)
{
    dt_transform *transform;
    const dt_transform *t = from->transform;
    if (!t)
        return true;
    if (dt_transform_create(&transform, t->features, t->shift, t->factor, t->columns, NULL) != DT_OK)
        return false;
    to->transform = transform;
    return true;
}

/* Where a row goes. */
typedef struct picking {
    int64_t row, place;
} picking;

static int compare_rows(const void *a, const void *b)
{
    const int64_t x = ((const picking *)a)->row, y = ((const picking *)b)->row;
    return (x > y) - (x < y);
}

/* Those of a data set with a feed, read from front to back. */
static dt_status read_inputs(unsigned char *inputs, size_t size, const dt_dataset *from, const int64_t *rows,
                             int64_t count, dt_error *error)
{
    dt_scan s;
    picking *order = dt_allocate((size_t)count, sizeof *order);
    int64_t *ascending = dt_allocate((size_t)count, sizeof *ascending);
    dt_status status = order && ascending ? DT_OK : dt_fail_memory(error, "rows of a data set");
    for (int64_t i = 0; status == DT_OK && i < count; i++)
        order[i] = (picking){rows[i], i};
    if (status == DT_OK) {
        qsort(order, (size_t)count, sizeof *order, compare_rows);
        for (int64_t i = 0; i < count; i++)
            ascending[i] = order[i].row;
        status = dt_scan_begin(&s, from, (dt_rows){count, ascending}, error);
        while (status == DT_OK && (status = dt_scan_next(&s, error)) == DT_OK && s.rows.count > 0)
            for (int64_t i = 0; i < s.rows.count; i++)
                memcpy(inputs + (size_t)order[s.first + i].place * size,
                       (const unsigned char *)s.piece.inputs + (size_t)i * size, size);
        dt_scan_end(&s);
    }
    dt_release(order);
    dt_release(ascending);
    return status;
}

static dt_status copy_inputs(dt_dataset *to, const dt_dataset *from, const int64_t *rows, int64_t count,
                             dt_error *error)
{
    const size_t row = (size_t)from->features * dt_element_size(from->element);
    unsigned char *inputs = dt_allocate_array((size_t)count, row);
    to->inputs = inputs;
    if (inputs && from->feed)
        return read_inputs(inputs, row, from, rows, count, error);
    for (int64_t i = 0; inputs && i < count; i++)
        memcpy(inputs + (size_t)i * row, (const unsigned char *)from->inputs + (size_t)rows[i] * row, row);
    return inputs ? DT_OK : dt_fail_memory(error, "rows of a data set");
}

static bool copy_targets(dt_dataset *to, const dt_dataset *from, const int64_t *rows, int64_t count)
{
    const size_t n = (size_t)from->outputs;
    double *targets = dt_allocate_array((size_t)count, n * sizeof *targets);
    to->targets = targets;
    for (int64_t i = 0; targets && i < count; i++)
        memcpy(targets + (size_t)i * n, from->targets + (size_t)rows[i] * n, n * sizeof *targets);
    return targets != NULL;
}

dt_status dt_dataset_pick(dt_dataset **picked, const dt_dataset *dataset, const int64_t *rows, int64_t count,
                          dt_error *error)
{
    *picked = NULL;
    const int64_t names = dataset->kind == DT_TARGETS_CLASSES ? dataset->classes : dataset->outputs;
    dt_dataset *d = dt_allocate_zeroed(1, sizeof *d);
    int32_t *labels = d && dataset->labels ? dt_allocate((size_t)count, sizeof *labels) : NULL;
    dt_status status = d && (labels || !dataset->labels) ? DT_OK : dt_fail_memory(error, "rows of a data set");
    if (status == DT_OK) {
        d->labels = labels;
        d->kind = dataset->kind;
        d->outputs = dataset->outputs;
        d->rows = count;
        d->features = dataset->features;
        d->classes = dataset->classes;
        d->element = dataset->element;
        for (int64_t i = 0; labels && i < count; i++)
            labels[i] = dataset->labels[rows[i]];
        if ((dataset->targets && !copy_targets(d, dataset, rows, count)) ||
            (dataset->label_names && !(d->label_names = dt_label_names(dataset->label_names, (size_t)names))) ||
            !copy_transform(d, dataset) || (dataset->start && !dt_dataset_pick_sparse(d, dataset, rows, count)))
            status = dt_fail_memory(error, "rows of a data set");
    }
    if (status == DT_OK && !dataset->start)
        status = copy_inputs(d, dataset, rows, count, error);
    if (status == DT_OK)
        *picked = d;
    else
        dt_dataset_destroy(d);
    return status;
}
