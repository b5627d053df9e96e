#include "base/tree.h"

#include <stdbool.h>

int dt_tree_cover(int64_t shards, dt_span run, dt_subtree cover[DT_COVER_MAX])
{
    int count = 0;
    for (int64_t at = run.first; at < run.last;) {
        int64_t size = 1;
        while (at % (2 * size) == 0 && size < shards && dt_min(at + 2 * size, shards) <= run.last)
            size *= 2;
        const int64_t end = dt_min(at + size, shards);
        cover[count++] = (dt_subtree){{at, end}, size};
        at = end;
    }
    return count;
}

/* left and right are the two children of one node */
static bool siblings(dt_subtree left, dt_subtree right)
{
    return left.size == right.size && left.shards.last == right.shards.first &&
           left.shards.first % (2 * left.size) == 0;
}

/* A node at the right edge that starts where its parent does is that parent: there is nothing to its right. */
static void rise(dt_subtree *node, int64_t shards)
{
    while (node->shards.last == shards && node->size < shards && node->shards.first % (2 * node->size) == 0)
        node->size *= 2;
}

int64_t dt_tree_join(const dt_subtree *subtrees, int64_t count, int32_t *program, int *depth)
{
    dt_subtree stack[2 * DT_COVER_MAX];
    int top = 0, deepest = 0;
    int64_t length = 0;
    for (int64_t i = 0; i < count; i++) {
        if (top == 2 * DT_COVER_MAX)
            return 0;
        stack[top++] = subtrees[i];
        rise(&stack[top - 1], subtrees[count - 1].shards.last);
        deepest = top > deepest ? top : deepest;
        program[length++] = (int32_t)i;
        while (top > 1 && siblings(stack[top - 2], stack[top - 1])) {
            program[length++] = DT_JOIN_ADD;
            stack[top - 2].size *= 2;
            stack[top - 2].shards.last = stack[top - 1].shards.last;
            top--;
            rise(&stack[top - 1], subtrees[count - 1].shards.last);
        }
    }
    *depth = deepest;
    return top == 1 ? length : 0;
}

double dt_tree_sum(const double *leaves, int64_t shards)
{
    if (shards <= 0)
        return 0;
    double level[64]; /* level[h]: sum of 2^h leaves, where bit h of the count is set */
    for (int64_t s = 0; s < shards; s++) {
        double sum = leaves[s];
        int h = 0;
        for (int64_t carry = s; carry & 1; carry >>= 1)
            sum = level[h++] + sum;
        level[h] = sum;
    }
    int h = __builtin_ctzll((unsigned long long)shards);
    double sum = level[h];
    for (int64_t rest = shards >> (h + 1); rest; rest >>= 1) {
        h++;
        if (rest & 1)
            sum = level[h] + sum;
    }
    return sum;
}
