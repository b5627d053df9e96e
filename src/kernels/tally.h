/* Counting keys, for summary.h. One key after the other costs an addition in memory each. With vectors of bytes they
 * are counted by their bits instead, eight keys at a time: a key k = first .. first+7 becomes the byte 1 << (k -
 * first), any other 0, and carry-save adders (Harley and Seal's, as in Mula, Kurz and Lemire, arXiv 1611.07612) add
 * such bytes bit by bit: bit p of a count lies in plane p. Two logical operations a vector and eight keys, however
 * often a key comes.
 */
#ifndef DT_KERNELS_TALLY_H
#define DT_KERNELS_TALLY_H

#include <string.h>

#include "kernels/summary.h"
#include "kernels/vector.h"

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
#if defined(__AVX512F__)
typedef __m512i bytes;
typedef __mmask64 bytes_mask;
enum { BYTES = 64 };
#define bytes_load(p)         _mm512_loadu_si512(p)
#define bytes_min(a, b)       _mm512_min_epu8(a, b)
#define bytes_max(a, b)       _mm512_max_epu8(a, b)
#define bytes_set(k)          _mm512_set1_epi8((char)(k))
#define bytes_sub(a, b)       _mm512_sub_epi8(a, b)
#define bytes_add_most(a, b)  _mm512_adds_epu8(a, b)
#define bytes_look(t, i)      _mm512_shuffle_epi8(t, i)
#define bytes_table(t)        _mm512_broadcast_i32x4(t)
#define bytes_xor(a, b)       _mm512_xor_si512(a, b)
#define bytes_and(a, b)       _mm512_and_si512(a, b)
#define bytes_sum(a, b, c)    _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define bytes_carry(a, b, c)  _mm512_ternarylogic_epi64(a, b, c, 0xe8)
#define bytes_compare(a, b)   _mm512_cmpeq_epi8_mask(a, b)
#define bytes_bits(m)         ((uint64_t)(m))
#define bytes_unless(m, a, b) _mm512_mask_mov_epi8(a, m, b)
#define bytes_bit(v, bit)     ((uint64_t)_mm512_test_epi8_mask(v, bytes_set(1 << (bit))))
#else
typedef __m256i bytes, bytes_mask;
enum { BYTES = 32 };
#define bytes_load(p)         _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define bytes_min(a, b)       _mm256_min_epu8(a, b)
#define bytes_max(a, b)       _mm256_max_epu8(a, b)
#define bytes_set(k)          _mm256_set1_epi8((char)(k))
#define bytes_sub(a, b)       _mm256_sub_epi8(a, b)
#define bytes_add_most(a, b)  _mm256_adds_epu8(a, b)
#define bytes_look(t, i)      _mm256_shuffle_epi8(t, i)
#define bytes_table(t)        _mm256_broadcastsi128_si256(t)
#define bytes_xor(a, b)       _mm256_xor_si256(a, b)
#define bytes_and(a, b)       _mm256_and_si256(a, b)
#define bytes_sum(a, b, c)    bytes_xor(bytes_xor(a, b), c)
#define bytes_carry(a, b, c)  _mm256_or_si256(bytes_and(a, b), bytes_and(c, bytes_xor(a, b)))
#define bytes_compare(a, b)   _mm256_cmpeq_epi8(a, b)
#define bytes_bits(m)         ((uint64_t)(uint32_t)_mm256_movemask_epi8(m))
#define bytes_unless(m, a, b) _mm256_blendv_epi8(a, b, m)
#define bytes_bit(v, bit)     bytes_bits(_mm256_slli_epi16(v, 7 - (bit)))
#endif

enum {
    TALLY_STEP = 8 * BYTES, /* keys that the adders take at once */
    PLANES = 7              /* for 127 vectors at most */
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

/* a + b + c = sum + 2 carry, bit by bit; a becomes the sum. */
DT_INLINE bytes add_three(bytes *a, bytes b, bytes c)
{
    const bytes carry = bytes_carry(*a, b, c);
    *a = bytes_sum(*a, b, c);
    return carry;
}

/* Keys first .. first+7 of n, a multiple of TALLY_STEP. */
DT_INLINE void tally_eight(int64_t n, const uint8_t *key, int first, int last, int usual, uint32_t *to)
{
    /* key - first + 0x70: 0x70 to 0x77 for the eight, whose low halves are looked up; from 0x78 to 0x7f others', whose
     * byte is 0; 0x80 and more, which is where smaller keys end up too, are looked up as 0. */
    const bytes table = bytes_table(_mm_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, -128, 64, 32, 16, 8, 4, 2, 1));
    const bytes from = bytes_set(first), high = bytes_set(0x70);
    bytes plane[PLANES];
    DT_REPEAT (p, PLANES)
        plane[p] = bytes_set(0);
    for (int64_t i = 0; i < n; i += TALLY_STEP) {
        bytes x[8], twos[4];
        DT_REPEAT (j, 8)
            x[j] = bytes_look(table, bytes_add_most(bytes_sub(bytes_load(key + i + j * BYTES), from), high));
        DT_REPEAT (j, 4)
            twos[j] = add_three(&plane[0], x[2 * j], x[2 * j + 1]);
        const bytes fours = add_three(&plane[1], twos[0], twos[1]);
        bytes carry = add_three(&plane[2], fours, add_three(&plane[1], twos[2], twos[3]));
        DT_REPEAT (p, PLANES - 3) {
            const bytes both = bytes_and(plane[3 + p], carry);
            plane[3 + p] = bytes_xor(plane[3 + p], carry);
            carry = both;
        }
    }
    for (int bit = 0; bit < 8 && first + bit <= last; bit++) {
        uint32_t count = 0;
        for (int p = 0; p < PLANES && n >> p >= BYTES; p++)
            count += (uint32_t)__builtin_popcountll(bytes_bit(plane[p], bit)) << p;
        to[first + bit] += first + bit == usual ? 0 : count;
    }
}

/* n keys, a multiple of TALLY_STEP. */
DT_INLINE void tally_whole(int64_t n, const uint8_t *key, int usual, uint32_t *to)
{
    const bytes common = bytes_set(usual), none = bytes_set(0), all = bytes_set(255);
    bytes min = all, max = none;
    int64_t left = n;
    for (int64_t i = 0; i < n; i += BYTES) {
        const bytes some = bytes_load(key + i);
        const bytes_mask equal = bytes_compare(some, common);
        left -= __builtin_popcountll(bytes_bits(equal));
        min = bytes_min(min, bytes_unless(equal, some, all));
        max = bytes_max(max, bytes_unless(equal, some, none));
    }
    to[usual] += (uint32_t)(n - left);
    if (left == 0)
        return;
    const int first = least_of(min), last = 255 - least_of(bytes_xor(max, all));
    for (int k = first; k <= last; k += 8)
        tally_eight(n, key, k, last, usual, to);
}

static void tally(int64_t n, const uint8_t *key, int usual, uint32_t *to)
{
    int64_t i = 0;
    for (; i + DT_KEYS_AT_ONCE <= n; i += DT_KEYS_AT_ONCE)
        tally_whole(DT_KEYS_AT_ONCE, key + i, usual, to);
    const int64_t whole = (n - i) / TALLY_STEP * TALLY_STEP;
    if (whole > 0)
        tally_whole(whole, key + i, usual, to);
    tally_each(n - i - whole, key + i + whole, to);
}
#else
static void tally(int64_t n, const uint8_t *key, int usual, uint32_t *to)
{
    (void)usual;
    tally_each(n, key, to);
}
#endif

#endif
