/* deltoid sweep and deltoid verify, as their users call them. */
#include <math.h>
#include <sys/stat.h>
#include <time.h>

#include "program.h"

enum { ROWS = 64 };

static void big_endian(FILE *f, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        fputc((int)(value >> shift & 255), f);
}

/* Two inputs, and whether the first is larger. */
static void write_data(int offset)
{
    FILE *x = fopen("x.idx", "wb"), *y = fopen("y.idx", "wb");
    assert_true(x && y);
    big_endian(x, 0x00000802), big_endian(x, ROWS), big_endian(x, 2);
    big_endian(y, 0x00000801), big_endian(y, ROWS);
    for (int i = 0; i < ROWS; i++) {
        const int a = (i * 37 + offset) % 251, b = (i * 101 + 7) % 251;
        fputc(a, x), fputc(b, x), fputc(a > b, y);
    }
    assert_true(fclose(x) == 0 && fclose(y) == 0);
}

static const char experiment[] = "name: larger\n"
                                 "data: {format: idx, train: {inputs: x.idx, labels: y.idx}, validation: {fraction: "
                                 "0.25}, scale: 0.004}\n"
                                 "network: [{units: 4, activation: tanh}, {units: 2}]\n"
                                 "loss: cross_entropy\n"
                                 "optimizer: {learning_rate: 0.5}\n"
                                 "training: {epochs: 5, batch_size: 8}\n";

static const char sweep[] = "experiment: e.yaml\n"
                            "grid:\n"
                            "  optimizer.learning_rate: [0.1, 0.5, 1]\n"
                            "  network.0.units: [2, 6]\n"
                            "seeds: [1, 7]\n"
                            "parallel: {runs: 3, threads: 1}\n";

static int set_up(void **state)
{
    (void)state;
    if (home_make() != 0)
        return -1;
    write_data(0);
    write_text("e.yaml", experiment);
    write_text("s.yaml", sweep);
    return 0;
}

/* Field `column` of line `line` of a table. */
static const char *field(const char *table, int line, int column)
{
    static char text[256];
    static char all[1 << 16];
    read_into(table, all, sizeof all);
    const char *at = all;
    for (int i = 0; i < line; i++)
        at = strchr(at, '\n') ? strchr(at, '\n') + 1 : "";
    for (int i = 0; i < column; i++) {
        at += strcspn(at, "\t\n");
        at += *at == '\t';
    }
    snprintf(text, sizeof text, "%.*s", (int)strcspn(at, "\t\n"), at);
    return text;
}

static int lines_of(const char *table)
{
    static char all[1 << 16];
    int lines = 0;
    read_into(table, all, sizeof all);
    for (const char *at = all; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

/* Each run is the one that deltoid train makes with the same keys; points hold mean and Student's interval. */
static void every_setting_with_every_seed(void **state)
{
    (void)state;
    RUN("sweep", "s.yaml", "--out", "swept");
    expect_success();
    assert_int_equal(lines_of("swept/summary.tsv"), 13);
    assert_int_equal(lines_of("swept/points.tsv"), 7);
    assert_string_equal(field("swept/summary.tsv", 0, 4), "optimizer.learning_rate");
    for (int line = 1; line <= 12; line++)
        assert_string_equal(field("swept/summary.tsv", line, 1), "complete");
    assert_string_equal(field("swept/summary.tsv", 8, 0), "p0003-s7");
    assert_string_equal(field("swept/summary.tsv", 8, 4), "0.5");
    assert_string_equal(field("swept/summary.tsv", 8, 5), "6");

    char weights[65], means[2][32];
    snprintf(weights, sizeof weights, "%.64s", field("swept/summary.tsv", 8, 14));
    RUN("train", "e.yaml", "optimizer.learning_rate=0.5", "network.0.units=6", "seed=7", "--out", "alone", "--json");
    expect_success();
    assert_non_null(strstr(last.out, weights));

    /* train_loss of seeds 1 and 7: mean, and t(1) s / sqrt 2 with s = |difference| / sqrt 2 */
    for (int i = 0; i < 2; i++)
        snprintf(means[i], sizeof means[i], "%.31s", field("swept/summary.tsv", 7 + i, 7));
    const double a = atof(means[0]), b = atof(means[1]);
    assert_true(a != b);
    assert_true(fabs(atof(field("swept/points.tsv", 4, 4)) - (a + b) / 2) < 1e-8);
    assert_true(fabs(atof(field("swept/points.tsv", 4, 5)) - 12.7062 * fabs(a - b) / 2) < 1e-6);
}

/* Keys that go together, under each setting of the grid; their files lie beside the sweep's file, wherever it is called
 * from. */
static void keys_that_go_together(void **state)
{
    (void)state;
    write_text("a b.csv", "1,2,no\n3,4,yes\n5,1,no\n");
    write_text("b.csv", "1,1,no\n2,2,yes\n");
    write_text("c.yaml", "data: {format: csv, train: {file: none.csv}, test: {file: none.csv}}\n"
                         "network: [{units: 2}]\nloss: cross_entropy\ntraining: {epochs: 1}\n");
    write_text("t.yaml", "experiment: c.yaml\n"
                         "grid: {optimizer.learning_rate: [0.1, 0.5]}\n"
                         "together:\n"
                         "  data.train.file: [a b.csv, 'b.csv']\n"
                         "  data.test: [{file: b.csv}, {file: 'a b.csv'}]\n");
    assert_int_equal(mkdir("elsewhere", 0777), 0);
    assert_int_equal(chdir("elsewhere"), 0);
    RUN("sweep", "../t.yaml", "--out", "swept");
    expect_success();
    assert_int_equal(lines_of("swept/points.tsv"), 5);
    static const char *const expected[][3] = {{"0.1", "a b.csv", "{file: b.csv}"},
                                              {"0.1", "\"b.csv\"", "{file: \"a b.csv\"}"},
                                              {"0.5", "a b.csv", "{file: b.csv}"},
                                              {"0.5", "\"b.csv\"", "{file: \"a b.csv\"}"}};
    for (int line = 1; line <= 4; line++) {
        assert_string_equal(field("swept/summary.tsv", line, 1), "complete");
        for (int k = 0; k < 3; k++)
            assert_string_equal(field("swept/points.tsv", line, 2 + k), expected[line - 1][k]);
    }
    assert_int_equal(chdir(".."), 0);
}

static void stopped_sweeps_go_on(void **state)
{
    (void)state;
    RUN("sweep", "s.yaml", "--out", "swept", "--quiet");
    expect_success();
    assert_string_equal(last.out, "");
    RUN("sweep", "s.yaml", "--out", "swept");
    expect_refusal(2, "deltoid: swept: exists already; go on with --resume");
    char before[65];
    snprintf(before, sizeof before, "%.64s", field("swept/summary.tsv", 5, 14));
    assert_int_equal(system("rm -rf swept/runs/p0002-s1 swept/summary.tsv"), 0);
    RUN("sweep", "s.yaml", "--out", "swept", "--resume");
    expect_success();
    assert_non_null(strstr(last.out, "12/12  p0002-s1"));
    assert_null(strstr(last.out, "p0003"));
    assert_string_equal(field("swept/summary.tsv", 5, 14), before);
}

static void a_signal_stops_a_sweep(void **state)
{
    (void)state;
    write_text("long.yaml", "experiment: e.yaml\ngrid: {training.epochs: [1000000]}\nseeds: [1, 2, 3]\n");
    const pid_t pid = start_program((const char *const[]){"sweep", "long.yaml", "--out", "swept", NULL});
    while (access("swept/runs/p0000-s1/metrics.tsv", F_OK) != 0)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(kill(pid, SIGTERM), 0);
    wait_program(pid);
    assert_int_equal(last.status, 143);
    assert_non_null(strstr(last.err, "--resume"));
    assert_int_equal(access("swept/runs/p0000-s2", F_OK), -1);
}

static void random_settings(void **state)
{
    (void)state;
    write_text("r.yaml", "experiment: e.yaml\nrandom: {trials: 40, seed: 5, keys: {training.batch_size: {low: 4, high: "
                         "16, scale: log, integer: true}, network.0.activation: [relu, tanh]}}\n");
    RUN("sweep", "r.yaml", "--dry-run");
    expect_success();
    int seen[17] = {0}, activations[2] = {0}, lines = 0;
    for (const char *at = strstr(last.out, "training.batch_size="); at; at = strstr(at + 1, "training.batch_size=")) {
        const int size = atoi(at + strlen("training.batch_size="));
        assert_in_range(size, 4, 16);
        seen[size]++;
        activations[strncmp(strstr(at, "activation="), "activation=tanh", 15) == 0]++;
        lines++;
    }
    assert_int_equal(lines, 40);
    int different = 0;
    for (int i = 4; i <= 16; i++)
        different += seen[i] > 0;
    assert_true(different > 6 && activations[0] > 8 && activations[1] > 8);
    char *again = strdup(last.out);
    RUN("sweep", "r.yaml", "--dry-run");
    assert_string_equal(last.out, again);
    free(again);
}

static void bad_sweeps_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "deltoid: s.yaml: not a sweep"},
        {"grid: {a: [1]}\n", "deltoid: s.yaml:1:1: experiment: must name"},
        {"experiment: e.yaml\n", "deltoid: s.yaml:1:1: sweeps nothing"},
        {"experiment: e.yaml\ngird: {}\n", "deltoid: s.yaml:2:1: sweep: unknown key 'gird'; did you mean 'grid'?"},
        {"experiment: e.yaml\ngrid: {training.epochs: 3}\n", "deltoid: s.yaml:2:25: training.epochs: must be a list"},
        {"experiment: e.yaml\ngrid: {training.epoch: [3]}\n", "deltoid: run p0000: command line: key 'training.epoch"},
        {"experiment: e.yaml\ngrid: {seed: [3]}\n", "deltoid: s.yaml:2:8: seed: is swept by seeds"},
        {"experiment: none.yaml\nseeds: [1]\n", "deltoid: run p0000-s1: "},
        {"experiment: e.yaml\nseeds: [-1]\n", "deltoid: s.yaml:2:9: seeds: must be whole numbers"},
        {"experiment: e.yaml\nrandom: {keys: {optimizer.learning_rate: {low: 0, high: 1, scale: log}}}\n",
         "deltoid: s.yaml:2:42: optimizer.learning_rate: must be a list of values, or {low: A"},
        {"experiment: e.yaml\ntogether: {training.epochs: [3, 4], network.0.units: [2]}\n",
         "deltoid: s.yaml:2:54: network.0.units: has 1 values, but training.epochs has 2; give both as many"},
        {"experiment: e.yaml\ngrid: {training.epochs: [3]}\ntogether: {training.epochs: [4]}\n",
         "deltoid: s.yaml:3:12: training.epochs: is swept twice"},
        {"experiment: e.yaml\nseeds: [1]\nparallel: {runs: 0}\n", "deltoid: s.yaml:3:18: runs: must be a whole number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text("s.yaml", bad[i].text);
        RUN("sweep", "s.yaml");
        expect_refusal(2, bad[i].message);
    }
    RUN("sweep", "nothing.yaml");
    expect_refusal(2, "deltoid: nothing.yaml: ");
    assert_int_equal(access("results", F_OK), -1);
}

/* A run that fails is told of, and the others are made. */
static void a_run_that_fails(void **state)
{
    (void)state;
    write_text("s.yaml",
               "experiment: e.yaml\ngrid: {optimizer.learning_rate: [1.0e+06, 0.5], loss: [squared_error]}\n");
    RUN("sweep", "s.yaml", "--out", "swept");
    expect_refusal(1, "deltoid: 1 of 2 runs failed; what they said is in swept/logs");
    assert_string_equal(field("swept/summary.tsv", 1, 1), "failed");
    assert_string_equal(field("swept/summary.tsv", 2, 1), "complete");
    char said[4096];
    read_into("swept/logs/p0000", said, sizeof said);
    assert_non_null(strstr(said, "diverged"));
}

static void a_run_is_verified(void **state)
{
    (void)state;
    RUN("train", "e.yaml", "--out", "run", "parallel.threads=2", "--quiet");
    expect_success();
    RUN("verify", "run");
    expect_success();
    assert_non_null(strstr(last.out, "5 of 5 rows equal\nthe same bits\n"));
    RUN("verify", "run", "--json", "parallel.threads=3", "parallel.reduction=owner");
    expect_success();
    assert_non_null(strstr(last.out, "\"same\": true, \"metrics_rows\": 5, \"metrics_equal\": 5}"));
    RUN("verify", "run", "seed=3");
    expect_refusal(2, "deltoid: command line: key 'seed=3': would train something else");

    assert_int_equal(system("sed -i '3s/^\\(\\([^\t]*\t\\)\\{3\\}\\)[^\t]*/\\10.125/' run/metrics.tsv"), 0);
    RUN("verify", "run", "--quiet");
    assert_int_equal(last.status, 1);
    RUN("verify", "run");
    expect_refusal(1, "deltoid: run: the weights are the same, but not metrics.tsv: epoch 2: ");
    assert_int_equal(system("sed -i 's/learning_rate: 0.5/learning_rate: 0.4/' run/experiment.yaml"), 0);
    RUN("verify", "run");
    expect_refusal(1, "deltoid: run: training it again gives other weights");

    write_data(1);
    RUN("verify", "run");
    expect_refusal(2, "deltoid: data.train: isn't what the run was made with");
    RUN("verify", "nothing");
    expect_refusal(2, "deltoid: nothing/provenance.json: ");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, home_remove)
    const struct CMUnitTest tests[] = {
        TEST(every_setting_with_every_seed),
        TEST(keys_that_go_together),
        TEST(stopped_sweeps_go_on),
        TEST(a_signal_stops_a_sweep),
        TEST(random_settings),
        TEST(bad_sweeps_are_refused),
        TEST(a_run_that_fails),
        TEST(a_run_is_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
