/* The figures of the derivation with real numbers: one unit's gates, or a whole small network.
 *
 * Above each wire stands the value on it, below it the gradient of the cost by that value, both with their names.
 */
#ifndef DT_CIRCUIT_FIGURE_H
#define DT_CIRCUIT_FIGURE_H

#include <stdint.h>

#include "circuit/drawing.h"
#include "deltoid/circuit.h"

/* What there is to know of unit j of layer l in one sample. Filled from a circuit by dt_unit_numbers_create, or by
 * hand from a captured step. */
typedef struct dt_unit_numbers {
    int64_t layers, l, j;   /* L; l from 1, j from 0 */
    int64_t inputs;         /* units of layer l - 1 */
    const char *activation; /* name of sigma^l; NULL on layer L */
    const char *loss;       /* name of the cost, for layer L */
    const double *w, *a;    /* (inputs) w^l_jk and a^{l-1}_k */
    double sum, b, z;       /* without and with the bias */
    double value;           /* a^l_j; on layer L: C */
    double delta;           /* dC/dz^l_j */
    double back;            /* dC/da^l_j = (delta^{l+1})^T w^{l+1}_.j; 1 on layer L */
} dt_unit_numbers;

/* Of a circuit that was run. `room` holds 2 * inputs numbers, that `numbers` borrows. */
dt_status dt_unit_numbers_from_circuit(dt_unit_numbers *numbers, const dt_network_circuit *network, int64_t l,
                                       int64_t j, double *room, dt_error *error);

/* The `count` inputs that matter most (at most `most`), by |dC/dw^l_jk|, then by |w^l_jk a^{l-1}_k|; ascending in k. */
enum { DT_INPUTS_SHOWN_MAX = 64 };
int64_t dt_unit_pick(const dt_unit_numbers *numbers, int64_t most, int64_t k[DT_INPUTS_SHOWN_MAX]);

/* The unit's circuit, with the `most` inputs of dt_unit_pick, and the others as one. `heading` may be NULL. */
void dt_figure_unit(dt_drawing *drawing, const dt_unit_numbers *numbers, int64_t most, const char *heading);

/* A whole network, its units as boxes. DT_INVALID for more than DT_FIGURE_UNITS_MAX units, inputs included. */
enum { DT_FIGURE_UNITS_MAX = 48 };
dt_status dt_figure_network(dt_drawing *drawing, const dt_network_circuit *network, const char *heading,
                            dt_error *error);

#endif
