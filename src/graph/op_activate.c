/* op_activate.c — y = f(x), element by element, any shape. Backward: dx = g f'(x), with f' written in
 * terms of x and y but for GELU, which is a kernel both ways. */
#include "graph/ops.h"

#define SELU_SCALE 1.0507009873554805
#define SELU_ALPHA 1.6732632423543772

typedef struct {
    pq_var *x, *y;
    pq_activation kind;
} record;

/* f'(x), given y = f(x). */
static pq_real slope(pq_activation kind, pq_real x, pq_real y) {
    switch (kind) {
    case PQ_RELU:
        return x > 0;
    case PQ_SELU:
        return x > 0 ? (pq_real)SELU_SCALE : y + (pq_real)(SELU_SCALE * SELU_ALPHA);
    case PQ_TANH:
        return 1 - y * y;
    case PQ_SIGMOID:
        return y * (1 - y);
    case PQ_LINEAR:
    case PQ_GELU:
        break;
    }
    return 1;
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_real *g = r->y->grad;
    pq_real *dx = pq_tape_grad(t, r->x);
    size_t n = (size_t)r->x->rows * r->x->cols;
    if (!g || !dx) {
        return;
    }
    if (r->kind == PQ_GELU) {
        t->kernels->gelu_slope(r->x->value, g, dx, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        dx[i] += g[i] * slope(r->kind, r->x->value[i], r->y->value[i]);
    }
}

static void selu(const pq_kernels *f, const pq_real *x, pq_real *y, size_t n) {
    f->exp(x, y, n);
    for (size_t i = 0; i < n; i++) {
        y[i] =
            x[i] > 0 ? (pq_real)SELU_SCALE * x[i] : (pq_real)(SELU_SCALE * SELU_ALPHA) * (y[i] - 1);
    }
}

static void relu(const pq_real *x, pq_real *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] > 0 ? x[i] : 0;
    }
}

static void activate(const pq_kernels *f, pq_activation kind, const pq_real *x, pq_real *y,
                     size_t n) {
    switch (kind) {
    case PQ_RELU:
        relu(x, y, n);
        break;
    case PQ_SELU:
        selu(f, x, y, n);
        break;
    case PQ_GELU:
        f->gelu(x, y, n);
        break;
    case PQ_TANH:
        f->tanh(x, y, n);
        break;
    case PQ_SIGMOID:
        f->sigmoid(x, y, n);
        break;
    case PQ_LINEAR:
        break;
    }
}

pq_var *pq_op_activate(pq_tape *t, pq_var *x, pq_activation kind) {
    if (!x || kind == PQ_LINEAR) {
        return x;
    }
    pq_var *y = pq_tape_var(t, x->rows, x->cols, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    activate(t->kernels, kind, x->value, y->value, (size_t)x->rows * x->cols);
    if (pq_tape_records(y)) {
        *r = (record){x, y, kind};
        pq_tape_record(t, backward, r);
    }
    return y;
}
