/* op_softmax_segments.c — the softmax of each segment's rows: x, y (T, 1). Backward, over the rows of a segment:
 *     dx = y (g - <g, y>). */
#include "graph/ops.h"

typedef struct {
    pq_var *x, *y;
    const pq_segments *segments;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    pq_real *dx = r->y->grad ? pq_tape_grad(t, r->x) : NULL;
    for (uint32_t b = 0; dx && b < r->segments->count; b++) {
        uint32_t first = r->segments->starts[b], length = pq_segment_length(r->segments, b);
        const pq_real *y = r->y->value + first, *g = r->y->grad + first;
        pq_real mean = t->kernels->dot(g, y, length);
        for (uint32_t i = 0; i < length; i++) {
            dx[first + i] += y[i] * (g[i] - mean);
        }
    }
}

pq_var *pq_op_softmax_segments(pq_tape *t, pq_var *x, const pq_segments *segments) {
    if (!x) {
        return NULL;
    }
    if (x->cols != 1 || x->rows != segments->starts[segments->count]) {
        return PQ_MISFIT(t, "softmax_segments", "%u x %u, segments of %u rows", (unsigned)x->rows,
                         (unsigned)x->cols, (unsigned)segments->starts[segments->count]);
    }
    pq_var *y = pq_tape_var(t, x->rows, 1, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (uint32_t b = 0; b < segments->count; b++) {
        uint32_t first = segments->starts[b], length = pq_segment_length(segments, b);
        if (length > 0) {
            t->kernels->softmax(x->value + first, y->value + first, length);
        }
    }
    if (pq_tape_records(y)) {
        *r = (record){x, y, segments};
        pq_tape_record(t, backward, r);
    }
    return y;
}
