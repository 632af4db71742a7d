/* op_squared_error.c — what x differs from given numbers: x, targets (T, D);
 *     result (1, 1) = weight * sum of (x - target)²
 * Backward: 2 weight (x - target). */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
    pq_squared_error args;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    pq_real slope = dx ? (pq_real)(2 * r->args.weight * r->y->grad[0]) : 0;
    for (size_t i = 0; dx && i < (size_t)r->x->rows * r->x->cols; i++) {
        dx[i] += slope * (r->x->value[i] - r->args.targets[i]);
    }
}

pq_var *pq_op_squared_error(pq_tape *t, pq_var *x, const pq_squared_error *args) {
    if (!x) {
        return NULL;
    }
    pq_var *y = pq_tape_var(t, 1, 1, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    double sum = 0;
    for (size_t i = 0; i < (size_t)x->rows * x->cols; i++) {
        double away = (double)x->value[i] - args->targets[i];
        sum += away * away;
    }
    y->value[0] = (pq_real)(args->weight * sum);
    if (pq_tape_records(y)) {
        *r = (record){x, y, *args};
        pq_tape_record(t, backward, r);
    }
    return y;
}
