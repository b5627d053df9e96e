/* The mean of a few numbers, as of one result over seeds, and what it is uncertain by. */
#ifndef DT_PLOT_INTERVAL_H
#define DT_PLOT_INTERVAL_H

#include <stddef.h>

/* Student's t for a two-sided 95 % interval; freedom >= 1. */
double dt_t_95(size_t freedom);

/* Mean of the finite ones of `count` numbers and half the width of its 95 % interval; returns how many are finite. NaN
 * where there are none, or for the interval fewer than two. The interval is right for normally distributed numbers. */
size_t dt_mean_interval(const double *x, size_t count, double *mean, double *half);

#endif
