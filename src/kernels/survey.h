/* Moments, keys and products with what was before in one pass, for summary.h. What keeps a processor waiting at the end
 * of a part, where lanes are joined, overlaps the next part of the same call.
 */
#ifndef DT_KERNELS_SURVEY_H
#define DT_KERNELS_SURVEY_H

#include "kernels/dots.h"
#include "kernels/keys.h"

/* Where the results of one part go. */
typedef struct findings {
    dt_moments *moments;
    uint8_t *key, *log_key;
    dt_real *before;
    double *product;
} findings;

/* --- one after the other --- */

/* Lanes without a number have the key of 0. */
__attribute__((noinline)) static void keys_of_rows(const part *p, const dt_bins *bins, uint8_t *key)
{
    const linear_bins linear = linear_of(bins);
    for (int64_t r = 0; key && r < p->rows; r++, key += DT_LANES) {
        keys(p->n, p->x + r * p->stride, bins, key);
        memset(key + p->n, linear_key(0, &linear), (size_t)(DT_LANES - p->n));
    }
}

__attribute__((noinline)) static void log_keys_of_rows(const part *p, const dt_bins *bins, uint8_t *key)
{
    for (int64_t r = 0; key && r < p->rows; r++, key += DT_LANES) {
        log_keys(p->n, p->x + r * p->stride, bins, key);
        memset(key + p->n, 0, (size_t)(DT_LANES - p->n));
    }
}

__attribute__((noinline)) static void survey_moments(const part *p, dt_moments *to)
{
    lanes l;
    *to = DT_NO_MOMENTS;
    all_lanes(p, &l);
    add_all(p, &l, to);
}

#if defined(__AVX512F__) && DT_PRECISION == 32
/* --- all at once --- */

/* Chains of 16 lanes. Of the least and the largest one will do, as the order changes nothing. */
typedef struct survey_sums {
    __m512 sum[CHAINS], square[CHAINS], product[CHAINS];
    __m512 min, max, most_before;
    int64_t zeros, tiny; /* numbers that are 0; that have no exponent */
} survey_sums;

/* What a survey is made with. */
typedef struct survey_plan {
    const dt_bins *spec;
    linear_bins bins;
    bool fused;
    log_bins powers;
    __mmask16 used; /* lanes that hold a number */
} survey_plan;

DT_INLINE void begin_survey(survey_sums *s)
{
    DT_REPEAT (i, CHAINS)
        s->sum[i] = s->square[i] = s->product[i] = _mm512_setzero_ps();
    s->min = _mm512_set1_ps(INFINITY);
    s->max = _mm512_set1_ps(-INFINITY);
    s->most_before = _mm512_setzero_ps();
    s->zeros = s->tiny = 0;
}

/* Row i of four. NaN spoils neither the least nor the largest. */
DT_INLINE void add_row(survey_sums *s, int i, __m512 x, const float *before)
{
    s->min = dt_vector_min(x, s->min);
    s->max = dt_vector_max(x, s->max);
    s->sum[i] = _mm512_add_ps(s->sum[i], x);
    s->square[i] = _mm512_fmadd_ps(x, x, s->square[i]);
    if (before) {
        const __m512 y = _mm512_loadu_ps(before + i * DT_LANES);
        s->product[i] = _mm512_fmadd_ps(x, y, s->product[i]);
        s->most_before = dt_vector_most(y, s->most_before);
    }
}

/* Four rows, and their keys. */
DT_INLINE void add_four(survey_sums *s, const survey_plan *plan, const __m512 x[CHAINS], const float *before,
                        uint8_t *key, uint8_t *log_key)
{
    DT_REPEAT (i, CHAINS)
        add_row(s, i, x[i], before);
    if (key)
        _mm512_storeu_si512(key, four_keys(plan->fused, x, &plan->bins));
    if (!log_key) {
        s->zeros += four_zeros(x);
        return;
    }
    const __m512i exponents = four_exponents(x);
    const __mmask64 none = _mm512_testn_epi8_mask(exponents, exponents);
    __m512i power = four_log_keys(exponents, &plan->powers);
    if (none) {
        s->tiny += __builtin_popcountll(none);
        s->zeros += four_zeros(x);
        power = _mm512_maskz_mov_epi8(~none, power);
    }
    _mm512_storeu_si512(log_key, power);
}

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

/* The product, and `before` becomes the numbers. */
DT_INLINE void keep(const part *p, const survey_sums *s, float most, const findings *to)
{
    const dt_vector product = add_chains(s->product);
    if (fits(most) && fits(_mm512_reduce_max_ps(s->most_before)))
        *to->product = one_nan(join_vectors(&product));
    else
        *to->product = sum_of(PRODUCT, p->rows * DT_LANES, p->x, to->before);
    for (int64_t i = 0; i < p->rows * DT_LANES; i += DT_LANES)
        _mm512_storeu_ps(to->before + i, _mm512_loadu_ps(p->x + i));
}

/* The keys of rows that are left of fours; and of all rows where those of fours may be wrong, as a number isn't one, or
 * is too far from the bins to count them, or denormal, or above the last power. */
DT_INLINE void mend_keys(const survey_plan *plan, const part *p, const part *rest, const survey_sums *s, float min,
                         float max, bool numbers, const findings *to)
{
    const linear_bins *b = &plan->bins;
    const int64_t done = (p->rows - rest->rows) * DT_LANES;
    if (to->key) { /* lanes without a number hold 0 */
        const float least = p->n < DT_LANES && min > 0 ? 0 : min, most = p->n < DT_LANES && max < 0 ? 0 : max;
        const bool near = numbers && (least - b->low) * b->per > -0x1p30F && (most - b->low) * b->per < 0x1p30F;
        if (!near || rest->rows > 0)
            keys_of_rows(near ? rest : p, plan->spec, to->key + (near ? done : 0));
    }
    if (to->log_key) {
        const bool near = numbers && s->tiny == s->zeros && larger(-min, max) < plan->spec->most;
        if (!near || rest->rows > 0)
            log_keys_of_rows(near ? rest : p, plan->spec, to->log_key + (near ? done : 0));
    }
}

/* Whole fours of the part's rows. */
DT_INLINE void add_fours(survey_sums *s, const survey_plan *plan, const part *p, int64_t rows, const findings *to)
{
    for (int64_t r = 0, at = 0; r < rows; r += CHAINS, at += CHAINS * DT_LANES) {
        __m512 x[CHAINS];
        DT_REPEAT (i, CHAINS)
            x[i] = _mm512_maskz_loadu_ps(plan->used, p->x + (r + i) * p->stride);
        add_four(s, plan, x, to->before ? to->before + at : NULL, to->key ? to->key + at : NULL,
                 to->log_key ? to->log_key + at : NULL);
    }
    const int64_t absent = rows * (DT_LANES - p->n);
    s->zeros -= absent;
    s->tiny -= absent;
}

/* The rows that are left, without their keys. Returns how many numbers are 0. */
DT_INLINE int64_t add_rest(survey_sums *s, const survey_plan *plan, const part *rest, const float *before)
{
    int64_t zeros = 0;
    DT_REPEAT (i, CHAINS - 1)
        if (i < rest->rows) {
            const __m512 x = _mm512_maskz_loadu_ps(plan->used, rest->x + i * rest->stride);
            add_row(s, i, x, before);
            zeros += __builtin_popcount(_mm512_mask_cmp_ps_mask(plan->used, x, _mm512_setzero_ps(), _CMP_EQ_OQ));
        }
    return zeros;
}

DT_INLINE void survey_part(const survey_plan *plan, const part *p, const findings *to)
{
    const int64_t fours = p->rows / CHAINS * CHAINS;
    const part rest = {.rows = p->rows - fours, .n = p->n, .stride = p->stride, .x = p->x + fours * p->stride};
    survey_sums s;
    float min, max;
    double sums[2];
    begin_survey(&s);
    add_fours(&s, plan, p, fours, to);
    const int64_t zeros = s.zeros + add_rest(&s, plan, &rest, to->before ? to->before + fours * DT_LANES : NULL);
    join_sums(add_chains(s.sum), add_chains(s.square), sums);
    join_min_max(_mm512_mask_mov_ps(_mm512_set1_ps(INFINITY), plan->used, s.min),
                 _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), plan->used, s.max), &min, &max);
    const float most = larger(-min, max);
    const bool numbers = sums[0] == sums[0];
    if (fits(most)) /* + 0.0: 0, whichever */
        *to->moments = (dt_moments){one_nan(sums[0]), one_nan(sums[1]), (double)min + 0.0, (double)max + 0.0, zeros};
    else
        survey_moments(p, to->moments);
    mend_keys(plan, p, &rest, &s, min, max, numbers, to);
    if (to->before)
        keep(p, &s, most, to);
}

static survey_plan survey_plan_of(const dt_bins *spec, int64_t n)
{
    survey_plan plan = {.spec = spec, .used = (__mmask16)((1U << n) - 1)};
    if (spec) {
        plan.bins = linear_of(spec);
        plan.fused = scales_exactly(&plan.bins);
        plan.powers = log_of(spec);
    }
    return plan;
}
#else
typedef struct survey_plan {
    const dt_bins *spec;
} survey_plan;

static survey_plan survey_plan_of(const dt_bins *spec, int64_t n)
{
    (void)n;
    return (survey_plan){spec};
}

static void survey_part(const survey_plan *plan, const part *p, const findings *to)
{
    survey_moments(p, to->moments);
    keys_of_rows(p, plan->spec, to->key);
    log_keys_of_rows(p, plan->spec, to->log_key);
    if (to->before) {
        *to->product = sum_of(PRODUCT, p->rows * DT_LANES, p->x, to->before);
        memcpy(to->before, p->x, (size_t)(p->rows * DT_LANES) * sizeof *p->x);
    }
}
#endif

static void survey(const dt_parts *parts, const dt_survey *wanted, dt_moments *moments)
{
    const dt_real *x = parts->x;
    const survey_plan plan = survey_plan_of(wanted->bins, parts->n);
    for (int64_t i = 0; i < parts->count; i++) {
        const int64_t at = i * parts->rows * DT_LANES;
        const part p = {.rows = parts->rows, .n = parts->n, .stride = parts->stride, .x = x + i * parts->apart};
        const findings to = {
            .moments = &moments[i],
            .key = wanted->key ? wanted->key + at : NULL,
            .log_key = wanted->log_key ? wanted->log_key + at : NULL,
            .before = wanted->before ? (dt_real *)wanted->before + at : NULL,
            .product = wanted->before ? &wanted->product[i] : NULL,
        };
        survey_part(&plan, &p, &to);
    }
}

#endif
