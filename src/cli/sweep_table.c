#include "cli/sweep_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/paths.h"
#include "cli/provenance.h"
#include "cli/text.h"
#include "deltoid/record.h"
#include "plot/interval.h"
#include "plot/sheet.h"

static const char *const figure_names[DT_SWEEP_FIGURES] = {
    "epoch",     "train_loss",    "train_accuracy", "validation_loss", "validation_accuracy",
    "test_loss", "test_accuracy", "seconds"};

static const char *const state_names[] = {"waiting", "begun", "complete", "failed"};

dt_status dt_sweep_look(dt_sweep_result *result, const char *folder, dt_error *error)
{
    *result = (dt_sweep_result){.state = DT_SWEEP_WAITING};
    for (int i = 0; i < DT_SWEEP_FIGURES; i++)
        result->figures[i] = NAN;
    if (access(folder, F_OK) != 0)
        return DT_OK;
    result->state = DT_SWEEP_BEGUN;
    dt_arena arena = {0};
    dt_error own = {0};
    dt_sheet_block rows;
    const char *metrics = dt_path_join(&arena, folder, "metrics.tsv");
    dt_status status = metrics ? DT_OK : dt_fail_memory(error, "the sweep");
    if (status == DT_OK && dt_sheet_read(metrics, figure_names, DT_SWEEP_FIGURES, &arena, &rows, &own) == DT_OK &&
        rows.rows > 0)
        memcpy(result->figures, rows.values + (rows.rows - 1) * DT_SWEEP_FIGURES, sizeof result->figures);
    const dt_node *provenance;
    if (status == DT_OK && dt_provenance_open(&provenance, folder, &arena, &own) == DT_OK) {
        const char *weights = dt_provenance_text(provenance, "weights_sha256");
        if (strlen(weights) == 64) {
            memcpy(result->weights, weights, 65);
            result->state = DT_SWEEP_COMPLETE;
        }
    }
    dt_arena_clear(&arena);
    return status;
}

static void add_number(dt_text *text, double value)
{
    if (isnan(value))
        dt_text_add(text, "\tnan");
    else
        dt_text_add(text, "\t%.9g", value);
}

/* A value in one field of a table. */
static void add_field(dt_text *text, const char *value)
{
    dt_text_add(text, "\t");
    for (; *value; value++)
        dt_text_add(text, "%c", *value == '\t' || *value == '\n' ? ' ' : *value);
}

static void add_summary(dt_text *text, const dt_sweep_plan *plan, const dt_sweep_result *results)
{
    dt_text_add(text, "run\tstate\tpoint\tseed");
    for (size_t k = 0; k < plan->key_count; k++)
        add_field(text, plan->keys[k]);
    for (int i = 0; i < DT_SWEEP_FIGURES; i++)
        add_field(text, figure_names[i]);
    dt_text_add(text, "\tweights_sha256\n");
    for (size_t r = 0; r < plan->run_count; r++) {
        const dt_sweep_run *run = &plan->runs[r];
        dt_text_add(text, "%s\t%s\t%zu\t", run->name, state_names[results[r].state], run->point);
        if (run->has_seed)
            dt_text_add(text, "%" PRIu64, run->seed);
        else
            dt_text_add(text, "-");
        for (size_t k = 0; k < plan->key_count; k++)
            add_field(text, plan->points[run->point].values[k].shown);
        for (int i = 0; i < DT_SWEEP_FIGURES; i++)
            add_number(text, results[r].figures[i]);
        dt_text_add(text, "\t%s\n", *results[r].weights ? results[r].weights : "-");
    }
}

/* A setting's complete runs, which stand together in the plan: figure i of each. Returns how many. */
static size_t over_seeds(const dt_sweep_plan *plan, const dt_sweep_result *results, size_t point, int i, double *x)
{
    const size_t seeds = plan->run_count / plan->point_count;
    size_t count = 0;
    for (size_t r = point * seeds; r < (point + 1) * seeds; r++)
        if (results[r].state == DT_SWEEP_COMPLETE)
            x[count++] = results[r].figures[i];
    return count;
}

/* `x` has room for a setting's runs. */
static void add_points(dt_text *text, const dt_sweep_plan *plan, const dt_sweep_result *results, double *x)
{
    dt_text_add(text, "point\truns");
    for (size_t k = 0; k < plan->key_count; k++)
        add_field(text, plan->keys[k]);
    for (int i = 1; i < DT_SWEEP_FIGURES; i++)
        dt_text_add(text, "\t%s\t%s_interval", figure_names[i], figure_names[i]);
    dt_text_add(text, "\n");
    for (size_t p = 0; p < plan->point_count; p++) {
        double mean, half;
        dt_text_add(text, "%zu\t%zu", p, over_seeds(plan, results, p, 0, x));
        for (size_t k = 0; k < plan->key_count; k++)
            add_field(text, plan->points[p].values[k].shown);
        for (int i = 1; i < DT_SWEEP_FIGURES; i++) {
            (void)dt_mean_interval(x, over_seeds(plan, results, p, i, x), &mean, &half);
            add_number(text, mean);
            add_number(text, half);
        }
        dt_text_add(text, "\n");
    }
}

static dt_status write_table(const char *folder, const char *name, dt_text *text, dt_error *error)
{
    dt_arena arena = {0};
    const char *path = dt_path_join(&arena, folder, name);
    const dt_status status = path && !text->failed ? dt_file_write(path, text->bytes, text->length, error)
                                                   : dt_fail_memory(error, "the sweep's tables");
    dt_text_clear(text);
    dt_arena_clear(&arena);
    return status;
}

dt_status dt_sweep_write(const dt_sweep_plan *plan, const dt_sweep_result *results, const char *folder, dt_error *error)
{
    dt_text text = {0};
    add_summary(&text, plan, results);
    dt_status status = write_table(folder, "summary.tsv", &text, error);
    if (status != DT_OK)
        return status;
    double *x = dt_allocate(plan->run_count / plan->point_count, sizeof *x);
    if (!x)
        return dt_fail_memory(error, "the sweep's tables");
    text = (dt_text){0};
    add_points(&text, plan, results, x);
    dt_release(x);
    return write_table(folder, "points.tsv", &text, error);
}
