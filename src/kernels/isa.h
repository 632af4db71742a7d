/* isa.h — which instruction sets this build has: all that the processor family may have in native
 * builds, one in WebAssembly, where the page chooses between two modules. */
#ifndef PQ_ISA_H
#define PQ_ISA_H

#include "kernels/kernels.h"

#if defined(PQ_SCALAR_ONLY) || defined(PQ_REAL_DOUBLE)
#define PQ_HAVE_SCALAR 1
#elif defined(__wasm_simd128__)
#define PQ_HAVE_V128 1
#elif defined(__GNUC__) && defined(__x86_64__)
#define PQ_HAVE_SCALAR 1
#define PQ_HAVE_V128 1
#define PQ_HAVE_AVX2 1
#define PQ_HAVE_AVX512 1
#define PQ_HAVE_AVX512VNNI 1
#elif defined(__aarch64__)
#define PQ_HAVE_SCALAR 1
#define PQ_HAVE_V128 1
#else
#define PQ_HAVE_SCALAR 1
#endif

extern const pq_kernels pq_kernels_scalar;
extern const pq_kernels pq_kernels_v128;
extern const pq_kernels pq_kernels_avx2;
extern const pq_kernels pq_kernels_avx512;
extern const pq_kernels pq_kernels_avx512vnni;

#endif
