/* Reports: a run, several runs, or a scaling study as one HTML page that needs nothing but itself.
 *
 * The page of a run is a table of sections (run.c), that of a comparison and of a study likewise: to add a section,
 * write its function and a line there. Numbers come from the run's folder; what its YAML and JSON files say, the caller
 * has read (report/facts.h).
 *
 * Threads: one call at a time; a call forks, where it reads a capture or starts gnuplot.
 */
#ifndef DT_REPORT_REPORT_H
#define DT_REPORT_REPORT_H

#include <stddef.h>

#include "deltoid/status.h"
#include "plot/plot.h"
#include "report/facts.h"

/* A run's folder and what its files say; all borrowed. */
typedef struct dt_report_run {
    const char *path;
    const char *text;                /* experiment.yaml as it is */
    dt_facts experiment, provenance; /* without facts where there is no file */
} dt_report_run;

/* Writes the page to `out` under a temporary name first. 1 <= count <= DT_PLOT_RUNS_MAX.
 *
 * DT_NOT_FOUND, DT_INVALID (a study, a sweep), DT_MALFORMED (a run's files), DT_IO, DT_NO_MEMORY, DT_SYSTEM. */
dt_status dt_report_runs(const dt_report_run *runs, size_t count, const char *out, dt_error *error);

/* The same of a scaling study's folder (study/record.h); `text` is study.yaml, `experiment` plays no part. */
dt_status dt_report_study(const dt_report_run *folder, const char *out, dt_error *error);

#endif
