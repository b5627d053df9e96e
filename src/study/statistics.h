/* What a sample of times says: quantiles, intervals of them that assume no distribution, outliers, and when to stop
 * measuring.
 *
 * Hoefler and Belli's rules (study/rules.h): medians and other quantiles where costs are skewed (8), with intervals
 * where they are not deterministic (5), without normality (6); means as what is averaged asks for (3).
 *
 * Nothing here allocates. Samples are finite (dt_samples_check); `sorted` ones ascend (dt_samples_sort). Independence
 * is assumed and is the caller's to check: study/series.h.
 */
#ifndef DT_STUDY_STATISTICS_H
#define DT_STUDY_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

#include "deltoid/status.h"

/* low <= high; `level` is the probability that such an interval covers the true value: what was asked for, or for order
 * statistics, which come in steps, at least that. */
typedef struct dt_interval {
    double low, high, level;
} dt_interval;

/* DT_INVALID where n < 1, or a value isn't finite; `what` names the sample in the message. */
dt_status dt_samples_check(const double *x, int64_t n, const char *what, dt_error *error);

/* Ascending, in place. */
void dt_samples_sort(double *x, int64_t n);

/* The mean of costs: seconds, joules. n >= 1. */
double dt_mean(const double *x, int64_t n);

/* The harmonic mean of rates of equal work: samples a second. Positive values, n >= 1. */
double dt_mean_of_rates(const double *x, int64_t n);

/* Quantile 0 <= p <= 1 of n >= 1 sorted values: Hyndman and Fan's (1996) type 7, as numpy and R by default. */
double dt_quantile(const double *sorted, int64_t n, double p);
double dt_median(const double *sorted, int64_t n);

/* Least n for which the interval of quantile p at this confidence exists: that of the median at 0.95 needs 6. Both in
 * (0, 1). */
int64_t dt_quantile_interval_least(double p, double confidence);

/* The interval of the true quantile 0 < p < 1, from order statistics [x_(i), x_(j)]: the narrowest with at most (1 -
 * confidence) / 2 on either side, by the binomial distribution (David and Nagaraja, "Order statistics", 2003, 7.1; Le
 * Boudec, "Performance evaluation", 2010, 2.2). Exact for every continuous distribution, never too narrow.
 *
 * DT_INVALID: n under dt_quantile_interval_least, which the message names; p or confidence out of (0, 1). */
dt_status dt_quantile_interval(const double *sorted, int64_t n, double p, double confidence, dt_interval *interval,
                               dt_error *error);
dt_status dt_median_interval(const double *sorted, int64_t n, double confidence, dt_interval *interval,
                             dt_error *error);

/* Tukey's (1977) fences: outside quartiles by more than `reach` (1.5; 3: far out) times their distance. flag[i] says so
 * of x[i], in the order of x; `sorted` is the same sample. Returns how many. Flagged values stay in the sample: they
 * are reported, and left out of nothing. */
int64_t dt_outliers(const double *x, const double *sorted, int64_t n, double reach, bool *flag);

/* --- when to stop --- */

typedef struct dt_stop_rule {
    double confidence;   /* of the median's interval: 0.95 */
    double epsilon;      /* wanted: both ends within epsilon * |median| of it */
    int64_t least, most; /* samples, in any case; `least` 0: what the interval needs. most 0: no limit */
    double budget;       /* seconds of measuring; 0: no limit */
} dt_stop_rule;

typedef enum dt_stop {
    DT_STOP_NOT, /* measure on */
    DT_STOP_PRECISE,
    DT_STOP_MOST,  /* of samples */
    DT_STOP_BUDGET /* spent; what was reached is reported as it is */
} dt_stop;

/* "measuring", "precise", "most samples", "budget" */
const char *dt_stop_name(dt_stop stop);

/* DT_INVALID with what is wrong with the rule: one without limits never ends on a noisy machine. */
dt_status dt_stop_rule_check(const dt_stop_rule *rule, dt_error *error);

/* Whether to stop after n >= 0 samples that took `spent` seconds. Precision is looked at before limits. Looking after
 * every sample makes stopping at a lucky moment likelier, so that intervals cover a little less than they say; look
 * after blocks, and give `least` well over the minimum. */
dt_stop dt_stop_now(const dt_stop_rule *rule, const double *sorted, int64_t n, double spent);

/* Samples that the rule will take in all, from those there are: the width shrinks as 1 / sqrt(n). -1 where there is no
 * interval yet. At least n, at most rule->most. For the time that is left, not for stopping. */
int64_t dt_stop_expect(const dt_stop_rule *rule, const double *sorted, int64_t n);

#endif
