/* What the parts of the model share: model_law.c, model_traffic.c, model_step.c. */
#ifndef DT_STUDY_MODEL_OWN_H
#define DT_STUDY_MODEL_OWN_H

#include "study/model.h"

/* DT_INVALID for sizes out of range, with what to do. */
dt_status dt_model_check(const dt_model_network *network, dt_error *error);

static inline double dt_model_parameters(const dt_model_network *n, int64_t l)
{
    return (double)n->units[l] * ((double)n->units[l - 1] + 1);
}

double dt_model_all_parameters(const dt_model_network *network);

/* Numbers of the weights that stepping a parameter moves: itself and each state of the optimizer twice, its transposed
 * copy. */
static inline double dt_model_stepped(const dt_model_network *n, int64_t l)
{
    return 2 + 2 * (double)n->states + (l > 1);
}

/* What a worker does in a phase of a layer. */
typedef struct dt_model_task {
    dt_phase phase;
    int64_t l;
    double rows; /* of the minibatch */
    double part; /* of the layer's units, or blocks */
    bool stores; /* a gradient that goes to a buffer: weights aren't stepped */
} dt_model_task;

/* Seconds by a law. */
double dt_model_law_seconds(const dt_model_law *law, const dt_model_network *network, const dt_model_task *task);

/* What of the rank's work is whose. */
typedef struct dt_model_parts {
    const dt_model_network *network; /* of the rank: its own samples */
    dt_model_strategy strategy;
    int64_t workers;
} dt_model_parts;

static inline bool dt_model_has_slices(dt_model_strategy strategy)
{
    return strategy == DT_MODEL_OWNER || strategy == DT_MODEL_SPLIT;
}

/* The worker's own rows: whole shards. */
double dt_model_rows(const dt_model_parts *parts, int64_t worker);

/* Bytes of a worker's phase of a layer. */
dt_model_traffic dt_model_phase_traffic(const dt_model_parts *parts, dt_phase phase, int64_t l, int64_t worker);

#endif
