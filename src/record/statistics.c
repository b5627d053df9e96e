/* Numbers come by: the workers' calls, in a step. */
#include "record/statistics.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "record/statistics_state.h"
#include "train/step.h"

/* Sums up `rows` rows of n <= lanes numbers, and keeps their keys. */
static void survey_some(const dt_statistics *s, const dt_statistics_group *g, int64_t worker, int64_t rows, int64_t n,
                        const char *x, int64_t stride, dt_moments *all)
{
    uint8_t *key[DT_HISTOGRAMS] = {NULL};
    for (int h = 0; h < DT_HISTOGRAMS; h++) {
        if (!g->keys[h])
            continue;
        dt_keys *keys = &g->keys[h][worker];
        if (keys->count + rows * n > DT_KEYS_AT_ONCE)
            dt_count_kept(s, g, h, worker);
        key[h] = keys->key + keys->count;
        keys->count += rows * n;
    }
    s->k->survey(rows, n, x, stride, &s->edges, all, key[DT_LINEAR], key[DT_LOG]);
}

/* The same of a row of n numbers: `lanes` wide as far as they go. */
static void survey_row(const dt_statistics *s, const dt_statistics_group *g, int64_t worker, int64_t n, const char *x,
                       dt_moments *all)
{
    enum { ROWS = 4 * DT_CHAIN }; /* at once */
    const size_t element = dt_precision_size(s->layout->precision);
    const int64_t lanes = g->lanes, whole = n / lanes;
    for (int64_t r = 0; r < whole; r += ROWS)
        survey_some(s, g, worker, dt_min(ROWS, whole - r), lanes, x + (size_t)(r * lanes) * element, lanes, all);
    if (n % lanes)
        survey_some(s, g, worker, 1, n % lanes, x + (size_t)(whole * lanes) * element, lanes, all);
}

/* Counts rows of n numbers, number j of unit first + j. */
static void count_units(const dt_statistics *s, const dt_statistics_group *g, int64_t worker, int64_t rows, int64_t n,
                        const char *x, int64_t stride, int64_t first)
{
    enum { SOME = 512 };
    const size_t element = dt_precision_size(s->layout->precision);
    uint8_t key[SOME];
    for (int h = 0; h < DT_HISTOGRAMS; h++)
        for (int64_t r = 0; g->unit_tally[h] && r < rows; r++)
            for (int64_t j = 0; j < n; j += SOME) {
                const int64_t some = dt_min(SOME, n - j);
                uint32_t *tally = g->unit_tally[h] + (worker * g->units + first + j) * s->bins[h];
                (h == DT_LINEAR ? s->k->keys : s->k->log_keys)(some, x + (size_t)(r * stride + j) * element, &s->edges,
                                                               key);
                for (int64_t i = 0; i < some; i++)
                    tally[i * s->bins[h] + key[i]]++;
            }
}

/* Is anything but units' wanted? */
static bool of_layer(const dt_statistics_group *g)
{
    return g->moments || g->keys[DT_LINEAR] || g->keys[DT_LOG];
}

/* One shard's rows of z, a or delta. */
static void add_rows(const dt_statistics *s, dt_statistics_group *g, int64_t worker, int64_t shard, dt_matrix_view rows)
{
    const size_t element = dt_precision_size(s->layout->precision);
    const int64_t width = dt_ceil_div(g->units, g->lanes) * g->lanes;
    dt_moments *unit = g->unit_part ? g->unit_part + shard * width : NULL;
    g->part[shard] = DT_NO_MOMENTS;
    for (int64_t j = 0; unit && j < g->units; j++)
        unit[j] = DT_NO_MOMENTS;
    for (int64_t r = 0; of_layer(g) && r < rows.rows; r++)
        survey_row(s, g, worker, g->units, (const char *)rows.data + (size_t)(r * rows.stride) * element,
                   &g->part[shard]);
    count_units(s, g, worker, rows.rows, g->units, rows.data, rows.stride, 0);
    for (int64_t j = 0; unit && j < g->units; j += g->lanes)
        s->k->moments(rows.rows, dt_min(g->lanes, g->units - j), (const char *)rows.data + (size_t)j * element,
                      rows.stride, NULL, unit + j);
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

static double all_square(const dt_statistics *s, int64_t i)
{
    double sum = 0;
    for (int64_t l = 1; l <= s->layout->layers; l++)
        sum += dt_weights_square(s, l, i) + s->delta_square[l][i];
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
                         : set->part == DT_EXTRA_DW_NORM     ? dt_weights_square(s, set->layer, i)
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
            for (int h = 0; h < DT_HISTOGRAMS; h++) {
                dt_statistics_group *g = &s->group[l][q];
                if (g->tally[h])
                    memset(g->tally[h], 0, workers * DT_TALLY * sizeof(uint32_t));
                for (size_t t = 0; g->keys[h] && t < workers; t++)
                    g->keys[h][t].count = 0;
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
                dt_statistics_group *g = &s->group[l][quantities[j]];
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
static void add_block(const dt_statistics *s, dt_statistics_group *g, int64_t worker, const block *b, int64_t part,
                      int64_t rows, const char *x)
{
    const int64_t width = dt_ceil_div(g->units, g->lanes) * g->lanes, first = b->panel * g->lanes;
    dt_moments *unit = g->unit_part ? g->unit_part + b->index % g->column * width + first : NULL;
    g->part[part] = DT_NO_MOMENTS;
    for (int64_t j = 0; unit && j < b->lanes; j++)
        unit[j] = DT_NO_MOMENTS;
    if (of_layer(g))
        survey_some(s, g, worker, rows, b->lanes, x, g->lanes, &g->part[part]);
    count_units(s, g, worker, rows, b->lanes, x, g->lanes, first);
    if (unit)
        s->k->moments(rows, b->lanes, x, g->lanes, NULL, unit);
}

/* A block's weights and biases, to the groups of one array. */
static void add_parameters(dt_statistics *s, int64_t worker, const block *b, dt_statistics_group *W,
                           dt_statistics_group *bias)
{
    const size_t row = (size_t)s->k->lanes * dt_precision_size(s->layout->precision);
    if (W->part)
        add_block(s, W, worker, b, b->index, b->rows, b->x);
    if (bias->part && b->bias >= 0)
        add_block(s, bias, worker, b, b->panel, 1, b->x + (size_t)b->bias * row);
}

static bool wants(const dt_statistics_group *g, dt_statistic statistic)
{
    return g->layer >> statistic & 1u;
}

/* The product of a block's gradient with that before, which it becomes. */
static void add_products(const dt_statistics *s, const dt_statistics_group *g, const block *d, char *before)
{
    const size_t row = (size_t)s->k->lanes * dt_precision_size(s->layout->precision);
    if (d->rows > 0) {
        const double dot = s->k->dot_keep(d->rows * s->k->lanes, d->x, before);
        if (g[DT_QUANTITY_DW].part)
            g[DT_QUANTITY_DW].product[d->index] = dot;
    }
    if (d->bias >= 0) {
        const size_t at = (size_t)d->bias * row;
        const double dot = s->k->dot_keep(s->k->lanes, d->x + at, before + at);
        if (g[DT_QUANTITY_DB].part)
            g[DT_QUANTITY_DB].product[d->panel] = dot;
    }
}

void dt_statistics_slice(dt_statistics *s, const dt_step_view *view, const dt_slice *slice)
{
    dt_statistics_group *g = s->group[slice->l];
    if (!g[DT_QUANTITY_W].part && !g[DT_QUANTITY_B].part && !g[DT_QUANTITY_DW].part && !g[DT_QUANTITY_DB].part)
        return;
    const dt_block_view W = dt_step_blocks(view, DT_STEP_PARAMETERS, 0, slice);
    const bool cosine =
        wants(&g[DT_QUANTITY_DW], DT_STATISTIC_COSINE) || wants(&g[DT_QUANTITY_DB], DT_STATISTIC_COSINE);
    for (int64_t n = 0; n < W.count; n++) {
        block b = block_at(&W, n, s->block_bytes);
        add_parameters(s, view->worker, &b, &g[DT_QUANTITY_W], &g[DT_QUANTITY_B]);
        if (!slice->gradient) /* hogwild */
            continue;
        char *before = cosine ? s->previous + (size_t)(W.number + n) * s->block_bytes : NULL;
        for (size_t line = 0; cosine && line < s->block_bytes; line += DT_CACHE_LINE) /* of the block below: it comes */
            __builtin_prefetch(before + s->block_bytes + line, 1);                    /* soon */
        b.x = (const char *)slice->gradient + (size_t)n * s->block_bytes;
        add_parameters(s, view->worker, &b, &g[DT_QUANTITY_DW], &g[DT_QUANTITY_DB]);
        if (cosine)
            add_products(s, g, &b, before);
    }
}

void dt_statistics_updated(dt_statistics *s, const dt_step_view *view, const dt_slice *slice)
{
    dt_statistics_group *g = s->group[slice->l];
    if (!wants(&g[DT_QUANTITY_W], DT_STATISTIC_UPDATE_RATIO) && !wants(&g[DT_QUANTITY_B], DT_STATISTIC_UPDATE_RATIO))
        return;
    const dt_block_view after = dt_step_blocks(view, DT_STEP_PARAMETERS, 0, slice);
    for (int64_t n = 0; n < after.count; n++) {
        const block b = block_at(&after, n, s->block_bytes);
        const size_t row = (size_t)after.lanes * dt_precision_size(s->layout->precision);
        const char *y = (const char *)slice->before + (size_t)n * s->block_bytes;
        if (g[DT_QUANTITY_W].part)
            g[DT_QUANTITY_W].product[b.index] = s->k->distance(b.rows * after.lanes, b.x, y);
        if (g[DT_QUANTITY_B].part && b.bias >= 0)
            g[DT_QUANTITY_B].product[b.panel] =
                s->k->distance(after.lanes, b.x + (size_t)b.bias * row, y + (size_t)b.bias * row);
    }
}
