/* op_layer_norm.c — layer normalisation (Ba, Kiros and Hinton, 2016): x, y (T, D), gain and bias (1, D).
 *     m = mean of the row, s = 1 / sqrt(mean of (x - m)² + eps)
 *     n = (x - m) s;   y = gain n + bias
 * Backward, with e = gain g:
 *     dx = s (e - mean(e) - n mean(e n));  dgain = sum of g n,  dbias = sum of g, in the order of rows.
 * Only m and s are kept of a row; n comes from x again. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *gain, *bias, *y;
    pq_real *mean, *inverse; /* [T] m, s */
} record;

static void fill_normal(const record *r, uint32_t i, pq_real *normal) {
    uint32_t d = r->x->cols;
    const pq_real *x = r->x->value + (size_t)i * d;
    pq_real mean = r->mean[i], inverse = r->inverse[i];
    for (uint32_t j = 0; j < d; j++) {
        normal[j] = (x[j] - mean) * inverse;
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_kernels *f = t->kernels;
    uint32_t d = r->x->cols;
    if (!r->y->grad) {
        return;
    }
    pq_real *dx = pq_tape_grad(t, r->x), *d_gain = pq_tape_grad(t, r->gain);
    pq_real *d_bias = pq_tape_grad(t, r->bias);
    pq_real *normal = pq_tape_take(t, d, sizeof(*normal)), *e = pq_tape_take(t, d, sizeof(*e));
    if (!normal || !e) {
        return;
    }
    for (uint32_t i = 0; i < r->x->rows; i++) {
        const pq_real *g = r->y->grad + (size_t)i * d, *gain = r->gain->value;
        fill_normal(r, i, normal);
        for (uint32_t j = 0; d_gain && j < d; j++) {
            d_gain[j] += g[j] * normal[j];
        }
        if (d_bias) {
            f->axpy(1, g, d_bias, d);
        }
        if (dx) {
            pq_real *to = dx + (size_t)i * d;
            for (uint32_t j = 0; j < d; j++) {
                e[j] = gain[j] * g[j];
            }
            pq_real mean = f->sum(e, d) / (pq_real)d, along = f->dot(e, normal, d) / (pq_real)d;
            for (uint32_t j = 0; j < d; j++) {
                to[j] += r->inverse[i] * (e[j] - mean - normal[j] * along);
            }
        }
    }
}

pq_var *pq_op_layer_norm(pq_tape *t, pq_var *x, pq_var *gain, pq_var *bias, double epsilon) {
    if (!x || !gain || !bias) {
        return NULL;
    }
    uint32_t rows = x->rows, d = x->cols;
    if (gain->rows != 1 || gain->cols != d || bias->rows != 1 || bias->cols != d) {
        return PQ_MISFIT(t, "layer_norm", "%u columns, gain %u x %u, bias %u x %u", (unsigned)d,
                         (unsigned)gain->rows, (unsigned)gain->cols, (unsigned)bias->rows,
                         (unsigned)bias->cols);
    }
    pq_var *y = pq_tape_var(t, rows, d, x->needs_grad || gain->needs_grad || bias->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *mean = pq_tape_take(t, rows, sizeof(*mean));
    pq_real *inverse = pq_tape_take(t, rows, sizeof(*inverse));
    if (!y || !r || !mean || !inverse) {
        return NULL;
    }
    *r = (record){x, gain, bias, y, mean, inverse};
    for (uint32_t i = 0; i < rows; i++) {
        const pq_real *from = x->value + (size_t)i * d;
        pq_real *to = y->value + (size_t)i * d;
        mean[i] = t->kernels->sum(from, d) / (pq_real)d;
        for (uint32_t j = 0; j < d; j++) {
            to[j] = from[j] - mean[i];
        }
        inverse[i] = (pq_real)(1 / pq_sqrt((double)t->kernels->dot(to, to, d) / d + epsilon));
        for (uint32_t j = 0; j < d; j++) {
            to[j] = to[j] * inverse[i] * gain->value[j] + bias->value[j];
        }
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
