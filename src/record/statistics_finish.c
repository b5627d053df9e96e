/* What a step's numbers come to, and what is remembered of them. */
#include <math.h>
#include <string.h>

#include "record/statistics_state.h"
#include "train/step.h"

static void total(dt_statistics_group *g, int64_t workers, int64_t parts)
{
    dt_sums sums = {0, 0};
    double product = 0;
    for (int64_t i = 0; i < parts; i++) {
        dt_sums_join(&sums, &g->part[i]);
        product += g->product[i];
    }
    g->total = (dt_moments){sums, DT_NO_ENDS};
    g->total_product = product;
    for (int64_t t = 0; t < workers; t++)
        dt_ends_join(&g->total.ends, &g->seen[t].ends);
}

static double of_moments(dt_statistic statistic, const dt_moments *m, int64_t n)
{
    const double count = (double)n, mean = m->sums.sum / count;
    if (n == 0)
        return NAN;
    switch (statistic) {
    case DT_STATISTIC_MEAN:
        return mean;
    case DT_STATISTIC_STD: {
        const double variance = m->sums.square / count - mean * mean;
        return sqrt(variance > 0 || isnan(variance) ? variance : 0);
    }
    case DT_STATISTIC_MIN:
        return m->ends.min <= m->ends.max ? m->ends.min : NAN;
    case DT_STATISTIC_MAX:
        return m->ends.min <= m->ends.max ? m->ends.max : NAN;
    case DT_STATISTIC_ABSMAX:
        return m->ends.min <= m->ends.max ? fmax(fabs(m->ends.min), fabs(m->ends.max)) : NAN;
    case DT_STATISTIC_ZEROS:
        return (double)m->ends.zeros / count;
    case DT_STATISTIC_NORM:
        return sqrt(m->sums.square);
    default:
        return NAN;
    }
}

static double of_layer(const dt_statistics *s, const dt_capture_set *set, const dt_statistics_group *g, int64_t n)
{
    const bool bias = set->quantity == DT_QUANTITY_DB;
    switch (set->item->statistic) {
    case DT_STATISTIC_COSINE: {
        const double norms = sqrt(g->total.sums.square) * sqrt(s->previous_square[set->layer][bias]);
        return s->remembers && norms > 0 ? g->total_product / norms : NAN;
    }
    case DT_STATISTIC_UPDATE_RATIO:
        return g->total.sums.square > 0 ? sqrt(g->total_product) / sqrt(g->total.sums.square) : NAN;
    default:
        return of_moments(set->item->statistic, &g->total, n);
    }
}

static void put_units(const dt_statistics *s, const dt_capture_set *set, const dt_statistics_group *g, int64_t across,
                      int64_t n, double *to)
{
    const int64_t width = dt_ceil_div(g->units, g->lanes) * g->lanes;
    const int32_t *place = s->layout->place[set->layer];
    for (int64_t j = 0; j < g->units; j++) {
        if (place && place[j] < 0)
            continue;
        dt_moments m = DT_NO_MOMENTS;
        for (int64_t i = 0; i < across; i++)
            dt_moments_join(&m, &g->unit_part[i * width + j]);
        to[place ? place[j] : j] = of_moments(set->item->statistic, &m, n);
    }
}

static void put_counts(const dt_statistics *s, const dt_capture_set *set, const dt_statistics_group *g, int64_t *to)
{
    const int h = set->item->statistic == DT_STATISTIC_LOG_HISTOGRAM ? DT_LOG : DT_LINEAR;
    const int32_t *place = s->layout->place[set->layer];
    const int64_t bins = s->bins[h];
    memset(to, 0, set->bytes);
    for (int64_t t = 0; t < s->layout->workers; t++) {
        if (set->item->per_unit) {
            for (int64_t j = 0; j < g->units; j++)
                for (int64_t i = 0; (!place || place[j] >= 0) && i < bins; i++)
                    to[(place ? place[j] : j) * bins + i] += g->unit_tally[h][(t * g->units + j) * bins + i];
            continue;
        }
        dt_counter *tally = &g->tally[h][t];
        s->k->count(tally, &s->edges);
        for (int64_t i = 0; i < bins; i++)
            to[i] +=
                tally->count[0][i] + tally->count[1][i] + tally->count[2][i] + tally->count[3][i]; /* modulo 2^32 */
        for (int i = 0; i < 4; i++)
            memset(tally->count[i], 0, (size_t)bins * sizeof *tally->count[i]);
    }
    if (set->item->per_unit)
        memset(g->unit_tally[h], 0, (size_t)(s->layout->workers * g->units * bins) * sizeof(uint32_t));
}

static void put_statistic(const dt_statistics *s, const dt_step_view *view, const dt_capture_set *set, char *slot)
{
    const dt_statistics_group *g = &s->group[set->layer][set->quantity];
    const bool samples = dt_is_of_samples(set->quantity);
    const bool matrix = set->quantity == DT_QUANTITY_W || set->quantity == DT_QUANTITY_DW;
    const int64_t a_unit = samples ? view->batch : matrix ? s->layout->units[set->layer - 1] : 1;
    void *to = slot + set->offset;
    if (set->integers)
        put_counts(s, set, g, to);
    else if (set->item->per_unit)
        put_units(s, set, g, samples ? dt_ceil_div(view->batch, view->shard_size) : g->column, a_unit, to);
    else
        *(double *)to = of_layer(s, set, g, g->units * a_unit);
}

/* --- the noise scale --- */

/* Means over parts of the minibatch: of the square of their mean gradient's norm, and of 1 / samples. */
typedef struct parts {
    double square, inverse;
} parts;

static parts of_samples(const dt_statistics *s, int64_t l, int64_t batch)
{
    double sum = 0;
    for (int64_t i = 0; i < batch; i++)
        sum += dt_weights_square(s, l, i) + s->delta_square[l][i];
    return (parts){sum / (double)batch, 1};
}

static parts of_shards(const dt_statistics *s, int64_t l, int64_t batch, int64_t shard_size)
{
    const int64_t shards = dt_ceil_div(batch, shard_size);
    parts p = {0, 0};
    for (int64_t i = 0; i < shards; i++) {
        const double n = (double)dt_min(shard_size, batch - i * shard_size);
        p.square += s->shard_square[l][i] / (n * n);
        p.inverse += 1 / n;
    }
    return (parts){p.square / (double)shards, p.inverse / (double)shards};
}

/* Of layer l, or with -1 of all. */
static double noise(const dt_statistics *s, const dt_step_view *view, int64_t l, int part)
{
    const bool shards = part >= DT_NOISE_PARTS;
    const int64_t B = view->minibatch, first = l < 0 ? 1 : l, last = l < 0 ? s->layout->layers : l;
    double big = 0, small = 0, inverse = 1;
    for (int64_t i = first; i <= last; i++) {
        const parts p = shards ? of_shards(s, i, B, view->shard_size) : of_samples(s, i, B);
        big += s->group[i][DT_QUANTITY_DW].total.sums.square + s->group[i][DT_QUANTITY_DB].total.sums.square;
        small += p.square;
        inverse = p.inverse;
    }
    const double less = inverse - 1 / (double)B;
    if (B <= (shards ? view->shard_size : 1))
        return NAN;
    const double trace = (small - big) / less, gradient = (big * inverse - small / (double)B) / less;
    switch (part % DT_NOISE_PARTS) {
    case DT_NOISE_SCALE:
        return gradient != 0 ? trace / gradient : NAN;
    case DT_NOISE_GRADIENT:
        return gradient;
    default:
        return trace;
    }
}

void dt_statistics_finish(dt_statistics *s, const dt_step_view *view, char *slot)
{
    for (int64_t l = 0; l <= s->layout->layers; l++)
        for (int q = 0; q < DT_QUANTITIES; q++)
            if (s->group[l][q].moments)
                total(&s->group[l][q], s->layout->workers,
                      dt_is_of_samples(q) ? dt_ceil_div(view->batch, view->shard_size) : s->group[l][q].parts);
    for (size_t i = DT_SET_FIRST_QUANTITY; i < s->layout->count; i++) {
        const dt_capture_set *set = &s->layout->sets[i];
        if (set->source == DT_FROM_MOMENTS)
            put_statistic(s, view, set, slot);
        else if (set->source == DT_FROM_NOISE)
            *(double *)(void *)(slot + set->offset) = noise(s, view, set->layer, set->part);
    }
    for (int64_t l = 1; s->previous && l <= s->layout->layers; l++) {
        s->previous_square[l][0] = s->group[l][DT_QUANTITY_DW].total.sums.square;
        s->previous_square[l][1] = s->group[l][DT_QUANTITY_DB].total.sums.square;
    }
    s->remembers = s->previous != NULL;
    s->dirty = false;
}

/* --- what a resumed run needs --- */

static size_t squares_bytes(const dt_statistics *s)
{
    return (size_t)s->layout->layers * sizeof s->previous_square[0];
}

size_t dt_statistics_state_size(const dt_statistics *s)
{
    return s->previous ? sizeof s->remembers + squares_bytes(s) + s->vector_bytes : 0;
}

void dt_statistics_state_save(const dt_statistics *s, void *bytes)
{
    char *to = bytes;
    if (!s->previous)
        return;
    memcpy(to, &s->remembers, sizeof s->remembers);
    memcpy(to += sizeof s->remembers, s->previous_square[1], squares_bytes(s));
    to += squares_bytes(s);
    if (s->remembers)
        memcpy(to, s->previous, s->vector_bytes);
    else
        memset(to, 0, s->vector_bytes);
}

void dt_statistics_state_load(dt_statistics *s, const void *bytes)
{
    const char *from = bytes;
    if (!s->previous)
        return;
    memcpy(&s->remembers, from, sizeof s->remembers);
    memcpy(s->previous_square[1], from += sizeof s->remembers, squares_bytes(s));
    memcpy(s->previous, from + squares_bytes(s), s->vector_bytes);
}
