/* Every gradient of random small networks against central finite differences of the mean cost, in float64. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "small.h"

enum { WIDEST = 40, ARRAY = WIDEST * WIDEST };

/* dW and db of the first step, by an observer. */
typedef struct seen {
    double dW[SMALL_LAYERS_MAX + 1][ARRAY], db[SMALL_LAYERS_MAX + 1][WIDEST];
    double W[SMALL_LAYERS_MAX + 1][ARRAY], b[SMALL_LAYERS_MAX + 1][WIDEST];
} seen;

static bool first_step(const void *self, int64_t step, int64_t epoch)
{
    (void)self, (void)epoch;
    return step == 0;
}

static void copy_slice(void *self, const dt_step_view *view, const dt_slice *slice)
{
    seen *s = self;
    for (int64_t l = 1; l <= view->layers; l++) {
        dt_step_copy_slice(view, DT_QUANTITY_W, l, slice, s->W[l]);
        dt_step_copy_slice(view, DT_QUANTITY_B, l, slice, s->b[l]);
        dt_step_copy_slice(view, DT_QUANTITY_DW, l, slice, s->dW[l]);
        dt_step_copy_slice(view, DT_QUANTITY_DB, l, slice, s->db[l]);
    }
}

static double mean_cost(dt_trainer *t, const dt_dataset *data)
{
    dt_evaluation e;
    assert_int_equal(dt_trainer_evaluate(t, data, &e, NULL, NULL), DT_OK);
    return e.loss;
}

static double cost_at(dt_trainer *t, const dt_dataset *data, seen *s, int64_t l, double *p, double value)
{
    const double keep = *p;
    *p = value;
    dt_trainer_set_weights(t, l, s->W[l], s->b[l]);
    *p = keep;
    return mean_cost(t, data);
}

/* dC/dp by central differences of fourth order. Where a kink lies within the step, the differences over h and 2 h
 * disagree: then the step shrinks until they don't. */
static double difference(dt_trainer *t, const dt_dataset *data, seen *s, int64_t l, double *p)
{
    const double x = *p;
    double near, far, h = 4e-4;
    do {
        near = (cost_at(t, data, s, l, p, x + h) - cost_at(t, data, s, l, p, x - h)) / (2 * h);
        far = (cost_at(t, data, s, l, p, x + 2 * h) - cost_at(t, data, s, l, p, x - 2 * h)) / (4 * h);
        h /= 4;
    } while (fabs(near - far) > 4e-7 * fmax(fabs(near), 1e-3) && h > 1e-6);
    dt_trainer_set_weights(t, l, s->W[l], s->b[l]);
    return (4 * near - far) / 3;
}

/* Largest |difference - g| over the larger of both, or over a thousandth of the array's largest gradient where both are
 * tiny. */
static double worst(dt_trainer *t, const dt_dataset *data, seen *s, int64_t l, double *p, const double *g, int64_t n)
{
    double scale = 0, most = 0;
    for (int64_t i = 0; i < n; i++)
        scale = fmax(scale, fabs(g[i]));
    for (int64_t i = 0; i < n; i++) {
        const double d = difference(t, data, s, l, &p[i]);
        most = fmax(most, fabs(d - g[i]) / fmax(fmax(fabs(d), fabs(g[i])), fmax(1e-3 * scale, 1e-4)));
    }
    return most;
}

/* Biases start at 0, where a unit behind dead relus would sit exactly on the next kink: give them values. */
static void set_biases(dt_trainer *t, int64_t layers, seen *s)
{
    for (int64_t l = 1; l <= layers; l++) {
        dt_trainer_weights(t, l, s->W[l], s->b[l]);
        for (int64_t j = 0; j < dt_trainer_units(t, l); j++)
            s->b[l][j] = dt_uniform01(dt_philox(9, DT_FOR_TEST, (uint64_t)l, (uint64_t)j).u[0]) - 0.5;
        dt_trainer_set_weights(t, l, s->W[l], s->b[l]);
    }
}

static double check_network(small *m, int64_t workers, const char *reduction)
{
    static seen s;
    dt_error error = {0};
    dt_trainer *t;
    memset(&s, 0, sizeof s);
    m->experiment.precision = DT_FLOAT64;
    m->experiment.parallel = (dt_parallel_spec){workers, 4, reduction, 0};
    m->experiment.training.batch_size = m->data.rows;
    const dt_trainer_data data = small_data(m);
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    set_biases(t, (int64_t)m->experiment.layer_count, &s);
    assert_int_equal(
        dt_trainer_observe(t, &(dt_observer){.self = &s, .watches = first_step, .slice = copy_slice}, &error), DT_OK);
    assert_int_equal(dt_trainer_steps(t, 1, &error), DT_OK);
    double most = 0;
    for (int64_t l = 1; l <= (int64_t)m->experiment.layer_count; l++)
        dt_trainer_set_weights(t, l, s.W[l], s.b[l]);
    for (int64_t l = 1; l <= (int64_t)m->experiment.layer_count; l++) {
        const int64_t units = dt_trainer_units(t, l), inputs = dt_trainer_units(t, l - 1);
        most = fmax(most, worst(t, &m->data, &s, l, s.W[l], s.dW[l], units * inputs));
        most = fmax(most, worst(t, &m->data, &s, l, s.b[l], s.db[l], units));
    }
    dt_trainer_destroy(t);
    return most;
}

static void test_every_activation_and_cost(void **state)
{
    (void)state;
    static small m;
    static const char *const reductions[] = {"tree", "owner", "serial"};
    double most = 0;
    int networks = 0;
    const dt_entry *activation, *loss;
    for (size_t a = 0; (activation = dt_table_at(DT_ACTIVATIONS, a)); a++)
        for (size_t c = 0; (loss = dt_table_at(DT_LOSSES, c)); c++)
            for (uint64_t seed = 1; seed <= 3; seed++) {
                if ((3 * a + c + seed) % 8 != 0) /* each of both many times; the pairs are test_oracle's */
                    continue;
                const dt_random128 r = dt_philox(seed, DT_FOR_TEST, 7, 10 * a + c);
                const int64_t units[] = {1 + (int64_t)(r.u[0] % 17), 1 + (int64_t)(r.u[0] / 17 % 19),
                                         1 + (int64_t)(r.u[1] % 7), 2 + (int64_t)(r.u[1] / 7 % 9)};
                small_make(&m, seed, 6 + (int64_t)seed, units, 3, activation->name);
                m.experiment.loss = loss->name;
                const double d = check_network(&m, (int64_t)seed, reductions[seed - 1]);
                if (d > 1e-6)
                    fail_msg("%s, %s, seed %d: relative difference %g", activation->name, loss->name, (int)seed, d);
                most = fmax(most, d);
                networks++;
            }
    print_message("%d networks, largest relative difference from finite differences %.2e\n", networks, most);
}

/* Costs of regression and of several labels, and costs with options. */
static void test_targets_and_options(void **state)
{
    (void)state;
    static small m;
    double most = 0;
    int networks = 0;
    const dt_entry *loss;
    for (size_t c = 0; (loss = dt_table_at(DT_LOSSES, c)); c++)
        for (int kind = 0; kind < DT_TARGETS_KINDS; kind++) {
            const int64_t units[] = {4, 6, 1 + (int64_t)c % 5};
            if (!(dt_loss_traits_of(loss->name)->takes & 1u << kind))
                continue;
            small_make(&m, 100 + c, 7, units, 2, "tanh");
            m.experiment.loss = loss->name;
            m.experiment.loss_options = small_options(units[2]);
            if (kind != DT_TARGETS_CLASSES)
                small_targets(&m, (dt_targets)kind);
            const double d = check_network(&m, 2, "tree");
            if (d > 1e-6)
                fail_msg("%s of %s: relative difference %g", loss->name, dt_targets_name((dt_targets)kind), d);
            most = fmax(most, d);
            networks++;
        }
    print_message("%d networks with options, largest relative difference %.2e\n", networks, most);
    assert_true(networks >= 21);
}

static void test_depth(void **state)
{
    (void)state;
    static small m;
    double most = 0;
    for (int64_t layers = 1; layers <= 6; layers++) {
        const int64_t units[] = {5, 7, 4, 9, 3, 8, 4};
        small_make(&m, 40 + (uint64_t)layers, 9, units, layers, "tanh");
        most = fmax(most, check_network(&m, 2, "tree"));
    }
    print_message("1 to 6 layers: largest relative difference %.2e\n", most);
    assert_true(most <= 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_activation_and_cost),
        cmocka_unit_test(test_targets_and_options),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
