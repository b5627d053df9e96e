#include "record/statistics.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "kernels/summary.h"
#include "train/step.h"

enum { LINEAR, LOG, HISTOGRAMS };

/* One quantity of one layer. Parts are shards of samples (z, a, delta), blocks (W, dW) or panels of units (b, db). */
typedef struct group {
    uint32_t layer, unit; /* sets of 1u << dt_statistic: of the layer, and of each unit */
    bool moments;         /* are wanted of the layer */
    int64_t units, parts;
    int64_t column, lanes;            /* W, dW: blocks a panel; units a panel */
    dt_moments *part;                 /* [parts] */
    dt_moments *unit_part;            /* [shards or column][units], in whole panels */
    double *product;                  /* [parts]: with the gradient before; or square of what the update changed */
    uint32_t *tally[HISTOGRAMS];      /* [worker][DT_TALLY] */
    uint32_t *unit_tally[HISTOGRAMS]; /* [worker][units][bins] */
    dt_moments total;
    double total_product;
} group;

struct dt_statistics {
    const dt_capture_layout *layout;
    const dt_summaries *k;
    int64_t samples, shards; /* at most, that are shown */
    int64_t bins[HISTOGRAMS];
    bool dirty;    /* a step has begun and not ended */
    bool measures; /* nothing is allocated, its size added up: */
    size_t bytes;
    group group[DT_LAYERS_MAX + 1][DT_QUANTITIES];
    uint8_t *keys; /* [worker][DT_KEYS], apart */

    bool norms, of_shards;               /* squares of samples, of shards are wanted */
    double *a_square[DT_LAYERS_MAX + 1]; /* [sample]: |a^l|^2 */
    double *delta_square[DT_LAYERS_MAX + 1];
    double *shard_square[DT_LAYERS_MAX + 1]; /* [shard]: |sum_i delta_i (x) a_i|^2 */
    char *scratch;
    size_t scratch_bytes; /* a worker's */

    char *previous; /* gradient, laid out as the parameter vector; NULL: no cosine */
    size_t block_bytes, vector_bytes;
    int64_t remembers;                            /* 1: there is one */
    double previous_square[DT_LAYERS_MAX + 1][2]; /* of W, b */
};

static bool is_of_samples(int q)
{
    return q == DT_QUANTITY_Z || q == DT_QUANTITY_A || q == DT_QUANTITY_DELTA;
}

static const dt_statistic histograms[HISTOGRAMS] = {DT_STATISTIC_HISTOGRAM, DT_STATISTIC_LOG_HISTOGRAM};
static const uint32_t any_histogram = 1u << DT_STATISTIC_HISTOGRAM | 1u << DT_STATISTIC_LOG_HISTOGRAM;

bool dt_statistics_compares(const dt_capture_layout *layout)
{
    return (layout->rule->statistics[DT_QUANTITY_W] | layout->rule->statistics[DT_QUANTITY_B]) >>
               DT_STATISTIC_UPDATE_RATIO &
           1u;
}

/* --- making --- */

/* Zeroed memory; where it is only measured, the size alone, and a pointer that nobody follows. */
static void *take(dt_statistics *s, size_t count, size_t size)
{
    size_t bytes;
    if (!s->measures)
        return dt_allocate_zeroed(count, size);
    s->bytes = dt_multiply(count, size, &bytes) && bytes < SIZE_MAX - s->bytes ? s->bytes + bytes : SIZE_MAX;
    return s;
}

/* What the layout's sets need. */
static void ask(dt_statistics *s)
{
    const dt_capture_layout *layout = s->layout;
    for (size_t i = 0; i < layout->count; i++) {
        const dt_capture_set *set = &layout->sets[i];
        if (set->source == DT_FROM_MOMENTS) {
            group *g = &s->group[set->layer][set->quantity];
            *(set->item->per_unit ? &g->unit : &g->layer) |= 1u << set->item->statistic;
        }
        s->norms |= set->source == DT_FROM_NORMS || (set->source == DT_FROM_NOISE && set->part < DT_NOISE_PARTS);
        s->of_shards |= set->source == DT_FROM_NOISE && set->part >= DT_NOISE_PARTS;
        for (int64_t l = 1; set->source == DT_FROM_NOISE && l <= layout->layers; l++) /* |g_B|^2 */
            s->group[l][DT_QUANTITY_DW].moments = s->group[l][DT_QUANTITY_DB].moments = true;
    }
}

static bool make_tallies(dt_statistics *s, group *g)
{
    const size_t workers = (size_t)s->layout->workers;
    for (int h = 0; h < HISTOGRAMS; h++) {
        const uint32_t bit = 1u << histograms[h];
        if (g->layer & bit && !(g->tally[h] = take(s, workers * DT_TALLY, sizeof(uint32_t))))
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
    group *g = &s->group[l][q];
    g->moments |= (g->layer & ~any_histogram) != 0;
    if (!g->moments && !g->layer && !g->unit)
        return true;
    g->units = layout->units[l];
    g->lanes = lanes;
    const int64_t panels = dt_ceil_div(g->units, lanes);
    g->column = l > 0 ? dt_ceil_div(layout->units[l - 1] + 1, lanes) : 0;
    const bool matrix = q == DT_QUANTITY_W || q == DT_QUANTITY_DW;
    g->parts = is_of_samples(q) ? s->shards : matrix ? panels * g->column : panels;
    const int64_t across = is_of_samples(q) ? s->shards : g->column;
    g->part = take(s, (size_t)g->parts, sizeof *g->part);
    g->product = take(s, (size_t)g->parts, sizeof *g->product);
    if (!g->part || !g->product)
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
    return (s->previous = take(s, s->vector_bytes, 1)) != NULL;
}

/* All of it but the object itself. */
static bool make(dt_statistics *s, const dt_capture_layout *layout)
{
    const bool rows = layout->rule->samples == DT_SAMPLES_ROWS;
    s->layout = layout;
    s->k = dt_summaries_of(layout->precision);
    s->samples = rows ? layout->samples : layout->batch;
    s->shards = rows ? s->samples : dt_ceil_div(s->samples, layout->shard_size); /* however the trainer shares rows */
    for (int h = 0; h < HISTOGRAMS; h++)
        s->bins[h] = dt_histogram_bins(&layout->rule->histogram, histograms[h]);
    ask(s);
    bool made = make_norms(s) && make_memory(s) && (s->keys = take(s, (size_t)layout->workers, DT_KEYS)) != NULL;
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
            group *g = &s->group[l][q];
            dt_release(g->part);
            dt_release(g->unit_part);
            dt_release(g->product);
            for (int h = 0; h < HISTOGRAMS; h++) {
                dt_release(g->tally[h]);
                dt_release(g->unit_tally[h]);
            }
        }
        dt_release(s->a_square[l]);
        dt_release(s->delta_square[l]);
        dt_release(s->shard_square[l]);
    }
    dt_release(s->keys);
    dt_release(s->scratch);
    dt_release(s->previous);
    dt_release(s);
}

/* --- numbers come by --- */

/* Counts n numbers, number i of unit first + i % width. */
static void count(const dt_statistics *s, const group *g, int64_t worker, int64_t n, const char *x, int64_t first,
                  int64_t width)
{
    const size_t element = dt_precision_size(s->layout->precision);
    uint8_t *key = s->keys + worker * DT_KEYS;
    for (int h = 0; h < HISTOGRAMS; h++) {
        if (!g->tally[h] && !g->unit_tally[h])
            continue;
        for (int64_t i = 0; i < n; i += DT_KEYS) {
            const int64_t some = dt_min(DT_KEYS, n - i);
            (h == LINEAR ? s->k->keys : s->k->log_keys)(some, x + (size_t)i * element, &s->layout->rule->histogram,
                                                        key);
            if (g->tally[h])
                s->k->tally(some, key, g->tally[h] + worker * DT_TALLY);
            for (int64_t j = 0; g->unit_tally[h] && j < some; j++)
                g->unit_tally[h][(worker * g->units + first + (i + j) % width) * s->bins[h] + key[j]]++;
        }
    }
}

/* One shard's rows of z, a or delta. */
static void add_rows(const dt_statistics *s, group *g, int64_t worker, int64_t shard, dt_matrix_view rows)
{
    const size_t element = dt_precision_size(s->layout->precision);
    const int64_t width = dt_ceil_div(g->units, g->lanes) * g->lanes;
    dt_moments *unit = g->unit_part ? g->unit_part + shard * width : NULL;
    g->part[shard] = DT_NO_MOMENTS;
    for (int64_t j = 0; unit && j < g->units; j++)
        unit[j] = DT_NO_MOMENTS;
    for (int64_t j = 0; (g->moments || unit) && j < g->units; j += g->lanes)
        s->k->moments(rows.rows, dt_min(g->lanes, g->units - j), (const char *)rows.data + (size_t)j * element,
                      rows.stride, g->moments ? &g->part[shard] : NULL, unit ? unit + j : NULL);
    if ((g->layer | g->unit) & any_histogram)
        for (int64_t r = 0; r < rows.rows; r++)
            count(s, g, worker, g->units, (const char *)rows.data + (size_t)(r * rows.stride) * element, 0, g->units);
}

/* |x|^2 of each row. */
static void add_squares(const dt_statistics *s, dt_matrix_view rows, double *square)
{
    const size_t element = dt_precision_size(s->layout->precision);
    for (int64_t r = 0; r < rows.rows; r++) {
        const char *x = (const char *)rows.data + (size_t)(r * rows.stride) * element;
        square[r] = s->k->dot(rows.columns, x, x);
    }
}

/* |dC_i/dW^l|^2 and |dC_i/db^l|^2 of sample i. */
static double weights_square(const dt_statistics *s, int64_t l, int64_t i)
{
    return s->delta_square[l][i] * s->a_square[l - 1][i];
}

static double all_square(const dt_statistics *s, int64_t i)
{
    double sum = 0;
    for (int64_t l = 1; l <= s->layout->layers; l++)
        sum += weights_square(s, l, i) + s->delta_square[l][i];
    return sum;
}

/* The norms of samples first .. first+count-1 to their places. */
static void put_norms(const dt_statistics *s, int64_t first, int64_t last, char *slot)
{
    last = dt_min(last, s->layout->samples);
    for (size_t n = 0; n < s->layout->count; n++) {
        const dt_capture_set *set = &s->layout->sets[n];
        double *to = (double *)(void *)(slot + set->offset);
        for (int64_t i = first; set->source == DT_FROM_NORMS && i < last; i++)
            to[i] = sqrt(set->part == DT_EXTRA_GRADIENT_NORM ? all_square(s, i)
                         : set->part == DT_EXTRA_DW_NORM     ? weights_square(s, set->layer, i)
                                                             : s->delta_square[set->layer][i]);
    }
}

static void add_norms(dt_statistics *s, const dt_step_view *view, int64_t first, int64_t n, char *slot)
{
    for (int64_t l = 0; l < s->layout->layers; l++) {
        add_squares(s, dt_step_samples(view, DT_QUANTITY_A, l, first, n), s->a_square[l] + first);
        add_squares(s, dt_step_samples(view, DT_QUANTITY_DELTA, l + 1, first, n), s->delta_square[l + 1] + first);
    }
    put_norms(s, first, first + n, slot);
}

void dt_statistics_begin(dt_statistics *s)
{
    const size_t workers = (size_t)s->layout->workers;
    for (int64_t l = 0; s->dirty && l <= s->layout->layers; l++)
        for (int q = 0; q < DT_QUANTITIES; q++)
            for (int h = 0; h < HISTOGRAMS; h++) {
                group *g = &s->group[l][q];
                if (g->tally[h])
                    memset(g->tally[h], 0, workers * DT_TALLY * sizeof(uint32_t));
                if (g->unit_tally[h])
                    memset(g->unit_tally[h], 0, workers * (size_t)(g->units * s->bins[h]) * sizeof(uint32_t));
            }
    s->dirty = true;
}

void dt_statistics_samples(dt_statistics *s, const dt_step_view *view, int64_t first, int64_t n, char *slot)
{
    static const int quantities[] = {DT_QUANTITY_Z, DT_QUANTITY_A, DT_QUANTITY_DELTA};
    for (int64_t i = first; i < first + n; i += view->shard_size) {
        const int64_t rows = dt_min(view->shard_size, first + n - i), shard = i / view->shard_size;
        for (int64_t l = 0; l <= view->layers; l++) {
            for (int j = 0; j < 3; j++) {
                group *g = &s->group[l][quantities[j]];
                if (g->part)
                    add_rows(s, g, view->worker, shard, dt_step_samples(view, (dt_quantity)quantities[j], l, i, rows));
            }
            if (s->of_shards && l > 0)
                s->shard_square[l][shard] =
                    dt_step_norm_square(view, l, i, rows, s->scratch + (size_t)view->worker * s->scratch_bytes);
        }
    }
    if (s->norms && n > 0)
        add_norms(s, view, first, n, slot);
}

/* Numbers of one block: its `rows` of weights, and where its bias row lies (-1: in another block). */
typedef struct block {
    const char *x;
    int64_t index, panel, rows, bias, lanes;
} block;

static block block_at(const dt_block_view *v, int64_t n, size_t block_bytes)
{
    const int64_t index = v->first + n, k = index % v->column * v->lanes, panel = index / v->column;
    const int64_t bias = v->inputs - k;
    return (block){.x = (const char *)v->numbers + (size_t)n * block_bytes,
                   .index = index,
                   .panel = panel,
                   .rows = dt_max(0, dt_min(v->lanes, bias)),
                   .bias = bias >= 0 && bias < v->lanes ? bias : -1,
                   .lanes = dt_min(v->lanes, v->units - panel * v->lanes)};
}

/* `rows` rows of a block, as part `part` of the group. */
static void add_block(const dt_statistics *s, group *g, int64_t worker, const block *b, int64_t part, int64_t rows,
                      const char *x)
{
    const size_t element = dt_precision_size(s->layout->precision);
    const int64_t width = dt_ceil_div(g->units, g->lanes) * g->lanes, first = b->panel * g->lanes;
    dt_moments *unit = g->unit_part ? g->unit_part + b->index % g->column * width + first : NULL;
    g->part[part] = DT_NO_MOMENTS;
    for (int64_t j = 0; unit && j < b->lanes; j++)
        unit[j] = DT_NO_MOMENTS;
    if (rows == 0)
        return;
    if (g->moments || unit)
        s->k->moments(rows, b->lanes, x, g->lanes, g->moments ? &g->part[part] : NULL, unit);
    if (!((g->layer | g->unit) & any_histogram))
        return;
    if (b->lanes == g->lanes)
        count(s, g, worker, rows * g->lanes, x, first, g->lanes);
    for (int64_t r = 0; b->lanes < g->lanes && r < rows; r++)
        count(s, g, worker, b->lanes, x + (size_t)(r * g->lanes) * element, first, b->lanes);
}

/* A block's weights and biases, to the groups of one array. */
static void add_parameters(dt_statistics *s, int64_t worker, const block *b, group *W, group *bias)
{
    const size_t row = (size_t)s->k->lanes * dt_precision_size(s->layout->precision);
    if (W->part)
        add_block(s, W, worker, b, b->index, b->rows, b->x);
    if (bias->part && b->bias >= 0)
        add_block(s, bias, worker, b, b->panel, 1, b->x + (size_t)b->bias * row);
}

static bool wants(const group *g, dt_statistic statistic)
{
    return g->layer >> statistic & 1u;
}

void dt_statistics_slice(dt_statistics *s, const dt_step_view *view, dt_slice slice)
{
    group *g = s->group[slice.l];
    const dt_block_view W = dt_step_blocks(view, DT_STEP_PARAMETERS, 0, slice);
    const dt_block_view dW = dt_step_blocks(view, DT_STEP_GRADIENT, 0, slice);
    const bool cosine =
        wants(&g[DT_QUANTITY_DW], DT_STATISTIC_COSINE) || wants(&g[DT_QUANTITY_DB], DT_STATISTIC_COSINE);
    for (int64_t n = 0; n < W.count; n++) {
        const block w = block_at(&W, n, s->block_bytes);
        add_parameters(s, view->worker, &w, &g[DT_QUANTITY_W], &g[DT_QUANTITY_B]);
        if (!slice.gradient) /* hogwild */
            continue;
        const block d = block_at(&dW, n, s->block_bytes);
        add_parameters(s, view->worker, &d, &g[DT_QUANTITY_DW], &g[DT_QUANTITY_DB]);
        if (!cosine)
            continue;
        char *before = s->previous + (size_t)(dW.number + n) * s->block_bytes;
        const size_t row = (size_t)W.lanes * dt_precision_size(s->layout->precision);
        if (d.rows > 0) {
            const double dot = s->k->dot_keep(d.rows * W.lanes, d.x, before);
            if (g[DT_QUANTITY_DW].part)
                g[DT_QUANTITY_DW].product[d.index] = dot;
        }
        if (d.bias >= 0) {
            const double dot = s->k->dot_keep(W.lanes, d.x + (size_t)d.bias * row, before + (size_t)d.bias * row);
            if (g[DT_QUANTITY_DB].part)
                g[DT_QUANTITY_DB].product[d.panel] = dot;
        }
        for (size_t line = 0; line < s->block_bytes; line += DT_CACHE_LINE) /* of the block that comes next */
            __builtin_prefetch(before + s->block_bytes + line, 1);
    }
}

void dt_statistics_updated(dt_statistics *s, const dt_step_view *view, dt_slice slice)
{
    group *g = s->group[slice.l];
    if (!wants(&g[DT_QUANTITY_W], DT_STATISTIC_UPDATE_RATIO) && !wants(&g[DT_QUANTITY_B], DT_STATISTIC_UPDATE_RATIO))
        return;
    const dt_block_view after = dt_step_blocks(view, DT_STEP_PARAMETERS, 0, slice);
    const dt_block_view before = dt_step_blocks(view, DT_STEP_BEFORE, 0, slice);
    for (int64_t n = 0; n < after.count; n++) {
        const block b = block_at(&after, n, s->block_bytes);
        const size_t row = (size_t)after.lanes * dt_precision_size(s->layout->precision);
        const char *y = (const char *)before.numbers + (size_t)n * s->block_bytes;
        if (g[DT_QUANTITY_W].part)
            g[DT_QUANTITY_W].product[b.index] = s->k->distance(b.rows * after.lanes, b.x, y);
        if (g[DT_QUANTITY_B].part && b.bias >= 0)
            g[DT_QUANTITY_B].product[b.panel] =
                s->k->distance(after.lanes, b.x + (size_t)b.bias * row, y + (size_t)b.bias * row);
    }
}

/* --- what they come to --- */

static void total(group *g, int64_t parts)
{
    g->total = DT_NO_MOMENTS;
    g->total_product = 0;
    for (int64_t i = 0; i < parts; i++) {
        dt_moments_join(&g->total, &g->part[i]);
        g->total_product += g->product[i];
    }
}

static double of_moments(dt_statistic statistic, const dt_moments *m, int64_t n)
{
    const double count = (double)n, mean = m->sum / count;
    if (n == 0)
        return NAN;
    switch (statistic) {
    case DT_STATISTIC_MEAN:
        return mean;
    case DT_STATISTIC_STD: {
        const double variance = m->square / count - mean * mean;
        return sqrt(variance > 0 || isnan(variance) ? variance : 0);
    }
    case DT_STATISTIC_MIN:
        return m->min <= m->max ? m->min : NAN;
    case DT_STATISTIC_MAX:
        return m->min <= m->max ? m->max : NAN;
    case DT_STATISTIC_ABSMAX:
        return m->min <= m->max ? fmax(fabs(m->min), fabs(m->max)) : NAN;
    case DT_STATISTIC_ZEROS:
        return (double)m->zeros / count;
    case DT_STATISTIC_NORM:
        return sqrt(m->square);
    default:
        return NAN;
    }
}

static double of_layer(const dt_statistics *s, const dt_capture_set *set, const group *g, int64_t n)
{
    const bool bias = set->quantity == DT_QUANTITY_DB;
    switch (set->item->statistic) {
    case DT_STATISTIC_COSINE: {
        const double norms = sqrt(g->total.square) * sqrt(s->previous_square[set->layer][bias]);
        return s->remembers && norms > 0 ? g->total_product / norms : NAN;
    }
    case DT_STATISTIC_UPDATE_RATIO:
        return g->total.square > 0 ? sqrt(g->total_product) / sqrt(g->total.square) : NAN;
    default:
        return of_moments(set->item->statistic, &g->total, n);
    }
}

static void put_units(const dt_statistics *s, const dt_capture_set *set, const group *g, int64_t across, int64_t n,
                      double *to)
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

static void put_counts(const dt_statistics *s, const dt_capture_set *set, const group *g, int64_t *to)
{
    const int h = set->item->statistic == DT_STATISTIC_LOG_HISTOGRAM ? LOG : LINEAR;
    const int32_t *place = s->layout->place[set->layer];
    const int64_t bins = s->bins[h];
    memset(to, 0, set->bytes);
    for (int64_t t = 0; t < s->layout->workers; t++) {
        const uint32_t *tally = g->tally[h] + t * DT_TALLY;
        for (int64_t i = 0; !set->item->per_unit && i < bins; i++)
            to[i] += (int64_t)tally[i] + tally[DT_KEYS + i] + tally[2 * DT_KEYS + i] + tally[3 * DT_KEYS + i];
        for (int64_t j = 0; set->item->per_unit && j < g->units; j++)
            for (int64_t i = 0; (!place || place[j] >= 0) && i < bins; i++)
                to[(place ? place[j] : j) * bins + i] += g->unit_tally[h][(t * g->units + j) * bins + i];
    }
    if (set->item->per_unit)
        memset(g->unit_tally[h], 0, (size_t)(s->layout->workers * g->units * bins) * sizeof(uint32_t));
    else
        memset(g->tally[h], 0, (size_t)s->layout->workers * DT_TALLY * sizeof(uint32_t));
}

static void put_statistic(const dt_statistics *s, const dt_step_view *view, const dt_capture_set *set, char *slot)
{
    const group *g = &s->group[set->layer][set->quantity];
    const bool samples = is_of_samples(set->quantity);
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
        sum += weights_square(s, l, i) + s->delta_square[l][i];
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
        big += s->group[i][DT_QUANTITY_DW].total.square + s->group[i][DT_QUANTITY_DB].total.square;
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
                total(&s->group[l][q],
                      is_of_samples(q) ? dt_ceil_div(view->batch, view->shard_size) : s->group[l][q].parts);
    for (size_t i = DT_SET_FIRST_QUANTITY; i < s->layout->count; i++) {
        const dt_capture_set *set = &s->layout->sets[i];
        if (set->source == DT_FROM_MOMENTS)
            put_statistic(s, view, set, slot);
        else if (set->source == DT_FROM_NOISE)
            *(double *)(void *)(slot + set->offset) = noise(s, view, set->layer, set->part);
    }
    for (int64_t l = 1; s->previous && l <= s->layout->layers; l++) {
        s->previous_square[l][0] = s->group[l][DT_QUANTITY_DW].total.square;
        s->previous_square[l][1] = s->group[l][DT_QUANTITY_DB].total.square;
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
    memcpy(to + squares_bytes(s), s->previous, s->vector_bytes);
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
