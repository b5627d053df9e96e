/* Numbers come by: the workers' calls, in a step. */
#include "record/statistics.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "record/statistics_state.h"
#include "train/step.h"

enum { TOGETHER = 8 }; /* parts that are surveyed at once, at most */

static void survey_parts(const dt_statistics *s, const dt_statistics_group *g, int64_t worker, const dt_parts *parts,
                         void *before, double *product, dt_sums *to)
{
    const dt_survey wanted = {.bins = &s->edges,
                              .linear = g->tally[DT_LINEAR] ? &g->tally[DT_LINEAR][worker] : NULL,
                              .log = g->tally[DT_LOG] ? &g->tally[DT_LOG][worker] : NULL,
                              .before = before,
                              .product = product};
    s->k->survey(parts, &wanted, to, &g->seen[worker].ends);
}

/* Parts as one. */
static void survey_together(const dt_statistics *s, const dt_statistics_group *g, int64_t worker, const dt_parts *parts,
                            dt_sums *all)
{
    dt_sums part[TOGETHER];
    survey_parts(s, g, worker, parts, NULL, NULL, part);
    for (int64_t i = 0; i < parts->count; i++)
        dt_sums_join(all, &part[i]);
}

/* Rows of samples: the lanes run along them, and across samples over what is left at their ends. */
static void survey_rows(const dt_statistics *s, const dt_statistics_group *g, int64_t worker, const dt_matrix_view *v,
                        dt_sums *all)
{
    const size_t element = dt_precision_size(s->layout->precision);
    const int64_t lanes = g->lanes, whole = g->units / lanes, left = g->units % lanes;
    const char *x = v->data;
    for (int64_t r = 0; r < whole; r += DT_CHAIN)
        for (int64_t i = 0; i < v->rows; i += TOGETHER) {
            const dt_parts parts = {.x = x + (size_t)(i * v->stride + r * lanes) * element,
                                    .count = dt_min(TOGETHER, v->rows - i),
                                    .apart = v->stride,
                                    .rows = dt_min(DT_CHAIN, whole - r),
                                    .n = lanes,
                                    .stride = lanes};
            survey_together(s, g, worker, &parts, all);
        }
    for (int64_t i = 0; left > 0 && i < v->rows; i += DT_CHAIN) {
        const dt_parts parts = {.x = x + (size_t)(i * v->stride + whole * lanes) * element,
                                .count = 1,
                                .rows = dt_min(DT_CHAIN, v->rows - i),
                                .n = left,
                                .stride = v->stride};
        survey_together(s, g, worker, &parts, all);
    }
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
    return g->moments || g->tally[DT_LINEAR] || g->tally[DT_LOG];
}

/* One shard's rows of z, a or delta. */
static void add_rows(const dt_statistics *s, dt_statistics_group *g, int64_t worker, int64_t shard, dt_matrix_view rows)
{
    const size_t element = dt_precision_size(s->layout->precision);
    const int64_t width = dt_ceil_div(g->units, g->lanes) * g->lanes;
    dt_moments *unit = g->unit_part ? g->unit_part + shard * width : NULL;
    g->part[shard] = (dt_sums){0, 0};
    for (int64_t j = 0; unit && j < g->units; j++)
        unit[j] = DT_NO_MOMENTS;
    if (of_layer(g))
        survey_rows(s, g, worker, &rows, &g->part[shard]);
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

/* Takes back what a step that never ended has counted. */
static void forget_counts(const dt_statistics *s, dt_statistics_group *g)
{
    const size_t workers = (size_t)s->layout->workers;
    for (int h = 0; h < DT_HISTOGRAMS; h++) {
        if (g->tally[h])
            memset(g->tally[h], 0, workers * sizeof *g->tally[h]);
        if (g->unit_tally[h])
            memset(g->unit_tally[h], 0, workers * (size_t)(g->units * s->bins[h]) * sizeof(uint32_t));
    }
}

void dt_statistics_begin(dt_statistics *s)
{
    for (int64_t l = 0; l <= s->layout->layers; l++)
        for (int q = 0; q < DT_QUANTITIES; q++) {
            dt_statistics_group *g = &s->group[l][q];
            for (int64_t t = 0; g->seen && t < s->layout->workers; t++)
                g->seen[t].ends = DT_NO_ENDS;
            if (s->dirty)
                forget_counts(s, g);
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

/* Blocks of one panel, one below the other: of their rows the first `rows` hold weights, and row `bias` the biases (-1:
 * none of them does). */
typedef struct run {
    const char *x;
    int64_t index, count, panel, rows, bias, units;
} run;

/* The run that begins with block n of those shown. */
static run run_at(const dt_block_view *v, int64_t n, size_t block_bytes)
{
    const int64_t index = v->first + n, panel = index / v->column, within = index % v->column;
    const int64_t count = dt_min(TOGETHER, dt_min(v->count - n, v->column - within));
    const int64_t bias = v->inputs - within * v->lanes;
    return (run){.x = (const char *)v->numbers + (size_t)n * block_bytes,
                 .index = index,
                 .count = count,
                 .panel = panel,
                 .rows = dt_max(0, dt_min(count * v->lanes, bias)),
                 .bias = bias >= 0 && bias < count * v->lanes ? bias : -1,
                 .units = dt_min(v->lanes, v->units - panel * v->lanes)};
}

/* Rows of a run that are parts of W's group or of the bias' alike: `count` parts of `rows` rows from row `first` on. */
typedef struct piece {
    bool bias;
    int64_t first, count, rows;
    int64_t part; /* the first one's number in the group */
} piece;

enum { PIECES = 3 };

/* Whole blocks of weights, the weights above the biases, the biases. Returns how many pieces there are. */
static int pieces_of(const run *b, int64_t lanes, piece to[PIECES])
{
    const int64_t whole = b->rows / lanes, left = b->rows % lanes;
    int n = 0;
    if (whole > 0)
        to[n++] = (piece){.count = whole, .rows = lanes, .part = b->index};
    if (left > 0)
        to[n++] = (piece){.first = whole * lanes, .count = 1, .rows = left, .part = b->index + whole};
    if (b->bias >= 0)
        to[n++] = (piece){.bias = true, .first = b->bias, .count = 1, .rows = 1, .part = b->panel};
    return n;
}

/* The same of each of the panel's units, from the first of them on. */
static void add_units(const dt_statistics *s, dt_statistics_group *g, int64_t worker, const run *b, const piece *p,
                      const char *x)
{
    const int64_t lanes = g->lanes, width = dt_ceil_div(g->units, lanes) * lanes, unit = b->panel * lanes;
    const size_t row = (size_t)lanes * dt_precision_size(s->layout->precision);
    for (int64_t i = 0; i < p->count; i++, x += (size_t)p->rows * row) {
        count_units(s, g, worker, p->rows, b->units, x, lanes, unit);
        if (!g->unit_part)
            continue;
        dt_moments *to = g->unit_part + (b->index + p->first / lanes + i) % g->column * width + unit;
        for (int64_t j = 0; j < b->units; j++)
            to[j] = DT_NO_MOMENTS;
        s->k->moments(p->rows, b->units, x, lanes, NULL, to);
    }
}

static bool wants(const dt_statistics_group *g, dt_statistic statistic)
{
    return g->layer >> statistic & 1u;
}

/* A run to the groups of one array. `before`: the gradient before at the run's place, or NULL. */
static void add_run(dt_statistics *s, int64_t worker, const run *b, dt_statistics_group *W, dt_statistics_group *bias,
                    char *before)
{
    const int64_t lanes = s->k->lanes;
    const size_t row = (size_t)lanes * dt_precision_size(s->layout->precision);
    piece pieces[PIECES];
    for (int i = 0, n = pieces_of(b, lanes, pieces); i < n; i++) {
        const piece *p = &pieces[i];
        dt_statistics_group *g = p->bias ? bias : W;
        if (!g->part)
            continue;
        const size_t at = (size_t)p->first * row;
        const dt_parts parts = {.x = b->x + at,
                                .count = p->count,
                                .apart = p->rows * lanes,
                                .rows = p->rows,
                                .n = b->units,
                                .stride = lanes};
        if (of_layer(g))
            survey_parts(s, g, worker, &parts, before && wants(g, DT_STATISTIC_COSINE) ? before + at : NULL,
                         g->product + p->part, g->part + p->part);
        if (g->unit)
            add_units(s, g, worker, b, p, b->x + at);
    }
}

/* A layer's groups: for the cosine of the next step. */
static bool keeps_gradient(const dt_statistics_group *g)
{
    return wants(&g[DT_QUANTITY_DW], DT_STATISTIC_COSINE) || wants(&g[DT_QUANTITY_DB], DT_STATISTIC_COSINE);
}

const void *dt_statistics_ahead(const dt_statistics *s, const dt_slice *slice)
{
    return keeps_gradient(s->group[slice->l]) ? s->previous + (size_t)slice->first * s->block_bytes : NULL;
}

/* The gradient of a run that begins with block n of the slice, `number` of the parameter vector. */
static void add_gradient(dt_statistics *s, int64_t worker, run b, const dt_slice *slice, int64_t n, size_t number)
{
    dt_statistics_group *g = s->group[slice->l];
    char *before = keeps_gradient(g) ? s->previous + number * s->block_bytes : NULL;
    if (before && !s->remembers) /* the worker's own memory, touched here first */
        memset(before, 0, (size_t)b.count * s->block_bytes);
    b.x = (const char *)slice->gradient + (size_t)n * s->block_bytes;
    add_run(s, worker, &b, &g[DT_QUANTITY_DW], &g[DT_QUANTITY_DB], before);
}

/* The gradient comes first (hogwild has none), so that W is near for the update that follows. */
void dt_statistics_slice(dt_statistics *s, const dt_step_view *view, const dt_slice *slice)
{
    dt_statistics_group *g = s->group[slice->l];
    if (!g[DT_QUANTITY_W].part && !g[DT_QUANTITY_B].part && !g[DT_QUANTITY_DW].part && !g[DT_QUANTITY_DB].part)
        return;
    const dt_block_view W = dt_step_blocks(view, DT_STEP_PARAMETERS, 0, slice);
    run b;
    for (int64_t n = 0; n < W.count; n += b.count) {
        b = run_at(&W, n, s->block_bytes);
        if (slice->gradient)
            add_gradient(s, view->worker, b, slice, n, (size_t)(W.number + n));
        add_run(s, view->worker, &b, &g[DT_QUANTITY_W], &g[DT_QUANTITY_B], NULL);
    }
}

void dt_statistics_updated(dt_statistics *s, const dt_step_view *view, const dt_slice *slice)
{
    dt_statistics_group *g = s->group[slice->l];
    if (!wants(&g[DT_QUANTITY_W], DT_STATISTIC_UPDATE_RATIO) && !wants(&g[DT_QUANTITY_B], DT_STATISTIC_UPDATE_RATIO))
        return;
    const dt_block_view v = dt_step_blocks(view, DT_STEP_PARAMETERS, 0, slice);
    for (int64_t n = 0; n < v.count; n++) {
        const int64_t index = v.first + n, bias = v.inputs - index % v.column * v.lanes; /* its row */
        if (g[DT_QUANTITY_W].part && bias > 0)
            g[DT_QUANTITY_W].product[index] = slice->moved[n].W;
        if (g[DT_QUANTITY_B].part && bias >= 0 && bias < v.lanes)
            g[DT_QUANTITY_B].product[index / v.column] = slice->moved[n].b;
    }
}
