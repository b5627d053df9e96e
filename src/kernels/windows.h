/* For survey.h: keys counted in windows of sixteen, whose planes (tally.h) stay from one survey to the next. The bytes
 * of 64 numbers are made in one vector: exponents, or keys of equal bins; the first window counts them where they are
 * made, others as they were kept.
 */
#ifndef DT_KERNELS_WINDOWS_H
#define DT_KERNELS_WINDOWS_H

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

DT_INLINE part dense_part(const dense *parts, int64_t i)
{
    return (part){.rows = parts->rows, .n = parts->n, .stride = DT_LANES, .x = parts->x + i * parts->apart};
}

enum { ZEROS, FROM_EDGE };

/* How many numbers are 0, of either sign; or `edge` at least. */
DT_INLINE int64_t count_which(const int which, const dense *parts, float edge)
{
    const __m512 least = _mm512_set1_ps(edge);
    const __m512i magnitude = _mm512_set1_epi32(INT32_MAX), one = _mm512_set1_epi32(1);
    __m512i count[4];
    DT_REPEAT (k, 4)
        count[k] = _mm512_setzero_si512();
    for (int64_t c = 0; c < parts->chunks; c++)
        for (int64_t i = 0; i < parts->chunk; i += 4 * DT_LANES)
            DT_REPEAT (k, 4) {
                const __m512 x = _mm512_loadu_ps(parts->x + c * parts->gap + i + k * DT_LANES);
                const __mmask16 some = which == ZEROS ? _mm512_testn_epi32_mask(_mm512_castps_si512(x), magnitude)
                                                      : _mm512_cmp_ps_mask(x, least, _CMP_GE_OQ);
                count[k] = _mm512_mask_add_epi32(count[k], some, count[k], one);
            }
    const __m512i all = _mm512_add_epi32(_mm512_add_epi32(count[0], count[1]), _mm512_add_epi32(count[2], count[3]));
    const int64_t absent = which == ZEROS || edge <= 0 ? parts->size - parts->numbers : 0; /* they are 0 */
    return _mm512_reduce_add_epi32(all) - absent;
}

__attribute__((noinline)) static int64_t zeros_of(const dense *parts)
{
    return count_which(ZEROS, parts, 0);
}

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

DT_INLINE void load_planes(dt_counter_planes window, bytes plane[TABLES][PLANES])
{
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            plane[w][p] = bytes_load(window[w][p]);
}

DT_INLINE void store_planes(bytes plane[TABLES][PLANES], dt_counter_planes window)
{
    DT_REPEAT (w, TABLES)
        DT_REPEAT (p, PLANES)
            _mm512_store_si512(window[w][p], plane[w][p]);
}

/* n keys, a multiple of TALLY_STEP, to the window that begins with `first`. */
__attribute__((noinline)) static void add_to_window(int first, int64_t n, const uint8_t *key, dt_counter_planes window)
{
    const key_table table = table_from(first);
    bytes plane[TABLES][PLANES];
    load_planes(window, plane);
    for (int64_t i = 0; i < n; i += TALLY_STEP)
        add_sixteen(TABLES, &table, key + i, plane);
    store_planes(plane, window);
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

/* n rounded up to what windows are given at once. */
DT_INLINE int64_t whole_steps(int64_t n)
{
    return (n + TALLY_STEP - 1) / TALLY_STEP * TALLY_STEP;
}

/* --- numbers to a window --- */

enum { EXPONENTS, KEYS_ROUNDED, KEYS_FUSED }; /* see four_keys */

DT_INLINE bytes bytes_of(const int what, const float *x, const linear_bins *bins)
{
    __m512 four[4];
    DT_REPEAT (i, 4)
        four[i] = _mm512_loadu_ps(x + i * DT_LANES);
    return what == EXPONENTS ? four_exponents(four) : four_keys(what == KEYS_FUSED, four, bins);
}

/* Of exponents: the least; and the least but 0, less one. */
typedef struct seen {
    bytes least, least_but_0;
} seen;

/* HALF_STEP numbers here and there. */
DT_INLINE void add_halves(const int what, const float *const x[2], const linear_bins *bins, const key_table *t,
                          bytes plane[TABLES][PLANES], seen *s, uint8_t *kept)
{
    bytes key[ADDED];
    DT_REPEAT (j, ADDED) {
        key[j] = bytes_of(what, x[j / 8] + j % 8 * BYTES, bins);
        _mm512_store_si512(kept + j * BYTES, key[j]);
        if (what == EXPONENTS) {
            s->least = bytes_min(s->least, key[j]);
            s->least_but_0 = bytes_min(s->least_but_0, bytes_sub(key[j], bytes_set(1)));
        }
    }
    add_vectors(TABLES, t, key, plane);
}

/* All numbers to the window that begins with `first`, and their bytes to `kept`: as if 0 followed up to the next
 * TALLY_STEP. */
DT_INLINE seen add_numbers(const int what, const dense *parts, const linear_bins *bins, int first,
                           dt_counter_planes window, uint8_t *kept)
{
    const dense own = *parts;
    const linear_bins edges = bins ? *bins : (linear_bins){0};
    const key_table table = table_from(first);
    cursor c = {own.x, own.chunk};
    int64_t n = own.size;
    seen s = {bytes_set(255), bytes_set(255)};
    bytes plane[TABLES][PLANES];
    load_planes(window, plane);
    for (; n >= TALLY_STEP; n -= TALLY_STEP, kept += TALLY_STEP) {
        const float *x[2];
        x[0] = next_half(&c, &own);
        x[1] = next_half(&c, &own);
        add_halves(what, x, &edges, &table, plane, &s, kept);
    }
    if (n > 0) {
        float room[HALF_STEP];
        const float *x[2];
        last_halves(x, &c, &own, n, room);
        add_halves(what, x, &edges, &table, plane, &s, kept);
    }
    store_planes(plane, window);
    return s;
}

__attribute__((noinline)) static seen add_exponents(const dense *parts, int first, dt_counter_planes window,
                                                    uint8_t *kept)
{
    return add_numbers(EXPONENTS, parts, NULL, first, window, kept);
}

__attribute__((noinline)) static void add_keys(const dense *parts, const linear_bins *bins, int first,
                                               dt_counter_planes window, uint8_t *kept)
{
    (void)add_numbers(KEYS_ROUNDED, parts, bins, first, window, kept);
}

__attribute__((noinline)) static void add_fused_keys(const dense *parts, const linear_bins *bins, int first,
                                                     dt_counter_planes window, uint8_t *kept)
{
    (void)add_numbers(KEYS_FUSED, parts, bins, first, window, kept);
}
#endif

#endif
