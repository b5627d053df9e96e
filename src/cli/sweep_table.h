/* What a sweep's runs gave: summary.tsv, a row a run, and points.tsv, mean and interval over seeds. */
#ifndef DT_CLI_SWEEP_TABLE_H
#define DT_CLI_SWEEP_TABLE_H

#include "cli/sweep_plan.h"

/* How far a run is, from what its folder holds. */
typedef enum dt_sweep_state { DT_SWEEP_WAITING, DT_SWEEP_BEGUN, DT_SWEEP_COMPLETE, DT_SWEEP_FAILED } dt_sweep_state;

enum { DT_SWEEP_FIGURES = 8 };

/* metrics.tsv's last row (NaN where there is none), and what provenance.json says. */
typedef struct dt_sweep_result {
    dt_sweep_state state;
    double figures[DT_SWEEP_FIGURES];
    char weights[65];
} dt_sweep_result;

/* Looks at the folder of a run. A run that failed is only known to the process that started it. */
dt_status dt_sweep_look(dt_sweep_result *result, const char *folder, dt_error *error);

/* Writes FOLDER/summary.tsv and FOLDER/points.tsv whole, or leaves them as they are. */
dt_status dt_sweep_write(const dt_sweep_plan *plan, const dt_sweep_result *results, const char *folder,
                         dt_error *error);

#endif
