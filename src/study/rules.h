/* The study room: the mathematics of scaling studies, and how it meets the rules of Hoefler and Belli, "Scientific
 * benchmarking of parallel computing systems: twelve ways to tell the masses when reporting performance results",
 * SC'15.
 *
 *     rule   in short                                       served by
 *      1     base case of a speed-up, its absolute time     scaling.h: dt_speedup.base, base_seconds
 *      2     reason for subsets                             order.h: the full cross; what is left out is flagged
 *      3     mean of costs, harmonic mean of rates          statistics.h: dt_mean, dt_mean_of_rates
 *      4     no means of ratios                             scaling.h: ratio of medians; compare.h: ratios of pairs
 *      5     intervals of what isn't deterministic          statistics.h, bootstrap.h
 *      6     no normality assumed                           order statistics, bootstrap, ranks; series.h looks
 *      7     comparisons statistically sound                compare.h
 *      8     is the median what matters? other quantiles    statistics.h: dt_quantile, dt_quantile_interval
 *      9     all factors and levels written down            order.h
 *     10     measurement, synchronisation, summary told     order.h, series.h: order, warm-up; dt_stop
 *     11     upper bounds shown                             attribution.h, scaling.h: ideal, law.h: limit
 *     12     lines only where interpolation holds           law.h: dt_extrapolation.extrapolated; model.h: label
 *
 * The same as a table, for the text of a report.
 */
#ifndef DT_STUDY_RULES_H
#define DT_STUDY_RULES_H

#include <stddef.h>

typedef struct dt_study_rule {
    int number;       /* of the paper */
    const char *asks; /* in our words */
    const char *met;  /* how a study here meets it */
} dt_study_rule;

/* Rules 1 to 12, i from 0; NULL past the last. */
const dt_study_rule *dt_study_rule_at(size_t i);

#endif
