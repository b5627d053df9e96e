/* Histograms of powers of two, for survey.h, from the exponents of numbers. A window (windows.h) has place for sixteen,
 * from that of the largest number down; where many numbers are smaller (gradients) another counts sixteen more. What
 * lies below is rare, and counted one by one.
 */
#ifndef DT_KERNELS_EXPONENTS_H
#define DT_KERNELS_EXPONENTS_H

#include "kernels/windows.h"

#if defined(__AVX512F__) && DT_PRECISION == 32
/* Key of a number of this exponent. */
DT_INLINE int key_of_exponent(int exponent, const log_bins *bins)
{
    const int at = exponent - bins->first < 1 ? 1 : exponent - bins->first;
    return at < bins->above ? at : bins->above;
}

/* What the windows have counted. */
static void count_exponents(dt_counter *t, const log_bins *bins)
{
    uint32_t count[WINDOW], deep = 0;
    for (int w = 0; *t->vectors > 0 && w <= t->deep; w++) {
        const uint32_t all = empty_window(t->window[w], *t->vectors, count);
        deep += w > 0 ? all : 0;
        for (int i = 0; i < WINDOW; i++)
            t->count[0][key_of_exponent((int)t->first - w * WINDOW + i, bins)] += count[i];
    }
    t->deep &= deep > 0 || *t->vectors == 0;
    *t->vectors = 0;
}

/* How many of n exponents are 0. */
DT_INLINE int64_t count_zeros(int64_t n, const uint8_t *exponent)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += BYTES) {
        const bytes some = bytes_load(exponent + i);
        count += __builtin_popcountll(_mm512_testn_epi8_mask(some, some));
    }
    return count;
}

/* Counts exponents below `from`, but for 0, of n, and returns how many these are: one by one, unless all have key 1. */
__attribute__((noinline)) static int64_t count_below(dt_counter *t, int from, int64_t n, const uint8_t *exponent,
                                                     const log_bins *bins)
{
    const bool apart = key_of_exponent(from - 1, bins) > 1;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += BYTES) {
        const bytes some = bytes_load(exponent + i);
        uint64_t left = _mm512_mask_cmplt_epu8_mask(_mm512_test_epi8_mask(some, some), some, bytes_set(from));
        count += __builtin_popcountll(left);
        for (; apart && left; left &= left - 1)
            t->count[0][key_of_exponent(exponent[i + __builtin_ctzll(left)], bins)]++;
    }
    if (!apart)
        t->count[0][1] += (uint32_t)count;
    return count;
}

/* The windows begin so that the largest exponent has the last place. They stay where few numbers would be lost. */
static void place_windows(dt_counter *t, int64_t vectors, int largest, const log_bins *bins)
{
    enum { FEW = 3 };
    const int64_t last = t->first + WINDOW - 1;
    const bool lower = *t->vectors == 0 && largest > 0 && largest + FEW < last;
    const bool moves = t->first == 0 || largest > last || lower;
    if (moves || *t->vectors + vectors > VECTORS_MOST)
        count_exponents(t, bins);
    if (!moves)
        return;
    t->first = largest < WINDOW ? 1 : largest - WINDOW + 1; /* 0 is never counted */
    t->deep &= t->first > WINDOW;
}

/* All numbers, of which the largest has this exponent, 255 of infinity; no NaN. `kept`: room for a byte each, in whole
 * steps. Returns how many are 0. */
static int64_t survey_exponents(const dense *parts, dt_counter *t, int largest, const dt_bins *spec, uint8_t *kept)
{
    const log_bins bins = log_of(spec);
    const int64_t n = whole_steps(parts->size);
    place_windows(t, n / BYTES, largest, &bins);
    const seen s = add_exponents(parts, (int)t->first, t->window[0], kept);
    *t->vectors += n / BYTES;
    if (t->deep)
        add_to_window((int)t->first - WINDOW, n, kept, t->window[1]);
    const int from = (int)t->first - (t->deep ? WINDOW : 0);
    if (least_of(s.least_but_0) + 1 < from) {
        enum { MANY = 512 }; /* one of so many */
        const int64_t below = count_below(t, from, n, kept, &bins);
        if (4 * below > parts->size) /* a number far above all others: the next may be nearer */
            count_exponents(t, &bins);
        t->deep |= MANY * below > parts->size && t->first > WINDOW;
    }
    if (_mm512_test_epi8_mask(s.least, s.least) == UINT64_MAX)
        return 0;
    const int64_t zeros = zeros_of(parts), none = count_zeros(n, kept) - (n - parts->numbers);
    t->count[0][0] += (uint32_t)zeros;
    t->count[0][1] += (uint32_t)(none - zeros); /* denormals */
    return zeros;
}
#endif

#endif
