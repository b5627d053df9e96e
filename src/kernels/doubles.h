/* Sums of a vector's lanes, in the numbers' own precision (dt_vector_total, dt_panel_total) and in double (dt_wide): in
 * halves, lane c with c + half, as everywhere. And the least and the
 * largest.
 */
#ifndef DT_KERNELS_DOUBLES_H
#define DT_KERNELS_DOUBLES_H

#include "kernels/vector.h"

#if defined(__AVX512F__)
typedef __m512d dt_wide;
typedef __m512i dt_counts;
enum { DT_WIDE = 8 };
#define dt_wide_add(a, b)     _mm512_add_pd(a, b)
#define dt_wide_load(p)       _mm512_loadu_pd(p)
#define dt_wide_store(p, v)   _mm512_storeu_pd(p, v)
#define dt_wide_total(v)      _mm512_reduce_add_pd(v)
#define dt_counts_zero()      _mm512_setzero_si512()
#define dt_counts_store(p, v) _mm512_storeu_si512(p, v)
#if DT_PRECISION == 32
#define dt_sub(a, b)        _mm512_sub_ps(a, b)
#define dt_vector_min(x, m) _mm512_min_ps(x, m)
#define dt_vector_max(x, m) _mm512_max_ps(x, m)
#define dt_count_zeros(n, x)                                                                                           \
    _mm512_mask_add_epi32(n, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_EQ_OQ), n, _mm512_set1_epi32(1))
#define dt_vector_least(v)   _mm512_reduce_min_ps(v)
#define dt_vector_largest(v) _mm512_reduce_max_ps(v)
#define dt_counts_total(n)   _mm512_reduce_add_epi32(n)
#else
#define dt_sub(a, b)        _mm512_sub_pd(a, b)
#define dt_vector_min(x, m) _mm512_min_pd(x, m)
#define dt_vector_max(x, m) _mm512_max_pd(x, m)
#define dt_count_zeros(n, x)                                                                                           \
    _mm512_mask_add_epi64(n, _mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_EQ_OQ), n, _mm512_set1_epi64(1))
#define dt_vector_least(v)   _mm512_reduce_min_pd(v)
#define dt_vector_largest(v) _mm512_reduce_max_pd(v)
#define dt_counts_total(n)   _mm512_reduce_add_epi64(n)
#endif
#elif defined(__AVX2__)
typedef __m256d dt_wide;
typedef __m256i dt_counts;
enum { DT_WIDE = 4 };
#define dt_wide_add(a, b)     _mm256_add_pd(a, b)
#define dt_wide_load(p)       _mm256_loadu_pd(p)
#define dt_wide_store(p, v)   _mm256_storeu_pd(p, v)
#define dt_counts_zero()      _mm256_setzero_si256()
#define dt_counts_store(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
DT_INLINE double dt_wide_total(__m256d v)
{
    const __m128d half = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}
#if DT_PRECISION == 32
#define dt_sub(a, b)         _mm256_sub_ps(a, b)
#define dt_vector_min(x, m)  _mm256_min_ps(x, m)
#define dt_vector_max(x, m)  _mm256_max_ps(x, m)
#define dt_count_zeros(n, x) _mm256_sub_epi32(n, _mm256_castps_si256(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_EQ_OQ)))
#else
#define dt_sub(a, b)         _mm256_sub_pd(a, b)
#define dt_vector_min(x, m)  _mm256_min_pd(x, m)
#define dt_vector_max(x, m)  _mm256_max_pd(x, m)
#define dt_count_zeros(n, x) _mm256_sub_epi64(n, _mm256_castpd_si256(_mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_EQ_OQ)))
#endif
#elif defined(DT_NEON)
typedef float64x2_t dt_wide;
enum { DT_WIDE = 2 };
#define dt_wide_add(a, b)   vaddq_f64(a, b)
#define dt_wide_load(p)     vld1q_f64(p)
#define dt_wide_store(p, v) vst1q_f64(p, v)
#define dt_wide_total(v)    vaddvq_f64(v)
#if DT_PRECISION == 32
typedef uint32x4_t dt_counts;
#define dt_counts_zero()      vdupq_n_u32(0)
#define dt_counts_store(p, v) vst1q_u32((uint32_t *)(void *)(p), v)
#define dt_sub(a, b)          vsubq_f32(a, b)
#define dt_vector_min(x, m)   vbslq_f32(vcltq_f32(x, m), x, m)
#define dt_vector_max(x, m)   vbslq_f32(vcgtq_f32(x, m), x, m)
#define dt_count_zeros(n, x)  vsubq_u32(n, vceqzq_f32(x))
#else
typedef uint64x2_t dt_counts;
#define dt_counts_zero()      vdupq_n_u64(0)
#define dt_counts_store(p, v) vst1q_u64((uint64_t *)(void *)(p), v)
#define dt_sub(a, b)          vsubq_f64(a, b)
#define dt_vector_min(x, m)   vbslq_f64(vcltq_f64(x, m), x, m)
#define dt_vector_max(x, m)   vbslq_f64(vcgtq_f64(x, m), x, m)
#define dt_count_zeros(n, x)  vsubq_u64(n, vceqzq_f64(x))
#endif
#else
typedef double dt_wide;
typedef dt_integer dt_counts;
enum { DT_WIDE = 1 };
#define dt_wide_add(a, b)     ((a) + (b))
#define dt_wide_load(p)       (*(p))
#define dt_wide_store(p, v)   (void)(*(p) = (v))
#define dt_wide_total(v)      (v)
#define dt_counts_zero()      0
#define dt_counts_store(p, v) (void)(*(p) = (v))
#define dt_sub(a, b)          ((a) - (b))
#define dt_vector_min(x, m)   ((x) < (m) ? (x) : (m))
#define dt_vector_max(x, m)   ((x) > (m) ? (x) : (m))
#define dt_count_zeros(n, x)  ((n) + ((x) == 0))
#endif

/* The same of the numbers themselves: lane c with c + half. */
#if defined(__AVX512F__) && DT_PRECISION == 32
DT_INLINE float dt_vector_total(__m512 v)
{
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
#elif defined(__AVX2__) && DT_PRECISION == 32
DT_INLINE float dt_vector_total(__m256 v)
{
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
#elif defined(DT_NEON) && DT_PRECISION == 32
DT_INLINE float dt_vector_total(float32x4_t v)
{
    const float32x2_t two = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
#elif DT_PRECISION == 64
#define dt_vector_total(v) dt_wide_total(v)
#else
#define dt_vector_total(v) (v)
#endif

/* All lanes of a panel, joined in halves. */
DT_INLINE double dt_wide_join(dt_wide w[DT_LANES / DT_WIDE])
{
    for (int half = DT_LANES / DT_WIDE / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            w[i] = dt_wide_add(w[i], w[i + half]);
    return dt_wide_total(w[0]);
}

DT_INLINE dt_real dt_panel_total(dt_vector v[DT_VECTORS_A_PANEL])
{
    for (int half = DT_VECTORS_A_PANEL / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            v[i] = dt_add(v[i], v[i + half]);
    return dt_vector_total(v[0]);
}

#endif
