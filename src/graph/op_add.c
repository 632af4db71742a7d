/* op_add.c — y = a + b, all (T, D). Backward: both get g. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *a, *b, *y;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    size_t n = (size_t)r->y->rows * r->y->cols;
    pq_var *inputs[2] = {r->a, r->b};
    for (int i = 0; r->y->grad && i < 2; i++) {
        pq_real *d = pq_tape_grad(t, inputs[i]);
        if (d) {
            t->kernels->axpy(1, r->y->grad, d, n);
        }
    }
}

pq_var *pq_op_add(pq_tape *t, pq_var *a, pq_var *b) {
    if (!a || !b) {
        return NULL;
    }
    if (a->rows != b->rows || a->cols != b->cols) {
        return pq_tape_fail(t, PIQUE_INTERNAL, "add: %u x %u and %u x %u", (unsigned)a->rows,
                            (unsigned)a->cols, (unsigned)b->rows, (unsigned)b->cols);
    }
    pq_var *y = pq_tape_var(t, a->rows, a->cols, a->needs_grad || b->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    size_t n = (size_t)a->rows * a->cols;
    memcpy(y->value, a->value, n * sizeof(pq_real));
    t->kernels->axpy(1, b->value, y->value, n);
    if (pq_tape_records(y)) {
        *r = (record){a, b, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
