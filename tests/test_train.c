/* The trainer as a whole: the same bits for any team, strategy, instruction set and watcher; the steps of a plain loop;
 * nothing allocated in a step; every allocation may fail. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "counting_memory.h"
#include "small.h"

/* --- the same bits --- */

/* Odd shapes, and the first 16 digits of the weights' SHA-256 after 12 epochs: on every machine, build and team. A
 * change here is a change of everybody's results. */
static const struct {
    const char *name, *activation, *loss;
    int64_t units[5], layers, rows, batch, shard;
    dt_precision precision;
    double momentum;
    const char *sha256;
} shapes[] = {
    {"units 33-7", "relu", "cross_entropy", {20, 33, 7, 10}, 3, 200, 61, 5, DT_FLOAT32, 0.9, "0b91a505bfaed0c5"},
    {"units 1", "sigmoid", "squared_error", {20, 1, 7}, 2, 200, 100, 1, DT_FLOAT32, 0, "9de884f2fd53b419"},
    {"units 16", "tanh", "cross_entropy", {33, 16, 32, 10}, 3, 200, 100, 16, DT_FLOAT32, 0, "f7c1e42654cf0582"},
    {"batch 1", "softsign", "multiclass_svm", {50, 64, 10}, 2, 40, 1, 0, DT_FLOAT32, 0.5, "4069326111823bf4"},
    {"float64", "leaky_relu", "cross_entropy", {20, 33, 7, 10}, 3, 200, 61, 5, DT_FLOAT64, 0.9, "55e042fb2d7a509c"},
    {"float64 units 9", "sigmoid", "cross_entropy", {9, 5, 8, 3}, 3, 150, 37, 3, DT_FLOAT64, 0, "2a02fbbd0924bf55"},
    {"by units", "relu", "cross_entropy", {20, 96, 64, 10}, 3, 100, 24, 7, DT_FLOAT32, 0, "1732fae074a4fa76"},
    {"by units, momentum", "tanh", "squared_error", {33, 150, 9}, 2, 90, 8, 3, DT_FLOAT64, 0.9, "669195fb86cfc3ff"},
    {"shards auto", "relu", "cross_entropy", {17, 40, 12}, 2, 256, 128, 0, DT_FLOAT32, 0, "dffdedabfdd7a0d0"},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* More workers than processors included. Under ThreadSanitizer, where a barrier of many costs a hundred times as much,
 * fewer. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FEWER_TEAMS
#endif
#endif
#if defined(FEWER_TEAMS)
static const int64_t teams[] = {1, 2, 3};
#else
static const int64_t teams[] = {1, 2, 3, 5, 8, 16};
#endif
enum { TEAMS = sizeof teams / sizeof *teams };

static void make_shape(small *m, int i, int64_t workers, const char *reduction)
{
    small_make(m, 7, shapes[i].rows, shapes[i].units, shapes[i].layers, shapes[i].activation);
    dt_experiment *e = &m->experiment;
    e->precision = shapes[i].precision;
    e->loss = shapes[i].loss;
    e->optimizer.learning_rate = 0.05;
    e->optimizer.momentum = shapes[i].momentum;
    e->optimizer.weight_decay = shapes[i].momentum > 0 ? 1e-3 : 0;
    e->training.epochs = 12;
    e->training.batch_size = shapes[i].batch;
    e->parallel = (dt_parallel_spec){workers, shapes[i].shard, reduction, 0};
}

static void train_shape(small *m, const dt_observer *observer, char hex[65])
{
    dt_error error = {0};
    dt_trainer *t;
    const dt_trainer_data data = small_data(m);
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    if (observer)
        assert_int_equal(dt_trainer_observe(t, observer, &error), DT_OK);
    if (dt_trainer_run(t, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(dt_trainer_weights_sha256(t, hex, &error), DT_OK);
    dt_trainer_destroy(t);
}

/* What is planned for an experiment. */
static dt_trainer_info plan_of(small *m)
{
    dt_trainer_info info;
    dt_error error = {0};
    const dt_trainer_data data = small_data(m);
    if (dt_trainer_plan(&m->experiment, &data, &info, &error) != DT_OK)
        fail_msg("%s", error.message);
    return info;
}

/* The reductions whose bits don't depend on the team, by the table. */
static size_t deterministic(const char *names[16])
{
    static small m;
    const dt_entry *entry;
    size_t count = 0;
    for (size_t r = 0; (entry = dt_table_at(DT_REDUCTIONS, r)); r++) {
        make_shape(&m, 1, 2, entry->name);
        if (plan_of(&m).deterministic)
            names[count++] = entry->name;
        else
            assert_non_null(strstr(entry->note, "not reproducible"));
    }
    assert_in_range(count, 5, 16);
    return count;
}

static int shapes_trained;

static void check_shape(small *m, int i)
{
    char hex[65];
    shapes_trained++;
    const dt_parallel_spec *p = &m->experiment.parallel;
    train_shape(m, NULL, hex);
    if (strncmp(hex, shapes[i].sha256, 16) != 0)
        fail_msg("%s, %d workers in %d groups, %s: weights %.16s, not %s", shapes[i].name, (int)p->threads,
                 (int)p->groups, p->reduction, hex, shapes[i].sha256);
}

static void test_teams_and_strategies(void **state)
{
    (void)state;
    static small m;
    const char *names[16];
    const size_t count = deterministic(names);
    for (int i = 0; i < SHAPES; i++)
        for (int t = 0; t < TEAMS; t++)
            for (size_t r = 0; r < count; r++) {
                make_shape(&m, i, teams[t], names[r]);
                check_shape(&m, i);
            }
}

/* Tensor and hybrid parallelism: one group, uneven ones, more workers than shards, layers with fewer panels of units
 * than a group has members. */
static void test_groups(void **state)
{
    (void)state;
    static small m;
    static const int64_t groups[] = {1, 2, 3, 5};
    const char *names[16];
    const size_t count = deterministic(names);
    for (int i = 0; i < SHAPES; i++)
        for (int t = 0; t < TEAMS && teams[t] <= 8; t++)
            for (size_t g = 0; g < sizeof groups / sizeof *groups && groups[g] < teams[t]; g++)
                for (size_t r = 0; r < count; r++) {
                    make_shape(&m, i, teams[t], names[r]);
                    m.experiment.parallel.groups = groups[g];
                    assert_int_equal(plan_of(&m).groups, groups[g]);
                    check_shape(&m, i);
                }
    print_message("%d runs of %d experiments in all: one hash each\n", shapes_trained, SHAPES);
}

/* The instruction set is read once a process: each runs in a child. It writes the hashes of all shapes, or nothing
 * where this processor doesn't run it. */
static void hashes_of(const char *isa, char hex[SHAPES][65], bool *runs)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static small m;
        dt_error error = {0};
        dt_trainer *t;
        setenv("DELTOID_ISA", isa, 1);
        for (int i = 0; i < SHAPES; i++) {
            char own[65];
            make_shape(&m, i, 2, "tree");
            const dt_trainer_data data = small_data(&m);
            const dt_status status = dt_trainer_create(&t, &m.experiment, &data, &error);
            if (status != DT_OK)
                _exit(status == DT_UNSUPPORTED ? 0 : 1);
            if (dt_trainer_run(t, &error) != DT_OK || dt_trainer_weights_sha256(t, own, &error) != DT_OK ||
                write(ends[1], own, sizeof own) != sizeof own)
                _exit(1);
            dt_trainer_destroy(t);
        }
        _exit(0);
    }
    close(ends[1]);
    int got = 0;
    while (got < SHAPES && read(ends[0], hex[got], 65) == 65)
        got++;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(got == 0 || got == SHAPES);
    *runs = got == SHAPES;
}

static void test_instruction_sets(void **state)
{
    (void)state;
    static const char *const isas[] = {"generic", "avx2", "avx512"};
    for (int k = 0; k < 3; k++) {
        char hex[SHAPES][65];
        bool runs;
        hashes_of(isas[k], hex, &runs);
        assert_true(runs || k > 0);
        for (int i = 0; runs && i < SHAPES; i++)
            if (strncmp(hex[i], shapes[i].sha256, 16) != 0)
                fail_msg("%s, %s: weights %.16s, not %s", shapes[i].name, isas[k], hex[i], shapes[i].sha256);
        print_message("%s: %s\n", isas[k], runs ? "the same weights" : "not on this processor");
    }
}

/* --- watching --- */

typedef struct watcher {
    int64_t every;
    int begun, ended, progress;
    bool wrong;
} watcher;

static bool watches(const void *self, int64_t step, int64_t epoch)
{
    (void)epoch;
    return step % ((const watcher *)self)->every == 0;
}

static void begin(void *self, const dt_step_view *view)
{
    (void)view;
    ((watcher *)self)->begun++;
}

static void end(void *self, const dt_step_view *view)
{
    (void)view;
    ((watcher *)self)->ended++;
}

static void progress(void *self, int64_t done, int64_t total, double loss)
{
    watcher *w = self;
    w->progress++;
    w->wrong |= done != w->progress || done > total || !(loss >= 0);
}

/* `threads: auto` goes from all workers to one and back as it finds one or the other faster. */
static void test_workers_found_out(void **state)
{
    (void)state;
    static small m;
    static const int64_t units[] = {64, 400, 300, 10};
    static const char *const reductions[] = {"tree", "auto"};
    char want[65], got[65];
    for (int r = 0; r < 2; r++) {
        small_make(&m, 9, 240, units, 3, "relu");
        m.experiment.training = (dt_training_spec){.epochs = 8, .batch_size = 16, .shuffle = true};
        m.experiment.parallel = (dt_parallel_spec){1, 4, reductions[r], 0};
        train_shape(&m, NULL, want);
        m.experiment.parallel.threads = 0;
        for (int watched = 0; watched < 2; watched++) {
            watcher w = {.every = 3};
            const dt_observer o = {.self = &w, .watches = watches, .begin = begin, .end = end, .progress = progress};
            train_shape(&m, watched ? &o : NULL, got);
            assert_string_equal(got, want);
            assert_int_equal(w.progress, watched ? 8 * 15 : 0);
            assert_false(w.wrong);
        }
    }
}

static void test_watching_changes_nothing(void **state)
{
    (void)state;
    static small m;
    static const int64_t rows[] = {3, 0, 3, 199};
    for (int i = 0; i < 2; i++)
        for (int probe = 0; probe < 2; probe++)
            for (int t = 0; t < 3; t++) {
                char hex[65];
                watcher w = {.every = 1 + t};
                const dt_observer o = {.self = &w,
                                       .probe_rows = rows,
                                       .probe_count = probe ? 4 : 0,
                                       .watches = watches,
                                       .begin = begin,
                                       .end = end,
                                       .progress = progress};
                make_shape(&m, i, teams[t], t ? "tree" : "owner");
                train_shape(&m, &o, hex);
                assert_memory_equal(hex, shapes[i].sha256, 16);
                const int steps = (int)(12 * ((shapes[i].rows + shapes[i].batch - 1) / shapes[i].batch));
                assert_int_equal(w.progress, steps);
                assert_int_equal(w.begun, (steps + t) / (1 + t));
                assert_int_equal(w.ended, w.begun);
                assert_false(w.wrong);
            }
}

/* --- against a plain loop --- */

enum { FEATURES = 6, HIDDEN = 5, CLASSES = 4, ROWS = 23, BATCH = 7 };

typedef struct order {
    int64_t sample[64][BATCH], batch[64];
    int steps;
} order;

static bool always(const void *self, int64_t step, int64_t epoch)
{
    (void)self, (void)step, (void)epoch;
    return true;
}

static void keep_order(void *self, const dt_step_view *view)
{
    order *o = self;
    o->batch[view->step] = view->batch;
    memcpy(o->sample[view->step], view->sample_id, (size_t)view->batch * sizeof *view->sample_id);
    o->steps = (int)view->step + 1;
}

/* tanh layer, linear layer, softmax; sgd with Nesterov's momentum and weight decay, in plain loops and libm. */
typedef struct plain {
    double W1[HIDDEN][FEATURES], b1[HIDDEN], W2[CLASSES][HIDDEN], b2[CLASSES];
} plain;

static void plain_gradient(const plain *p, const small *m, const int64_t *sample, int64_t batch, plain *g)
{
    memset(g, 0, sizeof *g);
    for (int64_t i = 0; i < batch; i++) {
        const double *x = m->inputs + sample[i] * FEATURES;
        double a[HIDDEN], delta[CLASSES], sum = 0;
        for (int j = 0; j < HIDDEN; j++) {
            double z = p->b1[j];
            for (int k = 0; k < FEATURES; k++)
                z += p->W1[j][k] * x[k];
            a[j] = tanh(z);
        }
        for (int j = 0; j < CLASSES; j++) {
            double z = p->b2[j];
            for (int k = 0; k < HIDDEN; k++)
                z += p->W2[j][k] * a[k];
            sum += delta[j] = exp(z);
        }
        for (int j = 0; j < CLASSES; j++) {
            delta[j] = (delta[j] / sum - (j == m->labels[sample[i]])) / (double)batch;
            g->b2[j] += delta[j];
            for (int k = 0; k < HIDDEN; k++)
                g->W2[j][k] += delta[j] * a[k];
        }
        for (int j = 0; j < HIDDEN; j++) {
            double back = 0;
            for (int o = 0; o < CLASSES; o++)
                back += delta[o] * p->W2[o][j];
            back *= 1 - a[j] * a[j];
            g->b1[j] += back;
            for (int k = 0; k < FEATURES; k++)
                g->W1[j][k] += back * x[k];
        }
    }
}

static void test_plain_loop(void **state)
{
    (void)state;
    static small m;
    static order o;
    const int64_t units[] = {FEATURES, HIDDEN, CLASSES};
    const double rate = 0.3, momentum = 0.8, decay = 0.01;
    small_make(&m, 3, ROWS, units, 2, "tanh");
    m.experiment.precision = DT_FLOAT64;
    m.experiment.training = (dt_training_spec){10, BATCH, true};
    m.experiment.optimizer = (dt_optimizer_spec){
        .name = "sgd", .learning_rate = rate, .momentum = momentum, .nesterov = true, .weight_decay = decay};
    m.experiment.schedule = (dt_schedule_spec){.name = "step", .every = 4, .factor = 0.5};
    m.experiment.parallel = (dt_parallel_spec){2, 2, "tree", 0};
    dt_error error = {0};
    dt_trainer *t;
    const dt_trainer_data data = small_data(&m);
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
    plain p, g, v = {0};
    dt_trainer_weights(t, 1, p.W1, p.b1);
    dt_trainer_weights(t, 2, p.W2, p.b2);
    dt_trainer_observe(t, &(dt_observer){.self = &o, .watches = always, .begin = keep_order}, &error);
    assert_int_equal(dt_trainer_run(t, &error), DT_OK);
    assert_int_equal(o.steps, 40); /* 10 epochs of 3 full minibatches and one of 2 samples */
    double *W = (double *)&p, *dW = (double *)&g, *state_v = (double *)&v;
    for (int s = 0; s < o.steps; s++) {
        const double now = rate * pow(0.5, s / 4 / 4);
        assert_int_equal(o.batch[s], s % 4 == 3 ? 2 : BATCH);
        plain_gradient(&p, &m, o.sample[s], o.batch[s], &g);
        for (size_t i = 0; i < sizeof p / sizeof *W; i++) {
            const double d = dW[i] + decay * W[i];
            state_v[i] = momentum * state_v[i] + d;
            W[i] -= now * (d + momentum * state_v[i]);
        }
    }
    plain got;
    dt_trainer_weights(t, 1, got.W1, got.b1);
    dt_trainer_weights(t, 2, got.W2, got.b2);
    dt_trainer_destroy(t);
    for (size_t i = 0; i < sizeof p / sizeof *W; i++)
        assert_float_equal(((double *)&got)[i], W[i], 1e-11);
}

/* --- memory --- */

static struct {
    long calls, fail_at, outstanding;
} memory;

static void *counted(void *context, size_t alignment, size_t size)
{
    (void)context;
    void *p;
    if (__atomic_add_fetch(&memory.calls, 1, __ATOMIC_RELAXED) == memory.fail_at ||
        posix_memalign(&p, alignment, size) != 0)
        return NULL;
    __atomic_add_fetch(&memory.outstanding, 1, __ATOMIC_RELAXED);
    return p;
}

static void released(void *context, void *p)
{
    (void)context;
    __atomic_sub_fetch(&memory.outstanding, 1, __ATOMIC_RELAXED);
    free(p);
}

static void test_no_allocation_in_a_step(void **state)
{
    (void)state;
    static small m;
    dt_error error = {0};
    dt_trainer *t;
    dt_memory_hook(counted, released, NULL);
    make_shape(&m, 0, 3, "tree");
    const dt_trainer_data data = small_data(&m);
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
    watcher w = {.every = 2};
    dt_trainer_observe(t, &(dt_observer){.self = &w, .watches = watches, .begin = begin}, &error);
    assert_int_equal(dt_trainer_steps(t, 1, &error), DT_OK);
    const long before = memory.calls;
    assert_true(before > 0);
    assert_int_equal(dt_trainer_steps(t, 30, &error), DT_OK);
    assert_int_equal(memory.calls, before);
    dt_trainer_destroy(t);
    dt_memory_hook(NULL, NULL, NULL);
    assert_int_equal(memory.outstanding, 0);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    static small m;
    static const int64_t rows[] = {1, 2};
    long n = 0;
    dt_status status = DT_NO_MEMORY;
    dt_memory_hook(counted, released, NULL);
    for (n = 1; status != DT_OK; n++) {
        assert_true(n < 10000);
        memory.calls = 0;
        memory.fail_at = n;
        dt_error error = {0};
        dt_trainer *t = NULL;
        char hex[65];
        watcher w = {.every = 2};
        make_shape(&m, 0, 2, "tree");
        m.experiment.training.epochs = 1;
        m.experiment.data.validation_fraction = 0.2;
        dt_trainer_data data = small_data(&m);
        data.test = &m.data;
        status = dt_trainer_create(&t, &m.experiment, &data, &error);
        if (status == DT_OK)
            status = dt_trainer_observe(
                t, &(dt_observer){.self = &w, .probe_rows = rows, .probe_count = 2, .watches = watches}, &error);
        if (status == DT_OK)
            status = dt_trainer_run(t, &error);
        if (status == DT_OK)
            status = dt_trainer_weights_sha256(t, hex, &error);
        if (status != DT_OK)
            assert_int_equal(status, DT_NO_MEMORY);
        assert_true(status == DT_OK || error.message[0]);
        dt_trainer_destroy(t);
        assert_int_equal(memory.outstanding, 0);
    }
    dt_memory_hook(NULL, NULL, NULL);
    memory.fail_at = 0;
    print_message("%ld allocations failed in turn\n", n - 2);
}

/* What --dry-run tells of memory is what is asked for: nearly all of it lies in arrays that the plan counts. */
static void test_memory_is_as_planned(void **state)
{
    (void)state;
    static small m;
    static const int64_t units[] = {64, 700, 300, 10}, rows[] = {1, 2, 3};
    dt_capture_rule rule = {.name = "rows",
                            .quantities = 1u << DT_QUANTITY_DW,
                            .every = 2,
                            .samples = DT_SAMPLES_ROWS,
                            .sample_rows = rows,
                            .sample_count = 3};
    for (int64_t workers = 1; workers <= 3; workers++)
        for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++)
            for (int captured = 0; captured < 2; captured++) {
                small_make(&m, 3, 256, units, 3, "relu");
                dt_experiment *e = &m.experiment;
                e->precision = (dt_precision)precision;
                e->training.batch_size = 100;
                e->optimizer.momentum = captured ? 0.9 : 0;
                e->parallel = (dt_parallel_spec){workers, 8, workers == 2 ? "owner" : "tree", 0};
                e->capture = &rule;
                e->capture_count = (size_t)captured;
                const dt_trainer_data data = small_data(&m);
                watcher w = {.every = 2};
                dt_trainer_info info;
                dt_trainer *t;
                counting_memory counted_bytes;
                count_memory(&counted_bytes, 0);
                assert_int_equal(dt_trainer_create(&t, e, &data, NULL), DT_OK);
                if (captured)
                    assert_int_equal(
                        dt_trainer_observe(
                            t, &(dt_observer){.self = &w, .probe_rows = rows, .probe_count = 3, .watches = watches},
                            NULL),
                        DT_OK);
                assert_int_equal(dt_trainer_steps(t, 2, NULL), DT_OK);
                dt_trainer_describe(t, &info);
                const size_t planned =
                    info.parameter_bytes + (size_t)workers * info.bytes_per_worker + info.activation_bytes;
                if (counted_bytes.bytes < planned || counted_bytes.bytes > planned + (64 << 10))
                    fail_msg("%d workers, precision %d, captured %d: %zu bytes, planned %zu", (int)workers, precision,
                             captured, counted_bytes.bytes, planned);
                dt_trainer_destroy(t);
                assert_int_equal(counted_bytes.blocks, 0);
                count_no_more();
            }
}

/* --- what else a run does --- */

typedef struct reports {
    dt_epoch_report at[64];
    int count;
} reports;

static dt_status keep_report(void *self, const dt_epoch_report *report, dt_error *error)
{
    (void)error;
    reports *r = self;
    r->at[r->count++] = *report;
    return DT_OK;
}

static void test_learns_and_reports(void **state)
{
    (void)state;
    static small m;
    static reports r;
    const int64_t units[] = {4, 24, 3};
    dt_error error = {0};
    dt_trainer *t;
    small_make(&m, 5, 120, units, 2, "tanh");
    for (int i = 0; i < 120; i++) /* learnable: the class is where the first input lies */
        m.labels[i] = m.inputs[i * 4] < -0.3 ? 0 : m.inputs[i * 4] < 0.4 ? 1 : 2;
    m.experiment.training = (dt_training_spec){60, 10, true};
    m.experiment.optimizer.learning_rate = 0.5;
    m.experiment.data.validation_fraction = 0.25;
    dt_trainer_data data = small_data(&m);
    data.test = &m.data;
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
    dt_trainer_observe(t, &(dt_observer){.self = &r, .epoch = keep_report}, &error);
    assert_int_equal(dt_trainer_run(t, &error), DT_OK);
    assert_int_equal(r.count, 60);
    const dt_epoch_report *last = &r.at[59];
    assert_int_equal(last->epoch, 60);
    assert_int_equal(last->step, 60 * 9);
    assert_true(r.at[0].train_loss > 0.5 && last->train_loss < 0.25);
    assert_true(last->test_accuracy > 0.93 && last->validation_accuracy > 0.8);
    int64_t confusion[9], total = 0, right = 0;
    dt_evaluation e;
    assert_int_equal(dt_trainer_evaluate(t, &m.data, &e, confusion, &error), DT_OK);
    for (int i = 0; i < 9; i++)
        total += confusion[i], right += i % 4 == 0 ? confusion[i] : 0;
    assert_int_equal(total, 120);
    assert_true(e.accuracy == (double)right / 120 && e.accuracy == last->test_accuracy && e.loss == last->test_loss);
    dt_trainer_info info;
    dt_trainer_describe(t, &info);
    assert_int_equal(info.train_rows, 90);
    assert_int_equal(info.validation_rows, 30);
    assert_int_equal(info.parameters, 4 * 24 + 24 + 24 * 3 + 3);
    dt_trainer_destroy(t);
}

/* Regression: a linear map is learnt; accuracies are NaN. The same bits from any team. */
static void test_regression(void **state)
{
    (void)state;
    static small m;
    static reports r;
    const int64_t units[] = {4, 16, 2};
    char hash[3][65];
    dt_error error = {0};
    for (int threads = 1; threads <= 3; threads++) {
        dt_trainer *t;
        dt_evaluation e;
        small_make(&m, 5, 120, units, 2, "tanh");
        small_targets(&m, DT_TARGETS_REGRESSION);
        for (int i = 0; i < 120; i++) {
            m.targets[2 * i] = m.inputs[4 * i] - 0.5 * m.inputs[4 * i + 1];
            m.targets[2 * i + 1] = 2 + m.inputs[4 * i + 2];
        }
        m.experiment.loss = "mean_squared_error";
        m.experiment.training = (dt_training_spec){60, 10, true};
        m.experiment.optimizer.learning_rate = 0.1;
        m.experiment.parallel.threads = threads;
        dt_trainer_data data = small_data(&m);
        data.test = &m.data;
        r.count = 0;
        assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
        dt_trainer_observe(t, &(dt_observer){.self = &r, .epoch = keep_report}, &error);
        assert_int_equal(dt_trainer_run(t, &error), DT_OK);
        const dt_epoch_report *last = &r.at[59];
        assert_true(r.at[0].train_loss > 0.5 && last->test_loss < 0.02);
        assert_true(isnan(last->test_accuracy) && isnan(last->train_accuracy));
        int64_t confusion[4];
        assert_int_equal(dt_trainer_evaluate(t, &m.data, &e, confusion, &error), DT_INVALID);
        assert_non_null(strstr(error.message, "regression have no confusion matrix"));
        assert_int_equal(dt_trainer_weights_sha256(t, hash[threads - 1], &error), DT_OK);
        assert_string_equal(hash[threads - 1], hash[0]);
        dt_trainer_destroy(t);
    }
}

/* Several labels: a row is right where all its labels are, z > 0 for binary_cross_entropy, z > 1/2 for the others. */
static void test_several_labels(void **state)
{
    (void)state;
    static small m;
    static const double zero_W[8];
    const int64_t units[] = {4, 2};
    dt_error error = {0};
    for (int squared = 0; squared < 2; squared++) {
        dt_trainer *t;
        dt_evaluation e;
        small_make(&m, 5, 4, units, 1, "linear");
        small_targets(&m, DT_TARGETS_MULTILABEL);
        const double targets[] = {1, 0, 1, 1, 0, 0, 0.75, 0.25};
        memcpy(m.targets, targets, sizeof targets);
        m.experiment.precision = DT_FLOAT64;
        m.experiment.loss = squared ? "squared_error" : "binary_cross_entropy";
        const dt_trainer_data data = small_data(&m);
        assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
        dt_trainer_set_weights(t, 1, zero_W, (const double[]){0.75, 0.25}); /* b is z of every row */
        assert_int_equal(dt_trainer_evaluate(t, &m.data, &e, NULL, &error), DT_OK);
        assert_true(e.accuracy == (squared ? 0.5 : 0.25)); /* rows 0 and 3 as {1, 0}; or row 1 as {1, 1} */
        dt_trainer_destroy(t);
    }
}

/* What doesn't fit is one sentence. */
static void test_wrong_targets(void **state)
{
    (void)state;
    static small m;
    const int64_t units[] = {4, 3, 2};
    static const struct {
        dt_targets kind;
        const char *loss, *text;
        int64_t outputs;
        double first;
    } cases[] = {
        {DT_TARGETS_REGRESSION, "cross_entropy", "loss: cross_entropy takes classes, but data.train has targets", 2, 0},
        {DT_TARGETS_MULTILABEL, "kl_divergence", "loss: kl_divergence takes classes or regression, but", 2, 0},
        {DT_TARGETS_REGRESSION, "huber", "data.train: has 3 targets a row, but the last layer has 2 units; give it 3",
         3, 0},
        {DT_TARGETS_REGRESSION, "binary_cross_entropy",
         "data.train: target 0 of row 0 is 1.5; binary_cross_entropy takes numbers from 0 to 1", 2, 1.5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_trainer *t;
        dt_error error = {0};
        small_make(&m, 5, 8, units, 2, "tanh");
        small_targets(&m, cases[i].kind);
        m.targets[0] = cases[i].first;
        m.data.outputs = cases[i].outputs;
        m.experiment.loss = cases[i].loss;
        const dt_trainer_data data = small_data(&m);
        assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_INVALID);
        if (!strstr(error.message, cases[i].text))
            fail_msg("%s", error.message);
    }
    dt_trainer *t;
    dt_error error = {0};
    small_make(&m, 5, 8, units, 2, "tanh");
    m.experiment.loss_options = small_options(3);
    const dt_trainer_data data = small_data(&m);
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_INVALID);
    assert_non_null(strstr(error.message, "loss.class_weights: 3 weights, but the last layer has 2 units"));
}

static void test_stop(void **state)
{
    (void)state;
    static small m;
    dt_error error = {0};
    dt_trainer *t;
    make_shape(&m, 0, 3, "tree");
    const dt_trainer_data data = small_data(&m);
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
    dt_trainer_stop(t);
    assert_int_equal(dt_trainer_run(t, &error), DT_STOPPED);
    assert_int_equal(dt_trainer_step(t), 1);
    dt_trainer_destroy(t);
}

static void test_divergence(void **state)
{
    (void)state;
    static small m;
    for (int workers = 1; workers <= 3; workers++) {
        dt_error error = {0};
        dt_trainer *t;
        float W[33 * 20], b[33];
        make_shape(&m, 0, workers, "tree");
        m.experiment.loss = "squared_error";
        m.experiment.optimizer.learning_rate = 1e6;
        const dt_trainer_data data = small_data(&m);
        assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
        assert_int_equal(dt_trainer_run(t, &error), DT_DIVERGED);
        assert_non_null(strstr(error.message, "not finite"));
        assert_true(dt_trainer_step(t) > 0);
        dt_trainer_weights(t, 1, W, b); /* the step that diverged made no update, so there is a last state to look at */
        dt_trainer_destroy(t);
    }
}

static void refused(const small *m, dt_status expected, const char *says)
{
    dt_error error = {0};
    dt_trainer *t;
    const dt_trainer_data data = small_data(m);
    assert_int_equal(dt_trainer_create(&t, &m->experiment, &data, &error), expected);
    assert_null(t);
    if (!strstr(error.message, says))
        fail_msg("'%s' doesn't say '%s'", error.message, says);
    dt_trainer_info info;
    assert_int_equal(dt_trainer_plan(&m->experiment, &data, &info, NULL), expected);
}

static void test_refusals(void **state)
{
    (void)state;
    static small m;
    make_shape(&m, 0, 1, "tree");
    m.layers[2].units = 9;
    refused(&m, DT_INVALID, "label 9");
    make_shape(&m, 0, 1, "tee");
    refused(&m, DT_UNKNOWN_NAME, "did you mean 'tree'");
    make_shape(&m, 0, 1, "tree");
    m.layers[1].activation = "rleu";
    refused(&m, DT_UNKNOWN_NAME, "did you mean 'relu'");
    make_shape(&m, 0, 1, "tree");
    m.experiment.training.batch_size = 0;
    refused(&m, DT_INVALID, "training.batch_size");
    make_shape(&m, 0, 1, "tree");
    m.layers[0].units = m.layers[1].units = 1 << 20;
    dt_error error = {0};
    dt_trainer *t;
    const dt_trainer_data data = small_data(&m);
    assert_int_not_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK); /* 4 TiB */
    assert_null(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instruction_sets), /* first: its children must find OpenMP unused */
        cmocka_unit_test(test_teams_and_strategies),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_workers_found_out),
        cmocka_unit_test(test_watching_changes_nothing),
        cmocka_unit_test(test_plain_loop),
        cmocka_unit_test(test_no_allocation_in_a_step),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_memory_is_as_planned),
        cmocka_unit_test(test_learns_and_reports),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_regression),
        cmocka_unit_test(test_several_labels),
        cmocka_unit_test(test_wrong_targets),
        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
