/* z, a and delta against the gate circuit.
 *
 * Networks of up to GATES_MAX gates are one circuit, from x to the cost, and every unit of the samples is compared. In
 * larger ones some units are compared, each with the circuit of its own neighbourhood: its inputs a^{l-1}, its gates,
 * and the products that take its activation on, whose gradients are the delta^{l+1} of the step.
 *
 * Scales: what the largest element of the layer would be if nothing cancelled: max_j sum_k |w_jk a_k| + |b_j| for z and
 * a; 1 more than that for delta^L; max_j sum_i |delta_i w_ij| for delta^l. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "check/compare.h"
#include "deltoid/circuit.h"
#include "deltoid/own.h"

/* A program's own functions are scalar already; they are handed on as they are. What is wrong with them shows against
 * finite differences. */
static double own_value(const void *context, double z)
{
    return ((const dt_own_activation *)context)->value(z);
}

static double own_derivative(const void *context, double z)
{
    return ((const dt_own_activation *)context)->derivative(z);
}

static double own_cost_of_targets(const void *context, size_t count, const double *z, const double *t, double *delta)
{
    return ((const dt_own_loss *)context)->cost_of_targets((int64_t)count, z, t, delta);
}

static double own_cost(const void *context, size_t count, const double *z, size_t y, double *delta)
{
    return ((const dt_own_loss *)context)->cost((int64_t)count, z, (int64_t)y, delta);
}

/* The circuit's functions of an experiment: by name, or a program's own. */
typedef struct functions {
    const char **activation;              /* [l], NULL for l = L */
    dt_scalar_activation *own_activation; /* [l] */
    const dt_scalar_activation **own;     /* [l]: &own_activation[l], or NULL */
    double *parameter;                    /* [l] */
    dt_scalar_cost own_loss;
    bool has_own_loss;
} functions;

enum { GATES_MAX = 3000000, UNITS_OF_LARGE = 24 };

static double tolerance_of(const dt_checking *c)
{
    return c->seen->precision == DT_FLOAT32 ? 1e-4 : 1e-11;
}

static double scale_of_z(const dt_observed *o, int64_t l, int64_t i)
{
    const int64_t inputs = o->units[l - 1];
    double most = 0;
    for (int64_t j = 0; j < o->units[l]; j++) {
        double sum = fabs(o->b[l][j]);
        for (int64_t k = 0; k < inputs; k++)
            sum += fabs(o->W[l][j * inputs + k] * o->a[l - 1][i * inputs + k]);
        most = fmax(most, sum);
    }
    return fmax(most, 1e-30);
}

static double scale_of_delta(const dt_observed *o, int64_t l, int64_t i)
{
    if (l == o->layers)
        return 1 + scale_of_z(o, l, i);
    const int64_t units = o->units[l], next = o->units[l + 1];
    double most = 0;
    for (int64_t j = 0; j < units; j++) {
        double sum = 0;
        for (int64_t m = 0; m < next; m++)
            sum += fabs(o->delta[l + 1][i * next + m] * o->W[l + 1][m * units + j]);
        most = fmax(most, sum);
    }
    return fmax(most, 1e-30);
}

/* z, a, delta of one layer, as they gather over samples and units. */
typedef struct layer_results {
    dt_check_result z, a, delta;
} layer_results;

static void compare_unit(const dt_observed *o, layer_results *r, int64_t i, int64_t j, const double scale[2], double z,
                         double a, double delta)
{
    const int64_t at = i * o->units[r->z.l] + j, row = o->sample[i];
    if (dt_check_element(&r->z, o->z[r->z.l][at], z, scale[0]))
        dt_check_at(&r->z, j, -1, row);
    if (dt_check_element(&r->a, o->a[r->z.l][at], a, scale[0]))
        dt_check_at(&r->a, j, -1, row);
    if (dt_check_element(&r->delta, o->delta[r->z.l][at], delta, scale[1]))
        dt_check_at(&r->delta, j, -1, row);
}

static dt_status functions_create(functions *f, const dt_experiment *e, dt_error *error)
{
    const size_t layers = e->layer_count + 1;
    f->activation = dt_allocate_zeroed(layers, sizeof *f->activation);
    f->own_activation = dt_allocate_zeroed(layers, sizeof *f->own_activation);
    f->own = dt_allocate_zeroed(layers, sizeof *f->own);
    f->parameter = dt_allocate_zeroed(layers, sizeof *f->parameter);
    if (!f->activation || !f->own_activation || !f->own || !f->parameter)
        return dt_fail_memory(error, "the check");
    const dt_own_activation *own;
    for (size_t l = 1; l < e->layer_count; l++) {
        f->activation[l] = e->network[l - 1].activation;
        f->parameter[l] = dt_activation_parameter(&e->network[l - 1]);
        for (size_t i = 0; (own = dt_own_activation_at(i)); i++)
            if (strcmp(own->entry.name, f->activation[l]) == 0) {
                f->own_activation[l] = (dt_scalar_activation){own->entry.name, own_value, own_derivative, own};
                f->own[l] = &f->own_activation[l];
            }
    }
    const dt_own_loss *loss;
    for (size_t i = 0; (loss = dt_own_loss_at(i)); i++)
        if (strcmp(loss->entry.name, e->loss) == 0) {
            f->own_loss = (dt_scalar_cost){loss->entry.name, loss->cost ? own_cost : NULL, loss,
                                           loss->cost_of_targets ? own_cost_of_targets : NULL};
            f->has_own_loss = true;
        }
    return DT_OK;
}

static void functions_destroy(functions *f)
{
    dt_release(f->activation);
    dt_release(f->own_activation);
    dt_release(f->own);
    dt_release(f->parameter);
}

/* What a row is to be answered with: its targets, or NULL and its class. */
static const double *targets_of(const dt_dataset *data, int64_t row)
{
    return data->targets ? data->targets + row * data->outputs : NULL;
}

static int64_t class_of(const dt_dataset *data, int64_t row)
{
    return data->targets ? 0 : data->labels[row];
}

/* --- one circuit for all --- */

static void compare_sample(const dt_observed *o, layer_results *results, const dt_network_circuit *n, int64_t i)
{
    for (int64_t l = 1; l <= o->layers; l++) {
        const double scale[2] = {scale_of_z(o, l, i), scale_of_delta(o, l, i)};
        for (int64_t j = 0; j < o->units[l]; j++) {
            const dt_gate *z = dt_network_circuit_z(n, l, j);
            compare_unit(o, &results[l], i, j, scale, dt_circuit_value(z),
                         dt_circuit_value(dt_network_circuit_a(n, l, j)), dt_circuit_gradient(z));
        }
    }
}

static dt_status compare_whole(const dt_checking *c, layer_results *results, int64_t samples, const functions *f,
                               dt_error *error)
{
    const dt_observed *o = c->seen;
    dt_network_circuit *n;
    const dt_network_circuit_spec spec = {
        .layers = o->layers,
        .units = o->units,
        .activation = f->activation,
        .own = f->own,
        .parameter = f->parameter,
        .loss = c->experiment->loss,
        .own_loss = f->has_own_loss ? &f->own_loss : NULL,
        .loss_options = &c->experiment->loss_options,
        .W = (const double *const *)o->W,
        .b = (const double *const *)o->b,
        .x = o->a[0],
        .y = class_of(c->train, o->sample[0]),
        .t = targets_of(c->train, o->sample[0]),
    };
    dt_status status = dt_network_circuit_create(&n, &spec, error);
    for (int64_t i = 0; status == DT_OK && i < samples; i++) {
        const double *x = o->a[0] + i * o->units[0], *t = targets_of(c->train, o->sample[i]);
        status = t ? dt_network_circuit_sample_targets(n, x, t, error)
                   : dt_network_circuit_sample(n, x, class_of(c->train, o->sample[i]), error);
        if (status == DT_OK)
            status = dt_network_circuit_run(n, error);
        if (status == DT_OK)
            compare_sample(o, results, n, i);
    }
    dt_network_circuit_destroy(n);
    return status;
}

/* --- a unit and its neighbourhood --- */

/* Wires unit j of layer l: inputs and weights, products, their sum, the bias, the activation. */
static dt_gate *wire_unit(dt_circuit *circuit, const dt_observed *o, int64_t l, int64_t i, int64_t j,
                          const functions *f, dt_gate **parts, dt_gate **z)
{
    const int64_t inputs = o->units[l - 1];
    for (int64_t k = 0; k < inputs; k++)
        parts[k] = dt_circuit_multiply(circuit, dt_circuit_input(circuit, o->W[l][j * inputs + k]),
                                       dt_circuit_input(circuit, o->a[l - 1][i * inputs + k]));
    dt_gate *const sum = dt_circuit_add(circuit, (size_t)inputs, parts);
    dt_gate *const biased[] = {sum, dt_circuit_input(circuit, o->b[l][j])};
    *z = dt_circuit_add(circuit, 2, biased);
    if (l == o->layers)
        return *z;
    return f->own[l] ? dt_circuit_own_activation(circuit, f->own[l], *z)
                     : dt_circuit_activation_with(circuit, f->activation[l], f->parameter[l], *z);
}

/* What takes the unit's activation on: sum_m delta_m w_mj a_j, whose gradient at a_j is what comes back to it; in layer
 * L the cost, of the step's own z with this unit's in its place. */
static dt_gate *wire_onward(const dt_checking *c, const functions *f, dt_circuit *circuit, int64_t l, int64_t i,
                            int64_t j, dt_gate *a, dt_gate **parts)
{
    const dt_observed *o = c->seen;
    const int64_t units = o->units[l];
    if (l == o->layers) {
        for (int64_t m = 0; m < units; m++)
            parts[m] = m == j ? a : dt_circuit_input(circuit, o->z[l][i * units + m]);
        const dt_cost_spec cost = {.name = c->experiment->loss,
                                   .own = f->has_own_loss ? &f->own_loss : NULL,
                                   .options = &c->experiment->loss_options,
                                   .y = (size_t)class_of(c->train, o->sample[i]),
                                   .t = targets_of(c->train, o->sample[i])};
        return dt_circuit_cost_of(circuit, &cost, (size_t)units, parts);
    }
    const int64_t next = o->units[l + 1];
    for (int64_t m = 0; m < next; m++)
        parts[m] =
            dt_circuit_multiply(circuit, dt_circuit_input(circuit, o->delta[l + 1][i * next + m]),
                                dt_circuit_multiply(circuit, dt_circuit_input(circuit, o->W[l + 1][m * units + j]), a));
    return dt_circuit_add(circuit, (size_t)next, parts);
}

static dt_status compare_neighbourhood(const dt_checking *c, layer_results *r, int64_t i, int64_t j,
                                       const double scale[2], const functions *f, dt_gate **parts, dt_error *error)
{
    dt_circuit *circuit;
    dt_gate *z;
    dt_status status = dt_circuit_create(&circuit, error);
    if (status != DT_OK)
        return status;
    dt_gate *const a = wire_unit(circuit, c->seen, r->z.l, i, j, f, parts, &z);
    dt_gate *const onward = wire_onward(c, f, circuit, r->z.l, i, j, a, parts);
    status = dt_circuit_forward(circuit, error);
    if (status == DT_OK)
        status = dt_circuit_backward(onward, error);
    if (status == DT_OK)
        compare_unit(c->seen, r, i, j, scale, dt_circuit_value(z), dt_circuit_value(a), dt_circuit_gradient(z));
    dt_circuit_destroy(circuit);
    return status;
}

static dt_status compare_parts(const dt_checking *c, layer_results *results, int64_t samples, const functions *f,
                               dt_error *error)
{
    const dt_observed *o = c->seen;
    int64_t widest = 0;
    for (int64_t l = 0; l <= o->layers; l++)
        widest = dt_max(widest, o->units[l]);
    dt_gate **parts = dt_allocate((size_t)widest, sizeof *parts);
    dt_status status = parts ? DT_OK : dt_fail_memory(error, "the check's circuits");
    for (int64_t l = 1; l <= o->layers; l++)
        for (int64_t i = 0; status == DT_OK && i < samples; i++) {
            const double scale[2] = {scale_of_z(o, l, i), scale_of_delta(o, l, i)};
            const int64_t some = dt_min(o->units[l], UNITS_OF_LARGE);
            for (int64_t n = 0; status == DT_OK && n < some; n++) {
                const dt_span part = dt_split(o->units[l], some, n);
                const int64_t j = part.first + i % dt_span_count(part); /* other units for other samples */
                status = compare_neighbourhood(c, &results[l], i, j, scale, f, parts, error);
            }
        }
    dt_release(parts);
    return status;
}

dt_status dt_check_circuit(dt_checking *c, dt_error *error)
{
    const dt_observed *o = c->seen;
    const int64_t samples = dt_min(c->options.samples, o->batch);
    layer_results *results = dt_allocate_zeroed((size_t)o->layers + 1, sizeof *results);
    functions f = {0};
    dt_status status = results ? functions_create(&f, c->experiment, error) : dt_fail_memory(error, "the check");
    for (int64_t l = 1; status == DT_OK && l <= o->layers; l++) {
        const int64_t all = o->batch * o->units[l];
        results[l].z = dt_check_begin(c, DT_AGAINST_CIRCUIT, DT_QUANTITY_Z, l, all, tolerance_of(c));
        results[l].a = dt_check_begin(c, DT_AGAINST_CIRCUIT, DT_QUANTITY_A, l, all, tolerance_of(c));
        results[l].delta = dt_check_begin(c, DT_AGAINST_CIRCUIT, DT_QUANTITY_DELTA, l, all, tolerance_of(c));
    }
    if (status == DT_OK)
        status = dt_network_circuit_size(o->layers, o->units) <= GATES_MAX
                     ? compare_whole(c, results, samples, &f, error)
                     : compare_parts(c, results, samples, &f, error);
    for (int64_t l = 1; status == DT_OK && l <= o->layers; l++) {
        dt_check_end(c, &results[l].z);
        dt_check_end(c, &results[l].a);
        dt_check_end(c, &results[l].delta);
    }
    dt_release(results);
    functions_destroy(&f);
    return status;
}
