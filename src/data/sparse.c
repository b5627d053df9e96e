#include "data/sparse.h"

#include <string.h>

#include "base/memory.h"
#include "base/split.h"

double dt_dataset_density(const dt_dataset *dataset)
{
    const double all = (double)dataset->rows * (double)dataset->features;
    return dataset->start ? (double)(dataset->start[dataset->rows] - dataset->start[0]) / all : 1;
}

/* Rows with more than `count` inputs, and what they hold. */
static int64_t fuller_than(const dt_dataset *dataset, int64_t count, int64_t *inputs)
{
    int64_t rows = 0;
    *inputs = 0;
    for (int64_t i = 0; i < dataset->rows; i++) {
        const int64_t own = dataset->start[i + 1] - dataset->start[i];
        rows += own > count;
        *inputs += own > count ? own : 0;
    }
    return rows;
}

/* By bisection for the count that at most `rows` rows exceed: all those that do, and the others with just that. */
int64_t dt_dataset_most(const dt_dataset *dataset, int64_t rows)
{
    int64_t low = 0, high = dataset->features, inputs;
    rows = dt_min(rows, dataset->rows);
    if (!dataset->start)
        return rows * dataset->features;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (fuller_than(dataset, middle, &inputs) > rows)
            low = middle + 1;
        else
            high = middle;
    }
    const int64_t fuller = fuller_than(dataset, low, &inputs);
    return inputs + (rows - fuller) * low;
}

bool dt_dataset_pick_sparse(dt_dataset *to, const dt_dataset *from, const int64_t *rows, int64_t count)
{
    const size_t size = dt_element_size(from->element);
    int64_t inputs = 0;
    for (int64_t i = 0; i < count; i++)
        inputs += from->start[rows[i] + 1] - from->start[rows[i]];
    int64_t *start = dt_allocate_zeroed((size_t)count + 1, sizeof *start);
    int32_t *column = dt_allocate_array((size_t)inputs, sizeof *column);
    unsigned char *values = dt_allocate_array((size_t)inputs, size);
    to->start = start;
    to->column = column;
    to->inputs = values;
    if (!start || !column || !values)
        return false;
    for (int64_t i = 0; i < count; i++) {
        const int64_t first = from->start[rows[i]], own = from->start[rows[i] + 1] - first;
        memcpy(column + start[i], from->column + first, (size_t)own * sizeof *column);
        memcpy(values + (size_t)start[i] * size, (const unsigned char *)from->inputs + (size_t)first * size,
               (size_t)own * size);
        start[i + 1] = start[i] + own;
    }
    return true;
}

/* --- from a program's arrays --- */

static dt_status check_rows(const dt_dataset *d, dt_error *error)
{
    if (d->start[0] != 0)
        return dt_fail(error, DT_INVALID, "a sparse data set's start[0] is %lld; rows begin at 0",
                       (long long)d->start[0]);
    for (int64_t i = 0; i < d->rows; i++) {
        if (d->start[i + 1] < d->start[i] || d->start[i + 1] - d->start[i] > d->features)
            return dt_fail(error, DT_INVALID, "row %lld of a sparse data set has %lld inputs; expected 0 to %lld",
                           (long long)i, (long long)(d->start[i + 1] - d->start[i]), (long long)d->features);
        for (int64_t at = d->start[i]; at < d->start[i + 1]; at++)
            if (d->column[at] < (at > d->start[i] ? d->column[at - 1] + 1 : 0) || d->column[at] >= d->features)
                return dt_fail(error, DT_INVALID,
                               "row %lld of a sparse data set: input %d; list those of a row once, ascending, from 0 "
                               "to %lld",
                               (long long)i, d->column[at], (long long)d->features - 1);
    }
    return DT_OK;
}

dt_status dt_dataset_from_sparse(dt_dataset **dataset, int64_t rows, int64_t features, int64_t classes,
                                 dt_element element, const int64_t *start, const int32_t *column, const void *inputs,
                                 const int32_t *labels, dt_error *error)
{
    *dataset = NULL;
    if (rows < 1 || features < 1 || features > DT_SPARSE_FEATURES_MAX || classes < 1)
        return dt_fail(error, DT_INVALID,
                       "a sparse data set of %lld rows, %lld features and %lld classes; each must be at least 1, "
                       "features at most %d",
                       (long long)rows, (long long)features, (long long)classes, DT_SPARSE_FEATURES_MAX);
    if (element != DT_U8 && element != DT_F32 && element != DT_F64)
        return dt_fail(error, DT_INVALID, "element type %d of a data set is unknown; use DT_U8, DT_F32 or DT_F64",
                       (int)element);
    if (!start || !column || !inputs || !labels)
        return dt_fail(error, DT_INVALID, "a sparse data set needs start, column, inputs and labels; one is NULL");
    const dt_dataset like = {.rows = rows,
                             .features = features,
                             .classes = classes,
                             .element = element,
                             .inputs = inputs,
                             .start = start,
                             .column = column,
                             .labels = labels};
    dt_status status = check_rows(&like, error);
    for (int64_t i = 0; status == DT_OK && i < rows; i++)
        if (labels[i] < 0 || labels[i] >= classes)
            status =
                dt_fail(error, DT_INVALID, "the label of row %lld is %d, expected 0 to %lld; number the classes from 0",
                        (long long)i, labels[i], (long long)classes - 1);
    if (status != DT_OK)
        return status;
    int64_t *all = dt_allocate((size_t)rows, sizeof *all);
    for (int64_t i = 0; all && i < rows; i++)
        all[i] = i;
    status = all ? dt_dataset_pick(dataset, &like, all, rows, error) : dt_fail_memory(error, "a data set");
    dt_release(all);
    return status;
}
