/* op_fm_pool.c — what a factorisation machine makes of pairs of fields (Rendle, ICDM 2010, eq. 5): x (C, F D) the
 * fields' vectors side by side, y (C, D),
 *     y = sum over i < j of v_i * v_j = 1/2 ((sum of v_i)^2 - sum of v_i^2)
 * computed as the sum over j of v_j times the sum of those before it: linear in F like the square form, but without
 * its cancellation. Backward, with S the sum of all: dv_i += g * (S - v_i). */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *y;
} record;

static void sum_fields(const pq_real *x, uint32_t fields, uint32_t d, pq_real *sum) {
    memset(sum, 0, d * sizeof(*sum));
    for (uint32_t f = 0; f < fields; f++, x += d) {
        for (uint32_t j = 0; j < d; j++) {
            sum[j] += x[j];
        }
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t d = r->y->cols, wide = r->x->cols;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL,
            *sum = pq_tape_take(t, d, sizeof(*sum));
    for (uint32_t i = 0; dx && sum && i < r->y->rows; i++) {
        const pq_real *x = r->x->value + (size_t)i * wide, *g = r->y->grad + (size_t)i * d;
        pq_real *to = dx + (size_t)i * wide;
        sum_fields(x, wide / d, d, sum);
        for (uint32_t f = 0; f < wide / d; f++, x += d, to += d) {
            for (uint32_t j = 0; j < d; j++) {
                to[j] += g[j] * (sum[j] - x[j]);
            }
        }
    }
}

pq_var *pq_op_fm_pool(pq_tape *t, pq_var *x, uint32_t d) {
    if (!x) {
        return NULL;
    }
    if (d == 0 || x->cols % d != 0) {
        return PQ_MISFIT(t, "fm_pool", "%u columns in fields of width %u", (unsigned)x->cols,
                         (unsigned)d);
    }
    pq_var *y = pq_tape_var(t, x->rows, d, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *before = pq_tape_take(t, d, sizeof(*before));
    if (!y || !r || !before) {
        return NULL;
    }
    memset(y->value, 0, (size_t)x->rows * d * sizeof(*y->value));
    for (uint32_t i = 0; i < x->rows; i++) {
        const pq_real *v = x->value + (size_t)i * x->cols;
        pq_real *to = y->value + (size_t)i * d;
        memset(before, 0, d * sizeof(*before));
        for (uint32_t f = 0; f < x->cols / d; f++, v += d) {
            for (uint32_t j = 0; j < d; j++) {
                to[j] += before[j] * v[j];
                before[j] += v[j];
            }
        }
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
