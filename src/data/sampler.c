#include "data/sampler.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/philox.h"

struct dt_sampler {
    dt_rows rows;
    int64_t batch; /* at most rows.count */
    bool shuffle;
    uint64_t seed;
    int64_t *order; /* (rows.count) rows of the data set */

    /* Where there is more than one window: */
    dt_windows windows;
    int64_t *first; /* (blocks + 1): rows.index[first[b]] is the first of block b */
    int64_t *end;   /* (windows): window w's rows end before order[end[w]] */
    int32_t *block; /* (blocks): their order, and behind it (2 blocks) to draw it */
};

static int64_t row_at(const dt_rows *rows, int64_t i)
{
    return rows->index ? rows->index[i] : i;
}

dt_status dt_sampler_create(dt_sampler **sampler, dt_rows rows, int64_t batch_size, bool shuffle, uint64_t seed,
                            dt_error *error)
{
    *sampler = NULL;
    if (rows.count < 1 || batch_size < 1)
        return dt_fail(error, DT_INVALID, "minibatches of %lld of %lld rows; each must be at least 1",
                       (long long)batch_size, (long long)rows.count);
    dt_sampler *s = dt_allocate_zeroed(1, sizeof *s);
    int64_t *order = dt_allocate_array((size_t)rows.count, sizeof *order);
    if (!s || !order) {
        dt_release(order);
        dt_release(s);
        return dt_fail_memory(error, "the order of the minibatches");
    }
    *s = (dt_sampler){.rows = rows,
                      .batch = dt_min(batch_size, rows.count),
                      .shuffle = shuffle,
                      .seed = seed,
                      .order = order,
                      .windows = {.count = 1}};
    for (int64_t i = 0; i < rows.count; i++)
        order[i] = row_at(&rows, i);
    *sampler = s;
    return DT_OK;
}

void dt_sampler_destroy(dt_sampler *sampler)
{
    if (!sampler)
        return;
    dt_release(sampler->order);
    dt_release(sampler->first);
    dt_release(sampler->end);
    dt_release(sampler->block);
    dt_release(sampler);
}

/* --- windows --- */

/* Where each block's rows begin among the rows to train on. */
static void find_blocks(dt_sampler *s)
{
    int64_t i = 0;
    for (int64_t b = 0; b <= s->windows.blocks; b++) {
        const int64_t row = dt_min(b * s->windows.block, s->windows.rows);
        if (!s->rows.index)
            i = row;
        while (s->rows.index && i < s->rows.count && s->rows.index[i] < row)
            i++;
        s->first[b] = i;
    }
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A minibatch reaches over three windows where the one in the middle has fewer rows than it: never where the fewest
 * rows that a window can have are as many. */
static dt_status check_windows(const dt_sampler *s, dt_error *error)
{
    const int64_t blocks = s->windows.blocks, smallest = blocks / s->windows.count;
    int64_t fewest = 0;
    int64_t *rows = dt_allocate((size_t)blocks, sizeof *rows);
    if (!rows)
        return dt_fail_memory(error, "the order of the blocks");
    for (int64_t b = 0; b < blocks; b++)
        rows[b] = s->first[b + 1] - s->first[b];
    qsort(rows, (size_t)blocks, sizeof *rows, compare);
    for (int64_t b = 0; b < smallest; b++)
        fewest += rows[b];
    dt_release(rows);
    if (s->windows.count <= 2 || fewest >= s->batch - 1)
        return DT_OK;
    return dt_fail(error, DT_INVALID,
                   "data.window: a window may have no more than %lld rows to train on, too few for minibatches of "
                   "%lld; raise data.window or data.memory, or lower training.batch_size",
                   (long long)fewest, (long long)s->batch);
}

dt_status dt_sampler_set_windows(dt_sampler *sampler, const dt_windows *windows, dt_error *error)
{
    if (windows->count <= 1)
        return DT_OK;
    sampler->windows = *windows;
    sampler->first = dt_allocate((size_t)windows->blocks + 1, sizeof *sampler->first);
    sampler->end = dt_allocate((size_t)windows->count, sizeof *sampler->end);
    sampler->block = dt_allocate((size_t)windows->blocks, 3 * sizeof *sampler->block);
    if (!sampler->first || !sampler->end || !sampler->block)
        return dt_fail_memory(error, "the order of the blocks");
    find_blocks(sampler);
    dt_sampler_begin_epoch(sampler, 0);
    return check_windows(sampler, error);
}

/* The window of place i of the order. */
static int64_t window_at(const dt_sampler *s, int64_t i)
{
    int64_t first = 0, last = s->windows.count - 1;
    while (first < last) {
        const int64_t middle = first + (last - first) / 2;
        if (i < s->end[middle])
            last = middle;
        else
            first = middle + 1;
    }
    return first;
}

dt_span dt_sampler_windows(const dt_sampler *sampler, int64_t step_in_epoch, int64_t *end)
{
    const dt_sampler *s = sampler;
    const int64_t first = step_in_epoch * s->batch, last = dt_min(first + s->batch, s->rows.count) - 1;
    *end = dt_sampler_steps_per_epoch(s);
    if (s->windows.count == 1)
        return (dt_span){0, 1};
    const dt_span windows = {window_at(s, first), window_at(s, last) + 1};
    if (dt_span_count(windows) > 1)
        *end = step_in_epoch + 1;
    else if (s->end[windows.first] < s->rows.count)
        *end = s->end[windows.first] / s->batch;
    return windows;
}

/* --- an epoch --- */

int64_t dt_sampler_steps_per_epoch(const dt_sampler *sampler)
{
    return dt_ceil_div(sampler->rows.count, sampler->batch);
}

/* Fisher-Yates, inside out: row n of a window whose places begin at `base` takes a place j drawn from 0 .. n, and what
 * stood there moves to n. Row n uses the (base + n)-th 64-bit number of the epoch's stream, two of which make a block
 * of Philox. */
typedef struct drawing {
    const dt_sampler *sampler;
    int64_t epoch, base, n;
    dt_random128 random;
} drawing;

static void put_rows(drawing *d, int64_t first, int64_t last)
{
    const dt_sampler *s = d->sampler;
    int64_t *order = s->order + d->base;
    for (int64_t i = first; i < last; i++) {
        const uint64_t number = (uint64_t)(d->base + d->n);
        if (number % 2 == 0)
            d->random = dt_philox(s->seed, DT_FOR_SHUFFLE, (uint64_t)d->epoch, number / 2);
        const int64_t j = s->shuffle ? (int64_t)dt_uniform_below(d->random.u[number % 2], (uint64_t)d->n + 1) : d->n;
        order[d->n++] = order[j];
        order[j] = row_at(&s->rows, i);
    }
}

void dt_sampler_begin_epoch(dt_sampler *sampler, int64_t epoch)
{
    dt_sampler *s = sampler;
    drawing d = {.sampler = s, .epoch = epoch};
    if (!s->shuffle && (s->windows.count == 1 || epoch > 0))
        return; /* the rows' own order is there */
    if (s->windows.count == 1) {
        put_rows(&d, 0, s->rows.count);
        return;
    }
    dt_windows_draw(&s->windows, s->shuffle, s->seed, epoch, s->block, s->block + s->windows.blocks);
    for (int64_t w = 0; w < s->windows.count; w++) {
        const dt_span blocks = dt_windows_blocks(&s->windows, w);
        for (int64_t b = blocks.first; b < blocks.last; b++)
            put_rows(&d, s->first[s->block[b]], s->first[s->block[b] + 1]);
        s->end[w] = d.base += d.n;
        d.n = 0;
    }
}

const int64_t *dt_sampler_minibatch(const dt_sampler *sampler, int64_t step_in_epoch, int64_t *count)
{
    assert(step_in_epoch >= 0 && step_in_epoch < dt_sampler_steps_per_epoch(sampler));
    const int64_t first = step_in_epoch * sampler->batch;
    *count = dt_min(sampler->batch, sampler->rows.count - first);
    return sampler->order + first;
}
