/* Which rows are trained on, and in which order: dt_rows_split and the sampler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/philox.h"
#include "counting_memory.h"
#include "data/sampler.h"
#include "deltoid/dataset.h"

/* --- split --- */

/* Together they are 0 .. rows-1, each once, each list ascending. */
static void assert_partition(int64_t rows, dt_rows a, dt_rows b)
{
    assert_int_equal(a.count + b.count, rows);
    int64_t i = 0, j = 0;
    for (int64_t row = 0; row < rows; row++) {
        if (i < a.count && a.index[i] == row)
            i++;
        else if (j < b.count && b.index[j] == row)
            j++;
        else
            fail_msg("row %lld is in neither list", (long long)row);
    }
}

static void split_sizes(void **state)
{
    (void)state;
    static const struct {
        int64_t rows;
        double fraction;
        int64_t validation;
    } cases[] = {
        {2, 0.5, 1},       {2, 1e-300, 1},          {2, 0.999, 1},    {3, 0.5, 1},      {10, 0.1, 1},
        {10, 0.3, 3},      {10, 0.99, 9},           {100, 0.29, 29},  {100, 0.07, 7},   {1000, 0.001, 1},
        {1000, 0.0019, 1}, {60000, 0.1, 6000},      {60000, 1e-9, 1}, {49, 1.0 / 7, 7}, {11, 0.45, 4},
        {4097, 0.5, 2048}, {60000, 0.29999, 17999},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_rows train, validation;
        assert_int_equal(dt_rows_split(cases[i].rows, cases[i].fraction, 1, &train, &validation, NULL), DT_OK);
        assert_int_equal(validation.count, cases[i].validation);
        assert_partition(cases[i].rows, train, validation);
        assert_ptr_equal(validation.index, train.index + train.count);
        dt_rows_release(&train);
        assert_null(train.index);
        assert_int_equal(train.count, 0);
    }
}

static void split_refuses(void **state)
{
    (void)state;
    static const struct {
        int64_t rows;
        double fraction;
    } cases[] = {{100, 0}, {100, 1}, {100, -0.1}, {100, 1.5},      {100, __builtin_nan("")}, {100, __builtin_inf()},
                 {1, 0.5}, {0, 0.5}, {-3, 0.5},   {100, 1 - 1e-16}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_rows train = {7, NULL}, validation = {7, NULL};
        dt_error error = {0};
        assert_int_equal(dt_rows_split(cases[i].rows, cases[i].fraction, 1, &train, &validation, &error), DT_INVALID);
        assert_int_equal(error.status, DT_INVALID);
        assert_null(train.index);
        assert_int_equal(train.count + validation.count, 0);
        dt_rows_release(&train);
    }
}

static void split_is_drawn_by_the_seed(void **state)
{
    (void)state;
    dt_rows train[3], validation[3];
    const uint64_t seeds[3] = {1, 1, 2};
    for (int i = 0; i < 3; i++)
        assert_int_equal(dt_rows_split(500, 0.2, seeds[i], &train[i], &validation[i], NULL), DT_OK);
    assert_memory_equal(validation[0].index, validation[1].index, 100 * sizeof(int64_t));
    assert_memory_not_equal(validation[0].index, validation[2].index, 100 * sizeof(int64_t));

    /* Part of every result with a validation fraction: if these change, old experiments no longer give their weights.
     */
    static const int64_t known[] = {3, 8, 13, 23, 26, 33, 45, 51, 60, 64, 67, 69};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(validation[0].index[i], known[i]);
    for (int i = 0; i < 3; i++)
        dt_rows_release(&train[i]);
}

/* Over many seeds each row is taken as often as any other, within six deviations of a binomial. */
static void split_takes_all_rows_alike(void **state)
{
    (void)state;
    enum { ROWS = 20, SEEDS = 20000 };
    int taken[ROWS] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        dt_rows train, validation;
        assert_int_equal(dt_rows_split(ROWS, 0.25, seed, &train, &validation, NULL), DT_OK);
        for (int64_t i = 0; i < validation.count; i++)
            taken[validation.index[i]]++;
        dt_rows_release(&train);
    }
    for (int i = 0; i < ROWS; i++)
        assert_in_range(taken[i], SEEDS / 4 - 6 * 62, SEEDS / 4 + 6 * 62); /* sqrt(20000 / 4 * 3 / 4) = 61.2 */
}

/* --- sampler --- */

static dt_sampler *sampler(dt_rows rows, int64_t batch, bool shuffle, uint64_t seed)
{
    dt_sampler *s;
    assert_int_equal(dt_sampler_create(&s, rows, batch, shuffle, seed, NULL), DT_OK);
    return s;
}

/* The epoch's rows, one minibatch after the other; every minibatch but the last is full. */
static void read_epoch(const dt_sampler *s, int64_t rows, int64_t batch, int64_t *order)
{
    const int64_t steps = dt_sampler_steps_per_epoch(s);
    int64_t at = 0;
    for (int64_t step = 0; step < steps; step++) {
        int64_t count = -1;
        const int64_t *minibatch = dt_sampler_minibatch(s, step, &count);
        assert_int_equal(count, step < steps - 1 ? batch : rows - (steps - 1) * batch);
        assert_true(count >= 1);
        memcpy(order + at, minibatch, (size_t)count * sizeof *order);
        at += count;
    }
    assert_int_equal(at, rows);
}

static void assert_permutation(int64_t rows, const int64_t *order)
{
    bool *seen = test_calloc((size_t)rows, sizeof *seen);
    for (int64_t i = 0; i < rows; i++) {
        assert_in_range(order[i], 0, rows - 1);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
    }
    test_free(seen);
}

static void every_row_once_an_epoch(void **state)
{
    (void)state;
    static const struct {
        int64_t rows, batch, steps;
    } cases[] = {{1, 1, 1},      {1, 100, 1},       {2, 1, 2},        {7, 7, 1},    {7, 8, 1},
                 {7, 3, 3},      {8, 4, 2},         {9, 4, 3},        {100, 61, 2}, {1000, 128, 8},
                 {1024, 128, 8}, {60000, 128, 469}, {5, INT64_MAX, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t rows = cases[i].rows, batch = cases[i].batch < rows ? cases[i].batch : rows;
        int64_t *order = test_malloc((size_t)rows * sizeof *order);
        dt_sampler *s = sampler((dt_rows){rows, NULL}, cases[i].batch, true, 5);
        assert_int_equal(dt_sampler_steps_per_epoch(s), cases[i].steps);
        for (int64_t epoch = 0; epoch < 3; epoch++) {
            dt_sampler_begin_epoch(s, epoch);
            read_epoch(s, rows, batch, order);
            assert_permutation(rows, order);
        }
        dt_sampler_destroy(s);
        test_free(order);
    }
}

static void order_is_a_function_of_seed_and_epoch(void **state)
{
    (void)state;
    enum { ROWS = 300, BATCH = 32 };
    const dt_rows rows = {ROWS, NULL};
    int64_t first[ROWS], again[ROWS], other[ROWS];
    dt_sampler *s = sampler(rows, BATCH, true, 9);
    dt_sampler_begin_epoch(s, 4);
    read_epoch(s, ROWS, BATCH, first);
    dt_sampler_begin_epoch(s, 5);
    read_epoch(s, ROWS, BATCH, other);
    assert_memory_not_equal(first, other, sizeof first);
    dt_sampler_begin_epoch(s, 4);
    read_epoch(s, ROWS, BATCH, again);
    assert_memory_equal(first, again, sizeof first);
    dt_sampler_destroy(s);

    /* The minibatch's size doesn't change the order, another seed does. */
    s = sampler(rows, 7, true, 9);
    dt_sampler_begin_epoch(s, 4);
    read_epoch(s, ROWS, 7, again);
    assert_memory_equal(first, again, sizeof first);
    dt_sampler_destroy(s);
    s = sampler(rows, BATCH, true, (uint64_t)9 << 32);
    dt_sampler_begin_epoch(s, 4);
    read_epoch(s, ROWS, BATCH, other);
    assert_memory_not_equal(first, other, sizeof first);
    dt_sampler_destroy(s);
}

/* Part of every result: if these change, no old experiment gives its weights any more. */
static void the_order_never_changes(void **state)
{
    (void)state;
    static const struct {
        int64_t rows;
        uint64_t seed;
        int64_t epoch, known[12];
    } cases[] = {
        {60000, 1, 0, {45823, 31559, 51735, 6996, 48726, 27518, 27895, 10910, 10321, 18964, 42229, 57307}},
        {60000, 1, 1, {48782, 523, 6533, 54085, 17636, 18499, 45861, 23530, 50305, 4723, 3057, 25936}},
        {60000,
         0xfedcba9876543210,
         41,
         {10674, 3070, 6578, 50887, 13847, 53548, 47401, 37423, 23238, 871, 41476, 29741}},
        {12, 1, 0, {3, 4, 7, 9, 5, 6, 11, 1, 0, 2, 8, 10}},
        {55000, 7, 4294967295, {35427, 4399, 28920, 17433, 42565, 11069, 47783, 34010, 18354, 42101, 233, 38779}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_sampler *s = sampler((dt_rows){cases[i].rows, NULL}, 12, true, cases[i].seed);
        dt_sampler_begin_epoch(s, cases[i].epoch);
        int64_t count;
        const int64_t *minibatch = dt_sampler_minibatch(s, 0, &count);
        for (int64_t j = 0; j < count; j++)
            assert_int_equal(minibatch[j], cases[i].known[j]);
        dt_sampler_destroy(s);
    }
}

/* What the header says, written the plainest way: row i changes places with one drawn from 0 .. i by the stream's i-th
 * number. */
static void order_equals_the_plain_shuffle(void **state)
{
    (void)state;
    enum { ROWS = 1001 };
    int64_t plain[ROWS], order[ROWS];
    for (int64_t i = 0; i < ROWS; i++) {
        plain[i] = i;
        const uint64_t bits = dt_philox(77, DT_FOR_SHUFFLE, 3, (uint64_t)i / 2).u[i % 2];
        const int64_t j = (int64_t)(bits / 0x1p64 * (double)(i + 1)), moved = plain[j];
        plain[j] = plain[i];
        plain[i] = moved;
    }
    dt_sampler *s = sampler((dt_rows){ROWS, NULL}, 100, true, 77);
    dt_sampler_begin_epoch(s, 3);
    read_epoch(s, ROWS, 100, order);
    assert_memory_equal(order, plain, sizeof plain);
    dt_sampler_destroy(s);
}

/* All 24 orders of 4 rows come equally often, within six deviations. */
static void all_orders_are_alike(void **state)
{
    (void)state;
    enum { EPOCHS = 48000 };
    int times[256] = {0}, orders = 0;
    dt_sampler *s = sampler((dt_rows){4, NULL}, 4, true, 1);
    for (int64_t epoch = 0; epoch < EPOCHS; epoch++) {
        int64_t count;
        dt_sampler_begin_epoch(s, epoch);
        const int64_t *o = dt_sampler_minibatch(s, 0, &count);
        times[o[0] | o[1] << 2 | o[2] << 4 | o[3] << 6]++;
    }
    for (int i = 0; i < 256; i++)
        if (times[i]) {
            orders++;
            assert_in_range(times[i], EPOCHS / 24 - 6 * 44,
                            EPOCHS / 24 + 6 * 44); /* sqrt(48000 / 24 * 23 / 24) = 43.8 */
        }
    assert_int_equal(orders, 24);
    dt_sampler_destroy(s);
}

static void a_choice_of_rows_is_shuffled_as_its_positions_are(void **state)
{
    (void)state;
    enum { ROWS = 50 };
    int64_t index[ROWS], chosen[ROWS], positions[ROWS];
    for (int64_t i = 0; i < ROWS; i++)
        index[i] = 1000 + 3 * i;
    dt_sampler *of_rows = sampler((dt_rows){ROWS, index}, 8, true, 2),
               *of_positions = sampler((dt_rows){ROWS, NULL}, 8, true, 2);
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        dt_sampler_begin_epoch(of_rows, epoch);
        dt_sampler_begin_epoch(of_positions, epoch);
        read_epoch(of_rows, ROWS, 8, chosen);
        read_epoch(of_positions, ROWS, 8, positions);
        for (int64_t i = 0; i < ROWS; i++)
            assert_int_equal(chosen[i], index[positions[i]]);
    }
    dt_sampler_destroy(of_rows);
    dt_sampler_destroy(of_positions);
}

static void without_shuffle_rows_keep_their_order(void **state)
{
    (void)state;
    const int64_t index[5] = {4, 9, 2, 7, 7};
    int64_t order[5];
    dt_sampler *s = sampler((dt_rows){5, index}, 2, false, 1);
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        dt_sampler_begin_epoch(s, epoch);
        read_epoch(s, 5, 2, order);
        assert_memory_equal(order, index, sizeof order);
    }
    dt_sampler_destroy(s);
}

static void sampler_refuses(void **state)
{
    (void)state;
    dt_sampler *s = (dt_sampler *)state;
    dt_error error = {0};
    assert_int_equal(dt_sampler_create(&s, (dt_rows){0, NULL}, 10, true, 1, &error), DT_INVALID);
    assert_null(s);
    assert_non_null(strstr(error.message, "0 rows"));
    assert_int_equal(dt_sampler_create(&s, (dt_rows){10, NULL}, 0, true, 1, NULL), DT_INVALID);
    assert_int_equal(dt_sampler_create(&s, (dt_rows){10, NULL}, -1, true, 1, NULL), DT_INVALID);
    assert_int_equal(dt_sampler_create(&s, (dt_rows){INT64_MAX, NULL}, 1, true, 1, NULL), DT_NO_MEMORY);
    dt_sampler_destroy(NULL);
}

/* --- memory --- */

static void memory_may_run_out(void **state)
{
    (void)state;
    counting_memory memory;
    dt_status status = DT_NO_MEMORY;
    for (long n = 1; status != DT_OK; n++) {
        dt_rows train, validation;
        dt_sampler *s = NULL;
        count_memory(&memory, n);
        status = dt_rows_split(100, 0.1, 1, &train, &validation, NULL);
        if (status == DT_OK)
            status = dt_sampler_create(&s, train, 10, true, 1, NULL);
        const long calls = memory.calls;
        if (status == DT_OK)
            dt_sampler_begin_epoch(s, 1);
        else
            assert_int_equal(status, DT_NO_MEMORY);
        assert_int_equal(memory.calls, calls); /* an epoch allocates nothing */
        dt_sampler_destroy(s);
        dt_rows_release(&train);
        assert_int_equal(memory.blocks, 0);
        assert_true(n < 100);
    }
    count_no_more();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_sizes),
        cmocka_unit_test(split_refuses),
        cmocka_unit_test(split_is_drawn_by_the_seed),
        cmocka_unit_test(split_takes_all_rows_alike),
        cmocka_unit_test(every_row_once_an_epoch),
        cmocka_unit_test(order_is_a_function_of_seed_and_epoch),
        cmocka_unit_test(the_order_never_changes),
        cmocka_unit_test(order_equals_the_plain_shuffle),
        cmocka_unit_test(all_orders_are_alike),
        cmocka_unit_test(a_choice_of_rows_is_shuffled_as_its_positions_are),
        cmocka_unit_test(without_shuffle_rows_keep_their_order),
        cmocka_unit_test(sampler_refuses),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
