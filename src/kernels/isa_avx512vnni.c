/* isa_avx512vnni.c — the kernels at 512 bits with products of bytes summed in one operation (compile like
 * isa_avx512.c, and with -mavx512vnni). */
#include "kernels/isa.h"

#ifdef PQ_HAVE_AVX512VNNI
#define PQ_ISA_AVX512
#define PQ_ISA_VNNI
#define PQ_SET pq_kernels_avx512vnni
#define PQ_SET_NAME "avx512vnni"
#include "kernels/set_body.h"
#endif
