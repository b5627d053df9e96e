/* The figures of circuits: nothing overlaps or is cut off, the numbers are the circuit's, and gnuplot is told nothing
 * that came from outside but text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/philox.h"
#include "circuit/figure.h"
#include "deltoid/memory.h"
#include "plot/circuit.h"

/* --- a network of any shape --- */

typedef struct network {
    dt_network_circuit *circuit;
    dt_network_numbers all; /* of the circuit */
    dt_arena arena;
    double *numbers;
} network;

enum { LAYERS_MAX = 4 };

static network make_network(const int64_t *units, int64_t layers, double size)
{
    static const char *const activation[LAYERS_MAX] = {NULL, "tanh", "leaky_relu", "softsign"};
    const double *W[LAYERS_MAX + 1], *b[LAYERS_MAX + 1];
    int64_t count = units[0], next = 0;
    for (int64_t l = 1; l <= layers; l++)
        count += units[l] * (units[l - 1] + 1);
    network n = {.numbers = malloc((size_t)count * sizeof(double))};
    assert_non_null(n.numbers);
    for (int64_t i = 0; i < count; i++)
        n.numbers[i] = size * (2 * dt_uniform01(dt_philox(1, DT_FOR_TEST, 40, (uint64_t)i).u[0]) - 1);
    for (int64_t l = 1; l <= layers; l++) {
        W[l] = n.numbers + next;
        next += units[l] * units[l - 1];
        b[l] = n.numbers + next;
        next += units[l];
    }
    const dt_network_circuit_spec spec = {.layers = layers,
                                          .units = units,
                                          .activation = activation,
                                          .loss = "cross_entropy",
                                          .W = W,
                                          .b = b,
                                          .x = n.numbers + next,
                                          .y = 0};
    assert_int_equal(dt_network_circuit_create(&n.circuit, &spec, NULL), DT_OK);
    assert_int_equal(dt_network_circuit_run(n.circuit, NULL), DT_OK);
    assert_int_equal(dt_network_numbers_from_circuit(&n.all, n.circuit, &n.arena, NULL), DT_OK);
    return n;
}

static void destroy_network(network *n)
{
    dt_network_circuit_destroy(n->circuit);
    dt_arena_clear(&n->arena);
    free(n->numbers);
}

static dt_unit_numbers numbers_of(const network *n, int64_t l, int64_t j, double **room)
{
    dt_unit_numbers numbers;
    *room = malloc(2 * (size_t)dt_network_circuit_units(n->circuit, l - 1) * sizeof(double));
    assert_non_null(*room);
    assert_int_equal(dt_unit_numbers_from_circuit(&numbers, n->circuit, l, j, *room, NULL), DT_OK);
    return numbers;
}

/* --- letters --- */

static void test_letters(void **state)
{
    (void)state;
    dt_piece p[DT_PIECES_MAX];
    double width;
    assert_int_equal(dt_letters("w^2_{1,30} = 0.5", 10, p, &width), 4);
    assert_memory_equal(p[0].text, "w", p[0].length);
    assert_memory_equal(p[1].text, "2", p[1].length);
    assert_memory_equal(p[2].text, "1,30", p[2].length);
    assert_memory_equal(p[3].text, "= 0.5", p[3].length);
    assert_true(p[1].y < 0 && p[2].y > 0 && p[1].x == p[2].x && p[1].size < 10 && p[3].size == 10);
    assert_true(p[3].x > p[2].x + 4 * 0.6 * p[2].size); /* behind the longer of both, and a blank */
    assert_true(width > p[3].x);
    assert_int_equal(dt_letters("", 10, p, &width), 0);
    assert_true(width == 0);
    assert_int_equal(dt_letters("a^", 10, p, NULL), 1);
    assert_int_equal(dt_letters("a^{2", 10, p, NULL), 3); /* no end: one character is raised */
    assert_int_equal(dt_letters("^^__{}", 10, p, NULL), 3);
    char many[200];
    for (int i = 0; i < 198; i += 2)
        memcpy(many + i, "a^", 3);
    assert_int_equal(dt_letters(many, 10, p, NULL), DT_PIECES_MAX);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } known[] = {{0.5, "0.5"},      {-0.0, "0"},        {-1234567, "−1.235e+06"}, {-1.5e-300, "−1.5e−300"},
                 {INFINITY, "inf"}, {-INFINITY, "−inf"}};
    char text[DT_NUMBER_TEXT];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        dt_letters_number(text, known[i].value, 4);
        assert_string_equal(text, known[i].text);
    }
    dt_letters_number(text, -1.23456e-300, 6);
    assert_string_equal(text, "−1.23456e−300");
}

/* --- which inputs are shown --- */

static void test_pick(void **state)
{
    (void)state;
    const double w[] = {1, 5, -3, 2, 9, 1}, a[] = {0.5, -2, 1, -2, 0, 2};
    dt_unit_numbers n = {.inputs = 6, .w = w, .a = a, .delta = -1};
    int64_t k[DT_INPUTS_SHOWN_MAX];
    assert_int_equal(dt_unit_pick(&n, 3, k), 3); /* |a| = 2 thrice, the larger |w a| first */
    assert_memory_equal(k, ((int64_t[]){1, 3, 5}), 3 * sizeof *k);
    assert_int_equal(dt_unit_pick(&n, 2, k), 2);
    assert_memory_equal(k, ((int64_t[]){1, 3}), 2 * sizeof *k);
    assert_int_equal(dt_unit_pick(&n, 100, k), 6);
    assert_memory_equal(k, ((int64_t[]){0, 1, 2, 3, 4, 5}), 6 * sizeof *k);
    n.delta = 0; /* a dead unit: by |w a| alone */
    assert_int_equal(dt_unit_pick(&n, 2, k), 2);
    assert_memory_equal(k, ((int64_t[]){1, 3}), 2 * sizeof *k);
    assert_int_equal(dt_unit_pick(&n, 0, k), 1);
    assert_int_equal(k[0], 1);
}

/* --- geometry --- */

typedef struct area {
    double x, y, x2, y2;
} area;

static double text_width(const dt_mark *m)
{
    return m->plain ? dt_words_width(m->text, m->size) : dt_letters_width(m->text, m->size);
}

/* What a label covers; with its raised and lowered letters. */
static area area_of(const dt_mark *m)
{
    const bool both = !m->plain && strpbrk(m->text, "^_");
    return (area){m->x, m->y - (both ? 0.7 : 0.5) * m->size, m->x + text_width(m), m->y + (both ? 0.6 : 0.5) * m->size};
}

static bool areas_overlap(area a, area b)
{
    return a.x < b.x2 && b.x < a.x2 && a.y < b.y2 && b.y < a.y2;
}

static bool circle_touches(const dt_mark *c, area a)
{
    const double x = fmax(a.x, fmin(c->x, a.x2)), y = fmax(a.y, fmin(c->y, a.y2));
    return hypot(x - c->x, y - c->y) < c->size;
}

/* Within the wire's middle line, by looking at points of it. */
static bool wire_touches(const dt_mark *w, area a)
{
    if (!areas_overlap(a, (area){w->x - 1, fmin(w->y, w->y2) - 1, w->x2 + 1, fmax(w->y, w->y2) + 1}))
        return false;
    for (int i = 0; i <= 400; i++) {
        const double x = w->x + (w->x2 - w->x) * i / 400, y = w->y + (w->y2 - w->y) * i / 400;
        if (x > a.x && x < a.x2 && y > a.y + 1 && y < a.y2 - 1)
            return true;
    }
    return false;
}

static void fail_overlap(const char *what, const dt_mark *m, const dt_mark *other)
{
    fail_msg("%s: '%s' at %.0f,%.0f and '%s' at %.0f,%.0f", what, m->text, m->x, m->y, other->text, other->x, other->y);
}

static void assert_label_is_clear(const dt_drawing *d, const dt_mark *m)
{
    const area a = area_of(m);
    if (a.x < 0 || a.y < 0 || a.x2 > d->width || a.y2 > d->height)
        fail_msg("'%s' is cut off: %.0f..%.0f of %.0f, %.0f..%.0f of %.0f", m->text, a.x, a.x2, d->width, a.y, a.y2,
                 d->height);
    for (const dt_mark *o = d->marks; o < d->marks + d->count; o++) {
        if (o == m || (o->kind == DT_MARK_LABEL && !*o->text))
            continue;
        if (o->kind == DT_MARK_LABEL && areas_overlap(a, area_of(o)))
            fail_overlap("labels overlap", m, o);
        if (o->kind == DT_MARK_GATE && circle_touches(o, a) && hypot(m->x + text_width(m) / 2 - o->x, m->y - o->y) > 1)
            fail_overlap("a label on a gate", m, o);
        if (o->kind == DT_MARK_WIRE && wire_touches(o, a))
            fail_overlap("a wire through a label", m, o);
    }
}

static void assert_clear(const dt_drawing *d)
{
    assert_false(d->failed);
    for (const dt_mark *m = d->marks; m < d->marks + d->count; m++)
        if (m->kind == DT_MARK_LABEL && *m->text)
            assert_label_is_clear(d, m);
}

static void test_units_are_legible(void **state)
{
    (void)state;
    static const double sizes[] = {1, 1e-5, 300};
    for (int64_t inputs = 1; inputs <= 12; inputs++)
        for (int s = 0; s < 3; s++) {
            const int64_t units[] = {inputs, inputs, 784, 3};
            network n = make_network(units, 3, sizes[s]);
            for (int64_t l = 1; l <= 3; l++)
                for (int64_t most = 1; most <= 8; most++) {
                    double *room;
                    dt_drawing d = {0};
                    const dt_unit_numbers numbers = numbers_of(&n, l, units[l] - 1, &room);
                    dt_figure_unit(&d, &numbers, most, "a run_name: unit of a layer, sample 59999");
                    assert_clear(&d);
                    dt_drawing_clear(&d);
                    free(room);
                }
            destroy_network(&n);
        }
}

static void test_deep_and_wide_names_are_legible(void **state)
{
    (void)state;
    static double w[1000], a[1000];
    for (int i = 0; i < 1000; i++) {
        w[i] = -1.234567e-12 * (i + 1);
        a[i] = -7.654321e+11 / (i + 1);
    }
    const dt_unit_numbers n = {
        64,     63,     1048575, 1000,   "a_name_of_a_program's_own", "cross_entropy", w, a, -1e-99, -1e-99, -1e-99,
        -1e-99, -1e-99, -1e-99,  1048576};
    dt_drawing d = {0};
    dt_figure_unit(&d, &n, 8, NULL);
    assert_clear(&d);
    dt_drawing_clear(&d);
}

/* Boxes are apart, and hold their text; lines stand apart. */
static void assert_boxes(const dt_drawing *d)
{
    for (const dt_mark *m = d->marks; m < d->marks + d->count; m++) {
        const area a = m->kind == DT_MARK_LABEL ? area_of(m) : (area){m->x, m->y, m->x2, m->y2};
        assert_true(a.x >= 0 && a.x2 <= d->width && a.y2 <= d->height);
        int around = 0;
        for (const dt_mark *o = d->marks; o < d->marks + d->count; o++) {
            const area b = {o->x, o->y, o->x2, o->y2};
            if (o->kind == DT_MARK_BOX && m->kind == DT_MARK_LABEL && areas_overlap(a, b)) {
                around++;
                assert_true(a.x > b.x && a.x2 < b.x2 && m->y > b.y && m->y < b.y2);
            }
            if (o != m && o->kind == DT_MARK_BOX && m->kind == DT_MARK_BOX)
                assert_false(areas_overlap(a, b));
            if (o != m && o->kind == DT_MARK_LABEL && m->kind == DT_MARK_LABEL && *m->text && *o->text)
                assert_false(areas_overlap((area){a.x, m->y - m->size / 2, a.x2, m->y + m->size / 2},
                                           (area){o->x, o->y - o->size / 2, o->x + text_width(o), o->y + o->size / 2}));
        }
        assert_true(around <= 1);
    }
}

static void test_networks_are_legible(void **state)
{
    (void)state;
    static const int64_t shapes[][5] = {{2, 2, 1},  {1, 1, 1},       {2, 3, 2},       {6, 6, 6, 6},
                                        {40, 3, 2}, {3, 14, 14, 10}, {7, 6, 2, 8, 3}, {2, 2, 2, 2, 2}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int size = 0; size < 2; size++) {
            int64_t layers = 4;
            while (shapes[i][layers] == 0)
                layers--;
            network n = make_network(shapes[i], layers, size ? 1e-5 : 1);
            dt_drawing d = {0};
            assert_int_equal(dt_figure_network(&d, &n.all, "xor, sample 3", NULL), DT_OK);
            assert_boxes(&d);
            dt_drawing_clear(&d);
            destroy_network(&n);
        }
    network n = make_network((const int64_t[]){40, 6, 3}, 2, 1);
    dt_error error = {0};
    dt_drawing d = {0};
    assert_int_equal(dt_figure_network(&d, &n.all, NULL, &error), DT_INVALID);
    assert_non_null(strstr(error.message, "more than 48 units"));
    destroy_network(&n);
}

/* --- numbers --- */

static void test_sheets_hold_the_circuit(void **state)
{
    (void)state;
    network n = make_network((const int64_t[]){3, 4, 2}, 2, 1);
    dt_buffer sheet = {0};
    dt_circuit_network_sheet(&n.all, &sheet);
    int rows = 0;
    for (char *line = strchr(sheet.bytes, '\n') + 1; *line; line = strchr(line, '\n') + 1, rows++) {
        char quantity[16], l[8], j[8], k[8], *after;
        int used = 0;
        assert_int_equal(sscanf(line, "%15s\t%7s\t%7s\t%7s\t%n", quantity, l, j, k, &used), 4);
        const double value = strtod(line + used, &after), gradient = strtod(after, NULL);
        const dt_gate *gate = quantity[0] == 'w'   ? dt_network_circuit_w(n.circuit, atoi(l), atoi(j), atoi(k))
                              : quantity[0] == 'b' ? dt_network_circuit_b(n.circuit, atoi(l), atoi(j))
                              : quantity[0] == 'z' ? dt_network_circuit_z(n.circuit, atoi(l), atoi(j))
                              : quantity[0] == 'a' ? dt_network_circuit_a(n.circuit, atoi(l), atoi(j))
                                                   : dt_network_circuit_cost(n.circuit);
        assert_true(value == dt_circuit_value(gate) && gradient == dt_circuit_gradient(gate));
    }
    assert_int_equal(rows, 3 + 4 * (3 + 3) + 2 * (4 + 2) + 1);
    dt_buffer_clear(&sheet);

    double *room, product = 0;
    const dt_unit_numbers u = numbers_of(&n, 1, 2, &room);
    for (int64_t k = 0; k < 3; k++)
        product += u.w[k] * u.a[k];
    assert_true(u.sum == product && u.z == u.sum + u.b && u.inputs == 3 && strcmp(u.activation, "tanh") == 0);
    assert_true(u.back == dt_circuit_gradient(dt_network_circuit_a(n.circuit, 1, 2)));
    dt_circuit_unit_sheet(&u, &sheet);
    char row[128];
    snprintf(row, sizeof row, "\na_in\t1\t2\t1\t%.17g\t%.17g\n", u.a[1], u.delta * u.w[1]);
    assert_non_null(strstr(sheet.bytes, row));
    dt_buffer_clear(&sheet);

    /* From the whole network, and with back from W and delta: the same, up to the order of a sum. */
    dt_unit_numbers same;
    dt_arena arena = {0};
    dt_unit_numbers_of(&same, &n.all, 1, 2);
    assert_true(same.sum == u.sum && same.z == u.z && same.delta == u.delta && same.back == u.back);
    assert_memory_equal(same.w, u.w, 3 * sizeof *u.w);
    assert_memory_equal(same.a, u.a, 3 * sizeof *u.a);
    assert_int_equal(dt_network_numbers_back(&n.all, &arena, NULL), DT_OK);
    for (int64_t l = 0; l < 2; l++)
        for (int64_t j = 0; j < n.all.units[l]; j++)
            assert_true(fabs(n.all.back[l][j] - dt_circuit_gradient(dt_network_circuit_a(n.circuit, l, j))) < 1e-15);
    dt_arena_clear(&arena);
    free(room);

    dt_error error = {0};
    dt_unit_numbers none;
    assert_int_equal(dt_unit_numbers_from_circuit(&none, n.circuit, 3, 0, NULL, &error), DT_INVALID);
    assert_non_null(strstr(error.message, "no unit 0 in layer 3"));
    destroy_network(&n);
}

static void test_text(void **state)
{
    (void)state;
    network n = make_network((const int64_t[]){3, 4, 2}, 2, 1);
    double *room;
    const dt_unit_numbers u = numbers_of(&n, 2, 1, &room);
    for (int unicode = 0; unicode < 2; unicode++) {
        dt_buffer out = {0};
        dt_circuit_unit_text(&u, 2, "run\033_1", (dt_text_style){80, unicode}, false, &out);
        assert_non_null(strstr(out.bytes, "run?_1\n"));
        assert_non_null(strstr(out.bytes, unicode ? "w²₁,ₖ" : "w^2_{1,k}"));
        assert_non_null(strstr(out.bytes, unicode ? "… 2 more" : "... 2 more"));
        for (const char *c = out.bytes; *c && !unicode; c++)
            assert_true((unsigned char)*c < 0x80);
        for (char *line = strtok(out.bytes, "\n"); line; line = strtok(NULL, "\n"))
            assert_true(dt_characters(line) <= 80);
        dt_buffer_clear(&out);
        dt_circuit_network_text(&n.all, NULL, (dt_text_style){80, unicode}, true, &out);
        assert_non_null(strstr(out.bytes, unicode ? "w¹₃,₂" : "w^1_{3,2}"));
        assert_non_null(strstr(out.bytes, "\033[32m"));
        dt_buffer_clear(&out);
    }
    free(room);
    destroy_network(&n);
}

/* --- gnuplot --- */

static void test_scripts_say_nothing_that_runs(void **state)
{
    (void)state;
    static const char hostile[] = "`touch x` '.system('ls').' \"$(id)\" \\ \n set output '|cat' %s";
    static const double one = 1;
    dt_unit_numbers u = {2, 1, 0, 1, hostile, hostile, &one, &one, 1, 1, 1, 1, 1, 1, 1};
    dt_drawing d = {0};
    dt_buffer script = {0};
    dt_figure_unit(&d, &u, 8, hostile);
    dt_circuit_script(&d, "unit", "svg", &script);
    assert_false(script.failed);
    assert_null(strchr(script.bytes, '`'));
    for (char *line = strtok(script.bytes, "\n"); line; line = strtok(NULL, "\n")) {
        int quotes = 0, outside_words = 0;
        for (const char *c = line; *c; c++) {
            quotes += *c == '\'';
            outside_words += quotes % 2 == 0 &&
                             (strncmp(c, "system", 6) == 0 || strncmp(c, "touch", 5) == 0 || *c == '|' || *c == '"');
        }
        if (line[0] == '#')
            continue;
        assert_int_equal(quotes % 2, 0);
        assert_int_equal(outside_words, 0);
    }
    dt_buffer_clear(&script);
    dt_drawing_clear(&d);
}

static void test_pictures(void **state)
{
    (void)state;
    static const char *const good[] = {"unit-1.2.svg", "unit_1.png", "Unit.pdf"};
    static const struct {
        const char *name;
        dt_status status;
    } bad[] = {{"|x.svg", DT_INVALID},
               {"-x.svg", DT_INVALID},
               {".svg", DT_INVALID},
               {"a b.svg", DT_INVALID},
               {"x", DT_INVALID},
               {"x.gif", DT_UNKNOWN_NAME},
               {"x'y.svg", DT_INVALID},
               {"none/x.svg", DT_NOT_FOUND},
               {"1234567890123456789012345678901234567890123456789.svg", DT_INVALID}};
    char folder[] = "/tmp/deltoid-circuit-XXXXXX", path[512];
    assert_non_null(mkdtemp(folder));
    network n = make_network((const int64_t[]){2, 2, 1}, 2, 1);
    dt_drawing d = {0};
    dt_buffer numbers = {0};
    dt_circuit_network_sheet(&n.all, &numbers);
    assert_int_equal(dt_figure_network(&d, &n.all, "xor", NULL), DT_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, bad[i].name);
        const dt_status status = dt_circuit_draw(&d, NULL, path, NULL);
        assert_int_equal(dt_circuit_path_check(path, NULL), bad[i].status);
        if (status != bad[i].status && !(bad[i].status == DT_NOT_FOUND && status == DT_IO))
            fail_msg("%s: %s", bad[i].name, dt_status_text(status));
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        dt_error error = {0};
        struct stat facts;
        snprintf(path, sizeof path, "%s/%s", folder, good[i]);
        const dt_status status = dt_circuit_draw(&d, &numbers, path, &error);
        if (status != DT_OK && status != DT_UNSUPPORTED)
            fail_msg("%s", error.message);
        if (status == DT_OK)
            assert_true(stat(path, &facts) == 0 && facts.st_size > 500);
        unlink(path);
        strcpy(strrchr(path, '.'), ".gp");
        assert_int_equal(unlink(path), 0);
        strcpy(strrchr(path, '.'), ".tsv");
        assert_true(stat(path, &facts) == 0 && facts.st_size == (off_t)numbers.length);
        assert_int_equal(unlink(path), 0);
    }
    dt_buffer_clear(&numbers);
    assert_int_equal(rmdir(folder), 0);
    dt_drawing_clear(&d);
    destroy_network(&n);
}

/* --- out of memory --- */

static int allowed, blocks;

static void *counting_allocate(void *context, size_t alignment, size_t size)
{
    (void)context;
    void *block = NULL;
    if (allowed-- <= 0 || posix_memalign(&block, alignment, size) != 0)
        return NULL;
    blocks++;
    return block;
}

static void counting_release(void *context, void *block)
{
    (void)context;
    blocks--;
    free(block);
}

static bool draw_all(const network *n, const dt_unit_numbers *u)
{
    dt_drawing unit = {0}, whole = {0};
    dt_buffer out[5] = {{0}};
    const dt_text_style style = {80, true};
    dt_figure_unit(&unit, u, 4, "heading");
    bool good = dt_figure_network(&whole, &n->all, "heading", NULL) == DT_OK;
    dt_circuit_script(&unit, "unit", "svg", &out[0]);
    dt_circuit_script(&whole, "whole", "svg", &out[1]);
    dt_circuit_unit_text(u, 2, "heading", style, true, &out[2]);
    dt_circuit_network_text(&n->all, "heading", style, true, &out[3]);
    dt_circuit_unit_sheet(u, &out[4]);
    for (int i = 0; i < 5; i++) {
        good = good && !out[i].failed;
        dt_buffer_clear(&out[i]);
    }
    dt_drawing_clear(&unit);
    dt_drawing_clear(&whole);
    return good;
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    network n = make_network((const int64_t[]){3, 4, 2}, 2, 1);
    double *room;
    const dt_unit_numbers u = numbers_of(&n, 1, 1, &room);
    bool good = false;
    int i = 0;
    for (; !good; i++) {
        allowed = i;
        blocks = 0;
        dt_memory_hook(counting_allocate, counting_release, NULL);
        good = draw_all(&n, &u);
        dt_memory_hook(NULL, NULL, NULL);
        assert_int_equal(blocks, 0);
    }
    print_message("%d allocations, each refused once\n", i - 1);
    assert_true(i > 20);
    free(room);
    destroy_network(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_units_are_legible),
        cmocka_unit_test(test_deep_and_wide_names_are_legible),
        cmocka_unit_test(test_networks_are_legible),
        cmocka_unit_test(test_sheets_hold_the_circuit),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_scripts_say_nothing_that_runs),
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
