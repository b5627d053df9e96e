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
    LAYERS_MAX = 64,
    RULES_MAX = 64,
    VOLUME_MAX = 1 << 30, /* numbers read in all, about; but not fewer steps than: */
    STEPS_LEAST = 4,
    BATCH = 64,              /* rows sent at a time */
    CHILD_MEMORY = 512 << 20 /* bytes */
};

/* What the child sends: first DT_FIGURES of these, then for each series a head and its rows in batches, then a head
 * without layer. */
typedef char rule_name[DT_RULE_NAME];

typedef struct series_head {
    rule_name rule;
    int layer;
    int64_t rows, captured;
} series_head;

/* The figures, in the columns' order: the quantity each is made of. */
static const char *const quantities[DT_FIGURES] = {"delta", "dW", "a"};

typedef struct rule_survey {
    rule_name name;
    int64_t steps;
    double numbers[DT_FIGURES]; /* in one step, over all layers; 0: not captured */
} rule_survey;

typedef struct reader {
    const char *path;
    double numbers[DT_NUMBERS_MAX];
    rule_survey rules[RULES_MAX];
    int rule_count;
    int rule_of[DT_FIGURES]; /* index in rules, or -1 */
    double batch[BATCH][DT_LAYER_COLUMNS];
} reader;

/* --- in the child: what is there --- */

static dt_status fail_at(const reader *r, const char *name, const char *why, dt_error *error)
{
    return dt_fail(error, DT_MALFORMED, "%s: %s %s; use a copy that is sound", r->path, name, why);
}

static herr_t keep_rule(hid_t file, const char *name, const H5L_info_t *link, void *context)
{
    reader *r = context;
    (void)file;
    if (link->type == H5L_TYPE_HARD && dt_is_rule_name(name) && r->rule_count < RULES_MAX)
        snprintf(r->rules[r->rule_count++].name, sizeof(rule_name), "%s", name);
    return 0;
}

static dt_status open_ids(const reader *r, hid_t file, const char *rule, const char *what, dt_number_set *set,
                          dt_error *error)
{
    char name[128];
    snprintf(name, sizeof name, "/%s/%s", rule, what);
    const char *fault = dt_number_set_open(file, name, H5T_INTEGER, 1, set);
    return fault ? fail_at(r, name, fault, error) : DT_OK;
}

/* The set stays closed where the layer or its quantity was not captured. */
static dt_status open_figure(const reader *r, hid_t file, const char *rule, int layer, int figure, dt_number_set *set,
                             dt_error *error)
{
    char name[128];
    *set = (dt_number_set){.id = -1, .space = -1};
    snprintf(name, sizeof name, "/%s/layer%02d", rule, layer);
    if (!dt_number_set_exists(file, name))
        return DT_OK;
    snprintf(name, sizeof name, "/%s/layer%02d/%s", rule, layer, quantities[figure]);
    if (H5Lexists(file, name, H5P_DEFAULT) <= 0)
        return DT_OK;
    const char *fault = dt_number_set_open(file, name, H5T_FLOAT, 3, set);
    return fault ? fail_at(r, name, fault, error) : DT_OK;
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
    for (int i = 0; i < LAYERS_MAX * DT_FIGURES; i++) {
        int f = i % DT_FIGURES;
        status = open_figure(r, file, rule->name, 1 + i / DT_FIGURES, f, &set, error);
        if (status != DT_OK)
            return status;
        if (set.id >= 0)
            rule->numbers[f] += (double)set.extent[1] * (double)set.extent[2];
        dt_number_set_close(&set);
    }
    return DT_OK;
}

/* The rule with the most steps, the first by name of equals. */
static dt_status choose_rules(reader *r, dt_error *error)
{
    bool any = false, captured = false;
    for (int f = 0; f < DT_FIGURES; f++) {
        int64_t most = 0;
        r->rule_of[f] = -1;
        for (int i = 0; i < r->rule_count; i++) {
            bool has = r->rules[i].numbers[f] > 0;
            any = any || has;
            if (has && r->rules[i].steps > most) {
                r->rule_of[f] = i;
                most = r->rules[i].steps;
            }
        }
        captured = captured || most > 0;
    }
    if (captured)
        return DT_OK;
    if (any)
        return dt_fail(error, DT_NOT_FOUND, "%s: no step is captured yet", r->path);
    return dt_fail(error, DT_NOT_FOUND,
                   "%s: has no delta, dW or a of any layer to draw; capture one of these quantities", r->path);
}

static dt_status survey(reader *r, hid_t file, dt_error *error)
{
    hsize_t from = 0;
    if (H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, &from, keep_rule, r) < 0)
        return fail_at(r, "the list of rules", "can't be read", error);
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
    dt_number_set step, epoch, figures[DT_FIGURES];
} layer_sets;

static double figure_of(const dt_tally *t, int figure)
{
    switch (DT_COLUMN_DELTA_NORM + figure) {
    case DT_COLUMN_DELTA_NORM:
        return t->rows ? t->norms / (double)t->rows : NAN;
    case DT_COLUMN_DW_NORM:
        return sqrt(t->squares);
    default:
        return t->all ? (double)t->zeros / (double)t->all : NAN;
    }
}

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
    for (int c = 0; c < DT_LAYER_COLUMNS; c++)
        values[c] = NAN;
    values[DT_COLUMN_LAYER] = layer;
    if (!read_id(&sets->step, row, &values[DT_COLUMN_STEP]) || !read_id(&sets->epoch, row, &values[DT_COLUMN_EPOCH]))
        return false;
    for (int f = 0; f < DT_FIGURES; f++) {
        dt_tally t = {0};
        if (sets->figures[f].id < 0 || (hsize_t)row >= sets->figures[f].extent[0])
            continue;
        if (!dt_tally_step(&sets->figures[f], row, r->numbers, &t))
            return false;
        values[DT_COLUMN_DELTA_NORM + f] = figure_of(&t, f);
    }
    return true;
}

static dt_status send_rows(reader *r, const layer_sets *sets, const series_head *head, int pipe, dt_error *error)
{
    int64_t stride = (head->captured + head->rows - 1) / head->rows, used = 0;
    dt_status status = dt_sandbox_send(pipe, head, sizeof *head);
    for (int64_t i = 0; status == DT_OK && i < head->rows; i++) {
        if (!read_row(r, sets, head->layer, i * stride, r->batch[used++]))
            return fail_at(r, head->rule, "can't be read to its end", error);
        if (used < BATCH && i + 1 < head->rows)
            continue;
        status = dt_sandbox_send(pipe, r->batch, (size_t)used * sizeof r->batch[0]);
        used = 0;
    }
    return status;
}

/* As many steps as are drawn, and fewer where a step is very large. */
static int64_t rows_of(const reader *r, int rule)
{
    double numbers = 1;
    for (int f = 0; f < DT_FIGURES; f++)
        numbers += r->rule_of[f] == rule ? r->rules[rule].numbers[f] : 0;
    int64_t most = (int64_t)fmax(STEPS_LEAST, fmin(DT_SERIES_STEPS_MAX, VOLUME_MAX / numbers));
    int64_t steps = r->rules[rule].steps, stride = steps / most + (steps % most > 0);
    return steps / stride + (steps % stride > 0);
}

/* Nothing where the rule has nothing of that layer. */
static dt_status send_layer(reader *r, hid_t file, int rule, int layer, int pipe, dt_error *error)
{
    layer_sets sets = {.step = {.id = -1, .space = -1}, .epoch = {.id = -1, .space = -1}};
    series_head head;
    bool any = false;
    dt_status status = DT_OK;
    for (int f = 0; f < DT_FIGURES; f++) {
        sets.figures[f] = (dt_number_set){.id = -1, .space = -1};
        if (r->rule_of[f] == rule && status == DT_OK)
            status = open_figure(r, file, r->rules[rule].name, layer, f, &sets.figures[f], error);
        any = any || sets.figures[f].id >= 0;
    }
    if (status == DT_OK && any)
        status = open_ids(r, file, r->rules[rule].name, "step", &sets.step, error);
    if (status == DT_OK && any)
        status = open_ids(r, file, r->rules[rule].name, "epoch", &sets.epoch, error);
    if (status == DT_OK && any) {
        memset(&head, 0, sizeof head);
        snprintf(head.rule, sizeof head.rule, "%s", r->rules[rule].name);
        head.layer = layer;
        head.rows = rows_of(r, rule);
        head.captured = r->rules[rule].steps;
        status = send_rows(r, &sets, &head, pipe, error);
    }
    dt_number_set_close(&sets.step);
    dt_number_set_close(&sets.epoch);
    for (int f = 0; f < DT_FIGURES; f++)
        dt_number_set_close(&sets.figures[f]);
    return status;
}

static bool is_chosen(const reader *r, int rule)
{
    for (int f = 0; f < DT_FIGURES; f++)
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
    for (int f = 0; f < DT_FIGURES && status == DT_OK; f++) {
        rule_name name = "";
        if (r->rule_of[f] >= 0)
            memcpy(name, r->rules[r->rule_of[f]].name, sizeof name);
        status = dt_sandbox_send(pipe, name, sizeof name);
    }
    for (int i = 0; i < r->rule_count; i++)
        for (int layer = 1; is_chosen(r, i) && layer <= LAYERS_MAX && status == DT_OK; layer++)
            status = send_layer(r, file, i, layer, pipe, error);
    return status == DT_OK ? dt_sandbox_send(pipe, &(series_head){.layer = 0}, sizeof(series_head)) : status;
}

/* --- in this process --- */

/* The child may be under a hostile file's control: nothing it says is taken on trust. */
static bool is_sane(const series_head *head)
{
    return memchr(head->rule, '\0', sizeof head->rule) && dt_is_rule_name(head->rule) && head->layer >= 1 &&
           head->layer <= LAYERS_MAX && head->rows >= 1 && head->rows <= DT_SERIES_STEPS_MAX &&
           head->captured >= head->rows;
}

static dt_status receive_series(dt_sandbox *box, dt_arena *arena, const series_head *head, dt_layer_series *series,
                                dt_error *error)
{
    dt_status status = DT_OK;
    memcpy(series->rule, head->rule, sizeof series->rule);
    series->layer = head->layer;
    series->rows = head->rows;
    series->captured = head->captured;
    series->values = dt_arena_allocate(arena, (size_t)head->rows * DT_LAYER_COLUMNS, sizeof(double));
    if (!series->values)
        return dt_fail(error, DT_NO_MEMORY, "%s: out of memory for its figures", box->path);
    for (int64_t i = 0, some; i < head->rows && status == DT_OK; i += some) {
        some = head->rows - i < BATCH ? head->rows - i : BATCH;
        status = dt_sandbox_receive(box, series->values + i * DT_LAYER_COLUMNS,
                                    (size_t)some * DT_LAYER_COLUMNS * sizeof(double), error);
    }
    return status;
}

static dt_status receive(dt_sandbox *box, dt_arena *arena, dt_capture_series *capture, dt_error *error)
{
    enum { SERIES_MAX = LAYERS_MAX * DT_FIGURES };
    series_head head;
    dt_status status = DT_OK;
    for (int f = 0; f < DT_FIGURES && status == DT_OK; f++) {
        char *name = capture->rule_of[f];
        status = dt_sandbox_receive(box, name, sizeof(rule_name), error);
        if (status == DT_OK && name[0] && (!memchr(name, '\0', sizeof(rule_name)) || !dt_is_rule_name(name)))
            return dt_fail(error, DT_MALFORMED, "%s: its reader sent nonsense; use a copy that is sound", box->path);
    }
    capture->count = 0;
    capture->series = dt_arena_allocate(arena, SERIES_MAX, sizeof *capture->series);
    if (!capture->series)
        return dt_fail(error, DT_NO_MEMORY, "%s: out of memory for its figures", box->path);
    while (status == DT_OK && (status = dt_sandbox_receive(box, &head, sizeof head, error)) == DT_OK &&
           head.layer != 0) {
        if (capture->count == SERIES_MAX || !is_sane(&head))
            return dt_fail(error, DT_MALFORMED, "%s: its reader sent nonsense; use a copy that is sound", box->path);
        status = receive_series(box, arena, &head, &capture->series[capture->count++], error);
    }
    return status;
}

dt_status dt_capture_series_read(const char *path, dt_arena *arena, dt_capture_series *capture, dt_error *error)
{
    dt_sandbox box;
    dt_status status = dt_sandbox_check_file(path, "train with a capture in the experiment", error);
    if (status != DT_OK)
        return status;
    reader *r = dt_allocate_zeroed(1, sizeof *r);
    if (!r)
        return dt_fail(error, DT_NO_MEMORY, "%s: out of memory to read it", path);
    r->path = path;
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    status = dt_sandbox_start(&box, path, read_in_child, r, CHILD_MEMORY, error);
    dt_hdf5_leave();
    if (status == DT_OK) {
        status = receive(&box, arena, capture, error);
        dt_sandbox_finish(&box);
    }
    dt_release(r);
    return status;
}
