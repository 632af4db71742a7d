/* op_dropout.c — in training an element survives with probability 1 - p and is divided by it; outside
 * training y is x. Backward: the same mask on g. (Srivastava et al., 2014.) */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
    pq_real *mask; /* 0 or 1 / (1 - p) */
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = pq_tape_grad(t, r->x);
    size_t n = (size_t)r->x->rows * r->x->cols;
    for (size_t i = 0; r->y->grad && dx && i < n; i++) {
        dx[i] += r->y->grad[i] * r->mask[i];
    }
}

pq_var *pq_op_dropout(pq_tape *t, pq_var *x, double rate) {
    if (!x || !pq_tape_training(t) || rate == 0) {
        return x;
    }
    size_t n = (size_t)x->rows * x->cols;
    pq_var *y = pq_tape_var(t, x->rows, x->cols, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *mask = pq_tape_take(t, n, sizeof(*mask));
    if (!y || !r || !mask) {
        return NULL;
    }
    /* One draw serves two elements: 32 bits decide well enough. */
    uint32_t threshold = (uint32_t)(rate * 4294967295.0);
    pq_real kept = (pq_real)(1 / (1 - rate));
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits = i % 2 ? bits >> 32 : pq_rng_next(&t->rng);
        mask[i] = (uint32_t)bits < threshold ? 0 : kept;
        y->value[i] = x->value[i] * mask[i];
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, mask};
        pq_tape_record(t, backward, r);
    }
    return y;
}
