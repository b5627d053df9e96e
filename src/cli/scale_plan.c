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
#include "deltoid/tables.h"
#include "kernels/isa.h"
#include "record/sha256.h"
#include "study/order.h"
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
    static const char *const names[] = {"epsilon", "confidence", "visits", "chunk",       "chunks",
                                        "budget",  "attempts",   "seed",   "first_steps", NULL};
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
        return dt_fail_at(error, metric, DT_UNKNOWN,
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

/* --- factors --- */

static const struct {
    const char *name, *path; /* path NULL: not a key */
    dt_scale_changes changes;
} short_names[] = {
    {"threads", "parallel.threads", DT_SCALE_KEY},
    {"reduction", "parallel.reduction", DT_SCALE_KEY},
    {"groups", "parallel.groups", DT_SCALE_KEY},
    {"shard_size", "parallel.shard_size", DT_SCALE_KEY},
    {"batch_size", "training.batch_size", DT_SCALE_KEY},
    {"precision", "precision", DT_SCALE_KEY},
    {"isa", NULL, DT_SCALE_ISA},
    {"placement", NULL, DT_SCALE_PLACEMENT},
    {"capture", NULL, DT_SCALE_CAPTURE},
};

static bool add_level(dt_scale_factor *f, const char *text, dt_arena *arena)
{
    const char *kept = dt_arena_duplicate(arena, text);
    f->levels[f->level_count++] = (dt_sweep_value){kept, kept};
    return kept != NULL;
}

/* auto of threads: 1, 2, 4, ... and all processors. */
static bool add_threads(dt_scale_factor *f, int64_t processors, dt_arena *arena)
{
    char text[24];
    bool good = true;
    for (int64_t t = 1; good && t <= processors; t = t < processors && 2 * t > processors ? processors : 2 * t) {
        snprintf(text, sizeof text, "%" PRId64, t);
        good = add_level(f, text, arena);
    }
    return good;
}

/* all, deterministic of reduction: the table's strategies, but auto, which is one of the others. */
static bool add_reductions(dt_scale_factor *f, bool deterministic, dt_arena *arena)
{
    const dt_entry *entry;
    bool good = true;
    for (size_t i = 0; good && (entry = dt_table_at(DT_REDUCTIONS, i)); i++)
        if (strcmp(entry->name, "auto") != 0 && (!deterministic || dt_reduction_is_deterministic(entry->name)))
            good = add_level(f, entry->name, arena);
    return good;
}

static bool add_isas(dt_scale_factor *f, dt_arena *arena)
{
    bool good = true;
    for (int i = 0; good && i < DT_ISAS; i++)
        if (dt_isa_runs((dt_isa)i))
            good = add_level(f, dt_isa_name((dt_isa)i), arena);
    return good;
}

static dt_status check_level(const dt_scale_factor *f, const dt_node *node, dt_error *error)
{
    const char *text = node->kind == DT_NODE_SCALAR ? node->text : "";
    if (f->changes == DT_SCALE_CAPTURE && strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
        return dt_fail_at(error, node, DT_INVALID, "capture: must be on (what the experiment captures) or off");
    if (f->changes == DT_SCALE_PLACEMENT && node->kind != DT_NODE_LIST && strcmp(text, "close") != 0 &&
        strcmp(text, "spread") != 0 && strcmp(text, "none") != 0)
        return dt_fail_at(error, node, DT_INVALID,
                          "placement: must be close, spread, none or a list of processors as [0, 2]");
    for (const dt_node *p = f->changes == DT_SCALE_PLACEMENT ? node->first : NULL; p; p = p->next)
        if (p->kind != DT_NODE_SCALAR || !*p->text || p->text[strspn(p->text, "0123456789")])
            return dt_fail_at(error, p, DT_INVALID, "placement: must be numbers of processors as [0, 2]");
    if (f->changes == DT_SCALE_ISA) {
        int i = 0;
        while (i < DT_ISAS && strcmp(dt_isa_name((dt_isa)i), text) != 0)
            i++;
        if (i == DT_ISAS || !dt_isa_runs((dt_isa)i))
            return dt_fail_at(error, node, DT_UNKNOWN, "isa: '%.40s' doesn't run here; deltoid machine lists what does",
                              text);
    }
    return DT_OK;
}

static dt_status read_levels(dt_scale_plan *plan, dt_scale_factor *f, const dt_node *node, dt_arena *arena,
                             dt_error *error)
{
    const char *word = node->kind == DT_NODE_SCALAR ? node->text : "";
    const size_t room = node->kind == DT_NODE_LIST ? node->count : 64;
    f->levels = dt_arena_allocate(arena, room + 1, sizeof *f->levels);
    if (!f->levels)
        return dt_fail_memory(error, "the study");
    bool good = true, words = true;
    if (strcmp(f->name, "threads") == 0 && strcmp(word, "auto") == 0)
        good = add_threads(f, plan->study.processors, arena);
    else if (strcmp(f->name, "reduction") == 0 && (strcmp(word, "all") == 0 || strcmp(word, "deterministic") == 0))
        good = add_reductions(f, *word == 'd', arena);
    else if (f->changes == DT_SCALE_ISA && strcmp(word, "all") == 0)
        good = add_isas(f, arena);
    else
        words = false;
    if (words)
        return good ? DT_OK : dt_fail_memory(error, "the study");
    if (node->kind != DT_NODE_LIST || node->count == 0 || node->count > DT_SCALE_LEVELS_MAX)
        return dt_fail_at(error, node, DT_INVALID, "%s: must be a list of 1 to %d levels%s", f->name,
                          DT_SCALE_LEVELS_MAX,
                          strcmp(f->name, "threads") == 0     ? ", or auto"
                          : strcmp(f->name, "reduction") == 0 ? ", or all, or deterministic"
                                                              : "");
    dt_status status = DT_OK;
    for (const dt_node *level = node->first; status == DT_OK && level; level = level->next) {
        status = check_level(f, level, error);
        if (status == DT_OK)
            status = dt_sweep_value_of(&f->levels[f->level_count], level, f->path ? f->path : f->name, arena, error);
        for (int64_t i = 0; status == DT_OK && i < f->level_count; i++)
            if (strcmp(f->levels[i].shown, f->levels[f->level_count].shown) == 0)
                return dt_fail_at(error, level, DT_INVALID, "%s: has %s twice", f->name, f->levels[i].shown);
        f->level_count++;
    }
    return status;
}

static dt_status add_factor(dt_scale_plan *plan, const dt_node *node, dt_arena *arena, dt_error *error)
{
    if (plan->study.factor_count == DT_STUDY_FACTORS_MAX)
        return dt_fail_at_key(error, node, DT_INVALID, "%s: more than %d factors", node->key, DT_STUDY_FACTORS_MAX);
    dt_scale_factor *f = &plan->factors[plan->study.factor_count++];
    *f = (dt_scale_factor){.name = node->key, .path = node->key};
    for (size_t i = 0; i < sizeof short_names / sizeof *short_names; i++)
        if (strcmp(node->key, short_names[i].name) == 0) {
            f->path = short_names[i].path;
            f->changes = short_names[i].changes;
        }
    if (strcmp(f->name, "workload") == 0)
        return dt_fail_at_key(error, node, DT_INVALID, "workload: is given by workloads: {NAME: FILE, ...}");
    return read_levels(plan, f, node, arena, error);
}

static dt_status read_factors(const source *s, dt_scale_plan *plan, dt_arena *arena, dt_error *error)
{
    plan->study.factors = dt_arena_allocate(arena, DT_STUDY_FACTORS_MAX, sizeof *plan->study.factors);
    if (!plan->study.factors)
        return dt_fail_memory(error, "the study");
    if (dt_node_child(s->root, "workloads")) {
        dt_scale_factor *f = &plan->factors[plan->study.factor_count++];
        *f = (dt_scale_factor){.name = "workload", .changes = DT_SCALE_WORKLOAD};
        f->levels = dt_arena_allocate(arena, plan->workload_count, sizeof *f->levels);
        for (size_t i = 0; f->levels && i < plan->workload_count; i++)
            f->levels[f->level_count++] = (dt_sweep_value){plan->workloads[i].name, plan->workloads[i].name};
        if (!f->levels)
            return dt_fail_memory(error, "the study");
    }
    if (s->factors && s->factors->kind != DT_NODE_MAP)
        return dt_fail_at(error, s->factors, DT_INVALID, "factors: must be names with lists of levels");
    dt_status status = DT_OK;
    for (const dt_node *node = s->factors ? s->factors->first : NULL; status == DT_OK && node; node = node->next)
        status = add_factor(plan, node, arena, error);
    for (size_t f = 0; f < plan->study.factor_count; f++)
        plan->study.factors[f].name = plan->factors[f].name;
    return status;
}

/* --- the file --- */

static dt_status read_source(source *s, dt_scale_plan *plan, const char *file, dt_arena *arena, dt_error *error)
{
    static const char *const names[] = {"name",    "kind",    "experiment", "workloads",
                                        "factors", "measure", "target",     NULL};
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
            return dt_fail_at(error, kind, DT_UNKNOWN, "kind: must be strong, weak, batch or free");
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
    return status == DT_OK ? read_factors(s, plan, arena, error) : status;
}

/* The study with every default spelt out; workloads by the copies in its folder. */
static dt_status resolve(dt_scale_plan *plan, dt_arena *arena, dt_error *error)
{
    dt_text t = {0};
    dt_text_add(&t, "name: %s\nkind: %s\nworkloads:\n", plan->study.name, plan->study.kind);
    for (size_t w = 0; w < plan->workload_count; w++)
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
    dt_text_add(&t,
                "measure: {epsilon: %g, confidence: %g, visits: {least: %" PRId64 ", most: %" PRId64
                "}, chunk: %g s, chunks: %" PRId64 ", budget: %g s, attempts: %" PRId64 ", seed: %" PRId64
                ", first_steps: %" PRId64 "}\n",
                plan->rule.epsilon, plan->rule.confidence, plan->rule.least, plan->rule.most, plan->chunk,
                dt_max(1, plan->chunks), plan->budget, plan->attempts, plan->study.seed, plan->first_steps);
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

void dt_scale_expect(const dt_scale_plan *plan, double each, double *least, double *most)
{
    const double visit = each + (double)plan->chunks * plan->chunk * 1.5, points = (double)plan->study.point_count;
    *least = points * visit * (double)dt_max(1, plan->rule.least);
    *most = fmin(points * visit * (double)plan->rule.most, fmax(plan->budget, *least));
}
