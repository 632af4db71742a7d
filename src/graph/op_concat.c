/* op_concat.c — y[r] = [a[r]; b[r]]: a (T, D1), b (T, D2), y (T, D1 + D2). Backward: g is cut in two. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *a, *b, *y;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    if (!r->y->grad) {
        return;
    }
    pq_real *da = pq_tape_grad(t, r->a);
    pq_real *db = pq_tape_grad(t, r->b);
    uint32_t left = r->a->cols, right = r->b->cols;
    for (uint32_t i = 0; i < r->y->rows; i++) {
        const pq_real *g = r->y->grad + (size_t)i * (left + right);
        if (da) {
            t->kernels->axpy(1, g, da + (size_t)i * left, left);
        }
        if (db) {
            t->kernels->axpy(1, g + left, db + (size_t)i * right, right);
        }
    }
}

pq_var *pq_op_concat(pq_tape *t, pq_var *a, pq_var *b) {
    if (!a || !b) {
        return NULL;
    }
    if (a->rows != b->rows) {
        return PQ_MISFIT(t, "concat", "%u and %u rows", (unsigned)a->rows, (unsigned)b->rows);
    }
    uint32_t left = a->cols, right = b->cols;
    pq_var *y = pq_tape_var(t, a->rows, left + right, a->needs_grad || b->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (uint32_t i = 0; i < a->rows; i++) {
        pq_real *row = y->value + (size_t)i * (left + right);
        memcpy(row, a->value + (size_t)i * left, left * sizeof(pq_real));
        memcpy(row + left, b->value + (size_t)i * right, right * sizeof(pq_real));
    }
    if (pq_tape_records(y)) {
        *r = (record){a, b, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
