/* op_columns.c — y = columns first .. first + n - 1 of x: x (T, D), y (T, n). Backward: they get g. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *y;
    uint32_t first;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    size_t n = r->y->cols;
    for (size_t i = 0; dx && i < r->y->rows; i++) {
        t->kernels->axpy(1, r->y->grad + i * n, dx + i * r->x->cols + r->first, n);
    }
}

pq_var *pq_op_columns(pq_tape *t, pq_var *x, uint32_t first, uint32_t n) {
    if (!x || (first == 0 && n == x->cols)) {
        return x;
    }
    if (first > x->cols || n > x->cols - first) {
        return PQ_MISFIT(t, "columns", "%u from %u on of %u", (unsigned)n, (unsigned)first,
                         (unsigned)x->cols);
    }
    pq_var *y = pq_tape_var(t, x->rows, n, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (size_t i = 0; i < x->rows; i++) {
        memcpy(y->value + i * n, x->value + i * x->cols + first, n * sizeof(pq_real));
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, first};
        pq_tape_record(t, backward, r);
    }
    return y;
}
