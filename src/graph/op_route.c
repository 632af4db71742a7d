/* op_route.c — capsule routing: of behaviours to interests (Li et al., MIND, CIKM 2019, section 3.3), or of capsules to
 * those of the layer above (Sabour, Frosst & Hinton, NIPS 2017, procedure 1), where every one of them has a map of its
 * own for each above and logits begin at zero.
 *
 * u (T, D): one vector per behaviour, the same for every interest, or (T, K * D): one per interest.
 * y (B * K, D): the interest capsules of each segment; rows of interests not in use are zero.
 *
 * For r = 1..R, with b the routing logits of a behaviour t towards interest k:
 *     p[t,k] = e^b[t,k] / sum over k' of e^b[t,k']        (over interests, for each behaviour)
 *     w[t,k] = p[t,k] mass[t,k]                            (mass is 1 in the paper)
 *     z[k]   = sum over t of w[t,k] u[t,k];   c[k] = squash(z[k])
 *     b[t,k] += <c[k], u[t,k]>                             (not after the last round)
 * squash.h has squash.
 *
 * Backward, with gradients stopped before the last round (the default): dz = squash'(z) dc and
 * du[t,k] += w[t,k] dz[k]. With full_gradient also through w, b and the earlier rounds. */
#include "graph/ops.h"

#include <string.h>

#include "graph/squash.h"

typedef struct {
    pq_var *u, *y;
    pq_route args;
    /* Of every round r: w at weights + r T K; z at sums + r B K D. */
    pq_real *weights, *sums;
    pq_real *d_logits; /* [T, K], full gradient only */
} record;

static uint32_t live(const pq_route *a, uint32_t b) {
    return a->live ? a->live[b] : a->interests;
}

/* Where behaviour t keeps its vector for interest k. */
static size_t place(const record *r, uint32_t t, uint32_t k) {
    return (size_t)t * r->u->cols + (r->args.per_interest ? (size_t)k * r->y->cols : 0);
}

/* The coupling of behaviour i to the first `routed` interests; the others get none. */
static void couple(const pq_kernels *f, const pq_route *a, size_t i, const pq_real *logits,
                   pq_real *w, uint32_t routed) {
    f->softmax(logits, w, routed);
    for (uint32_t k = 0; k < a->interests; k++) {
        w[k] = k < routed ? w[k] * (a->mass ? a->mass[i * a->interests + k] : 1) : 0;
    }
}

static void route_segment(pq_tape *t, const record *r, uint32_t b, pq_real *logits) {
    const pq_route *a = &r->args;
    const pq_kernels *f = t->kernels;
    uint32_t d = r->y->cols, count = a->interests;
    uint32_t first = a->segments->starts[b], last = a->segments->starts[b + 1];
    uint32_t in_use = live(a, b), routed = a->routed ? a->routed : in_use;
    pq_real *c = r->y->value + (size_t)b * count * d;
    for (uint32_t round = 0; round < a->rounds; round++) {
        pq_real *w = r->weights + (size_t)round * r->u->rows * count;
        pq_real *z = r->sums + ((size_t)round * r->y->rows + (size_t)b * count) * d;
        memset(z, 0, (size_t)count * d * sizeof(*z));
        for (uint32_t i = first; i < last; i++) {
            couple(f, a, i, logits + (size_t)i * count, w + (size_t)i * count, routed);
            for (uint32_t k = 0; k < routed; k++) {
                f->axpy(w[(size_t)i * count + k], r->u->value + place(r, i, k), z + (size_t)k * d,
                        d);
            }
        }
        for (uint32_t k = 0; k < routed; k++) {
            pq_squash(f, z + (size_t)k * d, a->epsilon, c + (size_t)k * d, d);
        }
        for (uint32_t i = first; round + 1 < a->rounds && i < last; i++) {
            for (uint32_t k = 0; k < routed; k++) {
                logits[(size_t)i * count + k] +=
                    f->dot(c + (size_t)k * d, r->u->value + place(r, i, k), d);
            }
        }
    }
    memset(c + (size_t)in_use * d, 0, (size_t)(count - in_use) * d * sizeof(*c));
}

/* What behaviour t adds to interest k, as a share of the interest: w <u, z> / |z|², which sums to 1
 * over the segment; behaviours that pull the other way count as zero. */
static void fill_shares(pq_tape *t, const record *r, uint32_t b) {
    const pq_route *a = &r->args;
    uint32_t d = r->y->cols, count = a->interests;
    size_t last_round = a->rounds - 1;
    const pq_real *w = r->weights + last_round * r->u->rows * count;
    const pq_real *z = r->sums + (last_round * r->y->rows + (size_t)b * count) * d;
    for (uint32_t k = 0; k < count; k++) {
        pq_real total = 0;
        for (uint32_t i = a->segments->starts[b]; i < a->segments->starts[b + 1]; i++) {
            pq_real along = t->kernels->dot(r->u->value + place(r, i, k), z + (size_t)k * d, d);
            pq_real share = k < live(a, b) ? w[(size_t)i * count + k] * along : 0;
            a->shares[(size_t)i * count + k] = share > 0 ? share : 0;
            total += share > 0 ? share : 0;
        }
        for (uint32_t i = a->segments->starts[b]; i < a->segments->starts[b + 1]; i++) {
            a->shares[(size_t)i * count + k] /= total > 0 ? total : 1;
        }
    }
}

/* One round backwards: dc (K, D) is the gradient of the round's capsules; du grows, and with the full
 * gradient d_logits of the round becomes that of the round before. */
static void round_backward(pq_tape *t, const record *r, uint32_t b, uint32_t round,
                           const pq_real *dc, pq_real *du) {
    const pq_route *a = &r->args;
    const pq_kernels *f = t->kernels;
    uint32_t d = r->y->cols, count = a->interests;
    uint32_t routed = a->routed ? a->routed : live(a, b);
    const pq_real *w = r->weights + (size_t)round * r->u->rows * count;
    const pq_real *z = r->sums + ((size_t)round * r->y->rows + (size_t)b * count) * d;
    pq_real *dz = pq_tape_take(t, (size_t)count * d, sizeof(*dz));
    pq_real *dw = pq_tape_take(t, count, sizeof(*dw));
    if (!dz || !dw) {
        return;
    }
    memset(dz, 0, (size_t)count * d * sizeof(*dz));
    for (uint32_t k = 0; k < routed; k++) {
        pq_squash_backward(f, z + (size_t)k * d, a->epsilon, dc + (size_t)k * d, dz + (size_t)k * d,
                           d);
    }
    for (uint32_t i = a->segments->starts[b]; i < a->segments->starts[b + 1]; i++) {
        const pq_real *wi = w + (size_t)i * count;
        pq_real mean = 0;
        for (uint32_t k = 0; k < routed; k++) {
            size_t at = place(r, i, k);
            f->axpy(wi[k], dz + (size_t)k * d, du + at, d);
            if (a->full_gradient) {
                dw[k] = f->dot(dz + (size_t)k * d, r->u->value + at, d);
                mean += wi[k] * dw[k];
            }
        }
        for (uint32_t k = 0; a->full_gradient && k < routed; k++) {
            size_t at = (size_t)i * count + k;
            r->d_logits[at] += wi[k] * dw[k] - wi[k] / (a->mass ? a->mass[at] : 1) * mean;
        }
    }
}

/* Gradient of the capsules of an earlier round, through b += <c, u>. */
static void logits_backward(pq_tape *t, const record *r, uint32_t b, uint32_t round, pq_real *dc,
                            pq_real *du) {
    const pq_route *a = &r->args;
    const pq_kernels *f = t->kernels;
    uint32_t d = r->y->cols, count = a->interests;
    uint32_t routed = a->routed ? a->routed : live(a, b);
    const pq_real *z = r->sums + ((size_t)round * r->y->rows + (size_t)b * count) * d;
    pq_real *c = pq_tape_take(t, d, sizeof(*c));
    if (!c) {
        return;
    }
    memset(dc, 0, (size_t)count * d * sizeof(*dc));
    for (uint32_t k = 0; k < routed; k++) {
        pq_squash(f, z + (size_t)k * d, a->epsilon, c, d);
        for (uint32_t i = a->segments->starts[b]; i < a->segments->starts[b + 1]; i++) {
            pq_real g = r->d_logits[(size_t)i * count + k];
            size_t at = place(r, i, k);
            f->axpy(g, r->u->value + at, dc + (size_t)k * d, d);
            f->axpy(g, c, du + at, d);
        }
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_route *a = &r->args;
    uint32_t d = r->y->cols, count = a->interests;
    pq_real *du = pq_tape_grad(t, r->u);
    if (!r->y->grad || !du) {
        return;
    }
    pq_real *dc = pq_tape_take(t, (size_t)count * d, sizeof(*dc));
    if (!dc) {
        return;
    }
    for (uint32_t b = 0; b < a->segments->count && t->status == PIQUE_OK; b++) {
        memset(dc, 0, (size_t)count * d * sizeof(*dc));
        memcpy(dc, r->y->grad + (size_t)b * count * d, (size_t)live(a, b) * d * sizeof(*dc));
        round_backward(t, r, b, a->rounds - 1, dc, du);
        for (uint32_t round = a->rounds - 1; a->full_gradient && round > 0; round--) {
            logits_backward(t, r, b, round - 1, dc, du);
            round_backward(t, r, b, round - 1, dc, du);
        }
    }
}

pq_var *pq_op_route(pq_tape *t, pq_var *u, const pq_route *args) {
    if (!u) {
        return NULL;
    }
    uint32_t count = args->interests, segments = args->segments->count;
    uint32_t d = args->per_interest ? u->cols / count : u->cols;
    if (args->segments->starts[segments] != u->rows || (args->per_interest && u->cols % count)) {
        return PQ_MISFIT(t, "route", "u is %u x %u, the segments hold %u rows", (unsigned)u->rows,
                         (unsigned)u->cols, (unsigned)args->segments->starts[segments]);
    }
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_var *y = pq_tape_var(t, segments * count, d, u->needs_grad);
    size_t logits_size = (size_t)u->rows * count;
    pq_real *logits = pq_tape_take(t, logits_size, sizeof(*logits));
    pq_real *weights = pq_tape_take(t, logits_size * args->rounds, sizeof(*weights));
    pq_real *sums = pq_tape_take(t, (size_t)args->rounds * segments * count * d, sizeof(*sums));
    pq_real *d_logits = pq_tape_take(t, logits_size, sizeof(*d_logits));
    if (!y || !r || !logits || !weights || !sums || !d_logits) {
        return NULL;
    }
    memset(y->value, 0, (size_t)y->rows * d * sizeof(pq_real));
    if (args->logits) {
        memcpy(logits, args->logits, logits_size * sizeof(*logits));
    } else {
        memset(logits, 0, logits_size * sizeof(*logits));
    }
    memset(d_logits, 0, logits_size * sizeof(*d_logits));
    *r = (record){u, y, *args, weights, sums, d_logits};
    for (uint32_t b = 0; b < segments; b++) {
        route_segment(t, r, b, logits);
        if (args->shares) {
            fill_shares(t, r, b);
        }
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
