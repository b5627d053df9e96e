/* The sections of a study's page, each in a function; study.c has their table. */
#ifndef DT_REPORT_STUDY_H
#define DT_REPORT_STUDY_H

#include "report/html.h"
#include "report/page.h"
#include "report/report.h"
#include "study/analysis.h"

typedef struct dt_studied_page {
    const dt_report_run *run; /* the folder; `text` is study.yaml */
    const dt_analysis *analysis;
    dt_arena *arena;
} dt_studied_page;

/* A section adds to the page, or nothing where the study hasn't what it is about: then there is no heading either. */
dt_status dt_study_write_measured(const dt_studied_page *s, dt_page *page, dt_error *error); /* study_design.c */
dt_status dt_study_write_answer(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_points(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_batch(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_speedup(const dt_studied_page *s, dt_page *page, dt_error *error); /* study_scaling.c */
dt_status dt_study_write_laws(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_strategies(const dt_studied_page *s, dt_page *page, dt_error *error);  /* study_strategies.c */
dt_status dt_study_write_attribution(const dt_studied_page *s, dt_page *page, dt_error *error); /* study_time.c */
dt_status dt_study_write_roofline(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_model(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_contention(const dt_studied_page *s, dt_page *page, dt_error *error); /* study_basis.c */
dt_status dt_study_write_method(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_provenance(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_again(const dt_studied_page *s, dt_page *page, dt_error *error);
dt_status dt_study_write_files(const dt_studied_page *s, dt_page *page, dt_error *error);

/* --- what sections share: study.c --- */

/* A kind of picture of studies, with a caption; nothing where the study hasn't the numbers for it. */
dt_status dt_study_picture(const dt_studied_page *s, dt_page *page, const char *kind, const char *caption,
                           dt_error *error);

/* "4.05 ms", "–"; returns `text`. */
const char *dt_study_seconds(double value, char text[DT_NUMBER_TEXT]);

/* Cells: seconds with a unit; a value with its interval in brackets, "–" without a value; so many percent. */
void dt_study_cell_seconds(dt_page *page, double value);
void dt_study_cell_interval(dt_page *page, double value, dt_interval interval, int digits);
void dt_study_cell_percent(dt_page *page, int digits, double share);

/* Cells at a row's beginning: a point's series, its number of workers. */
void dt_study_cells_point(dt_page *page, const dt_analysis *analysis, int64_t series, int64_t workers);

/* A paragraph in printf's way, cut at 1023 bytes. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void dt_study_say(dt_page *page, const char *format, ...);

/* A word in a frame; `warning` is coloured. */
void dt_study_label(dt_page *page, const char *word, bool warning);

/* The fastest point of a work that gives the same bits and isn't oversubscribed; -1. */
int64_t dt_study_fastest(const dt_analysis *analysis, int64_t work);

/* The point of most workers among the best of a work that give the same bits and aren't oversubscribed; -1. */
int64_t dt_study_widest(const dt_analysis *analysis, int64_t work);

#endif
