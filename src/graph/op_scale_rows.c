/* op_scale_rows.c — y[i] = weights[i] x[r], r = rows[i], or i without rows: x (T, D), weights (n, 1), y (n, D).
 * Backward: dx[r] += weights[i] g[i],  dweights[i] = <g[i], x[r]>. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *weights, *y;
    const uint32_t *rows;
} record;

static size_t place(const record *r, uint32_t i) {
    return (size_t)(r->rows ? r->rows[i] : i) * r->x->cols;
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t d = r->x->cols;
    if (!r->y->grad) {
        return;
    }
    pq_real *dx = pq_tape_grad(t, r->x), *dw = pq_tape_grad(t, r->weights);
    for (uint32_t i = 0; i < r->y->rows; i++) {
        const pq_real *g = r->y->grad + (size_t)i * d;
        if (dx) {
            t->kernels->axpy(r->weights->value[i], g, dx + place(r, i), d);
        }
        if (dw) {
            dw[i] += t->kernels->dot(g, r->x->value + place(r, i), d);
        }
    }
}

pq_var *pq_op_scale_rows(pq_tape *t, pq_var *x, pq_var *weights, const uint32_t *rows) {
    if (!x || !weights) {
        return NULL;
    }
    uint32_t n = weights->rows, d = x->cols;
    bool inside = rows || x->rows == n;
    for (uint32_t i = 0; rows && i < n; i++) {
        inside = inside && rows[i] < x->rows;
    }
    if (!inside || weights->cols != 1) {
        return PQ_MISFIT(t, "scale_rows", "%u rows, weights are %u x %u", (unsigned)x->rows,
                         (unsigned)n, (unsigned)weights->cols);
    }
    pq_var *y = pq_tape_var(t, n, d, x->needs_grad || weights->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    *r = (record){x, weights, y, rows};
    memset(y->value, 0, (size_t)n * d * sizeof(*y->value));
    for (uint32_t i = 0; i < n; i++) {
        t->kernels->axpy(weights->value[i], x->value + place(r, i), y->value + (size_t)i * d, d);
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
