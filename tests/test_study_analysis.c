/* Analysis of studies that are made up: what they were made from must come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/stat.h>

#include <cmocka.h>

#include "scratch.h"
#include "study/analysis.h"
#include "study_fixture.h"

static scratch s;
static dt_arena arena;

static int setup(void **state)
{
    (void)state;
    scratch_make(&s);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dt_arena_clear(&arena);
    scratch_remove(&s);
    return 0;
}

static void assert_near(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

static void assert_within(double value, double expected, double absolute)
{
    if (!(fabs(value - expected) <= absolute))
        fail_msg("%.17g is not %.17g", value, expected);
}

static const dt_analysis *analyse(const fixture *f)
{
    dt_study *study = dt_arena_allocate(&arena, 1, sizeof *study);
    dt_analysis *a;
    dt_error error;
    assert_non_null(study);
    fixture_make(study, f, &arena);
    dt_error_clear(&error);
    if (dt_study_analyse(study, &arena, &a, &error) != DT_OK)
        fail_msg("%s", error.message);
    return a;
}

static const fixture strong = {.kind = "strong",
                               .workloads = {"W1"},
                               .reductions = {"owner", "atomic"},
                               .threads = {1, 2, 4, 8, 16},
                               .sigma = 0.03,
                               .kappa = 0.0008,
                               .faster = 1.04,
                               .noise = 0.004,
                               .visits = 8,
                               .phases = true};

static const dt_analysis_series *series_named(const dt_analysis *a, const char *label)
{
    for (int64_t i = 0; i < a->series_count; i++)
        if (strcmp(a->series[i].label, label) == 0)
            return &a->series[i];
    fail_msg("no series '%s', but '%s'", label, a->series[0].label);
    return NULL;
}

/* --- points --- */

static void test_medians_leave_out_what_they_should(void **state)
{
    (void)state;
    fixture f = strong;
    f.noise = 0;
    f.flag_every = 7;
    const dt_analysis *a = analyse(&f);
    int64_t flagged = 0, visits = 0;
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        const char *reduction = p->point->values[1];
        /* warm-up chunks are twice, flagged visits three times as slow */
        assert_near(p->median, fixture_seconds(&f, 0, reduction, (int)p->workers), 1e-8);
        assert_near(p->rate, FIXTURE_BATCH / p->median, 1e-15);
        flagged += p->flagged;
        visits += p->visits;
    }
    assert_int_equal(visits + flagged, 80);
    assert_int_equal(flagged, 80 / 7);
    assert_int_equal(a->flagged, flagged);
    char sentence[DT_SENTENCE];
    dt_analysis_say_contention(a, sentence);
    assert_non_null(strstr(sentence, "80 visits: 11 flagged as disturbed and 0 failed"));
    assert_non_null(strstr(sentence, "3 % at most from start to end (read")); /* 0.97 */
}

/* Cores that a hypervisor moved: two distributions, of which the commoner counts. */
static void test_like_is_compared_with_like(void **state)
{
    (void)state;
    fixture f = strong;
    f.noise = 0;
    f.phases = true;
    f.far_every = 3;
    const dt_analysis *a = analyse(&f);
    int64_t elsewhere = 0;
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        assert_near(p->median, fixture_seconds(&f, 0, p->point->values[1], (int)p->workers), 1e-8);
        assert_int_equal(p->visits + p->elsewhere, f.visits);
        assert_true(p->workers > 1 || p->elsewhere == 0); /* one worker has no neighbour */
        if (p->workers > 1)
            assert_string_equal(p->place, "near");
        assert_true(p->attribution.covered < 1 + DT_ANALYSIS_COVERED); /* their phases don't count, either */
        elsewhere += p->elsewhere;
    }
    assert_true(elsewhere > a->visits / 5);
    assert_int_equal(a->elsewhere, elsewhere);
    char sentence[DT_SENTENCE], says[64];
    dt_analysis_say_contention(a, sentence);
    snprintf(says, sizeof says, "%lld had their processors otherwise placed", (long long)elsewhere);
    assert_non_null(strstr(sentence, says));
    for (size_t v = 0; v < a->study->visit_count; v++)
        assert_int_equal(dt_analysis_counts(a, &a->study->visits[v]),
                         strcmp(a->study->visits[v].place_before, "far") != 0);
    f.far_every = 1; /* all of them: then that is what is compared */
    a = analyse(&f);
    assert_int_equal(a->elsewhere, 0);
    assert_near(a->points[1].median,
                2 * fixture_seconds(&f, 0, a->points[1].point->values[1], (int)a->points[1].workers), 1e-8);
}

static void test_intervals_hold_the_median(void **state)
{
    (void)state;
    const dt_analysis *a = analyse(&strong);
    int inside = 0;
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        const double truth = fixture_seconds(&strong, 0, p->point->values[1], (int)p->workers);
        assert_true(p->interval.low <= p->median && p->median <= p->interval.high);
        assert_true(p->quartile_low <= p->median && p->median <= p->quartile_high && p->quartile_high <= p->p90);
        inside += p->interval.low <= truth && truth <= p->interval.high;
    }
    assert_true(inside >= 8); /* of 10 at 95 % and more */
    fixture few = strong;
    few.visits = 4;
    a = analyse(&few);
    assert_true(isnan(a->points[0].interval.low)); /* no interval at 0.95 from 4 */
    assert_false(a->points[1].one.intervals);
}

/* --- scaling --- */

static void test_speedups_have_both_bases(void **state)
{
    (void)state;
    fixture f = strong;
    f.noise = 0;
    const dt_analysis *a = analyse(&f);
    const dt_analysis_series *owner = series_named(a, "owner"), *atomic = series_named(a, "atomic");
    assert_true(owner->deterministic && !atomic->deterministic);
    assert_int_equal(owner->count, 5);
    assert_int_equal(a->work_count, 1);
    assert_int_equal(a->works[0].serial, atomic->points[0]); /* the faster one at T = 1 */
    for (int64_t k = 0; k < 5; k++) {
        const dt_analysis_point *p = &a->points[owner->points[k]];
        const double t = (double)p->workers, usl = t / (1 + 0.03 * (t - 1) + 0.0008 * t * (t - 1));
        assert_near(p->one.speedup, usl, 1e-7);
        assert_near(p->best.speedup, usl / 1.04, 1e-7);
        assert_near(p->one.efficiency, usl / t, 1e-7);
        if (p->workers > 1)
            assert_near(p->one.serial_fraction, (1 / usl - 1 / t) / (1 - 1 / t), 1e-6);
    }
    assert_true(owner->serial_grows); /* kappa */
}

/* sigma and kappa of the made-up law within their intervals. scipy.optimize.curve_fit of the same throughputs without
 * noise gives 0.03 and 0.0008 to 1e-9. */
static void test_laws_are_recovered(void **state)
{
    (void)state;
    const dt_analysis *a = analyse(&strong);
    const dt_analysis_series *owner = series_named(a, "owner");
    bool usl = false, amdahl = false;
    assert_int_equal(owner->fit_count, 2);
    for (int i = 0; i < owner->fit_count; i++) {
        const dt_analysis_fit *f = &owner->fits[i];
        assert_true(f->fitted);
        assert_int_equal(f->fit.points, 5);
        if (f->law->kappa) {
            usl = true;
            assert_within(f->fit.sigma, 0.03, 0.006);
            assert_within(f->fit.kappa, 0.0008, 0.0004);
            assert_true(f->fit.sigma_interval.low <= 0.03 && 0.03 <= f->fit.sigma_interval.high);
            assert_true(f->fit.kappa_interval.low <= 0.0008 && 0.0008 <= f->fit.kappa_interval.high);
            assert_within(f->fit.peak_workers, sqrt(0.97 / 0.0008), 8);
            assert_true(dt_fit_at(&f->fit, 32).extrapolated);
        } else {
            amdahl = true;
        }
    }
    assert_true(usl && amdahl);
}

static void test_few_numbers_of_workers_have_no_law(void **state)
{
    (void)state;
    fixture f = strong;
    f.cores = 2; /* 4, 8 and 16 are oversubscribed */
    const dt_analysis *a = analyse(&f);
    const dt_analysis_series *owner = series_named(a, "owner");
    assert_int_equal(owner->count, 5);
    assert_true(owner->fit_count > 0);
    assert_false(owner->fits[0].fitted);
    assert_non_null(strstr(owner->fits[0].why, "2 numbers of workers without oversubscription"));
    assert_true(a->points[owner->points[4]].point->oversubscribed);
    assert_near(a->points[owner->points[4]].one.speedup, 16 / (1 + 0.03 * 15 + 0.0008 * 240), 0.02); /* shown */
}

static void test_weak_scaling(void **state)
{
    (void)state;
    fixture f = strong;
    f.kind = "weak";
    f.kappa = 0;
    f.sigma = 0.02;
    f.noise = 0;
    const dt_analysis *a = analyse(&f);
    const dt_analysis_series *owner = series_named(a, "owner");
    assert_int_equal(owner->scaling, DT_SCALING_WEAK);
    for (int64_t k = 0; k < owner->count; k++) {
        const dt_analysis_point *p = &a->points[owner->points[k]];
        assert_near(p->one.efficiency, 1 / (1 + 0.02 * ((double)p->workers - 1)), 1e-7);
    }
    for (int i = 0; i < owner->fit_count; i++)
        assert_int_equal(owner->fits[i].law->scaling, DT_SCALING_WEAK);
}

static void test_the_cost_of_the_same_bits(void **state)
{
    (void)state;
    const dt_analysis *a = analyse(&strong);
    const dt_analysis_work *work = &a->works[0];
    assert_int_equal(work->best_count, 5);
    for (int64_t b = 0; b < 5; b++) {
        const dt_analysis_best *best = &work->best[b];
        assert_true(a->points[best->deterministic].point->deterministic);
        assert_false(a->points[best->any].point->deterministic);
        assert_near(best->cost, 1.04, 0.01);
        assert_true(best->interval.low <= 1.04 && 1.04 <= best->interval.high && best->interval.low > 1.02);
        assert_true(b == 0 || best->workers > work->best[b - 1].workers);
    }
}

/* --- one answer --- */

static void test_the_same_answer(void **state)
{
    (void)state;
    char sentence[DT_SENTENCE];
    fixture f = strong;
    f.workloads[1] = "W2";
    const dt_analysis *a = analyse(&f);
    assert_int_equal(a->work_count, 2);
    for (int64_t w = 0; w < 2; w++) {
        assert_int_equal(a->works[w].hashed, 5);
        assert_int_equal(a->works[w].hashes, 1);
        dt_analysis_say_answer(a, w, sentence);
        assert_non_null(strstr(sentence, "the same answer at every T"));
    }
    assert_int_equal(a->points[series_named(a, "W1, owner")->points[1]].hashes, 1);
    assert_int_equal(a->points[series_named(a, "W1, atomic")->points[1]].hashes, 8); /* each visit its own */
    f.wrong_hash = true;
    a = analyse(&f);
    assert_int_equal(a->works[0].hashes, 2);
    dt_analysis_say_answer(a, 0, sentence);
    assert_non_null(strstr(sentence, "2 DIFFERENT hashes"));
}

/* --- phases --- */

static void test_phases_add_up(void **state)
{
    (void)state;
    char sentence[DT_SENTENCE];
    fixture f = strong;
    f.uncovered = 0.01;
    f.faster = 0;
    const dt_analysis *a = analyse(&f);
    assert_within(a->worst_covered, 0.01, 1e-3);
    dt_analysis_say_attribution(a, sentence);
    assert_non_null(strstr(sentence, "within 1.0 %"));
    assert_non_null(strstr(sentence, "timers took at most 0.40 %"));
    for (int64_t i = 0; i < a->point_count; i++) {
        const dt_analysis_point *p = &a->points[i];
        double share = 0;
        assert_true(p->attributed);
        for (int phase = 0; phase < DT_PHASES; phase++)
            share += p->attribution.phase[phase].share;
        assert_near(share, 1, 1e-12);
        assert_near(p->attribution.covered, 0.99, 1e-3);
        assert_near(p->attribution.imbalance, 1, 1e-9);
    }
    /* What isn't work is waiting: the fixture's phases are even. */
    const dt_analysis_point *p = &a->points[series_named(a, "owner")->points[4]];
    assert_near(p->attribution.waiting,
                p->attribution.phase[DT_PHASE_WAIT].seconds / (16 * p->attribution.step_seconds), 1e-9);
    assert_int_equal(p->limiter.phase, DT_PHASE_WAIT);
    f.uncovered = 0.05;
    a = analyse(&f);
    dt_analysis_say_attribution(a, sentence);
    assert_non_null(strstr(sentence, "over 2 %"));
    f.phases = false;
    a = analyse(&f);
    assert_true(isnan(a->worst_covered));
    assert_int_equal(a->error.points, 0);
    assert_true(a->model_why[0]);
}

static void test_ceilings_and_roofline(void **state)
{
    (void)state;
    const dt_analysis *a = analyse(&strong);
    const dt_analysis_ceilings *c = &a->ceilings;
    assert_near(c->rates[DT_FLOAT32].fma_one, 100e9, 1e-12);
    assert_near(c->rates[DT_FLOAT32].fma_all, 1600e9, 1e-12);
    assert_near(c->rates[DT_FLOAT64].fma_one, 50e9, 1e-12);
    assert_int_equal(c->levels, 4);
    assert_int_equal(c->level[3], 0);
    assert_near(c->one[3], 20e9, 1e-12);
    assert_near(dt_ceilings_at(c, DT_FLOAT32, 4).flops, 400e9, 1e-12);
    assert_near(dt_ceilings_at(c, DT_FLOAT64, 4).flops, 200e9, 1e-12);
    assert_near(dt_ceilings_at(c, DT_FLOAT32, 4).bandwidth, 80e9, 1e-12);
    assert_near(c->alone.most, 0.03, 1e-12);
    assert_string_equal(c->alone.which, "read, 1 worker");
    assert_near(c->between.most, 0.5, 1e-12);
    char sentence[DT_SENTENCE];
    dt_analysis_say_contention(a, sentence);
    assert_non_null(strstr(sentence, " moved by 3 % at most from start to end (read, 1 worker), those between cores, "
                                     "which follow where these lie, by 50 % (barrier_ns, 16 workers)."));
    int found = 0;
    for (int64_t i = 0; i < a->roof_count; i++) {
        const dt_analysis_roof *r = &a->roofs[i];
        if (a->points[r->point].workers != 1 || r->phase != DT_PHASE_FORWARD || r->l != 1)
            continue;
        const double parameters = 512 * 785.0;
        const double flop = 2 * 128 * parameters, bytes = 4 * (parameters + 128 * (784 + 512.0));
        assert_near(r->flops, 60e9, 1e-6);
        assert_near(r->intensity, flop / bytes, 1e-9);
        assert_near(r->seconds, flop / 60e9, 1e-6);
        assert_near(r->roof, 100e9, 1e-12); /* 20 GB/s * 48 operations a byte is beyond the peak */
        assert_near(r->of_roof, 0.6, 1e-6);
        assert_string_equal(r->bound, "compute");
        found++;
    }
    assert_int_equal(found, 2);
    for (int64_t i = 0; i < a->roof_count; i++)
        if (a->roofs[i].phase == DT_PHASE_GATHER)
            assert_near(a->roofs[i].intensity, 0, 0);
}

/* --- the model --- */

/* The network is found again from its operations; a study whose time is its phases' is predicted without error at T =
 * 1, also from the other network, whose phases go at the same rate. */
static void test_the_model_is_held_against_points(void **state)
{
    (void)state;
    char sentence[DT_SENTENCE];
    fixture f = strong;
    f.workloads[1] = "W2";
    f.reductions[1] = NULL;
    f.noise = 0;
    f.sigma = f.kappa = 0;
    const dt_analysis *a = analyse(&f);
    assert_int_equal(a->model_why[0], 0);
    assert_int_equal(a->prediction_count, 2 * (1 + 4));
    for (int64_t i = 0; i < a->prediction_count; i++) {
        const dt_analysis_prediction *p = &a->predictions[i];
        assert_true(p->from != p->point);
        if (p->workers == 1)
            assert_within(p->error, 0, 0.25); /* bookkeeping is taken as it was there: 4 % of the larger network */
        else
            assert_true(p->error > -0.05 &&
                        (p->error < 1.5 || p->idle)); /* of an ideal machine: what it adds is moved bytes, barriers */
    }
    assert_int_equal(a->error.points, a->prediction_count);
    dt_analysis_say_model(a, sentence);
    assert_non_null(strstr(sentence, "at 10 points that it didn't see"));
    assert_int_equal(a->plan_count, 2 * 8); /* 1 .. 128 */
    assert_int_equal(a->plans[7].workers, 128);
    assert_true(a->plans[7].idle); /* 128 samples in shards of 16 */
    for (int64_t i = 1; i < 4; i++)
        assert_true(a->plans[i].speedup > a->plans[i - 1].speedup);
}

/* --- what is written --- */

static size_t count_lines(const char *folder, const char *name, size_t *columns)
{
    char path[1024];
    size_t lines = 0;
    int c;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t fields = 1;
    *columns = 0;
    while ((c = getc(file)) != EOF) {
        fields += c == '\t';
        if (c == '\n') {
            if (lines++ == 0)
                *columns = fields;
            assert_int_equal(fields, *columns); /* of every row */
            fields = 1;
        }
    }
    fclose(file);
    return lines;
}

static void hear(void *context, const char *line)
{
    char *text = context;
    assert_true(strlen(text) + strlen(line) < 60000);
    assert_int_equal(line[strlen(line) - 1], '\n');
    strcat(text, line);
}

static void test_tables_are_written_and_printed(void **state)
{
    (void)state;
    static char text[60000];
    size_t columns;
    const char *path = scratch_path(&s, "tables");
    assert_int_equal(mkdir(path, 0777), 0);
    fixture f = strong;
    f.flag_every = 9;
    fixture_write(path, &f);
    dt_study study;
    dt_analysis *made;
    assert_int_equal(dt_study_open(&study, path, &arena, NULL), DT_OK);
    assert_int_equal(dt_study_analyse(&study, &arena, &made, NULL), DT_OK);
    assert_int_equal(dt_analysis_write(made, path, NULL), DT_OK);
    assert_int_equal(count_lines(path, "analysis.tsv", &columns), 11);
    assert_int_equal(count_lines(path, "fits.tsv", &columns), 1 + 4);
    assert_int_equal(count_lines(path, "roofline.tsv", &columns), 1 + 10 * (3 + 2 + 3 + 2));
    assert_int_equal(count_lines(path, "model.tsv", &columns), 1 + made->prediction_count + made->plan_count);
    text[0] = '\0';
    assert_int_equal(dt_analysis_print(made, hear, text, NULL), DT_OK);
    static const char *const wanted[] = {"atomic (NOT REPRODUCIBLE)",
                                         "the same answer at every T",
                                         "usl, fitted to T = 1..16",
                                         "cost of determinism 1.0",
                                         "the best deterministic strategy is",
                                         "predicted from",
                                         "prediction for owner",
                                         "visits flagged",
                                         "best serial: atomic"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(text, wanted[i]))
            fail_msg("no '%s' in:\n%s", wanted[i], text);
}

static void test_nothing_measured(void **state)
{
    (void)state;
    dt_study study;
    dt_analysis *a;
    dt_error error;
    fixture f = strong;
    f.visits = 0;
    fixture_make(&study, &f, &arena);
    dt_error_clear(&error);
    assert_int_equal(dt_study_analyse(&study, &arena, &a, &error), DT_NOT_FOUND);
    assert_non_null(strstr(error.message, "no whole visit yet"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_medians_leave_out_what_they_should),
        cmocka_unit_test(test_like_is_compared_with_like),
        cmocka_unit_test(test_intervals_hold_the_median),
        cmocka_unit_test(test_speedups_have_both_bases),
        cmocka_unit_test(test_laws_are_recovered),
        cmocka_unit_test(test_few_numbers_of_workers_have_no_law),
        cmocka_unit_test(test_weak_scaling),
        cmocka_unit_test(test_the_cost_of_the_same_bits),
        cmocka_unit_test(test_the_same_answer),
        cmocka_unit_test(test_phases_add_up),
        cmocka_unit_test(test_ceilings_and_roofline),
        cmocka_unit_test(test_the_model_is_held_against_points),
        cmocka_unit_test(test_tables_are_written_and_printed),
        cmocka_unit_test(test_nothing_measured),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
