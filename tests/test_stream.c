/* Inputs larger than memory: the order of their rows, and that reading them meanwhile changes no bit. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

#include "base/philox.h"
#include "base/split.h"
#include "counting_memory.h"
#include "data/feed.h"
#include "data/sampler.h"
#include "data/scan.h"
#include "deltoid/deltoid.h"
#include "scratch.h"

/* --- the order --- */

static int compare_blocks(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The order as data/windows.h and data/sampler.h tell it, written down plainly: rows `wanted` of `rows`. */
static int64_t plain_order(int64_t rows, const char *wanted, int64_t block, int64_t count, uint64_t seed, int64_t epoch,
                           int64_t *order)
{
    int blocks = (int)((rows + block - 1) / block), *drawn = calloc((size_t)blocks, sizeof *drawn);
    for (int i = 0; i < blocks; i++) {
        const uint64_t bits = dt_philox(seed, DT_FOR_BLOCKS, (uint64_t)epoch, (uint64_t)i / 2).u[i % 2];
        const int j = (int)dt_uniform_below(bits, (uint64_t)i + 1);
        drawn[i] = drawn[j];
        drawn[j] = i;
    }
    int64_t n = 0;
    for (int64_t w = 0, place = 0; w < count; w++) {
        const int64_t each = blocks / count + (w < blocks % count), base = n;
        qsort(drawn + place, (size_t)each, sizeof *drawn, compare_blocks);
        for (int64_t p = place; p < place + each; p++)
            for (int64_t row = drawn[p] * block; row < (drawn[p] + 1) * block && row < rows; row++) {
                if (!wanted[row])
                    continue;
                const uint64_t bits =
                    dt_philox(seed, DT_FOR_SHUFFLE, (uint64_t)epoch, (uint64_t)n / 2).u[(uint64_t)n % 2];
                const int64_t j = base + (int64_t)dt_uniform_below(bits, (uint64_t)(n - base) + 1);
                order[n] = order[j];
                order[j] = row;
                n++;
            }
        place += each;
    }
    free(drawn);
    return n;
}

static const struct {
    int64_t rows, window, block;
} shapes[] = {
    {1000, 100, 10},  /* even */
    {1003, 100, 10},  /* a short last block */
    {997, 130, 17},   /* nothing divides anything */
    {50, 10, 10},     /* windows of one block */
    {50, 1, 1},       /* and of one row */
    {60, 59, 7},      /* two windows, one much smaller */
    {41, 40, 40},     /* a block of all rows but one */
    {64, 64, 8},      /* one window */
    {64, 1000, 8},    /* more than there is */
    {5, 0, 0},        /* all of it */
    {300, 100, 0},    /* blocks by themselves */
    {1001, 500, 250}, /* few blocks */
};

enum { SHAPES = sizeof shapes / sizeof *shapes, ROWS_MAX = 1003 };

static void check_order(const dt_windows *windows, dt_rows rows, const char *wanted, bool shuffle)
{
    static int64_t plain[ROWS_MAX];
    dt_sampler *s;
    int64_t count, end;
    assert_int_equal(dt_sampler_create(&s, rows, 1, shuffle, 7, NULL), DT_OK);
    assert_int_equal(dt_sampler_set_windows(s, windows, NULL), DT_OK);
    for (int round = 0; round < 6; round++) {
        const int64_t epoch = (int64_t[]){0, 1, 5, 1, 0, 2}[round]; /* whatever was drawn before */
        char seen[ROWS_MAX] = {0};
        dt_sampler_begin_epoch(s, epoch);
        const int64_t n = plain_order(windows->rows, wanted, windows->block, windows->count, 7, epoch, plain);
        const int64_t *order = dt_sampler_minibatch(s, 0, &count);
        assert_int_equal(n, rows.count);
        for (int64_t i = 0; i < n; i++) {
            assert_true(wanted[order[i]] && !seen[order[i]]);
            seen[order[i]] = 1;
            assert_int_equal(order[i], shuffle ? plain[i] : rows.index ? rows.index[i] : i);
            const dt_span w = dt_sampler_windows(s, i, &end);
            assert_true(dt_span_count(w) == 1 && w.first >= 0 && w.last <= windows->count && end > i && end <= n);
        }
    }
    dt_sampler_destroy(s);
}

static void each_row_once_an_epoch_in_the_order_that_is_told(void **state)
{
    char all[ROWS_MAX], some[ROWS_MAX];
    int64_t index[ROWS_MAX];
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        dt_windows w;
        int64_t few = 0;
        assert_int_equal(dt_windows_make(&w, shapes[i].rows, 4096, 0, shapes[i].window, shapes[i].block, NULL), DT_OK);
        assert_true(w.rows == shapes[i].rows && w.count >= 1);
        if (shapes[i].window)
            assert_true(dt_windows_largest(&w) * w.block <=
                        dt_max(shapes[i].window, w.rows <= shapes[i].window ? w.rows : 0));
        for (int64_t r = 0; r < w.rows; r++) {
            all[r] = 1;
            some[r] = r % 7 != 2;
            if (some[r])
                index[few++] = r;
        }
        for (int shuffle = 0; shuffle < 2; shuffle++) {
            check_order(&w, (dt_rows){w.rows, NULL}, all, shuffle);
            check_order(&w, (dt_rows){few, index}, some, shuffle);
        }
    }
}

/* One window is the order of rows in memory, which tests/test_sampler.c pins. */
static void one_window_is_the_order_in_memory(void **state)
{
    dt_sampler *plain, *windowed;
    dt_windows w;
    int64_t count;
    (void)state;
    assert_int_equal(dt_windows_make(&w, 301, 8, 0, 301, 10, NULL), DT_OK);
    assert_int_equal(dt_sampler_create(&plain, (dt_rows){301, NULL}, 301, true, 3, NULL), DT_OK);
    assert_int_equal(dt_sampler_create(&windowed, (dt_rows){301, NULL}, 301, true, 3, NULL), DT_OK);
    assert_int_equal(dt_sampler_set_windows(windowed, &w, NULL), DT_OK);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        dt_sampler_begin_epoch(plain, epoch);
        dt_sampler_begin_epoch(windowed, epoch);
        assert_memory_equal(dt_sampler_minibatch(plain, 0, &count), dt_sampler_minibatch(windowed, 0, &count),
                            301 * sizeof(int64_t));
    }
    dt_sampler_destroy(plain);
    dt_sampler_destroy(windowed);
}

static void minibatches_reach_over_two_windows_at_most(void **state)
{
    static const struct {
        int64_t rows, window, block, batch;
        dt_status status;
    } cases[] = {
        {100, 10, 10, 11, DT_OK}, {100, 10, 10, 12, DT_INVALID}, {100, 50, 10, 100, DT_OK}, /* two windows */
        {105, 10, 10, 6, DT_OK},  {105, 10, 10, 7, DT_INVALID}, /* the short block may be a window */
        {100, 40, 10, 21, DT_OK}, {1000, 10, 1, 11, DT_OK},      {100, 100, 10, 100, DT_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_sampler *s;
        dt_windows w;
        dt_error error = {0};
        assert_int_equal(dt_windows_make(&w, cases[i].rows, 8, 0, cases[i].window, cases[i].block, NULL), DT_OK);
        assert_int_equal(dt_sampler_create(&s, (dt_rows){cases[i].rows, NULL}, cases[i].batch, true, 1, NULL), DT_OK);
        assert_int_equal(dt_sampler_set_windows(s, &w, &error), cases[i].status);
        for (int64_t epoch = 0; cases[i].status == DT_OK && epoch < 20; epoch++) {
            dt_sampler_begin_epoch(s, epoch);
            for (int64_t step = 0, end, last = 0; step < dt_sampler_steps_per_epoch(s); step++) {
                const dt_span windows = dt_sampler_windows(s, step, &end);
                assert_true(windows.first >= last && dt_span_count(windows) <= 2 && end > step);
                last = windows.first;
            }
        }
        if (cases[i].status != DT_OK)
            assert_non_null(strstr(error.message, "data.window: "));
        dt_sampler_destroy(s);
    }
}

static void memory_is_a_bound(void **state)
{
    static const struct {
        int64_t rows, row, chunk, memory, window, block;
        const char *refusal;
    } cases[] = {
        {60000, 784, 0, 10 << 20, 0, 0, NULL},
        {60000, 784, 1000, 10 << 20, 0, 0, NULL},
        {60000, 784, 0, 1 << 20, 0, 0, NULL},
        {60000, 784, 0, 100 << 20, 0, 0, NULL}, /* all of it */
        {60000, 784, 0, 10 << 20, 5000, 500, NULL},
        {10000000, 8, 4096, 64 << 20, 0, 0, NULL},
        {100, 100000, 0, 20 << 20, 0, 0, NULL},
        {60000, 784, 0, 10 << 20, 6500, 500, "data.window: "},
        {60000, 784, 0, 10 << 20, 500, 600, "data.block: "},
        {60000, 784, 0, 50000, 0, 0, "data.memory: "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_feed_sizes s;
        dt_error error = {0};
        const dt_status status = dt_feed_plan(&s, cases[i].rows, (size_t)cases[i].row, cases[i].chunk, cases[i].memory,
                                              cases[i].window, cases[i].block, true, &error);
        if (cases[i].refusal) {
            assert_int_equal(status, DT_INVALID);
            assert_memory_equal(error.message, cases[i].refusal, strlen(cases[i].refusal));
            continue;
        }
        assert_int_equal(status, DT_OK);
        assert_true(dt_feed_bytes(&s) <= (size_t)cases[i].memory && s.scan >= 1);
        if (cases[i].rows * cases[i].row < cases[i].memory / 2)
            assert_int_equal(s.windows.count, 1);
        else /* most of what may be used is used */
            assert_true(cases[i].window || dt_feed_bytes(&s) > (size_t)cases[i].memory / 4 * 3);
        if (cases[i].chunk && !cases[i].block)
            assert_true(s.windows.block % cases[i].chunk == 0 ||
                        s.windows.block <= cases[i].memory / 2 / cases[i].row / DT_WINDOW_BLOCKS);
    }
}

/* --- files --- */

enum { ROWS = 517, FEATURES = 12, CLASSES = 3, SEED = 11 };

typedef struct fixture {
    scratch scratch;
    char train[512], test[512];
} fixture;

typedef enum layout { CONTIGUOUS, CHUNKED, PACKED } layout;

static void put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *size, layout how, hid_t here,
                const void *numbers)
{
    const hsize_t chunk[2] = {37, 5};
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, size, NULL);
    if (how != CONTIGUOUS)
        assert_true(H5Pset_chunk(creation, rank, chunk) >= 0);
    if (how == PACKED)
        assert_true(H5Pset_shuffle(creation) >= 0 && H5Pset_deflate(creation, 4) >= 0);
    const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(H5Dwrite(set, here, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    H5Dclose(set);
    H5Pclose(creation);
    H5Sclose(space);
}

/* Whole numbers 0 .. 255, which every type holds, with classes that depend on them. */
static void make_file(const char *path, int64_t rows, uint64_t seed, hid_t type, layout how, double spoilt)
{
    static double x[ROWS * FEATURES], t[ROWS * 2];
    static int y[ROWS];
    const hsize_t size[2] = {(hsize_t)rows, FEATURES}, two[2] = {(hsize_t)rows, 2};
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t k = 0; k < FEATURES; k++)
            x[i * FEATURES + k] =
                (double)dt_uniform_below(dt_philox(seed, DT_FOR_TEST, 0, (uint64_t)(i * FEATURES + k)).u[0], 256);
        y[i] = (int)(x[i * FEATURES] + x[i * FEATURES + 1]) / 171;
        t[2 * i] = x[i * FEATURES] / 255;
        t[2 * i + 1] = x[i * FEATURES + 3] / 300;
    }
    if (spoilt != 0)
        x[400 * FEATURES + 5] = spoilt;
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "x", type, 2, size, how, H5T_NATIVE_DOUBLE, x);
    put(file, "y", H5T_STD_I16LE, 1, size, CONTIGUOUS, H5T_NATIVE_INT, y);
    put(file, "t", H5T_IEEE_F64LE, 2, two, CONTIGUOUS, H5T_NATIVE_DOUBLE, t);
    H5Fclose(file);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    scratch_make(&f->scratch);
    snprintf(f->train, sizeof f->train, "%s", scratch_path(&f->scratch, "train.h5"));
    snprintf(f->test, sizeof f->test, "%s", scratch_path(&f->scratch, "test.h5"));
    make_file(f->train, ROWS, 1, H5T_STD_U8LE, CONTIGUOUS, 0);
    make_file(f->test, 131, 2, H5T_STD_U8LE, PACKED, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

/* --- training --- */

typedef struct training {
    dt_experiment experiment;
    dt_layer_spec layers[2];
    dt_dataset *train, *test;
    dt_trainer *trainer;
} training;

static void describe(training *t, const fixture *f)
{
    dt_experiment *e = &t->experiment;
    *t = (training){.layers = {{.units = 9, .activation = "tanh", .init = "glorot_normal"},
                               {.units = CLASSES, .activation = "linear", .init = "glorot_normal"}}};
    dt_experiment_init(e);
    e->name = "stream";
    e->seed = SEED;
    e->loss = "cross_entropy";
    e->network = t->layers;
    e->layer_count = 2;
    e->training.epochs = 3;
    e->training.batch_size = 20;
    e->parallel.threads = 1;
    e->parallel.shard_size = 4;
    e->optimizer.momentum = 0.9;
    e->data.format = "hdf5";
    e->data.scale = 1.0 / 255;
    e->data.train = (dt_source){.file = f->train, .inputs = "/x", .labels = "/y"};
    e->data.test = (dt_source){.file = f->test, .inputs = "/x", .labels = "/y"};
    e->data.window = 100;
    e->data.block = 16;
}

static void begin(training *t)
{
    dt_error error = {0};
    const dt_data_spec *data = &t->experiment.data;
    if (dt_dataset_open_part(&t->train, data, DT_TRAIN, SEED, NULL, &error) != DT_OK ||
        dt_dataset_open_part(&t->test, data, DT_TEST, SEED, t->train->transform, &error) != DT_OK ||
        dt_trainer_create(&t->trainer, &t->experiment, &(dt_trainer_data){.train = t->train, .test = t->test},
                          &error) != DT_OK)
        fail_msg("%s", error.message);
}

static void end(training *t)
{
    dt_trainer_destroy(t->trainer);
    dt_dataset_destroy(t->train);
    dt_dataset_destroy(t->test);
    t->trainer = NULL;
    t->train = t->test = NULL;
}

/* What a run comes to: the weights, and the last epoch's figures. */
typedef struct outcome {
    char weights[65];
    double figures[6];
} outcome;

static dt_status keep_figures(void *self, const dt_epoch_report *r, dt_error *error)
{
    outcome *o = self;
    (void)error;
    memcpy(o->figures,
           ((double[6]){r->train_loss, r->train_accuracy, r->validation_loss, r->validation_accuracy, r->test_loss,
                        r->test_accuracy}),
           sizeof o->figures);
    for (int i = 0; i < 6; i++)
        if (isnan(o->figures[i]))
            o->figures[i] = -1;
    return DT_OK;
}

static void run(training *t, outcome *o)
{
    dt_error error = {0};
    const dt_observer observer = {.self = o, .epoch = keep_figures};
    memset(o, 0, sizeof *o);
    begin(t);
    assert_int_equal(dt_trainer_observe(t->trainer, &observer, NULL), DT_OK);
    if (dt_trainer_run(t->trainer, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(dt_trainer_weights_sha256(t->trainer, o->weights, NULL), DT_OK);
    end(t);
}

/* The same run from memory and streamed, with each number of threads and each strategy. */
static void compare(training *t, const char *what)
{
    static const int64_t threads[] = {1, 2, 3, 5, 8};
    static const char *const strategies[] = {"tree", "owner", "split"};
    outcome memory, streamed;
    t->experiment.data.stream = "false";
    run(t, &memory);
    t->experiment.data.stream = "true";
    for (size_t i = 0; i < 5; i++) {
        t->experiment.parallel.threads = threads[i];
        t->experiment.parallel.reduction = strategies[i % 3];
        run(t, &streamed);
        if (strcmp(memory.weights, streamed.weights) != 0 ||
            memcmp(memory.figures, streamed.figures, sizeof memory.figures) != 0)
            fail_msg("%s, %lld threads, %s: other bits than from memory", what, (long long)threads[i],
                     strategies[i % 3]);
    }
}

static void streamed_runs_have_the_bits_of_memory(void **state)
{
    fixture *f = *state;
    training t;
    for (size_t i = 0; i < SHAPES; i++) {
        char what[80];
        describe(&t, f);
        t.experiment.data.window = shapes[i].window;
        t.experiment.data.block = shapes[i].block;
        t.experiment.training.batch_size = dt_max(1, dt_min(20, shapes[i].window / 3));
        t.experiment.training.epochs = 2;
        if (shapes[i].window == 1)
            continue; /* windows of one row go with minibatches of one: below */
        snprintf(what, sizeof what, "windows of %lld, blocks of %lld", (long long)shapes[i].window,
                 (long long)shapes[i].block);
        compare(&t, what);
    }
    describe(&t, f);
    t.experiment.data.window = t.experiment.data.block = 1;
    t.experiment.training.batch_size = 2;
    t.experiment.training.epochs = 1;
    compare(&t, "windows of a row");
}

static void whatever_the_file_and_the_experiment(void **state)
{
    fixture *f = *state;
    const hid_t types[] = {H5T_STD_U8LE, H5T_IEEE_F32LE, H5T_IEEE_F64BE, H5T_STD_I16BE, H5T_STD_I64LE};
    training t;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int how = CONTIGUOUS; how <= PACKED; how++) {
            make_file(f->train, ROWS, 1, types[i], (layout)how, 0);
            describe(&t, f);
            t.experiment.training.epochs = 2;
            t.experiment.data.validation_fraction = how == CHUNKED ? 0.1 : 0;
            t.experiment.data.standardize = how == PACKED;
            t.experiment.data.min_max = how == CHUNKED;
            t.experiment.data.scale = how == CONTIGUOUS ? 1.0 / 255 : 1;
            t.experiment.training.shuffle = i != 3;
            t.experiment.precision = i == 2 ? DT_FLOAT64 : DT_FLOAT32;
            t.experiment.data.noise = i == 1 ? 0.1 : 0;
            t.experiment.data.block = how == CONTIGUOUS ? 0 : 16;
            t.experiment.data.memory = how == CONTIGUOUS ? 0 : 32768; /* so that scans go through it in pieces */
            compare(&t, "types and layouts");
        }
    make_file(f->train, ROWS, 1, H5T_STD_U8LE, CONTIGUOUS, 0);
    describe(&t, f);
    t.experiment.data.train.labels = t.experiment.data.test.labels = "/t";
    t.experiment.data.targets = DT_TARGETS_REGRESSION;
    t.experiment.loss = "squared_error";
    t.layers[1].units = 2;
    t.experiment.data.validation_fraction = 0.3;
    compare(&t, "regression");
}

/* Little memory decides the windows, and auto what is streamed; the bits are those of memory with the same windows. */
static void little_memory(void **state)
{
    fixture *f = *state;
    training t;
    outcome memory, streamed;
    describe(&t, f);
    t.experiment.data.window = t.experiment.data.block = 0;
    t.experiment.data.memory = 4096; /* of 6204 bytes of inputs */
    t.experiment.training.batch_size = 10;
    begin(&t);
    assert_non_null(t.train->feed);
    assert_null(t.test->feed); /* 1572 bytes */
    assert_true(dt_feed_bytes(dt_feed_sizes_of(t.train->feed)) <= 4096 && t.train->windows > 1);
    const int64_t block = t.train->block, blocks = dt_ceil_div(ROWS, block);
    const int64_t window = dt_ceil_div(blocks, t.train->windows) * block;
    end(&t);
    run(&t, &streamed);
    t.experiment.data.stream = "false";
    t.experiment.data.window = window;
    t.experiment.data.block = block;
    run(&t, &memory);
    assert_string_equal(memory.weights, streamed.weights);
    t.experiment.data.window = t.experiment.data.block = 0;
    run(&t, &memory);
    assert_string_not_equal(memory.weights, streamed.weights); /* another order */
}

/* A trainer that is given another's place and numbers, in the middle of a window, of an epoch, or at their borders. */
static void goes_on_in_the_middle_of_an_epoch(void **state)
{
    static const int64_t steps[] = {1, 4, 5, 12, 25, 26, 27, 40, 77};
    fixture *f = *state;
    training whole, first, second;
    outcome expected;
    char weights[65];
    describe(&whole, f);
    whole.experiment.data.stream = "true";
    run(&whole, &expected);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        dt_trainer_position position;
        describe(&first, f);
        first.experiment.data.stream = "true";
        begin(&first);
        assert_int_equal(dt_trainer_steps(first.trainer, steps[i], NULL), DT_OK);
        dt_trainer_position_of(first.trainer, &position);
        describe(&second, f);
        second.experiment.data.stream = "true";
        second.experiment.parallel.threads = 3;
        begin(&second);
        for (int64_t l = 1; l <= 2; l++) {
            float W[CLASSES * 9 + 9 * FEATURES], b[9];
            dt_trainer_weights(first.trainer, l, W, b);
            dt_trainer_set_weights(second.trainer, l, W, b);
            dt_trainer_state(first.trainer, 0, l, W, b);
            dt_trainer_set_state(second.trainer, 0, l, W, b);
        }
        assert_int_equal(dt_trainer_set_position(second.trainer, &position, NULL), DT_OK);
        assert_int_equal(dt_trainer_run(second.trainer, NULL), DT_OK);
        assert_int_equal(dt_trainer_weights_sha256(second.trainer, weights, NULL), DT_OK);
        assert_string_equal(weights, expected.weights);
        end(&first);
        end(&second);
    }
}

/* --- what else sees rows --- */

typedef struct watching {
    const int64_t *rows;
    int64_t count, seen;
    double x[5 * FEATURES];
} watching;

static bool watches(const void *self, int64_t step, int64_t epoch)
{
    (void)self, (void)epoch;
    return step % 7 == 3;
}

static void see(void *self, const dt_step_view *view, int64_t first, int64_t count)
{
    watching *w = self;
    const dt_matrix_view x = dt_step_samples(view, DT_QUANTITY_A, 0, first, count);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(view->sample_id[first + i], w->rows[first + i]);
        for (int64_t k = 0; k < FEATURES; k++)
            w->x[(first + i) * FEATURES + k] += (double)((const float *)x.data)[i * x.stride + k];
        w->seen++;
    }
}

static void captured_rows_are_the_data_sets(void **state)
{
    static const int64_t rows[5] = {516, 3, 200, 3, 0};
    static const char *const streams[] = {"false", "true"};
    fixture *f = *state;
    watching seen[2] = {{rows, 5, 0, {0}}, {rows, 5, 0, {0}}};
    for (int i = 0; i < 2; i++) {
        training t;
        const dt_observer observer = {
            .self = &seen[i], .watches = watches, .samples = see, .probe_rows = rows, .probe_count = 5};
        describe(&t, f);
        t.experiment.data.stream = streams[i];
        begin(&t);
        assert_int_equal(dt_trainer_observe(t.trainer, &observer, NULL), DT_OK);
        assert_int_equal(dt_trainer_run(t.trainer, NULL), DT_OK);
        end(&t);
    }
    assert_int_equal(seen[0].seen, seen[1].seen);
    assert_memory_equal(seen[0].x, seen[1].x, sizeof seen[0].x);
}

static void rows_are_picked_and_scanned(void **state)
{
    static const int64_t wanted[] = {500, 2, 2, 516, 0, 99, 500};
    fixture *f = *state;
    training t;
    dt_dataset *whole, *one, *other;
    double row[FEATURES], expected[FEATURES];
    describe(&t, f);
    t.experiment.data.memory = 8192;
    assert_int_equal(dt_dataset_open_part(&whole, &t.experiment.data, DT_TRAIN, 1, NULL, NULL), DT_OK);
    t.experiment.data.stream = "true";
    begin(&t);
    assert_null(whole->feed);
    assert_int_equal(dt_dataset_pick(&one, whole, wanted, 7, NULL), DT_OK);
    assert_int_equal(dt_dataset_pick(&other, t.train, wanted, 7, NULL), DT_OK);
    assert_memory_equal(one->inputs, other->inputs, 7 * FEATURES);
    assert_memory_equal(one->labels, other->labels, 7 * sizeof *one->labels);
    dt_scan s;
    assert_int_equal(dt_scan_begin(&s, t.train, (dt_rows){ROWS, NULL}, NULL), DT_OK);
    for (int64_t i = 0; i < ROWS; i++) {
        assert_int_equal(dt_scan_row(&s, i, row, NULL), DT_OK);
        dt_dataset_row(whole, i, expected);
        assert_memory_equal(row, expected, sizeof row);
        if (i == 200) /* windows and scans don't disturb each other */
            assert_int_equal(dt_trainer_steps(t.trainer, 9, NULL), DT_OK);
    }
    dt_scan_end(&s);
    dt_dataset_destroy(one);
    dt_dataset_destroy(other);
    dt_dataset_destroy(whole);
    end(&t);
}

static void steps_allocate_nothing(void **state)
{
    fixture *f = *state;
    counting_memory memory = {0};
    training t;
    describe(&t, f);
    t.experiment.data.stream = "true";
    dt_memory_hook(counting_allocate, counting_release, &memory);
    begin(&t);
    assert_int_equal(dt_trainer_steps(t.trainer, 2, NULL), DT_OK);
    const long before = memory.calls;
    assert_int_equal(dt_trainer_steps(t.trainer, 70, NULL), DT_OK); /* windows, and an epoch's end */
    assert_int_equal(memory.calls, before);
    end(&t);
    assert_int_equal(memory.blocks, 0);
    dt_memory_hook(NULL, NULL, NULL);
}

static void every_allocation_may_fail(void **state)
{
    fixture *f = *state;
    dt_status status = DT_NO_MEMORY;
    for (long n = 1; status != DT_OK; n++) {
        counting_memory memory = {.fail_at = n};
        training t;
        describe(&t, f);
        t.experiment.data.stream = "true";
        t.experiment.data.standardize = true;
        dt_memory_hook(counting_allocate, counting_release, &memory);
        status = dt_dataset_open_part(&t.train, &t.experiment.data, DT_TRAIN, SEED, NULL, NULL);
        assert_true(status == DT_OK || (status == DT_NO_MEMORY && !t.train));
        dt_dataset_destroy(t.train);
        dt_memory_hook(NULL, NULL, NULL);
        assert_int_equal(memory.blocks, 0);
        assert_true(n < 200);
    }
}

static void one_trainer_at_a_time(void **state)
{
    fixture *f = *state;
    training t;
    dt_trainer *second;
    dt_error error = {0};
    describe(&t, f);
    t.experiment.data.stream = "true";
    begin(&t);
    const dt_trainer_data data = {.train = t.train};
    assert_int_equal(dt_trainer_create(&second, &t.experiment, &data, &error), DT_INVALID);
    assert_non_null(strstr(error.message, "is read for another trainer"));
    dt_trainer_destroy(t.trainer);
    assert_int_equal(dt_trainer_create(&t.trainer, &t.experiment, &data, NULL), DT_OK);
    end(&t);
}

/* --- what can go wrong --- */

static void expect_end(training *t, dt_status status, const char *says)
{
    dt_error error = {0};
    const dt_status got = dt_trainer_run(t->trainer, &error);
    if (got != status || !strstr(error.message, says))
        fail_msg("status %d (not %d): %s (not: %s)", got, status, error.message, says);
    /* The steps that were made are whole, and it stays so. */
    assert_int_equal(dt_trainer_steps(t->trainer, 1000, NULL), status);
    end(t);
}

static void a_file_that_changes(void **state)
{
    fixture *f = *state;
    training t;
    struct stat file;
    for (int how = 0; how < 3; how++) {
        make_file(f->train, ROWS, 1, H5T_STD_U8LE, CONTIGUOUS, 0);
        describe(&t, f);
        t.experiment.data.stream = "true";
        begin(&t);
        assert_int_equal(dt_trainer_steps(t.trainer, 30, NULL), DT_OK);
        assert_int_equal(stat(f->train, &file), 0);
        if (how == 0) {
            assert_int_equal(truncate(f->train, file.st_size / 2), 0);
        } else if (how == 1) { /* the same size, later */
            file.st_mtim.tv_sec += 2;
            assert_int_equal(utimensat(0, f->train, (struct timespec[]){file.st_mtim, file.st_mtim}, 0), 0);
        } else { /* another file in its place: this run goes on with its own */
            assert_int_equal(unlink(f->train), 0);
            make_file(f->train, 100, 3, H5T_STD_U8LE, CONTIGUOUS, 0);
            assert_int_equal(dt_trainer_run(t.trainer, NULL), DT_OK);
            end(&t);
            continue;
        }
        expect_end(&t, DT_IO, "was changed while it was read");
    }
    make_file(f->train, ROWS, 1, H5T_STD_U8LE, CONTIGUOUS, 0);
}

static void a_number_that_is_none(void **state)
{
    fixture *f = *state;
    training t;
    make_file(f->train, ROWS, 1, H5T_IEEE_F32LE, CHUNKED, NAN);
    describe(&t, f);
    t.experiment.data.stream = "true";
    begin(&t);
    expect_end(&t, DT_MALFORMED, "/x: input 5 of row 400 is nan");
    dt_dataset *d;
    dt_error error = {0};
    t.experiment.data.standardize = true; /* is met while it is opened */
    assert_int_equal(dt_dataset_open_part(&d, &t.experiment.data, DT_TRAIN, 1, NULL, &error), DT_MALFORMED);
    assert_non_null(strstr(error.message, "input 5 of row 400 is nan"));
    make_file(f->train, ROWS, 1, H5T_STD_U8LE, CONTIGUOUS, 0);
}

/* A source of made-up rows, which ends badly on its n-th read. */
typedef struct source {
    int64_t reads, bad_at;
    int how; /* a signal; -1: reports EIO; 0: never */
} source;

static dt_status open_source(void *context, dt_error *error)
{
    (void)context, (void)error;
    return DT_OK;
}

static int64_t most_rows(const void *context, int64_t first)
{
    (void)context;
    return 7 - first % 7;
}

static dt_status read_source(void *context, int64_t first, int64_t count, void *to, dt_error *error)
{
    source *s = context;
    if (++s->reads == s->bad_at && s->how == -1)
        return dt_fail(error, DT_IO, "made-up: can't read: %s", strerror(EIO));
    if (s->reads == s->bad_at && s->how > 0)
        raise(s->how);
    for (int64_t i = 0; i < count * FEATURES; i++)
        ((uint8_t *)to)[i] = (uint8_t)((first * FEATURES + i) % 251);
    return DT_OK;
}

static void close_source(void *context)
{
    (void)context;
}

static void begin_made_up(training *t, const fixture *f, source *s)
{
    static int32_t labels[ROWS];
    dt_feed_sizes sizes;
    dt_dataset *d = t->train = calloc(1, sizeof *d);
    const dt_feed_source from = {.path = f->train,
                                 .name = "made-up",
                                 .context = s,
                                 .open = open_source,
                                 .read = read_source,
                                 .most = most_rows,
                                 .close = close_source,
                                 .memory = 1 << 20};
    assert_int_equal(dt_feed_plan(&sizes, ROWS, FEATURES, 0, 1 << 20, 100, 16, true, NULL), DT_OK);
    *d = (dt_dataset){.rows = ROWS,
                      .features = FEATURES,
                      .classes = CLASSES,
                      .element = DT_U8,
                      .labels = labels,
                      .block = sizes.windows.block,
                      .windows = sizes.windows.count};
    assert_int_equal(dt_feed_create(&d->feed, &from, &sizes, NULL), DT_OK);
    d->inputs = dt_feed_inputs(d->feed);
    d->slot = dt_feed_slots(d->feed);
    assert_int_equal(dt_trainer_create(&t->trainer, &t->experiment, &(dt_trainer_data){.train = d}, NULL), DT_OK);
}

static void a_reader_that_dies(void **state)
{
    static const struct {
        int how;
        dt_status status;
        const char *says;
    } ends[] = {{SIGKILL, DT_SYSTEM, "the process that read it was killed"},
                {SIGSEGV, DT_MALFORMED, "malformed: the HDF5 library breaks on it"},
                {-1, DT_IO, "made-up: can't read: Input/output error"}};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int64_t at = 1; at < 140; at += 23) {
            training t;
            dt_error error = {0};
            source s = {.bad_at = at, .how = ends[i].how};
            describe(&t, f);
            begin_made_up(&t, f, &s);
            const dt_status status = dt_trainer_run(t.trainer, &error);
            if (status != ends[i].status || !strstr(error.message, ends[i].says))
                fail_msg("read %lld: status %d: %s", (long long)at, status, error.message);
            dt_trainer_destroy(t.trainer);
            dt_feed_destroy(t.train->feed);
            free(t.train);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_once_an_epoch_in_the_order_that_is_told),
        cmocka_unit_test(one_window_is_the_order_in_memory),
        cmocka_unit_test(minibatches_reach_over_two_windows_at_most),
        cmocka_unit_test(memory_is_a_bound),
        cmocka_unit_test(streamed_runs_have_the_bits_of_memory),
        cmocka_unit_test(whatever_the_file_and_the_experiment),
        cmocka_unit_test(little_memory),
        cmocka_unit_test(goes_on_in_the_middle_of_an_epoch),
        cmocka_unit_test(captured_rows_are_the_data_sets),
        cmocka_unit_test(rows_are_picked_and_scanned),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(one_trainer_at_a_time),
        cmocka_unit_test(a_file_that_changes),
        cmocka_unit_test(a_number_that_is_none),
        cmocka_unit_test(a_reader_that_dies),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
