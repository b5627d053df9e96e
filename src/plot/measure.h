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

/* Any numbers of a step, (step, column) or (step, row, column): the smallest and the largest finite one, the number of
 * finite ones, and the counts of DT_BINS bins of equal width between them. */
enum { DT_BINS = 64, DT_HISTOGRAM_NUMBERS = 3 + DT_BINS };
bool dt_take_histogram(const dt_moment *moment, double *values);

/* Of one unit, (step, sample, unit): minimum, quartile, median, quartile, maximum over samples (numpy's linear
 * interpolation). Nothing where the layer has no such unit. */
enum { DT_UNIT_NUMBERS = 5 };
bool dt_take_unit(const dt_moment *moment, double *values);

/* Of one unit, (step, unit, input): the Euclidean norm of its row. */
bool dt_take_unit_norm(const dt_moment *moment, double *values);

/* Of one unit, (step, unit): its number. */
bool dt_take_unit_number(const dt_moment *moment, double *values);

#endif
