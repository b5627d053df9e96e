/* All of the machine's figures, from the cores outwards: clock, arithmetic, products, memory, barriers, exchange; and
 * between these parts, because it moves, where the processors are. */
#include "machine/measure.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "kernels/isa.h"
#include "machine/work.h"

enum {
    RATES = 28,        /* rates that share the time, about */
    TURNS = 64,        /* of the chains, done at once */
    BARRIERS_EACH = 8, /* up to so many workers each number's barrier is measured, from there on doublings */
    MEMORY_LEAST = 64 << 10
};

static const double seconds_default = 3, seconds_most = 3600, placement_seconds = 0.012, giga = 1e-9;

dt_status dt_measure_begin(dt_measuring *m, dt_error *error)
{
    dt_status status = dt_team_create(&m->all, m->options.workers, error);
    if (status != DT_OK)
        return status;
    if (dt_team_count(m->all) == 1)
        m->one = m->all;
    else
        status = dt_team_create(&m->one, 1, error);
    m->machine->workers = dt_team_count(m->all);

    dt_machine_topology *t = &m->machine->topology;
    dt_machine_topology_read(t);
    m->last_bytes = t->cache_count ? t->caches[t->cache_count - 1].bytes : 8 << 20;
    m->last_count = t->cache_count ? dt_max(1, t->caches[t->cache_count - 1].count) : 1;
    return status;
}

void dt_measure_end(dt_measuring *m)
{
    if (m->all != m->one)
        dt_team_destroy(m->all);
    dt_team_destroy(m->one);
    dt_release(m->pair_ns);
    dt_release(m->pair_both);
}

void dt_measure_rate(dt_measuring *m, dt_rate_work work, void *one, void *all, dt_machine_rate *rate)
{
    rate->one = dt_rate_of(m->one, work, one, m->plan);
    rate->all = m->all == m->one ? rate->one : dt_rate_of(m->all, work, all, m->plan);
}

/* --- clock and arithmetic --- */

/* Each addition waits for the one before, and takes a cycle. The step lies in a register, or a processor might fold
 * additions of constants. */
static double additions(dt_worker *worker, int64_t times, void *context)
{
    (void)worker;
    (void)context;
    uint64_t x = 0, step = 1;
    __asm__ volatile("" : "+r"(step));
    for (int64_t i = 0; i < times; i++)
        for (int j = 0; j < 8; j++) {
#define ADD                                                                                                            \
    x += step;                                                                                                         \
    __asm__ volatile("" : "+r"(x));
            ADD ADD ADD ADD ADD ADD ADD ADD
#undef ADD
        }
    return 64 * giga * (double)times;
}

static double fma_work(dt_worker *worker, int64_t times, void *context)
{
    (void)worker;
    return giga * ((const dt_work *)context)->fma(times * TURNS);
}

static void measure_arithmetic(dt_measuring *m)
{
    m->machine->clock = dt_rate_of(m->one, additions, NULL, m->plan);
    for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
        dt_work work = *dt_work_of((dt_precision)p);
        dt_measure_rate(m, fma_work, &work, &work, &m->machine->fma[p]);
    }
}

double dt_machine_peak(dt_precision precision)
{
    enum { RUNS = 9, RUNS_LEAST = 3, TURNS_LEAST = 1 << 10 };
    const double run_seconds = 2e-3, all_seconds = 0.03, begun = dt_rate_now();
    const dt_work *work = dt_work_of(precision);
    int64_t turns = TURNS_LEAST;
    double best = 0;
    for (int run = 0; run < RUNS_LEAST || (run < RUNS && dt_rate_now() - begun < all_seconds);) {
        const double start = dt_rate_now(), flop = work->fma(turns), took = fmax(dt_rate_now() - start, 1e-9);
        if (took < run_seconds / 2 && turns < INT64_MAX / 4) {
            turns *= 2;
            continue;
        }
        best = fmax(best, giga * flop / took);
        run++;
    }
    return best;
}

/* --- barriers --- */

static double barrier_work(dt_worker *worker, int64_t times, void *context)
{
    (void)context;
    for (int64_t i = 0; i < times; i++)
        dt_worker_barrier(worker);
    return (double)times;
}

static dt_status measure_barriers(dt_measuring *m, dt_error *error)
{
    const int64_t workers = m->machine->workers;
    for (int64_t w = 2; w <= workers; w = w < BARRIERS_EACH ? w + 1 : w < workers ? dt_min(2 * w, workers) : w + 1) {
        dt_team *team;
        const dt_status status = dt_team_create(&team, w, error);
        if (status != DT_OK)
            return status;
        m->machine->barriers[m->machine->barrier_count++] =
            (dt_machine_barrier){w, dt_rate_ns_of(team, barrier_work, NULL, m->plan)};
        dt_team_destroy(team);
    }
    return DT_OK;
}

/* --- all together --- */

static dt_status check(const dt_machine_options *o, dt_error *error)
{
    if (!(o->seconds >= 0 && o->seconds <= seconds_most))
        return dt_fail(error, DT_INVALID, "seconds: must be 0 to %g, not %g", seconds_most, o->seconds);
    if (o->memory_bytes < 0 || (o->memory_bytes > 0 && o->memory_bytes < MEMORY_LEAST))
        return dt_fail(error, DT_INVALID, "memory_bytes: must be 0 or at least %d, not %lld", MEMORY_LEAST,
                       (long long)o->memory_bytes);
    return dt_isa_check(error);
}

static void note_isa(dt_machine *machine)
{
    machine->isa = dt_isa_name(dt_isa_current());
    for (int isa = 0; isa < DT_ISAS; isa++)
        if (dt_isa_runs((dt_isa)isa))
            machine->isas[machine->isa_count++] = dt_isa_name((dt_isa)isa);
    machine->isa_pinned = dt_isa_pinned();
}

/* After each part, where there is time for it; else after the first and the last, or only the last. */
static bool time_to_look(const dt_measuring *m, int part)
{
    const double each = placement_seconds * m->machine->pair_count, budget = m->options.seconds / 2;
    return part == DT_MEASURE_PARTS - 1 || DT_MEASURE_PARTS * each <= budget || (part == 0 && 2 * each <= budget);
}

static dt_status part_of_all(dt_measuring *m, int part, dt_error *error)
{
    switch (part) {
    case 0:
        measure_arithmetic(m);
        return DT_OK;
    case 1:
        return dt_measure_products(m, error);
    case 2:
        return dt_measure_memory(m, error);
    case 3: {
        const dt_status status = measure_barriers(m, error);
        return status == DT_OK ? dt_measure_exchange(m, error) : status;
    }
    default:
        return DT_OK; /* a last look */
    }
}

static void make_plan(dt_measuring *m)
{
    const double left = 0.6 * m->options.seconds; /* the rest: finding how long a run is, and touching memory first */
    m->plan.runs = m->options.seconds < 0.2 ? 2 : m->options.seconds < 1 ? 4 : 7;
    m->plan.seconds = left / (RATES * (double)m->plan.runs);
}

static dt_status prepare(dt_measuring *m, dt_error *error)
{
    dt_status status = dt_measure_begin(m, error);
    if (status == DT_OK)
        status = dt_measure_find_pairs(m, error);
    if (status != DT_OK)
        return status;
    note_isa(m->machine);
    make_plan(m);
    const size_t looks = (size_t)m->machine->pair_count * DT_MEASURE_PARTS;
    m->pair_ns = dt_allocate(looks, sizeof *m->pair_ns);
    m->pair_both = dt_allocate(looks, sizeof *m->pair_both);
    return m->pair_ns && m->pair_both ? DT_OK : dt_fail_memory(error, "the placement's readings");
}

dt_status dt_machine_measure(dt_machine *machine, const dt_machine_options *options, dt_error *error)
{
    const double start = dt_rate_now();
    dt_measuring m = {.machine = machine};
    if (options)
        m.options = *options;
    memset(machine, 0, sizeof *machine);
    dt_status status = check(&m.options, error);
    if (status != DT_OK)
        return status;
    if (m.options.seconds == 0)
        m.options.seconds = seconds_default;
    status = prepare(&m, error);
    for (int part = 0; part < DT_MEASURE_PARTS && status == DT_OK; part++) {
        status = part_of_all(&m, part, error);
        if (status == DT_OK && time_to_look(&m, part))
            status = dt_measure_look(&m, error);
    }
    if (status == DT_OK)
        dt_measure_sum_up_pairs(&m);
    dt_measure_end(&m);
    machine->seconds = dt_rate_now() - start;
    return status;
}
