#include "cli/values.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "cli/paths.h"

typedef struct value_reader {
    dt_arena *arena;
    dt_error *error;
} value_reader;

static dt_status no_memory(value_reader *r)
{
    return dt_fail(r->error, DT_NO_MEMORY, "out of memory for the experiment; free some memory");
}

/* "can't be 'abc'", in words that fit what was found. */
static dt_status wrong_type(value_reader *r, const dt_key *key, const char *path, const dt_node *node)
{
    char accepts[320];
    dt_key_accepts(key, accepts, sizeof accepts);
    if (node->kind == DT_NODE_LIST)
        return dt_fail_at(r->error, node, DT_INVALID, "%s: can't be a list; give %s", path, accepts);
    if (node->kind == DT_NODE_MAP)
        return dt_fail_at(r->error, node, DT_INVALID, "%s: can't be a section; give %s", path, accepts);
    if (!*node->text)
        return dt_fail_at(r->error, node, DT_INVALID, "%s: has no value; give %s", path, accepts);
    if (node->quoted)
        return dt_fail_at(r->error, node, DT_INVALID, "%s: can't be the quoted text '%.64s'; give %s", path, node->text,
                          accepts);
    return dt_fail_at(r->error, node, DT_INVALID, "%s: can't be '%.64s'; give %s", path, node->text, accepts);
}

typedef enum number_status { NUMBER, NO_NUMBER, OUTSIDE } number_status;

/* Decimal digits, with a sign where negatives make sense: no 0x, no 1e3, no underscores. */
static number_status parse_integer(const dt_node *node, int64_t *value)
{
    const char *s = node->text;
    if (node->kind != DT_NODE_SCALAR || node->quoted)
        return NO_NUMBER;
    s += *s == '-' || *s == '+';
    if (!*s || strspn(s, "0123456789") != strlen(s))
        return NO_NUMBER;
    errno = 0;
    long long parsed = strtoll(node->text, NULL, 10);
    *value = parsed;
    return errno == ERANGE ? OUTSIDE : NUMBER;
}

static number_status parse_seed(const dt_node *node, uint64_t *value)
{
    int64_t small;
    number_status parsed = parse_integer(node, &small);
    if (parsed == NO_NUMBER || *node->text == '-')
        return parsed == NO_NUMBER ? NO_NUMBER : OUTSIDE;
    errno = 0;
    *value = strtoull(node->text, NULL, 10);
    return errno == ERANGE ? OUTSIDE : NUMBER;
}

/* Decimal, with or without point and exponent. The program never leaves the C locale, so strtod's point is '.'. */
static number_status parse_real(const dt_node *node, double *value)
{
    if (node->kind != DT_NODE_SCALAR || node->quoted || !strpbrk(node->text, "0123456789") ||
        strspn(node->text, "0123456789+-.eE") != strlen(node->text))
        return NO_NUMBER;
    char *end;
    *value = strtod(node->text, &end);
    if (*end)
        return NO_NUMBER;
    return isfinite(*value) ? NUMBER : OUTSIDE;
}

static dt_status outside(value_reader *r, const dt_key *key, const char *path, const dt_node *node)
{
    char accepts[256];
    dt_key_accepts(key, accepts, sizeof accepts);
    return dt_fail_at(r->error, node, DT_INVALID, "%s: %.64s is out of range; give %s", path, node->text, accepts);
}

static bool is_word(const dt_node *node, const char *word)
{
    return word && node->kind == DT_NODE_SCALAR && !node->quoted && strcmp(node->text, word) == 0;
}

static dt_status read_integers(value_reader *r, const dt_key *key, const char *path, const dt_node *list,
                               const int64_t **values, size_t *count)
{
    int64_t *v = dt_arena_allocate(r->arena, list->count, sizeof *v);
    if (!v)
        return no_memory(r);
    size_t i = 0;
    for (const dt_node *item = list->first; item; item = item->next) {
        number_status parsed = parse_integer(item, &v[i++]);
        if (parsed == OUTSIDE)
            return dt_fail_at(r->error, item, DT_INVALID, "%s: %.64s is out of range; give a smaller number", path,
                              item->text);
        if (parsed == NO_NUMBER)
            return wrong_type(r, key, path, item);
    }
    *values = v;
    *count = list->count;
    return DT_OK;
}

static const char *item_name_at(const void *context, size_t i)
{
    (void)context;
    const dt_capture_item *item = dt_capture_item_at(i);
    return item ? item->name : i > 0 && dt_capture_item_at(i - 1) ? "statistics" : NULL;
}

/* `statistics`: all that there are of layers. */
static void add_statistics(dt_capture_rule *rule)
{
    const dt_capture_item *item;
    for (size_t i = 0; (item = dt_capture_item_at(i)); i++)
        if (item->kind == DT_ITEM_STATISTIC && !item->per_unit)
            dt_capture_rule_add(rule, item);
}

static dt_status unknown_item(value_reader *r, const char *path, const dt_node *item)
{
    const char *nearest = dt_nearest_name(item->text, item_name_at, NULL);
    return dt_fail_at(r->error, item, DT_UNKNOWN_NAME,
                      "%s: unknown quantity '%.64s'%s%s%s W, b, z, a, delta, dW, db, their statistics (z_mean, "
                      "dW_norm_per_unit), cost and more: deltoid help quantities",
                      path, item->text, nearest ? "; did you mean '" : ";", nearest ? nearest : "",
                      nearest ? "'? There are" : " there are");
}

static dt_status read_quantities(value_reader *r, const dt_key *key, const char *path, const dt_node *node,
                                 dt_capture_rule *rule)
{
    if (node->kind != DT_NODE_LIST)
        return wrong_type(r, key, path, node);
    rule->quantities = rule->extras = 0;
    memset(rule->statistics, 0, sizeof rule->statistics);
    bool all = false;
    for (const dt_node *child = node->first; child; child = child->next) {
        if (child->kind != DT_NODE_SCALAR || !*child->text)
            return wrong_type(r, key, path, child);
        size_t i = 0;
        const dt_capture_item *item;
        while ((item = dt_capture_item_at(i)) && strcmp(item->name, child->text) != 0)
            i++;
        const bool shorthand = !item && strcmp(child->text, "statistics") == 0;
        if (!item && !shorthand)
            return unknown_item(r, path, child);
        if (shorthand ? all : dt_capture_rule_has(rule, item))
            return dt_fail_at(r->error, child, DT_INVALID, "%s: %s is named twice; name it once", path, child->text);
        if (shorthand)
            all = true;
        else
            dt_capture_rule_add(rule, item);
    }
    if (all)
        add_statistics(rule);
    return DT_OK;
}

/* "17" or "0-9". */
static number_status parse_range(const dt_node *node, dt_unit_range *range)
{
    const char *s = node->text;
    if (node->kind != DT_NODE_SCALAR || node->quoted)
        return NO_NUMBER;
    const size_t first = strspn(s, "0123456789"), second = s[first] == '-' ? strspn(s + first + 1, "0123456789") : 0;
    if (first == 0 || (s[first] && (second == 0 || s[first + 1 + second])))
        return NO_NUMBER;
    errno = 0;
    range->first = range->last = strtoll(s, NULL, 10);
    if (s[first])
        range->last = strtoll(s + first + 1, NULL, 10);
    return errno == ERANGE ? OUTSIDE : NUMBER;
}

static dt_status read_units(value_reader *r, const dt_key *key, const char *path, const dt_node *node,
                            dt_capture_rule *rule)
{
    if (is_word(node, "all"))
        return DT_OK;
    if (node->kind != DT_NODE_LIST)
        return wrong_type(r, key, path, node);
    dt_unit_range *ranges = dt_arena_allocate(r->arena, node->count, sizeof *ranges);
    if (!ranges)
        return no_memory(r);
    size_t i = 0;
    for (const dt_node *item = node->first; item; item = item->next) {
        const number_status parsed = parse_range(item, &ranges[i++]);
        if (parsed == OUTSIDE)
            return dt_fail_at(r->error, item, DT_INVALID, "%s: %.64s is out of range; give smaller numbers", path,
                              item->text);
        if (parsed == NO_NUMBER)
            return wrong_type(r, key, path, item);
    }
    rule->units = ranges;
    rule->unit_count = node->count;
    return DT_OK;
}

static dt_status read_samples(value_reader *r, const dt_key *key, const char *path, const dt_node *node,
                              dt_capture_rule *rule)
{
    if (node->kind == DT_NODE_LIST) {
        size_t count = 0;
        rule->samples = DT_SAMPLES_ROWS;
        dt_status status = read_integers(r, key, path, node, &rule->sample_rows, &count);
        rule->sample_count = (int64_t)count;
        return status;
    }
    if (is_word(node, "batch")) {
        rule->samples = DT_SAMPLES_BATCH;
        return DT_OK;
    }
    number_status parsed = parse_integer(node, &rule->sample_count);
    rule->samples = DT_SAMPLES_FIRST;
    return parsed == NUMBER ? DT_OK : parsed == OUTSIDE ? outside(r, key, path, node) : wrong_type(r, key, path, node);
}

/* Fields of a capture rule that hold a word or a list. */
static dt_status read_rule_key(value_reader *r, const dt_key *key, const char *path, const dt_node *node,
                               dt_capture_rule *rule)
{
    switch (key->kind) {
    case DT_KEY_QUANTITIES:
        return read_quantities(r, key, path, node, rule);
    case DT_KEY_UNITS:
        return read_units(r, key, path, node, rule);
    case DT_KEY_SAMPLES:
        return read_samples(r, key, path, node, rule);
    case DT_KEY_LAYERS:
        if (is_word(node, "all"))
            return DT_OK;
        if (node->kind != DT_NODE_LIST)
            return wrong_type(r, key, path, node);
        return read_integers(r, key, path, node, &rule->layers, &rule->layer_count);
    default: /* DT_KEY_STEPS */
        rule->every = 0;
        rule->steps_log = is_word(node, "log");
        if (rule->steps_log)
            return DT_OK;
        if (node->kind != DT_NODE_LIST)
            return wrong_type(r, key, path, node);
        return read_integers(r, key, path, node, &rule->steps, &rule->step_count);
    }
}

static dt_status read_number(value_reader *r, const dt_key *key, const char *path, const dt_node *node, void *field)
{
    number_status parsed;
    if (key->kind == DT_KEY_INTEGER && is_word(node, key->word)) {
        *(int64_t *)field = 0;
        return DT_OK;
    }
    if (key->kind == DT_KEY_INTEGER) {
        parsed = parse_integer(node, field);
        if (parsed == NUMBER && *(int64_t *)field == 0 && key->low > 0) /* 0 has a meaning of its own in the struct */
            parsed = OUTSIDE;
    } else {
        parsed = key->kind == DT_KEY_SEED ? parse_seed(node, field) : parse_real(node, field);
        if (parsed == NUMBER && key->of == DT_OF_LAYER && key->low_open && *(double *)field == 0)
            parsed = OUTSIDE;
    }
    return parsed == NUMBER ? DT_OK : parsed == OUTSIDE ? outside(r, key, path, node) : wrong_type(r, key, path, node);
}

static dt_status read_reals(value_reader *r, const dt_key *key, const char *path, const dt_node *list, void *field)
{
    if (list->kind != DT_NODE_LIST || list->count == 0)
        return wrong_type(r, key, path, list);
    struct {
        const double *values;
        size_t count;
    } read = {NULL, list->count};
    double *v = dt_arena_allocate(r->arena, list->count, sizeof *v);
    if (!v)
        return no_memory(r);
    size_t i = 0;
    for (const dt_node *item = list->first; item; item = item->next) {
        const number_status parsed = parse_real(item, &v[i++]);
        if (parsed != NUMBER)
            return parsed == OUTSIDE ? outside(r, key, path, item) : wrong_type(r, key, path, item);
    }
    read.values = v;
    memcpy(field, &read, sizeof read);
    return DT_OK;
}

/* Bytes: a whole number with K, M, G or T behind it, each 1024 of the one before. */
static dt_status read_bytes(value_reader *r, const dt_key *key, const char *path, const dt_node *node, int64_t *bytes)
{
    static const char units[] = "KMGT";
    if (is_word(node, key->word)) {
        *bytes = 0;
        return DT_OK;
    }
    size_t digits = node->kind == DT_NODE_SCALAR && !node->quoted ? strspn(node->text, "0123456789") : 0;
    const char *unit = digits && node->text[digits] ? strchr(units, node->text[digits]) : units;
    if (!digits || !unit || (node->text[digits] && node->text[digits + 1]))
        return wrong_type(r, key, path, node);
    errno = 0;
    long long number = strtoll(node->text, NULL, 10);
    int shift = node->text[digits] ? 10 * (int)(unit - units + 1) : 0;
    if (errno == ERANGE || number < 1 || number > INT64_MAX >> shift)
        return outside(r, key, path, node);
    *bytes = (int64_t)number << shift;
    return (double)*bytes < key->low || (double)*bytes > key->high ? outside(r, key, path, node) : DT_OK;
}

static dt_status read_either(value_reader *r, const dt_key *key, const char *path, const dt_node *node, unsigned *place)
{
    for (*place = 0; key->words[*place]; ++*place)
        if (is_word(node, key->words[*place]))
            return DT_OK;
    *place = 0;
    return wrong_type(r, key, path, node);
}

static dt_status read_text(value_reader *r, const dt_key *key, const char *path, const dt_node *node,
                           const char **field)
{
    if (node->kind != DT_NODE_SCALAR || !*node->text)
        return wrong_type(r, key, path, node);
    *field = node->text;
    if (key->kind == DT_KEY_FILE) {
        *field = dt_path_join(r->arena, node->origin->folder, node->text);
        if (!*field)
            return no_memory(r);
    }
    return DT_OK;
}

/* One text, or a list of them. */
static dt_status read_names(value_reader *r, const dt_key *key, const char *path, const dt_node *node,
                            dt_name_list *names)
{
    const bool list = node->kind == DT_NODE_LIST;
    const size_t count = list ? node->count : 1;
    const char **at = dt_arena_allocate(r->arena, count + 1, sizeof *at);
    if (!at)
        return no_memory(r);
    size_t i = 0;
    for (const dt_node *item = list ? node->first : node; item; item = list ? item->next : NULL) {
        if (item->kind != DT_NODE_SCALAR || !*item->text)
            return wrong_type(r, key, path, item);
        at[i++] = item->text;
    }
    *names = (dt_name_list){at, i};
    return DT_OK;
}

/* A metric's name, or whether there is to be one: true names the first that is looked at. */
static dt_status read_metric(value_reader *r, const dt_key *key, const char *path, const dt_node *node,
                             const char **field)
{
    if (key->word && (is_word(node, key->word) || is_word(node, "false"))) {
        *field = NULL;
        return DT_OK;
    }
    if (key->word && is_word(node, "true")) {
        *field = "validation_loss";
        return DT_OK;
    }
    return read_text(r, key, path, node, field);
}

dt_status dt_value_read(const dt_key *key, const char *path, const dt_node *node, void *base, dt_arena *arena,
                        dt_error *error)
{
    value_reader *r = &(value_reader){arena, error};
    void *field = (char *)base + key->offset;
    switch (key->kind) {
    case DT_KEY_INTEGER:
    case DT_KEY_SEED:
    case DT_KEY_REAL:
        return read_number(r, key, path, node, field);
    case DT_KEY_REALS:
        return read_reals(r, key, path, node, field);
    case DT_KEY_BOOL:
        if (!is_word(node, "true") && !is_word(node, "false"))
            return wrong_type(r, key, path, node);
        *(bool *)field = is_word(node, "true");
        return DT_OK;
    case DT_KEY_NAME:
    case DT_KEY_FILE:
    case DT_KEY_TEXT:
    case DT_KEY_ENTRY:
        return read_text(r, key, path, node, field);
    case DT_KEY_CHOICE:
        if (node->kind != DT_NODE_SCALAR || !dt_key_is_choice_word(key, node->text))
            return wrong_type(r, key, path, node);
        *(const char **)field = node->text;
        return DT_OK;
    case DT_KEY_NAMES:
        return read_names(r, key, path, node, field);
    case DT_KEY_TARGETS:
        for (dt_targets t = DT_TARGETS_CLASSES; t < DT_TARGETS_KINDS; t++)
            if (node->kind == DT_NODE_SCALAR && strcmp(node->text, dt_targets_name(t)) == 0) {
                *(dt_targets *)field = t;
                return DT_OK;
            }
        return wrong_type(r, key, path, node);
    case DT_KEY_METRIC:
        return read_metric(r, key, path, node, field);
    case DT_KEY_PRECISION:
        for (dt_precision p = DT_FLOAT32; p <= DT_FLOAT64; p++)
            if (node->kind == DT_NODE_SCALAR && strcmp(node->text, dt_precision_name(p)) == 0) {
                *(dt_precision *)field = p;
                return DT_OK;
            }
        return wrong_type(r, key, path, node);
    case DT_KEY_INTEGERS:
        if (node->kind != DT_NODE_LIST)
            return wrong_type(r, key, path, node);
        return read_integers(r, key, path, node, &((dt_integers *)field)->at, &((dt_integers *)field)->count);
    case DT_KEY_BYTES:
        return read_bytes(r, key, path, node, field);
    case DT_KEY_EITHER:
        return read_either(r, key, path, node, field);
    case DT_KEY_QUANTITIES:
    case DT_KEY_LAYERS:
    case DT_KEY_UNITS:
    case DT_KEY_STEPS:
    case DT_KEY_SAMPLES:
        return read_rule_key(r, key, path, node, base);
    }
    return DT_OK;
}
