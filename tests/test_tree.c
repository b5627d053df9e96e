/* Splits, and the fixed tree over shards: for every number of shards and workers up to 64, whoever adds what, the sum
 * has the tree's own parentheses. */
#define DT_PRECISION 32 /* parallel/reduction.h is compiled in both; what is tested here is the same in either */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/tree.h"
#include "parallel/reduction.h"

enum { SHARDS_MAX = 64, SUBTREES_MAX = 2 * SHARDS_MAX, TEXT_MAX = 512 };

/* A sum with its parentheses: "((0+1)+2)". */
typedef struct expression {
    char text[TEXT_MAX];
} expression;

static void add_expressions(const expression *left, const expression *right, expression *sum)
{
    expression both;
    const int length = snprintf(both.text, TEXT_MAX, "(%s+%s)", left->text, right->text);
    assert_in_range(length, 1, TEXT_MAX - 1);
    *sum = both;
}

/* The node that starts at `first` and has size `size`, as base/tree.h defines it: left child + right child, or the left
 * one alone. */
static void node(int64_t shards, int64_t first, int64_t size, expression *sum)
{
    if (size == 1) {
        snprintf(sum->text, TEXT_MAX, "%lld", (long long)first);
        return;
    }
    node(shards, first, size / 2, sum);
    if (first + size / 2 < shards) {
        expression right;
        node(shards, first + size / 2, size / 2, &right);
        add_expressions(sum, &right, sum);
    }
}

static int64_t root_size(int64_t shards)
{
    int64_t size = 1;
    while (size < shards)
        size *= 2;
    return size;
}

/* --- splits --- */

static void test_split(void **state)
{
    (void)state;
    for (int64_t n = 0; n <= 200; n++)
        for (int64_t parts = 1; parts <= 64; parts++) {
            int64_t next = 0;
            for (int64_t part = 0; part < parts; part++) {
                const dt_span s = dt_split(n, parts, part);
                assert_int_equal(s.first, next);
                assert_int_equal(dt_span_count(s), n / parts + (part < n % parts));
                for (; next < s.last; next++)
                    assert_int_equal(dt_split_part(n, parts, next), part);
            }
            assert_int_equal(next, n);
        }
}

/* Every sample belongs to one worker, in whole shards, as many as its part of the shards. */
static void test_worker_samples(void **state)
{
    (void)state;
    for (int64_t samples = 1; samples <= 140; samples++)
        for (int64_t shard_size = 1; shard_size <= 40; shard_size++)
            for (int64_t workers = 1; workers <= 20; workers++) {
                int64_t next = 0, shards = 0;
                for (int64_t t = 0; t < workers; t++) {
                    const dt_span s = dt_worker_samples(samples, shard_size, workers, t);
                    assert_int_equal(s.first, next);
                    assert_true(s.first % shard_size == 0 || s.first == samples);
                    assert_true(s.last >= s.first);
                    shards += (dt_span_count(s) + shard_size - 1) / shard_size;
                    next = s.last;
                    assert_int_equal(shards, dt_split((samples + shard_size - 1) / shard_size, workers, t).last);
                }
                assert_int_equal(next, samples);
            }
}

/* Groups' shards follow each other, in proportion to their members: no group has one more a member than it must. */
static void test_group_shards(void **state)
{
    (void)state;
    for (int64_t shards = 0; shards <= 40; shards++)
        for (int64_t workers = 1; workers <= 20; workers++)
            for (int64_t groups = 1; groups <= workers; groups++) {
                int64_t next = 0;
                for (int64_t g = 0; g < groups; g++) {
                    const dt_span s = dt_group_shards(shards, workers, groups, g);
                    const int64_t members = dt_span_count(dt_split(workers, groups, g)), count = dt_span_count(s);
                    assert_int_equal(s.first, next);
                    assert_true(count >= 0 && (count - 1) * workers < shards * members);
                    assert_true((count + 1) * workers > shards * members);
                    if (groups == workers)
                        assert_memory_equal(&s, &(dt_span[]){dt_split(shards, workers, g)}, sizeof s);
                    next = s.last;
                }
                assert_int_equal(next, shards);
            }
}

/* --- covers --- */

static bool is_power_of_two(int64_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

/* `cover` tiles the run with nodes of the tree, none of which has a parent within the run. */
static void check_cover(int64_t shards, dt_span run, const dt_subtree *cover, int count)
{
    assert_in_range(count, 0, DT_COVER_MAX);
    int64_t next = run.first;
    for (int i = 0; i < count; i++) {
        const dt_subtree s = cover[i];
        assert_int_equal(s.shards.first, next);
        assert_true(is_power_of_two(s.size));
        assert_int_equal(s.shards.first % s.size, 0);
        assert_int_equal(s.shards.last, dt_min(s.shards.first + s.size, shards));
        const int64_t parent = s.shards.first / (2 * s.size) * (2 * s.size);
        const bool parent_fits = run.first <= parent && dt_min(parent + 2 * s.size, shards) <= run.last;
        if (parent_fits)
            assert_int_equal(s.size, root_size(shards)); /* the root has no parent */
        next = s.shards.last;
    }
    assert_int_equal(next, run.last);
}

static void test_cover(void **state)
{
    (void)state;
    dt_subtree cover[DT_COVER_MAX];
    for (int64_t shards = 1; shards <= SHARDS_MAX; shards++)
        for (int64_t first = 0; first < shards; first++)
            for (int64_t last = first + 1; last <= shards; last++) {
                const dt_span run = {first, last};
                check_cover(shards, run, cover, dt_tree_cover(shards, run, cover));
            }
    assert_int_equal(dt_tree_cover(8, (dt_span){3, 3}, cover), 0);
    assert_int_equal(dt_tree_cover(8, (dt_span){8, 8}, cover), 0);
}

/* The largest trees fit, too. */
static void test_cover_of_many_shards(void **state)
{
    (void)state;
    static const int64_t shards[] = {1000, 65537, (1 << 20) - 1, INT64_C(1) << 31, (INT64_C(1) << 31) - 1};
    dt_subtree cover[DT_COVER_MAX];
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++)
        for (int64_t workers = 1; workers <= 33; workers++)
            for (int64_t t = 0; t < workers; t++) {
                const dt_span run = dt_split(shards[i], workers, t);
                check_cover(shards[i], run, cover, dt_tree_cover(shards[i], run, cover));
            }
    const dt_span most = {1, (INT64_C(1) << 31) - 1};
    assert_int_equal(dt_tree_cover(INT64_C(1) << 31, most, cover), 60);
}

/* Workers that own a power of two of shards each need one buffer. */
static void test_even_workers_have_one_subtree(void **state)
{
    (void)state;
    dt_subtree cover[DT_COVER_MAX];
    for (int64_t workers = 1; workers <= 64; workers++)
        for (int64_t each = 1; each <= 64; each *= 2)
            for (int64_t t = 0; t < workers; t++)
                assert_int_equal(dt_tree_cover(workers * each, dt_split(workers * each, workers, t), cover), 1);
}

/* --- joins --- */

/* Runs the program on expressions; the result has the parentheses of the tree. */
static void check_join(int64_t shards, const dt_subtree *subtrees, int64_t count)
{
    int32_t program[2 * SUBTREES_MAX];
    int depth = 0, top = 0, deepest = 0;
    int64_t pushed = 0;
    const int64_t length = dt_tree_join(subtrees, count, program, &depth);
    assert_int_equal(length, 2 * count - 1);
    expression *stack = calloc((size_t)count, sizeof *stack), want;
    assert_non_null(stack);
    for (int64_t i = 0; i < length; i++) {
        if (program[i] == DT_JOIN_ADD) {
            assert_true(top >= 2);
            top--;
            add_expressions(&stack[top - 1], &stack[top], &stack[top - 1]);
            continue;
        }
        assert_int_equal(program[i], pushed++);
        node(shards, subtrees[program[i]].shards.first, subtrees[program[i]].size, &stack[top++]);
        deepest = top > deepest ? top : deepest;
    }
    assert_int_equal(top, 1);
    assert_int_equal(pushed, count);
    assert_int_equal(depth, deepest);
    node(shards, 0, root_size(shards), &want);
    assert_string_equal(stack[0].text, want.text);
    free(stack);
}

/* The covers of runs that end at ends[0] <= ends[1] <= ... = shards, one after the other. */
static int64_t covers(int64_t shards, const int64_t *ends, int64_t workers, dt_subtree *subtrees)
{
    int64_t count = 0, first = 0;
    for (int64_t t = 0; t < workers; t++) {
        dt_subtree cover[DT_COVER_MAX];
        const int own = dt_tree_cover(shards, (dt_span){first, ends[t]}, cover);
        assert_true(count + own <= SUBTREES_MAX);
        memcpy(subtrees + count, cover, (size_t)own * sizeof *cover);
        count += own;
        first = ends[t];
    }
    return count;
}

static void test_join(void **state)
{
    (void)state;
    dt_subtree subtrees[SUBTREES_MAX];
    int64_t ends[64];
    for (int64_t shards = 1; shards <= SHARDS_MAX; shards++)
        for (int64_t workers = 1; workers <= 64; workers++) {
            for (int64_t t = 0; t < workers; t++)
                ends[t] = dt_split(shards, workers, t).last;
            check_join(shards, subtrees, covers(shards, ends, workers, subtrees));
        }
}

/* Any contiguous runs, however uneven. */
static void test_join_of_uneven_runs(void **state)
{
    (void)state;
    dt_subtree subtrees[SUBTREES_MAX];
    int64_t ends[3];
    for (int64_t shards = 1; shards <= 40; shards++)
        for (ends[0] = 0; ends[0] <= shards; ends[0]++)
            for (ends[1] = ends[0]; ends[1] <= shards; ends[1]++) {
                ends[2] = shards;
                check_join(shards, subtrees, covers(shards, ends, 3, subtrees));
            }
}

static void test_join_refuses_what_is_no_tree(void **state)
{
    (void)state;
    const dt_subtree gap[] = {{{0, 2}, 2}, {{3, 4}, 1}}, unaligned[] = {{{0, 1}, 1}, {{1, 3}, 2}, {{3, 4}, 1}};
    int32_t program[8];
    int depth;
    assert_int_equal(dt_tree_join(gap, 2, program, &depth), 0);
    assert_int_equal(dt_tree_join(unaligned, 3, program, &depth), 0);
    assert_int_equal(dt_tree_join(gap, 0, program, &depth), 0);
}

/* --- sums --- */

static double node_sum(const double *leaves, int64_t shards, int64_t first, int64_t size)
{
    if (size == 1)
        return leaves[first];
    const double left = node_sum(leaves, shards, first, size / 2);
    return first + size / 2 < shards ? left + node_sum(leaves, shards, first + size / 2, size / 2) : left;
}

static void test_sum(void **state)
{
    (void)state;
    enum { MOST = 2100 };
    double *leaves = malloc(MOST * sizeof *leaves);
    assert_non_null(leaves);
    uint64_t random = 1;
    for (int64_t i = 0; i < MOST; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u; /* Knuth's, MMIX */
        leaves[i] = ((double)(random >> 11) * 0x1p-52 - 1) * (double)(1 + (random >> 5) % 1000);
    }
    for (int64_t shards = 1; shards <= MOST; shards += shards < 300 ? 1 : 71) {
        const double got = dt_tree_sum(leaves, shards), want = node_sum(leaves, shards, 0, root_size(shards));
        assert_memory_equal(&got, &want, sizeof got);
    }
    assert_true(dt_tree_sum(leaves, 0) == 0);
    free(leaves);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_worker_samples),
        cmocka_unit_test(test_group_shards),
        cmocka_unit_test(test_cover),
        cmocka_unit_test(test_cover_of_many_shards),
        cmocka_unit_test(test_even_workers_have_one_subtree),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_join_of_uneven_runs),
        cmocka_unit_test(test_join_refuses_what_is_no_tree),
        cmocka_unit_test(test_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
