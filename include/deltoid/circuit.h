/* Circuits of real-valued gates, in double: the derivation as a program.
 *
 * Forward, each gate computes its output from its inputs. Backward, it takes the gradient g at its output, which is the
 * sum of what comes back over all the wires that leave it, and hands to each input g times its own local derivative:
 *
 *     gate         output                     hands back
 *     input        a number                   nothing: its g is the answer
 *     multiply     u v                        g v to u, g u to v
 *     add          the sum of its inputs      g to every one
 *     activation   sigma(z)                   g sigma'(z)                       equations (2), (4)
 *     cost         C(z_1 .. z_n; y)           g dC/dz_i to z_i                  equation (3)
 *
 *     dt_circuit *c;
 *     dt_circuit_create(&c, NULL);
 *     dt_gate *w = dt_circuit_input(c, 3), *a = dt_circuit_input(c, -2), *b = dt_circuit_input(c, 7);
 *     dt_gate *wa = dt_circuit_multiply(c, w, a);
 *     dt_gate *z = dt_circuit_add(c, 2, (dt_gate *[]){wa, b});
 *     dt_circuit_forward(c, NULL);              // z = 1
 *     dt_circuit_backward(z, NULL);             // dz/dw = -2, dz/da = 3, dz/db = 1
 *     printf("%g %g\n", dt_circuit_value(z), dt_circuit_gradient(w));
 *     dt_circuit_destroy(c);
 *
 * A scalar at a time and one gate an operation: slow, and easy to see through. It shares no code with the training
 * engine; sigma, sigma' and the costs are its own, from their definitions, so each can be held against the other.
 *
 * Threads: one thread uses a circuit at a time.
 */
#ifndef DELTOID_CIRCUIT_H
#define DELTOID_CIRCUIT_H

#include <stddef.h>
#include <stdint.h>

#include "experiment.h"
#include "status.h"

#pragma GCC visibility push(default)

typedef struct dt_circuit dt_circuit;
typedef struct dt_gate dt_gate; /* owned by its circuit, valid until that is destroyed */

dt_status dt_circuit_create(dt_circuit **circuit, dt_error *error);
void dt_circuit_destroy(dt_circuit *circuit); /* NULL is allowed */

/* --- Building ---
 *
 * Each call adds a gate and returns it. An input may be NULL, to be connected later. What goes wrong here (an unknown
 * name, a gate of another circuit, no memory) gives NULL, and the next dt_circuit_forward says what it was: a program
 * may build first and ask once.
 */
dt_gate *dt_circuit_input(dt_circuit *circuit, double value);
dt_gate *dt_circuit_multiply(dt_circuit *circuit, dt_gate *u, dt_gate *v);          /* u and v may be the same gate */
dt_gate *dt_circuit_add(dt_circuit *circuit, size_t count, dt_gate *const *inputs); /* count >= 1 */

/* sigma by its name in the engine's table (deltoid help activations), with its parameter's default; or with another
 * one, where 0 stands for the default. */
dt_gate *dt_circuit_activation(dt_circuit *circuit, const char *name, dt_gate *z);
dt_gate *dt_circuit_activation_with(dt_circuit *circuit, const char *name, double parameter, dt_gate *z);

/* The cost of one sample by its name in the engine's table (deltoid help losses), with default options. z are the
 * `count` outputs, y < count the right class. */
dt_gate *dt_circuit_cost(dt_circuit *circuit, const char *name, size_t count, dt_gate *const *z, size_t y);

/* A cost in full. */
typedef struct dt_cost_spec {
    const char *name;
    const struct dt_scalar_cost *own; /* in place of the name; may be NULL */
    const dt_loss_options *options;   /* NULL: the defaults; copied */
    size_t y;                         /* the right class, where t is NULL */
    const double *t;                  /* (count), targets; copied. NULL: none */
} dt_cost_spec;
dt_gate *dt_circuit_cost_of(dt_circuit *circuit, const dt_cost_spec *spec, size_t count, dt_gate *const *z);

/* The i-th name of each, NULL past the last. */
const char *dt_circuit_activation_at(size_t i);
const char *dt_circuit_cost_at(size_t i);

/* A program's own. The structure is copied; `name` too; `context` is borrowed and handed to the functions, NULL where
 * they need none. */
typedef struct dt_scalar_activation {
    const char *name;
    double (*value)(const void *context, double z);      /* sigma(z) */
    double (*derivative)(const void *context, double z); /* sigma'(z), or a subgradient at a kink */
    const void *context;
} dt_scalar_activation;

typedef struct dt_scalar_cost {
    const char *name;
    double (*cost)(const void *context, size_t count, const double *z, size_t y,
                   double *delta); /* C; delta[i] = dC/dz_i */
    const void *context;
    double (*cost_of_targets)(const void *context, size_t count, const double *z, const double *t,
                              double *delta); /* NULL: takes classes alone. With no `cost`, class y is t_i = [i = y] */
} dt_scalar_cost;

dt_gate *dt_circuit_own_activation(dt_circuit *circuit, const dt_scalar_activation *own, dt_gate *z);
dt_gate *dt_circuit_own_cost(dt_circuit *circuit, const dt_scalar_cost *own, size_t count, dt_gate *const *z, size_t y);

/* Wires the output of `from` to input i (from 0) of `gate`, in place of what was there. DT_INVALID for a gate of
 * another circuit or an input that the gate doesn't have; nothing is changed then. A cycle shows at dt_circuit_forward.
 */
dt_status dt_circuit_connect(dt_gate *gate, size_t i, dt_gate *from, dt_error *error);

/* What messages and pictures call a gate; copied. NULL or "": nothing. */
dt_status dt_circuit_name(dt_gate *gate, const char *name, dt_error *error);

/* A new value of an input gate; a new right class of a cost gate. DT_INVALID for other gates, and for y >= its number
 * of inputs. */
dt_status dt_circuit_set(dt_gate *input, double value, dt_error *error);
dt_status dt_circuit_set_class(dt_gate *cost, size_t y, dt_error *error);

/* New targets (count) of a cost gate. DT_INVALID for other gates, and where the cost takes classes alone. */
dt_status dt_circuit_set_targets(dt_gate *cost, const double *t, dt_error *error);

/* --- Running --- */

/* Computes every gate's output. DT_INVALID for a cycle, an input that was left open, and whatever went wrong while it
 * was built. */
dt_status dt_circuit_forward(dt_circuit *circuit, dt_error *error);

/* Computes d from / d gate for every gate of the circuit; 0 for those `from` doesn't depend on. DT_INVALID where
 * something changed since the last dt_circuit_forward. */
dt_status dt_circuit_backward(dt_gate *from, dt_error *error);

/* NaN before forward (but for input gates) or backward, and for NULL. */
double dt_circuit_value(const dt_gate *gate);
double dt_circuit_gradient(const dt_gate *gate);

/* --- Looking --- */

typedef enum dt_gate_kind {
    DT_GATE_INPUT,
    DT_GATE_MULTIPLY,
    DT_GATE_ADD,
    DT_GATE_ACTIVATION,
    DT_GATE_COST
} dt_gate_kind;

size_t dt_circuit_gate_count(const dt_circuit *circuit);
dt_gate *dt_circuit_gate(const dt_circuit *circuit, size_t i); /* in the order they were made; NULL past the last */
dt_gate_kind dt_circuit_kind(const dt_gate *gate);
const char *
dt_circuit_operation(const dt_gate *gate);           /* "input", "multiply", "add", "relu", "cross_entropy"; borrowed */
const char *dt_circuit_name_of(const dt_gate *gate); /* "" where it has none; borrowed */
size_t dt_circuit_input_count(const dt_gate *gate);
dt_gate *dt_circuit_input_of(const dt_gate *gate, size_t i); /* what feeds input i; NULL where it was left open */

/* The gradient that `gate` hands back over the wire of input i: its part of the gradient of what feeds it. NaN before
 * backward. */
double dt_circuit_wire_gradient(const dt_gate *gate, size_t i);

/* --- A whole network ---
 *
 * The circuit of a fully connected network and one sample. Unit j of layer l is, as in the derivation, a multiply gate
 * w^l_jk a^{l-1}_k for each k, an add gate that sums them, an add gate for the bias b^l_j, and an activation gate;
 * layer L has none, the cost gate takes z^L. After dt_network_circuit_run, with gates from the calls below,
 *
 *     value    of w, b, z, a, x, cost      what their letters say
 *     gradient of z(l, j)                  delta^l_j
 *     gradient of w(l, j, k), b(l, j)      dC/dw^l_jk, dC/db^l_j                equations (5), (6)
 *     gradient of a(l, j)                  (delta^{l+1})^T w^{l+1}_.j; of a(0, k): dC/dx_k
 */
typedef struct dt_network_circuit dt_network_circuit;

/* Units j, k and the class y count from 0, layers l from 1. Everything is copied. */
typedef struct dt_network_circuit_spec {
    int64_t layers;                /* L >= 1 */
    const int64_t *units;          /* (L + 1): units[0] inputs, units[l] of layer l; all >= 1 */
    const char *const *activation; /* (L): activation[l] for l = 1 .. L-1; [0] is not read */
    const dt_scalar_activation *const
        *own;                /* (L) in the same way, used in place of the name where not NULL; may be NULL */
    const double *parameter; /* (L) in the same way: of the activations, 0 for the default; NULL: all defaults */
    const char *loss;
    const dt_scalar_cost *own_loss;      /* in place of `loss`; may be NULL */
    const dt_loss_options *loss_options; /* NULL: the defaults */
    const double *const *W;              /* (L + 1): W[l] is (units[l], units[l - 1]), row-major; [0] is not read */
    const double *const *b;              /* (L + 1): b[l] is (units[l]) */
    const double *x;                     /* (units[0]) */
    int64_t y;                           /* 0 .. units[L] - 1, where t is NULL */
    const double *t;                     /* (units[L]) targets in place of y; may be NULL */
} dt_network_circuit_spec;

/* Gates it takes, about 150 bytes each; SIZE_MAX where that can't be counted. units as above. */
size_t dt_network_circuit_size(int64_t layers, const int64_t *units);

dt_status dt_network_circuit_create(dt_network_circuit **network, const dt_network_circuit_spec *spec, dt_error *error);
void dt_network_circuit_destroy(dt_network_circuit *network); /* NULL is allowed */

/* Another sample; other parameters of layer l. Shapes as above. */
dt_status dt_network_circuit_sample(dt_network_circuit *network, const double *x, int64_t y, dt_error *error);
dt_status dt_network_circuit_sample_targets(dt_network_circuit *network, const double *x, const double *t,
                                            dt_error *error);
void dt_network_circuit_parameters(dt_network_circuit *network, int64_t l, const double *W, const double *b);

/* Forward, and backward from the cost. */
dt_status dt_network_circuit_run(dt_network_circuit *network, dt_error *error);

/* Gates by their letters; NULL for indices out of range. */
dt_gate *dt_network_circuit_w(const dt_network_circuit *network, int64_t l, int64_t j, int64_t k);
dt_gate *dt_network_circuit_b(const dt_network_circuit *network, int64_t l, int64_t j);
dt_gate *dt_network_circuit_product(const dt_network_circuit *network, int64_t l, int64_t j,
                                    int64_t k);                                           /* w^l_jk a^{l-1}_k */
dt_gate *dt_network_circuit_sum(const dt_network_circuit *network, int64_t l, int64_t j); /* over k, without bias */
dt_gate *dt_network_circuit_z(const dt_network_circuit *network, int64_t l, int64_t j);
dt_gate *dt_network_circuit_a(const dt_network_circuit *network, int64_t l, int64_t j); /* l = 0: x_j; l = L: z^L_j */
dt_gate *dt_network_circuit_cost(const dt_network_circuit *network);

/* Borrowed until destroy; and L, and units of layer l = 0 .. L. */
dt_circuit *dt_network_circuit_gates(const dt_network_circuit *network);
int64_t dt_network_circuit_layers(const dt_network_circuit *network);
int64_t dt_network_circuit_units(const dt_network_circuit *network, int64_t l);

#pragma GCC visibility pop

#endif
