/* op_scale.c — y = f x, any shape, f a constant. Backward: dx = f g. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
    pq_real factor;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = pq_tape_grad(t, r->x);
    if (r->y->grad && dx) {
        t->kernels->axpy(r->factor, r->y->grad, dx, (size_t)r->x->rows * r->x->cols);
    }
}

pq_var *pq_op_scale(pq_tape *t, pq_var *x, double factor) {
    if (!x || factor == 1) {
        return x;
    }
    pq_var *y = pq_tape_var(t, x->rows, x->cols, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (size_t i = 0; i < (size_t)x->rows * x->cols; i++) {
        y->value[i] = (pq_real)factor * x->value[i];
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, (pq_real)factor};
        pq_tape_record(t, backward, r);
    }
    return y;
}
