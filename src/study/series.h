/* Samples in the order they were measured: where the warm-up ends, and whether what follows is independent, which
 * intervals assume. Rules 5, 6 and 10 (study/rules.h): intervals hold for what was checked, and what was left out at
 * the start is said.
 *
 * Pure functions of finite samples; nothing allocates.
 */
#ifndef DT_STUDY_SERIES_H
#define DT_STUDY_SERIES_H

#include <stdbool.h>
#include <stdint.h>

enum { DT_WARMUP_BATCH = 5, DT_WARMUP_LEAST = 4 * DT_WARMUP_BATCH };

/* How many samples at the start to leave out: White's MSER-5 (White 1997; White, Cobb and Spratt, "A comparison of five
 * steady-state truncation heuristics for simulation", WSC 2000). Of means of 5 samples it leaves out the d for which
 * the mean of the rest is known best, the least of  sum over j >= d of (Z_j - mean)^2 / (count - d)^2,  d <= half.
 * The remainder of n / 5 stays at the end and plays no part in the choice.
 *
 * *steady (may be NULL) is false where there is nothing to leave out it from (n < DT_WARMUP_LEAST: returns 0), or the
 * least is at the half: the series is still drifting, measure longer. */
int64_t dt_warmup(const double *x, int64_t n, bool *steady);

/* Correlation of x[i] with x[i + lag], 0 < lag < n, as Box and Jenkins define it (one mean and variance for all). 0 of
 * a constant series. */
double dt_autocorrelation(const double *x, int64_t n, int64_t lag);

typedef struct dt_independence {
    double lag1;  /* correlation of neighbours */
    int64_t lags; /* looked at */
    double q, p;  /* Ljung and Box (1978): n (n + 2) sum over k of r_k^2 / (n - k), and P(more) if independent */
    double
        effective; /* as many independent samples have the mean's variance, by lag1: n (1 - r) / (1 + r), at most n */
} dt_independence;

/* lags 0: min(10, n / 5), at least 1, as Hyndman recommends. n >= 3, lags < n. A small p (under 0.01, say) is doubt:
 * measure in fresh processes and random order, or block. */
void dt_independence_of(const double *x, int64_t n, int64_t lags, dt_independence *independence);

#endif
