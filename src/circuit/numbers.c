#include "circuit/numbers.h"

#include <inttypes.h>

static dt_status no_memory(dt_error *error)
{
    return dt_fail_memory(error, "a circuit's numbers");
}

dt_status dt_unit_numbers_from_circuit(dt_unit_numbers *numbers, const dt_network_circuit *network, int64_t l,
                                       int64_t j, double *room, dt_error *error)
{
    const dt_gate *z = dt_network_circuit_z(network, l, j), *a = dt_network_circuit_a(network, l, j);
    const dt_gate *cost = dt_network_circuit_cost(network);
    const int64_t L = dt_network_circuit_layers(network);
    if (!z)
        return dt_fail(error, DT_INVALID,
                       "no unit %" PRId64 " in layer %" PRId64 "; layers count from 1 to %" PRId64 ", units from 0", j,
                       l, L);
    const int64_t inputs = dt_network_circuit_units(network, l - 1);
    for (int64_t k = 0; k < inputs; k++) {
        room[k] = dt_circuit_value(dt_network_circuit_w(network, l, j, k));
        room[inputs + k] = dt_circuit_value(dt_network_circuit_a(network, l - 1, k));
    }
    *numbers = (dt_unit_numbers){.layers = L,
                                 .l = l,
                                 .j = j,
                                 .inputs = inputs,
                                 .activation = l < L ? dt_circuit_operation(a) : NULL,
                                 .loss = dt_circuit_operation(cost),
                                 .w = room,
                                 .a = room + inputs,
                                 .sum = dt_circuit_value(dt_network_circuit_sum(network, l, j)),
                                 .b = dt_circuit_value(dt_network_circuit_b(network, l, j)),
                                 .z = dt_circuit_value(z),
                                 .value = dt_circuit_value(l < L ? a : cost),
                                 .delta = dt_circuit_gradient(z),
                                 .back = dt_circuit_gradient(l < L ? a : cost),
                                 .units = dt_network_circuit_units(network, l)};
    return DT_OK;
}

/* --- a whole network --- */

enum { LISTS = 6 };

/* Lists of W, b, z, a, delta, back, each of L + 1 arrays. */
typedef struct lists {
    double **of[LISTS];
} lists;

static double **make_list(int64_t layers, const int64_t *units, bool matrix, dt_arena *arena)
{
    double **list = dt_arena_allocate(arena, (size_t)layers + 1, sizeof *list);
    for (int64_t l = 0; list && l <= layers; l++) {
        size_t count = (size_t)units[l];
        const bool fits = !matrix || l == 0 || dt_multiply(count, (size_t)units[l - 1], &count);
        if (!fits || !(list[l] = dt_arena_allocate(arena, count, sizeof(double))))
            return NULL;
    }
    return list;
}

static void copy_unit(const dt_network_circuit *n, lists *to, int64_t l, int64_t j)
{
    double **W = to->of[0], **b = to->of[1], **z = to->of[2], **a = to->of[3], **delta = to->of[4], **back = to->of[5];
    const int64_t inputs = l ? dt_network_circuit_units(n, l - 1) : 0;
    const dt_gate *const out = dt_network_circuit_a(n, l, j);
    a[l][j] = dt_circuit_value(out);
    back[l][j] = dt_circuit_gradient(out);
    if (l == 0)
        return;
    for (int64_t k = 0; k < inputs; k++)
        W[l][j * inputs + k] = dt_circuit_value(dt_network_circuit_w(n, l, j, k));
    b[l][j] = dt_circuit_value(dt_network_circuit_b(n, l, j));
    z[l][j] = dt_circuit_value(dt_network_circuit_z(n, l, j));
    delta[l][j] = dt_circuit_gradient(dt_network_circuit_z(n, l, j));
}

dt_status dt_network_numbers_from_circuit(dt_network_numbers *numbers, const dt_network_circuit *network,
                                          dt_arena *arena, dt_error *error)
{
    const int64_t L = dt_network_circuit_layers(network);
    int64_t *units = dt_arena_allocate(arena, (size_t)L + 1, sizeof *units);
    const char **activation = dt_arena_allocate(arena, (size_t)L + 1, sizeof *activation);
    lists to = {{NULL}};
    if (!units || !activation)
        return no_memory(error);
    for (int64_t l = 0; l <= L; l++)
        units[l] = dt_network_circuit_units(network, l);
    for (int i = 0; i < LISTS; i++)
        if (!(to.of[i] = make_list(L, units, i == 0, arena)))
            return no_memory(error);
    for (int64_t l = 0; l <= L; l++) {
        activation[l] = l > 0 && l < L ? dt_circuit_operation(dt_network_circuit_a(network, l, 0)) : NULL;
        for (int64_t j = 0; j < units[l]; j++)
            copy_unit(network, &to, l, j);
    }
    *numbers = (dt_network_numbers){.layers = L,
                                    .units = units,
                                    .activation = activation,
                                    .loss = dt_circuit_operation(dt_network_circuit_cost(network)),
                                    .W = (const double *const *)to.of[0],
                                    .b = (const double *const *)to.of[1],
                                    .z = (const double *const *)to.of[2],
                                    .a = (const double *const *)to.of[3],
                                    .delta = (const double *const *)to.of[4],
                                    .back = (const double *const *)to.of[5],
                                    .cost = dt_circuit_value(dt_network_circuit_cost(network))};
    return DT_OK;
}

double dt_numbers_sum(int64_t inputs, const double *w, const double *a)
{
    double sum = 0;
    for (int64_t k = 0; k < inputs; k++)
        sum += w[k] * a[k];
    return sum;
}

void dt_unit_numbers_of(dt_unit_numbers *numbers, const dt_network_numbers *network, int64_t l, int64_t j)
{
    const dt_network_numbers *n = network;
    const int64_t inputs = n->units[l - 1];
    const bool last = l == n->layers;
    const double *w = n->W[l] + j * inputs, *a = n->a[l - 1];
    *numbers = (dt_unit_numbers){.layers = n->layers,
                                 .l = l,
                                 .j = j,
                                 .inputs = inputs,
                                 .activation = last ? NULL : n->activation[l],
                                 .loss = n->loss,
                                 .w = w,
                                 .a = a,
                                 .sum = dt_numbers_sum(inputs, w, a),
                                 .b = n->b[l][j],
                                 .z = n->z[l][j],
                                 .value = last ? n->cost : n->a[l][j],
                                 .delta = n->delta[l][j],
                                 .back = last ? 1 : n->back[l][j],
                                 .units = n->units[l]};
}

dt_status dt_network_numbers_back(dt_network_numbers *numbers, dt_arena *arena, dt_error *error)
{
    double **back = make_list(numbers->layers, numbers->units, false, arena);
    if (!back)
        return no_memory(error);
    for (int64_t l = 0; l < numbers->layers; l++) {
        const int64_t units = numbers->units[l], next = numbers->units[l + 1];
        for (int64_t i = 0; i < next; i++)
            for (int64_t j = 0; j < units; j++)
                back[l][j] += numbers->delta[l + 1][i] * numbers->W[l + 1][i * units + j];
    }
    numbers->back = (const double *const *)back;
    return DT_OK;
}
