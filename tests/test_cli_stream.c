/* Runs whose inputs are read while they train: the program's answers are those of a run from memory; memory is bounded;
 * when the reader, the file or the run itself is stopped it says so, and --resume goes on to the same bits. */
#define _DEFAULT_SOURCE /* wait4 */
#include <ctype.h>
#include <hdf5.h>
#include <sys/resource.h>
#include <time.h>

#include "base/philox.h"
#include "run_reading.h"
#include "scratch.h"

/* --- files --- */

static void put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *size, const void *numbers)
{
    const hsize_t chunk[2] = {size[0] < 100 ? size[0] : 100, rank > 1 ? size[1] : 0};
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, size, NULL);
    assert_true(H5Pset_chunk(creation, rank, chunk) >= 0);
    const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    H5Dclose(set);
    H5Pclose(creation);
    H5Sclose(space);
}

/* Random bytes, and whether the first two add up to more than 255. */
static void make_file(const char *name, size_t rows, size_t features, uint64_t seed)
{
    unsigned char *x = malloc(rows * features);
    unsigned char *y = malloc(rows);
    for (size_t i = 0; i < rows * features; i += 16) {
        const dt_random128 random = dt_philox(seed, DT_FOR_TEST, 0, i);
        memcpy(x + i, &random, rows * features - i < 16 ? rows * features - i : 16);
    }
    for (size_t i = 0; i < rows; i++)
        y[i] = x[i * features] + x[i * features + 1] > 255;
    const hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "x", H5T_NATIVE_UINT8, 2, (const hsize_t[]){rows, features}, x);
    put(file, "y", H5T_NATIVE_UINT8, 1, (const hsize_t[]){rows}, y);
    assert_true(H5Fclose(file) >= 0);
    free(x);
    free(y);
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 20];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    const size_t size = fread(bytes, 1, sizeof bytes, in);
    assert_true(size < sizeof bytes && fwrite(bytes, 1, size, out) == size);
    assert_int_equal(fclose(in) | fclose(out), 0);
}

#define DATA                                                                                                           \
    "name: stream\n"                                                                                                   \
    "data:\n"                                                                                                          \
    "  format: hdf5\n"                                                                                                 \
    "  train: {file: train.h5, inputs: /x, labels: /y}\n"                                                              \
    "  validation: {fraction: 0.1}\n"                                                                                  \
    "  standardize: true\n"                                                                                            \
    "  window: 600\n"                                                                                                  \
    "  block: 50\n"                                                                                                    \
    "  memory: 32K\n"
#define NETWORK                                                                                                        \
    "network: [{units: 12, activation: tanh}, {units: 2}]\n"                                                           \
    "loss: cross_entropy\n"                                                                                            \
    "optimizer: {learning_rate: 0.05, momentum: 0.9}\n"                                                                \
    "training: {epochs: 3, batch_size: 32}\n"

static const char experiment[] =
    DATA "  test: {file: test.h5, inputs: /x, labels: /y}\n" NETWORK
         "capture: {rows: {quantities: [a, delta], every: 40, samples: [7, 2999, 7, 0]}}\n";
static const char bare[] = DATA NETWORK;

enum { ROWS = 3000, FEATURES = 16 }; /* 48,000 bytes */

static int set_up(void **state)
{
    (void)state;
    if (home_make() != 0)
        return -1;
    make_file("train.h5", ROWS, FEATURES, 1);
    make_file("test.h5", 2100, FEATURES, 2);
    write_text("e.yaml", experiment);
    write_text("bare.yaml", bare);
    return 0;
}

/* Column 4 on of metrics.tsv but for the last, which is a speed. */
static void figures_of(const char *run, char *to, size_t size)
{
    char path[512], text[8192];
    snprintf(path, sizeof path, "%s/metrics.tsv", run);
    read_into(path, text, sizeof text);
    *to = '\0';
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *from = line, *end = strrchr(line, '\t');
        for (int i = 0; i < 3; i++)
            from = strchr(from, '\t') + 1;
        *end = '\0';
        snprintf(to + strlen(to), size - strlen(to), "%s\n", from);
    }
}

/* --- the same answers --- */

static void a_streamed_run_is_the_run_from_memory(void **state)
{
    static char one[8192], other[8192], captured[PROGRAM_OUTPUT];
    (void)state;
    RUN("train", "e.yaml", "data.stream=false", "--quiet", "--out", "memory");
    expect_success();
    RUN("train", "e.yaml", "parallel.threads=3", "--quiet", "--out", "streamed"); /* auto: 48,000 > 32K */
    expect_success();
    expect_same_weights("memory", "streamed");
    figures_of("memory", one, sizeof one);
    figures_of("streamed", other, sizeof other);
    assert_string_equal(one, other);
    assert_null(strstr(strchr(one, '\n'), "nan")); /* training, validation and test set */
    RUN("capture", "csv", "memory", "rows/layer01/delta");
    expect_success();
    strcpy(captured, last.out);
    assert_true(strlen(captured) > 1000);
    RUN("capture", "csv", "streamed", "rows/layer01/delta");
    expect_success();
    assert_string_equal(captured, last.out);
    RUN("eval", "memory");
    expect_success();
    strcpy(captured, strchr(last.out, '\n'));
    RUN("eval", "streamed");
    expect_success();
    assert_string_equal(captured, strchr(last.out, '\n'));
    RUN("predict", "memory", "test.h5:/x");
    expect_success();
    strcpy(captured, last.out);
    RUN("predict", "streamed", "test.h5:/x");
    expect_success();
    assert_string_equal(captured, last.out);
    RUN("verify", "streamed");
    expect_success();
    RUN("train", "streamed/experiment.yaml", "--quiet", "--out", "again");
    expect_success();
    expect_same_weights("streamed", "again");
}

static void a_plan_tells_windows_and_memory(void **state)
{
    (void)state;
    RUN("train", "e.yaml", "--dry-run");
    expect_success();
    assert_non_null(strstr(last.out,
                           "\nwindows     5 of up to 600 rows, drawn in blocks of 50; one is read while another is "
                           "trained on\n"));
    RUN("train", "e.yaml", "data.stream=false", "--dry-run");
    assert_non_null(strstr(last.out, "\nwindows     5 of up to 600 rows, drawn in blocks of 50; all are in memory\n"));
    RUN("train", "e.yaml", "data.window=auto", "data.block=auto", "data.memory=48K", "data.stream=true", "--dry-run",
        "--json");
    expect_success();
    assert_non_null(strstr(last.out, "\"streamed\": true, \"windows\": "));
    RUN("train", "e.yaml", "data.memory=1K", "--dry-run");
    expect_refusal(
        2, "deltoid: command line: key 'data.memory=1K': data.memory: 1K is out of range; give a number of bytes");
    RUN("train", "e.yaml", "data.window=2000", "--dry-run");
    expect_refusal(2, "deltoid: command line: key 'data.window=2000': data.window: windows of 2000 rows need ");
    RUN("train", "e.yaml", "data.block=700", "--dry-run");
    expect_refusal(
        2,
        "deltoid: command line: key 'data.block=700': data.block: blocks of 700 rows are larger than a window of 600");
    RUN("train", "e.yaml", "--print-config");
    expect_success();
    assert_non_null(strstr(last.out, "  memory: 32768\n"));
    RUN("train", "e.yaml", "data.memory=2G", "data.window=auto", "--print-config");
    assert_non_null(strstr(last.out, "  window: auto\n"));
    assert_non_null(strstr(last.out, "  memory: 2147483648\n"));
}

static void a_sweep_goes_over_windows(void **state)
{
    (void)state;
    write_text("sweep.yaml", "name: windows\nexperiment: e.yaml\ngrid: {data.window: [300, 600]}\nseeds: [1]\n");
    RUN("sweep", "sweep.yaml", "--out", "swept");
    assert_int_equal(last.status, 0);
    read_into("swept/summary.tsv", last.out, sizeof last.out);
    assert_non_null(strstr(last.out, "600"));
}

/* --- memory --- */

/* KiB of memory that the program and its reader have at most, whichever has more. */
static long peak_of(const char *const *arguments)
{
    struct rusage used;
    int status;
    const pid_t pid = start_program(arguments);
    assert_int_equal(wait4(pid, &status, 0, &used), pid);
    read_into("stderr.txt", last.err, sizeof last.err);
    if (status != 0 || *last.err)
        fail_msg("status %x: %s", (unsigned)status, last.err);
    return used.ru_maxrss;
}

static void memory_is_bounded(void **state)
{
    enum { LARGE = 96 << 20, WIDE = 4096, MEMORY = 8 << 20 };
    (void)state;
    const pid_t maker = fork(); /* a program that is started has at least the memory of who starts it, for getrusage */
    if (maker == 0) {
        make_file("large.h5", LARGE / WIDE, WIDE, 3);
        _exit(0);
    }
    int made;
    assert_int_equal(waitpid(maker, &made, 0), maker);
    assert_int_equal(made, 0);
#define LARGE_RUN                                                                                                      \
    "train", "bare.yaml", "data.train.file=large.h5", "data.window=auto", "data.block=auto", "data.standardize=false", \
        "training.epochs=1", "training.batch_size=512", "network.0.units=2", "--quiet", "--out"
    const char *whole[] = {LARGE_RUN, "whole", "data.memory=200M", NULL};
    const char *streamed[] = {LARGE_RUN, "parts", "data.memory=8M", NULL};
    const long all = peak_of(whole), few = peak_of(streamed);
    if (all - few < (LARGE - MEMORY) / 1024 - 8192) /* chunks, and what was asked for of them */
        fail_msg("%ld KiB from memory, but %ld KiB streamed", all, few);
    assert_int_equal(remove("large.h5"), 0);
}

/* --- what happens meanwhile --- */

static void pause_shortly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

enum { EPOCHS = 300, TRIES = 20 };

/* Epochs that the run has told of, and a few more that are on their way to the file. */
static int epochs_of(const char *run)
{
    char path[64], text[1 << 16];
    int lines = 0;
    snprintf(path, sizeof path, "%s/metrics.tsv", run);
    if (access(path, R_OK) != 0)
        return 0;
    read_into(path, text, sizeof text);
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    return lines - 1;
}

#define LONG(file, out) "train", file, "training.epochs=300", "--quiet", "--out", out

/* A run of `file` that is stopped (SIGSTOP) behind its first epoch and well before its last, however late we look. */
static pid_t start_long_of(const char *file, const char *out)
{
    for (int i = 0; i < TRIES; i++) {
        int looks = 0;
        const pid_t pid = start_program((const char *const[]){LONG(file, out), NULL});
        while (epochs_of(out) < 1 && looks++ < 5000)
            pause_shortly();
        assert_int_equal(kill(pid, SIGSTOP), 0);
        if (epochs_of(out) >= 1 && epochs_of(out) < EPOCHS - 50)
            return pid;
        assert_int_equal(kill(pid, SIGKILL), 0);
        wait_program(pid);
        scratch_unlink(out);
    }
    fail_msg("no run could be stopped in time: %s", last.err);
    return -1;
}

/* Beside the run "long", which nothing happens to. */
static pid_t start_long(const char *out)
{
    if (access("long", F_OK) != 0) {
        RUN(LONG("bare.yaml", "long"));
        expect_success();
    }
    return start_long_of("bare.yaml", out);
}

/* As the terminal does to all of a group. */
static void signal_both(pid_t pid, pid_t reader, int number)
{
    assert_int_equal(kill(reader, number), 0);
    assert_int_equal(kill(pid, number), 0);
}

static pid_t child_of(pid_t pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    read_into(path, text, sizeof text);
    const int child = atoi(text);
    assert_true(child > 1);
    return child;
}

/* The run goes on to the weights of one that nothing happened to. */
static void expect_goes_on(const char *out)
{
    RUN("train", "--resume", out, "--quiet");
    expect_success();
    expect_same_weights(out, "long");
}

static void a_reader_that_is_killed(void **state)
{
    (void)state;
    const pid_t pid = start_long("killed");
    assert_int_equal(kill(child_of(pid), SIGKILL), 0);
    assert_int_equal(kill(pid, SIGCONT), 0);
    wait_program(pid);
    expect_refusal(3, "deltoid: ");
    assert_non_null(strstr(last.err, "train.h5: the process that read it was killed; free some memory"));
    assert_non_null(strstr(last.err, "deltoid train --resume killed"));
    expect_goes_on("killed");
}

/* The stopped run goes on, and sees that `file` is shorter now; what it was is in kept.h5. */
static void expect_cut_seen(pid_t pid, const char *file)
{
    char says[80];
    snprintf(says, sizeof says, "%s: was changed while it was read: it had ", file);
    copy_file(file, "kept.h5");
    assert_int_equal(truncate(file, 20000), 0);
    assert_int_equal(kill(pid, SIGCONT), 0);
    wait_program(pid);
    expect_refusal(3, "deltoid: ");
    assert_non_null(strstr(last.err, says));
}

static void a_file_that_is_cut(void **state)
{
    (void)state;
    const pid_t pid = start_long("cut");
    expect_cut_seen(pid, "train.h5");
    RUN("train", "--resume", "cut", "--quiet");
    assert_int_equal(last.status, 2);
    copy_file("kept.h5", "train.h5");
    expect_goes_on("cut");
}

/* An epoch whose evaluation fails is reported first by the run that goes on: no step is made twice, no row is left out.
 */
static void a_test_set_that_is_cut(void **state)
{
    (void)state;
    RUN(LONG("e.yaml", "tested"));
    expect_success();
    const pid_t pid = start_long_of("e.yaml", "untested");
    expect_cut_seen(pid, "test.h5");
    const int before = epochs_of("untested");
    copy_file("kept.h5", "test.h5");
    RUN("train", "--resume", "untested");
    assert_int_equal(last.status, 0);
    char begins[96];
    const int steps = (ROWS - ROWS / 10 + 31) / 32;
    snprintf(begins, sizeof begins, "going on after step %d (epoch %d), ", steps * (before + 1), before + 1);
    assert_non_null(strstr(last.out, begins));
    assert_string_equal(last.err, "");
    expect_same_weights("untested", "tested");
    assert_int_equal(epochs_of("untested"), EPOCHS);
}

/* Ctrl-C reaches the reader, too. */
static void a_run_that_is_interrupted(void **state)
{
    (void)state;
    const pid_t pid = start_long("interrupted");
    signal_both(pid, child_of(pid), SIGINT);
    assert_int_equal(kill(pid, SIGCONT), 0);
    wait_program(pid);
    assert_int_equal(last.status, 130);
    expect_goes_on("interrupted");
}

/* Ctrl-Z and fg; and a run that is killed leaves no reader behind. */
static void a_run_that_is_stopped_and_killed(void **state)
{
    (void)state;
    const pid_t pid = start_long("stopped");
    const pid_t reader = child_of(pid);
    for (int i = 0; i < 5; i++) {
        signal_both(pid, reader, SIGCONT);
        pause_shortly();
        signal_both(pid, reader, SIGSTOP);
        pause_shortly();
    }
    assert_int_equal(kill(reader, SIGCONT), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    wait_program(pid);
    assert_int_equal(last.status, 128 + SIGKILL);
    int looks = 0;
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)reader); /* whoever waits for orphans may take its time */
    for (; looks < 5000 && access(path, R_OK) == 0; looks++, pause_shortly()) {
        read_into(path, line, sizeof line);
        if (!*line)
            break;
    }
    assert_true(looks < 5000);
    expect_goes_on("stopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_streamed_run_is_the_run_from_memory),
        cmocka_unit_test(a_plan_tells_windows_and_memory),
        cmocka_unit_test(a_sweep_goes_over_windows),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(a_reader_that_is_killed),
        cmocka_unit_test(a_file_that_is_cut),
        cmocka_unit_test(a_test_set_that_is_cut),
        cmocka_unit_test(a_run_that_is_interrupted),
        cmocka_unit_test(a_run_that_is_stopped_and_killed),
    };
    return cmocka_run_group_tests(tests, set_up, home_remove);
}
