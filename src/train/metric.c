#include "train/metric.h"

#include <math.h>
#include <string.h>

#define FIGURE(name) offsetof(dt_epoch_report, name)

static const dt_metric table[] = {
    {{"validation_loss", "mean C_i", "of the validation rows, after the epoch"},
     FIGURE(validation_loss),
     .validation = true},
    {{"validation_accuracy", "share of right answers", "of the validation rows, after the epoch"},
     FIGURE(validation_accuracy),
     .larger = true,
     .validation = true},
    {{"train_loss", "mean C_i", "of the epoch's own steps, before each update"}, FIGURE(train_loss), .larger = false},
    {{"train_accuracy", "share of right answers", "of the epoch's own steps, before each update"},
     FIGURE(train_accuracy),
     .larger = true},
    {{"test_loss", "mean C_i", "of the test rows, after the epoch; then they no longer test"},
     FIGURE(test_loss),
     .test = true},
    {{"test_accuracy", "share of right answers", "of the test rows, after the epoch; then they no longer test"},
     FIGURE(test_accuracy),
     .larger = true,
     .test = true},
};

const dt_metric *dt_metric_at(size_t i)
{
    return i < sizeof table / sizeof *table ? &table[i] : NULL;
}

const dt_metric *dt_metric_named(const char *name)
{
    const dt_metric *metric;
    if (!name)
        return &table[0];
    for (size_t i = 0; (metric = dt_metric_at(i)); i++)
        if (strcmp(metric->entry.name, name) == 0)
            return metric;
    return NULL;
}

double dt_metric_value(const dt_metric *metric, const dt_epoch_report *report)
{
    double value;
    memcpy(&value, (const char *)report + metric->offset, sizeof value);
    return value;
}

bool dt_metric_better(const dt_metric *metric, double value, double best, double least)
{
    if (isnan(value) || isnan(best))
        return !isnan(value);
    return metric->larger ? value > best + least : value < best - least;
}

static dt_status check(const char *key, const char *name, const dt_trainer_data *data, bool fraction, dt_error *error)
{
    const dt_metric *metric = dt_metric_named(name);
    if (metric && metric->validation && !data->validation && !fraction)
        return dt_fail(error, DT_INVALID, "%s: %s needs validation data; give data.validation, or name train_loss", key,
                       metric->entry.name);
    if (metric && metric->test && !data->test)
        return dt_fail(error, DT_INVALID, "%s: %s needs test data; give data.test, or name train_loss", key,
                       metric->entry.name);
    return DT_OK;
}

dt_status dt_metric_check(const dt_experiment *experiment, const dt_trainer_data *data, dt_error *error)
{
    const dt_early_stopping_spec *stopping = &experiment->early_stopping;
    const bool fraction = experiment->data.validation_fraction > 0;
    dt_status status = DT_OK;
    if (stopping->patience > 0)
        status = check("training.early_stopping.metric", stopping->metric, data, fraction, error);
    if (status == DT_OK && experiment->checkpoint.best)
        status = check("checkpoint.best", experiment->checkpoint.best, data, fraction, error);
    return status;
}
