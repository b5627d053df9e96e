/* The team of workers: OpenMP threads that live through many steps, and the barriers between a step's phases: of all
 * workers, and of those of one group. `#pragma omp` lives in this room alone.
 */
#ifndef DT_PARALLEL_TEAM_H
#define DT_PARALLEL_TEAM_H

#include <stdint.h>

#include "base/split.h"
#include "deltoid/status.h"

typedef struct dt_team dt_team;

/* One worker of the running team, borrowed until its function returns. */
typedef struct dt_worker {
    dt_team *team;
    int64_t index, count; /* worker index of count */
    uint32_t phase;       /* of the barrier: this worker's own */

    int64_t group, groups;   /* its group, of groups: contiguous, dt_split(count, groups, group) */
    int64_t member, members; /* its place in it */
    uint32_t group_phase;    /* of the group's barrier */
} dt_worker;

/* A team of `workers` (1 .. 1024), or of the processors this process may use when it is 0. DT_SYSTEM where OpenMP gives
 * fewer. */
dt_status dt_team_create(dt_team **team, int64_t workers, dt_error *error);
void dt_team_destroy(dt_team *team);

/* Divides the team into 1 .. count groups. Until then each worker is a group of its own. Not while it runs. */
dt_status dt_team_divide(dt_team *team, int64_t groups, dt_error *error);
int64_t dt_team_count(const dt_team *team);

/* Processors this process may use. */
int64_t dt_processors(void);

/* Runs work(worker, context) on every worker and returns when all have. On each, denormal numbers are flushed to zero
 * (FTZ, DAZ) while it runs, the same everywhere; the caller's setting is put back. */
void dt_team_run(dt_team *team, void (*work)(dt_worker *worker, void *context), void *context);

/* The same on the calling thread alone, as worker 0 of 1. */
void dt_team_run_alone(dt_team *team, void (*work)(dt_worker *worker, void *context), void *context);

/* Waits until all workers of the team are here. Spins a while, then yields the processor: with more workers than
 * processors it still makes progress. */
void dt_worker_barrier(dt_worker *worker);

/* The same for the workers of this one's group; nothing where it is alone in it. */
void dt_group_barrier(dt_worker *worker);

/* Of panels, rows, shards, ... 0 .. n-1 that a group shares out among its members, those of this one. */
static inline dt_span dt_member_part(const dt_worker *worker, int64_t n)
{
    return dt_split(n, worker->members, worker->member);
}

#endif
