/* grad_route.c — gradient cases of capsule routing, against a second implementation written from the
 * equations, on arrays of fixed size.
 *
 * With full_gradient the true gradient is checked. Without, couplings are constants: the difference is
 * then taken of a loss whose couplings stay as the forward pass left them. With a residual they follow it, and
 * vectors as they were at first: the difference is of a loss that routes those anew. */
#include "tests/grad/grad_check.h"

#define MAX_T 16
#define MAX_K 4
#define MAX_B 4
#define MAX_D 5

typedef struct {
    grad_bench g;
    pq_param *u, *residual;
    pq_segments segments;
    uint32_t live[MAX_B];
    uint32_t d;
    pq_real logits[MAX_T * MAX_K], mass[MAX_T * MAX_K];
    pq_route args;
    double kept[MAX_T * MAX_K * MAX_D]; /* u as it is routed */
    double couplings[MAX_T][MAX_K];     /* of the last round */
} setup;

/* Element i of what behaviour t offers to interest k in a round, of the vectors `u`. */
static double offered(const setup *s, const double *u, uint32_t round, uint32_t t, uint32_t k,
                      uint32_t i) {
    double value = u[(size_t)t * s->u->cols + (s->args.per_interest ? k * s->d : 0) + i];
    bool more = s->residual && round > 0 && round + 1 < s->args.rounds;
    return more ? value + s->residual->value[(t * s->args.interests + k) * s->d + i] : value;
}

static void squash(const double *z, double epsilon, double *c, uint32_t d) {
    double q = 0;
    for (uint32_t i = 0; i < d; i++) {
        q += z[i] * z[i];
    }
    for (uint32_t i = 0; i < d; i++) {
        c[i] = q / (1 + q) * z[i] / pq_sqrt(q + epsilon);
    }
}

/* The capsule of interest k of segment b in a round, under the couplings in `s`. */
static void capsule(const setup *s, const double *u, uint32_t round, uint32_t b, uint32_t k,
                    double *c) {
    double z[MAX_D] = {0};
    for (uint32_t t = s->segments.starts[b]; t < s->segments.starts[b + 1]; t++) {
        for (uint32_t i = 0; i < s->d; i++) {
            z[i] += s->couplings[t][k] * offered(s, u, round, t, k, i);
        }
    }
    squash(z, s->args.epsilon, c, s->d);
}

/* Couplings of one round from the logits of a segment. */
static void couple(setup *s, uint32_t b, double logits[MAX_T][MAX_K]) {
    const uint32_t count = s->args.interests;
    uint32_t routed = s->args.routed ? s->args.routed : s->live[b];
    for (uint32_t t = s->segments.starts[b]; t < s->segments.starts[b + 1]; t++) {
        double total = 0;
        for (uint32_t k = 0; k < routed; k++) {
            total += pq_exp(logits[t][k]);
        }
        for (uint32_t k = 0; k < count; k++) {
            double mass = s->args.mass ? s->mass[t * count + k] : 1;
            s->couplings[t][k] = k < routed ? mass * pq_exp(logits[t][k]) / total : 0;
        }
    }
}

/* Routes all segments; leaves the last couplings in `s`. */
static void reference(setup *s) {
    const uint32_t count = s->args.interests;
    for (uint32_t b = 0; b < s->segments.count; b++) {
        double logits[MAX_T][MAX_K];
        for (uint32_t i = 0; i < MAX_T * count; i++) {
            logits[i / count][i % count] = s->logits[i];
        }
        couple(s, b, logits);
        for (uint32_t round = 1; round < s->args.rounds; round++) {
            for (uint32_t k = 0; k < count; k++) {
                double c[MAX_D];
                capsule(s, s->kept, round - 1, b, k, c);
                for (uint32_t t = s->segments.starts[b]; t < s->segments.starts[b + 1]; t++) {
                    for (uint32_t i = 0; i < s->d; i++) {
                        logits[t][k] += c[i] * offered(s, s->kept, round - 1, t, k, i);
                    }
                }
            }
            couple(s, b, logits);
        }
    }
}

static double frozen_loss(const void *argument) {
    const setup *s = argument;
    double loss = 0;
    for (uint32_t b = 0; b < s->segments.count; b++) {
        for (uint32_t k = 0; k < s->live[b]; k++) {
            double c[MAX_D];
            capsule(s, s->u->value, s->args.rounds - 1, b, k, c);
            for (uint32_t i = 0; i < s->d; i++) {
                loss += c[i] * grad_probe(((size_t)b * s->args.interests + k) * s->d + i);
            }
        }
    }
    return loss;
}

/* The couplings follow the residual, and not u. */
static double half_frozen_loss(const void *argument) {
    setup s = *(const setup *)argument;
    reference(&s);
    return frozen_loss(&s);
}

static pq_var *route(pq_tape *t, const void *argument) {
    const setup *s = argument;
    pq_route args = s->args;
    args.residual = s->residual ? pq_tape_param(t, s->residual) : NULL;
    return pq_op_route(t, pq_tape_param(t, s->u), &args);
}

/* Shares are those of the equation in op_route.c, and sum to 1 over a segment with any pull. */
static void check_shares(setup *s, const char *what) {
    pq_real shares[MAX_T * MAX_K];
    uint32_t count = s->args.interests;
    s->args.shares = shares;
    (void)grad_loss(&s->g, route, s);
    s->args.shares = NULL;
    for (uint32_t b = 0; b < s->segments.count; b++) {
        for (uint32_t k = 0; k < count; k++) {
            double sum = 0;
            for (uint32_t t = s->segments.starts[b]; t < s->segments.starts[b + 1]; t++) {
                assert_true(shares[t * count + k] >= 0);
                sum += shares[t * count + k];
            }
            bool some = k < s->live[b] && pq_segment_length(&s->segments, b) > 0;
            grad_close_to(what, sum, some, 1e-9);
        }
    }
}

static void run(setup *s, const char *what) {
    memcpy(s->kept, s->u->value, (size_t)s->u->rows * s->u->cols * sizeof(*s->kept));
    reference(s);
    grad_close_to(what, grad_loss(&s->g, route, s), frozen_loss(s), 1e-12);
    s->args.full_gradient = true;
    grad_check(&s->g, what, route, NULL, s);
    s->args.full_gradient = false;
    grad_check(&s->g, what, route, s->residual ? half_frozen_loss : frozen_loss, s);
    if (s->args.rounds == 1) { /* nothing to stop: both are the true gradient */
        grad_check(&s->g, what, route, NULL, s);
    }
    check_shares(s, what);
}

typedef struct {
    const char *what;
    uint32_t interests, d, rounds, routed;
    bool per_interest, mass, zero, residual;
    uint32_t live[MAX_B];
} shape;

static void run_shape(const shape *c, uint64_t seed) {
    static const uint32_t starts[] = {0, 5, 5, 6, 13}; /* lengths 5, 0, 1, 7 */
    setup s = {.segments = {starts, 4}, .d = c->d};
    grad_open(&s.g, seed);
    s.u = grad_input(&s.g, "u", 13, c->per_interest ? c->interests * c->d : c->d);
    if (c->residual) {
        s.residual = grad_input(&s.g, "residual", 13, c->interests * c->d);
    }
    memcpy(s.live, c->live, sizeof(s.live));
    pq_rng rng = pq_rng_make(seed, 77, 0);
    for (size_t i = 0; i < (size_t)MAX_T * MAX_K; i++) {
        s.logits[i] = c->zero ? 0 : pq_rng_normal(&rng);
        s.mass[i] = 0.1 + pq_rng_uniform(&rng);
    }
    s.args = (pq_route){.segments = &s.segments,
                        .live = s.live,
                        .logits = s.logits,
                        .mass = c->mass ? s.mass : NULL,
                        .interests = c->interests,
                        .per_interest = c->per_interest,
                        .rounds = c->rounds,
                        .routed = c->routed,
                        .epsilon = 1e-9};
    run(&s, c->what);
    grad_close(&s.g);
}

void grad_route(void) {
    static const shape shapes[] = {
        {"route, one round", 3, 4, 1, 0, false, false, false, false, {3, 1, 1, 2}},
        {"route, shared", 3, 4, 3, 0, false, false, false, false, {3, 1, 1, 2}},
        {"route, shared, mass", 3, 4, 3, 0, false, true, false, false, {2, 1, 3, 3}},
        {"route, per interest", 3, 4, 3, 0, true, false, true, false, {3, 1, 1, 2}},
        {"route, per interest, mass", 4, 2, 3, 0, true, true, false, false, {4, 2, 1, 3}},
        {"route, all compete", 4, 3, 3, 4, false, false, false, false, {2, 1, 1, 3}},
        {"route, all compete, maps, mass", 3, 5, 4, 3, true, true, false, false, {1, 1, 1, 2}},
        {"route, two rounds, width 1", 2, 1, 2, 0, false, true, false, false, {2, 1, 1, 2}},
        {"route, residual", 3, 4, 3, 0, true, true, false, true, {3, 1, 1, 2}},
        {"route, residual, shared, five rounds",
         3,
         2,
         5,
         0,
         false,
         false,
         false,
         true,
         {3, 1, 2, 2}},
        {"route, residual, all compete", 3, 3, 4, 3, true, true, true, true, {2, 1, 1, 3}},
        {"route, residual, two rounds", 2, 3, 2, 0, true, false, false, true, {2, 1, 1, 2}},
        {"route, one interest", 1, 3, 3, 0, true, false, false, false, {1, 1, 1, 1}},
    };
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        run_shape(&shapes[i], i);
    }
}
