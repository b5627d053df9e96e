/* Histograms of equal bins, for survey.h. Where all numbers lie in one or two bins, as gradients do, they need no keys.
 */
#ifndef DT_KERNELS_LINEAR_H
#define DT_KERNELS_LINEAR_H

#include "kernels/windows.h"

#if defined(__AVX512F__) && DT_PRECISION == 32
/* The least and the largest number. */
typedef struct span_of_numbers {
    float min, max;
} span_of_numbers;

/* Numbers in the order of integers, and back. */
DT_INLINE int32_t rank_of(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? INT32_MIN - bits : bits;
}

DT_INLINE float of_rank(int32_t rank)
{
    const int32_t bits = rank < 0 ? INT32_MIN - rank : rank;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The least number of this key; keys never fall. That of `below` is smaller, that of `from` isn't. */
static float edge_of(dt_counter *t, int key, float below, float from, const linear_bins *bins)
{
    int64_t low = rank_of(below), high = rank_of(from);
    if (t->edge_key != key) {
        while (high - low > 1) {
            const int64_t middle = low + (high - low) / 2;
            if (linear_key(of_rank((int32_t)middle), bins) < key)
                low = middle;
            else
                high = middle;
        }
        t->edge_key = key;
        t->edge = (double)of_rank((int32_t)high);
    }
    return (float)t->edge;
}

__attribute__((noinline)) static int64_t count_from(const dense *parts, float edge)
{
    return count_which(FROM_EDGE, parts, edge);
}

/* Windows begin so that 0, around which numbers lie, is in the middle of one. */
DT_INLINE int first_base(const linear_bins *bins)
{
    return (linear_key(0, bins) + WINDOW / 2) % WINDOW;
}

DT_INLINE int window_of(int key, int base)
{
    return (key - base + WINDOW) / WINDOW;
}

DT_INLINE int first_key(int window, int base)
{
    return base + (window - 1) * WINDOW;
}

static void count_window(dt_counter *t, int w, int base)
{
    uint32_t count[WINDOW];
    (void)empty_window(t->window[w], t->vectors[w], count);
    for (int i = 0; i < WINDOW; i++)
        if (count[i])
            t->count[0][first_key(w, base) + i] += count[i];
    t->vectors[w] = 0;
}

/* Room in the window for n keys more. */
static void prepare_window(dt_counter *t, int w, int base, int64_t n)
{
    if (t->vectors[w] + n / BYTES > VECTORS_MOST)
        count_window(t, w, base);
    t->vectors[w] += n / BYTES;
}

/* Keys of numbers that are near the bins, from `first` to `last`. */
static void count_near(const dense *parts, const linear_bins *bins, int first, int last, dt_counter *t, uint8_t *kept)
{
    const int base = first_base(bins), zero = linear_key(0, bins), main = window_of((first + last + 1) / 2, base);
    const int64_t n = whole_steps(parts->size);
    prepare_window(t, main, base, n);
    (scales_exactly(bins) ? add_fused_keys : add_keys)(parts, bins, first_key(main, base), t->window[main], kept);
    for (int w = window_of(first, base); w <= window_of(last, base); w++)
        if (w != main) {
            prepare_window(t, w, base, n);
            add_to_window(first_key(w, base), n, kept, t->window[w]);
        }
    if (window_of(zero, base) >= window_of(first, base) && window_of(zero, base) <= window_of(last, base))
        t->count[0][zero] -= (uint32_t)(n - parts->numbers); /* of those that aren't any */
}

/* Keys of a part's numbers, one after the other. */
static void count_each(const part *p, void (*keys_of)(int64_t, const void *, const dt_bins *, uint8_t *),
                       const dt_bins *bins, dt_counter *t)
{
    for (int64_t r = 0; r < p->rows; r++) {
        uint8_t key[DT_LANES];
        keys_of(p->n, p->x + r * p->stride, bins, key);
        for (int64_t j = 0; j < p->n; j++)
            t->count[0][key[j]]++;
    }
}

static void count_all(const dense *parts, void (*keys_of)(int64_t, const void *, const dt_bins *, uint8_t *),
                      const dt_bins *bins, dt_counter *t)
{
    for (int64_t i = 0; i < parts->count; i++) {
        const part p = dense_part(parts, i);
        count_each(&p, keys_of, bins, t);
    }
}

/* `numbers`: all are. `kept`: room for a byte each, in whole steps. */
static void survey_linear(const dense *parts, span_of_numbers ends, bool numbers, const dt_bins *spec, dt_counter *t,
                          uint8_t *kept)
{
    const linear_bins bins = linear_of(spec);
    const int first = linear_key(ends.min, &bins), last = linear_key(ends.max, &bins);
    if (numbers && last <= first + 1) {
        const int64_t in_last =
            last == first ? parts->numbers : count_from(parts, edge_of(t, last, ends.min, ends.max, &bins));
        t->count[0][first] += (uint32_t)(parts->numbers - in_last);
        t->count[0][last] += (uint32_t)in_last;
    } else if (numbers && (ends.min - bins.low) * bins.per > -0x1p30F && (ends.max - bins.low) * bins.per < 0x1p30F) {
        count_near(parts, &bins, first, last, t, kept);
    } else {
        count_all(parts, keys, spec, t);
    }
}

static void count_linear(dt_counter *t, const dt_bins *spec)
{
    const linear_bins bins = linear_of(spec);
    for (int w = 0; w < DT_COUNTER_WINDOWS; w++)
        if (t->vectors[w] > 0)
            count_window(t, w, first_base(&bins));
}
#endif

#endif
