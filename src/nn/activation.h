/* Activation functions: a = sigma(z), equation (2), and the sigma'(z) of equation (4).
 *
 * Value and derivative live in one struct, so they cannot drift apart. To add one, write its two functions in
 * activation.c and add one line to the table there: experiments, help texts, the gradient checks and the tests find it
 * by that line.
 */
#ifndef DT_NN_ACTIVATION_H
#define DT_NN_ACTIVATION_H

#include <stdbool.h>

#include "deltoid/tables.h"
#include "kernels/real.h"

typedef struct dt_activation {
    dt_entry entry;

    /* a[j] = sigma(z[j]) for n units. z and a may be the same array. `parameter` is the one that sigma has, if it has
     * one: dt_activation_parameter (deltoid/experiment.h). */
    void (*value)(int64_t n, double parameter, const dt_real *z, dt_real *a);

    /* delta[j] *= sigma'(z[j]) for n units, given z and a = sigma(z). At a kink, the subgradient that the entry's note
     * names. */
    void (*derivative)(int64_t n, double parameter, const dt_real *z, const dt_real *a, dt_real *delta);

    bool needs_z; /* derivative reads z; else z may be a, and a sample's z need not be kept */
} dt_activation;

enum { DT_ACTIVATION_COUNT = 18 };

DT_DECLARE_VARIANTS(dt_activation, dt_activations, [DT_ACTIVATION_COUNT])

#endif
