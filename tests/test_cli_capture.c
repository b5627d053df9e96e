/* deltoid capture: what it prints is what was captured, bit for bit; a sample's gradients have the mean dW; what can't
 * be done is said in one line. */
#include <hdf5.h>
#include <math.h>
#include <time.h>

#include "capture_reading.h"
#include "cli/capture.h"
#include "cli/capture_holes.h"
#include "program.h"

enum { ROWS = 40, FEATURES = 5, CLASSES = 3, BATCH = 16, STEPS = 6 };

static const char experiment[] = "name: small\n"
                                 "data:\n"
                                 "  format: idx\n"
                                 "  train: {inputs: x, labels: y}\n"
                                 "  scale: 0.01\n"
                                 "network:\n"
                                 "  - {units: 6, activation: tanh}\n"
                                 "  - {units: 3}\n"
                                 "loss: cross_entropy\n"
                                 "training: {epochs: 2, batch_size: 16}\n"
                                 "capture:\n"
                                 "  all: {quantities: [W, z, a, delta, dW, db], every: 1, samples: batch}\n"
                                 "  few: {quantities: [delta], every: 2, samples: [3, 17]}\n";

static int set_up(void **state)
{
    (void)state;
    if (home_make() != 0)
        return -1;
    write_idx(ROWS, FEATURES, CLASSES);
    write_text("e.yaml", experiment);
    RUN("train", "e.yaml", "--out", "run", "--quiet");
    return last.status;
}

/* --- csv --- */

static int count_lines(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void test_csv_reads_back_to_the_same_bits(void **state)
{
    (void)state;
    hid_t file = H5Fopen("run/capture.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    table z = read_table(file, "/all/layer01/z"), id = read_table(file, "/all/sample_id");
    RUN("capture", "csv", "run", "all/layer01/z");
    expect_success();
    assert_memory_equal(last.out, "step,epoch,sample,sample_id,unit_0,unit_1,unit_2,unit_3,unit_4,unit_5\n", 70);
    assert_int_equal(count_lines(last.out), 1 + 2 * ROWS); /* each row once an epoch */
    char *at_text = strchr(last.out, '\n') + 1;
    while (*at_text) {
        long head[4];
        for (int i = 0; i < 4; i++, at_text++)
            head[i] = strtol(at_text, &at_text, 10);
        assert_true(head[1] == head[0] / 3);
        assert_true((double)head[3] == at(&id, head[0], head[2], 0));
        for (int j = 0; j < 6; j++, at_text++) {
            float value = strtof(at_text, &at_text), wanted = (float)at(&z, head[0], head[2], j);
            assert_memory_equal(&value, &wanted, sizeof value);
        }
    }
    drop(&z);
    drop(&id);

    table w = read_table(file, "/all/layer01/W");
    RUN("capture", "csv", "run", "/all/layer01/W", "--long", "--tsv", "--steps", "2:3,5:", "--units", "1,4:9", "--out",
        "w.tsv");
    expect_success();
    read_into("w.tsv", last.out, sizeof last.out);
    assert_memory_equal(last.out, "step\tepoch\tunit\tinput\tW\n", 24);
    assert_int_equal(count_lines(last.out), 1 + 3 * 3 * FEATURES);
    at_text = strchr(last.out, '\n') + 1;
    while (*at_text) {
        long head[4];
        for (int i = 0; i < 4; i++, at_text++)
            head[i] = strtol(at_text, &at_text, 10);
        assert_true((head[0] == 2 || head[0] == 3 || head[0] == 5) && (head[2] == 1 || head[2] >= 4));
        float value = strtof(at_text, &at_text), wanted = (float)at(&w, head[0], head[2], head[3]);
        assert_memory_equal(&value, &wanted, sizeof value);
        at_text++;
    }
    drop(&w);
    H5Fclose(file);

    RUN("capture", "csv", "run", "few/layer02/delta", "--samples", "17", "--steps", "2");
    expect_success();
    assert_int_equal(count_lines(last.out), 2);
    assert_non_null(strstr(last.out, "\n2,0,1,17,"));
    RUN("capture", "csv", "run", "few/step");
    expect_success();
    assert_string_equal(last.out, "step,epoch\n0,0\n2,0\n4,1\n");
}

/* --- grad --- */

/* The mean of the gradients that are printed is the dW that was captured, to rounding: (5) before and after the mean.
 */
static void test_gradients_have_the_mean_dW(void **state)
{
    (void)state;
    enum { STEP = 4 };
    hid_t file = H5Fopen("run/capture.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    table id = read_table(file, "/all/sample_id"), dW = read_table(file, "/all/layer01/dW"),
          db = read_table(file, "/all/layer01/db");
    double sum[6][1 + FEATURES] = {{0}};
    for (int i = 0; i < BATCH; i++) {
        char sample[24];
        snprintf(sample, sizeof sample, "%.0f", at(&id, STEP, i, 0));
        RUN("capture", "grad", "run", "--sample", sample, "--step", "4", "--layer", "1");
        expect_success();
        char *text = strchr(last.out, '\n') + 1;
        for (int j = 0; j < 6; j++) {
            assert_int_equal(strtol(text, &text, 10), j);
            for (int k = 0; k <= FEATURES; k++)
                sum[j][k] += strtod(text, &text);
            text++;
        }
    }
    for (int j = 0; j < 6; j++) {
        assert_true(fabs(sum[j][0] / BATCH - at(&db, STEP, j, 0)) < 1e-6);
        for (int k = 0; k < FEATURES; k++)
            assert_true(fabs(sum[j][1 + k] / BATCH - at(&dW, STEP, j, k)) < 1e-6 && at(&dW, STEP, j, k) != 0);
    }
    char sample[24];
    snprintf(sample, sizeof sample, "%.0f", at(&id, STEP, BATCH - 1, 0));
    RUN("capture", "grad", "run", "--sample", sample, "--step", "4", "--layer", "1", "--out", "g.h5");
    expect_success();
    hid_t made = H5Fopen("g.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    table g = read_table(made, "/dW"), b = read_table(made, "/db");
    RUN("capture", "grad", "run", "--sample", sample, "--step", "4", "--layer", "1");
    char *text = strchr(last.out, '\n') + 1;
    for (int j = 0; j < 6; j++, text++)
        for (int k = -2; k < FEATURES; k++) {
            double value = strtod(text, &text);
            assert_true(value == (k == -2 ? j : k == -1 ? at(&b, j, 0, 0) : at(&g, j, k, 0)));
        }
    drop(&g);
    drop(&b);
    drop(&id);
    drop(&dW);
    drop(&db);
    H5Fclose(made);
    H5Fclose(file);
}

/* --- info --- */

static void test_info_says_what_is_there(void **state)
{
    (void)state;
    RUN("capture", "info", "run");
    expect_success();
    assert_non_null(strstr(last.out, "status    complete\n"));
    assert_non_null(strstr(last.out, "rule few: every 2; 3 steps, 0 to 4; 2 samples; layers 01 02\n"));
    assert_non_null(strstr(last.out, "(6, 16, 6)"));
    assert_null(strstr(last.out, "missing"));
    RUN("capture", "info", "run", "--json");
    expect_success();
    assert_non_null(
        strstr(last.out, "\"name\": \"few\", \"cadence\": \"every 2\", \"steps\": 3, \"first\": 0, \"last\": 4"));
    assert_non_null(strstr(last.out,
                           "\"name\": \"/few/layer02/delta\", \"shape\": [3, 2, 3], \"dimensions\": [\"step\", "
                           "\"sample\", \"unit\"], \"type\": \"float32\", \"bytes\": 72"));

    FILE *metrics = fopen("run/metrics.tsv", "a"); /* as if it had gone on, and nothing were captured */
    assert_non_null(metrics);
    fputs("9\t11\t1\n", metrics);
    fclose(metrics);
    RUN("capture", "info", "run");
    expect_success();
    assert_non_null(strstr(last.out, "  missing: 3 of 6 steps: 6 to 10\n"));
    assert_non_null(strstr(last.out, "  missing: 5 of 11 steps: 6 to 10\n"));

    assert_int_equal(system("cp -r run bad && rm bad/capture/seg-000000.h5"), 0);
    RUN("capture", "info", "bad");
    expect_failure(1, "is damaged");
    assert_non_null(strstr(last.out, "seg-000000.h5: damaged: is missing"));
}

static void test_holes(void **state)
{
    (void)state;
    dt_holes holes;
    const int64_t some[] = {0, 2, 8, 16}, list[] = {1, 5, 6, 50};
    dt_holes_find(&holes, &(dt_capture_rule){.every = 2}, some, 4, 17);
    assert_true(holes.expected == 9 && holes.steps == 5 && holes.runs == 2 && holes.first[0] == 4 &&
                holes.last[0] == 6 && holes.first[1] == 10 && holes.last[1] == 14);
    dt_holes_find(&holes, &(dt_capture_rule){.steps_log = true}, some, 4, 33);
    assert_true(holes.expected == 7 && holes.steps == 3 && holes.first[0] == 1 && holes.last[0] == 1 &&
                holes.first[1] == 4 && holes.first[2] == 32);
    dt_holes_find(&holes, &(dt_capture_rule){.steps = list, .step_count = 4}, list, 1, 20);
    assert_true(holes.expected == 3 && holes.steps == 2 && holes.runs == 1 && holes.first[0] == 5 &&
                holes.last[0] == 6);
    dt_holes_find(&holes, &(dt_capture_rule){.every = 1}, NULL, 0, 0);
    assert_int_equal(holes.expected, 0);
    dt_holes_find(&holes, &(dt_capture_rule){.every = 2}, NULL, 0, INT64_C(1000));
    assert_true(holes.runs == 1 && holes.steps == 500);
}

static void test_ranges(void **state)
{
    (void)state;
    dt_ranges r;
    assert_int_equal(dt_ranges_parse(&r, "steps", "3,10:12,90:", NULL), DT_OK);
    assert_true(dt_ranges_have(&r, 3) && dt_ranges_have(&r, 12) && dt_ranges_have(&r, INT64_MAX) &&
                !dt_ranges_have(&r, 13) && !dt_ranges_have(&r, 0));
    assert_int_equal(dt_ranges_parse(&r, "steps", NULL, NULL), DT_OK);
    assert_true(dt_ranges_have(&r, 13));
    static const char *const bad[] = {"", ",", "3,", "x", "5:3", "-1", "1:2:3", "99999999999999999999", "1 2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(dt_ranges_parse(&r, "steps", bad[i], NULL), DT_INVALID);
}

/* --- repack, recover, mistakes --- */

static void test_repack_and_recover(void **state)
{
    (void)state;
    RUN("capture", "repack", "run", "--out", "u.h5", "--for", "unit", "--compression", "gzip");
    expect_success();
    RUN("capture", "csv", "u.h5", "all/layer02/z");
    expect_success();
    char *first = strdup(last.out);
    RUN("capture", "csv", "run", "all/layer02/z");
    assert_string_equal(first, last.out);
    free(first);
    RUN("capture", "repack", "run", "--out", "u.h5");
    expect_failure(2, "exists already");
    RUN("capture", "recover", "run");
    expect_success();
    assert_string_equal(last.out, "nothing to recover\n");
    assert_int_equal(system("cp -r run lost && rm lost/capture.h5"), 0);
    RUN("capture", "recover", "lost");
    expect_success();
    RUN("capture", "csv", "lost", "all/layer02/z");
    expect_success();
    RUN("capture", "csv", "u.h5", "all/layer02/z", "--out", "a.csv");
    RUN("capture", "csv", "lost", "all/layer02/z", "--out", "b.csv");
    assert_int_equal(system("cmp -s a.csv b.csv && rm -r lost"), 0);
}

static void test_a_run_that_trains_is_left_alone(void **state)
{
    (void)state;
    int status;
    const pid_t pid = start_program((const char *const[]){
        "train", "e.yaml", "training.epochs=1000000", "capture.all.every=100000", "--out", "live", "--quiet", NULL});
    while (access("live/metrics.tsv", F_OK) != 0 && waitpid(pid, &status, WNOHANG) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    RUN("capture", "recover", "live");
    expect_failure(2, "live: another process is training this run");
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
    RUN("capture", "recover", "live");
    expect_success();
    assert_string_equal(last.out, "nothing to recover\n");
}

/* A segment damaged between two sessions: refused, then a hole; what comes after is captured. */
static void test_a_run_goes_on_over_a_hole(void **state)
{
    (void)state;
    static const char *const damages[] = {"truncate -s 3000 hole/capture/seg-000000.h5",
                                          "rm hole/capture/seg-000000.h5"};
    for (size_t i = 0; i < 2; i++) {
        RUN("train", "e.yaml", "--out", "hole", "--quiet");
        expect_success();
        RUN("train", "--resume", "hole", "training.epochs=4", "--quiet");
        expect_success();
        assert_int_equal(access("hole/capture/seg-000001.h5", F_OK), 0);
        assert_int_equal(system(damages[i]), 0);
        RUN("train", "--resume", "hole", "training.epochs=6", "--quiet");
        expect_failure(2, "or go on without it after: deltoid capture recover hole");
        RUN("capture", "recover", "hole");
        assert_int_equal(last.status, 1);
        assert_int_equal(access("hole/capture/seg-000000.h5.lost", F_OK), 0);
        RUN("train", "--resume", "hole", "training.epochs=6", "--quiet");
        expect_success();
        RUN("capture", "info", "hole");
        expect_success();
        assert_non_null(strstr(last.out, " to 17; 16 samples;")); /* how many the segment had, the clock decides */
        assert_non_null(strstr(last.out, " of 18 steps: 0"));
        RUN("capture", "recover", "hole");
        expect_success();
        assert_string_equal(last.out, "nothing to recover\n");
        assert_int_equal(system("rm -r hole"), 0);
    }
}

static void test_mistakes(void **state)
{
    (void)state;
    RUN("capture", "inof", "run");
    expect_failure(2, "did you mean 'info'");
    RUN("capture");
    expect_failure(2, "needs an action and a run");
    RUN("capture", "info", "run", "--steps", "1");
    expect_failure(2, "takes no option --steps");
    RUN("capture", "csv", "run");
    expect_failure(2, "and a data set");
    RUN("capture", "csv", "run", "all/layer01/y");
    expect_failure(2, "has no data set");
    RUN("capture", "csv", "run", "all/layer01/W", "--samples", "1");
    expect_failure(2, "has no samples");
    RUN("capture", "csv", "nowhere", "all/step");
    expect_failure(2, "no such file");
    RUN("capture", "repack", "run");
    expect_failure(2, "needs --out");
    RUN("capture", "repack", "run", "--out", "v.h5", "--for", "steps");
    expect_failure(2, "neither step nor unit");
    RUN("capture", "repack", "run", "--out", "nowhere/v.h5");
    expect_failure(3, "nowhere/v.h5");
    RUN("capture", "grad", "run", "--sample", "3", "--step", "2");
    expect_failure(2, "needs --layer");
    RUN("capture", "grad", "run", "--sample", "3", "--step", "2", "--layer", "0");
    expect_failure(2, "layers count from 1");
    RUN("capture", "grad", "run", "--sample", "3", "--step", "2", "--layer", "1", "--rule", "few");
    expect_failure(2, "quantities: [a, delta], layers: [0, 1]");
    RUN("capture", "grad", "run", "--sample", "3", "--step", "99", "--layer", "1");
    expect_failure(2, "step 99");
    RUN("capture", "grad", "run", "--sample", "999", "--step", "2", "--layer", "1");
    expect_failure(2, "samples: [999]");
    RUN("capture", "recover", "e.yaml");
    assert_true(last.status == 2 || last.status == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_reads_back_to_the_same_bits),
        cmocka_unit_test(test_gradients_have_the_mean_dW),
        cmocka_unit_test(test_repack_and_recover),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_a_run_that_trains_is_left_alone),
        cmocka_unit_test(test_a_run_goes_on_over_a_hole),
        cmocka_unit_test(test_info_says_what_is_there),
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, set_up, home_remove);
}
