/* dt_check and a program's own functions: what is right passes, whatever the table's entry and precision; a derivative
 * or a delta that doesn't belong to its function is found, in the layers that it spoils; what is registered trains. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "small.h"

/* --- a program's own --- */

static double bent(double z)
{
    return z + 0.25 * z * z;
}

static double bent_derivative(double z)
{
    return 1 + 0.5 * z;
}

static double half_of_it(double z)
{
    return 1 + 0.25 * z;
}

static double hinge(double z)
{
    return z > 0 ? z : 0;
}

static double hinge_derivative(double z)
{
    return z > 0;
}

/* C = sum_j log cosh(z_j - t_j), t one-hot */
static double log_cosh(int64_t units, const double *z, int64_t y, double *delta)
{
    double cost = 0;
    for (int64_t j = 0; j < units; j++) {
        const double d = z[j] - (j == y);
        cost += log(cosh(d));
        delta[j] = tanh(d);
    }
    return cost;
}

static double log_cosh_without_target(int64_t units, const double *z, int64_t y, double *delta)
{
    const double cost = log_cosh(units, z, y, delta);
    delta[y] = tanh(z[y]);
    return cost;
}

static int register_them(void **state)
{
    (void)state;
    dt_error error = {0};
    const dt_own_activation activations[] = {
        {{"bent", "z + z^2 / 4", ""}, bent, bent_derivative},
        {{"bent_wrong", "the same with another's derivative", ""}, bent, half_of_it},
        {{"hinge", "max(0, z)", ""}, hinge, hinge_derivative},
    };
    const dt_own_loss losses[] = {
        {{"log_cosh", "sum of log cosh(z - t)", ""}, log_cosh, NULL},
        {{"log_cosh_wrong", "the same with a delta that forgets the class", ""}, log_cosh_without_target, NULL},
    };
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        assert_int_equal(dt_activation_register(&activations[i], &error), DT_OK);
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        assert_int_equal(dt_loss_register(&losses[i], &error), DT_OK);
    return 0;
}

/* --- a check, and what it said --- */

enum { LAYERS = 3 };

typedef struct findings {
    int results, wrong[DT_AGAINST_SUM + 1][LAYERS + 1]; /* [against][layer] */
    bool compared_all, looked_twice;
    int64_t last_step;
} findings;

static void note(void *context, const dt_check_result *r)
{
    findings *f = context;
    f->results++;
    f->wrong[r->against][r->l] += !r->right;
    f->compared_all = f->compared_all && r->compared > 0 && *r->where;
    f->looked_twice = f->looked_twice || r->step > 0;
    assert_true(r->right == (r->compared > 0 && r->worst <= r->tolerance));
}

static bool check(small *m, const char *activation, const char *loss, dt_precision precision, findings *f)
{
    static const int64_t units[] = {6, 9, 5, 4};
    dt_error error = {0};
    bool right;
    small_make(m, 5, 40, units, LAYERS, activation);
    m->experiment.loss = loss;
    m->experiment.precision = precision;
    m->experiment.training.batch_size = 13;
    m->experiment.parallel = (dt_parallel_spec){2, 4, "tree", 0};
    *f = (findings){.compared_all = true};
    if (dt_check(&m->experiment, &m->data, &(dt_check_options){.steps = 3}, note, f, &right, &error) != DT_OK)
        fail_msg("%s, %s: %s", activation, loss, error.message);
    assert_true(f->compared_all && f->looked_twice);
    return right;
}

static int wrong_in(const findings *f, dt_check_against against)
{
    int sum = 0;
    for (int l = 1; l <= LAYERS; l++)
        sum += f->wrong[against][l];
    return sum;
}

static void test_what_is_right_passes(void **state)
{
    (void)state;
    static small m;
    findings f;
    const dt_entry *activation, *loss;
    for (size_t i = 0; (activation = dt_table_at(DT_ACTIVATIONS, i)); i++)
        for (size_t k = 0; (loss = dt_table_at(DT_LOSSES, k)); k++)
            for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++)
                if ((i + k) % 8 == 0 && !strstr(activation->name, "wrong") && !strstr(loss->name, "wrong"))
                    if (!check(&m, activation->name, loss->name, (dt_precision)precision, &f))
                        fail_msg("%s, %s, %s: found wrong", activation->name, loss->name,
                                 dt_precision_name((dt_precision)precision));
}

/* Any optimizer, and an experiment with dropout, noise and constraints: checked without the first two, which it keeps.
 */
static void test_regularised(void **state)
{
    (void)state;
    static small m;
    static const int64_t units[] = {6, 9, 5, 4};
    const dt_entry *optimizer;
    for (size_t i = 0; (optimizer = dt_table_at(DT_OPTIMIZERS, i)); i++) {
        dt_error error = {0};
        bool right = false;
        findings f = {.compared_all = true};
        small_make(&m, 5, 40, units, LAYERS, "tanh");
        dt_experiment *e = &m.experiment;
        dt_experiment_set_optimizer(e, optimizer->name);
        e->precision = DT_FLOAT64;
        e->training.batch_size = 40;
        e->data.noise = 0.5;
        m.layers[0].dropout = 0.5;
        m.layers[1].max_norm = 0.5;
        e->optimizer.clip_norm = 0.1;
        if (dt_check(e, &m.data, NULL, note, &f, &right, &error) != DT_OK)
            fail_msg("%s: %s", optimizer->name, error.message);
        assert_true(right && f.compared_all && m.layers[0].dropout == 0.5);
    }
}

/* Regression and several labels, with options and parameters, by the circuit and by differences. */
static void test_targets_pass(void **state)
{
    (void)state;
    static small m;
    static const int64_t units[] = {6, 9, 4};
    for (int kind = DT_TARGETS_CLASSES; kind < DT_TARGETS_KINDS; kind++) {
        findings f = {.compared_all = true};
        dt_error error = {0};
        bool right;
        small_make(&m, 5, 40, units, 2, "elu");
        m.layers[0].alpha = 0.5;
        m.experiment.loss = kind == DT_TARGETS_CLASSES      ? "cross_entropy"
                            : kind == DT_TARGETS_REGRESSION ? "huber"
                                                            : "binary_cross_entropy";
        m.experiment.loss_options = small_options(4);
        m.experiment.training.batch_size = 13;
        if (kind != DT_TARGETS_CLASSES)
            small_targets(&m, (dt_targets)kind);
        if (dt_check(&m.experiment, &m.data, &(dt_check_options){.steps = 3}, note, &f, &right, &error) != DT_OK)
            fail_msg("%s", error.message);
        assert_true(right && f.looked_twice);
    }
}

/* The circuit has the same wrong derivative, and a plain sum of the deltas knows of none: differences find it, in the
 * layers below it and not in the last. */
static void test_a_wrong_derivative_is_found(void **state)
{
    (void)state;
    static small m;
    findings f;
    for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
        assert_false(check(&m, "bent_wrong", "cross_entropy", (dt_precision)precision, &f));
        assert_true(f.wrong[DT_AGAINST_DIFFERENCES][1] > 0 && f.wrong[DT_AGAINST_DIFFERENCES][2] > 0);
        assert_int_equal(f.wrong[DT_AGAINST_DIFFERENCES][LAYERS], 0);
        assert_int_equal(wrong_in(&f, DT_AGAINST_SUM), 0);
    }
}

static void test_a_wrong_delta_is_found(void **state)
{
    (void)state;
    static small m;
    findings f;
    for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
        assert_false(check(&m, "tanh", "log_cosh_wrong", (dt_precision)precision, &f));
        for (int l = 1; l <= LAYERS; l++)
            assert_true(f.wrong[DT_AGAINST_DIFFERENCES][l] > 0);
        assert_int_equal(wrong_in(&f, DT_AGAINST_SUM), 0);
    }
}

/* Too large for one circuit: some units, each with the circuit of its neighbourhood, and it says how many of how many.
 */
static void note_share(void *context, const dt_check_result *r)
{
    int64_t *sampled = context;
    if (r->against == DT_AGAINST_CIRCUIT && r->compared < r->of) {
        assert_true(r->compared > 0);
        ++*sampled;
    }
}

static void test_large_networks_are_sampled(void **state)
{
    (void)state;
    static small m;
    static const int64_t units[] = {64, 900, 800, 10};
    int64_t sampled = 0;
    bool right = false;
    small_make(&m, 3, 64, units, LAYERS, "relu");
    m.experiment.training.batch_size = 16;
    assert_int_equal(dt_check(&m.experiment, &m.data, &(dt_check_options){1, 2, 5}, note_share, &sampled, &right, NULL),
                     DT_OK);
    assert_true(right);
    assert_true(sampled > 0);
}

/* --- own functions in training --- */

static void weights_of(small *m, const char *activation, dt_precision precision, int64_t workers, char hex[65])
{
    static const int64_t units[] = {6, 33, 7};
    dt_error error = {0};
    dt_trainer *t;
    small_make(m, 5, 50, units, 2, activation);
    m->experiment.precision = precision;
    m->experiment.training = (dt_training_spec){.epochs = 4, .batch_size = 12, .shuffle = true};
    m->experiment.parallel = (dt_parallel_spec){workers, 3, "tree", 0};
    const dt_trainer_data data = small_data(m);
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK || dt_trainer_run(t, &error) != DT_OK ||
        dt_trainer_weights_sha256(t, hex, &error) != DT_OK)
        fail_msg("%s", error.message);
    dt_trainer_destroy(t);
}

static void test_own_trains_as_the_tables(void **state)
{
    (void)state;
    static small m;
    static const int64_t workers[] = {1, 2, 3};
    char want[65], got[65];
    for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
        weights_of(&m, "relu", (dt_precision)precision, 1, want);
        for (int t = 0; t < 3; t++) {
            weights_of(&m, "hinge", (dt_precision)precision, workers[t], got);
            assert_string_equal(got, want);
        }
    }
}

static void refuse(dt_own_activation own, dt_status want)
{
    dt_error error = {0};
    const dt_status got = dt_activation_register(&own, &error);
    if (got != want)
        fail_msg("'%s': %d, not %d: %s", own.entry.name ? own.entry.name : "(null)", (int)got, (int)want,
                 error.message);
    assert_true(want == DT_OK || *error.message);
}

static void test_refusals(void **state)
{
    (void)state;
    static char names[DT_OWN_MAX][16];
    dt_error error = {0};
    refuse((dt_own_activation){{"relu", "", ""}, bent, bent_derivative}, DT_EXISTS);
    refuse((dt_own_activation){{"bent", "", ""}, bent, bent_derivative}, DT_EXISTS);
    refuse((dt_own_activation){{"two words", "", ""}, bent, bent_derivative}, DT_INVALID);
    refuse((dt_own_activation){{"", "", ""}, bent, bent_derivative}, DT_INVALID);
    refuse((dt_own_activation){{"no_value", "", ""}, NULL, bent_derivative}, DT_INVALID);
    refuse((dt_own_activation){{"no_derivative", "", ""}, bent, NULL}, DT_INVALID);
    assert_int_equal(dt_loss_register(&(dt_own_loss){{"cross_entropy", "", ""}, log_cosh, NULL}, &error), DT_EXISTS);
    assert_int_equal(dt_loss_register(&(dt_own_loss){{"none", "", ""}, NULL, NULL}, &error), DT_INVALID);
    for (int i = 3; i < DT_OWN_MAX; i++) {
        snprintf(names[i], sizeof names[i], "more_%d", i);
        refuse((dt_own_activation){{names[i], "", ""}, bent, bent_derivative}, DT_OK);
    }
    refuse((dt_own_activation){{"one_too_many", "", ""}, bent, bent_derivative}, DT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_right_passes),
        cmocka_unit_test(test_a_wrong_derivative_is_found),
        cmocka_unit_test(test_a_wrong_delta_is_found),
        cmocka_unit_test(test_large_networks_are_sampled),
        cmocka_unit_test(test_own_trains_as_the_tables),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_regularised),
        cmocka_unit_test(test_targets_pass),
    };
    return cmocka_run_group_tests(tests, register_them, NULL);
}
