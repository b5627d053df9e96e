/* Sums over numbers that a watched step shows: moments, histograms, scalar products. In double precision whatever the
 * numbers' own, so that a step's 10^6 numbers lose nothing that could be seen.
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

/* Numbers whose keys are made and counted at once: they stay in the nearest cache, and are many beside what a call
 * costs. */
enum { DT_KEYS_AT_ONCE = 2048 };

typedef struct dt_summaries {
    int64_t lanes;

    /* Of `rows` rows of n <= lanes numbers side by side, row r at x + r * stride numbers: joined into *all, and number
     * c of the rows into unit[c]; either may be NULL. */
    void (*moments)(int64_t rows, int64_t n, const void *x, int64_t stride, dt_moments *all, dt_moments *unit);

    /* Equal bins between low and high: key 0 below low, 1 + floor((x - low) bins / (high - low)), bins + 1 from high
     * on; computed in the numbers' own precision. NaN: bins + 1. */
    void (*keys)(int64_t n, const void *x, const dt_histogram_spec *bins, uint8_t *key);

    /* Powers of two: key 0 for zeros, 1 below 2^log_low, 2 + n for 2^(log_low + n) <= |x| < 2^(log_low + n + 1), and
     * one more from 2^log_high on. */
    void (*log_keys)(int64_t n, const void *x, const dt_histogram_spec *bins, uint8_t *key);

    /* Counts n keys. Few different ones, as most numbers of a block have, are compared with all keys at
     * once; one that many may have (that of 0) is told as `usual`, and need not be near the others. */
    void (*tally)(int64_t n, const uint8_t *key, int usual, uint32_t *tally); /* [DT_TALLY] */

    /* sum x y, and sum (x - y)^2; and sum x y where y becomes x. */
    double (*dot)(int64_t n, const void *x, const void *y);
    double (*distance)(int64_t n, const void *x, const void *y);
    double (*dot_keep)(int64_t n, const void *x, void *y);
} dt_summaries;

const dt_summaries *dt_summaries_of(dt_precision precision);

#endif
