/* The experiment file: read, overridden, written, read again. In this process, so that memory can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/config.h"
#include "cli/text.h"
#include "counting_memory.h"

static const char small[] = "data: {format: idx, train: {inputs: a, labels: b}}\n"
                            "network: [{units: 2}]\n"
                            "loss: cross_entropy\n";

static const char everything[] =
    "name: all.of-it_1\n"
    "seed: 18446744073709551615\n"
    "precision: float64\n"
    "data:\n"
    "  format: idx\n"
    "  train: {inputs: ./a//b.gz, labels: \"c \\\"d\\\\: #\"}\n"
    "  test: {inputs: /e/./f, labels: ../g}\n"
    "  validation: {inputs: 'h', labels: \xc3\xa4}\n"
    "  scale: 1e-5\n"
    "network:\n"
    "  - {units: 5, activation: tanh, init: zeros}\n"
    "  - units: 3\n"
    "loss: squared_error\n"
    "optimizer: {name: sgd, learning_rate: 0.1, momentum: .9, nesterov: true, weight_decay: 3.}\n"
    "schedule: {name: step, every: 2, factor: 0.3333333333333333}\n"
    "checkpoint: {every: 0, keep: 3, best: true}\n"
    "training: {epochs: 3, batch_size: 32, shuffle: false}\n"
    "parallel: {threads: 2, shard_size: 8, reduction: owner, groups: 2}\n"
    "capture:\n"
    "  one: {quantities: [db, W, a], layers: [2, 0, 1], steps: log, samples: batch}\n"
    "  2: {quantities: [a], layers: [0], steps: [0, 5], samples: [3, 1]}\n"
    "  yes: {every: 7, samples: 9}\n";

static const char everything_resolved[] = "name: all.of-it_1\n"
                                          "seed: 18446744073709551615\n"
                                          "precision: float64\n"
                                          "data:\n"
                                          "  format: idx\n"
                                          "  train:\n"
                                          "    inputs: /home/me/a/b.gz\n"
                                          "    labels: \"/home/me/c \\\"d\\\\: #\"\n"
                                          "  test:\n"
                                          "    inputs: /e/f\n"
                                          "    labels: /home/me/../g\n"
                                          "  validation:\n"
                                          "    inputs: /home/me/h\n"
                                          "    labels: \"/home/me/\xc3\xa4\"\n"
                                          "  scale: 1.0e-05\n"
                                          "  noise: 0\n"
                                          "  targets: classes\n"
                                          "  standardize: false\n"
                                          "  min_max: false\n"
                                          "  window: auto\n"
                                          "  block: auto\n"
                                          "network:\n"
                                          "  - units: 5\n"
                                          "    activation: tanh\n"
                                          "    init: zeros\n"
                                          "    dropout: 0\n"
                                          "    max_norm: 0\n"
                                          "  - units: 3\n"
                                          "    activation: linear\n"
                                          "    init: glorot_uniform\n"
                                          "    dropout: 0\n"
                                          "    max_norm: 0\n"
                                          "loss: squared_error\n"
                                          "optimizer:\n"
                                          "  name: sgd\n"
                                          "  learning_rate: 0.1\n"
                                          "  momentum: 0.9\n"
                                          "  nesterov: true\n"
                                          "  dampening: 0\n"
                                          "  weight_decay: 3\n"
                                          "  l1: 0\n"
                                          "  clip_norm: 0\n"
                                          "  clip_value: 0\n"
                                          "schedule:\n"
                                          "  name: step\n"
                                          "  every: 2\n"
                                          "  factor: 0.3333333333333333\n"
                                          "  warmup: 0\n"
                                          "  warmup_factor: 0.3333333333333333\n"
                                          "training:\n"
                                          "  epochs: 3\n"
                                          "  batch_size: 32\n"
                                          "  shuffle: false\n"
                                          "  early_stopping:\n"
                                          "    patience: none\n"
                                          "    metric: validation_loss\n"
                                          "    min_delta: 0\n"
                                          "    restore_best: false\n"
                                          "parallel:\n"
                                          "  threads: 2\n"
                                          "  shard_size: 8\n"
                                          "  reduction: owner\n"
                                          "  groups: 2\n"
                                          "capture:\n"
                                          "  one:\n"
                                          "    quantities: [W, a, db]\n"
                                          "    layers: [2, 0, 1]\n"
                                          "    steps: log\n"
                                          "    samples: batch\n"
                                          "    compression: none\n"
                                          "    compression_level: auto\n"
                                          "    queue: block\n"
                                          "  \"2\":\n"
                                          "    quantities: [a]\n"
                                          "    layers: [0]\n"
                                          "    steps: [0, 5]\n"
                                          "    samples: [3, 1]\n"
                                          "    compression: none\n"
                                          "    compression_level: auto\n"
                                          "    queue: block\n"
                                          "  \"yes\":\n"
                                          "    quantities: [z, a, delta]\n"
                                          "    layers: all\n"
                                          "    every: 7\n"
                                          "    samples: 9\n"
                                          "    compression: none\n"
                                          "    compression_level: auto\n"
                                          "    queue: block\n"
                                          "capture_budget: none\n"
                                          "checkpoint:\n"
                                          "  every: none\n"
                                          "  keep: 3\n"
                                          "  best: validation_loss\n";

static dt_status parse(dt_config *config, const char *text, const char *label, const char *const *overrides,
                       size_t count, dt_error *error)
{
    return dt_config_parse(config, text, strlen(text), label, "/home/me", overrides, count, error);
}

static void all_keys_are_read_and_written(void **state)
{
    (void)state;
    dt_config c, again;
    dt_error error = {0};
    parse(&c, everything, "x.yaml", NULL, 0, &error);
    assert_string_equal(error.message, "");
    assert_string_equal(c.text, everything_resolved);
    assert_int_equal(c.text_size, strlen(everything_resolved));
    const dt_experiment *e = &c.experiment;
    assert_true(e->seed == UINT64_MAX && e->precision == DT_FLOAT64);
    assert_string_equal(e->data.train.labels, "/home/me/c \"d\\: #");
    assert_true(e->data.scale == 1e-5 && e->optimizer.momentum == 0.9 && e->optimizer.weight_decay == 3);
    assert_int_equal(e->layer_count, 2);
    assert_int_equal(e->capture_count, 3);
    assert_string_equal(e->capture[1].name, "2");
    assert_true(e->capture[0].steps_log && e->capture[0].every == 0);
    assert_int_equal(e->capture[0].quantities, 1u << DT_QUANTITY_W | 1u << DT_QUANTITY_A | 1u << DT_QUANTITY_DB);
    assert_int_equal(e->capture[1].samples, DT_SAMPLES_ROWS);
    assert_int_equal(e->capture[1].sample_rows[0], 3);
    assert_int_equal(e->capture[1].step_count, 2);

    assert_int_equal(parse(&again, c.text, "y.yaml", NULL, 0, &error), DT_OK);
    assert_string_equal(again.text, c.text);
    dt_config_clear(&again);
    dt_config_clear(&c);
}

static void the_name_comes_from_the_file(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"dir/first.try.yaml", "first.try"},
                                           {"plain", "plain"},
                                           {"my file\xc3\xa9.yml", "my-file--"},
                                           {"/a/.hidden", "-hidden"},
                                           {"a/", "experiment"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_config c;
        assert_int_equal(parse(&c, small, cases[i][0], NULL, 0, NULL), DT_OK);
        assert_string_equal(c.experiment.name, cases[i][1]);
        dt_config_clear(&c);
    }
}

/* Bit patterns of doubles from all over, and those next to powers of ten and two. */
static void numbers_survive_writing(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        double value, back;
        uint64_t pattern = i % 3 ? bits : bits & ~UINT64_C(0xffffffffff);
        memcpy(&value, &pattern, sizeof value);
        if (value - value != 0)
            continue;
        dt_text text = {0};
        dt_text_add_real(&text, value);
        assert_false(text.failed);
        back = strtod(text.bytes, NULL);
        assert_memory_equal(&back, &value, sizeof value);
        assert_true(!strchr(text.bytes, 'e') || strchr(text.bytes, '.'));
        dt_text_clear(&text);
    }
}

static void overrides_come_in_order_and_from_here(void **state)
{
    (void)state;
    char here[512], expected[600];
    assert_non_null(getcwd(here, sizeof here));
    static const char *const overrides[] = {"training.epochs=3",
                                            "network.0.units=64",
                                            "network.0.activation=relu",
                                            "network.1.units=4",
                                            "training.epochs=4",
                                            "data.test.inputs=x/y",
                                            "data.test.labels=/z",
                                            "capture.p.layers=[1,2]",
                                            "capture.p.quantities=[a]",
                                            "schedule={name: step}",
                                            "name=foo",
                                            "parallel.threads=auto",
                                            "capture.q.samples=batch",
                                            "network.2={units: 9}",
                                            "seed=0"};
    dt_config c;
    dt_error error = {0};
    parse(&c, small, "x", overrides, sizeof overrides / sizeof *overrides, &error);
    assert_string_equal(error.message, "");
    const dt_experiment *e = &c.experiment;
    assert_int_equal(e->training.epochs, 4);
    assert_int_equal(e->layer_count, 3);
    assert_int_equal(e->network[0].units, 64);
    assert_int_equal(e->network[1].units, 4);
    assert_int_equal(e->network[2].units, 9);
    snprintf(expected, sizeof expected, "%s/x/y", here);
    assert_string_equal(e->data.test.inputs, expected);
    assert_string_equal(e->data.test.labels, "/z");
    assert_string_equal(e->data.train.inputs, "/home/me/a");
    assert_int_equal(e->capture_count, 2);
    assert_int_equal(e->capture[0].layer_count, 2);
    assert_int_equal(e->capture[1].samples, DT_SAMPLES_BATCH);
    assert_string_equal(e->schedule.name, "step");
    assert_string_equal(e->name, "foo");
    assert_int_equal(e->seed, 0);
    dt_config_clear(&c);
}

/* They apply before anything is understood, so that they can mend a file. */
static void overrides_replace_what_is_wrong(void **state)
{
    (void)state;
    static const char *const mend[] = {"training={epochs: 2}", "capture.p.every=5"};
    char text[512];
    snprintf(text, sizeof text, "%straining: nonsense\ncapture:\n", small);
    dt_config c;
    dt_error error = {0};
    assert_int_equal(parse(&c, text, "x", NULL, 0, NULL), DT_INVALID);
    parse(&c, text, "x", mend, 2, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(c.experiment.training.epochs, 2);
    assert_int_equal(c.experiment.capture[0].every, 5);
    dt_config_clear(&c);
}

/* A name with parameters: as a word or as a section; parameters that aren't the defaults are written. */
static void choices_are_read_and_written(void **state)
{
    (void)state;
    static const char text[] = "data: {format: idx, train: {inputs: a, labels: b}}\n"
                               "network:\n"
                               "- {units: 3, activation: {name: elu, alpha: 0.5}, init: {name: normal, std: 0.25}}\n"
                               "- {units: 3, activation: {name: leaky_relu}}\n"
                               "- units: 2\n"
                               "loss: {name: cross_entropy, class_weights: [1, 2.5]}\n";
    dt_config c, again;
    dt_error error = {0};
    assert_int_equal(parse(&c, text, "x", NULL, 0, &error), DT_OK);
    const dt_experiment *e = &c.experiment;
    assert_true(dt_activation_parameter(&e->network[0]) == 0.5 && dt_init_parameter(&e->network[0]) == 0.25);
    assert_true(dt_activation_parameter(&e->network[1]) == 0.01 && dt_init_parameter(&e->network[1]) == 0);
    assert_int_equal(e->loss_options.class_weight_count, 2);
    assert_true(e->loss_options.class_weights[1] == 2.5 && e->loss_options.margin == 1);
    assert_non_null(strstr(c.text, "activation: {name: elu, alpha: 0.5}\n"));
    assert_non_null(strstr(c.text, "init: {name: normal, std: 0.25}\n"));
    assert_non_null(strstr(c.text, "activation: leaky_relu\n"));
    assert_non_null(strstr(c.text, "loss: {name: cross_entropy, class_weights: [1, 2.5]}\n"));
    assert_int_equal(parse(&again, c.text, "x", NULL, 0, &error), DT_OK);
    assert_string_equal(again.text, c.text);
    dt_config_clear(&again);
    dt_config_clear(&c);
    /* A parameter put behind a word opens it. */
    static const char *const overrides[] = {"loss=huber", "loss.delta=3"};
    assert_int_equal(parse(&c, small, "x", overrides, 2, &error), DT_OK);
    assert_string_equal(c.experiment.loss, "huber");
    assert_true(c.experiment.loss_options.delta == 3);
    dt_config_clear(&c);
}

static void wrong_choices_are_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *override, *text;
    } cases[] = {
        {"loss={name: huber, margin: 1}", "loss.margin: has no effect with loss.name: huber"},
        {"loss={delta: 1}", "loss.name is missing"},
        {"loss={name: huber, dleta: 1}", "loss: unknown key 'dleta'; did you mean 'delta'? valid here: name, margin"},
        {"loss={name: hubert}", "loss: unknown loss 'hubert'; did you mean 'huber'?"},
        {"loss={name: huber, delta: 0}", "loss.delta: 0 is out of range"},
        {"loss={name: huber, delta: x}", "loss.delta: can't be 'x'"},
        {"loss.class_weights=[]", "loss.class_weights: can't be a list"},
        {"loss.class_weights=[1, a]", "loss.class_weights: can't be 'a'; give a list, each a number above 0"},
        {"network.0.init={name: normal, std: 0}", "network.0.init.std: 0 is out of range"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_config c;
        dt_error error = {0};
        if (parse(&c, small, "x", &cases[i].override, 1, &error) == DT_OK)
            fail_msg("%s is taken", cases[i].override);
        if (!strstr(error.message, cases[i].text))
            fail_msg("%s: %s", cases[i].override, error.message);
        dt_config_clear(&c);
    }
}

static void the_hash_is_of_the_text(void **state)
{
    (void)state;
    dt_config a, b;
    char of_a[13], of_b[13];
    const char *const seed = "seed=2";
    assert_int_equal(parse(&a, small, "x", NULL, 0, NULL), DT_OK);
    assert_int_equal(parse(&b, a.text, "other", NULL, 0, NULL), DT_OK);
    dt_config_hash(&a, of_a);
    dt_config_hash(&b, of_b);
    assert_string_equal(of_a, of_b);
    assert_int_equal(strspn(of_a, "0123456789abcdef"), 12);
    dt_config_clear(&b);
    assert_int_equal(parse(&b, small, "x", &seed, 1, NULL), DT_OK);
    dt_config_hash(&b, of_b);
    assert_string_not_equal(of_a, of_b);
    dt_config_clear(&b);
    dt_config_clear(&a);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const overrides[] = {"capture.new.layers=[1]", "data.test.inputs=t"};
    counting_memory memory;
    for (long n = 1;; n++) {
        dt_config c;
        dt_error error = {0};
        count_memory(&memory, n);
        dt_status status = parse(&c, everything, "x.yaml", overrides, 2, &error);
        bool reached = memory.calls >= n;
        if (status == DT_OK)
            dt_config_clear(&c);
        assert_int_equal(memory.blocks, 0);
        dt_memory_hook(NULL, NULL, NULL);
        if (!reached) {
            assert_int_equal(status, DT_OK);
            assert_true(n > 20);
            break;
        }
        assert_int_equal(status, DT_NO_MEMORY);
        assert_int_equal(error.status, DT_NO_MEMORY);
        assert_non_null(strstr(error.message, "out of memory"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_keys_are_read_and_written),   cmocka_unit_test(the_name_comes_from_the_file),
        cmocka_unit_test(numbers_survive_writing),         cmocka_unit_test(overrides_come_in_order_and_from_here),
        cmocka_unit_test(overrides_replace_what_is_wrong), cmocka_unit_test(the_hash_is_of_the_text),
        cmocka_unit_test(choices_are_read_and_written),    cmocka_unit_test(wrong_choices_are_one_line),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
