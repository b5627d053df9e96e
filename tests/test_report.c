/* Pages of runs: well-formed, whole in themselves, deaf to hostile names; their numbers and words. */
#include "plot_drawing.h"

#include "page_checks.h"
#include "report/html.h"
#include "report/report.h"
#include "report/svg.h"

#define HEADER                                                                                                         \
    "epoch\tstep\tseconds\ttrain_loss\ttrain_accuracy\tvalidation_loss\tvalidation_accuracy\ttest_loss\t"              \
    "test_accuracy\tlearning_rate\tsamples_per_second\n"
static const char metrics[] = HEADER "1\t10\t0.5\t1.25\t0.5\tnan\tnan\t1.5\t0.4375\t0.1\t123456\n"
                                     "2\t20\t1\t0.75\t0.625\tnan\tnan\t1.125\t0.5625\t0.1\t100\n"
                                     "3\t30\t1.75\t0.5\t0.75\tnan\tnan\t1.25\t0.46875\t0.1\t123456.4\n";

/* What no page may let through as it is. */
static const char hostile[] = "<script>alert(1)</script>\"'&]]>--><b onload=x>\x01\xff\xc0\xaf";

static page_check seen;

static char *report(const dt_report_run *runs, size_t count)
{
    dt_error error;
    dt_error_clear(&error);
    const char *out = scratch_path(&s, "page.html");
    const dt_status status = dt_report_runs(runs, count, out, &error);
    if (status != DT_OK)
        fail_msg("%d: %s", (int)status, error.message);
    char *page = read_text(s.folder, "page.html");
    check_page(&seen, page);
    return page;
}

static dt_report_run run_of(const char *path, const dt_fact *facts, size_t count, const dt_fact *made,
                            size_t made_count)
{
    return (dt_report_run){path, "name: small\n", {facts, count}, {made, made_count}};
}

/* --- parts --- */

static void test_texts_are_escaped(void **state)
{
    (void)state;
    dt_buffer out = {0};
    dt_html_text(&out, "a<b>&\"'\n\tz\x7f\xc3\xa9\xff");
    assert_string_equal(out.bytes, "a&lt;b&gt;&amp;&quot;&#39;\n\tz\xEF\xBF\xBD\xc3\xa9\xEF\xBF\xBD");
    dt_buffer_clear(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    char text[DT_NUMBER_TEXT];
    assert_string_equal(dt_number_text(text, 0, 1234567), "1,234,567");
    assert_string_equal(dt_number_text(text, 0, -123456), "-123,456");
    assert_string_equal(dt_number_text(text, 1, 12345.67), "12,345.7");
    assert_string_equal(dt_number_text(text, 0, 1234), "1234");
    assert_string_equal(dt_number_text(text, -3, 0.0012345), "0.00123");
    assert_string_equal(dt_number_text(text, 2, NAN), "–");
    assert_string_equal(dt_number_text(text, 2, INFINITY), "inf");
    assert_true(strlen(dt_number_text(text, 4, -1e300)) < DT_NUMBER_TEXT);
}

static void svg_is(const char *svg, const char *wanted)
{
    dt_buffer out = {0};
    dt_error error;
    dt_error_clear(&error);
    const dt_status status = dt_svg_add(&out, svg, "p1", "wide", "<t>", &error);
    if (!wanted) {
        assert_int_equal(status, DT_MALFORMED);
        assert_null(strchr(error.message, '\n'));
    } else {
        assert_int_equal(status, DT_OK);
        assert_string_equal(out.bytes, wanted);
    }
    dt_buffer_clear(&out);
}

static void test_pictures_bring_nothing_but_shapes(void **state)
{
    (void)state;
    svg_is(
        "<?xml version='1.0'?><svg width=\"9\" viewBox='0 0 9 9' xmlns=\"http://www.w3.org/2000/svg\">"
        "<title>Gnuplot</title><g id='a'><use xlink:href='#a' fill=\"url(#b)\"/></g><text>a &amp; b & c</text></svg>",
        "<svg viewBox=\"0 0 9 9\" class=\"wide\" role=\"img\" aria-labelledby=\"p1-title\"><title id=\"p1-title\">"
        "&lt;t&gt;</title><g id=\"p1-a\"><use href=\"#p1-a\" fill=\"url(#p1-b)\"/></g><text>a &amp; b &amp; c</text>"
        "</svg>");
    svg_is("<svg viewBox='0 0 9 9'><script>1</script></svg>", NULL);
    svg_is("<svg viewBox='0 0 9 9'><foreignObject/></svg>", NULL);
    svg_is("<svg viewBox='0 0 9 9'><a href='#x'/></svg>", NULL);
    svg_is("<svg viewBox='0 0 9 9'><g onclick='x'/></svg>", NULL);
    svg_is("<svg viewBox='0 0 9 9'><use href='http://x/'/></svg>", NULL);
    svg_is("<svg viewBox='0 0 9 9'><image href='data:image/svg+xml;base64,AA'/></svg>", NULL);
    svg_is("<svg viewBox='0 0 9 9'><g fill='url(x.svg#a)'/></svg>", NULL);
    svg_is("<svg viewBox='0 0 9 9'><g fill=red/></svg>", NULL);
    svg_is("<svg viewBox='0 0 9 9'><g", NULL);
    svg_is("<svg viewBox='0 0 9 9'><!-- ", NULL);
}

/* --- a run --- */

static const dt_fact experiment[] = {{"name", "small"},           {"precision", "float32"},
                                     {"network.0.units", "64"},   {"network.0.activation", "relu"},
                                     {"network.1.units", "10"},   {"loss", "cross_entropy"},
                                     {"optimizer.name", "sgd"},   {"optimizer.learning_rate", "0.1"},
                                     {"optimizer.momentum", "0"}, {"training.batch_size", "32"}};
static const dt_fact provenance[] = {{"weights_sha256", "0123456789abcdef"},
                                     {"data.train.features", "784"},
                                     {"deltoid.compiler", "GNU 12"},
                                     {"machine.processor", "AMD EPYC"}};
enum { EXPERIMENT = sizeof experiment / sizeof *experiment, PROVENANCE = sizeof provenance / sizeof *provenance };

static void test_a_page_says_what_the_run_was(void **state)
{
    (void)state;
    const char *run = folder("run");
    write_text(run, "metrics.tsv", metrics);
    write_text(run, "profile.tsv",
               "worker\tphase\tlayer\tseconds\tflop\tbytes\tsteps\tsamples\n"
               "0\tforward\t1\t0.5\t2e9\t1e9\t1000\t32\n1\tforward\t1\t0.5\t2e9\t1e9\t1000\t32\n"
               "0\twait\t0\t0.25\t0\t0\t1000\t0\n1\twait\t0\t0.75\t0\t0\t1000\t0\n");
    const dt_report_run r = run_of(run, experiment, EXPERIMENT, provenance, PROVENANCE);
    char *page = report(&r, 1);
    assert_int_equal(seen.pictures, has_gnuplot());
    static const char *const wanted[] = {
        "<title>small</title>",
        "<b>0.4688</b><span>test accuracy</span>",                     /* the last */
        "<b>123,456</b>",                                              /* samples a second */
        "<td class=\"number\">0.5625</td><td class=\"number\">2</td>", /* the best test accuracy and its epoch */
        "<td class=\"number\">50,240</td>",                            /* 64 (784 + 1) */
        "<td>50890</td>",                                              /* and 10 (64 + 1) */
        "<td>sgd (learning_rate 0.1)</td>",
        "<code>0123456789abcdef</code>",
        "Profile of 1000 steps: mean of 2 workers",
        ("<th scope=\"row\">forward</th><td>1</td><td class=\"number\">500.00</td><td class=\"number\">50.0</td>"
         "<td class=\"number\">8.0</td><td class=\"number\">4.0</td>"), /* 4 GFLOP in 0.5 s of both */
        "deltoid verify ",
        "name: small",
        "GNU 12",
        "AMD EPYC"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(page, wanted[i]))
            fail_msg("no '%s'", wanted[i]);
    free(page);
    assert_false(exists(run, "plots")); /* the run's folder stays as it is */
}

static void test_a_run_that_ended_early_has_a_page(void **state)
{
    (void)state;
    const char *run = folder("early");
    const dt_report_run r = run_of(run, experiment, EXPERIMENT, NULL, 0);
    char *page = report(&r, 1);
    assert_non_null(strstr(page, "What was trained"));
    assert_null(strstr(page, ">Result<"));
    free(page);
}

static void test_what_is_no_run_is_refused(void **state)
{
    (void)state;
    dt_error error;
    const char *empty = folder("empty"), *out = scratch_path(&s, "none.html");
    dt_error_clear(&error);
    assert_int_equal(dt_report_runs(&(dt_report_run){.path = empty}, 1, out, &error), DT_NOT_FOUND);
    assert_non_null(strstr(error.message, "name a folder that deltoid train has written"));
    dt_error_clear(&error);
    assert_int_equal(dt_report_runs(&(dt_report_run){.path = "nowhere"}, 1, out, &error), DT_NOT_FOUND);
    write_text(empty, "metrics.tsv", "epoch\tstep\n1\t2\n");
    dt_error_clear(&error);
    assert_int_equal(dt_report_runs(&(dt_report_run){.path = empty}, 1, out, &error), DT_MALFORMED);
    write_text(empty, "metrics.tsv", metrics);
    write_text(empty, "profile.tsv", "worker\tphase\n");
    dt_error_clear(&error);
    assert_int_equal(dt_report_runs(&(dt_report_run){.path = empty}, 1, out, &error), DT_MALFORMED);
    assert_non_null(strstr(error.message, "profile.tsv:1: "));
    assert_false(exists(s.folder, "none.html"));
}

static void test_hostile_names_stay_text(void **state)
{
    (void)state;
    const char *run = folder("<script>'\"&]]>\xff`ls`");
    static const dt_fact facts[] = {
        {"name", hostile},           {"network.0.units", hostile}, {"network.0.activation", hostile},
        {"optimizer.name", hostile}, {hostile, hostile},           {"data.train.file", hostile}};
    static const dt_fact made[] = {
        {"weights_sha256", hostile}, {"deltoid.flags", hostile}, {"machine.processor", hostile}};
    write_text(run, "metrics.tsv", metrics);
    write_text(run, "experiment.yaml", "name: x\n");
    dt_report_run r[2] = {{run, hostile, {facts, 6}, {made, 3}},
                          run_of(folder("tame"), experiment, EXPERIMENT, NULL, 0)};
    write_text(r[1].path, "metrics.tsv", metrics);
    free(report(r, 1));
    char *page = report(r, 2);
    assert_non_null(strstr(page, "&lt;script&gt;"));
    free(page);
}

/* --- several runs --- */

static void test_runs_are_compared(void **state)
{
    (void)state;
    const char *names[] = {"one", "two", "three"};
    dt_fact facts[3][EXPERIMENT], made[3][PROVENANCE];
    dt_report_run runs[3];
    for (int i = 0; i < 3; i++) {
        const char *path = folder(names[i]);
        write_text(path, "metrics.tsv", metrics);
        memcpy(facts[i], experiment, sizeof experiment);
        memcpy(made[i], provenance, sizeof provenance);
        runs[i] = run_of(strdup(path), facts[i], EXPERIMENT, made[i], PROVENANCE);
    }
    char *page = report(runs, 3);
    assert_non_null(strstr(page, "All 3 runs ended with the same weights"));
    assert_non_null(strstr(page, "The experiments are the same in every key."));
    assert_int_equal(seen.pictures, has_gnuplot());
    free(page);
    facts[1][7].value = "0.05";
    made[2][0].value = "fedcba9876543210";
    page = report(runs, 3);
    assert_non_null(strstr(page, "The 3 runs ended with 2 different sets of weights."));
    assert_non_null(strstr(page, "<th scope=\"col\">optimizer.learning_rate</th></tr>"));
    assert_null(strstr(page, "<th scope=\"col\">precision</th>"));
    assert_non_null(strstr(page, "<td>0.05</td>"));
    free(page);
    runs[2].provenance.count = 0; /* didn't finish */
    page = report(runs, 3);
    assert_non_null(strstr(page, "those of runs that didn&#39;t finish are unknown"));
    free(page);
    for (int i = 0; i < 3; i++)
        free((void *)(uintptr_t)runs[i].path);
}

static void test_more_differences_than_there_is_room_for(void **state)
{
    (void)state;
    enum { KEYS = 40 };
    static char text[KEYS][8];
    dt_fact facts[2][KEYS];
    dt_report_run runs[2];
    for (int i = 0; i < 2; i++) {
        const char *path = folder(i ? "many-a" : "many-b");
        for (int k = 0; k < KEYS; k++) {
            snprintf(text[k], sizeof text[k], "key%d", k);
            facts[i][k] = (dt_fact){text[k], i ? "1" : "2"};
        }
        runs[i] = run_of(strdup(path), facts[i], KEYS, NULL, 0);
        write_text(path, "metrics.tsv", metrics);
    }
    char *page = report(runs, 2);
    assert_non_null(strstr(page, "And 16 keys more."));
    free(page);
    for (int i = 0; i < 2; i++)
        free((void *)(uintptr_t)runs[i].path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_escaped),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_pictures_bring_nothing_but_shapes),
        cmocka_unit_test(test_a_page_says_what_the_run_was),
        cmocka_unit_test(test_a_run_that_ended_early_has_a_page),
        cmocka_unit_test(test_what_is_no_run_is_refused),
        cmocka_unit_test(test_hostile_names_stay_text),
        cmocka_unit_test(test_runs_are_compared),
        cmocka_unit_test(test_more_differences_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
