#include "data/sampler.h"

#include <assert.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/split.h"

struct dt_sampler {
    dt_rows rows;
    int64_t batch; /* at most rows.count */
    bool shuffle;
    uint64_t seed;
    int64_t *order; /* (rows.count) rows of the data set */
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
    *s = (dt_sampler){rows, dt_min(batch_size, rows.count), shuffle, seed, order};
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
    dt_release(sampler);
}

int64_t dt_sampler_steps_per_epoch(const dt_sampler *sampler)
{
    return dt_ceil_div(sampler->rows.count, sampler->batch);
}

/* Fisher-Yates, inside out: row i takes a place j drawn from 0 .. i, and what stood there moves to i. Row i uses the
 * i-th 64-bit number of the stream, two of which make a block of Philox. */
void dt_sampler_begin_epoch(dt_sampler *sampler, int64_t epoch)
{
    if (!sampler->shuffle)
        return;
    int64_t *order = sampler->order;
    dt_random128 random = {{0, 0}};
    for (int64_t i = 0; i < sampler->rows.count; i++) {
        if (i % 2 == 0)
            random = dt_philox(sampler->seed, DT_FOR_SHUFFLE, (uint64_t)epoch, (uint64_t)i / 2);
        const uint64_t j = dt_uniform_below(random.u[i % 2], (uint64_t)i + 1);
        order[i] = order[j];
        order[j] = row_at(&sampler->rows, i);
    }
}

const int64_t *dt_sampler_minibatch(const dt_sampler *sampler, int64_t step_in_epoch, int64_t *count)
{
    assert(step_in_epoch >= 0 && step_in_epoch < dt_sampler_steps_per_epoch(sampler));
    const int64_t first = step_in_epoch * sampler->batch;
    *count = dt_min(sampler->batch, sampler->rows.count - first);
    return sampler->order + first;
}
