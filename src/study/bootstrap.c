#include "study/bootstrap.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "study/distribution.h"

/* The caller's scratch, laid out. */
typedef struct work {
    dt_values resampled[DT_BOOTSTRAP_GROUPS_MAX];
    double *values;       /* [output * resamples + r] */
    double *left_out;     /* [output * total + i]: without value i; BCa's alone */
    double *acceleration; /* [output] */
    int64_t total;        /* values in all groups */
} work;

static int64_t total_of(const dt_bootstrap *b)
{
    int64_t total = 0;
    for (int64_t g = 0; g < b->group_count; g++)
        if (b->groups[g].n < 1 || __builtin_add_overflow(total, b->groups[g].n, &total))
            return 0;
    return total;
}

size_t dt_bootstrap_scratch(const dt_bootstrap *bootstrap)
{
    const dt_bootstrap *b = bootstrap;
    size_t each, size;
    if (b->group_count < 1 || b->group_count > DT_BOOTSTRAP_GROUPS_MAX || b->outputs < 1 ||
        b->outputs > DT_BOOTSTRAP_OUTPUTS_MAX || b->resamples < DT_RESAMPLES_LEAST)
        return 0;
    const int64_t total = total_of(b);
    if (total == 0 || __builtin_add_overflow((size_t)b->resamples, (size_t)total + 1, &each) ||
        !dt_multiply(each, (size_t)b->outputs, &size) || __builtin_add_overflow(size, (size_t)total, &size))
        return 0;
    return size;
}

static void lay_out(const dt_bootstrap *b, double *scratch, work *w)
{
    w->total = total_of(b);
    for (int64_t g = 0; g < b->group_count; g++) {
        w->resampled[g] = (dt_values){scratch, b->groups[g].n};
        scratch += b->groups[g].n;
    }
    w->values = scratch;
    w->left_out = w->values + b->outputs * b->resamples;
    w->acceleration = w->left_out + b->outputs * w->total;
}

/* Draw number k of the stream: 64 of a block's 128 bits. */
static uint64_t draw(const dt_bootstrap *b, uint64_t k)
{
    return dt_philox(b->seed, DT_FOR_BOOTSTRAP, b->stream, k / 2).u[k % 2];
}

static void resample(const dt_bootstrap *b, work *w, int64_t r)
{
    uint64_t k = (uint64_t)r * (uint64_t)w->total;
    for (int64_t g = 0; g < b->group_count; g++) {
        const dt_values *from = &b->groups[g];
        for (int64_t i = 0; i < from->n; i++)
            w->resampled[g].x[i] = from->x[dt_uniform_below(draw(b, k++), (uint64_t)from->n)];
    }
}

/* The groups as they are, without value `out` of group `of`. */
static void copy_without(const dt_bootstrap *b, work *w, int64_t of, int64_t out)
{
    for (int64_t g = 0; g < b->group_count; g++) {
        const dt_values *from = &b->groups[g];
        const size_t before = (size_t)(g == of ? out : from->n);
        memcpy(w->resampled[g].x, from->x, before * sizeof *from->x);
        w->resampled[g].n = g == of ? from->n - 1 : from->n;
        if (g == of)
            memcpy(w->resampled[g].x + out, from->x + out + 1, (size_t)(from->n - out - 1) * sizeof *from->x);
    }
}

static void compute(const dt_bootstrap *b, work *w, double *column, int64_t stride)
{
    double out[DT_BOOTSTRAP_OUTPUTS_MAX];
    b->estimator(w->resampled, b->group_count, out, b->context);
    for (int64_t k = 0; k < b->outputs; k++)
        column[k * stride] = out[k];
}

/* The acceleration of several samples: sum U^3 / n^3 over 6 (sum U^2 / n^2)^1.5, U = (n - 1) (mean without one - value
 * without it); Davison and Hinkley, "Bootstrap methods and their application", 1997, (5.23), (3.11). 0 where nothing
 * varies, or a value can't be left out. */
static double acceleration(const dt_bootstrap *b, const double *left_out)
{
    double cubes = 0, squares = 0;
    for (int64_t g = 0, first = 0; g < b->group_count; first += b->groups[g++].n) {
        const int64_t n = b->groups[g].n;
        if (n == 1)
            continue;
        const double mean = dt_mean(left_out + first, n), weight = (double)(n - 1) / (double)n;
        for (int64_t i = 0; i < n; i++) {
            const double u = weight * (mean - left_out[first + i]);
            cubes += u * u * u;
            squares += u * u;
        }
    }
    const double a = cubes / (6 * pow(squares, 1.5));
    return isfinite(a) ? a : 0;
}

static void jackknife(const dt_bootstrap *b, work *w)
{
    int64_t at = 0;
    for (int64_t g = 0; g < b->group_count; g++)
        for (int64_t i = 0; i < b->groups[g].n; i++, at++)
            if (b->groups[g].n > 1) {
                copy_without(b, w, g, i);
                compute(b, w, w->left_out + at, w->total);
            }
    for (int64_t k = 0; k < b->outputs; k++)
        w->acceleration[k] = acceleration(b, w->left_out + k * w->total);
}

/* Where in the resamples an interval's end lies, for the nominal tail p: alpha_1 or alpha_2 of Efron and Tibshirani,
 * (14.10). `bias` is z0. */
static double adjusted(double p, double bias, double a)
{
    const double z = bias + dt_normal_quantile(p);
    return dt_normal_cdf(bias + z / (1 - a * z));
}

/* z0 = quantile of the share of resamples under the estimate, ties half; at least half a resample is on either side, as
 * otherwise no interval is left. */
static double bias_of(const double *sorted, int64_t n, double estimate)
{
    int64_t under = 0, equal = 0;
    for (int64_t i = 0; i < n; i++) {
        under += sorted[i] < estimate;
        equal += sorted[i] == estimate;
    }
    const double share = ((double)under + 0.5 * (double)equal) / (double)n, edge = 0.5 / (double)n;
    return dt_normal_quantile(fmin(fmax(share, edge), 1 - edge));
}

/* Moves answers to the front. */
static int64_t keep_answers(double *values, int64_t n)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            values[kept++] = values[i];
    return kept;
}

/* As dt_quantile; but an end between two infinite values (a peak that is nowhere) is infinite and not NAN. */
static double end_at(const double *sorted, int64_t n, double p)
{
    const double end = dt_quantile(sorted, n, p);
    return isnan(end) ? sorted[(int64_t)(p * (double)(n - 1) + 0.5)] : end;
}

static dt_interval interval_of(const dt_bootstrap *b, const double *sorted, int64_t n, double estimate, double a)
{
    double low = (1 - b->confidence) / 2, high = 1 - low;
    if (b->method == DT_BOOTSTRAP_BCA) {
        const double bias = bias_of(sorted, n, estimate);
        low = adjusted((1 - b->confidence) / 2, bias, a);
        high = adjusted(1 - (1 - b->confidence) / 2, bias, a);
    }
    return (dt_interval){end_at(sorted, n, low), end_at(sorted, n, high), b->confidence};
}

static dt_status check(const dt_bootstrap *b, dt_error *error)
{
    if (!(b->confidence > 0 && b->confidence < 1))
        return dt_fail(error, DT_INVALID, "confidence %g; it is between 0 and 1, usually 0.95", b->confidence);
    if (dt_bootstrap_scratch(b) == 0)
        return dt_fail(error, DT_INVALID,
                       "a bootstrap of %" PRId64 " groups, %" PRId64 " outputs, %" PRId64
                       " resamples; 1 to %d groups of at least one value, 1 to %d outputs, %d resamples or more",
                       b->group_count, b->outputs, b->resamples, DT_BOOTSTRAP_GROUPS_MAX, DT_BOOTSTRAP_OUTPUTS_MAX,
                       DT_RESAMPLES_LEAST);
    for (int64_t g = 0; g < b->group_count; g++)
        if (dt_samples_check(b->groups[g].x, b->groups[g].n, "a bootstrap's group", error) != DT_OK)
            return DT_INVALID;
    return DT_OK;
}

dt_status dt_bootstrap_run(const dt_bootstrap *bootstrap, double *scratch, double *estimates, dt_interval *intervals,
                           int64_t *failed, dt_error *error)
{
    const dt_bootstrap *b = bootstrap;
    int64_t most = 0;
    work w;
    dt_status status = check(b, error);
    if (status != DT_OK)
        return status;
    lay_out(b, scratch, &w);
    copy_without(b, &w, -1, 0);
    compute(b, &w, estimates, 1);
    for (int64_t k = 0; k < b->outputs; k++)
        if (isnan(estimates[k]))
            return dt_fail(error, DT_INVALID, "a bootstrap of a statistic that has no value for the sample itself");
    for (int64_t r = 0; r < b->resamples; r++) {
        resample(b, &w, r);
        compute(b, &w, w.values + r, b->resamples);
    }
    if (b->method == DT_BOOTSTRAP_BCA)
        jackknife(b, &w);
    for (int64_t k = 0; k < b->outputs; k++) {
        double *values = w.values + k * b->resamples;
        const int64_t kept = keep_answers(values, b->resamples);
        most = b->resamples - kept > most ? b->resamples - kept : most;
        if (kept < b->resamples - b->resamples / 10)
            return dt_fail(error, DT_INVALID,
                           "%" PRId64 " of %" PRId64 " resamples have no value; take more samples a point",
                           b->resamples - kept, b->resamples);
        dt_samples_sort(values, kept);
        const double a = b->method == DT_BOOTSTRAP_BCA ? w.acceleration[k] : 0;
        intervals[k] = interval_of(b, values, kept, estimates[k], a);
    }
    if (failed)
        *failed = most;
    return DT_OK;
}

void dt_estimate_median(const dt_values *groups, int64_t count, double *out, void *context)
{
    (void)count, (void)context;
    dt_samples_sort(groups[0].x, groups[0].n);
    out[0] = dt_median(groups[0].x, groups[0].n);
}
