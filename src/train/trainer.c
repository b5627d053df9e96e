#include "deltoid/trainer.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/philox.h"
#include "deltoid/own.h"
#include "kernels/isa.h"
#include "parallel/team.h"
#include "train/engine.h"
#include "train/metric.h"
#include "train/profile.h"
#include "train/schedule.h"
#include "train/trainer_state.h"

/* --- what the data allow --- */

/* The kinds of targets in a set, as a list for messages. */
static void list_kinds(unsigned set, char *text, size_t size)
{
    *text = '\0';
    for (int k = 0; k < DT_TARGETS_KINDS; k++)
        if (set & 1u << k) {
            const size_t n = strlen(text);
            snprintf(text + n, size - n, "%s%s", n ? " or " : "", dt_targets_name((dt_targets)k));
        }
}

/* Labels or targets: what the cost takes, for as many units as the last layer has. */
static dt_status check_targets(const char *key, const dt_dataset *data, const char *loss, int64_t outputs,
                               dt_error *error)
{
    const dt_loss_traits *traits = dt_loss_traits_of(loss);
    if (!(traits->takes & 1u << data->kind)) {
        char takes[64];
        list_kinds(traits->takes, takes, sizeof takes);
        return dt_fail(error, DT_INVALID, "loss: %s takes %s, but data.%s has targets of the kind %s; choose another",
                       loss, takes, key, dt_targets_name(data->kind));
    }
    if (data->kind == DT_TARGETS_CLASSES && data->classes > outputs)
        return dt_fail(error, DT_INVALID,
                       "data.%s: has label %lld, but the last layer has %lld units; give it at least %lld", key,
                       (long long)data->classes - 1, (long long)outputs, (long long)data->classes);
    if (data->kind == DT_TARGETS_CLASSES)
        return DT_OK;
    if (data->outputs != outputs)
        return dt_fail(error, DT_INVALID,
                       "data.%s: has %lld targets a row, but the last layer has %lld units; give it %lld", key,
                       (long long)data->outputs, (long long)outputs, (long long)data->outputs);
    const bool bounded = traits->high > traits->low;
    for (int64_t i = 0; bounded && i < data->rows * outputs; i++)
        if (!(data->targets[i] >= traits->low && data->targets[i] <= traits->high))
            return dt_fail(
                error, DT_INVALID, "data.%s: target %lld of row %lld is %.9g; %s takes numbers from %g to %g", key,
                (long long)(i % outputs), (long long)(i / outputs), data->targets[i], loss, traits->low, traits->high);
    return DT_OK;
}

static dt_status check_data_set(const char *key, const dt_dataset *data, const dt_dataset *train, const char *loss,
                                int64_t outputs, dt_error *error)
{
    if (data->features != train->features)
        return dt_fail(error, DT_INVALID, "data.%s: %lld inputs a row, but data.train has %lld; use data of one kind",
                       key, (long long)data->features, (long long)train->features);
    if (data->rows < 1)
        return dt_fail(error, DT_INVALID, "data.%s: is empty; it needs at least one row", key);
    if (data->kind != train->kind)
        return dt_fail(error, DT_INVALID, "data.%s: has targets of the kind %s, but data.train of the kind %s", key,
                       dt_targets_name(data->kind), dt_targets_name(train->kind));
    return check_targets(key, data, loss, outputs, error);
}

static dt_status check_data(const dt_experiment *experiment, const dt_trainer_data *data, dt_error *error)
{
    const int64_t outputs = experiment->network[experiment->layer_count - 1].units;
    const dt_own_loss *own;
    for (size_t i = 0; (own = dt_own_loss_at(i)); i++)
        if (strcmp(own->entry.name, experiment->loss) == 0 && outputs > DT_OWN_LOSS_UNITS)
            return dt_fail(error, DT_INVALID,
                           "loss: a program's own cost takes at most %d units; the last layer has %lld",
                           DT_OWN_LOSS_UNITS, (long long)outputs);
    const char *loss = experiment->loss;
    const size_t weights = experiment->loss_options.class_weight_count;
    if (experiment->loss_options.class_weights && weights != (size_t)outputs)
        return dt_fail(error, DT_INVALID,
                       "loss.class_weights: %zu weights, but the last layer has %lld units; give %lld", weights,
                       (long long)outputs, (long long)outputs);
    if (!data->train)
        return dt_fail(error, DT_INVALID, "data.train: is missing; a trainer needs training data");
    dt_status status = check_data_set("train", data->train, data->train, loss, outputs, error);
    if (status == DT_OK && data->test)
        status = check_data_set("test", data->test, data->train, loss, outputs, error);
    if (status == DT_OK && data->validation)
        status = check_data_set("validation", data->validation, data->train, loss, outputs, error);
    if (status == DT_OK && data->validation && experiment->data.validation_fraction > 0)
        return dt_fail(error, DT_INVALID,
                       "data.validation: give either a fraction of the training rows or a data set, not both");
    return status;
}

/* --- plan --- */

/* What an optimizer or noise asks of minibatches. */
static dt_status check_minibatch(const dt_experiment *experiment, const dt_engine_sizes *sizes, int64_t train_rows,
                                 dt_error *error)
{
    if (dt_engine_ops_of(experiment->precision)->whole(experiment) && sizes->batch < train_rows)
        return dt_fail(error, DT_INVALID,
                       "optimizer.name: %s goes by the signs of the whole training set's gradient; set "
                       "training.batch_size to its %lld rows, or use another optimizer",
                       experiment->optimizer.name, (long long)train_rows);
    if (experiment->data.noise > 0 && sizes->units[0] > DT_STREAM_NUMBERS)
        return dt_fail(error, DT_INVALID, "data.noise: takes inputs of up to %lld numbers, not %lld; remove it",
                       (long long)DT_STREAM_NUMBERS, (long long)sizes->units[0]);
    return DT_OK;
}

/* What follows from the experiment and the rows to train on: info, but for what only the team can say. */
static dt_status plan(const dt_experiment *experiment, const dt_trainer_data *data, int64_t train_rows, int64_t workers,
                      const int64_t *units, dt_engine_sizes *sizes, dt_trainer_info *info, dt_error *error)
{
    const int64_t L = (int64_t)experiment->layer_count, batch = dt_min(experiment->training.batch_size, train_rows);
    const int64_t wanted = experiment->parallel.shard_size;
    *sizes = (dt_engine_sizes){
        .layers = L,
        .units = units,
        .batch = batch,
        .short_batch = train_rows % batch,
        .shard_size = wanted ? wanted : dt_shard_size_auto(experiment->training.batch_size),
        .workers = workers,
    };
    *info = (dt_trainer_info){
        .layers = L,
        .features = units[0],
        .workers = workers,
        .shard_size = sizes->shard_size,
        .shards = dt_ceil_div(batch, sizes->shard_size),
        .train_rows = train_rows,
        .validation_rows = data->validation ? data->validation->rows : data->train->rows - train_rows,
        .test_rows = data->test ? data->test->rows : 0,
        .steps_per_epoch = dt_ceil_div(train_rows, batch),
        .isa = dt_isa_name(dt_isa_current()),
        .reduction = experiment->parallel.reduction,
        .created = (int64_t)time(NULL),
    };
    for (int64_t l = 1; l <= L; l++)
        info->parameters += units[l] * (units[l - 1] + 1);
    dt_status status = check_minibatch(experiment, sizes, train_rows, error);
    if (status != DT_OK)
        return status;
    if (!dt_engine_ops_of(experiment->precision)->measure(experiment, sizes, info))
        return dt_fail(error, DT_INVALID, "network: too large to address; use fewer units or a smaller minibatch");
    if (dt_trainer_keeps_best(experiment))
        info->parameter_bytes += (size_t)info->parameters * dt_precision_size(experiment->precision);
    return DT_OK;
}

/* Floating-point operations of a minibatch. */
static double operations_of(const dt_experiment *experiment, const int64_t *units)
{
    double operations = 0;
    for (size_t l = 1; l <= experiment->layer_count; l++)
        operations +=
            (l > 1 ? 6.0 : 4.0) * (double)units[l] * (double)units[l - 1] * (double)experiment->training.batch_size;
    return operations;
}

/* `threads: auto`: the processors there are, but no more workers than one for each 2 million floating-point operations
 * of a minibatch: below that, two barriers and moving the data cost more than a worker brings. try_paces looks at what
 * remains to be known. */
static int64_t workers_of(const dt_experiment *experiment, const int64_t *units)
{
    if (experiment->parallel.threads)
        return experiment->parallel.threads;
    const double operations = operations_of(experiment, units), operations_a_worker = 2e6;
    const int64_t processors = dt_processors();
    const double pay = operations / operations_a_worker;
    return pay < 1 ? 1 : pay < (double)processors ? (int64_t)pay : processors;
}

static int64_t *units_of(const dt_experiment *experiment, const dt_dataset *train)
{
    int64_t *units = dt_allocate(experiment->layer_count + 1, sizeof *units);
    if (!units)
        return NULL;
    units[0] = train->features;
    for (size_t l = 0; l < experiment->layer_count; l++)
        units[l + 1] = experiment->network[l].units;
    return units;
}

static dt_status check(const dt_experiment *experiment, const dt_trainer_data *data, dt_error *error)
{
    dt_status status = dt_isa_check(error);
    if (status == DT_OK)
        status = dt_experiment_validate(experiment, error);
    return status == DT_OK ? check_data(experiment, data, error) : status;
}

/* The rows to train on: all of data.train, or what the validation fraction leaves. */
static dt_status split(const dt_experiment *experiment, const dt_trainer_data *data, dt_rows *train,
                       dt_rows *validation, dt_error *error)
{
    *train = (dt_rows){data->train->rows, NULL};
    *validation = (dt_rows){0, NULL};
    const double fraction = experiment->data.validation_fraction;
    return fraction > 0 ? dt_rows_split(data->train->rows, fraction, experiment->seed, train, validation, error)
                        : DT_OK;
}

dt_status dt_trainer_plan(const dt_experiment *experiment, const dt_trainer_data *data, dt_trainer_info *info,
                          dt_error *error)
{
    dt_rows train = {0, NULL}, validation;
    dt_engine_sizes sizes;
    dt_status status = check(experiment, data, error);
    if (status == DT_OK)
        status = split(experiment, data, &train, &validation, error);
    if (status != DT_OK)
        return status;
    int64_t *units = units_of(experiment, data->train);
    status = units ? plan(experiment, data, train.count, workers_of(experiment, units), units, &sizes, info, error)
                   : dt_fail_memory(error, "the plan");
    dt_release(units);
    dt_rows_release(&train);
    return status;
}

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

dt_status dt_trainer_create(dt_trainer **trainer, const dt_experiment *experiment, const dt_trainer_data *data,
                            dt_error *error)
{
    *trainer = NULL;
    dt_engine_sizes sizes;
    dt_status status = check(experiment, data, error);
    if (status != DT_OK)
        return status;
    dt_trainer *t = dt_allocate_zeroed(1, sizeof *t);
    if (!t)
        return dt_fail_memory(error, "the trainer");
    t->experiment = experiment;
    t->data = *data;
    t->layers = (int64_t)experiment->layer_count;
    t->ops = dt_engine_ops_of(experiment->precision);
    status = split(experiment, data, &t->train_rows, &t->validation_rows, error);
    if (status == DT_OK && !(t->units = units_of(experiment, data->train)))
        status = dt_fail_memory(error, "the trainer");
    if (status == DT_OK)
        status = dt_team_create(&t->team, workers_of(experiment, t->units), error);
    if (status == DT_OK)
        status = plan(experiment, data, t->train_rows.count, dt_team_count(t->team), t->units, &sizes, &t->info, error);
    if (status == DT_OK)
        status = check_bytes(&t->info, error);
    if (status == DT_OK)
        status = dt_team_divide(t->team, t->info.groups, error);
    if (status == DT_OK)
        status = dt_sampler_create(&t->run.sampler, t->train_rows, sizes.batch, experiment->training.shuffle,
                                   experiment->seed, error);
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
                                  operations_of(experiment, t->units) < 1e9,
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
    run->epoch = t->step / t->info.steps_per_epoch;
    run->base = run->epoch * t->info.steps_per_epoch;
    run->done = t->step - run->base;
    run->learning_rate = dt_learning_rate(t->experiment, t->step, t->info.steps_per_epoch, &run->schedule);
    if (run->done == 0) {
        run->loss_sum = 0;
        run->right = run->seen = 0;
        t->trained = 0;
    }
    if (t->drawn != run->epoch)
        dt_sampler_begin_epoch(run->sampler, run->epoch);
    t->drawn = run->epoch;
}

/* Up to `steps` steps more, by all workers or by one; the seconds that each took. */
static double make_steps(dt_trainer *t, int64_t steps, bool alone)
{
    dt_run *run = &t->run;
    const double began = dt_trainer_seconds();
    run->first = run->done;
    run->last = dt_min(run->done + steps, t->info.steps_per_epoch);
    (alone ? dt_team_run_alone : dt_team_run)(t->team, t->ops->train, t->engine);
    const double took = dt_trainer_seconds() - began;
    t->trained += took;
    t->pace.spent += took;
    return took / (double)dt_max(1, run->done - run->first);
}

static bool goes_on(const dt_trainer *t, int64_t last)
{
    return t->run.done < last && !t->run.halt && !t->run.diverged;
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

/* Numbers are answered more or less well, never right. */
static double accuracy_of(const dt_dataset *data, int64_t right, int64_t count)
{
    return data->kind == DT_TARGETS_REGRESSION ? NAN : (double)right / (double)count;
}

static dt_status evaluate_rows(dt_trainer *t, const dt_dataset *data, dt_rows rows, dt_evaluation *evaluation,
                               int64_t *confusion, dt_error *error)
{
    const int64_t chunks = dt_ceil_div(rows.count, DT_EVALUATION_CHUNK), classes = t->units[t->layers];
    dt_evaluation_job job = {.engine = t->engine, .data = data, .rows = rows};
    job.chunk_loss = dt_allocate_zeroed((size_t)chunks, sizeof *job.chunk_loss);
    job.chunk_right = dt_allocate_zeroed((size_t)chunks, sizeof *job.chunk_right);
    job.confusion = confusion ? dt_allocate((size_t)(classes * classes), sizeof *job.confusion) : NULL;
    dt_status status = DT_OK;
    if (!job.chunk_loss || !job.chunk_right || (confusion && !job.confusion)) {
        status = dt_fail_memory(error, "an evaluation");
        goto end;
    }
    for (int64_t i = 0; confusion && i < classes * classes; i++)
        atomic_init(&job.confusion[i], 0);
    dt_team_run(t->team, t->ops->evaluate, &job);
    double loss = 0;
    int64_t right = 0;
    for (int64_t i = 0; i < chunks; i++) {
        loss += job.chunk_loss[i];
        right += job.chunk_right[i];
    }
    *evaluation = (dt_evaluation){loss / (double)rows.count, accuracy_of(data, right, rows.count)};
    for (int64_t i = 0; confusion && i < classes * classes; i++)
        confusion[i] = atomic_load(&job.confusion[i]);
end:
    dt_release(job.chunk_loss);
    dt_release(job.chunk_right);
    dt_release(job.confusion);
    return status;
}

dt_status dt_trainer_evaluate(dt_trainer *trainer, const dt_dataset *dataset, dt_evaluation *evaluation,
                              int64_t *confusion, dt_error *error)
{
    dt_status status = check_data_set("test", dataset, trainer->data.train, trainer->experiment->loss,
                                      trainer->units[trainer->layers], error);
    if (status == DT_OK && confusion && dataset->kind != DT_TARGETS_CLASSES)
        status = dt_fail(error, DT_INVALID, "targets of the kind %s have no confusion matrix",
                         dt_targets_name(dataset->kind));
    if (status != DT_OK)
        return status;
    return evaluate_rows(trainer, dataset, (dt_rows){dataset->rows, NULL}, evaluation, confusion, error);
}

dt_status dt_trainer_outputs(dt_trainer *trainer, const dt_dataset *dataset, dt_rows rows, void *z, dt_error *error)
{
    dt_evaluation_job job = {.engine = trainer->engine, .data = dataset, .rows = rows, .outputs = z};
    if (dataset->features != trainer->units[0])
        return dt_fail(error, DT_INVALID,
                       "new samples: %lld inputs a row, but the network has %lld; use data of one kind",
                       (long long)dataset->features, (long long)trainer->units[0]);
    dt_team_run(trainer->team, trainer->ops->evaluate, &job);
    return DT_OK;
}

static bool has_validation(const dt_trainer *t)
{
    return t->data.validation || t->validation_rows.count;
}

/* Evaluates what there is, and tells the schedule and the observers. */
static dt_status report_epoch(dt_trainer *t, dt_error *error)
{
    const dt_run *run = &t->run;
    dt_evaluation validation = {NAN, NAN}, test = {NAN, NAN};
    dt_status status = DT_OK;
    if (t->data.validation)
        status =
            evaluate_rows(t, t->data.validation, (dt_rows){t->data.validation->rows, NULL}, &validation, NULL, error);
    else if (t->validation_rows.count)
        status = evaluate_rows(t, t->data.train, t->validation_rows, &validation, NULL, error);
    if (status == DT_OK && t->data.test)
        status = evaluate_rows(t, t->data.test, (dt_rows){t->data.test->rows, NULL}, &test, NULL, error);
    const dt_epoch_report report = {
        .epoch = run->epoch + 1,
        .step = t->step,
        .seconds = dt_trainer_seconds() - t->began,
        .train_loss = run->loss_sum / (double)run->seen,
        .train_accuracy = accuracy_of(t->data.train, run->right, run->seen),
        .validation_loss = validation.loss,
        .validation_accuracy = validation.accuracy,
        .test_loss = test.loss,
        .test_accuracy = test.accuracy,
        .learning_rate = run->learning_rate,
        .samples_per_second = (double)run->seen / t->trained,
    };
    if (status == DT_OK)
        if (status == DT_OK) { /* what they remember belongs to the checkpoint that an observer may write */
            dt_schedule_observe(t->experiment, has_validation(t) ? validation.loss : report.train_loss,
                                &t->run.schedule);
            dt_trainer_judge(t, &report);
        }
    for (int i = 0; status == DT_OK && i < run->observer_count; i++)
        if (run->observers[i].epoch)
            status = run->observers[i].epoch(run->observers[i].self, &report, error);
    return status;
}

dt_status dt_trainer_run(dt_trainer *trainer, dt_error *error)
{
    trainer->began = dt_trainer_seconds() - trainer->before;
    dt_status status = dt_metric_check(trainer->experiment, &trainer->data, error);
    if (status == DT_OK)
        status = trainer->ops->prepare(trainer->engine, error);
    while (status == DT_OK && !dt_trainer_done(trainer)) {
        dt_trainer_take_last(trainer);
        begin_epoch(trainer);
        status = train_in_epoch(trainer, trainer->info.steps_per_epoch, error);
        if (status == DT_OK || (status == DT_STOPPED && trainer->run.done == trainer->info.steps_per_epoch)) {
            const dt_status reported = report_epoch(trainer, error);
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

/* --- what observers call --- */

dt_matrix_view dt_step_samples(const dt_step_view *view, dt_quantity quantity, int64_t l, int64_t first, int64_t count)
{
    return dt_engine_ops_of(view->precision)->samples(view->pass, quantity, l, (dt_span){first, first + count});
}

void dt_step_copy_slice(const dt_step_view *view, dt_quantity quantity, int64_t l, dt_slice slice, void *out)
{
    dt_engine_ops_of(view->precision)->copy_slice(view->pass, quantity, l, slice, out);
}

dt_block_view dt_step_blocks(const dt_step_view *view, dt_step_array array, int i, dt_slice slice)
{
    return dt_engine_ops_of(view->precision)->blocks(view->engine, array, i, slice);
}

bool dt_step_partial(const dt_step_view *view, int64_t group, dt_slice slice, void *sum)
{
    return dt_engine_ops_of(view->precision)->partial(view->engine, view, group, slice, sum);
}

const double *dt_step_costs(const dt_step_view *view)
{
    return dt_engine_ops_of(view->precision)->costs(view);
}

double dt_step_norm_square(const dt_step_view *view, int64_t l, int64_t first, int64_t count, void *scratch)
{
    return dt_engine_ops_of(view->precision)->norm_square(view->pass, l, (dt_span){first, first + count}, scratch);
}

size_t dt_step_norm_scratch(dt_precision precision, int64_t layers, const int64_t *units, int64_t samples)
{
    return dt_engine_ops_of(precision)->norm_scratch(layers, units, samples);
}

int64_t dt_step_block_count(dt_precision precision, int64_t layers, const int64_t *units)
{
    return dt_engine_ops_of(precision)->block_count(layers, units);
}

size_t dt_step_block_bytes(dt_precision precision)
{
    return dt_engine_ops_of(precision)->block_bytes;
}

const char *dt_step_state_name(const dt_experiment *experiment, int i)
{
    return dt_engine_ops_of(experiment->precision)->state_named(experiment, i);
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

/* --- weights and facts --- */

void dt_trainer_weights(const dt_trainer *trainer, int64_t l, void *W, void *b)
{
    trainer->ops->get(trainer->engine, l, W, b);
}

void dt_trainer_set_weights(dt_trainer *trainer, int64_t l, const void *W, const void *b)
{
    trainer->ops->set(trainer->engine, l, W, b);
}

/* Hashes numbers as little-endian bytes. */
static int hash_numbers(EVP_MD_CTX *context, unsigned char *bytes, size_t count, size_t size)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < size / 2; j++) {
            const unsigned char byte = bytes[i * size + j];
            bytes[i * size + j] = bytes[(i + 1) * size - 1 - j];
            bytes[(i + 1) * size - 1 - j] = byte;
        }
#endif
    return EVP_DigestUpdate(context, bytes, count * size);
}

dt_status dt_trainer_weights_sha256(const dt_trainer *trainer, char hex[65], dt_error *error)
{
    const size_t size = dt_precision_size(trainer->experiment->precision);
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (int64_t l = 1; ok && l <= trainer->layers; l++) {
        const size_t units = (size_t)trainer->units[l], weights = units * (size_t)trainer->units[l - 1];
        unsigned char *W = dt_allocate(weights, size), *b = dt_allocate(units, size);
        ok = W && b;
        if (ok) {
            dt_trainer_weights(trainer, l, W, b);
            ok = hash_numbers(context, W, weights, size) && hash_numbers(context, b, units, size);
        }
        dt_release(W);
        dt_release(b);
    }
    ok = ok && EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    if (!ok)
        return dt_fail_memory(error, "the weights' SHA-256");
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return DT_OK;
}

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
