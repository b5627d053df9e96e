/* A step of one worker, and the steps of a run. */
#include <math.h>

#include "train/engine_own.h"
#include "train/profile.h"
#include "train/schedule.h"

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
    dt_share own;              /* of the samples */
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

/* Shows blocks of the gradient, while they are in the nearest cache, to those who watch this step. */
static void show_gradient(void *context, int64_t l, int64_t block, int64_t count, const dt_real *gradient)
{
    const step *s = context;
    const dt_observer *observers = s->engine->run->observers;
    const dt_slice part = {.first = block, .last = block + count, .l = l, .gradient = gradient};
    const uint64_t began = s->laps ? dt_ticks() : 0;
    for (uint64_t left = s->watching; left; left &= left - 1) {
        const int i = __builtin_ctzll(left);
        if (observers[i].slice)
            observers[i].slice(observers[i].self, &s->views[i], &part);
    }
    dt_lap_apart(s->laps, DT_PHASE_WATCH, 0, began);
}

static int show_ahead(void *context, int64_t l, int64_t block, int most, dt_region place[])
{
    const step *s = context;
    const dt_observer *observers = s->engine->run->observers;
    const dt_slice part = {.first = block, .last = block + 1, .l = l};
    int n = 0;
    for (uint64_t left = s->watching; left && n < most; left &= left - 1) {
        const int i = __builtin_ctzll(left);
        const void *reads = observers[i].ahead ? observers[i].ahead(observers[i].self, &s->views[i], &part) : NULL;
        if (reads)
            place[n++] = (dt_region){reads, DT_BLOCK};
    }
    return n;
}

/* The blocks again, as the optimizer left them. */
static void show_update(void *context, int64_t l, int64_t block, int64_t count, const dt_moved *moved)
{
    const step *s = context;
    const dt_observer *observers = s->engine->run->observers;
    const dt_slice part = {.first = block, .last = block + count, .l = l, .moved = moved};
    const uint64_t began = s->laps ? dt_ticks() : 0;
    for (uint64_t left = s->compares; left; left &= left - 1) {
        const int i = __builtin_ctzll(left);
        observers[i].updated(observers[i].self, &s->views[i], &part);
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
    if (!all && s->worker->members == 1)
        return;
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
        show_gradient(s, l, own.first, dt_span_count(own), NULL);
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
    s->own = dt_share_of(s->worker, s->batch, run->shard_size);
    s->next_rows = (dt_span){0, 0};
    if (i + 1 < run->last) {
        int64_t count;
        s->next = dt_sampler_minibatch(run->sampler, i + 1, &count);
        s->next_rows = e->pass->copies > 1 ? (dt_span){0, count} : dt_share_of(s->worker, count, run->shard_size).rows;
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

void dt_engine_train(dt_worker *worker, void *context)
{
    dt_engine *e = context;
    dt_run *run = e->run;
    const dt_reducer *reducer = worker->count == 1 && e->alone ? e->alone : e->reducer;
    const bool free = dt_runs_free(reducer->strategy, reducer->workers);
    dt_pass own_pass = *e->pass;
    dt_step_view views[DT_OBSERVERS_MAX];
    step s = {
        .engine = e,
        .worker = worker,
        .views = views,
        .reducer = reducer,
        .pass = free ? &own_pass : e->pass,
        .draws = {.seed = e->experiment->seed},
        .watch = {.context = &s, .shown = show_gradient, .ahead = show_ahead},
        .update = {.updater = e->updater,
                   .reducer = reducer,
                   .worker = worker,
                   .own = free ? e->free->own[worker->index] : NULL,
                   .hyper = dt_hyper_of(&e->experiment->optimizer)},
    };
    s.update.learning_rate = run->learning_rate;
    if (run->profile)
        s.laps = s.update.laps = dt_profile_laps(run->profile, worker->index);
    dt_lap(s.laps, worker->index == 0 ? DT_PHASE_REST : DT_PHASE_WAIT, 0); /* the epoch's order, the team's start */
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
