/* What the model says that goes from worker to worker, against a simulation of who wrote and who has read every block,
 * row and panel; and its slices against the engine's. */
#define DT_PRECISION 32 /* parallel/reduction.h is compiled in both */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/split.h"
#include "parallel/reduction.h"
#include "study/model.h"

enum { WORKERS = 4, LAYERS = 3, BLOCKS = 512, ROWS = 64, PANELS = 16 };

static const dt_reduction *const reductions[DT_MODEL_STRATEGIES] = {&dt_reduction_tree, &dt_reduction_owner,
                                                                    &dt_reduction_split, &dt_reduction_serial};

/* --- the engine's slices --- */

static dt_reducer *make_reducer(const dt_model_network *n, dt_model_strategy strategy, int64_t workers,
                                dt_network **net)
{
    dt_layer_spec specs[LAYERS] = {{0}};
    dt_layer_rows rows[LAYERS + 1] = {{0}};
    dt_reducer *r;
    for (int64_t l = 0; l < n->layers; l++)
        specs[l] = (dt_layer_spec){
            .units = n->units[l + 1], .activation = l + 1 < n->layers ? "relu" : "linear", .init = "he_normal"};
    assert_int_equal(dt_network_create(net, specs, n->layers, n->units[0], 1, NULL), DT_OK);
    const dt_division division = {n->samples, 0, n->shard_size, workers, workers};
    assert_int_equal(dt_reducer_create(&r, reductions[strategy], *net, &division, rows, NULL), DT_OK);
    return r;
}

static void test_slices_are_the_engines(void **state)
{
    (void)state;
    static const int64_t sizes[][LAYERS + 1] = {{784, 512, 512, 10}, {784, 128, 96, 10}, {40, 300, 17, 65}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int strategy = 0; strategy < DT_MODEL_STRATEGIES; strategy++)
            for (int64_t workers = 1; workers <= 5; workers++) {
                const dt_model_network n = {LAYERS, sizes[s], 64, 8, 4, 1, 0};
                dt_network *net;
                dt_reducer *r = make_reducer(&n, (dt_model_strategy)strategy, workers, &net);
                for (int64_t l = 1; l <= LAYERS; l++) {
                    assert_int_equal(dt_model_by_units(&n, (dt_model_strategy)strategy, workers, l),
                                     dt_reducer_by_units(r, l));
                    for (int64_t w = 0; w < workers; w++) {
                        const double all = (double)(net->layer[l].panels * net->layer[l].column);
                        const double own = (double)dt_span_count(dt_reducer_slice(r, l, w)) / all;
                        const double said = dt_model_slice(&n, (dt_model_strategy)strategy, workers, l, w);
                        if (fabs(own - said) > 1e-12)
                            fail_msg("%s, %d workers, layer %d, worker %d: %g of it, the engine %g",
                                     dt_model_strategy_name((dt_model_strategy)strategy), (int)workers, (int)l, (int)w,
                                     said, own);
                    }
                }
                dt_reducer_destroy(r);
                dt_network_destroy(net);
            }
}

/* --- who wrote, who has read --- */

typedef struct cell {
    int writer;
    unsigned readers;
} cell;

static struct {
    cell W[LAYERS + 1][BLOCKS], transposed[LAYERS + 1][BLOCKS], buffer[WORKERS][LAYERS + 1][BLOCKS];
    cell a[LAYERS + 1][ROWS][PANELS], delta[LAYERS + 1][ROWS][PANELS];
    dt_model_traffic moved[WORKERS]; /* numbers */
} lines;

static void reads(int worker, cell *c, double numbers)
{
    if (c->writer != worker && !(c->readers >> worker & 1))
        lines.moved[worker].read += numbers;
    c->readers |= 1U << worker;
}

static void writes(int worker, cell *c, double numbers)
{
    if (c->readers & ~(1U << worker))
        lines.moved[worker].written += numbers;
    *c = (cell){worker, 0};
}

typedef struct sizes {
    const dt_model_network *n;
    const dt_reducer *reducer;
    int64_t workers;
} sizes;

static double block_numbers(const sizes *s, int64_t l)
{
    const dt_layer *layer = &s->reducer->network->layer[l];
    return (double)(s->n->units[l] * (s->n->units[l - 1] + 1)) / (double)(layer->panels * layer->column);
}

/* All of the transposed copy has a number for each weight, but none for biases. */
static double transposed_numbers(const sizes *s, int64_t l)
{
    return block_numbers(s, l) * (double)s->n->units[l - 1] / (double)(s->n->units[l - 1] + 1);
}

static int64_t panels_of(const sizes *s, int64_t l)
{
    return dt_ceil_div(s->n->units[l], DT_LANES);
}

static void touch_rows(const sizes *s, int w, cell a[ROWS][PANELS], int64_t l, dt_span rows, dt_span panels, bool write)
{
    const double numbers = (double)s->n->units[l] / (double)panels_of(s, l);
    for (int64_t r = rows.first; r < rows.last; r++)
        for (int64_t p = panels.first; p < panels.last; p++)
            (write ? writes : reads)(w, &a[r][p], numbers);
}

static void touch_blocks(const sizes *s, int w, cell *blocks, int64_t l, dt_span which, bool write, bool transposed)
{
    for (int64_t b = which.first; b < which.last; b++)
        (write ? writes : reads)(w, &blocks[b], transposed ? transposed_numbers(s, l) : block_numbers(s, l));
}

static dt_span all_blocks(const sizes *s, int64_t l)
{
    const dt_layer *layer = &s->reducer->network->layer[l];
    return (dt_span){0, layer->panels * layer->column};
}

static dt_span slice_of(const sizes *s, int64_t l, int w)
{
    const int64_t first = s->reducer->network->layer[l].first_block;
    const dt_span own = dt_reducer_slice(s->reducer, l, w);
    return (dt_span){own.first - first, own.last - first};
}

static void step_slice(const sizes *s, int64_t l, int w)
{
    touch_blocks(s, w, lines.W[l], l, slice_of(s, l, w), true, false);
    if (l > 1)
        touch_blocks(s, w, lines.transposed[l], l, slice_of(s, l, w), true, true);
}

static void form_slice(const sizes *s, int64_t l, int w, bool copies)
{
    const dt_span own = slice_of(s, l, w), all = {0, s->n->samples};
    const int64_t column = s->reducer->network->layer[l].column;
    if (own.first >= own.last)
        return;
    if (!(l == 1 && copies))
        touch_rows(s, w, lines.a[l - 1], l - 1, all, (dt_span){0, panels_of(s, l - 1)}, false);
    touch_rows(s, w, lines.delta[l], l, all, (dt_span){own.first / column, dt_ceil_div(own.last, column)}, false);
    step_slice(s, l, w);
}

static void go_forward(const sizes *s, int64_t l, int w, dt_span rows, bool copies)
{
    const bool units = dt_reducer_by_units(s->reducer, l);
    const dt_span all = {0, s->n->samples}, panels = {0, panels_of(s, l)};
    touch_blocks(s, w, lines.W[l], l, units ? slice_of(s, l, w) : all_blocks(s, l), false, false);
    if (!(l == 1 && copies))
        touch_rows(s, w, lines.a[l - 1], l - 1, units ? all : rows, (dt_span){0, panels_of(s, l - 1)}, false);
    touch_rows(s, w, lines.a[l], l, units ? all : rows, units ? dt_reducer_panels(s->reducer, l, w) : panels, true);
}

/* One phase of all workers after another, as barriers have them. */
static void simulate_step(const sizes *s, bool buffers)
{
    const dt_model_network *n = s->n;
    const bool copies = dt_reducer_by_units(s->reducer, 1);
    const int64_t L = n->layers;
    dt_span rows[WORKERS];
    for (int w = 0; w < s->workers; w++) {
        rows[w] = dt_worker_samples(n->samples, n->shard_size, s->workers, w);
        if (!copies)
            touch_rows(s, w, lines.a[0], 0, rows[w], (dt_span){0, panels_of(s, 0)}, true);
    }
    for (int64_t l = 1; l <= L; l++)
        for (int w = 0; w < s->workers; w++)
            go_forward(s, l, w, rows[w], copies);
    for (int64_t l = L; l >= 1; l--)
        for (int w = 0; w < s->workers; w++) {
            const dt_span panels = {0, panels_of(s, l)};
            if (l < L) {
                touch_rows(s, w, lines.delta[l + 1], l + 1, rows[w], (dt_span){0, panels_of(s, l + 1)}, false);
                touch_blocks(s, w, lines.transposed[l + 1], l + 1, all_blocks(s, l + 1), false, true);
            }
            touch_rows(s, w, lines.a[l], l, rows[w], panels, false);
            touch_rows(s, w, lines.delta[l], l, rows[w], panels, true);
        }
    for (int64_t l = 1; l <= L && buffers; l++)
        for (int w = 0; w < s->workers; w++)
            touch_blocks(s, w, lines.buffer[w][l], l, all_blocks(s, l), true, false);
    for (int64_t l = 1; l <= L; l++)
        for (int w = 0; w < s->workers; w++) {
            for (int other = 0; other < s->workers && buffers; other++)
                touch_blocks(s, w, lines.buffer[other][l], l, slice_of(s, l, w), false, false);
            if (buffers)
                step_slice(s, l, w);
            else
                form_slice(s, l, w, copies);
        }
}

/* Panels that two slices share are whole to both: up to a panel's columns of delta more. */
static void check(const dt_model_network *n, dt_model_strategy strategy, int64_t workers)
{
    static const double slack = 0.06;
    dt_network *net;
    dt_reducer *r = make_reducer(n, strategy, workers, &net);
    const sizes s = {n, r, workers};
    memset(&lines, 0, sizeof lines);
    for (int step = 0; step < 3; step++) {
        memset(lines.moved, 0, sizeof lines.moved);
        simulate_step(&s, strategy == DT_MODEL_TREE || strategy == DT_MODEL_SERIAL);
    }
    for (int w = 0; w < workers; w++) {
        const dt_model_traffic said = dt_model_traffic_of(n, strategy, workers, w);
        const double read = 4 * lines.moved[w].read, written = 4 * lines.moved[w].written;
        if (!(fabs(said.read - read) <= slack * read && fabs(said.written - written) <= slack * written))
            fail_msg("%s, %d workers, worker %d: %.0f read, %.0f written; simulated %.0f and %.0f",
                     dt_model_strategy_name(strategy), (int)workers, w, said.read, said.written, read, written);
    }
    dt_reducer_destroy(r);
    dt_network_destroy(net);
}

static void test_traffic_is_what_lines_do(void **state)
{
    (void)state;
    static const int64_t networks[][LAYERS + 1] = {{240, 128, 128, 32}, {112, 64, 192, 16}, {96, 192, 48, 128}};
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        for (int strategy = 0; strategy < DT_MODEL_STRATEGIES; strategy++)
            for (int64_t samples = 16; samples <= ROWS; samples *= 4)
                for (int64_t workers = 1; workers <= WORKERS; workers *= 2) {
                    const dt_model_network n = {LAYERS, networks[i], samples, 4, 4, 1, 0};
                    check(&n, (dt_model_strategy)strategy, workers);
                }
}

/* By hand: W2 of the performance experiments, 784-512-512-10, 128 samples, two workers. 25088 + 16896 + 33 blocks: the
 * first worker's slice is 5/6 of layer 1, the second's the rest and all above. */
static void test_by_hand(void **state)
{
    (void)state;
    static const int64_t units[] = {784, 512, 512, 10};
    const dt_model_network n = {3, units, 128, 32, 4, 1, 0};
    const double P1 = 512 * 785, P2 = 512 * 513, P3 = 10 * 513;
    const double s = dt_model_slice(&n, DT_MODEL_TREE, 2, 1, 0); /* blocks: 32 * 50, 32 * 33, 33 */
    assert_true(fabs(s - 1345 / 1600.0) < 1e-12);
    dt_model_traffic t = dt_model_traffic_of(&n, DT_MODEL_TREE, 2, 0);
    const double back = 512 * 512 + 10 * 512;
    assert_true(fabs(t.read - 4 * ((1 - s) * P1 + P2 + P3 + back + s * P1)) < 1);
    assert_true(fabs(t.written - 4 * (s * P1 + (1 - s) * P1 + P2 + P3)) < 1);
    t = dt_model_traffic_of(&n, DT_MODEL_SPLIT, 2, 0);
    /* layers 1 and 2 by units: half of a^1 and a^2's columns; of W^3 and the transposed copies half */
    assert_true(fabs(t.written - 4 * (128 * 256 + 128 * 256 + 64 * 256 + 64 * 256 + 64 * 5 + P2 / 2 + P3)) <
                0.05 * t.written);
    t = dt_model_traffic_of(&n, DT_MODEL_SERIAL, 2, 1);
    assert_true(fabs(t.read - 4 * (P1 + P2 + P3 + back)) < 1 && fabs(t.written - 4 * (P1 + P2 + P3)) < 1);
    t = dt_model_traffic_of(&n, DT_MODEL_OWNER, 1, 0);
    assert_true(t.read == 0 && t.written == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices_are_the_engines),
        cmocka_unit_test(test_traffic_is_what_lines_do),
        cmocka_unit_test(test_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
