/* auto: the deterministic strategy that moves the least between processors. Which it is changes no bit. */
#include "parallel/reduction.h"

/* Between workers travel, with split: activations and deltas; with owner: those and half the weights; with tree: half
 * of the weights and of every worker's buffer. */
static const dt_reduction *choose(const int64_t *units, int64_t layers, int64_t samples, int64_t workers)
{
    int64_t activations = 0, weights = 0;
    for (int64_t l = 1; l <= layers; l++) {
        activations += samples * (units[l - 1] + units[l]);
        weights += units[l] * (units[l - 1] + 1);
    }
    if (dt_reduction_by_units(&dt_reduction_split, units[1], samples, workers))
        return &dt_reduction_split;
    return activations < weights ? &dt_reduction_owner : &dt_reduction_tree;
}

const dt_reduction dt_reduction_auto = {
    .entry = {"auto", "tree, owner or split, whichever moves the least between workers", "deterministic"},
    .deterministic = true,
    .choose = choose,
};
