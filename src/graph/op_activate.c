/* op_activate.c — y = f(x), element by element, any shape. Backward: dx = g f'(x), with f' written in
 * terms of x and y. */
#include "graph/ops.h"

#define SELU_SCALE 1.0507009873554805
#define SELU_ALPHA 1.6732632423543772

typedef struct {
    pq_var *x, *y;
    pq_activation kind;
} record;

static pq_real slope(pq_activation kind, pq_real x, pq_real y) {
    switch (kind) {
    case PQ_LINEAR:
        return 1;
    case PQ_RELU:
        return x > 0;
    case PQ_SELU:
        return x > 0 ? (pq_real)SELU_SCALE : y + (pq_real)(SELU_SCALE * SELU_ALPHA);
    }
    return 0;
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_real *g = r->y->grad;
    pq_real *dx = pq_tape_grad(t, r->x);
    size_t n = (size_t)r->x->rows * r->x->cols;
    for (size_t i = 0; g && dx && i < n; i++) {
        dx[i] += g[i] * slope(r->kind, r->x->value[i], r->y->value[i]);
    }
}

pq_var *pq_op_activate(pq_tape *t, pq_var *x, pq_activation kind) {
    if (!x || kind == PQ_LINEAR) {
        return x;
    }
    pq_var *y = pq_tape_var(t, x->rows, x->cols, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    size_t n = (size_t)x->rows * x->cols;
    if (kind == PQ_SELU) {
        t->kernels->exp(x->value, y->value, n);
    }
    for (size_t i = 0; i < n; i++) {
        pq_real v = x->value[i];
        if (kind == PQ_RELU) {
            y->value[i] = v > 0 ? v : 0;
        } else {
            y->value[i] = v > 0 ? (pq_real)SELU_SCALE * v
                                : (pq_real)(SELU_SCALE * SELU_ALPHA) * (y->value[i] - 1);
        }
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, kind};
        pq_tape_record(t, backward, r);
    }
    return y;
}
