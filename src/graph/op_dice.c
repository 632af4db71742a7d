/* op_dice.c — the Dice activation (Zhou et al., KDD 2018): x, normal and y (N, D), alpha (1, D),
 *     p = sigmoid(normal),  y = (p + alpha (1 - p)) x
 * where `normal` is x normalised over the batch (pq_op_batch_norm), so that the bend lies at the mean of the
 * data. Backward:
 *     dx = g (p + alpha (1 - p)),  dnormal = g x (1 - alpha) p (1 - p),  dalpha = sum of g x (1 - p) */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *normal, *alpha, *y;
    pq_real *p; /* (N, D) */
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t d = r->x->cols;
    if (!r->y->grad) {
        return;
    }
    pq_real *dx = pq_tape_grad(t, r->x), *d_normal = pq_tape_grad(t, r->normal);
    pq_real *d_alpha = pq_tape_grad(t, r->alpha);
    for (uint32_t i = 0; i < r->x->rows; i++) {
        size_t at = (size_t)i * d;
        for (uint32_t j = 0; j < d; j++) {
            pq_real g = r->y->grad[at + j], x = r->x->value[at + j], p = r->p[at + j];
            pq_real a = r->alpha->value[j];
            if (dx) {
                dx[at + j] += g * (p + a * (1 - p));
            }
            if (d_normal) {
                d_normal[at + j] += g * x * (1 - a) * p * (1 - p);
            }
            if (d_alpha) {
                d_alpha[j] += g * x * (1 - p);
            }
        }
    }
}

/* restrict lets compilers make vectors of the loop. */
static void bend(const pq_real *x, const pq_real *p, const pq_real *alpha, pq_real *restrict y,
                 uint32_t d) {
    for (uint32_t j = 0; j < d; j++) {
        y[j] = (p[j] + alpha[j] * (1 - p[j])) * x[j];
    }
}

pq_var *pq_op_dice(pq_tape *t, pq_var *x, pq_var *normal, pq_var *alpha) {
    if (!x || !normal || !alpha) {
        return NULL;
    }
    uint32_t rows = x->rows, d = x->cols;
    if (normal->rows != rows || normal->cols != d || alpha->rows != 1 || alpha->cols != d) {
        return PQ_MISFIT(t, "dice", "x is %u x %u, normal %u x %u, alpha %u x %u", (unsigned)rows,
                         (unsigned)d, (unsigned)normal->rows, (unsigned)normal->cols,
                         (unsigned)alpha->rows, (unsigned)alpha->cols);
    }
    pq_var *y = pq_tape_var(t, rows, d, x->needs_grad || normal->needs_grad || alpha->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *p = pq_tape_take(t, (size_t)rows * d, sizeof(*p));
    if (!y || !r || !p) {
        return NULL;
    }
    *r = (record){x, normal, alpha, y, p};
    t->kernels->sigmoid(normal->value, p, (size_t)rows * d);
    for (uint32_t i = 0; i < rows; i++) {
        size_t at = (size_t)i * d;
        bend(x->value + at, p + at, alpha->value, y->value + at, d);
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
