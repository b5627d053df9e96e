/* deltoid train --profile: where a run's time went, as a table, as JSON and as profile.tsv; and what the machine can do
 * at most, by which a table is read.
 */
#ifndef DT_CLI_PROFILE_H
#define DT_CLI_PROFILE_H

#include "cli/text.h"
#include "deltoid/trainer.h"

typedef struct dt_profiling {
    const dt_trainer *trainer; /* NULL: nothing is profiled */
    int64_t workers;
    double peak;        /* GFLOP/s of all workers' cores */
    double read, triad; /* GB/s of all workers; NAN where they could not be measured */
} dt_profiling;

/* Measures the machine, which takes a fourth of a second, and profiles all steps to come. DT_NO_MEMORY. The trainer is
 * borrowed. */
dt_status dt_profiling_start(dt_profiling *profiling, dt_trainer *trainer, dt_error *error);

/* Tables for people: by phase and layer, and by worker. Nothing where no step was done. */
void dt_profiling_add_text(const dt_profiling *profiling, dt_text *text);

/* One JSON object. */
void dt_profiling_add_json(const dt_profiling *profiling, dt_text *text);

/* A header line, then a row for each worker, phase and layer. */
dt_status dt_profiling_write(const dt_profiling *profiling, const char *path, dt_error *error);

#endif
