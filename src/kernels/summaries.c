#include "kernels/summary.h"

#define TABLES(isa) extern const dt_summaries dt_summaries_f32_##isa, dt_summaries_f64_##isa;
#define BOTH(isa)                                                                                                      \
    {                                                                                                                  \
        &dt_summaries_f32_##isa, &dt_summaries_f64_##isa                                                               \
    }

TABLES(generic)
#if defined(__x86_64__)
TABLES(avx2)
TABLES(avx512)
static const dt_summaries *const tables[DT_ISAS][2] = {
    [DT_ISA_GENERIC] = BOTH(generic), [DT_ISA_AVX2] = BOTH(avx2), [DT_ISA_AVX512] = BOTH(avx512)};
#elif defined(__aarch64__)
TABLES(neon)
static const dt_summaries *const tables[DT_ISAS][2] = {[DT_ISA_GENERIC] = BOTH(generic), [DT_ISA_NEON] = BOTH(neon)};
#else
static const dt_summaries *const tables[DT_ISAS][2] = {[DT_ISA_GENERIC] = BOTH(generic)};
#endif

const dt_summaries *dt_summaries_of(dt_precision precision)
{
    return tables[dt_isa_current()][precision == DT_FLOAT64];
}
