/* kernels.h — the inner loops, one table of function pointers per instruction set.
 *
 * Each kernel has one body (in *_body.h, written on vec.h) that is compiled once per set;
 * kernels.def has a row for each, from which come the declarations, the tables, the test of
 * every set against scalar, and the micro-benchmark. A row's class fixes its signature and so
 * its test.
 *
 * The order of every sum is fixed by the lengths alone, never by the address or the thread. */
#ifndef PQ_KERNELS_H
#define PQ_KERNELS_H

#include "base/context.h"
#include "base/number.h"

/* C (m, n) = A B, or += when accumulate, or A B with `start` added to every row. Leading dimensions in elements.
 *   nn: A (m, k), B (k, n)     nt: A (m, k), B (n, k)     tn: A (k, m), B (k, n) */
typedef struct {
    uint32_t m, n, k;
    const pq_real *a, *b;
    pq_real *c;
    uint32_t lda, ldb, ldc;
    bool accumulate;
    const pq_real *start; /* NULL or [n]; not with accumulate */
    /* NULL, or B is b + diag(scale) more; more lies as b does, scale is [k]. Not where B is turned. */
    const pq_real *more, *scale;
} pq_gemm_args;

/* One Adam step over n weights whose gradient is g:
 *   m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g²;  w -= rate * m / (sqrt(v) * v_scale + eps)
 * with rate and v_scale holding the bias corrections: rate = lr / (1-b1^t),
 * v_scale = 1/sqrt(1-b2^t).
 * decay: w -= decay * w before the step (AdamW; decay = lr * weight_decay). */
typedef struct {
    pq_real rate, v_scale, beta1, beta2, epsilon, decay;
    pq_real grad_scale; /* g is multiplied by this first (gradient clipping) */
    pq_real l2;         /* then l2 w is added to g */
} pq_adam_args;

/* Scores of `block_count` interleaved blocks of eight items (base/table.h): out[8 * b + i] = max
 * over interests k of <interest_k, item>; a NaN product never wins, and where all are NaN the
 * score is -infinity. cols is the width; int8 items are not yet multiplied by their scales (the
 * scale is positive, so the winner is the same). */
typedef struct {
    const float *blocks;
    const float *interests; /* [interest_count, cols] */
    uint32_t block_count, interest_count, cols;
    float *out;
} pq_scan_f32_args;

typedef struct {
    const int8_t *blocks;
    const int16_t
        *interests; /* [interest_count, cols rounded up to even], quantised by the caller so
                                 that no sum leaves int32 */
    const float *interest_scales; /* [interest_count] */
    uint32_t block_count, interest_count, cols;
    float *out;
} pq_scan_i8_args;

/* Classes: the signature of a kernel. */
typedef void pq_kernel_map(const pq_real *x, pq_real *y, size_t n); /* y may be x */
typedef void pq_kernel_slope(const pq_real *x, const pq_real *g, pq_real *dx,
                             size_t n); /* dx += g f'(x) */
typedef pq_real pq_kernel_reduce(const pq_real *x, size_t n);
typedef pq_real pq_kernel_reduce2(const pq_real *x, const pq_real *y, size_t n);
typedef void pq_kernel_axpy(pq_real a, const pq_real *x, pq_real *y,
                            size_t n); /* y += a x; y may be x */
typedef pq_real pq_kernel_softmax(const pq_real *x, pq_real *y, size_t n); /* log-sum-exp of x */
typedef void pq_kernel_gemm(const pq_gemm_args *args);
typedef void pq_kernel_adam(const pq_adam_args *args, pq_real *w, pq_real *m, pq_real *v,
                            const pq_real *g, size_t n);
typedef void pq_kernel_scan_f32(const pq_scan_f32_args *args);
typedef void pq_kernel_scan_i8(const pq_scan_i8_args *args);

typedef struct pq_kernels {
    const char *isa;
#define PQ_KERNEL(class, name, tolerance, help) pq_kernel_##class *name;
#include "kernels/kernels.def"
#undef PQ_KERNEL
} pq_kernels;

/* The set of that name, or the best this processor has for "best"; NULL when it has no such set. */
const pq_kernels *pq_kernels_find(const char *isa);
/* The i-th set of this build from the narrowest to the widest, NULL past the last; also sets
 * this CPU cannot run: *runnable tells. Native builds begin with scalar; WebAssembly builds have
 * one set. */
const pq_kernels *pq_kernels_at(uint32_t i, bool *runnable);

#endif
