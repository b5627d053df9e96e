/* deltoid capture grad: one sample's own gradient, which is never stored, from what is: equations (5) and (6) without
 * the mean, dC_i/dw^l_jk = delta^l_j a^{l-1}_k, dC_i/db^l_j = delta^l_j. */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "cli/capture.h"
#include "record/gradient_file.h"

typedef struct gradient {
    dt_capture_reader *reader;
    const char *rule; /* asked for; NULL: any */
    int64_t sample, step, layer;
    bool has_step; /* a rule with the piece captured the step, though not the sample */
    int64_t units, inputs;
    double *delta, *a, *dW;
} gradient;

/* Where a rule has the step and the sample; *found. */
static dt_status find_place(gradient *g, const char *rule, int64_t *at, int64_t *place, bool *found, dt_error *error)
{
    char name[DT_DATASET_NAME + 16];
    int64_t *steps, count, *ids = NULL;
    *found = false;
    dt_status status = dt_capture_reader_steps(g->reader, rule, &steps, &count, error);
    if (status != DT_OK)
        return status;
    *at = dt_steps_place(steps, count, g->step);
    const bool captured = *at < count && steps[*at] == g->step;
    dt_release(steps);
    snprintf(name, sizeof name, "/%.100s/sample_id", rule);
    const dt_capture_dataset *set = dt_capture_reader_find(g->reader, name);
    if (!captured || !set || set->rank != 2 || set->real || set->element != 8)
        return DT_OK;
    g->has_step = true;
    ids = set->size[1] <= INT32_MAX ? dt_allocate((size_t)set->size[1] + 1, sizeof *ids) : NULL;
    if (!ids)
        return dt_fail_memory(error, "rows of samples");
    status = dt_capture_reader_read(g->reader, set, (int64_t[]){*at, 0}, (int64_t[]){1, set->size[1]}, ids, error);
    for (*place = 0; status == DT_OK && *place < set->size[1] && !*found; ++*place)
        if (ids[*place] == g->sample) {
            *found = true;
            break;
        }
    dt_release(ids);
    return status;
}

/* Row (at, place) of a (step, sample, unit) data set, as doubles. */
static dt_status read_row(gradient *g, const dt_capture_dataset *set, int64_t at, int64_t place, double **row,
                          dt_error *error)
{
    const int64_t units = set->size[2];
    if (set->rank != 3 || !set->real || units > INT32_MAX)
        return dt_fail(error, DT_MALFORMED, "%s: %s is not (step, sample, unit)", dt_capture_reader_path(g->reader),
                       set->name);
    char *bytes = dt_allocate((size_t)units + 1, 8);
    *row = dt_allocate((size_t)units + 1, sizeof **row);
    dt_status status = bytes && *row ? dt_capture_reader_read(g->reader, set, (int64_t[]){at, place, 0},
                                                              (int64_t[]){1, 1, units}, bytes, error)
                                     : dt_fail_memory(error, "a sample's values");
    for (int64_t j = 0; status == DT_OK && j < units; j++) {
        float single;
        if (set->element == 4) {
            memcpy(&single, bytes + 4 * j, sizeof single);
            (*row)[j] = (double)single;
        } else {
            memcpy(&(*row)[j], bytes + 8 * j, sizeof **row);
        }
    }
    dt_release(bytes);
    return status;
}

static dt_status fail_missing(const gradient *g, const char *quantity, int64_t layer, bool captured, dt_error *error)
{
    const char *path = dt_capture_reader_path(g->reader);
    if (!captured)
        return dt_fail(error, DT_NOT_FOUND,
                       "%s: %s%s captures %s%s of layer %" PRId64 "; capture.NAME: {quantities: [a, delta], layers: "
                       "[%" PRId64 ", %" PRId64 "], samples: ...} gives what this gradient needs",
                       path, g->rule ? "rule " : "no rule", g->rule ? g->rule : "", g->rule ? "no " : "", quantity,
                       layer, g->layer - 1, g->layer);
    if (!g->has_step)
        return dt_fail(error, DT_NOT_FOUND,
                       "%s: step %" PRId64 " of %s of layer %" PRId64
                       " is not captured; deltoid capture info lists the "
                       "steps that are",
                       path, g->step, quantity, layer);
    return dt_fail(error, DT_NOT_FOUND,
                   "%s: sample %" PRId64 " is not captured at step %" PRId64 "; samples: [%" PRId64
                   "] in the rule captures it at every step, samples: batch all that are in the step",
                   path, g->sample, g->step, g->sample);
}

/* The sample's row of a quantity, from the first rule that has it. */
static dt_status find_row(gradient *g, const char *quantity, int64_t layer, double **row, int64_t *count,
                          dt_error *error)
{
    const char *rule;
    bool captured = false;
    g->has_step = false;
    for (size_t i = 0; (rule = dt_capture_reader_rule(g->reader, i)); i++) {
        char name[DT_DATASET_NAME + 32];
        int64_t at, place;
        bool found;
        snprintf(name, sizeof name, "/%.100s/layer%02" PRId64 "/%s", rule, layer, quantity);
        const dt_capture_dataset *set = dt_capture_reader_find(g->reader, name);
        if (!set || (g->rule && strcmp(rule, g->rule) != 0))
            continue;
        captured = true;
        dt_status status = find_place(g, rule, &at, &place, &found, error);
        if (status != DT_OK)
            return status;
        if (!found)
            continue;
        *count = set->size[2];
        return read_row(g, set, at, place, row, error);
    }
    return fail_missing(g, quantity, layer, captured, error);
}

/* A row a unit, a column an input; the bias before them: its input is 1. */
static void print_gradient(const gradient *g, FILE *out)
{
    fputs("unit\tbias", out);
    for (int64_t k = 0; k < g->inputs; k++)
        fprintf(out, "\tinput_%" PRId64, k);
    fputc('\n', out);
    for (int64_t j = 0; j < g->units; j++) {
        fprintf(out, "%" PRId64 "\t%.17g", j, g->delta[j]);
        for (int64_t k = 0; k < g->inputs; k++)
            fprintf(out, "\t%.17g", g->delta[j] * g->a[k]);
        fputc('\n', out);
    }
}

static dt_status write_gradient(const gradient *g, const char *path, dt_error *error)
{
    const size_t length = path ? strlen(path) : 0;
    dt_sink sink;
    if (length > 3 && strcmp(path + length - 3, ".h5") == 0)
        return dt_gradient_write(path,
                                 &(dt_sample_gradient){.units = g->units,
                                                       .inputs = g->inputs,
                                                       .layer = g->layer,
                                                       .sample = g->sample,
                                                       .step = g->step,
                                                       .delta = g->delta,
                                                       .a = g->a},
                                 error);
    dt_status status = dt_sink_open(&sink, path, error);
    if (status != DT_OK)
        return status;
    print_gradient(g, sink.stream);
    return dt_sink_close(&sink, DT_OK, error);
}

dt_status dt_capture_grad(const dt_arguments *arguments, dt_error *error)
{
    gradient g = {.rule = dt_argument(arguments, "rule")};
    dt_status status = dt_capture_number(arguments, "sample", &g.sample, error);
    if (status == DT_OK)
        status = dt_capture_number(arguments, "step", &g.step, error);
    if (status == DT_OK)
        status = dt_capture_number(arguments, "layer", &g.layer, error);
    if (status == DT_OK && (g.layer < 1 || g.layer > 64))
        status = dt_fail(error, DT_INVALID, "option --layer: %" PRId64 " has no weights; layers count from 1", g.layer);
    if (status == DT_OK)
        status = dt_capture_reader_open(&g.reader, arguments->positional[1], DT_CAPTURE_WHOLE, error);
    if (status == DT_OK)
        status = find_row(&g, "delta", g.layer, &g.delta, &g.units, error);
    if (status == DT_OK)
        status = find_row(&g, "a", g.layer - 1, &g.a, &g.inputs, error);
    if (status == DT_OK)
        status = write_gradient(&g, dt_argument(arguments, "out"), error);
    dt_release(g.delta);
    dt_release(g.a);
    dt_capture_reader_close(g.reader);
    return status;
}
