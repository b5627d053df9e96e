/* Defaults of keys, and of keys beside a name that has its own. */
#include <string.h>

#include "train/keys.h"

static void store_default(const dt_key *key, void *field)
{
    switch (key->kind) {
    case DT_KEY_INTEGER:
        *(int64_t *)field = (int64_t)key->number;
        break;
    case DT_KEY_SEED:
        *(uint64_t *)field = (uint64_t)key->number;
        break;
    case DT_KEY_REAL:
        *(double *)field = key->number;
        break;
    case DT_KEY_BOOL:
        *(bool *)field = key->number != 0;
        break;
    case DT_KEY_NAME:
        *(const char **)field = "experiment";
        break;
    case DT_KEY_FILE:
    case DT_KEY_TEXT:
        *(const char **)field = NULL;
        break;
    case DT_KEY_ENTRY:
    case DT_KEY_METRIC:
        *(const char **)field = key->text;
        break;
    case DT_KEY_PRECISION:
        *(dt_precision *)field = DT_FLOAT32;
        break;
    case DT_KEY_TARGETS:
        *(dt_targets *)field = DT_TARGETS_CLASSES;
        break;
    case DT_KEY_CHOICE:
        *(const char **)field = key->text;
        break;
    case DT_KEY_NAMES:
        *(dt_name_list *)field = (dt_name_list){NULL, 0};
        break;
    case DT_KEY_QUANTITIES:
        *(unsigned *)field = (unsigned)key->number;
        break;
    case DT_KEY_INTEGERS:
        *(dt_integers *)field = (dt_integers){NULL, 0};
        break;
    case DT_KEY_REALS:
        *(const double **)field = NULL;
        break;
    case DT_KEY_LAYERS:
    case DT_KEY_STEPS:
        *(const int64_t **)field = NULL;
        break;
    case DT_KEY_BYTES:
        *(int64_t *)field = (int64_t)key->number;
        break;
    case DT_KEY_EITHER:
        *(unsigned *)field = 0;
        break;
    case DT_KEY_UNITS:
        *(const dt_unit_range **)field = NULL;
        break;
    case DT_KEY_SAMPLES:
        *(dt_capture_samples *)field = DT_SAMPLES_FIRST;
        break;
    }
}

void dt_key_defaults(dt_key_of of, void *base)
{
    static const size_t sizes[] = {
        [DT_OF_EXPERIMENT] = sizeof(dt_experiment),
        [DT_OF_LAYER] = sizeof(dt_layer_spec),
        [DT_OF_RULE] = sizeof(dt_capture_rule),
    };
    memset(base, 0, sizes[of]);
    const dt_key *key;
    for (size_t i = 0; (key = dt_key_at(i)); i++)
        if (key->of == of)
            store_default(key, (char *)base + key->offset);
    if (of == DT_OF_RULE)
        ((dt_capture_rule *)base)->sample_count = (int64_t)dt_key_find("capture.*.samples")->number;
}

/* Do both lie in the same section? */
static bool beside(const dt_key *a, const dt_key *b)
{
    const size_t n = (size_t)(strrchr(a->pattern, '.') - a->pattern) + 1;
    return strncmp(a->pattern, b->pattern, n) == 0 && !strchr(b->pattern + n, '.');
}

void dt_key_named_defaults(const dt_key *name, const char *value, void *base)
{
    const dt_key *key;
    for (size_t i = 0; (key = dt_key_at(i)); i++) {
        if (key == name || !beside(name, key))
            continue;
        void *field = (char *)base + key->offset;
        store_default(key, field);
        double number;
        const char *own;
        for (size_t n = 0; (own = dt_key_named_default(key, n, &number)); n++)
            if (strcmp(own, value) == 0)
                *(double *)field = number;
    }
}

/* The parameter under `section` that applies with that name. */
static double layer_parameter(const dt_layer_spec *layer, const char *section, const char *name)
{
    const dt_key *key;
    for (size_t i = 0; (key = dt_key_at(i)); i++)
        if (key->kind == DT_KEY_REAL && dt_key_under(key->pattern, section) && dt_key_applies(key, name)) {
            const double value = *(const double *)dt_key_field(key, layer);
            return value != 0 ? value : key->number;
        }
    return 0;
}

double dt_activation_parameter(const dt_layer_spec *layer)
{
    return layer_parameter(layer, "network.#.activation", layer->activation);
}

double dt_init_parameter(const dt_layer_spec *layer)
{
    return layer_parameter(layer, "network.#.init", layer->init);
}
