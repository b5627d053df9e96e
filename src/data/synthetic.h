/* Data made from the seed: no file, and the same numbers everywhere.
 *
 * Row i of a part is a pure function of (seed, part, i): rows of class i mod K, or drawn; each generator says how, and
 * its keys' defaults stand in its line of the table. `jitter` is the deviation of a normal number added to every input.
 */
#ifndef DT_DATA_SYNTHETIC_H
#define DT_DATA_SYNTHETIC_H

#include "deltoid/dataset.h"
#include "deltoid/tables.h"

const dt_entry *dt_generator_at(size_t i); /* NULL past the last */

dt_status dt_synthetic_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error);

#endif
