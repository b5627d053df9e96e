/* The numbers that figures and tables show: what there is to know of one unit, or of a whole network, in one sample.
 * They come from a circuit that was run, or from a step of training.
 *
 * Products w a, their sum, delta a, delta w and (delta^{l+1})^T w^{l+1}_.j follow from W, a and delta, and are formed
 * in double wherever those come from.
 */
#ifndef DT_CIRCUIT_NUMBERS_H
#define DT_CIRCUIT_NUMBERS_H

#include <stdint.h>

#include "base/memory.h"
#include "deltoid/circuit.h"

/* Unit j of layer l. */
typedef struct dt_unit_numbers {
    int64_t layers, l, j;   /* L; l from 1, j from 0 */
    int64_t inputs;         /* units of layer l - 1 */
    const char *activation; /* name of sigma^l; NULL on layer L */
    const char *loss;       /* name of the cost, for layer L */
    const double *w, *a;    /* (inputs) w^l_jk and a^{l-1}_k */
    double sum, b, z;       /* without and with the bias */
    double value;           /* a^l_j; on layer L: C */
    double delta;           /* dC/dz^l_j */
    double back;            /* dC/da^l_j = (delta^{l+1})^T w^{l+1}_.j; 1 on layer L */
    int64_t units;          /* of layer l */
} dt_unit_numbers;

/* All units. Arrays are borrowed; [l] is layer l, and what is not named for a layer is not read. */
typedef struct dt_network_numbers {
    int64_t layers;                /* L */
    const int64_t *units;          /* (L + 1) */
    const char *const *activation; /* [l], l = 1 .. L-1: name of sigma^l */
    const char *loss;              /* name of the cost */
    const double *const *W;        /* [l], l = 1 .. L: (units[l], units[l - 1]) */
    const double *const *b;        /* [l], l = 1 .. L */
    const double *const *z;        /* [l], l = 1 .. L */
    const double *const *a;        /* [l], l = 0 .. L-1; a[0] = x */
    const double *const *delta;    /* [l], l = 1 .. L */
    const double *const *back;     /* [l], l = 0 .. L-1: dC/da^l_j, of layer 0 dC/dx_j */
    double cost;                   /* C */
} dt_network_numbers;

/* Of a circuit that was run. `room` holds 2 * inputs numbers, that `numbers` borrows. */
dt_status dt_unit_numbers_from_circuit(dt_unit_numbers *numbers, const dt_network_circuit *network, int64_t l,
                                       int64_t j, double *room, dt_error *error);

/* The same of all units; what `numbers` borrows lives in the arena, names of functions in the circuit. */
dt_status dt_network_numbers_from_circuit(dt_network_numbers *numbers, const dt_network_circuit *network,
                                          dt_arena *arena, dt_error *error);

/* One unit of them; l and j must be right. Borrows from `network`. */
void dt_unit_numbers_of(dt_unit_numbers *numbers, const dt_network_numbers *network, int64_t l, int64_t j);

/* sum_k w_k a_k in ascending order. */
double dt_numbers_sum(int64_t inputs, const double *w, const double *a);

/* Fills `back` from W and delta; it lives in the arena. */
dt_status dt_network_numbers_back(dt_network_numbers *numbers, dt_arena *arena, dt_error *error);

#endif
