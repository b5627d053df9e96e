#include "study/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "deltoid/profile.h"
#include "deltoid/record.h"
#include "study/statistics.h"

const char *const dt_study_fma[] = {[DT_FLOAT32] = "fma_float32", [DT_FLOAT64] = "fma_float64"};
const char *const dt_study_product[] = {[DT_FLOAT32] = "product_float32", [DT_FLOAT64] = "product_float64"};

enum { TABLE_BYTES_MAX = 1 << 30, PATH_BYTES = 4096 };

/* --- the columns --- */

#define INT(type, field)                                                                                               \
    {                                                                                                                  \
#field, DT_COLUMN_INT, offsetof(type, field)                                                                   \
    }
#define REAL(type, field)                                                                                              \
    {                                                                                                                  \
#field, DT_COLUMN_REAL, offsetof(type, field)                                                                  \
    }
#define BOOL(type, field)                                                                                              \
    {                                                                                                                  \
#field, DT_COLUMN_BOOL, offsetof(type, field)                                                                  \
    }
#define TEXT(type, field)                                                                                              \
    {                                                                                                                  \
#field, DT_COLUMN_TEXT, offsetof(type, field)                                                                  \
    }
#define TABLE(name, columns, type)                                                                                     \
    {                                                                                                                  \
        name, columns, sizeof columns / sizeof *columns, sizeof(type)                                                  \
    }

/* What a factor may be called, too, is "_used" here: the factor's column says what was asked for. */
#define USED(type, kind, field)                                                                                        \
    {                                                                                                                  \
#field "_used", kind, offsetof(type, field)                                                                    \
    }
#define P dt_study_point
static const dt_study_column point_columns[] = {
    INT(P, point),
    INT(P, workers),
    USED(P, DT_COLUMN_INT, groups),
    USED(P, DT_COLUMN_TEXT, reduction),
    TEXT(P, why),
    BOOL(P, deterministic),
    BOOL(P, oversubscribed),
    USED(P, DT_COLUMN_TEXT, precision),
    USED(P, DT_COLUMN_TEXT, isa),
    USED(P, DT_COLUMN_TEXT, placement),
    USED(P, DT_COLUMN_BOOL, capture),
    USED(P, DT_COLUMN_INT, batch_size),
    USED(P, DT_COLUMN_INT, shard_size),
    INT(P, parameters),
    REAL(P, flop_per_sample),
    INT(P, train_rows),
    TEXT(P, units),
    TEXT(P, experiment),
};
#undef P

#define V dt_study_visit
static const dt_study_column visit_columns[] = {
    INT(V, visit),           INT(V, block),         INT(V, position),     INT(V, point),        REAL(V, started),
    REAL(V, seconds),        TEXT(V, state),        INT(V, chunks),       INT(V, warmup),       BOOL(V, flagged),
    TEXT(V, reasons),        INT(V, voluntary),     INT(V, involuntary),  INT(V, throttled_us), INT(V, pressure_us),
    INT(V, steal_us),        INT(V, page_faults),   REAL(V, cpu_share),   REAL(V, others),      REAL(V, delay),
    TEXT(V, processors),     TEXT(V, place_before), TEXT(V, place_after), REAL(V, line_ns),     REAL(V, fma_alone),
    REAL(V, fma_both),       REAL(V, timer_ns),     REAL(V, timer_share), INT(V, steps),        REAL(V, loss),
    TEXT(V, weights_sha256), INT(V, rss_bytes),     INT(V, attempt),
};
#undef V

#define S dt_study_sample
static const dt_study_column sample_columns[] = {
    INT(S, visit),    INT(S, point),   INT(S, chunk),    INT(S, steps),    INT(S, samples),
    REAL(S, seconds), BOOL(S, warmup), BOOL(S, flagged), TEXT(S, reasons),
};
#undef S

#define F dt_study_phase
static const dt_study_column phase_columns[] = {
    INT(F, visit),
    INT(F, point),
    INT(F, worker),
    {"layer", DT_COLUMN_INT, offsetof(F, l)},
    {"phase", DT_COLUMN_INT, offsetof(F, phase)},
    INT(F, steps),
    REAL(F, seconds),
    REAL(F, flop),
    REAL(F, bytes),
};
#undef F

#define T dt_study_target
static const dt_study_column target_columns[] = {
    INT(T, visit), INT(T, point),  TEXT(T, metric),  REAL(T, target), BOOL(T, reached),
    INT(T, steps), INT(T, epochs), REAL(T, seconds), REAL(T, value),
};
#undef T

#define M dt_study_probe
static const dt_study_column probe_columns[] = {
    TEXT(M, when),   TEXT(M, quantity), INT(M, workers), INT(M, level),
    REAL(M, median), REAL(M, best),     REAL(M, spread), TEXT(M, unit),
};
#undef M

#define Y dt_study
static const dt_study_column study_columns[] = {
    TEXT(Y, name), TEXT(Y, kind),      REAL(Y, confidence), REAL(Y, epsilon),
    INT(Y, seed),  INT(Y, processors), TEXT(Y, created),
};
#undef Y

enum { POINTS, VISITS, SAMPLES, PHASES, TARGETS, MACHINE, TABLES };

static const dt_study_table tables[TABLES] = {
    [POINTS] = TABLE("points", point_columns, dt_study_point),
    [VISITS] = TABLE("visits", visit_columns, dt_study_visit),
    [SAMPLES] = TABLE("samples", sample_columns, dt_study_sample),
    [PHASES] = TABLE("phases", phase_columns, dt_study_phase),
    [TARGETS] = TABLE("targets", target_columns, dt_study_target),
    [MACHINE] = TABLE("machine", probe_columns, dt_study_probe),
};

static const dt_study_table study_table = TABLE("study", study_columns, dt_study);

const dt_study_table *dt_study_table_at(size_t i, const dt_study *study, const void **rows, size_t *count)
{
    if (i >= TABLES)
        return NULL;
    if (study) {
        const void *const all[TABLES] = {study->points, study->visits,  study->samples,
                                         study->phases, study->targets, study->probes};
        const size_t counts[TABLES] = {study->point_count, study->visit_count,  study->sample_count,
                                       study->phase_count, study->target_count, study->probe_count};
        *rows = all[i];
        *count = counts[i];
    }
    return &tables[i];
}

static dt_status path_of(char path[PATH_BYTES], const char *folder, const char *table, dt_error *error)
{
    return snprintf(path, PATH_BYTES, "%s/%s.tsv", folder, table) < PATH_BYTES
               ? DT_OK
               : dt_fail(error, DT_INVALID, "%.200s...: the name of the study's folder is too long", folder);
}

bool dt_is_study(const char *folder)
{
    char path[PATH_BYTES];
    struct stat facts;
    return path_of(path, folder, study_table.name, NULL) == DT_OK && stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

/* --- writing --- */

/* One field; what would end it becomes a blank. */
static void add_text(dt_buffer *t, const char *text)
{
    if (!text || !*text)
        text = "-";
    for (; *text; text++)
        dt_buffer_add_bytes(t, (unsigned char)*text < ' ' ? " " : text, 1);
}

static void add_value(dt_buffer *t, const dt_study_column *column, const void *row)
{
    const char *at = (const char *)row + column->offset;
    switch (column->kind) {
    case DT_COLUMN_INT: {
        const int64_t value = *(const int64_t *)(const void *)at;
        if (strcmp(column->name, "phase") == 0)
            dt_buffer_add(t, dt_phase_name((dt_phase)value));
        else
            dt_buffer_format(t, "%" PRId64, value);
        return;
    }
    case DT_COLUMN_REAL: {
        const double value = *(const double *)(const void *)at;
        dt_buffer_format(t, isnan(value) ? "nan" : "%.12g", value);
        return;
    }
    case DT_COLUMN_BOOL:
        dt_buffer_add(t, *(const bool *)at ? "1" : "0");
        return;
    case DT_COLUMN_TEXT:
        add_text(t, *(const char *const *)(const void *)at);
        return;
    }
}

/* A line of names (row NULL) or of a row's values. `study` where the table is that of points, which has its factors
 * behind the first column. */
static void add_line(dt_buffer *t, const dt_study_table *table, const void *row, const dt_study *study)
{
    for (size_t c = 0; c < table->column_count; c++) {
        if (c)
            dt_buffer_add(t, "\t");
        if (row)
            add_value(t, &table->columns[c], row);
        else
            add_text(t, table->columns[c].name);
        for (size_t f = 0; study && c == 0 && f < study->factor_count; f++) {
            dt_buffer_add(t, "\t");
            add_text(t, row ? ((const dt_study_point *)row)->values[f] : study->factors[f].name);
        }
    }
    dt_buffer_add(t, "\n");
}

static void add_lines(dt_buffer *t, const dt_study_table *table, const void *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_line(t, table, (const char *)rows + i * table->row_size, NULL);
}

static dt_status write_text(dt_buffer *t, const char *folder, const dt_study_table *table, dt_error *error)
{
    char path[PATH_BYTES];
    dt_status status =
        t->failed ? dt_fail_memory(error, "a study's tables") : path_of(path, folder, table->name, error);
    if (status == DT_OK)
        status = dt_file_write(path, t->bytes, t->length, error);
    dt_buffer_clear(t);
    return status;
}

dt_status dt_study_begin(const dt_study *study, const char *folder, dt_error *error)
{
    dt_status status = DT_OK;
    for (int i = 0; i < TABLES && status == DT_OK; i++) {
        dt_buffer text = {0};
        add_line(&text, &tables[i], NULL, i == POINTS ? study : NULL);
        for (size_t p = 0; i == POINTS && p < study->point_count; p++)
            add_line(&text, &tables[i], &study->points[p], study);
        status = write_text(&text, folder, &tables[i], error);
    }
    if (status == DT_OK) { /* last: by it the folder is a study's */
        dt_buffer text = {0};
        add_line(&text, &study_table, NULL, NULL);
        add_line(&text, &study_table, study, NULL);
        status = write_text(&text, folder, &study_table, error);
    }
    return status;
}

static dt_status append(dt_buffer *t, const char *folder, const dt_study_table *table, dt_error *error)
{
    char path[PATH_BYTES];
    dt_status status =
        t->failed ? dt_fail_memory(error, "a study's tables") : path_of(path, folder, table->name, error);
    const int fd = status == DT_OK && t->length ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (status == DT_OK && t->length && fd < 0)
        status = dt_fail_errno(error, errno, path, "open");
    if (fd >= 0) {
        status = dt_write_all(fd, t->bytes, t->length, path, error);
        if (status == DT_OK)
            status = dt_sync(fd, path, error);
        close(fd);
    }
    dt_buffer_clear(t);
    return status;
}

dt_status dt_study_append(const char *folder, const dt_study_measured *m, dt_error *error)
{
    const struct {
        int table;
        const void *rows;
        size_t count;
    } parts[] = {{SAMPLES, m->samples, m->sample_count},
                 {PHASES, m->phases, m->phase_count},
                 {TARGETS, m->targets, m->target_count},
                 {VISITS, m->visit, 1}};
    dt_status status = DT_OK;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == DT_OK; i++) {
        dt_buffer text = {0};
        add_lines(&text, &tables[parts[i].table], parts[i].rows, parts[i].count);
        status = append(&text, folder, &tables[parts[i].table], error);
    }
    return status;
}

dt_status dt_study_append_probes(const char *folder, const dt_study_probe *probes, size_t count, dt_error *error)
{
    dt_buffer text = {0};
    add_lines(&text, &tables[MACHINE], probes, count);
    return append(&text, folder, &tables[MACHINE], error);
}

dt_status dt_study_mend(const char *folder, dt_error *error)
{
    dt_status status = DT_OK;
    for (int i = VISITS; i < TABLES && status == DT_OK; i++) {
        char path[PATH_BYTES], *text;
        size_t size = 0;
        dt_arena arena = {0};
        status = path_of(path, folder, tables[i].name, error);
        if (status == DT_OK)
            status = dt_file_read(path, TABLE_BYTES_MAX, &arena, &text, &size, error);
        size_t whole = size;
        while (status == DT_OK && whole > 0 && text[whole - 1] != '\n')
            whole--;
        if (status == DT_OK && whole < size && truncate(path, (off_t)whole) != 0)
            status = dt_fail_errno(error, errno, path, "write");
        dt_arena_clear(&arena);
    }
    return status;
}

/* --- reading --- */

/* A table's text, taken apart in place. */
typedef struct table_text {
    char path[PATH_BYTES];
    char *next;                                   /* where the next line begins */
    size_t line, fields;                          /* fields of the header */
    size_t where[DT_STUDY_FACTORS_MAX + 64];      /* (column_count) the field that a column is */
    const char *field[DT_STUDY_FACTORS_MAX + 64]; /* of the line at hand */
} table_text;

enum { FIELDS_MAX = DT_STUDY_FACTORS_MAX + 64 };

/* The next line's fields; false at the end, and at a last line without its newline. */
static bool next_line(table_text *t, size_t *fields)
{
    char *end = strchr(t->next, '\n');
    *fields = 0;
    if (!end)
        return false;
    *end = '\0';
    t->line++;
    for (char *field = t->next;;) {
        char *tab = strchr(field, '\t');
        if (tab)
            *tab = '\0';
        if (*fields < FIELDS_MAX)
            t->field[*fields] = field;
        ++*fields;
        if (!tab)
            break;
        field = tab + 1;
    }
    t->next = end + 1;
    return true;
}

/* Reads the file and its header: each column's place. *rows: at most so many follow. */
static dt_status open_table(table_text *t, const dt_study_table *table, const char *folder, dt_arena *arena,
                            size_t *rows, dt_error *error)
{
    t->line = 0;
    dt_status status = path_of(t->path, folder, table->name, error);
    if (status == DT_OK)
        status = dt_file_read(t->path, TABLE_BYTES_MAX, arena, &t->next, NULL, error);
    if (status != DT_OK)
        return status;
    *rows = 0;
    for (const char *c = t->next; *c; c++)
        *rows += *c == '\n';
    if (!next_line(t, &t->fields) || t->fields > FIELDS_MAX)
        return dt_fail(error, DT_MALFORMED, "%s:1: not the names of a study's columns", t->path);
    *rows -= 1;
    for (size_t c = 0; c < table->column_count; c++) {
        size_t f = 0;
        while (f < t->fields && strcmp(t->field[f], table->columns[c].name) != 0)
            f++;
        if (f == t->fields)
            return dt_fail(error, DT_MALFORMED, "%s:1: has no column '%s'", t->path, table->columns[c].name);
        t->where[c] = f;
    }
    return DT_OK;
}

static int64_t phase_number(const char *name)
{
    for (int p = 0; p < DT_PHASES; p++)
        if (strcmp(dt_phase_name((dt_phase)p), name) == 0)
            return p;
    return -1;
}

static bool read_value(const dt_study_column *column, const char *text, void *row)
{
    char *at = (char *)row + column->offset, *end = NULL;
    errno = 0;
    switch (column->kind) {
    case DT_COLUMN_INT:
        if (strcmp(column->name, "phase") == 0)
            return (*(int64_t *)(void *)at = phase_number(text)) >= 0;
        *(int64_t *)(void *)at = strtoll(text, &end, 10);
        break;
    case DT_COLUMN_REAL:
        *(double *)(void *)at = strtod(text, &end);
        break;
    case DT_COLUMN_BOOL:
        *(bool *)at = text[0] == '1';
        return (text[0] == '0' || text[0] == '1') && !text[1];
    case DT_COLUMN_TEXT:
        *(const char **)(void *)at = strcmp(text, "-") == 0 ? "" : text;
        return true;
    }
    return end != text && !*end && errno == 0;
}

static dt_status read_line(const table_text *t, const dt_study_table *table, void *row, size_t fields, dt_error *error)
{
    if (fields != t->fields)
        return dt_fail(error, DT_MALFORMED, "%s:%zu: has %zu fields where the first line has %zu", t->path, t->line,
                       fields, t->fields);
    for (size_t c = 0; c < table->column_count; c++)
        if (!read_value(&table->columns[c], t->field[t->where[c]], row))
            return dt_fail(error, DT_MALFORMED, "%s:%zu: %s: '%.40s' is no value of it", t->path, t->line,
                           table->columns[c].name, t->field[t->where[c]]);
    return DT_OK;
}

static dt_status read_table(const dt_study_table *table, const char *folder, dt_arena *arena, void **rows,
                            size_t *count, dt_error *error)
{
    table_text t;
    size_t most, fields;
    dt_status status = open_table(&t, table, folder, arena, &most, error);
    if (status != DT_OK)
        return status;
    *rows = dt_arena_allocate(arena, most ? most : 1, table->row_size);
    if (!*rows)
        return dt_fail(error, DT_NO_MEMORY, "%s: out of memory for its %zu lines", t.path, most);
    for (*count = 0; *count < most && next_line(&t, &fields); ++*count)
        if ((status = read_line(&t, table, (char *)*rows + *count * table->row_size, fields, error)) != DT_OK)
            return status;
    return DT_OK;
}

/* Points, and the factors, whose names are the columns between the first two that are known. */
static dt_status read_points(dt_study *study, const char *folder, dt_arena *arena, dt_error *error)
{
    const dt_study_table *table = &tables[POINTS];
    table_text t;
    size_t most, fields;
    dt_status status = open_table(&t, table, folder, arena, &most, error);
    if (status != DT_OK)
        return status;
    const size_t factors = t.where[1] - t.where[0] - 1;
    if (t.where[1] <= t.where[0] || factors > DT_STUDY_FACTORS_MAX)
        return dt_fail(error, DT_MALFORMED, "%s:1: its columns are not in a study's order", t.path);
    study->factors = dt_arena_allocate(arena, factors ? factors : 1, sizeof *study->factors);
    study->points = dt_arena_allocate(arena, most ? most : 1, sizeof *study->points);
    if (!study->factors || !study->points)
        return dt_fail_memory(error, "a study");
    study->factor_count = factors;
    for (size_t f = 0; f < factors; f++)
        study->factors[f].name = t.field[t.where[0] + 1 + f];
    while (study->point_count < most && next_line(&t, &fields)) {
        dt_study_point *point = &study->points[study->point_count];
        const char **values = dt_arena_allocate(arena, factors ? factors : 1, sizeof *values);
        if (!values)
            return dt_fail_memory(error, "a study");
        if ((status = read_line(&t, table, point, fields, error)) != DT_OK)
            return status;
        for (size_t f = 0; f < factors; f++)
            values[f] = t.field[t.where[0] + 1 + f];
        point->values = values;
        if (point->point != (int64_t)study->point_count++)
            return dt_fail(error, DT_MALFORMED, "%s:%zu: points are not in their order", t.path, t.line);
    }
    return DT_OK;
}

/* Whether each row's point is one; the number of the last visit. */
static dt_status check_points(const dt_study *study, const char *folder, const char *table, int64_t point,
                              dt_error *error)
{
    return point >= 0 && point < (int64_t)study->point_count
               ? DT_OK
               : dt_fail(error, DT_MALFORMED, "%s/%s.tsv: has rows of point %" PRId64 ", which points.tsv hasn't",
                         folder, table, point);
}

int dt_study_visit_compare(const void *a, const void *b)
{
    const int64_t x = ((const dt_study_visit *)a)->visit, y = ((const dt_study_visit *)b)->visit;
    return (x > y) - (x < y);
}

static bool counts(const dt_study *study, int64_t visit)
{
    const dt_study_visit key = {.visit = visit};
    return study->visit_count && bsearch(&key, study->visits, study->visit_count, sizeof key, dt_study_visit_compare);
}

/* Drops the rows whose visit has none in visits.tsv. All begin with the visit and the point. */
static dt_status keep_whole(dt_study *study, const char *folder, int table, void *rows, size_t *count, dt_error *error)
{
    struct head {
        int64_t visit, point;
    };
    _Static_assert(offsetof(dt_study_sample, point) == offsetof(struct head, point) &&
                       offsetof(dt_study_phase, point) == offsetof(struct head, point) &&
                       offsetof(dt_study_target, point) == offsetof(struct head, point),
                   "rows begin with their visit and point");
    const size_t size = tables[table].row_size;
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        struct head head;
        memcpy(&head, (char *)rows + i * size, sizeof head);
        const dt_status status = check_points(study, folder, tables[table].name, head.point, error);
        if (status != DT_OK)
            return status;
        if (head.visit >= study->next_visit)
            study->next_visit = head.visit + 1;
        if (!counts(study, head.visit))
            continue;
        if (kept < i)
            memcpy((char *)rows + kept * size, (char *)rows + i * size, size);
        kept++;
    }
    *count = kept;
    return DT_OK;
}

dt_status dt_study_open(dt_study *study, const char *folder, dt_arena *arena, dt_error *error)
{
    *study = (dt_study){0};
    if (!dt_is_study(folder))
        return dt_fail(error, DT_NOT_FOUND, "%s: no study; name a folder that deltoid scale has written", folder);
    void *rows[TABLES], *one;
    size_t count[TABLES], ones;
    dt_status status = read_table(&study_table, folder, arena, &one, &ones, error);
    if (status == DT_OK && ones != 1)
        status = dt_fail(error, DT_MALFORMED, "%s/study.tsv: must have one row", folder);
    if (status == DT_OK)
        *study = *(const dt_study *)one;
    if (status == DT_OK)
        status = read_points(study, folder, arena, error);
    for (int i = VISITS; i < TABLES && status == DT_OK; i++)
        status = read_table(&tables[i], folder, arena, &rows[i], &count[i], error);
    if (status != DT_OK)
        return status;
    study->visits = rows[VISITS];
    study->visit_count = count[VISITS];
    for (size_t v = 0; v < study->visit_count; v++) {
        if ((status = check_points(study, folder, "visits", study->visits[v].point, error)) != DT_OK)
            return status;
        if (study->visits[v].visit >= study->next_visit)
            study->next_visit = study->visits[v].visit + 1;
    }
    if (study->visit_count)
        qsort(study->visits, study->visit_count, sizeof *study->visits, dt_study_visit_compare);
    for (int i = SAMPLES; i <= TARGETS && status == DT_OK; i++)
        status = keep_whole(study, folder, i, rows[i], &count[i], error);
    study->samples = rows[SAMPLES];
    study->phases = rows[PHASES];
    study->targets = rows[TARGETS];
    study->probes = rows[MACHINE];
    study->sample_count = count[SAMPLES];
    study->phase_count = count[PHASES];
    study->target_count = count[TARGETS];
    study->probe_count = count[MACHINE];
    return status;
}

/* --- what a visit comes to --- */

double dt_study_visit_seconds(const dt_study_sample *samples, size_t count, int64_t visit, double *scratch)
{
    int64_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const dt_study_sample *s = &samples[i];
        if (s->visit == visit && !s->warmup && !s->flagged && s->steps > 0 && s->seconds > 0)
            scratch[n++] = s->seconds / (double)s->steps;
    }
    dt_samples_sort(scratch, n);
    return n > 0 ? dt_median(scratch, n) : NAN;
}
