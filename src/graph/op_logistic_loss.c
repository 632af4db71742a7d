/* op_logistic_loss.c — binary cross-entropy of log-odds.
 *
 * x (C, 1), labels y in [0, 1]; result (1, 1) = weight * sum over the rows of
 *     w (max(x, 0) - x y + log(1 + e^-|x|)),
 * which is, but for the row's weight w, -y log p - (1 - y) log(1 - p) with p = sigmoid(x), for any x without overflow.
 * Backward: w (sigmoid(x) - y). */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
    pq_real *slopes; /* [C] of y / weight */
    double weight;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    if (dx) {
        t->kernels->axpy((pq_real)(r->y->grad[0] * r->weight), r->slopes, dx, r->x->rows);
    }
}

pq_var *pq_op_logistic_loss(pq_tape *t, pq_var *x, const pq_logistic_loss *args) {
    if (!x) {
        return NULL;
    }
    if (x->cols != 1) {
        return PQ_MISFIT(t, "logistic_loss", "log-odds are %u x %u", (unsigned)x->rows,
                         (unsigned)x->cols);
    }
    pq_var *y = pq_tape_var(t, 1, 1, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *slopes = pq_tape_take(t, x->rows, sizeof(*slopes));
    if (!y || !r || !slopes) {
        return NULL;
    }
    double loss = 0;
    for (uint32_t c = 0; c < x->rows; c++) {
        double s = x->value[c], label = args->labels[c], e = pq_exp(s < 0 ? s : -s);
        double own = args->weights ? args->weights[c] : 1;
        loss += own * (PQ_MAX(s, 0) - s * label + pq_log(1 + e));
        slopes[c] = (pq_real)(own * ((s < 0 ? e : 1) / (1 + e) - label));
    }
    y->value[0] = (pq_real)(args->weight * loss);
    if (pq_tape_records(y)) {
        *r = (record){x, y, slopes, args->weight};
        pq_tape_record(t, backward, r);
    }
    return y;
}
