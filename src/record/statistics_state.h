/* What a rule's statistics keep between the calls of statistics.h: made by statistics_make.c, filled by the workers in
 * statistics.c, brought together in statistics_finish.c.
 */
#ifndef DT_RECORD_STATISTICS_STATE_H
#define DT_RECORD_STATISTICS_STATE_H

#include "base/memory.h"
#include "base/split.h"
#include "kernels/summary.h"
#include "record/statistics.h"

enum { DT_LINEAR, DT_LOG, DT_HISTOGRAMS };

/* What one worker has seen of a quantity. */
typedef struct dt_seen {
    _Alignas(DT_CACHE_LINE) dt_ends ends;
} dt_seen;

/* One quantity of one layer. Parts are shards of samples (z, a, delta), blocks (W, dW) or panels of units (b, db). */
typedef struct dt_statistics_group {
    uint32_t layer, unit; /* sets of 1u << dt_statistic: of the layer, and of each unit */
    bool moments;         /* are wanted of the layer */
    int64_t units, parts;
    int64_t column, lanes;               /* W, dW: blocks a panel; units a panel */
    dt_sums *part;                       /* [parts] */
    dt_seen *seen;                       /* [worker] */
    dt_moments *unit_part;               /* [shards or column][units], in whole panels */
    double *product;                     /* [parts]: with the gradient before; or square of what the update changed */
    dt_counter *tally[DT_HISTOGRAMS];    /* [worker] */
    uint32_t *unit_tally[DT_HISTOGRAMS]; /* [worker][units][bins] */
    dt_moments total;
    double total_product;
} dt_statistics_group;

struct dt_statistics {
    const dt_capture_layout *layout;
    const dt_summaries *k;
    int64_t samples, shards; /* at most, that are shown */
    int64_t bins[DT_HISTOGRAMS];
    dt_bins edges;
    bool dirty;    /* a step has begun and not ended */
    bool measures; /* nothing is allocated, its size added up: */
    size_t bytes;
    dt_statistics_group group[DT_LAYERS_MAX + 1][DT_QUANTITIES];

    bool norms, of_shards;               /* squares of samples, of shards are wanted */
    double *a_square[DT_LAYERS_MAX + 1]; /* [sample]: |a^l|^2 */
    double *delta_square[DT_LAYERS_MAX + 1];
    double *shard_square[DT_LAYERS_MAX + 1]; /* [shard]: |sum_i delta_i (x) a_i|^2 */
    char *scratch;
    size_t scratch_bytes; /* a worker's */

    char *previous; /* gradient, laid out as the parameter vector, undefined before the first; NULL: no cosine */
    size_t block_bytes, vector_bytes;
    int64_t remembers;                            /* 1: there is one */
    double previous_square[DT_LAYERS_MAX + 1][2]; /* of W, b */
};

static inline bool dt_is_of_samples(int q)
{
    return q == DT_QUANTITY_Z || q == DT_QUANTITY_A || q == DT_QUANTITY_DELTA;
}

/* |dC_i/dW^l|^2 and |dC_i/db^l|^2 of sample i. */
static inline double dt_weights_square(const dt_statistics *s, int64_t l, int64_t i)
{
    return s->delta_square[l][i] * s->a_square[l - 1][i];
}

#endif
