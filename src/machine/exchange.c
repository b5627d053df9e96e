/* Lines that go from core to core: what a worker reads that another wrote, and writes that another has read. */
#include "base/memory.h"
#include "base/split.h"
#include "machine/measure.h"
#include "machine/work.h"

enum {
    ROUNDS_LEAST = 4,
    BEYOND = 2, /* caches before this one that an array fills: part of what another read is there yet, as in a step */
    FIRST_LEVEL = 2
};

typedef struct exchange {
    const dt_work *work;
    char *memory;
    size_t bytes, apart; /* worker w's: `bytes` at memory + w * apart */
    int64_t rounds;
    double *read, *write; /* (DT_RUNS_MAX, workers): seconds */
} exchange;

static double timed_read(const exchange *x, const dt_worker *worker)
{
    const char *other = x->memory + (size_t)((worker->index + 1) % worker->count) * x->apart;
    const double from = dt_rate_now();
    (void)x->work->read(1, other, x->bytes);
    return dt_rate_now() - from;
}

static double timed_write(const exchange *x, const dt_worker *worker)
{
    const double from = dt_rate_now();
    (void)x->work->step(x->memory + (size_t)worker->index * x->apart, x->bytes);
    return dt_rate_now() - from;
}

/* Each round reads what the neighbour wrote in the one before, and then writes what was read. */
static void go_round(dt_worker *worker, void *context)
{
    exchange *x = context;
    x->work->memory_prepare(x->memory + (size_t)worker->index * x->apart, x->bytes);
    for (int64_t r = -1; r < x->rounds; r++) { /* the first one warms up */
        dt_worker_barrier(worker);
        const double read = timed_read(x, worker);
        dt_worker_barrier(worker);
        const double write = timed_write(x, worker);
        if (r < 0)
            continue;
        x->read[r * worker->count + worker->index] = read;
        x->write[r * worker->count + worker->index] = write;
    }
}

/* Of the rounds; each round's rate is that of its workers' mean time. */
static dt_reading reading_of(const exchange *x, const double *seconds, int64_t workers)
{
    double rates[DT_RUNS_MAX];
    for (int64_t r = 0; r < x->rounds; r++) {
        double sum = 0;
        for (int64_t w = 0; w < workers; w++)
            sum += seconds[r * workers + w];
        rates[r] = 1e-9 * (double)x->bytes * (double)workers / (sum > 0 ? sum : 1e-9);
    }
    return dt_reading_of(rates, x->rounds, false);
}

/* As many rounds as fit the time of a few runs, if lines went at a byte a nanosecond. */
static int64_t rounds_of(const dt_measuring *m, size_t bytes)
{
    const double seconds = m->plan.seconds * (double)m->plan.runs;
    return dt_max(ROUNDS_LEAST, dt_min(DT_RUNS_MAX, (int64_t)(seconds * 1e9 / (double)bytes)));
}

static dt_status measure_level(dt_measuring *m, int level, size_t bytes, dt_error *error)
{
    const int64_t workers = m->machine->workers;
    const size_t seconds = (size_t)(2 * DT_RUNS_MAX * workers);
    exchange x = {.work = dt_work_of(DT_FLOAT32), .bytes = bytes, .rounds = rounds_of(m, bytes)};
    x.apart = dt_ceil_div((int64_t)bytes, DT_CACHE_LINE) * DT_CACHE_LINE + 2 * DT_CACHE_LINE;
    x.memory = dt_allocate_array((size_t)workers, x.apart);
    x.read = dt_allocate(seconds, sizeof *x.read);
    if (!x.memory || !x.read) {
        dt_release(x.memory);
        dt_release(x.read);
        return dt_fail(error, DT_NO_MEMORY, "out of memory for %lld arrays of %zu bytes; measure with fewer workers",
                       (long long)workers, bytes);
    }
    x.write = x.read + DT_RUNS_MAX * workers;
    dt_team_run(m->all, go_round, &x);
    m->machine->exchange[m->machine->exchange_count++] =
        (dt_machine_exchange){level, (int64_t)bytes, reading_of(&x, x.read, workers), reading_of(&x, x.write, workers)};
    dt_release(x.memory);
    dt_release(x.read);
    return DT_OK;
}

dt_status dt_measure_exchange(dt_measuring *m, dt_error *error)
{
    const dt_machine_topology *t = &m->machine->topology;
    dt_status status = DT_OK;
    for (int i = 0; i < t->cache_count && m->machine->workers > 1 && status == DT_OK; i++) {
        const int64_t most = i ? BEYOND * t->caches[i - 1].bytes : INT64_MAX;
        if (t->caches[i].level >= FIRST_LEVEL)
            status = measure_level(m, t->caches[i].level, (size_t)dt_min(dt_measure_cache_bytes(m, i), most), error);
    }
    return status;
}
