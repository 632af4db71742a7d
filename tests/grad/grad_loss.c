/* grad_loss.c — gradient cases of the label-aware attention, the sampled softmax and the logistic loss. */
#include "tests/grad/grad_check.h"

#include <math.h>

/* ---- label attention ---- */

#define B 3
#define K 3
#define D 4

typedef struct {
    grad_bench g;
    pq_param *v, *e;
    uint32_t live[B];
    pq_label_attention args;
    double attention[B][K]; /* of the forward pass */
} attention;

static pq_var *attend(pq_tape *t, const void *argument) {
    const attention *a = argument;
    return pq_op_label_attention(t, pq_tape_param(t, a->v), pq_tape_param(t, a->e), &a->args);
}

static double power(const pq_label_attention *args, double s) {
    switch (args->kind) {
    case PQ_POWER_SIGNED:
        return s < 0 ? -pow(-s, args->power) : pow(s, args->power);
    case PQ_POWER_RAW:
        return pow(s, args->power);
    case PQ_POWER_TEMPERATURE:
        return args->power * s;
    }
    return NAN;
}

/* The attention by the equations, left in `a`. */
static void weigh(attention *a) {
    for (uint32_t b = 0; b < B; b++) {
        double score[K], total = 0;
        uint32_t best = 0;
        for (uint32_t k = 0; k < a->live[b]; k++) {
            score[k] = 0;
            for (uint32_t i = 0; i < D; i++) {
                score[k] += a->v->value[(b * K + k) * D + i] * a->e->value[b * D + i];
            }
            score[k] = power(&a->args, score[k]);
            total += exp(score[k]);
            best = score[k] > score[best] ? k : best;
        }
        for (uint32_t k = 0; k < a->live[b]; k++) {
            a->attention[b][k] = a->args.hard ? k == best : exp(score[k]) / total;
        }
    }
}

static double frozen_loss(const void *argument) {
    const attention *a = argument;
    double loss = 0;
    for (uint32_t b = 0; b < B; b++) {
        for (uint32_t k = 0; k < a->live[b]; k++) {
            for (uint32_t i = 0; i < D; i++) {
                loss +=
                    a->attention[b][k] * a->v->value[(b * K + k) * D + i] * grad_probe(b * D + i);
            }
        }
    }
    return loss;
}

static void attention_open(attention *a, uint64_t seed) {
    const uint32_t live[B] = {3, 1, 2};
    *a = (attention){0};
    grad_open(&a->g, seed);
    a->v = grad_input(&a->g, "v", B * K, D);
    a->e = grad_input(&a->g, "e", B, D);
    memcpy(a->live, live, sizeof(live));
    a->args = (pq_label_attention){.live = a->live, .interests = K};
}

void grad_label_attention(void) {
    static const struct {
        const char *what;
        pq_power kind;
        double power;
    } kinds[] = {
        {"attention, signed 2", PQ_POWER_SIGNED, 2},
        {"attention, signed 1.5", PQ_POWER_SIGNED, 1.5},
        {"attention, signed 1", PQ_POWER_SIGNED, 1},
        {"attention, raw 2", PQ_POWER_RAW, 2},
        {"attention, raw 3", PQ_POWER_RAW, 3},
        {"attention, temperature", PQ_POWER_TEMPERATURE, 1.7},
    };
    for (size_t i = 0; i < PQ_COUNT(kinds); i++) {
        attention a;
        attention_open(&a, i);
        a.args.kind = kinds[i].kind;
        a.args.power = kinds[i].power;
        weigh(&a);
        grad_close_to(kinds[i].what, grad_loss(&a.g, attend, &a), frozen_loss(&a), 1e-12);
        grad_check(&a.g, kinds[i].what, attend, NULL, &a);
        a.args.stop_gradient = true;
        grad_check(&a.g, kinds[i].what, attend, frozen_loss, &a);
        a.args.hard = true;
        weigh(&a);
        grad_close_to(kinds[i].what, grad_loss(&a.g, attend, &a), frozen_loss(&a), 1e-12);
        grad_check(&a.g, kinds[i].what, attend, frozen_loss, &a);
        a.args.stop_gradient = false; /* hard attention has no gradient of its own either way */
        grad_check(&a.g, kinds[i].what, attend, NULL, &a);
        grad_close(&a.g);
    }
}

/* ---- scores by interests ---- */

#define CANDIDATES 5

static const uint32_t candidate_users[CANDIDATES] = {2, 0, 0, 1, 2};

typedef struct {
    attention interests; /* whose e has a row for each candidate */
    double weights[CANDIDATES][K];
} scored;

static pq_var *score(pq_tape *t, const void *argument) {
    const attention *a = &((const scored *)argument)->interests;
    return pq_op_interest_score(t, pq_tape_param(t, a->v), pq_tape_param(t, a->e), candidate_users,
                                &a->args);
}

static double candidate_fit(const attention *a, uint32_t c, uint32_t k) {
    double sum = 0;
    for (uint32_t i = 0; i < D; i++) {
        sum += a->v->value[(candidate_users[c] * K + k) * D + i] * a->e->value[c * D + i];
    }
    return sum;
}

/* The attention by the equations, left in `s`. */
static void weigh_candidates(scored *s) {
    const attention *a = &s->interests;
    for (uint32_t c = 0; c < CANDIDATES; c++) {
        double total = 0;
        uint32_t live = a->live[candidate_users[c]], best = 0;
        for (uint32_t k = 0; k < live; k++) {
            total += exp(a->args.power * candidate_fit(a, c, k));
            best = candidate_fit(a, c, k) > candidate_fit(a, c, best) ? k : best;
        }
        for (uint32_t k = 0; k < live; k++) {
            s->weights[c][k] =
                a->args.hard ? k == best : exp(a->args.power * candidate_fit(a, c, k)) / total;
        }
    }
}

static double frozen_score(const void *argument) {
    const scored *s = argument;
    double loss = 0;
    for (uint32_t c = 0; c < CANDIDATES; c++) {
        for (uint32_t k = 0; k < s->interests.live[candidate_users[c]]; k++) {
            loss += s->weights[c][k] * candidate_fit(&s->interests, c, k) * grad_probe(c);
        }
    }
    return loss;
}

void grad_interest_score(void) {
    for (int way = 0; way < 4; way++) {
        scored s = {0};
        attention *a = &s.interests;
        attention_open(a, (uint64_t)way);
        a->e = grad_input(&a->g, "candidates", CANDIDATES, D);
        a->args.kind = PQ_POWER_TEMPERATURE;
        a->args.power = 1.7;
        a->args.hard = way / 2;
        a->args.stop_gradient = way % 2;
        weigh_candidates(&s);
        grad_close_to("interest_score", grad_loss(&a->g, score, &s), frozen_score(&s), 1e-12);
        grad_check(&a->g, "interest_score", score, way == 1 ? frozen_score : NULL, &s);
        grad_close(&a->g);
    }
}

/* ---- sampled softmax ---- */

typedef struct {
    grad_bench g;
    pq_param *u, *positive, *negative;
    pq_sampled_softmax args;
} softmax;

static pq_var *sampled(pq_tape *t, const void *argument) {
    const softmax *s = argument;
    return pq_op_sampled_softmax(t, pq_tape_param(t, s->u), pq_tape_param(t, s->positive),
                                 pq_tape_param(t, s->negative), &s->args);
}

/* Query and items the same variable: the gradients of both roles must add up. */
static pq_var *sampled_with_itself(pq_tape *t, const void *argument) {
    const softmax *s = argument;
    pq_var *u = pq_tape_param(t, s->u);
    return pq_op_sampled_softmax(t, u, u, pq_tape_param(t, s->negative), &s->args);
}

/* The loss by the definition: -log of the positive's chance among itself and the others. */
static double definition(const softmax *s) {
    const pq_sampled_softmax *a = &s->args;
    uint32_t d = s->u->cols;
    double loss = 0;
    for (uint32_t b = 0; b < s->u->rows; b++) {
        double total = 0, first = 0;
        for (uint32_t j = 0; j <= s->negative->rows; j++) {
            const double *item =
                j ? s->negative->value + (size_t)(j - 1) * d : s->positive->value + (size_t)b * d;
            double dot = 0;
            for (uint32_t i = 0; i < d; i++) {
                dot += s->u->value[(size_t)b * d + i] * item[i];
            }
            double log_q = j ? a->negative_log_q[j - 1] : a->positive_log_q[b];
            double chance = exp(a->scale * dot - log_q);
            first = j ? first : chance;
            total += j && a->negative_ids[j - 1] == a->positive_ids[b] ? 0 : chance;
        }
        loss -= (a->weights ? a->weights[b] : 1) * log(first / total);
    }
    return a->weight * loss;
}

void grad_sampled_softmax(void) {
    /* Negatives hold labels of rows 0 and 2, one of them twice. */
    static const uint32_t positives[] = {4, 7, 2, 4}, negatives[] = {2, 5, 4, 4, 9};
    static const pq_real positive_q[] = {-1, -0.25, 0.5, -1};
    static const pq_real negative_q[] = {0.5, -0.7, -1, -1, -2};
    static const pq_real weights[] = {0.5, 2, 0, 1};
    static const uint32_t shapes[][3] = {{4, 5, 3}, {1, 1, 1}, {3, 4, 9}, {4, 2, 2}};
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        softmax s = {0};
        grad_open(&s.g, i);
        s.u = grad_input(&s.g, "u", shapes[i][0], shapes[i][2]);
        s.positive = grad_input(&s.g, "positive", shapes[i][0], shapes[i][2]);
        s.negative = grad_input(&s.g, "negative", shapes[i][1], shapes[i][2]);
        s.args = (pq_sampled_softmax){.positive_ids = positives,
                                      .negative_ids = negatives,
                                      .positive_log_q = positive_q,
                                      .negative_log_q = negative_q,
                                      .scale = i == 2 ? 1 : 2.5,
                                      .weight = 1.0 / 7,
                                      .weights = i % 2 == 0 ? weights : NULL};
        grad_close_to("sampled softmax", grad_loss(&s.g, sampled, &s) / grad_probe(0),
                      definition(&s), 1e-12);
        grad_check(&s.g, "sampled softmax", sampled, NULL, &s);
        grad_check(&s.g, "sampled softmax with itself", sampled_with_itself, NULL, &s);
        grad_close(&s.g);
    }
}

/* ---- cross-entropy of logits ---- */

typedef struct {
    grad_bench g;
    pq_param *x;
    pq_cross_entropy args;
} entropy;

static pq_var *choose(pq_tape *t, const void *argument) {
    const entropy *e = argument;
    return pq_op_cross_entropy(t, pq_tape_param(t, e->x), &e->args);
}

void grad_cross_entropy(void) {
    static const uint32_t targets[] = {0, 3, 3, 1};
    static const pq_real weights[] = {0.5, 2, 0, 1};
    static const uint32_t widths[] = {4, 11};
    for (size_t i = 0; i < PQ_COUNT(widths); i++) {
        entropy e = {.args = {.targets = targets, .weights = weights}};
        double loss = 0;
        grad_open(&e.g, i);
        e.x = grad_input(&e.g, "x", PQ_COUNT(targets), widths[i]);
        for (uint32_t b = 0; b < PQ_COUNT(targets); b++) {
            const double *row = e.x->value + (size_t)b * widths[i];
            double total = 0;
            for (uint32_t j = 0; j < widths[i]; j++) {
                total += exp(row[j]);
            }
            loss -= weights[b] * log(exp(row[targets[b]]) / total);
        }
        grad_close_to("cross-entropy", grad_loss(&e.g, choose, &e) / grad_probe(0), loss, 1e-12);
        grad_check(&e.g, "cross-entropy", choose, NULL, &e);
        grad_close(&e.g);
    }
}

/* ---- logistic loss ---- */

typedef struct {
    grad_bench g;
    pq_param *x;
    pq_logistic_loss args;
} logistic;

static pq_var *judge(pq_tape *t, const void *argument) {
    const logistic *l = argument;
    return pq_op_logistic_loss(t, pq_tape_param(t, l->x), &l->args);
}

void grad_logistic_loss(void) {
    static const pq_real labels[] = {1, 0, 0.25, 1, 0};
    logistic l = {.args = {.labels = labels, .weight = 1.0 / 3}};
    grad_open(&l.g, 1);
    l.x = grad_input(&l.g, "x", PQ_COUNT(labels), 1);
    double loss = 0;
    for (uint32_t c = 0; c < PQ_COUNT(labels); c++) {
        double p = 1 / (1 + exp(-l.x->value[c]));
        loss -= (labels[c] * log(p) + (1 - labels[c]) * log(1 - p)) / 3;
    }
    grad_close_to("logistic loss", grad_loss(&l.g, judge, &l) / grad_probe(0), loss, 1e-12);
    grad_check(&l.g, "logistic loss", judge, NULL, &l);
    static const pq_real weights[] = {0.5, 2, 0, 1, 3};
    l.args.weights = weights;
    double weighed = 0;
    for (uint32_t c = 0; c < PQ_COUNT(labels); c++) {
        double p = 1 / (1 + exp(-l.x->value[c]));
        weighed -= weights[c] * (labels[c] * log(p) + (1 - labels[c]) * log(1 - p)) / 3;
    }
    grad_close_to("weighed", grad_loss(&l.g, judge, &l) / grad_probe(0), weighed, 1e-12);
    grad_check(&l.g, "logistic loss, weighed", judge, NULL, &l);
    l.args.weights = NULL;
    /* Certain and wrong: the loss is the distance, no overflow. */
    l.x->value[0] = -800;
    l.x->value[1] = 800;
    l.x->value[2] = l.x->value[3] = l.x->value[4] = 0;
    grad_close_to("logistic loss, far out", grad_loss(&l.g, judge, &l) / grad_probe(0),
                  (1600 + 3 * log(2)) / 3, 1e-12);
    grad_close(&l.g);
}
