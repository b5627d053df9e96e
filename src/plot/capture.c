/* capture.h5, read for pictures: a confined child opens it, looks only at the names that a capture has, checks what
 * each is before it reads, and sends figures; this process sees numbers alone.
 */
#include "plot/capture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/sandbox.h"
#include "hdf5/hdf5.h"
#include "plot/figures.h"

enum {
    LAYERS_MAX = DT_CAPTURE_LAYERS_MAX,
    VOLUME_MAX = 1 << 30, /* numbers read in all, about; but not fewer steps than: */
    STEPS_LEAST = 4,
    BATCH = 64,              /* rows sent at a time */
    CHILD_MEMORY = 512 << 20 /* bytes */
};

/* What the child sends: first a choice for each figure, then for each series a head and its rows in batches, then a
 * head with layer -1. */
typedef char rule_name[DT_RULE_NAME];

typedef struct figure_choice {
    rule_name rule; /* "": not captured */
    int source;
} figure_choice;

typedef struct series_head {
    rule_name rule;
    int layer;
    int64_t rows, captured;
} series_head;

typedef struct rule_survey {
    rule_name name;
    int64_t steps;
    int source[DT_FIGURES_MAX];     /* the first that the rule has */
    double numbers[DT_FIGURES_MAX]; /* in one step, over all layers; 0: not captured */
} rule_survey;

typedef struct reader {
    const char *path;
    const dt_figure_query *query;
    size_t columns;
    double numbers[DT_NUMBERS_MAX];
    rule_survey rules[DT_RULES_MAX];
    int rule_count;
    int rule_of[DT_FIGURES_MAX]; /* index in rules, or -1 */
    double batch[BATCH * (DT_COLUMN_FIRST + DT_FIGURE_WIDTH_MAX)];
} reader;

size_t dt_figure_column(const dt_figure_query *query, int figure)
{
    size_t column = DT_COLUMN_FIRST;
    for (int f = 0; f < figure; f++)
        column += (size_t)query->figures[f].width;
    return column;
}

/* --- in the child: what is there --- */

static dt_status open_ids(const reader *r, hid_t file, const char *rule, const char *what, dt_number_set *set,
                          dt_error *error)
{
    char name[128];
    snprintf(name, sizeof name, "/%s/%s", rule, what);
    const char *fault = dt_number_set_open(file, name, H5T_INTEGER, 1, set);
    return fault ? dt_fail_set(r->path, name, fault, error) : DT_OK;
}

static bool is_asked_for(const reader *r, int layer, int figure)
{
    return layer == 0 ? r->query->figures[figure].network && r->query->layer == 0
                      : r->query->layer == 0 || r->query->layer == layer;
}

/* The set stays closed where it was not captured. */
static dt_status open_set(const reader *r, hid_t file, const char *group, const char *what, H5T_class_t class, int rank,
                          dt_number_set *set, dt_error *error)
{
    char name[192];
    *set = (dt_number_set){.id = -1, .space = -1};
    snprintf(name, sizeof name, "%s/%s", group, what);
    if (!dt_number_set_exists(file, group) || H5Lexists(file, name, H5P_DEFAULT) <= 0)
        return DT_OK;
    const char *fault = dt_number_set_open(file, name, class, rank, set);
    return fault ? dt_fail_set(r->path, name, fault, error) : DT_OK;
}

/* A source of a figure, and what stands beside it: both closed where one is missing. */
typedef struct figure_sets {
    const dt_measure *measure;
    dt_number_set set, beside;
} figure_sets;

static void close_figure(figure_sets *sets)
{
    dt_number_set_close(&sets->set);
    dt_number_set_close(&sets->beside);
}

static dt_status open_figure(const reader *r, hid_t file, const char *rule, int layer, const dt_measure *measure,
                             figure_sets *sets, dt_error *error)
{
    char group[128];
    *sets = (figure_sets){measure, {.id = -1, .space = -1}, {.id = -1, .space = -1}};
    snprintf(group, sizeof group, layer ? "/%s/layer%02d" : "/%s", rule, layer);
    dt_status status = open_set(r, file, group, measure->set, measure->integers ? H5T_INTEGER : H5T_FLOAT,
                                measure->rank, &sets->set, error);
    if (status != DT_OK || sets->set.id < 0 || !measure->beside)
        return status;
    if (layer)
        snprintf(group, sizeof group, "/%s/layer%02d", rule, layer - measure->beside_before);
    status = open_set(r, file, group, measure->beside, H5T_FLOAT, measure->beside_rank, &sets->beside, error);
    if (status == DT_OK && sets->beside.id < 0)
        close_figure(sets);
    return status;
}

static dt_status survey_figure(const reader *r, hid_t file, rule_survey *rule, int f, dt_error *error)
{
    const dt_figure *figure = &r->query->figures[f];
    for (int source = 0; source < figure->source_count && rule->numbers[f] == 0; source++)
        for (int layer = 0; layer <= LAYERS_MAX; layer++) {
            figure_sets sets;
            if (!is_asked_for(r, layer, f))
                continue;
            dt_status status = open_figure(r, file, rule->name, layer, &figure->sources[source], &sets, error);
            if (status != DT_OK)
                return status;
            if (sets.set.id >= 0)
                rule->numbers[f] += (double)sets.set.extent[1] * (double)sets.set.extent[2];
            if (sets.beside.id >= 0)
                rule->numbers[f] += (double)sets.beside.extent[1] * (double)sets.beside.extent[2];
            rule->source[f] = source;
            close_figure(&sets);
        }
    return DT_OK;
}

static dt_status survey_rule(const reader *r, hid_t file, rule_survey *rule, dt_error *error)
{
    char name[128];
    dt_number_set set;
    snprintf(name, sizeof name, "/%s/step", rule->name);
    if (H5Lexists(file, name, H5P_DEFAULT) <= 0)
        return DT_OK; /* something else, which has no figures */
    dt_status status = open_ids(r, file, rule->name, "step", &set, error);
    if (status != DT_OK)
        return status;
    rule->steps = (int64_t)set.extent[0];
    dt_number_set_close(&set);
    for (int f = 0; f < r->query->count && status == DT_OK; f++)
        status = survey_figure(r, file, rule, f, error);
    return status;
}

/* The rule with the most steps, the better source, the first by name. */
static dt_status choose_rules(reader *r, dt_error *error)
{
    bool any = false, captured = false;
    for (int f = 0; f < r->query->count; f++) {
        const rule_survey *best = NULL;
        r->rule_of[f] = -1;
        for (int i = 0; i < r->rule_count; i++) {
            const rule_survey *rule = &r->rules[i];
            const bool has = rule->numbers[f] > 0;
            any = any || has;
            if (!has || rule->steps == 0 || (best && rule->steps < best->steps) ||
                (best && rule->steps == best->steps && rule->source[f] >= best->source[f]))
                continue;
            best = rule;
            r->rule_of[f] = i;
        }
        captured = captured || best;
    }
    if (captured)
        return DT_OK;
    if (any)
        return dt_fail(error, DT_NOT_FOUND, "%s: no step is captured yet", r->path);
    return dt_fail(error, DT_NOT_FOUND, "%s: %s", r->path, r->query->none);
}

static dt_status survey(reader *r, hid_t file, dt_error *error)
{
    dt_rule_list rules;
    if (!dt_rule_list_read(file, &rules))
        return dt_fail_set(r->path, "the list of rules", "can't be read", error);
    r->rule_count = rules.count;
    for (int i = 0; i < rules.count; i++)
        memcpy(r->rules[i].name, rules.name[i], sizeof(rule_name));
    for (int i = 0; i < r->rule_count; i++) {
        dt_status status = survey_rule(r, file, &r->rules[i], error);
        if (status != DT_OK)
            return status;
    }
    return choose_rules(r, error);
}

/* --- in the child: figures --- */

/* A layer of a rule, opened. */
typedef struct layer_sets {
    int64_t unit; /* where the unit asked for is in its sets */
    dt_number_set step, epoch;
    figure_sets figures[DT_FIGURES_MAX];
} layer_sets;

static bool read_id(const dt_number_set *set, int64_t row, double *value)
{
    int64_t id;
    if ((hsize_t)row >= set->extent[0])
        return true;
    if (!dt_number_set_integer(set, row, &id))
        return false;
    *value = id < 0 ? NAN : (double)id;
    return true;
}

static bool read_row(reader *r, const layer_sets *sets, int layer, int64_t row, double *values)
{
    for (size_t c = 0; c < r->columns; c++)
        values[c] = NAN;
    values[DT_COLUMN_LAYER] = layer;
    if (!read_id(&sets->step, row, &values[DT_COLUMN_STEP]) || !read_id(&sets->epoch, row, &values[DT_COLUMN_EPOCH]))
        return false;
    for (int f = 0; f < r->query->count; f++) {
        const figure_sets *figure = &sets->figures[f];
        if (figure->set.id < 0 || (hsize_t)row >= figure->set.extent[0])
            continue;
        const dt_moment moment = {&figure->set, &figure->beside, row, sets->unit, r->numbers};
        if (!figure->measure->take(&moment, values + dt_figure_column(r->query, f)))
            return false;
    }
    return true;
}

/* The captured step that makes row i. */
static int64_t step_of_row(const dt_figure_query *query, const series_head *head, int64_t i)
{
    if (!query->ends)
        return i * ((head->captured + head->rows - 1) / head->rows);
    return head->rows > 1 ? (int64_t)(((double)head->captured - 1) * (double)i / ((double)head->rows - 1) + 0.5) : 0;
}

static dt_status send_rows(reader *r, const layer_sets *sets, const series_head *head, int pipe, dt_error *error)
{
    int64_t used = 0;
    dt_status status = dt_sandbox_send(pipe, head, sizeof *head);
    for (int64_t i = 0; status == DT_OK && i < head->rows; i++) {
        if (!read_row(r, sets, head->layer, step_of_row(r->query, head, i), r->batch + (size_t)used++ * r->columns))
            return dt_fail_set(r->path, head->rule, "can't be read to its end", error);
        if (used < BATCH && i + 1 < head->rows)
            continue;
        status = dt_sandbox_send(pipe, r->batch, (size_t)used * r->columns * sizeof *r->batch);
        used = 0;
    }
    return status;
}

/* As many steps as are drawn, and fewer where a step is very large. */
static int64_t rows_of(const reader *r, int rule)
{
    double numbers = 1;
    for (int f = 0; f < r->query->count; f++)
        numbers += r->rule_of[f] == rule ? r->rules[rule].numbers[f] : 0;
    const double wanted = r->query->steps_most ? (double)r->query->steps_most : DT_SERIES_STEPS_MAX;
    int64_t most = (int64_t)fmax(STEPS_LEAST, fmin(wanted, VOLUME_MAX / numbers));
    int64_t steps = r->rules[rule].steps, stride = steps / most + (steps % most > 0);
    if (r->query->ends)
        return steps < most ? steps : most;
    return steps / stride + (steps % stride > 0);
}

/* Where a unit is in the sets of a layer, which may have some units only: their numbers are the scale `unit`. As many
 * as there are where it is nowhere. */
static dt_status find_unit(reader *r, hid_t file, const char *rule, int layer, int64_t *place, dt_error *error)
{
    enum { SOME = 1024 };
    char name[128];
    int64_t numbers[SOME];
    dt_number_set set;
    *place = r->query->unit;
    snprintf(name, sizeof name, "/%s/layer%02d/unit", rule, layer);
    if (r->query->layer == 0 || H5Lexists(file, name, H5P_DEFAULT) <= 0)
        return DT_OK;
    const char *fault = dt_number_set_open(file, name, H5T_INTEGER, 1, &set);
    if (fault)
        return dt_fail_set(r->path, name, fault, error);
    *place = (int64_t)set.extent[0];
    for (hsize_t first = 0, some; first < set.extent[0]; first += some) {
        some = set.extent[0] - first < SOME ? set.extent[0] - first : SOME;
        if (!dt_number_set_read_integers(&set, (hsize_t[]){first, 0, 0}, (hsize_t[]){some, 1, 1}, numbers)) {
            dt_number_set_close(&set);
            return dt_fail_set(r->path, name, "can't be read", error);
        }
        for (hsize_t i = 0; i < some; i++)
            if (numbers[i] == r->query->unit)
                *place = (int64_t)(first + i);
    }
    dt_number_set_close(&set);
    return DT_OK;
}

/* Nothing where the rule has nothing of that layer. */
static dt_status send_layer(reader *r, hid_t file, int rule, int layer, int pipe, dt_error *error)
{
    layer_sets sets = {.step = {.id = -1, .space = -1}, .epoch = {.id = -1, .space = -1}};
    const rule_survey *from = &r->rules[rule];
    series_head head;
    bool any = false;
    dt_status status = DT_OK;
    for (int f = 0; f < r->query->count; f++) {
        sets.figures[f] = (figure_sets){NULL, {.id = -1, .space = -1}, {.id = -1, .space = -1}};
        if (r->rule_of[f] == rule && status == DT_OK && is_asked_for(r, layer, f))
            status = open_figure(r, file, from->name, layer, &r->query->figures[f].sources[from->source[f]],
                                 &sets.figures[f], error);
        any = any || sets.figures[f].set.id >= 0;
    }
    if (status == DT_OK && any)
        status = open_ids(r, file, from->name, "step", &sets.step, error);
    if (status == DT_OK && any)
        status = open_ids(r, file, from->name, "epoch", &sets.epoch, error);
    if (status == DT_OK && any)
        status = find_unit(r, file, from->name, layer, &sets.unit, error);
    if (status == DT_OK && any) {
        memset(&head, 0, sizeof head);
        snprintf(head.rule, sizeof head.rule, "%s", from->name);
        head.layer = layer;
        head.rows = rows_of(r, rule);
        head.captured = from->steps;
        status = send_rows(r, &sets, &head, pipe, error);
    }
    dt_number_set_close(&sets.step);
    dt_number_set_close(&sets.epoch);
    for (int f = 0; f < r->query->count; f++)
        close_figure(&sets.figures[f]);
    return status;
}

static bool is_chosen(const reader *r, int rule)
{
    for (int f = 0; f < r->query->count; f++)
        if (r->rule_of[f] == rule)
            return true;
    return false;
}

static dt_status read_in_child(void *context, int pipe, dt_error *error)
{
    reader *r = context;
    hid_t file = H5Fopen(r->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return dt_fail(error, DT_MALFORMED, "%s: is not an HDF5 file, or is cut short; use a copy that is sound",
                       r->path);
    dt_status status = survey(r, file, error);
    for (int f = 0; f < r->query->count && status == DT_OK; f++) {
        figure_choice choice;
        memset(&choice, 0, sizeof choice);
        if (r->rule_of[f] >= 0) {
            memcpy(choice.rule, r->rules[r->rule_of[f]].name, sizeof choice.rule);
            choice.source = r->rules[r->rule_of[f]].source[f];
        }
        status = dt_sandbox_send(pipe, &choice, sizeof choice);
    }
    for (int i = 0; i < r->rule_count; i++)
        for (int layer = 0; is_chosen(r, i) && layer <= LAYERS_MAX && status == DT_OK; layer++)
            status = send_layer(r, file, i, layer, pipe, error);
    return status == DT_OK ? dt_sandbox_send(pipe, &(series_head){.layer = -1}, sizeof(series_head)) : status;
}

/* --- in this process --- */

/* The child may be under a hostile file's control: nothing it says is taken on trust. */
static dt_status fail_nonsense(const dt_sandbox *box, dt_error *error)
{
    return dt_fail(error, DT_MALFORMED, "%s: its reader sent nonsense; use a copy that is sound", box->path);
}

static bool is_sane(const series_head *head, const dt_figure_query *query)
{
    bool network = false;
    for (int f = 0; f < query->count; f++)
        network = network || query->figures[f].network;
    return memchr(head->rule, '\0', sizeof head->rule) && dt_is_rule_name(head->rule) &&
           head->layer >= (network ? 0 : 1) && head->layer <= LAYERS_MAX && head->rows >= 1 &&
           head->rows <= DT_SERIES_STEPS_MAX && head->captured >= head->rows;
}

static dt_status receive_series(dt_sandbox *box, dt_arena *arena, const series_head *head, size_t columns,
                                dt_layer_series *series, dt_error *error)
{
    dt_status status = DT_OK;
    memcpy(series->rule, head->rule, sizeof series->rule);
    series->layer = head->layer;
    series->rows = head->rows;
    series->captured = head->captured;
    series->values = dt_arena_allocate(arena, (size_t)head->rows * columns, sizeof(double));
    if (!series->values)
        return dt_fail(error, DT_NO_MEMORY, "%s: out of memory for its figures", box->path);
    for (int64_t i = 0, some; i < head->rows && status == DT_OK; i += some) {
        some = head->rows - i < BATCH ? head->rows - i : BATCH;
        status = dt_sandbox_receive(box, series->values + (size_t)i * columns, (size_t)some * columns * sizeof(double),
                                    error);
    }
    return status;
}

static dt_status receive_choices(dt_sandbox *box, const dt_figure_query *query, dt_capture_series *capture,
                                 dt_error *error)
{
    for (int f = 0; f < query->count; f++) {
        figure_choice choice;
        dt_status status = dt_sandbox_receive(box, &choice, sizeof choice, error);
        if (status != DT_OK)
            return status;
        if ((choice.rule[0] && (!memchr(choice.rule, '\0', sizeof choice.rule) || !dt_is_rule_name(choice.rule))) ||
            choice.source < 0 || (choice.rule[0] && choice.source >= query->figures[f].source_count))
            return fail_nonsense(box, error);
        memcpy(capture->rule_of[f], choice.rule, sizeof choice.rule);
        capture->source_of[f] = choice.source;
    }
    return DT_OK;
}

static dt_status receive(dt_sandbox *box, const dt_figure_query *query, dt_arena *arena, dt_capture_series *capture,
                         dt_error *error)
{
    series_head head;
    dt_status status = receive_choices(box, query, capture, error);
    capture->count = 0;
    capture->columns = dt_figure_column(query, query->count);
    capture->series = dt_arena_allocate(arena, DT_CAPTURE_SERIES_MAX + 1, sizeof *capture->series);
    if (!capture->series)
        return dt_fail(error, DT_NO_MEMORY, "%s: out of memory for its figures", box->path);
    while (status == DT_OK && (status = dt_sandbox_receive(box, &head, sizeof head, error)) == DT_OK &&
           head.layer != -1) {
        if (capture->count == DT_CAPTURE_SERIES_MAX || !is_sane(&head, query))
            return fail_nonsense(box, error);
        status = receive_series(box, arena, &head, capture->columns, &capture->series[capture->count++], error);
    }
    return status;
}

dt_status dt_capture_series_read(const char *path, const dt_figure_query *query, dt_arena *arena,
                                 dt_capture_series *capture, dt_error *error)
{
    dt_sandbox box;
    dt_status status = dt_sandbox_check_file(path, "train with a capture in the experiment", error);
    if (status != DT_OK)
        return status;
    reader *r = dt_allocate_zeroed(1, sizeof *r);
    if (!r)
        return dt_fail(error, DT_NO_MEMORY, "%s: out of memory to read it", path);
    r->path = path;
    r->query = query;
    r->columns = dt_figure_column(query, query->count);
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    status = dt_sandbox_start(&box, path, read_in_child, r, CHILD_MEMORY, DT_SANDBOX_LONG, error);
    dt_hdf5_leave();
    if (status == DT_OK) {
        status = receive(&box, query, arena, capture, error);
        dt_sandbox_finish(&box);
    }
    dt_release(r);
    return status;
}
