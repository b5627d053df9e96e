#include "kernels/random.h"

#include <string.h>

#include "base/split.h"
#include "kernels/vector.h"
#if defined(__AVX2__)
#include <immintrin.h>
#endif

enum { COUNTERS = 16, GROUP = 4 * COUNTERS };

/* Counters in 64-bit lanes, of which the lower halves count: a product's are both halves. */
#if defined(__AVX512F__)
typedef __m512i counters;
enum { SIDE = 8 };
#define each(x)           _mm512_set1_epi64((long long)(x))
#define product(x, y)     _mm512_mul_epu32(x, y)
#define upper(x)          _mm512_srli_epi64(x, 32)
#define either(x, y)      _mm512_xor_si512(x, y)
#define ascending(x)      _mm512_add_epi64(each(x), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0))
#define store_lower(p, x) _mm256_storeu_si256((__m256i *)(void *)(p), _mm512_cvtepi64_epi32(x))
#elif defined(__AVX2__)
typedef __m256i counters;
enum { SIDE = 4 };
#define each(x)       _mm256_set1_epi64x((long long)(x))
#define product(x, y) _mm256_mul_epu32(x, y)
#define upper(x)      _mm256_srli_epi64(x, 32)
#define either(x, y)  _mm256_xor_si256(x, y)
#define ascending(x)  _mm256_add_epi64(each(x), _mm256_set_epi64x(3, 2, 1, 0))
#define store_lower(p, x)                                                                                              \
    _mm_storeu_si128((__m128i *)(void *)(p), _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(                       \
                                                 x, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7))))
#else
typedef uint64_t counters;
enum { SIDE = 1 };
#define each(x)           ((uint64_t)(x))
#define product(x, y)     ((uint64_t)(uint32_t)(x) * (uint32_t)(y))
#define upper(x)          ((x) >> 32)
#define either(x, y)      ((x) ^ (y))
#define ascending(x)      ((uint64_t)(x))
#define store_lower(p, x) (void)(*(p) = (uint32_t)(x))
#endif

enum { VECTORS = COUNTERS / SIDE };

/* Numbers GROUP g .. of the stream: ten rounds of two multiplications. Salmon et al. 2011. */
static void draw_group(const dt_stream *s, int64_t g, uint32_t out[GROUP])
{
    const uint64_t index = s->index + (uint64_t)(g * COUNTERS);
    const counters first = each(0xD2511F53u), second = each(0xCD9E8D57u);
    counters a[VECTORS], b[VECTORS], c[VECTORS], d[VECTORS];
    DT_REPEAT (v, VECTORS) {
        a[v] = ascending((uint32_t)index + (uint32_t)(v * SIDE)); /* no carry: index is a multiple of COUNTERS */
        b[v] = each(index >> 32);
        c[v] = each(s->minor);
        d[v] = each(s->purpose);
    }
    uint32_t low = (uint32_t)s->seed, high = (uint32_t)(s->seed >> 32);
    for (int round = 0; round < 10; round++) {
        DT_REPEAT (v, VECTORS) {
            const counters p = product(a[v], first), q = product(c[v], second);
            a[v] = either(either(upper(q), b[v]), each(low));
            b[v] = q;
            c[v] = either(either(upper(p), d[v]), each(high));
            d[v] = p;
        }
        low += 0x9E3779B9u;
        high += 0xBB67AE85u;
    }
    DT_REPEAT (v, VECTORS) {
        store_lower(out + v * SIDE, a[v]);
        store_lower(out + COUNTERS + v * SIDE, b[v]);
        store_lower(out + 2 * COUNTERS + v * SIDE, c[v]);
        store_lower(out + 3 * COUNTERS + v * SIDE, d[v]);
    }
}

static void mask(const dt_stream *s, int64_t first, int64_t n, double p, dt_real kept, dt_real *restrict to)
{
    uint32_t word[GROUP];
    const double below = p * 0x1p32;
    const uint32_t dropped = below < 0xffffffffu ? (uint32_t)below : 0xffffffffu;
    for (int64_t at = first; at < first + n;) {
        const int64_t g = at / GROUP, end = dt_min(first + n, (g + 1) * GROUP);
        draw_group(s, g, word);
        if (end - at == GROUP)
            for (int i = 0; i < GROUP; i++)
                to[at - first + i] = word[i] < dropped ? 0 : kept;
        else
            for (int64_t u = at; u < end; u++)
                to[u - first] = word[u - g * GROUP] < dropped ? 0 : kept;
        at = end;
    }
}

/* ln y for y in [2^-24, 1], branch-free. */
static inline float log_of(float y)
{
    uint32_t bits;
    memcpy(&bits, &y, sizeof bits);
    const int32_t e = (int32_t)(bits - 0x3f3504f3u) >> 23; /* so that m lies in [sqrt 1/2, sqrt 2) */
    bits -= (uint32_t)e << 23;
    float m;
    memcpy(&m, &bits, sizeof m);
    const float s = (m - 1) / (m + 1), q = s * s;
    float p = 1.0f / 9;
    p = p * q + 1.0f / 7;
    p = p * q + 1.0f / 5;
    p = p * q + 1.0f / 3;
    return (float)e * 0x1.62e430p-1f + 2 * (s + s * q * p);
}

/* The normal quantile of a word's upper 24 bits: M. Giles, "Approximating the erfinv function", GPU Computing Gems 2,
 * 2010, table 5: sqrt 2 erfinv(x), by one of two polynomials in w = -ln(1 - x^2). */
static inline float normal_of(uint32_t word)
{
    static const float centre[] = {2.81022636e-08f, 3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 0.00021858087f,
                                   -0.00125372503f, -0.00417768164f, 0.246640727f,    1.50140941f};
    static const float tail[] = {-0.000200214257f, 0.000100950558f, 0.00134934322f, -0.00367342844f, 0.00573950773f,
                                 -0.0076224613f,   0.00943887047f,  1.00167406f,    2.83297682f};
    const float x = ((float)((int32_t)(word >> 8) - 0x800000) + 0.5f) * 0x1p-23f;
    const float w = -log_of((1 - x) * (1 + x));
    const float in = w - 2.5f, out = __builtin_sqrtf(__builtin_fabsf(w)) - 3;
    float p = centre[0], r = tail[0];
#pragma GCC unroll 8
    for (int i = 1; i < 9; i++) {
        p = p * in + centre[i];
        r = r * out + tail[i];
    }
    uint32_t bits[2];
    memcpy(&bits[0], &p, sizeof p);
    memcpy(&bits[1], &r, sizeof r);
    const uint32_t far = 0u - (uint32_t)(w >= 5); /* a mask: of `? :` gcc makes a branch */
    bits[0] = (bits[0] & ~far) | (bits[1] & far);
    memcpy(&p, &bits[0], sizeof p);
    return 0x1.6a09e6p0f * x * p;
}

static void noise(const dt_stream *s, int64_t first, int64_t n, dt_real deviation, dt_real *restrict x)
{
    uint32_t word[GROUP];
    for (int64_t at = first; at < first + n;) {
        const int64_t g = at / GROUP, end = dt_min(first + n, (g + 1) * GROUP);
        float normal[GROUP];
        draw_group(s, g, word);
        for (int i = 0; i < GROUP; i++)
            normal[i] = normal_of(word[i]);
        for (int64_t u = at; u < end; u++)
            x[u - first] += deviation * (dt_real)normal[u - g * GROUP];
        at = end;
    }
}

const dt_randoms DT_VARIANT(dt_randoms) = {mask, noise};
