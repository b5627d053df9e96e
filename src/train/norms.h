/* Norms of gradients that are never formed: those of single samples and of shards.
 *
 * With the bias as weight of a 1 behind a, the gradient of layer l over some samples is G = sum_i delta_i (x) a_i, so
 *
 *     |G|^2 = sum_ii' (delta_i . delta_i') (a_i . a_i')
 *
 * and of one sample |delta_i|^2 |a_i|^2. Compiled in both precisions.
 */
#ifndef DT_TRAIN_NORMS_H
#define DT_TRAIN_NORMS_H

#include "train/pass.h"

/* Numbers of scratch that a worker needs for shards of so many samples. */
#define dt_pass_norm_scratch DT_R(dt_pass_norm_scratch)
size_t dt_pass_norm_scratch(int64_t layers, const int64_t *units, int64_t shard_size);

/* |sum_i delta_i (x) a_i|^2 over the rows of layer l, weights and biases; products in the pass's precision, summed in
 * double. */
#define dt_pass_norm_square DT_R(dt_pass_norm_square)
double dt_pass_norm_square(const dt_pass *pass, int64_t l, dt_span rows, dt_real *scratch);

#endif
