/* op_margin_loss.c — margin loss of capsules (Sabour, Frosst & Hinton, NIPS 2017, equation 4).
 *
 * x (B C, D): the C capsules of each of B rows; the result (1, 1) is weight times the sum over rows b and classes j of
 *     T max(0, high - n)² + down (1 - T) max(0, n - low)²,   n = |x[b,j]|,   T = 1 for the row's class, else 0.
 * Backward: dx[b,j] = dn x[b,j] / n with dn = -2 T max(0, high - n) + 2 down (1 - T) max(0, n - low). */
#include "graph/ops.h"

#include "graph/squash.h"

typedef struct {
    pq_var *x, *y;
    pq_real *slopes; /* [B C] dn / n */
    double weight;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t d = r->x->cols;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    for (size_t i = 0; dx && i < r->x->rows; i++) {
        t->kernels->axpy((pq_real)(r->y->grad[0] * r->weight * r->slopes[i]), r->x->value + i * d,
                         dx + i * d, d);
    }
}

pq_var *pq_op_margin_loss(pq_tape *t, pq_var *x, const pq_margin_loss *args) {
    if (!x) {
        return NULL;
    }
    if (x->rows % args->classes != 0) {
        return PQ_MISFIT(t, "margin_loss", "%u capsules of %u classes", (unsigned)x->rows,
                         (unsigned)args->classes);
    }
    pq_var *y = pq_tape_var(t, 1, 1, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *slopes = pq_tape_take(t, x->rows, sizeof(*slopes));
    if (!y || !r || !slopes) {
        return NULL;
    }
    double loss = 0;
    for (uint32_t i = 0; i < x->rows; i++) {
        bool own = args->targets[i / args->classes] == i % args->classes;
        double n = pq_capsule_length(t->kernels, x->value + (size_t)i * x->cols, x->cols);
        double over = own ? PQ_MAX(0, args->high - n) : PQ_MAX(0, n - args->low);
        double share = own ? 1 : args->down;
        loss += share * over * over;
        slopes[i] = (pq_real)((own ? -2 : 2) * share * over / n);
    }
    y->value[0] = (pq_real)(args->weight * loss);
    if (pq_tape_records(y)) {
        *r = (record){x, y, slopes, args->weight};
        pq_tape_record(t, backward, r);
    }
    return y;
}
