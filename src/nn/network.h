/* The network's parameters: one flat vector that optimizers and reductions see as plain numbers, cut into blocks.
 *
 * Layer l has `panels` panels of `column` blocks: panel * column + block is a block's number within the layer, and
 * block numbers go on from layer to layer. kernels/products.h says what lies in a block. Layers 2..L have a transposed
 * copy of their weights for equation (4), rewritten whenever a block changes.
 *
 * Compiled in both precisions.
 */
#ifndef DT_NN_NETWORK_H
#define DT_NN_NETWORK_H

#include <stddef.h>

#include "base/split.h"
#include "deltoid/experiment.h"
#include "deltoid/status.h"
#include "kernels/products.h"
#include "nn/activation.h"
#include "nn/initializer.h"

typedef struct dt_layer {
    int64_t inputs, units;
    int64_t panels;      /* of units */
    int64_t column;      /* blocks a panel */
    int64_t first_block; /* in the parameter vector */
    const dt_activation *activation;
    double parameter; /* of the activation */
    double init_parameter;
    double *drawn; /* (units, inputs) weights that the initializer made at once; NULL: it makes them one by one */
    const dt_initializer *initializer;
    double dropout, max_norm; /* as the experiment has them */
    dt_real *transposed;      /* panels of inputs of (transposed_rows, LANES); NULL for l = 1 */
    int64_t transposed_rows;  /* units, rounded up to whole panels */
} dt_layer;

typedef struct dt_network {
    int64_t layers;  /* L */
    dt_layer *layer; /* layer[l], l = 1 .. L */
    int64_t blocks;  /* of all layers */
    const dt_products *products;
    dt_real *parameters; /* blocks * DT_BLOCK, and behind them all transposed copies */
    int64_t transposed_count;
} dt_network;

/* Bytes of memory from shapes alone, as dt_allocate_hot takes them: of the network, and of one more array as long as
 * the parameter vector. units[0..layers], units[0] = features. false on overflow. */
#define dt_network_measure DT_R(dt_network_measure)
bool dt_network_measure(int64_t layers, const int64_t *units, size_t *network, size_t *vector);

/* Names in `specs` (layers) must be valid. The parameters' memory is not touched: workers do, by dt_network_draw.
 * Weights that an initializer makes at once (orthogonal) are made here, from `seed`, and kept until dt_network_settle.
 */
#define dt_network_create DT_R(dt_network_create)
dt_status dt_network_create(dt_network **network, const dt_layer_spec *specs, int64_t layers, int64_t features,
                            uint64_t seed, dt_error *error);
/* Another network of the same layers, for weights of its own, which are not copied. */
#define dt_network_create_like DT_R(dt_network_create_like)
dt_status dt_network_create_like(dt_network **network, const dt_network *like, dt_error *error);
#define dt_network_destroy DT_R(dt_network_destroy)
void dt_network_destroy(dt_network *network);

/* Writes the initial weights of blocks first .. last-1, and zeroes their padding. */
#define dt_network_draw DT_R(dt_network_draw)
void dt_network_draw(dt_network *network, uint64_t seed, dt_span blocks);

/* All are drawn. */
#define dt_network_settle DT_R(dt_network_settle)
void dt_network_settle(dt_network *network);

/* Layer l as kernels see it. */
static inline dt_blocks dt_network_blocks(const dt_network *network, int64_t l)
{
    const dt_layer *layer = &network->layer[l];
    return (dt_blocks){l,
                       layer->inputs,
                       layer->units,
                       layer->panels,
                       layer->first_block * DT_BLOCK,
                       layer->transposed,
                       layer->transposed_rows};
}

/* Rewrites block `block` of layer l in the transposed copy. */
#define dt_network_transpose DT_R(dt_network_transpose)
void dt_network_transpose(dt_network *network, int64_t l, int64_t block);

/* Copies what of layer l's weights, or of anything laid out as the parameter vector, lies in `blocks` into W (units,
 * inputs) and b (units); either may be NULL. */
#define dt_network_export DT_R(dt_network_export)
void dt_network_export(const dt_network *network, const dt_real *parameters, int64_t l, dt_span blocks, dt_real *W,
                       dt_real *b);

/* The same of block number `block` alone, whose numbers are `from`. */
#define dt_network_export_block DT_R(dt_network_export_block)
void dt_network_export_block(const dt_network *network, const dt_real *from, int64_t block, dt_real *W, dt_real *b);

/* The way back: W and b of layer l into anything laid out as the parameter vector. */
#define dt_network_arrange DT_R(dt_network_arrange)
void dt_network_arrange(const dt_network *network, int64_t l, const dt_real *W, const dt_real *b, dt_real *parameters);

/* Sets layer l's weights from W and b; the transposed copy follows. */
#define dt_network_import DT_R(dt_network_import)
void dt_network_import(dt_network *network, int64_t l, const dt_real *W, const dt_real *b);

/* Gives W and b layer l's weights, and the network theirs. */
#define dt_network_exchange DT_R(dt_network_exchange)
void dt_network_exchange(dt_network *network, int64_t l, dt_real *W, dt_real *b);

/* Where w^l_jk lies in anything laid out as the parameter vector; k = inputs: b^l_j. */
static inline int64_t dt_network_place(const dt_network *network, int64_t l, int64_t j, int64_t k)
{
    const dt_layer *layer = &network->layer[l];
    return (layer->first_block + j / DT_LANES * layer->column) * DT_BLOCK + k * DT_LANES + j % DT_LANES;
}

#endif
