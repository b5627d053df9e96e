/* Losses and accuracies of whole data sets, and what an epoch's end reports of them. */
#include <math.h>

#include "base/memory.h"
#include "train/schedule.h"
#include "train/setup.h"
#include "train/trainer_state.h"

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
    dt_status status = t->ops->admit(t->engine, data, error);
    if (status != DT_OK)
        goto end;
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
    dt_status status = dt_setup_check_set("test", dataset, trainer->data.train, trainer->experiment->loss,
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
    const dt_status status = trainer->ops->admit(trainer->engine, dataset, error);
    if (status == DT_OK)
        dt_team_run(trainer->team, trainer->ops->evaluate, &job);
    return status;
}

static bool has_validation(const dt_trainer *t)
{
    return t->data.validation || t->validation_rows.count;
}

dt_status dt_trainer_report(dt_trainer *t, dt_error *error)
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
    if (status == DT_OK) { /* what they remember belongs to the checkpoint that an observer may write */
        dt_schedule_observe(t->experiment, has_validation(t) ? validation.loss : report.train_loss, &t->run.schedule);
        dt_trainer_judge(t, &report);
    }
    for (int i = 0; status == DT_OK && i < run->observer_count; i++)
        if (run->observers[i].epoch)
            status = run->observers[i].epoch(run->observers[i].self, &report, error);
    return status;
}
