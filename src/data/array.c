#include "data/array.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { RAW_BYTES = 16 << 10 };

dt_status dt_array_from_stream(void *stream, void *bytes, size_t size, size_t *got, dt_error *error)
{
    return dt_stream_read(stream, bytes, size, got, error);
}

dt_status dt_array_shape(dt_array *array, int rank, const uint64_t *dimensions, dt_error *error)
{
    int used = 0;
    bool fits = true;
    size_t largest;
    if (rank < 1 || rank > DT_ARRAY_RANK_MAX)
        return dt_fail(error, DT_MALFORMED,
                       "%s: has %d dimensions, expected 1 to %d: rows, then those of a row; reshape it", array->name,
                       rank, DT_ARRAY_RANK_MAX);
    array->rank = rank;
    array->count = 1;
    for (int d = 0; d < rank; d++) {
        if (dimensions[d] == 0)
            return dt_fail(error, DT_MALFORMED,
                           "%s: dimension %d of %d is 0, expected at least 1; the file holds no data", array->name,
                           d + 1, rank);
        fits = fits && dimensions[d] <= SIZE_MAX && dt_multiply(array->count, (size_t)dimensions[d], &array->count);
        used += snprintf(array->shape + used, sizeof array->shape - (size_t)used, d ? " x %llu" : "%llu",
                         (unsigned long long)dimensions[d]);
    }
    snprintf(array->shape + used, sizeof array->shape - (size_t)used, " %s", array->type.name);
    if (!fits || !dt_multiply(array->count, sizeof(double), &largest) || largest > PTRDIFF_MAX)
        return dt_fail(error, DT_MALFORMED,
                       "%s: its header says %s, more than any memory holds; fetch or make the file again", array->name,
                       array->shape);
    array->rows = (size_t)dimensions[0];
    array->features = array->count / array->rows;
    return DT_OK;
}

dt_status dt_array_check_size(const dt_array *array, uint64_t header, const dt_stream *s, dt_error *error)
{
    const uint64_t all = header + (uint64_t)array->count * array->type.size;
    if (s->gzip && all > s->limit)
        return dt_fail(error, DT_MALFORMED,
                       "%s: its header says %s, %llu bytes with the header, but %llu bytes of gzip can't unpack to "
                       "more than %llu; fetch the "
                       "file again",
                       array->name, array->shape, (unsigned long long)all, (unsigned long long)s->disk_bytes,
                       (unsigned long long)s->limit);
    if (!s->gzip && all != s->disk_bytes)
        return dt_fail(
            error, DT_MALFORMED, "%s: its header says %s, %llu bytes with the header, but the file has %llu; %s",
            array->name, array->shape, (unsigned long long)all, (unsigned long long)s->disk_bytes,
            all > s->disk_bytes ? "it is cut off, so fetch it again" : "what follows the data doesn't belong there");
    return DT_OK;
}

dt_status dt_array_check_pair(const dt_array *inputs, const dt_array *labels, dt_targets kind, dt_error *error)
{
    const char *x = inputs->name, *y = labels->name;
    const bool classes = kind == DT_TARGETS_CLASSES;
    if (classes && labels->rank > 1 && inputs->rank == 1)
        return dt_fail(error, DT_INVALID,
                       "inputs and labels are swapped: inputs %s has %s, labels %s has %s; exchange the two names", x,
                       inputs->shape, y, labels->shape);
    if (classes && labels->rank > 1)
        return dt_fail(error, DT_INVALID, "%s: has %s, but labels are one number a row; name the file of labels", y,
                       labels->shape);
    if (classes && labels->type.kind == DT_NUMBER_FLOAT)
        return dt_fail(error, DT_INVALID, "%s: has %s, but labels are integers; convert it to unsigned bytes", y,
                       labels->shape);
    if (labels->rows != inputs->rows)
        return dt_fail(error, DT_INVALID, "%s: has %zu labels, but %s has %zu rows; name two files of one set", y,
                       labels->rows, x, inputs->rows);
    return DT_OK;
}

/* --- the numbers --- */

typedef size_t (*convert_fn)(const dt_numbers *type, size_t n, const unsigned char *from, void *to);

/* Numbers to allocate first: what the file is likely to have, so that memory stays within sight of what really lies on
 * disk. */
static size_t first_capacity(const dt_array *array)
{
    const uint64_t least = 1 << 20, guess = array->likely > least ? array->likely : least;
    const uint64_t numbers = guess / array->type.size;
    return numbers > array->count ? array->count : (size_t)numbers;
}

/* *to, of `done` numbers of `size` bytes, gets room for twice as many, or for all. */
static bool grow(void **to, size_t *capacity, size_t done, size_t count, size_t size)
{
    const size_t room = done > count / 2 ? count : 2 * done;
    void *larger = dt_allocate_array(room, size);
    if (!larger)
        return false;
    memcpy(larger, *to, done * size);
    dt_release(*to);
    *to = larger;
    *capacity = room;
    return true;
}

dt_status dt_array_fail_number(const dt_array *array, const char *what, size_t at, double value, dt_error *error)
{
    return dt_fail(error, DT_MALFORMED, "%s: %s %zu of row %zu is %g, expected %s; replace it or drop the row",
                   array->name, what, at % array->features, at / array->features, value,
                   array->type.kind == DT_NUMBER_FLOAT ? "a finite number" : "at most 2^53, to be exact");
}

static dt_status fail_value(const dt_array *array, size_t at, const void *to, convert_fn convert, dt_error *error)
{
    if (convert == dt_numbers_to_labels)
        return dt_fail(error, DT_MALFORMED,
                       "%s: the label of row %zu is %d, expected 0 to %d; number the classes from 0", array->name,
                       at / array->features, ((const int32_t *)to)[at], DT_LABEL_MAX);
    const bool target = convert == dt_numbers_to_f64;
    const double value = !target && dt_numbers_element(&array->type) == DT_F32 ? (double)((const float *)to)[at]
                                                                               : ((const double *)to)[at];
    return dt_array_fail_number(array, target ? "target" : "input", at, value, error);
}

/* The file's numbers to *to, allocated here, `size` bytes each. *to is the caller's to release whatever happens. */
static dt_status read_numbers(dt_array *array, void **to, size_t size, convert_fn convert, dt_error *error)
{
    unsigned char raw[RAW_BYTES];
    const bool plain = array->type.size == 1 && size == 1; /* bytes are read to where they stay */
    size_t capacity = first_capacity(array), done = 0, got;
    *to = dt_allocate_array(capacity, size);
    if (!*to)
        return dt_fail_memory(error, array->name);
    while (done < array->count) {
        if (done == capacity && !grow(to, &capacity, done, array->count, size))
            return dt_fail_memory(error, array->name);
        const size_t most = plain ? capacity : RAW_BYTES / array->type.size;
        const size_t some = capacity - done < most ? capacity - done : most;
        void *next = (unsigned char *)*to + done * size;
        dt_status status = array->read(array->from, plain ? next : raw, some * array->type.size, &got, error);
        if (status != DT_OK)
            return status;
        if (got < some * array->type.size)
            return dt_fail(error, DT_MALFORMED,
                           "%s: its header says %s, but its data end within element %zu; fetch it again", array->name,
                           array->shape, done + got / array->type.size);
        const size_t good = plain ? some : convert(&array->type, some, raw, next);
        if (good < some)
            return fail_value(array, done + good, *to, convert, error);
        done += some;
    }
    return DT_OK;
}

dt_status dt_array_read_inputs(dt_dataset *dataset, dt_array *array, dt_error *error)
{
    void *inputs;
    dataset->rows = (int64_t)array->rows;
    dataset->features = (int64_t)array->features;
    dataset->element = dt_numbers_element(&array->type);
    dt_status status = read_numbers(array, &inputs, dt_element_size(dataset->element), dt_numbers_to_elements, error);
    dataset->inputs = inputs;
    return status;
}

static dt_status read_classes(dt_dataset *dataset, dt_array *array, dt_error *error)
{
    void *labels;
    dt_status status = read_numbers(array, &labels, sizeof *dataset->labels, dt_numbers_to_labels, error);
    dataset->labels = labels;
    for (size_t i = 0; status == DT_OK && i < array->rows; i++)
        if (dataset->labels[i] >= dataset->classes)
            dataset->classes = dataset->labels[i] + 1;
    return status;
}

static dt_status read_targets(dt_dataset *dataset, dt_array *array, dt_targets kind, dt_error *error)
{
    void *targets;
    dt_error own = {0};
    dt_status status = read_numbers(array, &targets, sizeof *dataset->targets, dt_numbers_to_f64, error);
    dataset->targets = targets;
    dataset->kind = kind;
    dataset->outputs = (int64_t)array->features;
    if (status == DT_OK &&
        dt_targets_check(kind, (int64_t)array->rows, dataset->outputs, dataset->targets, &own) != DT_OK)
        status = dt_fail(error, DT_MALFORMED, "%s: %s", array->name, own.message);
    return status;
}

dt_status dt_array_read_labels(dt_dataset *dataset, dt_array *array, dt_targets kind, dt_error *error)
{
    return kind == DT_TARGETS_CLASSES ? read_classes(dataset, array, error) : read_targets(dataset, array, kind, error);
}

dt_status dt_array_end(const dt_array *array, dt_stream *stream, char sha256[65], dt_error *error)
{
    unsigned char byte;
    size_t got;
    dt_status status = dt_stream_read(stream, &byte, 1, &got, error);
    if (status != DT_OK)
        return status;
    if (got)
        return dt_fail(error, DT_MALFORMED,
                       "%s: its header says %s, but it goes on after them; fetch or make the file again", array->name,
                       array->shape);
    return dt_stream_sha256(stream, sha256, error);
}
