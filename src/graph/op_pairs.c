/* op_pairs.c — rows of two matrices brought together in pairs: queries q (C, D), keys k (T, D), and for pair p
 *     multiply_pairs   y[p] = q[queries[p]] * k[keys[p]], element by element, (P, D)
 *     add_pairs        y[p] = x[p] + q[queries[p]] + k[keys[p]], x (P, D)
 * Backward: the product's slopes are the other factor's rows; the sum hands g to all three. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *queries, *keys, *y;
    const pq_pairs *pairs;
} record;

static bool fits(const pq_var *queries, const pq_var *keys, const pq_pairs *pairs) {
    for (uint32_t p = 0; p < pairs->count; p++) {
        if (pairs->queries[p] >= queries->rows || pairs->keys[p] >= keys->rows) {
            return false;
        }
    }
    return queries->cols == keys->cols;
}

static pq_var *fail(pq_tape *t, const char *what, const pq_var *queries, const pq_var *keys) {
    return PQ_MISFIT(t, what, "queries are %u x %u, keys %u x %u", (unsigned)queries->rows,
                     (unsigned)queries->cols, (unsigned)keys->rows, (unsigned)keys->cols);
}

static void multiply_backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t d = r->y->cols;
    if (!r->y->grad) {
        return;
    }
    pq_real *dq = pq_tape_grad(t, r->queries), *dk = pq_tape_grad(t, r->keys);
    for (uint32_t p = 0; p < r->pairs->count; p++) {
        size_t query = (size_t)r->pairs->queries[p] * d, key = (size_t)r->pairs->keys[p] * d;
        const pq_real *g = r->y->grad + (size_t)p * d;
        for (uint32_t j = 0; dq && j < d; j++) {
            dq[query + j] += g[j] * r->keys->value[key + j];
        }
        for (uint32_t j = 0; dk && j < d; j++) {
            dk[key + j] += g[j] * r->queries->value[query + j];
        }
    }
}

pq_var *pq_op_multiply_pairs(pq_tape *t, pq_var *queries, pq_var *keys, const pq_pairs *pairs) {
    if (!queries || !keys) {
        return NULL;
    }
    if (!fits(queries, keys, pairs)) {
        return fail(t, "multiply_pairs", queries, keys);
    }
    uint32_t d = keys->cols;
    pq_var *y = pq_tape_var(t, pairs->count, d, queries->needs_grad || keys->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (uint32_t p = 0; p < pairs->count; p++) {
        const pq_real *q = queries->value + (size_t)pairs->queries[p] * d;
        const pq_real *k = keys->value + (size_t)pairs->keys[p] * d;
        pq_real *to = y->value + (size_t)p * d;
        for (uint32_t j = 0; j < d; j++) {
            to[j] = q[j] * k[j];
        }
    }
    *r = (record){NULL, queries, keys, y, pairs};
    if (pq_tape_records(y)) {
        pq_tape_record(t, multiply_backward, r);
    }
    return y;
}

static void add_backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t d = r->y->cols;
    if (!r->y->grad) {
        return;
    }
    pq_real *dq = pq_tape_grad(t, r->queries), *dk = pq_tape_grad(t, r->keys);
    pq_real *dx = pq_tape_grad(t, r->x);
    if (dx) {
        t->kernels->axpy(1, r->y->grad, dx, (size_t)r->pairs->count * d);
    }
    for (uint32_t p = 0; p < r->pairs->count; p++) {
        const pq_real *g = r->y->grad + (size_t)p * d;
        if (dq) {
            t->kernels->axpy(1, g, dq + (size_t)r->pairs->queries[p] * d, d);
        }
        if (dk) {
            t->kernels->axpy(1, g, dk + (size_t)r->pairs->keys[p] * d, d);
        }
    }
}

pq_var *pq_op_add_pairs(pq_tape *t, pq_var *x, pq_var *queries, pq_var *keys,
                        const pq_pairs *pairs) {
    if (!x || !queries || !keys) {
        return NULL;
    }
    if (!fits(queries, keys, pairs) || x->rows != pairs->count || x->cols != keys->cols) {
        return fail(t, "add_pairs", queries, keys);
    }
    uint32_t d = keys->cols;
    bool needs_grad = x->needs_grad || queries->needs_grad || keys->needs_grad;
    pq_var *y = pq_tape_var(t, pairs->count, d, needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (uint32_t p = 0; p < pairs->count; p++) {
        const pq_real *q = queries->value + (size_t)pairs->queries[p] * d;
        const pq_real *k = keys->value + (size_t)pairs->keys[p] * d;
        const pq_real *from = x->value + (size_t)p * d;
        pq_real *to = y->value + (size_t)p * d;
        for (uint32_t j = 0; j < d; j++) {
            to[j] = from[j] + q[j] + k[j];
        }
    }
    *r = (record){x, queries, keys, y, pairs};
    if (pq_tape_records(y)) {
        pq_tape_record(t, add_backward, r);
    }
    return y;
}
