/* Scaling: how much faster p workers are than a base, with intervals, and what is lost.
 *
 * Rules of study/rules.h: a speed-up never goes without its base and the base's absolute time (1); medians' ratio, not
 * the median of ratios, with an interval (4, 5); efficiency and ideal beside it (11).
 *
 * Strong: the same work on p workers,  S = T_base / T_p,  efficiency E = S / p.
 * Weak: p times the work,              S = p T_base / T_p (scaled speed-up), E = S / p = T_base / T_p.
 *
 * Nothing here allocates.
 */
#ifndef DT_STUDY_SCALING_H
#define DT_STUDY_SCALING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "study/bootstrap.h"

typedef enum dt_scaling { DT_SCALING_STRONG, DT_SCALING_WEAK } dt_scaling;

/* What a speed-up is against. */
typedef enum dt_speedup_base {
    DT_BASE_ONE_WORKER, /* the same parallel program with one worker */
    DT_BASE_BEST_SERIAL /* the fastest there is without parallelism */
} dt_speedup_base;

/* "one worker of the same program", "best serial program" */
const char *dt_speedup_base_name(dt_speedup_base base);

/* The times of one number of workers. `seconds` positive, of the same amount of work each (weak: of p times). */
typedef struct dt_scaling_point {
    int64_t workers;
    dt_values seconds;
    bool oversubscribed; /* more workers than processors: shown, and left out of fits */
} dt_scaling_point;

typedef struct dt_speedup {
    dt_speedup_base base;
    double base_seconds, seconds; /* medians */
    double speedup, efficiency;
    double serial_fraction; /* Karp and Flatt (1990): e = (1/S - 1/p) / (1 - 1/p); NAN for p = 1, and of weak scaling */
    dt_interval speedup_interval, efficiency_interval, serial_fraction_interval; /* NAN as their value */
    bool intervals; /* false: the base or the point has under DT_SPEEDUP_SAMPLES samples; the intervals are NAN */
} dt_speedup;

enum { DT_SPEEDUP_SAMPLES = 5 };

typedef struct dt_speedup_options {
    dt_scaling scaling;
    dt_speedup_base base;
    double confidence;
    int64_t resamples;
    uint64_t seed;
} dt_speedup_options;

/* Doubles of scratch; 0 on overflow or sizes that are refused. */
size_t dt_speedup_scratch(int64_t base_count, int64_t count, int64_t resamples);

/* The point against the base. Where both have DT_SPEEDUP_SAMPLES, intervals are percentile bootstraps of the ratio of
 * medians, both resampled; those of E and e follow, as both are monotone in S. Of a point against itself S = 1 exactly.
 * DT_INVALID: empty, not finite or not positive samples, workers < 1, options out of range. */
dt_status dt_speedup_of(const dt_values *base, const dt_scaling_point *point, const dt_speedup_options *options,
                        double *scratch, dt_speedup *speedup, dt_error *error);

/* (1/S - 1/p) / (1 - 1/p); under 0 where S > p. NAN for p < 2. A serial fraction that grows with p is overhead, one
 * that stays is serial work (Karp and Flatt, "Measuring parallel processor performance", CACM 33(5), 1990). */
double dt_karp_flatt(double speedup, int64_t workers);

/* (p - S) / (p - 1) of a scaled speed-up: Gustafson's (1988) serial share of the parallel run. NAN for p < 2. */
double dt_gustafson_serial(double scaled_speedup, int64_t workers);

/* Load imbalance: largest / mean of n >= 1 workers' busy seconds; 1 is none. The share of all workers' time that it
 * costs is 1 - 1 / imbalance. 1 where nobody was busy. */
double dt_imbalance(const double *busy, int64_t n);

#endif
