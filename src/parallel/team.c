#define _GNU_SOURCE
#include "parallel/team.h"

#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/memory.h"

enum { SPINS = 4000, WORKERS_MAX = 1024 };

typedef struct barrier {
    _Alignas(DT_CACHE_LINE) atomic_uint_fast32_t arrived;
    _Alignas(DT_CACHE_LINE) atomic_uint_fast32_t phase;
} barrier;

struct dt_team {
    int64_t count, groups;
    int spins; /* 0 with more workers than processors: yield at once */
    barrier all;
    barrier *group; /* [groups]; NULL: each worker is one */
};

int64_t dt_processors(void)
{
    return omp_get_num_procs();
}

/* How many threads OpenMP really gives when asked for `wanted`. */
static int64_t given(int64_t wanted)
{
    int64_t count = 1;
#pragma omp parallel default(none) num_threads((int)wanted) shared(count)
    {
#pragma omp single
        count = omp_get_num_threads();
    }
    return count;
}

dt_status dt_team_create(dt_team **team, int64_t workers, dt_error *error)
{
    *team = NULL;
    if (workers < 0 || workers > WORKERS_MAX)
        return dt_fail(error, DT_INVALID, "parallel.threads: must be 1 to %d, not %lld", WORKERS_MAX,
                       (long long)workers);
    const int64_t wanted = workers ? workers : dt_processors();
    omp_set_dynamic(0);
    const int64_t count = given(wanted);
    if (count < wanted && workers)
        return dt_fail(error, DT_SYSTEM,
                       "OpenMP gives %lld of %lld threads; raise OMP_THREAD_LIMIT or set parallel.threads=%lld",
                       (long long)count, (long long)wanted, (long long)count);
    dt_team *t = dt_allocate_zeroed(1, sizeof *t);
    if (!t)
        return dt_fail_memory(error, "the team of workers");
    t->count = t->groups = count;
    t->spins = count <= dt_processors() ? SPINS : 0;
    atomic_init(&t->all.arrived, 0);
    atomic_init(&t->all.phase, 0);
    *team = t;
    return DT_OK;
}

dt_status dt_team_divide(dt_team *team, int64_t groups, dt_error *error)
{
    barrier *group = NULL;
    if (groups < 1 || groups > team->count)
        return dt_fail(error, DT_INVALID, "parallel.groups: must be 1 to %lld, the workers, not %lld",
                       (long long)team->count, (long long)groups);
    if (groups < team->count && !(group = dt_allocate_zeroed((size_t)groups, sizeof *group)))
        return dt_fail_memory(error, "the team's groups");
    for (int64_t g = 0; group && g < groups; g++) {
        atomic_init(&group[g].arrived, 0);
        atomic_init(&group[g].phase, 0);
    }
    dt_release(team->group);
    team->group = group;
    team->groups = groups;
    return DT_OK;
}

void dt_team_destroy(dt_team *team)
{
    if (team)
        dt_release(team->group);
    dt_release(team);
}

int64_t dt_team_count(const dt_team *team)
{
    return team->count;
}

#if defined(__x86_64__)
enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };

static uint64_t flush_denormals(void)
{
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
    return before;
}

static void restore_denormals(uint64_t before)
{
    _mm_setcsr((unsigned)before);
}
#elif defined(__aarch64__)
static uint64_t flush_denormals(void)
{
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | 1u << 24));
    return before;
}

static void restore_denormals(uint64_t before)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
}
#else
static uint64_t flush_denormals(void)
{
    return 0;
}

static void restore_denormals(uint64_t before)
{
    (void)before;
}
#endif

/* Barriers go on where the last run's ended: no phase changes before this worker, too, has come to it. */
static dt_worker worker_of(dt_team *team, int64_t index)
{
    const int64_t group = dt_split_part(team->count, team->groups, index);
    const dt_span members = dt_split(team->count, team->groups, group);
    return (dt_worker){
        .team = team,
        .index = index,
        .count = team->count,
        .phase = (uint32_t)atomic_load(&team->all.phase),
        .group = group,
        .groups = team->groups,
        .member = index - members.first,
        .members = dt_span_count(members),
        .group_phase = team->group ? (uint32_t)atomic_load(&team->group[group].phase) : 0,
    };
}

void dt_team_run(dt_team *team, void (*work)(dt_worker *worker, void *context), void *context)
{
#pragma omp parallel default(none) num_threads((int)team->count) shared(team, work, context)
    {
        dt_worker worker = worker_of(team, omp_get_thread_num());
        const uint64_t before = flush_denormals();
        work(&worker, context);
        restore_denormals(before);
    }
}

void dt_team_run_alone(dt_team *team, void (*work)(dt_worker *worker, void *context), void *context)
{
    dt_worker worker = {.team = team, .count = 1, .groups = 1, .members = 1};
    const uint64_t before = flush_denormals();
    work(&worker, context);
    restore_denormals(before);
}

static void pause_a_moment(void)
{
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The last of `count` to arrive lets all go on. */
static void meet(barrier *b, int64_t count, uint32_t next, int spins)
{
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) + 1 == (uint_fast32_t)count) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&b->phase, next, memory_order_release);
        return;
    }
    for (int spin = 0; (uint32_t)atomic_load_explicit(&b->phase, memory_order_acquire) != next; spin++) {
        if (spin < spins)
            pause_a_moment();
        else
            sched_yield();
    }
}

void dt_worker_barrier(dt_worker *worker)
{
    if (worker->count > 1)
        meet(&worker->team->all, worker->count, ++worker->phase, worker->team->spins);
}

void dt_group_barrier(dt_worker *worker)
{
    if (worker->members > 1)
        meet(&worker->team->group[worker->group], worker->members, ++worker->group_phase, worker->team->spins);
}
