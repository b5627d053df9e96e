/* Laps: a worker's time, attributed phase by phase. A call gives the time since the last call to a phase and a layer;
 * without a sheet (the usual case) it is a test for NULL.
 *
 * Threads: a sheet is one worker's.
 */
#ifndef DT_PARALLEL_LAPS_H
#define DT_PARALLEL_LAPS_H

#include <stdint.h>
#include <time.h>

#include "deltoid/profile.h"

typedef struct dt_laps {
    uint64_t last;   /* ticks */
    uint64_t *ticks; /* [phase * layers + l] */
    int64_t layers;  /* L + 1 */
} dt_laps;

/* A counter that runs at one rate on all processors and costs a few nanoseconds to read. */
static inline uint64_t dt_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
#endif
}

static inline void dt_lap(dt_laps *laps, dt_phase phase, int64_t l)
{
    if (!laps)
        return;
    const uint64_t now = dt_ticks();
    laps->ticks[phase * laps->layers + l] += now - laps->last;
    laps->last = now;
}

/* The time from tick `began` on goes to a phase of its own, and not to the one that it lies in. */
static inline void dt_lap_apart(dt_laps *laps, dt_phase phase, int64_t l, uint64_t began)
{
    if (!laps)
        return;
    const uint64_t spent = dt_ticks() - began;
    laps->ticks[phase * laps->layers + l] += spent;
    laps->last += spent;
}

#endif
