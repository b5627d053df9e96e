/* split: as owner, and a layer with more weights than activations goes forward by units, each worker its own for all
 * samples. Its weights then stay in the cache of the worker that updates them, and activations travel instead, at the
 * price of a barrier. The inputs, which all workers would read, each has a copy of. */
#include "parallel/reduction.h"

const dt_reduction dt_reduction_split = {
    .entry = {"split", "as owner, and wide layers go forward by units, so that weights stay with their worker",
              "deterministic; no gradient buffers; the fastest where cores are far from each other"},
    .deterministic = true,
    .units = true,
    .local = dt_reducer_no_local,
    .sum = dt_reducer_form_all,
};
