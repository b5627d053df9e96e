/* The fixed tree over shards, which decides in which order gradients are added, whoever adds them.
 *
 * Shards 0 .. S-1 are the leaves. A node of size 2^h covers shards [i 2^h, min((i+1) 2^h, S)); its sum is left child +
 * right child, or the left child alone where the right one is empty. S = 5:
 *
 *                [0,5)
 *              /       \
 *          [0,4)       [4,5)
 *         /     \
 *      [0,2)   [2,4)
 *      /  \    /  \
 *     0    1  2    3
 *
 * A worker that owns shards [p, q) keeps one partial sum a maximal aligned subtree of [p, q) (its cover); the join adds
 * the covers of all workers in the tree's own order. So the association is a fact of S alone, for any number of
 * workers.
 */
#ifndef DT_BASE_TREE_H
#define DT_BASE_TREE_H

#include <stdint.h>

#include "base/split.h"

/* Subtrees in a cover, at most: two for each level of a tree of up to 2^31 shards. */
enum { DT_COVER_MAX = 64 };

/* A subtree: its shards, and the size 2^h it has where it isn't cut off at S. */
typedef struct dt_subtree {
    dt_span shards;
    int64_t size;
} dt_subtree;

/* The maximal aligned subtrees of `run` in a tree of `shards` leaves, ascending; returns how many. An empty run has
 * none.
 *
 *     S = 8: [0,8) -> [0,8)    [3,6) -> [3,4) [4,6)    [1,8) -> [1,2) [2,4) [4,8)
 */
int dt_tree_cover(int64_t shards, dt_span run, dt_subtree cover[DT_COVER_MAX]);

/* How subtrees that together cover all shards are added: a program for a stack machine, in postfix. */
enum { DT_JOIN_ADD = -1 };

/* Writes for `count` subtrees (ascending, without gaps) the program to `program` (2 count - 1 entries): entry i >= 0
 * pushes subtree i, DT_JOIN_ADD replaces the two topmost, left and right, by left + right. Returns the length, 0 where
 * they don't make a tree; *depth is the deepest stack it needs. */
int64_t dt_tree_join(const dt_subtree *subtrees, int64_t count, int32_t *program, int *depth);

/* Sum of S numbers in the tree's order. */
double dt_tree_sum(const double *leaves, int64_t shards);

#endif
