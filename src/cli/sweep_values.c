#include "cli/sweep_values.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "cli/overrides.h"
#include "cli/paths.h"
#include "cli/text.h"

static const char *name_at(const void *context, size_t i)
{
    return ((const char *const *)context)[i];
}

dt_status dt_sweep_only_names(const dt_node *map, const char *const *names, const char *what, dt_error *error)
{
    for (const dt_node *child = map->first; child; child = child->next) {
        size_t i = 0;
        while (names[i] && strcmp(names[i], child->key) != 0)
            i++;
        if (names[i])
            continue;
        dt_error own = {0};
        dt_fail_unknown(&own, "key", child->key, name_at, names);
        return dt_fail_at_key(error, child, DT_UNKNOWN_NAME, "%s: %.400s", what, own.message);
    }
    return DT_OK;
}

/* A node as YAML on one line; with an arena, files absolute: `path` is the key it is a value of, and counts then. */
static void add_node(dt_text *text, const dt_node *node, const char *path, dt_arena *arena)
{
    const char *separator = "";
    if (node->kind == DT_NODE_SCALAR) {
        const dt_key *key = arena && *node->text ? dt_override_key(path) : NULL;
        const char *file =
            key && key->kind == DT_KEY_FILE ? dt_path_join(arena, node->origin->folder, node->text) : NULL;
        if (file || node->quoted)
            dt_text_add_json(text, file ? file : node->text);
        else
            dt_text_add(text, "%s", node->text);
        return;
    }
    dt_text_add(text, "%s", node->kind == DT_NODE_LIST ? "[" : "{");
    size_t i = 0;
    for (const dt_node *child = node->first; child; child = child->next, separator = ", ", i++) {
        char below[512];
        if (node->kind == DT_NODE_MAP)
            snprintf(below, sizeof below, "%s.%s", path, child->key);
        else
            snprintf(below, sizeof below, "%s.%zu", path, i);
        dt_text_add(text, "%s", separator);
        if (node->kind == DT_NODE_MAP)
            dt_text_add(text, "%s: ", child->key);
        add_node(text, child, below, arena);
    }
    dt_text_add(text, "%s", node->kind == DT_NODE_LIST ? "]" : "}");
}

static const char *text_of(const dt_node *node, const char *path, bool absolute, dt_arena *arena)
{
    dt_text text = {0};
    add_node(&text, node, path, absolute ? arena : NULL);
    const char *kept = text.failed ? NULL : dt_arena_duplicate(arena, text.bytes ? text.bytes : "");
    dt_text_clear(&text);
    return kept;
}

dt_status dt_sweep_value_of(dt_sweep_value *value, const dt_node *node, const char *path, dt_arena *arena,
                            dt_error *error)
{
    *value = (dt_sweep_value){text_of(node, path, false, arena), text_of(node, path, true, arena)};
    return value->shown && value->given ? DT_OK : dt_fail_memory(error, "the sweep");
}

/* A number from {low: A, high: B, scale: linear, integer: false}; false where the map says something else. */
static bool draw_number(const dt_node *node, double u, char text[40])
{
    static const char *const names[] = {"low", "high", "scale", "integer", NULL};
    if (node->kind != DT_NODE_MAP || dt_sweep_only_names(node, names, node->key, NULL) != DT_OK)
        return false;
    const dt_node *low = dt_node_child(node, "low"), *high = dt_node_child(node, "high");
    const dt_node *scale = dt_node_child(node, "scale"), *integer = dt_node_child(node, "integer");
    if (!low || !high || low->kind != DT_NODE_SCALAR || high->kind != DT_NODE_SCALAR)
        return false;
    char *ends[2];
    const double a = strtod(low->text, &ends[0]), b = strtod(high->text, &ends[1]);
    const bool logarithmic = scale && scale->text && strcmp(scale->text, "log") == 0;
    const bool whole = integer && integer->text && strcmp(integer->text, "true") == 0;
    if (*ends[0] || *ends[1] || !(a <= b) || !isfinite(a) || !isfinite(b) || (logarithmic && a <= 0))
        return false;
    /* Whole numbers: each of low .. high is the floor of an interval of length 1. */
    const double top = whole ? b + 1 : b;
    double x = logarithmic ? a * pow(top / a, u) : a + u * (top - a);
    if (whole)
        x = floor(x) > b ? b : floor(x);
    snprintf(text, 40, whole ? "%.0f" : "%.6g", x);
    return true;
}

dt_status dt_sweep_draw(dt_sweep_value *value, const dt_node *node, double u, dt_arena *arena, dt_error *error)
{
    if (node->kind == DT_NODE_LIST && node->count > 0)
        return dt_sweep_value_of(value, dt_node_item(node, (size_t)(u * (double)node->count)), node->key, arena, error);
    char text[40];
    if (!draw_number(node, u, text))
        return dt_fail_at(error, node, DT_INVALID,
                          "%s: must be a list of values, or {low: A, high: B, scale: linear or log, integer: false or "
                          "true} with A <= B (and above 0 for log)",
                          node->key);
    value->shown = value->given = dt_arena_duplicate(arena, text);
    return value->shown ? DT_OK : dt_fail_memory(error, "the sweep");
}

dt_status dt_sweep_whole_number(const dt_node *map, const char *key, int64_t low, int64_t high, int64_t *value,
                                dt_error *error)
{
    const dt_node *node = map ? dt_node_child(map, key) : NULL;
    if (!node)
        return DT_OK;
    char *end = NULL;
    const long long n = node->kind == DT_NODE_SCALAR ? strtoll(node->text, &end, 10) : 0;
    if (!end || end == node->text || *end || n < low || n > high)
        return dt_fail_at(error, node, DT_INVALID, "%s: must be a whole number from %" PRId64 " to %" PRId64, key, low,
                          high);
    *value = n;
    return DT_OK;
}

const char *dt_sweep_default_name(const char *file, const char *otherwise, dt_arena *arena)
{
    const char *slash = strrchr(file, '/');
    char *name = dt_arena_duplicate(arena, slash ? slash + 1 : file), *dot = name ? strrchr(name, '.') : NULL;
    if (dot && dot != name)
        *dot = '\0';
    return name && dt_is_name(name, 128, true) ? name : otherwise;
}
