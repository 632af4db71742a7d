/* op_attention.c — multi-head scaled dot-product attention (Vaswani et al., "Attention is all you need",
 * 2017, section 3.2) of the rows of each segment to each other, or to those of the same segment of `keys`.
 *
 * q, y (T, D), k, v (S, D), S = T without `keys`; head h has the columns h W .. h W + W - 1, W = D / heads. In a
 * segment of L rows that look at M (M = L without `keys`) and one head, with j running over the rows that i may see
 * (causal: j <= i; blind: not i); where there are none, y_i = 0:
 *     s[i,j] = <q_i, k_j> / sqrt(W) + self [i = j]
 *     p[i,:] = softmax of s[i,:];   w = dropout(p);   y_i = sum over j of w[i,j] v_j
 * Backward, with a[i,j] = <g_i, v_j>:
 *     dv_j += sum over i of w[i,j] g_i
 *     ds[i,j] = w[i,j] a[i,j] - p[i,j] sum over j' of w[i,j'] a[i,j']
 *     dq_i += sum over j of ds[i,j] k_j / sqrt(W);   dk_j += sum over i of ds[i,j] q_i / sqrt(W)
 *
 * p and w are kept, an (L, M) matrix per segment and head with zeros where i does not see j. Long
 * segments go through the matrix products, short ones, for which those take longer to begin than to
 * end, row by row. Which way depends on L and M alone. */
#include "graph/ops.h"

#include <math.h>
#include <string.h>

#define LONG_FROM 12     /* rows of a segment: where both ways take the same time at W = 32 */
#define ROWS_TOGETHER 48 /* of a long segment, in one product with all rows that they see */

typedef struct {
    pq_var *q, *k, *v, *y;
    pq_attention args;
    pq_real *p, *w; /* the matrices of all segments and heads; the same array without dropout */
} record;

/* One segment and head. */
typedef struct {
    const pq_kernels *f;
    size_t at, key_at; /* of the head in the first row of q and y, of k and v */
    uint32_t length, keys, width, stride;
    bool causal, blind;
    pq_real scale, self;
} block;

static uint32_t seen(const block *b, uint32_t i) {
    return b->causal ? i + 1 : b->keys;
}

static bool is_long(const block *b) {
    return PQ_MIN(b->length, b->keys) >= LONG_FROM;
}

/* y[i] = or += sum over j of w[i,j] x_j, for w (L, M) and x, y with the op's stride. */
static void mix(const block *b, const pq_real *w, const pq_real *x, pq_real *y, bool accumulate) {
    uint32_t length = b->length, keys = b->keys;
    for (uint32_t i = 0; is_long(b) && i < length; i += ROWS_TOGETHER) {
        uint32_t rows = PQ_MIN(length - i, ROWS_TOGETHER);
        b->f->gemm_nn(&(pq_gemm_args){.m = rows,
                                      .n = b->width,
                                      .k = seen(b, i + rows - 1),
                                      .a = w + (size_t)i * keys,
                                      .lda = keys,
                                      .b = x,
                                      .ldb = b->stride,
                                      .c = y + (size_t)i * b->stride,
                                      .ldc = b->stride,
                                      .accumulate = accumulate});
    }
    for (uint32_t i = 0; !is_long(b) && i < length; i++) {
        pq_real *to = y + (size_t)i * b->stride;
        if (!accumulate) {
            memset(to, 0, b->width * sizeof(*to));
        }
        for (uint32_t j = 0; j < seen(b, i); j++) {
            b->f->axpy(w[(size_t)i * keys + j], x + (size_t)j * b->stride, to, b->width);
        }
    }
}

/* y[j] += sum over i of w[i,j] x_i. */
static void mix_turned(const block *b, const pq_real *w, const pq_real *x, pq_real *y) {
    uint32_t length = b->length, keys = b->keys;
    for (uint32_t i = 0; is_long(b) && i < length; i += ROWS_TOGETHER) {
        uint32_t rows = PQ_MIN(length - i, ROWS_TOGETHER);
        b->f->gemm_tn(&(pq_gemm_args){.m = seen(b, i + rows - 1),
                                      .n = b->width,
                                      .k = rows,
                                      .a = w + (size_t)i * keys,
                                      .lda = keys,
                                      .b = x + (size_t)i * b->stride,
                                      .ldb = b->stride,
                                      .c = y,
                                      .ldc = b->stride,
                                      .accumulate = true});
    }
    for (uint32_t i = 0; !is_long(b) && i < length; i++) {
        for (uint32_t j = 0; j < seen(b, i); j++) {
            b->f->axpy(w[(size_t)i * keys + j], x + (size_t)i * b->stride,
                       y + (size_t)j * b->stride, b->width);
        }
    }
}

/* s[i,j] = <x_i, y_j> where i sees j; other elements are left undefined. */
static void multiply(const block *b, const pq_real *x, const pq_real *y, pq_real *s) {
    uint32_t length = b->length, keys = b->keys;
    for (uint32_t i = 0; is_long(b) && i < length; i += ROWS_TOGETHER) {
        uint32_t rows = PQ_MIN(length - i, ROWS_TOGETHER);
        b->f->gemm_nt(&(pq_gemm_args){.m = rows,
                                      .n = seen(b, i + rows - 1),
                                      .k = b->width,
                                      .a = x + (size_t)i * b->stride,
                                      .lda = b->stride,
                                      .b = y,
                                      .ldb = b->stride,
                                      .c = s + (size_t)i * keys,
                                      .ldc = keys});
    }
    for (uint32_t i = 0; !is_long(b) && i < length; i++) {
        for (uint32_t j = 0; j < seen(b, i); j++) {
            s[(size_t)i * keys + j] =
                b->f->dot(x + (size_t)i * b->stride, y + (size_t)j * b->stride, b->width);
        }
    }
}

/* s becomes p: the exponentials of the whole matrix in one call. */
static void softmax(const block *b, pq_real *s) {
    size_t length = b->length, keys = b->keys;
    for (uint32_t i = 0; i < length; i++) {
        pq_real *row = s + i * keys, largest = 0;
        if (PQ_TRAINING && b->self != 0) {
            row[i] += b->self / b->scale;
        }
        if (b->blind) {
            row[i] = (pq_real)-HUGE_VAL;
        }
        if (seen(b, i) > b->blind) {
            largest = b->f->max(row, seen(b, i));
        }
        for (uint32_t j = 0; j < seen(b, i); j++) {
            row[j] = (row[j] - largest) * b->scale;
        }
        for (uint32_t j = seen(b, i); j < keys; j++) {
            row[j] = (pq_real)-HUGE_VAL;
        }
    }
    b->f->exp(s, s, length * keys);
    for (uint32_t i = 0; i < length; i++) {
        pq_real *row = s + i * keys, sum = b->f->sum(row, seen(b, i));
        pq_real factor = sum > 0 ? 1 / sum : 0;
        for (uint32_t j = 0; j < seen(b, i); j++) {
            row[j] *= factor;
        }
    }
}

/* As in op_dropout.c, one draw for two elements, here of those of a row that are seen. No branch: it
 * would be guessed wrong half of the time. */
static void drop(pq_tape *t, const block *b, double rate, const pq_real *p, pq_real *w) {
    uint32_t threshold = (uint32_t)(rate * 4294967295.0);
    const pq_real factor[2] = {0, (pq_real)(1 / (1 - rate))};
    for (uint32_t i = 0; i < b->length; i++, p += b->keys, w += b->keys) {
        uint32_t end = seen(b, i);
        for (uint32_t j = 0; j < end; j += 2) {
            uint64_t bits = pq_rng_next(&t->rng);
            w[j] = p[j] * factor[(uint32_t)bits >= threshold];
            if (j + 1 < end) {
                w[j + 1] = p[j + 1] * factor[bits >> 32 >= threshold];
            }
        }
        memset(w + end, 0, (b->keys - end) * sizeof(*w));
    }
}

/* a (L, M) becomes ds / sqrt(W). */
static void softmax_backward(const block *b, const pq_real *p, const pq_real *w, pq_real *a) {
    size_t keys = b->keys;
    for (uint32_t i = 0; i < b->length; i++, p += keys, w += keys, a += keys) {
        uint32_t end = seen(b, i);
        pq_real along = b->f->dot(w, a, end);
        for (uint32_t j = 0; j < end; j++) {
            a[j] = (w[j] * a[j] - p[j] * along) * b->scale;
        }
        memset(a + end, 0, (keys - end) * sizeof(*a));
    }
}

static const pq_segments *keys_of(const pq_attention *args) {
    return args->keys ? args->keys : args->segments;
}

static block block_of(const pq_tape *t, const record *r, uint32_t segment, uint32_t head) {
    const pq_segments *keys = keys_of(&r->args);
    uint32_t d = r->q->cols, width = d / r->args.heads;
    return (block){.f = t->kernels,
                   .at = (size_t)r->args.segments->starts[segment] * d + (size_t)head * width,
                   .key_at = (size_t)keys->starts[segment] * d + (size_t)head * width,
                   .length = pq_segment_length(r->args.segments, segment),
                   .keys = pq_segment_length(keys, segment),
                   .width = width,
                   .stride = d,
                   .causal = r->args.causal,
                   .blind = r->args.blind,
                   .scale = (pq_real)(1 / pq_sqrt(width)),
                   .self = (pq_real)r->args.self};
}

/* Elements of a segment's matrix. */
static size_t elements(const record *r, uint32_t segment) {
    return (size_t)pq_segment_length(r->args.segments, segment) *
           pq_segment_length(keys_of(&r->args), segment);
}

static size_t most_elements(const record *r) {
    size_t most = 0;
    for (uint32_t i = 0; i < r->args.segments->count; i++) {
        most = PQ_MAX(most, elements(r, i));
    }
    return most;
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    if (!r->y->grad) {
        return;
    }
    pq_real *dq = pq_tape_grad(t, r->q), *dk = pq_tape_grad(t, r->k), *dv = pq_tape_grad(t, r->v);
    pq_real *ds = pq_tape_take(t, most_elements(r), sizeof(*ds));
    const pq_real *p = r->p, *w = r->w;
    for (uint32_t s = 0; ds && s < r->args.segments->count; s++) {
        for (uint32_t h = 0; h < r->args.heads; h++) {
            block b = block_of(t, r, s, h);
            const pq_real *g = r->y->grad + b.at;
            if (dv) {
                mix_turned(&b, w, g, dv + b.key_at);
            }
            if (dq || dk) {
                multiply(&b, g, r->v->value + b.key_at, ds);
                softmax_backward(&b, p, w, ds);
            }
            if (dq) {
                mix(&b, ds, r->k->value + b.key_at, dq + b.at, true);
            }
            if (dk) {
                mix_turned(&b, ds, r->q->value + b.at, dk + b.key_at);
            }
            p += elements(r, s);
            w += elements(r, s);
        }
    }
}

/* Room for the matrices: of all segments and heads where backward wants them, else of one. */
static size_t room_of(const record *r, bool recorded) {
    size_t all = 0;
    for (uint32_t i = 0; recorded && i < r->args.segments->count; i++) {
        all += elements(r, i) * r->args.heads;
    }
    return recorded ? all : most_elements(r);
}

pq_var *pq_op_attention(pq_tape *t, pq_var *q, pq_var *k, pq_var *v, const pq_attention *args) {
    if (!q || !k || !v) {
        return NULL;
    }
    uint32_t rows = q->rows, d = q->cols;
    const pq_segments *keys = keys_of(args);
    if (args->heads == 0 || d % args->heads != 0 || k->cols != d || v->cols != d ||
        args->segments->starts[args->segments->count] != rows || v->rows != k->rows ||
        keys->count != args->segments->count || keys->starts[keys->count] != k->rows) {
        return PQ_MISFIT(t, "attention", "q is %u x %u, %u heads, segments hold %u", (unsigned)rows,
                         (unsigned)d, (unsigned)args->heads,
                         (unsigned)args->segments->starts[args->segments->count]);
    }
    bool dropped = pq_tape_training(t) && args->dropout > 0;
    pq_var *y = pq_tape_var(t, rows, d, q->needs_grad || k->needs_grad || v->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    *r = (record){.q = q, .k = k, .v = v, .y = y, .args = *args};
    bool recorded = pq_tape_records(y);
    size_t room = room_of(r, recorded);
    r->p = pq_tape_take(t, room, sizeof(*r->p));
    r->w = dropped ? pq_tape_take(t, room, sizeof(*r->w)) : r->p;
    if (!r->p || !r->w) {
        return NULL;
    }
    pq_real *p = r->p, *w = r->w;
    for (uint32_t s = 0; s < args->segments->count; s++) {
        for (uint32_t h = 0; h < args->heads; h++) {
            block b = block_of(t, r, s, h);
            multiply(&b, q->value + b.at, k->value + b.key_at, p);
            softmax(&b, p);
            if (dropped) {
                drop(t, &b, args->dropout, p, w);
            }
            mix(&b, w, v->value + b.key_at, y->value + b.at, false);
            p += recorded ? elements(r, s) : 0;
            w += recorded ? elements(r, s) : 0;
        }
    }
    if (recorded) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
