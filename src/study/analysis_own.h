/* The parts of an analysis, each a file: in this order, as each looks at what the ones before found. */
#ifndef DT_STUDY_ANALYSIS_OWN_H
#define DT_STUDY_ANALYSIS_OWN_H

#include <string.h>

#include "study/analysis.h"
#include "study/places.h"

typedef struct dt_analysing {
    const dt_study *study;
    dt_arena *arena;
    dt_analysis *analysis;
    dt_error *error;
} dt_analysing;

/* Zeroed, from the arena; DT_NO_MEMORY is recorded. */
void *dt_analysing_allocate(dt_analysing *a, int64_t count, size_t size);

dt_status dt_analyse_points(dt_analysing *a);  /* analysis_points.c: samples, series, works, hashes */
dt_status dt_analyse_scaling(dt_analysing *a); /* analysis_scaling.c: speed-ups, fits, the cost of determinism */
dt_status dt_analyse_phases(dt_analysing *a);  /* analysis_phases.c: attribution, ceilings, roofline */
dt_status dt_analyse_model(dt_analysing *a);   /* analysis_model.c: predictions and their error, lines between cores */
dt_status dt_analyse_limits(dt_analysing *a);  /* analysis_phases.c: what limits each point */

/* "0.94 [0.93, 0.95]" of so many decimals; without an interval the value alone, without a value `missing`. */
const char *dt_analysis_ranged(double value, dt_interval interval, int decimals, const char *missing, char text[48]);

/* Sets the points' place and elsewhere. */
dt_status dt_analyse_places(dt_analysing *a);

/* A visit counts where it ended well, nothing disturbed it, and its processors lay as in the visits it is compared
 * with.
 */
static inline bool dt_visit_failed(const dt_study_visit *visit)
{
    return strcmp(visit->state, "ok") != 0;
}

static inline bool dt_visit_elsewhere(const dt_analysis *a, const dt_study_visit *visit)
{
    return !dt_visit_failed(visit) && !visit->flagged &&
           dt_place_differs(a->points[visit->point].place, visit->place_before);
}

/* By its number, or NULL. */
static inline const dt_study_visit *dt_study_visit_find(const dt_study *study, int64_t number)
{
    for (size_t i = 0; i < study->visit_count; i++)
        if (study->visits[i].visit == number)
            return &study->visits[i];
    return NULL;
}

/* Whether two points have the same value of every factor but those for which `differ` says that it may. */
bool dt_points_agree(const dt_study *study, int64_t one, int64_t other, bool (*may_differ)(const char *factor));

/* A phase's rows of one point, over its visits that count. */
dt_status dt_point_profile(dt_analysing *a, int64_t point, dt_profile_row **rows, size_t *count);

#endif
