/* Sums over numbers that a watched step shows: moments, histograms, scalar products.
 *
 * Numbers come in parts, whose sums are made in the numbers' own precision, of chains which are joined: a number passes
 * through DT_CHAIN additions at most. In float32 that leaves an error of at most DT_CHAIN 2^-24 = 2e-6, usually some
 * 1e-7, of sum |x|, sum x^2, sum |x y| or sum (x - y)^2; a part whose squares or products leave float32's range (their
 * sum is below 2^-100, or isn't finite) is summed in double. Parts are joined in double.
 *
 * The same bits on every instruction set: lane c takes the numbers c, c + LANES, ... of a part in ascending order, in
 * four chains, which are joined as (0 + 2) + (1 + 3), and then lanes in halves (0 with LANES / 2, ...).
 *
 * One table for each precision behind one type: observers don't know the precision when they are compiled.
 */
#ifndef DT_KERNELS_SUMMARY_H
#define DT_KERNELS_SUMMARY_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "deltoid/experiment.h"
#include "kernels/isa.h"

enum { DT_CHAIN = 32 };

/* Of a set of numbers x: sum x, sum x^2; NaN counts in these alone. */
typedef struct dt_sums {
    double sum, square;
} dt_sums;

typedef struct dt_ends {
    double min, max; /* INFINITY and -INFINITY where there is none; never -0 */
    int64_t zeros;   /* how many are 0 */
} dt_ends;

typedef struct dt_moments {
    dt_sums sums;
    dt_ends ends;
} dt_moments;

#define DT_NO_ENDS    ((dt_ends){.min = INFINITY, .max = -INFINITY})
#define DT_NO_MOMENTS ((dt_moments){.ends = DT_NO_ENDS})

static inline void dt_sums_join(dt_sums *all, const dt_sums *more)
{
    all->sum += more->sum;
    all->square += more->square;
}

static inline void dt_ends_join(dt_ends *all, const dt_ends *more)
{
    all->min = more->min < all->min ? more->min : all->min;
    all->max = more->max > all->max ? more->max : all->max;
    all->zeros += more->zeros;
}

static inline void dt_moments_join(dt_moments *all, const dt_moments *more)
{
    dt_sums_join(&all->sums, &more->sums);
    dt_ends_join(&all->ends, &more->ends);
}

/* Keys of numbers are 0 .. DT_KEYS-1. */
enum { DT_KEYS = 256 };

/* Keys that are counted at once: they stay near, and are many beside what a call costs. */
enum { DT_KEYS_AT_ONCE = 8192 };

/* Bits of sixteen keys, as tally.h adds them up: of eight keys each, in ten planes. */
typedef uint8_t dt_counter_planes[2][10][DT_CACHE_LINE];

enum { DT_COUNTER_WINDOWS = 14, DT_WINDOW_KEYS = 16 }; /* for keys of up to 200 bins, and two more */

/* A histogram of one worker while it is counted. All zero before the first number. */
typedef struct dt_counter {
    /* What isn't counted yet. Where keys are counted one array at a time: keys, and how many there are. Else windows of
     * sixteen keys each, and how many vectors of keys they have seen: of linear keys all, of exponents (of numbers,
     * biased) the one from `first` on and, where it is `deep`, the one below. */
    union {
        _Alignas(DT_CACHE_LINE) uint8_t key[DT_KEYS_AT_ONCE];
        _Alignas(DT_CACHE_LINE) dt_counter_planes window[DT_COUNTER_WINDOWS];
    };
    int64_t kept;
    int64_t vectors[DT_COUNTER_WINDOWS];
    int64_t first;
    bool deep;

    int edge_key;
    double edge; /* the least number of that key */

    uint32_t count[4][DT_KEYS]; /* four tables, so that equal neighbours don't wait for each other: their sum, modulo
                                   2^32, is how often a key came */
} dt_counter;

/* A histogram_spec, ready to make keys. */
typedef struct dt_bins {
    double low, count, per; /* per: bins / (high - low) */
    int first, above;       /* powers of two: log_low; the last key */
} dt_bins;

static inline dt_bins dt_bins_of(const dt_histogram_spec *spec)
{
    return (dt_bins){.low = spec->low,
                     .count = (double)spec->bins,
                     .per = (double)spec->bins / (spec->high - spec->low),
                     .first = (int)spec->log_low,
                     .above = (int)(spec->log_high - spec->log_low + 2)};
}

/* `count` parts, each of `rows` <= DT_CHAIN rows of n <= lanes numbers side by side: row r of part p lies p apart + r
 * stride numbers behind x. */
typedef struct dt_parts {
    const void *x;
    int64_t count, apart, rows, n, stride;
} dt_parts;

/* What is made of parts beside their moments; NULL where it isn't wanted. */
typedef struct dt_survey {
    const dt_bins *bins; /* of both histograms: */
    dt_counter *linear, *log;
    void *before;    /* numbers as x's, whose rows then follow each other, 0 in lanes that x hasn't: becomes x, and with
                        what it was before */
    double *product; /* sum x before is product[p] */
} dt_survey;

typedef struct dt_summaries {
    int64_t lanes;

    /* Of `rows` rows of n <= lanes numbers side by side, row r at x + r * stride numbers: joined into *all, and number
     * c of the rows into unit[c]; either may be NULL. */
    void (*moments)(int64_t rows, int64_t n, const void *x, int64_t stride, dt_moments *all, dt_moments *unit);

    /* Sums of part p (of the same bits) to sums[p], what else belongs to the moments joined into *ends, and what else
     * is wanted. */
    void (*survey)(const dt_parts *parts, const dt_survey *wanted, dt_sums *sums, dt_ends *ends);

    /* Equal bins between low and high: key 0 below low, 1 + floor((x - low) bins / (high - low)), bins + 1 from high
     * on; computed in the numbers' own precision. NaN: bins + 1. */
    void (*keys)(int64_t n, const void *x, const dt_bins *bins, uint8_t *key);

    /* Powers of two: key 0 for zeros, 1 below 2^log_low, 2 + n for 2^(log_low + n) <= |x| < 2^(log_low + n + 1), and
     * one more from 2^log_high on and for NaN. */
    void (*log_keys)(int64_t n, const void *x, const dt_bins *bins, uint8_t *key);

    /* Counts what a tally has kept, whose bins these are: then its counts are complete. The more different keys the
     * longer it takes, but key 0 costs nothing, wherever the others lie. */
    void (*count)(dt_counter *tally, const dt_bins *bins);

    /* sum x y; and of `count` parts of n numbers, one after the other, to sum[p]: sum (x - y)^2, and what a step W <- W
     * + rate g would change, the distance between both W. */
    double (*dot)(int64_t n, const void *x, const void *y);
    void (*distances)(int64_t count, int64_t n, const void *x, const void *y, double *sum);
    void (*moves)(int64_t count, int64_t n, double rate, const void *g, const void *W, double *sum);
} dt_summaries;

const dt_summaries *dt_summaries_of(dt_precision precision);

#endif
