/* Bootstrap intervals of anything that can be computed from one or more samples (Efron and Tibshirani, "An introduction
 * to the bootstrap", 1993). Rules 5 and 7 (study/rules.h): intervals for speed-ups, shares and fitted parameters, which
 * have no order statistics.
 *
 *     double ratio(...) { out[0] = median(groups[0]) / median(groups[1]); }
 *     dt_bootstrap_run(&(dt_bootstrap){groups, 2, ratio, 1, .confidence = 0.95, .resamples = 2000, .seed = 1},
 *                      scratch, intervals, &failed, &error);
 *
 * Resamples are Philox numbers (base/philox.h) of (seed, DT_FOR_BOOTSTRAP, stream, draw): the same on every machine, in
 * any order. Nothing here allocates.
 */
#ifndef DT_STUDY_BOOTSTRAP_H
#define DT_STUDY_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "study/statistics.h"

/* One sample of n >= 1 finite values; borrowed. */
typedef struct dt_values {
    double *x;
    int64_t n;
} dt_values;

/* out[0 .. outputs-1] from the groups, whose values it may put into another order (sort, for a median). NAN where there
 * is no answer. */
typedef void (*dt_estimator)(const dt_values *groups, int64_t count, double *out, void *context);

/* A statistic of one output: group 0's median. */
void dt_estimate_median(const dt_values *groups, int64_t count, double *out, void *context);

typedef enum dt_bootstrap_method {
    DT_BOOTSTRAP_BCA,       /* bias-corrected and accelerated (Efron 1987); by jackknife over all groups */
    DT_BOOTSTRAP_PERCENTILE /* for statistics at a bound, or whose jackknife says nothing: medians of few values */
} dt_bootstrap_method;

typedef struct dt_bootstrap {
    const dt_values *groups; /* each resampled by itself; not written to */
    int64_t group_count;
    dt_estimator estimator;
    int64_t outputs;
    void *context;
    dt_bootstrap_method method;
    double confidence;
    int64_t resamples; /* DT_RESAMPLES_LEAST at least: 2000 give a 95 % interval's ends within a few per cent */
    uint64_t seed;
    uint32_t stream; /* tells bootstraps of one seed apart */
} dt_bootstrap;

enum { DT_RESAMPLES_LEAST = 100, DT_BOOTSTRAP_GROUPS_MAX = 256, DT_BOOTSTRAP_OUTPUTS_MAX = 16 };

/* Numbers of double that `scratch` must hold; 0 on overflow or sizes that are refused. */
size_t dt_bootstrap_scratch(const dt_bootstrap *bootstrap);

/* estimates[k] and intervals[k] of every output, of `outputs` elements. *failed (may be NULL): the most resamples that
 * an output had no answer for (NAN), which its interval leaves out.
 *
 * DT_INVALID: confidence, resamples or sizes out of range; a group that dt_samples_check refuses; no answer for the
 * sample itself, or for more than a tenth of its resamples. A group of one value never varies: its share of the
 * uncertainty is missing, which is the caller's to refuse. */
dt_status dt_bootstrap_run(const dt_bootstrap *bootstrap, double *scratch, double *estimates, dt_interval *intervals,
                           int64_t *failed, dt_error *error);

#endif
