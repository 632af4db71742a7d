/* op_linear_by_group.c — y[t] = W_g x[t] with g = groups[t]: x (T, I), W (G * O, I) holding the G
 * matrices one below the other, y (T, O). Maps per position are such groups.
 * Backward: dx[t] = g[t] W_g; dW_g += g[t]' x[t].
 *
 * The rows of a group are brought side by side, so that each group is one product in each direction. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *w, *y;
    uint32_t group_count;
    uint32_t *order;  /* [T] rows by group, rising within one */
    uint32_t *starts; /* [G + 1] into order */
    pq_real *sorted;  /* [T, I] rows of x in that order */
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t rows = r->x->rows, in = r->x->cols, out = r->y->cols;
    pq_real *gy = pq_tape_take(t, (size_t)rows * out, sizeof(*gy));
    pq_real *gx = pq_tape_take(t, (size_t)rows * in, sizeof(*gx));
    if (!r->y->grad || !gy || !gx) {
        return;
    }
    pq_real *dx = pq_tape_grad(t, r->x);
    pq_real *dw = pq_tape_grad(t, r->w);
    for (uint32_t i = 0; i < rows; i++) {
        memcpy(gy + (size_t)i * out, r->y->grad + (size_t)r->order[i] * out, out * sizeof(*gy));
    }
    for (uint32_t g = 0; g < r->group_count; g++) {
        uint32_t first = r->starts[g], count = r->starts[g + 1] - first;
        size_t map = (size_t)g * out * in;
        const pq_real *from = gy + (size_t)first * out;
        if (dx && count > 0) {
            t->kernels->gemm_nn(&(pq_gemm_args){.m = count,
                                                .n = in,
                                                .k = out,
                                                .a = from,
                                                .lda = out,
                                                .b = r->w->value + map,
                                                .ldb = in,
                                                .c = gx + (size_t)first * in,
                                                .ldc = in});
        }
        if (dw && count > 0) {
            t->kernels->gemm_tn(&(pq_gemm_args){.m = out,
                                                .n = in,
                                                .k = count,
                                                .a = from,
                                                .lda = out,
                                                .b = r->sorted + (size_t)first * in,
                                                .ldb = in,
                                                .c = dw + map,
                                                .ldc = in,
                                                .accumulate = true});
        }
    }
    for (uint32_t i = 0; dx && i < rows; i++) {
        t->kernels->axpy(1, gx + (size_t)i * in, dx + (size_t)r->order[i] * in, in);
    }
}

/* Counts, then places: order and starts. */
static bool sort_rows(pq_tape *t, record *r, const uint32_t *groups) {
    uint32_t rows = r->x->rows;
    memset(r->starts, 0, ((size_t)r->group_count + 1) * sizeof(*r->starts));
    for (uint32_t i = 0; i < rows; i++) {
        if (groups[i] >= r->group_count) {
            PQ_MISFIT(t, "linear_by_group", "group %u of %u", (unsigned)groups[i],
                      (unsigned)r->group_count);
            return false;
        }
        r->starts[groups[i] + 1]++;
    }
    for (uint32_t g = 0; g < r->group_count; g++) {
        r->starts[g + 1] += r->starts[g];
    }
    /* starts[g] moves to the end of its group, and is moved back after. */
    for (uint32_t i = 0; i < rows; i++) {
        r->order[r->starts[groups[i]]++] = i;
    }
    memmove(r->starts + 1, r->starts, r->group_count * sizeof(*r->starts));
    r->starts[0] = 0;
    return true;
}

static void multiply(const pq_tape *t, const record *r, pq_real *result) {
    uint32_t rows = r->x->rows, in = r->x->cols, out = r->y->cols;
    for (uint32_t i = 0; i < rows; i++) {
        memcpy(r->sorted + (size_t)i * in, r->x->value + (size_t)r->order[i] * in,
               in * sizeof(*result));
    }
    for (uint32_t g = 0; g < r->group_count; g++) {
        uint32_t first = r->starts[g], count = r->starts[g + 1] - first;
        if (count > 0) {
            t->kernels->gemm_nt(&(pq_gemm_args){.m = count,
                                                .n = out,
                                                .k = in,
                                                .a = r->sorted + (size_t)first * in,
                                                .lda = in,
                                                .b = r->w->value + (size_t)g * out * in,
                                                .ldb = in,
                                                .c = result + (size_t)first * out,
                                                .ldc = out});
        }
    }
    for (uint32_t i = 0; i < rows; i++) {
        memcpy(r->y->value + (size_t)r->order[i] * out, result + (size_t)i * out,
               out * sizeof(*result));
    }
}

pq_var *pq_op_linear_by_group(pq_tape *t, pq_var *x, pq_var *w, const uint32_t *groups,
                              uint32_t group_count) {
    if (!x || !w) {
        return NULL;
    }
    uint32_t rows = x->rows, in = x->cols, out = w->rows / group_count;
    if (w->cols != in || w->rows % group_count != 0) {
        return PQ_MISFIT(t, "linear_by_group", "x has %u columns, W is %u x %u", (unsigned)in,
                         (unsigned)w->rows, (unsigned)w->cols);
    }
    pq_var *y = pq_tape_var(t, rows, out, x->needs_grad || w->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    uint32_t *order = pq_tape_take(t, rows, sizeof(*order));
    uint32_t *starts = pq_tape_take(t, (size_t)group_count + 1, sizeof(*starts));
    pq_real *sorted = pq_tape_take(t, (size_t)rows * in, sizeof(*sorted));
    pq_real *result = pq_tape_take(t, (size_t)rows * out, sizeof(*result));
    if (!y || !r || !order || !starts || !sorted || !result) {
        return NULL;
    }
    *r = (record){x, w, y, group_count, order, starts, sorted};
    if (!sort_rows(t, r, groups)) {
        return NULL;
    }
    multiply(t, r, result);
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
