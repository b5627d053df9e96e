/* What the files of this room share: the gates and their circuit. */
#ifndef DT_CIRCUIT_CIRCUIT_H
#define DT_CIRCUIT_CIRCUIT_H

#include <stdbool.h>

#include "base/memory.h"
#include "deltoid/circuit.h"

enum { DT_GATES_A_BLOCK = 256 };

struct dt_gate {
    dt_circuit *circuit;
    size_t index; /* in the order they were made */
    dt_gate_kind kind;
    unsigned char mark; /* order.c's */
    bool reached;       /* the last backward's gate depends on it */
    const char *name;   /* in the circuit's arena, or NULL */
    double value, gradient;
    size_t input_count;
    dt_gate **inputs; /* (input_count), NULL where open; points to `two` where that is enough */
    dt_gate *two[2];
    union {
        const dt_scalar_activation *activation;
        const dt_scalar_cost *cost;
    } of;
    size_t y;       /* cost: the right class */
    bool targets;   /* cost: of targets, not of y */
    double *z;      /* cost: (3 input_count), the inputs' values, behind them dC/dz_i, and the targets */
    dt_gate *above; /* order.c's: the gate whose inputs were being walked when it was found */
    size_t walked;  /* order.c's: inputs walked already */
};

struct dt_circuit {
    dt_gate **blocks; /* (block_room) of DT_GATES_A_BLOCK gates, so that gates never move */
    size_t block_room, count;
    dt_gate **order; /* (order_room) all gates, inputs before those they feed; valid while `ordered` */
    size_t order_room;
    bool ordered, forwarded; /* nothing has changed since the order was made, since forward */
    dt_error failure;        /* the first while building */
    dt_arena arena;          /* names and the program's own functions */
};

/* Puts the gates in an order. DT_INVALID with the gates that are on a cycle, or with the input that is open. */
dt_status dt_circuit_order(dt_circuit *circuit, dt_error *error);

/* "multiply gate 3 ('w a')", for messages. */
enum { DT_GATE_TEXT = 96 };
void dt_gate_text(const dt_gate *gate, char text[DT_GATE_TEXT]);

/* NULL with DT_UNKNOWN_NAME recorded. */
const dt_scalar_activation *dt_scalar_activation_find(const char *name, dt_error *error);
const dt_scalar_cost *dt_scalar_cost_find(const char *name, dt_error *error);

#endif
