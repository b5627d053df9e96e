/* A sweep's file, and the runs that follow from it.
 *
 *     experiment: experiment.yaml          # relative to the sweep's file
 *     name: rates                          # default: the file's name
 *     grid:                                # every combination of
 *       optimizer.learning_rate: [0.03, 0.1, 0.3]
 *       network.0.units: [64, 256]
 *     together:                            # for each of these, the first values of all keys, the second, ...
 *       data.train.file: [train01.csv, train02.csv]   # files are relative to the sweep's file
 *       data.test.file: [test01.csv, test02.csv]
 *     random:                              # beside or in place of them: for each setting, this many draws
 *       trials: 20
 *       seed: 1
 *       keys:
 *         training.batch_size: {low: 16, high: 512, scale: log, integer: true}
 *         network.0.activation: [relu, tanh]
 *     seeds: [1, 2, 3]                     # default: the experiment's own
 *     parallel: {runs: 2, threads: 1}      # side by side, each on processors of its own; threads: auto shares them out
 */
#ifndef DT_CLI_SWEEP_PLAN_H
#define DT_CLI_SWEEP_PLAN_H

#include <stdint.h>

#include "cli/sweep_values.h"

enum { DT_SWEEP_KEYS_MAX = 32, DT_SWEEP_RUNS_MAX = 100000 };

/* One setting of the swept keys. */
typedef struct dt_sweep_point {
    dt_sweep_value *values; /* (key_count) */
} dt_sweep_point;

typedef struct dt_sweep_run {
    size_t point;
    uint64_t seed;
    bool has_seed;
    char name[32]; /* "p0003-s2" */
} dt_sweep_run;

typedef struct dt_sweep_plan {
    const char *name, *experiment; /* the latter absolute */
    const char *keys[DT_SWEEP_KEYS_MAX];
    size_t key_count;
    dt_sweep_point *points;
    size_t point_count;
    dt_sweep_run *runs; /* point by point, seed by seed */
    size_t run_count;
    int64_t side_by_side, threads; /* threads 0: shared out */
    char hash[13];                 /* of the sweep's text and the experiment's */
} dt_sweep_plan;

/* Reads the file, makes every run's experiment and so finds what is wrong with any of them. All in the arena. Errors
 * with FILE:LINE:COLUMN, or with the run whose experiment can't be. */
dt_status dt_sweep_plan_open(dt_sweep_plan *plan, const char *file, dt_arena *arena, dt_error *error);

/* The arguments "key=value" of a run, its seed's among them, in the arena; `arguments` has room for
 * DT_SWEEP_KEYS_MAX + 1. Returns how many; 0 with *failed where memory is out. */
size_t dt_sweep_arguments(const dt_sweep_plan *plan, const dt_sweep_run *run, const char **arguments, bool *failed,
                          dt_arena *arena);

#endif
