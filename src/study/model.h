/* A model of a step's time on machines that aren't here: more workers, or ranks of several machines.
 *
 * From one worker's measured phases (a profile), the machine's probes (deltoid/machine.h) and what each strategy moves
 * between workers. Everything it says is a prediction, and dt_model_label is what stands beside its figures; rules 11
 * and 12 of study/rules.h: it is drawn dashed, and its error at points that it didn't see (dt_model_error_of) with it.
 *
 *     step(T) = sum over phases, layers of  max(seconds(1) * share * slowdown, bytes a worker / bandwidth a worker)
 *             + moved / exchange  + barriers * barrier(T)  + allreduce(R)
 *
 * share      the busiest worker's part: rows by whole shards (dt_split), units and slices of the gradient 1 / T
 * slowdown   a core's rate alone over its rate when all compute (clock, hyperthreads)
 * bandwidth  min(one core's, all cores' / T); where the step's data fit the caches, it doesn't bound
 * moved      bytes that a worker reads and another wrote in this step or the last: dt_model_moved
 * allreduce  Rabenseifner's (Thakur, Rabenseifner and Gropp, IJHPCA 19(1), 2005):
 *            2 log2(R) latency + 2 (R - 1) / R bytes / bandwidth
 *
 * It doesn't know: kernels that get slower with fewer rows a worker, caches in between, sockets, contention on the
 * network. So it tends to be too fast; its measured error says by how much.
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

/* What predictions need of a machine; times in seconds, rates a second, bytes. Set fields to plan for another one. */
typedef struct dt_model_machine {
    int64_t cores;
    double slowdown; /* at least 1 */
    double bandwidth_one, bandwidth_all;
    double cache;                          /* a core's share of the last level; 0: not known, taken as none */
    double barrier_base, barrier_doubling; /* barrier(T) = base + doubling log2 T */
    double exchange;                       /* one worker's reading of what others wrote */
    double latency, network;               /* between ranks; 0: one rank only */
} dt_model_machine;

/* DT_INVALID: no rows, rows of more than one worker (a profile with threads: 1 is needed), no steps, layers out of
 * range. */
dt_status dt_model_calibrate(const dt_profile_row *rows, size_t count, dt_model_costs *costs, dt_error *error);

/* The costs of another network or minibatch, from those of a measured one: by operations in forward, backward and
 * gradient, by bytes in gather and cost, at each phase's own measured rate; the rest as it is. DT_INVALID as check. */
dt_status dt_model_transfer(const dt_model_network *measured, const dt_model_costs *costs,
                            const dt_model_network *other, dt_model_costs *result, dt_error *error);

/* Of what was measured here: the best readings, as the model is of an undisturbed machine. exchange is a worker's part
 * of the bandwidth of all, as lines of other cores come no faster; one barrier gives a doubling alone. No network.
 * DT_INVALID: bandwidth or rates weren't measured. */
dt_status dt_model_machine_of(const dt_machine *measured, dt_precision precision, dt_model_machine *machine,
                              dt_error *error);

/* barrier_base and barrier_doubling by least squares of measured barriers, neither negative; one barrier gives a
 * doubling alone. */
void dt_model_fit_barriers(const int64_t *workers, const double *seconds, int64_t count, dt_model_machine *machine);

/* Bytes that the busiest worker reads in a step and others wrote, `samples` of the minibatch in the rank:
 *
 *     weights      (T-1)/T of each W^l and b^l: the others updated them.  Not of layers that go by units
 *     tree         (T-1)/T of P: the other T-1 buffers over the worker's slice
 *     serial       T P: T-1 buffers by one worker, while others wait, and then its weights by each
 *     owner        (T-1)/T of a^{l-1} and delta^l of all rows, l = 1 .. L
 *     split        as owner, without x, of which each has a copy where layer 1 goes by units
 */
double dt_model_moved(const dt_model_network *network, dt_model_strategy strategy, int64_t workers);

/* Barriers of a step: 2, and those around layers that go by units. 0 for one worker. */
int64_t dt_model_barriers(const dt_model_network *network, dt_model_strategy strategy, int64_t workers);

typedef struct dt_model_plan {
    dt_model_strategy strategy;
    int64_t workers; /* of each rank */
    int64_t ranks;   /* 1: one machine. Each has whole shards, as even as may be */
} dt_model_plan;

typedef struct dt_model_step {
    double seconds;                                  /* the sum of: */
    double compute, memory, moved, barrier, network; /* memory: what bandwidth adds to compute */
    double speedup;                                  /* against one worker's costs */
    bool idle;                                       /* more workers than shards: some have no rows */
    const char *label;                               /* dt_model_label */
} dt_model_step;

/* DT_INVALID: sizes out of range, more workers than cores, ranks without a network; with what to do. */
dt_status dt_model_predict(const dt_model_network *network, const dt_model_costs *costs,
                           const dt_model_machine *machine, const dt_model_plan *plan, dt_model_step *step,
                           dt_error *error);

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
