/* tree: every worker adds its shards into its own buffers, in tree order; then each adds all buffers over its own
 * slice, in the tree's order. The default. With one worker there is nothing to join, and a block is used where it was
 * formed. */
#include "parallel/reduction.h"

const dt_reduction dt_reduction_tree = {
    .entry = {"tree", "buffers of each worker, added over slices in a fixed tree", "deterministic; the default"},
    .deterministic = true,
    .buffers = true,
    .local = dt_reducer_fill_buffers,
    .sum = dt_reducer_join,
};
