#include "data/windows.h"

#include "base/philox.h"

static int64_t block_of(size_t row, int64_t chunk, int64_t window)
{
    int64_t block = dt_max(1, DT_BLOCK_BYTES / (int64_t)row);
    if (chunk > 0)
        block = dt_ceil_div(block, chunk) * chunk;
    return dt_max(1, dt_min(block, window / DT_WINDOW_BLOCKS));
}

dt_status dt_windows_make(dt_windows *windows, int64_t rows, size_t row, int64_t chunk, int64_t window, int64_t block,
                          dt_error *error)
{
    *windows = (dt_windows){rows, rows, 1, 1};
    if (window && block > window)
        return dt_fail(error, DT_INVALID,
                       "data.block: blocks of %lld rows are larger than a window of %lld; give fewer, or a larger "
                       "data.window",
                       (long long)block, (long long)window);
    if (window == 0 || window >= rows)
        return DT_OK;
    const int64_t each = block ? block : block_of(row, chunk, window), blocks = dt_ceil_div(rows, each);
    if (blocks > INT32_MAX)
        return dt_fail(error, DT_INVALID, "data.block: %lld rows are too many blocks of %lld; give larger ones",
                       (long long)rows, (long long)each);
    *windows = (dt_windows){rows, each, blocks, dt_ceil_div(blocks, window / each)};
    return DT_OK;
}

/* Fisher-Yates, inside out: as data/sampler.c draws rows. */
static void draw_blocks(int64_t blocks, uint64_t seed, int64_t epoch, int32_t *order)
{
    dt_random128 random = {{0, 0}};
    for (int64_t i = 0; i < blocks; i++) {
        if (i % 2 == 0)
            random = dt_philox(seed, DT_FOR_BLOCKS, (uint64_t)epoch, (uint64_t)i / 2);
        const uint64_t j = dt_uniform_below(random.u[i % 2], (uint64_t)i + 1);
        order[i] = order[j];
        order[j] = (int32_t)i;
    }
}

/* Each block goes to its window's next place, block by block: ascending without a sort. */
void dt_windows_draw(const dt_windows *windows, bool shuffle, uint64_t seed, int64_t epoch, int32_t *order,
                     int32_t *scratch)
{
    const int64_t blocks = windows->blocks;
    if (!shuffle || windows->count == 1) {
        for (int64_t b = 0; b < blocks; b++)
            order[b] = (int32_t)b;
        return;
    }
    int32_t *window_of = scratch, *next = scratch + blocks;
    draw_blocks(blocks, seed, epoch, order);
    for (int64_t w = 0; w < windows->count; w++) {
        const dt_span places = dt_windows_blocks(windows, w);
        next[w] = (int32_t)places.first;
        for (int64_t p = places.first; p < places.last; p++)
            window_of[order[p]] = (int32_t)w;
    }
    for (int64_t b = 0; b < blocks; b++)
        order[next[window_of[b]]++] = (int32_t)b;
}
