/* Counting keys, for survey.h. One key after the other costs an addition in memory each. With vectors of bytes they
 * are counted by their bits instead, eight keys at a time: a key k = first .. first+7 becomes the byte 1 << (k -
 * first), any other 0, and carry-save adders (Harley and Seal's, as in Mula, Kurz and Lemire, arXiv 1611.07612) add
 * such bytes bit by bit: bit p of a count lies in plane p. Two logical operations a vector and eight keys, however
 * often a key comes.
 *
 * The byte is looked up in 16 bytes, which takes two operations more to bring the keys there and all others out of the
 * way: sixteen keys, of which a table has the bytes of eight. Where there are registers enough both halves are counted
 * at once.
 */
#ifndef DT_KERNELS_TALLY_H
#define DT_KERNELS_TALLY_H

#include <string.h>

#include "kernels/summary.h"
#include "kernels/vector.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#if defined(__AVX512F__)
typedef __m512i bytes;
enum { BYTES = 64, PLANES = 10, TABLES = 2 };
#define bytes_load(p)        _mm512_loadu_si512(p)
#define bytes_min(a, b)      _mm512_min_epu8(a, b)
#define bytes_max(a, b)      _mm512_max_epu8(a, b)
#define bytes_set(k)         _mm512_set1_epi8((char)(k))
#define bytes_sub(a, b)      _mm512_sub_epi8(a, b)
#define bytes_add_most(a, b) _mm512_adds_epu8(a, b)
#define bytes_look(t, i)     _mm512_shuffle_epi8(t, i)
#define bytes_table(t)       _mm512_broadcast_i32x4(t)
#define bytes_xor(a, b)      _mm512_xor_si512(a, b)
#define bytes_and(a, b)      _mm512_and_si512(a, b)
#define bytes_sum(a, b, c)   _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define bytes_carry(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0xe8)
#define bytes_compare(a, b)  _mm512_cmpeq_epi8_mask(a, b)
#define bytes_bits(m)        ((uint64_t)(m))
#define bytes_bit(v, bit)    ((uint64_t)_mm512_test_epi8_mask(v, bytes_set(1 << (bit))))
#else
typedef __m256i bytes;
enum { BYTES = 32, PLANES = 9, TABLES = 1 };
#define bytes_load(p)        _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define bytes_min(a, b)      _mm256_min_epu8(a, b)
#define bytes_max(a, b)      _mm256_max_epu8(a, b)
#define bytes_set(k)         _mm256_set1_epi8((char)(k))
#define bytes_sub(a, b)      _mm256_sub_epi8(a, b)
#define bytes_add_most(a, b) _mm256_adds_epu8(a, b)
#define bytes_look(t, i)     _mm256_shuffle_epi8(t, i)
#define bytes_table(t)       _mm256_broadcastsi128_si256(t)
#define bytes_xor(a, b)      _mm256_xor_si256(a, b)
#define bytes_and(a, b)      _mm256_and_si256(a, b)
#define bytes_sum(a, b, c)   bytes_xor(bytes_xor(a, b), c)
#define bytes_carry(a, b, c) _mm256_or_si256(bytes_and(a, b), bytes_and(c, bytes_xor(a, b)))
#define bytes_compare(a, b)  _mm256_cmpeq_epi8(a, b)
#define bytes_bits(m)        ((uint64_t)(uint32_t)_mm256_movemask_epi8(m))
#define bytes_bit(v, bit)    bytes_bits(_mm256_slli_epi16(v, 7 - (bit)))
#endif

enum {
    ADDED_LOG = 4, /* so many vectors, to the base 2, are added at once */
    ADDED = 1 << ADDED_LOG,
    TALLY_STEP = ADDED * BYTES, /* keys of them */
    TALLY_LEAST = 128           /* fewer are counted one by one */
};
_Static_assert(DT_KEYS_AT_ONCE / BYTES < 1 << PLANES && DT_KEYS_AT_ONCE % TALLY_STEP == 0, "counts fit the planes");

/* The least of a vector's bytes. */
DT_INLINE int least_of(bytes v)
{
#if defined(__AVX512F__)
    const __m256i half = _mm256_min_epu8(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
#else
    const __m256i half = v;
#endif
    const __m128i some = _mm_min_epu8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    const __m128i pairs = _mm_min_epu8(some, _mm_srli_epi16(some, 8)); /* in the low byte of each two */
    return _mm_cvtsi128_si32(_mm_minpos_epu16(pairs)) & 0xff;
}

/* What keys from `first` on are looked up with: key - first + 0x70 is 0x70 to 0x7f for sixteen of them, whose low
 * halves are looked up, eight of them in each table; 0x80 and more, which is where smaller keys end up too, are looked
 * up as 0. */
typedef struct key_table {
    bytes from, high, byte[TABLES];
} key_table;

DT_INLINE key_table table_from(int first)
{
    const __m128i bits = _mm_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, -128, 64, 32, 16, 8, 4, 2, 1);
    key_table t = {.from = bytes_set(first), .high = bytes_set(0x70), .byte = {bytes_table(bits)}};
    if (TABLES > 1)
        t.byte[TABLES - 1] = bytes_table(_mm_bslli_si128(bits, 8));
    return t;
}

DT_INLINE bytes place_of(const key_table *t, bytes key)
{
    return bytes_add_most(bytes_sub(key, t->from), t->high);
}

/* a + b + c = sum + 2 carry, bit by bit; a becomes the sum. */
DT_INLINE bytes add_three(bytes *a, bytes b, bytes c)
{
    const bytes carry = bytes_carry(*a, b, c);
    *a = bytes_sum(*a, b, c);
    return carry;
}

/* Eight vectors' bits, looked up in one table; what they carry of weight 8. */
DT_INLINE bytes add_eight(bytes table, const bytes place[8], bytes *plane)
{
    bytes twos[4];
    DT_REPEAT (j, 4)
        twos[j] = add_three(&plane[0], bytes_look(table, place[2 * j]), bytes_look(table, place[2 * j + 1]));
    const bytes fours = add_three(&plane[1], twos[0], twos[1]);
    return add_three(&plane[2], fours, add_three(&plane[1], twos[2], twos[3]));
}

/* What sixteen vectors carry, of weight 16. */
DT_INLINE void carry_on(bytes plane[PLANES], bytes carry)
{
    DT_REPEAT (p, PLANES - ADDED_LOG) {
        const bytes both = bytes_and(plane[ADDED_LOG + p], carry);
        plane[ADDED_LOG + p] = bytes_xor(plane[ADDED_LOG + p], carry);
        carry = both;
    }
}

/* Sixteen vectors of keys. */
DT_INLINE void add_vectors(const int tables, const key_table *t, const bytes key[ADDED], bytes plane[TABLES][PLANES])
{
    bytes eights[TABLES][2];
    DT_REPEAT (e, 2) {
        bytes place[8];
        DT_REPEAT (j, 8)
            place[j] = place_of(t, key[e * 8 + j]);
        DT_REPEAT (w, tables)
            eights[w][e] = add_eight(t->byte[w], place, plane[w]);
    }
    DT_REPEAT (w, tables)
        carry_on(plane[w], add_three(&plane[w][3], eights[w][0], eights[w][1]));
}

/* The same from memory. */
DT_INLINE void add_sixteen(const int tables, const key_table *t, const uint8_t *from, bytes plane[TABLES][PLANES])
{
    bytes key[ADDED];
    DT_REPEAT (j, ADDED)
        key[j] = bytes_load(from + j * BYTES);
    add_vectors(tables, t, key, plane);
}

/* How often the bit was set in so many vectors. */
DT_INLINE uint32_t planes_count(const bytes plane[PLANES], int bit, int64_t vectors)
{
    uint32_t count = 0;
    for (int p = 0; p < PLANES && vectors >> p > 0; p++)
        count += (uint32_t)__builtin_popcountll(bytes_bit(plane[p], bit)) << p;
    return count;
}

#endif

#if !defined(__AVX512F__) || DT_PRECISION == 64
/* --- arrays of keys --- */

static void tally_each(int64_t n, const uint8_t *key, uint32_t *to)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t eight;
        memcpy(&eight, key + i, sizeof eight);
        to[eight & 255]++;
        to[DT_KEYS + (eight >> 8 & 255)]++;
        to[2 * DT_KEYS + (eight >> 16 & 255)]++;
        to[3 * DT_KEYS + (eight >> 24 & 255)]++;
        to[eight >> 32 & 255]++;
        to[DT_KEYS + (eight >> 40 & 255)]++;
        to[2 * DT_KEYS + (eight >> 48 & 255)]++;
        to[3 * DT_KEYS + (eight >> 56)]++;
    }
    for (; i < n; i++)
        to[key[i]]++;
}

#if defined(__AVX512F__) || defined(__AVX2__)
/* Keys first .. first + 8 tables - 1, at most `last`, of n, a multiple of TALLY_STEP. Returns how many they are. */
DT_INLINE uint32_t tally_some(const int tables, int64_t n, const uint8_t *key, int first, int last, uint32_t *to)
{
    const key_table table = table_from(first);
    uint32_t all = 0;
    bytes plane[TABLES][PLANES];
    DT_REPEAT (w, tables)
        DT_REPEAT (p, PLANES)
            plane[w][p] = bytes_set(0);
    for (int64_t i = 0; i < n; i += TALLY_STEP)
        add_sixteen(tables, &table, key + i, plane);
    for (int i = 0; i < 8 * tables && first + i <= last; i++) {
        const uint32_t count = planes_count(plane[i / 8], i % 8, n / BYTES);
        to[first + i] += count;
        all += count;
    }
    return all;
}

/* How many of n, a multiple of BYTES, are k. */
DT_INLINE uint32_t tally_one(int64_t n, const uint8_t *key, int k)
{
    const bytes one = bytes_set(k);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += BYTES)
        count += __builtin_popcountll(bytes_bits(bytes_compare(bytes_load(key + i), one)));
    return (uint32_t)count;
}

/* Key 0 is what is left. */
static void tally(int64_t n, uint8_t *key, uint32_t *to)
{
    if (n < TALLY_LEAST) {
        tally_each(n, key, to);
        return;
    }
    const bytes none = bytes_set(0), all = bytes_set(255), one = bytes_set(1);
    const int64_t whole = (n + TALLY_STEP - 1) / TALLY_STEP * TALLY_STEP;
    bytes min = all, max = none;
    memset(key + n, 0, (size_t)(whole - n));
    for (int64_t i = 0; i < whole; i += BYTES) {
        const bytes some = bytes_load(key + i);
        min = bytes_min(min, bytes_sub(some, one)); /* 0 is above all others */
        max = bytes_max(max, some);
    }
    const int last = 255 - least_of(bytes_xor(max, all));
    uint32_t counted = 0;
    int first = least_of(min) + 1;
    if (last > 0 && last - first < 2)
        for (; first <= last; first++) {
            const uint32_t count = tally_one(whole, key, first);
            to[first] += count;
            counted += count;
        }
    for (; first <= last - 8 && TABLES > 1; first += 8 * TABLES)
        counted += tally_some(TABLES, whole, key, first, last, to);
    for (; first <= last; first += 8)
        counted += tally_some(1, whole, key, first, last, to);
    to[0] += (uint32_t)n - counted;
}

#else
static void tally(int64_t n, uint8_t *key, uint32_t *to)
{
    tally_each(n, key, to);
}
#endif

static void count_keys(dt_counter *t)
{
    tally(t->kept, t->key, t->count[0]);
    t->kept = 0;
}
#endif

#endif
