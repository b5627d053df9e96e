/* Kernels of statistics: the same bits from every instruction set, and the sums of plain loops. */
#include "base/philox.h"
#include "kernels/summary.h"
#include "variants.h"

#define TABLE(isa) extern const dt_summaries DT_GLUE3(dt_summaries, DT_SUFFIX, isa);
TABLE(generic)
#if defined(__x86_64__)
TABLE(avx2)
TABLE(avx512)
#elif defined(__aarch64__)
TABLE(neon)
#endif

static const dt_summaries *const variants[DT_ISAS] = VARIANTS(dt_summaries, &);

enum { ROWS = 37, STRIDE = 48, COUNT = ROWS * STRIDE };

/* Of all magnitudes, with zeros of both signs and infinities. */
static void fill_all(dt_real *x, uint64_t seed)
{
    for (int64_t i = 0; i < COUNT; i++) {
        const int64_t kind = draw_integer(&seed, 0, 20);
        const double sign = draw_integer(&seed, 0, 1) ? 1 : -1;
        const double value = ldexp((double)draw_integer(&seed, 1, 1 << 20), (int)draw_integer(&seed, -60, -15));
        x[i] = (dt_real)(sign * (kind == 0 ? 0 : value));
    }
}

static void assert_same(const void *a, const void *b, size_t size, const char *what, dt_isa isa)
{
    if (memcmp(a, b, size) != 0)
        fail_msg("%s: %s differs from generic", what, dt_isa_name(isa));
}

/* Within what a chain of float32 may lose; in float64, of doubles. */
static void near(double value, double wanted, double scale)
{
    if (!(fabs(value - wanted) <= (DT_PRECISION == 64 ? 1e-13 : DT_CHAIN * 0x1p-24) * scale))
        fail_msg("%.17g, should be %.17g", value, wanted);
}

static void moments(void **state)
{
    (void)state;
    static dt_real x[COUNT];
    for (int64_t rows = 0; rows <= ROWS; rows += rows < 3 ? 1 : 17)
        for (int64_t n = 1; n <= DT_LANES; n++) {
            dt_moments first = DT_NO_MOMENTS, units[DT_LANES], plain = DT_NO_MOMENTS;
            double size = 0;
            fill_all(x, (uint64_t)(rows * 100 + n));
            for (int64_t c = 0; c < n; c++) {
                dt_moments unit = DT_NO_MOMENTS;
                for (int64_t r = 0; r < rows; r++) {
                    const double number = (double)x[r * STRIDE + c];
                    dt_moments_join(
                        &unit, &(dt_moments){.sums = {number, number * number}, .ends = {number, number, number == 0}});
                    size += fabs(number) + number * number;
                }
                dt_moments_join(&plain, &unit);
            }
            for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
                dt_moments all = DT_NO_MOMENTS, unit[DT_LANES];
                memset(unit, 0, sizeof unit);
                for (int64_t c = 0; c < n; c++)
                    unit[c] = DT_NO_MOMENTS;
                variants[isa]->moments(rows, n, x, STRIDE, &all, unit);
                if (isa == 0) {
                    first = all;
                    memcpy(units, unit, sizeof unit);
                }
                assert_same(&all, &first, sizeof all, "moments", isa);
                assert_same(unit, units, sizeof unit, "moments of units", isa);
                near(all.sums.sum, plain.sums.sum, size);
                near(all.sums.square, plain.sums.square, size);
                assert_true(all.ends.min == plain.ends.min && all.ends.max == plain.ends.max &&
                            all.ends.zeros == plain.ends.zeros);
                assert_false(signbit(all.ends.min) && all.ends.min == 0);
                dt_moments joined = DT_NO_MOMENTS;
                for (int64_t c = 0; c < n; c++)
                    dt_moments_join(&joined, &unit[c]);
                assert_true(joined.ends.min == plain.ends.min && joined.ends.max == plain.ends.max &&
                            joined.ends.zeros == plain.ends.zeros);
                near(joined.sums.sum, plain.sums.sum, size);
            }
        }
}

static void products(void **state)
{
    (void)state;
    static dt_real x[COUNT], y[COUNT];
    fill_all(x, 1);
    fill_all(y, 2);
    for (int64_t n = 0; n < 200; n++) {
        double dot = 0, distance = 0, size = 0, first[2] = {0};
        for (int64_t i = 0; i < n; i++) {
            const double a = (double)x[i], b = (double)y[i];
            dot += a * b;
            distance += (a - b) * (a - b);
            size += a * a + b * b;
        }
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            double both[2] = {variants[isa]->dot(n, x, y)};
            variants[isa]->distances(1, n, x, y, &both[1]);
            if (isa == 0)
                memcpy(first, both, sizeof both);
            assert_same(both, first, sizeof both, "products", isa);
            near(both[0], dot, size);
            near(both[1], distance, size);
        }
    }
}

static uint32_t counted(const dt_counter *t, int key)
{
    return t->count[0][key] + t->count[1][key] + t->count[2][key] + t->count[3][key];
}

/* Each key is counted. */
static void expect_counts(const dt_summaries *k, int64_t n, const uint8_t *key)
{
    static dt_counter tally;
    const dt_bins bins = {.count = 200, .first = -32, .above = 42};
    uint32_t wanted[DT_KEYS] = {0};
    memset(&tally, 0, sizeof tally);
    memset(tally.key, 7, sizeof tally.key);
    memcpy(tally.key, key, (size_t)n);
    tally.kept = n;
    k->count(&tally, &bins);
    assert_int_equal(tally.kept, 0);
    for (int64_t i = 0; i < n; i++)
        wanted[key[i]]++;
    for (int i = 0; i < DT_KEYS; i++)
        if (counted(&tally, i) != wanted[i])
            fail_msg("key %d of %lld: not counted %u times", i, (long long)n, wanted[i]);
}

/* Where keys are counted as arrays of them (dt_counter). */
static bool counts_arrays(dt_isa isa)
{
#if defined(__x86_64__)
    return isa != DT_ISA_AVX512 || DT_PRECISION == 64;
#else
    return true;
#endif
}

/* Few and many different keys, beginning below 128 and above, with one besides that a third have: as many at once as
 * are kept, and fewer. */
static void tallies(void **state)
{
    (void)state;
    static const int64_t counts[] = {0, 1, 3, 127, 128, 129, 511, 1024, 1025, 5000, DT_KEYS_AT_ONCE};
    static const int begins[] = {1, 80, 121, 130};
    static uint8_t key[DT_KEYS_AT_ONCE];
    for (dt_isa isa = 0; isa <= dt_isa_current() && counts_arrays(isa); isa++)
        for (int range = 1; range < 120; range += range < 20 ? 1 : 33)
            for (size_t b = 0; b < sizeof begins / sizeof *begins; b++)
                for (int other = 0; other < DT_KEYS; other += 85)
                    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                        for (int64_t i = 0; i < counts[c]; i++) {
                            const uint32_t random = dt_philox(1, DT_FOR_TEST, (uint64_t)range, (uint64_t)i).u[0];
                            key[i] = (uint8_t)(random % 3 ? begins[b] + (int)(random / 3 % (uint32_t)range) : other);
                        }
                        expect_counts(variants[isa], counts[c], key);
                    }
    for (int k = 0; k < DT_KEYS; k += 51) { /* the most that planes hold */
        memset(key, k, sizeof key);
        for (dt_isa isa = 0; isa <= dt_isa_current() && counts_arrays(isa); isa++)
            expect_counts(variants[isa], DT_KEYS_AT_ONCE, key);
    }
}

/* --- keys --- */

static const dt_histogram_spec specs[] = {
    {.low = -2, .high = 2, .bins = 64, .log_low = -20, .log_high = 3},
    {.low = 0, .high = 1, .bins = 200, .log_low = -120, .log_high = 120}, /* no power of two a bin */
    {.low = -0.7, .high = 0.9, .bins = 10, .log_low = -32, .log_high = 8},
    {.low = 3, .high = 1e30, .bins = 1, .log_low = 100, .log_high = 120},
};

/* As documented, in the numbers' own precision. */
static int key_of(dt_real x, const dt_histogram_spec *h)
{
    const dt_real per = (dt_real)((double)h->bins / (h->high - h->low));
    const volatile dt_real from_low = x - (dt_real)h->low; /* rounded */
    const dt_real at = from_low * per;
    return at < 0 ? 0 : !(at < (dt_real)h->bins) ? (int)h->bins + 1 : 1 + (int)floor((double)at);
}

static int log_key_of(dt_real x, const dt_histogram_spec *h)
{
    const double size = fabs((double)x);
    return x == 0                                 ? 0
           : !(size < ldexp(1, (int)h->log_high)) ? (int)(h->log_high - h->log_low + 2)
           : size < ldexp(1, (int)h->log_low)     ? 1
                                                  : ilogb(size) - (int)h->log_low + 2;
}

/* What no sum of float32 and no conversion to an integer is made for: huge numbers, infinities, NaN, denormals, and
 * what lies exactly on an edge or beside it. Number i of `count` kinds, then the first again. */
static dt_real special(int64_t i, const dt_histogram_spec *h)
{
    static const double any[] = {0.0,    -0.0, 1e-42, -1e-42, 0x1p-126, 0x1p-149, 1e-30,    -1e-25,    1e9, -1e9,
                                 3.3e38, 1e20, -1e30, 1,      -1,       0.5,      INFINITY, -INFINITY, NAN};
    enum { ANY = sizeof any / sizeof *any };
    const double edge = h->low + (double)(i / ANY % (h->bins + 1)) * (h->high - h->low) / (double)h->bins;
    const double power = ldexp(1, (int)(h->log_low + i % (h->log_high - h->log_low + 1)));
    switch (i / ANY % 7) {
    case 0:
        return (dt_real)any[i % ANY];
    case 1:
        return (dt_real)edge;
    case 2:
        return (dt_real)nextafterf((float)edge, -INFINITY);
    case 3:
        return (dt_real)nextafterf((float)edge, INFINITY);
    case 4:
        return (dt_real)power;
    case 5:
        return -(dt_real)nextafterf((float)power, 0);
    default:
        return (dt_real)(0.01 * (double)(i % 97 - 48));
    }
}

/* Each key holds what its edges say. */
static void keys(void **state)
{
    (void)state;
    enum { MANY = 4096 };
    static dt_real x[MANY];
    static uint8_t key[MANY];
    for (size_t n = 0; n < sizeof specs / sizeof *specs; n++) {
        const dt_bins bins = dt_bins_of(&specs[n]);
        for (int64_t i = 0; i < MANY; i++)
            x[i] = special(i, &specs[n]);
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
            for (int log = 0; log < 2; log++) {
                (log ? variants[isa]->log_keys : variants[isa]->keys)(MANY - 3, x, &bins, key);
                for (int64_t i = 0; i < MANY - 3; i++) {
                    const int wanted = log ? log_key_of(x[i], &specs[n]) : key_of(x[i], &specs[n]);
                    if (key[i] != wanted)
                        fail_msg("%s: key of %.9g is %d, should be %d", log ? "log" : "linear", (double)x[i], key[i],
                                 wanted);
                }
            }
    }
}

/* --- all in one pass --- */

enum { PARTS = 11, MOST = PARTS * 2 * DT_CHAIN, WITH_KEYS = 1, WITH_LOG_KEYS = 2, WITH_BEFORE = 4 };

/* As often as the keys of all numbers come one by one. */
static void expect_tally(const dt_summaries *k, const dt_parts *parts, const dt_bins *bins, bool log, dt_counter *tally)
{
    uint8_t each[DT_LANES];
    uint32_t count[DT_KEYS] = {0};
    k->count(tally, bins);
    for (int64_t p = 0; p < parts->count; p++)
        for (int64_t r = 0; r < parts->rows; r++) {
            (log ? k->log_keys : k->keys)(parts->n, (const dt_real *)parts->x + p * parts->apart + r * parts->stride,
                                          bins, each);
            for (int64_t j = 0; j < parts->n; j++)
                count[each[j]]++;
        }
    for (int i = 0; i < DT_KEYS; i++)
        if (counted(tally, i) != count[i])
            fail_msg("survey of %lld x %lld counts %u instead of %u times key %d (log %d)", (long long)parts->rows,
                     (long long)parts->n, counted(tally, i), count[i], i, log);
    memset(tally->count, 0, sizeof tally->count);
}

/* A survey on one instruction set. The tallies are those of surveys before: where the last numbers lay says nothing
 * about where the next do. */
static void expect_survey(dt_isa isa, int64_t rows, int64_t n, int64_t stride, int64_t gap, const dt_real *x,
                          const dt_real *y, const dt_histogram_spec *h, int wanted)
{
    static dt_real before[PARTS * DT_CHAIN * DT_LANES];
    static dt_counter tallies[DT_ISAS][sizeof specs / sizeof *specs][2];
    dt_counter *tally = tallies[isa][h - specs];
    const dt_summaries *k = variants[isa];
    const dt_bins bins = dt_bins_of(h);
    const dt_parts parts = {
        .x = x, .count = PARTS, .apart = rows * stride + gap, .rows = rows, .n = n, .stride = stride};
    const int64_t size = rows * DT_LANES;
    dt_sums sums[PARTS];
    dt_ends ends = DT_NO_ENDS;
    dt_moments all = DT_NO_MOMENTS;
    double product[PARTS];
    memcpy(before, y, sizeof before);
    k->survey(&parts,
              &(dt_survey){&bins, wanted & WITH_KEYS ? &tally[0] : NULL, wanted & WITH_LOG_KEYS ? &tally[1] : NULL,
                           wanted & WITH_BEFORE ? before : NULL, product},
              sums, &ends);
    for (int64_t p = 0; p < PARTS; p++) {
        const dt_real *part = x + p * parts.apart;
        for (dt_isa other = 0; other <= isa; other += isa > 0 ? isa : 1) {
            dt_moments apart = DT_NO_MOMENTS;
            variants[other]->moments(rows, n, part, stride, &apart, NULL);
            assert_same(&sums[p], &apart.sums, sizeof apart.sums, "sums of a survey", isa);
            dt_moments_join(&all, &apart);
        }
        if (wanted & WITH_BEFORE) {
            const double dot = variants[0]->dot(size, part, y + p * size);
            assert_same(&product[p], &dot, sizeof dot, "product with what was before", isa);
            assert_memory_equal(before + p * size, part, (size_t)size * sizeof *before);
        }
    }
    all.ends.zeros /= isa > 0 ? 2 : 1;
    assert_same(&ends, &all.ends, sizeof ends, "ends of a survey", isa);
    for (int log = 0; log < 2; log++)
        if (wanted >> log & 1)
            expect_tally(k, &parts, &bins, log, &tally[log]);
    const size_t used = wanted & WITH_BEFORE ? (size_t)(PARTS * size) : 0;
    assert_memory_equal(before + used, y + used, sizeof before - used * sizeof *before);
}

/* The same moments, keys and products as apart; where all is common, where one number isn't, and where many aren't.
 * Lanes without a number are 0 where a gradient before is kept, as in blocks. */
static void surveys(void **state)
{
    (void)state;
    static dt_real x[MOST * STRIDE], y[PARTS * DT_CHAIN * DT_LANES];
    uint64_t random = 5;
    for (size_t h = 0; h < sizeof specs / sizeof *specs; h++)
        for (int kind = 0; kind < 60; kind++) {
            const double scale = ldexp(1, (int)draw_integer(&random, -8, 2));
            const int sign = kind % 3; /* both, none, all */
            for (int64_t i = 0; i < MOST * STRIDE; i++)
                x[i] = (dt_real)(scale *
                                 (double)draw_integer(&random, sign == 1 ? kind % 2 : -1000,
                                                      sign == 2 ? -(kind % 2) : 1000) /
                                 1000);
            for (size_t i = 0; i < sizeof y / sizeof *y; i++)
                y[i] = (dt_real)(scale * (double)draw_integer(&random, -1000, 1000));
            if (kind < 40) /* one, in a row of four or in one that is left */
                x[draw_integer(&random, 0, 40) * STRIDE + draw_integer(&random, 0, DT_LANES - 1)] =
                    special(kind % 20, &specs[h]);
            for (int64_t i = 0; kind >= 50 && i < MOST * STRIDE; i++)
                x[i] = special(draw_integer(&random, 0, 4000), &specs[h]);
            y[draw_integer(&random, 0, 400)] = kind % 5 ? 1 : special(kind / 5, &specs[h]);
            for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
                for (int64_t rows = 1; rows <= DT_CHAIN; rows += rows < 6 ? 1 : 13) /* and 32 */
                    for (int64_t n = 1; n <= DT_LANES; n += DT_LANES / 2 - 1) {
                        const int64_t lanes = n == DT_LANES - 1 ? DT_LANES : n;
                        const bool whole = lanes == DT_LANES;
                        expect_survey(isa, rows, lanes, STRIDE, 0, x, y, &specs[h], kind % 4);
                        if (!whole)
                            continue;
                        for (int64_t gap = 0; gap < 30; gap += 24)
                            expect_survey(isa, rows, lanes, DT_LANES, gap, x, y, &specs[h], kind % 4 | WITH_BEFORE);
                    }
        }
}

/* A histogram of many surveys, counted once: of numbers whose size drifts, with a few far below the rest or far above.
 */
static void long_surveys(void **state)
{
    (void)state;
    enum { SURVEYS = 700, ROW = DT_LANES, SIZE = PARTS * DT_CHAIN * DT_LANES };
    static dt_real x[SIZE];
    static dt_counter counters[2];
    const dt_histogram_spec *h = &specs[0];
    const dt_bins bins = dt_bins_of(h);
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
        uint32_t wanted[2][DT_KEYS] = {{0}, {0}};
        uint64_t random = 8;
        memset(counters, 0, sizeof counters);
        for (int64_t i = 0; i < SURVEYS; i++) {
            const int size = i < SURVEYS / 2 ? (int)(i / 20) - 16 : 5 - (int)(i % 20);
            const int64_t rows = i % 5 ? DT_LANES : draw_integer(&random, 1, DT_CHAIN), count = 1 + i % PARTS;
            for (int64_t k = 0; k < count * rows * ROW; k++) {
                const int64_t kind = draw_integer(&random, 0, 600);
                const double far = kind == 0 ? ldexp(1, -40) : kind == 1 && i % 50 == 0 ? ldexp(1, 30) : 1;
                x[k] = (dt_real)(far * ldexp((double)draw_integer(&random, kind < 50 ? 0 : -1000, 1000) / 1000, size));
                if (i > SURVEYS - 200) /* a lane's key is always the same */
                    x[k] = (dt_real)(k % ROW - ROW / 2) / ROW;
            }
            const dt_parts parts = {x, count, rows * ROW, rows, DT_LANES, ROW};
            dt_sums sums[PARTS];
            dt_ends ends = DT_NO_ENDS;
            variants[isa]->survey(&parts, &(dt_survey){&bins, &counters[0], &counters[1], NULL, NULL}, sums, &ends);
            for (int log = 0; log < 2; log++) {
                static uint8_t each[SIZE];
                (log ? variants[0]->log_keys : variants[0]->keys)(count * rows * ROW, x, &bins, each);
                for (int64_t k = 0; k < count * rows * ROW; k++)
                    wanted[log][each[k]]++;
            }
        }
        for (int log = 0; log < 2; log++) {
            variants[isa]->count(&counters[log], &bins);
            for (int k = 0; k < DT_KEYS; k++)
                if (counted(&counters[log], k) != wanted[log][k])
                    fail_msg("%s: key %d counted %u instead of %u times (log %d)", dt_isa_name(isa), k,
                             counted(&counters[log], k), wanted[log][k], log);
        }
    }
}

/* Of a panel with fewer units than lanes. */
static void narrow_panels(void **state)
{
    (void)state;
    static dt_real x[MOST * DT_LANES], y[PARTS * DT_CHAIN * DT_LANES];
    uint64_t random = 6;
    for (int64_t n = 1; n < DT_LANES; n++) {
        for (int64_t i = 0; i < MOST * DT_LANES; i++)
            x[i] = i % DT_LANES < n ? (dt_real)((double)draw_integer(&random, n % 2 ? 1 : -1000, 1000) / 1000) : 0;
        for (size_t i = 0; i < sizeof y / sizeof *y; i++)
            y[i] = (int64_t)i % DT_LANES < n ? (dt_real)((double)draw_integer(&random, -1000, 1000) / 1000) : 0;
        for (size_t h = 0; h < sizeof specs / sizeof *specs; h++)
            for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
                expect_survey(isa, n + 1, n, DT_LANES, 0, x, y, &specs[h], WITH_KEYS | WITH_LOG_KEYS | WITH_BEFORE);
    }
}

/* Numbers whose squares float32 has not: nothing is lost of their norm, their products or their distance, nor of one
 * unit's beside others'. */
static void squares_out_of_range(void **state)
{
    (void)state;
    static const double sizes[] = {1e-30, 1e-22, 1e-14, 1e17, 1e25, 1e37};
    static dt_real x[COUNT], y[COUNT];
    uint64_t random = 3;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double sum = 0, square = 0, dot = 0, distance = 0, of_unit = 0;
        for (int64_t i = 0; i < COUNT; i++) {
            x[i] = (dt_real)(sizes[s] * (double)draw_integer(&random, -900, 1000) / 1000);
            y[i] = (dt_real)((double)x[i] * (double)draw_integer(&random, 1, 1000) / 1000);
        }
        for (int64_t i = 0; i < COUNT; i++) {
            const double a = (double)x[i], b = (double)y[i], d = (double)(x[i] - y[i]);
            dot += a * b, distance += d * d;
            if (i % STRIDE < DT_LANES)
                sum += a, square += a * a, of_unit += i % STRIDE == 3 ? a * a : 0;
        }
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            dt_moments all = DT_NO_MOMENTS, unit[DT_LANES];
            static dt_real wide[COUNT];
            for (int64_t i = 0; i < COUNT; i++) /* unit 3 among others of size 1 */
                wide[i] = i % STRIDE == 3 ? x[i] : 1;
            for (int c = 0; c < DT_LANES; c++)
                unit[c] = DT_NO_MOMENTS;
            variants[isa]->moments(ROWS, DT_LANES, x, STRIDE, &all, NULL);
            variants[isa]->moments(ROWS, DT_LANES, wide, STRIDE, NULL, unit);
            near(all.sums.square, square, square);
            near(all.sums.sum, sum, sizes[s] * ROWS * DT_LANES);
            near(unit[3].sums.square, of_unit, of_unit);
            near(variants[isa]->dot(COUNT, x, y), dot, dot);
            double found;
            variants[isa]->distances(1, COUNT, x, y, &found);
            near(found, distance, distance);
            assert_true(variants[isa]->dot(COUNT, x, x) == variants[0]->dot(COUNT, x, x));
        }
    }
}

/* What a step changes is the distance to what it leaves, whatever the rate: huge, and so small that nothing moves. Of
 * many parts it is that of each. */
static void moves(void **state)
{
    (void)state;
    enum { COUNTS = 7 };
    static const double rates[] = {-0.1, 1, -1e-30, 1e30, 0};
    static dt_real W[COUNT], g[COUNT], after[COUNT];
    fill_all(W, 1);
    fill_all(g, 2);
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
        for (int64_t n = 1; n <= COUNT / COUNTS; n += 1 + n / 3)
            for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
                double moved[COUNTS + 1] = {[COUNTS] = 7}, distance[COUNTS + 1] = {[COUNTS] = 7};
                for (int64_t i = 0; i < COUNTS * n; i++)
                    after[i] = DT_FMA((dt_real)rates[r], g[i], W[i]);
                variants[isa]->moves(COUNTS, n, rates[r], g, W, moved);
                variants[isa]->distances(COUNTS, n, after, W, distance);
                for (int p = 0; p < COUNTS; p++) {
                    double alone;
                    variants[0]->distances(1, n, after + p * n, W + p * n, &alone);
                    assert_same(&moved[p], &alone, sizeof alone, "what a step changes", isa);
                    assert_same(&distance[p], &alone, sizeof alone, "distances", isa);
                }
                assert_true(moved[COUNTS] == 7 && distance[COUNTS] == 7);
            }
}

/* NaN has the same bits everywhere, whatever made it. */
static void nans(void **state)
{
    (void)state;
    static const double made[][2] = {{NAN, 1}, {-NAN, 1}, {INFINITY, -INFINITY}, {NAN, INFINITY}};
    static dt_real x[DT_BLOCK], y[DT_BLOCK];
    for (size_t m = 0; m < sizeof made / sizeof *made; m++) {
        memset(x, 0, sizeof x);
        x[5] = (dt_real)made[m][0];
        x[40] = (dt_real)made[m][1];
        y[5] = y[40] = 1;
        const double wanted = (double)NAN;
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            dt_moments all = DT_NO_MOMENTS;
            variants[isa]->moments(DT_LANES, DT_LANES, x, DT_LANES, &all, NULL);
            const double dot = variants[isa]->dot(DT_BLOCK, x, y);
            assert_memory_equal(&all.sums.sum, &wanted, sizeof wanted);
            assert_memory_equal(&dot, &wanted, sizeof wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),
        cmocka_unit_test(products),
        cmocka_unit_test(tallies),
        cmocka_unit_test(keys),
        cmocka_unit_test(surveys),
        cmocka_unit_test(long_surveys),
        cmocka_unit_test(squares_out_of_range),
        cmocka_unit_test(narrow_panels),
        cmocka_unit_test(moves),
        cmocka_unit_test(nans),
    };
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
