/* What the tests of variant sources share (kernels/isa.h): every variant that runs here, numbers to feed them, and the
 * comparison of bits. Compiled in both precisions.
 *
 *     static const dt_products *const variants[DT_ISAS] = VARIANTS(dt_products, &);
 *     for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)    // all that run here: the widest and those below it
 *         variants[isa]->...
 */
#ifndef DT_TESTS_VARIANTS_H
#define DT_TESTS_VARIANTS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/split.h"
#include "kernels/real.h"

/* The initialiser of an array [DT_ISAS] of a table's variants. */
#if defined(__x86_64__)
#define VARIANTS(name, address)                                                                                        \
    {                                                                                                                  \
        address DT_GLUE3(name, DT_SUFFIX, generic), address DT_GLUE3(name, DT_SUFFIX, avx2),                           \
            address DT_GLUE3(name, DT_SUFFIX, avx512)                                                                  \
    }
#elif defined(__aarch64__)
#define VARIANTS(name, address)                                                                                        \
    {                                                                                                                  \
        address DT_GLUE3(name, DT_SUFFIX, generic), address DT_GLUE3(name, DT_SUFFIX, neon)                            \
    }
#else
#define VARIANTS(name, address)                                                                                        \
    {                                                                                                                  \
        address DT_GLUE3(name, DT_SUFFIX, generic)                                                                     \
    }
#endif

/* A group's setup: nobody's environment narrows what is tested. */
static inline int all_isas(void **state)
{
    (void)state;
    return unsetenv("DELTOID_ISA");
}

/* --- numbers: splitmix64 (Steele, Lea, Flood 2014), so that tests don't draw from what they test --- */

static inline uint64_t draw(uint64_t *random)
{
    uint64_t z = (*random += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* low .. high */
static inline int64_t draw_integer(uint64_t *random, int64_t low, int64_t high)
{
    return low + (int64_t)(draw(random) % (uint64_t)(high - low + 1));
}

/* Uniform in [low, high), in steps of 2^-53 of the range. */
static inline double draw_between(uint64_t *random, double low, double high)
{
    return low + (high - low) * ((double)(draw(random) >> 11) * 0x1p-53);
}

/* A number of either sign and of a magnitude between 2^-6 and 2^6: sums of such differ when their order does. One in
 * eight is zero, of either sign, as behind a relu. */
static inline dt_real draw_real(uint64_t *random)
{
    const uint64_t bits = draw(random);
    const double size = bits & 7 ? ldexp(1 + (double)(bits >> 12) * 0x1p-52, (int)(bits >> 3) % 12 - 6) : 0;
    return (dt_real)(bits & 0x800 ? -size : size);
}

static inline void draw_reals(uint64_t *random, int64_t n, dt_real *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = draw_real(random);
}

/* --- memory --- */

/* n numbers aligned as the library's arrays are, not one more: a sanitizer sees what is read past the end. */
static inline dt_real *reals(int64_t n)
{
    void *block;
    assert_int_equal(posix_memalign(&block, 64, (size_t)n * sizeof(dt_real)), 0);
    return block;
}

/* A value nothing computes: what guard zones, and whatever must not be read, are filled with. */
static inline dt_real poison(void)
{
    const dt_integer bits = sizeof(dt_real) == 4 ? (dt_integer)0x7fc5a5a5 : (dt_integer)0x7ff8a5a5a5a5a5a5;
    dt_real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline void fill(dt_real *x, int64_t n, dt_real value)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = value;
}

/* --- bits --- */

static inline bool same_bits(dt_real a, dt_real b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Same bits, or both NaN: its sign and payload mean nothing. */
static inline bool same_value(dt_real a, dt_real b)
{
    return same_bits(a, b) || (isnan(a) && isnan(b));
}

/* All n numbers have the same bits; else fails with the first that differs and the case that `format` describes. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static inline void
assert_bits(const dt_real *got, const dt_real *want, int64_t n, const char *format, ...)
{
    if (memcmp(got, want, (size_t)n * sizeof *got) == 0)
        return;
    int64_t i = 0;
    while (same_bits(got[i], want[i]))
        i++;
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    fail_msg("%s: number %lld of %lld is %a, not %a", what, (long long)i, (long long)n, (double)got[i],
             (double)want[i]);
}

#endif
