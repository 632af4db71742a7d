/* op_conv1d.c — one-dimensional convolution, stride 1, no padding: x (C, I L), w (O, I W), b (1, O), y (C, O P) with
 * P = L - W + 1 places,
 *     y[o,p] = b[o] + sum over channels i, taps j of w[o,i,j] x[i, p + j]
 * A row of x holds its channels one after the other, or with args->interleaved its places one after the other, each
 * with all channels. Backward: dw[o,i,j] += g[o,p] x[i, p + j], dx[i, p + j] += g[o,p] w[o,i,j], db[o] += g[o,p]. */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *w, *b, *y;
    uint32_t channels, taps, places, filters;
    uint32_t by_channel, by_place; /* distances in a row of x */
} record;

/* Where channel i of the first tap's first place begins. */
static size_t at(const record *r, uint32_t i, uint32_t j) {
    return (size_t)i * r->by_channel + (size_t)j * r->by_place;
}

static void backward_row(const record *r, uint32_t row, pq_real *dx, pq_real *dw) {
    const pq_real *x = r->x->value + (size_t)row * r->x->cols;
    const pq_real *g = r->y->grad + (size_t)row * r->y->cols;
    for (uint32_t o = 0; o < r->filters; o++, g += r->places) {
        for (uint32_t k = 0; k < r->channels * r->taps; k++) {
            size_t from = at(r, k / r->taps, k % r->taps), cell = (size_t)o * r->w->cols + k;
            for (uint32_t p = 0; p < r->places; p++) {
                size_t place = from + (size_t)p * r->by_place;
                if (dw) {
                    dw[cell] += g[p] * x[place];
                }
                if (dx) {
                    dx[place] += g[p] * r->w->value[cell];
                }
            }
        }
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_real *g = r->y->grad;
    if (!g) {
        return;
    }
    pq_real *dx = pq_tape_grad(t, r->x), *dw = pq_tape_grad(t, r->w), *db = pq_tape_grad(t, r->b);
    for (uint32_t row = 0; row < r->y->rows; row++) {
        backward_row(r, row, dx ? dx + (size_t)row * r->x->cols : NULL, dw);
        for (uint32_t i = 0; db && i < r->y->cols; i++) {
            db[i / r->places] += g[(size_t)row * r->y->cols + i];
        }
    }
}

static void forward_row(const record *r, uint32_t row) {
    const pq_real *x = r->x->value + (size_t)row * r->x->cols;
    pq_real *y = r->y->value + (size_t)row * r->y->cols;
    for (uint32_t o = 0; o < r->filters; o++, y += r->places) {
        for (uint32_t p = 0; p < r->places; p++) {
            y[p] = r->b->value[o];
        }
        for (uint32_t k = 0; k < r->channels * r->taps; k++) {
            size_t from = at(r, k / r->taps, k % r->taps);
            pq_real w = r->w->value[(size_t)o * r->w->cols + k];
            for (uint32_t p = 0; p < r->places; p++) {
                y[p] += w * x[from + (size_t)p * r->by_place];
            }
        }
    }
}

pq_var *pq_op_conv1d(pq_tape *t, pq_var *x, pq_var *w, pq_var *b, const pq_conv1d *args) {
    if (!x || !w || !b) {
        return NULL;
    }
    uint32_t channels = args->channels, taps = args->taps;
    uint32_t length = channels > 0 ? x->cols / channels : 0;
    if (channels == 0 || taps == 0 || x->cols % channels != 0 || taps > length ||
        w->cols != channels * taps || b->rows != 1 || b->cols != w->rows) {
        return PQ_MISFIT(t, "conv1d", "%u columns in %u channels, weights %u x %u",
                         (unsigned)x->cols, (unsigned)channels, (unsigned)w->rows,
                         (unsigned)w->cols);
    }
    uint32_t places = length - taps + 1;
    pq_var *y =
        pq_tape_var(t, x->rows, w->rows * places, x->needs_grad || w->needs_grad || b->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    *r = (record){x, w, b, y, .channels = channels, .taps = taps, .places = places};
    r->filters = w->rows;
    r->by_channel = args->interleaved ? 1 : length;
    r->by_place = args->interleaved ? channels : 1;
    for (uint32_t row = 0; row < x->rows; row++) {
        forward_row(r, row);
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
