/* set_body.h — all kernels and their table for one instruction set. An isa_*.c defines the set (see
 * vec.h) and the table's name, PQ_SET, then includes this. */
#ifndef PQ_SET_BODY_H
#define PQ_SET_BODY_H

#include "kernels/adam_body.h"
#include "kernels/gelu_body.h"
#include "kernels/gemm_body.h"
#include "kernels/isa.h"
#include "kernels/kernels.h"
#include "kernels/math_body.h"
#ifdef PQ_ISA_AVX512
/* Items lie in blocks of eight, one register of AVX2. */
static void kernel_scan_f32(const pq_scan_f32_args *args) {
    pq_kernels_avx2.scan_f32(args);
}
static void kernel_scan_i8(const pq_scan_i8_args *args) {
    pq_kernels_avx2.scan_i8(args);
}
#elif !defined(PQ_REAL_DOUBLE)
#include "kernels/scan_body.h"
#endif

const pq_kernels PQ_SET = {
    PQ_SET_NAME,
#define PQ_KERNEL(class, name, tolerance, help) kernel_##name,
#define PQ_KERNEL_TRAINING(class, name, tolerance, help) PQ_TRAINING ? kernel_##name : NULL,
#include "kernels/kernels.def"
#undef PQ_KERNEL
};

#endif
