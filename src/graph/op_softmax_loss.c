/* op_softmax_loss.c — cross-entropy of each row's item over the whole catalogue, with label
 * smoothing (Szegedy et al., 2016).
 *
 * u (P, D) queries, items (N, D), of which the M = last - first rows first .. last - 1 take part;
 * y (1, 1). With l[b,i] = scale <u[b], items[i]> and t = targets[b]:
 *     y = weight * sum over b of w[b] (log sum exp l[b] - (1 - smoothing) l[b,t] - smoothing mean l[b])
 *     g = d y / d l = weight * w[b] (softmax(l[b]) - (1 - smoothing) onehot(t) - smoothing / M)
 *     du = scale g items,  d_items = scale g' u
 *
 * The logits exist for a few rows at a time. Computing them again in backward would cost a third of
 * all the work, so the gradients are computed in the same pass, while a chunk is still in the
 * cache: y is a scalar, and backward only multiplies by its gradient. The smoothing's part of g is
 * the same in every column; it goes into the gradients through the mean of the items and the sum of
 * the queries instead of through g. */
#include "graph/ops.h"

#include <string.h>

/* Rows of a chunk: what the products take at a time. For a catalogue of ten thousand the logits stay
 * in the cache. For a large one they do not, but with fewer rows the gradient of the items, which is
 * as large, would be read and written more often, and that costs more. */
#define CHUNK_ROWS ((uint32_t)48)

typedef struct {
    pq_var *u, *items, *y;
    pq_softmax_loss args;
    pq_real *du;      /* [P, D] of y / (weight * scale), NULL when not wanted */
    pq_real *d_items; /* [M, D] of y / weight, likewise */
} record;

/* What only the forward pass needs. */
typedef struct {
    uint32_t rows;      /* of a chunk */
    pq_real *queries;   /* [rows, D] scale u */
    pq_real *logits;    /* [rows, M] */
    pq_real *mean_item; /* [D] */
    pq_real *sum_query; /* [D] of w scale u */
} work;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_softmax_loss *a = &r->args;
    if (!r->y->grad) {
        return;
    }
    double factor = r->y->grad[0] * a->weight;
    size_t d = r->u->cols;
    pq_real *du = r->du ? pq_tape_grad(t, r->u) : NULL;
    if (du) {
        t->kernels->axpy((pq_real)(factor * a->scale), r->du, du, r->u->rows * d);
    }
    pq_real *d_items = r->d_items ? pq_tape_grad(t, r->items) : NULL;
    if (d_items) {
        t->kernels->axpy((pq_real)factor, r->d_items, d_items + a->first * d,
                         (a->last - a->first) * d);
    }
}

static bool take_memory(pq_tape *t, record *r, work *w) {
    uint32_t d = r->u->cols, m = r->args.last - r->args.first;
    w->rows = PQ_MIN(r->u->rows, CHUNK_ROWS);
    w->queries = pq_tape_take(t, (size_t)w->rows * d, sizeof(pq_real));
    w->logits = pq_tape_take(t, (size_t)w->rows * m, sizeof(pq_real));
    w->mean_item = pq_tape_take(t, d, sizeof(pq_real));
    w->sum_query = pq_tape_take(t, d, sizeof(pq_real));
    if (pq_tape_records(r->y) && r->u->needs_grad) {
        r->du = pq_tape_take(t, (size_t)r->u->rows * d, sizeof(pq_real));
    }
    if (pq_tape_records(r->y) && r->items->needs_grad && r->u->rows > 0) {
        r->d_items = pq_tape_take(t, (size_t)m * d, sizeof(pq_real));
    }
    return t->status == PIQUE_OK;
}

static pq_real row_weight(const record *r, uint32_t b) {
    return r->args.weights ? r->args.weights[b] : 1;
}

static void start(const pq_tape *t, const record *r, const work *w) {
    const pq_softmax_loss *a = &r->args;
    uint32_t d = r->u->cols, m = a->last - a->first;
    memset(w->mean_item, 0, d * sizeof(pq_real));
    memset(w->sum_query, 0, d * sizeof(pq_real));
    for (uint32_t i = a->first; i < a->last && a->smoothing > 0; i++) {
        t->kernels->axpy((pq_real)1 / (pq_real)m, r->items->value + (size_t)i * d, w->mean_item, d);
    }
}

/* Logits of u's rows from `top` on. */
static void multiply(const pq_tape *t, const record *r, const work *w, uint32_t top,
                     uint32_t rows) {
    const pq_softmax_loss *a = &r->args;
    uint32_t d = r->u->cols, m = a->last - a->first;
    const pq_real *u = r->u->value + (size_t)top * d;
    for (size_t i = 0; i < (size_t)rows * d; i++) {
        w->queries[i] = (pq_real)a->scale * u[i];
    }
    t->kernels->gemm_nt(&(pq_gemm_args){.m = rows,
                                        .n = m,
                                        .k = d,
                                        .a = w->queries,
                                        .lda = d,
                                        .b = r->items->value + (size_t)a->first * d,
                                        .ldb = d,
                                        .c = w->logits,
                                        .ldc = m});
}

/* The logits become g / weight but for the smoothing's constant. Returns the loss / weight. */
static double turn(const pq_tape *t, const record *r, const work *w, uint32_t top, uint32_t rows) {
    const pq_softmax_loss *a = &r->args;
    uint32_t d = r->u->cols, m = a->last - a->first;
    double loss = 0;
    for (uint32_t b = 0; b < rows; b++) {
        pq_real *row = w->logits + (size_t)b * m;
        const pq_real *query = w->queries + (size_t)b * d;
        uint32_t target = a->targets[top + b] - a->first;
        double right = (1 - a->smoothing) * row[target];
        if (a->smoothing > 0) {
            right += a->smoothing * t->kernels->dot(query, w->mean_item, d);
            t->kernels->axpy(row_weight(r, top + b), query, w->sum_query, d);
        }
        loss += row_weight(r, top + b) * (t->kernels->softmax(row, row, m) - right);
        row[target] -= (pq_real)(1 - a->smoothing);
        for (uint32_t i = 0; a->weights && i < m; i++) {
            row[i] *= a->weights[top + b];
        }
    }
    return loss;
}

static void differentiate(const pq_tape *t, const record *r, const work *w, uint32_t top,
                          uint32_t rows) {
    const pq_softmax_loss *a = &r->args;
    uint32_t d = r->u->cols, m = a->last - a->first;
    if (r->du) {
        pq_real *du = r->du + (size_t)top * d;
        t->kernels->gemm_nn(&(pq_gemm_args){.m = rows,
                                            .n = d,
                                            .k = m,
                                            .a = w->logits,
                                            .lda = m,
                                            .b = r->items->value + (size_t)a->first * d,
                                            .ldb = d,
                                            .c = du,
                                            .ldc = d});
        for (uint32_t b = 0; b < rows && a->smoothing > 0; b++) {
            pq_real factor = (pq_real)-a->smoothing * row_weight(r, top + b);
            t->kernels->axpy(factor, w->mean_item, du + (size_t)b * d, d);
        }
    }
    if (r->d_items) {
        t->kernels->gemm_tn(&(pq_gemm_args){.m = m,
                                            .n = d,
                                            .k = rows,
                                            .a = w->logits,
                                            .lda = m,
                                            .b = w->queries,
                                            .ldb = d,
                                            .c = r->d_items,
                                            .ldc = d,
                                            .accumulate = top > 0});
    }
}

static void finish(const pq_tape *t, const record *r, const work *w) {
    const pq_softmax_loss *a = &r->args;
    uint32_t d = r->u->cols, m = a->last - a->first;
    for (uint32_t i = 0; i < m && r->d_items && a->smoothing > 0; i++) {
        t->kernels->axpy((pq_real)(-a->smoothing / m), w->sum_query, r->d_items + (size_t)i * d, d);
    }
}

static bool is_valid(pq_tape *t, const pq_var *u, const pq_var *items,
                     const pq_softmax_loss *args) {
    if (u->cols != items->cols || args->first >= args->last || args->last > items->rows) {
        pq_tape_fail(t, PIQUE_INTERNAL, "softmax_loss: queries %u x %u, items %u to %u of %u x %u",
                     (unsigned)u->rows, (unsigned)u->cols, (unsigned)args->first,
                     (unsigned)args->last, (unsigned)items->rows, (unsigned)items->cols);
        return false;
    }
    for (uint32_t b = 0; b < u->rows; b++) {
        if (args->targets[b] < args->first || args->targets[b] >= args->last) {
            pq_tape_fail(t, PIQUE_INTERNAL,
                         "softmax_loss: row %u has target %u, items are %u to %u", (unsigned)b,
                         (unsigned)args->targets[b], (unsigned)args->first, (unsigned)args->last);
            return false;
        }
    }
    return true;
}

pq_var *pq_op_softmax_loss(pq_tape *t, pq_var *u, pq_var *items, const pq_softmax_loss *args) {
    if (!u || !items || !is_valid(t, u, items, args)) {
        return NULL;
    }
    pq_var *y = pq_tape_var(t, 1, 1, u->needs_grad || items->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    *r = (record){.u = u, .items = items, .y = y, .args = *args};
    work w;
    if (!take_memory(t, r, &w)) {
        return NULL;
    }
    start(t, r, &w);
    double loss = 0;
    for (uint32_t top = 0; top < u->rows; top += w.rows) {
        uint32_t rows = PQ_MIN(w.rows, u->rows - top);
        multiply(t, r, &w, top, rows);
        loss += turn(t, r, &w, top, rows);
        if (pq_tape_records(y)) {
            differentiate(t, r, &w, top, rows);
        }
    }
    y->value[0] = (pq_real)(args->weight * loss);
    if (pq_tape_records(y)) {
        finish(t, r, &w);
        pq_tape_record(t, backward, r);
    }
    return y;
}
