#include "cli/sweep_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/names.h"
#include "base/philox.h"
#include "cli/config.h"
#include "cli/paths.h"
#include "cli/text.h"
#include "cli/yaml.h"
#include "record/sha256.h"
#include "train/keys.h"

/* What the file says, before it is multiplied out. */
typedef struct source {
    const dt_node *root, *experiment, *grid, *together, *seeds, *draws; /* NULL: not there */
    int64_t trials;
    size_t abreast; /* values of each key of `together`; 1 without */
    uint64_t seed;
} source;

/* --- the file --- */

static dt_status read_source(source *s, dt_sweep_plan *plan, dt_error *error)
{
    static const char *const names[] = {"name", "experiment", "grid", "together", "random", "seeds", "parallel", NULL};
    static const char *const random_names[] = {"trials", "seed", "keys", NULL};
    static const char *const parallel_names[] = {"runs", "threads", NULL};
    dt_status status = dt_sweep_only_names(s->root, names, "sweep", error);
    const dt_node *name = dt_node_child(s->root, "name"), *random = dt_node_child(s->root, "random");
    const dt_node *parallel = dt_node_child(s->root, "parallel");
    int64_t seed = 1;
    s->experiment = dt_node_child(s->root, "experiment");
    s->grid = dt_node_child(s->root, "grid");
    s->together = dt_node_child(s->root, "together");
    s->abreast = 1;
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
        status = dt_sweep_only_names(random, random_names, "random", error);
    if (status == DT_OK && random && (random->kind != DT_NODE_MAP || !s->draws || s->draws->kind != DT_NODE_MAP))
        return dt_fail_at(error, random, DT_INVALID, "random: must have keys: {KEY: {low: A, high: B}, ...}");
    if (status == DT_OK && s->grid && s->grid->kind != DT_NODE_MAP)
        return dt_fail_at(error, s->grid, DT_INVALID, "grid: must be keys with lists of values");
    if (status == DT_OK && s->together && (s->together->kind != DT_NODE_MAP || !s->together->first))
        return dt_fail_at(error, s->together, DT_INVALID, "together: must be keys with lists of as many values each");
    if (status == DT_OK && parallel && parallel->kind != DT_NODE_MAP)
        return dt_fail_at(error, parallel, DT_INVALID, "parallel: must be {runs: N, threads: N}");
    if (status == DT_OK && parallel)
        status = dt_sweep_only_names(parallel, parallel_names, "parallel", error);
    if (status == DT_OK)
        status = dt_sweep_whole_number(random, "trials", 1, DT_SWEEP_RUNS_MAX, &s->trials, error);
    if (status == DT_OK)
        status = dt_sweep_whole_number(random, "seed", 0, INT64_MAX, &seed, error);
    if (status == DT_OK)
        status = dt_sweep_whole_number(parallel, "runs", 1, 1024, &plan->side_by_side, error);
    const dt_node *threads = parallel ? dt_node_child(parallel, "threads") : NULL;
    if (status == DT_OK && threads && strcmp(threads->text ? threads->text : "", "auto") != 0)
        status = dt_sweep_whole_number(parallel, "threads", 1, 1024, &plan->threads, error);
    s->seed = (uint64_t)seed;
    return status;
}

/* --- points --- */

static dt_status add_key(dt_sweep_plan *plan, const dt_node *node, dt_error *error)
{
    for (size_t i = 0; i < plan->key_count; i++)
        if (strcmp(plan->keys[i], node->key) == 0)
            return dt_fail_at_key(error, node, DT_INVALID,
                                  "%s: is swept twice; leave it in one of grid, together and random", node->key);
    if (plan->key_count == DT_SWEEP_KEYS_MAX)
        return dt_fail_at_key(error, node, DT_INVALID, "%s: more than %d keys are swept", node->key, DT_SWEEP_KEYS_MAX);
    if (strcmp(node->key, "seed") == 0)
        return dt_fail_at_key(error, node, DT_INVALID, "seed: is swept by seeds: [1, 2, 3], beside grid and random");
    plan->keys[plan->key_count++] = node->key;
    return DT_OK;
}

static dt_status add_listed_key(dt_sweep_plan *plan, const dt_node *key, dt_error *error)
{
    if (key->kind != DT_NODE_LIST || key->count == 0)
        return dt_fail_at(error, key, DT_INVALID, "%s: must be a list of values", key->key);
    return add_key(plan, key, error);
}

static const dt_node *first_of(const dt_node *map)
{
    return map ? map->first : NULL;
}

static dt_status count_points(source *s, dt_sweep_plan *plan, dt_error *error)
{
    plan->point_count = (size_t)s->trials;
    for (const dt_node *key = first_of(s->grid); key; key = key->next) {
        if (add_listed_key(plan, key, error) != DT_OK)
            return DT_INVALID;
        plan->point_count *= key->count;
        if (plan->point_count > DT_SWEEP_RUNS_MAX)
            return dt_fail_at(error, key, DT_INVALID, "grid: more than %d runs; sweep fewer values", DT_SWEEP_RUNS_MAX);
    }
    for (const dt_node *key = first_of(s->together); key; key = key->next) {
        if (add_listed_key(plan, key, error) != DT_OK)
            return DT_INVALID;
        s->abreast = s->together->first->count;
        if (key->count != s->abreast)
            return dt_fail_at(error, key, DT_INVALID, "%s: has %zu values, but %s has %zu; give both as many", key->key,
                              key->count, s->together->first->key, s->abreast);
    }
    plan->point_count *= s->abreast;
    if (plan->point_count > DT_SWEEP_RUNS_MAX)
        return dt_fail_at(error, s->together, DT_INVALID, "together: more than %d runs; sweep fewer values",
                          DT_SWEEP_RUNS_MAX);
    for (const dt_node *key = first_of(s->draws); key; key = key->next)
        if (add_key(plan, key, error) != DT_OK)
            return DT_INVALID;
    if (plan->key_count == 0 && !s->seeds)
        return dt_fail_at(error, s->root, DT_INVALID, "sweeps nothing; give grid, together, random or seeds");
    return DT_OK;
}

/* Point p: the first key of the grid changes most slowly, then those of `together`, then draws. */
static dt_status make_point(const source *s, size_t p, size_t count, dt_sweep_value *values, dt_arena *arena,
                            dt_error *error)
{
    size_t i = 0, rest = p / (size_t)s->trials, below = count / (size_t)s->trials;
    dt_status status = DT_OK;
    for (const dt_node *key = first_of(s->grid); status == DT_OK && key; key = key->next) {
        below /= key->count;
        status = dt_sweep_value_of(&values[i++], dt_node_item(key, rest / below), key->key, arena, error);
        rest %= below;
    }
    for (const dt_node *key = first_of(s->together); status == DT_OK && key; key = key->next)
        status = dt_sweep_value_of(&values[i++], dt_node_item(key, rest), key->key, arena, error);
    for (const dt_node *key = first_of(s->draws); status == DT_OK && key; key = key->next, i++) {
        const dt_random128 bits = dt_philox(s->seed, DT_FOR_SWEEP, (uint64_t)i, (uint64_t)p);
        status = dt_sweep_draw(&values[i], key, dt_uniform01(bits.u[0]), arena, error);
    }
    return status;
}

static dt_status make_points(source *s, dt_sweep_plan *plan, dt_arena *arena, dt_error *error)
{
    dt_status status = count_points(s, plan, error);
    if (status != DT_OK)
        return status;
    plan->points = dt_arena_allocate(arena, plan->point_count, sizeof *plan->points);
    for (size_t p = 0; plan->points && status == DT_OK && p < plan->point_count; p++) {
        dt_sweep_value *values = dt_arena_allocate(arena, plan->key_count ? plan->key_count : 1, sizeof *values);
        if (!values)
            return dt_fail_memory(error, "the sweep");
        plan->points[p].values = values;
        status = make_point(s, p, plan->point_count, values, arena, error);
    }
    return plan->points ? status : dt_fail_memory(error, "the sweep");
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
            dt_text_add(&text, "%s=%s", plan->keys[i], plan->points[run->point].values[i].given);
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

dt_status dt_sweep_plan_open(dt_sweep_plan *plan, const char *file, dt_arena *arena, dt_error *error)
{
    *plan = (dt_sweep_plan){.side_by_side = 1, .name = dt_sweep_default_name(file, "sweep", arena)};
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
