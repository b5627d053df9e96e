/* The values in capture.h5: against the derivation in plain double loops, from the captured weights and the inputs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <hdf5.h>
#include <hdf5_hl.h>

#include "capture_reading.h"
#include "scratch.h"
#include "small.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { ALL = (1u << DT_QUANTITIES) - 1 };

/* --- a run with several rules --- */

enum { LAYERS = 3, ROWS = 26, BATCH = 8, STEPS_PER_EPOCH = 4, EPOCHS = 3, STEPS = STEPS_PER_EPOCH * EPOCHS };
static const int64_t units[LAYERS + 1] = {7, 5, 4, 3};
static const char *const activations[LAYERS + 1] = {NULL, "tanh", "sigmoid", "linear"};
static const double learning_rate = 0.1, scale = 0.25;

static const int64_t probe_rows[] = {25, 0, 3}, probe_steps = 5;
static const int64_t picked_steps[] = {1, 7, 100}, picked_layers[] = {2, 0};

static void make_run(small *m, dt_precision precision, int64_t workers, dt_capture_rule rules[4])
{
    small_make(m, 11, ROWS, units, LAYERS, "tanh");
    m->layers[1].activation = activations[2];
    dt_experiment *e = &m->experiment;
    e->precision = precision;
    e->data.scale = scale;
    e->optimizer.learning_rate = learning_rate;
    e->training = (dt_training_spec){EPOCHS, BATCH, true};
    e->parallel.threads = workers;
    e->parallel.shard_size = 2;
    rules[0] = (dt_capture_rule){.name = "everything", .quantities = ALL, .every = 1, .samples = DT_SAMPLES_BATCH};
    rules[1] = (dt_capture_rule){.name = "first-3",
                                 .quantities = 1u << DT_QUANTITY_Z | 1u << DT_QUANTITY_DELTA,
                                 .steps_log = true,
                                 .samples = DT_SAMPLES_FIRST,
                                 .sample_count = 3};
    rules[2] = (dt_capture_rule){.name = "rows",
                                 .quantities = 1u << DT_QUANTITY_A | 1u << DT_QUANTITY_DELTA,
                                 .every = probe_steps,
                                 .samples = DT_SAMPLES_ROWS,
                                 .sample_count = COUNT(probe_rows),
                                 .sample_rows = probe_rows};
    rules[3] = (dt_capture_rule){.name = "picked",
                                 .quantities = 1u << DT_QUANTITY_A | 1u << DT_QUANTITY_DW,
                                 .layers = picked_layers,
                                 .layer_count = COUNT(picked_layers),
                                 .steps = picked_steps,
                                 .step_count = COUNT(picked_steps),
                                 .samples = DT_SAMPLES_FIRST,
                                 .sample_count = 64};
    e->capture = rules;
    e->capture_count = 4;
}

/* Trains; with `path`, captures. */
static void train(small *m, const char *path, char hex[65])
{
    dt_error error = {0};
    dt_trainer *t;
    dt_capture *capture = NULL;
    const dt_trainer_data data = small_data(m);
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    if (path && dt_capture_create(&capture, path, t, "name: small\n", "{\"by\": \"a test\"}\n", NULL, &error) != DT_OK)
        fail_msg("%s", error.message);
    if (dt_trainer_run(t, &error) != DT_OK)
        fail_msg("%s", error.message);
    if (capture && dt_capture_close(capture, "complete", &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(dt_trainer_weights_sha256(t, hex, &error), DT_OK);
    dt_trainer_destroy(t);
}

/* --- equations (1) to (6) --- */

static double sigma(const char *name, double z)
{
    return strcmp(name, "tanh") == 0 ? tanh(z) : strcmp(name, "sigmoid") == 0 ? 1 / (1 + exp(-z)) : z;
}

static double sigma_derivative(const char *name, double z)
{
    double a = sigma(name, z);
    return strcmp(name, "tanh") == 0 ? 1 - a * a : strcmp(name, "sigmoid") == 0 ? a * (1 - a) : 1;
}

/* One sample, one set of weights: everything the captured values must be. */
typedef struct pass {
    double z[LAYERS + 1][8], a[LAYERS + 1][8], delta[LAYERS + 1][8];
} pass;

static void run_pass(pass *p, const small *m, int64_t row, const table *W, const table *b, int64_t s)
{
    for (int64_t k = 0; k < units[0]; k++)
        p->a[0][k] = scale * m->inputs[row * units[0] + k];
    for (int64_t l = 1; l <= LAYERS; l++)
        for (int64_t j = 0; j < units[l]; j++) {
            p->z[l][j] = at(&b[l], s, j, 0);
            for (int64_t k = 0; k < units[l - 1]; k++)
                p->z[l][j] += at(&W[l], s, j, k) * p->a[l - 1][k];
            p->a[l][j] = sigma(activations[l], p->z[l][j]);
        }
    double sum = 0;
    for (int64_t j = 0; j < units[LAYERS]; j++)
        sum += exp(p->z[LAYERS][j]);
    for (int64_t j = 0; j < units[LAYERS]; j++) /* softmax and cross-entropy: (3) */
        p->delta[LAYERS][j] = exp(p->z[LAYERS][j]) / sum - (m->labels[row] == j);
    for (int64_t l = LAYERS - 1; l >= 1; l--)
        for (int64_t j = 0; j < units[l]; j++) {
            p->delta[l][j] = 0;
            for (int64_t k = 0; k < units[l + 1]; k++)
                p->delta[l][j] += p->delta[l + 1][k] * at(&W[l + 1], s, k, j);
            p->delta[l][j] *= sigma_derivative(activations[l], p->z[l][j]);
        }
}

static void assert_near(double value, double wanted, double tolerance, const char *what, int64_t l, int64_t s)
{
    if (!(fabs(value - wanted) <= tolerance * (1 + fabs(wanted))))
        fail_msg("%s of layer %lld at step %lld: %.17g, should be %.17g", what, (long long)l, (long long)s, value,
                 wanted);
}

typedef struct everything {
    table step, epoch, id, W[LAYERS + 1], b[LAYERS + 1], z[LAYERS + 1], a[LAYERS + 1], delta[LAYERS + 1],
        dW[LAYERS + 1], db[LAYERS + 1];
} everything;

static void read_everything(everything *e, hid_t file)
{
    *e = (everything){.step = read_table(file, "/everything/step"),
                      .epoch = read_table(file, "/everything/epoch"),
                      .id = read_table(file, "/everything/sample_id"),
                      .a[0] = read_table(file, "/everything/layer00/a")};
    for (int l = 1; l <= LAYERS; l++) {
        e->W[l] = read_table(file, "/everything/layer%02d/W", l);
        e->b[l] = read_table(file, "/everything/layer%02d/b", l);
        e->z[l] = read_table(file, "/everything/layer%02d/z", l);
        e->a[l] = read_table(file, "/everything/layer%02d/a", l);
        e->delta[l] = read_table(file, "/everything/layer%02d/delta", l);
        e->dW[l] = read_table(file, "/everything/layer%02d/dW", l);
        e->db[l] = read_table(file, "/everything/layer%02d/db", l);
    }
}

static void drop_everything(everything *e)
{
    drop(&e->step), drop(&e->epoch), drop(&e->id), drop(&e->a[0]);
    for (int l = 1; l <= LAYERS; l++)
        drop(&e->W[l]), drop(&e->b[l]), drop(&e->z[l]), drop(&e->a[l]), drop(&e->delta[l]), drop(&e->dW[l]),
            drop(&e->db[l]);
}

static int64_t batch_of(int64_t s)
{
    int64_t in_epoch = s % STEPS_PER_EPOCH;
    return in_epoch < STEPS_PER_EPOCH - 1 ? BATCH : ROWS - in_epoch * BATCH;
}

/* Steps, epochs, ids: each epoch shows every row once; what a short minibatch has not is -1 and NaN. */
static void check_indices(const everything *e)
{
    assert_int_equal(e->step.size[0], STEPS);
    assert_int_equal(e->id.size[1], BATCH);
    int seen[EPOCHS][ROWS] = {{0}};
    for (int64_t s = 0; s < STEPS; s++) {
        assert_true(at(&e->step, s, 0, 0) == (double)s);
        assert_true(at(&e->epoch, s, 0, 0) == (double)(s / STEPS_PER_EPOCH));
        for (int64_t i = 0; i < BATCH; i++) {
            if (i < batch_of(s)) {
                seen[s / STEPS_PER_EPOCH][(int)at(&e->id, s, i, 0)]++;
                continue;
            }
            assert_true(at(&e->id, s, i, 0) == -1);
            for (int l = 0; l <= LAYERS; l++)
                for (int64_t j = 0; j < units[l]; j++) {
                    assert_true(isnan(at(&e->a[l], s, i, j)));
                    assert_true(l == 0 || (isnan(at(&e->z[l], s, i, j)) && isnan(at(&e->delta[l], s, i, j))));
                }
        }
    }
    for (int epoch = 0; epoch < EPOCHS; epoch++)
        for (int row = 0; row < ROWS; row++)
            assert_int_equal(seen[epoch][row], 1);
}

/* The values of step s, from its own W and b; the sums of (5) and (6) over its samples. */
static void check_step(const everything *e, const small *m, int64_t s, double tolerance)
{
    double dW[LAYERS + 1][8][8] = {{{0}}}, db[LAYERS + 1][8] = {{0}};
    int64_t B = batch_of(s);
    for (int64_t i = 0; i < B; i++) {
        pass p;
        run_pass(&p, m, (int64_t)at(&e->id, s, i, 0), e->W, e->b, s);
        for (int64_t k = 0; k < units[0]; k++)
            assert_near(at(&e->a[0], s, i, k), p.a[0][k], tolerance, "a", 0, s);
        for (int64_t l = 1; l <= LAYERS; l++)
            for (int64_t j = 0; j < units[l]; j++) {
                assert_near(at(&e->z[l], s, i, j), p.z[l][j], tolerance, "z", l, s);
                assert_near(at(&e->a[l], s, i, j), p.a[l][j], tolerance, "a", l, s);
                assert_near(at(&e->delta[l], s, i, j), p.delta[l][j], tolerance, "delta", l, s);
                db[l][j] += p.delta[l][j] / (double)B;
                for (int64_t k = 0; k < units[l - 1]; k++)
                    dW[l][j][k] += p.delta[l][j] * p.a[l - 1][k] / (double)B;
            }
    }
    for (int64_t l = 1; l <= LAYERS; l++)
        for (int64_t j = 0; j < units[l]; j++) {
            assert_near(at(&e->db[l], s, j, 0), db[l][j], tolerance, "db", l, s);
            for (int64_t k = 0; k < units[l - 1]; k++)
                assert_near(at(&e->dW[l], s, j, k), dW[l][j][k], tolerance, "dW", l, s);
        }
}

/* W of the next step is W - lr dW of this one, to the last bit but one: the captured values are the step's own. */
static void check_update(const everything *e, int64_t s, double ulp)
{
    for (int64_t l = 1; l <= LAYERS; l++)
        for (int64_t j = 0; j < units[l]; j++) {
            assert_near(at(&e->b[l], s + 1, j, 0), at(&e->b[l], s, j, 0) - learning_rate * at(&e->db[l], s, j, 0),
                        2 * ulp, "b after the update", l, s);
            for (int64_t k = 0; k < units[l - 1]; k++)
                assert_near(at(&e->W[l], s + 1, j, k), at(&e->W[l], s, j, k) - learning_rate * at(&e->dW[l], s, j, k),
                            2 * ulp, "W after the update", l, s);
        }
}

/* Rule first-3: steps 0, 1, 2, 4, 8; the same values as in rule everything. */
static void check_first(const everything *e, hid_t file)
{
    static const int64_t steps[] = {0, 1, 2, 4, 8};
    table step = read_table(file, "/first-3/step"), id = read_table(file, "/first-3/sample_id");
    assert_int_equal(step.size[0], COUNT(steps));
    assert_true(H5Lexists(file, "/first-3/layer00", H5P_DEFAULT) == 0); /* a was not asked for */
    for (int l = 1; l <= LAYERS; l++) {
        table z = read_table(file, "/first-3/layer%02d/z", l), delta = read_table(file, "/first-3/layer%02d/delta", l);
        assert_int_equal(z.size[1], 3);
        for (size_t s = 0; s < COUNT(steps); s++)
            for (int i = 0; i < 3; i++)
                for (int64_t j = 0; j < units[l]; j++) {
                    assert_true(at(&step, (int64_t)s, 0, 0) == (double)steps[s]);
                    assert_true(at(&id, (int64_t)s, i, 0) == at(&e->id, steps[s], i, 0));
                    assert_true(at(&z, (int64_t)s, i, j) == at(&e->z[l], steps[s], i, j));
                    assert_true(at(&delta, (int64_t)s, i, j) == at(&e->delta[l], steps[s], i, j));
                }
        drop(&z), drop(&delta);
    }
    drop(&step), drop(&id);
}

/* Rule rows: the same rows at every fifth step, with that step's weights. */
static void check_rows(const everything *e, const small *m, hid_t file, double tolerance)
{
    table step = read_table(file, "/rows/step"), id = read_table(file, "/rows/sample_id"), a[LAYERS + 1],
          delta[LAYERS + 1];
    for (int l = 0; l <= LAYERS; l++)
        a[l] = read_table(file, "/rows/layer%02d/a", l);
    for (int l = 1; l <= LAYERS; l++)
        delta[l] = read_table(file, "/rows/layer%02d/delta", l);
    assert_int_equal(step.size[0], 3);
    assert_int_equal(id.size[1], COUNT(probe_rows));
    for (int64_t n = 0; n < 3; n++)
        for (int64_t i = 0; i < (int64_t)COUNT(probe_rows); i++) {
            pass p;
            assert_true(at(&step, n, 0, 0) == (double)(n * probe_steps));
            assert_true(at(&id, n, i, 0) == (double)probe_rows[i]);
            run_pass(&p, m, probe_rows[i], e->W, e->b, n * probe_steps);
            for (int l = 0; l <= LAYERS; l++)
                for (int64_t j = 0; j < units[l]; j++) {
                    assert_near(at(&a[l], n, i, j), p.a[l][j], tolerance, "a of a row", l, n * probe_steps);
                    if (l > 0)
                        assert_near(at(&delta[l], n, i, j), p.delta[l][j], tolerance, "delta of a row", l,
                                    n * probe_steps);
                }
        }
    for (int l = 0; l <= LAYERS; l++) {
        drop(&a[l]);
        if (l > 0)
            drop(&delta[l]);
    }
    drop(&step), drop(&id);
}

/* Rule picked: steps 1 and 7 (100 is never reached), layers 0 and 2, 64 samples clipped to the minibatch. */
static void check_picked(const everything *e, hid_t file)
{
    table step = read_table(file, "/picked/step"), x = read_table(file, "/picked/layer00/a"),
          a = read_table(file, "/picked/layer02/a"), dW = read_table(file, "/picked/layer02/dW");
    assert_int_equal(step.size[0], 2);
    assert_int_equal(a.size[1], BATCH);
    assert_true(H5Lexists(file, "/picked/layer01", H5P_DEFAULT) == 0 &&
                H5Lexists(file, "/picked/layer03", H5P_DEFAULT) == 0);
    assert_true(H5Lexists(file, "/picked/layer00/dW", H5P_DEFAULT) == 0);
    for (int64_t n = 0; n < 2; n++) {
        assert_true(at(&step, n, 0, 0) == (double)picked_steps[n]);
        for (int64_t j = 0; j < units[2]; j++) {
            for (int64_t i = 0; i < batch_of(picked_steps[n]); i++)
                assert_true(at(&a, n, i, j) == at(&e->a[2], picked_steps[n], i, j));
            for (int64_t k = 0; k < units[1]; k++)
                assert_true(at(&dW, n, j, k) == at(&e->dW[2], picked_steps[n], j, k));
        }
        for (int64_t i = 0; i < batch_of(picked_steps[n]); i++)
            for (int64_t k = 0; k < units[0]; k++)
                assert_true(at(&x, n, i, k) == at(&e->a[0], picked_steps[n], i, k));
    }
    drop(&step), drop(&x), drop(&a), drop(&dW);
}

/* --- what a reader of netCDF-4 and of attributes relies on --- */

static void check_scale(hid_t file, const char *set_name, const char *scale_name, unsigned dimension)
{
    hid_t set = H5Dopen2(file, set_name, H5P_DEFAULT), axis = H5Dopen2(file, scale_name, H5P_DEFAULT);
    assert_true(set >= 0 && axis >= 0);
    assert_true(H5DSis_scale(axis) > 0 && H5DSis_attached(set, axis, dimension) > 0);
    H5Dclose(axis);
    H5Dclose(set);
}

/* A coordinate counts from 0. */
static void check_axis(hid_t file, const char *name, int64_t count)
{
    table axis = read_table(file, "%s", name);
    assert_int_equal(axis.size[0], count);
    for (int64_t i = 0; i < count; i++)
        assert_true(at(&axis, i, 0, 0) == (double)i);
    drop(&axis);
}

static void check_attributes(hid_t file, const char *name, const char *equation)
{
    static const char *const names[] = {"long_name", "units", "equation", "scaling"};
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    assert_true(set >= 0);
    for (size_t i = 0; i < COUNT(names); i++) {
        char *text = read_text(set, names[i]);
        assert_true(text[0] != '\0');
        if (strcmp(names[i], "equation") == 0 && strncmp(text, equation, strlen(equation)) != 0)
            fail_msg("%s: equation %s, not %s", name, text, equation);
        H5free_memory(text);
    }
    H5Dclose(set);
}

static void check_description(hid_t file)
{
    assert_text(file, "format", "deltoid-capture");
    assert_text(file, "status", "complete");
    assert_text(file, "experiment", "name: small\n");
    assert_text(file, "provenance", "{\"by\": \"a test\"}\n");
    check_attributes(file, "/everything/layer00/a", "(1) a^0 = x");
    check_attributes(file, "/everything/layer01/W", "(1)");
    check_attributes(file, "/everything/layer01/b", "(1)");
    check_attributes(file, "/everything/layer01/z", "(1)");
    check_attributes(file, "/everything/layer01/a", "(2) a^l");
    check_attributes(file, "/everything/layer03/a", "(2) a^L_j = z^L_j");
    check_attributes(file, "/everything/layer01/delta", "(4)");
    check_attributes(file, "/everything/layer03/delta", "(3)");
    check_attributes(file, "/everything/layer02/dW", "(5)");
    check_attributes(file, "/everything/layer02/db", "(6)");
    check_attributes(file, "/everything/step", "none");
    check_attributes(file, "/everything/epoch", "none");
    check_attributes(file, "/everything/sample_id", "none");
    check_axis(file, "/everything/sample", BATCH);
    check_axis(file, "/everything/layer02/unit", units[2]);
    check_axis(file, "/everything/layer02/input", units[1]);
    check_scale(file, "/everything/layer02/z", "/everything/step", 0);
    check_scale(file, "/everything/layer02/z", "/everything/sample", 1);
    check_scale(file, "/everything/layer02/z", "/everything/layer02/unit", 2);
    check_scale(file, "/everything/layer02/dW", "/everything/step", 0);
    check_scale(file, "/everything/layer02/dW", "/everything/layer02/unit", 1);
    check_scale(file, "/everything/layer02/dW", "/everything/layer02/input", 2);
    check_scale(file, "/everything/layer02/db", "/everything/layer02/unit", 1);
    check_scale(file, "/everything/epoch", "/everything/step", 0);
    check_scale(file, "/everything/sample_id", "/everything/sample", 1);
}

static void check_run(dt_precision precision, double tolerance, double ulp)
{
    static small m;
    scratch files;
    dt_capture_rule rules[4];
    char hex[65];
    scratch_make(&files);
    make_run(&m, precision, 3, rules);
    const char *path = scratch_path(&files, "capture.h5");
    train(&m, path, hex);

    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    everything e;
    read_everything(&e, file);
    check_indices(&e);
    for (int64_t s = 0; s < STEPS; s++)
        check_step(&e, &m, s, tolerance);
    for (int64_t s = 0; s + 1 < STEPS; s++)
        check_update(&e, s, ulp);
    check_first(&e, file);
    check_rows(&e, &m, file, tolerance);
    check_picked(&e, file);
    check_description(file);
    drop_everything(&e);
    H5Fclose(file);
    assert_int_equal(scratch_files(&files), 2); /* and its folder */
    scratch_remove(&files);
}

static void test_float32_holds_the_steps_own_values(void **state)
{
    (void)state;
    check_run(DT_FLOAT32, 2e-5, 0x1p-24);
}

static void test_float64_holds_the_steps_own_values(void **state)
{
    (void)state;
    check_run(DT_FLOAT64, 1e-12, 0x1p-53);
}

static void test_watching_changes_no_bit(void **state)
{
    (void)state;
    static small m;
    scratch files;
    dt_capture_rule rules[4];
    char alone[65], watched[65], name[32];
    scratch_make(&files);
    make_run(&m, DT_FLOAT32, 1, rules);
    train(&m, NULL, alone);
    for (int workers = 1; workers <= 3; workers++) {
        make_run(&m, DT_FLOAT32, workers, rules);
        snprintf(name, sizeof name, "%d", workers);
        mkdir(scratch_path(&files, name), 0777);
        snprintf(name, sizeof name, "%d/capture.h5", workers);
        train(&m, scratch_path(&files, name), watched);
        assert_string_equal(watched, alone);
    }
    scratch_remove(&files);
}

int main(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float32_holds_the_steps_own_values),
        cmocka_unit_test(test_float64_holds_the_steps_own_values),
        cmocka_unit_test(test_watching_changes_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
