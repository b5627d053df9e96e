/* Random numbers without state: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2,
 * 3", SC'11), from Random123, keyed by the seed and what the numbers are for. Number `index` of a stream is a pure
 * function, so no thread can disturb another's.
 */
#ifndef DT_BASE_PHILOX_H
#define DT_BASE_PHILOX_H

#include <Random123/philox.h>
#include <stdint.h>

/* What numbers are for. Each purpose is its own stream; values are part of the reproducible result: never renumber. */
typedef enum dt_purpose {
    DT_FOR_INIT = 1,       /* minor: layer */
    DT_FOR_SHUFFLE = 2,    /* minor: epoch */
    DT_FOR_SPLIT = 3,      /* minor: 0 */
    DT_FOR_BLOCKS = 5,     /* minor: epoch; data/windows.h */
    DT_FOR_CHECK = 4,      /* minor: layer; which weights a gradient check takes */
    DT_FOR_DROPOUT = 10,   /* kernels/random.h: masks of layer l in a step */
    DT_FOR_NOISE = 11,     /* the same, of the inputs */
    DT_FOR_DATA = 20,      /* minor: part; synthetic data (see data/synthetic.c) */
    DT_FOR_SWEEP = 30,     /* minor: key; draws of a random sweep */
    DT_FOR_BOOTSTRAP = 31, /* minor: the caller's; resamples of study/bootstrap.h */
    DT_FOR_ORDER = 32,     /* minor: block; study/order.h */
    DT_FOR_TEST = 100      /* tests' own data */
} dt_purpose;

/* Streams of many numbers each: kernels/random.h. */
enum { DT_STREAM_BITS = 18 };
#define DT_STREAM_NUMBERS (INT64_C(4) << DT_STREAM_BITS)

typedef struct dt_random128 {
    uint64_t u[2];
} dt_random128;

/* 128 random bits: block `index` of stream (seed, purpose, minor), minor < 2^32. */
static inline dt_random128 dt_philox(uint64_t seed, dt_purpose purpose, uint64_t minor, uint64_t index)
{
    philox4x32_ctr_t counter = {{(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)minor, (uint32_t)purpose}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t r = philox4x32(counter, key);
    return (dt_random128){{r.v[0] | (uint64_t)r.v[1] << 32, r.v[2] | (uint64_t)r.v[3] << 32}};
}

/* Uniform in (0, 1): the middle of one of 2^53 equal intervals' left part, never 0 or 1. */
static inline double dt_uniform01(uint64_t bits)
{
    return ((double)(bits >> 12) + 0.5) * 0x1p-52;
}

__extension__ typedef unsigned __int128 dt_uint128;

/* Uniform in 0 .. n-1 (Lemire 2019's multiply-and-shift; for n < 2^32 its bias is under 2^-32 of a count). */
static inline uint64_t dt_uniform_below(uint64_t bits, uint64_t n)
{
    return (uint64_t)((dt_uint128)bits * n >> 64);
}

#endif
