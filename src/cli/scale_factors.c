/* The factors of a study's file, and their levels. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/split.h"
#include "cli/overrides.h"
#include "cli/scale_plan.h"
#include "cli/scale_points.h"
#include "deltoid/tables.h"
#include "kernels/isa.h"
#include "machine/processors.h"
#include "study/order.h"

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

/* Processors by number, which this process may use. */
static dt_status check_places(const dt_node *list, dt_error *error)
{
    dt_processor_set set;
    memset(&set, 0, sizeof set);
    dt_processors_mark(&set);
    for (const dt_node *p = list->first; p; p = p->next) {
        int64_t number;
        int found = -1;
        if (p->kind != DT_NODE_SCALAR || !*p->text || p->text[strspn(p->text, "0123456789")])
            return dt_fail_at(error, p, DT_INVALID, "placement: must be numbers of processors as [0, 2]");
        number = strtoll(p->text, NULL, 10);
        if (number >= DT_PROCESSORS_MAX || dt_processors_list(&set, (int)number, 1, &found) != 1 || found != number)
            return dt_fail_at(error, p, DT_INVALID,
                              "placement: processor %.20s isn't one that this process may use; deltoid machine names "
                              "those that are",
                              p->text);
    }
    return list->first ? DT_OK : dt_fail_at(error, list, DT_INVALID, "placement: must name processors as [0, 2]");
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
    if (f->changes == DT_SCALE_PLACEMENT && node->kind == DT_NODE_LIST)
        return check_places(node, error);
    if (f->changes == DT_SCALE_ISA) {
        int i = 0;
        while (i < DT_ISAS && strcmp(dt_isa_name((dt_isa)i), text) != 0)
            i++;
        if (i == DT_ISAS || !dt_isa_runs((dt_isa)i))
            return dt_fail_at(error, node, DT_UNKNOWN_NAME,
                              "isa: '%.40s' doesn't run here; deltoid machine lists what does", text);
    }
    return DT_OK;
}

static const char *short_name_at(const void *context, size_t i)
{
    (void)context;
    return i < sizeof short_names / sizeof *short_names ? short_names[i].name : NULL;
}

static dt_status unknown_factor(const dt_node *node, dt_error *error)
{
    dt_error own = {0};
    dt_fail_unknown(&own, "factor", node->key, short_name_at, NULL);
    return dt_fail_at_key(error, node, DT_UNKNOWN_NAME, "%.300s, or a key of an experiment as network.0.units",
                          own.message);
}

static dt_status read_levels(dt_scale_plan *plan, dt_scale_factor *f, const dt_node *node, dt_arena *arena,
                             dt_error *error)
{
    const char *word = node->kind == DT_NODE_SCALAR ? node->text : "";
    const size_t room = node->kind == DT_NODE_LIST ? node->count : 64;
    f->levels = dt_arena_allocate(arena, room + 1, sizeof *f->levels);
    f->nodes = dt_arena_allocate(arena, room + 1, sizeof *f->nodes);
    if (!f->levels || !f->nodes)
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
        f->nodes[f->level_count++] = level;
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
    if (f->path && !dt_override_key(f->path))
        return unknown_factor(node, error);
    return read_levels(plan, f, node, arena, error);
}

dt_status dt_scale_factors_read(dt_scale_plan *plan, const dt_node *factors, dt_arena *arena, dt_error *error)
{
    plan->study.factors = dt_arena_allocate(arena, DT_STUDY_FACTORS_MAX, sizeof *plan->study.factors);
    if (!plan->study.factors)
        return dt_fail_memory(error, "the study");
    if (plan->several_workloads) {
        dt_scale_factor *f = &plan->factors[plan->study.factor_count++];
        *f = (dt_scale_factor){.name = "workload", .changes = DT_SCALE_WORKLOAD};
        f->levels = dt_arena_allocate(arena, plan->workload_count, sizeof *f->levels);
        for (size_t i = 0; f->levels && i < plan->workload_count; i++)
            f->levels[f->level_count++] = (dt_sweep_value){plan->workloads[i].name, plan->workloads[i].name};
        if (!f->levels)
            return dt_fail_memory(error, "the study");
    }
    if (factors && factors->kind != DT_NODE_MAP)
        return dt_fail_at(error, factors, DT_INVALID, "factors: must be names with lists of levels");
    dt_status status = DT_OK;
    for (const dt_node *node = factors ? factors->first : NULL; status == DT_OK && node; node = node->next)
        status = add_factor(plan, node, arena, error);
    for (size_t f = 0; f < plan->study.factor_count; f++)
        plan->study.factors[f].name = plan->factors[f].name;
    return status;
}

/* --- points that are left out --- */

/* Marks the factor's level that the node is. */
static dt_status mark_level(const dt_scale_factor *f, const dt_node *node, bool *marked, dt_arena *arena,
                            dt_error *error)
{
    dt_sweep_value value;
    const dt_status status = dt_sweep_value_of(&value, node, f->path ? f->path : f->name, arena, error);
    if (status != DT_OK)
        return status;
    for (int64_t i = 0; i < f->level_count; i++)
        if (strcmp(f->levels[i].shown, value.shown) == 0) {
            marked[i] = true;
            return DT_OK;
        }
    return dt_fail_at(error, node, DT_INVALID, "exclude: %s has no level %.80s", f->name, value.shown);
}

/* A placement's level is a list itself, so that only lists of several things are several levels. */
static dt_status mark_levels(const dt_scale_factor *f, const dt_node *node, bool *marked, dt_arena *arena,
                             dt_error *error)
{
    dt_error own = {0};
    if (mark_level(f, node, marked, arena, &own) == DT_OK)
        return DT_OK;
    if (node->kind != DT_NODE_LIST)
        return mark_level(f, node, marked, arena, error);
    dt_status status = DT_OK;
    for (const dt_node *n = node->first; status == DT_OK && n; n = n->next)
        status = mark_level(f, n, marked, arena, error);
    return status;
}

static dt_status read_exclusion(const dt_scale_plan *plan, dt_scale_exclusion *e, const dt_node *map, dt_arena *arena,
                                dt_error *error)
{
    if (map->kind != DT_NODE_MAP || !map->first)
        return dt_fail_at(error, map, DT_INVALID, "exclude: must be a list of {FACTOR: LEVEL or [LEVEL, ...], ...}");
    for (const dt_node *n = map->first; n; n = n->next) {
        size_t f = 0;
        while (f < plan->study.factor_count && strcmp(plan->factors[f].name, n->key) != 0)
            f++;
        if (f == plan->study.factor_count)
            return dt_fail_at_key(error, n, DT_UNKNOWN_NAME, "exclude: '%.80s' is no factor of this study", n->key);
        e->level[f] = dt_arena_allocate(arena, (size_t)plan->factors[f].level_count, sizeof *e->level[f]);
        if (!e->level[f])
            return dt_fail_memory(error, "the study");
        const dt_status status = mark_levels(&plan->factors[f], n, e->level[f], arena, error);
        if (status != DT_OK)
            return status;
    }
    return DT_OK;
}

dt_status dt_scale_exclusions_read(dt_scale_plan *plan, const dt_node *list, dt_arena *arena, dt_error *error)
{
    if (!list)
        return DT_OK;
    if (list->kind != DT_NODE_LIST)
        return dt_fail_at(error, list, DT_INVALID, "exclude: must be a list of {FACTOR: LEVEL or [LEVEL, ...], ...}");
    plan->exclusions = dt_arena_allocate(arena, list->count + 1, sizeof *plan->exclusions);
    if (!plan->exclusions)
        return dt_fail_memory(error, "the study");
    dt_status status = DT_OK;
    for (const dt_node *n = list->first; status == DT_OK && n; n = n->next)
        status = read_exclusion(plan, &plan->exclusions[plan->exclusion_count++], n, arena, error);
    return status;
}

bool dt_scale_is_excluded(const dt_scale_plan *plan, const int64_t *level)
{
    for (size_t e = 0; e < plan->exclusion_count; e++) {
        size_t f = 0;
        while (f < plan->study.factor_count &&
               (!plan->exclusions[e].level[f] || plan->exclusions[e].level[f][level[f]]))
            f++;
        if (f == plan->study.factor_count)
            return true;
    }
    return false;
}

bool dt_scale_level_place(const dt_scale_plan *plan, size_t point, dt_error *error)
{
    static const char begins[] = "command line: key '";
    const size_t length = strlen(begins);
    const char *change = error->message + length, *end = strstr(error->message, "': ");
    int64_t levels[DT_STUDY_FACTORS_MAX], level[DT_STUDY_FACTORS_MAX];
    if (strncmp(error->message, begins, length) != 0 || !end)
        return false;
    for (size_t f = 0; f < plan->study.factor_count; f++)
        levels[f] = plan->factors[f].level_count;
    dt_design_levels(levels, (int64_t)plan->study.factor_count, plan->points[point].design, level);
    for (size_t f = 0; f < plan->study.factor_count; f++) {
        const dt_scale_factor *factor = &plan->factors[f];
        const size_t path = factor->path ? strlen(factor->path) : 0;
        if (!path || !factor->nodes[level[f]] || strncmp(change, factor->path, path) != 0 || change[path] != '=')
            continue;
        memmove(error->message, end + 3, strlen(end + 3) + 1);
        dt_error_place(error, factor->nodes[level[f]]);
        return true;
    }
    return false;
}
