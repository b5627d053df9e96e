#include "machine/loops.h"

#include "kernels/vector.h"

/* Nothing that a pass loads or stores may be kept for the next one. */
#define FORGET_MEMORY() __asm__ volatile("" : : : "memory")

static void chains_of_fma(int64_t turns, dt_real x, dt_real y, dt_real *chains)
{
    const dt_vector xs = dt_broadcast(&x), ys = dt_broadcast(&y);
    dt_vector chain[DT_CHAINS];
    DT_REPEAT (c, DT_CHAINS)
        chain[c] = dt_load(chains + c * DT_WIDTH);
    for (int64_t turn = 0; turn < turns; turn++)
        DT_REPEAT (c, DT_CHAINS)
            chain[c] = dt_fma(chain[c], xs, ys);
    DT_REPEAT (c, DT_CHAINS)
        dt_store(chains + c * DT_WIDTH, chain[c]);
}

static dt_real read(int64_t passes, int64_t n, const dt_real *a)
{
    dt_vector sum[DT_READ_VECTORS];
    DT_REPEAT (v, DT_READ_VECTORS)
        sum[v] = dt_zero();
    for (int64_t pass = 0; pass < passes; pass++) {
        for (int64_t i = 0; i < n; i += DT_READ_VECTORS * DT_WIDTH)
            DT_REPEAT (v, DT_READ_VECTORS)
                sum[v] = dt_add(sum[v], dt_load(a + i + v * DT_WIDTH));
        FORGET_MEMORY();
    }
    dt_real sums[DT_READ_NUMBERS], total = 0;
    DT_REPEAT (v, DT_READ_VECTORS)
        dt_store(sums + v * DT_WIDTH, sum[v]);
    for (int i = 0; i < DT_READ_VECTORS * DT_WIDTH; i++)
        total += sums[i];
    return total;
}

static void triad(int64_t passes, int64_t n, const dt_real *restrict b, dt_real s, const dt_real *restrict c,
                  dt_real *restrict a)
{
    enum { TOGETHER = DT_VECTORS_A_PANEL < 4 ? DT_VECTORS_A_PANEL : 4 };
    const dt_vector factor = dt_broadcast(&s);
    for (int64_t pass = 0; pass < passes; pass++) {
        for (int64_t i = 0; i < n; i += TOGETHER * DT_WIDTH)
            DT_REPEAT (v, TOGETHER) {
                const int64_t at = i + v * DT_WIDTH;
                dt_store(a + at, dt_fma(factor, dt_load(c + at), dt_load(b + at)));
            }
        FORGET_MEMORY();
    }
}

static void step(int64_t n, dt_real x, dt_real *a)
{
    const dt_vector xs = dt_broadcast(&x);
    for (int64_t i = 0; i < n; i += DT_READ_VECTORS * DT_WIDTH)
        DT_REPEAT (v, DT_READ_VECTORS)
            dt_store(a + i + v * DT_WIDTH, dt_add(xs, dt_load(a + i + v * DT_WIDTH)));
}

const dt_loops DT_VARIANT(dt_loops) = {
    .fma_numbers = DT_CHAINS * DT_WIDTH,
    .fma = chains_of_fma,
    .read = read,
    .triad = triad,
    .step = step,
};
