/* op_linear_by_group.c — y[t] = W_g x[t] with g = groups[t]: x (T, I), W (G * O, I) holding the G
 * matrices one below the other, y (T, O). MIND's maps per position are the groups.
 * Backward: dx[t] = g[t] W_g; dW_g += g[t]' x[t]. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *w, *y;
    const uint32_t *groups;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t in = r->x->cols, out = r->y->cols;
    if (!r->y->grad) {
        return;
    }
    pq_real *dx = pq_tape_grad(t, r->x);
    pq_real *dw = pq_tape_grad(t, r->w);
    for (uint32_t i = 0; i < r->x->rows; i++) {
        const pq_real *g = r->y->grad + (size_t)i * out;
        size_t map = (size_t)r->groups[i] * out * in;
        for (uint32_t o = 0; o < out; o++) {
            if (dx) {
                t->kernels->axpy(g[o], r->w->value + map + (size_t)o * in, dx + (size_t)i * in, in);
            }
            if (dw) {
                t->kernels->axpy(g[o], r->x->value + (size_t)i * in, dw + map + (size_t)o * in, in);
            }
        }
    }
}

pq_var *pq_op_linear_by_group(pq_tape *t, pq_var *x, pq_var *w, const uint32_t *groups,
                              uint32_t group_count) {
    if (!x || !w) {
        return NULL;
    }
    uint32_t rows = x->rows, in = x->cols, out = w->rows / group_count;
    if (w->cols != in || w->rows % group_count != 0) {
        return pq_tape_fail(t, PIQUE_INTERNAL, "linear_by_group: x has %u columns, W is %u x %u",
                            (unsigned)in, (unsigned)w->rows, (unsigned)w->cols);
    }
    pq_var *y = pq_tape_var(t, rows, out, x->needs_grad || w->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (uint32_t i = 0; i < rows; i++) {
        if (groups[i] >= group_count) {
            return pq_tape_fail(t, PIQUE_INTERNAL, "linear_by_group: group %u of %u",
                                (unsigned)groups[i], (unsigned)group_count);
        }
        t->kernels->gemm_nt(&(pq_gemm_args){.m = 1,
                                            .n = out,
                                            .k = in,
                                            .a = x->value + (size_t)i * in,
                                            .lda = in,
                                            .b = w->value + (size_t)groups[i] * out * in,
                                            .ldb = in,
                                            .c = y->value + (size_t)i * out,
                                            .ldc = out});
    }
    if (pq_tape_records(y)) {
        *r = (record){x, w, y, groups};
        pq_tape_record(t, backward, r);
    }
    return y;
}
