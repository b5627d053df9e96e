/* Fuzzes the reader of sweeps: whatever is accepted has runs, each with arguments that its experiment takes. */
#define _XOPEN_SOURCE 700 /* mkstemp, mkdtemp */
#include "base/memory.h"
#include "cli/sweep_plan.h"
#include "plans.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dt_arena arena = {0};
    dt_sweep_plan plan;
    dt_error error = {0};
    const dt_status status = dt_sweep_plan_open(&plan, plan_file(data, size), &arena, &error);
    if (status != DT_OK) {
        check_refusal(status, &error);
    } else {
        check(plan.run_count >= 1 && plan.run_count <= DT_SWEEP_RUNS_MAX);
        for (size_t i = 0; i < plan.run_count && i < 64; i++) {
            const char *arguments[DT_SWEEP_KEYS_MAX + 1];
            bool failed;
            const size_t count = dt_sweep_arguments(&plan, &plan.runs[i], arguments, &failed, &arena);
            check(!failed && count <= DT_SWEEP_KEYS_MAX + 1);
            for (size_t k = 0; k < count; k++)
                check(strchr(arguments[k], '=') != NULL);
        }
    }
    dt_arena_clear(&arena);
    return 0;
}
