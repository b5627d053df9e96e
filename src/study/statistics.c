#include "study/statistics.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/split.h"
#include "study/distribution.h"

dt_status dt_samples_check(const double *x, int64_t n, const char *what, dt_error *error)
{
    if (n < 1)
        return dt_fail(error, DT_INVALID, "%s: no samples; measure at least one", what);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return dt_fail(error, DT_INVALID, "%s: sample %" PRId64 " is %g; a sample is a finite number", what, i,
                           x[i]);
    return DT_OK;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void dt_samples_sort(double *x, int64_t n)
{
    if (n > 1)
        qsort(x, (size_t)n, sizeof *x, ascending);
}

double dt_mean(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

double dt_mean_of_rates(const double *x, int64_t n)
{
    double costs = 0;
    for (int64_t i = 0; i < n; i++)
        costs += 1 / x[i];
    return (double)n / costs;
}

double dt_quantile(const double *sorted, int64_t n, double p)
{
    const double at = p * (double)(n - 1);
    const int64_t i = dt_min((int64_t)at, n - 1), next = dt_min(i + 1, n - 1);
    return sorted[i] + (at - (double)i) * (sorted[next] - sorted[i]);
}

double dt_median(const double *sorted, int64_t n)
{
    return sorted[(n - 1) / 2] + (sorted[n / 2] - sorted[(n - 1) / 2]) / 2;
}

static bool inside(double p)
{
    return p > 0 && p < 1;
}

/* Both outermost order statistics must leave out no more than their tail: p^n above, (1 - p)^n below. */
int64_t dt_quantile_interval_least(double p, double confidence)
{
    const double tail = log((1 - confidence) / 2), slower = log(fmax(p, 1 - p));
    int64_t n = dt_max(1, (int64_t)(tail / slower) - 1);
    while ((double)n * slower > tail)
        n++;
    return n;
}

dt_status dt_quantile_interval(const double *sorted, int64_t n, double p, double confidence, dt_interval *interval,
                               dt_error *error)
{
    *interval = (dt_interval){NAN, NAN, NAN};
    if (!inside(p) || !inside(confidence))
        return dt_fail(error, DT_INVALID, "an interval of quantile %g at confidence %g; both are between 0 and 1", p,
                       confidence);
    const int64_t least = dt_quantile_interval_least(p, confidence);
    if (n < least)
        return dt_fail(error, DT_INVALID,
                       "%" PRId64 " sample%s give no %g %% interval of quantile %g; measure at least %" PRId64, n,
                       n == 1 ? "" : "s", 100 * confidence, p, least);
    /* P(x_(i) > quantile) = P(K <= i - 1), K of the n values under the quantile. From the middle outward: the first i
     * whose tail is small enough, and the same from above, where K' = n - K are over it. */
    const double tail = (1 - confidence) / 2 * (1 + 1e-12);
    int64_t i = dt_max(1, dt_min(n, (int64_t)(p * (double)n) + 1)), j = dt_max(1, dt_min(n, i));
    while (i > 1 && dt_binomial_cdf(i - 1, n, p) > tail)
        i--;
    while (j < n && dt_binomial_cdf(n - j, n, 1 - p) > tail)
        j++;
    const double below = dt_binomial_cdf(i - 1, n, p), above = dt_binomial_cdf(n - j, n, 1 - p);
    *interval = (dt_interval){sorted[i - 1], sorted[j - 1], 1 - below - above};
    return DT_OK;
}

dt_status dt_median_interval(const double *sorted, int64_t n, double confidence, dt_interval *interval, dt_error *error)
{
    return dt_quantile_interval(sorted, n, 0.5, confidence, interval, error);
}

int64_t dt_outliers(const double *x, const double *sorted, int64_t n, double reach, bool *flag)
{
    const double lower = dt_quantile(sorted, n, 0.25), upper = dt_quantile(sorted, n, 0.75);
    const double low = lower - reach * (upper - lower), high = upper + reach * (upper - lower);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += flag[i] = x[i] < low || x[i] > high;
    return count;
}

/* --- when to stop --- */

const char *dt_stop_name(dt_stop stop)
{
    static const char *const names[] = {"measuring", "precise", "most samples", "budget"};
    return names[stop];
}

dt_status dt_stop_rule_check(const dt_stop_rule *rule, dt_error *error)
{
    if (!inside(rule->confidence))
        return dt_fail(error, DT_INVALID, "confidence %g; it is between 0 and 1, usually 0.95", rule->confidence);
    if (!(rule->epsilon > 0 && isfinite(rule->epsilon)))
        return dt_fail(error, DT_INVALID, "epsilon %g; it is a share of the median over 0, such as 0.01",
                       rule->epsilon);
    if (rule->least < 0 || rule->most < 0 || (rule->most > 0 && rule->most < rule->least))
        return dt_fail(error, DT_INVALID, "least %" PRId64 " and most %" PRId64 " samples; 0 <= least <= most",
                       rule->least, rule->most);
    if (!(rule->budget >= 0 && isfinite(rule->budget)))
        return dt_fail(error, DT_INVALID, "a budget of %g seconds; it is 0 (none) or more", rule->budget);
    if (rule->most == 0 && rule->budget == 0)
        return dt_fail(error, DT_INVALID, "neither a most number of samples nor a budget; give one, or it may not end");
    return DT_OK;
}

static int64_t least_of(const dt_stop_rule *rule)
{
    return dt_max(rule->least, dt_quantile_interval_least(0.5, rule->confidence));
}

/* The farther end of the median's interval from it, as a share of it. NAN without an interval. */
static double half_width(const dt_stop_rule *rule, const double *sorted, int64_t n)
{
    dt_interval interval;
    if (dt_median_interval(sorted, n, rule->confidence, &interval, NULL) != DT_OK)
        return NAN;
    const double median = dt_median(sorted, n), reach = fmax(interval.high - median, median - interval.low);
    return reach > 0 ? reach / fabs(median) : 0;
}

dt_stop dt_stop_now(const dt_stop_rule *rule, const double *sorted, int64_t n, double spent)
{
    if (n >= least_of(rule) && half_width(rule, sorted, n) <= rule->epsilon)
        return DT_STOP_PRECISE;
    if (rule->most > 0 && n >= rule->most)
        return DT_STOP_MOST;
    return rule->budget > 0 && spent >= rule->budget ? DT_STOP_BUDGET : DT_STOP_NOT;
}

int64_t dt_stop_expect(const dt_stop_rule *rule, const double *sorted, int64_t n)
{
    const double width = half_width(rule, sorted, n);
    if (isnan(width))
        return -1;
    const double shrink = width / rule->epsilon, wanted = fmin(ceil((double)n * shrink * shrink), 0x1p53);
    const int64_t expected = dt_max(dt_max(n, least_of(rule)), (int64_t)wanted);
    return rule->most > 0 ? dt_max(n, dt_min(expected, rule->most)) : expected;
}
