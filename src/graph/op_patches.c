/* op_patches.c — the squares of an image that a two-dimensional convolution looks at, a row each: with pq_op_linear
 * behind it, whose weights (O, S S I) have the filter's places in rows, each with its channels, this is the
 * convolution without padding.
 *
 * x (B, H W I): images, places in rows, each with its I channels. y (B P, S S I) with P = P_h P_w,
 * P_h = (H - S) / stride + 1 and P_w likewise. Backward adds each place's gradients up. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *x, *y;
    pq_patches args;
    uint32_t down, across; /* P_h, P_w */
} record;

uint32_t pq_patches_fit(uint32_t side, const pq_patches *a) {
    return side < a->size ? 0 : (side - a->size) / a->stride + 1;
}

/* Where line `line` of patch `patch` begins in x; in y lines stand one after the other. */
static size_t place(const record *r, uint32_t patch, uint32_t line) {
    const pq_patches *a = &r->args;
    uint32_t places = r->down * r->across, at = patch % places;
    size_t top = (size_t)(at / r->across) * a->stride + line;
    size_t left = (size_t)(at % r->across) * a->stride;
    return (size_t)(patch / places) * r->x->cols + (top * a->width + left) * a->channels;
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t run = r->args.size * r->args.channels;
    const pq_real *g = r->y->grad;
    pq_real *dx = g ? pq_tape_grad(t, r->x) : NULL;
    for (uint32_t i = 0; dx && i < r->y->rows; i++) {
        for (uint32_t line = 0; line < r->args.size; line++, g += run) {
            t->kernels->axpy(1, g, dx + place(r, i, line), run);
        }
    }
}

pq_var *pq_op_patches(pq_tape *t, pq_var *x, const pq_patches *a) {
    if (!x) {
        return NULL;
    }
    uint32_t down = pq_patches_fit(a->height, a), across = pq_patches_fit(a->width, a);
    if (!down || !across || x->cols != a->height * a->width * a->channels) {
        return PQ_MISFIT(t, "patches", "%u columns for %u x %u places, patches of %u",
                         (unsigned)x->cols, (unsigned)a->height, (unsigned)a->width,
                         (unsigned)a->size);
    }
    uint32_t run = a->size * a->channels;
    pq_var *y = pq_tape_var(t, x->rows * down * across, a->size * run, x->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    *r = (record){x, y, *a, down, across};
    pq_real *to = y->value;
    for (uint32_t i = 0; i < y->rows; i++) {
        for (uint32_t line = 0; line < a->size; line++, to += run) {
            memcpy(to, x->value + place(r, i, line), run * sizeof(*to));
        }
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
