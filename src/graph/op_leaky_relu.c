/* op_leaky_relu.c — y = x, or a x below zero, any shape. low = high: a is that (Maas et al., 2013). Otherwise
 * a ~ U(low, high), anew for every element in training and the middle of the two outside of it: RReLU (Xu et
 * al., 2015). Backward: dx = g or a g. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
    const pq_real *slopes; /* NULL or one per element */
    pq_real slope;
} record;

static pq_real slope_at(const record *r, size_t i) {
    if (r->x->value[i] > 0) {
        return 1;
    }
    return r->slopes ? r->slopes[i] : r->slope;
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    for (size_t i = 0; dx && i < (size_t)r->x->rows * r->x->cols; i++) {
        dx[i] += r->y->grad[i] * slope_at(r, i);
    }
}

static const pq_real *draw(pq_tape *t, size_t n, double low, double high) {
    pq_real *slopes = pq_tape_take(t, n, sizeof(*slopes));
    for (size_t i = 0; slopes && i < n; i++) {
        slopes[i] = (pq_real)(low + (high - low) * pq_rng_uniform(&t->rng));
    }
    return slopes;
}

pq_var *pq_op_leaky_relu(pq_tape *t, pq_var *x, double low, double high) {
    if (!x) {
        return NULL;
    }
    size_t n = (size_t)x->rows * x->cols;
    pq_var *y = pq_tape_var(t, x->rows, x->cols, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    *r = (record){.x = x, .y = y, .slope = (pq_real)((low + high) / 2)};
    if (pq_tape_training(t) && low < high) {
        r->slopes = draw(t, n, low, high);
        if (!r->slopes) {
            return NULL;
        }
    }
    for (size_t i = 0; i < n; i++) {
        y->value[i] = x->value[i] * slope_at(r, i);
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
