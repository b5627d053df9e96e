/* How long a study will take. */
#include <math.h>

#include "base/split.h"
#include "cli/scale_plan.h"
#include "deltoid/machine.h"

/* Shares and seconds that are typical, not measured: for a prediction to plan an afternoon by. */
static const double share_of_peak = 0.6;   /* that a step's products reach, workers of all kinds taken together */
static const double step_overhead = 10e-6; /* barriers, gather */
static const double visit_overhead = 0.3;  /* a process, its threads, looks at where the processors are */

static double step_seconds(const dt_scale_plan *plan, const dt_study_point *p, double peak)
{
    const double team = (double)dt_min(p->workers, plan->study.processors);
    const double rate = share_of_peak * 1e9 * peak * team * (p->precision[5] == '6' ? 0.5 : 1); /* float64 */
    return step_overhead + p->flop_per_sample * (double)p->batch_size / rate;
}

/* Of one visit. */
static void visit_seconds(const dt_scale_plan *plan, size_t point, double peak, double *least, double *most)
{
    const dt_study_point *p = &plan->study.points[point];
    const double step = step_seconds(plan, p, peak), begin = visit_overhead + plan->points[point].load;
    if (plan->metric) {
        const double epoch = step * ceil((double)p->train_rows / (double)p->batch_size);
        *least = begin + epoch;
        *most = begin + epoch * (double)plan->epochs;
        return;
    }
    /* chunks have one step at least, and a chunk's steps are found out by trying */
    *least = *most = begin + step * (double)plan->first_steps + ((double)plan->chunks + 1) * fmax(plan->chunk, step);
}

void dt_scale_expect(const dt_scale_plan *plan, double *least, double *most)
{
    const double peak = dt_machine_peak(DT_FLOAT32);
    *least = *most = 0;
    for (size_t p = 0; p < plan->study.point_count; p++) {
        double low, high;
        visit_seconds(plan, p, peak, &low, &high);
        *least += low * (double)dt_max(1, plan->rule.least);
        *most += high * (double)(plan->metric ? dt_max(1, plan->rule.least) : plan->rule.most);
    }
    *least = fmin(*least, plan->budget);
    *most = fmin(*most, plan->budget);
    *least += 2 * plan->probes;
    *most += 2 * plan->probes;
}
