/* op_normalise.c — y[r] = x[r] / sqrt(|x[r]|² + eps): x, y (T, D); a zero row stays zero.
 * Backward: dx = (g - <g, y> y) / length. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
    pq_real *inverse; /* [T] 1 / length */
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = pq_tape_grad(t, r->x);
    uint32_t d = r->x->cols;
    for (uint32_t i = 0; r->y->grad && dx && i < r->x->rows; i++) {
        const pq_real *g = r->y->grad + (size_t)i * d;
        const pq_real *y = r->y->value + (size_t)i * d;
        pq_real along = t->kernels->dot(g, y, d);
        t->kernels->axpy(r->inverse[i], g, dx + (size_t)i * d, d);
        t->kernels->axpy(-r->inverse[i] * along, y, dx + (size_t)i * d, d);
    }
}

pq_var *pq_op_normalise(pq_tape *t, pq_var *x, double epsilon) {
    if (!x) {
        return NULL;
    }
    uint32_t d = x->cols;
    pq_var *y = pq_tape_var(t, x->rows, d, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *inverse = pq_tape_take(t, x->rows, sizeof(*inverse));
    if (!y || !r || !inverse) {
        return NULL;
    }
    for (uint32_t i = 0; i < x->rows; i++) {
        const pq_real *row = x->value + (size_t)i * d;
        pq_real square = t->kernels->dot(row, row, d) + (pq_real)epsilon;
        inverse[i] = (pq_real)(1 / pq_sqrt(square));
        for (uint32_t j = 0; j < d; j++) {
            y->value[(size_t)i * d + j] = row[j] * inverse[i];
        }
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, inverse};
        pq_tape_record(t, backward, r);
    }
    return y;
}
