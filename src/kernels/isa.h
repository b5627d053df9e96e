/* Instruction sets: which one runs, and how one source becomes a table for each of them.
 *
 * A variant source is compiled once for each precision and instruction set (CMake: deltoid_variants) and exports
 * constant tables whose names end in both: `const dt_products DT_VARIANT(dt_products) = {...};`. Code outside picks the
 * table of the instruction set in use with DT_SELECT. The rule that makes this safe: every variant gives the same bits.
 */
#ifndef DT_KERNELS_ISA_H
#define DT_KERNELS_ISA_H

#include <stdbool.h>

#include "deltoid/status.h"

/* Those of the processor's family, from the narrowest on. */
#if defined(__x86_64__)
typedef enum dt_isa { DT_ISA_GENERIC, DT_ISA_AVX2, DT_ISA_AVX512, DT_ISAS } dt_isa;
#elif defined(__aarch64__)
typedef enum dt_isa { DT_ISA_GENERIC, DT_ISA_NEON, DT_ISAS } dt_isa;
#else
typedef enum dt_isa { DT_ISA_GENERIC, DT_ISAS } dt_isa;
#endif

/* "generic", "avx2", "avx512", "neon" */
const char *dt_isa_name(dt_isa isa);

/* Does this processor run it? Whatever DELTOID_ISA says. */
bool dt_isa_runs(dt_isa isa);

/* The one in use: the widest this processor runs, or the one that DELTOID_ISA names. Read once. Falls back to the
 * widest where DELTOID_ISA is wrong; dt_isa_check says so. */
dt_isa dt_isa_current(void);

/* Did DELTOID_ISA name the one in use? */
bool dt_isa_pinned(void);

/* DT_UNKNOWN_NAME or DT_UNSUPPORTED where DELTOID_ISA names nothing this processor runs. */
dt_status dt_isa_check(dt_error *error);

#define DT_GLUE3_(a, b, c) a##_##b##_##c
#define DT_GLUE3(a, b, c)  DT_GLUE3_(a, b, c)
#define DT_GLUE2_(a, b)    a##_##b
#define DT_GLUE2(a, b)     DT_GLUE2_(a, b)

#if defined(__x86_64__)
#define DT_DECLARE_VARIANTS(type, name, brackets)                                                                      \
    extern const type DT_GLUE3(name, DT_SUFFIX, generic) brackets;                                                     \
    extern const type DT_GLUE3(name, DT_SUFFIX, avx2) brackets;                                                        \
    extern const type DT_GLUE3(name, DT_SUFFIX, avx512) brackets;
#define DT_SELECT(type, name, address)                                                                                 \
    ((const type *const[DT_ISAS]){address DT_GLUE3(name, DT_SUFFIX, generic), address DT_GLUE3(name, DT_SUFFIX, avx2), \
                                  address DT_GLUE3(name, DT_SUFFIX, avx512)}[dt_isa_current()])
#elif defined(__aarch64__)
#define DT_DECLARE_VARIANTS(type, name, brackets)                                                                      \
    extern const type DT_GLUE3(name, DT_SUFFIX, generic) brackets;                                                     \
    extern const type DT_GLUE3(name, DT_SUFFIX, neon) brackets;
#define DT_SELECT(type, name, address)                                                                                 \
    ((const type *const[DT_ISAS]){address DT_GLUE3(name, DT_SUFFIX, generic),                                          \
                                  address DT_GLUE3(name, DT_SUFFIX, neon)}[dt_isa_current()])
#else
#define DT_DECLARE_VARIANTS(type, name, brackets) extern const type DT_GLUE3(name, DT_SUFFIX, generic) brackets;
#define DT_SELECT(type, name, address)            ((const type *)(address DT_GLUE3(name, DT_SUFFIX, generic)))
#endif

#endif
