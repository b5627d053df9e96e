/* A model of a step's time on machines that aren't here: more workers, or ranks of several machines; and at sizes that
 * weren't measured.
 *
 * From one worker's measured phases (a profile), the machine's probes (deltoid/machine.h) and what each strategy moves
 * between workers; nothing is fitted to a run of several workers. Everything it says is a prediction, and
 * dt_model_label is what stands beside its figures; rules 11 and 12 of study/rules.h: it is drawn dashed, and its error
 * at points that it didn't see (dt_model_error_of) with it.
 *
 * A step is a few stretches between barriers; of each the slowest worker counts:
 *
 *     step(T)  = sum over stretches  max over workers  sum of its phases, layers
 *              + barriers * barrier(T) + allreduce(R)
 *     phase    = hidden(max(compute, bytes / memory, read / exchange.read), written / exchange.write)
 *     update   = bytes / memory + read / exchange.read + written / exchange.write
 *     hidden(a, b) = max(a, b) + 3/4 min(a, b);  of buffers max(a, b) + 1/4 min(a, b)
 *
 * compute    seconds(1) * law(what the worker does) / law(what one worker did) * slowdown
 * law        of each phase, over calls, operations, weights and rows: model_law.c. It knows that half the rows take
 *            more than half the time, as the same weights go by
 * slowdown   a core's rate alone over its rate when all compute (clock, hyperthreads)
 * bytes      that must move at least; they bound only where a worker's data don't fit its caches
 * read       bytes that another worker wrote last (weights; buffers; activations, deltas of others' samples): they run
 *            ahead of themselves, at a rate that arithmetic mostly hides
 * written    bytes that another worker has read since (a worker's slice of the weights, its buffers, its samples'
 *            activations): every line is asked back, few at a time; measured at a tenth of the rate of reading between
 *            cores that share no cache. Arithmetic beside it hides a quarter where rows or weights are written that
 *            were read just before, three quarters where buffers are stored: round figures for what single phases
 *            showed on a Zen 4 (0 to 0.5 and 0.6 to 1), the model's only ones that no probe measures. An update is
 *            nothing but traffic and hides nothing
 *            Lines that have left the reader's last cache cost nothing: where its data are larger than that, only
 *            cache / data of them count
 * exchange   the probe's of arrays in a core's own cache, or of larger ones where a worker's data are larger; in
 *            proportion to the time of a line where that was another when a point was measured (dt_model_place)
 * allreduce  Rabenseifner's (Thakur, Rabenseifner and Gropp, IJHPCA 19(1), 2005):
 *            2 log2(R) latency + 2 (R - 1) / R bytes / bandwidth
 *
 * Slices of the gradient are those of src/parallel: contiguous over all layers, so that one worker may have all of a
 * layer and another nothing of it. It doesn't know: sockets, contention on the network, workers' chance delays (times
 * at barriers that uneven work doesn't explain), groups. So it tends to be too fast; its measured error says by how
 * much.
 *
 * Pure functions; nothing allocates.
 */
#ifndef DT_STUDY_MODEL_H
#define DT_STUDY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deltoid/machine.h"
#include "deltoid/profile.h"
#include "deltoid/status.h"

enum { DT_MODEL_LAYERS_MAX = 64 };

/* "prediction" */
extern const char dt_model_label[];

/* How gradients are added: the strategies of src/parallel of the same names. */
typedef enum dt_model_strategy {
    DT_MODEL_TREE,   /* rows' gradients into buffers, all buffers over slices */
    DT_MODEL_OWNER,  /* slices over all rows */
    DT_MODEL_SPLIT,  /* as owner; layers with more units than samples go forward by units */
    DT_MODEL_SERIAL, /* as tree, one worker adds */
    DT_MODEL_STRATEGIES
} dt_model_strategy;

/* NULL past the last. */
const char *dt_model_strategy_name(dt_model_strategy strategy);

typedef struct dt_model_network {
    int64_t layers;
    const int64_t *units;        /* (layers + 1), units[0] inputs; borrowed */
    int64_t samples, shard_size; /* of a minibatch */
    int64_t real;                /* bytes of a number */
    int64_t element;             /* bytes of a number in the data set */
    int64_t states;              /* of the optimizer, numbers a parameter */
} dt_model_network;

/* Seconds of one worker in a step. */
typedef struct dt_model_costs {
    double seconds[DT_PHASES][DT_MODEL_LAYERS_MAX + 1];
} dt_model_costs;

/* How a phase's time grows: seconds = sum of coefficient * feature, none negative. */
enum { DT_MODEL_FEATURES = 4 };
typedef struct dt_model_law {
    double of[DT_PHASES][DT_MODEL_FEATURES]; /* a call; an operation, padded to whole vectors; a number of the weights'
                                                traffic; a number of the rows' */
    int64_t points;                          /* that it is fitted to */
} dt_model_law;

typedef struct dt_model_measured {
    const dt_model_network *network;
    const dt_model_costs *costs;
} dt_model_measured;

/* Bytes a second of a worker while all do the same (dt_machine_exchange). */
typedef struct dt_model_exchange {
    double read, write;
} dt_model_exchange;

/* What predictions need of a machine; times in seconds, rates a second, bytes. Set fields to plan for another one. */
typedef struct dt_model_machine {
    int64_t cores;
    double slowdown; /* at least 1 */
    double bandwidth_one, bandwidth_all;
    double own_cache, cache;               /* a core's own; its share of the last level. 0: not known, taken as none */
    double cached;                         /* one worker's rate from caches, of update's buffers */
    double barrier_base, barrier_doubling; /* barrier(T) = base + doubling log2 T */
    dt_model_exchange near, beyond;        /* of data that fit a core's own cache; of larger */
    double line;                           /* seconds that a line took to cross when exchange and barriers were
                                              measured; 0: not known */
    double latency, network;               /* between ranks; 0: one rank only */
} dt_model_machine;

/* DT_INVALID: no rows, rows of more than one worker (a profile with threads: 1 is needed), no steps, layers out of
 * range. */
dt_status dt_model_calibrate(const dt_profile_row *rows, size_t count, dt_model_costs *costs, dt_error *error);

/* The law of each phase, by least squares of relative errors over measured points of one worker, count >= 1, of any
 * sizes. Where they are few it has one term, the phase's operations or rows: time in proportion to work. DT_INVALID as
 * networks are checked. */
dt_status dt_model_fit(const dt_model_measured *points, int64_t count, dt_model_law *law, dt_error *error);

/* The costs of another network or minibatch by the law alone. DT_INVALID as check. */
dt_status dt_model_costs_of(const dt_model_law *law, const dt_model_network *network, dt_model_costs *costs,
                            dt_error *error);

/* Of what was measured here: the best readings, as the model is of an undisturbed machine. No network. DT_INVALID:
 * bandwidth or rates weren't measured. */
dt_status dt_model_machine_of(const dt_machine *measured, dt_precision precision, dt_model_machine *machine,
                              dt_error *error);

/* barrier_base and barrier_doubling by least squares of measured barriers, neither negative; one barrier gives a
 * doubling alone. */
void dt_model_fit_barriers(const int64_t *workers, const double *seconds, int64_t count, dt_model_machine *machine);

/* The machine with its cores so far apart that a line takes `line` seconds: exchange and barriers in proportion.
 * Nothing where either time isn't known. */
void dt_model_place(dt_model_machine *machine, double line);

/* Bytes that `worker` reads in a step and others wrote last, and that it writes and others have read since:
 *
 *              read                                           written
 *     tree     weights of others' slices, forward and (l > 1) its slice of W^l and of its transposed copy;
 *              back; all other buffers over its slice         its buffer but for its own slice
 *     serial   as tree for worker 0, who has all; the rest    worker 0: all weights; the rest: their whole buffers
 *              reads all weights
 *     owner    weights as tree; a^{l-1} and delta^l of        its slice, as tree; its rows of x, a^l, delta^l where
 *              others' rows, for its slice                    others' slices need them
 *     split    as owner; of layers by units not the weights   as owner; of layers by units only the transposed copy,
 *              but a^{l-1}; each has a copy of x              and its units' part of a^l
 */
typedef struct dt_model_traffic {
    double read, written;
} dt_model_traffic;
dt_model_traffic dt_model_traffic_of(const dt_model_network *network, dt_model_strategy strategy, int64_t workers,
                                     int64_t worker);

/* A worker's part of the blocks of layer l that it sums and steps (dt_reducer_slice): 0 .. 1. */
double dt_model_slice(const dt_model_network *network, dt_model_strategy strategy, int64_t workers, int64_t l,
                      int64_t worker);

/* Whether the layer goes forward by units (dt_reduction_by_units). */
bool dt_model_by_units(const dt_model_network *network, dt_model_strategy strategy, int64_t workers, int64_t l);

/* Barriers of a step: 2, and those around layers that go by units. 0 for one worker. */
int64_t dt_model_barriers(const dt_model_network *network, dt_model_strategy strategy, int64_t workers);

typedef struct dt_model_plan {
    dt_model_strategy strategy;
    int64_t workers; /* of each rank */
    int64_t ranks;   /* 1: one machine. Each has whole shards, as even as may be */
} dt_model_plan;

typedef struct dt_model_step {
    double seconds;                                  /* the sum of: */
    double compute, memory, moved, barrier, network; /* of the slowest worker of each stretch; memory: what bandwidth
                                                        adds to compute; moved: what other workers do */
    double speedup;                                  /* against one worker's costs, of as many samples */
    bool idle;                                       /* more workers than shards: some have no rows */
    const char *label;                               /* dt_model_label */
} dt_model_step;

/* From one worker's costs `from`, of the same layers and perhaps another minibatch. `law` may be NULL: time in
 * proportion to work. DT_INVALID: sizes out of range, other layers, more workers than cores or DT_MODEL_WORKERS_MAX,
 * ranks without a network; with what to do. */
enum { DT_MODEL_WORKERS_MAX = 1024 };
dt_status dt_model_predict(const dt_model_network *network, const dt_model_measured *from, const dt_model_law *law,
                           const dt_model_machine *machine, const dt_model_plan *plan, dt_model_step *step,
                           dt_error *error);

/* What lines between the workers of one machine take in each phase at their measured rates, seconds of a step summed
 * over workers; hidden or not. */
void dt_model_exchange_seconds(const dt_model_network *network, dt_model_strategy strategy, int64_t workers,
                               const dt_model_machine *machine, double seconds[DT_PHASES]);

typedef struct dt_model_error {
    int64_t points;
    double median, most; /* of |predicted - measured| / measured */
    double bias;         /* median of (predicted - measured) / measured: under 0, too optimistic of times */
} dt_model_error;

/* At held-out points: seconds predicted and measured, over 0, 1 <= count <= DT_MODEL_HELD_OUT_MAX. DT_INVALID else. */
enum { DT_MODEL_HELD_OUT_MAX = 1024 };
dt_status dt_model_error_of(const double *predicted, const double *measured, int64_t count, dt_model_error *result,
                            dt_error *error);

#endif
