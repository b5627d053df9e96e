/* The run folders that are drawn: what they are called, and the few facts of their experiment that a picture needs. */
#ifndef DT_PLOT_RUN_H
#define DT_PLOT_RUN_H

#include <stdbool.h>

#include "base/memory.h"
#include "deltoid/status.h"

typedef struct dt_plot_run {
    const char *path;  /* the folder, as it was named by the caller */
    const char *label; /* from outside: may hold anything. Tells the run from the others: the experiment's name where
                          that is enough, else the last parts of the absolute path, as few as are needed */
    bool is_sweep;     /* a folder of deltoid sweep: of many runs */
    const char *loss;  /* the name of the cost, or "" where experiment.yaml doesn't tell */

    const struct dt_analysis *analysis; /* of a study (study/analysis.h); NULL of a run */

    const char *activations[64]; /* names of layers 1 ..; NULL where experiment.yaml doesn't tell */
} dt_plot_run;

/* Looks at the folders; everything lives in the arena. DT_NOT_FOUND where one is no folder, DT_INVALID where one is
 * named twice. */
dt_status dt_plot_runs_open(const char *const *paths, size_t count, dt_arena *arena, dt_plot_run **runs,
                            dt_error *error);

/* RUN/name in the arena; NULL with DT_NO_MEMORY recorded. */
char *dt_plot_run_file(const dt_plot_run *run, const char *name, dt_arena *arena, dt_error *error);

#endif
