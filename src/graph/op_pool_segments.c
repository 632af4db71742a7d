/* op_pool_segments.c — one row, or K, for each segment: x (T, D) values, y (B * K, D),
 *     y[b,k] = sum over the rows t of segment b of w[t,k] x[t]
 * where w is 1 (sum), 1 / L (mean), the logits (T, K) themselves, or their softmax over the segment's rows:
 * self-attentive pooling (Lin et al., ICLR 2017). Sum and mean have no logits and K = 1. An empty segment gives
 * zeros. With args->rows, row t of the segments stands for row rows[t] of x.
 *
 * Backward, with g = dy[b,k] and p[t] = <g, x[t]>:
 *     dx[t] += sum over k of w[t,k] g,  dlogits[t,k] = w[t,k] (p[t] - sum over s of w[s,k] p[s]), or p[t] */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *logits, *y;
    const pq_segments *segments;
    const uint32_t *rows; /* of x, or NULL */
    pq_real *weights;     /* [K, T]: a segment's weights for one k lie side by side */
    uint32_t count;       /* K */
    uint32_t total;       /* T */
    bool raw;
} record;

static pq_real *weights_of(const record *r, uint32_t k, uint32_t row) {
    return r->weights + (size_t)k * r->total + row;
}

/* Where the vector of row i of the segments stands in a matrix of x's shape. */
static size_t place(const record *r, uint32_t i) {
    return (size_t)(r->rows ? r->rows[i] : i) * r->x->cols;
}

/* scratch: [longest segment] */
static void backward_one(pq_tape *t, const record *r, uint32_t b, uint32_t k, pq_real *scratch) {
    const pq_kernels *f = t->kernels;
    uint32_t d = r->x->cols, first = r->segments->starts[b];
    uint32_t length = pq_segment_length(r->segments, b);
    const pq_real *g = r->y->grad + ((size_t)b * r->count + k) * d;
    const pq_real *w = weights_of(r, k, first);
    pq_real *dx = pq_tape_grad(t, r->x);
    for (uint32_t i = 0; dx && i < length; i++) {
        f->axpy(w[i], g, dx + place(r, first + i), d);
    }
    pq_real *dl = r->logits ? pq_tape_grad(t, r->logits) : NULL;
    if (dl) {
        for (uint32_t i = 0; i < length; i++) {
            scratch[i] = f->dot(g, r->x->value + place(r, first + i), d);
        }
        pq_real mean = f->dot(w, scratch, length);
        for (uint32_t i = 0; i < length; i++) {
            dl[(size_t)(first + i) * r->count + k] +=
                r->raw ? scratch[i] : w[i] * (scratch[i] - mean);
        }
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *scratch = pq_tape_take(t, r->total, sizeof(*scratch));
    for (uint32_t b = 0; r->y->grad && scratch && b < r->segments->count; b++) {
        for (uint32_t k = 0; k < r->count; k++) {
            backward_one(t, r, b, k, scratch);
        }
    }
}

static void weigh(const pq_tape *t, const record *r, const pq_pool_segments *args, uint32_t b,
                  uint32_t k) {
    uint32_t first = r->segments->starts[b], length = pq_segment_length(r->segments, b);
    const pq_real *logits = r->logits ? r->logits->value + (size_t)first * r->count + k : NULL;
    const pq_real each = args->mean ? 1 / (pq_real)length : 1;
    pq_real *w = weights_of(r, k, first);
    for (uint32_t i = 0; i < length; i++) {
        w[i] = logits ? logits[(size_t)i * r->count] : each;
    }
    if (logits && !r->raw) {
        t->kernels->softmax(w, w, length);
    }
}

static void pool(const pq_tape *t, const record *r, uint32_t b, uint32_t k) {
    uint32_t d = r->x->cols;
    pq_real *y = r->y->value + ((size_t)b * r->count + k) * d;
    memset(y, 0, d * sizeof(*y));
    for (uint32_t i = r->segments->starts[b]; i < r->segments->starts[b + 1]; i++) {
        t->kernels->axpy(*weights_of(r, k, i), r->x->value + place(r, i), y, d);
    }
}

/* How many segments from b on have the rows of b, which lie side by side, as candidates that look at one
 * history have: their weights are a matrix. */
static uint32_t alike(const record *r, uint32_t b) {
    const uint32_t *starts = r->segments->starts, length = starts[b + 1] - starts[b];
    uint32_t end = b;
    while (r->rows && r->count == 1 && end < r->segments->count &&
           starts[end + 1] - starts[end] == length) {
        for (uint32_t i = 0; i < length; i++) {
            if (r->rows[starts[end] + i] != r->rows[starts[b]] + i) {
                return end - b;
            }
        }
        end++;
    }
    return end - b;
}

static void pool_all(const pq_tape *t, const record *r) {
    const uint32_t d = r->x->cols, *starts = r->segments->starts;
    for (uint32_t b = 0, next; b < r->segments->count; b = next) {
        const uint32_t rows = alike(r, b);
        next = b + PQ_MAX(rows, 1);
        if (rows > 1 && starts[b + 1] > starts[b]) {
            const uint32_t length = starts[b + 1] - starts[b];
            t->kernels->gemm_nn(&(pq_gemm_args){.m = rows,
                                                .n = d,
                                                .k = length,
                                                .a = weights_of(r, 0, starts[b]),
                                                .lda = length,
                                                .b = r->x->value + place(r, starts[b]),
                                                .ldb = d,
                                                .c = r->y->value + (size_t)b * d,
                                                .ldc = d});
            continue;
        }
        for (uint32_t i = b * r->count; i < next * r->count; i++) {
            pool(t, r, i / r->count, i % r->count);
        }
    }
}

pq_var *pq_op_pool_segments(pq_tape *t, pq_var *x, pq_var *logits, const pq_pool_segments *args) {
    bool wanted = args->softmax || args->raw;
    if (!x || (wanted && !logits)) {
        return NULL;
    }
    const pq_segments *segments = args->segments;
    uint32_t count = wanted ? logits->cols : 1, users = segments->count;
    uint32_t total = segments->starts[users];
    bool inside = args->rows || x->rows == total;
    for (uint32_t i = 0; args->rows && i < total; i++) {
        inside = inside && args->rows[i] < x->rows;
    }
    if (!inside || (wanted && logits->rows != total)) {
        return PQ_MISFIT(t, "pool_segments", "%u rows, %u logits, segments of %u",
                         (unsigned)x->rows, wanted ? (unsigned)logits->rows : 0, (unsigned)total);
    }
    bool needs = x->needs_grad || (wanted && logits->needs_grad);
    pq_var *y = pq_tape_var(t, users * count, x->cols, needs);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *weights = pq_tape_take(t, (size_t)count * total, sizeof(*weights));
    if (!y || !r || !weights) {
        return NULL;
    }
    *r = (record){.x = x,
                  .logits = wanted ? logits : NULL,
                  .y = y,
                  .segments = segments,
                  .rows = args->rows,
                  .weights = weights,
                  .count = count,
                  .total = total,
                  .raw = args->raw};
    for (uint32_t b = 0; b < users; b++) {
        for (uint32_t k = 0; k < count; k++) {
            weigh(t, r, args, b, k);
        }
    }
    pool_all(t, r);
    for (size_t i = 0; args->shares && i < (size_t)total * count; i++) {
        args->shares[i] = *weights_of(r, (uint32_t)(i % count), (uint32_t)(i / count));
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
