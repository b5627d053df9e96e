/* A study's file, and the points that follow from it.
 *
 *     name: strong                         # default: the file's name
 *     kind: strong                         # strong: the same work for all threads; weak: training.batch_size times
 *                                          # threads; batch: trained to a target; free: whatever the factors say
 *     experiment: W2.yaml                  # relative to the study's file; or
 *     workloads: {W1: W1.yaml, W2: W2.yaml}  # a factor `workload`
 *     factors:                             # crossed
 *       threads: [1, 2]                    # or auto: 1, 2, 4, ... and all processors
 *       reduction: [tree, owner]           # or all, deterministic
 *       ...                                # groups, batch_size, shard_size, precision, isa, placement, capture, or an
 *                                          # experiment's key
 *     exclude:                             # points that are not measured: these levels together
 *       - {threads: 1, reduction: [atomic, hogwild]}
 *     measure: {epsilon: 0.02, confidence: 0.95, visits: {least: 6, most: 20}, chunk: 0.05 s, chunks: 24,
 *               budget: 10 min, attempts: 3, seed: 1, first_steps: 20, probes: 2 s}
 *     target: {metric: test_loss, value: 0.4, epochs: 20, checks: 4}      # kind: batch
 */
#ifndef DT_CLI_SCALE_PLAN_H
#define DT_CLI_SCALE_PLAN_H

#include "cli/scale_visit.h"
#include "cli/sweep_values.h"
#include "study/record.h"
#include "study/statistics.h"

enum { DT_SCALE_LEVELS_MAX = 1024, DT_SCALE_POINTS_MAX = 10000 };

/* What a factor changes. */
typedef enum dt_scale_changes {
    DT_SCALE_KEY,       /* a key of the experiment */
    DT_SCALE_WORKLOAD,  /* the experiment's file */
    DT_SCALE_ISA,       /* DELTOID_ISA */
    DT_SCALE_PLACEMENT, /* OMP_PLACES and OMP_PROC_BIND */
    DT_SCALE_CAPTURE    /* on, off */
} dt_scale_changes;

typedef struct dt_scale_factor {
    const char *name, *path; /* as the file calls it; the key, "parallel.threads" */
    dt_scale_changes changes;
    dt_sweep_value *levels;
    const dt_node **nodes; /* (level_count) in the file; NULL: of a word as auto. Not of workloads */
    int64_t level_count;
} dt_scale_factor;

/* Points that are left out: those that have one of the marked levels of every factor that it names. */
typedef struct dt_scale_exclusion {
    bool *level[DT_STUDY_FACTORS_MAX]; /* (level_count) of each factor; NULL: any */
} dt_scale_exclusion;

typedef struct dt_scale_workload {
    const char *name, *file; /* absolute */
    char *text;              /* the resolved experiment */
    size_t text_size;
} dt_scale_workload;

/* How one point is measured. */
typedef struct dt_scale_point {
    const char **changes; /* (change_count) "key=value" */
    size_t change_count;
    int64_t design; /* its number among all crossings of the factors */
    size_t workload;
    const char *isa, *placement; /* NULL: as they are */
    bool capture, capture_asked; /* by a level of the factor */
    double load;                 /* seconds that reading its data took */
} dt_scale_point;

typedef struct dt_scale_plan {
    dt_study study; /* name, kind, factors, points: what the record begins with */
    dt_scale_factor factors[DT_STUDY_FACTORS_MAX];
    dt_scale_exclusion *exclusions; /* (exclusion_count) */
    size_t exclusion_count;
    dt_scale_workload *workloads; /* (workload_count) */
    size_t workload_count;
    bool several_workloads; /* they are a factor */
    dt_scale_point *points; /* (study.point_count) */
    dt_stop_rule rule;      /* of a point; its budget is 0 */
    double budget;          /* seconds of the whole study */
    double chunk;
    double probes; /* seconds of the machine's own measurements, at the start and at the end */
    int64_t chunks, attempts, first_steps;
    const char *metric; /* NULL: no target */
    double target;
    int64_t epochs, checks;
    const char *text; /* of the resolved study file */
    char hash[13];    /* of the study's text and the experiments' */
} dt_scale_plan;

/* The factors, workloads first, of the node that the file has for them (NULL: none). */
dt_status dt_scale_factors_read(dt_scale_plan *plan, const dt_node *factors, dt_arena *arena, dt_error *error);

/* `exclude`: a list of {FACTOR: LEVEL or [LEVEL, ...], ...}; NULL: none. After the factors. */
dt_status dt_scale_exclusions_read(dt_scale_plan *plan, const dt_node *list, dt_arena *arena, dt_error *error);
bool dt_scale_is_excluded(const dt_scale_plan *plan, const int64_t *level);

/* Where the message is about a change that one of the point's levels makes ("command line: key 'K=V': ..."), puts that
 * level's place in the file in its stead; else false. */
bool dt_scale_level_place(const dt_scale_plan *plan, size_t point, dt_error *error);

/* Reads the file, opens every point's experiment and data, and so finds what is wrong with any of them. All in the
 * arena. Errors with FILE:LINE:COLUMN, or with the point whose experiment can't be. */
dt_status dt_scale_plan_open(dt_scale_plan *plan, const char *file, dt_arena *arena, dt_error *error);

/* Seconds that the study will take at least and at most where nothing disturbs it: by what reading the data took, and
 * by the steps' arithmetic at a share of this core's peak, measured here. With a target, `most` is training all epochs.
 */
void dt_scale_expect(const dt_scale_plan *plan, double *least, double *most);

#endif
