/* dt_real: the number type of the source being compiled. `precision: float64` is the same source with DT_PRECISION=64.
 *
 * External names of a source that is compiled in both precisions go through DT_R (or DT_VARIANT, isa.h), so that both
 * can be linked.
 */
#ifndef DT_KERNELS_REAL_H
#define DT_KERNELS_REAL_H

#include <stdint.h>

#include "kernels/isa.h"

#if DT_PRECISION == 64
typedef double dt_real;
typedef int64_t dt_integer;
typedef uint64_t dt_bits;
#define DT_SUFFIX    f64
#define DT_FMA       __builtin_fma
#define DT_FABS      __builtin_fabs
#define DT_REAL_ENUM DT_FLOAT64
#elif DT_PRECISION == 32
typedef float dt_real;
typedef int32_t dt_integer;
typedef uint32_t dt_bits;
#define DT_SUFFIX    f32
#define DT_FMA       __builtin_fmaf
#define DT_FABS      __builtin_fabsf
#define DT_REAL_ENUM DT_FLOAT32
#else
#error "DT_PRECISION is 32 or 64: this header is for sources compiled in both precisions"
#endif

#define DT_R(name)       DT_GLUE2(name, DT_SUFFIX)
#define DT_VARIANT(name) DT_GLUE3(name, DT_SUFFIX, DT_ISA)

/* A panel is as many units as fill a cache line, side by side: the unit of storage for weights. A block is a panel's
 * square of LANES x LANES weights, the unit of sharing. */
enum { DT_LANES = 64 / (int)sizeof(dt_real), DT_BLOCK = DT_LANES * DT_LANES };

/* n rounded up to whole panels */
static inline int64_t dt_whole_panels(int64_t n)
{
    return (n + DT_LANES - 1) / DT_LANES * DT_LANES;
}

#endif
