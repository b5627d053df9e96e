#include "deltoid/trainer.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "data/feed.h"
#include "train/metric.h"
#include "train/profile.h"
#include "train/schedule.h"
#include "train/setup.h"
#include "train/trainer_state.h"

/* --- life --- */

static dt_status check_bytes(const dt_trainer_info *info, dt_error *error)
{
    size_t workers, total;
    if (!dt_multiply(info->bytes_per_worker, (size_t)info->workers, &workers) ||
        __builtin_add_overflow(workers, info->parameter_bytes + info->activation_bytes, &total))
        return dt_fail(error, DT_INVALID,
                       "network: too large to address; use fewer units, workers or a smaller minibatch");
    return DT_OK;
}

/* The order of the training set's windows, where it has any; and the feed goes by it. */
static dt_status begin_windows(dt_trainer *t, dt_error *error)
{
    const dt_experiment *e = t->experiment;
    const dt_windows windows = dt_dataset_windows(t->data.train);
    dt_status status = dt_sampler_set_windows(t->run.sampler, &windows, error);
    if (status == DT_OK && t->data.train->feed) {
        status = dt_feed_begin(t->data.train->feed, e->training.shuffle, e->seed, e->training.epochs, error);
        t->feeds = status == DT_OK;
    }
    return status;
}

dt_status dt_trainer_create(dt_trainer **trainer, const dt_experiment *experiment, const dt_trainer_data *data,
                            dt_error *error)
{
    *trainer = NULL;
    dt_engine_sizes sizes;
    dt_status status = dt_setup_check(experiment, data, error);
    if (status != DT_OK)
        return status;
    dt_trainer *t = dt_allocate_zeroed(1, sizeof *t);
    if (!t)
        return dt_fail_memory(error, "the trainer");
    t->experiment = experiment;
    t->data = *data;
    t->layers = (int64_t)experiment->layer_count;
    t->ops = dt_engine_ops_of(experiment->precision);
    status = dt_setup_rows(experiment, data, &t->train_rows, &t->validation_rows, error);
    if (status == DT_OK && !(t->units = dt_setup_units(experiment, data->train)))
        status = dt_fail_memory(error, "the trainer");
    if (status == DT_OK)
        status = dt_team_create(&t->team, dt_setup_workers(experiment, data->train, t->units), error);
    if (status == DT_OK)
        status = dt_setup_sizes(experiment, data, t->train_rows.count, dt_team_count(t->team), t->units, &sizes,
                                &t->info, error);
    if (status == DT_OK)
        status = check_bytes(&t->info, error);
    if (status == DT_OK)
        status = dt_team_divide(t->team, t->info.groups, error);
    if (status == DT_OK)
        status = dt_sampler_create(&t->run.sampler, t->train_rows, sizes.batch, experiment->training.shuffle,
                                   experiment->seed, error);
    if (status == DT_OK)
        status = begin_windows(t, error);
    if (status == DT_OK && !(t->run.shard_loss = dt_allocate_zeroed((size_t)t->info.shards, sizeof *t->run.shard_loss)))
        status = dt_fail_memory(error, "the trainer");
    if (status == DT_OK)
        status = t->ops->create(&t->engine, experiment, &sizes, &t->run, error);
    if (status == DT_OK)
        status = dt_trainer_make_best(t, error);
    if (status != DT_OK) {
        dt_trainer_destroy(t);
        return status;
    }
    t->run.experiment = experiment;
    t->drawn = -1;
    t->run.train = data->train;
    t->run.shard_size = sizes.shard_size;
    t->run.steps_per_epoch = t->info.steps_per_epoch;
    t->run.by_step = dt_schedule_by_step(experiment);
    t->run.schedule = dt_schedule_begin();
    /* Steps of some milliseconds always pay for a team. */
    t->pace = (dt_pace){.adapts = experiment->parallel.threads == 0 && t->info.workers > 1 &&
                                  dt_setup_operations(experiment, data->train, t->units) < 1e9,
                        .trial_steps = 4,
                        .steps = 64};
    t->run.total_steps = t->info.steps_per_epoch * experiment->training.epochs;
    atomic_init(&t->run.stop, 0);
    dt_team_run(t->team, t->ops->touch, t->engine);
    *trainer = t;
    return DT_OK;
}

void dt_trainer_destroy(dt_trainer *trainer)
{
    if (!trainer)
        return;
    trainer->ops->destroy(trainer->engine);
    dt_profile_destroy(trainer->run.profile);
    if (trainer->feeds)
        dt_feed_end(trainer->data.train->feed);
    dt_sampler_destroy(trainer->run.sampler);
    dt_team_destroy(trainer->team);
    dt_release(trainer->run.shard_loss);
    dt_release(trainer->best_weights);
    dt_release(trainer->units);
    dt_rows_release(&trainer->train_rows);
    dt_release(trainer);
}

dt_status dt_trainer_observe(dt_trainer *trainer, const dt_observer *observer, dt_error *error)
{
    if (trainer->run.observer_count == DT_OBSERVERS_MAX)
        return dt_fail(error, DT_INVALID, "a trainer takes at most %d observers; use fewer capture rules",
                       DT_OBSERVERS_MAX);
    for (int64_t i = 0; i < observer->probe_count; i++)
        if (observer->probe_rows[i] < 0 || observer->probe_rows[i] >= trainer->data.train->rows)
            return dt_fail(error, DT_INVALID, "row %lld: the training set has rows 0 to %lld",
                           (long long)observer->probe_rows[i], (long long)trainer->data.train->rows - 1);
    trainer->run.observers[trainer->run.observer_count++] = *observer;
    return DT_OK;
}

/* --- training --- */

static void begin_epoch(dt_trainer *t)
{
    dt_run *run = &t->run;
    if (run->profile)
        dt_profile_begin(run->profile);
    run->epoch = t->step / t->info.steps_per_epoch;
    run->base = run->epoch * t->info.steps_per_epoch;
    run->done = t->step - run->base;
    run->learning_rate = dt_learning_rate(t->experiment, t->step, t->info.steps_per_epoch, &run->schedule);
    if (run->done == 0) {
        run->loss_sum = 0;
        run->right = run->seen = 0;
        t->trained = 0;
    }
    if (t->drawn != run->epoch) {
        dt_sampler_begin_epoch(run->sampler, run->epoch);
        if (run->train->feed)
            dt_feed_epoch(run->train->feed, run->epoch);
    }
    t->drawn = run->epoch;
    t->owes = false;
}

/* The report of an epoch whose steps are all done. */
static dt_status end_epoch(dt_trainer *t, dt_error *error)
{
    t->owes = true;
    return dt_trainer_report(t, error);
}

/* The same, where the steps were another run's. */
static dt_status end_epoch_before(dt_trainer *t, dt_error *error)
{
    dt_run *run = &t->run;
    run->done = t->info.steps_per_epoch;
    run->base = t->step - run->done;
    run->epoch = run->base / run->done;
    run->learning_rate = dt_learning_rate(t->experiment, t->step - 1, run->done, &run->schedule);
    return end_epoch(t, error);
}

/* Inputs for the steps at hand, as many of them as the windows that are in memory hold: the next window is read while
 * the team trains on these. False where the feed has failed. */
static bool feed_steps(dt_trainer *t)
{
    dt_run *run = &t->run;
    int64_t end;
    const dt_span windows = dt_sampler_windows(run->sampler, run->first, &end);
    t->unfed = !dt_feed_need(t->data.train->feed, windows);
    run->last = dt_min(run->last, end);
    return !t->unfed;
}

/* Up to `steps` steps more, by all workers or by one; the seconds that each took, without waiting for inputs. */
static double make_steps(dt_trainer *t, int64_t steps, bool alone)
{
    dt_run *run = &t->run;
    const double began = dt_trainer_seconds();
    run->first = run->done;
    run->last = dt_min(run->done + steps, t->info.steps_per_epoch);
    if (t->data.train->feed && !feed_steps(t))
        return 0;
    const double fed = dt_trainer_seconds();
    (alone ? dt_team_run_alone : dt_team_run)(t->team, t->ops->train, t->engine);
    if (run->profile)
        dt_profile_end(run->profile);
    const double ended = dt_trainer_seconds();
    t->trained += ended - began;
    t->pace.spent += ended - began;
    return (ended - fed) / (double)dt_max(1, run->done - run->first);
}

static bool goes_on(const dt_trainer *t, int64_t last)
{
    return t->run.done < last && !t->run.halt && !t->run.diverged && !t->unfed;
}

/* Whether all workers or one make the next second's steps: the faster in two short trials of each. Which it is changes
 * no bit. On shared and virtual machines it changes within seconds, as cores move apart. */
static void try_paces(dt_trainer *t, int64_t last)
{
    dt_pace *p = &t->pace;
    const double began = p->spent;
    double best[2] = {INFINITY, INFINITY};
    for (int trial = 0; trial < 4 && goes_on(t, last); trial++) {
        const double took = make_steps(t, dt_min(p->trial_steps, last - t->run.done), trial % 2);
        best[trial % 2] = took < best[trial % 2] ? took : best[trial % 2];
    }
    /* Long enough that threads which had gone to sleep, and lines which had moved, hardly count. */
    const double trial_seconds = 4e-3, faster = best[1] < best[0] ? best[1] : best[0];
    p->alone = best[1] < best[0];
    p->trial_steps = faster < trial_seconds ? (int64_t)(trial_seconds / faster) : 1;
    p->steps = faster < 1 ? (int64_t)(1 / faster) : 1;
    p->next = p->spent + fmax(1, 50 * (p->spent - began)); /* trials are at most a fiftieth */
}

/* Looks for the first number of the step that is not finite, by going through it once more: the weights are still those
 * that it began with. */
static dt_status fail_diverged(const dt_trainer *t, dt_error *error)
{
    const dt_run *run = &t->run;
    dt_fault fault = {0};
    char where[160] = "";
    int64_t batch;
    const int64_t *sample = dt_sampler_minibatch(run->sampler, run->done, &batch);
    t->ops->find_fault(t->engine, sample, batch, &fault);
    if (fault.quantity && fault.sample >= 0)
        snprintf(where, sizeof where, ": the first is %s of layer %lld, unit %lld, for row %lld of the training set",
                 fault.quantity, (long long)fault.layer, (long long)fault.unit, (long long)fault.sample);
    else if (fault.quantity && fault.input >= 0)
        snprintf(where, sizeof where, ": the first is %s of layer %lld, unit %lld, input %lld", fault.quantity,
                 (long long)fault.layer, (long long)fault.unit, (long long)fault.input);
    else if (fault.quantity)
        snprintf(where, sizeof where, ": the first is %s of layer %lld, unit %lld", fault.quantity,
                 (long long)fault.layer, (long long)fault.unit);
    return dt_fail(error, DT_DIVERGED,
                   "training diverged: the loss of step %lld (epoch %lld) is not finite%s; lower "
                   "optimizer.learning_rate",
                   (long long)t->step, (long long)run->epoch + 1, where);
}

/* Up to `steps` steps of the epoch that has begun. */
static dt_status train_in_epoch(dt_trainer *t, int64_t steps, dt_error *error)
{
    dt_run *run = &t->run;
    const int64_t last = dt_min(run->done + steps, t->info.steps_per_epoch);
    run->halt = run->diverged = false;
    const bool adapts = t->pace.adapts && !run->profile; /* a profile is one of all workers */
    while (goes_on(t, last)) {
        if (adapts && t->pace.spent >= t->pace.next)
            try_paces(t, last);
        else
            (void)make_steps(t, dt_min(last - run->done, adapts ? t->pace.steps : steps), adapts && t->pace.alone);
    }
    t->step = run->base + run->done;
    if (run->diverged)
        return fail_diverged(t, error);
    if (t->unfed)
        return dt_feed_error(run->train->feed, error);
    if (run->halt)
        return dt_fail(error, DT_STOPPED, "stopped after step %lld, in epoch %lld", (long long)t->step,
                       (long long)run->epoch + 1);
    return DT_OK;
}

dt_status dt_trainer_steps(dt_trainer *trainer, int64_t steps, dt_error *error)
{
    dt_status status = trainer->ops->prepare(trainer->engine, error);
    while (status == DT_OK && steps > 0) {
        const int64_t before = trainer->step;
        begin_epoch(trainer);
        status = train_in_epoch(trainer, steps, error);
        steps -= trainer->step - before;
    }
    return status;
}

dt_status dt_trainer_run(dt_trainer *trainer, dt_error *error)
{
    trainer->began = dt_trainer_seconds() - trainer->before;
    dt_status status = dt_metric_check(trainer->experiment, &trainer->data, error);
    if (status == DT_OK)
        status = trainer->ops->prepare(trainer->engine, error);
    if (status == DT_OK && trainer->owes)
        status = end_epoch_before(trainer, error);
    while (status == DT_OK && !dt_trainer_done(trainer)) {
        dt_trainer_take_last(trainer);
        begin_epoch(trainer);
        status = train_in_epoch(trainer, trainer->info.steps_per_epoch, error);
        if (status == DT_OK || (status == DT_STOPPED && trainer->run.done == trainer->info.steps_per_epoch)) {
            const dt_status reported = end_epoch(trainer, error);
            status = status == DT_OK ? reported : status;
        }
    }
    trainer->before = dt_trainer_seconds() - trainer->began;
    trainer->began = 0;
    if (status == DT_OK)
        dt_trainer_take_best(trainer);
    return status;
}

void dt_trainer_stop(dt_trainer *trainer)
{
    atomic_store_explicit(&trainer->run.stop, 1, memory_order_relaxed);
}

/* --- profile --- */

dt_status dt_trainer_profile(dt_trainer *trainer, dt_error *error)
{
    if (trainer->run.profile)
        return DT_OK;
    dt_profile_shape shape = {
        .workers = trainer->info.workers,
        .groups = trainer->info.groups,
        .layers = trainer->layers,
        .shard_size = trainer->info.shard_size,
        .units = trainer->units,
        .real = dt_precision_size(trainer->experiment->precision),
        .element = dt_element_size(trainer->data.train->element),
        .sparse = trainer->info.sparse,
    };
    trainer->ops->adds(trainer->engine, &shape.buffers, &shape.shared, &shape.free);
    const dt_status status = dt_profile_create(&trainer->run.profile, &shape, error);
    for (int64_t t = 0; status == DT_OK && t < shape.workers; t++) {
        dt_profile_slice *slice = dt_profile_slice_of(trainer->run.profile, t);
        slice->states = trainer->ops->slice(trainer->engine, t, slice->parameters);
    }
    return status;
}

bool dt_trainer_profile_row(const dt_trainer *trainer, size_t i, dt_profile_row *row)
{
    return trainer->run.profile && dt_profile_row_at(trainer->run.profile, i, row);
}

/* --- facts --- */

void dt_trainer_describe(const dt_trainer *trainer, dt_trainer_info *info)
{
    *info = trainer->info;
}

int64_t dt_trainer_units(const dt_trainer *trainer, int64_t l)
{
    return trainer->units[l];
}

int64_t dt_trainer_step(const dt_trainer *trainer)
{
    return trainer->step;
}

const dt_experiment *dt_trainer_experiment(const dt_trainer *trainer)
{
    return trainer->experiment;
}

const dt_dataset *dt_trainer_training_set(const dt_trainer *trainer)
{
    return trainer->data.train;
}
