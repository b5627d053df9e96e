#include "cli/sweep_plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/names.h"
#include "base/philox.h"
#include "cli/config.h"
#include "cli/overrides.h"
#include "cli/paths.h"
#include "cli/text.h"
#include "cli/yaml.h"
#include "record/sha256.h"
#include "train/keys.h"

/* What the file says, before it is multiplied out. */
typedef struct source {
    const dt_node *root, *experiment, *grid, *seeds, *draws; /* NULL: not there */
    int64_t trials;
    uint64_t seed;
} source;

/* --- nodes --- */

static const char *name_at(const void *context, size_t i)
{
    return ((const char *const *)context)[i];
}

static dt_status only_names(const dt_node *map, const char *const *names, const char *what, dt_error *error)
{
    for (const dt_node *child = map->first; child; child = child->next) {
        size_t i = 0;
        while (names[i] && strcmp(names[i], child->key) != 0)
            i++;
        if (names[i])
            continue;
        dt_error own = {0};
        dt_fail_unknown(&own, "key", child->key, name_at, names);
        return dt_fail_at_key(error, child, DT_UNKNOWN, "%s: %.400s", what, own.message);
    }
    return DT_OK;
}

static dt_status whole_number(const dt_node *map, const char *key, int64_t low, int64_t high, int64_t *value,
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

/* A node as YAML on one line. */
static void add_node(dt_text *text, const dt_node *node)
{
    const char *separator = "";
    if (node->kind == DT_NODE_SCALAR && node->quoted)
        dt_text_add_json(text, node->text);
    else if (node->kind == DT_NODE_SCALAR)
        dt_text_add(text, "%s", node->text);
    else {
        dt_text_add(text, "%s", node->kind == DT_NODE_LIST ? "[" : "{");
        for (const dt_node *child = node->first; child; child = child->next, separator = ", ") {
            dt_text_add(text, "%s", separator);
            if (node->kind == DT_NODE_MAP)
                dt_text_add(text, "%s: ", child->key);
            add_node(text, child);
        }
        dt_text_add(text, "%s", node->kind == DT_NODE_LIST ? "]" : "}");
    }
}

static const char *text_of(const dt_node *node, dt_arena *arena)
{
    dt_text text = {0};
    add_node(&text, node);
    const char *kept = text.failed ? NULL : dt_arena_duplicate(arena, text.bytes ? text.bytes : "");
    dt_text_clear(&text);
    return kept;
}

/* --- the file --- */

static dt_status read_source(source *s, dt_sweep_plan *plan, dt_error *error)
{
    static const char *const names[] = {"name", "experiment", "grid", "random", "seeds", "parallel", NULL};
    static const char *const random_names[] = {"trials", "seed", "keys", NULL};
    static const char *const parallel_names[] = {"runs", "threads", NULL};
    dt_status status = only_names(s->root, names, "sweep", error);
    const dt_node *name = dt_node_child(s->root, "name"), *random = dt_node_child(s->root, "random");
    const dt_node *parallel = dt_node_child(s->root, "parallel");
    int64_t seed = 1;
    s->experiment = dt_node_child(s->root, "experiment");
    s->grid = dt_node_child(s->root, "grid");
    s->seeds = dt_node_child(s->root, "seeds");
    s->draws = random ? dt_node_child(random, "keys") : NULL;
    s->trials = random ? 10 : 1;
    if (status == DT_OK && (!s->experiment || s->experiment->kind != DT_NODE_SCALAR || !*s->experiment->text))
        return dt_fail_at(error, s->experiment ? s->experiment : s->root, DT_INVALID,
                          "experiment: must name the experiment file that is swept");
    if (status == DT_OK && name) {
        if (name->kind != DT_NODE_SCALAR || !dt_is_name(name->text, 128, true))
            return dt_fail_at(error, name, DT_INVALID,
                              "name: must be 1 to 128 letters, digits, '.', '_' or '-', and not begin with '.'");
        plan->name = name->text;
    }
    if (status == DT_OK && random && random->kind == DT_NODE_MAP)
        status = only_names(random, random_names, "random", error);
    if (status == DT_OK && random && (random->kind != DT_NODE_MAP || !s->draws || s->draws->kind != DT_NODE_MAP))
        return dt_fail_at(error, random, DT_INVALID, "random: must have keys: {KEY: {low: A, high: B}, ...}");
    if (status == DT_OK && s->grid && s->grid->kind != DT_NODE_MAP)
        return dt_fail_at(error, s->grid, DT_INVALID, "grid: must be keys with lists of values");
    if (status == DT_OK && parallel && parallel->kind != DT_NODE_MAP)
        return dt_fail_at(error, parallel, DT_INVALID, "parallel: must be {runs: N, threads: N}");
    if (status == DT_OK && parallel)
        status = only_names(parallel, parallel_names, "parallel", error);
    if (status == DT_OK)
        status = whole_number(random, "trials", 1, DT_SWEEP_RUNS_MAX, &s->trials, error);
    if (status == DT_OK)
        status = whole_number(random, "seed", 0, INT64_MAX, &seed, error);
    if (status == DT_OK)
        status = whole_number(parallel, "runs", 1, 1024, &plan->side_by_side, error);
    const dt_node *threads = parallel ? dt_node_child(parallel, "threads") : NULL;
    if (status == DT_OK && threads && strcmp(threads->text ? threads->text : "", "auto") != 0)
        status = whole_number(parallel, "threads", 1, 1024, &plan->threads, error);
    s->seed = (uint64_t)seed;
    return status;
}

/* --- points --- */

static dt_status add_key(dt_sweep_plan *plan, const dt_node *node, dt_error *error)
{
    for (size_t i = 0; i < plan->key_count; i++)
        if (strcmp(plan->keys[i], node->key) == 0)
            return dt_fail_at_key(error, node, DT_INVALID, "%s: is in grid and in random; leave it in one", node->key);
    if (plan->key_count == DT_SWEEP_KEYS_MAX)
        return dt_fail_at_key(error, node, DT_INVALID, "%s: more than %d keys are swept", node->key, DT_SWEEP_KEYS_MAX);
    if (strcmp(node->key, "seed") == 0)
        return dt_fail_at_key(error, node, DT_INVALID, "seed: is swept by seeds: [1, 2, 3], beside grid and random");
    plan->keys[plan->key_count++] = node->key;
    return DT_OK;
}

/* One draw of a key: of a list, one of its values; of {low, high}, a number between them. */
static const char *draw(const dt_node *node, double u, dt_arena *arena, dt_error *error)
{
    static const char *const names[] = {"low", "high", "scale", "integer", NULL};
    if (node->kind == DT_NODE_LIST && node->count > 0)
        return text_of(dt_node_item(node, (size_t)(u * (double)node->count)), arena);
    if (node->kind != DT_NODE_MAP || only_names(node, names, node->key, error) != DT_OK)
        goto malformed;
    const dt_node *low = dt_node_child(node, "low"), *high = dt_node_child(node, "high");
    const dt_node *scale = dt_node_child(node, "scale"), *integer = dt_node_child(node, "integer");
    if (!low || !high || low->kind != DT_NODE_SCALAR || high->kind != DT_NODE_SCALAR)
        goto malformed;
    char *ends[2];
    const double a = strtod(low->text, &ends[0]), b = strtod(high->text, &ends[1]);
    const bool logarithmic = scale && scale->text && strcmp(scale->text, "log") == 0;
    const bool whole = integer && integer->text && strcmp(integer->text, "true") == 0;
    if (*ends[0] || *ends[1] || !(a <= b) || !isfinite(a) || !isfinite(b) || (logarithmic && a <= 0))
        goto malformed;
    /* Whole numbers: each of low .. high is the floor of an interval of length 1. */
    const double top = whole ? b + 1 : b;
    double x = logarithmic ? a * pow(top / a, u) : a + u * (top - a);
    if (whole)
        x = floor(x) > b ? b : floor(x);
    char text[40];
    snprintf(text, sizeof text, whole ? "%.0f" : "%.6g", x);
    return dt_arena_duplicate(arena, text);
malformed:
    dt_fail_at(error, node, DT_INVALID,
               "%s: must be a list of values, or {low: A, high: B, scale: linear or log, integer: false or true} with "
               "A <= B (and above 0 for log)",
               node->key);
    return NULL;
}

static dt_status count_points(const source *s, dt_sweep_plan *plan, dt_error *error)
{
    plan->point_count = (size_t)s->trials;
    for (const dt_node *key = s->grid ? s->grid->first : NULL; key; key = key->next) {
        if (key->kind != DT_NODE_LIST || key->count == 0)
            return dt_fail_at(error, key, DT_INVALID, "%s: must be a list of values", key->key);
        if (add_key(plan, key, error) != DT_OK)
            return DT_INVALID;
        plan->point_count *= key->count;
        if (plan->point_count > DT_SWEEP_RUNS_MAX)
            return dt_fail_at(error, key, DT_INVALID, "grid: more than %d runs; sweep fewer values", DT_SWEEP_RUNS_MAX);
    }
    for (const dt_node *key = s->draws ? s->draws->first : NULL; key; key = key->next)
        if (add_key(plan, key, error) != DT_OK)
            return DT_INVALID;
    if (plan->key_count == 0 && !s->seeds)
        return dt_fail_at(error, s->root, DT_INVALID, "sweeps nothing; give grid, random or seeds");
    return DT_OK;
}

static dt_status make_points(const source *s, dt_sweep_plan *plan, dt_arena *arena, dt_error *error)
{
    dt_status status = count_points(s, plan, error);
    if (status != DT_OK)
        return status;
    plan->points = dt_arena_allocate(arena, plan->point_count, sizeof *plan->points);
    for (size_t p = 0; plan->points && p < plan->point_count; p++) {
        const char **values = dt_arena_allocate(arena, plan->key_count ? plan->key_count : 1, sizeof *values);
        size_t i = 0, rest = p / (size_t)s->trials; /* the first key of the grid changes most slowly */
        if (!values)
            return dt_fail_memory(error, "the sweep");
        plan->points[p].values = values;
        size_t below = plan->point_count / (size_t)s->trials;
        for (const dt_node *key = s->grid ? s->grid->first : NULL; key; key = key->next) {
            below /= key->count;
            if (!(values[i++] = text_of(dt_node_item(key, rest / below), arena)))
                return dt_fail_memory(error, "the sweep");
            rest %= below;
        }
        for (const dt_node *key = s->draws ? s->draws->first : NULL; key; key = key->next, i++) {
            const dt_random128 bits = dt_philox(s->seed, DT_FOR_SWEEP, (uint64_t)i, (uint64_t)p);
            if (!(values[i] = draw(key, dt_uniform01(bits.u[0]), arena, error)))
                return error && error->status != DT_OK ? error->status : dt_fail_memory(error, "the sweep");
        }
    }
    return plan->points ? DT_OK : dt_fail_memory(error, "the sweep");
}

static dt_status make_runs(const source *s, dt_sweep_plan *plan, dt_arena *arena, dt_error *error)
{
    const size_t seeds = s->seeds ? s->seeds->count : 1;
    if (s->seeds && (s->seeds->kind != DT_NODE_LIST || seeds == 0))
        return dt_fail_at(error, s->seeds, DT_INVALID, "seeds: must be a list of whole numbers");
    if (plan->point_count * seeds > DT_SWEEP_RUNS_MAX)
        return dt_fail_at(error, s->root, DT_INVALID, "more than %d runs; sweep fewer values or seeds",
                          DT_SWEEP_RUNS_MAX);
    plan->run_count = plan->point_count * seeds;
    plan->runs = dt_arena_allocate(arena, plan->run_count, sizeof *plan->runs);
    if (!plan->runs)
        return dt_fail_memory(error, "the sweep");
    for (size_t r = 0; r < plan->run_count; r++) {
        dt_sweep_run *run = &plan->runs[r];
        *run = (dt_sweep_run){.point = r / seeds, .has_seed = s->seeds != NULL};
        if (s->seeds) {
            const dt_node *seed = dt_node_item(s->seeds, r % seeds);
            char *end = NULL;
            run->seed = seed->kind == DT_NODE_SCALAR ? strtoull(seed->text, &end, 10) : 0;
            if (!end || end == seed->text || *end || *seed->text == '-')
                return dt_fail_at(error, seed, DT_INVALID, "seeds: must be whole numbers from 0 on");
            snprintf(run->name, sizeof run->name, "p%04zu-s%" PRIu64, run->point, run->seed);
        } else {
            snprintf(run->name, sizeof run->name, "p%04zu", run->point);
        }
    }
    return DT_OK;
}

size_t dt_sweep_arguments(const dt_sweep_plan *plan, const dt_sweep_run *run, const char **arguments, bool *failed,
                          dt_arena *arena)
{
    size_t count = 0;
    *failed = false;
    for (size_t i = 0; i <= plan->key_count; i++) {
        dt_text text = {0};
        if (i < plan->key_count)
            dt_text_add(&text, "%s=%s", plan->keys[i], plan->points[run->point].values[i]);
        else if (run->has_seed)
            dt_text_add(&text, "seed=%" PRIu64, run->seed);
        if (text.bytes && !(arguments[count++] = dt_arena_duplicate(arena, text.bytes)))
            text.failed = true;
        *failed = *failed || text.failed;
        dt_text_clear(&text);
    }
    return *failed ? 0 : count;
}

/* Each run's experiment can be made; the first of them is what the sweep's hash is of. */
static dt_status check_runs(dt_sweep_plan *plan, const char *text, size_t size, dt_error *error)
{
    for (size_t r = 0; r < plan->run_count; r++) {
        const char *arguments[DT_SWEEP_KEYS_MAX + 1];
        dt_arena scratch = {0};
        dt_config config;
        dt_error own = {0};
        bool failed;
        const size_t count = dt_sweep_arguments(plan, &plan->runs[r], arguments, &failed, &scratch);
        const dt_status status = failed ? dt_fail_memory(&own, "the sweep")
                                        : dt_config_open(&config, plan->experiment, arguments, count, &own);
        dt_arena_clear(&scratch);
        if (status != DT_OK)
            return dt_fail(error, status, "run %s: %s", plan->runs[r].name, own.message);
        char hash[65];
        const dt_bytes parts[] = {{text, size}, {config.text, config.text_size}};
        const dt_status hashed = r == 0 ? dt_sha256(parts, 2, hash, error) : DT_OK;
        if (r == 0 && hashed == DT_OK)
            snprintf(plan->hash, sizeof plan->hash, "%.12s", hash);
        dt_config_clear(&config);
        if (hashed != DT_OK)
            return hashed;
    }
    return DT_OK;
}

/* The file's name without folder and ending. */
static const char *default_name(const char *file, dt_arena *arena)
{
    const char *slash = strrchr(file, '/');
    char *name = dt_arena_duplicate(arena, slash ? slash + 1 : file), *dot = name ? strrchr(name, '.') : NULL;
    if (dot && dot != name)
        *dot = '\0';
    return name && dt_is_name(name, 128, true) ? name : "sweep";
}

dt_status dt_sweep_plan_open(dt_sweep_plan *plan, const char *file, dt_arena *arena, dt_error *error)
{
    *plan = (dt_sweep_plan){.side_by_side = 1, .name = default_name(file, arena)};
    source s = {0};
    const char *folder;
    char *text;
    size_t size;
    dt_node *root;
    dt_status status = dt_path_folder(arena, file, &folder, error);
    if (status == DT_OK)
        status = dt_file_read(file, DT_YAML_SIZE_MAX, arena, &text, &size, error);
    const dt_origin *origin = status == DT_OK ? dt_origin_file(arena, file, folder) : NULL;
    if (status == DT_OK)
        status = origin ? dt_yaml_read(&root, text, size, origin, arena, error) : dt_fail_memory(error, "the sweep");
    if (status != DT_OK)
        return status;
    if (!root || root->kind != DT_NODE_MAP)
        return dt_fail(error, DT_MALFORMED, "%s: not a sweep; write keys and values (see deltoid help sweep)", file);
    s.root = root;
    status = read_source(&s, plan, error);
    if (status == DT_OK && !(plan->experiment = dt_path_join(arena, folder, s.experiment->text)))
        status = dt_fail_memory(error, "the sweep");
    if (status == DT_OK)
        status = make_points(&s, plan, arena, error);
    if (status == DT_OK)
        status = make_runs(&s, plan, arena, error);
    return status == DT_OK ? check_runs(plan, text, size, error) : status;
}
