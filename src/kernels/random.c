#include "kernels/random.h"

#include <string.h>

#include "base/split.h"

enum { COUNTERS = 16, GROUP = 4 * COUNTERS };

/* Numbers GROUP g .. of the stream. Salmon et al. 2011. */
static void draw_group(const dt_stream *s, int64_t g, uint32_t out[4][COUNTERS])
{
    const uint64_t index = s->index + (uint64_t)(g * COUNTERS);
    uint32_t a[COUNTERS], b[COUNTERS], c[COUNTERS], d[COUNTERS];
    for (uint32_t j = 0; j < COUNTERS; j++) {
        a[j] = (uint32_t)index + j;
        b[j] = (uint32_t)(index >> 32);
        c[j] = s->minor;
        d[j] = s->purpose;
    }
    uint32_t low = (uint32_t)s->seed, high = (uint32_t)(s->seed >> 32);
    for (int round = 0; round < 10; round++) {
        for (int j = 0; j < COUNTERS; j++) {
            const uint64_t p = (uint64_t)a[j] * 0xD2511F53u, q = (uint64_t)c[j] * 0xCD9E8D57u;
            a[j] = (uint32_t)(q >> 32) ^ b[j] ^ low;
            b[j] = (uint32_t)q;
            c[j] = (uint32_t)(p >> 32) ^ d[j] ^ high;
            d[j] = (uint32_t)p;
        }
        low += 0x9E3779B9u;
        high += 0xBB67AE85u;
    }
    memcpy(out[0], a, sizeof a);
    memcpy(out[1], b, sizeof b);
    memcpy(out[2], c, sizeof c);
    memcpy(out[3], d, sizeof d);
}

static void mask(const dt_stream *s, int64_t first, int64_t n, double p, dt_real kept, dt_real *restrict to)
{
    uint32_t words[4][COUNTERS];
    const uint32_t *word = words[0];
    const double below = p * 0x1p32;
    const uint32_t dropped = below < 0xffffffffu ? (uint32_t)below : 0xffffffffu;
    for (int64_t at = first; at < first + n;) {
        const int64_t g = at / GROUP, end = dt_min(first + n, (g + 1) * GROUP);
        draw_group(s, g, words);
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
    static const float centre[] = {2.81022636e-08f,  3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 0.00021858087f,
                                   -0.00125372503f, -0.00417768164f, 0.246640727f,    1.50140941f};
    static const float tail[] = {-0.000200214257f, 0.000100950558f, 0.00134934322f, -0.00367342844f, 0.00573950773f,
                                 -0.0076224613f,   0.00943887047f,  1.00167406f,    2.83297682f};
    const float x = ((float)((int32_t)(word >> 8) - 0x800000) + 0.5f) * 0x1p-23f;
    const float w = -log_of((1 - x) * (1 + x));
    const float in = w - 2.5f, out = __builtin_sqrtf(w > 0 ? w : 0) - 3;
    float p = centre[0], r = tail[0];
#pragma GCC unroll 8
    for (int i = 1; i < 9; i++) {
        p = p * in + centre[i];
        r = r * out + tail[i];
    }
    return 0x1.6a09e6p0f * x * (w < 5 ? p : r);
}

static void noise(const dt_stream *s, int64_t first, int64_t n, dt_real deviation, dt_real *restrict x)
{
    uint32_t words[4][COUNTERS];
    const uint32_t *word = words[0];
    for (int64_t at = first; at < first + n;) {
        const int64_t g = at / GROUP, end = dt_min(first + n, (g + 1) * GROUP);
        float normal[GROUP];
        draw_group(s, g, words);
        for (int i = 0; i < GROUP; i++)
            normal[i] = normal_of(word[i]);
        for (int64_t u = at; u < end; u++)
            x[u - first] += deviation * (dt_real)normal[u - g * GROUP];
        at = end;
    }
}

const dt_randoms DT_VARIANT(dt_randoms) = {mask, noise};
