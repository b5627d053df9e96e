/* deltoid scale, as its users call it: a study of a small network, in many fresh processes. Timings are not looked at:
 * what else the machine does is no matter. */
#define _GNU_SOURCE /* sched_setaffinity */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <time.h>

#include "program.h"

static const char experiment[] =
    "name: spirals\n"
    "data: {format: synthetic, generator: spirals, rows: 2000, validation: {fraction: 0.2}}\n"
    "network: [{units: 64, activation: relu}, {units: 64, activation: relu}, {units: 3}]\n"
    "loss: cross_entropy\n"
    "optimizer: {learning_rate: 0.5}\n"
    "training: {epochs: 5, batch_size: 64}\n"
    "parallel: {shard_size: 16}\n"
    "capture: {probe: {quantities: [z], every: 5, samples: 8}}\n";

/* As short as visits can be. */
#define MEASURE                                                                                                        \
    "measure: {epsilon: 1, confidence: 0.5, visits: {least: 1, most: 1}, chunk: 2 ms, chunks: 4, attempts: 1, "        \
    "first_steps: 10, probes: 10 ms}\n"

static const char strong[] = "name: tiny\n"
                             "kind: strong\n"
                             "experiment: e.yaml\n"
                             "factors: {threads: [1, 2], reduction: [tree, owner], capture: [off]}\n" MEASURE;

static int set_up(void **state)
{
    (void)state;
    if (home_make() != 0)
        return -1;
    write_text("e.yaml", experiment);
    write_text("s.yaml", strong);
    return 0;
}

/* --- tables --- */

enum { ROWS_MAX = 400, COLUMNS_MAX = 48 };

typedef struct table {
    char text[1 << 18];
    const char *field[ROWS_MAX][COLUMNS_MAX]; /* row 0: the names */
    int rows, columns;                        /* rows without the names */
} table;

static table *read_table(const char *name)
{
    table *t = calloc(1, sizeof *t);
    assert_non_null(t);
    read_into(name, t->text, sizeof t->text);
    int line = 0;
    for (char *at = t->text; *at && line < ROWS_MAX; line++) {
        char *end = strchr(at, '\n');
        assert_non_null(end);
        *end = '\0';
        int column = 0;
        for (char *field = at; field && column < COLUMNS_MAX; column++) {
            t->field[line][column] = field;
            field = strchr(field, '\t');
            if (field)
                *field++ = '\0';
        }
        if (line == 0)
            t->columns = column;
        assert_int_equal(column, t->columns);
        at = end + 1;
    }
    t->rows = line - 1;
    return t;
}

static const char *text_of(const table *t, int row, const char *column)
{
    for (int c = 0; c < t->columns; c++)
        if (strcmp(t->field[0][c], column) == 0)
            return t->field[row + 1][c];
    fail_msg("no column %s", column);
    return "";
}

static double number_of(const table *t, int row, const char *column)
{
    return atof(text_of(t, row, column));
}

/* How many rows of a table have that number there. */
static int count_of(const table *t, const char *column, double value)
{
    int count = 0;
    for (int r = 0; r < t->rows; r++)
        count += number_of(t, r, column) == value;
    return count;
}

static int processors(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    return CPU_COUNT(&set);
}

/* --- tests --- */

static void the_plan_is_printed_and_nothing_made(void **state)
{
    (void)state;
    RUN("scale", "s.yaml", "--dry-run");
    expect_success();
    double least, most;
    int points, factors, from, to;
    assert_int_equal(sscanf(last.out, "%d points of %d factors, %d to %d visits each, about %lf to %lf s (prediction)",
                            &points, &factors, &from, &to, &least, &most),
                     6);
    assert_true(points == 4 && factors == 3 && from == 1 && to == 1 && least > 0 && most >= least && most < 60);
    assert_non_null(strstr(last.out, "\n3  threads=2 reduction=owner capture=off  (2 workers, owner"));
    assert_int_equal(access("results", F_OK), -1);

    write_text("more.yaml", "experiment: e.yaml\nfactors: {threads: [1, 4], reduction: [atomic], capture: [off]}\n");
    RUN("scale", "more.yaml", "--dry-run");
    expect_success();
    assert_non_null(strstr(last.out, "(4 workers, atomic, not reproducible"));
    assert_int_equal(strstr(last.out, "oversubscribed") != NULL, processors() < 4);
}

static void excluded_points_are_left_out(void **state)
{
    (void)state;
    write_text("x.yaml", "experiment: e.yaml\nfactors: {threads: [1, 2], reduction: [tree, owner, atomic], capture: "
                         "[off]}\nexclude: [{threads: 1, reduction: [owner, atomic]}]\n" MEASURE);
    for (int again = 0; again < 2; again++) { /* and of the resolved study */
        RUN("scale", again ? "study/study.yaml" : "x.yaml", "--dry-run");
        expect_success();
        assert_non_null(strstr(last.out, "4 points of "));
        assert_non_null(strstr(last.out, "threads=1 reduction=tree"));
        assert_null(strstr(last.out, "threads=1 reduction=owner"));
        assert_non_null(strstr(last.out, "\n3  "));
        assert_non_null(strstr(last.out, "threads=2 reduction=atomic"));
        if (!again)
            RUN("scale", "x.yaml", "--out", "study", "--quiet");
        expect_success();
    }
    table *p = read_table("study/points.tsv");
    assert_int_equal(p->rows, 4);
    assert_string_equal(text_of(p, 1, "reduction"), "tree");
    assert_int_equal(number_of(p, 1, "threads"), 2);
    free(p);
}

/* Rows and columns of one visit belong together, and the weights' hash is the same whatever the strategy and threads.
 */
static void expect_consistent(const char *folder, int points)
{
    char name[128];
    table *all[6];
    static const char *const names[] = {"points", "visits", "samples", "phases", "machine", "study"};
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "%s/%s.tsv", folder, names[i]);
        all[i] = read_table(name);
    }
    const table *p = all[0], *v = all[1], *s = all[2], *f = all[3], *m = all[4];
    assert_int_equal(p->rows, points);
    assert_int_equal(all[5]->rows, 1);
    assert_true(v->rows >= points);
    double samples = 0;
    for (int r = 0; r < v->rows; r++) {
        assert_string_equal(text_of(v, r, "state"), "ok");
        assert_int_equal(count_of(v, "visit", number_of(v, r, "visit")), 1);
        const double visit = number_of(v, r, "visit"), chunks = number_of(v, r, "chunks");
        assert_int_equal(count_of(s, "visit", visit), (int)chunks);
        assert_true(count_of(f, "visit", visit) > 0);
        assert_true(number_of(v, r, "warmup") < chunks);
        assert_int_equal(strlen(text_of(v, r, "weights_sha256")), 64);
        assert_int_equal(number_of(v, r, "flagged") != 0, strcmp(text_of(v, r, "reasons"), "-") != 0);
        samples += chunks;
        assert_string_equal(text_of(v, r, "weights_sha256"), text_of(v, 0, "weights_sha256"));
    }
    assert_int_equal(s->rows, (int)samples); /* none of a visit that doesn't count */
    for (int r = 0; r < s->rows; r++)
        assert_true(number_of(s, r, "seconds") > 0 && number_of(s, r, "steps") >= 1 && number_of(s, r, "samples") > 0);
    for (int r = 0; r < p->rows; r++) {
        assert_true(count_of(v, "point", r) > 0);
        if (*text_of(p, r, "placement_used") != '[')
            assert_int_equal(number_of(p, r, "oversubscribed"), number_of(p, r, "workers") > processors());
    }
    int start = 0, end = 0;
    for (int r = 0; r < m->rows; r++) {
        start += strcmp(text_of(m, r, "when"), "start") == 0;
        end += strcmp(text_of(m, r, "when"), "end") == 0;
    }
    assert_true(start > 0 && end > 0);
    snprintf(name, sizeof name, "%s/visit", folder);
    assert_int_equal(access(name, F_OK), -1); /* the visits' own */
    for (int i = 0; i < 6; i++)
        free(all[i]);
}

static void a_study_s_folder(void **state)
{
    (void)state;
    RUN("scale", "s.yaml");
    expect_success();
    assert_int_equal(system("mv results/tiny/scale-* study"), 0);
    expect_consistent("study", 4);
    static const char *const files[] = {"study/study.yaml",    "study/experiments/e.yaml", "study/analysis.tsv",
                                        "study/fits.tsv",      "study/provenance.json",    "study/study.h5",
                                        "study/samples.jsonl", "study/extrap.txt",         "study/extrap.jsonl"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_int_equal(access(files[i], R_OK), 0);

    /* the resolved study is the same study */
    RUN("scale", "study/study.yaml", "--dry-run");
    expect_success();
    assert_non_null(strstr(last.out, "\n3  workload=e threads=2 reduction=owner capture=off"));

    /* nothing is written over; a finished one has nothing left to measure, and is as it was */
    RUN("scale", "s.yaml", "--out", "study");
    expect_refusal(2, "deltoid: study: ");
    write_text("other.yaml", "experiment: e.yaml\nfactors: {threads: [1]}\n" MEASURE);
    RUN("scale", "other.yaml", "--out", "study", "--resume");
    expect_refusal(2, "deltoid: study: has other points than this study");
}

/* Waits until the study has as many visits, while it runs. */
static void wait_for_visits(int wanted, pid_t pid)
{
    char text[1 << 16];
    for (int lines = 0; lines <= wanted;) {
        int status;
        if (waitpid(pid, &status, WNOHANG) != 0)
            fail_msg("the study ended before it was stopped");
        nanosleep(&(struct timespec){0, 5000000}, NULL);
        FILE *f = fopen("study/visits.tsv", "rb");
        if (!f)
            continue;
        const size_t n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        text[n] = '\0';
        lines = 0;
        for (const char *at = text; (at = strchr(at, '\n')); at++)
            lines++;
    }
}

static void expect_goes_on(void)
{
    static char before[1 << 16], after[1 << 16];
    read_into("study/visits.tsv", before, sizeof before);
    const size_t whole = (size_t)(strrchr(before, '\n') + 1 - before);
    RUN("scale", "s.yaml", "--out", "study", "--resume");
    expect_success();
    read_into("study/visits.tsv", after, sizeof after);
    assert_memory_equal(before, after, whole);
    expect_consistent("study", 4);
    table *v = read_table("study/visits.tsv");
    for (int p = 0; p < 4; p++) { /* what was measured well isn't measured again */
        int good = 0;
        for (int r = 0; r < v->rows; r++)
            good += number_of(v, r, "point") == p && number_of(v, r, "flagged") == 0;
        assert_true(good <= 1);
    }
    free(v);
}

static void a_killed_study_goes_on(void **state)
{
    (void)state;
    const pid_t pid = start_program((const char *const[]){"scale", "s.yaml", "--out", "study", NULL});
    wait_for_visits(2, pid);
    kill(pid, SIGKILL);
    wait_program(pid);
    assert_int_equal(last.status, 128 + SIGKILL);
    FILE *f = fopen("study/samples.tsv", "ab"); /* a torn line, as of a kill within a write */
    assert_true(f && fputs("99\t0\t1\t5", f) >= 0 && fclose(f) == 0);
    expect_goes_on();
}

static void a_stopped_study_goes_on(void **state)
{
    (void)state;
    const pid_t pid = start_program((const char *const[]){"scale", "s.yaml", "--out", "study", NULL});
    wait_for_visits(1, pid);
    kill(pid, SIGINT);
    wait_program(pid);
    assert_int_equal(last.status, 130);
    assert_non_null(strstr(last.err, "--resume --out study"));
    expect_goes_on();
}

/* Instruction set, precision, places and capture reach the process that measures. */
static void factors_do_what_they_say(void **state)
{
    (void)state;
    cpu_set_t set;
    int first = 0, second;
    char text[1024];
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    while (!CPU_ISSET(first, &set))
        first++;
    for (second = first + 1; second < CPU_SETSIZE && !CPU_ISSET(second, &set);)
        second++;
    if (second == CPU_SETSIZE)
        skip();
    snprintf(text, sizeof text,
             "kind: free\nexperiment: e.yaml\n"
             "factors: {threads: [2], placement: [[%d], [%d], [%d, %d]], isa: [generic], capture: [on]}\n" MEASURE,
             first, second, first, second);
    write_text("places.yaml", text);
    RUN("scale", "places.yaml", "--out", "study");
    expect_success();
    expect_consistent("study", 3);
    table *v = read_table("study/visits.tsv"), *p = read_table("study/points.tsv");
    snprintf(text, sizeof text, first + 1 == second ? "%d-%d" : "%d,%d", first, second);
    for (int r = 0; r < v->rows; r++) {
        const int point = (int)number_of(v, r, "point");
        if (point < 2)
            assert_int_equal(atoi(text_of(v, r, "processors")), point ? second : first);
        assert_int_equal(strcmp(text_of(v, r, "processors"), text) == 0, point == 2);
    }
    for (int r = 0; r < p->rows; r++) {
        assert_string_equal(text_of(p, r, "isa_used"), "generic");
        assert_int_equal(number_of(p, r, "capture_used"), 1);
        assert_int_equal(number_of(p, r, "oversubscribed"), r < 2); /* two workers on one processor */
    }
    free(v), free(p);
}

static void weak_scaling_grows_the_minibatch(void **state)
{
    (void)state;
    write_text("weak.yaml",
               "kind: weak\nexperiment: e.yaml\nfactors: {threads: [1, 2], precision: [float32, float64]}\n" MEASURE);
    RUN("scale", "weak.yaml", "--out", "study", "--quiet");
    expect_success();
    assert_string_equal(last.out, "");
    table *p = read_table("study/points.tsv"), *v = read_table("study/visits.tsv");
    const char *hash[4] = {"", "", "", ""};
    for (int r = 0; r < 4; r++) {
        assert_int_equal(number_of(p, r, "batch_size_used"), r < 2 ? 64 : 128);
        assert_string_equal(text_of(p, r, "precision_used"), r % 2 ? "float64" : "float32");
    }
    for (int r = 0; r < v->rows; r++)
        hash[(int)number_of(v, r, "point")] = text_of(v, r, "weights_sha256");
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(hash[i], hash[j]); /* four different trainings */
    free(p), free(v);
}

static void a_target_is_reached(void **state)
{
    (void)state;
    write_text("batch.yaml", "kind: batch\nexperiment: e.yaml\nfactors: {batch_size: [32, 64]}\n" MEASURE
                             "target: {metric: validation_accuracy, value: 0.4, epochs: 30, checks: 2}\n");
    RUN("scale", "batch.yaml", "--out", "study");
    expect_success();
    table *t = read_table("study/targets.tsv");
    assert_true(t->rows >= 2);
    for (int r = 0; r < t->rows; r++) {
        assert_string_equal(text_of(t, r, "metric"), "validation_accuracy");
        assert_int_equal(number_of(t, r, "reached"), 1);
        assert_true(number_of(t, r, "value") >= 0.4 && number_of(t, r, "seconds") > 0 && number_of(t, r, "steps") > 0);
        for (int q = 0; q < r; q++) /* training is the same each time */
            if (number_of(t, q, "point") == number_of(t, r, "point"))
                assert_true(number_of(t, q, "steps") == number_of(t, r, "steps"));
    }
    free(t);
}

static void a_disturber_on_one_core_is_flagged(void **state)
{
    (void)state;
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    if (CPU_COUNT(&all) < 2)
        skip();
    int core = CPU_SETSIZE - 1;
    while (!CPU_ISSET(core, &all))
        core--;
    const pid_t disturber = fork();
    if (disturber == 0) {
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0)
            _exit(1);
        for (volatile double sum = 0;;)
            sum = sum + 1;
    }
    assert_true(disturber > 0);
    char text[512]; /* the worker that shares its core can't go elsewhere */
    snprintf(
        text, sizeof text,
        "experiment: e.yaml\nfactors: {threads: [1], placement: [[%d]], capture: [off]}\n"
        "measure: {epsilon: 1, confidence: 0.5, visits: {least: 1, most: 1}, chunk: 20 ms, chunks: 5, attempts: 2, "
        "probes: 10 ms}\n",
        core);
    write_text("disturbed.yaml", text);
    RUN("scale", "disturbed.yaml", "--out", "study");
    kill(disturber, SIGKILL);
    waitpid(disturber, NULL, 0);
    expect_success();
    table *v = read_table("study/visits.tsv"), *s = read_table("study/samples.tsv");
    assert_int_equal(v->rows, 4); /* two blocks of two attempts: repeated, kept */
    for (int r = 0; r < v->rows; r++) {
        assert_int_equal(number_of(v, r, "flagged"), 1);
        assert_non_null(strstr(text_of(v, r, "reasons"), "delay"));
        assert_true(number_of(v, r, "delay") > 0.1);
        assert_int_equal(number_of(v, r, "attempt"), 1 + r % 2);
    }
    int flagged = 0;
    for (int r = 0; r < s->rows; r++)
        flagged += number_of(s, r, "flagged") != 0;
    assert_true(flagged > 0);
    free(v), free(s);
}

static void mistakes_have_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *study, *message;
    } cases[] = {
        {"experiment: e.yaml\nfactors: {thread: [1]}\n",
         "bad.yaml:2:11: unknown factor 'thread'; did you mean 'threads'?"},
        {"kind: strung\nexperiment: e.yaml\n", "bad.yaml:1:7: kind: must be strong, weak, batch or free"},
        {"experiment: e.yaml\nfactors: {threads: [1, x]}\n", "bad.yaml:2:24: parallel.threads: can't be 'x'"},
        {"experiment: e.yaml\nfactors: {threads: 2}\n", "bad.yaml:2:20: threads: must be a list"},
        {"experiment: e.yaml\nfactors: {threads: [1, 1]}\n", "bad.yaml:2:24: threads: has 1 twice"},
        {"experiment: e.yaml\nfactors: {reduction: [ownr]}\n",
         "bad.yaml:2:23: parallel.reduction: unknown reduction 'ownr'"},
        {"experiment: e.yaml\nfactors: {network.0.units: [4.5]}\n", "bad.yaml:2:29: network.0.units: can't be '4.5'"},
        {"experiment: e.yaml\nfactors: {isa: [sse9]}\n", "bad.yaml:2:17: isa: 'sse9' doesn't run here"},
        {"experiment: e.yaml\nfactors: {capture: [yes]}\n", "bad.yaml:2:21: capture: must be on"},
        {"experiment: e.yaml\nfactors: {placement: [[0, a]]}\n", "bad.yaml:2:27: placement: must be numbers"},
        {"experiment: e.yaml\nfactors: {placement: [[8000]]}\n", "bad.yaml:2:24: placement: processor 8000"},
        {"experiment: e.yaml\nfactors: {workload: [a]}\n", "bad.yaml:2:11: workload: is given by workloads"},
        {"experiment: e.yaml\nmeasure: {chunk: long}\n", "bad.yaml:2:18: chunk: must be a time"},
        {"experiment: e.yaml\nmeasure: {epsilon: 7}\n", "bad.yaml:2:20: epsilon: must be a number"},
        {"experiment: e.yaml\nmeasure: {visits: {least: 3, most: 2}}\n",
         "bad.yaml:2:19: visits: most is 2, under least"},
        {"experiment: e.yaml\nmesure: {}\n", "bad.yaml:2:1: study: unknown key 'mesure'; did you mean 'measure'?"},
        {"experiment: e.yaml\nkind: batch\n", "bad.yaml:1:1: target: is missing"},
        {"experiment: e.yaml\nkind: batch\ntarget: {value: 1}\nfactors: {batch_size: [8]}\n",
         "point batch_size=8: target: test_loss, but the experiment has no such data"},
        {"experiment: e.yaml\nkind: batch\ntarget: {metric: loss, value: 1}\n", "bad.yaml:3:18: metric: must be"},
        {"experiment: e.yaml\nfactors: {threads: [1, 2]}\nexclude: [{thread: 1}]\n",
         "bad.yaml:3:12: exclude: 'thread' is no factor of this study"},
        {"experiment: e.yaml\nfactors: {threads: [1, 2]}\nexclude: [{threads: [1, 3]}]\n",
         "bad.yaml:3:25: exclude: threads has no level 3"},
        {"experiment: e.yaml\nfactors: {threads: [1]}\nexclude: [{threads: 1}]\n",
         "exclude: leaves no point to measure"},
        {"experiment: e.yaml\nworkloads: {a: e.yaml}\n", "bad.yaml:2:12: must name an experiment"},
        {"experiment: none.yaml\n", "none.yaml: No such file"},
        {"[1]\n", "bad.yaml: not a study"},
        {"experiment: e.yaml\nfactors: {data.rows: [1, 2, 3]\n", "bad.yaml:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text("bad.yaml", cases[i].study);
        RUN("scale", "bad.yaml", "--out", "study");
        if (last.status != 2 || !strstr(last.err, cases[i].message) ||
            strchr(last.err, '\n') != last.err + strlen(last.err) - 1)
            fail_msg("%s: status %d, not '%s': %s", cases[i].study, last.status, cases[i].message, last.err);
        assert_int_equal(access("study", F_OK), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_plan_is_printed_and_nothing_made, set_up, home_remove),
        cmocka_unit_test_setup_teardown(excluded_points_are_left_out, set_up, home_remove),
        cmocka_unit_test_setup_teardown(a_study_s_folder, set_up, home_remove),
        cmocka_unit_test_setup_teardown(a_killed_study_goes_on, set_up, home_remove),
        cmocka_unit_test_setup_teardown(a_stopped_study_goes_on, set_up, home_remove),
        cmocka_unit_test_setup_teardown(factors_do_what_they_say, set_up, home_remove),
        cmocka_unit_test_setup_teardown(weak_scaling_grows_the_minibatch, set_up, home_remove),
        cmocka_unit_test_setup_teardown(a_target_is_reached, set_up, home_remove),
        cmocka_unit_test_setup_teardown(a_disturber_on_one_core_is_flagged, set_up, home_remove),
        cmocka_unit_test_setup_teardown(mistakes_have_their_place, set_up, home_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
