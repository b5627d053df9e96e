/* Where the time of steps goes, from a profile's rows (deltoid/profile.h), and what limits it, in words. Rule 11
 * (study/rules.h): beside a time stands the bound that it runs into, the roofline's (Williams, Waterman and Patterson,
 * CACM 52(4), 2009): peak arithmetic or memory bandwidth, as measured.
 *
 * Pure functions; nothing allocates.
 */
#ifndef DT_STUDY_ATTRIBUTION_H
#define DT_STUDY_ATTRIBUTION_H

#include <stddef.h>
#include <stdint.h>

#include "deltoid/profile.h"
#include "deltoid/status.h"

enum { DT_ATTRIBUTION_WORKERS_MAX = 1024 };

/* The most this machine does with that many workers; 0 or NAN where it isn't known. */
typedef struct dt_bounds {
    double flops;     /* floating-point operations a second, all workers together */
    double bandwidth; /* bytes a second of memory, all together */
} dt_bounds;

/* One phase of all workers and layers. */
typedef struct dt_phase_share {
    double seconds;      /* of a step, summed over workers */
    double share;        /* of all workers' time */
    double flops;        /* a second, all workers together while in the phase: flop / (seconds / workers) */
    double bandwidth;    /* bytes a second, so too; what must move at least */
    double of_peak;      /* flops / bounds.flops; NAN where there is none */
    double of_bandwidth; /* over 1 where caches give more than memory */
    double of_exchange;  /* of its time what lines between workers take at their measured rates (study/model.h); NAN:
                            not known. dt_attribute doesn't know it */
} dt_phase_share;

typedef struct dt_attribution {
    int64_t workers, steps;
    double step_seconds; /* mean over workers of what their phases add up to, of a step */
    double covered;      /* step_seconds / measured wall seconds of a step; NAN without one */
    dt_phase_share phase[DT_PHASES];
    double imbalance; /* largest / mean of workers' busy time: all but wait */
    double waiting;   /* share of time at barriers */
    double uneven; /* the part of it that uneven work explains, (largest - mean busy time) / mean time of all; the rest
                      is the barriers' own */
} dt_attribution;

/* Of the rows of one profile; `wall` is the measured seconds of a step, or NAN.
 * DT_INVALID: no rows, no steps, a worker under 0 or DT_ATTRIBUTION_WORKERS_MAX and over, negative or not finite times,
 * rows of different numbers of steps. */
dt_status dt_attribute(const dt_profile_row *rows, size_t count, double wall, const dt_bounds *bounds,
                       dt_attribution *attribution, dt_error *error);

typedef enum dt_bound {
    DT_BOUND_COMPUTE,
    DT_BOUND_MEMORY,
    DT_BOUND_EXCHANGE,  /* lines that go from core to core */
    DT_BOUND_IMBALANCE, /* waiting, mostly for a slower worker */
    DT_BOUND_BARRIER,   /* waiting, mostly for the barrier itself */
    DT_BOUND_NONE       /* neither bound is known, or the phase does nothing that counts */
} dt_bound;

typedef struct dt_limiter {
    dt_phase phase;
    double share; /* of the time, or, beside a base, of the time lost */
    double lost;  /* share of all workers' time that one worker would not have spent; NAN without a base */
    dt_bound bound;
    double of_bound; /* how near: 0.88 of measured bandwidth; NAN for the last three */
    char words[160]; /* "reduction 31 %, memory-bound at 88 % of measured bandwidth", "reduction 31 %, bound by lines
                        between cores, which take 88 % of it at their measured rate" */
} dt_limiter;

/* What limits: without a base (NULL) the phase with the largest share; beside the attribution of one worker with the
 * same work, the phase whose summed time grew most, as that is what scaling lost to. Of the three bounds the nearest
 * one counts. Where nothing grew, the largest share. */
void dt_limiter_of(const dt_attribution *attribution, const dt_attribution *base, dt_limiter *limiter);

/* "reduction" for DT_PHASE_UPDATE, "waiting" for DT_PHASE_WAIT, else dt_phase_name. */
const char *dt_phase_words(dt_phase phase);

#endif
