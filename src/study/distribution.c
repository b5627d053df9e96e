#include "study/distribution.h"

#include <math.h>

static const double sqrt2 = 1.41421356237309504880, pi = 3.14159265358979323846;

double dt_normal_cdf(double z)
{
    return 0.5 * erfc(-z / sqrt2);
}

/* By bisection of the lower tail, where erfc keeps its digits; a rational approximation would be faster, and is not
 * needed. */
double dt_normal_quantile(double p)
{
    if (p <= 0 || p >= 1)
        return p <= 0 ? -INFINITY : INFINITY;
    if (p > 0.5)
        return -dt_normal_quantile(1 - p);
    double low = -40, high = 0;
    for (int i = 0; i < 100 && low < high; i++) {
        const double middle = low + (high - low) / 2;
        if (dt_normal_cdf(middle) < p)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* log P(K = k) from one k to the next, as P itself underflows for large n. */
double dt_binomial_cdf(int64_t k, int64_t n, double p)
{
    if (k < 0 || k >= n)
        return k < 0 ? 0 : 1;
    const double odds = log(p) - log1p(-p);
    double log_mass = (double)n * log1p(-p), sum = exp(log_mass);
    for (int64_t i = 0; i < k; i++) {
        log_mass += log((double)(n - i) / (double)(i + 1)) + odds;
        sum += exp(log_mass);
    }
    return fmin(sum, 1);
}

/* The regularised upper incomplete gamma function Q(degrees / 2, x / 2), which is a finite sum for whole and half
 * numbers (Abramowitz and Stegun, 26.4.4 and 26.4.5). */
double dt_chi_squared_above(double x, int64_t degrees)
{
    if (x <= 0)
        return 1;
    const double y = x / 2;
    const int odd = (int)(degrees % 2);
    double term = odd ? exp(-y) * 2 * sqrt(y / pi) : exp(-y); /* e^-y y^s / Gamma(s + 1), s = 1/2 or 0 */
    double sum = odd ? erfc(sqrt(y)) : 0;
    for (int64_t i = 0; i < degrees / 2; i++) {
        sum += term;
        term *= y / ((double)i + 1 + 0.5 * odd);
    }
    return fmin(sum, 1);
}

/* The coefficients of the Gaussian binomial coefficient, product over i = 1 .. a of (1 - q^(b + i)) / (1 - q^i): in how
 * many ways each U comes about (Mann and Whitney 1947). Counts are whole numbers under 2^53, so sums are exact. */
void dt_rank_sum_cdf(int64_t a, int64_t b, double *ways)
{
    const int64_t most = a * b;
    ways[0] = 1;
    for (int64_t u = 1; u <= most; u++)
        ways[u] = 0;
    for (int64_t i = 1; i <= a; i++) {
        for (int64_t u = most; u >= b + i; u--)
            ways[u] -= ways[u - b - i];
        for (int64_t u = i; u <= most; u++)
            ways[u] += ways[u - i];
    }
    for (int64_t u = 1; u <= most; u++)
        ways[u] += ways[u - 1];
    for (int64_t u = 0; u <= most; u++)
        ways[u] /= ways[most];
}
