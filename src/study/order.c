#include "study/order.h"

#include <inttypes.h>

#include "base/philox.h"

dt_status dt_design_points(const int64_t *levels, int64_t factors, int64_t *points, dt_error *error)
{
    int64_t product = 1;
    if (factors < 0 || factors > DT_FACTORS_MAX)
        return dt_fail(error, DT_INVALID, "a design of %" PRId64 " factors; at most %d", factors, DT_FACTORS_MAX);
    for (int64_t f = 0; f < factors; f++) {
        if (levels[f] < 1)
            return dt_fail(error, DT_INVALID, "factor %" PRId64 " has no levels; list at least one", f);
        if (levels[f] > DT_DESIGN_MAX / product)
            return dt_fail(error, DT_INVALID, "a design of more than %d points; cross fewer factors or levels",
                           DT_DESIGN_MAX);
        product *= levels[f];
    }
    *points = product;
    return DT_OK;
}

void dt_design_levels(const int64_t *levels, int64_t factors, int64_t point, int64_t *level)
{
    for (int64_t f = factors - 1; f >= 0; f--) {
        level[f] = point % levels[f];
        point /= levels[f];
    }
}

int64_t dt_design_point(const int64_t *levels, int64_t factors, const int64_t *level)
{
    int64_t point = 0;
    for (int64_t f = 0; f < factors; f++)
        point = point * levels[f] + level[f];
    return point;
}

void dt_order_block(uint64_t seed, int64_t block, int64_t points, int64_t *order)
{
    for (int64_t i = 0; i < points; i++)
        order[i] = i;
    for (int64_t i = points - 1; i > 0; i--) {
        const dt_random128 bits = dt_philox(seed, DT_FOR_ORDER, (uint64_t)block, (uint64_t)i);
        const int64_t j = (int64_t)dt_uniform_below(bits.u[0], (uint64_t)i + 1), moved = order[i];
        order[i] = order[j];
        order[j] = moved;
    }
}
