/* math_body.h — elementwise kernels and reductions over one array, written on vec.h.
 *
 * The last n % VEC_WIDTH elements go through the same vector code with idle lanes, so an element's
 * result does not depend on where in the array it stands. */
#ifndef PQ_MATH_BODY_H
#define PQ_MATH_BODY_H

#include "kernels/vec.h"

#include <math.h>

/* Sums run in this many independent chains, since one addition takes several cycles. */
#define CHAINS 4

#define BLOCK 128 /* elements that several passes go over */

/* The functions that are made of e^x: what their argument is cut to lies in exp_limits. */
typedef enum { OF_EXP, OF_SIGMOID, OF_TANH } exp_use;

#ifdef PQ_REAL_DOUBLE

typedef struct {
    pq_real none; /* nothing is prepared */
} exp_terms;

VEC_INLINE exp_terms exp_prepare(exp_use use) {
    return (exp_terms){(pq_real)use};
}

VEC_INLINE vec vec_exp(vec x, const exp_terms *e) {
    (void)e;
    return pq_exp(x);
}

/* Error below 3e-16 absolute, which is all that differences in double need. */
VEC_INLINE vec vec_tanh(vec x, const exp_terms *terms) {
    (void)terms;
    double e = pq_exp(x < 0 ? 2 * x : -2 * x); /* never overflows */
    return (x < 0 ? e - 1 : 1 - e) / (1 + e);
}

static void kernel_sigmoid(const pq_real *x, pq_real *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = 1 / (1 + pq_exp(-x[i]));
    }
}

#else

/* The numbers below, in every lane. A loop reads them once before it begins, and they are volatile so that this
 * stays so: compilers for WebAssembly build vector constants anew at each use, three instructions for each. */
typedef struct {
    vec low, high; /* limits of x. NaN passes. */
    vec log2_e, magic, ln2_high, ln2_low, one;
    vec q[5]; /* Q, the highest power first */
} exp_terms;

static const volatile pq_real exp_limits[][2] = {
    [OF_EXP] = {-104, 89}, /* beyond, the result is zero or infinite already */
    [OF_SIGMOID] =
        {-88, 88}, /* 0 or 1 to float; within, one factor does for 2^n, zero at the lower end */
    [OF_TANH] = {-10, 10}, /* -1 or 1 to float */
};
static const volatile pq_real exp_numbers[] = {
    1.44269504f,
    0x1.8p23f,   /* 1.5 * 2^23: adding it rounds to an integer and leaves that in the low bits */
    -0x1.63p-1f, /* ln 2 in two parts; the first has 9 bits, so that n times it is exact */
    0x1.bd0106p-13f,
    1,
};
/* Q meets (e^r - 1 - r) / r^2 at the five Chebyshev nodes of |r| <= ln 2 / 2: within 1.1e-8 of e^r. */
static const volatile pq_real exp_q[] = {0x1.6d117cp-10f, 0x1.120be2p-7f, 0x1.555518p-5f,
                                         0x1.5554dcp-3f, 0.5f};

VEC_INLINE exp_terms exp_prepare(exp_use use) {
    return (exp_terms){
        .low = vec_splat(exp_limits[use][0]),
        .high = vec_splat(exp_limits[use][1]),
        .log2_e = vec_splat(exp_numbers[0]),
        .magic = vec_splat(exp_numbers[1]),
        .ln2_high = vec_splat(exp_numbers[2]),
        .ln2_low = vec_splat(exp_numbers[3]),
        .one = vec_splat(exp_numbers[4]),
        .q = {vec_splat(exp_q[0]), vec_splat(exp_q[1]), vec_splat(exp_q[2]), vec_splat(exp_q[3]),
              vec_splat(exp_q[4])},
    };
}

VEC_INLINE vec exp_limit(vec x, const exp_terms *e) {
    return vec_max(vec_min(x, e->high), e->low);
}

/* 2^n from the low bits of n, for n in -126..127; zero for -127. */
VEC_INLINE vec vec_power_of_two(ivec n, const exp_terms *e) {
    return vec_from_bits(ivec_add(ivec_shift_left(n, 23), vec_bits(e->one)));
}

/* x = n ln 2 + r with |r| <= ln 2 / 2; returns r, and n in the low bits of *shifted. */
VEC_INLINE vec exp_remainder(vec x, const exp_terms *e, vec *shifted) {
    *shifted = vec_fma(x, e->log2_e, e->magic);
    vec n = vec_sub(*shifted, e->magic);
    return vec_fma(n, e->ln2_low, vec_fma(n, e->ln2_high, x));
}

/* e^r - 1 = r + r^2 Q(r), exact to rounding also where it is small. In halves, which do not wait for each other. */
VEC_INLINE vec exp_series(vec r, const exp_terms *e) {
    const vec square = vec_mul(r, r);
    vec high = vec_fma(e->q[1], r, e->q[2]);
    vec low = vec_fma(e->q[3], r, e->q[4]);
    high = vec_fma(e->q[0], square, high);
    return vec_fma(vec_fma(high, square, low), square, r);
}

/* e^x = 2^n e^r. */
VEC_INLINE vec vec_exp(vec x, const exp_terms *e) {
    vec shifted, r = exp_remainder(exp_limit(x, e), e, &shifted);
    vec sum = vec_add(exp_series(r, e), e->one);

    /* In two factors: 2^n alone may lie outside the range of float, at either end. */
    ivec power = ivec_sub(vec_bits(shifted), vec_bits(e->magic));
    ivec half = ivec_shift_right(power, 1);
    sum = vec_mul(sum, vec_power_of_two(half, e));
    return vec_mul(sum, vec_power_of_two(ivec_sub(power, half), e));
}

/* m / (m + 2) with m = e^2x - 1 = 2^n (e^r - 1) + (2^n - 1): no cancellation near zero. */
VEC_INLINE vec vec_tanh(vec x, const exp_terms *e) {
    x = exp_limit(x, e);
    vec shifted, r = exp_remainder(vec_add(x, x), e, &shifted);
    vec scale = vec_power_of_two(vec_bits(shifted), e);
    vec m = vec_fma(scale, exp_series(r, e), vec_sub(scale, e->one));
    return vec_div(m, vec_add(m, vec_add(e->one, e->one)));
}

/* e^x / (e^x + 1), in three passes over some vectors at a time: a processor looks only so far ahead, which is more
 * vectors the shorter the chain of operations that each of them goes through. */
static void kernel_sigmoid(const pq_real *x, pq_real *y, size_t n) {
    const exp_terms e = exp_prepare(OF_SIGMOID);
    vec shifted[BLOCK / VEC_WIDTH], part[BLOCK / VEC_WIDTH];
    for (size_t left; n > 0; n -= left, x += left, y += left) {
        left = PQ_MIN(n, BLOCK);
        const size_t count = (left + VEC_WIDTH - 1) / VEC_WIDTH;
        const bool over = left % VEC_WIDTH > 0;
        const pq_real *from = over ? (const pq_real *)part : x;
        pq_real *to = over ? (pq_real *)part : y;
        if (over) {
            part[count - 1] = vec_splat(0);
            memcpy(part, x, left * sizeof(*x));
        }
        for (size_t i = 0; i < count; i++) {
            vec value = exp_limit(vec_load(from + i * VEC_WIDTH), &e);
            part[i] = exp_remainder(value, &e, &shifted[i]);
        }
        for (size_t i = 0; i < count; i++) {
            part[i] = exp_series(part[i], &e);
        }
        for (size_t i = 0; i < count; i++) {
            vec sum = vec_add(part[i], e.one);
            sum = vec_mul(sum, vec_power_of_two(vec_bits(shifted[i]), &e));
            vec_store(to + i * VEC_WIDTH, vec_div(sum, vec_add(sum, e.one)));
        }
        if (over) {
            memcpy(y, part, left * sizeof(*y));
        }
    }
}

#endif

#define MAP_KERNEL(name, use)                                                                      \
    static void kernel_##name(const pq_real *x, pq_real *y, size_t n) {                            \
        const exp_terms e = exp_prepare(use);                                                      \
        for (size_t i = 0; i < n; i += VEC_WIDTH) {                                                \
            vec_store_up_to(y + i, n - i, vec_##name(vec_load_up_to(x + i, n - i, 0), &e));        \
        }                                                                                          \
    }

MAP_KERNEL(tanh, OF_TANH)

/* y = e^(x - shift) */
static void exp_shifted(const pq_real *x, pq_real *y, size_t n, pq_real shift) {
    const exp_terms e = exp_prepare(OF_EXP);
    const vec shifts = vec_splat(shift);
    for (size_t i = 0; i < n; i += VEC_WIDTH) {
        vec value = vec_exp(vec_sub(vec_load_up_to(x + i, n - i, 0), shifts), &e);
        vec_store_up_to(y + i, n - i, value);
    }
}

static void kernel_exp(const pq_real *x, pq_real *y, size_t n) {
    exp_shifted(x, y, n, 0);
}

VEC_INLINE pq_real chains_sum(const vec sum[CHAINS]) {
    return vec_sum(vec_add(vec_add(sum[0], sum[1]), vec_add(sum[2], sum[3])));
}

static pq_real kernel_sum(const pq_real *x, size_t n) {
    vec sum[CHAINS] = {vec_splat(0), vec_splat(0), vec_splat(0), vec_splat(0)};
    size_t i = 0;
    for (; i + (size_t)CHAINS * VEC_WIDTH <= n; i += (size_t)CHAINS * VEC_WIDTH) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = vec_add(sum[c], vec_load(x + i + c * VEC_WIDTH));
        }
    }
    for (; i + VEC_WIDTH <= n; i += VEC_WIDTH) {
        sum[0] = vec_add(sum[0], vec_load(x + i));
    }
    if (i < n) {
        sum[1] = vec_add(sum[1], vec_load_part(x + i, n - i, 0));
    }
    return chains_sum(sum);
}

static pq_real kernel_max(const pq_real *x, size_t n) {
    const pq_real lowest = (pq_real)-HUGE_VAL;
    vec largest[2] = {vec_splat(lowest), vec_splat(lowest)};
    size_t i = 0;
    for (; i + (size_t)2 * VEC_WIDTH <= n; i += (size_t)2 * VEC_WIDTH) {
        largest[0] = vec_max_nan(largest[0], vec_load(x + i));
        largest[1] = vec_max_nan(largest[1], vec_load(x + i + VEC_WIDTH));
    }
    for (; i < n; i += VEC_WIDTH) {
        largest[0] = vec_max_nan(largest[0], vec_load_up_to(x + i, n - i, lowest));
    }
    return vec_largest(vec_max_nan(largest[0], largest[1]));
}

static pq_real kernel_dot(const pq_real *x, const pq_real *y, size_t n) {
    vec sum[CHAINS] = {vec_splat(0), vec_splat(0), vec_splat(0), vec_splat(0)};
    size_t i = 0;
    for (; i + (size_t)CHAINS * VEC_WIDTH <= n; i += (size_t)CHAINS * VEC_WIDTH) {
        for (size_t c = 0; c < CHAINS; c++) {
            size_t at = i + c * VEC_WIDTH;
            sum[c] = vec_fma(vec_load(x + at), vec_load(y + at), sum[c]);
        }
    }
    for (; i + VEC_WIDTH <= n; i += VEC_WIDTH) {
        sum[0] = vec_fma(vec_load(x + i), vec_load(y + i), sum[0]);
    }
    if (i < n) {
        vec last = vec_load_part(y + i, n - i, 0);
        sum[1] = vec_fma(vec_load_part(x + i, n - i, 0), last, sum[1]);
    }
    return chains_sum(sum);
}

static void kernel_axpy(pq_real a, const pq_real *x, pq_real *y, size_t n) {
    const vec factor = vec_splat(a);
    size_t i = 0;
    for (; i + VEC_WIDTH <= n; i += VEC_WIDTH) {
        vec_store(y + i, vec_fma(factor, vec_load(x + i), vec_load(y + i)));
    }
    if (i < n) {
        vec last = vec_load_part(y + i, n - i, 0);
        vec_store_part(y + i, n - i, vec_fma(factor, vec_load_part(x + i, n - i, 0), last));
    }
}

static pq_real kernel_softmax(const pq_real *x, pq_real *y, size_t n) {
    const pq_real largest = kernel_max(x, n);
    if (largest == (pq_real)-HUGE_VAL) { /* nothing has any mass; x - largest would be NaN */
        memset(y, 0, n * sizeof(*y));
        return largest;
    }
    exp_shifted(x, y, n, largest);
    const pq_real sum = kernel_sum(y, n);
    const vec divisor = vec_splat(sum);
    for (size_t i = 0; i < n; i += VEC_WIDTH) {
        vec_store_up_to(y + i, n - i, vec_div(vec_load_up_to(y + i, n - i, 0), divisor));
    }
    return largest + (pq_real)pq_log(sum);
}

#endif
