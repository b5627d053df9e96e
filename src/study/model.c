#include "study/model_own.h"

#include <inttypes.h>
#include <math.h>

#include "base/split.h"
#include "study/statistics.h"

const char dt_model_label[] = "prediction";

const char *dt_model_strategy_name(dt_model_strategy strategy)
{
    static const char *const names[] = {"tree", "owner", "split", "serial"};
    return (unsigned)strategy < DT_MODEL_STRATEGIES ? names[strategy] : NULL;
}

dt_status dt_model_check(const dt_model_network *n, dt_error *error)
{
    if (n->layers < 1 || n->layers > DT_MODEL_LAYERS_MAX)
        return dt_fail(error, DT_INVALID, "a model of %" PRId64 " layers; 1 to %d", n->layers, DT_MODEL_LAYERS_MAX);
    for (int64_t l = 0; l <= n->layers; l++)
        if (n->units[l] < 1)
            return dt_fail(error, DT_INVALID, "a model of %" PRId64 " units in layer %" PRId64 "; at least 1",
                           n->units[l], l);
    if (n->samples < 1 || n->shard_size < 1 || n->real < 1 || n->element < 1 || n->states < 0)
        return dt_fail(error, DT_INVALID,
                       "a model of %" PRId64 " samples in shards of %" PRId64 ", numbers of %" PRId64 " and %" PRId64
                       " bytes; all are at least 1",
                       n->samples, n->shard_size, n->real, n->element);
    return DT_OK;
}

double dt_model_all_parameters(const dt_model_network *n)
{
    double sum = 0;
    for (int64_t l = 1; l <= n->layers; l++)
        sum += dt_model_parameters(n, l);
    return sum;
}

/* --- where its figures come from --- */

dt_status dt_model_calibrate(const dt_profile_row *rows, size_t count, dt_model_costs *costs, dt_error *error)
{
    *costs = (dt_model_costs){0};
    if (count == 0 || rows[0].steps < 1)
        return dt_fail(error, DT_INVALID, "a model without a profile; profile at least one step of one worker");
    for (size_t i = 0; i < count; i++) {
        const dt_profile_row *row = &rows[i];
        if (row->worker != 0)
            return dt_fail(error, DT_INVALID, "a model from the profile of several workers; profile with threads: 1");
        if (row->phase < 0 || row->phase >= DT_PHASES || row->l < 0 || row->l > DT_MODEL_LAYERS_MAX ||
            !(row->seconds >= 0 && isfinite(row->seconds)))
            return dt_fail(error, DT_INVALID, "profile row %zu: phase %d of layer %" PRId64 ", %g seconds", i,
                           (int)row->phase, row->l, row->seconds);
        costs->seconds[row->phase][row->l] += row->seconds / (double)rows[0].steps;
    }
    return DT_OK;
}

void dt_model_fit_barriers(const int64_t *workers, const double *seconds, int64_t count, dt_model_machine *machine)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (int64_t i = 0; i < count; i++) {
        const double doublings = log2((double)workers[i]);
        n++, x += doublings, y += seconds[i], xx += doublings * doublings, xy += doublings * seconds[i];
    }
    const double spread = n * xx - x * x;
    double doubling = spread > 0 ? (n * xy - x * y) / spread : -1, base = n > 0 ? (y - doubling * x) / n : 0;
    if (doubling < 0 || base < 0) { /* one barrier, or not of this shape: through zero */
        base = 0;
        doubling = xx > 0 ? xy / xx : 0;
    }
    machine->barrier_base = base;
    machine->barrier_doubling = doubling;
}

static void find_caches(const dt_machine *measured, dt_model_machine *machine)
{
    const dt_machine_topology *t = &measured->topology;
    int own = 0; /* level of the last cache that each core has for itself */
    for (int i = 0; i < t->cache_count && t->cores > 0; i++)
        if (t->caches[i].count >= t->cores) {
            own = t->caches[i].level;
            machine->own_cache = (double)t->caches[i].bytes;
        }
    if (t->cache_count > 0 && t->cores > 0) {
        const dt_machine_cache *last = &t->caches[t->cache_count - 1];
        machine->cache = (double)last->bytes * (double)last->count / (double)t->cores;
    }
    for (int i = 0; i < measured->exchange_count; i++) {
        const dt_machine_exchange *e = &measured->exchange[i];
        machine->beyond = (dt_model_exchange){1e9 * e->read.best, 1e9 * e->write.best};
        if (i == 0 || e->level <= own)
            machine->near = machine->beyond;
    }
}

dt_status dt_model_machine_of(const dt_machine *measured, dt_precision precision, dt_model_machine *machine,
                              dt_error *error)
{
    const dt_machine_rate *fma = &measured->fma[precision];
    const dt_machine_memory *memory = &measured->memory[dt_max(0, measured->memory_count - 1)];
    if (measured->workers < 1 || measured->memory_count < 1 || !(fma->one.best > 0 && fma->all.best > 0) ||
        !(memory->read.one.best > 0 && memory->read.all.best > 0))
        return dt_fail(error, DT_INVALID, "a model of a machine that wasn't measured; run its probes");
    const double workers = (double)measured->workers;
    *machine = (dt_model_machine){
        .cores = dt_min(measured->workers, measured->processors),
        .slowdown = fmax(1, fma->one.best * workers / fma->all.best),
        .bandwidth_one = 1e9 * memory->read.one.best,
        .bandwidth_all = 1e9 * memory->read.all.best,
        .cached = measured->memory_count > 1 ? 1e9 * memory[-1].triad.all.best / workers : 0,
        .line = measured->pair_count > 0 ? 1e-9 * measured->pairs[0].ns.median : 0,
    };
    find_caches(measured, machine);
    int64_t team[DT_MACHINE_BARRIERS_MAX];
    double seconds[DT_MACHINE_BARRIERS_MAX];
    for (int i = 0; i < measured->barrier_count; i++) {
        team[i] = measured->barriers[i].workers;
        seconds[i] = 1e-9 * measured->barriers[i].ns.best;
    }
    dt_model_fit_barriers(team, seconds, measured->barrier_count, machine);
    return DT_OK;
}

void dt_model_place(dt_model_machine *m, double line)
{
    if (!(m->line > 0 && line > 0))
        return;
    const double nearer = m->line / line;
    m->near = (dt_model_exchange){m->near.read * nearer, m->near.write * nearer};
    m->beyond = (dt_model_exchange){m->beyond.read * nearer, m->beyond.write * nearer};
    m->barrier_base /= nearer;
    m->barrier_doubling /= nearer;
    m->line = line;
}

/* --- how far off --- */

dt_status dt_model_error_of(const double *predicted, const double *measured, int64_t count, dt_model_error *result,
                            dt_error *error)
{
    double relative[DT_MODEL_HELD_OUT_MAX], size[DT_MODEL_HELD_OUT_MAX];
    if (count < 1 || count > DT_MODEL_HELD_OUT_MAX)
        return dt_fail(error, DT_INVALID, "a model's error at %" PRId64 " points; 1 to %d", count,
                       DT_MODEL_HELD_OUT_MAX);
    for (int64_t i = 0; i < count; i++) {
        if (!(predicted[i] > 0 && measured[i] > 0 && isfinite(predicted[i]) && isfinite(measured[i])))
            return dt_fail(error, DT_INVALID,
                           "held-out point %" PRId64 ": %g seconds predicted, %g measured; both over 0", i,
                           predicted[i], measured[i]);
        relative[i] = predicted[i] / measured[i] - 1;
        size[i] = fabs(relative[i]);
    }
    dt_samples_sort(relative, count);
    dt_samples_sort(size, count);
    *result = (dt_model_error){count, dt_median(size, count), size[count - 1], dt_median(relative, count)};
    return DT_OK;
}
