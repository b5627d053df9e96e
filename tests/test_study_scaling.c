/* Speed-ups and laws of scaling, against published tables and data, and by recovery of what points were made from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "study/law.h"
#include "study/rules.h"
#include "study_samples.h"

static void assert_near(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

static void assert_within(double value, double expected, double absolute)
{
    if (!(fabs(value - expected) <= absolute))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* --- speed-ups --- */

/* Quinn, "Parallel programming in C with MPI and OpenMP", 2003, section 7.6: speed-ups of two programs on 2 .. 8
 * processors and their experimentally determined serial fractions. */
static void test_karp_flatt(void **state)
{
    (void)state;
    const double first[] = {1.82, 2.50, 3.08, 3.57, 4.00, 4.38, 4.71};
    const double second[] = {1.87, 2.61, 3.23, 3.73, 4.14, 4.46, 4.71};
    for (int64_t p = 2; p <= 8; p++) {
        assert_within(dt_karp_flatt(first[p - 2], p), 0.1, 0.0012); /* of speed-ups with two decimals */
        assert_within(dt_karp_flatt(second[p - 2], p), 0.070 + 0.005 * (double)(p - 2), 0.0012);
    }
    assert_true(isnan(dt_karp_flatt(1, 1)));
    assert_within(dt_karp_flatt(8, 8), 0, 1e-15);
    assert_true(dt_karp_flatt(9, 8) < 0);
    /* Gustafson 1988: 1024 processors, serial 0.4 % .. 0.8 %: scaled speed-ups 1021 .. 1016 of the wave, beam and
     * surface programs, S = p - s (p - 1) */
    assert_within(dt_gustafson_serial(1021, 1024), 0.0029, 0.0001);
    assert_within(dt_gustafson_serial(1016, 1024), 0.0078, 0.0001);
    assert_near(dt_imbalance((const double[]){1, 2, 3}, 3), 1.5, 1e-15);
    assert_near(dt_imbalance((const double[]){0, 0}, 2), 1, 0);
}

static void test_speedup(void **state)
{
    (void)state;
    double one[] = {12, 8, 10, 9, 11, 10}, two[] = {5, 5.5, 5, 4.5, 5.1, 4.9}, scratch[5000];
    const dt_values base = {one, 6};
    const dt_scaling_point point = {2, {two, 6}, false}, few = {2, {two, 4}, false}, itself = {1, {one, 6}, false};
    dt_speedup_options options = {DT_SCALING_STRONG, DT_BASE_BEST_SERIAL, 0.95, 1000, 3};
    dt_speedup s, weak;
    assert_in_range(dt_speedup_scratch(6, 6, 1000), 1, 5000);
    assert_int_equal(dt_speedup_of(&base, &point, &options, scratch, &s, NULL), DT_OK);
    assert_near(s.base_seconds, 10, 0);
    assert_near(s.seconds, 5, 0);
    assert_near(s.speedup, 2, 0);
    assert_near(s.efficiency, 1, 0);
    assert_within(s.serial_fraction, 0, 1e-15);
    assert_true(s.intervals && s.speedup_interval.low < 2 && 2 < s.speedup_interval.high);
    assert_true(s.speedup_interval.low > 1.5 && s.speedup_interval.high < 2.6);
    assert_near(s.efficiency_interval.low, s.speedup_interval.low / 2, 1e-15);
    assert_near(s.serial_fraction_interval.low, dt_karp_flatt(s.speedup_interval.high, 2), 1e-12);
    assert_near(s.serial_fraction_interval.high, dt_karp_flatt(s.speedup_interval.low, 2), 1e-12);
    assert_string_equal(dt_speedup_base_name(s.base), "best serial program");
    options.scaling = DT_SCALING_WEAK;
    assert_int_equal(dt_speedup_of(&base, &point, &options, scratch, &weak, NULL), DT_OK);
    assert_near(weak.speedup, 4, 0);
    assert_near(weak.efficiency, 2, 0);
    assert_near(weak.speedup_interval.low, 2 * s.speedup_interval.low, 1e-15);
    assert_true(isnan(weak.serial_fraction));
    options.scaling = DT_SCALING_STRONG;
    assert_int_equal(dt_speedup_of(&base, &few, &options, scratch, &s, NULL), DT_OK);
    assert_true(!s.intervals && isnan(s.speedup_interval.low) && s.speedup > 1.9);
    assert_int_equal(dt_speedup_of(&base, &itself, &options, scratch, &s, NULL), DT_OK);
    assert_true(s.speedup_interval.low == 1 && s.speedup_interval.high == 1 && isnan(s.serial_fraction));
    one[3] = 0;
    assert_int_equal(dt_speedup_of(&base, &point, &options, scratch, &s, NULL), DT_INVALID);
}

/* 95 % intervals of the speed-up hold it in about as many of the samples: bootstraps of medians err a little wide. */
static void test_speedup_coverage(void **state)
{
    (void)state;
    enum { DRAWS = 400, N = 21 };
    int held = 0;
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        double one[N], four[N], scratch[2000];
        const dt_values base = {one, N};
        const dt_scaling_point point = {4, {four, N}, false};
        const dt_speedup_options options = {DT_SCALING_STRONG, DT_BASE_ONE_WORKER, 0.95, 400, draw};
        dt_speedup s;
        lognormal_sample(2 * draw, 7, 0.1, N, one);
        lognormal_sample(2 * draw + 1, 2, 0.2, N, four);
        assert_int_equal(dt_speedup_of(&base, &point, &options, scratch, &s, NULL), DT_OK);
        held += s.speedup_interval.low <= 3.5 && 3.5 <= s.speedup_interval.high;
    }
    assert_in_range(held, 0.935 * DRAWS, 0.98 * DRAWS);
}

/* --- published fits --- */

/* The SPEC SDM 91 benchmark on a Sun SPARCcenter 2000, Gunther's example in "Guerrilla capacity planning" (2007), as in
 * Möding's R package usl, whose published coefficients and residuals these are (README of version 3): alpha 0.0277285,
 * beta 0.0001044, gamma 89.9952330; residuals -81.7 .. 111.1; peak at 96.5. Digits beyond: Gauss and Newton's method in
 * numpy, to convergence. */
static void test_spec_sdm(void **state)
{
    (void)state;
    const int64_t users[] = {1, 18, 36, 72, 108, 144, 216};
    const double throughput[] = {64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2};
    const double residuals[] = {-25.0952331, -81.6578574, 111.0904021, 3.0525922, -49.9895524, -46.5952937, 55.9952737};
    dt_fit fit;
    assert_int_equal(dt_fit_throughput(dt_law_find("usl"), users, throughput, 7, &fit, NULL), DT_OK);
    assert_within(fit.sigma, 0.0277285, 5e-8);
    assert_within(fit.kappa, 0.0001044, 5e-8);
    assert_within(fit.gamma, 89.9952330, 5e-7);
    assert_near(fit.sigma, 2.7728475618634e-02, 1e-9);
    assert_near(fit.kappa, 1.0436548384409e-04, 1e-9);
    assert_within(fit.peak_workers, 96.52, 0.005);
    assert_false(fit.at_bound);
    for (int i = 0; i < 7; i++)
        assert_within(throughput[i] - dt_fit_at(&fit, (double)users[i]).throughput, residuals[i], 1e-6);
    const dt_extrapolation inside = dt_fit_at(&fit, 216), beyond = dt_fit_at(&fit, 432);
    assert_false(inside.extrapolated);
    assert_true(beyond.extrapolated && beyond.beyond == 2 && inside.beyond == 1);
    assert_true(beyond.throughput < inside.throughput); /* past the peak */
}

/* Gunther's ray tracer (SGI Origin 2000), in the same package: kappa 0, sigma 0.0578, gamma 21.85. */
static void test_ray_tracer(void **state)
{
    (void)state;
    const int64_t processors[] = {1, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64};
    const double throughput[] = {20, 78, 130, 170, 190, 200, 210, 230, 260, 280, 310};
    dt_fit amdahl, usl;
    assert_int_equal(dt_fit_throughput(dt_law_find("usl"), processors, throughput, 11, &usl, NULL), DT_OK);
    assert_int_equal(dt_fit_throughput(dt_law_find("amdahl"), processors, throughput, 11, &amdahl, NULL), DT_OK);
    assert_within(amdahl.sigma, 0.057771, 5e-7);
    assert_within(amdahl.gamma, 21.848843, 5e-7);
    assert_true(usl.kappa == 0 && usl.at_bound && isinf(usl.peak_workers));
    assert_near(usl.sigma, amdahl.sigma, 1e-12);
    assert_near(usl.peak_speedup, 1 / usl.sigma, 1e-12);
    assert_false(amdahl.at_bound);
}

/* --- recovery --- */

static void test_recovery(void **state)
{
    (void)state;
    const int64_t workers[] = {1, 2, 3, 4, 8, 16, 32, 64};
    const double sigmas[] = {0, 1e-4, 0.01, 0.1, 0.5, 0.9}, kappas[] = {0, 1e-6, 1e-4, 0.01};
    const dt_law *law;
    for (size_t i = 0; (law = dt_law_at(i)); i++)
        for (int s = 0; s < 6; s++)
            for (int k = 0; k < (law->kappa ? 4 : 1); k++)
                for (int64_t count = 4; count <= 8; count += 4) {
                    double x[8];
                    dt_fit fit;
                    for (int64_t j = 0; j < count; j++)
                        x[j] = 1234 * (double)workers[j] * law->relative((double)workers[j], sigmas[s], kappas[k]);
                    assert_int_equal(dt_fit_throughput(law, workers, x, count, &fit, NULL), DT_OK);
                    assert_within(fit.sigma, sigmas[s], 1e-7);
                    assert_within(fit.kappa, kappas[k], 1e-7);
                    assert_near(fit.gamma, 1234, 1e-7);
                    assert_true(fit.residual < 1e-7 && fit.least == 1 && fit.most == workers[count - 1]);
                }
}

/* The slopes of every law, by central differences. */
static void test_slopes(void **state)
{
    (void)state;
    const dt_law *law;
    for (size_t i = 0; (law = dt_law_at(i)); i++)
        for (double p = 1; p < 100; p *= 3) {
            double slope[2];
            const double h = 1e-6;
            law->slopes(p, 0.1, 0.01, slope);
            assert_within(slope[0], (law->relative(p, 0.1 + h, 0.01) - law->relative(p, 0.1 - h, 0.01)) / (2 * h),
                          1e-6);
            assert_within(slope[1], (law->relative(p, 0.1, 0.01 + h) - law->relative(p, 0.1, 0.01 - h)) / (2 * h),
                          1e-4);
        }
    assert_null(dt_law_find("moore"));
}

enum { POINTS = 7, SAMPLES = 11 };

/* Times of 1 .. 64 workers by the USL, with noise. The last point is oversubscribed, and off. */
static void make_points(uint64_t stream, double noise, double seconds[POINTS][SAMPLES], dt_scaling_point *points)
{
    for (int i = 0; i < POINTS; i++) {
        const double p = (double)(1 << i);
        lognormal_sample(stream * POINTS + (uint64_t)i, (1 + 0.05 * (p - 1) + 0.001 * p * (p - 1)) / p, noise, SAMPLES,
                         seconds[i]);
        points[i] = (dt_scaling_point){1 << i, {seconds[i], SAMPLES}, i == POINTS - 1};
    }
    seconds[POINTS - 1][0] = 100;
}

static void test_intervals(void **state)
{
    (void)state;
    enum { DRAWS = 150 };
    int sigma = 0, kappa = 0, peak = 0;
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        double seconds[POINTS][SAMPLES], scratch[2000];
        dt_scaling_point points[POINTS];
        dt_fit fit, plain;
        make_points(draw, 0.05, seconds, points);
        assert_in_range(dt_fit_scratch(points, POINTS, 200), 1, 2000);
        assert_int_equal(dt_fit_intervals(dt_law_find("usl"), points, POINTS, 0.95, 200, draw, scratch, &fit, NULL),
                         DT_OK);
        assert_int_equal(dt_fit_points(dt_law_find("usl"), points, POINTS, scratch, &plain, NULL), DT_OK);
        assert_true(plain.sigma == fit.sigma && plain.kappa == fit.kappa && isnan(plain.sigma_interval.low));
        assert_true(fit.points == POINTS - 1 && fit.most == 32);
        sigma += fit.sigma_interval.low <= 0.05 && 0.05 <= fit.sigma_interval.high;
        kappa += fit.kappa_interval.low <= 0.001 && 0.001 <= fit.kappa_interval.high;
        const double at = sqrt(0.95 / 0.001);
        peak += fit.peak_workers_interval.low <= at && at <= fit.peak_workers_interval.high;
    }
    assert_in_range(sigma, 0.9 * DRAWS, DRAWS - 1);
    assert_in_range(kappa, 0.9 * DRAWS, DRAWS - 1);
    assert_in_range(peak, 0.9 * DRAWS, DRAWS - 1);
}

/* --- refusals --- */

static void test_refused(void **state)
{
    (void)state;
    const dt_law *law = dt_law_find("amdahl");
    double seconds[POINTS][SAMPLES], scratch[2000];
    dt_scaling_point points[POINTS];
    dt_fit fit;
    dt_error error = {0};
    make_points(1, 0.05, seconds, points);
    points[3].oversubscribed = true;
    assert_int_equal(dt_fit_points(law, points, 4, scratch, &fit, &error), DT_INVALID);
    assert_string_equal(error.message, "a fit of amdahl to 3 numbers of workers; it takes at least 4 (oversubscribed "
                                       "ones don't count): measure more, or on a machine with more cores");
    assert_int_equal(dt_fit_points(law, points, 0, scratch, &fit, NULL), DT_INVALID);
    points[3].oversubscribed = false;
    points[2].workers = 2;
    dt_error_clear(&error);
    points[2].seconds.n = 4;
    assert_int_equal(dt_fit_points(law, points, 4, scratch, &fit, &error), DT_INVALID);
    assert_non_null(strstr(error.message, "with 2 workers twice"));
    points[2].workers = 4;
    dt_error_clear(&error);
    assert_int_equal(dt_fit_points(law, points, 4, scratch, &fit, &error), DT_OK);
    assert_int_equal(dt_fit_intervals(law, points, 4, 0.95, 200, 1, scratch, &fit, &error), DT_INVALID);
    assert_non_null(strstr(error.message, "4 samples of 4 workers; it takes at least 5"));
    points[2].seconds.n = SAMPLES;
    seconds[1][3] = -1;
    seconds[1][4] = NAN;
    assert_int_equal(dt_fit_points(law, points, 4, scratch, &fit, NULL), DT_INVALID);
    const int64_t workers[] = {1, 2, 4, 0};
    const double x[] = {1, 2, 3, 4}, negative[] = {1, 2, 3, -4};
    assert_int_equal(dt_fit_throughput(law, workers, x, 4, &fit, NULL), DT_INVALID);
    assert_int_equal(dt_fit_throughput(law, (const int64_t[]){1, 2, 3, 4}, negative, 4, &fit, NULL), DT_INVALID);
    assert_int_equal(dt_fit_throughput(law, workers, x, DT_LAW_POINTS_MAX + 1, &fit, NULL), DT_INVALID);
}

/* Points better than linear, or that only fall: at the bounds, and finite. */
static void test_odd_points(void **state)
{
    (void)state;
    const int64_t workers[] = {1, 2, 4, 8};
    dt_fit fit;
    const dt_law *law;
    for (size_t i = 0; (law = dt_law_at(i)); i++) {
        assert_int_equal(dt_fit_throughput(law, workers, (const double[]){1, 2.2, 4.8, 10}, 4, &fit, NULL), DT_OK);
        assert_true(fit.sigma == 0 && fit.kappa == 0 && fit.at_bound && isinf(fit.peak_speedup));
        assert_int_equal(dt_fit_throughput(law, workers, (const double[]){8, 4, 2, 1}, 4, &fit, NULL), DT_OK);
        assert_true(isfinite(fit.sigma) && isfinite(fit.kappa) && isfinite(fit.gamma) && fit.peak_workers < 3);
    }
}

static void test_rules(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(dt_study_rule_at((size_t)i)->number, i + 1);
        assert_true(strlen(dt_study_rule_at((size_t)i)->asks) > 10 && strlen(dt_study_rule_at((size_t)i)->met) > 10);
    }
    assert_null(dt_study_rule_at(12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_karp_flatt), cmocka_unit_test(test_speedup),    cmocka_unit_test(test_speedup_coverage),
        cmocka_unit_test(test_spec_sdm),   cmocka_unit_test(test_ray_tracer), cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_slopes),     cmocka_unit_test(test_intervals),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_odd_points), cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
