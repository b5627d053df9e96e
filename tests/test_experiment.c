/* Defaults and checks of experiments that a program fills itself; the table of keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "deltoid/deltoid.h"
#include "train/keys.h"

typedef struct sample {
    dt_experiment experiment;
    dt_layer_spec layers[2];
    dt_capture_rule rule;
} sample;

static const int64_t two_layers[] = {0, 2}, ascending[] = {0, 3, 9};

static void make(sample *s)
{
    dt_experiment *e = &s->experiment;
    dt_experiment_init(e);
    e->loss = "cross_entropy";
    e->network = s->layers;
    e->layer_count = 2;
    for (int l = 0; l < 2; l++)
        dt_key_defaults(DT_OF_LAYER, &s->layers[l]);
    s->layers[0].units = 7;
    s->layers[0].activation = "relu";
    s->layers[1].units = 3;
    dt_key_defaults(DT_OF_RULE, &s->rule);
    s->rule.name = "probe";
    e->capture = &s->rule;
    e->capture_count = 1;
}

/* Those of one optimizer or schedule, in place of the last one's. */
static void named_defaults(void **state)
{
    (void)state;
    dt_experiment e;
    dt_experiment_init(&e);
    e.optimizer.momentum = 0.5;
    dt_experiment_set_optimizer(&e, "adamw");
    assert_string_equal(e.optimizer.name, "adamw");
    assert_true(e.optimizer.learning_rate == 0.001 && e.optimizer.weight_decay == 0.01 && e.optimizer.momentum == 0);
    assert_true(e.optimizer.beta1 == 0.9 && e.optimizer.beta2 == 0.999 && e.optimizer.epsilon == 1e-8);
    dt_experiment_set_optimizer(&e, "adadelta");
    assert_true(e.optimizer.learning_rate == 1 && e.optimizer.rho == 0.9 && e.optimizer.epsilon == 1e-6);
    assert_true(e.optimizer.weight_decay == 0);
    dt_experiment_set_optimizer(&e, "rmsprop");
    assert_true(e.optimizer.learning_rate == 0.01 && e.optimizer.rho == 0.99);
    dt_experiment_set_schedule(&e, "exponential");
    assert_true(e.schedule.factor == 0.95);
    dt_experiment_set_schedule(&e, "step");
    assert_true(e.schedule.factor == 0.1);
    dt_experiment_clear(&e);
}

static void documented_defaults(void **state)
{
    (void)state;
    dt_experiment e;
    dt_experiment_init(&e);
    assert_int_equal(e.seed, 1);
    assert_int_equal(e.precision, DT_FLOAT32);
    assert_null(e.data.train.inputs);
    assert_null(e.data.test.inputs);
    assert_true(e.data.validation_fraction == 0 && e.data.scale == 1);
    assert_int_equal(e.layer_count, 0);
    assert_null(e.loss);
    assert_string_equal(e.optimizer.name, "sgd");
    assert_true(e.optimizer.learning_rate == 0.01 && e.optimizer.momentum == 0 && e.optimizer.weight_decay == 0);
    assert_false(e.optimizer.nesterov);
    assert_string_equal(e.schedule.name, "constant");
    assert_int_equal(e.schedule.every, 10);
    assert_true(e.schedule.factor == 0.1);
    assert_int_equal(e.training.epochs, 10);
    assert_int_equal(e.training.batch_size, 128);
    assert_true(e.training.shuffle);
    assert_int_equal(e.parallel.threads, 0);
    assert_int_equal(e.parallel.shard_size, 0);
    assert_string_equal(e.parallel.reduction, "tree");
    assert_null(e.arena);
    dt_experiment_clear(&e);

    dt_layer_spec layer;
    dt_key_defaults(DT_OF_LAYER, &layer);
    assert_string_equal(layer.activation, "linear");
    assert_string_equal(layer.init, "glorot_uniform");
    dt_capture_rule rule;
    dt_key_defaults(DT_OF_RULE, &rule);
    assert_int_equal(rule.quantities, 1u << DT_QUANTITY_Z | 1u << DT_QUANTITY_A | 1u << DT_QUANTITY_DELTA);
    assert_null(rule.layers);
    assert_int_equal(rule.every, 100);
    assert_int_equal(rule.samples, DT_SAMPLES_FIRST);
    assert_int_equal(rule.sample_count, 64);
}

static void a_filled_experiment_is_valid(void **state)
{
    (void)state;
    sample s;
    make(&s);
    dt_error error = {0};
    assert_int_equal(dt_experiment_validate(&s.experiment, &error), DT_OK);
    assert_string_equal(error.message, "");
    assert_int_equal(dt_experiment_validate(&s.experiment, NULL), DT_OK);
    s.experiment.capture_count = 0;
    assert_int_equal(dt_experiment_validate(&s.experiment, NULL), DT_OK);
}

/* Spoils one thing, and says how the message must begin. */
#define SPOILS(X)                                                                                                      \
    X(s->experiment.name = ".hidden", "name: '.hidden' can't name")                                                    \
    X(s->experiment.name = "a/b", "name: 'a/b'")                                                                       \
    X(s->experiment.name = "", "name: ''")                                                                             \
    X(s->experiment.name = NULL, "name: ''")                                                                           \
    X(s->experiment.precision = (dt_precision)7, "precision: unknown")                                                 \
    X(s->experiment.data.format = "idy", "data.format: unknown data format 'idy'; did you mean 'idx'?")                \
    X(s->experiment.data.train.inputs = "a\nb", "data.train.inputs: 'a?b' can't be")                                   \
    X(s->experiment.data.test.labels = "", "data.test.labels: ''")                                                     \
    X(s->experiment.data.scale = 0, "data.scale: 0 is out of range")                                                   \
    X(s->experiment.data.scale = NAN, "data.scale: nan is out of range")                                               \
    X(s->experiment.data.validation_fraction = 1, "data.validation.fraction: 1 is out of range")                       \
    X((s->experiment.data.validation_fraction = .5, s->experiment.data.validation.inputs = "x"),                       \
      "data.validation.fraction: files are given")                                                                     \
    X(s->experiment.data.validation.labels = "x", "data.validation.labels: labels without inputs")                     \
    X((s->experiment.loss = "multiclass_svm", s->experiment.loss_options.margin = -1),                                 \
      "loss.margin: -1 is out of range")                                                                               \
    X(s->experiment.loss_options.label_smoothing = 2, "loss.label_smoothing: 2 is out of range")                       \
    X((s->experiment.loss_options.class_weights = &s->experiment.data.validation_fraction,                             \
       s->experiment.loss_options.class_weight_count = 1),                                                             \
      "loss.class_weights.0: 0 is out of range")                                                                       \
    X((s->layers[0].activation = "leaky_relu", s->layers[0].negative_slope = -1),                                      \
      "network.0.activation.negative_slope: -1 is out of range")                                                       \
    X(s->experiment.layer_count = 0, "network: 0 layers")                                                              \
    X(s->experiment.layer_count = 65, "network: 65 layers")                                                            \
    X(s->experiment.network = NULL, "network: ")                                                                       \
    X(s->layers[1].units = 0, "network.1.units: 0 is out of range; give a whole number from 1 to 1048576")             \
    X(s->layers[0].units = 1048577, "network.0.units: 1048577 is out of range")                                        \
    X(s->layers[0].activation = "rleu",                                                                                \
      "network.0.activation: unknown activation 'rleu'; did you mean 'relu'? valid: linear")                           \
    X(s->layers[0].activation = NULL, "network.0.activation: missing")                                                 \
    X(s->layers[0].init = "he", "network.0.init: unknown initializer 'he'")                                            \
    X(s->layers[1].activation = "relu", "network.1.activation: the last layer has no activation")                      \
    X(s->experiment.loss = NULL, "loss: missing")                                                                      \
    X(s->experiment.loss = "huh", "loss: unknown loss 'huh'")                                                          \
    X(s->experiment.optimizer.name = "sdg", "optimizer.name: unknown optimizer 'sdg'; did you mean 'sgd'?")            \
    X(s->experiment.optimizer.learning_rate = 0, "optimizer.learning_rate: 0 is out of range; give a number above 0")  \
    X(s->experiment.optimizer.learning_rate = INFINITY, "optimizer.learning_rate: inf is out of range")                \
    X(s->experiment.optimizer.momentum = 1, "optimizer.momentum: 1 is out of range; give a number from 0 to below 1")  \
    X(s->experiment.optimizer.momentum = -0.1, "optimizer.momentum: -0.1")                                             \
    X(s->experiment.optimizer.nesterov = true, "optimizer.nesterov: needs momentum")                                   \
    X(s->experiment.optimizer.weight_decay = -1, "optimizer.weight_decay: -1 is out of range")                         \
    X(s->experiment.schedule.name = "steps", "schedule.name: unknown schedule 'steps'; did you mean 'step'?")          \
    X((s->experiment.schedule.name = "step", s->experiment.schedule.every = 0), "schedule.every: 0 is out of range")   \
    X((s->experiment.schedule.name = "step", s->experiment.schedule.factor = 1.5),                                     \
      "schedule.factor: 1.5 is out of range")                                                                          \
    X((s->experiment.optimizer.momentum = .9, s->experiment.optimizer.nesterov = true,                                 \
       s->experiment.optimizer.dampening = .1),                                                                        \
      "optimizer.dampening: nesterov allows none")                                                                     \
    X((dt_experiment_set_optimizer(&s->experiment, "adam"), s->experiment.optimizer.beta2 = 1),                        \
      "optimizer.beta2: 1 is out of range; give a number from 0 to below 1")                                           \
    X((dt_experiment_set_optimizer(&s->experiment, "adam"), s->experiment.optimizer.epsilon = 0),                      \
      "optimizer.epsilon: 0 is out of range")                                                                          \
    X((dt_experiment_set_optimizer(&s->experiment, "rprop"), s->experiment.optimizer.step_min = 60),                   \
      "optimizer.step_min: is above optimizer.step_max, 50")                                                           \
    X(s->experiment.optimizer.clip_norm = -1, "optimizer.clip_norm: -1 is out of range")                               \
    X(s->layers[0].dropout = 1, "network.0.dropout: 1 is out of range; give a number from 0 to below 1")               \
    X(s->layers[1].dropout = .5, "network.1.dropout: the last layer has none")                                         \
    X(s->layers[0].max_norm = -1, "network.0.max_norm: -1 is out of range")                                            \
    X(s->experiment.data.noise = NAN, "data.noise: nan is out of range")                                               \
    X(dt_experiment_set_schedule(&s->experiment, "multi_step"), "schedule.milestones: none are given")                 \
    X((s->experiment.schedule.name = "multi_step", s->experiment.schedule.milestones = (dt_integers){from_zero, 2}),   \
      "schedule.milestones.0: 0 is out of range")                                                                      \
    X((s->experiment.schedule.name = "multi_step", s->experiment.schedule.milestones = (dt_integers){twice, 2}),       \
      "schedule.milestones.1: 3 doesn't follow 3")                                                                     \
    X(s->experiment.training.epochs = 0, "training.epochs: 0 is out of range")                                         \
    X(s->experiment.training.batch_size = -1, "training.batch_size: -1 is out of range")                               \
    X(s->experiment.parallel.threads = 1025,                                                                           \
      "parallel.threads: 1025 is out of range; give a whole number from 1 to 1024, or auto")                           \
    X(s->experiment.parallel.shard_size = -1, "parallel.shard_size: -1 is out of range")                               \
    X(s->experiment.parallel.reduction = "tre", "parallel.reduction: unknown reduction 'tre'; did you mean 'tree'?")   \
    X(s->experiment.capture = NULL, "capture: ")                                                                       \
    X(s->experiment.capture_count = 1000, "capture: 1000 rules")                                                       \
    X(s->rule.name = "a.b", "capture: 'a.b' can't name a rule")                                                        \
    X(s->rule.name = NULL, "capture: '' can't name a rule")                                                            \
    X(s->rule.quantities = 0, "capture.probe.quantities: nothing is captured")                                         \
    X(s->rule.quantities = 1u << DT_QUANTITIES, "capture.probe.quantities: ")                                          \
    X((s->rule.layers = ascending, s->rule.layer_count = 2), "capture.probe.layers.1: there is no layer 3")            \
    X((s->rule.layers = ascending, s->rule.layer_count = 0), "capture.probe.layers: an empty list")                    \
    X((s->rule.layers = two_layers, s->rule.layer_count = 2, s->rule.quantities = 1u << DT_QUANTITY_Z),                \
      "capture.probe.layers.0: layer 0 has the quantity a alone")                                                      \
    X(s->rule.every = -1, "capture.probe.every: -1 is out of range")                                                   \
    X(s->rule.every = 0, "capture.probe.every: 0 is out of range; give every or steps")                                \
    X(s->rule.steps_log = true, "capture.probe.steps: both every and steps")                                           \
    X((s->rule.every = 0, s->rule.steps = descending, s->rule.step_count = 2), "capture.probe.steps.1: 2 follows 5")   \
    X((s->rule.every = 0, s->rule.steps = ascending, s->rule.step_count = 0), "capture.probe.steps: an empty list")    \
    X((s->rule.every = 0, s->rule.steps = negative, s->rule.step_count = 1),                                           \
      "capture.probe.steps.0: -1 is out of range")                                                                     \
    X(s->rule.sample_count = 0, "capture.probe.samples: 0 is out of range")                                            \
    X((s->rule.samples = DT_SAMPLES_ROWS, s->rule.sample_count = 0), "capture.probe.samples: 0 rows")                  \
    X((s->rule.samples = DT_SAMPLES_ROWS, s->rule.sample_rows = negative, s->rule.sample_count = 1),                   \
      "capture.probe.samples.0: -1 is no row")

static const int64_t descending[] = {5, 2}, negative[] = {-1}, twice[] = {3, 3}, from_zero[] = {0, 3};

static void check_message(sample *s, const char *what, const char *begins)
{
    dt_error error = {0};
    dt_status status = dt_experiment_validate(&s->experiment, &error);
    if (status == DT_OK || status != error.status || strncmp(error.message, begins, strlen(begins)) != 0)
        fail_msg("%s: status %d, message '%s'; expected '%s...'", what, status, error.message, begins);
    assert_int_equal(dt_status_exit(status), 2);
    assert_int_equal(dt_experiment_validate(&s->experiment, NULL), status);
}

static void every_wrong_value_is_named(void **state)
{
    (void)state;
    sample own, *s = &own;
#define CHECK_SPOILED(spoil, begins)                                                                                   \
    make(s);                                                                                                           \
    spoil;                                                                                                             \
    check_message(s, #spoil, begins);
    SPOILS(CHECK_SPOILED)
#undef CHECK_SPOILED
}

static void two_rules_of_one_name(void **state)
{
    (void)state;
    sample s;
    make(&s);
    dt_capture_rule rules[2] = {s.rule, s.rule};
    s.experiment.capture = rules;
    s.experiment.capture_count = 2;
    check_message(&s, "two rules", "capture.probe: two rules have this name");
    rules[1].name = "other";
    assert_int_equal(dt_experiment_validate(&s.experiment, NULL), DT_OK);
}

static void what_is_at_the_edge_is_inside(void **state)
{
    (void)state;
    sample s;
    make(&s);
    dt_experiment *e = &s.experiment;
    e->seed = UINT64_MAX;
    e->data.validation_fraction = 0.999;
    e->optimizer.momentum = 0;
    e->optimizer.learning_rate = 1e-300;
    e->schedule.factor = 1;
    e->training.epochs = e->training.batch_size = e->schedule.every = 1;
    e->parallel.threads = 1024;
    s.layers[0].units = 1048576;
    s.rule.layers = two_layers;
    s.rule.layer_count = 2;
    s.rule.every = 0;
    s.rule.steps = ascending;
    s.rule.step_count = 3;
    s.rule.samples = DT_SAMPLES_BATCH;
    s.rule.sample_count = 0;
    dt_error error = {0};
    dt_experiment_validate(e, &error);
    assert_string_equal(error.message, "");
}

/* The documented function: B up to 16, else the largest power of two s with s * s <= 8 B. */
static void shard_size_is_the_documented_function(void **state)
{
    (void)state;
    assert_int_equal(dt_shard_size_auto(32), 16);
    assert_int_equal(dt_shard_size_auto(128), 32);
    assert_int_equal(dt_shard_size_auto(512), 64);
    for (int64_t batch = 1; batch <= 1 << 20; batch = batch < 4096 ? batch + 1 : batch * 3 / 2) {
        int64_t s = dt_shard_size_auto(batch);
        if (batch <= 16) {
            assert_int_equal(s, batch);
            continue;
        }
        assert_true((s & (s - 1)) == 0);
        assert_true(s * s <= 8 * batch && 4 * s * s > 8 * batch);
    }
}

static void names_of_precisions_and_quantities(void **state)
{
    (void)state;
    assert_string_equal(dt_precision_name(DT_FLOAT32), "float32");
    assert_string_equal(dt_precision_name(DT_FLOAT64), "float64");
    assert_int_equal(dt_precision_size(DT_FLOAT32), sizeof(float));
    assert_int_equal(dt_precision_size(DT_FLOAT64), sizeof(double));
    static const char *const names[] = {"W", "b", "z", "a", "delta", "dW", "db"};
    assert_int_equal(DT_QUANTITIES, 7);
    for (int q = 0; q < DT_QUANTITIES; q++)
        assert_string_equal(dt_quantity_name((dt_quantity)q), names[q]);
}

/* What reading, writing and help rely on. */
static void the_table_of_keys_is_whole(void **state)
{
    (void)state;
    const dt_key *key;
    for (size_t i = 0; (key = dt_key_at(i)); i++) {
        assert_ptr_equal(dt_key_find(key->pattern), key);
        assert_non_null(key->help);
        assert_true(strncmp(key->pattern, "network.#.", 10) != 0 || key->of == DT_OF_LAYER);
        assert_true(strncmp(key->pattern, "capture.*.", 10) != 0 || key->of == DT_OF_RULE);
        if (key->kind == DT_KEY_INTEGER || key->kind == DT_KEY_REAL)
            assert_true(key->low < key->high);
        char accepts[320];
        dt_key_accepts(key, accepts, sizeof accepts);
        assert_true(*accepts && strlen(accepts) < sizeof accepts - 1);
        dt_key_accepts(key, accepts, 8);
        assert_true(strlen(accepts) == 7 || strlen(accepts) == 6);
    }
    char name[DT_KEY_NAME_SIZE];
    assert_string_equal(dt_key_child("training", 1, name), "batch_size");
    assert_string_equal(dt_key_child("training", 3, name), "early_stopping");
    assert_null(dt_key_child("training", 4, name));
    assert_string_equal(dt_key_child("", 4, name), "data");
    assert_null(dt_key_child("network", 0, name));
    assert_true(dt_key_is_section("data.train"));
    assert_false(dt_key_is_section("data.tra"));
    assert_false(dt_key_is_section("precision"));
    assert_true(dt_key_is_choice(dt_key_find("loss")));
    assert_false(dt_key_is_choice(dt_key_find("data.format")));
    assert_ptr_equal(dt_key_chooser(dt_key_find("loss.delta")), dt_key_find("loss"));
    assert_ptr_equal(dt_key_chooser(dt_key_find("schedule.every")), dt_key_find("schedule.name"));
    assert_null(dt_key_chooser(dt_key_find("training.epochs")));
    assert_true(dt_key_applies(dt_key_find("loss.margin"), "multiclass_svm"));
    assert_true(dt_key_applies(dt_key_find("loss.margin"), "multiclass_svm_max"));
    assert_false(dt_key_applies(dt_key_find("loss.margin"), "multiclass"));
    assert_false(dt_key_applies(dt_key_find("loss.margin"), "huber"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_defaults),
        cmocka_unit_test(named_defaults),
        cmocka_unit_test(a_filled_experiment_is_valid),
        cmocka_unit_test(every_wrong_value_is_named),
        cmocka_unit_test(two_rules_of_one_name),
        cmocka_unit_test(what_is_at_the_edge_is_inside),
        cmocka_unit_test(shard_size_is_the_documented_function),
        cmocka_unit_test(names_of_precisions_and_quantities),
        cmocka_unit_test(the_table_of_keys_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
