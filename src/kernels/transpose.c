/* A block transposed. */
#include "kernels/gradient.h"

#include "kernels/vector.h"

#if defined(__AVX512F__) && DT_PRECISION == 32
/* 16 x 16: quarters of four lanes within rows, then rows of quarters. */
void DT_VARIANT(dt_transpose)(const dt_real *from, dt_real *to)
{
    __m512 a[16], b[16];
    DT_REPEAT (i, 16)
        a[i] = _mm512_loadu_ps(from + i * 16);
    DT_REPEAT (i, 8) {
        b[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
        b[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
    }
    DT_REPEAT (i, 4) {
        const __m512d p = _mm512_castps_pd(b[4 * i]), q = _mm512_castps_pd(b[4 * i + 1]);
        const __m512d r = _mm512_castps_pd(b[4 * i + 2]), s = _mm512_castps_pd(b[4 * i + 3]);
        a[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(p, r));
        a[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p, r));
        a[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(q, s));
        a[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(q, s));
    }
    DT_REPEAT (i, 4) {
        const __m512 low = _mm512_shuffle_f32x4(a[i], a[4 + i], 0x88), odd = _mm512_shuffle_f32x4(a[i], a[4 + i], 0xdd);
        const __m512 low2 = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0x88),
                     odd2 = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0xdd);
        _mm512_storeu_ps(to + i * 16, _mm512_shuffle_f32x4(low, low2, 0x88));
        _mm512_storeu_ps(to + (8 + i) * 16, _mm512_shuffle_f32x4(low, low2, 0xdd));
        _mm512_storeu_ps(to + (4 + i) * 16, _mm512_shuffle_f32x4(odd, odd2, 0x88));
        _mm512_storeu_ps(to + (12 + i) * 16, _mm512_shuffle_f32x4(odd, odd2, 0xdd));
    }
}
#elif defined(__AVX2__)
/* Squares of 32 bytes by 32 bytes. */
#if DT_PRECISION == 32
DT_INLINE void square(const float *from, float *to)
{
    __m256 a[8], b[8];
    DT_REPEAT (i, 8)
        a[i] = _mm256_loadu_ps(from + i * DT_LANES);
    DT_REPEAT (i, 4) {
        b[2 * i] = _mm256_unpacklo_ps(a[2 * i], a[2 * i + 1]);
        b[2 * i + 1] = _mm256_unpackhi_ps(a[2 * i], a[2 * i + 1]);
    }
    DT_REPEAT (i, 2)
        DT_REPEAT (h, 2) {
            const __m256 p = b[4 * i + h], q = b[4 * i + 2 + h];
            a[4 * i + 2 * h] = _mm256_shuffle_ps(p, q, 0x44);
            a[4 * i + 2 * h + 1] = _mm256_shuffle_ps(p, q, 0xee);
        }
    DT_REPEAT (i, 4) {
        _mm256_storeu_ps(to + i * DT_LANES, _mm256_permute2f128_ps(a[i], a[4 + i], 0x20));
        _mm256_storeu_ps(to + (4 + i) * DT_LANES, _mm256_permute2f128_ps(a[i], a[4 + i], 0x31));
    }
}
#else
DT_INLINE void square(const double *from, double *to)
{
    const __m256d a = _mm256_loadu_pd(from), b = _mm256_loadu_pd(from + DT_LANES);
    const __m256d c = _mm256_loadu_pd(from + 2 * DT_LANES), d = _mm256_loadu_pd(from + 3 * DT_LANES);
    const __m256d even = _mm256_unpacklo_pd(a, b), odd = _mm256_unpackhi_pd(a, b);
    const __m256d even2 = _mm256_unpacklo_pd(c, d), odd2 = _mm256_unpackhi_pd(c, d);
    _mm256_storeu_pd(to, _mm256_permute2f128_pd(even, even2, 0x20));
    _mm256_storeu_pd(to + DT_LANES, _mm256_permute2f128_pd(odd, odd2, 0x20));
    _mm256_storeu_pd(to + 2 * DT_LANES, _mm256_permute2f128_pd(even, even2, 0x31));
    _mm256_storeu_pd(to + 3 * DT_LANES, _mm256_permute2f128_pd(odd, odd2, 0x31));
}
#endif

enum { SQUARE = 32 / (int)sizeof(dt_real) };

void DT_VARIANT(dt_transpose)(const dt_real *from, dt_real *to)
{
    for (int k = 0; k < DT_LANES; k += SQUARE)
        for (int j = 0; j < DT_LANES; j += SQUARE)
            square(from + k * DT_LANES + j, to + j * DT_LANES + k);
}
#else
void DT_VARIANT(dt_transpose)(const dt_real *from, dt_real *to)
{
    for (int k = 0; k < DT_LANES; k++)
        for (int j = 0; j < DT_LANES; j++)
            to[j * DT_LANES + k] = from[k * DT_LANES + j];
}
#endif
