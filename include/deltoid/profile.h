/* Profiles: where the time of training steps goes, by worker, phase and layer.
 *
 *     dt_trainer_profile(t, &error);               // before the first step
 *     dt_trainer_run(t, &error);
 *     dt_profile_row row;
 *     for (size_t i = 0; dt_trainer_profile_row(t, i, &row); i++)
 *         ...
 *
 * A worker's rows add up to the time that its steps took, from the call that makes them until it returns: nothing lies
 * between phases. Watching time changes no bit. A trainer that isn't profiled pays a test for NULL a phase.
 */
#ifndef DELTOID_PROFILE_H
#define DELTOID_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#pragma GCC visibility push(default)

/* The phases of a step, in order; and the equations they compute. */
#define DT_PHASE_LIST(X)                                                                                               \
    X(DT_PHASE_GATHER, "gather", "rows of the minibatch, converted and scaled: a^0 = x")                               \
    X(DT_PHASE_FORWARD, "forward", "z and a, equations (1) (2)")                                                       \
    X(DT_PHASE_COST, "cost", "C and delta^L, equation (3)")                                                            \
    X(DT_PHASE_BACKWARD, "backward", "delta, equation (4)")                                                            \
    X(DT_PHASE_GRADIENT, "gradient", "dW and db, equations (5) (6); with the update, where nothing is reduced")        \
    X(DT_PHASE_UPDATE, "update", "buffers added, and the optimizer")                                                   \
    X(DT_PHASE_WATCH, "watch", "observers: capture, metrics")                                                          \
    X(DT_PHASE_WAIT, "wait", "at barriers, for other workers; for the team to start and end")                          \
    X(DT_PHASE_REST, "rest", "bookkeeping; an epoch's order of samples")

typedef enum dt_phase {
#define DT_PHASE_ENUM(id, name, help) id,
    DT_PHASE_LIST(DT_PHASE_ENUM)
#undef DT_PHASE_ENUM
        DT_PHASES
} dt_phase;

const char *dt_phase_name(dt_phase phase);
const char *dt_phase_help(dt_phase phase);

/* What one worker did in one phase of one layer, over all profiled steps. Operations are those of equations (1), (4),
 * (5) and (6) (a multiply and an add are two), not of padding; bytes are what the phase must at least read and write,
 * each number once: more passes through a cache don't count. */
typedef struct dt_profile_row {
    int64_t worker;
    dt_phase phase;
    int64_t l; /* 0 where the phase has no layer */
    double seconds;
    double flop, bytes;
    int64_t steps;   /* that were profiled: the same in all rows */
    int64_t samples; /* that the phase worked on: the worker's own, or whole minibatches; 0 for phases after gradient */
} dt_profile_row;

struct dt_trainer;

/* Starts the profile of all steps to come. DT_NO_MEMORY. */
dt_status dt_trainer_profile(struct dt_trainer *trainer, dt_error *error);

/* The i-th row, by worker, phase and layer, phases without time left out; false past the last, or without a profile.
 * Not while the trainer runs. */
bool dt_trainer_profile_row(const struct dt_trainer *trainer, size_t i, dt_profile_row *row);

#pragma GCC visibility pop

#endif
