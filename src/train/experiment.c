/* Defaults and checks of an experiment. Single keys' ranges come from the table in keys.c; here is what concerns more
 * than one key. */
#include "deltoid/experiment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "train/keys.h"
#include "train/strategy.h"

const char *dt_targets_name(dt_targets targets)
{
    static const char *const names[] = {[DT_TARGETS_CLASSES] = "classes",
                                        [DT_TARGETS_REGRESSION] = "regression",
                                        [DT_TARGETS_MULTILABEL] = "multilabel"};
    return (unsigned)targets < DT_TARGETS_KINDS ? names[targets] : "unknown targets";
}

static const char *const precision_names[] = {[DT_FLOAT32] = "float32", [DT_FLOAT64] = "float64"};

const char *dt_precision_name(dt_precision precision)
{
    return (unsigned)precision <= DT_FLOAT64 ? precision_names[precision] : "unknown precision";
}

size_t dt_precision_size(dt_precision precision)
{
    return precision == DT_FLOAT64 ? 8 : 4;
}

const char *dt_quantity_name(dt_quantity quantity)
{
    static const char *const names[] = {
#define DT_QUANTITY_TEXT(id, name) [id] = name,
        DT_QUANTITY_LIST(DT_QUANTITY_TEXT)
#undef DT_QUANTITY_TEXT
    };
    return (unsigned)quantity < DT_QUANTITIES ? names[quantity] : "unknown quantity";
}

int64_t dt_shard_size_auto(int64_t batch_size)
{
    if (batch_size <= 16)
        return batch_size < 1 ? 1 : batch_size;
    int64_t size = 1;
    while (4 * size * size <= 8 * batch_size)
        size *= 2;
    return size;
}

void dt_experiment_init(dt_experiment *experiment)
{
    dt_key_defaults(DT_OF_EXPERIMENT, experiment);
}

void dt_experiment_set_optimizer(dt_experiment *experiment, const char *name)
{
    experiment->optimizer.name = name;
    dt_key_named_defaults(dt_key_find("optimizer.name"), name, experiment);
}

void dt_experiment_set_schedule(dt_experiment *experiment, const char *name)
{
    experiment->schedule.name = name;
    dt_key_named_defaults(dt_key_find("schedule.name"), name, experiment);
}

void dt_experiment_clear(dt_experiment *experiment)
{
    if (experiment->arena) {
        dt_arena_clear(experiment->arena);
        dt_release(experiment->arena);
    }
    memset(experiment, 0, sizeof *experiment);
}

static dt_status out_of_range(const dt_key *key, const char *path, const char *found, dt_error *error)
{
    char accepts[256];
    dt_key_accepts(key, accepts, sizeof accepts);
    return dt_fail(error, DT_INVALID, "%s: %s is out of range; give %s", path, found, accepts);
}

static bool within(const dt_key *key, double value)
{
    return isfinite(value) && (key->low_open ? value > key->low : value >= key->low) &&
           (key->high_open ? value < key->high : value <= key->high);
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* A program that brings its data in arrays names neither files nor their format; where an experiment file must, its
 * reader knows. */
static dt_status check_file(const char *path, const char *file, dt_error *error)
{
    if (file && (!*file || has_control(file)))
        return dt_fail(error, DT_INVALID, "%s: '%.200s' can't be a file's name; name a file", path, file);
    return DT_OK;
}

static dt_status check_text(const char *path, const char *text, dt_error *error)
{
    if (text && (!*text || strlen(text) > DT_TEXT_MAX || has_control(text)))
        return dt_fail(error, DT_INVALID, "%s: '%.200s' is no name; give up to %d characters that can be printed", path,
                       text, DT_TEXT_MAX);
    return DT_OK;
}

static dt_status check_entry(const dt_key *key, const char *path, const char *name, dt_error *error)
{
    if (!name && (key->table == DT_FORMATS || key->table == DT_GENERATORS))
        return DT_OK;
    if (!name)
        return dt_fail(error, DT_INVALID, "%s: missing; name a %s", path, dt_table_name(key->table));
    dt_error own = {0};
    size_t index;
    dt_status status = dt_table_find(key->table, name, &index, &own);
    return status == DT_OK ? DT_OK : dt_fail(error, status, "%s: %s", path, own.message);
}

static dt_status check_integers(const dt_key *key, const char *path, const dt_integers *list, dt_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        char place[200], found[32];
        snprintf(place, sizeof place, "%s.%zu", path, i);
        snprintf(found, sizeof found, "%lld", list->at ? (long long)list->at[i] : 0LL);
        if (!list->at || !within(key, (double)list->at[i]))
            return dt_fail(error, DT_INVALID, "%s: %s is out of range; give a whole number from %.0f to %.0f", place,
                           found, key->low, key->high);
        if (i > 0 && list->at[i] <= list->at[i - 1])
            return dt_fail(error, DT_INVALID, "%s: %s doesn't follow %lld; write them in ascending order", place, found,
                           (long long)list->at[i - 1]);
    }
    return DT_OK;
}

static dt_status check_reals(const dt_key *key, const char *path, const void *field, dt_error *error)
{
    struct {
        const double *values;
        size_t count;
    } list;
    char item[200], text[64];
    memcpy(&list, field, sizeof list);
    for (size_t i = 0; list.values && i < list.count; i++)
        if (!within(key, list.values[i])) {
            char accepts[256];
            dt_key_accepts(key, accepts, sizeof accepts);
            snprintf(item, sizeof item, "%s.%zu", path, i);
            snprintf(text, sizeof text, "%.17g", list.values[i]);
            return dt_fail(error, DT_INVALID, "%s: %s is out of range; give %s", item, text, accepts);
        }
    return DT_OK;
}

/* One key of one struct against its own range. */
static dt_status check_key(const dt_key *key, const char *path, const void *base, dt_error *error)
{
    const void *field = dt_key_field(key, base);
    char text[64];
    switch (key->kind) {
    case DT_KEY_INTEGER: {
        int64_t value = *(const int64_t *)field;
        if ((value == 0 && key->word) || within(key, (double)value))
            return DT_OK;
        if (value == 0 && key->of == DT_OF_RULE)
            return DT_OK; /* `steps` decides: check_cadence */
        snprintf(text, sizeof text, "%lld", (long long)value);
        return out_of_range(key, path, text, error);
    }
    case DT_KEY_REAL: {
        double value = *(const double *)field;
        if (within(key, value) || (value == 0 && key->of == DT_OF_LAYER)) /* there 0 stands for the default */
            return DT_OK;
        snprintf(text, sizeof text, "%.17g", value);
        return out_of_range(key, path, text, error);
    }
    case DT_KEY_REALS:
        return check_reals(key, path, field, error);
    case DT_KEY_NAME: {
        const char *name = *(const char *const *)field;
        if (!name || !dt_is_name(name, 128, true))
            return dt_fail(
                error, DT_INVALID,
                "%s: '%.140s' can't name a folder; use up to 128 letters, digits, '.', '_' and '-', no dot in front",
                path, name ? name : "");
        return DT_OK;
    }
    case DT_KEY_TEXT:
        return check_text(path, *(const char *const *)field, error);
    case DT_KEY_FILE:
        return check_file(path, *(const char *const *)field, error);
    case DT_KEY_ENTRY:
        return check_entry(key, path, *(const char *const *)field, error);
    case DT_KEY_METRIC: {
        const char *name = *(const char *const *)field;
        return name ? check_entry(key, path, name, error) : DT_OK; /* none, or the default */
    }
    case DT_KEY_PRECISION:
        if ((unsigned)*(const dt_precision *)field > DT_FLOAT64)
            return dt_fail(error, DT_INVALID, "%s: unknown; use float32 or float64", path);
        return DT_OK;
    case DT_KEY_TARGETS:
        if ((unsigned)*(const dt_targets *)field >= DT_TARGETS_KINDS)
            return dt_fail(error, DT_INVALID, "%s: unknown; use classes, regression or multilabel", path);
        return DT_OK;
    case DT_KEY_CHOICE: {
        const char *word = *(const char *const *)field;
        if (word && !dt_key_is_choice_word(key, word))
            return dt_fail(error, DT_INVALID, "%s: can't be '%.64s'; give one of %s", path, word, key->choices);
        return DT_OK;
    }
    case DT_KEY_QUANTITIES: {
        const dt_capture_rule *rule = base;
        unsigned set = rule->quantities | rule->extras;
        for (int q = 0; q < DT_QUANTITIES; q++)
            set |= rule->statistics[q] != 0;
        if (set == 0 || rule->quantities >> DT_QUANTITIES || rule->extras >> DT_EXTRAS)
            return dt_fail(error, DT_INVALID, "%s: nothing is captured; name at least one quantity, or remove the rule",
                           path);
        return DT_OK;
    }
    case DT_KEY_INTEGERS:
        return check_integers(key, path, field, error);
    case DT_KEY_BYTES:
        return *(const int64_t *)field >= 0 ? DT_OK : dt_fail(error, DT_INVALID, "%s: negative; give bytes", path);
    case DT_KEY_EITHER:
        return *(const unsigned *)field < 2
                   ? DT_OK
                   : dt_fail(error, DT_INVALID, "%s: unknown; use %s or %s", path, key->words[0], key->words[1]);
    case DT_KEY_SEED:
    case DT_KEY_BOOL:
    case DT_KEY_NAMES:
    case DT_KEY_LAYERS:
    case DT_KEY_UNITS:
    case DT_KEY_STEPS:
    case DT_KEY_SAMPLES:
        return DT_OK;
    }
    return DT_OK;
}

/* A program need not fill in what its choice has no use for. */
static bool has_effect(const dt_key *key, const void *base)
{
    const dt_key *chooser = dt_key_chooser(key);
    const char *name = chooser ? *(const char *const *)dt_key_field(chooser, base) : NULL;
    return !name || dt_key_applies(key, name);
}

/* All keys of one struct; `section` is its path: "", "network.0", "capture.probe". */
static dt_status check_keys(dt_key_of of, const char *section, const void *base, dt_error *error)
{
    const dt_key *key;
    for (size_t i = 0; (key = dt_key_at(i)); i++) {
        if (key->of != of || !has_effect(key, base))
            continue;
        char path[160];
        if (*section)
            snprintf(path, sizeof path, "%s%s", section, strpbrk(key->pattern, "#*") + 1);
        else
            snprintf(path, sizeof path, "%s", key->pattern);
        dt_status status = check_key(key, path, base, error);
        if (status != DT_OK)
            return status;
    }
    return DT_OK;
}

static dt_status check_data(const dt_data_spec *data, dt_error *error)
{
    if (dt_source_is_given(&data->validation) && data->validation_fraction > 0)
        return dt_fail(error, DT_INVALID, "data.validation.fraction: files are given as well; remove one of them");
    if (data->validation.labels && !data->validation.inputs)
        return dt_fail(error, DT_INVALID, "data.validation.labels: labels without inputs; add data.validation.inputs");
    if (data->standardize && data->min_max)
        return dt_fail(error, DT_INVALID, "data.min_max: inputs are standardized as well; remove one of them");
    if (data->scale != 1 && (data->standardize || data->min_max))
        return dt_fail(error, DT_INVALID, "data.scale: has no effect with %s; remove one of them",
                       data->standardize ? "data.standardize" : "data.min_max");
    if (data->sparse && strcmp(data->sparse, "true") == 0 && (data->standardize || data->min_max || data->noise > 0))
        return dt_fail(error, DT_INVALID, "data.sparse: %s makes numbers of inputs that are 0; remove one of them",
                       data->standardize ? "data.standardize"
                       : data->min_max   ? "data.min_max"
                                         : "data.noise");
    return DT_OK;
}

static dt_status check_init_file(const dt_experiment *experiment, size_t l, dt_error *error)
{
    const dt_layer_spec *layer = &experiment->network[l];
    if (strcmp(layer->init, "file") != 0)
        return DT_OK;
    if (!layer->init_file)
        return dt_fail(error, DT_INVALID, "network.%zu.init: names no file; write init: {name: file, file: FILE}", l);
    if (experiment->initial_weights)
        return dt_fail(error, DT_INVALID,
                       "network.%zu.init: a file, but initial_weights is for all layers; remove one of them", l);
    return DT_OK;
}

static dt_status check_network(const dt_experiment *experiment, dt_error *error)
{
    size_t layers = experiment->layer_count;
    if (layers < 1 || layers > DT_LAYERS_MAX || !experiment->network)
        return dt_fail(error, DT_INVALID, "network: %zu layers; give 1 to %d", layers, DT_LAYERS_MAX);
    for (size_t l = 0; l < layers; l++) {
        char path[32];
        snprintf(path, sizeof path, "network.%zu", l);
        dt_status status = check_keys(DT_OF_LAYER, path, &experiment->network[l], error);
        if (status == DT_OK)
            status = check_init_file(experiment, l, error);
        if (status != DT_OK)
            return status;
    }
    const dt_layer_spec *last = &experiment->network[layers - 1];
    if (strcmp(last->activation, "linear") != 0)
        return dt_fail(
            error, DT_INVALID,
            "network.%zu.activation: the last layer has no activation: the cost sees z^L; remove '%s' or add a layer",
            layers - 1, last->activation);
    if (last->dropout != 0)
        return dt_fail(error, DT_INVALID,
                       "network.%zu.dropout: the last layer has none: the cost sees all of z^L; remove it", layers - 1);
    return DT_OK;
}

static dt_status check_layers(const dt_capture_rule *rule, size_t layers, dt_error *error)
{
    if (rule->layers && rule->layer_count == 0)
        return dt_fail(error, DT_INVALID, "capture.%s.layers: an empty list; name layers, or use all", rule->name);
    unsigned char seen[DT_LAYERS_MAX + 1] = {0};
    for (size_t i = 0; rule->layers && i < rule->layer_count; i++) {
        int64_t l = rule->layers[i];
        if (l < 0 || l > (int64_t)layers)
            return dt_fail(error, DT_INVALID,
                           "capture.%s.layers.%zu: there is no layer %lld; layers are 1 to %zu, and 0 for the inputs",
                           rule->name, i, (long long)l, layers);
        if (seen[l]++)
            return dt_fail(error, DT_INVALID, "capture.%s.layers.%zu: layer %lld is named twice; name it once",
                           rule->name, i, (long long)l);
        if (l == 0 && !(rule->quantities & 1u << DT_QUANTITY_A) && !rule->statistics[DT_QUANTITY_A])
            return dt_fail(error, DT_INVALID,
                           "capture.%s.layers.%zu: layer 0 has the quantity a alone; add a to quantities, or remove 0",
                           rule->name, i);
    }
    return DT_OK;
}

static dt_status check_cadence(const dt_capture_rule *rule, dt_error *error)
{
    bool list = rule->steps != NULL;
    if ((rule->every > 0) + rule->steps_log + list > 1)
        return dt_fail(error, DT_INVALID, "capture.%s.steps: both every and steps are given; remove one of them",
                       rule->name);
    if (rule->every == 0 && !rule->steps_log && !list)
        return dt_fail(error, DT_INVALID, "capture.%s.every: 0 is out of range; give every or steps", rule->name);
    if (list && rule->step_count == 0)
        return dt_fail(error, DT_INVALID, "capture.%s.steps: an empty list; name steps, or use log", rule->name);
    for (size_t i = 0; list && i < rule->step_count; i++) {
        if (rule->steps[i] < 0 || rule->steps[i] > DT_STEP_MAX)
            return dt_fail(error, DT_INVALID, "capture.%s.steps.%zu: %lld is out of range; steps count from 0 to %lld",
                           rule->name, i, (long long)rule->steps[i], (long long)DT_STEP_MAX);
        if (i > 0 && rule->steps[i] <= rule->steps[i - 1])
            return dt_fail(error, DT_INVALID, "capture.%s.steps.%zu: %lld follows %lld; list steps in ascending order",
                           rule->name, i, (long long)rule->steps[i], (long long)rule->steps[i - 1]);
    }
    return DT_OK;
}

static dt_status check_units(const dt_capture_rule *rule, dt_error *error)
{
    if (rule->units && rule->unit_count == 0)
        return dt_fail(error, DT_INVALID, "capture.%s.units: an empty list; name units, or use all", rule->name);
    for (size_t i = 0; rule->units && i < rule->unit_count; i++) {
        const dt_unit_range *range = &rule->units[i];
        if (range->first < 0 || range->last < range->first)
            return dt_fail(error, DT_INVALID,
                           "capture.%s.units.%zu: %lld-%lld is no range; units count from 0, the smaller first",
                           rule->name, i, (long long)range->first, (long long)range->last);
        if (i > 0 && range->first <= rule->units[i - 1].last)
            return dt_fail(error, DT_INVALID,
                           "capture.%s.units.%zu: %lld follows %lld; list units in ascending order, each once",
                           rule->name, i, (long long)range->first, (long long)rule->units[i - 1].last);
    }
    return DT_OK;
}

/* What the rule asks for against the rest of the experiment. */
static dt_status check_asked(const dt_experiment *experiment, const dt_capture_rule *rule, dt_error *error)
{
    const unsigned noise = 1u << DT_EXTRA_NOISE_SCALE | 1u << DT_EXTRA_NOISE_SCALE_SHARDS;
    const unsigned partial = 1u << DT_EXTRA_DW_PARTIAL | 1u << DT_EXTRA_DB_PARTIAL;
    if (rule->to && rule->to < rule->from)
        return dt_fail(error, DT_INVALID, "capture.%s.to: %lld is before from, %lld; give a later step", rule->name,
                       (long long)rule->to, (long long)rule->from);
    if (!(rule->histogram.low < rule->histogram.high) && rule->histogram.bins)
        return dt_fail(error, DT_INVALID, "capture.%s.histogram.high: must be above low, %.15g; give a larger number",
                       rule->name, rule->histogram.low);
    if (rule->histogram.log_high <= rule->histogram.log_low && (rule->histogram.log_low || rule->histogram.log_high))
        return dt_fail(error, DT_INVALID,
                       "capture.%s.log_histogram.high: must be above low, %lld; give a larger number", rule->name,
                       (long long)rule->histogram.log_low);
    if (rule->extras & noise && rule->samples == DT_SAMPLES_ROWS)
        return dt_fail(error, DT_INVALID,
                       "capture.%s.samples: the noise scale is one of the minibatch; give a number of its samples, or "
                       "batch, or capture noise_scale in a rule of its own",
                       rule->name);
    if (rule->extras & partial && experiment->parallel.threads < 2)
        return dt_fail(error, DT_INVALID,
                       "capture.%s.quantities: dW_partial and db_partial are what several workers add up; set "
                       "parallel.threads to 2 or more",
                       rule->name);
    return DT_OK;
}

static dt_status check_samples(const dt_capture_rule *rule, dt_error *error)
{
    if (rule->samples == DT_SAMPLES_BATCH)
        return DT_OK;
    const dt_key *key = dt_key_find("capture.*.samples");
    char path[96], found[32];
    if (!within(key, (double)rule->sample_count)) {
        snprintf(path, sizeof path, "capture.%s.samples", rule->name);
        snprintf(found, sizeof found, "%lld%s", (long long)rule->sample_count,
                 rule->samples == DT_SAMPLES_ROWS ? " rows" : "");
        return out_of_range(key, path, found, error);
    }
    for (int64_t i = 0; rule->samples == DT_SAMPLES_ROWS && i < rule->sample_count; i++)
        if (!rule->sample_rows || rule->sample_rows[i] < 0 || rule->sample_rows[i] > DT_STEP_MAX)
            return dt_fail(error, DT_INVALID,
                           "capture.%s.samples.%lld: %lld is no row; rows of the training set count from 0", rule->name,
                           (long long)i, rule->sample_rows ? (long long)rule->sample_rows[i] : -1);
    return DT_OK;
}

static dt_status check_rule(const dt_experiment *experiment, size_t r, dt_error *error)
{
    const dt_capture_rule *rule = &experiment->capture[r];
    if (!rule->name || !dt_is_name(rule->name, 64, false))
        return dt_fail(error, DT_INVALID,
                       "capture: '%.80s' can't name a rule; use up to 64 letters, digits, '_' and '-'",
                       rule->name ? rule->name : "");
    for (size_t i = 0; i < r; i++)
        if (strcmp(experiment->capture[i].name, rule->name) == 0)
            return dt_fail(error, DT_INVALID, "capture.%s: two rules have this name; rename one", rule->name);
    char path[96];
    snprintf(path, sizeof path, "capture.%s", rule->name);
    dt_status status = check_keys(DT_OF_RULE, path, rule, error);
    if (status == DT_OK)
        status = check_layers(rule, experiment->layer_count, error);
    if (status == DT_OK)
        status = check_cadence(rule, error);
    if (status == DT_OK)
        status = check_units(rule, error);
    if (status == DT_OK)
        status = check_asked(experiment, rule, error);
    return status == DT_OK ? check_samples(rule, error) : status;
}

static dt_status check_optimizer(const dt_optimizer_spec *optimizer, dt_error *error)
{
    if (optimizer->nesterov && optimizer->momentum == 0)
        return dt_fail(error, DT_INVALID,
                       "optimizer.nesterov: needs momentum; give optimizer.momentum above 0, or remove it");
    if (optimizer->nesterov && optimizer->dampening != 0)
        return dt_fail(error, DT_INVALID, "optimizer.dampening: nesterov allows none; remove one of them");
    if (strcmp(optimizer->name, "rprop") == 0 && optimizer->step_min > optimizer->step_max)
        return dt_fail(error, DT_INVALID, "optimizer.step_min: is above optimizer.step_max, %.15g; give less",
                       optimizer->step_max);
    return DT_OK;
}

dt_status dt_experiment_validate(const dt_experiment *experiment, dt_error *error)
{
    dt_status status = check_keys(DT_OF_EXPERIMENT, "", experiment, error);
    if (status == DT_OK)
        status = check_data(&experiment->data, error);
    if (status == DT_OK)
        status = check_network(experiment, error);
    if (status == DT_OK)
        status = check_optimizer(&experiment->optimizer, error);
    if (status == DT_OK && strcmp(experiment->schedule.name, "multi_step") == 0 &&
        experiment->schedule.milestones.count == 0)
        status =
            dt_fail(error, DT_INVALID,
                    "schedule.milestones: none are given; list the epochs in which multi_step reduces, as [30, 60]");
    if (status != DT_OK)
        return status;
    if (experiment->capture_count > DT_RULES_MAX || (experiment->capture_count && !experiment->capture))
        return dt_fail(error, DT_INVALID, "capture: %zu rules; give at most %d", experiment->capture_count,
                       DT_RULES_MAX);
    for (size_t r = 0; r < experiment->capture_count; r++) {
        status = check_rule(experiment, r, error);
        if (status != DT_OK)
            return status;
    }
    return dt_strategy_check(experiment, error);
}
