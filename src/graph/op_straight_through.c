/* op_straight_through.c — other rows in place of x (T, D), whose gradient passes on as it is: the
 * straight-through estimator (Bengio et al., 2013, arXiv 1308.3432) of rows that a quantiser has rounded.
 *     y[t] = rows[ids[t]],  or |x[t]| rows[ids[t]] with `lengths`;  dx = g */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *y;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = pq_tape_grad(t, r->x);
    if (r->y->grad && dx) {
        t->kernels->axpy(1, r->y->grad, dx, (size_t)r->x->rows * r->x->cols);
    }
}

pq_var *pq_op_straight_through(pq_tape *t, pq_var *x, const pq_straight_through *args) {
    if (!x) {
        return NULL;
    }
    uint32_t d = x->cols;
    pq_var *y = pq_tape_var(t, x->rows, d, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (uint32_t i = 0; i < x->rows; i++) {
        const pq_real *from = args->rows + (size_t)(args->ids ? args->ids[i] : i) * d;
        const pq_real *own = x->value + (size_t)i * d;
        pq_real *to = y->value + (size_t)i * d;
        memcpy(to, from, d * sizeof(pq_real));
        if (args->lengths) {
            const pq_real length = (pq_real)pq_sqrt(t->kernels->dot(own, own, d));
            for (uint32_t j = 0; j < d; j++) {
                to[j] *= length;
            }
        }
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
