/* Where a trainer stands between two steps, in and out; and early stopping, which is a part of it. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "train/metric.h"
#include "train/schedule.h"
#include "train/trainer_state.h"

double dt_trainer_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- early stopping --- */

bool dt_trainer_keeps_best(const dt_experiment *experiment)
{
    return experiment->early_stopping.patience > 0 && experiment->early_stopping.restore_best;
}

dt_status dt_trainer_make_best(dt_trainer *t, dt_error *error)
{
    t->best = NAN;
    if (!dt_trainer_keeps_best(t->experiment))
        return DT_OK;
    t->best_weights = dt_allocate_zeroed((size_t)t->info.parameters, dt_precision_size(t->experiment->precision));
    return t->best_weights ? DT_OK : dt_fail_memory(error, "the best weights");
}

/* W^l and b^l of the weights kept apart. */
static void best_at(const dt_trainer *t, int64_t l, char **W, char **b)
{
    const size_t size = dt_precision_size(t->experiment->precision);
    size_t before = 0;
    for (int64_t m = 1; m < l; m++)
        before += (size_t)(t->units[m] * (t->units[m - 1] + 1));
    *W = (char *)t->best_weights + before * size;
    *b = *W + (size_t)(t->units[l] * t->units[l - 1]) * size;
}

void dt_trainer_judge(dt_trainer *t, const dt_epoch_report *report)
{
    const dt_early_stopping_spec *spec = &t->experiment->early_stopping;
    if (spec->patience == 0)
        return;
    const dt_metric *metric = dt_metric_named(spec->metric);
    const double value = dt_metric_value(metric, report);
    if (!dt_metric_better(metric, value, t->best, spec->min_delta))
        return;
    t->best = value;
    t->best_epoch = report->epoch;
    for (int64_t l = 1; t->best_weights && l <= t->layers; l++) {
        char *W, *b;
        best_at(t, l, &W, &b);
        t->ops->get(t->engine, l, W, b);
    }
}

static bool out_of_patience(const dt_trainer *t)
{
    const int64_t patience = t->experiment->early_stopping.patience;
    const int64_t epochs = t->step / t->info.steps_per_epoch;
    return patience > 0 && t->step % t->info.steps_per_epoch == 0 && epochs - t->best_epoch >= patience;
}

bool dt_trainer_done(const dt_trainer *t)
{
    return !t->owes && (t->step >= t->run.total_steps || out_of_patience(t));
}

/* One number for the other, layer by layer: nothing is allocated, so that nothing can fail. */
static void exchange(dt_trainer *t)
{
    for (int64_t l = 1; l <= t->layers; l++) {
        char *W, *b;
        best_at(t, l, &W, &b);
        t->ops->exchange(t->engine, l, W, b);
    }
    t->restored = !t->restored;
}

void dt_trainer_take_best(dt_trainer *t)
{
    if (t->best_weights && !t->restored && t->best_epoch > 0)
        exchange(t);
}

void dt_trainer_take_last(dt_trainer *t)
{
    if (t->restored)
        exchange(t);
}

/* --- position --- */

void dt_trainer_position_of(const dt_trainer *t, dt_trainer_position *position)
{
    const int64_t epoch = (t->step - t->owes) / t->info.steps_per_epoch,
                  done = t->step - epoch * t->info.steps_per_epoch;
    *position = (dt_trainer_position){
        .step = t->step,
        .epochs = epoch,
        .epoch_step = done,
        .loss_sum = done ? t->run.loss_sum : 0,
        .right = done ? t->run.right : 0,
        .seen = done ? t->run.seen : 0,
        .seconds = t->began > 0 ? dt_trainer_seconds() - t->began : t->before,
        .epoch_seconds = done ? t->trained : 0,
        .best = t->best,
        .best_epoch = t->best_epoch,
        .restored = t->restored,
        .schedule = t->run.schedule,
        .done = dt_trainer_done(t),
    };
}

static bool is_possible(const dt_trainer *t, const dt_trainer_position *p)
{
    const int64_t a_epoch = t->info.steps_per_epoch, rows = t->info.train_rows;
    return p->step >= 0 && p->epochs >= 0 && p->epoch_step >= 0 && p->epoch_step <= a_epoch &&
           p->epochs <= INT64_MAX / a_epoch - 1 && p->step == p->epochs * a_epoch + p->epoch_step && p->seen >= 0 &&
           p->seen <= rows && p->right >= 0 && p->right <= p->seen && (p->seen > 0) == (p->epoch_step > 0) &&
           p->seconds >= 0 && p->epoch_seconds >= 0 && isfinite(p->loss_sum) && isfinite(p->seconds) &&
           isfinite(p->epoch_seconds) && p->best_epoch >= 0 && p->best_epoch <= p->epochs &&
           (p->restored == 0 || (p->restored == 1 && t->best_weights)) && dt_schedule_is_possible(&p->schedule);
}

dt_status dt_trainer_set_position(dt_trainer *t, const dt_trainer_position *p, dt_error *error)
{
    if (!is_possible(t, p))
        return dt_fail(
            error, DT_INVALID,
            "step %lld (%lld of epoch %lld) is no place where this experiment can stand; use a position that "
            "it had itself",
            (long long)p->step, (long long)p->epoch_step, (long long)p->epochs + 1);
    t->step = p->step;
    t->owes = p->epoch_step == t->info.steps_per_epoch;
    t->run.loss_sum = p->loss_sum;
    t->run.right = p->right;
    t->run.seen = p->seen;
    t->before = p->seconds;
    t->trained = p->epoch_seconds;
    t->best = p->best;
    t->best_epoch = p->best_epoch;
    t->restored = p->restored != 0;
    t->run.schedule = p->schedule;
    return DT_OK;
}

/* --- arrays: the optimizer's, then the best weights --- */

/* The optimizer has how many? */
static int own_states(const dt_trainer *t)
{
    int count = 0;
    while (t->ops->state_name(t->engine, count))
        count++;
    return count;
}

const char *dt_trainer_state_name(const dt_trainer *t, int i)
{
    const char *name = t->ops->state_name(t->engine, i);
    return name ? name : t->best_weights && i == own_states(t) ? "best_weights" : NULL;
}

void dt_trainer_state(const dt_trainer *t, int i, int64_t l, void *W, void *b)
{
    if (t->ops->state_name(t->engine, i)) {
        t->ops->get_state(t->engine, i, l, W, b);
        return;
    }
    char *best_W, *best_b;
    best_at(t, l, &best_W, &best_b);
    memcpy(W, best_W, (size_t)(best_b - best_W));
    memcpy(b, best_b, (size_t)t->units[l] * dt_precision_size(t->experiment->precision));
}

void dt_trainer_set_state(dt_trainer *t, int i, int64_t l, const void *W, const void *b)
{
    if (t->ops->state_name(t->engine, i)) {
        t->ops->set_state(t->engine, i, l, W, b);
        return;
    }
    char *best_W, *best_b;
    best_at(t, l, &best_W, &best_b);
    memcpy(best_W, W, (size_t)(best_b - best_W));
    memcpy(best_b, b, (size_t)t->units[l] * dt_precision_size(t->experiment->precision));
}
