/* The training engine against the gate circuit: every z, a, delta, dC/dw, dC/db and dC/dx of random networks.
 *
 * The norm. An element is compared with the circuit's relative to the scale of its quantity in that layer and sample,
 * which is what the largest element would be if nothing cancelled; for units 1 .. n of the layer,
 *
 *     z, a        max_j  sum_k |w_jk a_k| + |b_j|               (|sigma'| <= 1: an error of z doesn't grow in a)
 *     delta^L     1 + the scale of z^L                          (a softmax, a target, a margin beside z)
 *     delta^l, x  max_j  sum_i |delta_i w_ij|                   (from layer l + 1; for x from layer 1)
 *     dW, db      mean over the samples of delta's scale times max_k |a_k|, or times 1
 *
 * with values of the circuit. Layers aren't compounded: how much earlier layers lose to cancellation counts against the
 * engine.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "deltoid/circuit.h"
#include "small.h"

enum { LAYERS_MAX = 7, WIDEST = 40, BATCH_MAX = 9 };

/* --- what the engine did in one step --- */

typedef struct step {
    int64_t layers, units[LAYERS_MAX + 1], batch;
    int64_t sample[BATCH_MAX];
    double z[LAYERS_MAX + 1][BATCH_MAX][WIDEST], a[LAYERS_MAX + 1][BATCH_MAX][WIDEST],
        delta[LAYERS_MAX + 1][BATCH_MAX][WIDEST];
    double W[LAYERS_MAX + 1][WIDEST * WIDEST], b[LAYERS_MAX + 1][WIDEST];
    double dW[LAYERS_MAX + 1][WIDEST * WIDEST], db[LAYERS_MAX + 1][WIDEST];
    float narrow[4][LAYERS_MAX + 1][WIDEST * WIDEST]; /* W, b, dW, db as a float32 step gives them */
} step;

static bool first_step(const void *self, int64_t number, int64_t epoch)
{
    (void)self, (void)epoch;
    return number == 0;
}

static void begin(void *self, const dt_step_view *view)
{
    step *s = self;
    s->layers = view->layers;
    s->batch = view->batch;
    memcpy(s->sample, view->sample_id, (size_t)view->batch * sizeof *s->sample);
}

static void copy_rows(const dt_step_view *view, dt_quantity quantity, int64_t l, int64_t first, int64_t count,
                      double (*out)[WIDEST])
{
    const dt_matrix_view m = dt_step_samples(view, quantity, l, first, count);
    for (int64_t i = 0; i < m.rows; i++)
        for (int64_t j = 0; j < m.columns; j++) {
            const int64_t at = i * m.stride + j;
            out[first + i][j] =
                view->precision == DT_FLOAT32 ? (double)((const float *)m.data)[at] : ((const double *)m.data)[at];
        }
}

static void samples(void *self, const dt_step_view *view, int64_t first, int64_t count)
{
    step *s = self;
    for (int64_t l = 0; l <= view->layers && count > 0; l++) {
        copy_rows(view, DT_QUANTITY_A, l, first, count, s->a[l]);
        if (l == 0)
            continue;
        copy_rows(view, DT_QUANTITY_Z, l, first, count, s->z[l]);
        copy_rows(view, DT_QUANTITY_DELTA, l, first, count, s->delta[l]);
    }
}

static const dt_quantity parameters[4] = {DT_QUANTITY_W, DT_QUANTITY_B, DT_QUANTITY_DW, DT_QUANTITY_DB};

static double *wide(step *s, int which, int64_t l)
{
    double *const arrays[] = {s->W[l], s->b[l], s->dW[l], s->db[l]};
    return arrays[which];
}

static void slice(void *self, const dt_step_view *view, const dt_slice *part)
{
    step *s = self;
    for (int64_t l = 1; l <= view->layers; l++)
        for (int q = 0; q < 4; q++)
            dt_step_copy_slice(view, parameters[q], l, part,
                               view->precision == DT_FLOAT32 ? (void *)s->narrow[q][l] : (void *)wide(s, q, l));
}

static void end(void *self, const dt_step_view *view)
{
    step *s = self;
    for (int64_t l = 1; l <= view->layers && view->precision == DT_FLOAT32; l++)
        for (int q = 0; q < 4; q++)
            for (int i = 0; i < WIDEST * (q % 2 ? 1 : WIDEST); i++)
                wide(s, q, l)[i] = (double)s->narrow[q][l][i];
}

/* --- differences --- */

typedef enum quantity { Z, A, DELTA, DW, DB, DX, QUANTITIES } quantity;

static const char *const quantity_name[] = {"z", "a", "delta", "dC/dw", "dC/db", "dC/dx"};

typedef struct tally {
    int64_t networks, elements[QUANTITIES];
    double worst[QUANTITIES]; /* |engine - circuit| / scale */
} tally;

static void compare(tally *t, quantity q, double engine, double circuit, double scale)
{
    const double d = engine == circuit ? 0 : fabs(engine - circuit) / scale;
    t->elements[q]++;
    if (!(d <= t->worst[q])) /* NaN, too */
        t->worst[q] = d;
}

static double value(const dt_gate *gate)
{
    return dt_circuit_value(gate);
}

static double gradient(const dt_gate *gate)
{
    return dt_circuit_gradient(gate);
}

static double scale_of_z(const dt_network_circuit *n, int64_t l)
{
    double largest = 0;
    for (int64_t j = 0; j < dt_network_circuit_units(n, l); j++) {
        double sum = fabs(value(dt_network_circuit_b(n, l, j)));
        for (int64_t k = 0; k < dt_network_circuit_units(n, l - 1); k++)
            sum += fabs(value(dt_network_circuit_product(n, l, j, k)));
        largest = fmax(largest, sum);
    }
    return largest;
}

static double scale_of_delta(const dt_network_circuit *n, int64_t l)
{
    if (l == dt_network_circuit_layers(n))
        return 1 + scale_of_z(n, l);
    double largest = 0;
    for (int64_t j = 0; j < dt_network_circuit_units(n, l); j++) {
        double sum = 0;
        for (int64_t i = 0; i < dt_network_circuit_units(n, l + 1); i++)
            sum += fabs(gradient(dt_network_circuit_z(n, l + 1, i)) * value(dt_network_circuit_w(n, l + 1, i, j)));
        largest = fmax(largest, sum);
    }
    return largest;
}

/* The largest a, or what rounding z leaves of a layer in which all cancel. */
static double largest_a(const dt_network_circuit *n, int64_t l)
{
    double largest = l > 0 ? 0.1 * scale_of_z(n, l) : 0;
    for (int64_t k = 0; k < dt_network_circuit_units(n, l); k++)
        largest = fmax(largest, fabs(value(dt_network_circuit_a(n, l, k))));
    return largest;
}

/* The circuit's dW and db, means over the samples, and their scales. */
typedef struct means {
    double dW[LAYERS_MAX + 1][WIDEST * WIDEST], db[LAYERS_MAX + 1][WIDEST];
    double scale_dW[LAYERS_MAX + 1], scale_db[LAYERS_MAX + 1];
} means;

static void add_sample(means *m, const dt_network_circuit *n, double share)
{
    for (int64_t l = 1; l <= dt_network_circuit_layers(n); l++) {
        const int64_t inputs = dt_network_circuit_units(n, l - 1);
        const double scale = scale_of_delta(n, l);
        m->scale_db[l] += share * scale;
        m->scale_dW[l] += share * scale * largest_a(n, l - 1);
        for (int64_t j = 0; j < dt_network_circuit_units(n, l); j++) {
            m->db[l][j] += share * gradient(dt_network_circuit_b(n, l, j));
            for (int64_t k = 0; k < inputs; k++)
                m->dW[l][j * inputs + k] += share * gradient(dt_network_circuit_w(n, l, j, k));
        }
    }
}

static void compare_sample(tally *t, const step *s, const dt_network_circuit *n, int64_t i)
{
    for (int64_t l = 1; l <= s->layers; l++) {
        const double scale_z = scale_of_z(n, l), scale_delta = scale_of_delta(n, l);
        for (int64_t j = 0; j < s->units[l]; j++) {
            compare(t, Z, s->z[l][i][j], value(dt_network_circuit_z(n, l, j)), scale_z);
            compare(t, A, s->a[l][i][j], value(dt_network_circuit_a(n, l, j)), scale_z);
            compare(t, DELTA, s->delta[l][i][j], gradient(dt_network_circuit_z(n, l, j)), scale_delta);
        }
    }
}

static void compare_means(tally *t, const step *s, const means *m)
{
    for (int64_t l = 1; l <= s->layers; l++) {
        for (int64_t i = 0; i < s->units[l] * s->units[l - 1]; i++)
            compare(t, DW, s->dW[l][i], m->dW[l][i], m->scale_dW[l]);
        for (int64_t j = 0; j < s->units[l]; j++)
            compare(t, DB, s->db[l][j], m->db[l][j], m->scale_db[l]);
    }
}

/* --- one network --- */

/* W^l and b^l for the engine to start from; where NULL it draws W itself. */
typedef void (*fill)(small *m, uint64_t seed, int64_t l, double *W, double *b);

static void set_weights(dt_trainer *t, dt_precision precision, int64_t l, const double *W, const double *b)
{
    static float narrow_W[WIDEST * WIDEST], narrow_b[WIDEST];
    const int64_t units = dt_trainer_units(t, l), inputs = dt_trainer_units(t, l - 1);
    for (int64_t i = 0; i < units * inputs; i++)
        narrow_W[i] = (float)W[i];
    for (int64_t j = 0; j < units; j++)
        narrow_b[j] = (float)b[j];
    if (precision == DT_FLOAT32)
        dt_trainer_set_weights(t, l, narrow_W, narrow_b);
    else
        dt_trainer_set_weights(t, l, W, b);
}

static dt_trainer *make_trainer(const small *m, step *s)
{
    dt_trainer *t;
    dt_error error = {0};
    const dt_trainer_data data = small_data(m);
    memset(s, 0, sizeof *s);
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    for (int64_t l = 0; l <= (int64_t)m->experiment.layer_count; l++)
        s->units[l] = dt_trainer_units(t, l);
    const dt_observer observer = {
        .self = s, .watches = first_step, .begin = begin, .samples = samples, .slice = slice, .end = end};
    assert_int_equal(dt_trainer_observe(t, &observer, &error), DT_OK);
    return t;
}

static void do_step(dt_trainer *t)
{
    dt_error error = {0};
    if (dt_trainer_steps(t, 1, &error) != DT_OK)
        fail_msg("%s", error.message);
    dt_trainer_destroy(t);
}

/* Initial biases are 0, and nothing would then be learnt of them. */
static void random_biases(small *m, uint64_t seed, int64_t l, double *W, double *b)
{
    (void)m, (void)W;
    for (int64_t j = 0; j < WIDEST; j++)
        b[j] = dt_uniform01(dt_philox(seed, DT_FOR_TEST, 9, (uint64_t)(64 * l + j)).u[0]) - 0.5;
}

static void engine_step(small *m, uint64_t seed, fill filled, step *s)
{
    static double W[WIDEST * WIDEST], b[WIDEST];
    static float narrow_W[WIDEST * WIDEST], narrow_b[WIDEST];
    dt_trainer *t = make_trainer(m, s);
    for (int64_t l = 1; l <= (int64_t)m->experiment.layer_count; l++) {
        if (m->experiment.precision == DT_FLOAT32) {
            dt_trainer_weights(t, l, narrow_W, narrow_b);
            for (int i = 0; i < WIDEST * WIDEST; i++)
                W[i] = (double)narrow_W[i];
        } else {
            dt_trainer_weights(t, l, W, b);
        }
        filled(m, seed, l, W, b);
        set_weights(t, m->experiment.precision, l, W, b);
    }
    do_step(t);
    for (int64_t i = 0; i < s->batch; i++)
        for (int64_t k = 0; k < s->units[0]; k++) { /* equation (1) starts from the data set's own x */
            const double x = m->inputs[s->sample[i] * s->units[0] + k];
            assert_true(s->a[0][i][k] == (m->experiment.precision == DT_FLOAT32 ? (double)(float)x : x));
        }
}

/* dC/dx by the engine's own equation (4): the same network behind a linear layer with W = 1 and b = 0, whose delta is
 * dC/dx. */
static void engine_step_from_x(const small *m, const step *same, step *s)
{
    static small behind;
    static const double zeros[WIDEST];
    static double one[WIDEST * WIDEST];
    const int64_t features = same->units[0];
    behind = *m;
    behind.experiment.network = behind.layers;
    behind.experiment.layer_count++;
    behind.layers[0] = (dt_layer_spec){.units = features, .activation = "linear", .init = "zeros"};
    memcpy(behind.layers + 1, m->layers, m->experiment.layer_count * sizeof *m->layers);
    behind.data.inputs = behind.inputs;
    behind.data.labels = m->data.labels ? behind.labels : NULL;
    behind.data.targets = m->data.targets ? behind.targets : NULL;
    dt_trainer *t = make_trainer(&behind, s);
    memset(one, 0, sizeof one);
    for (int64_t k = 0; k < features; k++)
        one[k * features + k] = 1;
    set_weights(t, m->experiment.precision, 1, one, zeros);
    for (int64_t l = 1; l <= same->layers; l++)
        set_weights(t, m->experiment.precision, l + 1, same->W[l], same->b[l]);
    do_step(t);
    assert_memory_equal(s->sample, same->sample, sizeof s->sample);
}

static dt_network_circuit *make_circuit(const small *m, const step *s)
{
    const double *W[LAYERS_MAX + 1], *b[LAYERS_MAX + 1];
    const char *activation[LAYERS_MAX + 1];
    double parameter[LAYERS_MAX + 1];
    for (int64_t l = 1; l <= s->layers; l++) {
        W[l] = s->W[l];
        b[l] = s->b[l];
        activation[l] = m->layers[l - 1].activation;
        parameter[l] = dt_activation_parameter(&m->layers[l - 1]);
    }
    const dt_network_circuit_spec spec = {.layers = s->layers,
                                          .units = s->units,
                                          .activation = activation,
                                          .parameter = parameter,
                                          .loss = m->experiment.loss,
                                          .loss_options = &m->experiment.loss_options,
                                          .W = W,
                                          .b = b,
                                          .x = s->a[0][0],
                                          .t = m->data.targets};
    dt_network_circuit *n;
    dt_error error = {0};
    if (dt_network_circuit_create(&n, &spec, &error) != DT_OK)
        fail_msg("%s", error.message);
    return n;
}

/* What else a test wants to look at in each sample's circuit. */
typedef void (*look)(const small *m, const dt_network_circuit *n, int64_t y);

static void check_network(small *m, uint64_t seed, fill filled, look looked, tally *t)
{
    static step s, from_x;
    static means mean;
    engine_step(m, seed, filled, &s);
    engine_step_from_x(m, &s, &from_x);
    memset(&mean, 0, sizeof mean);
    dt_network_circuit *n = make_circuit(m, &s);
    for (int64_t i = 0; i < s.batch; i++) {
        const int64_t y = m->labels[s.sample[i]];
        if (m->data.targets)
            assert_int_equal(
                dt_network_circuit_sample_targets(n, s.a[0][i], m->data.targets + s.sample[i] * m->data.outputs, NULL),
                DT_OK);
        else
            assert_int_equal(dt_network_circuit_sample(n, s.a[0][i], y, NULL), DT_OK);
        assert_int_equal(dt_network_circuit_run(n, NULL), DT_OK);
        compare_sample(t, &s, n, i);
        add_sample(&mean, n, 1 / (double)s.batch);
        const double scale = scale_of_delta(n, 0);
        for (int64_t k = 0; k < s.units[0]; k++)
            compare(t, DX, from_x.delta[1][i][k], gradient(dt_network_circuit_a(n, 0, k)), scale);
        if (looked)
            looked(m, n, y);
    }
    compare_means(t, &s, &mean);
    dt_network_circuit_destroy(n);
    t->networks++;
}

/* e^z makes of an absolute error of z a relative one of a, many layers over. */
static double tolerance(const small *m)
{
    double factor = 1;
    for (size_t l = 0; l + 1 < m->experiment.layer_count; l++)
        factor *= strcmp(m->layers[l].activation, "exp") == 0 ? 30 : 1;
    return factor * (m->experiment.precision == DT_FLOAT32 ? 3e-5 : 1e-12);
}

static void assert_agreed(const tally *t, const small *m)
{
    for (int q = 0; q < QUANTITIES; q++)
        if (!(t->worst[q] <= tolerance(m)))
            fail_msg("%s, %s, %s, seed %d, %d layers: %s differs by %.2e of its scale",
                     dt_precision_name(m->experiment.precision), m->layers[0].activation, m->experiment.loss,
                     (int)m->experiment.seed, (int)m->experiment.layer_count, quantity_name[q], t->worst[q]);
}

static void merge(tally *into, const tally *t)
{
    into->networks += t->networks;
    for (int q = 0; q < QUANTITIES; q++) {
        into->elements[q] += t->elements[q];
        into->worst[q] = fmax(into->worst[q], t->worst[q]);
    }
}

static void print_tally(const char *what, const tally *t, clock_t since)
{
    int64_t elements = 0;
    for (int q = 0; q < QUANTITIES; q++)
        elements += t->elements[q];
    print_message("%s: %d networks, %lld numbers compared; largest difference", what, (int)t->networks,
                  (long long)elements);
    for (int q = 0; q < QUANTITIES; q++)
        print_message("  %s %.1e", quantity_name[q], t->worst[q]);
    print_message("  (%.1f s of processor time)\n", (double)(clock() - since) / CLOCKS_PER_SEC);
}

/* --- random networks --- */

enum { NETWORKS = 12 /* of each combination; every number of layers twice */ };

/* Sizes from 1 to 40, small ones often; batches of 1 and more; several workers, shards and reductions. */
static void random_network(small *m, uint64_t seed, int64_t layers, int64_t batch, const char *activation)
{
    static const char *const reductions[] = {"tree", "owner", "serial"};
    int64_t units[LAYERS_MAX + 1];
    for (int64_t l = 0; l <= layers; l++) {
        const dt_random128 r = dt_philox(seed, DT_FOR_TEST, 8, (uint64_t)l);
        units[l] = 1 + (int64_t)dt_uniform_below(r.u[0], r.u[1] % 3 ? WIDEST : 6);
    }
    small_make(m, seed, batch, units, layers, activation);
    m->experiment.training.batch_size = batch;
    m->experiment.parallel =
        (dt_parallel_spec){1 + (int64_t)(seed % 2), 1 + (int64_t)(seed % 4), reductions[seed / 3 % 3], 0};
}

static void check_combination(dt_precision precision, size_t a, size_t c, tally *total)
{
    static small m;
    for (uint64_t k = 0; k < NETWORKS; k++) {
        tally t = {0};
        const uint64_t seed = 1000 * a + 100 * c + k + 1;
        const bool explodes = strcmp(dt_table_at(DT_ACTIVATIONS, a)->name, "exp") == 0; /* behind each other */
        random_network(&m, seed, 1 + (int64_t)k % (explodes ? 2 : 6),
                       k < NETWORKS / 2 ? 1 : 2 + (int64_t)(seed % (BATCH_MAX - 1)),
                       dt_table_at(DT_ACTIVATIONS, a)->name);
        m.experiment.loss = dt_table_at(DT_LOSSES, c)->name;
        m.experiment.precision = precision;
        check_network(&m, seed, random_biases, NULL, &t);
        assert_agreed(&t, &m);
        merge(total, &t);
    }
}

static void check_every_combination(dt_precision precision)
{
    tally total = {0};
    const clock_t since = clock();
    int combinations = 0;
    for (size_t a = 0; dt_table_at(DT_ACTIVATIONS, a); a++)
        for (size_t c = 0; dt_table_at(DT_LOSSES, c); c++, combinations++)
            check_combination(precision, a, c, &total);
    print_message("%d activations and costs x %d, ", combinations, NETWORKS);
    print_tally(dt_precision_name(precision), &total, since);
}

static void test_random_networks_float32(void **state)
{
    (void)state;
    check_every_combination(DT_FLOAT32);
}

static void test_random_networks_float64(void **state)
{
    (void)state;
    check_every_combination(DT_FLOAT64);
}

/* Targets in place of classes; costs and activations with parameters of their own. */
static void test_targets_and_parameters(void **state)
{
    (void)state;
    static small m;
    for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
        tally total = {0};
        const clock_t since = clock();
        for (size_t c = 0; dt_table_at(DT_LOSSES, c); c++)
            for (uint64_t seed = 1; seed <= 24; seed++) {
                static const char *const with[] = {"leaky_relu", "elu", "softplus", "sine"};
                const dt_targets kind = (dt_targets)(seed % DT_TARGETS_KINDS);
                const char *loss = dt_table_at(DT_LOSSES, c)->name;
                tally t = {0};
                if (!(dt_loss_traits_of(loss)->takes & 1u << kind))
                    continue;
                random_network(&m, seed, 1 + (int64_t)(seed % 3), 4, with[seed % 4]);
                for (size_t l = 0; l < m.experiment.layer_count; l++)
                    m.layers[l].negative_slope = m.layers[l].alpha = m.layers[l].beta = m.layers[l].omega = 0.75;
                m.experiment.precision = (dt_precision)precision;
                m.experiment.loss = loss;
                m.experiment.loss_options = small_options(m.layers[m.experiment.layer_count - 1].units);
                if (kind != DT_TARGETS_CLASSES)
                    small_targets(&m, kind);
                check_network(&m, seed, random_biases, NULL, &t);
                assert_agreed(&t, &m);
                merge(&total, &t);
            }
        print_message("targets and parameters, ");
        print_tally(dt_precision_name((dt_precision)precision), &total, since);
    }
}

/* Another activation in each layer. */
static void test_mixed_activations(void **state)
{
    (void)state;
    static small m;
    size_t activations = 0;
    while (dt_table_at(DT_ACTIVATIONS, activations))
        activations++;
    for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
        tally total = {0};
        const clock_t since = clock();
        for (uint64_t seed = 1; seed <= 30; seed++) {
            tally t = {0};
            random_network(&m, seed, 2 + (int64_t)(seed % 5), 4, "linear");
            m.experiment.precision = (dt_precision)precision;
            m.experiment.parallel.threads = 3;
            m.experiment.loss = dt_table_at(DT_LOSSES, seed % 3)->name;
            for (size_t l = 0; l + 1 < m.experiment.layer_count; l++)
                m.layers[l].activation =
                    dt_table_at(DT_ACTIVATIONS, dt_philox(seed, DT_FOR_TEST, 7, l).u[0] % activations)->name;
            check_network(&m, seed, random_biases, NULL, &t);
            assert_agreed(&t, &m);
            merge(&total, &t);
        }
        print_message("mixed activations, ");
        print_tally(dt_precision_name((dt_precision)precision), &total, since);
    }
}

/* --- at kinks --- */

static int64_t on_the_kink, beside_it, zero_margins;

/* Weights of -1, 0 and 1, biases in quarters, in every other network some of them off by 2^-14: every z is exact in
 * both precisions, and many are 0 or next to it. Before a softmax they are small, or it would be sure of its answer and
 * lose digits of float32 in p_y - 1. */
static void coarse(small *m, uint64_t seed, int64_t l, double *W, double *b)
{
    const bool to_softmax = l == (int64_t)m->experiment.layer_count && strcmp(m->experiment.loss, "cross_entropy") == 0;
    const int64_t units = m->layers[l - 1].units, inputs = l > 1 ? m->layers[l - 2].units : m->data.features;
    for (int64_t i = 0; i < units * inputs; i++)
        W[i] = ((double)(dt_philox(seed, DT_FOR_TEST, 20 + (uint64_t)l, (uint64_t)i).u[0] % 3) - 1) *
               (to_softmax ? 0x1p-6 : 1);
    for (int64_t j = 0; j < units; j++) {
        const dt_random128 r = dt_philox(seed, DT_FOR_TEST, 30 + (uint64_t)l, (uint64_t)j);
        b[j] = ((double)(r.u[0] % 9) - 4) / 4 + (seed % 2 || r.u[1] % 3 ? 0 : r.u[1] % 2 ? 0x1p-14 : -0x1p-14);
    }
}

static void count_kinks(const small *m, const dt_network_circuit *n, int64_t y)
{
    const int64_t L = dt_network_circuit_layers(n);
    for (int64_t l = 1; l < L && strstr(m->layers[l - 1].activation, "relu"); l++)
        for (int64_t j = 0; j < dt_network_circuit_units(n, l); j++) {
            const double z = value(dt_network_circuit_z(n, l, j));
            on_the_kink += z == 0;
            beside_it += z != 0 && fabs(z) <= 0x1p-13;
        }
    for (int64_t j = 0; j < dt_network_circuit_units(n, L) && strcmp(m->experiment.loss, "multiclass_svm") == 0; j++)
        zero_margins += j != y && value(dt_network_circuit_z(n, L, j)) - value(dt_network_circuit_z(n, L, y)) + 1 == 0;
}

static void test_at_kinks(void **state)
{
    (void)state;
    static small m;
    static const char *const kinked[] = {"relu", "leaky_relu", "linear"};
    on_the_kink = beside_it = zero_margins = 0;
    for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
        tally total = {0};
        const clock_t since = clock();
        for (uint64_t seed = 1; seed <= 180; seed++) {
            tally t = {0};
            const char *activation = kinked[seed % 3];
            const int64_t layers = strcmp(activation, "leaky_relu") == 0 ? 2 : 3; /* 0.01 z is not exact any more */
            const int64_t units[] = {3, 9, layers == 2 ? 5 : 8, 6};
            small_make(&m, seed, 6, units, layers, activation);
            for (int64_t i = 0; i < 6 * units[0]; i++)
                m.inputs[i] = (double)lrint(4 * m.inputs[i]) / 4;
            m.experiment.training.batch_size = 6;
            m.experiment.precision = (dt_precision)precision;
            m.experiment.loss = dt_table_at(DT_LOSSES, seed / 3 % 3)->name;
            check_network(&m, seed, coarse, count_kinks, &t);
            assert_agreed(&t, &m);
            merge(&total, &t);
        }
        print_message("at kinks, ");
        print_tally(dt_precision_name((dt_precision)precision), &total, since);
    }
    print_message("z exactly 0: %lld, within 2^-13 of it: %lld, margins exactly 0: %lld\n", (long long)on_the_kink,
                  (long long)beside_it, (long long)zero_margins);
    assert_true(on_the_kink > 100 && beside_it > 100 && zero_margins > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_networks_float32),
        cmocka_unit_test(test_random_networks_float64),
        cmocka_unit_test(test_targets_and_parameters),
        cmocka_unit_test(test_mixed_activations),
        cmocka_unit_test(test_at_kinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
