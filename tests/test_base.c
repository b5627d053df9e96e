/* The base: statuses and messages, names, memory, splits, the tree, random numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/names.h"
#include "base/philox.h"
#include "base/split.h"
#include "base/tree.h"
#include "counting_memory.h"
#include "deltoid/status.h"
#include "deltoid/version.h"

/* --- statuses and messages --- */

static void statuses(void **state)
{
    (void)state;
    static const struct {
        dt_status status;
        int exit_status;
    } rows[] = {
#define ROW(name, exit_status, text) {name, exit_status},
        DT_STATUS_LIST(ROW)
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(dt_status_exit(rows[i].status), rows[i].exit_status);
        assert_true(strlen(dt_status_text(rows[i].status)) > 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(dt_status_text(rows[i].status), dt_status_text(rows[j].status));
    }
    assert_int_equal(DT_OK, 0);
    assert_int_equal(dt_status_exit((dt_status)1000), 3);
    assert_string_equal(dt_status_text((dt_status)1000), "unknown status");
    assert_string_equal(dt_version(), DT_VERSION);
}

static void the_first_failure_is_kept(void **state)
{
    (void)state;
    dt_error error = {0};
    assert_int_equal(dt_fail(&error, DT_IO, "%s: can't read", "a"), DT_IO);
    assert_int_equal(dt_fail(&error, DT_INVALID, "second"), DT_INVALID);
    assert_int_equal(error.status, DT_IO);
    assert_string_equal(error.message, "a: can't read");
    dt_error_prefix(&error, "run");
    assert_string_equal(error.message, "run: a: can't read");
    dt_error_clear(&error);
    assert_int_equal(error.status, DT_OK);
    assert_string_equal(error.message, "");
    dt_error_prefix(&error, "nothing to put it before");
    assert_string_equal(error.message, "");

    assert_int_equal(dt_fail(NULL, DT_IO, "nobody listens"), DT_IO);
    dt_error_clear(NULL);
    dt_error_prefix(NULL, "x");
}

static void messages_are_one_printable_line(void **state)
{
    (void)state;
    dt_error error = {0};
    dt_fail(&error, DT_IO, "a\nb\033[2Jc\177d\te \303\251");
    assert_string_equal(error.message, "a?b?[2Jc?d?e \303\251");
    dt_error_prefix(&error, "x\ry");
    assert_string_equal(error.message, "x?y: a?b?[2Jc?d?e \303\251");
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    char text[3 * DT_MESSAGE_SIZE];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    dt_error error = {0};
    dt_fail(&error, DT_IO, "%s", text);
    assert_int_equal(strlen(error.message), DT_MESSAGE_SIZE - 1);
    dt_error_prefix(&error, "bb");
    assert_int_equal(strlen(error.message), DT_MESSAGE_SIZE - 1);
    assert_memory_equal(error.message, "bb: aaa", 7);
    dt_error_prefix(&error, text);
    assert_int_equal(strlen(error.message), DT_MESSAGE_SIZE - 1);
}

/* --- names --- */

static const char *name_at(const void *context, size_t i)
{
    const char *const *names = context;
    return names[i];
}

static const char *const activations[] = {"linear", "sigmoid", "tanh", "relu", "leaky_relu", "softsign", NULL};

static void nearest_names(void **state)
{
    (void)state;
    static const struct {
        const char *given, *nearest;
    } cases[] = {
        {"relu", "relu"},
        {"rleu", "relu"},
        {"Relu", "relu"},
        {"rel", "relu"},
        {"reluu", "relu"},
        {"leakyrelu", "leaky_relu"},
        {"leaky-relu", "leaky_relu"},
        {"sigmiod", "sigmoid"},
        {"tnah", "tanh"},
        {"softsing", "softsign"},
        {"gelu", "relu"},
        {"fourier", NULL},
        {"x", NULL},
        {"", NULL},
        {"sigmoidsigmoidsigmoidsigmoidsigmoidsigmoidsigmoidsigmoidsigmoidsigmoid", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = dt_nearest_name(cases[i].given, name_at, activations);
        if (cases[i].nearest ? !found || strcmp(found, cases[i].nearest) != 0 : found != NULL)
            fail_msg("nearest to '%s': %s, expected %s", cases[i].given, found ? found : "none",
                     cases[i].nearest ? cases[i].nearest : "none");
    }
}

static void neighbours_swapped_are_one_edit(void **state)
{
    (void)state;
    static const char *const quantities[] = {"db", "dW", NULL};
    assert_string_equal(dt_nearest_name("bd", name_at, quantities),
                        "db"); /* two edits would be too many for two letters */
    assert_null(dt_nearest_name("xx", name_at, quantities));
}

static void unknown_names(void **state)
{
    (void)state;
    dt_error error = {0};
    assert_int_equal(dt_fail_unknown(&error, "activation", "rleu", name_at, activations), DT_UNKNOWN_NAME);
    assert_string_equal(
        error.message,
        "unknown activation 'rleu'; did you mean 'relu'? valid: linear, sigmoid, tanh, relu, leaky_relu, softsign");
    dt_error_clear(&error);
    assert_int_equal(dt_fail_unknown(&error, "activation", "fourier", name_at, activations), DT_UNKNOWN_NAME);
    assert_string_equal(error.message,
                        "unknown activation 'fourier'; valid: linear, sigmoid, tanh, relu, leaky_relu, softsign");
    assert_int_equal(dt_fail_unknown(NULL, "activation", "fourier", name_at, activations), DT_UNKNOWN_NAME);
}

static const char *many_names(const void *context, size_t i)
{
    (void)context;
    return i < 1000 ? "a_name_among_many_that_do_not_fit" : NULL;
}

static void more_names_than_a_message_holds(void **state)
{
    (void)state;
    dt_error error = {0};
    dt_fail_unknown(&error, "thing", "q", many_names, NULL);
    assert_true(strlen(error.message) < DT_MESSAGE_SIZE);
    assert_non_null(strstr(error.message, "valid: a_name_among_many_that_do_not_fit, "));
}

/* --- memory --- */

static void allocations_are_aligned_and_counted(void **state)
{
    (void)state;
    counting_memory memory;
    count_memory(&memory, 0);
    unsigned char *a = dt_allocate(3, 5), *zeroed = dt_allocate_zeroed(100, 1),
                  *huge = dt_allocate_array(DT_HUGE_PAGE, 2);
    void *nothing = dt_allocate(0, 8), *small = dt_allocate_array(1, 1);
    char *text = dt_duplicate("delta");
    assert_int_equal((uintptr_t)a % DT_CACHE_LINE, 0);
    assert_int_equal((uintptr_t)zeroed % DT_CACHE_LINE, 0);
    assert_int_equal((uintptr_t)small % DT_CACHE_LINE, 0);
    assert_int_equal((uintptr_t)huge % DT_HUGE_PAGE, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zeroed[i], 0);
    huge[2 * (size_t)DT_HUGE_PAGE - 1] = 1;
    assert_non_null(nothing);
    assert_string_equal(text, "delta");
    assert_int_equal(memory.blocks, 6);
    dt_release(a);
    dt_release(zeroed);
    dt_release(huge);
    dt_release(nothing);
    dt_release(small);
    dt_release(text);
    dt_release(NULL);
    assert_int_equal(memory.blocks, 0);
    count_no_more();
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    size_t product = 7;
    assert_true(dt_multiply(SIZE_MAX / 2, 2, &product));
    assert_int_equal(product, SIZE_MAX - 1);
    assert_false(dt_multiply(SIZE_MAX / 2 + 1, 2, &product));
    assert_null(dt_allocate(SIZE_MAX / 2 + 1, 2));
    assert_null(dt_allocate(SIZE_MAX, 1));
    assert_null(dt_allocate_zeroed(SIZE_MAX / 4, 8));
    assert_null(dt_allocate_array(SIZE_MAX / 4, 8));
    assert_null(dt_allocate_array(SIZE_MAX / 2, 1));
    dt_arena arena = {0};
    assert_null(dt_arena_allocate(&arena, SIZE_MAX / 4, 8));
    assert_null(dt_arena_allocate(&arena, PTRDIFF_MAX, 1));
    assert_null(arena.blocks);
    dt_error error = {0};
    assert_int_equal(dt_fail_memory(&error, "the weights"), DT_NO_MEMORY);
    assert_non_null(strstr(error.message, "out of memory for the weights; "));
}

static void arenas_free_all(void **state)
{
    (void)state;
    counting_memory memory;
    for (long fail_at = 0; fail_at <= 20; fail_at++) {
        dt_arena arena = {0};
        count_memory(&memory, fail_at);
        for (long i = 1; i <= 20; i++) {
            char text[32];
            snprintf(text, sizeof text, "layer%02ld", i);
            char *copy =
                i % 2 ? dt_arena_duplicate(&arena, text) : dt_arena_allocate(&arena, (size_t)i, sizeof(double));
            assert_int_equal(copy == NULL, i == fail_at);
            if (copy && i % 2)
                assert_string_equal(copy, text);
            for (size_t j = 0; copy && i % 2 == 0 && j < (size_t)i * sizeof(double); j++)
                assert_int_equal(copy[j], 0);
            assert_int_equal((uintptr_t)copy % _Alignof(max_align_t), 0);
        }
        assert_int_equal(memory.blocks, fail_at ? 19 : 20);
        dt_arena_clear(&arena);
        dt_arena_clear(&arena);
        assert_int_equal(memory.blocks, 0);
    }
    count_memory(&memory, 1);
    assert_null(dt_duplicate("text"));
    count_memory(&memory, 1);
    assert_null(dt_allocate_zeroed(1, 1));
    count_memory(&memory, 1);
    assert_null(dt_allocate_array(DT_HUGE_PAGE, 1));
    count_no_more();
}

/* --- splits --- */

static void splits(void **state)
{
    (void)state;
    static const dt_span seven[] = {{0, 3}, {3, 5}, {5, 7}}, two[] = {{0, 1}, {1, 2}, {2, 2}};
    for (int64_t i = 0; i < 3; i++) {
        dt_span a = dt_split(7, 3, i), b = dt_split(2, 3, i);
        assert_memory_equal(&a, &seven[i], sizeof a);
        assert_memory_equal(&b, &two[i], sizeof b);
    }
    for (int64_t n = 0; n <= 130; n++)
        for (int64_t parts = 1; parts <= 64; parts++) {
            int64_t next = 0, before = INT64_MAX;
            for (int64_t part = 0; part < parts; part++) {
                const dt_span s = dt_split(n, parts, part);
                const int64_t count = dt_span_count(s);
                assert_int_equal(s.first, next);
                assert_true(count == n / parts || count == dt_ceil_div(n, parts));
                assert_true(count <= before);
                next = s.last;
                before = count;
            }
            assert_int_equal(next, n);
        }
    const dt_span last = dt_split(INT64_MAX, 8, 7);
    assert_true(last.last == INT64_MAX && dt_span_count(last) == INT64_MAX / 8);
}

static void small_arithmetic(void **state)
{
    (void)state;
    assert_int_equal(dt_ceil_div(0, 3), 0);
    assert_int_equal(dt_ceil_div(1, 3), 1);
    assert_int_equal(dt_ceil_div(3, 3), 1);
    assert_int_equal(dt_ceil_div(4, 3), 2);
    assert_true(dt_min(-2, 3) == -2 && dt_min(3, -2) == -2);
    assert_true(dt_max(-2, 3) == 3 && dt_max(3, -2) == 3);
}

/* --- the tree --- */

/* The sum of shards [first, last) as the tree's picture defines it: the left child has the largest power of two that is
 * less. */
static double sum_by_definition(const double *leaves, int64_t first, int64_t last)
{
    if (last - first == 1)
        return leaves[first];
    int64_t half = 1;
    while (2 * half < last - first)
        half *= 2;
    return sum_by_definition(leaves, first, first + half) + sum_by_definition(leaves, first + half, last);
}

/* Numbers whose sum is another in about every other order. */
static void draw_leaves(double *leaves, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const dt_random128 r = dt_philox(1, DT_FOR_TEST, 0, (uint64_t)i);
        leaves[i] = (dt_uniform01(r.u[0]) - 0.5) * (r.u[1] % 2 ? 1e6 : 1e-6);
    }
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void tree_sum_is_the_tree(void **state)
{
    (void)state;
    double leaves[300];
    int64_t differs = 0;
    draw_leaves(leaves, 300);
    for (int64_t shards = 1; shards <= 300; shards++) {
        const double sum = dt_tree_sum(leaves, shards);
        assert_true(same_bits(sum, sum_by_definition(leaves, 0, shards)));
        double in_order = 0;
        for (int64_t i = 0; i < shards; i++)
            in_order += leaves[i];
        differs += !same_bits(sum, in_order);
    }
    assert_true(differs > 100); /* or these leaves would prove nothing */
    assert_true(dt_tree_sum(leaves, 0) == 0);
}

static double run_program(const int32_t *program, int64_t length, const double *parts, int depth)
{
    double stack[2 * DT_COVER_MAX];
    int top = 0;
    for (int64_t i = 0; i < length; i++) {
        if (program[i] == DT_JOIN_ADD) {
            assert_true(top >= 2);
            top--;
            stack[top - 1] += stack[top];
        } else {
            assert_true(top < depth);
            stack[top++] = parts[program[i]];
        }
    }
    assert_int_equal(top, 1);
    return stack[0];
}

/* Workers' covers, joined, give the bits of the whole tree: for every number of shards and workers. */
static void covers_join_to_the_tree(void **state)
{
    (void)state;
    double leaves[64];
    draw_leaves(leaves, 64);
    for (int64_t shards = 1; shards <= 64; shards++)
        for (int64_t workers = 1; workers <= 64; workers++) {
            dt_subtree all[64];
            double parts[64];
            int64_t count = 0, next = 0;
            for (int64_t t = 0; t < workers; t++) {
                const dt_span run = dt_split(shards, workers, t);
                dt_subtree cover[DT_COVER_MAX];
                const int n = dt_tree_cover(shards, run, cover);
                assert_true(dt_span_count(run) ? n >= 1 : n == 0);
                for (int i = 0; i < n; i++) {
                    const dt_span s = cover[i].shards;
                    assert_true(s.first == next && s.last <= run.last && s.first % cover[i].size == 0);
                    assert_true(s.last == dt_min(s.first + cover[i].size, shards));
                    parts[count] = sum_by_definition(leaves, s.first, s.last);
                    all[count++] = cover[i];
                    next = s.last;
                }
            }
            assert_int_equal(next, shards);
            if (workers == 1)
                assert_int_equal(count, 1);
            int32_t program[127];
            int depth = 0;
            const int64_t length = dt_tree_join(all, count, program, &depth);
            assert_int_equal(length, 2 * count - 1);
            assert_true(same_bits(run_program(program, length, parts, depth), dt_tree_sum(leaves, shards)));
        }
}

static void covers_of_the_comment(void **state)
{
    (void)state;
    static const struct {
        dt_span run;
        int count;
        dt_span cover[3];
    } cases[] = {{{0, 8}, 1, {{0, 8}}},
                 {{3, 6}, 2, {{3, 4}, {4, 6}}},
                 {{1, 8}, 3, {{1, 2}, {2, 4}, {4, 8}}},
                 {{5, 5}, 0, {{0, 0}}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_subtree cover[DT_COVER_MAX];
        assert_int_equal(dt_tree_cover(8, cases[i].run, cover), cases[i].count);
        for (int j = 0; j < cases[i].count; j++)
            assert_memory_equal(&cover[j].shards, &cases[i].cover[j], sizeof(dt_span));
    }
    const dt_subtree with_a_gap[] = {{{0, 1}, 1}, {{2, 3}, 1}};
    int32_t program[3];
    int depth;
    assert_int_equal(dt_tree_join(with_a_gap, 2, program, &depth), 0);
}

/* --- random numbers --- */

/* The rows "philox4x32 10" of Random123's tests/kat_vectors: counter, key, result. */
static void philox_known_answers(void **state)
{
    (void)state;
    static const uint32_t rows[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6,
         0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420,
         0x24126ea1},
    };
    for (int i = 0; i < 3; i++) {
        const uint32_t *c = rows[i], *key = c + 4, *result = c + 6;
        const dt_random128 r =
            dt_philox(key[0] | (uint64_t)key[1] << 32, (dt_purpose)c[3], c[2], c[0] | (uint64_t)c[1] << 32);
        assert_true(r.u[0] == (result[0] | (uint64_t)result[1] << 32));
        assert_true(r.u[1] == (result[2] | (uint64_t)result[3] << 32));
    }
}

/* Part of every result: a purpose that were renumbered would change them all. */
static void streams_never_change(void **state)
{
    (void)state;
    assert_int_equal(DT_FOR_INIT, 1);
    assert_int_equal(DT_FOR_SHUFFLE, 2);
    assert_int_equal(DT_FOR_SPLIT, 3);
    const dt_random128 first = dt_philox(1, DT_FOR_INIT, 0, 0), second = dt_philox(1, DT_FOR_INIT, 0, 1);
    assert_true(first.u[0] == 0x1e047488127bee41 && first.u[1] == 0x0a39349648842b20);
    assert_true(second.u[0] == 0xa9634a0410cc6764 && second.u[1] == 0xf15e1f534506ae51);
    static const struct {
        uint64_t seed, minor, index;
        dt_purpose purpose;
    } others[] = {{2, 0, 0, DT_FOR_INIT},    {1 + ((uint64_t)1 << 32), 0, 0, DT_FOR_INIT},
                  {1, 1, 0, DT_FOR_INIT},    {1, 0, (uint64_t)1 << 32, DT_FOR_INIT},
                  {1, 0, 0, DT_FOR_SHUFFLE}, {1, 0, 0, DT_FOR_SPLIT}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const dt_random128 r = dt_philox(others[i].seed, others[i].purpose, others[i].minor, others[i].index);
        assert_memory_not_equal(&r, &first, sizeof r);
    }
}

static void uniform_ranges(void **state)
{
    (void)state;
    assert_true(dt_uniform01(0) == 0x1p-53 && dt_uniform01(UINT64_MAX) == 1 - 0x1p-53);
    assert_true(dt_uniform01((uint64_t)1 << 63) == 0.5 + 0x1p-53);
    assert_int_equal(dt_uniform_below(0, 10), 0);
    assert_int_equal(dt_uniform_below(UINT64_MAX, 10), 9);
    assert_int_equal(dt_uniform_below((uint64_t)1 << 63, 10), 5);
    assert_int_equal(dt_uniform_below(UINT64_MAX, 1), 0);
    double sum = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        const dt_random128 r = dt_philox(3, DT_FOR_TEST, 1, i);
        sum += dt_uniform01(r.u[0]) + dt_uniform01(r.u[1]);
    }
    assert_true(sum > 10000 - 6 * 41 && sum < 10000 + 6 * 41); /* deviation sqrt(20000 / 12) = 40.8 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(the_first_failure_is_kept),
        cmocka_unit_test(messages_are_one_printable_line),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(neighbours_swapped_are_one_edit),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(more_names_than_a_message_holds),
        cmocka_unit_test(allocations_are_aligned_and_counted),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(arenas_free_all),
        cmocka_unit_test(splits),
        cmocka_unit_test(small_arithmetic),
        cmocka_unit_test(tree_sum_is_the_tree),
        cmocka_unit_test(covers_join_to_the_tree),
        cmocka_unit_test(covers_of_the_comment),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(streams_never_change),
        cmocka_unit_test(uniform_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
