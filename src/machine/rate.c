#include "machine/rate.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/split.h"

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double dt_rate_now(void)
{
    return 1e-9 * (double)now_ns();
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

dt_reading dt_reading_of(double *values, int64_t n, bool least)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    const double median = (values[(n - 1) / 2] + values[n / 2]) / 2;
    return (dt_reading){values[least ? 0 : n - 1], median, (values[n - 1] - values[0]) / median, n};
}

typedef struct timed {
    dt_rate_work work;
    void *context;
    int64_t times;
    double amount;                /* of worker 0 */
    atomic_int_fast64_t from, to; /* ns: when the first worker began, when the last one ended */
    atomic_int_fast64_t shortest; /* ns that a worker took */
} timed;

static void lower(atomic_int_fast64_t *least, int64_t value)
{
    for (int_fast64_t now = atomic_load(least); value < now;)
        if (atomic_compare_exchange_weak(least, &now, value))
            break;
}

static void time_it(dt_worker *worker, void *context)
{
    timed *t = context;
    dt_worker_barrier(worker);
    const int64_t from = now_ns();
    const double amount = t->work(worker, t->times, t->context);
    const int64_t to = now_ns();
    if (worker->index == 0)
        t->amount = amount;
    lower(&t->from, from);
    lower(&t->shortest, to - from);
    for (int_fast64_t last = atomic_load(&t->to); to > last;)
        if (atomic_compare_exchange_weak(&t->to, &last, to))
            break;
}

/* Seconds from the first worker's start, not worker 0's: where workers share processors, others may have done their
 * part before it leaves the barrier. */
static double run_once(dt_team *team, timed *t)
{
    atomic_store(&t->from, INT64_MAX);
    atomic_store(&t->shortest, INT64_MAX);
    atomic_store(&t->to, 0);
    dt_team_run(team, time_it, t);
    const int64_t ns = atomic_load(&t->to) - atomic_load(&t->from);
    return 1e-9 * (double)dt_max(1, ns);
}

/* So many times that a run takes about `seconds`, found by runs of growing length, which warm things up as well.
 * Returns how many runs to do, fewer where one can't be nearly as short. */
static int64_t calibrate(dt_team *team, timed *t, dt_rate_plan plan)
{
    enum { MUCH_LONGER = 8, OF_LONG = 2 };
    const int64_t runs = plan.runs < 1 ? 1 : plan.runs > DT_RUNS_MAX ? DT_RUNS_MAX : plan.runs;
    t->times = 1;
    for (;;) {
        (void)run_once(team, t);
        const double longer = plan.seconds / (1e-9 * (double)dt_max(1, atomic_load(&t->shortest)));
        if (longer < 4) {
            if (longer > 1)
                t->times = (int64_t)ceil((double)t->times * longer);
            return longer * MUCH_LONGER < 1 && runs > OF_LONG ? OF_LONG : runs;
        }
        t->times *= longer < 64 ? (int64_t)(longer / 2) : 32;
    }
}

/* Operations a second of one worker, run by run. */
static int64_t runs_of(dt_team *team, dt_rate_work work, void *context, dt_rate_plan plan, double *rates)
{
    timed t = {.work = work, .context = context};
    const int64_t runs = calibrate(team, &t, plan);
    for (int64_t r = 0; r < runs; r++) {
        const double took = run_once(team, &t);
        rates[r] = t.amount / took;
    }
    return runs;
}

dt_reading dt_rate_of(dt_team *team, dt_rate_work work, void *context, dt_rate_plan plan)
{
    double rates[DT_RUNS_MAX];
    const int64_t runs = runs_of(team, work, context, plan, rates);
    for (int64_t r = 0; r < runs; r++)
        rates[r] *= (double)dt_team_count(team);
    return dt_reading_of(rates, runs, false);
}

dt_reading dt_rate_ns_of(dt_team *team, dt_rate_work work, void *context, dt_rate_plan plan)
{
    double times[DT_RUNS_MAX];
    const int64_t runs = runs_of(team, work, context, plan, times);
    for (int64_t r = 0; r < runs; r++)
        times[r] = 1e9 / times[r];
    return dt_reading_of(times, runs, true);
}
