/* op_soft_softmax.c — how far each row's distribution over a slate of items is from given chances: soft
 * labels, as in knowledge distillation (Hinton, Vinyals & Dean, 2015).
 *
 * u (P, D) queries. The slate of row b are the rows b k .. b k + k - 1 of `own` (P k, D), then the rows
 * first .. last - 1 of `shared` (N, D), S items in all; y (1, 1). With l[b,i] = scale <u[b], item i>,
 * p = softmax of what `ask` tells, and q = softmax(l / tau) over the slate:
 *     y = weight tau^2 sum over b of w[b] sum over i of p[b,i] (log p[b,i] - log q[b,i])
 *     g = d y / d l = weight w[b] tau (q - p)
 *     du = scale g items,  d_own = d_shared = scale g' u
 * tau^2 keeps the gradient as large as that of hard labels, whatever the temperature. An item that is
 * left out of the row's slate is in neither distribution, and has no gradient.
 *
 * Logits and chances exist for a few rows at a time; the gradients are computed in the same pass and
 * backward only multiplies, as in op_softmax_loss.c. */
#include "graph/ops.h"

#include <string.h>

#define CHUNK_ROWS ((uint32_t)96)

typedef struct {
    pq_var *u, *own, *shared, *y;
    pq_soft_softmax args;
    uint32_t slate; /* S */
    /* Of y / weight, NULL where not wanted: [P, D], [P k, D], [last - first, D] */
    pq_real *du, *d_own, *d_shared;
} record;

/* What only the forward pass needs. */
typedef struct {
    pq_real *queries; /* [rows of a chunk, D] scale u / tau */
    pq_real *logits;  /* [rows of a chunk, S], which become gradients */
    pq_real *told;    /* [rows of a chunk, S] */
    bool *left_out;   /* [rows of a chunk, S] */
    pq_real *chances; /* [S] of one row */
} work;

static void pass(pq_tape *t, const record *r, const pq_real *gradient, pq_var *into, uint32_t first,
                 size_t rows) {
    pq_real *d = gradient ? pq_tape_grad(t, into) : NULL;
    if (d) {
        size_t cols = into->cols;
        t->kernels->axpy((pq_real)(r->y->grad[0] * r->args.weight), gradient, d + first * cols,
                         rows * cols);
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    if (r->y->grad) {
        pass(t, r, r->du, r->u, 0, r->u->rows);
        pass(t, r, r->d_own, r->own, 0, (size_t)r->u->rows * r->args.own_count);
        pass(t, r, r->d_shared, r->shared, r->args.first, r->args.last - r->args.first);
    }
}

/* Zeroed; NULL when `of` needs no gradient. */
static pq_real *take_gradient(pq_tape *t, const record *r, const pq_var *of, size_t rows) {
    if (!pq_tape_records(r->y) || !of || !of->needs_grad || rows == 0) {
        return NULL;
    }
    pq_real *gradient = pq_tape_take(t, rows * of->cols, sizeof(*gradient));
    if (gradient) {
        memset(gradient, 0, rows * of->cols * sizeof(*gradient));
    }
    return gradient;
}

static bool take_memory(pq_tape *t, record *r, work *w) {
    size_t rows = PQ_MIN(r->u->rows, CHUNK_ROWS);
    w->queries = pq_tape_take(t, rows * r->u->cols, sizeof(pq_real));
    w->logits = pq_tape_take(t, rows * r->slate, sizeof(pq_real));
    w->told = pq_tape_take(t, rows * r->slate, sizeof(pq_real));
    w->left_out = pq_tape_take(t, rows * r->slate, sizeof(bool));
    w->chances = pq_tape_take(t, r->slate, sizeof(pq_real));
    r->du = take_gradient(t, r, r->u, r->u->rows);
    r->d_own = take_gradient(t, r, r->own, (size_t)r->u->rows * r->args.own_count);
    r->d_shared = take_gradient(t, r, r->shared, r->args.last - r->args.first);
    return t->status == PIQUE_OK;
}

/* A row's first own item is its label: where that comes again it is no item. */
static void leave_out_repeats(const pq_slates *slates, bool *left_out) {
    const uint32_t k = slates->own_count, m = slates->shared_count;
    memset(left_out, 0, (size_t)slates->rows * (k + m) * sizeof(*left_out));
    for (uint32_t b = 0; k > 0 && b < slates->rows; b++, left_out += k + m) {
        const uint32_t *own = slates->own + (size_t)b * k;
        for (uint32_t i = 1; i < k; i++) {
            left_out[i] = own[i] == own[0];
        }
        for (uint32_t i = 0; i < m; i++) {
            left_out[k + i] =
                (slates->shared ? slates->shared[i] : slates->shared_first + i) == own[0];
        }
    }
}

/* The row's logits / tau become the gradient of its loss to its inner products; returns the loss. */
static double differ(const pq_tape *t, const record *r, double weight, const bool *left_out,
                     pq_real *told, pq_real *chances, pq_real *row) {
    const double tau = r->args.temperature;
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->slate; i++) {
        count += !left_out[i];
        told[i] = left_out[i] ? PQ_NO_CHANCE : told[i];
        row[i] = left_out[i] ? PQ_NO_CHANCE : row[i];
    }
    if (count == 0) {
        memset(row, 0, r->slate * sizeof(*row));
        return 0;
    }
    /* log p - log q = (told - its log-sum-exp) - (row - its log-sum-exp) */
    double divergence = -t->kernels->softmax(told, chances, r->slate);
    for (uint32_t i = 0; i < r->slate; i++) {
        told[i] -= row[i];
    }
    divergence += t->kernels->dot(chances, told, r->slate);
    divergence += t->kernels->softmax(row, row, r->slate);
    weight /= r->args.by_slate ? count : 1;
    const pq_real factor = (pq_real)(weight * tau * r->args.scale);
    for (uint32_t i = 0; i < r->slate; i++) {
        row[i] = factor * (row[i] - chances[i]);
    }
    return weight * tau * tau * divergence;
}

/* Row b's own part of its logits; then, of what was told, its loss and its own part of the gradients. */
static double row_loss(const pq_tape *t, const record *r, const work *w, uint32_t b,
                       uint32_t in_chunk) {
    const pq_soft_softmax *a = &r->args;
    const uint32_t d = r->u->cols, k = r->own ? a->own_count : 0;
    const size_t at = (size_t)in_chunk * r->slate;
    const double weight = a->weights ? a->weights[b] : 1;
    const pq_real *query = w->queries + (size_t)in_chunk * d;
    pq_real *row = w->logits + at;
    if (weight == 0) {
        memset(row, 0, r->slate * sizeof(*row));
        return 0;
    }
    for (uint32_t i = 0; i < k; i++) {
        row[i] = t->kernels->dot(query, r->own->value + ((size_t)b * k + i) * d, d);
    }
    double loss = differ(t, r, weight, w->left_out + at, w->told + at, w->chances, row);
    for (uint32_t i = 0; i < k; i++) {
        if (r->du) {
            t->kernels->axpy(row[i], r->own->value + ((size_t)b * k + i) * d, r->du + (size_t)b * d,
                             d);
        }
        if (r->d_own) {
            t->kernels->axpy(row[i], r->u->value + (size_t)b * d,
                             r->d_own + ((size_t)b * k + i) * d, d);
        }
    }
    return loss;
}

/* The shared items' part of the gradients of the rows from `top` on. */
static void share(const pq_tape *t, const record *r, const work *w, uint32_t top, uint32_t rows) {
    const uint32_t d = r->u->cols, m = r->shared ? r->args.last - r->args.first : 0;
    const pq_real *g = w->logits + r->args.own_count;
    if (m > 0 && r->du) {
        t->kernels->gemm_nn(&(pq_gemm_args){.m = rows,
                                            .n = d,
                                            .k = m,
                                            .a = g,
                                            .lda = r->slate,
                                            .b = r->shared->value + (size_t)r->args.first * d,
                                            .ldb = d,
                                            .c = r->du + (size_t)top * d,
                                            .ldc = d,
                                            .accumulate = true});
    }
    if (m > 0 && r->d_shared) {
        t->kernels->gemm_tn(&(pq_gemm_args){.m = m,
                                            .n = d,
                                            .k = rows,
                                            .a = g,
                                            .lda = r->slate,
                                            .b = r->u->value + (size_t)top * d,
                                            .ldb = d,
                                            .c = r->d_shared,
                                            .ldc = d,
                                            .accumulate = true});
    }
}

static pique_status chunk(const pq_tape *t, const record *r, const work *w, uint32_t top,
                          double *loss) {
    const pq_soft_softmax *a = &r->args;
    const uint32_t d = r->u->cols, rows = PQ_MIN(r->u->rows - top, CHUNK_ROWS);
    const pq_real factor = (pq_real)(a->scale / a->temperature);
    for (size_t i = 0; i < (size_t)rows * d; i++) {
        w->queries[i] = factor * r->u->value[(size_t)top * d + i];
    }
    if (r->shared && a->last > a->first) {
        t->kernels->gemm_nt(&(pq_gemm_args){.m = rows,
                                            .n = a->last - a->first,
                                            .k = d,
                                            .a = w->queries,
                                            .lda = d,
                                            .b = r->shared->value + (size_t)a->first * d,
                                            .ldb = d,
                                            .c = w->logits + a->own_count,
                                            .ldc = r->slate});
    }
    const pq_slates slates = {
        .first = top,
        .rows = rows,
        .own_count = a->own_count,
        .own = a->own_count ? a->own_ids + (size_t)top * a->own_count : NULL,
        .shared_count = a->last - a->first,
        .shared_first = a->first,
        .shared = a->shared_ids ? a->shared_ids + a->first : NULL,
    };
    leave_out_repeats(&slates, w->left_out);
    PQ_TRY(a->ask(a->user, &slates, w->left_out, w->told));
    for (uint32_t i = 0; i < rows; i++) {
        *loss += row_loss(t, r, w, top + i, i);
    }
    share(t, r, w, top, rows);
    return PIQUE_OK;
}

static bool fits(const pq_var *u, const pq_var *own, const pq_var *shared,
                 const pq_soft_softmax *a) {
    bool owns = a->own_count == 0 ||
                (own->cols == u->cols && own->rows == (uint64_t)u->rows * a->own_count);
    bool shares = a->first == a->last ||
                  (a->first < a->last && shared->cols == u->cols && a->last <= shared->rows);
    return owns && shares;
}

pq_var *pq_op_soft_softmax(pq_tape *t, pq_var *u, pq_var *own, pq_var *shared,
                           const pq_soft_softmax *args) {
    if (!u || (args->own_count && !own) || (args->last > args->first && !shared)) {
        return NULL;
    }
    if (!fits(u, own, shared, args)) {
        return PQ_MISFIT(t, "soft_softmax", "queries %u x %u, %u own items each, shared %u to %u",
                         (unsigned)u->rows, (unsigned)u->cols, (unsigned)args->own_count,
                         (unsigned)args->first, (unsigned)args->last);
    }
    bool needs = u->needs_grad || (own && own->needs_grad) || (shared && shared->needs_grad);
    pq_var *y = pq_tape_var(t, 1, 1, needs);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    *r = (record){.u = u, .own = own, .shared = shared, .y = y, .args = *args};
    r->slate = args->own_count + args->last - args->first;
    work w;
    if (!take_memory(t, r, &w)) {
        return NULL;
    }
    double loss = 0;
    for (uint32_t top = 0; top < u->rows && t->status == PIQUE_OK; top += CHUNK_ROWS) {
        t->status = chunk(t, r, &w, top, &loss);
    }
    if (t->status != PIQUE_OK) {
        return NULL;
    }
    y->value[0] = (pq_real)(args->weight * loss);
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
