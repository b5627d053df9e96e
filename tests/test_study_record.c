/* A study's tables: what is written is what is read, and what a killed writer leaves is mended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "study_fixture.h"

static scratch s;
static const fixture made = {.kind = "strong",
                             .workloads = {"W1", "W2"},
                             .reductions = {"tree", "owner", "atomic"},
                             .threads = {1, 2},
                             .cores = 2,
                             .sigma = 0.05,
                             .noise = 0.02,
                             .visits = 3,
                             .flag_every = 4,
                             .phases = true,
                             .targets = true};

static int set_up(void **state)
{
    (void)state;
    scratch_make(&s);
    fixture_write(s.folder, &made);
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    scratch_remove(&s);
    return 0;
}

static const char *file(const char *table)
{
    char name[32];
    snprintf(name, sizeof name, "%s.tsv", table);
    return scratch_path(&s, name);
}

static void add_text(const char *table, const char *text)
{
    FILE *f = fopen(file(table), "ab");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Every column of every row; texts may be "" where the table says "-". */
static void every_value_comes_back(void **state)
{
    (void)state;
    dt_arena arena = {0};
    dt_study a, b;
    dt_error error = {0};
    fixture_make(&a, &made, &arena);
    if (dt_study_open(&b, s.folder, &arena, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_string_equal(a.name, b.name);
    assert_string_equal(a.kind, b.kind);
    assert_true(a.confidence == b.confidence && a.epsilon == b.epsilon);
    assert_true(a.seed == b.seed && a.processors == b.processors);
    assert_int_equal(b.factor_count, a.factor_count);
    for (size_t f = 0; f < a.factor_count; f++)
        assert_string_equal(b.factors[f].name, a.factors[f].name);
    const dt_study_table *table;
    size_t values = 0, n, m;
    const void *x, *y;
    for (size_t i = 0; (table = dt_study_table_at(i, &a, &x, &n)); i++) {
        assert_ptr_equal(table, dt_study_table_at(i, &b, &y, &m));
        assert_int_equal(n, m);
        for (size_t r = 0; r < n; r++)
            for (size_t c = 0; c < table->column_count; c++, values++) {
                const size_t at = r * table->row_size + table->columns[c].offset;
                const void *p = (const char *)x + at, *q = (const char *)y + at;
                switch (table->columns[c].kind) {
                case DT_COLUMN_INT:
                    assert_int_equal(*(const int64_t *)p, *(const int64_t *)q);
                    break;
                case DT_COLUMN_BOOL:
                    assert_int_equal(*(const bool *)p, *(const bool *)q);
                    break;
                case DT_COLUMN_TEXT: {
                    const char *t = *(const char *const *)p;
                    assert_string_equal(t ? t : "", *(const char *const *)q);
                    break;
                }
                case DT_COLUMN_REAL: {
                    const double u = *(const double *)p, v = *(const double *)q;
                    assert_true((isnan(u) && isnan(v)) || fabs(u - v) <= 1e-11 * fabs(u));
                    break;
                }
                }
            }
    }
    assert_true(values > 5000);
    for (size_t p = 0; p < a.point_count; p++)
        for (size_t f = 0; f < a.factor_count; f++)
            assert_string_equal(a.points[p].values[f], b.points[p].values[f]);
    assert_int_equal(b.next_visit, (int64_t)a.visit_count);
    dt_arena_clear(&arena);
}

/* Killed while a visit was written: rows of a visit without its own row, the last one torn. */
static void a_torn_visit_doesn_t_count(void **state)
{
    (void)state;
    dt_arena arena = {0};
    dt_study before, after;
    assert_int_equal(dt_study_open(&before, s.folder, &arena, NULL), DT_OK);
    add_text("samples", "36\t0\t0\t20\t2560\t0.5\t0\t0\t-\n36\t0\t1\t20\t25");
    add_text("visits", "36\t4\t0");
    for (int mended = 0; mended < 2; mended++) {
        assert_int_equal(dt_study_open(&after, s.folder, &arena, NULL), DT_OK);
        assert_int_equal(after.visit_count, before.visit_count);
        assert_int_equal(after.sample_count, before.sample_count);
        assert_int_equal(after.next_visit, 37); /* no row of the next visit may be taken for one of the torn one */
        assert_int_equal(dt_study_mend(s.folder, NULL), DT_OK);
    }
    /* what is appended now begins a line of its own */
    dt_study_visit visit = before.visits[0];
    visit.visit = 37;
    dt_study_sample sample = before.samples[0];
    sample.visit = 37;
    assert_int_equal(
        dt_study_append(s.folder, &(dt_study_measured){.visit = &visit, .samples = &sample, .sample_count = 1}, NULL),
        DT_OK);
    assert_int_equal(dt_study_open(&after, s.folder, &arena, NULL), DT_OK);
    assert_int_equal(after.visit_count, before.visit_count + 1);
    assert_int_equal(after.sample_count, before.sample_count + 1);
    dt_arena_clear(&arena);
}

static void refuse(const char *what)
{
    dt_arena arena = {0};
    dt_study study;
    dt_error error = {0};
    assert_int_equal(dt_study_open(&study, s.folder, &arena, &error), DT_MALFORMED);
    if (!strstr(error.message, what))
        fail_msg("'%s' isn't in: %s", what, error.message);
    dt_arena_clear(&arena);
}

static void damage_has_its_line(void **state)
{
    (void)state;
    add_text("visits", "37\tmany\n");
    refuse("visits.tsv:38: has 2 fields where the first line has");
    tidy(NULL), set_up(NULL);
    add_text("samples", "0\t0\tx\t20\t2560\t0.5\t0\t0\t-\n");
    refuse("samples.tsv:254: chunk: 'x' is no value of it");
    tidy(NULL), set_up(NULL);
    add_text("samples", "0\t99\t0\t20\t2560\t0.5\t0\t0\t-\n");
    refuse("samples.tsv: has rows of point 99");
    tidy(NULL), set_up(NULL);
    FILE *f = fopen(file("phases"), "wb");
    assert_non_null(f);
    fputs("visit\tpoint\n", f);
    fclose(f);
    refuse("phases.tsv:1: has no column 'worker'");
}

static void a_folder_without_a_study_is_none(void **state)
{
    (void)state;
    dt_arena arena = {0};
    dt_study study;
    assert_true(dt_is_study(s.folder));
    assert_int_equal(unlink(file("study")), 0);
    assert_false(dt_is_study(s.folder));
    assert_int_equal(dt_study_open(&study, s.folder, &arena, NULL), DT_NOT_FOUND);
    dt_arena_clear(&arena);
}

/* The median of what is neither warm-up nor disturbed. */
static void a_visit_s_value(void **state)
{
    (void)state;
    const dt_study_sample all[] = {
        {.visit = 1, .steps = 10, .seconds = 9, .warmup = true},
        {.visit = 1, .steps = 10, .seconds = 8, .flagged = true},
        {.visit = 1, .steps = 10, .seconds = 3},
        {.visit = 2, .steps = 10, .seconds = 7},
        {.visit = 1, .steps = 20, .seconds = 4},
        {.visit = 1, .steps = 10, .seconds = 1},
    };
    double room[6];
    assert_true(fabs(dt_study_visit_seconds(all, 6, 1, room) - 0.2) < 1e-15);
    assert_true(fabs(dt_study_visit_seconds(all, 6, 2, room) - 0.7) < 1e-15);
    assert_true(isnan(dt_study_visit_seconds(all, 2, 1, room)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_value_comes_back, set_up, tidy),
        cmocka_unit_test_setup_teardown(a_torn_visit_doesn_t_count, set_up, tidy),
        cmocka_unit_test_setup_teardown(damage_has_its_line, set_up, tidy),
        cmocka_unit_test_setup_teardown(a_folder_without_a_study_is_none, set_up, tidy),
        cmocka_unit_test(a_visit_s_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
