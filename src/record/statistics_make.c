/* The memory of a rule's statistics. */
#include "base/memory.h"
#include "record/statistics_state.h"
#include "train/step.h"

static const dt_statistic histograms[DT_HISTOGRAMS] = {DT_STATISTIC_HISTOGRAM, DT_STATISTIC_LOG_HISTOGRAM};
static const uint32_t any_histogram = 1u << DT_STATISTIC_HISTOGRAM | 1u << DT_STATISTIC_LOG_HISTOGRAM;

bool dt_statistics_compares(const dt_capture_layout *layout)
{
    return (layout->rule->statistics[DT_QUANTITY_W] | layout->rule->statistics[DT_QUANTITY_B]) >>
               DT_STATISTIC_UPDATE_RATIO &
           1u;
}

/* Where memory is only measured: adds up its size, and gives a pointer that nobody follows. */
static void *measured(dt_statistics *s, size_t bytes)
{
    s->bytes = bytes < SIZE_MAX - s->bytes ? s->bytes + bytes : SIZE_MAX;
    return s;
}

/* Zeroed memory. */
static void *take(dt_statistics *s, size_t count, size_t size)
{
    size_t bytes;
    if (!s->measures)
        return dt_allocate_zeroed(count, size);
    return measured(s, dt_multiply(count, size, &bytes) ? bytes : SIZE_MAX);
}

/* Memory that every step goes through, not touched yet. */
static void *take_hot(dt_statistics *s, size_t count, size_t size)
{
    size_t bytes;
    if (!s->measures)
        return dt_allocate_hot(count, size);
    return measured(s, dt_multiply(count, size, &bytes) && bytes <= PTRDIFF_MAX ? dt_hot_bytes(bytes) : SIZE_MAX);
}

/* What the layout's sets need. */
static void ask(dt_statistics *s)
{
    const dt_capture_layout *layout = s->layout;
    for (size_t i = 0; i < layout->count; i++) {
        const dt_capture_set *set = &layout->sets[i];
        if (set->source == DT_FROM_MOMENTS) {
            dt_statistics_group *g = &s->group[set->layer][set->quantity];
            *(set->item->per_unit ? &g->unit : &g->layer) |= 1u << set->item->statistic;
        }
        s->norms |= set->source == DT_FROM_NORMS || (set->source == DT_FROM_NOISE && set->part < DT_NOISE_PARTS);
        s->of_shards |= set->source == DT_FROM_NOISE && set->part >= DT_NOISE_PARTS;
        for (int64_t l = 1; set->source == DT_FROM_NOISE && l <= layout->layers; l++) /* |g_B|^2 */
            s->group[l][DT_QUANTITY_DW].moments = s->group[l][DT_QUANTITY_DB].moments = true;
    }
}

static bool make_tallies(dt_statistics *s, dt_statistics_group *g)
{
    const size_t workers = (size_t)s->layout->workers;
    for (int h = 0; h < DT_HISTOGRAMS; h++) {
        const uint32_t bit = 1u << histograms[h];
        if (g->layer & bit && !(g->tally[h] = take(s, workers, sizeof(dt_counter))))
            return false;
        if (g->unit & bit && !(g->unit_tally[h] = take(s, workers * (size_t)(g->units * s->bins[h]), sizeof(uint32_t))))
            return false;
    }
    return true;
}

static bool make_group(dt_statistics *s, int64_t l, int q)
{
    const dt_capture_layout *layout = s->layout;
    const int64_t lanes = s->k->lanes;
    dt_statistics_group *g = &s->group[l][q];
    g->moments |= (g->layer & ~any_histogram) != 0;
    if (!g->moments && !g->layer && !g->unit)
        return true;
    g->units = layout->units[l];
    g->lanes = lanes;
    const int64_t panels = dt_ceil_div(g->units, lanes);
    g->column = l > 0 ? dt_ceil_div(layout->units[l - 1] + 1, lanes) : 0;
    const bool matrix = q == DT_QUANTITY_W || q == DT_QUANTITY_DW;
    g->parts = dt_is_of_samples(q) ? s->shards : matrix ? panels * g->column : panels;
    const int64_t across = dt_is_of_samples(q) ? s->shards : g->column;
    g->part = take(s, (size_t)g->parts, sizeof *g->part);
    g->product = take(s, (size_t)g->parts, sizeof *g->product);
    g->seen = take(s, (size_t)layout->workers, sizeof *g->seen);
    if (!g->part || !g->product || !g->seen)
        return false;
    if (g->unit & ~any_histogram && !(g->unit_part = take(s, (size_t)(across * panels * lanes), sizeof *g->unit_part)))
        return false;
    return make_tallies(s, g);
}

static bool make_norms(dt_statistics *s)
{
    const dt_capture_layout *layout = s->layout;
    for (int64_t l = 0; s->norms && l <= layout->layers; l++)
        if (!(s->a_square[l] = take(s, (size_t)s->samples, sizeof(double))) ||
            !(s->delta_square[l] = take(s, (size_t)s->samples, sizeof(double))))
            return false;
    for (int64_t l = 1; s->of_shards && l <= layout->layers; l++)
        if (!(s->shard_square[l] = take(s, (size_t)s->shards, sizeof(double))))
            return false;
    if (!s->of_shards)
        return true;
    const size_t line = DT_CACHE_LINE;
    const size_t bytes = dt_step_norm_scratch(layout->precision, layout->layers, layout->units, layout->shard_size);
    s->scratch_bytes = (bytes + line - 1) / line * line;
    return (s->scratch = take(s, (size_t)layout->workers, s->scratch_bytes)) != NULL;
}

static bool make_memory(dt_statistics *s)
{
    const dt_capture_layout *layout = s->layout;
    s->block_bytes = dt_step_block_bytes(layout->precision);
    if (!((layout->rule->statistics[DT_QUANTITY_DW] | layout->rule->statistics[DT_QUANTITY_DB]) >> DT_STATISTIC_COSINE &
          1u))
        return true;
    s->vector_bytes = (size_t)dt_step_block_count(layout->precision, layout->layers, layout->units) * s->block_bytes;
    return (s->previous = take_hot(s, s->vector_bytes, 1)) != NULL;
}

/* All of it but the object itself. */
static bool make(dt_statistics *s, const dt_capture_layout *layout)
{
    const bool rows = layout->rule->samples == DT_SAMPLES_ROWS;
    s->layout = layout;
    s->k = dt_summaries_of(layout->precision);
    s->samples = rows ? layout->samples : layout->batch;
    s->shards = rows ? s->samples : dt_ceil_div(s->samples, layout->shard_size); /* however the trainer shares rows */
    for (int h = 0; h < DT_HISTOGRAMS; h++)
        s->bins[h] = dt_histogram_bins(&layout->rule->histogram, histograms[h]);
    s->edges = dt_bins_of(&layout->rule->histogram);
    ask(s);
    bool made = make_norms(s) && make_memory(s);
    for (int64_t l = 0; made && l <= layout->layers; l++)
        for (int q = 0; made && q < DT_QUANTITIES; q++)
            made = make_group(s, l, q);
    return made;
}

dt_status dt_statistics_create(dt_statistics **statistics, const dt_capture_layout *layout, dt_error *error)
{
    *statistics = dt_allocate_zeroed(1, sizeof **statistics);
    if (*statistics && make(*statistics, layout))
        return DT_OK;
    dt_statistics_destroy(*statistics);
    *statistics = NULL;
    return dt_fail_memory(error, "a capture's statistics");
}

dt_status dt_statistics_measure(const dt_capture_layout *layout, size_t *bytes, dt_error *error)
{
    dt_statistics *s = dt_allocate_zeroed(1, sizeof *s);
    if (!s)
        return dt_fail_memory(error, "a capture's statistics");
    s->measures = true;
    s->bytes = sizeof *s;
    (void)make(s, layout);
    *bytes = s->bytes;
    dt_release(s);
    return DT_OK;
}

void dt_statistics_destroy(dt_statistics *s)
{
    if (!s)
        return;
    for (int64_t l = 0; l <= DT_LAYERS_MAX; l++) {
        for (int q = 0; q < DT_QUANTITIES; q++) {
            dt_statistics_group *g = &s->group[l][q];
            dt_release(g->part);
            dt_release(g->unit_part);
            dt_release(g->product);
            dt_release(g->seen);
            for (int h = 0; h < DT_HISTOGRAMS; h++) {
                dt_release(g->tally[h]);
                dt_release(g->unit_tally[h]);
            }
        }
        dt_release(s->a_square[l]);
        dt_release(s->delta_square[l]);
        dt_release(s->shard_square[l]);
    }
    dt_release(s->scratch);
    dt_release(s->previous);
    dt_release(s);
}
