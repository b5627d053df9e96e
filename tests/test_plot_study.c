/* Pictures and pages of scaling studies that are made up: the numbers in their tables, words, refusals, hostile names.
 */
#define _XOPEN_SOURCE 700 /* nftw, in plot_drawing.h */
#include "study_fixture.h"

#include "page_checks.h"
#include "plot_drawing.h"
#include "report/report.h"
#include "study/analysis.h"

static const fixture strong = {.kind = "strong",
                               .workloads = {"W1", "W2"},
                               .reductions = {"owner", "atomic"},
                               .threads = {1, 2, 4, 8, 16},
                               .cores = 8,
                               .sigma = 0.05,
                               .faster = 1.05,
                               .visits = 6,
                               .flag_every = 11,
                               .phases = true};

static const char *study(const char *name, const fixture *f)
{
    const char *path = folder(name);
    fixture_write(path, f);
    return path;
}

static void test_kinds_can_be_walked(void **state)
{
    (void)state;
    size_t i;
    for (i = 0; dt_plot_study_kind_at(i); i++) {
        const dt_plot_kind *kind = dt_plot_study_kind_at(i);
        assert_true(kind->name[0] && kind->summary[0] && kind->maker);
        for (size_t j = 0; dt_plot_kind_at(j); j++)
            assert_string_not_equal(dt_plot_kind_at(j)->name, kind->name);
    }
    assert_true(i >= 7);
}

static void test_speedups_are_those_of_the_study(void **state)
{
    (void)state;
    const char *path = study("speedup", &strong);
    double got[256 * 4];
    draw_files(&path, 1, "speedup", NULL);
    char *numbers = read_text(path, "plots/speedup.tsv"), *script = read_text(path, "plots/speedup.gp");
    /* the ideal; owner's law and its extrapolation, owner's points, those that are oversubscribed */
    assert_int_equal(read_block(numbers, 0, 4, got), 41);
    assert_near(got[40 * 4], 32);
    assert_near(got[40 * 4 + 1], 32);
    assert_int_equal(read_block(numbers, 3, 4, got), 4);
    for (int k = 0; k < 4; k++) {
        const double t = 1 << k;
        assert_near(got[4 * k], t);
        assert_near(got[4 * k + 1], t / (1 + 0.05 * (t - 1)) / 1.05);
    }
    assert_int_equal(read_block(numbers, 4, 4, got), 1);
    assert_near(got[0], 16);
    assert_non_null(strstr(script, "'atomic (not reproducible)'"));
    assert_non_null(strstr(script, "'oversubscribed'"));
    assert_non_null(strstr(script, "'usl, extrapolated'"));
    assert_non_null(strstr(script, "'W1: same answer at every T'"));
    assert_non_null(strstr(script, "\nheading = 'made-up: speed-up against the best serial program'\n"));
    assert_true(exists(path, "analysis.tsv") && exists(path, "fits.tsv") && exists(path, "roofline.tsv") &&
                exists(path, "model.tsv"));
    free(script);
    free(numbers);
}

static void test_phases_stand_on_each_other(void **state)
{
    (void)state;
    fixture f = strong;
    f.workloads[1] = NULL;
    f.flag_every = 0;
    const char *path = study("attribution", &f);
    double got[64 * 4], top = 0;
    draw_files(&path, 1, "attribution", NULL);
    char *numbers = read_text(path, "plots/attribution.tsv");
    for (int block = 0; block < 6; block++) { /* gather, forward, cost, backward, gradient, wait: bar 2 */
        assert_int_equal(read_block(numbers, block, 4, got), 10);
        assert_near(got[4], 2);
        assert_near(got[4 + 2], top);
        top = got[4 + 3];
    }
    assert_near(top, 1e6 * fixture_seconds(&f, 0, "owner", 2)); /* all of the step */
    free(numbers);
}

static void test_every_kind_is_drawn(void **state)
{
    (void)state;
    fixture f = strong;
    f.kind = "batch";
    f.targets = true;
    const char *path = study("all", &f);
    draw_files(&path, 1, "all", NULL);
    const dt_plot_kind *kind;
    for (size_t i = 0; (kind = dt_plot_study_kind_at(i)); i++) {
        char name[64];
        snprintf(name, sizeof name, "plots/%s.tsv", kind->name);
        assert_true(exists(path, name));
        snprintf(name, sizeof name, "plots/%s.svg", kind->name);
        assert_int_equal(exists(path, name), has_gnuplot());
        const char *text = draw_text(path, kind->name, DT_LETTERS_ASCII);
        assert_true(strlen(text) > 100);
        for (const char *t = text; *t; t++)
            assert_true((unsigned char)*t < 128);
    }
    assert_non_null(strstr(draw_text(path, "samples", DT_LETTERS_ASCII), "flagged: left out"));
}

static void test_what_does_not_apply(void **state)
{
    (void)state;
    fixture f = strong;
    f.phases = false;
    f.threads[1] = 0;
    const char *path = study("bare", &f);
    refused(path, "speedup", DT_NOT_FOUND, "several numbers of workers");
    refused(path, "roofline", DT_NOT_FOUND, "phases.tsv");
    refused(path, "batch", DT_NOT_FOUND, "kind: batch");
    refused(path, "curves", DT_INVALID, "kind curves is of runs, and this is a study");
    refused(path, "speedups", DT_UNKNOWN, "did you mean 'speedup'?");
    const char *run = folder("a-run");
    refused(run, "speedup", DT_INVALID, "kind speedup is of scaling studies, and this is a run");
    dt_error error;
    const char *both[] = {path, run};
    assert_int_equal(draw_with(both, 2, &(dt_plot_options){.term = "text"}, &error), DT_INVALID);
    assert_non_null(strstr(error.message, "draw them one after the other"));
    draw_files(&path, 1, NULL, NULL); /* strategies and samples */
    assert_true(exists(path, "plots/strategies.tsv") && !exists(path, "plots/speedup.tsv"));
}

/* --- pages --- */

static page_check seen;

static char *page_of(const char *path, const char *text)
{
    dt_error error;
    const dt_report_run folder_of = {.path = path, .text = text};
    dt_error_clear(&error);
    if (dt_report_study(&folder_of, scratch_path(&s, "page.html"), &error) != DT_OK)
        fail_msg("%s", error.message);
    char *page = calloc(1, 8 << 20);
    FILE *file = fopen(scratch_path(&s, "page.html"), "r");
    assert_true(page && file);
    assert_true(fread(page, 1, (8 << 20) - 1, file) > 0);
    fclose(file);
    check_page(&seen, page);
    return page;
}

static void test_a_page_says_what_was_found(void **state)
{
    (void)state;
    const char *path = study("page", &strong);
    char *page = page_of(path, "name: made-up\nkind: strong\n");
    static const char *const wanted[] = {
        "How much faster is a step of the same work with more workers",
        "W1: the same answer at every T: one hash of the weights at all 5 reproducible points.",
        "not reproducible",
        "oversubscribed",
        "Laws of scaling",
        "usl",
        "Phases add up to the measured time of a step",
        "PREDICTION for more cores",
        "120 visits: 10 flagged as disturbed",
        "Hoefler and Belli",
        "say what a speed-up is against",
        "the best serial program is W1, atomic with one worker",
        "samples.tsv",
        "deltoid scale ",
        "kind: strong",
        "<th scope=\"row\">memory, GB/s</th><td class=\"number\">20.0</td><td class=\"number\">320.0</td>"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(page, wanted[i]))
            fail_msg("no '%s'", wanted[i]);
    assert_int_equal(seen.pictures, has_gnuplot() ? 6 : 0);
    assert_false(exists(path, "plots"));
    free(page);
}

static void test_two_cores_have_no_law(void **state)
{
    (void)state;
    fixture f = strong;
    f.threads[2] = 0;
    char *page = page_of(study("two", &f), NULL);
    assert_non_null(strstr(page, "no fit: 2 numbers of workers without oversubscription"));
    assert_null(strstr(page, "extrapolated"));
    free(page);
}

static void test_different_answers_are_said(void **state)
{
    (void)state;
    fixture f = strong;
    f.wrong_hash = true;
    f.workloads[1] = NULL;
    char *page = page_of(study("wrong", &f), NULL);
    assert_non_null(strstr(page, "<p class=\"warn\">2 DIFFERENT hashes"));
    assert_null(strstr(page, "same answer at every T"));
    free(page);
}

static void test_hostile_names_stay_text(void **state)
{
    (void)state;
    fixture f = strong;
    f.name = "<script>alert(1)</script>\"'&]]>`id`\xff";
    f.workloads[0] = "<b>'\"`ls`\xff";
    f.workloads[1] = NULL;
    const char *path = study("hostile", &f);
    char *page = page_of(path, "name: <script>\n");
    assert_non_null(strstr(page, "&lt;script&gt;"));
    free(page);
    draw_files(&path, 1, "all", NULL);
    char *script = read_text(path, "plots/speedup.gp");
    assert_null(strchr(script, '`'));
    free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_can_be_walked),        cmocka_unit_test(test_speedups_are_those_of_the_study),
        cmocka_unit_test(test_phases_stand_on_each_other), cmocka_unit_test(test_every_kind_is_drawn),
        cmocka_unit_test(test_what_does_not_apply),        cmocka_unit_test(test_a_page_says_what_was_found),
        cmocka_unit_test(test_two_cores_have_no_law),      cmocka_unit_test(test_different_answers_are_said),
        cmocka_unit_test(test_hostile_names_stay_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
