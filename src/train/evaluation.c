/* Losses and accuracies of whole data sets, and what an epoch's end reports of them. */
#include <math.h>

#include "base/memory.h"
#include "data/scan.h"
#include "train/schedule.h"
#include "train/setup.h"
#include "train/trainer_state.h"

/* Numbers are answered more or less well, never right. */
static double accuracy_of(const dt_dataset *data, int64_t right, int64_t count)
{
    return data->kind == DT_TARGETS_REGRESSION ? NAN : (double)right / (double)count;
}

/* The job's rows on all workers: at once where they are in memory, else piece by piece. Pieces are whole chunks, so
 * that sums don't depend on them. */
static dt_status evaluate_pieces(dt_trainer *t, const dt_dataset *data, dt_rows rows, const dt_evaluation_job *job,
                                 dt_error *error)
{
    dt_scan s;
    const size_t row = (size_t)t->units[t->layers] * dt_precision_size(t->experiment->precision);
    dt_status status = dt_scan_begin(&s, data, rows, error);
    while (status == DT_OK && (status = dt_scan_next(&s, error)) == DT_OK && s.rows.count > 0) {
        dt_evaluation_job piece = *job;
        piece.data = &s.piece;
        piece.rows = s.rows;
        if (job->outputs)
            piece.outputs = (char *)job->outputs + (size_t)s.first * row;
        else {
            piece.chunk_loss += s.first / DT_EVALUATION_CHUNK;
            piece.chunk_right += s.first / DT_EVALUATION_CHUNK;
        }
        dt_team_run(t->team, t->ops->evaluate, &piece);
    }
    dt_scan_end(&s);
    return status;
}

static dt_status evaluate_rows(dt_trainer *t, const dt_dataset *data, dt_rows rows, dt_evaluation *evaluation,
                               int64_t *confusion, dt_error *error)
{
    const int64_t chunks = dt_ceil_div(rows.count, DT_EVALUATION_CHUNK), classes = t->units[t->layers];
    dt_evaluation_job job = {.engine = t->engine};
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
    status = evaluate_pieces(t, data, rows, &job, error);
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
    const dt_evaluation_job job = {.engine = trainer->engine, .outputs = z};
    if (dataset->features != trainer->units[0])
        return dt_fail(error, DT_INVALID,
                       "new samples: %lld inputs a row, but the network has %lld; use data of one kind",
                       (long long)dataset->features, (long long)trainer->units[0]);
    const dt_status status = trainer->ops->admit(trainer->engine, dataset, error);
    return status == DT_OK ? evaluate_pieces(trainer, dataset, rows, &job, error) : status;
}

static bool has_validation(const dt_trainer *t)
{
    return t->data.validation || t->validation_rows.count;
}

dt_status dt_trainer_evaluate_validation(dt_trainer *t, dt_evaluation *evaluation, dt_error *error)
{
    if (!has_validation(t))
        return dt_fail(error, DT_INVALID, "there are no validation rows; give data.validation");
    const dt_dataset *data = t->data.validation ? t->data.validation : t->data.train;
    const dt_rows rows = t->data.validation ? (dt_rows){data->rows, NULL} : t->validation_rows;
    return evaluate_rows(t, data, rows, evaluation, NULL, error);
}

dt_status dt_trainer_report(dt_trainer *t, dt_error *error)
{
    const dt_run *run = &t->run;
    dt_evaluation validation = {NAN, NAN}, test = {NAN, NAN};
    dt_status status = DT_OK;
    if (has_validation(t))
        status = dt_trainer_evaluate_validation(t, &validation, error);
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
        t->owes = false;
        dt_schedule_observe(t->experiment, has_validation(t) ? validation.loss : report.train_loss, &t->run.schedule);
        dt_trainer_judge(t, &report);
    }
    for (int i = 0; status == DT_OK && i < run->observer_count; i++)
        if (run->observers[i].epoch)
            status = run->observers[i].epoch(run->observers[i].self, &report, error);
    return status;
}
