/* Forward and backward, a gate at a time. */
#include <math.h>

#include "circuit/circuit.h"

static double cost_of(dt_gate *gate)
{
    double *z = gate->z, *delta = z + gate->input_count;
    for (size_t i = 0; i < gate->input_count; i++)
        z[i] = gate->inputs[i]->value;
    const dt_scalar_cost *of = gate->of.cost;
    const bool by_class = !gate->targets && of->cost;
    return by_class ? of->cost(of->context, gate->input_count, z, gate->y, delta)
                    : of->cost_of_targets(of->context, gate->input_count, z, delta + gate->input_count, delta);
}

static double output(dt_gate *gate)
{
    dt_gate *const *in = gate->inputs;
    double sum = 0;
    switch (gate->kind) {
    case DT_GATE_INPUT:
        return gate->value;
    case DT_GATE_MULTIPLY:
        return in[0]->value * in[1]->value;
    case DT_GATE_ADD:
        for (size_t i = 0; i < gate->input_count; i++)
            sum += in[i]->value;
        return sum;
    case DT_GATE_ACTIVATION:
        return gate->of.activation->value(gate->of.activation->context, in[0]->value);
    case DT_GATE_COST:
        return cost_of(gate);
    }
    return NAN;
}

/* The gate's output, differentiated by its input i. */
static double local_derivative(const dt_gate *gate, size_t i)
{
    switch (gate->kind) {
    case DT_GATE_MULTIPLY:
        return gate->inputs[1 - i]->value;
    case DT_GATE_ADD:
        return 1;
    case DT_GATE_ACTIVATION:
        return gate->of.activation->derivative(gate->of.activation->context, gate->inputs[0]->value);
    case DT_GATE_COST:
        return gate->z[gate->input_count + i];
    case DT_GATE_INPUT:
        break;
    }
    return NAN;
}

dt_status dt_circuit_forward(dt_circuit *circuit, dt_error *error)
{
    if (circuit->failure.status != DT_OK)
        return dt_fail(error, circuit->failure.status, "%s", circuit->failure.message);
    dt_status status = dt_circuit_order(circuit, error);
    if (status != DT_OK)
        return status;
    for (size_t i = 0; i < circuit->count; i++) {
        dt_gate *gate = circuit->order[i];
        gate->value = output(gate);
        gate->gradient = NAN;
    }
    circuit->forwarded = true;
    return DT_OK;
}

dt_status dt_circuit_backward(dt_gate *from, dt_error *error)
{
    if (!from)
        return dt_fail(error, DT_INVALID,
                       "no gate to go back from; it was refused when it was made, which dt_circuit_forward explains");
    dt_circuit *c = from->circuit;
    if (!c->forwarded)
        return dt_fail(error, DT_INVALID,
                       "the circuit was changed since its values were computed; call dt_circuit_forward first");
    for (size_t i = 0; i < c->count; i++) {
        c->order[i]->gradient = 0;
        c->order[i]->reached = false;
    }
    from->gradient = 1;
    from->reached = true;
    for (size_t i = c->count; i-- > 0;) {
        dt_gate *gate = c->order[i];
        if (!gate->reached) /* its 0 must stay 0 behind it, also where a value is infinite */
            continue;
        for (size_t k = 0; k < gate->input_count; k++) {
            gate->inputs[k]->gradient += gate->gradient * local_derivative(gate, k);
            gate->inputs[k]->reached = true;
        }
    }
    return DT_OK;
}

double dt_circuit_value(const dt_gate *gate)
{
    return gate && (gate->circuit->forwarded || gate->kind == DT_GATE_INPUT) ? gate->value : NAN;
}

double dt_circuit_gradient(const dt_gate *gate)
{
    return gate && gate->circuit->forwarded ? gate->gradient : NAN;
}

double dt_circuit_wire_gradient(const dt_gate *gate, size_t i)
{
    if (!gate || i >= gate->input_count || !gate->circuit->forwarded)
        return NAN;
    return isnan(gate->gradient) || gate->reached ? gate->gradient * local_derivative(gate, i) : 0;
}
