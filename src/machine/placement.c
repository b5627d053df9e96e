/* Where two processors are: two threads, each pinned to one of them, first pass a cache line to and fro, then compute,
 * one alone and both together. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "deltoid/machine.h"
#include "machine/processors.h"
#include "machine/rate.h"
#include "machine/work.h"

enum {
    TRIPS = 50,        /* round trips of a batch; the shortest batch counts */
    BATCHES_LEAST = 8, /* batches, though other load makes them long */
    BATCHES_MOST = 400,
    SLICES = 24,      /* of computing, each timed */
    SLICES_LEAST = 8, /* though other load makes them take long */
    SPINS = 2000      /* of waiting, before the processor is given away */
};

static const double ping_seconds = 2e-3, slice_seconds = 1e-4, slices_seconds = 8e-3;

/* Below this share of a lone core's rate, two processors share one core's units. */
static const double shared_units = 0.7;

static const char *const names[DT_PLACES] = {
    [DT_PLACE_ONE_CORE] = "one core",
    [DT_PLACE_NEAR] = "near",
    [DT_PLACE_HYPERTHREADS] = "hyperthreads",
    [DT_PLACE_FAR] = "far",
};

const char *dt_place_name(dt_place place)
{
    return names[place];
}

typedef struct probe {
    _Alignas(DT_CACHE_LINE) atomic_int line; /* the one that is passed; LAST ends it */
    _Alignas(DT_CACHE_LINE)
        atomic_int arrived;                  /* threads at the meetings so far; ABANDONED: there is no other thread */
    _Alignas(DT_CACHE_LINE) atomic_int done; /* threads that have computed their slices */
    sem_t awake;                             /* the second sleeps while the first computes alone */
    double ns, alone, both[2];
} probe;

enum { LAST = -1, ABANDONED = -1000 };

/* Waits by spinning; gives the processor away now and then, for the other thread may want this very one. */
static void wait_a_moment(int *spin)
{
    if (++*spin % SPINS == 0)
        sched_yield();
}

/* Both threads are at their `meeting`-th meeting (from 1), or false. */
static bool meet(probe *p, int meeting)
{
    atomic_fetch_add(&p->arrived, 1);
    int arrived;
    for (int spin = 0; (arrived = atomic_load(&p->arrived)) >= 0 && arrived < 2 * meeting;)
        wait_a_moment(&spin);
    return arrived >= 0;
}

static void send_and_wait(probe *p, int value, int answer)
{
    atomic_store_explicit(&p->line, value, memory_order_release);
    for (int spin = 0; atomic_load_explicit(&p->line, memory_order_acquire) != answer;)
        wait_a_moment(&spin);
}

static void ping(probe *p)
{
    const double start = dt_rate_now();
    double now = start, least = INFINITY;
    for (int batch = 0; batch < BATCHES_MOST && (batch < BATCHES_LEAST || now - start < ping_seconds); batch++) {
        for (int i = 0; i < TRIPS; i++)
            send_and_wait(p, 2 * i + 1, 2 * i + 2);
        const double then = now;
        now = dt_rate_now();
        least = fmin(least, now - then);
    }
    atomic_store(&p->line, LAST);
    p->ns = least / (2 * TRIPS) * 1e9;
}

static void pong(probe *p)
{
    for (;;) {
        int value;
        for (int spin = 0; (value = atomic_load_explicit(&p->line, memory_order_acquire)) % 2 == 0;)
            wait_a_moment(&spin);
        if (value == LAST)
            return;
        atomic_store_explicit(&p->line, value + 1, memory_order_release);
    }
}

/* Seconds that this thread has had a processor. */
static double own_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* GFLOP/s in a second of the thread's own time. */
static double rate_of(int64_t turns)
{
    const double start = own_time(), flop = dt_work_of(DT_FLOAT32)->fma(turns);
    return flop / fmax(own_time() - start, 1e-9) * 1e-9;
}

/* Turns of a slice. */
static int64_t slice_turns(void)
{
    enum { TRIAL = 512 };
    double least = INFINITY;
    for (int i = 0; i < 3; i++) {
        const double start = own_time();
        (void)dt_work_of(DT_FLOAT32)->fma(TRIAL);
        least = fmin(least, fmax(own_time() - start, 1e-8));
    }
    return (int64_t)fmax(TRIAL, TRIAL * slice_seconds / least);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Rates of up to SLICES slices, sorted. Returns how many. */
static int slices(int64_t turns, double rates[SLICES])
{
    const double start = dt_rate_now();
    int count = 0;
    while (count < SLICES_LEAST || (count < SLICES && dt_rate_now() - start < slices_seconds))
        rates[count++] = rate_of(turns);
    qsort(rates, (size_t)count, sizeof *rates, ascending);
    return count;
}

/* The best slice: of a core that nobody disturbs. */
static double compute_alone(int64_t turns)
{
    double rates[SLICES];
    return rates[slices(turns, rates) - 1];
}

/* The lower quartile, because where other threads run the two compute at one time in some slices alone. */
static double compute_together(probe *p, int64_t turns)
{
    double rates[SLICES];
    (void)rate_of(turns);
    const int count = slices(turns, rates);
    atomic_fetch_add(&p->done, 1);
    while (atomic_load(&p->done) < 2)
        (void)rate_of(turns);
    return rates[count / 4];
}

static void *first_thread(void *context)
{
    probe *p = context;
    if (!meet(p, 1))
        return NULL;
    ping(p);
    const int64_t turns = slice_turns();
    p->alone = compute_alone(turns);
    sem_post(&p->awake);
    (void)meet(p, 2);
    p->both[0] = compute_together(p, turns);
    return NULL;
}

static void *second_thread(void *context)
{
    probe *p = context;
    if (!meet(p, 1))
        return NULL;
    pong(p);
    while (sem_wait(&p->awake) != 0) {
    }
    const int64_t turns = slice_turns();
    (void)meet(p, 2);
    p->both[1] = compute_together(p, turns);
    return NULL;
}

static dt_status start(pthread_t *thread, void *(*body)(void *), probe *p, int processor, dt_error *error)
{
    pthread_attr_t attributes;
    int failed = pthread_attr_init(&attributes);
    if (failed)
        return dt_fail(error, DT_SYSTEM, "no thread for the placement: %s; close other programs", strerror(failed));
    const bool pinned = dt_processors_pin(&attributes, processor);
    failed = pinned ? pthread_create(thread, &attributes, body, p) : EINVAL;
    pthread_attr_destroy(&attributes);
    if (failed == EINVAL)
        return dt_fail(error, DT_INVALID, "processor %d is not one that this process may use; take one of its affinity",
                       processor);
    if (failed)
        return dt_fail(error, DT_SYSTEM, "no thread for the placement: %s; close other programs", strerror(failed));
    return DT_OK;
}

static dt_status run(probe *p, int first, int second, dt_error *error)
{
    pthread_t threads[2];
    dt_status status = start(&threads[1], second_thread, p, second, error);
    if (status != DT_OK)
        return status;
    status = start(&threads[0], first_thread, p, first, error);
    if (status == DT_OK)
        pthread_join(threads[0], NULL);
    else
        atomic_store(&p->arrived, ABANDONED);
    pthread_join(threads[1], NULL);
    return status;
}

static dt_place place_of(const dt_placement *p, double peak)
{
    if (p->ns >= DT_FAR_NS)
        return DT_PLACE_FAR;
    return p->both < shared_units * fmax(p->alone, peak) ? DT_PLACE_HYPERTHREADS : DT_PLACE_NEAR;
}

dt_status dt_machine_placement(int first, int second, double peak, dt_placement *placement, dt_error *error)
{
    if (first < 0) {
        dt_processor_set set = {.has = {false}};
        int mine[2] = {0, 0};
        dt_processors_mark(&set);
        const int count = dt_processors_list(&set, 0, 2, mine);
        first = mine[0];
        second = mine[count > 1];
    }
    *placement = (dt_placement){.first = first, .second = second};
    if (first == second) {
        placement->alone = placement->both = compute_alone(slice_turns());
        return DT_OK;
    }
    probe p = {.ns = 0};
    if (sem_init(&p.awake, 0, 0) != 0)
        return dt_fail(error, DT_SYSTEM, "no semaphore for the placement: %s; close other programs", strerror(errno));
    const dt_status status = run(&p, first, second, error);
    sem_destroy(&p.awake);
    if (status != DT_OK)
        return status;
    placement->ns = p.ns;
    placement->alone = p.alone;
    placement->both = fmin(p.both[0], p.both[1]);
    placement->place = place_of(placement, peak);
    return DT_OK;
}
