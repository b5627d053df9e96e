/* Least squares of a law's throughput over gamma, sigma >= 0 and kappa >= 0 (study/law.h). */
#ifndef DT_STUDY_SQUARES_H
#define DT_STUDY_SQUARES_H

#include <stdint.h>

#include "study/law.h"

/* Workers p[i] and throughput x[i] of `count` points. */
typedef struct dt_law_data {
    double p[DT_LAW_POINTS_MAX], x[DT_LAW_POINTS_MAX];
    int64_t count;
} dt_law_data;

/* Sets gamma, sigma, kappa and at_bound of *fit. Never fails: sigma = kappa = 0 is always a candidate. */
void dt_law_least_squares(const dt_law *law, const dt_law_data *data, dt_fit *fit);

#endif
