/* isa_scalar.c — the kernels in plain C, for every machine and as the reference of the others. */
#include "kernels/isa.h"

#ifdef PQ_HAVE_SCALAR
#define PQ_ISA_SCALAR
#define PQ_SET pq_kernels_scalar
#define PQ_SET_NAME "scalar"
#include "kernels/set_body.h"
#endif
