/* deltoid capture csv: a data set as a table. A row a step, or a step and sample, with the last dimension across: what
 * gnuplot's `using` and a spreadsheet's columns want; --long gives a row a number. */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "cli/capture.h"
#include "record/hdf5_reader.h"

enum { PART_NUMBERS = 1 << 19, ACROSS_MAX = 1 << 22 };

typedef struct table {
    dt_capture_reader *reader;
    const dt_capture_dataset *set, *ids, *epochs;
    dt_ranges steps, samples, units;
    dt_sink *sink;
    char separator;
    int across;            /* the dimension that goes across; -1: none */
    int sample;            /* the dimension that is samples; -1: none */
    int unit;              /* the dimension that is units; -1: none */
    bool is_index;         /* step or epoch itself: no column of its own */
    int64_t *step, *epoch; /* (steps) */
    int64_t *id;           /* of the part at hand: (steps of the part, samples) */
    char *numbers;         /* (most) */
    int64_t most;          /* numbers in a part */
} table;

static const char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *axis_name(const table *t, int i)
{
    static const char *const unnamed[DT_DATASET_RANK] = {"step", "row", "column", "place"};
    return t->set->axis[i][0] ? short_name(t->set->axis[i]) : unnamed[i];
}

static bool is_shown(const table *t, int dimension, int64_t index)
{
    return dimension != t->unit || dt_ranges_have(&t->units, index);
}

/* --- writing --- */

static void print_header(const table *t)
{
    FILE *out = t->sink->stream;
    fputs(axis_name(t, 0), out);
    if (t->epochs)
        fprintf(out, "%cepoch", t->separator);
    for (int i = 1; i < t->set->rank; i++) {
        if (i == t->across)
            continue;
        fprintf(out, "%c%s", t->separator, axis_name(t, i));
        if (i == t->sample && t->ids)
            fprintf(out, "%csample_id", t->separator);
    }
    if (t->across < 0 && !t->is_index)
        fprintf(out, "%c%s", t->separator, short_name(t->set->name));
    for (int64_t j = 0; t->across > 0 && j < t->set->size[t->across]; j++)
        if (is_shown(t, t->across, j))
            fprintf(out, "%c%s_%" PRId64, t->separator, axis_name(t, t->across), j);
    fputc('\n', out);
}

/* The row's place: everything before its numbers. False where it isn't wanted, or is a sample that a short minibatch
 * does not have. */
static bool print_place(const table *t, const int64_t *at, int64_t first_step)
{
    FILE *out = t->sink->stream;
    int64_t id = -1;
    for (int i = 1; i < t->set->rank; i++)
        if (i != t->across && !is_shown(t, i, at[i]))
            return false;
    if (t->sample > 0 && t->ids) {
        id = t->id[(at[0] - first_step) * t->ids->size[1] + at[t->sample]];
        if (id < 0 || !dt_ranges_have(&t->samples, id))
            return false;
    }
    fprintf(out, "%" PRId64, t->step ? t->step[at[0]] : at[0]);
    if (t->epochs)
        fprintf(out, "%c%" PRId64, t->separator, t->epoch[at[0]]);
    for (int i = 1; i < t->set->rank; i++) {
        if (i == t->across)
            continue;
        fprintf(out, "%c%" PRId64, t->separator, at[i]);
        if (i == t->sample && t->ids)
            fprintf(out, "%c%" PRId64, t->separator, id);
    }
    return true;
}

static dt_status print_part(void *context, const int64_t *start, const int64_t *count, dt_error *error)
{
    table *t = context;
    const dt_capture_dataset *set = t->set;
    const int rank = set->rank;
    const int64_t row = t->across > 0 ? count[t->across] : 1;
    int64_t at[DT_DATASET_RANK], rows = 1;
    dt_status status = dt_capture_reader_read(t->reader, set, start, count, t->numbers, error);
    if (status == DT_OK && t->sample > 0 && t->ids)
        status = dt_capture_reader_read(t->reader, t->ids, (int64_t[]){start[0], 0},
                                        (int64_t[]){count[0], t->ids->size[1]}, t->id, error);
    if (status != DT_OK)
        return status;
    for (int i = 0; i < rank; i++) {
        at[i] = start[i];
        rows *= i == t->across ? 1 : count[i];
    }
    const char *number = t->numbers;
    for (int64_t r = 0; r < rows; r++) {
        const bool shown = print_place(t, at, start[0]);
        for (int64_t j = 0; j < row; j++, number += set->element)
            if (shown && !t->is_index && (t->across < 0 || is_shown(t, t->across, j))) {
                fputc(t->separator, t->sink->stream);
                dt_sink_number(t->sink, set, number);
            }
        if (shown)
            fputc('\n', t->sink->stream);
        for (int i = t->across > 0 ? rank - 2 : rank - 1; i >= 0 && ++at[i] >= start[i] + count[i] && i > 0; i--)
            at[i] = start[i];
    }
    if (ferror(t->sink->stream))
        return dt_fail(error, DT_IO, "%s: can't write", t->sink->path ? t->sink->path : "standard output");
    return DT_OK;
}

/* --- what is there --- */

static dt_status fail_unknown_set(const table *t, const char *name, dt_error *error)
{
    const dt_capture_dataset *set;
    char list[512] = "";
    for (size_t i = 0; (set = dt_capture_reader_at(t->reader, i)); i++) {
        const size_t used = strlen(list);
        if (set->has_steps && used + strlen(set->name) + 8 < sizeof list)
            snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", set->name + 1);
        else if (set->has_steps && used + 6 < sizeof list && strcmp(list + used - 3, "...") != 0)
            snprintf(list + used, sizeof list - used, ", ...");
    }
    return dt_fail(error, DT_NOT_FOUND, "%s: has no data set '%.80s'; it has: %s", dt_capture_reader_path(t->reader),
                   name, *list ? list : "none");
}

/* Its step, epoch and sample_id; and which dimension is what. */
static dt_status find_frame(table *t, dt_error *error)
{
    char rule[DT_DATASET_NAME], name[DT_DATASET_NAME + 16];
    const dt_capture_dataset *set = t->set;
    int64_t count = 0;
    snprintf(rule, sizeof rule, "%.*s", (int)strcspn(set->name + 1, "/"), set->name + 1);
    for (int i = 1; i < set->rank; i++) {
        t->sample = strcmp(axis_name(t, i), "sample") == 0 ? i : t->sample;
        t->unit = strcmp(axis_name(t, i), "unit") == 0 ? i : t->unit;
    }
    if (!set->has_steps)
        return DT_OK;
    snprintf(name, sizeof name, "/%s/epoch", rule);
    t->epochs = dt_capture_reader_find(t->reader, name);
    snprintf(name, sizeof name, "/%s/sample_id", rule);
    t->ids = dt_capture_reader_find(t->reader, name);
    if (t->ids == set || (t->ids && (t->ids->rank != 2 || t->ids->real || t->ids->element != 8 || t->sample < 0 ||
                                     t->ids->size[1] < set->size[t->sample])))
        t->ids = NULL;
    if (t->epochs && (t->epochs->rank != 1 || t->epochs->real || t->epochs->element != 8))
        t->epochs = NULL;
    t->is_index = set == t->epochs || strcmp(short_name(set->name), "step") == 0;
    dt_status status = dt_capture_reader_steps(t->reader, rule, &t->step, &count, error);
    if (status == DT_OK && t->epochs) {
        t->epoch = dt_allocate((size_t)count + 1, sizeof *t->epoch);
        status = t->epoch ? dt_capture_reader_read(t->reader, t->epochs, (int64_t[]){0}, &count, t->epoch, error)
                          : dt_fail_memory(error, "a list of epochs");
    }
    return status;
}

static dt_status check_options(const table *t, dt_error *error)
{
    if (t->samples.count && (t->sample < 0 || !t->ids))
        return dt_fail(error, DT_INVALID, "option --samples: %s has no samples; leave it out", t->set->name);
    if (t->units.count && t->unit < 0)
        return dt_fail(error, DT_INVALID, "option --units: %s has no units; leave it out", t->set->name);
    if (t->steps.count && !t->step)
        return dt_fail(error, DT_INVALID, "option --steps: %s has no steps; leave it out", t->set->name);
    if (t->across > 0 && t->set->size[t->across] > ACROSS_MAX)
        return dt_fail(error, DT_INVALID, "%s: a row of it has %" PRId64 " numbers; use --long", t->set->name,
                       t->set->size[t->across]);
    return DT_OK;
}

static dt_status make_room(table *t, dt_error *error)
{
    size_t ids = 1;
    t->most = PART_NUMBERS;
    if (t->across > 0 && t->set->size[t->across] > t->most)
        t->most = t->set->size[t->across];
    t->numbers = dt_allocate((size_t)t->most, 8);
    if (t->ids && !dt_multiply((size_t)PART_NUMBERS, (size_t)t->ids->size[1], &ids))
        return dt_fail_memory(error, "samples");
    return t->numbers ? DT_OK : dt_fail_memory(error, "numbers of a table");
}

/* Runs of steps small enough that their sample_id fits. */
static dt_status print_steps(table *t, int64_t first, int64_t last, dt_error *error)
{
    int64_t most = PART_NUMBERS, start[DT_DATASET_RANK] = {0}, count[DT_DATASET_RANK];
    dt_status status = DT_OK;
    if (t->ids && t->ids->size[1] > 0)
        most = PART_NUMBERS / t->ids->size[1] > 0 ? PART_NUMBERS / t->ids->size[1] : 1;
    if (t->ids) {
        t->id = dt_allocate((size_t)most * (size_t)t->ids->size[1] + 1, sizeof *t->id);
        if (!t->id)
            return dt_fail_memory(error, "rows of samples");
    }
    memcpy(count, t->set->size, sizeof count);
    for (int64_t step = first; step < last && status == DT_OK; step += most) {
        start[0] = step;
        count[0] = last - step < most ? last - step : most;
        status = dt_for_parts(t->set->rank, start, count, NULL, t->most, print_part, t, error);
    }
    dt_release(t->id);
    t->id = NULL;
    return status;
}

static dt_status print_table(table *t, dt_error *error)
{
    const int64_t steps = t->set->size[0];
    dt_status status = DT_OK;
    print_header(t);
    if (!t->steps.count)
        return print_steps(t, 0, steps, error);
    for (int i = 0; i < t->steps.count && status == DT_OK; i++) {
        const int64_t end = t->steps.last[i] == INT64_MAX ? INT64_MAX : t->steps.last[i] + 1;
        status = print_steps(t, dt_steps_place(t->step, steps, t->steps.first[i]), dt_steps_place(t->step, steps, end),
                             error);
    }
    return status;
}

dt_status dt_capture_csv(const dt_arguments *arguments, dt_error *error)
{
    const char *name = arguments->positional[2];
    dt_sink sink = {0};
    table t = {.across = -1, .sample = -1, .unit = -1, .sink = &sink};
    t.separator = dt_argument(arguments, "tsv") ? '\t' : ',';
    dt_status status = dt_ranges_parse(&t.steps, "steps", dt_argument(arguments, "steps"), error);
    if (status == DT_OK)
        status = dt_ranges_parse(&t.samples, "samples", dt_argument(arguments, "samples"), error);
    if (status == DT_OK)
        status = dt_ranges_parse(&t.units, "units", dt_argument(arguments, "units"), error);
    if (status == DT_OK)
        status = dt_capture_reader_open(&t.reader, arguments->positional[1], DT_CAPTURE_WHOLE, error);
    if (status != DT_OK)
        return status;
    t.set = dt_capture_reader_find(t.reader, name);
    status = !t.set            ? fail_unknown_set(&t, name, error)
             : t.set->fault[0] ? dt_fail(error, DT_MALFORMED, "%s: %s %s", arguments->positional[1], name, t.set->fault)
                               : find_frame(&t, error);
    if (status == DT_OK && t.set->rank > 1 && t.sample != t.set->rank - 1 && !dt_argument(arguments, "long"))
        t.across = t.set->rank - 1;
    if (status == DT_OK)
        status = check_options(&t, error);
    if (status == DT_OK)
        status = make_room(&t, error);
    if (status == DT_OK && (status = dt_sink_open(&sink, dt_argument(arguments, "out"), error)) == DT_OK)
        status = dt_sink_close(&sink, print_table(&t, error), error);
    dt_release(t.numbers);
    dt_release(t.step);
    dt_release(t.epoch);
    dt_capture_reader_close(t.reader);
    return status;
}
