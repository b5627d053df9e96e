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
enum { WINDOW = 8 * TABLES, VECTORS_MOST = (1 << PLANES) - 1 };
_Static_assert(sizeof(dt_counter_planes) == TABLES * PLANES * sizeof(bytes), "planes have room");
_Static_assert((int)WINDOW == DT_WINDOW_KEYS, "a window is what tables hold");

/* Parts in rows of DT_LANES numbers that follow each other, a multiple of four rows each, part i at x + i apart: 0 in
 * lanes from n on and in rows from `rows` on. All lie in `chunks` without gaps, of `chunk` numbers, gap from the begin
 * of one to that of the next; where these are many, of whole HALF_STEPs. `numbers` are those that are any, of `size`.
 */
typedef struct dense {
    const float *x;
    int64_t count, apart, rows, n;
    int64_t chunks, chunk, gap, size, numbers;
} dense;

enum { HALF_STEP = TALLY_STEP / 2 };

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

/* How many are 0, of either sign. */
__attribute__((noinline)) static int64_t zeros_of(const dense *parts)
{
    const __m512i magnitude = _mm512_set1_epi32(INT32_MAX), one = _mm512_set1_epi32(1);
    __m512i count[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int64_t c = 0; c < parts->chunks; c++)
        for (int64_t i = 0; i < parts->chunk; i += 4 * DT_LANES)
            DT_REPEAT (k, 4) {
                const __m512i x = _mm512_loadu_si512(parts->x + c * parts->gap + i + k * DT_LANES);
                count[k] = _mm512_mask_add_epi32(count[k], _mm512_testn_epi32_mask(x, magnitude), count[k], one);
            }
    const __m512i all = _mm512_add_epi32(_mm512_add_epi32(count[0], count[1]), _mm512_add_epi32(count[2], count[3]));
    return _mm512_reduce_add_epi32(all) - (parts->size - parts->numbers);
}

/* Key of a number of this exponent. */
DT_INLINE int key_of_exponent(int exponent, const log_bins *bins)
{
    const int at = exponent - bins->first < 1 ? 1 : exponent - bins->first;
    return at < bins->above ? at : bins->above;
}

/* --- planes --- */

/* The count of each key in a window that has seen so many vectors; it is empty then. Returns their sum. */
static uint32_t empty_window(dt_counter_planes window, int64_t vectors, uint32_t count[WINDOW])
{
    uint32_t all = 0;
    for (int i = 0; i < WINDOW; i++) {
        bytes plane[PLANES];
        DT_REPEAT (p, PLANES)
            plane[p] = bytes_load(window[i / 8][p]);
        count[i] = planes_count(plane, i % 8, vectors);
        all += count[i];
    }
    memset(window, 0, sizeof(dt_counter_planes));
    return all;
}

/* n keys, a multiple of TALLY_STEP, to the window that begins with `first`. */
__attribute__((noinline)) static void add_to_window(int first, int64_t n, const uint8_t *key, dt_counter_planes window)
{
    const key_table table = table_from(first);
    bytes plane[TABLES][PLANES];
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            plane[w][p] = bytes_load(window[w][p]);
    for (int64_t i = 0; i < n; i += TALLY_STEP)
        add_sixteen(TABLES, &table, key + i, plane);
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            _mm512_store_si512(window[w][p], plane[w][p]);
}

/* --- exponents --- */

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

/* Exponents of HALF_STEP numbers here and there. */
DT_INLINE void add_exponents(const key_table *t, const float *const x[2], bytes plane[TABLES][PLANES], seen *s,
                             uint8_t *kept)
{
    bytes exponent[ADDED];
    DT_REPEAT (j, ADDED) {
        exponent[j] = exponents_at(x[j / 8] + j % 8 * BYTES);
        s->least = bytes_min(s->least, exponent[j]);
        s->least_but_0 = bytes_min(s->least_but_0, bytes_sub(exponent[j], bytes_set(1)));
        _mm512_store_si512(kept + j * BYTES, exponent[j]);
    }
    add_window(t, exponent, plane);
}

/* The next HALF_STEP numbers. */
typedef struct cursor {
    const float *x;
    int64_t left; /* in the chunk */
} cursor;

DT_INLINE const float *next_half(cursor *c, const dense *parts)
{
    const float *x = c->x;
    c->x += HALF_STEP;
    c->left -= HALF_STEP;
    if (c->left == 0) {
        c->x += parts->gap - parts->chunk;
        c->left = parts->chunk;
    }
    return x;
}

/* What is left of n numbers; `room` is for those that are no HALF_STEP. */
static void last_halves(const float *x[2], cursor *c, const dense *parts, int64_t n, float room[HALF_STEP])
{
    static const float zeros[HALF_STEP];
    x[1] = zeros;
    int whole = 0;
    if (n >= HALF_STEP)
        x[whole++] = next_half(c, parts);
    if (n % HALF_STEP == 0)
        return;
    memset(room, 0, HALF_STEP * sizeof *room);
    memcpy(room, c->x, (size_t)(n % HALF_STEP) * sizeof *room);
    x[whole] = room;
}

/* The exponents of all numbers to the windows, and to `kept`, behind them zeros up to the next TALLY_STEP. */
__attribute__((noinline)) static seen window_exponents(dt_counter *t, const dense *parts, uint8_t *kept)
{
    const dense own = *parts;
    const key_table table = table_from((int)t->first);
    cursor c = {own.x, own.chunk};
    int64_t n = own.size;
    uint8_t *to = kept;
    seen s = {bytes_set(255), bytes_set(255)};
    bytes plane[TABLES][PLANES];
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            plane[w][p] = bytes_load(t->window[0][w][p]);
    for (; n >= TALLY_STEP; n -= TALLY_STEP, to += TALLY_STEP) {
        const float *x[2];
        x[0] = next_half(&c, &own);
        x[1] = next_half(&c, &own);
        add_exponents(&table, x, plane, &s, to);
    }
    if (n > 0) {
        float room[HALF_STEP];
        const float *x[2];
        last_halves(x, &c, &own, n, room);
        add_exponents(&table, x, plane, &s, to);
        to += TALLY_STEP;
    }
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            _mm512_store_si512(t->window[0][w][p], plane[w][p]);
    *t->vectors += (to - kept) / BYTES;
    if (t->deep)
        add_to_window((int)t->first - WINDOW, to - kept, kept, t->window[1]);
    return s;
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

/* Counts exponents below `from`, but for 0, of n, and returns how many these are. */
__attribute__((noinline)) static int64_t count_below(dt_counter *t, int from, int64_t n, const uint8_t *exponent,
                                                     const log_bins *bins)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += BYTES) {
        const bytes some = bytes_load(exponent + i);
        uint64_t left = _mm512_mask_cmplt_epu8_mask(_mm512_test_epi8_mask(some, some), some, bytes_set(from));
        for (; left; left &= left - 1, count++)
            t->count[0][key_of_exponent(exponent[i + __builtin_ctzll(left)], bins)]++;
    }
    return count;
}

/* The windows begin so that the largest exponent has the last place. They stay where few numbers would be lost. */
static void place_windows(dt_counter *t, int64_t vectors, int largest, const log_bins *bins)
{
    enum { FEW = 3 };
    const int64_t last = t->first + WINDOW - 1;
    const bool moves = largest > last || (*t->vectors == 0 && largest + FEW < last);
    if (moves || *t->vectors + vectors > VECTORS_MOST)
        count_exponents(t, bins);
    if (!moves)
        return;
    t->first = largest < WINDOW ? 1 : largest - WINDOW + 1; /* 0 is never counted */
    t->deep &= t->first > WINDOW;
}

/* n rounded up to what windows are given at once. */
DT_INLINE int64_t whole_steps(int64_t n)
{
    return (n + TALLY_STEP - 1) / TALLY_STEP * TALLY_STEP;
}

/* All numbers, of which the largest has this exponent, 255 of infinity; no NaN. `kept`: room for a byte each, in whole
 * steps. Returns how many are 0. */
static int64_t survey_exponents(const dense *parts, dt_counter *t, int largest, const dt_bins *spec, uint8_t *kept)
{
    const log_bins bins = log_of(spec);
    const int64_t n = whole_steps(parts->size);
    place_windows(t, n / BYTES, largest, &bins);
    const seen s = window_exponents(t, parts, kept);
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
