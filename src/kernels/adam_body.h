/* adam_body.h — one step of Adam (Kingma and Ba, "Adam: a method for stochastic optimization",
 * algorithm 1) with decoupled weight decay (Loshchilov and Hutter, "Decoupled weight decay
 * regularization"); pq_adam_args holds the bias corrections. */
#ifndef PQ_ADAM_BODY_H
#define PQ_ADAM_BODY_H

#include "kernels/kernels.h"
#include "kernels/vec.h"

/* The factors of one step, spread over the lanes. */
typedef struct {
    vec keep, grad_scale, l2;       /* keep = 1 - decay */
    vec beta1, rest1, beta2, rest2; /* rest = 1 - beta */
    vec rate, v_scale, epsilon;
} adam_factors;

/* Multiplies and adds separately: so every set gives the same bits. */
VEC_INLINE void adam_lanes(const adam_factors *f, vec *w, vec *m, vec *v, vec g) {
    g = vec_add(vec_mul(g, f->grad_scale), vec_mul(f->l2, *w));
    *m = vec_add(vec_mul(f->beta1, *m), vec_mul(f->rest1, g));
    *v = vec_add(vec_mul(f->beta2, *v), vec_mul(f->rest2, vec_mul(g, g)));
    vec spread = vec_add(vec_mul(vec_sqrt(*v), f->v_scale), f->epsilon);
    *w = vec_sub(vec_mul(*w, f->keep), vec_div(vec_mul(f->rate, *m), spread));
}

static void kernel_adam(const pq_adam_args *args, pq_real *w, pq_real *m, pq_real *v,
                        const pq_real *g, size_t n) {
    const adam_factors factors = {
        .keep = vec_splat(1 - args->decay),
        .grad_scale = vec_splat(args->grad_scale),
        .l2 = vec_splat(args->l2),
        .beta1 = vec_splat(args->beta1),
        .rest1 = vec_splat(1 - args->beta1),
        .beta2 = vec_splat(args->beta2),
        .rest2 = vec_splat(1 - args->beta2),
        .rate = vec_splat(args->rate),
        .v_scale = vec_splat(args->v_scale),
        .epsilon = vec_splat(args->epsilon),
    };
    size_t i = 0;
    for (; i + VEC_WIDTH <= n; i += VEC_WIDTH) {
        vec lanes_w = vec_load(w + i), lanes_m = vec_load(m + i), lanes_v = vec_load(v + i);
        adam_lanes(&factors, &lanes_w, &lanes_m, &lanes_v, vec_load(g + i));
        vec_store(w + i, lanes_w);
        vec_store(m + i, lanes_m);
        vec_store(v + i, lanes_v);
    }
    if (i < n) {
        const size_t left = n - i;
        vec lanes_w = vec_load_part(w + i, left, 0);
        vec lanes_m = vec_load_part(m + i, left, 0);
        vec lanes_v = vec_load_part(v + i, left, 0);
        adam_lanes(&factors, &lanes_w, &lanes_m, &lanes_v, vec_load_part(g + i, left, 0));
        vec_store_part(w + i, left, lanes_w);
        vec_store_part(m + i, left, lanes_m);
        vec_store_part(v + i, left, lanes_v);
    }
}

#endif
