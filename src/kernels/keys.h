/* Keys of numbers for summary.h: number by number, 16 at a time, and for the survey of many at once.
 */
#ifndef DT_KERNELS_KEYS_H
#define DT_KERNELS_KEYS_H

#include <stdbool.h>
#include <string.h>

#include "kernels/summary.h"
#include "kernels/vector.h"

/* What the keys of one number are made with. */
typedef struct linear_bins {
    dt_real low, count, per;
} linear_bins;

typedef struct log_bins {
    dt_integer first, above; /* the exponent, biased, that has key 0; the last key */
} log_bins;

enum { FRACTION = DT_PRECISION == 64 ? 52 : 23, BIAS = DT_PRECISION == 64 ? 1023 : 127 };

DT_INLINE linear_bins linear_of(const dt_bins *bins)
{
    return (linear_bins){(dt_real)bins->low, (dt_real)bins->count, (dt_real)bins->per};
}

DT_INLINE log_bins log_of(const dt_bins *bins)
{
    return (log_bins){BIAS + bins->first - 2, bins->above};
}

DT_INLINE uint8_t linear_key(dt_real x, const linear_bins *bins)
{
    const dt_real at = (x - bins->low) * bins->per, from = at < 0 ? (dt_real)-1 : at;
    const dt_real to = from < bins->count ? from : bins->count;
    return (uint8_t)((dt_integer)to + 1);
}

DT_INLINE uint8_t log_key(dt_bits x, const log_bins *bins)
{
    const dt_bits magnitude = x << 1; /* without the sign */
    const dt_integer at = (dt_integer)(magnitude >> (FRACTION + 1)) - bins->first;
    const dt_integer from = at < 1 ? 1 : at, to = from < bins->above ? from : bins->above;
    return (uint8_t)(magnitude ? to : 0);
}

#if defined(__AVX512F__) && DT_PRECISION == 32
enum { KEYS = DT_WIDTH }; /* at once; how many of n were made */

DT_INLINE int64_t most_keys(int64_t n, const float *x, const linear_bins *bins, uint8_t *key)
{
    const __m512 low = _mm512_set1_ps(bins->low), per = _mm512_set1_ps(bins->per), count = _mm512_set1_ps(bins->count);
    int64_t i = 0;
    for (; i + KEYS <= n; i += KEYS) { /* rounded down; what is far below becomes the least integer, NaN the last bin */
        const __m512 at = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + i), low), per);
        const __m512i down =
            _mm512_cvt_roundps_epi32(_mm512_min_ps(at, count), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
        const __m512i from_0 = _mm512_max_epi32(down, _mm512_set1_epi32(-1));
        _mm_storeu_si128((__m128i *)(void *)(key + i),
                         _mm512_cvtepi32_epi8(_mm512_add_epi32(from_0, _mm512_set1_epi32(1))));
    }
    return i;
}

DT_INLINE int64_t most_log_keys(int64_t n, const uint32_t *x, const log_bins *bins, uint8_t *key)
{
    const __m512i one = _mm512_set1_epi32(1), first = _mm512_set1_epi32(bins->first);
    int64_t i = 0;
    for (; i + KEYS <= n; i += KEYS) {
        const __m512i magnitude = _mm512_slli_epi32(_mm512_loadu_si512(x + i), 1);
        const __m512i at = _mm512_max_epi32(_mm512_sub_epi32(_mm512_srli_epi32(magnitude, FRACTION + 1), first), one);
        _mm_storeu_si128((__m128i *)(void *)(key + i),
                         _mm512_maskz_cvtepi32_epi8(_mm512_test_epi32_mask(magnitude, magnitude),
                                                    _mm512_min_epi32(at, _mm512_set1_epi32(bins->above))));
    }
    return i;
}
#else
#define most_keys(n, x, bins, key)     0
#define most_log_keys(n, x, bins, key) 0
#endif

static void keys(int64_t n, const void *numbers, const dt_bins *spec, uint8_t *restrict key)
{
    const dt_real *restrict x = numbers;
    const linear_bins bins = linear_of(spec);
    for (int64_t i = most_keys(n, x, &bins, key); i < n; i++)
        key[i] = linear_key(x[i], &bins);
}

static void log_keys(int64_t n, const void *numbers, const dt_bins *spec, uint8_t *restrict key)
{
    const dt_bits *restrict x = numbers;
    const log_bins bins = log_of(spec);
    for (int64_t i = most_log_keys(n, x, &bins, key); i < n; i++)
        key[i] = log_key(x[i], &bins);
}

#if defined(__AVX512F__) && DT_PRECISION == 32
/* --- of 64 numbers, in no order --- */

/* Is (x - low) per the same as x per - low per, rounded once? Where `per` is a power of two. */
DT_INLINE bool scales_exactly(const linear_bins *bins)
{
    uint32_t bits;
    memcpy(&bits, &bins->per, sizeof bits);
    return (bits & 0x7fffffU) == 0;
}

/* Where (x - low) per is below 2^31, on both sides; `fused`: scales_exactly. */
DT_INLINE __m512i four_keys(const bool fused, const __m512 x[4], const linear_bins *bins)
{
    const __m512i one = _mm512_set1_epi16(1);
    const __m512 low = _mm512_set1_ps(fused ? bins->low * bins->per : bins->low), per = _mm512_set1_ps(bins->per);
    __m512i at[4];
    DT_REPEAT (v, 4)
        at[v] = _mm512_cvt_roundps_epi32(fused ? _mm512_fmsub_ps(x[v], per, low)
                                               : _mm512_mul_ps(_mm512_sub_ps(x[v], low), per),
                                         _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    const __m512i all = _mm512_packus_epi16(_mm512_adds_epi16(_mm512_packs_epi32(at[0], at[1]), one),
                                            _mm512_adds_epi16(_mm512_packs_epi32(at[2], at[3]), one));
    return _mm512_min_epu8(all, _mm512_set1_epi8((char)((int)bins->count + 1)));
}

/* The high bytes of a's halves in the low ones, b's in the high ones. */
DT_INLINE __m512i high_bytes(__m512i a, __m512i b)
{
    return _mm512_ternarylogic_epi64(_mm512_srli_epi16(a, 8), b, _mm512_set1_epi16((short)0xff00), 0xd8);
}

/* The exponents, biased. */
DT_INLINE __m512i four_exponents(const __m512 x[4])
{
    __m512i half[2];
    DT_REPEAT (v, 2) { /* the high half of a number holds its exponent behind the sign */
        const __m512i a = _mm512_castps_si512(x[2 * v]), b = _mm512_castps_si512(x[2 * v + 1]);
        const __m512i both =
            _mm512_ternarylogic_epi64(_mm512_srli_epi32(a, 16), b, _mm512_set1_epi32((int)0xffff0000), 0xd8);
        half[v] = _mm512_add_epi16(both, both);
    }
    return high_bytes(half[0], half[1]);
}
#endif

#endif
