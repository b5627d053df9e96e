/* Pictures and pages of scaling studies that are made up: the numbers in their tables, words, refusals, hostile names.
 */
#define _XOPEN_SOURCE 700 /* nftw, in plot_drawing.h */
#include "study_fixture.h"

#include "page_checks.h"
#include "plot/chart.h"
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
    assert_non_null(strstr(draw_text(path, "samples", DT_LETTERS_ASCII), "left out: flagged, elsewhere"));
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
    refused(path, "speedups", DT_UNKNOWN_NAME, "did you mean 'speedup'?");
    const char *run = folder("a-run");
    refused(run, "speedup", DT_INVALID, "kind speedup is of scaling studies, and this is a run");
    dt_error error;
    const char *both[] = {path, run};
    assert_int_equal(draw_with(both, 2, &(dt_plot_options){.term = "text"}, &error), DT_INVALID);
    assert_non_null(strstr(error.message, "draw them one after the other"));
    draw_files(&path, 1, NULL, NULL); /* strategies and samples */
    assert_true(exists(path, "plots/strategies.tsv") && !exists(path, "plots/speedup.tsv"));
}

/* --- charts --- */

/* Points that weren't measured leave no empty block behind, which gnuplot wouldn't count. */
static void test_unmeasured_points_shift_nothing(void **state)
{
    (void)state;
    fixture f = strong;
    f.flag_every = 0;
    f.threads[2] = 0;
    f.lacking = 1; /* W1, owner, T = 2 */
    f.reductions[1] = NULL;
    const char *path = study("lacking", &f);
    double got[8 * 4];
    draw_files(&path, 1, "strategies", NULL);
    char *numbers = read_text(path, "plots/strategies.tsv"), *script = read_text(path, "plots/strategies.gp");
    assert_non_null(strstr(script, "\narray first_item[2] = [1, 2]\narray last_item[2] = [1, 3]\n"));
    assert_int_equal(read_block(numbers, 1, 4, got), 1); /* W2 at T = 1, T = 2 */
    assert_near(got[0], 1e6 * fixture_seconds(&f, 1, "owner", 1));
    assert_int_equal(read_block(numbers, 2, 4, got), 1);
    assert_near(got[0], 1e6 * fixture_seconds(&f, 1, "owner", 2));
    free(script);
    free(numbers);
}

static void test_many_bars_have_panels_of_their_own(void **state)
{
    (void)state;
    fixture f = strong;
    f.workloads[1] = NULL;
    const int threads[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    memcpy(f.threads, threads, sizeof threads);
    f.visits = 5;
    f.cores = 16;
    const char *path = study("bars", &f);
    dt_error error;
    const dt_plot_options narrow = {.kind = "attribution", .narrow = true};
    draw_files(&path, 1, "attribution", NULL);
    char *script = read_text(path, "plots/attribution.gp");
    assert_non_null(strstr(script, "\npanels = 1\n"));
    assert_non_null(strstr(script, "'owner 10'"));
    free(script);
    assert_int_equal(draw_with(&path, 1, &narrow, &error), has_gnuplot() ? DT_OK : DT_UNSUPPORTED);
    script = read_text(path, "plots/attribution.gp");
    assert_non_null(strstr(script, "\nheading = 'Where the time of a step goes'\n"));
    assert_non_null(strstr(script, "\nwidth = 400\npanels = 2\npanel_columns = 1\n"));
    assert_non_null(strstr(script, "= ['owner', 'atomic (not reproducible)']\n"));
    assert_null(strstr(script, "'owner 10'"));
    free(script);
}

/* Levels of memory that are as fast as each other share their words; marks near each other, too. */
static void test_words_of_a_roofline_keep_apart(void **state)
{
    (void)state;
    fixture f = strong;
    f.workloads[1] = NULL;
    const char *path = study("roofline", &f);
    draw_files(&path, 1, "roofline", NULL);
    char *script = read_text(path, "plots/roofline.gp");
    assert_non_null(strstr(script, "'FMA peak 100, products 85 GFLOP/s', 'L1 400 GB/s', 'L2 200 GB/s', 'L3 80 GB/s', "
                                   "'memory 20 GB/s', '1,2', '3',"));
    free(script);
}

static void test_texts_are_cut_to_their_room(void **state)
{
    (void)state;
    char cut[DT_CHART_TEXT], long_text[400];
    dt_chart_cut(cut, "abc", 3);
    assert_string_equal(cut, "abc");
    dt_chart_cut(cut, "abcd", 3);
    assert_string_equal(cut, "ab…");
    dt_chart_cut(cut, "äöü\xff!", 4); /* never within a character */
    assert_string_equal(cut, "äöü…");
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    dt_chart_cut(cut, long_text, 390);
    assert_true(strlen(cut) < sizeof cut);
    dt_chart chart = {0};
    dt_chart_head(&chart, long_text, "speed-up");
    assert_int_equal(dt_characters(chart.heading), 72);
    assert_non_null(strstr(chart.heading, "x…: speed-up"));
    chart.narrow = true;
    dt_chart_head(&chart, long_text, "speed-up");
    assert_string_equal(chart.heading, "Speed-up");
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
        "<span class=\"label good\">same bits</span>",
        "<span class=\"label warn\">not reproducible</span> 6 different in 6 visits",
        "What limits each point, in words",
        "Where the time goes",
        "Roofline",
        "Prediction",
        "How far predictions were off, of the measured time",
        "<td>other layer sizes</td><td>all others</td>", /* of W2 from W1 and back */
        "samples.tsv",
        "deltoid scale ",
        "kind: strong",
        "<th scope=\"row\">memory, GB/s</th><td class=\"number\">20.0</td><td class=\"number\">320.0</td>"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(page, wanted[i]))
            fail_msg("no '%s'", wanted[i]);
    assert_int_equal(seen.pictures, has_gnuplot() ? 12 : 0); /* six, for a desk and for a phone */
    assert_int_equal(strstr(page, "<svg viewBox=\"0 0 400 ") != NULL, has_gnuplot());
    assert_int_equal(strstr(page, "<svg viewBox=\"0 0 720 ") != NULL, has_gnuplot());
    assert_false(exists(path, "plots"));
    free(page);
}

/* The same figures as the analysis has: of W1, owner, at T = 8 of the made-up law. */
static void test_a_page_has_the_numbers(void **state)
{
    (void)state;
    fixture f = strong;
    f.workloads[1] = NULL;
    char *page = page_of(study("numbers", &f), NULL), wanted[128];
    const double serial = fixture_seconds(&f, 0, "atomic", 1), eight = fixture_seconds(&f, 0, "owner", 8);
    snprintf(wanted, sizeof wanted,
             "<th scope=\"row\">owner</th><td class=\"number\">8</td><td class=\"number\">%.2f [", serial / eight);
    assert_non_null(strstr(page, wanted));
    snprintf(wanted, sizeof wanted, "<td class=\"number\">%.3f</td><td class=\"words\"><span class=\"label good\">",
             1.05);
    assert_non_null(strstr(page, wanted)); /* over the fastest */
    snprintf(wanted, sizeof wanted, "an efficiency of %.2f", serial / eight / 8);
    assert_non_null(strstr(page, wanted));
    free(page);
}

/* Targets by batch size: those that were reached. */
static void test_a_page_has_the_batch_sizes(void **state)
{
    (void)state;
    fixture f = strong;
    f.kind = "batch";
    f.targets = true;
    f.threads[1] = 0;
    char *page = page_of(study("batches", &f), NULL);
    assert_non_null(strstr(page, "Training to validation_loss 0.35"));
    assert_non_null(strstr(page, "How many steps and seconds does training to the target take"));
    assert_null(strstr(page, ">Speed-up and efficiency</h2>")); /* one number of workers */
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
        cmocka_unit_test(test_kinds_can_be_walked),
        cmocka_unit_test(test_speedups_are_those_of_the_study),
        cmocka_unit_test(test_phases_stand_on_each_other),
        cmocka_unit_test(test_every_kind_is_drawn),
        cmocka_unit_test(test_what_does_not_apply),
        cmocka_unit_test(test_a_page_says_what_was_found),
        cmocka_unit_test(test_unmeasured_points_shift_nothing),
        cmocka_unit_test(test_many_bars_have_panels_of_their_own),
        cmocka_unit_test(test_words_of_a_roofline_keep_apart),
        cmocka_unit_test(test_texts_are_cut_to_their_room),
        cmocka_unit_test(test_a_page_has_the_numbers),
        cmocka_unit_test(test_a_page_has_the_batch_sizes),
        cmocka_unit_test(test_two_cores_have_no_law),
        cmocka_unit_test(test_different_answers_are_said),
        cmocka_unit_test(test_hostile_names_stay_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
