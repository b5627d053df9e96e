/* Optimizers against PyTorch's and their papers', step by step (tests/data/optimizers.h); the other instruction sets'
 * bits; schedules against PyTorch's. Built for both precisions; in float32 the tolerances are float32's. */
#include "variants.h"

#include "deltoid/experiment.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#include "data/optimizers.h"
#include "data/schedules.h"
#include "oracle.h"

static const dt_optimizer *const variants[DT_ISAS] = VARIANTS(dt_optimizers, );

#if DT_PRECISION == 64
static const double TOLERANCE = 1e-12;
#else
static const double TOLERANCE = 2e-5;
#endif

enum { STEPS = 100, PARAMETERS = 101, REFERENCES = sizeof references / sizeof *references };

static const dt_optimizer *named(dt_isa isa, const char *name)
{
    for (int i = 0; i < DT_OPTIMIZER_COUNT; i++)
        if (strcmp(variants[isa][i].entry.name, name) == 0)
            return &variants[isa][i];
    fail_msg("no optimizer '%s'", name);
    return NULL;
}

/* --- training of a few parameters --- */

static double first_weight(int64_t i)
{
    return (double)((5 * i) % 17 - 8) / 8;
}

static double gradient_at(int64_t i, int t)
{
    return (double)((7 * i + 13 * t) % 31 - 15) / 16;
}

static double norm(const dt_real *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* n parameters and what is kept of them. */
typedef struct trained {
    const dt_optimizer *o;
    dt_hyper hyper;
    int64_t n;
    dt_real W[PARAMETERS], kept[DT_STATES_MAX][PARAMETERS];
} trained;

static void begin(trained *t, dt_isa isa, const dt_optimizer_spec *spec, int64_t n)
{
    *t = (trained){.o = named(isa, spec->name), .hyper = dt_hyper_of(spec), .n = n};
    for (int64_t i = 0; i < n; i++)
        t->W[i] = (dt_real)first_weight(i);
}

static void states_at(trained *t, int64_t first, dt_real *state[DT_STATES_MAX])
{
    const unsigned kept = t->o->states(t->hyper.spec);
    for (int s = 0; s < DT_STATES_MAX; s++)
        state[s] = kept >> s & 1 ? t->kept[s] + first : NULL;
}

/* Step number `number`, from 0, `part` parameters at a time, with gradient g. */
static void make_step(trained *t, int number, int64_t part, dt_real *g)
{
    dt_real *state[DT_STATES_MAX];
    dt_hyper_begin(t->o, &t->hyper, t->hyper.spec->learning_rate, number + 1);
    if (t->o->direct) { /* the engine keeps the gradient of these */
        for (int64_t first = 0; first < t->n; first += part) {
            states_at(t, first, state);
            t->o->direct(dt_min(part, t->n - first), &t->hyper, t->W + first, g + first, state);
        }
        t->hyper.trust = (dt_real)t->o->trust(t->hyper.spec, norm(t->W, t->n), norm(g, t->n));
    }
    for (int64_t first = 0; first < t->n; first += part) {
        states_at(t, first, state);
        t->o->update(dt_min(part, t->n - first), &t->hyper, t->W + first, g + first, state);
    }
}

/* A step from numbers that are exact in either precision. */
static void make_exact_step(trained *t, int number, int64_t part)
{
    dt_real g[PARAMETERS];
    for (int64_t i = 0; i < t->n; i++)
        g[i] = (dt_real)gradient_at(i, number);
    make_step(t, number, part, g);
}

static void test_references(void **state)
{
    (void)state;
    for (int c = 0; c < REFERENCES; c++) {
        double worst = 0;
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            trained t;
            begin(&t, isa, &references[c].spec, REFERENCE_PARAMETERS);
            for (int step = 0, row = 0; step < STEPS; step++) {
                make_exact_step(&t, step, t.n);
                if (step + 1 != reference_steps[row])
                    continue;
                for (int i = 0; i < REFERENCE_PARAMETERS; i++) {
                    const double want = references[c].W[row][i], difference = fabs((double)t.W[i] - want);
                    worst = fmax(worst, difference);
                    if (!(difference <= TOLERANCE * (1 + fabs(want))))
                        fail_msg("%s: %s: W[%d] after %d steps is %.17g, not %.17g", dt_isa_name(isa),
                                 references[c].name, i, step + 1, (double)t.W[i], want);
                }
                row++;
            }
        }
        if (DT_PRECISION == 64)
            oracle_line("optimizer", references[c].spec.name, references[c].origin,
                        REFERENCE_ROWS * REFERENCE_PARAMETERS, worst, NAN);
    }
}

/* Each optimizer has a reference, and keeps as many states as it has names. */
static void test_states(void **state)
{
    (void)state;
    for (int k = 0; k < DT_OPTIMIZER_COUNT; k++) {
        const dt_optimizer *o = &variants[DT_ISA_GENERIC][k];
        unsigned seen = 0;
        int cases = 0;
        for (int c = 0; c < REFERENCES; c++)
            if (strcmp(references[c].spec.name, o->entry.name) == 0) {
                seen |= o->states(&references[c].spec);
                cases++;
            }
        if (cases < 2)
            fail_msg("%s has %d references", o->entry.name, cases);
        for (int s = 0; s < DT_STATES_MAX; s++)
            assert_int_equal(seen >> s & 1, o->state_names[s] != NULL);
    }
    dt_optimizer_spec spec = {.name = "sgd", .learning_rate = 0.1};
    assert_int_equal(named(DT_ISA_GENERIC, "sgd")->states(&spec), 0);
    assert_true(named(DT_ISA_GENERIC, "sgd")->plain(&spec));
    spec.clip_value = 1;
    assert_false(named(DT_ISA_GENERIC, "sgd")->plain(&spec));
}

/* A run that goes on from step 57 with the states alone: what depends on the step's number is computed anew. */
static void test_going_on(void **state)
{
    (void)state;
    for (int c = 0; c < REFERENCES; c++) {
        trained whole, part;
        begin(&whole, DT_ISA_GENERIC, &references[c].spec, PARAMETERS);
        for (int step = 0; step < STEPS; step++) {
            if (step == 57) {
                part = whole;
                part.hyper = dt_hyper_of(&references[c].spec);
            }
            make_exact_step(&whole, step, PARAMETERS);
            if (step >= 57)
                make_exact_step(&part, step, PARAMETERS);
        }
        assert_bits(part.W, whole.W, PARAMETERS, "%s, going on", references[c].name);
    }
}

/* --- every optimizer --- */

/* The same bits from every instruction set, in one piece and in pieces. (Norms aside: those of lamb and lars are the
 * engine's business.) */
static void test_bits(void **state)
{
    (void)state;
    static const int64_t parts[] = {PARAMETERS, 1, 7, 64};
    for (int c = 0; c < REFERENCES; c++) {
        trained want, got;
        begin(&want, DT_ISA_GENERIC, &references[c].spec, PARAMETERS);
        for (int step = 0; step < STEPS; step++)
            make_exact_step(&want, step, PARAMETERS);
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
            for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
                begin(&got, isa, &references[c].spec, PARAMETERS);
                for (int step = 0; step < STEPS; step++)
                    make_exact_step(&got, step, parts[p]);
                assert_bits(got.W, want.W, PARAMETERS, "%s: %s, %lld at a time", dt_isa_name(isa), references[c].name,
                            (long long)parts[p]);
                assert_bits(got.kept[0], want.kept[0], PARAMETERS * DT_STATES_MAX, "%s: states of %s", dt_isa_name(isa),
                            references[c].name);
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
    for (int c = 0; c < REFERENCES; c++)
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            trained t;
            begin(&t, isa, &references[c].spec, N);
            fill(t.W, N, 0);
            for (int s = 0; s < DT_STATES_MAX; s++)
                t.kept[s][N] = poison();
            t.W[N] = poison();
            for (int step = 0; step < 5; step++) {
                dt_real g[N + 1] = {0};
                g[N] = poison();
                make_step(&t, step, N, g);
                assert_bits(t.W, zeros, N, "%s: %s of zeros", dt_isa_name(isa), references[c].name);
                assert_true(same_bits(t.W[N], poison()) && same_bits(g[N], poison()));
                for (int s = 0; s < DT_STATES_MAX; s++)
                    assert_true(same_bits(t.kept[s][N], poison()));
            }
        }
}

/* --- schedules --- */

static void test_schedules(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof reference_schedules / sizeof *reference_schedules; c++) {
        const dt_experiment e = {.optimizer.learning_rate = reference_base,
                                 .schedule = reference_schedules[c].spec,
                                 .training.epochs = REFERENCE_EPOCHS};
        dt_schedule_state memory = dt_schedule_begin();
        double worst = 0;
        bool changes = false;
        for (int step = 0; step < REFERENCE_EPOCHS * REFERENCE_PER_EPOCH; step++) {
            const double want = reference_schedules[c].rate[step];
            const double got = dt_learning_rate(&e, step, REFERENCE_PER_EPOCH, &memory);
            worst = fmax(worst, fabs(got - want));
            if (!(fabs(got - want) <= 1e-14))
                fail_msg("%s, number %zu: learning rate of step %d is %.17g, not %.17g", e.schedule.name, c, step, got,
                         want);
            changes |= step % REFERENCE_PER_EPOCH && want != reference_schedules[c].rate[step - 1];
            if ((step + 1) % REFERENCE_PER_EPOCH == 0)
                dt_schedule_observe(&e, reference_losses[step / REFERENCE_PER_EPOCH], &memory);
        }
        assert_int_equal(dt_schedule_by_step(&e), changes);
        if (DT_PRECISION == 64)
            oracle_line("schedule", e.schedule.name, reference_schedules[c].origin,
                        REFERENCE_EPOCHS * REFERENCE_PER_EPOCH, worst, NAN);
    }
}

/* Every schedule has a reference, and gives a learning rate whatever the run's length, and beyond it. */
static void test_every_schedule(void **state)
{
    (void)state;
    const dt_schedule *schedule;
    for (size_t i = 0; (schedule = dt_schedule_at(i)); i++) {
        bool found = false;
        for (size_t c = 0; c < sizeof reference_schedules / sizeof *reference_schedules; c++)
            found |= strcmp(reference_schedules[c].spec.name, schedule->entry.name) == 0;
        if (!found)
            fail_msg("schedule %s has no reference", schedule->entry.name);
        for (int64_t epochs = 1; epochs < 12; epochs++)
            for (int64_t step = 0; step < 100; step++) {
                dt_experiment e;
                dt_experiment_init(&e);
                dt_experiment_set_schedule(&e, schedule->entry.name);
                e.training.epochs = epochs;
                e.schedule.warmup = (double)(epochs % 4);
                const dt_schedule_state memory = dt_schedule_begin();
                const double rate = dt_learning_rate(&e, step, 1 + epochs % 3, &memory);
                assert_true(rate >= 0 && rate <= e.optimizer.learning_rate * (1 + 1e-12));
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),     cmocka_unit_test(test_states),          cmocka_unit_test(test_going_on),
        cmocka_unit_test(test_bits),           cmocka_unit_test(test_zeros_stay_zero), cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_every_schedule),
    };
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
