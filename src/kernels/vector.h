/* The vector of the instruction set being compiled: a few operations, the same meaning everywhere. DT_WIDTH numbers a
 * vector; a generic build has vectors of one number. Lanes never mix, so a vector's width can't change a bit.
 */
#ifndef DT_KERNELS_VECTOR_H
#define DT_KERNELS_VECTOR_H

#include "kernels/real.h"

#define DT_INLINE static inline __attribute__((always_inline))

/* For loops over few samples: half as many branches, whose pattern the processor then remembers. Without it the
 * gradient of 16-sample shards ran 15 % slower in some processes and not in others. */
#if defined(__clang__)
#define DT_UNROLL_2 _Pragma("clang loop unroll_count(2)")
#else
#define DT_UNROLL_2 _Pragma("GCC unroll 2")
#endif

/* The compiler forgets what it knows about a pointer's value, so that it can't compute others from it in advance. */
#define DT_HIDE(p) __asm__("" : "+r"(p))

/* A loop of constant length that is unrolled whole, so that the arrays it indexes become registers. Not under
 * sanitizers: with a check at each access, what is unrolled takes minutes to compile. */
#if !defined(__clang__)
#define DT_REPEAT(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)
#elif __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define DT_REPEAT(i, n) for (int i = 0; i < (n); i++)
#else
#define DT_REPEAT(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)
#endif

#if defined(__AVX512F__) && DT_PRECISION == 32
#include <immintrin.h>
typedef __m512 dt_vector;
enum { DT_WIDTH = 16 };
#define dt_load(p)      _mm512_loadu_ps(p)
#define dt_store(p, v)  _mm512_storeu_ps(p, v)
#define dt_broadcast(p) _mm512_set1_ps(*(p))
#define dt_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define dt_add(a, b)    _mm512_add_ps(a, b)
#define dt_mul(a, b)    _mm512_mul_ps(a, b)
#define dt_zero()       _mm512_setzero_ps()
#elif defined(__AVX512F__)
#include <immintrin.h>
typedef __m512d dt_vector;
enum { DT_WIDTH = 8 };
#define dt_load(p)      _mm512_loadu_pd(p)
#define dt_store(p, v)  _mm512_storeu_pd(p, v)
#define dt_broadcast(p) _mm512_set1_pd(*(p))
#define dt_fma(a, b, c) _mm512_fmadd_pd(a, b, c)
#define dt_add(a, b)    _mm512_add_pd(a, b)
#define dt_mul(a, b)    _mm512_mul_pd(a, b)
#define dt_zero()       _mm512_setzero_pd()
#elif defined(__AVX2__) && DT_PRECISION == 32
#include <immintrin.h>
typedef __m256 dt_vector;
enum { DT_WIDTH = 8 };
#define dt_load(p)      _mm256_loadu_ps(p)
#define dt_store(p, v)  _mm256_storeu_ps(p, v)
#define dt_broadcast(p) _mm256_broadcast_ss(p)
#define dt_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define dt_add(a, b)    _mm256_add_ps(a, b)
#define dt_mul(a, b)    _mm256_mul_ps(a, b)
#define dt_zero()       _mm256_setzero_ps()
#elif defined(__AVX2__)
#include <immintrin.h>
typedef __m256d dt_vector;
enum { DT_WIDTH = 4 };
#define dt_load(p)      _mm256_loadu_pd(p)
#define dt_store(p, v)  _mm256_storeu_pd(p, v)
#define dt_broadcast(p) _mm256_broadcast_sd(p)
#define dt_fma(a, b, c) _mm256_fmadd_pd(a, b, c)
#define dt_add(a, b)    _mm256_add_pd(a, b)
#define dt_mul(a, b)    _mm256_mul_pd(a, b)
#define dt_zero()       _mm256_setzero_pd()
#elif defined(DT_NEON) && DT_PRECISION == 32
#include <arm_neon.h>
typedef float32x4_t dt_vector;
enum { DT_WIDTH = 4 };
#define dt_load(p)      vld1q_f32(p)
#define dt_store(p, v)  vst1q_f32(p, v)
#define dt_broadcast(p) vld1q_dup_f32(p)
#define dt_fma(a, b, c) vfmaq_f32(c, a, b)
#define dt_add(a, b)    vaddq_f32(a, b)
#define dt_mul(a, b)    vmulq_f32(a, b)
#define dt_zero()       vdupq_n_f32(0)
#elif defined(DT_NEON)
#include <arm_neon.h>
typedef float64x2_t dt_vector;
enum { DT_WIDTH = 2 };
#define dt_load(p)      vld1q_f64(p)
#define dt_store(p, v)  vst1q_f64(p, v)
#define dt_broadcast(p) vld1q_dup_f64(p)
#define dt_fma(a, b, c) vfmaq_f64(c, a, b)
#define dt_add(a, b)    vaddq_f64(a, b)
#define dt_mul(a, b)    vmulq_f64(a, b)
#define dt_zero()       vdupq_n_f64(0)
#else
typedef dt_real dt_vector;
enum { DT_WIDTH = 1 };
#define dt_load(p)      (*(p))
#define dt_store(p, v)  (void)(*(p) = (v))
#define dt_broadcast(p) (*(p))
#define dt_fma(a, b, c) DT_FMA(a, b, c)
#define dt_add(a, b)    ((a) + (b))
#define dt_mul(a, b)    ((a) * (b))
#define dt_zero()       ((dt_real)0)
#endif

/* Tile of a product: rows x panels accumulators that fit the registers beside the operands. */
enum { DT_VECTORS_A_PANEL = DT_LANES / DT_WIDTH };
/* X(rows, panels) for every tile there is a function for; and for tiles of half as many rows, two at once. */
#define DT_TILE_ROWS_2(X, w) X(1, w) X(2, w)
#define DT_TILE_ROWS_3(X, w) DT_TILE_ROWS_2(X, w) X(3, w)
#define DT_TILE_ROWS_4(X, w) DT_TILE_ROWS_3(X, w) X(4, w)
#define DT_TILE_ROWS_6(X, w) DT_TILE_ROWS_4(X, w) X(5, w) X(6, w)
#define DT_TILE_ROWS_8(X, w) DT_TILE_ROWS_6(X, w) X(7, w) X(8, w)
#if defined(__AVX512F__)
enum { DT_TILE_ROWS = 8, DT_TILE_PANELS = 3 };
#define DT_TILES(X)      DT_TILE_ROWS_8(X, 1) DT_TILE_ROWS_8(X, 2) DT_TILE_ROWS_8(X, 3)
#define DT_PAIR_TILES(X) DT_TILE_ROWS_4(X, 1) DT_TILE_ROWS_4(X, 2) DT_TILE_ROWS_4(X, 3)
#elif defined(__AVX2__) || defined(DT_NEON)
enum { DT_TILE_ROWS = 6, DT_TILE_PANELS = 1 };
#define DT_TILES(X)      DT_TILE_ROWS_6(X, 1)
#define DT_PAIR_TILES(X) DT_TILE_ROWS_3(X, 1)
#else
enum { DT_TILE_ROWS = 4, DT_TILE_PANELS = 1 };
#define DT_TILES(X)      DT_TILE_ROWS_4(X, 1)
#define DT_PAIR_TILES(X) DT_TILE_ROWS_2(X, 1)
#endif

#endif
