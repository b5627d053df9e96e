#include "study/law.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "study/squares.h"

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

/* --- one fit --- */

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

static void fit_data(const dt_law *law, const dt_law_data *d, dt_fit *fit)
{
    const dt_interval none = {NAN, NAN, NAN};
    *fit = (dt_fit){.law = law, .points = d->count, .least = INT64_MAX};
    fit->gamma_interval = fit->sigma_interval = fit->kappa_interval = fit->peak_workers_interval = none;
    dt_law_least_squares(law, d, fit);
    find_peak(fit);
    for (int64_t i = 0; i < d->count; i++) {
        const double r = 1 - dt_fit_at(fit, d->p[i]).throughput / d->x[i];
        fit->residual += r * r / (double)d->count;
        fit->least = d->p[i] < (double)fit->least ? (int64_t)d->p[i] : fit->least;
        fit->most = d->p[i] > (double)fit->most ? (int64_t)d->p[i] : fit->most;
    }
    fit->residual = sqrt(fit->residual);
}

static dt_status check_data(const dt_law *law, const dt_law_data *d, dt_error *error)
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
    dt_law_data d = {.count = count};
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
    dt_values groups[DT_LAW_POINTS_MAX];
    double p[DT_LAW_POINTS_MAX];
    int64_t count;
} fitted;

static void take_medians(const fitted *f, const dt_values *groups, dt_law_data *d)
{
    d->count = f->count;
    for (int64_t i = 0; i < f->count; i++) {
        double seconds;
        dt_estimate_median(&groups[i], 1, &seconds, NULL);
        d->p[i] = f->p[i];
        d->x[i] = (f->law->scaling == DT_SCALING_WEAK ? f->p[i] : 1) / seconds;
    }
}

enum { GAMMA, SIGMA, KAPPA, PEAK, OUTPUTS };

static void refit(const dt_values *groups, int64_t count, double *out, void *context)
{
    dt_law_data d;
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
        .estimator = refit,
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
    dt_law_data d;
    dt_values copies[DT_LAW_POINTS_MAX];
    for (int64_t i = 0; i < f->count; scratch += f->groups[i++].n) {
        memcpy(scratch, f->groups[i].x, (size_t)f->groups[i].n * sizeof *scratch);
        copies[i] = (dt_values){scratch, f->groups[i].n};
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
