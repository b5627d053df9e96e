#include "kernels/summary.h"

#include <string.h>

#include "kernels/vector.h"

/* --- vectors of doubles beside those of the numbers: DT_WIDES of them hold one vector's numbers --- */

#if defined(__AVX512F__) && DT_PRECISION == 32
typedef __m512d wide;
enum { WIDES = 2, WIDE = 8 };
#define wide_zero()      _mm512_setzero_pd()
#define wide_add(a, b)   _mm512_add_pd(a, b)
#define wide_sub(a, b)   _mm512_sub_pd(a, b)
#define wide_mul(a, b)   _mm512_mul_pd(a, b)
#define wide_store(p, v) _mm512_storeu_pd(p, v)
#define vector_min(x, m) _mm512_min_ps(x, m)
#define vector_max(x, m) _mm512_max_ps(x, m)
#define vector_zeros(x)  __builtin_popcount(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_EQ_OQ))
DT_INLINE void widen(dt_vector x, wide w[2])
{
    w[0] = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
    w[1] = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
}
#elif defined(__AVX512F__)
typedef __m512d wide;
enum { WIDES = 1, WIDE = 8 };
#define wide_zero()      _mm512_setzero_pd()
#define wide_add(a, b)   _mm512_add_pd(a, b)
#define wide_sub(a, b)   _mm512_sub_pd(a, b)
#define wide_mul(a, b)   _mm512_mul_pd(a, b)
#define wide_store(p, v) _mm512_storeu_pd(p, v)
#define vector_min(x, m) _mm512_min_pd(x, m)
#define vector_max(x, m) _mm512_max_pd(x, m)
#define vector_zeros(x)  __builtin_popcount(_mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_EQ_OQ))
DT_INLINE void widen(dt_vector x, wide w[1])
{
    w[0] = x;
}
#elif defined(__AVX2__) && DT_PRECISION == 32
typedef __m256d wide;
enum { WIDES = 2, WIDE = 4 };
#define wide_zero()      _mm256_setzero_pd()
#define wide_add(a, b)   _mm256_add_pd(a, b)
#define wide_sub(a, b)   _mm256_sub_pd(a, b)
#define wide_mul(a, b)   _mm256_mul_pd(a, b)
#define wide_store(p, v) _mm256_storeu_pd(p, v)
#define vector_min(x, m) _mm256_min_ps(x, m)
#define vector_max(x, m) _mm256_max_ps(x, m)
#define vector_zeros(x)                                                                                                \
    __builtin_popcount((unsigned)_mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_EQ_OQ)))
DT_INLINE void widen(dt_vector x, wide w[2])
{
    w[0] = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
    w[1] = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
}
#elif defined(__AVX2__)
typedef __m256d wide;
enum { WIDES = 1, WIDE = 4 };
#define wide_zero()      _mm256_setzero_pd()
#define wide_add(a, b)   _mm256_add_pd(a, b)
#define wide_sub(a, b)   _mm256_sub_pd(a, b)
#define wide_mul(a, b)   _mm256_mul_pd(a, b)
#define wide_store(p, v) _mm256_storeu_pd(p, v)
#define vector_min(x, m) _mm256_min_pd(x, m)
#define vector_max(x, m) _mm256_max_pd(x, m)
#define vector_zeros(x)                                                                                                \
    __builtin_popcount((unsigned)_mm256_movemask_pd(_mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_EQ_OQ)))
DT_INLINE void widen(dt_vector x, wide w[1])
{
    w[0] = x;
}
#elif defined(DT_NEON) && DT_PRECISION == 32
typedef float64x2_t wide;
enum { WIDES = 2, WIDE = 2 };
#define wide_zero()      vdupq_n_f64(0)
#define wide_add(a, b)   vaddq_f64(a, b)
#define wide_sub(a, b)   vsubq_f64(a, b)
#define wide_mul(a, b)   vmulq_f64(a, b)
#define wide_store(p, v) vst1q_f64(p, v)
#define vector_min(x, m) vbslq_f32(vcltq_f32(x, m), x, m)
#define vector_max(x, m) vbslq_f32(vcgtq_f32(x, m), x, m)
#define vector_zeros(x)  vaddvq_u32(vshrq_n_u32(vceqzq_f32(x), 31))
DT_INLINE void widen(dt_vector x, wide w[2])
{
    w[0] = vcvt_f64_f32(vget_low_f32(x));
    w[1] = vcvt_high_f64_f32(x);
}
#elif defined(DT_NEON)
typedef float64x2_t wide;
enum { WIDES = 1, WIDE = 2 };
#define wide_zero()      vdupq_n_f64(0)
#define wide_add(a, b)   vaddq_f64(a, b)
#define wide_sub(a, b)   vsubq_f64(a, b)
#define wide_mul(a, b)   vmulq_f64(a, b)
#define wide_store(p, v) vst1q_f64(p, v)
#define vector_min(x, m) vbslq_f64(vcltq_f64(x, m), x, m)
#define vector_max(x, m) vbslq_f64(vcgtq_f64(x, m), x, m)
#define vector_zeros(x)  (int64_t) vaddvq_u64(vshrq_n_u64(vceqzq_f64(x), 63))
DT_INLINE void widen(dt_vector x, wide w[1])
{
    w[0] = x;
}
#else
typedef double wide;
enum { WIDES = 1, WIDE = 1 };
#define wide_zero()      0.0
#define wide_add(a, b)   ((a) + (b))
#define wide_sub(a, b)   ((a) - (b))
#define wide_mul(a, b)   ((a) * (b))
#define wide_store(p, v) (void)(*(p) = (v))
#define vector_min(x, m) ((x) < (m) ? (x) : (m))
#define vector_max(x, m) ((x) > (m) ? (x) : (m))
#define vector_zeros(x)  ((x) == 0)
DT_INLINE void widen(dt_vector x, wide w[1])
{
    w[0] = (double)x;
}
#endif

/* --- moments --- */

/* What lanes hold. */
typedef struct lanes {
    double sum[DT_LANES], square[DT_LANES];
    dt_real min[DT_LANES], max[DT_LANES];
} lanes;

/* All lanes of `rows` rows; returns how many of their numbers are zero. */
static int64_t whole_lanes(int64_t rows, const dt_real *x, int64_t stride, lanes *l)
{
    const dt_real most = (dt_real)INFINITY, least = -most;
    wide sum[DT_VECTORS_A_PANEL][WIDES], square[DT_VECTORS_A_PANEL][WIDES];
    dt_vector min[DT_VECTORS_A_PANEL], max[DT_VECTORS_A_PANEL];
    int64_t zeros = 0;
    DT_REPEAT (v, DT_VECTORS_A_PANEL) {
        min[v] = dt_broadcast(&most);
        max[v] = dt_broadcast(&least);
        DT_REPEAT (h, WIDES)
            sum[v][h] = square[v][h] = wide_zero();
    }
    for (int64_t r = 0; r < rows; r++)
        DT_REPEAT (v, DT_VECTORS_A_PANEL) {
            const dt_vector number = dt_load(x + r * stride + v * DT_WIDTH);
            wide w[WIDES];
            widen(number, w);
            min[v] = vector_min(number, min[v]);
            max[v] = vector_max(number, max[v]);
            zeros += vector_zeros(number);
            DT_REPEAT (h, WIDES) {
                sum[v][h] = wide_add(sum[v][h], w[h]);
                square[v][h] = wide_add(square[v][h], wide_mul(w[h], w[h]));
            }
        }
    DT_REPEAT (v, DT_VECTORS_A_PANEL) {
        dt_store(l->min + v * DT_WIDTH, min[v]);
        dt_store(l->max + v * DT_WIDTH, max[v]);
        DT_REPEAT (h, WIDES) {
            wide_store(l->sum + v * DT_WIDTH + h * WIDE, sum[v][h]);
            wide_store(l->square + v * DT_WIDTH + h * WIDE, square[v][h]);
        }
    }
    return zeros;
}

/* One vector of them, from the first lane that `x` points to. */
static int64_t vector_lanes(int64_t rows, const dt_real *x, int64_t stride, int64_t lane, lanes *l)
{
    const dt_real most = (dt_real)INFINITY, least = -most;
    dt_vector min = dt_broadcast(&most), max = dt_broadcast(&least);
    wide sum[WIDES], square[WIDES];
    int64_t zeros = 0;
    DT_REPEAT (h, WIDES)
        sum[h] = square[h] = wide_zero();
    for (int64_t r = 0; r < rows; r++) {
        const dt_vector number = dt_load(x + r * stride + lane);
        wide w[WIDES];
        widen(number, w);
        min = vector_min(number, min);
        max = vector_max(number, max);
        zeros += vector_zeros(number);
        DT_REPEAT (h, WIDES) {
            sum[h] = wide_add(sum[h], w[h]);
            square[h] = wide_add(square[h], wide_mul(w[h], w[h]));
        }
    }
    dt_store(l->min + lane, min);
    dt_store(l->max + lane, max);
    DT_REPEAT (h, WIDES) {
        wide_store(l->sum + lane + h * WIDE, sum[h]);
        wide_store(l->square + lane + h * WIDE, square[h]);
    }
    return zeros;
}

/* The first n lanes; the others hold what no number changes. */
static int64_t some_lanes(int64_t rows, int64_t n, const dt_real *x, int64_t stride, lanes *l)
{
    int64_t zeros = 0, whole = 0;
    for (; whole + DT_WIDTH <= n; whole += DT_WIDTH)
        zeros += vector_lanes(rows, x, stride, whole, l);
    for (int64_t c = whole; c < DT_LANES; c++) {
        l->sum[c] = l->square[c] = 0;
        l->min[c] = (dt_real)INFINITY;
        l->max[c] = -(dt_real)INFINITY;
        for (int64_t r = 0; r < rows && c < n; r++) {
            const dt_real number = x[r * stride + c];
            l->sum[c] += (double)number;
            l->square[c] += (double)number * (double)number;
            l->min[c] = number < l->min[c] ? number : l->min[c];
            l->max[c] = number > l->max[c] ? number : l->max[c];
            zeros += number == 0;
        }
    }
    return zeros;
}

/* Lane c with lane c + half, until one is left. */
DT_INLINE double join_lanes(double *lane)
{
    for (int half = DT_LANES / 2; half > 0; half /= 2)
        for (int c = 0; c < half; c++)
            lane[c] += lane[c + half];
    return lane[0];
}

DT_INLINE void join_ends(lanes *l)
{
    for (int half = DT_LANES / 2; half > 0; half /= 2)
        for (int c = 0; c < half; c++) {
            l->min[c] = l->min[c + half] < l->min[c] ? l->min[c + half] : l->min[c];
            l->max[c] = l->max[c + half] > l->max[c] ? l->max[c + half] : l->max[c];
        }
}

/* Unit c's numbers, with its own zeros. */
static void join_units(int64_t rows, int64_t n, const dt_real *x, int64_t stride, const lanes *l, dt_moments *unit)
{
    for (int64_t c = 0; c < n; c++) {
        int64_t zeros = 0;
        for (int64_t r = 0; r < rows; r++)
            zeros += x[r * stride + c] == 0;
        dt_moments_join(
            &unit[c], &(dt_moments){l->sum[c], l->square[c], (double)l->min[c] + 0.0, (double)l->max[c] + 0.0, zeros});
    }
}

static void moments(int64_t rows, int64_t n, const void *numbers, int64_t stride, dt_moments *all, dt_moments *unit)
{
    const dt_real *x = numbers;
    lanes l;
    const int64_t zeros = n == DT_LANES ? whole_lanes(rows, x, stride, &l) : some_lanes(rows, n, x, stride, &l);
    if (unit)
        join_units(rows, n, x, stride, &l, unit);
    if (!all)
        return;
    join_ends(&l); /* + 0.0: which of 0 and -0 is left depends on nothing */
    dt_moments_join(all, &(dt_moments){join_lanes(l.sum), join_lanes(l.square), (double)l.min[0] + 0.0,
                                       (double)l.max[0] + 0.0, zeros});
}

/* --- histograms --- */

static void keys(int64_t n, const void *numbers, const dt_histogram_spec *bins, uint8_t *restrict key)
{
    const dt_real *restrict x = numbers;
    const dt_real low = (dt_real)bins->low, count = (dt_real)bins->bins;
    const dt_real per = (dt_real)((double)bins->bins / (bins->high - bins->low));
    for (int64_t i = 0; i < n; i++) {
        const dt_real at = (x[i] - low) * per, from = at < 0 ? (dt_real)-1 : at, to = from < count ? from : count;
        key[i] = (uint8_t)((dt_integer)to + 1);
    }
}

static void log_keys(int64_t n, const void *numbers, const dt_histogram_spec *bins, uint8_t *restrict key)
{
    enum { FRACTION = DT_PRECISION == 64 ? 52 : 23, BIAS = DT_PRECISION == 64 ? 1023 : 127 };
    const dt_bits *restrict x = numbers;
    const dt_integer first = (dt_integer)(BIAS + bins->log_low - 2),
                     above = (dt_integer)(bins->log_high - bins->log_low + 2);
    for (int64_t i = 0; i < n; i++) {
        const dt_bits magnitude = x[i] << 1; /* without the sign */
        const dt_integer at = (dt_integer)(magnitude >> (FRACTION + 1)) - first;
        const dt_integer from = at < 1 ? 1 : at, to = from < above ? from : above;
        key[i] = (uint8_t)(magnitude ? to : 0);
    }
}

/* One after the other. */
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
enum { BYTES = 64, FEW = 40 };
#define bytes_load(p)         _mm512_loadu_si512(p)
#define bytes_min(a, b)       _mm512_min_epu8(a, b)
#define bytes_max(a, b)       _mm512_max_epu8(a, b)
#define bytes_set(k)          _mm512_set1_epi8((char)(k))
#define bytes_invert(v)       _mm512_xor_si512(v, _mm512_set1_epi8((char)255))
#define bytes_compare(a, b)   _mm512_cmpeq_epi8_mask(a, b)
#define bytes_bits(m)         ((uint64_t)(m))
#define bytes_unless(m, a, b) _mm512_mask_mov_epi8(a, m, b)
typedef __m512i bytes;
typedef __mmask64 bytes_mask;
#else
enum { BYTES = 32, FEW = 20 };
#define bytes_load(p)         _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define bytes_min(a, b)       _mm256_min_epu8(a, b)
#define bytes_max(a, b)       _mm256_max_epu8(a, b)
#define bytes_set(k)          _mm256_set1_epi8((char)(k))
#define bytes_invert(v)       _mm256_xor_si256(v, _mm256_set1_epi8((char)255))
#define bytes_compare(a, b)   _mm256_cmpeq_epi8(a, b)
#define bytes_bits(m)         ((uint64_t)(uint32_t)_mm256_movemask_epi8(m))
#define bytes_unless(m, a, b) _mm256_blendv_epi8(a, b, m)
typedef __m256i bytes, bytes_mask;
#endif

#define bytes_count(m) __builtin_popcountll(bytes_bits(m))

/* The least of 16 bytes. */
DT_INLINE int least(__m128i v)
{
    const __m128i pairs = _mm_min_epu8(v, _mm_srli_epi16(v, 8)); /* in the low byte of each two */
    return _mm_cvtsi128_si32(_mm_minpos_epu16(pairs)) & 0xff;
}

/* The least and the largest of the bytes, by halves. */
DT_INLINE int least_of(bytes v)
{
#if defined(__AVX512F__)
    const __m256i half = _mm256_min_epu8(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
#else
    const __m256i half = v;
#endif
    return least(_mm_min_epu8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}

/* n keys, a multiple of BYTES. */
DT_INLINE void tally_whole(const int64_t n, const uint8_t *key, int usual, uint32_t *to)
{
    const bytes common = bytes_set(usual), none = bytes_set(0);
    bytes min = bytes_set(255), max = none;
    int64_t left = n;
    for (int64_t i = 0; i < n; i += BYTES) {
        const bytes some = bytes_load(key + i);
        const bytes_mask equal = bytes_compare(some, common);
        left -= bytes_count(equal);
        min = bytes_min(min, bytes_unless(equal, some, bytes_invert(none)));
        max = bytes_max(max, bytes_unless(equal, some, none));
    }
    const int first = least_of(min), last = 255 - least_of(bytes_invert(max));
    if (left > 0 && last - first >= FEW) {
        tally_each(n, key, to);
        return;
    }
    to[usual] += (uint32_t)(n - left);
    for (int k = first; k < last && left > 0; k++) {
        const bytes wanted = bytes_set(k);
        int64_t count = 0;
        for (int64_t i = 0; i < n; i += BYTES)
            count += bytes_count(bytes_compare(bytes_load(key + i), wanted));
        count = k == usual ? 0 : count;
        to[k] += (uint32_t)count;
        left -= count;
    }
    to[last] += (uint32_t)left; /* the last of them have what is left */
}

static void tally(int64_t n, const uint8_t *key, int usual, uint32_t *to)
{
    const int64_t whole = n / BYTES * BYTES;
    if (n == DT_KEYS_AT_ONCE)
        tally_whole(DT_KEYS_AT_ONCE, key, usual, to);
    else if (whole)
        tally_whole(whole, key, usual, to);
    tally_each(n - whole, key + whole, to);
}
#else
static void tally(int64_t n, const uint8_t *key, int usual, uint32_t *to)
{
    (void)usual;
    tally_each(n, key, to);
}
#endif

/* --- products --- */

enum { PRODUCT, DISTANCE, PRODUCT_KEPT };

DT_INLINE double sum_of(const int what, int64_t n, const dt_real *x, const dt_real *y, dt_real *keep)
{
    double lane[DT_LANES];
    wide sum[DT_VECTORS_A_PANEL][WIDES];
    int64_t i = 0;
    DT_REPEAT (v, DT_VECTORS_A_PANEL)
        DT_REPEAT (h, WIDES)
            sum[v][h] = wide_zero();
    for (; i + DT_LANES <= n; i += DT_LANES)
        DT_REPEAT (v, DT_VECTORS_A_PANEL) {
            wide a[WIDES], b[WIDES];
            const dt_vector number = dt_load(x + i + v * DT_WIDTH);
            widen(number, a);
            widen(dt_load(y + i + v * DT_WIDTH), b);
            if (what == PRODUCT_KEPT)
                dt_store(keep + i + v * DT_WIDTH, number);
            DT_REPEAT (h, WIDES) {
                const wide d = wide_sub(a[h], b[h]);
                sum[v][h] = wide_add(sum[v][h], what == DISTANCE ? wide_mul(d, d) : wide_mul(a[h], b[h]));
            }
        }
    DT_REPEAT (v, DT_VECTORS_A_PANEL)
        DT_REPEAT (h, WIDES)
            wide_store(lane + v * DT_WIDTH + h * WIDE, sum[v][h]);
    for (int c = 0; i < n; i++, c++) {
        const double a = (double)x[i], b = (double)y[i];
        lane[c] += what == DISTANCE ? (a - b) * (a - b) : a * b;
        if (what == PRODUCT_KEPT)
            keep[i] = x[i];
    }
    return join_lanes(lane);
}

static double dot(int64_t n, const void *x, const void *y)
{
    return sum_of(PRODUCT, n, x, y, NULL);
}

static double distance(int64_t n, const void *x, const void *y)
{
    return sum_of(DISTANCE, n, x, y, NULL);
}

static double dot_keep(int64_t n, const void *x, void *y)
{
    return sum_of(PRODUCT_KEPT, n, x, y, y);
}

extern const dt_summaries DT_VARIANT(dt_summaries);
const dt_summaries DT_VARIANT(dt_summaries) = {
    .lanes = DT_LANES,
    .moments = moments,
    .keys = keys,
    .log_keys = log_keys,
    .tally = tally,
    .dot = dot,
    .distance = distance,
    .dot_keep = dot_keep,
};
