#include "train/engine.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "nn/own.h"
#include "train/fault.h"
#include "train/norms.h"
#include "train/pass.h"
#include "train/profile.h"
#include "train/schedule.h"
#include "train/update.h"

struct dt_engine {
    dt_run *run;
    const dt_experiment *experiment;
    int64_t workers;
    dt_network *network;
    dt_updater *updater;
    dt_reducer *reducer;
    dt_reducer *alone;                /* of steps that one worker makes though there are more; NULL: there are none */
    dt_pass *pass;                    /* of the minibatch */
    dt_pass *evaluation;              /* DT_EVALUATION_CHUNK rows a worker */
    int64_t *evaluation_sample;       /* which rows of the data set they are */
    dt_pass *probe[DT_OBSERVERS_MAX]; /* of observers with rows of their own */
    dt_dataset *probe_data[DT_OBSERVERS_MAX]; /* those rows, where the training set doesn't stay in memory */
    int64_t *probe_sample;                    /* which rows of these they are: 0, 1, .. */
};

/* --- life --- */

static const dt_loss *loss_named(const char *name)
{
    const dt_loss *table = DT_SELECT(dt_loss, dt_losses, );
    for (int i = 0; i < DT_LOSS_COUNT; i++)
        if (strcmp(table[i].entry.name, name) == 0)
            return &table[i];
    return dt_own_loss_named(name);
}

/* The experiment's strategy, or the one that it leaves to choose. */
static const dt_reduction *reduction_of(const dt_experiment *experiment, const dt_engine_sizes *sizes)
{
    const dt_reduction *reduction;
    for (size_t i = 0; (reduction = dt_reduction_at(i)); i++)
        if (strcmp(reduction->entry.name, experiment->parallel.reduction) == 0)
            break;
    return reduction && reduction->choose ? reduction->choose(sizes->units, sizes->layers, sizes->batch, sizes->workers)
                                          : reduction;
}

/* Each worker has its own where layer 1 goes by units: all of them read all rows. */
static int64_t copies_of_x(const dt_experiment *experiment, const dt_engine_sizes *sizes)
{
    const dt_reduction *reduction = reduction_of(experiment, sizes);
    return dt_reduction_by_units(reduction, sizes->units[1], sizes->batch, sizes->workers) ? sizes->workers : 1;
}

/* Passes of the minibatch, of an evaluation, and of capture rules with rows of their own. */
static bool measure_passes(const dt_experiment *experiment, const dt_engine_sizes *sizes, size_t *bytes)
{
    size_t pass, evaluation, probe;
    if (!dt_pass_measure(sizes->layers, sizes->units, experiment->network, sizes->batch, copies_of_x(experiment, sizes),
                         &pass) ||
        !dt_pass_measure(sizes->layers, sizes->units, NULL, sizes->workers * DT_EVALUATION_CHUNK, 1, &evaluation) ||
        __builtin_add_overflow(pass, evaluation, bytes))
        return false;
    for (size_t i = 0; i < experiment->capture_count; i++) {
        const dt_capture_rule *rule = &experiment->capture[i];
        if (rule->samples == DT_SAMPLES_ROWS &&
            (!dt_pass_measure(sizes->layers, sizes->units, NULL, rule->sample_count, 1, &probe) ||
             __builtin_add_overflow(*bytes, probe, bytes)))
            return false;
    }
    return true;
}

static bool measure(const dt_experiment *experiment, const dt_engine_sizes *sizes, dt_trainer_info *info)
{
    size_t network, vector, more, passes, buffers;
    const dt_reduction *reduction = reduction_of(experiment, sizes);
    const size_t own =
        (size_t)dt_reducer_buffers(reduction, sizes->batch, sizes->short_batch, sizes->shard_size, sizes->workers);
    if (!dt_network_measure(sizes->layers, sizes->units, &network, &vector) ||
        !dt_updater_measure(experiment, sizes->units, vector, &more) || !dt_multiply(vector, own, &buffers) ||
        __builtin_add_overflow(network, more, &info->parameter_bytes) || !measure_passes(experiment, sizes, &passes))
        return false;
    info->bytes_per_worker = buffers + DT_GRADIENT_SCRATCH * sizeof(dt_real);
    info->bytes_of_buffers = buffers;
    info->activation_bytes = passes;
    info->reduction = reduction->entry.name;
    info->deterministic = reduction->deterministic;
    return true;
}

static void destroy(dt_engine *e)
{
    if (!e)
        return;
    for (int i = 0; i < DT_OBSERVERS_MAX; i++) {
        dt_pass_destroy(e->probe[i]);
        dt_dataset_destroy(e->probe_data[i]);
    }
    dt_release(e->probe_sample);
    dt_pass_destroy(e->pass);
    dt_pass_destroy(e->evaluation);
    dt_release(e->evaluation_sample);
    dt_reducer_destroy(e->reducer);
    dt_reducer_destroy(e->alone);
    dt_updater_destroy(e->updater);
    dt_network_destroy(e->network);
    dt_release(e);
}

static dt_status create(dt_engine **engine, const dt_experiment *experiment, const dt_engine_sizes *sizes, dt_run *run,
                        dt_error *error)
{
    *engine = NULL;
    dt_engine *e = dt_allocate_zeroed(1, sizeof *e);
    if (!e)
        return dt_fail_memory(error, "the engine");
    e->run = run;
    e->experiment = experiment;
    e->workers = sizes->workers;
    const dt_loss *loss = loss_named(experiment->loss);
    dt_status status =
        dt_network_create(&e->network, experiment->network, sizes->layers, sizes->units[0], experiment->seed, error);
    if (status == DT_OK)
        status = dt_updater_create(&e->updater, experiment, e->network, error);
    if (status == DT_OK)
        status = dt_pass_create(&e->pass, e->network, loss, &experiment->loss_options, true, sizes->batch,
                                copies_of_x(experiment, sizes), error);
    if (status == DT_OK)
        status = dt_pass_create(&e->evaluation, e->network, loss, &experiment->loss_options, false,
                                sizes->workers * DT_EVALUATION_CHUNK, 1, error);
    if (status == DT_OK &&
        !(e->evaluation_sample = dt_allocate((size_t)e->evaluation->capacity, sizeof *e->evaluation_sample)))
        status = dt_fail_memory(error, "the evaluation");
    if (status == DT_OK)
        status = dt_reducer_create(&e->reducer, reduction_of(experiment, sizes), e->network, sizes->batch,
                                   sizes->short_batch, sizes->shard_size, sizes->workers, e->pass->rows, error);
    if (status == DT_OK && sizes->workers > 1 && experiment->parallel.threads == 0)
        status = dt_reducer_create(&e->alone, reduction_of(experiment, sizes), e->network, sizes->batch,
                                   sizes->short_batch, sizes->shard_size, 1, e->pass->rows, error);
    if (status != DT_OK) {
        destroy(e);
        return status;
    }
    *engine = e;
    return DT_OK;
}

/* Observers' own rows of a data set with a feed are read once, and kept. */
static dt_status keep_probes(dt_engine *e, dt_error *error)
{
    const dt_run *run = e->run;
    int64_t most = 0;
    dt_status status = DT_OK;
    for (int i = 0; i < run->observer_count; i++) {
        const dt_observer *o = &run->observers[i];
        most = dt_max(most, o->probe_count);
        if (status == DT_OK && o->watches && o->probe_count > 0 && !e->probe_data[i])
            status = dt_dataset_pick(&e->probe_data[i], run->train, o->probe_rows, o->probe_count, error);
    }
    if (status != DT_OK || most == 0)
        return status;
    dt_release(e->probe_sample);
    e->probe_sample = dt_allocate((size_t)most, sizeof *e->probe_sample);
    for (int64_t i = 0; e->probe_sample && i < most; i++)
        e->probe_sample[i] = i;
    return e->probe_sample ? DT_OK : dt_fail_memory(error, "rows to capture");
}

static dt_status prepare(dt_engine *e, dt_error *error)
{
    dt_network_settle(e->network);
    const dt_status kept = e->run->train->feed ? keep_probes(e, error) : DT_OK;
    if (kept != DT_OK)
        return kept;
    for (int i = 0; i < e->run->observer_count; i++) {
        const dt_observer *o = &e->run->observers[i];
        if (o->watches && o->probe_count > 0 && !e->probe[i]) {
            const dt_status status = dt_pass_create(&e->probe[i], e->network, e->pass->loss, e->pass->options, false,
                                                    o->probe_count, 1, error);
            if (status != DT_OK)
                return status;
            dt_pass_touch(e->probe[i], 0, (dt_span){0, o->probe_count});
        }
    }
    return DT_OK;
}

static void touch(dt_worker *worker, void *context)
{
    dt_engine *e = context;
    for (int64_t l = 1; l <= e->network->layers; l++) {
        const dt_span slice = dt_reducer_slice(e->reducer, l, worker->index);
        dt_network_draw(e->network, e->experiment->seed, slice);
        dt_updater_touch(e->updater, slice);
    }
    dt_pass_touch(e->pass, worker->index,
                  dt_worker_samples(e->pass->capacity, e->run->shard_size, worker->count, worker->index));
    dt_pass_touch(e->evaluation, 0, dt_split(e->evaluation->capacity, worker->count, worker->index));
}

/* --- the step --- */

enum {
    PREFETCHES = 4,  /* places in a step where rows of the next one are asked for */
    PROBE_SHARD = 16 /* observers' own rows are shared out in runs of so many */
};

/* What a worker carries through a step. */
typedef struct step {
    dt_engine *engine;
    dt_worker *worker;
    const dt_reducer *reducer; /* for the workers that are at it */
    int64_t number, batch;     /* steps done before this one; samples */
    const int64_t *sample;     /* (batch) */
    dt_span rows;              /* this worker's */
    const int64_t *next;       /* samples of the next step and this worker's rows of them; none after an epoch's last */
    dt_span next_rows;
    int64_t portion;     /* of them that are asked for at once */
    uint64_t watching;   /* observers that watch this step, */
    uint64_t compares;   /* those of them that see updates, too, */
    dt_step_view *views; /* and what they are shown: [observer] */
    dt_laps *laps;       /* NULL: nobody asks */
    dt_draws draws;      /* dropout's and the noise's of this step */
    dt_update_watch watch;
    dt_update update;
} step;

/* Shows a block of the gradient, while it is in the nearest cache, to those who watch this step. */
static void show_gradient(void *context, int64_t l, int64_t block, const dt_real *gradient)
{
    const step *s = context;
    const dt_observer *observers = s->engine->run->observers;
    const dt_slice part = {.first = block, .last = block + 1, .l = l, .gradient = gradient};
    const uint64_t began = s->laps ? dt_ticks() : 0;
    for (uint64_t left = s->watching; left; left &= left - 1) {
        const int i = __builtin_ctzll(left);
        if (observers[i].slice)
            observers[i].slice(observers[i].self, &s->views[i], part);
    }
    dt_lap_apart(s->laps, DT_PHASE_WATCH, 0, began);
}

/* The block again, as the optimizer left it. */
static void show_update(void *context, int64_t l, int64_t block, const dt_real *before)
{
    const step *s = context;
    const dt_observer *observers = s->engine->run->observers;
    const dt_slice part = {.first = block, .last = block + 1, .l = l, .before = before};
    const uint64_t began = s->laps ? dt_ticks() : 0;
    for (uint64_t left = s->compares; left; left &= left - 1) {
        const int i = __builtin_ctzll(left);
        observers[i].updated(observers[i].self, &s->views[i], part);
    }
    dt_lap_apart(s->laps, DT_PHASE_WATCH, 0, began);
}

static dt_step_view view_for(const step *s, int observer)
{
    const dt_engine *e = s->engine;
    const dt_observer *o = &e->run->observers[observer];
    const bool probe = o->probe_count > 0;
    return (dt_step_view){
        .step = s->number,
        .epoch = e->run->epoch,
        .precision = DT_REAL_ENUM,
        .layers = e->network->layers,
        .minibatch = s->batch,
        .batch = probe ? o->probe_count : s->batch,
        .sample_id = probe ? o->probe_rows : s->sample,
        .shard_size = probe ? PROBE_SHARD : e->run->shard_size,
        .worker = s->worker->index,
        .workers = s->worker->count,
        .engine = e,
        .pass = probe ? e->probe[observer] : e->pass,
    };
}

/* This worker's rows of an observer's own. */
static dt_span probe_rows(const step *s, int observer)
{
    return dt_worker_samples(s->engine->run->observers[observer].probe_count, PROBE_SHARD, s->worker->count,
                             s->worker->index);
}

/* Observers' own rows go forward and back with this step's weights. */
static void run_probes(const step *s)
{
    dt_engine *e = s->engine;
    const dt_run *run = e->run;
    for (int i = 0; i < run->observer_count; i++) {
        if (!(s->watching >> i & 1) || !e->probe[i])
            continue;
        const dt_observer *o = &run->observers[i];
        const dt_span rows = probe_rows(s, i);
        const dt_dataset *data = e->probe_data[i] ? e->probe_data[i] : run->train;
        const int64_t *sample = e->probe_data[i] ? e->probe_sample : o->probe_rows;
        dt_pass_gather(e->probe[i], 0, data, (dt_real)run->experiment->data.scale, sample, rows);
        dt_pass_forward(e->probe[i], rows, true, NULL);
        dt_pass_cost(e->probe[i], data, sample, rows);
        dt_pass_backward(e->probe[i], rows, true, NULL);
    }
}

static void begin_observers(const step *s)
{
    const dt_run *run = s->engine->run;
    for (int i = 0; i < run->observer_count; i++) {
        if (s->watching >> i & 1 && run->observers[i].begin)
            run->observers[i].begin(run->observers[i].self, &s->views[i]);
    }
}

/* Own rows: z, a, delta. */
static void show_samples(const step *s)
{
    const dt_run *run = s->engine->run;
    for (int i = 0; i < run->observer_count; i++) {
        const dt_observer *o = &run->observers[i];
        const dt_span rows = o->probe_count > 0 ? probe_rows(s, i) : s->rows;
        if (s->watching >> i & 1 && o->samples)
            o->samples(o->self, &s->views[i], rows.first, dt_span_count(rows));
    }
}

static void end_observers(const step *s, double loss)
{
    const dt_run *run = s->engine->run;
    for (int i = 0; i < run->observer_count; i++) {
        const dt_observer *o = &run->observers[i];
        if (s->watching >> i & 1 && o->end)
            o->end(o->self, &s->views[i]);
        if (o->progress)
            o->progress(o->self, s->number + 1, run->total_steps, loss);
    }
}

/* The cost of this worker's shards, each a sum in ascending order. */
static void sum_shard_losses(const step *s)
{
    dt_run *run = s->engine->run;
    for (int64_t first = s->rows.first; first < s->rows.last; first += run->shard_size) {
        double sum = 0;
        for (int64_t i = first; i < dt_min(first + run->shard_size, s->rows.last); i++)
            sum += s->engine->pass->cost[i];
        run->shard_loss[first / run->shard_size] = sum;
    }
}

/* Worker 0's bookkeeping between the barriers. */
static void count_step(const step *s, double loss_sum)
{
    dt_run *run = s->engine->run;
    run->loss_sum += loss_sum;
    for (int64_t i = 0; i < s->batch; i++)
        run->right += s->engine->pass->right[i];
    run->seen += s->batch;
    run->done++;
    run->learning_rate = s->update.learning_rate;
    run->halt = atomic_load_explicit(&run->stop, memory_order_relaxed) != 0;
}

/* Asks for a part of the data of this worker's next rows, while the step computes: as many at a time as memory can
 * take. */
static void prefetch_next(step *s)
{
    const dt_span rows = {s->next_rows.first, dt_min(s->next_rows.first + s->portion, s->next_rows.last)};
    dt_pass_prefetch(s->engine->run->train, s->next, rows);
    s->next_rows.first = rows.last;
}

/* This worker's rows; all rows, where they are its own copy. */
static void gather(const step *s)
{
    dt_pass *p = s->engine->pass;
    const dt_run *run = s->engine->run;
    const bool own = p->copies > 1;
    const int64_t copy = own ? s->worker->index : 0;
    const dt_span rows = own ? (dt_span){0, s->batch} : s->rows;
    dt_pass_gather(p, copy, run->train, (dt_real)run->experiment->data.scale, s->sample, rows);
    if (run->experiment->data.noise > 0)
        dt_pass_noise(p, copy, (dt_real)run->experiment->data.noise, &s->draws, rows);
}

/* Layers by rows, this worker's; or by units, this worker's for all rows, between barriers: what is read must be whole,
 * and is then whole for others. */
static void forward(const step *s)
{
    const dt_engine *e = s->engine;
    dt_pass *p = e->pass;
    const bool watched = s->watching != 0;
    const int64_t copy = p->copies > 1 ? s->worker->index : 0;
    bool whole = p->copies > 1; /* a^{l-1} of all rows is there for this worker */
    for (int64_t l = 1; l <= e->network->layers; l++) {
        if (!dt_reducer_by_units(s->reducer, l)) {
            dt_pass_forward_units(p, l, copy, s->rows, (dt_span){0, e->network->layer[l].panels}, watched, &s->draws);
            dt_lap(s->laps, DT_PHASE_FORWARD, l);
            whole = false;
            continue;
        }
        if (!whole)
            dt_worker_barrier(s->worker);
        dt_lap(s->laps, DT_PHASE_WAIT, 0);
        dt_pass_forward_units(p, l, copy, (dt_span){0, s->batch}, dt_reducer_panels(s->reducer, l, s->worker->index),
                              watched, &s->draws);
        dt_lap(s->laps, DT_PHASE_FORWARD, l);
        dt_worker_barrier(s->worker);
        dt_lap(s->laps, DT_PHASE_WAIT, 0);
        whole = true;
    }
}

/* One step of one worker: the derivation, line by line. false where training must stop. */
static bool train_step(step *s)
{
    dt_engine *e = s->engine;
    dt_run *run = e->run;
    dt_pass *p = e->pass;
    const dt_plan *plan = dt_reducer_plan(s->reducer, s->batch);
    const bool one = s->worker->index == 0, watched = s->watching != 0;

    if (one && watched)
        begin_observers(s);
    dt_lap(s->laps, watched ? DT_PHASE_WATCH : DT_PHASE_REST, 0);
    gather(s); /* a^0 = x */
    prefetch_next(s);
    dt_lap(s->laps, DT_PHASE_GATHER, 0);
    forward(s); /* z^l, a^l        (1) (2) */
    prefetch_next(s);
    dt_pass_cost(p, run->train, s->sample, s->rows); /* C_i, delta^L    (3)     */
    dt_lap(s->laps, DT_PHASE_COST, 0);
    dt_pass_backward(p, s->rows, watched, s->laps); /* delta^l         (4)     */
    prefetch_next(s);
    s->reducer->strategy->local(s->reducer, plan, s->worker->index, s->laps); /* shards' dW, db  (5) (6) */
    if (watched)
        run_probes(s);
    sum_shard_losses(s);
    dt_lap(s->laps, watched ? DT_PHASE_WATCH : DT_PHASE_REST, 0);

    dt_worker_barrier(s->worker); /* every contribution is complete */
    dt_lap(s->laps, DT_PHASE_WAIT, 0);
    const double loss_sum = dt_tree_sum(run->shard_loss, plan->shards);
    if (!isfinite(loss_sum)) { /* the same on every worker */
        if (one)
            run->diverged = true;
        return false;
    }
    const dt_finish finish = dt_update_finish(&s->update);
    prefetch_next(s);
    if (watched) {
        show_samples(s);
        dt_lap(s->laps, DT_PHASE_WATCH, 0);
    }
    s->reducer->strategy->sum(s->reducer, plan, s->worker->index, &finish, s->laps); /* shows own slice, W before */
    dt_update_rest(&s->update);
    if (one) {
        count_step(s, loss_sum);
        if (run->done < run->last)
            (void)dt_run_feed(run, run->done);
    }
    dt_lap(s->laps, DT_PHASE_REST, 0);
    dt_worker_barrier(s->worker); /* the next step may read the weights */
    dt_lap(s->laps, DT_PHASE_WAIT, 0);
    if (one)
        end_observers(s, loss_sum / (double)s->batch);
    dt_lap(s->laps, watched ? DT_PHASE_WATCH : DT_PHASE_REST, 0);
    return !run->halt;
}

/* Who watches this step, and what they are shown. */
static void begin_watching(step *s)
{
    const dt_run *run = s->engine->run;
    s->watching = dt_run_watching(run, s->number, run->epoch);
    s->compares = 0;
    for (int o = 0; s->watching && o < run->observer_count; o++) {
        s->views[o] = view_for(s, o);
        s->compares |= (uint64_t)(s->watching >> o & 1 && run->observers[o].updated) << o;
    }
    s->watch.updated = s->compares ? show_update : NULL;
}

/* What the step's number decides. */
static void begin_update(step *s)
{
    const dt_run *run = s->engine->run;
    dt_update *u = &s->update;
    if (run->by_step)
        u->learning_rate = dt_learning_rate(s->engine->experiment, s->number, run->steps_per_epoch, &run->schedule);
    u->watch = s->watching ? &s->watch : NULL;
    u->inverse_batch = (dt_real)(1.0 / (double)s->batch);
    s->draws.step = s->number;
    dt_hyper_begin(u->updater->optimizer, &u->hyper, u->learning_rate, s->number + 1);
}

static void train(dt_worker *worker, void *context)
{
    dt_engine *e = context;
    dt_run *run = e->run;
    const dt_reducer *reducer = worker->count == 1 && e->alone ? e->alone : e->reducer;
    dt_step_view views[DT_OBSERVERS_MAX];
    step s = {
        .engine = e,
        .worker = worker,
        .views = views,
        .reducer = reducer,
        .draws = {.seed = e->experiment->seed},
        .watch = {.context = &s, .shown = show_gradient},
        .update = {.updater = e->updater,
                   .reducer = reducer,
                   .worker = worker,
                   .hyper = dt_hyper_of(&e->experiment->optimizer)},
    };
    s.update.learning_rate = run->learning_rate;
    if (run->profile)
        s.laps = s.update.laps = dt_profile_laps(run->profile, worker->index);
    dt_laps_start(s.laps);
    for (int64_t i = run->first; i < run->last; i++) {
        s.number = run->base + i;
        s.sample = dt_sampler_minibatch(run->sampler, i, &s.batch);
        s.rows = dt_worker_samples(s.batch, run->shard_size, worker->count, worker->index);
        if (i + 1 < run->last) {
            int64_t count;
            s.next = dt_sampler_minibatch(run->sampler, i + 1, &count);
            s.next_rows = e->pass->copies > 1 ? (dt_span){0, count}
                                              : dt_worker_samples(count, run->shard_size, worker->count, worker->index);
            s.portion = dt_ceil_div(dt_span_count(s.next_rows), PREFETCHES);
        } else {
            s.next_rows = (dt_span){0, 0};
        }
        begin_watching(&s);
        begin_update(&s);
        const bool goes_on = train_step(&s);
        if (run->profile && (goes_on || run->halt)) /* a step that diverges isn't made */
            dt_profile_count(run->profile, worker->index, dt_span_count(s.rows), s.batch);
        if (!goes_on)
            return;
    }
}

/* --- evaluation --- */

/* Chunk `chunk` of the job's rows, in rows window .. of the evaluation's pass. */
static void evaluate_chunk(const dt_evaluation_job *job, int64_t chunk, int64_t window)
{
    dt_pass *p = job->engine->evaluation;
    int64_t *sample = job->engine->evaluation_sample;
    const int64_t first = chunk * DT_EVALUATION_CHUNK, count = dt_min(DT_EVALUATION_CHUNK, job->rows.count - first);
    const dt_span rows = {window, window + count};
    for (int64_t i = 0; i < count; i++)
        sample[window + i] = job->rows.index ? job->rows.index[first + i] : first + i;
    dt_pass_gather(p, 0, job->data, (dt_real)job->engine->experiment->data.scale, sample, rows);
    dt_pass_forward(p, rows, false, NULL);
    const int64_t classes = p->network->layer[p->network->layers].units;
    for (int64_t i = 0; job->outputs && i < count; i++)
        memcpy((dt_real *)job->outputs + (first + i) * classes, dt_pass_output(p, window + i),
               (size_t)classes * sizeof(dt_real));
    if (job->outputs)
        return;
    dt_pass_cost(p, job->data, sample, rows);
    for (int64_t i = window; i < window + count; i++) {
        job->chunk_loss[chunk] += p->cost[i];
        job->chunk_right[chunk] += p->right[i];
        if (job->confusion)
            atomic_fetch_add(&job->confusion[job->data->labels[sample[i]] * classes + dt_pass_answer(p, i)], 1);
    }
}

static void evaluate(dt_worker *worker, void *context)
{
    const dt_evaluation_job *job = context;
    const dt_span chunks = dt_split(dt_ceil_div(job->rows.count, DT_EVALUATION_CHUNK), worker->count, worker->index);
    for (int64_t chunk = chunks.first; chunk < chunks.last; chunk++)
        evaluate_chunk(job, chunk, worker->index * DT_EVALUATION_CHUNK);
}

/* --- what a worker updates --- */

static int slice(const dt_engine *e, int64_t worker, int64_t *parameters)
{
    for (int64_t l = 1; l <= e->network->layers; l++) {
        const dt_layer *layer = &e->network->layer[l];
        const dt_span own = dt_reducer_slice(e->reducer, l, worker);
        parameters[l] = 0;
        for (int64_t i = own.first - layer->first_block; i < own.last - layer->first_block; i++)
            parameters[l] += dt_min(DT_LANES, layer->units - i / layer->column * DT_LANES) *
                             dt_min(DT_LANES, layer->inputs + 1 - i % layer->column * DT_LANES);
    }
    return __builtin_popcount(e->updater->optimizer->states(e->updater->spec));
}

/* --- weights in and out --- */

static void get(const dt_engine *e, int64_t l, void *W, void *b)
{
    dt_network_export(e->network, e->network->parameters, l, (dt_span){0, e->network->blocks}, W, b);
}

static void set(dt_engine *e, int64_t l, const void *W, const void *b)
{
    dt_network_import(e->network, l, W, b);
}

static void exchange(dt_engine *e, int64_t l, void *W, void *b)
{
    dt_network_exchange(e->network, l, W, b);
}

static void find_fault(dt_engine *e, const int64_t *sample, int64_t batch, dt_fault *fault)
{
    dt_pass_find_fault(e->pass, e->run, sample, batch, fault);
}

/* --- the optimizer's state in and out --- */

static const char *state_name(const dt_engine *e, int i)
{
    const char *name;
    dt_updater_state(e->updater, i, &name);
    return name;
}

static void get_state(const dt_engine *e, int i, int64_t l, void *W, void *b)
{
    const char *name;
    dt_network_export(e->network, dt_updater_state(e->updater, i, &name), l, (dt_span){0, e->network->blocks}, W, b);
}

static void set_state(dt_engine *e, int i, int64_t l, const void *W, const void *b)
{
    const char *name;
    dt_network_arrange(e->network, l, W, b, dt_updater_state(e->updater, i, &name));
}

static bool whole(const dt_experiment *experiment)
{
    return dt_optimizer_named(experiment->optimizer.name)->whole;
}

/* --- what train/step.h shows --- */

static dt_block_view blocks(const dt_engine *e, dt_step_array array, int i, dt_slice slice)
{
    const dt_layer *layer = &e->network->layer[slice.l];
    const char *name;
    const dt_real *numbers = array == DT_STEP_GRADIENT ? slice.gradient
                             : array == DT_STEP_BEFORE ? slice.before
                             : array == DT_STEP_STATE  ? dt_updater_state(e->updater, i, &name) + slice.first * DT_BLOCK
                                                       : e->network->parameters + slice.first * DT_BLOCK;
    return (dt_block_view){
        .numbers = numbers,
        .lanes = DT_LANES,
        .units = layer->units,
        .inputs = layer->inputs,
        .column = layer->column,
        .first = slice.first - layer->first_block,
        .count = slice.last - slice.first,
        .number = slice.first,
    };
}

static bool partial(const dt_engine *e, const dt_step_view *view, int64_t worker, dt_slice slice, void *sum)
{
    return dt_reducer_partial(e->reducer, dt_reducer_plan(e->reducer, view->minibatch), worker,
                              (dt_span){slice.first, slice.last}, sum);
}

static const double *costs(const dt_step_view *view)
{
    return view->pass->cost;
}

static double norm_square(const dt_pass *pass, int64_t l, dt_span rows, void *scratch)
{
    return dt_pass_norm_square(pass, l, rows, scratch);
}

static size_t norm_scratch(int64_t layers, const int64_t *units, int64_t samples)
{
    return dt_pass_norm_scratch(layers, units, samples) * sizeof(dt_real);
}

static int64_t block_count(int64_t layers, const int64_t *units)
{
    int64_t count = 0;
    for (int64_t l = 1; l <= layers; l++)
        count += dt_whole_panels(units[l]) / DT_LANES * dt_blocks_a_panel(units[l - 1]);
    return count;
}

static const char *state_named(const dt_experiment *experiment, int i)
{
    const dt_optimizer *optimizer = dt_optimizer_named(experiment->optimizer.name);
    const unsigned kept = optimizer ? optimizer->states(&experiment->optimizer) : 0;
    for (int k = 0; k < DT_STATES_MAX; k++)
        if (kept >> k & 1 && i-- == 0)
            return optimizer->state_names[k];
    return NULL;
}

const dt_engine_ops DT_R(dt_engine_ops) = {
    .measure = measure,
    .whole = whole,
    .create = create,
    .destroy = destroy,
    .prepare = prepare,
    .touch = touch,
    .train = train,
    .evaluate = evaluate,
    .slice = slice,
    .get = get,
    .set = set,
    .exchange = exchange,
    .state_name = state_name,
    .get_state = get_state,
    .set_state = set_state,
    .find_fault = find_fault,
    .samples = dt_pass_samples,
    .copy_slice = dt_pass_copy_slice,
    .blocks = blocks,
    .partial = partial,
    .costs = costs,
    .norm_square = norm_square,
    .norm_scratch = norm_scratch,
    .block_count = block_count,
    .block_bytes = DT_BLOCK * sizeof(dt_real),
    .state_named = state_named,
};
