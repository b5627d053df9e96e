/* Activations: the table walked, every entry's derivative against finite differences of its value, its value against
 * its definition, and the same bits from every instruction set. Built for both precisions; in float32 the tolerances
 * are float32's. */
#include "variants.h"

#include <float.h>

#include "deltoid/experiment.h"
#include "nn/activation.h"

static const dt_activation *const variants[DT_ISAS] = VARIANTS(dt_activations, );

#if DT_PRECISION == 64
static const double DIFFERENCE_TOLERANCE = 1e-9, VALUE_TOLERANCE = 1e-14, STEP = 0x1p-9;
static const dt_real LARGEST = DBL_MAX;
#else
static const double DIFFERENCE_TOLERANCE = 2e-4, VALUE_TOLERANCE = 1e-6, STEP = 0x1p-5;
static const dt_real LARGEST = FLT_MAX;
#endif

static double parameter_of(const dt_activation *s)
{
    return dt_activation_parameter(&(dt_layer_spec){.activation = s->entry.name});
}

static double value_of(const dt_activation *s, double z)
{
    const dt_real x = (dt_real)z;
    dt_real a;
    s->value(1, parameter_of(s), &x, &a);
    return (double)a;
}

/* sigma'(z), from a delta of 1 */
static double derivative_of(const dt_activation *s, double z)
{
    const dt_real x = (dt_real)z;
    dt_real a, delta = 1;
    s->value(1, parameter_of(s), &x, &a);
    s->derivative(1, parameter_of(s), &x, &a, &delta);
    return (double)delta;
}

/* Central differences over h and h / 2, extrapolated to h = 0 (Richardson): the error is of fourth order. */
static double difference_of(const dt_activation *s, double z)
{
    const double h = STEP, wide = (value_of(s, z + h) - value_of(s, z - h)) / (2 * h);
    const double narrow = (value_of(s, z + h / 2) - value_of(s, z - h / 2)) / h;
    return (4 * narrow - wide) / 3;
}

/* Where a piecewise linear one bends. */
static bool at_kink(const dt_activation *s, double z)
{
    static const struct {
        const char *name;
        double at[2];
    } kinks[] = {{"hard_tanh", {-1, 1}}, {"hard_sigmoid", {-3, 3}}, {"relu6", {0, 6}}};
    for (size_t k = 0; k < sizeof kinks / sizeof *kinks; k++)
        if (strcmp(kinks[k].name, s->entry.name) == 0)
            return fabs(z - kinks[k].at[0]) <= STEP || fabs(z - kinks[k].at[1]) <= STEP;
    return fabs(z) <= STEP;
}

/* Away from the kinks. */
static void test_derivatives(void **state)
{
    (void)state;
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++) {
        const dt_activation *s = &variants[DT_ISA_GENERIC][i];
        for (int k = -4 * 512; k <= 4 * 512; k++) {
            const double z = k / 256.0;
            if (at_kink(s, z))
                continue;
            const double exact = derivative_of(s, z), difference = difference_of(s, z);
            if (!(fabs(exact - difference) <= DIFFERENCE_TOLERANCE * fmax(1, fabs(exact))))
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
    } documented[] = {
        {"linear", 1},        {"sigmoid", 0.25},  {"tanh", 1},   {"relu", 0},
        {"leaky_relu", 0.01}, {"softsign", 1},    {"elu", 1},    {"selu", 1.0507009873554805 * 1.6732632423543772},
        {"gelu", 0.5},        {"gelu_tanh", 0.5}, {"silu", 0.5}, {"mish", 0.6},
        {"softplus", 0.5},    {"hard_tanh", 1},   {"relu6", 0},  {"hard_sigmoid", 1.0 / 6},
        {"exp", 1},           {"sine", 1}};
    const double h = ldexp(STEP, -4);
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++) {
        const dt_activation *s = &variants[DT_ISA_GENERIC][i];
        const double left = (value_of(s, 0) - value_of(s, -h)) / h, right = (value_of(s, h) - value_of(s, 0)) / h;
        for (int sign = -1; sign <= 1; sign += 2) {
            const double at_zero = derivative_of(s, sign * 0.0), slack = 2 * h;
            assert_true(at_zero >= fmin(left, right) - slack && at_zero <= fmax(left, right) + slack);
            for (size_t k = 0; k < sizeof documented / sizeof *documented; k++)
                if (strcmp(documented[k].name, s->entry.name) == 0)
                    assert_true(fabs(at_zero - documented[k].at_zero) <= VALUE_TOLERANCE);
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
        while (i < DT_ACTIVATION_COUNT && strcmp(variants[DT_ISA_GENERIC][i].entry.name, definitions[k].name) != 0)
            i++;
        assert_in_range(i, 0, DT_ACTIVATION_COUNT - 1);
        for (double z = -12; z <= 12; z += 0x1p-6) {
            const double got = value_of(&variants[DT_ISA_GENERIC][i], z);
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
static void test_bits(void **state)
{
    (void)state;
    uint64_t random = 1;
    dt_real z[UNITS_MAX], a[UNITS_MAX + 1], got[UNITS_MAX + 1], drawn[UNITS_MAX], delta[UNITS_MAX],
        got_delta[UNITS_MAX + 1];
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++)
        for (int round = 0; round < 200; round++) {
            const dt_activation *generic = &variants[DT_ISA_GENERIC][i];
            const int64_t n = round < 100 ? round : draw_integer(&random, 1, UNITS_MAX);
            draw_z(&random, n, z);
            draw_reals(&random, n, drawn);
            memcpy(delta, drawn, sizeof drawn);
            generic->value(n, parameter_of(generic), z, a);
            generic->derivative(n, parameter_of(generic), z, a, delta);
            for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
                const dt_activation *s = &variants[isa][i];
                assert_string_equal(s->entry.name, generic->entry.name);
                assert_int_equal(s->needs_z, generic->needs_z);
                fill(got, UNITS_MAX + 1, poison());
                s->value(n, parameter_of(s), z, got);
                assert_values(got, a, n, dt_isa_name(isa), s->entry.name);
                assert_true(same_bits(got[n], poison()));
                memcpy(got, z, sizeof z);
                s->value(n, parameter_of(s), got, got);
                assert_values(got, a, n, dt_isa_name(isa), s->entry.name);
                fill(got_delta, UNITS_MAX + 1, poison());
                memcpy(got_delta, drawn, (size_t)n * sizeof *drawn);
                s->derivative(n, parameter_of(s), z, a, got_delta);
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
            const dt_activation *s = &variants[isa][i];
            for (int64_t j = 0; j < UNITS_MAX; j++)
                z[j] = (dt_real)draw_between(&random, -5, 5);
            draw_reals(&random, UNITS_MAX, want);
            memcpy(got, want, sizeof got);
            s->value(UNITS_MAX, parameter_of(s), z, a);
            s->derivative(UNITS_MAX, parameter_of(s), z, a, want);
            if (s->needs_z)
                continue;
            for (int overwritten = 0; overwritten < 2; overwritten++) {
                dt_real delta[UNITS_MAX];
                memcpy(delta, got, sizeof got);
                s->derivative(UNITS_MAX, parameter_of(s), overwritten ? a : lost, a, delta);
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
            const dt_activation *s = &variants[isa][i];
            const double extremes[] = {1000, -1000, 1e30, -1e30, (double)LARGEST, -(double)LARGEST};
            dt_real z[40], a[40], delta[40];
            fill(z, 40, (dt_real)NAN);
            s->value(40, parameter_of(s), z, a);
            for (int j = 0; j < 40; j++)
                assert_true(isnan(a[j]));
            fill(z, 40, (dt_real)0.5); /* a NaN from the layer above, on active units */
            fill(delta, 40, (dt_real)NAN);
            s->value(40, parameter_of(s), z, a);
            s->derivative(40, parameter_of(s), z, a, delta);
            for (int j = 0; j < 40; j++)
                assert_true(isnan(delta[j]));
            for (size_t k = 0; k < sizeof extremes / sizeof *extremes; k++)
                if (strcmp(s->entry.name, "exp") != 0 && !(strcmp(s->entry.name, "selu") == 0 && extremes[k] > 1e30) &&
                    !(isfinite(value_of(s, extremes[k])) && isfinite(derivative_of(s, extremes[k]))))
                    fail_msg("%s(%g) is %g, its derivative %g", s->entry.name, extremes[k], value_of(s, extremes[k]),
                             derivative_of(s, extremes[k]));
            const double far[] = {INFINITY, -INFINITY};
            for (size_t k = 0; k < 2; k++) /* no infinity makes a NaN, but of a sine and of softsign's inf / inf */
                if (strcmp(s->entry.name, "sine") != 0 && strcmp(s->entry.name, "softsign") != 0)
                    assert_false(isnan(value_of(s, far[k])) || isnan(derivative_of(s, far[k])));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derivatives), cmocka_unit_test(test_subgradients), cmocka_unit_test(test_values),
        cmocka_unit_test(test_bits),        cmocka_unit_test(test_needs_z),      cmocka_unit_test(test_propagation),
    };
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
