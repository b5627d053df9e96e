/* The fixed tree over shards by its definition (base/tree.h), for the tests of kernels. Compiled in both precisions. */
#ifndef DT_TESTS_SHARD_TREE_H
#define DT_TESTS_SHARD_TREE_H

#include "kernels/real.h"

/* The node of the tree over `shards` leaves that starts at `first` and has size `size`. */
static inline dt_real tree_node(const dt_real *leaf, int64_t shards, int64_t first, int64_t size)
{
    if (size == 1)
        return leaf[first];
    const dt_real left = tree_node(leaf, shards, first, size / 2);
    return first + size / 2 < shards ? left + tree_node(leaf, shards, first + size / 2, size / 2) : left;
}

static inline dt_real tree_sum(const dt_real *leaf, int64_t shards)
{
    int64_t size = 1;
    while (size < shards)
        size *= 2;
    return tree_node(leaf, shards, 0, size);
}

#endif
