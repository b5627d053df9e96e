/* The profile of a trainer's steps (deltoid/profile.h): a sheet of laps for each worker. */
#ifndef DT_TRAIN_PROFILE_H
#define DT_TRAIN_PROFILE_H

#include "base/split.h"
#include "deltoid/experiment.h"
#include "deltoid/profile.h"
#include "parallel/laps.h"

typedef struct dt_profile dt_profile;

/* What the figures of a row follow from. */
typedef struct dt_profile_shape {
    int64_t workers, groups, layers, shard_size;
    const int64_t *units; /* (layers + 1); borrowed */
    size_t real;          /* bytes of a number */
    size_t element;       /* bytes of a number in the data set */
    bool buffers;         /* dW of more than one shard goes through buffers; else each worker forms its own slice */
    bool sparse;          /* layer 1 skips inputs that are 0, and has no buffers */
    bool shared;          /* and is added into one gradient */
    bool free;            /* each worker steps all weights by its own shards' dW */
} dt_profile_shape;

dt_status dt_profile_create(dt_profile **profile, const dt_profile_shape *shape, dt_error *error);
void dt_profile_destroy(dt_profile *profile);

/* The worker's slice, to be filled in before the first step: parameters[l] of layer l lie in it, l = 1 .. L, and each
 * has `states` numbers of the optimizer beside it. */
typedef struct dt_profile_slice {
    int64_t *parameters;
    int64_t states;
} dt_profile_slice;
dt_profile_slice *dt_profile_slice_of(dt_profile *profile, int64_t worker);

dt_laps *dt_profile_laps(dt_profile *profile, int64_t worker);

/* Around a run of steps, by the thread that starts the team: each worker's time is all that lies between, also what
 * passes before the team has started and until it has ended. */
void dt_profile_begin(dt_profile *profile);
void dt_profile_end(dt_profile *profile);

/* Inputs that a step's sparse rows held. */
typedef struct dt_profile_inputs {
    int64_t own, batch; /* of the worker's rows; of the whole minibatch */
    int64_t columns;    /* different ones, and the biases' */
    bool in_place;      /* only their weights were stepped */
} dt_profile_inputs;

/* After a step of the worker: the samples of its own rows and of the whole minibatch; `inputs` of a sparse one. */
void dt_profile_count(dt_profile *profile, int64_t worker, int64_t own, int64_t batch, const dt_profile_inputs *inputs);

bool dt_profile_row_at(const dt_profile *profile, size_t i, dt_profile_row *row);

#endif
