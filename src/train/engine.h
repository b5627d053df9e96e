/* Engines: the numeric half of the trainer, one for each precision, behind one table of functions. */
#ifndef DT_TRAIN_ENGINE_H
#define DT_TRAIN_ENGINE_H

#include <stddef.h>

#include "base/split.h"
#include "deltoid/trainer.h"
#include "parallel/team.h"
#include "train/run.h"
#include "train/step.h"

typedef struct dt_engine dt_engine;

/* Sizes that decide what an engine allocates. */
typedef struct dt_engine_sizes {
    int64_t layers;
    const int64_t *units;       /* units[0] = features, .. units[layers] */
    int64_t batch, short_batch; /* samples of a full minibatch, and of an epoch's last one if it is shorter (else 0) */
    int64_t shard_size, workers;
    bool sparse;       /* layer 1 skips inputs that are 0; then */
    int64_t numbers;   /* inputs that a minibatch holds at most, and */
    int64_t evaluated; /* those of a chunk of an evaluation of the data sets that are known */
} dt_engine_sizes;

/* A chunk of rows to evaluate, on all workers. */
typedef struct dt_evaluation_job {
    dt_engine *engine;
    const dt_dataset *data;
    dt_rows rows;
    double *chunk_loss;      /* [chunk]: sum of C_i over DT_EVALUATION_CHUNK rows */
    int64_t *chunk_right;    /* [chunk] */
    atomic_llong *confusion; /* (units, units) or NULL */
    void *outputs;           /* (rows.count, units) dt_real: z^L is all that is wanted, and no cost; or NULL */
} dt_evaluation_job;

enum { DT_EVALUATION_CHUNK = 64 };

/* The first number of a step that is not finite, in the order of the derivation: W, b, z, a of layer 1, of layer 2, ..,
 * C; delta of layer L, .. */
typedef struct dt_fault {
    const char *quantity; /* NULL: none */
    int64_t layer, unit;
    int64_t input;  /* of W; else -1 */
    int64_t sample; /* row of the training set, of z, a, C and delta; else -1 */
} dt_fault;

typedef struct dt_engine_ops {
    /* Fills the *_bytes of info. false on overflow. */
    bool (*measure)(const dt_experiment *experiment, const dt_engine_sizes *sizes, dt_trainer_info *info);
    bool (*whole)(const dt_experiment *experiment); /* its optimizer takes the whole training set alone */
    dt_status (*create)(dt_engine **engine, const dt_experiment *experiment, const dt_engine_sizes *sizes, dt_run *run,
                        dt_error *error);
    void (*destroy)(dt_engine *engine);
    /* What observers will need: the gradient vector, passes of their probes. Before the first step. */
    dt_status (*prepare)(dt_engine *engine, dt_error *error);
    /* Before evaluations of a data set. */
    dt_status (*admit)(dt_engine *engine, const dt_dataset *data, dt_error *error);
    void (*touch)(dt_worker *worker, void *engine); /* on the team: first touch, initial weights */
    void (*train)(dt_worker *worker, void *engine); /* on the team: the run's steps */
    void (*evaluate)(dt_worker *worker, void *job); /* on the team: a dt_evaluation_job */
    /* How contributions become a gradient, for a profile: through buffers of groups or one for all, which are then
     * added; or each worker steps by its own alone. */
    void (*adds)(const dt_engine *engine, bool *buffers, bool *shared, bool *free);
    /* parameters[l], l = 1 .. L: how many weights and biases of layer l the worker updates. Returns the numbers of
     * state that the optimizer has for each. */
    int (*slice)(const dt_engine *engine, int64_t worker, int64_t *parameters);
    void (*get)(const dt_engine *engine, int64_t l, void *W, void *b);
    void (*set)(dt_engine *engine, int64_t l, const void *W, const void *b);
    void (*exchange)(dt_engine *engine, int64_t l, void *W, void *b); /* the network's for these */
    const char *(*state_name)(const dt_engine *engine, int i);        /* NULL past the last */
    void (*get_state)(const dt_engine *engine, int i, int64_t l, void *W, void *b);
    void (*set_state)(dt_engine *engine, int i, int64_t l, const void *W, const void *b);
    /* Of a step whose loss is not finite, with the weights that it began with. Outside the team. */
    void (*find_fault)(dt_engine *engine, const int64_t *sample, int64_t batch, dt_fault *fault);
    dt_matrix_view (*samples)(const struct dt_pass *pass, dt_quantity quantity, int64_t l, dt_span rows);
    void (*copy_slice)(const struct dt_pass *pass, dt_quantity quantity, int64_t l, const dt_slice *slice, void *out);
    /* train/step.h's */
    dt_block_view (*blocks)(const dt_engine *engine, dt_step_array array, int i, const dt_slice *slice);
    bool (*partial)(const dt_engine *engine, const dt_step_view *view, int64_t group, const dt_slice *slice, void *sum);
    const double *(*costs)(const dt_step_view *view);
    double (*norm_square)(const struct dt_pass *pass, int64_t l, dt_span rows, void *scratch);
    size_t (*norm_scratch)(int64_t layers, const int64_t *units, int64_t samples); /* bytes */
    int64_t (*block_count)(int64_t layers, const int64_t *units);
    size_t block_bytes;
    const char *(*state_named)(const dt_experiment *experiment, int i);
} dt_engine_ops;

extern const dt_engine_ops dt_engine_ops_f32, dt_engine_ops_f64;

static inline const dt_engine_ops *dt_engine_ops_of(dt_precision precision)
{
    return precision == DT_FLOAT64 ? &dt_engine_ops_f64 : &dt_engine_ops_f32;
}

#endif
