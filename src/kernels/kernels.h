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

/* Looks through interleaved blocks (base/table.h) for items that may be above a threshold: score = max over
 * interests k of <interest_k, item>. Every wanted item above it is found; of the others, those that are not
 * further below than the slack. How narrow that is may differ between sets (whose results are therefore
 * scored again by what does not), except of PQ.
 *
 * f32, f16  interests are floats [interest_count, cols]; no slack: sums are rounded as the set rounds
 * i8        int16, two columns a line, of which no sum leaves int32; the score is at most
 *           (sum * interest_scale + slack) * scale of the row
 * i8_bytes  the same from int8, eight columns a line
 * i4        int16, four columns a line in the order 0 2 1 3; likewise for each group of columns, over which
 *           the scores are added
 * pq        16 bytes up to 127 for each of cols codebooks, an even number of them, eight a line (the last one
 *           filled up with zeros): an item is found when for one interest those of its codes add up to less than 255
 * What is left of a line behind the last column is 0. Lines stand where pq_scan_place says. */
typedef struct {
    uint32_t block, rows; /* rows of the block as bits */
} pq_scan_found;

typedef struct {
    const void *blocks, *interests;
    uint32_t block_count, interest_count, cols;
    const float *interest_scales, *slacks; /* i8, i4: [interest_count] */
    /* i8_bytes: [interest_count], -128 times the sum of the interest's codes. */
    const int32_t *starts;
    const float *scales;              /* i8, i4: of the rows, from the first block on */
    const uint8_t *excluded, *absent; /* bits of rows that are not wanted; NULL: none */
    /* f32: when not NULL, the scores of all rows go there instead, and nothing is found; -infinity where
     * no product is a number. */
    float *scores;
    float threshold;
    uint32_t room; /* of `found`, at least 2 */
    pq_scan_found *found;
} pq_scan_args;

#define PQ_SCAN_GROUP 4 /* interests that a kernel takes at once */

/* Integer kernels read whole groups of interests line by line: where line i of interest k stands, in lines
 * (i8: two columns, i8_bytes: eight, i4: four, pq: eight codebooks). Those after the last whole group stand
 * one after the other. */
static inline size_t pq_scan_place(uint32_t k, uint32_t count, size_t lines, size_t i) {
    const uint32_t first = k - k % PQ_SCAN_GROUP;
    return first + PQ_SCAN_GROUP <= count ? first * lines + i * PQ_SCAN_GROUP + k % PQ_SCAN_GROUP
                                          : k * lines + i;
}

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
/* From block *next on until all are seen or `found` is full: how many it holds, and in *next the block to
 * go on with. */
typedef uint32_t pq_kernel_scan(const pq_scan_args *args, uint32_t *next);

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
