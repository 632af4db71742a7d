/* grad_catalogue_loss.c — gradient cases of the cross-entropy over the catalogue and of the pair
 * losses, and their values against the definitions. */
#include "tests/grad/grad_check.h"

#include <math.h>

static double dot(const double *x, const double *y, uint32_t d) {
    double sum = 0;
    for (uint32_t i = 0; i < d; i++) {
        sum += x[i] * y[i];
    }
    return sum;
}

/* ---- softmax over the catalogue ---- */

typedef struct {
    grad_bench g;
    pq_param *u, *items;
    uint32_t *targets;
    pq_softmax_loss args;
} catalogue;

static pq_var *classify(pq_tape *t, const void *argument) {
    const catalogue *c = argument;
    return pq_op_softmax_loss(t, pq_tape_param(t, c->u), pq_tape_param(t, c->items), &c->args);
}

/* The queries are items themselves: both gradients go into the same place. */
static pq_var *classify_itself(pq_tape *t, const void *argument) {
    const catalogue *c = argument;
    pq_var *items = pq_tape_param(t, c->items);
    return pq_op_softmax_loss(t, items, items, &c->args);
}

/* -log of the chance of each item, weighted by the smoothed label. */
static double classify_definition(const catalogue *c, const pq_param *u) {
    const pq_softmax_loss *a = &c->args;
    double loss = 0;
    for (uint32_t b = 0; b < u->rows; b++) {
        const double *query = u->value + (size_t)b * u->cols;
        double total = 0;
        for (uint32_t i = a->first; i < a->last; i++) {
            total += exp(a->scale * dot(query, c->items->value + (size_t)i * u->cols, u->cols));
        }
        for (uint32_t i = a->first; i < a->last; i++) {
            double logit = a->scale * dot(query, c->items->value + (size_t)i * u->cols, u->cols);
            double label = a->smoothing / (a->last - a->first);
            label += i == a->targets[b] ? 1 - a->smoothing : 0;
            loss -= (a->weights ? a->weights[b] : 1) * label * log(exp(logit) / total);
        }
    }
    return a->weight * loss;
}

typedef struct {
    uint32_t rows, items, width, first, last;
    double scale, smoothing;
} catalogue_shape;

static void catalogue_open(catalogue *c, const catalogue_shape *s, uint64_t seed) {
    *c = (catalogue){0};
    grad_open(&c->g, seed);
    c->u = grad_input(&c->g, "u", s->rows, s->width);
    c->items = grad_input(&c->g, "items", s->items, s->width);
    c->targets = calloc(PQ_MAX(s->rows, s->items), sizeof(*c->targets));
    assert_non_null(c->targets);
    for (uint32_t b = 0; b < PQ_MAX(s->rows, s->items); b++) { /* some items several times */
        c->targets[b] = s->first + b * b % (s->last - s->first);
    }
    c->args = (pq_softmax_loss){.targets = c->targets,
                                .first = s->first,
                                .last = s->last,
                                .scale = s->scale,
                                .smoothing = s->smoothing,
                                .weight = 1.0 / 7};
}

static void catalogue_close(catalogue *c) {
    free(c->targets);
    grad_close(&c->g);
}

/* Equal logits: log M whatever the label is. */
static void expect_uniform(void) {
    catalogue c;
    catalogue_open(&c, &(catalogue_shape){3, 10, 2, 1, 9, 2, 0.3}, 0);
    memset(c.u->value, 0, 6 * sizeof(*c.u->value));
    grad_close_to("uniform", grad_loss(&c.g, classify, &c) / grad_probe(0), 3.0 / 7 * log(8),
                  1e-14);
    catalogue_close(&c);
}

/* Scores far beyond the range of e^x. */
static void expect_extremes(void) {
    catalogue c;
    catalogue_open(&c, &(catalogue_shape){1, 3, 1, 0, 3, 1, 0}, 0);
    c.u->value[0] = 1;
    for (uint32_t i = 0; i < 3; i++) {
        c.items->value[i] = i == 1 ? 2000 : -1000;
    }
    for (uint32_t target = 0; target < 2; target++) {
        c.targets[0] = target;
        grad_close_to("far logits", grad_loss(&c.g, classify, &c) / grad_probe(0),
                      target == 1 ? 0 : 3000.0 / 7, 1e-14);
    }
    catalogue_close(&c);
}

static void expect_refused(catalogue *c, const char *what) {
    pq_tape tape;
    pq_tape_init(&tape, &c->g.t.ctx);
    pq_tape_begin(&tape, NULL, false, pq_rng_make(0, 0, 0));
    assert_null(classify(&tape, c));
    if (tape.status != PIQUE_INTERNAL) {
        fail_msg("%s was not refused", what);
    }
    pq_tape_free(&tape);
}

static void expect_refusals(void) {
    catalogue c;
    catalogue_open(&c, &(catalogue_shape){2, 6, 3, 1, 5, 1, 0}, 0);
    c.targets[1] = 0;
    expect_refused(&c, "a target before the first item");
    c.targets[1] = 5;
    expect_refused(&c, "a target behind the last item");
    c.targets[1] = 1;
    c.args.last = 7;
    expect_refused(&c, "more items than there are");
    c.u->rows = 0; /* so that no target is to blame */
    expect_refused(&c, "more items than there are, and no queries");
    c.args.last = 1;
    expect_refused(&c, "no items");
    c.args.last = 5;
    grad_close_to("no queries", grad_loss(&c.g, classify, &c), 0, 0);
    catalogue_close(&c);
}

void grad_softmax_loss(void) {
    static const catalogue_shape shapes[] = {
        {4, 9, 3, 1, 8, 1, 0},       /* without PAD and UNKNOWN */
        {4, 9, 3, 1, 8, 2.5, 0.1},   /* smoothed */
        {1, 1, 1, 0, 1, 1, 0.5},     /* nothing to choose from */
        {5, 33, 17, 0, 33, 0.2, 1},  /* a label that knows nothing */
        {117, 7, 2, 2, 7, 1.5, 0.2}, /* more than a chunk of rows */
        {117, 7, 2, 2, 7, 1.5, 0.2}, /* of which the first counts for nothing */
        {3, 5, 2, 0, 5, 1, 0}        /* nothing that counts */
    };
    const size_t second_chunk = 5, nothing = 6;
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        catalogue c;
        pq_real weights[128];
        catalogue_open(&c, &shapes[i], i);
        for (uint32_t b = 0; b < PQ_COUNT(weights); b++) {
            const bool counts = i < second_chunk || (i < nothing && b >= 96);
            weights[b] = counts ? (pq_real)(b % 4) / 2 : 0;
        }
        c.args.weights = i % 2 == 1 || i >= 4 ? weights : NULL;
        grad_close_to("softmax loss", grad_loss(&c.g, classify, &c) / grad_probe(0),
                      classify_definition(&c, c.u), 1e-12);
        grad_check(&c.g, "softmax loss", classify, NULL, &c);
        grad_close_to("softmax loss of itself",
                      grad_loss(&c.g, classify_itself, &c) / grad_probe(0),
                      classify_definition(&c, c.items), 1e-12);
        grad_check(&c.g, "softmax loss of itself", classify_itself, NULL, &c);
        c.u->frozen = true;
        grad_check(&c.g, "softmax loss, items alone", classify, NULL, &c);
        c.u->frozen = false;
        c.items->frozen = true;
        grad_check(&c.g, "softmax loss, queries alone", classify, NULL, &c);
        catalogue_close(&c);
    }
    expect_uniform();
    expect_extremes();
    expect_refusals();
}

/* ---- pairs ---- */

typedef struct {
    grad_bench g;
    pq_param *u, *positive, *negative;
    pq_pair_loss args;
} pairs;

static pq_var *compare(pq_tape *t, const void *argument) {
    const pairs *p = argument;
    return pq_op_pair_loss(t, pq_tape_param(t, p->u), pq_tape_param(t, p->positive),
                           pq_tape_param(t, p->negative), &p->args);
}

/* Query and positive are the same variable: both gradients go into the same place. */
static pq_var *compare_itself(pq_tape *t, const void *argument) {
    const pairs *p = argument;
    pq_var *u = pq_tape_param(t, p->u);
    return pq_op_pair_loss(t, u, u, pq_tape_param(t, p->negative), &p->args);
}

/* By the chances, as the papers write them. */
static double compare_definition(const pairs *p) {
    const pq_pair_loss *a = &p->args;
    uint32_t d = p->u->cols, n = a->negatives;
    double loss = 0;
    for (uint32_t b = 0; b < p->u->rows; b++) {
        const double *u = p->u->value + (size_t)b * d, weight = a->weights ? a->weights[b] : 1;
        double good = a->scale * dot(u, p->positive->value + (size_t)b * d, d);
        double chance = 1 / (1 + exp(-good)), others = 0;
        for (uint32_t j = 0; j < n; j++) {
            double bad = a->scale * dot(u, p->negative->value + ((size_t)b * n + j) * d, d);
            others += a->kind == PQ_PAIR_BPR ? log(1 / (1 + exp(bad - good)))
                                             : log(1 - 1 / (1 + exp(-bad)));
        }
        switch (a->kind) {
        case PQ_PAIR_BCE:
            loss -= weight * (log(chance) + others / n);
            break;
        case PQ_PAIR_BPR:
            loss -= weight * others / n;
            break;
        case PQ_PAIR_GBCE:
            loss -= weight * (log(pow(chance, a->beta)) + others) / (n + 1);
            break;
        }
    }
    return a->weight * loss;
}

static void pairs_open(pairs *p, const uint32_t shape[3], uint64_t seed) {
    *p = (pairs){0};
    grad_open(&p->g, seed);
    p->u = grad_input(&p->g, "u", shape[0], shape[2]);
    p->positive = grad_input(&p->g, "positive", shape[0], shape[2]);
    p->negative = grad_input(&p->g, "negative", shape[0] * shape[1], shape[2]);
    p->args = (pq_pair_loss){.negatives = shape[1], .scale = 1.7, .beta = 0.35, .weight = 1.0 / 7};
}

static void check_alone(pairs *p) {
    pq_param *inputs[] = {p->u, p->positive, p->negative};
    for (size_t i = 0; i < PQ_COUNT(inputs); i++) {
        for (size_t j = 0; j < PQ_COUNT(inputs); j++) {
            inputs[j]->frozen = j != i;
        }
        grad_check(&p->g, "pair loss, one input alone", compare, NULL, p);
    }
    for (size_t j = 0; j < PQ_COUNT(inputs); j++) {
        inputs[j]->frozen = false;
    }
}

/* The one row of width 1 has u = 1, so the items are the scores. */
static double loss_of_scores(pq_pair_kind kind, double positive, double negative) {
    pairs p;
    pairs_open(&p, (const uint32_t[]){1, 2, 1}, 0);
    p.args = (pq_pair_loss){.kind = kind, .negatives = 2, .scale = 1, .beta = 0.5, .weight = 1};
    p.u->value[0] = 1;
    p.positive->value[0] = positive;
    p.negative->value[0] = p.negative->value[1] = negative;
    double loss = grad_loss(&p.g, compare, &p) / grad_probe(0);
    grad_check(&p.g, "pair loss of far scores", compare, NULL, &p);
    grad_close(&p.g);
    return loss;
}

static void expect_known_values(void) {
    const double ln2 = log(2);
    grad_close_to("BCE of equal scores", loss_of_scores(PQ_PAIR_BCE, 0, 0), 2 * ln2, 1e-15);
    grad_close_to("BPR of equal scores", loss_of_scores(PQ_PAIR_BPR, 3, 3), ln2, 1e-15);
    grad_close_to("gBCE of equal scores", loss_of_scores(PQ_PAIR_GBCE, 0, 0), 2.5 / 3 * ln2, 1e-15);
    /* Where e^|s| is not a number. Right, then wrong. */
    grad_close_to("BCE, right", loss_of_scores(PQ_PAIR_BCE, 2000, -2000), 0, 0);
    grad_close_to("BPR, right", loss_of_scores(PQ_PAIR_BPR, 2000, -2000), 0, 0);
    grad_close_to("BCE, wrong", loss_of_scores(PQ_PAIR_BCE, -2000, 3000), 5000, 1e-15);
    grad_close_to("BPR, wrong", loss_of_scores(PQ_PAIR_BPR, -2000, 3000), 5000, 1e-15);
    grad_close_to("gBCE, wrong", loss_of_scores(PQ_PAIR_GBCE, -2000, 3000), 7000.0 / 3, 1e-15);
    /* A small loss keeps its digits: softplus(-s) = e^-s. */
    double small = loss_of_scores(PQ_PAIR_BCE, 50, -50) / (2 * exp(-50));
    grad_close_to("BCE, almost right", small, 1, 1e-14);
}

/* Two queries with `rows` negatives in all, where each should have `negatives`. */
static void expect_pairs_refused(uint32_t negatives, uint32_t rows) {
    pairs p;
    pairs_open(&p, (const uint32_t[]){2, 3, 2}, 0);
    p.args.negatives = negatives;
    pq_tape tape;
    pq_tape_init(&tape, &p.g.t.ctx);
    pq_tape_begin(&tape, NULL, false, pq_rng_make(0, 0, 0));
    pq_var *negative = pq_tape_constant(&tape, p.negative->value, rows, 2);
    assert_null(pq_op_pair_loss(&tape, pq_tape_param(&tape, p.u), pq_tape_param(&tape, p.positive),
                                negative, &p.args));
    assert_int_equal(tape.status, PIQUE_INTERNAL);
    pq_tape_free(&tape);
    grad_close(&p.g);
}

void grad_pair_loss(void) {
    static const pq_pair_kind kinds[] = {PQ_PAIR_BCE, PQ_PAIR_BPR, PQ_PAIR_GBCE};
    static const uint32_t shapes[][3] = {{1, 1, 1}, {5, 1, 3}, {4, 3, 2}, {2, 70, 2}};
    for (size_t i = 0; i < PQ_COUNT(shapes) * PQ_COUNT(kinds); i++) {
        pairs p;
        pairs_open(&p, shapes[i / PQ_COUNT(kinds)], i);
        static const pq_real weights[] = {0.5, 2, 0, 1, 3};
        p.args.kind = kinds[i % PQ_COUNT(kinds)];
        p.args.weights = i / PQ_COUNT(kinds) % 2 ? weights : NULL;
        grad_close_to("pair loss", grad_loss(&p.g, compare, &p) / grad_probe(0),
                      compare_definition(&p), 1e-12);
        grad_check(&p.g, "pair loss", compare, NULL, &p);
        grad_check(&p.g, "pair loss with itself", compare_itself, NULL, &p);
        check_alone(&p);
        grad_close(&p.g);
    }
    /* More factors than one product holds. */
    pairs p;
    pairs_open(&p, (const uint32_t[]){1, 1500, 1}, 0);
    grad_close_to("pair loss, many negatives", grad_loss(&p.g, compare, &p) / grad_probe(0),
                  compare_definition(&p), 1e-12);
    grad_close(&p.g);
    expect_known_values();
    expect_pairs_refused(0, 0);
    expect_pairs_refused(2, 5);
    expect_pairs_refused(2, 6);
}
