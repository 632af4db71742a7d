/* isa_avx2.c — the kernels at 256 bits (compile with -mavx2 -mfma). */
#include "kernels/isa.h"

#ifdef PQ_HAVE_AVX2
#define PQ_ISA_AVX2
#define PQ_SET pq_kernels_avx2
#define PQ_SET_NAME "avx2"
#include "kernels/set_body.h"
#endif
