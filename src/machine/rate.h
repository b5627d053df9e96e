/* Timing: several short runs of one piece of work on a team, and what they say together. */
#ifndef DT_MACHINE_RATE_H
#define DT_MACHINE_RATE_H

#include <stdint.h>

#include "deltoid/machine.h"
#include "parallel/team.h"

/* Seconds since some moment. */
double dt_rate_now(void);

/* Worker `worker`'s part, `times` times over (at least 1). Returns how much it did: operations, bytes, barriers. */
typedef double (*dt_rate_work)(dt_worker *worker, int64_t times, void *context);

/* How long and how often. */
typedef struct dt_rate_plan {
    double seconds; /* of one run, about; where the work once takes much longer, there are fewer runs */
    int64_t runs;   /* 1 .. DT_RUNS_MAX */
} dt_rate_plan;

enum { DT_RUNS_MAX = 32 };

/* The work's rate a second, summed over the team's workers, from when all are ready until all are done. Allocates
 * nothing. */
dt_reading dt_rate_of(dt_team *team, dt_rate_work work, void *context, dt_rate_plan plan);

/* The same as a time: nanoseconds for one of what worker 0's work returns. */
dt_reading dt_rate_ns_of(dt_team *team, dt_rate_work work, void *context, dt_rate_plan plan);

/* Of values (n >= 1), which are sorted; best is the largest, or the least. */
dt_reading dt_reading_of(double *values, int64_t n, bool least);

#endif
