/* Masks and noise against base/philox.h and the normal quantile, and norms against plain loops: the same bits from
 * every instruction set, whichever part is asked for. Built for both precisions. */
#include "variants.h"

#include "kernels/elementary.h"
#include "kernels/norms.h"
#include "kernels/random.h"

static const dt_randoms *const randoms[DT_ISAS] = VARIANTS(dt_randoms, &);
static const dt_norms *const norms[DT_ISAS] = VARIANTS(dt_norms, &);

enum { NUMBERS = 1000 };

static const dt_stream streams[] = {
    {1, 0, DT_FOR_DROPOUT, 1},
    {UINT64_MAX, UINT64_C(7) << DT_STREAM_BITS, DT_FOR_NOISE, 64},
    {0x123456789abcdef, UINT64_C(0xffffffffffff) << DT_STREAM_BITS, DT_FOR_DROPOUT, UINT32_MAX},
};

/* Number u: word u / 16 % 4 of counter u / 64 * 16 + u % 16. */
static uint32_t word_of(const dt_stream *s, int64_t u)
{
    const dt_random128 r =
        dt_philox(s->seed, (dt_purpose)s->purpose, s->minor, s->index + (uint64_t)(u / 64 * 16 + u % 16));
    const int word = (int)(u / 16 % 4);
    return (uint32_t)(r.u[word / 2] >> (word % 2 * 32));
}

static void test_mask(void **state)
{
    (void)state;
    static const double p[] = {0, 1e-12, 0.1, 0.5, 0.9, 1 - 1e-12};
    static const int64_t parts[][2] = {{0, NUMBERS}, {0, 1}, {16, 16}, {8, 100}, {63, 2}, {64, 64}, {700, 0}};
    for (size_t s = 0; s < sizeof streams / sizeof *streams; s++)
        for (size_t k = 0; k < sizeof p / sizeof *p; k++)
            for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
                for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
                    const int64_t first = parts[i][0], n = parts[i][1];
                    const dt_real kept = (dt_real)(1 / (1 - p[k]));
                    dt_real got[NUMBERS + 1], want[NUMBERS + 1];
                    fill(got, NUMBERS + 1, poison());
                    fill(want, NUMBERS + 1, poison());
                    for (int64_t u = 0; u < n; u++)
                        want[u] = (double)word_of(&streams[s], first + u) < floor(p[k] * 0x1p32) ? 0 : kept;
                    randoms[isa]->mask(&streams[s], first, n, p[k], kept, got);
                    assert_bits(got, want, NUMBERS + 1, "%s: mask of %g, from %lld", dt_isa_name(isa), p[k],
                                (long long)first);
                }
}

/* The last numbers of a stream of the largest size. */
static void test_end_of_stream(void **state)
{
    (void)state;
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
        dt_real got[70];
        randoms[isa]->mask(&streams[2], DT_STREAM_NUMBERS - 70, 70, 0.5, 1, got);
        for (int64_t u = 0; u < 70; u++)
            assert_true((got[u] == 0) == (word_of(&streams[2], DT_STREAM_NUMBERS - 70 + u) < 0x80000000u));
    }
}

/* The quantile at the middle of the word's interval: Giles's approximation and float32 leave 1e-5 of it. */
static void test_noise(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof streams / sizeof *streams; s++) {
        dt_real want[NUMBERS], got[NUMBERS + 1];
        fill(want, NUMBERS, 3);
        randoms[DT_ISA_GENERIC]->noise(&streams[s], 0, NUMBERS, (dt_real)0.5, want);
        for (int64_t u = 0; u < NUMBERS; u++) {
            const double normal = dt_normal_quantile(((double)(word_of(&streams[s], u) >> 8) + 0.5) * 0x1p-24);
            assert_true(fabs((double)want[u] - (3 + 0.5 * normal)) < 1e-5);
        }
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
            for (int64_t first = 0; first < NUMBERS; first += 37) {
                const int64_t n = dt_min(100, NUMBERS - first);
                fill(got, NUMBERS + 1, 3);
                randoms[isa]->noise(&streams[s], first, n, (dt_real)0.5, got);
                assert_bits(got, want + first, n, "%s: noise from %lld", dt_isa_name(isa), (long long)first);
                assert_true(got[n] == 3);
            }
    }
}

/* Mean, deviation and tails over many numbers. */
static void test_noise_is_normal(void **state)
{
    (void)state;
    enum { MANY = 1 << 17 };
    static dt_real x[MANY];
    double sum = 0, squares = 0, largest = 0;
    int beyond = 0;
    memset(x, 0, sizeof x);
    randoms[dt_isa_current()]->noise(&streams[0], 0, MANY, 1, x);
    for (int i = 0; i < MANY; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
        beyond += fabs((double)x[i]) > 1.959964;
        largest = fmax(largest, fabs((double)x[i]));
    }
    assert_true(fabs(sum / MANY) < 0.01 && fabs(squares / MANY - 1) < 0.02);
    assert_true(abs(beyond - MANY / 20) < 400);
    assert_true(largest > 4 && largest < 5.5);
}

static void test_norms(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int64_t rows = 0; rows <= DT_LANES; rows++) {
        static dt_real x[DT_BLOCK], scaled[DT_BLOCK];
        double want[DT_LANES] = {0}, sum = 0;
        dt_real factor[DT_LANES];
        draw_reals(&random, DT_BLOCK, x);
        draw_reals(&random, DT_LANES, factor);
        for (int64_t r = 0; r < rows; r++)
            for (int j = 0; j < DT_LANES; j++)
                want[j] += (double)x[r * DT_LANES + j] * (double)x[r * DT_LANES + j];
        for (int j = 0; j < DT_LANES; j++)
            sum += want[j];
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            double got[DT_LANES];
            norms[isa]->lanes(rows, x, got);
            assert_memory_equal(got, want, sizeof want);
            assert_true(norms[isa]->squares(rows, x) == sum);
            memcpy(scaled, x, sizeof x);
            norms[isa]->scale(rows, factor, scaled);
            for (int i = 0; i < DT_BLOCK; i++)
                assert_true(same_bits(scaled[i], i < rows * DT_LANES ? x[i] * factor[i % DT_LANES] : x[i]));
        }
    }
}

/* exp, cos(pi t) and integer powers in double against libm in long double. */
static void test_double_functions(void **state)
{
    (void)state;
    const long double pi = acosl(-1);
    for (int i = -7000; i <= 7000; i++) {
        const double x = i / 10.1;
        assert_true(fabsl(dt_exp_f64(x) / expl((long double)x) - 1) < 4e-16L);
    }
    for (int i = 0; i <= 10000; i++) {
        const double t = i / 10000.0;
        assert_true(fabsl(dt_cos_pi_f64(t) - cosl(pi * (long double)t)) < 2e-16L);
    }
    assert_true(dt_cos_pi_f64(0) == 1 && dt_cos_pi_f64(1) == -1 && dt_cos_pi_f64(0.5) == 0);
    for (int n = 0; n < 3000; n++)
        assert_true(fabsl(dt_power_f64(0.999, n) / powl((long double)0.999, n) - 1) <
                    3e-16L * (n + 1)); /* errors double with each squaring */
    assert_true(dt_power_f64(0, 0) == 1 && dt_power_f64(0, 5) == 0 && dt_power_f64(0.5, 10) == 0x1p-10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask),  cmocka_unit_test(test_end_of_stream),   cmocka_unit_test(test_noise),
        cmocka_unit_test(test_norms), cmocka_unit_test(test_noise_is_normal), cmocka_unit_test(test_double_functions),
    };
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
