#include "machine/work.h"

#include "base/split.h"
#include "kernels/products.h"
#include "machine/loops.h"

static const dt_loops *loops(void)
{
    return DT_SELECT(dt_loops, dt_loops, &);
}

/* Where results go, so that no compiler finds them useless. */
static void keep(dt_real value)
{
    __asm__ volatile("" : : "r"(&value) : "memory");
}

static void fill(dt_real *x, int64_t n, dt_real value)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = value;
}

static double fma_turns(int64_t turns)
{
    _Alignas(64) dt_real chains[DT_CHAIN_NUMBERS];
    for (int i = 0; i < DT_CHAIN_NUMBERS; i++)
        chains[i] = (dt_real)(1 + i);
    loops()->fma(turns, (dt_real)0.999999, (dt_real)1e-6, chains); /* goes to 1: neither denormal nor infinite */
    keep(chains[0]);
    return 2.0 * (double)loops()->fma_numbers * (double)turns;
}

/* --- the product: A (rows, A_STRIDE), B in panels, C (rows, C_STRIDE); strides that are no power of two --- */

enum {
    DEPTH = DT_PRODUCT_INPUTS,
    PANELS = DT_PRODUCT_UNITS / DT_LANES,
    A_STRIDE = DT_PRODUCT_INPUTS + DT_LANES,
    C_STRIDE = DT_PRODUCT_UNITS + DT_LANES,
    A_NUMBERS = DT_PRODUCT_ROWS * A_STRIDE,
    B_PANEL = A_STRIDE * DT_LANES,
    B_NUMBERS = PANELS * B_PANEL,
    C_NUMBERS = DT_PRODUCT_ROWS * C_STRIDE,
    ALL_NUMBERS = A_NUMBERS + B_NUMBERS + C_NUMBERS
};

static void product_prepare(void *memory)
{
    fill(memory, ALL_NUMBERS, (dt_real)0.5);
}

static double product(int64_t times, void *memory)
{
    dt_real *A = memory, *B = A + A_NUMBERS, *C = B + B_NUMBERS;
    const dt_products *products = DT_SELECT(dt_products, dt_products, &);
    for (int64_t i = 0; i < times; i++)
        products->product(DT_PRODUCT_ROWS, PANELS, DEPTH, A, A_STRIDE, B, B_PANEL, C, C_STRIDE);
    keep(C[0]);
    return 2.0 * DT_PRODUCT_ROWS * DT_PRODUCT_UNITS * DT_PRODUCT_INPUTS * (double)times;
}

/* --- memory --- */

static void memory_prepare(void *memory, size_t bytes)
{
    fill(memory, (int64_t)(bytes / sizeof(dt_real)), 1);
}

static int64_t whole_numbers(size_t bytes)
{
    return (int64_t)(bytes / sizeof(dt_real)) / DT_READ_NUMBERS * DT_READ_NUMBERS;
}

static double read(int64_t passes, const void *memory, size_t bytes)
{
    const int64_t n = whole_numbers(bytes);
    keep(loops()->read(passes, n, memory));
    return (double)passes * (double)n * sizeof(dt_real);
}

/* Three arrays of equal length, whose starts are some lines from falling together modulo a page: loads that look as if
 * they followed a store wait for it. */
static double triad(int64_t passes, void *memory, size_t bytes)
{
    enum { PAGE = 4096, APART = 512 };
    const int64_t page = PAGE / (int64_t)sizeof(dt_real), apart = APART / (int64_t)sizeof(dt_real);
    int64_t n = (int64_t)(bytes / sizeof(dt_real)) / 3 / DT_LANES * DT_LANES;
    while (n > page && (n % page < apart || 2 * n % page < apart))
        n -= apart;
    dt_real *a = memory, *b = a + n, *c = b + n;
    loops()->triad(passes, n, b, (dt_real)0.5, c, a);
    keep(a[0]);
    return (double)passes * (double)n * 3 * sizeof(dt_real);
}

static double step(void *memory, size_t bytes)
{
    const int64_t n = whole_numbers(bytes);
    loops()->step(n, (dt_real)0.5, memory);
    return (double)n * sizeof(dt_real);
}

const dt_work DT_R(dt_work) = {
    .fma = fma_turns,
    .product_bytes = ALL_NUMBERS * sizeof(dt_real),
    .product_prepare = product_prepare,
    .product = product,
    .memory_prepare = memory_prepare,
    .read = read,
    .triad = triad,
    .step = step,
};
