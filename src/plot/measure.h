/* Measures: what is taken of a data set of a capture, step by step, in the confined child of capture.c. Each is one row
 * of a kind's table of sources; to add one, write its function here.
 */
#ifndef DT_PLOT_MEASURE_H
#define DT_PLOT_MEASURE_H

#include "plot/figures.h"

/* A step of an opened data set, and of the one beside it (closed where the measure has none, or it isn't there). */
typedef struct dt_moment {
    const dt_number_set *set, *beside;
    int64_t step, unit;
    double *numbers; /* room for DT_NUMBERS_MAX */
} dt_moment;

typedef struct dt_measure {
    const char *set; /* in the layer's group: "delta" */
    int rank;        /* its dimensions, with that of the steps */
    /* Fills the figure's numbers, which are NaN before; false where something can't be read. */
    bool (*take)(const dt_moment *moment, double *values);
    const char *beside; /* another data set; NULL: none. Without it the layer has no such figure */
    int beside_rank;
    int beside_before; /* of the layer so many before: 1 for a^{l-1} */
    bool integers;     /* the set's numbers */
} dt_measure;

/* (step): the number itself. */
bool dt_take_number(const dt_moment *moment, double *values);

/* (step, row, column), rows of NaN alone left out: samples that a short minibatch doesn't have.
 * norm: the mean of the rows' Euclidean norms. frobenius: of the whole matrix. zeros: the share of numbers that are 0.
 * sizes: mean of the absolute values, mean norm of a row, largest absolute value. */
bool dt_take_norm(const dt_moment *moment, double *values);
bool dt_take_frobenius(const dt_moment *moment, double *values);
bool dt_take_zeros(const dt_moment *moment, double *values);
bool dt_take_sizes(const dt_moment *moment, double *values);

/* a (step, sample, unit): mean and standard deviation over samples and units; the share of units that are 0 on all
 * samples (dead, as far as these tell); the share of |a| > DT_SATURATED; the share of |a| < 1 - DT_SATURATED, where
 * sigmoid saturates too. */
#define DT_SATURATED 0.97
enum { DT_ACTIVATION_NUMBERS = 5 };
bool dt_take_activations(const dt_moment *moment, double *values);

/* delta^l (step, sample, unit) beside a^{l-1}: of the n samples' own gradients g_i of W^l and b^l, n; the mean of
 * |g_i|^2; |mean of g_i|^2. By (5), g_i . g_j = (delta_i . delta_j)(a_i . a_j + 1): no gradient is formed. Samples from
 * DT_NOISE_SAMPLES on are left out. */
enum { DT_NOISE_NUMBERS = 3, DT_NOISE_SAMPLES = 512 };
bool dt_take_noise(const dt_moment *moment, double *values);

/* A histogram of a step: how many bins, at most DT_BINS_MAX; how many numbers, also outside of the bins; the bins'
 * edges, one more than bins, ascending; how many numbers are in each bin, from DT_HISTOGRAM_COUNTS on. Nothing where
 * there is no number. histogram: of (step, column) or (step, row, column), all finite numbers, in DT_BINS bins of equal
 * width between the smallest and the largest. counts, log_counts: of (step, bin), as they were captured between the
 * edges that an attribute has; the first bin and the last, which have one edge, are left out, and of log_counts that of
 * zeros. The edges of log_counts become their logarithms to base 2. */
enum {
    DT_BINS = 64,
    DT_BINS_MAX = 256,
    DT_HISTOGRAM_BINS = 0,
    DT_HISTOGRAM_ALL,
    DT_HISTOGRAM_EDGES,
    DT_HISTOGRAM_COUNTS = DT_HISTOGRAM_EDGES + DT_BINS_MAX + 1,
    DT_HISTOGRAM_NUMBERS = DT_HISTOGRAM_COUNTS + DT_BINS_MAX
};
bool dt_take_histogram(const dt_moment *moment, double *values);
bool dt_take_counts(const dt_moment *moment, double *values);
bool dt_take_log_counts(const dt_moment *moment, double *values);

/* (step, unit), shares of zeros: the share of units that are 0 throughout. */
bool dt_take_dead(const dt_moment *moment, double *values);

/* Of one unit, (step, sample, unit): minimum, quartile, median, quartile, maximum over samples (numpy's linear
 * interpolation). Nothing where the layer has no such unit. */
enum { DT_UNIT_NUMBERS = 5 };
bool dt_take_unit(const dt_moment *moment, double *values);

/* Of one unit, (step, unit, input): the Euclidean norm of its row. */
bool dt_take_unit_norm(const dt_moment *moment, double *values);

/* Of one unit, (step, unit): its number. */
bool dt_take_unit_number(const dt_moment *moment, double *values);

#endif
