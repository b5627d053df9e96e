#include "kernels/summary.h"

#include "kernels/doubles.h"
#include "kernels/tally.h"

/* --- moments --- */

/* What lanes hold. */
typedef struct lanes {
    double sum[DT_LANES], square[DT_LANES];
    dt_real min[DT_LANES], max[DT_LANES];
    dt_integer zeros[DT_LANES];
} lanes;

/* What a vector's lanes hold. */
typedef struct vector_sums {
    dt_wide sum[DT_WIDES], square[DT_WIDES];
    dt_vector min, max;
    dt_counts zeros;
} vector_sums;

DT_INLINE void begin_sums(vector_sums *s)
{
    const dt_real most = (dt_real)INFINITY, least = -most;
    DT_REPEAT (h, DT_WIDES)
        s->sum[h] = s->square[h] = dt_wide_zero();
    s->min = dt_broadcast(&most);
    s->max = dt_broadcast(&least);
    s->zeros = dt_counts_zero();
}

DT_INLINE void add_vector(vector_sums *s, dt_vector number)
{
    dt_wide w[DT_WIDES];
    dt_widen(number, w);
    s->min = dt_vector_min(number, s->min);
    s->max = dt_vector_max(number, s->max);
    s->zeros = dt_count_zeros(s->zeros, number);
    DT_REPEAT (h, DT_WIDES) {
        s->sum[h] = dt_wide_add(s->sum[h], w[h]);
        s->square[h] = dt_wide_square(s->square[h], w[h]);
    }
}

/* To the lanes from `lane` on. */
DT_INLINE void store_sums(const vector_sums *s, int64_t lane, lanes *l)
{
    dt_store(l->min + lane, s->min);
    dt_store(l->max + lane, s->max);
    dt_counts_store(l->zeros + lane, s->zeros);
    DT_REPEAT (h, DT_WIDES) {
        dt_wide_store(l->sum + lane + h * DT_WIDE, s->sum[h]);
        dt_wide_store(l->square + lane + h * DT_WIDE, s->square[h]);
    }
}

/* All lanes of `rows` rows. */
DT_INLINE void whole_lanes(int64_t rows, const dt_real *x, int64_t stride, lanes *l)
{
    vector_sums s[DT_VECTORS_A_PANEL];
    DT_REPEAT (v, DT_VECTORS_A_PANEL)
        begin_sums(&s[v]);
    for (int64_t r = 0; r < rows; r++)
        DT_REPEAT (v, DT_VECTORS_A_PANEL)
            add_vector(&s[v], dt_load(x + r * stride + v * DT_WIDTH));
    DT_REPEAT (v, DT_VECTORS_A_PANEL)
        store_sums(&s[v], v * DT_WIDTH, l);
}

/* The first n lanes; the others hold what no number changes. */
static void some_lanes(int64_t rows, int64_t n, const dt_real *x, int64_t stride, lanes *l)
{
    int64_t whole = 0;
    for (; whole + DT_WIDTH <= n; whole += DT_WIDTH) {
        vector_sums s;
        begin_sums(&s);
        for (int64_t r = 0; r < rows; r++)
            add_vector(&s, dt_load(x + r * stride + whole));
        store_sums(&s, whole, l);
    }
    for (int64_t c = whole; c < DT_LANES; c++) {
        l->sum[c] = l->square[c] = 0;
        l->min[c] = (dt_real)INFINITY;
        l->max[c] = -(dt_real)INFINITY;
        l->zeros[c] = 0;
        for (int64_t r = 0; r < rows && c < n; r++) {
            const dt_real number = x[r * stride + c];
            l->sum[c] += (double)number;
            l->square[c] += (double)number * (double)number;
            l->min[c] = number < l->min[c] ? number : l->min[c];
            l->max[c] = number > l->max[c] ? number : l->max[c];
            l->zeros[c] += number == 0;
        }
    }
}

DT_INLINE double join_lanes(const double lane[DT_LANES])
{
    dt_wide w[DT_LANES / DT_WIDE];
    DT_REPEAT (i, DT_LANES / DT_WIDE)
        w[i] = dt_wide_load(lane + i * DT_WIDE);
    return dt_wide_join(w);
}

/* Of all lanes: the order changes nothing. */
DT_INLINE void join_ends(const lanes *l, dt_real *min, dt_real *max, int64_t *zeros)
{
#if defined(__AVX512F__)
    *min = dt_vector_least(dt_load(l->min));
    *max = dt_vector_largest(dt_load(l->max));
    *zeros = dt_counts_total(_mm512_loadu_si512(l->zeros));
#else
    *min = l->min[0];
    *max = l->max[0];
    *zeros = l->zeros[0];
    for (int c = 1; c < DT_LANES; c++) {
        *min = l->min[c] < *min ? l->min[c] : *min;
        *max = l->max[c] > *max ? l->max[c] : *max;
        *zeros += l->zeros[c];
    }
#endif
}

static void moments(int64_t rows, int64_t n, const void *numbers, int64_t stride, dt_moments *all, dt_moments *unit)
{
    const dt_real *x = numbers;
    lanes l;
    if (n == DT_LANES)
        whole_lanes(rows, x, stride, &l);
    else
        some_lanes(rows, n, x, stride, &l);
    for (int64_t c = 0; unit && c < n; c++) /* + 0.0: which of 0 and -0 is left depends on nothing */
        dt_moments_join(
            &unit[c], &(dt_moments){l.sum[c], l.square[c], (double)l.min[c] + 0.0, (double)l.max[c] + 0.0, l.zeros[c]});
    if (!all)
        return;
    dt_real min, max;
    int64_t zeros;
    join_ends(&l, &min, &max, &zeros);
    dt_moments_join(
        all, &(dt_moments){join_lanes(l.sum), join_lanes(l.square), (double)min + 0.0, (double)max + 0.0, zeros});
}

/* --- histograms --- */

/* What the keys of one number are made with. */
typedef struct linear_bins {
    dt_real low, count, per;
} linear_bins;

typedef struct log_bins {
    dt_integer first, above; /* the exponent, biased, that has key 0; the last key */
} log_bins;

enum { FRACTION = DT_PRECISION == 64 ? 52 : 23, BIAS = DT_PRECISION == 64 ? 1023 : 127 };

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
/* The low halves of two vectors' integers, and then the low bytes, with saturation; their quarters of a register lie
 * side by side: in_order puts them back. */
#define pack_integers(a, b) _mm512_packs_epi32(a, b)
#define pack_halves(a, b)   _mm512_packus_epi16(a, b)
DT_INLINE __m512i in_order(__m512i packed)
{
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), packed);
}

enum { KEYS = 64 }; /* of four vectors at once; returns how many were made */

DT_INLINE int64_t most_keys(int64_t n, const float *x, const linear_bins *bins, uint8_t *key)
{
    const __m512 low = _mm512_set1_ps(bins->low), per = _mm512_set1_ps(bins->per), count = _mm512_set1_ps(bins->count);
    int64_t i = 0;
    for (; i + KEYS <= n; i += KEYS) {
        __m512i at[4];
        DT_REPEAT (v, 4) { /* rounded down; what is far below becomes the least integer, NaN the last bin */
            const __m512 real = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + i + v * 16), low), per);
            at[v] = _mm512_cvt_roundps_epi32(_mm512_min_ps(real, count), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
        }
        const __m512i one = _mm512_set1_epi16(1);
        _mm512_storeu_si512(key + i, in_order(pack_halves(_mm512_adds_epi16(pack_integers(at[0], at[1]), one),
                                                          _mm512_adds_epi16(pack_integers(at[2], at[3]), one))));
    }
    return i;
}

DT_INLINE int64_t most_log_keys(int64_t n, const uint32_t *x, const log_bins *bins, uint8_t *key)
{
    const __m512i first = _mm512_set1_epi8((char)bins->first), above = _mm512_set1_epi8((char)bins->above);
    int64_t i = 0;
    for (; i + KEYS <= n; i += KEYS) {
        __m512i exponent[4];
        DT_REPEAT (v, 4) { /* at least 1, but of zeros */
            const __m512i magnitude = _mm512_slli_epi32(_mm512_loadu_si512(x + i + v * 16), 1);
            exponent[v] =
                _mm512_max_epu32(_mm512_srli_epi32(magnitude, 24), _mm512_min_epu32(magnitude, _mm512_set1_epi32(1)));
        }
        const __m512i all =
            pack_halves(pack_integers(exponent[0], exponent[1]), pack_integers(exponent[2], exponent[3]));
        const __m512i at = _mm512_max_epu8(_mm512_subs_epu8(all, first), _mm512_set1_epi8(1));
        _mm512_storeu_si512(
            key + i, in_order(_mm512_maskz_mov_epi8(_mm512_test_epi8_mask(all, all), _mm512_min_epu8(at, above))));
    }
    return i;
}
#else
#define most_keys(n, x, bins, key)     0
#define most_log_keys(n, x, bins, key) 0
#endif

static void keys(int64_t n, const void *numbers, const dt_histogram_spec *spec, uint8_t *restrict key)
{
    const dt_real *restrict x = numbers;
    const linear_bins bins = {.low = (dt_real)spec->low,
                              .count = (dt_real)spec->bins,
                              .per = (dt_real)((double)spec->bins / (spec->high - spec->low))};
    for (int64_t i = most_keys(n, x, &bins, key); i < n; i++)
        key[i] = linear_key(x[i], &bins);
}

static void log_keys(int64_t n, const void *numbers, const dt_histogram_spec *spec, uint8_t *restrict key)
{
    const dt_bits *restrict x = numbers;
    const log_bins bins = {.first = (dt_integer)(BIAS + spec->log_low - 2),
                           .above = (dt_integer)(spec->log_high - spec->log_low + 2)};
    for (int64_t i = most_log_keys(n, x, &bins, key); i < n; i++)
        key[i] = log_key(x[i], &bins);
}

/* --- products --- */

enum { PRODUCT, DISTANCE, PRODUCT_KEPT };

DT_INLINE double sum_of(const int what, int64_t n, const dt_real *x, const dt_real *y, dt_real *keep)
{
    dt_wide sum[DT_LANES / DT_WIDE];
    int64_t i = 0;
    DT_REPEAT (w, DT_LANES / DT_WIDE)
        sum[w] = dt_wide_zero();
    for (; i + DT_LANES <= n; i += DT_LANES)
        DT_REPEAT (v, DT_VECTORS_A_PANEL) {
            dt_wide a[DT_WIDES], b[DT_WIDES];
            const dt_vector number = dt_load(x + i + v * DT_WIDTH);
            dt_widen(number, a);
            dt_widen(dt_load(y + i + v * DT_WIDTH), b);
            if (what == PRODUCT_KEPT)
                dt_store(keep + i + v * DT_WIDTH, number);
            DT_REPEAT (h, DT_WIDES) {
                dt_wide *to = &sum[v * DT_WIDES + h];
                const dt_wide d = dt_wide_sub(a[h], b[h]);
                *to = what == DISTANCE ? dt_wide_add(*to, dt_wide_mul(d, d)) : dt_wide_product(*to, a[h], b[h]);
            }
        }
    if (i == n)
        return dt_wide_join(sum);
    double lane[DT_LANES];
    DT_REPEAT (w, DT_LANES / DT_WIDE)
        dt_wide_store(lane + w * DT_WIDE, sum[w]);
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
