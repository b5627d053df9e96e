/* Whether two samples differ, and by how much, without a distribution assumed: what `scale compare A B` says. Rule 7
 * (study/rules.h): compared in a statistically sound way; the size of the difference and its interval come first, the
 * probability second, as with enough samples any difference is significant.
 */
#ifndef DT_STUDY_COMPARE_H
#define DT_STUDY_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "study/statistics.h"

typedef struct dt_comparison {
    double u;   /* Mann and Whitney's U: pairs with a > b, ties half */
    double p;   /* two-sided probability of a U at least as extreme, if both come from one distribution */
    bool exact; /* p by counting (a.n * b.n <= DT_RANK_SUM_MAX, no ties), else by a normal with correction for ties and
                   continuity */
    double delta;         /* Cliff's (1993) delta: P(a > b) - P(a < b), -1 .. 1 */
    double shift;         /* Hodges and Lehmann's (1963): median of all a - b; or of all a / b */
    dt_interval interval; /* of the shift (Moses; Hollander and Wolfe, "Nonparametric statistical methods", 4.3) */
    bool ratio;           /* shift and interval are ratios a / b */
} dt_comparison;

/* Doubles of scratch: (a + 1) * (b + 1) + DT_RANK_SUM_MAX + 1; 0 on overflow. */
size_t dt_compare_scratch(int64_t a, int64_t b);

/* a and b are sorted. `ratio`: shift and interval as ratios, of positive values; 1 is no difference.
 *
 * DT_INVALID: empty or not finite samples, ratios of values that aren't positive, confidence out of (0, 1), too few
 * samples for an interval at this confidence (4 and 4 are enough for 0.95). */
dt_status dt_compare(const double *a, int64_t a_count, const double *b, int64_t b_count, bool ratio, double confidence,
                     double *scratch, dt_comparison *comparison, dt_error *error);

/* |delta| in words, by Romano et al. (2006): "negligible" under 0.147, "small" under 0.33, "medium" under 0.474,
 * "large". */
const char *dt_delta_name(double delta);

#endif
