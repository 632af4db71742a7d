/* op_batch_norm.c — batch normalisation (Ioffe and Szegedy, 2015) of columns: x, y (N, D), statistic (3, D),
 * gain and bias (1, D), both NULL or both there.
 *     n = (x - m) s,  s = 1 / sqrt(v + eps);   y = gain n + bias
 * In training m and v are the mean and the variance (divided by N) of the rows at hand; otherwise the running
 * ones of `statistic`, whose gradient receives the sums that a step adds to them (graph.h). Frozen ones hold always.
 *
 * Backward, with e = gain g: in training
 *     dx = s (e - mean(e) - n mean(e n)) over the rows of each column, otherwise dx = s e;
 *     dgain = sum of g n,  dbias = sum of g. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *gain, *bias, *y;
    const pq_param *statistic;
    pq_real *mean, *inverse; /* [D] m, s */
    bool batch;              /* statistics are those of the rows */
} record;

/* The sums of what these rows add to the running statistics. */
static void report(pq_tape *t, const record *r) {
    uint32_t d = r->x->cols;
    pq_real *sums = pq_grads_whole(t->grads, r->statistic);
    for (uint32_t i = 0; sums && i < r->x->rows; i++) {
        const pq_real *x = r->x->value + (size_t)i * d;
        for (uint32_t j = 0; j < d; j++) {
            pq_real away = x[j] - r->statistic->value[j];
            sums[j] += away;
            sums[d + j] += away * away;
            sums[2 * d + j] += 1;
        }
    }
}

/* e into dx as it is, and the sums over the rows of e, of e n, and of g n. */
static void sum_slopes(const record *r, pq_real *along, pq_real *total, pq_real *d_gain) {
    uint32_t d = r->x->cols;
    for (uint32_t i = 0; i < r->x->rows; i++) {
        const pq_real *g = r->y->grad + (size_t)i * d, *x = r->x->value + (size_t)i * d;
        for (uint32_t j = 0; j < d; j++) {
            pq_real n = (x[j] - r->mean[j]) * r->inverse[j];
            pq_real e = r->gain ? r->gain->value[j] * g[j] : g[j];
            total[j] += e;
            along[j] += e * n;
            if (d_gain) {
                d_gain[j] += g[j] * n;
            }
        }
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t rows = r->x->rows, d = r->x->cols;
    pq_real *along = pq_tape_take(t, d, sizeof(*along)),
            *total = pq_tape_take(t, d, sizeof(*total));
    if (!r->y->grad || rows == 0 || !along || !total) {
        return;
    }
    if (r->batch) {
        report(t, r);
    }
    memset(along, 0, d * sizeof(*along));
    memset(total, 0, d * sizeof(*total));
    pq_real *dx = pq_tape_grad(t, r->x);
    pq_real *d_bias = r->bias ? pq_tape_grad(t, r->bias) : NULL;
    sum_slopes(r, along, total, r->gain ? pq_tape_grad(t, r->gain) : NULL);
    for (uint32_t i = 0; i < rows; i++) {
        const pq_real *g = r->y->grad + (size_t)i * d, *x = r->x->value + (size_t)i * d;
        if (d_bias) {
            t->kernels->axpy(1, g, d_bias, d);
        }
        for (uint32_t j = 0; dx && j < d; j++) {
            pq_real e = r->gain ? r->gain->value[j] * g[j] : g[j];
            if (r->batch) {
                pq_real n = (x[j] - r->mean[j]) * r->inverse[j];
                e -= (total[j] + n * along[j]) / (pq_real)rows;
            }
            dx[(size_t)i * d + j] += r->inverse[j] * e;
        }
    }
}

static void statistics_of_rows(const record *r) {
    uint32_t rows = r->x->rows, d = r->x->cols;
    memset(r->mean, 0, d * sizeof(*r->mean));
    memset(r->inverse, 0, d * sizeof(*r->inverse));
    for (uint32_t i = 0; i < rows; i++) {
        for (uint32_t j = 0; j < d; j++) {
            r->mean[j] += r->x->value[(size_t)i * d + j];
        }
    }
    for (uint32_t j = 0; j < d; j++) {
        r->mean[j] /= (pq_real)PQ_MAX(rows, 1);
    }
    for (uint32_t i = 0; i < rows; i++) {
        for (uint32_t j = 0; j < d; j++) {
            pq_real away = r->x->value[(size_t)i * d + j] - r->mean[j];
            r->inverse[j] += away * away;
        }
    }
    for (uint32_t j = 0; j < d; j++) {
        r->inverse[j] /= (pq_real)PQ_MAX(rows, 1);
    }
}

/* restrict lets compilers make vectors of the two loops. */
static void centre(const pq_real *x, const pq_real *mean, const pq_real *inverse,
                   pq_real *restrict y, uint32_t d) {
    for (uint32_t j = 0; j < d; j++) {
        y[j] = (x[j] - mean[j]) * inverse[j];
    }
}

static void stretch(const pq_real *gain, const pq_real *bias, pq_real *restrict y, uint32_t d) {
    for (uint32_t j = 0; j < d; j++) {
        y[j] = y[j] * gain[j] + bias[j];
    }
}

static void normalise(const record *r, double epsilon) {
    uint32_t d = r->x->cols;
    if (r->batch) {
        statistics_of_rows(r);
    } else {
        memcpy(r->mean, r->statistic->value, d * sizeof(*r->mean));
        memcpy(r->inverse, r->statistic->value + d, d * sizeof(*r->inverse));
    }
    for (uint32_t j = 0; j < d; j++) { /* a file's variance may be anything */
        r->inverse[j] = (pq_real)(1 / pq_sqrt(PQ_MAX((double)r->inverse[j], 0) + epsilon));
    }
    for (uint32_t i = 0; i < r->x->rows; i++) {
        const pq_real *x = r->x->value + (size_t)i * d;
        pq_real *y = r->y->value + (size_t)i * d;
        centre(x, r->mean, r->inverse, y, d);
        if (r->gain) {
            stretch(r->gain->value, r->bias->value, y, d);
        }
    }
}

pq_var *pq_op_batch_norm(pq_tape *t, pq_var *x, const pq_param *statistic, pq_var *gain,
                         pq_var *bias, double epsilon) {
    if (!x || !statistic || !gain != !bias) {
        return NULL;
    }
    uint32_t d = x->cols;
    if (statistic->rows != 3 || statistic->cols != d ||
        (gain && (gain->cols != d || bias->cols != d))) {
        return PQ_MISFIT(t, "batch_norm", "%u columns, statistic %u x %u", (unsigned)d,
                         (unsigned)statistic->rows, (unsigned)statistic->cols);
    }
    bool needs_grad = x->needs_grad || (gain && (gain->needs_grad || bias->needs_grad));
    pq_var *y = pq_tape_var(t, x->rows, d, needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *mean = pq_tape_take(t, d, sizeof(*mean)),
            *inverse = pq_tape_take(t, d, sizeof(*inverse));
    if (!y || !r || !mean || !inverse) {
        return NULL;
    }
    *r = (record){x,         gain, bias,    y,
                  statistic, mean, inverse, pq_tape_training(t) && !statistic->frozen};
    normalise(r, epsilon);
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
