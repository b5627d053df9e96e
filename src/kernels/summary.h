/* Sums over numbers that a watched step shows: moments, histograms, scalar products.
 *
 * Sums are made of chains in the numbers' own precision, of at most DT_CHAIN additions a lane, which are widened and
 * joined in double. In float32 that leaves an error of at most DT_CHAIN 2^-24 = 2e-6, usually some 1e-7, of sum |x|,
 * sum x^2, sum |x y| or sum (x - y)^2; where squares would leave float32's range (the largest |x| of a chain's numbers
 * below 2^-50 or above 2^56) or a number isn't finite, they are summed in double. In float64 chains change nothing but
 * the order.
 *
 * The same bits on every instruction set: lanes never mix before the end, lane c takes the numbers c, c + LANES, ... in
 * ascending order, and lanes are joined in halves (0 with LANES / 2, ...).
 *
 * One table for each precision behind one type: observers don't know the precision when they are compiled.
 */
#ifndef DT_KERNELS_SUMMARY_H
#define DT_KERNELS_SUMMARY_H

#include <math.h>
#include <stdint.h>

#include "deltoid/experiment.h"
#include "kernels/isa.h"

enum { DT_CHAIN = 32 };

/* Of a set of numbers x. NaN counts in sum and square alone. */
typedef struct dt_moments {
    double sum, square; /* sum x, sum x^2 */
    double min, max;    /* INFINITY and -INFINITY where there is none; never -0 */
    int64_t zeros;      /* how many are 0 */
} dt_moments;

#define DT_NO_MOMENTS ((dt_moments){.min = INFINITY, .max = -INFINITY})

static inline void dt_moments_join(dt_moments *all, const dt_moments *more)
{
    all->sum += more->sum;
    all->square += more->square;
    all->min = more->min < all->min ? more->min : all->min;
    all->max = more->max > all->max ? more->max : all->max;
    all->zeros += more->zeros;
}

/* Keys of numbers, 0 .. DT_KEYS-1, and the tables that count them: four, so that equal neighbours don't wait for each
 * other; a key's count is the sum of the four. */
enum { DT_KEYS = 256, DT_TALLY = 4 * DT_KEYS };

/* Keys that are counted at once: they stay near, and are many beside what a call costs. */
enum { DT_KEYS_AT_ONCE = 8192 };

/* A histogram_spec, ready to make keys. */
typedef struct dt_bins {
    double low, count, per; /* per: bins / (high - low) */
    int first, above;       /* powers of two: log_low; the last key, */
    double most;            /* that of numbers from here on */
} dt_bins;

static inline dt_bins dt_bins_of(const dt_histogram_spec *spec)
{
    return (dt_bins){.low = spec->low,
                     .count = (double)spec->bins,
                     .per = (double)spec->bins / (spec->high - spec->low),
                     .first = (int)spec->log_low,
                     .above = (int)(spec->log_high - spec->log_low + 2),
                     .most = ldexp(1, (int)spec->log_high)};
}

/* `count` parts, each of `rows` <= DT_CHAIN rows of n <= lanes numbers side by side: row r of part p lies p apart + r
 * stride numbers behind x. */
typedef struct dt_parts {
    const void *x;
    int64_t count, apart, rows, n, stride;
} dt_parts;

/* What is made of parts beside their moments; NULL where it isn't wanted. Of a part's rows * lanes keys those of lanes
 * without a number are keys of 0; they come part by part, within one in any order. */
typedef struct dt_survey {
    const dt_bins *bins; /* where keys are wanted */
    uint8_t *key, *log_key;
    void *before;    /* numbers as x's, whose rows then follow each other: becomes x, and with what it was before */
    double *product; /* sum x before is product[p] */
} dt_survey;

typedef struct dt_summaries {
    int64_t lanes;

    /* Of `rows` rows of n <= lanes numbers side by side, row r at x + r * stride numbers: joined into *all, and number
     * c of the rows into unit[c]; either may be NULL. */
    void (*moments)(int64_t rows, int64_t n, const void *x, int64_t stride, dt_moments *all, dt_moments *unit);

    /* Those of part p (of the same bits) to moments[p], and what else is wanted, in one pass. */
    void (*survey)(const dt_parts *parts, const dt_survey *wanted, dt_moments *moments);

    /* Equal bins between low and high: key 0 below low, 1 + floor((x - low) bins / (high - low)), bins + 1 from high
     * on; computed in the numbers' own precision. NaN: bins + 1. */
    void (*keys)(int64_t n, const void *x, const dt_bins *bins, uint8_t *key);

    /* Powers of two: key 0 for zeros, 1 below 2^log_low, 2 + n for 2^(log_low + n) <= |x| < 2^(log_low + n + 1), and
     * one more from 2^log_high on and for NaN. */
    void (*log_keys)(int64_t n, const void *x, const dt_bins *bins, uint8_t *key);

    /* Counts n <= DT_KEYS_AT_ONCE keys of an array of DT_KEYS_AT_ONCE, what lies behind them is overwritten. The more
     * different keys the longer it takes, but key 0 costs nothing, wherever the others lie. */
    void (*tally)(int64_t n, uint8_t *key, uint32_t *tally); /* [DT_TALLY] */

    /* sum x y; and of `count` parts of n numbers, one after the other, sum (x - y)^2 to sum[p]. */
    double (*dot)(int64_t n, const void *x, const void *y);
    void (*distances)(int64_t count, int64_t n, const void *x, const void *y, double *sum);
} dt_summaries;

const dt_summaries *dt_summaries_of(dt_precision precision);

#endif
