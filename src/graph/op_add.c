/* op_add.c — y = a + b: a, y (T, D), b (T, D) or one row for all, (1, D). Backward: both get g; the one row
 * gets the sum of its rows. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *a, *b, *y;
} record;

/* to += from, where a matrix of one row stands for all rows of the other. */
static void accumulate(const pq_tape *t, const pq_real *from, uint32_t from_rows, pq_real *to,
                       uint32_t to_rows, uint32_t cols) {
    if (from_rows == to_rows) {
        t->kernels->axpy(1, from, to, (size_t)from_rows * cols);
        return;
    }
    for (uint32_t i = 0; i < PQ_MAX(from_rows, to_rows); i++) {
        t->kernels->axpy(1, from + (from_rows == 1 ? 0 : (size_t)i * cols),
                         to + (to_rows == 1 ? 0 : (size_t)i * cols), cols);
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_var *inputs[2] = {r->a, r->b};
    for (int i = 0; r->y->grad && i < 2; i++) {
        pq_real *d = pq_tape_grad(t, inputs[i]);
        if (d) {
            accumulate(t, r->y->grad, r->y->rows, d, inputs[i]->rows, r->y->cols);
        }
    }
}

pq_var *pq_op_add(pq_tape *t, pq_var *a, pq_var *b) {
    if (!a || !b) {
        return NULL;
    }
    if ((a->rows != b->rows && b->rows != 1) || a->cols != b->cols) {
        return PQ_MISFIT(t, "add", "%u x %u and %u x %u", (unsigned)a->rows, (unsigned)a->cols,
                         (unsigned)b->rows, (unsigned)b->cols);
    }
    pq_var *y = pq_tape_var(t, a->rows, a->cols, a->needs_grad || b->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    memcpy(y->value, a->value, (size_t)a->rows * a->cols * sizeof(pq_real));
    if (a->rows > 0) {
        accumulate(t, b->value, b->rows, y->value, a->rows, a->cols);
    }
    if (pq_tape_records(y)) {
        *r = (record){a, b, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
