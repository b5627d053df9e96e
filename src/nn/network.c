#include "nn/network.h"

#include <string.h>

#include "base/memory.h"
#include "nn/own.h"

/* The activation of that name; the caller has validated it. */
static const dt_activation *activation_named(const char *name)
{
    const dt_activation *table = DT_SELECT(dt_activation, dt_activations, );
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++)
        if (strcmp(table[i].entry.name, name) == 0)
            return &table[i];
    return dt_own_activation_named(name);
}

static const dt_initializer *initializer_named(const char *name)
{
    const dt_initializer *initializer;
    for (size_t i = 0; (initializer = dt_initializer_at(i)); i++)
        if (strcmp(initializer->entry.name, name) == 0)
            return initializer;
    return NULL;
}

static int64_t panels_of(int64_t n)
{
    return dt_whole_panels(n) / DT_LANES;
}

static int64_t transposed_size(int64_t inputs, int64_t units)
{
    return dt_whole_panels(inputs) * dt_whole_panels(units);
}

bool dt_network_measure(int64_t layers, const int64_t *units, size_t *network, size_t *vector)
{
    size_t parameters = 0, transposed = 0, both;
    for (int64_t l = 1; l <= layers; l++) {
        size_t numbers, copy;
        if (__builtin_mul_overflow((size_t)(panels_of(units[l]) * dt_blocks_a_panel(units[l - 1])),
                                   DT_BLOCK * sizeof(dt_real), &numbers) ||
            __builtin_mul_overflow((size_t)transposed_size(units[l - 1], units[l]), sizeof(dt_real), &copy) ||
            __builtin_add_overflow(parameters, numbers, &parameters) ||
            __builtin_add_overflow(transposed, l > 1 ? copy : 0, &transposed))
            return false;
    }
    if (__builtin_add_overflow(parameters, transposed, &both) || both > PTRDIFF_MAX)
        return false;
    *network = dt_hot_bytes(both);
    *vector = dt_hot_bytes(parameters);
    return true;
}

/* Weights of layer l that are made at once. */
static dt_status make_weights(dt_layer *layer, int64_t l, uint64_t seed, dt_error *error)
{
    if (!layer->initializer->matrix)
        return DT_OK;
    layer->drawn = dt_allocate((size_t)(layer->units * layer->inputs), sizeof *layer->drawn);
    if (!layer->drawn)
        return dt_fail_memory(error, "a layer's first weights");
    return layer->initializer->matrix(seed, l, layer->inputs, layer->units, layer->init_parameter, layer->drawn, error);
}

/* Weights and transposed copies in one block, so that huge pages hold both. */
static bool allocate_parameters(dt_network *n)
{
    n->parameters = dt_allocate_hot((size_t)(n->blocks * DT_BLOCK + n->transposed_count), sizeof(dt_real));
    if (!n->parameters)
        return false;
    dt_real *at = n->parameters + n->blocks * DT_BLOCK;
    for (int64_t l = 2; l <= n->layers; l++) {
        n->layer[l].transposed = at;
        at += transposed_size(n->layer[l].inputs, n->layer[l].units);
    }
    return true;
}

dt_status dt_network_create(dt_network **network, const dt_layer_spec *specs, int64_t layers, int64_t features,
                            uint64_t seed, dt_error *error)
{
    *network = NULL;
    dt_network *n = dt_allocate_zeroed(1, sizeof *n);
    if (!n)
        return dt_fail_memory(error, "the network");
    n->layer = dt_allocate_zeroed((size_t)layers + 1, sizeof *n->layer);
    if (!n->layer)
        goto fail;
    n->layers = layers;
    n->products = DT_SELECT(dt_products, dt_products, &);
    for (int64_t l = 1; l <= layers; l++) {
        dt_layer *layer = &n->layer[l];
        layer->inputs = l > 1 ? specs[l - 2].units : features;
        layer->units = specs[l - 1].units;
        layer->panels = panels_of(layer->units);
        layer->column = dt_blocks_a_panel(layer->inputs);
        layer->first_block = n->blocks;
        layer->activation = activation_named(specs[l - 1].activation);
        layer->parameter = dt_activation_parameter(&specs[l - 1]);
        layer->initializer = initializer_named(specs[l - 1].init);
        layer->init_parameter = dt_init_parameter(&specs[l - 1]);
        layer->dropout = specs[l - 1].dropout;
        layer->max_norm = specs[l - 1].max_norm;
        layer->transposed_rows = dt_whole_panels(layer->units);
        n->blocks += layer->panels * layer->column;
        if (l > 1)
            n->transposed_count += transposed_size(layer->inputs, layer->units);
    }
    if (!allocate_parameters(n))
        goto fail;
    dt_status status = DT_OK;
    for (int64_t l = 1; status == DT_OK && l <= layers; l++)
        status = make_weights(&n->layer[l], l, seed, error);
    if (status != DT_OK) {
        dt_network_destroy(n);
        return status;
    }
    *network = n;
    return DT_OK;
fail:
    dt_network_destroy(n);
    return dt_fail_memory(error, "the network's parameters");
}

dt_status dt_network_create_like(dt_network **network, const dt_network *like, dt_error *error)
{
    const size_t layers = (size_t)like->layers + 1;
    dt_network *n = dt_allocate_zeroed(1, sizeof *n);
    *network = NULL;
    if (!n)
        return dt_fail_memory(error, "a worker's weights");
    *n = *like;
    n->parameters = NULL;
    if ((n->layer = dt_allocate_zeroed(layers, sizeof *n->layer))) {
        memcpy(n->layer, like->layer, layers * sizeof *n->layer);
        for (int64_t l = 1; l <= n->layers; l++)
            n->layer[l].drawn = NULL; /* that one's */
    }
    if (!n->layer || !allocate_parameters(n)) {
        dt_network_destroy(n);
        return dt_fail_memory(error, "a worker's weights");
    }
    *network = n;
    return DT_OK;
}

void dt_network_destroy(dt_network *network)
{
    if (!network)
        return;
    if (network->layer)
        dt_network_settle(network);
    dt_release(network->parameters);
    dt_release(network->layer);
    dt_release(network);
}

void dt_network_settle(dt_network *network)
{
    for (int64_t l = 1; l <= network->layers; l++) {
        dt_release(network->layer[l].drawn);
        network->layer[l].drawn = NULL;
    }
}

/* Where a block of the parameter vector lies: its layer, panel and first row. */
typedef struct place {
    int64_t l, panel, k;
} place;

static place place_of(const dt_network *n, int64_t block)
{
    int64_t l = 1;
    while (l < n->layers && block >= n->layer[l + 1].first_block)
        l++;
    const int64_t within = block - n->layer[l].first_block;
    return (place){l, within / n->layer[l].column, within % n->layer[l].column * DT_LANES};
}

static double first_weight(const dt_layer *layer, uint64_t seed, int64_t l, int64_t index)
{
    return layer->drawn ? layer->drawn[index]
                        : dt_initial_weight(layer->initializer, layer->init_parameter, seed, l, layer->inputs,
                                            layer->units, index);
}

void dt_network_draw(dt_network *network, uint64_t seed, dt_span blocks)
{
    for (int64_t block = blocks.first; block < blocks.last; block++) {
        const place p = place_of(network, block);
        const dt_layer *layer = &network->layer[p.l];
        dt_real *W = network->parameters + block * DT_BLOCK;
        memset(W, 0, DT_BLOCK * sizeof *W); /* padding, and the bias row */
        for (int64_t k = p.k; k < dt_min(p.k + DT_LANES, layer->inputs); k++)
            for (int64_t j = p.panel * DT_LANES; j < dt_min((p.panel + 1) * DT_LANES, layer->units); j++)
                W[(k - p.k) * DT_LANES + j % DT_LANES] = (dt_real)first_weight(layer, seed, p.l, j * layer->inputs + k);
        dt_network_transpose(network, p.l, block - layer->first_block);
    }
}

void dt_network_transpose(dt_network *network, int64_t l, int64_t block)
{
    const dt_blocks layer = dt_network_blocks(network, l);
    dt_real *to = dt_transposed_block(&layer, block);
    if (to)
        network->products->transpose(network->parameters + layer.offset + block * DT_BLOCK, to);
}

void dt_network_export_block(const dt_network *network, const dt_real *from, int64_t block, dt_real *W, dt_real *b)
{
    const place p = place_of(network, block);
    const dt_layer *layer = &network->layer[p.l];
    const int64_t end = dt_min(p.k + DT_LANES, layer->inputs);
    for (int64_t j = p.panel * DT_LANES; j < dt_min((p.panel + 1) * DT_LANES, layer->units); j++) {
        for (int64_t k = p.k; W && k < end; k++)
            W[j * layer->inputs + k] = from[(k - p.k) * DT_LANES + j % DT_LANES];
        if (b && p.k <= layer->inputs && layer->inputs < p.k + DT_LANES)
            b[j] = from[(layer->inputs - p.k) * DT_LANES + j % DT_LANES];
    }
}

void dt_network_export(const dt_network *network, const dt_real *parameters, int64_t l, dt_span blocks, dt_real *W,
                       dt_real *b)
{
    const dt_layer *layer = &network->layer[l];
    const int64_t first = dt_max(blocks.first, layer->first_block);
    const int64_t last = dt_min(blocks.last, layer->first_block + layer->panels * layer->column);
    for (int64_t block = first; block < last; block++)
        dt_network_export_block(network, parameters + block * DT_BLOCK, block, W, b);
}

void dt_network_arrange(const dt_network *network, int64_t l, const dt_real *W, const dt_real *b, dt_real *parameters)
{
    const dt_layer *layer = &network->layer[l];
    for (int64_t j = 0; j < layer->units; j++) {
        dt_real *panel = parameters + (layer->first_block + j / DT_LANES * layer->column) * DT_BLOCK + j % DT_LANES;
        for (int64_t k = 0; k < layer->inputs; k++)
            panel[k * DT_LANES] = W[j * layer->inputs + k];
        panel[layer->inputs * DT_LANES] = b[j];
    }
}

void dt_network_import(dt_network *network, int64_t l, const dt_real *W, const dt_real *b)
{
    const dt_layer *layer = &network->layer[l];
    dt_network_arrange(network, l, W, b, network->parameters);
    for (int64_t block = 0; block < layer->panels * layer->column; block++)
        dt_network_transpose(network, l, block);
}

void dt_network_exchange(dt_network *network, int64_t l, dt_real *W, dt_real *b)
{
    const dt_layer *layer = &network->layer[l];
    for (int64_t j = 0; j < layer->units; j++)
        for (int64_t k = 0; k <= layer->inputs; k++) {
            dt_real *mine = &network->parameters[dt_network_place(network, l, j, k)];
            dt_real *theirs = k < layer->inputs ? &W[j * layer->inputs + k] : &b[j];
            const dt_real kept = *mine;
            *mine = *theirs;
            *theirs = kept;
        }
    for (int64_t block = 0; block < layer->panels * layer->column; block++)
        dt_network_transpose(network, l, block);
}
