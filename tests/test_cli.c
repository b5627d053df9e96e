/* The program as its users meet it: run as a child, judged by its exit status, its output and what it leaves. */
#define _XOPEN_SOURCE 700 /* posix_openpt */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5_hl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/yaml.h"

extern char **environ;

enum { ARGUMENTS_MAX = 24, OUTPUT_MAX = 1 << 20 };

static char home[256]; /* where all tests work */

typedef struct result {
    int status; /* exit status; 128 + signal */
    char *out, *err;
} result;

static void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

/* Whole, terminated; the caller frees. NULL where there is no such file. */
static char *read_file(const char *name)
{
    FILE *f = fopen(name, "rb");
    if (!f)
        return NULL;
    char *bytes = malloc(OUTPUT_MAX);
    assert_non_null(bytes);
    size_t size = fread(bytes, 1, OUTPUT_MAX - 1, f);
    bytes[size] = '\0';
    fclose(f);
    return bytes;
}

static bool exists(const char *name)
{
    struct stat there;
    return lstat(name, &there) == 0;
}

static pid_t start_into(const char *const *arguments, const char *out, const char *err)
{
    char *argv[ARGUMENTS_MAX + 2] = {strdup(DELTOID_PROGRAM)};
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i]; i++)
        argv[i + 1] = strdup(arguments[i]);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, DELTOID_PROGRAM, &files, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    for (size_t i = 0; argv[i]; i++)
        free(argv[i]);
    return pid;
}

static pid_t start(const char *const *arguments, const char *out)
{
    return start_into(arguments, out, "stderr.txt");
}

static result finish(pid_t pid, const char *out)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    result r = {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), NULL, read_file("stderr.txt")};
    r.out = strncmp(out, "/dev/", 5) == 0 ? calloc(1, 1) : read_file(out);
    assert_true(r.out && r.err);
    return r;
}

static result run(const char *const *arguments)
{
    return finish(start(arguments, "stdout.txt"), "stdout.txt");
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void forget(result *r)
{
    free(r->out);
    free(r->err);
}

static void expect(const result *r, int status)
{
    if (r->status != status)
        fail_msg("exit status %d, expected %d; stderr: %s", r->status, status, r->err);
}

static void expect_success(const result *r)
{
    expect(r, 0);
    assert_string_equal(r->err, "");
}

/* One line on standard error that begins so, nothing on standard output, and no run. */
static void expect_refusal(result *r, int status, const char *begins)
{
    expect(r, status);
    if (strncmp(r->err, begins, strlen(begins)) != 0)
        fail_msg("stderr: %sexpected: %s...", r->err, begins);
    assert_ptr_equal(strchr(r->err, '\n'), r->err + strlen(r->err) - 1);
    assert_non_null(strstr(r->err, "; ")); /* what is wrong; what to do */
    assert_string_equal(r->out, "");
    assert_false(exists("results"));
    forget(r);
}

/* --- data: three classes of 4 x 4 images, told apart by where they are bright --- */

static int label_of(int i)
{
    return (i * 7 + i / 3) % 3;
}

static void write_idx(const char *images, const char *labels, int rows)
{
    unsigned char head[16] = {0, 0, 8, 3, 0, 0, (unsigned char)(rows >> 8), (unsigned char)rows, 0, 0,
                              0, 4, 0, 0, 0, 4};
    unsigned char bytes[16 + 16 * 512],
        names[8 + 512] = {0, 0, 8, 1, 0, 0, (unsigned char)(rows >> 8), (unsigned char)rows};
    assert_true(rows <= 512);
    memcpy(bytes, head, sizeof head);
    for (int i = 0; i < rows; i++) {
        int label = label_of(i);
        names[8 + i] = (unsigned char)label;
        for (int k = 0; k < 16; k++)
            bytes[16 + 16 * i + k] = (unsigned char)((k % 3 == label ? 140 : 20) + (i * 31 + k * 57) % 100);
    }
    write_file(images, bytes, 16 + 16 * (size_t)rows);
    write_file(labels, names, 8 + (size_t)rows);
}

#define DATA                                                                                                           \
    "data:\n"                                                                                                          \
    "  format: idx\n"                                                                                                  \
    "  train: {inputs: train-x, labels: train-y}\n"                                                                    \
    "  test: {inputs: test-x, labels: test-y}\n"                                                                       \
    "  scale: 0.00392156862745098\n"
#define NETWORK                                                                                                        \
    "network:\n"                                                                                                       \
    "  - {units: 8, activation: tanh}\n"                                                                               \
    "  - {units: 3}\n"                                                                                                 \
    "loss: cross_entropy\n"

static const char good[] = "name: small\n" DATA NETWORK "optimizer: {learning_rate: 0.2, momentum: 0.5}\n"
                           "training: {epochs: 3, batch_size: 16}\n"
                           "parallel: {threads: 2}\n"
                           "capture:\n"
                           "  probe: {quantities: [z, a, delta, dW], every: 5, samples: 4}\n";

static int remove_tree(const char *name)
{
    DIR *folder = opendir(name);
    if (folder) {
        struct dirent *entry;
        while ((entry = readdir(folder))) {
            char path[1024];
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
            struct stat there;
            if (lstat(path, &there) == 0 && S_ISDIR(there.st_mode))
                remove_tree(path);
            else
                unlink(path);
        }
        closedir(folder);
    }
    return rmdir(name);
}

/* What a test that failed has left would make the next ones fail. */
static int tidy(void **state)
{
    (void)state;
    static const char *const left[] = {"run", "json-run", "results", "other", "deep", "whole"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        if (exists(left[i]))
            remove_tree(left[i]);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(home, sizeof home, "%s/deltoid-cli-XXXXXX", tmp && *tmp && strlen(tmp) < 200 ? tmp : "/tmp");
    if (!mkdtemp(home) || chdir(home) != 0 || mkdir("exp", 0700) != 0)
        return -1;
    unsetenv("DELTOID_ISA");
    write_idx("exp/train-x", "exp/train-y", 200);
    write_idx("exp/test-x", "exp/test-y", 50);
    write_text("exp/good.yaml", good);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return chdir("/") == 0 ? remove_tree(home) : -1;
}

/* --- the command line --- */

static void help_and_version(void **state)
{
    (void)state;
    static const char *const topics[] = {
        "train",        "eval",       "check",      "circuit",    "plot",    "sweep",       "verify",
        "machine",      "help",       "experiment", "scale",      "report",  "activations", "losses",
        "initializers", "optimizers", "schedules",  "reductions", "formats", "quantities",  "plots"};
    result r = RUN("help");
    expect_success(&r);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        assert_non_null(strstr(r.out, topics[i]));
    assert_null(strstr(r.out, "scale-visit")); /* what is not for people is not offered */
    result same = RUN("--help");
    expect_success(&same);
    assert_string_equal(same.out, r.out);
    forget(&same);
    forget(&r);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        r = RUN("help", topics[i]);
        expect_success(&r);
        assert_true(strlen(r.out) > 20);
        forget(&r);
    }
    r = RUN("help", "experiment");
    assert_non_null(strstr(r.out, "optimizer.learning_rate"));
    assert_non_null(strstr(r.out, "default: 0.01"));
    forget(&r);
    r = RUN("help", "activations");
    assert_non_null(strstr(r.out, "leaky_relu"));
    forget(&r);
    r = RUN("train", "x.yaml", "--help");
    expect_success(&r);
    assert_non_null(strstr(r.out, "--dry-run"));
    forget(&r);
    r = RUN("--version");
    expect_success(&r);
    assert_int_equal(strncmp(r.out, "deltoid 0.", 10), 0);
    forget(&r);
}

static void a_bad_command_line(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[6], *begins;
    } cases[] = {
        {{NULL}, "deltoid: no command; "},
        {{"trian"}, "deltoid: unknown command 'trian'; did you mean 'train'? valid: train, eval, "},
        {{"train"}, "deltoid: deltoid train needs an experiment file; usage: deltoid train EXPERIMENT.yaml"},
        {{"train", "seed=3"}, "deltoid: deltoid train needs an experiment file; "},
        {{"train", "exp/good.yaml", "more.yaml"}, "deltoid: deltoid train: 'more.yaml' is one argument too many; "},
        {{"train", "exp/good.yaml", "--outt", "x"},
         "deltoid: deltoid train has no option '--outt'; did you mean '--out'? valid: --out --resume --dry-run"},
        {{"train", "exp/good.yaml", "--resume", "x"}, "deltoid: 'exp/good.yaml' has no use with --resume"},
        {{"train", "exp/good.yaml", "--profle"},
         "deltoid: deltoid train has no option '--profle'; did you mean '--profile'? "},
        {{"train", "exp/good.yaml", "--profile=x"}, "deltoid: option --profile takes no value; "},
        {{"train", "exp/good.yaml", "--profile", "--dry-run"}, "deltoid: --profile has no use with --dry-run"},
        {{"train", "exp/good.yaml", "--print-config", "--profile"},
         "deltoid: --profile has no use with --print-config"},
        {{"train", "exp/good.yaml", "-q"}, "deltoid: unknown option '-q'; "},
        {{"train", "exp/good.yaml", "--out"}, "deltoid: option --out needs a value; "},
        {{"train", "exp/good.yaml", "--out="}, "deltoid: option --out has an empty value; "},
        {{"train", "exp/good.yaml", "--out=a", "--out=b"}, "deltoid: option --out is given twice; "},
        {{"train", "exp/good.yaml", "--json=1"}, "deltoid: option --json takes no value; "},
        {{"train", "exp/good.yaml", "--dry-run", "--print-config"},
         "deltoid: --print-config and --dry-run are two things; "},
        {{"train", "exp/good.yaml", "--dry-run", "--out", "x"}, "deltoid: --out has no use with --dry-run"},
        {{"train", "--", "--json"}, "deltoid: --json: No such file or directory; "},
        {{"help", "actvations"}, "deltoid: unknown subject 'actvations'; did you mean 'activations'? valid: train, "},
        {{"eval"}, "deltoid: deltoid eval needs a run folder; usage: "},
        {{"eval", "nowhere"}, "deltoid: nowhere/experiment.yaml: No such file or directory; give the folder of a run"},
        {{"eval", "nowhere", "--quiet"}, "deltoid: deltoid eval has no option '--quiet'; "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        result r = run(cases[i].arguments);
        expect_refusal(&r, 2, cases[i].begins);
    }
}

/* --- experiment files --- */

/* The lines after `good`'s first twelve, where the file goes wrong; or the whole file where `whole` says so. */
static const struct bad {
    const char *text, *message; /* begins with LINE:COLUMN */
} bad_lines[] = {
    {"epocs: 3\n", "10:1: unknown key 'epocs'; did you mean 'training.epochs'? valid here: name, seed, precision, "
                   "initial_weights, data,"},
    {"traning: {epochs: 3}\n", "10:1: unknown key 'traning'; did you mean 'training'? valid here: "},
    {"training: {epoch: 3}\n", "10:12: training: unknown key 'epoch'; did you mean 'epochs'? valid here: epochs, "
                               "batch_size, shuffle, early_stopping\n"},
    {"training.epochs: 3\n", "10:1: unknown key 'training.epochs'; write a key with dots as keys under each other"},
    {"checkpiont: {every: 1}\n", "10:1: unknown key 'checkpiont'; did you mean 'checkpoint'? valid here: "},
    {"checkpoint: {best: fastest}\n", "10:20: checkpoint.best: unknown metric 'fastest'; "},
    {"training: {early_stopping: {patience: 0}}\n", "10:39: training.early_stopping.patience: 0 is out of range; "},
    {"seed: 1\nseed: 2\n", "11:1: duplicate key 'seed', first at line 10; "},
    {"training: {epochs: 1, epochs: 2}\n", "10:23: duplicate key 'epochs', first at line 10; "},
    {"training: {epochs: abc}\n", "10:20: training.epochs: can't be 'abc'; give a whole number from 1 to 1000000\n"},
    {"training: {epochs: 1.5}\n", "10:20: training.epochs: can't be '1.5'; give a whole number"},
    {"training: {epochs: 1e3}\n", "10:20: training.epochs: can't be '1e3'; "},
    {"training: {epochs: 1_000}\n", "10:20: training.epochs: can't be '1_000'; "},
    {"training: {epochs: 0x10}\n", "10:20: training.epochs: can't be '0x10'; "},
    {"training: {epochs: '3'}\n", "10:20: training.epochs: can't be the quoted text '3'; "},
    {"training: {epochs: [3]}\n", "10:20: training.epochs: can't be a list; "},
    {"training:\n  epochs: {n: 3}\n", "11:11: training.epochs: can't be a section; "},
    {"training:\n  epochs:\n", "11:3: training.epochs: has no value; "},
    {"training:\n  epochs: 0\n", "11:11: training.epochs: 0 is out of range; give a whole number from 1 to 1000000\n"},
    {"training: {epochs: -3}\n", "10:20: training.epochs: -3 is out of range; "},
    {"training: {epochs: 99999999999999999999}\n", "10:20: training.epochs: 99999999999999999999 is out of range; "},
    {"training: {shuffle: yes}\n", "10:21: training.shuffle: can't be 'yes'; give true or false\n"},
    {"training: {shuffle: True}\n", "10:21: training.shuffle: can't be 'True'; "},
    {"training: 5\n", "10:11: training: can't be '5'; write a section of keys"},
    {"training:\n", "10:1: training: nothing under it; "},
    {"seed: -1\n", "10:7: seed: -1 is out of range; give a whole number from 0 to 18446744073709551615\n"},
    {"seed: 18446744073709551616\n", "10:7: seed: 18446744073709551616 is out of range; "},
    {"precision: double\n", "10:12: precision: can't be 'double'; give one of float32, float64\n"},
    {"optimizer: {learning_rate: nan}\n", "10:28: optimizer.learning_rate: can't be 'nan'; give a number above 0"},
    {"optimizer: {learning_rate: .inf}\n", "10:28: optimizer.learning_rate: can't be '.inf'; "},
    {"optimizer: {learning_rate: 1e999}\n", "10:28: optimizer.learning_rate: 1e999 is out of range; "},
    {"optimizer: {learning_rate: 0.1s}\n", "10:28: optimizer.learning_rate: can't be '0.1s'; "},
    {"optimizer: {learning_rate: 0}\n",
     "10:28: optimizer.learning_rate: 0 is out of range; give a number above 0 and at most 1000000\n"},
    {"optimizer: {momentum: 1}\n", "10:23: optimizer.momentum: 1 is out of range; give a number from 0 to below 1\n"},
    {"optimizer: {nesterov: true}\n", "10:23: optimizer.nesterov: needs momentum; "},
    {"optimizer: {name: sdg}\n", "10:19: optimizer.name: unknown optimizer 'sdg'; did you mean 'sgd'? valid: sgd"},
    {"schedule: {name: constant, every: 3}\n", "10:28: schedule.every: has no effect with schedule.name: constant; "},
    {"optimizer: {name: adam, momentum: 0.9}\n",
     "10:25: optimizer.momentum: has no effect with optimizer.name: adam; remove it "},
    {"optimizer: {momentum: 0.9, name: sdg}\n", "10:34: optimizer.name: unknown optimizer 'sdg'; "},
    {"optimizer: {beta1: 0.9}\n", "10:13: optimizer.beta1: has no effect with optimizer.name: sgd; "},
    {"schedule: {name: multi_step}\n", "10:11: schedule.milestones: none are given; "},
    {"schedule: {name: multi_step, milestones: 3}\n",
     "10:42: schedule.milestones: can't be '3'; give an ascending list of whole numbers\n"},
    {"schedule: {name: multi_step, milestones: [3, 2]}\n", "10:46: schedule.milestones.1: 2 doesn't follow 3; "},
    {"schedule: {name: one_cycle, warmup: 2}\n",
     "10:29: schedule.warmup: has no effect with schedule.name: one_cycle; "},
    {"parallel: {threads: many}\n",
     "10:21: parallel.threads: can't be 'many'; give a whole number from 1 to 1024, or auto\n"},
    {"parallel: {threads: 0}\n", "10:21: parallel.threads: 0 is out of range; "},
    {"parallel: {reduction: tre}\n",
     "10:23: parallel.reduction: unknown reduction 'tre'; did you mean 'tree'? valid: tree, "},
    {"capture: {p: {quantities: [z, dw]}}\n", "10:31: capture.p.quantities: unknown quantity 'dw'; did you mean "},
    {"capture: {p: {quantities: z}}\n",
     "10:27: capture.p.quantities: can't be 'z'; give a list of W, b, z, a, delta, dW, db, their statistics "},
    {"capture: {p: {quantities: [z, z_meen]}}\n",
     "10:31: capture.p.quantities: unknown quantity 'z_meen'; did you mean "},
    {"capture: {p: {quantities: [z_cosine]}}\n", "10:28: capture.p.quantities: unknown quantity 'z_cosine'"},
    {"capture: {p: {quantities: [db_mean_per_unit]}}\n", "10:28: capture.p.quantities: unknown quantity 'db_mean_per"},
    {"capture: {p: {quantities: [z_std, z_std]}}\n", "10:35: capture.p.quantities: z_std is named twice; "},
    {"capture: {p: {quantities: [statistics, statistics]}}\n",
     "10:40: capture.p.quantities: statistics is named twice; "},
    {"capture: {p: {units: [3-1]}}\n", "10:23: capture.p.units.0: 3-1 is no range; "},
    {"capture: {p: {units: [1-3, 3]}}\n", "10:28: capture.p.units.1: 3 follows 3; list units in ascending order"},
    {"capture: {p: {units: [1-x]}}\n",
     "10:23: capture.p.units: can't be '1-x'; give all, or an ascending list of units"},
    {"capture: {p: {units: []}}\n", "10:22: capture.p.units: an empty list; "},
    {"capture: {p: {units: [99999999999999999999]}}\n",
     "10:23: capture.p.units: 99999999999999999999 is out of range; "},
    {"capture: {p: {from: -1}}\n", "10:21: capture.p.from: -1 is out of range; "},
    {"capture: {p: {from: 9, to: 8}}\n", "10:28: capture.p.to: 8 is before from, 9; "},
    {"capture: {p: {histogram: {low: 1, high: 1}}}\n", "10:41: capture.p.histogram.high: must be above low, 1; "},
    {"capture: {p: {histogram: {bins: 201}}}\n", "10:33: capture.p.histogram.bins: 201 is out of range; "},
    {"capture: {p: {histogram: {width: 2}}}\n", "10:27: capture.p.histogram: unknown key 'width'; "},
    {"capture: {p: {histogram: 5}}\n", "10:26: capture.p.histogram: can't be '5'; write a section of keys"},
    {"capture: {p: {log_histogram: {low: 9}}}\n", "10:30: capture.p.log_histogram.high: must be above low, 9; "},
    {"capture: {p: {quantities: [noise_scale], samples: [1, 2]}}\n",
     "10:51: capture.p.samples: the noise scale is one of "},
    {"capture: {p: {quantities: [dW_partial]}}\n", "10:27: capture.p.quantities: dW_partial and db_partial are what "},
    {"capture: {p: {quantities: []}}\n", "10:27: capture.p.quantities: nothing is captured; "},
    {"capture: {p: {layers: [1, 3]}}\n",
     "10:27: capture.p.layers.1: there is no layer 3; layers are 1 to 2, and 0 for the inputs\n"},
    {"capture: {p: {every: 1, steps: log}}\n", "10:25: capture.p.steps: both every and steps are given; "},
    {"capture: {p: {steps: [3, 1]}}\n", "10:26: capture.p.steps.1: 1 follows 3; "},
    {"capture: {p: {samples: [4, x]}}\n", "10:28: capture.p.samples: can't be 'x'; "},
    {"capture: {a b: {}}\n", "10:11: capture: 'a b' can't name a rule; "},
    {"a: &x 1\n", "10:4: anchors are not supported; "},
    {"a: *x\n", "10:4: aliases are not supported; "},
    {"a: !!int 1\n", "10:4: tags are not supported; "},
    {"<<: {a: 1}\n", "10:1: merge keys are not supported; "},
    {"? [1, 2]\n: 3\n", "10:3: a list or map as a key; "},
    {"a: [1, 2\n",
     "11:1: not YAML: flow sequence without a closing bracket; a '[' is open since line 10, column 4: close it\n"},
    {"training:\n\tepochs: 1\n", "11:1: not YAML: tab character may not be used as indentation; correct the line\n"},
    {"a: \"\\q\"\n", "10:5: not YAML: invalid escape 'q' in double-quoted string; correct the line\n"},
    {"---\na: 1\n", "10:1: a second document; "},
    {"name: \"x\\0y\"\n", "10:7: a zero byte in a text; "},
    {"a: x\x01\n", "10:5: a control character; "},
    {"a: \xff\n", "10:4: not UTF-8 text; "},
    {"a: \xed\xa0\x80\n", "10:4: not UTF-8 text; "},
};

static const struct bad bad_files[] = {
    {"", "1:1: an empty file; "},
    {"# nothing\n", "1:1: an empty file; "},
    {"- a\n", "1:1: not an experiment; write keys and values"},
    {"text\n", "1:1: not an experiment; write keys and values"},
    {"loss: cross_entropy\n", "1:1: data is missing; "},
    {"data: {format: idx}\n" NETWORK, "1:7: data.train is missing; "},
    {"data: {format: idx, train: {inputs: a}}\n" NETWORK, "1:28: data.train.labels is missing; "},
    {"data: {format: idx, train: {inputs: a, labels: b}, test: {labels: c}}\n" NETWORK,
     "1:58: data.test.inputs is missing; "},
    {"data: {format: idy, train: {inputs: a, labels: b}}\n" NETWORK,
     "1:16: data.format: unknown data format 'idy'; did you mean 'idx'?"},
    {"data: {format: idx, train: {inputs: a, labels: b}, validation: {fraction: 0.1, inputs: c}}\n" NETWORK,
     "1:75: data.validation.fraction: files are given as well; "},
    {DATA "loss: cross_entropy\n", "1:1: network is missing; "},
    {DATA "network: []\nloss: cross_entropy\n", "6:10: network: 0 layers; "},
    {DATA "network: {units: 3}\nloss: cross_entropy\n", "6:10: network: can't be a section; write a list of layers\n"},
    {DATA "network: [{units: 3, activation: relu}]\nloss: cross_entropy\n",
     "6:34: network.0.activation: the last layer has no activation"},
    {DATA "network: [{activation: relu}, {units: 3}]\nloss: cross_entropy\n", "6:11: network.0.units is missing; "},
    {DATA "network: [{units: 3, init: he_norml}]\nloss: cross_entropy\n",
     "6:28: network.0.init: unknown initializer 'he_norml'; did you mean 'he_normal'?"},
    {DATA "network: [{units: 3}]\nloss: crossentropy\n",
     "7:7: loss: unknown loss 'crossentropy'; did you mean 'cross_entropy'? valid: "},
    {DATA "network: [{units: 3}]\n", "1:1: loss is missing; "},
    {"name: .dot\n" DATA NETWORK, "1:7: name: '.dot' can't name a folder; "},
    {"name: a/b\n" DATA NETWORK, "1:7: name: 'a/b' can't name a folder; "},
};

static void check_bad(const char *text, size_t size, const char *message)
{
    char begins[512];
    write_file("bad.yaml", text, size);
    snprintf(begins, sizeof begins, "deltoid: bad.yaml:%s", message);
    result r = RUN("train", "bad.yaml");
    expect_refusal(&r, 2, begins);
}

static void bad_experiments_are_refused_at_their_place(void **state)
{
    (void)state;
    char text[1024];
    for (size_t i = 0; i < sizeof bad_lines / sizeof *bad_lines; i++) {
        int n = snprintf(text, sizeof text, "%s%s%s", DATA, NETWORK, bad_lines[i].text);
        check_bad(text, (size_t)n, bad_lines[i].message);
    }
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++)
        check_bad(bad_files[i].text, strlen(bad_files[i].text), bad_files[i].message);
}

/* `count` times `piece` after `before`. */
static char *repeated(const char *before, const char *piece, size_t count, size_t *size)
{
    size_t n = strlen(before), length = strlen(piece);
    *size = n + count * length;
    char *text = malloc(*size + 1);
    assert_non_null(text);
    memcpy(text, before, n);
    for (size_t i = 0; i < count; i++)
        memcpy(text + n + i * length, piece, length);
    text[*size] = '\0';
    return text;
}

static void hostile_experiments_are_refused(void **state)
{
    (void)state;
    size_t size;
    char *text = repeated(DATA NETWORK "a: ", "[", 100000, &size);
    check_bad(text, size, "10:67: nested more than 64 deep; ");
    free(text);
    text = repeated(DATA NETWORK "a: ", "{a: ", 100000, &size);
    check_bad(text, size, "10:");
    free(text);
    text = repeated("", "- ", 100000, &size);
    check_bad(text, size, "1:129: nested more than 64 deep; ");
    free(text);
    text = repeated("", "a", 1 << 20, &size);
    check_bad(text, size, "1:1: not an experiment");
    free(text);
    text = repeated("", "a", (1 << 20) + 1, &size);
    check_bad(text, size, " longer than 1 MiB; ");
    free(text);
    text = repeated(DATA NETWORK, "#", 100, &size);
    text[size - 50] = '\0';
    check_bad(text, size, "10:51: a control character; ");
    free(text);

    text = malloc(1 << 20);
    assert_non_null(text);
    size = 0;
    for (int i = 0; i < 50000; i++)
        size += (size_t)snprintf(text + size, (1 << 20) - size, "k%d: 1\n", i);
    check_bad(text, size, "257:1: more than 256 keys in one section; ");
    free(text);

    result r = RUN("train", "exp");
    expect_refusal(&r, 2, "deltoid: exp: a folder; ");
    r = RUN("train", "exp/none.yaml");
    expect_refusal(&r, 2, "deltoid: exp/none.yaml: No such file or directory; ");
    r = RUN("train", "/dev/zero");
    expect_refusal(&r, 2, "deltoid: /dev/zero: longer than 1 MiB; ");
    write_text("\x1b[31m\n.yaml", "a: 1\n");
    r = RUN("train", "\x1b[31m\n.yaml");
    expect_refusal(&r, 2, "deltoid: ?[31m?.yaml:1:1: unknown key 'a'; ");
}

static void overrides_are_refused_by_their_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"training.epoch=3", "training: unknown key 'epoch'; did you mean 'epochs'? valid here: epochs, batch_size, "
                             "shuffle, early_stopping\n"},
        {"epochs=3", "unknown key 'epochs'; did you mean 'training.epochs'? "},
        {"data.units=3", "data: unknown key 'units'; did you mean 'network.0.units'? "},
        {"training.quantities=[z]", "training: unknown key 'quantities'; did you mean 'capture.RULE.quantities'? "},
        {"training.epochs=x", "training.epochs: can't be 'x'; give a whole number from 1 to 1000000\n"},
        {"training.epochs=0", "training.epochs: 0 is out of range; "},
        {"training.epochs=", "training.epochs: has no value; "},
        {"training.epochs=&a 3", "anchors are not supported; "},
        {"training.epochs.x=3", "'x' lies under a key that holds a single value; "},
        {"network.7.units=3", "'7' is no place in the list; give 0 to 2, where 2 adds an entry\n"},
        {"network.x.units=3", "'x' is no place in the list; "},
        {"network.2.activation=relu", "network.2.units is missing; "},
        {"network.1.activation=relu", "network.1.activation: the last layer has no activation"},
        {"network=[{units: 3}", "not YAML: "},
        {"capture.probe.layers=[9]", "capture.probe.layers.0: there is no layer 9; "},
        {"capture.probe.samples=[0, 200]",
         "capture.probe.samples: row 200 is not in the training set, which has rows 0 to 199; "},
        {"a..b=1", "an empty name between dots; "},
        {"loss=\xff", "not UTF-8 text; "},
        {"name=a/b", "name: 'a/b' can't name a folder; "},
    };
    char begins[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(begins, sizeof begins, "deltoid: command line: key '%s': %s", cases[i][0], cases[i][1]);
        result r = RUN("train", cases[i][0], "exp/good.yaml");
        expect_refusal(&r, 2, begins);
    }
}

static void data_that_is_not_there(void **state)
{
    (void)state;
    char begins[1024];
    snprintf(begins, sizeof begins, "deltoid: lost.yaml:3:19: %s/train-x: ", home);
    write_text("lost.yaml", DATA NETWORK);
    result r = RUN("train", "lost.yaml");
    expect_refusal(&r, 2, begins);
    snprintf(begins, sizeof begins, "deltoid: command line: key 'data.test.labels=gone': %s/gone: ", home);
    r = RUN("train", "exp/good.yaml", "data.test.labels=gone", "--dry-run");
    expect_refusal(&r, 2, begins);
    r = RUN("train", "exp/good.yaml", "network=[{units: 2}]");
    expect(&r, 2);
    assert_false(exists("results"));
    forget(&r);
}

/* --- what it does when all is well --- */

static void the_resolved_experiment_is_a_fixed_point(void **state)
{
    (void)state;
    result first = RUN("train", "--print-config", "exp/good.yaml", "seed=5");
    expect_success(&first);
    assert_non_null(strstr(first.out, "seed: 5\n"));
    assert_non_null(strstr(first.out, "  threads: 2\n  shard_size: auto\n  reduction: tree\n"));
    assert_non_null(strstr(first.out, "    init: glorot_uniform\n"));
    char path[512];
    snprintf(path, sizeof path, "    inputs: %s/exp/train-x\n", home);
    assert_non_null(strstr(first.out, path));
    write_text("resolved.yaml", first.out);
    result again = RUN("train", "resolved.yaml", "--print-config");
    expect_success(&again);
    assert_string_equal(again.out, first.out);
    assert_false(exists("results"));
    forget(&first);
    forget(&again);
}

static void a_dry_run_makes_nothing(void **state)
{
    (void)state;
    result r = RUN("train", "exp/good.yaml", "--dry-run");
    expect_success(&r);
    static const char *const told[] = {"200 training rows",
                                       "50 test",
                                       "3 epochs of 13 minibatches of 16: 39",
                                       "parameters",
                                       "163",
                                       "tanh",
                                       "glorot_uniform",
                                       "activations",
                                       "in all",
                                       "probe",
                                       "nothing was made"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (!strstr(r.out, told[i]))
            fail_msg("no '%s' in:\n%s", told[i], r.out);
    forget(&r);
    r = RUN("train", "exp/good.yaml", "--dry-run", "--quiet");
    expect_success(&r);
    assert_string_equal(r.out, "");
    forget(&r);
    assert_false(exists("results"));
}

/* JSON is YAML: the program's own reader takes it apart. Line `line` of `text`, as a tree in *arena. */
static const dt_node *json_line(dt_arena *arena, const char *text, int line)
{
    while (line-- > 0) {
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
    size_t size = strcspn(text, "\n");
    assert_true(size > 2 && text[0] == '{' && text[size - 1] == '}' && text[size] == '\n');
    const dt_origin *origin = dt_origin_file(arena, "json", "/");
    dt_node *root;
    dt_error error = {0};
    dt_yaml_read(&root, text, size, origin, arena, &error);
    assert_string_equal(error.message, "");
    return root;
}

static const char *json_text(const dt_node *object, const char *key)
{
    const dt_node *child = dt_node_child(object, key);
    if (!child)
        fail_msg("no key '%s'", key);
    return child->text;
}

static const char *const metrics_columns[] = {"epoch",
                                              "step",
                                              "seconds",
                                              "train_loss",
                                              "train_accuracy",
                                              "validation_loss",
                                              "validation_accuracy",
                                              "test_loss",
                                              "test_accuracy",
                                              "learning_rate",
                                              "samples_per_second"};

static void json_of_a_plan_and_of_a_run(void **state)
{
    (void)state;
    dt_arena arena = {0};
    result r = RUN("train", "exp/good.yaml", "--dry-run", "--json");
    expect_success(&r);
    const dt_node *plan = json_line(&arena, r.out, 0);
    assert_string_equal(json_text(plan, "parameters"), "163");
    assert_string_equal(json_text(plan, "steps_per_epoch"), "13");
    assert_int_equal(dt_node_child(plan, "layers")->count, 2);
    const dt_node *memory = dt_node_child(plan, "memory");
    assert_int_equal(atoi(json_text(memory, "data")),
                     (200 + 50) * (16 + (int)sizeof(int32_t)) + 200 * (int)sizeof(int64_t));
    assert_int_equal(atoi(json_text(memory, "all")),
                     atoi(json_text(memory, "data")) + atoi(json_text(memory, "parameters")) +
                         2 * atoi(json_text(memory, "worker")) + atoi(json_text(memory, "activations")) +
                         atoi(json_text(memory, "checkpoint")) + atoi(json_text(memory, "model")) +
                         atoi(json_text(memory, "capture")));
    assert_int_equal(atoi(json_text(memory, "model")), 16 * 8 * (int)sizeof(float));
    assert_string_equal(json_text(dt_node_child(dt_node_child(plan, "capture"), "probe"), "steps"), "8");
    forget(&r);

    r = RUN("train", "--json", "exp/good.yaml", "--quiet", "--out=json-run");
    expect_success(&r);
    for (int epoch = 1; epoch <= 3; epoch++) {
        const dt_node *object = json_line(&arena, r.out, epoch - 1);
        assert_int_equal(object->count, 11);
        const dt_node *child = object->first;
        for (size_t i = 0; i < 11; i++, child = child->next)
            assert_string_equal(child->key, metrics_columns[i]);
        assert_int_equal(atoi(json_text(object, "epoch")), epoch);
        assert_int_equal(atoi(json_text(object, "step")), 13 * epoch);
        assert_string_equal(json_text(object, "validation_loss"), "null");
    }
    const dt_node *last = json_line(&arena, r.out, 3);
    assert_string_equal(json_text(last, "run"), "json-run");
    assert_string_equal(json_text(last, "status"), "complete");
    char *provenance = read_file("json-run/provenance.json");
    assert_non_null(provenance);
    assert_int_equal(strlen(json_text(last, "weights_sha256")), 64);
    assert_non_null(strstr(provenance, json_text(last, "weights_sha256")));
    free(provenance);
    forget(&r);
    dt_arena_clear(&arena);
    assert_int_equal(remove_tree("json-run"), 0);
}

static const char *after(const char *text, const char *what)
{
    const char *found = strstr(text, what);
    if (!found)
        fail_msg("no '%s' in:\n%s", what, text);
    return found + strlen(what);
}

/* Of the index and the segments. */
static double capture_bytes(const char *run)
{
    char path[512];
    struct stat file;
    snprintf(path, sizeof path, "%s/capture.h5", run);
    assert_int_equal(stat(path, &file), 0);
    double size = (double)file.st_size;
    snprintf(path, sizeof path, "%s/capture", run);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.') {
            assert_int_equal(fstatat(dirfd(folder), entry->d_name, &file, 0), 0);
            size += (double)file.st_size;
        }
    closedir(folder);
    return size;
}

/* What --dry-run says comes true: the workers, and the capture's size within 1 % where it is more than a megabyte. */
static void a_plan_is_kept(void **state)
{
    (void)state;
    static const char *const experiments[][3] = {
        {"parallel.threads=auto", "capture.probe.every=1", "network.0.units=200"},
        {"parallel.threads=2", "capture.probe={quantities: [W, b, dW, db], every: 3}", "network.0.units=1001"},
        {"parallel.threads=1", "capture.two={quantities: [a], every: 1, samples: batch}", "network.0.units=333"},
    };
    for (size_t i = 0; i < sizeof experiments / sizeof *experiments; i++) {
        const char *const *e = experiments[i];
        dt_arena arena = {0};
        result r = RUN("train", "exp/good.yaml", "training.epochs=40", e[0], e[1], e[2], "--dry-run", "--json");
        expect_success(&r);
        const dt_node *plan = json_line(&arena, r.out, 0);
        double predicted = atof(json_text(plan, "capture_bytes"));
        forget(&r);
        /* A checkpoint ends a segment early: the size is of a run that makes none. */
        r = RUN("train", "exp/good.yaml", "training.epochs=40", e[0], e[1], e[2], "checkpoint.every=none", "--quiet",
                "--out", "run");
        expect_success(&r);
        forget(&r);
        char *provenance = read_file("run/provenance.json");
        const char *threads = after(after(provenance, "\"parallel\": {"), "\"threads\": ");
        assert_int_equal(atoi(json_text(plan, "workers")), atoi(threads));
        free(provenance);
        double size = capture_bytes("run");
        if (size < 1e6 || predicted < 0.99 * size || predicted > 1.01 * size)
            fail_msg("predicted %.0f bytes, there are %.0f", predicted, size);
        assert_int_equal(remove_tree("run"), 0);
        dt_arena_clear(&arena);
    }
}

/* The only entry of a folder, joined to its name. */
static void only_entry(char *path, size_t size)
{
    DIR *folder = opendir(path);
    assert_non_null(folder);
    struct dirent *entry;
    char name[256] = "";
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.') {
            assert_string_equal(name, "");
            snprintf(name, sizeof name, "%s", entry->d_name);
        }
    closedir(folder);
    size_t n = strlen(path);
    snprintf(path + n, size - n, "/%s", name);
}

/* Does the run's capture say of itself that it is `status`? */
static bool capture_is(const char *path, const char *status)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    char *found = NULL;
    assert_true(H5LTget_attribute_string(file, "/", "status", (char *)&found) >= 0);
    bool same = strcmp(found, status) == 0;
    H5free_memory(found);
    H5Fclose(file);
    return same;
}

static void a_run_leaves_its_folder(void **state)
{
    (void)state;
    result r = RUN("train", "exp/good.yaml");
    expect_success(&r);
    char folder[512] = "results/small";
    only_entry(folder, sizeof folder);
    const char *stamp = folder + strlen("results/small/"); /* YYYYmmddTHHMMSSZ-<12 hex digits>-s1 */
    assert_int_equal(strlen(stamp), 16 + 1 + 12 + 3);
    assert_true(strspn(stamp, "0123456789") == 8 && stamp[8] == 'T' && stamp[15] == 'Z' && stamp[16] == '-');
    assert_int_equal(strspn(stamp + 17, "0123456789abcdef"), 12);
    assert_string_equal(stamp + 29, "-s1");

    assert_int_equal(strncmp(r.out, "epoch 1/3  step 13  train loss ", 31), 0);
    assert_non_null(strstr(r.out, "\nepoch 3/3  step 39  "));
    assert_null(strchr(r.out, '\r'));
    assert_null(strchr(r.out, '\033'));
    assert_int_equal(strncmp(after(r.out, "\nrun             "), folder, strlen(folder)), 0);
    char sha[65];
    snprintf(sha, sizeof sha, "%.64s", after(r.out, "\nweights sha256  "));
    forget(&r);

    static const char *const files[] = {"experiment.yaml", "provenance.json", "metrics.tsv", "model.h5", "capture.h5"};
    char path[600];
    snprintf(path, sizeof path, "%s/capture.h5", folder);
    assert_true(capture_is(path, "complete"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        assert_true(exists(path));
    }
    snprintf(path, sizeof path, "%s/metrics.tsv", folder);
    char *metrics = read_file(path);
    int lines = 0;
    for (const char *c = metrics; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 4);
    free(metrics);

    /* The kept experiment trains the same weights, wherever it is read; another seed others. */
    snprintf(path, sizeof path, "%s/experiment.yaml", folder);
    r = RUN("train", path, "--quiet", "--out", "deep/er/again/", "parallel.threads=1", "--", "capture.probe.every=1");
    expect_success(&r);
    assert_string_equal(r.out, "");
    forget(&r);
    char *provenance = read_file("deep/er/again/provenance.json");
    assert_non_null(strstr(provenance, sha));
    free(provenance);
    r = RUN("train", "seed=2", "--out", "other", path);
    expect_success(&r);
    assert_null(strstr(r.out, sha));
    forget(&r);

    /* A folder that is there is never written into. */
    struct stat before, now;
    assert_int_equal(stat("other", &before), 0);
    r = RUN("train", "exp/good.yaml", "--out", "other");
    expect(&r, 2);
    assert_string_equal(r.out, "");
    assert_int_equal(strncmp(r.err, "deltoid: other: exists already; ", 32), 0);
    forget(&r);
    assert_int_equal(stat("other", &now), 0);
    assert_true(before.st_mtime == now.st_mtime && before.st_nlink == now.st_nlink);
    assert_int_equal(remove_tree("other"), 0);
    assert_int_equal(remove_tree("deep"), 0);
    assert_int_equal(remove_tree("results"), 0);
}

/* Until `file` has so many lines, or the program that writes it has ended. */
static void wait_for_lines(pid_t pid, const char *file, int lines)
{
    for (;;) {
        char *text = read_file(file);
        int n = 0;
        for (const char *c = text ? text : ""; *c; c++)
            n += *c == '\n';
        free(text);
        siginfo_t ended = {0};
        waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT);
        if (n >= lines || ended.si_pid == pid)
            return;
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

/* The sum of a column of profile.tsv over the rows of one phase ("": all), and how many rows these are. */
static double sum_of_column(const char *tsv, int column, const char *phase, int *rows)
{
    double sum = 0;
    *rows = 0;
    for (const char *line = strchr(tsv, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        char name[32];
        double field[8];
        assert_int_equal(sscanf(line, "%lf\t%31[a-z]\t%lf\t%lf\t%lf\t%lf\t%lf\t%lf\n", &field[0], name, &field[2],
                                &field[3], &field[4], &field[5], &field[6], &field[7]),
                         8);
        if (*phase && strcmp(name, phase) != 0)
            continue;
        sum += field[column];
        ++*rows;
    }
    return sum;
}

static void a_profile_of_a_run(void **state)
{
    (void)state;
    enum { FLOP = 4, STEPS = 6 };
    int rows;
    result plain = RUN("train", "exp/good.yaml", "--out", "run");
    expect_success(&plain);
    assert_false(exists("run/profile.tsv"));
    assert_null(strstr(plain.out, "profile"));
    assert_int_equal(remove_tree("run"), 0);
    result r = RUN("train", "exp/good.yaml", "--profile", "--out", "run");
    expect_success(&r);
    const char *sha = after(plain.out, "\nweights sha256  "); /* no bit depends on it */
    assert_int_equal(strncmp(after(r.out, "\nweights sha256  "), sha, 64), 0);
    forget(&plain);
    const char *table = after(r.out, "\nprofile of 39 steps; mean of 2 workers\nphase ");
    static const char *const told[] = {"\ngather  ",
                                       "\nforward       1  ",
                                       "\nforward       2  ",
                                       "\ncost  ",
                                       "\nbackward      1  ",
                                       "\ngradient      1  ",
                                       "\nwatch  ",
                                       "\nwait  ",
                                       "\nall  ",
                                       "\npeak: ",
                                       " (float32, ",
                                       "\nworker  ",
                                       "\n0  ",
                                       "\n1  "};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        after(table, told[i]);
    forget(&r);
    char *tsv = read_file("run/profile.tsv");
    assert_non_null(tsv);
    static const char head[] = "worker\tphase\tlayer\tseconds\tflop\tbytes\tsteps\tsamples\n";
    assert_int_equal(strncmp(tsv, head, strlen(head)), 0);
    assert_true(sum_of_column(tsv, FLOP, "forward", &rows) == 3.0 * 200 * 2 * (8 * 17 + 3 * 9));
    assert_int_equal(rows, 2 * 2);
    const double seconds = sum_of_column(tsv, 3, "", &rows);
    assert_true(seconds > 0);
    assert_true(sum_of_column(tsv, STEPS, "", &rows) == 39.0 * rows);
    free(tsv);
    assert_int_equal(remove_tree("run"), 0);

    /* --quiet: the file alone; with --json an object within the last one. */
    r = RUN("train", "exp/good.yaml", "--profile", "--quiet", "--out", "run");
    expect_success(&r);
    assert_string_equal(r.out, "");
    assert_true(exists("run/profile.tsv"));
    forget(&r);
    assert_int_equal(remove_tree("run"), 0);
    r = RUN("train", "exp/good.yaml", "--profile", "--json", "--out", "run", "precision=float64", "parallel.threads=1");
    expect_success(&r);
    dt_arena arena = {0};
    const dt_node *profile = dt_node_child(json_line(&arena, r.out, 3), "profile");
    assert_non_null(profile);
    assert_string_equal(json_text(profile, "steps"), "39");
    assert_string_equal(json_text(profile, "workers"), "1");
    assert_true(atof(json_text(profile, "peak_gflops")) > 0);
    const dt_node *phases = dt_node_child(profile, "phases"), *workers = dt_node_child(profile, "seconds_of_workers");
    assert_string_equal(json_text(dt_node_item(phases, 1), "phase"), "forward");
    assert_true(atof(json_text(dt_node_item(phases, 1), "flop")) == 3.0 * 200 * 2 * (8 * 17));
    assert_int_equal(workers->count, 1);
    assert_true(atof(json_text(workers->first, "compute")) > 0);
    dt_arena_clear(&arena);
    forget(&r);
    assert_int_equal(remove_tree("run"), 0);
}

/* Where a run ends early, what was profiled until then is told. */
static void a_profile_of_a_run_that_ends_early(void **state)
{
    (void)state;
    int rows;
    result r = RUN("train", "exp/good.yaml", "optimizer.learning_rate=1000000", "loss=squared_error",
                   "training.epochs=50", "network.0.activation=linear", "--profile", "--out", "run");
    expect(&r, 1);
    assert_int_equal(strncmp(r.err, "deltoid: training diverged: ", 28), 0);
    after(r.out, "\nprofile of ");
    forget(&r);
    char *tsv = read_file("run/profile.tsv");
    assert_non_null(tsv);
    assert_true(sum_of_column(tsv, 3, "forward", &rows) > 0);
    free(tsv);
    assert_int_equal(remove_tree("run"), 0);

    static const char *const arguments[] = {
        "train", "exp/good.yaml", "training.epochs=1000000", "--profile", "--out", "run", NULL};
    pid_t pid = start(arguments, "stdout.txt");
    wait_for_lines(pid, "run/metrics.tsv", 2);
    kill(pid, SIGTERM);
    r = finish(pid, "stdout.txt");
    expect(&r, 128 + SIGTERM);
    char *steps; /* the same number in the message, in the table and in the file */
    const long done = strtol(after(r.err, "deltoid: stopped by SIGTERM after step "), &steps, 10);
    assert_int_equal(strtol(after(r.out, "\nprofile of "), &steps, 10), done);
    forget(&r);
    tsv = read_file("run/profile.tsv");
    assert_non_null(tsv);
    assert_true(sum_of_column(tsv, 6, "cost", &rows) == 2.0 * (double)done);
    free(tsv);
    assert_int_equal(remove_tree("run"), 0);
}

/* Runs of the same second get folders of their own. */
static void runs_side_by_side(void **state)
{
    (void)state;
    enum { RUNS = 3 };
    static const char *const arguments[] = {"train", "exp/good.yaml", "parallel.threads=1", "--quiet", NULL};
    pid_t pids[RUNS];
    for (int i = 0; i < RUNS; i++)
        pids[i] = start(arguments, "stdout.txt");
    for (int i = 0; i < RUNS; i++) {
        result r = finish(pids[i], "stdout.txt");
        expect_success(&r);
        forget(&r);
    }
    int folders = 0;
    DIR *results = opendir("results/small");
    assert_non_null(results);
    struct dirent *entry;
    while ((entry = readdir(results)))
        folders += entry->d_name[0] != '.';
    closedir(results);
    assert_int_equal(folders, RUNS);
    assert_int_equal(remove_tree("results"), 0);
}

static void evaluation_of_a_run(void **state)
{
    (void)state;
    /* Hardly trained, so that the matrix is not a diagonal. */
    result r =
        RUN("train", "exp/good.yaml", "--json", "--out", "run", "training.epochs=1", "optimizer.learning_rate=0.02");
    expect_success(&r);
    dt_arena arena = {0};
    const dt_node *trained = json_line(&arena, r.out, 1);
    result e = RUN("eval", "run", "--json");
    expect_success(&e);
    const dt_node *object = json_line(&arena, e.out, 0);
    assert_string_equal(json_text(object, "run"), "run");
    assert_string_equal(json_text(object, "rows"), "50");
    assert_string_equal(json_text(object, "accuracy"), json_text(trained, "test_accuracy"));
    assert_string_equal(json_text(object, "loss"), json_text(trained, "test_loss"));
    const dt_node *confusion = dt_node_child(object, "confusion");
    assert_int_equal(confusion->count, 3);
    int rows[3] = {0}, columns[3] = {0}, hits[3] = {0}, right = 0, i = 0;
    for (int k = 0; k < 50; k++)
        rows[label_of(k)]++;
    for (const dt_node *row = confusion->first; row; row = row->next, i++) {
        int j = 0, sum = 0;
        assert_int_equal(row->count, 3);
        for (const dt_node *cell = row->first; cell; cell = cell->next, j++) {
            sum += atoi(cell->text);
            columns[j] += atoi(cell->text);
            hits[i] += i == j ? atoi(cell->text) : 0;
        }
        right += hits[i];
        assert_int_equal(sum, rows[i]); /* rows: the class that samples have */
        assert_true(fabs(atof(dt_node_item(dt_node_child(object, "recall"), (size_t)i)->text) -
                         (double)hits[i] / rows[i]) < 1e-9);
    }
    assert_true(right < 50);
    assert_true(right == (int)(50 * atof(json_text(object, "accuracy")) + 0.5));
    assert_int_equal(dt_node_child(object, "recall")->count, 3);
    forget(&e);
    forget(&r);

    r = RUN("eval", "run/");
    expect_success(&r);
    after(r.out, "samples   50\n");
    after(r.out, "recall\n");
    const char *precision = after(r.out, "\nprecision");
    for (i = 0; i < 3; i++) {
        char expected[16], found[16];
        snprintf(expected, sizeof expected, "%.3f", (double)hits[i] / columns[i]);
        assert_int_equal(sscanf(precision, "%15s", found), 1);
        assert_string_equal(found, columns[i] ? expected : "-");
        precision = strstr(precision, found) + strlen(found);
    }
    forget(&r);

    /* Other data, named from here; and the training set's own name in the file still stands. */
    r = RUN("eval", "data.test.inputs=exp/train-x", "run", "data.test.labels=exp/train-y");
    expect_success(&r);
    after(r.out, "samples   200\n");
    forget(&r);
    r = RUN("eval", "run", "network.0.units=9");
    expect(&r, 2);
    forget(&r);
    /* Labels that the network has no class for are told of the set they are in. */
    unsigned char labels[8 + 50] = {0, 0, 8, 1, 0, 0, 0, 50, 3};
    write_file("labels", labels, sizeof labels);
    r = RUN("eval", "run", "data.test.labels=labels");
    expect(&r, 2);
    after(r.err, "data.test: has label 3, but the run's network has 3 classes; ");
    forget(&r);

    assert_int_equal(unlink("run/model.h5"), 0);
    r = RUN("eval", "run");
    expect(&r, 2);
    after(r.err, "run/model.h5: can't be opened: there is no such file; ");
    forget(&r);
    dt_arena_clear(&arena);
    assert_int_equal(remove_tree("run"), 0);
}

static void a_run_without_a_test_set(void **state)
{
    (void)state;
    write_text("exp/untested.yaml",
               "data: {format: idx, train: {inputs: train-x, labels: train-y}, validation: {fraction: 0.2}}\n" NETWORK
               "training: {epochs: 1}\n");
    result r = RUN("train", "exp/untested.yaml", "--out", "run");
    expect_success(&r);
    after(r.out, "validation loss ");
    assert_null(strstr(r.out, "test"));
    assert_false(exists("run/capture.h5"));
    forget(&r);
    r = RUN("eval", "run");
    expect(&r, 2);
    after(r.err, "names no test set; give data.test.inputs=FILE data.test.labels=FILE");
    forget(&r);
    assert_int_equal(remove_tree("run"), 0);
}

static void pictures_of_a_run(void **state)
{
    (void)state;
    result r = RUN("train", "exp/good.yaml", "--quiet", "--out", "run");
    expect_success(&r);
    forget(&r);
    r = RUN("plot", "--kind=curves", "run", "--term", "text");
    expect_success(&r);
    after(r.out, "small: test accuracy");
    forget(&r);
    r = RUN("plot", "run", "--kind", "curvs");
    expect_refusal(&r, 2, "deltoid: unknown kind of plot 'curvs'; did you mean 'curves'? valid: curves, layers");
    r = RUN("plot", "run", "--term", "gif");
    expect(&r, 2);
    forget(&r);
    r = RUN("plot", "nowhere");
    expect(&r, 2);
    forget(&r);
    assert_int_equal(remove_tree("run"), 0);
}

/* --- what it does when things happen --- */

static void stop(int signal, const char *name, const char *often)
{
    static const char *const arguments[] = {"train", "exp/good.yaml", "training.epochs=1000000", "--out", "run", NULL};
    pid_t pid = start(arguments, "stdout.txt");
    wait_for_lines(pid, "run/metrics.tsv", 2);
    kill(pid, signal);
    result r = finish(pid, "stdout.txt");
    expect(&r, 128 + signal);
    char begins[64];
    snprintf(begins, sizeof begins, "deltoid: stopped by %s after step ", name);
    assert_int_equal(strncmp(r.err, begins, strlen(begins)), 0);
    assert_ptr_equal(strchr(r.err, '\n'), r.err + strlen(r.err) - 1);
    after(r.err, "; go on with: deltoid train --resume run\n");
    after(r.out, often);
    forget(&r);
    assert_true(capture_is("run/capture.h5", "interrupted"));
    char *provenance = read_file("run/provenance.json"); /* the final weights are those of a run that ended */
    assert_null(strstr(provenance, "weights_sha256"));
    free(provenance);
    r = RUN("eval", "run");
    expect_success(&r);
    forget(&r);
    assert_int_equal(remove_tree("run"), 0);
}

static void signals_stop_after_the_model_is_written(void **state)
{
    (void)state;
    stop(SIGINT, "SIGINT", "weights sha256  ");
    stop(SIGTERM, "SIGTERM", "\nrun             run\n");
}

/* Steps of the rule `probe` in the index of a run that goes on or went. */
static hsize_t captured_steps(void)
{
    hid_t file = H5Fopen("run/capture.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    hsize_t steps = 0;
    assert_true(file >= 0 && H5LTget_dataset_info(file, "/probe/step", &steps, NULL, NULL) >= 0);
    H5Fclose(file);
    return steps;
}

/* What was captured is on the disk soon, while the run goes on, and no end of the program takes it back. */
static void a_killed_run_keeps_its_capture(void **state)
{
    (void)state;
    static const char *const arguments[] = {
        "train", "exp/good.yaml", "training.epochs=1000000", "capture.probe.every=1000", "--out", "run", NULL};
    pid_t pid = start(arguments, "stdout.txt");
    wait_for_lines(pid, "run/metrics.tsv", 2);
    hsize_t steps;
    while ((steps = captured_steps()) == 0) /* a writer that keeps them makes the test time out */
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    kill(pid, SIGKILL);
    result r = finish(pid, "stdout.txt");
    expect(&r, 128 + SIGKILL);
    forget(&r);
    assert_true(capture_is("run/capture.h5", "running"));
    assert_true(captured_steps() >= steps);
    assert_int_equal(remove_tree("run"), 0);
}

/* Runs the program with its standard output (fd 1) or error (fd 2) on a terminal of 24 columns, and returns what that
 * shows; the caller frees. NULL where there are no terminals to be had. */
static char *on_terminal(const char *const *arguments, int fd)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        close(master);
        return NULL;
    }
    struct winsize size = {.ws_row = 24, .ws_col = 24};
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    const char *terminal = ptsname(master);
    pid_t pid = start_into(arguments, fd == 1 ? terminal : "stdout.txt", fd == 2 ? terminal : "stderr.txt");
    char *shown = calloc(OUTPUT_MAX, 1);
    assert_non_null(shown);
    ssize_t n = 1;
    for (size_t used = 0; n > 0 && used<OUTPUT_MAX - 1; used += n> 0 ? (size_t)n : 0)
        n = read(master, shown + used, OUTPUT_MAX - 1 - used); /* fails when the program has closed its side */
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(master);
    return shown;
}

static void colours_and_redrawing_are_for_terminals(void **state)
{
    (void)state;
    static const char *const coloured[] = {"train", "exp/good.yaml", "--out", "run", NULL};
    /* Epochs of a second or so, so that the line is drawn again. */
    static const char *const slow[] = {"train",
                                       "exp/good.yaml",
                                       "capture={}",
                                       "training={epochs: 1, batch_size: 1}",
                                       "network.0.units=100000",
                                       "parallel.threads=1",
                                       "--out",
                                       "run",
                                       NULL};
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    unsetenv("NO_COLOR");
    char *shown = on_terminal(coloured, 1);
    if (!shown)
        skip();
    after(shown, "\ntest accuracy   \033[1m");
    free(shown);
    tidy(NULL);
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    shown = on_terminal(coloured, 1);
    assert_non_null(strstr(shown, "\ntest accuracy   "));
    assert_null(strchr(shown, '\033'));
    free(shown);
    tidy(NULL);

    shown = on_terminal(slow, 2);
    int drawn = 0;
    for (const char *line = shown; (line = strchr(line, '\r')) && line[1] != '\033'; drawn++, line++) {
        assert_int_equal(strncmp(line, "\repoch 1/1  ", 12), 0);
        assert_true(strcspn(line + 1, "\033") < 24); /* a full line would wrap */
    }
    assert_true(drawn > 0);
    assert_string_equal(shown + strlen(shown) - 4, "\r\033[K");
    free(shown);
    unsetenv("NO_COLOR");
    unsetenv("TERM");
}

static void output_that_can_not_be_written(void **state)
{
    (void)state;
    if (!exists("/dev/full"))
        skip();
    static const char *const help[] = {"help", NULL}, *const train[] = {"train", "exp/good.yaml", "--out", "run", NULL};
    result r = finish(start(help, "/dev/full"), "/dev/full");
    expect(&r, 3);
    assert_string_equal(r.err,
                        "deltoid: standard output: No space left on device; send it to where it can be written\n");
    forget(&r);
    r = finish(start(train, "/dev/full"), "/dev/full");
    expect(&r, 3);
    after(r.err, "; go on with: deltoid train --resume run\n");
    forget(&r);
    r = RUN("eval", "run");
    expect_success(&r);
    forget(&r);
    assert_int_equal(remove_tree("run"), 0);
}

/* Runs the program where no file may be longer than `bytes`, as on a full disk. */
static result run_limited(const char *const *arguments, rlim_t bytes)
{
    struct rlimit before, small_files;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small_files = (struct rlimit){bytes, before.rlim_max};
    /* ThreadSanitizer's start writes more than that to a file of its own and crashes, unless it finds no place for the
     * file. */
    assert_int_equal(setenv("TMPDIR", "/nonexistent", 1), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small_files), 0);
    pid_t pid = start(arguments, "stdout.txt");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(unsetenv("TMPDIR"), 0);
    return finish(pid, "stdout.txt");
}

static void a_limit_of_file_size(void **state)
{
    (void)state;
    static const char *const arguments[] = {
        "train", "exp/good.yaml", "training.epochs=2000", "capture.probe.every=1", "--out", "run", NULL};
    /* Room for no capture; for its beginning, and all of the rest. */
    static const struct {
        rlim_t bytes;
        int epochs; /* at least */
    } cases[] = {{8192, 0}, {1 << 18, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        result r = run_limited(arguments, cases[i].bytes);
        expect(&r, 3);
        assert_ptr_equal(strchr(r.err, '\n'), r.err + strlen(r.err) - 1);
        assert_int_equal(strncmp(r.err, "deltoid: run/capture", 20), 0); /* the index, or a segment */
        after(r.err, ": can't write: File too large; ");
        after(r.err, "; go on with: deltoid train --resume run\n");
        int epochs = 0;
        for (const char *c = r.out; (c = strstr(c, "epoch ")); c++)
            epochs++;
        assert_true(epochs >= cases[i].epochs && epochs < 2000); /* no training whose record is lost */
        forget(&r);
        assert_int_equal(remove_tree("run"), 0);
    }
}

/* --- going on --- */

static void weights_of(const char *folder, char hex[65])
{
    char path[64];
    snprintf(path, sizeof path, "%s/provenance.json", folder);
    char *text = read_file(path);
    const char *key = "\"weights_sha256\": \"", *at = text ? strstr(text, key) : NULL;
    assert_non_null(at);
    snprintf(hex, 65, "%s", at + strlen(key));
    free(text);
}

/* metrics.tsv without the columns that are times. */
static char *metrics_of(const char *folder)
{
    char path[64];
    snprintf(path, sizeof path, "%s/metrics.tsv", folder);
    char *text = read_file(path), *to = text;
    assert_non_null(text);
    int column = 1;
    for (const char *c = text; *c; c++) {
        if (*c == '\t' || *c == '\n')
            column = *c == '\n' ? 1 : column + 1;
        if ((column != 3 && column < 11) || *c == '\n')
            *to++ = *c;
    }
    *to = '\0';
    return text;
}

static void expect_the_whole_run(const char *folder)
{
    char one[65], other[65];
    weights_of("whole", one);
    weights_of(folder, other);
    assert_string_equal(one, other);
    char *metrics = metrics_of("whole"), *same = metrics_of(folder);
    assert_string_equal(metrics, same);
    free(metrics);
    free(same);
    assert_true(capture_is("run/capture.h5", "complete"));
}

static void train_whole(const char *folder, const char *epochs)
{
    result r = RUN("train", "exp/good.yaml", epochs, "--quiet", "--out", folder);
    expect_success(&r);
    forget(&r);
}

static void append(const char *name, const char *text)
{
    FILE *f = fopen(name, "ab");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void a_run_goes_on(void **state)
{
    (void)state;
    train_whole("whole", "training.epochs=5");
    train_whole("run", "training.epochs=3");
    append("run/metrics.tsv", "4\t52\t0.1"); /* a torn row */
    result r = RUN("train", "--resume", "run/", "training.epochs=5", "parallel.threads=3", "parallel.reduction=owner");
    expect_success(&r);
    after(r.out, "going on after step 39 (epoch 3), from run/checkpoints/checkpoint-000039.h5\n");
    forget(&r);
    expect_the_whole_run("run");
    char *provenance = read_file("run/provenance.json");
    after(after(provenance, "\"from_step\": 0"), "\"from_step\": 39");
    free(provenance);

    r = RUN("train", "--resume", "run");
    expect_success(&r);
    assert_int_equal(strncmp(r.out, "complete        5 epochs, 65 steps; ", 36), 0);
    forget(&r);
    r = RUN("eval", "run/checkpoints/checkpoint-000052.h5");
    expect_success(&r);
    forget(&r);
}

static void a_damaged_checkpoint_is_passed_over(void **state)
{
    (void)state;
    train_whole("whole", "training.epochs=5");
    train_whole("run", "training.epochs=3");
    write_text("run/checkpoints/checkpoint-000039.h5", "no HDF5");
    assert_int_equal(unlink("run/model.h5"), 0);
    result r = RUN("train", "--resume", "run", "training.epochs=5", "--quiet");
    expect(&r, 0);
    assert_int_equal(strncmp(r.err, "deltoid: warning: run/checkpoints/checkpoint-000039.h5: ", 56), 0);
    after(r.err, ": the checkpoint before is taken\n");
    forget(&r);
    expect_the_whole_run("run");
    assert_int_equal(remove_tree("run"), 0);

    /* None is good, and the metrics' header is torn: from the beginning. */
    train_whole("run", "training.epochs=3");
    write_text("run/metrics.tsv", "epoch\tst");
    r = RUN("train", "--resume", "run", "training.epochs=5");
    expect(&r, 0);
    after(r.err, "metrics.tsv has not the rows of its epochs");
    assert_int_equal(strncmp(r.out, "going on from the beginning: run has no good checkpoint\n", 56), 0);
    forget(&r);
    expect_the_whole_run("run");
}

static void flip_last_byte(const char *name)
{
    FILE *f = fopen(name, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -1, SEEK_END), 0);
    const int byte = fgetc(f);
    assert_true(byte != EOF && fseek(f, -1, SEEK_END) == 0 && fputc(byte ^ 1, f) != EOF && fclose(f) == 0);
}

static void what_can_not_go_on(void **state)
{
    (void)state;
    train_whole("run", "training.epochs=2");
    static const struct {
        const char *arguments[6];
        const char *begins;
    } cases[] = {
        {{"train", "--resume", "run", "optimizer.learning_rate=0.1"},
         "deltoid: command line: key 'optimizer.learning_rate=0.1': it would change the numbers of a run that goes on"},
        {{"train", "--resume", "run", "training.epochs=1"},
         "deltoid: command line: training.epochs=1: the run has 2 epochs; "},
        {{"train", "--resume", "run", "--out", "other"}, "deltoid: --out has no use with --resume"},
        {{"train", "exp/good.yaml", "--resume", "run"}, "deltoid: 'exp/good.yaml' has no use with --resume"},
        {{"train", "--resume", "nowhere"}, "deltoid: nowhere: No such file or directory; give the folder of a run"},
        {{"train", "--resume", "deep"}, "deltoid: deep: there is no experiment.yaml"},
    };
    assert_int_equal(mkdir("deep", 0700), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        result r = run(cases[i].arguments);
        expect_refusal(&r, 2, cases[i].begins);
    }
    /* Another experiment in its place; other data. */
    char *text = read_file("run/experiment.yaml"), *rate = strstr(text, "momentum: 0.5");
    assert_non_null(rate);
    rate[12] = '4';
    write_text("run/experiment.yaml", text);
    result r = RUN("train", "--resume", "run", "training.epochs=3");
    expect_refusal(&r, 2, "deltoid: run/checkpoints/checkpoint-000026.h5: was made by another experiment");
    rate[12] = '5';
    write_text("run/experiment.yaml", text);
    free(text);
    text = read_file("run/experiment.yaml");
    char *data = strstr(text, "test-x");
    assert_non_null(data);
    memcpy(data, "trainx", 6);
    write_idx("exp/trainx", "exp/trainy", 60);
    write_text("run/experiment.yaml", text);
    r = RUN("train", "--resume", "run", "training.epochs=3");
    expect(&r, 2);
    forget(&r);
    memcpy(data, "test-x", 6);
    write_text("run/experiment.yaml", text);
    free(text);
    flip_last_byte("exp/test-x");
    r = RUN("train", "--resume", "run", "training.epochs=3");
    expect_refusal(&r, 2, "deltoid: run/checkpoints/checkpoint-000026.h5: was trained on other data");
    flip_last_byte("exp/test-x");
    /* A learning rate that goes by the run's length. */
    r = RUN("train", "exp/good.yaml", "schedule.name=one_cycle", "training.epochs=2", "--quiet", "--out", "cycle");
    expect_success(&r);
    forget(&r);
    r = RUN("train", "--resume", "cycle", "training.epochs=3");
    expect_refusal(&r, 2, "deltoid: command line: training.epochs=3: schedule one_cycle goes by the length of the run");
    /* In another process's hands. */
    int fd = open("run/lock", O_RDWR);
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_true(fd >= 0 && fcntl(fd, F_SETLK, &all) == 0);
    r = RUN("train", "--resume", "run", "training.epochs=3");
    expect_refusal(&r, 2, "deltoid: run: another process is training this run; ");
    close(fd);
    r = RUN("train", "--resume", "run", "training.epochs=3", "--quiet");
    expect_success(&r);
    forget(&r);
}

static void a_stopped_run_goes_on_and_early_stopping_too(void **state)
{
    (void)state;
    static const char *const arguments[] = {"train",
                                            "exp/good.yaml",
                                            "training.epochs=400",
                                            "data.validation.fraction=0.2",
                                            "training.early_stopping.patience=300",
                                            "capture.probe.every=50",
                                            "checkpoint.every=none",
                                            "--out",
                                            "run",
                                            NULL};
    result r = RUN("train", "exp/good.yaml", "training.epochs=400", "data.validation.fraction=0.2",
                   "training.early_stopping.patience=300", "capture.probe.every=50", "--quiet", "--out", "whole");
    expect_success(&r);
    forget(&r);
    pid_t pid = start(arguments, "stdout.txt");
    wait_for_lines(pid, "run/metrics.tsv", 3);
    kill(pid, SIGTERM);
    r = finish(pid, "stdout.txt");
    if (r.status != 0) { /* it was not faster than this test */
        expect(&r, 128 + SIGTERM);
        forget(&r);
        r = RUN("train", "--resume", "run", "--quiet");
        expect_success(&r);
    }
    forget(&r);
    expect_the_whole_run("run");
}

static void divergence_is_an_answer(void **state)
{
    (void)state;
    result r = RUN("train", "exp/good.yaml", "optimizer.learning_rate=1000000", "loss=squared_error",
                   "training.epochs=50", "network.0.activation=linear", "--out", "run");
    expect(&r, 1);
    assert_int_equal(strncmp(r.err, "deltoid: training diverged: ", 28), 0);
    after(r.err, "step ");
    after(r.err, "; the run so far is in run\n");
    forget(&r);
    assert_true(exists("run/metrics.tsv"));
    assert_false(exists("run/model.h5"));
    assert_int_equal(remove_tree("run"), 0);
}

static void a_folder_that_can_not_be_made(void **state)
{
    (void)state;
    write_text("file", "");
    result r = RUN("train", "exp/good.yaml", "--out", "file/run");
    expect_refusal(&r, 3, "deltoid: file/run: can't be made: Not a directory; ");
    r = RUN("train", "exp/good.yaml", "--out", "file");
    expect_refusal(&r, 2, "deltoid: file: exists already; ");
}

static void a_check_of_an_experiment(void **state)
{
    (void)state;
    result r = RUN("check", "exp/good.yaml", "--steps", "2", "--weights", "7");
    expect_success(&r);
    assert_non_null(strstr(r.out, "before training (step 0)\n"));
    assert_non_null(strstr(r.out, "\nafter 2 steps of training\n"));
    assert_non_null(strstr(r.out, "gate circuit"));
    assert_non_null(strstr(r.out, "plain sum"));
    assert_non_null(strstr(r.out, " 7 of ")); /* as many weights as asked for, and of how many */
    assert_non_null(strstr(r.out, "finite differences"));
    assert_non_null(strstr(r.out, "\nright: "));
    assert_null(strstr(r.out, "WRONG"));
    forget(&r);
    r = RUN("check", "exp/good.yaml", "--weights", "0");
    expect_refusal(&r, 2, "deltoid: --weights: '0' is out of range; ");
    r = RUN("check", "exp/good.yaml", "network.0.activation=rleu");
    expect_refusal(
        &r, 2,
        "deltoid: command line: key 'network.0.activation=rleu': network.0.activation: unknown activation 'rleu'; ");
}

#define TEST(function) cmocka_unit_test_setup(function, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(help_and_version),
        TEST(a_bad_command_line),
        TEST(bad_experiments_are_refused_at_their_place),
        TEST(hostile_experiments_are_refused),
        TEST(overrides_are_refused_by_their_text),
        TEST(data_that_is_not_there),
        TEST(the_resolved_experiment_is_a_fixed_point),
        TEST(a_dry_run_makes_nothing),
        TEST(json_of_a_plan_and_of_a_run),
        TEST(a_plan_is_kept),
        TEST(a_run_leaves_its_folder),
        TEST(a_profile_of_a_run),
        TEST(a_profile_of_a_run_that_ends_early),
        TEST(runs_side_by_side),
        TEST(evaluation_of_a_run),
        TEST(a_check_of_an_experiment),
        TEST(a_run_without_a_test_set),
        TEST(pictures_of_a_run),
        TEST(signals_stop_after_the_model_is_written),
        TEST(a_killed_run_keeps_its_capture),
        TEST(colours_and_redrawing_are_for_terminals),
        TEST(output_that_can_not_be_written),
        TEST(a_limit_of_file_size),
        TEST(a_run_goes_on),
        TEST(a_damaged_checkpoint_is_passed_over),
        TEST(what_can_not_go_on),
        TEST(a_stopped_run_goes_on_and_early_stopping_too),
        TEST(divergence_is_an_answer),
        TEST(a_folder_that_can_not_be_made),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
