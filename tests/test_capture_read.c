/* Captures read back, copied, recovered: against what HDF5 reads, after kills and truncation at many points, and from
 * files that are out to do harm. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

#include "capture_reading.h"
#include "record/capture_copy.h"
#include "record/capture_recover.h"
#include "scratch.h"
#include "small.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { ALL = (1u << DT_QUANTITIES) - 1, ROWS = 50, BATCH = 8, EPOCHS = 12, STEPS = 7 * EPOCHS };
static const int64_t units[] = {6, 5, 3};
static const int64_t rows[] = {4, 44};

static char home[256];
static small m;
static dt_capture_rule rules[2];

#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
static void
shell(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_int_equal(system(command), 0);
}

static void make_experiment(void)
{
    small_make(&m, 3, ROWS, units, 2, "tanh");
    m.experiment.training = (dt_training_spec){EPOCHS, BATCH, true};
    m.experiment.parallel.threads = 1;
    rules[0] = (dt_capture_rule){.name = "everything", .quantities = ALL, .every = 1, .samples = DT_SAMPLES_BATCH};
    rules[1] = (dt_capture_rule){.name = "few",
                                 .quantities = 1u << DT_QUANTITY_DELTA,
                                 .every = 10,
                                 .samples = DT_SAMPLES_ROWS,
                                 .sample_count = COUNT(rows),
                                 .sample_rows = rows};
    m.experiment.capture = rules;
    m.experiment.capture_count = COUNT(rules);
}

/* Ends a segment every fourth epoch. */
static dt_status seal(void *self, const dt_epoch_report *report, dt_error *error)
{
    return report->epoch % 4 == 0 ? dt_capture_seal(self, error) : DT_OK;
}

/* A run of several segments in the folder `name`. */
static void train(const char *name)
{
    dt_trainer *trainer;
    dt_capture *capture;
    dt_error error = {0};
    char path[300];
    dt_trainer_data data = small_data(&m);
    assert_int_equal(mkdir(name, 0700), 0);
    snprintf(path, sizeof path, "%s/capture.h5", name);
    assert_int_equal(dt_trainer_create(&trainer, &m.experiment, &data, &error), DT_OK);
    if (dt_capture_create(&capture, path, trainer, "the experiment", "{\"a\": 1}", NULL, &error) != DT_OK)
        fail_msg("%s", error.message);
    const dt_observer sealer = {.self = capture, .epoch = seal};
    assert_int_equal(dt_trainer_observe(trainer, &sealer, &error), DT_OK);
    assert_int_equal(dt_trainer_run(trainer, &error), DT_OK);
    assert_int_equal(dt_capture_close(capture, "complete", &error), DT_OK);
    dt_trainer_destroy(trainer);
}

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(home, sizeof home, "%s/deltoid-read-XXXXXX", tmp && *tmp && strlen(tmp) < 200 ? tmp : "/tmp");
    if (!mkdtemp(home) || chdir(home) != 0)
        return -1;
    make_experiment();
    train("run");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", home);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static dt_capture_reader *open_good(const char *path)
{
    dt_capture_reader *r;
    dt_error error = {0};
    if (dt_capture_reader_open(&r, path, DT_CAPTURE_WHOLE, &error) != DT_OK)
        fail_msg("%s", error.message);
    return r;
}

static size_t bytes_of(const dt_capture_dataset *set)
{
    size_t bytes = (size_t)set->element;
    for (int i = 0; i < set->rank; i++)
        bytes *= (size_t)set->size[i];
    return bytes;
}

static char *read_all(dt_capture_reader *r, const dt_capture_dataset *set)
{
    static const int64_t zero[DT_DATASET_RANK];
    dt_error error = {0};
    char *to = malloc(bytes_of(set) + 1);
    if (dt_capture_reader_read(r, set, zero, set->size, to, &error) != DT_OK)
        fail_msg("%s", error.message);
    return to;
}

/* Every data set of `part` is the beginning of that of `whole`; returns the steps of the first rule. */
static int64_t assert_begins(const char *part, const char *whole, bool all)
{
    dt_capture_reader *a = open_good(part), *b = open_good(whole);
    const dt_capture_dataset *x, *y;
    int64_t steps = -1;
    for (size_t i = 0; (y = dt_capture_reader_at(b, i)); i++) {
        x = dt_capture_reader_find(a, y->name);
        assert_non_null(x);
        assert_int_equal(x->rank, y->rank);
        assert_true(x->size[0] <= y->size[0] && (!all || x->size[0] == y->size[0]));
        assert_memory_equal(x->size + 1, y->size + 1, (size_t)(x->rank - 1) * sizeof *x->size);
        for (int d = 0; d < x->rank; d++)
            assert_string_equal(x->axis[d], y->axis[d]);
        char *p = read_all(a, x), *q = read_all(b, y);
        assert_memory_equal(p, q, bytes_of(x));
        free(p);
        free(q);
        if (strcmp(y->name, "/everything/step") == 0)
            steps = x->size[0];
    }
    dt_capture_reader_close(a);
    dt_capture_reader_close(b);
    return steps;
}

/* --- reading --- */

static void test_reads_what_hdf5_reads(void **state)
{
    (void)state;
    dt_capture_reader *r = open_good("run");
    const dt_capture_dataset *set;
    int parts = 0, sets = 0;
    assert_true(dt_capture_reader_is_index(r));
    while (dt_capture_reader_part(r, (size_t)parts))
        parts++;
    assert_true(parts >= 2);
    hid_t file = H5Fopen("run/capture.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    for (size_t i = 0; (set = dt_capture_reader_at(r, i)); i++, sets++) {
        table t = read_table(file, "%s", set->name);
        assert_int_equal(t.rank, set->rank);
        char *bytes = read_all(r, set);
        size_t numbers = bytes_of(set) / (size_t)set->element;
        for (size_t n = 0; n < numbers; n++) {
            double value = set->real ? (double)((float *)(void *)bytes)[n] : (double)((int64_t *)(void *)bytes)[n];
            assert_memory_equal(&value, &t.value[n], sizeof value);
        }
        free(bytes);
        drop(&t);
    }
    assert_true(sets > 20);
    set = dt_capture_reader_find(r, "everything/layer01/z");
    assert_string_equal(set->axis[0], "/everything/step");
    assert_string_equal(set->axis[1], "/everything/sample");
    assert_string_equal(set->axis[2], "/everything/layer01/unit");
    assert_int_equal(set->size[0], STEPS);

    table z = read_table(file, "/everything/layer01/z"); /* a piece across segments */
    float piece[20][3][2];
    assert_int_equal(dt_capture_reader_read(r, set, (int64_t[]){STEPS - 25, 2, 3}, (int64_t[]){20, 3, 2}, piece, NULL),
                     DT_OK);
    for (int i = 0; i < 20; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 2; k++)
                assert_true(piece[i][j][k] == (float)at(&z, STEPS - 25 + i, 2 + j, 3 + k) ||
                            piece[i][j][k] != piece[i][j][k]);
    drop(&z);
    H5Fclose(file);
    assert_int_equal(dt_capture_reader_read(r, set, (int64_t[]){STEPS, 0, 0}, (int64_t[]){1, 1, 1}, piece, NULL),
                     DT_INVALID);
    char *text;
    assert_int_equal(dt_capture_reader_text(r, "experiment", &text, NULL), DT_OK);
    assert_string_equal(text, "the experiment");
    dt_capture_release(text);
    dt_capture_reader_close(r);
}

static void test_copies_are_equal(void **state)
{
    (void)state;
    for (int chunks = DT_CHUNKS_KEPT; chunks <= DT_CHUNKS_UNIT; chunks++)
        for (int gzip = 0; gzip < 2; gzip++) {
            dt_error error = {0};
            dt_copy_options options = {.chunks = (dt_copy_chunks)chunks, .gzip = gzip};
            dt_capture_reader *r = open_good("run");
            if (dt_capture_copy(r, "copy.h5", &options, &error) != DT_OK)
                fail_msg("%s", error.message);
            assert_int_equal(dt_capture_copy(r, "copy.h5", &options, NULL), DT_EXISTS);
            dt_capture_reader_close(r);
            assert_int_equal(assert_begins("copy.h5", "run", true), STEPS);
            hid_t file = H5Fopen("copy.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
            hid_t set = H5Dopen2(file, "/everything/layer01/z", H5P_DEFAULT), creation = H5Dget_create_plist(set);
            assert_int_equal(H5Pget_layout(creation), H5D_CHUNKED);
            assert_int_equal(H5Pget_nfilters(creation), gzip ? 2 : 0);
            assert_text(set, "scaling", "none: one sample's value");
            assert_text(file, "status", "complete");
            H5Pclose(creation);
            H5Dclose(set);
            H5Fclose(file);
            assert_int_equal(unlink("copy.h5"), 0);
        }
}

static void test_chunks_suit_their_reader(void **state)
{
    (void)state;
    dt_capture_dataset set = {.rank = 3,
                              .size = {5000, 64, 512},
                              .axis = {"/r/step", "/r/sample", "/r/layer01/unit"},
                              .has_steps = true,
                              .element = 4};
    int64_t chunk[DT_DATASET_RANK];
    dt_copy_chunk(&set, DT_CHUNKS_STEP, chunk);
    assert_true(chunk[0] == 1 && chunk[1] == 64 && chunk[2] == 512);
    dt_copy_chunk(&set, DT_CHUNKS_UNIT, chunk);
    assert_true(chunk[0] == 1024 && chunk[1] == 64 && chunk[2] == 1);
    for (int c = DT_CHUNKS_BOTH; c <= DT_CHUNKS_UNIT; c++) {
        set.size[1] = 4096;
        set.size[2] = 4096;
        dt_copy_chunk(&set, (dt_copy_chunks)c, chunk);
        assert_true(chunk[0] >= 1 && chunk[0] * chunk[1] * chunk[2] * 4 <= 1 << 20);
    }
}

/* --- recovering --- */

static char said[4096]; /* by the latest recovery */

static void keep_line(void *context, const char *line)
{
    const size_t used = strlen(said);
    (void)context;
    snprintf(said + used, sizeof said - used, "%s\n", line);
}

static dt_recovery recover(const char *run, const char *out)
{
    dt_error error = {0};
    dt_recovery told = {
        .experiment = &m.experiment, .experiment_text = "the experiment", .provenance = "{\"a\": 1}", .say = keep_line};
    *said = '\0';
    if (dt_capture_recover(run, out, &told, &error) != DT_OK)
        fail_msg("%s", error.message);
    return told;
}

static int segments_of(const char *run)
{
    int count = 0;
    dt_capture_reader *r = open_good(run);
    while (dt_capture_reader_part(r, (size_t)count))
        count++;
    dt_capture_reader_close(r);
    return count;
}

/* The run as it is when it is killed: its last segment has the name of one in the making, the index knows nothing of
 * it.
 */
static int kill_run(const char *run)
{
    static int last = -1;
    if (last < 0) {
        last = segments_of("run") - 1;
        shell("cp -r run short && rm short/capture/seg-%06d.h5", last);
        assert_int_equal(recover("short", NULL).lost, 1); /* the index names it: now it does not */
        shell("cp run/capture/seg-%06d.h5 short/capture/.seg-%06d.h5.part", last, last);
    }
    shell("rm -rf %s && cp -r short %s", run, run);
    return last;
}

static void test_nothing_to_recover(void **state)
{
    (void)state;
    shell("cp -r run same && cp run/capture.h5 before.h5");
    dt_recovery told = recover("same", NULL);
    assert_false(told.changed);
    assert_int_equal(told.lost, 0);
    shell("cmp -s same/capture.h5 before.h5 && rm -r same before.h5");
}

static void test_a_killed_run_is_made_whole(void **state)
{
    (void)state;
    for (int lost_index = 0; lost_index < 3; lost_index++) {
        int last = kill_run("killed");
        if (lost_index == 1)
            shell("rm killed/capture.h5");
        if (lost_index == 2)
            shell("printf nonsense > killed/capture.h5");
        recover("killed", "rescued.h5");
        shell("test -e killed/capture/.seg-%06d.h5.part", last); /* untouched */
        dt_recovery told = recover("killed", NULL);
        assert_true(told.changed);
        assert_true(told.salvaged > 0);
        if (told.lost)
            fail_msg("%s", said);
        assert_int_equal(assert_begins("killed", "run", true), STEPS);
        hid_t file = H5Fopen("killed/capture.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
        assert_text(file, "status", "recovered");
        H5Fclose(file);
        told = recover("killed", NULL);
        assert_false(told.changed);
        shell("h=$(ls -A killed/capture | grep -c part); test $h = 0");
        if (lost_index == 0)
            assert_int_equal(assert_begins("rescued.h5", "run", true), STEPS);
        shell("rm rescued.h5");
    }
}

/* Cut at many places: what is read is the beginning of what was captured, finished segments stay. */
static void test_truncated_parts(void **state)
{
    (void)state;
    enum { CUTS = 6 };
    struct stat there;
    char name[64];
    int64_t most = 0;
    for (int cut = 0; cut <= CUTS; cut++) {
        int last = kill_run("cut");
        snprintf(name, sizeof name, "cut/capture/.seg-%06d.h5.part", last);
        assert_int_equal(stat(name, &there), 0);
        assert_int_equal(truncate(name, there.st_size * cut / CUTS), 0);
        dt_recovery told = recover("cut", NULL);
        int64_t steps = assert_begins("cut", "run", false);
        assert_true(steps >= 1 && (cut < CUTS || steps == STEPS));
        if (cut < CUTS)
            assert_true(told.lost > 0 || steps == STEPS);
        most = steps > most ? steps : most;
        assert_false(recover("cut", NULL).salvaged > 0); /* nothing twice */
        shell(
            "cd run && for f in capture/seg-*; do test $f = capture/seg-%06d.h5 || cmp -s $f ../cut/$f || exit 1; done",
            last);
    }
    assert_int_equal(most, STEPS);
}

static void test_damaged_segments_are_left_out(void **state)
{
    (void)state;
    dt_capture_reader *r;
    dt_error error = {0};
    shell("rm -rf bad && cp -r run bad && truncate -s 3000 bad/capture/seg-000001.h5");
    assert_int_equal(dt_capture_reader_open(&r, "bad", DT_CAPTURE_WHOLE, &error), DT_MALFORMED);
    assert_non_null(strstr(error.message, "seg-000001.h5"));
    dt_recovery told = recover("bad", NULL);
    assert_true(told.changed);
    assert_int_equal(told.lost, 1);
    r = open_good("bad");
    int64_t *steps, count;
    assert_int_equal(dt_capture_reader_steps(r, "everything", &steps, &count, NULL), DT_OK);
    assert_true(count > 0 && count < STEPS);
    for (int64_t i = 1; i < count; i++)
        assert_true(steps[i] > steps[i - 1]);
    dt_capture_release(steps);
    dt_capture_reader_close(r);
    shell("test -e bad/capture/seg-000001.h5.lost && test ! -e bad/capture/seg-000001.h5");
    hid_t file = H5Fopen("bad/capture.h5", H5F_ACC_RDONLY, H5P_DEFAULT); /* as users read it */
    table z = read_table(file, "/everything/layer01/z");
    assert_int_equal(z.size[0], count);
    drop(&z);
    H5Fclose(file);
}

/* Killed anywhere, it can be done again. */
static void test_recovering_is_safe_to_kill(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        kill_run("twice");
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            dt_recovery told = {.experiment = &m.experiment, .experiment_text = "the experiment", .provenance = "{}"};
            (void)dt_capture_recover("twice", NULL, &told, NULL);
            _exit(0);
        }
        nanosleep(&(struct timespec){.tv_nsec = 3000000L * i}, NULL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        recover("twice", NULL);
        assert_int_equal(assert_begins("twice", "run", true), STEPS);
    }
}

static void test_a_plain_capture_is_recovered(void **state)
{
    (void)state;
    dt_capture_reader *r = open_good("run");
    shell("rm -rf plain && mkdir plain");
    assert_int_equal(dt_capture_copy(r, "plain/capture.h5", &(dt_copy_options){.status = "running"}, NULL), DT_OK);
    dt_capture_reader_close(r);
    dt_recovery told = recover("plain", NULL);
    assert_true(told.changed);
    assert_int_equal(told.lost, 0);
    assert_int_equal(assert_begins("plain", "run", true), STEPS);
    assert_false(recover("plain", NULL).changed);
}

static void extend(hid_t file, const char *name, hsize_t steps)
{
    hsize_t size[3];
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(set);
    assert_true(H5Sget_simple_extent_dims(space, size, NULL) >= 1);
    size[0] = steps;
    assert_true(H5Dset_extent(set, size) >= 0);
    H5Sclose(space);
    H5Dclose(set);
}

/* A flush that was cut short: data sets that say they have steps whose numbers were never written. */
static void test_steps_that_are_not_whole_are_lost(void **state)
{
    (void)state;
    static const char *const longer[] = {"/everything/step", "/everything/layer01/z", "/everything/layer02/dW"};
    for (size_t i = 0; i < COUNT(longer); i++) {
        dt_capture_reader *r = open_good("run");
        shell("rm -rf begun && mkdir begun");
        assert_int_equal(dt_capture_copy(r, "begun/capture.h5",
                                         &(dt_copy_options){.chunks = DT_CHUNKS_STEP, .status = "running"}, NULL),
                         DT_OK);
        dt_capture_reader_close(r);
        hid_t file = H5Fopen("begun/capture.h5", H5F_ACC_RDWR, H5P_DEFAULT);
        extend(file, longer[i], 5000);
        H5Fclose(file);
        assert_int_equal(dt_capture_reader_open(&r, "begun", DT_CAPTURE_WHOLE, NULL), DT_MALFORMED);
        dt_recovery told = recover("begun", NULL);
        assert_true(told.changed);
        assert_int_equal(told.lost, 5000 - STEPS);
        assert_int_equal(assert_begins("begun", "run", true), STEPS);
        shell("test -e begun/capture.h5.unrecovered");
    }

    /* All of them longer, by chunks that were never written: the numbers there would read as NaN. */
    dt_capture_reader *r = open_good("run");
    const dt_capture_dataset *set;
    shell("rm -rf begun && mkdir begun");
    assert_int_equal(
        dt_capture_copy(r, "begun/capture.h5", &(dt_copy_options){.chunks = DT_CHUNKS_STEP, .status = "running"}, NULL),
        DT_OK);
    hid_t file = H5Fopen("begun/capture.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    for (size_t i = 0; (set = dt_capture_reader_at(r, i)); i++)
        if (set->has_steps && strncmp(set->name, "/everything/", 12) == 0)
            extend(file, set->name, 5000);
    H5Fclose(file);
    dt_capture_reader_close(r);
    assert_int_equal(recover("begun", NULL).lost, 5000 - STEPS);
    assert_int_equal(assert_begins("begun", "run", true), STEPS);
}

/* --- files that are out to do harm --- */

static void expect_refusal(const char *path, const char *words)
{
    dt_capture_reader *r;
    dt_error error = {0};
    dt_status status = dt_capture_reader_open(&r, path, DT_CAPTURE_WHOLE, &error);
    if (status == DT_OK) { /* or at the data set itself */
        const dt_capture_dataset *set;
        for (size_t i = 0; (set = dt_capture_reader_at(r, i)); i++)
            assert_true(!strstr(set->name, "bad") || set->fault[0]);
        dt_capture_reader_close(r);
        return;
    }
    assert_int_equal(status, DT_MALFORMED);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

static hid_t make_hostile(const char *name, hid_t *group)
{
    hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    *group = H5Gcreate2(file, "r", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hsize_t one = 1;
    int64_t zero = 0;
    hid_t space = H5Screate_simple(1, &one, NULL);
    hid_t step = H5Dcreate2(*group, "step", H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(step, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &zero);
    H5Dclose(step);
    H5Sclose(space);
    return file;
}

static void test_hostile_files(void **state)
{
    (void)state;
    hid_t group, file, space, creation, set;
    const hsize_t small_size[2] = {1, 16}, huge[2] = {INT64_C(1) << 40, INT64_C(1) << 20}, chunk[2] = {1, 16};

    file = make_hostile("external.h5", &group);
    creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, "/etc/passwd", 0, 16);
    space = H5Screate_simple(2, small_size, NULL);
    set = H5Dcreate2(group, "bad", H5T_NATIVE_INT8, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(creation);
    H5Gclose(group);
    H5Fclose(file);
    expect_refusal("external.h5", "another file");

    file = make_hostile("huge.h5", &group);
    creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 2, chunk);
    space = H5Screate_simple(2, huge, NULL);
    set = H5Dcreate2(group, "bad", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(creation);
    H5Gclose(group);
    H5Fclose(file);
    expect_refusal("huge.h5", "size");

    file = make_hostile("cycle.h5", &group); /* /r/r/r/...: as deep as one likes */
    H5Lcreate_hard(file, "/r", group, "r", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/", group, "root", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "/x", group, "out", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/r/step", group, "bad", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    H5Fclose(file);
    dt_capture_reader *r;
    if (dt_capture_reader_open(&r, "cycle.h5", DT_CAPTURE_WHOLE, NULL) == DT_OK) {
        assert_null(dt_capture_reader_find(r, "r/bad"));
        assert_null(dt_capture_reader_find(r, "r/out"));
        dt_capture_reader_close(r);
    }

    shell("rm -rf out && mkdir -p out/capture && cp run/capture/seg-000000.h5 out/other.h5"); /* an index that leads out
                                                                                               */
    file = make_hostile("out/capture.h5", &group);
    H5Ldelete(group, "step", H5P_DEFAULT);
    creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t one = 1;
    space = H5Screate_simple(1, &one, NULL);
    H5Pset_virtual(creation, space, "other.h5", "/everything/step", space);
    set = H5Dcreate2(group, "step", H5T_NATIVE_INT64, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(creation);
    H5Gclose(group);
    H5Fclose(file);
    expect_refusal("out", "no segment of its own");
    assert_int_equal(dt_capture_reader_open(&r, "/dev/null", DT_CAPTURE_WHOLE, NULL), DT_INVALID);
}

/* Bytes changed at many places of a segment: an answer every time, and never a crash of this process. */
static void test_flipped_bytes(void **state)
{
    (void)state;
    shell("rm -rf flip && cp -r run flip");
    FILE *f = fopen("flip/capture/seg-000000.h5", "r+b");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    for (int i = 0; i < 24; i++) {
        long place = (long)(dt_philox(5, DT_FOR_TEST, 0, (uint64_t)i).u[0] % (uint64_t)(i % 2 ? size : 4096));
        dt_capture_reader *r;
        fseek(f, place, SEEK_SET);
        int was = fgetc(f);
        fseek(f, place, SEEK_SET);
        fputc(was ^ 0xff, f);
        fflush(f);
        if (dt_capture_reader_open(&r, "flip", DT_CAPTURE_ALL, NULL) == DT_OK) {
            const dt_capture_dataset *set;
            for (size_t s = 0; (set = dt_capture_reader_at(r, s)); s++) {
                static const int64_t zero[DT_DATASET_RANK];
                char *to = set->fault[0] || bytes_of(set) > 1 << 24 ? NULL : malloc(bytes_of(set) + 1);
                if (to)
                    (void)dt_capture_reader_read(r, set, zero, set->size, to, NULL);
                free(to);
            }
            dt_capture_reader_close(r);
        }
        fseek(f, place, SEEK_SET);
        fputc(was, f);
        fflush(f);
    }
    fclose(f);
}

int main(void)
{
    if (access("/dev/shm", W_OK) == 0) /* these tests synchronise hundreds of files */
        setenv("TMPDIR", "/dev/shm", 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_hdf5_reads),
        cmocka_unit_test(test_copies_are_equal),
        cmocka_unit_test(test_chunks_suit_their_reader),
        cmocka_unit_test(test_nothing_to_recover),
        cmocka_unit_test(test_a_killed_run_is_made_whole),
        cmocka_unit_test(test_truncated_parts),
        cmocka_unit_test(test_damaged_segments_are_left_out),
        cmocka_unit_test(test_recovering_is_safe_to_kill),
        cmocka_unit_test(test_a_plain_capture_is_recovered),
        cmocka_unit_test(test_steps_that_are_not_whole_are_lost),
        cmocka_unit_test(test_hostile_files),
        cmocka_unit_test(test_flipped_bytes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
