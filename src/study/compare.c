#include "study/compare.h"

#include <inttypes.h>
#include <math.h>

#include "base/memory.h"
#include "base/split.h"
#include "study/distribution.h"

size_t dt_compare_scratch(int64_t a, int64_t b)
{
    size_t pairs;
    if (a < 1 || b < 1 || !dt_multiply((size_t)a + 1, (size_t)b + 1, &pairs) ||
        __builtin_add_overflow(pairs, (size_t)DT_RANK_SUM_MAX + 1, &pairs))
        return 0;
    return pairs;
}

/* U by merging; *tied is the sum of t^3 - t over the runs of t equal values in both samples together. */
static double merge(const double *a, int64_t a_count, const double *b, int64_t b_count, double *tied)
{
    double u = 0;
    *tied = 0;
    for (int64_t i = 0, j = 0; i < a_count || j < b_count;) {
        const double value = j == b_count || (i < a_count && a[i] < b[j]) ? a[i] : b[j];
        const int64_t under = j;
        int64_t of_a = 0, of_b = 0;
        for (; i < a_count && a[i] == value; i++)
            of_a++;
        for (; j < b_count && b[j] == value; j++)
            of_b++;
        const double run = (double)(of_a + of_b);
        u += (double)of_a * ((double)under + 0.5 * (double)of_b);
        *tied += run * run * run - run;
    }
    return u;
}

/* Standard deviation of U under the hypothesis, with Lehmann's correction for ties. */
static double deviation(double a, double b, double tied)
{
    return sqrt(a * b / 12 * (a + b + 1 - tied / ((a + b) * (a + b - 1))));
}

static double probability(dt_comparison *c, int64_t a, int64_t b, double tied, double *scratch)
{
    const double pairs = (double)a * (double)b, smaller = fmin(c->u, pairs - c->u);
    c->exact = tied == 0 && pairs <= DT_RANK_SUM_MAX;
    if (c->exact) {
        dt_rank_sum_cdf(a, b, scratch);
        return fmin(1, 2 * scratch[(int64_t)smaller]);
    }
    const double spread = deviation((double)a, (double)b, tied);
    return spread > 0 ? fmin(1, 2 * dt_normal_cdf((smaller + 0.5 - pairs / 2) / spread)) : 1; /* all are equal */
}

/* Largest k with P(U <= k - 1) <= tail: the interval is from the k-th smallest difference to the k-th largest. */
static int64_t rank_of(int64_t a, int64_t b, double tail, double *scratch)
{
    const double pairs = (double)a * (double)b;
    if (pairs > DT_RANK_SUM_MAX)
        return (int64_t)floor(pairs / 2 + dt_normal_quantile(tail) * deviation((double)a, (double)b, 0));
    int64_t k = 0;
    dt_rank_sum_cdf(a, b, scratch);
    while (k < a * b && scratch[k] <= tail)
        k++;
    return k;
}

static dt_status check(const double *a, int64_t a_count, const double *b, int64_t b_count, bool ratio,
                       double confidence, dt_error *error)
{
    dt_status status = dt_samples_check(a, a_count, "the first sample", error);
    if (status == DT_OK)
        status = dt_samples_check(b, b_count, "the second sample", error);
    if (status != DT_OK)
        return status;
    if (!(confidence > 0 && confidence < 1))
        return dt_fail(error, DT_INVALID, "confidence %g; it is between 0 and 1, usually 0.95", confidence);
    if (ratio && (a[0] <= 0 || b[0] <= 0))
        return dt_fail(error, DT_INVALID, "a ratio of values that aren't positive (%g); compare differences",
                       fmin(a[0], b[0]));
    return DT_OK;
}

dt_status dt_compare(const double *a, int64_t a_count, const double *b, int64_t b_count, bool ratio, double confidence,
                     double *scratch, dt_comparison *comparison, dt_error *error)
{
    dt_comparison c = {.ratio = ratio};
    double tied;
    dt_status status = check(a, a_count, b, b_count, ratio, confidence, error);
    if (status != DT_OK)
        return status;
    const int64_t pairs = a_count * b_count, k = rank_of(a_count, b_count, (1 - confidence) / 2, scratch);
    if (k < 1)
        return dt_fail(error, DT_INVALID,
                       "%" PRId64 " and %" PRId64 " samples give no %g %% interval of a difference; measure more",
                       a_count, b_count, 100 * confidence);
    c.u = merge(a, a_count, b, b_count, &tied);
    c.p = probability(&c, a_count, b_count, tied, scratch);
    c.delta = 2 * c.u / (double)pairs - 1;
    for (int64_t i = 0; i < a_count; i++)
        for (int64_t j = 0; j < b_count; j++)
            scratch[i * b_count + j] = ratio ? a[i] / b[j] : a[i] - b[j];
    dt_samples_sort(scratch, pairs);
    c.shift = dt_median(scratch, pairs);
    c.interval = (dt_interval){scratch[k - 1], scratch[pairs - k], confidence};
    *comparison = c;
    return DT_OK;
}

const char *dt_delta_name(double delta)
{
    const double size = fabs(delta);
    return size < 0.147 ? "negligible" : size < 0.33 ? "small" : size < 0.474 ? "medium" : "large";
}
