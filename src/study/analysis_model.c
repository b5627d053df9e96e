/* The planning model against points that it didn't see, and beyond this machine.
 *
 * A point of one worker with phases calibrates it: it then predicts its series' points of more workers. A point of one
 * worker is also predicted from the nearest other such point, of another batch size or network. What was measured never
 * goes into its own prediction.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/split.h"
#include "study/analysis_own.h"

enum { PLAN_MOST = 128, PLAN_SERIES = 8 };

/* What a one-worker point's phases say of its network and its costs. */
typedef struct calibrated {
    bool known;
    int64_t units[DT_MODEL_LAYERS_MAX + 1];
    dt_model_network network; /* its units are the above */
    dt_model_costs costs;
} calibrated;

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

static dt_status calibrate(dt_analysing *a, int64_t point, calibrated *found)
{
    const dt_study_point *p = a->analysis->points[point].point;
    const double real = strcmp(p->precision, "float64") == 0 ? 8 : 4;
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
    return DT_OK;
}

/* --- the machine, from its probes --- */

enum { BARRIERS_MOST = 64 };

static void fit_barriers(const dt_study *study, dt_model_machine *m)
{
    int64_t workers[BARRIERS_MOST], count = 0;
    double seconds[BARRIERS_MOST];
    for (size_t i = 0; i < study->probe_count && count < BARRIERS_MOST; i++) {
        const dt_study_probe *probe = &study->probes[i];
        if (strcmp(probe->quantity, "barrier_ns") != 0 || strcmp(probe->when, "start") != 0 || probe->workers < 2)
            continue;
        workers[count] = probe->workers;
        seconds[count++] = 1e-9 * probe->best;
    }
    dt_model_fit_barriers(workers, seconds, count, m);
}

static bool find_machine(const dt_analysis *a, dt_model_machine *m)
{
    const dt_analysis_ceilings *c = &a->ceilings;
    const int memory = c->levels - 1;
    if (memory < 0 || c->level[memory] != 0 || !(c->fma_one > 0))
        return false;
    const double workers = (double)c->workers;
    *m = (dt_model_machine){
        .cores = c->workers,
        .slowdown = c->fma_all > 0 ? fmax(1, c->fma_one * workers / c->fma_all) : 1,
        .bandwidth_one = c->one[memory],
        .bandwidth_all = c->all[memory],
        .exchange = fmin(c->one[memory], c->all[memory] / workers),
        .cache = c->cache,
    };
    fit_barriers(a->study, m);
    return true;
}

/* --- predictions --- */

typedef struct modelling {
    dt_analysing *a;
    calibrated *points; /* of the analysis' points of one worker */
    dt_model_machine machine;
} modelling;

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

/* Predicts `workers` workers of a point's network from costs; false where the model has no say. */
static bool predict(const dt_model_network *network, const dt_model_costs *costs, const dt_model_machine *machine,
                    dt_model_strategy strategy, int64_t workers, dt_analysis_prediction *p)
{
    dt_model_step step;
    const dt_model_plan plan = {strategy, workers, 1};
    if (dt_model_predict(network, costs, machine, &plan, &step, NULL) != DT_OK || !(step.seconds > 0))
        return false;
    p->workers = workers;
    p->predicted = step.seconds;
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
    if (p->workers < 2 || p->visits == 0 || p->point->oversubscribed || p->one_point < 0 ||
        !m->points[p->one_point].known || !find_strategy(m->a->study, p->point, &strategy))
        return;
    dt_analysis_prediction result = {.point = point, .series = p->series, .from = p->one_point};
    calibrated c = m->points[p->one_point];
    c.network.units = c.units;
    dt_model_costs costs = c.costs;
    if (p->point->batch_size != c.network.samples) { /* weak scaling: more rows for more workers */
        dt_model_network more = c.network;
        more.samples = p->point->batch_size;
        more.shard_size = p->point->shard_size;
        if (dt_model_transfer(&c.network, &c.costs, &more, &costs, NULL) != DT_OK)
            return;
        c.network = more;
    }
    if (predict(&c.network, &costs, &m->machine, strategy, p->workers, &result))
        keep(m, result);
}

/* One worker, from the one-worker point of other work that is nearest in operations a step. */
static void predict_work(const modelling *m, int64_t point)
{
    const dt_analysis *all = m->a->analysis;
    const dt_analysis_point *p = &all->points[point];
    const dt_model_network *network = &m->points[point].network;
    int64_t from = -1;
    double nearest = INFINITY;
    dt_model_strategy strategy;
    if (!m->points[point].known || p->visits == 0 || !find_strategy(m->a->study, p->point, &strategy))
        return;
    for (int64_t i = 0; i < all->point_count; i++) {
        const dt_analysis_point *other = &all->points[i];
        if (!m->points[i].known || other->work == p->work ||
            strcmp(other->point->reduction, p->point->reduction) != 0 ||
            strcmp(other->point->precision, p->point->precision) != 0)
            continue;
        const double distance = fabs(log((double)p->point->batch_size * (double)p->point->parameters) -
                                     log((double)other->point->batch_size * (double)other->point->parameters));
        if (distance < nearest) {
            nearest = distance;
            from = i;
        }
    }
    dt_model_costs costs;
    dt_analysis_prediction result = {.point = point, .series = p->series, .from = from};
    if (from >= 0 &&
        dt_model_transfer(&m->points[from].network, &m->points[from].costs, network, &costs, NULL) == DT_OK &&
        predict(network, &costs, &m->machine, strategy, 1, &result))
        keep(m, result);
}

/* The best deterministic strategy of each work on more cores like these: each brings its cache and its share of
 * memory's bandwidth. */
static void plan(const modelling *m, int64_t work)
{
    dt_analysis *all = m->a->analysis;
    const dt_analysis_work *w = &all->works[work];
    dt_model_strategy strategy;
    int64_t best = -1;
    for (int64_t b = 0; b < w->best_count; b++)
        if (w->best[b].deterministic >= 0 && !all->points[w->best[b].deterministic].point->oversubscribed &&
            all->points[w->best[b].deterministic].one_point >= 0)
            best = w->best[b].deterministic;
    if (best < 0 || work >= PLAN_SERIES)
        return;
    const int64_t one = all->points[best].one_point;
    if (!m->points[one].known || !find_strategy(m->a->study, all->points[best].point, &strategy))
        return;
    for (int64_t workers = 1; workers <= PLAN_MOST; workers *= 2) {
        dt_model_machine machine = m->machine;
        dt_analysis_prediction result = {.point = -1, .series = all->points[best].series, .from = one};
        machine.cores = PLAN_MOST;
        machine.bandwidth_all = m->machine.bandwidth_all / (double)m->machine.cores * (double)workers;
        if (predict(&m->points[one].network, &m->points[one].costs, &machine, strategy, workers, &result))
            all->plans[all->plan_count++] = result;
    }
}

static dt_status find_error(dt_analysing *a)
{
    dt_analysis *all = a->analysis;
    const int64_t count = dt_min(all->prediction_count, DT_MODEL_HELD_OUT_MAX);
    double *predicted = dt_analysing_allocate(a, count, sizeof *predicted);
    double *measured = dt_analysing_allocate(a, count, sizeof *measured);
    if (!predicted || !measured)
        return DT_NO_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        predicted[i] = all->predictions[i].predicted;
        measured[i] = all->predictions[i].measured;
    }
    if (count == 0)
        snprintf(all->model_why, sizeof all->model_why,
                 "no point that it could be held against; measure more workers, batch sizes or networks with phases");
    return count > 0 ? dt_model_error_of(predicted, measured, count, &all->error, a->error) : DT_OK;
}

dt_status dt_analyse_model(dt_analysing *a)
{
    dt_analysis *all = a->analysis;
    modelling m = {.a = a};
    dt_status status = DT_OK;
    bool any = false;
    m.points = dt_analysing_allocate(a, all->point_count, sizeof *m.points);
    all->predictions = dt_analysing_allocate(a, all->point_count, sizeof *all->predictions);
    all->plans = dt_analysing_allocate(a, PLAN_SERIES * 8, sizeof *all->plans);
    if (!m.points || !all->predictions || !all->plans)
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
    for (int64_t i = 0; i < all->point_count; i++)
        if (all->points[i].workers == 1)
            predict_work(&m, i);
        else
            predict_workers(&m, i);
    for (int64_t w = 0; w < all->work_count; w++)
        plan(&m, w);
    return find_error(a);
}
