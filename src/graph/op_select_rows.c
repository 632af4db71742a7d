/* op_select_rows.c — y[i] = x[rows[i]]: x (T, D), y (n, D); rows may repeat, and come in any order.
 * Backward: dx[rows[i]] += g[i], in the order of i. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *y;
    const uint32_t *rows;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t d = r->x->cols;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    for (uint32_t i = 0; dx && i < r->y->rows; i++) {
        t->kernels->axpy(1, r->y->grad + (size_t)i * d, dx + (size_t)r->rows[i] * d, d);
    }
}

pq_var *pq_op_select_rows(pq_tape *t, pq_var *x, const uint32_t *rows, uint32_t n) {
    if (!x) {
        return NULL;
    }
    uint32_t d = x->cols;
    pq_var *y = pq_tape_var(t, n, d, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (rows[i] >= x->rows) {
            return PQ_MISFIT(t, "select_rows", "row %u of %u", (unsigned)rows[i],
                             (unsigned)x->rows);
        }
        memcpy(y->value + (size_t)i * d, x->value + (size_t)rows[i] * d, d * sizeof(pq_real));
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, rows};
        pq_tape_record(t, backward, r);
    }
    return y;
}
