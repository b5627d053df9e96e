/* The sections of a study's page, each in a function; study.c has their table. */
#ifndef DT_REPORT_STUDY_H
#define DT_REPORT_STUDY_H

#include "report/page.h"
#include "report/report.h"
#include "study/analysis.h"

typedef struct dt_studied_page {
    const dt_report_run *run; /* the folder; `text` is study.yaml */
    const dt_analysis *analysis;
    dt_arena *arena;
} dt_studied_page;

dt_status dt_study_write_attribution(const dt_studied_page *s, dt_page *page, dt_error *error); /* study_time.c */
dt_status dt_study_write_roofline(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_model(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_contention(const dt_studied_page *s, dt_page *page, dt_error *error); /* study_basis.c */
dt_status dt_study_write_method(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_provenance(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_again(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_files(const dt_studied_page *s, dt_page *page, dt_error *error);

/* Cells: seconds with a unit; a value with its interval in brackets; what a point has to be marked with. */
void dt_study_cell_seconds(dt_page *page, double value);
void dt_study_cell_interval(dt_page *page, double value, dt_interval interval, int digits);
void dt_study_label(dt_page *page, const dt_analysis_point *point);

#endif
