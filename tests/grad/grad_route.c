/* grad_route.c — gradient cases of capsule routing, against a second implementation written from the
 * equations, on arrays of fixed size.
 *
 * With full_gradient the true gradient is checked. Without, couplings are constants: the difference is
 * then taken of a loss whose couplings stay as the forward pass left them. */
#include "tests/grad/grad_check.h"

#define MAX_T 16
#define MAX_K 4
#define MAX_B 4
#define MAX_D 5

typedef struct {
    grad_bench g;
    pq_param *u;
    pq_segments segments;
    uint32_t live[MAX_B];
    uint32_t d;
    pq_real logits[MAX_T * MAX_K], mass[MAX_T * MAX_K];
    pq_route args;
    double couplings[MAX_T][MAX_K]; /* of the last round */
} setup;

static const double *vector(const setup *s, uint32_t t, uint32_t k) {
    return s->u->value + (size_t)t * s->u->cols + (s->args.per_interest ? k * s->d : 0);
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

/* The capsule of interest k of segment b under the couplings in `s`. */
static void capsule(const setup *s, uint32_t b, uint32_t k, double *c) {
    double z[MAX_D] = {0};
    for (uint32_t t = s->segments.starts[b]; t < s->segments.starts[b + 1]; t++) {
        for (uint32_t i = 0; i < s->d; i++) {
            z[i] += s->couplings[t][k] * vector(s, t, k)[i];
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
                capsule(s, b, k, c);
                for (uint32_t t = s->segments.starts[b]; t < s->segments.starts[b + 1]; t++) {
                    for (uint32_t i = 0; i < s->d; i++) {
                        logits[t][k] += c[i] * vector(s, t, k)[i];
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
            capsule(s, b, k, c);
            for (uint32_t i = 0; i < s->d; i++) {
                loss += c[i] * grad_probe(((size_t)b * s->args.interests + k) * s->d + i);
            }
        }
    }
    return loss;
}

static pq_var *route(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_route(t, pq_tape_param(t, s->u), &s->args);
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
    reference(s);
    grad_close_to(what, grad_loss(&s->g, route, s), frozen_loss(s), 1e-12);
    s->args.full_gradient = true;
    grad_check(&s->g, what, route, NULL, s);
    s->args.full_gradient = false;
    grad_check(&s->g, what, route, frozen_loss, s);
    if (s->args.rounds == 1) { /* nothing to stop: both are the true gradient */
        grad_check(&s->g, what, route, NULL, s);
    }
    check_shares(s, what);
}

typedef struct {
    const char *what;
    uint32_t interests, d, rounds, routed;
    bool per_interest, mass, zero;
    uint32_t live[MAX_B];
} shape;

static void run_shape(const shape *c, uint64_t seed) {
    static const uint32_t starts[] = {0, 5, 5, 6, 13}; /* lengths 5, 0, 1, 7 */
    setup s = {.segments = {starts, 4}, .d = c->d};
    grad_open(&s.g, seed);
    s.u = grad_input(&s.g, "u", 13, c->per_interest ? c->interests * c->d : c->d);
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
        {"route, one round", 3, 4, 1, 0, false, false, false, {3, 1, 1, 2}},
        {"route, shared", 3, 4, 3, 0, false, false, false, {3, 1, 1, 2}},
        {"route, shared, mass", 3, 4, 3, 0, false, true, false, {2, 1, 3, 3}},
        {"route, per interest", 3, 4, 3, 0, true, false, true, {3, 1, 1, 2}},
        {"route, per interest, mass", 4, 2, 3, 0, true, true, false, {4, 2, 1, 3}},
        {"route, all compete", 4, 3, 3, 4, false, false, false, {2, 1, 1, 3}},
        {"route, all compete, maps, mass", 3, 5, 4, 3, true, true, false, {1, 1, 1, 2}},
        {"route, two rounds, width 1", 2, 1, 2, 0, false, true, false, {2, 1, 1, 2}},
        {"route, one interest", 1, 3, 3, 0, true, false, false, {1, 1, 1, 1}},
    };
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        run_shape(&shapes[i], i);
    }
}
