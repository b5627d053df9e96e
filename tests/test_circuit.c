/* The gate circuits by themselves: by hand, against finite differences, wrongly wired, and out of memory. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/philox.h"
#include "deltoid/circuit.h"
#include "deltoid/memory.h"
#include "deltoid/tables.h"

static dt_circuit *make_circuit(void)
{
    dt_circuit *c = NULL;
    assert_int_equal(dt_circuit_create(&c, NULL), DT_OK);
    return c;
}

static void run(dt_gate *from)
{
    assert_non_null(from);
    dt_error error = {0};
    if (dt_circuit_backward(from, &error) != DT_OK)
        fail_msg("%s", error.message);
}

static void forward(dt_circuit *c)
{
    dt_error error = {0};
    if (dt_circuit_forward(c, &error) != DT_OK)
        fail_msg("%s", error.message);
}

static void assert_exactly(double got, double wanted)
{
    if (!(got == wanted))
        fail_msg("%.17g, not %.17g", got, wanted);
}

static void assert_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance * fmax(1, fabs(wanted))))
        fail_msg("%.17g, not %.17g within %g", got, wanted, tolerance);
}

/* Numbers in (-1, 1), the same in every run. */
static double number(uint64_t stream, uint64_t *next)
{
    return 2 * dt_uniform01(dt_philox(4, DT_FOR_TEST, stream, (*next)++).u[0]) - 1;
}

/* --- by hand --- */

static void test_two_gates(void **state)
{
    (void)state;
    dt_circuit *c = make_circuit();
    dt_gate *w = dt_circuit_input(c, 3), *a = dt_circuit_input(c, -2), *b = dt_circuit_input(c, 7);
    dt_gate *wa = dt_circuit_multiply(c, w, a), *z = dt_circuit_add(c, 2, (dt_gate *[]){wa, b});
    assert_true(isnan(dt_circuit_value(z)));
    assert_exactly(dt_circuit_value(w), 3);
    forward(c);
    assert_exactly(dt_circuit_value(z), 1);
    assert_true(isnan(dt_circuit_gradient(w)));
    run(z);
    assert_exactly(dt_circuit_gradient(z), 1);
    assert_exactly(dt_circuit_gradient(w), -2);
    assert_exactly(dt_circuit_gradient(a), 3);
    assert_exactly(dt_circuit_gradient(b), 1);
    run(wa); /* b plays no part in it */
    assert_exactly(dt_circuit_gradient(z), 0);
    assert_exactly(dt_circuit_gradient(b), 0);
    assert_exactly(dt_circuit_gradient(w), -2);
    assert_int_equal(dt_circuit_set(w, 5, NULL), DT_OK);
    assert_true(isnan(dt_circuit_value(z)));
    forward(c);
    assert_exactly(dt_circuit_value(z), -3);
    dt_circuit_destroy(c);
}

/* f = x x + 5 x + x: three wires and one gate twice. */
static void test_gradients_add_up_where_a_wire_fans_out(void **state)
{
    (void)state;
    dt_circuit *c = make_circuit();
    dt_gate *x = dt_circuit_input(c, 4), *five = dt_circuit_input(c, 5);
    dt_gate *square = dt_circuit_multiply(c, x, x), *times = dt_circuit_multiply(c, five, x);
    dt_gate *f = dt_circuit_add(c, 3, (dt_gate *[]){square, times, x});
    forward(c);
    run(f);
    assert_exactly(dt_circuit_value(f), 16 + 20 + 4);
    assert_exactly(dt_circuit_gradient(x), 2 * 4 + 5 + 1);
    assert_exactly(dt_circuit_wire_gradient(square, 0), 4);
    assert_exactly(dt_circuit_wire_gradient(times, 1), 5);
    assert_exactly(dt_circuit_wire_gradient(f, 2), 1);
    assert_exactly(dt_circuit_gradient(five), 4);
    dt_circuit_destroy(c);
}

/* Where a value is infinite, what doesn't depend on it has the gradient 0, and not 0 times infinity. */
static void test_what_plays_no_part_stays_zero(void **state)
{
    (void)state;
    dt_circuit *c = make_circuit();
    dt_gate *x = dt_circuit_input(c, INFINITY), *y = dt_circuit_input(c, 2);
    dt_gate *unused = dt_circuit_multiply(c, x, y), *f = dt_circuit_add(c, 1, &y);
    forward(c);
    run(f);
    assert_exactly(dt_circuit_gradient(y), 1);
    assert_exactly(dt_circuit_gradient(x), 0);
    assert_exactly(dt_circuit_wire_gradient(unused, 1), 0);
    dt_circuit_destroy(c);
}

static void test_looking(void **state)
{
    (void)state;
    dt_circuit *c = make_circuit();
    dt_gate *x = dt_circuit_input(c, 1), *y = dt_circuit_activation(c, "tanh", x),
            *f = dt_circuit_cost(c, "squared_error", 1, &y, 0);
    assert_int_equal(dt_circuit_gate_count(c), 3);
    assert_ptr_equal(dt_circuit_gate(c, 1), y);
    assert_null(dt_circuit_gate(c, 3));
    assert_string_equal(dt_circuit_operation(x), "input");
    assert_string_equal(dt_circuit_operation(y), "tanh");
    assert_string_equal(dt_circuit_operation(f), "squared_error");
    assert_int_equal(dt_circuit_kind(f), DT_GATE_COST);
    assert_int_equal(dt_circuit_input_count(f), 1);
    assert_ptr_equal(dt_circuit_input_of(f, 0), y);
    assert_null(dt_circuit_input_of(f, 1));
    assert_string_equal(dt_circuit_name_of(x), "");
    assert_int_equal(dt_circuit_name(x, "speed", NULL), DT_OK);
    assert_string_equal(dt_circuit_name_of(x), "speed");
    assert_int_equal(dt_circuit_name(x, "", NULL), DT_OK);
    assert_string_equal(dt_circuit_name_of(x), "");
    dt_circuit_destroy(c);
}

/* --- sigma, sigma' and the costs --- */

static void test_every_name_of_the_engine_is_here(void **state)
{
    (void)state;
    const dt_entry *entry;
    const struct {
        dt_table table;
        const char *(*at)(size_t i);
    } pairs[] = {{DT_ACTIVATIONS, dt_circuit_activation_at}, {DT_LOSSES, dt_circuit_cost_at}};
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; (entry = dt_table_at(pairs[p].table, i)); i++) {
            bool found = false;
            for (size_t k = 0; pairs[p].at(k); k++)
                found = found || strcmp(pairs[p].at(k), entry->name) == 0;
            if (!found)
                fail_msg("src/circuit/scalar.c lacks the %s '%s'", dt_table_name(pairs[p].table), entry->name);
        }
}

static double sigma(const char *name, double z, double *slope)
{
    dt_circuit *c = make_circuit();
    dt_gate *x = dt_circuit_input(c, z), *a = dt_circuit_activation(c, name, x);
    forward(c);
    run(a);
    const double value = dt_circuit_value(a);
    *slope = dt_circuit_gradient(x);
    dt_circuit_destroy(c);
    return value;
}

static void test_activations_at_known_points(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double z, value, slope;
    } known[] = {
        {"linear", -3.5, -3.5, 1},
        {"sigmoid", 0, 0.5, 0.25},
        {"sigmoid", 1, 0.73105857863000488, 0.19661193324148185},
        {"sigmoid", -2, 0.11920292202211755, 0.10499358540350652},
        {"sigmoid", 800, 1, 0},
        {"sigmoid", -800, 0, 0},
        {"tanh", 0, 0, 1},
        {"tanh", 1, 0.76159415595576489, 0.41997434161402607},
        {"tanh", -0.5, -0.46211715726000976, 0.78644773296592741},
        {"tanh", 900, 1, 0},
        {"relu", 2.5, 2.5, 1},
        {"relu", -2.5, 0, 0},
        {"relu", 0, 0, 0},
        {"relu", -0.0, 0, 0},
        {"relu", 5e-324, 5e-324, 1},
        {"leaky_relu", 2.5, 2.5, 1},
        {"leaky_relu", -2.5, -0.025, 0.01},
        {"leaky_relu", 0, 0, 0.01},
        {"leaky_relu", -0.0, 0, 0.01},
        {"softsign", 0, 0, 1},
        {"softsign", 3, 0.75, 0.0625},
        {"softsign", -1, -0.5, 0.25},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double slope;
        const double value = sigma(known[i].name, known[i].z, &slope);
        assert_near(value, known[i].value, 4e-16);
        assert_near(slope, known[i].slope, 4e-16);
    }
}

enum { COST_MAX = 8 };

/* C and its gradients for n outputs. */
static double cost(const char *name, size_t n, const double *z, size_t y, double *delta)
{
    dt_circuit *c = make_circuit();
    dt_gate *in[COST_MAX];
    for (size_t i = 0; i < n; i++)
        in[i] = dt_circuit_input(c, z[i]);
    dt_gate *f = dt_circuit_cost(c, name, n, in, y);
    forward(c);
    run(f);
    for (size_t i = 0; i < n; i++)
        delta[i] = dt_circuit_gradient(in[i]);
    const double value = dt_circuit_value(f);
    dt_circuit_destroy(c);
    return value;
}

static void test_costs_at_known_points(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t n, y;
        double z[COST_MAX], value, delta[COST_MAX];
    } known[] = {
        {"cross_entropy", 2, 1, {0, 0}, 0.69314718055994531, {0.5, -0.5}},
        {"cross_entropy", 1, 0, {7}, 0, {0}},
        {"cross_entropy",
         3,
         0,
         {1, 2, 3},
         2.4076059644443806,
         {-0.90996942682961954, 0.24472847105479765, 0.66524095577482189}},
        {"cross_entropy", 2, 0, {1e4, -1e4}, 0, {0, 0}},
        {"cross_entropy", 2, 1, {1e4, -1e4}, 2e4, {1, -1}},
        {"cross_entropy", 2, 0, {50, 0}, 1.9287498479639178e-22, {-1.9287498479639178e-22, 1.9287498479639178e-22}},
        {"multiclass_svm", 3, 1, {1, 1.5, 3}, 0.5 + 2.5, {1, -2, 1}},
        {"multiclass_svm", 3, 0, {2, 1, 0}, 0, {0, 0, 0}}, /* a margin of exactly 0 */
        {"multiclass_svm", 2, 0, {2, 1.5}, 0.5, {-1, 1}},
        {"multiclass_svm", 1, 0, {-4}, 0, {0}},
        {"squared_error", 3, 2, {0.5, -1, 3}, 0.125 + 0.5 + 2, {0.5, -1, 2}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double delta[COST_MAX];
        const double value = cost(known[i].name, known[i].n, known[i].z, known[i].y, delta);
        assert_near(value, known[i].value, 4e-16);
        for (size_t j = 0; j < known[i].n; j++)
            assert_near(delta[j], known[i].delta[j], 4e-16);
    }
    double delta[2];
    assert_true(cost("cross_entropy", 2, (double[]){50, 0}, 0, delta) >
                1.9e-22); /* relative accuracy where it is tiny, too */
    assert_true(delta[0] < -1.9e-22);
}

/* --- finite differences --- */

enum { GATES_MAX = 64, INPUTS_MAX = 12 };

/* A random circuit over `inputs` input gates that ends in a cost. Activations of every kind, wires that fan out. */
static dt_gate *random_circuit(dt_circuit *c, uint64_t seed, const char *loss, dt_gate *inputs[INPUTS_MAX])
{
    uint64_t next = 0;
    dt_gate *gates[GATES_MAX];
    size_t count = 0, activation = 0;
    for (; count < INPUTS_MAX; count++)
        inputs[count] = gates[count] = dt_circuit_input(c, number(seed, &next));
    while (count < GATES_MAX) {
        dt_gate *some[5];
        const dt_random128 r = dt_philox(seed, DT_FOR_TEST, 1, count);
        const size_t n = 1 + r.u[0] % 5;
        for (size_t i = 0; i < n; i++)
            some[i] = gates[dt_uniform_below(dt_philox(seed, DT_FOR_TEST, 2, 8 * count + i).u[0], count)];
        if (!dt_circuit_activation_at(activation))
            activation = 0;
        gates[count++] = r.u[1] % 3 == 0   ? dt_circuit_multiply(c, some[0], some[n - 1])
                         : r.u[1] % 3 == 1 ? dt_circuit_add(c, n, some)
                                           : dt_circuit_activation(c, dt_circuit_activation_at(activation++), some[0]);
    }
    return dt_circuit_cost(c, loss, 4, gates + GATES_MAX - 4, seed % 4);
}

static double value_at(dt_circuit *c, dt_gate *f, dt_gate *input, double x)
{
    dt_circuit_set(input, x, NULL);
    forward(c);
    return dt_circuit_value(f);
}

/* df/dx by central differences over h, h/2 and h/4, extrapolated twice (Richardson): an error of order h^6. *error is
 * what the last extrapolation changed. */
static double difference(dt_circuit *c, dt_gate *f, dt_gate *input, double h, double *error)
{
    const double x = dt_circuit_value(input);
    double d[3];
    for (int i = 0; i < 3; i++, h /= 2)
        d[i] = (value_at(c, f, input, x + h) - value_at(c, f, input, x - h)) / (2 * h);
    dt_circuit_set(input, x, NULL);
    const double coarse = (4 * d[1] - d[0]) / 3, fine = (4 * d[2] - d[1]) / 3;
    *error = fabs(fine - coarse);
    return (16 * fine - coarse) / 15;
}

/* The same, over smaller and smaller steps where a kink lies within. */
static double settled_difference(dt_circuit *c, dt_gate *f, dt_gate *input)
{
    double best = NAN, smallest = INFINITY, error;
    for (double h = 1e-2; h > 1e-5; h /= 4) {
        const double d = difference(c, f, input, h, &error);
        if (error < smallest) {
            best = d;
            smallest = error;
        }
    }
    return best;
}

static void test_random_circuits_against_finite_differences(void **state)
{
    (void)state;
    double worst = 0;
    int compared = 0, moving = 0;
    const char *loss;
    for (size_t k = 0; (loss = dt_circuit_cost_at(k)); k++)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            dt_circuit *c = make_circuit();
            dt_gate *inputs[INPUTS_MAX], *f = random_circuit(c, seed, loss, inputs);
            double gradient[INPUTS_MAX];
            forward(c);
            run(f);
            const double value = fabs(dt_circuit_value(f));
            for (int i = 0; i < INPUTS_MAX; i++)
                gradient[i] = dt_circuit_gradient(inputs[i]);
            for (int i = 0; i < INPUTS_MAX; i++, compared++) {
                const double d = settled_difference(c, f, inputs[i]);
                worst = fmax(worst, fabs(d - gradient[i]) / fmax(fmax(1, value), fabs(gradient[i])));
                moving += gradient[i] != 0;
            }
            dt_circuit_destroy(c);
        }
    print_message("%d gradients of random circuits (%d of them not 0), largest difference %.1e\n", compared, moving,
                  worst);
    assert_true(moving > compared / 2);
    assert_true(worst < 1e-10);
}

/* --- wrong wiring --- */

static void assert_refused(dt_status got, dt_status wanted, const dt_error *error, const char *part)
{
    assert_int_equal(got, wanted);
    assert_int_equal(error->status, wanted);
    if (!strstr(error->message, part))
        fail_msg("'%s' lacks '%s'", error->message, part);
}

static void assert_forward_refused(dt_circuit *c, dt_status wanted, const char *part)
{
    dt_error error = {0};
    assert_refused(dt_circuit_forward(c, &error), wanted, &error, part);
    assert_int_equal(dt_circuit_forward(c, NULL), wanted);
    dt_circuit_destroy(c);
}

static void test_cycles(void **state)
{
    (void)state;
    dt_error error = {0};
    dt_circuit *c = make_circuit();
    dt_gate *x = dt_circuit_input(c, 1), *p = dt_circuit_multiply(c, x, NULL),
            *s = dt_circuit_add(c, 2, (dt_gate *[]){x, p});
    dt_gate *t = dt_circuit_activation(c, "tanh", s);
    dt_circuit_name(s, "speed", NULL);
    assert_int_equal(dt_circuit_connect(p, 1, t, &error), DT_OK);
    assert_refused(dt_circuit_forward(c, &error), DT_INVALID, &error,
                   "cycle: multiply gate 1 -> add gate 2 ('speed') -> tanh gate 3 -> multiply");
    assert_true(isnan(dt_circuit_value(t)));
    assert_int_equal(dt_circuit_backward(t, NULL), DT_INVALID);
    assert_int_equal(dt_circuit_connect(p, 1, x, NULL), DT_OK); /* the cycle is gone */
    forward(c);
    assert_exactly(dt_circuit_value(s), 2);
    dt_circuit_destroy(c);

    c = make_circuit();
    p = dt_circuit_add(c, 1, &(dt_gate *){NULL});
    assert_int_equal(dt_circuit_connect(p, 0, p, NULL), DT_OK);
    assert_forward_refused(c, DT_INVALID, "add gate 0 -> add gate 0");

    enum { LONG = 1000 };
    c = make_circuit();
    dt_gate *first = dt_circuit_add(c, 1, &(dt_gate *){NULL}), *last = first;
    for (int i = 1; i < LONG; i++)
        last = dt_circuit_add(c, 1, &last);
    dt_circuit_connect(first, 0, last, NULL);
    assert_forward_refused(c, DT_INVALID, "... -> add gate 0");
}

static void test_open_inputs(void **state)
{
    (void)state;
    dt_circuit *c = make_circuit();
    dt_gate *x = dt_circuit_input(c, 1), *f = dt_circuit_multiply(c, x, NULL);
    dt_circuit_name(f, "area", NULL);
    assert_forward_refused(c, DT_INVALID, "input 1 of multiply gate 1 ('area') is not connected");
}

static void test_gates_of_another_circuit(void **state)
{
    (void)state;
    dt_error error = {0};
    dt_circuit *c = make_circuit(), *other = make_circuit();
    dt_gate *x = dt_circuit_input(c, 1), *stranger = dt_circuit_input(other, 1), *f = dt_circuit_multiply(c, x, x);
    assert_refused(dt_circuit_connect(f, 1, stranger, &error), DT_INVALID, &error, "gate of another circuit");
    forward(c); /* nothing was changed */
    assert_null(dt_circuit_add(c, 2, (dt_gate *[]){x, stranger}));
    assert_forward_refused(c, DT_INVALID, "input 1 of add gate 2 is a gate of another circuit");
    dt_circuit_destroy(other);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    dt_error error = {0};
    dt_circuit *c = make_circuit();
    dt_gate *x = dt_circuit_input(c, 1);
    assert_null(dt_circuit_activation(c, "rleu", x));
    assert_null(dt_circuit_cost(c, "hinge", 1, &x, 0)); /* the first failure is the one that is told */
    assert_forward_refused(c, DT_UNKNOWN_NAME, "did you mean 'relu'");

    c = make_circuit();
    x = dt_circuit_input(c, 1);
    assert_null(dt_circuit_cost(c, "cross_entropy", 1, &x, 1));
    assert_forward_refused(c, DT_INVALID, "right class 1 of a cost gate with 1 inputs");

    c = make_circuit();
    assert_null(dt_circuit_add(c, 0, NULL));
    assert_forward_refused(c, DT_INVALID, "at least one input");

    c = make_circuit();
    x = dt_circuit_input(c, 1);
    dt_gate *f = dt_circuit_multiply(c, x, x), *k = dt_circuit_cost(c, "squared_error", 1, &f, 0);
    assert_refused(dt_circuit_backward(f, &error), DT_INVALID, &error, "dt_circuit_forward first");
    dt_error_clear(&error);
    assert_refused(dt_circuit_connect(f, 2, x, &error), DT_INVALID, &error, "has no input 2");
    dt_error_clear(&error);
    assert_refused(dt_circuit_set(f, 2, &error), DT_INVALID, &error, "only the value of an input gate");
    dt_error_clear(&error);
    assert_refused(dt_circuit_set_class(k, 1, &error), DT_INVALID, &error, "classes count from 0");
    assert_int_equal(dt_circuit_set_class(x, 0, NULL), DT_INVALID);
    assert_int_equal(dt_circuit_backward(NULL, NULL), DT_INVALID);
    assert_int_equal(dt_circuit_connect(NULL, 0, x, NULL), DT_INVALID);
    assert_int_equal(dt_circuit_name(NULL, "x", NULL), DT_INVALID);
    assert_true(isnan(dt_circuit_value(NULL)) && isnan(dt_circuit_gradient(NULL)) &&
                isnan(dt_circuit_wire_gradient(NULL, 0)));
    forward(c);
    run(k);
    dt_circuit_set(x, 2, NULL);
    assert_int_equal(dt_circuit_backward(k, NULL), DT_INVALID);
    dt_circuit_destroy(c);
    dt_circuit_destroy(NULL);
}

/* A circuit that is one long chain, made back to front, needs no deep stack. */
static void test_a_deep_circuit(void **state)
{
    (void)state;
    enum { DEPTH = 300000 };
    dt_circuit *c = make_circuit();
    dt_gate *f = dt_circuit_add(c, 1, &(dt_gate *){NULL}), *below = f;
    for (int i = 1; i < DEPTH; i++) {
        dt_gate *next = dt_circuit_add(c, 1, &(dt_gate *){NULL});
        dt_circuit_connect(below, 0, next, NULL);
        below = next;
    }
    dt_gate *x = dt_circuit_input(c, 3);
    dt_circuit_connect(below, 0, x, NULL);
    forward(c);
    run(f);
    assert_exactly(dt_circuit_value(f), 3);
    assert_exactly(dt_circuit_gradient(x), 1);
    dt_circuit_destroy(c);
}

/* --- a program's own --- */

static double scaled_square(const void *context, double z)
{
    return *(const double *)context * z * z;
}

static double scaled_square_slope(const void *context, double z)
{
    return *(const double *)context * 2 * z;
}

static double distance(const void *context, size_t count, const double *z, size_t y, double *delta)
{
    (void)context;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double d = z[i] - (double)(i == y);
        sum += d * d;
        delta[i] = 2 * d;
    }
    return sum;
}

static void test_own_functions(void **state)
{
    (void)state;
    static const double three = 3;
    char name[] = "scaled_square";
    dt_circuit *c = make_circuit();
    dt_gate *x = dt_circuit_input(c, 2);
    dt_gate *a =
        dt_circuit_own_activation(c, &(dt_scalar_activation){name, scaled_square, scaled_square_slope, &three}, x);
    dt_gate *f = dt_circuit_own_cost(c, &(dt_scalar_cost){"distance", distance, NULL, NULL}, 2, (dt_gate *[]){a, x}, 1);
    name[0] = '?'; /* it was copied */
    forward(c);
    run(f);
    assert_string_equal(dt_circuit_operation(a), "scaled_square");
    assert_exactly(dt_circuit_value(a), 12);
    assert_exactly(dt_circuit_value(f), 144 + 1);
    assert_exactly(dt_circuit_gradient(x), 24 * 12 + 2);
    dt_circuit_destroy(c);
}

/* --- networks --- */

enum { NET_LAYERS = 3, NET_WIDEST = 5 };

static const int64_t net_units[] = {3, 5, 1, 4};

typedef struct net {
    double W[NET_LAYERS + 1][NET_WIDEST * NET_WIDEST], b[NET_LAYERS + 1][NET_WIDEST], x[NET_WIDEST];
    const double *rows_W[NET_LAYERS + 1], *rows_b[NET_LAYERS + 1];
} net;

static dt_network_circuit_spec net_spec(net *n)
{
    static const char *const activation[] = {NULL, "sigmoid", "tanh"};
    uint64_t next = 0;
    for (int l = 0; l <= NET_LAYERS; l++) {
        for (int i = 0; i < NET_WIDEST * NET_WIDEST; i++)
            n->W[l][i] = number(20, &next);
        for (int j = 0; j < NET_WIDEST; j++)
            n->b[l][j] = number(20, &next);
        n->rows_W[l] = l ? n->W[l] : NULL;
        n->rows_b[l] = l ? n->b[l] : NULL;
    }
    for (int k = 0; k < NET_WIDEST; k++)
        n->x[k] = number(20, &next);
    return (dt_network_circuit_spec){.layers = NET_LAYERS,
                                     .units = net_units,
                                     .activation = activation,
                                     .loss = "cross_entropy",
                                     .W = n->rows_W,
                                     .b = n->rows_b,
                                     .x = n->x,
                                     .y = 2};
}

static dt_network_circuit *make_network(const dt_network_circuit_spec *spec)
{
    dt_network_circuit *network;
    dt_error error = {0};
    if (dt_network_circuit_create(&network, spec, &error) != DT_OK)
        fail_msg("%s", error.message);
    return network;
}

/* Equations (1), (2), (4), (5), (6) hold between the gates that the letters name. */
static void assert_equations(const dt_network_circuit *n)
{
    for (int64_t l = 1; l <= NET_LAYERS; l++)
        for (int64_t j = 0; j < net_units[l]; j++) {
            const dt_gate *z = dt_network_circuit_z(n, l, j), *a = dt_network_circuit_a(n, l, j);
            const double delta = dt_circuit_gradient(z);
            double sum = 0, back = 0, slope;
            for (int64_t k = 0; k < net_units[l - 1]; k++) {
                const dt_gate *w = dt_network_circuit_w(n, l, j, k), *from = dt_network_circuit_a(n, l - 1, k);
                sum += dt_circuit_value(w) * dt_circuit_value(from);
                assert_exactly(dt_circuit_value(dt_network_circuit_product(n, l, j, k)),
                               dt_circuit_value(w) * dt_circuit_value(from));
                assert_exactly(dt_circuit_gradient(w), delta * dt_circuit_value(from));
            }
            assert_exactly(dt_circuit_value(dt_network_circuit_sum(n, l, j)), sum);
            assert_exactly(dt_circuit_value(z), sum + dt_circuit_value(dt_network_circuit_b(n, l, j)));
            assert_exactly(dt_circuit_gradient(dt_network_circuit_b(n, l, j)), delta);
            if (l == NET_LAYERS) {
                assert_ptr_equal(a, z);
                continue;
            }
            for (int64_t i = 0; i < net_units[l + 1]; i++)
                back += dt_circuit_gradient(dt_network_circuit_z(n, l + 1, i)) *
                        dt_circuit_value(dt_network_circuit_w(n, l + 1, i, j));
            assert_near(dt_circuit_gradient(a), back, 1e-15);
            assert_exactly(dt_circuit_value(a), sigma(l == 1 ? "sigmoid" : "tanh", dt_circuit_value(z), &slope));
            assert_near(delta, slope * back, 1e-15);
        }
}

static void test_a_network(void **state)
{
    (void)state;
    net data;
    const dt_network_circuit_spec spec = net_spec(&data);
    dt_network_circuit *n = make_network(&spec);
    assert_int_equal(dt_circuit_gate_count(dt_network_circuit_gates(n)),
                     dt_network_circuit_size(NET_LAYERS, net_units));
    assert_int_equal(dt_network_circuit_layers(n), NET_LAYERS);
    assert_int_equal(dt_network_circuit_units(n, 0), 3);
    assert_int_equal(dt_network_circuit_units(n, 3), 4);
    assert_int_equal(dt_network_circuit_run(n, NULL), DT_OK);
    assert_exactly(dt_circuit_value(dt_network_circuit_a(n, 0, 2)), data.x[2]);
    assert_exactly(dt_circuit_value(dt_network_circuit_w(n, 1, 4, 2)), data.W[1][4 * 3 + 2]);
    assert_exactly(dt_circuit_value(dt_network_circuit_b(n, 3, 3)), data.b[3][3]);
    assert_int_equal(dt_circuit_kind(dt_network_circuit_cost(n)), DT_GATE_COST);
    assert_equations(n);

    double z[4], delta[4];
    for (int j = 0; j < 4; j++)
        z[j] = dt_circuit_value(dt_network_circuit_z(n, 3, j));
    assert_exactly(dt_circuit_value(dt_network_circuit_cost(n)), cost("cross_entropy", 4, z, 2, delta));
    for (int j = 0; j < 4; j++)
        assert_exactly(dt_circuit_gradient(dt_network_circuit_z(n, 3, j)), delta[j]); /* (3) */

    double settle, h = 1e-2; /* dC/dx and one weight, by finite differences */
    dt_gate *f = dt_network_circuit_cost(n);
    dt_gate *some[] = {dt_network_circuit_a(n, 0, 1), dt_network_circuit_w(n, 1, 3, 1), dt_network_circuit_b(n, 2, 0)};
    double gradient[3];
    for (int i = 0; i < 3; i++)
        gradient[i] = dt_circuit_gradient(some[i]);
    for (int i = 0; i < 3; i++)
        assert_near(difference(dt_network_circuit_gates(n), f, some[i], h, &settle), gradient[i], 1e-11);
    dt_network_circuit_destroy(n);
}

static void test_another_sample_and_other_parameters(void **state)
{
    (void)state;
    net data, other;
    const dt_network_circuit_spec spec = net_spec(&data), later = net_spec(&other);
    dt_network_circuit *n = make_network(&spec);
    for (int l = 1; l <= NET_LAYERS; l++)
        for (int i = 0; i < NET_WIDEST; i++) {
            other.b[l][i] += 1;
            other.W[l][i] -= 1;
        }
    other.x[0] = 0.25;
    dt_network_circuit_spec fresh = later;
    fresh.y = 0;
    dt_network_circuit *m = make_network(&fresh);
    assert_int_equal(dt_network_circuit_run(m, NULL), DT_OK);
    for (int l = 1; l <= NET_LAYERS; l++)
        dt_network_circuit_parameters(n, l, other.W[l], other.b[l]);
    assert_int_equal(dt_network_circuit_sample(n, other.x, 0, NULL), DT_OK);
    assert_int_equal(dt_network_circuit_run(n, NULL), DT_OK);
    const dt_circuit *a = dt_network_circuit_gates(n), *b = dt_network_circuit_gates(m);
    for (size_t i = 0; i < dt_circuit_gate_count(a); i++) {
        assert_exactly(dt_circuit_value(dt_circuit_gate(a, i)), dt_circuit_value(dt_circuit_gate(b, i)));
        assert_exactly(dt_circuit_gradient(dt_circuit_gate(a, i)), dt_circuit_gradient(dt_circuit_gate(b, i)));
    }
    assert_int_equal(dt_network_circuit_sample(n, other.x, 4, NULL), DT_INVALID);
    assert_int_equal(dt_network_circuit_sample(n, other.x, -1, NULL), DT_INVALID);
    dt_network_circuit_destroy(n);
    dt_network_circuit_destroy(m);
}

static void test_wrong_networks(void **state)
{
    (void)state;
    net data;
    dt_error error = {0};
    dt_network_circuit *n;
    dt_network_circuit_spec spec = net_spec(&data);
    spec.y = 4;
    assert_refused(dt_network_circuit_create(&n, &spec, &error), DT_INVALID, &error, "right class 4");
    assert_null(n);
    dt_error_clear(&error);
    spec = net_spec(&data);
    spec.loss = "cross-entropy";
    assert_refused(dt_network_circuit_create(&n, &spec, &error), DT_UNKNOWN_NAME, &error,
                   "did you mean 'cross_entropy'");
    dt_error_clear(&error);
    spec = net_spec(&data);
    spec.activation = (const char *const[]){NULL, "tanh", "tahn"};
    assert_refused(dt_network_circuit_create(&n, &spec, &error), DT_UNKNOWN_NAME, &error, "did you mean 'tanh'");
    dt_error_clear(&error);
    spec = net_spec(&data);
    spec.units = (const int64_t[]){3, 0, 1, 4};
    assert_refused(dt_network_circuit_create(&n, &spec, &error), DT_INVALID, &error, "0 units in layer 1");
    dt_error_clear(&error);
    spec.units = (const int64_t[]){INT64_MAX / 8, INT64_MAX / 8, 1, 4};
    assert_refused(dt_network_circuit_create(&n, &spec, &error), DT_NO_MEMORY, &error,
                   "more gates than can be counted");
    spec = net_spec(&data);
    spec.layers = 0;
    assert_int_equal(dt_network_circuit_create(&n, &spec, NULL), DT_INVALID);

    spec = net_spec(&data);
    n = make_network(&spec);
    assert_null(dt_network_circuit_w(n, 0, 0, 0));
    assert_null(dt_network_circuit_w(n, 1, 5, 0));
    assert_null(dt_network_circuit_w(n, 1, 0, 3));
    assert_null(dt_network_circuit_b(n, 4, 0));
    assert_null(dt_network_circuit_z(n, 0, 0));
    assert_null(dt_network_circuit_a(n, 0, 3));
    assert_null(dt_network_circuit_a(n, 2, -1));
    assert_null(dt_network_circuit_product(n, 2, 1, 0));
    assert_null(dt_network_circuit_sum(n, 2, 1));
    dt_network_circuit_destroy(n);
    dt_network_circuit_destroy(NULL);
}

static void test_a_network_with_own_functions(void **state)
{
    (void)state;
    static const double half = 0.5;
    const dt_scalar_activation own = {"half_square", scaled_square, scaled_square_slope, &half};
    const dt_scalar_cost own_cost = {"distance", distance, NULL, NULL};
    net data;
    dt_network_circuit_spec spec = net_spec(&data);
    spec.own = (const dt_scalar_activation *const[]){NULL, &own, NULL};
    spec.own_loss = &own_cost;
    spec.loss = NULL;
    dt_network_circuit *n = make_network(&spec);
    assert_int_equal(dt_network_circuit_run(n, NULL), DT_OK);
    assert_string_equal(dt_circuit_operation(dt_network_circuit_a(n, 1, 0)), "half_square");
    assert_string_equal(dt_circuit_operation(dt_network_circuit_a(n, 2, 0)), "tanh");
    assert_string_equal(dt_circuit_operation(dt_network_circuit_cost(n)), "distance");
    const double z = dt_circuit_value(dt_network_circuit_z(n, 1, 0));
    assert_exactly(dt_circuit_value(dt_network_circuit_a(n, 1, 0)), 0.5 * z * z);
    dt_network_circuit_destroy(n);
}

/* --- out of memory --- */

static struct {
    int allowed, blocks;
} memory;

static void *counting_allocate(void *context, size_t alignment, size_t size)
{
    (void)context;
    void *block = NULL;
    if (memory.allowed-- <= 0 || posix_memalign(&block, alignment, size) != 0)
        return NULL;
    memory.blocks++;
    return block;
}

static void counting_release(void *context, void *block)
{
    (void)context;
    memory.blocks--;
    free(block);
}

static dt_status use_everything(dt_error *error)
{
    static const double half = 0.5;
    const dt_scalar_activation own = {"half_square", scaled_square, scaled_square_slope, &half};
    net data;
    dt_network_circuit_spec spec = net_spec(&data);
    spec.own = (const dt_scalar_activation *const[]){NULL, &own, NULL};
    dt_network_circuit *n = NULL;
    dt_circuit *c = NULL;
    dt_status status = dt_network_circuit_create(&n, &spec, error);
    if (status == DT_OK)
        status = dt_network_circuit_run(n, error);
    dt_network_circuit_destroy(n);
    if (status != DT_OK || (status = dt_circuit_create(&c, error)) != DT_OK)
        return status;
    dt_gate *last = dt_circuit_input(c, 1);
    for (int i = 0; i < 2000; i++)
        last = dt_circuit_add(c, 3, (dt_gate *[]){last, last, last});
    last = dt_circuit_own_cost(c, &(dt_scalar_cost){"distance", distance, NULL, NULL}, 1, &last, 0);
    status = dt_circuit_name(last, "end", NULL);
    if (dt_circuit_forward(c, error) != DT_OK)
        status = error->status;
    else if (status == DT_OK)
        status = dt_circuit_backward(last, error);
    dt_circuit_destroy(c);
    return status;
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    int n = 0;
    dt_status status;
    do {
        dt_error error = {0};
        memory.allowed = n;
        memory.blocks = 0;
        dt_memory_hook(counting_allocate, counting_release, NULL);
        status = use_everything(&error);
        dt_memory_hook(NULL, NULL, NULL);
        assert_int_equal(memory.blocks, 0);
        if (status != DT_OK)
            assert_int_equal(status, DT_NO_MEMORY);
        n++;
    } while (status != DT_OK);
    print_message("%d allocations, each refused once\n", n - 1);
    assert_true(n > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_gates),
        cmocka_unit_test(test_gradients_add_up_where_a_wire_fans_out),
        cmocka_unit_test(test_what_plays_no_part_stays_zero),
        cmocka_unit_test(test_looking),
        cmocka_unit_test(test_every_name_of_the_engine_is_here),
        cmocka_unit_test(test_activations_at_known_points),
        cmocka_unit_test(test_costs_at_known_points),
        cmocka_unit_test(test_random_circuits_against_finite_differences),
        cmocka_unit_test(test_cycles),
        cmocka_unit_test(test_open_inputs),
        cmocka_unit_test(test_gates_of_another_circuit),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_a_deep_circuit),
        cmocka_unit_test(test_own_functions),
        cmocka_unit_test(test_a_network),
        cmocka_unit_test(test_another_sample_and_other_parameters),
        cmocka_unit_test(test_wrong_networks),
        cmocka_unit_test(test_a_network_with_own_functions),
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
