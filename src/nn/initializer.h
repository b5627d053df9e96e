/* Initial weights, drawn from Philox numbers keyed by (seed, layer, index of the weight): the same for any network
 * layout, precision and thread. Biases start at 0. To add one, write its function and one line in the table in
 * initializer.c.
 */
#ifndef DT_NN_INITIALIZER_H
#define DT_NN_INITIALIZER_H

#include <stdint.h>

#include "deltoid/status.h"
#include "deltoid/tables.h"

typedef struct dt_initializer {
    dt_entry entry;

    /* A weight of a layer with fan_in inputs and fan_out units, from u, uniform in (0, 1), and the initializer's
     * parameter (dt_init_parameter, deltoid/experiment.h). NULL: `matrix`. */
    double (*weight)(double u, double parameter, double fan_in, double fan_out);

    /* All weights of layer l, W (units, inputs), where they depend on each other. DT_NO_MEMORY. */
    dt_status (*matrix)(uint64_t seed, int64_t l, int64_t inputs, int64_t units, double parameter, double *W,
                        dt_error *error);
} dt_initializer;

/* NULL past the last. */
const dt_initializer *dt_initializer_at(size_t i);

/* w^l_jk, k = index % inputs, j = index / inputs, of an initializer that has `weight`. */
double dt_initial_weight(const dt_initializer *initializer, double parameter, uint64_t seed, int64_t l, int64_t inputs,
                         int64_t units, int64_t index);

#endif
