/* deltoid data and predict: what they print agrees with the library and with each other; nothing is overwritten. */
#include <hdf5.h>

#include "program.h"

static void expect_same(const char *a, const char *b)
{
    static char x[PROGRAM_OUTPUT], y[PROGRAM_OUTPUT];
    memset(x, 0, sizeof x); /* also of files with NULs in them */
    memset(y, 0, sizeof y);
    read_into(a, x, sizeof x);
    read_into(b, y, sizeof y);
    assert_memory_equal(x, y, sizeof x);
}

static const char flowers[] = "length,colour,width,kind\n"
                              "1,red,0.1,rose\n2,blue,0.25,iris\n3,red,0.5,rose\n"
                              "4,blue,1.5,iris\n5,white,2.5,lily\n6,white,3,lily\n";

static const char experiment[] =
    "name: flowers\n"
    "data: {format: csv, train: {file: train.csv}, test: {file: train.csv}, standardize: true}\n"
    "network: [{units: 3}]\n"
    "loss: cross_entropy\n"
    "optimizer: {learning_rate: 0.5}\n"
    "training: {epochs: 40, batch_size: 3}\n";

static int set_up(void **state)
{
    (void)state;
    if (home_make() != 0)
        return -1;
    write_text("train.csv", flowers);
    write_text("flowers.yaml", experiment);
    return 0;
}

static void info(void **state)
{
    (void)state;
    RUN("data", "info", "train.csv");
    expect_success();
    assert_non_null(strstr(last.out, "format    csv\nrows      6\ninputs    5, float64\nclasses   3\n"));
    assert_non_null(strstr(last.out, "  iris                          2\n  lily                          2\n"));
    assert_non_null(strstr(last.out, "colour=white"));
    RUN("data", "info", "train.csv", "--json", "data.label=1", "data.targets=regression");
    expect_success();
    assert_non_null(strstr(last.out, "\"format\": \"csv\", \"rows\": 6, \"features\": 7"));
    assert_non_null(strstr(last.out, "\"targets\": \"regression\", \"outputs\": 1"));
    RUN("data", "info", "absent.csv");
    expect_failure(2, "absent.csv");
    RUN("data", "inform", "train.csv");
    expect_failure(2, "did you mean 'info'?");
    RUN("data", "info", "train.csv", "data.labels=kind");
    expect_failure(2, "unknown key");
}

/* Round trips through every format end in the same table. */
static void convert(void **state)
{
    (void)state;
    write_text("n.csv", "x0,x1,label\n0.5,7,0\n-2,0,2\n0.1,1e-05,1\n");
    RUN("data", "convert", "n.csv", "n.h5");
    expect_success();
    RUN("data", "convert", "n.h5:/inputs", "h.csv", "--labels", "n.h5:/labels");
    expect_success();
    expect_same("n.csv", "h.csv");
    RUN("data", "convert", "n.csv", "n.svm");
    expect_success();
    RUN("data", "convert", "n.svm", "s.csv");
    expect_success();
    expect_same("n.csv", "s.csv");
    RUN("data", "convert", "n.csv", "n.npy");
    expect_success();
    RUN("data", "convert", "n.npy", "n.idx", "--labels", "n-labels.npy");
    expect_success();
    RUN("data", "convert", "n.idx", "i.csv", "--labels", "n-labels.idx");
    expect_success();
    expect_same("n.csv", "i.csv");
    RUN("data", "convert", "n.csv", "i.csv");
    expect_failure(2, "i.csv: is there already and is not overwritten");
    RUN("data", "convert", "n.csv", "n.xyz");
    expect_failure(2, "n.xyz: its ending names no format");
    RUN("data", "convert", "train.csv", "t.npy");
    expect_failure(2, "class 0 is called 'iris', which arrays can't tell");
    assert_int_not_equal(access("t.npy", F_OK), 0);
    RUN("data", "convert", "train.csv", "t.svm");
    expect_failure(2, "class 'iris' is a word");
    RUN("data", "convert", "n.csv");
    expect_failure(2, "takes a file and the name of a new one");
}

static void predict(void **state)
{
    (void)state;
    static char table[PROGRAM_OUTPUT];
    RUN("train", "flowers.yaml", "--out", "run", "--quiet");
    expect_success();
    RUN("eval", "run"); /* by model.h5's transform: the experiment's training file may be gone */
    expect_success();
    assert_non_null(strstr(last.out, "accuracy  1.0000"));
    RUN("predict", "run", "train.csv");
    expect_success();
    snprintf(table, sizeof table, "%s", last.out);
    static const char head[] = "row\tclass\tprobability_iris\tprobability_lily\tprobability_rose\n0\trose\t";
    assert_memory_equal(last.out, head, sizeof head - 1);
    double sum = 0, p[3];
    assert_int_equal(sscanf(strstr(last.out, "rose\t") + 5, "%lf %lf %lf", &p[0], &p[1], &p[2]), 3);
    sum = p[0] + p[1] + p[2];
    assert_true(sum > 0.999999 && sum < 1.000001 && p[2] > 0.5);

    write_text("new.csv",
               "length,colour,width\n1,red,0.1\n2,blue,0.25\n3,red,0.5\n4,blue,1.5\n5,white,2.5\n6,white,3\n");
    RUN("predict", "run", "new.csv"); /* without labels */
    expect_success();
    assert_string_equal(last.out, table);
    RUN("predict", "run", "new.csv", "--out", "new.tsv");
    expect_success();
    assert_string_equal(last.out, "");
    read_into("new.tsv", last.out, sizeof last.out);
    assert_string_equal(last.out, table);
    RUN("predict", "run", "new.csv", "--out", "new.tsv");
    expect_failure(2, "new.tsv: is there already and is not overwritten");
    RUN("predict", "run", "new.csv", "--out", "new.h5");
    expect_success();
    int64_t classes[6];
    double outputs[18];
    const hid_t file = H5Fopen("new.h5", H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, "/class", H5P_DEFAULT),
                answers = H5Dopen2(file, "/outputs", H5P_DEFAULT);
    assert_true(H5Dread(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, classes) >= 0);
    assert_true(H5Dread(answers, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, outputs) >= 0);
    assert_memory_equal(classes, ((int64_t[]){2, 0, 2, 0, 1, 1}), sizeof classes);
    assert_true(outputs[2] - p[2] < 1e-8 && p[2] - outputs[2] < 1e-8);
    H5Dclose(answers);
    H5Dclose(set);
    H5Fclose(file);
    write_text("bad.csv", "length,colour,width\n1,green,0.1\n");
    RUN("predict", "run", "bad.csv");
    expect_failure(2, "bad.csv:2: column 2 (colour): 'green'");
    write_text("bad.csv", "1,2,3,4,5\n");
    RUN("predict", "run", "bad.csv");
    expect_failure(2, "5 columns, but the training set has 4");
    RUN("predict", "run");
    expect_failure(2, "needs a run folder and a file of samples");
}

/* Keys that a format has no use for, and what contradicts itself, with its place. */
static void keys(void **state)
{
    (void)state;
    RUN("train", "flowers.yaml", "data.features=3", "--dry-run");
    expect_failure(2, "data.features: has no effect with data.format: csv");
    RUN("train", "flowers.yaml", "data.scale=0.5", "--dry-run");
    expect_failure(2, "data.scale: has no effect with data.standardize");
    RUN("train", "flowers.yaml", "data.standardize=false", "data.scale=1e-99", "--dry-run");
    expect_failure(2, "data.scale: 1");
    RUN("train", "flowers.yaml", "data.header=maybe", "--dry-run");
    expect_failure(2, "one of auto true false");
    RUN("train", "flowers.yaml", "data.label=sort", "--dry-run");
    expect_failure(2, "no column 'sort'");
    RUN("train", "flowers.yaml", "data={format: synthetic, generator: moons, rows: 50, test_rows: 10}", "--dry-run");
    expect_success();
    RUN("train", "flowers.yaml", "--print-config");
    expect_success();
    write_text("again.yaml", last.out);
    RUN("train", "again.yaml", "--print-config");
    expect_success();
    expect_same("again.yaml", "stdout.txt");
}

/* A run's weights last.out, and in again as the beginning of another: after steps of no length they are the same. */
static void export_and_begin(void **state)
{
    (void)state;
    RUN("train", "flowers.yaml", "--out", "first", "--quiet");
    expect_success();
    RUN("export", "first", "--out", "first.npz");
    expect_success();
    RUN("export", "first", "--out", "first.onnx", "--probabilities");
    expect_success();
    RUN("train", "flowers.yaml", "initial_weights=first.npz", "optimizer.learning_rate=1e-300", "training.epochs=1",
        "--out", "second", "--quiet");
    expect_success();
    RUN("export", "second", "--out", "second.npz");
    expect_success();
    expect_same("first.npz", "second.npz");
    RUN("verify", "second", "--quiet");
    expect_success();
    RUN("train", "flowers.yaml", "initial_weights=absent.npz", "--out", "third");
    expect_failure(2, "key 'initial_weights=absent.npz'");
    assert_int_not_equal(access("third", F_OK), 0);
    RUN("export", "first", "--out", "first.npz");
    expect_failure(2, "not overwritten");
    RUN("export", "first", "--out", "first.pt");
    expect_failure(2, ".onnx or .npz");
    RUN("export", "first");
    expect_failure(2, "--out is missing");
    RUN("export", "first", "--out", "p.npz", "--probabilities");
    expect_failure(2, "weights alone");
}

/* The same layer by layer: one from the archive, one from the run's model.h5; what was read is in the provenance. */
static void layers_begin_with_files(void **state)
{
    (void)state;
    RUN("train", "flowers.yaml", "--out", "first", "--quiet");
    RUN("export", "first", "--out", "first.npz");
    expect_success();
    static const char *const begins[] = {
        "network.0.init={name: file, file: first.npz}",
        "network.0.init={name: file, file: first/model.h5}",
        "network.0.init={name: file, file: first/model.h5, W: layer01/W, b: layer01/b}",
    };
    for (int i = 0; i < 3; i++) {
        RUN("train", "flowers.yaml", begins[i], "optimizer.learning_rate=1e-300", "training.epochs=1", "--out",
            "second", "--quiet");
        expect_success();
        RUN("export", "second", "--out", "second.npz");
        expect_same("first.npz", "second.npz");
        assert_int_equal(system(i < 2 ? "rm -rf second second.npz" : "true"), 0);
    }
    RUN("verify", "second", "--quiet");
    expect_success();
    read_into("second/provenance.json", last.out, sizeof last.out);
    assert_non_null(strstr(last.out, "\"initial_weights\": ["));
    assert_non_null(strstr(last.out, "\"layer\": 1"));
    assert_non_null(strstr(last.out, "first/model.h5\""));

    RUN("train", "flowers.yaml", "initial_weights=first.npz", "network.0.init={name: file, file: first.npz}");
    expect_failure(2, "network.0.init: a file, but initial_weights is for all layers");
    RUN("train", "flowers.yaml", "network.0.init={name: file, file: first.npz, W: layer01.b}", "--out", "third");
    expect_failure(2, "layer01.b is ");
    RUN("train", "flowers.yaml", "network.0.init={name: file, W: layer01.W}", "--out", "third");
    expect_failure(2, "names no file");
    assert_int_not_equal(access("third", F_OK), 0);

    /* other weights of the same shape */
    RUN("train", "flowers.yaml", "seed=9", "--out", "other", "--quiet");
    assert_int_equal(rename("other/model.h5", "first/model.h5"), 0);
    RUN("verify", "second", "--quiet");
    expect_failure(2, "isn't what the run began with");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(info, set_up, home_remove),
        cmocka_unit_test_setup_teardown(convert, set_up, home_remove),
        cmocka_unit_test_setup_teardown(predict, set_up, home_remove),
        cmocka_unit_test_setup_teardown(keys, set_up, home_remove),
        cmocka_unit_test_setup_teardown(export_and_begin, set_up, home_remove),
        cmocka_unit_test_setup_teardown(layers_begin_with_files, set_up, home_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
