/* op_pick_columns.c — y[r] = sum over i < n of x[r, columns[r n + i]]: x (T, D), y (T, 1); PQ_NO_COLUMN adds nothing.
 * Backward: dx[r, columns[r n + i]] += g[r]. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
    const uint32_t *columns;
    uint32_t n;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    for (size_t i = 0; dx && i < (size_t)r->y->rows * r->n; i++) {
        if (r->columns[i] != PQ_NO_COLUMN) {
            dx[i / r->n * r->x->cols + r->columns[i]] += r->y->grad[i / r->n];
        }
    }
}

pq_var *pq_op_pick_columns(pq_tape *t, pq_var *x, const uint32_t *columns, uint32_t n) {
    if (!x || !columns) {
        return NULL;
    }
    pq_var *y = pq_tape_var(t, x->rows, 1, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (size_t row = 0; row < x->rows; row++) {
        y->value[row] = 0;
        for (size_t i = row * n; i < (row + 1) * n; i++) {
            if (columns[i] == PQ_NO_COLUMN) {
                continue;
            }
            if (columns[i] >= x->cols) {
                return PQ_MISFIT(t, "pick_columns", "column %u of %u", (unsigned)columns[i],
                                 (unsigned)x->cols);
            }
            y->value[row] += x->value[row * x->cols + columns[i]];
        }
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, columns, n};
        pq_tape_record(t, backward, r);
    }
    return y;
}
