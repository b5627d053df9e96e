/* Points of two studies beside each other: what `deltoid scale compare` says. A point's sample are the values of its
 * visits that count: seconds a step, or seconds to the target where the study has one. Rule 7 (study/rules.h). */
#ifndef DT_STUDY_COMPARE_POINTS_H
#define DT_STUDY_COMPARE_POINTS_H

#include "study/compare.h"
#include "study/record.h"

typedef struct dt_point_sample {
    double *seconds; /* (count) ascending, in the arena */
    int64_t count;
    double median; /* NAN: there is none */
} dt_point_sample;

/* DT_NO_MEMORY. */
dt_status dt_point_sample_of(dt_point_sample *sample, const dt_study *study, size_t point, dt_arena *arena,
                             dt_error *error);

/* The second against the first. */
typedef struct dt_point_comparison {
    dt_point_sample a, b;
    double ratio;               /* of the medians, b / a; NAN where one has no visit that counts */
    dt_interval ratio_interval; /* by the bootstrap (percentile), where both have DT_COMPARE_LEAST; else NAN */
    bool tested;                /* pairs has an answer: both have enough visits for it */
    dt_comparison pairs;        /* of all b / a: Hodges-Lehmann's shift as a ratio, Cliff's delta, Mann-Whitney's p */
} dt_point_comparison;

enum { DT_COMPARE_LEAST = 3 }; /* visits of each: of fewer a bootstrap only repeats the values */

/* Whether b differs from a: the interval of the pairs' ratio, or where that is missing of the medians', leaves out 1.
 */
bool dt_point_differs(const dt_point_comparison *comparison);

dt_status dt_point_compare(dt_point_comparison *comparison, const dt_study *a, size_t a_point, const dt_study *b,
                           size_t b_point, double confidence, dt_arena *arena, dt_error *error);

/* The point of `b` that has the levels of a's; SIZE_MAX where there is none, or the studies have other factors. */
size_t dt_point_same(const dt_study *a, size_t point, const dt_study *b);

/* "threads=2 reduction=tree", as the study calls it. */
void dt_point_text(const dt_study *study, size_t point, char *text, size_t size);

#endif
