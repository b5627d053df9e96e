/* Pictures of runs: numbers against values computed here, scripts that hostile names can't get out of, letters, damaged
 * files, failing memory. */
#include "plot_drawing.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "counting_memory.h"
#include "plot/layers.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define HEADER                                                                                                         \
    "epoch\tstep\tseconds\ttrain_loss\ttrain_accuracy\tvalidation_loss\tvalidation_accuracy\ttest_loss\t"              \
    "test_accuracy\tlearning_rate\tsamples_per_second\n"

/* --- tables --- */

static void test_tables_can_be_walked(void **state)
{
    (void)state;
    size_t i;
    for (i = 0; dt_plot_kind_at(i); i++) {
        assert_true(dt_plot_kind_at(i)->name[0] && dt_plot_kind_at(i)->summary[0] && dt_plot_kind_at(i)->maker);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(dt_plot_kind_at(i)->name, dt_plot_kind_at(j)->name);
    }
    assert_true(i >= 2);
    static const char *const terms[] = {"svg", "png", "pdf", "text"};
    for (i = 0; i < COUNT(terms); i++)
        assert_string_equal(dt_plot_term_at(i), terms[i]);
    assert_null(dt_plot_term_at(i));
}

static void test_unknown_names_are_refused(void **state)
{
    (void)state;
    dt_error error;
    const char *runs[DT_PLOT_RUNS_MAX + 1] = {s.folder, s.folder};
    assert_int_equal(draw_with(runs, 1, &(dt_plot_options){.kind = "curvs"}, &error), DT_UNKNOWN_NAME);
    assert_non_null(strstr(error.message, "did you mean 'curves'?"));
    assert_int_equal(draw_with(runs, 1, &(dt_plot_options){.term = "gif"}, &error), DT_UNKNOWN_NAME);
    assert_non_null(strstr(error.message, "valid: svg, png, pdf, text"));
    assert_int_equal(draw_with(runs, 0, &(dt_plot_options){0}, &error), DT_INVALID);
    assert_int_equal(draw_with(runs, COUNT(runs), &(dt_plot_options){0}, &error), DT_INVALID);
    assert_int_equal(draw_with(runs, 2, &(dt_plot_options){0}, &error), DT_INVALID);
    assert_non_null(strstr(error.message, "name each run once"));
}

/* --- curves --- */

static const char small_metrics[] = HEADER "1\t10\t0.5\t1.25\t0.5\tnan\tnan\t1.5\t0.4375\t0.1\t100\n"
                                           "2\t20\t1\t0.75\t0.625\tnan\tnan\t1.125\t0.5\t0.1\t100\n"
                                           "3\t30\t1.75\t0.5\t0.75\tnan\tnan\t1.25\t0.46875\t0.1\t100\n";

static void test_curves_hold_the_numbers_of_the_metrics(void **state)
{
    (void)state;
    const char *run = folder("curves");
    double got[16 * 8];
    static const double wanted[3][8] = {{1, 0.5, 1.25, 0.5, NAN, NAN, 1.5, 0.4375},
                                        {2, 1, 0.75, 0.625, NAN, NAN, 1.125, 0.5},
                                        {3, 1.75, 0.5, 0.75, NAN, NAN, 1.25, 0.46875}};
    write_text(run, "metrics.tsv", small_metrics);
    write_text(run, "experiment.yaml", "seed: 1\nname: 'small-run'\nloss: cross_entropy\n");
    draw_files(&run, 1, NULL, NULL);
    char *numbers = read_text(run, "plots/curves.tsv"), *script = read_text(run, "plots/curves.gp");
    assert_int_equal(read_block(numbers, 0, 8, got), 3);
    for (size_t i = 0; i < 3 * 8; i++)
        assert_near(got[i], wanted[i / 8][i % 8]);
    assert_non_null(strstr(numbers, "\n# epoch\tseconds\ttrain_loss\t"));
    assert_non_null(strstr(script, "\nheading = 'small-run: test accuracy 0.4688 after 3 epochs'\n"));
    assert_non_null(strstr(script, "\nloss_label = 'loss (nats)'\n"));
    assert_non_null(strstr(script, "\narray name[2] = ['train', 'test']\n")); /* no validation in this run */
    assert_null(strstr(script, s.folder));
    if (has_gnuplot())
        assert_string_equal(now.pictures, "curves/plots/curves.svg;");
    free(script);
    free(numbers);
}

/* Runs gnuplot as a user would: its exit status. */
static int gnuplot(const char *where, const char *script, const char *setting)
{
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_RDWR);
        if (chdir(where) != 0 || nowhere < 0 || dup2(nowhere, 2) < 0)
            _exit(99);
        if (setting)
            execlp("gnuplot", "gnuplot", "-e", setting, script, (char *)NULL);
        else
            execlp("gnuplot", "gnuplot", script, (char *)NULL);
        _exit(98);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The script and its numbers, moved elsewhere, draw the same picture; and other formats. */
static void test_scripts_draw_again_anywhere(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip();
    const char *run = folder("again"), *there = folder("elsewhere");
    write_text(run, "metrics.tsv", small_metrics);
    for (size_t i = 0; i < 3; i++) {
        draw_files(&run, 1, "curves", dt_plot_term_at(i));
        char name[64];
        snprintf(name, sizeof name, "plots/curves.%s", dt_plot_term_at(i));
        assert_true(exists(run, name));
    }
    draw_files(&run, 1, "curves", "svg");
    static const char *const files[] = {"curves.gp", "curves.tsv"};
    for (size_t i = 0; i < COUNT(files); i++) {
        char name[64];
        snprintf(name, sizeof name, "plots/%s", files[i]);
        char *text = read_text(run, name);
        write_text(there, files[i], text);
        free(text);
    }
    assert_int_equal(gnuplot(there, "curves.gp", NULL), 0);
    char *first = read_text(run, "plots/curves.svg"), *second = read_text(there, "curves.svg");
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "</svg>"));
    assert_int_equal(gnuplot(there, "curves.gp", "term='png'"), 0);
    assert_true(exists(there, "curves.png"));
    assert_int_not_equal(gnuplot(there, "curves.gp", "term='|touch pwned'"), 0);
    assert_false(exists(there, "pwned"));
    free(first);
    free(second);
}

static void test_several_runs_share_a_picture(void **state)
{
    (void)state;
    const char *runs[3] = {folder("one"), folder("two"), folder("three")};
    double got[16 * 8];
    for (size_t i = 0; i < 3; i++)
        write_text(runs[i], "metrics.tsv", small_metrics);
    write_text(runs[1], "metrics.tsv", HEADER "1\t10\t0.25\t2\t0.25\t2.5\t0.125\t3\t0.0625\t0.1\t100\n");
    draw_files(runs, 3, NULL, "svg");
    char *numbers = read_text(runs[0], "plots/curves-compare.tsv");
    char *script = read_text(runs[0], "plots/curves-compare.gp");
    assert_int_equal(read_block(numbers, 0, 8, got), 3);
    assert_int_equal(read_block(numbers, 1, 8, got), 1);
    assert_near(got[6], 3);
    assert_int_equal(read_block(numbers, 2, 8, got), 3);
    assert_int_equal(read_block(numbers, 3, 8, got), 0);
    assert_non_null(strstr(script, "\nheading = '3 runs: test; training dashed'\n"));
    assert_non_null(strstr(script, "\narray name[6] = ['', '', '', 'one', 'two', 'three']\n"));
    assert_non_null(strstr(script, "\narray loss[6] = [3, 3, 3, 7, 7, 7]\n"));
    if (has_gnuplot())
        assert_string_equal(now.pictures, "one/plots/curves-compare.svg;");
    assert_false(exists(runs[1], "plots"));
    free(script);
    free(numbers);
}

/* Names that are distinct name the runs; else the ends of their paths. */
static void test_runs_are_told_apart(void **state)
{
    (void)state;
    folder("left");
    folder("right");
    const char *runs[2] = {folder("left/s1"), folder("right/s1")};
    for (size_t i = 0; i < 2; i++) {
        write_text(runs[i], "metrics.tsv", small_metrics);
        write_text(runs[i], "experiment.yaml", i ? "name: beta\nloss: squared_error\n" : "name: alpha\n");
    }
    draw_files(runs, 2, "curves", "svg");
    char *script = read_text(runs[0], "plots/curves-compare.gp");
    assert_non_null(strstr(script, "['', '', 'alpha', 'beta']"));
    assert_non_null(strstr(script, "\nloss_label = 'loss'\n"));
    free(script);
    write_text(runs[1], "experiment.yaml", "name: alpha\n");
    draw_files(runs, 2, "curves", "svg");
    script = read_text(runs[0], "plots/curves-compare.gp");
    assert_non_null(strstr(script, "['', '', 'left/s1', 'right/s1']"));
    free(script);
}

/* Whatever a folder is called, a script says it between single quotes and nothing gets out. */
static void test_hostile_names_stay_strings(void **state)
{
    (void)state;
    static const char *const names[] = {
        "back`touch pwned1`quotes",
        "quote'; system('touch pwned2'); a = '",
        "double\"; `touch pwned3` \"",
        "line\nset output '|touch pwned4'\n",
        "$(touch pwned5) @macro {Bold x}_2 \\\\ \\x60 %s %n",
        "<svg onload=pwned6> & \xff\xfe \xc3\xa9 \xc2\x9b\xe2\x80\xae",
        "#'",
        "a name that goes on and on and on and on and on and on and on and on and on and on and on and on",
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        char name[256];
        snprintf(name, sizeof name, "hostile%zu", i);
        const char *above = folder(name);
        char inside[512];
        snprintf(inside, sizeof inside, "%s/%s", name, names[i]);
        const char *run = folder(inside), *both[2] = {run, above};
        write_text(run, "metrics.tsv", small_metrics);
        write_text(above, "metrics.tsv", small_metrics);
        draw_files(&run, 1, NULL, "svg");
        draw_files(both, 2, NULL, "svg");
        for (int k = 0; k < 2; k++) {
            char *script = read_text(run, k ? "plots/curves-compare.gp" : "plots/curves.gp");
            const char *line = strstr(script, k ? "\narray name[" : "\nheading = '");
            assert_non_null(line);
            size_t length = strcspn(line + 1, "\n"), quotes = 0;
            for (size_t c = 1; c <= length; c++)
                quotes += line[c] == '\'';
            assert_int_equal(quotes % 2, 0);
            assert_null(strchr(script, '`'));
            for (const char *c = script; *c; c++)
                assert_true((unsigned char)*c >= 0x20 || *c == '\n');
            assert_null(strstr(script, "\xff"));
            assert_null(strstr(script, "\xc2\x9b"));
            free(script);
        }
        assert_non_null(strstr(draw_text(run, "curves", DT_LETTERS_ASCII), ": test accuracy 0.4688"));
        for (const char *c = now.text; *c; c++)
            assert_true(((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f) || *c == '\n');
        for (int k = 1; k <= 6; k++) {
            snprintf(name, sizeof name, "plots/pwned%d", k);
            assert_false(exists(run, name));
            assert_false(exists(".", name + 6));
        }
    }
}

static void test_malformed_metrics_are_refused(void **state)
{
    (void)state;
#define ROW "1\t10\t0.5\t1.25\t0.5\tnan\tnan\t1.5\t0.4375\t0.1\t100"
    static const struct {
        const char *text, *words;
        dt_status status;
    } cases[] = {
        {"", "metrics.tsv:1: the header names the column 'epoch' nowhere", DT_MALFORMED},
        {"epoch step\n", "metrics.tsv:1: the header", DT_MALFORMED},
        {"epoch\t" HEADER "1\t" ROW "\n", "names the column 'epoch' twice", DT_MALFORMED},
        {HEADER, "no epoch is finished", DT_NOT_FOUND},
        {HEADER "1\t2\n" ROW "\n", "metrics.tsv:2: 2 columns where the header has 11", DT_MALFORMED},
        {HEADER ROW "\n\n", "metrics.tsv:3: 1 columns", DT_MALFORMED},
        {HEADER ROW "\n" ROW "\n", "metrics.tsv:3: epoch 1 after epoch 1", DT_MALFORMED},
        {HEADER "1\t10\t0.5\tO.25\t0.5\tnan\tnan\t1.5\t0.4375\t0.1\t100\n",
         "metrics.tsv:2: column 'train_loss' is 'O.25', which is no number", DT_MALFORMED},
        {HEADER "1\t10\t0.5\t0x1p3\t0.5\tnan\tnan\t1.5\t0.4375\t0.1\t100\n", "is '0x1p3'", DT_MALFORMED},
        {HEADER "1\t10\t0.5\t\t0.5\tnan\tnan\t1.5\t0.4375\t0.1\t100\n", "column 'train_loss' is ''", DT_MALFORMED},
        {HEADER "1\t10\t0.5\t1 \t0.5\tnan\tnan\t1.5\t0.4375\t0.1\t100\n", "is '1 '", DT_MALFORMED},
        {HEADER "1\t10\t-0.5\t1\t0.5\tnan\tnan\t1.5\t0.4375\t0.1\t100\n", "metrics.tsv:2: seconds", DT_MALFORMED},
        {HEADER "nan\t10\t0.5\t1\t0.5\tnan\tnan\t1.5\t0.4375\t0.1\t100\n", "metrics.tsv:2: epoch", DT_MALFORMED},
        {HEADER "1\t10\t0.5\t\033[2J\t0.5\tnan\tnan\t1.5\t0.4375\t0.1\t100\n", "is '?[2J'", DT_MALFORMED},
    };
    const char *run = folder("malformed");
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_text(run, "metrics.tsv", cases[i].text);
        refused(run, i % 2 ? NULL : "curves", cases[i].status, cases[i].words);
    }
    write_bytes(run, "metrics.tsv", HEADER ROW "\0\n", sizeof HEADER ROW "\0");
    refused(run, "curves", DT_MALFORMED, "NUL");
    assert_int_equal(remove(scratch_path(&s, "malformed/metrics.tsv")), 0);
    refused(run, NULL, DT_NOT_FOUND, "metrics.tsv: there is no such file");
    assert_int_equal(mkfifo(scratch_path(&s, "malformed/metrics.tsv"), 0666), 0);
    refused(run, NULL, DT_INVALID, "not a regular file");
    refused(scratch_path(&s, "nowhere"), NULL, DT_NOT_FOUND, "no such run folder");
    refused(scratch_path(&s, "malformed/metrics.tsv"), NULL, DT_INVALID, "not a folder");
}

/* A row that a stopped writer left half is passed over; columns may be more and elsewhere; lines may end in CR LF. */
static void test_unusual_metrics_are_read(void **state)
{
    (void)state;
    const char *run = folder("unusual");
    double got[16 * 8];
    static const struct {
        const char *text;
        size_t rows;
    } cases[] = {
        {HEADER ROW "\n2\t20\t1.5\t0.2", 1},
        {HEADER ROW, 1},
        {"new\ttest_accuracy\ttest_loss\tvalidation_accuracy\tvalidation_loss\ttrain_accuracy\ttrain_"
         "loss\tseconds\tepoch\r\n"
         "text\t0.4375\t1.5\tNaN\tnan\t0.5\t1.25\t0.5\t1\r\n",
         1},
        {HEADER ROW "\n2\t20\t0.5\tinf\t0.1\tnan\tnan\t-inf\t0.1\t0.1\t1\n", 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_text(run, "metrics.tsv", cases[i].text);
        draw_files(&run, 1, NULL, "svg");
        char *numbers = read_text(run, "plots/curves.tsv");
        assert_int_equal(read_block(numbers, 0, 8, got), cases[i].rows);
        static const double wanted[8] = {1, 0.5, 1.25, 0.5, NAN, NAN, 1.5, 0.4375};
        for (size_t c = 0; c < 8; c++)
            assert_near(got[c], wanted[c]);
        free(numbers);
    }
}

static void test_curves_in_letters(void **state)
{
    (void)state;
    const char *run = folder("letters");
    write_text(run, "metrics.tsv", small_metrics);
    assert_string_equal(draw_text(run, "curves", DT_LETTERS_ASCII),
                        "letters: test accuracy 0.4688 after 3 epochs\n"
                        "\n"
                        "          loss\n"
                        "     1.5 +x.....\n"
                        "         |     .......\n"
                        "         |o          .......                            ..x\n"
                        "         | .....            ......   ....................\n"
                        "         |     .....              x..\n"
                        "       1 +          .....\n"
                        "         |               .....\n"
                        "         |                   .....\n"
                        "         |                        o........\n"
                        "         |                                .........\n"
                        "     0.5 +                                         .......o\n"
                        "         +-------------------------------------------------\n"
                        "          1                     epoch            3 (1.75 s)\n"
                        "\n"
                        "          accuracy\n"
                        "    0.75 +                                            ....o\n"
                        "         |                                      ......\n"
                        "         |                                ......\n"
                        "         |                           ......\n"
                        "         |                     ...o..\n"
                        "  0.5938 +               ......\n"
                        "         |         .......\n"
                        "         |    ......\n"
                        "         |o...                ....x.......\n"
                        "         |          ...........           ................x\n"
                        "  0.4375 +x.........\n"
                        "         +-------------------------------------------------\n"
                        "          1                     epoch            3 (1.75 s)\n"
                        "\n"
                        "                 loss:                   accuracy:                     time:\n"
                        "                  last       min (epoch)      last       max (epoch)        s\n"
                        "o train         0.5000    0.5000 (3)       0.7500    0.7500 (3)         1.8\n"
                        "x test           1.250     1.125 (2)       0.4688    0.5000 (2)         1.8\n");
    const char *drawing = draw_text(run, "curves", DT_LETTERS_UNICODE);
    assert_non_null(strstr(drawing, "\n         │o          ⠈⠉⠑⠒⠤⢄⣀                            ⢀⣀x\n"));
    assert_non_null(strstr(drawing, "\n       1 ┤          ⠉⠑⠢⢄⣀\n"));
    assert_non_null(strstr(drawing, "\n         └─────────────────────────────────────────────────\n"));
    assert_false(exists(run, "plots"));
}

/* The largest numbers there are lie inside the chart, and those that are none nowhere. */
static void test_extreme_values_in_letters(void **state)
{
    (void)state;
    const char *run = folder("extreme");
    write_text(run, "metrics.tsv",
               HEADER "1\t1\t0\t1.7e308\t1e-320\tnan\tnan\t-1.7e308\tinf\t0.1\t1\n"
                      "2\t2\t0\t-1.7e308\t1\tnan\tnan\t0\t-inf\t0.1\t1\n"
                      "999999999999999\t3\t999999999999999\tnan\t1\tnan\tnan\t1\tnan\t0.1\t1\n");
    const char *drawing = draw_text(run, "curves", DT_LETTERS_ASCII);
    assert_non_null(strstr(drawing, "1.7e+308 +o"));
    assert_non_null(strstr(drawing, "-1.7e+308 +"));
    draw_files(&run, 1, "curves", "svg");
}

/* --- layers --- */

enum { STEPS = 5, SAMPLES = 3, UNITS = 4, INPUTS = 6 };

/* Some numbers, zeros among them, and sample 2 missing in the last step. */
static float number(int layer, int step, int row, int column)
{
    return (layer + step + row + column) % 3 ? (float)(1 + row + 2 * column - step) / (float)(1 << layer) : 0;
}

static void put_layer(hid_t file, int layer)
{
    float samples[STEPS][SAMPLES][UNITS], dW[STEPS][UNITS][INPUTS];
    char name[64];
    for (int i = 0; i < STEPS; i++) {
        for (int r = 0; r < SAMPLES; r++)
            for (int c = 0; c < UNITS; c++)
                samples[i][r][c] = i == STEPS - 1 && r == 2 ? NAN : number(layer, i, r, c);
        for (int r = 0; r < UNITS; r++)
            for (int c = 0; c < INPUTS; c++)
                dW[i][r][c] = number(layer, i, r, c);
    }
    snprintf(name, sizeof name, "probe/layer%02d/delta", layer);
    put(file, name, H5T_NATIVE_FLOAT, 3, (hsize_t[]){STEPS, SAMPLES, UNITS}, samples);
    snprintf(name, sizeof name, "probe/layer%02d/a", layer);
    put(file, name, H5T_NATIVE_FLOAT, 3, (hsize_t[]){STEPS, SAMPLES, UNITS}, samples);
    snprintf(name, sizeof name, "probe/layer%02d/dW", layer);
    put(file, name, H5T_NATIVE_FLOAT, 3, (hsize_t[]){STEPS, UNITS, INPUTS}, dW);
}

/* What the sheet must say of a step of a layer. */
static void wanted_row(int layer, int step, double row[DT_LAYER_COLUMNS])
{
    int samples = step == STEPS - 1 ? SAMPLES - 1 : SAMPLES, zeros = 0;
    double norms = 0, squares = 0;
    for (int r = 0; r < samples; r++) {
        double square = 0;
        for (int c = 0; c < UNITS; c++) {
            double v = number(layer, step, r, c);
            square += v * v;
            zeros += v == 0;
        }
        norms += sqrt(square);
    }
    for (int r = 0; r < UNITS; r++)
        for (int c = 0; c < INPUTS; c++)
            squares += pow(number(layer, step, r, c), 2);
    row[DT_COLUMN_LAYER] = layer;
    row[DT_COLUMN_STEP] = step * 3;
    row[DT_COLUMN_EPOCH] = step * 3 / 7;
    row[DT_COLUMN_DELTA_NORM] = norms / samples;
    row[DT_COLUMN_DW_NORM] = sqrt(squares);
    row[DT_COLUMN_ZERO_SHARE] = (double)zeros / (samples * UNITS);
}

static const char *make_capture(const char *name)
{
    const char *run = folder(name);
    hid_t file = new_capture(run);
    put_steps(file, "probe", STEPS, 3);
    put_layer(file, 1);
    put_layer(file, 2);
    H5Fclose(file);
    return run;
}

static void test_layers_hold_the_captured_norms(void **state)
{
    (void)state;
    const char *run = make_capture("layers");
    draw_files(&run, 1, NULL, "svg"); /* no metrics: curves don't apply */
    char *numbers = read_text(run, "plots/layers.tsv"), *script = read_text(run, "plots/layers.gp");
    for (int layer = 1; layer <= 2; layer++) {
        double got[16][DT_LAYER_COLUMNS], wanted[DT_LAYER_COLUMNS];
        assert_int_equal(read_block(numbers, layer - 1, DT_LAYER_COLUMNS, got[0]), STEPS);
        for (int i = 0; i < STEPS; i++) {
            wanted_row(layer, i, wanted);
            for (int c = 0; c < DT_LAYER_COLUMNS; c++)
                assert_near(got[i][c], wanted[c]);
        }
    }
    assert_non_null(strstr(numbers, "\n# layer\tstep\tepoch\tdelta_norm\tdW_norm\tzero_share\n"));
    assert_non_null(strstr(numbers, "\n# rule probe, layer 2: 5 of 5 captured steps\n"));
    assert_non_null(strstr(script, "\nheading = 'layers, captured by rule probe'\n"));
    assert_non_null(strstr(script, "\npanels = 3\n"));
    if (has_gnuplot())
        assert_string_equal(now.pictures, "layers/plots/layers.svg;");
    assert_false(exists(run, "plots/curves.gp"));
    free(script);
    free(numbers);
}

/* Each quantity from the rule with the most steps; layer 0 is no layer; a large capture is thinned evenly. */
static void test_rules_are_chosen_and_thinned(void **state)
{
    (void)state;
    enum { MANY = 5000, KEPT = 1667 };
    static double got[DT_SERIES_STEPS_MAX][DT_LAYER_COLUMNS], delta[MANY];
    const char *run = folder("rules");
    hid_t file = new_capture(run);
    for (int i = 0; i < MANY; i++)
        delta[i] = i + 1;
    put_steps(file, "b-many", MANY, 2);
    put(file, "b-many/layer03/delta", H5T_NATIVE_DOUBLE, 3, (hsize_t[]){MANY, 1, 1}, delta);
    put_steps(file, "a-few", 10, 1);
    put(file, "a-few/layer03/delta", H5T_NATIVE_DOUBLE, 3, (hsize_t[]){10, 1, 1}, delta);
    put(file, "a-few/layer00/a", H5T_NATIVE_DOUBLE, 3, (hsize_t[]){10, 1, 1}, delta);
    put(file, "a-few/layer05/dW", H5T_NATIVE_DOUBLE, 3, (hsize_t[]){10, 1, 1}, delta);
    put_steps(file, "c-few", 10, 5);
    put(file, "c-few/layer05/dW", H5T_NATIVE_DOUBLE, 3, (hsize_t[]){10, 1, 1}, delta);
    H5Fclose(file);
    draw_files(&run, 1, "layers", "svg");
    char *numbers = read_text(run, "plots/layers.tsv"), *script = read_text(run, "plots/layers.gp");
    assert_int_equal(read_block(numbers, 0, DT_LAYER_COLUMNS, got[0]), 10); /* a-few: the first by name of two */
    assert_near(got[9][DT_COLUMN_STEP], 9);
    assert_near(got[9][DT_COLUMN_DW_NORM], 10);
    assert_near(got[9][DT_COLUMN_DELTA_NORM], NAN);
    assert_int_equal(read_block(numbers, 1, DT_LAYER_COLUMNS, got[0]), KEPT);
    for (int i = 0; i < KEPT; i++) {
        assert_near(got[i][DT_COLUMN_LAYER], 3);
        assert_near(got[i][DT_COLUMN_STEP], 6 * i);
        assert_near(got[i][DT_COLUMN_DELTA_NORM], 3 * i + 1);
    }
    assert_int_equal(read_block(numbers, 2, DT_LAYER_COLUMNS, got[0]), 0);
    assert_non_null(strstr(script, "\nheading = 'rules, captured by rules b-many, a-few'\n"));
    assert_non_null(strstr(script, "\narray layer[2] = [3, 5]\n"));
    free(script);
    free(numbers);
}

static void test_layers_in_letters(void **state)
{
    (void)state;
    const char *run = make_capture("bars");
    assert_string_equal(draw_text(run, NULL, DT_LETTERS_ASCII),
                        "bars, captured by rule probe, steps 0 to 12\n"
                        "\n"
                        "mean |delta|             first      last       min       max\n"
                        "layer 1   ##**++==::      4.41      1.59      1.59      4.41\n"
                        "layer 2   ==--::::..      2.22     0.736     0.736      2.22\n"
                        "\n"
                        "|dW|                     first      last       min       max\n"
                        "layer 1   ####**++==      16.2        10        10      16.2\n"
                        "layer 2   ==----::::      8.31       5.2       5.2      8.31\n"
                        "\n"
                        "share of a = 0           first      last       min       max\n"
                        "layer 1   ++******##     0.333       0.5     0.333       0.5\n"
                        "layer 2   ++++****##     0.333       0.5     0.333       0.5\n");
    const char *drawing = draw_text(run, NULL, DT_LETTERS_UNICODE);
    assert_non_null(strstr(drawing, "\nmean |δ|                 first      last       min       max\n"));
    assert_non_null(strstr(drawing, "\nlayer 1   ██▇▇▆▆▅▅▃▃      4.41      1.59      1.59      4.41\n"));
}

static void damage(const char *run, void (*make)(hid_t), const char *words)
{
    hid_t file = new_capture(run);
    put_steps(file, "probe", STEPS, 1);
    make(file);
    H5Fclose(file);
    refused(run, "layers", DT_MALFORMED, words);
}

static void make_external(hid_t file)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, (hsize_t[]){STEPS, 2, 2}, NULL);
    H5Gclose(H5Gcreate2(file, "probe/layer01", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Pset_external(creation, "/etc/passwd", 0, STEPS * 4 * 4);
    H5Dclose(H5Dcreate2(file, "probe/layer01/delta", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(creation);
}

static void make_virtual(hid_t file)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, (hsize_t[]){STEPS, 2, 2}, NULL);
    H5Gclose(H5Gcreate2(file, "probe/layer01", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Pset_virtual(creation, space, "other.h5", "/x", space);
    H5Dclose(H5Dcreate2(file, "probe/layer01/delta", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(creation);
}

/* A hostile index: where its numbers are said to lie. */
static const char *source_file, *source_set;

static void make_mapped(hid_t file)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, (hsize_t[]){STEPS, 2, 2}, NULL);
    H5Gclose(H5Gcreate2(file, "probe/layer01", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    assert_true(H5Pset_virtual(creation, space, source_file, source_set, space) >= 0);
    H5Dclose(H5Dcreate2(file, "probe/layer01/delta", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(creation);
}

/* Segments that are as hostile as the index. */
static void make_segment(const char *run, const char *name, void (*make)(hid_t))
{
    char path[1024];
    snprintf(path, sizeof path, "%s/capture/%s", run, name);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "probe", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    make(file);
    H5Fclose(file);
}

static void make_soft_link(hid_t file)
{
    put(file, "x", H5T_NATIVE_FLOAT, 3, (hsize_t[]){STEPS, 2, 2}, NULL);
    H5Gclose(H5Gcreate2(file, "probe/layer01", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_soft("/x", file, "probe/layer01/delta", H5P_DEFAULT, H5P_DEFAULT);
}

static void make_external_link(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "probe/layer01", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_external("other.h5", "/x", file, "probe/layer01/delta", H5P_DEFAULT, H5P_DEFAULT);
}

static void make_flat(hid_t file)
{
    put(file, "probe/layer01/delta", H5T_NATIVE_FLOAT, 2, (hsize_t[]){STEPS, 2}, NULL);
}

static void make_integers(hid_t file)
{
    put(file, "probe/layer01/delta", H5T_NATIVE_INT, 3, (hsize_t[]){STEPS, 2, 2}, NULL);
}

static void make_huge(hid_t file)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(3, (hsize_t[]){STEPS, 1 << 24, 1 << 24}, NULL);
    H5Gclose(H5Gcreate2(file, "probe/layer01", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Pset_chunk(creation, 3, (hsize_t[]){1, 1, 1});
    H5Dclose(H5Dcreate2(file, "probe/layer01/delta", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(creation);
}

static void make_no_steps(hid_t file)
{
    put(file, "probe/layer01/delta", H5T_NATIVE_FLOAT, 3, (hsize_t[]){STEPS, 2, 2}, NULL);
    H5Ldelete(file, "probe/epoch", H5P_DEFAULT);
}

static void test_an_index_leads_nowhere_else(void **state)
{
    (void)state;
    static const char set[] = "/probe/layer01/delta", elsewhere[] = "has parts that lie elsewhere",
                      stored[] = "in a segment that is stored in a way that is not allowed";
    static const char *const names[] = {
        "/etc/passwd",           "capture/../other.h5", ".", "../x/capture/seg-000000.h5", "capture/seg-0000000.h5",
        "capture//seg-000000.h5"};
    static const struct {
        const char *file, *set, *words;
    } cases[] = {{"capture/seg-000000.h5", set, "segment that is missing"},
                 {"capture/seg-000001.h5", set, "no regular file"},
                 {"capture/seg-000002.h5", set, stored},
                 {"capture/seg-000003.h5", set, stored},
                 {"capture/seg-000004.h5", set, "no sound HDF5 file, or lacks it"},
                 {"capture/seg-000005.h5", set, "no sound HDF5 file, or lacks it"},
                 {"capture/seg-000005.h5", "/probe/layer01/W", "are other data sets"}};
    char path[1024];
    const char *run = folder("mapped");
    source_file = "capture/seg-000000.h5";
    source_set = set;
    damage(run, make_mapped, elsewhere); /* there is no folder */
    snprintf(path, sizeof path, "%s/capture", run);
    assert_int_equal(mkdir(path, 0777), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        source_file = names[i];
        damage(run, make_mapped, elsewhere);
    }
    snprintf(path, sizeof path, "%s/capture/seg-000001.h5", run);
    assert_int_equal(symlink("../capture.h5", path), 0);
    make_segment(run, "seg-000002.h5", make_external);
    make_segment(run, "seg-000003.h5", make_virtual);
    make_segment(run, "seg-000004.h5", make_external_link);
    write_text(run, "capture/seg-000005.h5", "no HDF5");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        source_file = cases[i].file;
        source_set = cases[i].set;
        damage(run, make_mapped, cases[i].words);
    }
}

static void test_damaged_captures_are_refused(void **state)
{
    (void)state;
    const char *run = folder("damaged");
    refused(run, "layers", DT_NOT_FOUND, "capture.h5");
    write_text(run, "capture.h5", "");
    refused(run, "layers", DT_MALFORMED, "is not an HDF5 file");
    write_text(run, "capture.h5", "\211HDF\r\n\032\n and then nothing");
    refused(run, "layers", DT_MALFORMED, "is not an HDF5 file");
    damage(run, make_external, "/probe/layer01/delta is stored in another file");
    damage(run, make_virtual, "/probe/layer01/delta has parts that lie elsewhere");
    damage(run, make_soft_link, "/probe/layer01/delta is missing, a link");
    damage(run, make_external_link, "/probe/layer01/delta is missing, a link");
    damage(run, make_flat, "wrong number of dimensions");
    damage(run, make_integers, "does not hold numbers of the kind");
    damage(run, make_huge, "has a size that no capture has");
    damage(run, make_no_steps, "/probe/epoch is missing");
}

static void test_captures_without_figures_are_passed_over(void **state)
{
    (void)state;
    const char *run = folder("figureless");
    hid_t file = new_capture(run);
    put_steps(file, "probe", STEPS, 1);
    put(file, "probe/layer01/z", H5T_NATIVE_FLOAT, 3, (hsize_t[]){STEPS, 2, 2}, NULL);
    H5Fclose(file);
    refused(run, "layers", DT_NOT_FOUND, "has no delta, dW or a of any layer");
    refused(run, NULL, DT_NOT_FOUND, "metrics.tsv");
    write_text(run, "metrics.tsv", small_metrics);
    assert_non_null(strstr(draw_text(run, NULL, DT_LETTERS_ASCII), "accuracy"));
    file = new_capture(run);
    put_steps(file, "probe", 0, 1);
    put(file, "probe/layer01/a", H5T_NATIVE_FLOAT, 3, (hsize_t[]){0, 2, 2}, NULL);
    H5Fclose(file);
    refused(run, "layers", DT_NOT_FOUND, "no step is captured yet");
}

/* Bytes of a good file overwritten here and there: refused or read, and this process goes on. */
static void test_overwritten_captures_do_no_harm(void **state)
{
    (void)state;
    enum { ROUNDS = 40 };
    const char *run = make_capture("overwritten");
    char path[1024];
    snprintf(path, sizeof path, "%s/capture.h5", run);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    static char good[1 << 16], bad[1 << 16];
    size_t size = fread(good, 1, sizeof good, in);
    fclose(in);
    unsigned random = 12345;
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(bad, good, size);
        for (int k = 0; k < 20; k++) {
            random = random * 1664525 + 1013904223;
            bad[random % 4096 % size] = (char)(random >> 24);
        }
        write_bytes(run, "capture.h5", bad, size);
        dt_error error;
        dt_status status = draw_with(&run, 1, &(dt_plot_options){.kind = "layers", .term = "text"}, &error);
        assert_true(status == DT_OK || ((status == DT_MALFORMED || status == DT_NOT_FOUND) && error.message[0]));
    }
}

/* --- the system says no --- */

static void test_folders_in_the_way_are_named(void **state)
{
    (void)state;
    dt_error error;
    const char *run = folder("blocked");
    write_text(run, "metrics.tsv", small_metrics);
    write_text(run, "plots", "a file");
    assert_int_equal(draw_with(&run, 1, &(dt_plot_options){0}, &error), DT_EXISTS);
    assert_non_null(strstr(error.message, "blocked/plots: is no folder"));
    assert_int_equal(remove(scratch_path(&s, "blocked/plots")), 0);
    folder("blocked/plots");
    folder("blocked/plots/curves.svg");
    assert_int_not_equal(draw_with(&run, 1, &(dt_plot_options){0}, &error), DT_OK);
    assert_non_null(strstr(error.message, "blocked/plots/curves.svg"));
}

static void test_without_gnuplot_scripts_are_written(void **state)
{
    (void)state;
    dt_error error;
    const char *run = folder("plain"), *path = getenv("PATH");
    char *before = strdup(path ? path : "/usr/bin:/bin");
    write_text(run, "metrics.tsv", small_metrics);
    setenv("PATH", s.folder, 1);
    dt_status status = draw_with(&run, 1, &(dt_plot_options){0}, &error);
    setenv("PATH", before, 1);
    free(before);
    assert_int_equal(status, DT_UNSUPPORTED);
    assert_non_null(strstr(error.message, "gnuplot-nox"));
    assert_true(exists(run, "plots/curves.gp") && exists(run, "plots/curves.tsv"));
    assert_false(exists(run, "plots/curves.svg"));
}

/* A gnuplot of our own that does this. */
static void with_gnuplot(const char *script, const char *words, dt_status wanted)
{
    static int number_of_runs;
    char name[64];
    snprintf(name, sizeof name, "other%d", number_of_runs++);
    dt_error error;
    const char *run = folder(name), *path = getenv("PATH");
    char *before = strdup(path ? path : "/usr/bin:/bin"), ours[2048];
    write_text(run, "metrics.tsv", small_metrics);
    write_text(run, "gnuplot", script);
    char program[1024];
    snprintf(program, sizeof program, "%s/gnuplot", run);
    chmod(program, 0755);
    snprintf(ours, sizeof ours, "%s:%s", run, before);
    setenv("PATH", ours, 1);
    dt_status status = draw_with(&run, 1, &(dt_plot_options){0}, &error);
    setenv("PATH", before, 1);
    free(before);
    if (status != wanted || !strstr(error.message, words) || strchr(error.message, '\n'))
        fail_msg("%d: %s", (int)status, error.message);
    assert_string_equal(now.pictures, "");
}

static void test_complaints_of_gnuplot_are_passed_on(void **state)
{
    (void)state;
    with_gnuplot(
        "#!/bin/sh\nprintf '\\nplot x\\n   ^\\n\"curves.gp\" line 7: undefined variable: x\\n\\n' >&2\nexit 1\n",
        "gnuplot failed: \"curves.gp\" line 7: undefined variable: x", DT_SYSTEM);
    with_gnuplot("#!/bin/sh\nexit 0\n", "curves.svg: gnuplot did not write the whole picture", DT_IO);
    with_gnuplot("#!/bin/sh\necho '<svg>' > curves.svg\n", "curves.svg: gnuplot did not write the whole picture",
                 DT_IO);
    with_gnuplot("#!/bin/sh\nkill -9 $$\n", "gnuplot was ended by signal 9", DT_SYSTEM);
    with_gnuplot("#!/bin/sh\nyes complaint | head -n 100000 >&2\nexit 3\n", "gnuplot failed: complaint", DT_SYSTEM);
    int ends[2], before = dup(0); /* what is typed is not gnuplot's */
    assert_true(before >= 0 && pipe(ends) == 0 && write(ends[1], "typed\n", 6) == 6 && dup2(ends[0], 0) == 0);
    with_gnuplot("#!/bin/sh\nread line && echo \"read $line\" >&2 || echo nothing to read >&2\nexit 1\n",
                 "nothing to read", DT_SYSTEM);
    assert_int_equal(dup2(before, 0), 0);
    close(before);
    close(ends[0]);
    close(ends[1]);
}

/* Every n-th allocation fails once: an error each time, nothing lost, until all succeed. */
static void fail_every_allocation(const char *run, const char *term, dt_status last)
{
    counting_memory memory;
    dt_status status = DT_NO_MEMORY;
    long n = 0;
    while (status != last) {
        dt_error error;
        assert_true(++n < 5000);
        count_memory(&memory, n);
        status = draw_with(&run, 1, &(dt_plot_options){.term = term}, &error);
        count_no_more();
        assert_int_equal(memory.blocks, 0);
        if (memory.calls < memory.fail_at)
            break;
        if (status != DT_NO_MEMORY || !error.message[0])
            fail_msg("allocation %ld: %d: %s", n, (int)status, error.message);
    }
    assert_int_equal(status, last);
    assert_true(n > 10);
}

static void test_failing_memory_is_survived(void **state)
{
    (void)state;
    const char *run = make_capture("memory"), *path = getenv("PATH");
    char *before = strdup(path ? path : "/usr/bin:/bin");
    write_text(run, "metrics.tsv", small_metrics);
    write_text(run, "experiment.yaml", "name: memory\nloss: cross_entropy\n");
    fail_every_allocation(run, "text", DT_OK);
    setenv("PATH", s.folder, 1); /* gnuplot itself is not what is tested here */
    fail_every_allocation(run, "svg", DT_UNSUPPORTED);
    setenv("PATH", before, 1);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_can_be_walked),
        cmocka_unit_test(test_unknown_names_are_refused),
        cmocka_unit_test(test_curves_hold_the_numbers_of_the_metrics),
        cmocka_unit_test(test_scripts_draw_again_anywhere),
        cmocka_unit_test(test_several_runs_share_a_picture),
        cmocka_unit_test(test_runs_are_told_apart),
        cmocka_unit_test(test_hostile_names_stay_strings),
        cmocka_unit_test(test_malformed_metrics_are_refused),
        cmocka_unit_test(test_unusual_metrics_are_read),
        cmocka_unit_test(test_curves_in_letters),
        cmocka_unit_test(test_extreme_values_in_letters),
        cmocka_unit_test(test_layers_hold_the_captured_norms),
        cmocka_unit_test(test_rules_are_chosen_and_thinned),
        cmocka_unit_test(test_layers_in_letters),
        cmocka_unit_test(test_damaged_captures_are_refused),
        cmocka_unit_test(test_an_index_leads_nowhere_else),
        cmocka_unit_test(test_captures_without_figures_are_passed_over),
        cmocka_unit_test(test_overwritten_captures_do_no_harm),
        cmocka_unit_test(test_folders_in_the_way_are_named),
        cmocka_unit_test(test_without_gnuplot_scripts_are_written),
        cmocka_unit_test(test_complaints_of_gnuplot_are_passed_on),
        cmocka_unit_test(test_failing_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
