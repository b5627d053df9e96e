/* Activations and costs: each table walked, every entry against finite differences, its definition, and the other
 * instruction sets' bits. Built for both precisions; in float32 the tolerances are float32's. */
#include "variants.h"

#include <float.h>

#include "nn/activation.h"
#include "nn/loss.h"

static const dt_activation *const activations[DT_ISAS] = VARIANTS(dt_activations, );
static const dt_loss *const losses[DT_ISAS] = VARIANTS(dt_losses, );

#if DT_PRECISION == 64
static const double DIFFERENCE_TOLERANCE = 1e-9, VALUE_TOLERANCE = 1e-14, STEP = 0x1p-9;
static const dt_real LARGEST = DBL_MAX;
#else
static const double DIFFERENCE_TOLERANCE = 2e-4, VALUE_TOLERANCE = 1e-6, STEP = 0x1p-5;
static const dt_real LARGEST = FLT_MAX;
#endif

/* --- activations --- */

static double value_of(const dt_activation *s, double z)
{
    const dt_real x = (dt_real)z;
    dt_real a;
    s->value(1, &x, &a);
    return (double)a;
}

/* sigma'(z), from a delta of 1 */
static double derivative_of(const dt_activation *s, double z)
{
    const dt_real x = (dt_real)z;
    dt_real a, delta = 1;
    s->value(1, &x, &a);
    s->derivative(1, &x, &a, &delta);
    return (double)delta;
}

/* Central differences over h and h / 2, extrapolated to h = 0 (Richardson): the error is of fourth order. */
static double difference_of(const dt_activation *s, double z)
{
    const double h = STEP, wide = (value_of(s, z + h) - value_of(s, z - h)) / (2 * h);
    const double narrow = (value_of(s, z + h / 2) - value_of(s, z - h / 2)) / h;
    return (4 * narrow - wide) / 3;
}

/* Away from 0, where the table's kinks are. */
static void test_derivatives(void **state)
{
    (void)state;
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++) {
        const dt_activation *s = &activations[DT_ISA_GENERIC][i];
        for (int k = -4 * 512; k <= 4 * 512; k++) {
            const double z = k / 256.0;
            if (fabs(z) <= STEP)
                continue;
            const double exact = derivative_of(s, z), difference = difference_of(s, z);
            if (!(fabs(exact - difference) <= DIFFERENCE_TOLERANCE))
                fail_msg("%s: derivative at %g is %.12g, finite differences say %.12g", s->entry.name, z, exact,
                         difference);
        }
    }
}

/* At 0 the derivative lies between those on either side, and is the one that the note names. */
static void test_subgradients(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double at_zero;
    } documented[] = {{"linear", 1}, {"sigmoid", 0.25},    {"tanh", 1},
                      {"relu", 0},   {"leaky_relu", 0.01}, {"softsign", 1}};
    const double h = ldexp(STEP, -4);
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++) {
        const dt_activation *s = &activations[DT_ISA_GENERIC][i];
        const double left = (value_of(s, 0) - value_of(s, -h)) / h, right = (value_of(s, h) - value_of(s, 0)) / h;
        for (int sign = -1; sign <= 1; sign += 2) {
            const double at_zero = derivative_of(s, sign * 0.0), slack = 2 * h;
            assert_true(at_zero >= fmin(left, right) - slack && at_zero <= fmax(left, right) + slack);
            for (size_t k = 0; k < sizeof documented / sizeof *documented; k++)
                if (strcmp(documented[k].name, s->entry.name) == 0)
                    assert_true((dt_real)at_zero == (dt_real)documented[k].at_zero);
        }
    }
}

static long double linear(long double z)
{
    return z;
}

static long double sigmoid(long double z)
{
    return 1 / (1 + expl(-z));
}

static long double relu(long double z)
{
    return z > 0 ? z : 0;
}

static long double leaky_relu(long double z)
{
    return z > 0 ? z : 0.01L * z;
}

static long double softsign(long double z)
{
    return z / (1 + fabsl(z));
}

/* The values that the formulas of the first entries say. */
static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        long double (*sigma)(long double z);
    } definitions[] = {{"linear", linear}, {"sigmoid", sigmoid},       {"tanh", tanhl},
                       {"relu", relu},     {"leaky_relu", leaky_relu}, {"softsign", softsign}};
    for (size_t k = 0; k < sizeof definitions / sizeof *definitions; k++) {
        int i = 0;
        while (i < DT_ACTIVATION_COUNT && strcmp(activations[DT_ISA_GENERIC][i].entry.name, definitions[k].name) != 0)
            i++;
        assert_in_range(i, 0, DT_ACTIVATION_COUNT - 1);
        for (double z = -12; z <= 12; z += 0x1p-6) {
            const double got = value_of(&activations[DT_ISA_GENERIC][i], z);
            const double want = (double)definitions[k].sigma((long double)z);
            if (!(fabs(got - want) <= VALUE_TOLERANCE * fmax(1, fabs(want))))
                fail_msg("%s(%g) is %.17g, not %.17g", definitions[k].name, z, got, want);
        }
    }
}

enum { UNITS_MAX = 300 };

/* z of all kinds: ordinary ones, zeros, infinities, NaN, the largest and tiny ones. */
static void draw_z(uint64_t *random, int64_t n, dt_real *z)
{
    const dt_real special[] = {0, -(dt_real)0, (dt_real)INFINITY, -(dt_real)INFINITY, (dt_real)NAN, LARGEST, -LARGEST};
    for (int64_t j = 0; j < n; j++) {
        z[j] = (dt_real)ldexp(draw_between(random, -1, 1), (int)draw_integer(random, -20, 10));
        if (draw_integer(random, 0, 9) == 0)
            z[j] = special[draw_integer(random, 0, (int64_t)(sizeof special / sizeof *special) - 1)];
    }
}

static void assert_values(const dt_real *got, const dt_real *want, int64_t n, const char *isa, const char *what)
{
    for (int64_t j = 0; j < n; j++)
        if (!same_value(got[j], want[j]))
            fail_msg("%s: %s: number %lld of %lld is %a, not %a", isa, what, (long long)j, (long long)n, (double)got[j],
                     (double)want[j]);
}

/* Every instruction set gives the generic one's bits, in place and apart, and writes n numbers. */
static void test_bits_of_activations(void **state)
{
    (void)state;
    uint64_t random = 1;
    dt_real z[UNITS_MAX], a[UNITS_MAX + 1], got[UNITS_MAX + 1], drawn[UNITS_MAX], delta[UNITS_MAX],
        got_delta[UNITS_MAX + 1];
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++)
        for (int round = 0; round < 200; round++) {
            const dt_activation *generic = &activations[DT_ISA_GENERIC][i];
            const int64_t n = round < 100 ? round : draw_integer(&random, 1, UNITS_MAX);
            draw_z(&random, n, z);
            draw_reals(&random, n, drawn);
            memcpy(delta, drawn, sizeof drawn);
            generic->value(n, z, a);
            generic->derivative(n, z, a, delta);
            for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
                const dt_activation *s = &activations[isa][i];
                assert_string_equal(s->entry.name, generic->entry.name);
                assert_int_equal(s->needs_z, generic->needs_z);
                fill(got, UNITS_MAX + 1, poison());
                s->value(n, z, got);
                assert_values(got, a, n, dt_isa_name(isa), s->entry.name);
                assert_true(same_bits(got[n], poison()));
                memcpy(got, z, sizeof z);
                s->value(n, got, got);
                assert_values(got, a, n, dt_isa_name(isa), s->entry.name);
                fill(got_delta, UNITS_MAX + 1, poison());
                memcpy(got_delta, drawn, (size_t)n * sizeof *drawn);
                s->derivative(n, z, a, got_delta);
                assert_values(got_delta, delta, n, dt_isa_name(isa), s->entry.name);
                assert_true(same_bits(got_delta[n], poison()));
            }
        }
}

/* A derivative that says it doesn't need z doesn't read it: z may have been overwritten by a. */
static void test_needs_z(void **state)
{
    (void)state;
    uint64_t random = 2;
    dt_real z[UNITS_MAX], a[UNITS_MAX], want[UNITS_MAX], got[UNITS_MAX], lost[UNITS_MAX];
    fill(lost, UNITS_MAX, poison());
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++)
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            const dt_activation *s = &activations[isa][i];
            for (int64_t j = 0; j < UNITS_MAX; j++)
                z[j] = (dt_real)draw_between(&random, -5, 5);
            draw_reals(&random, UNITS_MAX, want);
            memcpy(got, want, sizeof got);
            s->value(UNITS_MAX, z, a);
            s->derivative(UNITS_MAX, z, a, want);
            if (s->needs_z)
                continue;
            for (int overwritten = 0; overwritten < 2; overwritten++) {
                dt_real delta[UNITS_MAX];
                memcpy(delta, got, sizeof got);
                s->derivative(UNITS_MAX, overwritten ? a : lost, a, delta);
                assert_bits(delta, want, UNITS_MAX, "%s: derivative of %s without z", dt_isa_name(isa), s->entry.name);
            }
        }
}

/* What is not a number stays so: a run that diverges is noticed. No finite z overflows. */
static void test_propagation(void **state)
{
    (void)state;
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++)
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            const dt_activation *s = &activations[isa][i];
            const double extremes[] = {1000, -1000, 1e30, -1e30, (double)LARGEST, -(double)LARGEST};
            dt_real z[40], a[40], delta[40];
            fill(z, 40, (dt_real)NAN);
            s->value(40, z, a);
            for (int j = 0; j < 40; j++)
                assert_true(isnan(a[j]));
            fill(z, 40, 1); /* a NaN from the layer above, on active units */
            fill(delta, 40, (dt_real)NAN);
            s->value(40, z, a);
            s->derivative(40, z, a, delta);
            for (int j = 0; j < 40; j++)
                assert_true(isnan(delta[j]));
            for (size_t k = 0; k < sizeof extremes / sizeof *extremes; k++)
                assert_true(isfinite(value_of(s, extremes[k])) && isfinite(derivative_of(s, extremes[k])));
        }
}

/* --- costs --- */

enum { CLASSES_MAX = 33, PADDED_MAX = CLASSES_MAX + DT_LANES };

static double cost_of(const dt_loss *c, int64_t units, const dt_real *z, int64_t y)
{
    dt_real delta[PADDED_MAX];
    return c->cost(units, z, y, delta);
}

/* dC/dz_j by central differences, as difference_of. */
static double cost_difference(const dt_loss *c, int64_t units, dt_real *z, int64_t y, int64_t j)
{
    const dt_real at = z[j];
    double slope[2];
    for (int halved = 0; halved < 2; halved++) {
        const double h = STEP / (1 + halved);
        z[j] = at + (dt_real)h;
        slope[halved] = cost_of(c, units, z, y);
        z[j] = at - (dt_real)h;
        slope[halved] = (slope[halved] - cost_of(c, units, z, y)) / (2 * h);
    }
    z[j] = at;
    return (4 * slope[1] - slope[0]) / 3;
}

/* z in steps of STEP (so that z +- h is exact), padding zero, and no margin z_j - z_y + 1 within two steps of a kink at
 * 0. */
static void draw_outputs(uint64_t *random, int64_t units, int64_t y, dt_real *z)
{
    bool kink;
    fill(z, PADDED_MAX, 0);
    do {
        kink = false;
        for (int64_t j = 0; j < units; j++)
            z[j] = (dt_real)(STEP * (double)draw_integer(random, (int64_t)(-4 / STEP), (int64_t)(4 / STEP)));
        for (int64_t j = 0; j < units; j++)
            kink = kink || (j != y && fabs((double)z[j] - (double)z[y] + 1) < 2 * STEP);
    } while (kink);
}

static void test_deltas(void **state)
{
    (void)state;
    uint64_t random = 3;
    dt_real z[PADDED_MAX], delta[PADDED_MAX];
    for (int i = 0; i < DT_LOSS_COUNT; i++)
        for (int64_t units = 1; units <= CLASSES_MAX; units++)
            for (int64_t y = 0; y < units; y++) {
                const dt_loss *c = &losses[DT_ISA_GENERIC][i];
                draw_outputs(&random, units, y, z);
                c->cost(units, z, y, delta);
                for (int64_t j = 0; j < units; j++) {
                    const double difference = cost_difference(c, units, z, y, j);
                    if (!(fabs((double)delta[j] - difference) <= DIFFERENCE_TOLERANCE * fmax(1, fabs(difference))))
                        fail_msg("%s of %lld units, y = %lld: delta[%lld] is %.12g, finite differences say %.12g",
                                 c->entry.name, (long long)units, (long long)y, (long long)j, (double)delta[j],
                                 difference);
                }
            }
}

static long double cross_entropy(int64_t units, const dt_real *z, int64_t y)
{
    long double largest = (long double)z[0], sum = 0;
    for (int64_t j = 1; j < units; j++)
        largest = fmaxl(largest, (long double)z[j]);
    for (int64_t j = 0; j < units; j++)
        sum += expl((long double)z[j] - largest);
    return logl(sum) + largest - (long double)z[y];
}

static long double multiclass_svm(int64_t units, const dt_real *z, int64_t y)
{
    long double sum = 0;
    for (int64_t j = 0; j < units; j++)
        sum += j == y ? 0 : fmaxl(0, (long double)z[j] - (long double)z[y] + 1);
    return sum;
}

static long double squared_error(int64_t units, const dt_real *z, int64_t y)
{
    long double sum = 0;
    for (int64_t j = 0; j < units; j++)
        sum += 0.5L * ((long double)z[j] - (j == y)) * ((long double)z[j] - (j == y));
    return sum;
}

typedef struct cost_definition {
    const char *name;
    long double (*cost)(int64_t units, const dt_real *z, int64_t y);
    bool shifts; /* the cost doesn't change when all z move together: the deltas' sum is 0 */
} cost_definition;

static const cost_definition cost_definitions[] = {
    {"cross_entropy", cross_entropy, true},
    {"multiclass_svm", multiclass_svm, true},
    {"squared_error", squared_error, false},
};

static const dt_loss *loss_named(const char *name)
{
    for (int i = 0; i < DT_LOSS_COUNT; i++)
        if (strcmp(losses[DT_ISA_GENERIC][i].entry.name, name) == 0)
            return &losses[DT_ISA_GENERIC][i];
    fail_msg("no loss '%s'", name);
    return NULL;
}

/* Costs as their formulas say, also where z is so large that a naive exp would overflow; deltas' sums. */
static void test_costs(void **state)
{
    (void)state;
    uint64_t random = 4;
    dt_real z[PADDED_MAX], delta[PADDED_MAX];
    for (size_t k = 0; k < sizeof cost_definitions / sizeof *cost_definitions; k++)
        for (int64_t units = 1; units <= CLASSES_MAX; units++)
            for (int round = 0; round < 60; round++) {
                const cost_definition *d = &cost_definitions[k];
                const int64_t y = draw_integer(&random, 0, units - 1);
                draw_outputs(&random, units, y, z);
                for (int64_t j = 0; round % 2 && j < units; j++)
                    z[j] = (dt_real)draw_integer(&random, -1, 1) * 1000;
                const double got = loss_named(d->name)->cost(units, z, y, delta);
                const double want = (double)d->cost(units, z, y);
                if (!(fabs(got - want) <= VALUE_TOLERANCE * fmax(1, fabs(want))))
                    fail_msg("%s of %lld units, y = %lld, is %.17g, not %.17g", d->name, (long long)units, (long long)y,
                             got, want);
                double sum = 0;
                for (int64_t j = 0; j < units; j++) {
                    assert_true(isfinite(delta[j]));
                    sum += (double)delta[j];
                }
                assert_true(!d->shifts || fabs(sum) <= 10 * VALUE_TOLERANCE);
            }
}

/* delta^L of cross-entropy: probabilities, less 1 at y. */
static void test_softmax(void **state)
{
    (void)state;
    uint64_t random = 5;
    dt_real z[PADDED_MAX], delta[PADDED_MAX];
    for (int64_t units = 1; units <= CLASSES_MAX; units++)
        for (int64_t y = 0; y < units; y++) {
            draw_outputs(&random, units, y, z);
            const double cost = loss_named("cross_entropy")->cost(units, z, y, delta);
            assert_true(cost >= 0 && delta[y] <= 0);
            assert_true(fabs(exp(-cost) - (1 + (double)delta[y])) <= 10 * VALUE_TOLERANCE);
            for (int64_t j = 0; j < units; j++)
                assert_true(j == y || (delta[j] >= 0 && delta[j] <= 1));
        }
}

/* A margin of exactly 0 counts for nothing. */
static void test_kink_of_the_svm(void **state)
{
    (void)state;
    dt_real z[PADDED_MAX] = {2, 1, 3, 1}, delta[PADDED_MAX];
    assert_true(loss_named("multiclass_svm")->cost(4, z, 0, delta) == 2); /* margins 0, 2, 0 */
    assert_true(delta[0] == -1 && delta[1] == 0 && delta[2] == 1 && delta[3] == 0);
}

/* Every instruction set gives the generic one's bits, whatever stands in the padding, and writes whole panels at most.
 */
static void test_bits_of_losses(void **state)
{
    (void)state;
    uint64_t random = 6;
    const dt_real padding[] = {0, 1, LARGEST, -LARGEST};
    dt_real z[PADDED_MAX], delta[PADDED_MAX], got[PADDED_MAX];
    for (int i = 0; i < DT_LOSS_COUNT; i++)
        for (int64_t units = 1; units <= CLASSES_MAX; units++)
            for (int round = 0; round < 20; round++) {
                const int64_t y = draw_integer(&random, 0, units - 1), padded = dt_whole_panels(units);
                fill(z, PADDED_MAX, 0);
                draw_reals(&random, units, z);
                const double want = losses[DT_ISA_GENERIC][i].cost(units, z, y, delta);
                for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
                    for (size_t p = 0; p < sizeof padding / sizeof *padding; p++) {
                        const dt_loss *c = &losses[isa][i];
                        fill(z + units, padded - units, padding[p]);
                        fill(z + padded, PADDED_MAX - padded, (dt_real)NAN);
                        fill(got, PADDED_MAX, poison());
                        const double cost = c->cost(units, z, y, got);
                        assert_string_equal(c->entry.name, losses[DT_ISA_GENERIC][i].entry.name);
                        assert_memory_equal(&cost, &want, sizeof cost);
                        assert_bits(got, delta, units, "%s: %s of %lld units", dt_isa_name(isa), c->entry.name,
                                    (long long)units);
                        for (int64_t j = padded; j < PADDED_MAX; j++)
                            assert_true(same_bits(got[j], poison()));
                    }
            }
}

/* One output that is not a number, or infinite, makes the cost so: the trainer stops there. */
static void test_costs_that_diverge(void **state)
{
    (void)state;
    const dt_real bad[] = {(dt_real)NAN, (dt_real)INFINITY};
    for (int i = 0; i < DT_LOSS_COUNT; i++)
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
            for (int64_t at = 0; at < 5; at++)
                for (int64_t y = 0; y < 5; y++)
                    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
                        dt_real z[PADDED_MAX] = {1, 2, 3, 4, 5};
                        z[at] = bad[k];
                        const double cost = cost_of(&losses[isa][i], 5, z, y);
                        if (isnan(bad[k]) || at != y)
                            assert_false(isfinite(cost));
                    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derivatives),    cmocka_unit_test(test_subgradients),
        cmocka_unit_test(test_values),         cmocka_unit_test(test_bits_of_activations),
        cmocka_unit_test(test_needs_z),        cmocka_unit_test(test_propagation),
        cmocka_unit_test(test_deltas),         cmocka_unit_test(test_costs),
        cmocka_unit_test(test_softmax),        cmocka_unit_test(test_kink_of_the_svm),
        cmocka_unit_test(test_bits_of_losses), cmocka_unit_test(test_costs_that_diverge),
    };
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
