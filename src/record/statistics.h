/* Statistics of a watched step, made by the workers while its numbers are near, for one capture rule.
 *
 * Over a layer: z, a, delta over all samples shown (the minibatch, or the rule's rows of the training set) and all
 * units; W, b, dW, db over all elements. Per unit: over samples; over the unit's weights. With n numbers x:
 *
 *     mean = sum x / n      std = sqrt(sum x^2 / n - mean^2)     min, max, absmax = max |x|     zeros = #{x = 0} / n
 *     norm = sqrt(sum x^2)  histogram, log_histogram: kernels/summary.h's keys, counted
 *     cosine = g.g' / (|g| |g'|) with the gradient g' that the rule captured before
 *     update_ratio = |W_after - W_before| / |W_before|, of the optimizer's update in this step, in the run's precision
 * (before max_norm cuts)
 *
 * The gradient noise scale (McCandlish et al. 2018, arXiv 1812.06162, appendix A): with the minibatch's mean gradient
 * g_B and mean gradients g_b of parts of b samples,
 *
 *     |G|^2 = (|g_B|^2 / b - |g_b|^2 / B) / (1/b - 1/B)      S = (|g_b|^2 - |g_B|^2) / (1/b - 1/B)     S / |G|^2
 *
 * where |g_b|^2 and 1/b are means over the parts: the samples (b = 1), whose norms are |delta_i|^2 (|a_i|^2 + 1) a
 * layer, or the shards (train/norms.h). NaN where there is nothing to divide by: one sample, one shard, no gradient
 * before, no numbers.
 *
 * The same bits for any number of workers: sums are made of parts that no worker cuts (a shard's samples; a block of
 * the parameters) and joined in their order by `finish`. Nothing is allocated in a step.
 */
#ifndef DT_RECORD_STATISTICS_H
#define DT_RECORD_STATISTICS_H

#include "deltoid/observer.h"
#include "record/capture_layout.h"

typedef struct dt_statistics dt_statistics;

/* The layout is borrowed. */
dt_status dt_statistics_create(dt_statistics **statistics, const dt_capture_layout *layout, dt_error *error);
/* Bytes that create takes. */
dt_status dt_statistics_measure(const dt_capture_layout *layout, size_t *bytes, dt_error *error);
void dt_statistics_destroy(dt_statistics *statistics); /* NULL is allowed */

/* Does the rule need to see updates (dt_observer.updated)? */
bool dt_statistics_compares(const dt_capture_layout *layout);

/* An observer's calls, see deltoid/observer.h. `finish` writes the step's statistics to their places in the slot, and
 * `samples` the norms of the samples. */
void dt_statistics_begin(dt_statistics *s);
void dt_statistics_samples(dt_statistics *s, const dt_step_view *view, int64_t first, int64_t count, char *slot);
const void *dt_statistics_ahead(const dt_statistics *s, const dt_slice *slice);
void dt_statistics_slice(dt_statistics *s, const dt_step_view *view, const dt_slice *slice);
void dt_statistics_updated(dt_statistics *s, const dt_step_view *view, const dt_slice *slice);
void dt_statistics_finish(dt_statistics *s, const dt_step_view *view, char *slot);

/* What a resumed run needs, see dt_capture_state_save: one rule's part of it. Size 0 without a cosine. */
size_t dt_statistics_state_size(const dt_statistics *s);
void dt_statistics_state_save(const dt_statistics *s, void *bytes);
void dt_statistics_state_load(dt_statistics *s, const void *bytes);

#endif
