/* A run's record from outside: read while it grows, interrupted, refused by the system, made anew. What was
 * acknowledged is there and reads; what went wrong is one line; --resume goes on to the bits of a run that nothing
 * happened to. */
#define _DEFAULT_SOURCE /* wait4 */
#include "run_reading.h"

#include <math.h>
#include <sys/resource.h>
#include <time.h>

#include "base/philox.h"
#include "record/capture_layout.h"
#include "record/segments.h"

enum { ROWS = 320, FEATURES = 12, CLASSES = 4, STEPS_PER_EPOCH = 10 };

static void write_data(void)
{
    FILE *f = fopen("data.csv", "wb");
    assert_non_null(f);
    for (uint64_t i = 0; i < ROWS; i++) {
        for (uint64_t k = 0; k < FEATURES; k++)
            fprintf(f, "%.4f,", dt_uniform01(dt_philox(3, DT_FOR_TEST, i, k).u[0]));
        fprintf(f, "%d\n", (int)(dt_philox(3, DT_FOR_TEST, i, FEATURES).u[0] % CLASSES));
    }
    assert_int_equal(fclose(f), 0);
}

#define EXPERIMENT(capture)                                                                                            \
    "name: record\n"                                                                                                   \
    "data: {format: csv, train: {file: data.csv}}\n"                                                                   \
    "network:\n"                                                                                                       \
    "  - {units: 9, activation: relu}\n"                                                                               \
    "  - {units: 7, activation: tanh}\n"                                                                               \
    "  - {units: 4}\n"                                                                                                 \
    "loss: cross_entropy\n"                                                                                            \
    "optimizer: {learning_rate: 0.05, momentum: 0.9}\n"                                                                \
    "training: {epochs: 6, batch_size: 32}\n"                                                                          \
    "parallel: {threads: 2, reduction: tree, shard_size: 8}\n"                                                         \
    "capture:\n" capture

static const char plain[] = EXPERIMENT("  probe: {quantities: [z, delta], every: 1, samples: 8}\n");

static const char everything[] = EXPERIMENT(
    "  raw: {quantities: [W, b, z, a, delta, dW, db, cost], every: 3, samples: batch}\n"
    "  partial: {quantities: [dW_partial, db_partial], every: 4}\n"
    "  kept: {quantities: [state], every: 5}\n"
    "  statistics: {quantities: [statistics, noise_scale], every: 2}\n"
    "  units: {quantities: [a, a_mean_per_unit, z_histogram_per_unit], every: 2, units: [0-2, 6], samples: 3}\n"
    "  inputs: {quantities: [a_mean_per_unit, a_histogram_per_unit], layers: [0], every: 7}\n");

static void remove_tree(const char *path)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", path);
    assert_int_equal(system(command), 0);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* A moment of a run that is under way. */
static void while_it_trains(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, WNOHANG) != 0)
        fail_msg("the program ended too soon");
    nap();
}

static void wait_for(pid_t pid, const char *path)
{
    while (!exists(path))
        while_it_trains(pid);
}

/* `run` has the weights and the capture of `whole`. */
static void expect_same_run(const char *run, const char *whole)
{
    size_t size, other;
    expect_same_weights(run, whole);
    char *a = captured_in(run, &size), *b = captured_in(whole, &other);
    if (size != other || memcmp(a, b, size) != 0)
        fail_msg("%s/capture.h5 holds other numbers than %s/capture.h5", run, whole);
    free(a);
    free(b);
}

/* --- an index made anew --- */

static void a_lost_index_is_made_anew(void **state)
{
    (void)state;
    size_t size, other;
    write_text("e.yaml", everything);
    RUN("train", "e.yaml", "--out", "run", "--quiet");
    expect_success();
    char *whole = captured_in("run", &size);
    assert_int_equal(remove("run/capture.h5"), 0);
    RUN("capture", "recover", "run");
    expect_success();
    char *again = captured_in("run", &other);
    if (size != other || memcmp(whole, again, size) != 0)
        fail_msg("the index made anew shows other numbers");
    free(whole);
    free(again);
    assert_int_equal(remove("run/capture.h5"), 0);
    RUN("train", "--resume", "run", "training.epochs=8", "--quiet");
    expect_success();
    RUN("train", "e.yaml", "training.epochs=8", "--out", "whole", "--quiet");
    expect_success();
    expect_same_run("run", "whole");
    remove_tree("run");
    remove_tree("whole");
}

/* A segment found damaged twice: both files stay. */
static void damaged_segments_stay(void **state)
{
    (void)state;
    static const char *const names[] = {"run/capture/seg-000000.h5.lost", "run/capture/seg-000000.h5.lost.1"};
    char text[64];
    write_text("e.yaml", plain);
    RUN("train", "e.yaml", "--out", "run", "--quiet");
    expect_success();
    RUN("train", "--resume", "run", "training.epochs=8", "--quiet");
    expect_success();
    for (int i = 0; i < 2; i++) {
        write_text("run/capture/seg-000000.h5", i ? "second" : "first");
        RUN("capture", "recover", "run");
        assert_int_equal(last.status, 1);
        read_into(names[i], text, sizeof text);
        assert_string_equal(text, i ? "second" : "first");
    }
    read_into(names[0], text, sizeof text);
    assert_string_equal(text, "first");
    RUN("train", "--resume", "run", "training.epochs=9", "--quiet");
    expect_success();
    remove_tree("run");
}

/* Checkpoints newer than what the capture has on the disk, as a kill may leave them: the run goes on from one before,
 * and nothing is missing. */
static void steps_that_never_reached_the_disk_are_captured_again(void **state)
{
    (void)state;
    char name[64] = "run/";
    int64_t n = 0;
    write_text("e.yaml", EXPERIMENT("  probe: {quantities: [z, dW_cosine], every: 1, samples: 8}\n"
                                    "  seldom: {quantities: [a], steps: [3, 17, 88], samples: 2}\n"));
    RUN("train", "e.yaml", "training.epochs=25", "--out", "whole", "--quiet");
    expect_success();
    RUN("train", "e.yaml", "training.epochs=20", "checkpoint.keep=40", "--out", "run", "--quiet");
    expect_success();
    for (dt_segment_name(n, name + 4); exists(name); dt_segment_name(++n, name + 4))
        ;
    assert_true(n > 3);
    for (int64_t gone = n - 2; gone < n; gone++) {
        dt_segment_name(gone, name + 4);
        assert_int_equal(remove(name), 0);
    }
    RUN("train", "--resume", "run", "training.epochs=25");
    expect_success();
    static const char words[] = "from run/checkpoints/checkpoint-";
    const char *from = strstr(last.out, words);
    assert_non_null(from); /* which of them, the clock decides */
    assert_true(strtol(from + strlen(words), NULL, 10) < 20 * STEPS_PER_EPOCH);
    expect_same_run("run", "whole");
    remove_tree("run");
    remove_tree("whole");
}

/* A run without a checkpoint begins again, on its own data alone. */
static void other_data_are_refused(void **state)
{
    (void)state;
    write_text("e.yaml", plain);
    RUN("train", "e.yaml", "--out", "whole", "--quiet");
    expect_success();
    RUN("train", "e.yaml", "--out", "run", "--quiet");
    expect_success();
    assert_int_equal(
        system("rm -r run/checkpoints run/model.h5 && cp data.csv kept.csv && echo 0,0,0,0,0,0,0,0,0,0,0,0,1 "
               ">>data.csv"),
        0);
    RUN("train", "--resume", "run", "--quiet");
    expect_refusal(2, "deltoid: data.train: isn't what the run was made with");
    assert_int_equal(rename("kept.csv", "data.csv"), 0);
    RUN("train", "--resume", "run");
    expect_success();
    assert_non_null(strstr(last.out, "going on from the beginning"));
    expect_same_run("run", "whole");
}

/* --- read while it grows --- */

/* Steps that a file shows, which ascend by one from 0; they must not become fewer. */
static int64_t steps_in(hid_t file, int64_t before)
{
    assert_true(file >= 0);
    hid_t set = H5Dopen2(file, "/probe/step", H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Drefresh(set) >= 0 || H5Eclear2(H5E_DEFAULT) >= 0);
    hid_t space = H5Dget_space(set);
    hsize_t count = 0;
    assert_int_equal(H5Sget_simple_extent_dims(space, &count, NULL), 1);
    int64_t *steps = calloc(count + 1, sizeof *steps);
    assert_non_null(steps);
    assert_true(H5Dread(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, steps) >= 0);
    for (hsize_t i = 0; i < count; i++)
        if (steps[i] != steps[0] + (int64_t)i)
            fail_msg("step %lld stands behind step %lld", (long long)steps[i], (long long)steps[0]);
    free(steps);
    H5Sclose(space);
    H5Dclose(set);
    if ((int64_t)count < before)
        fail_msg("%lld steps, where %lld were shown before", (long long)count, (long long)before);
    return (int64_t)count;
}

/* capture.h5 as any program opens it, at any instant of the run; each of its versions shows no less than the one
 * before. */
static void the_index_opens_while_it_trains(void **state)
{
    (void)state;
    int64_t shown = 0;
    write_text("e.yaml", plain);
    const pid_t pid = start_program(
        (const char *const[]){"train", "e.yaml", "training.epochs=1000000", "--out", "run", "--quiet", NULL});
    wait_for(pid, "run/capture/seg-000000.h5");
    for (int versions = 0; versions < 2;) { /* the index is written again: a writer that forgets it makes this hang */
        hid_t file = H5Fopen("run/capture.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
        const int64_t now = steps_in(file, shown);
        versions += now > shown;
        shown = now;
        H5Fclose(file);
        while_it_trains(pid);
    }
    kill(pid, SIGTERM);
    wait_program(pid);
    assert_int_equal(last.status, 128 + SIGTERM);
    hid_t file = H5Fopen("run/capture.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(steps_in(file, shown) > shown);
    H5Fclose(file);
    remove_tree("run");
}

/* With --live, capture/live.h5 followed as a SWMR reader does. */
static void a_live_segment_is_followed(void **state)
{
    (void)state;
    write_text("e.yaml", plain);
    const pid_t pid = start_program(
        (const char *const[]){"train", "e.yaml", "training.epochs=1000000", "--live", "--out", "run", "--quiet", NULL});
    wait_for(pid, "run/capture/live.h5");
    hid_t access_list = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access_list, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    int grown = 0;
    for (int64_t total = 0; grown < 2;) { /* the same, of a flush */
        hid_t file = H5Fopen("run/capture/live.h5", H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access_list);
        while_it_trains(pid);
        if (file < 0) /* between two segments */
            continue;
        const int64_t now = steps_in(file, 0);
        grown += now > 0 && now != total;
        total = now;
        H5Fclose(file);
    }
    H5Pclose(access_list);
    kill(pid, SIGINT);
    wait_program(pid);
    assert_int_equal(last.status, 128 + SIGINT);
    assert_false(exists("run/capture/live.h5"));
    remove_tree("run");
}

/* --- interrupted --- */

/* Starts the run, and when it has begun sends it the signals, all before it can answer the first; waits. */
static void interrupt(const int *signals, size_t count)
{
    const pid_t pid = start_program((const char *const[]){"train", "e.yaml", "--out", "run", "--quiet", NULL});
    wait_for(pid, "run/checkpoints");
    assert_int_equal(kill(pid, SIGSTOP), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(kill(pid, signals[i]), 0);
    assert_int_equal(kill(pid, SIGCONT), 0);
    wait_program(pid);
}

/* A signal, as that of a terminal that closes, ends a run with a checkpoint and a word; a second one leaves at once and
 * says nothing. Both runs go on to the same bits. */
static void interrupted_runs_go_on(void **state)
{
    (void)state;
    write_text("e.yaml", plain);
    RUN("train", "e.yaml", "training.epochs=100", "--print-config");
    expect_success();
    write_text("e.yaml", last.out);
    RUN("train", "e.yaml", "--out", "whole", "--quiet");
    expect_success();
    static const int signals[][2] = {{SIGHUP, 0}, {SIGINT, SIGTERM}, {SIGHUP, SIGINT}};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        const bool twice = signals[i][1] != 0;
        interrupt(signals[i], twice ? 2 : 1);
        assert_true(last.status == 128 + signals[i][0] || (twice && last.status == 128 + signals[i][1]));
        if (twice ? *last.err : !strstr(last.err, "deltoid: stopped by SIGHUP after step "))
            fail_msg("exit status %d: %s", last.status, last.err);
        RUN("train", "--resume", "run", "--quiet");
        expect_success();
        expect_same_run("run", "whole");
        remove_tree("run");
    }
    remove_tree("whole");
}

/* --- refused --- */

/* Nobody reads what it prints any more. */
static void a_closed_pipe_is_one_line(void **state)
{
    (void)state;
    write_text("e.yaml", plain);
    assert_int_equal(system("( \"" DELTOID_PROGRAM
                            "\" train e.yaml training.epochs=100000 --json --out run 2>stderr.txt; "
                            "echo $? >status ) | head -n 1 >/dev/null"),
                     0);
    read_into("status", last.out, sizeof last.out);
    read_into("stderr.txt", last.err, sizeof last.err);
    last.status = atoi(last.out);
    expect_refusal(3, "deltoid: ");
    size_t size;
    free(captured_in("run", &size));
    assert_true(size > 0);
    remove_tree("run");
}

/* A folder where nothing can be made, and one that goes while the run lasts. */
static void no_place_for_the_run(void **state)
{
    (void)state;
    write_text("e.yaml", plain);
    RUN("train", "e.yaml", "--out", "/proc/deltoid-run", "--quiet");
    assert_true(last.status == 3 || last.status == 2);
    expect_refusal(last.status, "deltoid: /proc/deltoid-run");
    const pid_t pid = start_program(
        (const char *const[]){"train", "e.yaml", "training.epochs=1000000", "--out", "run", "--quiet", NULL});
    wait_for(pid, "run/capture/seg-000000.h5");
    assert_int_equal(rename("run/capture", "away"), 0);
    wait_program(pid);
    expect_refusal(3, "deltoid: run/");
    assert_int_equal(rename("away", "run/capture"), 0);
    RUN("capture", "recover", "run");
    if (last.status != 0 && last.status != 1)
        fail_msg("exit status %d: %s", last.status, last.err);
    size_t size;
    free(captured_in("run", &size));
    remove_tree("run");
}

/* --- memory --- */

/* The most memory that a run had, in KiB. */
static long peak_of(const char *epochs, const char *capture)
{
    struct rusage use;
    int status;
    const pid_t pid =
        start_program((const char *const[]){"train", "e.yaml", epochs, "parallel.threads=1", "checkpoint.every=none",
                                            "--out", "run", "--quiet", capture, NULL});
    assert_int_equal(wait4(pid, &status, 0, &use), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return use.ru_maxrss;
}

/* Ten times the steps, captured each, take no more memory but for the list of segments. */
static void memory_does_not_grow(void **state)
{
    (void)state;
    write_text("e.yaml", EXPERIMENT("  probe: {quantities: [z, a, delta, dW], every: 1, samples: batch}\n"));
    const long one = peak_of("training.epochs=60", NULL);
    remove_tree("run");
    const long ten = peak_of("training.epochs=600", NULL);
    if (ten > one + one / 20 + 2048)
        fail_msg("%ld KiB, where a short run had %ld", ten, one);
}

/* What --dry-run says of the capture's size, in MiB. */
static double predicted_size(void)
{
    RUN("train", "e.yaml", "training.epochs=5", "--dry-run");
    expect_success();
    const char *table = strstr(last.out, "capture.h5\n"), *at = table ? strstr(table, "\n  all ") : NULL;
    const char *unit = at ? strstr(at, " MiB") : NULL;
    assert_non_null(unit);
    while (unit > at && unit[-1] != ' ')
        unit--;
    return atof(unit);
}

static double size_in_mib(const char *folder)
{
    char command[64];
    snprintf(command, sizeof command, "du -sb %s | cut -f 1 >size", folder);
    assert_int_equal(system(command), 0);
    read_into("size", last.out, sizeof last.out);
    return atof(last.out) / (1 << 20);
}

/* Steps of many megabytes, faster than they are written, wait in DT_CAPTURE_MEMORY, and blocks of the file take as much
 * again; HDF5's own caches are small. Few of them make a chunk, but the disk takes what was said. */
static void large_steps_are_bounded_and_predicted(void **state)
{
    (void)state;
    write_text("e.yaml", "data: {format: csv, train: {file: data.csv}}\n"
                         "network: [{units: 1000}, {units: 1000}, {units: 4}]\n"
                         "loss: cross_entropy\n"
                         "training: {batch_size: 32}\n"
                         "capture: {big: {quantities: [W, dW], every: 1}}\n");
    const long without = peak_of("training.epochs=5", "capture={}");
    remove_tree("run");
    const long with = peak_of("training.epochs=5", NULL);
    if (with > without + 2 * (DT_CAPTURE_MEMORY >> 10) + (16 << 10))
        fail_msg("%ld KiB, %ld without a capture", with, without);
    const double wanted = predicted_size(), is = size_in_mib("run/capture") + size_in_mib("run/capture.h5");
    if (!(fabs(is - wanted) <= 0.01 * wanted))
        fail_msg("%.1f MiB, where %.1f were predicted", is, wanted);
}

/* What a test that failed has left would make others fail. */
static int clear(void **state)
{
    (void)state;
    return system("rm -rf run whole away");
}

static int set_up(void **state)
{
    (void)state;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (home_make_in_memory() != 0)
        return -1;
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
    write_data();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_lost_index_is_made_anew, clear),
        cmocka_unit_test_teardown(damaged_segments_stay, clear),
        cmocka_unit_test_teardown(steps_that_never_reached_the_disk_are_captured_again, clear),
        cmocka_unit_test_teardown(other_data_are_refused, clear),
        cmocka_unit_test_teardown(the_index_opens_while_it_trains, clear),
        cmocka_unit_test_teardown(a_live_segment_is_followed, clear),
        cmocka_unit_test_teardown(interrupted_runs_go_on, clear),
        cmocka_unit_test_teardown(a_closed_pipe_is_one_line, clear),
        cmocka_unit_test_teardown(no_place_for_the_run, clear),
        cmocka_unit_test_teardown(memory_does_not_grow, clear),
        cmocka_unit_test_teardown(large_steps_are_bounded_and_predicted, clear),
    };
    return cmocka_run_group_tests(tests, set_up, home_remove);
}
