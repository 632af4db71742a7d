/* kernels.c — the instruction sets of this build, and which of them this processor has. */
#include "kernels/kernels.h"

#include "kernels/isa.h"

#ifdef PQ_HAVE_AVX2
#include <cpuid.h>
#endif
#include <string.h>

/* From the narrowest to the widest. */
static const pq_kernels *const sets[] = {
#ifdef PQ_HAVE_SCALAR
    &pq_kernels_scalar,
#endif
#ifdef PQ_HAVE_V128
    &pq_kernels_v128,
#endif
#ifdef PQ_HAVE_AVX2
    &pq_kernels_avx2,
#endif
#ifdef PQ_HAVE_AVX512
    &pq_kernels_avx512,
#endif
#ifdef PQ_HAVE_AVX512VNNI
    &pq_kernels_avx512vnni,
#endif
};

#ifdef PQ_HAVE_AVX2
/* clang 14 has no name for it. */
static bool has_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

static bool can_run(const pq_kernels *set) {
#ifdef PQ_HAVE_AVX2 /* x86: what is not part of every processor is asked of CPUID */
    if (set == &pq_kernels_v128) {
        return __builtin_cpu_supports("sse4.1") != 0;
    }
    if (set == &pq_kernels_avx2) {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    }
    if (set == &pq_kernels_avx512vnni && !__builtin_cpu_supports("avx512vnni")) {
        return false;
    }
    if (set == &pq_kernels_avx512 ||
        set == &pq_kernels_avx512vnni) { /* also asks whether the system keeps the wide registers */
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    }
#endif
    (void)set;
    return true;
}

const pq_kernels *pq_kernels_at(uint32_t i, bool *runnable) {
    if (i >= PQ_COUNT(sets)) {
        return NULL;
    }
    *runnable = can_run(sets[i]);
    return sets[i];
}

const pq_kernels *pq_kernels_find(const char *isa) {
    const bool best = strcmp(isa, "best") == 0;
    for (size_t i = PQ_COUNT(sets); i-- > 0;) {
        if (can_run(sets[i]) && (best || strcmp(isa, sets[i]->isa) == 0)) {
            return sets[i];
        }
    }
    return NULL;
}
