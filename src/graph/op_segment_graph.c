/* op_segment_graph.c — graphs whose nodes are the rows of a segment, and what passes along their edges. A graph is
 * a matrix (T, W), W the rows of the longest segment: row i of a segment of L rows has its edge to row j of the
 * same segment in column j < L, and zeros after those.
 *
 *     adjacency    a[i,j] = sigmoid(<q_i, k_j>), q and k (T, D)
 *     neighbours   y_i = sum over j of n[i,j] x_j, x and y (T, D), where with m = a + 1 on the diagonal and
 *                  d_i = sum over j of m[i,j]
 *                  row: n[i,j] = m[i,j] / d_i;  symmetric: m[i,j] / sqrt(d_i d_j);  none: a[i,j]
 *
 * Backward, with s = g a (1 - a): dq_i += sum over j of s[i,j] k_j and dk_j += sum over i of s[i,j] q_i. With
 * p[i,j] = <g_i, x_j>: dx_j += sum over i of n[i,j] g_i and da[i,j] += p[i,j] n[i,j] / m[i,j], less what the
 * degrees pull: for row sum over j of p[i,j] n[i,j] / d_i, for symmetric
 * sum over j of (p[i,j] n[i,j] + p[j,i] n[j,i]) / (2 d_i). */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *a, *x, *y;
    const pq_segments *segments;
    pq_degree degree;
    pq_real *factors; /* [T] 1 / d or its root; NULL: edges as they are */
} record;

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

/* The rows of the segment of row i, which are asked for in order: *b is its number and starts with 0. */
static uint32_t first_row(const pq_segments *segments, uint32_t i, uint32_t *b) {
    while (segments->starts[*b + 1] <= i) {
        ++*b;
    }
    return segments->starts[*b];
}

/* ---- adjacency: a is q, x is k ---- */

static void adjacency_backward(pq_tape *t, void *data) {
    const record *r = data;
    const size_t w = r->y->cols, d = r->x->cols;
    if (!r->y->grad) {
        return;
    }
    pq_real *dq = pq_tape_grad(t, r->a), *dk = pq_tape_grad(t, r->x);
    for (uint32_t i = 0, b = 0; i < r->y->rows; i++) {
        const uint32_t first = first_row(r->segments, i, &b);
        for (uint32_t j = first; j < r->segments->starts[b + 1]; j++) {
            size_t at = i * w + (j - first);
            pq_real s = r->y->grad[at] * r->y->value[at] * (1 - r->y->value[at]);
            if (dq) {
                t->kernels->axpy(s, r->x->value + j * d, dq + i * d, d);
            }
            if (dk) {
                t->kernels->axpy(s, r->a->value + i * d, dk + j * d, d);
            }
        }
    }
}

pq_var *pq_op_adjacency(pq_tape *t, pq_var *q, pq_var *k, const pq_segments *segments) {
    record *r = begin(t, q, k, segments, longest(segments));
    if (!r) {
        return NULL;
    }
    const size_t w = r->y->cols, d = k->cols;
    for (uint32_t i = 0, b = 0; i < k->rows; i++) {
        const uint32_t first = first_row(segments, i, &b), length = segments->starts[b + 1] - first;
        pq_real *edges = r->y->value + i * w;
        for (uint32_t j = 0; j < length; j++) {
            edges[j] = t->kernels->dot(q->value + i * d, k->value + (first + j) * d, d);
        }
        t->kernels->sigmoid(edges, edges, length);
    }
    return finish(t, r, adjacency_backward);
}

/* ---- neighbours ---- */

/* What n[i,j] is of m[i,j]. */
static pq_real factor(const record *r, uint32_t i, uint32_t j) {
    if (!r->factors) {
        return 1;
    }
    return r->factors[i] * (r->degree == PQ_DEGREE_SYMMETRIC ? r->factors[j] : 1);
}

/* n[i,j]; first: the first row of the segment. */
static pq_real edge(const record *r, uint32_t i, uint32_t j, uint32_t first) {
    pq_real m = r->a->value[(size_t)i * r->a->cols + (j - first)] + (r->factors && i == j);
    return m * factor(r, i, j);
}

/* da from p [T, W]. */
static void edges_backward(const record *r, const pq_real *p, pq_real *da) {
    const size_t w = r->a->cols;
    const bool both = r->degree == PQ_DEGREE_SYMMETRIC;
    for (uint32_t i = 0, b = 0; i < r->y->rows; i++) {
        const uint32_t first = first_row(r->segments, i, &b), end = r->segments->starts[b + 1];
        pq_real pull = 0;
        for (uint32_t j = first; r->factors && j < end; j++) {
            pull += p[i * w + (j - first)] * edge(r, i, j, first);
            pull += both ? p[j * w + (i - first)] * edge(r, j, i, first) : 0;
        }
        if (r->factors) { /* the square of a root's factor is 1 / d */
            pull *= both ? r->factors[i] * r->factors[i] / 2 : r->factors[i];
        }
        for (uint32_t j = first; j < end; j++) {
            size_t at = i * w + (j - first);
            da[at] += p[at] * factor(r, i, j) - pull;
        }
    }
}

static void neighbours_backward(pq_tape *t, void *data) {
    const record *r = data;
    const size_t w = r->a->cols, d = r->y->cols;
    const pq_real *g = r->y->grad;
    pq_real *p = pq_tape_take(t, r->y->rows * w, sizeof(*p));
    if (!g || !p) {
        return;
    }
    pq_real *da = pq_tape_grad(t, r->a), *dx = pq_tape_grad(t, r->x);
    for (uint32_t i = 0, b = 0; i < r->y->rows; i++) {
        const uint32_t first = first_row(r->segments, i, &b);
        for (uint32_t j = first; j < r->segments->starts[b + 1]; j++) {
            p[i * w + (j - first)] = t->kernels->dot(g + i * d, r->x->value + j * d, d);
            if (dx) {
                t->kernels->axpy(edge(r, i, j, first), g + i * d, dx + j * d, d);
            }
        }
    }
    if (da) {
        edges_backward(r, p, da);
    }
}

pq_var *pq_op_neighbours(pq_tape *t, pq_var *a, pq_var *x, const pq_segments *segments,
                         pq_degree degree) {
    record *r = begin(t, a, x, segments, x ? x->cols : 0);
    if (!r) {
        return NULL;
    }
    if (a->cols < longest(segments)) {
        return PQ_MISFIT(t, "neighbours", "%u columns of edges, segments of %u rows",
                         (unsigned)a->cols, (unsigned)longest(segments));
    }
    const size_t d = x->cols;
    if (degree != PQ_DEGREE_NONE) {
        r->degree = degree;
        r->factors = pq_tape_take(t, a->rows, sizeof(*r->factors));
        for (uint32_t i = 0; r->factors && i < a->rows; i++) {
            pq_real sum = 1 + t->kernels->sum(a->value + (size_t)i * a->cols, a->cols);
            r->factors[i] = 1 / (degree == PQ_DEGREE_SYMMETRIC ? (pq_real)pq_sqrt(sum) : sum);
        }
    }
    for (uint32_t i = 0, b = 0; i < x->rows; i++) {
        const uint32_t first = first_row(segments, i, &b);
        for (uint32_t j = first; j < segments->starts[b + 1]; j++) {
            t->kernels->axpy(edge(r, i, j, first), x->value + j * d, r->y->value + i * d, d);
        }
    }
    return finish(t, r, neighbours_backward);
}
