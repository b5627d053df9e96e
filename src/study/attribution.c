#include "study/attribution.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "study/scaling.h"

const char *dt_phase_words(dt_phase phase)
{
    return phase == DT_PHASE_UPDATE ? "reduction" : phase == DT_PHASE_WAIT ? "waiting" : dt_phase_name(phase);
}

static dt_status check(const dt_profile_row *rows, size_t count, dt_error *error)
{
    if (count == 0)
        return dt_fail(error, DT_INVALID, "a profile without rows; profile at least one step");
    for (size_t i = 0; i < count; i++) {
        const dt_profile_row *row = &rows[i];
        if (row->worker < 0 || row->worker >= DT_ATTRIBUTION_WORKERS_MAX || row->phase < 0 || row->phase >= DT_PHASES)
            return dt_fail(error, DT_INVALID, "profile row %zu: worker %" PRId64 ", phase %d; at most %d workers", i,
                           row->worker, (int)row->phase, DT_ATTRIBUTION_WORKERS_MAX);
        if (row->steps < 1 || row->steps != rows[0].steps)
            return dt_fail(error, DT_INVALID, "profile row %zu: %" PRId64 " steps; all rows are of the same, over 0", i,
                           row->steps);
        if (!(row->seconds >= 0 && isfinite(row->seconds) && row->flop >= 0 && row->bytes >= 0))
            return dt_fail(error, DT_INVALID, "profile row %zu: %g seconds, %g operations, %g bytes; none is negative",
                           i, row->seconds, row->flop, row->bytes);
    }
    return DT_OK;
}

static double share_of(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

dt_status dt_attribute(const dt_profile_row *rows, size_t count, double wall, const dt_bounds *bounds,
                       dt_attribution *attribution, dt_error *error)
{
    double busy[DT_ATTRIBUTION_WORKERS_MAX] = {0}, flop[DT_PHASES] = {0}, bytes[DT_PHASES] = {0}, all = 0;
    const dt_status status = check(rows, count, error);
    if (status != DT_OK)
        return status;
    dt_attribution a = {.steps = rows[0].steps};
    const double steps = (double)a.steps;
    for (size_t i = 0; i < count; i++) {
        const dt_profile_row *row = &rows[i];
        a.workers = row->worker >= a.workers ? row->worker + 1 : a.workers;
        busy[row->worker] += row->phase == DT_PHASE_WAIT ? 0 : row->seconds;
        a.phase[row->phase].seconds += row->seconds / steps;
        flop[row->phase] += row->flop / steps;
        bytes[row->phase] += row->bytes / steps;
        all += row->seconds / steps;
    }
    const double workers = (double)a.workers;
    for (int phase = 0; phase < DT_PHASES; phase++) {
        dt_phase_share *p = &a.phase[phase];
        p->share = all > 0 ? p->seconds / all : 0;
        p->flops = p->seconds > 0 ? workers * flop[phase] / p->seconds : 0;
        p->bandwidth = p->seconds > 0 ? workers * bytes[phase] / p->seconds : 0;
        p->of_peak = p->flops > 0 ? share_of(p->flops, bounds->flops) : NAN;
        p->of_bandwidth = p->bandwidth > 0 ? share_of(p->bandwidth, bounds->bandwidth) : NAN;
        p->of_exchange = NAN;
    }
    a.step_seconds = all / workers;
    a.covered = share_of(a.step_seconds, wall);
    a.imbalance = dt_imbalance(busy, a.workers);
    a.waiting = a.phase[DT_PHASE_WAIT].share;
    a.uneven = fmin(a.waiting, (a.imbalance - 1) * (1 - a.waiting)); /* (largest - mean) busy time of all time */
    *attribution = a;
    return DT_OK;
}

/* --- in words --- */

static void find_bound(const dt_attribution *a, dt_limiter *limiter)
{
    const dt_phase_share *p = &a->phase[limiter->phase];
    limiter->of_bound = NAN;
    if (limiter->phase == DT_PHASE_WAIT) {
        limiter->bound = 2 * a->uneven >= a->waiting ? DT_BOUND_IMBALANCE : DT_BOUND_BARRIER;
    } else if (isnan(p->of_peak) && isnan(p->of_bandwidth) && isnan(p->of_exchange)) {
        limiter->bound = DT_BOUND_NONE;
    } else if (p->of_exchange > fmax(p->of_peak, p->of_bandwidth)) {
        limiter->bound = DT_BOUND_EXCHANGE;
        limiter->of_bound = p->of_exchange;
    } else {
        const bool compute = isnan(p->of_bandwidth) || p->of_peak >= p->of_bandwidth;
        limiter->bound = compute ? DT_BOUND_COMPUTE : DT_BOUND_MEMORY;
        limiter->of_bound = compute ? p->of_peak : p->of_bandwidth;
    }
}

static void say(const dt_attribution *a, dt_limiter *limiter)
{
    char of[32] = "", *words = limiter->words;
    const size_t size = sizeof limiter->words;
    const char *phase = dt_phase_words(limiter->phase);
    const double share = 100 * limiter->share, near = 100 * limiter->of_bound;
    if (!isnan(limiter->lost))
        snprintf(of, sizeof of, " of the time lost");
    switch (limiter->bound) {
    case DT_BOUND_COMPUTE:
        snprintf(words, size, "%s %.0f %%%s, compute-bound at %.0f %% of measured peak", phase, share, of, near);
        break;
    case DT_BOUND_MEMORY:
        if (near > 100) /* served by caches: memory is not what bounds it */
            snprintf(words, size, "%s %.0f %%%s, moving %.1f times the measured bandwidth of memory, from caches",
                     phase, share, of, limiter->of_bound);
        else
            snprintf(words, size, "%s %.0f %%%s, memory-bound at %.0f %% of measured bandwidth", phase, share, of,
                     near);
        break;
    case DT_BOUND_EXCHANGE:
        if (near > 100) /* some of it goes on beside arithmetic */
            snprintf(words, size, "%s %.0f %%%s, bound by lines between cores", phase, share, of);
        else
            snprintf(words, size,
                     "%s %.0f %%%s, bound by lines between cores, which take %.0f %% of it at their measured rate",
                     phase, share, of, near);
        break;
    case DT_BOUND_IMBALANCE:
        snprintf(words, size, "%s %.0f %%%s, for uneven work: the busiest worker has %.2f times the mean", phase, share,
                 of, a->imbalance);
        break;
    case DT_BOUND_BARRIER:
        snprintf(words, size, "%s %.0f %%%s, at barriers: workers are evenly busy", phase, share, of);
        break;
    case DT_BOUND_NONE:
        snprintf(words, size, "%s %.0f %%%s", phase, share, of);
    }
}

void dt_limiter_of(const dt_attribution *attribution, const dt_attribution *base, dt_limiter *limiter)
{
    const dt_attribution *a = attribution;
    double grown = 0, all = 0;
    *limiter = (dt_limiter){.lost = NAN};
    for (int phase = 0; phase < DT_PHASES; phase++) {
        const double more = base ? a->phase[phase].seconds - base->phase[phase].seconds : 0;
        grown += more > 0 ? more : 0;
        all += a->phase[phase].seconds;
    }
    for (int phase = 0; phase < DT_PHASES; phase++) {
        const double more = base ? a->phase[phase].seconds - base->phase[phase].seconds : 0;
        const double share = grown > 0 ? more / grown : a->phase[phase].share;
        if (share <= limiter->share)
            continue;
        limiter->phase = (dt_phase)phase;
        limiter->share = share;
        limiter->lost = grown > 0 ? more / all : NAN;
    }
    find_bound(a, limiter);
    say(a, limiter);
}
