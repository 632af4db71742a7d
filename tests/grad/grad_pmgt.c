/* grad_pmgt.c — gradient cases and values of what PMGT is made of: squared errors, and attention that goes by how unlike
 * rows are. */
#include "tests/grad/grad_check.h"

#include "layers/transformer.h"

#include <math.h>

/* ---- squared error ---- */

typedef struct {
    grad_bench g;
    pq_param *x;
    pq_squared_error args;
} squared;

static pq_var *differ(pq_tape *t, const void *argument) {
    const squared *s = argument;
    return pq_op_squared_error(t, pq_tape_param(t, s->x), &s->args);
}

void grad_squared_error(void) {
    static const pq_real targets[] = {1, -2, 0.5, 3, 0, 1};
    squared s = {.args = {.targets = targets, .weight = 1.0 / 6}};
    grad_open(&s.g, 1);
    s.x = grad_input(&s.g, "x", 2, 3);
    double sum = 0;
    for (uint32_t i = 0; i < 6; i++) {
        sum += (s.x->value[i] - targets[i]) * (s.x->value[i] - targets[i]);
    }
    grad_close_to("squared error", grad_loss(&s.g, differ, &s) / grad_probe(0), sum / 6, 1e-12);
    grad_check(&s.g, "squared error", differ, NULL, &s);
    grad_close(&s.g);
}

/* ---- attention by unlikeness ---- */

typedef struct {
    grad_bench g;
    pq_transformer tr;
    pq_segments segments;
    pq_param *x;
} blocks;

static pq_var *run(pq_tape *t, const void *argument) {
    const blocks *b = argument;
    return pq_transformer_run(t, &b->tr, pq_tape_param(t, b->x), NULL, &b->segments);
}

static const uint32_t starts[] = {0, 4, 5, 5, 19};

static void open_blocks(blocks *b, double diversity, uint32_t d, uint32_t heads, double dropout) {
    *b = (blocks){.segments = {starts, 4},
                  .tr = {.layers = 2,
                         .heads = (int32_t)heads,
                         .kind = PQ_BLOCK_POST,
                         .inner = 3,
                         .forward = PQ_GELU,
                         .diversity = diversity,
                         .dropout = dropout,
                         .epsilon = 1e-5}};
    grad_open(&b->g, 3);
    b->g.training = dropout > 0;
    b->x = grad_input(&b->g, "x", 19, d);
    assert_ok(&b->g.t.ctx, pq_transformer_declare(&b->tr, &b->g.own, "block", d));
    for (uint32_t p = 0; p < b->g.own.count; p++) {
        pq_param *param = b->g.own.list[p];
        pq_rng rng = pq_rng_make(9, p, 0);
        for (uint32_t i = 0; i < param->rows * param->cols; i++) {
            param->value[i] = 0.7 * pq_rng_normal(&rng);
        }
    }
}

/* The weights themselves: with v the unit matrix of a segment and neither layers behind nor the other half. */
static void expect_weights(bool equal) {
    enum { L = 4 };
    static const uint32_t one[] = {0, L};
    const pq_segments segments = {one, 1};
    grad_bench g;
    grad_open(&g, 5);
    pq_param *c = grad_input(&g, "c", L, L), *v = grad_input(&g, "v", L, L);
    for (uint32_t i = 0; i < L * L; i++) {
        v->value[i] = i % (L + 1) == 0;
        c->value[i] = equal ? c->value[i % L] : c->value[i];
    }
    pq_tape t;
    pq_tape_init(&t, &g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_attention args = {.segments = &segments, .heads = 1, .self = 1};
    pq_var *unit = pq_op_normalise(&t, pq_tape_param(&t, c), 1e-12);
    pq_var *y = pq_op_attention(&t, pq_op_scale(&t, unit, -2), unit, pq_tape_param(&t, v), &args);
    assert_ok(&g.t.ctx, t.status);
    for (uint32_t i = 0; i < L; i++) {
        double want[L], total = 0, row = 0;
        for (uint32_t j = 0; j < L; j++) {
            double along = 0;
            for (uint32_t w = 0; w < L; w++) {
                along += unit->value[i * L + w] * unit->value[j * L + w];
            }
            want[j] = exp(1 - along + (i == j));
            total += want[j];
        }
        for (uint32_t j = 0; j < L; j++) {
            grad_close_to("weight by unlikeness", y->value[i * L + j], want[j] / total, 1e-12);
            row += y->value[i * L + j];
        }
        grad_close_to("sum of a row", row, 1, 1e-12);
        if (equal) { /* e / (e + others) */
            grad_close_to("of itself", y->value[i * L + i], exp(1) / (exp(1) + L - 1), 1e-12);
        }
    }
    pq_tape_free(&t);
    grad_close(&g);
}

void grad_pmgt(void **state) {
    static const struct {
        double diversity, dropout;
        uint32_t d, heads;
    } cases[] = {{0.2, 0, 4, 2}, {1, 0, 3, 1}, {0.5, 0.3, 4, 2}};
    (void)state;
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        blocks b;
        open_blocks(&b, cases[i].diversity, cases[i].d, cases[i].heads, cases[i].dropout);
        assert_non_null(pq_params_find(&b.g.own, "block1.c.w"));
        grad_check(&b.g, "transformer with diversity", run, NULL, &b);
        grad_close(&b.g);
    }
    expect_weights(false);
    expect_weights(true);
}
