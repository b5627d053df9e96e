/* The work that is timed, in a form that doesn't know the precision: src/machine/work.c is compiled in both. */
#ifndef DT_MACHINE_WORK_H
#define DT_MACHINE_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "deltoid/machine.h"

/* Shape of the product that stands for a training step's: 240 samples, 512 units, 512 inputs. 240 is whole tiles of
 * every instruction set's height, and the operands lie in a 2nd-level cache together or nearly so. */
enum { DT_PRODUCT_ROWS = 240, DT_PRODUCT_UNITS = 512, DT_PRODUCT_INPUTS = 512 };

typedef struct dt_work {
    /* `turns` turns of the chains of fused multiply-adds. Returns the floating-point operations. */
    double (*fma)(int64_t turns);

    size_t product_bytes;
    void (*product_prepare)(void *memory); /* (product_bytes), aligned to a cache line */
    double (*product)(int64_t times, void *memory);

    /* Arrays in `bytes` of memory (at least DT_WORK_BYTES_LEAST), aligned to a cache line. prepare writes all of it. */
    void (*memory_prepare)(void *memory, size_t bytes);
    double (*read)(int64_t passes, const void *memory, size_t bytes); /* both return the bytes moved, */
    double (*triad)(int64_t passes, void *memory, size_t bytes);      /* of a triad 3 numbers an element; */
    double (*step)(void *memory, size_t bytes);                       /* a = a + x: those of a, once */
} dt_work;

enum { DT_WORK_BYTES_LEAST = 4096 };

/* Of a precision, in the instruction set in use. */
extern const dt_work dt_work_f32, dt_work_f64;

static inline const dt_work *dt_work_of(dt_precision precision)
{
    return precision == DT_FLOAT64 ? &dt_work_f64 : &dt_work_f32;
}

#endif
