/* The matrix products of equations (1), (4), (5) and (6).
 *
 * Storage. W^l lies in panels of DT_LANES units: element (unit j, input k) at panel[j / LANES][k][j % LANES], with the
 * bias b^l_j as row k = inputs, because the bias gate is a multiply gate whose other input is 1: activations carry a 1
 * in column `inputs`. Rows are rounded up to whole blocks; padding is zero and stays zero.
 *
 * The rule of the chain. Every element of a product is one chain of fused multiply-adds from +0 in increasing index
 * order; lanes run across elements. So tiling, vector width and the number of workers don't change a bit. Sums over
 * shards follow the fixed tree (base/tree.h).
 */
#ifndef DT_KERNELS_PRODUCTS_H
#define DT_KERNELS_PRODUCTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/real.h"

enum {
    DT_GROUP = 3,                              /* panels whose gradient is formed together, */
    DT_GROUP_ROWS = 8,                         /* and rows of blocks of them */
    DT_GROUP_PANEL = DT_GROUP_ROWS * DT_BLOCK, /* numbers of one panel of a group, */
    DT_GROUP_SIZE = DT_GROUP * DT_GROUP_PANEL, /* and of all */
    DT_RUN = DT_GROUP_ROWS,                    /* blocks, one below the other, that a sink is given at once: at most */
    DT_AHEAD = 8,                              /* arrays of which memory is asked for a part ahead: at most */
};

/* Numbers of scratch that gradients of up to `shards` shards need: a group's whole sums, a block for each of its
 * panels, and a group for each level of the tree where partial sums wait. */
static inline int64_t dt_gradient_scratch(int64_t shards)
{
    int64_t levels = 0;
    while ((shards - 1) >> levels)
        levels++;
    return (1 + levels) * DT_GROUP_SIZE + DT_GROUP * DT_BLOCK;
}

/* DT_BLOCK numbers for a block; those for the blocks below it are `apart` numbers from each other. */
typedef struct dt_region {
    const dt_real *at;
    int64_t apart;
} dt_region;

/* What becomes of the gradient, sum by sum. Just one of W, out and sink is not NULL; W and out
 * are laid out as the parameter vector. */
typedef struct dt_finish {
    dt_real *out;   /* stored */
    dt_real factor; /* of W and sink: the gradient is sum * factor, one place where 1/B is applied */

    /* The step of plain gradient descent in place, W <- W + rate (sum * factor), without the sum going to memory. */
    dt_real *W, rate;

    /* sum * factor, given away: `count` <= DT_RUN blocks of one panel, from block number `block` of layer l on. g holds
     * their numbers, block by block, and may be overwritten. */
    void (*sink)(void *context, int64_t l, int64_t block, int64_t count, dt_real *g);

    /* Called before a block's sum is formed: where lies what the sink will need with it? Memory is asked for it
     * meanwhile. Returns how many places there are. Once a block at most, and not where all of it is at hand before
     * memory could answer. May be NULL. */
    int (*ahead)(void *context, int64_t l, int64_t block, dt_region place[DT_AHEAD]);
    void *context;
} dt_finish;

/* Number i of the blocks'. */
static inline const dt_real *dt_region_line(const dt_region *place, int64_t i)
{
    return place->at + i / DT_BLOCK * place->apart + i % DT_BLOCK;
}

/* Asks for what the sink will need with `count` blocks of one panel. To the second-level cache: the nearest is full of
 * what gradients are formed from. */
static inline void dt_ask_ahead(const dt_finish *finish, int64_t l, int64_t block, int64_t count)
{
    dt_region place[DT_AHEAD];
    const int places = finish->ahead ? finish->ahead(finish->context, l, block, place) : 0;
    for (int p = 0; p < places; p++)
        for (int64_t i = 0; i < count * DT_BLOCK; i += DT_LANES)
            __builtin_prefetch(dt_region_line(&place[p], i), 0, 2);
}

/* Layer l's part of the parameter vector, as kernels see it. */
typedef struct dt_blocks {
    int64_t l, inputs, units;
    int64_t panels;      /* blocks: panel * dt_blocks_a_panel(inputs) + row of blocks */
    int64_t offset;      /* of block 0 in the parameter vector */
    dt_real *transposed; /* the transposed copy, which a step in place rewrites too; NULL: there is none */
    int64_t transposed_rows;
} dt_blocks;

/* The weight gradient of one layer over the samples of consecutive shards: dW_jk = sum_i delta_ij a_ik, equations (5)
 * and (6). */
typedef struct dt_gradient_task {
    dt_blocks layer;
    const dt_real *a;     /* (samples, inputs + 1), 1 in column `inputs`, row i at a + i * a_stride; room up to whole
                             panels, where anything may stand */
    const dt_real *delta; /* (samples, whole panels), padding zero, row i at delta + i * delta_stride */
    int64_t a_stride, delta_stride;
    int64_t samples, shard_size; /* the last shard may be short; the first one starts an aligned subtree */
    int64_t first, last;         /* blocks of this layer to form */
    bool shared;                 /* other workers read and write a, delta and the sums, too */
    dt_real *scratch;            /* dt_gradient_scratch(shards) numbers, this worker's */
} dt_gradient_task;

typedef struct dt_products {
    /* C (rows, panels * LANES) = A (rows, depth) B, where B is `panels` panels of (depth, LANES), `b_panel` numbers
     * apart. Equation (1) with B = W and depth = inputs + 1; equation (4) with B = the transposed copy. */
    void (*product)(int64_t rows, int64_t panels, int64_t depth, const dt_real *A, int64_t a_stride, const dt_real *B,
                    int64_t b_panel, dt_real *C, int64_t c_stride);

    void (*gradient)(const dt_gradient_task *task, const dt_finish *finish);

    /* The sum left + right of `count` <= DT_RUN blocks of one panel, from `block` of the layer on, finished. left and
     * right are (count, DT_BLOCK) numbers; so is `scratch`, this worker's, for a sink. */
    void (*join)(const dt_blocks *layer, int64_t block, int64_t count, const dt_real *left, const dt_real *right,
                 dt_real *scratch, const dt_finish *finish);

    /* sum[i] = left[i] + right[i], n a multiple of DT_LANES; sum may be left or right. */
    void (*add)(int64_t n, const dt_real *left, const dt_real *right, dt_real *sum);

    /* One block of W (k, j lanes) into the same block of the transposed copy (j, k lanes): to[j * LANES + k] = from[k *
     * LANES + j]. */
    void (*transpose)(const dt_real *from, dt_real *to);

    /* x[f] = scale * value of the file's element, n elements. */
    void (*convert_u8)(int64_t n, const uint8_t *from, dt_real scale, dt_real *x);
    void (*convert_f32)(int64_t n, const float *from, dt_real scale, dt_real *x);
    void (*convert_f64)(int64_t n, const double *from, dt_real scale, dt_real *x);
} dt_products;

DT_DECLARE_VARIANTS(dt_products, dt_products, )

/* Blocks along the rows of a panel: the weights' rows and the bias row. */
static inline int64_t dt_blocks_a_panel(int64_t inputs)
{
    return (inputs + 1 + DT_LANES - 1) / DT_LANES;
}

/* Where a block of weights stands in the transposed copy; NULL where it has no place there (biases). */
static inline dt_real *dt_transposed_block(const dt_blocks *layer, int64_t block)
{
    const int64_t column = dt_blocks_a_panel(layer->inputs), panel = block / column, k = block % column * DT_LANES;
    if (!layer->transposed || k >= layer->inputs)
        return NULL;
    return layer->transposed + k * layer->transposed_rows + panel * DT_BLOCK;
}

#endif
