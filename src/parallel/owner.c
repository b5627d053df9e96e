/* owner: no gradient buffers. After the barrier each worker forms its own slice of the gradient over all shards, in the
 * same tree. */
#include "parallel/reduction.h"

const dt_reduction dt_reduction_owner = {
    .entry = {"owner", "each worker forms its slice over all shards, in the same tree",
              "deterministic; no gradient buffers"},
    .deterministic = true,
    .local = dt_reducer_no_local,
    .sum = dt_reducer_form_all,
};
