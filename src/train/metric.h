/* Metrics: the figures of an epoch by which one epoch is better than another, for early stopping and the best
 * checkpoint. To add one, add a line to the table in metric.c.
 */
#ifndef DT_TRAIN_METRIC_H
#define DT_TRAIN_METRIC_H

#include <stdbool.h>
#include <stddef.h>

#include "deltoid/observer.h"
#include "deltoid/tables.h"
#include "deltoid/trainer.h"

typedef struct dt_metric {
    dt_entry entry;
    size_t offset;         /* of the double in dt_epoch_report */
    bool larger;           /* is better; else smaller */
    bool validation, test; /* needs that data set */
} dt_metric;

const dt_metric *dt_metric_at(size_t i);            /* NULL past the last */
const dt_metric *dt_metric_named(const char *name); /* NULL: the first; none of that name gives NULL */

double dt_metric_value(const dt_metric *metric, const dt_epoch_report *report);

/* Is `value` better than `best` by more than `least`? A number is better than NaN (no epoch yet); NaN is never better.
 */
bool dt_metric_better(const dt_metric *metric, double value, double best, double least);

/* DT_INVALID with the key's path where a metric that the experiment names needs data that there isn't. */
dt_status dt_metric_check(const dt_experiment *experiment, const dt_trainer_data *data, dt_error *error);

#endif
