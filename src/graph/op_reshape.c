/* op_reshape.c — the same numbers in rows of another width: x (T, D), y (T D / cols, cols). The value is shared.
 * Backward: dx = g. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    if (dx) {
        t->kernels->axpy(1, r->y->grad, dx, (size_t)r->x->rows * r->x->cols);
    }
}

pq_var *pq_op_reshape(pq_tape *t, pq_var *x, uint32_t cols) {
    if (!x || x->cols == cols) {
        return x;
    }
    uint64_t count = (uint64_t)x->rows * x->cols;
    if (cols == 0 || count % cols != 0 || count / cols > UINT32_MAX) {
        return PQ_MISFIT(t, "reshape", "%u x %u to rows of %u", (unsigned)x->rows,
                         (unsigned)x->cols, (unsigned)cols);
    }
    pq_var *y = pq_tape_constant(t, x->value, (uint32_t)(count / cols), cols);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    y->needs_grad = x->needs_grad;
    if (pq_tape_records(y)) {
        *r = (record){x, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
