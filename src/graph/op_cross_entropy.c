/* op_cross_entropy.c — cross-entropy of logits x (P, M) that exist as a whole, for when something has been
 * done to them; op_softmax_loss.c makes them itself and never holds more than a few rows.
 *     y (1, 1) = sum over b of w[b] (log sum exp x[b] - x[b,t]),  t = targets[b]
 * Backward: dx = w (softmax(x[b]) - onehot(t)). */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
    pq_real *slopes; /* [P, M] */
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    if (dx) {
        t->kernels->axpy(r->y->grad[0], r->slopes, dx, (size_t)r->x->rows * r->x->cols);
    }
}

pq_var *pq_op_cross_entropy(pq_tape *t, pq_var *x, const pq_cross_entropy *args) {
    if (!x) {
        return NULL;
    }
    size_t m = x->cols;
    pq_var *y = pq_tape_var(t, 1, 1, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *slopes = pq_tape_take(t, x->rows * m, sizeof(*slopes));
    if (!y || !r || !slopes) {
        return NULL;
    }
    double loss = 0;
    for (size_t b = 0; b < x->rows; b++) {
        uint32_t target = args->targets[b];
        pq_real *row = slopes + b * m;
        if (target >= m) {
            return PQ_MISFIT(t, "cross_entropy", "target %u of %u", (unsigned)target, (unsigned)m);
        }
        double right = x->value[b * m + target];
        loss += args->weights[b] * (t->kernels->softmax(x->value + b * m, row, m) - right);
        row[target] -= 1;
        for (size_t i = 0; i < m; i++) {
            row[i] *= args->weights[b];
        }
    }
    y->value[0] = (pq_real)loss;
    if (pq_tape_records(y)) {
        *r = (record){x, y, slopes};
        pq_tape_record(t, backward, r);
    }
    return y;
}
