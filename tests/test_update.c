/* What enters a step besides the gradient: optimizers, clipping, dropout, noise, max_norm, l1 in whole runs. The same
 * bits for any team, strategy, instruction set and watcher; the steps of a plain loop; the memory that was planned. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/philox.h"
#include "base/split.h"
#include "counting_memory.h"
#include "small.h"

/* --- cases: every optimizer and schedule, alone and with everything --- */

typedef struct variation {
    const char *name;
    void (*change)(dt_experiment *e);
} variation;

static void nothing(dt_experiment *e)
{
    (void)e;
}

static void clipped(dt_experiment *e)
{
    e->optimizer.clip_norm = 0.5;
    e->optimizer.clip_value = 0.1;
}

static void dropped(dt_experiment *e)
{
    e->network[0].dropout = 0.5;
    e->network[1].dropout = 0.2;
    e->data.noise = 0.3;
}

static void everything(dt_experiment *e)
{
    clipped(e);
    dropped(e);
    e->optimizer.l1 = 1e-3;
    e->optimizer.weight_decay = 1e-2;
    e->network[0].max_norm = 0.8;
    e->network[2].max_norm = 0.5;
    e->schedule.warmup = 1.5;
}

static const variation variations[] = {
    {"plain", nothing}, {"clipped", clipped}, {"dropped", dropped}, {"everything", everything}};
enum { VARIATIONS = sizeof variations / sizeof *variations };

/* Two shapes: layers that go by units under `split`, a short last minibatch, and shards that don't divide it. */
static void make_case(small *m, size_t optimizer, int v, dt_precision precision, int64_t workers, const char *reduction)
{
    static const int64_t units[] = {20, 96, 64, 10}, milestones[] = {1, 2};
    const dt_entry *schedule = dt_table_at(DT_SCHEDULES, (optimizer + (size_t)v) % 8);
    small_make(m, 7, 100, units, 3, v % 2 ? "sigmoid" : "relu");
    dt_experiment *e = &m->experiment;
    e->precision = precision;
    dt_experiment_set_optimizer(e, dt_table_at(DT_OPTIMIZERS, optimizer)->name);
    dt_experiment_set_schedule(e, schedule->name);
    e->schedule.milestones = (dt_integers){milestones, 2};
    e->schedule.patience = 0;
    e->training.epochs = 3;
    e->training.batch_size = strcmp(e->optimizer.name, "rprop") == 0 ? 100 : 24;
    e->parallel = (dt_parallel_spec){workers, 7, reduction, 0};
    variations[v].change(e);
}

static void train_case(small *m, const dt_observer *observer, char hex[65])
{
    dt_error error = {0};
    dt_trainer *t;
    const dt_trainer_data data = small_data(m);
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    if (observer)
        assert_int_equal(dt_trainer_observe(t, observer, &error), DT_OK);
    if (dt_trainer_run(t, &error) != DT_OK)
        fail_msg("%s: %s", m->experiment.optimizer.name, error.message);
    assert_int_equal(dt_trainer_weights_sha256(t, hex, &error), DT_OK);
    dt_trainer_destroy(t);
}

static bool every_second(const void *self, int64_t step, int64_t epoch)
{
    (void)self, (void)epoch;
    return step % 2 == 1;
}

static void test_teams_and_strategies(void **state)
{
    (void)state;
    static small m;
    static const int64_t teams[] = {1, 2, 3, 5, 8};
    static const char *const reductions[] = {"tree", "owner", "split", "serial", "auto"};
    static const int64_t rows[] = {3, 0, 99};
    const dt_observer own = {.watches = every_second},
                      probe = {.probe_rows = rows, .probe_count = 3, .watches = every_second};
    int runs = 0;
    for (size_t o = 0; dt_table_at(DT_OPTIMIZERS, o); o++)
        for (int v = 0; v < VARIATIONS; v++)
            for (dt_precision precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
                char want[65], got[65];
                make_case(&m, o, v, precision, 1, "tree");
                train_case(&m, NULL, want);
                for (int t = 0; t < 5; t++)
                    for (int r = (t + v) % 2; r < 5; r += 2) { /* every pair of the two, in one case or another */
                        make_case(&m, o, v, precision, teams[t], reductions[r]);
                        train_case(&m, runs % 3 == 1 ? &own : runs % 3 == 2 ? &probe : NULL, got);
                        if (strcmp(got, want) != 0)
                            fail_msg("%s, %s, %s: %d workers, %s: other weights", m.experiment.optimizer.name,
                                     variations[v].name, dt_precision_name(precision), (int)teams[t], reductions[r]);
                        runs++;
                    }
            }
    print_message("%d runs: one hash for each experiment\n", runs);
}

/* Each changes the weights: none is without effect. */
static void test_variations_differ(void **state)
{
    (void)state;
    static small m;
    for (size_t o = 0; dt_table_at(DT_OPTIMIZERS, o); o++) {
        char hex[VARIATIONS][65];
        for (int v = 0; v < VARIATIONS; v++) {
            make_case(&m, o, 0, DT_FLOAT64, 1, "tree");
            variations[v].change(&m.experiment);
            train_case(&m, NULL, hex[v]);
            for (int w = 0; w < v; w++)
                if (strcmp(hex[v], hex[w]) == 0 && strcmp(m.experiment.optimizer.name, "rprop") != 0)
                    fail_msg("%s: %s and %s give the same weights", m.experiment.optimizer.name, variations[v].name,
                             variations[w].name);
        }
    }
}

/* In a child for each instruction set; it writes one hash over all. */
static void test_instruction_sets(void **state)
{
    (void)state;
    static const char *const isas[] = {"generic", "avx2", "avx512"};
    char first[65 * 80] = "";
    for (int k = 0; k < 3; k++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        fflush(NULL);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            static small m;
            dt_error error = {0};
            setenv("DELTOID_ISA", isas[k], 1);
            for (size_t o = 0; dt_table_at(DT_OPTIMIZERS, o); o++)
                for (int v = 0; v < VARIATIONS; v++)
                    for (int p = 0; p < 2; p++) {
                        char hex[65];
                        dt_trainer *t;
                        make_case(&m, o, v, (dt_precision)p, 1, "tree");
                        const dt_trainer_data data = small_data(&m);
                        const dt_status status = dt_trainer_create(&t, &m.experiment, &data, &error);
                        if (status == DT_UNSUPPORTED)
                            _exit(0);
                        if (status != DT_OK || dt_trainer_run(t, &error) != DT_OK ||
                            dt_trainer_weights_sha256(t, hex, &error) != DT_OK || write(ends[1], hex, 64) != 64)
                            _exit(1);
                        dt_trainer_destroy(t);
                    }
            _exit(0);
        }
        close(ends[1]);
        static char got[sizeof first];
        size_t n = 0;
        ssize_t more;
        while ((more = read(ends[0], got + n, sizeof got - 1 - n)) > 0)
            n += (size_t)more;
        close(ends[0]);
        got[n] = '\0';
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        if (k == 0)
            memcpy(first, got, sizeof first);
        else if (n)
            assert_string_equal(got, first);
        print_message("%s: %s\n", isas[k], n ? "the same weights" : "not on this processor");
    }
}

/* --- against a plain loop --- */

enum { FEATURES = 6, HIDDEN = 5, CLASSES = 4, ROWS = 23, BATCH = 7, STEPS = 40 };

typedef struct plain {
    double W1[HIDDEN][FEATURES], b1[HIDDEN], W2[CLASSES][HIDDEN], b2[CLASSES];
} plain;

/* What a step showed: samples, masked a, inputs. */
typedef struct shown {
    int64_t batch[STEPS], sample[STEPS][BATCH];
    double x[STEPS][BATCH][FEATURES], a[STEPS][BATCH][HIDDEN], delta[STEPS][BATCH][HIDDEN];
    plain g[STEPS], W[STEPS];
} shown;

static bool always(const void *self, int64_t step, int64_t epoch)
{
    (void)self, (void)step, (void)epoch;
    return true;
}

static void show_begin(void *self, const dt_step_view *view)
{
    shown *s = self;
    s->batch[view->step] = view->batch;
    memcpy(s->sample[view->step], view->sample_id, (size_t)view->batch * sizeof *view->sample_id);
}

static void show_rows(dt_matrix_view m, int64_t first, double *to)
{
    for (int64_t i = 0; i < m.rows; i++)
        for (int64_t j = 0; j < m.columns; j++)
            to[(first + i) * m.columns + j] = ((const double *)m.data)[i * m.stride + j];
}

static void show_samples(void *self, const dt_step_view *view, int64_t first, int64_t count)
{
    shown *s = self;
    show_rows(dt_step_samples(view, DT_QUANTITY_A, 0, first, count), first, s->x[view->step][0]);
    show_rows(dt_step_samples(view, DT_QUANTITY_A, 1, first, count), first, s->a[view->step][0]);
    show_rows(dt_step_samples(view, DT_QUANTITY_DELTA, 1, first, count), first, s->delta[view->step][0]);
}

static void show_slice(void *self, const dt_step_view *view, const dt_slice *slice)
{
    shown *s = self;
    plain *g = &s->g[view->step], *W = &s->W[view->step];
    dt_step_copy_slice(view, DT_QUANTITY_DW, 1, slice, g->W1);
    dt_step_copy_slice(view, DT_QUANTITY_DB, 1, slice, g->b1);
    dt_step_copy_slice(view, DT_QUANTITY_DW, 2, slice, g->W2);
    dt_step_copy_slice(view, DT_QUANTITY_DB, 2, slice, g->b2);
    dt_step_copy_slice(view, DT_QUANTITY_W, 1, slice, W->W1);
    dt_step_copy_slice(view, DT_QUANTITY_B, 1, slice, W->b1);
    dt_step_copy_slice(view, DT_QUANTITY_W, 2, slice, W->W2);
    dt_step_copy_slice(view, DT_QUANTITY_B, 2, slice, W->b2);
}

/* A tanh layer with mask[i][j], a linear one, softmax, in plain loops and libm: cost, and gradient unless g is NULL. */
static double plain_cost(const plain *p, int64_t batch, double x[][FEATURES], const int32_t *y, double mask[][HIDDEN],
                         plain *g)
{
    double cost = 0;
    if (g)
        memset(g, 0, sizeof *g);
    for (int64_t i = 0; i < batch; i++) {
        double a[HIDDEN], delta[CLASSES], sum = 0;
        for (int j = 0; j < HIDDEN; j++) {
            double z = p->b1[j];
            for (int k = 0; k < FEATURES; k++)
                z += p->W1[j][k] * x[i][k];
            a[j] = tanh(z);
        }
        for (int j = 0; j < CLASSES; j++) {
            double z = p->b2[j];
            for (int k = 0; k < HIDDEN; k++)
                z += p->W2[j][k] * a[k] * mask[i][k];
            sum += delta[j] = exp(z);
        }
        cost -= log(delta[y[i]] / sum) / (double)batch;
        for (int j = 0; j < CLASSES && g; j++) {
            delta[j] = (delta[j] / sum - (j == y[i])) / (double)batch;
            g->b2[j] += delta[j];
            for (int k = 0; k < HIDDEN; k++)
                g->W2[j][k] += delta[j] * a[k] * mask[i][k];
        }
        for (int j = 0; j < HIDDEN && g; j++) {
            double back = 0;
            for (int o = 0; o < CLASSES; o++)
                back += delta[o] * p->W2[o][j];
            back *= mask[i][j] * (1 - a[j] * a[j]);
            g->b1[j] += back;
            for (int k = 0; k < FEATURES; k++)
                g->W1[j][k] += back * x[i][k];
        }
    }
    return cost;
}

/* The mask as the documentation has it: word u / 16 % 4 of counter u / 64 * 16 + u % 16. */
static double documented_mask(uint64_t seed, int64_t step, int64_t l, int64_t i, int64_t u, double p)
{
    const uint64_t index = (uint64_t)step << 38 | (uint64_t)i << 18 | (uint64_t)(u / 64 * 16 + u % 16);
    const dt_random128 r = dt_philox(seed, DT_FOR_DROPOUT, (uint64_t)l, index);
    const int word = (int)(u / 16 % 4);
    const uint32_t bits = (uint32_t)(r.u[word / 2] >> (word % 2 * 32));
    return bits < (uint32_t)(p * 0x1p32) ? 0 : 1 / (1 - p);
}

static void make_plain(small *m, int64_t workers)
{
    static const int64_t units[] = {FEATURES, HIDDEN, CLASSES};
    small_make(m, 3, ROWS, units, 2, "tanh");
    dt_experiment *e = &m->experiment;
    e->precision = DT_FLOAT64;
    e->training = (dt_training_spec){10, BATCH, true};
    e->optimizer.learning_rate = 0.3;
    e->parallel = (dt_parallel_spec){workers, 2, "tree", 0};
}

static void run_plain(small *m, shown *s, plain *last)
{
    dt_error error = {0};
    dt_trainer *t;
    const dt_trainer_data data = small_data(m);
    const dt_observer o = {
        .self = s, .watches = always, .begin = show_begin, .samples = show_samples, .slice = show_slice};
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(dt_trainer_observe(t, &o, &error), DT_OK);
    assert_int_equal(dt_trainer_run(t, &error), DT_OK);
    dt_trainer_weights(t, 1, last->W1, last->b1);
    dt_trainer_weights(t, 2, last->W2, last->b2);
    dt_trainer_destroy(t);
}

static void assert_near(const plain *got, const plain *want, const char *what, int step)
{
    const double *a = (const double *)got, *b = (const double *)want;
    for (size_t i = 0; i < sizeof *got / sizeof *a; i++)
        if (!(fabs(a[i] - b[i]) <= 1e-12))
            fail_msg("%s of step %d: number %zu is %.17g, not %.17g", what, step, i, a[i], b[i]);
}

/* Dropout and noise: the documented mask, and with it the gradient of the cost; backward has the mask of forward. */
static void test_dropout_is_documented(void **state)
{
    (void)state;
    static small m;
    static shown s;
    plain last, g;
    make_plain(&m, 2);
    m.layers[0].dropout = 0.4;
    m.experiment.data.noise = 0.2;
    m.experiment.data.scale = 0.5;
    run_plain(&m, &s, &last);
    double noise = 0, squares = 0;
    int n = 0, zeros = 0, units = 0;
    for (int step = 0; step < STEPS; step++) {
        double mask[BATCH][HIDDEN];
        int32_t y[BATCH];
        for (int64_t i = 0; i < s.batch[step]; i++) {
            y[i] = m.labels[s.sample[step][i]];
            for (int j = 0; j < HIDDEN; j++) {
                mask[i][j] = documented_mask(m.experiment.seed, step, 1, i, j, 0.4);
                assert_true((s.a[step][i][j] == 0) == (mask[i][j] == 0)); /* captured a is masked */
                assert_true(mask[i][j] != 0 || s.delta[step][i][j] == 0);
                zeros += mask[i][j] == 0;
                units++;
            }
            for (int k = 0; k < FEATURES; k++, n++) {
                const double e = (s.x[step][i][k] - 0.5 * m.inputs[s.sample[step][i] * FEATURES + k]) / 0.2;
                noise += e;
                squares += e * e;
            }
        }
        plain_cost(&s.W[step], s.batch[step], s.x[step], y, mask, &g);
        assert_near(&s.g[step], &g, "gradient", step);
        /* and it is the gradient of that cost: one weight, by a central difference */
        plain up = s.W[step], down = s.W[step];
        up.W1[step % HIDDEN][step % FEATURES] += 1e-6;
        down.W1[step % HIDDEN][step % FEATURES] -= 1e-6;
        const double difference = (plain_cost(&up, s.batch[step], s.x[step], y, mask, NULL) -
                                   plain_cost(&down, s.batch[step], s.x[step], y, mask, NULL)) /
                                  2e-6;
        assert_true(fabs(difference - s.g[step].W1[step % HIDDEN][step % FEATURES]) < 1e-8);
    }
    assert_true(fabs((double)zeros / units - 0.4) < 0.05);
    assert_true(fabs(noise / n) < 0.1 && fabs(squares / n - 1) < 0.15);
}

/* Clipping: each step from the shown gradient, which isn't clipped itself. */
static void test_clipping(void **state)
{
    (void)state;
    static small m;
    static shown s;
    for (int workers = 1; workers <= 3; workers += 2) {
        plain last;
        int clipped_steps = 0;
        make_plain(&m, workers);
        m.experiment.optimizer.clip_norm = 0.3;
        m.experiment.optimizer.clip_value = 0.1;
        run_plain(&m, &s, &last);
        for (int step = 0; step < STEPS; step++) {
            const double *g = (const double *)&s.g[step], *W = (const double *)&s.W[step];
            double squares = 0;
            plain want;
            for (size_t i = 0; i < sizeof want / sizeof *g; i++)
                squares += g[i] * g[i];
            const double factor = fmin(1, 0.3 / (sqrt(squares) + 1e-6));
            clipped_steps += factor < 1;
            for (size_t i = 0; i < sizeof want / sizeof *g; i++)
                ((double *)&want)[i] = W[i] - 0.3 * fmax(-0.1, fmin(0.1, g[i] * factor));
            assert_near(step + 1 < STEPS ? &s.W[step + 1] : &last, &want, "clipped weights", step);
        }
        assert_true(clipped_steps > 0);
    }
}

/* No unit's weights are longer than max_norm after a step; those of shorter ones are what the step made of them. */
static void test_max_norm(void **state)
{
    (void)state;
    static small m;
    static shown s;
    plain last;
    int cut = 0;
    make_plain(&m, 2);
    m.layers[0].max_norm = 0.9;
    run_plain(&m, &s, &last);
    for (int step = 0; step < STEPS; step++) {
        plain want = s.W[step];
        for (size_t i = 0; i < sizeof want / sizeof(double); i++)
            ((double *)&want)[i] -= 0.3 * ((const double *)&s.g[step])[i];
        for (int j = 0; j < HIDDEN; j++) {
            double squares = 0;
            for (int k = 0; k < FEATURES; k++)
                squares += want.W1[j][k] * want.W1[j][k];
            cut += sqrt(squares) > 0.9;
            for (int k = 0; k < FEATURES && sqrt(squares) > 0.9; k++)
                want.W1[j][k] *= 0.9 / sqrt(squares);
        }
        assert_near(step + 1 < STEPS ? &s.W[step + 1] : &last, &want, "weights", step);
    }
    assert_true(cut > 0 && cut < STEPS * HIDDEN);
}

/* lamb and lars in the engine: a ratio for each of W^1, b^1, W^2, b^2. */
static void test_layerwise(void **state)
{
    (void)state;
    static small m;
    static shown s;
    plain last;
    make_plain(&m, 3);
    dt_experiment_set_optimizer(&m.experiment, "lars");
    m.experiment.optimizer.momentum = 0;
    m.experiment.optimizer.weight_decay = 0.01;
    m.experiment.optimizer.trust_coefficient = 0.1;
    run_plain(&m, &s, &last);
    static const size_t ends[] = {0, HIDDEN * FEATURES, HIDDEN * (FEATURES + 1),
                                  HIDDEN * (FEATURES + 1) + CLASSES * HIDDEN,
                                  HIDDEN * (FEATURES + 1) + CLASSES * (HIDDEN + 1)};
    for (int step = 0; step < STEPS; step++) {
        const double *g = (const double *)&s.g[step], *W = (const double *)&s.W[step];
        plain want;
        for (int part = 0; part < 4; part++) {
            double W2 = 0, g2 = 0;
            for (size_t i = ends[part]; i < ends[part + 1]; i++) {
                W2 += W[i] * W[i];
                g2 += g[i] * g[i];
            }
            const double trust = W2 > 0 && g2 > 0 ? 0.1 * sqrt(W2) / (sqrt(g2) + 0.01 * sqrt(W2)) : 1;
            for (size_t i = ends[part]; i < ends[part + 1]; i++)
                ((double *)&want)[i] = W[i] - 0.01 * trust * (g[i] + 0.01 * W[i]);
        }
        assert_near(step + 1 < STEPS ? &s.W[step + 1] : &last, &want, "weights", step);
    }
}

/* --- evaluation, memory, refusals, the plateau's state --- */

/* Evaluation has no dropout and no noise: the same as of an experiment without, with the same weights. */
static void test_evaluation_is_whole(void **state)
{
    (void)state;
    static small m, without;
    dt_error error = {0};
    dt_trainer *t, *u;
    plain p;
    dt_evaluation a, b;
    make_plain(&m, 2);
    make_plain(&without, 2);
    m.layers[0].dropout = 0.5;
    m.experiment.data.noise = 1;
    const dt_trainer_data data = small_data(&m), other = small_data(&without);
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
    assert_int_equal(dt_trainer_create(&u, &without.experiment, &other, &error), DT_OK);
    assert_int_equal(dt_trainer_steps(t, 5, &error), DT_OK);
    for (int l = 1; l <= 2; l++) {
        dt_trainer_weights(t, l, p.W1, p.b1);
        dt_trainer_set_weights(u, l, p.W1, p.b1);
    }
    assert_int_equal(dt_trainer_evaluate(t, &m.data, &a, NULL, &error), DT_OK);
    assert_int_equal(dt_trainer_evaluate(u, &m.data, &b, NULL, &error), DT_OK);
    assert_true(a.loss == b.loss && a.accuracy == b.accuracy);
    dt_trainer_destroy(t);
    dt_trainer_destroy(u);
}

static void test_state_names(void **state)
{
    (void)state;
    static small m;
    dt_error error = {0};
    dt_trainer *t;
    static const char *const names[] = {"square_avg", "grad_avg", NULL};
    make_plain(&m, 2);
    dt_experiment_set_optimizer(&m.experiment, "rmsprop");
    m.experiment.optimizer.centered = true;
    const dt_trainer_data data = small_data(&m);
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
    for (int i = 0; i < 2; i++)
        assert_string_equal(dt_trainer_state_name(t, i), names[i]);
    assert_null(dt_trainer_state_name(t, 2));
    assert_int_equal(dt_trainer_steps(t, 1, &error), DT_OK);
    plain square, mean;
    dt_trainer_state(t, 0, 1, square.W1, square.b1);
    dt_trainer_state(t, 1, 1, mean.W1, mean.b1);
    for (int j = 0; j < HIDDEN; j++) /* after one step: (1 - rho) g^2 and (1 - rho) g */
        assert_true(fabs(square.b1[j] - mean.b1[j] * mean.b1[j] / 0.01) < 1e-12 && square.b1[j] > 0);
    dt_trainer_destroy(t);
}

static void test_refusals(void **state)
{
    (void)state;
    static small m;
    dt_error error = {0};
    dt_trainer *t;
    make_plain(&m, 2);
    dt_experiment_set_optimizer(&m.experiment, "rprop");
    const dt_trainer_data data = small_data(&m);
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_INVALID);
    assert_string_equal(error.message, "optimizer.name: rprop goes by the signs of the whole training set's gradient; "
                                       "set training.batch_size to its 23 rows, or use another optimizer");
    m.experiment.training.batch_size = 1000;
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
    dt_trainer_destroy(t);
}

typedef struct rates {
    double rate[10], loss[10];
} rates;

static dt_status keep_rate(void *self, const dt_epoch_report *report, dt_error *error)
{
    rates *r = self;
    (void)error;
    r->rate[report->epoch - 1] = report->learning_rate;
    r->loss[report->epoch - 1] = report->train_loss;
    return DT_OK;
}

/* The learning rate that is reported; the plateau's state in and out. */
static void test_reported_rates(void **state)
{
    (void)state;
    static small m;
    dt_error error = {0};
    dt_trainer *t;
    rates r;
    const dt_observer o = {.self = &r, .epoch = keep_rate};
    for (int plateau = 0; plateau < 2; plateau++) {
        make_plain(&m, 2);
        dt_experiment_set_schedule(&m.experiment, plateau ? "reduce_on_plateau" : "cosine");
        m.experiment.schedule.patience = 0;
        m.experiment.schedule.threshold = 0.5;
        const dt_trainer_data data = small_data(&m);
        assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
        assert_int_equal(dt_trainer_observe(t, &o, &error), DT_OK);
        assert_int_equal(dt_trainer_run(t, &error), DT_OK);
        double best = INFINITY, rate = 0.3;
        for (int epoch = 0; epoch < 10; epoch++) {
            const double last = 0.15 * (1 + cos(acos(-1) * (epoch * 4 + 3) / 40)); /* of the epoch's last step */
            assert_true(fabs(r.rate[epoch] - (plateau ? rate : last)) < 1e-15);
            if (r.loss[epoch] < best / 2)
                best = r.loss[epoch];
            else if (rate > 1.2e-8)
                rate *= 0.1;
        }
        dt_trainer_position p;
        dt_trainer_position_of(t, &p);
        const dt_schedule_state s = p.schedule;
        assert_true(plateau ? s.best == best && fabs(s.factor * 0.3 - rate) < 1e-15 : s.factor == 1 && isinf(s.best));
        p.schedule.factor = 0.25;
        assert_int_equal(dt_trainer_set_position(t, &p, &error), DT_OK);
        dt_trainer_position_of(t, &p);
        assert_true(p.schedule.factor == 0.25);
        p.schedule.factor = 0;
        assert_int_equal(dt_trainer_set_position(t, &p, &error), DT_INVALID);
        dt_trainer_destroy(t);
    }
}

static bool watches_always(const void *self, int64_t step, int64_t epoch)
{
    return always(self, step, epoch);
}

/* Memory is as planned, with states, a kept gradient, norms and masks; and a step allocates nothing. */
static void test_memory(void **state)
{
    (void)state;
    static small m;
    static counting_memory counted;
    dt_error error = {0};
    const dt_observer o = {.watches = watches_always};
    for (size_t k = 0; dt_table_at(DT_OPTIMIZERS, k); k++)
        for (int v = 0; v < VARIATIONS; v++) {
            dt_trainer *t;
            dt_trainer_info info;
            dt_capture_rule rule = {.name = "all", .quantities = 1u << DT_QUANTITY_DW, .every = 1, .sample_count = 1};
            make_case(&m, k, v, DT_FLOAT32, 2, "tree");
            if (v % 2) {
                m.experiment.capture = &rule;
                m.experiment.capture_count = 1;
            }
            const dt_trainer_data data = small_data(&m);
            assert_int_equal(dt_trainer_plan(&m.experiment, &data, &info, &error), DT_OK);
            count_memory(&counted, 0);
            dt_status status = dt_trainer_create(&t, &m.experiment, &data, &error);
            if (status == DT_OK && v % 2)
                status = dt_trainer_observe(t, &o, &error);
            if (status == DT_OK)
                status = dt_trainer_steps(t, 1, &error);
            const long calls = counted.calls;
            if (status == DT_OK)
                status = dt_trainer_steps(t, 2, &error);
            const long more = counted.calls - calls;
            const size_t bytes = counted.bytes;
            if (status == DT_OK)
                dt_trainer_destroy(t);
            count_no_more();
            if (status != DT_OK)
                fail_msg("%s", error.message);
            assert_int_equal(more, 0);
            assert_int_equal(counted.blocks, 0);
            const size_t planned = info.parameter_bytes + 2 * info.bytes_per_worker + info.activation_bytes;
            if (bytes < planned || bytes > planned + (64 << 10))
                fail_msg("%s, %s: %zu bytes, planned %zu", m.experiment.optimizer.name, variations[v].name, bytes,
                         planned);
        }
}

/* Every allocation of a trainer with everything may fail. */
static void test_allocations_fail(void **state)
{
    (void)state;
    static small m;
    static counting_memory counted;
    long failed = 0;
    for (bool done = false; !done; failed++) {
        dt_error error = {0};
        dt_trainer *t = NULL;
        make_case(&m, 8, 3, DT_FLOAT32, 2, "tree");
        const dt_trainer_data data = small_data(&m);
        count_memory(&counted, failed + 1);
        const dt_status status = dt_trainer_create(&t, &m.experiment, &data, &error);
        done = status == DT_OK;
        dt_trainer_destroy(t);
        count_no_more();
        assert_true(done || status == DT_NO_MEMORY);
        assert_int_equal(counted.blocks, 0);
    }
    assert_true(failed > 20);
}

int main(void)
{
    unsetenv("DELTOID_ISA");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instruction_sets), /* first: no threads before a fork */
        cmocka_unit_test(test_teams_and_strategies),
        cmocka_unit_test(test_variations_differ),
        cmocka_unit_test(test_dropout_is_documented),
        cmocka_unit_test(test_clipping),
        cmocka_unit_test(test_max_norm),
        cmocka_unit_test(test_layerwise),
        cmocka_unit_test(test_evaluation_is_whole),
        cmocka_unit_test(test_state_names),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_reported_rates),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
