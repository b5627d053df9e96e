#include "study/series.h"

#include <math.h>

#include "base/split.h"
#include "study/distribution.h"
#include "study/statistics.h"

/* Mean and sum of squared deviations of batches d .. count-1 follow from those of d + 1 (Welford 1962), from the end.
 */
int64_t dt_warmup(const double *x, int64_t n, bool *steady)
{
    const int64_t count = n / DT_WARMUP_BATCH;
    int64_t best = 0;
    double least = INFINITY, mean = 0, squares = 0;
    if (steady)
        *steady = false;
    if (n < DT_WARMUP_LEAST)
        return 0;
    for (int64_t d = count - 1; d >= 0; d--) {
        const double batch = dt_mean(x + d * DT_WARMUP_BATCH, DT_WARMUP_BATCH), from = batch - mean;
        const double rest = (double)(count - d);
        mean += from / rest;
        squares += from * (batch - mean);
        if (d <= count / 2 && squares / (rest * rest) <= least) { /* ties: leave out less */
            least = squares / (rest * rest);
            best = d;
        }
    }
    if (steady)
        *steady = best < count / 2;
    return best * DT_WARMUP_BATCH;
}

double dt_autocorrelation(const double *x, int64_t n, int64_t lag)
{
    const double mean = dt_mean(x, n);
    double together = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
        if (i + lag < n)
            together += (x[i] - mean) * (x[i + lag] - mean);
    }
    return squares > 0 ? together / squares : 0;
}

void dt_independence_of(const double *x, int64_t n, int64_t lags, dt_independence *independence)
{
    const double count = (double)n;
    if (lags == 0)
        lags = dt_max(1, dt_min(10, n / 5));
    double sum = 0;
    for (int64_t k = 1; k <= lags; k++) {
        const double r = dt_autocorrelation(x, n, k);
        sum += r * r / (double)(n - k);
    }
    const double lag1 = dt_autocorrelation(x, n, 1), q = count * (count + 2) * sum;
    *independence = (dt_independence){
        .lag1 = lag1,
        .lags = lags,
        .q = q,
        .p = dt_chi_squared_above(q, lags),
        .effective = fmin(count, count * (1 - lag1) / (1 + lag1)),
    };
}
