/* op_total.c — y = factor times the sum of all elements: x of any shape, y (1, 1). Backward: dx = factor g. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
    double factor;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    for (size_t i = 0; dx && i < (size_t)r->x->rows * r->x->cols; i++) {
        dx[i] += (pq_real)(r->factor * r->y->grad[0]);
    }
}

pq_var *pq_op_total(pq_tape *t, pq_var *x, double factor) {
    if (!x) {
        return NULL;
    }
    pq_var *y = pq_tape_var(t, 1, 1, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    y->value[0] = (pq_real)(factor * t->kernels->sum(x->value, (size_t)x->rows * x->cols));
    if (pq_tape_records(y)) {
        *r = (record){x, y, factor};
        pq_tape_record(t, backward, r);
    }
    return y;
}
