/* What is measured, and in which order: a study's design. Rules 9 and 10 (study/rules.h): all factors and their levels
 * are one list, and the order is a function of the seed, so that both can be written down and repeated.
 *
 * A design crosses its factors. It is measured in blocks: each block visits every point once, in an order of its own.
 * So a slow minute of the machine meets all points alike, and drift doesn't look like a factor's effect (Fisher's
 * randomised complete blocks). Pure functions; nothing allocates.
 *
 *     levels = {3, 2}:   point 0 = (0, 0), 1 = (0, 1), 2 = (1, 0), ... 5 = (2, 1); the last factor changes fastest
 */
#ifndef DT_STUDY_ORDER_H
#define DT_STUDY_ORDER_H

#include <stdint.h>

#include "deltoid/status.h"

enum { DT_FACTORS_MAX = 32, DT_DESIGN_MAX = 100000 };

/* *points: the product of levels[0 .. factors-1], 1 without factors. DT_INVALID: too many factors or points, a factor
 * without levels; the message says which. */
dt_status dt_design_points(const int64_t *levels, int64_t factors, int64_t *points, dt_error *error);

/* level[f] of point `point`, 0 <= level[f] < levels[f]. */
void dt_design_levels(const int64_t *levels, int64_t factors, int64_t point, int64_t *level);

/* The point that has these levels. */
int64_t dt_design_point(const int64_t *levels, int64_t factors, const int64_t *level);

/* order[0 .. points-1]: a uniformly random permutation of 0 .. points-1 for this block (Durstenfeld's shuffle), block <
 * 2^32. */
void dt_order_block(uint64_t seed, int64_t block, int64_t points, int64_t *order);

#endif
