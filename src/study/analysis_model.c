/* The planning model against points that it didn't see, and beyond this machine.
 *
 * Points of one worker with phases calibrate it, and the machine's probes: it then predicts its series' points of more
 * workers. One worker's step is also predicted without its work: from the nearest other minibatch of the same network,
 * or from other networks. What was measured never goes into its own prediction, and nothing that several workers did
 * into any.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/split.h"
#include "study/analysis_own.h"

enum { PLAN_MOST = 128, PLAN_SERIES = 8, LINES_MOST = 1024 };

const char *dt_prediction_kind_name(dt_prediction_kind kind)
{
    static const char *const names[] = {"workers", "batch", "sizes", "prediction"};
    return (unsigned)kind < DT_PREDICTION_KINDS ? names[kind] : "";
}

/* What a one-worker point's phases say of its network and its costs. */
typedef struct calibrated {
    bool known;
    int64_t units[DT_MODEL_LAYERS_MAX + 1];
    dt_model_network network; /* its units are the above */
    dt_model_costs costs;
} calibrated;

typedef struct modelling {
    dt_analysing *a;
    calibrated *points; /* of the analysis' points of one worker */
    dt_model_machine machine;
    dt_model_measured *fitted; /* (points): room for those that a law is fitted to */
} modelling;

/* --- the network --- */

/* "784-512-10": units of layers 0 .. L; returns L, or 0 for what isn't such a text. */
static int64_t read_units(const char *text, int64_t units[DT_MODEL_LAYERS_MAX + 1])
{
    for (int64_t l = 0; l <= DT_MODEL_LAYERS_MAX; l++) {
        char *end;
        units[l] = strtoll(text, &end, 10);
        if (end == text || units[l] < 1 || units[l] > INT32_MAX)
            return 0;
        if (*end == '\0')
            return l;
        if (*end != '-')
            return 0;
        text = end + 1;
    }
    return 0;
}

static double bytes_of(const dt_profile_row *rows, size_t count, dt_phase phase, int64_t l)
{
    double bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += rows[i].phase == phase && rows[i].l == l ? rows[i].bytes : 0;
    return bytes;
}

/* Phases are means over all chunks, and a point's time is a median of them: the phases in their proportions. */
static void rescale(dt_model_costs *costs, double seconds)
{
    double sum = 0;
    for (int phase = 0; phase < DT_PHASES; phase++)
        for (int l = 0; l <= DT_MODEL_LAYERS_MAX; l++)
            sum += costs->seconds[phase][l];
    for (int phase = 0; phase < DT_PHASES && sum > 0; phase++)
        for (int l = 0; l <= DT_MODEL_LAYERS_MAX; l++)
            costs->seconds[phase][l] *= seconds / sum;
}

static dt_status calibrate(dt_analysing *a, int64_t point, calibrated *found)
{
    const dt_study_point *p = a->analysis->points[point].point;
    const double real = dt_study_precision(p) == DT_FLOAT64 ? 8 : 4;
    dt_profile_row *rows;
    size_t count;
    dt_status status = dt_point_profile(a, point, &rows, &count);
    const int64_t layers = read_units(p->units, found->units);
    if (status != DT_OK || count == 0 || layers == 0)
        return status;
    /* As deltoid/profile.h counts bytes: gather reads an element and writes a number, the gradient's step goes through
     * the parameters and each state of the optimizer twice. */
    const double steps = (double)rows[0].steps, samples = steps * (double)p->batch_size;
    const double in = (double)found->units[0], out = (double)found->units[1];
    const double gradient = bytes_of(rows, count, DT_PHASE_GRADIENT, 1) / real - samples * (in + out);
    const double stepped = gradient / (out * (in + 1)) / steps;
    const double element = bytes_of(rows, count, DT_PHASE_GATHER, 0) / (samples * in) - real;
    found->network = (dt_model_network){
        .layers = layers,
        .units = found->units,
        .samples = p->batch_size,
        .shard_size = p->shard_size,
        .real = (int64_t)real,
        .element = element > 0.5 && element < 16 ? llround(element) : (int64_t)real,
        .states = stepped > 2 && stepped < 20 ? llround((stepped - 2) / 2) : 0,
    };
    found->known =
        p->batch_size >= 1 && p->shard_size >= 1 && dt_model_calibrate(rows, count, &found->costs, NULL) == DT_OK;
    if (found->known)
        rescale(&found->costs, a->analysis->points[point].median);
    return DT_OK;
}

/* --- the machine, from its probes --- */

enum { BARRIERS_MOST = 64 };

/* The probe of that quantity, of most workers; or of a level of cache, where that isn't under 0. NULL: none. */
static const dt_study_probe *find_probe(const dt_study *study, const char *when, const char *quantity, int64_t level)
{
    const dt_study_probe *found = NULL;
    for (size_t i = 0; i < study->probe_count; i++) {
        const dt_study_probe *p = &study->probes[i];
        if (strcmp(p->when, when) == 0 && strcmp(p->quantity, quantity) == 0 && (level < 0 || p->level == level) &&
            p->best > 0 && (!found || p->workers > found->workers))
            found = p;
    }
    return found;
}

static void fit_barriers(const dt_study *study, const char *when, dt_model_machine *m)
{
    int64_t workers[BARRIERS_MOST], count = 0;
    double seconds[BARRIERS_MOST];
    for (size_t i = 0; i < study->probe_count && count < BARRIERS_MOST; i++) {
        const dt_study_probe *probe = &study->probes[i];
        if (strcmp(probe->quantity, "barrier_ns") != 0 || strcmp(probe->when, when) != 0 || probe->workers < 2)
            continue;
        workers[count] = probe->workers;
        seconds[count++] = 1e-9 * probe->best;
    }
    dt_model_fit_barriers(workers, seconds, count, m);
}

/* Caches, and what goes between cores, as measured at the study's start or end. */
static void find_exchange(const dt_study *study, const char *when, dt_model_machine *m)
{
    enum { LEVELS = 4 };
    const dt_study_probe *line = find_probe(study, when, "line_ns", -1);
    m->line = line ? 1e-9 * line->median : 0;
    m->near = m->beyond = (dt_model_exchange){0};
    for (int64_t level = 1; level <= LEVELS; level++) {
        const dt_study_probe *bytes = find_probe(study, when, "cache_bytes", level);
        const dt_study_probe *read = find_probe(study, when, "exchange_read", level);
        const dt_study_probe *write = find_probe(study, when, "exchange_write", level);
        const bool own = bytes && bytes->workers >= m->cores;
        if (own)
            m->own_cache = bytes->best;
        if (bytes)
            m->cache = bytes->best * (double)bytes->workers / (double)m->cores;
        if (!read || !write)
            continue;
        m->beyond = (dt_model_exchange){1e9 * read->best, 1e9 * write->best};
        if (own || !(m->near.read > 0))
            m->near = m->beyond;
    }
    fit_barriers(study, when, m);
}

static bool find_machine(const dt_analysis *a, dt_model_machine *m)
{
    const dt_analysis_ceilings *c = &a->ceilings;
    const int memory = c->levels - 1;
    const dt_analysis_rates *rates = &c->rates[c->rates[DT_FLOAT32].fma_one > 0 ? DT_FLOAT32 : DT_FLOAT64];
    if (memory < 0 || c->level[memory] != 0 || !(rates->fma_one > 0))
        return false;
    const double workers = (double)c->workers;
    *m = (dt_model_machine){
        .cores = c->workers,
        .slowdown = rates->fma_all > 0 ? fmax(1, rates->fma_one * workers / rates->fma_all) : 1,
        .bandwidth_one = c->one[memory],
        .bandwidth_all = c->all[memory],
        .cached = memory > 0 ? c->all[memory - 1] / workers : 0,
    };
    find_exchange(a->study, "start", m);
    return true;
}

/* How long a line took between the first two processors while a point was measured: the median of its visits; NAN. */
static double line_of(const dt_analysis *a, int64_t point)
{
    double ns[LINES_MOST];
    int64_t count = 0;
    for (size_t v = 0; v < a->study->visit_count && count < LINES_MOST; v++) {
        const dt_study_visit *visit = &a->study->visits[v];
        if (visit->point == a->points[point].point->point && dt_analysis_counts(a, visit) && visit->line_ns > 0)
            ns[count++] = visit->line_ns;
    }
    if (count == 0)
        return NAN;
    dt_samples_sort(ns, count);
    return 1e-9 * dt_median(ns, count);
}

/* As it was while the point was measured: by the probes at the start or at the end, whichever saw cores lie more like
 * that, and the rest in proportion. */
static dt_model_machine machine_at(const modelling *m, int64_t point)
{
    const double line = line_of(m->a->analysis, point);
    dt_model_machine start = m->machine, end = m->machine;
    find_exchange(m->a->study, "end", &end);
    const bool later = end.line > 0 && line > 0 && fabs(log(end.line / line)) < fabs(log(start.line / line));
    dt_model_machine *chosen = later ? &end : &start;
    dt_model_place(chosen, line);
    return *chosen;
}

/* --- predictions --- */

static bool find_strategy(const dt_study *study, const dt_study_point *p, dt_model_strategy *strategy)
{
    const char *name;
    for (size_t f = 0; f < study->factor_count; f++) /* groups of workers are another scheme */
        if (strstr(study->factors[f].name, "groups") && strcmp(p->values[f], "1") != 0 &&
            strcmp(p->values[f], "auto") != 0 && strcmp(p->values[f], "none") != 0)
            return false;
    for (int s = 0; (name = dt_model_strategy_name((dt_model_strategy)s)); s++)
        if (strcmp(name, p->reduction) == 0) {
            *strategy = (dt_model_strategy)s;
            return true;
        }
    return false;
}

static bool same_layers(const dt_model_network *one, const dt_model_network *other)
{
    return one->layers == other->layers && one->real == other->real &&
           memcmp(one->units, other->units, (size_t)(one->layers + 1) * sizeof *one->units) == 0;
}

/* The law of all points of one worker in that precision; but those of a work (-1: none), or of a network (NULL: none).
 * false: there are none. */
static bool fit_law(const modelling *m, const char *precision, int64_t work, const dt_model_network *network,
                    dt_model_law *law)
{
    const dt_analysis *all = m->a->analysis;
    int64_t count = 0;
    for (int64_t i = 0; i < all->point_count; i++)
        if (m->points[i].known && all->points[i].work != work &&
            !(network && same_layers(network, &m->points[i].network)) &&
            strcmp(all->points[i].point->precision, precision) == 0)
            m->fitted[count++] = (dt_model_measured){&m->points[i].network, &m->points[i].costs};
    return count > 0 && dt_model_fit(m->fitted, count, law, NULL) == DT_OK;
}

/* Predicts `workers` workers of a network; false where the model has no say. */
static bool predict(const dt_model_network *network, const dt_model_measured *from, const dt_model_law *law,
                    const dt_model_machine *machine, dt_model_strategy strategy, int64_t workers,
                    dt_analysis_prediction *p)
{
    dt_model_step step;
    const dt_model_plan plan = {strategy, workers, 1};
    if (dt_model_predict(network, from, law, machine, &plan, &step, NULL) != DT_OK || !(step.seconds > 0))
        return false;
    p->workers = workers;
    p->predicted = step.seconds;
    p->compute = step.compute;
    p->memory = step.memory;
    p->moved = step.moved;
    p->barrier = step.barrier;
    p->speedup = step.speedup;
    p->idle = step.idle;
    p->measured = p->error = NAN;
    return true;
}

static void keep(const modelling *m, dt_analysis_prediction p)
{
    dt_analysis *all = m->a->analysis;
    p.measured = all->points[p.point].median;
    p.error = p.predicted / p.measured - 1;
    all->predictions[all->prediction_count++] = p;
}

/* More workers, from one of the same series. */
static void predict_workers(const modelling *m, int64_t point)
{
    const dt_analysis *all = m->a->analysis;
    const dt_analysis_point *p = &all->points[point];
    dt_model_strategy strategy;
    dt_model_law law;
    if (p->workers < 2 || p->visits == 0 || p->point->oversubscribed || p->one_point < 0 ||
        !m->points[p->one_point].known || !find_strategy(m->a->study, p->point, &strategy) ||
        !fit_law(m, p->point->precision, -1, NULL, &law))
        return;
    const calibrated *c = &m->points[p->one_point];
    const dt_model_measured from = {&c->network, &c->costs};
    const dt_model_machine machine = machine_at(m, point);
    dt_model_network network = c->network;
    network.samples = p->point->batch_size; /* weak scaling: more rows for more workers */
    network.shard_size = p->point->shard_size;
    dt_analysis_prediction result = {
        .kind = DT_PREDICTION_WORKERS, .point = point, .series = p->series, .from = p->one_point};
    if (predict(&network, &from, &law, &machine, strategy, p->workers, &result))
        keep(m, result);
}

/* What lines between cores take of the phases of a point of several workers. */
static void weigh_exchange(const modelling *m, int64_t point)
{
    dt_analysis_point *p = &m->a->analysis->points[point];
    double seconds[DT_PHASES];
    dt_model_strategy strategy;
    if (p->workers < 2 || !p->attributed || p->point->oversubscribed || p->one_point < 0 ||
        !m->points[p->one_point].known || !find_strategy(m->a->study, p->point, &strategy))
        return;
    const dt_model_machine machine = machine_at(m, point);
    dt_model_network network = m->points[p->one_point].network;
    network.samples = p->point->batch_size;
    network.shard_size = p->point->shard_size;
    if (!(machine.near.write > 0)) /* not measured */
        return;
    dt_model_exchange_seconds(&network, strategy, p->workers, &machine, seconds);
    for (int phase = 0; phase < DT_PHASES; phase++)
        if (seconds[phase] > 0 && p->attribution.phase[phase].seconds > 0)
            p->attribution.phase[phase].of_exchange = seconds[phase] / p->attribution.phase[phase].seconds;
}

/* The point of the same network with the nearest other minibatch; -1: none. */
static int64_t nearest_batch(const modelling *m, int64_t point)
{
    const dt_analysis *all = m->a->analysis;
    const dt_model_network *network = &m->points[point].network;
    int64_t from = -1;
    double nearest = INFINITY;
    for (int64_t i = 0; i < all->point_count; i++) {
        const dt_model_network *other = &m->points[i].network;
        if (!m->points[i].known || all->points[i].work == all->points[point].work || !same_layers(network, other))
            continue;
        const double distance = fabs(log((double)network->samples / (double)other->samples));
        if (distance < nearest) {
            nearest = distance;
            from = i;
        }
    }
    return from;
}

/* One worker of a work from another minibatch of its network. */
static void predict_batch(const modelling *m, int64_t point)
{
    const dt_analysis_point *p = &m->a->analysis->points[point];
    const int64_t other = nearest_batch(m, point);
    dt_analysis_prediction result = {.kind = DT_PREDICTION_BATCH, .point = point, .series = p->series, .from = other};
    dt_model_law law;
    if (other < 0 || !fit_law(m, p->point->precision, p->work, NULL, &law))
        return;
    const dt_model_measured from = {&m->points[other].network, &m->points[other].costs};
    if (predict(&m->points[point].network, &from, &law, &m->machine, DT_MODEL_TREE, 1, &result))
        keep(m, result);
}

/* And from other networks alone. */
static void predict_sizes(const modelling *m, int64_t point)
{
    const dt_analysis_point *p = &m->a->analysis->points[point];
    const dt_model_network *network = &m->points[point].network;
    dt_analysis_prediction result = {.kind = DT_PREDICTION_SIZES, .point = point, .series = p->series, .from = -1};
    dt_model_law law;
    dt_model_costs costs;
    const dt_model_measured from = {network, &costs};
    if (fit_law(m, p->point->precision, p->work, network, &law) &&
        dt_model_costs_of(&law, network, &costs, NULL) == DT_OK &&
        predict(network, &from, &law, &m->machine, DT_MODEL_TREE, 1, &result))
        keep(m, result);
}

/* Once for a work, though several series have such a point. */
static void predict_work(const modelling *m, int64_t work)
{
    const int64_t point = m->a->analysis->works[work].serial;
    if (point >= 0 && m->points[point].known && m->a->analysis->points[point].visits > 0) {
        predict_batch(m, point);
        predict_sizes(m, point);
    }
}

/* The best deterministic strategy of each work on more cores like these: each brings its cache and its share of
 * memory's bandwidth. */
static void plan(const modelling *m, int64_t work)
{
    dt_analysis *all = m->a->analysis;
    const dt_analysis_work *w = &all->works[work];
    dt_model_strategy strategy;
    dt_model_law law;
    int64_t best = -1;
    for (int64_t b = 0; b < w->best_count; b++)
        if (w->best[b].deterministic >= 0 && !all->points[w->best[b].deterministic].point->oversubscribed &&
            all->points[w->best[b].deterministic].one_point >= 0)
            best = w->best[b].deterministic;
    if (best < 0 || work >= PLAN_SERIES)
        return;
    const int64_t one = all->points[best].one_point;
    if (!m->points[one].known || !find_strategy(m->a->study, all->points[best].point, &strategy) ||
        !fit_law(m, all->points[one].point->precision, -1, NULL, &law))
        return;
    const dt_model_measured from = {&m->points[one].network, &m->points[one].costs};
    for (int64_t workers = 1; workers <= PLAN_MOST; workers *= 2) {
        dt_model_machine machine = m->machine;
        dt_analysis_prediction result = {
            .kind = DT_PREDICTION_BEYOND, .point = -1, .series = all->points[best].series, .from = one};
        machine.cores = PLAN_MOST;
        machine.bandwidth_all = m->machine.bandwidth_all / (double)m->machine.cores * (double)workers;
        if (predict(from.network, &from, &law, &machine, strategy, workers, &result))
            all->plans[all->plan_count++] = result;
    }
}

/* Of a kind, or of all: DT_PREDICTION_KINDS. */
static dt_status find_error_of(dt_analysing *a, dt_prediction_kind kind, dt_model_error *error)
{
    const dt_analysis *all = a->analysis;
    double *predicted = dt_analysing_allocate(a, DT_MODEL_HELD_OUT_MAX, sizeof *predicted);
    double *measured = dt_analysing_allocate(a, DT_MODEL_HELD_OUT_MAX, sizeof *measured);
    int64_t count = 0;
    if (!predicted || !measured)
        return DT_NO_MEMORY;
    for (int64_t i = 0; i < all->prediction_count && count < DT_MODEL_HELD_OUT_MAX; i++)
        if (kind == DT_PREDICTION_KINDS || all->predictions[i].kind == kind) {
            predicted[count] = all->predictions[i].predicted;
            measured[count++] = all->predictions[i].measured;
        }
    return count > 0 ? dt_model_error_of(predicted, measured, count, error, a->error) : DT_OK;
}

static dt_status find_errors(dt_analysing *a)
{
    dt_analysis *all = a->analysis;
    dt_status status = find_error_of(a, DT_PREDICTION_KINDS, &all->error);
    for (int kind = 0; kind < DT_PREDICTION_KINDS && status == DT_OK; kind++)
        status = find_error_of(a, (dt_prediction_kind)kind, &all->errors[kind]);
    if (all->error.points == 0)
        snprintf(all->model_why, sizeof all->model_why,
                 "no point that it could be held against; measure more workers, batch sizes or networks with phases");
    return status;
}

dt_status dt_analyse_model(dt_analysing *a)
{
    dt_analysis *all = a->analysis;
    modelling m = {.a = a};
    dt_status status = DT_OK;
    bool any = false;
    m.points = dt_analysing_allocate(a, all->point_count, sizeof *m.points);
    m.fitted = dt_analysing_allocate(a, all->point_count, sizeof *m.fitted);
    all->predictions = dt_analysing_allocate(a, 3 * all->point_count, sizeof *all->predictions);
    all->plans = dt_analysing_allocate(a, PLAN_SERIES * 8, sizeof *all->plans);
    if (!m.points || !m.fitted || !all->predictions || !all->plans)
        return DT_NO_MEMORY;
    for (int64_t i = 0; i < all->point_count && status == DT_OK; i++)
        if (all->points[i].workers == 1 && all->points[i].attributed && all->points[i].visits > 0) {
            status = calibrate(a, i, &m.points[i]);
            m.points[i].network.units = m.points[i].units;
            any = any || m.points[i].known;
        }
    if (status != DT_OK)
        return status;
    if (!any || !find_machine(all, &m.machine)) {
        snprintf(all->model_why, sizeof all->model_why, "%s",
                 any ? "the machine's bandwidth wasn't measured" : "no point of one worker has phases to calibrate it");
        return DT_OK;
    }
    for (int64_t i = 0; i < all->point_count; i++) {
        predict_workers(&m, i);
        weigh_exchange(&m, i);
    }
    for (int64_t w = 0; w < all->work_count; w++)
        predict_work(&m, w);
    for (int64_t w = 0; w < all->work_count; w++)
        plan(&m, w);
    return find_errors(a);
}
