#include "plot/interval.h"

#include <math.h>

/* Exact to 4 digits up to 10 degrees of freedom, by Cornish and Fisher's expansion above (Abramowitz and
 * Stegun 26.7.5).
 */
double dt_t_95(size_t freedom)
{
    static const double table[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281};
    const double z = 1.959963985, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z, n = (double)freedom;
    if (freedom <= sizeof table / sizeof *table)
        return table[freedom - 1];
    return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n);
}

size_t dt_mean_interval(const double *x, size_t count, double *mean, double *half)
{
    size_t finite = 0;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(x[i])) {
            sum += x[i];
            finite++;
        }
    *mean = finite ? sum / (double)finite : NAN;
    for (size_t i = 0; i < count; i++)
        if (isfinite(x[i]))
            squares += (x[i] - *mean) * (x[i] - *mean);
    *half = finite > 1 ? dt_t_95(finite - 1) * sqrt(squares / (double)(finite - 1) / (double)finite) : NAN;
    return finite;
}
