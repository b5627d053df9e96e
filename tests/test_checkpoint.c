/* Checkpoints: a run that goes on, from any place and with any number of workers, ends with the bits of one that was
 * never interrupted; a damaged file is found out; early stopping and divergence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hdf5.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "counting_memory.h"
#include "scratch.h"
#include "small.h"

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        dt_error ok_error = {0}, *error = &ok_error;                                                                   \
        if ((call) != DT_OK)                                                                                           \
            fail_msg("%s: %s", #call, ok_error.message);                                                               \
    } while (0)

enum { EPOCHS = 4, ROWS = 70, BATCH = 16, STEPS_PER_EPOCH = 5, STEPS = EPOCHS * STEPS_PER_EPOCH };

/* Everything that a run leaves in the trainer and shows to observers. */
typedef struct record {
    char weights[65];
    dt_epoch_report report[64];
    int64_t reports;
} record;

static dt_status keep_report(void *self, const dt_epoch_report *report, dt_error *error)
{
    record *r = self;
    (void)error;
    if (report->epoch >= 1 && report->epoch <= 64) {
        r->report[report->epoch - 1] = *report;
        r->reports = report->epoch;
    }
    return DT_OK;
}

static void make(small *s, dt_precision precision, const char *reduction, double momentum)
{
    static const int64_t units[] = {9, 11, 4};
    small_make(s, 5, ROWS, units, 2, "tanh");
    s->experiment.precision = precision;
    s->experiment.training.epochs = EPOCHS;
    s->experiment.training.batch_size = BATCH;
    s->experiment.optimizer.learning_rate = 0.1;
    s->experiment.optimizer.momentum = momentum;
    s->experiment.parallel.threads = 1;
    s->experiment.parallel.reduction = reduction;
}

/* All that remembers something from step to step, and all that is drawn for a step. */
static void plateaus_and_adam(small *s)
{
    dt_experiment_set_optimizer(&s->experiment, "adam");
    s->experiment.optimizer.clip_norm = 0.5;
    s->experiment.data.noise = 0.1;
    s->layers[0].dropout = 0.3;
    dt_experiment_set_schedule(&s->experiment, "reduce_on_plateau");
    s->experiment.schedule.patience = 0;
    s->experiment.schedule.threshold = 0.9; /* every second epoch is one */
    s->experiment.schedule.cooldown = 1;
    s->experiment.schedule.factor = 0.5;
}

static void one_cycle(small *s)
{
    dt_experiment_set_schedule(&s->experiment, "one_cycle");
    s->layers[0].max_norm = 0.8;
}

static dt_trainer *trainer_of(const small *s, record *r)
{
    dt_trainer *t;
    const dt_trainer_data data = {.train = &s->data, .test = &s->data};
    OK(dt_trainer_create(&t, &s->experiment, &data, error));
    if (r)
        OK(dt_trainer_observe(t, &(dt_observer){.self = r, .epoch = keep_report}, error));
    return t;
}

static void same_records(const record *a, const record *b)
{
    assert_string_equal(a->weights, b->weights);
    assert_int_equal(a->reports, b->reports);
    for (int64_t i = 0; i < a->reports; i++) {
        dt_epoch_report x = a->report[i], y = b->report[i];
        x.seconds = y.seconds = x.samples_per_second = y.samples_per_second = 0;
        assert_memory_equal(&x, &y, sizeof x);
    }
}

static void run_whole(const small *s, record *r)
{
    dt_trainer *t = trainer_of(s, r);
    OK(dt_trainer_run(t, error));
    OK(dt_trainer_weights_sha256(t, r->weights, error));
    dt_trainer_destroy(t);
}

/* The observer that stops at a step. */
typedef struct stopper {
    dt_trainer *trainer;
    int64_t at;
} stopper;

static void stop_at(void *self, int64_t done, int64_t total, double loss)
{
    stopper *s = self;
    (void)total;
    (void)loss;
    if (done == s->at)
        dt_trainer_stop(s->trainer);
}

/* Stops before step `at` has been made (its flag is seen after the next step), writes model.h5 layout to `path`. */
static void run_until(const small *s, int64_t at, const char *path, record *r)
{
    dt_trainer *t = trainer_of(s, r);
    stopper stop = {t, at - 1};
    dt_error failure = {0};
    if (at == 1)
        dt_trainer_stop(t);
    OK(dt_trainer_observe(t, &(dt_observer){.self = &stop, .progress = stop_at}, error));
    assert_int_equal(dt_trainer_run(t, &failure), DT_STOPPED);
    assert_int_equal(dt_trainer_step(t), at);
    OK(dt_model_write(path, t, "text", "{}", error));
    dt_trainer_destroy(t);
}

static void go_on(const small *s, const char *path, int64_t from, record *r)
{
    dt_trainer *t = trainer_of(s, r);
    dt_checkpoint *checkpoint;
    dt_trainer_position p;
    OK(dt_checkpoint_open(&checkpoint, path, t, error));
    dt_checkpoint_position(checkpoint, &p);
    assert_int_equal(p.step, from);
    OK(dt_checkpoint_restore(checkpoint, t, error));
    dt_checkpoint_close(checkpoint);
    OK(dt_trainer_run(t, error));
    OK(dt_trainer_weights_sha256(t, r->weights, error));
    dt_trainer_destroy(t);
}

static void resuming_gives_the_bits_of_a_run_without_a_break(void **state)
{
    static const struct {
        dt_precision precision;
        const char *reduction;
        double momentum;
        void (*change)(small *s);
    } cases[] = {{DT_FLOAT32, "tree", 0.9, NULL},
                 {DT_FLOAT32, "owner", 0, NULL},
                 {DT_FLOAT64, "split", 0.9, NULL},
                 {DT_FLOAT32, "tree", 0, plateaus_and_adam},
                 {DT_FLOAT64, "tree", 0.9, one_cycle}};
    static const int64_t threads[] = {1, 2, 3, 5};
    scratch folder;
    scratch_make(&folder);
    const char *path = scratch_path(&folder, "stopped.h5");
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        small *s = malloc(sizeof *s);
        assert_non_null(s);
        record whole = {0};
        make(s, cases[c].precision, cases[c].reduction, cases[c].momentum);
        if (cases[c].change)
            cases[c].change(s);
        run_whole(s, &whole);
        if (cases[c].change == plateaus_and_adam) /* it did reduce */
            assert_true(whole.report[EPOCHS - 1].learning_rate < whole.report[0].learning_rate);
        for (int64_t at = 1; at < STEPS; at++) { /* epochs' ends are among them */
            record parts = {0};
            s->experiment.parallel.threads = threads[at % 4];
            run_until(s, at, path, &parts);
            s->experiment.parallel.threads = threads[(at / 4 + 1) % 4];
            go_on(s, path, at, &parts);
            same_records(&whole, &parts);
        }
        free(s);
    }
    scratch_remove(&folder);
}

/* --- a damaged file --- */

static unsigned char *read_all(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    unsigned char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

static void write_all(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* Opens it; where that works, the trainer must be what it was. */
static bool is_refused(const char *path, dt_trainer *t, const dt_trainer_position *right, const char *weights)
{
    dt_checkpoint *checkpoint;
    dt_error failure = {0};
    const dt_status status = dt_checkpoint_open(&checkpoint, path, t, &failure);
    if (status != DT_OK) {
        assert_null(checkpoint);
        assert_true(status == DT_MALFORMED || status == DT_INVALID);
        assert_int_equal(strncmp(failure.message, path, strlen(path)), 0);
        return true;
    }
    dt_trainer_position p;
    char hex[65];
    OK(dt_checkpoint_restore(checkpoint, t, error));
    dt_checkpoint_close(checkpoint);
    dt_trainer_position_of(t, &p);
    OK(dt_trainer_weights_sha256(t, hex, error));
    assert_string_equal(hex, weights);
    assert_int_equal(p.step, right->step);
    assert_true(p.loss_sum == right->loss_sum && p.right == right->right && p.seen == right->seen);
    return false;
}

static void no_flipped_byte_gives_other_weights(void **state)
{
    small *s = malloc(sizeof *s);
    scratch folder;
    dt_trainer_position right;
    char weights[65];
    size_t size;
    (void)state;
    assert_non_null(s);
    scratch_make(&folder);
    const char *path = scratch_path(&folder, "a.h5"), *broken = scratch_path(&folder, "b.h5");
    make(s, DT_FLOAT32, "tree", 0.9);
    run_until(s, 7, path, NULL);
    dt_trainer *t = trainer_of(s, NULL);
    dt_checkpoint *checkpoint;
    OK(dt_checkpoint_open(&checkpoint, path, t, error));
    OK(dt_checkpoint_restore(checkpoint, t, error));
    dt_checkpoint_close(checkpoint);
    dt_trainer_position_of(t, &right);
    OK(dt_trainer_weights_sha256(t, weights, error));
    unsigned char *bytes = read_all(path, &size);
    int refused = 0, taken = 0;
    for (size_t i = 0; i < size; i += size / 400 + 1) {
        const unsigned char kept = bytes[i];
        bytes[i] ^= (unsigned char)(i % 2 ? 0x80 : 0x5a);
        write_all(broken, bytes, size);
        *(is_refused(broken, t, &right, weights) ? &refused : &taken) += 1;
        bytes[i] = kept;
    }
    assert_true(refused > 30 && taken > 0);
    for (size_t cut = 0; cut < size; cut += size / 20 + 1) {
        write_all(broken, bytes, cut);
        assert_true(is_refused(broken, t, &right, weights));
    }
    free(bytes);
    dt_trainer_destroy(t);
    free(s);
    scratch_remove(&folder);
}

/* Each number of the state, changed by HDF5 itself, so that the file is sound but for what it says. */
static void no_changed_number_is_believed(void **state)
{
    static const char *const changed[] = {"/layer01/W",
                                          "/layer02/b",
                                          "/state/step",
                                          "/state/loss_sum",
                                          "/state/right",
                                          "/state/seen",
                                          "/state/best_epoch",
                                          "/state/schedule_factor",
                                          "/state/schedule_bad_epochs",
                                          "/state/seconds",
                                          "/state/momentum_buffer/layer01/W",
                                          "/state/momentum_buffer/layer02/b"};
    small *s = malloc(sizeof *s);
    scratch folder;
    (void)state;
    assert_non_null(s);
    scratch_make(&folder);
    const char *path = scratch_path(&folder, "a.h5");
    make(s, DT_FLOAT64, "tree", 0.9);
    dt_trainer *t = trainer_of(s, NULL);
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        run_until(s, 7, path, NULL);
        hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, changed[i], H5P_DEFAULT);
        double *numbers = calloc(4096, sizeof *numbers);
        assert_non_null(numbers);
        assert_true(set >= 0 && H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
        numbers[0] += 1;
        assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
        free(numbers);
        H5Dclose(set);
        H5Fclose(file);
        dt_checkpoint *checkpoint;
        dt_error failure = {0};
        assert_int_equal(dt_checkpoint_open(&checkpoint, path, t, &failure), DT_MALFORMED);
        assert_non_null(strstr(failure.message, "SHA-256"));
    }
    dt_trainer_destroy(t);
    free(s);
    scratch_remove(&folder);
}

static void another_precision_or_network_is_refused(void **state)
{
    small *s = malloc(sizeof *s);
    scratch folder;
    (void)state;
    assert_non_null(s);
    scratch_make(&folder);
    const char *path = scratch_path(&folder, "a.h5");
    make(s, DT_FLOAT64, "tree", 0.9);
    run_until(s, 7, path, NULL);
    dt_checkpoint *checkpoint;
    dt_error failure = {0};
    s->experiment.precision = DT_FLOAT32;
    dt_trainer *t = trainer_of(s, NULL);
    assert_int_equal(dt_checkpoint_open(&checkpoint, path, t, &failure), DT_INVALID);
    assert_non_null(strstr(failure.message, "holds precision float64"));
    dt_trainer_destroy(t);
    s->experiment.precision = DT_FLOAT64;
    s->layers[0].units = 12;
    t = trainer_of(s, NULL);
    dt_error_clear(&failure);
    assert_int_equal(dt_checkpoint_open(&checkpoint, path, t, &failure), DT_MALFORMED);
    dt_trainer_destroy(t);
    free(s);
    scratch_remove(&folder);
}

/* --- the folder --- */

static void save_three(void *self, void *bytes)
{
    memcpy(bytes, self, 3);
}

static void the_newest_are_kept_and_the_best(void **state)
{
    small *s = malloc(sizeof *s);
    scratch folder;
    record r = {0};
    (void)state;
    assert_non_null(s);
    scratch_make(&folder);
    make(s, DT_FLOAT32, "tree", 0.9);
    s->experiment.checkpoint = (dt_checkpoint_spec){.every = 1, .keep = 2, .best = "train_loss"};
    char text[4] = "abc";
    const dt_checkpoint_source source = {"letters", text, 3, save_three};
    const dt_checkpoint_options options = {
        .experiment_text = "x", .provenance = "{}", .experiment_id = "e", .sources = &source, .source_count = 1};
    dt_trainer *t = trainer_of(s, &r);
    dt_checkpoints *c;
    OK(dt_checkpoints_create(&c, folder.folder, t, &options, error));
    assert_null(dt_checkpoints_newest(c));
    OK(dt_trainer_run(t, error));
    assert_string_equal(dt_checkpoints_newest(c), scratch_path(&folder, "checkpoint-000020.h5"));
    OK(dt_checkpoints_close(c, error));
    dt_trainer_destroy(t);

    int64_t *steps;
    size_t count;
    OK(dt_checkpoint_list(folder.folder, &steps, &count, error));
    assert_int_equal(count, 2);
    assert_int_equal(steps[0], 20);
    assert_int_equal(steps[1], 15);
    dt_checkpoint_list_release(steps);
    assert_int_equal(scratch_files(&folder), 3); /* and best.h5: no temporary file */

    int64_t best = 0;
    for (int64_t i = 1; i < r.reports; i++)
        if (r.report[i].train_loss < r.report[best].train_loss)
            best = i;
    int64_t step;
    OK(dt_checkpoint_step(scratch_path(&folder, "best.h5"), &step, error));
    assert_int_equal(step, (best + 1) * STEPS_PER_EPOCH);

    t = trainer_of(s, NULL);
    dt_checkpoint *checkpoint;
    size_t size;
    OK(dt_checkpoint_open(&checkpoint, scratch_path(&folder, "checkpoint-000015.h5"), t, error));
    assert_memory_equal(dt_checkpoint_bytes(checkpoint, "letters", &size), "abc", 3);
    assert_int_equal(size, 3);
    assert_null(dt_checkpoint_bytes(checkpoint, "others", &size));
    assert_string_equal(dt_checkpoint_experiment_id(checkpoint), "e");
    dt_checkpoint_close(checkpoint);
    /* A checkpoint is a model. */
    OK(dt_model_read(scratch_path(&folder, "checkpoint-000020.h5"), t, error));
    char hex[65];
    OK(dt_trainer_weights_sha256(t, hex, error));
    dt_trainer_destroy(t);
    run_whole(s, &r);
    assert_string_equal(hex, r.weights);
    free(s);
    scratch_remove(&folder);
}

static void later_checkpoints_of_a_run_that_fell_back_go(void **state)
{
    small *s = malloc(sizeof *s);
    scratch folder;
    (void)state;
    assert_non_null(s);
    scratch_make(&folder);
    make(s, DT_FLOAT32, "tree", 0);
    s->experiment.checkpoint = (dt_checkpoint_spec){.every = 1, .keep = 1};
    s->experiment.training.epochs = 1;
    write_all(scratch_path(&folder, "checkpoint-000099.h5"), (const unsigned char *)"no", 2);
    write_all(scratch_path(&folder, ".checkpoint-000005.h5.123-4.tmp"), (const unsigned char *)"no", 2);
    dt_trainer *t = trainer_of(s, NULL);
    dt_checkpoints *c;
    OK(dt_checkpoints_create(&c, folder.folder, t, &(dt_checkpoint_options){0}, error));
    OK(dt_trainer_run(t, error));
    OK(dt_checkpoints_close(c, error));
    dt_trainer_destroy(t);
    assert_int_equal(scratch_files(&folder), 1);
    assert_int_equal(access(scratch_path(&folder, "checkpoint-000005.h5"), R_OK), 0);
    free(s);
    scratch_remove(&folder);
}

/* --- early stopping --- */

/* Epochs, by hand from the reports, after which it must have stopped. */
static int64_t must_stop(const record *r, int64_t patience, double least)
{
    double best = INFINITY;
    int64_t best_epoch = 0;
    for (int64_t e = 1; e <= r->reports; e++) {
        if (r->report[e - 1].test_loss < best - least) {
            best = r->report[e - 1].test_loss;
            best_epoch = e;
        }
        if (e - best_epoch >= patience)
            return e;
    }
    return r->reports;
}

static void early_stopping_across_a_break(void **state)
{
    small *s = malloc(sizeof *s);
    scratch folder;
    record all = {0}, whole = {0};
    (void)state;
    assert_non_null(s);
    scratch_make(&folder);
    const char *path = scratch_path(&folder, "stopped.h5");
    make(s, DT_FLOAT32, "tree", 0.9);
    s->experiment.optimizer.learning_rate = 0.5;
    s->experiment.training.epochs = 40;
    run_whole(s, &all);
    s->experiment.early_stopping = (dt_early_stopping_spec){3, "test_loss", 0.001, true};
    const int64_t expected = must_stop(&all, 3, 0.001);
    assert_true(expected > 3 && expected < 40);
    run_whole(s, &whole);
    assert_int_equal(whole.reports, expected);
    assert_string_not_equal(whole.weights, all.weights);

    /* The best epoch's weights: those of a run that has no more epochs. */
    record best = {0};
    int64_t best_epoch = 1;
    for (int64_t e = 2; e <= expected; e++)
        if (all.report[e - 1].test_loss < all.report[best_epoch - 1].test_loss - 0.001)
            best_epoch = e;
    s->experiment.training.epochs = best_epoch;
    s->experiment.early_stopping.patience = 0;
    run_whole(s, &best);
    assert_string_equal(best.weights, whole.weights);
    s->experiment.training.epochs = 40;
    s->experiment.early_stopping.patience = 3;

    for (int64_t at = (expected - 3) * STEPS_PER_EPOCH - 2; at < expected * STEPS_PER_EPOCH; at += 4) {
        record parts = {0};
        run_until(s, at, path, &parts);
        go_on(s, path, at, &parts);
        same_records(&whole, &parts);
    }
    free(s);
    scratch_remove(&folder);
}

/* More epochs after the best one's weights were taken: from the last ones. */
static void more_epochs_after_the_best_was_restored(void **state)
{
    small *s = malloc(sizeof *s);
    scratch folder;
    record six = {0}, three = {0};
    (void)state;
    assert_non_null(s);
    scratch_make(&folder);
    const char *path = scratch_path(&folder, "end.h5");
    make(s, DT_FLOAT64, "tree", 0.9);
    s->experiment.optimizer.learning_rate = 0.5;
    s->experiment.early_stopping = (dt_early_stopping_spec){30, "test_loss", 0, true};
    s->experiment.training.epochs = 6;
    run_whole(s, &six);
    s->experiment.training.epochs = 3;
    dt_trainer *t = trainer_of(s, &three);
    OK(dt_trainer_run(t, error));
    OK(dt_model_write(path, t, "text", "{}", error));
    dt_trainer_destroy(t);
    s->experiment.training.epochs = 6;
    go_on(s, path, 3 * STEPS_PER_EPOCH, &three);
    same_records(&six, &three);
    free(s);
    scratch_remove(&folder);
}

static void a_metric_needs_its_data(void **state)
{
    small *s = malloc(sizeof *s);
    dt_error failure = {0};
    (void)state;
    assert_non_null(s);
    make(s, DT_FLOAT32, "tree", 0);
    s->experiment.early_stopping.patience = 1;
    dt_trainer *t = trainer_of(s, NULL);
    assert_int_equal(dt_trainer_run(t, &failure), DT_INVALID);
    assert_int_equal(strncmp(failure.message, "training.early_stopping.metric: validation_loss needs ", 54), 0);
    dt_trainer_destroy(t);
    free(s);
}

/* --- divergence --- */

static void a_run_that_diverges_says_where(void **state)
{
    small *s = malloc(sizeof *s);
    double W[11 * 9], b[11];
    (void)state;
    assert_non_null(s);
    make(s, DT_FLOAT64, "tree", 0);
    dt_trainer *t = trainer_of(s, NULL);
    dt_error failure = {0};
    dt_trainer_weights(t, 1, W, b);
    W[4 * 9 + 2] = NAN;
    dt_trainer_set_weights(t, 1, W, b);
    assert_int_equal(dt_trainer_run(t, &failure), DT_DIVERGED);
    assert_non_null(strstr(failure.message,
                           "the loss of step 0 (epoch 1) is not finite: the first is W of layer 1, unit "
                           "4, input 2; lower"));
    dt_trainer_destroy(t);

    t = trainer_of(s, NULL);
    dt_error_clear(&failure);
    dt_trainer_weights(t, 2, W, b);
    b[3] = INFINITY;
    dt_trainer_set_weights(t, 2, W, b);
    assert_int_equal(dt_trainer_run(t, &failure), DT_DIVERGED);
    assert_non_null(strstr(failure.message, "the first is b of layer 2, unit 3; lower"));
    dt_trainer_destroy(t);

    t = trainer_of(s, NULL);
    dt_error_clear(&failure);
    dt_trainer_weights(t, 2, W, b);
    for (int k = 0; k < 11; k++)
        W[2 * 11 + k] = 1e308 * (k % 2 ? -1 : 1);
    dt_trainer_set_weights(t, 2, W, b);
    const dt_status status = dt_trainer_run(t, &failure);
    if (status == DT_DIVERGED) /* some row's sum is beyond all numbers */
        assert_true(strstr(failure.message, "z of layer 2, unit 2, for row ") ||
                    strstr(failure.message, "the first is W of ") || strstr(failure.message, "C of layer 2"));
    dt_trainer_destroy(t);
    free(s);
}

/* --- memory --- */

static dt_status write_and_read(const small *s, const char *path, dt_error *error)
{
    dt_trainer *t = NULL;
    dt_checkpoint *checkpoint = NULL;
    const dt_trainer_data data = {.train = &s->data};
    dt_status status = dt_trainer_create(&t, &s->experiment, &data, error);
    if (status == DT_OK)
        status = dt_model_write(path, t, "text", "{}", error);
    if (status == DT_OK)
        status = dt_checkpoint_open(&checkpoint, path, t, error);
    if (status == DT_OK)
        status = dt_checkpoint_restore(checkpoint, t, error);
    dt_checkpoint_close(checkpoint);
    dt_trainer_destroy(t);
    return status;
}

static void memory_that_runs_out_is_an_error(void **state)
{
    small *s = malloc(sizeof *s);
    scratch folder;
    (void)state;
    assert_non_null(s);
    scratch_make(&folder);
    const char *path = scratch_path(&folder, "a.h5");
    make(s, DT_FLOAT32, "tree", 0.9);
    s->experiment.early_stopping.restore_best = true;
    s->experiment.early_stopping.patience = 2;
    OK(write_and_read(s, path, error));
    dt_status status = DT_NO_MEMORY;
    for (long n = 1; status != DT_OK; n++) {
        counting_memory memory;
        dt_error failure = {0};
        count_memory(&memory, n);
        status = write_and_read(s, path, &failure);
        count_no_more();
        assert_int_equal(memory.blocks, 0);
        assert_true(status == DT_OK || status == DT_NO_MEMORY);
        assert_true(n < 1000);
    }
    free(s);
    scratch_remove(&folder);
}

/* Something beside the checkpoints that takes its time: safe up to the step of the n-th where it was called n times. */
typedef struct slow_record {
    const char *folder;
    _Atomic int calls;
} slow_record;

static dt_status make_safe(void *self, dt_error *failure)
{
    (void)failure;
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL); /* two hundred times that is longer than the run */
    ((slow_record *)self)->calls++;
    return DT_OK;
}

static int64_t safe_until(const void *self)
{
    return ((const slow_record *)self)->calls * STEPS_PER_EPOCH;
}

/* From the ninth epoch on checkpoints are written without it, and the eighth stays beside the newest. */
static dt_status expect_a_safe_one(void *self, const dt_epoch_report *report, dt_error *failure)
{
    int64_t *steps;
    size_t count;
    assert_int_equal(dt_checkpoint_list(((slow_record *)self)->folder, &steps, &count, failure), DT_OK);
    const bool has_eighth = count > 0 && steps[count - 1] == 8 * STEPS_PER_EPOCH;
    if (report->epoch > 9 && !has_eighth)
        fail_msg("epoch %lld: of %zu checkpoints none is safe", (long long)report->epoch, count);
    assert_true(count <= 3); /* an old one may be about to go */
    dt_checkpoint_list_release(steps);
    return DT_OK;
}

static void a_safe_one_stays_beside_the_newest(void **state)
{
    small *s = malloc(sizeof *s);
    scratch folder;
    (void)state;
    assert_non_null(s);
    scratch_make(&folder);
    make(s, DT_FLOAT32, "tree", 0);
    s->experiment.training.epochs = 30;
    s->experiment.checkpoint = (dt_checkpoint_spec){.every = 1, .keep = 1};
    slow_record beside = {folder.folder, 0};
    const dt_checkpoint_options options = {.before = make_safe, .safe = safe_until, .context = &beside};
    dt_trainer *t = trainer_of(s, NULL);
    dt_checkpoints *c;
    OK(dt_trainer_observe(t, &(dt_observer){.self = &beside, .epoch = expect_a_safe_one}, error));
    OK(dt_checkpoints_create(&c, folder.folder, t, &options, error));
    OK(dt_trainer_run(t, error));
    OK(dt_checkpoints_close(c, error));
    dt_trainer_destroy(t);
    assert_int_equal(beside.calls, 9);           /* and for the last epoch's */
    assert_int_equal(scratch_files(&folder), 2); /* by which step 45 is safe: 40 is the newest before */
    free(s);
    scratch_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resuming_gives_the_bits_of_a_run_without_a_break),
        cmocka_unit_test(no_flipped_byte_gives_other_weights),
        cmocka_unit_test(no_changed_number_is_believed),
        cmocka_unit_test(another_precision_or_network_is_refused),
        cmocka_unit_test(the_newest_are_kept_and_the_best),
        cmocka_unit_test(a_safe_one_stays_beside_the_newest),
        cmocka_unit_test(later_checkpoints_of_a_run_that_fell_back_go),
        cmocka_unit_test(early_stopping_across_a_break),
        cmocka_unit_test(more_epochs_after_the_best_was_restored),
        cmocka_unit_test(a_metric_needs_its_data),
        cmocka_unit_test(a_run_that_diverges_says_where),
        cmocka_unit_test(memory_that_runs_out_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
