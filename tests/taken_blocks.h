/* The blocks of a gradient, as a sink takes them (dt_finish of kernels/products.h), for the tests of kernels. Compiled
 * in both precisions. */
#ifndef DT_TESTS_TAKEN_BLOCKS_H
#define DT_TESTS_TAKEN_BLOCKS_H

#include "kernels/products.h"
#include "variants.h"

typedef struct blocks {
    const dt_blocks *layer;
    dt_span own; /* those that may be given */
    dt_real *g;  /* from the layer's first block on */
    int *taken;  /* how many times each block came */
    int *asked;  /* and how many times it was said that it would; NULL: nobody says it */
} blocks;

static inline void take_blocks(void *context, int64_t l, int64_t block, int64_t count, dt_real *g)
{
    blocks *b = context;
    const int64_t column = dt_blocks_a_panel(b->layer->inputs);
    assert_int_equal(l, b->layer->l);
    assert_in_range(count, 1, DT_RUN);
    assert_in_range(block, b->own.first, b->own.last - count);
    assert_int_equal(block / column, (block + count - 1) / column);
    for (int64_t i = 0; i < count; i++)
        b->taken[block + i]++;
    memcpy(b->g + block * DT_BLOCK, g, (size_t)(count * DT_BLOCK) * sizeof *g);
    fill(g, count * DT_BLOCK, poison()); /* as a sink may */
}

#endif
