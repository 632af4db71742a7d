/* gelu_body.h — GELU, x Phi(x) with the distribution function Phi of the normal distribution
 * (Hendrycks and Gimpel, "Gaussian error linear units", 2016), and its slope Phi(x) + x phi(x).
 *
 * Both need the upper tail Q(z) = 1 - Phi(z) = erfc(z / sqrt 2) / 2 at z = |x| alone:
 *     x Phi(x) = max(x, 0) - z Q(z),
 * which subtracts nothing from nearly the same where x < 0. With t = 4 / (4 + z), the quotient
 * Q(z) / (t e^(-z²/2)) is smooth over all t in (0, 1]; it is taken as a polynomial in 2 t - 1 that agrees
 * with it at Chebyshev's points. Error of the polynomial: 4e-8 relative in float, 2e-14 in double. */
#ifndef PQ_GELU_BODY_H
#define PQ_GELU_BODY_H

#include "kernels/math_body.h"

#define TAIL_PLACE 4

#ifdef PQ_REAL_DOUBLE
#define TAIL_END 40 /* from there on Q is zero */
static const pq_real tail_terms[] = {
    0.188821282603937992,     0.15197416049296521,      0.0967843501855338553,
    0.0466304644905326966,    0.0150991437231725395,    0.00188504722741574112,
    -0.000869923093198825397, -0.000407704464963288675, 0.0000333360451113114262,
    0.0000577728824151782035, -4.7670646813847096e-7,   -8.78329247407586829e-6,
    1.77528795196952334e-7,   1.47404840529783597e-6,   -1.53239632473166449e-7,
    -2.47741042834353548e-7,  6.15494779806870461e-8,   3.31456268999752129e-8,
    -1.5512117964280788e-8,   -1.49300765480434223e-9,  1.96556713589594911e-9,
    -3.46051935382441371e-10};
#else
#define TAIL_END 15
static const pq_real tail_terms[] = {
    0.188821282F,   0.151974101F,     0.0967843907F,    0.0466316777F,  0.015098824F,
    0.00187805785F, -0.000869041974F, -0.000390946725F, 3.23314203e-5F, 3.93301424e-5F};
#endif

/* z = min(|x|, TAIL_END), NaN for NaN. */
VEC_INLINE vec tail_argument(vec x) {
    return vec_min(vec_max(x, vec_sub(vec_splat(0), x)), vec_splat(TAIL_END));
}

/* Q(z), where bell is e^(-z²/2). */
VEC_INLINE vec tail(vec z, vec bell) {
    const vec place = vec_splat(TAIL_PLACE);
    vec t = vec_div(place, vec_add(place, z));
    vec at = vec_sub(vec_add(t, t), vec_splat(1));
    vec sum = vec_splat(tail_terms[PQ_COUNT(tail_terms) - 1]);
    for (size_t i = PQ_COUNT(tail_terms) - 1; i-- > 0;) {
        sum = vec_fma(sum, at, vec_splat(tail_terms[i]));
    }
    return vec_mul(vec_mul(sum, t), bell);
}

VEC_INLINE vec bell_curve(vec z, const exp_terms *e) {
    return vec_exp(vec_mul(vec_mul(z, z), vec_splat((pq_real)-0.5)), e);
}

VEC_INLINE vec vec_gelu(vec x, const exp_terms *e) {
    vec z = tail_argument(x);
    return vec_sub(vec_max(x, vec_splat(0)), vec_mul(z, tail(z, bell_curve(z, e))));
}

/* With h = Q(z) - z phi(z) the slope is 1 - h where x >= 0 and h below. */
VEC_INLINE vec vec_gelu_slope(vec x, const exp_terms *e) {
    vec z = tail_argument(x), bell = bell_curve(z, e);
    vec density = vec_mul(bell, vec_splat((pq_real)0.39894228040143268)); /* 1 / sqrt(2 pi) */
    vec h = vec_sub(tail(z, bell), vec_mul(z, density));
    /* 1 or 0; between them only so close to x = 0 that h is one half. */
    vec above = vec_fma(x, vec_splat((pq_real)1e30), vec_splat(1));
    above = vec_max(vec_min(above, vec_splat(1)), vec_splat(0));
    return vec_sub(above, vec_mul(vec_sub(vec_add(above, above), vec_splat(1)), h));
}

MAP_KERNEL(gelu, OF_EXP)

static void kernel_gelu_slope(const pq_real *x, const pq_real *g, pq_real *dx, size_t n) {
    const exp_terms e = exp_prepare(OF_EXP);
    for (size_t i = 0; i < n; i += VEC_WIDTH) {
        const size_t left = n - i;
        vec slope = vec_gelu_slope(vec_load_up_to(x + i, left, 0), &e);
        vec before = vec_load_up_to(dx + i, left, 0);
        vec_store_up_to(dx + i, left, vec_fma(vec_load_up_to(g + i, left, 0), slope, before));
    }
}

#endif
