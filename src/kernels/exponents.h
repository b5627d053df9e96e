/* Powers of two, counted from the numbers themselves: of 64 numbers the exponents are gathered in one vector of bytes,
 * and counted by their bits (tally.h) in planes that stay from one survey to the next. Sixteen exponents have a place
 * there, from that of the largest number down, and where many numbers are smaller (gradients) sixteen more. What lies
 * below is rare, and counted one by one.
 */
#ifndef DT_KERNELS_EXPONENTS_H
#define DT_KERNELS_EXPONENTS_H

#include "kernels/keys.h"
#include "kernels/moments.h"
#include "kernels/tally.h"

#if defined(__AVX512F__) && DT_PRECISION == 32
enum { WINDOW = 8 * TABLES, WINDOWS = 2, VECTORS_MOST = (1 << PLANES) - 1 };
_Static_assert(sizeof((dt_tally *)0)->plane == (size_t)WINDOWS * TABLES * PLANES * sizeof(bytes), "there is room for planes");

/* Parts that follow each other without gaps, in rows of DT_LANES numbers, a multiple of four rows each: x holds 0 in lanes
 * from n on and in rows from `rows` on. `numbers` are those that are any, of `size`. */
typedef struct dense {
    const float *x;
    int64_t count, apart, rows, n, size, numbers;
} dense;

/* Lanes that hold a number. */
DT_INLINE __mmask16 lanes_of(const dense *parts)
{
    return (__mmask16)((1U << parts->n) - 1);
}

DT_INLINE void four_rows(const float *x, __m512 four[4])
{
    DT_REPEAT (i, 4)
        four[i] = _mm512_loadu_ps(x + i * DT_LANES);
}

/* How many numbers have none of these bits. */
__attribute__((noinline)) static int64_t count_without(const dense *parts, int32_t bits)
{
    const __m512i these = _mm512_set1_epi32(bits), one = _mm512_set1_epi32(1);
    __m512i count[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int64_t i = 0; i < parts->size; i += 4 * DT_LANES)
        DT_REPEAT (k, 4) {
            const __m512i x = _mm512_loadu_si512(parts->x + i + k * DT_LANES);
            count[k] = _mm512_mask_add_epi32(count[k], _mm512_testn_epi32_mask(x, these), count[k], one);
        }
    const __m512i all = _mm512_add_epi32(_mm512_add_epi32(count[0], count[1]), _mm512_add_epi32(count[2], count[3]));
    return _mm512_reduce_add_epi32(all) - (parts->size - parts->numbers);
}

/* How many are 0, of either sign. */
static int64_t zeros_of(const dense *parts)
{
    return count_without(parts, INT32_MAX);
}

/* Key of a number of this exponent. */
DT_INLINE int key_of_exponent(int exponent, const log_bins *bins)
{
    const int at = exponent - bins->first < 1 ? 1 : exponent - bins->first;
    return at < bins->above ? at : bins->above;
}

/* What the planes have counted. */
static void count_planes(dt_tally *t, const log_bins *bins)
{
    uint32_t deep = 0;
    for (int64_t w = 0; t->vectors > 0 && w <= t->deep; w++)
        for (int i = 0; i < WINDOW; i++) {
            bytes plane[PLANES];
            DT_REPEAT (p, PLANES)
                plane[p] = bytes_load(t->plane[w][i / 8][p]);
            const uint32_t count = planes_count(plane, i % 8, t->vectors);
            t->count[0][key_of_exponent((int)(t->first - w * WINDOW) + i, bins)] += count;
            deep += w == 0 ? 0 : count;
        }
    memset(t->plane, 0, (t->deep ? 2 : 1) * sizeof t->plane[0]);
    t->deep &= deep > 0 || t->vectors == 0;
    t->vectors = 0;
}

DT_INLINE bytes exponents_at(const float *x)
{
    __m512 four[4];
    four_rows(x, four);
    return four_exponents(four);
}

/* Of exponents: the least; and the least but 0, less one. */
typedef struct seen {
    bytes least, least_but_0;
} seen;

/* Sixteen vectors of exponents, looked up in one window's tables. */
DT_INLINE void add_window(const key_table *t, const bytes exponent[ADDED], bytes plane[TABLES][PLANES])
{
    bytes eights[TABLES][2];
    DT_REPEAT (e, 2) {
        bytes place[8];
        DT_REPEAT (j, 8)
            place[j] = place_of(t, exponent[e * 8 + j]);
        DT_REPEAT (w, TABLES)
            eights[w][e] = add_eight(t->byte[w], place, plane[w]);
    }
    DT_REPEAT (w, TABLES)
        carry_on(plane[w], add_three(&plane[w][3], eights[w][0], eights[w][1]));
}

/* The same from memory, to planes in memory. */
__attribute__((noinline)) static void add_deep(int first, const uint8_t *exponent, int64_t n, uint8_t to[TABLES][PLANES][DT_CACHE_LINE])
{
    const key_table table = table_from(first);
    bytes plane[TABLES][PLANES];
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            plane[w][p] = bytes_load(to[w][p]);
    for (int64_t i = 0; i < n; i += TALLY_STEP)
        add_sixteen(TABLES, &table, exponent + i, plane);
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            _mm512_store_si512(to[w][p], plane[w][p]);
}

/* Exponents of TALLY_STEP numbers. */
DT_INLINE void add_exponents(const key_table *t, const float *x, bytes plane[TABLES][PLANES], seen *s, uint8_t *kept)
{
    bytes exponent[ADDED];
    DT_REPEAT (j, ADDED) {
        exponent[j] = exponents_at(x + j * BYTES);
        s->least = bytes_min(s->least, exponent[j]);
        s->least_but_0 = bytes_min(s->least_but_0, bytes_sub(exponent[j], bytes_set(1)));
        _mm512_store_si512(kept + j * BYTES, exponent[j]);
    }
    add_window(t, exponent, plane);
}

/* The exponents of n numbers to the planes. */
__attribute__((noinline)) static seen plane_exponents(dt_tally *t, int64_t n, const float *x)
{
    const key_table table = table_from((int)t->first);
    const int64_t left = n % TALLY_STEP;
    uint8_t *kept = t->key;
    seen s = {bytes_set(255), bytes_set(255)};
    bytes plane[TABLES][PLANES];
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            plane[w][p] = bytes_load(t->plane[0][w][p]);
    for (int64_t i = 0; i + TALLY_STEP <= n; i += TALLY_STEP, kept += TALLY_STEP)
        add_exponents(&table, x + i, plane, &s, kept);
    if (left > 0) {
        float last[TALLY_STEP] = {0};
        memcpy(last, x + n - left, (size_t)left * sizeof *x);
        add_exponents(&table, last, plane, &s, kept);
        kept += TALLY_STEP;
    }
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            _mm512_store_si512(t->plane[0][w][p], plane[w][p]);
    if (t->deep)
        add_deep((int)t->first - WINDOW, t->key, kept - t->key, t->plane[1]);
    t->vectors += (kept - t->key) / BYTES;
    return s;
}

/* Counts exponents below `from`, but for 0, of n that were kept, and returns how many these are. */
__attribute__((noinline)) static int64_t count_below(dt_tally *t, int from, int64_t n, const log_bins *bins)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += BYTES) {
        const bytes exponent = bytes_load(t->key + i);
        uint64_t left = _mm512_mask_cmplt_epu8_mask(_mm512_test_epi8_mask(exponent, exponent), exponent, bytes_set(from));
        for (; left; left &= left - 1, count++)
            t->count[0][key_of_exponent(t->key[i + __builtin_ctzll(left)], bins)]++;
    }
    return count;
}

/* The exponents' places begin so that the largest has the last one. They stay where few numbers would be lost. */
static void place_planes(dt_tally *t, int64_t vectors, int largest, const log_bins *bins)
{
    enum { FEW = 3 };
    const int64_t last = t->first + WINDOW - 1;
    const bool moves = largest > last || (t->vectors == 0 && largest + FEW < last);
    if (moves || t->vectors + vectors > VECTORS_MOST)
        count_planes(t, bins);
    if (!moves)
        return;
    t->first = largest < WINDOW ? 1 : largest - WINDOW + 1; /* 0 is never counted */
    t->deep &= t->first > WINDOW;
}

/* All numbers, of which the largest has this exponent, 255 of infinity; no NaN. Returns how many are 0. */
static int64_t survey_exponents(const dense *parts, dt_tally *t, int largest, const dt_bins *spec)
{
    const log_bins bins = log_of(spec);
    const int64_t kept = (parts->size + TALLY_STEP - 1) / TALLY_STEP * TALLY_STEP;
    place_planes(t, kept / BYTES, largest, &bins);
    const seen s = plane_exponents(t, parts->size, parts->x);
    const int from = (int)t->first - (t->deep ? WINDOW : 0);
    if (least_of(s.least_but_0) + 1 < from) {
        enum { MANY = 512 }; /* one of so many */
        const int64_t below = count_below(t, from, kept, &bins);
        if (4 * below > parts->size) /* a number far above all others: the next may be nearer */
            count_planes(t, &bins);
        t->deep |= MANY * below > parts->size && t->first > WINDOW;
    }
    if (_mm512_test_epi8_mask(s.least, s.least) == UINT64_MAX)
        return 0;
    const int64_t zeros = zeros_of(parts);
    t->count[0][0] += (uint32_t)zeros;
    t->count[0][1] += (uint32_t)(count_without(parts, 0x7f800000) - zeros); /* denormals */
    return zeros;
}
#endif

#endif
