/* grad_attention.c — gradient cases and values of attention, layer norm and row selection. */
#include "tests/grad/grad_check.h"

#include <math.h>

/* ---- attention ---- */

#define MOST_D 40

typedef struct {
    grad_bench g;
    pq_param *q, *k, *v;
    pq_segments segments;
    pq_attention args;
} setup;

static pq_var *attend(pq_tape *t, const void *argument) {
    const setup *s = argument;
    pq_var *q = pq_tape_param(t, s->q);
    return pq_op_attention(t, q, s->k ? pq_tape_param(t, s->k) : q,
                           s->v ? pq_tape_param(t, s->v) : q, &s->args);
}

static double inner(const pq_real *x, const pq_real *y, uint32_t n) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i] * y[i];
    }
    return sum;
}

/* Row i of a segment that starts at `first`, one head whose columns begin at `at`, by the equations. */
static void expect_row(const setup *s, const char *what, uint32_t first, uint32_t i, uint32_t end,
                       uint32_t at, const pq_real *y) {
    uint32_t d = s->q->cols, width = d / s->args.heads;
    const pq_real *k = s->k ? s->k->value : s->q->value, *v = s->v ? s->v->value : s->q->value;
    double want[MOST_D] = {0}, total = 0;
    for (uint32_t j = first; j < end; j++) {
        double score = inner(s->q->value + i * d + at, k + j * d + at, width) / sqrt(width);
        if (s->args.blind && j == i) {
            continue;
        }
        total += exp(score);
        for (uint32_t c = 0; c < width; c++) {
            want[c] += exp(score) * v[j * d + at + c];
        }
    }
    for (uint32_t c = 0; c < width; c++) {
        grad_close_to(what, y[i * d + at + c], total > 0 ? want[c] / total : 0, 1e-12);
    }
}

static void expect_values(setup *s, const char *what) {
    pq_tape t;
    pq_tape_init(&t, &s->g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    pq_var *y = attend(&t, s);
    assert_ok(&s->g.t.ctx, t.status);
    for (uint32_t b = 0; b < s->segments.count; b++) {
        uint32_t first = s->segments.starts[b], last = s->segments.starts[b + 1];
        for (uint32_t i = first; i < last; i++) {
            for (uint32_t at = 0; at < s->q->cols; at += s->q->cols / s->args.heads) {
                expect_row(s, what, first, i, s->args.causal ? i + 1 : last, at, y->value);
            }
        }
    }
    pq_tape_free(&t);
}

/* Values of width n that pick out single rows, so that y is the matrix of weights itself. */
static void expect_dropout(uint32_t n, bool causal) {
    const uint32_t starts[] = {0, n};
    const double rate = 0.3;
    setup s = {.segments = {starts, 1}};
    grad_open(&s.g, n);
    s.q = grad_input(&s.g, "q", n, n);
    s.v = grad_input(&s.g, "v", n, n);
    memset(s.v->value, 0, (size_t)n * n * sizeof(pq_real));
    for (uint32_t i = 0; i < n; i++) {
        s.v->value[i * n + i] = 1;
    }
    s.args = (pq_attention){.segments = &s.segments, .heads = 1, .causal = causal, .dropout = rate};
    pq_tape t, plain;
    pq_tape_init(&t, &s.g.t.ctx);
    pq_tape_init(&plain, &s.g.t.ctx);
    pq_tape_begin(&plain, NULL, false, (pq_rng){0});
    pq_var *p = attend(&plain, &s);
    uint32_t dropped = 0, seen = 0;
    for (uint32_t round = 0; round < 20; round++) {
        pq_tape_begin(&t, NULL, true, pq_rng_make(round, 0, 0));
        pq_var *w = attend(&t, &s);
        for (uint32_t i = 0; i < n * n; i++) {
            bool visible = !causal || i % n <= i / n;
            seen += visible;
            dropped += visible && w->value[i] == 0;
            double kept = visible ? p->value[i] / (1 - rate) : 0;
            grad_close_to("attention dropout", w->value[i], w->value[i] == 0 ? 0 : kept, 1e-12);
        }
    }
    double deviation = pq_sqrt(rate * (1 - rate) / seen);
    grad_close_to("share of attention dropped", dropped / (double)seen, rate, 4 * deviation / 1.3);
    pq_tape_free(&t);
    pq_tape_free(&plain);
    grad_close(&s.g);
}

/* Rows that look at those of other segments: none, fewer, more, and enough for the matrix products. */
static void run_across(double dropout, uint64_t seed) {
    static const uint32_t queries[] = {0, 5, 5, 6, 9, 30, 33, 83},
                          keys[] = {0, 2, 4, 4, 11, 24, 40, 60};
    const pq_segments others = {keys, PQ_COUNT(keys) - 1};
    const uint32_t rows = queries[others.count], d = 6;
    setup s = {.segments = {queries, others.count}};
    grad_open(&s.g, seed);
    s.g.training = dropout > 0;
    s.q = grad_input(&s.g, "q", rows, d);
    s.k = grad_input(&s.g, "k", keys[others.count], d);
    s.v = grad_input(&s.g, "v", keys[others.count], d);
    s.args =
        (pq_attention){.segments = &s.segments, .heads = 2, .dropout = dropout, .keys = &others};
    grad_check(&s.g, "attention, other keys", attend, NULL, &s);
    pq_tape t;
    pq_tape_init(&t, &s.g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    pq_var *y = attend(&t, &s);
    assert_ok(&s.g.t.ctx, t.status);
    for (uint32_t b = 0; b < others.count; b++) {
        for (uint32_t i = queries[b]; i < queries[b + 1]; i++) {
            for (uint32_t at = 0; at < d; at += d / 2) {
                expect_row(&s, "attention, other keys", keys[b], i, keys[b + 1], at, y->value);
            }
        }
    }
    pq_tape_free(&t);
    grad_close(&s.g);
}

typedef struct {
    const char *what;
    uint32_t d, heads;
    bool causal;
    double dropout;
    bool shared;
    uint32_t frozen; /* bits: q, k, v */
    bool blind;
} attention_case;

static void run_case(const attention_case *c, const uint32_t *starts, uint32_t count,
                     uint64_t seed) {
    setup s = {.segments = {starts, count}};
    uint32_t rows = starts[count];
    grad_open(&s.g, seed);
    s.g.training = c->dropout > 0;
    s.q = grad_input(&s.g, "q", rows, c->d);
    s.k = c->shared ? NULL : grad_input(&s.g, "k", rows, c->d);
    s.v = c->shared ? NULL : grad_input(&s.g, "v", rows, c->d);
    pq_param *inputs[] = {s.q, s.k, s.v};
    for (uint32_t i = 0; i < 3; i++) {
        if (c->frozen >> i & 1) {
            inputs[i]->frozen = true;
        }
    }
    s.args = (pq_attention){.segments = &s.segments,
                            .heads = c->heads,
                            .causal = c->causal,
                            .dropout = c->dropout,
                            .blind = c->blind};
    grad_check(&s.g, c->what, attend, NULL, &s);
    expect_values(&s, c->what);
    grad_close(&s.g);
}

void grad_attention(void) {
    /* Lengths 5, 0, 1, 7, 14, 0, and one that takes two steps of the matrix products. */
    static const uint32_t several[] = {0, 5, 5, 6, 13, 27, 27}, big[] = {0, 50}, one[] = {0, 1};
    static const attention_case cases[] = {
        {"attention, causal", 6, 2, true, 0, false, 0, false},
        {"attention, full", 6, 3, false, 0, false, 0, false},
        {"attention, one head", 5, 1, true, 0, false, 0, false},
        {"attention, heads of width 1", 3, 3, false, 0, false, 0, false},
        {"attention, causal, dropout", 6, 2, true, 0.3, false, 0, false},
        {"attention, full, dropout", 4, 2, false, 0.5, false, 0, false},
        {"attention, q = k = v", 4, 2, true, 0, true, 0, false},
        {"attention, q = k = v, dropout", 4, 1, false, 0.2, true, 0, false},
        {"attention, frozen q", 4, 2, true, 0.1, false, 1, false},
        {"attention, frozen k", 4, 2, true, 0, false, 2, false},
        {"attention, frozen v", 4, 2, false, 0, false, 4, false},
        {"attention, frozen q and k", 4, 2, false, 0, false, 3, false},
        {"attention, blind", 6, 2, false, 0, false, 0, true},
        {"attention, causal and blind", 4, 2, true, 0, false, 0, true},
        {"attention, causal and blind, dropout", 4, 1, true, 0.3, false, 0, true},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        run_case(&cases[i], several, 6, i);
        run_case(&cases[i], one, 1, i + 20);
    }
    for (size_t i = 0; i < 2; i++) {
        run_case(&cases[i], big, 1, i + 40);
    }
    run_across(0, 60);
    run_across(0.3, 61);
    for (uint32_t i = 0; i < 4; i++) {
        expect_dropout(i < 2 ? 9 : MOST_D, i % 2);
    }
}

/* ---- layer norm ---- */

typedef struct {
    grad_bench g;
    pq_param *x, *gain, *bias;
    double epsilon;
} norm;

static pq_var *normed(pq_tape *t, const void *argument) {
    const norm *s = argument;
    return pq_op_layer_norm(t, pq_tape_param(t, s->x), pq_tape_param(t, s->gain),
                            pq_tape_param(t, s->bias), s->epsilon);
}

static void expect_norm(norm *s) {
    uint32_t d = s->x->cols;
    pq_tape t;
    pq_tape_init(&t, &s->g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    pq_var *y = normed(&t, s);
    assert_ok(&s->g.t.ctx, t.status);
    for (uint32_t i = 0; i < s->x->rows; i++) {
        const pq_real *x = s->x->value + (size_t)i * d;
        double mean = 0, variance = 0;
        for (uint32_t j = 0; j < d; j++) {
            mean += x[j] / d;
        }
        for (uint32_t j = 0; j < d; j++) {
            variance += (x[j] - mean) * (x[j] - mean) / d;
        }
        for (uint32_t j = 0; j < d; j++) {
            double want = (x[j] - mean) / sqrt(variance + s->epsilon) * s->gain->value[j];
            grad_close_to("layer_norm", y->value[i * d + j], want + s->bias->value[j], 1e-11);
        }
    }
    pq_tape_free(&t);
}

void grad_layer_norm(void) {
    static const struct {
        uint32_t rows, d;
        double epsilon;
        uint32_t frozen; /* bits: x, gain, bias */
    } cases[] = {{5, 4, 1e-12, 0}, {3, 7, 0.5, 0},  {1, 2, 1e-3, 0}, {4, 1, 1, 0},
                 {4, 5, 1e-8, 1},  {4, 5, 1e-8, 2}, {4, 5, 1e-8, 4}};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        norm s = {.epsilon = cases[i].epsilon};
        grad_open(&s.g, i);
        s.x = grad_input(&s.g, "x", cases[i].rows, cases[i].d);
        s.gain = grad_input(&s.g, "gain", 1, cases[i].d);
        s.bias = grad_input(&s.g, "bias", 1, cases[i].d);
        pq_param *inputs[] = {s.x, s.gain, s.bias};
        for (uint32_t j = 0; j < 3; j++) {
            inputs[j]->frozen = cases[i].frozen >> j & 1;
        }
        if (i == 1) {
            for (uint32_t j = 0; j < cases[i].d; j++) {
                s.x->value[j] = 3; /* a row without variance */
            }
        }
        grad_check(&s.g, "layer_norm", normed, NULL, &s);
        expect_norm(&s);
        grad_close(&s.g);
    }
}

/* ---- select_rows ---- */

typedef struct {
    grad_bench g;
    pq_param *x;
    const uint32_t *rows;
    uint32_t n;
} selection;

static pq_var *selected(pq_tape *t, const void *argument) {
    const selection *s = argument;
    return pq_op_select_rows(t, pq_tape_param(t, s->x), s->rows, s->n);
}

void grad_select_rows(void) {
    static const uint32_t rows[] = {4, 0, 2, 2, 4, 1, 2};
    static const uint32_t shapes[][2] = {{7, 3}, {1, 1}, {0, 2}, {3, 9}};
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        selection s = {.rows = rows, .n = shapes[i][0]};
        grad_open(&s.g, i);
        s.x = grad_input(&s.g, "x", 5, shapes[i][1]);
        grad_check(&s.g, "select_rows", selected, NULL, &s);
        pq_tape t;
        pq_tape_init(&t, &s.g.t.ctx);
        pq_tape_begin(&t, NULL, false, (pq_rng){0});
        pq_var *y = selected(&t, &s);
        assert_int_equal(y->rows, s.n);
        for (uint32_t j = 0; j < s.n * s.x->cols; j++) {
            uint32_t from = rows[j / s.x->cols] * s.x->cols + j % s.x->cols;
            grad_close_to("select_rows", y->value[j], s.x->value[from], 0);
        }
        pq_tape_free(&t);
        grad_close(&s.g);
    }
}
