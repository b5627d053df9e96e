/* study.h5: the record's columns, with what they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deltoid/profile.h"
#include "record/table_file.h"
#include "study/export.h"

/* Of the record's columns, in any table that has one of that name. */
static const struct {
    const char *name, *units, *about;
} facts[] = {
    {"point", "1", "point of the design"},
    {"workers", "1", "threads of the team"},
    {"groups_used", "1", "groups of workers that share a shard each"},
    {"reduction_used", NULL, "strategy that adds the gradients"},
    {"why", NULL, "why this strategy, where the experiment says auto"},
    {"deterministic", NULL, "the strategy promises the same bits"},
    {"oversubscribed", NULL, "more workers than processors"},
    {"precision_used", NULL, "numbers of the training"},
    {"isa_used", NULL, "instruction set of the kernels"},
    {"placement_used", NULL, "where threads are bound"},
    {"capture_used", NULL, "quantities are captured while it is measured"},
    {"batch_size_used", "1", "samples of a minibatch"},
    {"shard_size_used", "1", "samples of a shard"},
    {"parameters", "1", "weights and biases"},
    {"flop_per_sample", "1", "floating-point operations of the products, a sample"},
    {"train_rows", "1", "samples of the training set"},
    {"units", NULL, "units of layers 0 to L"},
    {"experiment", NULL, "experiment's file"},
    {"visit", "1", "number of the process that measured"},
    {"block", "1", "block of the order"},
    {"position", "1", "place in the block's order"},
    {"attempt", "1", "how often the point was measured in this block, this time included"},
    {"started", "s", "seconds since 1970-01-01 UTC"},
    {"seconds", "s", "elapsed time"},
    {"state", NULL, "ok or failed"},
    {"chunks", "1", "timed chunks of steps"},
    {"warmup", NULL, "of a visit: how many of the first chunks are left out; of a sample: it is one of them"},
    {"flagged", NULL, "disturbed: left out of statistics"},
    {"reasons", NULL, "of the flag, or of a failure"},
    {"voluntary", "1", "voluntary context switches while timed"},
    {"involuntary", "1", "involuntary context switches while timed"},
    {"throttled_us", "us", "time that the cgroup's quota took"},
    {"pressure_us", "us", "time that some task of the system waited for a processor"},
    {"steal_us", "us", "processor time that the hypervisor took"},
    {"page_faults", "1", "page faults while timed"},
    {"cpu_share", "1", "processor time over time and workers"},
    {"others", "1", "processors that others were busy on"},
    {"delay", "1", "share of the time that others kept the workers waiting for a processor"},
    {"processors", NULL, "processors that its threads could use"},
    {"place_before", NULL, "how its first two processors lay to each other, before"},
    {"place_after", NULL, "and after"},
    {"line_ns", "ns", "time of a cache line from one to the other"},
    {"fma_alone", "GFLOP/s", "fused multiply-adds of one of them alone"},
    {"fma_both", "GFLOP/s", "of the slower while both compute"},
    {"timer_ns", "ns", "cost of one look at the clock"},
    {"timer_share", "1", "share of a step that the profile's looks take"},
    {"steps", "1", "steps"},
    {"loss", "1", "training loss"},
    {"weights_sha256", NULL, "SHA-256 of the weights after the first steps"},
    {"rss_bytes", "byte", "largest resident memory"},
    {"chunk", "1", "chunk of the visit"},
    {"samples", "1", "samples trained on"},
    {"worker", "1", "worker"},
    {"layer", "1", "layer, from 1; 0: none"},
    {"phase", NULL, "phase of a step"},
    {"flop", "1", "floating-point operations"},
    {"bytes", "byte", "traffic that the phase's arrays make at least"},
    {"metric", NULL, "what the target is of"},
    {"target", "1", "value to reach"},
    {"reached", NULL, "whether it was"},
    {"epochs", "1", "epochs begun"},
    {"value", "1", "of the metric at the end"},
    {"when", NULL, "start or end of the study"},
    {"quantity", NULL, "what was measured"},
    {"level", "1", "level of cache; 0: memory; -1: none"},
    {"median", NULL, "median of the runs, in the column unit"},
    {"best", NULL, "best of the runs"},
    {"spread", "1", "(largest - least) / median"},
    {"unit", NULL, "unit of median and best"},
};

static const struct {
    const char *name, *about;
} tables[] = {
    {"points", "points of the design, and what follows from their levels"},
    {"visits", "processes that measured one point each"},
    {"samples", "timed chunks of steps"},
    {"phases", "where the time of a visit's workers went, warm-up left out"},
    {"targets", "visits that trained until a target was reached"},
    {"machine", "what the machine can do"},
};

static const char *about_table(const char *name)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (strcmp(tables[i].name, name) == 0)
            return tables[i].about;
    return name;
}

static void describe(dt_table_field *field)
{
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (strcmp(facts[i].name, field->name) == 0) {
            field->long_name = facts[i].about;
            field->units = facts[i].units;
        }
}

/* A factor's levels, a row a point; as numbers where all are. */
static bool put_factor(dt_table_field *field, const dt_study *study, size_t f, dt_arena *arena)
{
    const char **texts = dt_arena_allocate(arena, study->point_count + 1, sizeof *texts);
    double *numbers = dt_arena_allocate(arena, study->point_count + 1, sizeof *numbers);
    if (!texts || !numbers)
        return false;
    bool numeric = true;
    for (size_t p = 0; p < study->point_count; p++) {
        char *end;
        texts[p] = study->points[p].values[f];
        numbers[p] = strtod(texts[p], &end);
        numeric = numeric && end != texts[p] && !*end;
    }
    *field = (dt_table_field){.name = study->factors[f].name,
                              .long_name = "level of the factor",
                              .units = numeric ? "1" : NULL,
                              .kind = numeric ? DT_FIELD_REAL : DT_FIELD_TEXT,
                              .first = numeric ? (const void *)numbers : texts,
                              .stride = numeric ? sizeof *numbers : sizeof *texts};
    return true;
}

/* Phases by their names. */
static bool name_phases(dt_table_field *field, const dt_study *study, dt_arena *arena)
{
    const char **names = dt_arena_allocate(arena, study->phase_count + 1, sizeof *names);
    if (!names)
        return false;
    for (size_t i = 0; i < study->phase_count; i++)
        names[i] = dt_phase_name((dt_phase)study->phases[i].phase);
    field->kind = DT_FIELD_TEXT;
    field->first = names;
    field->stride = sizeof *names;
    return true;
}

static bool put_columns(dt_table_group *group, const dt_study *study, const dt_study_table *table, const void *rows,
                        dt_arena *arena)
{
    static const dt_field_kind kinds[] = {[DT_COLUMN_INT] = DT_FIELD_INT,
                                          [DT_COLUMN_REAL] = DT_FIELD_REAL,
                                          [DT_COLUMN_BOOL] = DT_FIELD_BOOL,
                                          [DT_COLUMN_TEXT] = DT_FIELD_TEXT};
    const size_t factors = strcmp(table->name, "points") == 0 ? study->factor_count : 0;
    dt_table_field *fields = dt_arena_allocate(arena, table->column_count + factors, sizeof *fields);
    if (!fields)
        return false;
    bool good = true;
    for (size_t c = 0; good && c < table->column_count; c++) {
        const dt_study_column *column = &table->columns[c];
        fields[c] = (dt_table_field){.name = column->name,
                                     .kind = kinds[column->kind],
                                     .first = (const char *)rows + column->offset,
                                     .stride = table->row_size};
        describe(&fields[c]);
        if (strcmp(column->name, "phase") == 0)
            good = name_phases(&fields[c], study, arena);
    }
    for (size_t f = 0; good && f < factors; f++)
        good = put_factor(&fields[table->column_count + f], study, f, arena);
    group->fields = fields;
    group->field_count = table->column_count + factors;
    return good;
}

dt_status dt_study_export_tables(const dt_study *study, const char *path, const char *study_text,
                                 const char *provenance, dt_error *error)
{
    const dt_table_attribute attributes[] = {
        {.name = "format", .text = "deltoid-study"},
        {.name = "format_version", .number = 1, .whole = true},
        {.name = "name", .text = study->name},
        {.name = "kind", .text = study->kind},
        {.name = "created", .text = study->created},
        {.name = "confidence", .number = study->confidence},
        {.name = "epsilon", .number = study->epsilon},
        {.name = "seed", .number = (double)study->seed, .whole = true},
        {.name = "processors", .number = (double)study->processors, .whole = true},
        {.name = "study", .text = study_text},
        {.name = "provenance", .text = provenance},
    };
    dt_arena arena = {0};
    dt_table_group groups[16];
    size_t count = 0, rows;
    const dt_study_table *table;
    const void *first;
    bool good = true;
    for (size_t i = 0; good && (table = dt_study_table_at(i, study, &first, &rows)); i++) {
        if (rows == 0)
            continue; /* a target's table, mostly: a group without rows helps nobody */
        groups[count] = (dt_table_group){.name = table->name, .long_name = about_table(table->name), .rows = rows};
        good = put_columns(&groups[count++], study, table, first, &arena);
    }
    const dt_status status =
        good ? dt_table_file_write(path, attributes, sizeof attributes / sizeof *attributes, groups, count, error)
             : dt_fail_memory(error, "a study's tables");
    dt_arena_clear(&arena);
    return status;
}
