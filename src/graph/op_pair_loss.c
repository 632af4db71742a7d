/* op_pair_loss.c — losses of one positive item and n negatives of each row.
 *
 * u (P, D) queries, positive (P, D), negative (P n, D), of which rows b n .. b n + n - 1 belong to
 * row b; y (1, 1) = weight * sum over the rows of w times what a row gives. With s = scale <u[b], item> and softplus(x) =
 * log(1 + e^x), so that softplus(-s) = -log sigmoid(s) and softplus(s) = -log(1 - sigmoid(s)), a row
 * gives
 *     BCE   softplus(-s+) + 1/n sum over j of softplus(s-[j])
 *     BPR   1/n sum over j of softplus(s-[j] - s+)                            (Rendle et al., 2009)
 *     gBCE  1/(n + 1) (beta softplus(-s+) + sum over j of softplus(s-[j]))
 * gBCE is -1/(n + 1) (log sigmoid(s+)^beta + sum of log(1 - sigmoid(s-))) (Petrov & Macdonald,
 * "gSASRec", RecSys 2023), normalised as the authors' program does: the mean over all n + 1 items.
 * Their beta is calibrated for negatives that count as much as the positive each, so a mean over the
 * negatives alone, as in BCE here, would undo it.
 *
 * All three are w+ softplus(x+) + w- sum of softplus(x-) with x+ = -s+ and x- = s- or s- - s+.
 * Backward: softplus'(x) = sigmoid(x). */
#include "graph/ops.h"

typedef struct {
    pq_var *u, *positive, *negative, *y;
    pq_pair_loss args;
    pq_real *slopes; /* [P, 1 + n] of y / weight to the scores s, positive first */
} record;

static pq_real row_weight(const record *r, size_t b) {
    return r->args.weights ? r->args.weights[b] : 1;
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_kernels *f = t->kernels;
    uint32_t d = r->u->cols, n = r->args.negatives;
    if (!r->y->grad) {
        return;
    }
    double factor = r->y->grad[0] * r->args.weight * r->args.scale;
    pq_real *du = pq_tape_grad(t, r->u);
    pq_real *dp = pq_tape_grad(t, r->positive);
    pq_real *dn = pq_tape_grad(t, r->negative);
    for (size_t b = 0; b < r->u->rows; b++) {
        const pq_real *slopes = r->slopes + b * ((size_t)n + 1);
        const pq_real *u = r->u->value + b * d;
        const double own = factor * row_weight(r, b);
        for (uint32_t j = 0; j <= n; j++) { /* j = 0: the positive */
            pq_real g = (pq_real)(own * slopes[j]);
            size_t at = (j ? b * n + j - 1 : b) * d;
            pq_real *d_item = j ? dn : dp;
            if (du) {
                f->axpy(g, (j ? r->negative : r->positive)->value + at, du + b * d, d);
            }
            if (d_item) {
                f->axpy(g, u, d_item + at, d);
            }
        }
    }
}

/* log(1 + x), x >= 0, to the last digits for a small x also (Kahan). */
static double log1p_of(double x) {
    double sum = 1 + x;
    return sum == 1 ? x : pq_log(sum) * (x / (sum - 1));
}

/* Sum of softplus(x), given e = exp(-|x|). The logarithms of factors 1 + e <= 2 are one logarithm
 * of their product, as long as that stays in the range of double. */
static double softplus_sum(const pq_real *x, const pq_real *e, uint32_t n) {
    double sum = 0, product = 0; /* the product - 1, which keeps the digits of a small e */
    for (uint32_t j = 0; j < n; j++) {
        sum += x[j] > 0 ? x[j] : 0;
        product += e[j] * (1 + product);
        if (product > 0x1p500) {
            sum += log1p_of(product);
            product = 0;
        }
    }
    return sum + log1p_of(product);
}

static pq_real sigmoid(pq_real x, pq_real e) {
    return x > 0 ? 1 / (1 + e) : e / (1 + e);
}

/* The row's loss / weight; its slopes when it is recorded. e: [1 + n], for the exponentials. */
static double row_loss(const pq_tape *t, const record *r, uint32_t b, pq_real *e) {
    const pq_pair_loss *a = &r->args;
    uint32_t d = r->u->cols, n = a->negatives;
    const bool ranks = a->kind == PQ_PAIR_BPR;
    const double each = 1 / (a->kind == PQ_PAIR_GBCE ? n + 1.0 : (double)n);
    const double first = ranks ? 0 : a->kind == PQ_PAIR_GBCE ? a->beta * each : 1;
    const pq_real scale = (pq_real)a->scale;
    const pq_real *u = r->u->value + (size_t)b * d;
    pq_real *x = r->slopes + (size_t)b * ((size_t)n + 1);
    x[0] = -scale * t->kernels->dot(u, r->positive->value + (size_t)b * d, d);
    for (uint32_t j = 0; j < n; j++) {
        const pq_real *item = r->negative->value + ((size_t)b * n + j) * d;
        x[j + 1] = scale * t->kernels->dot(u, item, d) + (ranks ? x[0] : 0);
    }
    for (uint32_t j = 0; j <= n; j++) {
        e[j] = x[j] > 0 ? -x[j] : x[j];
    }
    t->kernels->exp(e, e, (size_t)n + 1);
    double loss = each * softplus_sum(x + 1, e + 1, n);
    if (!ranks) {
        loss += first * softplus_sum(x, e, 1);
    }
    double positive = -first * sigmoid(x[0], e[0]);
    for (uint32_t j = 1; j <= n; j++) {
        x[j] = (pq_real)each * sigmoid(x[j], e[j]);
        positive -= ranks ? x[j] : 0;
    }
    x[0] = (pq_real)positive;
    return loss;
}

pq_var *pq_op_pair_loss(pq_tape *t, pq_var *u, pq_var *positive, pq_var *negative,
                        const pq_pair_loss *args) {
    if (!u || !positive || !negative) {
        return NULL;
    }
    uint32_t rows = u->rows, d = u->cols, n = args->negatives;
    if (n == 0 || positive->rows != rows || negative->rows != (uint64_t)rows * n ||
        positive->cols != d || negative->cols != d) {
        return PQ_MISFIT(t, "pair_loss", "queries %u x %u, positives %u x %u, negatives %u x %u",
                         (unsigned)rows, (unsigned)d, (unsigned)positive->rows,
                         (unsigned)positive->cols, (unsigned)negative->rows,
                         (unsigned)negative->cols);
    }
    bool needs = u->needs_grad || positive->needs_grad || negative->needs_grad;
    pq_var *y = pq_tape_var(t, 1, 1, needs);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *slopes = pq_tape_take(t, (size_t)rows * ((size_t)n + 1), sizeof(*slopes));
    pq_real *e = pq_tape_take(t, (size_t)n + 1, sizeof(*e));
    if (!y || !r || !slopes || !e) {
        return NULL;
    }
    *r = (record){u, positive, negative, y, *args, slopes};
    double loss = 0;
    for (uint32_t b = 0; b < rows; b++) {
        loss += row_weight(r, b) * row_loss(t, r, b, e);
    }
    y->value[0] = (pq_real)(args->weight * loss);
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
