#include "train/sparse.h"

#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "train/gather.h"

/* --- life --- */

static int64_t runs_of(const dt_sparse_sizes *sizes, int64_t capacity)
{
    return dt_ceil_div(capacity, sizes->run);
}

bool dt_sparse_measure(const dt_sparse_sizes *sizes, int64_t capacity, size_t *bytes)
{
    const size_t numbers = (size_t)sizes->numbers, entries = 2 * (numbers + (size_t)sizes->run);
    size_t runs, index, each, all;
    if (!dt_multiply(numbers, (size_t)runs_of(sizes, capacity), &all) ||
        !dt_multiply(all, sizeof(int32_t) + sizeof(dt_real), &runs) ||
        !dt_multiply(entries, sizeof(dt_sparse_entry), &each) ||
        __builtin_add_overflow(each, (numbers + 2) * (sizeof(int32_t) + sizeof(int64_t)), &each) ||
        !dt_multiply(each, (size_t)sizes->indices, &index) ||
        __builtin_add_overflow(runs, (size_t)capacity * sizeof(dt_span), &runs))
        return false;
    return !__builtin_add_overflow(runs, index, bytes);
}

static bool make_index(dt_sparse *x, int64_t worker)
{
    const size_t numbers = (size_t)x->sizes.numbers;
    x->index_column[worker] = dt_allocate(numbers + 1, sizeof(int32_t));
    x->index_first[worker] = dt_allocate(numbers + 2, sizeof(int64_t));
    x->entry[worker] = dt_allocate(2 * (numbers + (size_t)x->sizes.run), sizeof(dt_sparse_entry));
    return x->index_column[worker] && x->index_first[worker] && x->entry[worker];
}

dt_status dt_sparse_create(dt_sparse **sparse, const dt_sparse_sizes *sizes, int64_t capacity, dt_error *error)
{
    *sparse = NULL;
    dt_sparse *x = dt_allocate_zeroed(1, sizeof *x);
    if (!x)
        return dt_fail_memory(error, "sparse inputs");
    const size_t numbers = (size_t)(runs_of(sizes, capacity) * sizes->numbers), indices = (size_t)sizes->indices;
    x->sizes = *sizes;
    x->row = dt_allocate_zeroed((size_t)capacity, sizeof *x->row);
    x->column = dt_allocate(numbers, sizeof *x->column);
    x->value = dt_allocate(numbers, sizeof *x->value);
    x->columns = dt_allocate_zeroed(indices, sizeof *x->columns);
    x->index_column = dt_allocate_zeroed(indices, sizeof *x->index_column);
    x->index_first = dt_allocate_zeroed(indices, sizeof *x->index_first);
    x->entry = dt_allocate_zeroed(indices, sizeof *x->entry);
    bool made = x->row && x->column && x->value && x->columns && x->index_column && x->index_first && x->entry;
    for (int64_t t = 0; made && t < sizes->indices; t++)
        made = make_index(x, t);
    if (!made) {
        dt_sparse_destroy(x);
        return dt_fail_memory(error, "sparse inputs");
    }
    x->rows = (dt_sparse_rows){x->row, x->column, x->value};
    *sparse = x;
    return DT_OK;
}

void dt_sparse_destroy(dt_sparse *sparse)
{
    if (!sparse)
        return;
    for (int64_t t = 0; t < sparse->sizes.indices; t++) {
        dt_release(sparse->index_column ? sparse->index_column[t] : NULL);
        dt_release(sparse->index_first ? sparse->index_first[t] : NULL);
        dt_release(sparse->entry ? sparse->entry[t] : NULL);
    }
    dt_release(sparse->index_column);
    dt_release(sparse->index_first);
    dt_release(sparse->entry);
    dt_release(sparse->columns);
    dt_release(sparse->row);
    dt_release(sparse->column);
    dt_release(sparse->value);
    dt_release(sparse);
}

/* --- rows --- */

static bool all_inputs(const dt_dataset *data)
{
    return !data->start || (data->transform && data->transform->shift);
}

static int64_t count_of(const dt_dataset *data, int64_t row)
{
    return all_inputs(data) ? data->features : data->start[row + 1] - data->start[row];
}

void dt_sparse_gather(dt_sparse *sparse, const dt_products *products, const dt_dataset *data, dt_real scale,
                      const int64_t *sample, dt_span rows)
{
    const int64_t run = rows.first / sparse->sizes.run;
    int64_t at = run * sparse->sizes.numbers;
    for (int64_t i = run * sparse->sizes.run; i < rows.first; i++)
        at += count_of(data, sample[i]);
    for (int64_t i = rows.first; i < rows.last; i++) {
        const int64_t count = count_of(data, sample[i]);
        int32_t *column = sparse->column + at;
        if (all_inputs(data)) {
            dt_gather_row(products, data, scale, sample[i], sparse->value + at);
            for (int32_t k = 0; k < (int32_t)count; k++)
                column[k] = k;
        } else {
            dt_gather_numbers(products, data, data->start[sample[i]], count, scale, sparse->value + at);
            memcpy(column, data->column + data->start[sample[i]], (size_t)count * sizeof *column);
        }
        sparse->row[i] = (dt_span){at, at + count};
        at += count;
    }
}

void dt_sparse_write_row(const dt_sparse *sparse, int64_t i, int64_t inputs, dt_real *x)
{
    memset(x, 0, (size_t)inputs * sizeof *x);
    for (int64_t at = sparse->row[i].first; at < sparse->row[i].last; at++)
        x[sparse->column[at]] = sparse->value[at];
}

dt_real dt_sparse_dot(const dt_sparse *sparse, int64_t i, int64_t other)
{
    dt_span a = sparse->row[i], b = sparse->row[other];
    dt_real sum = 0;
    while (a.first < a.last && b.first < b.last) {
        const int32_t left = sparse->column[a.first], right = sparse->column[b.first];
        if (left == right)
            sum = DT_FMA(sparse->value[a.first], sparse->value[b.first], sum);
        a.first += left <= right;
        b.first += right <= left;
    }
    return sum + 1;
}

/* --- columns --- */

/* Radix sort, least digits first: equal columns stay in the samples' order. */
enum { DIGIT = 11, DIGITS = 1 << DIGIT };

static void sort_digit(const dt_sparse_entry *from, int64_t count, int shift, dt_sparse_entry *to)
{
    int32_t place[DIGITS] = {0}, before = 0;
    for (int64_t i = 0; i < count; i++)
        place[from[i].column >> shift & (DIGITS - 1)]++;
    for (int d = 0; d < DIGITS; d++) {
        const int32_t own = place[d];
        place[d] = before;
        before += own;
    }
    for (int64_t i = 0; i < count; i++)
        to[place[from[i].column >> shift & (DIGITS - 1)]++] = from[i];
}

void dt_sparse_index(dt_sparse *sparse, int64_t worker, int64_t samples, int64_t shard_size, int64_t inputs)
{
    dt_sparse_entry *entry = sparse->entry[worker], *other = entry + sparse->sizes.numbers + sparse->sizes.run;
    int32_t *column = sparse->index_column[worker];
    int64_t *first = sparse->index_first[worker], count = 0, columns = 0;
    for (int64_t i = 0; i < samples; i++) {
        const int32_t shard = (int32_t)(i / shard_size);
        for (int64_t at = sparse->row[i].first; at < sparse->row[i].last; at++)
            entry[count++] = (dt_sparse_entry){sparse->value[at], sparse->column[at], (int32_t)i, shard};
    }
    for (int shift = 0; (inputs - 1) >> shift; shift += DIGIT) {
        dt_sparse_entry *sorted = other;
        sort_digit(entry, count, shift, sorted);
        other = entry;
        entry = sorted;
    }
    for (int64_t i = 0; i < samples; i++) /* the bias gates' */
        entry[count++] = (dt_sparse_entry){1, (int32_t)inputs, (int32_t)i, (int32_t)(i / shard_size)};
    for (int64_t i = 0; i < count; i++)
        if (i == 0 || entry[i].column != entry[i - 1].column) {
            column[columns] = entry[i].column;
            first[columns++] = i;
        }
    first[columns] = count;
    sparse->columns[worker] = (dt_sparse_columns){columns, column, first, entry};
}
