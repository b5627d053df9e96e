/* A step of several workers: stretches between barriers, of each the slowest worker. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/split.h"
#include "study/model_own.h"

/* Of lines that are asked back from other workers, what arithmetic beside it hides: of rows, and of weights that are
 * stepped in place; of buffers, which are stored without being read. See study/model.h. */
static const double written_hidden = 0.25, stored_hidden = 0.75;

/* Seconds of a worker since the last barrier. */
typedef struct stretch {
    double compute, memory, moved;
} stretch;

typedef struct walk {
    dt_model_parts parts; /* of the rank with most samples */
    const dt_model_measured *from;
    const dt_model_law *law; /* NULL: none */
    const dt_model_machine *machine;
    dt_model_exchange exchange;
    double bandwidth; /* of a worker; INFINITY where a worker's data fit its caches */
    double streamed;  /* bytes a second of update's passes */
    stretch since[DT_MODEL_WORKERS_MAX];
    dt_model_step *step;
} walk;

/* Numbers of a row's a^0 .. a^L and delta^1 .. delta^L. */
static double row_numbers(const dt_model_network *n)
{
    double sum = (double)n->units[0];
    for (int64_t l = 1; l <= n->layers; l++)
        sum += 2 * (double)n->units[l];
    return sum;
}

/* Bytes that a worker comes by in a step. */
static double resident(const dt_model_parts *p)
{
    const dt_model_network *n = p->network;
    const double part = 1 / (double)p->workers;
    const bool buffers = p->workers > 1 && !dt_model_has_slices(p->strategy);
    double numbers = row_numbers(n) * (double)n->samples * part;
    for (int64_t l = 1; l <= n->layers; l++) {
        const bool units = dt_model_by_units(n, p->strategy, p->workers, l);
        numbers += dt_model_parameters(n, l) * ((units ? part : 1) + (l > 1) + buffers + (double)n->states * part);
    }
    return (double)n->real * numbers;
}

/* Bytes that a worker's phase moves at least, as deltoid/profile.h counts them. */
static double bytes_of(const dt_model_parts *p, const dt_model_task *t)
{
    const dt_model_network *n = p->network;
    const int64_t l = t->l;
    const double rows = t->rows, real = (double)n->real, in = l > 0 ? (double)n->units[l - 1] : 0,
                 out = (double)n->units[l];
    const bool stores = t->stores;
    switch (t->phase) {
    case DT_PHASE_GATHER:
        return l == 0 ? rows * out * (real + (double)n->element) : 0;
    case DT_PHASE_FORWARD:
        return l > 0 ? real * (t->part * dt_model_parameters(n, l) + rows * (in + t->part * out)) : 0;
    case DT_PHASE_BACKWARD:
        return l > 0 && l < n->layers
                   ? real * ((double)n->units[l + 1] * out + rows * ((double)n->units[l + 1] + 2 * out))
                   : 0;
    case DT_PHASE_GRADIENT:
        return l > 0 ? real * (t->part * dt_model_parameters(n, l) * (stores ? 1 : dt_model_stepped(n, l)) +
                               rows * (in + t->part * out))
                     : 0;
    case DT_PHASE_UPDATE: /* its own buffer, and the weights; others' buffers are traffic */
        return l > 0 ? real * t->part * dt_model_parameters(n, l) * (1 + dt_model_stepped(n, l)) : 0;
    default:
        return 0;
    }
}

/* What the worker does of a phase; part 0: nothing. */
static dt_model_task task_of(const walk *w, dt_phase phase, int64_t l, int64_t worker)
{
    const dt_model_parts *p = &w->parts;
    const double rows = dt_model_rows(p, worker), all = (double)p->network->samples;
    const bool units = l > 0 && dt_model_by_units(p->network, p->strategy, p->workers, l);
    const double slice = l > 0 ? dt_model_slice(p->network, p->strategy, p->workers, l, worker) : 0;
    const bool buffers = p->workers > 1 && !dt_model_has_slices(p->strategy);
    dt_model_task t = {phase, l, rows, rows > 0, false};
    switch (phase) {
    case DT_PHASE_GATHER:
        if (dt_model_by_units(p->network, p->strategy, p->workers, 1)) /* a copy each */
            return (dt_model_task){phase, l, all, 1, false};
        return t;
    case DT_PHASE_FORWARD:
        return units ? (dt_model_task){phase, l, all, slice, false} : t;
    case DT_PHASE_GRADIENT:
        t.stores = buffers;
        return buffers || p->workers == 1 ? t : (dt_model_task){phase, l, all, slice, false};
    case DT_PHASE_UPDATE:
        return (dt_model_task){phase, l, all, buffers || p->workers == 1 ? slice : 0, false};
    case DT_PHASE_WAIT:
        return (dt_model_task){phase, l, all, 0, false};
    case DT_PHASE_WATCH:
    case DT_PHASE_REST: /* one worker's bookkeeping */
        return (dt_model_task){phase, l, all, worker == 0, false};
    default:
        return t;
    }
}

/* The measured seconds, as the law says that they change. */
static double compute_of(const walk *w, const dt_model_task *t)
{
    const double measured = w->from->costs->seconds[t->phase][t->l];
    const bool computes = t->phase < DT_PHASE_UPDATE;
    const double slow = w->parts.workers > 1 && computes ? w->machine->slowdown : 1;
    const dt_model_task full = {t->phase, t->l, (double)w->from->network->samples, 1, false};
    if (!computes && w->parts.workers == 1)
        return measured;
    if (t->phase == DT_PHASE_UPDATE)
        return 0; /* one worker's has none */
    const double was = w->law ? dt_model_law_seconds(w->law, w->from->network, &full) : 0;
    if (was > 0)
        return measured * slow * dt_model_law_seconds(w->law, w->parts.network, t) / was;
    return measured * slow * t->part * t->rows / (double)w->from->network->samples;
}

/* Two things at once, of which `part` of the shorter is hidden. */
static double hidden(double one, double other, double part)
{
    return fmax(one, other) + (1 - part) * fmin(one, other);
}

static void add_phase(walk *w, dt_phase phase, int64_t l, int64_t worker)
{
    const dt_model_task task = task_of(w, phase, l, worker);
    if (!(task.part > 0))
        return;
    stretch *s = &w->since[worker];
    const bool alone = w->parts.workers == 1; /* its memory is in what was measured: T = 1 predicts itself */
    const double compute = compute_of(w, &task), bytes = alone ? 0 : bytes_of(&w->parts, &task);
    const dt_model_traffic traffic = dt_model_phase_traffic(&w->parts, phase, l, worker);
    const double read = traffic.read / w->exchange.read, written = traffic.written / w->exchange.write;
    if (phase == DT_PHASE_UPDATE) { /* nothing but traffic */
        s->compute += compute;
        s->memory += bytes / w->streamed;
        s->moved += read + written;
        return;
    }
    const double alike = fmax(compute, bytes / w->bandwidth);
    s->compute += compute;
    s->memory += alike - compute;
    s->moved += hidden(fmax(alike, read), written, task.stores ? stored_hidden : written_hidden) - alike;
}

static void add_phases(walk *w, dt_phase phase, int64_t l)
{
    for (int64_t worker = 0; worker < w->parts.workers; worker++)
        add_phase(w, phase, l, worker);
}

static void add_layers(walk *w, dt_phase phase)
{
    for (int64_t l = 0; l <= w->parts.network->layers; l++)
        add_phases(w, phase, l);
}

/* All wait for the slowest. */
static void meet(walk *w)
{
    const stretch *slowest = &w->since[0];
    double most = -1;
    for (int64_t worker = 0; worker < w->parts.workers; worker++) {
        const stretch *s = &w->since[worker];
        const double seconds = s->compute + s->memory + s->moved;
        if (seconds > most) {
            most = seconds;
            slowest = s;
        }
    }
    w->step->compute += slowest->compute;
    w->step->memory += slowest->memory;
    w->step->moved += slowest->moved;
    memset(w->since, 0, (size_t)w->parts.workers * sizeof *w->since);
}

static void forward(walk *w)
{
    const dt_model_parts *p = &w->parts;
    bool before = dt_model_by_units(p->network, p->strategy, p->workers, 1); /* x: a copy each */
    for (int64_t l = 1; l <= p->network->layers; l++) {
        const bool units = dt_model_by_units(p->network, p->strategy, p->workers, l);
        if (l > 1 && (units || before))
            meet(w);
        add_phases(w, DT_PHASE_FORWARD, l);
        before = units;
    }
    if (before)
        meet(w);
}

/* The order of train_step. */
static void go_through(walk *w)
{
    const bool local = !dt_model_has_slices(w->parts.strategy);
    add_layers(w, DT_PHASE_GATHER);
    forward(w);
    add_layers(w, DT_PHASE_COST);
    add_layers(w, DT_PHASE_BACKWARD);
    if (local)
        add_layers(w, DT_PHASE_GRADIENT);
    meet(w);
    if (!local)
        add_layers(w, DT_PHASE_GRADIENT);
    for (int phase = DT_PHASE_UPDATE; phase < DT_PHASES; phase++)
        add_layers(w, (dt_phase)phase);
    meet(w);
}

/* --- the plan --- */

static dt_status check_plan(const dt_model_machine *m, const dt_model_network *n, const dt_model_plan *plan,
                            dt_error *error)
{
    if ((unsigned)plan->strategy >= DT_MODEL_STRATEGIES)
        return dt_fail(error, DT_UNKNOWN_NAME, "a model of strategy number %d; valid: tree, owner, split, serial",
                       (int)plan->strategy);
    if (plan->workers < 1 || plan->workers > m->cores)
        return dt_fail(error, DT_INVALID,
                       "a prediction for %" PRId64 " workers on %" PRId64 " cores; the model knows no oversubscription",
                       plan->workers, m->cores);
    if (plan->workers > DT_MODEL_WORKERS_MAX)
        return dt_fail(error, DT_INVALID, "a prediction for %" PRId64 " workers; at most %d", plan->workers,
                       DT_MODEL_WORKERS_MAX);
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
    if (!(m->slowdown >= 1 && m->bandwidth_one > 0 && m->bandwidth_all > 0 && m->barrier_base >= 0 &&
          m->barrier_doubling >= 0))
        return dt_fail(error, DT_INVALID, "a model of a machine without bandwidth; see dt_model_machine_of");
    return DT_OK;
}

static dt_status check_from(const dt_model_network *n, const dt_model_network *from, dt_error *error)
{
    const dt_status status = dt_model_check(from, error);
    if (status != DT_OK)
        return status;
    bool same = from->layers == n->layers && from->real == n->real;
    for (int64_t l = 0; same && l <= n->layers; l++)
        same = from->units[l] == n->units[l];
    return same ? DT_OK
                : dt_fail(error, DT_INVALID,
                          "a prediction from the costs of other layers; make costs of these with dt_model_costs_of");
}

/* What of memory's bandwidth a worker has. */
static double memory_of(const dt_model_parts *p, const dt_model_machine *m)
{
    return fmin(m->bandwidth_one, m->bandwidth_all / (double)p->workers);
}

/* Lines that have left the reader's last cache needn't be asked back: of more data than fit it, only a part is there.
 */
static dt_model_exchange exchange_of(const dt_model_parts *p, const dt_model_machine *m)
{
    const double needs = resident(p), there = m->cache > 0 ? fmin(1, m->cache / needs) : 1;
    const dt_model_exchange e = needs <= m->own_cache ? m->near : m->beyond;
    const double memory = memory_of(p, m); /* where it wasn't measured */
    return (dt_model_exchange){e.read > 0 ? e.read : memory, (e.write > 0 ? e.write : memory) / there};
}

static void find_rates(walk *w)
{
    const dt_model_machine *m = w->machine;
    const double memory = memory_of(&w->parts, m);
    const bool fits = resident(&w->parts) <= m->cache;
    w->bandwidth = fits ? (double)INFINITY : memory;
    w->streamed = fits ? fmax(memory, m->cached) : memory;
    w->exchange = exchange_of(&w->parts, m);
}

void dt_model_exchange_seconds(const dt_model_network *network, dt_model_strategy strategy, int64_t workers,
                               const dt_model_machine *machine, double seconds[DT_PHASES])
{
    const dt_model_parts parts = {network, strategy, workers};
    const dt_model_exchange rate = exchange_of(&parts, machine);
    for (int phase = 0; phase < DT_PHASES; phase++) {
        seconds[phase] = 0;
        for (int64_t l = 0; l <= network->layers; l++)
            for (int64_t worker = 0; worker < workers; worker++) {
                const dt_model_traffic t = dt_model_phase_traffic(&parts, (dt_phase)phase, l, worker);
                seconds[phase] += t.read / rate.read + t.written / rate.write;
            }
    }
}

static double sum_of(const dt_model_costs *costs)
{
    double sum = 0;
    for (int phase = 0; phase < DT_PHASES; phase++)
        for (int64_t l = 0; phase != DT_PHASE_WAIT && l <= DT_MODEL_LAYERS_MAX; l++)
            sum += costs->seconds[phase][l];
    return sum;
}

dt_status dt_model_predict(const dt_model_network *network, const dt_model_measured *from, const dt_model_law *law,
                           const dt_model_machine *machine, const dt_model_plan *plan, dt_model_step *step,
                           dt_error *error)
{
    dt_status status = dt_model_check(network, error);
    if (status == DT_OK)
        status = check_from(network, from->network, error);
    if (status == DT_OK)
        status = check_plan(machine, network, plan, error);
    if (status != DT_OK)
        return status;
    const int64_t own = dt_span_count(dt_split(dt_ceil_div(network->samples, network->shard_size), plan->ranks, 0));
    dt_model_network rank = *network; /* the rank with the most shards: rank 0 */
    rank.samples = dt_min(own * network->shard_size, network->samples);
    walk w = {
        .parts = {&rank, plan->strategy, plan->workers}, .from = from, .law = law, .machine = machine, .step = step};
    const double t = (double)plan->workers, r = (double)plan->ranks;
    *step = (dt_model_step){.label = dt_model_label, .idle = plan->workers > own};
    find_rates(&w);
    go_through(&w);
    step->barrier = (double)dt_model_barriers(&rank, plan->strategy, plan->workers) *
                    (machine->barrier_base + machine->barrier_doubling * log2(t));
    if (plan->ranks > 1)
        step->network = 2 * ceil(log2(r)) * machine->latency +
                        2 * (r - 1) / r * (double)network->real * dt_model_all_parameters(network) / machine->network;
    step->seconds = step->compute + step->memory + step->moved + step->barrier + step->network;
    step->speedup = sum_of(from->costs) * (double)network->samples / (double)from->network->samples / step->seconds;
    return DT_OK;
}
