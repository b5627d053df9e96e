/* A visit of a scaling study: a fresh process that trains one point's experiment for a while, timed in chunks of steps.
 *
 * `deltoid scale` starts its own program with DT_VISIT_WORD and an order as arguments, in the environment that the
 * point asks for (instruction set, places), and reads a report from a pipe: the structs below as they lie in memory,
 * which both sides understand since both are one program.
 */
#ifndef DT_CLI_SCALE_VISIT_H
#define DT_CLI_SCALE_VISIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "cli/data.h"
#include "deltoid/status.h"
#include "study/contention.h"
#include "study/record.h"

/* In place of a command's name; help doesn't list it. */
#define DT_VISIT_WORD "scale-visit"

enum { DT_VISIT_CHUNKS_MAX = 1000, DT_VISIT_TEXT = 400 };

/* What to do. */
typedef struct dt_visit_order {
    const char *experiment;     /* file */
    const char *const *changes; /* (change_count) "key=value" */
    size_t change_count;
    double chunk;        /* seconds */
    int64_t chunks;      /* at most DT_VISIT_CHUNKS_MAX; 0 with a target */
    int64_t first_steps; /* before anything is timed; then the weights' hash is taken */
    const char *capture; /* a folder that isn't there, for what the experiment captures; "-": nothing is captured */
    const char *metric;  /* target: "test_loss", "test_accuracy", "validation_loss", "validation_accuracy"; "-": none */
    double target;
    int64_t epochs; /* the most, until the target is reached */
    int64_t checks; /* evaluations an epoch */
} dt_visit_order;

/* `chunks`, `phases` and `targets` follow it. */
typedef struct dt_visit_report {
    char magic[8];
    dt_status status;
    char message[DT_VISIT_TEXT]; /* of a failure */
    int64_t chunks, phases, targets;
    int64_t warmup, steps, rss_bytes;
    int64_t voluntary, involuntary, throttled_us, pressure_us, steal_us, page_faults;
    unsigned flags; /* of the visit as a whole, dt_disturbance */
    double cpu_share, others, delay, line_ns, fma_alone, fma_both, timer_ns, timer_share, loss;
    char place_before[16], place_after[16], isa[16], weights[65], processors[256];
} dt_visit_report;

typedef struct dt_visit_chunk {
    int64_t steps, samples;
    double seconds;
    unsigned flags;
} dt_visit_chunk;

typedef struct dt_visit_target {
    bool reached;
    int64_t steps, epochs;
    double seconds, value;
} dt_visit_target;

/* The order as arguments, from DT_VISIT_WORD on, NULL-terminated, in the arena; the report will go to descriptor `fd`.
 * NULL when memory is out. */
char **dt_visit_arguments(const dt_visit_order *order, const char *program, int fd, dt_arena *arena);

/* Whether it is a metric that a target may have; whether the experiment has the rows that it is of. */
bool dt_visit_metric_known(const char *metric);
bool dt_visit_metric_has_data(const char *metric, const dt_experiment *experiment, const dt_data *data);

/* What the process does: everything goes into the report. `argv` begins with DT_VISIT_WORD. Fails where the report
 * can't be written. */
dt_status dt_visit_main(int argc, char **argv, dt_error *error);

/* Reads a report to the pipe's end. *chunks, *phases, *targets lie in the arena. DT_MALFORMED where the process ended
 * before it had written all. */
dt_status dt_visit_read(int fd, dt_visit_report *report, dt_visit_chunk **chunks, dt_study_phase **phases,
                        dt_visit_target **targets, dt_arena *arena, dt_error *error);

#endif
