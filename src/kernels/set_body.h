/* set_body.h — all kernels and their table for one instruction set. An isa_*.c defines the set (see
 * vec.h) and the table's name, PQ_SET, then includes this. */
#ifndef PQ_SET_BODY_H
#define PQ_SET_BODY_H

#include "kernels/adam_body.h"
#include "kernels/gelu_body.h"
#include "kernels/gemm_body.h"
#include "kernels/kernels.h"
#include "kernels/math_body.h"
#ifndef PQ_REAL_DOUBLE
#include "kernels/scan_body.h"
#endif

const pq_kernels PQ_SET = {
    PQ_SET_NAME,
#define PQ_KERNEL(class, name, tolerance, help) kernel_##name,
#define PQ_KERNEL_TRAINING(class, name, tolerance, help) PQ_TRAINING ? kernel_##name : NULL,
#ifdef PQ_ISA_VNNI
#define PQ_KERNEL_BYTES PQ_KERNEL
#else
#define PQ_KERNEL_BYTES(class, name, tolerance, help) NULL,
#endif
#include "kernels/kernels.def"
#undef PQ_KERNEL
};

#endif
