/* op_segment_graph.c — graphs whose nodes are the rows of a segment, and what passes along their edges. A graph is
 * a matrix (T, W), W the rows of the longest segment: row i of a segment of L rows has its edge to row j of the
 * same segment in column j < L, and zeros after those.
 *
 *     adjacency             a[i,j] = sigmoid(<q_i, k_j>), q and k (T, D)
 *     normalise_adjacency   with m = a + 1 on the diagonal and d_i = sum over j of m[i,j]
 *                           row: m[i,j] / d_i;  symmetric: m[i,j] / sqrt(d_i d_j);  none: a as it is
 *     neighbours            y_i = sum over j of a[i,j] x_j, x and y (T, D)
 *
 * Backward: with s = g a (1 - a), dq_i += sum over j of s[i,j] k_j and dk_j += sum over i of s[i,j] q_i; that of a
 * sum of products for neighbours; for row, da[i,j] += (g[i,j] - <g_i, y_i>) / d_i, and for symmetric
 * da[i,j] += g[i,j] / sqrt(d_i d_j) - (sum over j of g[i,j] y[i,j] + g[j,i] y[j,i]) / (2 d_i). */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *a, *x, *k, *y;
    const pq_segments *segments;
    pq_degree degree;
    pq_real *factors; /* [T] 1 / d or its root */
} record;

/* One product of a segment's L rows: `run` with c = or += a b. */
typedef struct {
    const pq_real *a, *b;
    pq_real *c;
    uint32_t lda, ldb, n, k;
    bool accumulate;
} product;

static void multiply(pq_kernel_gemm *run, uint32_t rows, const product *p, uint32_t ldc) {
    run(&(pq_gemm_args){.m = rows,
                        .n = p->n,
                        .k = p->k,
                        .a = p->a,
                        .lda = p->lda,
                        .b = p->b,
                        .ldb = p->ldb,
                        .c = p->c,
                        .ldc = ldc,
                        .accumulate = p->accumulate});
}

static uint32_t longest(const pq_segments *segments) {
    uint32_t most = 1;
    for (uint32_t b = 0; b < segments->count; b++) {
        most = PQ_MAX(most, pq_segment_length(segments, b));
    }
    return most;
}

/* A result and its record; NULL where rows do not fit the segments, or for NULL among what goes in. */
static record *begin(pq_tape *t, pq_var *a, pq_var *x, const pq_segments *segments, uint32_t cols) {
    if (!a || !x) {
        return NULL;
    }
    uint32_t rows = segments->starts[segments->count];
    if (a->rows != rows || x->rows != rows) {
        return PQ_MISFIT(t, "segment_graph", "%u and %u rows, segments of %u", (unsigned)a->rows,
                         (unsigned)x->rows, (unsigned)rows);
    }
    pq_var *y = pq_tape_var(t, rows, cols, a->needs_grad || x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    *r = (record){.a = a, .x = x, .y = y, .segments = segments};
    memset(y->value, 0, (size_t)rows * cols * sizeof(pq_real));
    return r;
}

static pq_var *finish(pq_tape *t, record *r, pq_backward *backward) {
    if (pq_tape_records(r->y)) {
        pq_tape_record(t, backward, r);
    }
    return r->y;
}

/* ---- adjacency: a is q, x is k ---- */

static void adjacency_backward(pq_tape *t, void *data) {
    const record *r = data;
    const uint32_t w = r->y->cols, d = r->x->cols;
    pq_real *s = pq_tape_take(t, (size_t)r->y->rows * w, sizeof(*s));
    if (!r->y->grad || !s) {
        return;
    }
    for (size_t i = 0; i < (size_t)r->y->rows * w; i++) {
        s[i] = r->y->grad[i] * r->y->value[i] * (1 - r->y->value[i]);
    }
    pq_real *dq = pq_tape_grad(t, r->a), *dk = pq_tape_grad(t, r->x);
    for (uint32_t b = 0; b < r->segments->count; b++) {
        uint32_t first = r->segments->starts[b], length = pq_segment_length(r->segments, b);
        const pq_real *own = s + (size_t)first * w;
        size_t at = (size_t)first * d;
        if (dq) {
            product p = {own, r->x->value + at, dq + at, w, d, d, length, true};
            multiply(t->kernels->gemm_nn, length, &p, d);
        }
        if (dk) {
            product p = {own, r->a->value + at, dk + at, w, d, d, length, true};
            multiply(t->kernels->gemm_tn, length, &p, d);
        }
    }
}

pq_var *pq_op_adjacency(pq_tape *t, pq_var *q, pq_var *k, const pq_segments *segments) {
    record *r = begin(t, q, k, segments, longest(segments));
    if (!r) {
        return NULL;
    }
    const uint32_t w = r->y->cols, d = k->cols;
    for (uint32_t b = 0; b < segments->count; b++) {
        uint32_t first = segments->starts[b], length = pq_segment_length(segments, b);
        size_t at = (size_t)first * d;
        product p = {q->value + at, k->value + at, r->y->value + (size_t)first * w, d, d, length, d,
                     false};
        multiply(t->kernels->gemm_nt, length, &p, w);
        for (uint32_t i = 0; i < length; i++) {
            t->kernels->sigmoid(p.c + (size_t)i * w, p.c + (size_t)i * w, length);
        }
    }
    return finish(t, r, adjacency_backward);
}

/* ---- normalise_adjacency ---- */

/* The factors beside m[i,j] in y[i,j]. */
static pq_real factor(const record *r, uint32_t i, uint32_t j) {
    return r->factors[i] * (r->degree == PQ_DEGREE_SYMMETRIC ? r->factors[j] : 1);
}

static void normalise_backward(pq_tape *t, void *data) {
    const record *r = data;
    const uint32_t w = r->y->cols;
    pq_real *da = r->y->grad ? pq_tape_grad(t, r->a) : NULL;
    pq_real *pull = pq_tape_take(t, r->y->rows, sizeof(*pull));
    for (uint32_t b = 0; da && pull && b < r->segments->count; b++) {
        const uint32_t first = r->segments->starts[b], end = r->segments->starts[b + 1];
        for (uint32_t i = first; i < end; i++) {
            size_t row = (size_t)i * w;
            pull[i] = t->kernels->dot(r->y->grad + row, r->y->value + row, end - first);
            for (uint32_t j = first; r->degree == PQ_DEGREE_SYMMETRIC && j < end; j++) {
                size_t turned = (size_t)j * w + (i - first);
                pull[i] += r->y->grad[turned] * r->y->value[turned];
            }
            /* The square of the root's factor is 1 / d. */
            pull[i] *= r->degree == PQ_DEGREE_SYMMETRIC ? r->factors[i] * r->factors[i] / 2
                                                        : r->factors[i];
            for (uint32_t j = first; j < end; j++) {
                size_t at = row + (j - first);
                da[at] += r->y->grad[at] * factor(r, i, j) - pull[i];
            }
        }
    }
}

pq_var *pq_op_normalise_adjacency(pq_tape *t, pq_var *a, const pq_segments *segments,
                                  pq_degree degree) {
    if (!a || degree == PQ_DEGREE_NONE) {
        return a;
    }
    record *r = begin(t, a, a, segments, a->cols);
    pq_real *factors = pq_tape_take(t, a->rows, sizeof(*factors));
    if (!r || !factors) {
        return NULL;
    }
    r->degree = degree;
    r->factors = factors;
    for (uint32_t i = 0; i < a->rows; i++) {
        pq_real d = 1 + t->kernels->sum(a->value + (size_t)i * a->cols, a->cols);
        factors[i] = degree == PQ_DEGREE_SYMMETRIC ? (pq_real)(1 / pq_sqrt(d)) : 1 / d;
    }
    for (uint32_t b = 0; b < segments->count; b++) {
        const uint32_t first = segments->starts[b], end = segments->starts[b + 1];
        for (uint32_t i = first; i < end; i++) {
            for (uint32_t j = first; j < end; j++) {
                size_t at = (size_t)i * a->cols + (j - first);
                r->y->value[at] = (a->value[at] + (i == j)) * factor(r, i, j);
            }
        }
    }
    return finish(t, r, normalise_backward);
}

/* ---- neighbours ---- */

static void neighbours_backward(pq_tape *t, void *data) {
    const record *r = data;
    const uint32_t w = r->a->cols, d = r->y->cols;
    const pq_real *g = r->y->grad;
    if (!g) {
        return;
    }
    pq_real *da = pq_tape_grad(t, r->a), *dx = pq_tape_grad(t, r->x);
    for (uint32_t b = 0; b < r->segments->count; b++) {
        uint32_t first = r->segments->starts[b], length = pq_segment_length(r->segments, b);
        size_t edges = (size_t)first * w, at = (size_t)first * d;
        if (da) {
            product p = {g + at, r->x->value + at, da + edges, d, d, length, d, true};
            multiply(t->kernels->gemm_nt, length, &p, w);
        }
        if (dx) {
            product p = {r->a->value + edges, g + at, dx + at, w, d, d, length, true};
            multiply(t->kernels->gemm_tn, length, &p, d);
        }
    }
}

pq_var *pq_op_neighbours(pq_tape *t, pq_var *a, pq_var *x, const pq_segments *segments) {
    record *r = begin(t, a, x, segments, x ? x->cols : 0);
    if (!r) {
        return NULL;
    }
    if (a->cols < longest(segments)) {
        return PQ_MISFIT(t, "neighbours", "%u columns of edges, segments of %u rows",
                         (unsigned)a->cols, (unsigned)longest(segments));
    }
    const uint32_t d = x->cols;
    for (uint32_t b = 0; b < segments->count; b++) {
        uint32_t first = segments->starts[b], length = pq_segment_length(segments, b);
        product p = {a->value + (size_t)first * a->cols,
                     x->value + (size_t)first * d,
                     r->y->value + (size_t)first * d,
                     a->cols,
                     d,
                     d,
                     length,
                     false};
        multiply(t->kernels->gemm_nn, length, &p, d);
    }
    return finish(t, r, neighbours_backward);
}
