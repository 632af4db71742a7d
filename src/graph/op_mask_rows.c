/* op_mask_rows.c — y[r] = x[r] where keep[r], else zeros: x, y (T, D). Backward: likewise for g. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *y;
    const bool *keep;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = pq_tape_grad(t, r->x);
    uint32_t d = r->x->cols;
    for (uint32_t i = 0; r->y->grad && dx && i < r->x->rows; i++) {
        if (r->keep[i]) {
            t->kernels->axpy(1, r->y->grad + (size_t)i * d, dx + (size_t)i * d, d);
        }
    }
}

pq_var *pq_op_mask_rows(pq_tape *t, pq_var *x, const bool *keep) {
    if (!x || !keep) {
        return NULL;
    }
    uint32_t d = x->cols;
    pq_var *y = pq_tape_var(t, x->rows, d, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    memset(y->value, 0, (size_t)x->rows * d * sizeof(pq_real));
    for (uint32_t i = 0; i < x->rows; i++) {
        if (keep[i]) {
            memcpy(y->value + (size_t)i * d, x->value + (size_t)i * d, d * sizeof(pq_real));
        }
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, keep};
        pq_tape_record(t, backward, r);
    }
    return y;
}
