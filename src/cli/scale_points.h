/* The points of a study's design: each with its experiment made and its data looked at. */
#ifndef DT_CLI_SCALE_POINTS_H
#define DT_CLI_SCALE_POINTS_H

#include "cli/scale_plan.h"

/* Fills plan->points and plan->study.points from the factors and workloads. Errors name the point. */
dt_status dt_scale_points_make(dt_scale_plan *plan, dt_arena *arena, dt_error *error);

/* Processors that this process may use. */
int64_t dt_scale_processors(void);

/* Whether a strategy of that name promises the same bits. */
bool dt_reduction_is_deterministic(const char *name);

/* A point's levels, "threads=2 reduction=tree". */
void dt_scale_point_text(const dt_scale_plan *plan, size_t point, char *text, size_t size);

/* What its process finds in the environment beside ours: "NAME=VALUE", NULL-terminated, at most 4. In the arena; false
 * when memory is out. */
bool dt_scale_environment(const dt_scale_point *point, const char *more[5], dt_arena *arena);

#endif
