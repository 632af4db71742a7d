/* op_squash.c — y[r] = squash(x[r]) of rows, each a capsule: x, y (R, D). squash.h has the equation; op_route.c squashes
 * by the same functions. */
#include "graph/ops.h"

#include "graph/squash.h"

typedef struct {
    pq_var *x, *y;
    double epsilon;
} record;

void pq_squash(const pq_kernels *f, const pq_real *z, double epsilon, pq_real *c, uint32_t d) {
    pq_real q = f->dot(z, z, d);
    pq_real factor = (pq_real)(q / ((1 + q) * pq_sqrt(q + epsilon)));
    for (uint32_t i = 0; i < d; i++) {
        c[i] = factor * z[i];
    }
}

/* dz += f g + 2 f' <g, z> z, where c = f(|z|²) z. */
void pq_squash_backward(const pq_kernels *f, const pq_real *z, double epsilon, const pq_real *g,
                        pq_real *dz, uint32_t d) {
    double q = f->dot(z, z, d);
    double root = pq_sqrt(q + epsilon);
    double factor = q / ((1 + q) * root);
    double slope = 1 / ((1 + q) * (1 + q) * root) - q / (2 * (1 + q) * (q + epsilon) * root);
    f->axpy((pq_real)factor, g, dz, d);
    f->axpy((pq_real)(2 * slope * f->dot(g, z, d)), z, dz, d);
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t d = r->x->cols;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    for (size_t i = 0; dx && i < r->x->rows; i++) {
        pq_squash_backward(t->kernels, r->x->value + i * d, r->epsilon, r->y->grad + i * d,
                           dx + i * d, d);
    }
}

pq_var *pq_op_squash(pq_tape *t, pq_var *x, double epsilon) {
    if (!x) {
        return NULL;
    }
    pq_var *y = pq_tape_var(t, x->rows, x->cols, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (size_t i = 0; i < x->rows; i++) {
        pq_squash(t->kernels, x->value + i * x->cols, epsilon, y->value + i * x->cols, x->cols);
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, epsilon};
        pq_tape_record(t, backward, r);
    }
    return y;
}
