/* isa_avx512.c — the kernels at 512 bits (compile with -mavx512f -mavx512bw -mavx512dq -mavx512vl). */
#include "kernels/isa.h"

#ifdef PQ_HAVE_AVX512
#define PQ_ISA_AVX512
#define PQ_SET pq_kernels_avx512
#define PQ_SET_NAME "avx512"
#include "kernels/set_body.h"
#endif
