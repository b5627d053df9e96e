#include "kernels/summary.h"

#include <stdbool.h>

#include "kernels/doubles.h"
#include "kernels/keys.h"
#include "kernels/tally.h"

/* --- moments --- */

/* Row r of a panel's rows goes to chain r % CHAINS of its lanes, so that additions needn't wait for each other. */
enum { CHAINS = 4 };

/* Chains of a vector's lanes. */
typedef struct chains {
    dt_vector sum[CHAINS], square[CHAINS], min[CHAINS], max[CHAINS];
} chains;

typedef struct lanes {
    dt_real sum[DT_LANES], square[DT_LANES], min[DT_LANES], max[DT_LANES];
    dt_integer zeros[DT_LANES];
} lanes;

/* `rows` <= DT_CHAIN rows of n <= DT_LANES numbers. */
typedef struct part {
    int64_t rows, n, stride;
    const dt_real *x;
} part;

DT_INLINE void begin_chains(chains *s)
{
    const dt_real most = (dt_real)INFINITY, least = -most;
    DT_REPEAT (i, CHAINS) {
        s->sum[i] = s->square[i] = dt_zero();
        s->min[i] = dt_broadcast(&most);
        s->max[i] = dt_broadcast(&least);
    }
}

DT_INLINE void add_vector(chains *s, int i, dt_vector x)
{
    s->sum[i] = dt_add(s->sum[i], x);
    s->square[i] = dt_fma(x, x, s->square[i]);
    s->min[i] = dt_vector_min(x, s->min[i]);
    s->max[i] = dt_vector_max(x, s->max[i]);
}

/* (0 + 2) + (1 + 3), in place. */
DT_INLINE dt_vector add_chains(const dt_vector sum[CHAINS])
{
    return dt_add(dt_add(sum[0], sum[2]), dt_add(sum[1], sum[3]));
}

/* The chains of each vector as one, the first. */
DT_INLINE void join_chains(chains *s)
{
    s->sum[0] = add_chains(s->sum);
    s->square[0] = add_chains(s->square);
    s->min[0] = dt_vector_min(dt_vector_min(s->min[0], s->min[2]), dt_vector_min(s->min[1], s->min[3]));
    s->max[0] = dt_vector_max(dt_vector_max(s->max[0], s->max[2]), dt_vector_max(s->max[1], s->max[3]));
}

/* The lanes of one vector of the rows. */
DT_INLINE void vector_lanes(const part *p, int64_t lane, lanes *l)
{
    chains s;
    dt_counts zeros = dt_counts_zero();
    int64_t r = 0;
    begin_chains(&s);
    for (; r + CHAINS <= p->rows; r += CHAINS)
        DT_REPEAT (i, CHAINS) {
            const dt_vector x = dt_load(p->x + (r + i) * p->stride + lane);
            add_vector(&s, i, x);
            zeros = dt_count_zeros(zeros, x);
        }
    DT_REPEAT (i, CHAINS - 1)
        if (r + i < p->rows) {
            const dt_vector x = dt_load(p->x + (r + i) * p->stride + lane);
            add_vector(&s, i, x);
            zeros = dt_count_zeros(zeros, x);
        }
    join_chains(&s);
    dt_store(l->sum + lane, s.sum[0]);
    dt_store(l->square + lane, s.square[0]);
    dt_store(l->min + lane, s.min[0]);
    dt_store(l->max + lane, s.max[0]);
    dt_counts_store(l->zeros + lane, zeros);
}

/* One lane alone; of those behind the last what no number changes. */
static void one_lane(const part *p, int64_t c, lanes *l)
{
    dt_real sum[CHAINS] = {0}, square[CHAINS] = {0};
    l->min[c] = (dt_real)INFINITY;
    l->max[c] = -(dt_real)INFINITY;
    l->zeros[c] = 0;
    for (int64_t r = 0; r < p->rows && c < p->n; r++) {
        const dt_real x = p->x[r * p->stride + c];
        sum[r % CHAINS] += x;
        square[r % CHAINS] = DT_FMA(x, x, square[r % CHAINS]);
        l->min[c] = x < l->min[c] ? x : l->min[c];
        l->max[c] = x > l->max[c] ? x : l->max[c];
        l->zeros[c] += x == 0;
    }
    l->sum[c] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    l->square[c] = (square[0] + square[2]) + (square[1] + square[3]);
}

static void all_lanes(const part *p, lanes *l)
{
    int64_t c = 0;
    for (; c + DT_WIDTH <= p->n; c += DT_WIDTH)
        vector_lanes(p, c, l);
    for (; c < DT_LANES; c++)
        one_lane(p, c, l);
}

/* May squares of numbers of which the largest is of this size be summed in their own precision? */
DT_INLINE bool fits(dt_real most)
{
    return DT_PRECISION == 64 || most == 0 || (most >= (dt_real)0x1p-50 && most <= (dt_real)0x1p56);
}

DT_INLINE dt_real larger(dt_real a, dt_real b)
{
    return a > b ? a : b;
}

/* Sums of lanes first .. last-1 in double. */
static void exact_lanes(const part *p, int64_t first, int64_t last, double sum[DT_LANES], double square[DT_LANES])
{
    for (int64_t c = 0; c < DT_LANES; c++)
        sum[c] = square[c] = 0;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = first; c < last; c++) {
            const double x = (double)p->x[r * p->stride + c];
            sum[c] += x;
            square[c] += x * x;
        }
}

DT_INLINE double join_doubles(const double lane[DT_LANES])
{
    dt_wide w[DT_LANES / DT_WIDE];
    DT_REPEAT (i, DT_LANES / DT_WIDE)
        w[i] = dt_wide_load(lane + i * DT_WIDE);
    return dt_wide_join(w);
}

/* Chains, widened. */
DT_INLINE double join_vectors(const dt_vector vector[DT_VECTORS_A_PANEL])
{
    dt_wide w[DT_LANES / DT_WIDE];
    DT_REPEAT (v, DT_VECTORS_A_PANEL)
        dt_widen(vector[v], w + v * DT_WIDES);
    return dt_wide_join(w);
}

DT_INLINE double join_lanes(const dt_real lane[DT_LANES])
{
    dt_vector vector[DT_VECTORS_A_PANEL];
    DT_REPEAT (v, DT_VECTORS_A_PANEL)
        vector[v] = dt_load(lane + v * DT_WIDTH);
    return join_vectors(vector);
}

/* The same NaN everywhere. */
DT_INLINE double one_nan(double x)
{
    return x == x ? x : (double)NAN;
}

/* + 0.0: which of 0 and -0 is left depends on nothing. */
DT_INLINE void add_moments(dt_moments *to, double sum, double square, dt_real min, dt_real max, int64_t zeros)
{
    dt_moments_join(to, &(dt_moments){one_nan(sum), one_nan(square), (double)min + 0.0, (double)max + 0.0, zeros});
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

static void add_exactly(const part *p, dt_real min, dt_real max, int64_t zeros, dt_moments *all)
{
    double sum[DT_LANES], square[DT_LANES];
    exact_lanes(p, 0, p->n, sum, square);
    add_moments(all, join_doubles(sum), join_doubles(square), min, max, zeros);
}

static void add_all(const part *p, const lanes *l, dt_moments *all)
{
    dt_real min, max;
    int64_t zeros;
    join_ends(l, &min, &max, &zeros);
    if (fits(larger(-min, max)))
        add_moments(all, join_lanes(l->sum), join_lanes(l->square), min, max, zeros);
    else
        add_exactly(p, min, max, zeros, all);
}

static void add_units(const part *p, const lanes *l, dt_moments *unit)
{
    for (int64_t c = 0; c < p->n; c++) {
        double sum[DT_LANES], square[DT_LANES];
        if (fits(larger(-l->min[c], l->max[c]))) {
            add_moments(&unit[c], (double)l->sum[c], (double)l->square[c], l->min[c], l->max[c], l->zeros[c]);
            continue;
        }
        exact_lanes(p, c, c + 1, sum, square);
        add_moments(&unit[c], sum[c], square[c], l->min[c], l->max[c], l->zeros[c]);
    }
}

/* Rows that make one chain, from the first on. */
DT_INLINE part next_part(int64_t rows, int64_t n, const dt_real *x, int64_t stride)
{
    return (part){.rows = rows < DT_CHAIN ? rows : DT_CHAIN, .n = n, .stride = stride, .x = x};
}

static void moments(int64_t rows, int64_t n, const void *numbers, int64_t stride, dt_moments *all, dt_moments *unit)
{
    const dt_real *x = numbers;
    for (int64_t r = 0; r < rows; r += DT_CHAIN) {
        const part p = next_part(rows - r, n, x + r * stride, stride);
        lanes l;
        all_lanes(&p, &l);
        if (all)
            add_all(&p, &l, all);
        if (unit)
            add_units(&p, &l, unit);
    }
}

/* --- moments and keys in one pass --- */

static void keys_of_rows(const part *p, const dt_bins *bins, uint8_t *key)
{
    for (int64_t r = 0; key && r < p->rows; r++)
        keys(p->n, p->x + r * p->stride, bins, key + r * p->n);
}

static void log_keys_of_rows(const part *p, const dt_bins *bins, uint8_t *key)
{
    for (int64_t r = 0; key && r < p->rows; r++)
        log_keys(p->n, p->x + r * p->stride, bins, key + r * p->n);
}

#if defined(__AVX512F__) && DT_PRECISION == 32
/* Sums of two vectors' lanes, each as join_vectors; and the least and the largest of two's: side by side, at half the
 * operations. */
DT_INLINE void join_sums(__m512 sum, __m512 square, double joined[2])
{
    dt_wide a[2], b[2];
    dt_widen(sum, a);
    dt_widen(square, b);
    const __m512d x = _mm512_add_pd(a[0], a[1]), y = _mm512_add_pd(b[0], b[1]);
    const __m512d four = _mm512_add_pd(_mm512_shuffle_f64x2(x, y, 0x44), _mm512_shuffle_f64x2(x, y, 0xee));
    const __m512d two = _mm512_add_pd(four, _mm512_shuffle_f64x2(four, four, 0xb1));
    const __m512d one = _mm512_add_pd(two, _mm512_permute_pd(two, 0x55));
    joined[0] = _mm512_cvtsd_f64(one);
    joined[1] = _mm_cvtsd_f64(_mm512_extractf64x2_pd(one, 2));
}

DT_INLINE void join_min_max(__m512 min, __m512 max, float *least, float *most)
{
    const __m512 x = _mm512_xor_ps(min, _mm512_set1_ps(-0.0F));
    const __m512 eight = _mm512_max_ps(_mm512_shuffle_f32x4(x, max, 0x44), _mm512_shuffle_f32x4(x, max, 0xee));
    const __m512 four = _mm512_max_ps(eight, _mm512_shuffle_f32x4(eight, eight, 0xb1));
    const __m512 two = _mm512_max_ps(four, _mm512_permute_ps(four, 0x4e));
    const __m512 one = _mm512_max_ps(two, _mm512_permute_ps(two, 0xb1));
    *least = -_mm512_cvtss_f32(one);
    *most = _mm_cvtss_f32(_mm512_extractf32x4_ps(one, 2));
}

/* Which keys are wanted, and how they may be made. */
enum { LINEAR = 1, FUSED = 2, LOG = 4 };

/* Of 64 numbers at a time. */
DT_INLINE void survey_lanes(const int what, const part p, const dt_bins *spec, dt_moments *all, uint8_t *key,
                            uint8_t *log_key)
{
    const linear_bins bins = linear_of(spec);
    const log_bins powers = log_of(spec);
    const int64_t together = p.rows / CHAINS * CHAINS;
    const part rest = {.rows = p.rows - together, .n = DT_LANES, .stride = p.stride, .x = p.x + together * p.stride};
    int64_t zeros = 0, tiny = 0; /* numbers that are 0; that have no exponent */
    chains s;
    begin_chains(&s);
    for (int64_t r = 0; r < together; r += CHAINS) {
        __m512 x[CHAINS];
        DT_REPEAT (i, CHAINS)
            add_vector(&s, i, x[i] = _mm512_loadu_ps(p.x + (r + i) * p.stride));
        if (what & LINEAR)
            _mm512_storeu_si512(key + r * DT_LANES, four_keys(what & FUSED, x, &bins));
        const __m512i exponents = four_exponents(x);
        const __mmask64 none = _mm512_testn_epi8_mask(exponents, exponents);
        __m512i power = four_log_keys(exponents, &powers);
        if (none) {
            tiny += __builtin_popcountll(none);
            zeros += four_zeros(x);
            power = _mm512_maskz_mov_epi8(~none, power);
        }
        if (what & LOG)
            _mm512_storeu_si512(log_key + r * DT_LANES, power);
    }
    int64_t all_zeros = zeros;
    DT_REPEAT (i, CHAINS - 1)
        if (i < rest.rows) {
            const __m512 x = _mm512_loadu_ps(rest.x + i * rest.stride);
            add_vector(&s, i, x);
            all_zeros += __builtin_popcount(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_EQ_OQ));
        }
    float min, max;
    double sums[2];
    join_chains(&s);
    join_sums(s.sum[0], s.square[0], sums);
    join_min_max(s.min[0], s.max[0], &min, &max);
    const float most = larger(-min, max);
    const bool numbers = sums[0] == sums[0];
    if (fits(most))
        add_moments(all, sums[0], sums[1], min, max, all_zeros);
    else
        add_exactly(&p, min, max, all_zeros, all);
    if (what & LINEAR) {
        const float from = (min - bins.low) * bins.per, to = (max - bins.low) * bins.per;
        const bool near = numbers && from > -0x1p30F && to < 0x1p30F;
        keys_of_rows(near ? &rest : &p, spec, key + (near ? together * DT_LANES : 0));
    }
    if (what & LOG) {
        const bool near = numbers && tiny == zeros && most < spec->most;
        log_keys_of_rows(near ? &rest : &p, spec, log_key + (near ? together * DT_LANES : 0));
    }
}

DT_INLINE void survey_part(const part p, const dt_bins *bins, dt_moments *all, uint8_t *key, uint8_t *log_key)
{
    const linear_bins linear = linear_of(bins);
    const bool fused = scales_exactly(&linear);
    if (key && log_key && fused)
        survey_lanes(LINEAR | FUSED | LOG, p, bins, all, key, log_key);
    else if (key && log_key)
        survey_lanes(LINEAR | LOG, p, bins, all, key, log_key);
    else if (key)
        survey_lanes(LINEAR, p, bins, all, key, log_key);
    else if (log_key)
        survey_lanes(LOG, p, bins, all, key, log_key);
    else
        survey_lanes(0, p, bins, all, key, log_key);
}
#define SURVEYS true
#else
#define SURVEYS                                 false
#define survey_part(p, bins, all, key, log_key) ((void)0)
#endif

static void survey(int64_t rows, int64_t n, const void *numbers, int64_t stride, const dt_bins *bins, dt_moments *all,
                   uint8_t *key, uint8_t *log_key)
{
    const dt_real *x = numbers;
    for (int64_t r = 0; r < rows; r += DT_CHAIN) {
        const part p = next_part(rows - r, n, x + r * stride, stride);
        uint8_t *keys_at = key ? key + r * n : NULL, *log_keys_at = log_key ? log_key + r * n : NULL;
        if (SURVEYS && n == DT_LANES) {
            survey_part(p, bins, all, keys_at, log_keys_at);
            continue;
        }
        moments(p.rows, n, p.x, stride, all, NULL);
        keys_of_rows(&p, bins, keys_at);
        log_keys_of_rows(&p, bins, log_keys_at);
    }
}

/* --- products --- */

enum { PRODUCT, DISTANCE };

/* In double: at most a chain's n numbers. */
static double exact_sum(const int what, int64_t n, const dt_real *x, const dt_real *y)
{
    double lane[DT_LANES] = {0};
    for (int64_t i = 0; i < n; i++) {
        const double a = (double)x[i], b = (double)y[i];
        lane[i % DT_LANES] += what == DISTANCE ? (a - b) * (a - b) : a * b;
    }
    return join_doubles(lane);
}

/* What products of numbers look at beside their sum: the largest of each that is multiplied. */
typedef struct largest {
    dt_vector x, y;
} largest;

DT_INLINE void add_product(const int what, dt_vector a, dt_vector b, dt_vector *sum, largest *most)
{
    const dt_vector d = what == DISTANCE ? dt_sub(a, b) : a;
    *sum = dt_fma(d, what == DISTANCE ? d : b, *sum);
    most->x = dt_vector_most(d, most->x);
    if (what != DISTANCE)
        most->y = dt_vector_most(b, most->y);
}

/* Row c of a panel's rows. */
DT_INLINE void add_products(const int what, int c, const dt_real *x, const dt_real *y,
                            dt_vector sum[CHAINS][DT_VECTORS_A_PANEL], largest most[CHAINS])
{
    DT_REPEAT (v, DT_VECTORS_A_PANEL)
        add_product(what, dt_load(x + v * DT_WIDTH), dt_load(y + v * DT_WIDTH), &sum[c][v], &most[c]);
}

/* One part: at most DT_CHAIN * DT_LANES numbers, as rows of a panel. */
DT_INLINE double sum_part(const int what, int64_t n, const dt_real *x, const dt_real *y)
{
    enum { ROWS = CHAINS * DT_LANES };
    dt_vector sum[CHAINS][DT_VECTORS_A_PANEL];
    largest most[CHAINS];
    int64_t i = 0;
    DT_REPEAT (c, CHAINS) {
        most[c] = (largest){dt_zero(), dt_zero()};
        DT_REPEAT (v, DT_VECTORS_A_PANEL)
            sum[c][v] = dt_zero();
    }
    for (; i + ROWS <= n; i += ROWS)
        DT_REPEAT (c, CHAINS)
            add_products(what, c, x + i + c * DT_LANES, y + i + c * DT_LANES, sum, most);
    if (i < n) { /* padded with zeros */
        dt_real rest[2][ROWS] = {{0}, {0}};
        memcpy(rest[0], x + i, (size_t)(n - i) * sizeof *x);
        memcpy(rest[1], y + i, (size_t)(n - i) * sizeof *y);
        DT_REPEAT (c, CHAINS)
            add_products(what, c, rest[0] + c * DT_LANES, rest[1] + c * DT_LANES, sum, most);
    }
    dt_vector joined[DT_VECTORS_A_PANEL], most_x = most[0].x, most_y = most[0].y;
    DT_REPEAT (v, DT_VECTORS_A_PANEL)
        joined[v] = dt_add(dt_add(sum[0][v], sum[2][v]), dt_add(sum[1][v], sum[3][v]));
    DT_REPEAT (c, CHAINS) {
        most_x = dt_vector_max(most[c].x, most_x);
        most_y = dt_vector_max(most[c].y, most_y);
    }
    if (fits(dt_vector_largest(most_x)) && (what == DISTANCE || fits(dt_vector_largest(most_y))))
        return join_vectors(joined);
    return exact_sum(what, n, x, y);
}

/* y becomes x where it is kept. */
DT_INLINE double sum_of(const int what, int64_t n, const dt_real *x, const dt_real *y, dt_real *keep)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i += DT_CHAIN * DT_LANES) {
        const int64_t some = n - i < DT_CHAIN * DT_LANES ? n - i : DT_CHAIN * DT_LANES;
        sum += sum_part(what, some, x + i, y + i);
        if (keep)
            memcpy(keep + i, x + i, (size_t)some * sizeof *x);
    }
    return one_nan(sum);
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
    return sum_of(PRODUCT, n, x, y, y);
}

extern const dt_summaries DT_VARIANT(dt_summaries);
const dt_summaries DT_VARIANT(dt_summaries) = {
    .lanes = DT_LANES,
    .moments = moments,
    .survey = survey,
    .keys = keys,
    .log_keys = log_keys,
    .tally = tally_most,
    .tally_plain = tally_plain,
    .dot = dot,
    .distance = distance,
    .dot_keep = dot_keep,
};
