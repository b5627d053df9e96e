/* Initial weights: the distributions that the table documents, and the very numbers of seed 1, pinned. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deltoid/experiment.h"
#include "nn/initializer.h"

enum { DRAWS = 200000, INPUTS = 784, UNITS = 256 };

typedef enum shape { NORMAL, TRUNCATED, UNIFORM, CONSTANT } shape;

/* What the table says, for 784 inputs and 256 units; and weights 0 to 3 of layer 1 of seed 1, as this library has
 * always drawn them. (Those of he_normal and uniform agree with a Philox and a quantile written apart from it.) */
static const struct documented {
    const char *name;
    shape shape;
    double variance; /* TRUNCATED: of what is cut at two deviations */
    double first[4];
} documented[] = {
    {"he_normal",
     NORMAL,
     2.0 / INPUTS,
     {-0x1.b29ec5fffa9fap-7, -0x1.fc42df5262fcbp-6, -0x1.5765397eb77d1p-6, -0x1.2a2e889992b9ap-6}},
    {"he_uniform",
     UNIFORM,
     2.0 / INPUTS,
     {-0x1.28e6b35a4a8d1p-6, -0x1.4a5109102a9bfp-5, -0x1.cd4a00957cb9ap-6, -0x1.935576a6839d2p-6}},
    {"glorot_normal",
     NORMAL,
     2.0 / (INPUTS + UNITS),
     {-0x1.795b23d7bbb81p-7, -0x1.b94b5879b402ep-6, -0x1.2a2694d54a95cp-6, -0x1.02e4ef6fccdedp-6}},
    {"glorot_uniform",
     UNIFORM,
     2.0 / (INPUTS + UNITS),
     {-0x1.01c84bea98a44p-6, -0x1.1ecb8a011dd91p-5, -0x1.9082d5aa91cd3p-6, -0x1.5e311c8f90c42p-6}},
    {"lecun_normal",
     NORMAL,
     1.0 / INPUTS,
     {-0x1.3352a95e07fc3p-7, -0x1.67651bcb68aa8p-6, -0x1.e5a26aec973fap-7, -0x1.a5b1552ada39bp-7}},
    {"lecun_uniform",
     UNIFORM,
     1.0 / INPUTS,
     {-0x1.a3e1b4f1d03b4p-7, -0x1.d3235cf51d0fap-6, -0x1.462e3dcc9a0eep-6, -0x1.1d33396598fb6p-6}},
    {"truncated_normal",
     TRUNCATED,
     0.05 * 0.05,
     {-0x1.9a4033ee46bfcp-7, -0x1.dd65a8c7d5fbap-6, -0x1.439fba735036cp-6, -0x1.19331c6f2cdd7p-6}},
    {"constant", CONSTANT, 0, {0, 0, 0, 0}},
    {"normal",
     NORMAL,
     0.05 * 0.05,
     {-0x1.ae4086b6d7facp-7, -0x1.f72726e992885p-6, -0x1.53f1b13f36ac9p-6, -0x1.272f553798c2p-6}},
    {"uniform",
     UNIFORM,
     0.05 * 0.05 / 3,
     {-0x1.5362e54809fbap-7, -0x1.79955096c7077p-6, -0x1.07a60ee46bbbp-6, -0x1.cd0c8a342be47p-7}},
    {"file", CONSTANT, 0, {0, 0, 0, 0}}, /* until the program reads it */
    {"zeros", CONSTANT, 0, {0, 0, 0, 0}},
};

static const struct documented *documented_of(const dt_initializer *initializer)
{
    for (size_t i = 0; i < sizeof documented / sizeof *documented; i++)
        if (strcmp(documented[i].name, initializer->entry.name) == 0)
            return &documented[i];
    fail_msg("initializer '%s': add its distribution and its first weights to this test", initializer->entry.name);
    return NULL;
}

static double parameter_of(const dt_initializer *initializer)
{
    return dt_init_parameter(&(dt_layer_spec){.init = initializer->entry.name});
}

static double weight(const dt_initializer *initializer, uint64_t seed, int64_t l, int64_t index)
{
    return dt_initial_weight(initializer, parameter_of(initializer), seed, l, INPUTS, UNITS, index);
}

static void test_pinned_weights(void **state)
{
    (void)state;
    const dt_initializer *initializer;
    size_t count = 0;
    for (size_t i = 0; (initializer = dt_initializer_at(i)); i++) {
        if (initializer->matrix)
            continue;
        count++;
        const struct documented *d = documented_of(initializer);
        for (int k = 0; k < 4; k++) {
            const double w = weight(initializer, 1, 1, k);
            if (w != d->first[k])
                fail_msg("%s: weight %d is %a, not %a: every result of every seed has changed", d->name, k, w,
                         d->first[k]);
        }
    }
    assert_int_equal(count, sizeof documented / sizeof *documented);
}

/* Phi(-2), and the variance of a standard normal number between -2 and 2: 1 - 4 phi(2) / (1 - 2 Phi(-2)) */
#define BELOW              (erfc(sqrt(2)) / 2)
#define TRUNCATED_VARIANCE (1 - 4 * exp(-2) / sqrt(2 * acos(-1)) / (1 - 2 * BELOW))

/* P(X <= x) */
static double distribution(const struct documented *d, double x)
{
    const double deviation = sqrt(d->variance);
    if (d->shape == TRUNCATED)
        return (erfc(-x / (deviation * sqrt(2))) / 2 - BELOW) / (1 - 2 * BELOW);
    return d->shape == NORMAL ? erfc(-x / (deviation * sqrt(2))) / 2 : (x / (deviation * sqrt(3)) + 1) / 2;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Largest distance between the empirical distribution and the documented one (Kolmogorov and Smirnov's statistic). */
static double largest_distance(const struct documented *d, double *w)
{
    double largest = 0;
    qsort(w, DRAWS, sizeof *w, ascending);
    for (int i = 0; i < DRAWS; i++) {
        const double p = distribution(d, w[i]), above = p - (double)i / DRAWS, below = (double)(i + 1) / DRAWS - p;
        const double farther = above > below ? above : below;
        if (farther > largest) /* of fmax here gcc 12 for aarch64 makes an internal error */
            largest = farther;
    }
    return largest;
}

/* Mean, variance, bounds and shape, each within what chance explains but once in a hundred thousand times. */
static void test_distributions(void **state)
{
    (void)state;
    const dt_initializer *initializer;
    double *w = malloc(DRAWS * sizeof *w);
    assert_non_null(w);
    for (size_t i = 0; (initializer = dt_initializer_at(i)); i++) {
        if (initializer->matrix)
            continue;
        const struct documented *d = documented_of(initializer);
        const double variance = d->variance * (d->shape == TRUNCATED ? TRUNCATED_VARIANCE : 1);
        const double deviation = sqrt(variance),
                     fourth = d->shape == NORMAL ? 3 : 2.4; /* E x^4 / variance^2, at most */
        double sum = 0, squares = 0, product = 0;
        for (int k = 0; k < DRAWS; k++) {
            w[k] = weight(initializer, 7, 2, k);
            sum += w[k];
            squares += w[k] * w[k];
            product += k ? w[k] * w[k - 1] : 0;
            assert_true(fabs(w[k]) <= (d->shape == NORMAL      ? 8.3 * deviation
                                       : d->shape == TRUNCATED ? 0.1
                                                               : sqrt(3) * deviation));
        }
        assert_true(fabs(sum) <= 4.5 * deviation * sqrt(DRAWS));
        assert_true(fabs(squares - DRAWS * variance) <= 4.5 * variance * sqrt((fourth - 1) * DRAWS));
        assert_true(fabs(product) <= 4.5 * variance * sqrt(DRAWS)); /* neighbours know nothing of each other */
        if (d->shape != CONSTANT)
            assert_true(largest_distance(d, w) <= 2.47 / sqrt(DRAWS));
    }
    free(w);
}

/* Every (seed, layer) is a stream of its own, and no number comes twice in one. */
static void test_streams(void **state)
{
    (void)state;
    enum { LENGTH = 20000 };
    const struct {
        uint64_t seed;
        int64_t l;
    } streams[] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {1, 64}, {UINT64_C(1) << 32, 1}, {UINT64_MAX, 1}, {0, 1}};
    enum { STREAMS = sizeof streams / sizeof *streams };
    size_t i = 0;
    while (dt_initializer_at(i) && strcmp(dt_initializer_at(i)->entry.name, "uniform") != 0)
        i++;
    const dt_initializer *uniform = dt_initializer_at(i);
    assert_non_null(uniform);
    double *w = malloc(STREAMS * LENGTH * sizeof *w);
    assert_non_null(w);
    for (int s = 0; s < STREAMS; s++)
        for (int k = 0; k < LENGTH; k++) {
            w[s * LENGTH + k] = weight(uniform, streams[s].seed, streams[s].l, k);
            assert_true(w[s * LENGTH + k] == weight(uniform, streams[s].seed, streams[s].l, k));
        }
    qsort(w, STREAMS * LENGTH, sizeof *w, ascending);
    for (int k = 1; k < STREAMS * LENGTH; k++)
        assert_true(w[k] != w[k - 1]); /* of 2^52 values */
    free(w);
}

/* A weight is a function of its index and the fans: not of how many were drawn before. */
static void test_fans(void **state)
{
    (void)state;
    const dt_initializer *initializer;
    for (size_t i = 0; (initializer = dt_initializer_at(i)); i++) {
        if (initializer->matrix)
            continue;
        const double wide = dt_initial_weight(initializer, parameter_of(initializer), 3, 1, 400, 100, 5);
        const double narrow =
            dt_initial_weight(initializer, parameter_of(initializer), 3, 1, 100, 25, 5); /* both fans a quarter */
        const bool plain = documented_of(initializer)->variance == 0.05 * 0.05 ||
                           documented_of(initializer)->variance == 0.05 * 0.05 / 3;
        assert_true(fabs(narrow - (plain ? wide : 2 * wide)) <= 1e-15);
    }
}

/* Parameters are read, and their defaults are those of the keys. */
static void test_parameters(void **state)
{
    (void)state;
    const dt_initializer *initializer;
    for (size_t i = 0; (initializer = dt_initializer_at(i)); i++) {
        const char *name = initializer->entry.name;
        const bool scales =
            strcmp(name, "normal") == 0 || strcmp(name, "truncated_normal") == 0 || strcmp(name, "uniform") == 0;
        assert_true(dt_init_parameter(&(dt_layer_spec){.init = name}) ==
                    (scales ? 0.05 : strcmp(name, "orthogonal") == 0));
        if (scales)
            assert_true(fabs(dt_initial_weight(initializer, 0.5, 1, 1, 3, 3, 0) -
                             10 * dt_initial_weight(initializer, 0.05, 1, 1, 3, 3, 0)) <= 1e-15);
        if (strcmp(name, "constant") == 0)
            assert_true(dt_initial_weight(initializer, -2.5, 1, 1, 3, 3, 0) == -2.5);
    }
    assert_true(dt_init_parameter(&(dt_layer_spec){.init = "normal", .std = 0.25}) == 0.25);
    assert_true(dt_init_parameter(&(dt_layer_spec){.init = "uniform", .limit = 0.25, .std = 1}) == 0.25);
}

/* W W^T or W^T W is the identity times gain^2, the bits are pinned, and the first column's direction is that of the
 * normal numbers it comes from (r_11 > 0). */
static void test_orthogonal(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{1, 1},   {1, 7},   {7, 1},  {5, 5},
                                        {12, 40}, {40, 12}, {64, 64}}; /* units, inputs */
    static double W[64 * 64];
    const dt_initializer *initializer;
    size_t at = 0;
    while ((initializer = dt_initializer_at(at)) && !initializer->matrix)
        at++;
    assert_non_null(initializer);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int64_t units = shapes[s][0], inputs = shapes[s][1], n = units < inputs ? units : inputs;
        assert_int_equal(initializer->matrix(3, 2, inputs, units, 1.5, W, NULL), DT_OK);
        for (int64_t a = 0; a < n; a++)
            for (int64_t b = 0; b < n; b++) {
                double dot = 0;
                for (int64_t k = 0; k < (units < inputs ? inputs : units); k++)
                    dot +=
                        units < inputs ? W[a * inputs + k] * W[b * inputs + k] : W[k * inputs + a] * W[k * inputs + b];
                assert_true(fabs(dot - (a == b ? 2.25 : 0)) <= 1e-14);
            }
    }
    const dt_initializer *normal = dt_initializer_at(0); /* he_normal: the same numbers, scaled */
    assert_int_equal(initializer->matrix(3, 2, 4, 6, 1, W, NULL), DT_OK);
    double square = 0;
    for (int j = 0; j < 6; j++)
        square += pow(dt_initial_weight(normal, 0, 3, 2, 4, 6, 4 * j), 2);
    for (int j = 0; j < 6; j++)
        assert_true(fabs(W[4 * j] - dt_initial_weight(normal, 0, 3, 2, 4, 6, 4 * j) / sqrt(square)) <= 1e-15);
    /* numpy.linalg.qr of the same numbers, its columns' signs made those of a positive diagonal of R, agrees in all 24
     * within 6e-16 */
    if (!(W[0] == -0x1.71e37b9d5824p-6 && W[23] == 0x1.6b8ef97b4b60ep-1))
        fail_msg("orthogonal: %a and %a: every result of every seed has changed", W[0], W[23]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pinned_weights), cmocka_unit_test(test_distributions), cmocka_unit_test(test_streams),
        cmocka_unit_test(test_fans),           cmocka_unit_test(test_parameters),    cmocka_unit_test(test_orthogonal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
