/* Moments, for summary.h: number by number of a panel's rows, in chains, which are joined
 * in their own precision.
 */
#ifndef DT_KERNELS_MOMENTS_H
#define DT_KERNELS_MOMENTS_H

#include <stdbool.h>

#include "kernels/doubles.h"
#include "kernels/summary.h"

/* Row r of a panel's rows goes to chain r % CHAINS of its lanes, so that additions needn't wait for each other. */
enum { CHAINS = 4 };

/* Chains of a vector's lanes. */
typedef struct chains {
    dt_vector sum[CHAINS], square[CHAINS], min[CHAINS], max[CHAINS];
} chains;

typedef struct lanes {
    dt_real sum[DT_LANES], square[DT_LANES], min[DT_LANES], max[DT_LANES];
    dt_integer zeros[DT_LANES];
} lanes;

/* `rows` <= DT_CHAIN rows of n <= DT_LANES numbers. */
typedef struct part {
    int64_t rows, n, stride;
    const dt_real *x;
} part;

DT_INLINE part part_of(const dt_parts *parts, int64_t i)
{
    return (part){
        .rows = parts->rows,
        .n = parts->n,
        .stride = parts->stride,
        .x = (const dt_real *)parts->x + i * parts->apart,
    };
}

DT_INLINE void begin_chains(chains *s)
{
    const dt_real most = (dt_real)INFINITY, least = -most;
    DT_REPEAT (i, CHAINS) {
        s->sum[i] = s->square[i] = dt_zero();
        s->min[i] = dt_broadcast(&most);
        s->max[i] = dt_broadcast(&least);
    }
}

DT_INLINE void add_vector(chains *s, int i, dt_vector x)
{
    s->sum[i] = dt_add(s->sum[i], x);
    s->square[i] = dt_fma(x, x, s->square[i]);
    s->min[i] = dt_vector_min(x, s->min[i]);
    s->max[i] = dt_vector_max(x, s->max[i]);
}

/* (0 + 2) + (1 + 3), in place. */
DT_INLINE dt_vector add_chains(const dt_vector sum[CHAINS])
{
    return dt_add(dt_add(sum[0], sum[2]), dt_add(sum[1], sum[3]));
}

/* The chains of each vector as one, the first. */
DT_INLINE void join_chains(chains *s)
{
    s->sum[0] = add_chains(s->sum);
    s->square[0] = add_chains(s->square);
    s->min[0] = dt_vector_min(dt_vector_min(s->min[0], s->min[2]), dt_vector_min(s->min[1], s->min[3]));
    s->max[0] = dt_vector_max(dt_vector_max(s->max[0], s->max[2]), dt_vector_max(s->max[1], s->max[3]));
}

/* The lanes of one vector of the rows. */
DT_INLINE void vector_lanes(const part *p, int64_t lane, lanes *l)
{
    chains s;
    dt_counts zeros = dt_counts_zero();
    int64_t r = 0;
    begin_chains(&s);
    for (; r + CHAINS <= p->rows; r += CHAINS)
        DT_REPEAT (i, CHAINS) {
            const dt_vector x = dt_load(p->x + (r + i) * p->stride + lane);
            add_vector(&s, i, x);
            zeros = dt_count_zeros(zeros, x);
        }
    DT_REPEAT (i, CHAINS - 1)
        if (r + i < p->rows) {
            const dt_vector x = dt_load(p->x + (r + i) * p->stride + lane);
            add_vector(&s, i, x);
            zeros = dt_count_zeros(zeros, x);
        }
    join_chains(&s);
    dt_store(l->sum + lane, s.sum[0]);
    dt_store(l->square + lane, s.square[0]);
    dt_store(l->min + lane, s.min[0]);
    dt_store(l->max + lane, s.max[0]);
    dt_counts_store(l->zeros + lane, zeros);
}

/* One lane alone; of those behind the last what no number changes. */
static void one_lane(const part *p, int64_t c, lanes *l)
{
    dt_real sum[CHAINS] = {0}, square[CHAINS] = {0};
    l->min[c] = (dt_real)INFINITY;
    l->max[c] = -(dt_real)INFINITY;
    l->zeros[c] = 0;
    for (int64_t r = 0; r < p->rows && c < p->n; r++) {
        const dt_real x = p->x[r * p->stride + c];
        sum[r % CHAINS] += x;
        square[r % CHAINS] = DT_FMA(x, x, square[r % CHAINS]);
        l->min[c] = x < l->min[c] ? x : l->min[c];
        l->max[c] = x > l->max[c] ? x : l->max[c];
        l->zeros[c] += x == 0;
    }
    l->sum[c] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    l->square[c] = (square[0] + square[2]) + (square[1] + square[3]);
}

static void all_lanes(const part *p, lanes *l)
{
    int64_t c = 0;
    for (; c + DT_WIDTH <= p->n; c += DT_WIDTH)
        vector_lanes(p, c, l);
    for (; c < DT_LANES; c++)
        one_lane(p, c, l);
}

/* Is a sum of squares, or of products, what it would be without the bounds of its numbers' range? Of zeros too: where
 * all are. */
#define LEAST_FITTING ((dt_real)0x1p-100)
DT_INLINE bool fits(dt_real sum)
{
    const dt_real size = DT_FABS(sum);
    return DT_PRECISION == 64 || (size >= LEAST_FITTING && size < (dt_real)INFINITY);
}

DT_INLINE bool fits_or_none(dt_real sum, dt_real most)
{
    return fits(sum) || (sum == 0 && most == 0);
}

DT_INLINE dt_real larger(dt_real a, dt_real b)
{
    return a > b ? a : b;
}

/* Sums of lanes first .. last-1 in double. */
static void exact_lanes(const part *p, int64_t first, int64_t last, double sum[DT_LANES], double square[DT_LANES])
{
    for (int64_t c = 0; c < DT_LANES; c++)
        sum[c] = square[c] = 0;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = first; c < last; c++) {
            const double x = (double)p->x[r * p->stride + c];
            sum[c] += x;
            square[c] += x * x;
        }
}

DT_INLINE double join_doubles(const double lane[DT_LANES])
{
    dt_wide w[DT_LANES / DT_WIDE];
    DT_REPEAT (i, DT_LANES / DT_WIDE)
        w[i] = dt_wide_load(lane + i * DT_WIDE);
    return dt_wide_join(w);
}

/* Lanes in halves: lane 0 with LANES / 2, ... */
DT_INLINE dt_real join_lanes(const dt_real lane[DT_LANES])
{
    dt_vector v[DT_VECTORS_A_PANEL];
    DT_REPEAT (i, DT_VECTORS_A_PANEL)
        v[i] = dt_load(lane + i * DT_WIDTH);
    return dt_panel_total(v);
}

/* The same NaN everywhere. */
DT_INLINE double one_nan(double x)
{
    return x == x ? x : (double)NAN;
}

/* + 0.0: which of 0 and -0 is left depends on nothing. */
DT_INLINE void add_moments(dt_moments *to, double sum, double square, dt_real min, dt_real max, int64_t zeros)
{
    dt_moments_join(to, &(dt_moments){.sums = {one_nan(sum), one_nan(square)},
                                      .ends = {(double)min + 0.0, (double)max + 0.0, zeros}});
}

/* Of all lanes: the order changes nothing. */
DT_INLINE void join_ends(const lanes *l, dt_real *min, dt_real *max, int64_t *zeros)
{
#if defined(__AVX512F__)
    *min = dt_vector_least(dt_load(l->min));
    *max = dt_vector_largest(dt_load(l->max));
    *zeros = dt_counts_total(_mm512_loadu_si512(l->zeros));
#else
    *min = l->min[0];
    *max = l->max[0];
    *zeros = l->zeros[0];
    for (int c = 1; c < DT_LANES; c++) {
        *min = l->min[c] < *min ? l->min[c] : *min;
        *max = l->max[c] > *max ? l->max[c] : *max;
        *zeros += l->zeros[c];
    }
#endif
}

static void add_exactly(const part *p, dt_real min, dt_real max, int64_t zeros, dt_moments *all)
{
    double sum[DT_LANES], square[DT_LANES];
    exact_lanes(p, 0, p->n, sum, square);
    add_moments(all, join_doubles(sum), join_doubles(square), min, max, zeros);
}

static void add_all(const part *p, const lanes *l, dt_moments *all)
{
    dt_real min, max;
    int64_t zeros;
    join_ends(l, &min, &max, &zeros);
    const dt_real sum = join_lanes(l->sum), square = join_lanes(l->square);
    if (fits_or_none(square, larger(-min, max)))
        add_moments(all, (double)sum, (double)square, min, max, zeros);
    else
        add_exactly(p, min, max, zeros, all);
}

static void add_units(const part *p, const lanes *l, dt_moments *unit)
{
    for (int64_t c = 0; c < p->n; c++) {
        double sum[DT_LANES], square[DT_LANES];
        if (fits_or_none(l->square[c], larger(-l->min[c], l->max[c]))) {
            add_moments(&unit[c], (double)l->sum[c], (double)l->square[c], l->min[c], l->max[c], l->zeros[c]);
            continue;
        }
        exact_lanes(p, c, c + 1, sum, square);
        add_moments(&unit[c], sum[c], square[c], l->min[c], l->max[c], l->zeros[c]);
    }
}

static void moments(int64_t rows, int64_t n, const void *numbers, int64_t stride, dt_moments *all, dt_moments *unit)
{
    const dt_real *x = numbers;
    for (int64_t r = 0; r < rows; r += DT_CHAIN) {
        const part p = {
            .rows = rows - r < DT_CHAIN ? rows - r : DT_CHAIN, .n = n, .stride = stride, .x = x + r * stride};
        lanes l;
        all_lanes(&p, &l);
        if (all)
            add_all(&p, &l, all);
        if (unit)
            add_units(&p, &l, unit);
    }
}

#endif
