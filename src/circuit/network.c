/* A network's gates are made in an order that arithmetic can find again: x_1 .. x_n, then layer by layer and unit by
 * unit w, product (for each k), sum, b, z, a, and at last the cost. */
#include <stdint.h>

#include "circuit/circuit.h"

enum { OF_INPUT = 2 /* w, product */, SUM = 0, BIAS, Z, A };

struct dt_network_circuit {
    dt_circuit *circuit;
    int64_t layers;
    int64_t *units; /* (L + 1) */
    size_t *first;  /* (L + 1) first[l]: the first gate of layer l */
};

/* Gates of one unit of layer l. */
static size_t unit_size(int64_t inputs, bool last)
{
    return OF_INPUT * (size_t)inputs + (last ? 3 : 4);
}

size_t dt_network_circuit_size(int64_t layers, const int64_t *units)
{
    size_t gates = (size_t)units[0] + 1, unit, layer;
    for (int64_t l = 1; l <= layers; l++) {
        if (units[l - 1] > INT64_MAX / 4)
            return SIZE_MAX;
        unit = unit_size(units[l - 1], l == layers);
        if (!dt_multiply((size_t)units[l], unit, &layer) || layer > SIZE_MAX - gates)
            return SIZE_MAX;
        gates += layer;
    }
    return gates;
}

static dt_status check(const dt_network_circuit_spec *spec, dt_error *error)
{
    if (spec->layers < 1 || spec->layers > INT32_MAX)
        return dt_fail(error, DT_INVALID, "a network of %lld layers; it must have at least 1", (long long)spec->layers);
    for (int64_t l = 0; l <= spec->layers; l++)
        if (spec->units[l] < 1)
            return dt_fail(error, DT_INVALID, "%lld units in layer %lld; there must be at least 1",
                           (long long)spec->units[l], (long long)l);
    const int64_t classes = spec->units[spec->layers];
    if (!spec->t && (spec->y < 0 || spec->y >= classes))
        return dt_fail(error, DT_INVALID, "right class %lld of a network with %lld outputs; classes count from 0",
                       (long long)spec->y, (long long)classes);
    if (dt_network_circuit_size(spec->layers, spec->units) == SIZE_MAX)
        return dt_fail(error, DT_NO_MEMORY,
                       "the network's circuit has more gates than can be counted; use a smaller network");
    return DT_OK;
}

static dt_gate *make_activation(dt_circuit *c, const dt_network_circuit_spec *spec, int64_t l, dt_gate *z)
{
    if (spec->own && spec->own[l])
        return dt_circuit_own_activation(c, spec->own[l], z);
    return dt_circuit_activation_with(c, spec->activation[l], spec->parameter ? spec->parameter[l] : 0, z);
}

/* Unit j of layer l. `before` are the gates a^{l-1}, `products` room for as many; returns a^l_j, or z^L_j. */
static dt_gate *make_unit(dt_circuit *c, const dt_network_circuit_spec *spec, int64_t l, int64_t j,
                          dt_gate *const *before, dt_gate **products)
{
    const int64_t inputs = spec->units[l - 1];
    for (int64_t k = 0; k < inputs; k++) {
        dt_gate *w = dt_circuit_input(c, spec->W[l][j * inputs + k]);
        products[k] = dt_circuit_multiply(c, w, before[k]);
    }
    dt_gate *sum = dt_circuit_add(c, (size_t)inputs, products);
    dt_gate *b = dt_circuit_input(c, spec->b[l][j]);
    dt_gate *z = dt_circuit_add(c, 2, (dt_gate *[]){sum, b});     /* (1) */
    return l < spec->layers ? make_activation(c, spec, l, z) : z; /* (2) */
}

/* All gates. `room` holds three times the widest layer: a^{l-1}, a^l, and a unit's products. */
static void make_gates(dt_network_circuit *n, const dt_network_circuit_spec *spec, dt_gate **room, int64_t widest)
{
    dt_circuit *c = n->circuit;
    dt_gate **before = room, **now = room + widest, **products = room + 2 * widest;
    for (int64_t k = 0; k < spec->units[0]; k++)
        now[k] = dt_circuit_input(c, spec->x[k]);
    for (int64_t l = 1; l <= spec->layers && c->failure.status == DT_OK; l++) {
        dt_gate **swap = before;
        before = now, now = swap;
        n->first[l] = dt_circuit_gate_count(c);
        for (int64_t j = 0; j < spec->units[l] && c->failure.status == DT_OK; j++)
            now[j] = make_unit(c, spec, l, j, before, products);
    }
    if (c->failure.status != DT_OK)
        return;
    const dt_cost_spec cost = {
        .name = spec->loss, .own = spec->own_loss, .options = spec->loss_options, .y = (size_t)spec->y, .t = spec->t};
    dt_circuit_cost_of(c, &cost, (size_t)spec->units[spec->layers], now);
}

dt_status dt_network_circuit_create(dt_network_circuit **network, const dt_network_circuit_spec *spec, dt_error *error)
{
    *network = NULL;
    dt_status status = check(spec, error);
    if (status != DT_OK)
        return status;
    const size_t layers = (size_t)spec->layers + 1;
    int64_t widest = 0;
    for (size_t l = 0; l < layers; l++)
        widest = spec->units[l] > widest ? spec->units[l] : widest;
    dt_gate **room = NULL;
    dt_network_circuit *n = dt_allocate_zeroed(1, sizeof *n);
    if (!n)
        goto no_memory;
    n->layers = spec->layers;
    n->units = dt_allocate(layers, sizeof *n->units);
    n->first = dt_allocate_zeroed(layers, sizeof *n->first);
    room = dt_allocate_zeroed((size_t)widest, 3 * sizeof(dt_gate *));
    if (!n->units || !n->first || !room || dt_circuit_create(&n->circuit, NULL) != DT_OK)
        goto no_memory;
    for (size_t l = 0; l < layers; l++)
        n->units[l] = spec->units[l];
    make_gates(n, spec, room, widest);
    if (n->circuit->failure.status != DT_OK) {
        status = dt_fail(error, n->circuit->failure.status, "%s", n->circuit->failure.message);
        goto fail;
    }
    dt_release(room);
    *network = n;
    return DT_OK;

no_memory:
    status = dt_fail_memory(error, "the network's circuit");
fail:
    dt_release(room);
    dt_network_circuit_destroy(n);
    return status;
}

void dt_network_circuit_destroy(dt_network_circuit *network)
{
    if (!network)
        return;
    dt_circuit_destroy(network->circuit);
    dt_release(network->units);
    dt_release(network->first);
    dt_release(network);
}

static bool has(const dt_network_circuit *n, int64_t l, int64_t j)
{
    return l >= 0 && l <= n->layers && j >= 0 && j < n->units[l];
}

/* The first gate of unit j of layer l = 1 .. L; or of what follows its inputs. */
static size_t unit_gate(const dt_network_circuit *n, int64_t l, int64_t j)
{
    return n->first[l] + (size_t)j * unit_size(n->units[l - 1], l == n->layers);
}

static dt_gate *after_inputs(const dt_network_circuit *n, int64_t l, int64_t j, size_t which)
{
    if (l < 1 || !has(n, l, j))
        return NULL;
    return dt_circuit_gate(n->circuit, unit_gate(n, l, j) + OF_INPUT * (size_t)n->units[l - 1] + which);
}

dt_gate *dt_network_circuit_w(const dt_network_circuit *network, int64_t l, int64_t j, int64_t k)
{
    if (l < 1 || !has(network, l, j) || !has(network, l - 1, k))
        return NULL;
    return dt_circuit_gate(network->circuit, unit_gate(network, l, j) + OF_INPUT * (size_t)k);
}

dt_gate *dt_network_circuit_product(const dt_network_circuit *network, int64_t l, int64_t j, int64_t k)
{
    const dt_gate *w = dt_network_circuit_w(network, l, j, k);
    return w ? dt_circuit_gate(network->circuit, w->index + 1) : NULL;
}

dt_gate *dt_network_circuit_sum(const dt_network_circuit *network, int64_t l, int64_t j)
{
    return after_inputs(network, l, j, SUM);
}

dt_gate *dt_network_circuit_b(const dt_network_circuit *network, int64_t l, int64_t j)
{
    return after_inputs(network, l, j, BIAS);
}

dt_gate *dt_network_circuit_z(const dt_network_circuit *network, int64_t l, int64_t j)
{
    return after_inputs(network, l, j, Z);
}

dt_gate *dt_network_circuit_a(const dt_network_circuit *network, int64_t l, int64_t j)
{
    if (l == 0)
        return has(network, 0, j) ? dt_circuit_gate(network->circuit, (size_t)j) : NULL;
    return after_inputs(network, l, j, l == network->layers ? Z : A);
}

dt_gate *dt_network_circuit_cost(const dt_network_circuit *network)
{
    return dt_circuit_gate(network->circuit, network->circuit->count - 1);
}

static void set_inputs(dt_network_circuit *network, const double *x)
{
    for (int64_t k = 0; k < network->units[0]; k++)
        dt_circuit_set(dt_network_circuit_a(network, 0, k), x[k], NULL);
}

dt_status dt_network_circuit_sample_targets(dt_network_circuit *network, const double *x, const double *t,
                                            dt_error *error)
{
    set_inputs(network, x);
    return dt_circuit_set_targets(dt_network_circuit_cost(network), t, error);
}

dt_status dt_network_circuit_sample(dt_network_circuit *network, const double *x, int64_t y, dt_error *error)
{
    const int64_t classes = network->units[network->layers];
    if (y < 0 || y >= classes)
        return dt_fail(error, DT_INVALID, "right class %lld of a network with %lld outputs; classes count from 0",
                       (long long)y, (long long)classes);
    set_inputs(network, x);
    return dt_circuit_set_class(dt_network_circuit_cost(network), (size_t)y, error);
}

void dt_network_circuit_parameters(dt_network_circuit *network, int64_t l, const double *W, const double *b)
{
    const int64_t inputs = network->units[l - 1];
    for (int64_t j = 0; j < network->units[l]; j++) {
        for (int64_t k = 0; k < inputs; k++)
            dt_circuit_set(dt_network_circuit_w(network, l, j, k), W[j * inputs + k], NULL);
        dt_circuit_set(dt_network_circuit_b(network, l, j), b[j], NULL);
    }
}

dt_status dt_network_circuit_run(dt_network_circuit *network, dt_error *error)
{
    dt_status status = dt_circuit_forward(network->circuit, error);
    return status == DT_OK ? dt_circuit_backward(dt_network_circuit_cost(network), error) : status;
}

dt_circuit *dt_network_circuit_gates(const dt_network_circuit *network)
{
    return network->circuit;
}

int64_t dt_network_circuit_layers(const dt_network_circuit *network)
{
    return network->layers;
}

int64_t dt_network_circuit_units(const dt_network_circuit *network, int64_t l)
{
    return has(network, l, 0) ? network->units[l] : 0;
}
