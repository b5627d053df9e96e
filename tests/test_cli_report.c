/* deltoid report as its users call it: a run, runs compared, a study; what it refuses, and what it leaves alone then.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "program.h"

#include <stdbool.h>

#include "page_checks.h"
#include "study_fixture.h"

static page_check seen;

static const char experiment[] = "name: small\n"
                                 "data: {format: synthetic, generator: spirals, rows: 96, classes: 3}\n"
                                 "network: [{units: 6, activation: tanh}, {units: 3}]\n"
                                 "loss: cross_entropy\n"
                                 "training: {epochs: 2, batch_size: 32}\n"
                                 "parallel: {threads: 1}\n";

static const char sweep[] = "experiment: e.yaml\ngrid: {optimizer.learning_rate: [0.1, 0.2]}\nseeds: [1]\n";

static const fixture strong = {.kind = "strong",
                               .workloads = {"W1"},
                               .reductions = {"owner", "hogwild"},
                               .threads = {1, 2},
                               .sigma = 0.05,
                               .visits = 6,
                               .flag_every = 7,
                               .phases = true};

static bool is_there(const char *name)
{
    return access(name, F_OK) == 0;
}

static char *page_of(const char *name)
{
    enum { SIZE = 4 << 20 };
    char *page = calloc(1, SIZE);
    assert_non_null(page);
    read_into(name, page, SIZE);
    check_page(&seen, page);
    return page;
}

static void make_study(const char *name)
{
    assert_int_equal(mkdir(name, 0777), 0);
    fixture_write(name, &strong);
}

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(home_make(), 0);
    write_text("e.yaml", experiment);
    RUN("train", "e.yaml", "--out", "one", "--quiet");
    expect_success();
    RUN("train", "e.yaml", "optimizer.learning_rate=0.2", "--out", "two", "--quiet");
    expect_success();
    make_study("study");
    return 0;
}

static void a_run_and_runs(void **state)
{
    (void)state;
    RUN("report", "one");
    expect_success();
    assert_string_equal(last.out, "one/report.html\n");
    char *page = page_of("one/report.html");
    assert_non_null(strstr(page, "<title>small</title>"));
    free(page);
    RUN("report", "one", "two", "--out", "both.html");
    expect_success();
    assert_string_equal(last.out, "both.html\n");
    page = page_of("both.html");
    assert_non_null(strstr(page, "2 training runs compared"));
    assert_non_null(strstr(page, "<th scope=\"col\">optimizer.learning_rate</th>"));
    free(page);
}

static void a_study(void **state)
{
    (void)state;
    write_text("study/study.yaml", "name: made-up\nkind: strong\n");
    write_text("study/provenance.json",
               "{\"deltoid\": {\"version\": \"1.2.3\", \"compiler\": \"<script>cc</script>\"},\n"
               " \"machine\": {\"processor\": \"A \\\"fast\\\" one\"}}\n");
    assert_int_equal(mkdir("study/experiments", 0777), 0);
    write_text("study/experiments/W1.yaml", "name: W1 </pre><script>\n");
    RUN("report", "study");
    expect_success();
    assert_string_equal(last.out, "study/report.html\n");
    char *page = page_of("study/report.html");
    static const char *const wanted[] = {
        "&lt;script&gt;cc&lt;/script&gt;",  "A &quot;fast&quot; one", "1.2.3",
        "name: made-up\nkind: strong\n",    "<h3>W1.yaml</h3>",       "name: W1 &lt;/pre&gt;&lt;script&gt;\n",
        "deltoid scale study/study.yaml\n", "784-512-256-10"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(page, wanted[i]))
            fail_msg("no '%s'", wanted[i]);
    free(page);
    assert_false(is_there("study/plots"));
}

static void hostile_folders(void **state)
{
    (void)state;
    static const char name[] = "<script>alert(1)<b> '&\"`ls`$(ls)";
    char path[128], printed[160];
    make_study(name);
    RUN("report", name);
    expect_success();
    snprintf(path, sizeof path, "%s/report.html", name);
    snprintf(printed, sizeof printed, "%s\n", path);
    assert_string_equal(last.out, printed);
    char *page = page_of(path);
    /* quoted for the shell, then for HTML */
    assert_non_null(
        strstr(page, "deltoid report &#39;&lt;script&gt;alert(1)&lt;b&gt; &#39;\\&#39;&#39;&amp;&quot;`ls`$(ls)&#39;"));
    free(page);
}

/* Runs and a study, in any order, and several studies: one line, and no page anywhere. */
static void a_mix_is_refused(void **state)
{
    (void)state;
    static const char says[] = "deltoid: study is a scaling study, which has a page of its own; name it alone\n";
    make_study("another");
    RUN("report", "one", "study", "--out", "mix.html");
    assert_int_equal(last.status, 2);
    assert_string_equal(last.err, says);
    RUN("report", "study", "one");
    assert_int_equal(last.status, 2);
    assert_string_equal(last.err, says);
    RUN("report", "study", "another");
    assert_int_equal(last.status, 2);
    assert_string_equal(last.err, says);
    assert_false(is_there("mix.html") || is_there("one/report-compare.html") || is_there("study/report-compare.html"));
}

static void what_is_no_run_is_refused(void **state)
{
    (void)state;
    write_text("sweep.yaml", sweep);
    RUN("sweep", "sweep.yaml", "--out", "swept", "--quiet");
    expect_success();
    RUN("report", "swept");
    expect_refusal(2, "deltoid: swept: is a sweep; name runs below swept/runs");
    assert_int_equal(mkdir("empty", 0777), 0);
    RUN("report", "empty");
    expect_refusal(2, "deltoid: empty: nothing of a run is there");
    RUN("report", "one", "empty");
    expect_refusal(2, "deltoid: empty: nothing of a run is there");
    RUN("report", "one", "one");
    expect_refusal(2, "deltoid: one: the same run as one");
    RUN("report", "nowhere");
    expect_refusal(2, "deltoid: nowhere: no such run folder");
    RUN("report", "one", "--out", "e.yaml");
    expect_refusal(2, "deltoid: --out e.yaml: a report's name ends in .html");
    assert_false(is_there("empty/report.html") || is_there("one/report.html"));
}

/* A record that can't be read is told with its line, and the page that was there stays. */
static void a_damaged_study(void **state)
{
    (void)state;
    write_text("study/report.html", "older\n");
    FILE *file = fopen("study/samples.tsv", "r+b");
    assert_non_null(file);
    assert_true(fputs("visit\tnothing\n", file) >= 0 && fclose(file) == 0);
    RUN("report", "study");
    expect_refusal(2, "deltoid: study/samples.tsv:1");
    char older[16];
    read_into("study/report.html", older, sizeof older);
    assert_string_equal(older, "older\n");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, home_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_run_and_runs),   TEST(a_study),         TEST(hostile_folders),
        TEST(a_mix_is_refused), TEST(a_damaged_study), TEST(what_is_no_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
