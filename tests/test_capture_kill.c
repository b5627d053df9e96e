/* Runs that capture every step, killed at random instants: what was acknowledged is there, reads, and is what a run
 * that nobody killed captured; and a run that goes on from the beginning ends with all of that.
 *
 *     test_capture_kill [KILLS]      default 30; by hand 1000
 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
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
#include "record/capture_layout.h"
#include "record/segments.h"
#include "scratch.h"
#include "small.h"

enum { LAYERS = 3, ROWS = 26, BATCH = 8, EPOCHS = 1500, STEPS = 4 * EPOCHS, LONGEST_MS = 250, RESUME_EVERY = 10 };
static const int64_t units[LAYERS + 1] = {7, 5, 4, 3};
static int kills = 30;
static int64_t kept; /* steps, by all that were killed */

static const char *const names[] = {"/all/step",      "/all/sample_id",     "/all/layer00/a",  "/all/layer01/z",
                                    "/all/layer02/a", "/all/layer03/delta", "/all/layer02/dW", "/all/layer01/b"};
enum { SETS = sizeof names / sizeof *names };

static void make_run(small *m, dt_capture_rule *rule, unsigned compression)
{
    small_make(m, 11, ROWS, units, LAYERS, "tanh");
    *rule = (dt_capture_rule){.name = "all",
                              .quantities = (1u << DT_QUANTITIES) - 1,
                              .every = 1,
                              .samples = DT_SAMPLES_BATCH,
                              .compression = compression};
    m->experiment.training = (dt_training_spec){EPOCHS, BATCH, true};
    m->experiment.parallel.threads = 1;
    m->experiment.capture = rule;
    m->experiment.capture_count = 1;
}

static dt_status train(const char *path, unsigned compression, bool resume, dt_error *error)
{
    static small m;
    dt_capture_rule rule;
    dt_trainer *t;
    dt_capture *capture;
    make_run(&m, &rule, compression);
    const dt_trainer_data data = small_data(&m);
    dt_status status = dt_trainer_create(&t, &m.experiment, &data, error);
    if (status != DT_OK)
        return status;
    status = dt_capture_create(&capture, path, t, "", "", &(dt_capture_options){.resume = resume}, error);
    if (status == DT_OK) {
        status = dt_trainer_run(t, error);
        dt_status closed = dt_capture_close(capture, "complete", error);
        status = status == DT_OK ? closed : status;
    }
    dt_trainer_destroy(t);
    return status;
}

/* The first steps of `file` are those of the run that nobody killed from step `first` on. */
static int64_t compare(hid_t file, const table *whole, int64_t first)
{
    int64_t steps = -1;
    for (size_t i = 0; i < SETS; i++) {
        table t = read_table(file, "%s", names[i]);
        const size_t numbers = (size_t)(whole[i].size[1] * whole[i].size[2]);
        assert_true(t.size[1] == whole[i].size[1] && t.size[2] == whole[i].size[2]);
        assert_true(steps < 0 || t.size[0] == (hsize_t)steps);
        steps = (int64_t)t.size[0];
        assert_true(first + steps <= STEPS);
        const double *wanted = whole[i].value + (size_t)first * numbers;
        for (size_t n = 0; n < (size_t)steps * numbers; n++)
            if (t.value[n] != wanted[n] && !(isnan(t.value[n]) && isnan(wanted[n])))
                fail_msg("%s: number %zu is %g, not %g", names[i], n, t.value[n], wanted[n]);
        drop(&t);
    }
    return steps;
}

/* The index, where there is one; every finished segment; more of them than the index knows, if anything. */
static int64_t check(scratch *files, const char *run, const table *whole)
{
    char name[128], segment[DT_SEGMENT_NAME];
    int64_t indexed = 0, found = 0;
    snprintf(name, sizeof name, "%s/capture.h5", run);
    const char *path = scratch_path(files, name);
    if (access(path, F_OK) == 0) {
        hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        if (file < 0)
            fail_msg("%s can't be opened", path);
        indexed = compare(file, whole, 0);
        H5Fclose(file);
    }
    for (int64_t n = 0;; n++) {
        dt_segment_name(n, segment);
        snprintf(name, sizeof name, "%s/%s", run, segment);
        path = scratch_path(files, name);
        if (access(path, F_OK) != 0)
            break;
        hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        if (file < 0)
            fail_msg("%s can't be opened", path);
        found += compare(file, whole, found);
        H5Fclose(file);
    }
    assert_true(indexed <= found);
    return found;
}

static void read_whole(const char *path, table *whole)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    for (size_t i = 0; i < SETS; i++)
        whole[i] = read_table(file, "%s", names[i]);
    H5Fclose(file);
    assert_int_equal(whole[0].size[0], STEPS);
}

/* In a child: this process has no thread when it forks. */
static void train_whole(const char *path, unsigned compression, bool resume)
{
    int status;
    dt_error error = {0};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (train(path, compression, resume, &error) == DT_OK)
            _exit(0);
        fprintf(stderr, "%s\n", error.message);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void kill_one(scratch *files, const char *run, const table *whole, int n)
{
    char name[128], path[512];
    dt_error error = {0};
    const unsigned compression = n % 2 ? DT_COMPRESSION_GZIP : DT_COMPRESSION_NONE;
    assert_int_equal(mkdir(scratch_path(files, run), 0777), 0);
    snprintf(name, sizeof name, "%s/capture.h5", run);
    snprintf(path, sizeof path, "%s", scratch_path(files, name)); /* check asks for many names */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(train(path, compression, false, &error) == DT_OK ? 0 : 1);
    const long long wait = (long long)(dt_uniform01(dt_philox(7, DT_FOR_TEST, 2, (uint64_t)n).u[0]) * LONGEST_MS * 1e6);
    nanosleep(&(struct timespec){.tv_nsec = (long)wait}, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    kept += check(files, run, whole);
    snprintf(name, sizeof name, "%s/capture", run);
    if (n % RESUME_EVERY == 0 && access(scratch_path(files, name), F_OK) == 0) {
        train_whole(path, compression, true);
        assert_int_equal(check(files, run, whole), STEPS);
    }
    scratch_unlink(scratch_path(files, run));
}

static void test_what_was_finished_survives(void **state)
{
    (void)state;
    scratch files;
    table whole[SETS];
    scratch_make(&files);
    train_whole(scratch_path(&files, "capture.h5"), DT_COMPRESSION_NONE, false);
    read_whole(scratch_path(&files, "capture.h5"), whole);
    for (int n = 0; n < kills; n++)
        kill_one(&files, "run", whole, n);
    printf("%d kills, %lld steps kept\n", kills, (long long)kept);
    assert_true(kept > kills);
    for (size_t i = 0; i < SETS; i++)
        drop(&whole[i]);
    scratch_remove(&files);
}

int main(int count, char **arguments)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (count > 1)
        kills = atoi(arguments[1]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_was_finished_survives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
