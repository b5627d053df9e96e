/* What a study measured, as its folder keeps it: tables of tab-separated text that anything can read.
 *
 *     study.tsv     one row: name, kind, confidence, ...
 *     points.tsv    a point of the design: its level of each factor, and what follows from them
 *     visits.tsv    a fresh process that measured one point; written last of all that it measured, so that a visit that
 *                   has no row here doesn't count
 *     samples.tsv   a timed chunk of steps: the raw measurements, all of them
 *     phases.tsv    a visit's profile, warm-up left out
 *     targets.tsv   a visit that trained until a target was reached
 *     machine.tsv   what the machine can do, measured at the study's start and end
 *
 * A visit is the unit that statistics count: its value is the median of its chunks that are neither warm-up nor
 * disturbed, and visits are independent of each other. Disturbed ones are kept, flagged and repeated.
 *
 * The tables' columns are one list each in record.c; what isn't known is "nan", an empty text "-".
 */
#ifndef DT_STUDY_RECORD_H
#define DT_STUDY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "deltoid/experiment.h"
#include "deltoid/status.h"

enum { DT_STUDY_FACTORS_MAX = 16 };

typedef struct dt_study_factor {
    const char *name; /* as the study file calls it: "threads", "workload", "network.0.units" */
} dt_study_factor;

typedef struct dt_study_point {
    int64_t point;             /* from 0; its place in the table, too */
    const char *const *values; /* (factor_count) levels as text */
    int64_t workers, groups, batch_size, shard_size, parameters, train_rows;
    double flop_per_sample; /* of the products: forward, backward, gradient */
    const char *reduction;  /* the one in use */
    const char *why;        /* it was picked, where the experiment says auto */
    const char *precision, *isa, *placement;
    const char *units;      /* of layers 0 .. L, "784-512-512-10" */
    const char *experiment; /* the file */
    bool deterministic, oversubscribed;
    bool capture; /* quantities are captured while it is measured */
} dt_study_point;

static inline dt_precision dt_study_precision(const dt_study_point *point)
{
    return strcmp(point->precision, "float64") == 0 ? DT_FLOAT64 : DT_FLOAT32;
}

/* Probes' quantities by dt_precision: "fma_float32", ...; "product_float32", ... */
extern const char *const dt_study_fma[2], *const dt_study_product[2];

typedef struct dt_study_visit {
    int64_t visit, block, position, point; /* position: its place in the block's order */
    int64_t attempt;                       /* from 1: how often this point was measured in this block */
    double started, seconds;               /* seconds since 1970; that it took, loading included */
    const char *state;                     /* "ok", "failed" */
    int64_t chunks, warmup;                /* how many; how many of the first are left out */
    bool flagged;
    const char *reasons; /* of the flag, as contention.h names them, "switches,steal"; of a failure */
    int64_t voluntary, involuntary, throttled_us, pressure_us, steal_us, page_faults;
    double cpu_share, others;               /* processor time / (time * workers); processors that others were busy on */
    double delay;                           /* share of its time that others kept its workers waiting (contention.h) */
    const char *processors;                 /* that its threads could use: "0-3,8" */
    const char *place_before, *place_after; /* of its first two processors (deltoid/machine.h) */
    double line_ns, fma_alone, fma_both;
    double timer_ns, timer_share; /* of one look at the clock; share of a step that the profile's take */
    int64_t steps;                /* after which the weights' hash was taken */
    const char *weights_sha256;
    double loss;       /* NAN: not known */
    int64_t rss_bytes; /* the most */
} dt_study_visit;

typedef struct dt_study_sample {
    int64_t visit, point, chunk;
    int64_t steps, samples; /* of the chunk */
    double seconds;
    bool warmup, flagged;
    const char *reasons;
} dt_study_sample;

typedef struct dt_study_phase {
    int64_t visit, point, worker;
    int64_t phase; /* dt_phase */
    int64_t l;
    int64_t steps;
    double seconds, flop, bytes; /* in all steps */
} dt_study_phase;

typedef struct dt_study_target {
    int64_t visit, point;
    const char *metric;
    double target;
    bool reached;
    int64_t steps, epochs; /* begun */
    double seconds;        /* of training steps alone */
    double value;          /* of the metric at the end */
} dt_study_target;

typedef struct dt_study_probe {
    const char *when;     /* "start", "end" */
    const char *quantity; /* "fma_float32", "product_float32" (GFLOP/s), "read", "triad" (GB/s), "barrier_ns",
                             "exchange_read", "exchange_write" (GB/s of a worker), "line_ns", "cache_bytes" */
    int64_t workers;      /* of cache_bytes: caches of that level */
    int64_t level;        /* of the cache; 0: memory; -1: none */
    double median, best, spread;
    const char *unit;
} dt_study_probe;

typedef struct dt_study {
    const char *name, *kind; /* "strong", "weak", "batch", "free" */
    double confidence, epsilon;
    int64_t seed, processors;
    const char *created; /* UTC */

    dt_study_factor *factors;
    dt_study_point *points;
    dt_study_visit *visits;
    dt_study_sample *samples;
    dt_study_phase *phases;
    dt_study_target *targets;
    dt_study_probe *probes;
    size_t factor_count, point_count, visit_count, sample_count, phase_count, target_count, probe_count;
    int64_t next_visit; /* a number that no row of any table has */
} dt_study;

/* Reads a study's folder into the arena; rows of visits that don't count are left out, half a last row, too.
 * DT_NOT_FOUND where it isn't one, DT_MALFORMED with FILE:LINE, DT_IO, DT_NO_MEMORY. */
dt_status dt_study_open(dt_study *study, const char *folder, dt_arena *arena, dt_error *error);

/* A visit's value: the median seconds a step of its chunks that are neither warm-up nor disturbed; NAN where there are
 * none. `scratch` has room for `count` numbers. */
double dt_study_visit_seconds(const dt_study_sample *samples, size_t count, int64_t visit, double *scratch);

/* For bsearch and qsort: a study's visits ascend by their number. */
int dt_study_visit_compare(const void *a, const void *b);

/* Whether the folder is a study's. */
bool dt_is_study(const char *folder);

/* Writes study.tsv and points.tsv and empty tables into a folder that is there. DT_IO, DT_NO_MEMORY. */
dt_status dt_study_begin(const dt_study *study, const char *folder, dt_error *error);

/* Takes half rows away that a killed writer left at the tables' ends. Before appending to a study that goes on. */
dt_status dt_study_mend(const char *folder, dt_error *error);

/* Appends a visit with what it measured, each table synchronised, the visit's row last. */
typedef struct dt_study_measured {
    const dt_study_visit *visit;
    const dt_study_sample *samples;
    const dt_study_phase *phases;
    const dt_study_target *targets;
    size_t sample_count, phase_count, target_count;
} dt_study_measured;
dt_status dt_study_append(const char *folder, const dt_study_measured *measured, dt_error *error);

dt_status dt_study_append_probes(const char *folder, const dt_study_probe *probes, size_t count, dt_error *error);

/* --- the columns, for other formats of the same tables --- */

typedef enum dt_column_kind { DT_COLUMN_INT, DT_COLUMN_REAL, DT_COLUMN_BOOL, DT_COLUMN_TEXT } dt_column_kind;

typedef struct dt_study_column {
    const char *name;
    dt_column_kind kind;
    size_t offset; /* in the row's struct: int64_t, double, bool, const char * */
} dt_study_column;

typedef struct dt_study_table {
    const char *name; /* "visits" */
    const dt_study_column *columns;
    size_t column_count, row_size;
} dt_study_table;

/* points, visits, samples, phases, targets, machine; NULL past the last. Points' factors come between the first column
 * and the second. *rows, *count: of `study`, where it isn't NULL. */
const dt_study_table *dt_study_table_at(size_t i, const dt_study *study, const void **rows, size_t *count);

#endif
