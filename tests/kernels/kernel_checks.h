/* kernel_checks.h — what the tests of the kernels share. A kernel's class says how it is tested
 * (check_<class>: in check_arrays.c, check_gelu.c, check_gemm.c, check_scan.c), its name gives the plain
 * reference in double (reference_<name>). Each check compares one instruction set with the
 * reference, and with the scalar set at the tolerance of the kernel's row.
 *
 * Arrays are allocated to the byte and start at any multiple of a float, so that a sanitizer
 * sees what is read or written beside them. */
#ifndef KERNEL_CHECKS_H
#define KERNEL_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/table.h"
#include "kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct {
    const char *name, *isa;
    double tolerance; /* the row's */
} subject;

typedef void map_reference(const subject *s, pq_kernel_map *kernel);
typedef double slope_reference(double x);
/* *scale: what the tolerance is relative to. */
typedef double reduce_reference(const float *x, size_t n, double *scale);
typedef double reduce2_reference(const float *x, const float *y, size_t n, double *scale);
typedef double axpy_reference(double a, double x, double y);
typedef double softmax_reference(const float *x, double *y, size_t n);
typedef void adam_reference(const pq_adam_args *args, double *w, double *m, double *v, double g);
typedef struct {
    bool a_turned, b_turned; /* A is given as (k, m), B as (n, k) */
} gemm_form;
/* The score that the scan may at most give the item, and what rounding is relative to. */
typedef struct {
    pq_table_kind kind;
    uint32_t unit; /* columns of a line of integers */
    double (*score)(const pq_scan_args *args, size_t block, size_t lane, double *scale);
} scan_reference;

map_reference reference_exp, reference_sigmoid, reference_tanh;
map_reference reference_gelu;
slope_reference reference_gelu_slope;
reduce_reference reference_sum, reference_max;
reduce2_reference reference_dot;
axpy_reference reference_axpy;
softmax_reference reference_softmax;
adam_reference reference_adam;
extern const gemm_form reference_gemm_nn, reference_gemm_nt, reference_gemm_tn;
extern const scan_reference reference_scan_f32, reference_scan_f16, reference_scan_i8;
extern const scan_reference reference_scan_i8_bytes, reference_scan_i4, reference_scan_pq;

void check_map(const subject *s, pq_kernel_map *kernel, pq_kernel_map *scalar,
               map_reference *reference);
void check_slope(const subject *s, pq_kernel_slope *kernel, pq_kernel_slope *scalar,
                 slope_reference *reference);
void check_reduce(const subject *s, pq_kernel_reduce *kernel, pq_kernel_reduce *scalar,
                  reduce_reference *reference);
void check_reduce2(const subject *s, pq_kernel_reduce2 *kernel, pq_kernel_reduce2 *scalar,
                   reduce2_reference *reference);
void check_axpy(const subject *s, pq_kernel_axpy *kernel, pq_kernel_axpy *scalar,
                axpy_reference *reference);
void check_softmax(const subject *s, pq_kernel_softmax *kernel, pq_kernel_softmax *scalar,
                   softmax_reference *reference);
void check_adam(const subject *s, pq_kernel_adam *kernel, pq_kernel_adam *scalar,
                adam_reference *reference);
void check_gemm(const subject *s, pq_kernel_gemm *kernel, pq_kernel_gemm *scalar, gemm_form form);
void check_scan(const subject *s, pq_kernel_scan *kernel, pq_kernel_scan *scalar,
                scan_reference reference);

typedef struct {
    float *all, *x; /* x = all + offset */
} array;

static inline array array_make(size_t count, size_t offset) {
    array a;
    a.all = malloc((count + offset) * sizeof(float) + 1); /* + 1: never empty */
    assert_non_null(a.all);
    a.x = a.all + offset;
    return a;
}

static inline array array_random(size_t count, size_t offset, uint64_t seed) {
    array a = array_make(count, offset);
    pq_rng rng = pq_rng_make(seed, count, offset);
    for (size_t i = 0; i < count; i++) {
        a.x[i] = (float)pq_rng_normal(&rng);
    }
    return a;
}

static inline array array_copy(const array *from, size_t count, size_t offset) {
    array a = array_make(count, offset);
    if (count > 0) {
        memcpy(a.x, from->x, count * sizeof(float));
    }
    return a;
}

static inline void array_free(array *a) {
    free(a->all);
}

static inline void expect_near(const subject *s, double value, double expected, double tolerance,
                               size_t n) {
    if (value == expected || (isnan(value) && isnan(expected))) {
        return;
    }
    if (!(fabs(value - expected) <= tolerance)) {
        fail_msg("%s in %s, n = %lu: %.9g instead of %.9g", s->name, s->isa, (unsigned long)n,
                 value, expected);
    }
}

static inline void expect_same(const subject *s, const float *x, const float *y, size_t n) {
    if (n > 0 && memcmp(x, y, n * sizeof(float)) != 0) {
        fail_msg("%s in %s: not the same bits, n = %lu", s->name, s->isa, (unsigned long)n);
    }
}

#endif
