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

struct dt_team {
    int64_t count;
    int spins; /* 0 with more workers than processors: yield at once */
    _Alignas(DT_CACHE_LINE) atomic_uint_fast32_t arrived;
    _Alignas(DT_CACHE_LINE) atomic_uint_fast32_t phase;
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
    t->count = count;
    t->spins = count <= dt_processors() ? SPINS : 0;
    atomic_init(&t->arrived, 0);
    atomic_init(&t->phase, 0);
    *team = t;
    return DT_OK;
}

void dt_team_destroy(dt_team *team)
{
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

void dt_team_run(dt_team *team, void (*work)(dt_worker *worker, void *context), void *context)
{
    const uint32_t phase = (uint32_t)atomic_load(&team->phase);
#pragma omp parallel default(none) num_threads((int)team->count) shared(team, work, context, phase)
    {
        dt_worker worker = {team, omp_get_thread_num(), team->count, phase};
        const uint64_t before = flush_denormals();
        work(&worker, context);
        restore_denormals(before);
    }
}

void dt_team_run_alone(dt_team *team, void (*work)(dt_worker *worker, void *context), void *context)
{
    dt_worker worker = {team, 0, 1, 0};
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

void dt_worker_barrier(dt_worker *worker)
{
    dt_team *team = worker->team;
    if (worker->count == 1)
        return;
    const uint32_t next = ++worker->phase;
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 == (uint_fast32_t)worker->count) {
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&team->phase, next, memory_order_release);
        return;
    }
    for (int spin = 0; (uint32_t)atomic_load_explicit(&team->phase, memory_order_acquire) != next; spin++) {
        if (spin < team->spins)
            pause_a_moment();
        else
            sched_yield();
    }
}
