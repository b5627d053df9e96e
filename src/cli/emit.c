#include "cli/emit.h"

#include <inttypes.h>
#include <string.h>

#include "train/keys.h"

static void emit_integers(dt_text *text, const int64_t *values, size_t count)
{
    dt_text_add(text, "[");
    for (size_t i = 0; i < count; i++)
        dt_text_add(text, "%s%" PRId64, i ? ", " : "", values[i]);
    dt_text_add(text, "]");
}

static void emit_reals(dt_text *text, const void *field)
{
    struct {
        const double *values;
        size_t count;
    } list;
    memcpy(&list, field, sizeof list);
    for (size_t i = 0; list.values && i < list.count; i++) {
        dt_text_add(text, "%s", i ? ", " : "[");
        dt_text_add_real(text, list.values[i]);
    }
    dt_text_add(text, list.values ? "]" : "none");
}

static void emit_names(dt_text *text, const dt_name_list *names, const char *none)
{
    for (size_t i = 0; i < names->count; i++) {
        dt_text_add(text, "%s", i ? ", " : "[");
        dt_text_add_yaml(text, names->at[i]);
    }
    dt_text_add(text, "%s", names->count ? "]" : none);
}

static void emit_quantities(dt_text *text, const dt_capture_rule *rule)
{
    const char *comma = "";
    const dt_capture_item *item;
    dt_text_add(text, "[");
    for (size_t i = 0; (item = dt_capture_item_at(i)); i++)
        if (dt_capture_rule_has(rule, item)) {
            dt_text_add(text, "%s%s", comma, item->name);
            comma = ", ";
        }
    dt_text_add(text, "]");
}

static void emit_units(dt_text *text, const dt_capture_rule *rule)
{
    const char *comma = "";
    dt_text_add(text, "[");
    for (size_t i = 0; i < rule->unit_count; i++, comma = ", ") {
        dt_text_add(text, "%s%" PRId64, comma, rule->units[i].first);
        if (rule->units[i].last > rule->units[i].first)
            dt_text_add(text, "-%" PRId64, rule->units[i].last);
    }
    dt_text_add(text, "]");
}

static void emit_samples(dt_text *text, const dt_capture_rule *rule)
{
    if (rule->samples == DT_SAMPLES_BATCH)
        dt_text_add(text, "batch");
    else if (rule->samples == DT_SAMPLES_ROWS)
        emit_integers(text, rule->sample_rows, (size_t)rule->sample_count);
    else
        dt_text_add(text, "%" PRId64, rule->sample_count);
}

void dt_emit_value(dt_text *text, const dt_key *key, const void *base)
{
    const void *field = dt_key_field(key, base);
    const dt_capture_rule *rule = base; /* where the key is one of a rule's */
    switch (key->kind) {
    case DT_KEY_INTEGER:
        if (key->word && *(const int64_t *)field == 0)
            dt_text_add(text, "%s", key->word);
        else
            dt_text_add(text, "%" PRId64, *(const int64_t *)field);
        break;
    case DT_KEY_SEED:
        dt_text_add(text, "%" PRIu64, *(const uint64_t *)field);
        break;
    case DT_KEY_REAL:
        dt_text_add_real(text, *(const double *)field);
        break;
    case DT_KEY_REALS:
        emit_reals(text, field);
        break;
    case DT_KEY_BOOL:
        dt_text_add(text, "%s", *(const bool *)field ? "true" : "false");
        break;
    case DT_KEY_METRIC:
        if (!*(const char *const *)field) {
            dt_text_add(text, "%s", key->word);
            break;
        } /* fall through */
    case DT_KEY_NAME:
    case DT_KEY_FILE:
    case DT_KEY_TEXT:
    case DT_KEY_ENTRY: {
        const char *string = *(const char *const *)field;
        if (string)
            dt_text_add_yaml(text, string);
        break;
    }
    case DT_KEY_CHOICE:
        dt_text_add_yaml(text, *(const char *const *)field);
        break;
    case DT_KEY_NAMES:
        emit_names(text, field, key->text);
        break;
    case DT_KEY_TARGETS:
        dt_text_add(text, "%s", dt_targets_name(*(const dt_targets *)field));
        break;
    case DT_KEY_PRECISION:
        dt_text_add(text, "%s", dt_precision_name(*(const dt_precision *)field));
        break;
    case DT_KEY_INTEGERS:
        emit_integers(text, ((const dt_integers *)field)->at, ((const dt_integers *)field)->count);
        break;
    case DT_KEY_QUANTITIES:
        emit_quantities(text, rule);
        break;
    case DT_KEY_LAYERS:
        if (rule->layers)
            emit_integers(text, rule->layers, rule->layer_count);
        else
            dt_text_add(text, "all");
        break;
    case DT_KEY_UNITS:
        if (rule->units)
            emit_units(text, rule);
        else
            dt_text_add(text, "all");
        break;
    case DT_KEY_STEPS:
        if (rule->steps_log)
            dt_text_add(text, "log");
        else
            emit_integers(text, rule->steps, rule->step_count);
        break;
    case DT_KEY_BYTES:
        if (*(const int64_t *)field || !key->word)
            dt_text_add(text, "%" PRId64, *(const int64_t *)field ? *(const int64_t *)field : (int64_t)key->number);
        else
            dt_text_add(text, "%s", key->word);
        break;
    case DT_KEY_EITHER:
        dt_text_add(text, "%s", key->words[*(const unsigned *)field]);
        break;
    case DT_KEY_SAMPLES:
        emit_samples(text, rule);
        break;
    }
}

/* Whether a rule's key that shapes it beyond its quantities and cadence says anything. */
static bool shapes_rule(const dt_key *key, const dt_capture_rule *rule)
{
    uint32_t statistics = 0;
    for (int q = 0; q < DT_QUANTITIES; q++)
        statistics |= rule->statistics[q] | rule->statistics[q] >> DT_PER_UNIT_SHIFT;
    const char *name = key->pattern + strlen("capture.*.");
    return strncmp(name, "histogram", 9) == 0        ? statistics >> DT_STATISTIC_HISTOGRAM & 1u
           : strncmp(name, "log_histogram", 13) == 0 ? statistics >> DT_STATISTIC_LOG_HISTOGRAM & 1u
           : strcmp(name, "units") == 0              ? rule->units != NULL
           : strcmp(name, "from") == 0               ? rule->from > 0
           : strcmp(name, "to") == 0                 ? rule->to > 0
                                                     : true;
}

/* Does the experiment say anything under this key? What does not apply is left out, as it would be refused. */
static bool is_present(const dt_key *key, const dt_experiment *experiment, const void *base)
{
    if (key->of == DT_OF_RULE && !shapes_rule(key, base))
        return false;
    switch (key->kind) {
    case DT_KEY_FILE:
    case DT_KEY_TEXT:
        if (!*(const char *const *)dt_key_field(key, base))
            return false;
        break;
    case DT_KEY_REALS:
        if (!*(const double *const *)dt_key_field(key, base))
            return false;
        break;
    case DT_KEY_NAMES:
        if (((const dt_name_list *)dt_key_field(key, base))->count == 0)
            return false;
        break;
    case DT_KEY_STEPS:
        return ((const dt_capture_rule *)base)->every == 0;
    case DT_KEY_INTEGER:
        if (strcmp(key->pattern, "data.test_rows") == 0 && experiment->data.test_rows == 0)
            return false;
        if (strcmp(key->pattern, "capture.*.every") == 0)
            return ((const dt_capture_rule *)base)->every != 0;
        break;
    case DT_KEY_REAL:
        if (strcmp(key->pattern, "data.validation.fraction") == 0)
            return experiment->data.validation_fraction > 0;
        break;
    default:
        break;
    }
    const dt_key *chooser = dt_key_chooser(key);
    return !chooser || dt_key_applies(key, *(const char *const *)dt_key_field(chooser, base));
}

/* Does a parameter of a choice say anything but its default? Layers may spell that 0. */
static bool is_told(const dt_key *key, const dt_experiment *experiment, const void *base)
{
    if (!is_present(key, experiment, base))
        return false;
    if (key->kind != DT_KEY_REAL)
        return true;
    const double value = *(const double *)dt_key_field(key, base);
    return value != key->number && !(key->of == DT_OF_LAYER && value == 0);
}

/* Keys first .. last-1 of the table lie under one section, whose pattern is `depth` bytes long with its dot. */
typedef struct range {
    size_t first, last, depth;
} range;

static range subrange(range r, size_t first)
{
    const char *pattern = dt_key_at(first)->pattern;
    size_t length = strcspn(pattern + r.depth, ".") + 1;
    range sub = {first, first, r.depth + length};
    while (sub.last < r.last && strncmp(dt_key_at(sub.last)->pattern, pattern, sub.depth) == 0)
        sub.last++;
    return sub;
}

/* `base`: the experiment, or the layer or rule that the section is in. */
static bool any_present(range r, const dt_experiment *experiment, const void *base)
{
    for (size_t i = r.first; i < r.last; i++) {
        const dt_key *key = dt_key_at(i);
        if (base != experiment       ? is_present(key, experiment, base)
            : key->of == DT_OF_LAYER ? experiment->layer_count > 0
            : key->of == DT_OF_RULE  ? experiment->capture_count > 0
                                     : is_present(key, experiment, experiment))
            return true;
    }
    return false;
}

/* Whether the choice that key `i` is comes with parameters that are not their defaults; *behind is the key behind them.
 */
static bool choice_told(range r, size_t i, const dt_experiment *experiment, const void *base, size_t *behind)
{
    const char *pattern = dt_key_at(i)->pattern;
    const size_t length = strlen(pattern);
    bool told = false;
    for (i++;
         i < r.last && strncmp(dt_key_at(i)->pattern, pattern, length) == 0 && dt_key_at(i)->pattern[length] == '.';
         i++)
        told = told || is_told(dt_key_at(i), experiment, base);
    *behind = i;
    return told;
}

static void indent(dt_text *text, int level)
{
    dt_text_add(text, "%*s", 2 * level, "");
}

static void emit_range(dt_text *text, range r, const dt_experiment *experiment, const void *base, int level,
                       const char *dash);

static void emit_layers(dt_text *text, range r, const dt_experiment *experiment, int level)
{
    for (size_t l = 0; l < experiment->layer_count; l++)
        emit_range(text, r, experiment, &experiment->network[l], level + 1, "- ");
}

static void emit_rules(dt_text *text, range r, const dt_experiment *experiment, int level)
{
    for (size_t i = 0; i < experiment->capture_count; i++) {
        indent(text, level);
        dt_text_add_yaml(text, experiment->capture[i].name);
        dt_text_add(text, ":\n");
        emit_range(text, r, experiment, &experiment->capture[i], level + 1, NULL);
    }
}

/* One section's keys, and the sections under it. `dash` opens an entry of a list: it replaces the first key's
 * indentation. */
static void emit_range(dt_text *text, range r, const dt_experiment *experiment, const void *base, int level,
                       const char *dash)
{
    for (size_t i = r.first; i < r.last;) {
        const dt_key *key = dt_key_at(i);
        const char *name = key->pattern + r.depth;
        size_t length = strcspn(name, ".");
        if (!name[length]) {
            const size_t at = i;
            const bool told = choice_told(r, at, experiment, base, &i);
            if (!is_present(key, experiment, base))
                continue;
            indent(text, dash ? level - 1 : level);
            dt_text_add(text, "%s%s: %s", dash ? dash : "", name, told ? "{name: " : "");
            dash = NULL;
            dt_emit_value(text, key, base);
            for (size_t k = at + 1; told && k < i; k++)
                if (is_told(dt_key_at(k), experiment, base)) {
                    dt_text_add(text, ", %s: ", strrchr(dt_key_at(k)->pattern, '.') + 1);
                    dt_emit_value(text, dt_key_at(k), base);
                }
            dt_text_add(text, told ? "}\n" : "\n");
            continue;
        }
        range sub = subrange(r, i);
        i = sub.last;
        if (*name == '#') {
            emit_layers(text, sub, experiment, level);
        } else if (*name == '*') {
            emit_rules(text, sub, experiment, level);
        } else if (any_present(sub, experiment, base)) {
            indent(text, level);
            dt_text_add(text, "%.*s:\n", (int)length, name);
            emit_range(text, sub, experiment, base, level + 1, NULL);
        }
    }
}

void dt_emit_experiment(dt_text *text, const dt_experiment *experiment)
{
    size_t keys = 0;
    while (dt_key_at(keys))
        keys++;
    emit_range(text, (range){0, keys, 0}, experiment, experiment, 0, NULL);
}
