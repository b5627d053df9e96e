/* A study that is being measured: blocks of visits, each a process of its own, until every point is known well enough.
 */
#ifndef DT_CLI_SCALE_RUN_H
#define DT_CLI_SCALE_RUN_H

#include "cli/scale_plan.h"
#include "kernels/isa.h"
#include "study/places.h"

/* How far a point is. */
typedef struct dt_scale_progress {
    int64_t failures;
    char hash[65]; /* of the weights, of its first visit */
} dt_scale_progress;

/* A program that measured for the study, from a visit on. */
typedef struct dt_scale_session {
    const char *started, *host;
    int64_t from_visit;
} dt_scale_session;

typedef struct dt_scale {
    const dt_scale_plan *plan;
    const char *folder;
    dt_scale_progress *points;
    dt_placed *placed; /* (placed_count) all points' visits that ended well and undisturbed; */
    double *seconds;   /* room for as many */
    size_t placed_count, placed_room;
    double spent;          /* seconds of visits so far */
    double peaks[DT_ISAS]; /* GFLOP/s of an undisturbed core: the best seen so far with each instruction set */
    int64_t next_visit, blocks;
    int64_t differing;          /* visits of reproducible points with other weights than the point's first */
    dt_scale_session *sessions; /* (session_count) this one last */
    size_t session_count;
    bool quiet;
    dt_arena *arena;
} dt_scale;

/* A new study's folder: the resolved study and experiments, by which it can be repeated, and empty tables; or what is
 * in the folder of one that goes on, whose points must be the plan's. */
dt_status dt_scale_begin(dt_scale *s, dt_error *error);

/* Block after block, until nothing is left to measure, the budget is spent, or a signal came. */
dt_status dt_scale_blocks(dt_scale *s, dt_error *error);

/* What the machine can do, into the record: `when` is "start" or "end". */
dt_status dt_scale_probe(dt_scale *s, const char *when, dt_error *error);

/* Fills s->sessions: those of the folder's provenance.json, and this one. */
dt_status dt_scale_sessions(dt_scale *s, dt_error *error);

/* provenance.json: versions, machine, workloads with their data's hashes, design, sessions; of a finished study also
 * when, and what its timers cost (`study`; else NULL). Released with dt_text_release. */
dt_status dt_scale_provenance(const dt_scale *s, const dt_study *study, char **text, dt_error *error);

/* The entry of s->peaks for an instruction set by name. */
double *dt_scale_peak(dt_scale *s, const char *isa);

/* One visit of a point, into the record. */
typedef struct dt_scale_place {
    size_t point;
    int64_t block, position, attempt;
} dt_scale_place;

typedef struct dt_scale_outcome {
    double seconds; /* that it took */
    double value;   /* seconds a step; NAN where it doesn't count */
    char place[16]; /* how its first two processors lay */
    bool ok, flagged;
    char weights[65];
} dt_scale_outcome;

dt_status dt_scale_visit(dt_scale *s, const dt_scale_place *place, dt_scale_outcome *outcome, dt_error *error);

#endif
