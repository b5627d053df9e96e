/* A confined child looks for the step, reads the pieces and sends them, in the order they were asked for; this process
 * sees numbers alone (base/sandbox.h).
 *
 * The search goes back from the last captured step. Each rule has a cursor in its own list of steps; at every step that
 * one of them captured, each piece is looked for in the rules whose cursor is there. */
#include "plot/captured.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/sandbox.h"
#include "hdf5/hdf5.h"
#include "plot/figures.h"

enum { PATH_ROOM = 128, IDS = 1024, IDS_TOLD = 6, LIST = 256, CHILD_MEMORY = 512 << 20 };

typedef struct rule {
    char name[DT_RULE_NAME];
    dt_number_set step, sample_id;
    int64_t cursor, now; /* the step at the cursor; -1: none is left */
    int64_t sample;      /* where the sample is in it; -1: nowhere */
    bool has[DT_CAPTURED_PIECES_MAX];
} rule;

typedef struct reader {
    const char *path;
    const dt_captured_query *query;
    hid_t file;
    rule rules[DT_RULES_MAX];
    int rule_count;
    const rule *source[DT_CAPTURED_PIECES_MAX]; /* the rule that a piece is read from */
    int64_t sample;                             /* asked for, or chosen */
    bool met;                                   /* the sample was in some captured step */
    int64_t nearest;                            /* captured step nearest to the one asked for; -1: none */
    int64_t told_step, told[IDS_TOLD];          /* the latest step without the sample, and whom it has */
    int told_count;
    int64_t ids[IDS];
} reader;

static bool is_of_sample(dt_quantity quantity)
{
    return quantity == DT_QUANTITY_Z || quantity == DT_QUANTITY_A || quantity == DT_QUANTITY_DELTA;
}

/* --- what is there --- */

static void name_piece(const rule *s, const dt_captured_piece *p, char name[PATH_ROOM])
{
    snprintf(name, PATH_ROOM, "/%s/layer%02d/%s", s->name, (int)p->l, dt_quantity_name(p->quantity));
}

/* To the captured step before the cursor's. */
static bool step_back(rule *s)
{
    for (s->now = -1; s->now < 0 && s->cursor > 0;)
        if (!dt_number_set_integer(&s->step, --s->cursor, &s->now))
            return false;
    return true;
}

static dt_status open_rule(reader *r, rule *s, dt_error *error)
{
    char name[PATH_ROOM];
    s->step = s->sample_id = (dt_number_set){.id = -1, .space = -1};
    s->now = -1;
    snprintf(name, sizeof name, "/%s/step", s->name);
    if (!dt_number_set_exists(r->file, name))
        return DT_OK; /* something else */
    const char *fault = dt_number_set_open(r->file, name, H5T_INTEGER, 1, &s->step);
    if (fault)
        return dt_fail_set(r->path, name, fault, error);
    snprintf(name, sizeof name, "/%s/sample_id", s->name);
    fault = dt_number_set_open(r->file, name, H5T_INTEGER, 2, &s->sample_id);
    if (fault)
        return dt_fail_set(r->path, name, fault, error);
    s->cursor = (int64_t)(s->step.extent[0] < s->sample_id.extent[0] ? s->step.extent[0] : s->sample_id.extent[0]);
    for (size_t i = 0; i < r->query->count; i++) {
        const dt_captured_piece *p = &r->query->pieces[i];
        snprintf(name, sizeof name, "/%s/layer%02d", s->name, (int)p->l);
        s->has[i] = dt_number_set_exists(r->file, name);
        name_piece(s, p, name);
        s->has[i] = s->has[i] && dt_number_set_exists(r->file, name);
    }
    return step_back(s) ? DT_OK : dt_fail_set(r->path, s->name, "can't be read", error);
}

/* The rules in the file, or the one that was asked for. */
static dt_status find_rules(reader *r, dt_error *error)
{
    dt_rule_list found;
    char list[LIST] = "";
    if (!dt_rule_list_read(r->file, &found))
        return dt_fail_set(r->path, "the list of rules", "can't be read", error);
    r->rule_count = found.count;
    for (int i = 0; i < r->rule_count; i++)
        memcpy(r->rules[i].name, found.name[i], DT_RULE_NAME);
    for (int i = 0; i < r->rule_count && r->query->rule; i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", r->rules[i].name);
        if (strcmp(r->rules[i].name, r->query->rule) != 0)
            continue;
        r->rules[0] = r->rules[i];
        r->rule_count = 1;
        return DT_OK;
    }
    if (r->query->rule)
        return dt_fail(error, DT_NOT_FOUND, "%s: has no rule '%.64s'; ask for one of: %s", r->path, r->query->rule,
                       *list ? list : "none");
    return DT_OK;
}

/* Pieces that no rule has. */
static dt_status check_pieces(const reader *r, dt_error *error)
{
    char list[LIST] = "";
    int missing = 0;
    for (size_t i = 0; i < r->query->count; i++) {
        bool has = false;
        for (int s = 0; s < r->rule_count; s++)
            has = has || r->rules[s].has[i];
        if (has)
            continue;
        const size_t used = strlen(list);
        if (++missing <= IDS_TOLD)
            snprintf(list + used, sizeof list - used, "%s%s of layer %" PRId64, used ? ", " : "",
                     dt_quantity_name(r->query->pieces[i].quantity), r->query->pieces[i].l);
    }
    if (!missing)
        return DT_OK;
    return dt_fail(
        error, DT_NOT_FOUND,
        "%s: lacks %s%s; capture W, b, z, a and delta of all layers, or draw the trained weights with --final", r->path,
        list, missing > IDS_TOLD ? ", and others" : "");
}

/* --- which step --- */

/* Finds the sample in the rule's step at hand; sample -1: takes the first. */
static bool find_sample(reader *r, rule *s)
{
    const int64_t extent = (int64_t)s->sample_id.extent[1];
    s->sample = -1;
    for (int64_t first = 0; first < extent && s->sample < 0; first += IDS) {
        const int64_t count = extent - first < IDS ? extent - first : IDS;
        if (!dt_number_set_read_integers(&s->sample_id, (hsize_t[]){(hsize_t)s->cursor, (hsize_t)first, 0},
                                         (hsize_t[]){1, (hsize_t)count, 1}, r->ids))
            return false;
        for (int64_t i = 0; i < count && s->sample < 0; i++) {
            if (r->sample < 0 && r->ids[i] >= 0)
                r->sample = r->ids[i];
            if (r->ids[i] >= 0 && r->ids[i] == r->sample)
                s->sample = first + i;
        }
        if (first > 0 || s->sample >= 0 || r->told_step >= 0)
            continue;
        r->told_step = s->now; /* for the message, should it come to one */
        for (int64_t i = 0; i < count && r->told_count < IDS_TOLD; i++)
            if (r->ids[i] >= 0)
                r->told[r->told_count++] = r->ids[i];
    }
    r->met = r->met || s->sample >= 0;
    return true;
}

static bool captures_samples(const reader *r, const rule *s)
{
    for (size_t i = 0; i < r->query->count; i++)
        if (s->has[i] && is_of_sample(r->query->pieces[i].quantity))
            return true;
    return false;
}

/* Is every piece there at this step? */
static dt_status try_step(reader *r, int64_t step, bool *all, dt_error *error)
{
    r->sample = r->query->sample;
    for (int s = 0; s < r->rule_count; s++)
        if (r->rules[s].now == step && captures_samples(r, &r->rules[s]) && !find_sample(r, &r->rules[s]))
            return dt_fail_set(r->path, r->rules[s].name, "can't be read", error);
    *all = true;
    for (size_t i = 0; i < r->query->count; i++) {
        const bool of_sample = is_of_sample(r->query->pieces[i].quantity);
        r->source[i] = NULL;
        for (int s = 0; s < r->rule_count && !r->source[i]; s++) {
            const rule *at = &r->rules[s];
            if (at->now == step && at->has[i] && (!of_sample || at->sample >= 0))
                r->source[i] = at;
        }
        *all = *all && r->source[i];
    }
    return DT_OK;
}

static dt_status fail_search(const reader *r, dt_error *error)
{
    char list[LIST] = "";
    const int64_t step = r->query->step;
    for (int i = 0; i < r->told_count; i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%" PRId64, used ? ", " : "", r->told[i]);
    }
    if (r->nearest < 0)
        return dt_fail(error, DT_NOT_FOUND, "%s: no step is captured yet; wait, or capture more often", r->path);
    if (step >= 0 && r->nearest != step)
        return dt_fail(error, DT_NOT_FOUND,
                       "%s: step %" PRId64 " is not captured; the nearest one is %" PRId64 ": ask for --step %" PRId64,
                       r->path, step, r->nearest, r->nearest);
    if (!r->met)
        return dt_fail(error, DT_NOT_FOUND,
                       "%s: sample %" PRId64 " is not captured%s; step %" PRId64 " has %s%s: ask for one of these, "
                       "capture it (samples: [%" PRId64 "]), or draw the trained weights with --final",
                       r->path, r->query->sample, step < 0 ? " at any step" : " at this step", r->told_step,
                       *list ? list : "none", r->told_count == IDS_TOLD ? ", ..." : "", r->query->sample);
    return dt_fail(
        error, DT_NOT_FOUND,
        "%s: no %s has W, b, z, a and delta of what is drawn together; capture them by one rule, or draw the "
        "trained weights with --final",
        r->path, step < 0 ? "step" : "rule at this step");
}

static dt_status find_step(reader *r, int64_t *found, dt_error *error)
{
    const int64_t wanted = r->query->step;
    r->nearest = r->told_step = -1;
    for (;;) {
        int64_t step = -1;
        bool all = false;
        for (int s = 0; s < r->rule_count; s++)
            step = r->rules[s].now > step ? r->rules[s].now : step;
        if (step >= 0 && (r->nearest < 0 || wanted < 0 || step >= wanted || wanted - step < r->nearest - wanted))
            r->nearest = step;
        if (step < 0 || step < wanted)
            return fail_search(r, error);
        if (wanted < 0 || step == wanted) {
            const dt_status status = try_step(r, step, &all, error);
            *found = step;
            if (status != DT_OK || all)
                return status;
            if (step == wanted)
                return fail_search(r, error);
        }
        for (int s = 0; s < r->rule_count; s++)
            if (r->rules[s].now == step && !step_back(&r->rules[s]))
                return dt_fail_set(r->path, r->rules[s].name, "can't be read", error);
    }
}

/* --- the pieces --- */

static dt_status fail_shape(const reader *r, const char *name, const dt_captured_piece *p, const dt_number_set *set,
                            dt_error *error)
{
    const bool matrix = p->quantity == DT_QUANTITY_W;
    return dt_fail(error, DT_INVALID,
                   "%s: %s has %" PRIu64 " units%s, the experiment's network has %" PRId64
                   "; use the experiment it was trained with",
                   r->path, name, (uint64_t)set->extent[p->quantity == DT_QUANTITY_B || matrix ? 1 : 2],
                   matrix ? ", or other inputs" : "", matrix ? p->height : p->width);
}

static dt_status read_piece(const reader *r, const rule *s, const dt_captured_piece *p, dt_error *error)
{
    char name[PATH_ROOM];
    dt_number_set set;
    const bool vector = p->quantity == DT_QUANTITY_B, of_sample = is_of_sample(p->quantity);
    name_piece(s, p, name);
    const char *fault = dt_number_set_open(r->file, name, H5T_FLOAT, vector ? 2 : 3, &set);
    if (fault)
        return dt_fail_set(r->path, name, fault, error);
    const hsize_t *e = set.extent, width = (hsize_t)p->width, height = (hsize_t)p->height;
    dt_status status = DT_OK;
    if (vector ? e[1] != width : e[2] != width || (!of_sample && e[1] != height)) {
        status = fail_shape(r, name, p, &set, error);
    } else if (e[0] <= (hsize_t)s->cursor || (of_sample && e[1] <= (hsize_t)s->sample)) {
        status = dt_fail_set(r->path, name, "ends before its step", error);
    } else {
        const hsize_t row = of_sample ? (hsize_t)s->sample : (hsize_t)p->row;
        const hsize_t start[3] = {(hsize_t)s->cursor, vector ? (hsize_t)p->column : row, (hsize_t)p->column};
        const hsize_t count[3] = {1, vector ? (hsize_t)p->columns : (hsize_t)p->rows, vector ? 1 : (hsize_t)p->columns};
        if (!dt_number_set_read(&set, start, count, p->to))
            status = dt_fail_set(r->path, name, "can't be read", error);
    }
    dt_number_set_close(&set);
    return status;
}

static size_t bytes_of(const dt_captured_piece *p)
{
    return (size_t)(p->rows * p->columns) * sizeof *p->to;
}

static dt_status read_in_child(void *context, int pipe, dt_error *error)
{
    reader *r = context;
    dt_captured_place place;
    r->file = H5Fopen(r->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (r->file < 0)
        return dt_fail(error, DT_MALFORMED, "%s: is not an HDF5 file, or is cut short; use a copy that is sound",
                       r->path);
    dt_status status = find_rules(r, error);
    for (int i = 0; i < r->rule_count && status == DT_OK; i++)
        status = open_rule(r, &r->rules[i], error);
    if (status == DT_OK)
        status = check_pieces(r, error);
    if (status == DT_OK)
        status = find_step(r, &place.step, error);
    for (size_t i = 0; i < r->query->count && status == DT_OK; i++)
        status = read_piece(r, r->source[i], &r->query->pieces[i], error);
    if (status != DT_OK)
        return status;
    place.sample = r->sample;
    status = dt_sandbox_send(pipe, &place, sizeof place);
    for (size_t i = 0; i < r->query->count && status == DT_OK; i++)
        status = dt_sandbox_send(pipe, r->query->pieces[i].to, bytes_of(&r->query->pieces[i]));
    return status;
}

/* --- in this process --- */

static dt_status receive(dt_sandbox *box, const dt_captured_query *query, dt_captured_place *place, dt_error *error)
{
    dt_status status = dt_sandbox_receive(box, place, sizeof *place, error);
    if (status == DT_OK && (place->step < 0 || place->sample < 0 || (query->step >= 0 && place->step != query->step) ||
                            (query->sample >= 0 && place->sample != query->sample)))
        return dt_fail(error, DT_MALFORMED, "%s: its reader sent nonsense; use a copy that is sound", box->path);
    for (size_t i = 0; i < query->count && status == DT_OK; i++)
        status = dt_sandbox_receive(box, query->pieces[i].to, bytes_of(&query->pieces[i]), error);
    return status;
}

dt_status dt_captured_read(const char *path, const dt_captured_query *query, dt_captured_place *place, dt_error *error)
{
    dt_sandbox box;
    if (query->count < 1 || query->count > DT_CAPTURED_PIECES_MAX)
        return dt_fail(error, DT_INVALID, "%zu pieces of a captured step; ask for 1 to %d", query->count,
                       DT_CAPTURED_PIECES_MAX);
    dt_status status = dt_sandbox_check_file(path, "train with a capture in the experiment", error);
    if (status != DT_OK)
        return status;
    reader *r = dt_allocate_zeroed(1, sizeof *r);
    if (!r)
        return dt_fail_memory(error, "a captured step");
    r->path = path;
    r->query = query;
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    status = dt_sandbox_start(&box, path, read_in_child, r, CHILD_MEMORY, DT_SANDBOX_LONG, error);
    dt_hdf5_leave();
    if (status == DT_OK) {
        status = receive(&box, query, place, error);
        dt_sandbox_finish(&box);
    }
    dt_release(r);
    return status;
}
