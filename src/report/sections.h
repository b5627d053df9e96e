/* The sections of a run's page, each in a function. To add one: write it, and a line in run.c's table. */
#ifndef DT_REPORT_SECTIONS_H
#define DT_REPORT_SECTIONS_H

#include <stdbool.h>

#include "base/memory.h"
#include "plot/run.h"
#include "plot/sheet.h"
#include "report/page.h"
#include "report/report.h"

/* Columns of metrics.tsv, as the report reads them. */
enum {
    DT_METRIC_EPOCH,
    DT_METRIC_STEP,
    DT_METRIC_SECONDS,
    DT_METRIC_FIRST, /* train_loss, train_accuracy, then of validation, then of test */
    DT_METRIC_RATE = DT_METRIC_FIRST + 6,
    DT_METRIC_COLUMNS = DT_METRIC_RATE + 1
};
extern const char *const dt_metric_columns[DT_METRIC_COLUMNS];

typedef struct dt_reported {
    const dt_report_run *run;
    const char *name;       /* tells it from the others; from outside */
    dt_sheet_block metrics; /* no rows where there are none */
    dt_arena *arena;
} dt_reported;

/* Element of the last row with a finite one; NAN where there is none. */
double dt_reported_last(const dt_reported *r, int column);

/* Reads metrics.tsv; a run without one has no rows. */
dt_status dt_reported_open(dt_reported *r, const dt_report_run *run, dt_arena *arena, dt_error *error);

typedef struct dt_report_section {
    const char *heading;
    /* Adds to the page, or nothing where the run hasn't what it is about: then there is no heading either. */
    dt_status (*write)(const dt_reported *r, dt_page *page, dt_error *error);
    bool shared; /* also of each run of several on one page */
} dt_report_section;

/* NULL past the last. */
const dt_report_section *dt_report_section_at(size_t i);

/* A page's section or, in a page of several runs, a heading in the run's section; nothing where nothing was written. */
dt_status dt_report_section_add(const dt_report_section *section, const dt_reported *r, bool within, dt_page *page,
                                dt_error *error);

dt_status dt_section_profile(const dt_reported *r, dt_page *page, dt_error *error);    /* profile.c */
dt_status dt_section_capture(const dt_reported *r, dt_page *page, dt_error *error);    /* captured.c */
dt_status dt_section_provenance(const dt_reported *r, dt_page *page, dt_error *error); /* provenance.c */
dt_status dt_section_again(const dt_reported *r, dt_page *page, dt_error *error);
dt_status dt_section_experiment(const dt_reported *r, dt_page *page, dt_error *error);

/* Provenance that runs and studies have in common: build, machine. */
void dt_report_environment(const dt_facts *provenance, dt_page *page);

/* That of a study alone: when, in which order, by which clock; SHA-256 of its experiments and their data. */
void dt_report_measuring(const dt_facts *provenance, dt_page *page);

#endif
