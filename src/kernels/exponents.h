/* Powers of two, counted from the numbers themselves: of 64 numbers the exponents are gathered in one vector of bytes,
 * and counted by their bits (tally.h) in planes that stay from one survey to the next. Sixteen exponents have a place
 * there, from that of the largest number down; what is smaller is rare, and counted one by one.
 */
#ifndef DT_KERNELS_EXPONENTS_H
#define DT_KERNELS_EXPONENTS_H

#include "kernels/keys.h"
#include "kernels/moments.h"
#include "kernels/tally.h"

#if defined(__AVX512F__) && DT_PRECISION == 32
enum { WINDOW = 8 * TABLES, VECTORS_MOST = (1 << PLANES) - 1 };
_Static_assert(sizeof((dt_tally *)0)->plane == TABLES * PLANES * sizeof(bytes), "the planes have their place");

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
    bytes plane[TABLES][PLANES];
    memcpy(plane, t->plane, sizeof plane);
    for (int i = 0; t->vectors > 0 && i < WINDOW; i++)
        t->count[0][key_of_exponent((int)t->first + i, bins)] += planes_count(plane[i / 8], i % 8, t->vectors);
    memset(t->plane, 0, sizeof t->plane);
    t->vectors = 0;
}

DT_INLINE bytes exponents_at(const float *x)
{
    __m512 four[4];
    four_rows(x, four);
    return four_exponents(four);
}

/* Of exponents: the least, and the places of those that aren't 0, all at once: one above 127 is none in the planes. */
typedef struct seen {
    bytes least, places;
} seen;

/* Exponents of TALLY_STEP numbers. */
DT_INLINE void add_exponents(const key_table *t, const float *x, bytes plane[TABLES][PLANES], seen *s)
{
    bytes eights[TABLES][2];
    DT_REPEAT (e, 2) {
        bytes place[8];
        DT_REPEAT (j, 8) {
            const bytes exponent = exponents_at(x + (e * 8 + j) * BYTES);
            place[j] = place_of(t, exponent);
            s->least = bytes_min(s->least, exponent);
            s->places = _mm512_mask_max_epu8(s->places, _mm512_test_epi8_mask(exponent, exponent), s->places, place[j]);
        }
        DT_REPEAT (w, TABLES)
            eights[w][e] = add_eight(t->byte[w], place, plane[w]);
    }
    DT_REPEAT (w, TABLES)
        carry_on(plane[w], add_three(&plane[w][3], eights[w][0], eights[w][1]));
}

/* The exponents of n numbers to the planes. */
static seen plane_exponents(dt_tally *t, int64_t n, const float *x)
{
    const key_table table = table_from((int)t->first);
    const int64_t left = n % TALLY_STEP;
    seen s = {bytes_set(255), bytes_set(0)};
    bytes plane[TABLES][PLANES];
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            plane[w][p] = bytes_load(t->plane[w][p]);
    for (int64_t i = 0; i + TALLY_STEP <= n; i += TALLY_STEP)
        add_exponents(&table, x + i, plane, &s);
    if (left > 0) {
        float last[TALLY_STEP] = {0};
        memcpy(last, x + n - left, (size_t)left * sizeof *x);
        add_exponents(&table, last, plane, &s);
    }
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            _mm512_store_si512(t->plane[w][p], plane[w][p]);
    t->vectors += (n + TALLY_STEP - 1) / TALLY_STEP * ADDED;
    return s;
}

/* Counts what has no place in the planes, but for 0, and returns how many that are. */
__attribute__((noinline)) static int64_t count_outside(dt_tally *t, const dense *parts, const log_bins *bins)
{
    const key_table table = table_from((int)t->first);
    int64_t count = 0;
    for (int64_t i = 0; i < parts->size; i += BYTES) {
        const bytes exponent = exponents_at(parts->x + i);
        uint8_t each[BYTES];
        uint64_t left = bytes_bit(place_of(&table, exponent), 7) & _mm512_test_epi8_mask(exponent, exponent);
        if (left == 0)
            continue;
        _mm512_storeu_si512(each, exponent);
        for (; left; left &= left - 1, count++)
            t->count[0][key_of_exponent(each[__builtin_ctzll(left)], bins)]++;
    }
    return count;
}

/* The exponents' places begin so that the largest has the last one. They stay where few numbers would be lost. */
static void place_planes(dt_tally *t, int64_t vectors, int largest, const log_bins *bins)
{
    enum { FEW = 3 };
    const int64_t last = t->first + WINDOW - 1;
    const bool moves = largest > last || (t->vectors == 0 && largest > 0 && largest + FEW < last);
    if (moves || t->vectors + vectors > VECTORS_MOST)
        count_planes(t, bins);
    if (moves)
        t->first = largest < WINDOW ? 1 : largest - WINDOW + 1;
}

/* All numbers, of which the largest has this exponent (0: it isn't known). Returns how many are 0. */
static int64_t survey_exponents(const dense *parts, dt_tally *t, int largest, const dt_bins *spec)
{
    const log_bins bins = log_of(spec);
    place_planes(t, parts->size / BYTES + TALLY_STEP / BYTES, largest, &bins);
    const seen s = plane_exponents(t, parts->size, parts->x);
    if (bytes_bit(s.places, 7) && 4 * count_outside(t, parts, &bins) > parts->size) /* all are far below the largest */
        count_planes(t, &bins);
    if (_mm512_test_epi8_mask(s.least, s.least) == UINT64_MAX)
        return 0;
    const int64_t zeros = zeros_of(parts);
    t->count[0][0] += (uint32_t)zeros;
    t->count[0][1] += (uint32_t)(count_without(parts, 0x7f800000) - zeros); /* denormals */
    return zeros;
}
#endif

#endif
