/* Bootstrap, comparisons of two samples, order of measurements. Figures marked scipy are scipy 1.17.1's; of bootstraps
 * its BCa and percentile formulas applied to these same resamples, drawn in Python by a Philox written from the paper.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "study/bootstrap.h"
#include "study/compare.h"
#include "study/order.h"
#include "study_samples.h"

static double x[] = {12.1, 11.8, 12.4, 11.9, 13.9, 12.0, 12.2, 11.7, 12.6, 12.3, 11.95, 15.2};
static double y[] = {6.4, 6.1, 6.9, 6.3, 6.2, 6.25, 7.8, 6.35, 6.15};
enum { X = sizeof x / sizeof *x, Y = sizeof y / sizeof *y };

static void assert_near(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* --- bootstrap --- */

static void mean_of(const dt_values *groups, int64_t count, double *out, void *context)
{
    (void)count, (void)context;
    out[0] = dt_mean(groups[0].x, groups[0].n);
}

static void mean_ratio(const dt_values *groups, int64_t count, double *out, void *context)
{
    (void)count, (void)context;
    out[0] = dt_mean(groups[0].x, groups[0].n) / dt_mean(groups[1].x, groups[1].n);
}

static void median_ratio(const dt_values *groups, int64_t count, double *out, void *context)
{
    double under;
    dt_estimate_median(groups, count, out, context);
    dt_estimate_median(groups + 1, count, &under, context);
    out[0] /= under;
}

static void test_scipy(void **state)
{
    (void)state;
    static const struct {
        dt_estimator statistic;
        int64_t groups;
        double estimate, bca[2], percentile[2];
    } cases[] = {
        {mean_of, 1, 12.5041666666667, {12.075, 13.2235673516908}, {11.995625, 13.0710416666667}},
        {mean_ratio, 2, 1.92536355859709, {1.78159685810906, 2.05165692268504}, {1.78178441894393, 2.05274005220827}},
        {dt_estimate_median, 1, 12.15, {11.925, 12.45}, {11.925, 12.40125}},
        {median_ratio, 2, 1.92857142857143, {1.76811594202899, 1.99193548387097}, {1.76811594202899, 2}},
    };
    const dt_values groups[2] = {{x, X}, {y, Y}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int method = 0; method < 2; method++) {
            const dt_bootstrap b = {groups,
                                    cases[i].groups,
                                    cases[i].statistic,
                                    1,
                                    NULL,
                                    method ? DT_BOOTSTRAP_PERCENTILE : DT_BOOTSTRAP_BCA,
                                    0.95,
                                    400,
                                    42,
                                    7};
            double scratch[1000], estimate;
            dt_interval interval;
            int64_t failed;
            const double *expected = method ? cases[i].percentile : cases[i].bca;
            assert_in_range(dt_bootstrap_scratch(&b), 1, 1000);
            assert_int_equal(dt_bootstrap_run(&b, scratch, &estimate, &interval, &failed, NULL), DT_OK);
            assert_near(estimate, cases[i].estimate, 1e-13);
            assert_near(interval.low, expected[0], 1e-13);
            assert_near(interval.high, expected[1], 1e-13);
            assert_int_equal(failed, 0);
        }
    assert_true(x[11] == 15.2 && y[0] == 6.4); /* the sample stays as it is */
}

/* Two outputs, the second without an answer now and then. */
static void sometimes(const dt_values *groups, int64_t count, double *out, void *context)
{
    (void)count;
    const double mean = dt_mean(groups[0].x, groups[0].n);
    out[0] = mean;
    out[1] = mean > *(const double *)context ? NAN : mean;
}

static void test_failures(void **state)
{
    (void)state;
    const dt_values group = {x, X};
    double rare = 13.2, often = 12.55, scratch[1000], estimates[2];
    dt_interval intervals[2];
    int64_t failed;
    dt_bootstrap b = {&group, 1, sometimes, 2, &rare, DT_BOOTSTRAP_PERCENTILE, 0.95, 400, 42, 7};
    assert_int_equal(dt_bootstrap_run(&b, scratch, estimates, intervals, &failed, NULL), DT_OK);
    assert_in_range(failed, 1, 40);
    assert_true(intervals[1].high <= 13.2 && intervals[0].high > intervals[1].low);
    b.context = &often;
    assert_int_equal(dt_bootstrap_run(&b, scratch, estimates, intervals, NULL, NULL), DT_INVALID);
    often = 12;
    assert_int_equal(dt_bootstrap_run(&b, scratch, estimates, intervals, NULL, NULL), DT_INVALID);
    b.context = &rare;
    b.resamples = DT_RESAMPLES_LEAST - 1;
    assert_int_equal(dt_bootstrap_run(&b, scratch, estimates, intervals, NULL, NULL), DT_INVALID);
    b.resamples = INT64_MAX;
    assert_int_equal(dt_bootstrap_scratch(&b), 0);
    b.resamples = 400;
    b.confidence = 1;
    assert_int_equal(dt_bootstrap_run(&b, scratch, estimates, intervals, NULL, NULL), DT_INVALID);
    double broken[3] = {1, INFINITY, 2};
    const dt_bootstrap not_finite = {&(dt_values){broken, 3}, 1, mean_of, 1, NULL, DT_BOOTSTRAP_BCA, 0.95, 100, 1, 0};
    assert_int_equal(dt_bootstrap_run(&not_finite, scratch, estimates, intervals, NULL, NULL), DT_INVALID);
}

/* What doesn't vary has an interval of no width. */
static void test_constant(void **state)
{
    (void)state;
    double same[8] = {3, 3, 3, 3, 3, 3, 3, 3}, scratch[400], estimate;
    const dt_values group = {same, 8};
    dt_interval interval;
    const dt_bootstrap b = {&group, 1, mean_of, 1, NULL, DT_BOOTSTRAP_BCA, 0.95, 200, 1, 0};
    assert_int_equal(dt_bootstrap_run(&b, scratch, &estimate, &interval, NULL, NULL), DT_OK);
    assert_true(interval.low == 3 && interval.high == 3 && estimate == 3);
}

/* BCa intervals of the mean of 25 skewed values: their bootstrap is known to fall a little short. */
static void test_coverage(void **state)
{
    (void)state;
    enum { DRAWS = 500, N = 25 };
    const double mean = exp(0.5 * 0.3 * 0.3);
    int held = 0;
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        double sample[N], scratch[1000], estimate;
        const dt_values group = {sample, N};
        const dt_bootstrap b = {&group, 1, mean_of, 1, NULL, DT_BOOTSTRAP_BCA, 0.95, 500, draw, 0};
        dt_interval interval;
        lognormal_sample(draw, 1, 0.3, N, sample);
        assert_int_equal(dt_bootstrap_run(&b, scratch, &estimate, &interval, NULL, NULL), DT_OK);
        held += interval.low <= mean && mean <= interval.high;
    }
    assert_in_range(held, 0.91 * DRAWS, 0.965 * DRAWS);
}

/* --- comparisons --- */

static dt_comparison compared(double *a, int64_t a_count, double *b, int64_t b_count, bool ratio)
{
    double scratch[2048];
    dt_comparison c;
    dt_error error = {0};
    dt_samples_sort(a, a_count);
    dt_samples_sort(b, b_count);
    assert_in_range(dt_compare_scratch(a_count, b_count), 1, 2048);
    if (dt_compare(a, a_count, b, b_count, ratio, 0.95, scratch, &c, &error) != DT_OK)
        fail_msg("%s", error.message);
    return c;
}

/* scipy.stats.mannwhitneyu, and its differences in order */
static void test_compare(void **state)
{
    (void)state;
    double a[] = {1, 2, 3, 4, 5, 6.5}, b[] = {2.5, 3.5, 4.5, 7, 8, 9.25, 11};
    dt_comparison c = compared(a, 6, b, 7, false);
    assert_near(c.u, 9, 0);
    assert_true(c.exact);
    assert_near(c.p, 0.10139860139860139, 1e-14);
    assert_near(c.delta, 2 * 9 / 42.0 - 1, 1e-15);
    assert_near(c.shift, -2.875, 0);
    assert_near(c.interval.low, -7, 0);
    assert_near(c.interval.high, 0.5, 0);
    c = compared(a, 6, b, 7, true);
    assert_near(c.shift, 0.555984555984556, 1e-14);
    assert_near(c.interval.low, 0.2222222222222222, 1e-15);
    assert_near(c.interval.high, 1.2, 1e-15);
    double tied[] = {1, 2, 2, 3, 3, 4, 9, 9}, with[] = {2, 3, 3, 4, 5, 5, 6};
    c = compared(tied, 8, with, 7, false);
    assert_near(c.u, 22.5, 0);
    assert_false(c.exact);
    assert_near(c.p, 0.5567836116326351, 1e-12);
    assert_near(c.shift, -1, 0);
    double copy[X], other[Y];
    memcpy(copy, x, sizeof x);
    memcpy(other, y, sizeof y);
    c = compared(copy, X, other, Y, false);
    assert_near(c.u, 108, 0);
    assert_near(c.p, 6.804341169666247e-06, 1e-12);
    assert_near(c.delta, 1, 0);
    assert_near(c.shift, 5.8, 1e-14);
    double same[] = {5, 5, 5, 5};
    c = compared(same, 4, (double[]){5, 5, 5, 5}, 4, true);
    assert_true(c.p == 1 && c.delta == 0 && c.shift == 1 && c.interval.low == 1 && c.interval.high == 1);
    assert_string_equal(dt_delta_name(-0.14), "negligible");
    assert_string_equal(dt_delta_name(0.2), "small");
    assert_string_equal(dt_delta_name(-0.4), "medium");
    assert_string_equal(dt_delta_name(1), "large");
}

static void test_compare_refused(void **state)
{
    (void)state;
    double a[] = {1, 2, 3, 4}, b[] = {0, 2, 3, 4}, scratch[1024];
    dt_comparison c;
    assert_int_equal(dt_compare(a, 4, b, 4, false, 0.95, scratch, &c, NULL), DT_OK);
    assert_int_equal(dt_compare(a, 3, b, 3, false, 0.95, scratch, &c, NULL), DT_INVALID);
    assert_int_equal(dt_compare(a, 4, b, 4, true, 0.95, scratch, &c, NULL), DT_INVALID);
    assert_int_equal(dt_compare(a, 4, b, 4, false, 0, scratch, &c, NULL), DT_INVALID);
    assert_int_equal(dt_compare(a, 0, b, 4, false, 0.95, scratch, &c, NULL), DT_INVALID);
    assert_int_equal(dt_compare_scratch(INT64_MAX, INT64_MAX), 0);
}

/* Of samples from the same and from shifted distributions: small p as often as said, and the shift in its interval.
 * 12 x 12 counts, 24 x 24 goes by the normal. */
static void test_compare_coverage(void **state)
{
    (void)state;
    enum { DRAWS = 1000, N = 24 };
    for (int64_t n = N / 2; n <= N; n += N / 2) {
        int alarms = 0, held = 0;
        for (uint64_t draw = 0; draw < DRAWS; draw++) {
            double a[N], b[N];
            lognormal_sample(2 * draw, 1, 0.5, n, a);
            lognormal_sample(2 * draw + 1, 1, 0.5, n, b);
            alarms += compared(a, n, b, n, false).p < 0.05;
            for (int64_t i = 0; i < n; i++)
                a[i] *= 1.3;
            const dt_comparison c = compared(a, n, b, n, true);
            held += c.interval.low <= 1.3 && 1.3 <= c.interval.high;
        }
        assert_in_range(alarms, 0.03 * DRAWS, 0.065 * DRAWS);
        assert_in_range(held, 0.935 * DRAWS, 0.97 * DRAWS);
    }
}

/* --- design and order --- */

static void test_design(void **state)
{
    (void)state;
    const int64_t levels[] = {3, 1, 2, 4};
    int64_t points, level[4];
    assert_int_equal(dt_design_points(levels, 4, &points, NULL), DT_OK);
    assert_int_equal(points, 24);
    for (int64_t p = 0, seen = 0; p < 24; p++) {
        dt_design_levels(levels, 4, p, level);
        for (int f = 0; f < 4; f++)
            assert_in_range(level[f], 0, levels[f] - 1);
        assert_int_equal(((level[0] + level[1]) * 2 + level[2]) * 4 + level[3], seen++);
        assert_int_equal(dt_design_point(levels, 4, level), p);
    }
    assert_int_equal(dt_design_points(levels, 0, &points, NULL), DT_OK);
    assert_int_equal(points, 1);
    assert_int_equal(dt_design_points((const int64_t[]){2, 0}, 2, &points, NULL), DT_INVALID);
    assert_int_equal(dt_design_points((const int64_t[]){INT64_MAX, INT64_MAX}, 2, &points, NULL), DT_INVALID);
    assert_int_equal(dt_design_points((const int64_t[]){DT_DESIGN_MAX, 2}, 2, &points, NULL), DT_INVALID);
    assert_int_equal(dt_design_points(levels, DT_FACTORS_MAX + 1, &points, NULL), DT_INVALID);
}

/* Permutations, the same for a seed; over many blocks every point is in every place equally often. */
static void test_order(void **state)
{
    (void)state;
    enum { POINTS = 6, BLOCKS = 3000 };
    int64_t order[POINTS], again[POINTS], count[POINTS][POINTS] = {{0}}, repeats = 0;
    for (int64_t block = 0; block < BLOCKS; block++) {
        bool seen[POINTS] = {0};
        dt_order_block(9, block, POINTS, order);
        for (int place = 0; place < POINTS; place++) {
            assert_in_range(order[place], 0, POINTS - 1);
            assert_false(seen[order[place]]);
            seen[order[place]] = true;
            count[order[place]][place]++;
        }
        dt_order_block(9, block, POINTS, again);
        assert_memory_equal(order, again, sizeof order);
        dt_order_block(10, block, POINTS, again);
        repeats += memcmp(order, again, sizeof order) == 0;
    }
    double chi = 0;
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < POINTS; j++)
            chi += pow((double)count[i][j] - BLOCKS / POINTS, 2) / (BLOCKS / POINTS);
    assert_true(dt_chi_squared_above(chi, 25) > 0.001 && dt_chi_squared_above(chi, 25) < 0.999);
    assert_in_range(repeats, 0, 15); /* of 720 orders */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scipy),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_compare_refused),
        cmocka_unit_test(test_compare_coverage),
        cmocka_unit_test(test_design),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
