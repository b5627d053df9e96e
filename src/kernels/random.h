/* Random numbers by the vector: Philox4x32-10 (base/philox.h) on many counters at once, for dropout's masks and noise.
 *
 * A stream is a run of 2^18 counters, from `index` (a multiple of 2^18) on; its number u, u < 2^20, is word
 * u / 16 % 4 of counter u / 64 * 16 + u % 16, so that a vector of counters gives neighbours. A pure function of the
 * stream and u: no thread and no vector can disturb it.
 */
#ifndef DT_KERNELS_RANDOM_H
#define DT_KERNELS_RANDOM_H

#include "base/philox.h"
#include "kernels/real.h"

typedef struct dt_stream {
    uint64_t seed, index; /* as dt_philox takes them */
    uint32_t purpose, minor;
} dt_stream;

typedef struct dt_randoms {
    /* Numbers first .. first+n-1 of the stream: mask[i] = 0 with probability p, else kept. */
    void (*mask)(const dt_stream *stream, int64_t first, int64_t n, double p, dt_real kept, dt_real *mask);

    /* x[i] += deviation N(0, 1). The normal distribution's quantile (Giles 2010, in float32: 24 bits of each number) at
     * the middles of 2^24 intervals, so no number is beyond 5.5 deviations. */
    void (*noise)(const dt_stream *stream, int64_t first, int64_t n, dt_real deviation, dt_real *x);
} dt_randoms;

DT_DECLARE_VARIANTS(dt_randoms, dt_randoms, )

#endif
