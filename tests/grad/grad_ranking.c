/* grad_ranking.c — gradient cases and values of the ops of models that rank: pairs, normalisation over the batch,
 * and the ReLU family. */
#include "tests/grad/grad_check.h"

#include <math.h>

typedef struct {
    grad_bench g;
    pq_param *x, *a, *b; /* a, b may be NULL */
    pq_param *statistic;
    const uint32_t *rows;
    pq_pairs pairs;
    double low, high;
} setup;

static pq_var *param(pq_tape *t, const pq_param *p) {
    return p ? pq_tape_param(t, p) : NULL;
}

/* ---- pairs ---- */

/* Queries without a pair, and keys that several queries have or none. */
static const uint32_t starts[] = {0, 3, 3, 4, 6}, queries[] = {0, 0, 0, 2, 3, 3};
static const uint32_t keys[] = {0, 1, 2, 1, 4, 4};
static const pq_pairs pairs = {queries, keys, 6, {starts, 4}};

static pq_var *multiply(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_multiply_pairs(t, param(t, s->a), param(t, s->b), &s->pairs);
}

static pq_var *multiply_itself(pq_tape *t, const void *argument) {
    const setup *s = argument;
    pq_var *b = param(t, s->b);
    return pq_op_multiply_pairs(t, b, b, &s->pairs);
}

static pq_var *add(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_add_pairs(t, param(t, s->x), param(t, s->a), param(t, s->b), &s->pairs);
}

static void expect_pairs(const setup *s, grad_forward *forward, bool sum) {
    pq_tape t;
    pq_tape_init(&t, (pq_ctx *)&s->g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *y = forward(&t, s);
    uint32_t d = s->a->cols;
    for (uint32_t p = 0; p < pairs.count; p++) {
        for (uint32_t j = 0; j < d; j++) {
            double q = s->a->value[queries[p] * d + j], k = s->b->value[keys[p] * d + j];
            double want = sum ? s->x->value[p * d + j] + q + k : q * k;
            grad_close_to("a pair", y->value[p * d + j], want, 1e-12);
        }
    }
    pq_tape_free(&t);
}

static void pair_cases(const char *what, grad_forward *forward, bool sum) {
    for (uint32_t i = 0; i < 4; i++) { /* the last three: one input without a gradient */
        setup s = {.pairs = pairs};
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "queries", 4, 1 + i);
        s.b = grad_input(&s.g, "keys", 5, 1 + i);
        s.x = grad_input(&s.g, "x", pairs.count, 1 + i);
        if (i > 0) {
            (i == 1 ? s.a : i == 2 ? s.b : s.x)->frozen = true;
        }
        expect_pairs(&s, forward, sum);
        grad_check(&s.g, what, forward, NULL, &s);
        grad_close(&s.g);
    }
    setup s = {.pairs = pairs};
    grad_open(&s.g, 5);
    s.a = grad_input(&s.g, "queries", 3, 2); /* query 3 is outside */
    s.b = grad_input(&s.g, "keys", 5, 2);
    s.x = grad_input(&s.g, "x", pairs.count, 2);
    pq_tape t;
    pq_tape_init(&t, &s.g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    assert_null(forward(&t, &s));
    assert_failure(&s.g.t.ctx, t.status, PIQUE_INTERNAL, what);
    pq_tape_free(&t);
    grad_close(&s.g);
}

void grad_multiply_pairs(void) {
    static const uint32_t alone[] = {0, 1, 2}, itself[] = {1, 1, 4}, ends[] = {0, 1, 2, 3};
    pair_cases("multiply_pairs", multiply, false);
    setup s = {.pairs = {alone, itself, 3, {ends, 3}}};
    grad_open(&s.g, 6);
    s.b = grad_input(&s.g, "keys", 5, 3);
    grad_check(&s.g, "multiply_pairs by itself", multiply_itself, NULL, &s);
    grad_close(&s.g);
}

void grad_add_pairs(void) {
    pair_cases("add_pairs", add, true);
}

static pq_var *softmax_segments(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_softmax_segments(t, param(t, s->x), &s->pairs.segments);
}

void grad_softmax_segments(void) {
    setup s = {.pairs = pairs};
    grad_open(&s.g, 0);
    s.x = grad_input(&s.g, "x", pairs.count, 1);
    pq_tape t;
    pq_tape_init(&t, &s.g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_real *y = softmax_segments(&t, &s)->value, *x = s.x->value;
    double three = exp(x[0]) + exp(x[1]) + exp(x[2]);
    grad_close_to("of three", y[1], exp(x[1]) / three, 1e-12);
    grad_close_to("of one", y[3], 1, 1e-12);
    grad_close_to("of two", y[4], 1 / (1 + exp(x[5] - x[4])), 1e-12);
    pq_tape_free(&t);
    grad_check(&s.g, "softmax_segments", softmax_segments, NULL, &s);
    grad_close(&s.g);
}

static pq_var *scale_rows(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_scale_rows(t, param(t, s->x), param(t, s->a), s->rows);
}

void grad_scale_rows(void) {
    static const uint32_t some[] = {2, 0, 2, 1};
    for (uint32_t i = 0; i < 2; i++) {
        setup s = {.rows = i ? some : NULL};
        grad_open(&s.g, i);
        s.x = grad_input(&s.g, "x", 4, 3);
        s.a = grad_input(&s.g, "weights", 4, 1);
        pq_tape t;
        pq_tape_init(&t, &s.g.t.ctx);
        pq_tape_begin(&t, NULL, false, (pq_rng){0});
        const pq_var *y = scale_rows(&t, &s);
        for (uint32_t j = 0; j < 12; j++) {
            uint32_t row = i ? some[j / 3] : j / 3;
            grad_close_to("a row", y->value[j], s.a->value[j / 3] * s.x->value[row * 3 + j % 3],
                          1e-12);
        }
        pq_tape_free(&t);
        grad_check(&s.g, "scale_rows", scale_rows, NULL, &s);
        grad_close(&s.g);
    }
}

/* ---- normalisation over the batch ---- */

#define EPSILON 1e-5

static pq_var *batch_norm(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_batch_norm(t, param(t, s->x), s->statistic, param(t, s->a), param(t, s->b),
                            EPSILON);
}

static void declare_norm(setup *s, uint32_t rows, uint32_t cols, bool affine) {
    s->x = grad_input(&s->g, "x", rows, cols);
    s->statistic = grad_input(&s->g, "statistic", 3, cols);
    s->statistic->statistic = true;
    for (uint32_t j = 0; j < cols; j++) {
        s->statistic->value[cols + j] = 0.5 + j; /* a variance */
    }
    s->a = affine ? grad_input(&s->g, "gain", 1, cols) : NULL;
    s->b = affine ? grad_input(&s->g, "bias", 1, cols) : NULL;
}

/* Mean and variance of a column, of the batch or as they run. */
static void moments(const setup *s, uint32_t j, double *mean, double *variance) {
    uint32_t rows = s->x->rows, d = s->x->cols;
    *mean = s->statistic->value[j];
    *variance = s->statistic->value[d + j];
    if (s->g.training) {
        *mean = *variance = 0;
        for (uint32_t i = 0; i < rows; i++) {
            *mean += s->x->value[i * d + j] / rows;
        }
        for (uint32_t i = 0; i < rows; i++) {
            double away = s->x->value[i * d + j] - *mean;
            *variance += away * away / rows;
        }
    }
}

static void expect_norm(setup *s) {
    uint32_t d = s->x->cols;
    pq_tape t;
    pq_tape_init(&t, &s->g.t.ctx);
    pq_tape_begin(&t, NULL, s->g.training, (pq_rng){0});
    const pq_var *y = batch_norm(&t, s);
    for (uint32_t j = 0; j < d; j++) {
        double mean, variance;
        moments(s, j, &mean, &variance);
        for (uint32_t i = 0; i < s->x->rows; i++) {
            double n = (s->x->value[i * d + j] - mean) / sqrt(variance + EPSILON);
            double want = s->a ? s->a->value[j] * n + s->b->value[j] : n;
            grad_close_to("batch norm", y->value[i * d + j], want, 1e-10);
        }
    }
    pq_tape_free(&t);
}

void grad_batch_norm(void) {
    static const uint32_t shapes[][2] = {{6, 3}, {2, 1}, {1, 4}, {9, 5}};
    for (uint32_t i = 0; i < 4 * PQ_COUNT(shapes); i++) {
        setup s = {0};
        grad_open(&s.g, i);
        s.g.training = i & 1;
        declare_norm(&s, shapes[i / 4][0], shapes[i / 4][1], i & 2);
        expect_norm(&s);
        grad_check(&s.g, s.g.training ? "batch_norm, training" : "batch_norm", batch_norm, NULL,
                   &s);
        for (uint32_t p = 0; p < s.g.params->count; p++) {
            s.g.params->list[p]->frozen = true;
            grad_check(&s.g, "batch_norm, in part", batch_norm, NULL, &s);
            s.g.params->list[p]->frozen = false;
        }
        grad_close(&s.g);
    }
}

/* ---- the ReLU family ---- */

static pq_var *dice(pq_tape *t, const void *argument) {
    const setup *s = argument;
    pq_var *x = param(t, s->x);
    return pq_op_dice(t, x, pq_op_batch_norm(t, x, s->statistic, NULL, NULL, 1e-8), param(t, s->a));
}

/* x = (-1, 0, 1), one after the other. */
static void expect_dice(double alpha, double low, double high) {
    setup s = {0};
    pq_tape t;
    grad_open(&s.g, 1);
    s.g.training = true;
    declare_norm(&s, 3, 1, false);
    s.a = grad_input(&s.g, "alpha", 1, 1);
    s.a->value[0] = alpha;
    for (uint32_t i = 0; i < 3; i++) {
        s.x->value[i] = (double)i - 1;
    }
    pq_tape_init(&t, &s.g.t.ctx);
    pq_tape_begin(&t, NULL, true, (pq_rng){0});
    const pq_var *y = dice(&t, &s);
    grad_close_to("Dice(-1)", y->value[0], low, 1e-6);
    grad_close_to("Dice(0)", y->value[1], 0, 0);
    grad_close_to("Dice(1)", y->value[2], high, 1e-6);
    pq_tape_free(&t);
    grad_close(&s.g);
}

void grad_dice(void) {
    for (uint32_t i = 0; i < 6; i++) {
        setup s = {0};
        grad_open(&s.g, i);
        s.g.training = i & 1;
        declare_norm(&s, 5, 1 + i, false);
        s.a = grad_input(&s.g, "alpha", 1, 1 + i);
        grad_check(&s.g, "dice", dice, NULL, &s);
        grad_close(&s.g);
    }
    expect_dice(0, -0.227103, 0.772897);
    expect_dice(0.1, -0.304392, 0.795608);
    expect_dice(1, -1, 1);
}

static pq_var *prelu(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_prelu(t, param(t, s->x), param(t, s->a));
}

static pq_var *leaky_relu(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_leaky_relu(t, param(t, s->x), s->low, s->high);
}

/* Every element is x, or a slope between low and high times x below zero. */
static void expect_slopes(const setup *s, grad_forward *forward, bool training) {
    pq_tape t;
    pq_tape_init(&t, (pq_ctx *)&s->g.t.ctx);
    pq_tape_begin(&t, NULL, training, pq_rng_make(3, 1, 2));
    const pq_var *y = forward(&t, s);
    for (uint32_t i = 0; i < s->x->rows * s->x->cols; i++) {
        double x = s->x->value[i], low = s->low, high = s->high;
        if (s->a) {
            low = high = s->a->value[i % s->x->cols];
        } else if (!training) {
            low = high = (low + high) / 2;
        }
        double slope = x < 0 ? y->value[i] / x : 1;
        assert_true(x < 0 || y->value[i] == s->x->value[i]);
        assert_true(x >= 0 || (slope >= low - 1e-12 && slope <= high + 1e-12));
    }
    pq_tape_free(&t);
}

void grad_prelu(void) {
    for (uint32_t i = 0; i < 3; i++) {
        setup s = {0};
        grad_open(&s.g, i);
        s.x = grad_input(&s.g, "x", 6, 1 + 2 * i);
        s.a = grad_input(&s.g, "alpha", 1, 1 + 2 * i);
        expect_slopes(&s, prelu, false);
        grad_check(&s.g, "prelu", prelu, NULL, &s);
        s.x->frozen = true;
        grad_check(&s.g, "prelu, alpha alone", prelu, NULL, &s);
        grad_close(&s.g);
    }
}

void grad_leaky_relu(void) {
    static const double slopes[][2] = {{0.1, 0.1}, {0.125, 1.0 / 3}};
    for (uint32_t i = 0; i < 4; i++) {
        setup s = {.low = slopes[i / 2][0], .high = slopes[i / 2][1]};
        grad_open(&s.g, i);
        s.g.training = i & 1;
        s.x = grad_input(&s.g, "x", 6, 5);
        expect_slopes(&s, leaky_relu, s.g.training);
        grad_check(&s.g, "leaky_relu", leaky_relu, NULL, &s);
        grad_close(&s.g);
    }
}
