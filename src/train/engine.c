#include "train/engine.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "data/sparse.h"
#include "nn/own.h"
#include "train/fault.h"
#include "train/free.h"
#include "train/norms.h"
#include "train/pass.h"
#include "train/profile.h"
#include "train/schedule.h"
#include "train/setup.h"
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
    dt_free *free;                            /* where workers run free, else NULL */
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

/* Whether what each worker adds up is to be shown: then each is a group of its own, unless the experiment says more. */
static bool shows_partials(const dt_experiment *experiment)
{
    unsigned extras = 0;
    for (size_t i = 0; i < experiment->capture_count; i++)
        extras |= experiment->capture[i].extras;
    return extras & (1u << DT_EXTRA_DW_PARTIAL | 1u << DT_EXTRA_DB_PARTIAL);
}

/* The experiment's strategy and groups, or those that it leaves to choose. */
static dt_choice choice_of(const dt_experiment *experiment, const dt_engine_sizes *sizes)
{
    const int64_t groups = experiment->parallel.groups;
    return dt_reduction_choose(experiment->parallel.reduction,
                               groups == 0 && shows_partials(experiment) ? sizes->workers : groups,
                               &(dt_reduction_sizes){.units = sizes->units,
                                                     .layers = sizes->layers,
                                                     .samples = sizes->batch,
                                                     .shard_size = sizes->shard_size,
                                                     .workers = sizes->workers});
}

static dt_division division_of(const dt_engine_sizes *sizes, int64_t workers, int64_t groups)
{
    return (dt_division){sizes->batch, sizes->short_batch, sizes->shard_size, workers, groups};
}

/* Several workers that wait for nobody. */
static bool runs_free(const dt_reduction *reduction, int64_t workers)
{
    return reduction->free && workers > 1;
}

/* Each worker has its own where layer 1 goes by units: all of them read all rows. */
static int64_t copies_of_x(const dt_reduction *reduction, const dt_engine_sizes *sizes)
{
    return !sizes->sparse && dt_reduction_by_units(reduction, sizes->units[1], sizes->batch, sizes->workers)
               ? sizes->workers
               : 1;
}

/* Sparse inputs of the three kinds of passes; NULL: they are not sparse. */
static const dt_sparse_sizes *minibatch_inputs(const dt_engine_sizes *sizes, dt_sparse_sizes *room)
{
    *room = (dt_sparse_sizes){.run = sizes->batch, .numbers = sizes->numbers, .indices = sizes->workers};
    return sizes->sparse ? room : NULL;
}

static const dt_sparse_sizes *evaluation_inputs(const dt_engine_sizes *sizes, dt_sparse_sizes *room)
{
    *room = (dt_sparse_sizes){.run = DT_EVALUATION_CHUNK, .numbers = sizes->evaluated};
    return sizes->sparse ? room : NULL;
}

static const dt_sparse_sizes *probe_inputs(const dt_sparse_sizes *minibatch, int64_t rows, dt_sparse_sizes *room)
{
    *room = (dt_sparse_sizes){.run = rows};
    if (minibatch)
        room->numbers = dt_ceil_div(rows, minibatch->run) * minibatch->numbers;
    return minibatch ? room : NULL;
}

/* Sparse inputs that capture rules look at are written out: of the minibatch as many rows as the rule that sees most,
 * of rules with rows of their own theirs. false on overflow. */
static bool measure_shown(const dt_experiment *experiment, const dt_engine_sizes *sizes, size_t *bytes)
{
    int64_t minibatch = 0, rows = 0;
    for (size_t i = 0; sizes->sparse && i < experiment->capture_count; i++) {
        const dt_capture_rule *rule = &experiment->capture[i];
        const int64_t shown = dt_setup_shown(rule, sizes->batch);
        if (rule->samples == DT_SAMPLES_ROWS)
            rows += shown;
        else
            minibatch = dt_max(minibatch, shown);
    }
    return dt_multiply((size_t)(minibatch + rows), (size_t)sizes->units[0] * sizeof(dt_real), bytes);
}

/* Passes of the minibatch, of an evaluation, and of capture rules with rows of their own. */
static bool measure_passes(const dt_experiment *experiment, const dt_engine_sizes *sizes, int64_t copies, size_t *bytes)
{
    size_t pass, evaluation, probe, shown;
    dt_sparse_sizes room, evaluated, own;
    const dt_sparse_sizes *sparse = minibatch_inputs(sizes, &room);
    if (!dt_pass_measure(sizes->layers, sizes->units, experiment->network, sizes->batch, copies, sparse, &pass) ||
        !dt_pass_measure(sizes->layers, sizes->units, NULL, sizes->workers * DT_EVALUATION_CHUNK, 1,
                         evaluation_inputs(sizes, &evaluated), &evaluation) ||
        !measure_shown(experiment, sizes, &shown) || __builtin_add_overflow(pass, evaluation, bytes) ||
        __builtin_add_overflow(*bytes, shown, bytes))
        return false;
    for (size_t i = 0; i < experiment->capture_count; i++) {
        const dt_capture_rule *rule = &experiment->capture[i];
        if (rule->samples == DT_SAMPLES_ROWS &&
            (!dt_pass_measure(sizes->layers, sizes->units, NULL, rule->sample_count, 1,
                              probe_inputs(sparse, rule->sample_count, &own), &probe) ||
             __builtin_add_overflow(*bytes, probe, bytes)))
            return false;
    }
    return true;
}

static int64_t block_count(int64_t layers, const int64_t *units)
{
    int64_t count = 0;
    for (int64_t l = 1; l <= layers; l++)
        count += dt_whole_panels(units[l]) / DT_LANES * dt_blocks_a_panel(units[l - 1]);
    return count;
}

/* Of a buffer that leaves layer 1 out. */
static size_t bytes_behind(const dt_engine_sizes *sizes)
{
    const int64_t blocks = block_count(sizes->layers, sizes->units) - block_count(1, sizes->units);
    return dt_hot_bytes((size_t)blocks * DT_BLOCK * sizeof(dt_real));
}

static bool measure(const dt_experiment *experiment, const dt_engine_sizes *sizes, dt_trainer_info *info)
{
    size_t network, vector, more, passes, buffers, buffer;
    const dt_choice choice = choice_of(experiment, sizes);
    const dt_reduction *reduction = choice.strategy;
    const dt_division division = division_of(sizes, sizes->workers, choice.groups);
    const size_t all = (size_t)(choice.groups * dt_reducer_buffers(reduction, &division)),
                 workers = (size_t)sizes->workers;
    if (!dt_network_measure(sizes->layers, sizes->units, &network, &vector) ||
        !dt_updater_measure(experiment, sizes->units, vector, &more))
        return false;
    buffer = sizes->sparse ? bytes_behind(sizes) : vector;
    if (!dt_multiply(buffer, all, &buffers) || __builtin_add_overflow(network, more, &info->parameter_bytes) ||
        __builtin_add_overflow(info->parameter_bytes, reduction->shared && choice.groups > 1 ? buffer : 0,
                               &info->parameter_bytes) ||
        !measure_passes(experiment, sizes, copies_of_x(reduction, sizes), &passes))
        return false;
    info->bytes_of_buffers = buffers / workers + (buffers % workers > 0); /* a group's are its members' */
    info->bytes_per_worker = info->bytes_of_buffers + DT_GRADIENT_SCRATCH * sizeof(dt_real) +
                             (runs_free(reduction, sizes->workers) ? network : 0);
    info->activation_bytes = passes;
    info->reduction = reduction->entry.name;
    info->groups = choice.groups;
    info->deterministic = reduction->deterministic;
    memcpy(info->choice, choice.why, sizeof info->choice);
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
    dt_free_destroy(e->free);
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
    dt_sparse_sizes room;
    const dt_loss *loss = loss_named(experiment->loss);
    const dt_choice choice = choice_of(experiment, sizes);
    const dt_division division = division_of(sizes, sizes->workers, choice.groups), one = division_of(sizes, 1, 1);
    dt_status status =
        dt_network_create(&e->network, experiment->network, sizes->layers, sizes->units[0], experiment->seed, error);
    if (status == DT_OK)
        status = dt_updater_create(&e->updater, experiment, e->network, error);
    if (status == DT_OK)
        status = dt_pass_create(&e->pass, e->network, loss, &experiment->loss_options, true, sizes->batch,
                                copies_of_x(choice.strategy, sizes), minibatch_inputs(sizes, &room), error);
    if (status == DT_OK)
        status = dt_pass_create(&e->evaluation, e->network, loss, &experiment->loss_options, false,
                                sizes->workers * DT_EVALUATION_CHUNK, 1, evaluation_inputs(sizes, &room), error);
    if (status == DT_OK &&
        !(e->evaluation_sample = dt_allocate((size_t)e->evaluation->capacity, sizeof *e->evaluation_sample)))
        status = dt_fail_memory(error, "the evaluation");
    if (status == DT_OK)
        status = dt_reducer_create(&e->reducer, choice.strategy, e->network, &division, e->pass->rows, error);
    if (status == DT_OK && sizes->workers > 1 && experiment->parallel.threads == 0)
        status = dt_reducer_create(&e->alone, choice.strategy, e->network, &one, e->pass->rows, error);
    if (status == DT_OK && runs_free(choice.strategy, sizes->workers))
        status = dt_free_create(&e->free, e->network, sizes->workers, error);
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
        dt_status status = DT_OK;
        if (o->watches && o->probe_count > 0 && !e->probe[i]) {
            dt_sparse_sizes room;
            const dt_sparse_sizes *sparse = e->pass->sparse ? &e->pass->sparse->sizes : NULL;
            status = dt_pass_create(&e->probe[i], e->network, e->pass->loss, e->pass->options, false, o->probe_count, 1,
                                    probe_inputs(sparse, o->probe_count, &room), error);
            if (status == DT_OK)
                dt_pass_touch(e->probe[i], 0, (dt_span){0, o->probe_count});
        }
        if (status == DT_OK && o->watches && o->samples)
            status = dt_pass_show_inputs(e->probe[i] ? e->probe[i] : e->pass, error);
        if (status != DT_OK)
            return status;
    }
    return DT_OK;
}

static dt_status admit(dt_engine *e, const dt_dataset *data, dt_error *error)
{
    dt_sparse **inputs = &e->evaluation->sparse, *more;
    if (!*inputs)
        return DT_OK;
    dt_sparse_sizes sizes = (*inputs)->sizes;
    const int64_t numbers = dt_dataset_most(data, DT_EVALUATION_CHUNK);
    if (numbers <= sizes.numbers)
        return DT_OK;
    sizes.numbers = numbers;
    const dt_status status = dt_sparse_create(&more, &sizes, e->evaluation->capacity, error);
    if (status != DT_OK)
        return status;
    dt_sparse_destroy(*inputs);
    *inputs = more;
    return DT_OK;
}

/* Samples of a minibatch: those of a worker's group; of these, the worker's own rows, of x, z^L and the cost; and whole
 * shards, whose cost it adds up and whose rows it shows. All the same where it is alone in its group. */
typedef struct share {
    dt_span group, rows, shards;
} share;

static share share_of(const dt_worker *w, int64_t samples, int64_t shard_size)
{
    const dt_span shards = dt_group_shards(dt_shards_of(samples, shard_size), w->count, w->groups, w->group);
    const dt_span group = {dt_min(shards.first * shard_size, samples), dt_min(shards.last * shard_size, samples)};
    const dt_span rows = dt_member_part(w, dt_span_count(group)), own = dt_member_part(w, dt_span_count(shards));
    return (share){
        .group = group,
        .rows = {group.first + rows.first, group.first + rows.last},
        .shards = {dt_min((shards.first + own.first) * shard_size, samples),
                   dt_min((shards.first + own.last) * shard_size, samples)},
    };
}

static void touch(dt_worker *worker, void *context)
{
    dt_engine *e = context;
    dt_reducer_clear(e->reducer, worker->index);
    for (int64_t l = 1; l <= e->network->layers; l++) {
        const dt_span slice = dt_reducer_slice(e->reducer, l, worker->index);
        dt_network_draw(e->network, e->experiment->seed, slice);
        dt_updater_touch(e->updater, slice);
    }
    dt_pass_touch(e->pass, worker->index, share_of(worker, e->pass->capacity, e->run->shard_size).rows);
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
    dt_pass *pass;             /* the engine's; of a free-running worker, with its own weights */
    int64_t number, batch;     /* steps done before this one; samples */
    const int64_t *sample;     /* (batch) */
    share own;                 /* of the samples */
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
        const dt_span rows = o->probe_count > 0 ? probe_rows(s, i) : s->own.shards;
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
    const dt_span own = s->own.shards;
    for (int64_t first = own.first; first < own.last; first += run->shard_size) {
        double sum = 0;
        for (int64_t i = first; i < dt_min(first + run->shard_size, own.last); i++)
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
    dt_pass *p = s->pass;
    const dt_run *run = s->engine->run;
    const bool own = p->copies > 1;
    const int64_t copy = own ? s->worker->index : 0;
    const dt_span rows = own ? (dt_span){0, s->batch} : s->own.rows;
    dt_pass_gather(p, copy, run->train, (dt_real)run->experiment->data.scale, s->sample, rows);
    if (run->experiment->data.noise > 0)
        dt_pass_noise(p, copy, (dt_real)run->experiment->data.noise, &s->draws, rows);
}

/* Waits for those who write what comes next: all workers, or those of this one's group. */
static void meet(const step *s, bool all)
{
    (all ? dt_worker_barrier : dt_group_barrier)(s->worker);
    dt_lap(s->laps, DT_PHASE_WAIT, 0);
}

/* Its group's samples, of each layer this worker's part of the units; or, of layers that the whole team goes through by
 * units, all samples. Between layers it waits for what others compute of a^{l-1}. */
static void forward(const step *s)
{
    const dt_engine *e = s->engine;
    dt_pass *p = s->pass;
    const int64_t copy = p->copies > 1 ? s->worker->index : 0;
    bool before = false; /* all of the team have written a^{l-1} */
    for (int64_t l = 1; l <= e->network->layers; l++) {
        const bool units = dt_reducer_by_units(s->reducer, l);
        if (l > 1 || p->copies == 1)
            meet(s, units || before);
        dt_pass_forward_units(p, l, copy, units ? (dt_span){0, s->batch} : s->own.group,
                              units ? dt_reducer_panels(s->reducer, l, s->worker->index)
                                    : dt_member_part(s->worker, e->network->layer[l].panels),
                              s->watching != 0, &s->draws);
        dt_lap(s->laps, DT_PHASE_FORWARD, l);
        before = units;
    }
    meet(s, before);
}

/* The same way back, by the group's samples alone. */
static void backward(const step *s)
{
    dt_pass *p = s->pass;
    meet(s, false);
    for (int64_t l = s->engine->network->layers - 1; l >= 1; l--) {
        dt_pass_backward_units(p, l, s->own.group, dt_member_part(s->worker, s->engine->network->layer[l].panels),
                               s->watching != 0);
        dt_lap(s->laps, DT_PHASE_BACKWARD, l);
        meet(s, false);
    }
}

/* The derivation, line by line, but for the gradient. */
static void go_through(step *s)
{
    const dt_run *run = s->engine->run;
    dt_lap(s->laps, s->watching ? DT_PHASE_WATCH : DT_PHASE_REST, 0);
    gather(s); /* a^0 = x */
    prefetch_next(s);
    dt_lap(s->laps, DT_PHASE_GATHER, 0);
    forward(s); /* z^l, a^l        (1) (2) */
    prefetch_next(s);
    dt_pass_cost(s->pass, run->train, s->sample, s->own.rows); /* C_i, delta^L    (3)     */
    dt_lap(s->laps, DT_PHASE_COST, 0);
    backward(s); /* delta^l         (4)     */
    prefetch_next(s);
}

/* One step of one worker. false where training must stop. */
static bool train_step(step *s)
{
    dt_engine *e = s->engine;
    dt_run *run = e->run;
    const dt_plan *plan = dt_reducer_plan(s->reducer, s->batch);
    const bool one = s->worker->index == 0, watched = s->watching != 0;

    if (one && watched)
        begin_observers(s);
    go_through(s);
    s->reducer->strategy->local(s->reducer, plan, s->worker->index, s->laps); /* shards' dW, db  (5) (6) */
    if (watched)
        run_probes(s);
    sum_shard_losses(s);
    dt_lap(s->laps, watched ? DT_PHASE_WATCH : DT_PHASE_REST, 0);

    dt_worker_barrier(s->worker); /* every contribution is complete */
    dt_lap(s->laps, DT_PHASE_WAIT, 0);
    const double loss_sum = dt_tree_sum(run->shard_loss, plan->shards);
    if (!isfinite(loss_sum)) { /* the same on every worker */
        dt_reducer_clear(s->reducer, s->worker->index);
        if (one)
            run->diverged = true;
        return false;
    }
    if (s->pass->sparse) {
        dt_sparse_index(s->pass->sparse, s->worker->index, s->batch, run->shard_size, e->network->layer[1].inputs);
        dt_lap(s->laps, DT_PHASE_GRADIENT, 1);
    }
    const dt_finish finish = dt_update_finish(&s->update);
    prefetch_next(s);
    if (watched) {
        show_samples(s);
        dt_lap(s->laps, DT_PHASE_WATCH, 0);
    }
    s->reducer->strategy->sum(s->reducer, plan, s->worker->index, &finish, s->laps); /* shows own slice, W before */
    dt_update_rest(&s->update);
    if (one)
        count_step(s, loss_sum);
    dt_lap(s->laps, DT_PHASE_REST, 0);
    dt_worker_barrier(s->worker); /* the next step may read the weights */
    dt_lap(s->laps, DT_PHASE_WAIT, 0);
    if (one)
        end_observers(s, loss_sum / (double)s->batch);
    dt_lap(s->laps, watched ? DT_PHASE_WATCH : DT_PHASE_REST, 0);
    return !run->halt;
}

/* --- a step that waits for nobody --- */

/* The transposed copies of this worker's slice of the shared weights, which no step needs. */
static void transpose_slice(const step *s)
{
    dt_network *n = s->engine->network;
    for (int64_t l = 2; l <= n->layers; l++) {
        const dt_span own = dt_reducer_slice(s->reducer, l, s->worker->index);
        for (int64_t block = own.first; block < own.last; block++)
            dt_network_transpose(n, l, block - n->layer[l].first_block);
    }
}

/* Where a step is watched, all begin it together, and with the same weights. */
static void begin_together(const step *s)
{
    meet(s, true);
    transpose_slice(s);
    if (s->worker->index == 0)
        begin_observers(s);
    meet(s, true);
    dt_update_copy_shared(&s->update);
}

/* Rows, and this worker's slice of W, before anybody's update: there is no gradient of the whole minibatch to show. */
static void show_together(step *s)
{
    run_probes(s);
    show_samples(s);
    for (int64_t l = 1; l <= s->engine->network->layers; l++) {
        const dt_span own = dt_reducer_slice(s->reducer, l, s->worker->index);
        for (int64_t block = own.first; block < own.last; block++)
            show_gradient(s, l, block, NULL);
    }
    dt_lap(s->laps, DT_PHASE_WATCH, 0);
    meet(s, true);
}

/* Step i of the epoch, of one worker alone: its own samples, with its copy of the weights. */
static void free_step(step *s, int64_t i)
{
    dt_engine *e = s->engine;
    const dt_span own = s->own.shards;
    const bool watched = s->watching != 0;
    double loss_sum = 0;
    int64_t right = 0;
    if (watched)
        begin_together(s);
    go_through(s);
    for (int64_t r = own.first; r < own.last; r++) {
        loss_sum += s->pass->cost[r];
        right += s->pass->right[r];
    }
    if (watched)
        show_together(s);
    dt_free_count(e->free, s->worker->index, i, loss_sum, right, dt_span_count(own));
    if (isfinite(loss_sum)) {
        const dt_finish finish = dt_update_finish(&s->update);
        s->reducer->strategy->sum(s->reducer, dt_reducer_plan(s->reducer, s->batch), s->worker->index, &finish,
                                  s->laps);
    }
    if (!isfinite(loss_sum) || atomic_load_explicit(&e->run->stop, memory_order_relaxed))
        dt_free_begin_no_more(e->free);
    if (s->worker->index == 0)
        end_observers(s, loss_sum / (double)dt_max(1, dt_span_count(own)));
    dt_lap(s->laps, watched ? DT_PHASE_WATCH : DT_PHASE_REST, 0);
}

static void begin_free(const step *s)
{
    dt_free_begin(s->engine->free, s->engine->run, s->worker->index);
    dt_update_copy_shared(&s->update);
    meet(s, true);
}

static void end_free(const step *s)
{
    meet(s, true);
    transpose_slice(s);
    if (s->worker->index == 0) {
        dt_free_end(s->engine->free, s->engine->run);
        s->engine->run->learning_rate = s->update.learning_rate;
    }
}

/* --- steps --- */

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

/* The samples of step i of the epoch, and those of the next. */
static void begin_samples(step *s, int64_t i)
{
    const dt_engine *e = s->engine;
    const dt_run *run = e->run;
    s->number = run->base + i;
    s->sample = dt_sampler_minibatch(run->sampler, i, &s->batch);
    s->own = share_of(s->worker, s->batch, run->shard_size);
    s->next_rows = (dt_span){0, 0};
    if (i + 1 < run->last) {
        int64_t count;
        s->next = dt_sampler_minibatch(run->sampler, i + 1, &count);
        s->next_rows = e->pass->copies > 1 ? (dt_span){0, count} : share_of(s->worker, count, run->shard_size).rows;
        s->portion = dt_ceil_div(dt_span_count(s->next_rows), PREFETCHES);
    }
}

/* The step to the profile. */
static void count_profile(step *s)
{
    const dt_sparse *x = s->pass->sparse;
    dt_profile_inputs inputs = {0};
    if (x) {
        const dt_sparse_columns *columns = &x->columns[s->worker->index];
        const dt_finish finish = dt_update_finish(&s->update);
        for (int64_t i = s->own.rows.first; i < s->own.rows.last; i++)
            inputs.own += dt_span_count(x->row[i]);
        inputs.batch = columns->first[columns->count] - s->batch;
        inputs.columns = columns->count;
        inputs.in_place = finish.W != NULL;
    }
    dt_profile_count(s->engine->run->profile, s->worker->index, dt_span_count(s->own.rows), s->batch,
                     x ? &inputs : NULL);
}

static void train(dt_worker *worker, void *context)
{
    dt_engine *e = context;
    dt_run *run = e->run;
    const dt_reducer *reducer = worker->count == 1 && e->alone ? e->alone : e->reducer;
    const bool free = runs_free(reducer->strategy, reducer->workers);
    dt_pass own_pass = *e->pass;
    dt_step_view views[DT_OBSERVERS_MAX];
    step s = {
        .engine = e,
        .worker = worker,
        .views = views,
        .reducer = reducer,
        .pass = free ? &own_pass : e->pass,
        .draws = {.seed = e->experiment->seed},
        .watch = {.context = &s, .shown = show_gradient},
        .update = {.updater = e->updater,
                   .reducer = reducer,
                   .worker = worker,
                   .own = free ? e->free->own[worker->index] : NULL,
                   .hyper = dt_hyper_of(&e->experiment->optimizer)},
    };
    s.update.learning_rate = run->learning_rate;
    if (run->profile)
        s.laps = s.update.laps = dt_profile_laps(run->profile, worker->index);
    dt_laps_start(s.laps);
    if (free) {
        own_pass.network = s.update.own;
        begin_free(&s);
    }
    for (int64_t i = run->first, batch = e->pass->capacity; i < run->last && (!free || dt_free_may_begin(e->free, i));
         i++) {
        begin_samples(&s, i);
        begin_watching(&s);
        begin_update(&s);
        bool goes_on = true;
        if (free && s.batch != batch) /* its rows may be others' of a minibatch of another size */
            meet(&s, true);
        batch = s.batch;
        if (free)
            free_step(&s, i);
        else
            goes_on = train_step(&s);
        if (run->profile && (goes_on || run->halt)) /* a step that diverges isn't made */
            count_profile(&s);
        if (!goes_on)
            return;
    }
    if (free)
        end_free(&s);
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

static void adds(const dt_engine *e, bool *buffers, bool *shared, bool *free)
{
    *buffers = e->reducer->buffers_a_group > 0 || e->reducer->shared;
    *shared = e->reducer->shared != NULL;
    *free = e->free != NULL;
}

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

static bool partial(const dt_engine *e, const dt_step_view *view, int64_t group, dt_slice slice, void *sum)
{
    return dt_reducer_partial(e->reducer, dt_reducer_plan(e->reducer, view->minibatch), group, view->worker,
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
    .admit = admit,
    .touch = touch,
    .train = train,
    .evaluate = evaluate,
    .adds = adds,
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
