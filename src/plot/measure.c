#include "plot/measure.h"

#include <math.h>
#include <stdlib.h>

enum { BLOCK = 4096 /* units at a time */ };

bool dt_take_number(const dt_moment *m, double *values)
{
    return dt_number_set_read(m->set, (hsize_t[]){(hsize_t)m->step, 0, 0}, (hsize_t[]){1, 1, 1}, values);
}

/* --- from a tally of all rows --- */

bool dt_take_norm(const dt_moment *m, double *values)
{
    dt_tally t = {0};
    if (!dt_tally_step(m->set, m->step, m->numbers, &t))
        return false;
    *values = t.rows ? t.norms / (double)t.rows : NAN;
    return true;
}

bool dt_take_frobenius(const dt_moment *m, double *values)
{
    dt_tally t = {0};
    if (!dt_tally_step(m->set, m->step, m->numbers, &t))
        return false;
    *values = sqrt(t.squares);
    return true;
}

bool dt_take_zeros(const dt_moment *m, double *values)
{
    dt_tally t = {0};
    if (!dt_tally_step(m->set, m->step, m->numbers, &t))
        return false;
    *values = t.all ? (double)t.zeros / (double)t.all : NAN;
    return true;
}

bool dt_take_sizes(const dt_moment *m, double *values)
{
    dt_tally t = {0};
    if (!dt_tally_step(m->set, m->step, m->numbers, &t))
        return false;
    if (!t.rows)
        return true;
    values[0] = t.counted ? t.absolutes / (double)t.counted : NAN;
    values[1] = t.norms / (double)t.rows;
    values[2] = t.counted ? t.largest : NAN;
    return true;
}

/* --- activations --- */

typedef struct activations {
    double mean, squares; /* about the mean */
    int64_t count, above, below, units, dead;
    bool alive[BLOCK], there[BLOCK]; /* of the units at hand: some sample isn't 0; some sample is there */
} activations;

/* Chan, Golub and LeVeque: the moments of a part joined to those so far. */
static void add_part(activations *s, const double *numbers, hsize_t rows, hsize_t width)
{
    double sum = 0, squares = 0;
    int64_t count = 0;
    for (hsize_t i = 0; i < rows * width; i++) {
        const double v = numbers[i];
        if (isnan(v))
            continue;
        sum += v;
        count++;
        s->above += fabs(v) > DT_SATURATED;
        s->below += fabs(v) < 1 - DT_SATURATED;
        s->there[i % width] = true;
        s->alive[i % width] = s->alive[i % width] || v != 0;
    }
    if (!count)
        return;
    const double mean = sum / (double)count, away = mean - s->mean;
    for (hsize_t i = 0; i < rows * width; i++)
        squares += isnan(numbers[i]) ? 0 : (numbers[i] - mean) * (numbers[i] - mean);
    const double all = (double)(s->count + count);
    s->squares += squares + away * away * (double)s->count * (double)count / all;
    s->mean += away * (double)count / all;
    s->count += count;
}

bool dt_take_activations(const dt_moment *m, double *values)
{
    activations s = {0};
    const hsize_t samples = m->set->extent[1], units = m->set->extent[2];
    const hsize_t widest = samples < DT_NUMBERS_MAX / BLOCK ? BLOCK
                           : samples < DT_NUMBERS_MAX       ? DT_NUMBERS_MAX / samples
                                                            : 1;
    for (hsize_t j = 0, width; j < units; j += width) {
        width = units - j < widest ? units - j : widest;
        for (hsize_t u = 0; u < width; u++)
            s.alive[u] = s.there[u] = false;
        const hsize_t most = DT_NUMBERS_MAX / width;
        for (hsize_t i = 0, rows; i < samples; i += rows) {
            rows = samples - i < most ? samples - i : most;
            if (!dt_number_set_read(m->set, (hsize_t[]){(hsize_t)m->step, i, j}, (hsize_t[]){1, rows, width},
                                    m->numbers))
                return false;
            add_part(&s, m->numbers, rows, width);
        }
        for (hsize_t u = 0; u < width; u++) {
            s.units += s.there[u];
            s.dead += s.there[u] && !s.alive[u];
        }
    }
    if (!s.count)
        return true;
    values[0] = s.mean;
    values[1] = sqrt(s.squares / (double)s.count);
    values[2] = (double)s.dead / (double)s.units;
    values[3] = (double)s.above / (double)s.count;
    values[4] = (double)s.below / (double)s.count;
    return true;
}

/* --- the gradients' noise --- */

/* In eight sums, which fit a vector's lanes. */
static double product(const double *x, const double *y, hsize_t count)
{
    enum { LANES = 8 };
    double sums[LANES] = {0}, sum = 0;
    hsize_t k = 0;
    for (; k + LANES <= count; k += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += x[k + (hsize_t)lane] * y[k + (hsize_t)lane];
    for (; k < count; k++)
        sum += x[k] * y[k];
    for (int lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    return sum;
}

/* Adds x_i . x_j of rows i <= j to products (n, n), a part of the columns at a time. */
static bool add_products(const dt_number_set *set, int64_t step, hsize_t n, double *numbers, double *products)
{
    const hsize_t columns = set->extent[2], most = (DT_NUMBERS_MAX - 2 * DT_NOISE_SAMPLES * DT_NOISE_SAMPLES) / n;
    for (hsize_t from = 0, width; from < columns; from += width) {
        width = columns - from < most ? columns - from : most;
        if (!dt_number_set_read(set, (hsize_t[]){(hsize_t)step, 0, from}, (hsize_t[]){1, n, width}, numbers))
            return false;
        for (hsize_t i = 0; i < n; i++)
            for (hsize_t j = i; j < n; j++)
                products[i * n + j] += product(numbers + i * width, numbers + j * width, width);
    }
    return true;
}

bool dt_take_noise(const dt_moment *m, double *values)
{
    const hsize_t *e = m->set->extent, samples = e[1] < DT_NOISE_SAMPLES ? e[1] : DT_NOISE_SAMPLES;
    if (m->beside->extent[0] <= (hsize_t)m->step || m->beside->extent[1] < samples || samples == 0)
        return true;
    double *of_delta = m->numbers, *of_a = of_delta + samples * samples, *rest = of_a + samples * samples;
    for (hsize_t i = 0; i < 2 * samples * samples; i++)
        of_delta[i] = 0;
    if (!add_products(m->set, m->step, samples, rest, of_delta) ||
        !add_products(m->beside, m->step, samples, rest, of_a))
        return false;
    double own = 0, all = 0, n = 0;
    for (hsize_t i = 0; i < samples; i++) {
        const double square = of_delta[i * samples + i] * (of_a[i * samples + i] + 1);
        if (isnan(square))
            continue; /* not there */
        own += square;
        all += square;
        n++;
        for (hsize_t j = i + 1; j < samples; j++) {
            const double product = of_delta[i * samples + j] * (of_a[i * samples + j] + 1);
            all += isnan(product) ? 0 : 2 * product;
        }
    }
    values[0] = n;
    values[1] = n > 0 ? own / n : NAN;
    values[2] = n > 0 ? all / (n * n) : NAN;
    return true;
}

/* --- histograms --- */

typedef struct span {
    double low, high, count;
} span;

typedef void part_reader(const double *numbers, hsize_t count, span *s, double *counts);

static void find_range(const double *numbers, hsize_t count, span *s, double *counts)
{
    (void)counts;
    for (hsize_t i = 0; i < count; i++) {
        if (!isfinite(numbers[i]))
            continue;
        s->low = fmin(s->low, numbers[i]);
        s->high = fmax(s->high, numbers[i]);
        s->count++;
    }
}

static void count_bins(const double *numbers, hsize_t count, span *s, double *counts)
{
    const double width = s->high / DT_BINS - s->low / DT_BINS;
    for (hsize_t i = 0; i < count; i++) {
        if (!isfinite(numbers[i]))
            continue;
        const double bin = width > 0 ? floor((numbers[i] - s->low) / width) : 0;
        counts[bin >= DT_BINS ? DT_BINS - 1 : bin > 0 ? (int)bin : 0]++;
    }
}

static bool read_parts(const dt_moment *m, part_reader *read, span *s, double *counts)
{
    const hsize_t rows = m->set->extent[1], columns = m->set->extent[2];
    const hsize_t most = columns && columns < DT_NUMBERS_MAX ? DT_NUMBERS_MAX / columns : 1;
    for (hsize_t row = 0, some; row < rows; row += some) {
        some = rows - row < most ? rows - row : most;
        for (hsize_t column = 0, width; column < columns; column += width) {
            width = columns - column < DT_NUMBERS_MAX ? columns - column : DT_NUMBERS_MAX;
            if (!dt_number_set_read(m->set, (hsize_t[]){(hsize_t)m->step, row, column}, (hsize_t[]){1, some, width},
                                    m->numbers))
                return false;
            read(m->numbers, some * width, s, counts);
        }
    }
    return true;
}

bool dt_take_histogram(const dt_moment *m, double *values)
{
    span s = {INFINITY, -INFINITY, 0};
    if (!read_parts(m, find_range, &s, NULL))
        return false;
    if (s.count == 0)
        return true;
    values[DT_HISTOGRAM_BINS] = DT_BINS;
    values[DT_HISTOGRAM_ALL] = s.count;
    for (int b = 0; b <= DT_BINS; b++)
        values[DT_HISTOGRAM_EDGES + b] = b == DT_BINS ? s.high : s.low + b * (s.high / DT_BINS - s.low / DT_BINS);
    for (int b = 0; b < DT_BINS; b++)
        values[DT_HISTOGRAM_COUNTS + b] = 0;
    return read_parts(m, count_bins, &s, values + DT_HISTOGRAM_COUNTS);
}

/* `before`: bins before the first that has two edges; one comes after the last. */
static bool take_counts(const dt_moment *m, int before, double *values)
{
    const hsize_t all = m->set->extent[1];
    const int edges = dt_number_set_attribute(m->set, "edges", values + DT_HISTOGRAM_EDGES, DT_BINS_MAX + 1);
    if (edges < 2 || (hsize_t)(edges + before) != all)
        return false; /* not of a capture */
    if (!dt_number_set_read(m->set, (hsize_t[]){(hsize_t)m->step, 0, 0}, (hsize_t[]){1, all, 1}, m->numbers))
        return false;
    values[DT_HISTOGRAM_BINS] = edges - 1;
    values[DT_HISTOGRAM_ALL] = 0;
    for (hsize_t b = 0; b < all; b++)
        values[DT_HISTOGRAM_ALL] += m->numbers[b];
    for (int b = 0; b + 1 < edges; b++)
        values[DT_HISTOGRAM_COUNTS + b] = m->numbers[b + before];
    return true;
}

bool dt_take_counts(const dt_moment *m, double *values)
{
    return take_counts(m, 1, values);
}

bool dt_take_log_counts(const dt_moment *m, double *values)
{
    const bool good = take_counts(m, 2, values);
    for (int b = 0; good && b <= (int)values[DT_HISTOGRAM_BINS]; b++)
        values[DT_HISTOGRAM_EDGES + b] = log2(values[DT_HISTOGRAM_EDGES + b]);
    return good;
}

bool dt_take_dead(const dt_moment *m, double *values)
{
    const hsize_t units = m->set->extent[1];
    double dead = 0, all = 0;
    for (hsize_t j = 0, some; j < units; j += some) {
        some = units - j < DT_NUMBERS_MAX ? units - j : DT_NUMBERS_MAX;
        if (!dt_number_set_read(m->set, (hsize_t[]){(hsize_t)m->step, j, 0}, (hsize_t[]){1, some, 1}, m->numbers))
            return false;
        for (hsize_t u = 0; u < some; u++) {
            all += !isnan(m->numbers[u]);
            dead += m->numbers[u] >= 1;
        }
    }
    if (all > 0)
        *values = dead / all;
    return true;
}

/* --- one unit --- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, hsize_t count, double share)
{
    const double at = share * (double)(count - 1), below = floor(at);
    const double *x = sorted + (hsize_t)below;
    return at > below ? x[0] + (at - below) * (x[1] - x[0]) : x[0];
}

bool dt_take_unit(const dt_moment *m, double *values)
{
    const hsize_t *e = m->set->extent, samples = e[1] < DT_NUMBERS_MAX ? e[1] : DT_NUMBERS_MAX;
    if ((hsize_t)m->unit >= e[2] || samples == 0)
        return true;
    if (!dt_number_set_read(m->set, (hsize_t[]){(hsize_t)m->step, 0, (hsize_t)m->unit}, (hsize_t[]){1, samples, 1},
                            m->numbers))
        return false;
    hsize_t count = 0;
    for (hsize_t i = 0; i < samples; i++)
        if (isfinite(m->numbers[i]))
            m->numbers[count++] = m->numbers[i];
    qsort(m->numbers, count, sizeof *m->numbers, by_size);
    for (int q = 0; q < DT_UNIT_NUMBERS && count; q++)
        values[q] = quantile(m->numbers, count, q / 4.0);
    return true;
}

bool dt_take_unit_norm(const dt_moment *m, double *values)
{
    const hsize_t *e = m->set->extent;
    if ((hsize_t)m->unit >= e[1])
        return true;
    double squares = 0;
    for (hsize_t k = 0, width; k < e[2]; k += width) {
        width = e[2] - k < DT_NUMBERS_MAX ? e[2] - k : DT_NUMBERS_MAX;
        if (!dt_number_set_read(m->set, (hsize_t[]){(hsize_t)m->step, (hsize_t)m->unit, k}, (hsize_t[]){1, 1, width},
                                m->numbers))
            return false;
        for (hsize_t i = 0; i < width; i++)
            squares += m->numbers[i] * m->numbers[i];
    }
    *values = sqrt(squares);
    return true;
}

bool dt_take_unit_number(const dt_moment *m, double *values)
{
    return (hsize_t)m->unit >= m->set->extent[1] ||
           dt_number_set_read(m->set, (hsize_t[]){(hsize_t)m->step, (hsize_t)m->unit, 0}, (hsize_t[]){1, 1, 1}, values);
}
