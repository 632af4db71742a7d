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

#ifdef PQ_REAL_DOUBLE

VEC_INLINE vec vec_exp(vec x) {
    return pq_exp(x);
}

/* Error below 3e-16 absolute, which is all that differences in double need. */
VEC_INLINE vec vec_tanh(vec x) {
    double e = pq_exp(x < 0 ? 2 * x : -2 * x); /* never overflows */
    return (x < 0 ? e - 1 : 1 - e) / (1 + e);
}

VEC_INLINE vec vec_sigmoid(vec x) {
    return 1 / (1 + pq_exp(-x));
}

#else

/* 2^n for n in -126..127; zero for -127. */
VEC_INLINE vec vec_power_of_two(ivec n) {
    return vec_from_bits(ivec_shift_left(ivec_add(n, ivec_splat(127)), 23));
}

/* x = n ln 2 + r with |r| <= ln 2 / 2; returns e^r - 1, exact to rounding also where it is small. */
VEC_INLINE vec vec_exp_parts(vec x, ivec *power) {
    /* Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. */
    const vec magic = vec_splat(0x1.8p23f);
    /* ln 2 in two parts; the first has 9 bits, so that n times it is exact. */
    const vec ln2_high = vec_splat(-0x1.63p-1f);
    const vec ln2_low = vec_splat(0x1.bd0106p-13f);

    vec shifted = vec_fma(x, vec_splat(1.44269504f), magic);
    vec n = vec_sub(shifted, magic);
    vec r = vec_fma(n, ln2_low, vec_fma(n, ln2_high, x));
    *power = ivec_sub(vec_bits(shifted), vec_bits(magic));

    /* r + r^2 Q(r), where Q meets (e^r - 1 - r) / r^2 at the five Chebyshev nodes of |r| <= ln 2 / 2:
     * within 1.1e-8 of e^r. In halves, which do not wait for each other. */
    const vec square = vec_mul(r, r);
    vec high = vec_fma(vec_splat(0x1.120be2p-7f), r, vec_splat(0x1.555518p-5f));
    vec low = vec_fma(vec_splat(0x1.5554dcp-3f), r, vec_splat(0.5f));
    high = vec_fma(vec_splat(0x1.6d117cp-10f), square, high);
    return vec_fma(vec_fma(high, square, low), square, r);
}

/* e^x = 2^n e^r. */
VEC_INLINE vec vec_exp(vec x) {
    /* Beyond these bounds the result is infinite or zero already. NaN passes. */
    x = vec_max(vec_min(x, vec_splat(89.0f)), vec_splat(-104.0f));
    ivec power;
    vec sum = vec_add(vec_exp_parts(x, &power), vec_splat(1));

    /* In two factors: 2^n alone may lie outside the range of float, at either end. */
    ivec half = ivec_shift_right(power, 1);
    sum = vec_mul(sum, vec_power_of_two(half));
    return vec_mul(sum, vec_power_of_two(ivec_sub(power, half)));
}

/* m / (m + 2) with m = e^2x - 1 = 2^n (e^r - 1) + (2^n - 1): no cancellation near zero. */
VEC_INLINE vec vec_tanh(vec x) {
    /* Beyond these bounds the result is 1 or -1 to float. NaN passes. */
    x = vec_max(vec_min(x, vec_splat(10)), vec_splat(-10));
    ivec power;
    vec part = vec_exp_parts(vec_add(x, x), &power);
    vec scale = vec_power_of_two(power);
    vec m = vec_fma(scale, part, vec_sub(scale, vec_splat(1)));
    return vec_div(m, vec_add(m, vec_splat(2)));
}

/* e^x / (e^x + 1). */
VEC_INLINE vec vec_sigmoid(vec x) {
    /* Beyond these bounds the result is 1 or 0 to float, and in between one factor does for 2^n: at the lower end
     * it is zero. NaN passes. */
    x = vec_max(vec_min(x, vec_splat(88)), vec_splat(-88));
    const vec one = vec_splat(1);
    ivec power;
    vec sum = vec_add(vec_exp_parts(x, &power), one);
    sum = vec_mul(sum, vec_power_of_two(power));
    return vec_div(sum, vec_add(sum, one));
}

#endif

/* The kernel that applies a vector function to every element. */
#define MAP_KERNEL(name)                                                                           \
    static void kernel_##name(const pq_real *x, pq_real *y, size_t n) {                            \
        size_t i = 0;                                                                              \
        for (; i + VEC_WIDTH <= n; i += VEC_WIDTH) {                                               \
            vec_store(y + i, vec_##name(vec_load(x + i)));                                         \
        }                                                                                          \
        if (i < n) {                                                                               \
            vec_store_part(y + i, n - i, vec_##name(vec_load_part(x + i, n - i, 0)));              \
        }                                                                                          \
    }

MAP_KERNEL(exp)
MAP_KERNEL(sigmoid)
MAP_KERNEL(tanh)

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
        vec last = n - i < VEC_WIDTH ? vec_load_part(x + i, n - i, lowest) : vec_load(x + i);
        largest[0] = vec_max_nan(largest[0], last);
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

/* y = e^(x - shift), returns the sum of y. */
static pq_real exp_and_sum(const pq_real *x, pq_real *y, size_t n, pq_real shift) {
    const vec shifts = vec_splat(shift);
    vec sum[CHAINS] = {vec_splat(0), vec_splat(0), vec_splat(0), vec_splat(0)};
    size_t i = 0;
    for (; i + (size_t)CHAINS * VEC_WIDTH <= n; i += (size_t)CHAINS * VEC_WIDTH) {
        for (size_t c = 0; c < CHAINS; c++) {
            size_t at = i + c * VEC_WIDTH;
            vec value = vec_exp(vec_sub(vec_load(x + at), shifts));
            vec_store(y + at, value);
            sum[c] = vec_add(sum[c], value);
        }
    }
    for (; i < n; i += VEC_WIDTH) {
        if (n - i >= VEC_WIDTH) {
            vec value = vec_exp(vec_sub(vec_load(x + i), shifts));
            vec_store(y + i, value);
            sum[0] = vec_add(sum[0], value);
        } else { /* the idle lanes are e^-infinity = 0 */
            vec last = vec_load_part(x + i, n - i, (pq_real)-HUGE_VAL);
            vec value = vec_exp(vec_sub(last, shifts));
            vec_store_part(y + i, n - i, value);
            sum[1] = vec_add(sum[1], value);
        }
    }
    return chains_sum(sum);
}

static pq_real kernel_softmax(const pq_real *x, pq_real *y, size_t n) {
    const pq_real largest = kernel_max(x, n);
    if (largest == (pq_real)-HUGE_VAL) { /* nothing has any mass; x - largest would be NaN */
        memset(y, 0, n * sizeof(*y));
        return largest;
    }
    const pq_real sum = exp_and_sum(x, y, n, largest);
    const vec divisor = vec_splat(sum);
    size_t i = 0;
    for (; i + VEC_WIDTH <= n; i += VEC_WIDTH) {
        vec_store(y + i, vec_div(vec_load(y + i), divisor));
    }
    if (i < n) {
        vec_store_part(y + i, n - i, vec_div(vec_load_part(y + i, n - i, 0), divisor));
    }
    return largest + (pq_real)pq_log(sum);
}

#endif
