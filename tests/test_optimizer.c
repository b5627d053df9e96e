/* Optimizers against PyTorch's, its documentation written out in long double, and the other instruction sets' bits;
 * schedules. Built for both precisions; in float32 the tolerances are float32's. */
#include "variants.h"

#include "deltoid/experiment.h"
#include "train/optimizer.h"
#include "train/schedule.h"

static const dt_optimizer *const variants[DT_ISAS] = VARIANTS(dt_optimizers, );

#if DT_PRECISION == 64
static const double TOLERANCE = 1e-12;
#else
static const double TOLERANCE = 2e-5;
#endif

enum { STEPS = 100 };
static const double RATE = 0.05;

static const dt_optimizer *named(dt_isa isa, const char *name)
{
    for (int i = 0; i < DT_OPTIMIZER_COUNT; i++)
        if (strcmp(variants[isa][i].entry.name, name) == 0)
            return &variants[isa][i];
    fail_msg("no optimizer '%s'", name);
    return NULL;
}

/* --- sgd --- */

enum { PINNED = 7, PARAMETERS = 101 };

/* W after 100 steps, from
 *
 *     import torch
 *     for momentum, nesterov, decay in ((0, False, 0), (0.9, False, 0), (0.9, True, 0),
 *                                       (0, False, 0.01), (0.9, False, 0.01), (0.9, True, 0.01)):
 *         W = torch.tensor([((5 * i) % 17 - 8) / 8 for i in range(7)], dtype=torch.float64, requires_grad=True)
 *         sgd = torch.optim.SGD([W], lr=0.05, momentum=momentum, nesterov=nesterov, weight_decay=decay)
 *         for t in range(100):
 *             W.grad = torch.tensor([((7 * i + 13 * t) % 31 - 15) / 16 for i in range(7)], dtype=torch.float64)
 *             sgd.step()
 *         print([float(w).hex() for w in W])
 */
static const struct pinned {
    double momentum;
    bool nesterov;
    double weight_decay;
    double W[PINNED];
} pinned[] = {
    {0,
     false,
     0,
     {-0x1.e33333333333bp-1, -0x1.8000000000000p-2, 0x1.8cccccccccccbp-3, 0x1.b7fffffffffffp-1, -0x1.3333333333334p-1,
      -0x1.0000000000000p-5, 0x1.44ccccccccccdp-1}},
    {0.9,
     false,
     0,
     {-0x1.747e676e7d8fdp-1, -0x1.76585f630933fp-5, -0x1.57740e5560d26p-6, 0x1.65ed65b518041p-1, -0x1.768ee2077730bp-1,
      -0x1.134976aff7db3p-6, 0x1.8fec0cb7919a8p-1}},
    {0.9,
     true,
     0,
     {-0x1.65a4f6b03dce3p-1, -0x1.420e2aec90f19p-4, -0x1.9a8dd340052aep-5, 0x1.66ef41efc8d07p-1, -0x1.644d6506b8121p-1,
      -0x1.7be10f0262bccp-5, 0x1.8cbad83ecfd7cp-1}},
    {0,
     false,
     0.01,
     {-0x1.caca79f20a951p-1, -0x1.6f628303b79c0p-2, 0x1.771c8fa21c028p-3, 0x1.a2997510ca46cp-1, -0x1.23686f99d7221p-1,
      -0x1.0115308ddc1d9p-5, 0x1.34f248909facfp-1}},
    {0.9,
     false,
     0.01,
     {-0x1.b6cc6896db5b7p-2, -0x1.b77e3b11f6d75p-5, 0x1.bad0da3626dacp-9, 0x1.ba0096c28d594p-2, -0x1.e576c18fb783dp-2,
      -0x1.a66103382899bp-6, 0x1.07072879cc582p-1}},
    {0.9,
     true,
     0.01,
     {-0x1.983a7cc5c9df6p-2, -0x1.68f67229f9835p-4, -0x1.96fdd5af2758ap-6, 0x1.bb944ea012971p-2, -0x1.bf34fd3e2f1d0p-2,
      -0x1.c932e70fcb664p-5, 0x1.03048f5eaacc8p-1}},
};

enum { CASES = sizeof pinned / sizeof *pinned };

static double first_weight(int64_t i)
{
    return (double)((5 * i) % 17 - 8) / 8;
}

static double gradient_at(int64_t i, int t)
{
    return (double)((7 * i + 13 * t) % 31 - 15) / 16;
}

static dt_hyper hyper_of(const struct pinned *p)
{
    return (dt_hyper){(dt_real)RATE, (dt_real)p->momentum, (dt_real)p->weight_decay, p->nesterov};
}

/* 100 steps of n parameters, `part` of them at a time, from numbers that are exact in either precision: sums over a
 * minibatch of 64. */
static void train(const dt_optimizer *o, const dt_hyper *hyper, int64_t n, int64_t part, dt_real *W)
{
    dt_real sum[PARAMETERS], v[PARAMETERS] = {0};
    for (int64_t i = 0; i < n; i++)
        W[i] = (dt_real)first_weight(i);
    for (int t = 0; t < STEPS; t++) {
        for (int64_t i = 0; i < n; i++)
            sum[i] = (dt_real)(64 * gradient_at(i, t));
        for (int64_t first = 0; first < n; first += part) {
            dt_real *state[DT_STATES_MAX] = {v + first};
            o->update(dt_min(part, n - first), hyper, (dt_real)(1.0 / 64), W + first, sum + first, state);
        }
    }
}

static void test_sgd_is_pytorchs(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++)
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            const dt_hyper hyper = hyper_of(&pinned[c]);
            dt_real W[PARAMETERS];
            train(named(isa, "sgd"), &hyper, PINNED, PINNED, W);
            for (int i = 0; i < PINNED; i++)
                if (!(fabs((double)W[i] - pinned[c].W[i]) <= TOLERANCE))
                    fail_msg("%s: sgd, momentum %g, nesterov %d, weight decay %g: W[%d] is %.17g, not %.17g",
                             dt_isa_name(isa), pinned[c].momentum, pinned[c].nesterov, pinned[c].weight_decay, i,
                             (double)W[i], pinned[c].W[i]);
        }
}

/* One parameter's 100 steps as PyTorch documents them (without dampening). */
static long double documented_sgd(const dt_hyper *hyper, int64_t i)
{
    long double W = (long double)first_weight(i), b = 0;
    for (int t = 0; t < STEPS; t++) {
        long double g = (long double)gradient_at(i, t);
        if (hyper->weight_decay != 0)
            g = g + (long double)hyper->weight_decay * W;
        if (hyper->momentum != 0) {
            b = t > 0 ? (long double)hyper->momentum * b + g : g;
            g = hyper->nesterov ? g + (long double)hyper->momentum * b : b;
        }
        W = W - (long double)hyper->learning_rate * g;
    }
    return W;
}

static void test_sgd_is_its_documentation(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 60; round++) {
        dt_hyper hyper = {.learning_rate = (dt_real)draw_between(&random, 0.001, 0.1)};
        hyper.momentum = (dt_real)(round % 2 ? draw_between(&random, 0.1, 0.95) : 0);
        hyper.nesterov = round % 4 == 3;
        hyper.weight_decay = (dt_real)(round % 3 ? draw_between(&random, 0.0001, 0.1) : 0);
        dt_real W[PARAMETERS];
        train(named(DT_ISA_GENERIC, "sgd"), &hyper, PARAMETERS, PARAMETERS, W);
        for (int i = 0; i < PARAMETERS; i++)
            assert_true(fabsl((long double)W[i] - documented_sgd(&hyper, i)) <= (long double)(10 * TOLERANCE));
    }
}

static void test_sgd_states(void **state)
{
    (void)state;
    dt_optimizer_spec spec = {.name = "sgd", .learning_rate = 0.1};
    assert_int_equal(named(DT_ISA_GENERIC, "sgd")->states(&spec), 0);
    spec.momentum = 0.9;
    assert_int_equal(named(DT_ISA_GENERIC, "sgd")->states(&spec), 1);
}

/* --- every optimizer --- */

/* The same bits from every instruction set, in one piece and in pieces. */
static void test_bits(void **state)
{
    (void)state;
    static const int64_t parts[] = {PARAMETERS, 1, 7, 64};
    for (int k = 0; k < DT_OPTIMIZER_COUNT; k++)
        for (int c = 0; c < CASES; c++) {
            const dt_hyper hyper = hyper_of(&pinned[c]);
            dt_real want[PARAMETERS], got[PARAMETERS];
            train(&variants[DT_ISA_GENERIC][k], &hyper, PARAMETERS, PARAMETERS, want);
            for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
                for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
                    assert_string_equal(variants[isa][k].entry.name, variants[DT_ISA_GENERIC][k].entry.name);
                    train(&variants[isa][k], &hyper, PARAMETERS, parts[p], got);
                    assert_bits(got, want, PARAMETERS, "%s: %s, case %d, %lld at a time", dt_isa_name(isa),
                                variants[isa][k].entry.name, c, (long long)parts[p]);
                }
        }
}

/* Padding is zeros with gradients of zero: it stays +0, whatever the other parameters do; and nothing past n is
 * written. */
static void test_zeros_stay_zero(void **state)
{
    (void)state;
    enum { N = 40 };
    dt_real zeros[N] = {0};
    for (int k = 0; k < DT_OPTIMIZER_COUNT; k++)
        for (int c = 0; c < CASES; c++)
            for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
                const dt_optimizer *o = &variants[isa][k];
                const dt_hyper hyper = hyper_of(&pinned[c]);
                dt_real W[N + 1] = {0}, sum[N + 1], kept[DT_STATES_MAX][N + 1] = {{0}};
                dt_real *states[DT_STATES_MAX];
                for (int s = 0; s < DT_STATES_MAX; s++) {
                    states[s] = kept[s];
                    kept[s][N] = poison();
                }
                W[N] = poison();
                for (int t = 0; t < 5; t++) {
                    fill(sum, N, 0);
                    sum[N] = poison();
                    o->update(N, &hyper, (dt_real)(1.0 / 61), W, sum, states);
                    assert_bits(W, zeros, N, "%s: %s of zeros", dt_isa_name(isa), o->entry.name);
                    assert_true(same_bits(W[N], poison()) && same_bits(sum[N], poison()));
                    for (int s = 0; s < DT_STATES_MAX; s++)
                        assert_true(same_bits(kept[s][N], poison()));
                }
            }
}

/* g = sum / B, as one product, in place or not. */
static void test_scale(void **state)
{
    (void)state;
    uint64_t random = 2;
    dt_real sum[PARAMETERS], want[PARAMETERS + 1], got[PARAMETERS + 1];
    for (int k = 0; k < DT_OPTIMIZER_COUNT; k++)
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
            for (int64_t n = 0; n <= PARAMETERS; n++) {
                const dt_real factor = (dt_real)(1.0 / (double)(n + 1));
                draw_reals(&random, n, sum);
                fill(want, PARAMETERS + 1, poison());
                memcpy(got, want, sizeof got);
                for (int64_t i = 0; i < n; i++)
                    want[i] = sum[i] * factor;
                variants[isa][k].scale(n, factor, sum, got);
                assert_bits(got, want, PARAMETERS + 1, "%s: scale", dt_isa_name(isa));
                variants[isa][k].scale(n, factor, sum, sum);
                assert_bits(sum, want, n, "%s: scale in place", dt_isa_name(isa));
            }
}

/* A step whose gradient is kept to be shown, and one whose isn't: the same bits. */
static void test_scale_and_update(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (int k = 0; k < DT_OPTIMIZER_COUNT; k++)
        for (int c = 0; c < CASES; c++)
            for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
                const dt_optimizer *o = &variants[isa][k];
                const dt_hyper hyper = hyper_of(&pinned[c]);
                const dt_real factor = (dt_real)(1.0 / (double)draw_integer(&random, 1, 500));
                dt_real sum[PARAMETERS], W[2][PARAMETERS], kept[2][DT_STATES_MAX * PARAMETERS];
                draw_reals(&random, PARAMETERS, W[0]);
                draw_reals(&random, DT_STATES_MAX * PARAMETERS, kept[0]);
                memcpy(W[1], W[0], sizeof W[0]);
                memcpy(kept[1], kept[0], sizeof kept[0]);
                for (int t = 0; t < 3; t++)
                    for (int shown = 0; shown < 2; shown++) {
                        dt_real g[PARAMETERS], *states[DT_STATES_MAX];
                        for (int s = 0; s < DT_STATES_MAX; s++)
                            states[s] = kept[shown] + s * PARAMETERS;
                        if (!shown)
                            draw_reals(&random, PARAMETERS, sum);
                        memcpy(g, sum, sizeof g);
                        if (shown)
                            o->scale(PARAMETERS, factor, sum, g);
                        o->update(PARAMETERS, &hyper, shown ? 1 : factor, W[shown], g, states);
                    }
                assert_bits(W[1], W[0], PARAMETERS, "%s: W of %s, shown", dt_isa_name(isa), o->entry.name);
                assert_bits(kept[1], kept[0], DT_STATES_MAX * PARAMETERS, "%s: state of %s, shown", dt_isa_name(isa),
                            o->entry.name);
            }
}

/* --- schedules --- */

static void test_schedules(void **state)
{
    (void)state;
    dt_experiment e = {.optimizer.learning_rate = 0.3};
    e.schedule = (dt_schedule_spec){.name = "constant", .every = 10, .factor = 0.1};
    for (int64_t epoch = 0; epoch < 100; epoch++)
        assert_true(dt_learning_rate(&e, epoch) == 0.3);
    for (int64_t every = 1; every <= 10; every += 3)
        for (int64_t epoch = 0; epoch < 60; epoch++) {
            e.schedule = (dt_schedule_spec){.name = "step", .every = every, .factor = 0.5}; /* exact */
            assert_true(dt_learning_rate(&e, epoch) == ldexp(0.3, -(int)(epoch / every)));
            e.schedule.factor = 0.7;
            const double want = 0.3 * pow(0.7, (double)(epoch / every));
            assert_true(fabs(dt_learning_rate(&e, epoch) - want) <= 1e-14 * want);
        }
    e.schedule = (dt_schedule_spec){.name = "step", .every = 10, .factor = 0.1};
    assert_true(dt_learning_rate(&e, 0) == 0.3 && dt_learning_rate(&e, 9) == 0.3);
    assert_true(fabs(dt_learning_rate(&e, 10) - 0.03) < 1e-16 && fabs(dt_learning_rate(&e, 19) - 0.03) < 1e-16);
    assert_true(fabs(dt_learning_rate(&e, 20) - 0.003) < 1e-17);
}

/* Every schedule gives a factor that a learning rate can be multiplied by. */
static void test_every_schedule(void **state)
{
    (void)state;
    const dt_schedule *schedule;
    const dt_schedule_spec spec = {.every = 3, .factor = 0.5};
    for (size_t i = 0; (schedule = dt_schedule_at(i)); i++)
        for (int64_t epoch = 0; epoch < 1000; epoch++) {
            const double factor = schedule->factor(&spec, epoch);
            assert_true(factor >= 0 && isfinite(factor));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd_is_pytorchs),  cmocka_unit_test(test_sgd_is_its_documentation),
        cmocka_unit_test(test_sgd_states),       cmocka_unit_test(test_bits),
        cmocka_unit_test(test_zeros_stay_zero),  cmocka_unit_test(test_scale),
        cmocka_unit_test(test_scale_and_update), cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_every_schedule),
    };
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
