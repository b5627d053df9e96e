/* Strategies that don't promise the same bits: what they sum is the gradient all the same, but for its last bits; with
 * one worker they are tree; and what has no meaning with them is refused. test_train.c has the deterministic ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "counting_memory.h"
#include "small.h"

enum { LAYERS = 3, ROWS = 200, BATCH = 61, EPOCHS = 6, NUMBERS = 20 * 33 + 33 + 33 * 18 + 18 + 18 * 10 + 10 };

static const int64_t units[LAYERS + 1] = {20, 33, 18, 10};

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FEWER_TEAMS
#endif
#endif
#if defined(FEWER_TEAMS)
static const int64_t teams[] = {2, 3};
#else
static const int64_t teams[] = {2, 3, 5, 8, 16};
#endif
enum { TEAMS = sizeof teams / sizeof *teams };

/* A short last minibatch of 17 samples, and shards of 5: four, the last one short. */
static void make(small *m, dt_precision precision, int64_t workers, const char *reduction)
{
    small_make(m, 7, ROWS, units, LAYERS, "tanh");
    dt_experiment *e = &m->experiment;
    e->precision = precision;
    e->optimizer.learning_rate = 0.1;
    e->training.epochs = EPOCHS;
    e->training.batch_size = BATCH;
    e->parallel = (dt_parallel_spec){workers, 5, reduction, 0};
}

static dt_trainer *create(const small *m)
{
    dt_error error = {0};
    dt_trainer *t;
    const dt_trainer_data data = small_data(m);
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    return t;
}

static bool is_free(const char *reduction)
{
    return strcmp(reduction, "hogwild") == 0;
}

/* The i-th reduction that isn't deterministic, NULL past the last. */
static const char *racing(size_t i)
{
    static small m;
    const dt_entry *entry;
    for (size_t r = 0; (entry = dt_table_at(DT_REDUCTIONS, r)); r++) {
        dt_trainer_info info;
        make(&m, DT_FLOAT32, 2, entry->name);
        const dt_trainer_data data = small_data(&m);
        assert_int_equal(dt_trainer_plan(&m.experiment, &data, &info, NULL), DT_OK);
        if (!info.deterministic && i-- == 0)
            return entry->name;
    }
    return NULL;
}

/* --- one worker --- */

static void hash(const small *m, char hex[65])
{
    dt_trainer *t = create(m);
    assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
    assert_int_equal(dt_trainer_weights_sha256(t, hex, NULL), DT_OK);
    dt_trainer_destroy(t);
}

static void test_one_worker_is_tree(void **state)
{
    (void)state;
    static small m;
    const char *name;
    for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++)
        for (size_t i = 0; (name = racing(i)); i++) {
            char want[65], got[65];
            make(&m, (dt_precision)precision, 1, "tree");
            m.experiment.optimizer.momentum = is_free(name) ? 0 : 0.9;
            hash(&m, want);
            m.experiment.parallel.reduction = name;
            hash(&m, got);
            assert_string_equal(got, want);
        }
}

/* --- several --- */

/* Weights and biases of all layers after the run, in double. */
static double weights(const small *m, double all[NUMBERS])
{
    dt_trainer *t = create(m);
    dt_evaluation e;
    assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
    double *at = all;
    for (int64_t l = 1; l <= LAYERS; l++) {
        const int64_t n = units[l] * units[l - 1];
        if (m->experiment.precision == DT_FLOAT64) {
            dt_trainer_weights(t, l, at, at + n);
        } else {
            float W[33 * 33], b[33];
            dt_trainer_weights(t, l, W, b);
            for (int64_t i = 0; i < n + units[l]; i++)
                at[i] = i < n ? (double)W[i] : (double)b[i - n];
        }
        at += n + units[l];
    }
    assert_int_equal(dt_trainer_evaluate(t, &m->data, &e, NULL, NULL), DT_OK);
    dt_trainer_destroy(t);
    return e.loss;
}

static double distance(const double *a, const double *b)
{
    double most = 0;
    for (int i = 0; i < NUMBERS; i++)
        most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

/* 24 steps with momentum: as many roundings apart as additions in another order give. A shard left out, or one counted
 * twice, would be 1e-3 away. */
static void test_the_sum_is_the_gradient(void **state)
{
    (void)state;
    static small m;
    static double want[NUMBERS], got[NUMBERS];
    const char *name;
    for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
        const double near = precision == DT_FLOAT64 ? 1e-13 : 2e-5;
        make(&m, (dt_precision)precision, 1, "tree");
        m.experiment.optimizer.momentum = 0.9;
        const double loss = weights(&m, want);
        for (size_t i = 0; (name = racing(i)); i++)
            for (int t = 0; t < TEAMS && !is_free(name); t++)
                for (int64_t groups = 0; groups <= dt_shard_size_auto(4) && groups <= teams[t]; groups++) {
                    m.experiment.parallel = (dt_parallel_spec){teams[t], 5, name, groups};
                    const double own = weights(&m, got);
                    if (!(distance(got, want) < near) || !(fabs(own - loss) < near))
                        fail_msg("%s, %d workers, %d groups, precision %d: weights %g apart, loss %g", name,
                                 (int)teams[t], (int)groups, precision, distance(got, want), own - loss);
                }
    }
}

/* Every optimizer, cut and clipped. */
static void test_optimizers(void **state)
{
    (void)state;
    static small m;
    static double want[NUMBERS], got[NUMBERS];
    const dt_entry *optimizer;
    const char *name;
    for (size_t o = 0; (optimizer = dt_table_at(DT_OPTIMIZERS, o)); o++) {
        make(&m, DT_FLOAT64, 1, "tree");
        dt_experiment_set_optimizer(&m.experiment, optimizer->name);
        m.experiment.optimizer.clip_norm = 0.5;
        m.layers[0].max_norm = 1.5;
        if (strcmp(optimizer->name, "rprop") == 0)
            m.experiment.training.batch_size = ROWS;
        (void)weights(&m, want);
        for (size_t i = 0; (name = racing(i)); i++) {
            m.experiment.parallel.reduction = name;
            m.experiment.parallel.threads = 3;
            if (!is_free(name) && weights(&m, got) >= 0 && !(distance(got, want) < 1e-9))
                fail_msg("%s, %s: %g apart", name, optimizer->name, distance(got, want));
        }
    }
}

/* hogwild's weights are none of tree's, but learn as well: classes apart by the first input. */
static void test_hogwild_learns(void **state)
{
    (void)state;
    static small m;
    static double all[NUMBERS];
    for (int t = 0; t < TEAMS; t++) {
        double loss[2];
        for (int free = 0; free < 2; free++) {
            make(&m, DT_FLOAT32, teams[t], free ? "hogwild" : "tree");
            for (int i = 0; i < ROWS; i++)
                m.labels[i] = m.inputs[i * 20] < -0.3 ? 0 : m.inputs[i * 20] < 0.4 ? 1 : 2;
            m.experiment.training.epochs = 60;
            m.layers[0].dropout = 0.1;
            m.experiment.data.noise = 0.01;
            loss[free] = weights(&m, all);
        }
        if (!(loss[0] < 0.6) || !(fabs(loss[1] - loss[0]) < 0.15 * loss[0]))
            fail_msg("%d workers: loss %g, tree's %g", (int)teams[t], loss[1], loss[0]);
    }
}

/* --- what a run does --- */

typedef struct watcher {
    int64_t every, workers;
    int begun, ended, progress, reports;
    int64_t rows[64]; /* of the steps that are watched, by how many workers showed them */
    double W[33 * 20], b[33];
    double z[BATCH * 33], a[BATCH * 20];
    int64_t samples;
    bool wrong, gradient;
    dt_epoch_report last;
} watcher;

static bool watches(const void *self, int64_t step, int64_t epoch)
{
    (void)epoch;
    return step % ((const watcher *)self)->every == 0;
}

static void begin(void *self, const dt_step_view *view)
{
    watcher *w = self;
    w->begun++;
    w->samples = 0;
    w->workers = view->workers;
}

/* Copies z^1 and x of the worker's rows: no two write the same. */
static void keep_samples(void *self, const dt_step_view *view, int64_t first, int64_t count)
{
    watcher *w = self;
    const dt_matrix_view z = dt_step_samples(view, DT_QUANTITY_Z, 1, first, count);
    const dt_matrix_view x = dt_step_samples(view, DT_QUANTITY_A, 0, first, count);
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < z.columns; j++)
            w->z[(first + i) * 33 + j] = ((const double *)z.data)[i * z.stride + j];
        for (int64_t k = 0; k < x.columns; k++)
            w->a[(first + i) * 20 + k] = ((const double *)x.data)[i * x.stride + k];
    }
    __atomic_add_fetch(&w->samples, count, __ATOMIC_RELAXED);
}

static void keep_slice(void *self, const dt_step_view *view, const dt_slice *slice)
{
    watcher *w = self;
    if (slice->l == 1) {
        dt_step_copy_slice(view, DT_QUANTITY_W, 1, slice, w->W);
        dt_step_copy_slice(view, DT_QUANTITY_B, 1, slice, w->b);
        if (slice->gradient)
            __atomic_store_n(&w->gradient, true, __ATOMIC_RELAXED);
    }
}

/* z = W x + b with the weights that were shown: all rows of the step had these. */
static void end(void *self, const dt_step_view *view)
{
    watcher *w = self;
    w->ended++;
    w->wrong |= w->samples != view->batch;
    for (int64_t i = 0; i < view->batch; i++)
        for (int64_t j = 0; j < 33; j++) {
            double z = w->b[j];
            for (int64_t k = 0; k < 20; k++)
                z += w->W[j * 20 + k] * w->a[i * 20 + k];
            w->wrong |= !(fabs(z - w->z[i * 33 + j]) < 1e-12);
        }
}

static void progress(void *self, int64_t done, int64_t total, double loss)
{
    watcher *w = self;
    w->progress++;
    w->wrong |= done != w->progress || done > total || !(loss >= 0);
}

static dt_status report(void *self, const dt_epoch_report *r, dt_error *error)
{
    watcher *w = self;
    (void)error;
    w->reports++;
    w->last = *r;
    return DT_OK;
}

static void test_watching(void **state)
{
    (void)state;
    static small m;
    static watcher w;
    static const int64_t probe[] = {3, 0, 199};
    const char *name;
    for (size_t i = 0; (name = racing(i)); i++)
        for (int t = 0; t < TEAMS; t++)
            for (int probes = 0; probes < 2; probes++) {
                w = (watcher){.every = 1 + t};
                const dt_observer o = {.self = &w,
                                       .watches = watches,
                                       .begin = begin,
                                       .samples = probes ? NULL : keep_samples,
                                       .slice = keep_slice,
                                       .end = probes ? NULL : end,
                                       .progress = progress,
                                       .epoch = report,
                                       .probe_rows = probe,
                                       .probe_count = probes ? 3 : 0};
                make(&m, DT_FLOAT64, teams[t], name);
                dt_trainer *trainer = create(&m);
                assert_int_equal(dt_trainer_observe(trainer, &o, NULL), DT_OK);
                assert_int_equal(dt_trainer_run(trainer, NULL), DT_OK);
                const int steps = 4 * EPOCHS;
                assert_int_equal(dt_trainer_step(trainer), steps);
                assert_int_equal(w.progress, steps);
                assert_int_equal(w.begun, (steps + t) / (1 + t));
                assert_int_equal(w.ended, probes ? 0 : w.begun);
                assert_int_equal(w.reports, EPOCHS);
                assert_int_equal(w.workers, teams[t]);
                assert_int_equal(w.gradient, !is_free(name));
                assert_true(w.last.train_loss > 0 && w.last.train_loss < 3 && w.last.train_accuracy <= 1);
                assert_false(w.wrong);
                dt_trainer_destroy(trainer);
            }
}

/* Stopped, and gone on with in another trainer: all workers have made the same steps. */
static void stop_at_five(void *self, int64_t done, int64_t total, double loss)
{
    (void)total, (void)loss;
    if (done == 5)
        dt_trainer_stop(self);
}

static void test_stop_and_go_on(void **state)
{
    (void)state;
    static small m;
    static double W[33 * 33], b[33];
    const char *name;
    for (size_t i = 0; (name = racing(i)); i++)
        for (int t = 0; t < TEAMS; t++) {
            make(&m, DT_FLOAT64, teams[t], name);
            dt_trainer *first = create(&m), *second = create(&m);
            dt_trainer_position p;
            dt_evaluation e;
            assert_int_equal(dt_trainer_observe(first, &(dt_observer){.self = first, .progress = stop_at_five}, NULL),
                             DT_OK);
            assert_int_equal(dt_trainer_run(first, NULL), DT_STOPPED);
            dt_trainer_position_of(first, &p);
            assert_in_range(p.step, 6, is_free(name) ? 8 : 6); /* others may be ahead, to the end of the epoch */
            assert_int_equal(p.seen, (p.step - 4) % 4 * BATCH);
            assert_true(p.seen == 0 || p.loss_sum > 0);
            assert_int_equal(dt_trainer_set_position(second, &p, NULL), DT_OK);
            for (int64_t l = 1; l <= LAYERS; l++) {
                dt_trainer_weights(first, l, W, b);
                dt_trainer_set_weights(second, l, W, b);
            }
            assert_int_equal(dt_trainer_run(second, NULL), DT_OK);
            assert_int_equal(dt_trainer_step(second), 4 * EPOCHS);
            assert_int_equal(dt_trainer_evaluate(second, &m.data, &e, NULL, NULL), DT_OK);
            assert_true(e.loss > 0 && e.loss < 3);
            dt_trainer_destroy(first);
            dt_trainer_destroy(second);
        }
}

static void test_divergence(void **state)
{
    (void)state;
    static small m;
    const dt_entry *entry;
    for (size_t r = 0; (entry = dt_table_at(DT_REDUCTIONS, r)); r++)
        for (int t = 0; t < TEAMS; t++) {
            dt_error error = {0};
            make(&m, DT_FLOAT32, teams[t], entry->name);
            m.experiment.loss = "squared_error";
            m.layers[0].activation = m.layers[1].activation = "relu";
            m.experiment.optimizer.learning_rate = 1e6;
            dt_trainer *trainer = create(&m);
            assert_int_equal(dt_trainer_run(trainer, &error), DT_DIVERGED);
            assert_non_null(strstr(error.message, "not finite"));
            assert_in_range(dt_trainer_step(trainer), 1, 4 * EPOCHS);
            dt_trainer_destroy(trainer);
        }
}

/* A step that is not made leaves nothing behind: with weights that are finite again, the run is as any. */
static void test_after_divergence(void **state)
{
    (void)state;
    static small m;
    static double want[NUMBERS], got[NUMBERS], W[33 * 33], b[33], huge[33 * 33];
    const dt_entry *entry;
    for (int i = 0; i < 33 * 33; i++)
        huge[i] = i % 2 ? 1e308 : -1e308;
    make(&m, DT_FLOAT64, 1, "tree");
    (void)weights(&m, want);
    for (size_t r = 0; (entry = dt_table_at(DT_REDUCTIONS, r)); r++) {
        make(&m, DT_FLOAT64, 3, entry->name);
        dt_trainer *t = create(&m);
        dt_trainer_position at_first;
        dt_trainer_position_of(t, &at_first);
        dt_trainer_weights(t, LAYERS, W, b);
        dt_trainer_set_weights(t, LAYERS, huge, b);
        assert_int_equal(dt_trainer_run(t, NULL), DT_DIVERGED);
        dt_trainer_set_weights(t, LAYERS, W, b);
        assert_int_equal(dt_trainer_set_position(t, &at_first, NULL), DT_OK);
        assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
        double *at = got;
        for (int64_t l = 1; l <= LAYERS; l++) {
            dt_trainer_weights(t, l, at, at + units[l] * units[l - 1]);
            at += units[l] * (units[l - 1] + 1);
        }
        if (!(distance(got, want) < (is_free(entry->name) ? 0.3 : 1e-13)))
            fail_msg("%s: weights %g apart", entry->name, distance(got, want));
        dt_trainer_destroy(t);
    }
}

/* --- memory --- */

static void test_memory(void **state)
{
    (void)state;
    static small m;
    const dt_entry *entry;
    for (size_t r = 0; (entry = dt_table_at(DT_REDUCTIONS, r)); r++)
        for (int64_t groups = 0; groups <= 3; groups++) {
            counting_memory counted;
            dt_trainer_info info;
            if (is_free(entry->name) && groups % 3)
                continue;
            make(&m, DT_FLOAT32, 3, entry->name);
            m.experiment.parallel.groups = groups;
            count_memory(&counted, 0);
            dt_trainer *t = create(&m);
            assert_int_equal(dt_trainer_steps(t, 1, NULL), DT_OK);
            const long calls = counted.calls;
            assert_int_equal(dt_trainer_steps(t, 20, NULL), DT_OK);
            assert_int_equal(counted.calls, calls); /* nothing is allocated in a step */
            dt_trainer_describe(t, &info);
            const size_t planned = info.parameter_bytes + 3 * info.bytes_per_worker + info.activation_bytes;
            if (counted.bytes < planned || counted.bytes > planned + (48 << 10))
                fail_msg("%s, %d groups: %zu bytes, planned %zu", entry->name, (int)groups, counted.bytes, planned);
            dt_trainer_destroy(t);
            assert_int_equal(counted.blocks, 0);
            count_no_more();
        }
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    static small m;
    const char *name;
    for (size_t i = 0; (name = racing(i)); i++) {
        dt_status status = DT_NO_MEMORY;
        for (long n = 1; status != DT_OK; n++) {
            counting_memory counted;
            dt_trainer *t;
            make(&m, DT_FLOAT64, 3, name);
            m.experiment.parallel.groups = is_free(name) ? 0 : 2;
            const dt_trainer_data data = small_data(&m);
            assert_true(n < 1000);
            count_memory(&counted, n);
            status = dt_trainer_create(&t, &m.experiment, &data, NULL);
            if (status == DT_OK)
                status = dt_trainer_steps(t, 2, NULL);
            if (status != DT_OK)
                assert_int_equal(status, DT_NO_MEMORY);
            dt_trainer_destroy(t);
            assert_int_equal(counted.blocks, 0);
            count_no_more();
        }
    }
}

/* --- what is refused --- */

static void refused(const small *m, const char *says)
{
    dt_error error = {0};
    assert_int_equal(dt_experiment_validate(&m->experiment, &error), DT_INVALID);
    if (!strstr(error.message, says) || strchr(error.message, '\n'))
        fail_msg("'%s' doesn't say '%s'", error.message, says);
}

static void test_what_hogwild_has_not(void **state)
{
    (void)state;
    static small m;
    static const struct {
        unsigned quantities, extras;
        uint32_t W, dW;
        const char *says; /* NULL: it has this */
    } rules[] = {
        {1u << DT_QUANTITY_W | 1u << DT_QUANTITY_Z | 1u << DT_QUANTITY_DELTA,
         1u << DT_EXTRA_COST | 1u << DT_EXTRA_DW_NORM, 1u << DT_STATISTIC_NORM, 0, NULL},
        {1u << DT_QUANTITY_DW, 0, 0, 0, "capture.r.quantities: there is no dW: the reduction hogwild"},
        {1u << DT_QUANTITY_DB, 0, 0, 0, "there is no db"},
        {0, 1u << DT_EXTRA_DW_PARTIAL, 0, 0, "there is no dW_partial"},
        {0, 1u << DT_EXTRA_NOISE_SCALE, 0, 0, "there is no noise_scale"},
        {0, 0, 1u << DT_STATISTIC_UPDATE_RATIO, 0, "there is no W_update_ratio"},
        {0, 0, 0, 1u << DT_STATISTIC_NORM, "there is no dW_norm"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        dt_capture_rule rule = {.name = "r",
                                .every = 1,
                                .sample_count = 4,
                                .quantities = rules[i].quantities,
                                .extras = rules[i].extras,
                                .histogram = {-1, 1, 64, -32, 8}};
        rule.statistics[DT_QUANTITY_W] = rules[i].W;
        rule.statistics[DT_QUANTITY_DW] = rules[i].dW;
        make(&m, DT_FLOAT32, 2, "hogwild");
        m.experiment.capture = &rule;
        m.experiment.capture_count = 1;
        if (rules[i].says)
            refused(&m, rules[i].says);
        else
            assert_int_equal(dt_experiment_validate(&m.experiment, NULL), DT_OK);
    }
    make(&m, DT_FLOAT32, 2, "hogwild");
    m.experiment.optimizer.momentum = 0.5;
    refused(&m, "optimizer.momentum: sgd keeps state between steps");
    make(&m, DT_FLOAT32, 2, "hogwild");
    dt_experiment_set_optimizer(&m.experiment, "adam");
    refused(&m, "optimizer.name: adam keeps state");
    make(&m, DT_FLOAT32, 2, "hogwild");
    m.experiment.optimizer.clip_norm = 1;
    refused(&m, "optimizer.clip_norm: the reduction hogwild has no gradient");
    make(&m, DT_FLOAT32, 2, "hogwild");
    m.layers[1].max_norm = 1;
    refused(&m, "network.1.max_norm: ");
    make(&m, DT_FLOAT32, 2, "hogwild");
    m.experiment.parallel.groups = 1;
    refused(&m, "parallel.groups: workers of the reduction hogwild");
}

static void test_groups_need_workers(void **state)
{
    (void)state;
    static small m;
    dt_trainer_info info;
    make(&m, DT_FLOAT32, 2, "tree");
    m.experiment.parallel.groups = 3;
    refused(&m, "parallel.groups: 3 groups of 2 workers");
    m.experiment.parallel.threads = 0; /* as many as there are workers, then */
    const dt_trainer_data data = small_data(&m);
    assert_int_equal(dt_trainer_plan(&m.experiment, &data, &info, NULL), DT_OK);
    assert_int_equal(info.groups, info.workers < 3 ? info.workers : 3);
}

/* --- auto --- */

static dt_trainer_info plan(int64_t threads, int64_t width, int64_t batch, const char *reduction)
{
    static small m;
    const int64_t wide[] = {64, width, width, 10};
    dt_trainer_info info;
    small_make(&m, 3, 256, wide, 3, "relu");
    m.experiment.training.batch_size = batch;
    m.experiment.parallel = (dt_parallel_spec){threads, 0, reduction, 0};
    const dt_trainer_data data = small_data(&m);
    assert_int_equal(dt_trainer_plan(&m.experiment, &data, &info, NULL), DT_OK);
    return info;
}

static void test_auto(void **state)
{
    (void)state;
    dt_trainer_info info = plan(1, 64, 32, "auto");
    assert_string_equal(info.choice, "one worker has nothing to add");
    assert_string_equal(plan(4, 64, 128, "tree").choice, ""); /* nothing to say: a group a worker, as ever */
    assert_int_equal(plan(4, 64, 128, "tree").groups, 4);
    info = plan(4, 2048, 8, "tree"); /* one shard: without groups one of four workers would work */
    assert_int_equal(info.groups, 1);
    assert_non_null(strstr(info.choice, "us a step by a model: "));
    assert_non_null(strstr(info.choice, "4 groups "));
    assert_int_equal(plan(4, 8, 8, "tree").groups, 4); /* too little to share */
    info = plan(2, 2048, 16, "auto");                  /* weights, which split leaves where they are, are most of it */
    assert_string_equal(info.reduction, "split");
    assert_non_null(strstr(info.choice, "; tree "));
    info = plan(2, 32, 256, "auto");
    assert_true(info.deterministic);
    assert_non_null(strstr(info.choice, "; split "));
    for (int64_t threads = 1; threads <= 1024; threads = threads * 3 / 2 + 1) /* any team has an answer */
        for (int64_t batch = 1; batch <= 256; batch *= 4) {
            info = plan(threads, 512, batch, "auto");
            assert_in_range(info.groups, 1, threads);
            assert_true(strlen(info.choice) > 0 && strlen(info.choice) < DT_CHOICE_TEXT - 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_worker_is_tree),
        cmocka_unit_test(test_the_sum_is_the_gradient),
        cmocka_unit_test(test_optimizers),
        cmocka_unit_test(test_hogwild_learns),
        cmocka_unit_test(test_watching),
        cmocka_unit_test(test_stop_and_go_on),
        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_after_divergence),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_what_hogwild_has_not),
        cmocka_unit_test(test_groups_need_workers),
        cmocka_unit_test(test_auto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
