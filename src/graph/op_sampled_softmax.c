/* op_sampled_softmax.c — cross-entropy of each row's positive item against negatives shared by all rows,
 * corrected for how likely each was to be drawn (Bengio & Senécal, 2008; Jean et al., 2015).
 *
 * u (B, D) queries, positive (B, D) item vectors of the labels, negative (n, D); y (1, 1).
 *     l[b,+] = scale <u[b], positive[b]> - log Q(+),  l[b,j] = scale <u[b], negative[j]> - log Q(j)
 *     y = weight * sum over b of w[b] (log sum exp l[b] - l[b,+])
 * A negative that is the row's own positive is left out of that row.
 * Backward: dl = weight w (softmax - onehot); du, d_positive and d_negative by the products. */
#include "graph/ops.h"

#include <math.h>

typedef struct {
    pq_var *u, *positive, *negative, *y;
    pq_sampled_softmax args;
    pq_real *chances; /* [B, 1 + n] softmax, positive first */
} record;

static pq_real row_weight(const record *r, uint32_t b) {
    return r->args.weights ? r->args.weights[b] : 1;
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_kernels *f = t->kernels;
    uint32_t rows = r->u->rows, d = r->u->cols, n = r->negative->rows, width = n + 1;
    if (!r->y->grad) {
        return;
    }
    pq_real factor = (pq_real)(r->y->grad[0] * r->args.weight * r->args.scale);
    pq_real *du = pq_tape_grad(t, r->u);
    pq_real *dp = pq_tape_grad(t, r->positive);
    pq_real *dn = pq_tape_grad(t, r->negative);
    for (uint32_t b = 0; b < rows; b++) { /* chances become gradients of the inner products */
        pq_real *row = r->chances + (size_t)b * width;
        row[0] -= 1;
        for (uint32_t j = 0; j < width; j++) {
            row[j] *= factor * row_weight(r, b);
        }
        if (du) {
            f->axpy(row[0], r->positive->value + (size_t)b * d, du + (size_t)b * d, d);
        }
        if (dp) {
            f->axpy(row[0], r->u->value + (size_t)b * d, dp + (size_t)b * d, d);
        }
    }
    const pq_real *g = r->chances + 1;
    if (du) {
        f->gemm_nn(&(pq_gemm_args){.m = rows,
                                   .n = d,
                                   .k = n,
                                   .a = g,
                                   .lda = width,
                                   .b = r->negative->value,
                                   .ldb = d,
                                   .c = du,
                                   .ldc = d,
                                   .accumulate = true});
    }
    if (dn) {
        f->gemm_tn(&(pq_gemm_args){.m = n,
                                   .n = d,
                                   .k = rows,
                                   .a = g,
                                   .lda = width,
                                   .b = r->u->value,
                                   .ldb = d,
                                   .c = dn,
                                   .ldc = d,
                                   .accumulate = true});
    }
}

/* The row's logits become its softmax; returns its loss. */
static pq_real row_loss(pq_tape *t, const record *r, uint32_t b) {
    const pq_sampled_softmax *a = &r->args;
    uint32_t d = r->u->cols, n = r->negative->rows;
    pq_real *row = r->chances + (size_t)b * (n + 1);
    pq_real scale = (pq_real)a->scale;
    row[0] = scale * t->kernels->dot(r->u->value + (size_t)b * d,
                                     r->positive->value + (size_t)b * d, d) -
             a->positive_log_q[b];
    for (uint32_t j = 0; j < n; j++) {
        bool hit = a->negative_ids[j] == a->positive_ids[b];
        row[j + 1] = hit ? (pq_real)-HUGE_VAL : scale * row[j + 1] - a->negative_log_q[j];
    }
    pq_real positive = row[0];
    return t->kernels->softmax(row, row, n + 1) - positive;
}

pq_var *pq_op_sampled_softmax(pq_tape *t, pq_var *u, pq_var *positive, pq_var *negative,
                              const pq_sampled_softmax *args) {
    if (!u || !positive || !negative) {
        return NULL;
    }
    uint32_t rows = u->rows, d = u->cols, n = negative->rows;
    if (positive->rows != rows || positive->cols != d || negative->cols != d) {
        return PQ_MISFIT(t, "sampled_softmax", "queries %u x %u, items %u x %u", (unsigned)rows,
                         (unsigned)d, (unsigned)positive->rows, (unsigned)positive->cols);
    }
    bool needs = u->needs_grad || positive->needs_grad || negative->needs_grad;
    pq_var *y = pq_tape_var(t, 1, 1, needs);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *chances = pq_tape_take(t, (size_t)rows * (n + 1), sizeof(*chances));
    if (!y || !r || !chances) {
        return NULL;
    }
    *r = (record){u, positive, negative, y, *args, chances};
    t->kernels->gemm_nt(&(pq_gemm_args){.m = rows,
                                        .n = n,
                                        .k = d,
                                        .a = u->value,
                                        .lda = d,
                                        .b = negative->value,
                                        .ldb = d,
                                        .c = chances + 1,
                                        .ldc = n + 1});
    double loss = 0;
    for (uint32_t b = 0; b < rows; b++) {
        loss += row_weight(r, b) * row_loss(t, r, b);
    }
    y->value[0] = (pq_real)(args->weight * loss);
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
