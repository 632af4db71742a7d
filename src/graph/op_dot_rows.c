/* op_dot_rows.c — y[r] = <a[r], b[r]>: a, b (T, D), y (T, 1). Backward: da = g b, db = g a. */
#include "graph/ops.h"

typedef struct {
    pq_var *a, *b, *y;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    size_t d = r->a->cols;
    if (!r->y->grad) {
        return;
    }
    pq_real *da = pq_tape_grad(t, r->a);
    pq_real *db = pq_tape_grad(t, r->b);
    for (size_t i = 0; i < r->y->rows; i++) {
        if (da) {
            t->kernels->axpy(r->y->grad[i], r->b->value + i * d, da + i * d, d);
        }
        if (db) {
            t->kernels->axpy(r->y->grad[i], r->a->value + i * d, db + i * d, d);
        }
    }
}

pq_var *pq_op_dot_rows(pq_tape *t, pq_var *a, pq_var *b) {
    if (!a || !b) {
        return NULL;
    }
    if (a->rows != b->rows || a->cols != b->cols) {
        return PQ_MISFIT(t, "dot_rows", "%u x %u and %u x %u", (unsigned)a->rows, (unsigned)a->cols,
                         (unsigned)b->rows, (unsigned)b->cols);
    }
    size_t d = a->cols;
    pq_var *y = pq_tape_var(t, a->rows, 1, a->needs_grad || b->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (size_t i = 0; i < a->rows; i++) {
        y->value[i] = t->kernels->dot(a->value + i * d, b->value + i * d, d);
    }
    if (pq_tape_records(y)) {
        *r = (record){a, b, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
