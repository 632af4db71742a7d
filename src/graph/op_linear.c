/* op_linear.c — y = x W' + b: x (T, I), W (O, I), b (1, O) or NULL, y (T, O).
 * Backward: dx = g W; dW = g' x; db = column sums of g. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *w, *b, *y;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_real *g = r->y->grad;
    uint32_t rows = r->x->rows, in = r->x->cols, out = r->w->rows;
    if (!g) {
        return;
    }
    pq_real *dx = pq_tape_grad(t, r->x);
    pq_real *dw = pq_tape_grad(t, r->w);
    pq_real *db = r->b ? pq_tape_grad(t, r->b) : NULL;
    if (dx) {
        t->kernels->gemm_nn(&(pq_gemm_args){.m = rows,
                                            .n = in,
                                            .k = out,
                                            .a = g,
                                            .lda = out,
                                            .b = r->w->value,
                                            .ldb = in,
                                            .c = dx,
                                            .ldc = in,
                                            .accumulate = true});
    }
    if (dw) {
        t->kernels->gemm_tn(&(pq_gemm_args){.m = out,
                                            .n = in,
                                            .k = rows,
                                            .a = g,
                                            .lda = out,
                                            .b = r->x->value,
                                            .ldb = in,
                                            .c = dw,
                                            .ldc = in,
                                            .accumulate = true});
    }
    for (uint32_t i = 0; db && i < rows; i++) {
        t->kernels->axpy(1, g + (size_t)i * out, db, out);
    }
}

pq_var *pq_op_linear(pq_tape *t, pq_var *x, pq_var *w, pq_var *b) {
    if (!x || !w) {
        return NULL;
    }
    uint32_t rows = x->rows, in = x->cols, out = w->rows;
    if (w->cols != in || (b && b->cols != out)) {
        return PQ_MISFIT(t, "linear", "x has %u columns, W is %u x %u", (unsigned)in, (unsigned)out,
                         (unsigned)w->cols);
    }
    pq_var *y = pq_tape_var(t, rows, out, x->needs_grad || w->needs_grad || (b && b->needs_grad));
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    t->kernels->gemm_nt(&(pq_gemm_args){.m = rows,
                                        .n = out,
                                        .k = in,
                                        .a = x->value,
                                        .lda = in,
                                        .b = w->value,
                                        .ldb = in,
                                        .c = y->value,
                                        .ldc = out,
                                        .start = b ? b->value : NULL});
    if (pq_tape_records(y)) {
        *r = (record){x, w, b, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
