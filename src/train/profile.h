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
    int64_t workers, layers;
    const int64_t *units;  /* (layers + 1); borrowed */
    size_t real;           /* bytes of a number */
    size_t element;        /* bytes of a number in the data set */
    bool formed_in_slices; /* each worker forms its own slice of dW over all samples */
} dt_profile_shape;

dt_status dt_profile_create(dt_profile **profile, const dt_profile_shape *shape, dt_error *error);
void dt_profile_destroy(dt_profile *profile);

/* [worker] Its sheet; and after a step: the samples of its own rows and of the whole minibatch. */
dt_laps *dt_profile_laps(dt_profile *profile, int64_t worker);
void dt_profile_count(dt_profile *profile, int64_t worker, int64_t own, int64_t batch);

bool dt_profile_row_at(const dt_profile *profile, size_t i, dt_profile_row *row);

#endif
