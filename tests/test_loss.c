/* Costs: the table walked, every entry's delta against finite differences of the cost, the cost against its definition,
 * and the same bits from every instruction set. Built for both precisions; in float32 the tolerances are float32's. */
#include "variants.h"

#include <float.h>

#include "nn/loss.h"

static const dt_loss *const variants[DT_ISAS] = VARIANTS(dt_losses, );

#if DT_PRECISION == 64
static const double DIFFERENCE_TOLERANCE = 1e-9, VALUE_TOLERANCE = 1e-14, STEP = 0x1p-9;
static const dt_real LARGEST = DBL_MAX;
#else
static const double DIFFERENCE_TOLERANCE = 2e-4, VALUE_TOLERANCE = 1e-6, STEP = 0x1p-5;
static const dt_real LARGEST = FLT_MAX;
#endif

static const dt_loss_options defaults = {.margin = 1, .delta = 1};

static dt_target class_of(int64_t y)
{
    return (dt_target){y, NULL};
}

enum { CLASSES_MAX = 33, PADDED_MAX = CLASSES_MAX + DT_LANES };

static double cost_of(const dt_loss *c, int64_t units, const dt_real *z, int64_t y)
{
    dt_real delta[PADDED_MAX];
    return c->cost(&defaults, units, z, class_of(y), delta);
}

/* dC/dz_j by central differences over h and h / 2, extrapolated to h = 0 (Richardson). */
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

/* z in steps of STEP (so that z +- h is exact), each in a slot of its own, so that no two are nearer than 4 steps to
 * each other; padding zero; no margin z_j - z_y + 1 and none of huber's and the absolute value's kinks within two
 * steps.
 */
static void draw_outputs(uint64_t *random, int64_t units, int64_t y, dt_real *z)
{
    enum { SLOTS = 42 };
    const int64_t width = (int64_t)(8 / STEP) / SLOTS;
    int64_t slot[SLOTS];
    bool kink;
    fill(z, PADDED_MAX, 0);
    do {
        kink = false;
        for (int64_t j = 0; j < SLOTS; j++) {
            const int64_t k = draw_integer(random, 0, j);
            slot[j] = slot[k];
            slot[k] = j;
        }
        for (int64_t j = 0; j < units; j++)
            z[j] = (dt_real)(STEP * (double)(width * (slot[j] - SLOTS / 2) + draw_integer(random, 0, width - 4)));
        for (int64_t j = 0; j < units; j++) {
            const double r = fabs((double)z[j] - (j == y));
            kink = kink || (j != y && fabs((double)z[j] - (double)z[y] + 1) < 2 * STEP) || r < 2 * STEP ||
                   fabs(r - 1) < 2 * STEP;
        }
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
                const dt_loss *c = &variants[DT_ISA_GENERIC][i];
                draw_outputs(&random, units, y, z);
                c->cost(&defaults, units, z, class_of(y), delta);
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

static const dt_loss *named(const char *name)
{
    for (int i = 0; i < DT_LOSS_COUNT; i++)
        if (strcmp(variants[DT_ISA_GENERIC][i].entry.name, name) == 0)
            return &variants[DT_ISA_GENERIC][i];
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
                const double got = named(d->name)->cost(&defaults, units, z, class_of(y), delta);
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

/* delta^L of cross-entropy: probabilities, less 1 at y; each to its last places, however sure the network is. */
static void test_softmax(void **state)
{
    (void)state;
    uint64_t random = 5;
    dt_real z[PADDED_MAX], delta[PADDED_MAX];
    for (int64_t units = 1; units <= CLASSES_MAX; units++)
        for (int64_t y = 0; y < units; y++) {
            draw_outputs(&random, units, y, z);
            for (int64_t j = 0; y % 2 && j < units; j++)
                z[j] *= 8;
            const double cost = named("cross_entropy")->cost(&defaults, units, z, class_of(y), delta);
            long double sum = 0, others = 0;
            for (int64_t j = 0; j < units; j++) {
                sum += expl((long double)z[j]);
                others += j == y ? 0 : expl((long double)z[j]);
            }
            for (int64_t j = 0; j < units; j++) {
                const double want = (double)((j == y ? -others : expl((long double)z[j])) / sum);
                if (!(fabs((double)delta[j] - want) <= VALUE_TOLERANCE * 5 * fabs(want)))
                    fail_msg("cross_entropy of %lld units, y = %lld: delta[%lld] is %.17g, not %.17g", (long long)units,
                             (long long)y, (long long)j, (double)delta[j], want);
            }
            assert_true(cost >= 0);
        }
}

/* A margin of exactly 0 counts for nothing. */
static void test_kink_of_the_svm(void **state)
{
    (void)state;
    dt_real z[PADDED_MAX] = {2, 1, 3, 1}, delta[PADDED_MAX];
    assert_true(named("multiclass_svm")->cost(&defaults, 4, z, class_of(0), delta) == 2); /* margins 0, 2, 0 */
    assert_true(delta[0] == -1 && delta[1] == 0 && delta[2] == 1 && delta[3] == 0);
}

/* Every instruction set gives the generic one's bits, whatever stands in the padding, and writes whole panels at most.
 */
static void test_bits(void **state)
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
                const double want = variants[DT_ISA_GENERIC][i].cost(&defaults, units, z, class_of(y), delta);
                for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
                    for (size_t p = 0; p < sizeof padding / sizeof *padding; p++) {
                        const dt_loss *c = &variants[isa][i];
                        fill(z + units, padded - units, padding[p]);
                        fill(z + padded, PADDED_MAX - padded, (dt_real)NAN);
                        fill(got, PADDED_MAX, poison());
                        const double cost = c->cost(&defaults, units, z, class_of(y), got);
                        assert_string_equal(c->entry.name, variants[DT_ISA_GENERIC][i].entry.name);
                        assert_memory_equal(&cost, &want, sizeof cost);
                        assert_bits(got, delta, units, "%s: %s of %lld units", dt_isa_name(isa), c->entry.name,
                                    (long long)units);
                        for (int64_t j = padded; j < PADDED_MAX; j++)
                            assert_true(same_bits(got[j], poison()));
                    }
            }
}

/* One output that is not a number, or infinite (but the right class's own: a margin can't be larger), makes the cost
 * so: the trainer stops there. */
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
                        const double cost = cost_of(&variants[isa][i], 5, z, y);
                        if (isnan(bad[k]) || at != y)
                            assert_false(isfinite(cost));
                    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deltas),          cmocka_unit_test(test_costs), cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_kink_of_the_svm), cmocka_unit_test(test_bits),  cmocka_unit_test(test_costs_that_diverge),
    };
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
