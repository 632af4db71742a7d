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
 * all the work, so the gradients are computed in the same pass: y is a scalar, and backward only
 * multiplies by its gradient.
 *
 * A chunk of rows meets the catalogue in blocks of items that stay in the cache. Within a block the
 * logits become its own softmax; the softmax of the whole row is that times the block's share, which
 * is the softmax of the blocks' log-sum-exps. The shares, the label and the smoothing, which is the
 * same in every column, go into the gradients through the queries and the items, not through g. */
#include "graph/ops.h"

#include <string.h>

/* Rows of a chunk: with fewer, the items and their gradient, which is as large, would be read and
 * written more often; with more, the logits of a large catalogue would fill the memory. */
#define CHUNK_ROWS ((uint32_t)96)
/* Items of a block: a multiple of every set's tiles, and no power of two, whose rows would share sets
 * of the cache. */
#define BLOCK_ITEMS ((uint32_t)480)

typedef struct {
    pq_var *u, *items, *y;
    pq_softmax_loss args;
    pq_real *du;      /* [P, D] of y / (weight * scale), NULL when not wanted */
    pq_real *d_items; /* [M, D] of y / weight, likewise */
} record;

/* What only the forward pass needs. */
typedef struct {
    uint32_t rows;      /* of a chunk */
    uint32_t blocks;    /* of the M items */
    pq_real *queries;   /* [rows, D] scale u */
    pq_real *weighted;  /* [rows, D] queries times a block's share, or a block's part of du */
    pq_real *logits;    /* block by block [rows, items of the block] */
    pq_real *shares;    /* [rows, blocks] */
    pq_real *mean_item; /* [D] */
    pq_real *sum_query; /* [D] of w scale u */
} work;

/* The items first .. first + count - 1 of the M, and the chunk's logits of them. */
typedef struct {
    uint32_t index, first, count;
    pq_real *logits; /* [rows, count] */
} block;

static block block_at(const record *r, const work *w, uint32_t index) {
    uint32_t first = index * BLOCK_ITEMS, m = r->args.last - r->args.first;
    return (block){index, first, PQ_MIN(m - first, BLOCK_ITEMS),
                   w->logits + (size_t)first * w->rows};
}

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
    w->blocks = (m - 1) / BLOCK_ITEMS + 1;
    w->queries = pq_tape_take(t, (size_t)w->rows * d, sizeof(pq_real));
    w->weighted = pq_tape_take(t, (size_t)w->rows * d, sizeof(pq_real));
    w->shares = pq_tape_take(t, (size_t)w->rows * w->blocks, sizeof(pq_real));
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
    if (r->du) {
        memset(r->du, 0, (size_t)r->u->rows * d * sizeof(pq_real));
    }
    for (uint32_t i = a->first; i < a->last && a->smoothing > 0; i++) {
        t->kernels->axpy((pq_real)1 / (pq_real)m, r->items->value + (size_t)i * d, w->mean_item, d);
    }
}

/* y = a x */
static void scale(pq_real a, const pq_real *x, pq_real *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = a * x[i];
    }
}

/* The items of a block. */
static const pq_real *items_of(const record *r, const block *part) {
    return r->items->value + (size_t)(r->args.first + part->first) * r->items->cols;
}

/* The block's logits become its own softmax, its shares their log-sum-exps. Returns the part of the loss /
 * weight that the labels in this block take away. */
static double turn(const pq_tape *t, const record *r, const work *w, const block *part,
                   uint32_t top, uint32_t rows) {
    uint32_t d = r->u->cols, n = part->count;
    const uint32_t *targets = r->args.targets + top;
    t->kernels->gemm_nt(&(pq_gemm_args){.m = rows,
                                        .n = n,
                                        .k = d,
                                        .a = w->queries,
                                        .lda = d,
                                        .b = items_of(r, part),
                                        .ldb = d,
                                        .c = part->logits,
                                        .ldc = n});
    double right = 0;
    for (uint32_t b = 0; b < rows; b++) {
        pq_real *row = part->logits + (size_t)b * n;
        uint32_t target = targets[b] - r->args.first - part->first;
        if (target < n) { /* the others wrap around */
            right += row_weight(r, top + b) * (1 - r->args.smoothing) * row[target];
        }
        w->shares[(size_t)b * w->blocks + part->index] = t->kernels->softmax(row, row, n);
    }
    return -right;
}

/* The block's part of du [rows, D] and its rows of d_items. */
static void differentiate(const pq_tape *t, const record *r, const work *w, const block *part,
                          uint32_t top, uint32_t rows) {
    uint32_t d = r->u->cols, n = part->count;
    const pq_real *shares = w->shares + part->index;
    if (r->du) {
        t->kernels->gemm_nn(&(pq_gemm_args){.m = rows,
                                            .n = d,
                                            .k = n,
                                            .a = part->logits,
                                            .lda = n,
                                            .b = items_of(r, part),
                                            .ldb = d,
                                            .c = w->weighted,
                                            .ldc = d});
        for (uint32_t b = 0; b < rows; b++) {
            t->kernels->axpy(shares[(size_t)b * w->blocks], w->weighted + (size_t)b * d,
                             r->du + (size_t)(top + b) * d, d);
        }
    }
    if (r->d_items) {
        for (uint32_t b = 0; b < rows; b++) {
            scale(shares[(size_t)b * w->blocks], w->queries + (size_t)b * d,
                  w->weighted + (size_t)b * d, d);
        }
        t->kernels->gemm_tn(&(pq_gemm_args){.m = n,
                                            .n = d,
                                            .k = rows,
                                            .a = part->logits,
                                            .lda = n,
                                            .b = w->weighted,
                                            .ldb = d,
                                            .c = r->d_items + (size_t)part->first * d,
                                            .ldc = d,
                                            .accumulate = top > 0});
    }
}

/* What is not softmax in g, of row `row`: the label, and the smoothing's constant. Returns its part of the
 * loss / weight. */
static double settle(const pq_tape *t, const record *r, const work *w, uint32_t row,
                     const pq_real *query) {
    const pq_softmax_loss *a = &r->args;
    uint32_t d = r->u->cols, target = a->targets[row];
    const pq_real weight = row_weight(r, row);
    const pq_real label = (pq_real)(a->smoothing - 1) * weight;
    if (r->du) {
        pq_real *du = r->du + (size_t)row * d;
        t->kernels->axpy(label, r->items->value + (size_t)target * d, du, d);
        t->kernels->axpy((pq_real)-a->smoothing * weight, w->mean_item, du, d);
    }
    if (r->d_items) {
        t->kernels->axpy(label, query, r->d_items + (size_t)(target - a->first) * d, d);
    }
    t->kernels->axpy(weight, query, w->sum_query, d);
    return -a->smoothing * weight * t->kernels->dot(query, w->mean_item, d);
}

static bool any_counts(const record *r, uint32_t top, uint32_t rows) {
    for (uint32_t b = 0; b < rows; b++) {
        if (row_weight(r, top + b) != 0) {
            return true;
        }
    }
    return false;
}

/* The rows from `top` on. Returns their loss / weight. */
static double classify(const pq_tape *t, const record *r, const work *w, uint32_t top,
                       uint32_t rows) {
    uint32_t d = r->u->cols;
    double loss = 0;
    if (!any_counts(r, top, rows)) { /* as where a teacher's word is all that is learnt from */
        if (top == 0 && r->d_items) {
            memset(r->d_items, 0, (size_t)(r->args.last - r->args.first) * d * sizeof(pq_real));
        }
        return 0;
    }
    scale((pq_real)r->args.scale, r->u->value + (size_t)top * d, w->queries, (size_t)rows * d);
    for (uint32_t i = 0; i < w->blocks; i++) {
        block part = block_at(r, w, i);
        loss += turn(t, r, w, &part, top, rows);
    }
    for (uint32_t b = 0; b < rows; b++) { /* a row's weight goes into its shares */
        pq_real *shares = w->shares + (size_t)b * w->blocks, weight = row_weight(r, top + b);
        loss += weight * t->kernels->softmax(shares, shares, w->blocks);
        scale(weight, shares, shares, w->blocks);
    }
    for (uint32_t i = 0; i < w->blocks && pq_tape_records(r->y); i++) {
        block part = block_at(r, w, i);
        differentiate(t, r, w, &part, top, rows);
    }
    for (uint32_t b = 0; b < rows; b++) {
        loss += settle(t, r, w, top + b, w->queries + (size_t)b * d);
    }
    return loss;
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
        PQ_MISFIT(t, "softmax_loss", "queries %u x %u, items %u to %u of %u x %u",
                  (unsigned)u->rows, (unsigned)u->cols, (unsigned)args->first, (unsigned)args->last,
                  (unsigned)items->rows, (unsigned)items->cols);
        return false;
    }
    for (uint32_t b = 0; b < u->rows; b++) {
        if (args->targets[b] < args->first || args->targets[b] >= args->last) {
            PQ_MISFIT(t, "softmax_loss", "row %u has target %u, items are %u to %u", (unsigned)b,
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
        loss += classify(t, r, &w, top, PQ_MIN(w.rows, u->rows - top));
    }
    y->value[0] = (pq_real)(args->weight * loss);
    if (pq_tape_records(y)) {
        finish(t, r, &w);
        pq_tape_record(t, backward, r);
    }
    return y;
}
