/* Layer 1's products over the inputs that are there, of every instruction set, and the index by columns: against the
 * chains and the tree of a dense product, written out as scalar loops over all inputs: bit for bit. Built for both
 * precisions. */
#include "taken_blocks.h"
#include "variants.h"

#include "kernels/sparse.h"
#include "shard_tree.h"
#include "train/sparse.h"

static const dt_sparse_products *const variants[DT_ISAS] = VARIANTS(dt_sparse_products, &);

enum { GUARD = 2 * DT_LANES };

typedef struct shape {
    int64_t samples, shard_size, inputs, units;
    int filled; /* 0 .. 10: share of the inputs that are there, in tenths; 0: none at all */
} shape;

/* Sparse rows as a pass has them, and the same written out. */
typedef struct rows {
    dt_sparse *sparse;
    dt_real *dense; /* (samples, inputs + 1), the 1 behind each */
} rows;

/* Rows from a data set of the same, in another order, with a few that the minibatch leaves out; one row in five is
 * empty. */
static rows make_rows(shape s, uint64_t *random)
{
    const int64_t all = s.samples + 3;
    int64_t *start = malloc((size_t)(all + 1) * sizeof *start), *sample = malloc((size_t)s.samples * sizeof *sample);
    int32_t *column = malloc((size_t)(all * s.inputs + 1) * sizeof *column);
    int32_t *labels = calloc((size_t)all, sizeof *labels);
    double *value = malloc((size_t)(all * s.inputs + 1) * sizeof *value);
    rows r = {.dense = reals(s.samples * (s.inputs + 1))};
    dt_dataset *data;
    assert_true(start && sample && column && labels && value);
    start[0] = 0;
    for (int64_t i = 0; i < all; i++) {
        const bool empty = draw_integer(random, 0, 4) == 0;
        start[i + 1] = start[i];
        for (int64_t k = 0; k < s.inputs && !empty; k++)
            if (draw_integer(random, 1, 10) <= s.filled || (s.filled && k == s.inputs - 1 && i % 7 == 3)) {
                column[start[i + 1]] = (int32_t)k;
                value[start[i + 1]++] = (double)draw_real(random);
            }
    }
    assert_int_equal(dt_dataset_from_sparse(&data, all, s.inputs, 1, DT_F64, start, column, value, labels, NULL),
                     DT_OK);
    for (int64_t i = 0; i < s.samples; i++)
        sample[i] = (i * 5 + 2) % all;
    fill(r.dense, s.samples * (s.inputs + 1), 0);
    for (int64_t i = 0; i < s.samples; i++) {
        dt_real *x = r.dense + i * (s.inputs + 1);
        for (int64_t at = start[sample[i]]; at < start[sample[i] + 1]; at++)
            x[column[at]] = (dt_real)value[at];
        x[s.inputs] = 1;
    }

    const dt_sparse_sizes sizes = {.run = s.samples, .numbers = s.samples * s.inputs, .indices = 1};
    const dt_products *const products[DT_ISAS] = VARIANTS(dt_products, &);
    const int64_t cut = draw_integer(random, 0, s.samples);
    assert_int_equal(dt_sparse_create(&r.sparse, &sizes, s.samples, NULL), DT_OK);
    dt_sparse_gather(r.sparse, products[0], data, 1, sample, (dt_span){cut, s.samples}); /* as two workers would */
    dt_sparse_gather(r.sparse, products[0], data, 1, sample, (dt_span){0, cut});
    dt_sparse_index(r.sparse, 0, s.samples, s.shard_size, s.inputs);
    dt_dataset_destroy(data);
    free(start);
    free(sample);
    free(column);
    free(labels);
    free(value);
    return r;
}

static void forget_rows(rows *r)
{
    dt_sparse_destroy(r->sparse);
    free(r->dense);
}

static bool occurs(const rows *r, shape s, int64_t k)
{
    for (int64_t i = 0; i < s.samples; i++)
        for (int64_t at = r->sparse->row[i].first; at < r->sparse->row[i].last; at++)
            if (r->sparse->column[at] == k)
                return true;
    return k == s.inputs;
}

/* --- equation (1) --- */

static void check_product(shape s, uint64_t *random)
{
    rows r = make_rows(s, random);
    const int64_t panels = dt_whole_panels(s.units) / DT_LANES,
                  stride = (panels + draw_integer(random, 0, 2)) * DT_LANES;
    const int64_t w_panel = dt_blocks_a_panel(s.inputs) * DT_BLOCK, w_count = panels * w_panel;
    const int64_t count = GUARD + s.samples * stride + GUARD;
    dt_real *W = reals(w_count), *want = reals(count), *got = reals(count);
    fill(want, count, poison());
    for (int64_t i = 0; i < w_count; i++)
        W[i] = draw_real(random);
    for (int64_t i = 0; i < s.samples; i++)
        for (int64_t j = 0; j < panels * DT_LANES; j++) {
            dt_real sum = 0;
            for (int64_t k = 0; k <= s.inputs; k++)
                sum = DT_FMA(r.dense[i * (s.inputs + 1) + k], W[j / DT_LANES * w_panel + k * DT_LANES + j % DT_LANES],
                             sum);
            want[GUARD + i * stride + j] = sum;
        }
    for (int64_t k = 0; k < dt_blocks_a_panel(s.inputs) * DT_LANES; k++) /* what doesn't occur isn't read */
        for (int64_t w = 0; w < panels && (k > s.inputs || !occurs(&r, s, k)); w++)
            fill(W + w * w_panel + k * DT_LANES, DT_LANES, poison());
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
        const int64_t cut = draw_integer(random, 0, s.samples);
        fill(got, count, poison());
        variants[isa]->product(&r.sparse->rows, (dt_span){0, cut}, s.inputs, panels, W, w_panel, got + GUARD, stride);
        variants[isa]->product(&r.sparse->rows, (dt_span){cut, s.samples}, s.inputs, panels, W, w_panel, got + GUARD,
                               stride);
        assert_bits(got, want, count, "%s: product of %lld rows, %lld inputs, %lld units", dt_isa_name(isa),
                    (long long)s.samples, (long long)s.inputs, (long long)s.units);
    }
    forget_rows(&r);
    free(W);
    free(want);
    free(got);
}

/* --- equations (5) and (6) --- */

/* sum_i delta_ij x_ik over the task's samples: a chain for each shard, and the tree of those shards. */
static dt_real element(const rows *r, shape s, const dt_sparse_task *t, int64_t k, int64_t j, dt_real *leaf)
{
    const int64_t first = t->samples.first / s.shard_size, last = dt_ceil_div(t->samples.last, s.shard_size);
    for (int64_t n = first; n < last; n++) {
        leaf[n - first] = 0;
        for (int64_t i = n * s.shard_size; i < dt_min((n + 1) * s.shard_size, t->samples.last); i++)
            leaf[n - first] =
                DT_FMA(r->dense[i * (s.inputs + 1) + k], t->delta[i * t->delta_stride + j], leaf[n - first]);
    }
    return tree_sum(leaf, last - first);
}

/* All samples, or those of a node of the tree: an aligned subtree. */
static dt_span some_samples(shape s, bool all, uint64_t *random)
{
    const int64_t shards = dt_ceil_div(s.samples, s.shard_size), size = (int64_t)1 << draw_integer(random, 0, 3);
    if (all)
        return (dt_span){0, s.samples};
    const int64_t node = draw_integer(random, 0, (shards - 1) / size) * size;
    return (dt_span){node * s.shard_size, dt_min((node + size) * s.shard_size, s.samples)};
}

typedef enum finish_kind { GIVEN_AWAY, STORED, STEPPED, FINISHES } finish_kind;
static const char *const finish_names[FINISHES] = {"given away", "stored", "stepped"};

/* The layer's numbers after the finish: of a step, only where an input occurs. */
static void expect(const rows *r, shape s, const dt_sparse_task *t, const dt_finish *finish, finish_kind kind,
                   const bool *there, dt_real *leaf, dt_real *vector)
{
    const int64_t column = dt_blocks_a_panel(s.inputs);
    for (int64_t block = t->first; block < t->last; block++)
        for (int64_t row = 0; row < DT_LANES; row++)
            for (int64_t lane = 0; lane < DT_LANES; lane++) {
                const int64_t k = block % column * DT_LANES + row, j = block / column * DT_LANES + lane;
                dt_real *x = vector + block * DT_BLOCK + row * DT_LANES + lane;
                const dt_real sum = k <= s.inputs ? element(r, s, t, k, j, leaf) : 0;
                if (kind != STEPPED)
                    *x = kind == GIVEN_AWAY ? sum * finish->factor : sum;
                else if (k <= s.inputs && there[k])
                    *x = DT_FMA(finish->rate, sum * finish->factor, *x);
            }
}

static void check_gradient(shape s, bool all_samples, uint64_t *random)
{
    rows r = make_rows(s, random);
    const int64_t panels = dt_whole_panels(s.units) / DT_LANES, column = dt_blocks_a_panel(s.inputs);
    const int64_t stride = (panels + draw_integer(random, 0, 1)) * DT_LANES, count = panels * column;
    const int64_t offset = draw_integer(random, 0, 3) * DT_BLOCK, numbers = offset + count * DT_BLOCK + GUARD;
    dt_real *delta = reals(s.samples * stride), *leaf = reals(s.samples),
            *room = reals(dt_gradient_scratch(1) + 2 * GUARD);
    dt_real *before = reals(numbers), *want = reals(numbers), *got = reals(numbers);
    int *taken = malloc((size_t)count * sizeof *taken);
    bool *there = malloc((size_t)s.inputs + 1);
    assert_true(taken && there);
    fill(delta, s.samples * stride, poison());
    for (int64_t i = 0; i < s.samples; i++) {
        fill(delta + i * stride, panels * DT_LANES, 0);
        draw_reals(random, s.units, delta + i * stride);
    }
    const dt_span samples = some_samples(s, all_samples, random);
    for (int64_t k = 0; k <= s.inputs; k++) {
        there[k] = k == s.inputs;
        for (int64_t i = samples.first; i < samples.last; i++)
            for (int64_t at = r.sparse->row[i].first; at < r.sparse->row[i].last; at++)
                there[k] = there[k] || r.sparse->column[at] == k;
    }
    dt_sparse_task t = {.layer = {.l = 1, .inputs = s.inputs, .units = s.units, .panels = panels, .offset = offset},
                        .columns = &r.sparse->columns[0],
                        .delta = delta,
                        .delta_stride = stride,
                        .samples = samples,
                        .last = count,
                        .scratch = room + GUARD};
    if (draw_integer(random, 0, 1)) { /* a slice that begins and ends within panels */
        t.first = draw_integer(random, 0, count - 1);
        t.last = draw_integer(random, t.first, count);
    }
    for (finish_kind kind = 0; kind < FINISHES; kind++) {
        fill(before, numbers, poison());
        for (int64_t k = 0; k <= s.inputs && kind == STEPPED; k++)
            for (int64_t j = 0; j < panels * DT_LANES && there[k]; j++)
                before[offset + j / DT_LANES * column * DT_BLOCK + k * DT_LANES + j % DT_LANES] = draw_real(random);
        blocks given = {&t.layer, {t.first, t.last}, got + offset, taken, NULL};
        const dt_real rate = (dt_real)draw_between(random, -1, -0.01),
                      factor = (dt_real)draw_between(random, 0.003, 0.3);
        dt_finish finish = {.sink = take_blocks, .context = &given, .factor = factor};
        if (kind == STORED)
            finish = (dt_finish){.out = got};
        else if (kind == STEPPED)
            finish = (dt_finish){.W = got, .rate = rate, .factor = factor};
        memcpy(want, before, (size_t)numbers * sizeof *want);
        expect(&r, s, &t, &finish, kind, there, leaf, want + offset);
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            memcpy(got, before, (size_t)numbers * sizeof *got);
            fill(room, dt_gradient_scratch(1) + 2 * GUARD, poison());
            memset(taken, 0, (size_t)count * sizeof *taken);
            variants[isa]->gradient(&t, &finish);
            assert_bits(got, want, numbers,
                        "%s: gradient %s, samples %lld-%lld of %lld in shards of %lld, %lld inputs, %lld units, blocks "
                        "%lld-%lld",
                        dt_isa_name(isa), finish_names[kind], (long long)samples.first, (long long)samples.last,
                        (long long)s.samples, (long long)s.shard_size, (long long)s.inputs, (long long)s.units,
                        (long long)t.first, (long long)t.last);
            for (int64_t block = 0; block < count && kind == GIVEN_AWAY; block++)
                assert_int_equal(taken[block], block >= t.first && block < t.last);
            for (int64_t i = 0; i < GUARD; i++)
                assert_true(same_bits(room[i], poison()) &&
                            same_bits(room[GUARD + dt_gradient_scratch(1) + i], poison()));
        }
    }
    forget_rows(&r);
    free(delta);
    free(leaf);
    free(room);
    free(before);
    free(want);
    free(got);
    free(taken);
    free(there);
}

/* --- the shapes --- */

/* What is easily forgotten: one input, one sample, ten units, nothing there at all, everything there. */
static const shape corners[] = {
    {1, 1, 1, 1, 10},   {1, 1, 1, 10, 0},    {5, 2, 1, 10, 10},  {7, 3, 40, 10, 0},   {64, 4, 33, 10, 1},
    {64, 1, 20, 17, 2}, {33, 33, 50, 49, 3}, {20, 4, 16, 64, 1}, {20, 4, 15, 65, 10}, {3, 1, 2100, 5, 1},
};
enum { CORNERS = sizeof corners / sizeof *corners };

static shape draw_shape(uint64_t *random)
{
    return (shape){draw_integer(random, 1, 60), draw_integer(random, 1, 9), draw_integer(random, 1, 90),
                   draw_integer(random, 1, 120), (int)draw_integer(random, 0, 4)};
}

static void test_products(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int i = 0; i < CORNERS; i++)
        check_product(corners[i], &random);
    for (int i = 0; i < 150; i++)
        check_product(draw_shape(&random), &random);
}

static void test_gradients(void **state)
{
    (void)state;
    uint64_t random = 2;
    for (int i = 0; i < CORNERS; i++)
        check_gradient(corners[i], i % 2 == 0, &random);
    for (int i = 0; i < 120; i++)
        check_gradient(draw_shape(&random), i % 2 == 0, &random);
}

/* Columns ascend, each once, the biases' last; entries of a column by sample; all are there. */
static void test_the_index(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (int n = 0; n < 60 + CORNERS; n++) {
        const shape s = n < CORNERS ? corners[n] : draw_shape(&random);
        rows r = make_rows(s, &random);
        const dt_sparse_columns *x = &r.sparse->columns[0];
        int64_t there = 0;
        for (int64_t i = 0; i < s.samples; i++)
            there += dt_span_count(r.sparse->row[i]);
        assert_int_equal(x->first[0], 0);
        assert_int_equal(x->first[x->count], there + s.samples);
        assert_int_equal(x->column[x->count - 1], s.inputs);
        for (int64_t c = 0; c < x->count; c++) {
            assert_true(x->first[c] < x->first[c + 1] && (c == 0 || x->column[c - 1] < x->column[c]));
            for (int64_t e = x->first[c]; e < x->first[c + 1]; e++) {
                const dt_sparse_entry *entry = &x->entry[e];
                assert_int_equal(entry->column, x->column[c]);
                assert_true(e == x->first[c] || entry[-1].sample < entry->sample);
                assert_int_equal(entry->shard, entry->sample / s.shard_size);
                assert_true(same_bits(entry->value, r.dense[entry->sample * (s.inputs + 1) + entry->column]));
            }
        }
        forget_rows(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_the_index),
    };
    return cmocka_run_group_tests_name("sparse kernels", tests, all_isas, NULL);
}
