/* Topological order by a walk from each gate down to its inputs. The walk keeps its path in the gates themselves, so
 * that a circuit as deep as it is large needs no stack. */
#include <stdio.h>
#include <string.h>

#include "circuit/circuit.h"

enum { NEW, ON_THE_PATH, DONE };

/* `back` is on the path that ends in `last`, and is an input of it. */
static dt_status fail_cycle(dt_gate *back, dt_gate *last, dt_error *error)
{
    enum { SHOWN = 6 };
    char list[SHOWN * (DT_GATE_TEXT + 8)] = "", text[DT_GATE_TEXT];
    size_t used = 0, shown = 0;
    for (dt_gate *gate = last; gate != back && shown < SHOWN - 1; gate = gate->above, shown++) {
        dt_gate_text(gate, text);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s -> ", text);
        if (shown == SHOWN - 2 && gate->above != back)
            used += (size_t)snprintf(list + used, sizeof list - used, "... -> ");
    }
    dt_gate_text(back, text);
    return dt_fail(error, DT_INVALID, "the circuit has a cycle: %s -> %s%s; its gates would wait for each other", text,
                   list, text);
}

static dt_status fail_open(const dt_gate *gate, size_t i, dt_error *error)
{
    char text[DT_GATE_TEXT];
    dt_gate_text(gate, text);
    return dt_fail(error, DT_INVALID,
                   "input %zu of %s is not connected; give it when the gate is made, or with dt_circuit_connect", i,
                   text);
}

static dt_status walk(dt_circuit *c, dt_gate *from, size_t *ordered, dt_error *error)
{
    dt_gate *gate = from;
    gate->above = NULL;
    gate->mark = ON_THE_PATH;
    while (gate) {
        if (gate->walked == gate->input_count) {
            gate->mark = DONE;
            c->order[(*ordered)++] = gate;
            gate = gate->above;
            continue;
        }
        dt_gate *input = gate->inputs[gate->walked];
        if (!input)
            return fail_open(gate, gate->walked, error);
        if (input->mark == ON_THE_PATH)
            return fail_cycle(input, gate, error);
        gate->walked++;
        if (input->mark == NEW) {
            input->mark = ON_THE_PATH;
            input->above = gate;
            gate = input;
        }
    }
    return DT_OK;
}

dt_status dt_circuit_order(dt_circuit *circuit, dt_error *error)
{
    if (circuit->ordered)
        return DT_OK;
    if (circuit->order_room < circuit->count) {
        dt_release(circuit->order);
        circuit->order_room = 0;
        circuit->order = dt_allocate(circuit->count, sizeof(dt_gate *));
        if (!circuit->order)
            return dt_fail(error, DT_NO_MEMORY, "out of memory for the order of %zu gates", circuit->count);
        circuit->order_room = circuit->count;
    }
    for (size_t i = 0; i < circuit->count; i++) {
        dt_gate *gate = dt_circuit_gate(circuit, i);
        gate->mark = NEW;
        gate->walked = 0;
    }
    size_t ordered = 0;
    for (size_t i = 0; i < circuit->count; i++) {
        dt_gate *gate = dt_circuit_gate(circuit, i);
        dt_status status = gate->mark == NEW ? walk(circuit, gate, &ordered, error) : DT_OK;
        if (status != DT_OK)
            return status;
    }
    circuit->ordered = true;
    return DT_OK;
}
