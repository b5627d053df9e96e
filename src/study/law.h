/* Laws of scaling, fitted to measured points: Amdahl's, Gustafson's, Gunther's Universal Scalability Law.
 *
 *     throughput of p workers  X(p) = gamma p C(p),   with one worker gamma = X(1)
 *
 *     amdahl     C = 1 / (1 + sigma (p - 1))                       sigma: serial fraction            (Amdahl 1967)
 *     usl        C = 1 / (1 + sigma (p - 1) + kappa p (p - 1))     sigma: contention, kappa: coherency  (Gunther,
 * "Guerrilla capacity planning", 2007, chapters 4 and 5) gustafson  C = (1 - sigma) + sigma / p sigma: serial share, of
 * weak scaling (Gustafson 1988)
 *
 * Fits are least squares of the throughput over medians, gamma free, sigma and kappa not negative: a worse fit with
 * kappa = 0 is better than a better one with a negative kappa, which has poles. Rules of study/rules.h: parameters have
 * bootstrap intervals (5), under 4 numbers of workers there is no fit, predictions outside the measured range say so
 * (12). An interval is the sampling error of the points: it holds if the law does. `residual` says how well it does.
 *
 * To add a law: a line in law.c's table. Nothing here allocates.
 */
#ifndef DT_STUDY_LAW_H
#define DT_STUDY_LAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "study/scaling.h"

enum { DT_LAW_POINTS_LEAST = 4, DT_LAW_POINTS_MAX = 256, DT_LAW_SAMPLES = 5 };

typedef struct dt_law {
    const char *name;                                                      /* "usl" */
    const char *equation;                                                  /* in words for a legend */
    dt_scaling scaling;                                                    /* of the points it is for */
    bool kappa;                                                            /* has one */
    double (*relative)(double p, double sigma, double kappa);              /* C(p) */
    void (*slopes)(double p, double sigma, double kappa, double slope[2]); /* dC/dsigma, dC/dkappa */
} dt_law;

/* NULL past the last; NULL for an unknown name. */
const dt_law *dt_law_at(size_t i);
const dt_law *dt_law_find(const char *name);

typedef struct dt_fit {
    const dt_law *law;
    double gamma, sigma, kappa; /* gamma: steps (or whatever the work is) a second of one worker */
    double peak_workers;        /* where X is largest: sqrt((1 - sigma) / kappa); INFINITY where it has no peak */
    double peak_speedup;        /* X(peak) / gamma; the limit (1 / sigma, INFINITY) where it has no peak */
    double residual;            /* root of the mean square of (measured - fitted) / measured */
    int64_t least, most;        /* workers of the points that it was fitted to */
    int64_t points;
    bool at_bound; /* sigma or kappa would have been negative: it is 0 */
    /* dt_fit_intervals sets these; else NAN */
    dt_interval gamma_interval, sigma_interval, kappa_interval, peak_workers_interval;
    int64_t failed; /* resamples without a fit */
} dt_fit;

/* X of each number of workers, throughput[i] > 0 of workers[i] >= 1.
 * DT_INVALID: fewer than DT_LAW_POINTS_LEAST numbers of workers, a number twice, values out of range. The message says
 * how many there are and what to do. */
dt_status dt_fit_throughput(const dt_law *law, const int64_t *workers, const double *throughput, int64_t count,
                            dt_fit *fit, dt_error *error);

/* The same of points: X = 1 / median seconds (weak scaling: p / median), oversubscribed points left out. No intervals.
 * `scratch`: dt_fit_scratch. */
dt_status dt_fit_points(const dt_law *law, const dt_scaling_point *points, int64_t count, double *scratch, dt_fit *fit,
                        dt_error *error);

/* Percentile bootstrap, each point's samples resampled by themselves. DT_INVALID as well where a point has fewer than
 * DT_LAW_SAMPLES samples. */
dt_status dt_fit_intervals(const dt_law *law, const dt_scaling_point *points, int64_t count, double confidence,
                           int64_t resamples, uint64_t seed, double *scratch, dt_fit *fit, dt_error *error);

/* Doubles of scratch for both; 0 on overflow or sizes that are refused. */
size_t dt_fit_scratch(const dt_scaling_point *points, int64_t count, int64_t resamples);

typedef struct dt_extrapolation {
    double throughput, speedup, efficiency; /* X, X / gamma, X / (gamma p) */
    bool extrapolated;                      /* p is outside least .. most: dashed in a plot, labelled in a table */
    double beyond;                          /* p / most where it is over, least / p where it is under, else 1 */
} dt_extrapolation;

/* What the fit says of p >= 1 workers. */
dt_extrapolation dt_fit_at(const dt_fit *fit, double p);

#endif
