/* What pictures of studies share: the analysis, names, places on axes. */
#ifndef DT_PLOT_STUDIED_H
#define DT_PLOT_STUDIED_H

#include "plot/chart.h"
#include "study/analysis.h"

typedef struct dt_studied {
    const dt_study *study;
    const dt_analysis *analysis;
    dt_arena *arena;
    dt_picture *picture;
    dt_chart *chart;
    dt_status status; /* the first failure of adding */
} dt_studied;

/* Begins a chart of a study, which has been analysed (plot.c). `title` is the sheet's, `what` the heading's. */
dt_status dt_studied_open(dt_studied *s, dt_picture *picture, const dt_plot_run *folder, const dt_plot_options *options,
                          const char *title, const char *what, dt_arena *arena, dt_error *error);

/* A series' name in a key, which says so where it isn't reproducible. */
void dt_studied_name(const dt_studied *s, int64_t series, char name[DT_CHART_TEXT]);

/* The same with a star where it isn't reproducible, for a tic. */
void dt_studied_short(const dt_studied *s, int64_t series, char name[DT_CHART_TEXT]);

/* A work's name as a panel's title: with "same answer at every T" where hashes say so. "" of a single work. */
void dt_studied_title(const dt_studied *s, int64_t work, char title[DT_CHART_TEXT]);

/* A series' colour: its rank among those of its work. */
int dt_studied_rank(const dt_studied *s, int64_t series);

/* Tics of the x axis at the numbers of workers that were measured, and at powers of 2 to `most`. */
void dt_studied_worker_tics(dt_studied *s, int64_t work, double most);

/* The largest number of workers of a work's points, oversubscribed or not. */
double dt_studied_most(const dt_studied *s, int64_t work);

/* DT_NOT_FOUND with these words where the chart is empty, else the first failure or DT_OK. */
dt_status dt_studied_done(const dt_studied *s, const dt_plot_run *folder, const char *lacks, dt_error *error);

#endif
