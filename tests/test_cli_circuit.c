/* deltoid circuit: its numbers are those of the capture and of the engine; what it can't draw it refuses in one line.
 */
#include <hdf5.h>
#include <math.h>

#include "capture_reading.h"
#include "program.h"

enum { ROWS = 40, FEATURES = 5, HIDDEN = 6, CLASSES = 3 };

static int count_entries(void)
{
    FILE *list = popen("find . | wc -l", "r");
    int count = 0;
    assert_non_null(list);
    assert_int_equal(fscanf(list, "%d", &count), 1);
    pclose(list);
    return count;
}

static const char experiment[] = "name: small\n"
                                 "precision: float32\n"
                                 "data:\n"
                                 "  format: idx\n"
                                 "  train: {inputs: x, labels: y}\n"
                                 "  scale: 0.01\n"
                                 "network:\n"
                                 "  - {units: 6, activation: sigmoid}\n"
                                 "  - {units: 4, activation: relu}\n"
                                 "  - {units: 3}\n"
                                 "loss: cross_entropy\n"
                                 "optimizer: {learning_rate: 0.2, momentum: 0.5}\n"
                                 "training: {epochs: 2, batch_size: 16}\n"
                                 "capture:\n"
                                 "  probe: {quantities: [W, b, z, a, delta], every: 2, samples: [3, 17]}\n";

static int set_up(void **state)
{
    (void)state;
    if (home_make() != 0)
        return -1;
    write_idx(ROWS, FEATURES, CLASSES);
    write_text("e.yaml", experiment);
    return 0;
}

/* --- numbers --- */

/* The value or gradient of a row of the table that was printed last; k -1: none. */
static double number(const char *quantity, int l, int j, int k, bool gradient)
{
    char row[64];
    if (l < 0)
        snprintf(row, sizeof row, "\n%s\t-\t-\t-\t", quantity);
    else if (k < 0)
        snprintf(row, sizeof row, "\n%s\t%d\t%d\t-\t", quantity, l, j);
    else
        snprintf(row, sizeof row, "\n%s\t%d\t%d\t%d\t", quantity, l, j, k);
    char *found = strstr(last.out, row), *end;
    if (!found)
        fail_msg("no row %s in:\n%s", row + 1, last.out);
    const double value = strtod(found + strlen(row), &end);
    return gradient ? strtod(end, NULL) : value;
}

static void assert_same(double found, double wanted)
{
    if (found != wanted)
        fail_msg("%.17g, and not %.17g", found, wanted);
}

static void assert_near(double found, double wanted)
{
    if (!(fabs(found - wanted) <= 1e-5 * (1 + fabs(wanted))))
        fail_msg("%.17g, and not %.17g", found, wanted);
}

typedef struct layer {
    table W, b, z, a, delta;
} layer;

static layer read_layer(hid_t file, int l)
{
    layer t = {.a = read_table(file, "/probe/layer%02d/a", l)};
    if (l > 0) {
        t.W = read_table(file, "/probe/layer%02d/W", l);
        t.b = read_table(file, "/probe/layer%02d/b", l);
        t.z = read_table(file, "/probe/layer%02d/z", l);
        t.delta = read_table(file, "/probe/layer%02d/delta", l);
    }
    return t;
}

static void drop_layer(layer *t)
{
    drop(&t->W);
    drop(&t->b);
    drop(&t->z);
    drop(&t->a);
    drop(&t->delta);
}

/* -log softmax */
static double cross_entropy(const double *z, int y)
{
    double sum = 0;
    for (int j = 0; j < CLASSES; j++)
        sum += exp(z[j] - z[y]);
    return log(sum);
}

/* The table of unit j of layer l against captured step s, sample i of the rule. */
static void compare_unit(const layer *layers, const table *ids, int l, int j, int64_t s, int64_t i)
{
    const layer *t = &layers[l], *before = &layers[l - 1];
    const double delta = at(&t->delta, s, i, j);
    double sum = 0, back = 0;
    for (int k = 0; k < (int)before->a.size[2]; k++) {
        const double w = at(&t->W, s, j, k), a = at(&before->a, s, i, k);
        assert_same(number("w", l, j, k, false), w);
        assert_same(number("w", l, j, k, true), delta * a); /* (5) */
        assert_same(number("a_in", l, j, k, false), a);
        assert_same(number("a_in", l, j, k, true), delta * w);
        assert_same(number("product", l, j, k, false), w * a);
        sum += w * a;
    }
    assert_same(number("sum", l, j, -1, false), sum);
    assert_same(number("b", l, j, -1, false), at(&t->b, s, j, 0));
    assert_same(number("b", l, j, -1, true), delta); /* (6) */
    assert_same(number("z", l, j, -1, false), at(&t->z, s, i, j));
    assert_same(number("z", l, j, -1, true), delta);
    assert_near(number("z", l, j, -1, false), sum + at(&t->b, s, j, 0)); /* (1) */
    if (l == 3) {
        const double *z = t->z.value + (s * (int64_t)t->z.size[1] + i) * CLASSES;
        assert_near(number("C", -1, 0, -1, false), cross_entropy(z, (int)at(ids, s, i, 0) * 7 % CLASSES));
        assert_same(number("C", -1, 0, -1, true), 1);
        return;
    }
    for (int m = 0; m < (int)layers[l + 1].delta.size[2]; m++)
        back += at(&layers[l + 1].W, s, m, j) * at(&layers[l + 1].delta, s, i, m);
    assert_same(number("a", l, j, -1, false), at(&t->a, s, i, j));
    assert_same(number("a", l, j, -1, true), back);
}

static void the_numbers_are_the_captures(void **state)
{
    (void)state;
    static const char *const precisions[] = {"precision=float32", "precision=float64"};
    static const int64_t units[] = {FEATURES, HIDDEN, 4, CLASSES};
    for (int p = 0; p < 2; p++) {
        RUN("train", "e.yaml", precisions[p], "--quiet", "--out", "run");
        expect_success();
        layer layers[4];
        hid_t file = H5Fopen("run/capture.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
        for (int l = 0; l < 4; l++)
            layers[l] = read_layer(file, l);
        table ids = read_table(file, "/probe/sample_id"), steps = read_table(file, "/probe/step");
        for (int64_t s = 0; s < (int64_t)steps.size[0]; s += 2)
            for (int l = 1; l <= 3; l++)
                for (int j = (int)s % 2; j < units[l]; j += 2) {
                    char step[24], unit[24];
                    snprintf(step, sizeof step, "--step=%.0f", at(&steps, s, 0, 0));
                    snprintf(unit, sizeof unit, "--unit=%d:%d", l, j);
                    RUN("circuit", "run", unit, step, "--sample", j % 4 ? "17" : "3", "--format", "tsv");
                    expect_success();
                    compare_unit(layers, &ids, l, j, s, j % 4 ? 1 : 0);
                }
        /* Without a step the last one, without a sample the first. */
        RUN("circuit", "run", "--unit", "2:1", "--format=tsv");
        expect_success();
        compare_unit(layers, &ids, 2, 1, (int64_t)steps.size[0] - 1, 0);
        drop(&ids);
        drop(&steps);
        for (int l = 0; l < 4; l++)
            drop_layer(&layers[l]);
        H5Fclose(file);
        assert_int_equal(system("rm -r run"), 0);
    }
}

/* Everything but C, whose logarithm is another's in a capture. */
static void cut_cost(void)
{
    char *cost = strstr(last.out, "\nC\t");
    assert_non_null(cost);
    cost[1] = '\0';
}

static void experiment_capture_and_model_agree(void **state)
{
    (void)state;
    RUN("train", "e.yaml", "--quiet", "--out", "run");
    expect_success();
    RUN("train", "e.yaml", "training.epochs=3", "--quiet", "--out", "longer");
    expect_success();
    static const char *const steps[] = {"0", "4"};
    for (int i = 0; i < 2; i++)
        for (int unit = 0; unit < 2; unit++) {
            const char *const what = unit ? "--unit=3:1" : NULL; /* else all units */
            RUN("circuit", "run", "--step", steps[i], "--sample=17", "--format=tsv", what);
            expect_success();
            const double cost = number("C", -1, 0, -1, false);
            cut_cost();
            char *captured = strdup(last.out);
            RUN("circuit", "e.yaml", "--step", steps[i], "--sample=17", "--format=tsv", what);
            expect_success();
            assert_near(number("C", -1, 0, -1, false), cost);
            cut_cost();
            assert_string_equal(last.out, captured);
            free(captured);
        }
    /* The first step is what an experiment shows without --step; threads change nothing. */
    RUN("circuit", "e.yaml", "--step=0", "--sample=5", "--format=tsv");
    expect_success();
    char *first = strdup(last.out);
    RUN("circuit", "e.yaml", "--sample=5", "--format=tsv", "parallel.threads=3");
    expect_success();
    assert_string_equal(last.out, first);
    free(first);
    /* The model after 2 epochs of 3 steps is what step 6 of a longer run starts from. */
    RUN("circuit", "longer", "--step=6", "--sample=3", "--format=tsv");
    expect_success();
    cut_cost();
    char *captured = strdup(last.out);
    RUN("circuit", "run", "--final", "--sample=3", "--format=tsv");
    expect_success();
    cut_cost();
    assert_string_equal(last.out, captured);
    free(captured);
    assert_int_equal(system("rm -r run longer"), 0);
}

/* W and b by one rule, the samples by another: a step that both captured. */
static void rules_are_put_together(void **state)
{
    (void)state;
    RUN("train", "e.yaml", "--quiet", "--out", "run",
        "capture={weights: {quantities: [W, b], every: 3}, samples: {quantities: [z, a, delta], every: 2, samples: "
        "[9]}}");
    expect_success();
    RUN("circuit", "run", "--unit=1:0", "--format=tsv");
    expect_success();
    char *apart = strdup(last.out);
    RUN("circuit", "e.yaml", "--unit=1:0", "--format=tsv", "--step=0", "--sample=9");
    assert_string_equal(last.out, apart);
    free(apart);
    RUN("circuit", "run", "--unit=1:0", "--step=2");
    assert_int_equal(last.status, 2);
    assert_non_null(strstr(last.err, "run/capture.h5: no rule at this step has W, b, z, a and delta of what is drawn"));
    RUN("circuit", "run", "--unit=1:0", "--rule=samples");
    assert_int_equal(last.status, 2);
    assert_non_null(strstr(last.err, "run/capture.h5: lacks W of layer 1, b of layer 1, W of layer 2; capture W, b, "));
    assert_int_equal(system("rm -r run"), 0);
}

/* --- files --- */

static void assert_has(const char *file, const char *text)
{
    static char bytes[PROGRAM_OUTPUT];
    read_into(file, bytes, sizeof bytes);
    if (!strstr(bytes, text))
        fail_msg("no '%s' in %s", text, file);
}

static void pictures_are_left_with_their_numbers(void **state)
{
    (void)state;
    struct stat facts;
    RUN("train", "e.yaml", "--quiet", "--out", "run");
    expect_success();
    RUN("circuit", "run", "--unit=1:2", "--sample=17", "--step=2", "--out", "unit.svg", "--inputs=2");
    if (last.status == 2 && strstr(last.err, "gnuplot"))
        skip();
    expect_success();
    assert_string_equal(last.out, "unit.svg\n");
    assert_has("unit.svg", "small, step 2, sample 17 of class 2: unit 2 of layer 1");
    assert_has("unit.svg", "… 3 more inputs");
    assert_has("unit.svg", "sigmoid");
    assert_has("unit.gp", "gnuplot unit.gp");
    read_into("unit.tsv", last.out, sizeof last.out);
    char *beside = strdup(last.out);
    RUN("circuit", "run", "--unit=1:2", "--sample=17", "--step=2", "--format=tsv");
    assert_string_equal(last.out, beside);
    free(beside);
    RUN("circuit", "run", "--format=png");
    expect_success();
    assert_string_equal(last.out, "run/plots/circuit.png\n");
    RUN("circuit", "run", "--format=svg", "--unit=3:0", "--final");
    expect_success();
    assert_string_equal(last.out, "run/plots/circuit-3-0.svg\n");
    assert_has("run/plots/circuit-3-0.svg", "small, trained weights, sample 0 of class 0");
    assert_true(stat("run/plots/circuit.png", &facts) == 0 && facts.st_size > 500);
    RUN("circuit", "e.yaml", "--unit=3:0");
    expect_success();
    assert_non_null(strstr(last.out, "small, step 0 (first weights), sample 0 of class 0: unit 0 of layer 3\n"));
    assert_null(strchr(last.out, '\033'));
    assert_int_equal(system("rm -r run unit.*"), 0);
}

/* --- refusals --- */

typedef struct refusal {
    const char *arguments[8], *says;
} refusal;

static void expect_refusals(const refusal *cases, size_t count)
{
    const int before = count_entries();
    for (size_t i = 0; i < count; i++) {
        const char *arguments[10] = {"circuit"};
        for (size_t k = 0; k < 8 && cases[i].arguments[k]; k++)
            arguments[k + 1] = cases[i].arguments[k];
        run_program(arguments);
        if (last.status != 2 || strncmp(last.err, "deltoid: ", 9) != 0 || !strstr(last.err, cases[i].says) ||
            !strstr(last.err, "; ") || strchr(last.err, '\n') != last.err + strlen(last.err) - 1 || *last.out)
            fail_msg("exit status %d: %swanted: %s", last.status, last.err, cases[i].says);
        assert_int_equal(count_entries(), before);
    }
}

static void what_is_not_there_is_refused(void **state)
{
    (void)state;
    RUN("train", "e.yaml", "--quiet", "--out", "run");
    expect_success();
    write_text("bare.yaml", experiment);
    assert_int_equal(truncate("bare.yaml", strstr(experiment, "capture:") - experiment), 0);
    RUN("train", "bare.yaml", "--quiet", "--out", "bare");
    expect_success();
    static const refusal cases[] = {
        {{NULL}, "deltoid circuit needs a run folder or an experiment file; usage: "},
        {{"nowhere"}, "nowhere: No such file or directory; give the folder of a run, or an experiment file"},
        {{"."}, "./experiment.yaml: No such file or directory; "},
        {{"x"}, "x:1:"},
        {{"run", "--unit", "4:0"}, "--unit: there is no layer 4; give one from 1 to 3"},
        {{"run", "--unit", "1:6"}, "--unit: layer 1 has no unit 6; give one from 0 to 5"},
        {{"run", "--unit", "0:0"}, "--unit: '0:0' is no unit; give LAYER:UNIT"},
        {{"run", "--unit", "1"}, "--unit: '1' is no unit; "},
        {{"run", "--unit", "1:-1"}, "--unit: '1:-1' is no unit; "},
        {{"run", "--unit", "99999999999999999999:1"}, "is no unit; "},
        {{"run", "--sample", "40"}, "--sample: there is no row 40 in the training set; give one from 0 to 39"},
        {{"run", "--sample", "x"}, "--sample: 'x' is out of range; "},
        {{"run", "--inputs", "0"}, "--inputs: '0' is out of range; give a whole number from 1 to 64"},
        {{"run", "--sample", "5"},
         "run/capture.h5: sample 5 is not captured at any step; step 4 has 3, 17: ask for one of these, capture it "
         "(samples: [5]), or draw the trained weights with --final"},
        {{"run", "--sample", "5", "--step", "2"}, "run/capture.h5: sample 5 is not captured at this step; step 2 has "},
        {{"run", "--step", "1"}, "run/capture.h5: step 1 is not captured; the nearest one is "},
        {{"run", "--step", "1000"},
         "run/capture.h5: step 1000 is not captured; the nearest one is 4: ask for --step 4"},
        {{"run", "--rule", "prob"}, "run/capture.h5: has no rule 'prob'; ask for one of: probe"},
        {{"bare", "--unit=1:0"}, "bare/capture.h5: can't be opened: there is no such file; train with a capture"},
        {{"run", "--final", "--step", "2"}, "--final and --step are two things; "},
        {{"run", "--final", "--rule", "probe"}, "--final and --rule are two things; "},
        {{"e.yaml", "--final"}, "--final: an experiment has no trained weights or captures; "},
        {{"e.yaml", "--rule", "probe"}, "--rule: an experiment has no trained weights or captures; "},
        {{"e.yaml", "--step", "6"}, "--step: the experiment has steps 0 to 5; "},
        {{"e.yaml", "--out", "x.gif"}, "unknown format 'gif'; did you mean 'pdf'? valid: svg, png, pdf"},
        {{"e.yaml", "--out", "x"}, "x: has no ending; a picture's name ends in .svg, .png or .pdf"},
        {{"e.yaml", "--out", "none/x.svg"}, "none: no such folder; "},
        {{"e.yaml", "--out", "a b.svg"}, "a b.svg: can't name a picture; "},
        {{"e.yaml", "--out", "x.svg", "--format", "png"}, "--format png and --out x.svg are two things; "},
        {{"e.yaml", "--out", "x.svg", "--format", "tsv"}, "--format tsv is printed, --out names a picture; "},
        {{"e.yaml", "--format", "svg"},
         "--format svg: an experiment has no folder for it; name the picture with --out"},
        {{"e.yaml", "--format", "gif"}, "unknown format 'gif'; did you mean 'pdf'? valid: svg, png, pdf, text, tsv"},
        {{"e.yaml", "network.0.units=40"}, "the network has more than 48 units with its inputs, too many for one "},
        {{"run", "network.1.units=3", "--unit=2:0"}, "has 4 units, or other inputs, the experiment's network has 3; "},
        {{"run", "network.2.units=2", "--unit=1:0"}, "data.train: has label 2, but the last layer has 2 units; "},
        {{"run", "data.train.inputs=gone"}, "command line: key 'data.train.inputs=gone': "},
    };
    expect_refusals(cases, sizeof cases / sizeof *cases);
    assert_int_equal(system("rm -rf run bare bare.yaml"), 0);
}

/* Files that are no captures, cut short, or lead elsewhere. */
static void hostile_captures_are_refused(void **state)
{
    (void)state;
    RUN("train", "e.yaml", "--quiet", "--out", "run");
    expect_success();
    assert_int_equal(system("cp run/capture.h5 whole.h5 && head -c 3000 whole.h5 > run/capture.h5"), 0);
    static const refusal cut = {{"run"}, "run/capture.h5: "};
    expect_refusals(&cut, 1);
    write_text("run/capture.h5", "not HDF5");
    static const refusal text = {{"run"}, "run/capture.h5: is not an HDF5 file, or is cut short; "};
    expect_refusals(&text, 1);
    assert_int_equal(unlink("run/capture.h5"), 0);
    assert_int_equal(mkfifo("run/capture.h5", 0600), 0);
    RUN("circuit", "run");
    assert_int_equal(last.status, 2);
    assert_non_null(strstr(last.err, "run/capture.h5: is no regular file; put"));
    assert_int_equal(unlink("run/capture.h5"), 0);

    /* W as a link into another file. */
    assert_int_equal(system("cp whole.h5 run/capture.h5"), 0);
    hid_t file = H5Fopen("run/capture.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, "/probe/layer01/W", H5P_DEFAULT) >= 0);
    assert_true(
        H5Lcreate_external("whole.h5", "/probe/layer01/W", file, "/probe/layer01/W", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    static const refusal linked = {{"run", "--unit=1:0"}, "run/capture.h5: lacks W of layer 1; "};
    expect_refusals(&linked, 1);
    assert_int_equal(system("rm -r run whole.h5"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_the_captures), cmocka_unit_test(experiment_capture_and_model_agree),
        cmocka_unit_test(rules_are_put_together),       cmocka_unit_test(pictures_are_left_with_their_numbers),
        cmocka_unit_test(what_is_not_there_is_refused), cmocka_unit_test(hostile_captures_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, home_remove);
}
