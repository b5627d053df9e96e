/* What workers do in memory of their own: products, and reading and writing at each level of the caches. */
#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "kernels/isa.h"
#include "machine/measure.h"
#include "machine/work.h"

static const double giga = 1e-9;
static const int64_t arrays_most = INT64_C(1) << 30;

typedef struct share {
    const dt_work *work;
    char *memory;
    size_t bytes, apart; /* worker w's: `bytes` at memory + w * apart */
} share;

static void *part_of(const share *s, const dt_worker *worker)
{
    return s->memory + (size_t)worker->index * s->apart;
}

static void prepare_product(dt_worker *worker, void *context)
{
    const share *s = context;
    s->work->product_prepare(part_of(s, worker));
}

static void prepare_memory(dt_worker *worker, void *context)
{
    const share *s = context;
    s->work->memory_prepare(part_of(s, worker), s->bytes);
}

static double product_work(dt_worker *worker, int64_t times, void *context)
{
    const share *s = context;
    return giga * s->work->product(times, part_of(s, worker));
}

static double read_work(dt_worker *worker, int64_t times, void *context)
{
    const share *s = context;
    return giga * s->work->read(times, part_of(s, worker), s->bytes);
}

static double triad_work(dt_worker *worker, int64_t times, void *context)
{
    const share *s = context;
    return giga * s->work->triad(times, part_of(s, worker), s->bytes);
}

/* Memory for each of the team's workers, touched first by its own. */
static dt_status make_share(share *s, dt_team *team, const dt_work *work, size_t bytes,
                            void (*prepare)(dt_worker *worker, void *context), dt_error *error)
{
    *s = (share){.work = work, .bytes = bytes, .apart = bytes + 2 * DT_CACHE_LINE};
    s->apart -= s->apart % DT_CACHE_LINE;
    s->memory = dt_allocate_array((size_t)dt_team_count(team), s->apart);
    if (!s->memory)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for %lld arrays of %zu bytes; measure with fewer workers",
                       (long long)dt_team_count(team), bytes);
    dt_team_run(team, prepare, s);
    return DT_OK;
}

dt_status dt_measure_products(dt_measuring *m, dt_error *error)
{
    dt_machine *machine = m->machine;
    const int64_t shape[3] = {DT_PRODUCT_ROWS, DT_PRODUCT_UNITS, DT_PRODUCT_INPUTS};
    memcpy(machine->product_shape, shape, sizeof shape);
    for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
        const dt_work *work = dt_work_of((dt_precision)p);
        share s;
        const dt_status status = make_share(&s, m->all, work, work->product_bytes, prepare_product, error);
        if (status != DT_OK)
            return status;
        dt_measure_rate(m, product_work, &s, &s, &machine->product[p]);
        dt_release(s.memory);
    }
    return DT_OK;
}

/* --- levels of memory --- */

/* Bytes of the arrays of one worker in cache i: half of it, shared by the workers that have it in common, but more than
 * the cache before holds, or they would be read from there. */
static int64_t cache_bytes(const dt_measuring *m, int i)
{
    const dt_machine_topology *t = &m->machine->topology;
    const int64_t count = dt_max(1, t->caches[i].count);
    const int64_t sharers = dt_max(1, dt_ceil_div(dt_min(m->machine->workers, m->machine->processors), count));
    const int64_t half = t->caches[i].bytes / 2 / sharers, before = i ? t->caches[i - 1].bytes : 0;
    return dt_max(half, before + before / 2);
}

/* Bytes of all arrays together that no cache holds: four times the last caches that the workers have. */
static int64_t memory_bytes(const dt_measuring *m, int64_t workers)
{
    const int64_t caches = dt_min(m->last_count, workers);
    const int64_t known = m->machine->topology.memory_bytes;
    return dt_min(4 * caches * m->last_bytes, known ? dt_min(arrays_most, known / 8) : arrays_most);
}

/* `bytes` of each of the workers, within what the options allow all together. */
static int64_t allowed(const dt_measuring *m, int64_t bytes, int64_t workers)
{
    if (m->options.memory_bytes)
        bytes = dt_min(bytes, m->options.memory_bytes / workers);
    return dt_max(bytes, DT_WORK_BYTES_LEAST);
}

int64_t dt_measure_cache_bytes(const dt_measuring *m, int i)
{
    return allowed(m, cache_bytes(m, i), m->machine->workers);
}

static dt_status measure_memory_on(dt_measuring *m, dt_team *team, int64_t bytes, dt_reading *read, dt_reading *triad,
                                   dt_error *error)
{
    share s;
    const dt_status status = make_share(&s, team, dt_work_of(DT_FLOAT32), (size_t)bytes, prepare_memory, error);
    if (status != DT_OK)
        return status;
    *read = dt_rate_of(team, read_work, &s, m->plan);
    *triad = dt_rate_of(team, triad_work, &s, m->plan);
    dt_release(s.memory);
    return DT_OK;
}

static dt_status measure_level(dt_measuring *m, int level, int64_t one, int64_t worker, dt_error *error)
{
    dt_machine_memory *memory = &m->machine->memory[m->machine->memory_count++];
    const int64_t workers = m->machine->workers;
    const int64_t bytes_one = allowed(m, one, 1), bytes_worker = allowed(m, worker, workers);
    *memory = (dt_machine_memory){.level = level, .bytes_one = bytes_one, .bytes_worker = bytes_worker};
    dt_status status = measure_memory_on(m, m->one, bytes_one, &memory->read.one, &memory->triad.one, error);
    if (status == DT_OK && m->all != m->one)
        return measure_memory_on(m, m->all, bytes_worker, &memory->read.all, &memory->triad.all, error);
    memory->read.all = memory->read.one;
    memory->triad.all = memory->triad.one;
    return status;
}

dt_status dt_measure_memory(dt_measuring *m, dt_error *error)
{
    const dt_machine_topology *t = &m->machine->topology;
    const int64_t workers = m->machine->workers;
    for (int i = 0; i < t->cache_count; i++) {
        const int64_t bytes = cache_bytes(m, i);
        const dt_status status = measure_level(m, t->caches[i].level, bytes, bytes, error);
        if (status != DT_OK)
            return status;
    }
    return measure_level(m, 0, memory_bytes(m, 1), memory_bytes(m, workers) / workers, error);
}

dt_status dt_machine_bandwidth(int64_t workers, double *read, double *triad, dt_error *error)
{
    dt_status status = dt_isa_check(error);
    dt_machine *machine = status == DT_OK ? dt_allocate_zeroed(1, sizeof *machine) : NULL;
    if (status == DT_OK && !machine)
        status = dt_fail_memory(error, "the machine's figures");
    if (status != DT_OK)
        return status;

    dt_measuring m = {.machine = machine, .options = {.workers = workers}, .plan = {.seconds = 0.01, .runs = 4}};
    dt_reading reads = {0}, triads = {0};
    status = dt_measure_begin(&m, error);
    if (status == DT_OK)
        status =
            measure_memory_on(&m, m.all, memory_bytes(&m, machine->workers) / machine->workers, &reads, &triads, error);
    dt_measure_end(&m);
    dt_release(machine);
    if (read)
        *read = reads.best;
    if (triad)
        *triad = triads.best;
    return status;
}
