/* A study in other tools' formats, and two studies beside each other, of made-up studies whose times are known. */
#include <hdf5.h>
#include <hdf5_hl.h>

#include "program.h"
#include "study/compare_points.h"
#include "study/export.h"
#include "study_fixture.h"

static dt_arena arena;

static fixture made(void)
{
    return (fixture){.kind = "strong",
                     .workloads = {"W1"},
                     .reductions = {"tree", "owner"},
                     .threads = {1, 2, 4},
                     .cores = 2,
                     .sigma = 0.05,
                     .noise = 0.01,
                     .visits = 8,
                     .flag_every = 7,
                     .phases = true};
}

static int set_up(void **state)
{
    (void)state;
    return home_make() == 0 && mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0 ? 0 : -1;
}

static int tidy(void **state)
{
    dt_arena_clear(&arena);
    return home_remove(state);
}

static void open_study(dt_study *study, const char *folder, const fixture *f)
{
    dt_error error = {0};
    fixture_write(folder, f);
    if (dt_study_open(study, folder, &arena, &error) != DT_OK)
        fail_msg("%s", error.message);
}

/* --- study.h5 --- */

static char *text_attribute(hid_t object, const char *name)
{
    char *text = NULL;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT), type = H5Aget_type(attribute);
    assert_true(attribute >= 0 && H5Aread(attribute, type, &text) >= 0 && text);
    H5Tclose(type);
    H5Aclose(attribute);
    return text;
}

static void expect_text(hid_t object, const char *name, const char *value)
{
    char *text = text_attribute(object, name);
    assert_string_equal(text, value);
    H5free_memory(text);
}

static hid_t column_of(hid_t file, const char *table, const char *name, hsize_t rows)
{
    char path[128];
    hsize_t size;
    snprintf(path, sizeof path, "%s/%s", table, name);
    const hid_t set = H5Dopen2(file, path, H5P_DEFAULT);
    if (set < 0)
        fail_msg("%s isn't there", path);
    const hid_t space = H5Dget_space(set);
    assert_int_equal(H5Sget_simple_extent_dims(space, &size, NULL), 1);
    assert_int_equal(size, rows);
    H5Sclose(space);
    return set;
}

/* Every column of every table has its values, says what it is, and lies along the table's one dimension. */
static void every_column_is_in_the_file(void **state)
{
    (void)state;
    dt_study s;
    dt_error error = {0};
    const fixture f = made();
    open_study(&s, "a", &f);
    if (dt_study_export(&s, "a", "name: made-up\n", "{\"seed\": 1}", &error) != DT_OK)
        fail_msg("%s", error.message);
    const hid_t file = H5Fopen("a/study.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    expect_text(file, "format", "deltoid-study");
    expect_text(file, "study", "name: made-up\n");
    expect_text(file, "provenance", "{\"seed\": 1}");
    const dt_study_table *table;
    const void *rows;
    size_t count;
    for (size_t i = 0; (table = dt_study_table_at(i, &s, &rows, &count)); i++) {
        assert_int_equal(H5Lexists(file, table->name, H5P_DEFAULT) > 0, count > 0);
        if (!count)
            continue;
        const hid_t axis = column_of(file, table->name, "row", count);
        assert_int_equal(H5DSis_scale(axis), 1);
        for (size_t c = 0; c < table->column_count; c++) {
            const dt_study_column *column = &table->columns[c];
            const hid_t set = column_of(file, table->name, column->name, count);
            assert_int_equal(H5DSis_attached(set, axis, 0), 1);
            H5free_memory(text_attribute(set, "long_name"));
            if (column->kind == DT_COLUMN_REAL) {
                double *values = calloc(count, sizeof *values);
                assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
                for (size_t r = 0; r < count; r++) {
                    const double is =
                        *(const double *)(const void *)((const char *)rows + r * table->row_size + column->offset);
                    assert_true(values[r] == is || (isnan(is) && isnan(values[r])));
                }
                free(values);
            }
            H5Dclose(set);
        }
        H5Dclose(axis);
    }
    /* levels that are numbers are numbers */
    double threads[6];
    const hid_t set = column_of(file, "points", "threads", 6);
    assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, threads) >= 0);
    for (int p = 0; p < 6; p++)
        assert_true(threads[p] == f.threads[p % 3]);
    const hid_t seconds = column_of(file, "samples", "seconds", s.sample_count);
    expect_text(seconds, "units", "s");
    H5Dclose(seconds);
    H5Dclose(set);
    H5Fclose(file);
}

/* --- JSON lines --- */

static char text[1 << 20];

static int lines_with(const char *what)
{
    int count = 0;
    for (const char *at = text, *end; (end = strchr(at, '\n')); at = end + 1) {
        const char *found = strstr(at, what);
        count += found && found < end;
        assert_true(at[0] == '{' && end[-1] == '}');
    }
    return count;
}

static void every_sample_is_a_line(void **state)
{
    (void)state;
    dt_study s;
    fixture f = made();
    f.name = "a \"made-up\" \\ one";
    open_study(&s, "a", &f);
    assert_int_equal(dt_study_export_samples(&s, "a/samples.jsonl", NULL), DT_OK);
    read_into("a/samples.jsonl", text, sizeof text);
    assert_int_equal(lines_with("\"study\": \"a \\\"made-up\\\" \\\\ one\""), s.sample_count);
    assert_int_equal(lines_with("\"warmup\": true"), s.visit_count);
    size_t flagged = 0;
    for (size_t v = 0; v < s.visit_count; v++)
        flagged += s.visits[v].flagged;
    assert_int_equal(lines_with("\"visit_flagged\": true"), flagged * (FIXTURE_CHUNKS + 1));
    assert_int_equal(lines_with("\"factors\": {\"workload\": \"W1\", \"reduction\": \"owner\", \"threads\": \"4\"}"),
                     f.visits * (FIXTURE_CHUNKS + 1));
}

/* --- Extra-P --- */

static int count_of(const char *what)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    return count;
}

/* Extra-P 4.2.5 reads both; it wants a line of data for each point after each region. */
static void extrap_gets_a_whole_grid(void **state)
{
    (void)state;
    dt_study s;
    const fixture f = made();
    open_study(&s, "a", &f);
    assert_int_equal(dt_study_export_extrap(&s, "a/extrap.jsonl", "a/extrap.txt", NULL), DT_OK);
    read_into("a/extrap.txt", text, sizeof text);
    assert_non_null(strstr(text, "\nPARAMETER p\nPOINTS (1) (2)\n")); /* T = 4 is oversubscribed */
    assert_non_null(strstr(text, "\nMETRIC time\nREGION W1->tree->step\nDATA "));
    assert_non_null(strstr(text, "\nREGION W1->owner->step->forward\nDATA "));
    assert_null(strstr(text, "->wait")); /* that T = 1 hasn't */
    const int regions = count_of("\nREGION ");
    assert_true(regions >= 8);
    assert_int_equal(count_of("\nDATA "), 2 * regions);

    /* the step's values are the visits' */
    dt_point_sample sample;
    char number[64];
    assert_int_equal(dt_point_sample_of(&sample, &s, 0, &arena, NULL), DT_OK);
    assert_true(sample.count > 5);
    for (int64_t i = 0; i < sample.count; i++) {
        snprintf(number, sizeof number, " %.12f", sample.seconds[i]);
        assert_non_null(strstr(text, number));
    }
    read_into("a/extrap.jsonl", text, sizeof text);
    assert_int_equal(lines_with("\"params\": {\"p\": "), 2 * regions);
    assert_int_equal(lines_with("{\"params\": {\"p\": 2}, \"callpath\": \"W1->tree->step\", \"metric\": \"time\", "
                                "\"value\": [0."),
                     1);
}

/* --- two studies --- */

static const char *line_of(const char *begins)
{
    static char line[1024];
    const char *at = strstr(last.out, begins);
    if (!at)
        fail_msg("no line '%s' in: %s", begins, last.out);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
    return line;
}

static double number_at(const char *line, int column)
{
    for (int i = 0; i < column; i++)
        line = strchr(line, '\t') + 1;
    return atof(line);
}

enum { VISITS_A = 1, RATIO = 5, RATIO_LOW, RATIO_HIGH, SHIFT, SHIFT_LOW, SHIFT_HIGH, DELTA, P };

/* The second one's single worker is as fast, and its others pay more for each other: known ratios. */
static void a_difference_is_found_with_its_size(void **state)
{
    (void)state;
    fixture a = made(), b = made();
    a.flag_every = b.flag_every = 0;
    b.sigma = 0.20;
    fixture_write("a", &a);
    fixture_write("b", &b);
    RUN("scale", "compare", "a", "b", "--tsv");
    expect_success();
    static const double ratios[] = {1, 1.20 / 1.05, 1.60 / 1.15};
    for (int t = 0; t < 3; t++) {
        char begins[64];
        snprintf(begins, sizeof begins, "workload=W1 reduction=tree threads=%d\t", a.threads[t]);
        const char *line = line_of(begins);
        assert_true(number_at(line, VISITS_A) == 8);
        for (int c = RATIO; c <= SHIFT; c += SHIFT - RATIO) {
            assert_true(fabs(number_at(line, c) / ratios[t] - 1) < 0.02);
            assert_true(number_at(line, c + 1) <= number_at(line, c) && number_at(line, c) <= number_at(line, c + 2));
        }
        assert_int_equal(number_at(line, SHIFT_LOW) > 1, t > 0);
        assert_int_equal(number_at(line, DELTA) > 0.99, t > 0); /* all of 64 pairs */
        if (t > 0)
            assert_true(fabs(number_at(line, P) / (2.0 / 12870) - 1) < 1e-3); /* 2 of 16 over 8 */
    }
    RUN("scale", "compare", "b", "a");
    expect_success();
    const char *words = strstr(last.out, "workload=W1 reduction=owner threads=2\n");
    assert_non_null(words);
    assert_non_null(strstr(words, "effect large (Cliff's delta -1.00"));
    assert_non_null(strstr(words, "\n  faster\n"));
    assert_non_null(strstr(last.out, "\n  no difference is shown\n"));
}

static void any_two_points_can_be_compared(void **state)
{
    (void)state;
    fixture a = made();
    a.flag_every = 0;
    fixture_write("a", &a);
    RUN("scale", "compare", "a:0", "a:1", "--tsv");
    expect_success();
    const char *line = line_of("workload=W1 reduction=tree threads=1 and workload=W1 reduction=tree threads=2\t");
    assert_true(fabs(number_at(line, RATIO) / (1.05 / 2) - 1) < 0.02);

    RUN("scale", "compare", "a:9", "a:1");
    expect_refusal(2, "deltoid: a: has points 0 to 5");
    RUN("scale", "compare", "a:x", "a:1");
    expect_refusal(2, "deltoid: a:x: 'x' is no point");
    RUN("scale", "compare", "a", "a:1");
    expect_refusal(2, "deltoid: a: name its point, too");
    RUN("scale", "compare", "a", "nothing");
    expect_refusal(2, "deltoid: nothing: no study");
    RUN("scale", "compare", "a");
    expect_refusal(2, "deltoid: deltoid scale compare takes two studies");
    RUN("scale", "compare", "a", "a", "--resume");
    expect_refusal(2, "deltoid: deltoid scale compare takes no option --resume");
    a.workloads[0] = "W9";
    fixture_write("b", &a);
    RUN("scale", "compare", "a", "b");
    expect_refusal(2, "deltoid: a and b have no point in common");
}

static void another_machine_is_warned_of(void **state)
{
    (void)state;
    const fixture a = made();
    fixture_write("a", &a);
    fixture_write("b", &a);
    write_text("a/provenance.json", "{\"machine\": {\"processor\": \"one\", \"cores\": 2}}");
    write_text("b/provenance.json", "{\"machine\": {\"processor\": \"another\", \"cores\": 2}}");
    RUN("scale", "compare", "a", "b");
    assert_int_equal(last.status, 0);
    assert_string_equal(last.err, "deltoid: warning: other processors: one and another\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_column_is_in_the_file, set_up, tidy),
        cmocka_unit_test_setup_teardown(every_sample_is_a_line, set_up, tidy),
        cmocka_unit_test_setup_teardown(extrap_gets_a_whole_grid, set_up, tidy),
        cmocka_unit_test_setup_teardown(a_difference_is_found_with_its_size, set_up, tidy),
        cmocka_unit_test_setup_teardown(any_two_points_can_be_compared, set_up, tidy),
        cmocka_unit_test_setup_teardown(another_machine_is_warned_of, set_up, tidy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
