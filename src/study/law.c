#include "study/law.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static double usl(double p, double sigma, double kappa)
{
    return 1 / (1 + sigma * (p - 1) + kappa * p * (p - 1));
}

static void usl_slopes(double p, double sigma, double kappa, double slope[2])
{
    const double c = usl(p, sigma, kappa);
    slope[0] = -c * c * (p - 1);
    slope[1] = -c * c * p * (p - 1);
}

static double gustafson(double p, double sigma, double kappa)
{
    (void)kappa;
    return 1 - sigma + sigma / p;
}

static void gustafson_slopes(double p, double sigma, double kappa, double slope[2])
{
    (void)sigma, (void)kappa;
    slope[0] = 1 / p - 1;
    slope[1] = 0;
}

/* To add a law, name it here. Amdahl's is the USL without kappa. */
static const dt_law table[] = {
    {"amdahl", "X = gamma p / (1 + sigma (p - 1))", DT_SCALING_STRONG, false, usl, usl_slopes},
    {"usl", "X = gamma p / (1 + sigma (p - 1) + kappa p (p - 1))", DT_SCALING_STRONG, true, usl, usl_slopes},
    {"gustafson", "X = gamma (p - sigma (p - 1))", DT_SCALING_WEAK, false, gustafson, gustafson_slopes},
};

const dt_law *dt_law_at(size_t i)
{
    return i < sizeof table / sizeof *table ? &table[i] : NULL;
}

const dt_law *dt_law_find(const char *name)
{
    const dt_law *law;
    for (size_t i = 0; (law = dt_law_at(i)); i++)
        if (strcmp(law->name, name) == 0)
            return law;
    return NULL;
}

/* --- least squares --- */

typedef struct data {
    double p[DT_LAW_POINTS_MAX], x[DT_LAW_POINTS_MAX]; /* workers, throughput */
    int64_t count;
} data;

/* gamma is linear: for given sigma and kappa it has a closed form, which leaves a search over two parameters (variable
 * projection, Golub and Pereyra 1973). */
static double best_gamma(const dt_law *law, const data *d, const double at[2])
{
    double xf = 0, ff = 0;
    for (int64_t i = 0; i < d->count; i++) {
        const double f = d->p[i] * law->relative(d->p[i], at[0], at[1]);
        xf += d->x[i] * f;
        ff += f * f;
    }
    return xf / ff;
}

static double squares(const dt_law *law, const data *d, const double at[2])
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
static bool lm_step(const dt_law *law, const data *d, const double at[2], const bool free[2], double lambda,
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
static double descend(const dt_law *law, const data *d, const bool free[2], double at[2])
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
static void search(const dt_law *law, const data *d, dt_fit *fit)
{
    double least = INFINITY;
    fit->sigma = fit->kappa = 0;
    for (int held = 0; held < 4; held++) {
        const bool free[2] = {!(held & 1), law->kappa && !(held & 2)};
        double at[2] = {free[0] ? 0.05 : 0, free[1] ? 1e-4 : 0};
        if (!law->kappa && (held & 2))
            continue;
        const double sum = free[0] || free[1] ? descend(law, d, free, at) : squares(law, d, at);
        if (at[0] < 0 || at[1] < 0 || sum >= least)
            continue;
        least = sum;
        fit->sigma = at[0];
        fit->kappa = at[1];
        fit->at_bound = held != 0;
    }
    fit->gamma = best_gamma(law, d, (const double[2]){fit->sigma, fit->kappa});
}

static void find_peak(dt_fit *fit)
{
    const double sigma = fit->sigma, kappa = fit->kappa;
    if (fit->law->scaling == DT_SCALING_WEAK) {
        fit->peak_workers = fit->peak_speedup = sigma < 1 ? INFINITY : 1;
    } else if (kappa > 0) {
        fit->peak_workers = fmax(1, sqrt(fmax(0, 1 - sigma) / kappa));
        fit->peak_speedup = fit->peak_workers * fit->law->relative(fit->peak_workers, sigma, kappa);
    } else {
        fit->peak_workers = sigma <= 1 ? INFINITY : 1;
        fit->peak_speedup = sigma > 1 ? 1 : sigma > 0 ? 1 / sigma : INFINITY;
    }
}

static void fit_data(const dt_law *law, const data *d, dt_fit *fit)
{
    const dt_interval none = {NAN, NAN, NAN};
    *fit = (dt_fit){.law = law, .points = d->count, .least = INT64_MAX};
    fit->gamma_interval = fit->sigma_interval = fit->kappa_interval = fit->peak_workers_interval = none;
    search(law, d, fit);
    find_peak(fit);
    for (int64_t i = 0; i < d->count; i++) {
        const double r = 1 - dt_fit_at(fit, d->p[i]).throughput / d->x[i];
        fit->residual += r * r / (double)d->count;
        fit->least = d->p[i] < (double)fit->least ? (int64_t)d->p[i] : fit->least;
        fit->most = d->p[i] > (double)fit->most ? (int64_t)d->p[i] : fit->most;
    }
    fit->residual = sqrt(fit->residual);
}

static dt_status check_data(const dt_law *law, const data *d, dt_error *error)
{
    if (d->count < DT_LAW_POINTS_LEAST)
        return dt_fail(error, DT_INVALID,
                       "a fit of %s to %" PRId64
                       " number%s of workers; it takes at least %d (oversubscribed ones don't "
                       "count): measure more, or on a machine with more cores",
                       law->name, d->count, d->count == 1 ? "" : "s", DT_LAW_POINTS_LEAST);
    for (int64_t i = 0; i < d->count; i++) {
        if (!(d->p[i] >= 1) || !(d->x[i] > 0) || !isfinite(d->x[i]))
            return dt_fail(error, DT_INVALID,
                           "a fit of %s to %g of %g workers; throughput is over 0, workers at least 1", law->name,
                           d->x[i], d->p[i]);
        for (int64_t j = 0; j < i; j++)
            if (d->p[i] == d->p[j])
                return dt_fail(error, DT_INVALID, "a fit of %s with %g workers twice; put all samples into one point",
                               law->name, d->p[i]);
    }
    return DT_OK;
}

static dt_status check_count(int64_t count, dt_error *error)
{
    return count <= DT_LAW_POINTS_MAX
               ? DT_OK
               : dt_fail(error, DT_INVALID, "a fit to %" PRId64 " points; at most %d", count, DT_LAW_POINTS_MAX);
}

dt_status dt_fit_throughput(const dt_law *law, const int64_t *workers, const double *throughput, int64_t count,
                            dt_fit *fit, dt_error *error)
{
    data d = {.count = count};
    dt_status status = check_count(count, error);
    for (int64_t i = 0; status == DT_OK && i < count; i++) {
        d.p[i] = (double)workers[i];
        d.x[i] = throughput[i];
    }
    if (status == DT_OK)
        status = check_data(law, &d, error);
    if (status == DT_OK)
        fit_data(law, &d, fit);
    return status;
}

/* --- of points, with intervals --- */

/* The points that take part, as groups; a resample's statistic needs their workers. */
typedef struct fitted {
    const dt_law *law;
    dt_group groups[DT_LAW_POINTS_MAX];
    double p[DT_LAW_POINTS_MAX];
    int64_t count;
} fitted;

static void take_medians(const fitted *f, const dt_group *groups, data *d)
{
    d->count = f->count;
    for (int64_t i = 0; i < f->count; i++) {
        double seconds;
        dt_statistic_median(&groups[i], 1, &seconds, NULL);
        d->p[i] = f->p[i];
        d->x[i] = (f->law->scaling == DT_SCALING_WEAK ? f->p[i] : 1) / seconds;
    }
}

enum { GAMMA, SIGMA, KAPPA, PEAK, OUTPUTS };

static void refit(const dt_group *groups, int64_t count, double *out, void *context)
{
    data d;
    dt_fit fit;
    (void)count;
    take_medians(context, groups, &d);
    fit_data(((const fitted *)context)->law, &d, &fit);
    out[GAMMA] = fit.gamma;
    out[SIGMA] = fit.sigma;
    out[KAPPA] = fit.kappa;
    out[PEAK] = fit.peak_workers;
}

static dt_status take(fitted *f, const dt_law *law, const dt_scaling_point *points, int64_t count, int64_t samples,
                      dt_error *error)
{
    f->law = law;
    f->count = 0;
    dt_status status = check_count(count, error);
    for (int64_t i = 0; status == DT_OK && i < count; i++) {
        if (points[i].oversubscribed)
            continue;
        status = dt_samples_check(points[i].seconds.x, points[i].seconds.n, "a point of the fit", error);
        if (status == DT_OK && points[i].seconds.n < samples)
            status = dt_fail(error, DT_INVALID,
                             "an interval of a fit with %" PRId64 " samples of %" PRId64
                             " workers; it takes at least %" PRId64 " of each",
                             points[i].seconds.n, points[i].workers, samples);
        f->groups[f->count] = points[i].seconds;
        f->p[f->count++] = (double)points[i].workers;
    }
    return status;
}

static dt_bootstrap bootstrap_of(fitted *f, double confidence, int64_t resamples, uint64_t seed)
{
    return (dt_bootstrap){
        .groups = f->groups,
        .group_count = f->count,
        .statistic = refit,
        .outputs = OUTPUTS,
        .context = f,
        .method = DT_BOOTSTRAP_PERCENTILE, /* parameters lie at their bounds */
        .confidence = confidence,
        .resamples = resamples,
        .seed = seed,
    };
}

size_t dt_fit_scratch(const dt_scaling_point *points, int64_t count, int64_t resamples)
{
    fitted f;
    if (take(&f, &table[0], points, count, 0, NULL) != DT_OK)
        return 0;
    const dt_bootstrap b = bootstrap_of(&f, 0.95, resamples, 0);
    return dt_bootstrap_scratch(&b);
}

static dt_status fit_taken(fitted *f, double *scratch, dt_fit *fit, dt_error *error)
{
    data d;
    dt_group copies[DT_LAW_POINTS_MAX];
    for (int64_t i = 0; i < f->count; scratch += f->groups[i++].n) {
        memcpy(scratch, f->groups[i].x, (size_t)f->groups[i].n * sizeof *scratch);
        copies[i] = (dt_group){scratch, f->groups[i].n};
    }
    take_medians(f, copies, &d);
    const dt_status status = check_data(f->law, &d, error);
    if (status == DT_OK)
        fit_data(f->law, &d, fit);
    return status;
}

dt_status dt_fit_points(const dt_law *law, const dt_scaling_point *points, int64_t count, double *scratch, dt_fit *fit,
                        dt_error *error)
{
    fitted f;
    const dt_status status = take(&f, law, points, count, 0, error);
    return status == DT_OK ? fit_taken(&f, scratch, fit, error) : status;
}

dt_status dt_fit_intervals(const dt_law *law, const dt_scaling_point *points, int64_t count, double confidence,
                           int64_t resamples, uint64_t seed, double *scratch, dt_fit *fit, dt_error *error)
{
    fitted f;
    double estimates[OUTPUTS];
    dt_interval intervals[OUTPUTS];
    dt_fit made;
    dt_status status = take(&f, law, points, count, DT_LAW_SAMPLES, error);
    if (status == DT_OK)
        status = fit_taken(&f, scratch, &made, error);
    if (status != DT_OK)
        return status;
    const dt_bootstrap b = bootstrap_of(&f, confidence, resamples, seed);
    status = dt_bootstrap_run(&b, scratch, estimates, intervals, &made.failed, error);
    if (status != DT_OK)
        return status;
    made.gamma_interval = intervals[GAMMA];
    made.sigma_interval = intervals[SIGMA];
    made.kappa_interval = intervals[KAPPA];
    made.peak_workers_interval = intervals[PEAK];
    *fit = made;
    return DT_OK;
}

dt_extrapolation dt_fit_at(const dt_fit *fit, double p)
{
    const double c = fit->law->relative(p, fit->sigma, fit->kappa), least = (double)fit->least,
                 most = (double)fit->most;
    return (dt_extrapolation){
        .throughput = fit->gamma * p * c,
        .speedup = p * c,
        .efficiency = c,
        .extrapolated = p < least || p > most,
        .beyond = p > most    ? p / most
                  : p < least ? least / p
                              : 1,
    };
}
