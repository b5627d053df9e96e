#include "circuit/circuit.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

dt_status dt_circuit_create(dt_circuit **circuit, dt_error *error)
{
    *circuit = dt_allocate_zeroed(1, sizeof **circuit);
    return *circuit ? DT_OK : dt_fail(error, DT_NO_MEMORY, "out of memory for a circuit");
}

void dt_circuit_destroy(dt_circuit *circuit)
{
    if (!circuit)
        return;
    for (size_t i = 0; i < circuit->count; i++) {
        dt_gate *gate = dt_circuit_gate(circuit, i);
        if (gate->inputs != gate->two)
            dt_release(gate->inputs);
        dt_release(gate->z);
    }
    for (size_t i = 0; i < circuit->block_room; i++)
        dt_release(circuit->blocks[i]);
    dt_release(circuit->blocks);
    dt_release(circuit->order);
    dt_arena_clear(&circuit->arena);
    dt_release(circuit);
}

/* Makes room for one more block in the list of them, or for its gates. */
static bool grow(dt_circuit *c)
{
    const size_t block = c->count / DT_GATES_A_BLOCK;
    if (block == c->block_room) {
        const size_t room = c->block_room ? 2 * c->block_room : 4;
        dt_gate **blocks = dt_allocate_zeroed(room, sizeof(dt_gate *));
        if (!blocks)
            return false;
        if (c->blocks)
            memcpy(blocks, c->blocks, c->block_room * sizeof(dt_gate *));
        dt_release(c->blocks);
        c->blocks = blocks;
        c->block_room = room;
    }
    if (!c->blocks[block])
        c->blocks[block] = dt_allocate_zeroed(DT_GATES_A_BLOCK, sizeof(dt_gate));
    return c->blocks[block] != NULL;
}

static dt_gate *no_memory(dt_circuit *c)
{
    dt_fail(&c->failure, DT_NO_MEMORY, "out of memory for a circuit of %zu gates; use a smaller network", c->count + 1);
    return NULL;
}

/* A gate that is not counted yet, so that what is left half made by a failure is made again by the next call. */
static dt_gate *begin_gate(dt_circuit *c, dt_gate_kind kind, size_t inputs)
{
    if (!grow(c))
        return no_memory(c);
    dt_gate *gate = &c->blocks[c->count / DT_GATES_A_BLOCK][c->count % DT_GATES_A_BLOCK];
    *gate =
        (dt_gate){.circuit = c, .index = c->count, .kind = kind, .input_count = inputs, .value = NAN, .gradient = NAN};
    gate->inputs = inputs <= 2 ? gate->two : dt_allocate_zeroed(inputs, sizeof(dt_gate *));
    return gate->inputs ? gate : no_memory(c);
}

static dt_gate *drop_gate(dt_gate *gate)
{
    if (gate->inputs != gate->two)
        dt_release(gate->inputs);
    dt_release(gate->z);
    return NULL;
}

static dt_gate *finish_gate(dt_gate *gate, dt_gate *const *inputs)
{
    dt_circuit *c = gate->circuit;
    for (size_t i = 0; i < gate->input_count; i++) {
        if (inputs[i] && inputs[i]->circuit != c) {
            char text[DT_GATE_TEXT];
            dt_gate_text(gate, text);
            dt_fail(&c->failure, DT_INVALID, "input %zu of %s is a gate of another circuit; wire gates of one circuit",
                    i, text);
            return drop_gate(gate);
        }
        gate->inputs[i] = inputs[i];
    }
    c->count++;
    c->ordered = c->forwarded = false;
    return gate;
}

dt_gate *dt_circuit_input(dt_circuit *circuit, double value)
{
    dt_gate *gate = begin_gate(circuit, DT_GATE_INPUT, 0);
    if (!gate)
        return NULL;
    gate->value = value;
    return finish_gate(gate, NULL);
}

dt_gate *dt_circuit_multiply(dt_circuit *circuit, dt_gate *u, dt_gate *v)
{
    dt_gate *gate = begin_gate(circuit, DT_GATE_MULTIPLY, 2);
    return gate ? finish_gate(gate, (dt_gate *[]){u, v}) : NULL;
}

dt_gate *dt_circuit_add(dt_circuit *circuit, size_t count, dt_gate *const *inputs)
{
    if (count == 0) {
        dt_fail(&circuit->failure, DT_INVALID, "an add gate needs at least one input");
        return NULL;
    }
    dt_gate *gate = begin_gate(circuit, DT_GATE_ADD, count);
    return gate ? finish_gate(gate, inputs) : NULL;
}

static dt_gate *activation(dt_circuit *c, const dt_scalar_activation *of, dt_gate *z)
{
    dt_gate *gate = begin_gate(c, DT_GATE_ACTIVATION, 1);
    if (!gate)
        return NULL;
    gate->of.activation = of;
    return finish_gate(gate, &z);
}

dt_gate *dt_circuit_activation(dt_circuit *circuit, const char *name, dt_gate *z)
{
    const dt_scalar_activation *of = dt_scalar_activation_find(name, &circuit->failure);
    return of ? activation(circuit, of, z) : NULL;
}

dt_gate *dt_circuit_activation_with(dt_circuit *circuit, const char *name, double parameter, dt_gate *z)
{
    const dt_scalar_activation *of = dt_scalar_activation_find(name, &circuit->failure);
    if (!of || parameter == 0 || !of->context)
        return of ? activation(circuit, of, z) : NULL;
    dt_scalar_activation *with = dt_arena_allocate(&circuit->arena, 1, sizeof *with);
    double *context = dt_arena_allocate(&circuit->arena, 1, sizeof *context);
    if (!with || !context)
        return no_memory(circuit);
    *context = parameter;
    *with = *of;
    with->context = context;
    return activation(circuit, with, z);
}

/* Where a cost gate keeps its targets: those it was given, or 1 for the right class and 0 for the others. */
static double *targets_of(const dt_gate *gate)
{
    return gate->z + 2 * gate->input_count;
}

static void set_class(dt_gate *gate, size_t y)
{
    for (size_t i = 0; i < gate->input_count; i++)
        targets_of(gate)[i] = i == y ? 1 : 0;
    gate->y = y;
    gate->targets = false;
}

static void set_targets(dt_gate *gate, const double *t)
{
    memcpy(targets_of(gate), t, gate->input_count * sizeof *t);
    gate->targets = true;
}

static dt_status check_targets(const dt_scalar_cost *of, dt_error *error)
{
    return of->cost_of_targets ? DT_OK : dt_fail(error, DT_INVALID, "%.64s takes a right class, not targets", of->name);
}

static dt_gate *cost(dt_circuit *c, const dt_scalar_cost *of, size_t count, dt_gate *const *z, size_t y,
                     const double *t)
{
    if (count == 0 || (!t && y >= count)) {
        dt_fail(&c->failure, DT_INVALID,
                "the right class %zu of a cost gate with %zu inputs; it must be one of them, from 0", y, count);
        return NULL;
    }
    if (t && check_targets(of, &c->failure) != DT_OK)
        return NULL;
    dt_gate *gate = begin_gate(c, DT_GATE_COST, count);
    if (!gate)
        return NULL;
    gate->of.cost = of;
    gate->z = count <= SIZE_MAX / 3 ? dt_allocate_zeroed(3 * count, sizeof *gate->z) : NULL;
    if (!gate->z) {
        no_memory(c);
        return drop_gate(gate);
    }
    if (t)
        set_targets(gate, t);
    else
        set_class(gate, y);
    return finish_gate(gate, z);
}

dt_gate *dt_circuit_cost(dt_circuit *circuit, const char *name, size_t count, dt_gate *const *z, size_t y)
{
    return dt_circuit_cost_of(circuit, &(dt_cost_spec){.name = name, .y = y}, count, z);
}

/* A copy in the arena; weights too, of which there must be one for each input. */
static const dt_loss_options *keep_options(dt_circuit *c, const dt_loss_options *options, size_t count)
{
    dt_loss_options *kept = dt_arena_allocate(&c->arena, 1, sizeof *kept);
    double *weights = options->class_weights ? dt_arena_allocate(&c->arena, count, sizeof *weights) : NULL;
    if (!kept || (options->class_weights && !weights)) {
        no_memory(c);
        return NULL;
    }
    if (options->class_weights && options->class_weight_count != count) {
        dt_fail(&c->failure, DT_INVALID, "%zu class weights for a cost gate with %zu inputs; give one for each",
                options->class_weight_count, count);
        return NULL;
    }
    *kept = *options;
    if (weights)
        kept->class_weights = memcpy(weights, options->class_weights, count * sizeof *weights);
    return kept;
}

dt_gate *dt_circuit_cost_of(dt_circuit *circuit, const dt_cost_spec *spec, size_t count, dt_gate *const *z)
{
    const dt_scalar_cost *of = spec->own ? spec->own : dt_scalar_cost_find(spec->name, &circuit->failure);
    if (!of || (!spec->own && !spec->options))
        return of ? cost(circuit, of, count, z, spec->y, spec->t) : NULL;
    dt_scalar_cost *with = dt_arena_allocate(&circuit->arena, 1, sizeof *with);
    char *name = dt_arena_duplicate(&circuit->arena, of->name);
    if (!with || !name)
        return no_memory(circuit);
    *with = *of;
    with->name = name;
    if (!spec->own && !(with->context = keep_options(circuit, spec->options, count)))
        return NULL;
    return cost(circuit, with, count, z, spec->y, spec->t);
}

dt_gate *dt_circuit_own_activation(dt_circuit *circuit, const dt_scalar_activation *own, dt_gate *z)
{
    dt_scalar_activation *of = dt_arena_allocate(&circuit->arena, 1, sizeof *of);
    char *name = dt_arena_duplicate(&circuit->arena, own->name);
    if (!of || !name)
        return no_memory(circuit);
    *of = *own;
    of->name = name;
    return activation(circuit, of, z);
}

dt_gate *dt_circuit_own_cost(dt_circuit *circuit, const dt_scalar_cost *own, size_t count, dt_gate *const *z, size_t y)
{
    return dt_circuit_cost_of(circuit, &(dt_cost_spec){.own = own, .y = y}, count, z);
}

dt_status dt_circuit_connect(dt_gate *gate, size_t i, dt_gate *from, dt_error *error)
{
    char text[DT_GATE_TEXT];
    if (!gate || !from)
        return dt_fail(error, DT_INVALID,
                       "no gate to connect; it was refused when it was made, which dt_circuit_forward explains");
    dt_gate_text(gate, text);
    if (from->circuit != gate->circuit)
        return dt_fail(error, DT_INVALID,
                       "input %zu of %s would be a gate of another circuit; wire gates of one circuit", i, text);
    if (i >= gate->input_count)
        return dt_fail(error, DT_INVALID, "%s has no input %zu; it has %zu, counted from 0", text, i,
                       gate->input_count);
    gate->inputs[i] = from;
    gate->circuit->ordered = gate->circuit->forwarded = false;
    return DT_OK;
}

dt_status dt_circuit_name(dt_gate *gate, const char *name, dt_error *error)
{
    if (!gate)
        return dt_fail(error, DT_INVALID,
                       "no gate to name; it was refused when it was made, which dt_circuit_forward explains");
    char *copy = name && *name ? dt_arena_duplicate(&gate->circuit->arena, name) : NULL;
    if (name && *name && !copy)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for a gate's name");
    gate->name = copy;
    return DT_OK;
}

dt_status dt_circuit_set(dt_gate *input, double value, dt_error *error)
{
    if (!input || input->kind != DT_GATE_INPUT)
        return dt_fail(error, DT_INVALID, "only the value of an input gate can be set; others compute theirs");
    input->value = value;
    input->circuit->forwarded = false;
    return DT_OK;
}

dt_status dt_circuit_set_class(dt_gate *gate, size_t y, dt_error *error)
{
    if (!gate || gate->kind != DT_GATE_COST)
        return dt_fail(error, DT_INVALID, "only a cost gate has a right class");
    if (y >= gate->input_count)
        return dt_fail(error, DT_INVALID, "right class %zu of a cost gate with %zu inputs; classes count from 0", y,
                       gate->input_count);
    set_class(gate, y);
    gate->circuit->forwarded = false;
    return DT_OK;
}

dt_status dt_circuit_set_targets(dt_gate *gate, const double *t, dt_error *error)
{
    if (!gate || gate->kind != DT_GATE_COST)
        return dt_fail(error, DT_INVALID, "only a cost gate has targets");
    const dt_status status = check_targets(gate->of.cost, error);
    if (status != DT_OK)
        return status;
    set_targets(gate, t);
    gate->circuit->forwarded = false;
    return DT_OK;
}

size_t dt_circuit_gate_count(const dt_circuit *circuit)
{
    return circuit->count;
}

dt_gate *dt_circuit_gate(const dt_circuit *circuit, size_t i)
{
    return i < circuit->count ? &circuit->blocks[i / DT_GATES_A_BLOCK][i % DT_GATES_A_BLOCK] : NULL;
}

dt_gate_kind dt_circuit_kind(const dt_gate *gate)
{
    return gate->kind;
}

const char *dt_circuit_operation(const dt_gate *gate)
{
    switch (gate->kind) {
    case DT_GATE_INPUT:
        return "input";
    case DT_GATE_MULTIPLY:
        return "multiply";
    case DT_GATE_ADD:
        return "add";
    case DT_GATE_ACTIVATION:
        return gate->of.activation->name;
    case DT_GATE_COST:
        return gate->of.cost->name;
    }
    return "";
}

const char *dt_circuit_name_of(const dt_gate *gate)
{
    return gate->name ? gate->name : "";
}

size_t dt_circuit_input_count(const dt_gate *gate)
{
    return gate->input_count;
}

dt_gate *dt_circuit_input_of(const dt_gate *gate, size_t i)
{
    return i < gate->input_count ? gate->inputs[i] : NULL;
}

void dt_gate_text(const dt_gate *gate, char text[DT_GATE_TEXT])
{
    const char *quote = gate->name ? "'" : "";
    snprintf(text, DT_GATE_TEXT, "%.24s gate %zu%s%s%.32s%s%s", dt_circuit_operation(gate), gate->index,
             gate->name ? " (" : "", quote, dt_circuit_name_of(gate), quote, gate->name ? ")" : "");
}
