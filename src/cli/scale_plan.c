#include "cli/scale_plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/names.h"
#include "base/split.h"
#include "cli/config.h"
#include "cli/paths.h"
#include "cli/scale_points.h"
#include "cli/text.h"
#include "cli/yaml.h"
#include "record/sha256.h"
#include "train/keys.h"

/* What the file says. */
typedef struct source {
    const dt_node *root, *factors, *measure, *target;
    const char *folder;
} source;

/* --- numbers --- */

static dt_status real_number(const dt_node *map, const char *key, double low, double high, double *value,
                             dt_error *error)
{
    const dt_node *node = map ? dt_node_child(map, key) : NULL;
    if (!node)
        return DT_OK;
    char *end = NULL;
    const double x = node->kind == DT_NODE_SCALAR ? strtod(node->text, &end) : NAN;
    if (!end || end == node->text || *end || !(x >= low && x <= high))
        return dt_fail_at(error, node, DT_INVALID, "%s: must be a number from %g to %g", key, low, high);
    *value = x;
    return DT_OK;
}

/* "0.2 s", "200 ms", "10 min", "1 h"; a number alone is seconds. */
static dt_status duration(const dt_node *map, const char *key, double *seconds, dt_error *error)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"min", 60}, {"h", 3600}};
    const dt_node *node = map ? dt_node_child(map, key) : NULL;
    if (!node)
        return DT_OK;
    char *end = NULL;
    const double x = node->kind == DT_NODE_SCALAR ? strtod(node->text, &end) : NAN;
    if (end)
        end += strspn(end, " ");
    for (size_t i = 0; end && end != node->text && i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].name) == 0 && x * units[i].seconds >= 1e-3 && x * units[i].seconds <= 1e6) {
            *seconds = x * units[i].seconds;
            return DT_OK;
        }
    return dt_fail_at(error, node, DT_INVALID, "%s: must be a time as 0.2 s, 200 ms, 10 min or 1 h", key);
}

static dt_status map_of(const dt_node *root, const char *key, const char *const *names, const dt_node **map,
                        dt_error *error)
{
    *map = dt_node_child(root, key);
    if (!*map)
        return DT_OK;
    if ((*map)->kind != DT_NODE_MAP)
        return dt_fail_at(error, *map, DT_INVALID, "%s: must be keys with values", key);
    return names ? dt_sweep_only_names(*map, names, key, error) : DT_OK;
}

static dt_status read_measure(const source *s, dt_scale_plan *plan, dt_error *error)
{
    static const char *const names[] = {"epsilon",  "confidence", "visits",      "chunk",  "chunks", "budget",
                                        "attempts", "seed",       "first_steps", "probes", NULL};
    static const char *const visit_names[] = {"least", "most", NULL};
    const dt_node *m = s->measure, *visits = NULL;
    dt_status status = m ? dt_sweep_only_names(m, names, "measure", error) : DT_OK;
    if (status == DT_OK && m)
        status = map_of(m, "visits", visit_names, &visits, error);
    if (status == DT_OK)
        status = real_number(m, "epsilon", 1e-4, 1, &plan->rule.epsilon, error);
    if (status == DT_OK)
        status = real_number(m, "confidence", 0.5, 0.9999, &plan->rule.confidence, error);
    if (status == DT_OK)
        status = dt_sweep_whole_number(visits, "least", 1, 100000, &plan->rule.least, error);
    if (status == DT_OK)
        status = dt_sweep_whole_number(visits, "most", 1, 100000, &plan->rule.most, error);
    if (status == DT_OK)
        status = duration(m, "chunk", &plan->chunk, error);
    if (status == DT_OK)
        status = duration(m, "budget", &plan->budget, error);
    if (status == DT_OK)
        status = duration(m, "probes", &plan->probes, error);
    if (status == DT_OK)
        status = dt_sweep_whole_number(m, "chunks", 1, DT_VISIT_CHUNKS_MAX, &plan->chunks, error);
    if (status == DT_OK)
        status = dt_sweep_whole_number(m, "attempts", 1, 100, &plan->attempts, error);
    if (status == DT_OK)
        status = dt_sweep_whole_number(m, "seed", 0, INT64_MAX, &plan->study.seed, error);
    if (status == DT_OK)
        status = dt_sweep_whole_number(m, "first_steps", 0, 1000000, &plan->first_steps, error);
    if (status == DT_OK && plan->rule.most < plan->rule.least)
        return dt_fail_at(error, visits, DT_INVALID, "visits: most is %" PRId64 ", under least (%" PRId64 ")",
                          plan->rule.most, plan->rule.least);
    dt_error own = {0};
    if (status == DT_OK && dt_stop_rule_check(&plan->rule, &own) != DT_OK)
        return dt_fail_at(error, m ? m : s->root, DT_INVALID, "measure: %.300s", own.message);
    return status;
}

static dt_status read_target(const source *s, dt_scale_plan *plan, dt_error *error)
{
    static const char *const names[] = {"metric", "value", "epochs", "checks", NULL};
    const bool batch = strcmp(plan->study.kind, "batch") == 0;
    const dt_node *t = s->target, *metric = t ? dt_node_child(t, "metric") : NULL;
    if (batch != (t != NULL))
        return dt_fail_at(error, t ? t : s->root, DT_INVALID,
                          batch ? "target: is missing; kind batch wants {metric: test_loss, value: 0.4}"
                                : "target: is for kind batch");
    if (!batch)
        return DT_OK;
    dt_status status = dt_sweep_only_names(t, names, "target", error);
    plan->epochs = 20;
    plan->checks = 4;
    plan->chunks = 0;
    plan->target = NAN;
    plan->metric = metric && metric->kind == DT_NODE_SCALAR ? metric->text : "test_loss";
    if (status == DT_OK && !dt_visit_metric_known(plan->metric))
        return dt_fail_at(error, metric, DT_UNKNOWN_NAME,
                          "metric: must be test_loss, test_accuracy, validation_loss or validation_accuracy");
    if (status == DT_OK)
        status = real_number(t, "value", -1e300, 1e300, &plan->target, error);
    if (status == DT_OK && isnan(plan->target))
        return dt_fail_at(error, t, DT_INVALID, "target: must have a value");
    if (status == DT_OK)
        status = dt_sweep_whole_number(t, "epochs", 1, 1000000, &plan->epochs, error);
    return status == DT_OK ? dt_sweep_whole_number(t, "checks", 1, 1000, &plan->checks, error) : status;
}

/* --- workloads --- */

static dt_status open_workload(dt_scale_workload *w, dt_arena *arena, dt_error *error)
{
    dt_config config;
    const dt_status status = dt_config_open(&config, w->file, NULL, 0, error);
    if (status != DT_OK)
        return status;
    w->text = dt_arena_duplicate(arena, config.text);
    w->text_size = config.text_size;
    dt_config_clear(&config);
    return w->text ? DT_OK : dt_fail_memory(error, "the study");
}

static dt_status read_workloads(const source *s, dt_scale_plan *plan, dt_arena *arena, dt_error *error)
{
    const dt_node *one = dt_node_child(s->root, "experiment"), *several = dt_node_child(s->root, "workloads");
    if ((one != NULL) == (several != NULL))
        return dt_fail_at(error, several ? several : s->root, DT_INVALID,
                          "must name an experiment: FILE, or workloads: {NAME: FILE, ...}, one of the two");
    if (several && (several->kind != DT_NODE_MAP || several->count == 0))
        return dt_fail_at(error, several, DT_INVALID, "workloads: must be names with experiment files");
    plan->workload_count = several ? several->count : 1;
    plan->several_workloads = several != NULL;
    plan->workloads = dt_arena_allocate(arena, plan->workload_count, sizeof *plan->workloads);
    if (!plan->workloads)
        return dt_fail_memory(error, "the study");
    size_t i = 0;
    for (const dt_node *node = several ? several->first : one; node; node = several ? node->next : NULL, i++) {
        dt_scale_workload *w = &plan->workloads[i];
        if (node->kind != DT_NODE_SCALAR || !*node->text)
            return dt_fail_at(error, node, DT_INVALID, "%s: must name an experiment file", node->key);
        if (several && !dt_is_name(node->key, 64, true))
            return dt_fail_at_key(error, node, DT_INVALID,
                                  "workloads: names are 1 to 64 letters, digits, '.', '_' or '-'");
        w->file = dt_path_join(arena, s->folder, node->text);
        w->name = several ? node->key : dt_sweep_default_name(node->text, "experiment", arena);
        if (!w->file || !w->name)
            return dt_fail_memory(error, "the study");
        const dt_status status = open_workload(w, arena, error);
        if (status != DT_OK)
            return status;
    }
    return DT_OK;
}

/* --- the file --- */

static dt_status read_source(source *s, dt_scale_plan *plan, const char *file, dt_arena *arena, dt_error *error)
{
    static const char *const names[] = {"name",    "kind",    "experiment", "workloads", "factors",
                                        "exclude", "measure", "target",     NULL};
    static const char *const kinds[] = {"strong", "weak", "batch", "free", NULL};
    dt_status status = dt_sweep_only_names(s->root, names, "study", error);
    const dt_node *name = dt_node_child(s->root, "name"), *kind = dt_node_child(s->root, "kind");
    s->factors = dt_node_child(s->root, "factors");
    plan->study.name = dt_sweep_default_name(file, "study", arena);
    plan->study.kind = "strong";
    if (status == DT_OK && name) {
        if (name->kind != DT_NODE_SCALAR || !dt_is_name(name->text, 128, true))
            return dt_fail_at(error, name, DT_INVALID,
                              "name: must be 1 to 128 letters, digits, '.', '_' or '-', and not begin with '.'");
        plan->study.name = name->text;
    }
    if (status == DT_OK && kind) {
        size_t i = 0;
        while (kinds[i] && (kind->kind != DT_NODE_SCALAR || strcmp(kinds[i], kind->text) != 0))
            i++;
        if (!kinds[i])
            return dt_fail_at(error, kind, DT_UNKNOWN_NAME, "kind: must be strong, weak, batch or free");
        plan->study.kind = kinds[i];
    }
    if (status == DT_OK)
        status = map_of(s->root, "measure", NULL, &s->measure, error);
    if (status == DT_OK)
        status = map_of(s->root, "target", NULL, &s->target, error);
    if (status == DT_OK)
        status = read_measure(s, plan, error);
    if (status == DT_OK)
        status = read_target(s, plan, error);
    if (status == DT_OK)
        status = read_workloads(s, plan, arena, error);
    if (status == DT_OK)
        status = dt_scale_factors_read(plan, s->factors, arena, error);
    return status == DT_OK ? dt_scale_exclusions_read(plan, dt_node_child(s->root, "exclude"), arena, error) : status;
}

static void add_exclusions(dt_text *t, const dt_scale_plan *plan)
{
    if (plan->exclusion_count)
        dt_text_add(t, "exclude:\n");
    for (size_t e = 0; e < plan->exclusion_count; e++) {
        const char *before = "  - {";
        for (size_t f = 0; f < plan->study.factor_count; f++) {
            const bool *marked = plan->exclusions[e].level[f];
            const char *separator = "";
            if (!marked)
                continue;
            dt_text_add(t, "%s%s: [", before, plan->factors[f].name);
            for (int64_t i = 0; i < plan->factors[f].level_count; i++)
                if (marked[i]) {
                    dt_text_add(t, "%s%s", separator, plan->factors[f].levels[i].shown);
                    separator = ", ";
                }
            dt_text_add(t, "]");
            before = ", ";
        }
        dt_text_add(t, "}\n");
    }
}

/* The study with every default spelt out; workloads by the copies in its folder. */
static dt_status resolve(dt_scale_plan *plan, dt_arena *arena, dt_error *error)
{
    dt_text t = {0};
    dt_text_add(&t, "name: %s\nkind: %s\n", plan->study.name, plan->study.kind);
    if (!plan->several_workloads)
        dt_text_add(&t, "experiment: experiments/%s.yaml\n", plan->workloads[0].name);
    else
        dt_text_add(&t, "workloads:\n");
    for (size_t w = 0; plan->several_workloads && w < plan->workload_count; w++)
        dt_text_add(&t, "  %s: experiments/%s.yaml\n", plan->workloads[w].name, plan->workloads[w].name);
    dt_text_add(&t, "factors:\n");
    for (size_t f = 0; f < plan->study.factor_count; f++) {
        const dt_scale_factor *factor = &plan->factors[f];
        if (factor->changes == DT_SCALE_WORKLOAD)
            continue;
        dt_text_add(&t, "  %s: [", factor->name);
        for (int64_t i = 0; i < factor->level_count; i++)
            dt_text_add(&t, "%s%s", i ? ", " : "", factor->levels[i].given);
        dt_text_add(&t, "]\n");
    }
    add_exclusions(&t, plan);
    dt_text_add(&t,
                "measure: {epsilon: %g, confidence: %g, visits: {least: %" PRId64 ", most: %" PRId64
                "}, chunk: %g s, chunks: %" PRId64 ", budget: %g s, attempts: %" PRId64 ", seed: %" PRId64
                ", first_steps: %" PRId64 ", probes: %g s}\n",
                plan->rule.epsilon, plan->rule.confidence, plan->rule.least, plan->rule.most, plan->chunk,
                dt_max(1, plan->chunks), plan->budget, plan->attempts, plan->study.seed, plan->first_steps,
                plan->probes);
    if (plan->metric)
        dt_text_add(&t, "target: {metric: %s, value: %.17g, epochs: %" PRId64 ", checks: %" PRId64 "}\n", plan->metric,
                    plan->target, plan->epochs, plan->checks);
    plan->text = t.failed ? NULL : dt_arena_duplicate(arena, t.bytes);
    dt_text_clear(&t);
    return plan->text ? DT_OK : dt_fail_memory(error, "the study");
}

static dt_status name_hash(dt_scale_plan *plan, dt_arena *arena, dt_error *error)
{
    dt_bytes *parts = dt_arena_allocate(arena, plan->workload_count + 1, sizeof *parts);
    char hash[65];
    if (!parts)
        return dt_fail_memory(error, "the study");
    parts[0] = (dt_bytes){plan->text, strlen(plan->text)};
    for (size_t w = 0; w < plan->workload_count; w++)
        parts[w + 1] = (dt_bytes){plan->workloads[w].text, plan->workloads[w].text_size};
    const dt_status status = dt_sha256(parts, plan->workload_count + 1, hash, error);
    snprintf(plan->hash, sizeof plan->hash, "%.12s", status == DT_OK ? hash : "");
    return status;
}

dt_status dt_scale_plan_open(dt_scale_plan *plan, const char *file, dt_arena *arena, dt_error *error)
{
    *plan = (dt_scale_plan){
        .rule = {.confidence = 0.95, .epsilon = 0.02, .least = 6, .most = 20},
        .budget = 1800,
        .chunk = 0.05,
        .chunks = 24,
        .attempts = 3,
        .first_steps = 20,
        .probes = 2,
        .study = {.seed = 1, .processors = dt_scale_processors()},
    };
    source s = {0};
    char *text;
    size_t size;
    dt_node *root;
    dt_status status = dt_path_folder(arena, file, &s.folder, error);
    if (status == DT_OK)
        status = dt_file_read(file, DT_YAML_SIZE_MAX, arena, &text, &size, error);
    const dt_origin *origin = status == DT_OK ? dt_origin_file(arena, file, s.folder) : NULL;
    if (status == DT_OK)
        status = origin ? dt_yaml_read(&root, text, size, origin, arena, error) : dt_fail_memory(error, "the study");
    if (status != DT_OK)
        return status;
    if (!root || root->kind != DT_NODE_MAP)
        return dt_fail(error, DT_MALFORMED, "%s: not a study; write keys and values (see deltoid help scale)", file);
    s.root = root;
    status = read_source(&s, plan, file, arena, error);
    plan->study.confidence = plan->rule.confidence;
    plan->study.epsilon = plan->rule.epsilon;
    if (status == DT_OK)
        status = dt_scale_points_make(plan, arena, error);
    if (status == DT_OK)
        status = resolve(plan, arena, error);
    return status == DT_OK ? name_hash(plan, arena, error) : status;
}
