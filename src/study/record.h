#ifndef DT_STUDY_RECORD_H
#define DT_STUDY_RECORD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/memory.h"
#include "deltoid/status.h"
typedef struct dt_study_factor { const char *name; } dt_study_factor;
typedef struct dt_study_point {
    int64_t point; const char *const *values; /* (factor_count) */
    int64_t workers, batch_size, shard_size, parameters, train_rows; double flop_per_sample;
    const char *reduction, *why, *precision, *isa, *placement, *experiment; bool deterministic, oversubscribed;
} dt_study_point;
typedef struct dt_study_visit {
    int64_t visit, block, position, point, chunks, warmup, steps, attempt; double started, seconds; const char *state; bool flagged; const char *reasons;
    int64_t voluntary, involuntary, throttled_us, pressure_us, steal_us; double timer_share; const char *weights_sha256;
} dt_study_visit;
typedef struct dt_study_sample { int64_t visit, point, chunk, steps, samples; double seconds; bool warmup, flagged; } dt_study_sample;
typedef struct dt_study_phase { int64_t visit, point, worker; int phase; int64_t l, steps; double seconds, flop, bytes; } dt_study_phase;
typedef struct dt_study_target { int64_t visit, point; double target; bool reached; int64_t steps, epochs; double seconds, value; } dt_study_target;
typedef struct dt_study_probe { const char *when, *quantity; int64_t workers, level; double median, best, spread; const char *unit; } dt_study_probe;
typedef struct dt_study {
    const char *name, *kind; double confidence; uint64_t seed;
    dt_study_factor *factors; size_t factor_count;
    dt_study_point *points; size_t point_count;
    dt_study_visit *visits; size_t visit_count;
    dt_study_sample *samples; size_t sample_count;
    dt_study_phase *phases; size_t phase_count;
    dt_study_target *targets; size_t target_count;
    dt_study_probe *probes; size_t probe_count;
} dt_study;
bool dt_study_is_folder(const char *path);
dt_status dt_study_open(const char *folder, dt_arena *arena, dt_study **study, dt_error *error);
#endif
