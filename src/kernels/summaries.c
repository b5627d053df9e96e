#include "kernels/summary.h"

#define TABLES(isa) extern const dt_summaries dt_summaries_f32_##isa, dt_summaries_f64_##isa;
TABLES(generic)
#if defined(__x86_64__)
TABLES(avx2)
TABLES(avx512)
static const dt_summaries *const tables[DT_ISAS][2] = {
    [DT_ISA_GENERIC] = {&dt_summaries_f32_generic, &dt_summaries_f64_generic},
    [DT_ISA_AVX2] = {&dt_summaries_f32_avx2, &dt_summaries_f64_avx2},
    [DT_ISA_AVX512] = {&dt_summaries_f32_avx512, &dt_summaries_f64_avx512},
};
#else
static const dt_summaries *const tables[DT_ISAS][2] = {
    [DT_ISA_GENERIC] = {&dt_summaries_f32_generic, &dt_summaries_f64_generic},
};
#endif

const dt_summaries *dt_summaries_of(dt_precision precision)
{
    return tables[dt_isa_current()][precision == DT_FLOAT64];
}
