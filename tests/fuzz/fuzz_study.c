/* Fuzzes the reader of scaling studies: whatever is accepted has points, and they take a time. */
#define _XOPEN_SOURCE 700 /* mkstemp, mkdtemp */
#include "base/memory.h"
#include "cli/scale_plan.h"
#include "plans.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dt_arena arena = {0};
    static dt_scale_plan plan;
    dt_error error = {0};
    const dt_status status = dt_scale_plan_open(&plan, plan_file(data, size), &arena, &error);
    if (status != DT_OK) {
        check_refusal(status, &error);
    } else {
        double least, most;
        check(plan.study.point_count >= 1 && (size_t)plan.study.point_count <= DT_SCALE_POINTS_MAX);
        dt_scale_expect(&plan, &least, &most);
        check(least >= 0 && least <= most);
    }
    dt_arena_clear(&arena);
    return 0;
}
