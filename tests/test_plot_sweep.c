/* Pictures of sweeps: their numbers against means and intervals computed here, axes, families, words, and folders that
 * are not what they should be.
 */
#include "plot_drawing.h"

#include "counting_memory.h"
#include "plot/interval.h"

static const char head[] =
    "\ttrain_loss\ttrain_loss_interval\ttrain_accuracy\ttrain_accuracy_interval\tvalidation_loss\t"
    "validation_loss_interval\tvalidation_accuracy\tvalidation_accuracy_interval\ttest_loss\t"
    "test_loss_interval\ttest_accuracy\ttest_accuracy_interval\tseconds\tseconds_interval\n";

enum { SEEDS = 3, EPOCHS = 4 };

/* Of a run's epoch, from 1; figure 0 is the loss, 1 the accuracy. */
static double test_figure(int setting, int seed, int epoch, int figure)
{
    const double noise = 0.01 * ((setting * 7 + seed * 5 + epoch * 3) % 6);
    return figure ? 0.5 + 0.08 * setting + 0.02 * epoch + noise : 2.0 / (1 + epoch + setting) + noise;
}

/* Epochs that a run has: one stopped early. */
static int epochs_of(int setting, int seed)
{
    return setting == 1 && seed == 2 ? EPOCHS - 2 : EPOCHS;
}

static void write_run(const char *sweep, int setting, int seed)
{
    char name[640], text[4096];
    snprintf(name, sizeof name, "%s/runs", sweep);
    (void)mkdir(name, 0777);
    snprintf(name, sizeof name, "%s/runs/p%04d-s%d", sweep, setting, seed);
    assert_int_equal(mkdir(name, 0777), 0);
    size_t used =
        (size_t)snprintf(text, sizeof text,
                         "epoch\tstep\tseconds\ttrain_loss\ttrain_accuracy\tvalidation_loss\t"
                         "validation_accuracy\ttest_loss\ttest_accuracy\tlearning_rate\tsamples_per_second\n");
    for (int e = 1; e <= epochs_of(setting, seed); e++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%d\t%d\t%d\t1\t0.5\tnan\tnan\t%.9g\t%.9g\t0.1\t1\n",
                                 e, 8 * e, e, test_figure(setting, seed, e, 0), test_figure(setting, seed, e, 1));
    write_text(name, "metrics.tsv", text);
}

/* A sweep of one to three keys; `values` is what stands in their columns, setting by setting. */
static const char *make_sweep(const char *name, const char *keys, const char *const *values, int settings)
{
    static char path[512];
    char points[8192], runs[8192];
    snprintf(path, sizeof path, "%s", folder(name));
    size_t p = (size_t)snprintf(points, sizeof points, "point\truns\t%s%s", keys, head);
    size_t r = (size_t)snprintf(runs, sizeof runs, "run\tstate\tpoint\tseed\t%s\tand so on\n", keys);
    for (int i = 0; i < settings; i++) {
        double mean[2], half[2];
        for (int f = 0; f < 2; f++) {
            double x[SEEDS];
            for (int seed = 0; seed < SEEDS; seed++)
                x[seed] = test_figure(i, seed + 1, EPOCHS, f);
            assert_int_equal(dt_mean_interval(x, SEEDS, &mean[f], &half[f]), SEEDS);
        }
        p += (size_t)snprintf(points + p, sizeof points - p,
                              "%d\t%d\t%s\t1\t0\t0.5\t0\tnan\tnan\tnan\tnan\t%.9g\t%.9g\t%.9g\t%.9g\t1\t0\n", i, SEEDS,
                              values[i], mean[0], half[0], mean[1], half[1]);
        for (int seed = 1; seed <= SEEDS; seed++) {
            write_run(path, i, seed);
            r += (size_t)snprintf(runs + r, sizeof runs - r, "p%04d-s%d\tcomplete\t%d\t%d\t%s\t-\n", i, seed, i, seed,
                                  values[i]);
        }
    }
    write_text(path, "points.tsv", points);
    write_text(path, "summary.tsv", runs);
    return path;
}

/* t(2) = 4.3027, from tables; of three numbers 1, 2, 6: mean 3, variance 7, half a width 4.3027 sqrt(7 / 3). */
static void test_intervals_are_students(void **state)
{
    (void)state;
    double mean, half;
    assert_int_equal(dt_mean_interval((double[]){1, NAN, 2, 6}, 4, &mean, &half), 3);
    assert_near(mean, 3);
    assert_near(half, 4.3027 * sqrt(7.0 / 3));
    assert_int_equal(dt_mean_interval((double[]){5}, 1, &mean, &half), 1);
    assert_true(mean == 5 && isnan(half));
    assert_int_equal(dt_mean_interval((double[]){NAN}, 1, &mean, &half), 0);
    assert_true(isnan(mean) && isnan(half));
    /* t(11) = 2.2010, t(30) = 2.0423 and t(100) = 1.9840, from tables */
    assert_true(fabs(dt_t_95(11) - 2.2010) < 2e-4 && fabs(dt_t_95(30) - 2.0423) < 1e-4 &&
                fabs(dt_t_95(100) - 1.9840) < 1e-4);
}

static void test_curves_are_means_over_seeds(void **state)
{
    (void)state;
    enum { COLUMNS = 20, TEST_LOSS = 14, TEST_ACCURACY = 17 };
    static const char *const values[] = {"0.01", "0.1"};
    const char *sweep = make_sweep("curves", "optimizer.learning_rate", values, 2);
    draw_files(&sweep, 1, "sweep_curves", "svg");
    if (has_gnuplot())
        assert_string_equal(now.pictures, "curves/plots/sweep_curves.svg;");
    char *numbers = read_text(sweep, "plots/sweep_curves.tsv"), *script = read_text(sweep, "plots/sweep_curves.gp");
    for (int setting = 0; setting < 2; setting++) {
        double got[EPOCHS][COLUMNS];
        assert_int_equal(read_block(numbers, setting, COLUMNS, got[0]), EPOCHS);
        for (int e = 1; e <= EPOCHS; e++)
            for (int f = 0; f < 2; f++) {
                double x[SEEDS], mean = 0, squares = 0;
                int there = 0;
                for (int seed = 1; seed <= SEEDS; seed++)
                    if (e <= epochs_of(setting, seed))
                        mean += x[there++] = test_figure(setting, seed, e, f);
                mean /= there;
                for (int i = 0; i < there; i++)
                    squares += (x[i] - mean) * (x[i] - mean);
                const double half = (there == 3 ? 4.3027 : 12.7062) * sqrt(squares / (there - 1) / there);
                const int column = f ? TEST_ACCURACY : TEST_LOSS;
                assert_near(got[e - 1][0], e);
                assert_near(got[e - 1][1], there);
                assert_true(fabs(got[e - 1][column] - mean) < 1e-7);
                assert_true(fabs(got[e - 1][column + 1] - (mean - half)) < 1e-7);
                assert_true(fabs(got[e - 1][column + 2] - (mean + half)) < 1e-7);
            }
    }
    assert_non_null(strstr(script, "['learning_rate=0.01', 'learning_rate=0.1']"));
    free(numbers);
    free(script);
    assert_non_null(strstr(draw_text(sweep, "sweep_curves", DT_LETTERS_ASCII), "\nB learning_rate=0.1\n"));
}

static void test_few_of_many_settings_are_the_best(void **state)
{
    (void)state;
    static const char *const values[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
    const char *sweep = make_sweep("many", "network.0.units", values, 9);
    draw_files(&sweep, 1, "sweep_curves", "svg");
    char *script = read_text(sweep, "plots/sweep_curves.gp");
    /* accuracy rises with the setting */
    assert_non_null(strstr(script, "the best 7 of 9 settings"));
    assert_non_null(strstr(script, "['units=3', 'units=4', 'units=5', 'units=6', 'units=7', 'units=8', 'units=9']"));
    free(script);
}

/* A grid of a geometric key and words: families, logarithmic axis, names of values, the setting's own numbers. */
static void test_settings_against_keys(void **state)
{
    (void)state;
    enum { COLUMNS = 7 };
    static const char *const values[] = {"0.1\trelu",      "0.1\t\"tanh\"", "0.01\trelu",
                                         "0.01\t\"tanh\"", "0.001\trelu",   "0.001\t\"tanh\""};
    const char *sweep = make_sweep("keys", "optimizer.learning_rate\tnetwork.0.activation", values, 6);
    draw_files(&sweep, 1, "sweep_keys", "svg");
    char *numbers = read_text(sweep, "plots/sweep_keys.tsv"), *script = read_text(sweep, "plots/sweep_keys.gp");
    double got[6][COLUMNS], mean, half, x[SEEDS];
    /* relu's family, ascending: settings 4, 2, 0 */
    assert_int_equal(read_block(numbers, 0, COLUMNS, got[0]), 3);
    for (int i = 0; i < 3; i++) {
        assert_near(got[i][0], 4 - 2 * i);
        assert_near(got[i][1], pow(10, i - 3));
        for (int seed = 0; seed < SEEDS; seed++)
            x[seed] = test_figure(4 - 2 * i, seed + 1, EPOCHS, 1);
        (void)dt_mean_interval(x, SEEDS, &mean, &half);
        assert_near(got[i][5], mean);
        assert_near(got[i][6], half);
    }
    /* words: 0.1's family is the first; relu at 1, tanh at 2, drawn a little to the left */
    assert_int_equal(read_block(numbers, 2, COLUMNS, got[0]), 2);
    assert_near(got[0][1], 1);
    assert_near(got[1][1], 2);
    assert_true(got[1][2] > 1.5 && got[1][2] < 2);
    assert_non_null(strstr(script, "log_x[2] = [1, 0]"));
    assert_non_null(strstr(script, "joined[2] = [1, 0]"));
    assert_non_null(strstr(script, "array tic2[2] = ['relu', 'tanh']"));
    assert_non_null(strstr(script, "'activation=relu', 'activation=tanh', 'learning_rate=0.1'"));
    assert_non_null(strstr(script, "heading = 'keys: best test accuracy"));
    free(numbers);
    free(script);
    const char *text = draw_text(sweep, "sweep_keys", DT_LETTERS_ASCII);
    assert_non_null(strstr(text, "learning_rate=0.001, activation=tanh"));
    assert_non_null(strstr(text, " *\n"));
}

/* What doesn't look geometric isn't drawn so; a lone value makes no row. */
static void test_axes_follow_the_values(void **state)
{
    (void)state;
    static const char *const values[] = {"1\t64\t0", "2\t64\t0.5", "3\t64\t0.9"};
    const char *sweep = make_sweep("axes", "a\tb\tc", values, 3);
    draw_files(&sweep, 1, "sweep_keys", "svg");
    char *script = read_text(sweep, "plots/sweep_keys.gp");
    assert_non_null(strstr(script, "rows = 2\n"));
    assert_non_null(strstr(script, "log_x[2] = [0, 0]"));
    free(script);
}

/* What comes from outside is shown, never executed. */
static void test_hostile_values_are_text(void **state)
{
    (void)state;
    static const char *const values[] = {"`touch owned`", "'.system('touch owned').'", "a''b'''c'"};
    const char *sweep = make_sweep("hostile", "data.train.file", values, 3);
    draw_files(&sweep, 1, NULL, "svg");
    assert_false(exists(sweep, "plots/owned"));
    char *script = read_text(sweep, "plots/sweep_keys.gp");
    assert_null(strchr(script, '`'));
    free(script);
}

static void test_what_is_no_sweep_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"1", "2"};
    const char *run = folder("run");
    char sweep[512];
    snprintf(sweep, sizeof sweep, "%s", make_sweep("sweep", "a", values, 2));
    refused(run, "sweep_keys", DT_INVALID, "is drawn of sweeps");
    refused(sweep, "layers", DT_INVALID, "is a sweep, and kind 'layers' is drawn of runs");
    dt_error error;
    assert_int_equal(draw_with((const char *const[]){sweep, run}, 2, &(dt_plot_options){.term = "text"}, &error),
                     DT_INVALID);
    assert_non_null(strstr(error.message, "is a sweep, "));

    write_text(sweep, "points.tsv", "point\truns\ta\n");
    refused(sweep, "sweep_keys", DT_MALFORMED, "points.tsv:1: the header names the column 'train_loss' nowhere");
    (void)make_sweep("runs", "a", values, 2);
    snprintf(sweep, sizeof sweep, "%s/runs", s.folder);
    write_text(sweep, "summary.tsv", "run\tstate\tpoint\n../../secret\tcomplete\t0\n");
    refused(sweep, "sweep_curves", DT_MALFORMED, "summary.tsv:2: no run of a setting");
    write_text(sweep, "summary.tsv", "run\tstate\tpoint\np0007\tcomplete\t7\n");
    refused(sweep, "sweep_keys", DT_MALFORMED, "summary.tsv:2: no run of a setting");
    write_text(sweep, "summary.tsv", "run\tstate\tpoint\n");
    char *points = read_text(sweep, "points.tsv");
    for (char *row = strchr(points, '\n'); row && row[1]; row = strchr(row + 1, '\n'))
        row[3] = '0';
    write_text(sweep, "points.tsv", points);
    free(points);
    refused(sweep, "sweep_keys", DT_NOT_FOUND, "no run of the sweep is complete");
}

static void test_failing_memory_is_survived(void **state)
{
    (void)state;
    static const char *const values[] = {"1\trelu", "2\trelu", "1\ttanh", "2\ttanh"};
    const char *sweep = make_sweep("memory", "a\tb", values, 4);
    for (size_t k = 0; dt_plot_kind_at(k); k++) {
        dt_status status = DT_NO_MEMORY;
        dt_error error;
        const dt_plot_options how = {.kind = dt_plot_kind_at(k)->name, .term = "text"};
        counting_memory memory;
        for (long n = 1; dt_plot_kind_at(k)->of_sweeps && status == DT_NO_MEMORY && n < 1000; n++) {
            count_memory(&memory, n);
            status = draw_with(&sweep, 1, &how, &error);
            count_no_more();
            assert_int_equal(memory.blocks, 0);
            assert_true(status == DT_OK || status == DT_NO_MEMORY);
        }
        assert_int_equal(status, dt_plot_kind_at(k)->of_sweeps ? DT_OK : DT_NO_MEMORY);
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_intervals_are_students),
        TEST(test_curves_are_means_over_seeds),
        TEST(test_few_of_many_settings_are_the_best),
        TEST(test_settings_against_keys),
        TEST(test_axes_follow_the_values),
        cmocka_unit_test_setup(test_hostile_values_are_text, setup),
        TEST(test_what_is_no_sweep_is_refused),
        TEST(test_failing_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
