/* A sweep's folder, read: its keys, its settings with the mean and the 95 % interval over seeds, and its runs, as
 * deltoid sweep leaves them in points.tsv and summary.tsv.
 */
#ifndef DT_PLOT_SWEPT_H
#define DT_PLOT_SWEPT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "plot/run.h"

/* A part's loss, then its accuracy, of training, validation and test: what the columns of tables are called. */
typedef enum dt_swept_part { DT_SWEPT_TRAIN, DT_SWEPT_VALIDATION, DT_SWEPT_TEST, DT_SWEPT_PARTS } dt_swept_part;
enum { DT_SWEPT_FIGURES = 2 * DT_SWEPT_PARTS };
extern const char *const dt_swept_figures[DT_SWEPT_FIGURES], *const dt_swept_part_names[DT_SWEPT_PARTS];

/* A swept key. Its values are places on an axis: themselves where all are numbers, else 1, 2, ... in the order in which
 * they first stand in the table. */
typedef struct dt_swept_key {
    const char *name;  /* the whole path; from outside, as all text here */
    const char *label; /* as much of its end as tells it from the others: "learning_rate" */
    bool numeric, logarithmic;
    size_t distinct;    /* values */
    const char **texts; /* (distinct), ascending by place */
    double *places;     /* (distinct) */
} dt_swept_key;

typedef struct dt_swept_setting {
    const char **values;                                   /* (key_count), without quotes */
    double *places;                                        /* (key_count) */
    size_t runs;                                           /* complete ones, over which the means are */
    double mean[DT_SWEPT_FIGURES], half[DT_SWEPT_FIGURES]; /* NaN: not known */
} dt_swept_setting;

typedef struct dt_swept_run {
    const char *name; /* its folder below runs/ */
    size_t setting;
    bool complete;
} dt_swept_run;

typedef struct dt_swept {
    dt_swept_key *keys;
    size_t key_count;
    dt_swept_setting *settings;
    size_t setting_count;
    dt_swept_run *runs; /* setting by setting */
    size_t run_count;
} dt_swept;

/* Everything lives in the arena. DT_NOT_FOUND where the folder has no tables of a sweep, or none of its runs is
 * complete; DT_MALFORMED with FILE:LINE. */
dt_status dt_swept_read(dt_swept *swept, const dt_plot_run *folder, dt_arena *arena, dt_error *error);

/* The part that settings are compared by: test, or validation, or training, the first that complete runs have. */
dt_swept_part dt_swept_compared(const dt_swept *swept);

/* The index of a part's loss among the figures; its accuracy follows. */
static inline int dt_swept_loss(dt_swept_part part)
{
    return 2 * (int)part;
}

/* The figure that says which of two settings is better: the part's accuracy, where there is one, else its loss; and
 * whether the first is. */
int dt_swept_judged(const dt_swept *swept, dt_swept_part part);
bool dt_swept_better(const dt_swept *swept, size_t first, size_t second, int judged);

/* "learning_rate=0.1, units=64"; "all runs" where nothing but seeds is swept. Without key `but`, SIZE_MAX: with all. */
void dt_swept_add_label(const dt_swept *swept, size_t setting, size_t but, dt_buffer *out);

#endif
