#include "study/model.h"

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

static dt_status check(const dt_model_network *n, dt_error *error)
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

/* --- what a network asks for --- */

static double parameters(const dt_model_network *n, int64_t l)
{
    return (double)n->units[l] * ((double)n->units[l - 1] + 1);
}

static double all_parameters(const dt_model_network *n)
{
    double sum = 0;
    for (int64_t l = 1; l <= n->layers; l++)
        sum += parameters(n, l);
    return sum;
}

/* Numbers of a row's a^0 .. a^L and delta^1 .. delta^L. */
static double row_numbers(const dt_model_network *n)
{
    double sum = (double)n->units[0];
    for (int64_t l = 1; l <= n->layers; l++)
        sum += 2 * (double)n->units[l];
    return sum;
}

/* Operations (equations 1, 4, 5, 6) or, of gather and cost, bytes: what a phase's time goes with. 0 of the others. */
static double work(const dt_model_network *n, dt_phase phase, int64_t l)
{
    const double samples = (double)n->samples;
    switch (phase) {
    case DT_PHASE_GATHER:
        return l == 0 ? samples * (double)n->units[0] * (double)(n->real + n->element) : 0;
    case DT_PHASE_COST:
        return l == 0 ? samples * (double)n->units[n->layers] * (double)n->real : 0;
    case DT_PHASE_FORWARD:
    case DT_PHASE_GRADIENT:
        return l > 0 ? 2 * samples * parameters(n, l) : 0;
    case DT_PHASE_BACKWARD:
        return l > 0 && l < n->layers ? 2 * samples * (double)n->units[l] * (double)n->units[l + 1] : 0;
    default:
        return 0;
    }
}

/* dt_reduction_by_units of parallel/reduction.h, which is compiled for one precision or the other; a test holds the two
 * together. */
static bool by_units(const dt_model_network *n, dt_model_strategy strategy, int64_t workers, int64_t l)
{
    const int64_t lanes = dt_max(1, 64 / n->real), panels = dt_ceil_div(n->units[l], lanes);
    const int64_t most = dt_ceil_div(panels, workers) * workers; /* in use, if all had as many as the busiest */
    return strategy == DT_MODEL_SPLIT && workers > 1 && panels >= workers && n->units[l] > n->samples &&
           8 * most <= 9 * panels;
}

double dt_model_moved(const dt_model_network *network, dt_model_strategy strategy, int64_t workers)
{
    const dt_model_network *n = network;
    const double t = (double)workers, samples = (double)n->samples;
    const bool slices = strategy == DT_MODEL_OWNER || strategy == DT_MODEL_SPLIT;
    double numbers = 0;
    for (int64_t l = 1; l <= n->layers; l++) {
        const bool units = by_units(n, strategy, workers, l);
        const bool own_rows = l == 1 && units; /* x: a copy each */
        numbers += units ? 0 : parameters(n, l);
        if (slices)
            numbers += samples * (double)((own_rows ? 0 : n->units[l - 1]) + n->units[l]);
        if (strategy == DT_MODEL_TREE)
            numbers += parameters(n, l);
    }
    if (strategy == DT_MODEL_SERIAL && workers > 1)
        return (double)n->real * t * all_parameters(n);
    return (double)n->real * numbers * (t - 1) / t;
}

int64_t dt_model_barriers(const dt_model_network *network, dt_model_strategy strategy, int64_t workers)
{
    int64_t barriers = workers > 1 ? 2 : 0;
    bool whole = by_units(network, strategy, workers, 1);
    for (int64_t l = 1; l <= network->layers; l++) {
        const bool units = by_units(network, strategy, workers, l);
        barriers += units ? 1 + !whole : 0;
        whole = units;
    }
    return barriers;
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

dt_status dt_model_transfer(const dt_model_network *measured, const dt_model_costs *costs,
                            const dt_model_network *other, dt_model_costs *result, dt_error *error)
{
    dt_status status = check(measured, error);
    if (status == DT_OK)
        status = check(other, error);
    if (status != DT_OK)
        return status;
    *result = (dt_model_costs){0};
    for (int phase = 0; phase < DT_PHASES; phase++) {
        double seconds = 0, done = 0;
        for (int64_t l = 0; l <= measured->layers; l++) {
            seconds += costs->seconds[phase][l];
            done += work(measured, (dt_phase)phase, l);
        }
        if (done == 0)
            result->seconds[phase][0] = seconds;
        for (int64_t l = 0; done > 0 && l <= other->layers; l++)
            result->seconds[phase][l] = seconds * work(other, (dt_phase)phase, l) / done;
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
        .exchange = 1e9 * fmin(memory->read.one.best, memory->read.all.best / workers),
    };
    const dt_machine_topology *topology = &measured->topology;
    if (topology->cache_count > 0 && topology->cores > 0) {
        const dt_machine_cache *last = &topology->caches[topology->cache_count - 1];
        machine->cache = (double)last->bytes * (double)last->count / (double)topology->cores;
    }
    int64_t team[DT_MACHINE_BARRIERS_MAX];
    double seconds[DT_MACHINE_BARRIERS_MAX];
    for (int i = 0; i < measured->barrier_count; i++) {
        team[i] = measured->barriers[i].workers;
        seconds[i] = 1e-9 * measured->barriers[i].ns.best;
    }
    dt_model_fit_barriers(team, seconds, measured->barrier_count, machine);
    return DT_OK;
}

/* --- predictions --- */

/* What one rank's workers do: the costs of its busiest worker. */
typedef struct parts {
    const dt_model_network *network; /* of the rank: its own samples */
    const dt_model_machine *machine;
    dt_model_strategy strategy;
    int64_t workers;
    double rows;      /* the busiest worker's share of the rank's rows */
    double bandwidth; /* of a worker; INFINITY where the step's data fit its cache */
} parts;

static double share_of(const parts *p, dt_phase phase, int64_t l)
{
    const double even = 1 / (double)p->workers;
    const bool slices = p->strategy == DT_MODEL_OWNER || p->strategy == DT_MODEL_SPLIT;
    switch (phase) {
    case DT_PHASE_GATHER:
        return by_units(p->network, p->strategy, p->workers, 1) ? 1 : p->rows;
    case DT_PHASE_FORWARD:
        return by_units(p->network, p->strategy, p->workers, l) ? even : p->rows;
    case DT_PHASE_COST:
    case DT_PHASE_BACKWARD:
        return p->rows;
    case DT_PHASE_GRADIENT:
        return slices ? even : p->rows;
    case DT_PHASE_UPDATE:
        return p->strategy == DT_MODEL_SERIAL ? 1 : even;
    case DT_PHASE_WAIT:
        return 0;
    default:
        return 1; /* watch and rest are one worker's bookkeeping */
    }
}

/* Bytes that the busiest worker moves at least. */
static double bytes_of(const parts *p, dt_phase phase, int64_t l)
{
    const dt_model_network *n = p->network;
    const double share = share_of(p, phase, l), rows = share * (double)n->samples, real = (double)n->real;
    const double stepped = 2 + 2 * (double)n->states, in = l > 0 ? (double)n->units[l - 1] : 0,
                 out = (double)n->units[l];
    switch (phase) {
    case DT_PHASE_GATHER:
        return l == 0 ? rows * out * (real + (double)n->element) : 0;
    case DT_PHASE_FORWARD:
        if (l == 0)
            return 0;
        return by_units(n, p->strategy, p->workers, l)
                   ? real * (share * parameters(n, l) + (double)n->samples * (in + share * out))
                   : real * (parameters(n, l) + rows * (in + out));
    case DT_PHASE_BACKWARD:
        return l > 0 && l < n->layers ? real * (parameters(n, l + 1) + rows * ((double)n->units[l + 1] + 2 * out)) : 0;
    case DT_PHASE_GRADIENT:
        if (l == 0)
            return 0;
        return p->strategy == DT_MODEL_TREE || p->strategy == DT_MODEL_SERIAL
                   ? real * (parameters(n, l) * (p->workers > 1 ? 1 : stepped) + rows * (in + out))
                   : real * (share * parameters(n, l) * stepped + (double)n->samples * (in + share * out));
    default:
        return 0;
    }
}

/* The pass over buffers and parameters that strategies with buffers have after the barrier; one worker doesn't. */
static double update_bytes(const parts *p)
{
    if (p->workers == 1 || p->strategy == DT_MODEL_OWNER || p->strategy == DT_MODEL_SPLIT)
        return 0;
    return (double)p->network->real * share_of(p, DT_PHASE_UPDATE, 0) * all_parameters(p->network) *
           (1 + 2 + 2 * (double)p->network->states); /* the other buffers are `moved` */
}

static double bandwidth_of(const dt_model_machine *m, const dt_model_network *n, int64_t workers)
{
    const double resident = (double)n->real * (all_parameters(n) * (2 + (double)n->states) / (double)workers +
                                               row_numbers(n) * (double)n->samples / (double)workers);
    return resident <= m->cache ? INFINITY : fmin(m->bandwidth_one, m->bandwidth_all / (double)workers);
}

static void add_phases(const parts *p, const dt_model_costs *costs, double scale, dt_model_step *step)
{
    /* The measured worker is in `costs`, its memory included: T = 1 predicts itself. */
    const bool bound = p->workers > 1;
    for (int phase = 0; phase < DT_PHASES; phase++)
        for (int64_t l = 0; l <= p->network->layers; l++) {
            const bool fixed = phase >= DT_PHASE_UPDATE;
            const double slow = bound ? p->machine->slowdown : 1;
            const double compute =
                costs->seconds[phase][l] * share_of(p, (dt_phase)phase, l) * (fixed ? 1 : slow * scale);
            const double memory = bound ? bytes_of(p, (dt_phase)phase, l) / p->bandwidth : 0;
            step->compute += compute;
            step->memory += fmax(0, memory - compute);
        }
    /* Even from caches a pass is no faster than one core's memory: what was measured of caches is another rate. */
    step->memory += update_bytes(p) / fmin(p->bandwidth, p->machine->bandwidth_one);
}

static dt_status check_plan(const dt_model_machine *m, const dt_model_network *n, const dt_model_plan *plan,
                            dt_error *error)
{
    if ((unsigned)plan->strategy >= DT_MODEL_STRATEGIES)
        return dt_fail(error, DT_UNKNOWN, "a model of strategy number %d; valid: tree, owner, split, serial",
                       (int)plan->strategy);
    if (plan->workers < 1 || plan->workers > m->cores)
        return dt_fail(error, DT_INVALID,
                       "a prediction for %" PRId64 " workers on %" PRId64 " cores; the model knows no oversubscription",
                       plan->workers, m->cores);
    const int64_t shards = dt_ceil_div(n->samples, n->shard_size);
    if (plan->ranks < 1 || plan->ranks > shards)
        return dt_fail(error, DT_INVALID,
                       "a prediction for %" PRId64 " ranks of %" PRId64 " shards; 1 to as many ranks", plan->ranks,
                       shards);
    if (plan->ranks > 1 && !(m->network > 0 && m->latency >= 0))
        return dt_fail(error, DT_INVALID,
                       "a prediction for %" PRId64 " ranks without a network; give its latency and "
                       "bandwidth",
                       plan->ranks);
    if (!(m->slowdown >= 1 && m->bandwidth_one > 0 && m->bandwidth_all > 0 && m->exchange > 0 && m->barrier_base >= 0 &&
          m->barrier_doubling >= 0))
        return dt_fail(error, DT_INVALID, "a model of a machine without bandwidth; see dt_model_machine_of");
    return DT_OK;
}

static double sum_of(const dt_model_costs *costs)
{
    double sum = 0;
    for (int phase = 0; phase < DT_PHASES; phase++)
        for (int64_t l = 0; phase != DT_PHASE_WAIT && l <= DT_MODEL_LAYERS_MAX; l++)
            sum += costs->seconds[phase][l];
    return sum;
}

dt_status dt_model_predict(const dt_model_network *network, const dt_model_costs *costs,
                           const dt_model_machine *machine, const dt_model_plan *plan, dt_model_step *step,
                           dt_error *error)
{
    dt_status status = check(network, error);
    if (status == DT_OK)
        status = check_plan(machine, network, plan, error);
    if (status != DT_OK)
        return status;
    const int64_t shards = dt_ceil_div(network->samples, network->shard_size), workers = plan->workers;
    dt_model_network rank = *network; /* the rank with the most shards: rank 0 */
    const int64_t own = dt_span_count(dt_split(shards, plan->ranks, 0));
    rank.samples = dt_min(own * network->shard_size, network->samples);
    const int64_t mine = dt_span_count(dt_split(own, workers, 0)) * network->shard_size;
    const parts p = {
        .network = &rank,
        .machine = machine,
        .strategy = plan->strategy,
        .workers = workers,
        .rows = (double)dt_min(mine, rank.samples) / (double)rank.samples,
        .bandwidth = bandwidth_of(machine, &rank, workers),
    };
    const double t = (double)workers, r = (double)plan->ranks;
    *step = (dt_model_step){.label = dt_model_label, .idle = workers > own};
    add_phases(&p, costs, (double)rank.samples / (double)network->samples, step);
    step->moved = dt_model_moved(&rank, plan->strategy, workers) / machine->exchange;
    step->barrier = (double)dt_model_barriers(&rank, plan->strategy, workers) *
                    (machine->barrier_base + machine->barrier_doubling * log2(t));
    if (plan->ranks > 1)
        step->network = 2 * ceil(log2(r)) * machine->latency +
                        2 * (r - 1) / r * (double)network->real * all_parameters(network) / machine->network;
    step->seconds = step->compute + step->memory + step->moved + step->barrier + step->network;
    step->speedup = sum_of(costs) / step->seconds;
    return DT_OK;
}

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
