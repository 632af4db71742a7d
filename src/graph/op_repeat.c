/* op_repeat.c — every row of x (T, D) stands n times in y (T * n, D), one after the other.
 * Backward: the rows' gradients are added up. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *y;
    uint32_t times;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = pq_tape_grad(t, r->x);
    uint32_t d = r->x->cols;
    for (uint32_t i = 0; r->y->grad && dx && i < r->y->rows; i++) {
        t->kernels->axpy(1, r->y->grad + (size_t)i * d, dx + (size_t)(i / r->times) * d, d);
    }
}

pq_var *pq_op_repeat(pq_tape *t, pq_var *x, uint32_t times) {
    if (!x) {
        return NULL;
    }
    uint32_t d = x->cols;
    pq_var *y = pq_tape_var(t, x->rows * times, d, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (uint32_t i = 0; i < y->rows; i++) {
        memcpy(y->value + (size_t)i * d, x->value + (size_t)(i / times) * d, d * sizeof(pq_real));
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, times};
        pq_tape_record(t, backward, r);
    }
    return y;
}
