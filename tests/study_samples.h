/* Seeded samples for the tests of src/study. */
#ifndef DT_TESTS_STUDY_SAMPLES_H
#define DT_TESTS_STUDY_SAMPLES_H

#include <math.h>

#include "base/philox.h"
#include "study/distribution.h"

/* Number `index` of stream `stream`: standard normal, by inversion. */
static inline double normal_number(uint64_t stream, uint64_t index)
{
    return dt_normal_quantile(dt_uniform01(dt_philox(2015, DT_FOR_TEST, stream, index).u[0]));
}

/* Times are skewed: lognormal with this median and deviation of the logarithm. */
static inline void lognormal_sample(uint64_t stream, double median, double deviation, int64_t n, double *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = median * exp(deviation * normal_number(stream, (uint64_t)i));
}

#endif
