/* Schedules: the learning rate of an epoch. To add one, write its function and one line in the table in schedule.c. */
#ifndef DT_TRAIN_SCHEDULE_H
#define DT_TRAIN_SCHEDULE_H

#include <stdint.h>

#include "deltoid/experiment.h"
#include "deltoid/tables.h"

typedef struct dt_schedule {
    dt_entry entry;
    /* What the learning rate is multiplied by in `epoch`, from 0. */
    double (*factor)(const dt_schedule_spec *spec, int64_t epoch);
} dt_schedule;

const dt_schedule *dt_schedule_at(size_t i); /* NULL past the last */

double dt_learning_rate(const dt_experiment *experiment, int64_t epoch);

#endif
