#include "study/squares.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* gamma is linear: for given sigma and kappa it has a closed form, which leaves a search over two parameters (variable
 * projection, Golub and Pereyra 1973). */
static double best_gamma(const dt_law *law, const dt_law_data *d, const double at[2])
{
    double xf = 0, ff = 0;
    for (int64_t i = 0; i < d->count; i++) {
        const double f = d->p[i] * law->relative(d->p[i], at[0], at[1]);
        xf += d->x[i] * f;
        ff += f * f;
    }
    return xf / ff;
}

static double squares(const dt_law *law, const dt_law_data *d, const double at[2])
{
    const double gamma = best_gamma(law, d, at);
    double sum = 0;
    for (int64_t i = 0; i < d->count; i++) {
        const double r = d->x[i] - gamma * d->p[i] * law->relative(d->p[i], at[0], at[1]);
        sum += r * r;
    }
    return sum;
}

/* Solves the n x n system m x = v, symmetric, by elimination with pivots; false where it is singular. */
static bool solve(int n, double m[3][3], double v[3])
{
    for (int k = 0; k < n; k++) {
        int pivot = k;
        for (int i = k + 1; i < n; i++)
            if (fabs(m[i][k]) > fabs(m[pivot][k]))
                pivot = i;
        if (!(fabs(m[pivot][k]) > 1e-14)) /* rows are scaled to a diagonal of 1 */
            return false;
        for (int j = 0; j < n; j++) {
            const double moved = m[k][j];
            m[k][j] = m[pivot][j];
            m[pivot][j] = moved;
        }
        const double moved = v[k];
        v[k] = v[pivot];
        v[pivot] = moved;
        for (int i = k + 1; i < n; i++) {
            const double factor = m[i][k] / m[k][k];
            for (int j = k; j < n; j++)
                m[i][j] -= factor * m[k][j];
            v[i] -= factor * v[k];
        }
    }
    for (int k = n - 1; k >= 0; k--) {
        for (int j = k + 1; j < n; j++)
            v[k] -= m[k][j] * v[j];
        v[k] /= m[k][k];
    }
    return true;
}

/* One step of Levenberg's and Marquardt's method over gamma and the free ones of sigma, kappa: what to add to them. */
static bool lm_step(const dt_law *law, const dt_law_data *d, const double at[2], const bool free[2], double lambda,
                    double step[2])
{
    const double gamma = best_gamma(law, d, at);
    double m[3][3] = {{0}}, v[3] = {0}, scale[3];
    int which[3] = {-1, 0, 0}, n = 1;
    for (int k = 0; k < 2; k++)
        if (free[k])
            which[n++] = k;
    for (int64_t i = 0; i < d->count; i++) {
        double slope[2], g[3];
        const double c = law->relative(d->p[i], at[0], at[1]), r = d->x[i] - gamma * d->p[i] * c;
        law->slopes(d->p[i], at[0], at[1], slope);
        g[0] = d->p[i] * c;
        for (int k = 1; k < n; k++)
            g[k] = gamma * d->p[i] * slope[which[k]];
        for (int k = 0; k < n; k++) {
            v[k] += g[k] * r;
            for (int j = 0; j < n; j++)
                m[k][j] += g[k] * g[j];
        }
    }
    for (int k = 0; k < n; k++)
        if (!((scale[k] = sqrt(m[k][k])) > 0))
            return false;
    for (int k = 0; k < n; k++) {
        v[k] /= scale[k];
        for (int j = 0; j < n; j++)
            m[k][j] /= scale[k] * scale[j];
        m[k][k] += k ? lambda : 0; /* gamma follows by itself */
    }
    if (!solve(n, m, v))
        return false;
    step[0] = step[1] = 0;
    for (int k = 1; k < n; k++)
        step[which[k]] = v[k] / scale[k];
    return true;
}

/* From `at` to the nearest least of the squares, with those of sigma and kappa that are free. */
static double descend(const dt_law *law, const dt_law_data *d, const bool free[2], double at[2])
{
    double least = squares(law, d, at), lambda = 1e-3;
    for (int i = 0; i < 500 && lambda < 1e12; i++) {
        double step[2];
        if (!lm_step(law, d, at, free, lambda, step))
            break;
        const double next[2] = {at[0] + step[0], at[1] + step[1]}, there = squares(law, d, next);
        /* p C(p) > 0 everywhere: the search doesn't jump over a pole */
        bool sane = isfinite(there);
        for (int64_t k = 0; k < d->count; k++)
            sane = sane && law->relative(d->p[k], next[0], next[1]) > 0;
        if (!sane || there > least) {
            lambda *= 4;
            continue;
        }
        const bool done =
            fabs(step[0]) <= 1e-13 * (1e-6 + fabs(at[0])) && fabs(step[1]) <= 1e-13 * (1e-9 + fabs(at[1]));
        memcpy(at, next, sizeof next);
        least = there;
        lambda = fmax(lambda / 8, 1e-15);
        if (done)
            break;
    }
    return least;
}

/* The best of those with any of sigma and kappa held at 0 in which none is negative. Without either there always is
 * one. */
void dt_law_least_squares(const dt_law *law, const dt_law_data *data, dt_fit *fit)
{
    double least = INFINITY;
    fit->sigma = fit->kappa = 0;
    for (int held = 0; held < 4; held++) {
        const bool free[2] = {!(held & 1), law->kappa && !(held & 2)};
        double at[2] = {free[0] ? 0.05 : 0, free[1] ? 1e-4 : 0};
        if (!law->kappa && (held & 2))
            continue;
        const double sum = free[0] || free[1] ? descend(law, data, free, at) : squares(law, data, at);
        if (at[0] < 0 || at[1] < 0 || sum >= least)
            continue;
        least = sum;
        fit->sigma = at[0];
        fit->kappa = at[1];
        fit->at_bound = held != 0;
    }
    fit->gamma = best_gamma(law, data, (const double[2]){fit->sigma, fit->kappa});
}
