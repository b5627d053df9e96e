/* The figures of the derivation with real numbers: one unit's gates, or a whole small network.
 *
 * Above each wire stands the value on it, below it the gradient of the cost by that value, both with their names.
 */
#ifndef DT_CIRCUIT_FIGURE_H
#define DT_CIRCUIT_FIGURE_H

#include <stdint.h>

#include "circuit/drawing.h"
#include "circuit/numbers.h"
#include "deltoid/status.h"

/* The `count` inputs that matter most (at most `most`), by |dC/dw^l_jk|, then by |w^l_jk a^{l-1}_k|; ascending in k. */
enum { DT_INPUTS_SHOWN_MAX = 64 };
int64_t dt_unit_pick(const dt_unit_numbers *numbers, int64_t most, int64_t k[DT_INPUTS_SHOWN_MAX]);

/* The unit's circuit, with the `most` inputs of dt_unit_pick, and the others as one. `heading` may be NULL. */
void dt_figure_unit(dt_drawing *drawing, const dt_unit_numbers *numbers, int64_t most, const char *heading);

/* A whole network, its units as boxes. DT_INVALID for more than DT_FIGURE_UNITS_MAX units, inputs included. */
enum { DT_FIGURE_UNITS_MAX = 48 };
dt_status dt_figure_network(dt_drawing *drawing, const dt_network_numbers *network, const char *heading,
                            dt_error *error);

#endif
