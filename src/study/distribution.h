/* Distributions that tests and intervals need. libm's exp, log and erfc are used: digits past the 12th may differ
 * between machines, and no weight depends on them. Pure functions.
 */
#ifndef DT_STUDY_DISTRIBUTION_H
#define DT_STUDY_DISTRIBUTION_H

#include <stdint.h>

/* P(Z <= z) of a standard normal. */
double dt_normal_cdf(double z);

/* Its inverse, 0 <= p <= 1: -INFINITY at 0, INFINITY at 1. */
double dt_normal_quantile(double p);

/* P(K <= k), K binomial of n trials with probability 0 < p < 1; 0 for k < 0, 1 for k >= n. */
double dt_binomial_cdf(int64_t k, int64_t n, double p);

/* P(X > x) of chi-squared with `degrees` >= 1. */
double dt_chi_squared_above(double x, int64_t degrees);

/* Mann and Whitney's U of a and b values without ties, when both come from one distribution. `ways` (a * b + 1): after
 * the call ways[u] is P(U <= u). Exact; a * b <= DT_RANK_SUM_MAX. */
enum { DT_RANK_SUM_MAX = 400 };
void dt_rank_sum_cdf(int64_t a, int64_t b, double *ways);

#endif
