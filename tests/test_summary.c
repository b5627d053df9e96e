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

static void near(double value, double wanted, double scale)
{
    if (!(fabs(value - wanted) <= 1e-13 * scale))
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
                    dt_moments_join(&unit, &(dt_moments){number, number * number, number, number, number == 0});
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
                near(all.sum, plain.sum, size);
                near(all.square, plain.square, size);
                assert_true(all.min == plain.min && all.max == plain.max && all.zeros == plain.zeros);
                assert_false(signbit(all.min) && all.min == 0);
                dt_moments joined = DT_NO_MOMENTS;
                for (int64_t c = 0; c < n; c++)
                    dt_moments_join(&joined, &unit[c]);
                assert_true(joined.min == plain.min && joined.max == plain.max && joined.zeros == plain.zeros);
                near(joined.sum, plain.sum, size);
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
            const double both[2] = {variants[isa]->dot(n, x, y), variants[isa]->distance(n, x, y)};
            if (isa == 0)
                memcpy(first, both, sizeof both);
            assert_same(both, first, sizeof both, "products", isa);
            near(both[0], dot, size);
            near(both[1], distance, size);
        }
    }
}

/* Each key is counted, whichever is told to be the usual one. */
static void expect_counts(const dt_summaries *k, int64_t n, const uint8_t *key, int usual)
{
    uint32_t tally[DT_TALLY] = {0}, wanted[DT_KEYS] = {0};
    k->tally(n, key, usual, tally);
    for (int64_t i = 0; i < n; i++)
        wanted[key[i]]++;
    for (int i = 0; i < DT_KEYS; i++)
        if (tally[i] + tally[DT_KEYS + i] + tally[2 * DT_KEYS + i] + tally[3 * DT_KEYS + i] != wanted[i])
            fail_msg("key %d of %lld, usual %d: not counted %u times", i, (long long)n, usual, wanted[i]);
}

/* Few and many different keys, with one that most have near the others and far from them: as many at once as are kept,
 * and what is left. */
static void tallies(void **state)
{
    (void)state;
    enum { MOST = 2 * DT_KEYS_AT_ONCE };
    static const int64_t counts[] = {1,   3, 63, 64, 255, 511, 512, 700, 1024, DT_KEYS_AT_ONCE, DT_KEYS_AT_ONCE + 1,
                                     MOST};
    static uint8_t key[MOST];
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
        for (int range = 1; range < 200; range += range < 20 ? 1 : 61)
            for (int usual = 0; usual < DT_KEYS; usual += 51)
                for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                    for (int64_t i = 0; i < counts[c]; i++) {
                        const uint32_t random = dt_philox(1, DT_FOR_TEST, (uint64_t)range, (uint64_t)i).u[0];
                        key[i] =
                            (uint8_t)(random % 3 && range > 1 ? 80 + random / 3 % (uint32_t)range : (uint32_t)usual);
                    }
                    expect_counts(variants[isa], counts[c], key, usual);
                    expect_counts(variants[isa], counts[c], key, 80);
                }
    memset(key, 255, sizeof key); /* the most that a plane holds */
    expect_counts(variants[dt_isa_current()], MOST, key, 0);
}

/* Each key holds what its edges say; edges that are powers of two are hit exactly. */
static void keys(void **state)
{
    (void)state;
    static dt_real x[COUNT];
    static uint8_t key[COUNT];
    const dt_histogram_spec linear = {.low = -2, .high = 2, .bins = 64, .log_low = -20, .log_high = 3};
    const dt_real special[] = {-2,
                               -2.5,
                               2,
                               1.9375,
                               -1.9375,
                               0,
                               (dt_real)-0.0,
                               8,
                               7.9375,
                               (dt_real)INFINITY,
                               -(dt_real)INFINITY,
                               (dt_real)9.5367431640625e-07,
                               (dt_real)4.7683716e-07};
    fill_all(x, 3);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        x[i] = special[i];
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
        for (int log = 0; log < 2; log++) {
            (log ? variants[isa]->log_keys : variants[isa]->keys)(COUNT, x, &linear, key);
            for (int64_t i = 0; i < COUNT; i++) {
                const dt_real from_low = (x[i] + 2) * 16; /* as documented, in the numbers' own precision */
                const int wanted = log              ? x[i] == 0                            ? 0
                                                      : fabs((double)x[i]) >= 8            ? 25
                                                      : fabs((double)x[i]) < ldexp(1, -20) ? 1
                                                                                           : ilogb((double)x[i]) + 22
                                   : from_low < 0   ? 0
                                   : from_low >= 64 ? 65
                                                    : 1 + (int)floor((double)from_low);
                if (key[i] != wanted)
                    fail_msg("%s: key of %.9g is %d, should be %d", log ? "log" : "linear", (double)x[i], key[i],
                             wanted);
            }
            for (int usual = 0; usual < DT_KEYS; usual += 11) {
                expect_counts(variants[isa], COUNT - 3, key, usual);
                expect_counts(variants[isa], DT_KEYS, key, usual);
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
    };
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
