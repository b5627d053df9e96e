#define _GNU_SOURCE /* sched_getaffinity */
#include "cli/scale_points.h"

#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/split.h"
#include "cli/config.h"
#include "cli/data.h"
#include "cli/text.h"
#include "deltoid/deltoid.h"
#include "machine/processors.h"
#include "study/order.h"
#include "train/keys.h"

int64_t dt_scale_processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void dt_scale_point_text(const dt_scale_plan *plan, size_t point, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t f = 0; f < plan->study.factor_count && used < size; f++)
        used += (size_t)snprintf(text + used, size - used, "%s%s=%s", f ? " " : "", plan->factors[f].name,
                                 plan->study.points[point].values[f]);
}

/* The next of a placement's numbers, "[0, 2]". */
static bool next_number(const char **at, int *number)
{
    char *end;
    *at += strcspn(*at, "0123456789");
    if (!**at)
        return false;
    *number = (int)strtol(*at, &end, 10); /* they have been looked at: check_places in scale_factors.c */
    *at = end;
    return true;
}

/* As OpenMP's places: "{0},{2}". */
static const char *places_of(const char *list, dt_arena *arena)
{
    dt_text t = {0};
    int number;
    dt_text_add(&t, "OMP_PLACES=");
    for (const char *separator = ""; next_number(&list, &number); separator = ",")
        dt_text_add(&t, "%s{%d}", separator, number);
    const char *kept = t.failed ? NULL : dt_arena_duplicate(arena, t.bytes);
    dt_text_clear(&t);
    return kept;
}

/* How many processors a placement names; one that names none leaves all. */
static int64_t places_count(const char *placement)
{
    dt_processor_set set;
    int number;
    if (!placement || *placement != '[')
        return INT64_MAX;
    memset(&set, 0, sizeof set);
    while (next_number(&placement, &number))
        atomic_store(&set.has[number], true);
    return dt_processors_count(&set);
}

/* The cores, neighbours beside each other; where hwloc doesn't know them, OpenMP's own idea of them. */
static const char *all_cores(dt_arena *arena)
{
    char text[1 << 14];
    const int begin = snprintf(text, sizeof text, "OMP_PLACES=");
    if (!dt_machine_places(text + begin, sizeof text - (size_t)begin))
        snprintf(text + begin, sizeof text - (size_t)begin, "cores");
    return dt_arena_duplicate(arena, text);
}

bool dt_scale_environment(const dt_scale_point *point, const char *more[5], dt_arena *arena)
{
    size_t n = 0;
    char text[64];
    if (point->isa) {
        snprintf(text, sizeof text, "DELTOID_ISA=%.40s", point->isa);
        more[n++] = dt_arena_duplicate(arena, text);
    }
    const char *p = point->placement;
    if (p && strcmp(p, "none") == 0) {
        more[n++] = "OMP_PROC_BIND=false";
    } else if (p) {
        more[n++] = *p == '[' ? places_of(p, arena) : all_cores(arena);
        more[n++] = strcmp(p, "spread") == 0 ? "OMP_PROC_BIND=spread" : "OMP_PROC_BIND=close";
    }
    more[n] = NULL;
    for (size_t i = 0; i < n; i++)
        if (!more[i])
            return false;
    return true;
}

/* --- what follows from the levels --- */

/* Data sets of the last point, kept while the next ones read the same. */
typedef struct shelf {
    char *key;
    dt_config config;
    dt_data data;
    double seconds; /* that reading them took */
    bool open;
} shelf;

static void clear_shelf(shelf *s)
{
    if (!s->open)
        return;
    dt_data_close(&s->data);
    dt_config_clear(&s->config);
    *s = (shelf){0};
}

/* What decides on the data: workload, precision, every data.* and targets key among the changes. */
static char *shelf_key(const dt_scale_point *point, const dt_config *config, dt_arena *arena)
{
    dt_text t = {0};
    dt_text_add(&t, "%zu %d", point->workload, (int)config->experiment.precision);
    for (size_t i = 0; i < point->change_count; i++)
        if (strncmp(point->changes[i], "data", 4) == 0 || strncmp(point->changes[i], "seed", 4) == 0)
            dt_text_add(&t, " %s", point->changes[i]);
    char *kept = t.failed ? NULL : dt_arena_duplicate(arena, t.bytes);
    dt_text_clear(&t);
    return kept;
}

static double flop_of(const int64_t *units, int64_t layers)
{
    double flop = 0;
    for (int64_t l = 1; l <= layers; l++) /* a multiply and an add each: (1), (5), and (4) above layer 1 */
        flop += (l > 1 ? 6.0 : 4.0) * (double)units[l - 1] * (double)units[l];
    return flop;
}

static const char *units_text(const dt_experiment *e, int64_t features, dt_arena *arena)
{
    dt_text t = {0};
    dt_text_add(&t, "%" PRId64, features);
    for (size_t l = 0; l < e->layer_count; l++)
        dt_text_add(&t, "-%" PRId64, e->network[l].units);
    const char *kept = t.failed ? NULL : dt_arena_duplicate(arena, t.bytes);
    dt_text_clear(&t);
    return kept;
}

static dt_status describe(dt_scale_plan *plan, size_t p, const dt_config *config, const dt_data *data, dt_arena *arena,
                          dt_error *error)
{
    const dt_experiment *e = &config->experiment;
    const dt_trainer_data view = dt_data_view(data);
    dt_study_point *point = &plan->study.points[p];
    dt_trainer_info info;
    const dt_status status = dt_trainer_plan(e, &view, &info, error);
    if (status != DT_OK)
        return status;
    int64_t units[DT_LAYERS_MAX + 1];
    units[0] = info.features;
    for (size_t l = 0; l < e->layer_count; l++)
        units[l + 1] = e->network[l].units;
    point->workers = info.workers;
    point->groups = info.groups;
    point->batch_size = e->training.batch_size;
    point->shard_size = info.shard_size;
    point->parameters = info.parameters;
    point->train_rows = info.train_rows;
    point->flop_per_sample = flop_of(units, info.layers);
    point->reduction = dt_arena_duplicate(arena, info.reduction);
    point->why = dt_arena_duplicate(arena, info.choice);
    point->precision = dt_precision_name(e->precision);
    point->isa = plan->points[p].isa ? plan->points[p].isa : info.isa;
    point->placement = plan->points[p].placement ? plan->points[p].placement : "none";
    point->units = units_text(e, info.features, arena);
    point->experiment = plan->workloads[plan->points[p].workload].file;
    point->deterministic = info.deterministic;
    point->oversubscribed = info.workers > dt_min(plan->study.processors, places_count(plan->points[p].placement));
    point->capture = plan->points[p].capture && e->capture_count > 0;
    if (plan->points[p].capture_asked && !point->capture)
        return dt_fail(error, DT_INVALID, "capture: is on, but the experiment has no section capture with a rule");
    if (plan->metric && !dt_visit_metric_has_data(plan->metric, e, data))
        return dt_fail(error, DT_INVALID, "target: %s, but the experiment has no such data", plan->metric);
    return point->reduction && point->why && point->units ? DT_OK : dt_fail_memory(error, "the study");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Opens the point's experiment; its data, unless the shelf has them; and what a trainer of them would be. */
static dt_status look_at(dt_scale_plan *plan, size_t p, shelf *s, dt_arena *arena, dt_error *error)
{
    dt_scale_point *point = &plan->points[p];
    dt_config config;
    dt_status status =
        dt_config_open(&config, plan->workloads[point->workload].file, point->changes, point->change_count, error);
    if (status != DT_OK)
        return status;
    char *key = shelf_key(point, &config, arena);
    if (!key)
        status = dt_fail_memory(error, "the study");
    if (status == DT_OK && (!s->open || strcmp(s->key, key) != 0)) {
        clear_shelf(s);
        status = dt_config_open(&s->config, plan->workloads[point->workload].file, point->changes, point->change_count,
                                error);
        s->open = status == DT_OK;
        s->key = key;
        const double begin = now();
        if (status == DT_OK)
            status = dt_data_open_all(&s->data, &s->config, error);
        s->seconds = now() - begin;
    }
    point->load = s->seconds;
    if (status == DT_OK)
        status = describe(plan, p, &config, &s->data, arena, error);
    dt_config_clear(&config);
    return status;
}

/* A trainer's plan says it, of the smallest experiment there is. */
bool dt_reduction_is_deterministic(const char *name)
{
    const float inputs[2] = {0, 1};
    const int32_t labels[2] = {0, 1};
    dt_layer_spec layer = {.units = 2, .activation = "linear", .init = "glorot_uniform"};
    dt_dataset *data;
    dt_experiment e;
    dt_trainer_info info = {0};
    if (dt_dataset_from_arrays(&data, 2, 1, 2, DT_F32, inputs, labels, NULL) != DT_OK)
        return false;
    dt_experiment_init(&e);
    e.name = "strategy";
    e.data.train = (dt_source){.inputs = "made", .labels = "made"};
    e.network = &layer;
    e.layer_count = 1;
    e.loss = "cross_entropy";
    e.parallel.reduction = name;
    const dt_status status = dt_trainer_plan(&e, &(dt_trainer_data){.train = data}, &info, NULL);
    dt_dataset_destroy(data);
    return status == DT_OK && info.deterministic;
}

/* --- points --- */

static const char *add_change(const char *path, const char *value, dt_arena *arena)
{
    dt_text t = {0};
    dt_text_add(&t, "%s=%s", path, value);
    const char *kept = t.failed ? NULL : dt_arena_duplicate(arena, t.bytes);
    dt_text_clear(&t);
    return kept;
}

static dt_status take_levels(dt_scale_plan *plan, size_t p, const int64_t *level, dt_arena *arena, dt_error *error)
{
    const size_t factors = plan->study.factor_count;
    dt_scale_point *point = &plan->points[p];
    const char **values = dt_arena_allocate(arena, factors ? factors : 1, sizeof *values);
    point->changes = dt_arena_allocate(arena, factors + 2, sizeof *point->changes);
    if (!values || !point->changes)
        return dt_fail_memory(error, "the study");
    *point = (dt_scale_point){.changes = point->changes, .capture = true};
    for (size_t f = 0; f < factors; f++) {
        const dt_scale_factor *factor = &plan->factors[f];
        const dt_sweep_value *value = &factor->levels[level[f]];
        values[f] = value->shown;
        if (factor->changes == DT_SCALE_WORKLOAD)
            point->workload = (size_t)level[f];
        else if (factor->changes == DT_SCALE_ISA)
            point->isa = value->given;
        else if (factor->changes == DT_SCALE_PLACEMENT)
            point->placement = value->given;
        else if (factor->changes == DT_SCALE_CAPTURE)
            point->capture = point->capture_asked = strcmp(value->given, "on") == 0;
        else if (!(point->changes[point->change_count++] = add_change(factor->path, value->given, arena)))
            return dt_fail_memory(error, "the study");
    }
    plan->study.points[p].point = (int64_t)p;
    plan->study.points[p].values = values;
    return DT_OK;
}

/* Weak scaling: the minibatch grows with the workers. */
static dt_status scale_batch(dt_scale_plan *plan, size_t p, dt_arena *arena, dt_error *error)
{
    dt_scale_point *point = &plan->points[p];
    dt_config config;
    char text[64];
    const dt_status status =
        dt_config_open(&config, plan->workloads[point->workload].file, point->changes, point->change_count, error);
    if (status != DT_OK)
        return status;
    const int64_t threads =
        config.experiment.parallel.threads ? config.experiment.parallel.threads : plan->study.processors;
    snprintf(text, sizeof text, "%" PRId64, config.experiment.training.batch_size * threads);
    dt_config_clear(&config);
    point->changes[point->change_count] = add_change("training.batch_size", text, arena);
    return point->changes[point->change_count++] ? DT_OK : dt_fail_memory(error, "the study");
}

dt_status dt_scale_points_make(dt_scale_plan *plan, dt_arena *arena, dt_error *error)
{
    int64_t levels[DT_STUDY_FACTORS_MAX], level[DT_STUDY_FACTORS_MAX], count;
    const int64_t factors = (int64_t)plan->study.factor_count;
    for (int64_t f = 0; f < factors; f++)
        levels[f] = plan->factors[f].level_count;
    dt_status status = dt_design_points(levels, factors, &count, error);
    if (status == DT_OK && count > DT_SCALE_POINTS_MAX)
        status =
            dt_fail(error, DT_INVALID, "factors: %" PRId64 " points, over %d; cross fewer", count, DT_SCALE_POINTS_MAX);
    if (status != DT_OK)
        return status;
    plan->points = dt_arena_allocate(arena, (size_t)count, sizeof *plan->points);
    plan->study.points = dt_arena_allocate(arena, (size_t)count, sizeof *plan->study.points);
    if (!plan->points || !plan->study.points)
        return dt_fail_memory(error, "the study");
    shelf s = {0};
    for (int64_t design = 0; status == DT_OK && design < count; design++) {
        char text[512];
        dt_error own = {0};
        dt_design_levels(levels, factors, design, level);
        if (dt_scale_is_excluded(plan, level))
            continue;
        const size_t p = plan->study.point_count++;
        status = take_levels(plan, p, level, arena, &own);
        plan->points[p].design = design;
        if (status == DT_OK && strcmp(plan->study.kind, "weak") == 0)
            status = scale_batch(plan, p, arena, &own);
        if (status == DT_OK)
            status = look_at(plan, p, &s, arena, &own);
        if (status == DT_OK)
            continue;
        const bool placed = dt_scale_level_place(plan, p, &own);
        dt_scale_point_text(plan, p, text, sizeof text);
        dt_fail(error, status, "%s%s%s%s", *text && !placed ? "point " : "", placed ? "" : text,
                *text && !placed ? ": " : "", own.message);
    }
    clear_shelf(&s);
    return status == DT_OK && plan->study.point_count == 0
               ? dt_fail(error, DT_INVALID, "exclude: leaves no point to measure")
               : status;
}
