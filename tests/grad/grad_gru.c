/* grad_gru.c — gradient cases of the gated recurrent unit, and its values against a loop over one
 * segment after the other. */
#include "tests/grad/grad_check.h"

#include <math.h>

#define MOST_ROWS 32
#define MOST_WIDTH 5

typedef struct {
    grad_bench g;
    pq_param *gates, *u, *bias;
    pq_segments segments;
} gru;

static pq_var *run(pq_tape *t, const void *argument) {
    const gru *c = argument;
    return pq_op_gru(t, pq_tape_param(t, c->gates), pq_tape_param(t, c->u),
                     pq_tape_param(t, c->bias), &c->segments);
}

/* Two layers that share their weights: the gradients of both must add up. */
static pq_var *run_twice(pq_tape *t, const void *argument) {
    const gru *c = argument;
    pq_var *first = run(t, c), *u = pq_tape_param(t, c->u);
    pq_var *gates = pq_op_linear(t, first, u, pq_tape_param(t, c->bias));
    pq_var *second = pq_op_gru(t, gates, u, pq_tape_param(t, c->bias), &c->segments);
    return pq_op_concat(t, first, second);
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* One step of one segment: state (H) becomes the next. */
static void advance(const gru *c, const double *g, double *state) {
    uint32_t h = c->u->cols;
    double product[3 * MOST_WIDTH];
    for (uint32_t i = 0; i < 3 * h; i++) {
        product[i] = c->bias->value[i];
        for (uint32_t j = 0; j < h; j++) {
            product[i] += c->u->value[(size_t)i * h + j] * state[j];
        }
    }
    for (uint32_t j = 0; j < h; j++) {
        double r = sigmoid(g[j] + product[j]), z = sigmoid(g[h + j] + product[h + j]);
        double n = tanh(g[2 * h + j] + r * product[2 * h + j]);
        state[j] = (1 - z) * n + z * state[j];
    }
}

static void check_values(gru *c, const char *what) {
    uint32_t h = c->u->cols;
    pq_tape t;
    pq_tape_init(&t, &c->g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *y = run(&t, c);
    assert_ok(&c->g.t.ctx, t.status);
    assert_int_equal(y->rows, c->gates->rows);
    assert_int_equal(y->cols, h);
    for (uint32_t b = 0; b < c->segments.count; b++) {
        double state[MOST_WIDTH] = {0};
        for (uint32_t i = c->segments.starts[b]; i < c->segments.starts[b + 1]; i++) {
            advance(c, c->gates->value + (size_t)i * 3 * h, state);
            for (uint32_t j = 0; j < h; j++) {
                grad_close_to(what, y->value[(size_t)i * h + j], state[j], 1e-13);
            }
        }
    }
    pq_tape_free(&t);
}

/* A segment's states are the same bits when it is the whole batch. */
static void check_alone(gru *c, const char *what) {
    uint32_t h = c->u->cols;
    pq_real *gates = c->gates->value;
    pq_tape t;
    pq_tape_init(&t, &c->g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *all = run(&t, c);
    for (uint32_t b = 0; b < c->segments.count; b++) {
        uint32_t first = c->segments.starts[b], length = pq_segment_length(&c->segments, b);
        uint32_t starts[] = {0, length};
        pq_segments one = {starts, 1};
        pq_var *own = pq_tape_constant(&t, gates + (size_t)first * 3 * h, length, 3 * h);
        const pq_var *y =
            pq_op_gru(&t, own, pq_tape_param(&t, c->u), pq_tape_param(&t, c->bias), &one);
        assert_ok(&c->g.t.ctx, t.status);
        if (memcmp(y->value, all->value + (size_t)first * h,
                   (size_t)length * h * sizeof(pq_real)) != 0) {
            fail_msg("%s: segment %lu is not the same alone", what, (unsigned long)b);
        }
    }
    pq_tape_free(&t);
}

static pq_var *run_empty(pq_tape *t, const void *argument) {
    const gru *c = argument;
    static pq_real nothing[1];
    return pq_op_gru(t, pq_tape_constant(t, nothing, 0, 3 * c->u->cols), pq_tape_param(t, c->u),
                     pq_tape_param(t, c->bias), &c->segments);
}

/* No rows at all: nothing comes out, and no gradient. */
static void check_empty(void) {
    static const uint32_t starts[] = {0, 0, 0};
    for (uint32_t count = 0; count <= 2; count++) {
        gru c = {.segments = {starts, count}};
        grad_open(&c.g, 1);
        c.u = grad_input(&c.g, "u", 6, 2);
        c.bias = grad_input(&c.g, "bias", 1, 6);
        grad_check(&c.g, "gru, empty", run_empty, NULL, &c);
        grad_close(&c.g);
    }
}

static void check_refusals(void) {
    static const uint32_t starts[] = {0, 2};
    grad_bench g;
    grad_open(&g, 1);
    pq_param *gates = grad_input(&g, "gates", 2, 6), *u = grad_input(&g, "u", 6, 2);
    pq_param *bias = grad_input(&g, "bias", 1, 6), *wide = grad_input(&g, "wide", 2, 9);
    pq_param *longer = grad_input(&g, "longer", 3, 6), *two = grad_input(&g, "two", 2, 6);
    const pq_param *const bad[][3] = {{wide, u, bias},
                                      {gates, gates, bias},
                                      {gates, u, wide},
                                      {longer, u, bias},
                                      {gates, u, two}};
    pq_tape t;
    pq_tape_init(&t, &g.t.ctx);
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        pq_tape_begin(&t, NULL, false, (pq_rng){0});
        assert_null(pq_op_gru(&t, pq_tape_param(&t, bad[i][0]), pq_tape_param(&t, bad[i][1]),
                              pq_tape_param(&t, bad[i][2]), &(pq_segments){starts, 1}));
        assert_failure(&g.t.ctx, t.status, PIQUE_INTERNAL, "gru: gates are");
    }
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    assert_null(pq_op_gru(&t, NULL, pq_tape_param(&t, u), pq_tape_param(&t, bias), NULL));
    assert_int_equal(t.status, PIQUE_OK);
    pq_tape_free(&t);
    grad_close(&g);
}

void grad_gru(void) {
    static const struct {
        const char *what;
        uint32_t width, count, starts[8];
    } shapes[] = {
        {"gru, mixed lengths", 3, 6, {0, 4, 4, 5, 11, 13, 17}},
        {"gru, one row", 1, 1, {0, 1}},
        {"gru, one segment", 2, 1, {0, 6}},
        {"gru, all of length 1", 4, 3, {0, 1, 2, 3}},
        {"gru, equal lengths", 2, 3, {0, 3, 6, 9}},
        {"gru, rising lengths", 5, 4, {0, 0, 1, 3, 6}},
        {"gru, falling lengths", 2, 4, {0, 5, 8, 9, 9}},
    };
    static const char *const inputs[] = {"gates", "u", "bias"};
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        uint32_t h = shapes[i].width, rows = shapes[i].starts[shapes[i].count];
        gru c = {.segments = {shapes[i].starts, shapes[i].count}};
        assert_true(rows <= MOST_ROWS && h <= MOST_WIDTH);
        grad_open(&c.g, i);
        c.gates = grad_input(&c.g, inputs[0], rows, 3 * h);
        c.u = grad_input(&c.g, inputs[1], 3 * h, h);
        c.bias = grad_input(&c.g, inputs[2], 1, 3 * h);
        check_values(&c, shapes[i].what);
        check_alone(&c, shapes[i].what);
        grad_check(&c.g, shapes[i].what, run, NULL, &c);
        grad_check(&c.g, shapes[i].what, run_twice, NULL, &c);
        /* Rows that repeat a state, and each input without a gradient of its own. */
        memcpy(c.gates->value + (size_t)(rows - 1) * 3 * h, c.gates->value,
               (size_t)3 * h * sizeof(pq_real));
        for (uint32_t frozen = 0; frozen < 3; frozen++) {
            c.g.params->list[frozen]->frozen = true;
            grad_check(&c.g, inputs[frozen], run, NULL, &c);
            c.g.params->list[frozen]->frozen = false;
        }
        grad_close(&c.g);
    }
    check_empty();
    check_refusals();
}
