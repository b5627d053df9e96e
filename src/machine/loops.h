/* The loops that find the limits of a core: a variant source (kernels/isa.h). */
#ifndef DT_MACHINE_LOOPS_H
#define DT_MACHINE_LOOPS_H

#include <stdint.h>

#include "kernels/real.h"

enum {
    DT_CHAINS = 12,                              /* vectors: covers 2 units of a latency up to 6 */
    DT_CHAIN_NUMBERS = DT_CHAINS * DT_LANES,     /* room for them in every instruction set */
    DT_READ_VECTORS = 8,                         /* sums of a read: covers 2 units of a latency of 4 */
    DT_READ_NUMBERS = DT_READ_VECTORS * DT_LANES /* arrays are a multiple of this */
};

typedef struct dt_loops {
    int64_t fma_numbers; /* fused multiply-adds in a turn */

    /* chain = chain * x + y, `turns` times, on chains (DT_CHAIN_NUMBERS), each independent of the others. */
    void (*fma)(int64_t turns, dt_real x, dt_real y, dt_real *chains);

    /* The sum of a (n), `passes` times over. n a multiple of DT_READ_NUMBERS. */
    dt_real (*read)(int64_t passes, int64_t n, const dt_real *a);

    /* a = b + s c on arrays (n) that don't overlap, `passes` times over. n a multiple of DT_LANES. */
    void (*triad)(int64_t passes, int64_t n, const dt_real *b, dt_real s, const dt_real *c, dt_real *a);

    /* a = a + x (n), once: stepped in place. n a multiple of DT_READ_NUMBERS. */
    void (*step)(int64_t n, dt_real x, dt_real *a);
} dt_loops;

DT_DECLARE_VARIANTS(dt_loops, dt_loops, )

#endif
