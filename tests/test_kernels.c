/* The products of every instruction set against the chains of fused multiply-adds and the tree that they promise,
 * written out as scalar loops: bit for bit. Built for both precisions. */
#include "taken_blocks.h"
#include "variants.h"

#include "kernels/products.h"
#include "shard_tree.h"

static const dt_products *const variants[DT_ISAS] = VARIANTS(dt_products, &);

enum { GUARD = 2 * DT_LANES };

/* --- equations (1) and (4): product --- */

typedef struct shape {
    int64_t rows, units, depth;
} shape;

/* One product with every variant. What must not be read is poison, what must not be written is compared too. */
static void check_product(shape s, uint64_t *random)
{
    const int64_t panels = dt_whole_panels(s.units) / DT_LANES, a_stride = s.depth + draw_integer(random, 0, 20);
    const int64_t b_panel = (s.depth + draw_integer(random, 0, 20)) * DT_LANES;
    const int64_t c_stride = (panels + draw_integer(random, 0, 2)) * DT_LANES;
    const int64_t a_count = (s.rows - 1) * a_stride + s.depth, b_count = (panels - 1) * b_panel + s.depth * DT_LANES;
    const int64_t c_count = GUARD + s.rows * c_stride + GUARD;
    dt_real *A = reals(a_count), *B = reals(b_count), *want = reals(c_count), *got = reals(c_count);
    fill(A, a_count, poison());
    fill(B, b_count, poison());
    fill(want, c_count, poison());
    for (int64_t i = 0; i < s.rows; i++)
        draw_reals(random, s.depth, A + i * a_stride);
    for (int64_t w = 0; w < panels; w++)
        for (int64_t p = 0; p < s.depth; p++)
            for (int64_t j = 0; j < DT_LANES; j++)
                B[w * b_panel + p * DT_LANES + j] = w * DT_LANES + j < s.units ? draw_real(random) : 0;

    for (int64_t i = 0; i < s.rows; i++)
        for (int64_t j = 0; j < panels * DT_LANES; j++) {
            const dt_real *b = B + j / DT_LANES * b_panel + j % DT_LANES;
            dt_real sum = 0;
            for (int64_t p = 0; p < s.depth; p++)
                sum = DT_FMA(A[i * a_stride + p], b[p * DT_LANES], sum);
            want[GUARD + i * c_stride + j] = sum;
            if (j >= s.units)
                assert_true(same_bits(sum, 0)); /* padding stays zero */
        }

    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
        fill(got, c_count, poison());
        variants[isa]->product(s.rows, panels, s.depth, A, a_stride, B, b_panel, got + GUARD, c_stride);
        assert_bits(got, want, c_count, "%s: product of %lld rows, %lld units, depth %lld", dt_isa_name(isa),
                    (long long)s.rows, (long long)s.units, (long long)s.depth);
    }
    free(A);
    free(B);
    free(want);
    free(got);
}

/* Every way in which rows and panels fall into tiles. */
static void test_product_tiles(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int64_t rows = 1; rows <= 18; rows++)
        for (int64_t panels = 1; panels <= 7; panels++)
            for (int64_t depth = 1; depth <= 3; depth++)
                check_product((shape){rows, panels * DT_LANES - draw_integer(&random, 0, DT_LANES - 1), depth},
                              &random);
}

static void test_product_shapes(void **state)
{
    (void)state;
    uint64_t random = 2;
    for (int i = 0; i < 3000; i++) {
        const bool large = i % 5 == 0; /* a few, for the time they take */
        check_product((shape){draw_integer(&random, 1, large ? 70 : 30), draw_integer(&random, 1, large ? 130 : 60),
                              draw_integer(&random, 1, large ? 200 : 60)},
                      &random);
    }
}

/* Nothing to sum is zero; no rows is nothing. */
static void test_product_of_nothing(void **state)
{
    (void)state;
    dt_real x[DT_LANES] = {1}, zeros[DT_LANES] = {0}, got[DT_LANES];
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
        fill(got, DT_LANES, poison());
        variants[isa]->product(0, 1, 1, x, 1, x, DT_LANES, got, DT_LANES);
        assert_true(same_bits(got[0], poison()));
        variants[isa]->product(1, 1, 0, x, 1, x, DT_LANES, got, DT_LANES);
        assert_bits(got, zeros, DT_LANES, "%s: product of depth 0", dt_isa_name(isa));
    }
}

/* --- equations (5) and (6): gradient --- */

/* sum_i delta_ij a_ik: a chain for each shard, and the tree of shards. */
static dt_real gradient_element(const dt_gradient_task *t, int64_t k, int64_t j, dt_real *leaf)
{
    const int64_t shards = dt_ceil_div(t->samples, t->shard_size);
    for (int64_t s = 0; s < shards; s++) {
        leaf[s] = 0;
        for (int64_t i = s * t->shard_size; i < dt_min((s + 1) * t->shard_size, t->samples); i++)
            leaf[s] = DT_FMA(t->a[i * t->a_stride + k], t->delta[i * t->delta_stride + j], leaf[s]);
    }
    return tree_sum(leaf, shards);
}

/* Asked of the first of each panel's blocks that come together, once at most, and before it comes. */
static int ask_ahead(void *context, int64_t l, int64_t block, dt_region place[DT_AHEAD])
{
    blocks *b = context;
    assert_int_equal(l, b->layer->l);
    assert_in_range(block, b->own.first, b->own.last - 1);
    assert_int_equal(b->taken[block], 0);
    assert_int_equal(b->asked[block]++, 0);
    place[0] = place[1] = (dt_region){b->g + block * DT_BLOCK, DT_BLOCK};
    return 2;
}

typedef struct gradient_case {
    int64_t samples, shard_size, inputs, units;
    bool whole; /* all blocks, or a part of them */
} gradient_case;

/* A task with its rows: a has the bias gate's 1, delta's padding is zero, the rest is poison. */
typedef struct gradient_data {
    dt_gradient_task task;
    dt_real *a, *delta;
} gradient_data;

static gradient_data gradient_of(gradient_case c, uint64_t *random)
{
    const int64_t padded = dt_whole_panels(c.units),
                  a_stride = dt_whole_panels(c.inputs + 1) + draw_integer(random, 0, 20);
    const int64_t delta_stride = padded + draw_integer(random, 0, 1) * DT_LANES;
    gradient_data d = {.a = reals(c.samples * a_stride), .delta = reals(c.samples * delta_stride)};
    fill(d.a, c.samples * a_stride, poison());
    fill(d.delta, c.samples * delta_stride, poison());
    for (int64_t i = 0; i < c.samples; i++) {
        draw_reals(random, c.inputs, d.a + i * a_stride);
        d.a[i * a_stride + c.inputs] = 1;
        draw_reals(random, c.units, d.delta + i * delta_stride);
        fill(d.delta + i * delta_stride + c.units, padded - c.units, 0);
    }
    d.task = (dt_gradient_task){
        .a = d.a,
        .delta = d.delta,
        .a_stride = a_stride,
        .delta_stride = delta_stride,
        .samples = c.samples,
        .shard_size = c.shard_size,
        .layer = {.l = draw_integer(random, 1, 9),
                  .inputs = c.inputs,
                  .units = c.units,
                  .panels = padded / DT_LANES,
                  .offset = draw_integer(random, 0, 5) * DT_BLOCK},
        .last = padded / DT_LANES * dt_blocks_a_panel(c.inputs),
    };
    if (!c.whole) {
        d.task.first = draw_integer(random, 0, d.task.last - 1);
        d.task.last = draw_integer(random, d.task.first, d.task.last);
    }
    return d;
}

static void expected_gradient(const dt_gradient_task *t, dt_real *want)
{
    dt_real *leaf = reals(dt_ceil_div(t->samples, t->shard_size));
    const int64_t column = dt_blocks_a_panel(t->layer.inputs);
    for (int64_t block = t->first; block < t->last; block++)
        for (int64_t r = 0; r < DT_LANES; r++)
            for (int64_t lane = 0; lane < DT_LANES; lane++) {
                const int64_t k = block % column * DT_LANES + r, j = block / column * DT_LANES + lane;
                want[block * DT_BLOCK + r * DT_LANES + lane] =
                    k <= t->layer.inputs ? gradient_element(t, k, j, leaf) : 0;
            }
    free(leaf);
}

/* What becomes of the gradient (dt_finish). */
typedef enum finish_kind { GIVEN_AWAY, STORED, STEPPED, STEPPED_WITH_COPY, FINISHES } finish_kind;

static const char *const finish_names[FINISHES] = {"given away", "stored", "stepped", "stepped with its copy"};

/* Where it goes: the parameter vector up to behind the layer, and the layer's transposed copy. */
typedef struct place {
    int64_t numbers, copies;
    dt_real *vector, *copy;
} place;

static place place_of(const dt_blocks *layer)
{
    const int64_t count = layer->panels * dt_blocks_a_panel(layer->inputs);
    place p = {.numbers = layer->offset + count * DT_BLOCK + GUARD,
               .copies = dt_whole_panels(layer->inputs) * layer->panels * DT_LANES + GUARD};
    p.vector = reals(p.numbers);
    p.copy = reals(p.copies);
    fill(p.vector, p.numbers, poison());
    fill(p.copy, p.copies, poison());
    return p;
}

static void copy_place(place *to, const place *from)
{
    memcpy(to->vector, from->vector, (size_t)from->numbers * sizeof(dt_real));
    memcpy(to->copy, from->copy, (size_t)from->copies * sizeof(dt_real));
}

static void forget_place(place *p)
{
    free(p->vector);
    free(p->copy);
}

/* Is row r, lane of a block a weight or bias, or padding? */
static bool is_parameter(const dt_blocks *layer, int64_t units, int64_t block, int64_t r, int64_t lane)
{
    const int64_t column = dt_blocks_a_panel(layer->inputs);
    return block % column * DT_LANES + r <= layer->inputs && block / column * DT_LANES + lane < units;
}

/* The block's weights before a step: padding is zero. */
static void draw_block(const dt_blocks *layer, int64_t units, int64_t block, uint64_t *random, dt_real *W)
{
    for (int64_t r = 0; r < DT_LANES; r++)
        for (int64_t lane = 0; lane < DT_LANES; lane++)
            W[r * DT_LANES + lane] = is_parameter(layer, units, block, r, lane) ? draw_real(random) : 0;
}

/* The block finished with its sum, as products.h says it: before and after are `p`. */
static void expect_finished(const dt_blocks *layer, int64_t units, int64_t block, const dt_real *sum,
                            const dt_finish *finish, finish_kind kind, place *p)
{
    const int64_t column = dt_blocks_a_panel(layer->inputs), first = block % column * DT_LANES;
    dt_real *at = p->vector + layer->offset + block * DT_BLOCK;
    for (int64_t r = 0; r < DT_LANES; r++)
        for (int64_t lane = 0; lane < DT_LANES; lane++) {
            dt_real *x = &at[r * DT_LANES + lane];
            if (kind < STEPPED)
                *x = sum[r * DT_LANES + lane] * (kind == GIVEN_AWAY ? finish->factor : 1);
            else if (is_parameter(layer, units, block, r, lane))
                *x = DT_FMA(finish->rate, sum[r * DT_LANES + lane] * finish->factor, *x);
            if (kind == STEPPED_WITH_COPY && first < layer->inputs) /* (panels of inputs) of (units, lanes) */
                p->copy[first * layer->panels * DT_LANES + (block / column * DT_LANES + lane) * DT_LANES + r] = *x;
        }
}

static dt_finish draw_finish(uint64_t *random)
{
    return (dt_finish){.rate = (dt_real)draw_between(random, -1, -0.01),
                       .factor = (dt_real)draw_between(random, 0.003, 0.3)};
}

static void check_gradient(gradient_case c, uint64_t *random)
{
    gradient_data d = gradient_of(c, random);
    dt_gradient_task t = d.task;
    const int64_t count = t.layer.panels * dt_blocks_a_panel(c.inputs),
                  scratch = dt_gradient_scratch(dt_ceil_div(t.samples, t.shard_size));
    const dt_finish numbers = draw_finish(random);
    dt_real *sum = reals(count * DT_BLOCK), *room = reals(scratch + 2 * GUARD);
    place before = place_of(&t.layer), want = place_of(&t.layer), got = place_of(&t.layer);
    int *taken = malloc((size_t)count * sizeof *taken), *asked = malloc((size_t)count * sizeof *asked);
    assert_true(taken && asked);
    expected_gradient(&t, sum);
    t.scratch = room + GUARD;
    t.layer.transposed_rows = t.layer.panels * DT_LANES;

    for (finish_kind kind = 0; kind < FINISHES; kind++) {
        for (int64_t block = t.first; block < t.last && kind == STEPPED; block++)
            draw_block(&t.layer, c.units, block, random, before.vector + t.layer.offset + block * DT_BLOCK);
        copy_place(&want, &before);
        for (int64_t block = t.first; block < t.last; block++)
            expect_finished(&t.layer, c.units, block, sum + block * DT_BLOCK, &numbers, kind, &want);
        t.layer.transposed = kind == STEPPED_WITH_COPY ? got.copy : NULL;
        blocks given = {&t.layer, {t.first, t.last}, got.vector + t.layer.offset, taken, asked};
        dt_finish finish = {.sink = take_blocks, .ahead = ask_ahead, .context = &given, .factor = numbers.factor};
        if (kind == STORED)
            finish = (dt_finish){.out = got.vector};
        else if (kind != GIVEN_AWAY)
            finish = (dt_finish){.W = got.vector, .rate = numbers.rate, .factor = numbers.factor};

        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
            for (int shared = 0; shared < 2; shared++) {
                copy_place(&got, &before);
                fill(room, scratch + 2 * GUARD, poison());
                memset(taken, 0, (size_t)count * sizeof *taken);
                memset(asked, 0, (size_t)count * sizeof *asked);
                t.shared = shared;
                variants[isa]->gradient(&t, &finish);
                char what[200];
                snprintf(what, sizeof what,
                         "%s: gradient %s, %lld samples in shards of %lld, %lld inputs, %lld units, blocks %lld-%lld",
                         dt_isa_name(isa), finish_names[kind], (long long)t.samples, (long long)t.shard_size,
                         (long long)c.inputs, (long long)c.units, (long long)t.first, (long long)t.last);
                assert_bits(got.vector, want.vector, want.numbers, "%s", what);
                assert_bits(got.copy, want.copy, want.copies, "%s: transposed copy", what);
                for (int64_t block = 0; block < count && kind == GIVEN_AWAY; block++)
                    assert_int_equal(taken[block], block >= t.first && block < t.last);
                for (int64_t i = 0; i < GUARD; i++)
                    assert_true(same_bits(room[i], poison()) && same_bits(room[GUARD + scratch + i], poison()));
            }
    }
    forget_place(&before);
    forget_place(&want);
    forget_place(&got);
    free(sum);
    free(room);
    free(taken);
    free(asked);
    free(d.a);
    free(d.delta);
}

/* Every tree of up to 40 shards, of units too few for the lanes and of enough. */
static void test_gradient_trees(void **state)
{
    (void)state;
    static const int64_t units[] = {3, DT_LANES - 1};
    uint64_t random = 3;
    for (int u = 0; u < 2; u++) {
        for (int64_t shards = 1; shards <= 40; shards++)
            for (int64_t size = 1; size <= 2; size++)
                check_gradient((gradient_case){shards * size - (size - 1) * (shards % 2), size, 5, units[u], true},
                               &random);
        check_gradient((gradient_case){1023, 1, 4, units[u], true}, &random);
        check_gradient((gradient_case){1026, 1, 4, units[u], true}, &random);
    }
}

/* Every number of units of one panel, with rows of blocks for every width of a tile, whole and in parts. */
static void test_gradient_narrow(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int64_t units = 1; units <= DT_LANES; units++)
        for (int64_t rows = 1; rows <= 7; rows++)
            for (int whole = 0; whole < 2; whole++)
                check_gradient((gradient_case){draw_integer(&random, 1, 70), 32,
                                               rows * DT_LANES - draw_integer(&random, 1, DT_LANES), units, whole},
                               &random);
}

/* Shards that are formed in pairs and shards that are too long for it, any number of them, the last one short. */
static void test_gradient_pairs(void **state)
{
    (void)state;
    static const int64_t sizes[] = {3, 31, 32, 33, 64};
    uint64_t random = 9;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int64_t shards = 1; shards <= 9; shards++)
            for (int rest = 0; rest < 3; rest++) {
                const int64_t last = rest == 0 ? sizes[i] : rest == 1 ? 1 : draw_integer(&random, 1, sizes[i]);
                check_gradient((gradient_case){(shards - 1) * sizes[i] + last, sizes[i], draw_integer(&random, 1, 20),
                                               draw_integer(&random, 1, 2 * DT_LANES), rest != 2},
                               &random);
            }
}

/* Every way in which a layer falls into blocks, panels and tiles, whole and in parts. */
static void test_gradient_tiles(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (int64_t inputs = 1; inputs <= 2 * DT_LANES + 2; inputs++)
        for (int64_t panels = 1; panels <= 7; panels++)
            check_gradient((gradient_case){7, 2, inputs, panels * DT_LANES - draw_integer(&random, 0, DT_LANES - 1),
                                           panels % 2 == 1},
                           &random);
}

static void test_gradient_shapes(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int i = 0; i < 2000; i++) {
        const bool large = i % 5 == 0;
        const int64_t samples = draw_integer(&random, 1, large ? 130 : 30);
        check_gradient((gradient_case){samples, draw_integer(&random, 1, i % 3 ? 20 : samples + 3),
                                       draw_integer(&random, 1, large ? 70 : 35),
                                       draw_integer(&random, 1, large ? 130 : 50), i % 4 == 0},
                       &random);
    }
}

/* More rows of blocks than a group has, about whole numbers of groups; one shard, pairs of shards, trees of both. */
static void test_gradient_groups(void **state)
{
    enum { SHARDS = 5, GROUP = DT_GROUP_ROWS * DT_LANES };
    (void)state;
    static const int64_t sizes[] = {2, 35};
    uint64_t random = 12;
    for (int64_t inputs = GROUP - 2; inputs <= 2 * GROUP + 1;
         inputs += inputs == GROUP + DT_LANES + 1 ? GROUP - DT_LANES - 3 : 1)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check_gradient((gradient_case){draw_integer(&random, 1, SHARDS * sizes[i]), sizes[i], inputs,
                                           draw_integer(&random, 1, 4 * DT_LANES), inputs % 2 == 0},
                           &random);
}

/* So many samples that groups of panels go through the inputs together. */
static void test_gradient_of_many_samples(void **state)
{
    (void)state;
    uint64_t random = 11;
    for (int64_t panels = 1; panels <= 27; panels += 1 + panels % 3)
        check_gradient((gradient_case){draw_integer(&random, 257, 600), draw_integer(&random, 20, 130),
                                       draw_integer(&random, 1, 2 * DT_LANES + 2),
                                       panels * DT_LANES - draw_integer(&random, 0, DT_LANES - 1), panels % 2 == 1},
                       &random);
}

/* --- join --- */

static void check_join(int64_t inputs, int64_t units, uint64_t *random)
{
    dt_blocks layer = {.l = draw_integer(random, 1, 9),
                       .inputs = inputs,
                       .units = units,
                       .panels = dt_whole_panels(units) / DT_LANES,
                       .offset = draw_integer(random, 0, 5) * DT_BLOCK,
                       .transposed_rows = dt_whole_panels(units)};
    const int64_t column = dt_blocks_a_panel(inputs), block = draw_integer(random, 0, layer.panels * column - 1);
    const int64_t count = draw_integer(random, 1, dt_min(DT_RUN, column - block % column)), n = count * DT_BLOCK;
    const dt_finish numbers = draw_finish(random);
    dt_real left[DT_RUN * DT_BLOCK], right[DT_RUN * DT_BLOCK], sum[DT_RUN * DT_BLOCK];
    dt_real room[GUARD + DT_RUN * DT_BLOCK + GUARD];
    int *taken = calloc((size_t)(layer.panels * dt_blocks_a_panel(inputs)), sizeof *taken);
    assert_non_null(taken);
    place before = place_of(&layer), want = place_of(&layer), got = place_of(&layer);
    for (int64_t i = 0; i < count; i++) {
        draw_block(&layer, units, block + i, random, left + i * DT_BLOCK);
        draw_block(&layer, units, block + i, random, right + i * DT_BLOCK);
    }
    for (int64_t i = 0; i < n; i++)
        sum[i] = left[i] + right[i];

    for (finish_kind kind = 0; kind < FINISHES; kind++) {
        for (int64_t i = 0; i < count && kind == STEPPED; i++)
            draw_block(&layer, units, block + i, random, before.vector + layer.offset + (block + i) * DT_BLOCK);
        copy_place(&want, &before);
        for (int64_t i = 0; i < count; i++)
            expect_finished(&layer, units, block + i, sum + i * DT_BLOCK, &numbers, kind, &want);
        layer.transposed = kind == STEPPED_WITH_COPY ? got.copy : NULL;
        blocks given = {&layer, {block, block + count}, got.vector + layer.offset, taken, NULL};
        dt_finish finish = {.sink = take_blocks, .context = &given, .factor = numbers.factor};
        if (kind == STORED)
            finish = (dt_finish){.out = got.vector};
        else if (kind != GIVEN_AWAY)
            finish = (dt_finish){.W = got.vector, .rate = numbers.rate, .factor = numbers.factor};
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            copy_place(&got, &before);
            fill(room, GUARD + DT_RUN * DT_BLOCK + GUARD, poison());
            memset(taken + block, 0, (size_t)count * sizeof *taken);
            variants[isa]->join(&layer, block, count, left, right, room + GUARD, &finish);
            assert_bits(got.vector, want.vector, want.numbers,
                        "%s: join %s, %lld inputs, %lld units, %lld blocks from %lld", dt_isa_name(isa),
                        finish_names[kind], (long long)inputs, (long long)units, (long long)count, (long long)block);
            assert_bits(got.copy, want.copy, want.copies,
                        "%s: transposed copy of join, %lld inputs, %lld units, %lld blocks from %lld", dt_isa_name(isa),
                        (long long)inputs, (long long)units, (long long)count, (long long)block);
            for (int64_t i = 0; i < count; i++)
                assert_int_equal(taken[block + i], kind == GIVEN_AWAY);
            for (int64_t i = 0; i < GUARD; i++)
                assert_true(same_bits(room[i], poison()) && same_bits(room[GUARD + n + i], poison()));
        }
    }
    forget_place(&before);
    forget_place(&want);
    forget_place(&got);
    free(taken);
}

static void test_join(void **state)
{
    (void)state;
    uint64_t random = 10;
    for (int64_t inputs = 1; inputs <= 2 * DT_LANES + 2; inputs++)
        for (int i = 0; i < 30; i++)
            check_join(inputs, draw_integer(&random, 1, 4 * DT_LANES), &random);
}

/* --- the rest --- */

static void test_add(void **state)
{
    (void)state;
    enum { MOST = 5 * DT_LANES };
    uint64_t random = 6;
    dt_real left[MOST], right[MOST], want[MOST + DT_LANES], got[MOST + DT_LANES];
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
        for (int64_t n = 0; n <= MOST; n += DT_LANES)
            for (int alias = 0; alias < 3; alias++) {
                draw_reals(&random, MOST, left);
                draw_reals(&random, MOST, right);
                fill(want, MOST + DT_LANES, poison());
                memcpy(got, want, sizeof got);
                if (alias)
                    memcpy(got, alias == 1 ? left : right, (size_t)n * sizeof *got);
                for (int64_t i = 0; i < n; i++)
                    want[i] = left[i] + right[i];
                variants[isa]->add(n, alias == 1 ? got : left, alias == 2 ? got : right, got);
                assert_bits(got, want, MOST + DT_LANES, "%s: add of %lld", dt_isa_name(isa), (long long)n);
            }
}

static void test_transpose(void **state)
{
    (void)state;
    uint64_t random = 7;
    dt_real from[DT_BLOCK], want[DT_BLOCK + GUARD], got[DT_BLOCK + GUARD];
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
        draw_reals(&random, DT_BLOCK, from);
        fill(want, DT_BLOCK + GUARD, poison());
        memcpy(got, want, sizeof got);
        for (int k = 0; k < DT_LANES; k++)
            for (int j = 0; j < DT_LANES; j++)
                want[j * DT_LANES + k] = from[k * DT_LANES + j];
        variants[isa]->transpose(from, got);
        assert_bits(got, want, DT_BLOCK + GUARD, "%s: transpose", dt_isa_name(isa));
    }
}

/* Every byte, at every remainder of a vector's width; and rows that start anywhere. */
static void test_convert(void **state)
{
    (void)state;
    enum { MOST = 300 };
    uint64_t random = 8;
    uint8_t bytes[MOST];
    float floats[MOST];
    double doubles[MOST];
    dt_real want[MOST + GUARD], got[MOST + GUARD];
    for (int64_t i = 0; i < MOST; i++) {
        bytes[i] = (uint8_t)i;
        floats[i] = (float)draw_between(&random, -1000, 1000);
        doubles[i] = draw_between(&random, -1000, 1000);
    }
    const dt_real scale = (dt_real)(1.0 / 255);
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
        for (int64_t n = 0; n <= MOST - 3; n += n < 70 ? 1 : 57)
            for (int type = 0; type < 3; type++) {
                const int64_t first = n % 4;
                fill(want, MOST + GUARD, poison());
                memcpy(got, want, sizeof got);
                for (int64_t i = 0; i < n; i++) {
                    const dt_real value = type == 0   ? (dt_real)bytes[first + i]
                                          : type == 1 ? (dt_real)floats[first + i]
                                                      : (dt_real)doubles[first + i];
                    want[i] = value * scale;
                }
                if (type == 0)
                    variants[isa]->convert_u8(n, bytes + first, scale, got);
                else if (type == 1)
                    variants[isa]->convert_f32(n, floats + first, scale, got);
                else
                    variants[isa]->convert_f64(n, doubles + first, scale, got);
                assert_bits(got, want, MOST + GUARD, "%s: conversion of %lld numbers of type %d", dt_isa_name(isa),
                            (long long)n, type);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product_tiles),
        cmocka_unit_test(test_product_shapes),
        cmocka_unit_test(test_product_of_nothing),
        cmocka_unit_test(test_gradient_trees),
        cmocka_unit_test(test_gradient_narrow),
        cmocka_unit_test(test_gradient_pairs),
        cmocka_unit_test(test_gradient_tiles),
        cmocka_unit_test(test_gradient_shapes),
        cmocka_unit_test(test_gradient_groups),
        cmocka_unit_test(test_gradient_of_many_samples),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_transpose),
        cmocka_unit_test(test_convert),
    };
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
