/* op_prelu.c — y = x, or alpha x below zero, with a trained alpha (1, D) for each column (He et al., 2015):
 * x and y (N, D). Backward: dx = g or alpha g; dalpha = sum of g x over the rows below zero. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *alpha, *y;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t d = r->x->cols;
    if (!r->y->grad) {
        return;
    }
    pq_real *dx = pq_tape_grad(t, r->x), *d_alpha = pq_tape_grad(t, r->alpha);
    for (uint32_t i = 0; i < r->x->rows; i++) {
        size_t at = (size_t)i * d;
        for (uint32_t j = 0; j < d; j++) {
            pq_real g = r->y->grad[at + j], x = r->x->value[at + j];
            if (dx) {
                dx[at + j] += x > 0 ? g : r->alpha->value[j] * g;
            }
            if (d_alpha && !(x > 0)) {
                d_alpha[j] += g * x;
            }
        }
    }
}

pq_var *pq_op_prelu(pq_tape *t, pq_var *x, pq_var *alpha) {
    if (!x || !alpha) {
        return NULL;
    }
    uint32_t d = x->cols;
    if (alpha->rows != 1 || alpha->cols != d) {
        return PQ_MISFIT(t, "prelu", "%u columns, alpha is %u x %u", (unsigned)d,
                         (unsigned)alpha->rows, (unsigned)alpha->cols);
    }
    pq_var *y = pq_tape_var(t, x->rows, d, x->needs_grad || alpha->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (uint32_t i = 0; i < x->rows; i++) {
        size_t at = (size_t)i * d;
        for (uint32_t j = 0; j < d; j++) {
            pq_real v = x->value[at + j];
            y->value[at + j] = v > 0 ? v : alpha->value[j] * v;
        }
    }
    *r = (record){x, alpha, y};
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
