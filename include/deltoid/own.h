/* A program's own activations and costs: registered by name, then used in experiments like those of the tables, and
 * checked by the same checks (deltoid/check.h).
 *
 * They are scalar functions in double, called for each unit of each sample: as fast as that is. In float32 their
 * results are rounded. Give them only operations that are the same everywhere if the weights must be.
 *
 *     static double value(double z) { return z * z; }
 *     static double derivative(double z) { return 2 * z; }
 *     dt_activation_register(&(dt_own_activation){{"square", "z^2", ""}, value, derivative}, &error);
 *
 * Threads: register before the first trainer is created, from one thread. The functions are then called on all workers
 * at once.
 */
#ifndef DELTOID_OWN_H
#define DELTOID_OWN_H

#include <stdint.h>

#include "status.h"
#include "tables.h"

#pragma GCC visibility push(default)

enum { DT_OWN_MAX = 16, DT_OWN_LOSS_UNITS = 4096 }; /* of each kind; the widest last layer an own cost may have */

typedef struct dt_own_activation {
    dt_entry entry;                 /* name: letters, digits and '_' */
    double (*value)(double z);      /* sigma(z), equation (2) */
    double (*derivative)(double z); /* sigma'(z), equation (4), or a subgradient at a kink */
} dt_own_activation;

typedef struct dt_own_loss {
    dt_entry entry;
    /* C_i of one sample from z^L (units) and the right class y; writes delta[j] = dC_i/dz_j, equation (3). NULL where
     * data with classes make no sense. */
    double (*cost)(int64_t units, const double *z, int64_t y, double *delta);
    /* The same for data with targets t (units); may be NULL: none. */
    double (*cost_of_targets)(int64_t units, const double *z, const double *t, double *delta);
} dt_own_loss;

/* The structure is copied, its strings are borrowed for the rest of the program. DT_EXISTS where the name is taken,
 * DT_INVALID where it is no name, a function is missing, or DT_OWN_MAX are registered. */
dt_status dt_activation_register(const dt_own_activation *own, dt_error *error);
dt_status dt_loss_register(const dt_own_loss *own, dt_error *error);

/* The i-th that was registered, NULL past the last. */
const dt_own_activation *dt_own_activation_at(size_t i);
const dt_own_loss *dt_own_loss_at(size_t i);

#pragma GCC visibility pop

#endif
