/* isa_v128.c — the kernels at 128 bits: SSE4.1 (compile with -msse4.1), NEON, WebAssembly SIMD. */
#include "kernels/isa.h"

#ifdef PQ_HAVE_V128
#define PQ_ISA_V128
#define PQ_SET pq_kernels_v128
#define PQ_SET_NAME "v128"
#include "kernels/set_body.h"
#endif
