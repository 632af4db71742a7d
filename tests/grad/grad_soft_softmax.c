/* grad_soft_softmax.c — gradient cases of the divergence from given chances, and its values against the
 * definition and against numbers worked out elsewhere. */
#include "tests/grad/grad_check.h"

#include <math.h>

#define MOST_ITEMS 64

typedef struct {
    grad_bench g;
    pq_param *u, *own, *shared; /* own, shared: NULL where there are none */
    pq_soft_softmax args;
    pq_real weights[40];
    uint32_t own_ids[40 * 4], shared_ids[MOST_ITEMS];
    uint32_t strangers; /* every so many items the teacher does not know; 0: none */
    const double
        *logits; /* NULL: chances that depend on row and item; or those of a teacher, softened */
} slates;

/* What the teacher thinks of an item, before it is brought to a sum of 1. */
static double liking(const slates *s, uint32_t row, uint32_t at, uint32_t id) {
    return s->logits ? exp(s->logits[at] / s->args.temperature) : 1 + (row * 7 + id * 5) % 11;
}

static bool is_known(const slates *s, uint32_t id) {
    return id != 0 && (s->strangers == 0 || id % s->strangers != 1);
}

/* Of a slate of items: their chances, negative for those that are left out, as the item 0 is. */
static void tell_row(const slates *s, uint32_t row, const uint32_t *ids, uint32_t count,
                     double *chances) {
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        chances[i] = is_known(s, ids[i]) ? liking(s, row, i, ids[i]) : -1;
        /* A chance of exactly 0 is in the slate all the same. */
        chances[i] = chances[i] > 0 && !s->logits && (row + ids[i]) % 6 == 5 ? 0 : chances[i];
        sum += PQ_MAX(chances[i], 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        chances[i] = chances[i] > 0 ? chances[i] / sum : chances[i];
    }
}

static pique_status tell(void *user, const pq_slates *asked, bool *left_out, pq_real *logits) {
    const slates *s = user;
    const uint32_t k = asked->own_count, count = k + asked->shared_count;
    for (uint32_t row = 0; row < asked->rows; row++) {
        uint32_t ids[MOST_ITEMS];
        double chances[MOST_ITEMS];
        for (uint32_t i = 0; i < count; i++) {
            ids[i] = i < k           ? asked->own[row * k + i]
                     : asked->shared ? asked->shared[i - k]
                                     : asked->shared_first + i - k;
            ids[i] = left_out[row * count + i] ? 0 : ids[i];
        }
        tell_row(s, asked->first + row, ids, count, chances);
        for (uint32_t i = 0; i < count; i++) {
            left_out[row * count + i] = chances[i] < 0;
            logits[row * count + i] = chances[i] > 0 ? log(chances[i]) + row : -1e30;
        }
    }
    return PIQUE_OK;
}

static pq_var *run(pq_tape *t, const void *argument) {
    const slates *s = argument;
    return pq_op_soft_softmax(t, pq_tape_param(t, s->u), s->own ? pq_tape_param(t, s->own) : NULL,
                              s->shared ? pq_tape_param(t, s->shared) : NULL, &s->args);
}

static double logit(const slates *s, uint32_t row, const pq_param *items, uint32_t item) {
    double sum = 0;
    for (uint32_t i = 0; i < s->u->cols; i++) {
        sum += s->u->value[row * s->u->cols + i] * items->value[item * s->u->cols + i];
    }
    return s->args.scale * sum / s->args.temperature;
}

/* KL of the two distributions over the known items, as the formula is written. */
static double definition(slates *s) {
    const pq_soft_softmax *a = &s->args;
    const uint32_t k = a->own_count, size = k + a->last - a->first;
    double loss = 0;
    for (uint32_t b = 0; b < s->u->rows; b++) {
        double chances[MOST_ITEMS], weights[MOST_ITEMS], total = 0, divergence = 0;
        uint32_t ids[MOST_ITEMS], known = 0;
        for (uint32_t i = 0; i < size; i++) {
            uint32_t row = i - k + a->first;
            ids[i] = i < k ? a->own_ids[b * k + i] : a->shared_ids ? a->shared_ids[row] : row;
            ids[i] = i > 0 && k > 0 && ids[i] == a->own_ids[b * k] ? 0 : ids[i];
            weights[i] = exp(i < k ? logit(s, b, s->own, b * k + i) : logit(s, b, s->shared, row));
        }
        tell_row(s, b, ids, size, chances);
        for (uint32_t i = 0; i < size; i++) {
            total += chances[i] >= 0 ? weights[i] : 0;
            known += chances[i] >= 0;
        }
        for (uint32_t i = 0; i < size; i++) {
            divergence += chances[i] > 0 ? chances[i] * log(chances[i] / (weights[i] / total)) : 0;
        }
        loss += (a->weights ? a->weights[b] : 1) * divergence / (a->by_slate && known ? known : 1);
    }
    return a->weight * a->temperature * a->temperature * loss;
}

typedef struct {
    uint32_t rows, own, shared, first, last, width, strangers;
    double scale, temperature;
} slate_shape;

static void slates_open(slates *s, const slate_shape *shape, uint64_t seed) {
    *s = (slates){.strangers = shape->strangers};
    grad_open(&s->g, seed);
    s->u = grad_input(&s->g, "u", shape->rows, shape->width);
    s->own = shape->own ? grad_input(&s->g, "own", shape->rows * shape->own, shape->width) : NULL;
    s->shared = shape->shared ? grad_input(&s->g, "shared", shape->shared, shape->width) : NULL;
    for (uint32_t b = 0; b < PQ_COUNT(s->weights); b++) {
        s->weights[b] = (b + 1) % 4 / 2.0;
    }
    for (uint32_t i = 0; i < PQ_COUNT(s->own_ids); i++) {
        s->own_ids[i] = 2 + i % 6;
    }
    for (uint32_t i = 0; i < MOST_ITEMS; i++) { /* labels are among them, and some twice */
        s->shared_ids[i] = 1 + i * i % 9;
    }
    s->args = (pq_soft_softmax){.own_count = shape->own,
                                .own_ids = s->own_ids,
                                .first = shape->first,
                                .last = shape->last,
                                .shared_ids = shape->own ? s->shared_ids : NULL,
                                .scale = shape->scale,
                                .temperature = shape->temperature,
                                .weight = 1.0 / 7,
                                .weights = seed % 2 ? s->weights : NULL,
                                .by_slate = seed % 3 == 2,
                                .ask = tell,
                                .user = s};
}

static void check_alone(slates *s) {
    pq_param *inputs[] = {s->u, s->own, s->shared};
    for (size_t i = 0; i < PQ_COUNT(inputs); i++) {
        for (size_t j = 0; j < PQ_COUNT(inputs); j++) {
            if (inputs[j]) {
                inputs[j]->frozen = j != i;
            }
        }
        if (inputs[i]) {
            grad_check(&s->g, "soft softmax, one input alone", run, NULL, s);
        }
    }
}

/* One query (1), items that are logits themselves, and what the teacher's are. */
static double divergence(uint32_t count, const double *logits, const double *teacher,
                         double temperature, bool by_slate, double *gradient) {
    slates s;
    slates_open(&s, &(slate_shape){1, 0, count, 0, count, 1, 0, 1, temperature}, 0);
    s.args.weight = 1;
    s.args.by_slate = by_slate;
    s.logits = teacher;
    uint32_t ids[] = {1, 2, 3};
    s.args.shared_ids = ids; /* none of them is the item 0 */
    s.u->value[0] = 1;
    memcpy(s.shared->value, logits, count * sizeof(*logits));
    double loss = grad_loss(&s.g, run, &s) / grad_probe(0);
    pq_tape tape;
    pq_grads grads;
    assert_int_equal(pq_grads_init(&grads, &s.g.t.ctx, s.g.params), PIQUE_OK);
    pq_tape_init(&tape, &s.g.t.ctx);
    pq_tape_begin(&tape, &grads, true, pq_rng_make(0, 0, 0));
    assert_int_equal(pq_tape_backward(&tape, run(&tape, &s)), PIQUE_OK);
    for (uint32_t i = 0; i < count; i++) {
        gradient[i] = grads.list[s.shared->index].dense[i];
    }
    pq_tape_free(&tape);
    pq_grads_free(&grads);
    grad_close(&s.g);
    return loss;
}

static void expect_known_values(void) {
    const double up[] = {1, 2, 3}, down[] = {3, 2, 1}, far[] = {2000, 0, -2000};
    double g[3];
    /* Six digits from elsewhere (KL .320157, its mean over the elements .106719), and the rest from softmax itself. */
    grad_close_to("KL tau^2", divergence(3, up, down, 2, false, g), 1.280627, 5e-7);
    grad_close_to("KL tau^2, by slate", divergence(3, up, down, 2, true, g), 1.280627 / 3, 2e-7);
    divergence(3, up, down, 2, false, g);
    const double high = exp(1.5), middle = exp(1), low = exp(0.5), sum = high + middle + low;
    grad_close_to("tau (q - p), low", g[0], 2 * (low - high) / sum, 1e-12);
    grad_close_to("tau (q - p), middle", g[1], 0, 1e-12);
    grad_close_to("tau (q - p), high", g[2], 2 * (high - low) / sum, 1e-12);
    grad_close_to("the teacher itself", divergence(3, up, up, 4, false, g), 0, 1e-13);
    grad_close_to("its gradient", fabs(g[0]) + fabs(g[1]) + fabs(g[2]), 0, 1e-13);
    /* A high temperature: the difference of the centred logits over the number of classes. */
    divergence(3, up, down, 1e4, false, g);
    grad_close_to("hot, low", g[0], (1.0 - 3) / 3, 1e-3);
    grad_close_to("hot, high", g[2], (3.0 - 1) / 3, 1e-3);
    grad_close_to("far logits", divergence(3, far, up, 1, false, g),
                  2000 * (1 - (exp(1) + 0) / (exp(1) + exp(2) + exp(3))) +
                      2000 * exp(3) / (exp(1) + exp(2) + exp(3)) -
                      0.832395645 /* entropy of softmax(1, 2, 3) */,
                  1e-9);
}

static pique_status refuse(void *user, const pq_slates *asked, bool *left_out, pq_real *logits) {
    (void)user, (void)asked, (void)left_out, (void)logits;
    return PIQUE_NUMERIC;
}

static void expect_failure(slates *s, pique_status status) {
    pq_tape tape;
    pq_tape_init(&tape, &s->g.t.ctx);
    pq_tape_begin(&tape, NULL, false, pq_rng_make(0, 0, 0));
    assert_null(run(&tape, s));
    assert_int_equal(tape.status, status);
    pq_tape_free(&tape);
}

static void expect_refusals(void) {
    slates s;
    slates_open(&s, &(slate_shape){2, 1, 6, 0, 7, 3, 0, 1, 1}, 0);
    expect_failure(&s, PIQUE_INTERNAL); /* more shared items than there are */
    s.args.last = 6;
    s.args.own_count = 2; /* more own items than there are */
    expect_failure(&s, PIQUE_INTERNAL);
    s.args.own_count = 1;
    s.args.ask = refuse;
    expect_failure(&s, PIQUE_NUMERIC);
    grad_close(&s.g);
}

void grad_soft_softmax(void) {
    static const slate_shape shapes[] = {
        {4, 0, 9, 1, 8, 3, 0, 1, 1},       /* a catalogue without PAD and UNKNOWN */
        {5, 1, 7, 0, 7, 2, 0, 2.5, 4},     /* a label of its own and shared negatives */
        {3, 4, 0, 0, 0, 5, 0, 0.7, 2},     /* negatives of its own */
        {6, 1, 12, 2, 11, 3, 3, 1.5, 0.5}, /* and strangers */
        {39, 0, 33, 0, 33, 2, 4, 2, 3},    /* more than a chunk of rows */
        {2, 0, 3, 1, 2, 2, 3, 1, 2},       /* nothing that the teacher knows */
    };
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        slates s;
        slates_open(&s, &shapes[i], i);
        s.strangers = shapes[i].strangers;
        grad_close_to("soft softmax", grad_loss(&s.g, run, &s) / grad_probe(0), definition(&s),
                      1e-12);
        grad_check(&s.g, "soft softmax", run, NULL, &s);
        check_alone(&s);
        grad_close(&s.g);
    }
    expect_known_values();
    expect_refusals();
}
