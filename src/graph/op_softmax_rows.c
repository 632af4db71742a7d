/* op_softmax_rows.c — the softmax of each row: x (T, D), y (T, D). Backward: dx = y (g - <g, y>). */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    size_t d = r->x->cols;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    for (size_t i = 0; dx && i < r->x->rows; i++) {
        const pq_real *y = r->y->value + i * d, *g = r->y->grad + i * d;
        pq_real mean = t->kernels->dot(g, y, d);
        for (size_t j = 0; j < d; j++) {
            dx[i * d + j] += y[j] * (g[j] - mean);
        }
    }
}

pq_var *pq_op_softmax_rows(pq_tape *t, pq_var *x) {
    if (!x) {
        return NULL;
    }
    size_t d = x->cols;
    pq_var *y = pq_tape_var(t, x->rows, x->cols, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (size_t i = 0; i < x->rows; i++) {
        t->kernels->softmax(x->value + i * d, y->value + i * d, d);
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
