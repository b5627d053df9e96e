#include "study/scaling.h"

#include <inttypes.h>
#include <math.h>

const char *dt_speedup_base_name(dt_speedup_base base)
{
    return base == DT_BASE_BEST_SERIAL ? "best serial program" : "one worker of the same program";
}

double dt_karp_flatt(double speedup, int64_t workers)
{
    const double p = (double)workers;
    return workers < 2 ? NAN : (1 / speedup - 1 / p) / (1 - 1 / p);
}

double dt_gustafson_serial(double scaled_speedup, int64_t workers)
{
    const double p = (double)workers;
    return workers < 2 ? NAN : (p - scaled_speedup) / (p - 1);
}

double dt_imbalance(const double *busy, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, busy[i]);
    return most > 0 ? most / dt_mean(busy, n) : 1;
}

/* Ratio of medians: groups[0] is the base. */
static void ratio(const dt_values *groups, int64_t count, double *out, void *context)
{
    double base, seconds;
    (void)count, (void)context;
    dt_estimate_median(groups, 1, &base, NULL);
    dt_estimate_median(groups + 1, 1, &seconds, NULL);
    *out = base / seconds;
}

static dt_bootstrap bootstrap_of(const dt_values groups[2], const dt_speedup_options *options)
{
    return (dt_bootstrap){
        .groups = groups,
        .group_count = 2,
        .estimator = ratio,
        .outputs = 1,
        .method = DT_BOOTSTRAP_PERCENTILE, /* medians of few samples: a jackknife says little */
        .confidence = options->confidence,
        .resamples = options->resamples,
        .seed = options->seed,
    };
}

size_t dt_speedup_scratch(int64_t base_count, int64_t count, int64_t resamples)
{
    const dt_values groups[2] = {{NULL, base_count}, {NULL, count}};
    const dt_bootstrap b = bootstrap_of(groups, &(dt_speedup_options){.resamples = resamples});
    return dt_bootstrap_scratch(&b);
}

static dt_status check(const dt_values *group, const char *what, dt_error *error)
{
    const dt_status status = dt_samples_check(group->x, group->n, what, error);
    for (int64_t i = 0; status == DT_OK && i < group->n; i++)
        if (group->x[i] <= 0)
            return dt_fail(error, DT_INVALID, "%s: sample %" PRId64 " is %g seconds; times are over 0", what, i,
                           group->x[i]);
    return status;
}

static dt_interval scaled(dt_interval s, double by)
{
    return (dt_interval){s.low * by, s.high * by, s.level};
}

dt_status dt_speedup_of(const dt_values *base, const dt_scaling_point *point, const dt_speedup_options *options,
                        double *scratch, dt_speedup *speedup, dt_error *error)
{
    const dt_values groups[2] = {*base, point->seconds};
    const dt_bootstrap b = bootstrap_of(groups, options);
    const double p = (double)point->workers;
    dt_interval of_ratio = {NAN, NAN, NAN};
    dt_status status = check(base, "the base", error);
    if (status == DT_OK)
        status = check(&point->seconds, "the point", error);
    if (status == DT_OK && point->workers < 1)
        status = dt_fail(error, DT_INVALID, "a point of %" PRId64 " workers; at least 1", point->workers);
    if (status != DT_OK)
        return status;
    *speedup = (dt_speedup){.base = options->base,
                            .intervals = base->n >= DT_SPEEDUP_SAMPLES && point->seconds.n >= DT_SPEEDUP_SAMPLES};
    for (int g = 0; g < 2; g++) {
        for (int64_t i = 0; i < groups[g].n; i++)
            scratch[i] = groups[g].x[i];
        dt_estimate_median(&(dt_values){scratch, groups[g].n}, 1, g ? &speedup->seconds : &speedup->base_seconds, NULL);
    }
    double plain = speedup->base_seconds / speedup->seconds;
    if (base->x == point->seconds.x && base->n == point->seconds.n)
        of_ratio = (dt_interval){1, 1, options->confidence};
    else if (speedup->intervals)
        status = dt_bootstrap_run(&b, scratch, &plain, &of_ratio, NULL, error);
    const bool weak = options->scaling == DT_SCALING_WEAK;
    const dt_interval s = scaled(of_ratio, weak ? p : 1);
    speedup->speedup = plain * (weak ? p : 1);
    speedup->efficiency = speedup->speedup / p;
    speedup->serial_fraction = weak ? NAN : dt_karp_flatt(speedup->speedup, point->workers);
    speedup->speedup_interval = s;
    speedup->efficiency_interval = scaled(s, 1 / p);
    speedup->serial_fraction_interval =
        weak ? (dt_interval){NAN, NAN, NAN}
             : (dt_interval){dt_karp_flatt(s.high, point->workers), dt_karp_flatt(s.low, point->workers), s.level};
    return status;
}
