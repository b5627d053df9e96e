/* Statistics of samples. Figures marked scipy are scipy 1.17.1's and statsmodels 0.15.0's for the same data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "study/places.h"
#include "study/series.h"
#include "study/statistics.h"
#include "study_samples.h"

static const double times[] = {12.1, 11.8, 12.4, 11.9, 13.9, 12.0, 12.2, 11.7, 12.6, 12.3, 11.95, 15.2};
enum { TIMES = sizeof times / sizeof *times };

static void assert_near(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fmax(fabs(expected), 1e-300)))
        fail_msg("%.17g is not %.17g", value, expected);
}

static void sorted_times(double *x)
{
    memcpy(x, times, sizeof times);
    dt_samples_sort(x, TIMES);
}

/* --- distributions --- */

static void test_distributions(void **state)
{
    (void)state;
    /* scipy.stats.norm.ppf, chi2.sf, binom.cdf */
    assert_near(dt_normal_quantile(1e-10), -6.361340902404056, 1e-12);
    assert_near(dt_normal_quantile(0.025), -1.9599639845400545, 1e-12);
    assert_near(dt_normal_quantile(0.9), 1.2815515655446004, 1e-12);
    assert_near(dt_normal_quantile(0.999999), 4.753424308817087, 1e-10);
    assert_true(fabs(dt_normal_quantile(0.5)) < 1e-15);
    assert_true(isinf(dt_normal_quantile(0)) && isinf(dt_normal_quantile(1)));
    assert_near(dt_chi_squared_above(3.2, 1), 0.07363827012030258, 1e-12);
    assert_near(dt_chi_squared_above(0.5, 3), 0.9188914116546758, 1e-12);
    assert_near(dt_chi_squared_above(11.07, 5), 0.050009618622405425, 1e-12);
    assert_near(dt_chi_squared_above(18.3, 10), 0.050109061411462506, 1e-12);
    assert_near(dt_chi_squared_above(80, 12), 4.127308729731743e-12, 1e-10);
    assert_near(dt_binomial_cdf(3, 10, 0.5), 0.171875, 1e-13);
    assert_near(dt_binomial_cdf(40, 100, 0.5), 0.028443966820490444, 1e-12);
    assert_near(dt_binomial_cdf(5000, 10000, 0.5), 0.5039893230696917, 1e-9); /* 2^-10000 underflows */
    assert_near(dt_binomial_cdf(170, 200, 0.9), 0.016326565931766394, 1e-11);
    double ways[6 * 7 + 1]; /* by enumeration of all 1716 orders of 6 and 7 values */
    dt_rank_sum_cdf(6, 7, ways);
    assert_near(ways[0], 1 / 1716.0, 1e-15);
    assert_near(ways[6], 30 / 1716.0, 1e-15);
    assert_near(ways[7], 44 / 1716.0, 1e-15);
    assert_near(ways[42], 1, 0);
}

/* --- quantiles and their intervals --- */

static void test_quantiles(void **state)
{
    (void)state;
    double x[TIMES];
    sorted_times(x);
    /* numpy.quantile */
    const double p[] = {0, 0.1, 0.25, 0.5, 0.9, 1}, q[] = {11.7, 11.81, 11.9375, 12.15, 13.77, 15.2};
    for (int i = 0; i < 6; i++)
        assert_near(dt_quantile(x, TIMES, p[i]), q[i], 1e-14);
    assert_near(dt_median(x, TIMES), 12.15, 1e-15);
    assert_near(dt_median(x, 3), x[1], 0);
    assert_near(dt_median(x, 1), x[0], 0);
    assert_near(dt_mean((const double[]){1, 2, 6}, 3), 3, 1e-15);
    assert_near(dt_mean_of_rates((const double[]){1, 2, 4}, 3), 12 / 7.0, 1e-15);
}

/* scipy.stats.binom's narrowest ranks; x_(i) = i, so that the interval shows them. */
static void test_interval_ranks(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        double p, confidence, low, high, level;
    } cases[] = {
        {6, 0.5, 0.95, 1, 6, 0.96875},
        {12, 0.5, 0.95, 3, 10, 0.96142578125},
        {30, 0.5, 0.95, 10, 21, 0.9572260547429323},
        {101, 0.5, 0.99, 38, 64, 0.9906649518793551},
        {200, 0.9, 0.95, 171, 189, 0.9668839008979295},
    };
    double x[200];
    for (int i = 0; i < 200; i++)
        x[i] = i + 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_interval interval;
        assert_int_equal(dt_quantile_interval(x, cases[i].n, cases[i].p, cases[i].confidence, &interval, NULL), DT_OK);
        assert_near(interval.low, cases[i].low, 0);
        assert_near(interval.high, cases[i].high, 0);
        assert_near(interval.level, cases[i].level, 1e-11);
    }
}

static void test_interval_refused(void **state)
{
    (void)state;
    double x[40] = {0};
    dt_interval interval;
    dt_error error = {0};
    assert_int_equal(dt_quantile_interval_least(0.5, 0.95), 6);
    assert_int_equal(dt_quantile_interval_least(0.5, 0.99), 8);
    for (int64_t n = 0; n < 6; n++)
        assert_int_equal(dt_median_interval(x, n, 0.95, &interval, NULL), DT_INVALID);
    assert_int_equal(dt_median_interval(x, 5, 0.95, &interval, &error), DT_INVALID);
    assert_string_equal(error.message, "5 samples give no 95 % interval of quantile 0.5; measure at least 6");
    assert_int_equal(dt_median_interval(x, 40, 1, &interval, NULL), DT_INVALID);
    assert_int_equal(dt_quantile_interval(x, 40, 0, 0.95, &interval, NULL), DT_INVALID);
    for (double p = 0.05; p < 1; p += 0.05) { /* exists from the least on, and not before */
        const int64_t least = dt_quantile_interval_least(p, 0.9);
        double many[100] = {0};
        assert_int_equal(dt_quantile_interval(many, least, p, 0.9, &interval, NULL), DT_OK);
        assert_true(interval.level >= 0.9);
        assert_int_equal(dt_quantile_interval(many, least - 1, p, 0.9, &interval, NULL), DT_INVALID);
    }
    x[7] = NAN;
    assert_int_equal(dt_samples_check(x, 40, "x", NULL), DT_INVALID);
    assert_int_equal(dt_samples_check(x, 0, "x", NULL), DT_INVALID);
    assert_int_equal(dt_samples_check(x, 7, "x", NULL), DT_OK);
}

/* 95 % intervals of 2000 lognormal samples hold the median in about as many as they say. */
static void test_interval_coverage(void **state)
{
    (void)state;
    enum { DRAWS = 2000, N = 30 };
    int median = 0, upper = 0;
    const double third = exp(0.5 * dt_normal_quantile(0.75));
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        double x[N];
        dt_interval interval;
        lognormal_sample(draw, 1, 0.5, N, x);
        dt_samples_sort(x, N);
        assert_int_equal(dt_median_interval(x, N, 0.95, &interval, NULL), DT_OK);
        median += interval.low <= 1 && 1 <= interval.high;
        assert_int_equal(dt_quantile_interval(x, N, 0.75, 0.95, &interval, NULL), DT_OK);
        upper += interval.low <= third && third <= interval.high;
    }
    assert_in_range(median, 0.935 * DRAWS, 0.965 * DRAWS);
    assert_in_range(upper, 0.935 * DRAWS, 0.98 * DRAWS);
}

static void test_outliers(void **state)
{
    (void)state;
    double x[TIMES];
    bool flag[TIMES];
    sorted_times(x);
    /* quartiles 11.9375 and 12.45: fences 11.16875 and 13.21875; far out 10.4 and 13.9875 */
    assert_int_equal(dt_outliers(times, x, TIMES, 1.5, flag), 2);
    for (int i = 0; i < TIMES; i++)
        assert_int_equal(flag[i], times[i] == 13.9 || times[i] == 15.2);
    assert_int_equal(dt_outliers(times, x, TIMES, 3, flag), 1);
    assert_true(flag[TIMES - 1]);
}

/* --- when to stop --- */

static void test_stopping(void **state)
{
    (void)state;
    double x[100];
    for (int i = 0; i < 100; i++)
        x[i] = 1 + 0.001 * i;
    const dt_stop_rule rule = {.confidence = 0.95, .epsilon = 0.02, .least = 10, .most = 50, .budget = 9};
    assert_int_equal(dt_stop_rule_check(&rule, NULL), DT_OK);
    assert_int_equal(dt_stop_now(&rule, x, 0, 0), DT_STOP_NOT);
    assert_int_equal(dt_stop_now(&rule, x, 9, 1), DT_STOP_NOT); /* precise, and too few */
    assert_int_equal(dt_stop_now(&rule, x, 10, 1), DT_STOP_PRECISE);
    assert_int_equal(dt_stop_now(&rule, x, 10, 100), DT_STOP_PRECISE);
    assert_int_equal(dt_stop_now(&rule, x, 5, 9), DT_STOP_BUDGET);
    for (int i = 0; i < 100; i++)
        x[i] = 1 + 0.1 * i;
    assert_int_equal(dt_stop_now(&rule, x, 20, 1), DT_STOP_NOT);
    assert_int_equal(dt_stop_now(&rule, x, 50, 1), DT_STOP_MOST);
    assert_int_equal(dt_stop_now(&rule, x, 20, 9), DT_STOP_BUDGET);
    assert_int_equal(dt_stop_expect(&rule, x, 20), 50);
    assert_int_equal(dt_stop_expect(&rule, x, 5), -1);
    dt_stop_rule wide = rule;
    wide.most = 0;
    /* x_(6) = 1.5 .. x_(15) = 2.4 about 1.95: 0.45 / 1.95 of the median, 11.538 times epsilon: 20 * 133.14 */
    assert_int_equal(dt_stop_expect(&wide, x, 20), 2663);
    const dt_stop_rule wrong[] = {
        {1, 0.02, 0, 9, 9}, {0.95, 0, 0, 9, 9}, {0.95, 0.02, 9, 8, 9}, {0.95, 0.02, 0, 9, -1}, {0.95, 0.02, 9, 0, 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(dt_stop_rule_check(&wrong[i], NULL), DT_INVALID);
}

/* Measured until precise, the share of intervals that hold the median is a little less than said, and no less. */
static void test_stopping_coverage(void **state)
{
    (void)state;
    enum { DRAWS = 500, MOST = 200 };
    const dt_stop_rule rule = {.confidence = 0.95, .epsilon = 0.1, .least = 15, .most = MOST};
    int held = 0;
    int64_t samples = 0;
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        double x[MOST], sorted[MOST];
        int64_t n = rule.least;
        lognormal_sample(draw, 3, 0.2, MOST, x);
        for (;; n += 5) {
            memcpy(sorted, x, (size_t)n * sizeof *x);
            dt_samples_sort(sorted, n);
            if (dt_stop_now(&rule, sorted, n, 0) != DT_STOP_NOT)
                break;
        }
        dt_interval interval;
        assert_int_equal(dt_median_interval(sorted, n, 0.95, &interval, NULL), DT_OK);
        held += interval.low <= 3 && 3 <= interval.high;
        samples += n;
    }
    assert_in_range(held, 0.9 * DRAWS, 0.98 * DRAWS);
    assert_in_range(samples / DRAWS, 16, 60);
}

/* --- series --- */

/* MSER-5 as the paper defines it. */
static int64_t mser5(const double *x, int64_t n)
{
    double least = INFINITY;
    int64_t best = 0, count = n / 5;
    for (int64_t d = 0; d <= count / 2; d++) {
        double mean = 0, sum = 0;
        for (int64_t i = 5 * d; i < 5 * count; i++)
            mean += x[i] / (double)(5 * (count - d));
        for (int64_t j = d; j < count; j++) {
            double batch = 0;
            for (int i = 0; i < 5; i++)
                batch += x[5 * j + i] / 5;
            sum += (batch - mean) * (batch - mean);
        }
        sum /= (double)((count - d) * (count - d));
        if (sum < least) {
            least = sum;
            best = 5 * d;
        }
    }
    return best;
}

static void test_warmup(void **state)
{
    (void)state;
    bool steady;
    int drifting = 0;
    for (uint64_t stream = 0; stream < 100; stream++) {
        double x[103];
        lognormal_sample(stream, 10, 0.05, 103, x);
        for (int i = 0; i < 103; i++)
            x[i] += 8 * exp(-i / (2.0 + (double)(stream % 10))); /* settles */
        assert_int_equal(dt_warmup(x, 103, &steady), mser5(x, 103));
        drifting += !steady;
    }
    assert_in_range(drifting, 0, 15); /* by chance, with 20 batches */
    double x[60];
    for (int i = 0; i < 60; i++)
        x[i] = i < 12 ? 20 : 10 + 0.01 * (i % 3);
    assert_int_equal(dt_warmup(x, 60, &steady), 15);
    assert_true(steady);
    for (int i = 0; i < 60; i++)
        x[i] = 60 - i; /* never settles */
    assert_int_equal(dt_warmup(x, 60, &steady), 30);
    assert_false(steady);
    assert_int_equal(dt_warmup(x, DT_WARMUP_LEAST - 1, &steady), 0);
    assert_false(steady);
    for (int i = 0; i < 60; i++)
        x[i] = 7;
    assert_int_equal(dt_warmup(x, 60, NULL), 0);
}

static void test_independence(void **state)
{
    (void)state;
    double x[60];
    dt_independence is;
    for (int i = 0; i < 60; i++)
        x[i] = (i * 7919 % 101) / 101.0 + 0.01 * i;
    /* statsmodels.acorr_ljungbox, acf */
    assert_near(dt_autocorrelation(x, 60, 1), -0.01082817612911431, 1e-11);
    assert_near(dt_autocorrelation(x, 60, 2), 0.26855381995284044, 1e-12);
    dt_independence_of(x, 60, 5, &is);
    assert_near(is.q, 51.452993, 1e-6);
    assert_near(is.p, 6.984360e-10, 1e-6);
    dt_independence_of(x, 60, 0, &is);
    assert_int_equal(is.lags, 10);
    assert_near(is.q, 83.206646, 1e-6);
    int doubted = 0; /* of independent samples, 1 % of the time */
    for (uint64_t stream = 0; stream < 1000; stream++) {
        for (int i = 0; i < 60; i++)
            x[i] = normal_number(stream, (uint64_t)i);
        dt_independence_of(x, 60, 0, &is);
        doubted += is.p < 0.01;
    }
    assert_in_range(doubted, 3, 25);
    for (int i = 1; i < 60; i++)
        x[i] = 0.8 * x[i - 1] + x[i]; /* and always of these */
    dt_independence_of(x, 60, 0, &is);
    assert_true(is.p < 1e-4 && is.lag1 > 0.5 && is.effective < 25);
    for (int i = 0; i < 60; i++)
        x[i] = 1;
    dt_independence_of(x, 60, 0, &is);
    assert_true(is.p == 1 && is.lag1 == 0 && is.effective == 60);
}

/* --- places --- */

/* Three near of point 1 and one far; of point 2 far ones only, but at its level most are near; a third level of its
 * own; one worker; nobody looked. */
static const dt_placed placed[] = {
    {1, 1.3, "none", "far"},  {1, 1.2, "none", "near"}, {3, 5.0, "close", "smt"}, {2, 9.0, "none", "far"},
    {1, 1.1, "none", "near"}, {1, 1.0, "none", "near"}, {0, 2.5, NULL, "far"},    {3, 4.0, "close", "near"},
    {0, 2.0, NULL, ""},       {2, 8.0, "none", "far"},  {2, 7.0, "none", ""},     {4, 6.0, "spread", ""},
};
enum { PLACED = sizeof placed / sizeof *placed };

static void test_the_commonest_place(void **state)
{
    (void)state;
    assert_string_equal(dt_place_commonest(placed, PLACED, "none"), "far"); /* 3 and 3: the first */
    assert_string_equal(dt_place_commonest(placed + 1, PLACED - 1, "none"), "near");
    assert_string_equal(dt_place_commonest(placed, PLACED, "close"), "smt");
    assert_null(dt_place_commonest(placed, PLACED, "spread"));
    assert_null(dt_place_commonest(placed, 0, "none"));
}

static void expect_alike(const dt_placed *visits, size_t count, int64_t point, const double *seconds, int64_t n)
{
    double got[PLACED];
    assert_int_equal(dt_place_alike(visits, count, point, got), n);
    for (int64_t i = 0; i < n; i++)
        assert_true(got[i] == seconds[i]);
}

static void test_visits_of_one_place(void **state)
{
    (void)state;
    expect_alike(placed, PLACED, 1, (const double[]){1.3}, 1);
    expect_alike(placed, PLACED, 2, (const double[]){7, 8, 9}, 3);
    expect_alike(placed + 1, PLACED - 1, 1, (const double[]){1.0, 1.1, 1.2}, 3);
    expect_alike(placed + 1, PLACED - 1, 2, (const double[]){7}, 1); /* where nobody looked it is not known */
    expect_alike(placed, PLACED, 0, (const double[]){2.0, 2.5}, 2);
    expect_alike(placed, PLACED, 3, (const double[]){5.0}, 1);
    expect_alike(placed, PLACED, 4, (const double[]){6.0}, 1);
    expect_alike(placed, PLACED, 5, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_commonest_place),
        cmocka_unit_test(test_visits_of_one_place),
        cmocka_unit_test(test_distributions),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_interval_ranks),
        cmocka_unit_test(test_interval_refused),
        cmocka_unit_test(test_interval_coverage),
        cmocka_unit_test(test_outliers),
        cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_stopping_coverage),
        cmocka_unit_test(test_warmup),
        cmocka_unit_test(test_independence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
