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
 * With a residual s (T, K * D), u[t,k] + s[t,k] stands for u[t,k] in the rounds 2 .. R-1: the sequential capsules
 * of MGNM (Tian et al., SIGIR 2022).
 *
 * Backward, with gradients stopped before the last round (the default): dz = squash'(z) dc and
 * du[t,k] += w[t,k] dz[k]. With full_gradient also through w, b and the earlier rounds. A residual always learns
 * in that way, since the last round does not add it; u then still has the gradient of the last round alone. */
#include "graph/ops.h"

#include <string.h>

#include "graph/squash.h"

typedef struct {
    pq_var *u, *y;
    pq_route args;
    /* Of every round r: w at weights + r T K; z at sums + r B K D. */
    pq_real *weights, *sums;
    pq_real *between;  /* [T, K, D] u and the residual; NULL without one */
    pq_real *d_logits; /* [T, K], where gradients pass through the couplings */
} record;

static uint32_t live(const pq_route *a, uint32_t b) {
    return a->live ? a->live[b] : a->interests;
}

/* Where behaviour t keeps its vector for interest k, in u or in the residual. */
static size_t place(const record *r, uint32_t t, uint32_t k) {
    return (size_t)t * r->u->cols + (r->args.per_interest ? (size_t)k * r->y->cols : 0);
}

static size_t place_between(const record *r, uint32_t t, uint32_t k) {
    return ((size_t)t * r->args.interests + k) * r->y->cols;
}

/* Whether a round adds the residual, and the vector of behaviour t for interest k in it. */
static bool is_between(const record *r, uint32_t round) {
    return r->between && round > 0 && round + 1 < r->args.rounds;
}

static const pq_real *vector(const record *r, uint32_t round, uint32_t t, uint32_t k) {
    return is_between(r, round) ? r->between + place_between(r, t, k)
                                : r->u->value + place(r, t, k);
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
                f->axpy(w[(size_t)i * count + k], vector(r, round, i, k), z + (size_t)k * d, d);
            }
        }
        for (uint32_t k = 0; k < routed; k++) {
            pq_squash(f, z + (size_t)k * d, a->epsilon, c + (size_t)k * d, d);
        }
        for (uint32_t i = first; round + 1 < a->rounds && i < last; i++) {
            for (uint32_t k = 0; k < routed; k++) {
                logits[(size_t)i * count + k] +=
                    f->dot(c + (size_t)k * d, vector(r, round, i, k), d);
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
    const size_t step = PQ_MAX(1, a->share_step);
    for (uint32_t k = 0; k < count; k++) {
        pq_real total = 0;
        for (uint32_t i = a->segments->starts[b]; i < a->segments->starts[b + 1]; i++) {
            pq_real along = t->kernels->dot(r->u->value + place(r, i, k), z + (size_t)k * d, d);
            pq_real share = k < live(a, b) ? w[(size_t)i * count + k] * along : 0;
            a->shares[((size_t)i * count + k) * step] = share > 0 ? share : 0;
            total += share > 0 ? share : 0;
        }
        for (uint32_t i = a->segments->starts[b]; i < a->segments->starts[b + 1]; i++) {
            a->shares[((size_t)i * count + k) * step] /= total > 0 ? total : 1;
        }
    }
}

/* Gradients on their way down the rounds of one segment. */
typedef struct {
    pq_real *dc;    /* (K, D) of the round's capsules */
    pq_real *du;    /* of u; NULL in rounds from which it has none */
    pq_real *ds;    /* of the residual; NULL when none is wanted */
    uint32_t first; /* round that anything passes through */
} slopes;

/* The vector of behaviour t for interest k, in a round that has it, receives a x. */
static void spread(const pq_kernels *f, const record *r, const slopes *s, uint32_t round,
                   uint32_t t, uint32_t k, pq_real a, const pq_real *x) {
    if (s->du) {
        f->axpy(a, x, s->du + place(r, t, k), r->y->cols);
    }
    if (s->ds && is_between(r, round)) {
        f->axpy(a, x, s->ds + place_between(r, t, k), r->y->cols);
    }
}

/* One round backwards: from its capsules to the vectors, and unless it is the first, to d_logits of the round
 * before. */
static void round_backward(pq_tape *t, const record *r, uint32_t b, uint32_t round,
                           const slopes *s) {
    const pq_route *a = &r->args;
    const pq_kernels *f = t->kernels;
    uint32_t d = r->y->cols, count = a->interests;
    uint32_t routed = a->routed ? a->routed : live(a, b);
    const pq_real *w = r->weights + (size_t)round * r->u->rows * count;
    const pq_real *z = r->sums + ((size_t)round * r->y->rows + (size_t)b * count) * d;
    bool further = round > s->first;
    pq_real *dz = pq_tape_take(t, (size_t)count * d, sizeof(*dz));
    pq_real *dw = pq_tape_take(t, count, sizeof(*dw));
    if (!dz || !dw) {
        return;
    }
    memset(dz, 0, (size_t)count * d * sizeof(*dz));
    for (uint32_t k = 0; k < routed; k++) {
        pq_squash_backward(f, z + (size_t)k * d, a->epsilon, s->dc + (size_t)k * d,
                           dz + (size_t)k * d, d);
    }
    for (uint32_t i = a->segments->starts[b]; i < a->segments->starts[b + 1]; i++) {
        const pq_real *wi = w + (size_t)i * count;
        pq_real mean = 0;
        for (uint32_t k = 0; k < routed; k++) {
            spread(f, r, s, round, i, k, wi[k], dz + (size_t)k * d);
            if (further) {
                dw[k] = f->dot(dz + (size_t)k * d, vector(r, round, i, k), d);
                mean += wi[k] * dw[k];
            }
        }
        for (uint32_t k = 0; further && k < routed; k++) {
            size_t at = (size_t)i * count + k;
            r->d_logits[at] += wi[k] * dw[k] - wi[k] / (a->mass ? a->mass[at] : 1) * mean;
        }
    }
}

/* Gradient of the capsules of an earlier round, through b += <c, u>. */
static void logits_backward(pq_tape *t, const record *r, uint32_t b, uint32_t round,
                            const slopes *s) {
    const pq_route *a = &r->args;
    const pq_kernels *f = t->kernels;
    uint32_t d = r->y->cols, count = a->interests;
    uint32_t routed = a->routed ? a->routed : live(a, b);
    const pq_real *z = r->sums + ((size_t)round * r->y->rows + (size_t)b * count) * d;
    pq_real *c = pq_tape_take(t, d, sizeof(*c));
    if (!c) {
        return;
    }
    memset(s->dc, 0, (size_t)count * d * sizeof(*s->dc));
    for (uint32_t k = 0; k < routed; k++) {
        pq_squash(f, z + (size_t)k * d, a->epsilon, c, d);
        for (uint32_t i = a->segments->starts[b]; i < a->segments->starts[b + 1]; i++) {
            pq_real g = r->d_logits[(size_t)i * count + k];
            f->axpy(g, vector(r, round, i, k), s->dc + (size_t)k * d, d);
            spread(f, r, s, round, i, k, g, c);
        }
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_route *a = &r->args;
    uint32_t d = r->y->cols, count = a->interests, last = a->rounds - 1;
    if (!r->y->grad) {
        return;
    }
    pq_real *du = pq_tape_grad(t, r->u);
    slopes s = {.dc = pq_tape_take(t, (size_t)count * d, sizeof(*s.dc)),
                .ds = a->residual ? pq_tape_grad(t, a->residual) : NULL};
    s.first = a->full_gradient ? 0 : s.ds ? PQ_MIN(1, last) : last;
    for (uint32_t b = 0; s.dc && b < a->segments->count && t->status == PIQUE_OK; b++) {
        memset(s.dc, 0, (size_t)count * d * sizeof(*s.dc));
        memcpy(s.dc, r->y->grad + (size_t)b * count * d, (size_t)live(a, b) * d * sizeof(*s.dc));
        s.du = du;
        round_backward(t, r, b, last, &s);
        s.du = a->full_gradient ? du : NULL;
        for (uint32_t round = last; round > s.first; round--) {
            logits_backward(t, r, b, round - 1, &s);
            round_backward(t, r, b, round - 1, &s);
        }
    }
}

static pq_real *add_residual(pq_tape *t, const record *r, const pq_var *more) {
    pq_real *sum = pq_tape_take(t, (size_t)more->rows * more->cols, sizeof(*sum));
    for (uint32_t i = 0; sum && i < more->rows; i++) {
        for (uint32_t k = 0; k < r->args.interests; k++) {
            const pq_real *u = r->u->value + place(r, i, k);
            const size_t at = place_between(r, i, k);
            for (uint32_t j = 0; j < r->y->cols; j++) {
                sum[at + j] = u[j] + more->value[at + j];
            }
        }
    }
    return sum;
}

pq_var *pq_op_route(pq_tape *t, pq_var *u, const pq_route *args) {
    if (!u) {
        return NULL;
    }
    uint32_t count = args->interests, segments = args->segments->count;
    uint32_t d = args->per_interest ? u->cols / count : u->cols;
    const pq_var *more = args->residual;
    if (args->segments->starts[segments] != u->rows || (args->per_interest && u->cols % count) ||
        (more && (more->rows != u->rows || more->cols != count * d))) {
        return PQ_MISFIT(t, "route", "u is %u x %u, the segments hold %u rows", (unsigned)u->rows,
                         (unsigned)u->cols, (unsigned)args->segments->starts[segments]);
    }
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_var *y = pq_tape_var(t, segments * count, d, u->needs_grad || (more && more->needs_grad));
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
    *r = (record){
        .u = u, .y = y, .args = *args, .weights = weights, .sums = sums, .d_logits = d_logits};
    if (more && !(r->between = add_residual(t, r, more))) {
        return NULL;
    }
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
