/* All that is made of parts of numbers, for summary.h: moments, what both histograms count, products with what was
 * before.
 */
#ifndef DT_KERNELS_SURVEY_H
#define DT_KERNELS_SURVEY_H

#include "kernels/dots.h"
#include "kernels/exponents.h"
#include "kernels/linear.h"

/* All but the histograms of part i. */
static void survey_part(const part *p, const dt_survey *wanted, int64_t i, dt_sums *sums, dt_ends *ends)
{
    const int64_t size = p->rows * DT_LANES;
    dt_moments m = DT_NO_MOMENTS;
    lanes l;
    all_lanes(p, &l);
    add_all(p, &l, &m);
    *sums = m.sums;
    dt_ends_join(ends, &m.ends);
    if (!wanted->before)
        return;
    dt_real *before = (dt_real *)wanted->before + i * size;
    wanted->product[i] = sum_of(PRODUCT, 0, size, p->x, before);
    memcpy(before, p->x, (size_t)size * sizeof *before);
}

#if defined(__AVX512F__) && DT_PRECISION == 32
/* --- many at once --- */

enum { AT_ONCE = 8 }; /* parts */
_Static_assert(AT_ONCE *DT_CHAIN *DT_LANES % TALLY_STEP == 0, "keys have whole steps");

/* Sums of parts, lane by lane. */
typedef struct survey_sums {
    __m512 of[2 * AT_ONCE]; /* those of x of part p at sum_index(p), of x^2 at sum_index(p) + 4 */
} survey_sums;

DT_INLINE int sum_index(int64_t p)
{
    return (int)((p >> 1 & 3) | (p & 1) << 3);
}

/* The least and the largest of all parts, in chains: the largest as an integer, whose order is that of numbers where
 * they aren't negative. */
typedef struct survey_ends {
    __m512 min[2];
    __m512i max[2];
} survey_ends;

/* Chains of one part. */
typedef struct survey_chains {
    __m512 sum[CHAINS], square[CHAINS], product[CHAINS];
} survey_chains;

/* A row of chain i. NaN spoils the least not, nor the largest where it is negative. */
DT_INLINE void add_row(survey_chains *c, survey_ends *ends, int i, const float *row, const float *before)
{
    const __m512 x = _mm512_loadu_ps(row);
    ends->min[i % 2] = dt_vector_min(x, ends->min[i % 2]);
    ends->max[i % 2] = _mm512_max_epi32(_mm512_castps_si512(x), ends->max[i % 2]);
    c->sum[i] = _mm512_add_ps(c->sum[i], x);
    c->square[i] = _mm512_fmadd_ps(x, x, c->square[i]);
    if (before)
        c->product[i] = _mm512_fmadd_ps(x, _mm512_loadu_ps(before), c->product[i]);
}

DT_INLINE void add_part(int64_t rows, const float *x, const float *before, survey_chains *c, survey_ends *ends)
{
    DT_REPEAT (i, CHAINS)
        c->sum[i] = c->square[i] = c->product[i] = _mm512_setzero_ps();
    for (; rows >= CHAINS; rows -= CHAINS, x += CHAINS * DT_LANES, before += before ? CHAINS * DT_LANES : 0)
        DT_REPEAT (i, CHAINS)
            add_row(c, ends, i, x + i * DT_LANES, before ? before + i * DT_LANES : NULL);
    DT_REPEAT (i, CHAINS - 1)
        if (i < rows)
            add_row(c, ends, i, x + i * DT_LANES, before ? before + i * DT_LANES : NULL);
}

/* Each vector's lanes, joined in halves: two and two side by side, at half the operations. Those of sums and squares of
 * part p become numbers 2p and 2p + 1. */
DT_INLINE __m512 totals(const survey_sums *s)
{
    __m512 eight[AT_ONCE], four[AT_ONCE / 2], two[2];
    DT_REPEAT (i, AT_ONCE)
        eight[i] = _mm512_add_ps(_mm512_shuffle_f32x4(s->of[2 * i], s->of[2 * i + 1], 0x44),
                                 _mm512_shuffle_f32x4(s->of[2 * i], s->of[2 * i + 1], 0xee));
    DT_REPEAT (i, AT_ONCE / 2)
        four[i] = _mm512_add_ps(_mm512_shuffle_f32x4(eight[2 * i], eight[2 * i + 1], 0x88),
                                _mm512_shuffle_f32x4(eight[2 * i], eight[2 * i + 1], 0xdd));
    DT_REPEAT (i, 2)
        two[i] = _mm512_add_ps(_mm512_shuffle_ps(four[2 * i], four[2 * i + 1], 0x44),
                               _mm512_shuffle_ps(four[2 * i], four[2 * i + 1], 0xee));
    return _mm512_add_ps(_mm512_shuffle_ps(two[0], two[1], 0x88), _mm512_shuffle_ps(two[0], two[1], 0xdd));
}

/* Of all numbers. */
__attribute__((noinline)) static float largest_of(const dense *parts)
{
    __m512 max = _mm512_set1_ps(-INFINITY);
    for (int64_t i = 0; i < parts->count; i++)
        for (int64_t r = 0; r < parts->rows; r++)
            max = dt_vector_max(_mm512_loadu_ps(parts->x + i * parts->apart + r * DT_LANES), max);
    return _mm512_mask_reduce_max_ps(lanes_of(parts), max);
}

DT_INLINE span_of_numbers range_of(const survey_ends *ends, const dense *parts)
{
    const __mmask16 used = lanes_of(parts);
    const uint32_t bits = (uint32_t)_mm512_mask_reduce_max_epi32(used, _mm512_max_epi32(ends->max[0], ends->max[1]));
    span_of_numbers e = {.min = _mm512_mask_reduce_min_ps(used, dt_vector_min(ends->min[0], ends->min[1]))};
    memcpy(&e.max, &bits, sizeof bits);
    if (bits > 0x7f800000U) /* NaN, or all are negative */
        e.max = largest_of(parts);
    return e;
}

DT_INLINE int exponent_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (int)(bits >> 23 & 255);
}

static bool is_zero(const part *p)
{
    __m512i any = _mm512_setzero_si512();
    for (int64_t r = 0; r < p->rows; r++)
        any = _mm512_or_si512(any, _mm512_loadu_si512(p->x + r * DT_LANES));
    return _mm512_test_epi32_mask(any, _mm512_set1_epi32(INT32_MAX)) == 0;
}

/* Of part i, whose lanes' products these are; what is before becomes the part's numbers. */
DT_INLINE double take_product(const dense *parts, int64_t i, __m512 product, float *before)
{
    const part p = dense_part(parts, i);
    const float total = dt_vector_total(product);
    double sum = (double)total;
    if (!(fits(total) || (total == 0 && is_zero(&p))))
        sum = one_nan(exact_sum(PRODUCT, 0, p.rows * DT_LANES, p.x, before));
    for (int64_t k = 0; k < p.rows * DT_LANES; k += DT_LANES)
        _mm512_storeu_ps(before + k, _mm512_loadu_ps(p.x + k));
    return sum;
}

DT_INLINE survey_ends add_parts(const dense *parts, float *before, double *product, survey_sums *s)
{
    const dense own = *parts;
    survey_ends ends;
    DT_REPEAT (i, 2) {
        ends.min[i] = _mm512_set1_ps(INFINITY);
        ends.max[i] = _mm512_set1_epi32(INT32_MIN);
    }
    for (int64_t i = 0; i < own.count; i++) {
        float *part_before = before ? before + i * own.rows * DT_LANES : NULL;
        survey_chains c;
        add_part(own.rows, own.x + i * own.apart, part_before, &c, &ends);
        s->of[sum_index(i)] = add_chains(c.sum);
        s->of[sum_index(i) + 4] = add_chains(c.square);
        if (before)
            product[i] = take_product(&own, i, add_chains(c.product), part_before);
    }
    for (int64_t i = own.count; i < AT_ONCE; i++)
        s->of[sum_index(i)] = s->of[sum_index(i) + 4] = _mm512_setzero_ps();
    return ends;
}

/* Sums of parts that float32 hasn't. false: not all are those of numbers. */
__attribute__((noinline)) static bool put_exactly(const dense *parts, const float total[2 * AT_ONCE], dt_sums *to)
{
    bool numbers = true;
    for (int64_t i = 0; i < parts->count; i++) {
        const part p = dense_part(parts, i);
        dt_moments m = DT_NO_MOMENTS;
        if (fits(total[2 * i + 1]) || (total[2 * i + 1] == 0 && is_zero(&p)))
            m.sums = (dt_sums){(double)total[2 * i], (double)total[2 * i + 1]};
        else
            add_exactly(&p, 0, 0, 0, &m);
        numbers &= m.sums.sum == m.sums.sum;
        to[i] = m.sums;
    }
    return numbers;
}

DT_INLINE bool put_sums(const dense *parts, const survey_sums *s, dt_sums *to)
{
    const __m512 total = totals(s), size = _mm512_abs_ps(total);
    const __mmask16 fit = _mm512_cmp_ps_mask(size, _mm512_set1_ps(LEAST_FITTING), _CMP_GE_OQ) &
                          _mm512_cmp_ps_mask(size, _mm512_set1_ps(INFINITY), _CMP_LT_OQ);
    float each[2 * AT_ONCE];
    _mm512_storeu_ps(each, total);
    const unsigned squares = 0xaaaaU & ((1U << 2 * parts->count) - 1);
    if ((fit & squares) != squares)
        return put_exactly(parts, each, to);
    for (int64_t i = 0; i < parts->count; i++)
        to[i] = (dt_sums){(double)each[2 * i], (double)each[2 * i + 1]};
    return true;
}

__attribute__((noinline)) static void survey_dense(const dense *parts, const dt_survey *wanted, float *before,
                                                   double *product, dt_sums *sums, dt_ends *all)
{
    _Alignas(DT_CACHE_LINE) uint8_t key[AT_ONCE * DT_CHAIN * DT_LANES];
    survey_sums s;
    const survey_ends ends = before ? add_parts(parts, before, product, &s) : add_parts(parts, NULL, NULL, &s);
    const span_of_numbers range = range_of(&ends, parts);
    const bool numbers = put_sums(parts, &s, sums);
    int64_t zeros;
    if (wanted->log && numbers) {
        zeros = survey_exponents(parts, wanted->log, exponent_of(larger(-range.min, range.max)), wanted->bins, key);
    } else {
        zeros = zeros_of(parts);
        if (wanted->log)
            count_all(parts, log_keys, wanted->bins, wanted->log);
    }
    dt_ends_join(all, &(dt_ends){(double)range.min + 0.0, (double)range.max + 0.0, zeros}); /* 0, whichever */
    if (wanted->linear)
        survey_linear(parts, range, numbers, wanted->bins, wanted->linear, key);
}

/* Parts i .. i+count-1, copied where their rows don't follow each other. */
static dense dense_of(const dt_parts *parts, int64_t i, int64_t count, float copy[AT_ONCE * DT_CHAIN * DT_LANES])
{
    const __mmask16 used = (__mmask16)((1U << parts->n) - 1);
    const int64_t size = (parts->rows + 3) / 4 * 4 * DT_LANES, all = count * size;
    dense d = {.x = part_of(parts, i).x,
               .count = count,
               .apart = parts->apart,
               .rows = parts->rows,
               .n = parts->n,
               .chunks = 1,
               .chunk = all,
               .gap = all,
               .size = all,
               .numbers = count * parts->rows * parts->n};
    const bool rows = parts->stride == DT_LANES && parts->n == DT_LANES && parts->rows % 4 == 0;
    if (rows && (parts->apart == size || count == 1))
        return d;
    if (rows && size % HALF_STEP == 0) {
        d.chunks = count;
        d.chunk = size;
        d.gap = parts->apart;
        return d;
    }
    for (int64_t k = 0; k < count; k++) {
        const part p = part_of(parts, i + k);
        for (int64_t r = 0; r < size / DT_LANES; r++)
            _mm512_storeu_ps(copy + k * size + r * DT_LANES,
                             _mm512_maskz_loadu_ps(r < p.rows ? used : 0, p.x + (r < p.rows ? r * p.stride : 0)));
    }
    d.x = copy;
    d.apart = size;
    return d;
}

/* So few that what all of this takes before it begins would be more. */
static void survey_few(const dt_parts *parts, const dt_survey *wanted, dt_sums *sums, dt_ends *ends)
{
    for (int64_t i = 0; i < parts->count; i++) {
        const part p = part_of(parts, i);
        survey_part(&p, wanted, i, &sums[i], ends);
        if (wanted->linear)
            count_each(&p, keys, wanted->bins, wanted->linear);
        if (wanted->log)
            count_each(&p, log_keys, wanted->bins, wanted->log);
    }
}

static void survey(const dt_parts *parts, const dt_survey *wanted, dt_sums *sums, dt_ends *ends)
{
    enum { FEW = 64 };
    float copy[AT_ONCE * DT_CHAIN * DT_LANES];
    if (parts->count * parts->rows * DT_LANES <= FEW) {
        survey_few(parts, wanted, sums, ends);
        return;
    }
    for (int64_t i = 0; i < parts->count; i += AT_ONCE) {
        const int64_t count = parts->count - i < AT_ONCE ? parts->count - i : AT_ONCE;
        const dense some = dense_of(parts, i, count, copy);
        survey_dense(&some, wanted, wanted->before ? (float *)wanted->before + i * parts->rows * DT_LANES : NULL,
                     wanted->before ? wanted->product + i : NULL, sums + i, ends);
    }
}

static void count(dt_counter *t, const dt_bins *bins)
{
    const log_bins powers = log_of(bins);
    if (t->first > 0) /* it is one of exponents */
        count_exponents(t, &powers);
    else
        count_linear(t, bins);
}
#else
/* Keeps the keys of all numbers. */
static void keep_keys(const dt_parts *parts, void (*keys_of)(int64_t, const void *, const dt_bins *, uint8_t *),
                      const dt_bins *bins, dt_counter *t)
{
    for (int64_t i = 0; i < parts->count; i++) {
        const part p = part_of(parts, i);
        if (t->kept + p.rows * p.n > DT_KEYS_AT_ONCE)
            count_keys(t);
        for (int64_t r = 0; r < p.rows; r++, t->kept += p.n)
            keys_of(p.n, p.x + r * p.stride, bins, t->key + t->kept);
    }
}

static void survey(const dt_parts *parts, const dt_survey *wanted, dt_sums *sums, dt_ends *ends)
{
    for (int64_t i = 0; i < parts->count; i++) {
        const part p = part_of(parts, i);
        survey_part(&p, wanted, i, &sums[i], ends);
    }
    if (wanted->linear)
        keep_keys(parts, keys, wanted->bins, wanted->linear);
    if (wanted->log)
        keep_keys(parts, log_keys, wanted->bins, wanted->log);
}

static void count(dt_counter *t, const dt_bins *bins)
{
    (void)bins;
    count_keys(t);
}
#endif

#endif
