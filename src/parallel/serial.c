/* serial: as tree, but one worker adds all buffers and updates while the others wait: what the sliced sum is measured
 * against. */
#include "parallel/reduction.h"

const dt_reduction dt_reduction_serial = {
    .entry = {"serial", "buffers of each worker, added by one worker in a fixed tree", "deterministic"},
    .deterministic = true,
    .buffers = true,
    .one_sums = true,
    .local = dt_reducer_fill_buffers,
    .sum = dt_reducer_join,
};
