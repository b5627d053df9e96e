#include "kernels/isa.h"

#include <stdlib.h>
#include <string.h>

#include "base/names.h"

#if defined(__x86_64__)
static const char *const names[DT_ISAS] = {"generic", "avx2", "avx512"};
#elif defined(__aarch64__)
static const char *const names[DT_ISAS] = {"generic", "neon"};
#else
static const char *const names[DT_ISAS] = {"generic"};
#endif

const char *dt_isa_name(dt_isa isa)
{
    return names[isa];
}

bool dt_isa_runs(dt_isa isa)
{
#if defined(__x86_64__)
    switch (isa) {
    case DT_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
    case DT_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    default:
        return 1;
    }
#else
    return isa < DT_ISAS; /* every processor of the family runs NEON */
#endif
}

static int named(const char *name)
{
    for (int isa = 0; isa < DT_ISAS; isa++)
        if (strcmp(name, names[isa]) == 0)
            return isa;
    return -1;
}

dt_isa dt_isa_current(void)
{
    static int chosen = -1; /* every thread computes the same value */
    int isa = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (isa >= 0)
        return (dt_isa)isa;
    const char *wish = getenv("DELTOID_ISA");
    isa = wish ? named(wish) : -1;
    if (isa < 0 || !dt_isa_runs((dt_isa)isa))
        for (isa = DT_ISAS - 1; !dt_isa_runs((dt_isa)isa);)
            isa--;
    __atomic_store_n(&chosen, isa, __ATOMIC_RELAXED);
    return (dt_isa)isa;
}

bool dt_isa_pinned(void)
{
    const char *wish = getenv("DELTOID_ISA");
    return wish && named(wish) == (int)dt_isa_current();
}

static const char *name_at(const void *context, size_t i)
{
    (void)context;
    return i < DT_ISAS ? names[i] : NULL;
}

dt_status dt_isa_check(dt_error *error)
{
    const char *wish = getenv("DELTOID_ISA");
    if (!wish)
        return DT_OK;
    int isa = named(wish);
    if (isa < 0) {
        dt_status status = dt_fail_unknown(error, "instruction set", wish, name_at, NULL);
        dt_error_prefix(error, "DELTOID_ISA");
        return status;
    }
    if (!dt_isa_runs((dt_isa)isa))
        return dt_fail(error, DT_UNSUPPORTED,
                       "DELTOID_ISA: this processor doesn't run %s; unset it or use a narrower one", wish);
    return DT_OK;
}
