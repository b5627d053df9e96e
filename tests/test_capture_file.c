/* capture.h5 as a file: sizes predicted and refused, chunks and flushes, failing disks, failing memory. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

#include "capture_reading.h"
#include "counting_memory.h"
#include "record/capture_file.h"
#include "record/segment.h"
#include "record/segments.h"
#include "scratch.h"
#include "small.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { ALL = (1u << DT_QUANTITIES) - 1 };

/* A small run and four kinds of rules. */
enum { LAYERS = 3, ROWS = 26, BATCH = 8, EPOCHS = 3, STEPS = 4 * EPOCHS };
static const int64_t units[LAYERS + 1] = {7, 5, 4, 3};

static void make_run(small *m, int64_t workers, dt_capture_rule rules[4])
{
    static const int64_t rows[] = {25, 0, 3}, steps[] = {1, 7, 100}, layers[] = {2, 0};
    small_make(m, 11, ROWS, units, LAYERS, "tanh");
    dt_experiment *e = &m->experiment;
    e->training = (dt_training_spec){EPOCHS, BATCH, true};
    e->parallel.threads = workers;
    rules[0] = (dt_capture_rule){.name = "everything", .quantities = ALL, .every = 1, .samples = DT_SAMPLES_BATCH};
    rules[1] = (dt_capture_rule){.name = "first-3",
                                 .quantities = 1u << DT_QUANTITY_Z | 1u << DT_QUANTITY_DELTA,
                                 .steps_log = true,
                                 .samples = DT_SAMPLES_FIRST,
                                 .sample_count = 3};
    rules[2] = (dt_capture_rule){.name = "rows",
                                 .quantities = 1u << DT_QUANTITY_A | 1u << DT_QUANTITY_DELTA,
                                 .every = 5,
                                 .samples = DT_SAMPLES_ROWS,
                                 .sample_count = COUNT(rows),
                                 .sample_rows = rows};
    rules[3] = (dt_capture_rule){.name = "picked",
                                 .quantities = 1u << DT_QUANTITY_A | 1u << DT_QUANTITY_DW,
                                 .layers = layers,
                                 .layer_count = COUNT(layers),
                                 .steps = steps,
                                 .step_count = COUNT(steps),
                                 .samples = DT_SAMPLES_FIRST,
                                 .sample_count = 64};
    e->capture = rules;
    e->capture_count = 4;
}

/* --- layouts, predicted and refused --- */

static dt_trainer_info info_of(const int64_t *u, int64_t layers, int64_t rows, int64_t batch)
{
    return (dt_trainer_info){.layers = layers,
                             .features = u[0],
                             .train_rows = rows,
                             .steps_per_epoch = (rows + batch - 1) / batch,
                             .shard_size = batch,
                             .workers = 1};
}

static void test_size_is_predicted(void **state)
{
    (void)state;
    static small m;
    dt_capture_rule rules[4];
    dt_capture_size size, all;
    make_run(&m, 1, rules);
    dt_trainer_info info = info_of(units, LAYERS, ROWS, BATCH);
    const uint64_t expected_steps[] = {STEPS, 5, 3, 2};
    const uint64_t index = 2 * 8, id = 8; /* bytes of step and epoch; of a sample's id */
    const uint64_t expected_bytes[] = {
        index + 8 * id + 4 * (8 * (7 + 3 * (5 + 4 + 3)) + 2 * (5 * 7 + 4 * 5 + 3 * 4 + 5 + 4 + 3)),
        index + 3 * id + 4 * 3 * 2 * (5 + 4 + 3),
        index + 3 * id + 4 * 3 * (7 + 2 * (5 + 4 + 3)),
        index + 8 * id + 4 * (8 * (7 + 4) + 4 * 5),
    };
    uint64_t total = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(dt_capture_predict(&m.experiment, &info, units, i, &size, NULL), DT_OK);
        assert_int_equal(size.steps, expected_steps[i]);
        assert_int_equal(size.step_bytes, expected_bytes[i]);
        assert_int_equal(size.bytes, expected_steps[i] * expected_bytes[i]);
        total += size.bytes;
    }
    assert_int_equal(dt_capture_predict(&m.experiment, &info, units, -1, &all, NULL), DT_OK);
    assert_int_equal(all.bytes, total);
    assert_int_equal(dt_capture_predict(&m.experiment, &info, units, 4, &all, NULL), DT_INVALID);
}

static void expect_refusal(dt_experiment *e, const dt_trainer_info *info, const int64_t *u, const char *words)
{
    dt_capture_size size;
    dt_error error = {0};
    assert_int_equal(dt_capture_predict(e, info, u, 0, &size, &error), DT_INVALID);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

static void test_impossible_rules_are_refused(void **state)
{
    (void)state;
    static small m;
    dt_capture_rule rules[4];
    make_run(&m, 1, rules);
    dt_trainer_info info = info_of(units, LAYERS, ROWS, BATCH);
    const int64_t bad_rows[] = {3, ROWS}, bad_layers[] = {1, LAYERS + 1}, inputs[] = {0};

    rules[0] = rules[2];
    rules[0].sample_rows = bad_rows;
    rules[0].sample_count = 2;
    expect_refusal(&m.experiment, &info, units, "row 26");
    m.experiment.data.validation_fraction = 0.25; /* rows of the file, of which the trainer keeps some for validation */
    info.validation_rows = 2;
    assert_int_equal(dt_capture_predict(&m.experiment, &info, units, 0, &(dt_capture_size){0}, NULL), DT_OK);
    m.experiment.data.validation_fraction = 0;

    rules[0] = rules[3];
    rules[0].layers = bad_layers;
    expect_refusal(&m.experiment, &info, units, "no layer 4");
    rules[0].layers = inputs;
    rules[0].layer_count = 1;
    rules[0].quantities = 1u << DT_QUANTITY_DW;
    expect_refusal(&m.experiment, &info, units, "nothing");

    const int64_t huge[LAYERS + 1] = {INT64_MAX / 4, INT64_MAX / 4, 2, 2};
    rules[0] = (dt_capture_rule){.name = "r", .quantities = ALL, .every = 1, .samples = DT_SAMPLES_BATCH};
    expect_refusal(&m.experiment, &info, huge, "larger than any memory");
    const int64_t large[LAYERS + 1] = {1 << 20, 1 << 20, 2, 2};
    info.steps_per_epoch = INT64_MAX / EPOCHS;
    expect_refusal(&m.experiment, &info, large, "more than any disk");
    info.steps_per_epoch = INT64_MAX;
    expect_refusal(&m.experiment, &info, large, "more steps than can be counted");
}

/* Memory and chunks are bounded for small and large networks, few and many steps. */
static void test_layouts_are_bounded(void **state)
{
    (void)state;
    static const int64_t nets[][3] = {{1, 1, 1}, {784, 512, 10}, {3072, 8192, 1000}, {7, 509, 97}, {20000, 1, 33}};
    static const int64_t row_counts[] = {1, 130, 60000, 50000000};
    for (size_t n = 0; n < COUNT(nets); n++)
        for (size_t r = 0; r < COUNT(row_counts); r++)
            for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
                dt_experiment e;
                dt_capture_rule rule = {.name = "r", .quantities = ALL, .every = 1, .samples = DT_SAMPLES_BATCH};
                dt_experiment_init(&e);
                e.precision = (dt_precision)precision;
                e.training.batch_size = 128;
                e.capture = &rule;
                e.capture_count = 1;
                dt_trainer_info info = info_of(nets[n], 2, row_counts[r], 128);
                dt_capture_layout layout;
                assert_int_equal(dt_capture_layout_init(&layout, &e, &info, nets[n], 0, DT_CAPTURE_MEMORY, NULL),
                                 DT_OK);
                uint64_t one_step = 0;
                for (size_t i = 0; i < layout.count; i++) {
                    const dt_capture_set *s = &layout.sets[i];
                    int64_t chunk = s->chunk_steps * s->chunk_rows * s->chunk_columns * (int64_t)s->element;
                    assert_in_range(chunk, 1, 256 << 10);
                    assert_true(s->chunk_rows <= s->rows && s->chunk_columns <= s->columns);
                    assert_true(s->chunk_steps <= layout.steps && s->offset % 64 == 0);
                    one_step += dt_capture_set_block_bytes(s) / (uint64_t)s->chunk_steps;
                }
                assert_true(layout.block_bytes <= DT_CAPTURE_MEMORY || layout.block_bytes == one_step);
                assert_true(layout.slots == 2 || layout.slots * layout.slot_bytes <= DT_CAPTURE_MEMORY);
                dt_capture_layout_clear(&layout);
            }
}

/* --- the file alone: blocks, edges, flushes --- */

/* The number that set i has at (step, place) of this test. */
static double number(size_t i, int64_t step, int64_t place)
{
    return (double)((int64_t)(i * 7919) + step * 104729 % 9973 + place % 16381);
}

static void fill_slot(const dt_capture_layout *layout, char *slot, int64_t step)
{
    for (size_t i = 0; i < layout->count; i++) {
        const dt_capture_set *s = &layout->sets[i];
        for (int64_t p = 0; p < s->rows * s->columns; p++) {
            char *to = slot + s->offset + (size_t)p * s->element;
            if (s->shape == DT_SHAPE_SCALAR || s->shape == DT_SHAPE_IDS)
                memcpy(to, &(int64_t){(int64_t)number(i, step, p)}, sizeof(int64_t));
            else
                memcpy(to, &(float){(float)number(i, step, p)}, sizeof(float));
        }
    }
}

static void check_file(const char *path, const dt_capture_layout *layout, int64_t steps)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    for (size_t i = 0; i < layout->count; i++) {
        const dt_capture_set *s = &layout->sets[i];
        table t = s->layer < 0 ? read_table(file, "/r/%s", s->name)
                               : read_table(file, "/r/layer%02d/%s", (int)s->layer, s->name);
        assert_int_equal(t.size[0], steps);
        assert_int_equal(t.size[1] * t.size[2], s->rows * s->columns);
        for (int64_t step = 0; step < steps; step++)
            for (int64_t p = 0; p < s->rows * s->columns; p++)
                if (t.value[step * s->rows * s->columns + p] != (double)(float)number(i, step, p))
                    fail_msg("%s of layer %d: step %d, place %d", s->name, (int)s->layer, (int)step, (int)p);
        drop(&t);
    }
    H5Fclose(file);
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* Chunks that divide a set and chunks that hang over its edges; flushes in every place of a block; after each, another
 * reader sees all that was appended, while the file is still open. */
static void test_blocks_edges_and_flushes(void **state)
{
    (void)state;
    static const int64_t u[] = {61, 509, 96};
    static const int64_t flush_every[] = {1000, 1, 7, 64};
    scratch files;
    scratch_make(&files);
    for (size_t f = 0; f < COUNT(flush_every); f++) {
        dt_experiment e;
        dt_capture_rule rule = {.name = "r", .quantities = ALL, .every = 1, .samples = DT_SAMPLES_BATCH};
        dt_experiment_init(&e);
        e.training = (dt_training_spec){1, 11, true};
        e.capture = &rule;
        e.capture_count = 1;
        dt_trainer_info info = info_of(u, 2, 11 * 90, 11);
        dt_capture_layout layout;
        assert_int_equal(dt_capture_layout_init(&layout, &e, &info, u, 0, 4 << 20, NULL), DT_OK);

        dt_segment *segment;
        dt_error error = {0};
        char *slot = malloc(layout.slot_bytes), name[32];
        assert_non_null(slot);
        assert_int_equal(dt_segment_create(&segment, &layout, 1, false, &error), DT_OK);
        /* One file after the other in the same memory: planned and not, as one that ends early. */
        static const int64_t planned[] = {90, 61, 128};
        for (size_t p = 0; p < COUNT(planned); p++) {
            snprintf(name, sizeof name, "%zu-%zu.h5", f, p);
            const char *path = scratch_path(&files, name);
            int64_t steps = flush_every[f] == 1 ? 20 : p == 1 ? 61 : 90;
            assert_int_equal(dt_segment_begin(segment, path, &planned[p], &error), DT_OK);
            assert_true(dt_segment_is_open(segment));
            for (int64_t step = 0; step < steps; step++) {
                fill_slot(&layout, slot, step);
                assert_true(dt_segment_takes(segment, 0));
                assert_int_equal(dt_segment_append(segment, 0, slot, &error), DT_OK);
                if ((step + 1) % flush_every[f] == 0)
                    assert_int_equal(dt_segment_flush(segment, &error), DT_OK);
            }
            if (steps % flush_every[f] == 0) { /* as a run that is killed here leaves it */
                const char *copy = scratch_path(&files, "copy.h5");
                copy_file(path, copy);
                check_file(copy, &layout, steps);
            }
            assert_int_equal(dt_segment_takes(segment, 0), steps < planned[p]);
            assert_int_equal(dt_segment_finish(segment, &(int64_t){3}, &error), DT_OK);
            check_file(path, &layout, steps);
            dt_segment_facts facts;
            const char *why;
            assert_true(dt_segment_look(path, &layout, 1, false, &facts, &why));
            assert_int_equal(facts.steps, steps);
            assert_int_equal(facts.dropped, 3);
        }
        dt_segment_destroy(segment);
        free(slot);
        dt_capture_layout_clear(&layout);
    }
    scratch_remove(&files);
}

static double pretended = 1; /* seconds */
static double pretend(void)
{
    return pretended;
}

static double size_of_capture(scratch *files, int64_t *segments)
{
    struct stat facts;
    char name[DT_SEGMENT_NAME];
    assert_int_equal(stat(scratch_path(files, "capture.h5"), &facts), 0);
    double bytes = (double)facts.st_size;
    for (*segments = 0;; ++*segments) {
        dt_segment_name(*segments, name);
        if (stat(scratch_path(files, name), &facts) != 0)
            return bytes;
        bytes += (double)facts.st_size;
    }
}

/* Steps that take no time, a long time, and another time than those before: the promise is the size. */
static void test_size_is_predicted_at_any_speed(void **state)
{
    (void)state;
    enum { STEPS_ALL = 500 };
    static const int64_t u[] = {61, 40, 10};
    static const struct {
        double first, then; /* seconds a step; then: from step 100 on */
    } speeds[] = {{0, 0}, {1e-3, 1e-3}, {0.03, 0.03}, {1, 1}, {100, 100}, {1e-3, 1}, {1e-3, 0.02}, {5, 1e-3}};
    dt_experiment e;
    dt_capture_rule rule = {.name = "r", .quantities = ALL, .every = 1, .samples = DT_SAMPLES_BATCH};
    dt_experiment_init(&e);
    e.training = (dt_training_spec){1, 11, true};
    e.capture = &rule;
    e.capture_count = 1;
    dt_trainer_info info = info_of(u, 2, 11 * STEPS_ALL, 11);
    dt_capture_layout layout;
    dt_capture_size size;
    assert_int_equal(dt_capture_predict(&e, &info, u, -1, &size, NULL), DT_OK);
    assert_true(size.bytes > 8 << 20);
    assert_int_equal(dt_capture_layout_init(&layout, &e, &info, u, 0, DT_CAPTURE_MEMORY, NULL), DT_OK);
    char *slot = calloc(layout.slot_bytes, 1);
    assert_non_null(slot);
    for (size_t s = 0; s < COUNT(speeds); s++) {
        scratch files;
        dt_capture_file *file;
        int64_t segments;
        double deadline;
        scratch_make(&files);
        const char *path = scratch_path(&files, "capture.h5");
        assert_int_equal(dt_capture_file_create(&file, path, &layout, 1, "", "", NULL, NULL), DT_OK);
        dt_capture_file_set_clock(file, pretend);
        for (int64_t step = 0; step < STEPS_ALL; step++) {
            memcpy(slot + layout.sets[DT_SET_STEP].offset, &step, sizeof step);
            assert_int_equal(dt_capture_file_append(file, 0, slot, NULL), DT_OK);
            assert_int_equal(dt_capture_file_tend(file, &deadline, NULL), DT_OK);
            pretended += step < 100 ? speeds[s].first : speeds[s].then;
            assert_int_equal(dt_capture_file_tend(file, &deadline, NULL), DT_OK);
        }
        assert_int_equal(dt_capture_file_close(file, "complete", NULL), DT_OK);
        const double found = size_of_capture(&files, &segments), predicted = (double)size.file_bytes;
        if (predicted < 0.99 * found || predicted > 1.01 * found)
            fail_msg("speed %zu: predicted %.0f bytes, there are %.0f in %d segments", s, predicted, found,
                     (int)segments);
        scratch_remove(&files);
    }
    free(slot);
    dt_capture_layout_clear(&layout);
}

/* Steps of rule `everything` in the index of a run that goes on. */
static int64_t steps_on_disk(const char *path)
{
    hsize_t count = 0;
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t step = file < 0 ? -1 : H5Dopen2(file, "/everything/step", H5P_DEFAULT);
    hid_t space = step < 0 ? -1 : H5Dget_space(step);
    if (space >= 0)
        H5Sget_simple_extent_dims(space, &count, NULL);
    H5Sclose(space);
    H5Dclose(step);
    H5Fclose(file);
    return (int64_t)count;
}

/* What was captured is on the disk soon, without another step or the end to push it; and what comes later is not lost.
 */
static void test_steps_reach_the_disk_while_training_rests(void **state)
{
    (void)state;
    static small m;
    dt_capture_rule rules[4];
    scratch files;
    dt_trainer *t;
    dt_capture *capture;
    scratch_make(&files);
    make_run(&m, 2, rules);
    const dt_trainer_data data = small_data(&m);
    const char *path = scratch_path(&files, "capture.h5");
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, NULL), DT_OK);
    assert_int_equal(dt_capture_create(&capture, path, t, "", "", NULL, NULL), DT_OK);
    for (int64_t steps = 3; steps <= 6; steps += 3) {
        assert_int_equal(dt_trainer_steps(t, 3, NULL), DT_OK);
        while (steps_on_disk(path) < steps) /* a writer that forgets them makes the test time out */
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    assert_int_equal(dt_trainer_steps(t, 2, NULL), DT_OK);
    assert_int_equal(dt_capture_close(capture, "complete", NULL), DT_OK);
    assert_int_equal(steps_on_disk(path), 8);
    dt_trainer_destroy(t);
    scratch_remove(&files);
}

/* --- segments: seal, resume, steps left out --- */

static void trained(small *m, const char *path, int64_t steps, const dt_capture_options *options, dt_capture **capture,
                    dt_trainer **t)
{
    dt_error error = {0};
    const dt_trainer_data data = small_data(m);
    assert_int_equal(dt_trainer_create(t, &m->experiment, &data, &error), DT_OK);
    if (dt_capture_create(capture, path, *t, "", "", options, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(dt_trainer_steps(*t, steps, &error), DT_OK);
}

static void test_a_seal_finishes_what_came_before(void **state)
{
    (void)state;
    static small m;
    dt_capture_rule rules[4];
    scratch files;
    dt_trainer *t;
    dt_capture *capture;
    scratch_make(&files);
    make_run(&m, 2, rules);
    const char *path = scratch_path(&files, "capture.h5");
    trained(&m, path, 3, NULL, &capture, &t);
    for (int64_t steps = 3; steps <= 9; steps += 3) {
        assert_int_equal(dt_capture_seal(capture, NULL), DT_OK);
        assert_int_equal(dt_capture_seal(capture, NULL), DT_OK); /* nothing more to do */
        int64_t safe;
        bool lost = true;
        assert_int_equal(dt_capture_safe_in(path, t, &safe, &lost, NULL), DT_OK);
        assert_int_equal(safe, steps);
        assert_int_equal(dt_capture_safe(capture), steps);
        assert_false(lost);
        assert_int_equal(dt_trainer_steps(t, 3, NULL), DT_OK);
    }
    assert_int_equal(dt_capture_close(capture, "complete", NULL), DT_OK);
    assert_int_equal(steps_on_disk(path), 12);
    dt_trainer_destroy(t);
    scratch_remove(&files);
}

static void expect_refused(small *m, const char *path, dt_status wanted, const char *words)
{
    dt_trainer *t;
    dt_capture *capture;
    dt_error error = {0};
    const dt_trainer_data data = small_data(m);
    assert_int_equal(dt_trainer_create(&t, &m->experiment, &data, &error), DT_OK);
    assert_int_equal(dt_capture_create(&capture, path, t, "", "", &(dt_capture_options){.resume = true}, &error),
                     wanted);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
    dt_trainer_destroy(t);
}

/* A run that begins again from step 0 writes only what is not there. */
static void test_a_run_is_taken_up(void **state)
{
    (void)state;
    static small m;
    dt_capture_rule rules[4];
    scratch files;
    dt_trainer *t;
    dt_capture *capture;
    scratch_make(&files);
    make_run(&m, 2, rules);
    const char *path = scratch_path(&files, "capture.h5"), *first = scratch_path(&files, "capture/seg-000000.h5"),
               *strange = scratch_path(&files, "capture/notes.txt"), *copy = scratch_path(&files, "copy.h5"),
               *part = scratch_path(&files, "capture/.seg-000009.h5.part");
    trained(&m, path, 7, NULL, &capture, &t);
    assert_int_equal(dt_capture_close(capture, "interrupted", NULL), DT_OK);
    dt_trainer_destroy(t);
    fclose(fopen(part, "w"));
    trained(&m, path, 10, &(dt_capture_options){.resume = true}, &capture, &t);
    assert_true(access(part, F_OK) != 0);
    assert_int_equal(dt_capture_close(capture, "complete", NULL), DT_OK);
    dt_trainer_destroy(t);
    assert_int_equal(steps_on_disk(path), 10);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    table step = read_table(file, "/everything/step");
    for (int64_t s = 0; s < 10; s++)
        assert_true(at(&step, s, 0, 0) == (double)s);
    drop(&step);
    H5Fclose(file);

    fclose(fopen(strange, "w"));
    expect_refused(&m, path, DT_MALFORMED, "notes.txt: is no segment");
    unlink(strange);
    copy_file(first, copy);
    copy_file(scratch_path(&files, "capture/seg-000001.h5"), first);
    expect_refused(&m, path, DT_MALFORMED, "seg-000001.h5: its steps don't follow");
    assert_int_equal(truncate(first, 700), 0);
    expect_refused(&m, path, DT_MALFORMED, "seg-000000.h5: is not an HDF5 file");
    unlink(first);
    expect_refused(&m, path, DT_MALFORMED, "seg-000000.h5: is missing");
    copy_file(copy, first);
    rules[0].samples = DT_SAMPLES_FIRST; /* another experiment */
    rules[0].sample_count = 2;
    expect_refused(&m, path, DT_MALFORMED, "seg-000000.h5: has not the shapes");
    scratch_remove(&files);
}

/* Every step is either there or counted. */
static void test_steps_that_find_no_room_are_counted(void **state)
{
    (void)state;
    static small m;
    dt_capture_rule rule;
    scratch files;
    dt_trainer *t;
    dt_capture *capture;
    scratch_make(&files);
    static const int64_t wide[] = {64, 2048, 10};
    small_make(&m, 5, 64, wide, 2, "relu");
    rule = (dt_capture_rule){
        .name = "everything", .quantities = ALL, .every = 1, .samples = DT_SAMPLES_BATCH, .queue = DT_QUEUE_DROP};
    m.experiment.training = (dt_training_spec){100, 8, true};
    m.experiment.capture = &rule;
    m.experiment.capture_count = 1;
    const char *path = scratch_path(&files, "capture.h5");
    enum { DUE = 200 };
    trained(&m, path, DUE, NULL, &capture, &t);
    int64_t dropped = dt_capture_dropped(capture);
    assert_int_equal(dt_capture_close(capture, "complete", NULL), DT_OK);
    assert_int_equal(steps_on_disk(path) + dropped, DUE);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    int64_t recorded = -1;
    hid_t attribute = H5Aopen_by_name(file, "everything", "dropped", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Aread(attribute, H5T_NATIVE_INT64, &recorded) >= 0);
    assert_int_equal(recorded, dropped);
    H5Aclose(attribute);
    H5Fclose(file);
    dt_trainer_destroy(t);
    scratch_remove(&files);
}

/* --- files that can't be made or written --- */

static void make_wide(small *m, dt_capture_rule *rule)
{
    static const int64_t wide[] = {64, 256, 10};
    small_make(m, 5, SMALL_ROWS_MAX, wide, 2, "relu");
    *rule = (dt_capture_rule){.name = "r", .quantities = ALL, .every = 1, .samples = DT_SAMPLES_BATCH};
    m->experiment.training.batch_size = 64;
    m->experiment.training.epochs = 20;
    m->experiment.capture = rule;
    m->experiment.capture_count = 1;
}

static void test_full_disk_is_told_and_stops_training(void **state)
{
    (void)state;
    static small m;
    dt_capture_rule rule;
    scratch files;
    dt_trainer *t;
    dt_capture *capture;
    dt_error error = {0};
    struct rlimit before, limit;
    scratch_make(&files);
    make_wide(&m, &rule);
    const dt_trainer_data data = small_data(&m);
    const char *path = scratch_path(&files, "capture.h5");
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
    assert_int_equal(dt_capture_create(&capture, path, t, "", "", NULL, &error), DT_OK);

    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 3 << 20;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    dt_status status = dt_trainer_run(t, &error);
    dt_error at_close = {0};
    dt_status closed = dt_capture_close(capture, "complete", &at_close);
    setrlimit(RLIMIT_FSIZE, &before);

    assert_int_equal(closed, DT_IO);
    assert_non_null(strstr(at_close.message, "capture/.seg-"));
    assert_non_null(strstr(at_close.message, "File too large"));
    if (status != DT_OK) { /* the writer may have failed after the last epoch's report */
        assert_int_equal(status, DT_IO);
        assert_string_equal(error.message, at_close.message);
    }
    dt_trainer_destroy(t);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT); /* what was finished can be read */
    assert_true(file >= 0);
    assert_text(file, "status", "interrupted");
    H5Fclose(file);
    scratch_remove(&files);
}

static void test_files_are_never_replaced(void **state)
{
    (void)state;
    static small m;
    dt_capture_rule rule;
    scratch files;
    dt_trainer *t;
    dt_capture *capture;
    dt_error error = {0};
    scratch_make(&files);
    make_wide(&m, &rule);
    const dt_trainer_data data = small_data(&m);
    const char *path = scratch_path(&files, "capture.h5");
    FILE *there = fopen(path, "w");
    assert_non_null(there);
    fclose(there);
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, &error), DT_OK);
    assert_int_equal(dt_capture_create(&capture, path, t, "", "", NULL, &error), DT_EXISTS);
    assert_null(capture);
    dt_error_clear(&error);
    assert_int_equal(dt_capture_create(&capture, scratch_path(&files, "no/capture.h5"), t, "", "", NULL, &error),
                     DT_IO);
    assert_non_null(strstr(error.message, "no/capture"));
    m.experiment.capture_count = 0;
    assert_int_equal(dt_capture_create(&capture, scratch_path(&files, "c.h5"), t, "", "", NULL, NULL), DT_INVALID);
    dt_trainer_destroy(t);
    assert_int_equal(scratch_files(&files), 1);
    scratch_remove(&files);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    static small m;
    dt_capture_rule rules[4];
    scratch files;
    dt_trainer *t;
    counting_memory memory;
    long calls = 0;
    scratch_make(&files);
    make_run(&m, 2, rules);
    const dt_trainer_data data = small_data(&m);
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, NULL), DT_OK);
    for (long n = 1;; n++) {
        dt_capture *capture;
        dt_error error = {0};
        count_memory(&memory, n);
        dt_status status = dt_capture_create(&capture, scratch_path(&files, "capture.h5"), t, "", "", NULL, &error);
        const bool made = status == DT_OK;
        if (made)
            status = dt_capture_close(capture, "complete", &error);
        calls = memory.calls;
        count_no_more();
        if (memory.blocks != 0)
            fail_msg("allocation %ld: %ld blocks are not given back", n, memory.blocks);
        if (status == DT_OK)
            break;
        if (status != DT_NO_MEMORY || !error.message[0])
            fail_msg("allocation %ld: %d, %s", n, status, error.message);
        assert_int_equal(scratch_files(&files), made ? 2 : 0);
        scratch_unlink(scratch_path(&files, "capture.h5"));
        scratch_unlink(scratch_path(&files, "capture"));
        dt_trainer_destroy(t); /* its observers may lead nowhere */
        assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, NULL), DT_OK);
    }
    assert_true(calls > 10);
    dt_trainer_destroy(t);
    scratch_remove(&files);
}

static void test_a_step_allocates_nothing(void **state)
{
    (void)state;
    static small m;
    dt_capture_rule rules[4];
    scratch files;
    dt_trainer *t;
    dt_capture *capture;
    counting_memory memory;
    scratch_make(&files);
    make_run(&m, 2, rules);
    const dt_trainer_data data = small_data(&m);
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, NULL), DT_OK);
    assert_int_equal(dt_capture_create(&capture, scratch_path(&files, "capture.h5"), t, "", "", NULL, NULL), DT_OK);
    assert_int_equal(dt_trainer_steps(t, 1, NULL), DT_OK);
    assert_int_equal(dt_capture_seal(capture, NULL), DT_OK); /* the HDF5 thread has no index to write soon */
    count_memory(&memory, 0);
    assert_int_equal(dt_trainer_steps(t, 40, NULL), DT_OK);
    count_no_more();
    assert_int_equal(memory.calls, 0);
    assert_int_equal(dt_capture_close(capture, "complete", NULL), DT_OK);
    dt_trainer_destroy(t);
    scratch_remove(&files);
}

/* The next step that a rule captures is the first that it watches. */
static void test_next_steps(void **state)
{
    (void)state;
    static const int64_t list[] = {0, 3, 4, 60};
    const dt_capture_rule rules[] = {{.every = 1},
                                     {.every = 7},
                                     {.every = 7, .from = 8, .to = 35},
                                     {.every = 5, .from = 200},
                                     {.steps_log = true},
                                     {.steps_log = true, .from = 5, .to = 40},
                                     {.steps = list, .step_count = COUNT(list)},
                                     {.steps = list, .step_count = COUNT(list), .from = 1, .to = 4},
                                     {.steps = list}};
    for (size_t r = 0; r < COUNT(rules); r++)
        for (int64_t step = -1; step < 150; step++) {
            int64_t wanted = step + 1;
            while (wanted < 300 && !dt_capture_rule_watches(&rules[r], wanted))
                wanted++;
            const int64_t next = dt_capture_rule_next(&rules[r], step);
            if (next != wanted && !(wanted == 300 && next == INT64_MAX))
                fail_msg("rule %zu, after step %lld: %lld", r, (long long)step, (long long)next);
        }
    assert_true(dt_capture_rule_next(&(dt_capture_rule){.steps_log = true}, INT64_MAX / 2) >= INT64_MAX / 2);
}

int main(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (access("/dev/shm", W_OK) == 0) /* these tests synchronise a thousand files */
        setenv("TMPDIR", "/dev/shm", 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_steps),
        cmocka_unit_test(test_size_is_predicted),
        cmocka_unit_test(test_impossible_rules_are_refused),
        cmocka_unit_test(test_layouts_are_bounded),
        cmocka_unit_test(test_blocks_edges_and_flushes),
        cmocka_unit_test(test_size_is_predicted_at_any_speed),
        cmocka_unit_test(test_steps_reach_the_disk_while_training_rests),
        cmocka_unit_test(test_a_seal_finishes_what_came_before),
        cmocka_unit_test(test_a_run_is_taken_up),
        cmocka_unit_test(test_steps_that_find_no_room_are_counted),
        cmocka_unit_test(test_full_disk_is_told_and_stops_training),
        cmocka_unit_test(test_files_are_never_replaced),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_a_step_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
