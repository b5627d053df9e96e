#include <math.h>

#include "cli/scale_run.h"
#include "deltoid/machine.h"

static void add_probe(dt_study_probe *probes, size_t *n, const char *when, const char *quantity, int64_t workers,
                      int64_t level, const dt_reading *reading, const char *unit)
{
    if (reading->runs)
        probes[(*n)++] =
            (dt_study_probe){when, quantity, workers, level, reading->median, reading->best, reading->spread, unit};
}

dt_status dt_scale_probe(dt_scale *s, const char *when, dt_error *error)
{
    enum { PROBES_MAX = 96 };
    static dt_machine machine;
    dt_study_probe probes[PROBES_MAX];
    size_t n = 0;
    dt_status status = dt_machine_measure(&machine, &(dt_machine_options){.seconds = s->plan->probes}, error);
    if (status != DT_OK)
        return status;
    const int64_t all = machine.workers;
    for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
        add_probe(probes, &n, when, dt_study_fma[p], 1, -1, &machine.fma[p].one, "GFLOP/s");
        add_probe(probes, &n, when, dt_study_product[p], 1, -1, &machine.product[p].one, "GFLOP/s");
        if (all > 1) {
            add_probe(probes, &n, when, dt_study_fma[p], all, -1, &machine.fma[p].all, "GFLOP/s");
            add_probe(probes, &n, when, dt_study_product[p], all, -1, &machine.product[p].all, "GFLOP/s");
        }
    }
    for (int i = 0; i < machine.memory_count; i++) {
        const dt_machine_memory *m = &machine.memory[i];
        add_probe(probes, &n, when, "read", 1, m->level, &m->read.one, "GB/s");
        add_probe(probes, &n, when, "triad", 1, m->level, &m->triad.one, "GB/s");
        if (all > 1) {
            add_probe(probes, &n, when, "read", all, m->level, &m->read.all, "GB/s");
            add_probe(probes, &n, when, "triad", all, m->level, &m->triad.all, "GB/s");
        }
    }
    for (int i = 0; i < machine.exchange_count; i++) {
        const dt_machine_exchange *exchange = &machine.exchange[i];
        add_probe(probes, &n, when, "exchange_read", all, exchange->level, &exchange->read, "GB/s");
        add_probe(probes, &n, when, "exchange_write", all, exchange->level, &exchange->write, "GB/s");
    }
    if (machine.pair_count)
        add_probe(probes, &n, when, "line_ns", 2, -1, &machine.pairs[0].ns, "ns");
    for (int i = 0; i < machine.topology.cache_count; i++) { /* as the system tells: workers is how many there are */
        const dt_machine_cache *cache = &machine.topology.caches[i];
        const double bytes = (double)cache->bytes;
        add_probe(probes, &n, when, "cache_bytes", cache->count, cache->level, &(dt_reading){bytes, bytes, 0, 1}, "B");
    }
    for (int i = 0; i < machine.barrier_count && n < PROBES_MAX; i++)
        add_probe(probes, &n, when, "barrier_ns", machine.barriers[i].workers, -1, &machine.barriers[i].ns, "ns");
    double *peak = dt_scale_peak(s, machine.isa);
    *peak = fmax(*peak, machine.fma[DT_FLOAT32].one.best);
    return dt_study_append_probes(s->folder, probes, n, error);
}
